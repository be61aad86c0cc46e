"""queue: one look at the queue for all jobs of an OUT, and what launchers decide on it.

    ResultsTree -> squeue -> Queue -> cancel, wait; status.py

A job is known by its name, csa.LAUNCH.ARRAY, so one whose id was never written down is found, too.
"""
import os
import re
import signal
import sys
import time
from contextlib import suppress

from core.errors import Refusal
from core.text import plural
from core.tree import ResultsTree, process_started
from launcher import slurm

PAUSE = 30              # seconds between two polls of the queue, for --wait; the first ones less
SILENCE = 900           # seconds without an answer after which --wait gives up
STRANDED = "DependencyNeverSatisfied"
# Slurm's reasons why an element can never start by itself -> what to do
NEVER_STARTS = {
    r"SPECIAL_EXIT|_HOLD|held( state)?$|JobHeld|JobHold|ReservationDeleted":
        "scontrol release JOB; an administrator's hold: ask the administrators",
    r"Partition(TimeLimit|NodeLimit)|BadConstraints|InvalidAccount|InvalidQOS"
    r"|AccountNotAllowed|QOSNotAllowed|(Assoc|QOS)(Max\w*PerJob|Min)":
        "edit what it names in the template, then --cancel and the same command"}


def never_starts(element):
    """Returns why an element that waits can never start by itself, with a hint; '' if it can."""
    for pattern, hint in NEVER_STARTS.items():
        if re.search(pattern, element.reason):
            return f"can never start: {element.reason}\n  try: {hint}"
    return ""


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
        # A batch script may have been submitted by hand again: the one in the queue counts.
        found = {(element.name, element.index): element for element in [*elements, *self.in_queue]}
        for launch in tree.launches:
            jobs = slurm.read_jobs(launch)
            self.jobs.update(job.partition(";")[0] for job in jobs.values())
            for task in filter(lambda task: task.run, launch.tasks):
                name, older = launch.job_name(task.array), self.of_task.get(task.name)
                # without an index: elements that were cancelled
                element = found.get((name, task.index)) or found.get((name, None))
                if element and element.in_queue or not (older and older.in_queue):
                    self.of_task[task.name] = element
                self.submitted[task.name] = task.array in jobs


def look(tree):
    """Returns the Queue of an OUT: one squeue for each cluster that its jobs are on."""
    names, clusters = [], {""}
    for launch in tree.launches:
        first = launch.plan.get("output_dir") or tree.out
        # A copy of an OUT that still exists owns no jobs.
        is_own = not os.path.exists(first) or os.path.samefile(first, tree.out)
        if launch.plan.get("executor") == "slurm" and is_own:
            names += {launch.job_name(task.array) for task in launch.tasks if task.run}
            clusters.update(job.partition(";")[2] for job in slurm.read_jobs(launch).values())
    try:
        return Queue(tree, [element for cluster in clusters
                            for element in slurm.queue(names, cluster)])
    except slurm.SlurmError as error:
        return Queue(tree, error=str(error))


def is_alive(process):
    """Whether the process of a plan or a status, a dict, runs on this host and is not this one."""
    return (process.get("host") == os.uname().nodename and process.get("pid") != os.getpid()
            and process_started(process.get("pid")) == process.get("process_started") != "")


def started_tree(options):
    """Returns the ResultsTree of --output_dir; Refusal if it holds no launch."""
    tree = ResultsTree(options.output_dir)
    if not tree.launches and not tree.tasks:
        raise Refusal(f"there is no launch in {tree.out}",
                      "name the --output_dir or the --model of a run")
    return tree


def cancel(options):
    """Ends the local run and the jobs of an OUT and no others; returns the exit code."""
    queue = look(started_tree(options))
    if queue.error:
        raise slurm.no_answer(queue.error)
    jobs = sorted({element.job for element in queue.in_queue})
    pids = [launch.plan["pid"] for launch in queue.tree.launches
            if launch.plan.get("executor") == "local" and is_alive(launch.plan)]
    if not options.dry_run:
        slurm.cancel(jobs)
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
    host, start = os.uname().nodename, "dry run: would cancel" if options.dry_run else "cancelled"
    if jobs:
        print(f"{start} {plural(len(jobs), 'job')}: {' '.join(jobs)}")
    for pid in pids:
        print(f"{start} the local run of process {pid} on {host}")
    if not jobs and not pids:
        print(f"nothing to cancel: no task of this run waits in the queue or runs on {host}")
    return 0


def wait(tree, launch_id):
    """Returns when no job of a launch waits or runs, but for those that can never start."""
    line, answered, pause = "", time.time(), 1
    while time.time() - answered < SILENCE:
        queue, before = look(tree), line
        left = {each for each in queue.in_queue if f".{launch_id}." in each.name}
        stuck = {each for each in left if each.reason == STRANDED or never_starts(each)}
        behind = {each for each in left if each.reason == "Dependency"}
        if not queue.error:
            answered = time.time()
            if not left or stuck and left == stuck | behind:
                return
        line = queue.error or f"{plural(len(left), 'job')} left, " \
                              f"{sum(each.state in slurm.RUNNING for each in left)} running"
        if line != before:
            with suppress(OSError):
                print(line, file=sys.stderr, flush=True)
        time.sleep(pause)
        pause = min(2 * pause, PAUSE)
    print(f"the controller has been silent for {SILENCE} s; the jobs go on", file=sys.stderr)
