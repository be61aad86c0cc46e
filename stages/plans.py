"""plans: what the launches of a results tree have planned.

    OUT/launches/*/plan.json -> plans, oldest first -> tasks, the newest plan that names one wins
    words of a task, then and now -> the same experiment?

Names of tasks are relative to OUT, which may have been moved since.
"""
import os
from typing import NamedTuple, Optional

from improve_files import FileError
from tree_files import read_json, stands


class Task(NamedTuple):
    """One run of one stage, as a plan or the tree names it."""
    name: str                       # its output directory, relative to OUT
    stage: str
    source: str
    target: Optional[str] = None
    split: Optional[int] = None
    size: Optional[int] = None
    parents: tuple = ()             # names of the tasks whose outputs it reads
    words: tuple = ()               # ENV SCRIPT ARGS...; empty where no plan names it
    rehearsed: tuple = ()           # words of a dry run, which may be run by hand
    run: Optional[bool] = None      # False: it was done before the launch
    model: Optional[str] = None
    y_col_name: Optional[str] = None


def read_plans(out):
    """Returns (plans, notes): the readable plans of OUT/launches, oldest first, dry runs among them."""
    plans, notes = [], []
    launches = os.path.join(out, "launches")
    try:
        names = sorted(os.listdir(launches)) if stands(launches) else []
    except (OSError, FileError):
        return [], [f"{launches} cannot be read"]
    for name in names:
        paths = [os.path.join(launches, name, file) for file in ("plan.json", "dry_plan.json")]
        path = next(filter(os.path.lexists, paths), None)
        if path is None:                    # not a launch, or one that is being written
            continue
        try:
            plans.append(_checked_plan(read_json(path), dry_run=path == paths[1]))
        except FileError as error:
            notes.append(f"a plan was left out: {error}")
        except (AttributeError, KeyError, TypeError, ValueError):
            notes.append(f"a plan was left out: {path}: is not a plan")
    return plans, notes


def _checked_plan(plan, dry_run):
    """Returns a plan whose tasks are Tasks; any of four exceptions where it is none."""
    tasks = [_planned_task(entry, plan) for entry in plan["tasks"]]
    return {"workflow": checked_text(plan["workflow"]), "tasks": tasks, "dry_run": dry_run,
            "synthetic": plan.get("synthetic") is True,
            "launch": checked_text(plan.get("launch")), "model": checked_text(plan.get("model")),
            "command": checked_texts(plan.get("command") or [])}


def _planned_task(entry, plan):
    return Task(
        name=checked_name(entry["name"]), stage=checked_text(entry["stage"]), source=checked_text(entry.get("source")),
        target=checked_text(entry.get("target")), split=checked_number(entry.get("split")),
        size=checked_number(entry.get("size")), parents=tuple(map(checked_name, checked_texts(entry["parents"]))),
        words=checked_texts(entry["words"]), run=bool(entry.get("run", True)),
        model=checked_text(plan.get("model")), y_col_name=checked_text(plan.get("y_col_name")))


def checked_text(value):
    if value is not None and not isinstance(value, str):
        raise TypeError(value)
    return value


def checked_texts(values):
    if not isinstance(values, list) or None in values:
        raise TypeError(values)
    return tuple(map(checked_text, values))


def checked_number(value):
    if value is not None and not isinstance(value, int):
        raise TypeError(value)
    return value


def checked_name(value):
    """Returns the name of a task, which stays inside OUT."""
    value.encode("utf-8", "surrogateescape")
    if "\0" in value or value.startswith("/") or {"", ".."} & set(value.split("/")):
        raise ValueError(value)
    return value


def merge_tasks(plans, has_run):
    """Returns the tasks of plans (oldest first) by name: the newest that names a task wins.

    A dry run started nothing, so it takes no launch's place. What it wrote may
    be run by hand: its words are kept beside the others, and a task that no
    launch names is taken from it where has_run(name).
    """
    tasks = {}
    for plan in sorted(plans, key=lambda plan: plan["dry_run"]):
        for task in plan["tasks"]:
            if not plan["dry_run"]:
                tasks[task.name] = task
            elif task.name in tasks:
                tasks[task.name] = tasks[task.name]._replace(rehearsed=task.words)
            elif has_run(task.name):
                tasks[task.name] = task
    return tasks


# ---- words

def words_equal(old, new, old_out, new_out):
    """Tells whether two tasks' words ask for the same thing.

    old, new: ENV SCRIPT ARGS...; old_out, new_out: the results tree that each
    was written for, None where unknown. ENV does not matter, nor which target's
    ml_data a model is trained on: the training data is the same in all. A
    folder that was moved, with what stands beside OUT, is not a new experiment.
    """
    if len(old) != len(new):
        return False
    old_head, new_head = _moved_heads(old_out, new_out)
    for option, was, now in zip(new, old[1:], new[1:]):
        if was == now or _moved(was, old_head, new_head) == now:
            continue
        trained = option == "--input_dir" and _training_split(now, new_out)
        if not trained or trained != _training_split(was, old_out):
            return False
    return True


def _moved_heads(old_out, new_out):
    """Returns what differs between two paths: both without their longest common end."""
    if old_out is None or new_out is None:
        return "", ""
    old, new = old_out.split("/"), new_out.split("/")
    while old and new and old[-1] == new[-1]:
        old.pop()
        new.pop()
    return "/".join(old), "/".join(new)


def _moved(word, old_head, new_head):
    if word.startswith(old_head + "/") or word and word == old_head:
        return new_head + word[len(old_head):]
    return word


def _training_split(word, out):
    """Returns split_K of a path OUT/ml_data/PAIR/split_K, None for any other word."""
    if out is None or not word.startswith(out + "/ml_data/"):
        return None
    parts = word[len(out + "/ml_data/"):].split("/")
    return parts[1] if len(parts) == 2 else None


def results_tree_of(words, name):
    """Returns the OUT that a task's words were written for, None where they do not say."""
    for option, value in zip(words, words[1:]):
        if option == "--output_dir" and value.rstrip("/").endswith("/" + name):
            return value.rstrip("/")[:-len(name) - 1]
    return None
