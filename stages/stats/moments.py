"""moments: sums of a group of rows, from which its scores follow, and sums of several groups.

    columns (truth, prediction, naive prediction) -> by_name -> Moments of each drug
      -> together -> Moments of all drugs -> squares, covariance, correlation, r2

Examples:
    of_drugs = by_name(drugs, true, pred, naive)
    of_drugs["Drug_7"].correlation(TRUE, PRED)
    together(of_drugs.values()).r2(TRUE, NAIVE)

A column is a vector of coefficients: PRED is the prediction, ERROR truth minus prediction. Each
row is read once, however many scores it is part of. Sums are core.metrics.total: inf or nan, and no
error, if they leave the range of floats.
"""
import math
from collections import defaultdict
from itertools import combinations_with_replacement
from operator import itemgetter, mul, sub
from typing import NamedTuple

from core.metrics import total

TRUE, PRED, NAIVE = (1, 0, 0), (0, 1, 0), (0, 0, 1)
ERROR = (1, -1, 0)
BEYOND = (1, 0, -1), (0, 1, -1)     # truth and prediction after the naive one was subtracted


class Moments(NamedTuple):
    """Sums of the rows of a group."""
    rows: int
    means: list             # of each column
    products: dict          # (i, j), i <= j -> sum of products of deviations from the means

    def covariance(self, u, v):
        """Returns the sum of products of deviations of two combinations of the columns."""
        return total(a * b * self.products[min(i, j), max(i, j)]
                     for i, a in enumerate(u) if a for j, b in enumerate(v) if b)

    def squares(self, u):
        """Returns the sum of squares of a combination of the columns."""
        center = total(map(mul, u, self.means))
        return max(self.covariance(u, u) + self.rows * center * center, 0.0)    # nan stays nan

    def correlation(self, u, v):
        """Returns Pearson's correlation; nan if one is constant."""
        product = self.covariance(u, u) * self.covariance(v, v)
        if not 0 < product < math.inf:
            return math.nan
        return min(max(self.covariance(u, v) / math.sqrt(product), -1.0), 1.0)

    def r2(self, true, pred):
        """Returns 1 - residual / total sum of squares; nan if the truth is constant."""
        whole = self.covariance(true, true)
        residual = self.squares(tuple(map(sub, true, pred)))
        return 1.0 - residual / whole if whole > 0 else math.nan


def by_name(names, *columns):
    """Returns {name: Moments of its rows}; names: a drug per row."""
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


def together(parts):
    """Returns the Moments of the rows of several groups, a list of Moments.

    Source: Chan, Golub and LeVeque, Updating Formulae (1979).
    """
    between = _moments(list(zip(*(part.means for part in parts))), [part.rows for part in parts])
    return between._replace(products={
        at: product + total(part.products[at] for part in parts)
        for at, product in between.products.items()})


def _moments(columns, weights=None):
    """Returns the Moments of columns, each row as often as its weight."""
    weights = weights or [1] * len(columns[0])
    count = sum(weights)
    means = [column[0] if min(column) == max(column) else total(map(mul, column, weights)) / count
             for column in columns]
    spread = [[value - center for value in column] for center, column in zip(means, columns)]
    return Moments(count, means, {
        (i, j): total(map(mul, map(mul, spread[i], weights), spread[j]))
        for i, j in combinations_with_replacement(range(len(columns)), 2)})
