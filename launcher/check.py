"""check: --check, all that can be verified without running a campaign; nothing is left in OUT.

    options -> one line a check: ok, wrong and a hint, or not checked and why -> exit code 0 or 2

Each check calls what a launch calls and catches its Refusal, so that later checks are made, too.
--check run goes on with one task of each stage, on some rows and in a temporary folder. It runs on
this machine, also if the campaign is for Slurm.
"""
import argparse
import difflib
import json
import os
import re
import subprocess
import sys
import tempfile

from core.errors import Refusal
from core.files import cores, read_json
from core.slurm_output import tail
from core.task import DIRECTORIES, SPLIT_FILES, argument_list, command_line
from core.text import plural
from core.tree import Status, read_status
from launcher import launch_files, planning, slurm, subsets
from launcher.paths import MODEL_STAGES, check_output_dir, model_script, run_model

TIME_LIMIT = 300        # seconds: a first import of torch from a slow disk takes minutes
NOT_IMPORTED = 99       # exit code of stages/stage_help.py
ROWS = 2000             # at most, of each split file, or BATCHES batches: many of any usual size
BATCHES = 8             # full ones, if a task names its batch size
LOG_LINES = 20
FLAG = re.compile(r"(?<![\w-])--([A-Za-z][\w-]*)")


class NotChecked(Exception):
    """Why something cannot be verified here."""


def show(workflow, options):
    """Prints a line a check; returns the exit code."""
    with tempfile.TemporaryDirectory(prefix="check.") as scratch:
        checks = Checks(workflow, options, os.path.realpath(scratch))
        checks.line("output directory", check_output_dir, options.output_dir)
        checks.line("executor", planning.choose_executor, options)
        checks.line("environment", checks.environment)
        checks.line("benchmark", checks.benchmark)
        checks.line("studies and splits", checks.studies_and_splits)
        for stage in MODEL_STAGES:
            if stage in workflow.stages:
                checks.line(f"options of {stage}", checks.options_of, stage)
        checks.line("results tree", checks.results_tree)
        checks.line("templates", checks.templates)
        if options.check == "run" and checks.tasks:
            checks.run_small()
    counts = [f"{checks.kinds.count(kind)} {kind}" for kind in ("ok", "wrong", "not checked")]
    print(f"{workflow.program}: {len(checks.kinds)} checks: {', '.join(counts)}; "
          "no task of the campaign was started")
    return 2 if "wrong" in checks.kinds else 0


class Checks:
    """The checks, and what later ones need from earlier ones.

    scratch: a temporary directory; kinds: how each check ended: ok, wrong, not checked
    """

    def __init__(self, workflow, options, scratch):
        self.workflow, self.options, self.scratch, self.kinds = workflow, options, scratch, []
        self.data = self.tasks = None
        self.epochs = {}    # {"epochs": "1"} if train has this option

    def line(self, name, call, *given):
        """Makes a check and prints its line; returns whether it is ok. call(*given) -> a remark"""
        try:
            kind, text = "ok", f"ok: {call(*given)}"
        except Refusal as refusal:
            kind, text = "wrong", f"wrong: {refusal}; {refusal.hint}"
        except (NotChecked, slurm.SlurmError) as error:
            kind, text = "not checked", f"not checked: {error}"
        self.kinds.append(kind)
        print(f"{name:<21} {text}", flush=True)
        return kind == "ok"

    def environment(self):
        self.options.notes = []
        planning.check_environment(self.options)
        if self.options.notes:
            raise NotChecked(self.options.notes[0])
        return self.options.env

    def benchmark(self):
        options = self.options
        if options.demo and not os.path.isdir(options.input_dir):
            options.input_dir = f"{self.scratch}/demo_data"
        self.data = planning.find_data(options)
        return f"{options.y_col_name} of {', '.join(self.data.studies)}"

    def studies_and_splits(self):
        if self.data is None:
            raise NotChecked("it needs the benchmark")
        plan = self.workflow.plan(self.options, self.data)
        self.tasks = planning.with_collector(plan.tasks)
        return plural(len(plan.tasks), "task")

    def options_of(self, stage):
        """Asks the script itself whether it takes the arguments of its tasks."""
        calls = [getattr(self.options, f"{stage}_args"),
                 *(task.arguments for task in self.tasks or () if task.stage == stage)]
        if stage == "train":
            calls.append(self.workflow.train_args(self.options))
        names = dict.fromkeys(name for call in calls for name in call if name)
        flags = known_flags(self.options.env, model_script(self.options, stage), line_of(calls),
                            names, tempfile.mkdtemp(dir=self.scratch))
        if stage == "train" and "epochs" in flags:
            self.epochs = {"epochs": "1"}
        return f"its --help knows {' '.join(f'--{name}' for name in names)}"

    def results_tree(self):
        if self.tasks is None:
            raise NotChecked("it needs the studies and splits")
        if self.options.adopt:
            raise NotChecked("--adopt judges the outputs when the run begins")
        tree, why, _ = planning.look(self.workflow, self.tasks, self.data, self.options)
        planning.refuse_replacement(self.tasks, why, tree, self.options)
        done = len(self.tasks) - len(why)
        return f"{plural(done, 'task')} done, {len(why)} to run, tables included"

    def templates(self):
        """Renders the batch scripts, and asks Slurm about each of them."""
        if self.tasks is None:
            raise NotChecked("it needs the studies and splits")
        names = {task.name for task in self.tasks}
        arrays = planning.arrays_to_run(self.tasks, names, self.options)
        for array in arrays:
            text = launch_files.render_one(self.workflow.name, array, self.scratch, self.options)
            launch_files.write_file(f"{self.scratch}/{array.name}.sbatch", text)
        files = ", ".join(dict.fromkeys(os.path.basename(array.template) for array in arrays))
        if self.options.executor != "slurm":
            raise NotChecked(f"{files} can be filled in; no job uses them, the tasks run here")
        slurm.largest_array()   # asked last: mistakes in a template show without a controller, too
        slurm.test_scripts(arrays, self.scratch)
        return f"Slurm takes {files}"

    def run_small(self):
        """A line for each stage that runs on some rows of the benchmark."""
        print("--check run: a part of the rows to train on, here and not in a job", flush=True)
        out, failed = f"{self.scratch}/out", set()
        for task in small_tasks(self.workflow, self.options, self.data, out, self.epochs):
            if not self.line(f"run of {task.stage}", run, task, out, failed):
                failed.add(task.name)


