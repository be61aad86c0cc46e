"""learning_curve: how the error falls with the size of the training set, and what more data would buy.

values per (size, split) --> median over splits --> curve falls at all?  curves that fit, averaged --> Fit
                        \\-> three-parameter power law (its numbers)      back-test without the largest size

Examples:
    fit = fit_power_law([128, 256, 512, 1024, 2048], [[.31, .30], [.26, .27], [.23, .22], [.20, .20], [.18, .19]])
    fit.gain_percent                                # what twice the data would take off the error
    [predict(fit, m) for m in (2048, 4096)]         # the curve itself
    band(fit, 4096, 0.8)                            # (low, high): 80 of 100 such bands hold the error there
    csv_row("gCSI", "mae", fit)                     # a line under CSV_COLUMNS

The law is error(m) = alpha * m**beta + gamma with alpha >= 0, beta < 0, gamma >= 0, for error metrics (mae, rmse, mse).
Source of the law and of weights that grow with m: Partin et al., BMC Bioinformatics 22:252 (2021). Predictions and bands
average over it and its rivals (curve_average). How far they miss is measured in docs/learning_curves.md.
"""
import math
from typing import NamedTuple, Optional, Tuple

from stats import significance
from stats.curve_average import Average, asymptotes, average_curves, noise_of, prediction, quantiles, whitened, with_favoured
from stats.power_law import fit_curve, part, points_of

ENOUGH_SIZES = 5  # fewer: a warning
FEWEST_SIZES = 3  # fewer: three parameters are not determined
FALL_LEVEL = 0.01  # chance to call a flat curve a falling one
TOLD = 0.3  # an asymptote is identified if it is known to this part of the error at the full size,
ABOVE_0 = 0.05  # and above this part of it
FARTHEST = 64  # a size needed beyond this many times the full size is not given as a number
TIMES = 2, 4, 8  # the full size, of predictions
WARY = 3  # bands count the law's credit one part in that many
BAND_95, BAND_80 = (0.025, 0.975), (0.1, 0.9)

CSV_COLUMNS = ("source", "metric", "alpha", "beta", "gamma", "r2", "sizes", "full_size", "predicted_full",
               "predicted_twice", "gain_percent", "size_for_10_percent_less", "size_note", "asymptote_identified",
               "asymptote_reason", "backtest_error_percent", "twice_sampling_error_only_low",
               "twice_sampling_error_only_high", "usable", "warning", "asymptote_low", "asymptote_high",
               *(f"{name}_{times}x" for times in TIMES for name in ("predicted", "low_80", "high_80", "low_95", "high_95")))


class Ahead(NamedTuple):
    """What is predicted at a size: the error, and bands that 80 and 95 of 100 errors lie in."""
    error: float
    band_80: Tuple[float, float]
    band_95: Tuple[float, float]


class Fit(NamedTuple):
    """A fitted learning curve; errors in the metric's unit. Every number is None if `usable` is False."""
    alpha: Optional[float]
    beta: Optional[float]
    gamma: Optional[float]
    r2: Optional[float]  # of the law: weighted, of the medians it was fitted to
    n_sizes: int  # sizes the law was fitted to: the largest ones
    full_size: float
    predicted_full: Optional[float]  # error at full_size
    predicted_twice: Optional[float]  # error at 2 * full_size
    gain_percent: Optional[float]  # what doubling the data takes off the error at full_size
    size_needed: Optional[float]  # for an error 10 % below predicted_full; None if size_note says why
    size_note: str
    asymptote_identified: bool
    asymptote_reason: str
    asymptote: Optional[Tuple[float, float]]  # 95 % of the averaged curves level off between these
    backtest_percent: Optional[float]  # error predicted at the largest size without it, against the median there
    sampling_twice: Optional[Tuple[float, float]]  # 95 % at 2 * full_size, as if the law were known to hold there
    ahead: Tuple[Ahead, ...]  # at TIMES * full_size
    average: Optional[Average]
    usable: bool
    warning: str  # '' or sentences


