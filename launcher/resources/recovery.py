"""recovery: what the same command does about tasks that did not end well.

    statuses, Slurm's words for the ends of jobs, what was asked -> a cause for each -> more memory, more time, another
    node, as it was, or not again

Out of memory: x 1.5. Time limit: x 1.5. If that was not enough, x 2; at most three raises a task, never more than the
partition allows. A lost node is excluded from this launch. An error of the stage's own comes again: it is repeated only
if something that the task is made with has changed (changed_since), or with --retry_failed.
"""
import functools
import math
import os
import time
from typing import Dict, NamedTuple, Optional, Tuple

from launcher import conflicts, needs_run, slurm, survey, templates, whole_file
from launcher.resources import asked, measured, partition
from launcher.resources.asked import Asked, Needs
from launcher.terminal import counted

FIRST, LATER = 1.5, 2       # factors of the first raise of a task's memory or time, and of those after it
MOST = 3                    # raises of a task
NEAR = 0.75                 # share of the memory that a killed stage had: caches and other processes of the job count, too
WARNED = 120                # seconds before the limit: the warning, and the time between two signs of life
WORDS = {"memory": "ran out of memory", "time": "reached their time limit"}


class Raised(NamedTuple):
    """What a task asks for since it failed with less, and what it had asked for at first; count: how often it was raised."""
    memory: Optional[int] = None            # MB
    time: Optional[int] = None              # seconds
    from_memory: Optional[int] = None
    from_time: Optional[int] = None
    count: int = 0

    @property
    def needs(self):
        return Needs(self.memory, self.time)

    @property
    def record(self):
        """As plan.json has it."""
        return {"memory": self.memory, "time": self.time, "from": {"memory": self.from_memory, "time": self.from_time},
                "count": self.count}


class Recovery(NamedTuple):
    """why: {task name: Reason} of what runs; held: {task name: (kind, sentence)} of what does not, though it is not done;
    excluded: nodes; notes: what is said before anything is submitted."""
    why: dict
    held: Dict[str, Tuple[str, str]] = {}
    excluded: Tuple[str, ...] = ()
    notes: Tuple[str, ...] = ()


def raised_of(planned):
    """The Raised of a task of plan.json; None if it has none."""
    record = planned.get("raised") if planned is not None else None
    if not isinstance(record, dict) or not isinstance(record.get("from"), dict):
        return None
    old = record["from"]
    values = (record.get("memory"), record.get("time"), old.get("memory"), old.get("time"), record.get("count"))
    known = all(value is None or type(value) is int and 0 < value < 10 ** 9 for value in values)
    return Raised(*values[:4], values[4] or 0) if known else None


# ---------------------------------------------------------------------- causes

def judge(tasks, why, tree, options):
    """The Recovery of what is to run. why: {task name: Reason} of what is not done"""
    case = Case(tree, options)
    for task in tasks:
        if task.name in why and task.stage != "collect":
            case.add(task, why[task.name])
    return case.recovery(tasks, why)


