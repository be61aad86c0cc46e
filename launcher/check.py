"""check: --check, all that can be verified without running a campaign; nothing is left in OUT.

    options -> one line a check: ok, wrong and a hint, or not checked and why -> exit code 0 or 2

Each check calls what a launch calls and catches its Refusal, so that later checks are made, too.
--check run goes on with one task of each stage, on some rows and in a temporary folder. It runs on
this machine, also if the campaign is for Slurm.
"""
import argparse
import difflib
import os
import re
import sys
import tempfile

from core.errors import Refusal
from core.files import cores
from core.task import SPLIT_FILES, command_line
from core.text import plural, tail
from core.tree import Status, read_status
from launcher import benchmark, launch_files, planning, slurm
from launcher.paths import MODEL_STAGES, check_output_dir, model_script, run_model

NOT_IMPORTED = 99       # exit code of stages/stage_help.py
ROWS = 2000             # at most, of each split file, or BATCHES batches: many of any usual size
BATCHES = 8             # full ones, if a task names its batch size


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
        for stage in MODEL_STAGES:
            if stage in workflow.stages:
                checks.line(f"options of {stage}", checks.options_of, stage)
        checks.line("results tree", checks.results_tree)
        checks.line("templates", checks.templates)
        if options.check == "run" and checks.tasks:
            print("--check run: some rows, on this machine; --epochs 1 is enough", flush=True)
            out = f"{checks.scratch}/out"
            for task in small_tasks(workflow, options, checks.data, out):
                if not checks.line(f"run of {task.stage}", run, task, out):
                    break
    counts = [f"{checks.kinds.count(kind)} {kind}" for kind in ("ok", "wrong", "not checked")]
    print(f"workflow_{workflow.name}: {', '.join(counts)}; no task of the campaign was started")
    return 2 if "wrong" in checks.kinds else 0


class Checks:
    """The checks, and what later ones need from earlier ones. kinds: how each of them ended"""

    def __init__(self, workflow, options, scratch):
        self.workflow, self.options, self.scratch, self.kinds = workflow, options, scratch, []
        self.data, self.tasks = None, []

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
        self.tasks = planning.with_collector(self.workflow.plan(options, self.data).tasks)
        return f"{options.y_col_name} of {', '.join(self.data.studies)}"

    def options_of(self, stage):
        """Asks the script itself whether it knows the options that its tasks get."""
        script, env = model_script(self.options, stage), self.options.env
        program = os.path.basename(script)
        code, text = run_model("--check_env", env, script, "--output_dir",  # improvelib makes it
                               f"{self.scratch}/{stage}", "--help")
        last = (text.strip().splitlines() or ["it prints nothing"])[-1]
        if code == NOT_IMPORTED:
            raise Refusal(f"{script} cannot be imported in --env {env}: {last}",
                          "mend that, or name another environment with --env")
        flags = set(re.findall(r"(?<![\w-])--([A-Za-z][\w-]*)", text))
        if code or not flags:
            raise NotChecked(f"{program} --help exits with {code} and lists no options: {last}")
        calls = [getattr(self.options, f"{stage}_args"),
                 self.workflow.train_names(self.options) if stage == "train" else (),
                 *(task.arguments for task in self.tasks if task.stage == stage)]
        names = dict.fromkeys(name for call in calls for name in call if name)
        for name in names:
            if name not in flags:
                near = difflib.get_close_matches(name, sorted(flags), 1)
                raise Refusal(f"{program} knows no --{name}",
                              f"did you mean --{near[0]}?" if near else "leave it out")
        self.need_tasks()
        return f"its --help knows {' '.join(f'--{name}' for name in names)}"

    def need_tasks(self):
        if not self.tasks:
            raise NotChecked("without the benchmark there is no task")

    def results_tree(self):
        self.need_tasks()
        why, _ = planning.look(self.tasks, self.data, self.options)
        done = len(self.tasks) - len(why)
        return f"{plural(done, 'task')} done, {len(why)} to run, tables included"

    def templates(self):
        """Renders the batch scripts, and asks Slurm about each of them."""
        self.need_tasks()
        if self.options.executor != "slurm":
            raise NotChecked("no job uses them, the tasks run here")
        names = {task.name for task in self.tasks}
        arrays = planning.arrays_to_run(self.tasks, names, self.options)
        for array in arrays:
            text = launch_files.batch_script(array, self.scratch, self.options)
            launch_files.write_file(f"{self.scratch}/{array.name}.sbatch", text)
        slurm.largest_array()   # asked last: mistakes in a template show without a controller, too
        slurm.test_scripts(arrays, self.scratch)
        files = dict.fromkeys(os.path.basename(array.template) for array in arrays)
        return f"Slurm takes {', '.join(files)}"


def small_tasks(workflow, options, data, out):
    """Returns the first task of the last stage behind its inputs, each with few rows. out: a new
    directory, which gets all files that they need"""
    plan = workflow.plan(argparse.Namespace(**dict(vars(options), output_dir=out)), data)
    os.makedirs(f"{out}/launches")      # the runner knows a results tree by it
    for name, text in {**plan.files, **plan.once}.items():
        launch_files.write_file(f"{out}/{name}", text)
    last = plan.tasks[-1].stage
    wanted = [next(task for task in plan.tasks if task.stage == last)]
    for task in reversed(plan.tasks):
        if any(task.name in child.parents for child in wanted):
            wanted.insert(0, task)
    sizes = [str(task.arguments.get("batch_size")) for task in plan.tasks]
    most = max([ROWS] + [BATCHES * int(size) for size in sizes if size.isdigit()])
    for task in wanted:
        for option in set(SPLIT_FILES).intersection(task.arguments):
            name = task.arguments[option]
            path = task.arguments[option] = f"{out}/small_splits/{os.path.basename(name)}"
            rows = benchmark.read_ids(os.path.join(out if "/" in name else data.splits, name))
            # at most so many rows, spread evenly
            launch_files.write_file(path, benchmark.text_of(rows[::max(1, -(-len(rows) // most))]))
    return wanted


def run(task, out):
    """Runs a task; returns its time and memory."""
    _, said = run_model(*command_line(task, out), TASK_EXECUTOR="local", TASK_CORES=str(cores()))
    directory = f"{out}/{task.name}"
    status = read_status(directory, out) or Status("failed", reason="it left no status")
    if status.reason_kind == "environment":
        raise NotChecked(f"{status.reason}; compute nodes may have what this machine lacks")
    if status.state != "done":
        log = "\n".join(tail(f"{directory}/log.txt", 20)) or said
        sys.stderr.write(f"{log}\n")
        raise Refusal(f"{task.stage} failed: {status.reason}",
                      "the end of its log is above; a model may also need more than "
                      f"{ROWS} rows, or more memory than this machine has")
    return f"{status.seconds} s, {status.peak_mb} MB"
