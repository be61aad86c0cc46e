"""A fourth workflow is one file: the one in docs/workflows.md runs, resumes and has a status beside an unchanged project."""
import json
import os
import shutil
import unittest

from tests.pages import code_blocks, write_code
from tests.support import WorkCase, write_benchmark

TASKS = 3 * (1 + 2 * 2)     # splits x (preprocess and, for each of two seeds, train and infer)


class FourthWorkflowTest(WorkCase):
    def setUp(self):
        super().setUp()
        self.have_project()
        write_code("docs/workflows.md", self.path("project"))
        write_code("docs/your_model.md", self.path("drugmean"))
        write_benchmark(self.path("raw"), ("A", "B"), splits=3)

    def run_seeds(self, *arguments):
        return self.run_workflow("seeds", "--model", "drugmean", "--model_dir", "drugmean", "--input_dir", "raw", "--output_dir",
                                 "out", "--source", "A", "--executor", "local", *arguments, folder=self.path("project"))

    def states(self, *arguments):
        """{task name: state} of all but the collector."""
        ended = self.run_seeds("--json", *arguments)
        tasks = json.loads(ended.out)["tasks"]
        return {task["name"]: task["state"] for task in tasks if task["stage"] != "collect"}

    def model_of_seed(self, seed):
        return self.read("out", "models", "A", "split_0", f"seed_{seed}", "model.json")

    def test_it_is_at_most_80_lines(self):
        self.assertLessEqual(len(code_blocks("docs/workflows.md")["workflow_seeds.py"].splitlines()), 80)

    def test_it_runs_every_seed_and_the_same_command_runs_nothing_again(self):
        ended = self.run_seeds("--seeds", "2")
        self.assertEqual(ended.code, 0, ended)
        self.assertIn(f"{TASKS} tasks in {self.path('out')}: 0 done already, {TASKS} to run (3 preprocess, 6 train, 6 infer)",
                      ended.out)
        self.assertEqual(set(self.states().values()), {"done"})
        self.assertEqual(len(self.states()), TASKS)
        self.assertNotEqual(self.model_of_seed(1), self.model_of_seed(2))
        self.assertIn(f"{TASKS} done already, 0 to run", self.run_seeds("--seeds", "2").out)
        ended = self.run_seeds("--seeds", "3", "--dry_run")
        self.assertIn(f"{TASKS} done already, 6 to run (0 preprocess, 3 train, 3 infer)", ended.out)

    def test_each_seed_is_a_dimension_of_its_tasks_and_a_word_for_train(self):
        self.run_seeds("--seeds", "2", "--split", "0", "--dry_run")
        launches = self.path("out/launches")
        with open(os.path.join(launches, os.listdir(launches)[0], "dry_plan.json"), encoding="utf-8") as file:
            tasks = json.load(file)["tasks"]
        self.assertEqual([(task["stage"], task["array"], task["index"], task["labels"], task["words"][-2:] == ["--seed", "2"])
                          for task in tasks],
                         [("preprocess", "preprocess", 0, {}, False), ("train", "train_1", 0, {"seed": 1}, False),
                          ("infer", "infer_1", 0, {"seed": 1}, False), ("train", "train_2", 0, {"seed": 2}, True),
                          ("infer", "infer_2", 0, {"seed": 2}, False), ("collect", "collect", 0, {}, False)])

    def test_a_deleted_model_is_trained_again_and_so_is_what_follows(self):
        self.run_seeds("--seeds", "2", "--split", "0")
        shutil.rmtree(self.path("out/models/A/split_0/seed_2"))
        ended = self.run_seeds("--seeds", "2", "--split", "0")
        self.assertIn("3 done already, 2 to run (0 preprocess, 1 train, 1 infer)", ended.out)

    def test_all_scores_and_a_page_exist_though_no_collector_knows_the_workflow(self):
        ended = self.run_seeds("--seeds", "2")
        self.assertEqual(ended.code, 0, ended)
        self.assertTrue(os.path.isfile(self.path("out/report.html")))
        self.assertEqual({(row["source"], row["split"], row["seed"]) for row in self.table("all_scores.csv")},
                         {("A", split, seed) for split in "012" for seed in "12"})
        self.assertEqual(self.table("missing.csv"), [])


if __name__ == "__main__":
    unittest.main()
