"""gaps: which results of a tree count, and for each that is missing the task that went wrong.

    results tree -> core/rules.py -> Verdict of a task -> Gap

A task that no plan names (IMPROVE's own scripts wrote it) counts as it is found.
"""
import os
from typing import NamedTuple, Optional

from core import rules
from core.text import as_text, tail
from core.task import STAGES, Task
from core.tree import LOG, ResultsTree
from stages.report.run import Run


class Verdict(NamedTuple):
    """done; failed, interrupted, running: the runner says so; waiting: planned, has not run; stale:
    what a plan now asks for is another result; unreadable: malformed files; incomplete: its
    directory lacks files; missing: there is none."""
    state: str
    reason: str = ""
    exit_code: Optional[int] = None


class Gap(NamedTuple):
    """A missing score, and the first task on the way to it that went wrong."""
    task: Task
    failed_task: str
    stage: str
    state: str
    reason: str
    exit_code: Optional[int] = None
    log: str = ""


class Report(NamedTuple):
    """What a workflow's collector returns; collect_scores.py writes it."""
    run: Run
    files: dict             # file name -> text, or None: an old one is removed
    text: str               # the table for the terminal
    top_files: dict         # file name -> text, written into OUT itself


class Tree(ResultsTree):
    """A results tree and the verdicts on its tasks. Collectors add tasks that no plan names to
    `tasks`."""

    def __init__(self, out):
        super().__init__(out)
        self.planned = set(self.tasks)
        self._why = rules.decide(list(self.tasks.values()), self)

    def verdict(self, name):
        """Returns the Verdict on a task: done if its outputs are those that a plan asks for."""
        status, reason = self.status(name), self._why.get(name)
        if name in self.planned and reason is None:
            return Verdict("done")
        if status is None:
            return self._verdict_without_status(name)
        if status.state != "done":
            state = "unreadable" if status.reason_kind == "broken" else status.state
            return Verdict(state, status.reason, status.exit_code)
        reason = reason or rules.changed_files(self.tasks[name], self)
        if reason is None:
            return Verdict("done")
        return Verdict("incomplete" if reason.kind == "files" else "stale", reason.text)

    def _verdict_without_status(self, name):
        if name in self.planned:
            line = "".join(tail(self.slurm_output(name), 1))
            return Verdict("waiting", f"its job has left no status; it wrote: {line}" if line else
                           "has not run")
        _, required, optional = STAGES[self.tasks[name].stage]
        files = sorted(required + optional)
        if any(os.path.lexists(self.path(name, file)) for file in files):
            return Verdict("done")
        if os.path.isdir(self.path(name)):      # a stage makes it before anything else
            return Verdict("incomplete", f"has no {' and no '.join(files)}")
        return Verdict("missing", "does not exist")

    def done(self, tasks):
        """Returns those tasks whose outputs are the ones asked for."""
        return [task for task in tasks if self.verdict(task.name).state == "done"]

    def add_result(self, data, model, infer, **row):
        """Adds the three tasks of a result that IMPROVE's own workflows wrote, unless planned."""
        for task in (Task(data, "preprocess", **row), Task(model, "train", **dict(row, target="")),
                     Task(infer, "infer", parents=(model, data), **row)):
            self.tasks.setdefault(task.name, task)

    def gap(self, task, problem=""):
        """Returns the Gap of a task without a score; problem: why its files cannot be read."""
        failed, verdict = ((task, Verdict("unreadable", problem)) if problem
                           else self._first_wrong(task))
        log = self.path(failed.name, LOG)
        if not os.path.lexists(log):
            log = self.slurm_output(failed.name)
        return Gap(task, failed.name, failed.stage, *verdict, as_text(log))

    def _first_wrong(self, task):
        """Returns (task, verdict) of the first stage that failed, else of the first that is not
        done. A task that has not run comes last: deleted ml_data looks as if it had not."""
        found = [task]      # then what it is made from, a parent after its child
        for each in found:
            found += [parent for parent in map(self.tasks.get, each.parents)
                      if parent and parent not in found]
        judged = [(each, self.verdict(each.name)) for each in reversed(found)]
        return min((pair for pair in judged if pair[1].state != "done"), key=lambda pair: (
            pair[1].state not in ("failed", "interrupted", "unreadable", "incomplete"),
            pair[1].state not in ("running", "stale")))
