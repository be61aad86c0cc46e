"""local: the same tasks through the same runner, on the machine at hand.

    arrays -> elements; an element starts as soon as its parents are done and a slot is free

There is no barrier between stages. Elements that last no longer than a process takes to start
share one. The collector starts when nothing else is left.
"""
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from datetime import timedelta
from math import ceil
from typing import List, NamedTuple

from core.errors import Stopped
from core.files import cores
from core.task import Task, command_line
from core.text import plural
from core.tree import read_status
from launcher import launch_files
from launcher.paths import HERE
from launcher.tasks import Array

GRACE = 10          # seconds between asking a task to stop and killing it
BATCH = 0.5         # seconds that elements which share a process may take together
EVERY = 120         # seconds between two progress lines at most
RUN_MODEL = os.path.join(HERE, "run_model.sh")


class Element(NamedTuple):
    """An element of an array: tasks that run one after another in one process."""
    array: Array
    index: int
    tasks: List[Task]

    @property
    def inputs(self):
        """Names of the tasks whose outputs it reads, but for a row, which waits for nothing."""
        return (name for task in self.tasks for name in task.parents if self.array.stage != "row")


def slots_of(options):
    """Returns a slot per task that runs at a time: the GPU that it sees, None without --gpus."""
    return options.gpus[:options.jobs] if options.gpus else [None] * (options.jobs or cores())


def run(arrays, directory, slots, retries):
    """Runs every element of the arrays; what came of them is in the statuses."""
    with open(os.path.join(directory, "slurm", "local.out"), "ab") as output, \
            deferred_signals() as signals:
        campaign = Campaign(arrays, directory, slots, retries, output)
        try:
            while not signals and campaign.start_ready():
                campaign.show_progress()
                campaign.wait(1)
            if signals:
                raise Stopped(signals[0])
        finally:
            campaign.stop()


