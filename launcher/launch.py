"""launch: the steps of a launch, in their order. A workflow brings its options and plan.

    parse (options) -> check (planning) -> plan (the workflow, core/rules) -> write (launch_files)
        -> submit (slurm) or run (local)

Nothing before `write` changes anything in OUT, but for --adopt; a dry run stops after it.
"""
import os
import signal
import sys
from typing import Callable, NamedTuple

from core.errors import Refusal
from core.text import Output, plural
from core.tree import ResultsTree
from launcher import (check, launch_files, local, options as command_line, planning, queue, slurm,
                      status, templates)
from launcher.paths import MODEL_STAGES


class Workflow(NamedTuple):
    """What a workflow_*.py brings.

    header      of its file, also the help of its command; its end is examples, 'To do this:'
    plan        (options, Benchmark) -> Plan
    options     rows of the table in launcher/options that no other workflow has
    stages      the stages that --redo offers
    train_names options -> names of more arguments that trials pass to train, for --check
    """
    name: str
    header: str
    plan: Callable
    options: list = []
    stages: tuple = MODEL_STAGES
    train_names: Callable = lambda options: ()


def main(workflow, argv=None):
    """Runs a workflow and returns its exit code; a Refusal that gets here ends it."""
    stdout, sys.stdout, program = sys.stdout, Output(sys.stdout), f"workflow_{workflow.name}"
    try:
        code = run(workflow, argv)
        sys.stdout.flush()
        return code
    except (Refusal, slurm.SlurmError) as error:
        refusal = error if isinstance(error, Refusal) else slurm.no_answer(error)
        sys.stderr.write(refusal.text(program))
        return 2
    except BrokenPipeError:     # `| head` has read enough
        sys.stdout.broken = True
        return 141
    except KeyboardInterrupt as stopped:        # of a local run: with the number of its signal
        way = ("the same command (without --redo) goes on with what is missing" if stopped.args
               else "what was submitted goes on (--status, --cancel)")
        sys.stderr.write(f"\n{program}: stopped; {way}\n")
        return 128 + (stopped.args[0] if stopped.args else signal.SIGINT)
    finally:
        if sys.stdout.broken and stdout is not None:    # nor does Python complain at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())
        sys.stdout = stdout


def run(workflow, argv):
    """The steps in their order; returns the exit code."""
    options = command_line.parse(workflow, argv)
    if options.check:
        return check.show(workflow, options)
    if options.status:
        return status.show(options)
    if options.cancel:
        return queue.cancel(options)
    planning.check(workflow, options)
    data = planning.find_data(options)
    plan = workflow.plan(options, data)
    tasks = planning.with_collector(plan.tasks)
    why, found = planning.look(tasks, data, options)
    for note in (*options.notes, *plan.notes):
        print(note)
    planning.print_plan(tasks, why, options)
    if not why:
        print_summary(options)
        return 0
    arrays = planning.arrays_to_run(tasks, why, options)
    directory = launch_files.write(options, data, tasks, why, arrays, plan.files, found)
    if options.dry_run:
        return print_dry_run(arrays, directory)
    try:    # with the plan written: of two launchers at once, one sees the other's
        make_way(why, arrays, directory, options)
        for name, text in plan.once.items():
            launch_files.write_file(os.path.join(options.output_dir, name), text)
    except (Refusal, slurm.SlurmError):
        os.unlink(f"{directory}/plan.json")     # it is no launch any more
        raise
    if options.executor == "slurm":
        return submit(why, arrays, directory, options)
    local.run(arrays, directory, options)
    return finish(why, directory, options)


def print_dry_run(arrays, directory):
    """Prints the arrays and their templates; returns 0."""
    print(f"dry run: everything is written in {directory}, nothing is started")
    for array in arrays:
        template = os.path.relpath(array.template, templates.DIRECTORY)
        print(f"  {array.name}: {sized(array)}, {template}")
    return 0


def sized(array):
    return f"{plural(len(array.tasks), 'task')} in {plural(len(array.elements), 'job')}"


# ---- submit or run

def make_way(why, arrays, directory, options):
    """Refuses tasks that somebody runs, and wrong scripts; cancels what waits for ever."""
    stranded = status.refuse_busy(why, queue.look(ResultsTree(options.output_dir)))
    if options.executor == "slurm":
        slurm.test_scripts(arrays, directory)
    if stranded:
        slurm.cancel(stranded)
        print(f"cancelled {plural(len(stranded), 'element')} of older launches: a parent failed")


def submit(why, arrays, directory, options):
    """Submits the arrays, prints their jobs and what Slurm did not take; returns the exit code."""
    jobs, error = slurm.submit_arrays(arrays, directory)
    left = [array.name for array in arrays if array.name not in jobs]
    refusal = Refusal(f"{plural(len(left), 'array')} not submitted: {', '.join(left)} ({error})",
                      "the same command later, when fewer of your jobs are in the queue; "
                      "--tasks_per_job K or --fuse queues fewer")
    if error and not jobs and not isinstance(error, slurm.NoReply):
        os.unlink(f"{directory}/plan.json")
        raise refusal
    for array in arrays:
        if array.name in jobs:
            print(f"submitted {array.name}: job {jobs[array.name]}, {sized(array)}")
    print(f"status: {status.again(options)} --status\ncancel: {status.again(options)} --cancel",
          flush=True)
    if error:
        sys.stderr.write(refusal.text(f"workflow_{options.workflow}"))
        return 1
    return finish(why, directory, options) if options.wait else 0


def finish(why, directory, options):
    """Waits for the jobs of a launch, prints the tables and what failed; returns the exit code."""
    if options.executor == "slurm":
        queue.wait(ResultsTree(options.output_dir), os.path.basename(directory))
    print_summary(options)
    # Another launch of the same OUT may collect once more: its collector is not ours to wait for.
    states = [state for state in status.survey(queue.look(ResultsTree(options.output_dir)))
              if state.name in why
              and not (state.stage == "collect" and state.state in ("queued", "running"))]
    code = status.exit_code(states)
    for line in status.failures(states) + [status.WAY_ON] * (code == 1):
        print(line, file=sys.stderr)
    return code


def print_summary(options):
    """What the collector says."""
    path = os.path.join(options.output_dir, "scores", "summary.txt")
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError:
        print(f"no tables yet: {path} does not exist")
        return
    report = os.path.join(options.output_dir, "report.html")
    print(f"{text}\ntables: {os.path.dirname(path)}"
          + (f"\nreport: {report}" if os.path.exists(report) else ""), flush=True)
