"""rules: whether a task is done, and if not, why. The one place of this law.

    tasks, parents first + results tree -> {task name: Reason} of those that are not done

The launcher asks about the plan that it makes, --status and the collector about the newest plans,
so all three say the same of the same tree. A task is done if

  - its status says done, and its contract files have the sizes that the status names,
  - its recorded arguments are those of the plan,
  - the split files that it was made from have not changed,
  - each input is the attempt that it was made from.

ml_data is an intermediate: deleted after use, it is made again only for a task that needs it, and
that makes nothing else old. The tables are done if they are newer than every result and launch, and
lack no result for a reason that is gone.
"""
import os
import re
from collections import Counter, defaultdict
from typing import NamedTuple

from core.errors import FileError
from core.files import fingerprint, same_content, size_of
from core.improve_files import read_table
from core.task import DIRECTORIES, SPLIT_FILES, absolute, changed_arguments
from core.tree import LOG, STATUS


class Reason(NamedTuple):
    """Why a task is not done."""
    kind: str                   # for code
    text: str                   # for people
    rebuild: bool = False       # making it again makes nothing else old


# The plan vouches for the content of the benchmark (launcher/benchmark.py), wherever it lies.
BENCHMARK = ("input_dir",)
MADE = re.compile(r"(?:lca_splits/seed_\d+|merged_splits)/(.+)(_[a-z]+_\d+_)(\w+)\.txt$")


def decide(tasks, tree, redo=None):
    """Returns {task name: Reason} of the tasks that are not done, in the order of the plan. tasks:
    parents before children; redo: a stage that runs anew, with what follows it."""
    by_name, why, now = {task.name: task for task in tasks}, {}, {}
    for task in tasks:
        reason = (Reason("redo", "asked for with --redo") if task.stage == redo
                  else reason_of(task, tree, by_name, why, now))
        parent = next((name for name in task.parents if name in why and not why[name].rebuild
                       and not was_adopted_without(tree, task, name)), None)
        if reason or parent:
            why[task.name] = reason or Reason("follows", f"follows {parent}")
    return without_unneeded(tasks, why, tree)


def reason_of(task, tree, by_name, why, now):
    """Returns the Reason why a task by itself is not done; None if it is.

    by_name: {name: Task} of the plan; why: {name: Reason} of the tasks before this one;
    now: {path: fingerprint}, filled as files are looked at
    """
    status = tree.status(task.name)
    if status is None:
        return Reason("never_run", "never run", task.stage == "preprocess")
    if status.state != "done":
        return Reason(status.state, f"{status.state}: {status.reason}", status.rebuild)
    if task.stage == "collect":
        return changed_files(task, tree) or outdated_tables(status, tree, by_name, why)
    return (changed_call(task, status) or changed_files(task, tree)
            or changed_split_file(task, status, tree, by_name, now)
            or changed_input(task, status, tree, by_name))


def changed_call(task, status):
    """Returns the Reason if a task ran with other arguments. Training data made for any target is
    the same."""
    is_vouched_for = task.stage == "train" or task.stage == "preprocess" and status.launch
    changed = changed_arguments(status.arguments, task.arguments,
                                BENCHMARK if is_vouched_for else ())
    if changed:
        return Reason("parameters", "its arguments have changed: " + ", ".join(changed))
    if os.path.basename(status.script) != os.path.basename(task.script):
        return Reason("parameters", f"it was made by {os.path.basename(status.script)}")
    return None


def changed_files(task, tree):
    """Returns the Reason if a contract file was deleted or changed."""
    changed = [name for name, size in tree.status(task.name).files.items()
               if size_of(tree.path(task.name, name)) != size]
    if not changed:
        return None
    deleted = not any(os.path.exists(tree.path(task.name, name)) for name in changed)
    return Reason("files", f"its {changed[0]} was deleted or changed",
                  deleted and task.stage == "preprocess")


def outdated_tables(tables, tree, by_name, why):
    """Returns the Reason if a launch (it may have been cancelled), or a result that somebody made
    by hand, came after the tables; or if they lack a result that was not valid then and is now, as
    somebody has restored what it was made from."""
    # Times are those of one file system, never of a host's clock.
    for launch in tree.launches:
        if tree.written("launches", launch.id, "plan.json") > tables.written:
            return Reason("tables", f"launch {launch.id} is newer than the tables")
    for name, task in tree.tasks.items():
        result = tree.status(name) if task.stage != "collect" else None
        if result and result.state == "done" and result.written > tables.written:
            return Reason("tables", f"{name} is newer than the tables")
    try:
        header, *rows = read_table(tree.path("scores", "missing.csv"), ",")
        lacking = [dict(zip(header, row)) for row in rows]
    except FileError:
        return None
    for row in lacking:
        name, state = row.get("task"), row.get("state")
        if state in ("stale", "incomplete") and name in by_name and name not in why:
            return Reason("tables", f"{name} counts again")
    return None


