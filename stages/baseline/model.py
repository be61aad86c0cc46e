"""model: what the three scripts of the baseline model share: options, errors, exit code, the model.

    parser_of(...) -> a script's own options -> run -> param_log_file.txt, then the stage's files
    Model, *_y_data.csv -> write_results -> predictions and scores

It predicts a response from the names of drug and cell line, without features:

    response = mean + cell line's effect + drug's effect + sum over k of their k-th factors' product

the biased matrix factorization of Koren, Bell and Volinsky 2009 (IEEE Computer 42(8):30-37). An
unseen drug or cell line has effect and factors 0: it contributes nothing, and if both are unseen
the prediction is the mean.
"""
import argparse
import csv
import io
import json
import os
import sys
from collections import namedtuple

from core.errors import FileError
from core.files import write_whole
from core.improve_files import read_responses, read_table
from core.metrics import regression_scores

MODEL_FILE = "baseline_model.json"
SCORE_NAMES = ("mse", "rmse", "pcc", "scc", "r2")   # of a score file, in IMPROVE's order

# mean, spread: of the training responses. cells, drugs: name -> [effect, factor 1, factor 2, ...],
# where effects are in units of the spread
Model = namedtuple("Model", "y_col_name mean spread cells drugs")


def parser_of(program, description, **directories):
    """Returns the parser of a script. directories: {required option: its help}."""
    parser = argparse.ArgumentParser(prog=program, description=description, allow_abbrev=False)
    for name, text in directories.items():
        parser.add_argument(f"--{name}", required=True, metavar="DIR", help=text)
    parser.add_argument("--y_col_name", default="auc", metavar="NAME",
                        help="response to predict (default: auc)")
    return parser


def run(parser, work, argv):
    """Calls work(arguments); returns the exit code: 0 done, 1 bad data or training diverged."""
    args = parser.parse_args(argv)
    try:
        os.makedirs(args.output_dir, exist_ok=True)
        text = "".join(f"{name}: {value}\n" for name, value in sorted(vars(args).items()))
        write_whole(os.path.join(args.output_dir, "param_log_file.txt"), text)
        work(args)
    except (FileError, FloatingPointError, OSError) as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 1
    return 0


def write_csv(path, header, rows):
    """Writes a table; unlike the collector's, without a look at each number."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_whole(path, file.getvalue())


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
    write_csv(os.path.join(output_dir, f"{part}_y_data_predicted.csv"),
              [*header, f"{model.y_col_name}_true", f"{model.y_col_name}_pred"],
              ([*row, round(t, 4), round(p, 4)] for row, t, p in zip(rows, true, predicted)))
    if scores:
        found = regression_scores(true, predicted)
        text = json.dumps({name: found[name] for name in SCORE_NAMES}, indent=4)
        write_whole(os.path.join(output_dir, f"{part}_scores.json"), text + "\n")
