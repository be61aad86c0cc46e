"""The collector of a workflow without one of its own: each model is trained with several seeds."""
import os
import shutil
import sys
import unittest
from unittest import mock

import stages.collect
from stages import collect_scores
from tests.collect_case import WithTables
from tests.made_tree import of_stage, write

ALL_SCORES = """task,stage,source,target,split,size,seed,mse,rmse,pcc,scc,r2
infer/a/split_0/seed_1,infer,a,a,0,,1,0.25,0.5,0.75,0.625,0.5
infer/a/split_0/seed_2,infer,a,a,0,,2,0.25,0.5,0.75,0.625,0.75
"""


class SeedsTest(WithTables):

    def entries(self, seeds=(1, 2, 3)):
        found = []
        for seed in seeds:
            for stage, top, parents in (("train", "models", []),
                                        ("infer", "infer", [f"models/a/split_0/seed_{seed}"])):
                entry = self.campaign.entry(stage, f"{top}/a/split_0/seed_{seed}",
                                            ("a", "a", 0), parents, {})
                found.append(dict(entry, labels={"seed": seed}))
        return found

    def run_seeds(self, workflow="seeds"):
        """Leaves a tree of three seeds, the third of which failed in training."""
        entries = self.entries()
        self.campaign.plan("20260101T0", entries, workflow=workflow)
        self.campaign.run(of_stage(entries, "train")[:2], seconds=3.0)
        self.campaign.run(of_stage(entries, "infer")[:2])
        self.campaign.scores("infer/a/split_0/seed_2", r2=0.75)
        self.campaign.run(of_stage(entries, "train")[2:], state="failed", reason="exit code 3",
                          exit_code=3)

    def test_scores_runtimes_and_failures_are_in_the_tables_and_the_page(self):
        self.run_seeds()
        code, said, _ = self.collect()
        self.assertEqual(code, 0)
        self.assertEqual(self.text("all_scores.csv"), ALL_SCORES)
        row, = self.rows("missing.csv")
        self.assertEqual((row["task"], row["failed_task"], row["reason"]),
                         ("infer/a/split_0/seed_3", "models/a/split_0/seed_3", "exit code 3"))
        self.assertIn("seeds of model baseline, launch 20260101T0\n", said)
        self.assertIn("scores: 2 of 3, 1 missing", said)
        self.assertIn("\n\nmetric  source  target  size  results    mean     std\n"
                      "r2           a       a              2  0.6250  0.1768\n\n", said)
        with open(os.path.join(self.out, "report.html"), encoding="utf-8") as file:
            self.assertIn("0.625", file.read())

    def test_sizes_are_groups_of_their_own_and_trainings_count_without_inferences(self):
        infer = [dict(entry, size=size, name=f"{entry['name']}/sz_{size}", parents=[])
                 for entry in of_stage(self.entries((1, 2)), "infer") for size in (10, 200)]
        train = of_stage(self.entries((1, 2)), "train")
        for entry in train:
            self.campaign.write(entry["name"] + "/val_scores.json", '{"mse": 0.25}')
        for entries, said in (
                (train, "scores: 2 of 2\n\nmetric  source  target  size  results    mean     std\n"
                        "mse          a"),
                (infer, "metric  source  target  size  results    mean     std\n"
                        "r2           a       a    10        2  0.5000  0.0000\n"
                        "r2           a       a   200        2  0.5000  0.0000\n")):
            self.campaign.plan("20260101T0", entries, workflow="seeds")
            self.campaign.run(entries)
            self.assertIn(said, self.collect()[1])

    def test_any_name_of_a_workflow_is_only_a_name(self):
        for workflow in ("compare", "__init__", "../x", ""):
            self.run_seeds(workflow)
            self.assertEqual(self.collect()[0], 0, workflow)
            self.assertEqual(self.text("all_scores.csv"), ALL_SCORES)
        self.assertEqual(os.listdir(self.top), ["out"])

    def test_labels_of_any_value_do_not_disturb_the_scores(self):
        for labels in (None, {}, {"seed": [1]}, {"mse": 9}):
            shutil.rmtree(self.out, ignore_errors=True)
            entries = [dict(entry, labels=labels, parents=[])
                       for entry in of_stage(self.entries((1,)), "infer")]
            self.campaign.plan("20260101T0", entries, workflow="seeds")
            self.campaign.run(entries)
            self.assertEqual(self.collect()[0], 0, labels)
            self.assertEqual([row["mse"] for row in self.rows("all_scores.csv")], ["0.25"])

    def test_a_workflow_gets_its_own_collector_by_a_file_of_its_name(self):
        self.run_seeds()
        folder = os.path.join(self.top, "collect")
        write(os.path.join(folder, "seeds.py"),
              "def collect(tree, model):\n    raise KeyboardInterrupt\n")
        with mock.patch.object(stages.collect, "__path__", [folder]), mock.patch.dict(sys.modules):
            self.assertEqual(collect_scores.main([self.out]), 130)


if __name__ == "__main__":
    unittest.main()
