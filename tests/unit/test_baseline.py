"""test_baseline: the baseline model and its three stages."""
import contextlib
import csv
import io
import json
import os
import shutil

from core.improve_files import read_predictions
from launcher import demo_data
from stages import baseline_infer_improve as infer
from stages import baseline_preprocess_improve as preprocess
from stages import baseline_train_improve as train
from stages.baseline.model import Model, predict
from tests.support import WorkCase

HEADER = "source\timprove_sample_id\timprove_chem_id\tstudy\tauc\tic50\n"
ROWS = ["S\tC%d\tD%d\tS\t%.1f\t%s" % (row % 4, row % 3, row / 10,
                                         ("NA", "", "nan", "1.5")[row % 4]) for row in range(10)]
# settings -> epochs until training stops, r2 of the test split of the synthetic benchmark
R2 = {"": (45, 0.7827455423505397), "--latent_dim=0": (30, 0.6724710760473207),
      "--seed=1": (65, 0.8015422825064131),
      "--learning_rate=0.005 --patience=4": (14, 0.7640761146178223),
      "--batch_size=16 --weight_decay=0.1 --epochs=9": (9, 0.6801585818207971)}
SPLITS = ("S_split_0_train.txt", "S_split_0_val.txt", "S_all.txt")
FOLDERS = {preprocess: {"input_dir": "raw", "output_dir": "ml_data"},
           train: {"input_dir": "ml_data", "output_dir": "model"},
           infer: {"input_data_dir": "ml_data", "input_model_dir": "model", "output_dir": "infer"}}


class StageCase(WorkCase):
    """A benchmark of ten rows and the three scripts."""

    def setUp(self):
        super().setUp()
        self.write("raw/y_data/response.tsv", HEADER + "\n".join(ROWS))
        for name, rows in zip(SPLITS, (range(6), (6, 7), range(10))):
            self.write(f"raw/splits/{name}", "".join(f"{row}\n" for row in rows))

    def stage(self, script, *more, code=0, splits=SPLITS):
        """Calls the main function of a stage; returns what it printed, or why it failed."""
        line, said, errors = [], io.StringIO(), io.StringIO()
        for option, folder in FOLDERS[script].items():
            line += [f"--{option}", self.path(folder)]
        for part, name in zip(("train", "val", "test"), splits if script is preprocess else ()):
            line += [f"--{part}_split_file", name]
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(errors):
            try:
                found = script.main([*line, *more])
            except SystemExit as ended:
                found = ended.code
        self.assertEqual(found, code, errors.getvalue())
        return (errors if code else said).getvalue()

    def assert_refused(self, said, expected, folder):
        """One sentence, and nothing but the log of parameters was written."""
        self.assertIn(expected, said)
        self.assertEqual(said.count("\n"), 1)
        self.assertEqual(os.listdir(self.path(folder)), ["param_log_file.txt"])

    def column(self, part, place):
        rows = csv.reader(self.read(f"ml_data/{part}_y_data.csv").splitlines())
        return [row[place] for row in rows][1:]


class PreprocessTest(StageCase):
    def test_rows_of_splits_are_joined_to_their_responses(self):
        self.write("elsewhere/train.txt", "4\n1\n1\n")
        self.write("raw/y_data/response.tsv", HEADER + "\n".join(
            row.replace("D0", '"D,""0"""') for row in ROWS))
        self.stage(preprocess, splits=(self.path("elsewhere/train.txt"), *SPLITS[1:]))
        self.assertEqual([self.column("train", 4), self.column("val", 4), self.column("val", 2)],
                         [["0.1", "0.1", "0.4"], ["0.6", "0.7"], ['D,"0"', "D1"]])
        self.assertEqual(len(self.column("test", 4)), 10)
        self.assertIn("y_col_name: auc\n", self.read("ml_data/param_log_file.txt"))

    def test_rows_without_a_response_are_left_out(self):
        self.stage(preprocess, "--y_col_name", "ic50", splits=SPLITS[:1] * 3)
        self.assertEqual(self.column("train", 4), ["0.3"])

    def test_bad_data_is_one_sentence_and_leaves_no_data(self):
        self.write("raw/splits/far.txt", "6\n10\n4000\n")
        self.write("raw/splits/none.txt", "0\n1\n2\n")
        for split, y_col_name, expected in (
                ("no.txt", "auc", "no.txt: cannot be read"),
                ("far.txt", "auc", "far.txt: row 10 is not in "),
                (SPLITS[1], "aac", "has no column 'aac'"),
                ("none.txt", "ic50", "none of its rows has a value of 'ic50'")):
            with self.subTest(expected):
                said = self.stage(preprocess, "--y_col_name", y_col_name, code=1,
                                  splits=(SPLITS[0], split, SPLITS[2]))
                self.assert_refused(said, expected, "ml_data")
        self.write("raw/y_data/response.tsv", HEADER + "\n".join(ROWS).replace("S\t0.3\t", ""))
        self.assert_refused(self.stage(preprocess, code=1), "row 3 has 4 columns, the header 6",
                            "ml_data")

    def test_two_drugs_of_a_synergy_table_are_one_treatment(self):
        rows = [f"C{row % 4}\tD{row % 3}\tD{row % 2}\tS\t{row}" for row in range(10)]
        self.write("raw/y_data/synergy.tsv",
                   "DepMapID\tDrugID_row\tDrugID_col\tstudy\tloewe\n" + "\n".join(rows) + "\n")
        self.stage(preprocess, "--y_data_file", "synergy.tsv", "--y_col_name", "loewe")
        self.stage(train, "--epochs", "3", "--y_col_name", "loewe")
        self.assertEqual(sorted(json.loads(self.read("model/baseline_model.json"))["drugs"]),
                         ["D0 + D0", "D0 + D1", "D0 + D2", "D1 + D1", "D1 + D2"])


