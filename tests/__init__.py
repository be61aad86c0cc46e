"""tests: unit/ (functions), local/ (commands on this machine), cluster/ (a real Slurm), browser/,
improvelib/, benchmarks/.

    python3 -m unittest discover -s tests                 # everything
    python3 -m unittest discover -s tests/unit -t .       # seconds
"""
import os
import sys

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if REPOSITORY not in sys.path:
    sys.path.insert(0, REPOSITORY)

# The tests start the programs a thousand times; without compiled files each would compile anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

from tests import keeper  # noqa: E402

keeper.start()
