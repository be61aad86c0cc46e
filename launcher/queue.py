"""queue: one look at the queue for all jobs of an OUT, and what launchers decide on it.

    ResultsTree -> squeue -> Queue -> cancel, wait; --status, refuse_busy (status.py)

A job is known by its name, csa.LAUNCH.ARRAY, so one whose id was never written down is found, too.
"""
import os
import re
import signal
import sys
import time

from core.errors import Refusal
from core.text import plural
from core.tree import ResultsTree
from launcher import launch_files, slurm

FIRST_PAUSE, LAST_PAUSE = 10, 60    # seconds between two polls of the queue, for --wait
SILENCE = 900           # seconds without an answer after which --wait gives up
AGAIN = "in the template, then --cancel and the same command"
STRANDED = "DependencyNeverSatisfied"
# Slurm's state and reason -> why an element can never start by itself, and what to do
NEVER_STARTS = (
    (r"SPECIAL_EXIT|_HOLD |held( state)?$|JobHeld", "Slurm holds it",
     "scontrol release JOB; an administrator's hold: ask the administrators"),
    (r"Partition(Down|Inactive)", "its partition is down", f"wait, or edit --partition {AGAIN}"),
    (r"Partition(Time|Node)Limit|BadConstraints", "its partition cannot give what it asks for",
     f"edit --time, --mem, --gres, --constraint or --partition {AGAIN}"),
    (r"InvalidAccount|InvalidQOS|AccountNotAllowed|QOSNotAllowed|(Assoc|QOS)(Max\w*PerJob|Min)",
     "its account or QOS does not allow it", f"edit --account, --qos, --time or --mem {AGAIN}"),
)


def never_starts(element):
    """Returns why an element that waits can never start by itself, with a hint; '' if it can."""
    return next((f"can never start: {why} ({said(element)})\n  try: {hint}"
                 for pattern, why, hint in NEVER_STARTS
                 if re.search(pattern, f"{element.state} {element.reason}")), "")


def said(element):
    """What Slurm says of an element that waits; a state that is none of ours is shown, too."""
    return ("" if element.state == "PENDING" else f"{element.state}, ") + element.reason


class Queue:
    """What squeue says of a tree's launches, also of elements that ended in the last minutes.

    error       why the controller did not answer, '' if it did
    in_queue    the Elements that wait or run
    of_task     {task name: its Element: one in the queue, else the newest launch's, else None}
    jobs        the job ids that were written down
    submitted   {task name: whether its newest job was written down}
    """

    def __init__(self, tree, elements=(), error=""):
        self.tree, self.error, self.of_task, self.jobs, self.submitted = tree, error, {}, set(), {}
        self.in_queue = [element for element in elements if element.in_queue]
        ended = [element for element in elements if not element.in_queue]
        # A batch script may have been submitted by hand again: the one in the queue counts.
        found = {(element.name, element.index): element for element in ended + self.in_queue}
        for launch in tree.launches:
            jobs = launch_files.read_jobs(launch.directory)
            self.jobs.update(job.partition(";")[0] for job in jobs.values())
            for task in filter(lambda task: task.run, launch.tasks):
                name, older = job_name(launch, task.array), self.of_task.get(task.name)
                # without an index: elements that were cancelled
                element = found.get((name, task.index)) or found.get((name, None))
                if element and element.in_queue or not (older and older.in_queue):
                    self.of_task[task.name] = element
                self.submitted[task.name] = task.array in jobs


def job_name(launch, array):
    return launch_files.job_name(launch.plan["workflow"], launch.id, array)


