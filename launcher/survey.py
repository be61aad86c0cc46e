"""survey: what became of every planned task of OUT.

    launches + status files + one look at the queue -> a State for each task -> exit code

The status files are the truth; what the queue says about an element outranks an old status. The
queue also remembers for some minutes how a job ended.
"""
import functools
from collections import Counter
from typing import NamedTuple

from launcher import conflicts, launch_directory, needs_run, slurm

STATES = ("done", "running", "queued", "failed", "interrupted", "lost", "not run")
# Slurm's word for the end of a job -> (kind, our words)
TIME_LIMIT, NODE_LOST = ("time_limit", "time limit"), ("node_lost", "node lost")
ENDS = {"TIMEOUT": TIME_LIMIT, "DEADLINE": TIME_LIMIT, "OUT_OF_MEMORY": ("out_of_memory", "out of memory"),
        "NODE_FAIL": NODE_LOST, "BOOT_FAIL": NODE_LOST, "CANCELLED": ("cancelled", "cancelled"),
        "PREEMPTED": ("preempted", "preempted")}
NO_WORD = ("", "")
# Slurm's reason why an element waits -> why it can never start by itself, and the way out
AGAIN = ", then --cancel and the same command"
NEVER_STARTS = {
    "PartitionTimeLimit": ("its --time is above the partition's limit", "lower --time in the template" + AGAIN),
    "PartitionNodeLimit": ("it asks for more nodes than the partition has", "lower what the template asks for" + AGAIN),
    "BadConstraints": ("no node has what it asks for", "edit --constraint, --mem or --gres in the template" + AGAIN),
    "JobHeldUser": ("it is held by its user", "scontrol release JOB"),
    "JobHeldAdmin": ("it is held by an administrator", "ask the cluster's administrators"),
    "launch failed requeued held": ("its node could not start it, and Slurm holds it", "scontrol release JOB"),
    "job requeued in held state": ("it was put back into the queue, and Slurm holds it", "scontrol release JOB"),
    "PartitionDown": ("its partition is down", "wait for the partition, or edit --partition in the template" + AGAIN),
    "PartitionInactive": ("its partition is inactive", "wait for the partition, or edit --partition in the template" + AGAIN),
    "InvalidAccount": ("its account is not valid", "edit --account in the template" + AGAIN),
    "InvalidQOS": ("its QOS is not valid", "edit --qos in the template" + AGAIN),
    "AssocMaxWallDurationPerJobLimit": ("its --time is above your account's limit", "lower --time in the template" + AGAIN),
    "QOSMaxWallDurationPerJobLimit": ("its --time is above the QOS's limit", "lower --time in the template" + AGAIN),
    "AssocMaxMemPerJob": ("its --mem is above your account's limit", "lower --mem in the template" + AGAIN),
    "QOSMaxMemoryPerJob": ("its --mem is above the QOS's limit", "lower --mem in the template" + AGAIN),
    "AssocMaxCpuPerJobLimit": ("it asks for more cores than your account may have", "lower --cpus-per-task in the template" + AGAIN),
    "QOSMaxCpuPerJobLimit": ("it asks for more cores than the QOS allows", "lower --cpus-per-task in the template" + AGAIN),
}
# Reasons that begin so: the second is what squeue 22.05 writes for the first.
NO_NODE = ("ReqNodeNotAvail", "Nodes required for job are DOWN")
NO_NODE_IS_UP = ("no node that it needs is up", "ask the cluster's administrators, or edit --constraint in the template" + AGAIN)


class State(NamedTuple):
    """A planned task of OUT: one of STATES, the kind of reason for code, the reason for people.
    attempt, host: None, '' if it never ran."""
    name: str
    stage: str
    state: str
    reason_kind: str
    reason: str
    attempt: int
    host: str
    out: str

    @property
    def log(self):
        return f"{self.out}/{self.name}/log.txt"


