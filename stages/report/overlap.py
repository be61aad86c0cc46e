"""overlap: what the scores of a cross-study analysis owe to drugs and cell lines seen in training.

    rows of strata.csv and coverage.csv, r2 of each pair -> two sentences, heatmaps

Numbers of strata are medians over results, since a stratum of a few rows may have any r2.
"""
import statistics

from core.metrics import spearman
from stages.report import charts, page as parts
from stages.report.charts import number, usable
from stages.stats.generalization import is_within

# drug, cell line
KINDS = {("seen", "seen"): "both seen", ("seen", "unseen"): "cell line unseen",
         ("unseen", "seen"): "drug unseen", ("unseen", "unseen"): "neither seen"}
NOTHING_LEFT = 0.05         # of the cross-study r2; less is called nothing
ORDERED = 0.2               # a correlation from which rows are in the right order, roughly
WORDS = ("A row is seen if its drug or its cell line was in the training set of that source and "
         "split. The baseline (mean effects) knows nothing of an unseen drug or cell line but the "
         "mean of all.")


def medians(rows):
    """Returns {name of KINDS: {column: median over the rows of that kind}} of the columns that have
    numbers. rows: dicts of strata.csv's columns."""
    found = {}
    for kind, name in KINDS.items():
        own = [row for row in rows if (row["drug"], row["cell_line"]) == kind]
        values = {column: [row[column] for row in own if usable(row[column])]
                  for column in ("r2", "pcc", "naive_r2")}
        found[name] = {column: statistics.median(numbers)
                       for column, numbers in values.items() if numbers}
    return found


def across(rows):
    """Returns the rows of other studies than the source."""
    return [row for row in rows if not is_within(row["src"], row["trg"])]


# ---- the sentences at the top of the page

def sentences(strata):
    """Returns two sentences on the cross-study r2 of rows whose drug or cell line was not seen; ''
    without strata."""
    if not across(strata):
        return ""
    found = medians(across(strata))
    seen = found.pop("both seen")
    scored = [name for name in found if "r2" in found[name]]
    if not scored:
        return ("Every row of the other studies has a drug and a cell line that were seen in "
                "training.")
    name, found = scored[-1], found[scored[-1]]
    return (f"Across studies r2 is {number(seen.get('r2'), 2)} in rows whose drug and cell line "
            f"were both seen in training, and {number(found['r2'], 2)} in rows with {name} "
            "(medians over targets and splits; the mean-effects predictor has "
            f"{number(found.get('naive_r2'), 2)} there). "
            f"{what_is_left(seen.get('r2'), found['r2'], found.get('pcc'))}")


def what_is_left(seen, r2, pcc):
    """Returns the second sentence. seen: r2 of rows with both seen, or None; r2, pcc: without."""
    if r2 <= NOTHING_LEFT * max(seen or 0, 0):
        order = (f", though roughly in the right order (pcc {number(pcc, 2)})"
                 if usable(pcc) and pcc >= ORDERED else " and say nothing about their order")
        return ("Nothing is left of the score there: the predictions are no better than the mean "
                f"of these rows{order}.")
    if seen is None or seen <= r2:
        return "Nothing is lost there: these rows are predicted as well as the others."
    return f"{100 * r2 / seen:.0f} % of the score is left there."


# ---- the section

def section(strata, coverage, means, figures):
    """Returns the section, '' without data. coverage: collect.coverage.Coverage; means: {(source,
    target): mean r2}."""
    drawn = [strata_figure(across(strata), figures), coverage_figure(coverage, means, figures)]
    return parts.section("What the scores owe to overlap", WORDS,
                         parts.figures(*drawn)) if any(drawn) else ""


def strata_figure(rows, figures):
    """Returns the four strata of each source on the other studies, beside the baseline."""
    cells = {(source, name): (found.get("r2"), f"baseline {number(found['naive_r2'], 2)}"
                              if "naive_r2" in found else "")
             for source in sorted({row["src"] for row in rows})
             for name, found in medians([row for row in rows if row["src"] == source]).items()}
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
    rho = [number(spearman([row[at] for row in pairs], [means[row[:2]] for row in pairs]), 2)
           for at in (2, 3) if pairs]
    studies = len({name for row in pairs for name in row[:2]})
    return (f"Spearman's rho with mean r2 across studies: drugs {rho[0]}, cell lines {rho[1]}. The "
            f"{len(pairs)} pairs come from only {studies} studies and are not independent, so "
            "there is no p value.") if rho else ""
