"""significance: is one model better than another over the same splits?

    differences of paired scores -> Wilcoxon's signed-rank test -> Holm's correction
    scores of several models -> average ranks -> groups of models that do not differ

The field's habit is one signed-rank test per (source, target) over 10 splits, corrected for all
couples of models. The exact test then has a floor: even a unanimous sign over n splits has
p = 2 / 2**n, so with too few splits nothing can come out as significant, whatever the models do.
limit_of_splits says so.
"""
import math
from itertools import combinations

from core.metrics import ranks_of
from core.text import plural

ALPHA = 0.05        # p after correction of what is significant


def wilcoxon_signed_rank(differences):
    """Returns the exact two-sided p of Wilcoxon's signed-rank test of paired differences.

    Zeros are dropped, ties share their mean rank, and p is over all 2**n signs of these ranks:
    scipy.stats.wilcoxon(differences, method='exact') without ties, its PermutationMethod with
    them. 1 if all are zero. Source: Wilcoxon, Biometrics Bulletin 1 (1945).
    """
    nonzero = list(filter(None, differences))
    # Doubled, since a mean rank is a multiple of one half
    ranks = [round(2 * rank) for rank in ranks_of(list(map(abs, nonzero)))]
    patterns = [1] + [0] * sum(ranks)       # patterns[s]: how many signs have the rank sum s
    for rank in ranks:
        for total in range(len(patterns) - 1, rank - 1, -1):
            patterns[total] += patterns[total - rank]
    positive = sum(rank for rank, difference in zip(ranks, nonzero) if difference > 0)
    statistic = min(positive, sum(ranks) - positive)
    return min(1.0, 2 * sum(patterns[:statistic + 1]) / 2 ** len(ranks))


def holm(p_values):
    """Returns p values after Holm's step-down correction (Scandinavian Journal of Statistics 6,
    1979), in order, as statsmodels.stats.multitest.multipletests(method='holm')."""
    corrected, largest = {}, 0.0
    for position, (p, at) in enumerate(sorted(zip(p_values, range(len(p_values))))):
        largest = max(largest, (len(p_values) - position) * p)
        corrected[at] = min(1.0, largest)
    return [corrected[at] for at in range(len(p_values))]


def limit_of_splits(splits, comparisons):
    """Returns a sentence if so few splits can show nothing significant; '' if they are enough."""
    smallest = 2 / 2 ** splits
    if smallest * comparisons <= ALPHA:
        return ""
    needed = math.ceil(1 + math.log2(comparisons / ALPHA))
    return (f"With {plural(splits, 'split')} and {plural(comparisons, 'comparison')}, nothing can "
            f"be significant: the smallest possible p is {smallest:.3g}, "
            f"{min(1.0, smallest * comparisons):.3g} after correction, above {ALPHA}; at least "
            f"{needed} splits are needed.")


def average_ranks(table, lower_is_better):
    """Returns the average rank of each model, 1 is best; equal values share their mean rank
    (Demsar, Journal of Machine Learning Research 7, 2006). table: a row per pair of source and
    target, a value per model, none of them nan."""
    sign = 1 if lower_is_better else -1
    ranked = [ranks_of([sign * value for value in row]) for row in table]
    return [sum(column) / len(table) for column in zip(*ranked)]


def groups(ranks, differing):
    """Returns lists of names, by rank, of which no two differ, but for single names and groups
    inside a larger one: the bars of a rank diagram. ranks: {name: average rank}; differing: (name,
    name) of each couple that differs."""
    order, found = sorted(ranks, key=ranks.get), []
    differing = set(map(frozenset, differing))
    for start in range(len(order)):
        group = order[start:]
        while any(frozenset(couple) in differing for couple in combinations(group, 2)):
            group.pop()
        if len(group) > 1 and not any(group[-1] in larger for larger in found):
            found.append(group)
    return found
