"""story: --status TASK and --tail TASK: one task: what it is for, its attempts, why it waits or failed, its log.

    plans + status + log + one look at the queue -> a page of text
"""
import json
import os
import re
import shlex
import sys
import time
from typing import NamedTuple

from launcher import conflicts, slurm
from launcher.resources import asked, recovery
from launcher.paths import HERE
from launcher.refusal import Refusal
from launcher.results_tree import ResultsTree
from launcher.status import as_json, group_lines, started_tree
from launcher.survey import ask_queue, never_starts, survey, with_accounting

HEADER = re.compile(rb"=== attempt (\d+) at (.*)")
PAUSE, SURVEY_EVERY = 0.5, 30       # seconds between two looks at a log; between two at the queue
STARTED = ("running", "queued")


class Known(NamedTuple):
    """What is known of a task. element: its element of the queue, or None"""
    tree: ResultsTree
    task: object            # as the newest plan has it
    states: dict            # {name: State} of all tasks
    ran: object             # as the newest launch that runs it has it, or None
    element: object

    @property
    def state(self):
        return self.states[self.task["name"]]


def look_up(options, name):
    """The Known of a task, named by its directory in OUT or by a path; raises Refusal."""
    tree = started_tree(options)
    elements, _ = ask_queue(tree)
    states = {state.name: state for state in with_accounting(survey(tree, elements), tree)}
    name = name_in(tree, name, states)
    plans = [task for launch in tree.launches + tree.dry_launches for task in launch.tasks if task["name"] == name]
    ran = tree.last_run_of().get(name)
    element = conflicts.elements_of(ran.launch, elements or []).get((ran.array, ran.index)) if ran else None
    return Known(tree, plans[-1], states, ran, element)


def name_in(tree, text, names):
    """The task that a text names: models/A/split_0, a path of its directory or of a file in it; raises Refusal."""
    path = os.path.relpath(os.path.realpath(text), os.path.realpath(tree.out))
    for name in (text.rstrip("/"), path, os.path.dirname(path)):
        if name in names:
            return name
    import difflib      # here, since only this refusal needs it
    near = difflib.get_close_matches(text, list(names), 3, 0.3) or list(names)[:3]
    raise Refusal(f"there is no task {text} in {tree.out}", f"one of its {len(names)} tasks, such as {', '.join(near)}")


# ----------------------------------------------------------------------- story

def show(options):
    """Prints the story of options.status; returns 0 if it is done, 3 if it runs or waits, else 1."""
    known = look_up(options, options.status)
    if options.json:
        print(json.dumps(dict(as_json(known.state), parents=known.task.get("parents") or [], launch=known.ran and known.ran.launch.id), indent=1))
        return exit_code(known)
    parts = (head(known), queue_lines(known), launch_lines(known), attempt_lines(known), made_from_lines(known), by_hand(known))
    print("\n".join(line for part in parts for line in part))
    return exit_code(known)


def exit_code(known):
    return 0 if known.state.state == "done" else 3 if known.state.state in STARTED else 1


def head(known):
    state, task = known.state, known.task
    labels = [f"source {task['source']}"] * bool(task.get("source")) + [f"target {task['target']}"] * bool(task.get("target")) \
        + [f"{key} {task.get(key)}" for key in ("split", "size") if task.get(key) is not None]
    lines = group_lines([state]) if state.state in ("failed", "interrupted", "lost") else \
        [f"{state.state}: {state.name}" + (f": {state.reason}" if state.reason else "")]
    return lines + [", ".join([f"stage {task['stage']}", *labels])]


def queue_lines(known):
    """Where it is in the queue, and what it waits for."""
    lines = []
    if known.element is not None and known.element.in_queue:
        lines.append(f"queue: job {known.element.key} is {known.element.state}"
                     + (f" ({known.element.reason})" if known.element.state == "PENDING" else "") + start_of(known.element))
        stuck = never_starts(known.element.reason)
        lines += [f"  it can never start: {stuck[0]}", f"  try: {stuck[1]}"] if stuck else []
    if known.state.state in ("queued", "not run"):
        waits = [name for name in known.task.get("parents") or () if name in known.states and known.states[name].state != "done"]
        lines += [f"waits for: {name}, {known.states[name].state}" for name in waits[:10]]
        lines += [f"  and {len(waits) - 10} more"] if len(waits) > 10 else []
    return lines


def start_of(element):
    """', expected to start at ...', if Slurm has made a forecast."""
    when = slurm.expected_start(element.key) if element.state == "PENDING" else ""
    return f", expected to start at {when}" if when else ""


