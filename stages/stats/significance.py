"""significance: is one model better than another over the same splits?

paired scores --> differences --> Wilcoxon signed-rank p --> Holm or Bonferroni over all comparisons
scores of several models --> average ranks

Examples:
    statistic, p = wilcoxon_signed_rank(model_a_scores, model_b_scores)
    corrected = holm([p_ccle, p_gcsi, p_gdsc])
    sentence = limit_of_splits(splits=9, comparisons=21)     # '' if there are enough

The field's habit is one signed-rank test per (source, target) over 10 splits, corrected for all pairs of models. The
exact test then has a floor: even a unanimous sign over n splits has p = 2 / 2**n, so with too few splits nothing can
come out as significant whatever the models do. smallest_p and limit_of_splits say so. f_test_p is the tail of the F
distribution, for comparing fits.
"""
import math
from collections import Counter

from common.metrics import ranks_of

EXACT_UP_TO = 50  # differences: the exact distribution without ties or zeros, the normal one above (scipy's limit)
EXACT_WITH_TIES_UP_TO = 13  # with ties or zeros (scipy's limit: 2**13 sign patterns are fewer than its 9999 resamples)


def wilcoxon_signed_rank(x, y=None, method="auto"):
    """Wilcoxon's signed-rank test, two-sided: (statistic, p) of paired values, or of differences if y is None.

    The statistic is the smaller of the two rank sums. Zero differences are dropped (zero_method='wilcox'), ties share
    their average rank, no continuity correction. `method` is 'exact' (all 2**n signs of the ranks at hand),
    'asymptotic' (normal, variance corrected for ties) or 'auto', which chooses as scipy.stats.wilcoxon does in scipy
    1.18: exact up to 50 differences without ties and zeros, or up to 13 with them, otherwise asymptotic. (scipy's own
    method='exact' ignores ties; ours honours them, as its permutation test does.)
    No differences or a nan among them: (nan, nan). All differences zero: (0.0, 1.0). Unequal lengths: ValueError.
    Source: Wilcoxon, Biometrics Bulletin 1 (1945); tie correction: Lehmann, Nonparametrics (1975), section 3.2.
    """
    differences = _differences(x, y)
    if not differences or any(math.isnan(difference) for difference in differences):
        return math.nan, math.nan
    nonzero = [difference for difference in differences if difference != 0]
    ranks = ranks_of([abs(difference) for difference in nonzero])
    positive = sum(rank for rank, difference in zip(ranks, nonzero) if difference > 0)
    statistic = float(min(positive, sum(ranks) - positive))
    if not nonzero:
        return statistic, 1.0
    plain = len(set(ranks)) == len(differences)
    if _is_exact(method, len(differences), plain):
        return statistic, _exact_p(statistic, ranks)
    return statistic, _asymptotic_p(statistic, ranks)


def _differences(x, y):
    if y is None:
        return [float(value) for value in x]
    if len(x) != len(y):
        raise ValueError("paired samples of unequal length: {} and {}".format(len(x), len(y)))
    return [float(a) - float(b) for a, b in zip(x, y)]


def _is_exact(method, count, plain):
    if method not in ("auto", "exact", "asymptotic"):
        raise ValueError("method is {!r}, not 'auto', 'exact' or 'asymptotic'".format(method))
    return method == "exact" or method == "auto" and count <= (EXACT_UP_TO if plain else EXACT_WITH_TIES_UP_TO)


def _exact_p(statistic, ranks):
    """Twice the share of the 2**n sign patterns whose positive rank sum is at most `statistic`, at most 1."""
    doubled = [int(round(2 * rank)) for rank in ranks]  # an average rank is a multiple of one half
    patterns = [1] + [0] * sum(doubled)  # patterns[s]: how many choices of positive signs have the doubled rank sum s
    for rank in doubled:
        for total in range(len(patterns) - 1, rank - 1, -1):
            patterns[total] += patterns[total - rank]
    at_most = sum(patterns[:int(round(2 * statistic)) + 1])
    return min(1.0, 2 * at_most / 2 ** len(ranks))


