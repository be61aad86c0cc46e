"""launch_files: OUT/launches/{UTC time}/, one directory per launch, never rewritten.

    options, tasks, why they run, arrays -> *.tasks, *.sbatch, runs.tsv for the runners, plan.json

docs/files.md has each key. A dry run writes dry_plan.json instead of plan.json, which nobody reads.
"""
import json
import os
import sys
import time
from contextlib import contextmanager
from datetime import datetime, timezone

import launcher
from core.errors import FileError, Refusal
from core.files import write_whole
from core.rules import Reason
from core.task import command_line, quoted
from core.tree import process_started
from launcher import templates
from launcher.paths import HERE


@contextmanager
def writing():
    """Refusal if the disk does not take what is written."""
    try:
        yield
    except (FileError, OSError) as error:
        raise Refusal(f"a launch cannot be written: {error}",
                      "a disk with room that is yours, then the same command again")


@writing()
def write_file(path, text):
    """Writes a file whole, and its folder; Refusal."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    write_whole(path, text)


def write(options, data, tasks, why, arrays, files, found):
    """Fills a new launch directory and returns it; the plan comes last, so it is whole or none.
    files: {name in OUT: text} that tasks read besides the benchmark; found: its fingerprints"""
    # The name sorts behind all that exist, also if this host's clock is behind: order never depends
    # on clocks.
    above = os.path.join(options.output_dir, "launches")
    newest = max(os.listdir(above), default="") if os.path.isdir(above) else ""
    now = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S.%fZ")
    directory = os.path.join(above, max(now, newest + "1"))
    # Render first: errors in templates must surface before anything is written.
    texts = {f"{array.name}.sbatch": batch_script(array, directory, options)
             for array in arrays if options.executor == "slurm"}
    for array in arrays:
        lines = array.lines     # one that nobody uses is empty
        texts[f"{array.name}.tasks"] = "".join(
            (quoted(command_line(lines[at], options.output_dir)) if at in lines else "") + "\n"
            for at in range(max(lines) + 1))
    texts["runs.tsv"] = "".join(f"{name}\t{reason.kind}\t{'rebuild' if reason.rebuild else ''}\n"
                                for name, reason in why.items())
    with writing():
        os.makedirs(os.path.join(directory, "slurm"))
    for folder, named in ((options.output_dir, files), (directory, texts)):
        for name, text in named.items():
            write_file(os.path.join(folder, name), text)
    write_file(os.path.join(directory, "dry_plan.json" if options.dry_run else "plan.json"),
               plan_text(directory, options, data, tasks, why, arrays, found))
    return directory


def plan_text(directory, options, data, tasks, why, arrays, found):
    """The text of plan.json: a key a line and a task a line, so it can be searched with grep."""
    record = {
        "workflow": options.workflow, "launch": os.path.basename(directory),
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command": [sys.executable, os.path.abspath(sys.argv[0]), *sys.argv[1:]],
        "directory": os.getcwd(), "arguments": vars(options),
        "versions": {"python": sys.version.split()[0], "launcher": launcher.__version__},
        "model": options.model, "y_col_name": options.y_col_name, "synthetic": data.synthetic,
        "output_dir": options.output_dir, "input_dir": data.directory,
        "executor": options.executor, "host": os.uname().nodename, "pid": os.getpid(),
        "process_started": process_started(os.getpid()), "data_adopted": options.adopt_data,
        "fingerprints": found}
    place = {task.name: (array.name, index) for array in arrays
             for index, members in array.elements.items() for task in members}
    lines = []
    for task in tasks:
        array, index = place.get(task.name, (task.array, task.index))
        kind, text, rebuild = why.get(task.name, Reason("", ""))
        fields = task._replace(array=array, index=index, run=task.name in why, reason_kind=kind,
                               reason=text, rebuild=rebuild)._asdict()
        lines.append(json.dumps({key: value for key, value in fields.items() if value is not None}))
    head = [f"{json.dumps(key)}: {json.dumps(value, default=str)}" for key, value in record.items()]
    return "{" + ",\n ".join([*head, '"tasks": [\n  ' + ",\n  ".join(lines)]) + "\n ]}\n"


def batch_script(array, directory, options):
    """Returns the batch script of an array; Refusal."""
    return templates.render(array.template, options.model, {
        "JOB_NAME": f"{options.workflow}.{os.path.basename(directory)}.{array.name}",
        "ARRAY": array.indices + (f"%{options.max_running}" if options.max_running else ""),
        # Slurm expands % in this path: a doubled one stands for itself.
        "SLURM_OUTPUT": os.path.join(directory, "slurm").replace("%", "%%") + "/%x_%A_%a.out",
        "RUN_MODEL": os.path.join(HERE, "run_model.sh"),
        "TASKS": os.path.join(directory, f"{array.name}.tasks"),
        "COUNT": str(array.count),
        "PYTHON": sys.executable,
        "TEMPLATE": os.path.relpath(array.template, HERE)})
