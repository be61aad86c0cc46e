"""queue: one look at the queue for all jobs of an OUT, and what launchers decide on it.

    ResultsTree -> squeue -> Queue -> stranded, cancel, wait; --status, refuse_busy (status.py)

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
STRANDED = "what it waits for can no longer end well"
# Slurm's state and reason -> why an element can never start by itself, and what to do
NEVER_STARTS = (
    (r"DependencyNeverSatisfied", STRANDED, "the same command again, which cancels it"),
    (r"SPECIAL_EXIT|_HOLD |held( state)?$|JobHeld", "Slurm holds it",
     "scontrol release JOB; an administrator's hold: ask the administrators"),
    (r"Partition(Down|Inactive)", "its partition is down", f"wait, or edit --partition {AGAIN}"),
    (r"Partition(Time|Node)Limit|BadConstraints", "its partition cannot give what it asks for",
     f"edit --time, --mem, --gres, --constraint or --partition {AGAIN}"),
    (r"InvalidAccount|InvalidQOS|AccountNotAllowed|QOSNotAllowed|(Assoc|QOS)(Max\w*PerJob|Min)",
     "its account or QOS does not allow it", f"edit --account, --qos, --time or --mem {AGAIN}"),
)
HINTS = {why: hint for _, why, hint in NEVER_STARTS}


class Busy(Refusal):
    """Somebody runs these tasks."""


def never_starts(element):
    """Returns why an element can never start by itself, a key of HINTS; '' if it only waits."""
    said = f"{element.state} {element.reason}"
    return next((why for pattern, why, _ in NEVER_STARTS
                 if element.waits and re.search(pattern, said)), "")


class Queue:
    """What squeue says of a tree's launches, also of elements that ended in the last minutes.

    error       why the controller did not answer, '' if it did
    jobs        the job ids that were written down
    submitted   {task name: whether its newest job was written down}
    """

    def __init__(self, tree, elements=(), error=""):
        self.tree, self.error, self.jobs, self.submitted = tree, error, set(), {}
        self._elements, self._of_task = {}, {}
        for element in elements:
            place = element.name, element.index
            # A batch script may have been submitted by hand again: the one in the queue counts.
            if element.in_queue or place not in self._elements:
                self._elements[place] = element
        for launch in tree.launches:
            jobs = launch_files.read_jobs(launch.directory)
            self.jobs.update(job.partition(";")[0] for job in jobs.values())
            for task in filter(lambda task: task.run, launch.tasks):
                element, older = self.element(launch, task), self._of_task.get(task.name)
                if element and element.in_queue or not (older and older.in_queue):
                    self._of_task[task.name] = element
                self.submitted[task.name] = task.array in jobs

    def element(self, launch, task):
        """Returns the Element of a launch's task, else that of cancelled elements, else None."""
        name = job_name(launch, task.array)
        return self._elements.get((name, task.index)) or self._elements.get((name, None))

    def of_task(self, name):
        """Returns the Element of a task: one in the queue, else the newest launch's, else None."""
        return self._of_task.get(name)

    def in_queue(self, launch=None):
        """Returns the Elements of a launch (None: of all) that wait or run."""
        start = job_name(launch, "") if launch else ""
        return [element for element in self._elements.values()
                if element.in_queue and element.name.startswith(start)]


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


def stranded(queue):
    """Returns the jobs to cancel ('409_3') of elements whose parents failed: they wait for ever.

    Slurm names only the first of a chain; what waits for that one waits as long.
    """
    jobs = set()
    for launch in queue.tree.launches:
        names = set()
        for task in launch.tasks:       # parents come first
            element = queue.element(launch, task)
            if element and element.waits and (
                    never_starts(element) == STRANDED or names & set(task.parents)):
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
        for state in local:
            if state["host"] != os.uname().nodename:
                raise Refusal(f"a local run goes on on {state['host']}", "cancel it there")
            os.kill(state["pid"], signal.SIGTERM)
        try:
            slurm.cancel(jobs)
        except slurm.SlurmError as error:
            raise no_answer(error)
    ended = [f"{plural(len(jobs), 'job')}: {' '.join(jobs)}"] if jobs else []
    ended += [f"the local run of process {state['pid']} on {state['host']}" for state in local]
    start = "dry run: would cancel" if options.dry_run else "cancelled"
    print("\n".join(f"{start} {what}" for what in ended) or
          "nothing to cancel: no task of this run waits or runs")
    return 0


def started_tree(options):
    """Returns the ResultsTree of --output_dir; Refusal if it holds no launch."""
    tree = ResultsTree(options.output_dir)
    if not tree.launches and not tree.tasks:
        raise Refusal(f"there is no launch in {tree.out}",
                      "name the --output_dir or the --model of a run")
    return tree


# ---- --wait

def newest_launch(queue):
    """Returns the newest launch that has jobs in the queue, None if none has."""
    return next(filter(queue.in_queue, reversed(queue.tree.launches)), None)


def wait(tree, launch):
    """Returns when no job of a launch waits or runs, but for jobs that can never start; also if the
    controller stays silent."""
    pause, said, answered = FIRST_PAUSE, "", time.time()
    while time.time() - answered < SILENCE:
        queue = look(tree)
        answered = answered if queue.error else time.time()
        left = still_to_come(queue, launch)
        if not left and not queue.error:
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
    """Returns the Elements that wait or run; [] if only what can never start is left."""
    left = queue.in_queue(launch)
    stuck = set(filter(never_starts, left))
    moves = any(each not in stuck and each.reason != "Dependency" for each in left)
    return left if moves or not stuck else []
