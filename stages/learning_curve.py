"""learning_curve: how the error falls with the size of the training set, and what more data would buy.

values per (size, split) --> median over splits --> three-parameter power law --> Fit
                        \\-> curve falls at all?  asymptote told by these sizes?  back-test, bootstrap over splits

Examples:
    fit = fit_power_law([128, 256, 512, 1024, 2048], [[.31, .30], [.26, .27], [.23, .22], [.20, .20], [.18, .19]])
    fit.gain_percent                                # what twice the data would take off the error
    [predict(fit, m) for m in (2048, 4096)]         # the curve itself
    csv_row("gCSI", "mae", fit)                     # a line under CSV_COLUMNS

The law is error(m) = alpha * m**beta + gamma with alpha >= 0, beta < 0, gamma >= 0, for error metrics (mae, rmse, mse).
Source of the law and of weights that grow with m: Partin et al., BMC Bioinformatics 22:252 (2021).
"""
import math
import random
from typing import NamedTuple, Optional, Tuple

import significance
from power_law import (ROUGH_SEARCH, Curve, error_at, fit_curve, line_at, median, part, points_of, regression,
                       search_beta)

ENOUGH_SIZES = 5  # fewer: a warning; the smallest sizes are never left out below this
FEWEST_SIZES = 3  # fewer: three parameters are not determined
FALL_LEVEL = 0.01  # chance to call a flat curve a falling one
ASYMPTOTE_LEVEL = 0.05  # one-sided: chance to call an asymptote identified that is not there
LACK_OF_FIT_LEVEL = 0.01  # chance to leave out a size for no reason
RESOLUTION = 1e-4  # relative: deviations below this are never taken for a lack of fit (scores have about 4 digits)
RESAMPLES = 200  # bootstrap resamples of the splits
FARTHEST = 1e6  # a size needed beyond this many times the full size is not given as a number

CSV_COLUMNS = ("source", "metric", "alpha", "beta", "gamma", "r2", "sizes", "full_size", "predicted_full",
               "predicted_twice", "gain_percent", "size_for_10_percent_less", "size_note", "asymptote_identified",
               "asymptote_reason", "backtest_error_percent", "twice_sampling_error_only_low",
               "twice_sampling_error_only_high", "usable", "warning")


class Fit(NamedTuple):
    """A fitted learning curve; errors in the metric's unit. Every number is None where `usable` is False."""
    alpha: Optional[float]
    beta: Optional[float]
    gamma: Optional[float]
    r2: Optional[float]  # weighted, of the medians that were fitted
    n_sizes: int  # sizes fitted: the largest ones
    full_size: float
    predicted_full: Optional[float]  # error at full_size
    predicted_twice: Optional[float]  # error at 2 * full_size
    gain_percent: Optional[float]  # what doubling the data takes off the error at full_size
    size_needed: Optional[float]  # for an error 10 % below predicted_full; None where size_note says why
    size_note: str
    asymptote_identified: bool
    asymptote_reason: str
    backtest_percent: Optional[float]  # error predicted at the largest size without it, against the median there
    sampling_full: Optional[Tuple[float, float]]  # 95 % bootstrap band at full_size: sampling error of the splits
    sampling_twice: Optional[Tuple[float, float]]  # only, says nothing about whether the law holds out there
    usable: bool
    warning: str  # '' or sentences


def fit_power_law(sizes, values_by_size, full_size=None, resamples=RESAMPLES, seed=0):
    """Fit the law to the median over splits: sizes (m > 0), values_by_size[i][k] the error of split k at sizes[i].

    None and nan are missing values; shorter lists lack their last splits. `full_size` is the whole training set, by
    default the largest size. `resamples=0` skips the bootstrap. Returns a Fit; never raises on bad values: a curve that
    is too short, not positive or does not fall comes back with usable=False and a warning that says so.

    Weights: splits_there * m**(1/4) / median**2. The noise of a score is about a constant percentage of it, hence
    1 / median**2, which grows with m as the error falls; m**(1/4) adds to it since the law holds for large m.
    Small sizes at which the curve has not reached its power-law phase are left out (`settled_curve`).
    """
    points = points_of(sizes, values_by_size)
    full_size = float(full_size or (points.sizes[-1] if points.sizes else 0))
    problem = _problem(points)
    if problem:
        return _unusable(len(points.sizes), full_size, problem)
    curve, used, fits_well = settled_curve(points)
    note, needed = _size_needed(curve, full_size)
    identified, reason = _asymptote(curve, used)
    band = _sampling_bands(curve, used, (full_size, 2 * full_size), resamples, seed)
    full, twice = error_at(curve, full_size), error_at(curve, 2 * full_size)
    return Fit(
        alpha=curve.scale * curve.largest ** -curve.beta, beta=curve.beta, gamma=curve.gamma, r2=_r2(curve, used),
        n_sizes=len(used.sizes), full_size=full_size, predicted_full=full, predicted_twice=twice,
        gain_percent=100 * (1 - twice / full), size_needed=needed, size_note=note, asymptote_identified=identified,
        asymptote_reason=reason, backtest_percent=_backtest(points), sampling_full=band[0], sampling_twice=band[1],
        usable=True, warning=_warnings(curve, points, used, fits_well))


