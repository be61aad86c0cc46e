"""gaussian_process: a small Gaussian process regression on the unit cube, in plain Python.

Data flow: points and values -> fit_scales (length scales and noise, by maximum a posteriori)
  -> GaussianProcess -> predict (means and deviations), believe (one more point).

Kernel: Matern-5/2 with one length scale a dimension (Rasmussen and Williams, Gaussian
Processes for Machine Learning, 2006, equation 4.17); two choices of a categorical dimension
are as far apart as two points of a numeric one are on average, whichever they are. The amplitude
is profiled out of the likelihood (Jones, Schonlau and Welch, J. Global Optimization 13, 1998).

Example:
    scales, noise = fit_scales(points, values, [False, True])
    means, deviations = GaussianProcess(points, values, [False, True], scales, noise).predict(others)

Reads and writes no files. Costs: fit_scales n^3 a step, GaussianProcess n^3, predict n^2 a point.
"""

import math
from operator import mul

ROOT5 = math.sqrt(5.0)
SCALE_PRIOR = (-0.7, 0.9)   # mean and deviation of the log length scale, in widths of the cube
NOISE_PRIOR = (-4.0, 2.0)   # the same of the log noise variance, relative to the amplitude
UNLIKE = 0.2                # squared distance of two choices; of two random numbers in 0..1 it is 1/6
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


def cholesky(rows):
    """Return the lower triangle L with L L' = the symmetric matrix whose lower rows are given."""
    lower = []
    for row in rows:
        new = []
        for other in lower:
            new.append((row[len(new)] - dot(other, new)) / other[-1])
        new.append(math.sqrt(max(row[-1] - dot(new, new), JITTER)))
        lower.append(new)
    return lower


def forward(lower, right):
    """Return x with L x = right."""
    solved = []
    for row, value in zip(lower, right):
        solved.append((value - dot(row, solved)) / row[-1])
    return solved


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


def pair_squares(points, categorical):
    """Return, a dimension, the squared distances of all pairs (i, j < i) of points, row by row."""
    squares = []
    for column, unordered in zip(zip(*points), categorical):
        if unordered:
            squares.append([UNLIKE * (a != b) for i, a in enumerate(column) for b in column[:i]])
        else:
            squares.append([(a - b) * (a - b) for i, a in enumerate(column) for b in column[:i]])
    return squares


def weighted(squares, weights):
    """Return the sum over dimensions of weight times squared distance, for each pair."""
    total = [0.0] * len(squares[0])
    for column, weight in zip(squares, weights):
        total = [sum_ + weight * square for sum_, square in zip(total, column)]
    return total


