"""status: --status: what became of every task and what to do now, as text or JSON.

    ResultsTree, Queue -> a State for each task -> counts, causes, hints -> exit code

core/rules.py decides what is done. The queue outranks the files: a task whose element waits or runs
is queued or running, whatever an old status says; for some minutes it remembers how a job ended.
"""
import json
import os
import re
import shlex
import shutil
import sys
import time
from collections import Counter
from datetime import timedelta
from math import ceil
from typing import NamedTuple

from core import rules
from core.errors import Refusal
from core.text import aligned, plural, tail
from core.tree import CLAIM, DEAD_AFTER, LOG, Status
from launcher import templates
from launcher.paths import HERE
from launcher.queue import STRANDED, Queue, is_alive, look, never_starts, started_tree
from launcher.slurm import RUNNING, no_answer

STATES = ("done", "running", "queued", "failed", "interrupted", "lost", "not run")
BAD = ("failed", "interrupted", "lost")
# Slurm's word for the end of a job -> reason_kind, which is the reason, too
ENDS = {"TIMEOUT": "time_limit", "OUT_OF_MEMORY": "out_of_memory", "NODE_FAIL": "node_lost",
        "BOOT_FAIL": "node_lost", "CANCELLED": "cancelled", "PREEMPTED": "preempted",
        "DEADLINE": "deadline"}
LIMITS = {"time_limit": "--time", "out_of_memory": "--mem"}     # what a job asked too little of
WAY_ON = "repair what a log names; the same command (launches/*/plan.json) runs what is not done"
USAGE = ("stage", "source", "jobs", "longest", "--time", "peak MB", "--mem")
NUMBER = re.compile(r"\d+(\.\d+)?(e-?\d+)?")    # causes that differ in numbers only are one cause


class State(NamedTuple):
    """A planned task: one of STATES, the kind of reason for code, the reason for people; Slurm's
    job (409_3); the last attempt and its host; the log to read, else Slurm's output."""
    name: str
    stage: str
    state: str
    reason_kind: str = ""
    reason: str = ""
    job: str = ""
    attempt: int = 0
    host: str = ""
    log: str = ""


def survey(queue):
    """Returns the State of every task that the launches of an OUT have planned, parents first."""
    return list(Survey(queue).states.values())


