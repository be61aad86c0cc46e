"""improve_files: reads and writes the file formats that IMPROVE models share.

    splits/*.txt                 row numbers of response.tsv    read_split
    response.tsv                 a table with a header          read_table, response_rows
    *_y_data.csv                 responses of drugs and cells   read_responses
    *_y_data_predicted.csv       true and predicted values      read_predictions, write_predictions
    *_scores.json                name -> number                 read_scores, write_scores
    param_log_file.txt           name: value                    write_parameters

Examples:
    predictions = read_predictions("infer/gCSI-CCLE/split_0/test_y_data_predicted.csv")
    scores, notes = read_scores("models/gCSI/split_0/val_scores.json")

Whatever a file contains, a reader returns its content or raises FileError. A writer leaves a whole
file or the old one, never half a file.
"""
import csv
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
    y_col_name: str         # of the response


# ---- splits

def read_split(path):
    """Returns the 0-based row numbers of a split file, in the file's order.

    One number a line. Windows line ends, blank lines and a missing final newline are accepted; any
    other line is a FileError that names it.
    """
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
    """Returns (header, rows): a list of names and an iterator over lists of texts.

    Empty lines are skipped. A row of another width than the header is a FileError, raised when the
    iterator reaches it.
    """
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
    """Yields (number, row of texts) of the rows of response.tsv whose number is in `wanted`.

    Numbers are those of the column split_id, which IMPROVE's development library has, else of rows.
    """
    header, rows = read_table(path, "\t")
    place = header.index(ID_COLUMN) if ID_COLUMN in header else None
    for number, row in enumerate(rows):
        if place is not None:
            number = int(row[place]) if ROW_NUMBER.match(row[place]) else None
        if number in wanted:
            yield number, row


class _Converted(dict):
    """Texts of a column -> values. Equal texts are converted once and become one object, which
    saves memory and makes later look-ups faster."""

    def __init__(self, convert):
        super().__init__()
        self.convert = convert

    def __missing__(self, text):
        self[text] = self.convert(text)
        return self[text]


def finite_number(text):
    """Returns a text as float, None if it is not a finite number."""
    try:
        number = float(text)
    except ValueError:
        return None
    # float() reads "1_0" as ten, which no writer of numbers means
    return number if math.isfinite(number) and "_" not in text else None


def read_columns(path, header, converters):
    """Returns the columns of a comma-separated table that `converters` names, one list each.

    header: of the table; converters: {name: function(text) -> value}, names that it has once.
    FileError: a row of another width.
    """
    with reading(path), open(path, encoding="utf-8-sig") as file:
        text = file.read()
    # In half of the time of the csv module, as the collector reads hundreds of files of 100,000
    # rows: of each line its fields, then a line end. Otherwise the csv module reads the table: a
    # quote may hide a comma, and it knows the line of a row of another width.
    step = len(header) + 1
    fields = (text.rstrip("\n") + "\n").replace("\n", ",\n,").split(",")
    ends = fields[len(header)::step]
    if '"' in text or len(fields) != len(ends) * step + 1 or set(ends) != {"\n"}:
        fields, step = [header, *read_table(path, ",")[1]], 1
    places = list(map(header.index, converters))
    texts = ([row[place] for row in fields[1:]] if step == 1 else fields[step + place:-1:step]
             for place in places)
    return [list(map(_Converted(convert).__getitem__, column))
            for convert, column in zip(converters.values(), texts)]


# ---- responses and predictions

def read_responses(path, y_col_name, all_rows=False):
    """Returns the Responses of a *_y_data.csv file; rows without a response are skipped.

    FileError: no drugs, cell lines or responses; with all_rows, a row without a response.
    """
    header = read_table(path, ",")[0]
    names = _response_columns(path, header, y_col_name)
    converters = dict(dict.fromkeys(names, str), **{y_col_name: finite_number})
    columns = read_columns(path, header, converters)
    if all_rows and None in columns[-1]:
        raise FileError(f"{path}: some rows have no number as {y_col_name}")
    return _responses(path, y_col_name, columns)


def read_benchmark_responses(path, rows, y_col_name):
    """Returns the Responses of those rows of response.tsv that are in `rows`, a set of numbers."""
    header = read_table(path, "\t")[0]
    places = list(map(header.index, _response_columns(path, header, y_col_name)))
    columns = [[row[place] for place in places] for _, row in response_rows(path, rows)]
    *names, values = zip(*columns) if columns else [[] for _ in places]
    return _responses(path, y_col_name, [*names, list(map(finite_number, values))])


def _response_columns(path, header, y_col_name):
    """Returns the columns that name drugs, cell lines and the response, each of which is once."""
    names = identifiers(header)
    if not names or header.count(y_col_name) != 1:
        raise FileError(f"{path}: does not name drugs, cell lines and {y_col_name}")
    return [*names, y_col_name]


