"""overlap: the part of a cross-study page on what its scores owe to drugs and cell lines that were seen in training.

    strata.csv's and coverage.csv's rows, r2 of each pair -> two sentences, three heatmaps, a scatter plot, a table

Numbers of strata are medians over results, since a stratum of a few rows may have any r2.
"""
import statistics

from common.tables import plural
from report import axes
from report import heatmap
from report import page as parts
from report.axes import number
from report.charts import Series, line_chart
from stats.generalization import is_within
from stats.overlap import spearman_test

KINDS = (("seen", "seen"), ("unseen", "seen"), ("seen", "unseen"), ("unseen", "unseen"))     # drug, cell line
NAMES = {("seen", "seen"): "both seen", ("unseen", "seen"): "drug unseen", ("seen", "unseen"): "cell line unseen",
         ("unseen", "unseen"): "neither seen"}
COLUMNS = ((2, "drugs"), (3, "cell lines"))     # of coverage.csv
FEWEST_PAIRS = 6            # of studies, for a rank correlation
NOTHING_LEFT = 0.05         # of the cross-study r2; less is called nothing
ORDERED = 0.2               # a correlation from which rows are in the right order, roughly
WORDS = ("A row is seen if its drug or its cell line was in the training set of that source and split. The mean-effects "
         "predictor knows nothing of an unseen drug or cell line but the mean of all.")


# ---- the sentences at the top of the page

def sentences(strata):
    """Returns two sentences on what is left of the cross-study r2 if neither drug nor cell line was seen; '' without strata.

    strata: dicts of strata.csv's columns.
    """
    cross = [row for row in strata if not is_within(row["src"], row["trg"])]
    seen, kinds = median(cross, ("seen", "seen"), "r2"), [kind for kind in reversed(KINDS) if of_kind(cross, kind, "r2")]
    if not cross or not kinds or kinds[0] == ("seen", "seen"):
        return "Every row of the other studies has a drug and a cell line that were seen in training." if cross else ""
    kind = kinds[0] if kinds[0] == ("unseen", "unseen") else max(kinds[:-1] or kinds, key=lambda each: each[0] == "unseen")
    r2, pcc, naive = (median(cross, kind, name) for name in ("r2", "pcc", "naive_r2"))
    start = "" if seen is None else f"r2 is {number(seen)} in rows whose drug and cell line were both seen in training, "
    first = (f"Across studies {start}{'and ' if start else 'r2 is '}{number(r2)} in rows with {in_words(kind)} "
             f"(medians over {plural(len(of_kind(cross, kind, 'r2')), 'result')}; the mean-effects predictor has {number(naive)} "
             "there).")
    return f"{first} {what_is_left(seen, r2, pcc)}"


def in_words(kind):
    return {("unseen", "unseen"): "neither", ("unseen", "seen"): "an unseen drug (no row has neither seen)",
            ("seen", "unseen"): "an unseen cell line (no row has an unseen drug)"}[kind]


def what_is_left(seen, r2, pcc):
    """Returns the second sentence. seen: r2 of rows with both seen, or None; r2, pcc: of those without."""
    ordered = pcc is not None and pcc >= ORDERED
    if r2 < NOTHING_LEFT * max(seen or 0, 0) or r2 <= 0:
        order = f", though roughly in the right order (pcc {number(pcc)})" if ordered else " and say nothing about their order"
        return f"Nothing is left of the score there: the predictions are no better than the mean of these rows{order}."
    if seen is None or seen <= r2:
        return "Nothing is lost there: these rows are predicted as well as the others."
    return f"{100 * r2 / seen:.0f} % of the score is left there."


def of_kind(rows, kind, name):
    return [row[name] for row in rows if (row["drug"], row["cell_line"]) == kind and row[name] == row[name]]


def median(rows, kind, name):
    """Returns the median of a column over the rows of one kind, None if none has a number."""
    values = of_kind(rows, kind, name)
    return statistics.median(values) if values else None


# ---- the section

