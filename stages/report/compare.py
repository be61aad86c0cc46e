"""compare: the page of a comparison of runs, compare.html.

    Comparison (collect/compare.py) -> figures, tables -> page

Examples:
    page, figures = report(comparison, "r2", ["r2: 3 of 25 differences ..."])
    figures["compare_within.svg"]               # also beside the page
"""
import statistics
from itertools import combinations

from common.metrics import lower_is_better
from common.tables import plural
from report import axes
from report import charts
from report import heatmap
from report.rank_diagram import rank_diagram
from report.page import STAMP, SYNTHETIC, details, figures, items, page, paragraph, section, table
from report.run import Figures, ranges

MOST_FIGURES = 10           # of pairs of models; more are in the table only
LONGEST_TABLE = 300         # rows; more are in compare_pairs.csv only
SPREADS = 4                 # standard deviations over splits that the colors of differences reach at least
SCALE = (f"The colors are the same in all figures: they end at the largest difference of any two models, or at {SPREADS} times "
         "the usual standard deviation over splits if that is more.")
MEASURES = ("within is the score within the source study, Ga the mean over the other studies as targets, Gna the mean "
            "of their scores relative to within (Partin et al., arXiv 2503.14356).")


def report(comparison, met, said):
    """Returns (page, {file name: SVG}). met: the metric of the figures; said: what came out, the first sentence is the lead."""
    names, synthetic = [run.label for run in comparison.runs], any(run.synthetic for run in comparison.runs)
    rows = [(run.label, run.out + (f" ({STAMP})" if run.synthetic else "")) for run in comparison.runs]
    rows.append(("compared on", _shared_in_words(comparison.shared[met])))
    drawn, pairs = Figures(synthetic), pairs_of(comparison, met)
    sections = [section("What was compared", items(comparison.notes + said[1:])),
                generalization(comparison, met, names, drawn), differences(comparison, met, pairs, names, drawn),
                boxes(comparison, met, pairs, drawn), ranks(comparison, met, names, drawn), other_metrics(comparison, met)]
    text = page("Comparison of " + ", ".join(names), rows, list(filter(None, sections)), said[0], SYNTHETIC if synthetic else "")
    return text, drawn.for_paper()


def _shared_in_words(places):
    sources, targets = (sorted({place[at] for place in places}) for at in (0, 1))
    return (f"{plural(len(places), 'score')}: sources {', '.join(sources)}; targets {', '.join(targets)}; "
            f"splits {ranges({place[2] for place in places})}")


def pairs_of(comparison, met):
    return [pair for pair in comparison.pairs if pair.metric == met]


# Models on sources

def generalization(comparison, met, names, drawn):
    """Returns the section on within, Ga and Gna."""
    rows = [row for row in comparison.table if row[2] == met]
    sources = sorted({row[1] for row in rows})
    bars = [drawn.add(f"compare_{name}.svg", charts.bars, sources, _bars(rows, sources, names, column), title, x_label=label)
            for name, column, title, label in (("within", 3, f"Within a study: {met}", met),
                                               ("across", 4, f"Across studies, by source: {met}", f"Ga of {met}"))
            if any(row[column] is not None for row in rows)]
    return section("Within and across studies", paragraph(MEASURES), figures(bars), _measures_table(rows, met))


def _bars(rows, sources, names, column):
    values = {(row[0], row[1]): row[column] for row in rows}
    return [(name, [values.get((name, source)) for source in sources]) for name in names]


def _measures_table(rows, met):
    return table(["source", "model", "within", "Ga", "Gna", "targets", "scores"],
                 [[row[1], row[0], *row[3:]] for row in rows], f"{met} by source and model")


# Differences

def differences(comparison, met, pairs, names, drawn):
    """Returns the section on two models at a time."""
    couples, reach = list(combinations(names, 2)), reach_of(comparison, met)
    maps = [_difference_map(f"compare_difference_{at}.svg", [pair for pair in pairs if (pair.model_a, pair.model_b) == couple],
                            met, reach, drawn) for at, couple in enumerate(couples[:MOST_FIGURES])]
    more = [paragraph(f"Left out: figures of {plural(len(couples) - MOST_FIGURES, 'more couple')} of models; "
                      "compare_pairs.csv has all numbers.")] if len(couples) > MOST_FIGURES else []
    return section("Differences", paragraph(SCALE), figures(maps), *more, _pairs_table(pairs, met))


def _sense(met):
    return f"{'Below' if lower_is_better(met) else 'Above'} zero, the first is better."


def _difference_map(name, pairs, met, reach, drawn):
    rows, columns = sorted({pair.source for pair in pairs}), sorted({pair.target for pair in pairs})
    at = {(pair.source, pair.target): pair for pair in pairs}
    values = [[at[row, column].difference if (row, column) in at else None for column in columns] for row in rows]
    below = [[_p_text(at[row, column]) if (row, column) in at else "" for column in columns] for row in rows]
    hatched = [[(row, column) in at and not at[row, column].significant for column in columns] for row in rows]
    return drawn.add(name, heatmap.heatmap, values, rows, columns,
                     f"Mean difference in {met}: {pairs[0].model_a} minus {pairs[0].model_b}", center=0, low=-reach, high=reach,
                     below=below, hatched=hatched, caption=f"{_sense(met)} Below: p after correction, * if it is significant; "
                     "hatched: not significant.")


