"""baseline_infer_improve: predicts the responses of the test split with a trained baseline model.

    test_y_data.csv + baseline_model.json -> test_y_data_predicted.csv, test_scores.json

Examples:
    python3 baseline_infer_improve.py --input_data_dir ml_data --input_model_dir model \
        --output_dir infer --y_col_name auc --calc_infer_scores true

Files written to --output_dir: those above and param_log_file.txt; the scores only when asked for
Exit code: 0 done, 1 bad data, 2 unknown option or value.
"""
import argparse
import os
import sys

from baseline.model import MODEL_FILE, predict, read_model, read_responses
from common.improve_files import (SCORE_NAMES, FileError, read_table, write_parameters, write_predictions,
                           write_scores)


def parse_arguments(argv):
    parser = argparse.ArgumentParser(
        prog="baseline_infer_improve", allow_abbrev=False,
        description="Predict the responses of the test split with a trained baseline model.")
    parser.add_argument("--input_data_dir", required=True, metavar="DIR", help="output of preprocess")
    parser.add_argument("--input_model_dir", required=True, metavar="DIR", help="output of train")
    parser.add_argument("--output_dir", required=True, metavar="DIR", help="where to write")
    parser.add_argument("--y_col_name", default="auc", metavar="NAME",
                        help="response to predict (default: auc)")
    parser.add_argument("--calc_infer_scores", type=truth, default=False,
                        metavar="true|false", help="write test_scores.json as well (default: false)")
    return parser.parse_args(argv)


def truth(text):
    """Returns the bool that a word means, as IMPROVE's options read it."""
    if text.lower() in ("true", "t", "yes", "y", "1"):
        return True
    if text.lower() in ("false", "f", "no", "n", "0"):
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")


def infer(args):
    test_path = os.path.join(args.input_data_dir, "test_y_data.csv")
    test = read_responses(test_path, args.y_col_name)
    model = read_model(os.path.join(args.input_model_dir, MODEL_FILE), args.y_col_name)
    predicted = predict(model, test.cells, test.drugs)
    header, rows = read_table(test_path, ",")
    write_predictions(os.path.join(args.output_dir, "test_y_data_predicted.csv"),
                      header, rows, args.y_col_name, test.values, predicted)
    if args.calc_infer_scores:
        from common.metrics import regression_scores      # not needed without scores
        scores = regression_scores(test.values, predicted)
        write_scores(os.path.join(args.output_dir, "test_scores.json"),
                     {name: scores[name] for name in SCORE_NAMES})


def main(argv=None):
    args = parse_arguments(argv)
    try:
        write_parameters(args.output_dir, vars(args))
        infer(args)
    except FileError as error:
        print(f"baseline_infer_improve: error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
