"""results_tree: reads a results tree: what was planned, and what came of it.

    OUT/launches/*/plan.json            -> tasks, merged over launches (plans)
    OUT/TASK/stage_status.json          -> verdict: done, failed, stale, ...
    OUT/TASK/test_scores.json, ...      -> scores (scores)

Examples:
    tree = Tree("runs/csa_baseline")
    tree.verdict("infer/gCSI-CCLE/split_0")        # Verdict(state='done', ...)
    scores.read_results(tree, tree.tasks.values())

Whether a result counts is decided in Tree._judge, and nowhere else: its state is done, its
files have the sizes that the status says, and no newer launch has planned to run it or
anything that it was made from.

What all workflows share; which tasks a tree without plans holds is the workflow's to say, in
collect. Nothing is written here, and nothing in a tree makes it raise: what cannot be read is
a verdict, a problem or a note. Names of tasks are relative to OUT, which may have been moved.
"""
import os
from typing import NamedTuple, Optional

from common.improve_files import FileError
from common.tree_files import as_text, exists, on_disk, read_json
from tree.plans import Task, checked_name, checked_text, merge_tasks, newest_runs, read_plans

STAGES = ("preprocess", "train", "trial", "infer", "collect")     # in the order they run
STAGE_FILES = {             # without a status, a stage is judged by these: one has to stand
    "preprocess": ("test_y_data.csv",),
    "train": ("val_scores.json", "val_y_data_predicted.csv"),
    "trial": ("trial.json",),
    "infer": ("test_scores.json", "test_y_data_predicted.csv"),
}
FAILURES = ("failed", "interrupted", "unreadable", "incomplete")


class Status(NamedTuple):
    """A stage_status.json."""
    state: str
    reason: str = ""
    exit_code: Optional[int] = None
    attempt: Optional[int] = None
    stamp: Optional[str] = None
    launch: str = ""                # '' by hand
    started: str = ""
    made_from: dict = {}            # task name -> stamp
    files: dict = {}                # file name -> bytes
    seconds: Optional[float] = None
    cpu_seconds: Optional[float] = None
    peak_mb: Optional[float] = None
    script: str = ""                # fingerprint of the stage script


class Verdict(NamedTuple):
    """done, or what else a task is.

    failed, interrupted, running: the runner says so; waiting: planned, has not
    run; stale: a newer launch has planned to make it, or what it was made from,
    anew; unreadable: damaged files; incomplete: its directory lacks files;
    missing: there is none.
    """
    state: str
    reason: str = ""
    exit_code: Optional[int] = None


class Gap(NamedTuple):
    """A score that is not there, and the first task on the way to it that went wrong."""
    task: Task
    failed_task: str
    stage: str
    state: str
    reason: str
    exit_code: Optional[int] = None
    log: str = ""


class Report(NamedTuple):
    """What a workflow's collector returns; collect_scores.py writes it."""
    files: dict                     # file name -> text, or None: an old one is removed
    found: int                      # results with scores
    gaps: list                      # one Gap per result without
    text: str                       # the table for the terminal
    notes: list                     # one sentence each
    top_files: dict = {}            # file name -> text, written into OUT itself


# ---- the tree

