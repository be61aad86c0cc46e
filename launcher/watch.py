"""watch: progress of a launch on Slurm, for --wait.

The status files say what ended; the queue is asked every 10 s at first, every
60 s later, and a controller that does not answer for a while is no reason to stop.
"""
import os
import sys
import time

from launcher import launches, live, slurm

FIRST_PAUSE, LAST_PAUSE = 10, 60    # seconds between two looks at the queue
SILENCE = 900                       # seconds without an answer after which --wait gives up


def queue_or_none():
    """The queue, or None where the controller does not answer."""
    try:
        return slurm.queue()
    except slurm.SlurmError:
        return None


def wait(out, directory, stream=sys.stderr):
    """Returns when no job of this launch waits or runs, or the controller stays silent."""
    plan = launches.read_json(os.path.join(directory, "plan.json"))
    pause, answered = FIRST_PAUSE, time.time()
    while time.time() - answered < SILENCE:
        elements = queue_or_none()
        if elements is not None:
            answered = time.time()
            left = still_to_come(live.elements_of(directory, plan, elements), plan)
            if not left:
                return
            running = sum(e.state == "RUNNING" for e in left)
            stream.write(f"{len(left)} jobs left, {running} running\n")
            stream.flush()
        if not ended_early(out, directory, plan, pause):
            pause = min(LAST_PAUSE, pause * 1.5)
    stream.write(f"no answer from the Slurm controller for {SILENCE} s; the jobs go on without us\n")


def still_to_come(waiting, plan):
    """The elements that wait or run, without those that wait for ever."""
    for_ever = live.stranded_places(plan, waiting)
    return [element for place, element in waiting.items() if element.in_queue and place not in for_ever]


def ended_early(out, directory, plan, pause):
    """Waits, but no longer than until the collector's status appears; files cost the controller nothing."""
    path = os.path.join(out, "scores", "stage_status.json")
    planned = any(task["stage"] == "collect" and task.get("run") for task in plan["tasks"])
    launched = os.path.getmtime(os.path.join(directory, "plan.json"))
    deadline = time.time() + pause
    while time.time() < deadline:
        time.sleep(1)
        status = launches.read_json(path) if planned and live.age(path) < time.time() - launched else None
        if isinstance(status, dict) and status.get("state") in ("done", "failed"):
            time.sleep(2)
            return True
    return False
