"""compare: the page of a comparison of runs, compare.html.

    Comparison (collect/compare.py) -> figures, tables -> page

Examples:
    page, figures = report(comparison, "r2", ["lgbm is better than uno ...", "Average rank ..."])
    figures["compare_within.svg"]               # also beside the page
"""
from core.metrics import direction
from core.text import plural
from stages.report import charts, page as parts
from stages.report.charts import number
from stages.report.run import Figures, ranges
from stages.stats.significance import groups

LONGEST_TABLE = 300         # rows; compare_pairs.csv has all
MEASURES = ("within: the score on the source study itself; Ga: mean over the other studies as "
            "targets; Gna: mean of their scores relative to within (Partin et al., arXiv "
            "2503.14356).")
COUPLES = ["model a", "model b", "a minus b", "a significantly better on",
           "b significantly better on", "of pairs", "better"]
PAIRS = ["source \u2192 target", "model a", "model b", "splits", "mean of a minus b", "p",
         "p corrected", "better"]


def report(comparison, met, said):
    """Returns (page, {file name: SVG}). met: the metric of the figures; said: what came out, the
    first sentence is the lead."""
    runs, title = comparison.runs, ", ".join(run.label for run in comparison.runs)
    stamp = parts.SYNTHETIC * any(run.synthetic for run in runs)
    rows = [(run.label, run.out + f" ({parts.STAMP})" * run.synthetic) for run in runs]
    places = comparison.shared[met]
    rows.append(("compared on", f"{plural(len(places), 'score')} that all have, of splits "
                 f"{ranges({split for _, _, split in places})}"))
    figures = Figures(stamp, "")
    sections = [
        parts.section("What was compared", parts.items(said[1:] + comparison.notes)),
        parts.section("Within and across studies", MEASURES,
                      parts.figures(*measures_figures(comparison, met, figures)),
                      measures_table(comparison, met)),
        parts.section("Differences", parts.figures(*difference_maps(comparison, met, figures)),
                      couples_table(comparison, met), pairs_table(comparison, met)),
        parts.section("Average ranks", ranks(comparison, met, figures)),
        parts.section("Other metrics", "Their differences are in compare_pairs.csv.", *[
            parts.details(other, measures_table(comparison, other))
            for other in comparison.metrics if other != met])]
    return parts.page(f"Comparison of {title}", rows, sections, said[0], stamp), dict(figures)


def measures_figures(comparison, met, figures):
    """Returns within and Ga of each source and model."""
    rows = [row for row in comparison.table if row[2] == met]
    return [figures.add(f"compare_{name}.svg", charts.bars, title,
                        [charts.Strip(row[1], [row[at]], row[0]) for row in rows], met,
                        csv="compare.csv", caption="Means over splits.")
            for name, at, title in (("within", 3, f"{met} within a study"),
                                    ("across", 4, f"{met} across studies (Ga), by source"))]


def measures_table(comparison, met):
    rows = [[row[1], row[0], *row[3:]] for row in comparison.table if row[2] == met]
    return parts.table(["source", "model", "within", "Ga", "Gna", "targets", "scores"], rows,
                       f"{met} by source and model", "compare.csv")


def pairs_of(comparison, met):
    return [pair for pair in comparison.pairs if pair.metric == met]


def difference_maps(comparison, met, figures):
    """Returns the mean difference of two models for each source and target, as a - b; all figures
    have the same colors."""
    pairs, drawn = pairs_of(comparison, met), []
    reach = max([abs(it.difference) for it in pairs if charts.usable(it.difference)],
                default=0) or 1
    sign = -1 if direction(met) == "lower" else 1
    for a, b in dict.fromkeys((it.model_a, it.model_b) for it in pairs):
        cells = {(it.source, it.target): (it.difference, f"p {number(it.corrected)}"
                                          + " *" * it.significant)
                 for it in pairs if (it.model_a, it.model_b) == (a, b)}
        drawn.append(figures.add(
            f"compare_difference_{len(drawn)}.svg", charts.heatmap, f"{met} of {a} minus {b}",
            cells, f"blue: {a} better; orange: {b} better", (sign * -reach, sign * reach),
            charts.EITHER, csv="compare_pairs.csv",
            caption="Means over splits; below, p after correction, * if significant."))
    return drawn


def couples_table(comparison, met):
    rows = [[*it[1:3], it.difference, it.a_better, it.b_better, it.pairs, it.better]
            for it in comparison.couples if it.metric == met]
    return parts.table(COUPLES, rows, f"{met}: two models over all pairs of source and target",
                       "compare_models.csv")


def pairs_table(comparison, met):
    pairs = pairs_of(comparison, met)
    rows = [[f"{it.source} \u2192 {it.target}", it.model_a, it.model_b, it.splits, it.difference,
             it.p, it.corrected, it.better + " *" * it.significant] for it in pairs[:LONGEST_TABLE]]
    cut = f" (the first {LONGEST_TABLE} of {len(pairs)})" if pairs[LONGEST_TABLE:] else ""
    return parts.details("All differences", parts.table(
        PAIRS, rows, f"{met}: paired differences over splits, Wilcoxon's signed-rank test, * "
        f"significant after Holm's correction{cut}", "compare_pairs.csv", own_digits=PAIRS[5:7]))


def ranks(comparison, met, figures):
    """Returns the average ranks, with the diagram for three models or more."""
    found = {(row[1], row[0]): row[2] for row in comparison.ranks}
    rows = [[run.label] + [found.get((run.label, each)) for each in comparison.metrics]
            for run in comparison.runs]
    table = parts.table(["model"] + comparison.metrics, rows,
                        "Average rank over the pairs of source and target, 1 is best; equal scores "
                        "share their rank", "compare_ranks.csv")
    ranking = comparison.rankings.get(met)
    return parts.figures(ranking and figures.add(
        "compare_ranks.svg", charts.ranks, f"Average ranks by {met}\na bar below joins models of "
        "which none is better than another", dict(zip(ranking.names, ranking.ranks)),
        groups(ranking), csv="compare_ranks.csv"), table)
