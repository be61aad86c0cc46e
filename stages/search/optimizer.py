"""optimizer: proposes the hyperparameters of the next trial.

Data flow: search space and history -> points of the unit cube (hpo_space)
  -> a space-filling start, then a Gaussian process (gaussian_process) of the values so far
  -> the candidate with the largest expected improvement -> a dict of parameters.

Example:
    suggest([{"name": "x", "type": "float", "min": 0, "max": 1}], [({"x": 0.5}, 2.0), ({"x": 0.1}, None)], seed=1)

Everything here is pure: no files, no clock, the same arguments give the same answer.
Method: expected improvement of Jones, Schonlau and Welch (J. Global Optimization 13, 1998),
running trials as kriging believers (Ginsbourger, Le Riche and Carraro, 2010). With a prior, the
improvement is weighted by a prior around the defaults that fades as trials end: pi-BO (Hvarfner et
al., ICLR 2022, arXiv 2204.11051).
"""

import itertools
import math
import random

from search import gaussian_process
from search import space as hpo_space

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
UNSEEN = 16          # trials that started beside this one and cannot be seen yet, at most
WINSOR = 5.0         # how far bad values may lie above the median, in (median - best)
JITTER = 0.3         # deviation of the log of each length scale about the fitted one
ROOT_2PI = math.sqrt(2.0 * math.pi)
ENUMERATED = 1000    # a space of at most so many points is looked at whole
PRIOR_WIDTH = 0.2    # deviation of the prior around a default, in widths of the cube
PRIOR_OTHER = -1.0   # log of the prior of another choice than the default, relative to it
PRIOR_TRIALS = 10.0  # the prior's weight is this divided by the finished trials; pi-BO's beta
PRIOR_OF = 3         # one of so many trials of the start is drawn around the defaults
CELLS = 50           # steps in which a range's prior is summed


class SpaceExhausted(Exception):
    """Every point of a discrete space has been tried."""


def suggest(space, history, seed, known=(), prior=False):
    """Return the parameters of the next trial, {name: value}.

    space: list of entries in one of the formats of hpo_space.normalise_space.
    history: list of (params, value), lower is better; value is None for a trial that is
    running, and nan or inf for one that failed, which counts as the worst so far.
    seed: an int, or (int, trial number). Trials that start in the same second see the same
    history; with their number in the seed they get different points.
    known: what other searches have found, as history; their points are not proposed again.
    prior: whether the defaults are believed to be good, until most trials are better than they are;
    some of the start is then drawn around them.
    Raises hpo_space.SpaceError, and SpaceExhausted where a discrete space has no new point.
    """
    study = Study(space, history, seed, known, prior)
    defaults_first = study.trial == 0 and key(study.default) not in study.taken
    if defaults_first or study.trial + len(known) < START or len(study.finished) < FEWEST:
        return study.params(study.new_point(study.filling_point()))
    return study.params(model_point(study))


def random_point(space, history, seed, known=(), prior=False):
    """Return the parameters of the next trial of a random search; arguments and errors as suggest. It needs no prior."""
    study = Study(space, history, seed, known)
    return study.params(study.new_point(study.default if study.trial == 0 else study.random_point(study.own_random)))


def grid_point(space, history, seed, known=(), prior=False):
    """Return the parameters of the next trial of a grid search; arguments and errors as suggest. It needs no prior."""
    study = Study(space, [], seed, known)
    trial = study.trial if isinstance(seed, (tuple, list)) else len(history)
    new = (params for params in grid_points(space) if key(hpo_space.to_units(study.space, params)) not in study.taken)
    for params in itertools.islice(new, trial, trial + 1):
        return params
    raise SpaceExhausted("all points of the grid have been tried")


def grid_points(space, levels=5):
    """Yield the parameters at every point of a grid: all choices of a choice, and at most
    `levels` values of a range, from end to end on its scale. The last parameter changes first."""
    entries = hpo_space.normalise_space(space)
    axes = [list(dict.fromkeys(hpo_space.from_unit(entry, level / (levels - 1.0)) for level in range(levels)))
            if "min" in entry else entry["choices"] for entry in entries]
    for values in itertools.product(*axes):
        yield {entry["name"]: value for entry, value in zip(entries, values)}


# ---- what is known