def fit_power_law(sizes, values_by_size, full_size=None):
    """Fit curves to the median over splits: sizes (m > 0), values_by_size[i][k] the error of split k at sizes[i].

    None and nan are missing values; shorter lists lack their last splits. `full_size` is by default the largest size.
    Returns a Fit; never raises on bad values: a curve that is too short, not positive or does not fall comes back with
    usable=False and a warning that says so.

    alpha, beta, gamma are the law's, by weighted least squares: splits_there * m**(1/4) / median**2. The noise of a score
    is about a constant percentage of it, hence 1 / median**2; m**(1/4) as the law holds for large m. Sizes too small for
    the law are left out of it: it begins where it is likely to hold within the noise.
    """
    points = points_of(sizes, values_by_size)
    full_size = float(full_size or (points.sizes[-1] if points.sizes else 0))
    problem = _problem(points)
    if problem:
        return _unusable(len(points.sizes), full_size, problem)
    missed, strain = _backtest(points)
    average, alone = _averages(points)
    average = average._replace(stray=average.stray * max(1.0, strain))  # the course has changed: it may do so again
    used = part(points, alone.first)
    law = fit_curve(used)
    full, *ahead = [_ahead(average, times * full_size) for times in (1, *TIMES)]
    note, needed = _size_needed(average, full.error, full_size)
    low, high = asymptotes(with_favoured(average))
    limits = min(low, law.gamma), max(min(high, full.error), law.gamma)
    identified, reason = _asymptote(limits, full.error, points)
    return Fit(
        alpha=law.scale * law.largest ** -law.beta, beta=law.beta, gamma=law.gamma, r2=_r2(law, used),
        n_sizes=len(used.sizes), full_size=full_size, predicted_full=full.error, predicted_twice=ahead[0].error,
        gain_percent=100 * (1 - ahead[0].error / full.error), size_needed=needed, size_note=note,
        asymptote_identified=identified, asymptote_reason=reason, asymptote=limits, backtest_percent=missed,
        sampling_twice=_sampling_band(alone, 2 * full_size, ahead[0].error), ahead=tuple(ahead),
        average=average, usable=True, warning=_warnings(points, used, strain))


def predict(fit, m):
    """Error that `fit` predicts for a training set of size m; None if the fit is not usable."""
    return prediction(fit.average, m) if fit.usable else None


def band(fit, m, share):
    """(low, high): between them lies the error at size m with the chance `share`, as the averaged curves have it."""
    return tuple(quantiles(fit.average, m, ((1 - share) / 2, (1 + share) / 2)))


def csv_row(source, metric, fit):
    """`fit` as texts in the order of CSV_COLUMNS, six significant digits, '' where there is no number."""
    row = (source, metric, fit.alpha, fit.beta, fit.gamma, fit.r2, fit.n_sizes, fit.full_size, fit.predicted_full,
           fit.predicted_twice, fit.gain_percent, fit.size_needed, fit.size_note, fit.asymptote_identified,
           fit.asymptote_reason, fit.backtest_percent, *(fit.sampling_twice or (None, None)), fit.usable, fit.warning,
           *(fit.asymptote or (None, None)))
    row += tuple(value for at in fit.ahead for value in (at.error, *at.band_80, *at.band_95))
    row += (None,) * (len(CSV_COLUMNS) - len(row))
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
    """One-sided p value of a fall: t test of the slope of log(median) on log(size), generalised least squares.

    The variance pools the residuals and the noise within splits, so three sizes and one split can be enough.
    """
    noise = noise_of(points, drift=0.0)
    one, x, y = [whitened(noise, column) for column in (
        [1.0] * len(points.sizes), [math.log(size) for size in points.sizes], [math.log(y) for y in points.medians])]
    x, y = _without(one, x), _without(one, y)
    spread, slope = _product(x, x), _product(x, y) / _product(x, x)
    freedom = noise.freedom + len(x) - 2
    squares = max(0.0, _product(y, y) - slope * slope * spread) + noise.freedom * noise.variance
    return significance.f_test_p(slope * slope * spread / (squares / freedom), 1, freedom) / 2 if slope < 0 else 1.0


def _without(direction, values):
    """`values` less their projection on `direction`."""
    share = _product(direction, values) / _product(direction, direction)
    return [value - share * part for value, part in zip(values, direction)]


def _product(a, b):
    return sum(u * v for u, v in zip(a, b))


# What the fit is worth