class Case:
    """The tasks that are not done, one after another, parents first."""

    def __init__(self, tree, options):
        self.tree, self.options = tree, options
        self.causes, self.raised, self.held, self.members, self.changes = {}, {}, {}, {}, {}

    def add(self, task, reason):
        blocked = next((name for name in task.parents if name in self.held), None)
        if blocked:
            self.held[task.name] = "parent", f"its {blocked} is not repeated"
            return
        planned = self.tree.last_run_of().get(task.name)
        before = raised_of(planned)
        if before:
            self.raised[task.name] = before
        if reason.kind in needs_run.LEFT_UNDONE:
            self.treat(task, planned, before)

    def treat(self, task, planned, before):
        from launcher.resources.changed_since import changed_since      # here, since most launches have nothing that failed
        cause = self.causes[task.name] = self.cause_of(task, planned)
        if cause == "code" and not self.options.retry_failed and not changed_since(
                task, self.tree.status(task.name), self.tree, self.options):
            self.held[task.name] = "code", self.tree.status(task.name).get("reason", "")
        elif cause in ("memory", "time") and self.options.executor == "slurm":
            self.raise_for(task, cause, script_of(planned), before or Raised())

    def cause_of(self, task, planned):
        """memory, time, node, code, or '' for what may go well as it was."""
        status = self.tree.status(task.name)
        if status is None:      # adopted a moment ago, and not whole
            return ""
        is_own = planned is not None and status.launch == planned.launch.id
        end = self.ends.get(task.name, "") if is_own else ""
        if end == "out_of_memory":
            return "memory"
        if status["state"] == "failed":
            return cause_of_failure(status, script_of(planned) if is_own else Asked())
        if end:
            return {"time_limit": "time", "node_lost": "node"}.get(end, "")
        return "time" if is_own and self.reached_limit(task, status, planned) else ""

    def reached_limit(self, task, status, planned):
        """Whether a task that was interrupted, or killed with its runner, had worked about as long as its element might."""
        limit, launch = script_of(planned).seconds, planned.launch
        if not limit:
            return False
        if launch.id not in self.members:
            self.members[launch.id] = members_of(launch)
        names = self.members[launch.id][planned["array"], planned["index"]]
        others = [self.tree.status(name) for name in names if name != task.name]
        others = [each for each in others if each is not None and each.get("slurm_job") == status.get("slurm_job")]
        return measured.total(others, "seconds") + lasted(self.tree, task.name, status) >= max(limit - WARNED, 0.4 * limit)

    @property
    def ends(self):
        """{task name: kind of Slurm's word for its end}; asked once, and only if something failed."""
        if not hasattr(self, "_ends"):
            self._ends = ends_of(self.tree)
        return self._ends

    # ------------------------------------------------------------------ raises

    def raise_for(self, task, cause, had, before):
        """Notes the raise of a task, or why it is not repeated. had: the Asked of its last run"""
        limits = partition.limits(had.partition)
        now, limit = (had.memory, limits.memory) if cause == "memory" else (had.seconds, limits.seconds)
        if not now:
            return      # nothing was asked for: the partition decides
        more = raised_value(now, before.memory if cause == "memory" else before.time, cause)
        if limit and now >= limit or before.count >= MOST:
            if not self.options.retry_failed:
                reason = f"it was raised {before.count} times" if before.count >= MOST else "its partition allows no more"
                self.held[task.name] = "limit", f"{reason} ({shown(cause, now)})"
            return
        more = min(more, limit or more)
        self.raised[task.name] = before._replace(count=before.count + 1, **{
            cause: more, f"from_{cause}": getattr(before, f"from_{cause}") or now})
        change = f"{shown(cause, now)} -> {shown(cause, more)} (raise {before.count + 1} of at most {MOST})"
        self.changes.setdefault((task.stage, task.source, cause, change), []).append(task.name)

    def recovery(self, tasks, why):
        kept = {name: reason._replace(raised=self.raised[name]) if name in self.raised else reason
                for name, reason in why.items() if name not in self.held}
        if self.held:
            kept = needs_run.without_unneeded(tasks, kept, self.tree)
        if self.held and all(task.stage == "collect" for task in tasks if task.name in kept):
            # A collector that failed for want of what is not repeated would fail again.
            kept = {name: reason for name, reason in kept.items() if reason.kind != "failed"}
        lost = {name: self.tree.status(name).get("host", "") for name, cause in self.causes.items() if cause == "node"}
        excluded = tuple(sorted(set(lost.values()) - {""})) if self.options.executor == "slurm" else ()
        notes = self.raise_notes() + lost_notes(lost, excluded) + held_notes(self.held)
        return Recovery(kept, self.held, excluded, tuple(notes))

    def raise_notes(self):
        """A sentence for each stage, source and raise."""
        return [f"{len(names)} {stage} of {source} {WORDS[cause]} and run with more: {change}: {names[0]}"
                + (" and so on" if len(names) > 1 else "") for (stage, source, cause, change), names in self.changes.items()]


def cause_of_failure(status, had):
    """memory or code, from the verdict of the task's runner; '' for what may go well as it was. had: the Asked of its run"""
    kind, peak = status.get("reason_kind"), status.get("peak_mb")
    if kind == "memory":
        return "memory"
    if kind == "killed" and status.get("exit_code") == 137:
        return "memory" if had.memory and measured.is_number(peak) and peak >= NEAR * had.memory else ""
    return "code" if kind == "exit_code" else ""


