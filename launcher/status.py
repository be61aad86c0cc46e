"""status: --status: what became of every task and what to do now, as text or JSON.

    ResultsTree, Queue -> a State for each task -> counts, causes, hints -> exit code

core/rules.py decides what is done. The queue outranks the files: a task whose element waits or runs
is queued or running, whatever an old status says. For some minutes the queue also remembers how a
job ended.
"""
import json
import os
import re
import shlex
import shutil
import sys
from collections import Counter
from datetime import timedelta
from math import ceil
from typing import NamedTuple, Optional

from core import rules
from core.errors import Refusal
from core.slurm_output import SlurmOutput, tail
from core.text import aligned, plural
from core.tree import LOG, STATUS
from launcher import slurm, templates
from launcher.queue import (HINTS, Busy, Queue, at_work_elsewhere, look, never_starts, no_answer,
                            runner_at_work, started_tree)

STATES = ("done", "running", "queued", "failed", "interrupted", "lost", "not run")
BAD = ("failed", "interrupted", "lost")
# Slurm's word for the end of a job -> reason_kind
ENDS = {"TIMEOUT": "time_limit", "DEADLINE": "time_limit", "OUT_OF_MEMORY": "out_of_memory",
        "NODE_FAIL": "node_lost", "BOOT_FAIL": "node_lost", "CANCELLED": "cancelled",
        "PREEMPTED": "preempted"}
LIMITS = {"time_limit": "--time", "out_of_memory": "--mem"}     # options of the template
PASSES = ("node_lost", "cancelled", "preempted")    # a task that failed so needs no repair
BEHIND = ("parent_failed", "stranded")
NO_RUN = (None, None)
USAGE = ("stage", "source", "jobs", "longest", "--time", "peak MB", "--mem")
ONCE = re.compile(r" (--redo[ =]\w+|--dry_run|--replace)\b")    # not for the command that goes on
NUMBER = re.compile(r"\d+(\.\d+)?(e-?\d+)?")    # causes that differ in numbers only are one cause


class State(NamedTuple):
    """A planned task: one of STATES, the kind of reason for code, the reason for people.

    attempt, host   None and '' if it never ran
    log             the file to read: log.txt, of a job without a status Slurm's output, or ''
    """
    name: str
    stage: str
    state: str
    reason_kind: str = ""
    reason: str = ""
    attempt: Optional[int] = None
    host: str = ""
    log: str = ""


# ---- tree and queue -> States

def survey(tree, queue):
    """Returns the State of every task that the launches of an OUT have planned."""
    return list(map(Survey(tree, queue).state, tree.tasks))


