"""inputs: waits until the inputs of a task are done, and says what it is made from.

    Call -> {name of the input's task: its stamp, arguments, script and split files}, or a Failure
"""
import os
import time

from core.tree import read_status
from stages.runner.call import setting
from stages.runner.verdict import Failure

LATENCY_WAIT = 60       # seconds


def check_inputs(call, signals, claim):
    """Waits for the inputs inside the results tree, and returns what the task is made from.

    Failure: an input is missing or not done
    """
    made_from = {}
    deadline = time.time() + setting("LATENCY_WAIT", LATENCY_WAIT)
    for name in call.inputs:
        # preprocess reads the benchmark, collect the whole results tree
        if call.task.stage in ("preprocess", "collect") or os.path.isabs(name):
            path = os.path.join(call.out, name)
            if not os.path.exists(path):
                raise Failure("no_input", f"input {path} does not exist")
            continue
        status = wait_for_input(call, name, deadline, signals, claim)
        if status is None or status.state != "done":
            state = status.state if status else "without a status"
            raise Failure("parent_failed", f"parent failed: {name} is {state}")
        made_from[name] = input_of(status)
    return made_from


def input_of(status):
    return {"stamp": status.stamp, "arguments": status.arguments,
            "script_fingerprint": status.script_fingerprint, "read_files": status.read_files}


def wait_for_input(call, name, deadline, signals, claim):
    """Returns the Status of an input. An NFS client may show a file late, or an old version until
    its cache is a minute old: listing the directory above refreshes it."""
    path = os.path.join(call.out, name)
    while True:
        status = read_status(path, call.out)
        is_settled = status is not None and status.state != "running"
        if is_settled and not is_superseded(call, name, status):
            return status
        if time.time() >= deadline or signals.number:
            return status
        try:
            os.listdir(os.path.dirname(path))
        except OSError:
            pass
        claim.touch()
        signals.wait(1)


def is_superseded(call, name, status):
    """Says whether a Status is of an older launch although this task's launch runs that input."""
    return bool(call.launch) and status.launch != call.launch and name in call.runs