class Tree:
    """A results tree at `out`. tasks: name -> Task; plans: of the launches, oldest first; plan: the newest, or {};
    notes: sentences. Each plan and each status is read once."""

    def __init__(self, out):
        self.out, self._statuses, self._verdicts = out, {}, {}
        plans, self.notes = read_plans(out)
        self.plans = [plan for plan in plans if not plan["dry_run"]] or plans
        self.plan = self.plans[-1] if self.plans else {}
        self.synthetic = any(plan["synthetic"] for plan in self.plans)
        own = [plan for plan in plans if plan["workflow"] == self.plan["workflow"]]
        self.tasks = merge_tasks(own, has_run=lambda name: self.status(name) is not None)
        self._newest_runs = newest_runs(own)
        self.planned = bool(self.tasks)

    def path(self, name):
        return os.path.join(self.out, on_disk(name))

    def names(self, directory):
        """Returns the sorted names in a directory of the tree; none where it is not there."""
        path = self.path(directory)
        try:
            return sorted(map(as_text, os.listdir(path))) if os.path.isdir(path) else []
        except OSError as error:
            self.notes.append(f"{as_text(path)} cannot be read ({error.strerror or error})")
            return []

    def status(self, name):
        """Returns the Status of a task, None where there is no status file."""
        if name not in self._statuses:
            self._statuses[name] = self._read_status(name)
        return self._statuses[name]

    def _read_status(self, name):
        path = os.path.join(self.path(name), "stage_status.json")
        try:
            return _checked_status(read_json(path)) if exists(path) else None
        except FileError as error:
            return Status("unreadable", as_text(str(error)))
        except (AttributeError, KeyError, TypeError, ValueError):
            return Status("unreadable", f"{as_text(path)}: is not a status")

    def verdict(self, name):
        """Returns the Verdict on a task: done only where its outputs are those now planned."""
        if name not in self._verdicts:
            self._verdicts[name] = Verdict("done")      # ends a circle in damaged files
            self._verdicts[name] = self._judge(name)
        return self._verdicts[name]

    def _judge(self, name):
        status = self.status(name)
        if status is None:
            return self._judge_by_files(self.tasks.get(name))
        if status.state != "done":
            return Verdict(status.state, status.reason, status.exit_code)
        changed = [file for file, size in status.files.items() if self._size(name, file) != size]
        if changed:
            return Verdict("incomplete", f"its {as_text(changed[0])} was deleted or changed")
        why = self._why_stale(name, status)
        return Verdict("stale", why) if why else Verdict("done")

    def _size(self, name, file):
        try:
            return os.path.getsize(os.path.join(self.path(name), file))
        except (OSError, ValueError, TypeError):     # a damaged status may name anything
            return None

    def _judge_by_files(self, task):
        """Judges a task without a status: not run yet, or made by IMPROVE's own tools."""
        if task is None:
            return Verdict("done")
        if task.run:
            return Verdict("waiting", "has not run")
        files = STAGE_FILES.get(task.stage, ())
        try:
            if not files or any(exists(os.path.join(self.path(task.name), file)) for file in files):
                return Verdict("done")
        except FileError as error:
            return Verdict("unreadable", as_text(str(error)))
        if os.path.isdir(self.path(task.name)):     # a stage makes it before anything else
            return Verdict("incomplete", f"has no {' and no '.join(files)}")
        return Verdict("missing", "is not there")

    def _why_stale(self, name, status):
        """Returns why a task that was done is out of date, '' if it is not."""
        for each in [name] + self._made_from(name):
            newest = self._newest_runs.get(each, "")
            if newest and is_before(status, newest):
                return f"launch {newest} has planned to make {'it' if each == name else each} anew"
        for parent, stamp in status.made_from.items():
            now = self.status(parent)
            if now is not None and now.stamp != stamp and not self._is_data(parent):
                return f"was made from an older {parent}"
        return ""

    def _made_from(self, name):
        """Returns the names of all that a task was made from, directly or not."""
        found = [name]
        for each in found:
            status = self.status(each)
            found += [parent for parent in (status.made_from if status else ()) if parent not in found]
        return found[1:]

    def _is_data(self, name):
        """Tells whether a task is ml_data: deleted after use and made again, it is the same data."""
        return name in self.tasks and self.tasks[name].stage == "preprocess" or "ml_data" in name.split("/")

    def gap(self, task, problem=""):
        """Returns the Gap of a task without a score, `problem` being what reading it met."""
        failed, verdict = task, Verdict("unreadable", problem)
        if not problem:
            failed, verdict = self._first_wrong(task)
        return Gap(task, failed.name, failed.stage, verdict.state, verdict.reason,
                   verdict.exit_code, self._log(failed.name))

    def _first_wrong(self, task):
        """Returns (task, verdict) of the first stage that failed, else of the first not done.

        What has not run comes last: deleted ml_data looks as if it had not.
        """
        judged = [(each, self.verdict(each.name)) for each in self._ancestors(task)]
        wrong = [pair for pair in judged if pair[1].state in FAILURES]
        wrong += [pair for pair in judged if pair[1].state in ("running", "stale")]
        wrong += [pair for pair in judged if pair[1].state != "done"]
        return wrong[0]

    def _ancestors(self, task):
        """Returns what a task is made from, directly or not, and itself, in the order of stages."""
        found = [task]
        for each in found:
            found += [self.tasks[name] for name in each.parents
                      if name in self.tasks and self.tasks[name] not in found]
        return sorted(reversed(found), key=lambda each: STAGES.index(each.stage)
                      if each.stage in STAGES else len(STAGES))

    def _log(self, name):
        for file in ("log.txt", "logs.txt"):        # ours; IMPROVE's brute force
            path = os.path.join(self.path(name), file)
            if os.path.lexists(path):
                return as_text(path)
        return ""


def is_before(status, launch):
    """Tells whether a status is of an older launch than this one; by hand, its start counts."""
    if status.launch:
        return status.launch < launch
    started = status.started.replace("-", "").replace(":", "").rstrip("Z")      # 20261124T183938, as ids begin
    return bool(started) and started < launch[:len(started)]


def _checked_status(content):
    """Returns a Status; any of four exceptions if the content is none."""
    code, attempt = content.get("exit_code"), content.get("attempt")
    seconds, cpu_seconds, peak_mb = (content.get(key) for key in ("seconds", "cpu_seconds", "peak_mb"))
    return Status(
        state=str(content["state"]), reason=str(content.get("reason") or ""),
        exit_code=code if isinstance(code, int) else None,
        attempt=attempt if isinstance(attempt, int) else None, stamp=checked_text(content.get("stamp")),
        launch=checked_text(content.get("launch")) or "", started=checked_text(content.get("started")) or "",
        made_from={checked_name(name): checked_text(made["stamp"])
                   for name, made in (content.get("made_from") or {}).items()},
        files=dict(content.get("files") or {}),
        seconds=_checked_number(seconds), cpu_seconds=_checked_number(cpu_seconds), peak_mb=_checked_number(peak_mb),
        script=checked_text(content.get("script")) or "")


def _checked_number(value):
    return float(value) if isinstance(value, (int, float)) and 0 <= value < 1e12 else None
