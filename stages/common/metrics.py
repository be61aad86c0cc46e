"""metrics: how far predicted responses are from measured ones.

    true, pred -> regression_scores -> {mse, rmse, mae, pcc, scc, r2}

Examples:
    scores = regression_scores(predictions.true, predictions.pred)
    best = min(values) if lower_is_better("mse") else max(values)

Sums are math.fsum over differences from the mean: exact to the last bit, and
the same under every Python (sum() of floats changed in Python 3.12).
"""
import math
from array import array
from collections import Counter
from itertools import compress
from operator import eq, itemgetter, mul, sub
from typing import NamedTuple

METRICS = {              # name -> direction of better
    "mse": "lower",      # mean squared error
    "rmse": "lower",     # its root, in units of the response
    "mae": "lower",      # mean absolute error
    "pcc": "higher",     # Pearson's correlation
    "scc": "higher",     # Spearman's correlation, ties at their average rank
    "r2": "higher",      # 1 - residual / total sum of squares; no upper limit to how bad
}
EXACT = 300000           # ranks whose products add up to less than 2**53: any sum of them is exact
# Of classification, as IMPROVE's score files name them.
OF_CLASSES = dict.fromkeys(("acc", "bacc", "f1", "precision", "recall", "kappa", "roc_auc", "aupr"), "higher")


def direction(name):
    """Returns 'lower' or 'higher', whichever value of a metric is better; None for a name that is not known here."""
    return METRICS.get(name) or OF_CLASSES.get(name)


def lower_is_better(name):
    """Says whether a smaller value of a metric is better; ValueError for an unknown name."""
    if direction(name) is None:
        raise ValueError(f"unknown metric {name!r}, one of {', '.join([*METRICS, *OF_CLASSES])}")
    return direction(name) == "lower"


def in_order(names):
    """Returns names of metrics without repeats: those of regression, of classification, then unknown ones by name."""
    known = [*METRICS, *OF_CLASSES]
    return sorted(set(names), key=lambda name: (known.index(name) if name in known else len(known), name))


class Centered(NamedTuple):
    """A column of numbers without its mean."""
    deviations: list        # from the mean
    squares: float          # their sum


def centered(values):
    deviations = _deviations(values)
    return Centered(deviations, _squares(deviations))


class Rows(NamedTuple):
    """True, predicted and naively predicted responses as columns, and their differences: many scores need the same ones."""
    true: list
    pred: list
    errors: list            # true - pred
    truth: list             # true - naive
    beyond: list            # pred - naive


def rows_of(true, pred, naive):
    return Rows(true, pred, list(map(sub, true, pred)), list(map(sub, true, naive)), list(map(sub, pred, naive)))


def regression_scores(true, pred, errors=None, truth=None):
    """Returns a dict of the six METRICS, in their order, as floats.

    true, pred: numbers in two sequences of equal length. errors: true - pred, truth: centered(true), if they are
    known. nan if undefined:
    all six without rows or with a nan among the values; correlations and r2 below
    two rows; correlations of constants; r2 of a constant truth.
    ValueError: different lengths.
    """
    if len(true) != len(pred):
        raise ValueError(f"{len(true)} true values but {len(pred)} predictions")
    true, pred = list(true), list(pred)      # an array would make each number anew in every pass
    errors = errors or list(map(sub, true, pred))
    residual = _squares(errors)
    if not errors or math.isnan(residual):
        return dict.fromkeys(METRICS, math.nan)
    mse, truth = residual / len(errors), truth or centered(true)
    return {"mse": mse, "rmse": math.sqrt(mse), "mae": _total(map(abs, errors)) / len(errors),
            "pcc": _cosine(truth, centered(pred)), "scc": spearman(true, pred), "r2": _r2(residual, truth.squares)}


def normalised_scores(rows):
    """Returns {r2, pcc, scc} of truth and prediction of Rows after a naive prediction was subtracted from both.

    nan if undefined. mse, rmse and mae do not change by that.
    """
    truth = centered(rows.truth)
    return {"r2": r_squared(rows.errors, truth), "pcc": _cosine(truth, centered(rows.beyond)),
            "scc": spearman(rows.truth, rows.beyond)}


def r_squared(errors, truth):
    """Returns 1 - residual / total sum of squares; nan without rows or if the truth, a Centered, is constant."""
    return _r2(_squares(errors), truth.squares)


