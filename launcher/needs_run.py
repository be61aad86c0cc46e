"""needs_run: which of the planned tasks run, and why. The one place of this law.

    tasks + statuses -> {task name: Reason} of those that run; plan.json keeps it for everybody else

A task is done if it ended well with the words that are now planned, its files are there, and each
input is the one that it was made from. ml_data is an intermediate: deleted after use, it is made
again only for a task that needs it, and that makes nothing else old. The runner judged a task
once; here its verdict is read.
"""
import os
from typing import NamedTuple

from launcher.status_file import size_of


class Reason(NamedTuple):
    """Why a task runs. kind: for code; text: for people; rebuild: making it again makes nothing else old;
    raised: what it asks for beyond its template (recovery), None for most."""
    kind: str
    text: str
    rebuild: bool = False
    raised: object = None


# Kinds of reasons, in the words of the plan's summary.
SUMMARY = {
    "parameters": "have other parameters than when they ran",
    "split_files": "were made from split files that have changed",
    "data": "were made from data that would now be made with other arguments",
    "input": "were made from inputs that have changed",
    "files": "lack files that they had left",
    "failed": "had failed",
    "interrupted": "were interrupted",
}
NEVER_RUN, NEVER_RUN_DATA = Reason("never_run", "never run"), Reason("never_run", "never run", True)   # of 100,000 tasks, one each
LEFT_UNDONE = ("failed", "interrupted", "running")


def decide(tasks, tree, redo=None, changed=lambda task, status: "", reasons=None):
    """{task name: Reason} of the tasks that run, in the order of the plan.

    tasks: parents before children; tree: a ResultsTree; redo: a stage that runs anew, with what
    follows it; changed: says which file outside OUT that a task read has changed since ('' if none);
    reasons: {task name: what reason_to_run() says of it}, if the caller has asked already.
    """
    by_name, why = {task.name: task for task in tasks}, {}
    for task in tasks:
        reason = reason_to_run(task, tree, by_name, changed) if reasons is None else reasons.get(task.name)
        if task.stage == redo:
            reason = Reason("redo", "asked for with --redo")
        follows = next((name for name in task.parents if name in why and not why[name].rebuild
                        and not was_adopted_without(tree, task, name)), None)
        if reason or follows:
            why[task.name] = reason or Reason("follows", f"follows {follows}")
    return without_unneeded(tasks, why, tree)


def reason_to_run(task, tree, by_name, changed):
    """The Reason why a task is not done by itself; None if it is."""
    status = tree.status(task.name)
    if status is None:
        return NEVER_RUN_DATA if task.stage == "preprocess" else NEVER_RUN
    if status["state"] != "done":
        kind = status.get("reason_kind") if status.get("reason_kind") in ("broken", "unreadable") else status["state"]
        return Reason(kind, f"{status['state']}: {status.get('reason', '')}", was_rebuild(tree, task.name))
    if not same_experiment(status, task, tree.out):
        return Reason("parameters", "its parameters have changed")
    if status["changed_files"]:
        deleted = all(size_of(tree.path(task.name, name)) is None for name in status["changed_files"])
        return Reason("files", f"its {status['changed_files'][0]} was deleted or changed", deleted and task.stage == "preprocess")
    if task.stage == "collect":
        newer = newer_than_tables(task, status, tree)
        return Reason("tables", f"{newer} is newer than the tables") if newer else None
    changed_file = changed(task, status)
    if changed_file:
        return Reason("split_files", f"{changed_file} has changed")
    for made_from in status["made_from"]:
        reason = changed_input(task, made_from, tree, by_name)
        if reason:
            return reason
    return None


def newer_than_tables(task, tables, tree):
    """The name of a result that came after the tables: a launcher may have been killed before it collected, or
    somebody has run a task by hand. '' if there is none. Times are those of one file system, whatever hosts' clocks say."""
    collected = tables.get("written", 0)
    for name in task.parents:
        result = tree.status(name)
        if result is not None and result["state"] == "done" and (
                result.get("launch", "") > tables.get("launch", "") or result.get("written", 0) > collected):
            return name
    return ""


def was_adopted_without(tree, task, parent):
    """Whether another program made the task's outputs, and this parent was not there when they were adopted:
    they count as they are, whatever they were made from."""
    status = tree.status(task.name)
    return (status is not None and status.get("reason_kind") == "adopted" and status["state"] == "done"
            and all(made.name != parent for made in status["made_from"]))