class Survey:
    """Statuses and queue, and the States that were found so far."""

    def __init__(self, tree, queue):
        self.tree, self.queue, self.states = tree, queue, {}
        self.runs, self.output = tree.last_runs(), SlurmOutput(tree)
        self.reasons = rules.decide(list(tree.tasks.values()), tree)
        self.in_hand = {task.name for launch in filter(at_work_elsewhere, tree.launches)
                        for task in launch.tasks if task.run and not self.has_ended(task, launch)}

    def has_ended(self, task, launch):
        status = self.tree.status(task.name)
        return status and status.launch == launch.id and status.state in ("done", "failed")

    def state(self, name):
        """Returns the State of a task."""
        if name not in self.states:
            task, status = self.tree.tasks[name], self.tree.status(name)
            # A malformed plan may name a task among its own parents.
            self.states[name] = State(name, task.stage, "not run")
            state, kind, reason = self.judge(task, status)
            ran = (status.attempt, status.host, self.tree.path(name, LOG)) if status else ()
            if kind == "no_status":
                log, line = self.output.of(name)
                ran, reason = (None, "", log), f"{reason}: {line}" if line else reason
            self.states[name] = State(name, task.stage, state, kind, reason, *ran)
        return self.states[name]

    def judge(self, task, status):
        """Returns state, reason_kind and reason of a task."""
        element, why = self.queue.of_task(task.name), self.reasons.get(task.name)
        if element and element.in_queue and not is_over(status, element):
            return self.judge_in_queue(task, status, element)
        if status and status.state == "running" and (
                self.queue.error and status.slurm_job
                or not element and runner_at_work(self.queue, task.name, status)):
            return "running", "", ""
        if task.name in self.in_hand:
            return "queued", "", ""
        if status and status.state == "done" and (
                # The tables hold all results that exist, though tasks are left to run.
                why is None or task.stage == "collect" and why.kind == "follows"):
            return "done", status.reason_kind, status.reason
        if why is None:
            ran = task.name in self.runs
            return "done", "unneeded", "deleted after use" if ran else "not needed"
        return self.judge_ended(task, status, element)

    def judge_in_queue(self, task, status, element):
        if element.runs:
            if not status or status.slurm_job != element.key:
                return "queued", "in_turn", "its job has started, this task has not"
            return "running", "", "" if element.state == "RUNNING" else element.state
        parent = self.failed_parent(task)
        if element.stranded or parent:
            return "not run", "stranded", f"parent failed: {parent or 'stranded in the queue'}"
        # A state that is none of ours is shown as Slurm's.
        said = ("" if element.state in slurm.WAITING else f"{element.state}, ") + element.reason
        why = never_starts(element)
        if why:
            return "queued", "never_starts", f"{why} ({said})"
        return "queued", "behind" if said == "Dependency" else "", said

    def judge_ended(self, task, status, element):
        """The state of a task that no job and no launcher has in hand."""
        if status and status.state == "failed":
            return "failed", status.reason_kind, status.reason
        parent = self.failed_parent(task)
        if parent:
            return "not run", "parent_failed", f"parent failed: {parent}"
        if status and status.state == "done":
            return ("not run", *self.reasons[task.name][:2])
        end = self.end_of(task, element) if element else None
        if status and status.state == "interrupted":
            return ("failed", *end) if end else ("interrupted", "signal", status.reason)
        if status:
            return ("lost", *(end or ("lost", "its runner was killed before it wrote a verdict")))
        launch, planned = self.runs.get(task.name, NO_RUN)
        if launch is None or planned.array not in self.queue.jobs[launch.id]:
            return "not run", "not_submitted", ""
        if self.queue.error:
            return "queued", "", "the queue could not be asked"
        return ("lost", *(end or ("no_status",
                                  "Slurm no longer lists its job, and it wrote no status")))

    def end_of(self, task, element):
        """Returns (reason_kind, reason) of a job that Slurm has ended, else None."""
        kind = ENDS.get(element.state)
        if kind is None:
            return None
        script, option = batch_script(*self.runs[task.name]), LIMITS.get(kind)
        asked, reason = templates.sbatch_options(script), kind.replace("_", " ")
        if option in asked:
            reason += f" ({option}={asked[option]}; raise it in {templates.template_of(script)})"
        return kind, reason

    def failed_parent(self, task):
        """Returns the name of the parent because of which a task cannot run, else None."""
        parents = () if task.stage == "collect" else filter(self.tree.tasks.get, task.parents)
        return next((state.name for state in map(self.state, parents)
                     if state.state in BAD or state.reason_kind in BEHIND), None)


def batch_script(launch, task):
    return os.path.join(launch.directory, f"{task.array}.sbatch") if launch else ""


def is_over(status, element):
    """Whether a task has ended in an element that is still in the queue."""
    return status is not None and status.slurm_job == element.key and (
        status.state == "done" or status.state == "failed" and not element.waits)


def exit_code(states):
    """Returns 0 if all is done, 3 while it runs, 4 if only what can never start is left, else 1."""
    kinds = {state.reason_kind for state in states if state.state in ("running", "queued")}
    if kinds:
        return 4 if "never_starts" in kinds and kinds <= {"never_starts", "behind"} else 3
    return 0 if all(state.state == "done" for state in states) else 1


