"""optimizer: proposes the hyperparameters of the next trial.

    search space and history -> points of the unit cube (space)
      -> a space-filling start, then a Gaussian process (gaussian_process) of the values so far
      -> the candidate with the largest expected improvement -> a dict of parameters

Everything here is pure: no files, no clock, the same arguments give the same answer.
Method: expected improvement of Jones, Schonlau and Welch (J. Global Optimization 13, 1998),
running trials as kriging believers (Ginsbourger, Le Riche and Carraro, 2010).
"""
import random
from itertools import count, islice, product
from math import erfc, exp, isfinite, log, pi, sqrt
from operator import itemgetter
from statistics import median_high

from stages.search import gaussian_process
from stages.search.space import snap, space_size, to_params, to_unit, to_units, values_of

START = 12           # trials of the space-filling start, the defaults included
FEWEST = 3           # finished trials that the model needs
MOST = 150           # finished trials that the model looks at, and a third as many running ones
FITTED = 50          # of these, how many the length scales are fitted on
GLOBAL = 200         # candidates all over the cube
NEAR = (0.2, 0.07, 0.02) * 10   # widths of the steps to candidates around each of the best
CENTRES = 5          # best points that get local candidates
ROUNDS = 4           # of refinement of the best candidates
STEPS = 6            # candidates a round around each of the best
WINSOR = 5.0         # how far bad values may lie above the median, in (median - best)
JITTER = 0.3         # deviation of the log of each length scale about the fitted one
ROOT_2PI = sqrt(2.0 * pi)
ENUMERATED = 1000    # a space of at most so many points is scored whole


def suggest(space, history, seed, trial, search="auto"):
    """Return the parameters of the next trial, {name: value}.

    space: as space.normalise_space returns it. history: list of (params, value), lower is better;
    value is None for a trial that is running, and nan or inf for one that failed, which counts as
    the worst so far. trial: its number, which spreads trials of the start that see the same
    history. search: random draws points all over the space, auto learns from the history.
    Raises ValueError if a discrete space has no new point.
    """
    study = Study(space, history, seed, trial)
    if search == "random" and trial:
        point = study.random_point(study.own_random)
    elif trial < START or len(study.finished) < FEWEST:
        point = study.filling_point()
    else:
        point = model_point(study)
    while key(point) in study.taken:
        point = study.random_point(study.own_random)
    return to_params(space, point)


class Study:
    """The arguments of suggest, in the unit cube. finished: list of (point, value), failures at the
    worst value, none if all failed; running: list of points; taken: keys of all these points."""

    def __init__(self, space, history, seed, trial):
        self.space, self.seed, self.trial = space, seed, trial
        self.random = random.Random(f"{seed} {len(history)}")
        self.own_random = random.Random(f"{seed} {trial} {len(history)}")
        self.categorical = [entry["type"] == "categorical" for entry in space]
        self.default = tuple(to_unit(entry, entry["default"]) for entry in space)
        placed = [(to_units(space, params), value) for params, value in history]
        placed = [pair for pair in placed if pair[0]]
        self.running = [point for point, value in placed if value is None]
        done = [pair for pair in placed if pair[1] is not None]
        finite = [value for _, value in done if isfinite(value)]
        self.finished = [(point, value if isfinite(value) else max(finite))
                         for point, value in done if finite]
        self.taken = {key(point) for point, _ in placed}
        self.size = space_size(space)
        if len(self.taken) >= self.size:
            raise ValueError(f"all {self.size} points of the search space have been tried")

    def random_point(self, generator):
        return snap(self.space, [generator.random() for _ in self.space])

    def filling_point(self):
        """Return this trial's point of the start: the defaults, then Halton's points; only points
        that differ count, so that no two trial numbers share one while there are enough."""
        point, seen = self.default, {key(self.default)}
        for number in range(1, 20 * self.trial + 1):
            if len(seen) > self.trial:
                break
            point = snap(self.space, halton(number, len(self.space), self.seed))
            seen.add(key(point))
        return point


def key(point):
    """Return the coordinates to five digits; points with equal keys are one point."""
    return tuple([int(unit * 1e5 + 0.5) for unit in point])