def survey(tree, elements):
    """The State of every task that a launch of OUT has planned, in the newest plan's order.

    elements: what slurm.queue() returned; None if the queue could not be asked
    """
    tasks = {}
    for launch in tree.launches:
        for record in launch.tasks:
            tasks.pop(record["name"], None)
            tasks[record["name"]] = record
    tree.read_ahead(list(tasks))
    for launch in tree.dry_launches:    # what somebody has pasted from a dry run
        for record in launch.tasks:
            if record["name"] not in tasks and tree.status(record["name"]) is not None:
                tasks[record["name"]] = record
    view = View(tree, tasks, elements)
    for task in tasks.values():
        view.add(task)
    return list(view.states.values())


class View:
    """Statuses and queue, and the states that were found so far; parents come before children."""

    def __init__(self, tree, tasks, elements):
        self.tree, self.tasks, self.last_run, self.states = tree, tasks, tree.last_run_of(), {}
        self.is_asked = elements is not None
        self.queue = {launch.id: conflicts.elements_of(launch, elements or []) for launch in tree.launches}
        self.at_work = {launch.id: conflicts.launcher_at_work(launch.directory) for launch in tree.launches}
        self.jobs = {launch.id: launch_directory.read_jobs(launch.directory) for launch in tree.launches}
        self.reasons = reasons_to_run(tree, tasks)
        self.unneeded = unneeded(tree, tasks, self.reasons)

    @functools.lru_cache(maxsize=None)
    def places(self):
        """How many tasks an element of an array has: {(launch, array, index): number}"""
        return Counter((planned.launch.id, planned.array, planned.index) for planned in self.last_run.values())

    @functools.lru_cache(maxsize=None)
    def begun(self):
        """Elements that have run a task."""
        return {status.get("slurm_job") for status in map(self.tree.status, self.tasks) if status}

    def add(self, task):
        status = self.tree.status(task.name)
        old = self.reasons.get(task.name) if status and status["state"] == "done" else None
        if old and old.rebuild:
            old = None
        planned = self.last_run.get(task.name)
        element = self.queue[planned.launch.id].get((planned.array, planned.index)) if planned else None
        state, kind, reason = self.judge(task, None if old else status, planned, element)
        if old and state in ("lost", "not run"):
            state, kind, reason = "not run", old.kind, old.text
        if state in ("lost", "not run") and task.name in self.unneeded:
            state, kind, reason = "done", "unneeded", self.unneeded[task.name]
        known = status or {}
        self.states[task.name] = State(task.name, task.stage, state, kind, reason, known.get("attempt"),
                                       known.get("host", ""), self.tree.out)

    def judge(self, task, status, planned, element):
        """(state, reason_kind, reason) of one task."""
        if element is not None and element.in_queue:
            return self.judge_in_queue(task, status, element)
        said = status["state"] if status else ""
        if said in ("done", "failed"):
            return said, status.get("reason_kind", ""), status.get("reason", "")
        if said == "running" and self.runs(task, status, element):
            return "running", "", ""
        parent = self.failed_parent(task)
        if parent:
            return "not run", "parent_failed", f"parent failed: {parent}"
        kind, end = ENDS.get(element.state if element else "", NO_WORD)
        if said == "interrupted":
            return ("failed", kind, end) if end else ("interrupted", "signal", status.get("reason", ""))
        if said == "running":
            return "lost", kind or "lost", end or "it says running, but no such job is there"
        return self.judge_not_started(task, planned, kind, end)

    def judge_in_queue(self, task, status, element):
        own = status is not None and status.get("slurm_job") == element.key
        if own and (status["state"] == "done" or status["state"] == "failed" and element.state != "PENDING"):
            return status["state"], status.get("reason_kind", ""), status.get("reason", "")
        if element.state != "PENDING":
            waits = self.has_company(task) and not (own and status["state"] == "running")
            return ("queued", "in_turn", "other tasks of its job come first") if waits else ("running", "", "")
        parent = self.failed_parent(task)
        if element.stranded or parent:
            return "not run", "stranded", f"parent failed: {parent or 'stranded in the queue'}"
        if never_starts(element.reason):
            return "queued", "never_starts", never_starts(element.reason)[0]
        return "queued", "", element.reason

    def judge_not_started(self, task, planned, kind, end):
        if planned is None:
            return "not run", "", ""
        launch = planned.launch
        if self.at_work[launch.id]:
            return "queued", "", ""
        if launch.plan.get("executor") == "slurm" and planned["array"] in self.jobs[launch.id]:
            if not self.is_asked:
                return "queued", "", "the queue could not be asked"
            if self.has_company(task) and f"{self.jobs[launch.id][planned['array']]}_{planned['index']}" in self.begun():
                return "not run", "job_ended", "its job ended before its turn" + (f": {end}" if end else "")
            return "lost", kind or "lost", end or "its job left the queue without a word"
        return "not run", "not_submitted", ""

    def has_company(self, task):
        """Whether other tasks are in the same element of an array."""
        planned = self.last_run[task.name]
        return self.places()[planned.launch.id, planned.array, planned.index] > 1

    def failed_parent(self, task):
        bad = ("failed", "lost", "interrupted")
        return next((name for name in task.parents if name in self.states and (
            self.states[name].state in bad or self.states[name].reason_kind in ("parent_failed", "stranded"))),
            None) if task.stage != "collect" else None

    def runs(self, task, status, element):
        """Whether a status that says running can be believed though the queue shows no such job."""
        if status.get("slurm_job") and not self.is_asked:
            return True
        return element is None and conflicts.runner_at_work(self.tree, task.name, status)


