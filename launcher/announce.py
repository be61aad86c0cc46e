"""announce: what a launch prints: the plan before it starts, a dry run, the jobs, the tables at its
end."""
import os
import re
import shlex
import sys
from collections import Counter

from core import rules
from core.text import plural
from launcher import slurm, templates
from launcher.paths import HERE


def print_plan(workflow, tasks, why, notes, options):
    """The plan in a sentence, before anything is started."""
    for note in notes:
        print(note)
    own = [task for task in tasks if task.stage != "collect"]
    running = [task for task in own if task.name in why]
    stages = dict.fromkeys(task.stage for task in own)
    counts = ", ".join(f"{sum(task.stage == stage for task in running)} {stage}"
                       for stage in stages)
    start = "dry run: " if options.dry_run else ""
    print(f"{workflow.program}: {start}{plural(len(own), 'task')} in {options.output_dir}: "
          f"{len(own) - len(running)} done already, {len(running)} to run ({counts})", flush=True)
    kinds = Counter(why[task.name].kind for task in running)
    for kind, sentence in rules.SUMMARY.items():
        if kinds[kind]:
            print(f"  {kinds[kind]} of these {sentence}", flush=True)


def print_dry_run(arrays, directory, options):
    """The arrays, for Slurm as commands that can be pasted into bash; returns 0."""
    print(f"dry run: everything is written in {directory}, nothing is started")
    for array in arrays:
        start = (submission(array, arrays, directory) + "   #" if options.executor == "slurm"
                 else f"{array.name}:")
        template = os.path.relpath(array.template, templates.DIRECTORY)
        print(f"  {start} {sized(array)}, {template}")
    first = os.path.join(directory, arrays[0].name + ".tasks")
    print(f"one task by hand:\n  bash {shlex.quote(os.path.join(HERE, 'run_model.sh'))} --task "
          f"{shlex.quote(first)} {min(arrays[0].lines)}")
    return 0


def submission(array, arrays, directory):
    """'train=$(sbatch --parsable --dependency=aftercorr:$preprocess_0 .../train.sbatch)'"""
    variables = {other.name: re.sub(r"\W", "_", other.name) for other in arrays}
    waits = slurm.dependency_of(array, {name: f"${variables[name]}" for name in variables})
    dependency = f"--dependency={waits} " if waits else ""
    script = shlex.quote(os.path.join(directory, f"{array.name}.sbatch"))
    return f"{variables[array.name]}=$(sbatch --parsable {dependency}{script})"


def sized(array):
    return f"{plural(len(array.tasks), 'task')} in {plural(len(array.elements), 'job')}"


def again(workflow, options):
    """The start of a command about this run."""
    script = os.path.join(HERE, f"{workflow.program}.py")
    return " ".join(map(shlex.quote, [sys.executable, script, "--output_dir", options.output_dir]))


def print_jobs(workflow, arrays, jobs, error, options):
    """The jobs that were submitted, the commands that show and cancel them, and what Slurm did not
    take, with its error."""
    for array in arrays:
        if array.name in jobs:
            print(f"submitted {array.name}: job {jobs[array.name]}, {sized(array)}")
    print(f"status: {again(workflow, options)} --status")
    print(f"cancel: {again(workflow, options)} --cancel", flush=True)
    left = [array for array in arrays if array.name not in jobs]
    if error:
        sys.stderr.write(f"{workflow.program}: error: Slurm refused array {left[0].name} "
                         f"({error}); {plural(len(left), 'array')} not submitted\n"
                         f"  try: {slurm.FEWER}\n")


def print_summary(options):
    """What the collector says."""
    path = os.path.join(options.output_dir, "scores", "summary.txt")
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError:
        print(f"no tables yet: {path} does not exist")
        return
    print(text)
    report = os.path.join(options.output_dir, "report.html")
    print(f"tables: {os.path.dirname(path)}" + (f"\nreport: {report}" if os.path.exists(report)
                                                else ""), flush=True)
