"""metrics: how far predicted responses are from measured ones.

    true, pred -> regression_scores -> {mse, rmse, mae, pcc, scc, r2}

Examples:
    scores = regression_scores(predictions.true, predictions.pred)
    best = min(values) if lower_is_better("mse") else max(values)

Sums are math.fsum over differences from the mean: exact to the last bit, and
the same under every Python (sum() of floats changed in Python 3.12).
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


def lower_is_better(name):
    """Tells whether a smaller value of a metric is better; ValueError for an unknown name."""
    if name not in METRICS:
        raise ValueError(f"unknown metric {name!r}, one of {', '.join(METRICS)}")
    return METRICS[name] == "lower"


def regression_scores(true, pred):
    """Returns a dict of the six METRICS, in their order, as floats.

    true, pred: numbers in two sequences of equal length. nan where undefined:
    all six without rows or where a value is nan; correlations and r2 below two
    rows; correlations of constants; r2 of a constant truth.
    ValueError: different lengths.
    """
    if len(true) != len(pred):
        raise ValueError(f"{len(true)} true values but {len(pred)} predictions")
    true, pred = list(true), list(pred)      # an array would make each number anew in every pass
    errors = list(map(sub, true, pred))
    residual = _squares(errors)
    if not errors or math.isnan(residual):
        return dict.fromkeys(METRICS, math.nan)
    mse, deviations = residual / len(errors), _deviations(true)
    return {"mse": mse, "rmse": math.sqrt(mse), "mae": _total(map(abs, errors)) / len(errors),
            "pcc": _cosine(deviations, _deviations(pred)), "scc": spearman(true, pred),
            "r2": _r2(deviations, residual)}


def pearson(x, y):
    """Returns Pearson's correlation of two sequences, nan where one is constant."""
    return _cosine(_deviations(x), _deviations(y))


def spearman(x, y):
    """Returns Spearman's correlation: Pearson's of the ranks, nan where one is constant."""
    return _cosine(_rank_deviations(x), _rank_deviations(y))


def _cosine(dx, dy):
    """Returns the correlation of two lists of differences from their means."""
    product = _squares(dx) * _squares(dy)
    if not 1e-200 < product < 1e200:    # squares that left the range of floats, or nearly so
        dx, dy = _scaled(dx), _scaled(dy)
        product = _squares(dx) * _squares(dy)
    if not product > 0:
        return math.nan
    correlation = _total(map(mul, dx, dy)) / math.sqrt(product)
    return correlation if math.isnan(correlation) else max(-1.0, min(1.0, correlation))


def _r2(deviations, residual):
    total = _squares(deviations)
    return 1.0 - residual / total if total > 0 else math.nan


def _deviations(values):
    """Returns each value's difference from the mean."""
    if not values or min(values) == max(values):
        return [0.0] * len(values)      # exactly: three times 0.1 has a mean that is not 0.1
    center = _total(values) / len(values)
    return [value - center for value in values]


def _rank_deviations(values):
    """Returns each value's rank minus the mean rank; equal values share their mean rank.

    By distinct values, not rows: predictions are rounded to 4 decimals, so a
    file of 100,000 rows has some 10,000 of them to sort.
    """
    counts, below, deviation = Counter(values), 0, {}
    for value in sorted(counts):
        deviation[value] = below + (counts[value] - len(values)) / 2
        below += counts[value]
    return list(map(deviation.__getitem__, values))


def _scaled(deviations):
    """Returns the deviations divided by the largest, so that no square overflows."""
    largest = max(map(abs, deviations), default=0)
    return [deviation / largest for deviation in deviations] if largest else deviations


def _squares(values):
    return _total(map(mul, values, values))


def _total(values):
    """Returns the exactly rounded sum; inf or nan where it leaves the range of floats."""
    try:
        return math.fsum(values)
    except OverflowError:
        return math.inf
    except ValueError:      # inf - inf
        return math.nan
