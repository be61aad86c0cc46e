"""launch: the steps of a launch, in their order. A workflow brings its parser and its plan.

    parse (options) -> check (planning) -> plan (the workflow, core/rules) -> write (launch_files)
        -> submit (slurm) or run (local)

Nothing before `write` changes anything in OUT, but for --adopt; a dry run stops before the last
step.
"""
import os
import signal
import sys
from typing import Callable, NamedTuple

from core.errors import Refusal
from core.text import Output, plural
from core.tree import ResultsTree
from launcher import (announce, check, launch_files, local, options as command_line, planning,
                      queue, slurm, status)
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

    @property
    def program(self):
        return f"workflow_{self.name}"


def main(workflow, argv=None):
    """Runs a workflow and returns its exit code; the only place that catches a Refusal."""
    stdout, sys.stdout = sys.stdout, Output(sys.stdout)
    try:
        code = run(workflow, argv)
        sys.stdout.flush()
        return code
    except (Refusal, slurm.SlurmError) as error:
        refusal = error if isinstance(error, Refusal) else slurm.no_answer(error)
        sys.stderr.write(refusal.text(workflow.program))
        return 2
    except BrokenPipeError:     # `| head` has read enough
        sys.stdout.broken = True
        return 141
    except KeyboardInterrupt as stopped:        # of a local run: with the number of its signal
        sys.stderr.write(f"\n{workflow.program}: stopped; the same command (without --redo) goes "
                         "on with what is missing\n")
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
        return status.show(workflow.name, options, announce.again(workflow, options))
    if options.cancel:
        return queue.cancel(options)
    planning.check(workflow, options)
    data = planning.find_data(options)
    plan = workflow.plan(options, data)
    tasks = planning.with_collector(plan.tasks)
    tree, why, found = planning.look(workflow, tasks, data, options)
    notes = [*options.notes, *plan.notes, *tree.notes]
    announce.print_plan(workflow, tasks, why, notes, options)
    if not why:
        announce.print_summary(options)
        return 0
    planning.refuse_replacement(tasks, why, tree, options)
    arrays = planning.arrays_to_run(tasks, why, options)
    directory = launch_files.write(workflow.name, options, data, tasks, why, arrays, plan.files,
                                   found)
    if options.dry_run:
        return announce.print_dry_run(arrays, directory, options)
    return start(workflow, why, arrays, directory, options, plan.once)


# ---- submit or run

def start(workflow, why, arrays, directory, options, once):
    """Submits or runs a launch that is written, unless somebody runs its tasks; returns the exit
    code. once: {name in OUT: text} of files to create, and never to write again"""
    queued = queue.look(ResultsTree(options.output_dir))
    try:
        stranded = status.refuse_busy(why, queued)
        if options.executor == "slurm":
            slurm.test_scripts(arrays, directory)
        if stranded:
            slurm.cancel(stranded)
            print(f"cancelled {plural(len(stranded), 'element')} of older launches whose parents "
                  "failed")
        launch_files.create_once(options.output_dir, once)
    except (Refusal, slurm.SlurmError):
        launch_files.withdraw(directory)
        raise
    if options.executor == "slurm":
        return submit(workflow, arrays, directory, options)
    try:
        local.run(arrays, directory, options)
    finally:
        launch_files.write_state(directory, "ended")
    return finish(directory, options)


def submit(workflow, arrays, directory, options):
    """Submits the arrays; returns the exit code."""
    jobs, error = slurm.submit_arrays(arrays, directory)
    if error and not jobs and not getattr(error, "may_be_submitted", False):
        launch_files.withdraw(directory)
        raise Refusal(f"array {arrays[0].name} was refused and nothing is submitted ({error})",
                      slurm.FEWER)
    announce.print_jobs(workflow, arrays, jobs, error, options)
    if error:
        return 1
    return finish(directory, options) if options.wait else 0


def finish(directory, options):
    """Waits for the jobs of a launch, prints the tables and what failed; returns the exit code."""
    tree = ResultsTree(options.output_dir)
    launch = next(launch for launch in tree.launches if launch.directory == directory)
    if options.executor == "slurm":
        queue.wait(tree, launch)
        tree = ResultsTree(options.output_dir)
    announce.print_summary(options)
    planned = {task.name for task in launch.tasks}
    # Another launch of the same OUT may collect once more: its collector is not ours to wait for.
    states = [state for state in status.survey(queue.look(tree)) if state.name in planned
              and not (state.stage == "collect" and state.state in ("queued", "running"))]
    code = status.exit_code(states)
    for line in status.failures(states) + [status.WAY_ON] * (code == 1):
        print(line, file=sys.stderr)
    return code
