"""launches: OUT/launches/{UTC time}/, one directory per launch, never rewritten.

    plan.json   arguments, versions, every task and its name; written last, whole
    *.tasks     line i + 1 is array index i           *.sbatch   rendered batch scripts
    jobs.tsv    array and job id, a line appended as each is submitted
    state.json  who launches, and whether submitting has ended; rewritten whole
    slurm/      the scheduler's own output

A dry run writes dry_plan.json instead of plan.json: nobody takes it for a launch.
"""
import json
import os
import platform
import socket
import sys
from datetime import datetime, timezone

import launcher
from launcher.refusal import Refusal
from launcher.tasks import task_line


def utc():
    return datetime.now(timezone.utc)


def new_directory(out):
    """Makes OUT/launches/{UTC time}/ and returns its path; nobody else gets the same."""
    while True:
        path = os.path.join(out, "launches", utc().strftime("%Y%m%dT%H%M%S.%fZ"))
        try:
            os.makedirs(os.path.join(path, "slurm"))
            return path
        except FileExistsError:
            continue
        except OSError as error:
            raise Refusal(f"{path} cannot be written ({error.strerror})", "--output_dir with a directory of yours")


def plan_record(workflow, options, data, tasks, why, directory):
    """plan.json as a dict."""
    return {
        "workflow": workflow, "launch": os.path.basename(directory),
        "created": utc().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "command": [sys.executable, os.path.abspath(sys.argv[0]), *sys.argv[1:]], "directory": os.getcwd(),
        "arguments": vars(options),
        "versions": {"python": platform.python_version(), "launcher": launcher.__version__},
        "model": options.model, "y_col_name": options.y_col_name, "synthetic": data.synthetic,
        "output_dir": options.output_dir, "input_dir": data.directory, "executor": options.executor,
        "dry_run": options.dry_run,
        "tasks": [dict(task._asdict(), run=task.name in why, why=why.get(task.name, "")) for task in tasks],
    }


def write_tasks(directory, files):
    """One .tasks file per row of the plan; an index that nobody uses is an empty line."""
    for name, tasks in files.items():
        lines = [task_line(tasks[index].words) if index in tasks else "" for index in range(max(tasks) + 1)]
        write_whole(os.path.join(directory, f"{name}.tasks"), "\n".join(lines) + "\n")


def write_plan(directory, record):
    name = "dry_plan.json" if record["dry_run"] else "plan.json"
    write_whole(os.path.join(directory, name), json.dumps(record, indent=1, default=str) + "\n")


def write_state(directory, state):
    """state: submitting or running while the launcher lives, then submitted or ended."""
    record = {"state": state, "host": socket.gethostname(), "pid": os.getpid(),
              "time": utc().strftime("%Y-%m-%dT%H:%M:%SZ")}
    write_whole(os.path.join(directory, "state.json"), json.dumps(record) + "\n")


def note_state(directory, state):
    """A sign of life or a last word: where the disk is full, the work goes on without it."""
    try:
        write_state(directory, state)
    except Refusal:
        pass


def withdraw(directory):
    """Takes back a plan that was never started: the directory is no launch any more."""
    note_state(directory, "withdrawn")
    os.replace(os.path.join(directory, "plan.json"), os.path.join(directory, "withdrawn_plan.json"))


def add_job(directory, array, job_id):
    """Writes down a job id at once: what is submitted must be known, whatever comes next."""
    path = os.path.join(directory, "jobs.tsv")
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"{array}\t{job_id}\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise Refusal(f"{path} cannot be written ({error.strerror})", "a disk with room, then the same command again")


def read_jobs(directory):
    """{array: job id} of a launch; a half-written last line is passed over."""
    try:
        with open(os.path.join(directory, "jobs.tsv"), encoding="utf-8", errors="replace") as file:
            rows = [line.rstrip("\n").split("\t") for line in file if line.endswith("\n")]
    except OSError:
        return {}
    return {row[0]: row[1] for row in rows if len(row) == 2 and row[1].isdigit()}


def read_launches(out):
    """Every launch of OUT, oldest first: (directory, plan). A plan that is no plan is passed over."""
    plans = [(directory, read_json(os.path.join(directory, "plan.json"))) for directory in launch_directories(out)]
    return [(directory, plan) for directory, plan in plans if is_plan(plan)]


def launch_directories(out):
    """Every directory in OUT/launches, oldest first."""
    above = os.path.join(out, "launches")
    try:
        return [os.path.join(above, name) for name in sorted(os.listdir(above))]
    except OSError:
        return []


def is_plan(plan):
    """Whether a JSON value is what plan_record makes, as far as others rely on it."""
    return (isinstance(plan, dict) and isinstance(plan.get("workflow"), str) and isinstance(plan.get("tasks"), list)
            and is_texts(plan.get("command", [])) and isinstance(plan.get("directory", ""), str)
            and all(is_task(task) for task in plan["tasks"]))


def is_task(task):
    return (isinstance(task, dict) and is_name(task.get("name")) and is_texts(task.get("words"))
            and is_texts(task.get("parents", [])) and type(task.get("index")) is int
            and all(isinstance(task.get(key), str) for key in ("stage", "array"))
            and isinstance(task.get("why", ""), str))


def is_name(name):
    """A directory inside OUT that can be shown on a terminal."""
    return isinstance(name, str) and name.isprintable() and name != "" and not os.path.isabs(name) \
        and ".." not in name.split("/")


def is_texts(values):
    return isinstance(values, (list, tuple)) and all(isinstance(value, str) for value in values)


def broken_plans(out):
    """Paths of plan.json files that cannot be read as plans: what they started is unknown."""
    known = {directory for directory, _ in read_launches(out)}
    paths = [os.path.join(directory, "plan.json") for directory in launch_directories(out) if directory not in known]
    return [path for path in paths if os.path.lexists(path)]


def read_json(path):
    """The value in a JSON file; None where there is none that can be read."""
    try:
        if not os.path.isfile(path):  # a pipe would keep its reader waiting for ever
            return None
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError, RecursionError):
        return None


def holds(path, text):
    """Whether a file holds just this text."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read() == text
    except (OSError, UnicodeDecodeError):
        return False


def write_whole(path, text):
    """Temp file beside it, then rename: a reader sees the old file or the new one."""
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError as error:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise Refusal(f"{path} cannot be written ({error.strerror})", "a disk with room, then the same command again")