def raised_value(now, before, cause):
    """The next value: whole MB, or seconds that are whole minutes. before: an earlier raise of the same, or None"""
    value = now * (LATER if before else FIRST)
    return int(math.ceil(value)) if cause == "memory" else int(math.ceil(value / 60) * 60)


def shown(cause, value):
    return asked.memory_text(value) if cause == "memory" else asked.time_text(value)


def lost_notes(lost, excluded):
    return [f"{counted(len(lost), 'task')} on nodes that were lost: {', '.join(excluded)} excluded in this launch"] if excluded else []


def held_notes(held):
    """What is not repeated and why, with the way out."""
    notes = []
    for kind, words, way_out in (
            ("code", "not repeated after an error of the code's own, since nothing that goes into it has changed",
             "repair it and give the same command again, or add --retry_failed to run them as they are"),
            ("limit", "not repeated, for want of more than may be asked for",
             "another --partition in slurm_templates, or --retry_failed to run them as they are")):
        names = [name for name, held in held.items() if held[0] == kind]
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            notes.append(f"{counted(len(names), 'task')} {words}: {names[0]}{more}: {held[names[0]][1]}\n  try: {way_out}")
    return notes


# ----------------------------------------------------------- what is known of an end

def script_of(planned):
    """The Asked of the batch script that a task of a launch ran in; planned: a PlannedTask, or None"""
    if planned is None or planned.launch.plan.get("executor") != "slurm":
        return Asked()
    return measured.read_script(os.path.join(planned.launch.directory, f"{planned.array}.sbatch"))


def ends_of(tree):
    """{task name: kind} of the ended elements that squeue, or else sacct, still knows."""
    elements = survey.ask_queue(tree)[0] or []
    queue = {launch.id: conflicts.elements_of(launch, elements) for launch in tree.launches}
    words, keys = {}, {}
    for name, planned in tree.last_run_of().items():
        status = tree.status(name)
        if status is None or status["state"] == "done" or planned.launch.plan.get("executor") != "slurm":
            continue
        element = queue[planned.launch.id].get((planned.array, planned.index))
        if element is None and status.get("slurm_job"):
            keys.setdefault(status.get("slurm_job"), []).append(name)
        elif element is not None:
            words[name] = element.state
    accounted = slurm.accounted_ends(list(keys)) if keys else {}
    words.update((name, word) for key, word in accounted.items() for name in keys.get(key, ()))
    return {name: survey.ENDS[word][0] for name, word in words.items() if word in survey.ENDS}


def members_of(launch):
    """{(array, index): names of the tasks in that element}"""
    found = {}
    for task in launch.tasks:
        if task.get("run"):
            found.setdefault((task["array"], task["index"]), []).append(task["name"])
    return found


def lasted(tree, name, status):
    """Seconds that a task worked: its runner says so, or the last sign of life of a runner that was killed."""
    if status["state"] != "running":
        return status.get("seconds") if measured.is_number(status.get("seconds")) else 0
    import calendar     # here, since only a killed runner's task needs it
    known = whole_file.read_json(tree.path(name, "stage_status.json"))
    try:
        started = calendar.timegm(time.strptime(known["started"], "%Y-%m-%dT%H:%M:%SZ"))
        claims = [entry.stat().st_mtime for entry in os.scandir(tree.path(name)) if entry.name.startswith(".claim.")]
    except (OSError, KeyError, TypeError, ValueError):
        return 0
    return max(claims, default=started) - started


# ---------------------------------------------------------------------- arrays

def needs_beyond(template_asked, raised):
    """The Needs of a raised task that its template, edited since, does not ask for already."""
    def beyond(wanted, given):
        return wanted if wanted and (not given or wanted > given) else None
    return Needs(beyond(raised.memory, template_asked.memory), beyond(raised.time, template_asked.seconds))


@functools.lru_cache(maxsize=None)
def asked_by_template(path, model):
    return asked.asked_of("\n".join(line for _, line in templates.read_template(path, model)))


def needs_of(why, tasks, stage_of, options):
    """{task name: Needs} of the raised tasks. stage_of: task -> the stage of its template"""
    found = {}
    for task in tasks:
        raised = why[task.name].raised if task.name in why else None
        if raised and options.executor == "slurm":
            path = templates.find_template(stage_of(task), task.source, options.model)
            needs = needs_beyond(asked_by_template(path, options.model), raised)
            if any(needs):
                found[task.name] = needs
    return found