def section(strata, coverage, groups, figures):
    """Returns the section, '' without data. coverage: collect.overlap.Coverage; groups: {(source, target): mean r2}."""
    cross = [row for row in strata if not is_within(row["src"], row["trg"])]
    drawn = ([strata_figure(cross, figures)] if cross else []) + coverage_figures(coverage, groups, figures)
    table = parts.details("The strata in numbers", strata_table(cross)) if cross else ""
    return parts.section("What the scores owe to overlap", parts.paragraph(WORDS), parts.figures(drawn), table) if drawn else ""


def strata_figure(cross, figures):
    """Returns the four strata of each source on the other studies, beside the mean-effects predictor."""
    sources, columns = sorted({row["src"] for row in cross}), [NAMES[kind] for kind in KINDS]
    at = {source: [row for row in cross if row["src"] == source] for source in sources}
    values = [[median(at[source], kind, "r2") for kind in KINDS] for source in sources]
    naive = [[median(at[source], kind, "naive_r2") for kind in KINDS] for source in sources]
    digits = axes.decimals([value for row in values + naive for value in row])
    below = [["" if value is None else f"base {number(value, digits)}" for value in row] for row in naive]
    return figures.add(
        "csa_strata.svg", heatmap.heatmap, values, sources, columns, "r2 on other studies, by what was seen in training",
        below=below, center=0, low=-1, high=1, mark_diagonal=False, column_title="rows of other studies", caption=(
            "Median r2 over targets and splits; below, that of the mean-effects predictor. A dash: too few rows."))


def strata_table(cross):
    rows = [[source, NAMES[kind], sum(row["rows"] for row in chosen)] + [
        median(chosen, kind, name) for name in ("pcc", "norm_r2", "drug_pcc")]
            for source in sorted({row["src"] for row in cross}) for kind in KINDS
            for chosen in [[row for row in cross if row["src"] == source and (row["drug"], row["cell_line"]) == kind]] if chosen]
    return parts.table(["source", "rows with", "rows", "pcc", "normalised r2", "pcc per drug"], rows,
                       "Other studies as targets, medians over targets and splits; strata.csv has every split.")


def coverage_figures(coverage, groups, figures):
    """Returns the heatmaps of coverage, and coverage against r2."""
    if not coverage.rows:
        return []
    found = []
    for at, noun in COLUMNS:
        sources, targets = (sorted({row[i] for row in coverage.rows}) for i in (0, 1))
        cells = {row[:2]: row[at] for row in coverage.rows}
        found.append(figures.add(
            f"csa_coverage_{noun.replace(' ', '_')}.svg", heatmap.heatmap,
            [[cells.get((source, target)) for target in targets] for source in sources], sources, targets,
            f"Share of the target's {noun} that the source has", low=0, high=1, caption=coverage.origin))
    return found + [against(coverage, groups, figures)]


def against(coverage, groups, figures):
    """Returns coverage against r2 of pairs of two studies, with the rank correlations."""
    pairs = [(row, groups[row[:2]]) for row in coverage.rows if not is_within(*row[:2]) and groups.get(row[:2]) is not None
             and all(cell == cell for cell in row[2:4])]
    if len(pairs) < FEWEST_PAIRS:
        return parts.paragraph(f"Coverage is not set against r2: that needs {FEWEST_PAIRS} pairs of two studies, "
                               f"not {len(pairs)}.")
    names = [f"{row[0]} \u2192 {row[1]}" for row, _ in pairs]
    dots = [Series(noun, medians=[(row[at], r2) for row, r2 in pairs], names=names) for at, noun in COLUMNS]
    return figures.add("csa_coverage_r2.svg", line_chart, dots, "Coverage against r2 across studies",
                       x_label="share of the target's drugs or cell lines in the source", y_label="mean r2",
                       caption=" ".join(correlation(pairs, at, noun) for at, noun in COLUMNS))


def correlation(pairs, at, noun):
    rho, p = spearman_test([row[at] for row, _ in pairs], [r2 for _, r2 in pairs])
    if rho != rho:
        return f"Coverage of {noun} is the same for all pairs."
    return f"Spearman's rho of {noun}: {number(rho)} (p {number(p)}, {len(pairs)} pairs of two studies)."
