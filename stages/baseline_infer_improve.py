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
from stages.baseline.model import MODEL_FILE, read_model, write_results  # noqa: E402
from stages.baseline.script import parser_of, run  # noqa: E402


def infer(args):
    model = read_model(os.path.join(args.input_model_dir, MODEL_FILE), args.y_col_name)
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
