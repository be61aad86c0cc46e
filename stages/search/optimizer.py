"""optimizer: proposes the hyperparameters of the next trial.

    search space and history -> points of the unit cube (space)
      -> a space-filling start, then a Gaussian process (gaussian_process) of the values so far
      -> the candidate with the largest expected improvement -> a dict of parameters

Example:
    space = [{"name": "x", "type": "float", "min": 0, "max": 1}]
    suggest(normalise_space(space), [({"x": 0.5}, 2.0), ({"x": 0.1}, None)], seed=1, trial=2)

Everything here is pure: no files, no clock, the same arguments give the same answer.
Method: expected improvement of Jones, Schonlau and Welch (J. Global Optimization 13, 1998),
running trials as kriging believers (Ginsbourger, Le Riche and Carraro, 2010).
"""

import itertools
import math
import random

from stages.search import gaussian_process
from stages.search.space import (entry_size, snap, space_size, to_params, to_unit, to_units,
                                values_of)

START = 12           # trials of the space-filling start, the defaults included
FEWEST = 3           # finished trials that the model needs
MOST = 150           # finished trials that the model looks at, and a third as many running ones
FITTED = 50          # of these, how many the length scales are fitted on
GLOBAL = 200         # candidates all over the cube
LOCAL = 30           # candidates around each of the best points
NEAR = (0.2, 0.07, 0.02)   # widths of the steps to local candidates
CENTRES = 5          # best points that get local candidates
ROUNDS = 4           # of refinement of the best candidates
STEPS = 6            # candidates a round around each of the best
WINSOR = 5.0         # how far bad values may lie above the median, in (median - best)
JITTER = 0.3         # deviation of the log of each length scale about the fitted one
ROOT_2PI = math.sqrt(2.0 * math.pi)
ENUMERATED = 1000    # a space of at most so many points is scored whole


class SpaceExhausted(Exception):
    """Every point of a discrete space has been tried."""


def suggest(space, history, seed, trial):
    """Return the parameters of the next trial, {name: value}.

    space: list of entries, as space.normalise_space returns them.
    history: list of (params, value), lower is better; value is None for a trial that is
    running, and nan or inf for one that failed, which counts as the worst so far.
    trial: its number, which spreads trials of the start that see the same history.
    Raises SpaceExhausted if a discrete space has no new point.
    """
    study = Study(space, history, seed, trial)
    if trial < START or len(study.finished) < FEWEST:
        return study.new_params(study.filling_point())
    return study.new_params(model_point(study))


def random_point(space, history, seed, trial):
    """Return the parameters of the next trial of a random search; the rest as suggest."""
    study = Study(space, history, seed, trial)
    return study.new_params(study.random_point(study.own_random) if trial else study.default)


SEARCHES = {"auto": suggest, "random": random_point}


# ---- history

class Study:
    """The arguments of suggest, in the unit cube.

    finished: list of (point, value), failures at the worst value; running: list of points;
    taken: keys of all these points.
    """

    def __init__(self, space, history, seed, trial):
        self.space, self.seed, self.trial = space, seed, trial
        self.random = random.Random(f"{seed} {len(history)}")
        self.own_random = random.Random(f"{seed} {trial} {len(history)}")
        self.categorical = [entry["type"] == "categorical" for entry in space]
        self.default = tuple([to_unit(entry, entry["default"]) for entry in space])
        placed = [(to_units(space, params), value) for params, value in history]
        placed = [(point, value) for point, value in placed if point is not None]
        self.running = [point for point, value in placed if value is None]
        self.finished = failures_as_worst([pair for pair in placed if pair[1] is not None])
        self.taken = {key(point) for point, _ in placed}
        self.size = space_size(space)
        if len(self.taken) >= self.size:
            raise SpaceExhausted(f"all {self.size} points of the search space have been tried")

    def random_point(self, generator):
        return snap(self.space, [generator.random() for _ in self.space])

    def new_params(self, point):
        """Return the parameters at a point, or at a random or the first one not tried yet."""
        for _ in range(100):
            if key(point) not in self.taken:
                break
            point = self.random_point(self.own_random)
        else:
            point = next(other for other in every_point(self.space) if key(other) not in self.taken)
        return to_params(self.space, point)

    def filling_point(self):
        """Return this trial's point of the space-filling start: the defaults, then Halton's points.

        Counts points that differ, so that no two trial numbers share one while there are enough.
        """
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


def failures_as_worst(finished):
    """Return the (point, value) pairs, a failure at the worst value; [] if all failed."""
    values = [value for _, value in finished if math.isfinite(value)]
    return [(point, value if math.isfinite(value) else max(values))
            for point, value in finished if values]


def every_point(space):
    """Return an iterator over all points of a discrete space."""
    return itertools.product(*[[to_unit(entry, value) for value in values_of(entry)]
                               for entry in space])


def halton(number, dimensions, seed):
    """Return point `number` of a Halton sequence with randomly permuted digits.

    Owen, A randomized Halton algorithm in R, 2017: the permutations depend on the seed alone,
    so trials that know nothing of each other take points of one well spread set.
    """
    generator = random.Random(f"halton {seed}")
    return [radical_inverse(number, prime, generator) for prime in first_primes(dimensions)]


