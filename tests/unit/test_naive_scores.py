"""The mean-effects predictor beside a model: effects, normalised scores, what is left out, what is kept."""
import csv
import json
import math
import os
import shutil
import subprocess
import sys
import unittest

from tests.support import STAGES, WorkCase

import tests  # noqa: F401  (puts stages/ on the path)
from common import metrics  # noqa: E402

TRAIN = [("c1", "d1", 0.9), ("c1", "d2", 0.5), ("c2", "d1", 0.8), ("c2", "d2", 0.2), ("c3", "d1", 0.7)]
# c4 and d3 are not in training: their effects are 0.
TEST = [("c1", "d1", 0.85, 0.80), ("c2", "d2", 0.30, 0.35), ("c4", "d1", 0.75, 0.60), ("c1", "d3", 0.60, 0.70), ("c4", "d3", 0.40, 0.50)]


def mean(values):
    return sum(values) / len(values)


def direct():
    """(mean-effects prediction, truth, prediction) of TEST, straight from the definition."""
    whole = mean([y for _, _, y in TRAIN])

    def effect(at, name):
        own = [row[2] for row in TRAIN if row[at] == name]
        return mean(own) - whole if own else 0.0
    naive = [whole + effect(0, cell) + effect(1, drug) for cell, drug, _, _ in TEST]
    return naive, [row[2] for row in TEST], [row[3] for row in TEST]


class NaiveTest(WorkCase):
    def setUp(self):
        super().setUp()
        self.write_csv("t/ml_data/A-B/split_0/train_y_data.csv", ("improve_sample_id", "improve_chem_id", "auc"), TRAIN)
        self.write_csv("t/ml_data/A-B/split_0/test_y_data.csv", ("improve_sample_id", "improve_chem_id", "auc"), [r[:3] for r in TEST])
        header = ("improve_sample_id", "improve_chem_id", "auc", "auc_true", "auc_pred")
        self.write_csv("t/infer/A-B/split_0/test_y_data_predicted.csv", header, [(c, d, y, y, p) for c, d, y, p in TEST])
        os.makedirs(self.path("t/models/A/split_0"))
        self.write("t/models/A/split_0/val_scores.json", "{}")
        _, true, pred = direct()
        self.write("t/infer/A-B/split_0/test_scores.json", json.dumps(metrics.regression_scores(true, pred)))

    def write_csv(self, name, header, rows):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([header, *rows])

    def collect(self):
        return subprocess.run([sys.executable, os.path.join(STAGES, "collect_scores.py"), "t"], cwd=self.work,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)

    def naive_row(self):
        done = self.collect()
        self.assertEqual(done.returncode, 0, done.stdout)
        with open(self.path("t/scores/naive_scores.csv"), newline="") as file:
            return next(csv.DictReader(file))

    def test_scores_of_the_mean_effects_predictor_equal_a_direct_computation(self):
        naive, true, _ = direct()
        wanted, row = metrics.regression_scores(true, naive), self.naive_row()
        for name, value in wanted.items():
            self.assertAlmostEqual(float(row["naive_" + name]), value, delta=1e-9, msg=name)

    def test_normalised_scores_equal_a_direct_computation(self):
        naive, true, pred = direct()
        left = [t - n for t, n in zip(true, naive)], [p - n for p, n in zip(pred, naive)]
        wanted, row = metrics.regression_scores(*left), self.naive_row()
        for name in ("r2", "pcc", "scc"):
            self.assertAlmostEqual(float(row["norm_" + name]), wanted[name], delta=1e-9, msg=name)
            self.assertTrue(math.isfinite(wanted[name]))

    def test_rows_are_kept_after_the_training_data_was_deleted(self):
        before = self.naive_row()
        shutil.rmtree(self.path("t/ml_data"))
        self.assertEqual(self.naive_row(), before)

    def test_missing_columns_are_said_and_left_out(self):
        self.write_csv("t/infer/A-B/split_0/test_y_data_predicted.csv", ("auc_true", "auc_pred"), [r[2:] for r in TEST])
        done = self.collect()
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertFalse(os.path.exists(self.path("t/scores/naive_scores.csv")))
        self.assertIn("no naive baseline for 1 of 1 results", self.read("t/report.html"))

    def test_missing_training_data_is_said_and_left_out(self):
        shutil.rmtree(self.path("t/ml_data"))
        self.assertEqual(self.collect().returncode, 0)
        self.assertIn("no naive baseline for 1 of 1 results", self.read("t/report.html"))


if __name__ == "__main__":
    unittest.main()
