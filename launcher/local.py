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
from collections import Counter, deque
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from math import ceil
from typing import NamedTuple

from core.errors import Stopped
from core.files import cores
from core.task import command_line
from core.text import plural, quantile
from core.tree import read_status
from launcher import launch_files
from launcher.paths import HERE

GRACE = 10          # seconds between asking a task to stop and killing it
BATCH = 0.5         # seconds that elements which share a process may take together
RECENT = 25         # elements of a stage whose median says how long the next will take
SIGN_OF_LIFE = 30   # seconds between two updates of state.json, for launchers on other hosts
EVERY = 120         # seconds between two progress lines at most
RUN_MODEL = os.path.join(HERE, "run_model.sh")


class Element(NamedTuple):
    """Tasks that run one after another in one process: `count` lines of a .tasks file from `line`
    on."""
    order: tuple        # elements that are ready start in this order
    task_file: str
    line: int
    count: int
    stage: str          # row, if its tasks are of several stages
    tasks: tuple


def elements_of(arrays, directory):
    return [Element((index, place), os.path.join(directory, f"{array.name}.tasks"),
                    index * array.count, array.count, array.stage, members)
            for place, array in enumerate(arrays) for index, members in array.elements.items()]


def slots_of(options):
    """Returns a slot per task that runs at a time: the GPU that it sees, None without --gpus."""
    return options.gpus[:options.jobs] if options.gpus else [None] * (options.jobs or cores())


def run(arrays, directory, slots, retries):
    """Runs every element of the arrays; what came of them is in the statuses."""
    path = os.path.join(directory, "slurm", "local.out")
    with open(path, "ab") as output, DeferredSignals() as signals:
        campaign = Campaign(arrays, directory, slots, retries, output)
        progress = Progress(directory)
        try:
            while campaign.is_unfinished():
                signals.raise_if_any()
                campaign.start_ready()
                progress.show(campaign)
                campaign.wait(1)
            progress.show(campaign)
        finally:
            campaign.stop()


