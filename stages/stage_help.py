"""stage_help: runs a stage script inside its environment, for the launchers' --check.

    SCRIPT ARGS... --help -> its help, or why it cannot be imported there

run_model.sh --check_env ENV SCRIPT ARGS... calls it. The script runs in its own folder, like tasks.

Exit code: 99 if the script, or a module that it imports, is missing or too new for this Python;
else the script's own. --check knows this number.
"""
import os
import runpy
import sys

if __name__ == "__main__":
    sys.argv = [os.path.abspath(sys.argv[1]), *sys.argv[2:]]
    sys.path[0] = os.path.dirname(sys.argv[0])
    os.chdir(sys.path[0])
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except (ImportError, SyntaxError) as error:
        sys.stderr.write("{}: {}\n".format(type(error).__name__, error))
        sys.exit(99)
