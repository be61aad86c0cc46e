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
import json
import math
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from core.errors import FileError  # noqa: E402
from core.files import write_whole  # noqa: E402
from core.improve_files import write_parameters  # noqa: E402
from stages.baseline.model import (  # noqa: E402
    DEFAULTS, MODEL_FILE, Settings, TrainingError, responses_of, train_model, write_results)

SETTINGS = {                # name -> type, help
    "epochs": (int, "passes over the training rows, at most"),
    "batch_size": (int, "rows per step"),
    "learning_rate": (float, "step size; 1e-6: far too slow, 1e-2: too fast"),
    "patience": (int, "epochs without a better validation mse before it stops"),
    "latent_dim": (int, "factors of each drug and cell line; 0: effects only"),
    "weight_decay": (float, "pull of the weights toward 0"),
    "seed": (int, "start of the random numbers"),
}
MAY_BE_ZERO = ("latent_dim", "weight_decay", "seed")


def parse_arguments(argv):
    parser = argparse.ArgumentParser(prog="baseline_train_improve", allow_abbrev=False,
                                     description="Train the baseline model.")
    parser.add_argument("--input_dir", required=True, metavar="DIR", help="output of preprocess")
    parser.add_argument("--output_dir", required=True, metavar="DIR", help="where to write")
    parser.add_argument("--y_col_name", default="auc", metavar="NAME",
                        help="response to predict (default: auc)")
    for name, (kind, text) in SETTINGS.items():
        parser.add_argument(f"--{name}", type=kind, default=getattr(DEFAULTS, name), metavar="N",
                            help=f"{text} (default: %(default)s)")
    args = parser.parse_args(argv)
    for name in SETTINGS:
        value = getattr(args, name)
        if not (math.isfinite(value) and (value > 0 or value == 0 and name in MAY_BE_ZERO)):
            parser.error(f"--{name} {value} is too small, or no number")
    return args


def train(args):
    settings = Settings(*(getattr(args, name) for name in Settings._fields))
    rows, validation = (responses_of(os.path.join(args.input_dir, name), args.y_col_name)
                        for name in ("train_y_data.csv", "val_y_data.csv"))
    model = train_model(rows, validation, settings, args.y_col_name, print)
    write_whole(os.path.join(args.output_dir, MODEL_FILE), json.dumps(model._asdict()) + "\n")
    write_results(model, args.input_dir, "val", args.output_dir)


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
