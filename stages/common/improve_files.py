"""improve_files: reads and writes the file formats that IMPROVE models share.

    splits/*.txt                 row numbers of response.tsv    read_split
    response.tsv                 a table with a header          read_table
    *_y_data.csv                 responses of drugs and cells   read_responses
    *_y_data_predicted.csv       true and predicted values      read_predictions, write_predictions
    *_scores.json                name -> number                 read_scores, write_scores
    param_log_file.txt           name: value                    write_parameters

Examples:
    predictions = read_predictions("infer/gCSI-CCLE/split_0/test_y_data_predicted.csv")
    scores = read_scores("models/gCSI/split_0/val_scores.json")["mse"]

Whatever a file holds, a reader returns its content or raises FileError. A
writer leaves a whole file or the old one, never half a file.
"""
import csv
import json
import math
import os
from itertools import compress
from typing import NamedTuple, Optional

from common.files import FileError, reading, whole_file, write_whole
from common.tree_files import read_json

BLOCK = 1 << 16              # characters of a table at once; more is slower
LARGEST_SCORES = 1 << 20     # bytes; a score file has about 200
LONGEST_ROW_NUMBER = 18      # digits; a longer one is no row number and slow to convert
BYTE_ORDER_MARK = b"\xef\xbb\xbf"   # some editors write it before the first line

SCORE_NAMES = ("mse", "rmse", "pcc", "scc", "r2")   # of a score file, in IMPROVE's order

DRUG, CELL = "improve_chem_id", "improve_sample_id"   # columns of every table of responses


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


class MissingColumns(FileError):
    """A table without the columns of drugs, cell lines or responses; columns: a list of their names."""

    def __init__(self, path, columns):
        super().__init__(f"{path}: needs one column each of {', '.join(columns)}")
        self.path, self.columns = path, columns


# ---- splits

def read_split(path):
    """Returns the 0-based row numbers of a split file, in the file's order.

    One number a line. Windows line ends, blank lines and a missing final
    newline are accepted; any other line is a FileError that names it.
    """
    with reading(path), open(path, "rb") as file:
        data = file.read()
    if data.startswith(BYTE_ORDER_MARK):
        data = data[len(BYTE_ORDER_MARK):]
    lines = [line.strip() for line in data.split(b"\n")]
    for number, line in enumerate(lines, 1):
        if line and not (line.isdigit() and len(line) <= LONGEST_ROW_NUMBER):
            raise FileError(f"{path}: line {number} is {_shown(line)}, not a row number")
    return [int(line) for line in lines if line]


def _shown(text):
    """Returns a short printable form of a bad value."""
    if isinstance(text, bytes):
        text = text[:80].decode("ascii", "replace")
    return ascii(text if len(text) <= 40 else text[:37] + "...")


# ---- tables

