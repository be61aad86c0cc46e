"""wait: --wait: stays until no job of a launch is left, asking the controller seldom and the files often."""
import sys
import time

from launcher import conflicts, whole_file
from launcher.survey import ask_queue, never_starts
from launcher.terminal import counted

FIRST_PAUSE, LAST_PAUSE = 10, 60    # seconds between two polls of the queue, for --wait
SILENCE = 900                       # seconds without an answer after which --wait gives up


def wait(tree, launch, stream=sys.stderr):
    """Returns when no job of this launch waits or runs, or only what can never start, or the controller stays silent."""
    pause, answered = FIRST_PAUSE, time.time()
    while time.time() - answered < SILENCE:
        elements = ask_queue(tree)[0]
        if elements is not None:
            answered = time.time()
            left = still_to_come(conflicts.elements_of(launch, elements), launch)
            if not left:
                return
            running = sum(element.state == "RUNNING" for element in left)
            reasons = sorted({element.reason for element in left if element.state == "PENDING"})
            stream.write(f"{counted(len(left), 'job')} left, {running} running" + (f"; waiting: {', '.join(reasons)}" if reasons else "") + "\n")
            stream.flush()
        if not collector_ended(tree, launch, pause):
            pause = min(LAST_PAUSE, pause * 1.5)
    stream.write(f"no answer from the Slurm controller for {SILENCE} s; the jobs go on without us\n")


def still_to_come(waiting_elements, launch):
    """The elements that wait or run, without those that wait for ever; none if nothing but what can never start is left."""
    for_ever = conflicts.stranded_places(launch, waiting_elements)
    left = [element for place, element in waiting_elements.items() if element.in_queue and place not in for_ever]
    stuck = all(element.state == "PENDING" and (never_starts(element.reason) or element.reason == "Dependency")
                for element in left) and any(never_starts(element.reason) for element in left)
    return [] if stuck else left


def collector_ended(tree, launch, pause):
    """Waits, but no longer than until the collector's status appears; files cost the controller nothing."""
    path = tree.path("scores", "stage_status.json")
    deadline = time.time() + pause
    while time.time() < deadline:
        time.sleep(1)
        status = whole_file.read_json(path)
        if isinstance(status, dict) and status.get("launch") == launch.id and status.get("state") in ("done", "failed"):
            time.sleep(2)
            return True
    return False
