"""inputs: waits for what a task is made from, and notes which run of it that is."""
import os
import time

from runner.status import Failure, read_status


def check_inputs(task, signals):
    """{input: {stamp, words, script, out}} of the inputs inside the results tree; raises Failure for one that is not done."""
    made_from, deadline = {}, time.time() + float(os.environ.get("LATENCY_WAIT") or 60)
    for path in task.inputs:
        if task.stage == "preprocess" or not path.startswith(task.out + "/"):
            if not os.path.exists(path):
                raise Failure("no_input", "input {} does not exist".format(path))
            continue
        name = os.path.relpath(path, task.out)
        status = wait_for_input(task, name, deadline, signals)
        if status.get("state") != "done":
            raise Failure("parent_failed", "parent failed: {} is {}".format(name, status.get("state", "without a status")))
        made_from[name] = {key: status.get(key, empty) for key, empty in (("stamp", ""), ("words", []), ("script", ""), ("out", task.out))}
    return made_from


def wait_for_input(task, name, deadline, signals):
    """The status of an input. An NFS client may show a file late, or an old state of it until its
    cache is a minute old: listing the directory above makes it look again."""
    while True:
        status = read_status(os.path.join(task.out, name))
        settled = status.get("state") in ("done", "failed", "interrupted") and not is_superseded(task, name, status)
        if settled or time.time() >= deadline or signals.number:
            return status
        try:
            os.listdir(os.path.dirname(os.path.join(task.out, name)))
        except OSError:
            pass
        time.sleep(1)


def is_superseded(task, name, status):
    """Whether an input's status is of an older launch although this task's launch runs that input."""
    return bool(task.launch) and status.get("launch") != task.launch and name in runs_of_launch(task)


def runs_of_launch(task):
    """{task name: reason_kind} of what the task's launch runs; {} by hand."""
    try:
        with open(os.path.join(os.path.dirname(task.task_file), "runs.tsv"), encoding="utf-8", errors="surrogateescape") as file:
            return dict(line.rstrip("\n").split("\t") for line in file)
    except (OSError, ValueError):
        return {}
