"""gaussian_process: a small Gaussian process regression on the unit cube, in plain Python.

    points and values -> fit_scales (length scales and noise, by maximum a posteriori)
      -> GaussianProcess -> predict (mean and deviation), believe (points that still run)

Kernel: Matern-5/2 with one length scale a dimension (Rasmussen and Williams, Gaussian
Processes for Machine Learning, 2006, equation 4.17); two choices of a categorical dimension
are as far apart as two points of a numeric one are on average, whichever they are. The amplitude
is profiled out of the likelihood (Jones, Schonlau and Welch, J. Global Optimization 13, 1998).

Costs: fit_scales n^3 a step, GaussianProcess n^3, predict n^2 a point.
"""
from math import exp, log, sqrt
from operator import mul, sub

SCALE_PRIOR = (-0.7, 0.9)   # mean and deviation of the log length scale, in widths of the cube
NOISE_PRIOR = (-4.0, 2.0)   # the same of the log noise variance, relative to the amplitude
UNLIKE = 0.2                # squared distance of two choices; of random numbers in 0..1 it is 1/6
STEPS = 15                  # of the quasi-Newton search for the length scales
JITTER = 1e-8               # on the diagonal, so that equal points never break the factorisation


def dot(one, other):
    """Return the sum of products, as far as the shorter of the two goes."""
    return sum(map(mul, one, other))


def matern(squares):
    """Return the Matern-5/2 correlations of scaled squared distances."""
    roots = [sqrt(5.0 * square) for square in squares]
    return [(1.0 + root + root * root / 3.0) * exp(-root) for root in roots]


def forward(lower, right):
    """Return x with L x = right, as far as L goes."""
    solved = []
    for row, value in zip(lower, right):
        solved.append((value - dot(row, solved)) / row[-1])
    return solved


def squares_between(one, other, categorical):
    """Return the squared distance of two points in each dimension."""
    return [UNLIKE * (a != b) if unordered else (a - b) * (a - b)
            for a, b, unordered in zip(one, other, categorical)]


def pair_squares(points, categorical):
    """Return the squared distances, a list a pair (i, j < i) of points, row by row."""
    return [squares_between(point, other, categorical)
            for i, point in enumerate(points) for other in points[:i]]


