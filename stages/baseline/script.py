"""script: what the three scripts of the baseline model share: options, errors, exit code.

    parser_of(...) -> a script's own options -> run -> param_log_file.txt, then the stage's files
"""
import argparse
import sys

from core.errors import FileError
from core.improve_files import write_parameters


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
        write_parameters(args.output_dir, vars(args))
        work(args)
    except (FileError, FloatingPointError) as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 1
    return 0
