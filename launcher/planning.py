"""planning: from the options to the arrays of a launch.

    check -> find_data -> workflow's plan -> with_collector -> look -> print_plan -> arrays_to_run
"""
import os
import re
import shutil
import sys
from collections import Counter

from core import rules
from core.errors import Refusal
from core.task import STAGES, command_line, quoted
from core.text import plural
from core.tree import ResultsTree
from launcher import benchmark, demo_data, improve_stages, slurm, templates
from launcher.options import BENCHMARK
from launcher.paths import MODEL_STAGES, check_output_dir, model_script, run_model
from launcher.tasks import arrays_of, rows_of


def check(workflow, options):
    """Refuses options that cannot work here; settles where the tasks run."""
    for stage in MODEL_STAGES:
        if stage in workflow.stages:
            model_script(options, stage)
    check_output_dir(options.output_dir)
    quoted([options.output_dir, options.model_dir, options.input_dir])
    choose_executor(options)
    check_environment(options)


def choose_executor(options):
    """Sets options.executor to slurm or local, and returns it. Not every sbatch has a cluster."""
    has_sbatch = shutil.which("sbatch")
    if options.executor == "slurm" and not has_sbatch and not options.dry_run:
        raise Refusal("--executor slurm, but there is no sbatch on this machine",
                      "log in to the cluster's login node, or add --executor local")
    if options.executor == "auto":
        options.executor = "slurm" if has_sbatch else "local"
        if has_sbatch and slurm.NO_CLUSTER in slurm.configuration()[1]:
            options.executor = "local"
            options.notes.append("sbatch is here, but no cluster is set up for it: the tasks run "
                                 "on this machine")
    for gpu in options.gpus:
        if not re.match(r"\d+$|GPU-|MIG-", gpu):
            raise Refusal(f"--gpus: {gpu!r} is no GPU", "give numbers or UUIDs, as in 0,1")
    if options.executor == "slurm" and options.gpus:
        raise Refusal("--gpus is for local runs; a job asks for its GPU in the template",
                      "switch on --gres=gpu:1 in slurm_templates, or add --executor local")
    return options.executor


def check_environment(options):
    """Activates the model's environment once, if this machine can: a mistake costs a second."""
    kind = options.env.partition(":")[0]
    if kind in ("none", "apptainer"):
        return
    can_be_tried = {"venv": True, "conda": "CONDA_EXE" in os.environ or shutil.which("conda"),
                    "module": "MODULESHOME" in os.environ or "LMOD_PKG" in os.environ}.get(kind)
    if not can_be_tried and (options.executor != "local" or options.dry_run):
        options.notes.append(f"--env {options.env} cannot be checked on this machine")
        return
    code, said = run_model("--check_env", options.env)
    if code != 0:
        raise Refusal(f"--env {options.env} cannot be activated on this machine: "
                      f"{' '.join(said.split())}", "name an environment that exists")


def find_data(options):
    """Returns the Benchmark of --input_dir; makes demo data if there is none."""
    if options.demo and not os.path.isdir(options.input_dir):
        try:
            demo_data.write_demo_data(options.input_dir)
        except OSError as error:
            raise Refusal("there is no benchmark, and demo data cannot be written to "
                          f"{options.input_dir} ({error.strerror})",
                          "--input_dir with a benchmark's raw_data, or a directory of yours")
    data = benchmark.read_benchmark(options)
    if data.synthetic:      # the summary says what that means
        why = f"./{BENCHMARK} does not exist, so " if options.demo else ""
        print(f"demo data: {why}this run uses the synthetic benchmark in {options.input_dir}")
    return data


def with_collector(tasks):
    """Returns the tasks and the collector behind them; Refusal."""
    if not tasks:
        raise Refusal("nothing to run", "other studies or splits, or no --only_cross_study")
    counts = Counter(task.name for task in tasks)
    name, count = counts.most_common(1)[0]
    if count > 1:
        raise Refusal(f"two tasks would write {name}",
                      "name fewer studies in one command, if a '-' in their names makes them one; "
                      "a workflow of your own puts each label into the task's name")
    for task in tasks:
        quoted(command_line(task, "/"))       # refuses control characters
    return tasks + [improve_stages.collect(list(counts))]


