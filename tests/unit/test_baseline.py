"""test_baseline: the baseline model, and its three stage scripts as a launcher calls them."""
import csv
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STAGES = os.path.join(ROOT, "stages")
import tests  # noqa: F401  (puts stages/ on the path)

from baseline import model as baseline_model
from common import improve_files
from common import metrics
from baseline.model import DEFAULTS, Responses
from launcher import demo_data

HEADER = "source\timprove_sample_id\timprove_chem_id\tstudy\tauc\tic50\n"
ROWS = ["S\tC%d\tD%d\tS\t%.1f\t" % (row % 4, row % 3, row / 10) for row in range(10)]


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


def part(responses, first, last):
    return Responses(*(values[first:last] for values in responses))


def r2(model, test):
    predicted = baseline_model.predict(model, test.cells, test.drugs)
    return metrics.regression_scores(test.values, predicted)["r2"]


class Prediction(unittest.TestCase):
    MODEL = baseline_model.Model("auc", 0.5, 0.1, {"C": [1.0, 2.0, 3.0]}, {"D": [-0.5, 0.25, 2.0]})

    def test_a_known_pair_gets_mean_effects_and_interaction(self):
        # 0.5 + 0.1 * (1 - 0.5 + 2 * 0.25 + 3 * 2)
        self.assertAlmostEqual(baseline_model.predict(self.MODEL, ["C"], ["D"])[0], 1.2, places=14)

    def test_an_unseen_drug_or_cell_line_leaves_what_is_known_of_the_other(self):
        predicted = baseline_model.predict(self.MODEL, ["C", "?", "?"], ["?", "D", "?"])
        for value, expected in zip(predicted, [0.6, 0.45, 0.5]):
            self.assertAlmostEqual(value, expected, places=14)


