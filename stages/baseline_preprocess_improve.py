"""baseline_preprocess_improve: joins the rows of three splits to their responses.

    splits/*.txt + y_data/response.tsv -> {train,val,test}_y_data.csv

Examples:
    python3 baseline_preprocess_improve.py --input_dir csa_data/raw_data --output_dir ml_data \
        --train_split_file gCSI_split_0_train.txt --val_split_file gCSI_split_0_val.txt \
        --test_split_file CCLE_all.txt --y_col_name auc

Files written to --output_dir: param_log_file.txt, train_y_data.csv, val_y_data.csv, test_y_data.csv
Exit code: 0 done, 1 bad data, 2 unknown option.
"""
import argparse
import csv
import os
import sys
from contextlib import ExitStack

from common.improve_files import FileError, read_split, read_table, reading, whole_file, write_parameters

STAGES = ("train", "val", "test")
ID_COLUMN = "split_id"       # in response.tsv of IMPROVE's development library
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
    return parser.parse_args(argv)


def split_path(args, stage):
    """Returns the path of a stage's split file; an absolute one stays as it is."""
    return os.path.join(args.input_dir, args.splits_dir, getattr(args, f"{stage}_split_file"))


def stages_by_id(paths):
    """Returns split id -> the stages that want its row (twice where a file names it twice).

    paths: stage -> split file.
    """
    stages = {}
    for stage, path in paths.items():
        ids = read_split(path)
        if not ids:
            raise FileError(f"{path}: holds no row numbers")
        for split_id in ids:
            stages.setdefault(split_id, []).append(stage)
    return stages


def wanted_rows(path, header, stages):
    """Yields (split id, row of texts) of response.tsv for each id in `stages` that it has."""
    with reading(path):
        if ID_COLUMN in header:
            yield from rows_by_id(path, header.index(ID_COLUMN), stages)
        else:
            yield from rows_by_number(path, len(header), stages)


def rows_by_id(path, column, stages):
    for row in read_table(path, "\t")[1]:
        if row[column].isdecimal() and int(row[column]) in stages:
            yield int(row[column]), row


def rows_by_number(path, width, stages):
    """Takes only the wanted lines apart: a study is a small part of 600,000 rows."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        numbered = enumerate(filter(str.strip, file), -1)      # the header is line -1
        chosen = (line for number, line in numbered if number in stages)
        for number, row in zip(sorted(stages), csv.reader(chosen, delimiter="\t")):
            if len(row) != width:
                raise FileError(f"{path}: row {number} has {len(row)} columns, the header {width}")
            yield number, row


def write_responses(paths, response_path, y_col_name, output_dir):
    """Writes the y-data files; returns stage -> number of rows with a response."""
    header, stages = read_table(response_path, "\t")[0], stages_by_id(paths)
    if y_col_name not in header:
        raise FileError(f"{response_path}: has no column {y_col_name!r}")
    y, counts = header.index(y_col_name), dict.fromkeys(STAGES, 0)
    with ExitStack() as files:
        writers = {stage: table_writer(files, output_dir, stage, header) for stage in STAGES}
        for split_id, row in wanted_rows(response_path, header, stages):
            for stage in stages.pop(split_id, ()):
                if row[y].strip().lower() not in EMPTY:
                    writers[stage].writerow(row)
                    counts[stage] += 1
        check_complete(paths, response_path, y_col_name, stages, counts)
    return counts


def table_writer(files, output_dir, stage, header):
    """Returns a csv writer of a y-data file, which `files`, an ExitStack, completes."""
    path = os.path.join(output_dir, f"{stage}_y_data.csv")
    writer = csv.writer(files.enter_context(whole_file(path)), lineterminator="\n")
    writer.writerow(header)
    return writer


def check_complete(paths, response_path, y_col_name, missing, counts):
    """Refuses ids without a row (`missing`: id -> stages) and stages without a response."""
    if missing:
        split_id = min(missing)
        raise FileError(f"{paths[missing[split_id][0]]}: row {split_id} is not in {response_path}")
    for stage in STAGES:
        if not counts[stage]:
            raise FileError(f"{paths[stage]}: none of its rows has a value of {y_col_name!r}")


def main(argv=None):
    args = parse_arguments(argv)
    try:
        write_parameters(args.output_dir, vars(args))
        counts = write_responses({stage: split_path(args, stage) for stage in STAGES},
                                 os.path.join(args.input_dir, "y_data", "response.tsv"),
                                 args.y_col_name, args.output_dir)
    except FileError as error:
        print(f"baseline_preprocess_improve: error: {error}", file=sys.stderr)
        return 1
    print(", ".join(f"{counts[stage]} {stage} rows" for stage in STAGES))
    return 0


if __name__ == "__main__":
    sys.exit(main())
