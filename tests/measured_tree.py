"""measured_tree: a results tree whose tasks took what a test says, without running them."""
import json
import os

from tests.support import WorkCase

SCRIPT = """#!/usr/bin/env bash
#SBATCH --time={time}   # EDIT: the longest
#SBATCH --mem={mem}
#SBATCH --cpus-per-task=2
exec true
"""


class MeasuredCase(WorkCase):
    """Launches in out/, by hand."""

    def have_launch(self, launch, tasks, time="1:00:00", mem="1000M", **head):
        """tasks: {name: (stage, source, index, status or None)}; every task is in the array that has its stage's name."""
        directory = self.path("out/launches", launch)
        os.makedirs(directory)
        records = [{"name": name, "stage": stage, "array": stage, "index": index, "words": ["none", "/m/toy.py"], "parents": [],
                    "source": source, "run": True} for name, (stage, source, index, _) in tasks.items()]
        plan = dict({"workflow": "csa", "launch": launch, "model": "toy", "executor": "slurm", "input_dir": self.path("raw"),
                     "output_dir": self.path("out"), "command": ["python3", "workflow_csa.py"], "tasks": records}, **head)
        self.write(f"out/launches/{launch}/plan.json", json.dumps(plan))
        for stage in {stage for stage, *_ in tasks.values()}:
            self.write(f"out/launches/{launch}/{stage}.sbatch", SCRIPT.format(time=time, mem=mem))
        for name, (stage, _, index, status) in tasks.items():
            if status is not None:
                self.have_status(name, **dict({"launch": launch, "stage": stage, "slurm_job": f"7_{index}"}, **status))

    def have_status(self, name, **more):
        os.makedirs(self.path("out", name), exist_ok=True)
        status = dict({"state": "done", "reason_kind": "", "words": ["none", "/m/toy.py"], "made_from": {}, "files": {},
                       "exit_code": 0, "seconds": 1.0, "cpu_seconds": 1.0, "peak_mb": 10.0, "host": "n1", "stamp": "s"}, **more)
        self.write(f"out/{name}/stage_status.json", json.dumps(status))


def took(seconds, peak, **more):
    return dict({"seconds": seconds, "cpu_seconds": seconds, "peak_mb": peak}, **more)
