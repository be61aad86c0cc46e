"""verdict: the one place that says whether a stage ended well, and why it did not.

    exit code, files, log of the attempt -> nothing, or Failure(kind, reason, exit code)
"""
import fnmatch
import os
import re
import signal

from core.errors import FileError
from core.files import size_of
from core.improve_files import has_finite_score, read_scores
from core.tree import STATUS
from stages.runner.claim import slurm_job

# Files at the top of a directory that say nothing about its result
LOGS = ("log*.txt", "*.log", "*.out", "*.err", "*.tmp", ".*", "events.out.tfevents*",
        "param_log_file.txt", "runtime*.json", STATUS + "*")
LOG_TAIL = 40           # lines of the log that are searched for the reason of a failure
LONGEST_LINE = 200      # characters of the log that a reason quotes
# Python, the system, C++, PyTorch of a worker, joblib of a worker
NO_MEMORY = ("MemoryError", "Cannot allocate memory", "std::bad_alloc",
             "is killed by signal: Killed", "{SIGKILL(-9)")
NEARLY_ALL = 0.8        # of the memory asked for: a stage killed above it ran out of memory
TRACEBACK = "Traceback (most recent call last):"
SECONDARY = ("Exception ignored", "Exception in thread", "Error in atexit")  # not why it ended
EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(: |:?$)")


class Failure(Exception):
    """Why a task is not done: reason_kind, a sentence, the exit code."""

    def __init__(self, kind, reason, exit_code=1):
        super().__init__(reason)
        self.kind, self.reason, self.exit_code = kind, reason, exit_code


def judge(call, code):
    """Says whether a stage ended well; raises Failure if it did not. code: its exit code."""
    if 128 < code < 165:
        raise Failure("killed", f"killed by signal {signal_name(code - 128)}", code)
    if code != 0:
        raise Failure("exit_code", f"exit code {code}", code)
    if not os.path.isdir(call.directory):
        raise Failure("missing_files", "exit code 0, but its output directory is missing")
    for name in call.required:
        path = call.path(name)
        if not os.path.isfile(path) or size_of(path) == 0:
            raise Failure("missing_files", f"exit code 0, but {name} is missing")
        if name.endswith("_scores.json") and not holds_finite_score(path):
            raise Failure("no_finite_score", f"exit code 0, but {name} holds no finite score")


def signal_name(number):
    try:
        return signal.Signals(number).name[3:]
    except ValueError:
        return str(number)


def holds_finite_score(path):
    try:
        return has_finite_score(read_scores(path)[0])
    except FileError:
        return False


def contract_files(call):
    """Returns {name: bytes} of the files that a result consists of: required and optional outputs,
    for preprocess and train also the other files at the top of the directory that are no logs."""
    names = list(call.required + call.optional)
    if call.task.stage in ("preprocess", "train"):
        names += sorted(name for name in os.listdir(call.directory) if not is_log(name))
    return {name: size_of(call.path(name)) for name in dict.fromkeys(names)
            if os.path.isfile(call.path(name))}


def is_log(name):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in LOGS)


# ---- why a stage failed

def explained(failure, text, environment, peak_mb):
    """Returns the Failure with a reason from the log of the attempt.

    text: the end of the log; environment: ENV; peak_mb: the most memory that the stage held
    """
    kind, reason, code = failure.kind, failure.reason, failure.exit_code
    lines = [line for line in map(printable, re.split("[\r\n]", text))
             if line.strip() and not line.startswith("=== ")]
    line = exception_line(lines) if (kind, code) == ("exit_code", 1) else ""
    line = (line or "".join(lines[-1:]).strip())[:LONGEST_LINE]
    if kind in ("missing_files", "no_finite_score"):
        return Failure(kind, f"{reason} (its last line: {line})" if line else reason)
    if is_out_of_memory(code, lines[-LOG_TAIL:], peak_mb):
        kind, reason, line = "memory", memory_reason(peak_mb), ""
    elif reason == "killed by signal KILL":
        reason += " (out of memory?)"
    elif "ModuleNotFoundError" in line:
        line += f" (not in {environment}: install it there, or give another --env)"
    return Failure(kind, f"{reason}: {line}" if line else reason, code)


def printable(line):
    return "".join(letter for letter in line if letter.isprintable() or letter == "\t")


def exception_line(lines):
    """Returns the 'SomeError: ...' line of the last traceback; '' if there is none near the end.

    A message may have many lines; the last of them may be advice ('Compile with ...').
    """
    for start in range(len(lines) - 1, -1, -1):
        is_secondary = start > 0 and lines[start - 1].startswith(SECONDARY)
        if lines[start].endswith(TRACEBACK) and not is_secondary:
            after = [line for line in lines[start + 1:] if not line[0].isspace()]
            is_near = len(after) <= LOG_TAIL
            return next((line for line in after if EXCEPTION.match(line)), "") if is_near else ""
    return ""


# ---- memory

def is_out_of_memory(code, lines, peak_mb):
    """Says whether the node's memory was too little, not a GPU's."""
    if any(words in line and "OutOfMemoryError" not in line
           for words in NO_MEMORY for line in lines):
        return True
    asked = asked_mb()
    return code == 128 + signal.SIGKILL and 0 < NEARLY_ALL * asked < (peak_mb or 0)


def memory_reason(peak_mb):
    asked, used = asked_mb() / 1000, (peak_mb or 0) / 1000
    more = f" of {asked:.1f} GB; raise --mem in {template()}" if asked else " GB"
    return f"ran out of memory: {used:.1f}{more}"


def asked_mb():
    """Returns the MB that the Slurm job asked for; 0 if that is not known."""
    node, each, cores = (int(os.environ.get(name) or 0) if slurm_job() else 0 for name in (
        "SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU", "SLURM_CPUS_ON_NODE"))
    return node or each * cores


def template():
    """Returns the name of the batch template of this job."""
    return os.environ.get("TASK_TEMPLATE") or "its batch template"
