"""naive: what drug and cell line alone say of a response, and how well rows are predicted whose
drug or cell line the training set lacks.

    training rows -> fit -> Effects
    Effects + drugs and cell lines of the test rows -> predict -> naive predictions
    truth, prediction, naive prediction -> strata: drug seen or not x cell line seen or not
      -> Moments of each drug -> naive and normalised scores, scores of strata

Examples:
    effects = fit(*read_responses("ml_data/gCSI-CCLE/split_0/train_y_data.csv", "auc"))
    scores, strata, correlations = beside_naive(true, pred, drugs, cells, effects)
    strata[0]           # ('seen', 'seen', 812, 24, 96, mse, ..., drug_pcc), FIELDS names them

Drugs differ more from each other in their mean response than models differ, so a predictor that
knows nothing but the names already has a high r2. What a model has beyond that shows after the
naive prediction is subtracted. Source: DrEval (drevalpy), its NaiveMeanEffectsPredictor and its
normalised metrics.

Cross-study scores are mostly overlap: over the published models the rank correlation of coverage
with cross-study r2 is .82 to .95.
"""
import math
import statistics
from collections import defaultdict
from typing import NamedTuple

from core.metrics import mean, mean_absolute_error
from stages.stats.moments import BEYOND, NAIVE, PRED, TRUE, by_name, groups_of, together

FEWEST_ROWS = 5             # for a correlation: with fewer, chance alone makes it anything
SEEN = {True: "seen", False: "unseen"}
FIELDS = ("drug", "cell_line", "rows", "drugs", "cell_lines", "mse", "rmse", "mae", "r2", "pcc",
          "naive_r2", "norm_r2", "drug_pcc")


class Effects(NamedTuple):
    """A fitted mean-effects predictor, in the units of the response."""
    mean: float             # of all training rows
    drugs: dict             # drug -> mean of its training rows minus the mean of all
    cells: dict             # cell line -> likewise


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
    prediction; nan if undefined. strata: as strata returns them; {drug: ...}: correlations_of.
    """
    naive = predict(effects, drugs, cells)
    found, of_drugs = strata(true, pred, naive, drugs, cells, effects)
    whole = together(list(of_drugs.values()))
    mse = whole.squares(BEYOND[0]) / whole.rows
    scores = {"naive_mse": mse, "naive_rmse": math.sqrt(mse),
              "naive_mae": mean_absolute_error(true, naive),
              "naive_pcc": whole.correlation(TRUE, NAIVE), "naive_r2": whole.r2(TRUE, NAIVE),
              "norm_r2": whole.r2(*BEYOND), "norm_pcc": whole.correlation(*BEYOND)}
    return scores, found, correlations_of(of_drugs)


def strata(true, pred, naive, drugs, cells, effects):
    """Returns ([a tuple of FIELDS for each of the four strata that has rows], {drug: Moments}).

    r2, pcc, naive_r2 and norm_r2 are nan below FEWEST_ROWS rows; drug_pcc is the
    median over drugs.
    """
    kinds = zip(map(effects.drugs.__contains__, drugs), map(effects.cells.__contains__, cells))
    found, of_drugs = [], defaultdict(list)
    for kind, chosen in sorted(groups_of(kinds).items(), reverse=True):
        *columns, own_drugs, own_cells = map(chosen, (true, pred, naive, drugs, cells))
        groups = by_name(own_drugs, *columns)
        whole, correlations = together(list(groups.values())), [math.nan] * 4
        if whole.rows >= FEWEST_ROWS:
            correlations = [whole.r2(TRUE, PRED), whole.correlation(TRUE, PRED),
                            whole.r2(TRUE, NAIVE), whole.r2(*BEYOND)]
        mse = whole.squares((1, -1, 0)) / whole.rows
        found.append((*map(SEEN.get, kind), whole.rows, len(groups), len(set(own_cells)), mse,
                      math.sqrt(mse), mean_absolute_error(*columns[:2]), *correlations,
                      median_correlation(correlations_of(groups))))
        for drug, moments in groups.items():
            of_drugs[drug].append(moments)
    return found, {drug: together(parts) for drug, parts in of_drugs.items()}


def correlations_of(groups):
    """Returns {name: (rows, pcc of truth and prediction within its rows)}, sorted by name.

    groups: {name: Moments}. Names with fewer than FEWEST_ROWS rows, or without a correlation
    (constant values), are left out.
    """
    found = {name: (group.rows, group.correlation(TRUE, PRED))
             for name, group in sorted(groups.items()) if group.rows >= FEWEST_ROWS}
    return {name: pair for name, pair in found.items() if not math.isnan(pair[1])}


def median_correlation(correlations):
    """Returns the median of what correlations_of returns, nan if that is empty."""
    return statistics.median([pcc for _, pcc in correlations.values()] or [math.nan])
