"""queue_tree: a results tree as launches on Slurm leave it, without running anything."""
import json

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
JOBS = {"preprocess_0": "1", "train": "2", "infer_0": "4", "infer_1": "5", "collect": "3"}


class QueueCase(WorkCase):
    """A tree in out/, and the Queue of what squeue would print."""

    def put(self, name, content):
        path = self.path("out", name)
        write(path, content if isinstance(content, str) else json.dumps(content))
        return path

    def launch(self, launch=L1, tasks=TASKS, jobs=JOBS, **plan):
        """Writes a launch that runs these tasks; jobs: {array: job}."""
        records = [{"name": name, "stage": stage, "array": array, "index": index,
                    "parents": parents, "script": "/m/s.py", "run": True}
                   for name, (stage, array, index, parents) in tasks.items()]
        self.put(f"launches/{launch}/plan.json", dict({
            "workflow": "csa", "executor": "slurm", "output_dir": self.path("out"),
            "tasks": records}, **plan))
        self.put(f"launches/{launch}/jobs.tsv", "".join(f"{a}\t{j}\n" for a, j in jobs.items()))

    def status(self, name, state="done", **keys):
        self.put(f"{name}/stage_status.json", dict({
            "state": state, "launch": L1, "attempt": 1, "host": "n1", "pid": 1, "arguments": {},
            "script": "/m/s.py"}, **keys))
        self.put(f"{name}/log.txt", "=== attempt 1\nlast words\n")

    def tree(self):
        return ResultsTree(self.path("out"))

    def queue(self, *lines, error=""):
        """lines: 'JOB_INDEX STATE REASON ARRAY', of another launch than the first with its id."""
        elements = []
        for line in lines:
            place, state, reason, name, *launch = line.split(" ")
            elements += slurm.elements_of(
                f"{place}|{state}|{reason}|csa.{launch[0] if launch else L1}.{name}")
        return Queue(self.tree(), elements, error)

    def states(self, *lines, **more):
        """{task name: (state, reason_kind, reason)}"""
        found = status.survey(self.queue(*lines, **more))
        return {state.name: state[2:5] for state in found}
