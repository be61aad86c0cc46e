"""The collector of a workflow that has none of its own: a made-up one that trains each model with several seeds."""
import contextlib
import csv
import io
import json
import os
import shutil
import tempfile
import unittest
from unittest import mock
from xml.etree import ElementTree

import tests  # noqa: F401  (puts stages/ on the path)

import collect_scores  # noqa: E402
from tests.made_tree import Campaign, of_stage, write  # noqa: E402

ALL_SCORES = """task,stage,source,target,split,size,seed,mse,rmse,pcc,scc,r2
infer/a/split_0/seed_1,infer,a,a,0,,1,0.25,0.5,0.75,0.625,0.5
infer/a/split_0/seed_2,infer,a,a,0,,2,0.25,0.5,0.75,0.625,0.75
"""


class SeedsTest(unittest.TestCase):

    def setUp(self):
        self.top = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.top)
        self.out = os.path.join(self.top, "out")
        self.campaign = Campaign(self.out)

    def entries(self, seeds=(1, 2, 3)):
        found = []
        for seed in seeds:
            for stage, name, parents in (("train", "models", []), ("infer", "infer", [f"models/a/split_0/seed_{seed}"])):
                entry = self.campaign.entry(stage, f"{name}/a/split_0/seed_{seed}", "a", "a", 0, parents, [])
                found.append(dict(entry, labels={"seed": seed}))
        return found

    def run_seeds(self, workflow="seeds"):
        """Leaves a tree of three seeds, the third of which failed in training."""
        entries = self.entries()
        self.campaign.plan("20260101T0", entries, workflow=workflow)
        self.campaign.run(of_stage(entries, "train")[:2], seconds=3.0)
        self.campaign.run(of_stage(entries, "infer")[:2])
        self.campaign.scores("infer/a/split_0/seed_2", r2=0.75)
        self.campaign.run(of_stage(entries, "train")[2:], state="failed", reason="exit code 3", exit_code=3)
        return entries

    def collect(self):
        said, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(errors):
            code = collect_scores.main([self.out])
        self.assertEqual(errors.getvalue(), "")
        return code, said.getvalue()

    def text(self, name):
        with open(os.path.join(self.out, name), encoding="utf-8", newline="") as file:
            return file.read()

    def test_all_scores_have_the_labels_of_their_tasks(self):
        self.run_seeds()
        self.assertEqual(self.collect()[0], 0)
        self.assertEqual(self.text("scores/all_scores.csv"), ALL_SCORES)
        self.assertEqual(self.text("scores/runtimes.csv"), "source,stage,tasks,median,longest,sum\na,train,2,3.0,3.0,6.0\n")

    def test_what_is_missing_is_listed_and_the_mean_of_the_rest_is_printed(self):
        self.run_seeds()
        said = self.collect()[1]
        row, = csv.DictReader(io.StringIO(self.text("scores/missing.csv")))
        self.assertEqual((row["task"], row["failed_task"], row["reason"]),
                         ("infer/a/split_0/seed_3", "models/a/split_0/seed_3", "exit code 3"))
        self.assertIn("seeds of model baseline, launch 20260101T0\n", said)
        self.assertIn("scores: 2 of 3, 1 missing", said)
        self.assertIn("r2, over all results of a group\n"
                      "source  target  results    mean     std\na            a        2  0.6250  0.1768\n", said)

    def test_the_page_has_scores_runtimes_and_failures(self):
        self.run_seeds()
        self.collect()
        page = ElementTree.fromstring(self.text("report.html").partition("\n")[2])
        self.assertEqual([heading.text for heading in page.iter("h2")],
                         ["Scores: r2", "Other metrics", "Runtimes", "Missing results"])
        self.assertIn("0.625", [cell.text for cell in page.iter("td")])

    def test_sizes_and_other_models_are_groups_of_their_own(self):
        entries = [dict(entry, size=size, name=f"{entry['name']}/sz_{size}", parents=[])
                   for entry in of_stage(self.entries((1, 2)), "infer") for size in (10, 200)]
        self.campaign.plan("20260101T0", entries, workflow="seeds")
        self.campaign.run(entries)
        said = self.collect()[1]
        self.assertIn("source  target  size  results    mean     std\n"
                      "a            a    10        2  0.5000  0.0000\na            a   200        2  0.5000  0.0000\n", said)

    def test_a_workflow_without_inferences_has_the_scores_of_its_trainings(self):
        entries = of_stage(self.entries((1, 2)), "train")
        self.campaign.plan("20260101T0", entries, workflow="seeds")
        self.campaign.run(entries)
        for entry in entries:
            write(os.path.join(self.out, entry["name"], "val_scores.json"), json.dumps({"mse": 0.25}))
        self.assertIn("scores: 2 of 2\n\nmse, over all results of a group\n", self.collect()[1])

    def test_any_name_of_a_workflow_is_only_a_name(self):
        for workflow in ("compare", "naive", "generic", "__init__", "../x", "os", "a b", ""):
            shutil.rmtree(self.out, ignore_errors=True)
            self.campaign.stamps = 0
            self.run_seeds(workflow)
            self.assertEqual(self.collect()[0], 0, workflow)
            self.assertEqual(self.text("scores/all_scores.csv"), ALL_SCORES)
        self.assertEqual(os.listdir(self.top), ["out"])

    def test_damaged_labels_are_ignored(self):
        for labels in (None, 7, ["seed"], {"seed": [1]}, {"mse": 9}):
            shutil.rmtree(self.out, ignore_errors=True)
            entries = [dict(entry, labels=labels) for entry in of_stage(self.entries((1,)), "infer")]
            self.campaign.plan("20260101T0", [dict(entry, parents=[]) for entry in entries], workflow="seeds")
            self.campaign.run([dict(entry, parents=[]) for entry in entries])
            self.assertEqual(self.collect()[0], 0, labels)
            row, = csv.DictReader(io.StringIO(self.text("scores/all_scores.csv")))
            self.assertEqual(row["mse"], "0.25")

    def test_a_workflow_gets_its_own_collector_by_a_file_of_its_name(self):
        self.run_seeds()
        folder = os.path.join(self.top, "collect")
        os.makedirs(folder)
        write(os.path.join(folder, "seeds.py"), "def collect(tree, model):\n    raise KeyboardInterrupt\n")
        import collect
        with mock.patch.object(collect_scores, "COLLECTORS", folder), mock.patch.object(collect, "__path__", [folder]):
            self.assertEqual(collect_scores.main([self.out]), 130)


if __name__ == "__main__":
    unittest.main()
