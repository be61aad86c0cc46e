"""mean_effects: what drug and cell line alone say of a response, and what a model adds to it.

    train_y_data.csv -> read_training -> fit -> Effects
    Effects + drugs and cell lines of the test rows -> predict -> naive predictions
    truth, prediction, naive predictions -> naive_and_normalised
    truth, prediction, drugs -> group_correlations

Examples:
    effects = fit(*read_training("ml_data/gCSI-CCLE/split_0/train_y_data.csv", "auc"))
    naive = predict(effects, drugs, cells)
    naive_and_normalised(true, pred, naive)[1]["r2"]

Drugs differ more from each other in their mean response than models differ, so
a predictor that knows nothing but the names already has a high r2. What a model
has beyond that shows where the naive prediction is subtracted. Source: DrEval
(drevalpy), its NaiveMeanEffectsPredictor and its normalised metrics.
"""
import math
import sys
from collections import Counter, defaultdict
from itertools import compress
from operator import add, eq, itemgetter, mul, sub
from typing import NamedTuple

from improve_files import FileError, read_table, reading

DRUG, CELL = "improve_chem_id", "improve_sample_id"
FEWEST_ROWS = 5             # of a drug or cell line for a correlation within it
BLOCK = 1 << 16             # characters of a table at once; more is slower


class MissingColumns(FileError):
    """A table without the columns of drugs, cell lines or responses; columns: a list of their names."""

    def __init__(self, path, columns):
        super().__init__(f"{path}: needs one column each of {', '.join(columns)}")
        self.path, self.columns = path, columns


class Effects(NamedTuple):
    """A fitted mean-effects predictor, in the units of the response."""
    mean: float             # of all training rows
    drugs: dict             # drug -> mean of its training rows minus the mean of all
    cells: dict             # cell line -> likewise


# ---- the predictor

def fit(drugs, cells, values):
    """Returns the Effects of training rows: a drug, a cell line and a response each."""
    center = math.fsum(values) / len(values)
    return Effects(center, _effects(drugs, values, center), _effects(cells, values, center))


def _effects(names, values, center):
    groups = defaultdict(list)
    for name, value in zip(names, values):
        groups[name].append(value)
    return {name: math.fsum(group) / len(group) - center for name, group in groups.items()}


def predict(effects, drugs, cells):
    """Returns mean + drug effect + cell-line effect per row; an unseen name has no effect."""
    of_drug = {name: effects.mean + effects.drugs.get(name, 0.0) for name in set(drugs)}
    of_cell = {name: effects.cells.get(name, 0.0) for name in set(cells)}
    return list(map(add, map(of_drug.__getitem__, drugs), map(of_cell.__getitem__, cells)))


# ---- scores

def naive_and_normalised(true, pred, naive):
    """Returns (scores of the naive prediction, normalised scores of the prediction), two dicts.

    true, pred, naive: lists of one length. The first has the six metrics, the
    second r2, pcc and scc of truth and prediction after the naive prediction was
    subtracted from both (mse, rmse and mae do not change by that). nan where
    undefined. The same numbers as metrics.py gives, with less work: hundreds of
    files of 100,000 rows are scored at once.
    """
    truth, beyond = list(map(sub, true, naive)), list(map(sub, pred, naive))
    residual, errors = _squares(truth), list(map(sub, true, pred))
    centered = [_centered(column) for column in (true, naive, truth, beyond)]
    sums = list(map(_squares, centered))
    mse = residual / len(truth)
    of_naive = {"mse": mse, "rmse": math.sqrt(mse),
                "mae": math.fsum(map(abs, truth)) / len(truth),
                "pcc": _cosine(*centered[:2], *sums[:2]), "scc": spearman(true, naive),
                "r2": _r2(residual, sums[0])}
    return of_naive, {"r2": _r2(_squares(errors), sums[2]),
                      "pcc": _cosine(*centered[2:], *sums[2:]), "scc": spearman(truth, beyond)}


def _squares(values):
    return math.fsum(map(mul, values, values))


def _centered(values):
    """Returns the differences from the mean; exactly zero where all are the same."""
    if values[0] == values[-1] and min(values) == max(values):
        return [0.0] * len(values)
    center = math.fsum(values) / len(values)
    return [value - center for value in values]


def _r2(residual, total):
    return 1.0 - residual / total if total > 0 else math.nan


def _cosine(x, y, x_squares, y_squares):
    product = x_squares * y_squares
    return math.fsum(map(mul, x, y)) / math.sqrt(product) if product > 0 else math.nan


def pearson(x, y):
    """Returns Pearson's correlation of two sequences, nan where one is constant."""
    x, y = _centered(x), _centered(y)
    return _cosine(x, y, _squares(x), _squares(y))