def predict(fit, m):
    """Error that `fit` predicts for a training set of size m; None where the fit is not usable."""
    return fit.alpha * m ** fit.beta + fit.gamma if fit.usable else None


def csv_row(source, metric, fit):
    """`fit` as texts in the order of CSV_COLUMNS, six significant digits, '' where there is no number."""
    low, high = fit.sampling_twice or (None, None)
    row = (source, metric, fit.alpha, fit.beta, fit.gamma, fit.r2, fit.n_sizes, fit.full_size, fit.predicted_full,
           fit.predicted_twice, fit.gain_percent, fit.size_needed, fit.size_note, fit.asymptote_identified,
           fit.asymptote_reason, fit.backtest_percent, low, high, fit.usable, fit.warning)
    return ["" if cell is None else "{:.6g}".format(cell) if isinstance(cell, float) else str(cell) for cell in row]


def _problem(points):
    """Why no curve can be fitted, as a sentence, or ''."""
    if len(points.sizes) < FEWEST_SIZES:
        return "No fit: {} sizes with a score, at least {} are needed.".format(len(points.sizes), FEWEST_SIZES)
    if not points.weights:
        return "No fit: the power law is for sizes and errors above zero."
    if _fall_p(points) > FALL_LEVEL:
        return "No fit: the error does not clearly fall with the size of the training set ({:.3g} at {:.0f}, {:.3g} " \
               "at {:.0f}).".format(points.medians[0], points.sizes[0], points.medians[-1], points.sizes[-1])
    return ""


def _fall_p(points):
    """p value of the falling law against a constant: F test with the residuals and the noise within splits pooled."""
    curve = fit_curve(points)
    if not curve.scale:
        return 1.0
    level = sum(w * y for w, y in zip(points.weights, points.medians))
    constant = Curve(0.0, curve.beta, level, curve.largest, 0.0)
    rest, freedom = _noise_within_splits(points.values)
    left = _deviations(curve, points)
    freedom += len(points.sizes) - 3
    if freedom < 3:  # one split and few sizes: next to nothing to test with, so the medians have to be in order
        return 0.0 if points.medians == sorted(points.medians, reverse=True) else 1.0
    noise = max((rest + left) / freedom, RESOLUTION ** 2)
    return significance.f_test_p((_deviations(constant, points) - left) / 2 / noise, 2, freedom)


def _noise_within_splits(values):
    """(sum of squares, degrees of freedom) of relative noise, from the steps between neighbouring sizes.

    A split is easier or harder than another at all sizes; that level cancels in its steps, which vary twice as much
    as a value does.
    """
    squares, freedom = 0.0, 0
    for row, following in zip(values, values[1:]):
        steps = [math.log(b) - math.log(a) for a, b in zip(row, following) if a and b and a > 0 and b > 0]
        if steps:
            squares += _sum_of_squares(steps) / 2
            freedom += len(steps) - 1
    return squares, freedom


def _sum_of_squares(values):
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values)


def _deviations(curve, points):
    """Sum of squared relative deviations of the medians from the curve, in units of the variance of one value."""
    counts = [sum(value is not None for value in row) for row in points.values]
    # A median of k values varies at most pi / 2 times as much as their mean.
    return sum(count / (math.pi / 2) * (y / error_at(curve, size) - 1) ** 2
               for count, y, size in zip(counts, points.medians, points.sizes))


def settled_curve(points):
    """(curve, points used, fits well): the law fitted to all sizes but those too small for it.

    Learning curves begin with a plateau that the power law does not describe, and points there spoil the extrapolation
    (Partin 2021 leaves them out by hand). Here the smallest size is left out as long as the deviations from the curve
    are larger than the spread between splits explains: the F test for lack of fit against pure error (Draper and Smith,
    Applied Regression Analysis, 1998, section 2.1). At least ENOUGH_SIZES sizes are kept.
    """
    for first in range(max(1, len(points.sizes) - ENOUGH_SIZES + 1)):
        used = part(points, first)
        curve = fit_curve(used)
        if _lack_of_fit_p(curve, used) > LACK_OF_FIT_LEVEL:
            return curve, used, True
    return curve, used, False


# What the fit is worth

def _lack_of_fit_p(curve, points):
    """p value of the deviations of the medians against the spread between splits; 1 where that cannot be told."""
    freedom = len(points.sizes) - 3
    rows = [[value / middle for value in row if value is not None]
            for row, middle in zip(points.values, points.medians)]
    pure_freedom = sum(len(row) - 1 for row in rows)
    if freedom < 1 or pure_freedom < 1:
        return 1.0
    noise = max(sum(_sum_of_squares(row) for row in rows) / pure_freedom, RESOLUTION ** 2)
    return significance.f_test_p(_deviations(curve, points) / freedom / noise, freedom, pure_freedom)


