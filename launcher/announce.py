"""announce: what a launch prints: the plan before it starts, a dry run, the tables at its end."""
import os
import re
import shlex
import sys
from collections import Counter

from launcher import launch_directory, needs_run, submit, templates
from launcher.resources import asked, cost
from launcher.paths import HERE
from launcher.tasks import task_line
from launcher.terminal import counted

SHORT = 60      # seconds; a job that lasts no longer waits in the queue for more than it works


def print_plan(workflow, tasks, recovered, notes, options):
    """The plan in a sentence, before anything is started; recovered: a Recovery"""
    why, held = recovered.why, recovered.held
    for note in notes:
        print(note)
    own = [task for task in tasks if task.stage != "collect"]
    running = [task for task in own if task.name in why]
    stages = dict.fromkeys(task.stage for task in own)
    counts = ", ".join(f"{sum(task.stage == stage for task in running)} {stage}" for stage in stages)
    start = "dry run: " if options.dry_run else ""
    print(f"{workflow.program}: {start}{counted(len(own), 'task')} in {options.output_dir}: "
          f"{len(own) - len(running) - len(held)} done already, {len(running)} to run ({counts})"
          + (f", {len(held)} not repeated" if held else ""), flush=True)
    kinds = Counter(why[task.name].kind for task in running)
    for kind, words in needs_run.SUMMARY.items():
        if kinds[kind]:
            print(f"  {kinds[kind]} of these {words}", flush=True)
    for note in recovered.notes:
        print(note, flush=True)


def suggest_packing(tasks, arrays, tree, options):
    """A line if jobs would be better with several tasks each: earlier ones were short, or arrays had to be cut."""
    if options.executor != "slurm" or options.fuse or options.tasks_per_job:
        return
    statuses = [tree.status(task.name) for task in tasks if task.stage != "collect"]
    seconds = [status.get("seconds") for status in statuses if status and status["state"] == "done"]
    seconds = sorted(value for value in seconds if type(value) in (int, float))
    cut = any("." in array.name for array in arrays)
    if not cut and not (seconds and seconds[len(seconds) // 2] < SHORT):
        return
    why = "there are more tasks than an array may hold" if cut else \
        f"half of the {len(seconds)} tasks that are done here took less than {max(1, round(seconds[len(seconds) // 2]))} s"
    rows = not any(task.stage == "trial" for task in tasks)
    print(f"{why}: {'--fuse or ' if rows else ''}--tasks_per_job K queues fewer jobs for the same work", flush=True)


def print_cost(arrays, tree, options):
    """What it will take, before anything is submitted; of a first local run nobody asks."""
    said = cost.sentence(arrays, tree, options)
    if said != cost.UNKNOWN or options.executor == "slurm" or options.dry_run:
        print(said, flush=True)


def print_dry_run(workflow, arrays, directory, options):
    """What would be submitted, to be pasted into bash, and the first task of each stage."""
    print(f"dry run: everything is written in {directory}, nothing is started")
    for array in arrays:
        waits = f", waits for {', '.join(array.parents)} ({array.dependency})" if array.parents else ""
        more = " ".join(["", *asked.words_for(array.needs), *([f"--exclude={','.join(array.exclude)}"] if array.exclude else [])])
        print(f"  {array.name}: {sized(array)}, {os.path.relpath(array.template, templates.DIRECTORY)}{more}{waits}")
    first_of = {}
    for array in arrays:
        for task in array.tasks:
            first_of.setdefault(task.stage, task)
    for stage, task in first_of.items():
        print(f"first {stage}:\n  {task_line(task.words)}")
    for array in arrays:    # a broken template is found on a laptop, too
        templates.render(templates.read_template(array.template, options.model),
                         launch_directory.holes(workflow.name, array, directory, options), array.template)
    if options.executor == "slurm":
        print("to submit by hand, in bash:")
        for array in arrays:
            waits = submit.dependency_of(array, {other.name: f"${variable(other.name)}" for other in arrays})
            script = shlex.quote(os.path.join(directory, f"{array.name}.sbatch"))
            dependency = f"--dependency={waits} " if waits else ""
            print(f"  {variable(array.name)}=$(sbatch --parsable {dependency}{script})   # {sized(array)}")
    first = os.path.join(directory, arrays[0].name + ".tasks")
    print(f"one task by hand:\n  bash {shlex.quote(os.path.join(HERE, 'run_model.sh'))} --task {shlex.quote(first)} "
          f"{min(arrays[0].lines)}")
    return 0


def sized(array):
    """'15 tasks', or '165 tasks in 15 jobs'"""
    tasks, jobs = len(array.tasks), len(array.elements)
    return counted(tasks, "task") + (f" in {counted(jobs, 'job')}" if jobs < tasks else "")


def variable(array):
    """An array's name as a variable of bash."""
    return re.sub(r"\W", "_", array)


def again(workflow, options):
    return f"{shlex.quote(sys.executable)} {shlex.quote(os.path.join(HERE, f'{workflow.program}.py'))} " \
           f"--output_dir {shlex.quote(options.output_dir)}"


def print_summary(options):
    """What the collector has to say."""
    path = os.path.join(options.output_dir, "scores", "summary.txt")
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError:
        print(f"no tables yet: {path} does not exist")
        return
    print(text)
    report = os.path.join(options.output_dir, "report.html")
    print(f"tables: {os.path.dirname(path)}" + (f"\nreport: {report}" if os.path.exists(report) else ""), flush=True)
