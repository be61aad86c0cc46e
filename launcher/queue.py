"""queue: one look at the queue for all jobs of an OUT, and what launchers decide on it.

    ResultsTree -> squeue -> Queue -> stranded, cancel, wait; --status, refuse_busy (status.py)

A job is known by its name, csa.LAUNCH.ARRAY, so one whose id was never written down is found, too.
"""
import glob
import os
import re
import signal
import sys
import time

from core.errors import Refusal
from core.text import plural
from core.tree import ResultsTree
from launcher import launch_files, slurm

SILENT_AFTER = 300      # seconds; a runner touches its claim every 5
FIRST_PAUSE, LAST_PAUSE = 10, 60    # seconds between two polls of the queue, for --wait
SILENCE = 900           # seconds without an answer after which --wait gives up
# Slurm's reason why an element waits -> why it can never start by itself, and what to do
HELD = "Slurm holds it"
AGAIN = "in the template, then --cancel and the same command"
NEVER_STARTS = (
    (r"held( state)?$|JobHeld", HELD),
    (r"Partition(Down|Inactive)", "its partition is down"),
    (r"Partition(Time|Node)Limit|BadConstraints", "its partition cannot give what it asks for"),
    (r"InvalidAccount|InvalidQOS|AccountNotAllowed|QOSNotAllowed|(Assoc|QOS)(Max\w*PerJob|Min)",
     "its account or QOS does not allow it"),
)
HINTS = {
    HELD: "scontrol release JOB; an administrator's hold: ask the administrators",
    "its partition is down": f"wait, or edit --partition {AGAIN}",
    "its partition cannot give what it asks for":
        f"edit --time, --mem, --gres, --constraint or --partition {AGAIN}",
    "its account or QOS does not allow it": f"edit --account, --qos, --time or --mem {AGAIN}",
}


class Busy(Refusal):
    """Somebody runs these tasks."""


def never_starts(element):
    """Returns why an element can never start by itself, a key of HINTS; '' if it only waits."""
    if element.state in slurm.HELD:
        return HELD
    return next((why for pattern, why in NEVER_STARTS
                 if element.waits and re.search(pattern, element.reason)), "")


class Queue:
    """What squeue says of a tree's launches, also of elements that ended in the last minutes.

    error   why the controller did not answer, '' if it did
    jobs    {launch id: {array: job}}, as the launches wrote them down
    """

    def __init__(self, tree, elements=(), error=""):
        self.tree, self.error, self._elements, self._runs = tree, error, {}, {}
        self.jobs = {launch.id: launch_files.read_jobs(launch.directory)
                     for launch in tree.launches}
        for element in elements:
            place = element.name, element.index
            # A batch script may have been submitted by hand again: the one in the queue counts.
            if element.in_queue or place not in self._elements:
                self._elements[place] = element
        for launch in reversed(tree.launches):
            for task in launch.tasks:
                if task.run:
                    self._runs.setdefault(task.name, []).append((launch, task))

    def element(self, launch, task):
        """Returns the Element of a launch's task, else that of cancelled elements, else None."""
        name = job_name(launch, task.array)
        return self._elements.get((name, task.index)) or self._elements.get((name, None))

    def of_task(self, name):
        """Returns the Element of a task: one in the queue, else the newest launch's, else None."""
        found = [self.element(*run) for run in self._runs.get(name, ())]
        return next((each for each in found if each and each.in_queue), (found or [None])[0])

    def in_queue(self, launch=None):
        """Returns the Elements of a launch (None: of all) that wait or run."""
        start = job_name(launch, "") if launch else ""
        return [element for element in self._elements.values()
                if element.in_queue and element.name.startswith(start)]


def job_name(launch, array):
    return launch_files.job_name(launch.plan["workflow"], launch.id, array)


def job_names(tree):
    """Returns {cluster: names of the jobs there that the launches of an OUT may have}."""
    found = {}
    for launch in tree.launches:
        first = launch.plan.get("output_dir") or tree.out
        # A copy of an OUT that still exists owns no jobs.
        is_copy = os.path.exists(first) and not os.path.samefile(first, tree.out)
        if launch.plan.get("executor") == "slurm" and not is_copy:
            jobs = launch_files.read_jobs(launch.directory)
            for array in {task.array for task in launch.tasks if task.run}:
                cluster = jobs.get(array, "").partition(";")[2]
                found.setdefault(cluster, []).append(job_name(launch, array))
    return found


def look(tree):
    """Returns the Queue of an OUT: one squeue for each cluster that its jobs are on."""
    elements = []
    try:
        for cluster, names in job_names(tree).items():
            elements += slurm.queue(names, cluster)
    except slurm.SlurmError as error:
        return Queue(tree, error=str(error))
    return Queue(tree, elements)


