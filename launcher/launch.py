"""launch: the verbs of a launch, in their order. A workflow brings its parser and its plan.

    parse (options) -> check (surroundings) -> plan (the workflow, needs_run) -> write (launch_directory)
        -> submit or run locally

Nothing before `write` changes anything in OUT, but for --adopt; a dry run stops before the last step.
"""
import gc
import os
import sys
from typing import Callable, NamedTuple, Tuple

from launcher import announce, conflicts, fingerprints, launch_directory, needs_run, planning, progress
from launcher.resources import recovery
from launcher import options as command_line
from launcher import replacement, slurm, status, submit, surroundings, survey, wait
from launcher.refusal import Refusal, Stopped
from launcher.results_tree import ResultsTree
from launcher.terminal import Output, counted


class Workflow(NamedTuple):
    """What a workflow_*.py brings. plan: (options, Benchmark) -> Plan; stages: what --redo offers;
    train_words: options -> what train is given by tasks that have it not among their own words, for --check."""
    name: str
    stages: Tuple[str, ...]
    parser: Callable
    plan: Callable
    train_words: Callable = lambda options: []

    @property
    def program(self):
        return f"workflow_{self.name}"


def main(workflow, argv=None):
    """Runs a workflow and returns its exit code; the only place that catches a Refusal."""
    stdout, sys.stdout = sys.stdout, Output(sys.stdout)
    gc.disable()    # to look for cycles in 100,000 tasks takes a fifth of the time, and there are none
    try:
        code = run(workflow, argv)
        sys.stdout.flush()
        return code
    except Refusal as refusal:
        sys.stderr.write(refusal.text(workflow.program))
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())  # `| head` has read enough
        return 141
    except KeyboardInterrupt:
        redo = any(word.startswith("--redo") for word in (sys.argv if argv is None else argv))
        sys.stderr.write(f"\n{workflow.program}: stopped; the same command{' without --redo' if redo else ''} "
                         "goes on with what is missing\n")
        return 130
    except Stopped as stopped:
        sys.stderr.write(f"\n{workflow.program}: stopped by a signal; the same command goes on with what is missing\n")
        return 128 + stopped.args[0]
    finally:
        if sys.stdout.broken and stdout is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())  # nor does Python complain at its end
        sys.stdout = stdout


def run(workflow, argv):
    """The verbs in their order; returns the exit code."""
    options = command_line.parse(workflow.parser(), argv)
    looked = look(workflow, options)
    if looked is not None:
        return looked
    surroundings.check(workflow, options)
    data = planning.find_data(options)
    plan = workflow.plan(options, data)
    tasks = planning.with_collector(plan.tasks, options)
    tree = planning.results_tree(options.output_dir, tasks)
    planning.refuse_other_owner(tree, workflow, options)
    adoptable = planning.untracked_outputs(tasks, tree, options)
    if options.adopt and not options.dry_run:
        planning.adopt(tasks, adoptable)
        tree = planning.results_tree(options.output_dir, tasks)
    elif options.adopt:
        print(f"dry run: --adopt would judge {counted(len(adoptable), 'output')} and take those that are whole as done")
    found = fingerprints.take(data, tasks, options, tree)
    missing = planning.tasks_to_run(tasks, tree, found, options)
    if options.adopt and options.dry_run:
        missing = needs_run.without_unneeded(
            tasks, {name: reason for name, reason in missing.items() if name not in adoptable}, tree)
    recovered = recovery.judge(tasks, missing, tree, options)
    why = recovered.why
    notes = [*options.notes, *plan.notes, *fingerprints.script_notes(found, tasks, tree)]
    announce.print_plan(workflow, tasks, recovered, notes, options)
    if not why and not options.adopt_data:
        return finish(workflow, None, options) or int(bool(recovered.held))
    replacement.confirm(tasks, why, tree, options)
    arrays = planning.arrays_to_run(tasks, recovered, options)
    announce.suggest_packing(tasks, arrays, tree, options)
    announce.print_cost(arrays, tree, options)
    directory = launch_directory.write(workflow.name, options, data, tasks, why, arrays, plan.files, found)
    if not why:
        launch_directory.note_state(directory, "ended")     # it says which data the results are valid for
        return finish(workflow, None, options)
    if options.dry_run:
        return announce.print_dry_run(workflow, arrays, directory, options)
    return start(workflow, why, arrays, directory, options, plan.once)


def look(workflow, options):
    """The exit code of what only looks at a run, or ends it; None if that is not asked for."""
    # Imported here, since every other command starts sooner without them.
    if options.advise is not None:
        from launcher.resources import advise
        return advise.main(options)
    if options.resources:
        from launcher.resources import show_usage
        return show_usage.show(options)
    if options.check:
        from launcher.checking import check
        return check.show(workflow, options)
    if options.tail or isinstance(options.status, str):
        from launcher import story
        return story.tail(options) if options.tail else story.show(options)
    if options.status:
        return status.show(workflow.name, options, announce.again(workflow, options))
    if options.cancel:
        from launcher import cancel
        return cancel.cancel(options)
    return None