class Survey:
    """states: {task name: State}, made from the statuses of a tree and its queue."""

    def __init__(self, queue):
        tree, self.queue, self.states = queue.tree, queue, {}
        self.reasons, self.runs = rules.decide(list(tree.tasks.values()), tree), tree.last_runs
        # A launcher that was refused has taken its plan back since the tree was read.
        self.in_hand = {task.name: launch.id for launch in tree.launches if is_alive(launch.plan)
                         and tree.written("launches", launch.id, "plan.json")
                         for task in launch.tasks if task.run}
        for task in tree.tasks.values():
            status, element = tree.status(task.name) or Status(""), queue.of_task.get(task.name)
            state, kind, reason = self.judge(task, status, element)
            log = tree.path(task.name, LOG) if status.state else ""
            if kind == "no_status":
                log = tree.slurm_output(task.name)
                reason = ": ".join([reason, *tail(log, 1)])
            self.states[task.name] = State(task.name, task.stage, state, kind, reason,
                                           element.key if element else status.slurm_job,
                                           status.attempt, status.host, log)

    def judge(self, task, status, element):
        """Returns state, reason_kind and reason of a task; the States of its parents are known."""
        why, launch = self.reasons.get(task.name), self.in_hand.get(task.name)
        # A task may have ended in an element that is still in the queue.
        is_over = element and status.slurm_job == element.key and (
            status.state == "done" or status.state == "failed" and element.state in RUNNING)
        if element and element.in_queue and not is_over:
            return self.judge_in_queue(task, status, element)
        if status.state == "running" and not element and self.runner_lives(task.name, status):
            return "running", "", ""
        if (launch and not self.queue.submitted.get(task.name)
                and (status.launch != launch or status.state not in ("done", "failed"))):
            return "queued", "", ""
        # The tables hold all results that exist, though tasks are left to run.
        if status.state == "done" and (why is None
                                       or task.stage == "collect" and why.kind == "follows"):
            return "done", status.reason_kind, status.reason
        if why is None:
            return "done", "unneeded", "not needed"     # such as ml_data deleted after use
        return self.judge_ended(task, status, element)

    def judge_in_queue(self, task, status, element):
        if element.state in RUNNING:
            if status.slurm_job != element.key:
                return "queued", "in_turn", "its job has started, this task has not"
            return "running", "", "" if element.state == "RUNNING" else element.state
        failed, why = self.failed_parents(task), never_starts(element)
        is_stranded = element.reason == STRANDED or any(each.reason_kind == "stranded"
                                                        for each in failed)
        if failed or is_stranded:
            kind = "stranded" if is_stranded else "parent_failed"
            name = failed[0].name if failed else "stranded in the queue"
            return "not run", kind, f"parent failed: {name}"
        if why:
            return "queued", "never_starts", why
        return "queued", "behind" if element.reason == "Dependency" else "", element.reason

    def judge_ended(self, task, status, element):
        """The state of a task that no job and no launcher has in hand."""
        failed, kind = self.failed_parents(task), ENDS.get(element.state, "") if element else ""
        end = kind.replace("_", " ")
        if kind in LIMITS and status.state != "interrupted":    # else the runner has named it
            stage, script = template_of(*self.runs[task.name])
            asked = templates.sbatch_options(script).get(LIMITS[kind])
            path = templates.find_template(stage, task.source, task.model or "")
            if asked:
                end += f" ({LIMITS[kind]}={asked}; raise it in {os.path.relpath(path, HERE)})"
        if status.state == "failed":
            return "failed", status.reason_kind, status.reason
        if failed:
            return "not run", "parent_failed", f"parent failed: {failed[0].name}"
        if status.state == "done":
            return ("not run", *self.reasons[task.name][:2])
        if status.state == "interrupted":
            return (("failed", kind, f"{end}: {status.reason}") if kind else
                    ("interrupted", "signal", status.reason))
        if status.state == "running":
            return "lost", kind or "lost", end or "its runner was killed before it wrote a verdict"
        if not self.queue.submitted.get(task.name):
            return "not run", "not_submitted", ""
        if self.queue.error:
            return "queued", "", "the queue could not be asked"
        return "lost", kind or "no_status", end or (
            "Slurm no longer lists its job, and it wrote no status")

    def failed_parents(self, task):
        """Returns the States of the parents because of which a task cannot run. The collector waits
        for the end of all: only if some wait for ever, it does, too."""
        # A malformed plan may name a task among its own parents.
        parents = filter(None, map(self.states.get, task.parents))
        return [each for each in parents
                if each.reason_kind == "stranded" or task.stage != "collect" and (
                    each.state in BAD or each.reason_kind == "parent_failed")]

    def runner_lives(self, name, status):
        """Whether a runner works that the queue does not show; on another host its claim tells."""
        if status.slurm_job.partition("_")[0] in self.queue.jobs and not self.queue.error:
            return False
        if status.host == os.uname().nodename:
            return is_alive(status._asdict())
        tree = self.queue.tree
        return any(time.time() - tree.written(name, file) / 1e9 < DEAD_AFTER
                   for file in tree.names(name) if file.startswith(CLAIM))


def template_of(launch, task):
    """Returns (stage, or row for jobs that run several; batch script) of a task's job."""
    stage = "row" if re.fullmatch(r"row(-\d+)?", task.array) else task.stage
    return stage, f"{launch.directory}/{task.array}.sbatch"


def exit_code(states):
    """Returns 0 if all is done, 3 while it runs, 4 if only what can never start is left, else 1."""
    kinds = {state.reason_kind for state in states if state.state in ("running", "queued")}
    if kinds:
        return 4 if "never_starts" in kinds and kinds <= {"never_starts", "behind"} else 3
    return 0 if all(state.state == "done" for state in states) else 1


def refuse_busy(names, queue):
    """Refuses tasks that wait or run, and those that such tasks are made from. That is a courtesy:
    the claim lets nothing run twice. Returns the elements ('409_3') that wait for ever."""
    if queue.error and shutil.which("squeue"):
        raise no_answer(queue.error)
    tree = queue.tree
    states = survey(Queue(tree) if queue.error else queue)
    live = {state.name for state in states
            if state.stage != "collect" and state.state in ("running", "queued")}
    read = {parent for name in live for parent in tree.tasks[name].parents}
    busy = sorted((live | read).intersection(names))
    if busy:
        raise Refusal(f"{len(busy)} of these tasks are in a live launch of {tree.out}, or read by "
                      f"one ({busy[0]} first)",
                      "look with --status, end it with --cancel, or choose other tasks")
    stranded = {queue.of_task[state.name] for state in states if state.reason_kind == "stranded"}
    return sorted("".join([element.key, *element.job.partition(";")[1:]]) for element in stranded)


# ---- --status

def again(options):
    """The start of a command about this run."""
    script = os.path.join(HERE, f"workflow_{options.workflow}.py")
    return " ".join(map(shlex.quote, [sys.executable, script, "--output_dir", options.output_dir]))


