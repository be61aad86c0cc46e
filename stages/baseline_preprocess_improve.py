"""baseline_preprocess_improve: joins the rows of three splits to their responses.

    splits/*.txt + y_data/response.tsv -> {train,val,test}_y_data.csv

Examples:
    python3 baseline_preprocess_improve.py --input_dir csa_data/raw_data --output_dir ml_data \
        --train_split_file gCSI_split_0_train.txt --val_split_file gCSI_split_0_val.txt \
        --test_split_file CCLE_all.txt --y_col_name auc

Files written to --output_dir: those above and param_log_file.txt
Exit code: 0 done, 1 bad data, 2 unknown option.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from core.errors import FileError  # noqa: E402
from core.improve_files import read_split, read_table, response_rows  # noqa: E402
from stages.baseline.model import parser_of, run, write_csv  # noqa: E402

PARTS = ("train", "val", "test")
EMPTY = {"", "na", "n/a", "nan", "null", "none", "<na>"}     # what pandas reads as a missing value


def preprocess(args):
    paths = [os.path.join(args.input_dir, "splits", getattr(args, f"{part}_split_file"))
             for part in PARTS]                     # absolute ones stay
    response_path = os.path.join(args.input_dir, "y_data", args.y_data_file)
    header, tables = responses_of_splits(paths, response_path, args.y_col_name)
    for part, rows in zip(PARTS, tables):
        write_csv(os.path.join(args.output_dir, f"{part}_y_data.csv"), header, rows)
        print(f"{part}: {len(rows)} rows")


def responses_of_splits(paths, response_path, y_col_name):
    """Returns the header of the response file and, for each split file, its rows that have a
    response, by number, each as often as the split file names it."""
    splits = [sorted(read_split(path)) for path in paths]
    header, tables = next(read_table(response_path, "\t")), []
    if y_col_name not in header:
        raise FileError(f"{response_path}: has no column {y_col_name!r}")
    y = header.index(y_col_name)
    found = dict(response_rows(response_path, set().union(*splits)))
    for path, split in zip(paths, splits):
        missing = next((number for number in split if number not in found), None)
        if missing is not None:
            raise FileError(f"{path}: row {missing} is not in {response_path}")
        rows = map(found.get, split)
        tables.append([row for row in rows if row[y].strip().lower() not in EMPTY])
        if not tables[-1]:
            raise FileError(f"{path}: none of its rows has a value of {y_col_name!r}")
    return header, tables


def main(argv=None):
    parser = parser_of("baseline_preprocess_improve", "Join the rows of splits to their responses.",
                       input_dir="raw_data of the benchmark", output_dir="where to write")
    for part in PARTS:
        parser.add_argument(f"--{part}_split_file", required=True, metavar="FILE",
                            help="row numbers of response.tsv: a name in splits or a path")
    parser.add_argument("--y_data_file", default="response.tsv", metavar="FILE",
                        help="responses: a name in y_data or a path (default: response.tsv)")
    return run(parser, preprocess, argv)


if __name__ == "__main__":
    sys.exit(main())
