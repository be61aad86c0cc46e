"""naive: what drug and cell line alone say of a response, and how well rows are predicted whose
drug or cell line the training set lacks.

    training rows -> fit -> Effects
    Effects + drugs and cell lines of the test rows -> predict -> naive predictions
    truth, prediction, naive prediction -> Moments of each drug, with seen and unseen cell lines
      -> naive and normalised scores, scores of strata, correlation within drugs

Examples:
    effects = fit(*read_responses("ml_data/gCSI-CCLE/split_0/train_y_data.csv", "auc"))
    scores, strata, correlations = beside_naive(true, pred, drugs, cells, effects)
    strata[0]           # ('seen', 'seen', 812, 24, mse, ..., norm_r2), FIELDS names them

Drugs differ more from each other in their mean response than models differ, so a predictor that
knows nothing but the names already has a high r2. What a model has beyond that shows after the
naive prediction is subtracted. Source: DrEval (drevalpy), its NaiveMeanEffectsPredictor and its
normalised metrics.

A column of Moments is a vector of coefficients: PRED is the prediction, ERROR truth minus
prediction. Each row is read once, however many scores it is part of. Sums are core.metrics.total:
inf or nan, and no error, if they leave the range of floats.
"""
import math
from collections import defaultdict
from itertools import combinations_with_replacement
from operator import itemgetter, mul, sub
from typing import NamedTuple

from core.metrics import left_out, mean, total

FEWEST_ROWS = 5             # for a correlation: with fewer, chance alone makes it anything
SEEN = {True: "seen", False: "unseen"}
FIELDS = ("drug", "cell_line", "rows", "drugs", "mse", "r2", "pcc", "naive_r2", "norm_r2")
TRUE, PRED, NAIVE = (1, 0, 0), (0, 1, 0), (0, 0, 1)
ERROR = (1, -1, 0)
BEYOND = (1, 0, -1), (0, 1, -1)     # truth and prediction after the naive one was subtracted


class Effects(NamedTuple):
    """A fitted mean-effects predictor, in the units of the response."""
    mean: float             # of all training rows
    drugs: dict             # drug -> mean of its training rows minus the mean of all
    cells: dict             # cell line -> likewise


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


def fit(drugs, cells, values):
    """Returns the Effects of training rows: a drug, a cell line and a response each."""
    center = mean(values)
    return Effects(center, *({name: mean(chosen(values)) - center
                              for name, chosen in groups_of(names).items()}
                             for names in (drugs, cells)))


def predict(effects, drugs, cells):
    """Returns mean + drug effect + cell-line effect per row; an unseen name has no effect."""
    return [effects.mean + effects.drugs.get(drug, 0.0) + effects.cells.get(cell, 0.0)
            for drug, cell in zip(drugs, cells)]


def beside_naive(true, pred, drugs, cells, effects):
    """Returns (scores, strata, {drug: (rows, pcc)}) of test rows, columns of one length.

    scores: {naive_mse, ..., norm_r2, norm_pcc}, those of the naive prediction by `effects`, the
    Effects of the training set, and those of the model after it was subtracted from truth and
    prediction; nan if undefined. strata: a tuple of FIELDS for each of the four that has rows.
    pcc: of truth and prediction within a drug; drugs with fewer than FEWEST_ROWS rows, or without a
    correlation (constant values), are left out.
    """
    naive = predict(effects, drugs, cells)
    kinds = zip(map(effects.drugs.__contains__, drugs), map(effects.cells.__contains__, cells),
                drugs)
    of_strata, of_drugs = defaultdict(dict), defaultdict(list)
    for (*kind, drug), moments in by_name(kinds, true, pred, naive).items():
        of_strata[tuple(kind)][drug] = moments
        of_drugs[drug].append(moments)
    groups = {drug: together(parts) for drug, parts in of_drugs.items()}
    whole = together(groups.values())
    mse = whole.squares(BEYOND[0]) / whole.rows
    scores = {"naive_mse": mse, "naive_rmse": math.sqrt(mse),
              "naive_mae": left_out(true, naive)["mae"],
              "naive_pcc": whole.correlation(TRUE, NAIVE), "naive_r2": whole.r2(TRUE, NAIVE),
              "norm_r2": whole.r2(*BEYOND), "norm_pcc": whole.correlation(*BEYOND)}
    strata = [stratum(*kind, own) for kind, own in sorted(of_strata.items(), reverse=True)]
    correlations = {drug: (own.rows, own.correlation(TRUE, PRED))
                    for drug, own in sorted(groups.items()) if own.rows >= FEWEST_ROWS}
    return scores, strata, {drug: pair for drug, pair in correlations.items()
                            if not math.isnan(pair[1])}


def stratum(drug_seen, cell_seen, groups):
    """Returns a tuple of FIELDS; groups: {drug: Moments}. Below FEWEST_ROWS rows all but mse are
    nan."""
    whole, correlations = together(groups.values()), [math.nan] * 4
    if whole.rows >= FEWEST_ROWS:
        correlations = [whole.r2(TRUE, PRED), whole.correlation(TRUE, PRED),
                        whole.r2(TRUE, NAIVE), whole.r2(*BEYOND)]
    return (SEEN[drug_seen], SEEN[cell_seen], whole.rows, len(groups),
            whole.squares(ERROR) / whole.rows, *correlations)


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
    """Returns the Moments of all rows of groups (Chan, Golub, LeVeque, Updating Formulae, 1979)."""
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
