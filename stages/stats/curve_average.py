"""curve_average: what all the curves that fit the points say beyond them, each counted by how well it fits.

    Points --> noise of the medians --> families x shapes x first size --> least squares, weight --> Average
    Average, size --> quantiles of the error there

Examples:
    average = average_curves(points_of(sizes, values))
    prediction(average, 2 * sizes[-1])
    quantiles(average, 2 * sizes[-1], (0.1, 0.9))           # a band of 80 % around it

Bayesian model averaging (Hoeting et al., Statistical Science 14:382, 1999) over four families, error = alpha h(x) + gamma
with alpha, gamma >= 0, x = size / largest size and h(1) = 1. They agree in the data and part beyond it. The best law of
these for sample sizes differs from curve to curve: Viering and Loog, IEEE TPAMI 45:7799 (2023); Mohr et al., LCDB (2022).
"""
import math
from typing import NamedTuple

SPLIT_MEMORIES = 0.0, 0.15, 0.4, 1.0, 2.5  # in log(size): how far the noise of nested subsets is correlated
MEMORY = 0.5  # of them, if fewer than 3 splits cannot say
GROWTH = 0.25  # noise of a value is taken to grow as x**-GROWTH towards small sizes
FLOOR = 0.003  # relative noise that medians have at least
ONE_SPLIT = 0.015, 2.0  # relative noise assumed of one split, and for how many degrees of freedom that counts
MOST_FREEDOM = 30.0  # that the spread between splits counts for: it says nothing about how well a family fits
DRIFT = 0.018  # relative: how far a true curve strays from its family, per factor e in size below the largest
STRAY = 0.008  # relative: the same a factor e beyond the largest size; from there it grows as the power 1.5 of log(size)
EARLY, EARLY_NO_DRIFT = 3.0, 30.0  # sizes before the curve begins have that many times the noise
CLEARLY = 0.2  # the law begins with the first size that has at least this part of the likeliest one's weight
STARTS = 10  # first sizes tried, evenly spaced
BEYOND = 64.0  # times the largest size: where an asymptote is judged
LIKELY = 7.0  # logarithm of the weight, relative to the best, below which a curve is ignored
NODES = 7  # values of gamma per curve
CELLS = 120  # shapes per family, about
DRAWS = 400  # curves kept
NORMAL = [(z, math.exp(-z * z / 2)) for z in (-2.5, -1.75, -1.05, -0.35, 0.35, 1.05, 1.75, 2.5)]


class Family(NamedTuple):
    weight: float  # before the data
    box: tuple  # (low, high, cells) per shape parameter
    shape: object  # (x, parameters, logarithm of largest / smallest size) -> h


class Noise(NamedTuple):
    """Relative noise of the medians: variance at the largest size, and how it changes and hangs together."""
    variance: float
    freedom: float
    sds: list  # per size, relative to the largest size's
    kept: list  # per size: correlation with the next larger size
    early: float = 1.0  # times as large before the curve begins


class Draw(NamedTuple):
    """One curve: alpha h + gamma; alpha varies by `spread` if gamma is given."""
    family: str
    parameters: tuple
    alpha: float
    gamma: float
    spread: float


class Average(NamedTuple):
    draws: list  # of equal weight
    span: float
    largest: float
    stray: float  # relative, a factor e beyond the largest size
    first: int  # size that the power law begins with, as an index
    favoured: list = []  # more draws, which count for the prediction and not for the bands


def _pow3(x, p, span):
    return x ** -math.exp(p[0])


def _pow4(x, p, span):
    offset = math.exp(-span * p[1])
    return ((x + offset) / (1 + offset)) ** -math.exp(p[0])


def _mmf4(x, p, span):
    pace = math.exp(p[0])
    turn = math.exp(span * p[1] * pace)
    return (1 + turn) / (1 + turn * x ** pace)


def _log(x, p, span):
    return 1 - 0.3 * math.log(x)  # alpha and gamma make any slope up to 0.3 of it