def _asymptotic_p(statistic, ranks):
    n = len(ranks)
    ties = sum(count ** 3 - count for count in Counter(ranks).values())
    variance = n * (n + 1) * (2 * n + 1) / 24 - ties / 48
    z = (statistic - n * (n + 1) / 4) / math.sqrt(variance)
    return math.erfc(abs(z) / math.sqrt(2))


def average_ranks(table, lower_is_better=False):
    """Average rank of each model, 1 = best: `table` has a row per (source, target) or split and a value per model.

    Returns a list, one float a column. Rows with a None or nan are left out; without a full row every rank is nan.
    """
    rows = [row for row in table if not any(value is None or math.isnan(value) for value in row)]
    if not rows:
        return [math.nan] * (len(table[0]) if table else 0)
    sign = 1 if lower_is_better else -1
    ranked = [ranks_of([sign * value for value in row]) for row in rows]
    return [sum(column) / len(rows) for column in zip(*ranked)]


def holm(p_values):
    """Holm's step-down correction, in the given order; a nan stays nan and is not counted.

    Holds the family-wise error like Bonferroni and never rejects less. Source: Holm, Scand. J. Statist. 6 (1979).
    """
    order = sorted((i for i, p in enumerate(p_values) if not math.isnan(p)), key=lambda i: p_values[i])
    corrected = list(p_values)
    largest = 0.0
    for position, i in enumerate(order):
        largest = max(largest, (len(order) - position) * p_values[i])
        corrected[i] = min(1.0, largest)
    return corrected


def smallest_p(splits):
    """The smallest two-sided p that the exact test can give: all differences of one sign, 2 / 2**splits, at most 1."""
    return min(1.0, 2.0 ** (1 - splits))


def splits_needed(comparisons, alpha=0.05):
    """The fewest splits with which a unanimous sign is significant after correction for `comparisons`."""
    splits = 1
    while smallest_p(splits) * max(1, comparisons) > alpha:
        splits += 1
    return splits


def limit_of_splits(splits, comparisons, alpha=0.05):
    """What so few splits can show at best, as a sentence; '' if they are no limit worth naming."""
    floor = smallest_p(splits) * max(1, comparisons)
    if floor > alpha:
        return ("With {} and {}, nothing can be significant: the smallest possible p is {:.3g}, {:.3g} after "
                "correction, above {:g}; at least {} are needed.").format(
                    _count(splits, "split"), _count(comparisons, "comparison"), smallest_p(splits), min(1.0, floor),
                    alpha, _count(splits_needed(comparisons, alpha), "split"))
    if 2 * floor > alpha:  # one split of the other sign, and that the smallest difference, doubles p
        return ("With {} and {}, a difference can only be significant where every split has the same sign."
                ).format(_count(splits, "split"), _count(comparisons, "comparison"))
    return ""


def _count(number, noun):
    return "{} {}{}".format(number, noun, "" if number == 1 else "s")


def f_test_p(f, df1, df2):
    """P(F >= f) of the F distribution with df1 and df2 degrees of freedom (a t test is F = t**2 with df1 = 1).

    As 1 - I_x(df1 / 2, df2 / 2) with the regularised incomplete beta function. Source: DLMF 8.17.22 and 8.17.4.
    """
    if f <= 0:
        return 1.0
    if math.isinf(f):
        return 0.0
    return _incomplete_beta(df2 / 2, df1 / 2, df2 / (df2 + df1 * f))


def _incomplete_beta(a, b, x):
    """I_x(a, b), from the continued fraction on the side where it converges fast."""
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(b, a, 1 - x)
    if x <= 0:
        return 0.0
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    fraction = 1.0
    for m in range(200, 0, -1):  # from the tail inwards: both terms of step m
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        fraction = 1 + even / (1 + odd / fraction)
    return front / (1 - (a + b) * x / ((a + 1) * fraction))
