"""test_baseline: the baseline model and its three stages."""
import contextlib
import csv
import io
import json
import os

from core import improve_files, metrics
from core.errors import FileError
from core.improve_files import Responses
from launcher import demo_data
from stages import baseline_infer_improve as infer
from stages import baseline_preprocess_improve as preprocess
from stages import baseline_train_improve as train
from stages.baseline import model as baseline_model
from tests.support import WorkCase

HEADER = "source\timprove_sample_id\timprove_chem_id\tstudy\tauc\tic50\n"
ROWS = ["S\tC%d\tD%d\tS\t%.1f\t" % (row % 4, row % 3, row / 10) for row in range(10)]
SPLITS = ("S_split_0_train.txt", "S_split_0_val.txt", "S_all.txt")


class StageCase(WorkCase):
    def stage(self, script, *arguments, code=0):
        """Calls the main function of a stage; returns what it wrote to stderr."""
        said, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(errors):
            try:
                found = script.main(list(map(str, arguments)))
            except SystemExit as ended:
                found = ended.code
        self.assertEqual(found, code, errors.getvalue())
        self.said = said.getvalue()
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


class StagesTest(StageCase):
    """The three scripts on a benchmark of ten rows."""

    def setUp(self):
        super().setUp()
        self.put("raw/y_data/response.tsv", HEADER + "\n".join(ROWS))
        for name, rows in zip(SPLITS, (range(6), (6, 7), range(10))):
            self.put(f"raw/splits/{name}", "".join(f"{row}\n" for row in rows))

    def assert_refused(self, said, expected, folder):
        """One sentence, and nothing but the log of parameters was written."""
        self.assertIn(expected, said)
        self.assertEqual(said.count("\n"), 1)
        self.assertEqual(os.listdir(self.path(folder)), ["param_log_file.txt"])

    def test_rows_of_splits_are_joined_to_their_responses(self):
        self.put("elsewhere/train.txt", "1\n1\n4\n")
        self.write("raw/y_data/response.tsv", HEADER + "\n".join(
            row.replace("D0", '"D,""0"""') for row in ROWS))
        self.preprocess(splits=(self.path("elsewhere/train.txt"), *SPLITS[1:]))
        self.assertEqual([self.column("train", 4), self.column("val", 4), self.column("val", 2)],
                         [["0.1", "0.1", "0.4"], ["0.6", "0.7"], ['D,"0"', "D1"]])
        self.assertEqual(len(self.column("test", 4)), 10)
        self.assertIn("y_col_name: auc\n", self.read("ml_data/param_log_file.txt"))

    def test_rows_without_a_response_are_left_out(self):
        rows = [row + ("NA", "", "nan", "1.5")[at % 4] for at, row in enumerate(ROWS)]
        self.write("raw/y_data/response.tsv", HEADER + "\n".join(rows) + "\n")
        self.preprocess("--y_col_name", "ic50")
        self.assertEqual(self.column("train", 4), ["0.3"])

    def test_bad_data_is_one_sentence_and_leaves_no_data(self):
        self.write("raw/splits/far.txt", "6\n10\n4000\n")
        for split, more, expected in (
                ("no.txt", (), "no.txt: cannot be read"),
                ("far.txt", (), "far.txt: row 10 is not in "),
                (SPLITS[1], ("--y_col_name", "aac"), "has no column 'aac'"),
                (SPLITS[1], ("--y_col_name", "ic50"), "none of its rows has a value of 'ic50'")):
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
                ("", "1", "has no header line")):
            with self.subTest(expected):
                self.write("ml_data/train_y_data.csv", content)
                self.assert_refused(self.train("--learning_rate", option, code=1), expected,
                                    "model")

    def test_a_malformed_model_file_is_refused(self):
        good = {"y_col_name": "auc", "mean": 0.5, "spread": 1.0, "cells": {"C": [0.0, 1.0]},
                "drugs": {"D": [0.0, 1.0]}}
        for change in ({"cells": {}}, {"drugs": {"D": [1.0]}}, {"mean": "x"}, {"mean": 10 ** 400},
                       {"cells": 3}, {"cells": {"C": ["a", "b"]}}, {"y_col_name": "ic50"}):
            self.write("model.json", json.dumps(dict(good, **change)))
            with self.subTest(change), self.assertRaises(FileError):
                baseline_model.read_model(self.path("model.json"), "auc")
        self.write("model.json", json.dumps(good))
        self.assertEqual(baseline_model.read_model(self.path("model.json"), "auc"),
                         baseline_model.Model(**good))

    def test_a_prediction_is_mean_effects_and_interaction_of_the_known_names(self):
        model = baseline_model.Model("auc", 0.5, 0.1, {"C": [1.0, 2.0, 3.0]},
                                     {"D": [-0.5, 0.25, 2.0]})
        predicted = baseline_model.predict(model, ["D", "?", "D", "?"], ["C", "C", "?", "?"])
        # the first: 0.5 + 0.1 * (1 - 0.5 + 2 * 0.25 + 3 * 2)
        for value, expected in zip(predicted, [1.2, 0.6, 0.45, 0.5]):
            self.assertAlmostEqual(value, expected, places=14)

    def test_constant_responses_are_predicted(self):
        same = Responses(["D1", "D1"], ["C1", "C2"], [0.25, 0.25])
        model = baseline_model.train_model(same, same)
        self.assertEqual(baseline_model.predict(model, ["D1", "D1"], ["C1", "C3"]), [0.25, 0.25])


class SyntheticBenchmarkTest(StageCase):
    def setUp(self):
        super().setUp()
        demo_data.write_demo_data(self.path("demo"))
        self.preprocess(raw="demo", splits=[f"gCSI_split_0_{part}.txt"
                                            for part in ("train", "val", "test")])

    def r2(self, *settings):
        self.train(*settings)
        self.infer("--calc_infer_scores", "true")
        return json.loads(self.read("infer/test_scores.json"))["r2"]

    def test_its_score_is_good_and_the_same_everywhere(self):
        self.assertAlmostEqual(self.r2(), 0.7827455423505397, places=10)

    def test_interaction_seed_and_learning_rate_count(self):
        for low, high, *options in ((0.6, 0.7, "--latent_dim=0"), (0.783, 0.85, "--seed=1"),
                                    (0.0, 0.1, "--learning_rate=1e-6", "--epochs=50")):
            self.assertTrue(low < self.r2(*options) < high, options)

    def test_the_epoch_with_the_smallest_validation_error_is_kept(self):
        self.train("--learning_rate", "0.005", "--patience", "4")
        errors = [float(line.split()[-1]) for line in self.said.splitlines()]
        kept = json.loads(self.read("model/val_scores.json"))["mse"]
        self.assertAlmostEqual(kept, min(errors), delta=1e-5 * kept)
        self.assertEqual(len(errors), errors.index(min(errors)) + 1 + 4)   # stopped 4 epochs later
