"""launch_files: OUT/launches/{UTC time}/, one directory per launch, never rewritten.

    plan.json   options, versions, every task, one a line; written last, whole (docs/files.md)
    *.tasks     one per array; element i has COUNT lines from i * COUNT + 1 on
    *.sbatch    rendered batch scripts
    runs.tsv    name, reason_kind and 'rebuild' of the tasks that this launch runs, for their
                runners
    jobs.tsv    array and job id, a line appended as each is submitted
    state.json  who submits or runs it, and whether that has ended; rewritten whole
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
from core.task import command_line, quoted
from core.tree import process_started
from launcher import templates
from launcher.paths import HERE

ID = "%Y%m%dT%H%M%S.%fZ"
SILENT_AFTER = 300      # seconds after which a launcher on another host counts as dead


# ---- write

def write(workflow, options, data, tasks, why, arrays, files, found):
    """Fills a new launch directory and returns it; plan.json comes last, so it is whole or none.
    files: {name in OUT: text} that the tasks read besides the benchmark; found: fingerprints"""
    directory = next_directory(options.output_dir)
    # Render first: errors in templates must surface before anything is written.
    texts = {f"{array.name}.sbatch": render(workflow, array, directory, options)
             for array in arrays if options.executor == "slurm"}
    texts.update((f"{array.name}.tasks", tasks_text(array, options.output_dir)) for array in arrays)
    texts["runs.tsv"] = "".join(f"{name}\t{reason.kind}\t{'rebuild' if reason.rebuild else ''}\n"
                                for name, reason in why.items())
    with writing():
        os.makedirs(os.path.join(directory, "slurm"))
    for name, text in files.items():
        path = os.path.join(options.output_dir, name)
        if not has_content(path, text):     # else it keeps its modification time
            write_file(path, text)
    for name, text in texts.items():
        write_file(os.path.join(directory, name), text)
    write_state(directory, "ended" if options.dry_run else "running")
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
    """Yields each task as plan.json has it, one that runs with array and index of its element."""
    place = {task.name: (array.name, index) for array in arrays
             for index, members in array.elements.items() for task in members}
    for task in tasks:
        array, index = place.get(task.name, (task.array, task.index))
        kind, text, rebuild = why.get(task.name, Reason("", ""))
        yield task._replace(array=array, index=index, run=task.name in why, reason_kind=kind,
                            reason=text, rebuild=rebuild)._asdict()


def plan_text(record, tasks):
    """One key a line, and one task a line: it can be searched with grep."""
    head = [f"{json.dumps(key)}: {json.dumps(value, default=str)}" for key, value in record.items()]
    lines = ",\n  ".join(map(json.dumps, tasks))
    return "{" + ",\n ".join(head) + ',\n "tasks": [\n  ' + lines + "\n ]}\n"


def tasks_text(array, out):
    """The .tasks file of an array; a line that nobody uses is empty."""
    lines = array.lines
    return "".join((quoted(command_line(lines[at], out)) if at in lines else "") + "\n"
                   for at in range(max(lines) + 1))


def next_directory(out):
    """Returns the path of a new launch, OUT/launches/{UTC time}/. Its name sorts behind all that
    exist, also if this host's clock is behind: order never depends on clocks."""
    above = os.path.join(out, "launches")
    newest = max(os.listdir(above), default="") if os.path.isdir(above) else ""
    return os.path.join(above, max(datetime.now(timezone.utc).strftime(ID), newest + "1"))


def render(workflow, array, directory, options):
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
    """state: running while the launcher submits or runs tasks, then ended. If the disk is full, the
    work goes on without it."""
    record = {"state": state, "host": os.uname().nodename, "pid": os.getpid(),
              "process_started": process_started(os.getpid())}
    with suppress(Refusal):
        write_file(os.path.join(directory, "state.json"), json.dumps(record) + "\n")


def read_state(directory):
    """Returns state.json as a dict, with its age in seconds; {} if there is none."""
    path = os.path.join(directory, "state.json")
    try:
        return dict(read_json(path), age=time.time() - os.path.getmtime(path))
    except (FileError, OSError, TypeError, ValueError):
        return {}


def is_at_work(state):
    """Whether the process that wrote a state or a status lives; on another host its age decides."""
    if state.get("state") != "running":
        return False
    if state.get("host") != os.uname().nodename:
        return state.get("age", SILENT_AFTER) < SILENT_AFTER
    return process_started(state.get("pid")) == state.get("process_started") != ""


def withdraw(directory):
    """Takes back a plan that was never started: the directory is no launch any more."""
    write_state(directory, "ended")
    os.unlink(os.path.join(directory, "plan.json"))


def add_job(directory, array, job_id):
    """Records a job id at once: what is submitted must be known, whatever comes next."""
    with writing(), open(os.path.join(directory, "jobs.tsv"), "a", encoding="utf-8") as file:
        file.write(f"{array}\t{job_id}\n")


def read_jobs(directory):
    """Returns {array: job id, or 'id;cluster'} of a launch; a half-written last line is ignored."""
    try:
        with open(os.path.join(directory, "jobs.tsv"), encoding="utf-8", errors="replace") as file:
            return dict(re.findall(r"^([^\t\n]+)\t([0-9]+(?:;\S+)?)\n", file.read(), re.MULTILINE))
    except OSError:
        return {}


def create_once(out, files):
    """Creates {name in OUT: text}. Refusal if another launch was faster, with another text."""
    for name, text in files.items():
        path = os.path.join(out, name)
        with writing():
            os.makedirs(os.path.dirname(path), exist_ok=True)
            try:
                with open(path, "x", encoding="utf-8", errors="surrogateescape") as file:
                    file.write(text)
            except FileExistsError:
                if not has_content(path, text):
                    raise
