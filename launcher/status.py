"""status: where every planned task of OUT stands.

    plans + status files + one look at the queue -> a State for each task

The status files are the truth; what the queue says about an element outranks an
old status. The queue also remembers for some minutes how a job ended.
"""
import os
import shlex
from typing import NamedTuple

from launcher import launches, live, resume
from launcher.tasks import Task

STATES = ("done", "running", "queued", "failed", "lost", "not submitted")
# Slurm's word for the end of a job -> ours
ENDS = {"TIMEOUT": "time limit", "OUT_OF_MEMORY": "out of memory", "NODE_FAIL": "node lost",
        "CANCELLED": "cancelled", "PREEMPTED": "preempted", "BOOT_FAIL": "node lost", "DEADLINE": "time limit"}


class State(NamedTuple):
    """A planned task: one of STATES, and why. attempt, host: None, '' where it never ran."""
    name: str
    stage: str
    state: str
    reason: str
    attempt: int
    host: str
    log: str


def survey(out, elements):
    """The State of every task that a launch of OUT has planned, in the newest plan's order.

    elements: what slurm.queue() returned; None where the queue could not be asked
    """
    owners, tasks, alive = owners_of(out)
    by_element = {} if elements is None else queue_by_task(owners, elements)
    by_name = {name: planned_task(task) for name, task in tasks.items()}
    statuses = {name: resume.read_status(out, name) for name in tasks}
    states = {}
    for name, task in tasks.items():
        old = resume.verdict(by_name[name], statuses, by_name, out) if is_done(statuses[name]) else ""
        state, reason = state_of(task, owners.get(name), None if old else statuses[name], by_element.get(name),
                                 elements is not None, states, alive)
        if old and state in ("lost", "not submitted"):
            state, reason = "not submitted", old
        known = statuses[name] or {}
        states[name] = State(name, task["stage"], state, reason, known.get("attempt"), known.get("host", ""),
                             os.path.join(out, name, "log.txt"))
    return list(with_deleted_intermediates(states, tasks, statuses).values())


def planned_task(record):
    """A task of plan.json as a Task again."""
    known = {field: record[field] for field in Task._fields if field in record}
    return Task(**dict({"array": "", "index": 0}, **known))


def is_done(status):
    return status is not None and status["state"] == "done"


def with_deleted_intermediates(states, tasks, statuses):
    """ml_data that was deleted after everything made from it was done counts as done."""
    unused = {name for name, state in states.items()
              if state.stage == "preprocess" and statuses[name] is None and state.state in ("lost", "not submitted")}
    for name, task in tasks.items():
        if task["stage"] != "collect" and states[name].state != "done":
            unused -= set(task.get("parents", ()))
    return {name: state._replace(state="done", reason="deleted after use") if name in unused else state
            for name, state in states.items()}


def owners_of(out):
    """Launches merged: {name: (directory, plan, task) of the launch that last ran it}, {name: newest task},
    and the directories whose launcher still works."""
    owners, tasks, alive = {}, {}, set()
    for directory, plan in launches.read_launches(out):
        if live.launcher_at_work(directory):
            alive.add(directory)
        for task in plan["tasks"]:
            tasks.pop(task["name"], None)
            tasks[task["name"]] = task
            if task.get("run"):
                owners[task["name"]] = (directory, plan, task)
    return owners, tasks, alive


def jobs_of(out):
    """{task name: '409_3'} as the launches wrote it down."""
    owners = owners_of(out)[0]
    ids = {directory: launches.read_jobs(directory) for directory, _, _ in owners.values()}
    return {name: f"{ids[directory][task['array']]}_{task['index']}" for name, (directory, _, task) in owners.items()
            if task.get("array") in ids[directory]}


def queue_by_task(owners, elements):
    """{task name: Element} for the jobs of the launches."""
    found, cache = {}, {}
    for name, (directory, plan, task) in owners.items():
        if directory not in cache:
            cache[directory] = live.elements_of(directory, plan, elements)
        element = cache[directory].get((task.get("array"), task.get("index")))
        if element:
            found[name] = element
    return found


