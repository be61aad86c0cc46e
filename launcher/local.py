"""local: the same tasks through the same runner, on the machine at hand.

    arrays -> elements; an element starts as soon as its parents are done and a slot is free

There is no barrier between stages. Short elements of a split share a process. The collector starts
when nothing else is left.
"""
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from math import ceil

from core.files import cores
from core.signals import Signals
from core.text import plural
from core.tree import read_status
from launcher.paths import HERE

GRACE = 10          # seconds between asking a task to stop and killing it
SHORT = 0.8         # seconds: elements of a stage and split that last about that share a process,
AT_ONCE = 20        # so many at most
EVERY = 120         # seconds between two progress lines at most
RUN_MODEL = os.path.join(HERE, "run_model.sh")


def slots_of(options):
    """Returns a slot per task that runs at a time: the GPU that it sees, None without --gpus."""
    return options.gpus[:options.jobs] if options.gpus else [None] * (options.jobs or cores())


def run(arrays, directory, options):
    """Runs every element of the arrays; what came of them is in the statuses."""
    signals = Signals()
    with open(os.path.join(directory, "slurm", "local.out"), "ab") as output:
        campaign = Campaign(arrays, directory, options, output)
        try:
            while not signals.number and campaign.start_ready():
                campaign.show_progress()
                signals.wait(1 if campaign.running else 0)
                campaign.note_ended()
            if signals.number:
                raise KeyboardInterrupt(signals.number)
        finally:
            campaign.stop()


class Campaign:
    """Elements that wait or run, and the states of the tasks that have ended."""

    def __init__(self, arrays, directory, options, output):
        self.directory, self.out, self.output = directory, options.output_dir, output
        self.free = slots_of(options)
        self.environment = dict(
            os.environ, WORKFLOW_PYTHON=sys.executable,
            TASK_CORES=str(max(1, cores() // len(self.free))), TASK_EXECUTOR="local")
        self.environment.pop("SLURM_CPUS_PER_TASK", None)   # of an allocation around this run
        # (array, index, tasks) of elements, in the order in which those that are ready start
        self.waiting = sorted(((array, *element) for array in arrays
                               for element in array.elements.items()),
                              key=lambda element: (element[0].stage == "collect", element[1]))
        self.running = {}       # Popen -> (elements, slot, when it started)
        self.seconds = {}       # stage -> how long its last element took
        # left, done, failed or not run
        self.states = {task.name: "left" for array in arrays if array.stage != "collect"
                       for task in array.tasks}
        self.started, self.shown, self.tenth = time.time(), time.time(), 0

    def start_ready(self):
        """Starts what can start; returns whether anything runs or can still start."""
        before = len(self.waiting)
        while self.free:
            ready = self._ready()
            if not ready:
                break
            # not of two splits: what follows one would wait for the end of the other
            kinds = [(array.stage, tasks[0].source, tasks[0].split) for array, _, tasks in ready]
            alike = [element for element, kind in zip(ready, kinds) if kind == kinds[0]]
            together = round(SHORT / self.seconds.get(kinds[0][0], SHORT))
            # of the last ones every slot gets its share, else the free ones do
            is_end = all(element in ready or element[0].stage == "collect"
                         for element in self.waiting)
            slots = len(self.free) + is_end * len(self.running)
            elements = alike[:max(1, min(together, ceil(len(ready) / slots)))]
            for element in elements:
                self.waiting.remove(element)
            self._start(elements, self.free.pop(0))
        return bool(self.running) or len(self.waiting) < before

    def _ready(self):
        """Returns the first elements whose inputs have ended. A task whose input failed is not run.
        Among several tasks the runner itself finds those, and the collector always runs. A row
        waits for nothing."""
        ready = []
        for element in list(self.waiting):
            array, _, tasks = element
            inputs = {self.states.get(name, "done") for task in tasks
                      for name in task.parents if array.stage != "row"}
            if "left" in inputs:
                continue
            if inputs <= {"done"} or len(tasks) > 1 or array.stage == "collect":
                ready.append(element)
                if len(ready) == AT_ONCE:
                    break
            else:
                self.waiting.remove(element)
                self.states[tasks[0].name] = "not run"
        return ready

    def _start(self, elements, slot):
        """One process, in a session of its own: a signal reaches its whole process group."""
        command = ["bash", RUN_MODEL, "--task"]
        for array, index, _ in elements:
            command += [f"{self.directory}/{array.name}.tasks", str(index * array.count),
                        str(array.count)]
        gpu = {} if slot is None else {"CUDA_VISIBLE_DEVICES": slot}
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.output,
                                   stderr=self.output, env={**self.environment, **gpu},
                                   start_new_session=True)
        self.running[process] = elements, slot, time.time()

    def note_ended(self):
        """Notes what the statuses say of the elements that have ended."""
        launch = os.path.basename(self.directory)
        for process in [each for each in self.running if each.poll() is not None]:
            elements, slot, started = self.running.pop(process)
            self.free.append(slot)
            self.seconds[elements[0][0].stage] = (time.time() - started) / len(elements)
            for task in (task for _, _, tasks in elements for task in tasks):
                status = read_status(os.path.join(self.out, task.name), self.out)
                is_done = status and status.state == "done" and status.launch >= launch
                self.states[task.name] = "done" if is_done else "failed"

    def show_progress(self):
        """Prints a line at every tenth of the tasks, and every two minutes:

        12 of 33 tasks done, 1 failed, 2 running; 0:00:31 so far
        """
        now, counts = time.time(), Counter(self.states.values())
        tenth = 10 * (len(self.states) - counts["left"]) // max(len(self.states), 1)
        if tenth == self.tenth and now - self.shown < EVERY:
            return
        self.shown, self.tenth = now, tenth
        counts["running"] = len(self.running)
        line = f"{counts['done']} of {plural(len(self.states), 'task')} done"
        line += "".join(f", {counts[state]} {state}" for state in ("failed", "not run", "running")
                        if counts[state])
        with suppress(OSError):     # the terminal may be closed, the disk full
            print(f"{line}; {timedelta(seconds=int(now - self.started))} so far", file=sys.stderr,
                  flush=True)

    def stop(self):
        """Asks every task that runs to stop, then kills what has not."""
        for process in self.running:
            signal_group(process, signal.SIGTERM)
        given_up = time.time() + GRACE
        for process in self.running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0, given_up - time.time()))
        for process in self.running:
            signal_group(process, signal.SIGKILL)   # runners end their stages before


def signal_group(process, number):
    with suppress(ProcessLookupError):      # the whole group has ended
        os.killpg(process.pid, number)
