"""compare: the page of a comparison of runs, compare.html.

    Runs, Comparisons (collect/compare.py) -> figures, tables -> page

Examples:
    page, figures = report(runs, comparisons, shown, ["lgbm is better than uno ...", "Average ..."])
    figures["compare_within.svg"]               # also beside the page
"""
from core.metrics import lower_is_better
from stages.report import charts, page as parts
from stages.report.charts import number
from stages.report.run import Figures
from stages.stats.significance import groups

MEASURES = ("within: the score on the source study itself; Ga: mean over the other studies as "
            "targets; Gna: mean of their scores relative to within (Partin et al., arXiv "
            "2503.14356).")


def report(runs, comparisons, shown, said):
    """Returns (page, {file name: SVG}). comparisons: one for each metric; shown: that of the
    figures; said: what came out, the first sentence is the lead."""
    synthetic = any(run.synthetic for run in runs)
    rows = [(run.label, run.out) for run in runs]
    figures = Figures(synthetic, "")
    sections = [
        parts.section("What was compared", parts.items(said[1:])),
        parts.section("Within and across studies", MEASURES,
                      parts.figures(*measures_figures(shown, figures)), measures_table(shown)),
        parts.section("Differences", parts.figures(*difference_maps(shown, figures)), parts.table(
            shown.couples[0]._fields[1:], [couple[1:] for couple in shown.couples],
            f"{shown.metric}: two models over all pairs of source and target",
            "compare_models.csv")),
        parts.section("Average ranks", parts.figures(
            rank_diagram(shown, figures), ranks_table(comparisons))),
        parts.section("Other metrics", "Their differences are in compare_pairs.csv.", *[
            parts.details(each.metric, measures_table(each))
            for each in comparisons if each is not shown])]
    title = f"Comparison of {', '.join(run.label for run in runs)}"
    return parts.page(title, rows, sections, said[0], parts.SYNTHETIC * synthetic), dict(figures)


def measures_figures(shown, figures):
    """Returns within and Ga of each source and model."""
    return [figures.add(f"compare_{name}.svg", charts.bars, f"{shown.metric} {title}",
                        [charts.Strip(row.source, [getattr(row, name)], row.model)
                         for row in shown.means], shown.metric,
                        csv="compare.csv", caption="Means over splits.")
            for name, title in (("within", "within a study"),
                                ("Ga", "across studies (Ga), by source"))]


def measures_table(comparison):
    rows = [[row.source, row.model, *row[3:]] for row in comparison.means]
    return parts.table(["source", "model", "within", "Ga", "Gna"], rows,
                       f"{comparison.metric} by source and model", "compare.csv")


def difference_maps(shown, figures):
    """Returns the mean difference of two models for each source and target, as a - b; all figures
    have the same colors."""
    reach = max([abs(pair.mean_a_minus_b) for pair in shown.pairs
                 if charts.usable(pair.mean_a_minus_b)], default=0) or 1
    ends = (reach, -reach) if lower_is_better(shown.metric) else (-reach, reach)
    drawn = []
    for at, couple in enumerate(shown.couples):
        a, b = couple.model_a, couple.model_b
        cells = {(pair.source, pair.target): (
            pair.mean_a_minus_b, f"p {number(pair.p_holm)}" + " *" * (pair.significant == "yes"))
            for pair in shown.pairs if (pair.model_a, pair.model_b) == (a, b)}
        drawn.append(figures.add(
            f"compare_difference_{at}.svg", charts.heatmap, f"{shown.metric} of {a} minus {b}",
            cells, f"blue: {a} better; orange: {b} better", ends, charts.EITHER,
            csv="compare_pairs.csv", caption=(
                "Means over splits; below, p of Wilcoxon's signed-rank test after Holm's "
                "correction, * if significant.")))
    return drawn


def rank_diagram(shown, figures):
    bars = groups(shown.ranks, [(it.model_a, it.model_b) for it in shown.couples if it.better])
    return figures.add(
        "compare_ranks.svg", charts.ranks, f"Average ranks by {shown.metric}\na bar below joins "
        "models of which none is better than another", shown.ranks, bars, csv="compare_ranks.csv")


def ranks_table(comparisons):
    rows = [[model, *[each.ranks[model] for each in comparisons]]
            for model in comparisons[0].ranks]
    return parts.table(["model", *[each.metric for each in comparisons]], rows,
                       "Average rank over the pairs of source and target, 1 is best; equal scores "
                       "share their rank", "compare_ranks.csv")
