"""launch_files: OUT/launches/{UTC time}/, one directory per launch, never rewritten.

    plan.json   options, versions, every task, one a line; written last, whole (docs/files.md)
    *.tasks     one per array; element i has COUNT lines from i * COUNT + 1 on
    *.sbatch    rendered batch scripts
    runs.tsv    name, reason_kind and 'rebuild' of the tasks that this launch runs, for their
                runners
    jobs.tsv    array and job id, a line appended as each is submitted
    state.json  who launches, and whether submitting has ended; rewritten whole
    slurm/      the scheduler's own output

A dry run writes dry_plan.json instead of plan.json: it counts once somebody runs its lines.
"""
import json
import os
import re
import sys
import time
from contextlib import contextmanager, suppress
from datetime import datetime, timezone

import launcher
from core.errors import FileError, Refusal
from core.files import read_json, write_whole
from core.rules import Reason
from core.task import task_line
from core.tree import process_started
from launcher import templates
from launcher.paths import HERE

ID = "%Y%m%dT%H%M%S.%fZ"
SILENT_AFTER = 300      # seconds after which a launcher on another host counts as dead


# ---- write

def write(workflow, options, data, tasks, why, arrays, files, found):
    """Fills a new launch directory and returns it; plan.json comes last, so a launch is whole or
    none.

    files: {name in OUT: text} that the tasks read besides the benchmark; found: fingerprints
    """
    # Render first: errors in templates must surface before anything is written.
    render(workflow, arrays, os.path.join(options.output_dir, "launches", "not_yet"), options)
    for name, text in files.items():
        path = os.path.join(options.output_dir, name)
        if not has_content(path, text):     # else it keeps its modification time
            write_file(path, text)
    directory = new_directory(options.output_dir)
    for name, text in {
            **{f"{array.name}.tasks": tasks_text(array, options.output_dir) for array in arrays},
            **render(workflow, arrays, directory, options),
            "runs.tsv": "".join(f"{name}\t{reason.kind}\t{'rebuild' if reason.rebuild else ''}\n"
                                for name, reason in why.items())}.items():
        write_file(os.path.join(directory, name), text)
    write_state(directory, "written" if options.dry_run else "submitting")
    record = plan_record(workflow, options, data, directory, found)
    write_file(os.path.join(directory, "dry_plan.json" if options.dry_run else "plan.json"),
               plan_text(record, planned_tasks(tasks, arrays, why)))
    return directory


@contextmanager
def writing():
    """Refusal if the disk does not take what is written."""
    try:
        yield
    except (FileError, OSError) as error:
        raise Refusal(f"a launch cannot be written: {error}",
                      "a disk with room that is yours, then the same command again")


def write_file(path, text):
    """Writes a file whole; Refusal."""
    with writing():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_whole(path, text)


def has_content(path, text):
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read() == text
    except (OSError, UnicodeDecodeError):
        return False


def plan_record(workflow, options, data, directory, found):
    """Returns plan.json as a dict, without its tasks."""
    return {
        "workflow": workflow, "launch": os.path.basename(directory),
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command": [sys.executable, os.path.abspath(sys.argv[0]), *sys.argv[1:]],
        "directory": os.getcwd(), "arguments": vars(options),
        "versions": {"python": sys.version.split()[0], "launcher": launcher.__version__},
        "model": options.model, "y_col_name": options.y_col_name, "synthetic": data.synthetic,
        "output_dir": options.output_dir, "input_dir": data.directory,
        "executor": options.executor, "data_adopted": options.adopt_data, "fingerprints": found}


def planned_tasks(tasks, arrays, why):
    """Yields each task as plan.json has it; a task that runs has the array and index of its
    element."""
    place = {task.name: (array.name, index) for array in arrays
             for index, members in array.elements.items() for task in members}
    for task in tasks:
        array, index = place.get(task.name, (task.array, task.index))
        kind, text, rebuild = why.get(task.name, Reason("", ""))
        record = task._replace(array=array, index=index, run=task.name in why, reason_kind=kind,
                               reason=text, rebuild=rebuild)._asdict()
        del record["model"], record["y_col_name"]       # the plan has them once
        yield record


def plan_text(record, tasks):
    """One key a line, and one task a line: it can be searched with grep."""
    head = [f"{json.dumps(key)}: {json.dumps(value, default=str)}" for key, value in record.items()]
    lines = ",\n  ".join(map(json.dumps, tasks))
    return "{" + ",\n ".join(head) + ',\n "tasks": [\n  ' + lines + "\n ]}\n"


