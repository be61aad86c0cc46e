"""live: tasks that another launch of the same OUT runs right now.

    launches + one look at the queue -> {task name: who has it}

A job is known by its name, csa.LAUNCH.ARRAY, so one whose id was never written
down is found too. Two launchers that start at the same moment see each other's
plan: the older one waits for the younger one's word, the younger one withdraws.
"""
import os
import socket
import time

from launcher import launches, resume, slurm
from launcher.refusal import Refusal

SILENT_AFTER = 300   # seconds after which a launcher on another host counts as dead
PATIENCE = 60        # seconds that an older launcher waits for a younger one's word


def job_name(workflow, directory, array):
    return f"{workflow}.{os.path.basename(directory)}.{array}"


def process_alive(pid, mark):
    """Whether a process of this host runs and its command line holds the mark."""
    try:
        with open(f"/proc/{int(pid)}/cmdline", "rb") as file:
            return mark in file.read()
    except (OSError, ValueError, TypeError):
        return False


def launcher_alive(directory):
    """Whether the launcher that wrote this launch still works on it."""
    state = launches.read_json(os.path.join(directory, "state.json"))
    if not isinstance(state, dict) or state.get("state") not in ("checking", "submitting", "running"):
        return False
    if state.get("host") == socket.gethostname():
        return process_alive(state.get("pid"), b"workflow_")
    return age(os.path.join(directory, "state.json")) < SILENT_AFTER


def age(path):
    try:
        return time.time() - os.path.getmtime(path)
    except OSError:
        return float("inf")


def elements_of(directory, plan, elements):
    """{(array, index): Element} of a launch's jobs."""
    found = {}
    for element in elements:
        before, _, array = element.name.partition(f".{os.path.basename(directory)}.")
        if before == plan["workflow"] and array:
            found[array, element.index or 0] = element
    return found


def holders(out, names, elements, own_directory):
    """{task name: who runs it} of the names that another live launch has, and stranded elements.

    elements: what slurm.queue() returned, [] where there is no Slurm
    """
    held, stranded = {}, []
    for directory, plan in launches.read_launches(out):
        if directory == own_directory:
            continue
        waiting = elements_of(directory, plan, elements)
        stranded += [element.key for element in waiting.values() if element.stranded]
        alive = launcher_alive(directory)
        for task in plan["tasks"]:
            element = waiting.get((task.get("array"), task.get("index")))
            if task["name"] not in names or not task.get("run"):
                continue
            if element is not None and element.in_queue and not element.stranded:
                held[task["name"]] = f"job {element.job_id}"
            elif alive and task["stage"] != "collect":
                held[task["name"]] = f"launch {os.path.basename(directory)}"
    held.update(orphans(out, names))
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


def refuse_live(out, names, elements, own_directory):
    """Refuses names that are in a live launch; returns the stranded elements of older launches."""
    wait_for_younger(out, own_directory)
    held, stranded = holders(out, set(names), elements, own_directory)
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
