"""check: --check, all that can be verified without running a campaign; nothing is left in OUT.

    options -> one line a check: ok, wrong and a hint, or not checked and why -> exit code 0 or 2

Each check calls what a launch calls and catches its Refusal, so that later checks are made, too.
--check run goes on with one small task of each stage (tiny_run).
"""
import difflib
import os
import re
import subprocess
import sys
import tempfile

from core import rules
from core.errors import Refusal
from core.task import DIRECTORIES, SPLIT_FILES, argument_list
from core.text import plural
from core.tree import ResultsTree
from launcher import changed_data, launch_files, planning, slurm, tiny_run
from launcher.paths import HERE, MODEL_STAGES, check_output_dir, model_script

TIME_LIMIT = 300        # seconds: a first import of torch from a slow disk takes minutes
NOT_IMPORTED = 99       # exit code of stages/stage_help.py
FLAG = re.compile(r"(?<![\w-])--([A-Za-z][\w-]*)")


class NotChecked(Exception):
    """Why something cannot be verified here."""


def show(workflow, options):
    """Prints a line a check; returns the exit code."""
    with tempfile.TemporaryDirectory(prefix="check.") as scratch:
        checks = Checks(workflow, options, os.path.realpath(scratch))
        checks.line("output directory", checks.output_directory)
        checks.line("executor", checks.executor)
        checks.line("environment", checks.environment)
        checks.line("benchmark", checks.benchmark)
        checks.line("studies and splits", checks.studies_and_splits)
        for stage in checks.stages:
            checks.line(f"options of {stage}", checks.options_of, stage)
        checks.line("results tree", checks.results_tree)
        checks.line("templates", checks.templates)
        if options.check == "run":
            checks.run_tiny()
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
        self.data = self.tasks = self.why = None
        self.epochs = {}    # {"epochs": "1"} if train has this option
        self.stages = [stage for stage in MODEL_STAGES if stage in workflow.stages]

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

    def output_directory(self):
        check_output_dir(self.options.output_dir)
        return self.options.output_dir

    def executor(self):
        planning.choose_executor(self.options)
        return self.options.executor

    def environment(self):
        notes = len(self.options.notes)
        planning.check_environment(self.options)
        if len(self.options.notes) > notes:
            raise NotChecked(self.options.notes.pop())
        return self.options.env

    def benchmark(self):
        options = self.options
        if options.demo and not os.path.isdir(options.input_dir):
            options.input_dir = os.path.join(self.scratch, "demo_data")
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
        calls = [task.arguments for task in self.tasks or () if task.stage == stage]
        calls = calls or [getattr(self.options, f"{stage}_args")]
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
        options, tree = self.options, ResultsTree(self.options.output_dir)
        planning.refuse_other_owner(tree, self.workflow, options)
        if options.adopt:
            raise NotChecked("--adopt judges the outputs when the run begins")
        planning.adopt(self.tasks, tree, options)
        changed_data.refuse(changed_data.take(self.data, tree), self.tasks, tree, options)
        self.why = rules.decide(self.tasks, tree, options.redo)
        counts, differences = rules.replaced(self.tasks, self.why, tree)
        if counts and not options.replace:
            raise Refusal(f"{'; '.join(differences)}: finished results would be replaced",
                          "--replace, or another --output_dir")
        done = len(self.tasks) - len(self.why)
        return f"{plural(done, 'task')} done, {len(self.why)} to run, tables included"

    def templates(self):
        """Renders the batch scripts, and asks Slurm about each of them."""
        if self.tasks is None:
            raise NotChecked("it needs the studies and splits")
        chosen = self.why or [task.name for task in self.tasks]
        arrays = planning.arrays_to_run(self.tasks, chosen, self.options)
        for array in arrays:
            text = launch_files.render_one(self.workflow.name, array, self.scratch, self.options)
            launch_files.write_file(os.path.join(self.scratch, f"{array.name}.sbatch"), text)
        names = ", ".join(dict.fromkeys(os.path.basename(array.template) for array in arrays))
        if self.options.executor != "slurm":
            raise NotChecked(f"{names} can be filled in; no job uses them, the tasks run here")
        slurm.largest_array()   # asked last: mistakes in a template show without a controller, too
        slurm.test_scripts(arrays, self.scratch)
        return f"Slurm takes {names}"

    # ---- --check run

    def run_tiny(self):
        """A line for each stage that runs on some rows of the benchmark."""
        if self.tasks is None:
            self.line("tiny run", self.studies_and_splits)
            return
        tiny = tiny_run.TinyRun(self.workflow, self.options, self.data, self.scratch, self.epochs)
        print(f"--check run: {tiny.rows} rows to train on, here and not in a job", flush=True)
        failed = set()
        for task in tiny.tasks():
            if not self.line(f"run of {task.stage}", run_one, tiny, task, failed):
                failed.add(task.name)