def look(tree):
    """Returns the Queue of an OUT: one squeue for each cluster that its jobs are on."""
    names, clusters, elements = [], {""}, []
    for launch in tree.launches:
        first = launch.plan.get("output_dir") or tree.out
        # A copy of an OUT that still exists owns no jobs.
        is_own = not os.path.exists(first) or os.path.samefile(first, tree.out)
        if launch.plan.get("executor") == "slurm" and is_own:
            names += {job_name(launch, task.array) for task in launch.tasks if task.run}
            jobs = launch_files.read_jobs(launch.directory).values()
            clusters.update(job.partition(";")[2] for job in jobs)
    try:
        for cluster in clusters:
            elements += slurm.queue(names, cluster)
    except slurm.SlurmError as error:
        return Queue(tree, error=str(error))
    return Queue(tree, elements)


# ---- who is at work

def at_work_elsewhere(launch):
    """Whether the launcher of a launch, not this process, submits or runs its tasks."""
    state = launch_files.read_state(launch.directory)
    return state.get("pid") != os.getpid() and launch_files.is_at_work(state)


def runner_at_work(queue, name, status):
    """Whether the runner that wrote 'running' still works, though the queue shows no job of it; on
    another host its claim says so."""
    if status.slurm_job.partition("_")[0] in queue.jobs and not queue.error:
        return False
    if status.host == os.uname().nodename:
        return launch_files.is_at_work(status._asdict())
    return any(time.time() - queue.tree.written(name, file) / 1e9 < launch_files.SILENT_AFTER
               for file in queue.tree.names(name) if file.startswith(".claim."))


# ---- --cancel

def cancel(options):
    """Ends the jobs and the local run of an OUT and no others; with --dry_run only says so. Returns
    the exit code."""
    tree = started_tree(options)
    local = [launch_files.read_state(launch.directory) for launch in tree.launches
             if launch.plan.get("executor") == "local" and at_work_elsewhere(launch)]
    queue = look(tree)
    if queue.error:
        raise slurm.no_answer(queue.error)
    jobs = sorted({element._replace(index=None).address for element in queue.in_queue})
    if not options.dry_run:
        for state in local:
            if state["host"] != os.uname().nodename:
                raise Refusal(f"a local run goes on on {state['host']}", "cancel it there")
            os.kill(state["pid"], signal.SIGTERM)
        slurm.cancel(jobs)
    start = "dry run: would cancel" if options.dry_run else "cancelled"
    if jobs:
        print(f"{start} {plural(len(jobs), 'job')}: {' '.join(jobs)}")
    for state in local:
        print(f"{start} the local run of process {state['pid']} on {state['host']}")
    if not jobs and not local:
        print("nothing to cancel: no task of this run waits or runs")
    return 0


def started_tree(options):
    """Returns the ResultsTree of --output_dir; Refusal if it holds no launch."""
    tree = ResultsTree(options.output_dir)
    if not tree.launches and not tree.tasks:
        raise Refusal(f"there is no launch in {tree.out}",
                      "name the --output_dir or the --model of a run")
    return tree


# ---- --wait

def wait(tree, launch):
    """Returns when no job of a launch waits or runs, but for jobs that can never start; also if the
    controller stays silent."""
    pause, said, answered = FIRST_PAUSE, "", time.time()
    while time.time() - answered < SILENCE:
        queue = look(tree)
        left = still_to_come(queue, launch)
        if not queue.error:
            answered = time.time()
            if not left:
                return
        line = queue.error or f"{plural(len(left), 'job')} left, " \
                              f"{sum(each.runs for each in left)} running"
        if line != said:
            print(line, file=sys.stderr, flush=True)
        said = line
        time.sleep(pause)
        pause = min(LAST_PAUSE, pause * 1.5)
    print(f"the controller has been silent for {SILENCE} s; the jobs go on", file=sys.stderr)


def still_to_come(queue, launch):
    """Returns the Elements of a launch that wait or run; [] if only what can never start is
    left."""
    left = [each for each in queue.in_queue if each.name.startswith(job_name(launch, ""))]
    stuck = [each for each in left if each.reason == STRANDED or never_starts(each)]
    moves = any(each not in stuck and each.reason != "Dependency" for each in left)
    return left if moves or not stuck else []