def show(options):
    """Prints what --status asks for; returns the exit code."""
    tree = started_tree(options)
    name = task_named(tree, options.status) if isinstance(options.status, str) else None
    if options.resources:
        print(aligned([USAGE, *usages(tree, name)]))
        return 0
    queue = look(tree)
    states = [state for state in survey(queue) if name in (None, state.name)]
    code = exit_code(states)
    if options.json:
        print(json.dumps({"workflow": options.workflow, "output_dir": tree.out,
                          "queue": queue.error or "answered", "exit_code": code,
                          "tasks": [state._asdict() for state in states]}, indent=1))
    elif name:
        print(*(f"{key}: {value}" for key, value in states[0]._asdict().items() if value), sep="\n")
    else:
        for note in dict.fromkeys(tree.notes):
            print(note, file=sys.stderr)
        counts = Counter((state.stage, state.state) for state in states)
        rows = [[stage, *(counts[stage, column] for column in STATES)]
                for stage in dict.fromkeys(state.stage for state in states)]
        print(f"{tree.out}\n{aligned([['', *STATES], *rows])}\n")
        if queue.error:
            print(f"the queue could not be asked ({queue.error}): running and queued as the files "
                  "say")
        report = tree.path("report.html")
        print(*failures(states), {
            0: "all done" + (f"; report: {report}" if os.path.exists(report) else ""), 1: WAY_ON,
            3: f"it runs; to end it: {again(options)} --cancel",
            4: f"it cannot go on by itself; to end it: {again(options)} --cancel"}[code], sep="\n")
    return code


def failures(states):
    """Returns lines: why tasks wait; what failed, was interrupted or lost, equal causes once, as in
    'failed: NAME and 14 more: REASON (attempt 2 on HOST); log: PATH', and the end of that log."""
    waiting = Counter((state.stage, state.reason) for state in states
                      if state.state == "queued" and state.reason)
    lines = [f"{number} {stage} queued: {reason}" for (stage, reason), number in waiting.items()]
    causes, bad = {}, [state for state in states if state.state in BAD]
    # A collector that found no score fails for the reasons that are named beside it.
    for state in [state for state in bad if state.stage != "collect"] or bad:
        reason = NUMBER.sub("N", state.reason.replace(state.name, ""))      # in a path
        causes.setdefault((state.state, state.stage, reason), []).append(state)
    for first, *others in causes.values():
        more = f" and {len(others)} more" if others else ""
        ran = f"attempt {first.attempt} on {first.host}" if first.attempt else "never started"
        log = f"; log: {first.log}" if first.log else ""
        lines.append(f"{first.state}: {first.name}{more}: {first.reason} ({ran}){log}")
        lines += [f"    {line}" for line in tail(first.log, 5)
                  if line not in first.reason and not line.startswith("=== ")]   # the header
    followers = sum(state.reason_kind in ("parent_failed", "stranded") for state in states)
    if followers:
        lines.append(f"{plural(followers, 'task')} did not run because a parent failed")
    return lines


def task_named(tree, text):
    """Returns the task that a text names: models/A/split_0, or a path of it or of a file in it."""
    path = os.path.relpath(os.path.realpath(text), os.path.realpath(tree.out))
    for name in (text.rstrip("/"), path, os.path.dirname(path)):
        if name in tree.tasks:
            return name
    raise Refusal(f"there is no task {text} in {tree.out}",
                  f"one of its tasks, such as {', '.join(list(tree.tasks)[:3])}")


def usages(tree, wanted):
    """Yields the values of USAGE for each stage and source; Slurm's time limit holds for jobs, the
    peak is a task's, the newest batch script says what is asked. wanted: a task, None for all"""
    groups = {}
    for name, (launch, task) in tree.last_runs.items():
        status = tree.status(name) if wanted in (None, name) else None
        if task.stage != "collect" and status and status.state == "done" and status.seconds:
            stage, script = template_of(launch, task)
            jobs, peaks, scripts = groups.setdefault((stage, task.source), (Counter(), [], []))
            jobs[launch.id, task.array, task.index] += status.seconds
            peaks.append(status.peak_mb or 0)
            scripts.append(script)
    for (stage, source), (jobs, peaks, scripts) in groups.items():
        asked = templates.sbatch_options(max(scripts))
        yield (stage, source, len(jobs), timedelta(seconds=ceil(max(jobs.values()))),
               asked.get("--time"), ceil(max(peaks)),
               asked.get("--mem") or asked.get("--mem-per-cpu"))
