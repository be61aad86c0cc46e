"""overlap: which drugs and cell lines of a test set were in the training set, and how well the rows
of either kind are predicted.

    test rows, training set       -> strata: drug seen or not x cell line seen or not
    names or pairs of two studies -> coverage

Examples:
    found, of_drugs = strata(true, pred, naive, drugs, cells, effects)
    found[0]            # ('seen', 'seen', 812, 24, 96, mse, ..., drug_pcc), FIELDS names them
    coverage(drugs_of_gcsi, drugs_of_ccle)

Cross-study scores are mostly overlap: over the published models the rank correlation of coverage
with cross-study r2 is .82 to .95.
"""
import math
import statistics
from collections import defaultdict
from itertools import compress
from operator import add

from core.metrics import mean_absolute_error
from stages.stats.moments import NAIVE, PRED, TRUE, by_name, minus, together

FEWEST_ROWS = 5             # for a correlation: with fewer, chance alone makes it anything
SEEN = ("seen", "unseen")
FIELDS = ("drug", "cell_line", "rows", "drugs", "cell_lines", "mse", "rmse", "mae", "r2", "pcc",
          "naive_r2", "norm_r2", "drug_pcc")


def strata(true, pred, naive, drugs, cells, effects):
    """Returns ([a tuple of FIELDS for each of the four strata that has rows], {drug: Moments}).

    Columns of one length; naive: the mean-effects prediction by `effects`, the Effects of the
    training set. r2, pcc, naive_r2 and norm_r2 are nan below FEWEST_ROWS rows; drug_pcc is the
    median over drugs.
    """
    drug_codes = {name: 2 * (name not in effects.drugs) for name in set(drugs)}
    cell_codes = {name: name not in effects.cells for name in set(cells)}
    kinds = bytes(map(add, map(drug_codes.get, drugs), map(cell_codes.get, cells)))
    found, of_drugs = [], defaultdict(list)
    for kind in sorted(set(kinds)):
        chosen = kinds.translate(bytes(each == kind for each in range(256)))
        *columns, own_drugs, own_cells = (
            list(compress(column, chosen)) for column in (true, pred, naive, drugs, cells))
        groups = by_name(own_drugs, *columns)
        found.append((SEEN[kind // 2], SEEN[kind % 2], len(own_drugs), len(groups),
                      len(set(own_cells)), *_scores(groups, mean_absolute_error(*columns[:2]))))
        for drug, moments in groups.items():
            of_drugs[drug].append(moments)
    return found, {drug: together(parts) for drug, parts in of_drugs.items()}


def _scores(groups, mae):
    """Returns the FIELDS of a stratum from mse on. groups: {drug: Moments}."""
    whole = together(list(groups.values()))
    mse, correlations = whole.squares(minus(TRUE, PRED)) / whole.rows, [math.nan] * 4
    if whole.rows >= FEWEST_ROWS:
        correlations = [whole.r2(TRUE, PRED), whole.correlation(TRUE, PRED), whole.r2(TRUE, NAIVE),
                        whole.r2(minus(TRUE, NAIVE), minus(PRED, NAIVE))]
    return (mse, math.sqrt(mse), mae, *correlations, median_correlation(correlations_of(groups)))


def correlations_of(groups):
    """Returns {name: (rows, pcc of truth and prediction within its rows)}, sorted by name.

    groups: {name: Moments}. Names with fewer than FEWEST_ROWS rows, or without a correlation
    (constant values), are left out.
    """
    found = {name: (group.rows, group.correlation(TRUE[:2], PRED[:2]))
             for name, group in sorted(groups.items()) if group.rows >= FEWEST_ROWS}
    return {name: pair for name, pair in found.items() if not math.isnan(pair[1])}


def median_correlation(correlations):
    """Returns the median of what correlations_of returns, nan if that is empty."""
    return statistics.median([pcc for _, pcc in correlations.values()] or [math.nan])


def coverage(source, target):
    """Returns |S & T| / |T| of two sets; nan if the target is empty."""
    return len(source & target) / len(target) if target else math.nan
