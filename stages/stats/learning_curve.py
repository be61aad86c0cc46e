"""learning_curve: how the error falls with the size of the training set, and what more data buys.

    {size: {split: error}} -> median over splits -> law on the last decade -> Fit
                           \\-> the same of splits drawn with replacement --> its bands

Examples:
    fit = fit_power_law({128: {0: .31, 1: .30}, 256: {0: .26, 1: .27}, 512: {0: .23, 1: .22}})
    fit.law.at(1024), band(fit, 1024, 0.95)     # the error there, (low, high)

The law is error(m) = alpha * m**beta + gamma with alpha >= 0, beta < 0, gamma >= 0, for error
metrics (mae, rmse, mse). Source of the law, of medians over splits and of weights that grow with m:
Partin et al., BMC Bioinformatics 22:252 (2021). It holds for large m, so it is fitted to the last
decade of sizes alone. docs/learning_curves.md says how far it misses.

The functions' `curve` is the sizes of a Curve, {size: {split: error}}; medians are {size: error}.
"""
import itertools
import math
import random
import statistics
from operator import mul
from typing import NamedTuple

from core.metrics import deviations, squares

FEWEST_SIZES = 3        # fewer do not determine three parameters
ENOUGH_SIZES = 5        # fewer: a warning; the law is fitted to at least that many
NARROW = 4              # largest / smallest size; less: the same warning
DECADE = 8              # the law is fitted to sizes of at least 1/8 of the largest one
STEEPEST, FLATTEST = math.log(5.0), math.log(0.005)     # log(-beta)
GRID = 40               # values of beta, a constant factor apart
LARGEST = 1e60          # an error beyond this is a missing value: its square leaves the floats
DRAWS = 100             # of the bootstrap
OUTSIDE = 2             # draws at each end that are not in 95 % of them
NORMAL = {0.8: 1.28, 0.95: 1.96}    # half a band in standard deviations of the bootstrap, and
DRIFT = {0.8: 2.5, 0.95: 6.4}       # in misfits, at e times the largest size
DRIFT_POWER = 1.25      # the drift grows with log(size / largest size) to this power
USUAL_MISFIT = 0.02     # relative: it counts as one residual, so that three sizes have a misfit
USUAL_NOISE = 0.015     # relative: of one split's error; it counts as two more splits
T_99 = 6.96, 4.54, 3.75, 3.36, 3.14, 3.00, 2.90, 2.82, 2.76     # Student's t, 2 to 10 degrees
MOST_WIDTH = 0.3        # an asymptote is identified if its limits are this close, and
LEAST_LEVEL = 0.05      # above this; both are parts of the error at the largest size
LEVELLED = 0.1          # a curve has levelled off if its law can lose no more than this part of it
MOST_MISSED = 0.1       # of the median at the largest size, without a warning
WIDEST = 99.0           # half a band in logarithms, for curves that are no curves
TIMES = 2, 4, 8         # the largest size, of predictions


class Law(NamedTuple):
    """A weighted least-squares solution; powers are of size / largest to stay in range."""
    scale: float    # alpha * largest**beta
    beta: float
    gamma: float
    largest: float
    squares: float  # weighted mean of the squared residuals

    def at(self, size):
        return self.scale * (size / self.largest) ** self.beta + self.gamma


class Fit(NamedTuple):
    """A fitted curve; errors in the metric's unit. If it is not usable, it has no numbers. All
    fields but the last three are columns of the CSV file."""
    alpha: float = None
    beta: float = None
    gamma: float = None
    sizes: int = 0                  # how many the law is fitted to
    full_size: float = 0            # the largest size; 0 without any
    predicted_full: float = None    # error at full_size
    gain_percent: float = None      # what twice the data takes off predicted_full
    asymptote_identified: bool = False
    backtest_error_percent: float = None    # miss at full_size of the law without that size
    usable: bool = False
    warning: str = ""               # '' or sentences
    asymptote_low: float = None
    asymptote_high: float = None
    law: Law = None
    draws: tuple = ()               # Laws of the bootstrap; one split has none
    misfit: float = None            # relative, of the medians from the law


class Curve(NamedTuple):
    """What was measured in one metric, and its Fit; None if the metric is no error."""
    source: str
    metric: str
    sizes: dict         # {size in rows: {split: value}}, sizes growing
    fit: Fit


CSV_COLUMNS = ("source", "metric", *Fit._fields[:-3], *(
    f"{name}_{times}x" for times in TIMES
    for name in ("predicted", "low_80", "high_80", "low_95", "high_95")))


