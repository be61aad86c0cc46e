"""csa: the page of a cross-study analysis.

    rows of scores -> mean, std, G, Ga, Gna -> figures and tables -> OUT/report.html

Examples:
    page, figures = report(run, rows, studies, naive, strata, coverage, clouds)
    figures["csa_r2.svg"]                       # also in OUT/scores

Figures: csa_{met}, csa_{met}_generalization, csa_{met}_splits, csa_true_predicted_SOURCE;
those of report/naive.py and report/overlap.py.
G, Ga and Gna are those of Partin et al., arXiv 2503.14356; see stats/generalization.py.
"""
import math
from itertools import groupby, product

from core.metrics import direction, in_order
from core.text import plural
from stages.report import charts, naive as naive_report, overlap, page as parts
from stages.report.charts import Series, Strip, number
from stages.report.run import NOTHING, Figures, ranges, whole_page
from stages.stats.generalization import by_pair, densed_rows, generalization_rows, mean, std

WORDS = {       # in the order in which metrics are shown; others come after them
    "r2": "1 is perfect, 0 is as good as the mean of the test set, below 0 is worse than that.",
    "pcc": "Pearson's correlation of truth and prediction; higher is better.",
    "scc": "Spearman's rank correlation of truth and prediction; higher is better.",
    "mae": "mean absolute error; lower is better.",
    "rmse": "root of the mean squared error; lower is better.",
    "mse": "mean squared error; lower is better."}
OTHER = {"higher": "higher is better, 1 is perfect.", "lower": "lower is better.",
         None: "as the model's score files have it; its better direction is not known."}
WHERE = {"within": "within a study", "cross": "across studies"}
OVERLAP = ("The splits of a study share most of their training rows, so that the standard "
           "deviation (ddof 1) over splits understates how much new data would change a score.")
SAMPLE = ("Of many rows an even sample is drawn; n, r2 and pcc are of all rows. Dashed: prediction "
          "and truth are equal.")


def report(run, rows, studies, naive, strata, coverage, clouds):
    """Returns (page, {file name: SVG}). rows: of collect.csa.SCORES_HEADER; studies: (sources,
    targets); naive: collect.naive.Naive; strata: dicts of strata.csv's columns; coverage:
    collect.coverage.Coverage; clouds: collect.csa.Clouds.
    """
    figures, title = Figures(run.tree.synthetic), f"Cross-study analysis of {run.model}"
    metrics = sorted(in_order(row[0] for row in rows), key=lambda met: [*WORDS, met].index(met))
    if not metrics:
        return whole_page(run, title, "There are no scores yet.",
                          [parts.section("Scores", NOTHING)], figures)
    scores = {met: by_pair([row for row in rows if row[0] == met]) for met in metrics}
    means = {pair: mean(values) for pair, values in scores.get("r2", {}).items()}
    tables = [table_of_scores(met, scores[met], studies, figures) for met in metrics]
    met, groups = next(iter(scores.items()))
    sections = [
        parts.section(f"{met} of every source and target", parts.figures(
            tables[0], generalization(met, groups, studies, figures))),
        parts.section("Spread over splits and drugs", OVERLAP, parts.figures(
            spread(met, groups, figures), naive_report.drug_figure(naive, figures))),
        cloud_section(clouds, figures), *naive_report.sections(naive, figures),
        overlap.section(strata, coverage, means, figures),
        parts.section("All metrics", pooled_table(rows, metrics), parts.details(
            ", ".join(metrics[1:]) or "none", parts.figures(*tables[1:])))]
    text = f"{lead(met, run.model, rows, naive)} {overlap.sentences(strata)}"
    return whole_page(run, title, text, sections, figures)


def lead(met, model, rows, naive):
    """Returns the mean within and across studies, and that of the mean-effects predictor."""
    of_naive = [(met, row[2], record["scores"].get(f"naive_{met}", math.nan), row[0], row[1])
                for row, record in zip(naive.rows, naive.records)]
    said = []
    for chosen, start in ((rows, f"{model} has a mean {met} of"), (of_naive, (
            "The mean-effects predictor, which knows only drugs and cell lines by name, has"))):
        means = [f"{number(row[1])} {WHERE[row[3]]}" for row in densed_rows(chosen, "")
                 if row[0] == met]
        said += [f"{start} {' and '.join(means)}."] if means else []
    return " ".join(said)


