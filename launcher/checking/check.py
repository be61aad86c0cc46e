"""check: what can be verified without running a campaign: nothing is left in OUT, nothing is submitted.

    options -> one line a check: ok, wrong and the way out, or not checked and why -> exit code 0 or 2

--check run goes on with one small task of each stage (tiny_run). What a launch refuses is refused here by the
same functions, with one difference: all checks are made, also if an earlier one has found something wrong.
"""
import os
import sys
import tempfile

from launcher import (benchmark, fingerprints, launch_directory, paths, planning, replacement, slurm, submit, surroundings,
                      templates, whole_file)
from launcher.checking import disk_space, stage_help, tiny_run
from launcher.resources import recovery
from launcher.needs_run import Reason
from launcher.refusal import Refusal
from launcher.checking.stage_help import NotChecked
from launcher.tasks import task_line
from launcher.terminal import counted

MODEL_STAGES = ("preprocess", "train", "infer")


def show(workflow, options):
    """Prints a line a check; returns the exit code."""
    with tempfile.TemporaryDirectory(prefix="check.") as scratch:
        found = Checks(workflow, options, os.path.realpath(scratch))
        for name, call in found.calls():
            found.line(name, call)
        if options.check == "run":
            found.run_tiny()
    counts = {kind: found.kinds.count(kind) for kind in ("ok", "wrong", "not checked")}
    print(f"{workflow.program}: {len(found.kinds)} checks: {', '.join(f'{count} {kind}' for kind, count in counts.items())}; "
          "no task of the campaign was started")
    return 2 if counts["wrong"] else 0


