"""compare_report: the page of a comparison of runs, compare.html.

    Comparison (compare_runs.py) -> figures, tables -> page

Examples:
    text = compare_page(comparison, "r2", ["r2: 3 of 25 differences ..."])
"""
from itertools import combinations

import axes
import charts
import heatmap
from report import STAMP, SYNTHETIC, details, figure, figures, items, page, paragraph, section, table, tag

MOST_FIGURES = 10           # of pairs of models; more are in the table only
LONGEST_TABLE = 300         # rows; more are in compare_pairs.csv only
MEASURES = ("within is the score within the source study, Ga the mean over the other studies as targets, Gna the mean "
            "of their scores relative to within (Partin et al., arXiv 2503.14356).")


def compare_page(comparison, met, said):
    """Returns the page. met: the metric of the figures; said: sentences on what came out, the first as the lead."""
    synthetic = any(run.synthetic for run in comparison.runs)
    names = [run.label for run in comparison.runs]
    rows = [(run.label, run.out + (f" ({STAMP})" if run.synthetic else "")) for run in comparison.runs]
    rows.append(("compared on", _shared_in_words(comparison.shared[met])))
    stamp = STAMP if synthetic else ""
    sections = [section("What was compared", items(comparison.notes + said[1:])),
                generalization(comparison, met, names, stamp), differences(comparison, met, names, stamp),
                ranks(comparison, names), other_metrics(comparison, met)]
    return page("Comparison of " + ", ".join(names), rows, [part for part in sections if part], said[0],
                SYNTHETIC if synthetic else "")


def _shared_in_words(places):
    sources, targets, splits = (sorted({place[at] for place in places}) for at in range(3))
    return (f"{len(places)} scores: sources {', '.join(sources)}; targets {', '.join(targets)}; "
            f"splits {', '.join(map(str, splits))}")


# Models on sources

def generalization(comparison, met, names, stamp):
    """Returns the section on within, Ga and Gna."""
    rows = [row for row in comparison.table if row[2] == met]
    sources = sorted({row[1] for row in rows})
    drawn = [figure(charts.bars(sources, _bars(rows, sources, names, column), title, x_label=label, stamp=stamp))
             for column, title, label in ((3, f"Within a study: {met}", met),
                                          (4, f"Across studies, by source: {met}", f"Ga of {met}"))
             if any(row[column] is not None for row in rows)]
    return section("Within and across studies", paragraph(MEASURES), figures(drawn), _measures_table(rows, met))


def _bars(rows, sources, names, column):
    values = {(row[0], row[1]): row[column] for row in rows}
    return [(name, [values.get((name, source)) for source in sources]) for name in names]


def _measures_table(rows, met):
    return table(["model", "source", "within", "Ga", "Gna", "targets", "scores"],
                 [[row[0], row[1], *row[3:]] for row in rows], f"{met} by source and model")


# Differences

def differences(comparison, met, names, stamp):
    """Returns the section on two models at a time."""
    pairs = [pair for pair in comparison.pairs if pair.metric == met]
    couples = list(combinations(names, 2))
    drawn = [figure(_difference_map([pair for pair in pairs if (pair.model_a, pair.model_b) == couple], met, stamp),
                    f"{couple[0]} minus {couple[1]}. {_sense(met)} Below: p after correction, * where it is "
                    "significant.") for couple in couples[:MOST_FIGURES]]
    more = [paragraph(f"Figures of {len(couples) - MOST_FIGURES} more couples of models are left out; "
                      "compare_pairs.csv has all numbers.")] if len(couples) > MOST_FIGURES else []
    return section("Differences", figures(drawn), *more, _pairs_table(pairs, met))


def _sense(met):
    from_metrics = "Below zero" if met in ("mse", "rmse", "mae") else "Above zero"
    return f"{from_metrics}, the first is better."


def _difference_map(pairs, met, stamp):
    rows, columns = sorted({pair.source for pair in pairs}), sorted({pair.target for pair in pairs})
    at = {(pair.source, pair.target): pair for pair in pairs}
    values = [[at[row, column].difference if (row, column) in at else None for column in columns] for row in rows]
    below = [[_p_text(at[row, column]) if (row, column) in at else "" for column in columns] for row in rows]
    return heatmap.heatmap(values, rows, columns, f"Mean difference in {met}: {pairs[0].model_a} - {pairs[0].model_b}",
                           center=0, below=below, stamp=stamp)


def _p_text(pair):
    return "p " + axes.number(pair.corrected) + (" *" if pair.significant else "")


def _pairs_table(pairs, met):
    rows = [[f"{pair.source} \u2192 {pair.target}", pair.model_a, pair.model_b, pair.splits, pair.difference, pair.p,
             pair.corrected, pair.better + (" *" if pair.significant else "")] for pair in pairs[:LONGEST_TABLE]]
    cut = f" (the first {LONGEST_TABLE} of {len(pairs)})" if len(pairs) > LONGEST_TABLE else ""
    return details("All differences", table(
        ["source \u2192 target", "model a", "model b", "splits", "mean of a - b", "p", "p corrected", "better"], rows,
        f"{met}: paired differences over splits, Wilcoxon's signed-rank test, * significant after Holm's "
        f"correction{cut}"))


# Ranks, and the other metrics

def ranks(comparison, names):
    """Returns the section on average ranks, a column per metric."""
    found = {(row[1], row[0]): row[2] for row in comparison.ranks}
    counts = ", ".join(f"{met} {count}" for met, count in sorted({(row[0], row[3]) for row in comparison.ranks}))
    return section("Average ranks", table(
        ["model"] + comparison.metrics, [[name] + [found[name, met] for met in comparison.metrics] for name in names],
        f"Average rank over pairs of source and target, 1 is best, equal scores share their rank (pairs: {counts})"))


def other_metrics(comparison, met):
    """Returns the section with the tables of the other metrics."""
    others = [other for other in comparison.metrics if other != met]
    parts = []
    for other in others:
        said = [tag("p", comparison.limits[other])] if comparison.limits[other] else []
        parts.append(details(other, *said, _measures_table([row for row in comparison.table if row[2] == other], other),
                             _pairs_table([pair for pair in comparison.pairs if pair.metric == other], other)))
    return section("Other metrics", *parts) if parts else ""