class Training(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        made = made_responses(1500)
        cls.train, cls.validation, cls.test = part(made, 0, 1200), part(made, 1200, 1350), part(made, 1350, 1500)
        cls.model = cls.trained()

    @classmethod
    def trained(cls, **settings):
        return baseline_model.train_model(cls.train, cls.validation, DEFAULTS._replace(**settings))

    def test_it_learns_effects_and_interaction(self):
        self.assertGreater(r2(self.model, self.test), 0.9)

    def test_without_factors_it_learns_the_effects_only(self):
        effects = r2(self.trained(latent_dim=0), self.test)
        self.assertTrue(0.5 < effects < 0.85, effects)
        self.assertGreater(r2(self.model, self.test), effects + 0.1)

    def test_the_seed_decides_every_weight(self):
        self.assertEqual(self.trained(), self.model)
        self.assertNotEqual(self.trained(seed=1).drugs, self.model.drugs)

    def test_every_python_trains_the_same_model(self):
        model = self.trained(epochs=3)
        self.assertAlmostEqual(model.drugs["D0"][0], -0.944641201511188, places=12)
        self.assertAlmostEqual(model.cells["C29"][4], 0.1565944016887215, places=12)

    def test_a_learning_rate_that_is_too_low_underfits(self):
        scores = [r2(self.trained(learning_rate=rate), self.test) for rate in (1e-6, 5e-6, 2e-5)]
        self.assertEqual(scores, sorted(scores))
        self.assertTrue(0.0 < scores[0] < 0.3, scores)
        self.assertLess(scores[2], r2(self.model, self.test) - 0.05)

    def test_a_learning_rate_that_is_too_high_is_an_error_that_says_so(self):
        for rate in (0.1, 1e10, 1e300):
            with self.assertRaisesRegex(baseline_model.TrainingError, "diverged: learning rate"):
                self.trained(learning_rate=rate)

    def test_weight_decay_pulls_weights_toward_zero(self):
        def size(model):
            return math.fsum(abs(weight) for weights in model.drugs.values() for weight in weights)
        self.assertLess(size(self.trained(weight_decay=0.3)), 0.8 * size(self.model))

    def test_the_epoch_with_the_smallest_validation_error_is_kept(self):
        lines = []
        model = baseline_model.train_model(self.train, self.validation,
                                           DEFAULTS._replace(learning_rate=0.005, patience=4), report=lines.append)
        errors = [float(line.split()[-1]) for line in lines]
        predicted = baseline_model.predict(model, self.validation.cells, self.validation.drugs)
        kept = metrics.regression_scores(self.validation.values, predicted)["mse"]
        self.assertAlmostEqual(kept, min(errors), delta=1e-5 * kept)
        self.assertEqual(len(errors), errors.index(min(errors)) + 1 + 4)   # stopped 4 epochs later
        self.assertLess(len(errors), DEFAULTS.epochs)

    def test_batches_of_one_row_and_of_all_rows_train(self):
        self.assertGreater(r2(self.trained(batch_size=1, epochs=5), self.test), 0.8)
        self.assertGreater(r2(self.trained(batch_size=5000, learning_rate=0.01), self.test), 0.5)

    def test_more_rows_give_a_smaller_error(self):
        scores = [r2(baseline_model.train_model(part(self.train, 0, rows), self.validation), self.test)
                  for rows in (100, 300, 1200)]
        self.assertEqual(scores, sorted(scores))

    def test_constant_responses_are_predicted(self):
        same = Responses(["C1", "C2"], ["D1", "D1"], [0.25, 0.25])
        model = baseline_model.train_model(same, same)
        self.assertEqual(baseline_model.predict(model, ["C1", "C3"], ["D1", "D1"]), [0.25, 0.25])


class StageCase(unittest.TestCase):
    """A test with a benchmark of ten rows; stages run as processes, as a launcher runs them."""

    def setUp(self):
        self.work = tempfile.mkdtemp(prefix="baseline work.")
        self.addCleanup(shutil.rmtree, self.work)
        self.write("raw/y_data/response.tsv", HEADER + "".join(row + "\n" for row in ROWS))
        self.write("raw/splits/S_split_0_train.txt", "0\n1\n2\n3\n4\n5\n")
        self.write("raw/splits/S_split_0_val.txt", "6\n7\n")
        self.write("raw/splits/S_all.txt", "".join(f"{row}\n" for row in range(10)))

    def path(self, name):
        return os.path.join(self.work, name)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8", newline="") as file:
            file.write(text)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def stage(self, name, *words, code=0):
        """Runs a stage script; returns what it said on stderr."""
        command = [sys.executable, "-B", os.path.join(STAGES, f"baseline_{name}_improve.py")] + list(words)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.work,
                                   universal_newlines=True)
        said = process.communicate()[1]
        self.assertEqual(process.returncode, code, said)
        self.assertNotIn("Traceback", said)
        return said

    def preprocess(self, *more, code=0, raw="raw",
                   splits=("S_split_0_train.txt", "S_split_0_val.txt", "S_all.txt")):
        return self.stage("preprocess", "--train_split_file", splits[0], "--val_split_file", splits[1],
                          "--test_split_file", splits[2], "--input_dir", self.path(raw),
                          "--output_dir", self.path("ml_data"), *more, code=code)

    def train(self, *more, code=0):
        return self.stage("train", "--input_dir", self.path("ml_data"), "--output_dir", self.path("model"),
                          *more, code=code)

    def infer(self, *more, code=0):
        return self.stage("infer", "--input_data_dir", self.path("ml_data"), "--input_model_dir",
                          self.path("model"), "--output_dir", self.path("infer"), *more, code=code)


