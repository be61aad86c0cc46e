"""baseline_train_improve: trains the baseline model and scores it on the validation split.

    train_y_data.csv, val_y_data.csv
      └─> baseline_model.json, val_y_data_predicted.csv, val_scores.json

Examples:
    python3 baseline_train_improve.py --input_dir ml_data --output_dir model --y_col_name auc
    python3 baseline_train_improve.py --input_dir ml_data --output_dir model --learning_rate 0.003

Files written to --output_dir: those above and param_log_file.txt
Exit code: 0 done, 1 bad data or training diverged, 2 unknown option or value.
"""
import argparse
import math
import os
import sys

from baseline.model import (DEFAULTS, MODEL_FILE, Settings, TrainingError, predict, read_responses,
                            train_model, write_model)
from common.improve_files import (SCORE_NAMES, FileError, read_table, write_parameters, write_predictions,
                           write_scores)
from common.metrics import regression_scores


def parse_arguments(argv):
    parser = argparse.ArgumentParser(prog="baseline_train_improve", allow_abbrev=False,
                                     description="Train the baseline model.")
    parser.add_argument("--input_dir", required=True, metavar="DIR", help="output of preprocess")
    parser.add_argument("--output_dir", required=True, metavar="DIR", help="where to write")
    parser.add_argument("--y_col_name", default="auc", metavar="NAME",
                        help="response to predict (default: auc)")
    for name, kind, text in (
            ("epochs", whole(1), "passes over the training rows, at most"),
            ("batch_size", whole(1), "rows per step"),
            ("learning_rate", real(above=True), "size of a step; 1e-6: far too slow, 1e-2: too fast"),
            ("patience", whole(1), "epochs without a better validation mse, then training stops"),
            ("latent_dim", whole(0), "factors of each drug and cell line; 0: effects only"),
            ("weight_decay", real(above=False), "pull of the weights toward 0"),
            ("seed", whole(0), "start of the random numbers")):
        parser.add_argument(f"--{name}", type=kind, default=getattr(DEFAULTS, name), metavar="N",
                            help=f"{text} (default: %(default)s)")
    return parser.parse_args(argv)


def whole(lowest):
    """Returns an argparse type: integers from `lowest` on."""
    def integer(text):
        if int(text) < lowest:
            raise argparse.ArgumentTypeError(f"{text} is less than {lowest}")
        return int(text)
    return integer


def real(above):
    """Returns an argparse type: finite numbers above 0, or 0 as well."""
    def number(text):
        value = float(text)
        if not math.isfinite(value) or value < 0 or (above and value == 0):
            limit = "above 0" if above else "from 0 on"
            raise argparse.ArgumentTypeError(f"{text} is not a number {limit}")
        return value
    return number


def train(args):
    settings = Settings(*(getattr(args, name) for name in Settings._fields))
    rows = read_responses(os.path.join(args.input_dir, "train_y_data.csv"), args.y_col_name)
    validation_path = os.path.join(args.input_dir, "val_y_data.csv")
    validation = read_responses(validation_path, args.y_col_name)
    model = train_model(rows, validation, settings, args.y_col_name, print)
    write_model(os.path.join(args.output_dir, MODEL_FILE), model)
    write_validation(args, validation_path, validation.values,
                     predict(model, validation.cells, validation.drugs))


def write_validation(args, validation_path, true, predicted):
    header, rows = read_table(validation_path, ",")
    write_predictions(os.path.join(args.output_dir, "val_y_data_predicted.csv"),
                      header, rows, args.y_col_name, true, predicted)
    scores = regression_scores(true, predicted)
    write_scores(os.path.join(args.output_dir, "val_scores.json"),
                 {name: scores[name] for name in SCORE_NAMES})


def main(argv=None):
    args = parse_arguments(argv)
    try:
        write_parameters(args.output_dir, vars(args))
        train(args)
    except (FileError, TrainingError) as error:
        print(f"baseline_train_improve: error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