def spread_over_splits(comparison, met):
    """Returns the median standard deviation over splits of one model on one pair: what a difference has to be seen beside."""
    found = [statistics.stdev(values) for groups in grouped(comparison, met).values() for values in groups if len(values) > 1]
    return statistics.median(found) if found else 0.0


def reach_of(comparison, met):
    """Returns the end of the color scale, one for all couples: the largest difference, at least SPREADS standard deviations."""
    differences = [abs(pair.difference) for pair in pairs_of(comparison, met) if axes.usable(pair.difference)]
    return max(differences + [SPREADS * spread_over_splits(comparison, met)])


def grouped(comparison, met):
    """Returns {(source, target): [values over the splits of each run]}."""
    groups = {}
    for source, target, split in comparison.shared[met]:
        groups.setdefault((source, target), [[] for _ in comparison.runs])
        for values, run in zip(groups[source, target], comparison.runs):
            values.append(run.scores[met, source, target, split])
    return groups


def _p_text(pair):
    return "p " + axes.number(pair.corrected) + (" *" if pair.significant else "")


def _pairs_table(pairs, met):
    rows = [[f"{pair.source} \u2192 {pair.target}", pair.model_a, pair.model_b, pair.splits, pair.difference, pair.p,
             pair.corrected, pair.better + (" *" if pair.significant else "")] for pair in pairs[:LONGEST_TABLE]]
    cut = f" (the first {LONGEST_TABLE} of {len(pairs)})" if len(pairs) > LONGEST_TABLE else ""
    return details("All differences", table(
        ["source \u2192 target", "model a", "model b", "splits", "mean of a - b", "p", "p corrected", "better"], rows,
        f"{met}: paired differences over splits, Wilcoxon's signed-rank test, * significant after Holm's "
        f"correction{cut}", own_digits=("p", "p corrected")))


# Ranks, and the other metrics

def boxes(comparison, met, pairs, drawn):
    """Returns the section with every model's splits, a figure for each source."""
    found, least, groups = [], {}, grouped(comparison, met)
    for pair in pairs:
        at = pair.source, pair.target
        least[at] = min(least.get(at, 1.0), pair.corrected)
    for source in sorted({pair[0] for pair in groups}):
        rows = [charts.Strip(f"{target} (p {axes.number(least[source, target])})", values, run.label)
                for (its, target), every in sorted(groups.items()) if its == source
                for run, values in zip(comparison.runs, every)]
        found.append(drawn.add(f"compare_splits_{source}.svg", charts.strips, rows, f"{met} of every split, trained on {source}",
                               points="splits", colors="models", x_label=met))
    return section("Splits of each model", paragraph(
        "A row is a target and a model; behind a target's name, the smallest p of two models there after correction."),
        figures(found))


def ranks(comparison, met, names, drawn):
    """Returns the section on average ranks, a column per metric; of three models or more with the diagram and its tests."""
    found = {(row[1], row[0]): row[2] for row in comparison.ranks}
    counts = ", ".join(f"{met} {count}" for met, count in sorted({(row[0], row[3]) for row in comparison.ranks}))
    parts = [table(
        ["model"] + comparison.metrics, [[name] + [found[name, met] for met in comparison.metrics] for name in names],
        f"Average rank over pairs of source and target, 1 is best, equal scores share their rank (pairs: {counts})")]
    if met in comparison.rankings:
        ranking = comparison.rankings[met]
        diagram = drawn.add("compare_ranks.svg", rank_diagram, ranking, f"Average ranks by {met}",
                            note="black bars join models that do not differ", caption=friedman_in_words(ranking))
        parts = [figures([diagram, _couples(ranking, met)])] + parts
    return section("Average ranks", *parts)


def friedman_in_words(ranking):
    if ranking.p != ranking.p:
        return "Friedman's test is undefined: too few pairs of studies, or all models are equal."
    return (f"Friedman's test over {ranking.sets} pairs of studies: chi squared {axes.number(ranking.statistic)}, "
            f"p {axes.number(ranking.p)}. Joined are models that Wilcoxon's signed-rank test does not tell apart after Holm's "
            "correction. Pairs share studies, so that p values come out smaller than independent data sets would give.")


def _couples(ranking, met):
    return table(["model a", "model b", "p", "p corrected"], [list(couple) for couple in ranking.couples],
                 f"{met}: two models over the means of all pairs of studies, Wilcoxon's signed-rank test",
                 own_digits=("p", "p corrected"))


def other_metrics(comparison, met):
    """Returns the section with the tables of the other metrics."""
    others = [other for other in comparison.metrics if other != met]
    parts = []
    for other in others:
        parts.append(details(other, paragraph(comparison.limits[other]) if comparison.limits[other] else "",
                             _measures_table([row for row in comparison.table if row[2] == other], other),
                             _pairs_table(pairs_of(comparison, other), other)))
    return section("Other metrics", *parts) if parts else ""
