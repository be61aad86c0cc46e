"""launch: the verbs of a launch, in their order. A workflow brings its parser and its plan.

    parse (options) -> check -> plan (the workflow, resume) -> render, write (writing) -> submit or run (starting)

Nothing before `write` changes anything in OUT, but for --adopt; a dry run stops before the last step.
"""
import os
import shutil
import sys
from collections import Counter

from launcher import benchmark, demo_data, local, look, options as command_line, resume, slurm, stage_words, starting
from launcher import templates, writing
from launcher.options import HERE
from launcher.refusal import Refusal
from launcher.tasks import Task, arrays_of, task_line

TEMPLATES = os.path.join(HERE, "slurm_templates")
LOCAL_ARRAY = 10 ** 9   # without Slurm an array may be as long as it likes


def main(workflow, parser, plan, argv=None):
    """Runs a workflow and returns its exit code; the only place that catches a Refusal."""
    try:
        return run(workflow, parser, plan, argv)
    except Refusal as refusal:
        sys.stderr.write(refusal.text(f"workflow_{workflow}"))
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `| head` has read enough
        return 141
    except KeyboardInterrupt:
        sys.stderr.write(f"\nworkflow_{workflow}: stopped; the same command goes on with what is missing\n")
        return 130
    except local.Stopped as stopped:
        sys.stderr.write(f"\nworkflow_{workflow}: stopped by a signal; the same command goes on with what is missing\n")
        return 128 + stopped.args[0]


def run(workflow, parser, plan, argv):
    """The verbs in their order; returns the exit code."""
    options = command_line.parse(parser, argv)
    if options.status:
        return look.show_status(workflow, options, starting.again(workflow, options))
    if options.cancel:
        return look.cancel(workflow, options)
    check(options)
    data = find_data(options)
    wanted = plan(options, data)
    tasks = with_collector(wanted.tasks, options)
    why = what_runs(tasks, options)
    say_plan(workflow, tasks, why, [*options.notes, *wanted.notes], options)
    if not why:
        starting.print_summary(options.output_dir)
        return 0
    arrays, largest = arrays_to_run(tasks, why, options)
    directory = writing.write(workflow, options, data, tasks, why, arrays, largest, wanted.files)
    if options.dry_run:
        return writing.say_dry_run(arrays, directory, options)
    return starting.start(workflow, tasks, arrays, directory, options)


# ---------------------------------------------------------------- parse, check

def check(options):
    """What can be refused before any data is read; settles where the tasks run."""
    for stage in ("preprocess", "train", "infer"):
        command_line.model_script(options, stage)
    command_line.check_output_dir(options.output_dir)
    task_line([options.output_dir, options.model_dir, options.input_dir])
    choose_executor(options)


def choose_executor(options):
    """Sets options.executor to slurm or local. A workstation may have Slurm's programs and no cluster."""
    there = shutil.which("sbatch") is not None
    if options.executor == "slurm" and not there:
        raise Refusal("--executor slurm, but there is no sbatch on this machine",
                      "a login node of the cluster, or --executor local")
    if options.executor == "auto":
        options.executor = "slurm" if there and slurm.is_set_up() else "local"
        if there and options.executor == "local":
            options.notes.append("sbatch is here, but no cluster is set up for it: the tasks run on this machine")


def find_data(options):
    if options.demo and not os.path.isdir(options.input_dir):
        write_demo_data(options.input_dir)
    data = benchmark.read_benchmark(options.input_dir, options.y_col_name)
    if data.synthetic:
        found = f"there is no ./{command_line.BENCHMARK}, so " if options.demo else ""
        print(f"SYNTHETIC DEMO DATA: {found}the data in {options.input_dir} is made up and its scores say nothing "
              "about any drug", flush=True)
    return data


def write_demo_data(directory):
    try:
        demo_data.write_demo_data(directory)
    except OSError as error:
        raise Refusal(f"there is no benchmark, and demo data cannot be written to {directory} ({error.strerror})",
                      "--input_dir with a benchmark's raw_data, or a working directory of yours")


# ------------------------------------------------------------------------ plan

def with_collector(tasks, options):
    """The tasks and the collector behind them; raises Refusal where there is nothing, or two of one name."""
    if not tasks:
        raise Refusal("nothing to run: no source has a target", "other --source and --target, or no --only_cross_study")
    names = [task.name for task in tasks]
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice:
        raise Refusal(f"two tasks would write {twice}: the '-' in the studies' names makes them one",
                      "fewer studies in one command")
    for task in tasks:
        task_line(task.words)
    return tasks + [Task("scores", "collect", "collect", 0, stage_words.collect(options), tuple(names))]


def what_runs(tasks, options):
    """{task name: why} of what is missing; raises Refusal for outputs that are not ours."""
    if options.adopt and not options.dry_run:
        adopt(tasks, options)
    if not options.adopt:
        resume.refuse_foreign(tasks, options.output_dir, options.redo)
    return resume.decide(tasks, options.output_dir, options.redo)


def arrays_to_run(tasks, why, options):
    """(arrays, the number of tasks that an array may have) of the tasks that run."""
    largest = LOCAL_ARRAY
    if options.executor == "slurm":
        largest = min(slurm.largest_array(), options.max_array or LOCAL_ARRAY)
    chosen = [task for task in tasks if task.name in why]
    return arrays_of(chosen, template_of, largest, options.max_running), largest


def template_of(task):
    return templates.find_template(TEMPLATES, task.stage, task.source)


def say_plan(workflow, tasks, why, notes, options):
    """The plan in a sentence, before anything is started."""
    for note in notes:
        print(note)
    own = [task for task in tasks if task.stage != "collect"]
    running = [task for task in own if task.name in why]
    stages = dict.fromkeys(task.stage for task in own)
    counts = ", ".join(f"{sum(task.stage == stage for task in running)} {stage}" for stage in stages)
    print(f"workflow_{workflow}: {len(own)} tasks in {options.output_dir}: "
          f"{len(own) - len(running)} done already, {len(running)} to run ({counts})", flush=True)
    for start, words in (("its parameters", "have other parameters than when they ran"),
                         ("its input", "were made from inputs that have changed"),
                         ("failed", "had failed"), ("interrupted", "were interrupted")):
        number = sum(why[task.name].startswith(start) for task in running)
        if number:
            print(f"  {number} of these {words}", flush=True)


def adopt(tasks, options):
    """Has the runner judge outputs that stand there without a status, and write their status."""
    names = set(resume.foreign_outputs(tasks, options.output_dir))
    chosen = [task for task in tasks if task.name in names]
    refused = [task.name for task in chosen if not local.judge(task)]
    print(f"adopted {len(chosen) - len(refused)} outputs that stood there; {len(refused)} are not whole and will run")
