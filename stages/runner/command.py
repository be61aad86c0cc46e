"""command: the command line of run_stage.py: which tasks it takes, one after another, and its exit code."""
import os
import sys

from runner.attempt import Signals
from runner.course import judge_task, make_directory, run_task
from runner.side_by_side import run_side_by_side
from runner.status import remove
from runner.task import Refused, Task, tasks_of_file

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def parse(argv):
    """The tasks of a command line."""
    if argv[0] != "--task":
        return [Task(argv)]
    numbers = argv[2:] if len(argv) == 4 else argv[2:] + ["1"]
    return tasks_of_file(argv[1], *map(int, numbers))


def paths(tasks):
    """The directories that a container has to see: results trees, scripts, inputs, this project."""
    found = [PROJECT] + staging_folders()
    for task in tasks:
        make_directory(task)
        found += [task.out, task.directory, os.path.dirname(task.script), task.model_dir] + task.inputs
    return [path for path in dict.fromkeys(found) if os.path.exists(path)]


def at_once():
    """How many of several tasks run side by side."""
    return int(os.environ.get("TASKS_AT_ONCE") or 1)


def staging_folders():
    """STAGE_IN and STAGE_OUT, which have to be there before a container is started."""
    found = []
    for path in filter(None, map(os.environ.get, ("STAGE_IN", "STAGE_OUT"))):
        try:
            os.makedirs(path, exist_ok=True)
            found.append(os.path.abspath(path))
        except OSError:
            pass        # the stagings say it in the task's log
    return found


def check_settings():
    """Raises Refused for settings that are no numbers; makes paths absolute."""
    for name in ("RETRIES", "LATENCY_WAIT", "TASKS_AT_ONCE"):
        text = os.environ.get(name) or "0"
        if not text.isdigit():
            raise Refused("{} is {!r}, not a whole number\n  try: {}=1, or leave it out".format(name, text, name))
    for name in ("STAGE_IN", "STAGE_OUT"):      # a runner changes its directory with each task
        if os.environ.get(name):
            os.environ[name] = os.path.abspath(os.environ[name])


def main(argv):
    try:
        check_settings()
        if argv[0] == "--judge":
            return judge_task(Task(argv[1:]))
        if argv[0] == "--paths":
            print("\n".join(paths(parse(argv[1:]))))
            return 0
        return run(argv)
    except Refused as refused:
        sys.stderr.write("run_model: error: {}\n".format(refused))
        return 2
    finally:
        remove(os.environ.get("ACTIVATION_LOG", ""))


def run(argv):
    """Runs the tasks of a command line; returns the exit code."""
    tasks, signals, codes = parse(argv), Signals(), []
    if len(tasks) > 1 and at_once() > 1:
        run_side_by_side(tasks, at_once(), signals)
        tasks = []
    for task in tasks:
        codes.append(run_task(task, signals))
        if signals.number:
            break
    if signals.number:
        return 143
    # Those behind several tasks look at the verdicts themselves.
    several = argv[0] == "--task" and int((argv[3:] or ["1"])[0]) > 1
    return 0 if several or os.environ.get("ALWAYS_EXIT_ZERO") == "1" else codes[0]
