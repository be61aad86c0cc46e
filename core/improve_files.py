"""improve_files: reads the file formats that IMPROVE models share.

    splits/*.txt                 row numbers of response.tsv    read_split
    response.tsv                 a table with a header          read_table, response_rows
    *_y_data.csv                 responses of drugs and cells   read_responses
    *_y_data_predicted.csv       true and predicted values      read_predictions
    *_scores.json                name -> number                 read_scores
    param_log_file.txt           name: value                    used_otherwise

Whatever a file contains, a reader returns its content or raises FileError.
"""
import csv
import functools
import math
import os
import re
from collections import namedtuple
from itertools import compress

from core.errors import FileError
from core.files import read_json, reading

LARGEST = 1 << 20       # bytes; a score file has about 200, a parameter file a few thousand
ROW_NUMBER = re.compile(r"[0-9]{1,18}\Z")
# 'NAME': True in a dict (improvelib 0.1.0), or a line NAME: True (our baseline)
SWITCH = re.compile(r"""(?:^|['"])(\w+)['"]?: (True|False)(?=[,}\s]|$)""", re.MULTILINE)
TRUE, FALSE = ("yes", "true", "t", "y", "1"), ("no", "false", "f", "n", "0")    # as its str2bool
OPPOSITE = {"True": FALSE, "False": TRUE}
# Columns that name drugs and, last, the cell line: of drug response, and of synergy of two drugs.
IDENTIFIERS = (("improve_chem_id", "improve_sample_id"), ("DrugID_row", "DrugID_col", "DepMapID"))


# Columns of a *_y_data.csv file; values: floats
Responses = namedtuple("Responses", "drugs cells values")
# Columns of a *_y_data_predicted.csv file. true, pred: floats; drugs, cells: None if not asked for
Predictions = namedtuple("Predictions", "true pred drugs cells y_col_name")


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
    return ascii(text if len(text) <= 40 else text[:37] + "...")


def read_table(path, delimiter):
    """Yields the header of a table, a list of names, then its rows, lists of texts, without empty
    lines. FileError: there is no header; when it is reached, a row of another width."""
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
    rows = read_table(path, "\t")
    header = next(rows)
    with reading(path), open(path, encoding="utf-8-sig") as file:
        if "split_id" in header:
            place = header.index("split_id")
            numbered = ((int(row[place]), row) for row in rows if ROW_NUMBER.match(row[place]))
        elif any('"' in line for line in file):     # which may hide a line end
            numbered = enumerate(rows)
        else:       # of 600,000 lines only the wanted ones are split
            file.seek(0)
            lines = enumerate(filter("\n".__ne__, file), -1)    # the header is line -1
            numbered = ((number, line.rstrip("\n").split("\t")) for number, line in lines
                        if number in wanted)
        for number, row in numbered:
            if number in wanted:
                if len(row) != len(header):
                    raise FileError(f"{path}: row {number} has {len(row)} columns, the header "
                                    f"{len(header)}")
                yield number, row


def finite_number(text):
    """Returns a text as float, None if it is not a finite number."""
    value = _number(text)
    return value if value is not None and math.isfinite(value) else None


def _number(value):
    """Returns a text, or a value of a JSON file, as float; None if it is no number."""
    try:    # float() reads "1_0" as ten, which no writer of numbers means
        return None if isinstance(value, bool) or "_" in str(value) else float(value)
    except (TypeError, ValueError):
        return None


def _columns(path, header, names):
    """Returns the columns `names` of a comma-separated table, each a list of texts."""
    with reading(path), open(path, encoding="utf-8-sig") as file:
        text = file.read()
    # In half of the time of the csv module, as the collector reads hundreds of files of 100,000
    # rows: of each line its fields, then a line end. Otherwise the csv module reads the table: a
    # quote may hide a comma, and it knows the line of a row of another width.
    step, places = len(header) + 1, list(map(header.index, names))
    fields = (text.rstrip("\n") + "\n").replace("\n", ",\n,").split(",")
    if '"' in text or len(fields) % step != 1 or set(fields[len(header)::step]) != {"\n"}:
        _, *rows = read_table(path, ",")
        return [[row[place] for row in rows] for place in places]
    return [fields[step + place:-1:step] for place in places]


def _converted(column, convert=str):
    """Equal values become one object, which saves memory and makes later look-ups faster."""
    return list(map(functools.lru_cache(maxsize=None)(convert), column))


