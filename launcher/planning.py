"""planning: from the benchmark to the arrays of a launch.

    find_data -> the workflow's plan -> with_collector -> untracked_outputs -> tasks_to_run (needs_run) -> arrays_to_run
"""
import functools
import os
from collections import Counter

from launcher import benchmark, fingerprints, improve_stages, needs_run, slurm, templates
from launcher.resources import recovery
from launcher import options as command_line
from launcher.refusal import Refusal
from launcher.results_tree import ResultsTree
from launcher.tasks import Packing, arrays_of, rows_of, task_line
from launcher.terminal import counted

LOCAL_ARRAY = 10 ** 9   # without Slurm an array may be as long as it likes


def find_data(options):
    if options.demo and not os.path.isdir(options.input_dir):
        write_demo_data(options.input_dir)
    data = benchmark.read_benchmark(options.input_dir, options.y_col_name, options.split_type, options.y_data_file)
    if data.synthetic:      # the summary says what that means
        found = f"there is no ./{command_line.BENCHMARK}; " if options.demo else ""
        print(f"demo data: {found}the benchmark in {options.input_dir} is made up", flush=True)
    return data


def write_demo_data(directory):
    from launcher import demo_data      # here, since only a launch without data needs it
    try:
        demo_data.write_demo_data(directory)
    except OSError as error:
        raise Refusal(f"there is no benchmark, and demo data cannot be written to {directory} ({error.strerror})",
                      "name a benchmark's raw_data with --input_dir, or change to a directory of yours")


def with_collector(tasks, options):
    """The tasks and the collector behind them; raises Refusal if there are none, or two of one name."""
    if not tasks:
        raise Refusal("nothing to run", "choose more with --source and --split")
    names = [task.name for task in tasks]
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice:
        raise Refusal(f"two tasks would write {twice}", "name fewer studies in one command, if a '-' in their names makes them "
                      "one; in a workflow of your own, put each label into the task's name")
    for task in tasks:
        task_line(task.words)
    improve_stages.WORDS.clear()
    return tasks + [improve_stages.collect(options, names)]


def results_tree(out, tasks):
    """The ResultsTree of OUT, with the statuses of these tasks read."""
    tree = ResultsTree(out, tasks)
    tree.read_ahead([task.name for task in tasks])
    return tree


def refuse_other_owner(tree, workflow, options):
    """One OUT holds one workflow of one model, on splits of one type."""
    for launch in tree.launches:
        arguments = launch.plan.get("arguments")
        split_type = arguments.get("split_type", "split") if isinstance(arguments, dict) else "split"
        for what, there, asked in (("workflow", launch.plan["workflow"], workflow.name),
                                   ("model", launch.plan.get("model"), options.model),
                                   ("split type", split_type, options.split_type)):
            if there not in (None, asked):
                raise Refusal(f"{options.output_dir} holds results of {what} {there}, not {asked}",
                              "choose another --output_dir")


def untracked_outputs(tasks, tree, options):
    """Names of tasks whose outputs another program left; raises Refusal for them without --adopt."""
    untracked = needs_run.untracked_outputs(without_redone(tasks, options.redo), tree)
    if untracked and not options.adopt:
        raise Refusal(f"{options.output_dir} holds outputs without a stage_status.json: {counted(len(untracked), 'task')}, "
                      f"{untracked[0]} first", "--adopt to take them as done, --redo STAGE to make them anew, or choose another "
                      "--output_dir")
    return untracked


def tasks_to_run(tasks, tree, found, options):
    """{task name: Reason} of what is missing; raises Refusal for data that have changed. found: the fingerprints of now."""
    fingerprints.refuse_changed_data(found, tasks, tree, options)
    return needs_run.decide(tasks, tree, options.redo, fingerprints.changed_split_file(found, tree))


def without_redone(tasks, redo):
    """The tasks that --redo STAGE does not make anew: that stage and those behind it."""
    anew = set()
    for task in tasks:
        if task.stage == redo or anew.intersection(task.parents):
            anew.add(task.name)
    return [task for task in tasks if task.name not in anew]


def adopt(tasks, untracked):
    """Has the runner judge outputs that are there without a status, and write their status."""
    names = set(untracked)
    chosen = [task for task in tasks if task.name in names]
    from launcher import local      # here, since a launch that adopts nothing starts sooner without it
    whole = sum(local.adopt(task) for task in chosen)
    print(f"adopted {counted(whole, 'output')}; {len(chosen) - whole} not whole, to be run")


def arrays_to_run(tasks, recovered, options):
    """The arrays of the tasks that run."""
    why, largest = recovered.why, LOCAL_ARRAY
    if options.executor == "slurm":
        largest = min(largest_array(options), options.max_array or LOCAL_ARRAY)
    rows = rows_of(tasks) if options.fuse else {}

    @functools.lru_cache(maxsize=None)
    def template_of(stage, source):
        return templates.find_template(stage, source, options.model)
    needs = recovery.needs_of(why, tasks, lambda task: "row" if task.name in rows else task.stage, options)
    packing = Packing(template_of, largest, options.max_running, options.tasks_per_job or 1, rows, needs, recovered.excluded)
    return arrays_of([task for task in tasks if task.name in why], packing)


def largest_array(options):
    try:
        return slurm.largest_array()
    except Refusal:
        if not options.dry_run and not options.check:
            raise
        if options.dry_run:
            print(f"dry run: no Slurm controller answers, so MaxArraySize {slurm.DEFAULT_MAX_ARRAY} is assumed")
        return slurm.DEFAULT_MAX_ARRAY