POWERS = (math.log(0.03), math.log(3.0))
FAMILIES = {"pow3": Family(1.0, ((*POWERS, 16),), _pow3),
            "pow4": Family(0.3, ((*POWERS, 12), (0.1, 1.0, 4)), _pow4),  # a soft start
            "mmf4": Family(0.1, ((math.log(0.1), math.log(3.0), 12), (0.05, 1.0, 4)), _mmf4),  # from level to level
            "log": Family(0.1, (), _log)}  # no asymptote


def average_curves(points, families=tuple(FAMILIES), drift=DRIFT, starts=None):
    """The Average of the curves that fit Points (power_law); `starts` are the first sizes tried, as indices."""
    noise = noise_of(points, drift)
    count = len(points.sizes)
    starts = _starts(count) if starts is None else starts
    span = math.log(points.sizes[-1] / points.sizes[0])
    found = [curve for name in families for curve in _family_curves(name, points, noise, starts, span)]
    law = _weighed([curve for curve in found if curve[2].family == "pow3"])
    weights = [sum(weight for weight, begin, _ in law if begin == start) for start in starts]
    first = next(start for start, weight in zip(starts, weights) if weight >= CLEARLY * max(weights))
    return Average(_drawn(_weighed(found), span), span, points.sizes[-1], STRAY if drift else 0.0, first)


def _weighed(found):
    """Curves with their weights instead of the logarithms, without those that weigh next to nothing."""
    top = max(weight for weight, _, _ in found)
    return [(math.exp(weight - top), start, draw) for weight, start, draw in found if weight > top - LIKELY - 2]


def stray_at(average, x):
    """Relative standard deviation of a true curve from its family at x times the largest size.

    The exponent of a curve, its slope in logarithms, wanders as Brownian motion does, the curve as the integral of that,
    whose standard deviation grows as distance**1.5: the process behind smoothing splines (Wahba, J. R. Stat. Soc. B
    40:364, 1978). Growth with the distance itself gave bands too wide at twice the data and too narrow at eight times.
    """
    return average.stray * max(0.0, math.log(x)) ** 1.5


def quantiles(average, size, shares):
    """Errors at `size` below which these shares (growing) of the averaged curves lie."""
    x = size / average.largest
    stray = stray_at(average, x)
    values = []
    for draw in average.draws:
        h = FAMILIES[draw.family].shape(x, draw.parameters, average.span)
        middle = draw.alpha * h + draw.gamma
        if middle > 0:
            spread = math.hypot(draw.spread * h / middle, stray)
            values += [(math.log(middle) + z * spread, weight) for z, weight in NORMAL]
    return _weighted_quantiles(values, shares)


def prediction(average, size):
    """The median of the averaged curves at `size`, the favoured ones among them."""
    return quantiles(with_favoured(average), size, (0.5,))[0]


def with_favoured(average):
    return average._replace(draws=average.draws + average.favoured, favoured=[])


def asymptotes(average):
    """(low, high) that 95 % of the averaged curves level off between; a logarithmic curve counts by its error at BEYOND.

    Each is wider by what a true curve strays in BEYOND times the data.
    """
    log_there = FAMILIES["log"].shape(BEYOND, (), average.span)
    levels = [max(0.0, draw.gamma + (draw.alpha * log_there if draw.family == "log" else 0.0)) for draw in average.draws]
    ends = _weighted_quantiles([(level, 1) for level in levels], (0.025, 0.975), float)
    stray = math.exp(1.96 * stray_at(average, BEYOND))
    return ends[0] / stray, ends[1] * stray


def _weighted_quantiles(values, shares, back=math.exp):
    values = sorted(values)
    total, below, found = sum(weight for _, weight in values), 0.0, []
    for value, weight in values:
        below += weight
        while len(found) < len(shares) and below >= shares[len(found)] * total:
            found.append(back(value))
    return found


# Noise

