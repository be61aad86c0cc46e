"""overlap: which drugs and cell lines of a test set were in the training set, and the scores of either kind.

    rows, names of the training set -> strata: seen or not x seen or not -> scores of each
    names or pairs of two studies   -> coverage

Examples:
    found = strata(rows_of(true, pred, naive), drugs, cells, effects.drugs, effects.cells)
    found[0]                        # ('seen', 'seen', 812, 24, 96, mse, ..., drug_pcc), FIELDS names them
    coverage(drugs_of_gcsi, drugs_of_ccle)

Cross-study scores are mostly overlap: over the published models the rank correlation of coverage with
cross-study r2 is .82 to .95.
"""
import math
from itertools import compress
from operator import add, sub

from common import metrics
from common.tables import quantile
from stats.naive_baseline import FEWEST_ROWS, group_correlations
from stats.significance import f_test_p

SEEN = ("seen", "unseen")
SCORES = ("mse", "rmse", "mae", "r2", "pcc", "scc")
FIELDS = ("drug", "cell_line", "rows", "drugs", "cell_lines", *SCORES, "naive_r2", "norm_r2", "drug_pcc")


def strata(rows, drugs, cells, seen_drugs, seen_cells):
    """Returns a tuple of FIELDS for each of the four strata, both seen first; those without rows have 0 and nan.

    rows: metrics.Rows with the mean-effects prediction; drugs, cells: a name per row.
    seen_drugs, seen_cells: names of the training set, to be asked with `in`. r2, pcc, scc, naive_r2 and
    norm_r2 are nan below FEWEST_ROWS rows, where chance alone makes them anything.
    """
    codes = bytes(map(add, _unseen(drugs, seen_drugs, 2), _unseen(cells, seen_cells, 1)))
    found = []
    for code in range(4):
        chosen = codes.translate(bytes(each == code for each in range(256)))
        columns = [list(compress(column, chosen)) for column in (*rows, drugs, cells)]
        found.append((SEEN[code // 2], SEEN[code % 2], *_scores(metrics.Rows(*columns[:-2]), *columns[-2:])))
    return found


def _unseen(names, seen, code):
    """Returns for each name 0 if it was seen, else the code."""
    codes = {name: 0 if name in seen else code for name in set(names)}
    return map(codes.__getitem__, names)


def _scores(rows, drugs, cells):
    """Returns what FIELDS has behind the two names of a stratum."""
    truth = metrics.centered(rows.true)
    found = metrics.regression_scores(rows.true, rows.pred, rows.errors, truth)
    values = {name: found[name] for name in SCORES}
    values["naive_r2"] = metrics.r_squared(rows.truth, truth)
    values["norm_r2"] = metrics.r_squared(list(map(sub, rows.truth, rows.beyond)), metrics.centered(rows.truth))
    if len(drugs) < FEWEST_ROWS:
        values.update(dict.fromkeys(("r2", "pcc", "scc", "naive_r2", "norm_r2"), math.nan))
    within = sorted(pcc for _, pcc in group_correlations(rows.true, rows.pred, drugs).values())
    return (len(drugs), len(set(drugs)), len(set(cells)), *values.values(), quantile(within, 0.5) if within else math.nan)


def coverage(source, target):
    """Returns |S & T| / |T| of two sets; nan if the target is empty."""
    return len(source & target) / len(target) if target else math.nan


def spearman_test(x, y):
    """Returns (rho, two-sided p) of paired numbers; nan if one is constant or there are fewer than three pairs.

    p from Student's t with n - 2 degrees of freedom, as scipy.stats.spearmanr has it.
    """
    rho = metrics.spearman(x, y) if len(x) > 2 else math.nan
    if math.isnan(rho):
        return math.nan, math.nan
    left = (1 - rho) * (1 + rho)
    return rho, f_test_p(rho * rho * (len(x) - 2) / left, 1, len(x) - 2) if left > 0 else 0.0
