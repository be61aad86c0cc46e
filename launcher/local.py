"""local: the same tasks through the same runner, on the machine at hand.

An element (a task; a row with --fuse) starts as soon as its parents are done and a place is free;
there is no barrier between stages. Elements that last no longer than a process takes to start
share one. The collector starts when nothing else is left.
"""
import heapq
import os
import select
import signal
import subprocess
import sys
import time
from collections import deque
from typing import NamedTuple, Optional

from launcher import whole_file
from launcher.paths import HERE
from launcher.refusal import Stopped
from launcher.progress import middle

GRACE = 10          # seconds between asking a task to stop and killing it
TOGETHER = 0.5      # seconds that elements which share a process may take together
RECENT = 25         # elements of a stage whose median says how long the next will take


def available_cores():
    """The cores that this process may use: fewer than the machine has under taskset or in a cgroup."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def run(arrays, directory, places, retries, progress):
    """Runs every element of the arrays; returns {task name: exit code}, None if it never ran.

    places: how many run at a time: for each the name of its GPU, None for what sees all
    """
    with open(os.path.join(directory, "slurm", "local.out"), "ab") as output, DeferredSignals() as signals:
        campaign = Campaign(arrays, directory, places, retries, output)
        try:
            while campaign.is_unfinished():
                signals.stop_if_asked()
                campaign.start_ready()
                progress(campaign)
                signals.wait(1)
                campaign.reap()
            progress(campaign)
        finally:
            campaign.stop()
    return campaign.codes


def places_of(options):
    """A place per task that runs at a time: the GPU it gets, None without --gpus."""
    if not options.gpus:
        return [None] * (options.jobs or available_cores())
    return (options.gpus * options.tasks_per_gpu)[:options.jobs]


class Element(NamedTuple):
    """Tasks that run one after another in one process: `count` lines of a .tasks file from `line` on."""
    order: tuple        # elements that are ready start in this order
    task_file: str
    line: int
    count: int
    stage: str          # row, if its tasks are of several
    tasks: tuple


def elements_of(arrays, directory):
    return [Element((index, place), os.path.join(directory, f"{array.name}.tasks"), index * array.count, array.count, array.stage,
                    members)
            for place, array in enumerate(arrays) for index, members in array.elements.items()]


class Run(NamedTuple):
    """A process that runs one or more elements."""
    process: subprocess.Popen
    elements: list
    place: Optional[str]
    started: float


class Campaign:
    """Elements that wait, are ready, run, and have ended."""

    def __init__(self, arrays, directory, places, retries, output):
        self.directory, self.retries, self.output = directory, retries, output
        self.jobs, self.free = len(places), list(places)
        self.elements = {element.order: element for element in elements_of(arrays, directory)}
        self.order_of = {task.name: order for order, element in self.elements.items() for task in element.tasks}
        self.children, self.waits_for = {}, {}
        self.ready, self.queue = set(), []      # orders; the same as a heap, from which those that have started go later
        for order, element in self.elements.items():
            self._add(order, element)
        self.total = sum(len(element.tasks) for element in self.elements.values() if element.stage != "collect")
        self.ended = self.failed = self.not_run = 0     # tasks, the collector aside: the plan's sentence counts the same
        self.codes, self.running, self.seconds = {}, [], {}

    def _add(self, order, element):
        parents = {self.order_of[name] for task in element.tasks for name in task.parents if name in self.order_of} - {order}
        self.waits_for[order] = parents
        for parent in parents:
            self.children.setdefault(parent, []).append(order)
        if not parents:
            self._make_ready(order)

    def _make_ready(self, order):
        self.ready.add(order)
        heapq.heappush(self.queue, order)

    def is_unfinished(self):
        return bool(self.running or self.ready)

    def start_ready(self):
        while self.ready and self.free:
            elements, place = self._next(), self.free.pop(0)
            self.running.append(Run(self._start(elements, place), elements, place, time.time()))

    def _next(self):
        """The element that is first in turn; with it those on the lines behind it, if they are so short that
        starting a process for each would take as long as they do."""
        order = next(order for order in iter(lambda: heapq.heappop(self.queue), None) if order in self.ready)
        chosen, most = [], self._together(self.elements[order])
        while order in self.ready and len(chosen) < most:
            self.ready.remove(order)
            chosen.append(self.elements[order])
            order = order[0] + 1, order[1]
        return chosen

    def _together(self, element):
        """How many elements like this make a process of TOGETHER seconds; no more than leaves work for the other places."""
        known = self.seconds.get(element.stage)
        return max(1, min(len(self.ready) // self.jobs, int(TOGETHER / max(middle(known), 0.001)))) if known else 1

    def _start(self, elements, place):
        """One process, in a session of its own: a signal reaches its whole process group."""
        cores = max(1, available_cores() // self.jobs)
        environment = dict(os.environ, WORKFLOW_PYTHON=sys.executable, RETRIES=str(self.retries),
                           TASK_CORES=str(cores), TASK_EXECUTOR="local")
        environment.pop("SLURM_CPUS_PER_TASK", None)    # of an allocation around this run
        if place is not None:
            environment["CUDA_VISIBLE_DEVICES"] = place
        count = sum(element.count for element in elements)
        command = ["bash", os.path.join(HERE, "run_model.sh"), "--task", elements[0].task_file, str(elements[0].line), str(count)]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output,
                                env=environment, start_new_session=True)

    def reap(self):
        for run in self.running[:]:
            if run.process.poll() is not None:
                self.running.remove(run)
                self.free.append(run.place)
                seconds = (time.time() - run.started) / len(run.elements)
                self.seconds.setdefault(run.elements[0].stage, deque(maxlen=RECENT)).append(seconds)
                for element in run.elements:
                    self._end(element, [self._code(task, run) for task in element.tasks])

    def _code(self, task, run):
        """The exit code of a task; of one among several its status tells."""
        if sum(element.count for element in run.elements) == 1:
            return run.process.returncode
        out, launch = os.path.split(self.directory)
        status = whole_file.read_json(os.path.join(os.path.dirname(out), task.name, "stage_status.json"))
        status = status if isinstance(status, dict) else {}
        if status.get("state") == "done" and str(status.get("launch")) >= launch:
            return 0
        return status.get("exit_code") or run.process.returncode or 1

    def _end(self, element, codes):
        """Notes how tasks ended; the elements behind them become ready, or never run."""
        for task, code in zip(element.tasks, codes):
            self.codes[task.name] = code
            if element.stage != "collect":
                self.ended, self.failed, self.not_run = self.ended + 1, self.failed + bool(code), self.not_run + (code is None)
        for order in self.children.get(element.order, ()):
            self.waits_for[order].discard(element.order)
            child = self.elements[order]
            if child.tasks[0].name in self.codes:
                continue
            # Among several tasks the runner itself finds those whose parent failed; the collector always runs.
            if codes != [0] and len(codes) == len(child.tasks) == 1 and child.stage != "collect":
                self._end(child, [None])
            elif not self.waits_for[order]:
                self._make_ready(order)

    def stop(self):
        """Asks every task that runs to stop, then kills what has not."""
        processes = [run.process for run in self.running]
        for process in processes:
            signal_group(process, signal.SIGTERM)
        deadline = time.time() + GRACE
        for process in processes:
            try:
                process.wait(max(0.1, deadline - time.time()))
            except subprocess.TimeoutExpired:
                pass
            # What the runner left behind in its group, the stage's own children too.
            signal_group(process, signal.SIGKILL)


def adopt(task):
    """Has the runner judge outputs that are there, and write their status; whether they are whole."""
    command = ["bash", os.path.join(HERE, "run_model.sh"), "--judge", *task.words]
    return subprocess.call(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


def signal_group(process, number):
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass  # the whole group has ended


class DeferredSignals:
    """^C, SIGTERM and SIGHUP (a closed terminal) end the run between two polls of its tasks.

    At once would be in the middle of starting a task, which nobody would know of then, or of stopping them.
    What is ignored, as under nohup, stays ignored. A child that ends (SIGCHLD) ends a wait.
    """

    def __enter__(self):
        self.number = None
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        os.set_blocking(self.writer, False)
        self.old_wakeup = signal.set_wakeup_fd(self.writer)
        self.before = {number: signal.signal(number, self.note)
                       for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
                       if signal.getsignal(number) != signal.SIG_IGN}
        self.before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda number, frame: None)
        return self

    def note(self, number, frame):
        self.number = number

    def wait(self, seconds):
        """Returns after a signal, or so many seconds."""
        if select.select([self.reader], [], [], seconds)[0]:
            os.read(self.reader, 4096)

    def stop_if_asked(self):
        if self.number == signal.SIGINT:
            raise KeyboardInterrupt
        if self.number is not None:
            raise Stopped(self.number)

    def __exit__(self, *error):
        for number, handler in self.before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self.old_wakeup)
        os.close(self.reader)
        os.close(self.writer)