def state_of(task, owner, status, element, asked, states, alive):
    """(state, reason) of one task; its parents' states stand in `states` already."""
    failed_parent = next((p for p in task.get("parents", ()) if p in states and states[p].state in ("failed", "lost")),
                         None) if task["stage"] != "collect" else None
    if element is not None and element.in_queue:
        if element.state == "PENDING" and failed_parent and not element.stranded:
            return "failed", f"parent failed: {failed_parent}"
        return state_in_queue(element, status)
    if status is not None and status["state"] in ("done", "failed"):
        return status["state"], status.get("reason", "")
    if status is not None and status["state"] == "running" and still_runs(status, owner, asked, alive):
        return "running", ""
    if failed_parent:
        return "failed", f"parent failed: {failed_parent}"
    if status is not None and status["state"] == "interrupted":
        return "failed", ENDS.get(element.state if element else "", status.get("reason", "interrupted"))
    if owner is None:
        return "not submitted", ""
    return state_out_of_queue(task, owner, status, element, asked, alive)


def state_in_queue(element, status):
    if element.stranded:
        return "failed", "parent failed: stranded in the queue"
    if element.state == "PENDING":
        return "queued", element.reason
    if status is not None and status.get("slurm_job") == element.key and status["state"] in ("done", "failed"):
        return status["state"], status.get("reason", "")
    return "running", ""


def still_runs(status, owner, asked, alive):
    """Whether a status that says running can be believed though the queue shows no such job."""
    if status.get("slurm_job"):
        return not asked
    if status.get("host") == os.uname().nodename:
        return live.process_alive(status.get("pid"), b"run_model.sh")
    return owner is not None and owner[0] in alive


def state_out_of_queue(task, owner, status, element, asked, alive):
    """Planned and not done, and no such job waits or runs."""
    directory, plan, _ = owner
    if status is not None and status["state"] == "running":
        return "lost", ENDS.get(element.state if element else "", "it says running, but no such job is there")
    if directory in alive:
        return "queued", ""
    if plan.get("executor") == "slurm" and task.get("array") in launches.read_jobs(directory):
        if not asked:
            return "queued", "the queue could not be asked"
        return "lost", ENDS.get(element.state if element else "", "its job left the queue without a word")
    return "not submitted", ""


def commands_for(out, names):
    """The commands of the launches that planned these tasks last, to be pasted again."""
    owners = owners_of(out)[0]
    plans = {directory: plan for directory, plan, task in owners.values() if task["name"] in names}
    made = []
    for plan in plans.values():
        line = " ".join(shlex.quote(str(word)) for word in plan.get("command", []))
        there = plan.get("directory", os.getcwd())
        made.append(line if there == os.getcwd() else f"cd {shlex.quote(there)} && {line}")
    return list(dict.fromkeys(made))


def table(states):
    """The counts as text: a row for each stage, a column for each state."""
    stages = list(dict.fromkeys(state.stage for state in states))
    rows = [["", *STATES]] + [[stage] + [str(sum(s.stage == stage and s.state == column for s in states))
                                         for column in STATES] for stage in stages]
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) if at == 0 else cell.rjust(width)
                               for at, (cell, width) in enumerate(zip(row, widths))) for row in rows)


def exit_code(states):
    """0 all done, 3 while it runs, 1 where something failed, was lost, or was not submitted."""
    found = {state.state for state in states}
    if found & {"running", "queued"}:
        return 3
    return 0 if found <= {"done"} else 1


def tail(path, lines=5, largest=20000):
    """The last lines of a log, as text that can be printed."""
    try:
        with open(path, "rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - largest))
            raw = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return ["".join(c if c.isprintable() else " " for c in line)[:300] for line in raw.splitlines()][-lines:]


def problems(states, shown=10):
    """The failed and lost tasks as text: name, reason, attempt, host, log and its last lines."""
    rows = []
    bad = [state for state in states if state.state in ("failed", "lost")]
    own = [state for state in bad if not state.reason.startswith("parent failed")]
    for state in own[:shown]:
        where = f"attempt {state.attempt} on {state.host}" if state.attempt else "never started"
        rows.append(f"{state.state}: {state.name}: {state.reason} ({where}); log: {state.log}")
        rows += ["    " + line for line in tail(state.log)]
    if len(own) > shown:
        rows.append(f"... and {len(own) - shown} more")
    followers = len(bad) - len(own)
    if followers:
        rows.append(f"{followers} tasks did not run because a parent failed")
    return "\n".join(rows)