class Study:
    """The arguments of suggest, in the unit cube.

    finished: list of (point, value), failures at the worst value; running: list of points;
    taken: keys of all these points; unseen: how many trials started before this one and are
    not in the history yet.
    """

    def __init__(self, space, history, seed, known=(), prior=False):
        self.space = hpo_space.normalise_space(space)
        self.seed, self.trial = seed if isinstance(seed, (tuple, list)) else (seed, len(history))
        self.unseen = max(0, min(UNSEEN, self.trial - len(history)))
        self.random = random.Random("%s %s" % (self.seed, len(history)))
        self.own_random = random.Random("%s %s %s" % (self.seed, self.trial, len(history)))
        self.categorical = [entry["type"] == "categorical" for entry in self.space]
        self.default = hpo_space.to_units(self.space, {entry["name"]: entry["default"] for entry in self.space})
        self.size = hpo_space.space_size(self.space)
        placed = [(hpo_space.to_units(self.space, params), value) for params, value in [*known, *history]]
        placed = [(point, value) for point, value in placed if point is not None]
        self.running = [point for point, value in placed if value is None]
        self.finished = failures_as_worst([pair for pair in placed if pair[1] is not None])
        self.prior = prior and not self.default_is_poor()
        self.taken = {key(point) for point, _ in placed}
        if len(self.taken) >= self.size:
            raise self.exhausted()

    def default_is_poor(self):
        """Whether the defaults were tried, and more than half of the finished trials are better."""
        tried = [value for point, value in self.finished if key(point) == key(self.default)]
        return bool(tried) and 2 * sum(value < tried[0] for _, value in self.finished) > len(self.finished)

    def exhausted(self):
        return SpaceExhausted("all %d points of the search space have been tried" % self.size)

    def params(self, point):
        return hpo_space.to_params(self.space, point)

    def random_point(self, generator):
        return hpo_space.snap(self.space, [generator.random() for _ in self.space])

    def new_point(self, point):
        """Return the point, or a random one, or the first one, that has not been tried."""
        for _ in range(100):
            if key(point) not in self.taken:
                return point
            point = self.random_point(self.own_random)
        return next(point for point in every_point(self.space) if key(point) not in self.taken)

    def filling_point(self):
        """Return this trial's point of the space-filling start: the defaults, then Halton's points.

        Counts points that differ, so that no two trial numbers share one while there are enough.
        """
        point, seen = self.default, {key(self.default)}
        for number in range(1, 20 * self.trial + 1):
            if len(seen) > self.trial:
                break
            units = halton(number, len(self.space), self.seed)
            near = self.prior and number % PRIOR_OF == 0
            point = hpo_space.snap(self.space, self.drawn_to_defaults(units) if near else units)
            seen.add(key(point))
        return point

    def drawn_to_defaults(self, units):
        """Return the point whose coordinates have these shares of the prior below them."""
        return [prior_quantile(entry, default, unit) for entry, default, unit in zip(self.space, self.default, units)]

    def prior_weight(self, point):
        """Return the log of the factor by which the prior weights the improvement at a point."""
        logs = [log_prior(entry, default, unit) for entry, default, unit in zip(self.space, self.default, point)]
        return sum(logs) * PRIOR_TRIALS / len(self.finished) if self.prior else 0.0


def key(point):
    """Return what two points have in common that are one: their place to five digits."""
    return tuple([int(unit * 1e5 + 0.5) for unit in point])


def failures_as_worst(finished):
    """Return the (point, value) pairs with the worst finite value for a failure; [] if all failed."""
    values = [value for _, value in finished if math.isfinite(value)]
    return [(point, value if math.isfinite(value) else max(values)) for point, value in finished] if values else []


def every_point(space):
    """Return an iterator over all points of a discrete space."""
    axes = [[(number + 0.5) / hpo_space.entry_size(entry) for number in range(hpo_space.entry_size(entry))]
            if entry["type"] == "float" or not entry.get("log_uniform") else
            [hpo_space.to_unit(entry, value) for value in range(entry["min"], entry["max"] + 1)]
            for entry in space]
    return itertools.product(*axes)


def log_prior(entry, default, unit):
    """Return the log of the prior of an entry at `unit`, 0 at its default."""
    if entry["type"] == "categorical":
        return 0.0 if abs(unit - default) * hpo_space.entry_size(entry) < 0.5 else PRIOR_OTHER
    return -0.5 * ((unit - default) / PRIOR_WIDTH) ** 2


def prior_quantile(entry, default, share):
    """Return the unit below which this share of an entry's prior lies."""
    cells = hpo_space.entry_size(entry) if "choices" in entry else CELLS
    weights = [math.exp(log_prior(entry, default, (cell + 0.5) / cells)) for cell in range(cells)]
    rest = share * sum(weights)
    for cell, weight in enumerate(weights):
        if rest < weight:
            return (cell + rest / weight) / cells
        rest -= weight
    return 1.0


