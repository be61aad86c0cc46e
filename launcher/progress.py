"""progress: what a local run says of itself while it runs.

    Campaign -> "12 of 33 tasks done; running: train gCSI split 0 (0:12); 0:31 so far, about 1:10 left"
"""
import sys
import time
from collections import Counter

from launcher import launch_directory
from launcher.terminal import counted

SIGN_OF_LIFE = 30   # seconds between two updates of state.json, for launchers on other hosts


class Progress:
    """A line that is rewritten on a terminal; elsewhere a line at every tenth of the tasks, and every few minutes."""

    def __init__(self, directory, stream=sys.stderr, every=120):
        self.directory, self.stream, self.every = directory, stream, every
        self.is_terminal = stream.isatty()
        self.started = self.shown = self.beat = time.time()
        self.tenth = 0

    def __call__(self, campaign):
        now = time.time()
        if now - self.beat > SIGN_OF_LIFE:
            launch_directory.note_state(self.directory, "running")
            self.beat = now
        tenth = 10 * campaign.ended // max(campaign.total, 1)
        if self.is_terminal:
            due = now - self.shown >= 0.2 or not campaign.is_unfinished()
        else:
            due = tenth > self.tenth or now - self.shown >= self.every
        if due:
            self.shown, self.tenth = now, tenth
            self.write(progress_line(campaign, now - self.started), campaign.is_unfinished())

    def write(self, line, more):
        if self.is_terminal:
            line = f"\r{line[:118]:<118}" + ("" if more else "\n")
        else:
            line += "\n"
        self.stream.write(line)
        self.stream.flush()


def progress_line(campaign, seconds):
    """'12 of 33 tasks done; running: train gCSI split 0 (0:12); 0:31 so far, about 1:10 left'"""
    done = campaign.ended - campaign.failed - campaign.not_run
    words = f"{done} of {counted(campaign.total, 'task')} done"
    words += f", {campaign.failed} failed" if campaign.failed else ""
    words += f", {campaign.not_run} not run" if campaign.not_run else ""
    now = time.time()
    longest = sorted(campaign.running, key=lambda run: run.started)[:2]
    running = [f"{label(run.elements[0])} ({clock(now - run.started)})" for run in longest]
    more = len(campaign.running) - len(running)
    words += f"; running: {', '.join(running)}" + (f" and {more} more" if more else "") if running else ""
    left = time_left(campaign)
    return f"{words}; {clock(seconds)} so far" + (f", about {clock(left)} left" if left else "")


def label(element):
    """'train gCSI split 0', 'trial 7 gCSI'"""
    task = element.tasks[0]
    target = f"-{task.target}" if task.target not in ("", task.source) and element.stage != "row" else ""
    numbers = {"split": task.split, "size": task.size, **task.labels}
    more = "".join(f" {name} {value}" for name, value in numbers.items() if value is not None and name != element.stage)
    number = f" {numbers[element.stage]}" if element.stage in numbers else ""
    return f"{element.stage}{number} {task.source}{target}{more}".rstrip()


def time_left(campaign):
    """Seconds that the rest may take, from the median of each stage; None until each stage has ended once."""
    rest = Counter(element.stage for element in campaign.elements.values()
                   if element.tasks[0].name not in campaign.codes and element.stage != "collect")
    if not rest or any(stage not in campaign.seconds for stage in rest):
        return None
    return sum(middle(campaign.seconds[stage]) * number for stage, number in rest.items()) / campaign.jobs


def middle(values):
    """The median of what is compared roughly; the module for it takes a third of the launcher's start to import."""
    return sorted(values)[len(values) // 2]


def clock(seconds):
    minutes, seconds = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}" if minutes >= 60 else f"{minutes}:{seconds:02d}"