def launch_lines(known):
    """The launches that ran it, and why; what the newest asked for."""
    name, lines = known.task["name"], []
    for launch in known.tree.launches:
        planned = next((task for task in launch.tasks if task["name"] == name and task.get("run")), None)
        if planned is not None:
            raised = recovery.raised_of(planned)
            more = f"; raised to {' '.join(asked.words_for(raised.needs))}" if raised else ""
            lines.append(f"launch {launch.id} ran it, because: {planned.get('reason') or 'planned'}{more}")
    script = recovery.script_of(known.ran)
    words = asked.words_for(asked.Needs(script.memory, script.seconds))
    return lines + ([f"asked for: {' '.join(words)} --cpus-per-task={script.cores}"] if words else [])


def attempt_lines(known):
    """A line for each attempt of the log: when, where, and its last words."""
    attempts = attempts_of(known.state.log)
    lines = [f"attempt {number} at {text}" + (f": {last}" if last else "") for number, text, last in attempts]
    return lines or ["it has never started"]


def attempts_of(path):
    """[(number, 'TIME on HOST, job 4_1', last line)] of a log; [] if there is none."""
    found = []
    try:
        with open(path, "rb") as file:
            for line in file:
                header = HEADER.match(line)
                if header:
                    found.append([header.group(1).decode(), printable(header.group(2)), ""])
                elif found and line.strip() and not line.startswith(b"==="):
                    found[-1][2] = printable(line)
    except OSError:
        pass
    return found


def printable(raw):
    text = "".join(c if c.isprintable() else " " for c in raw.decode("utf-8", "replace").rpartition("\r")[2]).strip()
    return text[:200]


def made_from_lines(known):
    return [f"made from: {name}, {known.states[name].state}" for name in known.task.get("parents") or ()
            if name in known.states and known.task["stage"] != "collect"]


def by_hand(known):
    """The log, and the command that runs the one task."""
    lines = [f"log: {known.state.log}"]
    if known.ran is not None:
        file = os.path.join(known.ran.launch.directory, f"{known.ran.array}.tasks")
        line = line_of(file, known.task["words"])
        call = f"bash {shlex.quote(os.path.join(HERE, 'run_model.sh'))} --task {shlex.quote(file)} {line}"
        lines += [f"by hand: {call}"] if line is not None else []
    return lines


def line_of(path, words):
    """The number of a task's line in a .tasks file, from 0 on; None if it has none."""
    wanted = " ".join(map(shlex.quote, words))
    try:
        with open(path, encoding="utf-8") as file:
            return next((at for at, line in enumerate(file) if line.rstrip("\n") == wanted), None)
    except OSError:
        return None


# ------------------------------------------------------------------------ tail

def tail(options):
    """Prints the log of options.tail from its last attempt on, until the task ends; returns its exit code, 0 if it is done."""
    known = look_up(options, options.tail)
    first, at, surveyed = known.tree.status(known.task["name"]), start_of_last_attempt(known.state.log), time.time()
    while True:
        grown, at = print_from(known.state.log, at)
        status = known.tree.status_now(known.task["name"])
        if not grown and not is_awaited(known, first, status):
            return 0 if status is not None and status["state"] == "done" else 1
        if time.time() - surveyed > SURVEY_EVERY:
            known, surveyed = look_up(options, known.task["name"]), time.time()
        time.sleep(PAUSE)


def is_awaited(known, first, status):
    """Whether more will come: it runs or waits, and no verdict has come since we look."""
    if known.state.state not in STARTED:
        return False
    if status is None or status["state"] == "running":
        return True
    return first is not None and status.get("stamp") == first.get("stamp") and status["state"] == first["state"]


def start_of_last_attempt(path):
    """Where the header of the last attempt begins; 0 if there is none yet."""
    start = at = 0
    try:
        with open(path, "rb") as file:
            for line in file:
                start, at = at if HEADER.match(line) else start, at + len(line)
    except OSError:
        return 0
    return start


def print_from(path, at):
    """Prints what a log holds from a byte on; (whether there was any, where it ends)."""
    try:
        with open(path, "rb") as file:
            file.seek(at)
            new = file.read(1 << 20)
    except OSError:
        new = b""
    text = new.decode("utf-8", "replace")
    sys.stdout.write("".join(c if c.isprintable() or c in "\n\t" else "\n" if c == "\r" else " " for c in text))
    sys.stdout.flush()
    return bool(new), at + len(new)