def fit_power_law(curve):
    """Returns the Fit of errors {size: {split: error}}; nan and inf are missing values. No value
    raises: a curve that is too short, not above 0 or does not fall is not usable and says why."""
    curve = cleaned(curve)
    recent = last_decade(curve)
    fit = Fit(sizes=len(recent), full_size=max(curve, default=0))
    problem = _problem(curve, recent)
    if problem:
        return fit._replace(warning=problem)
    medians = medians_of(recent)
    law, draws = fit_law(medians), bootstrap(recent)
    misfit, full = _misfit(law, medians), law.at(law.largest)
    low, high = _asymptote(law, draws, misfit, medians)
    fit = fit._replace(
        alpha=law.scale * law.largest ** -law.beta, beta=law.beta, gamma=law.gamma,
        predicted_full=full, gain_percent=100 * (1 - law.at(2 * law.largest) / full),
        asymptote_identified=(len(recent) >= ENOUGH_SIZES and low > LEAST_LEVEL * full
                              and high - low <= MOST_WIDTH * full),
        backtest_error_percent=_backtest(curve), usable=True, asymptote_low=low,
        asymptote_high=high, law=law, draws=draws, misfit=misfit)
    return fit._replace(warning=_warnings(fit, curve))


def band(fit, size, share):
    """Returns (low, high) of the error at a size: what the splits leave open, and beyond the data
    the drift. share: 0.8 or 0.95."""
    error, laws = fit.law.at(size), fit.draws or [fit.law]
    drawn = NORMAL[share] * statistics.pstdev([math.log(law.at(size)) for law in laws])
    beyond = max(0.0, math.log(size / fit.law.largest))
    half = math.hypot(drawn, DRIFT[share] * fit.misfit * beyond ** DRIFT_POWER)
    widest = math.exp(min(half, WIDEST))
    return error / widest, error * widest


def csv_row(curve):
    """Returns {column of CSV_COLUMNS: cell} of a Curve with a Fit: floats as texts with six digits,
    None without a number."""
    fit = curve.fit
    cells = [curve.source, curve.metric, *fit[:-3]]
    for times in TIMES if fit.usable else ():
        size = times * fit.full_size
        cells += [fit.law.at(size), *band(fit, size, 0.8), *band(fit, size, 0.95)]
    return {name: f"{cell:.6g}" if isinstance(cell, float) else cell
            for name, cell in itertools.zip_longest(CSV_COLUMNS, cells)}


def splits_of(curve):
    return sorted({split for errors in curve.values() for split in errors})


def cleaned(curve):
    """Returns the sizes that have an error, by growing size, with their errors."""
    known = {size: {split: error for split, error in curve[size].items() if abs(error) <= LARGEST}
             for size in sorted(curve)}
    return {size: errors for size, errors in known.items() if errors}


def last_decade(curve):
    """Returns the sizes of at least 1/8 of the largest, or the last five."""
    sizes = list(curve)
    return {size: errors for size, errors in curve.items()
            if size >= sizes[-1] / DECADE or size in sizes[-ENOUGH_SIZES:]}


def medians_of(curve):
    return {size: statistics.median(errors.values()) for size, errors in curve.items()}


def fit_law(medians, rounds=4):
    """Returns the Law by least squares with weights m: a grid of beta, made finer around the best;
    for each, alpha and gamma are a linear problem (variable projection: Golub and Pereyra, SIAM J.
    Numer. Anal. 10:413, 1973). One round is enough for a draw of the bootstrap."""
    low, high = FLATTEST, STEEPEST
    for _ in range(rounds):
        laws, step = laws_of_grid(medians, low, high), (high - low) / (GRID - 1)
        best = min(laws, key=lambda law: law.squares)
        middle = math.log(-best.beta)
        low, high = max(low, middle - step), min(high, middle + step)
    return best


def laws_of_grid(medians, low=FLATTEST, high=STEEPEST, count=GRID):
    """Returns the Law with the best alpha >= 0 and gamma >= 0 of each beta; low, high: of
    log(-beta)."""
    total, largest, y = sum(medians), max(medians), medians.values()
    weights, laws = [size / total for size in medians], []

    def mean(values):
        return sum(map(mul, weights, values))

    for place in range(count):
        beta = -math.exp(low + (high - low) * place / (count - 1))
        x = [(size / largest) ** beta for size in medians]
        mean_x, mean_y = mean(x), mean(y)
        mean_xx, mean_xy = mean(map(mul, x, x)), mean(map(mul, x, y))
        spread = mean_xx - mean_x * mean_x
        scale = (mean_xy - mean_x * mean_y) / spread if spread > 0 else 0.0
        gamma = mean_y - scale * mean_x
        if gamma < 0:
            scale, gamma = mean_xy / mean_xx, 0.0
        elif scale < 0:
            scale, gamma = 0.0, mean_y
        residual = mean((error - scale * power - gamma) ** 2 for power, error in zip(x, y))
        laws.append(Law(scale, beta, gamma, largest, residual))
    return laws


