"""launcher: what runs on the login node, with the standard library alone.

what to run    options, config_file, paths -> benchmark, demo_data -> improve_stages, tasks
a launch       launch -> planning -> launch_files, templates -> slurm or local
before, after  check (--check); queue, status (--status, --cancel, --wait)

Importing it ends with a sentence if Python is too old. So this file parses under Python 2.7, which
is what `python` still is on old clusters.
"""
import os
import sys

__version__ = "2.0"

if sys.version_info < (3, 6):
    program = os.path.splitext(os.path.basename(sys.argv[0]))[0]
    sys.stderr.write("%s: error: this is Python %d.%d; Python 3.6 or newer is needed\n" % (
        (program,) + tuple(sys.version_info[:2])))
    sys.stderr.write("  try: python3 %s\n" % " ".join(sys.argv))
    sys.exit(2)
