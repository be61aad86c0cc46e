"""live: tasks that another launch of the same OUT runs right now.

    launches + one look at the queue -> {task name: who has it}

A job is known by its name, csa.LAUNCH.ARRAY, so one whose id was never written
down is found too.

Two launchers that start at the same moment: each publishes its plan ('checking')
before it looks, so at least one of them sees the other. The younger one (by name)
withdraws where it sees an older one's plan; the older one waits for the younger
one's word, which may have looked too early to see anything. Launchers are read
before the queue is asked: one that ends in between has its jobs in the queue by then.
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


def launcher_alive(directory):
    """Whether the launcher that wrote this launch still works on it."""
    state = launches.read_json(os.path.join(directory, "state.json"))
    if not isinstance(state, dict) or state.get("state") not in ("checking", "submitting", "running"):
        return False
    if state.get("host") == socket.gethostname():
        # Our own number in an older launch is that of a dead launcher (containers reuse them).
        return state.get("pid") != os.getpid() and process_alive(state.get("pid"), b"workflow_")
    return age(os.path.join(directory, "state.json")) < SILENT_AFTER


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
    """[(directory, plan, whether its launcher works on it)] of the other launches of OUT."""
    return [(directory, plan, launcher_alive(directory)) for directory, plan in launches.read_launches(out)
            if directory != own_directory]


def holders(others, names, elements):
    """{task name: who runs it} of the names that another live launch has, and stranded elements.

    others    what other_launches returned, before the queue was asked
    elements  what slurm.queue() returned, [] where there is no Slurm
    """
    held, stranded = {}, []
    for directory, plan, alive in others:
        waiting = elements_of(directory, plan, elements)
        for_ever = stranded_places(plan, waiting)
        stranded += [waiting[place].key for place in sorted(for_ever)]
        for task in plan["tasks"]:
            place = task.get("array"), task.get("index")
            if task["name"] not in names or not task.get("run"):
                continue
            if place in waiting and waiting[place].in_queue and place not in for_ever:
                held[task["name"]] = f"job {waiting[place].job_id}"
            elif alive and task["stage"] != "collect":
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
    wait_for_younger(out, own_directory)
    others = other_launches(out, own_directory)
    held, stranded = holders(others, set(names), queue())
    held.update(orphans(out, names))
    if held:
        who = ", ".join(sorted(set(held.values()))[:12])
        raise Refusal(f"{len(held)} of these tasks are in a live launch of {out} ({who}), {sorted(held)[0]} first",
                      "--status to look, --cancel to end it, or other tasks")
    return stranded


def wait_for_younger(out, own_directory):
    """A younger launcher may have looked before our plan was there: wait until it has decided."""
    deadline = time.time() + PATIENCE
    while time.time() < deadline and any(
            directory > own_directory and still_checking(directory) for directory, _ in launches.read_launches(out)):
        time.sleep(0.2)


def still_checking(directory):
    state = launches.read_json(os.path.join(directory, "state.json"))
    return isinstance(state, dict) and state.get("state") == "checking" and launcher_alive(directory)