class ModelTest(StageCase):
    def setUp(self):
        super().setUp()
        self.stage(preprocess)

    def test_the_stages_write_the_files_of_the_contract(self):
        self.stage(train, "--epochs", "5")
        self.assertEqual(sorted(os.listdir(self.path("model"))), [
            "baseline_model.json", "param_log_file.txt", "val_scores.json",
            "val_y_data_predicted.csv"])
        self.assertIn("epochs: 5\n", self.read("model/param_log_file.txt"))
        lines = self.read("model/val_y_data_predicted.csv").splitlines()
        self.assertEqual(lines[0], HEADER.strip().replace("\t", ",") + ",auc_true,auc_pred")
        row = dict(zip(lines[0].split(","), lines[1].split(",")))
        self.assertEqual(row["auc_true"], row["auc"])
        self.stage(infer)        # scores only if asked for
        self.assertEqual(sorted(os.listdir(self.path("infer"))),
                         ["param_log_file.txt", "test_y_data_predicted.csv"])
        self.stage(infer, "--calc_infer_scores", "True")
        self.assertEqual(list(json.loads(self.read("infer/test_scores.json"))),
                         ["mse", "rmse", "pcc", "scc", "r2"])

    def test_wrong_settings_are_exit_code_2_before_anything_is_made(self):
        for script, option, value in ((train, "epochs", "10.0"), (train, "epoch", "3"),
                                      (infer, "calc_infer_scores", "maybe")):
            self.assertIn(f"--{option}", self.stage(script, f"--{option}", value, code=2))
        self.assertEqual(sorted(os.listdir(self.work)), ["ml_data", "raw"])

    def test_bad_training_data_and_divergence_are_one_sentence(self):
        good = self.read("ml_data/train_y_data.csv")
        for content, rate, expected in (
                (good, "1000", "training diverged: learning rate 1000 is too high"),
                (good.replace("0.3", "x"), "1", "some rows have no number as auc"),
                (good.replace("0.3", "1e308"), "1", "training diverged"),
                ("", "1", "has no header line")):
            with self.subTest(expected):
                self.write("ml_data/train_y_data.csv", content)
                said = self.stage(train, "--learning_rate", rate, code=1)
                self.assert_refused(said, expected, "model")

    def test_another_file_or_another_response_is_no_model(self):
        self.stage(train, "--epochs", "1")
        model = json.loads(self.read("model/baseline_model.json"))
        for change, expected in (({"more": 1}, "is not a baseline model"),
                                 ({"y_col_name": "ic50"}, "predicts 'ic50', not 'auc'")):
            self.write("model/baseline_model.json", json.dumps(dict(model, **change)))
            self.assert_refused(self.stage(infer, code=1), expected, "infer")

    def test_a_prediction_is_mean_effects_and_interaction_of_the_known_names(self):
        model = Model("auc", 0.5, 0.1, {"C": [1.0, 2.0, 3.0]}, {"D": [-0.5, 0.25, 2.0]})
        # the first: 0.5 + 0.1 * (1 - 0.5 + 2 * 0.25 + 3 * 2)
        for drug, cell, expected in (("D", "C", 1.2), ("?", "C", 0.6), ("D", "?", 0.45),
                                     ("?", "?", 0.5)):
            self.assertAlmostEqual(predict(model, [drug], [cell])[0], expected, places=14)

    def test_constant_responses_are_predicted(self):
        self.write("raw/y_data/response.tsv", HEADER + "".join(
            f"S\tC{row}\tD{row}\tS\t0.25\t\n" for row in range(10)))
        for script in FOLDERS:
            self.stage(script)
        predicted = read_predictions(self.path("infer/test_y_data_predicted.csv"))
        self.assertEqual(predicted.pred, [0.25] * 10)
        self.assertIn('"mse": 0.0,\n', self.read("model/val_scores.json"))
        self.assertIn('"pcc": NaN,\n', self.read("model/val_scores.json"))


class SyntheticBenchmarkTest(StageCase):
    def test_its_scores_are_good_and_the_same_everywhere(self):
        shutil.rmtree(self.path("raw"))
        demo_data.write_demo_data(self.path("raw"))
        self.stage(preprocess, splits=[f"gCSI_split_0_{part}.txt"
                                       for part in ("train", "val", "test")])
        for settings, (epochs, r2) in R2.items():
            said = self.stage(train, *settings.split())
            self.assertEqual(said.count("\n"), epochs, settings)
            self.stage(infer, "--calc_infer_scores", "true")
            found = json.loads(self.read("infer/test_scores.json"))
            self.assertAlmostEqual(found["r2"], r2, places=10)