def _backtest(curve):
    """Returns by how many percent the law without the largest size misses the median there."""
    if len(curve) <= FEWEST_SIZES:
        return None
    *smaller, largest = curve
    known = medians_of(last_decade({size: curve[size] for size in smaller}))
    return 100 * (fit_law(known).at(largest) / statistics.median(curve[largest].values()) - 1)


def bootstrap(curve):
    """Returns the laws of splits drawn with replacement; none for one split. Always the same."""
    splits, generator, laws = splits_of(curve), random.Random(0), []
    for _ in range(DRAWS if len(splits) > 1 else 0):
        chosen = [splits[int(generator.random() * len(splits))] for _ in splits]
        drawn = {size: {place: errors[split] for place, split in enumerate(chosen)
                        if split in errors} or errors for size, errors in curve.items()}
        laws.append(fit_law(medians_of(drawn), rounds=1))
    return tuple(laws)


def _misfit(law, medians):
    """Returns the relative standard deviation of the medians from the law, larger by a power of
    log(DECADE) / log(span) if the sizes span less than a decade: beyond the data, what counts is
    the distance in terms of the data's own span."""
    count, span = len(medians), math.log(law.largest / min(medians))
    total = count * law.squares / law.at(law.largest) ** 2 + USUAL_MISFIT ** 2
    return math.sqrt(total / (count - 3 + 1)) * max(1.0, math.log(DECADE) / span) ** DRIFT_POWER


def _asymptote(law, draws, misfit, medians):
    """Returns (low, high) of gamma in the laws that fit within four standard errors, and in 95 % of
    the draws."""
    full = law.at(law.largest)
    allowed = law.squares + (4 * misfit * full) ** 2 / len(medians)
    gammas = [other.gamma for other in laws_of_grid(medians, count=4 * GRID)
              if other.squares <= allowed]
    gammas += sorted(drawn.gamma for drawn in draws)[OUTSIDE:-OUTSIDE] + [law.gamma]
    return min(gammas), min(max(gammas), full)


def falls(curve):
    """Says whether log(error) falls with log(size): a one-sided t test of the splits' slopes, 1 %.
    Errors of one split depend on each other, as its subsets are nested, so that only splits tell
    how certain a slope is. With USUAL_NOISE one split can be enough."""
    slopes = []
    for split in splits_of(curve):
        x, y = zip(*[(math.log(size), math.log(errors[split])) for size, errors in curve.items()
                     if split in errors])
        if len(x) > 1:
            slopes.append(sum(map(mul, deviations(x), y)) / squares(deviations(x)))
    if not slopes:
        return False
    count, freedom = len(slopes), len(slopes) + 1
    usual = USUAL_NOISE ** 2 / (len(curve) * statistics.pvariance(map(math.log, curve)))
    variance = (2 * usual + count * statistics.pvariance(slopes)) / freedom
    return statistics.mean(slopes) < -T_99[min(freedom, 10) - 2] * math.sqrt(variance / count)


def _problem(curve, recent):
    """Returns why no law is fitted, or ''."""
    if len(curve) < FEWEST_SIZES:
        return f"No fit: {len(curve)} sizes with a score, at least {FEWEST_SIZES} are needed."
    if min(curve) <= 0 or any(error < 1 / LARGEST for errors in curve.values()
                              for error in errors.values()):
        return "No fit: the power law is for sizes and errors above zero."
    if falls(curve) or falls(recent):
        return ""
    (first, high), *_, (last, low) = medians_of(curve).items()
    return ("No fit: the error does not clearly fall with the size of the training set "
            f"({high:.3g} at {first:.0f}, {low:.3g} at {last:.0f}).")


def _warnings(fit, curve):
    """Returns what a reader of the numbers has to know, '' or sentences."""
    smallest, largest = min(curve), max(curve)
    missed = fit.predicted_full / statistics.median(curve[largest].values()) - 1
    return " ".join(sentence for is_so, sentence in (
        (len(curve) < ENOUGH_SIZES or largest < NARROW * smallest,
         f"Only {len(curve)} sizes, {smallest:.0f}-{largest:.0f} rows: read the fit as a sketch."),
        (abs(missed) > MOST_MISSED,
         f"The law misses the error at {largest:.0f} rows by {100 * missed:.0f} %: where small "
         "sizes follow another law, leave them out (--min_size)."),
        (not fit.draws, "One split: how splits differ is not in the bands."),
        (fit.gamma >= (1 - LEVELLED) * fit.predicted_full,
         "The error falls and levels off before these sizes end: by the fitted law, twice the data "
         f"takes {fit.gain_percent:.2g} % off it.")) if is_so)
