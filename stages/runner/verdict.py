"""verdict: the one place that says whether a stage ended well, and why it did not."""
import os

from runner import plain_json
from runner.claim import CLAIM, CLOCK
from runner.status import LOG, STATUS, Failure

STAGED = ".staged"      # how folders of outputs on their way from the node's disk begin (runner/staging_out.py)
MOST_FILES = 100        # outputs listed one by one in a status
LARGEST_SCORES = 1 << 20
OPERATING_SYSTEM = ("No space left on device", "Disk quota exceeded", "Read-only file system")
# What a stage says that got no more memory: Python's own error, that of the system, and what PyTorch says of a worker.
NO_MEMORY = ("MemoryError", "Cannot allocate memory", "is killed by signal: Killed")


def judge(task, code):
    """The one place that says whether a stage ended well; raises Failure if it did not. code: its exit code."""
    if code != 0:
        raise failure_of_exit(code)
    for name in task.required:
        path = task.path(name)
        if not os.path.isfile(path) or os.path.getsize(path) == 0:
            raise Failure("missing_files", "exit code 0, but {} is missing".format(name))
        if name.endswith("_scores.json") and not holds_finite_score(path):
            raise Failure("no_finite_score", "exit code 0, but {} holds no finite score".format(name))


def failure_of_exit(code):
    if 128 < code < 165:
        name = signal_name(code - 128)
        return Failure("killed", "killed by signal {}{}".format(name, " (out of memory?)" if name == "KILL" else ""), code)
    return Failure("exit_code", "exit code {}".format(code), code)


def signal_name(number):
    import signal   # here, since with enum it takes long to import
    try:
        return signal.Signals(number).name[3:]
    except ValueError:
        return str(number)


def holds_finite_score(path):
    """mse, or the first metric if there is no mse, is finite; a correlation may be NaN."""
    try:
        with open(path, encoding="utf-8") as file:
            scores = plain_json.loads(file.read(LARGEST_SCORES))
        score = scores.get("mse", next(iter(scores.values()), None))
        return isinstance(score, (int, float)) and not isinstance(score, bool) and abs(float(score)) < float("inf")
    except (OSError, ValueError, RecursionError, AttributeError, OverflowError):
        return False


def listed_outputs(task):
    """({name: bytes}, [number, bytes] of further files) of all that the stage left."""
    found = {}
    for folder, folders, names in os.walk(task.directory):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            own = os.path.relpath(path, task.directory)
            if own not in (STATUS, LOG) and not own.startswith((CLAIM, CLOCK, STATUS + ".", STAGED + ".")) and os.path.isfile(path):
                found[own] = os.path.getsize(path)
    known = [name for name in task.required + task.optional if name in found]
    listed = (known + [name for name in found if name not in known])[:MOST_FILES]
    more = [size for name, size in found.items() if name not in listed]
    return {name: found[name] for name in listed}, [len(more), sum(more)]


def last_words(log, start):
    """(text, kind): the last line that an attempt wrote, and what the operating system said before it.
    kind: disk or memory, if the system says that there was too little of it, else ''"""
    with open(log, "rb") as file:
        file.seek(max(start, file.seek(0, os.SEEK_END) - 20000))
        lines = file.read().decode("utf-8", "replace").replace("\r", "\n").split("\n")
    lines = ["".join(letter for letter in line if letter.isprintable()).strip() for line in lines]
    lines = [line for line in lines if line and not line.startswith("=== ")]
    last = lines[-1][:200] if lines else ""
    said = [words for words in OPERATING_SYSTEM if any(words in line for line in lines[-50:])]
    known = [words for words in said if words not in last]
    kind = "disk" if said else "memory" if any(map(lacks_memory, lines[-50:])) else ""
    return ": ".join(known + [last] if last else known), kind


def lacks_memory(line):
    """Whether a line says that the node's memory was too little, and not a GPU's."""
    return any(words in line for words in NO_MEMORY) and "OutOfMemoryError" not in line
