"""slurm_output: what Slurm wrote of a job whose runner left no status.

    OUT/launches/LAUNCH/slurm/NAME_JOB_INDEX.out -> its path and its last line

A job may end before the runner starts (a full disk, a broken site.sh, `module: command not
found`): then this file is the only witness. --status and missing.csv quote it.
"""
import functools
import os
import re
import textwrap

from core.files import size_of
from core.text import as_text, printable

FILE = re.compile(r"(.+)_(\d+)_(\d+)\.out")
END = 20000             # bytes of a file that are read
LONGEST_LINE = 300      # characters


class SlurmOutput:
    """The files in launches/*/slurm of a results tree; each directory is listed once."""

    def __init__(self, tree):
        self._runs = tree.last_runs()
        self._files = functools.lru_cache(maxsize=None)(files_in)

    def of(self, name):
        """Returns (path, last line) of the newest launch that runs a task, ('', '') without one."""
        if name not in self._runs:
            return "", ""
        launch, task = self._runs[name]
        job_name = f"{launch.plan['workflow']}.{launch.id}.{task.array}"
        files = self._files(os.path.join(launch.directory, "slurm"))
        path = files.get((job_name, task.index), "")
        return path, "".join(tail(path, 1))


def files_in(directory):
    """Returns {(job name, index): path}; of two jobs with one name the later one's."""
    try:
        found = filter(None, map(FILE.fullmatch, os.listdir(directory)))
    except OSError:
        return {}
    return {(as_text(match.group(1)), int(match.group(3))): os.path.join(directory, match.string)
            for match in sorted(found, key=lambda match: int(match.group(2)))}


def tail(path, lines):
    """Returns the last lines of a file that are not empty, as text that can be printed."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, size_of(path) - END))
            rows = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    rows = [printable(" ".join(row.split())) for row in rows if row.strip()]
    return [textwrap.shorten(row, LONGEST_LINE, placeholder=" ...") for row in rows[-lines:]]
