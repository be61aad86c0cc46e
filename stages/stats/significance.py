"""significance: is one model better than another over the same splits?

    paired scores -> differences -> Wilcoxon's signed-rank test -> Holm's correction
    scores of several models -> average ranks -> groups of models that do not differ

Examples:
    p = wilcoxon_signed_rank(model_a_scores, model_b_scores)
    corrected = holm([p_lgbm_uno, p_lgbm_graphdrp, p_uno_graphdrp])
    sentence = limit_of_splits(splits=9, comparisons=21)     # '' if there are enough

The field's habit is one signed-rank test per (source, target) over 10 splits, corrected for all
couples of models. The exact test then has a floor: even a unanimous sign over n splits has
p = 2 / 2**n, so with too few splits nothing can come out as significant, whatever the models do.
smallest_p and limit_of_splits say so.
"""
import math
from itertools import combinations
from typing import NamedTuple

from core.metrics import ranks_of
from core.text import plural


# ---- the test

def wilcoxon_signed_rank(x, y):
    """Returns the exact two-sided p of Wilcoxon's signed-rank test of paired values.

    Zero differences are dropped, ties share their mean rank, and p is over all 2**n signs of
    these ranks: scipy.stats.wilcoxon(x, y, method='exact') without ties, its PermutationMethod
    with them. nan without differences or with a nan among them, 1 if all are zero.
    ValueError: unequal lengths. Source: Wilcoxon, Biometrics Bulletin 1 (1945).
    """
    if len(x) != len(y):
        raise ValueError(f"paired samples of unequal length: {len(x)} and {len(y)}")
    differences = [float(a) - float(b) for a, b in zip(x, y)]
    if not differences or any(map(math.isnan, differences)):
        return math.nan
    nonzero = list(filter(None, differences))
    # Doubled, since a mean rank is a multiple of one half
    ranks = [round(2 * rank) for rank in ranks_of(list(map(abs, nonzero)))]
    positive = sum(rank for rank, difference in zip(ranks, nonzero) if difference > 0)
    return _share_of_signs(ranks, min(positive, sum(ranks) - positive))


def _share_of_signs(ranks, statistic):
    """Returns twice the share of all signs whose positive rank sum is at most `statistic`."""
    patterns = [1] + [0] * sum(ranks)       # patterns[s]: how many signs have the rank sum s
    for rank in ranks:
        for total in range(len(patterns) - 1, rank - 1, -1):
            patterns[total] += patterns[total - rank]
    return min(1.0, 2 * sum(patterns[:statistic + 1]) / 2 ** len(ranks))


def holm(p_values):
    """Returns p values after Holm's step-down correction, in order; a nan stays and is not counted.

    Holds the family-wise error like Bonferroni's and never rejects less. As
    statsmodels.stats.multitest.multipletests(method='holm').
    Source: Holm, Scandinavian Journal of Statistics 6 (1979).
    """
    order = sorted((i for i, p in enumerate(p_values) if not math.isnan(p)),
                   key=lambda i: p_values[i])
    corrected, largest = list(p_values), 0.0
    for position, i in enumerate(order):
        largest = max(largest, (len(order) - position) * p_values[i])
        corrected[i] = min(1.0, largest)
    return corrected


# ---- too few splits

def smallest_p(splits):
    """Returns the smallest p that the test can give, that of a unanimous sign: 2 / 2**splits."""
    return min(1.0, 2.0 ** (1 - splits))


def splits_needed(comparisons, alpha=0.05):
    """Returns the fewest splits with which a unanimous sign is significant after correction."""
    return math.ceil(1 + math.log2(max(1, comparisons) / alpha))


def limit_of_splits(splits, comparisons, alpha=0.05):
    """Returns a sentence on what so few splits can show at best; '' if they are enough."""
    floor = smallest_p(splits) * max(1, comparisons)
    head = f"With {plural(splits, 'split')} and {plural(comparisons, 'comparison')}, "
    if floor > alpha:
        return head + (
            f"nothing can be significant: the smallest possible p is {smallest_p(splits):.3g}, "
            f"{min(1.0, floor):.3g} after correction, above {alpha:g}; at least "
            f"{plural(splits_needed(comparisons, alpha), 'split')} are needed.")
    if 2 * floor > alpha:   # a single small difference of the other sign doubles p
        return head + "a difference can only be significant if every split has the same sign."
    return ""


# ---- ranks

class Ranking(NamedTuple):
    """Models by rank, and which of them differ."""
    names: list
    ranks: list             # average rank of each, 1 is best
    differing: list         # (name, name) of each couple that differs


def average_ranks(table, lower_is_better=False):
    """Returns the average rank of each model, 1 is best; equal values share their mean rank.

    table: a row per pair of source and target, a value per model, none of them nan.
    Source: Demsar, Journal of Machine Learning Research 7 (2006).
    """
    sign = 1 if lower_is_better else -1
    ranked = [ranks_of([sign * value for value in row]) for row in table]
    return [sum(column) / len(table) for column in zip(*ranked)]


def groups(ranking):
    """Returns lists of names, by rank, of which no two differ: the bars of a rank diagram.

    Groups inside a larger one and single names are left out.
    """
    order = [name for _, name in sorted(zip(ranking.ranks, ranking.names))]
    differing = set(map(frozenset, ranking.differing))
    found = []
    for start in range(len(order)):
        group = order[start:]
        while any(frozenset(couple) in differing for couple in combinations(group, 2)):
            group.pop()
        if len(group) > 1 and not any(group[-1] in larger for larger in found):
            found.append(group)
    return found
