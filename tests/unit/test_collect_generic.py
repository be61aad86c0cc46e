"""The collector of a workflow without one of its own: each model is trained with several seeds."""
import os
import sys
import unittest
from unittest import mock

import stages.collect
from stages import collect_scores
from tests.collect_case import WithTables

ALL_SCORES = """task,stage,source,target,split,size,seed,mse,rmse,pcc,scc,r2
infer/a/seed_1,infer,a,a,0,,1,0.25,0.5,0.75,0.625,0.5
infer/a/seed_2,infer,a,a,0,,2,0.25,0.5,0.75,0.625,0.75
"""


class SeedsTest(WithTables):

    def entry(self, stage, seed, parents, labels):
        name = f"{'models' if stage == 'train' else stage}/a/seed_{seed}"
        return dict(self.campaign.entry(stage, name, ("a", "a", 0), parents, {}), labels=labels)

    def run_seeds(self, workflow="seeds"):
        """Leaves a tree of three seeds, the third of which failed in training."""
        entries = [self.entry(stage, seed, parents, {"seed": seed}) for seed in (1, 2, 3)
                   for stage, parents in (("train", []), ("infer", [f"models/a/seed_{seed}"]))]
        self.campaign.plan("20260101T0", entries, workflow=workflow)
        self.campaign.run(entries[:-2])
        self.campaign.scores("infer/a/seed_2", r2=0.75)
        self.campaign.run(entries[-2:-1], state="failed", reason="exit code 3", exit_code=3)

    def test_scores_and_failures_are_in_tables_and_page_whatever_the_workflow_is_called(self):
        for workflow in ("seeds", "compare", "__init__", "../x", ""):
            self.run_seeds(workflow)
            code, said, _ = self.collect()
            self.assertEqual((code, self.text("all_scores.csv")), (0, ALL_SCORES), workflow)
            self.assertIn(f"{workflow} of model baseline, launch 20260101T0\nc", said)
        self.assertIn("scores: 2 of 3, 1 missing", said)
        self.assertRegex(self.text("missing.csv"), (
            "\ninfer/a/seed_3,.*,models/a/seed_3,failed,exit code 3,3,.*log.txt\n$"))
        for part in ("infer/a/seed_2", "0.625", "exit code 3"):
            self.assertIn(part, self.read("out/report.html"))
        self.assertEqual(os.listdir(self.work), ["out"])

    def test_labels_of_any_value_do_not_disturb_the_scores(self):
        """Trainings, which count without inferences."""
        self.campaign.write("models/a/seed_1/val_scores.json", '{"mse": 0.25}')
        for labels in (None, {}, {"seed": [1]}, {"mse": 9}):
            entry = self.entry("train", 1, [], labels)
            self.campaign.plan("20260101T0", [entry], workflow="seeds")
            self.campaign.run([entry])
            self.assertEqual(self.collect()[0], 0, labels)
            text = self.text("all_scores.csv")
            self.assertTrue(text.endswith(",0.25\n"))
            self.assertEqual(text.count("mse"), 1)

    def test_a_workflow_gets_its_own_collector_by_a_file_of_its_name(self):
        self.run_seeds()
        self.write("collect/seeds.py", "def collect(tree, model):\n    raise KeyboardInterrupt\n")
        with mock.patch.object(stages.collect, "__path__", [self.path("collect")]), \
                mock.patch.dict(sys.modules):
            self.assertEqual(collect_scores.main([self.out]), 130)


if __name__ == "__main__":
    unittest.main()