def stranded(queue):
    """Returns the jobs to cancel ('409_3') of elements whose parents failed: they wait for ever.

    Slurm names only the first of a chain; what waits for that one waits as long.
    """
    jobs = set()
    for launch in queue.tree.launches:
        names = set()
        for task in launch.tasks:       # parents come first
            element = queue.element(launch, task)
            if element and element.waits and (element.stranded or names & set(task.parents)):
                names.add(task.name)
                jobs.add(element.address)
    return sorted(jobs)


# ---- who is at work

def no_answer(error):
    return Refusal(f"the Slurm controller does not answer ({error})",
                   "give the same command again later")


def at_work_elsewhere(launch):
    """Whether the launcher of a launch, not this process, submits or runs its tasks."""
    state = launch_files.read_state(launch.directory)
    return state.get("pid") != os.getpid() and launch_files.is_at_work(state)


def runner_at_work(queue, name, status):
    """Whether the runner that wrote 'running' still works, though the queue shows no job of it."""
    ours = {job.partition(";")[0] for jobs in queue.jobs.values() for job in jobs.values()}
    if status.state != "running" or status.slurm_job.partition("_")[0] in ours:
        return False    # of our jobs the queue knows
    if status.host == os.uname().nodename:
        return launch_files.is_at_work(status._asdict())
    return any(time.time() - queue.tree.written(name, file) / 1e9 < SILENT_AFTER
               for file in queue.tree.names(name) if file.startswith(".claim."))


# ---- --cancel

def cancel(options):
    """Ends the jobs and the local run of an OUT and no others; with --dry_run only says so.

    Returns the exit code.
    """
    tree = started_tree(options)
    local = [launch_files.read_state(launch.directory) for launch in tree.launches
             if launch.plan.get("executor") == "local" and at_work_elsewhere(launch)]
    queue = look(tree)
    if queue.error:
        raise no_answer(queue.error)
    jobs = sorted({element._replace(index=None).address for element in queue.in_queue()})
    if not options.dry_run:
        end(jobs, local)
    ended = [f"{plural(len(jobs), 'job')}: {' '.join(jobs)}"] if jobs else []
    ended += [f"the local run of process {state['pid']} on {state['host']}" for state in local]
    start = "dry run: would cancel" if options.dry_run else "cancelled"
    print("\n".join(f"{start} {what}" for what in ended) or
          "nothing to cancel: no task of this run waits or runs")
    return 0


def end(jobs, local):
    """Ends jobs, and local runs in other terminals of this machine."""
    for state in local:
        if state["host"] != os.uname().nodename:
            raise Refusal(f"a local run goes on on {state['host']}", "cancel it there")
        os.kill(state["pid"], signal.SIGTERM)
    try:
        slurm.cancel(jobs)
    except slurm.SlurmError as error:
        raise no_answer(error)


def started_tree(options):
    """Returns the ResultsTree of --output_dir; Refusal if it holds no launch."""
    tree = ResultsTree(options.output_dir)
    if not tree.launches and not tree.tasks:
        beside = os.path.join(glob.escape(os.path.dirname(tree.out)), "*", "launches")
        runs = sorted(map(os.path.dirname, glob.glob(beside)))
        raise Refusal(f"there is no launch in {tree.out}",
                      f"name the --output_dir of a run: {' '.join(runs) or 'start one first'}")
    return tree


# ---- --wait

def newest_launch(queue):
    """Returns the newest launch that has jobs in the queue, None if none has."""
    return next(filter(queue.in_queue, reversed(queue.tree.launches)), None)


def wait(tree, launch, stream=sys.stderr):
    """Returns when no job of a launch waits or runs, but for jobs that can never start.

    It gives up if the controller stays silent.
    """
    pause, answered, said = FIRST_PAUSE, time.time(), ""
    while time.time() - answered < SILENCE:
        queue = look(tree)
        if not queue.error:
            answered, left = time.time(), still_to_come(queue, launch)
            if not left:
                return
            line = f"{plural(len(left), 'job')} left, {sum(each.runs for each in left)} running\n"
            stream.write(line if line != said else "")
            stream.flush()
            said = line
        time.sleep(pause)
        pause = min(LAST_PAUSE, pause * 1.5)
    stream.write(f"no answer from the Slurm controller for {SILENCE} s; the jobs go on\n")


def still_to_come(queue, launch):
    """Returns the Elements that wait or run; [] if only what can never start is left."""
    left = queue.in_queue(launch)
    stuck = {element for element in left if element.stranded or never_starts(element)}
    moving = [element for element in left
              if element not in stuck and element.reason != "Dependency"]
    return [] if stuck and not moving else left
