"""tiny_run: --check run, one task of each stage on some rows, in a temporary folder.

    the plan for that folder -> a task of the last stage and its inputs -> few rows, one epoch
        -> run_model.sh -> verdict

It runs on this machine, also if the campaign is for Slurm.
"""
import argparse
import json
import os
import subprocess
import sys

from core.files import cores, read_json, write_whole
from core.improve_files import finite_number
from core.slurm_output import tail
from core.task import SPLIT_FILES, argument_list, command_line
from core.tree import Status, read_status
from launcher import launch_files, subsets
from launcher.paths import HERE

ROWS = 2000         # to train on: many batches of any usual size, for batch normalisation
BATCHES = 8         # full ones, if a task names its batch size
LOG_LINES = 20


class TinyRun:
    """The tasks of a plan for a temporary folder, on few rows.

    folder: a temporary directory; epochs: {"epochs": "1"} if train has this option, else {};
    rows: in the training set, a third of it for validation and test
    """

    def __init__(self, workflow, options, data, folder, epochs):
        self.out, self.splits = folder + "/out", folder + "/splits"
        self.data, self.epochs = data, epochs
        self.plan = workflow.plan(
            argparse.Namespace(**dict(vars(options), output_dir=self.out)), data)
        self.responses = subsets.responses(data.response_file, options.y_col_name)
        sizes = [str(task.arguments.get("batch_size")) for task in self.plan.tasks]
        self.rows = max([ROWS] + [BATCHES * int(size) for size in sizes if size.isdigit()])
        os.makedirs(self.splits)
        os.makedirs(self.out + "/launches")     # the runner knows a results tree by it
        for name, text in {**self.plan.files, **self.plan.once}.items():
            launch_files.write_file(os.path.join(self.out, name), text)

    def tasks(self):
        """Returns the first task of the last stage behind its inputs."""
        last = self.plan.tasks[-1].stage
        wanted = [next(task for task in self.plan.tasks if task.stage == last)]
        for task in reversed(self.plan.tasks):
            if any(task.name in child.parents for child in wanted):
                wanted.insert(0, task)
        return wanted

    def run(self, task):
        """Runs one task; returns its Status and the end of its log."""
        done = subprocess.run(
            ["bash", HERE + "/run_model.sh", *command_line(self.small(task), self.out)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=dict(os.environ, WORKFLOW_PYTHON=sys.executable, RETRIES="0", TASK_EXECUTOR="local",
                     TASK_CORES=str(cores())))
        directory = os.path.join(self.out, task.name)
        log = "\n".join(tail(directory + "/log.txt", LOG_LINES))
        status = read_status(directory, self.out) or Status("failed", reason="it left no status")
        return status, log or done.stdout.decode("utf-8", "replace")

    def small(self, task):
        """Returns the task with few rows and one epoch."""
        small = {name: self.small_split(task.arguments[name], rows)
                 for name, rows in zip(SPLIT_FILES, (self.rows, self.rows // 3, self.rows // 3))
                 if name in task.arguments}
        if task.stage == "train":
            small.update(self.epochs)
        if "study" in task.arguments:       # what trials share; fixed arguments win
            path = os.path.join(self.out, task.arguments["study"])
            study = read_json(path)
            study["train_args"] += argument_list(self.epochs, self.out)
            write_whole(path, json.dumps(study))
        return task._replace(arguments={**task.arguments, **small})

    def small_split(self, name, rows):
        """Writes some rows of a split file; returns the path of the new one.

        The rows are spread evenly over the sorted responses, from the lowest to the highest:
        a classifier sees both of its classes.
        """
        path = os.path.join(self.out, name) if "/" in name else self.data.split_file(name)
        ids = subsets.read_ids(path)
        ids.sort(key=lambda row: finite_number(self.responses.get(row) or "") or 0.0)
        last = min(rows, len(ids)) - 1
        chosen = [ids[place * (len(ids) - 1) // max(1, last)] for place in range(last + 1)]
        small = os.path.join(self.splits, os.path.basename(name))
        write_whole(small, subsets.text_of(sorted(chosen)))
        return small