def read_table(path, delimiter):
    """Returns (header, rows): a list of names and an iterator over lists of texts.

    Empty lines are skipped. A row of another width than the header is a
    FileError, raised when the iterator reaches it.
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
                raise _wrong_width(path, reader.line_num, len(row), len(header))


def _wrong_width(path, line_number, found, expected):
    return FileError(f"{path}: line {line_number} has {found} columns, the header {expected}")


# ---- columns of a table

class Column(dict):
    """The values of one column in `rows`; equal texts become one object, which makes later look-ups faster."""

    def __init__(self, convert=str):
        super().__init__()
        self.convert, self.rows = convert, []

    def __missing__(self, text):
        value = self[text] = self.convert(text)
        return value

    def extend(self, texts):
        self.rows.extend(map(self.__getitem__, texts))


def finite_number(text):
    """Returns a text as float, None if it is not a finite number."""
    try:
        number = float(text)
    except ValueError:
        return None
    # float() reads "1_0" as ten, which no writer of numbers means
    return number if math.isfinite(number) and "_" not in text else None


def read_columns(path, header, columns):
    """Reads some columns of a comma-separated table; FileError.

    columns: {name: Column}, names that the header has once.
    """
    at = [(column, header.index(name)) for name, column in columns.items()]
    with reading(path), open(path, encoding="utf-8-sig") as file:
        file.readline()
        if not _read_plain(file, len(header), at):
            rows = list(read_table(path, ",")[1])
            for column, index in at:
                column.rows = []
                column.extend(row[index] for row in rows)


def _read_plain(file, width, at):
    """Reads columns of a table of `width` columns, cut at commas, which is faster than csv.

    at: [(Column, its index)]. False if there is a quote, which may hide a comma,
    an empty line, or one of another width, which is read_table's to name. The
    collector reads hundreds of files of 100,000 rows.
    """
    step = width + 1
    while True:
        text = file.read(BLOCK) + file.readline()
        if not text:
            return True
        text += "" if text.endswith("\n") else "\n"
        words = text.replace("\n", ",\n,").split(",")     # each line: its words and a line end
        ends = words[width::step]
        if '"' in text or len(words) != len(ends) * step + 1 or set(ends) != {"\n"}:
            return False
        for column, index in at:
            column.extend(words[index:-1:step])


# ---- responses and predictions

def read_responses(path, y_col_name):
    """Returns the Responses of a *_y_data.csv file; rows without a response are left out.

    MissingColumns: drugs, cell lines or responses are not named; FileError: there is no response.
    """
    header, names = read_table(path, ",")[0], (DRUG, CELL, y_col_name)
    missing = [name for name in names if header.count(name) != 1]
    if missing:
        raise MissingColumns(path, missing)
    columns = dict(zip(names, (Column(), Column(), Column(finite_number))))
    read_columns(path, header, columns)
    rows = Responses(*(column.rows for column in columns.values()))
    if None in columns[y_col_name].values():
        kept = [value is not None for value in rows.values]
        rows = Responses(*(list(compress(column, kept)) for column in rows))
    if not rows.values:
        raise FileError(f"{path}: no row has a {y_col_name}")
    return rows


def read_predictions(path, y_col_name=None, ids=False):
    """Returns the Predictions of a *_y_data_predicted.csv file.

    true, pred: lists of one float a row; drugs, cells: lists of identifiers as
    long, or None if `ids` is off or there is not one such column. Columns are
    found by name: {y}_true and {y}_pred (y is the header's only such pair if
    `y_col_name` is None), improve_chem_id, improve_sample_id.
    FileError: no such columns, no rows, a value that is not a finite number.
    """
    header = read_table(path, ",")[0]
    if y_col_name is None:
        y_col_name = _predicted_name(path, header)
    numbers = [f"{y_col_name}_true", f"{y_col_name}_pred"]
    for name in numbers:
        if header.count(name) != 1:
            raise FileError(f"{path}: has {header.count(name)} columns {name!r} instead of one")
    columns = {name: Column(finite_number) for name in numbers}
    columns.update((name, Column()) for name in (DRUG, CELL) if ids and header.count(name) == 1)
    read_columns(path, header, columns)
    for name in numbers:
        _check_numbers(path, columns[name])
    drugs, cells = (columns[name].rows if name in columns else None for name in (DRUG, CELL))
    return Predictions(columns[numbers[0]].rows, columns[numbers[1]].rows, drugs, cells, y_col_name)


def _check_numbers(path, column):
    """Refuses a column without rows, or with a value that is not a finite number."""
    if not column.rows:
        raise FileError(f"{path}: holds no predictions, only a header")
    wrong = next((text for text, value in column.items() if value is None), None)
    if wrong is not None:
        raise FileError(f"{path}: {_shown(wrong)} in row {column.rows.index(None) + 1} is not a finite number")


def _predicted_name(path, header):
    """Returns the only y of which the header has {y}_true and {y}_pred."""
    found = sorted({name[:-len("_true")] for name in header if name.endswith("_true")
                    and name[:-len("_true")] + "_pred" in header})
    if len(found) != 1:
        pairs = ", ".join(_shown(name) for name in found[:9]) or "none"
        raise FileError(f"{path}: needs one pair of columns NAME_true and NAME_pred, has {pairs}")
    return found[0]


def write_predictions(path, header, rows, y_col_name, true, pred):
    """Writes the response columns plus {y}_true and {y}_pred, rounded to 4 decimals.

    header: the response columns' names; rows: their values, lists of texts;
    true, pred: one number a row.
    """
    with whole_file(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(list(header) + [f"{y_col_name}_true", f"{y_col_name}_pred"])
        writer.writerows(list(row) + [round(t, 4), round(p, 4)]
                         for row, t, p in zip(rows, true, pred))


# ---- scores

def read_scores(path):
    """Returns a score file as a dict of name -> float; the bare token NaN is a nan.

    FileError: not an object of names and numbers, a name twice, over 1 MB.
    """
    # parse_int: a number of 10,000 digits is inf as a float, an error or slow as an int
    scores = read_json(path, LARGEST_SCORES, parse_int=float, object_pairs_hook=_unique_names)
    if not isinstance(scores, dict):
        raise FileError(f"{path}: is not an object of names and numbers")
    for name, value in scores.items():
        if not isinstance(value, float):
            raise FileError(f"{path}: the value of {_shown(name)} is not a number")
    return scores


def _unique_names(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{_shown(twice)} is in it twice")
    return dict(pairs)


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
