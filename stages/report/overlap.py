"""overlap: what the scores of a cross-study analysis owe to drugs and cell lines seen in training.

    rows of strata.csv and coverage.csv, r2 of each pair -> a sentence, heatmaps

Numbers of strata are medians over results, since a stratum of a few rows may have any r2.
"""
import math
import statistics

from core.metrics import spearman
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


def sentences(strata):
    """Returns what the top of the page says of rows of other studies whose drug or cell line was
    not seen; '' without strata."""
    rows = across(strata)
    found = medians(rows)
    seen = found.pop("both seen")[0]
    scored = [name for name, (r2, _) in found.items() if usable(r2)]
    if not scored:
        return ("Every row of the other studies has a drug and a cell line that were seen in "
                "training." if rows else "")
    r2, baseline = found[scored[-1]]
    return (f"Across studies r2 is {number(seen, 2)} in rows whose drug and cell line were both "
            f"seen in training, and {number(r2, 2)} in rows with {scored[-1]} (medians over "
            f"targets and splits; the mean-effects predictor has {number(baseline, 2)} there).")


def section(strata, coverage, means, figures):
    """Returns the section, '' without data. coverage: collect.coverage.Coverage; means: {(source,
    target): mean r2}."""
    drawn = [strata_figure(across(strata), figures), coverage_figure(coverage, means, figures)]
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


def coverage_figure(coverage, means, figures):
    """Returns the shares of each target's drugs and cell lines that the source has."""
    cells = {row[:2]: (row[2], f"cells {number(row[3], 2)}") for row in coverage.rows}
    return figures.add(
        "csa_coverage.svg", charts.heatmap, "Share of the target's drugs in the source", cells,
        ends=(0, 1), csv="coverage.csv", caption="Below, the share of its cell lines. "
        f"{coverage.origin} {with_r2(coverage.rows, means)}") if cells else ""


def with_r2(rows, means):
    """Returns the rank correlations of coverage with mean r2 over pairs of two studies."""
    pairs = [row for row in rows if not is_within(*row[:2])
             and all(map(usable, (means.get(row[:2]), *row[2:4])))]
    if not pairs:
        return ""
    r2, studies = [means[row[:2]] for row in pairs], {name for row in pairs for name in row[:2]}
    drugs, cells = (number(spearman([row[at] for row in pairs], r2), 2) for at in (2, 3))
    return (f"Spearman's rho with mean r2 across studies: drugs {drugs}, cell lines {cells}. The "
            f"{len(pairs)} pairs come from only {len(studies)} studies and are not independent, so "
            "there is no p value.")
