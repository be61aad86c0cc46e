"""test_scores: where the scores of a result come from, and what is a problem or a note."""
import math
import os
import shutil
import tempfile
import unittest
from unittest import mock

from core import files
from stages.collect.scores import (Inference, Result, read_result, read_results,
                                   scored_and_missing, undefined_scores)
from stages.collect.gaps import Tree
from tests.made_tree import PREDICTIONS, Campaign, of_stage


def no_processes(count):
    raise OSError("no semaphores here")


class ScoresTest(unittest.TestCase):
    name = "infer/a-b/split_0"

    def setUp(self):
        self.top = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.top)
        self.campaign = Campaign(os.path.join(self.top, "out"))

    def read(self, sizes=None, y_col_name=None):
        directory = os.path.join(self.campaign.out, self.name)
        return read_result(Inference(directory, sizes or {}, y_col_name))

    def write(self, file, text):
        self.campaign.write(f"{self.name}/{file}", text)

    def test_scores_come_from_the_score_file_and_mae_from_the_predictions(self):
        self.campaign.scores(self.name)
        self.write("test_y_data_predicted.csv", PREDICTIONS)
        scores = self.read().scores
        self.assertEqual((scores["mse"], scores["r2"]), (0.25, 0.5))
        self.assertAlmostEqual(scores["mae"], 0.14, 12)

    def test_scores_are_computed_if_there_is_no_score_file(self):
        self.write("test_y_data_predicted.csv", PREDICTIONS)
        expected = {"mse": 0.03, "rmse": 0.17320508075688773, "mae": 0.14,    # scikit-learn 1.9
                    "pcc": 0.83298795530226, "scc": 0.8651809126974002,       # scipy 1.17, ties
                    "r2": 0.6495327102803738}
        scores = self.read(y_col_name="auc").scores
        self.assertEqual(list(scores), list(expected))
        for name, value in expected.items():
            self.assertAlmostEqual(scores[name], value, 12, name)

    def test_what_is_damaged_is_a_problem_and_not_computed_around(self):
        self.write("test_y_data_predicted.csv", PREDICTIONS)
        for text in (b"", b"[]", b"{}", b"\x89PNG\r\n\x1a\n\0", b'{"mse": NaN}', b'{"mse": "x"}',
                     b'{"mse": 0.5}' + b" " * 10000000):
            self.write("test_scores.json", text)
            result = self.read()
            self.assertEqual(result.scores, {}, text[:40])
            self.assertIn(self.name, result.problem)

    def test_odd_files_are_a_problem_that_says_what_they_are(self):
        path = os.path.join(self.campaign.out, self.name)
        self.assertIn("test_y_data_predicted.csv: cannot be read", self.read().problem)
        os.makedirs(os.path.join(path, "test_scores.json"))
        self.assertIn("is not a file", self.read().problem)
        os.rmdir(os.path.join(path, "test_scores.json"))
        os.symlink("nowhere", os.path.join(path, "test_scores.json"))
        self.assertIn("cannot be read", self.read().problem)
        shutil.rmtree(path)
        self.campaign.write(self.name, "x")
        self.assertIn("Not a directory", self.read().problem)

    def test_damaged_predictions_beside_good_scores_cost_only_mae(self):
        self.campaign.scores(self.name)
        for text in ("auc_true,auc_pred\n0.1,x\n", "label_true,label_pred\n0,1\n",
                     "auc_true,auc_pred\n1.7e308,0\n1.7e308,0\n"):
            self.write("test_y_data_predicted.csv", text)
            scores = self.read(y_col_name="auc").scores
            self.assertEqual(scores["r2"], 0.5)
            self.assertFalse(math.isfinite(scores.get("mae", math.nan)))

    def test_a_file_of_another_size_than_its_status_says_does_not_count(self):
        self.write("test_scores.json", '{"mse": 0.5}')
        self.assertEqual(self.read({"test_scores.json": 12}).scores, {"mse": 0.5})
        self.assertIn("has 12 bytes, its status says 99",
                      self.read({"test_scores.json": 99}).problem)

    def test_several_processes_or_none_read_the_same_scores(self):
        entries = self.campaign.entries(["a"], ["a", "b"], range(3))
        self.campaign.plan("20260101T0", entries)
        for number, entry in enumerate(of_stage(entries, "infer")):
            self.campaign.write(entry["name"] + "/test_y_data_predicted.csv",
                                f"auc_true,auc_pred\n0.{number},0.5\n0.9,0.7\n")
        tree = Tree(self.campaign.out)
        tasks = [tree.tasks[entry["name"]] for entry in of_stage(entries, "infer")]
        alone = read_results(tree, tasks)
        with mock.patch.object(files, "FEW_BYTES", 0), mock.patch.object(files, "cores", lambda: 2):
            self.assertEqual(repr(read_results(tree, tasks)), repr(alone))
            with mock.patch("concurrent.futures.ProcessPoolExecutor", no_processes):
                self.assertEqual(repr(read_results(tree, tasks)), repr(alone))
        self.assertEqual(len({result.scores["mse"] for result in alone.values()}), 6)

    def test_a_result_without_one_metric_is_a_gap_of_that_metric_alone(self):
        self.campaign.plan("20260101T0", self.campaign.entries(["a"], ["a"], range(3)))
        tree = Tree(self.campaign.out)
        scored = [task for task in tree.tasks.values() if task.stage == "infer"]
        results = dict(zip([task.name for task in scored], map(Result, (
            {"mse": 1.0, "scc": 0.5}, {"mse": 1.0, "scc": math.nan}, {"mse": 1.0}))))
        self.assertEqual([(gap.task.split, gap.state, gap.reason)
                          for gap in undefined_scores(tree, scored, results)], [
            (1, "undefined", "scc is NaN or null; means are over the other splits"),
            (2, "undefined", "scc is not in the score file; means are over the other splits")])
        self.assertEqual(scored_and_missing(tree, scored, results), (
            scored, [], ["scc is missing in 2 results: means are over the others"]))


if __name__ == "__main__":
    unittest.main()
