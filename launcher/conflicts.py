"""conflicts: tasks that are in a live launch of the same OUT, or that somebody runs by hand.

    ResultsTree + one look at the queue -> {task name: who has it}

This is a courtesy: a refusal in a sentence instead of idle elements. That nothing runs twice is
the claim's business (stages/runner/claim.py), whoever starts it.

A job is known by its name, csa.LAUNCH.ARRAY, so one whose id was never written down is found too.
Of launchers that start at the same moment one goes on: each publishes its plan before it looks, so
of two at least one sees the other. The younger one (by id) withdraws if it sees an older one; an
older one that sees a younger one waits until that has decided, since it may have looked too early.
"""
import os
import time

from launcher import launch_directory, slurm, whole_file
from launcher.paths import is_program
from launcher.refusal import Refusal

SILENT_AFTER = 300   # seconds after which a launcher or runner on another host counts as dead


def process_alive(pid, mark):
    """Whether a process of this host runs and its command line holds the mark."""
    if type(pid) is not int:   # what a broken file says is no process
        return False
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return mark in file.read()
    except OSError:
        return False


def age(path):
    try:
        return time.time() - os.path.getmtime(path)
    except OSError:
        return float("inf")


def launcher_at_work(directory):
    """What the launcher that wrote this launch does now: checking, submitting or running; "" if it has ended."""
    state = whole_file.read_json(os.path.join(directory, "state.json"))
    if not isinstance(state, dict) or state.get("state") not in ("checking", "submitting", "running"):
        return ""
    if state.get("host") == os.uname().nodename:
        # Our own number in an older launch is that of a dead launcher (containers reuse them).
        alive = state.get("pid") != os.getpid() and process_alive(state.get("pid"), b"workflow_")
    else:
        alive = age(os.path.join(directory, "state.json")) < SILENT_AFTER
    return state["state"] if alive else ""


def runner_at_work(tree, name, status):
    """Whether the runner that wrote a status which says running is still there though no queue that we see has
    its job, as far as this host can tell."""
    if status.get("executor") == "slurm" or status.get("slurm_job"):
        return is_of_another_user(tree, name) and has_sign_of_life(tree.path(name))
    if status.get("host") == os.uname().nodename:
        return process_alive(status.get("pid"), b"run_stage.py")
    return has_sign_of_life(tree.path(name))


def is_of_another_user(tree, name):
    """Whether somebody else wrote the status: some clusters hide the jobs of others."""
    try:
        return os.stat(tree.path(name, "stage_status.json")).st_uid != os.getuid()
    except OSError:
        return False


def has_sign_of_life(directory):
    """Whether a claim on the task was touched in the last minutes."""
    try:
        claims = [name for name in os.listdir(directory) if name.startswith(".claim.")]
    except OSError:
        return False
    return any(age(os.path.join(directory, name)) < SILENT_AFTER for name in claims)


# ------------------------------------------------------------------------ jobs

def is_copied(launch, out):
    """Whether the OUT of this launch is another one that exists: a copy of OUT owns no jobs."""
    recorded = launch.plan.get("output_dir") or out
    try:
        return not os.path.samefile(recorded, out)
    except OSError:
        return False


def job_names(tree):
    """The names of all jobs that the launches of this OUT may have in the queue."""
    return [launch_directory.job_name(launch.plan["workflow"], launch.directory, array) for launch in tree.launches
            if launch.plan.get("executor") == "slurm" and not is_copied(launch, tree.out)
            for array in dict.fromkeys(task["array"] for task in launch.tasks if task.get("run"))]


def elements_of_others(tree, own_directory):
    """What the queue says of the jobs of all launches of this OUT but our own; [] without Slurm."""
    names = [name for name in job_names(tree) if f".{os.path.basename(own_directory)}." not in name]
    return slurm.queue(names) if names and is_program("squeue") else []


def launch_in_queue(tree, own_directory, elements):
    """The newest Launch that has jobs in the queue; None if there is none."""
    return next((launch for launch in reversed(tree.launches) if launch.directory != own_directory
                 and any(element.in_queue for element in elements_of(launch, elements).values())), None)