def solve(squares, noise, values):
    """Return (L, columns of its inverse, solution x of L L' x = values, amplitude of the values).
    squares: the scaled squared distances of pairs, whose correlations with the noise are L L'; L:
    rows of a lower triangle (Cholesky); a column of its inverse starts at the diagonal."""
    pairs, diagonal, count, lower = matern(squares), 1.0 + noise + JITTER, len(values), []
    for i in range(count):
        row = forward(lower, pairs[i * (i - 1) // 2:i * (i + 1) // 2])
        lower.append(row + [sqrt(max(diagonal - dot(row, row), JITTER))])
    columns = [forward([row[first:] for row in lower[first:]], [1.0] + [0.0] * (count - first - 1))
               for first in range(count)]
    half = forward(lower, values)
    solved = [dot(column, half[first:]) for first, column in enumerate(columns)]
    return lower, columns, solved, max(dot(values, solved) / count, 1e-12)


def fit_scales(points, values, categorical):
    """Return the (length scales, noise) that best explain the values.

    points: n tuples of d numbers in 0..1; values: n numbers, about standardised;
    categorical: d flags. noise is a variance, relative to the amplitude. Maximum a posteriori
    with log-normal priors, which keep few points from being explained by chance.
    """
    squares = pair_squares(points, categorical)
    start = [SCALE_PRIOR[0]] * len(categorical) + [NOISE_PRIOR[0]]
    best = minimise(lambda logs: loss(logs, squares, values), start)
    return [exp(scale) for scale in best[:-1]], exp(best[-1])


def loss(logs, squares, values):
    """Return the negative log posterior of log scales and log noise, and its gradient."""
    weights = [exp(-2.0 * scale) for scale in logs[:-1]]
    noise, count = exp(logs[-1]), len(values)
    total = [dot(weights, pair) for pair in squares]
    lower, columns, solved, amplitude = solve(total, noise, values)
    result = 0.5 * count * log(amplitude) + sum(log(row[-1]) for row in lower)
    # half the derivative by each pair of correlations: inverse - solved solved' / amplitude
    change = [dot(columns[j][i - j:], columns[i]) - solved[i] * solved[j] / amplitude
              for i in range(count) for j in range(i)]
    roots = [sqrt(5.0 * square) for square in total]
    slope = [a * (1.0 + root) * exp(-root) for a, root in zip(change, roots)]
    gradient = [5.0 / 3.0 * weight * dot(slope, column)
                for weight, column in zip(weights, zip(*squares))]
    trace = sum(dot(column, column) for column in columns)
    gradient.append(0.5 * noise * (trace - dot(solved, solved) / amplitude))
    priors = [SCALE_PRIOR] * len(weights) + [NOISE_PRIOR]
    pulls = [(value - mean) / deviation for value, (mean, deviation) in zip(logs, priors)]
    return result + 0.5 * dot(pulls, pulls), [
        slope + pull / deviation for slope, pull, (_, deviation) in zip(gradient, pulls, priors)]


def minimise(function, start):
    """Return the lowest point found by STEPS of BFGS, each of at most 1 (Nocedal and Wright,
    Numerical Optimization, 2006, algorithm 6.1)."""
    point, (value, gradient) = start, function(start)
    # inverse Hessian, at first the identity
    inverse = [[float(i == j) for j in range(len(start))] for i in range(len(start))]
    scale = 1.0
    for _ in range(STEPS):
        move = [-dot(row, gradient) for row in inverse]
        shrink = scale / max(1.0, *map(abs, move))
        new = [a + shrink * b for a, b in zip(point, move)]
        new_value, new_gradient = function(new)
        if new_value > value:
            scale = scale * 0.3
            if scale < 0.01:
                break
            continue
        step, turn = list(map(sub, new, point)), list(map(sub, new_gradient, gradient))
        curve = dot(step, turn)
        if curve > 1e-10:
            product = [dot(row, turn) for row in inverse]
            growth = (1.0 + dot(turn, product) / curve) / curve
            inverse = [[entry + growth * step[i] * step[j]
                        - (product[i] * step[j] + step[i] * product[j]) / curve
                        for j, entry in enumerate(row)] for i, row in enumerate(inverse)]
        gain = value - new_value
        point, value, gradient, scale = new, new_value, new_gradient, 1.0
        if gain < 1e-3:
            break
    return point


class GaussianProcess:
    """The process conditioned on points and values, as fit_scales takes them, with its scales and
    noise. amplitude: a variance; follows from the values if it is not given."""

    def __init__(self, points, values, categorical, scales, noise, amplitude=None):
        self.points, self.values, self.categorical = points, values, categorical
        self.scales, self.noise = scales, noise
        self.weights = [1.0 / (scale * scale) for scale in scales]
        squares = [dot(self.weights, pair) for pair in pair_squares(points, categorical)]
        self.lower, _, self.solved, of_values = solve(squares, noise, values)
        self.amplitude = amplitude or of_values

    def correlations(self, point):
        return matern([dot(self.weights, squares_between(point, known, self.categorical))
                       for known in self.points])

    def mean(self, point):
        """Return the mean alone: n instead of n^2."""
        return dot(self.correlations(point), self.solved)

    def predict(self, point):
        """Return (mean, standard deviation) of the noiseless function at a point."""
        near = self.correlations(point)
        half = forward(self.lower, near)
        return dot(near, self.solved), sqrt(self.amplitude * max(1.0 - dot(half, half), 1e-10))

    def believe(self, points):
        """Return the process that takes its own means at more points, of trials that still run,
        for their values: the means stay as they are, the deviations fall near the points. The
        kriging believer of Ginsbourger, Le Riche and Carraro, 2010."""
        values = self.values + list(map(self.mean, points))
        return GaussianProcess(self.points + points, values, self.categorical, self.scales,
                               self.noise, self.amplitude)
