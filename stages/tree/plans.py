"""plans: what the launches of a results tree have planned.

    OUT/launches/*/plan.json -> plans, oldest first -> tasks, the newest plan that names one wins
                                                    -> the newest launch that runs each task

Names of tasks are relative to OUT, which may have been moved since.
"""
import os
from typing import NamedTuple, Optional

from common.improve_files import FileError
from common.tree_files import exists, read_json


class Task(NamedTuple):
    """One run of one stage, as a plan or the tree names it."""
    name: str                       # its output directory, relative to OUT
    stage: str
    source: str
    target: Optional[str] = None
    split: Optional[int] = None
    size: Optional[int] = None
    parents: tuple = ()             # names of the tasks whose outputs it reads
    run: Optional[bool] = None      # False: it was done before the launch
    rebuild: bool = False           # running it again makes nothing else old
    labels: dict = {}               # further dimensions of a workflow
    words: tuple = ()               # ENV SCRIPT ARGS...; empty if no plan names it
    model: Optional[str] = None
    y_col_name: Optional[str] = None
    array: Optional[str] = None
    raised: dict = {}               # what it asks for beyond its template, after it had failed with less


def read_plans(out):
    """Returns (plans, notes): the readable plans of OUT/launches, oldest first, dry runs among them.

    A plan is what plan.json holds, its tasks being Tasks.
    """
    plans, notes = [], []
    launches = os.path.join(out, "launches")
    try:
        names = sorted(os.listdir(launches)) if exists(launches) else []
    except (OSError, FileError):
        return [], [f"{launches} cannot be read"]
    for name in names:
        paths = [os.path.join(launches, name, file) for file in ("plan.json", "dry_plan.json")]
        path = next(filter(os.path.lexists, paths), None)
        if path is None:                    # not a launch, or one that is being written
            continue
        try:
            plans.append(_checked_plan(read_json(path), name, dry_run=path == paths[1]))
        except FileError as error:
            notes.append(f"a plan was left out: {error}")
        except (AttributeError, KeyError, TypeError, ValueError):
            notes.append(f"a plan was left out: {path}: is not a plan")
    return plans, notes


def _checked_plan(plan, launch, dry_run):
    """Returns a plan whose tasks are Tasks; any of four exceptions if it is none."""
    checked_text(plan["workflow"])
    checked_text(plan.get("model"))
    checked_texts(plan.get("command") or [])
    return dict(plan, tasks=[_planned_task(entry, plan) for entry in plan["tasks"]], dry_run=dry_run,
                synthetic=plan.get("synthetic") is True, launch=launch)


def _planned_task(entry, plan):
    labels = entry.get("labels")
    return Task(
        name=checked_name(entry["name"]), stage=checked_text(entry["stage"]), source=checked_text(entry.get("source")),
        target=checked_text(entry.get("target")), split=checked_number(entry.get("split")),
        size=checked_number(entry.get("size")), parents=tuple(map(checked_name, checked_texts(entry["parents"]))),
        run=bool(entry.get("run", True)), rebuild=entry.get("rebuild") is True, labels=labels if isinstance(labels, dict) else {},
        words=checked_texts(entry["words"]),
        model=checked_text(plan.get("model")), y_col_name=checked_text(plan.get("y_col_name")),
        array=checked_text(entry.get("array")), raised=entry["raised"] if isinstance(entry.get("raised"), dict) else {})


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

    A dry run started nothing, so it takes no launch's place; what it wrote may be run by
    hand: a task that no launch names is taken from it if has_run(name).
    """
    tasks = {}
    for plan in sorted(plans, key=lambda plan: plan["dry_run"]):
        for task in plan["tasks"]:
            if not plan["dry_run"] or task.name not in tasks and has_run(task.name):
                tasks[task.name] = task
    return tasks


def newest_runs(plans):
    """Returns {task name: id of the newest launch that runs it}, what is only made again for others aside."""
    return {task.name: plan["launch"] for plan in plans if not plan["dry_run"]
            for task in plan["tasks"] if task.run and not task.rebuild}
