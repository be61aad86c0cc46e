"""launch_directory: OUT/launches/{UTC time}/, one directory per launch, never rewritten.

    plan.json   arguments, versions, every task, one a line; written last, whole (docs/files.md)
    *.tasks     one per array; line i + 1 is array index i, or element i has COUNT lines from i * COUNT + 1 on
    *.sbatch    rendered batch scripts
    runs.tsv    name and reason_kind of the tasks that this launch runs, for their runners
    jobs.tsv    array and job id, a line appended as each is submitted
    state.json  who launches, and whether submitting has ended; rewritten whole
    slurm/      the scheduler's own output

A dry run writes dry_plan.json instead of plan.json: nobody takes it for a launch.
"""
import json
import os
import sys

from launcher import plan_file, templates
from launcher.resources import asked
from launcher.paths import HERE
from launcher.refusal import Refusal
from launcher.tasks import task_line
from launcher.whole_file import has_content, write_pieces, write_whole

ID = "%Y%m%dT%H%M%S.%fZ"


# ----------------------------------------------------------------------- write

def write(workflow, options, data, tasks, why, arrays, files, found):
    """Fills a new launch directory and returns it; plan.json comes last, so that a launch is whole or none.

    files: {name in OUT: text} that the tasks read besides the benchmark; found: fingerprints
    """
    # Rendered once before anything is written, for the sake of its refusals.
    render(workflow, arrays, os.path.join(options.output_dir, "launches", "not_yet"), options)
    for name, text in files.items():
        path = os.path.join(options.output_dir, name)
        if not has_content(path, text):
            write_whole(path, text)
    directory = new_directory(options.output_dir)
    for array in arrays:
        write_tasks(directory, array)
    scripts = render(workflow, arrays, directory, options)
    for name, text in scripts.items():
        write_whole(os.path.join(directory, f"{name}.sbatch"), text)
    write_pieces(os.path.join(directory, "runs.tsv"), (f"{name}\t{reason.kind}\n" for name, reason in why.items()))
    write_state(directory, "written" if options.dry_run else "checking")
    record = dict(plan_file.plan_record(workflow, options, data, directory, found), asked=plan_file.asked_by(scripts))
    plan_file.write_plan(directory, record, plan_file.task_lines(tasks, arrays, why))
    return directory


def new_directory(out):
    """Makes OUT/launches/{UTC time}/ and returns its path. Nobody else gets the same, and its name
    sorts behind all that exist, also if this host's clock is behind: order never depends on clocks."""
    while True:
        path = os.path.join(out, "launches", next_id(all_of(out)))
        try:
            os.makedirs(os.path.join(path, "slurm"))
            return path
        except FileExistsError:
            continue
        except OSError as error:
            raise Refusal(f"{path} cannot be written ({error.strerror})", "--output_dir with a directory of yours")


def next_id(directories):
    from datetime import datetime, timedelta, timezone      # here, since what only looks starts sooner without it
    now = datetime.now(timezone.utc).strftime(ID)
    newest = os.path.basename(directories[-1]) if directories else ""
    if now > newest:
        return now
    try:
        return (datetime.strptime(newest, ID) + timedelta(microseconds=1)).strftime(ID)
    except ValueError:      # a directory of another name
        return newest + "1"


def render(workflow, arrays, directory, options):
    """{array name: batch script} for a launch in this directory; {} without Slurm. Raises Refusal."""
    if options.executor != "slurm":
        return {}
    texts = {array.template: templates.read_template(array.template, options.model) for array in arrays}
    for array in arrays:
        templates.check_count(texts[array.template], array.count, array.template, options.tasks_per_gpu)
    return {array.name: asked.with_needs(templates.render(
        texts[array.template], holes(workflow, array, directory, options), array.template), array.needs, array.exclude)
            for array in arrays}


def holes(workflow, array, directory, options):
    """What the holes of a template are filled with."""
    return {
        "JOB_NAME": job_name(workflow, directory, array.name),
        "ARRAY": array.indices,
        # Slurm expands % in this path: a doubled one stands for itself.
        "SLURM_OUTPUT": os.path.join(directory, "slurm").replace("%", "%%") + "/%x_%A_%a.out",
        "RUN_MODEL": os.path.join(HERE, "run_model.sh"),
        "TASKS": os.path.join(directory, f"{array.name}.tasks"),
        "COUNT": str(array.count),
        "PYTHON": sys.executable,
        "RETRIES": str(options.retries),
        "TASKS_AT_ONCE": str(options.tasks_per_gpu),
    }


def job_name(workflow, directory, array):
    return f"{workflow}.{os.path.basename(directory)}.{array}"


def write_tasks(directory, array):
    """The .tasks file of an array; a line that nobody uses is empty."""
    lines = array.lines
    write_pieces(os.path.join(directory, f"{array.name}.tasks"),
                 ((task_line(lines[at].words) if at in lines else "") + "\n" for at in range(max(lines) + 1)))


def write_state(directory, state):
    """state: checking, submitting or running while the launcher lives, then submitted or ended."""
    record = {"state": state, "host": os.uname().nodename, "pid": os.getpid()}
    write_whole(os.path.join(directory, "state.json"), json.dumps(record) + "\n")


def note_state(directory, state):
    """A sign of life or a last word: if the disk is full, the work goes on without it."""
    try:
        write_state(directory, state)
    except Refusal:
        pass


def withdraw(directory, created=()):
    """Takes back a plan that was never started, and the files it created: the directory is no launch any more."""
    for path in created:
        os.unlink(path)
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


def create_once(out, files):
    """Creates {name in OUT: text}, each whole; returns their paths. Raises Refusal if another launch was faster."""
    created = []
    for name, text in files.items():
        path = os.path.join(out, name)
        temporary = f"{path}.{os.getpid()}.new"
        write_whole(temporary, text)
        try:
            os.link(temporary, path)
            created.append(path)
        except OSError as error:
            if not has_content(path, text):
                raise Refusal(f"{path} cannot be created ({error.strerror})", "the same command again, when nobody else starts one")
        finally:
            os.unlink(temporary)
    return created


# ------------------------------------------------------------------------ read

def all_of(out):
    """Every directory in OUT/launches, oldest first."""
    above = os.path.join(out, "launches")
    try:
        return [os.path.join(above, name) for name in sorted(os.listdir(above))]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise Refusal(f"{above} cannot be read ({error.strerror})", "an --output_dir that you may read")


def read_jobs(directory):
    """{array: job id} of a launch; a half-written last line is ignored."""
    try:
        with open(os.path.join(directory, "jobs.tsv"), encoding="utf-8", errors="replace") as file:
            rows = [line.rstrip("\n").split("\t") for line in file if line.endswith("\n")]
    except OSError:
        return {}
    return {row[0]: row[1] for row in rows if len(row) == 2 and row[1].isdigit()}