def run_one(tiny, task, failed):
    """Runs a task unless its input failed; returns its time and memory. NotChecked, Refusal."""
    if failed.intersection(task.parents):
        raise NotChecked("its input has failed")
    status, log = tiny.run(task)
    if status.reason_kind == "environment":
        raise NotChecked(f"{status.reason}; compute nodes may have what this machine lacks")
    if status.state != "done":
        sys.stderr.write(log + "\n")
        raise Refusal(f"{task.stage} failed: {status.reason}",
                      "the end of its log is above; a model may also need more than "
                      f"{tiny.rows} rows, or more memory than this machine has")
    return f"{status.seconds} s, {status.peak_mb} MB"


# ---- what a stage script says about itself

def line_of(calls):
    """Returns the command line with each value of some dicts once, without the paths of tasks.

    Values of a list are given one by one, each with its option: they may be those of many trials.
    """
    pairs = dict.fromkeys(
        (name, each) for call in calls for name, value in call.items()
        if name not in (*DIRECTORIES, *SPLIT_FILES)
        for each in (value if isinstance(value, list) else [value]))
    return [text for name, each in pairs for text in argument_list({name: each}, "/")]


def known_flags(env, script, line, names, scratch):
    """Returns the options of a stage script, once it has taken the values of a command line.

    argparse reads one argument after the other and ends at --help: a value of a wrong type before
    it ends with exit code 2, and nothing runs. Unknown options are looked up in the help instead.
    names: all options of its tasks; scratch: an empty directory. Refusal, NotChecked.
    """
    program = os.path.basename(script)
    code, text = ask(env, script, line, scratch)
    last = (text.strip().splitlines() or ["it prints nothing"])[-1]
    if code == NOT_IMPORTED:
        raise Refusal(f"{script} cannot be imported in --env {env}: {last}",
                      "mend that, or name another environment with --env")
    if code == 2 and "error: argument " in last:
        raise Refusal(f"{program} refuses a value: {last}", "another value for this option")
    flags = set(FLAG.findall(text))
    if code or not flags:
        raise NotChecked(f"{program} --help exits with {code} and lists no options: {last}")
    unknown = [name for name in names if name not in flags]
    if unknown:
        near = difflib.get_close_matches(unknown[0], sorted(flags), 1)
        raise Refusal(f"{program} knows no --{unknown[0]}",
                      f"did you mean --{near[0]}?" if near else "leave it out")
    return flags


def ask(env, script, line, scratch):
    """Returns (exit code, output) of a stage script with some arguments and --help."""
    try:
        done = subprocess.run(
            ["bash", HERE + "/run_model.sh", "--check_env", env, script, *line, "--output_dir",
             scratch, "--help"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            cwd=os.path.dirname(script), timeout=TIME_LIMIT,
            env=dict(os.environ, WORKFLOW_PYTHON=sys.executable))
    except subprocess.TimeoutExpired:
        raise NotChecked(f"{os.path.basename(script)} --help has not ended in {TIME_LIMIT} s")
    return done.returncode, done.stdout.decode("utf-8", "replace")
