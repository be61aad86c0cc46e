"""csa: the page of a cross-study analysis.

    rows of scores -> mean, std, G, Ga, Gna -> figures and tables -> OUT/report.html

Examples:
    page, figures = report(run, rows, scores, studies, naive, strata, coverage, clouds)
    figures["csa_r2.svg"]                       # also in OUT/scores

Figures: csa_{met}, csa_{met}_splits, csa_true_predicted_SOURCE; those of naive.py and overlap.py.
G, Ga and Gna are those of Partin et al., arXiv 2503.14356; see stats/generalization.py.
"""
from itertools import groupby, product

from core.metrics import direction
from stages.report import charts, naive as naive_report, overlap, page as parts
from stages.report.charts import Series, Strip, number
from stages.report.run import NOTHING, Figures, whole_page
from stages.stats.generalization import densed_rows, generalization_rows, mean, std

WORDS = ("r2: 1 is perfect, 0 is as good as the mean of the test set, below 0 is worse than that. "
         "pcc, scc: Pearson's and Spearman's correlation of truth and prediction. mae, rmse, mse: "
         "mean absolute error, root and mean of the squared error.")
WHERE = {"within": "within a study", "cross": "across studies"}
OVERLAP = ("The splits of a study share most of their training rows, so that the standard "
           "deviation (ddof 1) over splits understates how much new data would change a score.")
SAMPLE = ("One split of each pair. Of many rows an even sample is drawn; n, r2 and pcc are of "
          "all rows.")


def report(run, rows, scores, studies, naive, strata, coverage, clouds):
    """Returns (page, {file name: SVG}). rows: of collect.csa.SCORES_HEADER; scores: {metric:
    {(source, target): values of the splits}}; studies: (sources, targets); naive: [(task, record)]
    of collect/naive.py; strata: dicts of strata.csv's columns; coverage: rows of coverage.csv;
    clouds: collect.csa.Clouds.
    """
    figures, title = Figures(run.tree.synthetic), f"Cross-study analysis of {run.model}"
    metrics = sorted(filter(scores.get, scores), key=lambda met: met != "r2")
    if not metrics:
        return whole_page(run, title, "There are no scores yet.",
                          [parts.section("Scores", NOTHING)], figures)
    met, groups = metrics[0], scores[metrics[0]]
    first, *others = [table_of_scores(met, scores[met], studies, figures) for met in metrics]
    sections = [
        parts.section(f"{met} of every source and target", WORDS, parts.figures(
            first, generalization(met, groups, studies))),
        parts.section("Spread over splits and drugs", OVERLAP, parts.figures(
            spread(met, groups, figures), naive_report.drug_figure(naive, figures))),
        cloud_section(clouds, figures), naive_report.section(naive, figures),
        overlap.section(strata, coverage, figures),
        parts.section("All metrics", pooled_table(rows), parts.figures(*others))]
    said = " and ".join(f"{number(row[1])} {WHERE[row[3]]}" for row in densed_rows(rows, "")
                        if row[0] == met)
    lead = f"{run.model} has a mean {met} of {said}. {overlap.sentence(strata)}"
    return whole_page(run, title, lead, sections, figures)


# ---- parts of a metric

def table_of_scores(met, groups, studies, figures):
    """Returns the mean and standard deviation of a metric over splits as a heatmap.

    groups, here and below: {(source, target): values of the splits}.
    """
    means, cells, better = list(map(mean, groups.values())), {}, direction(met)
    digits, most = charts.decimals(means), max(map(len, groups.values()))
    for pair in product(*studies):
        values = groups.get(pair, [])
        spread = f"\u00b1 {number(std(values), digits)}" * bool(values[1:])
        cells[pair] = mean(values), spread + " *" * (len(values) < most)
    ends = {"higher": (0, 1), "lower": (max(means), min(means))}.get(
        better, (min(means), max(means)))
    return figures.add(
        f"csa_{met}.svg", charts.heatmap, f"{met}: mean \u00b1 standard deviation over splits",
        cells, f"{better} is better" if better else "the better direction is not known", ends,
        csv=f"{met}_mean_csa_table.csv".replace("/", "-"), caption=(
            "Rows: trained on; columns: tested on; framed: the same study. *: some splits are "
            "missing."))


def generalization(met, groups, studies):
    """Returns a table of each source's own study against the others."""
    found = {row[1:3]: row[4] for row in generalization_rows(met, groups, studies, "")}
    measures = "G", "Ga", "Gna"
    return parts.table(
        ["source", *measures],
        [[source, *(found.get((name, source)) for name in measures)] for source in studies[0]],
        f"G: mean {met} on the own study. Ga: mean over the other studies. Gna: mean of their "
        "scores as shares of G; 1 means no loss. Error metrics have no Gna.",
        "scores/generalization.csv")


def spread(met, groups, figures):
    """Returns the scores of each split."""
    return figures.add(
        f"csa_{met}_splits.svg", charts.strips,
        f"{met} of every split\npoints: splits; line: median",
        [Strip(source, values, target) for (source, target), values in sorted(groups.items())],
        met, csv=f"{met}_scores.csv", caption="Left: trained on; colors: tested on.")


def cloud_section(clouds, figures):
    """Returns true against predicted responses of every source and target, '' without any."""
    drawn = [figures.add(f"csa_true_predicted_{source}.svg", charts.panels,
                         f"Trained on {source}, tested on", list(map(cloud_panel, own)),
                         "true response", "predicted", across=3)
             for source, own in groupby(clouds, lambda cloud: cloud.task.source)]
    return parts.section("True against predicted", SAMPLE, parts.figures(*drawn)) if drawn else ""


def cloud_panel(cloud):
    ends = min(cloud.true), max(cloud.true)
    r2, pcc = (number(cloud.scores.get(met), 2) for met in ("r2", "pcc"))
    return charts.Panel(
        f"{cloud.task.target}\nn {number(cloud.rows)}, split {cloud.task.split}\nr2 {r2} pcc {pcc}",
        [Series("rows", list(zip(cloud.true, cloud.pred))),
         Series("prediction equals truth", dashed=list(zip(ends, ends)))])


def pooled_table(rows):
    """Returns the mean and standard deviation of all metrics within and across studies."""
    return parts.table(
        ["metric", "tested", "mean", "std"],
        [[met, WHERE[kind], *pair] for met, *pair, kind, _ in densed_rows(rows, "")],
        "Mean and standard deviation over all splits of all pairs of source and target.",
        "scores/densed_csa_table.csv")
