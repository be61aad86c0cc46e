"""baseline_infer_improve: predicts the responses of the test split with a trained baseline model.

    test_y_data.csv + baseline_model.json -> test_y_data_predicted.csv, test_scores.json

Examples:
    python3 baseline_infer_improve.py --input_data_dir ml_data --input_model_dir model \
        --output_dir infer --y_col_name auc --calc_infer_scores true

Files written to --output_dir: those above, the scores only if asked for, and param_log_file.txt
Exit code: 0 done, 1 bad data, 2 unknown option or value.
"""
import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from core.errors import FileError  # noqa: E402
from core.improve_files import write_parameters  # noqa: E402
from stages.baseline.model import MODEL_FILE, read_model, write_results  # noqa: E402


def parse_arguments(argv):
    parser = argparse.ArgumentParser(
        prog="baseline_infer_improve", allow_abbrev=False,
        description="Predict the responses of the test split with a trained baseline model.")
    for name, text in (("input_data_dir", "output of preprocess"),
                       ("input_model_dir", "output of train"), ("output_dir", "where to write")):
        parser.add_argument(f"--{name}", required=True, metavar="DIR", help=text)
    parser.add_argument("--y_col_name", default="auc", metavar="NAME",
                        help="response to predict (default: auc)")
    parser.add_argument("--calc_infer_scores", type=truth, default=False,
                        metavar="true|false", help="also write test_scores.json (default: false)")
    return parser.parse_args(argv)


def truth(text):
    """Returns the bool that a word means, as IMPROVE's options read it."""
    if text.lower() in ("true", "t", "yes", "y", "1"):
        return True
    if text.lower() in ("false", "f", "no", "n", "0"):
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")


def main(argv=None):
    args = parse_arguments(argv)
    try:
        write_parameters(args.output_dir, vars(args))
        model = read_model(os.path.join(args.input_model_dir, MODEL_FILE), args.y_col_name)
        write_results(model, args.input_data_dir, "test", args.output_dir, args.calc_infer_scores)
    except FileError as error:
        print(f"baseline_infer_improve: error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