def refuse_busy(tree, names, queue):
    """Refuses tasks that wait or run, and those that such tasks are made from.

    This is a courtesy: a sentence instead of idle elements. The claim (stages/runner/claim.py)
    guarantees that nothing runs twice, whoever starts it.
    """
    if queue.error and shutil.which("squeue"):
        raise no_answer(queue.error)
    states = survey(tree, Queue(tree) if queue.error else queue)
    live = {state.name for state in states
            if state.stage != "collect" and state.state in ("running", "queued")}
    read = {parent for name in live for parent in tree.tasks[name].parents}
    busy = sorted((live | read) & set(names))
    if busy:
        status = tree.status(busy[0])
        runs = status and status.state == "running"
        who = f"process {status.pid} on {status.host}" if runs else "in the queue"
        raise Busy(f"{len(busy)} of these tasks are in a live launch of {tree.out}, or read by one "
                   f"({busy[0]} first: {who})",
                   "look with --status, end it with --cancel, or choose other tasks")


# ---- --status

def show(workflow_name, options, again):
    """Prints what --status asks for; returns the exit code. again: the command without --status."""
    tree = started_tree(options)
    name = task_named(tree, options.status) if isinstance(options.status, str) else None
    if options.resources:
        return show_resources(tree, [name] if name else tree.tasks, options.json)
    queue = look(tree)
    states = survey(tree, queue)
    if name:
        return show_task(tree, queue, {state.name: state for state in states}, name, options.json)
    code = exit_code(states)
    if options.json:
        print(json.dumps({
            "workflow": workflow_name, "output_dir": tree.out, "queue": queue.error or "answered",
            "exit_code": code, "tasks": [state._asdict() for state in states]}, indent=1))
        return code
    for note, times in Counter(tree.notes).items():
        print(note + f" ({times} times)" * (times > 1), file=sys.stderr)
    print(f"{tree.out}\n{table(states)}")
    if queue.error:
        print(f"the queue could not be asked ({queue.error}): running and queued as the files say")
    print(*("\n" + part for part in (waiting(states), problems(states),
                                     advice(states, tree, again)) if part), sep="\n")
    return code


def table(states):
    """The counts as text: a row for each stage, a column for each state."""
    counts = Counter((state.stage, state.state) for state in states)
    return aligned([["", *STATES]] + [[stage, *(str(counts[stage, column]) for column in STATES)]
                                      for stage in dict.fromkeys(state.stage for state in states)])


def waiting(states):
    """Why elements wait, equal reasons together; of those that can never start, what to do."""
    lines = []
    groups = Counter((state.stage, state.reason_kind, state.reason) for state in states
                     if state.state == "queued" and state.reason)
    for (stage, kind, reason), number in groups.items():
        if kind == "never_starts":
            hint = HINTS[reason.partition(" (")[0]]
            lines.append(f"{number} {stage} can never start: {reason}\n  try: {hint}")
        else:
            lines.append(f"{number} {stage} wait: {reason}")
    return "\n".join(lines)


def problems(states, shown=10):
    """What failed, was interrupted or lost, equal causes once, with the end of a log:

    failed: NAME and 14 more: REASON (attempt 2 on HOST); log: PATH
    """
    groups, lines, bad = {}, [], [state for state in states if state.state in BAD]
    # A collector that found no score fails for the reasons that are named beside it.
    for state in [state for state in bad if state.stage != "collect"] or bad:
        cause = state.state, state.stage, NUMBER.sub("N", state.reason)
        groups.setdefault(cause, []).append(state)
    for first, *others in list(groups.values())[:shown]:
        more = f" and {len(others)} more" if others else ""
        ran = f"attempt {first.attempt} on {first.host}" if first.attempt else "never started"
        log = f"; log: {first.log}" if first.log else ""
        lines.append(f"{first.state}: {first.name}{more}: {first.reason} ({ran}){log}")
        lines += [f"    {line}" for line in tail(first.log, 5) if line not in first.reason]
    if len(groups) > shown:
        lines.append(f"... and {len(groups) - shown} more causes")
    followers = sum(state.reason_kind in BEHIND for state in states)
    if followers:
        lines.append(f"{plural(followers, 'task')} did not run because a parent failed")
    return "\n".join(lines)


def summary_of_failures(states):
    """What a launch says at its end of tasks that are not done: the causes, and what to do."""
    code = exit_code(states)
    hint = waiting(states) if code == 4 else way_on(states) if code == 1 else ""
    return "\n".join(filter(None, (problems(states), hint)))


def way_on(states):
    """What to do about tasks that are not done."""
    if any(state.state == "failed" and state.reason_kind not in PASSES for state in states):
        return "repair what failed (see its log); then the same command runs what is not done"
    return "the same command runs what is not done"


