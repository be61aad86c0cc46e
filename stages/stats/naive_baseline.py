"""naive_baseline: what drug and cell line alone say of a response.

    training rows -> fit -> Effects
    Effects + drugs and cell lines of the test rows -> predict -> naive predictions

Examples:
    effects = fit(*read_responses("ml_data/gCSI-CCLE/split_0/train_y_data.csv", "auc"))
    naive = predict(effects, drugs, cells)

Drugs differ more from each other in their mean response than models differ, so a predictor that
knows nothing but the names already has a high r2. What a model has beyond that shows after the
naive prediction is subtracted. Source: DrEval (drevalpy), its NaiveMeanEffectsPredictor and its
normalised metrics.
"""
import math
from operator import add
from typing import NamedTuple

from core.metrics import mean_absolute_error
from stages.stats.moments import NAIVE, PRED, TRUE, groups_of, minus


class Effects(NamedTuple):
    """A fitted mean-effects predictor, in the units of the response."""
    mean: float             # of all training rows
    drugs: dict             # drug -> mean of its training rows minus the mean of all
    cells: dict             # cell line -> likewise


def fit(drugs, cells, values):
    """Returns the Effects of training rows: a drug, a cell line and a response each."""
    center = math.fsum(values) / len(values)
    return Effects(center, _effects(drugs, values, center), _effects(cells, values, center))


def _effects(names, values, center):
    groups = {name: chosen(values) for name, chosen in groups_of(names).items()}
    return {name: math.fsum(group) / len(group) - center for name, group in groups.items()}


def predict(effects, drugs, cells):
    """Returns mean + drug effect + cell-line effect per row; an unseen name has no effect."""
    of_drug = {name: effects.mean + effects.drugs.get(name, 0.0) for name in set(drugs)}
    of_cell = {name: effects.cells.get(name, 0.0) for name in set(cells)}
    return list(map(add, map(of_drug.__getitem__, drugs), map(of_cell.__getitem__, cells)))


def beside_naive(whole, true, naive):
    """Returns {naive_mse, ..., norm_r2, norm_pcc}: the scores of the naive prediction, and those of
    the model after it was subtracted from truth and prediction. nan if undefined.

    whole: Moments of truth, prediction and naive prediction; true, naive: the columns.
    """
    mse = whole.squares(minus(TRUE, NAIVE)) / whole.rows
    beyond = minus(TRUE, NAIVE), minus(PRED, NAIVE)
    return {"naive_mse": mse, "naive_rmse": math.sqrt(mse),
            "naive_mae": mean_absolute_error(true, naive),
            "naive_pcc": whole.correlation(TRUE, NAIVE), "naive_r2": whole.r2(TRUE, NAIVE),
            "norm_r2": whole.r2(*beyond), "norm_pcc": whole.correlation(*beyond)}
