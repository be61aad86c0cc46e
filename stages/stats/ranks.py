"""ranks: do several models differ, over many data sets at once; and which two of them?

    a value per data set and model -> Friedman's test -> Wilcoxon's of each two, corrected (Holm) -> groups that do not differ

Examples:
    found = ranking([[.8, .7, .3], [.6, .5, .4]], ["lgbm", "uno", "mean"])
    found.ranks, found.p, found.couples[0].corrected

Source: Demsar, Journal of Machine Learning Research 7 (2006); Wilcoxon's test in place of Nemenyi's, as Benavoli et al.,
Journal of Machine Learning Research 17 (2016), advise.
"""
import math
from collections import Counter
from itertools import combinations
from typing import NamedTuple

from common.metrics import ranks_of
from stats.significance import average_ranks, holm, wilcoxon_signed_rank


class Couple(NamedTuple):
    """Two models over all data sets."""
    a: str
    b: str
    p: float
    corrected: float


class Ranking(NamedTuple):
    """What a table of data sets x models says."""
    names: list
    ranks: list             # average rank of each, 1 is best
    sets: int               # how many data sets
    statistic: float        # Friedman's chi squared; nan if it is undefined
    p: float
    couples: list           # a Couple each


def ranking(table, names, lower_is_better=False):
    """Returns the Ranking of a table with a row per data set and a value per model, none of them nan."""
    statistic, p = friedman(table)
    pairs = list(combinations(range(len(names)), 2))
    p_values = [wilcoxon_signed_rank([row[i] for row in table], [row[j] for row in table])[1] for i, j in pairs]
    couples = [Couple(names[i], names[j], *both) for (i, j), both in zip(pairs, zip(p_values, holm(p_values)))]
    return Ranking(list(names), average_ranks(table, lower_is_better), len(table), statistic, p, couples)


def friedman(table):
    """Returns (chi squared, p) of Friedman's test, corrected for ties; nan below three models or two rows, or if all is tied.

    Source: Friedman, Journal of the American Statistical Association 32 (1937); ties: Conover, Practical
    Nonparametric Statistics (1999), section 5.8. As scipy.stats.friedmanchisquare has it.
    """
    sets, models = len(table), len(table[0]) if table else 0
    if sets < 2 or models < 3:
        return math.nan, math.nan
    ranked = list(map(ranks_of, table))
    ties = sum(count ** 3 - count for row in ranked for count in Counter(row).values())
    correction = 1 - ties / (sets * models * (models ** 2 - 1))
    if correction <= 0:
        return math.nan, math.nan
    sums = [sum(column) for column in zip(*ranked)]
    spread = 12 / (sets * models * (models + 1)) * sum(total ** 2 for total in sums) - 3 * sets * (models + 1)
    statistic = max(0.0, spread / correction)
    return statistic, chi_squared_p(statistic, models - 1)


def chi_squared_p(statistic, freedom):
    """P(X >= statistic) of chi squared with `freedom` degrees: 1 - P(freedom / 2, statistic / 2).

    The regularised incomplete gamma function. Source: DLMF 8.7.1 (series), 8.9.2 (continued fraction).
    """
    a, x = freedom / 2, statistic / 2
    if x <= 0:
        return 1.0
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        for n in range(1, 1000):
            term *= x / (a + n)
            total += term
        return 1 - front * total
    fraction = 0.0
    for n in range(500, 0, -1):     # from the tail inwards
        fraction = n * (n - a) / (x + 2 * n + 1 - a - fraction)
    return front / (x + 1 - a - fraction)


def groups(ranking_, alpha=0.05):
    """Returns lists of names, by rank, of which no two differ; those inside a larger one and single names are left out."""
    order = [name for _, name in sorted(zip(ranking_.ranks, ranking_.names))]
    differ = {frozenset((each.a, each.b)) for each in ranking_.couples if each.corrected < alpha}
    found = []
    for start in range(len(order)):
        end = start + 1
        while end < len(order) and not any(frozenset((order[end], name)) in differ for name in order[start:end]):
            end += 1
        if end - start > 1 and not any(set(order[start:end]) <= set(group) for group in found):
            found.append(order[start:end])
    return found
