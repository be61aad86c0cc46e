"""learning_curve: how the error falls with the size of the training set, and what more data buys.

    values per (size, split) -> median over splits -> law on the last decade -> Fit
                          \\-> the same of splits drawn with replacement ----> its bands

Examples:
    fit = fit_power_law([128, 256, 512, 1024, 2048], [[.31, .30], [.26, .27], [.23, .22],
                                                      [.20, .20], [.18, .19]])
    fit.gain_percent                    # what twice the data takes off the error
    [predict(fit, size) for size in (2048, 4096)]
    band(fit, 4096, 0.95)               # (low, high)
    csv_row("gCSI", "mae", fit)         # a line under CSV_COLUMNS

The law is error(m) = alpha * m**beta + gamma with alpha >= 0, beta < 0, gamma >= 0, for error
metrics (mae, rmse, mse). Source of the law, of medians over splits and of weights that grow with m:
Partin et al., BMC Bioinformatics 22:252 (2021). It holds for large m, so it is fitted to the last
decade of sizes alone. docs/learning_curves.md says how far it misses.
"""
import math
import random
import statistics
from typing import NamedTuple, Tuple

FEWEST_SIZES = 3        # fewer do not determine three parameters
ENOUGH_SIZES = 5        # fewer: a warning; the law is fitted to at least that many
NARROW = 4              # largest / smallest size; less: the same warning
DECADE = 8              # the law is fitted to sizes of at least 1/8 of the largest one
STEEPEST, FLATTEST = 5.0, 0.005     # range of -beta
GRID = 40               # values of beta, a constant factor apart
LARGEST = 1e60          # an error beyond this is a missing value: its square leaves the floats
DRAWS = 100             # of the bootstrap
NORMAL = {0.8: 1.28, 0.95: 1.96}    # half a band in standard deviations of the bootstrap, and
DRIFT = {0.8: 2.5, 0.95: 6.4}       # in misfits, at e times the largest size
DRIFT_POWER = 1.25      # the drift grows with log(size / largest size) to this power
USUAL_MISFIT = 0.02     # relative: it counts as one residual, so that three sizes have a misfit
USUAL_NOISE = 0.015     # relative: of one split's error; it counts as two more splits
T_99 = 6.96, 4.54, 3.75, 3.36, 3.14, 3.00, 2.90, 2.82, 2.76     # Student's t, 2 to 10 degrees
MOST_WIDTH = 0.3        # an asymptote is identified if its limits are this close, and
LEAST_LEVEL = 0.05      # above this; both are parts of the error at the largest size
LEVELLED = 0.1          # a curve has levelled off if its law can lose no more than this part of it
FARTHEST = 64           # a size needed beyond so many times the largest one is not given
WIDEST = 99.0           # half a band in logarithms, for curves that are no curves
TIMES = 2, 4, 8         # the largest size, of predictions
Limits = Tuple[float, float]
NO_LIMITS = (None, None)

class Points(NamedTuple):
    """What a curve is fitted to, by growing size: per size the splits' errors and their median."""
    sizes: list
    values: list
    medians: list


class Law(NamedTuple):
    """A weighted least-squares solution; powers are of size / largest to stay in range."""
    scale: float    # alpha * largest**beta
    beta: float
    gamma: float
    largest: float
    squares: float  # weighted mean of the squared residuals

    def at(self, size):
        return self.scale * (size / self.largest) ** self.beta + self.gamma


class Ahead(NamedTuple):
    """The error predicted at a size, and its bands."""
    error: float
    band_80: Limits
    band_95: Limits


class Fit(NamedTuple):
    """A fitted curve; errors in the metric's unit. If it is not usable, it has no numbers.

    The fields up to `ahead` are the columns of the CSV file.
    """
    alpha: float = None
    beta: float = None
    gamma: float = None
    r2: float = None                # weighted, of the medians that the law is fitted to
    n_sizes: int = 0                # that the law is fitted to
    full_size: float = 0.0          # the largest size; 0 without any
    predicted_full: float = None    # error at full_size
    predicted_twice: float = None   # error at 2 * full_size
    gain_percent: float = None      # what twice the data takes off predicted_full
    size_needed: float = None       # for 10 % less than predicted_full
    size_note: str = ""             # why there is no size_needed, or ''
    asymptote_identified: bool = False
    asymptote_reason: str = ""
    backtest_percent: float = None  # miss at full_size of the law without that size
    sampling_twice: Limits = NO_LIMITS      # 95 % at 2 * full_size, no drift; one split has none
    usable: bool = False
    warning: str = ""               # '' or sentences
    asymptote: Limits = NO_LIMITS
    ahead: tuple = ()               # an Ahead at each of TIMES * full_size
    law: Law = None
    draws: tuple = ()               # Laws of the bootstrap; one split has none
    misfit: float = None            # relative, of the medians from the law


