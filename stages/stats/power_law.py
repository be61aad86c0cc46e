"""power_law: alpha * m**beta + gamma fitted to medians by weighted least squares.

    values per (size, split) -> Points: medians and weights -> fit_curve -> Curve

For a given beta, alpha and gamma are a 2x2 linear problem with bounds; what is left is a search
over beta (variable projection). What a fit is worth is learning_curve's business.
"""
import math
import statistics
from typing import NamedTuple

STEEPEST, FLATTEST = 5.0, 0.005  # range of -beta searched
SEARCH = 40, 32  # points of -beta tried, evenly spaced in its logarithm, then steps of the golden section
LARGEST = 1e60  # errors beyond this, or below its inverse, are not taken for scores: their squares leave the floats


class Points(NamedTuple):
    """Medians to fit, by growing size; no weights where a size or a median is not above zero."""
    sizes: list
    values: list  # per size: one value a split, None where missing
    medians: list  # over splits, their levels set equal
    weights: list
    rest: list = []  # per size: logarithm of each value less those of its size and split, None where missing


class Curve(NamedTuple):
    """A weighted least-squares solution; u = size / largest size, so that powers stay in range."""
    scale: float  # alpha * largest**beta: the part above the asymptote at the largest size
    beta: float
    gamma: float
    largest: float
    sse: float  # weighted, the weights adding up to 1


def points_of(sizes, values_by_size):
    """Sizes with at least one value, smallest first."""
    rows = []
    for size, values in sorted(zip(sizes, values_by_size), key=lambda row: row[0]):
        values = [None if value is None or not abs(value) <= LARGEST else float(value) for value in values]
        if any(value is not None for value in values):
            rows.append((float(size), values))
    return weighed([size for size, _ in rows], [values for _, values in rows])


def weighed(sizes, values):
    medians = [median(row) for row in values]
    if not medians or sizes[0] <= 0 or min(medians) < 1 / LARGEST:
        return Points(sizes, values, medians, [])
    medians, rest = levelled(values)
    weights = [sum(value is not None for value in row) * size ** 0.25 * (min(medians) / middle) ** 2
               for size, row, middle in zip(sizes, values, medians)]
    total = sum(weights)
    return Points(sizes, values, medians, [weight / total for weight in weights], rest)


def levelled(values):
    """(medians over splits, rest) after the splits' levels are set to their median's: median polish (Tukey, 1977).

    A split is easier or harder than another at all sizes. Unless that is taken off, a median is the noise of the one
    split in the middle, and a split that lacks a size bends the curve. Twice over, as levels depend on the medians.
    """
    logs = [[math.log(value) if value and value > 0 else None for value in row] for row in values]
    splits, middles = range(max(map(len, logs))), [median(row) for row in logs]
    for _ in range(2):
        own = [[row[k] - middle for row, middle in zip(logs, middles) if k < len(row) and row[k] is not None]
               for k in splits]
        levels = [sum(part) / len(part) if part else None for part in own]
        center = median(levels)
        levels = [0.0 if level is None else level - center for level in levels]
        middles = [median([log - level for log, level in zip(row, levels) if log is not None]) for row in logs]
    rest = [[None if log is None else log - level - middle for log, level in zip(row, levels)]
            for row, middle in zip(logs, middles)]
    return [math.exp(middle) for middle in middles], rest


def part(points, first, last=None):
    return weighed(points.sizes[first:last], points.values[first:last])


def median(values):
    return statistics.median(value for value in values if value is not None)


def fit_curve(points):
    """Weighted least squares by variable projection (Golub and Pereyra, 1973).

    For a given beta, alpha and gamma are a 2x2 linear problem; what is left is a search over beta.
    """
    return search_beta(lambda beta: line_at(points, beta, True))


def search_beta(curve_at, search=SEARCH):
    """The best of curve_at(beta) over log(-beta): a grid, then a golden section around its best point."""
    low, high = math.log(FLATTEST), math.log(STEEPEST)
    step = (high - low) / (search[0] - 1)
    best = min((low + i * step for i in range(search[0])), key=lambda x: curve_at(-math.exp(x)).sse)
    low, high = max(low, best - step), min(high, best + step)
    ratio = (math.sqrt(5) - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    left_curve, right_curve = curve_at(-math.exp(left)), curve_at(-math.exp(right))
    for _ in range(search[1]):
        if left_curve.sse < right_curve.sse:
            high, right, right_curve = right, left, left_curve
            left = high - ratio * (high - low)
            left_curve = curve_at(-math.exp(left))
        else:
            low, left, left_curve = left, right, right_curve
            right = low + ratio * (high - low)
            right_curve = curve_at(-math.exp(right))
    return min(left_curve, right_curve, key=lambda curve: curve.sse)


def line_at(points, beta, with_asymptote):
    """Best alpha >= 0 and gamma >= 0 for this beta, gamma = 0 where with_asymptote is False."""
    largest = points.sizes[-1]
    x = [(size / largest) ** beta for size in points.sizes]
    intercept, slope, mean_y, ratio = regression(x, points.medians, points.weights)
    if not with_asymptote or intercept < 0:
        intercept, slope = 0.0, ratio
    elif slope < 0:
        intercept, slope = mean_y, 0.0
    sse = sum(w * (y - slope * v - intercept) ** 2 for w, y, v in zip(points.weights, points.medians, x))
    return Curve(slope, beta, intercept, largest, sse)


def regression(x, y, weights):
    """(intercept, slope, mean of y, slope through the origin) of y on x, the weights adding up to 1."""
    wx = [w * v for w, v in zip(weights, x)]
    mean_x, mean_xx = sum(wx), sum(a * v for a, v in zip(wx, x))
    mean_y, mean_xy = sum(w * v for w, v in zip(weights, y)), sum(a * v for a, v in zip(wx, y))
    spread = mean_xx - mean_x ** 2
    slope = (mean_xy - mean_x * mean_y) / spread if spread > 0 else 0.0
    return mean_y - slope * mean_x, slope, mean_y, mean_xy / mean_xx


def error_at(curve, size):
    return curve.scale * (size / curve.largest) ** curve.beta + curve.gamma
