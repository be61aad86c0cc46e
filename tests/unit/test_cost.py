"""What a launch will take is said before it starts: from measured tasks, else that it is unknown."""
import argparse
import unittest

from launcher.resources import cost
from launcher.results_tree import ResultsTree
from launcher.tasks import Packing, Task, arrays_of
from tests.measured_tree import MeasuredCase, took

LAUNCH = "20260101T000000.000000Z"
GPU = """#!/usr/bin/env bash
#SBATCH --cpus-per-task=4
#SBATCH --gres=gpu:2
# @@JOB_NAME@@ @@ARRAY@@ @@SLURM_OUTPUT@@ @@RUN_MODEL@@ @@TASKS@@
"""


class CostTest(MeasuredCase):
    def setUp(self):
        super().setUp()
        self.write("train.sbatch", GPU)
        self.have_launch(LAUNCH, {
            "models/A/split_0": ("train", "A", 0, took(3600, 10, files={"a": 10 ** 6}, more_files=[2, 10 ** 6])),
            "models/B/split_0": ("train", "B", 1, took(1800, 10))})

    def arrays(self, *tasks, per_job=1):
        planned = [Task(name, stage, stage, index, ("none", "s"), parents, source) for index, (name, stage, source, parents) in enumerate(tasks)]
        return arrays_of(planned, Packing(lambda stage, source: self.path("train.sbatch"), 1001, None, per_job))

    def cost(self, *tasks, **options):
        settings = argparse.Namespace(**dict({"executor": "slurm", "max_running": None, "gpus": [], "jobs": 2, "model": ""}, **options))
        return cost.sentence(self.arrays(*tasks), ResultsTree(self.path("out")), settings)

    def train(self, source, number):
        return [(f"models/{source}/split_{k}", "train", source, ()) for k in range(1, number + 1)]

    def test_cores_and_gpus_are_those_of_the_template_and_disk_is_what_tasks_left(self):
        self.assertEqual(self.cost(*self.train("A", 3)), "cost: about 12.0 core hours, 6.0 GPU hours, 6.0 MB of disk, 1:00 hours of wall "
                         "time if all that can run does, from the tasks that are done here")

    def test_wall_time_follows_the_throttle(self):
        self.assertIn(", 2:00 hours of wall time, from", self.cost(*self.train("A", 4), max_running=2))
        self.assertIn(", 2:00 hours of wall time, from", self.cost(*self.train("A", 4), executor="local", jobs=2))

    def test_a_study_that_was_not_measured_is_as_the_others_and_a_stage_that_was_not_is_left_out_and_both_are_said(self):
        said = self.cost(*self.train("C", 2), ("infer/C-A/split_1", "infer", "C", ()))
        self.assertIn("about 12.0 core hours,", self.cost(*self.train("C", 4)))
        self.assertIn("(2 tasks as other studies of their stage; 1 tasks are unknown and left out)", said)

    def test_without_a_measured_task_it_is_unknown_and_the_way_to_know_is_said(self):
        self.assertEqual(self.cost(("infer/C-A/split_1", "infer", "C", ())), "cost: unknown: --check run measures one task a stage")

    def test_the_launcher_says_it_in_a_dry_run_and_before_a_resumed_run(self):
        self.assertIn("\ncost: unknown:", self.run_toy("--dry_run", "--executor", "slurm", "--output_dir", "new").out)
        self.have_toy("--executor", "local")
        ended = self.run_toy("--executor", "local", "--redo", "infer")
        self.assertRegex(ended.out, r"\ncost: about \d\.\d core minutes, [\d.]+ (kB|MB) of disk, a minute of wall time, from the tasks")


if __name__ == "__main__":
    unittest.main()