CSV_COLUMNS = (
    "source", "metric", "alpha", "beta", "gamma", "r2", "sizes", "full_size", "predicted_full",
    "predicted_twice", "gain_percent", "size_for_10_percent_less", "size_note",
    "asymptote_identified", "asymptote_reason", "backtest_error_percent",
    "twice_sampling_error_only_low", "twice_sampling_error_only_high", "usable", "warning",
    "asymptote_low", "asymptote_high",
    *(f"{name}_{times}x" for times in TIMES
      for name in ("predicted", "low_80", "high_80", "low_95", "high_95")))


def fit_power_law(sizes, values_by_size):
    """Returns the Fit of errors by size: values_by_size[i][k] is the error of split k at sizes[i].

    None and nan are missing values; a list may lack its last splits. Never raises on bad values:
    a curve that is too short, not above zero or does not fall has usable=False and says so.
    """
    every = points_of(sizes, values_by_size)
    points = last_decade(every)
    fit = Fit(n_sizes=len(points.sizes), full_size=every.sizes[-1] if every.sizes else 0.0)
    problem = _problem(every, points)
    if problem:
        return fit._replace(warning=problem, size_note=problem, asymptote_reason=problem)
    law, draws = fit_law(points.sizes, points.medians), bootstrap(points)
    fit = fit._replace(law=law, draws=draws, misfit=_misfit(law, points), usable=True)
    full, twice = law.at(fit.full_size), law.at(2 * fit.full_size)
    flat = law_at(0.0, points.sizes, points.medians).squares
    size_note, size_needed = _size_needed(law)
    limits, identified, reason = _asymptote(fit, points)
    return fit._replace(
        alpha=law.scale * law.largest ** -law.beta, beta=law.beta, gamma=law.gamma,
        r2=1 - law.squares / flat if flat else 0.0, predicted_full=full, predicted_twice=twice,
        gain_percent=100 * (1 - twice / full), size_needed=size_needed, size_note=size_note,
        asymptote=limits, asymptote_identified=identified, asymptote_reason=reason,
        backtest_percent=_backtest(every), warning=_warnings(law, draws, every),
        sampling_twice=_band(fit, 2 * fit.full_size, NORMAL[0.95], 0) if draws else NO_LIMITS,
        ahead=tuple(Ahead(law.at(size), band(fit, size, 0.8), band(fit, size, 0.95))
                    for size in (times * fit.full_size for times in TIMES)))


def predict(fit, size):
    """Returns the error at a size; None if the fit is not usable."""
    return fit.law.at(size) if fit.usable else None


def band(fit, size, share):
    """Returns (low, high) of the error at a size; share: 0.8 or 0.95."""
    return _band(fit, size, NORMAL[share], DRIFT[share])


def csv_row(source, metric, fit):
    """Returns texts in the order of CSV_COLUMNS, numbers with six digits, '' without a number."""
    cells = [source, metric, *_flat(fit[:Fit._fields.index("law")])]
    texts = ["" if cell is None else "{:.6g}".format(cell) if isinstance(cell, float) else str(cell)
             for cell in cells]
    return texts + [""] * (len(CSV_COLUMNS) - len(texts))


def _flat(value):
    return sum(map(_flat, value), []) if isinstance(value, tuple) else [value]


# ---- the law

def points_of(sizes, values_by_size):
    """Returns the Points of the sizes that have an error, None for each missing one."""
    splits, rows = max(map(len, values_by_size), default=0), []
    for size, values in sorted(zip(sizes, values_by_size), key=lambda row: row[0]):
        values = [float(value) if value is not None and abs(value) <= LARGEST else None
                  for value in values]
        if median(values) is not None:
            rows.append((float(size), values + [None] * (splits - len(values)), median(values)))
    return Points(*map(list, zip(*rows))) if rows else Points([], [], [])