def noise_of(points, drift=DRIFT):
    """The Noise of the medians, from what is left of the values once their size and their split are taken off.

    Splits share a level, so raw spread between them is not noise; neighbouring sizes share rows, so what is left is
    correlated. Taken as an Ornstein-Uhlenbeck process in log(size): correlation exp(-distance / memory), of the
    memories tried the one with the largest likelihood. A true curve strays from any family by `drift`, which adds to
    the noise away from the largest size: the tail decides about what lies beyond it.
    """
    logs = [math.log(size / points.sizes[-1]) for size in points.sizes]
    counts = [sum(value is not None for value in row) for row in points.rest]
    splits = max(counts)
    sds = [min(20.0, math.exp(-GROWTH * x)) for x in logs]
    value, freedom, memory = _noise_of_a_value(points.rest, logs, sds, splits)
    variance = value / (splits if splits < 3 else splits / (math.pi / 2)) + FLOOR ** 2 if freedom > 1 else value
    sds = [math.sqrt(sd * sd * splits / count + (drift * x) ** 2 / variance) for sd, count, x in zip(sds, counts, logs)]
    return Noise(variance, min(freedom, MOST_FREEDOM), sds, _kept(logs, memory), EARLY if drift else EARLY_NO_DRIFT)


def _noise_of_a_value(rest, logs, sds, splits):
    """(variance at the largest size, degrees of freedom, memory) of one split's value."""
    if splits < 2:
        return ONE_SPLIT[0] ** 2, ONE_SPLIT[1], MEMORY
    tried = [_likelihood(rest, logs, sds, splits, memory) for memory in (SPLIT_MEMORIES if splits > 2 else (MEMORY,))]
    return max(tried)[1:]


def _likelihood(rest, logs, sds, splits, memory):
    """(log likelihood, variance, degrees of freedom, memory), the splits' levels left free."""
    squares, determinant, count = 0.0, 0.0, 0
    for split in range(splits):
        there = [i for i, row in enumerate(rest) if split < len(row) and row[split] is not None]
        if len(there) > 1:
            noise = Noise(1.0, 0.0, [sds[i] for i in there], _kept([logs[i] for i in there], memory))
            ones, values = whitened(noise, [1.0] * len(there)), whitened(noise, [rest[i][split] for i in there])
            level = sum(a * a for a in ones)
            squares += sum(v * v for v in values) - sum(a * v for a, v in zip(ones, values)) ** 2 / level
            determinant += sum(math.log(1 - kept * kept) for kept in noise.kept) + math.log(level)
            count += len(there) - 1
    freedom = max(1.0, count * (splits - 1) / splits)
    variance = max(squares / freedom, 1e-10)
    return -(freedom * math.log(variance) + determinant * (splits - 1) / splits) / 2, variance, freedom + 1, memory


def _kept(logs, memory):
    return [math.exp(-(after - x) / memory) if memory else 0.0 for x, after in zip(logs, logs[1:])] + [0.0]


def whitened(noise, values):
    """`values` per size as uncorrelated ones of equal variance: each but the largest size's less what the next tells."""
    scaled = [value / sd for value, sd in zip(values, noise.sds)]
    return [(value - kept * after) / math.sqrt(1 - kept * kept)
            for value, kept, after in zip(scaled, noise.kept, scaled[1:] + [0.0])]


# Curves

def _starts(count):
    last = max(0, count - 4)
    return sorted({round(i * last / (STARTS - 1)) for i in range(STARTS)})


def _family_curves(name, points, noise, starts, span):
    """[(log weight, start, Draw)] of a family: cells of its box, those that weigh cut in three until there are many."""
    family = FAMILIES[name]
    cells, widths = [()], []
    for low, high, count in family.box:
        widths.append((high - low) / count)
        cells = [cell + (low + (i + 0.5) * widths[-1],) for cell in cells for i in range(count)]
    share = math.log(family.weight / len(cells))
    while True:
        fitted = [_fitted(name, cell, points, noise, starts, span) for cell in cells]
        top = max(curves[0][0] for curves in fitted)
        likely = [(cell, curves) for cell, curves in zip(cells, fitted) if curves[0][0] > top - LIKELY]
        if not widths or len(likely) * 3 ** len(widths) > CELLS or max(widths) < 0.002:
            return [(weight + share, start, draw) for _, curves in likely for weight, start, draw in curves]
        share -= len(widths) * math.log(3)
        widths = [width / 3 for width in widths]
        cells = [cell for middle, _ in likely for cell in _thirds(middle, widths)]