def mean_absolute_error(true, pred):
    """Returns the mean of |true - pred|; inf or nan if it leaves the range of floats."""
    return _total(map(abs, map(sub, true, pred))) / len(true)


def pearson(x, y):
    """Returns Pearson's correlation of two sequences, nan if one is constant."""
    return _cosine(centered(x), centered(y))


def spearman(x, y):
    """Returns Spearman's correlation: Pearson's of the ranks, nan if one is constant."""
    (dx, x_squares), (dy, y_squares) = _rank_deviations(x), _rank_deviations(y)
    product = float(x_squares) * float(y_squares)
    total = sum if len(dx) <= EXACT else _total     # three times as fast
    return max(-1.0, min(1.0, total(map(mul, dx, dy)) / math.sqrt(product))) if product > 0 else math.nan


def ranks_of(values):
    """Returns ranks from 1 (smallest) of a list of numbers; equal values share their mean rank."""
    return [(deviation + len(values) + 1) / 2 for deviation in _rank_deviations(values)[0]]


def _cosine(x, y):
    """Returns the correlation of two Centered columns."""
    dx, dy, product = x.deviations, y.deviations, x.squares * y.squares
    if not 1e-200 < product < 1e200:    # squares that left the range of floats, or nearly so
        dx, dy = _scaled(dx), _scaled(dy)
        product = _squares(dx) * _squares(dy)
    if not product > 0:
        return math.nan
    correlation = _total(map(mul, dx, dy)) / math.sqrt(product)
    return correlation if math.isnan(correlation) else max(-1.0, min(1.0, correlation))


def _r2(residual, total):
    return 1.0 - residual / total if total > 0 else math.nan


def _deviations(values):
    """Returns each value's difference from the mean."""
    # A constant is exactly zero: three times 0.1 has a mean that is not 0.1
    if not values or values[0] == values[-1] and min(values) == max(values):
        return [0.0] * len(values)
    center = _total(values) / len(values)
    return [value - center for value in values]


def _rank_deviations(values):
    """Returns (twice each value's difference from the mean rank, the sum of their squares); equal values share their mean rank.

    Twice, so that all are whole numbers, whose sums are exact.
    """
    count, sample = len(values), values[::4]
    if len(set(sample)) < 0.85 * len(sample):
        return _by_value(values)
    order, ranked = sorted(range(count), key=values.__getitem__), list(range(1 - count, count, 2))
    squares = _squares_of_ranks(count)
    for start, end in _equal(itemgetter(*order)(values) if count > 1 else ()):
        ranked[start:end] = [start + end - count] * (end - start)
        squares -= _squares_of_ranks(end - start)
    deviations = array("d", bytes(8 * count))       # objects made in another order than they are read in miss the cache
    for place, deviation in zip(order, ranked):
        deviations[place] = deviation
    return deviations, squares


def _squares_of_ranks(count):
    """Returns the sum of squares of 1 - count, 3 - count, ... count - 1."""
    return (count ** 3 - count) // 3


def _equal(ordered):
    """Yields (start, end) of each run of equal values in a sorted sequence."""
    end = 0
    for at in compress(range(len(ordered)), map(eq, ordered, ordered[1:])):
        if at >= end:
            end = at + 2
            while end < len(ordered) and ordered[end] == ordered[at]:
                end += 1
            yield at, end


def _by_value(values):
    """Returns deviations and sum of squares as _rank_deviations, which is quicker if most values occur more than once."""
    counts, below, squares, deviation = Counter(values), -len(values), 0, {}
    for value in sorted(counts):
        count = counts[value]
        deviation[value] = float(below + count)
        squares += count * (below + count) ** 2
        below += 2 * count
    return list(map(deviation.__getitem__, values)), squares


def _scaled(deviations):
    """Returns the deviations divided by the largest, so that no square overflows."""
    largest = max(map(abs, deviations), default=0)
    return [deviation / largest for deviation in deviations] if largest else deviations


def _squares(values):
    return _total(map(mul, values, values))


def _total(values):
    """Returns the exactly rounded sum; inf or nan if it leaves the range of floats."""
    try:
        return math.fsum(values)
    except OverflowError:
        return math.inf
    except ValueError:      # inf - inf
        return math.nan
