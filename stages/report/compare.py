"""compare: the page of a comparison of runs, compare.html.

    Runs, Comparisons (collect/compare.py) -> figures, tables -> page
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
    figures = Figures(synthetic, "")
    means = parts.table(shown.means[0]._fields, shown.means, "Means over splits", "compare.csv")
    couples = parts.table(
        shown.couples[0]._fields, shown.couples, "Two models over all pairs of source and target",
        "compare_models.csv")
    ranks = parts.table(
        ["model", *[each.metric for each in comparisons]],
        [[model, *[each.ranks[model] for each in comparisons]] for model in shown.ranks],
        "Average rank over the pairs of source and target, 1 is best; equal scores share their "
        "rank", "compare_models.csv")
    sections = [
        parts.section("What was compared", parts.items(said[1:])),
        parts.section("Within and across studies", MEASURES, means),
        parts.section("Differences", parts.figures(*difference_maps(shown, figures)), couples),
        parts.section("Average ranks", parts.figures(rank_diagram(shown, figures), ranks))]
    return parts.page(f"Comparison of {', '.join(run.label for run in runs)}",
                      {run.label: run.out for run in runs}, sections, said[0],
                      parts.SYNTHETIC * synthetic), figures


def difference_maps(shown, figures):
    """Returns the mean difference of two models for each source and target, as a - b; all figures
    have the same colors."""
    drawn, ends = [], charts.even_ends([pair.mean_a_minus_b for pair in shown.pairs])
    if lower_is_better(shown.metric):
        ends = ends[::-1]
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
    """Returns the critical-difference diagram (Demsar, Journal of Machine Learning Research 7,
    2006): models by average rank, then a line for each group of models that do not differ."""
    ranks = shown.ranks
    alike = groups(ranks, [(it.model_a, it.model_b) for it in shown.couples if it.better])
    strips = [(name, [ranks[name]], "average rank") for name in sorted(ranks, key=ranks.get)]
    strips += [("", list(map(ranks.get, group)), "none is better than another") for group in alike]
    return figures.add("compare_ranks.svg", charts.strips, f"Average ranks by {shown.metric}",
                       strips, "average rank, 1 is best", csv="compare_models.csv")