def halton(number, dimensions, seed):
    """Return point `number` of a Halton sequence with randomly permuted digits.

    Owen, A randomized Halton algorithm in R, 2017: the permutations depend on the seed alone,
    so trials that know nothing of each other take points of one well spread set.
    """
    generator = random.Random("halton %s" % (seed,))
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
    for point in study.running[-MOST // 3:]:
        model.believe(point)
    for _ in range(study.unseen):
        # What a trial that started just before this one proposes, seeing the same history.
        point = best_candidate(study, model, points)
        model.believe(point)
        study.taken.add(key(point))
    return best_candidate(study, model, points)


def fitted_model(study):
    """Return the Gaussian process of the finished trials, and the points it knows."""
    values = transformed([value for _, value in study.finished])
    points = [point for point, _ in study.finished]
    few = informative(values, FITTED)
    scales, noise = gaussian_process.fit_scales(*part(points, values, few), study.categorical)
    scales = [scale * math.exp(JITTER * study.random.gauss(0.0, 1.0)) for scale in scales]
    points, values = part(points, values, informative(values, MOST))
    return gaussian_process.GaussianProcess(points, values, study.categorical, scales, noise), points


def transformed(values):
    """Return the values with bad ones pulled in, of standard deviation 1.

    Winsorised: nothing lies farther above the median than WINSOR times the best lies below it.
    A training that diverges says that it is bad; how bad would hide all other differences.
    """
    size = max(abs(value) for value in values) or 1.0
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


def informative(values, count):
    """Return the indices of at most `count` values: the best half of them and the newest others."""
    best = set(sorted(range(len(values)), key=values.__getitem__)[:count // 2])
    others = [index for index in range(len(values)) if index not in best]
    return sorted(best) + others[-(count - len(best)):]


def part(points, values, indices):
    """Return these points, and their values about 0."""
    return [points[index] for index in indices], centred([values[index] for index in indices])


# ---- the candidates

def best_candidate(study, model, points):
    """Return the candidate with the largest expected improvement over the best predicted mean."""
    means = model.means(points)
    order = sorted(range(len(points)), key=means.__getitem__)
    best = means[order[0]]
    if study.size <= ENUMERATED:
        scored = ranked(study, model, best, every_point(study.space))
        if not scored:
            raise study.exhausted()
        return scored[0][1]
    candidates = [study.random_point(study.random) for _ in range(GLOBAL)]
    candidates += [neighbour(study, points[index], NEAR[number % len(NEAR)])
                   for index in order[:CENTRES] for number in range(LOCAL)]
    candidates += [neighbour(study, study.default, PRIOR_WIDTH) for _ in range(LOCAL)] if study.prior else []
    scored = refined(study, model, best, ranked(study, model, best, candidates))
    return scored[0][1] if scored else study.new_point(study.default)


def refined(study, model, best, scored):
    """Return the best scored candidates after a few rounds of smaller and smaller steps from them."""
    for number in range(ROUNDS):
        width = 0.1 * 0.4 ** number
        candidates = [neighbour(study, point, width) for _, point in scored[:CENTRES] for _ in range(STEPS)]
        scored = sorted(scored[:CENTRES] + ranked(study, model, best, candidates), reverse=True)
    return scored


def neighbour(study, point, width):
    """Return a point with some of the dimensions moved, at least to a next whole number or choice."""
    generator, chance = study.random, max(0.3, 1.5 / len(point))
    moved = []
    for entry, unit in zip(study.space, point):
        if generator.random() > chance:
            moved.append(unit)
        elif entry["type"] == "categorical":
            moved.append(generator.random())
        else:
            step = max(width, 0.7 / hpo_space.entry_size(entry))
            moved.append(min(1.0, max(0.0, unit + step * generator.gauss(0.0, 1.0))))
    return hpo_space.snap(study.space, moved)


def ranked(study, model, best, candidates):
    """Return (log expected improvement, point) of the candidates not tried yet, the best first."""
    fresh = {key(point): point for point in candidates}
    fresh = [point for name, point in sorted(fresh.items()) if name not in study.taken]
    means, deviations = model.predict(fresh)
    return sorted([(log_improvement((best - mean) / deviation) + math.log(deviation) + study.prior_weight(point), point)
                   for mean, deviation, point in zip(means, deviations, fresh)], reverse=True)


def log_improvement(z):
    """Return the log of phi(z) + z Phi(z), the expected improvement over 0 of a normal variable.

    Jones, Schonlau and Welch, 1998. Far below 0 the exponential underflows; there its asymptotic
    form stands (Ament et al., Unexpected improvements to expected improvement, 2023).
    """
    if z > -20.0:
        return math.log(math.exp(-0.5 * z * z) / ROOT_2PI + 0.5 * z * math.erfc(-z / math.sqrt(2.0)))
    return -0.5 * z * z - math.log(ROOT_2PI * (z * z + 3.0 - 6.0 / (z * z)))