def lower_rows(pairs, diagonal, count):
    """Return the lower triangle, diagonal included, of a symmetric matrix from its pairs."""
    return [pairs[i * (i - 1) // 2:i * (i + 1) // 2] + [diagonal] for i in range(count)]


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
    roots = [math.sqrt(5.0 * square) for square in weighted(squares, weights)]
    decays = [math.exp(-root) for root in roots]
    pairs = [(1.0 + root + root * root / 3.0) * decay for root, decay in zip(roots, decays)]
    lower = cholesky(lower_rows(pairs, 1.0 + noise + JITTER, count))
    columns = inverse_columns(lower)
    solved = backward(columns, forward(lower, values))
    amplitude = max(dot(values, solved) / count, 1e-12)
    result = 0.5 * count * math.log(amplitude) + sum(math.log(row[-1]) for row in lower)
    # Half the derivative by each pair of the correlation matrix: inverse - solved solved' / amplitude.
    change = [dot(columns[j][i - j:], columns[i]) - solved[i] * solved[j] / amplitude
              for i in range(count) for j in range(i)]
    slope = [a * (1.0 + root) * decay for a, root, decay in zip(change, roots, decays)]
    gradient = [5.0 / 3.0 * weight * dot(slope, column) for weight, column in zip(weights, squares)]
    trace = sum(dot(column, column) for column in columns)
    gradient.append(0.5 * noise * (trace - dot(solved, solved) / amplitude))
    for index, log in enumerate(logs):
        mean, deviation = NOISE_PRIOR if index == len(logs) - 1 else SCALE_PRIOR
        result += 0.5 * ((log - mean) / deviation) ** 2
        gradient[index] += (log - mean) / deviation ** 2
    return result, gradient


def minimise(function, start, steps):
    """Return the lowest point found by BFGS with steps of at most 1 (Nocedal and Wright, 2006, 6.1)."""
    point, (value, gradient) = start, function(start)
    inverse = [[float(i == j) for j in range(len(start))] for i in range(len(start))]
    scale = 1.0
    for _ in range(steps):
        move = [-dot(row, gradient) for row in inverse]
        if dot(move, gradient) >= 0.0:
            move = [-slope for slope in gradient]
        shrink = scale * min(1.0, 1.0 / max(max(map(abs, move)), 1e-12))
        new = [a + shrink * b for a, b in zip(point, move)]
        new_value, new_gradient = function(new)
        if new_value > value:
            scale = scale * 0.3
            if scale < 0.01:
                break
            continue
        step = [a - b for a, b in zip(new, point)]
        turn = [a - b for a, b in zip(new_gradient, gradient)]
        done = value - new_value < 1e-3
        point, value, gradient, scale = new, new_value, new_gradient, 1.0
        if done:
            break
        inverse = bfgs_update(inverse, step, turn)
    return point


def bfgs_update(inverse, step, turn):
    """Return the inverse Hessian after a step in which the gradient turned so much."""
    curve = dot(step, turn)
    if curve <= 1e-10:
        return inverse
    product = [dot(row, turn) for row in inverse]
    factor = (1.0 + dot(turn, product) / curve) / curve
    return [[entry + factor * step[i] * step[j] - (product[i] * step[j] + step[i] * product[j]) / curve
             for j, entry in enumerate(row)] for i, row in enumerate(inverse)]


# ---- prediction

class GaussianProcess:
    """The process conditioned on points and values, with given length scales and noise.

    points: n tuples of d numbers in 0..1; values: n numbers; categorical: d flags;
    noise: variance relative to the amplitude.
    """

    def __init__(self, points, values, categorical, scales, noise):
        self.points, self.values, self.categorical = list(points), list(values), categorical
        self.weights, self.noise = [1.0 / (scale * scale) for scale in scales], noise
        squares = weighted(pair_squares(self.points, categorical), self.weights)
        self.lower = cholesky(lower_rows(matern(squares), 1.0 + noise + JITTER, len(self.points)))
        self.half = forward(self.lower, self.values)
        self.amplitude = max(dot(self.half, self.half) / len(self.points), 1e-12)
        self.prepare()

    def prepare(self):
        """Work out what each prediction needs: the columns of the points, and R^-1 y."""
        self.columns = list(zip(*self.points))
        solved = []
        for index in range(len(self.half) - 1, -1, -1):
            solved.append((self.half[index] - sum(self.lower[index + 1 + k][index] * value for k, value in
                                                  enumerate(reversed(solved)))) / self.lower[index][-1])
        self.solved = solved[::-1]

    def correlations(self, point):
        """Return the correlations of one point with all that are known."""
        total = [0.0] * len(self.points)
        for column, value, weight, unordered in zip(self.columns, point, self.weights, self.categorical):
            if unordered:
                weight = UNLIKE * weight
                total = [sum_ if value == other else sum_ + weight for sum_, other in zip(total, column)]
            else:
                total = [sum_ + weight * (value - other) * (value - other) for sum_, other in zip(total, column)]
        return matern(total)

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

    def believe(self, point):
        """Take the predicted mean at a point for its value: a trial that is still running.

        The kriging believer of Ginsbourger, Le Riche and Carraro, 2010: the means stay as
        they are, the deviations fall near the point.
        """
        near = self.correlations(point)
        value = dot(near, self.solved)
        row = forward(self.lower, near)
        row.append(math.sqrt(max(1.0 + self.noise + JITTER - dot(row, row), JITTER)))
        self.half.append((value - dot(row, self.half)) / row[-1])
        self.lower.append(row)
        self.points.append(point)
        self.values.append(value)
        self.prepare()
