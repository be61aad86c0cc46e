"""csa: the page of a cross-study analysis.

    rows of scores -> mean, std, G, Ga, Gna -> figures and tables -> OUT/report.html
    rows of strata.csv and coverage.csv -> what the scores owe to drugs and cell lines seen in
      training: a sentence, heatmaps

Figures: csa_{met}, csa_{met}_splits, csa_true_predicted_SOURCE, csa_strata, csa_coverage; those of
naive.py. G, Ga and Gna are those of Partin et al., arXiv 2503.14356; see stats/generalization.py.
Numbers of strata are medians over results, since a stratum of a few rows may have any r2.
"""
import math
import statistics
from itertools import groupby, product

from core.metrics import direction
from stages.report import charts, naive as naive_report, page as parts
from stages.report.charts import Series, number, usable
from stages.report.run import NOTHING, Figures, whole_page
from stages.stats.generalization import densed_rows, generalization_rows, is_within, mean, std

WORDS = ("r2: 1 is perfect, 0 is as good as the mean of the test set, below 0 is worse than that. "
         "pcc, scc: Pearson's and Spearman's correlation of truth and prediction. mae, rmse, mse: "
         "mean absolute error, root and mean of the squared error.")
WHERE = {"within": "within a study", "cross": "across studies"}
SPREAD = ("The splits of a study share most of their training rows, so that the standard "
          "deviation (ddof 1) over splits understates how much new data would change a score.")
SAMPLE = ("One split of each pair. Of many rows an even sample is drawn; n, r2 and pcc are of "
          "all rows.")
# drug, cell line
STRATA = {("seen", "seen"): "both seen", ("seen", "unseen"): "cell line unseen",
          ("unseen", "seen"): "drug unseen", ("unseen", "unseen"): "neither seen"}
SEEN = ("A row is seen if its drug or its cell line was in the training set of that source and "
        "split. The baseline (mean effects) knows nothing of an unseen drug or cell line but the "
        "mean of all.")


def report(run, rows, scores, studies, naive, strata, coverage, clouds):
    """Returns (page, {file name: SVG}). rows: of collect.csa.SCORES_HEADER; scores: {metric:
    {(source, target): values of the splits}}; studies: (sources, targets); naive: [(task, record)]
    of collect/scores.py; strata: dicts of strata.csv's columns; coverage: rows of coverage.csv;
    clouds: collect.csa.Clouds."""
    figures, title = Figures(run.tree.synthetic), f"Cross-study analysis of {run.model}"
    metrics = sorted(filter(scores.get, scores), key=lambda met: met != "r2")
    if not metrics:
        return whole_page(run, title, "There are no scores yet.",
                          [parts.section("Scores", NOTHING)], figures)
    met, pooled = metrics[0], densed_rows(rows, "")
    first, *others = [table_of_scores(met, scores[met], studies, figures) for met in metrics]
    table = parts.table(
        ["metric", "tested", "mean", "std"],
        [[name, WHERE[kind], *pair] for name, *pair, kind, _ in pooled],
        "Mean and standard deviation over all splits of all pairs of source and target.",
        "scores/densed_csa_table.csv")
    sections = [
        parts.section(f"{met} of every source and target", WORDS, parts.figures(
            first, generalization(met, scores[met], studies))),
        spread_section(met, scores[met], naive, figures), cloud_section(clouds, figures),
        naive_report.section(naive, figures), overlap_section(strata, coverage, figures),
        parts.section("All metrics", table, parts.figures(*others))]
    said = " and ".join(f"{number(row[1])} {WHERE[row[3]]}" for row in pooled if row[0] == met)
    lead = f"{run.model} has a mean {met} of {said}. {overlap_sentence(strata)}"
    return whole_page(run, title, lead, sections, figures)


def table_of_scores(met, groups, studies, figures):
    """Returns the mean and standard deviation of a metric over splits as a heatmap. groups:
    {(source, target): values of the splits}."""
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
        csv=f"{met}_mean_csa_table.csv", caption=(
            "Rows: trained on; columns: tested on; framed: the same study. *: some splits are "
            "missing."))


