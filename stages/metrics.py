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
    without rows; everywhere where a value is nan; correlations and r2 below two rows; correlations of constants;
    r2 of a constant truth. ValueError: different lengths.
    """
    if len(true) != len(pred):
        raise ValueError(f"{len(true)} true values but {len(pred)} predictions")
    errors = list(map(sub, true, pred))
    residual = _total(map(mul, errors, errors))
    if math.isnan(residual):
        return dict.fromkeys(METRICS, math.nan)
    mse = residual / len(errors) if errors else math.nan
    return {"mse": mse, "rmse": math.sqrt(mse), "mae": _mean(list(map(abs, errors))),
            "pcc": pearson(true, pred), "scc": spearman(true, pred),
            "r2": _r2(true, residual)}


def pearson(x, y):
    """Returns Pearson's correlation of two sequences, nan where one is constant."""
    if _is_constant(x) or _is_constant(y):
        return math.nan
    return _cosine(_deviations(x), _deviations(y))


def spearman(x, y):
    """Returns Spearman's correlation: Pearson's of the ranks, nan where one is constant."""
    if _is_constant(x) or _is_constant(y):
        return math.nan
    return _cosine(_rank_deviations(x), _rank_deviations(y))


def _cosine(dx, dy):
    """Returns the correlation of two lists of differences from their means."""
    product = _total(map(mul, dx, dx)) * _total(map(mul, dy, dy))
    if not 1e-200 < product < 1e200:    # squares that left the range of floats, or nearly so
        dx, dy = _scaled(dx), _scaled(dy)
        product = _total(map(mul, dx, dx)) * _total(map(mul, dy, dy))
    if not product > 0:
        return math.nan
    correlation = _total(map(mul, dx, dy)) / math.sqrt(product)
    return correlation if math.isnan(correlation) else max(-1.0, min(1.0, correlation))


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


def _r2(true, residual):
    if _is_constant(true):
        return math.nan
    deviations = _deviations(true)
    total = _total(map(mul, deviations, deviations))
    return 1.0 - residual / total if total > 0 else math.nan


def _is_constant(values):
    # Fewer than two rows count too; so does nan, which has no order.
    return len(values) < 2 or not min(values) < max(values)


def _deviations(values):
    center = _mean(values)
    return [value - center for value in values]


def _scaled(deviations):
    """Returns the deviations divided by the largest, so that no square overflows."""
    largest = max(map(abs, deviations))
    return [deviation / largest for deviation in deviations] if largest else deviations


def _mean(values):
    return _total(values) / len(values) if len(values) else math.nan


def _total(values):
    """Returns the exactly rounded sum; inf or nan where it leaves the range of floats."""
    try:
        return math.fsum(values)
    except OverflowError:
        return math.inf
    except ValueError:      # inf - inf
        return math.nan