def never_starts(reason):
    """(why an element can never start by itself, the way out); None if it only has to wait."""
    return NO_NODE_IS_UP if reason.startswith(NO_NODE) else NEVER_STARTS.get(reason)


def reasons_to_run(tree, tasks):
    """{name: Reason} of the planned tasks that are not done by themselves. tasks: {name: task}"""
    found = ((name, needs_run.reason_to_run(task, tree, tasks, lambda *_: "")) for name, task in tasks.items())
    return {name: reason for name, reason in found if reason}


def unneeded(tree, tasks, reasons):
    """{name: why} of tasks without outputs that nothing needs: ml_data that was deleted after everything made
    from it was done, and what adopted results were made from."""
    why = needs_run.decide(list(tasks.values()), tree, reasons=reasons)
    return {name: "deleted after use" if name in tree.last_run_of() else "not needed: what it is for was adopted"
            for name in tasks if name not in why and tree.status(name) is None}


def ask_queue(tree):
    """(elements, None), or (None, why) if the queue does not answer; nobody is asked about a local run."""
    names = conflicts.job_names(tree)
    if not names:
        return [], None
    try:
        return slurm.queue(names), None
    except slurm.SlurmError as error:
        return None, str(error)


def with_accounting(states, tree):
    """Reasons from sacct for tasks that ended without a word, if sacct answers."""
    last_run, keys = tree.last_run_of(), {}
    for state in states:
        if state.state == "lost" and state.reason_kind == "lost" and state.name in last_run:
            planned = last_run[state.name]
            job = launch_directory.read_jobs(planned.launch.directory).get(planned.array)
            if job:
                keys.setdefault(f"{job}_{planned.index}", []).append(state.name)
    ends = {name: ENDS[end] for key, end in slurm.accounted_ends(list(keys)).items() if end in ENDS
            for name in keys[key]} if keys else {}
    return [state._replace(reason_kind=ends[state.name][0], reason=ends[state.name][1]) if state.name in ends else state
            for state in states]


def exit_code(states):
    """0 all done; 3 while it runs; 4 if only what can never start is left; 1 if something failed or did not run."""
    active = [state for state in states if state.state in ("running", "queued")]
    stuck = [state for state in active if state.reason_kind == "never_starts"]
    behind = [state for state in active if state.state == "queued" and state.reason == "Dependency"]
    if active:
        return 4 if stuck and len(stuck) + len(behind) == len(active) else 3
    return 0 if all(state.state == "done" for state in states) else 1
