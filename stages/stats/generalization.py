"""generalization: the numbers by which the field judges generalization.

    rows (met, split, value, src, trg, model) -> pooled by pair -> mean, std, G, Gn, Ga, Gna

G, Gn, Ga and Gna are those of Partin et al., arXiv 2503.14356.
"""
import math
from operator import itemgetter

from core import metrics


def mean(values):
    """Returns the mean of a list; nan if it is empty."""
    return metrics.mean(values) if values else math.nan


def std(values):
    """Returns the standard deviation with ddof 1; nan below two values."""
    if len(values) < 2:
        return math.nan
    return math.sqrt(metrics.squares(metrics.deviations(values)) / (len(values) - 1))


def quantile(values, share):
    """Returns the quantile of sorted values, interpolated linearly (numpy's default)."""
    place = share * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)


def rounded(value):
    """Returns a value with 4 decimals, in the arithmetic of numpy, which IMPROVE's tables have."""
    if not abs(value) < 1e11:               # no decimals to round; nan
        return value
    return math.copysign(round(abs(value) * 1e4) / 1e4, value)


def pooled(rows, key=itemgetter(3, 4)):
    """Returns {(source, target), or another key(row): values}, without nan, as pandas does."""
    groups = {}
    for row in rows:
        if not math.isnan(row[2]):
            groups.setdefault(key(row), []).append(row[2])
    return groups


def is_within(source, target):
    """Whether the target is the source, or one of the studies that it was joined of: CCLE+gCSI."""
    return target == source or target in source.split("+")


def densed_rows(rows, model):
    """Returns (met, mean, std, within or cross, model), pooled over all pairs and splits."""
    groups = pooled(rows, lambda row: (row[0], not is_within(row[3], row[4])))
    return [(met, mean(values), std(values), "cross" if cross else "within", model)
            for (met, cross), values in sorted(groups.items())]


def generalization_rows(met, groups, studies, model):
    """Returns rows (met, measure, src, trg, value, targets, model) of a metric.

    groups: {(source, target): values of splits}; g[s,t] is their mean.
        G    g[s,s]                     the model's score within its own study
        Gn   g[s,t] / g[s,s]            for t != s
        Ga   mean of g[s,t], t != s     `targets` is how many there were
        Gna  mean of g[s,t] / g[s,s], t != s
    Gn and Gna exist only for metrics of which more is better (r2, acc) and a positive g[s,s]:
    elsewhere the ratio does not say which is better.
    """
    g, rows = {pair: mean(values) for pair, values in groups.items()}, []
    for source in studies[0]:
        within = g.get((source, source), math.nan)
        targets = [target for target in studies[1]
                   if not is_within(source, target) and (source, target) in g]
        across = [g[source, target] for target in targets]
        rows += [("G", source, source, within, 1), ("Ga", source, "", mean(across), len(across))]
        if within > 0 and metrics.direction(met) == "higher":
            ratios = [value / within for value in across]
            rows += [("Gn", source, target, ratio, 1) for target, ratio in zip(targets, ratios)]
            rows.append(("Gna", source, "", mean(ratios), len(ratios)))
    order = ("G", "Gn", "Ga", "Gna")
    return [(met, *row, model) for row in sorted(rows, key=lambda row: order.index(row[0]))
            if math.isfinite(row[3])]
