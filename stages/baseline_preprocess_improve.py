"""baseline_preprocess_improve: joins the rows of three splits to their responses.

    splits/*.txt + y_data/response.tsv -> {train,val,test}_y_data.csv

Examples:
    python3 baseline_preprocess_improve.py --input_dir csa_data/raw_data --output_dir ml_data \
        --train_split_file gCSI_split_0_train.txt --val_split_file gCSI_split_0_val.txt \
        --test_split_file CCLE_all.txt --y_col_name auc

Files written to --output_dir: those above and param_log_file.txt
Exit code: 0 done, 1 bad data, 2 unknown option.
"""
import argparse
import csv
import os
import sys
from contextlib import ExitStack

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from core.errors import FileError  # noqa: E402
from core.files import whole_file  # noqa: E402
from core.improve_files import (  # noqa: E402
    read_split, read_table, response_rows, write_parameters)

STAGES = ("train", "val", "test")
EMPTY = {"", "na", "n/a", "nan", "null", "none", "<na>"}     # what pandas reads as a missing value


def parse_arguments(argv):
    parser = argparse.ArgumentParser(prog="baseline_preprocess_improve", allow_abbrev=False,
                                     description="Join the rows of splits to their responses.")
    for stage in STAGES:
        parser.add_argument(f"--{stage}_split_file", required=True, metavar="FILE",
                            help="row numbers of response.tsv: a name in splits_dir or a path")
    parser.add_argument("--input_dir", required=True, metavar="DIR",
                        help="raw_data of the benchmark")
    parser.add_argument("--output_dir", required=True, metavar="DIR", help="where to write")
    parser.add_argument("--y_col_name", default="auc", metavar="NAME",
                        help="response to predict; rows without it are left out (default: auc)")
    parser.add_argument("--splits_dir", default="splits", metavar="DIR",
                        help="folder of the split files in input_dir (default: splits)")
    parser.add_argument("--y_data_file", default="response.tsv", metavar="FILE",
                        help="responses: a name in y_data or a path (default: response.tsv)")
    return parser.parse_args(argv)


def write_responses(paths, response_path, y_col_name, output_dir):
    """Writes the y-data files; returns stage -> number of rows with a response.

    paths: stage -> split file. A row is written as often as a split file names it.
    """
    header, stages = read_table(response_path, "\t")[0], {}
    for stage, path in paths.items():
        for split_id in read_split(path):
            stages.setdefault(split_id, []).append(stage)
    if y_col_name not in header:
        raise FileError(f"{response_path}: has no column {y_col_name!r}")
    y, counts = header.index(y_col_name), dict.fromkeys(STAGES, 0)
    with ExitStack() as files:
        writers = {stage: csv.writer(files.enter_context(whole_file(os.path.join(
            output_dir, f"{stage}_y_data.csv"))), lineterminator="\n") for stage in STAGES}
        for writer in writers.values():
            writer.writerow(header)
        for split_id, row in response_rows(response_path, stages):
            for stage in stages[split_id]:
                if row[y].strip().lower() not in EMPTY:
                    writers[stage].writerow(row)
                    counts[stage] += 1
            stages[split_id] = ()
        check_complete(paths, response_path, y_col_name, stages, counts)
    return counts


def check_complete(paths, response_path, y_col_name, stages, counts):
    """Refuses ids without a row (they have stages still) and stages without a response."""
    missing = min((split_id for split_id in stages if stages[split_id]), default=None)
    if missing is not None:
        raise FileError(f"{paths[stages[missing][0]]}: row {missing} is not in {response_path}")
    for stage in STAGES:
        if not counts[stage]:
            raise FileError(f"{paths[stage]}: none of its rows has a value of {y_col_name!r}")


def main(argv=None):
    args = parse_arguments(argv)
    splits = {stage: os.path.join(args.input_dir, args.splits_dir,     # absolute ones stay
                                  getattr(args, f"{stage}_split_file")) for stage in STAGES}
    try:
        write_parameters(args.output_dir, vars(args))
        counts = write_responses(splits, os.path.join(args.input_dir, "y_data", args.y_data_file),
                                 args.y_col_name, args.output_dir)
    except FileError as error:
        print(f"baseline_preprocess_improve: error: {error}", file=sys.stderr)
        return 1
    print(", ".join(f"{counts[stage]} {stage} rows" for stage in STAGES))
    return 0


if __name__ == "__main__":
    sys.exit(main())
