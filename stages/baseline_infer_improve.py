"""baseline_infer_improve: predicts the responses of the test split with a trained baseline model.

    test_y_data.csv + baseline_model.json -> test_y_data_predicted.csv, test_scores.json

Examples:
    python3 baseline_infer_improve.py --input_data_dir ml_data --input_model_dir model \
        --output_dir infer --y_col_name auc --calc_infer_scores true

Files written to --output_dir: those above, the scores only if asked for, and param_log_file.txt
Exit code: 0 done, 1 bad data, 2 unknown option or value.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from core.errors import FileError  # noqa: E402
from core.files import read_json  # noqa: E402
from stages.baseline.model import (  # noqa: E402
    MODEL_FILE, Model, parser_of, run, write_results)


def infer(args):
    path = os.path.join(args.input_model_dir, MODEL_FILE)
    try:
        model = Model(**read_json(path))
    except TypeError:
        raise FileError(f"{path}: is not a baseline model")
    if model.y_col_name != args.y_col_name:
        raise FileError(f"{path}: predicts {model.y_col_name!r}, not {args.y_col_name!r}")
    write_results(model, args.input_data_dir, "test", args.output_dir,
                  args.calc_infer_scores == "true")


def main(argv=None):
    parser = parser_of("baseline_infer_improve",
                       "Predict the responses of the test split with a trained baseline model.",
                       input_data_dir="output of preprocess", input_model_dir="output of train",
                       output_dir="where to write")
    parser.add_argument("--calc_infer_scores", type=str.lower, choices=("true", "false"),
                        default="false", help="also write test_scores.json (default: false)")
    return run(parser, infer, argv)


if __name__ == "__main__":
    sys.exit(main())
