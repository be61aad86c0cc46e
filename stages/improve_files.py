"""improve_files: reads and writes the file formats that IMPROVE models share.

    splits/*.txt                 row numbers of response.tsv    read_split
    response.tsv, *_y_data.csv   tables with a header           read_table
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
from array import array
from collections import namedtuple
from contextlib import contextmanager
from itertools import repeat

BLOCK = 1 << 16              # characters of a prediction file at once; more is slower
LARGEST_SCORES = 1 << 20     # bytes; a score file has about 200
LONGEST_ROW_NUMBER = 18      # digits; a longer one is no row number and slow to convert
BYTE_ORDER_MARK = b"\xef\xbb\xbf"   # some editors write it before the first line

SCORE_NAMES = ("mse", "rmse", "pcc", "scc", "r2")   # of a score file, in IMPROVE's order

Predictions = namedtuple("Predictions", "true pred drugs cells")


class FileError(Exception):
    """One sentence: the file and what is wrong with it."""


# ---- opening and replacing files

@contextmanager
def reading(path):
    """Turns what a bad file makes Python raise into FileError."""
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            raise FileError(f"{path}: is not a file")
        yield
    except UnicodeDecodeError:
        raise FileError(f"{path}: is not text (UTF-8)")
    except csv.Error as error:
        raise FileError(f"{path}: is not a table ({error})")
    except MemoryError:
        raise FileError(f"{path}: does not fit into memory")
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror or error})")
    except ValueError as error:   # such as a null character in the path itself
        raise FileError(f"{path!r}: cannot be read ({error})")


@contextmanager
def whole_file(path):
    """Yields a text file to write; `path` appears, or is replaced, when all of it is written."""
    # The random part keeps two nodes that write the same file apart; mkstemp's
    # files could be read by nobody but their owner.
    temporary = f"{path}.{os.urandom(4).hex()}.tmp"
    try:
        # surrogateescape: how Python keeps bytes of a path that are no UTF-8 (or of any
        # non-ASCII path, in 3.6 with LANG=C); they are written as they were
        with open(temporary, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            yield file
        os.replace(temporary, path)
    except OSError as error:
        raise FileError(f"{path}: cannot be written ({error.strerror or error})")
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def write_whole(path, text):
    """Writes `text` to `path` as UTF-8, all of it or nothing."""
    with whole_file(path) as file:
        file.write(text)


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


# ---- predictions

def read_predictions(path, y_col_name=None, ids=False):
    """Returns the Predictions of a *_y_data_predicted.csv file.

    true, pred: array('d') with one value a row; drugs, cells: lists of
    identifiers as long, or None where `ids` is off or the column is not there.
    Columns are found by name: {y}_true and {y}_pred (y is the header's only such
    pair where `y_col_name` is None), improve_chem_id, improve_sample_id.
    FileError: no such columns, no rows, a value that is not a finite number.
    """
    with reading(path):
        with open(path, encoding="utf-8-sig") as file:
            header = next(csv.reader([file.readline()]), [])
            names = _prediction_columns(path, header, y_col_name, ids)
            columns = _plain_columns(path, file, header, names)
        if columns is None:
            columns = _quoted_columns(path, header, names)
    true, pred = columns[0], columns[1]
    if not true:
        raise FileError(f"{path}: holds no predictions, only a header")
    found = dict(zip(names, columns))
    return Predictions(true, pred, found.get("improve_chem_id"), found.get("improve_sample_id"))


def _prediction_columns(path, header, y_col_name, ids):
    """Returns the names of the columns to read: true, pred and the identifiers asked for."""
    if y_col_name is None:
        y_col_name = _predicted_name(path, header)
    names = [f"{y_col_name}_true", f"{y_col_name}_pred"]
    for name in names:
        if header.count(name) != 1:
            raise FileError(f"{path}: has {header.count(name)} columns {name!r} instead of one")
    if ids:
        names += [name for name in ("improve_chem_id", "improve_sample_id") if name in header]
    return names


def _predicted_name(path, header):
    """Returns the only y of which the header has {y}_true and {y}_pred."""
    found = sorted({name[:-len("_true")] for name in header if name.endswith("_true")
                    and name[:-len("_true")] + "_pred" in header})
    if len(found) != 1:
        pairs = ", ".join(_shown(name) for name in found[:9]) or "none"
        raise FileError(f"{path}: needs one pair of columns NAME_true and NAME_pred, has {pairs}")
    return found[0]


def _plain_columns(path, file, header, names):
    """Returns the named columns of a file without quotes, None where there is a quote.

    Splitting lines at commas is several times faster than csv, and the
    collector reads hundreds of files of 100,000 rows.
    """
    columns = [array("d"), array("d")] + [[] for name in names[2:]]
    split = _line_splitter(header, [header.index(name) for name in names])
    line_number = 2
    while True:
        text = file.read(BLOCK) + file.readline()
        if not text:
            return columns
        if '"' in text:
            return None
        lines = text.split("\n")
        _check_widths(path, lines, len(header), line_number)
        texts = split(filter(None, lines))
        _extend(path, columns, texts)
        line_number += len(lines) - 1


def _check_widths(path, lines, width, first_line):
    commas = set(map(str.count, filter(None, lines), repeat(",")))
    if commas - {width - 1}:
        for number, line in enumerate(lines, first_line):
            if line and line.count(",") != width - 1:
                raise _wrong_width(path, number, line.count(",") + 1, width)


def _line_splitter(header, indices):
    """Returns a function: lines -> one list of texts per index, splitting no more than needed."""
    width, first, last = len(header), min(indices), max(indices)
    if width - first <= last + 1:    # nearer to the end of the line
        cuts, at = min(width - first, width - 1), [index - width for index in indices]
        cut = str.rsplit
    else:
        cuts, at, cut = last + 1, indices, str.split

    def split(lines):
        parts = [cut(line, ",", cuts) for line in lines]
        return [[part[index] for part in parts] for index in at]
    return split


def _extend(path, columns, texts):
    """Appends a block of texts to the columns, the first two as finite numbers."""
    for column, words in zip(columns, texts):
        if isinstance(column, list):
            column.extend(words)
        else:
            column.extend(_numbers(path, words, len(column)))


def _numbers(path, words, rows_before):
    try:
        numbers = array("d", map(float, words))
        # float() reads "1_0" as ten, which no writer of numbers means
        if all(map(math.isfinite, numbers)) and "_" not in "".join(words):
            return numbers
    except ValueError:
        pass
    row, word = next((row, word) for row, word in enumerate(words, rows_before + 1)
                     if not _is_finite_number(word))
    raise FileError(f"{path}: {_shown(word)} in row {row} is not a finite number")


def _is_finite_number(word):
    try:
        return math.isfinite(float(word)) and "_" not in word
    except ValueError:
        return False


def _quoted_columns(path, header, names):
    """Returns the named columns of a file in which some values are quoted."""
    columns = [array("d"), array("d")] + [[] for name in names[2:]]
    indices = [header.index(name) for name in names]
    rows = list(read_table(path, ",")[1])
    _extend(path, columns, [[row[index] for row in rows] for index in indices])
    return columns


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

    FileError: not an object of names and numbers, a name twice, nested too deeply, over 1 MB.
    """
    with reading(path):
        with open(path, "rb") as file:
            data = file.read(LARGEST_SCORES + 1)
        if len(data) > LARGEST_SCORES:
            raise FileError(f"{path}: is too large for a score file")
        try:
            # parse_int: a number of 10,000 digits is inf as a float, an error or slow as an int
            scores = json.loads(data.decode("utf-8-sig"), parse_int=float,
                                object_pairs_hook=_unique_names)
        except RecursionError:
            raise FileError(f"{path}: is nested too deeply")
        except ValueError as error:
            raise FileError(f"{path}: is not a JSON score file ({error})")
    return _checked_scores(path, scores)


def _unique_names(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{_shown(twice)} stands there twice")
    return dict(pairs)


def _checked_scores(path, scores):
    if not isinstance(scores, dict):
        raise FileError(f"{path}: is not an object of names and numbers")
    for name, value in scores.items():
        if not isinstance(value, float):
            raise FileError(f"{path}: the value of {_shown(name)} is not a number")
    return scores


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