def was_rebuild(tree, name):
    """Whether the newest launch that runs a task makes it again for others alone."""
    planned = tree.last_run_of().get(name)
    return planned is not None and planned.rebuild is True


def changed_input(task, made_from, tree, by_name):
    """The Reason if an input is not the one that this task was made from, else None."""
    name = made_from.name
    if made_from.words is None:
        return input_changed(name)
    planned = by_name.get(name) or next((by_name[parent] for parent in task.parents if parent in by_name), None)
    is_data = planned is not None and planned.stage == "preprocess"
    if is_data and not same_data(task, tree.status(task.name), made_from, planned, tree.out):
        return Reason("data", f"its input {name} would be made with other arguments")
    status = tree.status(name)
    if status is None:
        return None if is_data else input_changed(name)
    if status.stamp == made_from.stamp or is_data and (not status.launch or was_rebuild(tree, name)):
        return None
    return input_changed(name)


def input_changed(name):
    return Reason("input", f"its input {name} has changed")


def same_data(task, status, made_from, planned, out):
    """Whether an input would be preprocessed in the same way now; for train, for whichever target. The input may
    have been made before the tree was moved, and the task after."""
    free = ("--output_dir", "--test_split_file") if task.stage == "train" else ()
    return equal_words(made_from.words, made_from.out or status.out, planned.words, out, free)


def same_experiment(status, task, out):
    """Whether a task ran with the words that are now planned. Training data made for any target is the same."""
    return equal_words(status["words"], status.get("out"), task.words, out, ("--input_dir",) if task.stage == "train" else ())


def equal_words(old, old_out, new, new_out, free=()):
    """Whether two calls are the same experiment: ENV aside, scripts by name, wherever OUT was then."""
    if old[1:] == new[1:]:
        return True
    if len(old) != len(new) or not all(isinstance(word, str) for word in old):
        return False
    old_head, new_head = renamed_heads(old_out or new_out, new_out)
    for at in range(1, len(new)):
        option = new[at - 1] if at > 1 else "--script"
        same_name = option in ("--script", "--train_script") and os.path.basename(old[at]) == os.path.basename(new[at])
        if not (same_name or option in free or old[at] == new[at] or moved(old[at], old_head, new_head) == new[at]):
            return False
    return True


def renamed_heads(old_out, new_out):
    """What was renamed when OUT was moved: both paths without the end that they share."""
    old, new = old_out.split("/"), new_out.split("/")
    while old and new and old[-1] == new[-1]:
        old.pop()
        new.pop()
    return "/".join(old), "/".join(new)


def moved(word, old_head, new_head):
    if old_head and (word == old_head or word.startswith(old_head + "/")):
        return new_head + word[len(old_head):]
    return word


def without_unneeded(tasks, why, tree):
    """Leaves out deleted ml_data, and what adopted results were made from, if nothing that runs needs it."""
    if not why:
        return {}
    children = {}
    for task in tasks:
        for name in task.parents if task.stage != "collect" else ():
            children.setdefault(name, []).append(task)
    runs = {}
    for task in reversed(tasks):
        reason, following = why.get(task.name), children.get(task.name, [])
        needed = any(child.name in runs for child in following)
        all_adopted = bool(following) and all(was_adopted_without(tree, child, task.name) for child in following)
        serves_only_others = reason and (reason.rebuild or reason.kind == "never_run" and all_adopted)
        if reason and (needed or not serves_only_others):
            runs[task.name] = reason
    work = any(task.name in runs for task in tasks if task.stage != "collect")
    return {task.name: runs[task.name] for task in tasks
            if task.name in runs and (work or runs[task.name].kind != "follows")}


def untracked_outputs(tasks, tree):
    """Names of tasks whose directory holds files, but no status: some other program's."""
    if not os.path.isdir(tree.out):
        return []
    # A runner that starts now writes the status before its stage writes a file: seen afterwards, it is there.
    return [task.name for task in tasks if task.stage != "collect" and tree.status(task.name) is None
            and holds_outputs(tree.path(task.name)) and tree.status_now(task.name) is None]


def holds_outputs(directory):
    """Whether there is more than a log, claims, and a status that is just being written."""
    try:
        return any(name != "log.txt" and not name.startswith((".", "stage_status.json")) for name in os.listdir(directory))
    except OSError:
        return False
