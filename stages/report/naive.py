"""naive: the part of a page that sets a model beside the mean-effects predictor.

    [(infer task, its record of collect/scores.py)] -> a figure of both, a table, the correlation
      within each drug

The predictor knows only the mean response of each drug and of each cell line.
"""
from stages.report import charts, page as parts
from stages.report.charts import number, usable
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


def section(naive, figures, is_curve=False):
    """Returns the section, '' without any. is_curve: of sizes instead of targets, a table alone."""
    rows, cells = [], {}
    for pair, records in by_pair(naive).items():
        means = [mean(list(filter(usable, (record["scores"][name] for record in records))))
                 for name in COLUMNS]
        difference = means[0] - means[1]
        rows.append([*pair, difference, *means])
        cells[pair] = difference, f"{number(means[0], 2)} vs {number(means[1], 2)}"
    if not rows:
        return ""
    drawn = "" if is_curve else figures.add(
        "naive_difference.svg", charts.heatmap, "r2 of the model minus r2 of the baseline", cells,
        "blue: model better; orange: baseline better", charts.even_ends([row[2] for row in rows]),
        charts.EITHER, csv="naive_scores.csv",
        caption="Difference of the means over splits; below it, model vs baseline.")
    table = parts.table(
        ["source", "rows" if is_curve else "target", "difference", *COLUMNS.values()], rows,
        "Means over splits. Difference: model r2 minus baseline r2. The last is the median over "
        "drugs of a split.", "scores/naive_scores.csv")
    return parts.section("Beside a naive baseline", WORDS, NORMALISED, drawn, table)


def by_pair(naive):
    """Returns {(source, target; of a learning curve size): the records of its splits}."""
    found = {}
    for task, record in naive:
        place = task.target if task.size is None else task.size
        found.setdefault((task.source, place), []).append(record)
    return found


def drug_figure(naive, figures):
    """Returns the correlation within each drug; '' without any."""
    strips = [(source, [pcc for record in records for _, pcc in record["drugs"].values()], target)
              for (source, target), records in by_pair(naive).items()]
    if not any(values for _, values, _ in strips):
        return ""
    return figures.add(
        "per_drug.svg", charts.strips,
        "Correlation within each drug\npoints: drugs of each split; line: median", strips,
        "pcc of truth and prediction within a drug", csv="per_drug.csv",
        caption="Within a drug, it does not help to know which drugs are potent: the baseline "
        "knows only which cell lines are sensitive to all drugs.")