def _asymptote(curve, points):
    """(identified, reason): do these sizes tell gamma from a curve that never levels off?

    The rivals have no asymptote: the power law with gamma = 0, and the logarithmic curve a - b log(m) that the law
    turns into as beta goes to 0. gamma is identified where both fit worse than chance allows: the profile t test of
    gamma = 0 (Bates and Watts, Nonlinear Regression, 1988, section 6.1), t**2 = (SSE_rival - SSE) / (SSE / (n - 3)),
    one-sided since gamma >= 0. The noise is that of the residuals, so the test needs no more than one split.
    """
    freedom = len(points.sizes) - 3
    span = "{} sizes spanning {:.3g}-fold".format(len(points.sizes), points.sizes[-1] / points.sizes[0])
    if freedom < 1:
        return False, "{} leave nothing over to test three parameters with.".format(span)
    power, logarithm = search_beta(lambda beta: line_at(points, beta, False)).sse, _log_curve_sse(points)
    rival = "power law without an asymptote" if power <= logarithm else "logarithmic curve without an asymptote"
    noise = max(curve.sse / freedom, _resolution(points))
    p = significance.f_test_p(max(0.0, min(power, logarithm) - curve.sse) / noise, 1, freedom) / 2
    if p <= ASYMPTOTE_LEVEL:
        return True, "A {} fits {} worse (p = {:.2g}).".format(rival, span, p)
    return False, "A {} fits {} as well (p = {:.2g}): take what lies far beyond the data as a guess.".format(
        rival, span, p)


def _resolution(points):
    """Weighted mean square of deviations too small to mean anything."""
    return sum(w * (RESOLUTION * y) ** 2 for w, y in zip(points.weights, points.medians))


def _log_curve_sse(points):
    x = [math.log(size) for size in points.sizes]
    intercept, slope = regression(x, points.medians, points.weights)[:2]
    return sum(w * (y - intercept - slope * v) ** 2 for w, y, v in zip(points.weights, points.medians, x))


def _r2(curve, points):
    mean = sum(w * y for w, y in zip(points.weights, points.medians))
    return 1 - curve.sse / sum(w * (y - mean) ** 2 for w, y in zip(points.weights, points.medians))


def _size_needed(curve, full_size):
    """(note, size) for an error 10 % below the one at full_size."""
    excess = 0.9 * error_at(curve, full_size) - curve.gamma
    if excess <= 0 or curve.scale <= 0:
        return "10 % less error is below the fitted asymptote: no amount of data gets there.", None
    logarithm = math.log(excess / curve.scale) / curve.beta + math.log(curve.largest)
    if logarithm > math.log(FARTHEST * full_size):
        return "10 % less error takes more than {:.0e} times the data.".format(FARTHEST), None
    return "", math.exp(logarithm)


def _backtest(points):
    """Percent by which the fit without the largest size misses the median there; None where too few sizes are left."""
    if len(points.sizes) <= FEWEST_SIZES:
        return None
    curve = settled_curve(part(points, 0, -1))[0]
    return 100 * (error_at(curve, points.sizes[-1]) / points.medians[-1] - 1)


def _sampling_bands(curve, points, targets, resamples, seed):
    """95 % percentile bands of the error at the target sizes under resampling of whole splits; None a target without.

    A split is drawn with all its sizes, as they share test data. Weights and sizes stay those of the fit. Draws that
    leave a size without a value do not count; fewer than 3 splits, or too few draws, give no band.
    """
    splits = max(len(row) for row in points.values)
    generator = random.Random(seed)
    curves = []
    for _ in range(resamples if splits >= 3 else 0):
        drawn = [generator.randrange(splits) for _ in range(splits)]
        rows = [[row[k] for k in drawn if k < len(row)] for row in points.values]
        if all(any(value is not None for value in row) for row in rows):
            curves.append(fit_curve(points._replace(medians=[median(row) for row in rows]), ROUGH_SEARCH))
    if len(curves) < max(20, resamples // 2):
        return [None] * len(targets)
    return [_middle_95([error_at(resampled, target) for resampled in curves]) for target in targets]


def _middle_95(values):
    values = sorted(values)
    outside = int(0.025 * len(values))
    return values[outside], values[-1 - outside]


def _warnings(curve, points, used, fits_well):
    """Sentences a reader of the numbers has to know, '' where there is nothing."""
    sentences = []
    if len(points.sizes) < ENOUGH_SIZES:
        sentences.append("Only {} sizes: read the fit as a sketch.".format(len(points.sizes)))
    left_out = len(points.sizes) - len(used.sizes)
    if left_out:
        sentences.append("Fitted to the {} sizes from {:.0f} on: the smaller ones do not follow the same law.".format(
            len(used.sizes), used.sizes[0]))
    if not fits_well:
        sentences.append("The power law does not fit: the medians deviate more than the splits' spread explains.")
    if _log_curve_sse(used) + _resolution(used) < curve.sse:
        sentences.append("A logarithmic curve fits better than the power law: no sign of leveling off.")
    return " ".join(sentences)


def _unusable(n_sizes, full_size, problem):
    nothing = dict.fromkeys(Fit._fields)
    nothing.update(n_sizes=n_sizes, full_size=full_size, size_note=problem, asymptote_identified=False,
                   asymptote_reason=problem, usable=False, warning=problem)
    return Fit(**nothing)