def generalization(met, groups, studies):
    found = {row[1:3]: row[4] for row in generalization_rows(met, groups, studies, "")}
    measures = "G", "Ga", "Gna"
    return parts.table(
        ["source", *measures],
        [[source, *(found.get((name, source)) for name in measures)] for source in studies[0]],
        f"G: mean {met} on the own study. Ga: mean over the other studies. Gna: mean of their "
        "scores as shares of G; 1 means no loss. Error metrics have no Gna.",
        "scores/generalization.csv")


def spread_section(met, groups, naive, figures):
    """Returns the scores of each split, and the correlation within each drug."""
    drawn = figures.add(
        f"csa_{met}_splits.svg", charts.strips,
        f"{met} of every split\npoints: splits; line: median",
        [(source, values, target) for (source, target), values in sorted(groups.items())], met,
        csv=f"{met}_scores.csv", caption="Left: trained on; colors: tested on.")
    return parts.section("Spread over splits and drugs", SPREAD, parts.figures(
        drawn, naive_report.drug_figure(naive, figures)))


def cloud_section(clouds, figures):
    """Returns true against predicted responses of every source and target, '' without any."""
    drawn = []
    for source, own in groupby(clouds, lambda cloud: cloud.task.source):
        plots = []
        for task, true, pred, rows, scores in own:
            ends = min(true), max(true)
            r2, pcc = (number(scores.get(met), 2) for met in ("r2", "pcc"))
            plots.append(charts.Panel(
                f"{task.target}\nn {number(rows)}, split {task.split}\nr2 {r2} pcc {pcc}",
                [Series("rows", list(zip(true, pred))),
                 Series("prediction equals truth", dashed=list(zip(ends, ends)))]))
        drawn.append(figures.add(
            f"csa_true_predicted_{source}.svg", charts.panels, f"Trained on {source}, tested on",
            plots, "true response", "predicted", across=3))
    return parts.section("True against predicted", SAMPLE, parts.figures(*drawn)) if drawn else ""


def of_other_studies(strata):
    return [row for row in strata if not is_within(row["src"], row["trg"])]


def medians(rows):
    """Returns {name of STRATA: [r2, that of the baseline]}, medians over rows of strata.csv, nan
    without any."""
    found = {}
    for kind, name in STRATA.items():
        own = [row for row in rows if (row["drug"], row["cell_line"]) == kind]
        found[name] = [statistics.median([row[column] for row in own if usable(row[column])]
                                         or [math.nan]) for column in ("r2", "naive_r2")]
    return found


def overlap_sentence(strata):
    """Returns what the top of the page says of rows of other studies; '' without strata."""
    rows = of_other_studies(strata)
    found = "; ".join(f"{name} {number(r2, 2)} ({number(baseline, 2)})"
                      for name, (r2, baseline) in medians(rows).items())
    return ("Median r2 on other studies, grouped by what the training rows contained (in brackets: "
            f"the mean-effects predictor): {found}.") if rows else ""


def overlap_section(strata, coverage, figures):
    """Returns the strata of each source on the other studies beside the baseline, and the shares of
    each target's drugs and cell lines that the source has; '' without data."""
    rows, cells, drawn = of_other_studies(strata), {}, []
    for source in sorted({row["src"] for row in rows}):
        for name, (r2, baseline) in medians([row for row in rows if row["src"] == source]).items():
            cells[source, name] = r2, f"baseline {number(baseline, 2)}"
    if cells:
        drawn.append(figures.add(
            "csa_strata.svg", charts.heatmap, "r2 on other studies, by what was seen in training",
            cells, "higher is better", (0, 1), sides="source \u2193  rows of other studies \u2192",
            csv="strata.csv", caption="Median over targets and splits; below, that of the "
            "baseline. A dash: too few rows."))
    if coverage:
        cells = {row[:2]: (row[2], f"cells {number(row[3], 2)}") for row in coverage}
        drawn.append(figures.add(
            "csa_coverage.svg", charts.heatmap, "Share of the target's drugs in the source", cells,
            "1 is all of them", (0, 1), csv="coverage.csv",
            caption="Whole studies. Below, the share of its cell lines."))
    return parts.section("What the scores owe to overlap", SEEN,
                         parts.figures(*drawn)) if drawn else ""