class Checks:
    """The checks in their order, and what later ones need from earlier ones.

    scratch: a temporary directory; kinds: how each check ended: ok, wrong, not checked
    """

    def __init__(self, workflow, options, scratch):
        self.workflow, self.options, self.scratch, self.kinds = workflow, options, scratch, []
        self.data = self.plan = self.tasks = self.why = None
        self.not_checked = []   # names of checks
        self.flags = {}     # {stage: what its --help lists}

    def calls(self):
        return [("scripts", self.scripts), ("arguments", self.arguments), ("output directory", self.output_directory),
                ("executor", self.executor), ("environment", self.environment), ("supplementary data", self.supplementary_data),
                ("benchmark", self.benchmark), ("studies and splits", self.splits),
                *[(f"options of {stage}", lambda stage=stage: self.stage(stage)) for stage in self.model_stages()],
                ("results tree", self.results_tree), ("disk space", self.disk_space), ("templates", self.templates)]

    def model_stages(self):
        return [stage for stage in MODEL_STAGES if stage in self.workflow.stages]

    def line(self, name, call):
        """Makes a check and prints its line; returns whether it is ok. call() -> a remark, '' or None"""
        try:
            remark = call()
            kind, text = "ok", f"ok: {remark}" if remark else "ok"
        except Refusal as refusal:
            kind, text = "wrong", f"wrong: {refusal}; {refusal.way_out}"
        except (NotChecked, slurm.SlurmError) as error:
            kind, text = "not checked", f"not checked: {error}"
        self.kinds.append(kind)
        self.not_checked += [name] if kind == "not checked" else []
        print(f"{name:<21} {text}", flush=True)
        return kind == "ok"

    # ------------------------------------------------------------ model and place

    def scripts(self):
        return ", ".join(os.path.basename(paths.model_script(self.options, stage)) for stage in self.model_stages())

    def arguments(self):
        surroundings.refuse_own_options(self.options)
        task_line([self.options.output_dir, self.options.model_dir, self.options.input_dir])

    def output_directory(self):
        paths.check_output_dir(self.options.output_dir)
        existing = paths.existing_part(self.options.output_dir)
        try:    # a full quota and a read-only disk have permissions as they should be
            with tempfile.TemporaryFile(dir=existing) as file:
                file.write(b"1")
        except OSError as error:
            raise Refusal(f"--output_dir {self.options.output_dir} cannot be written ({error.strerror})", "choose another one")
        return self.options.output_dir

    def executor(self):
        surroundings.choose_executor(self.options)
        return {"slurm": "jobs of Slurm", "local": "on this machine"}[self.options.executor]

    def environment(self):
        said_before = len(self.options.notes)
        surroundings.check_environment(self.options)
        if len(self.options.notes) > said_before:
            raise NotChecked(self.options.notes.pop())
        if self.options.env.startswith("apptainer:"):
            raise NotChecked("a container is tried by the options of its stages, below")
        return self.options.env

    def supplementary_data(self):
        folder = self.options.input_supp_data_dir
        if folder and not os.listdir(folder):
            raise Refusal(f"--input_supp_data_dir {folder} is empty", "the folder of the data that this model brings along")
        return folder or "none is asked for"

    # ----------------------------------------------------------------------- data

    def benchmark(self):
        options = self.options
        if options.demo and not os.path.isdir(options.input_dir):
            options.input_dir = os.path.join(self.scratch, "demo_data")
            planning.write_demo_data(options.input_dir)
        self.data = benchmark.read_benchmark(options.input_dir, options.y_col_name, options.split_type, options.y_data_file)
        made = "SYNTHETIC DEMO DATA, " if self.data.synthetic else ""
        return f"{made}{options.y_col_name} of {', '.join(self.data.studies)}"

    def splits(self):
        if self.data is None:
            raise NotChecked("it needs the benchmark")
        self.plan = self.workflow.plan(self.options, self.data)
        self.tasks = planning.with_collector(self.plan.tasks, self.options)
        return counted(len(self.plan.tasks), "task")

    # --------------------------------------------------------------------- stages

    def stage(self, stage):
        """What the tasks pass on to a stage script, asked of the script itself."""
        script = paths.model_script(self.options, stage)
        tasks = [task for task in self.tasks or () if task.stage == stage]
        words = [word for tail in dict.fromkeys(tuple(stage_help.passed_on(task.words)) for task in tasks) for word in tail]
        words = words or getattr(self.options, f"{stage}_args")
        if stage == "train":
            words = words + self.workflow.train_words(self.options)
        given = dict.fromkeys(stage_help.flags_in([*(tasks[0].words if tasks else ()), *words]))
        folder = tempfile.mkdtemp(dir=self.scratch)
        self.flags[stage] = stage_help.known_flags(self.options.env, script, words, given, folder)
        return f"its --help knows {' '.join(given)}"

    # --------------------------------------------------------------- tree, templates

    def results_tree(self):
        if self.tasks is None:
            raise NotChecked("it needs the studies and splits")
        tree = planning.results_tree(self.options.output_dir, self.tasks)
        planning.refuse_other_owner(tree, self.workflow, self.options)
        if self.options.adopt:
            raise NotChecked("--adopt judges what is there when the run begins")
        planning.untracked_outputs(self.tasks, tree, self.options)
        taken = fingerprints.take(self.data, self.tasks, self.options, tree)
        self.why = recovery.judge(self.tasks, planning.tasks_to_run(self.tasks, tree, taken, self.options), tree, self.options).why
        refusal = replacement.refusal_of(self.tasks, self.why, tree, self.options)
        if refusal:
            raise refusal
        own = [task for task in self.plan.tasks if task.name in self.why]
        return f"{len(self.plan.tasks) - len(own)} tasks are done, {len(own)} to run"

    def chosen(self):
        """The tasks that a launch would run; all, if that is not known."""
        if self.tasks is None:
            raise NotChecked("it needs the studies and splits")
        return [task for task in self.tasks if self.why is None or task.name in self.why]

    def disk_space(self):
        out = self.options.output_dir
        return disk_space.check(self.chosen(), self.data, self.plan.files, out, paths.existing_part(out))

    def templates(self):
        """The batch scripts as they would be, each of them put before Slurm."""
        chosen = self.chosen() or self.tasks
        why = {task.name: (self.why or {}).get(task.name, Reason("never_run", "never run")) for task in chosen}
        arrays = planning.arrays_to_run(self.tasks, recovery.Recovery(why), self.options)
        for array in arrays:
            lines = templates.read_template(array.template, self.options.model)
            templates.check_count(lines, array.count, array.template, self.options.tasks_per_gpu)
            values = launch_directory.holes(self.workflow.name, array, self.scratch, self.options)
            text = templates.render(lines, values, array.template)
            whole_file.write_whole(os.path.join(self.scratch, f"{array.name}.sbatch"), text)
        names = ", ".join(dict.fromkeys(os.path.basename(array.template) for array in arrays))
        if self.options.executor != "slurm":
            raise NotChecked(f"{names} can be filled in, and are not used: the tasks run on this machine")
        slurm.largest_array()       # refused only now: what is wrong in a template shows without a controller, too
        submit.test_scripts(arrays, self.scratch)
        return f"Slurm takes {names}"

    # ------------------------------------------------------------------- --check run

    def run_tiny(self):
        """A line for each stage that runs on some rows of the benchmark."""
        if self.plan is None:
            return self.line("tiny run", self.chosen)
        print(f"--check run: about {sum(tiny_run.ROWS.values())} rows, here and not in a job, in {self.scratch}", flush=True)
        tiny = tiny_run.TinyRun(self.plan, self.data, self.options, os.path.join(self.scratch, "tiny"),
                                "--epochs" in self.flags.get("train", ()))
        failed = set()
        for task in tiny.tasks():
            if not self.line(f"run of {task.stage}", lambda task=task: self.run_one(tiny, task, failed)):
                failed.add(task.name)
        return None

    def run_one(self, tiny, task, failed):
        if failed.intersection(task.parents):
            raise NotChecked("what it is made from has failed")
        status, log = tiny.run(task)
        if status.get("reason_kind") == "environment" and "environment" in self.not_checked:
            raise NotChecked(f"{status['reason']}; compute nodes may have what is not on this machine")
        if status.get("state") != "done":
            sys.stderr.write(log)
            raise Refusal(f"{task.stage} failed: {status.get('reason', 'it left no status')}",
                          "the end of its log is above; mend the model or its environment")
        return f"{status['seconds']} s, {status['peak_mb']} MB"