def read_responses(path, y_col_name, all_rows=False):
    """Returns the Responses of a *_y_data.csv file; rows without a response are skipped.
    FileError: no drugs, cell lines or responses; with all_rows, a row without a response."""
    header = next(read_table(path, ","))
    columns = _columns(path, header, _response_columns(path, header, y_col_name))
    return _responses(path, y_col_name, columns, all_rows)


def read_benchmark_responses(path, split, y_col_name):
    """Returns the Responses of those rows of response.tsv that a split file names."""
    header = next(read_table(path, "\t"))
    places = list(map(header.index, _response_columns(path, header, y_col_name)))
    chosen = [[row[place] for place in places]
              for _, row in response_rows(path, set(read_split(split)))]
    return _responses(path, y_col_name, list(zip(*chosen)) or [()] * len(places))


def _response_columns(path, header, y_col_name):
    names = identifiers(header)
    if not names or header.count(y_col_name) != 1:
        raise FileError(f"{path}: does not name drugs, cell lines and {y_col_name}")
    return [*names, y_col_name]


def _responses(path, y_col_name, columns, all_rows=False):
    *names, texts = columns
    values = _converted(texts, finite_number)
    kept = [value is not None for value in values]
    if all_rows and not all(kept):
        raise FileError(f"{path}: some rows have no number as {y_col_name}")
    if not any(kept):
        raise FileError(f"{path}: no row has a {y_col_name}")
    return Responses(*(list(compress(column, kept))
                       for column in (*_drugs_and_cells(names), values)))


def read_predictions(path, y_col_name=None, ids=False):
    """Returns the Predictions of a *_y_data_predicted.csv file; drugs and cells are None without
    `ids` or if the file does not have them.

    Columns are found by name: {y}_true and {y}_pred (y is the header's only such pair if
    `y_col_name` is None), and those of IDENTIFIERS. FileError: no such columns, no rows, a value
    that is not a finite number.
    """
    header = next(read_table(path, ","))
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
    drugs, cells = _drugs_and_cells(columns) if names else (None, None)
    return Predictions(*numbers, drugs, cells, y_col_name)


def identifiers(header):
    """Returns the columns of a table that name drugs and, last, cell lines; () without them."""
    return next((names for names in IDENTIFIERS
                 if all(header.count(name) == 1 for name in names)), ())


def _drugs_and_cells(columns):
    """Returns drug and cell line of each row; two drugs in either order are one treatment."""
    *drugs, cells = columns
    treatments = map(" + ".join, map(sorted, zip(*drugs))) if len(drugs) > 1 else drugs[0]
    return _converted(treatments), _converted(cells)


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


def read_scores(path):
    """Returns (scores, notes) of a score file: a dict of metric -> float, and a sentence for each
    value that is ignored, as it is no number, neither as JSON nor as text.

    null, NaN and infinity are a missing value of that metric, nan in the dict. FileError: not a
    JSON object, over 1 MB.
    """
    content = read_json(path, LARGEST)
    if not isinstance(content, dict):
        raise FileError(f"{path}: is not an object of names and numbers")
    scores, notes = {}, []
    for name, value in content.items():
        score = math.nan if value is None else _number(value)
        if score is None:
            file = os.path.basename(path)
            notes.append(f"{_shown(name)} in {file} is not a number and is ignored")
        else:
            scores[name] = score if math.isfinite(score) else math.nan
    return scores, notes


def has_finite_score(scores):
    """Says whether scores are those of a finished task: mse is finite, or any metric if there is
    no mse. Runner and collector both ask this function."""
    return any(map(math.isfinite, [scores["mse"]] if "mse" in scores else scores.values()))


def used_otherwise(directory, arguments):
    """Returns a sentence on true/false options that a stage took for the opposite, '' without any.

    improvelib writes the parameters that it used beside a stage's outputs. An option of its
    `"type": bool` takes every text for true: `--flag False` is True there, and nobody says so.
    directory: --output_dir of the stage; arguments: {option without --: value}
    """
    try:
        path = os.path.join(directory, "param_log_file.txt")
        with open(path, encoding="utf-8", errors="replace") as file:
            used = dict(SWITCH.findall(file.read(LARGEST)))
    except OSError:
        return ""
    found = [f"--{option} {given} was given, but {used[option]} was used"
             for option, given in arguments.items()
             if option in used and str(given).lower() in OPPOSITE[used[option]]]
    remedy = "set it in the model's INI file, or make its type str2bool"
    return f"{'; '.join(found)}: type bool takes every text for True; {remedy}" if found else ""
