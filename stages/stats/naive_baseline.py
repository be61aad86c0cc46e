"""naive_baseline: what drug and cell line alone say of a response, and what a model adds to it.

    training rows -> fit -> Effects
    Effects + drugs and cell lines of the test rows -> predict -> naive predictions
    truth, prediction, drugs -> group_correlations

Examples:
    effects = fit(*read_responses("ml_data/gCSI-CCLE/split_0/train_y_data.csv", "auc"))
    naive = predict(effects, drugs, cells)
    normalised_scores(rows_of(true, pred, naive))["r2"]

Drugs differ more from each other in their mean response than models differ, so
a predictor that knows nothing but the names already has a high r2. What a model
has beyond that shows after the naive prediction is subtracted. Source: DrEval
(drevalpy), its NaiveMeanEffectsPredictor and its normalised metrics.
"""
import math
from collections import defaultdict
from operator import add
from typing import NamedTuple

from common.metrics import pearson

FEWEST_ROWS = 5             # of a drug or cell line for a correlation within it


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
    return {name: math.fsum(group) / len(group) - center for name, group in _grouped(names, values).items()}


def _grouped(names, values):
    """Returns {name: list of its values}."""
    groups = defaultdict(list)
    for name, value in zip(names, values):
        groups[name].append(value)
    return groups


def predict(effects, drugs, cells):
    """Returns mean + drug effect + cell-line effect per row; an unseen name has no effect."""
    of_drug = {name: effects.mean + effects.drugs.get(name, 0.0) for name in set(drugs)}
    of_cell = {name: effects.cells.get(name, 0.0) for name in set(cells)}
    return list(map(add, map(of_drug.__getitem__, drugs), map(of_cell.__getitem__, cells)))


def group_correlations(true, pred, names):
    """Returns {name: (rows, pcc of truth and prediction within its rows)}, sorted by name.

    names: a drug or cell line per row. Those with fewer than FEWEST_ROWS rows,
    or without a correlation (constant values), are left out.
    """
    of_pred, found = _grouped(names, pred), {}
    for name, values in sorted(_grouped(names, true).items()):
        if len(values) >= FEWEST_ROWS:
            found[name] = len(values), pearson(values, of_pred[name])
    return {name: pair for name, pair in found.items() if not math.isnan(pair[1])}
