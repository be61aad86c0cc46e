"""verdict: the one place that says whether a stage ended well, and why it did not.

    exit code, files, log of the attempt -> Verdict
"""
import os
import re
import signal

from core.errors import FileError
from core.files import size_of
from core.improve_files import has_finite_score, read_predictions, read_scores
from core.tree import STATUS

# Start and end of the names of files at the top of a directory that say nothing about its result
LOGS = (("log", ".txt"), ("", "log.txt"), ("", ".log"), ("", ".out"), ("", ".err"), ("", ".tmp"),
        ("", ".lock"), ("", ".pid"), (".", ""), ("events.out.tfevents", ""), ("wandb-", ""),
        ("param_log_file.txt", ""), ("runtime", ".json"), (STATUS, ""))
SIGNALS = {number.value: number.name[3:] for number in signal.Signals}
TEMPLATE = "its batch template"     # unless TASK_TEMPLATE names it
LOG_TAIL = 40           # lines of the log that are searched for the reason of a failure
LONGEST_LINE = 200      # characters of the log that a reason quotes
# Python, the system, C++, PyTorch of a worker, joblib of a worker
NO_MEMORY = ("MemoryError", "Cannot allocate memory", "std::bad_alloc",
             "is killed by signal: Killed", "{SIGKILL(-9)")
NEARLY_ALL = 0.8        # of the memory asked for: a stage killed above it ran out of memory
TRACEBACK = "Traceback (most recent call last):"
SECONDARY = ("Exception ignored", "Exception in thread", "Error in atexit")  # not why it ended
EXCEPTION = r"[A-Za-z_][\w.]*(: |:?$)"


class Verdict(Exception):
    """What came of an attempt, in the words of stage_status.json; raised if it cannot start."""

    def __init__(self, state, reason_kind="", reason="", exit_code=1):
        self.state, self.reason_kind = state, reason_kind
        self.reason, self.exit_code = reason, exit_code


def judge(call, code):
    """Returns the Verdict on a stage. code: its exit code, 128 + number if a signal ended it"""
    if 128 < code < 165:
        reason = f"killed by signal {SIGNALS.get(code - 128, code - 128)}"
        return Verdict("failed", "killed", reason, code)
    if code:
        return Verdict("failed", "exit_code", f"exit code {code}", code)
    if not os.path.isdir(call.directory):
        return Verdict("failed", "missing_files",
                       "exit code 0, but its output directory is missing")
    for name in call.required:
        path = call.path(name)
        if not os.path.isfile(path) or size_of(path) == 0:
            return Verdict("failed", "missing_files", f"exit code 0, but {name} is missing")
        try:
            is_good = not name.endswith("_scores.json") or has_finite_score(read_scores(path)[0])
        except FileError:
            is_good = False
        if not is_good:
            return Verdict("failed", "no_finite_score",
                           f"exit code 0, but {name} holds no finite score")
    if call.task.stage == "infer" and not os.path.isfile(call.path("test_scores.json")):
        try:    # the scores are computed from it
            read_predictions(call.path(call.required[0]), call.task.arguments.get("y_col_name"))
        except FileError as error:
            what = str(error).replace(call.directory + "/", "")
            return Verdict("failed", "no_finite_score", f"exit code 0, but {what}")
    return Verdict("done", exit_code=0)


def contract_files(call):
    """Returns {name: bytes} of the files that a result consists of: required and optional outputs,
    for preprocess and train also the other files at the top of the directory that are no logs."""
    names = list(call.required + call.optional)
    if call.task.stage in ("preprocess", "train"):
        names += [name for name in sorted(os.listdir(call.directory))
                  if not any(name.startswith(start) and name.endswith(end) for start, end in LOGS)]
    return {name: size_of(call.path(name)) for name in names if os.path.isfile(call.path(name))}


# ---- why a stage failed

def explain(verdict, text, environment, peak_mb):
    """Adds to a Verdict what the log of its attempt says.

    text: the end of the log; environment: ENV; peak_mb: the most memory that the stage held
    """
    lines = [line for line in map(printable, re.split("[\r\n]", text))
             if line.strip() and not line.startswith("=== ")]
    last = "".join(lines[-1:]).strip()
    if (verdict.reason_kind, verdict.exit_code) == ("exit_code", 1):
        last = exception_line(lines) or last
    more = f": {last[:LONGEST_LINE]}" if last else ""
    lack = lack_of_memory(verdict.exit_code, lines[-LOG_TAIL:], peak_mb)
    if verdict.reason_kind in ("missing_files", "no_finite_score"):
        more = more and f" (its last line{more})"
    elif lack:
        verdict.reason_kind, verdict.reason, more = "memory", lack, ""
    elif verdict.reason == "killed by signal KILL":
        verdict.reason += " (out of memory?)"
    elif "ModuleNotFoundError" in more:
        more += f" (not in {environment}: install it there, or give another --env)"
    verdict.reason += more


def printable(line):
    """Without colours and other control characters."""
    return "".join(letter for letter in re.sub("\x1b\\[[0-9;]*m", "", line)
                   if letter.isprintable() or letter == "\t")


def exception_line(lines):
    """Returns the 'SomeError: ...' line of the last traceback; '' if there is none near the end.

    A message may have many lines; the last of them may be advice ('Compile with ...').
    """
    starts = [at for at, line in enumerate(lines) if line.endswith(TRACEBACK)
              and not lines[max(0, at - 1)].startswith(SECONDARY)]
    after = [line for line in lines[starts[-1]:] if not line[0].isspace()] if starts else []
    is_near = len(after) <= LOG_TAIL
    return next((line for line in after if re.match(EXCEPTION, line)), "") if is_near else ""


def lack_of_memory(code, lines, peak_mb):
    """Returns a reason if the node's memory was too little, not a GPU's, else ''."""
    node, each, cores = (int(os.environ.get(name) or 0) for name in (
        "SLURM_MEM_PER_NODE", "SLURM_MEM_PER_CPU", "SLURM_CPUS_ON_NODE"))
    asked = node or each * cores        # MB of the Slurm job; 0 if that is not known
    is_said = any(words in line and "OutOfMemoryError" not in line
                  for words in NO_MEMORY for line in lines)
    if not (is_said or code == 128 + signal.SIGKILL and 0 < NEARLY_ALL * asked < peak_mb):
        return ""
    template = os.environ.get("TASK_TEMPLATE", TEMPLATE)
    of = f" of {asked / 1000:.1f} GB; raise --mem in {template}" if asked else " GB"
    return f"ran out of memory: {peak_mb / 1000:.1f}{of}"
