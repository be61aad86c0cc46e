"""importance: how much of what the trials show each hyperparameter explains alone.

    trials -> Gaussian process (that of the search) -> first-order Sobol' indices

The index of a parameter is Var(E[f | parameter]) / Var(f), f being the mean of the process
on the unit cube: Sobol', Mathematics and Computers in Simulation 55 (2001); on a surrogate of
the trials, as Hutter, Hoos and Leyton-Brown, ICML 2014, do. Indices add up to less than 1
where parameters act together.
"""
import random

from search import gaussian_process
from search import space as hpo_space
from search.gaussian_process import dot

FEWEST = 10     # finished trials; fewer say too little
LEVELS = 12     # values of a parameter that are tried
OTHERS = 60     # points of the other parameters that are averaged over


def importance(space, trials):
    """{name: index from 0 to 1} of each parameter; {} if there are too few trials.

    space: normalised; trials: list of (params, value), values finite, lower is better
    """
    placed = [(hpo_space.to_units(space, params), value) for params, value in trials]
    placed = [(point, value) for point, value in placed if point is not None]
    if len(placed) < FEWEST or len({value for _, value in placed}) < 2:
        return {}
    mean = surrogate([point for point, _ in placed], ranks([value for _, value in placed]),
                     [entry["type"] == "categorical" for entry in space])
    generator = random.Random(0)
    points = [tuple(generator.random() for _ in space) for _ in range(OTHERS)]
    points = [hpo_space.snap(space, point) for point in points]
    effects = [main_effect(space, mean, points, at) for at in range(len(space))]
    whole = max(variance([mean(point) for point in points]), max(effects), 1e-12)
    return {entry["name"]: effect / whole for entry, effect in zip(space, effects)}


def ranks(values):
    """Values replaced by their ranks, from -1 to 1: a diverged training is bad, however bad."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranked = [0.0] * len(values)
    for rank, at in enumerate(order):
        ranked[at] = 2.0 * rank / (len(values) - 1) - 1.0
    return ranked


def surrogate(points, values, categorical):
    """The mean of the process as a function of a point."""
    scales, noise = gaussian_process.fit_scales(points, values, categorical)
    model = gaussian_process.GaussianProcess(points, values, categorical, scales, noise)
    return lambda point: dot(model.correlations(point), model.solved)


def main_effect(space, mean, points, at):
    """Variance over one parameter's values of the mean over all others."""
    levels = {hpo_space.snap(space, put(points[0], at, (level + 0.5) / LEVELS))[at] for level in range(LEVELS)}
    averages = [sum(mean(put(point, at, level)) for point in points) / len(points) for level in sorted(levels)]
    return variance(averages)


def put(point, at, value):
    return tuple(point[:at]) + (value,) + tuple(point[at + 1:])


def variance(values):
    center = sum(values) / len(values)
    return sum((value - center) ** 2 for value in values) / len(values)
