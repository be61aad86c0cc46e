"""local: the same tasks through the same runner, on the machine at hand.

A task starts as soon as its parents are done and a place is free; there is no
barrier between stages. The collector starts when nothing else is left.
"""
import os
import signal
import subprocess
import sys
import time

from launcher import launches
from launcher.options import HERE

GRACE = 10     # seconds between asking a task to stop and killing it
PAUSE = 0.02   # seconds between two looks at the running tasks


class Stopped(Exception):
    """A signal ended the run; its number."""


def run(arrays, directory, jobs, retries, progress):
    """Runs every element of the arrays; returns {task name: exit code}, None where it never ran.

    progress: called with (done, failed, running, left) numbers of tasks.
    """
    waiting = sorted(((index, place, array, task) for place, array in enumerate(arrays)
                      for index, task in array.elements.items()), key=lambda row: row[:2])
    planned = {row[3].name for row in waiting}
    codes, running = {}, {}
    with open(os.path.join(directory, "slurm", "local.out"), "ab") as output, noted_signals() as signals:
        try:
            while waiting or running:
                signals.stop_if_asked()
                waiting = start_ready(waiting, running, codes, planned, directory, jobs, retries, output)
                reap(running, codes)
                progress(*count(waiting, running, codes))
                time.sleep(PAUSE)
        finally:
            stop(running)
    return codes


def start_ready(waiting, running, codes, planned, directory, jobs, retries, output):
    """Starts what can start; returns what still waits."""
    still = []
    for row in waiting:
        index, _, array, task = row
        parents = [name for name in task.parents if name in planned and name != task.name]
        ended = all(name in codes for name in parents)
        if task.stage != "collect" and any(codes.get(name, 0) != 0 for name in parents):
            codes[task.name] = None
        elif not ended or len(running) >= jobs:
            still.append(row)
        else:
            running[task.name] = start(array, index, directory, jobs, retries, output)
    return still


def start(array, index, directory, jobs, retries, output):
    """One task, in a session of its own: a signal reaches its whole process group."""
    cores = max(1, (os.cpu_count() or 1) // jobs)
    environment = dict(os.environ, WORKFLOW_PYTHON=sys.executable, RETRIES=str(retries), TASK_CORES=str(cores))
    command = ["bash", os.path.join(HERE, "run_model.sh"), "--task",
               os.path.join(directory, f"{array.task_file}.tasks"), str(index)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                            env=environment, start_new_session=True)


def judge(task):
    """Has the runner judge outputs that stand there, and write their status; whether they are whole."""
    command = ["bash", os.path.join(HERE, "run_model.sh"), "--judge", *task.words]
    return subprocess.call(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


def reap(running, codes):
    for name, process in list(running.items()):
        if process.poll() is not None:
            codes[name] = process.returncode
            del running[name]


def stop(running):
    """Asks every task that runs to stop, then kills what has not."""
    for process in running.values():
        signal_group(process, signal.SIGTERM)
    deadline = time.time() + GRACE
    for process in running.values():
        try:
            process.wait(max(0.1, deadline - time.time()))
        except subprocess.TimeoutExpired:
            pass
        # What the runner left behind in its group, the stage's own children too.
        signal_group(process, signal.SIGKILL)


def signal_group(process, number):
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass  # the whole group has ended


class noted_signals:
    """^C, SIGTERM and SIGHUP (a closed terminal) end the run between two looks at its tasks.

    At once would be in the middle of starting a task, which nobody would know of then, or of stopping them.
    What is ignored, as under nohup, stays ignored.
    """

    def __enter__(self):
        self.number = None
        self.before = {number: signal.signal(number, self.note)
                       for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
                       if signal.getsignal(number) != signal.SIG_IGN}
        return self

    def note(self, number, frame):
        self.number = number

    def stop_if_asked(self):
        if self.number == signal.SIGINT:
            raise KeyboardInterrupt
        if self.number is not None:
            raise Stopped(self.number)

    def __exit__(self, *error):
        for number, handler in self.before.items():
            signal.signal(number, handler)


def count(waiting, running, codes):
    done = sum(code == 0 for code in codes.values())
    return done, len(codes) - done, len(running), len(waiting) + len(running)


class Progress:
    """A line that is rewritten on a terminal; elsewhere a plain line every so often."""

    def __init__(self, directory, total, stream=sys.stderr, every=30):
        self.directory, self.total, self.stream = directory, total, stream
        self.every = 0.2 if stream.isatty() else every
        self.started = self.shown = self.beat = time.time()

    def __call__(self, done, failed, running, left):
        now = time.time()
        if now - self.beat > 30:
            launches.note_state(self.directory, "running")  # a sign of life for launchers elsewhere
            self.beat = now
        if now - self.shown >= self.every or (left == 0 and self.stream.isatty()):
            self.shown = now
            self.stream.write(self.line(done, failed, running, left, now - self.started))
            self.stream.flush()

    def line(self, done, failed, running, left, seconds):
        ended = done + failed
        time_left = f", {clock(seconds / ended * left)} left" if ended and left else ""
        words = f"{done} of {self.total} tasks done, {failed} failed, {running} running, {clock(seconds)}{time_left}"
        if not self.stream.isatty():
            return words + "\n"
        return f"\r{words:<78}" + ("\n" if left == 0 else "")


def clock(seconds):
    minutes, seconds = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}" if minutes >= 60 else f"{minutes}:{seconds:02d}"
