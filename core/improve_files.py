"""improve_files: reads and writes the file formats that IMPROVE models share.

    splits/*.txt                 row numbers of response.tsv    read_split
    response.tsv                 a table with a header          read_table, response_rows
    *_y_data.csv                 responses of drugs and cells   read_responses
    *_y_data_predicted.csv       true and predicted values      read_predictions, write_predictions
    *_scores.json                name -> number                 read_scores, write_scores
    param_log_file.txt           name: value                    write_parameters

Whatever a file contains, a reader returns its content or raises FileError. A writer leaves a whole
file or the old one, never half a file.
"""
import csv
import functools
import json
import math
import os
import re
from itertools import compress
from typing import NamedTuple, Optional

from core.errors import FileError
from core.files import read_json, reading, whole_file, write_whole

LARGEST_SCORES = 1 << 20     # bytes; a score file has about 200
ROW_NUMBER = re.compile(r"[0-9]{1,18}\Z")
ID_COLUMN = "split_id"

SCORE_NAMES = ("mse", "rmse", "pcc", "scc", "r2")   # of a score file, in IMPROVE's order
DRUG, CELL = "improve_chem_id", "improve_sample_id"   # columns of every table of responses
# Columns that name drugs and, last, the cell line: of drug response, and of synergy of two drugs.
IDENTIFIERS = ((DRUG, CELL), ("DrugID_row", "DrugID_col", "DepMapID"))


class Responses(NamedTuple):
    """Rows of a *_y_data.csv file."""
    drugs: list
    cells: list
    values: list            # floats


class Predictions(NamedTuple):
    """Rows of a *_y_data_predicted.csv file."""
    true: list              # floats
    pred: list
    drugs: Optional[list]
    cells: Optional[list]
    y_col_name: str


# ---- splits

def read_split(path):
    """Returns the 0-based row numbers of a split file, one a line, in the file's order; FileError
    names a line that is neither a number nor blank."""
    with reading(path), open(path, encoding="utf-8-sig") as file:
        lines = [line.strip() for line in file]
    for number, line in enumerate(lines, 1):
        if line and not ROW_NUMBER.match(line):
            raise FileError(f"{path}: line {number} is {_shown(line)}, not a row number")
    return [int(line) for line in lines if line]


def _shown(text):
    """Returns a short printable form of a bad value."""
    return ascii(text if len(text) <= 40 else text[:37] + "...")


# ---- tables

def read_table(path, delimiter):
    """Returns (header, rows): a list of names and an iterator over lists of texts, without empty
    lines. A row of another width is a FileError when the iterator reaches it."""
    rows = _table_rows(path, delimiter)
    return next(rows), rows


def _table_rows(path, delimiter):
    with reading(path), open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter)
        header = next(reader, [])
        if not header:
            raise FileError(f"{path}: has no header line")
        yield header
        for row in reader:
            if len(row) == len(header):
                yield row
            elif row:
                raise FileError(f"{path}: line {reader.line_num} has {len(row)} columns, "
                                f"the header {len(header)}")


def response_rows(path, wanted):
    """Yields (number, row of texts) of the rows of response.tsv whose number is in `wanted`: that
    in the column split_id, which IMPROVE's development library writes, else the row's place."""
    header, rows = read_table(path, "\t")
    place = header.index(ID_COLUMN) if ID_COLUMN in header else None
    for number, row in enumerate(rows):
        if place is not None:
            number = int(row[place]) if ROW_NUMBER.match(row[place]) else None
        if number in wanted:
            yield number, row


def finite_number(text):
    """Returns a text as float, None if it is not a finite number."""
    value = _number(text)
    return value if value is not None and math.isfinite(value) else None


def _number(value):
    try:    # float() reads "1_0" as ten, which no writer of numbers means
        return None if "_" in str(value) else float(value)
    except (TypeError, ValueError):
        return None


def _columns(path, header, names):
    """Returns the columns `names` of a comma-separated table with that header, a list of texts
    each. FileError: a row of another width."""
    with reading(path), open(path, encoding="utf-8-sig") as file:
        text = file.read()
    # In half of the time of the csv module, as the collector reads hundreds of files of 100,000
    # rows: of each line its fields, then a line end. Otherwise the csv module reads the table: a
    # quote may hide a comma, and it knows the line of a row of another width.
    step, places = len(header) + 1, list(map(header.index, names))
    fields = (text.rstrip("\n") + "\n").replace("\n", ",\n,").split(",")
    if '"' in text or len(fields) % step != 1 or set(fields[len(header)::step]) != {"\n"}:
        rows = list(read_table(path, ",")[1])
        return [[row[place] for row in rows] for place in places]
    return [fields[step + place:-1:step] for place in places]


def _converted(column, convert=str):
    """Returns a column's values; equal ones are converted once and become one object, which saves
    memory and makes later look-ups faster."""
    return list(map(functools.lru_cache(maxsize=None)(convert), column))


# ---- responses and predictions

def read_responses(path, y_col_name, all_rows=False):
    """Returns the Responses of a *_y_data.csv file; rows without a response are skipped.
    FileError: no drugs, cell lines or responses; with all_rows, a row without a response."""
    header = read_table(path, ",")[0]
    columns = _columns(path, header, _response_columns(path, header, y_col_name))
    return _responses(path, y_col_name, columns, all_rows)


def read_benchmark_responses(path, split, y_col_name):
    """Returns the Responses of those rows of response.tsv that a split file names."""
    rows = set(read_split(split))
    header = read_table(path, "\t")[0]
    places = list(map(header.index, _response_columns(path, header, y_col_name)))
    chosen = [[row[place] for place in places] for _, row in response_rows(path, rows)]
    return _responses(path, y_col_name, list(zip(*chosen)) or [()] * len(places))


