"""naive: the part of a page that sets a model beside the mean-effects predictor.

    collect.naive.Naive -> a figure of both, a table, the correlation within each drug

The predictor knows only the mean response of each drug and of each cell line.
"""
from stages.report import charts, page as parts
from stages.report.charts import Series, Strip, number, usable
from stages.stats.generalization import mean

WORDS = ("The baseline is the mean-effects predictor: global mean + drug effect + cell-line "
         "effect, fitted to the rows that the model was trained on. Most of a plain r2 is "
         "differences between drugs, which the baseline knows.")
NORMALISED = (
    "Normalised: the baseline's prediction is subtracted from truth and prediction, so that the "
    "score is of what the model knows beyond drug and cell-line means. A normalised r2 of 0.3 says "
    "that the model explains 30 % of what the baseline leaves. It can be near or below zero "
    "although the model wins: a constant offset of the baseline, as in another study, lowers the "
    "baseline's plain r2 but is no part of the normalised one.")
COLUMNS = {"r2": "model r2", "naive_r2": "baseline r2", "norm_r2": "normalised r2",
           "norm_pcc": "normalised pcc", "drug_pcc": "median pcc of drugs"}


def sections(naive, figures, is_curve=False):
    """Returns the section, [] if there is nothing to say. is_curve: of sizes instead of targets."""
    rows, shown = mean_rows(naive), []
    if rows:
        header = ["source", "rows" if is_curve else "target", "difference", *COLUMNS.values()]
        table = parts.table(header, rows, "Means over splits. Difference: model r2 minus baseline "
                            "r2. The last is the median over drugs of a split.",
                            figures.folder + "naive_scores.csv")
        shown = [WORDS, parts.figures((curve if is_curve else differences)(rows, figures)),
                 parts.details("The same in numbers", table)]
    shown.append(parts.items(naive.notes))
    return [parts.section("Beside a naive baseline", *shown)] if any(shown) else []


def by_pair(naive):
    """Returns {(source, target; of a learning curve size): the records of its splits}."""
    found = {}
    for (source, target, _, size, *_), record in zip(naive.rows, naive.records):
        found.setdefault((source, target if size is None else size), []).append(record)
    return found


def mean_rows(naive):
    """Returns [source, target or size, difference of r2, means over splits of COLUMNS]."""
    rows = []
    for key, records in by_pair(naive).items():
        means = [mean([record["scores"][name] for record in records
                       if usable(record["scores"][name])]) for name in COLUMNS]
        rows.append([*key, means[0] - means[1], *means])
    return rows


def differences(rows, figures):
    """Returns the difference of the two, and both below it, for each source and target."""
    reach = max([abs(row[2]) for row in rows if usable(row[2])], default=0) or 1
    cells = {(row[0], row[1]): (row[2], f"{number(row[3], 2)} vs {number(row[4], 2)}")
             for row in rows}
    return figures.add(
        "naive_difference.svg", charts.heatmap, "r2 of the model minus r2 of the baseline", cells,
        "blue: model better; orange: baseline better", (-reach, reach), charts.EITHER,
        csv="naive_scores.csv",
        caption=f"Difference of the means over splits; below it, model vs baseline. {NORMALISED}")


def curve(rows, figures):
    """Returns both along the sizes of a learning curve."""
    series = []
    for source in sorted({row[0] for row in rows}):
        own = sorted(row[1:5] for row in rows if row[0] == source)
        line = [(size, model) for size, _, model, _ in own]
        series.append(Series(source, medians=line, line=line,
                             dashed=[(size, baseline) for size, _, _, baseline in own]))
    return figures.add(
        "naive_curve.svg", charts.lines, "r2 of the model and of the baseline", series,
        "training set size (rows)", "r2", "log", csv="naive_scores.csv",
        caption=f"Means over splits. Solid: the model; dashed: the baseline. {NORMALISED}")


def drug_figure(naive, figures):
    """Returns the correlation within each drug; '' without any."""
    strips = [Strip(source, [pcc for record in records for _, pcc in record["drugs"].values()],
                    target)
              for (source, target), records in by_pair(naive).items()]
    if not any(strip.values for strip in strips):
        return ""
    return figures.add(
        "per_drug.svg", charts.strips,
        "Correlation within each drug\npoints: drugs of each split; line: median", strips,
        "pcc of truth and prediction within a drug", marked=[0], csv="per_drug.csv",
        caption="Within a drug, it does not help to know which drugs are potent: the baseline "
        "knows only which cell lines are sensitive to all drugs.")
