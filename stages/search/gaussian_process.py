"""gaussian_process: a small Gaussian process regression on the unit cube, in plain Python.

Data flow: points and values -> fit_scales (length scales and noise, by maximum a posteriori)
  -> GaussianProcess -> predict (means and deviations), believe (points that still run).

Kernel: Matern-5/2 with one length scale a dimension (Rasmussen and Williams, Gaussian
Processes for Machine Learning, 2006, equation 4.17); two choices of a categorical dimension
are as far apart as two points of a numeric one are on average, whichever they are. The amplitude
is profiled out of the likelihood (Jones, Schonlau and Welch, J. Global Optimization 13, 1998).

Example:
    scales, noise = fit_scales(points, values, [False, True])
    process = GaussianProcess(points, values, [False, True], scales, noise)
    means, deviations = process.predict(others)

Reads and writes no files. Costs: fit_scales n^3 a step, GaussianProcess n^3, predict n^2 a point.
"""

import math
from operator import mul, sub

ROOT5 = math.sqrt(5.0)
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
    exp, sqrt = math.exp, math.sqrt
    roots = [sqrt(5.0 * square) for square in squares]
    return [(1.0 + root + root * root / 3.0) * exp(-root) for root in roots]


def forward(lower, right):
    """Return x with L x = right, as far as L goes."""
    solved = []
    for row, value in zip(lower, right):
        solved.append((value - dot(row, solved)) / row[-1])
    return solved


def cholesky(rows):
    """Return the lower triangle L with L L' = the symmetric matrix whose lower rows are given."""
    lower = []
    for row in rows:
        new = forward(lower, row)
        new.append(math.sqrt(max(row[-1] - dot(new, new), JITTER)))
        lower.append(new)
    return lower


def inverse_columns(lower):
    """Return the columns of the inverse of L, each from its diagonal element down."""
    columns = []
    for first in range(len(lower)):
        column = [1.0 / lower[first][-1]]
        for row in lower[first + 1:]:
            column.append(-dot(row[first:], column) / row[-1])
        columns.append(column)
    return columns


def backward(columns, right):
    """Return x with L' x = right, given the columns of the inverse of L."""
    return [dot(column, right[first:]) for first, column in enumerate(columns)]


def squares_to(value, others, unordered):
    """Return the squared distances of a coordinate to others of its dimension."""
    if unordered:
        return [UNLIKE * (value != other) for other in others]
    return [(value - other) * (value - other) for other in others]


def pair_squares(points, categorical):
    """Return, a dimension, the squared distances of all pairs (i, j < i) of points, row by row."""
    return [[square for i, value in enumerate(column)
             for square in squares_to(value, column[:i], unordered)]
            for column, unordered in zip(zip(*points), categorical)]


def weighted(squares, weights):
    """Return the sum over dimensions of weight times squared distance, for each pair."""
    total = [0.0] * len(squares[0])
    for column, weight in zip(squares, weights):
        total = [sum_ + weight * square for sum_, square in zip(total, column)]
    return total


