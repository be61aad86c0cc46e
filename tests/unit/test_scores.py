"""test_scores: where the scores of a result come from, and what is a problem; results side by side."""
import math
import os
import shutil
import tempfile
import unittest
from unittest import mock

import tests  # noqa: F401  (puts stages/ on the path)

from common import side_by_side as workers  # noqa: E402
from tree.results_tree import Tree  # noqa: E402
from tree.scores import Inference, read_result, read_results  # noqa: E402
from tests.made_tree import PREDICTIONS, Campaign, of_stage  # noqa: E402


def no_processes(count):
    raise OSError("no semaphores here")


class ScoresTest(unittest.TestCase):
    name = "infer/a-b/split_0"

    def setUp(self):
        self.top = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.top)
        self.campaign = Campaign(os.path.join(self.top, "out"))

    def read(self, sizes=None, y_col_name=None):
        return read_result(Inference(os.path.join(self.campaign.out, self.name), sizes or {}, y_col_name))

    def write(self, file, text):
        self.campaign.write(f"{self.name}/{file}", text)

    def test_scores_come_from_the_score_file_and_mae_from_the_predictions(self):
        self.campaign.scores(self.name)
        self.write("test_y_data_predicted.csv", PREDICTIONS)
        scores = self.read().scores
        self.assertEqual((scores["mse"], scores["r2"]), (0.25, 0.5))
        self.assertAlmostEqual(scores["mae"], 0.14, 12)

    def test_scores_are_computed_where_there_is_no_score_file(self):
        self.write("test_y_data_predicted.csv", PREDICTIONS)
        expected = {"mse": 0.03, "rmse": 0.17320508075688773, "mae": 0.14,      # scikit-learn
                    "pcc": 0.83298795530226, "scc": 0.8651809126974002,       # scipy, with ties
                    "r2": 0.6495327102803738}
        scores = self.read(y_col_name="auc").scores
        self.assertEqual(list(scores), list(expected))
        for name, value in expected.items():
            self.assertAlmostEqual(scores[name], value, 12, name)

    def test_constant_predictions_have_no_correlation(self):
        self.write("test_y_data_predicted.csv", "auc_true,auc_pred\n0.25,0.5\n0.75,0.5\n")
        scores = self.read().scores
        self.assertTrue(math.isnan(scores["pcc"]) and math.isnan(scores["scc"]))
        self.assertEqual((scores["mse"], scores["mae"], scores["r2"]), (0.0625, 0.25, 0.0))

    def test_an_undefined_correlation_is_a_score_without_a_value(self):
        self.write("test_scores.json", '{"mse": 0.5, "pcc": NaN, "r2": -Infinity, "loss": 3}')
        scores = self.read().scores
        self.assertEqual(list(scores), ["mse", "pcc", "r2", "loss"])    # whatever names a model has
        self.assertTrue(math.isnan(scores["pcc"]) and math.isnan(scores["r2"]))

    def test_a_damaged_score_file_is_a_problem_and_not_computed_around(self):
        self.write("test_y_data_predicted.csv", PREDICTIONS)
        for text in (b"", b"{", b"[]", b"{}", b"\x89PNG\r\n\x1a\n\0", b"7", b'{"mse": NaN}',
                     b'{"mse": "0.1"}', b'{"mse": 1, "mse": 2}', b"[" * 100000,
                     b'{"mse": 0.5}' + b" " * 10000000):
            self.write("test_scores.json", text)
            result = self.read()
            self.assertEqual(result.scores, {}, text[:40])
            self.assertIn(self.name, result.problem)

    def test_a_directory_in_place_of_a_file_is_a_problem(self):
        os.makedirs(os.path.join(self.campaign.out, self.name, "test_scores.json"))
        self.assertIn("is not a file", self.read().problem)

    def test_a_file_in_place_of_the_directory_is_a_problem(self):
        self.campaign.write(self.name, "x")
        self.assertIn("Not a directory", self.read().problem)

    def test_a_link_to_nowhere_is_a_problem(self):
        self.write("other", "")
        os.symlink("nowhere", os.path.join(self.campaign.out, self.name, "test_scores.json"))
        self.assertIn("cannot be read", self.read().problem)

    def test_nothing_at_all_is_a_problem(self):
        self.assertIn("has neither test_scores.json nor", self.read().problem)

    def test_damaged_predictions_beside_good_scores_cost_only_mae(self):
        self.campaign.scores(self.name)
        self.write("test_y_data_predicted.csv", "auc_true,auc_pred\n0.1,x\n")
        result = self.read()
        self.assertEqual(result.scores["r2"], 0.5)
        self.assertNotIn("mae", result.scores)
        self.assertIn("no mae", result.note)

    def test_a_file_of_another_size_than_its_status_tells_does_not_count(self):
        self.write("test_scores.json", '{"mse": 0.5}')
        self.assertEqual(self.read({"test_scores.json": 12}).scores, {"mse": 0.5})
        self.assertIn("has 12 bytes, its status says 99",
                      self.read({"test_scores.json": 99}).problem)

    def test_many_results_are_read_side_by_side_with_the_same_scores(self):
        entries = self.campaign.entries(["a"], ["a", "b"], range(3))
        self.campaign.plan("20260101T0", entries)
        for number, entry in enumerate(of_stage(entries, "infer")):
            self.campaign.write(entry["name"] + "/test_y_data_predicted.csv",
                                f"auc_true,auc_pred\n0.{number},0.5\n0.9,0.7\n")
        tree = Tree(self.campaign.out)
        tasks = [tree.tasks[entry["name"]] for entry in of_stage(entries, "infer")]
        alone = read_results(tree, tasks)
        with mock.patch.object(workers, "FEW_BYTES", 0), mock.patch.object(workers, "cores", lambda: 2):
            self.assertEqual(repr(read_results(tree, tasks)), repr(alone))
            with mock.patch("concurrent.futures.ProcessPoolExecutor", no_processes):
                self.assertEqual(repr(read_results(tree, tasks)), repr(alone))
        self.assertEqual(len({result.scores["mse"] for result in alone.values()}), 6)

    def test_errors_beyond_the_range_of_floats_are_nan(self):
        self.write("test_scores.json", '{"mse": 1}')
        self.write("test_y_data_predicted.csv", "auc_true,auc_pred\n1.7e308,0\n1.7e308,0\n")
        self.assertTrue(math.isnan(self.read().scores["mae"]))


if __name__ == "__main__":
    unittest.main()