class Campaign:
    """Elements that wait or run, and the states of the tasks that have ended."""

    def __init__(self, arrays, directory, slots, retries, output):
        self.directory, self.retries, self.output = directory, retries, output
        self.slots, self.free = len(slots), list(slots)
        self.threads = ThreadPoolExecutor(len(slots))
        # Elements that are ready start in this order.
        self.waiting = sorted((Element(array, *element) for array in arrays
                               for element in array.elements.items()),
                              key=lambda element: element.index)
        self.running = {}       # Future -> (Popen, elements, slot, when it started)
        self.seconds = {}       # stage -> how long its last element took
        # left, done, failed or not run
        self.states = {task.name: "left" for array in arrays if array.stage != "collect"
                       for task in array.tasks}
        self.started = self.shown = time.time()
        self.tenth = 0

    def start_ready(self):
        """Starts what can start; returns whether anything runs."""
        ready = self._ready()
        while ready and self.free:
            elements, slot = self._next_batch(ready), self.free.pop(0)
            for element in elements:
                self.waiting.remove(element)
            process = self._start(elements, slot)
            self.running[self.threads.submit(process.wait)] = process, elements, slot, time.time()
            ready = self._ready()
        return bool(self.running)

    def _ready(self):
        """Returns the elements whose inputs have ended. A task whose input failed is not run; among
        several tasks the runner itself finds those, and the collector always runs."""
        ready = [element for element in self.waiting
                 if all(self.states.get(name) != "left" for name in element.inputs)]
        behind = [element for element in ready
                  if len(element.tasks) == 1 and element.array.stage != "collect"
                  and any(self.states.get(name, "done") != "done" for name in element.inputs)]
        if not behind:
            return ready
        for element in behind:
            self.waiting.remove(element)
            self.states[element.tasks[0].name] = "not run"
        return self._ready()

    def _next_batch(self, ready):
        """Returns the first of some elements, or several of a stage whose elements are short: as
        many as last BATCH seconds, but for each free slot its share."""
        stages = {}
        for element in ready:
            stages.setdefault(element.array.stage, []).append(element)
        batch = max((alike[:self._fit(stage)] for stage, alike in stages.items()), key=len)
        return batch[:ceil(len(ready) / len(self.free))]

    def _fit(self, stage):
        """Returns how many elements of a stage take BATCH seconds, at least one."""
        return max(1, int(BATCH / max(self.seconds.get(stage, BATCH), 0.001)))

    def _start(self, elements, slot):
        """One process, in a session of its own: a signal reaches its whole process group."""
        environment = dict(os.environ, WORKFLOW_PYTHON=sys.executable, RETRIES=str(self.retries),
                           TASK_CORES=str(max(1, cores() // self.slots)), TASK_EXECUTOR="local")
        environment.pop("SLURM_CPUS_PER_TASK", None)    # of an allocation around this run
        if slot is not None:
            environment["CUDA_VISIBLE_DEVICES"] = slot
        command = ["bash", RUN_MODEL, "--task"]
        for array, index, _ in elements:
            command += [os.path.join(self.directory, f"{array.name}.tasks"),
                        str(index * array.count), str(array.count)]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.output,
                                stderr=self.output, env=environment, start_new_session=True)

    def wait(self, seconds):
        """Waits until something ends, at most so long, and notes what the statuses say of it."""
        above, launch = os.path.split(self.directory)
        out = os.path.dirname(above)
        for ended in wait(self.running, seconds, FIRST_COMPLETED).done:
            _, elements, slot, started = self.running.pop(ended)
            self.free.append(slot)
            self.seconds[elements[0].array.stage] = (time.time() - started) / len(elements)
            for task in [task for element in elements for task in element.tasks]:
                status = read_status(os.path.join(out, task.name), out)
                is_done = status and status.state == "done" and status.launch >= launch
                self.states[task.name] = "done" if is_done else "failed"

    def show_progress(self):
        """Prints a line at every tenth of the tasks, and every few minutes:

        12 of 33 tasks done, 1 failed, 2 running; 0:00:31 so far
        """
        now, counts = time.time(), Counter(self.states.values())
        tenth = 10 * (len(self.states) - counts["left"]) // max(len(self.states), 1)
        if tenth <= self.tenth and now - self.shown < EVERY:
            return
        self.shown, self.tenth = now, tenth
        launch_files.note_state(self.directory, "running")  # a sign of life for other hosts
        counts["running"] = len(self.running)
        line = f"{counts['done']} of {plural(len(self.states), 'task')} done"
        line += "".join(f", {counts[state]} {state}" for state in ("failed", "not run", "running")
                        if counts[state])
        print(f"{line}; {timedelta(seconds=int(now - self.started))} so far", file=sys.stderr,
              flush=True)

    def stop(self):
        """Asks every task that runs to stop, then kills what has not."""
        processes = [process for process, *_ in self.running.values()]
        for process in processes:
            signal_group(process, signal.SIGTERM)
        wait(self.running, GRACE)
        for process in processes:
            signal_group(process, signal.SIGKILL)       # the stage's own children too
        self.threads.shutdown()


def signal_group(process, number):
    with suppress(ProcessLookupError):      # the whole group has ended
        os.killpg(process.pid, number)


@contextmanager
def deferred_signals():
    """Yields a list of the signals that came, of ^C, SIGTERM and SIGHUP (a closed terminal).

    They end the run between two polls of its tasks. At once would be in the middle of starting a
    task, which nobody would know of then, or of stopping them. A signal that is ignored, as under
    nohup, stays ignored.
    """
    caught = []
    before = {number: signal.signal(number, lambda number, frame: caught.append(number))
              for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
              if signal.getsignal(number) != signal.SIG_IGN}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def adopt(task, out):
    """Has the runner judge outputs of another program and write their status; whether they are
    complete."""
    command = ["bash", RUN_MODEL, "--judge", *command_line(task, out)]
    return subprocess.call(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
