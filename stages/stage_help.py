"""stage_help: runs a stage script with the words that it is given, for the launchers' --check.

    SCRIPT WORDS... --help -> its help, or why it cannot be imported in this environment

run_model.sh --check_env ENV SCRIPT WORDS... calls it inside the environment.

Exit code: 99 a module that the script imports is missing, 98 a syntax error, or one that is too new for this Python
(launcher/checking/stage_help.py knows these numbers, too); else the script's own.
"""
import os
import runpy
import sys

NOT_IMPORTED, NO_SYNTAX = 99, 98


def main(argv):
    sys.argv, sys.path[0] = argv, os.path.dirname(os.path.abspath(argv[0]))
    try:
        runpy.run_path(argv[0], run_name="__main__")
    except (ImportError, SyntaxError) as error:
        sys.stderr.write("{}: {}\n".format(type(error).__name__, error))
        return NO_SYNTAX if isinstance(error, SyntaxError) else NOT_IMPORTED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