def look(tasks, data, options):
    """Returns ({task name: Reason} of what runs, fingerprints of the benchmark); --adopt happens
    here. Refusal if the tree is another run's, the benchmark has changed, or results that are done
    would be replaced unasked."""
    tree = ResultsTree(options.output_dir)
    # One OUT holds one workflow of one model, on splits of one type.
    asked = {name: getattr(options, name) for name in ("workflow", "model", "split_type")}
    for launch in tree.launches:
        arguments = launch.plan.get("arguments")
        found = {**(arguments if isinstance(arguments, dict) else {}), **launch.plan}
        for what, value in asked.items():
            if found.get(what) not in (None, value):
                raise Refusal(f"{options.output_dir} holds results of {what} {found[what]}, not "
                              f"{value}", "choose another --output_dir")
    adopt(tasks, tree, options)
    found = benchmark.check_unchanged(data, tasks, tree, options)
    why = rules.decide(tasks, tree, options.redo)
    options.notes += improve_stages.script_notes(tasks, tree) + tree.notes
    counts, differences = rules.replaced(tasks, why, tree)
    if counts and not options.replace:
        lost = " and ".join(f"{count} {stage}" for stage, count in counts.items())
        raise Refusal(f"{'; '.join(differences)}; {lost} results that are done would be replaced",
                      "add --replace to make them anew, or choose another --output_dir")
    if options.adopt_data:      # the plan of a launch says which data results are valid for
        why.setdefault("scores", rules.Reason("tables", "the data were taken as valid"))
    return why, found


def adopt(tasks, tree, options):
    """Refuses outputs of another program or an older version, unless --redo makes them anew; with
    --adopt, the runner judges them and writes their status."""
    stages = list(STAGES)
    redone = stages[stages.index(options.redo):] if options.redo else ()
    untracked = [task for task in tasks
                 if task.stage not in redone and rules.is_untracked(task, tree)]
    if not untracked:
        return
    if not options.adopt:
        what = "holds outputs without a stage_status.json"
        if any(tree.status(task.name) for task in untracked):
            what = "was written by an older version of these launchers"
        raise Refusal(f"{options.output_dir} {what}: {plural(len(untracked), 'task')}, "
                      f"{untracked[0].name} first", "--adopt to take them as done, --redo STAGE "
                      "to make them anew, or choose another --output_dir")
    complete = 0
    for task in untracked:
        complete += run_model("--judge", *command_line(task, tree.out))[0] == 0
        tree.status(task.name, again=True)
    print(f"adopted {plural(complete, 'output')}; {len(untracked) - complete} not complete, "
          "to be run")


def print_plan(tasks, why, options):
    """The plan in a sentence, before anything is started."""
    own = [task for task in tasks if task.stage != "collect"]
    to_run = [task for task in own if task.name in why]
    counts = Counter(task.stage for task in to_run)
    stages = ", ".join(f"{counts[stage]} {stage}" for stage in dict.fromkeys(
        task.stage for task in own))
    start = f"workflow_{options.workflow}: {'dry run: ' if options.dry_run else ''}"
    print(f"{start}{plural(len(own), 'task')} in {options.output_dir}: "
          f"{len(own) - len(to_run)} done already, {len(to_run)} to run ({stages})")
    names = {}      # kind of reason -> tasks
    for task in to_run:
        names.setdefault(why[task.name].kind, []).append(task.name)
    for kind, (first, *others) in names.items():
        if kind not in ("never_run", "running", "redo", "follows"):
            print(f"  {1 + len(others)} of these, {first} first: {why[first].text}")
    sys.stdout.flush()


def arrays_to_run(tasks, why, options):
    """Returns the arrays of the tasks that run."""
    largest = 10 ** 9       # without Slurm an array may be as long as it likes
    if options.executor == "slurm":
        largest = slurm.largest_array(may_guess=options.dry_run or options.check)
    return arrays_of([task for task in tasks if task.name in why],
                     lambda stage, source: templates.find_template(stage, source, options.model),
                     largest, options.tasks_per_job or 1, rows_of(tasks) if options.fuse else ())
