"""moments: sums of a group of rows, from which its scores follow, and sums of several groups.

    columns (truth, prediction, naive prediction) -> by_name -> Moments of each drug
      -> together -> Moments of all drugs -> squares, covariance, correlation, r2

Examples:
    of_drugs = by_name(drugs, true, pred, naive)
    of_drugs["Drug_7"].correlation(TRUE, PRED)
    together(list(of_drugs.values())).r2(TRUE, NAIVE)

A column is a vector of coefficients: PRED is the prediction, minus(TRUE, PRED) the error. Each row
is read once, however many scores it is part of.
"""
import math
from collections import defaultdict
from operator import itemgetter, mul, sub
from typing import NamedTuple

from core.metrics import mean, total

TRUE, PRED, NAIVE = (1, 0, 0), (0, 1, 0), (0, 0, 1)


class Moments(NamedTuple):
    """Sums of the rows of a group."""
    rows: int
    means: tuple            # of each column
    products: dict          # (i, j), i <= j -> sum of products of deviations from the means

    def covariance(self, u, v):
        """Returns the sum of products of deviations of two combinations of the columns."""
        return math.fsum(u[i] * v[j] * self.products[min(i, j), max(i, j)]
                         for i in range(len(u)) if u[i] for j in range(len(v)) if v[j])

    def squares(self, u):
        """Returns the sum of squares of a combination of the columns."""
        center = math.fsum(map(mul, u, self.means))
        return max(0.0, self.covariance(u, u) + self.rows * center * center)

    def correlation(self, u, v):
        """Returns Pearson's correlation; nan if one is constant."""
        product = self.covariance(u, u) * self.covariance(v, v)
        if not 0 < product < math.inf:
            return math.nan
        return min(max(self.covariance(u, v) / math.sqrt(product), -1.0), 1.0)

    def r2(self, true, pred):
        """Returns 1 - residual / total sum of squares; nan if the truth is constant."""
        whole = self.covariance(true, true)
        return 1.0 - self.squares(minus(true, pred)) / whole if whole > 0 else math.nan


def minus(u, v):
    """Returns the difference of two combinations of columns."""
    return tuple(map(sub, u, v))


def by_name(names, *columns):
    """Returns {name: Moments of its rows}; names: a drug or cell line per row."""
    return {name: _moments([chosen(column) for column in columns])
            for name, chosen in groups_of(names).items()}


def groups_of(names):
    """Returns {name: function(column) -> the column's values in the rows of that name}."""
    groups = defaultdict(list)
    for row, name in enumerate(names):
        groups[name].append(row)
    # itemgetter returns a tuple of several values, but a single value alone
    return {name: itemgetter(*rows) if len(rows) > 1 else itemgetter(slice(rows[0], rows[0] + 1))
            for name, rows in groups.items()}


def _moments(columns):
    means = tuple(map(mean, columns))
    deviations = [[value - center for value in column] for center, column in zip(means, columns)]
    return Moments(len(columns[0]), means, _products(deviations))


def _products(columns, weights=None):
    """Returns {(i, j): sum of products} of columns, each row as often as its weight."""
    weighted = [list(map(mul, column, weights)) for column in columns] if weights else columns
    return {(i, j): total(map(mul, weighted[i], columns[j]))
            for i in range(len(columns)) for j in range(i, len(columns))}


def together(parts):
    """Returns the Moments of the rows of several groups, a list of Moments.

    Source: Chan, Golub and LeVeque, Updating Formulae (1979).
    """
    rows = [part.rows for part in parts]
    columns = list(zip(*(part.means for part in parts)))
    means = tuple(column[0] if min(column) == max(column) else
                  total(map(mul, column, rows)) / sum(rows) for column in columns)
    spread = [[value - center for value in column] for center, column in zip(means, columns)]
    between = _products(spread, rows)
    return Moments(sum(rows), means, {
        at: between[at] + total(part.products[at] for part in parts) for at in between})