# ---- parts of a metric

def table_of_scores(met, groups, studies, figures):
    """Returns what a metric is and its mean and standard deviation over splits as a heatmap.

    groups, here and below: {(source, target): values of the splits}.
    """
    digits = charts.decimals(map(mean, groups.values()))
    most = max(map(len, groups.values()), default=0)

    def cell(pair):
        values = groups.get(pair, [])
        some = f" ({len(values)}/{most})" if 0 < len(values) < most else ""
        return mean(values), f"\u00b1 {number(std(values), digits)}" * bool(values[1:]) + some
    cells = {pair: cell(pair) for pair in product(*studies)}
    means, better = [value for value, _ in cells.values() if value == value], direction(met)
    ends = {"higher": (0, 1), "lower": (max(means, default=0), min(means, default=0))}.get(better)
    return figures.add(
        f"csa_{met}.svg", charts.heatmap, f"{met}: mean \u00b1 standard deviation over splits",
        cells, f"{better} is better" if better else "", ends, csv="mean_std_table.csv", caption=(
            f"{met}: {WORDS.get(met) or OTHER[better]} Rows: trained on; columns: tested "
            "on; framed: the same study. In brackets: splits with a score, if not all have one."))


def generalization(met, groups, studies, figures):
    """Returns a figure and a table of each source's own study against the others."""
    found = {row[1:3]: row[4] for row in generalization_rows(met, groups, studies, "")}
    rows = [[source, *[found.get((measure, source)) for measure in ("G", "Ga", "Gna")]]
            for source in studies[0]]
    strips = [Strip(source, [value], name) for source, own, others, _ in rows for name, value in (
        ("on its own study (G)", own), ("mean of the others (Ga)", others))]
    drawn = figures.add(
        f"csa_{met}_generalization.svg", charts.bars,
        f"{met} by the study that the model was trained on", strips, met, csv="generalization.csv",
        caption="Each study's score is the mean over its splits.")
    return parts.tag("div", drawn + parts.table(
        ["source", "G", "Ga", "Gna"], rows,
        f"G: mean {met} on the own study. Ga: mean over the other studies. Gna: mean of their "
        "scores as shares of G; 1 would be no loss, and an error has none.",
        "scores/generalization.csv"))


def spread(met, groups, figures):
    """Returns the scores of each split."""
    return figures.add(
        f"csa_{met}_splits.svg", charts.strips,
        f"{met} of every split\npoints: splits; line: median",
        [Strip(source, values, target) for (source, target), values in sorted(groups.items())],
        met, csv=f"{met}_scores.csv".replace("/", "-"),
        caption="Left: trained on; colors: tested on.")


def cloud_section(clouds, figures):
    """Returns true against predicted responses of every source and target, '' without any."""
    drawn = [cloud_figure(source, list(own), figures)
             for source, own in groupby(clouds, lambda cloud: cloud.source)]
    text = f"One split of each pair (split {ranges({cloud.split for cloud in clouds})}). {SAMPLE}"
    return parts.section("True against predicted", text, parts.figures(*drawn)) if drawn else ""


def cloud_figure(source, clouds, figures):
    """Returns a panel for each target, all with the same axes."""
    values = [value for cloud in clouds for value in (*cloud.true, *cloud.pred)]
    equal = Series("equal", dashed=[(end, end) for end in (min(values), max(values))])
    plots = [charts.Panel(
        f"{cloud.target}\nn {number(cloud.rows)}\nr2 {number(cloud.r2, 2)} pcc "
        f"{number(cloud.pcc, 2)}", [Series("rows", list(zip(cloud.true, cloud.pred))), equal])
        for cloud in clouds]
    return figures.add(f"csa_true_predicted_{source}.svg", charts.panels,
                       f"Trained on {source}, tested on", plots, "true response", "predicted")


def pooled_table(rows, metrics):
    """Returns the mean and standard deviation of all metrics within and across studies."""
    found = sorted(densed_rows(rows, ""), key=lambda row: metrics.index(row[0]))
    return parts.table(
        ["metric", "tested", "mean", "std", "better"],
        [[met, WHERE[kind], *pair, direction(met) or "unknown"] for met, *pair, kind, _ in found],
        "Mean and standard deviation over all splits of the "
        f"{plural(len({row[3:5] for row in rows}), 'pair')} of source and target.",
        "scores/densed_csa_table.csv")