def advice(states, tree, again):
    """What to do now, in a line or a few."""
    code, report = exit_code(states), tree.path("report.html")
    if code == 0:
        return "all done" + (f"; report: {report}" if os.path.exists(report) else "")
    if code == 1:
        names = {state.name for state in states if state.state != "done"} - {"scores"}
        return "\n  ".join([way_on(states) + ":", *commands_for(names or {"scores"}, tree)])
    return f"it {'runs' if code == 3 else 'cannot go on by itself'}; to end it: {again} --cancel"


def commands_for(names, tree):
    """Returns the newest commands that together run these tasks, oldest first."""
    newest = {name: launch for launch in tree.launches or tree.dry_launches
              for name in launch.names}
    launches = {newest[name].id: newest[name] for name in names & set(newest)}
    return list(dict.fromkeys(command_of(launches[key].plan, tree.out)
                              for key in sorted(launches)))


def command_of(plan, out):
    """Returns the command of a launch, to be pasted again; OUT may have been moved since."""
    texts = list(map(str, plan.get("command") or ()))
    if plan.get("output_dir", out) != out:
        texts += ["--output_dir", out]      # given twice, the last one counts
    command = ONCE.sub("", " ".join(map(shlex.quote, texts)))
    return f"cd {shlex.quote(str(plan.get('directory') or '.'))} && {command}"


# ---- --status TASK

def task_named(tree, text):
    """Returns the task that a text names: models/A/split_0, or a path of it or of a file in it."""
    path = os.path.relpath(os.path.realpath(text), os.path.realpath(tree.out))
    for name in (text.rstrip("/"), path, os.path.dirname(path)):
        if name in tree.tasks:
            return name
    raise Refusal(f"there is no task {text} in {tree.out}",
                  f"one of its tasks, such as {', '.join(list(tree.tasks)[:3])}")


def show_task(tree, queue, states, name, as_record):
    """Prints all that is known of a task; returns the exit code."""
    state, task, element = states[name], tree.tasks[name], queue.of_task(name)
    record = dict(state._asdict(), status=tree.path(name, STATUS) if state.attempt else "",
                  slurm_output=SlurmOutput(tree).of(name)[0],
                  job=f"{element.key} {element.state} {element.reason}" if element else "",
                  parents=", ".join(f"{parent} {states[parent].state}"
                                    for parent in task.parents if parent in states))
    print(json.dumps(record, indent=1) if as_record else
          "\n".join(f"{key}: {value}" for key, value in record.items() if value))
    return exit_code([state])


# ---- --status --resources

def show_resources(tree, names, as_records):
    """Prints what the jobs of finished tasks took beside what they asked for; returns 0."""
    rows = list(usages(tree, names))
    if as_records:
        print(json.dumps([dict(zip(USAGE, row)) for row in rows], indent=1))
    else:
        print(aligned([USAGE, *(map(str, row) for row in rows)]) if rows else
              "nothing has been measured yet: no task is done")
    return 0


def usages(tree, names):
    """Yields a row of USAGE for each stage (row, if jobs run several) and source: the longest job,
    since Slurm's limit holds for jobs, the largest task, and what the newest batch script asks for,
    - without Slurm."""
    runs, groups = tree.last_runs(), {}
    for name in names:
        task, status = tree.tasks[name], tree.status(name)
        if task.stage != "collect" and status and status.state == "done" and status.seconds:
            launch, planned = runs.get(name, (None, task))
            stage = "row" if planned.array.startswith("row") else task.stage
            jobs, peaks, scripts = groups.setdefault((stage, task.source), (Counter(), [], []))
            jobs[status.slurm_job or name] += status.seconds
            peaks.append(status.peak_mb or 0)
            scripts.append(batch_script(launch, planned))
    for (stage, source), (jobs, peaks, scripts) in groups.items():
        asked = templates.sbatch_options(max(scripts))
        longest = timedelta(seconds=ceil(max(jobs.values())))
        yield (stage, source, len(jobs), str(longest), asked.get("--time", "-"), ceil(max(peaks)),
               asked.get("--mem") or asked.get("--mem-per-cpu", "-"))
