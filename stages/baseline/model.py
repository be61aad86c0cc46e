"""model: predicts a response from the names of drug and cell line, without features.

    a model's file -> read_model -> Model; Model, *_y_data.csv -> predictions and scores

    response = mean + cell line's effect + drug's effect + sum over k of their k-th factors' product

the biased matrix factorization of Koren, Bell and Volinsky 2009 (IEEE Computer 42(8):30-37). An
unseen drug or cell line has effect and factors 0: it contributes nothing, and if both are unseen
the prediction is the mean.

Examples:
    model = read_model("models/gCSI/split_0/baseline_model.json", "auc")
    predicted = predict(model, ["Drug_7"], ["ACH-000001"])
"""
import json
import os
from collections import namedtuple

from core.errors import FileError
from core.files import read_json, write_whole
from core.improve_files import read_responses, read_table
from core.metrics import regression_scores
from core.text import csv_text

MODEL_FILE = "baseline_model.json"
SCORE_NAMES = ("mse", "rmse", "pcc", "scc", "r2")   # of a score file, in IMPROVE's order

# mean, spread: of the training responses. cells, drugs: name -> [effect, factor 1, factor 2, ...],
# where effects are in units of the spread
Model = namedtuple("Model", "y_col_name mean spread cells drugs")


def read_model(path, y_col_name):
    """Returns the Model of a file; FileError: not a model, or one of another response."""
    try:
        model = Model(**read_json(path))
    except TypeError:
        raise FileError(f"{path}: is not a baseline model")
    if model.y_col_name != y_col_name:
        raise FileError(f"{path}: predicts {model.y_col_name!r}, not {y_col_name!r}")
    return model


def predict(model, drugs, cells):
    """Returns the predicted responses of pairs of drug and cell line, a list of numbers."""
    unknown = [0.0] * len(next(iter(model.cells.values())))
    predicted = []
    for drug, cell in zip(drugs, cells):
        cell_weights = model.cells.get(cell, unknown)
        drug_weights = model.drugs.get(drug, unknown)
        value = cell_weights[0] + drug_weights[0]
        for k in range(1, len(unknown)):
            value += cell_weights[k] * drug_weights[k]
        predicted.append(model.mean + model.spread * value)
    return predicted


def write_results(model, data_dir, part, output_dir, scores=True):
    """Predicts the part, 'val' or 'test', of a data directory. Writes the response columns with
    {y}_true and {y}_pred, rounded to 4 decimals, and scores; nan is the bare token NaN, as in
    IMPROVE."""
    path = os.path.join(data_dir, f"{part}_y_data.csv")
    drugs, cells, true = read_responses(path, model.y_col_name, all_rows=True)
    predicted = predict(model, drugs, cells)
    header, *rows = read_table(path, ",")
    text = csv_text([*header, f"{model.y_col_name}_true", f"{model.y_col_name}_pred"],
                    ([*row, round(t, 4), round(p, 4)] for row, t, p in zip(rows, true, predicted)))
    write_whole(os.path.join(output_dir, f"{part}_y_data_predicted.csv"), text)
    if scores:
        found = regression_scores(true, predicted)
        text = json.dumps({name: found[name] for name in SCORE_NAMES}, indent=4)
        write_whole(os.path.join(output_dir, f"{part}_scores.json"), text + "\n")
