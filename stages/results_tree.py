"""results_tree: reads a results tree: what was planned, and what came of it.

    OUT/launches/*/plan.json            -> tasks, merged over launches (plans)
    OUT/TASK/stage_status.json          -> verdict: done, failed, stale, ...
    OUT/TASK/test_scores.json, ...      -> scores (results)

Examples:
    tree = Tree("runs/csa_baseline")
    tree.verdict("infer/gCSI-CCLE/split_0")        # Verdict(state='done', ...)
    results.read_results(tree, tree.tasks.values())

What all workflows share; which tasks a tree without plans holds is the
workflow's to say, in csa_tables.py and its like. Nothing is written here, and
nothing in a tree makes it raise: what cannot be read is a verdict, a problem or
a note. Names of tasks are relative to OUT, which may have been moved since.
"""
import os
from typing import NamedTuple, Optional

from improve_files import FileError
from plans import (Task, checked_name, checked_text, checked_texts, merge_tasks, read_plans, results_tree_of,
                   words_equal)
from tree_files import as_text, on_disk, read_json, stands

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
    words: tuple = ()
    made_from: dict = {}            # task name -> (stamp, words)
    files: dict = {}                # file name -> bytes


class Verdict(NamedTuple):
    """done, or what else a task is.

    failed, interrupted, running: the runner says so; waiting: planned, has not
    run; stale: made from other things than now planned; unreadable: damaged
    files; without a status and a launch that runs it, incomplete: its directory
    lacks its files, missing: there is none.
    """
    state: str
    reason: str = ""
    exit_code: Optional[int] = None


class Gap(NamedTuple):
    """A score that is not there, and the first task on the way to it that went wrong."""
    task: Task
    culprit: str
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
    """A results tree at `out`. tasks: name -> Task; plan: the newest one, or {}; notes: sentences."""

    def __init__(self, out):
        self.out, self._statuses, self._verdicts = out, {}, {}
        plans, self.notes = read_plans(out)
        launches = [plan for plan in plans if not plan["dry_run"]] or plans
        self.plan = launches[-1] if launches else {}
        self.synthetic = any(plan["synthetic"] for plan in launches)
        self.tasks = merge_tasks(
            [plan for plan in plans if plan["workflow"] == self.plan["workflow"]],
            has_run=lambda name: self.status(name) is not None)
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
            return _checked_status(read_json(path)) if stands(path) else None
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
        why = self._why_stale(name, status)
        return Verdict("stale", why) if why else Verdict("done")

    def _judge_by_files(self, task):
        """Judges a task without a status: not run yet, or made by IMPROVE's own tools."""
        if task is None:
            return Verdict("done")
        if task.run:
            return Verdict("waiting", "has not run")
        files = STAGE_FILES.get(task.stage, ())
        try:
            if not files or any(stands(os.path.join(self.path(task.name), file)) for file in files):
                return Verdict("done")
        except FileError as error:
            return Verdict("unreadable", as_text(str(error)))
        if os.path.isdir(self.path(task.name)):     # a stage makes it before anything else
            return Verdict("incomplete", f"has no {' and no '.join(files)}")
        return Verdict("missing", "is not there")

    def _why_stale(self, name, status):
        """Returns why a task that was done is out of date, '' where it is not."""
        if not self._as_planned(name, status.words):
            return "was made with other arguments than those now planned"
        for parent, (stamp, words) in status.made_from.items():
            now = self.status(parent)
            if now is None:         # ml_data may be deleted after use
                if not self._as_planned(parent, words):
                    return f"was made from {parent} with other arguments than those now planned"
            elif now.stamp != stamp:
                if not self._made_again(parent, now, words):
                    return f"was made from an older {parent}"
            elif self.verdict(parent).state != "done":
                return f"was made from {parent}, which {self.verdict(parent).reason}"
        return ""

    def _made_again(self, name, status, words):
        """Tells whether ml_data was deleted after use and is made again: the same data."""
        return ("ml_data" in name.split("/") and status.attempt == 1
                and self._as_planned(name, words)
                and words_equal(words, status.words, results_tree_of(words, name),
                                results_tree_of(status.words, name)))

    def _as_planned(self, name, words):
        task = self.tasks.get(name)
        if task is None or not task.words or not words:
            return True
        return any(words_equal(words, planned, results_tree_of(words, name),
                               results_tree_of(planned, name))
                   for planned in (task.words, task.rehearsed))

    def gap(self, task, problem=""):
        """Returns the Gap of a task without a score, `problem` being what reading it met."""
        culprit, verdict = task, Verdict("unreadable", problem)
        if not problem:
            culprit, verdict = self._first_wrong(task)
        return Gap(task, culprit.name, culprit.stage, verdict.state, verdict.reason,
                   verdict.exit_code, self._log(culprit.name))

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


def _checked_status(content):
    """Returns a Status; any of four exceptions where the content is none."""
    code, attempt = content.get("exit_code"), content.get("attempt")
    return Status(
        state=str(content["state"]), reason=str(content.get("reason") or ""),
        exit_code=code if isinstance(code, int) else None,
        attempt=attempt if isinstance(attempt, int) else None, stamp=checked_text(content.get("stamp")),
        words=checked_texts(content.get("words") or []),
        made_from={checked_name(name): (checked_text(made["stamp"]), checked_texts(made.get("words") or []))
                   for name, made in (content.get("made_from") or {}).items()},
        files=dict(content.get("files") or {}))
