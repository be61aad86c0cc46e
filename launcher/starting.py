"""starting: submits a launch to Slurm, or runs it here, and says what came of it.

    written launch -> nobody else has its tasks? -> sbatch per array / local run -> tables, problems, exit code
"""
import os
import shlex
import sys

from launcher import launches, live, local, resume, slurm, status, watch
from launcher.options import HERE
from launcher.refusal import Refusal


def start(workflow, tasks, arrays, directory, options):
    """Submits or runs a launch that is written; returns the exit code."""
    make_way(options, tasks, arrays, directory)
    return (submit_and_watch if options.executor == "slurm" else run_here)(workflow, arrays, directory, options)


def make_way(options, tasks, arrays, directory):
    """Refuses what is in a live launch; cancels elements of older ones that wait for ever."""
    on_slurm = options.executor == "slurm"
    # Any number of launches may collect; the last one's tables stand.
    names = [task.name for array in arrays for task in array.elements.values() if task.stage != "collect"]
    try:
        stranded = live.refuse_live(options.output_dir, names, slurm.queue if on_slurm else list, directory)
        launches.write_state(directory, "submitting" if on_slurm else "running")
        refuse_ended(tasks, names, options)
        if stranded:
            slurm.cancel(stranded)
            print(f"cancelled {len(stranded)} elements of older launches whose parents failed")
    except (Refusal, slurm.SlurmError) as error:
        launches.withdraw(directory)
        if isinstance(error, Refusal):
            raise
        raise Refusal(f"the Slurm controller does not answer ({error})", "the same command again later")


def refuse_ended(tasks, names, options):
    """Another launch may have ended these tasks after they were planned here: nothing runs twice."""
    still = resume.decide(tasks, options.output_dir, options.redo)
    ended = [name for name in names if name not in still]
    if ended:
        raise Refusal(f"{len(ended)} of these tasks have just been done by another launch, {ended[0]} first",
                      "the same command again")


def submit_and_watch(workflow, arrays, directory, options):
    jobs, error = submit(workflow, arrays, directory)
    if error and not jobs and not slurm.may_be_taken(error):
        launches.withdraw(directory)
        raise Refusal(f"array {arrays[0].name} was refused and nothing is submitted ({error})", FEWER)
    print_jobs(arrays, jobs)
    print(f"look:   {again(workflow, options)} --status")
    print(f"cancel: {again(workflow, options)} --cancel", flush=True)
    if error:
        say_left([array for array in arrays if array.name not in jobs], jobs, error, workflow)
        return 1
    if not options.wait:
        return 0
    watch.wait(options.output_dir, directory)
    return conclude(workflow, directory, options)


FEWER = "the same command later; where an array alone is more than your job limit: --max_array N"


def say_left(left, jobs, error, workflow):
    """What was not submitted, why, and how it goes on."""
    sys.stderr.write(
        f"workflow_{workflow}: error: not everything is submitted ({error}); {len(jobs)} arrays are, "
        f"{sum(len(array.elements) for array in left)} tasks are not: {', '.join(array.name for array in left)}\n"
        f"  try: --cancel, or, when those have ended, {FEWER}\n")


def submit(workflow, arrays, directory):
    """Submits the arrays, parents first, and what can still go where one was refused.

    Returns ({array: job id}, the first error or None). Nothing is submitted whose
    parents are not, so no element waits for one that never comes; the collector takes
    what there is.
    """
    jobs, errors = {}, []
    for array in arrays:
        if not can_go(array, jobs):
            continue
        try:
            launches.write_state(directory, "submitting")
            jobs[array.name] = submit_array(workflow, array, jobs, directory)
            launches.add_job(directory, array.name, jobs[array.name])
        except (slurm.SlurmError, Refusal) as error:
            errors.append(error)
            if isinstance(error, Refusal) or slurm.may_be_taken(error):
                break  # a full disk or a silent controller: the next one would fare no better
    launches.note_state(directory, "submitted")
    return jobs, (errors or [None])[0]


def can_go(array, jobs):
    there = [parent in jobs for parent in array.parents]
    return any(there) or not there if array.stage == "collect" else all(there)


def submit_array(workflow, array, jobs, directory):
    """One sbatch call; returns the job id, raises SlurmError."""
    waits_for = [jobs[parent] for parent in array.parents if parent in jobs]
    dependency = ":".join([array.dependency, *waits_for]) if waits_for else ""
    return slurm.submit(os.path.join(directory, f"{array.name}.sbatch"), dependency,
                        live.job_name(workflow, directory, array.name))


def print_jobs(arrays, jobs):
    width = max(len(array.name) for array in arrays)
    print(f"{'array':<{width}}  {'job':>9}  tasks")
    for array in arrays:
        if array.name in jobs:
            print(f"{array.name:<{width}}  {jobs[array.name]:>9}  {len(array.elements)}")


def again(workflow, options):
    return f"{shlex.quote(sys.executable)} {shlex.quote(os.path.join(HERE, f'workflow_{workflow}.py'))} " \
           f"--output_dir {shlex.quote(options.output_dir)}"


def run_here(workflow, arrays, directory, options):
    jobs = options.jobs or os.cpu_count() or 1
    launches.write_state(directory, "running")
    progress = local.Progress(directory, sum(len(array.elements) for array in arrays))
    try:
        local.run(arrays, directory, jobs, options.retries, progress)
    finally:
        launches.note_state(directory, "ended")
    return conclude(workflow, directory, options)


def conclude(workflow, directory, options):
    """Prints the tables and what failed; 0 where every task of this launch is done."""
    print_summary(options.output_dir)
    elements = watch.queue_or_none() if options.executor == "slurm" else []
    plan = launches.read_json(os.path.join(directory, "plan.json"))
    names = {task["name"] for task in plan["tasks"]}
    states = [state for state in status.survey(options.output_dir, elements) if state.name in names]
    if all(state.state == "done" for state in states):
        return 0
    sys.stderr.write(status.problems(states) + f"\nworkflow_{workflow}: "
                     f"{sum(state.state != 'done' for state in states)} of {len(states)} tasks are not done; "
                     "the same command runs them again\n")
    return 1


def print_summary(out):
    """What the collector has to say."""
    try:
        with open(os.path.join(out, "scores", "summary.txt"), encoding="utf-8") as file:
            text = file.read()
    except OSError:
        print(f"no tables yet: {os.path.join(out, 'scores', 'summary.txt')} is not there")
        return
    encoding = sys.stdout.encoding or "ascii"
    print(text.encode(encoding, "replace").decode(encoding))
    report = os.path.join(out, "report.html")
    print(f"tables: {os.path.join(out, 'scores')}" + (f"\nreport: {report}" if os.path.exists(report) else ""), flush=True)
