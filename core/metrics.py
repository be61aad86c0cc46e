"""metrics: how far predicted responses are from measured ones.

    true, pred -> regression_scores -> {mse, rmse, mae, pcc, scc, r2}

Sums are math.fsum over differences from the mean: exact to the last bit, and the same under every
Python (sum() of floats changed in Python 3.12).
"""
import math
from collections import Counter
from operator import mul, sub

METRICS = {              # name -> direction of better
    "mse": "lower",      # mean squared error
    "rmse": "lower",     # its root, in units of the response
    "mae": "lower",      # mean absolute error
    "pcc": "higher",     # Pearson's correlation
    "scc": "higher",     # Spearman's correlation, ties at their average rank
    "r2": "higher",      # 1 - residual / total sum of squares; no upper limit to how bad
}
# Of classification, as IMPROVE's score files name them.
OF_CLASSES = ("acc", "bacc", "f1", "precision", "recall", "kappa", "roc_auc", "aupr")
DIRECTIONS = {**METRICS, **dict.fromkeys(OF_CLASSES, "higher")}


def direction(name):
    """Returns which value of a metric is better, 'lower' (also if its name ends in loss or error)
    or 'higher'; None if it is not known. A name may carry its direction, as in gain:higher."""
    start, _, given = name.rpartition(":")
    if start and given in ("lower", "higher"):
        return given
    return "lower" if name.endswith(("loss", "error")) else DIRECTIONS.get(name)


def lower_is_better(name):
    """Says whether a smaller value of a metric is better; ValueError for an unknown name."""
    if direction(name) is None:
        raise ValueError(f"unknown metric {name!r}, one of {', '.join(DIRECTIONS)}")
    return direction(name) == "lower"


def in_order(names):
    """Returns names of metrics once each: of regression, of classification, then others by name."""
    names = set(names)
    return [name for name in DIRECTIONS if name in names] + sorted(names.difference(DIRECTIONS))


def regression_scores(true, pred):
    """Returns a dict of the six METRICS of two lists of numbers, in their order, as floats.

    nan if undefined: all six without rows or with a nan among the values; correlations and r2 below
    two rows, or out of the range of floats; correlations of constants; r2 of a constant truth.
    ValueError: different lengths.
    """
    if len(true) != len(pred):
        raise ValueError(f"{len(true)} true values but {len(pred)} predictions")
    errors = list(map(sub, true, pred))
    residual = squares(errors)
    if not errors or math.isnan(residual):
        return dict.fromkeys(METRICS, math.nan)
    mse, truth = residual / len(errors), deviations(true)
    spread = squares(truth)
    found = {"mse": mse, "rmse": math.sqrt(mse),
             "pcc": _correlation(truth, deviations(pred)),
             "scc": _correlation(deviations(ranks_of(true)), deviations(ranks_of(pred))),
             "r2": 1.0 - residual / spread if spread > 0 else math.nan, **left_out(true, pred)}
    return {name: found[name] for name in METRICS}


def left_out(true, pred):
    """Returns the metrics that IMPROVE's score files leave out, of two lists of numbers."""
    return {"mae": total(map(abs, map(sub, true, pred))) / len(true)}


def ranks_of(values):
    """Returns ranks from 1 (smallest) of a list of numbers; equal values share their mean rank."""
    counts, ranks, smaller = Counter(values), {}, 0
    for value in sorted(counts):
        ranks[value] = smaller + (counts[value] + 1) / 2
        smaller += counts[value]
    return list(map(ranks.__getitem__, values))


def mean(values):
    """Returns the mean of numbers; that of equal numbers is the number, without rounding."""
    if values[0] == values[-1] and min(values) == max(values):
        return values[0]
    return total(values) / len(values)


def deviations(values):
    """Returns each value's difference from the mean."""
    center = mean(values) if values else 0.0
    return [value - center for value in values]


def _correlation(dx, dy):
    """Returns Pearson's correlation of two lists, given as deviations from their means."""
    product = squares(dx) * squares(dy)
    if not 0 < product < math.inf:      # constant, or out of the range of floats
        return math.nan
    return min(max(total(map(mul, dx, dy)) / math.sqrt(product), -1.0), 1.0)


def squares(values):
    """Returns the sum of squares."""
    return total(map(mul, values, values))


def total(values):
    """Returns the exactly rounded sum; inf or nan if it leaves the range of floats."""
    try:
        return math.fsum(values)
    except OverflowError:
        return math.inf
    except ValueError:      # inf - inf
        return math.nan
