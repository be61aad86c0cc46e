"""queue_tree: a results tree as launches on Slurm leave it, without running anything."""
import json
import os
import types
from unittest import mock

from core.rules import Reason
from core.tree import ResultsTree
from launcher import slurm, status
from launcher.queue import Queue
from tests.made_tree import write
from tests.support import WorkCase

L1, L2 = "20260101T000000.000000Z", "20260102T000000.000000Z"
# name: (stage, array, index, parents); a row of a campaign of one source and two targets
TASKS = {
    "ml": ("preprocess", "preprocess_0", 0, ()), "model": ("train", "train", 0, ("ml",)),
    "infer_a": ("infer", "infer_0", 0, ("model", "ml")),
    "infer_b": ("infer", "infer_1", 0, ("model",)),
    "scores": ("collect", "collect", 0, ("infer_a", "infer_b")),
}
FUSED = {name: (stage, "collect" if stage == "collect" else "row", 0, parents)
         for name, (stage, _, _, parents) in TASKS.items()}
JOBS = {"preprocess_0": "1", "train": "2", "infer_0": "4", "infer_1": "5", "collect": "3"}


def array(name, stage="train", parents=(), after=""):
    """What an Array says of its place in a launch."""
    return types.SimpleNamespace(name=name, stage=stage, parents=parents, after=after,
                                 template="/t/train.sbatch", dependency="aftercorr")


def not_done(tasks, tree):
    """A stand-in for core/rules.py, which has its own tests: what a status calls done is done."""
    statuses = {task.name: tree.status(task.name) for task in tasks}
    return {name: Reason("stale" if found else "never_run", "its parameters have changed")
            for name, found in statuses.items()
            if found is None or found.state != "done" or found.reason_kind == "stale"}


class QueueCase(WorkCase):
    """A tree in out/, and the Queue of what squeue would print."""

    def setUp(self):
        super().setUp()
        patched = mock.patch("launcher.status.rules.decide", not_done)
        patched.start()
        self.addCleanup(patched.stop)

    def put(self, name, content):
        path = self.path("out", name)
        write(path, content if isinstance(content, str) else json.dumps(content))
        return path

    def launch(self, launch=L1, tasks=TASKS, jobs=JOBS, state=None, **plan):
        """Writes a launch that runs these tasks; jobs: {array: job}; returns its directory."""
        records = [{"name": name, "stage": stage, "array": array, "index": index,
                    "parents": parents, "script": f"/m/{stage}.py", "run": True}
                   for name, (stage, array, index, parents) in tasks.items()]
        directory = os.path.dirname(self.put(f"launches/{launch}/plan.json", dict({
            "workflow": "csa", "executor": "slurm", "output_dir": self.path("out"),
            "tasks": records, "command": ["w.py"], "directory": "/project"}, **plan)))
        self.put(f"launches/{launch}/jobs.tsv", "".join(f"{a}\t{j}\n" for a, j in jobs.items()))
        if state:
            self.put(f"launches/{launch}/state.json", state)
        return directory

    def status(self, name, state="done", **keys):
        self.put(f"{name}/stage_status.json", dict({
            "state": state, "launch": L1, "attempt": 1, "host": "n1", "pid": 1, "arguments": {},
            "script": "/m/s.py", "files": {}, "seconds": 1.0}, **keys))
        self.put(f"{name}/log.txt", "=== attempt 1\nlast words\n")

    def tree(self):
        return ResultsTree(self.path("out"))

    def queue(self, *lines, error=""):
        """lines: 'JOB_INDEX STATE REASON ARRAY' of the first launch."""
        elements = []
        for line in lines:
            place, state, reason, array_name = line.split(" ")
            elements += slurm.elements_of(f"{place}|{state}|{reason}|csa.{L1}.{array_name}")
        return Queue(self.tree(), elements, error)

    def states(self, *lines, **more):
        """{task name: (state, reason_kind, reason)}"""
        found = status.survey(self.tree(), self.queue(*lines, **more))
        return {state.name: state[2:5] for state in found}
