"""tiny_run: one task of each stage on about 50 rows of the benchmark, in a temporary folder (--check run).

    the plan's last task and what it is made from -> the same words, with paths in the folder and one epoch
      -> run_model.sh -> stage_status.json -> a verdict, seconds, megabytes

It runs on this machine, also if the campaign is for Slurm.
"""
import json
import os
import subprocess
import sys

from launcher import fingerprints, local, subsets, whole_file
from launcher.paths import HERE

ROWS = {"--train_split_file": 30, "--val_split_file": 10, "--test_split_file": 10}
FEWEST = ["--epochs", "1"]


class TinyRun:
    """A copy of the benchmark with few rows, and the tasks that run on it.

    few_epochs: whether train knows --epochs; folder: a temporary directory
    """

    def __init__(self, plan, data, options, folder, few_epochs):
        self.plan, self.data, self.out, self.few_epochs = plan, data, options.output_dir, few_epochs
        self.folder, self.raw = folder, os.path.join(folder, "raw_data")
        self.splits = os.path.join(self.raw, "splits")
        os.makedirs(self.splits)
        os.makedirs(os.path.join(folder, "out", "launches"))    # so that the runner knows the results tree
        for name in os.listdir(data.directory):
            if name != "splits":
                os.symlink(os.path.join(os.path.abspath(data.directory), name), os.path.join(self.raw, name))

    def tasks(self):
        """The first task of the last stage, behind all that it is made from."""
        by_name = {task.name: task for task in self.plan.tasks}
        stage = self.plan.tasks[-1].stage

        def with_parents(task):
            return [each for name in task.parents for each in with_parents(by_name[name])] + [task]
        found = with_parents(next(task for task in self.plan.tasks if task.stage == stage))
        return list({task.name: task for task in found}.values())

    def run(self, task):
        """Runs one task; returns its status and the end of its log."""
        bind = ",".join(filter(None, (os.environ.get("APPTAINER_BIND"), os.path.realpath(self.data.directory))))
        subprocess.call(["bash", os.path.join(HERE, "run_model.sh"), *self.words(task)], stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder,
                        env=dict(os.environ, WORKFLOW_PYTHON=sys.executable, RETRIES="0", TASK_EXECUTOR="local",
                                 TASK_CORES=str(local.available_cores()), APPTAINER_BIND=bind, SINGULARITY_BIND=bind))
        directory = os.path.join(self.folder, "out", task.name)
        status = whole_file.read_json(os.path.join(directory, "stage_status.json")) or {}
        return status, end_of(os.path.join(directory, "log.txt"))

    def words(self, task):
        """The words of a task on the small benchmark."""
        words = list(task.words)
        for at, option in enumerate(words[:-1]):
            if option in ROWS:
                words[at + 1] = self.small_split(words[at + 1], ROWS[option])
            elif option == "--study":
                self.write_study(words[at + 1])
        return [self.moved(word) for word in words] + (FEWEST if task.stage == "train" and self.few_epochs else [])

    def moved(self, word):
        if word == self.data.directory:
            return self.raw
        return os.path.join(self.folder, "out") + word[len(self.out):] if (word + "/").startswith(self.out + "/") else word

    def small_split(self, word, rows):
        """Writes some rows of a split file, from all over it; returns the word that names them."""
        text = self.plan.files.get(fingerprints.split_name(word, self.out))
        ids = subsets.read_ids(self.data.split_file(word)) if text is None else list(map(int, text.split()))
        path = os.path.join(self.splits, os.path.basename(word))
        whole_file.write_whole(path, subsets.text_of(ids[::max(1, len(ids) // rows)][:rows]))
        return path if os.path.isabs(word) else word

    def write_study(self, path):
        """What the trials of a search have in common, with few epochs: words for train win over a trial's point."""
        text = self.plan.once.get(path[len(self.out) + 1:])
        study = whole_file.read_json(path) if text is None else json.loads(text)
        study["train_words"] += FEWEST if self.few_epochs else []
        whole_file.write_whole(self.moved(path), json.dumps(study))


def end_of(path, lines=20):
    """The last lines of a log; '' if there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-lines:])
    except OSError:
        return ""