def radical_inverse(number, prime, generator):
    """Return the number with its digits in base `prime` permuted and mirrored at the point."""
    unit, width = 0.0, 1.0
    while width > 1e-6:
        permuted = sorted(range(prime), key=lambda digit: generator.random())
        width = width / prime
        unit += permuted[number % prime] * width
        number //= prime
    return unit


def first_primes(count):
    primes, candidate = [], 2
    while len(primes) < count:
        if all(candidate % prime for prime in primes):
            primes.append(candidate)
        candidate += 1
    return primes


# ---- the model

def model_point(study):
    """Return the point with the largest expected improvement that has not been tried."""
    model, points = fitted_model(study)
    return best_candidate(study, model.believe(study.running[-MOST // 3:]), points)


def fitted_model(study):
    """Return the Gaussian process of the finished trials, and the points it knows."""
    values = transformed([value for _, value in study.finished])
    points = [point for point, _ in study.finished]
    scales, noise = gaussian_process.fit_scales(*informative(points, values, FITTED),
                                                study.categorical)
    scales = [scale * math.exp(JITTER * study.random.gauss(0.0, 1.0)) for scale in scales]
    points, values = informative(points, values, MOST)
    model = gaussian_process.GaussianProcess(points, values, study.categorical, scales, noise)
    return model, points


def transformed(values):
    """Return the values with bad ones pulled in, of standard deviation 1.

    Winsorised: nothing lies farther above the median than WINSOR times the best lies below it.
    A training that diverges says that it is bad; how bad would hide all other differences.
    """
    size = max(map(abs, values)) or 1.0
    values = [value / size for value in values]
    ordered = sorted(values)
    low, middle = ordered[0], ordered[len(ordered) // 2]
    high = middle + WINSOR * (middle - low) if middle > low else ordered[-1]
    values = centred([min(value, high) for value in values])
    deviation = math.sqrt(sum(value * value for value in values) / len(values))
    return [value / (deviation or 1.0) for value in values]


def centred(values):
    mean = sum(values) / len(values)
    return [value - mean for value in values]


def informative(points, values, count):
    """Return at most `count` points and their values about 0: the best half and the newest."""
    best = set(sorted(range(len(values)), key=values.__getitem__)[:count // 2])
    others = [index for index in range(len(values)) if index not in best]
    chosen = sorted(best) + others[-(count - len(best)):]
    return [points[index] for index in chosen], centred([values[index] for index in chosen])


# ---- the candidates

def best_candidate(study, model, points):
    """Return the candidate with the largest expected improvement over the best predicted mean."""
    means = model.means(points)
    order = sorted(range(len(points)), key=means.__getitem__)
    best = means[order[0]]
    if study.size <= ENUMERATED:
        return ranked(study, model, best, every_point(study.space))[0][1]
    candidates = [study.random_point(study.random) for _ in range(GLOBAL)]
    candidates += [neighbour(study, points[index], NEAR[number % len(NEAR)])
                   for index in order[:CENTRES] for number in range(LOCAL)]
    scored = refined(study, model, best, ranked(study, model, best, candidates))
    return scored[0][1] if scored else study.default


def refined(study, model, best, scored):
    """Return the best scored candidates after a few rounds of ever smaller steps from them."""
    for number in range(ROUNDS):
        width = 0.1 * 0.4 ** number
        candidates = [neighbour(study, point, width)
                      for _, point in scored[:CENTRES] for _ in range(STEPS)]
        scored = sorted(scored[:CENTRES] + ranked(study, model, best, candidates), reverse=True)
    return scored


def neighbour(study, point, width):
    """Return a point with some dimensions moved, at least to a next whole number or choice."""
    generator, chance = study.random, max(0.3, 1.5 / len(point))
    moved = []
    for entry, unit in zip(study.space, point):
        if generator.random() > chance:
            moved.append(unit)
        elif entry["type"] == "categorical":
            moved.append(generator.random())
        else:
            step = max(width, 0.7 / entry_size(entry))
            moved.append(min(1.0, max(0.0, unit + step * generator.gauss(0.0, 1.0))))
    return snap(study.space, moved)


def ranked(study, model, best, candidates):
    """Return (log expected improvement, point) of the candidates not tried yet, the best first."""
    fresh = list({key(point): point for point in candidates
                  if key(point) not in study.taken}.values())
    means, deviations = model.predict(fresh)
    return sorted([(log_improvement((best - mean) / deviation) + math.log(deviation), point)
                   for mean, deviation, point in zip(means, deviations, fresh)], reverse=True)


def log_improvement(z):
    """Return the log of phi(z) + z Phi(z), the expected improvement over 0 of a normal variable.

    Jones, Schonlau and Welch, 1998. Far below 0 the exponential underflows; there its asymptotic
    form stands (Ament et al., Unexpected improvements to expected improvement, 2023).
    """
    if z > -20.0:
        density = math.exp(-0.5 * z * z) / ROOT_2PI
        return math.log(density + 0.5 * z * math.erfc(-z / math.sqrt(2.0)))
    return -0.5 * z * z - math.log(ROOT_2PI * (z * z + 3.0 - 6.0 / (z * z)))