def median(values):
    """Returns the median of those that are not None, None if all are."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def last_decade(points):
    """Returns the Points of at least 1/8 of the largest size, or the last five."""
    count = sum(size >= points.sizes[-1] / DECADE for size in points.sizes)
    return Points(*(column[-max(count, ENOUGH_SIZES):] for column in points))


def fit_law(sizes, errors, rounds=4):
    """Returns the Law by least squares with weights m: a grid of beta, made finer around the best.

    For a given beta, alpha and gamma are a linear problem (variable projection: Golub and Pereyra,
    SIAM J. Numer. Anal. 10:413, 1973). One round is enough for a draw of the bootstrap.
    """
    low, high = math.log(FLATTEST), math.log(STEEPEST)
    for _ in range(rounds):
        laws, step = laws_of_grid(sizes, errors, low, high), (high - low) / (GRID - 1)
        best = min(laws, key=lambda law: law.squares)
        middle = math.log(-best.beta)
        low, high = max(low, middle - step), min(high, middle + step)
    return best


def laws_of_grid(sizes, errors, low=math.log(FLATTEST), high=math.log(STEEPEST), count=GRID):
    """Returns the best Law of each beta; low, high: of log(-beta)."""
    return [law_at(-math.exp(low + (high - low) * place / (count - 1)), sizes, errors)
            for place in range(count)]


def law_at(beta, sizes, errors):
    """Returns the Law with the best alpha >= 0 and gamma >= 0 for this beta."""
    total, largest = sum(sizes), sizes[-1]
    weights = [size / total for size in sizes]
    x = [(size / largest) ** beta for size in sizes]
    mean_x = sum(w * u for w, u in zip(weights, x))
    mean_y = sum(w * y for w, y in zip(weights, errors))
    mean_xx = sum(w * u * u for w, u in zip(weights, x))
    mean_xy = sum(w * u * y for w, u, y in zip(weights, x, errors))
    spread = mean_xx - mean_x * mean_x
    scale = (mean_xy - mean_x * mean_y) / spread if spread > 0 else 0.0
    gamma = mean_y - scale * mean_x
    if gamma < 0:
        scale, gamma = mean_xy / mean_xx, 0.0
    elif scale < 0:
        scale, gamma = 0.0, mean_y
    squares = sum(w * (y - scale * u - gamma) ** 2 for w, u, y in zip(weights, x, errors))
    return Law(scale, beta, gamma, largest, squares)


# ---- bands

def bootstrap(points):
    """Returns the laws of splits drawn with replacement; none for one split. Always the same."""
    splits, generator, laws = len(points.values[0]), random.Random(0), []
    for _ in range(DRAWS if splits > 1 else 0):
        chosen = [int(generator.random() * splits) for _ in range(splits)]
        drawn = [median([values[k] for k in chosen]) for values in points.values]
        medians = [middle if one is None else one for one, middle in zip(drawn, points.medians)]
        laws.append(fit_law(points.sizes, medians, rounds=1))
    return tuple(laws)


def _misfit(law, points):
    """Returns the relative standard deviation of the medians from the law.

    It is larger by a power of log(DECADE) / log(span) if the sizes span less than a decade: beyond
    the data, what counts is the distance in terms of the data's own span.
    """
    count = len(points.sizes)
    squares = count * law.squares / law.at(law.largest) ** 2 + USUAL_MISFIT ** 2
    span = math.log(points.sizes[-1] / points.sizes[0])
    return math.sqrt(squares / (count - 3 + 1)) * max(1.0, math.log(DECADE) / span) ** DRIFT_POWER


def _band(fit, size, normal, drift):
    """Returns (low, high): what the splits leave open, and beyond the data the drift."""
    error, half = fit.law.at(size), 0.0
    if fit.draws:
        half = normal * statistics.pstdev([math.log(law.at(size)) for law in fit.draws])
    if size > fit.law.largest:
        beyond = math.log(size / fit.law.largest) ** DRIFT_POWER
        half = math.hypot(half, drift * fit.misfit * beyond)
    widest = math.exp(min(half, WIDEST))
    return error / widest, error * widest


# ---- what can be said

def _problem(every, points):
    """Returns why no law is fitted, or ''."""
    sizes, medians = every.sizes, every.medians
    if len(sizes) < FEWEST_SIZES:
        return f"No fit: {len(sizes)} sizes with a score, at least {FEWEST_SIZES} are needed."
    if sizes[0] <= 0 or any(value is not None and value < 1 / LARGEST
                            for values in every.values for value in values):
        return "No fit: the power law is for sizes and errors above zero."
    if not falls(every) and not falls(points):
        return ("No fit: the error does not clearly fall with the size of the training set "
                f"({medians[0]:.3g} at {sizes[0]:.0f}, {medians[-1]:.3g} at {sizes[-1]:.0f}).")
    return ""


def falls(points):
    """Says whether log(error) falls with log(size): a one-sided t test of the splits' slopes, 1 %.

    The errors of one split at different sizes depend on each other, as subsets are nested, so that
    only splits tell how certain a slope is. With USUAL_NOISE one split can be enough.
    """
    logs = [math.log(size) for size in points.sizes]
    columns = [[(x, math.log(error)) for x, error in zip(logs, column) if error is not None]
               for column in zip(*points.values)]
    slopes = [_slope(column) for column in columns if len(column) > 1]
    if not slopes:
        return False
    mean, freedom = statistics.mean(slopes), len(slopes) + 1
    usual = USUAL_NOISE ** 2 / (len(logs) * statistics.pvariance(logs))
    variance = (2 * usual + sum((slope - mean) ** 2 for slope in slopes)) / freedom
    return mean < -T_99[min(freedom, 10) - 2] * math.sqrt(variance / len(slopes))


def _slope(pairs):
    """Returns the least-squares slope of (x, y)."""
    mean = sum(x for x, _ in pairs) / len(pairs)
    return sum((x - mean) * y for x, y in pairs) / sum((x - mean) ** 2 for x, _ in pairs)


def _backtest(every):
    """Returns by how many percent the law without the largest size misses the median there."""
    if len(every.sizes) <= FEWEST_SIZES:
        return None
    points = last_decade(Points(*(column[:-1] for column in every)))
    predicted = fit_law(points.sizes, points.medians).at(every.sizes[-1])
    return 100 * (predicted / every.medians[-1] - 1)


def _size_needed(law):
    """Returns (note, size) for an error 10 % below the one at the largest size."""
    above = 0.9 * law.at(law.largest) - law.gamma
    if law.scale > 0 and above > 0:
        distance = math.log(above / law.scale) / law.beta
        if distance <= math.log(FARTHEST):
            return "", law.largest * math.exp(distance)
    return (f"10 % less error takes more than {FARTHEST} times the data, if any amount gets "
            "there."), None


def _asymptote(fit, points):
    """Returns (limits, identified, reason).

    The limits are those of gamma in the laws that fit within four standard errors, and in 95 % of
    the bootstrap's.
    """
    full, count = fit.law.at(fit.law.largest), len(points.sizes)
    allowed = fit.law.squares + (4 * fit.misfit * full) ** 2 / count
    drawn, outside = sorted(law.gamma for law in fit.draws), len(fit.draws) // 40
    gammas = [law.gamma for law in laws_of_grid(points.sizes, points.medians, count=4 * GRID)
              if law.squares <= allowed] + drawn[outside:len(drawn) - outside] + [fit.law.gamma]
    low, high = min(gammas), min(max(gammas), full)
    identified = (count >= ENOUGH_SIZES and low > LEAST_LEVEL * full
                  and high - low <= MOST_WIDTH * full)
    start, limits = (("Laws", f"between {low:.3g} and {high:.3g}") if identified else
                     ("Asymptote not identified: laws", f"anywhere from {low:.3g} to {high:.3g}"))
    return (low, high), identified, (f"{start} that fit the {points.sizes[0]:.0f}-"
                                     f"{points.sizes[-1]:.0f} rows in {count} steps level off "
                                     f"{limits}.")


def _warnings(law, draws, every):
    """Returns what a reader of the numbers has to know, '' or sentences."""
    sizes, full, sentences = every.sizes, law.at(law.largest), []
    if len(sizes) < ENOUGH_SIZES or sizes[-1] < NARROW * sizes[0]:
        sentences.append(f"Only {len(sizes)} sizes, {sizes[0]:.0f}-{sizes[-1]:.0f} rows: read the "
                         "fit as a sketch.")
    if not draws:
        sentences.append("One split: how splits differ is not in the bands.")
    if law.gamma >= (1 - LEVELLED) * full:
        gain = 100 * (1 - law.at(2 * law.largest) / full)
        sentences.append("The error falls and levels off before these sizes end: by the fitted "
                         f"law, twice the data takes {gain:.2g} % off it.")
    return " ".join(sentences)