def _thirds(middle, widths):
    cells = [()]
    for value, width in zip(middle, widths):
        cells = [cell + (value + step * width,) for cell in cells for step in (-1, 0, 1)]
    return cells


def _fitted(name, parameters, points, noise, starts, span):
    """[(log weight, start, Draw)], the best first, of one shape: least squares for alpha and gamma from every start."""
    shape, largest = FAMILIES[name].shape, points.sizes[-1]
    relative = [shape(size / largest, parameters, span) / y for size, y in zip(points.sizes, points.medians)]
    sums = _sums(whitened(noise, relative), whitened(noise, [1 / y for y in points.medians]),
                 whitened(noise, [1.0] * len(relative)))
    curves = []
    for start in starts:
        rated = [late + (every - late) / noise.early ** 2 for late, every in zip(sums[start], sums[0])]
        for weight, alpha, gamma, spread in _solutions(rated, len(relative), noise):
            curves.append((weight - start * math.log(noise.early), start, Draw(name, parameters, alpha, gamma, spread)))
    return sorted(curves, key=lambda curve: -curve[0]) or [(-math.inf, 0, None)]


def _sums(a, b, z):
    """Per size the sums over it and all larger ones of aa, ab, bb, az, bz, zz."""
    total, sums = (0.0,) * 6, []
    for u, v, w in zip(reversed(a), reversed(b), reversed(z)):
        total = tuple(t + s for t, s in zip(total, (u * u, u * v, v * v, u * w, v * w, w * w)))
        sums.append(total)
    return sums[::-1]


def _squares(sums, alpha, gamma):
    aa, ab, bb, az, bz, zz = sums
    return max(0.0, zz - 2 * alpha * az - 2 * gamma * bz + alpha * alpha * aa + 2 * alpha * gamma * ab + gamma * gamma * bb)


def _solutions(sums, count, noise):
    """(log weight, alpha, gamma, spread of alpha) at NODES values of gamma: its normal distribution cut at 0 and level.

    The noise's variance is integrated out under the splits' own estimate of it (a scaled inverse chi-squared prior).
    """
    aa, ab, bb, az, bz, _ = sums
    determinant = aa * bb - ab * ab
    if determinant <= 1e-12 * aa * bb:
        return
    alpha, gamma = (az * bb - bz * ab) / determinant, (bz * aa - az * ab) / determinant
    best = (az / aa, 0.0) if gamma < 0 else (0.0, bz / bb) if alpha < 0 else (alpha, gamma)
    left, freedom = noise.freedom * noise.variance + _squares(sums, *best), noise.freedom + count - 2
    sd, spread = math.sqrt(aa / determinant * left / freedom), math.sqrt(left / freedom / aa)
    first, step, top = _nodes(-gamma / sd, alpha / sd)
    weight = -freedom / 2 * math.log(left) - math.log(determinant) / 2 + math.log(step)
    tails = math.sqrt(freedom / max(freedom - 2, 1.0))  # of Student's distribution
    for i in range(NODES):
        z = first + (i + 0.5) * step
        yield (weight + (top * top - z * z) / 2, alpha - ab / aa * z * sd, gamma + z * sd, spread * tails)


def _nodes(low, high):
    """(first, step, likeliest) of the standard normal distribution between low and high."""
    high = max(high, low + 1e-9)
    if low > 0:
        return low, min(high - low, 8 / max(low, 0.5), 6.0) / NODES, low
    if high < 0:
        width = min(high - low, 8 / max(-high, 0.5), 6.0)
        return high - width, width / NODES, high
    low, high = max(low, -4.0), min(high, 4.0)
    return low, (high - low) / NODES, 0.0


def _drawn(found, span):
    """DRAWS curves, as many of each as it weighs, evenly through what they say of eight times the data."""
    def ahead(curve):
        draw = curve[2]
        return draw.alpha * FAMILIES[draw.family].shape(8.0, draw.parameters, span) + draw.gamma
    step, below, draws = sum(weight for weight, _, _ in found) / DRAWS, 0.0, []
    for weight, _, draw in sorted(found, key=ahead):
        below += weight
        draws += [draw] * (int(below / step + 0.5) - len(draws))
    return draws
