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
"""
import math
from collections import defaultdict
from typing import NamedTuple

from core.metrics import mean, mean_absolute_error
from stages.stats.moments import (
    BEYOND, ERROR, NAIVE, PRED, TRUE, by_name, groups_of, together)

FEWEST_ROWS = 5             # for a correlation: with fewer, chance alone makes it anything
SEEN = {True: "seen", False: "unseen"}
FIELDS = ("drug", "cell_line", "rows", "drugs", "mse", "r2", "pcc", "naive_r2", "norm_r2")


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
    prediction; nan if undefined. strata: a tuple of FIELDS for each of the four that has rows;
    {drug: ...}: as correlations_of returns it.
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
              "naive_mae": mean_absolute_error(true, naive),
              "naive_pcc": whole.correlation(TRUE, NAIVE), "naive_r2": whole.r2(TRUE, NAIVE),
              "norm_r2": whole.r2(*BEYOND), "norm_pcc": whole.correlation(*BEYOND)}
    strata = [stratum(*kind, own) for kind, own in sorted(of_strata.items(), reverse=True)]
    return scores, strata, correlations_of(groups)


def stratum(drug_seen, cell_seen, groups):
    """Returns a tuple of FIELDS; groups: {drug: Moments}.

    r2, pcc, naive_r2 and norm_r2 are nan below FEWEST_ROWS rows.
    """
    whole, correlations = together(groups.values()), [math.nan] * 4
    if whole.rows >= FEWEST_ROWS:
        correlations = [whole.r2(TRUE, PRED), whole.correlation(TRUE, PRED),
                        whole.r2(TRUE, NAIVE), whole.r2(*BEYOND)]
    return (SEEN[drug_seen], SEEN[cell_seen], whole.rows, len(groups),
            whole.squares(ERROR) / whole.rows, *correlations)


def correlations_of(groups):
    """Returns {name: (rows, pcc of truth and prediction within its rows)}, sorted by name.

    groups: {name: Moments}. Names with fewer than FEWEST_ROWS rows, or without a correlation
    (constant values), are left out.
    """
    found = {name: (group.rows, group.correlation(TRUE, PRED))
             for name, group in sorted(groups.items()) if group.rows >= FEWEST_ROWS}
    return {name: pair for name, pair in found.items() if not math.isnan(pair[1])}
