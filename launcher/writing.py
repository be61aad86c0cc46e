"""writing: fills a launch directory.

    arrays + templates -> batch scripts; tasks -> .tasks files; all of it -> plan.json, last
"""
import os
import re
import shlex
import sys

from launcher import launches, live, templates
from launcher.options import HERE
from launcher.tasks import task_files


def render(workflow, arrays, directory, options):
    """{array name: batch script} for a launch in this directory; {} without Slurm. Raises Refusal."""
    if options.executor != "slurm":
        return {}
    texts = {array.template: templates.read_template(array.template) for array in arrays}
    return {array.name: templates.render(texts[array.template], values(workflow, array, directory, options), array.template)
            for array in arrays}


def values(workflow, array, directory, options):
    """What the holes of a template are filled with."""
    return {
        "JOB_NAME": live.job_name(workflow, directory, array.name),
        "ARRAY": array.indices,
        # Slurm expands % in this path: a doubled one stands for itself.
        "SLURM_OUTPUT": os.path.join(directory, "slurm").replace("%", "%%") + "/%x_%A_%a.out",
        "RUN_MODEL": os.path.join(HERE, "run_model.sh"),
        "TASKS": os.path.join(directory, f"{array.task_file}.tasks"),
        "PYTHON": sys.executable,
        "RETRIES": str(options.retries),
    }


def write(workflow, options, data, tasks, why, arrays, largest, files):
    """Fills a new launch directory and returns it; plan.json comes last, so that a launch is whole or none.

    files: {name in OUT: text} that the tasks read besides the benchmark
    """
    # Rendered once before anything is written, for the sake of its refusals.
    render(workflow, arrays, os.path.join(options.output_dir, "launches", "not_yet"), options)
    write_files(options.output_dir, files)
    directory = launches.new_directory(options.output_dir)
    launches.write_tasks(directory, task_files(tasks, largest))
    for name, text in render(workflow, arrays, directory, options).items():
        launches.write_whole(os.path.join(directory, f"{name}.sbatch"), text)
    launches.write_state(directory, "written" if options.dry_run else "checking")
    launches.write_plan(directory, launches.plan_record(workflow, options, data, placed(tasks, arrays), why, directory))
    return directory


def placed(tasks, arrays):
    """The tasks, those that run with the array and index that they have there."""
    place = {task.name: (array.name, index) for array in arrays for index, task in array.elements.items()}
    return [task._replace(array=place[task.name][0], index=place[task.name][1]) if task.name in place else task
            for task in tasks]


def write_files(out, files):
    """Those that stand there already stay."""
    for name, text in files.items():
        path = os.path.join(out, name)
        if not launches.holds(path, text):
            launches.write_whole(path, text)


def say_dry_run(arrays, directory, options):
    print(f"dry run: everything is written in {directory}, nothing is started")
    if options.executor == "slurm":
        print("what would be submitted, to be pasted into bash:")
        for array in arrays:
            waits = "".join(f":${variable(parent)}" for parent in array.parents)
            script = shlex.quote(os.path.join(directory, f"{array.name}.sbatch"))
            dependency = f"--dependency={array.dependency}{waits} " if waits else ""
            print(f"  {variable(array.name)}=$(sbatch --parsable {dependency}{script})   # {len(array.elements)} tasks")
    first = os.path.join(directory, arrays[0].task_file + ".tasks")
    print(f"one task by hand:\n  bash {shlex.quote(os.path.join(HERE, 'run_model.sh'))} --task {shlex.quote(first)} "
          f"{min(arrays[0].elements)}")
    return 0


def variable(array):
    """An array's name as a variable of bash."""
    return re.sub(r"\W", "_", array)
