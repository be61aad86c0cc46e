"""naive_report: the part of a page that sets a model beside the mean-effects predictor.

    what naive_scores found -> a table and two figures

The predictor knows only the mean response of each drug and of each cell line. What a model knows
beyond that are its normalised scores; within a drug, it has nothing to lean on.
"""
import statistics

import charts
import report as parts

WORDS = ("The mean-effects predictor says global mean + drug effect + cell-line effect, from the rows that the model was "
         "trained on. Normalised: its prediction is subtracted from truth and prediction, so that what remains is what the "
         "model knows beyond drug and cell-line means. Most of a plain r2 is differences between drugs.")


def sections(naive, figures, stamp):
    """Returns the section, or one that says why there is none; adds its figures to {file name: SVG}."""
    if naive is None:
        return []
    if not naive.rows:
        return [parts.section("Beside a naive baseline", parts.items(naive.notes))] if naive.notes else []
    made = [parts.paragraph(WORDS), table(naive)]
    strips = drug_strips(naive)
    if strips:
        figures["naive_per_drug.svg"] = charts.strips(
            strips, "Correlation within each drug", x_label="pcc of truth and prediction within a drug", reference=0,
            note="points: drugs in each split (many: their outline); box: quartiles", stamp=stamp)
        made.append(parts.figure(figures["naive_per_drug.svg"],
                                 "Within a drug, knowing which drugs are potent is of no use."))
    return [parts.section("Beside a naive baseline", *made, parts.items(naive.notes))]


def table(naive):
    """Returns the mean over splits of each pair: the model, the predictor, and the normalised scores."""
    groups = {}
    for record, row in zip(naive.records, naive.rows):
        groups.setdefault((row[0], row[1], row[3]), []).append(record["scores"])
    rows = []
    for (source, target, size), scores in groups.items():
        names = ("r2", "naive_r2", "norm_r2", "norm_pcc", "norm_scc", "drug_pcc", "cell_pcc")
        rows.append([source, target if size is None else str(size), *(mean(scores, name) for name in names)])
    header = ["source", "target" if rows and groups and next(iter(groups))[2] is None else "rows", "model r2", "mean-effects r2",
              "normalised r2", "normalised pcc", "normalised scc", "median pcc per drug", "median pcc per cell line"]
    return parts.table(header, rows, "Means over splits; naive_scores.csv has every split.")


def mean(scores, name):
    values = [row[name] for row in scores if name in row and row[name] == row[name]]
    return statistics.mean(values) if values else None


def drug_strips(naive):
    return [charts.Strip(str(source), values, str(target)) for (source, target), values in naive.drug_values.items() if values]