def _response_columns(path, header, y_col_name):
    """Returns the columns that name drugs, cell lines and the response, each of which is once."""
    names = identifiers(header)
    if not names or header.count(y_col_name) != 1:
        raise FileError(f"{path}: does not name drugs, cell lines and {y_col_name}")
    return [*names, y_col_name]


def _responses(path, y_col_name, columns, all_rows=False):
    *drugs, cells, texts = columns
    values = _converted(texts, finite_number)
    kept = [value is not None for value in values]
    if all_rows and not all(kept):
        raise FileError(f"{path}: some rows have no number as {y_col_name}")
    if not any(kept):
        raise FileError(f"{path}: no row has a {y_col_name}")
    return Responses(*(list(compress(column, kept)) for column in (
        _treatments(drugs), _converted(cells), values)))


def read_predictions(path, y_col_name=None, ids=False):
    """Returns the Predictions of a *_y_data_predicted.csv file; drugs and cells are None without
    `ids` or if the file does not have them.

    Columns are found by name: {y}_true and {y}_pred (y is the header's only such pair if
    `y_col_name` is None), and those of IDENTIFIERS. FileError: no such columns, no rows, a value
    that is not a finite number.
    """
    header = read_table(path, ",")[0]
    y_col_name = _predicted_name(path, header, y_col_name)
    names = identifiers(header) if ids else ()
    *columns, true, pred = _columns(path, header,
                                    [*names, f"{y_col_name}_true", f"{y_col_name}_pred"])
    if not true:
        raise FileError(f"{path}: holds no predictions, only a header")
    numbers = []
    for texts in (true, pred):
        numbers.append(_converted(texts, finite_number))
        if None in numbers[-1]:
            row = numbers[-1].index(None)
            raise FileError(f"{path}: {_shown(texts[row])} in row {row + 1} is not a finite number")
    *drugs, cells = columns or [None]
    return Predictions(*numbers, _treatments(drugs) if names else None,
                       _converted(cells) if names else None, y_col_name)


def identifiers(header):
    """Returns the columns of a table that name drugs and, last, cell lines; () without them."""
    return next((names for names in IDENTIFIERS
                 if all(header.count(name) == 1 for name in names)), ())


def _treatments(columns):
    """Returns the drug of each row; two drugs in either order are one treatment."""
    if len(columns) == 1:
        return _converted(columns[0])
    return _converted(list(zip(*columns)), lambda pair: " + ".join(sorted(pair)))


def _predicted_name(path, header, wanted):
    """Returns the only y, or the wanted one, of which the header has {y}_true and {y}_pred."""
    pairs = [name[:-len("_true")] for name in header
             if name.endswith("_true") and name[:-len("_true")] + "_pred" in header]
    found = [name for name in pairs if wanted in (None, name)]
    if len(found) != 1:
        name = wanted or "NAME"
        raise FileError(f"{path}: needs one pair of columns {name}_true and {name}_pred, has pairs "
                        f"of {_shown(', '.join(pairs))}")
    return found[0]


def write_predictions(path, header, rows, y_col_name, true, pred):
    """Writes response columns (header: their names; rows: lists of texts) plus {y}_true and
    {y}_pred, one number a row, rounded to 4 decimals."""
    with whole_file(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*header, f"{y_col_name}_true", f"{y_col_name}_pred"])
        writer.writerows([*row, round(t, 4), round(p, 4)] for row, t, p in zip(rows, true, pred))


# ---- scores

def read_scores(path):
    """Returns (scores, notes) of a score file: a dict of metric -> float, and a sentence for each
    value that is ignored, as it is no number, neither as JSON nor as text.

    null, NaN and infinity are a missing value of that metric, nan in the dict. FileError: not a
    JSON object, over 1 MB.
    """
    content = read_json(path, LARGEST_SCORES)
    if not isinstance(content, dict):
        raise FileError(f"{path}: is not an object of names and numbers")
    scores = {name: _score(value) for name, value in content.items()}
    ignored = [name for name, score in scores.items() if score is None]
    for name in ignored:
        del scores[name]
    return scores, [f"{_shown(name)} in {os.path.basename(path)} is not a number and is ignored"
                    for name in ignored]


def _score(value):
    """Returns a value of a score file as float, nan if it is missing, None if it is no number."""
    found = math.nan if value is None else None if isinstance(value, bool) else _number(value)
    return math.nan if found is not None and math.isinf(found) else found


def has_finite_score(scores):
    """Says whether scores are those of a finished task: mse is finite, or any metric if there is
    no mse. Runner and collector both ask this function."""
    return any(map(math.isfinite, [scores["mse"]] if "mse" in scores else scores.values()))


def write_scores(path, scores):
    """Writes a dict of name -> number as JSON; nan becomes the bare token NaN, as in IMPROVE."""
    write_whole(path, json.dumps(scores, indent=4) + "\n")


# ---- parameters

def write_parameters(output_dir, parameters):
    """Creates `output_dir` and writes the dict `parameters` to param_log_file.txt, one a line, as
    IMPROVE's stages do before any work."""
    try:
        os.makedirs(output_dir, exist_ok=True)
    except OSError as error:
        raise FileError(f"{output_dir}: cannot be made ({error.strerror or error})")
    text = "".join(f"{name}: {value}\n" for name, value in sorted(parameters.items()))
    write_whole(os.path.join(output_dir, "param_log_file.txt"), text)