def _responses(path, y_col_name, columns):
    *drugs, cells, values = columns
    kept = [value is not None for value in values]
    if not any(kept):
        raise FileError(f"{path}: no row has a {y_col_name}")
    return Responses(*(list(compress(column, kept)) for column in (
        _treatments(drugs), cells, values)))


def read_predictions(path, y_col_name=None, ids=False):
    """Returns the Predictions of a *_y_data_predicted.csv file.

    true, pred: lists of one float a row; drugs, cells: lists of identifiers as long, None without
    `ids` or if the file does not have them. Columns are found by name: {y}_true and {y}_pred (y is
    the header's only such pair if `y_col_name` is None), and those of IDENTIFIERS.
    FileError: no such columns, no rows, a value that is not a finite number.
    """
    header = read_table(path, ",")[0]
    y_col_name = _predicted_name(path, header, y_col_name)
    numbers = [f"{y_col_name}_true", f"{y_col_name}_pred"]
    names = identifiers(header) if ids else ()
    converters = dict(dict.fromkeys(numbers, finite_number), **dict.fromkeys(names, str))
    true, pred, *named = read_columns(path, header, converters)
    if not true:
        raise FileError(f"{path}: holds no predictions, only a header")
    for name, values in zip(numbers, (true, pred)):
        if None in values:
            row = values.index(None)
            text = list(read_table(path, ",")[1])[row][header.index(name)]
            raise FileError(f"{path}: {_shown(text)} in row {row + 1} is not a finite number")
    drugs, cells = (_treatments(named[:-1]), named[-1]) if names else (None, None)
    return Predictions(true, pred, drugs, cells, y_col_name)


def identifiers(header):
    """Returns the columns of a table that name drugs and, last, cell lines; () without them."""
    return next((names for names in IDENTIFIERS
                 if all(header.count(name) == 1 for name in names)), ())


def _treatments(columns):
    """Returns the drug of each row; two drugs in either order are one treatment."""
    if len(columns) == 1:
        return columns[0]
    names = {pair: " + ".join(sorted(pair)) for pair in set(zip(*columns))}
    return [names[pair] for pair in zip(*columns)]


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
    """Writes the response columns plus {y}_true and {y}_pred, rounded to 4 decimals.

    header: the response columns' names; rows: their values, lists of texts; true, pred: one number
    a row.
    """
    with whole_file(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(list(header) + [f"{y_col_name}_true", f"{y_col_name}_pred"])
        writer.writerows(list(row) + [round(t, 4), round(p, 4)]
                         for row, t, p in zip(rows, true, pred))


# ---- scores

def read_scores(path):
    """Returns (scores, notes) of a score file: a dict of metric -> float, and a sentence for each
    value that is ignored.

    Numbers count, also those written as text. null, NaN and infinity are a missing value of that
    metric, nan in the dict. Other values are ignored. FileError: not a JSON object, over 1 MB.
    """
    # parse_int: a number of 10,000 digits is inf as a float, an error or slow as an int
    content = read_json(path, LARGEST_SCORES, parse_int=float)
    if not isinstance(content, dict):
        raise FileError(f"{path}: is not an object of names and numbers")
    found = {name: _score(value) for name, value in content.items()}
    return ({name: score for name, score in found.items() if score is not None},
            [f"{_shown(name)} in {os.path.basename(path)} is not a number and is ignored"
             for name, score in found.items() if score is None])


def _score(value):
    """Returns a value of a score file as float, nan if it is missing, None if it is no number."""
    if isinstance(value, bool) or "_" in str(value):
        return None
    try:
        value = math.nan if value is None else float(value)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else math.nan


def has_finite_score(scores):
    """Says whether scores are those of a finished task: mse is finite, or any metric if there is
    no mse. Runner and collector both ask this function."""
    return any(map(math.isfinite, [scores["mse"]] if "mse" in scores else scores.values()))


def write_scores(path, scores):
    """Writes a dict of name -> number as JSON; nan becomes the bare token NaN, as in IMPROVE."""
    write_whole(path, json.dumps(scores, indent=4) + "\n")


# ---- parameters

def write_parameters(output_dir, parameters):
    """Creates `output_dir` and writes param_log_file.txt, one `name: value` a line.

    parameters: dict. IMPROVE's stages do so before any work.
    """
    try:
        os.makedirs(output_dir, exist_ok=True)
    except OSError as error:
        raise FileError(f"{output_dir}: cannot be made ({error.strerror or error})")
    text = "".join(f"{name}: {value}\n" for name, value in sorted(parameters.items()))
    write_whole(os.path.join(output_dir, "param_log_file.txt"), text)
