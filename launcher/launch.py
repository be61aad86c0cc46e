"""launch: the verbs of a launch, in their order. A workflow brings its parser and its plan.

    parse -> check -> plan -> render -> write -> submit (slurm) or run (local)

Nothing before `write` changes anything in OUT; a dry run stops before the last step.
"""
import os
import re
import shlex
import sys
from collections import Counter

from launcher import benchmark, demo_data, launches, live, local, look, options as command_line, resume, slurm, stage_words
from launcher import status, templates, watch
from launcher.options import HERE
from launcher.refusal import Refusal
from launcher.tasks import Task, arrays_of, task_files, task_line

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
    options = command_line.parse(parser, argv)
    if options.status:
        return look.show_status(workflow, options, again(workflow, options))
    if options.cancel:
        return look.cancel(workflow, options)
    check(options)
    data = find_data(options)
    wanted = plan(options, data)
    tasks = with_collector(wanted.tasks, options)
    if options.adopt:
        adopt(tasks, options)
    resume.refuse_foreign(tasks, options.output_dir, options.redo)
    why = resume.decide(tasks, options.output_dir, options.redo)
    say_plan(workflow, tasks, why, [*options.notes, *wanted.notes], options)
    if not why:
        print_summary(options.output_dir)
        return 0
    chosen = [task for task in tasks if task.name in why]
    largest = slurm.largest_array() if options.executor == "slurm" else LOCAL_ARRAY
    arrays = arrays_of(chosen, template_of, largest, options.max_running)
    texts = {array.template: templates.read_template(array.template) for array in arrays}
    render_all(workflow, arrays, texts, options, os.path.join(options.output_dir, "launches", "x"))
    write_files(options.output_dir, wanted.files)
    directory = write(workflow, options, data, tasks, why, arrays, texts, largest)
    if options.dry_run:
        return say_dry_run(arrays, directory, options)
    make_way(options, tasks, chosen, directory)
    execute = submit_and_watch if options.executor == "slurm" else run_here
    return execute(workflow, arrays, directory, options)


# ---------------------------------------------------------------- parse, check

def check(options):
    """What can be refused before any data is read."""
    for stage in ("preprocess", "train", "infer"):
        command_line.model_script(options, stage)
    command_line.check_output_dir(options.output_dir)
    task_line([options.output_dir, options.model_dir, options.input_dir])


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


# --------------------------------------------------------------- render, write

def render_all(workflow, arrays, texts, options, directory):
    """{array name: batch script}; pure. Rendered once before anything is written, for its refusals."""
    if options.executor != "slurm":
        return {}
    return {array.name: templates.render(texts[array.template], {
        "JOB_NAME": live.job_name(workflow, directory, array.name),
        "ARRAY": array.indices,
        # Slurm expands % in this path: a doubled one stands for itself.
        "SLURM_OUTPUT": os.path.join(directory, "slurm").replace("%", "%%") + "/%x_%A_%a.out",
        "RUN_MODEL": os.path.join(HERE, "run_model.sh"),
        "TASKS": os.path.join(directory, f"{array.task_file}.tasks"),
        "PYTHON": sys.executable,
        "RETRIES": str(options.retries),
    }, array.template) for array in arrays}


def write_files(out, files):
    """The files that the tasks read besides the benchmark; those that stand there already stay."""
    for name, text in files.items():
        path = os.path.join(out, name)
        if not launches.holds(path, text):
            launches.write_whole(path, text)


def write(workflow, options, data, tasks, why, arrays, texts, largest):
    """Fills a new launch directory; plan.json comes last, so that a launch is whole or none."""
    directory = launches.new_directory(options.output_dir)
    launches.write_tasks(directory, task_files(tasks, largest))
    for name, text in render_all(workflow, arrays, texts, options, directory).items():
        launches.write_whole(os.path.join(directory, f"{name}.sbatch"), text)
    place = {task.name: (array.name, index) for array in arrays for index, task in array.elements.items()}
    placed = [task._replace(array=place[task.name][0], index=place[task.name][1]) if task.name in place else task
              for task in tasks]
    launches.write_state(directory, "written" if options.dry_run else "checking")
    launches.write_plan(directory, launches.plan_record(workflow, options, data, placed, why, directory))
    return directory


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


# ------------------------------------------------------------------ submit, run

def make_way(options, tasks, chosen, directory):
    """Refuses what is in a live launch; cancels elements of older ones that wait for ever."""
    on_slurm = options.executor == "slurm"
    # Any number of launches may collect; the last one's tables stand.
    names = [task.name for task in chosen if task.stage != "collect"]
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


FEWER = "the same command later; where an array alone is more than your job limit: fewer --source or --split at a time"


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
