"""overlap: what the scores of a cross-study analysis owe to drugs and cell lines seen in training.

    rows of strata.csv and coverage.csv -> a sentence, heatmaps

Numbers of strata are medians over results, since a stratum of a few rows may have any r2.
"""
import math
import statistics

from stages.report import charts, page as parts
from stages.report.charts import number, usable
from stages.stats.generalization import is_within

# drug, cell line
KINDS = {("seen", "seen"): "both seen", ("seen", "unseen"): "cell line unseen",
         ("unseen", "seen"): "drug unseen", ("unseen", "unseen"): "neither seen"}
WORDS = ("A row is seen if its drug or its cell line was in the training set of that source and "
         "split. The baseline (mean effects) knows nothing of an unseen drug or cell line but the "
         "mean of all.")


def medians(rows):
    """Returns {name of KINDS: [r2, that of the baseline]}, medians over the rows of that kind, nan
    without any. rows: dicts of strata.csv's columns."""
    found = {}
    for kind, name in KINDS.items():
        own = [row for row in rows if (row["drug"], row["cell_line"]) == kind]
        found[name] = [statistics.median([row[column] for row in own if usable(row[column])]
                                         or [math.nan]) for column in ("r2", "naive_r2")]
    return found


def across(rows):
    """Returns the rows of other studies than the source."""
    return [row for row in rows if not is_within(row["src"], row["trg"])]


def sentence(strata):
    """Returns what the top of the page says of rows of other studies; '' without strata."""
    rows = across(strata)
    found = "; ".join(f"{name} {number(r2, 2)} ({number(baseline, 2)})"
                      for name, (r2, baseline) in medians(rows).items())
    return ("Median r2 on other studies, grouped by what the training rows contained (in brackets: "
            f"the mean-effects predictor): {found}.") if rows else ""


def section(strata, coverage, figures):
    """Returns the section, '' without data. coverage: rows of coverage.csv."""
    drawn = [strata_figure(across(strata), figures), coverage_figure(coverage, figures)]
    return parts.section("What the scores owe to overlap", WORDS,
                         parts.figures(*drawn)) if any(drawn) else ""


def strata_figure(rows, figures):
    """Returns the four strata of each source on the other studies, beside the baseline."""
    cells = {}
    for source in sorted({row["src"] for row in rows}):
        for name, (r2, baseline) in medians([row for row in rows if row["src"] == source]).items():
            cells[source, name] = r2, f"baseline {number(baseline, 2)}"
    return figures.add(
        "csa_strata.svg", charts.heatmap, "r2 on other studies, by what was seen in training",
        cells, "higher is better", (0, 1), sides="source \u2193  rows of other studies \u2192",
        csv="strata.csv", caption="Median over targets and splits; below, that of the baseline. "
        "A dash: too few rows.") if cells else ""


def coverage_figure(coverage, figures):
    """Returns the shares of each target's drugs and cell lines that the source has."""
    cells = {row[:2]: (row[2], f"cells {number(row[3], 2)}") for row in coverage}
    return figures.add(
        "csa_coverage.svg", charts.heatmap, "Share of the target's drugs in the source", cells,
        "1 is all of them", (0, 1), csv="coverage.csv",
        caption="Whole studies. Below, the share of its cell lines.") if cells else ""