def _averages(points):
    """(average that predicts, average as if the law were known to hold from some size on).

    On drug-response curves the law, less the sizes too small for it, does better than its rivals: the prediction counts it
    as much as all of them together. Bands have to hold the truth where that is wrong, too, and count it a third of that;
    so the prediction lies between their quartiles. With one split or two, what is too small cannot be told from noise, so
    the law gets no such credit.
    """
    alone = average_curves(points, ("pow3",), drift=0.0)
    average = average_curves(points)
    if max(len(row) for row in points.values) > 2:
        average = average._replace(draws=average.draws + alone.draws[::WARY], favoured=[
            draw for i, draw in enumerate(alone.draws) if i % WARY])
    return average, alone


def _ahead(average, size):
    low, low_80, high_80, high = quantiles(average, size, (BAND_95[0], BAND_80[0], BAND_80[1], BAND_95[1]))
    return Ahead(prediction(average, size), (low_80, high_80), (low, high))


def _asymptote(limits, full, points):
    """(identified, reason): do the curves that fit agree on an error above zero that they level off at?"""
    low, high = limits
    told = low > ABOVE_0 * full and high - low <= TOLD * full
    return told, "{}urves that fit the {:.0f}-{:.0f} rows in {} steps level off {} {:.3g} {} {:.3g}.".format(
        "C" if told else "Asymptote not identified: c", points.sizes[0], points.sizes[-1], len(points.sizes),
        *(("between", low, "and", high) if told else ("anywhere from", low, "to", high)))


def _r2(curve, points):
    mean = sum(w * y for w, y in zip(points.weights, points.medians))
    total = sum(w * (y - mean) ** 2 for w, y in zip(points.weights, points.medians))
    return 1 - curve.sse / total if total else 0.0


def _size_needed(average, full, full_size):
    """(note, size) for an error 10 % below the one at full_size, by bisection of log(size)."""
    low, high = 0.0, math.log(FARTHEST)
    if prediction(average, full_size * FARTHEST) > 0.9 * full:
        return "10 % less error takes more than {} times the data, if any amount gets there.".format(FARTHEST), None
    while high - low > 1e-4:
        middle = (low + high) / 2
        enough = prediction(average, full_size * math.exp(middle)) <= 0.9 * full
        low, high = (low, middle) if enough else (middle, high)
    return "", full_size * math.exp(high)


def _backtest(points):
    """(percent, strain): how far the fit without the largest size misses the median there, and that as a multiple of
    half its own 95 % band; (None, 0) if too few sizes are left."""
    if len(points.sizes) <= FEWEST_SIZES:
        return None, 0.0
    at, measured = _ahead(_averages(part(points, 0, -1))[0], points.sizes[-1]), points.medians[-1]
    end = at.band_95[0] if measured < at.error else at.band_95[1]
    return 100 * (at.error / measured - 1), math.log(measured / at.error) / math.log(end / at.error)


def _sampling_band(alone, size, prediction):
    """95 % around the prediction from the noise of the splits only, as if the law were known to hold."""
    low, middle, high = quantiles(alone, size, (BAND_95[0], 0.5, BAND_95[1]))
    return prediction * low / middle, prediction * high / middle


def _warnings(points, used, strain):
    """Sentences a reader of the numbers has to know, '' if there are none."""
    sentences = []
    if len(points.sizes) < ENOUGH_SIZES:
        sentences.append("Only {} sizes: read the fit as a sketch.".format(len(points.sizes)))
    if max(len(row) for row in points.values) < 2:
        sentences.append("One split: its noise is guessed, and how splits differ is not in the bands.")
    if len(used.sizes) < len(points.sizes):
        sentences.append("The law is fitted to the {} sizes from {:.0f} on: the smaller ones do not follow it.".format(
            len(used.sizes), used.sizes[0]))
    if strain > 1:
        sentences.append("The fit without the largest size misses the median there by {:.1f} times what its 95 % band allows: "
                         "the bands are widened by that.".format(strain))
    return " ".join(sentences)


def _unusable(n_sizes, full_size, problem):
    nothing = dict.fromkeys(Fit._fields)
    nothing.update(n_sizes=n_sizes, full_size=full_size, size_note=problem, asymptote_identified=False,
                   asymptote_reason=problem, ahead=(), usable=False, warning=problem)
    return Fit(**nothing)
