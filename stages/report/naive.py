"""naive: the part of a page that sets a model beside the mean-effects predictor.

    collect.naive.Naive -> a table and two figures

The predictor knows only the mean response of each drug and of each cell line. What a model knows
beyond that are its normalised scores; within a drug, it has nothing to lean on.
"""
import statistics

from report import charts
from report import page as parts

WORDS = ("The mean-effects predictor is global mean + drug effect + cell-line effect, fitted to the rows that the model was "
         "trained on. Normalised: its prediction is subtracted from truth and prediction, so that what remains is what the "
         "model knows beyond drug and cell-line means. Most of a plain r2 is differences between drugs.")

MOST_DRUGS = 10             # of the best, and of the worst


def sections(naive, figures, unit="rows"):
    """Returns the section, or one that says why there is none; adds its figure to the Figures."""
    notes = parts.items(naive.notes)
    if not naive.rows:
        return [parts.section("Beside a naive baseline", notes)] if naive.notes else []
    by_size = naive.rows[0][3] is not None
    strips = [charts.Strip(*((f"{source}, {other}", values, source) if by_size else (source, values, other)))
              for (source, other), values in naive.drug_values.items() if values]
    drawn = [figures.add(
        "naive_per_drug.svg", charts.strips, strips, "Correlation within each drug", reference=0,
        points="drugs per split", colors="studies" if by_size else "tested on",
        x_label="pcc of truth and prediction within a drug",
        caption="Within a drug, knowing which drugs are potent is of no use.")] if strips else []
    beside = list(filter(None, drawn + [drug_table(naive, "sizes" if by_size else "pairs")]))
    return [parts.section("Beside a naive baseline", parts.paragraph(WORDS), table(naive, unit if by_size else "target"),
                          *([parts.figures(beside)] if beside else []), notes)]


def drug_table(naive, results):
    """Returns the drugs that are predicted best and worst, by the mean of their correlations over pairs; '' without any."""
    found = {}
    for row in naive.drug_rows:
        found.setdefault(row[3], []).append(row[6])
    order = sorted(([drug, statistics.mean(values), len(values)] for drug, values in found.items()), key=lambda row: -row[1])
    if not order:
        return ""
    half = min(MOST_DRUGS, (len(order) + 1) // 2)
    best, worst = order[:half], order[half:][-half:] + [["", None, None]] * (len(order) < 2 * half)
    said = "All drugs" if len(order) <= 2 * half else f"The best and the worst {half} of {len(order)} drugs"
    return parts.table(["drug", "mean pcc", results] * 2, [left + right for left, right in zip(best, worst)],
                       f"{said}: mean over the results in per_drug.csv, and their number")


def table(naive, unit_or_target):
    """Returns the mean over splits of each pair: the model, the predictor, and the normalised scores."""
    groups = {}
    for record, row in zip(naive.records, naive.rows):
        groups.setdefault((row[0], row[1], row[3]), []).append(record["scores"])
    rows = []
    for (source, target, size), scores in groups.items():
        names = ("r2", "naive_r2", "norm_r2", "norm_pcc", "norm_scc", "drug_pcc", "cell_pcc")
        rows.append([source, target if size is None else str(size), *(mean(scores, name) for name in names)])
    header = ["source", unit_or_target, "model r2", "mean-effects r2", "normalised r2",
              "normalised pcc", "normalised scc", "median pcc per drug", "median pcc per cell line"]
    return parts.table(header, rows, "Means over splits; naive_scores.csv has every split.")


def mean(scores, name):
    values = [row[name] for row in scores if name in row and row[name] == row[name]]
    return statistics.mean(values) if values else None
