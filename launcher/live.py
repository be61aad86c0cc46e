"""live: tasks that another launch of the same OUT runs right now.

    launches + one look at the queue -> {task name: who has it}

A job is known by its name, csa.LAUNCH.ARRAY, so one whose id was never written
down is found too.

Two launchers that start at the same moment: each publishes its plan ('checking')
before it looks, so at least one of them sees the other. The younger one (by name)
withdraws where it sees an older one's plan; the older one looks again until the
younger one, which may have looked too early to see anything, has decided. Launchers
are read before the queue is asked: one that ends in between has its jobs there by then.
"""
import os
import socket
import time

from launcher import launches, resume
from launcher.refusal import Refusal

SILENT_AFTER = 300   # seconds after which a launcher on another host counts as dead
PATIENCE = 60        # seconds that an older launcher waits for a younger one's word


def job_name(workflow, directory, array):
    return f"{workflow}.{os.path.basename(directory)}.{array}"


def process_alive(pid, mark):
    """Whether a process of this host runs and its command line holds the mark."""
    if type(pid) is not int:   # what a broken file says is no process
        return False
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return mark in file.read()
    except OSError:
        return False


def launcher_at_work(directory):
    """What the launcher that wrote this launch does now: checking, submitting or running; "" where it is no more."""
    state = launches.read_json(os.path.join(directory, "state.json"))
    if not isinstance(state, dict) or state.get("state") not in ("checking", "submitting", "running"):
        return ""
    if state.get("host") == socket.gethostname():
        # Our own number in an older launch is that of a dead launcher (containers reuse them).
        alive = state.get("pid") != os.getpid() and process_alive(state.get("pid"), b"workflow_")
    else:
        alive = age(os.path.join(directory, "state.json")) < SILENT_AFTER
    return state["state"] if alive else ""


def age(path):
    try:
        return time.time() - os.path.getmtime(path)
    except OSError:
        return float("inf")


def elements_of(directory, plan, elements):
    """{(array, index): Element} of a launch's jobs; a batch script may have been submitted by hand again."""
    found = {}
    for element in elements:
        before, _, array = element.name.partition(f".{os.path.basename(directory)}.")
        place = array, element.index or 0
        if before == plan["workflow"] and array and (element.in_queue or place not in found):
            found[place] = element
    return found


def stranded_places(plan, waiting):
    """Those of the waiting elements {(array, index): Element} that wait for ever.

    Slurm names only the first of a chain; what waits for that one waits as long.
    """
    places, found = {}, set()
    for task in plan["tasks"]:
        place = places[task["name"]] = task.get("array"), task.get("index")
        element = waiting.get(place)
        if element is None or element.state != "PENDING":
            continue
        if element.stranded or any(places.get(parent) in found for parent in task.get("parents") or ()):
            found.add(place)
    return found


def other_launches(out, own_directory):
    """[(directory, plan, what its launcher does)] of the other launches of OUT."""
    return [(directory, plan, launcher_at_work(directory)) for directory, plan in launches.read_launches(out)
            if directory != own_directory]


def holders(others, names, elements):
    """{task name: who runs it} of the names that another live launch has, and stranded elements.

    others    what other_launches or decided_launches returned, before the queue was asked
    elements  what slurm.queue() returned, [] where there is no Slurm
    """
    held, stranded = {}, []
    for directory, plan, at_work in others:
        waiting = elements_of(directory, plan, elements)
        for_ever = stranded_places(plan, waiting)
        stranded += [waiting[place].key for place in sorted(for_ever)]
        for task in plan["tasks"]:
            place = task.get("array"), task.get("index")
            if task["name"] not in names or not task.get("run"):
                continue
            if place in waiting and waiting[place].in_queue and place not in for_ever:
                held[task["name"]] = f"job {waiting[place].job_id}"
            elif at_work and task["stage"] != "collect":
                held[task["name"]] = f"launch {os.path.basename(directory)}"
    return held, stranded


def orphans(out, names):
    """Tasks whose runner outlived a launcher that was killed, on this host."""
    found = {}
    for name in names:
        status = resume.read_status(out, name)
        if (status and status["state"] == "running" and not status.get("slurm_job")
                and status.get("host") == os.uname().nodename and process_alive(status.get("pid"), b"run_model.sh")):
            found[name] = f"process {status['pid']}"
    return found


def refuse_live(out, names, queue, own_directory):
    """Refuses names that are in a live launch; returns the stranded elements of older launches.

    queue: slurm.queue, or a function that returns [] where there is no Slurm
    """
    others = decided_launches(out, own_directory)
    held, stranded = holders(others, set(names), queue())
    held.update(orphans(out, names))
    if held:
        who = ", ".join(sorted(set(held.values()))[:12])
        raise Refusal(f"{len(held)} of these tasks are in a live launch of {out} ({who}), {sorted(held)[0]} first",
                      "--status to look, --cancel to end it, or other tasks")
    return stranded


def decided_launches(out, own_directory):
    """The other launches once no younger one is checking any more, or PATIENCE has ended.

    Whether one is checking and whether it holds its tasks is told from the same look: one that publishes
    its plan after a look has ours before its eyes.
    """
    deadline = time.time() + PATIENCE
    while True:
        others = other_launches(out, own_directory)
        younger_checks = any(at_work == "checking" and directory > own_directory for directory, _, at_work in others)
        if not younger_checks or time.time() > deadline:
            return others
        time.sleep(0.2)
