"""test_baseline: the baseline model and its three stages."""
import contextlib
import csv
import io
import json
import os
import random
import shutil
import tempfile
import unittest

from core import improve_files, metrics
from core.errors import FileError
from core.improve_files import Responses
from launcher import demo_data
from stages import baseline_infer_improve as infer
from stages import baseline_preprocess_improve as preprocess
from stages import baseline_train_improve as train
from stages.baseline import model as baseline_model
from stages.baseline.model import DEFAULTS
from tests.made_tree import write

HEADER = "source\timprove_sample_id\timprove_chem_id\tstudy\tauc\tic50\n"
ROWS = ["S\tC%d\tD%d\tS\t%.1f\t" % (row % 4, row % 3, row / 10) for row in range(10)]
SPLITS = ("S_split_0_train.txt", "S_split_0_val.txt", "S_all.txt")


def made_responses(rows, seed=1, cells=30, drugs=12):
    """Seeded Responses: effects, one interaction, a little noise."""
    rng = random.Random(seed)
    cell_traits = [(rng.random() - 0.5, rng.random() - 0.5) for _ in range(cells)]
    drug_traits = [(rng.random() - 0.5, rng.random() - 0.5) for _ in range(drugs)]
    made = Responses([], [], [])
    for _ in range(rows):
        cell, drug = int(rng.random() * cells), int(rng.random() * drugs)
        (effect, trait), (drug_effect, drug_trait) = cell_traits[cell], drug_traits[drug]
        made.cells.append(f"C{cell}")
        made.drugs.append(f"D{drug}")
        made.values.append(0.5 + 0.2 * effect + 0.4 * drug_effect + trait * drug_trait
                           + 0.02 * (rng.random() - 0.5))
    return made


def r2(model, test):
    predicted = baseline_model.predict(model, test.drugs, test.cells)
    return metrics.regression_scores(test.values, predicted)["r2"]