class Preprocess(StageCase):
    def ids(self, name):
        return [line.split(",")[4] for line in self.read(f"ml_data/{name}_y_data.csv").splitlines()[1:]]

    def test_each_split_gets_its_rows_of_the_response_table(self):
        self.preprocess("--y_col_name", "auc")
        self.assertEqual(sorted(os.listdir(self.path("ml_data"))),
                         ["param_log_file.txt", "test_y_data.csv", "train_y_data.csv", "val_y_data.csv"])
        self.assertEqual(self.read("ml_data/val_y_data.csv"),
                         "source,improve_sample_id,improve_chem_id,study,auc,ic50\n"
                         "S,C2,D0,S,0.6,\nS,C3,D1,S,0.7,\n")
        self.assertEqual(self.ids("train"), ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5"])
        self.assertEqual(len(self.ids("test")), 10)

    def test_windows_line_ends_and_blank_lines_change_nothing(self):
        self.write("raw/y_data/response.tsv", (HEADER + "\n" + "\n".join(ROWS)).replace("\n", "\r\n"))
        self.write("raw/splits/S_split_0_val.txt", "6\r\n\r\n7")
        self.preprocess()
        self.assertEqual(self.read("ml_data/val_y_data.csv").splitlines()[1:],
                         ["S,C2,D0,S,0.6,", "S,C3,D1,S,0.7,"])

    def test_a_split_file_may_be_an_absolute_path(self):
        self.write("lc splits/S_sz_2.txt", "3\n1\n")
        self.preprocess(splits=(self.path("lc splits/S_sz_2.txt"), "S_split_0_val.txt", "S_all.txt"))
        self.assertEqual(self.ids("train"), ["0.1", "0.3"])

    def test_a_split_file_in_the_working_directory_is_not_taken(self):
        self.write("S_all.txt", "0\n")
        self.preprocess()
        self.assertEqual(len(self.ids("test")), 10)

    def test_rows_without_a_response_are_left_out(self):
        rows = [row.rsplit("\t", 1)[0] + "\t" + value
                for row, value in zip(ROWS, ["1", "", "NaN", "NA", "5", "6", "7", "8", "9", "9"])]
        self.write("raw/y_data/response.tsv", HEADER + "\n".join(rows) + "\n")
        self.preprocess("--y_col_name", "ic50")
        self.assertEqual(self.ids("train"), ["0.0", "0.4", "0.5"])

    def test_values_with_commas_and_quotes_survive(self):
        self.write("raw/y_data/response.tsv", HEADER + '\n'.join(
            row.replace("D0", '"D,""0"""') for row in ROWS) + "\n")
        self.preprocess()
        with open(self.path("ml_data/val_y_data.csv"), encoding="utf-8", newline="") as file:
            self.assertEqual([row[2] for row in csv.reader(file)], ["improve_chem_id", 'D,"0"', "D1"])

    def test_a_split_id_column_is_matched_instead_of_row_numbers(self):
        rows = [f"{100 - row}\t{text}" for row, text in enumerate(ROWS)]
        self.write("raw/y_data/response.tsv", "split_id\t" + HEADER + "\n".join(rows) + "\n")
        for name, ids in (("S_split_0_train", "100\n99\n"), ("S_split_0_val", "98\n"), ("S_all", "91\n97\n")):
            self.write(f"raw/splits/{name}.txt", ids)
        self.preprocess()
        self.assertEqual(self.read("ml_data/train_y_data.csv").splitlines()[1:],
                         ["100,S,C0,D0,S,0.0,", "99,S,C1,D1,S,0.1,"])
        self.assertEqual(len(self.read("ml_data/test_y_data.csv").splitlines()), 3)

    def test_a_row_that_the_response_table_lacks_is_an_error_with_split_file_and_row(self):
        self.write("raw/splits/S_split_0_val.txt", "6\n10\n4000\n")
        said = self.preprocess(code=1)
        self.assertIn("S_split_0_val.txt: row 10 is not in ", said)
        self.assertEqual(os.listdir(self.path("ml_data")), ["param_log_file.txt"])

    def test_bad_data_is_one_sentence_and_exit_code_1(self):
        self.write("raw/splits/empty.txt", "\n")
        self.write("raw/splits/bad.txt", "1\nx\n")
        for split, expected in (("empty.txt", "empty.txt: holds no row numbers"),
                                ("bad.txt", "bad.txt: line 2 is 'x', not a row number"),
                                ("no.txt", "no.txt: cannot be read")):
            said = self.preprocess(code=1, splits=("S_split_0_train.txt", split, "S_all.txt"))
            self.assertIn(expected, said)
            self.assertTrue(said.startswith("baseline_preprocess_improve: error: "), said)
            self.assertEqual(said.count("\n"), 1)
        self.assertIn("has no column 'aac'", self.preprocess("--y_col_name", "aac", code=1))
        self.assertIn("none of its rows has a value of 'ic50'", self.preprocess("--y_col_name", "ic50", code=1))
        self.write("raw/y_data/response.tsv", HEADER + "S\tC0\n" * 10)
        self.assertIn("row 0 has 2 columns, the header 6", self.preprocess(code=1))

    def test_an_unknown_flag_is_exit_code_2_before_anything_is_made(self):
        self.preprocess("--epochs", "3", code=2)
        self.assertFalse(os.path.exists(self.path("ml_data")))


class TrainAndInfer(StageCase):
    def setUp(self):
        StageCase.setUp(self)
        self.preprocess()

    def test_train_writes_the_files_of_the_contract(self):
        self.train("--epochs", "5")
        self.assertEqual(sorted(os.listdir(self.path("model"))),
                         ["baseline_model.json", "param_log_file.txt", "val_scores.json",
                          "val_y_data_predicted.csv"])
        scores = json.loads(self.read("model/val_scores.json"))
        self.assertEqual(list(scores), ["mse", "rmse", "pcc", "scc", "r2"])
        self.assertIn("epochs: 5\n", self.read("model/param_log_file.txt"))
        lines = self.read("model/val_y_data_predicted.csv").splitlines()
        self.assertEqual(lines[0], "source,improve_sample_id,improve_chem_id,study,auc,ic50,auc_true,auc_pred")
        self.assertEqual(len(lines), 3)

    def test_infer_writes_scores_only_when_asked(self):
        self.train("--epochs", "5")
        self.infer()
        self.assertEqual(sorted(os.listdir(self.path("infer"))),
                         ["param_log_file.txt", "test_y_data_predicted.csv"])
        self.infer("--calc_infer_scores", "true")
        scores = json.loads(self.read("infer/test_scores.json"))
        self.assertEqual(list(scores), ["mse", "rmse", "pcc", "scc", "r2"])
        read = improve_files.read_predictions(self.path("infer/test_y_data_predicted.csv"), "auc", ids=True)
        again = metrics.regression_scores(read.true, read.pred)
        self.assertAlmostEqual(scores["rmse"], again["rmse"], delta=1e-4)   # the file is rounded
        self.assertNotEqual(scores["rmse"], again["rmse"])                  # the scores are not
        self.assertEqual(read.cells[:5], ["C0", "C1", "C2", "C3", "C0"])

    def test_a_word_that_is_neither_true_nor_false_is_exit_code_2(self):
        self.assertIn("'maybe' is neither true nor false", self.infer("--calc_infer_scores", "maybe", code=2))

    def test_wrong_settings_are_exit_code_2_before_anything_is_made(self):
        for words in (["--epochs", "10.0"], ["--epochs", "0"], ["--learning_rate", "nan"], ["--learning_rate", "0"],
                      ["--batch_size", "0"], ["--weight_decay", "-1"], ["--latent_dim", "-1"],
                      ["--calc_infer_scores", "true"], ["--epoch", "3"]):
            self.train(*words, code=2)
        self.assertFalse(os.path.exists(self.path("model")))

    def test_training_that_diverges_is_one_sentence_and_leaves_no_scores(self):
        said = self.train("--learning_rate", "1000", code=1)
        self.assertEqual(said, "baseline_train_improve: error: training diverged: "
                               "learning rate 1000 is too high\n")
        self.assertEqual(os.listdir(self.path("model")), ["param_log_file.txt"])

    def test_bad_training_data_is_one_sentence_and_exit_code_1(self):
        good = self.read("ml_data/train_y_data.csv")
        for content, expected in ((good.replace("0.3", "x"), "auc 'x' is not a number"),
                                  (good.replace("0.3", "inf"), "auc 'inf' is not a number"),
                                  (good.splitlines()[0] + "\n", "holds no responses"),
                                  (good.replace("improve_chem_id", "drug"), "has no column 'improve_chem_id'"),
                                  ("", "has no header line"), ("\x00", "")):
            self.write("ml_data/train_y_data.csv", content)
            said = self.train(code=1)
            self.assertIn(expected, said)
            self.assertEqual(said.count("\n"), 1)

    def test_a_model_file_that_is_none_is_one_sentence_and_exit_code_1(self):
        self.train("--epochs", "1")
        good = json.loads(self.read("model/baseline_model.json"))
        for content in ("", "[]", "{}", "null", "[" * 100000, json.dumps(dict(good, cells={})),
                        json.dumps(dict(good, drugs={"D": [1.0]})), json.dumps(dict(good, mean="x")),
                        json.dumps(dict(good, mean=10 ** 400)), json.dumps(dict(good, cells=3))):
            self.write("model/baseline_model.json", content)
            self.assertIn("baseline_model.json: is not a baseline model", self.infer(code=1), content[:60])
        self.write("model/baseline_model.json", json.dumps(dict(good, y_col_name="ic50")))
        self.assertIn("predicts 'ic50', not 'auc'", self.infer(code=1))
        os.remove(self.path("model/baseline_model.json"))
        self.assertIn("baseline_model.json: cannot be read", self.infer(code=1))


class OnDemoData(StageCase):
    """The three stages within and across studies of the synthetic benchmark."""

    @classmethod
    def setUpClass(cls):
        cls.benchmark = tempfile.mkdtemp(prefix="baseline demo.")
        demo_data.write_demo_data(os.path.join(cls.benchmark, "raw_data"))

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.benchmark)

    def scores(self, source, target, train_split=None):
        raw = os.path.join(self.benchmark, "raw_data")
        test = f"{source}_split_0_test.txt" if source == target else f"{target}_all.txt"
        self.preprocess(raw=raw, splits=(train_split or f"{source}_split_0_train.txt",
                                         f"{source}_split_0_val.txt", test))
        self.train()
        self.infer("--calc_infer_scores", "true")
        return json.loads(self.read("infer/test_scores.json"))

    def test_within_a_study_it_is_far_better_than_the_mean_and_the_same_everywhere(self):
        scores = self.scores("gCSI", "gCSI")
        self.assertGreater(scores["r2"], 0.6)
        self.assertAlmostEqual(scores["r2"], 0.7827455423505397, places=10)

    def test_across_studies_it_is_worse_but_knows_something(self):
        scores = self.scores("CTRPv2", "gCSI")
        self.assertTrue(0.3 < scores["r2"] < 0.7, scores)

    def test_its_error_falls_with_the_number_of_training_rows(self):
        ids = improve_files.read_split(os.path.join(self.benchmark, "raw_data", "splits", "gCSI_split_0_train.txt"))
        order = demo_data.shuffled(random.Random(42), ids)
        errors = []
        for rows in (128, 404, 1280):
            self.write("lc/rows.txt", "".join(f"{row}\n" for row in order[:rows]))
            errors.append(self.scores("gCSI", "gCSI", self.path("lc/rows.txt"))["mse"])
        self.assertGreater(errors[0], 1.2 * errors[1])
        self.assertGreater(errors[1], 1.2 * errors[2])


if __name__ == "__main__":
    unittest.main()