def changed_split_file(task, status, tree, by_name, now):
    """Returns the Reason if a split file of the planned benchmark is not the one that this task, or
    the ml_data that it was made from, has read. Training does not see the test part."""
    planned = [task, *(by_name[name] for name in task.parents if name in by_name)]
    benchmark = next((each.arguments.get("input_dir", "") for each in planned
                      if each.stage == "preprocess"), "")
    seen = SPLIT_FILES[:2] if task.stage in ("train", "trial") else SPLIT_FILES
    for made in [status] if task.stage == "preprocess" else status.made_from.values():
        for name, path in split_file_paths(seen, made.arguments, benchmark, tree.out):
            if name in made.read_files:
                recorded = made.read_files[name]
                now[path] = fingerprint(path, now.get(path) or recorded)
                if not same_content(recorded, now[path]):
                    return Reason("split_files", f"{name} has changed")
    return None


def split_file_paths(options, arguments, benchmark, out):
    """Yields (name, path) of a preprocessing's split files, and of those in the benchmark that a
    launcher has made one of them from: a subset, or the union of two studies."""
    for option in options:
        name = arguments.get(option)
        if isinstance(name, str):
            yield name, split_file_path(option, arguments, benchmark, out)
            match = MADE.match(name)
            studies, end, part = match.groups() if match else ("", "", "")
            for study in filter(None, studies.split("+")):
                source = f"{study}{end}{'train' if part.startswith('sz_') else part}.txt"
                yield source, os.path.join(benchmark, "splits", source)


def split_file_path(option, arguments, benchmark, out):
    """Returns the path of a preprocessing's split file: in OUT, absolute, or in splits/."""
    path = absolute(option, arguments[option], out)
    folder = benchmark or arguments.get("input_dir", "")
    return path if "/" in path else os.path.join(folder, "splits", path)


def changed_input(task, status, tree, by_name):
    """Returns the Reason if an input is not the attempt that this task was made from."""
    ignored = (*BENCHMARK, "output_dir")
    if task.stage == "train":       # which may take the ml_data of any target
        ignored += ("test_split_file",)
    for name, made in status.made_from.items():
        planned = [by_name[each] for each in (name, *task.parents) if each in by_name]
        is_data = planned and planned[0].stage == "preprocess"
        if is_data and changed_arguments(made.arguments, planned[0].arguments, ignored):
            return Reason("data", f"its input {name} would be made with other arguments")
        now = tree.status(name)
        if now is None:
            is_same = is_data       # deleted after use
        else:
            is_same = now.stamp == made.stamp or is_data and (now.rebuild or not now.launch)
        if not is_same:
            return Reason("input", f"its input {name} has changed")
    return None


def was_adopted_without(tree, task, parent):
    """Says whether another program made the task's outputs, and this parent was missing when they
    were adopted: they count as they are, whatever they were made from."""
    status = tree.status(task.name)
    return (status is not None and status.reason_kind == "adopted" and status.state == "done"
            and parent not in status.made_from)


def without_unneeded(tasks, why, tree):
    """Returns `why` without what nothing that runs needs: deleted ml_data, and what adopted results
    were made from."""
    children = defaultdict(list)
    for task in tasks:
        for name in task.parents if task.stage != "collect" else ():
            children[name].append(task)
    runs = {}
    for task in reversed([task for task in tasks if task.name in why]):
        reason, following = why[task.name], children[task.name]
        serves_only_others = reason.rebuild or (
            reason.kind == "never_run" and following
            and all(was_adopted_without(tree, child, task.name) for child in following))
        if not serves_only_others or any(child.name in runs for child in following):
            runs[task.name] = reason
    work = any(task.name in runs for task in tasks if task.stage != "collect")
    return {task.name: runs[task.name] for task in tasks
            if task.name in runs and (work or runs[task.name].kind != "follows")}


def is_untracked(task, tree):
    """Says whether a task has outputs, but no status that this version writes."""
    if task.stage == "collect":
        return False
    if tree.status(task.name):
        return tree.status(task.name).is_old
    if all(file == LOG or file.startswith((".", STATUS)) for file in tree.names(task.name)):
        return False
    # a runner that has just started writes its status before its files
    return tree.status(task.name, again=True) is None


def replaced(tasks, why, tree):
    """Returns ({stage: number of done results that would be made anew because of other arguments},
    ['train --epochs: 80 -> not given', at most five])."""
    kinds = ("parameters", "data")
    changed = [task for task in tasks if task.name in why and why[task.name].kind in kinds]
    if not changed:
        return {}, []
    statuses = [(task.stage, tree.status(task.name)) for task in tasks
                if task.name in why and task.stage != "collect"
                and why[task.name].kind in (*kinds, "follows", "input")]
    counts = Counter(stage for stage, status in statuses if status and status.state == "done")
    found = []
    for task in changed:
        pairs = changed_arguments(tree.status(task.name).arguments, task.arguments)
        found += [f"{task.stage} --{name}: {shown(old)} -> {shown(new)}"
                  for name, (old, new) in pairs.items()
                  if name not in DIRECTORIES or task.stage == "preprocess"]
    return counts, list(dict.fromkeys(found))[:5] or [
        f"{changed[0].name}: {why[changed[0].name].text}"]


def shown(value):
    return "not given" if value is None else value if isinstance(value, str) else " ".join(value)