def halton(number, dimensions, seed):
    """Return point `number` of a Halton sequence with digits permuted by the seed alone (Owen, A
    randomized Halton algorithm in R, 2017), so that trials that know nothing of each other take
    points of one well spread set."""
    generator, units = random.Random(f"halton {seed}"), []
    primes = (each for each in count(2) if all(each % other for other in range(2, each)))
    for prime in islice(primes, dimensions):    # digits in this base, mirrored at the point
        unit, width, left = 0.0, 1.0, number
        while width > 1e-6:
            permuted = sorted(range(prime), key=lambda digit: generator.random())
            width = width / prime
            unit += permuted[left % prime] * width
            left //= prime
        units.append(unit)
    return units


def model_point(study):
    """Return the point with the largest expected improvement that has not been tried."""
    points, values = zip(*study.finished)
    known = list(zip(points, transformed(values)))
    scales, noise = gaussian_process.fit_scales(*informative(known, FITTED), study.categorical)
    scales = [scale * exp(JITTER * study.random.gauss(0.0, 1.0)) for scale in scales]
    points, values = informative(known, MOST)
    model = gaussian_process.GaussianProcess(points, values, study.categorical, scales, noise)
    return best_candidate(study, model.believe(study.running[-MOST // 3:]), points)


def transformed(values):
    """Return the values with standard deviation 1, winsorised: none lies farther above the median
    than WINSOR times the best lies below it. A training that diverges says that it is bad; how bad
    would hide all other differences."""
    size = max(map(abs, values)) or 1.0
    values = [value / size for value in values]
    low, middle = min(values), median_high(values)
    high = middle + WINSOR * (middle - low) if middle > low else max(values)
    values = centred([min(value, high) for value in values])
    deviation = sqrt(sum(value * value for value in values) / len(values))
    return [value / (deviation or 1.0) for value in values]


def centred(values):
    mean = sum(values) / len(values)
    return [value - mean for value in values]


def informative(known, most):
    """Return points and values about 0 of at most `most` pairs: the best half and the newest."""
    best = sorted(known, key=itemgetter(1))[:most // 2]
    others = [pair for pair in known if pair not in best]
    chosen = [pair for pair in known if pair in best] + others[len(best) - most:]
    return [point for point, _ in chosen], centred([value for _, value in chosen])


def best_candidate(study, model, points):
    """Return the candidate with the largest expected improvement over the best predicted mean."""
    known = sorted(zip(map(model.mean, points), points), key=itemgetter(0))
    best = known[0][0]
    if study.size <= ENUMERATED:
        candidates = product(*[[to_unit(entry, value) for value in values_of(entry)]
                               for entry in study.space])
    else:
        candidates = [study.random_point(study.random) for _ in range(GLOBAL)]
        candidates += [neighbour(study, point, width)
                       for _, point in known[:CENTRES] for width in NEAR]
    scored = ranked(study, model, best, candidates)
    for number in range(ROUNDS):    # ever smaller steps from the best
        candidates = [neighbour(study, point, 0.1 * 0.4 ** number)
                      for _, point in scored[:CENTRES] for _ in range(STEPS)]
        scored = sorted(scored[:CENTRES] + ranked(study, model, best, candidates), reverse=True)
    return scored[0][1] if scored else study.default


def neighbour(study, point, width):
    """Return a point with some dimensions moved, at least to a next whole number or choice."""
    generator, chance = study.random, max(0.3, 1.5 / len(point))
    moved = []
    for entry, unit in zip(study.space, point):
        if generator.random() <= chance:
            if entry["type"] == "categorical":
                unit = generator.random()
            else:
                step = max(width, 0.7 / space_size([entry]))
                unit = min(1.0, max(0.0, unit + step * generator.gauss(0.0, 1.0)))
        moved.append(unit)
    return snap(study.space, moved)


def ranked(study, model, best, candidates):
    """Return (log expected improvement, point) of the candidates not tried yet, the best first."""
    fresh = {key(point): point for point in candidates if key(point) not in study.taken}
    scored = []
    for point in fresh.values():
        mean, deviation = model.predict(point)
        scored.append((log_improvement((best - mean) / deviation) + log(deviation), point))
    return sorted(scored, reverse=True)


def log_improvement(z):
    """Return the log of phi(z) + z Phi(z), the expected improvement over 0 of a normal variable
    (Jones, Schonlau and Welch, 1998). Far below 0, where the exponential underflows, in its
    asymptotic form (Ament et al., Unexpected improvements to expected improvement, 2023)."""
    if z > -20.0:
        density = exp(-0.5 * z * z) / ROOT_2PI
        return log(density + 0.5 * z * erfc(-z / sqrt(2.0)))
    return -0.5 * z * z - log(ROOT_2PI * (z * z + 3.0 - 6.0 / (z * z)))