class Training(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        made = made_responses(1500)
        cls.train, cls.validation, cls.test = (
            Responses(*(values[first:last] for values in made))
            for first, last in ((0, 1200), (1200, 1350), (1350, 1500)))
        cls.model = cls.trained()

    @classmethod
    def trained(cls, report=None, **settings):
        return baseline_model.train_model(cls.train, cls.validation, DEFAULTS._replace(**settings),
                                          report=report)

    def test_a_prediction_is_mean_effects_and_interaction_of_the_known_names(self):
        model = baseline_model.Model("auc", 0.5, 0.1, {"C": [1.0, 2.0, 3.0]},
                                     {"D": [-0.5, 0.25, 2.0]})
        predicted = baseline_model.predict(model, ["D", "?", "D", "?"], ["C", "C", "?", "?"])
        # the first: 0.5 + 0.1 * (1 - 0.5 + 2 * 0.25 + 3 * 2)
        for value, expected in zip(predicted, [1.2, 0.6, 0.45, 0.5]):
            self.assertAlmostEqual(value, expected, places=14)

    def test_it_learns_effects_and_interaction(self):
        self.assertGreater(r2(self.model, self.test), 0.9)
        effects = r2(self.trained(latent_dim=0), self.test)
        self.assertTrue(0.5 < effects < 0.85, effects)

    def test_the_seed_decides_every_weight_under_every_python(self):
        model = self.trained(epochs=3)
        self.assertNotEqual(self.trained(epochs=3, seed=1).drugs, model.drugs)
        self.assertAlmostEqual(model.drugs["D0"][0], -0.944641201511188, places=12)
        self.assertAlmostEqual(model.cells["C29"][4], 0.1565944016887215, places=12)

    def test_a_learning_rate_that_is_too_low_underfits_and_one_too_high_is_an_error(self):
        low = r2(self.trained(learning_rate=1e-6, epochs=50), self.test)
        self.assertTrue(0.0 < low < r2(self.model, self.test) - 0.05, low)
        for rate in (0.1, 1e10, 1e300):
            with self.assertRaisesRegex(baseline_model.TrainingError, "diverged: learning rate"):
                self.trained(learning_rate=rate)

    def test_the_epoch_with_the_smallest_validation_error_is_kept(self):
        lines = []
        model = self.trained(lines.append, learning_rate=0.005, patience=4)
        errors = [float(line.split()[-1]) for line in lines]
        predicted = baseline_model.predict(model, self.validation.drugs, self.validation.cells)
        kept = metrics.regression_scores(self.validation.values, predicted)["mse"]
        self.assertAlmostEqual(kept, min(errors), delta=1e-5 * kept)
        self.assertEqual(len(errors), errors.index(min(errors)) + 1 + 4)   # stopped 4 epochs later

    def test_constant_responses_are_predicted(self):
        same = Responses(["D1", "D1"], ["C1", "C2"], [0.25, 0.25])
        model = baseline_model.train_model(same, same)
        self.assertEqual(baseline_model.predict(model, ["D1", "D1"], ["C1", "C3"]), [0.25, 0.25])


class Stages(unittest.TestCase):
    """The three scripts on a benchmark of ten rows."""

    def setUp(self):
        self.work = tempfile.mkdtemp(prefix="baseline work.")
        self.addCleanup(shutil.rmtree, self.work)
        self.write("raw/y_data/response.tsv", HEADER + "\n".join(ROWS))
        for name, rows in zip(SPLITS, (range(6), (6, 7), range(10))):
            self.write(f"raw/splits/{name}", "".join(f"{row}\n" for row in rows))

    def path(self, name):
        return os.path.join(self.work, name)

    def write(self, name, text):
        write(self.path(name), text)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def stage(self, script, *arguments, code=0):
        """Calls the main function of a stage; returns what it wrote to stderr."""
        errors = io.StringIO()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
            try:
                found = script.main(list(map(str, arguments)))
            except SystemExit as ended:
                found = ended.code
        self.assertEqual(found, code, errors.getvalue())
        return errors.getvalue()

    def preprocess(self, *more, code=0, raw="raw", splits=SPLITS):
        options = [f"--{part}_split_file={name}"
                   for part, name in zip(("train", "val", "test"), splits)]
        return self.stage(preprocess, *options, "--input_dir", self.path(raw), "--output_dir",
                          self.path("ml_data"), *more, code=code)

    def train(self, *more, code=0):
        return self.stage(train, "--input_dir", self.path("ml_data"), "--output_dir",
                          self.path("model"), *more, code=code)

    def infer(self, *more, code=0):
        return self.stage(infer, "--input_data_dir", self.path("ml_data"), "--input_model_dir",
                          self.path("model"), "--output_dir", self.path("infer"), *more, code=code)

    def column(self, part, place):
        rows = csv.reader(self.read(f"ml_data/{part}_y_data.csv").splitlines())
        return [row[place] for row in rows][1:]

    def assert_refused(self, said, expected, folder):
        """One sentence, and nothing but the log of parameters was written."""
        self.assertIn(expected, said)
        self.assertEqual(said.count("\n"), 1)
        self.assertEqual(os.listdir(self.path(folder)), ["param_log_file.txt"])

    def test_rows_of_splits_are_joined_to_their_responses(self):
        self.write("elsewhere/train.txt", "1\r\n1\r\n\r\n4")
        self.write("raw/y_data/response.tsv", HEADER + "\n".join(
            row.replace("D0", '"D,""0"""') for row in ROWS))
        self.preprocess(splits=(self.path("elsewhere/train.txt"), *SPLITS[1:]))
        self.assertEqual(self.column("train", 4), ["0.1", "0.1", "0.4"])
        self.assertEqual((self.column("val", 4), self.column("val", 2)),
                         (["0.6", "0.7"], ['D,"0"', "D1"]))
        self.assertEqual(len(self.column("test", 4)), 10)
        self.assertIn("y_col_name: auc\n", self.read("ml_data/param_log_file.txt"))

    def test_rows_without_a_response_are_left_out(self):
        rows = [row + ("NA", "", "nan", "1.5")[at % 4] for at, row in enumerate(ROWS)]
        self.write("raw/y_data/response.tsv", HEADER + "\n".join(rows) + "\n")
        self.preprocess("--y_col_name", "ic50")
        self.assertEqual(self.column("train", 4), ["0.3"])

    def test_a_split_id_column_is_matched_instead_of_row_numbers(self):
        rows = [f"{100 - row}\t{text}" for row, text in enumerate(ROWS)]
        self.write("raw/y_data/response.tsv", "split_id\t" + HEADER + "\n".join(rows) + "\n")
        for name, ids in zip(SPLITS, ("100\n99\n", "98\n", "91\n97\n")):
            self.write(f"raw/splits/{name}", ids)
        self.preprocess()
        self.assertEqual(self.column("train", 0), ["100", "99"])

    def test_bad_data_is_one_sentence_and_leaves_no_data(self):
        self.write("raw/splits/bad.txt", "1\nx\n")
        self.write("raw/splits/far.txt", "6\n10\n4000\n")
        self.write("raw/y_data/narrow.tsv", HEADER + "S\tC0\n" * 10)
        for split, more, expected in (
                ("bad.txt", (), "bad.txt: line 2 is 'x', not a row number"),
                ("no.txt", (), "no.txt: cannot be read"),
                ("far.txt", (), "far.txt: row 10 is not in "),
                (SPLITS[1], ("--y_col_name", "aac"), "has no column 'aac'"),
                (SPLITS[1], ("--y_col_name", "ic50"), "none of its rows has a value of 'ic50'"),
                (SPLITS[1], ("--y_data_file", "narrow.tsv"), "line 2 has 2 columns, the header")):
            with self.subTest(expected):
                said = self.preprocess(*more, code=1, splits=(SPLITS[0], split, SPLITS[2]))
                self.assert_refused(said, expected, "ml_data")

    def test_the_stages_write_the_files_of_the_contract(self):
        self.preprocess()
        self.train("--epochs", "5")
        self.assertEqual(sorted(os.listdir(self.path("model"))), [
            "baseline_model.json", "param_log_file.txt", "val_scores.json",
            "val_y_data_predicted.csv"])
        self.assertIn("epochs: 5\n", self.read("model/param_log_file.txt"))
        lines = self.read("model/val_y_data_predicted.csv").splitlines()
        self.assertEqual(lines[0], HEADER.strip().replace("\t", ",") + ",auc_true,auc_pred")
        self.infer()        # scores only if asked for
        self.assertEqual(sorted(os.listdir(self.path("infer"))),
                         ["param_log_file.txt", "test_y_data_predicted.csv"])
        self.infer("--calc_infer_scores", "true")
        scores = json.loads(self.read("infer/test_scores.json"))
        self.assertEqual(list(scores), ["mse", "rmse", "pcc", "scc", "r2"])
        read = improve_files.read_predictions(self.path("infer/test_y_data_predicted.csv"), "auc")
        again = metrics.regression_scores(read.true, read.pred)
        self.assertAlmostEqual(scores["rmse"], again["rmse"], delta=1e-4)   # the file is rounded
        self.assertNotEqual(scores["rmse"], again["rmse"])                  # the scores are not

    def test_two_drugs_of_a_synergy_table_are_one_treatment(self):
        rows = [f"C{row % 4}\tD{row % 3}\tD{row % 2}\tS\t{row}" for row in range(10)]
        self.write("raw/y_data/synergy.tsv",
                   "DepMapID\tDrugID_row\tDrugID_col\tstudy\tloewe\n" + "\n".join(rows) + "\n")
        self.preprocess("--y_data_file", "synergy.tsv", "--y_col_name", "loewe")
        self.train("--epochs", "3", "--y_col_name", "loewe")
        self.assertEqual(sorted(json.loads(self.read("model/baseline_model.json"))["drugs"]),
                         ["D0 + D0", "D0 + D1", "D0 + D2", "D1 + D1", "D1 + D2"])

    def test_wrong_settings_are_exit_code_2_before_anything_is_made(self):
        for option, value in (("epochs", "10.0"), ("epochs", "0"), ("learning_rate", "nan"),
                              ("learning_rate", "0"), ("weight_decay", "-1"), ("epoch", "3")):
            self.train(f"--{option}", value, code=2)
        self.assertFalse(os.path.exists(self.path("model")))
        self.assertIn("'maybe' is neither", self.infer("--calc_infer_scores", "maybe", code=2))
        self.preprocess("--epochs", "3", code=2)
        self.assertEqual(os.listdir(self.work), ["raw"])

    def test_bad_training_data_and_divergence_are_one_sentence(self):
        self.preprocess()
        good = self.read("ml_data/train_y_data.csv")
        for content, option, expected in (
                (good, "1000", "training diverged: learning rate 1000 is too high"),
                (good.replace("0.3", "x"), "1", "some rows have no number as auc"),
                (good.replace("0.3", "1e200"), "1", "some auc is not within 1e+100"),
                (good.replace("improve_chem_id", "drug"), "1", "does not name drugs"),
                ("", "1", "has no header line")):
            with self.subTest(expected):
                self.write("ml_data/train_y_data.csv", content)
                self.assert_refused(self.train("--learning_rate", option, code=1), expected,
                                    "model")

    def test_a_malformed_model_file_is_refused(self):
        good = {"y_col_name": "auc", "mean": 0.5, "spread": 1.0, "cells": {"C": [0.0, 1.0]},
                "drugs": {"D": [0.0, 1.0]}}
        for content in ("", [], {}, dict(good, cells={}), dict(good, drugs={"D": [1.0]}),
                        dict(good, mean="x"), dict(good, mean=10 ** 400), dict(good, cells=3),
                        dict(good, cells={"C": ["a", "b"]}), dict(good, y_col_name="ic50")):
            self.write("model.json", json.dumps(content))
            with self.subTest(content), self.assertRaises(FileError):
                baseline_model.read_model(self.path("model.json"), "auc")
        self.write("model.json", json.dumps(good))
        self.assertEqual(baseline_model.read_model(self.path("model.json"), "auc"),
                         baseline_model.Model(**good))

    def test_its_score_on_the_synthetic_benchmark_is_good_and_the_same_everywhere(self):
        demo_data.write_demo_data(self.path("demo"))
        self.preprocess(raw="demo", splits=[f"gCSI_split_0_{part}.txt"
                                            for part in ("train", "val", "test")])
        self.train()
        self.infer("--calc_infer_scores", "true")
        scores = json.loads(self.read("infer/test_scores.json"))
        self.assertAlmostEqual(scores["r2"], 0.7827455423505397, places=10)


if __name__ == "__main__":
    unittest.main()