def factor(squares, noise, count):
    """Return the Cholesky factor of the correlations of `count` points, from those of pairs."""
    pairs, diagonal = matern(squares), 1.0 + noise + JITTER
    return cholesky([pairs[i * (i - 1) // 2:i * (i + 1) // 2] + [diagonal] for i in range(count)])


# ---- length scales and noise

def fit_scales(points, values, categorical):
    """Return the (length scales, noise) that best explain the values.

    points: n tuples of d numbers in 0..1; values: n numbers, about standardised;
    categorical: d flags. noise is a variance, relative to the amplitude. Maximum a posteriori
    with log-normal priors, which keep few points from being explained by chance.
    """
    squares = pair_squares(points, categorical)
    start = [SCALE_PRIOR[0]] * len(squares) + [NOISE_PRIOR[0]]
    best = minimise(lambda logs: loss(logs, squares, values), start, STEPS)
    return [math.exp(log) for log in best[:-1]], math.exp(best[-1])


def loss(logs, squares, values):
    """Return the negative log posterior of log scales and log noise, and its gradient."""
    weights = [math.exp(-2.0 * log) for log in logs[:-1]]
    noise, count = math.exp(logs[-1]), len(values)
    total = weighted(squares, weights)
    lower = factor(total, noise, count)
    columns = inverse_columns(lower)
    solved = backward(columns, forward(lower, values))
    amplitude = max(dot(values, solved) / count, 1e-12)
    result = 0.5 * count * math.log(amplitude) + sum(math.log(row[-1]) for row in lower)
    # Half the derivative by each pair of the correlation matrix:
    # inverse - solved solved' / amplitude.
    change = [dot(columns[j][i - j:], columns[i]) - solved[i] * solved[j] / amplitude
              for i in range(count) for j in range(i)]
    roots = [math.sqrt(5.0 * square) for square in total]
    slope = [a * (1.0 + root) * math.exp(-root) for a, root in zip(change, roots)]
    gradient = [5.0 / 3.0 * weight * dot(slope, column) for weight, column in zip(weights, squares)]
    trace = sum(dot(column, column) for column in columns)
    gradient.append(0.5 * noise * (trace - dot(solved, solved) / amplitude))
    priors = [SCALE_PRIOR] * len(weights) + [NOISE_PRIOR]
    pulls = [(log - mean) / deviation for log, (mean, deviation) in zip(logs, priors)]
    return result + 0.5 * dot(pulls, pulls), [
        slope + pull / deviation for slope, pull, (_, deviation) in zip(gradient, pulls, priors)]


def minimise(function, start, steps):
    """Return the lowest point found by BFGS with steps of at most 1.

    Nocedal and Wright, Numerical Optimization, 2006, algorithm 6.1.
    """
    point, (value, gradient) = start, function(start)
    inverse = [[float(i == j) for j in range(len(start))] for i in range(len(start))]
    scale = 1.0
    for _ in range(steps):
        move = [-dot(row, gradient) for row in inverse]
        shrink = scale / max(1.0, *map(abs, move))
        new = [a + shrink * b for a, b in zip(point, move)]
        new_value, new_gradient = function(new)
        if new_value > value:
            scale = scale * 0.3
            if scale < 0.01:
                break
            continue
        inverse = bfgs_update(inverse, list(map(sub, new, point)),
                              list(map(sub, new_gradient, gradient)))
        gain = value - new_value
        point, value, gradient, scale = new, new_value, new_gradient, 1.0
        if gain < 1e-3:
            break
    return point


def bfgs_update(inverse, step, turn):
    """Return the inverse Hessian after a step in which the gradient turned so much."""
    curve = dot(step, turn)
    if curve <= 1e-10:
        return inverse
    product = [dot(row, turn) for row in inverse]
    growth = (1.0 + dot(turn, product) / curve) / curve
    return [[entry + growth * step[i] * step[j]
             - (product[i] * step[j] + step[i] * product[j]) / curve
             for j, entry in enumerate(row)] for i, row in enumerate(inverse)]


# ---- prediction

class GaussianProcess:
    """The process conditioned on points and values, with given length scales and noise.

    points: n tuples of d numbers in 0..1; values: n numbers; categorical: d flags;
    noise: variance relative to the amplitude, which follows from the values if it is not given.
    """

    def __init__(self, points, values, categorical, scales, noise, amplitude=None):
        self.points, self.values, self.columns = points, values, list(zip(*points))
        self.categorical, self.scales, self.noise = categorical, scales, noise
        self.weights = [1.0 / (scale * scale) for scale in scales]
        squares = weighted(pair_squares(points, categorical), self.weights)
        self.lower = factor(squares, noise, len(points))
        half = forward(self.lower, values)
        self.solved = backward(inverse_columns(self.lower), half)
        self.amplitude = amplitude or max(dot(half, half) / len(points), 1e-12)

    def correlations(self, point):
        """Return the correlations of one point with all that are known."""
        return matern(weighted(list(map(squares_to, point, self.columns, self.categorical)),
                               self.weights))

    def means(self, points):
        """Return the means alone, which cost n a point."""
        return [dot(self.correlations(point), self.solved) for point in points]

    def predict(self, points):
        """Return (means, standard deviations) of the noiseless function at the points."""
        means, deviations = [], []
        for point in points:
            near = self.correlations(point)
            half = forward(self.lower, near)
            means.append(dot(near, self.solved))
            deviations.append(math.sqrt(self.amplitude * max(1.0 - dot(half, half), 1e-10)))
        return means, deviations

    def believe(self, points):
        """Return the process that takes its own means at more points for their values.

        The kriging believer of Ginsbourger, Le Riche and Carraro, 2010, for trials that still
        run: the means stay as they are, the deviations fall near the points.
        """
        return GaussianProcess(self.points + points, self.values + self.means(points),
                               self.categorical, self.scales, self.noise, self.amplitude)