# ---- what a stage script says about itself

def line_of(calls):
    """Returns the command line with each value of some dicts once, without the paths of tasks.

    Values of a list are given one by one, each with its option: they may be those of many trials.
    """
    pairs = dict.fromkeys(
        (name, each) for call in calls for name, value in call.items()
        if name not in DIRECTORIES + SPLIT_FILES
        for each in (value if isinstance(value, list) else [value]))
    return [text for name, each in pairs for text in argument_list({name: each}, "/")]


def known_flags(env, script, line, names, scratch):
    """Returns the options of a stage script, once it has taken the values of a command line.

    argparse reads one argument after the other and ends at --help: a value of a wrong type before
    it ends with exit code 2, and nothing runs. Unknown options are looked up in the help instead.
    names: all options of its tasks; scratch: an empty directory. Refusal, NotChecked.
    """
    program = os.path.basename(script)
    try:
        code, text = run_model("--check_env", env, script, *line, "--output_dir", scratch, "--help",
                               timeout=TIME_LIMIT)
    except subprocess.TimeoutExpired:
        raise NotChecked(f"{program} --help has not ended in {TIME_LIMIT} s")
    last = (text.strip().splitlines() or ["it prints nothing"])[-1]
    if code == NOT_IMPORTED:
        raise Refusal(f"{script} cannot be imported in --env {env}: {last}",
                      "mend that, or name another environment with --env")
    if code == 2 and "error: argument " in last:
        raise Refusal(f"{program} refuses a value: {last}", "another value for this option")
    flags = set(FLAG.findall(text))
    if code or not flags:
        raise NotChecked(f"{program} --help exits with {code} and lists no options: {last}")
    for name in names:
        if name not in flags:
            near = difflib.get_close_matches(name, sorted(flags), 1)
            raise Refusal(f"{program} knows no --{name}",
                          f"did you mean --{near[0]}?" if near else "leave it out")
    return flags


# ---- --check run

def small_tasks(workflow, options, data, out, epochs):
    """Returns the first task of the last stage behind its inputs, each with few rows and one epoch.

    out: an empty directory, which gets all files that they need; epochs: {"epochs": "1"} if train
    has this option, else {}
    """
    plan = workflow.plan(argparse.Namespace(**dict(vars(options), output_dir=out)), data)
    os.makedirs(f"{out}/launches")      # the runner knows a results tree by it
    os.makedirs(f"{out}/small_splits")
    for name, text in {**plan.files, **plan.once}.items():
        launch_files.write_file(f"{out}/{name}", text)
    last = plan.tasks[-1].stage
    wanted = [next(task for task in plan.tasks if task.stage == last)]
    for task in reversed(plan.tasks):
        if any(task.name in child.parents for child in wanted):
            wanted.insert(0, task)
    sizes = [str(task.arguments.get("batch_size")) for task in plan.tasks]
    most = max([ROWS] + [BATCHES * int(size) for size in sizes if size.isdigit()])
    for at, task in enumerate(wanted):
        small = {option: small_split(task.arguments[option], data, out, most)
                 for option in SPLIT_FILES if option in task.arguments}
        small.update(epochs if task.stage == "train" else {})
        wanted[at] = task._replace(arguments={**task.arguments, **small})
        if "study" in task.arguments:       # what trials share; fixed arguments win
            path = f"{out}/{task.arguments['study']}"
            study = read_json(path)
            study["train_args"] += argument_list(epochs, out)
            launch_files.write_file(path, json.dumps(study))
    return wanted


def small_split(name, data, out, most):
    """Writes at most so many rows of a split file, spread evenly; returns the new path."""
    rows = subsets.read_ids(os.path.join(out, name) if "/" in name else data.split_file(name))
    path = f"{out}/small_splits/{os.path.basename(name)}"
    launch_files.write_file(path, subsets.text_of(rows[::max(1, -(-len(rows) // most))]))
    return path


def run(task, out, failed):
    """Runs a task unless its input failed; returns its time and memory. NotChecked, Refusal."""
    if failed.intersection(task.parents):
        raise NotChecked("its input has failed")
    _, said = run_model(*command_line(task, out), RETRIES="0", TASK_EXECUTOR="local",
                        TASK_CORES=str(cores()))
    directory = f"{out}/{task.name}"
    status = read_status(directory, out) or Status("failed", reason="it left no status")
    if status.reason_kind == "environment":
        raise NotChecked(f"{status.reason}; compute nodes may have what this machine lacks")
    if status.state != "done":
        log = "\n".join(tail(f"{directory}/log.txt", LOG_LINES)) or said
        sys.stderr.write(f"{log}\n")
        raise Refusal(f"{task.stage} failed: {status.reason}",
                      "the end of its log is above; a model may also need more than "
                      f"{ROWS} rows, or more memory than this machine has")
    return f"{status.seconds} s, {status.peak_mb} MB"
