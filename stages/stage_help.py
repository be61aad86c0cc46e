"""stage_help: runs a stage script in its own folder, as tasks do, for the launchers' --check.

    SCRIPT ARGS... --help -> its help, or why it cannot be imported in this environment

Exit code: 99, which --check knows, if the script, or a module that it imports, is missing or too
new for this Python; else the script's own.
"""
import os
import runpy
import sys

if __name__ == "__main__" and sys.argv[1:]:
    sys.argv = [os.path.abspath(sys.argv[1]), *sys.argv[2:]]
    sys.path[0] = os.path.dirname(sys.argv[0])
    os.chdir(sys.path[0])
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except (ImportError, SyntaxError) as error:
        sys.stderr.write("{}: {}\n".format(type(error).__name__, error))
        sys.exit(99)