def spearman(x, y):
    """Returns Spearman's correlation, ties at their mean rank; nan where one sequence is constant."""
    x, y = _doubled_ranks(x), _doubled_ranks(y)
    shift = len(x) * (len(x) - 1) ** 2      # of sums of products about the mean; exact integers
    covariance, x_squares, y_squares = (sum(map(mul, a, b)) - shift
                                        for a, b in ((x, y), (x, x), (y, y)))
    product = x_squares * y_squares
    return covariance / math.sqrt(product) if product else math.nan


def _doubled_ranks(values):
    """Returns twice each value's rank from 0, an integer with ties too; their mean is n - 1."""
    distinct = len(set(values))
    if 2 * distinct < len(values):
        return _ranks_by_value(values)
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0] * len(values)
    for rank, place in zip(range(0, 2 * len(values), 2), order):
        ranks[place] = rank
    if distinct < len(values):
        _level_ties(ranks, order, list(map(values.__getitem__, order)))
    return ranks


def _level_ties(ranks, order, ordered):
    """Gives equal values their mean rank. order: places in the order of their values, `ordered`."""
    runs = {}
    for rank in compress(range(1, len(ordered)), map(eq, ordered[1:], ordered)):
        runs.setdefault(ordered[rank], [rank - 1]).append(rank)
    for run in runs.values():
        for rank in run:
            ranks[order[rank]] = run[0] + run[-1]


def _ranks_by_value(values):
    """Does the same with less work where most values stand there more than once."""
    counts, below, rank_of = Counter(values), 0, {}
    for value in sorted(counts):
        rank_of[value] = 2 * below + counts[value] - 1
        below += counts[value]
    return list(map(rank_of.__getitem__, values))


def group_correlations(true, pred, names):
    """Returns {name: (rows, pcc of truth and prediction within its rows)}, sorted by name.

    names: a drug or cell line per row. Those with fewer than FEWEST_ROWS rows,
    or without a correlation (constant values), are left out.
    """
    places = defaultdict(list)
    for place, name in enumerate(names):
        places[name].append(place)
    found = {}
    for name, at in sorted(places.items()):
        if len(at) >= FEWEST_ROWS:
            rows_of = itemgetter(*at)
            found[name] = len(at), pearson(rows_of(true), rows_of(pred))
    return {name: pair for name, pair in found.items() if not math.isnan(pair[1])}


# ---- files

def read_training(path, y_col_name):
    """Returns (drugs, cells, values), lists, of a *_y_data.csv file; rows without a response are left out.

    MissingColumns: it does not name them; FileError: it cannot be read, or has no response.
    """
    drugs, cells, texts = read_columns(path, (DRUG, CELL, y_col_name))
    values = list(map(_number, texts))
    if None in values:
        kept = [place for place, value in enumerate(values) if value is not None]
        drugs, cells, values = ([column[place] for place in kept]
                                for column in (drugs, cells, values))
    if not values:
        raise FileError(f"{path}: no row has a {y_col_name}")
    return drugs, cells, values


def _number(text):
    """Returns a finite float, None for any other text."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def read_predicted(path, y_col_name):
    """Returns (true, pred, drugs, cells), lists, of a *_y_data_predicted.csv file.

    MissingColumns, FileError: as above, or a value that is no finite number.
    """
    *texts, drugs, cells = read_columns(
        path, (f"{y_col_name}_true", f"{y_col_name}_pred", DRUG, CELL))
    try:
        true, pred = (list(map(float, column)) for column in texts)
    except ValueError:
        raise FileError(f"{path}: holds a value that is not a number")
    if not true:
        raise FileError(f"{path}: holds no predictions, only a header")
    if not (all(map(math.isfinite, true)) and all(map(math.isfinite, pred))):
        raise FileError(f"{path}: holds a value that is not finite")
    return true, pred, drugs, cells


def read_columns(path, names):
    """Returns the texts of some columns of a comma-separated table, a list of texts each."""
    header = read_table(path, ",")[0]
    missing = [name for name in names if header.count(name) != 1]
    if missing:
        raise MissingColumns(path, missing)
    at = [header.index(name) for name in names]
    with reading(path), open(path, encoding="utf-8-sig") as file:
        file.readline()
        columns = _plain_columns(file, len(header), at)
    if columns is None:
        rows = list(read_table(path, ",")[1])
        columns = [[row[index] for row in rows] for index in at]
    return columns


def _plain_columns(file, width, at):
    """Returns the columns `at` of a file of `width` columns, cut at commas, which is faster than csv.

    None where there is a quote, which may hide a comma, an empty line, or one of
    another width, which is read_table's to name.
    """
    columns, step = [[] for _ in at], width + 1
    while True:
        text = file.read(BLOCK) + file.readline()
        if not text:
            return columns
        text += "" if text.endswith("\n") else "\n"
        words = text.replace("\n", ",\n,").split(",")     # each line: its words and a line end
        ends = words[width::step]
        if '"' in text or len(words) != len(ends) * step + 1 or set(ends) != {"\n"}:
            return None
        for column, index in zip(columns, at):
            column.extend(map(sys.intern, words[index:-1:step]))   # few names: later look-ups are faster