def elements_of(launch, elements):
    """{(array, index): Element} of a launch's jobs; a batch script may have been submitted by hand again."""
    found = {}
    for element in elements:
        before, _, array = element.name.partition(f".{launch.id}.")
        place = array, element.index or 0
        if before == launch.plan["workflow"] and array and (element.in_queue or place not in found):
            found[place] = element
    return found


def stranded_places(launch, waiting):
    """Those of the waiting elements {(array, index): Element} that wait for ever.

    Slurm names only the first of a chain; what waits for that one waits as long.
    """
    places, found = {}, set()
    for task in launch.tasks:
        place = places[task["name"]] = task["array"], task["index"]
        element = waiting.get(place)
        if element is None or element.state != "PENDING":
            continue
        if element.stranded or any(places.get(parent) in found for parent in task.get("parents") or ()):
            found.add(place)
    return found


# --------------------------------------------------------------------- refusal

def launchers_at_work(tree, own_directory):
    """{directory: what its launcher does} of the other launches, once no younger one is still checking.

    To be called before the queue is asked: what has ended submitting by now is in the queue then.
    """
    others = [launch.directory for launch in tree.launches if launch.directory != own_directory]
    while True:
        at_work = {directory: launcher_at_work(directory) for directory in others}
        if not any(directory > own_directory and state == "checking" for directory, state in at_work.items()):
            return at_work
        time.sleep(0.1)


def tasks_in_other_launches(tree, launchers, elements):
    """({task name: (who runs it, its parents)} of the live launches, keys of stranded elements).

    launchers: what launchers_at_work returned; elements: what slurm.queue() did, [] without Slurm
    """
    held, stranded = {}, []
    for launch in tree.launches:
        if launch.directory not in launchers:
            continue
        waiting = elements_of(launch, elements)
        for_ever = stranded_places(launch, waiting)
        stranded += [waiting[place].key for place in sorted(for_ever)]
        for task in launch.tasks:
            place = task["array"], task["index"]
            if not task.get("run") or task["stage"] == "collect":
                continue    # any number of launches may collect; the last one's tables stay
            if place in waiting and waiting[place].in_queue and place not in for_ever:
                held[task["name"]] = f"job {waiting[place].job_id}", task.get("parents", ())
            elif launchers[launch.directory] and not is_ended_in(tree, task["name"], launch):
                held[task["name"]] = f"launch {launch.id}", task.get("parents", ())
    return held, stranded


def is_ended_in(tree, name, launch):
    status = tree.status(name)
    return status is not None and status.get("launch") == launch.id and status["state"] in ("done", "failed")


def started_by_hand(tree, names):
    """{task name: who} of tasks whose runner works though no live launch has them: started by hand, or by a
    launcher that was killed."""
    found = {}
    tree.read_ahead(names)
    for name in names:
        status = tree.status(name)
        if status and status["state"] == "running" and runner_at_work(tree, name, status):
            found[name] = f"process {status.get('pid')} on {status.get('host')}"
    return found


def refuse(tree, names, elements, launchers):
    """Refuses names that somebody runs, or that a live launch's tasks are made from; returns stranded elements' keys."""
    held, stranded = tasks_in_other_launches(tree, launchers, elements)
    ours = set(names)
    used = next(((name, parent) for name, (_, parents) in held.items() for parent in parents
                 if parent in ours and parent not in held), None)
    who = {name: held[name][0] for name in ours if name in held}
    who.update((name, runner) for name, runner in started_by_hand(tree, names).items() if name not in who)
    if who:
        raise Refusal(f"{len(who)} of these tasks are in a live launch of {tree.out} "
                      f"({', '.join(sorted(set(who.values()))[:12])}), {sorted(who)[0]} first",
                      "look with --status, end it with --cancel, or choose other tasks")
    if used:
        raise Refusal(f"{used[0]} of a live launch of {tree.out} ({held[used[0]][0]}) is made from {used[1]}, "
                      "which this launch would replace", "wait for its end (--status), or end it with --cancel")
    return stranded
