"""script: what the three scripts of the baseline model share: options, errors, exit code.

    parser_of(...) -> a script's own options -> run -> param_log_file.txt, then the stage's files
"""
import argparse
import os
import sys

from core.errors import FileError
from core.files import write_whole


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