class Campaign:
    """Elements that wait, are ready, run, and have ended."""

    def __init__(self, arrays, directory, slots, retries, output):
        self.directory, self.retries, self.output = directory, retries, output
        self.slots, self.free = len(slots), list(slots)
        self.threads = ThreadPoolExecutor(len(slots))
        self.elements = {element.order: element for element in elements_of(arrays, directory)}
        order_of = {task.name: order for order, element in self.elements.items()
                    for task in element.tasks}
        self.waits_for = {
            order: {order_of[name] for task in element.tasks for name in task.parents
                    if order_of.get(name, order) != order}
            for order, element in self.elements.items()}
        self.children = {}
        for order, parents in self.waits_for.items():
            for parent in parents:
                self.children.setdefault(parent, []).append(order)
        self.ready = {order for order, parents in self.waits_for.items() if not parents}
        self.running = {}       # Future -> (Popen, elements, slot, when it started)
        self.states = {}        # task name -> done, failed or not run
        self.seconds = {}       # stage -> how long its last elements took

    def is_unfinished(self):
        return bool(self.running or self.ready)

    def start_ready(self):
        while self.ready and self.free:
            slot, elements = self.free.pop(0), self._next_batch()
            process = self._start(elements, slot)
            self.running[self.threads.submit(process.wait)] = process, elements, slot, time.time()

    def _next_batch(self):
        """The first element that is ready; if it is short, several of the stage of which most
        are."""
        stages = {}
        for order in sorted(self.ready):
            stages.setdefault(self.elements[order].stage, []).append(order)
        alike, *_ = stages.values()
        if self._fit(alike[0]) > 1:
            alike = max(stages.values(), key=len)
        batch = alike[:min(self._fit(alike[0]), ceil(len(alike) / (len(self.free) + 1)))]
        self.ready.difference_update(batch)
        return [self.elements[order] for order in batch]

    def _fit(self, order):
        """Returns how many elements like this one take BATCH seconds, at least one."""
        recent = self.seconds.get(self.elements[order].stage)
        return max(1, int(BATCH / max(quantile(sorted(recent), 0.5), 0.001))) if recent else 1

    def _start(self, elements, slot):
        """One process, in a session of its own: a signal reaches its whole process group."""
        environment = dict(os.environ, WORKFLOW_PYTHON=sys.executable, RETRIES=str(self.retries),
                           TASK_CORES=str(max(1, cores() // self.slots)), TASK_EXECUTOR="local")
        environment.pop("SLURM_CPUS_PER_TASK", None)    # of an allocation around this run
        if slot is not None:
            environment["CUDA_VISIBLE_DEVICES"] = slot
        command = ["bash", RUN_MODEL, "--task"]
        for element in elements:
            command += element.task_file, str(element.line), str(element.count)
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.output,
                                stderr=self.output, env=environment, start_new_session=True)

    def wait(self, seconds):
        """Waits until something ends, at most so long, and notes what came of it."""
        for ended in wait(self.running, seconds, FIRST_COMPLETED).done:
            process, elements, slot, started = self.running.pop(ended)
            self.free.append(slot)
            recent = self.seconds.setdefault(elements[0].stage, deque(maxlen=RECENT))
            recent.append((time.time() - started) / len(elements))
            for element in elements:
                self._end(element, [self._state(task) for task in element.tasks])

    def _state(self, task):
        """done or failed, as the task's status says."""
        above, launch = os.path.split(self.directory)
        out = os.path.dirname(above)
        status = read_status(os.path.join(out, task.name), out)
        return "done" if status and status.state == "done" and status.launch >= launch else "failed"

    def _end(self, element, states):
        """Notes how tasks ended; the elements behind them become ready, or never run."""
        self.states.update(zip((task.name for task in element.tasks), states))
        for order in self.children.get(element.order, ()):
            self.waits_for[order].discard(element.order)
            child = self.elements[order]
            if child.tasks[0].name in self.states:
                continue
            # Among several tasks the runner itself finds those whose parent failed; the collector
            # always runs.
            is_single = len(states) == len(child.tasks) == 1 and child.stage != "collect"
            if is_single and states != ["done"]:
                self._end(child, ["not run"])
            elif not self.waits_for[order]:
                self.ready.add(order)

    def stop(self):
        """Asks every task that runs to stop, then kills what has not."""
        processes = [process for process, *_ in self.running.values()]
        for process in processes:
            signal_group(process, signal.SIGTERM)
        deadline = time.time() + GRACE
        for process in processes:
            try:
                process.wait(max(0.1, deadline - time.time()))
            except subprocess.TimeoutExpired:
                pass
            signal_group(process, signal.SIGKILL)       # the stage's own children too
        self.threads.shutdown()


def signal_group(process, number):
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass    # the whole group has ended


def adopt(task, out):
    """Has the runner judge outputs of another program and write their status; whether they are
    complete."""
    command = ["bash", RUN_MODEL, "--judge", *command_line(task, out)]
    return subprocess.call(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


class DeferredSignals:
    """^C, SIGTERM and SIGHUP (a closed terminal) end the run between two polls of its tasks.

    At once would be in the middle of starting a task, which nobody would know of then, or of
    stopping them. A signal that is ignored, as under nohup, stays ignored.
    """

    def __enter__(self):
        self.number = None
        self.before = {number: signal.signal(number, self.note)
                       for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
                       if signal.getsignal(number) != signal.SIG_IGN}
        return self

    def note(self, number, frame):
        self.number = number

    def raise_if_any(self):
        if self.number == signal.SIGINT:
            raise KeyboardInterrupt
        if self.number is not None:
            raise Stopped(self.number)

    def __exit__(self, *error):
        for number, handler in self.before.items():
            signal.signal(number, handler)


# ---- progress

class Progress:
    """Prints a line at every tenth of the tasks, and every few minutes."""

    def __init__(self, directory):
        self.directory, self.tenth = directory, 0
        self.started = self.shown = self.beat = time.time()

    def show(self, campaign):
        now = time.time()
        if now - self.beat > SIGN_OF_LIFE:
            launch_files.note_state(self.directory, "running")
            self.beat = now
        names = [task.name for element in campaign.elements.values() if element.stage != "collect"
                 for task in element.tasks]
        counts = Counter(campaign.states[name] for name in names if name in campaign.states)
        tenth = 10 * sum(counts.values()) // max(len(names), 1)
        if tenth > self.tenth or now - self.shown >= EVERY:
            self.shown, self.tenth = now, tenth
            sys.stderr.write(progress_line(campaign, counts, len(names), now - self.started) + "\n")
            sys.stderr.flush()


def progress_line(campaign, counts, total, seconds):
    """'12 of 33 tasks done, 1 failed; running: models/gCSI/split_0 (0:12) and 1 more; 0:31 so
    far'"""
    line = f"{counts['done']} of {plural(total, 'task')} done"
    line += "".join(f", {counts[state]} {state}" for state in ("failed", "not run")
                    if counts[state])
    if campaign.running:
        _, elements, _, started = min(campaign.running.values(), key=lambda run: run[3])
        line += f"; running: {elements[0].tasks[0].name} ({clock(time.time() - started)})"
        more = len(campaign.running) - 1
        line += f" and {more} more" if more else ""
    return f"{line}; {clock(seconds)} so far"


def clock(seconds):
    """'0:31', '1:02:05'"""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