# ---------------------------------------------------------------- submit or run

def start(workflow, why, arrays, directory, options, once):
    """Submits or runs a launch that is written; returns the exit code. once: files to create, {name in OUT: text}"""
    gc.enable()     # a local run may take days
    try:
        stranded, running = find_conflicts(why, directory, options)
        created = [] if running else prepare(stranded, arrays, directory, options, once)
    except (Refusal, slurm.SlurmError) as error:
        launch_directory.withdraw(directory)
        if isinstance(error, Refusal):
            raise
        raise Refusal(f"the Slurm controller does not answer ({error})", "give the same command again later")
    if running:
        launch_directory.withdraw(directory)
        return wait_and_finish(workflow, running, options)
    if options.executor == "slurm":
        return submit_and_watch(workflow, arrays, directory, options, created)
    return run_here(workflow, arrays, directory, options)


def find_conflicts(why, directory, options):
    """(keys of elements of older launches that wait for ever, the Launch to attach to or None); raises Refusal for
    what somebody runs. --wait attaches to a launch that has the tasks in the queue already."""
    tree = ResultsTree(options.output_dir)
    launchers = conflicts.launchers_at_work(tree, directory)
    elements = conflicts.elements_of_others(tree, directory)
    try:
        return conflicts.refuse(tree, [name for name in why if name != "scores"], elements, launchers), None
    except Refusal:
        running = conflicts.launch_in_queue(tree, directory, elements) if options.wait else None
        if running is None:
            raise
        return [], running


def prepare(stranded, arrays, directory, options, once):
    """All that comes right before the first submission; returns the paths of the files that it created."""
    if options.executor == "slurm":
        submit.test_scripts(arrays, directory)
    launch_directory.write_state(directory, "submitting" if options.executor == "slurm" else "running")
    if stranded:
        slurm.cancel(stranded)
        print(f"cancelled {counted(len(stranded), 'element')} of older launches whose parents failed")
    return launch_directory.create_once(options.output_dir, once)


def submit_and_watch(workflow, arrays, directory, options, created):
    jobs, error = submit.submit(workflow.name, arrays, directory)
    if error and not jobs and not slurm.may_have_been_submitted(error):
        launch_directory.withdraw(directory, created)
        raise Refusal(f"array {arrays[0].name} was refused and nothing is submitted ({error})", submit.FEWER)
    submit.print_jobs(arrays, jobs)
    print(f"look:   {announce.again(workflow, options)} --status")
    print(f"cancel: {announce.again(workflow, options)} --cancel", flush=True)
    if error:
        submit.print_not_submitted(arrays, jobs, error, workflow.name)
        return 1
    if not options.wait:
        return 0
    tree = ResultsTree(options.output_dir)
    return wait_and_finish(workflow, next(launch for launch in tree.launches if launch.directory == directory), options)


def wait_and_finish(workflow, launch, options):
    wait.wait(ResultsTree(options.output_dir), launch)
    return finish(workflow, launch.directory, options)


def run_here(workflow, arrays, directory, options):
    from launcher import local      # here, since what starts no task itself starts sooner without it
    try:
        local.run(arrays, directory, local.places_of(options), options.retries, progress.Progress(directory))
    finally:
        launch_directory.note_state(directory, "ended")
    return finish(workflow, directory, options)


def finish(workflow, directory, options):
    """Prints the tables and what failed; 0 if every task of this launch (None: of an earlier one) is done."""
    announce.print_summary(options)
    if directory is None:
        return 0
    tree = ResultsTree(options.output_dir)
    launch = next(launch for launch in tree.launches if launch.directory == directory)
    states = [state for state in survey.survey(tree, survey.ask_queue(tree)[0]) if state.name in launch.names]
    undone, number = not_done(states)
    if not undone:
        return 0
    verb = "is" if len(undone) == 1 else "are"
    sys.stderr.write(status.problems(undone) + f"\n{workflow.program}: {len(undone)} of {counted(number, 'task')} {verb} not done; "
                     f"{status.way_on(undone)}\n")
    stuck = survey.exit_code(states) == 4
    if stuck:
        sys.stderr.write(status.waiting(states) + "\n")
    return 4 if stuck else 1


def not_done(states):
    """(States of tasks that are not done, of how many tasks). The collector counts only if all others are done, and
    then not if another launch's is at work."""
    own = [state for state in states if state.stage != "collect"]
    undone = [state for state in own if state.state != "done"]
    if undone:
        return undone, len(own)
    collector = [state for state in states if state.state not in ("done", "running", "queued")]
    return collector, len(collector)
