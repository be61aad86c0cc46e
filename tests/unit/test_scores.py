"""test_scores: where the scores of a result come from, and what is a problem or a note."""
import math
import os
import shutil
import unittest
from unittest import mock

from core import metrics
from core.task import Task
from stages.collect import scores
from stages.collect.gaps import Tree
from stages.collect.scores import job_of, read_result, read_results
from tests.collect_case import WithTables
from tests.made_tree import PREDICTIONS


class ScoresTest(WithTables):
    name = "infer/a-b/split_0"

    def result(self):
        return read_result(job_of(Tree(self.out), Task(self.name, "infer", y_col_name="auc")))

    def put_file(self, file, text):
        self.campaign.write(f"{self.name}/{file}", text)

    def test_scores_come_from_the_score_file_and_mae_from_the_predictions(self):
        self.campaign.scores(self.name)
        self.put_file("test_y_data_predicted.csv", PREDICTIONS)
        scores = self.result().scores
        self.assertEqual((scores["mse"], scores["r2"]), (0.25, 0.5))
        self.assertAlmostEqual(scores["mae"], 0.14, 12)

    def test_a_metric_that_a_site_adds_as_the_readme_says_is_computed(self):
        self.campaign.scores(self.name)
        self.put_file("test_y_data_predicted.csv", PREDICTIONS)
        with mock.patch.dict(metrics.METRICS, worst="lower"), \
                mock.patch.object(metrics, "left_out", lambda true, pred: {"mae": 1, "worst": 2}):
            self.assertEqual(self.result().scores["worst"], 2)

    def test_scores_are_computed_if_there_is_no_score_file(self):
        self.put_file("test_y_data_predicted.csv", PREDICTIONS)
        expected = {"mse": 0.03, "rmse": 0.17320508075688773, "mae": 0.14,    # scikit-learn 1.9
                    "pcc": 0.83298795530226, "scc": 0.8651809126974002,       # scipy 1.17, ties
                    "r2": 0.6495327102803738}
        scores = self.result().scores
        self.assertEqual(list(scores), list(expected))
        for name, value in expected.items():
            self.assertAlmostEqual(scores[name], value, 12, name)

    def test_what_is_damaged_is_a_problem_and_not_computed_around(self):
        self.put_file("test_y_data_predicted.csv", PREDICTIONS)
        for text in (b"", b"{}", b'{"mse": NaN}', b'{"mse": "x"}'):
            self.put_file("test_scores.json", text)
            result = self.result()
            self.assertEqual(result.scores, {}, text)
            self.assertIn(self.name, result.problem)
        path = self.path("out", self.name, "test_scores.json")
        os.unlink(path)
        os.symlink("nowhere", path)
        self.assertIn("test_scores.json: cannot be read", self.result().problem)
        self.campaign.remove(self.name)
        self.assertIn("test_y_data_predicted.csv: cannot be read", self.result().problem)
        self.campaign.write(self.name, "x")
        self.assertIn("Not a directory", self.result().problem)

    def test_damaged_predictions_beside_good_scores_cost_only_mae(self):
        self.campaign.scores(self.name)
        for text in ("auc_true,auc_pred\n0.1,x\n", "label_true,label_pred\n0,1\n",
                     "auc_true,auc_pred\n1.7e308,0\n1.7e308,0\n"):
            self.put_file("test_y_data_predicted.csv", text)
            scores = self.result().scores
            self.assertEqual(scores["r2"], 0.5)
            self.assertTrue(math.isnan(scores.get("mae", math.nan)))

    def test_a_file_of_another_size_than_its_status_says_does_not_count(self):
        self.run_campaign(targets="b", splits=(0,))
        self.campaign.change(self.name, files={"test_scores.json": 99})
        for change in (os.listdir, shutil.rmtree):      # the second: without a plan
            change(self.path("out/launches"))
            self.assertEqual(self.collect()[0], 1)
            self.assertIn("its test_scores.json was deleted or changed", self.text("missing.csv"))

    def test_several_processes_or_none_read_the_same_scores(self):
        tree, tasks = Tree(self.out), [Task(f"infer/{number}", "infer") for number in range(6)]
        for number, task in enumerate(tasks):
            self.campaign.write(task.name + "/test_y_data_predicted.csv",
                                f"auc_true,auc_pred\n0.{number},0.5\n0.9,0.7\n")
        alone = read_results(tree, tasks)
        with mock.patch.multiple(scores, FEW_BYTES=0, cores=lambda: 2):
            self.assertEqual(repr(read_results(tree, tasks)), repr(alone))
            with mock.patch("concurrent.futures.ProcessPoolExecutor", side_effect=OSError):
                self.assertEqual(repr(read_results(tree, tasks)), repr(alone))
        self.assertEqual(len({result.scores["mse"] for result in alone.values()}), 6)


if __name__ == "__main__":
    unittest.main()