def tasks_text(array, out):
    """The .tasks file of an array; a line that nobody uses is empty."""
    lines = array.lines
    return "".join((task_line(lines[at], out) if at in lines else "") + "\n"
                   for at in range(max(lines) + 1))


def new_directory(out):
    """Makes OUT/launches/{UTC time}/ and returns its path. Nobody else gets the same, and its name
    sorts behind all that exist, also if this host's clock is behind: order never depends on
    clocks."""
    above = os.path.join(out, "launches")
    with writing():
        os.makedirs(above, exist_ok=True)
        while True:
            newest = max(os.listdir(above), default="")
            path = os.path.join(above, max(datetime.now(timezone.utc).strftime(ID), newest + "1"))
            with suppress(FileExistsError):     # another launch was faster
                os.makedirs(os.path.join(path, "slurm"))
                return path


# ---- batch scripts

def render(workflow, arrays, directory, options):
    """Returns {NAME.sbatch: text} for a launch in this directory, {} without Slurm; Refusal."""
    if options.executor != "slurm":
        return {}
    return {f"{array.name}.sbatch": render_one(workflow, array, directory, options)
            for array in arrays}


def render_one(workflow, array, directory, options):
    """Returns the batch script of an array; Refusal."""
    lines = templates.read_template(array.template, options.model)
    return templates.render(lines, {
        "JOB_NAME": job_name(workflow, os.path.basename(directory), array.name),
        "ARRAY": array.indices,
        # Slurm expands % in this path: a doubled one stands for itself.
        "SLURM_OUTPUT": os.path.join(directory, "slurm").replace("%", "%%") + "/%x_%A_%a.out",
        "RUN_MODEL": os.path.join(HERE, "run_model.sh"),
        "TASKS": os.path.join(directory, f"{array.name}.tasks"),
        "COUNT": str(array.count),
        "PYTHON": sys.executable,
        "RETRIES": str(options.retries),
        "TEMPLATE": os.path.relpath(array.template, HERE),
    }, array.template)


def job_name(workflow, launch_id, array):
    return f"{workflow}.{launch_id}.{array}"


# ---- while a launch lives

def write_state(directory, state):
    """state: submitting or running while the launcher lives, then submitted, ended or written."""
    record = {"state": state, "host": os.uname().nodename, "pid": os.getpid(),
              "process_started": process_started(os.getpid())}
    write_file(os.path.join(directory, "state.json"), json.dumps(record) + "\n")


def note_state(directory, state):
    """A sign of life or the end: if the disk is full, the work goes on without it."""
    with suppress(Refusal):
        write_state(directory, state)


def read_state(directory):
    """Returns state.json as a dict, with its age in seconds; {} if there is none."""
    path = os.path.join(directory, "state.json")
    try:
        return dict(read_json(path), age=time.time() - os.path.getmtime(path))
    except (FileError, OSError, TypeError, ValueError):
        return {}


def is_at_work(state):
    """Whether the process that wrote a state or a status lives; on another host its age decides."""
    if state.get("state") not in ("submitting", "running"):
        return False
    if state.get("host") != os.uname().nodename:
        return state.get("age", SILENT_AFTER) < SILENT_AFTER
    return process_started(state.get("pid")) == state.get("process_started") != ""


def withdraw(directory, created=()):
    """Takes back a plan that was never started, and the files it created: the directory is no
    launch any more."""
    for path in created:
        os.unlink(path)
    note_state(directory, "ended")
    os.unlink(os.path.join(directory, "plan.json"))


def add_job(directory, array, job_id):
    """Records a job id at once: what is submitted must be known, whatever comes next."""
    with writing(), open(os.path.join(directory, "jobs.tsv"), "a", encoding="utf-8") as file:
        file.write(f"{array}\t{job_id}\n")
        file.flush()
        os.fsync(file.fileno())


def read_jobs(directory):
    """Returns {array: job id, or 'id;cluster'} of a launch; a half-written last line is ignored."""
    try:
        with open(os.path.join(directory, "jobs.tsv"), encoding="utf-8", errors="replace") as file:
            return dict(re.findall(r"^([^\t\n]+)\t([0-9]+(?:;\S+)?)\n", file.read(), re.MULTILINE))
    except OSError:
        return {}


def create_once(out, files):
    """Creates {name in OUT: text} and returns their paths. Refusal if another launch was faster."""
    created = []
    for name, text in files.items():
        path = os.path.join(out, name)
        with writing():
            os.makedirs(os.path.dirname(path), exist_ok=True)
            try:
                with open(path, "x", encoding="utf-8", errors="surrogateescape") as file:
                    file.write(text)
                created.append(path)
            except FileExistsError:
                if not has_content(path, text):
                    raise
    return created
