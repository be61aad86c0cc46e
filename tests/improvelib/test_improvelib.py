"""A small model on IMPROVE's own library (improvelib 0.1.0 from PyPI) runs unmodified in all workflows.

The library is installed into a virtual environment once; without network or a Python that takes it the tests
are skipped and say why.
"""
import csv
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import tests  # noqa: F401  (puts stages/ on the path)

from common import metrics  # noqa: E402
from launcher.demo_data import write_demo_data
from tests.support import REPOSITORY, WorkCase

LIBRARY = "improvelib==0.1.0"
MODEL = os.path.join(REPOSITORY, "tests", "improve_model")
CLASSES = {"acc", "recall", "precision", "f1", "kappa", "bacc", "roc_auc", "aupr"}
PATIENCE = 180      # seconds for the installation
INI = """[DEFAULT]
input_dir = ../raw
csa_outdir = ./csa_out
model_name = ridge
model_scripts_dir = ./
y_col_name = auc
source_datasets = ["gCSI"]
target_datasets = ["gCSI", "CCLE"]
split_nums = ["0"]
max_evals = 3
[Preprocess]
[Train]
[Infer]
"""
SPACE = [{"name": "alpha", "type": "float", "min": 0.01, "max": 10000.0, "default": 10.0, "log_uniform": True}]


def python():
    """A Python that can make the environment; None if there is none."""
    places = [sys.executable, shutil.which("python3"),
              *glob.glob(os.path.expanduser("~/.pyenv/versions/3.1[0-9].*/bin/python3"))]
    for place in filter(None, places):
        check = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 9))"
        if subprocess.call([place, "-c", check], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0:
            return place
    return None


def install(directory):
    """Makes the environment; returns why it cannot be made, '' if it is there."""
    chosen = python()
    if chosen is None:
        return "no Python from 3.9 on with venv and pip here"
    pip = [os.path.join(directory, "bin", "python"), "-m", "pip", "install", "--quiet", "--no-compile",
           "--disable-pip-version-check", "--retries", "1", "--timeout", "20", "--only-binary=:all:", LIBRARY]
    for command in ([chosen, "-m", "venv", directory], pip):
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE,
                                  universal_newlines=True)
        except subprocess.TimeoutExpired:
            return f"{LIBRARY} was not installed within {PATIENCE} s"
        if done.returncode:
            return f"{LIBRARY} cannot be installed here: {(done.stdout.strip().splitlines() or ['no word'])[-1]}"
    return ""


class ImprovelibTest(WorkCase):
    @classmethod
    def setUpClass(cls):
        cls.shared = os.path.realpath(tempfile.mkdtemp(prefix="improvelib."))
        cls.venv = os.path.join(cls.shared, "venv")
        reason = install(cls.venv)
        if reason:
            cls.tearDownClass()
            raise unittest.SkipTest(reason)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.shared, ignore_errors=True)

    def setUp(self):
        super().setUp()
        write_demo_data(self.path("raw"))

    def run_ridge(self, workflow, *arguments):
        return self.run_workflow(workflow, "--model", "ridge", "--model_dir", MODEL, "--env", f"venv:{self.venv}",
                                 "--input_dir", "raw", "--output_dir", "out", "--executor", "local", "--source", "gCSI", "--split", "0", *arguments)

    def run_ini(self, workflow, text, **files):
        """A command that is typed in the model's own folder, with an INI file that lies in it."""
        shutil.copytree(MODEL, self.path("ridge"), ignore=shutil.ignore_patterns("__pycache__"))
        self.write("ridge/params.ini", text)
        for name, content in files.items():
            self.write(f"ridge/{name}.json", json.dumps(content))
        script = os.path.join(REPOSITORY, f"workflow_{workflow}.py")
        return self.run_command("bash", "-c", 'cd ridge && exec "$@"', "bash", sys.executable, script,
                                "--config_file", "params.ini", "--env", f"venv:{self.venv}", "--executor", "local")

    def have_classes(self):
        """A column of 0 and 1: whether the cell line is sensitive."""
        with open(self.path("raw/y_data/response.tsv"), newline="") as file:
            rows = list(csv.reader(file, delimiter="\t"))
        at = rows[0].index("auc")
        rows = [rows[0] + ["sensitive"]] + [row + [str(int(float(row[at]) < 0.5))] for row in rows[1:]]
        self.write("raw/y_data/response.tsv", "".join("\t".join(row) + "\n" for row in rows))

    def column(self, name, *path):
        with open(self.path(*path), newline="") as file:
            return [row[name] for row in csv.DictReader(file)]

    def scores(self, *path):
        return json.loads(self.read(*path))

    def test_a_cross_study_analysis_through_an_ini_file_in_its_own_folder(self):
        ended = self.run_ini("csa", INI)
        self.assertEqual(ended.code, 0, ended)
        self.assertIn("5 tasks in", ended.out)
        for target in ("gCSI", "CCLE"):
            place = ("ridge", "csa_out", "infer", f"gCSI-{target}", "split_0")
            true, predicted = ([float(value) for value in self.column(f"auc_{kind}", *place, "test_y_data_predicted.csv")]
                               for kind in ("true", "pred"))
            own = metrics.regression_scores(true, predicted)
            for name, value in self.scores(*place, "test_scores.json").items():
                self.assertAlmostEqual(value, own[name], 2, name)
        self.assertGreater(self.scores("ridge", "csa_out", "infer", "gCSI-gCSI", "split_0", "test_scores.json")["r2"], 0.3)
        self.assertEqual(self.column("src", "ridge", "csa_out", "scores", "r2_mean_csa_table.csv"), ["gCSI"])

    def test_learning_curves_on_blind_splits_never_train_on_a_cell_line_of_the_test_part(self):
        with open(self.path("raw/y_data/response.tsv"), newline="") as file:
            cells = {row: each["improve_sample_id"] for row, each in enumerate(csv.DictReader(file, delimiter="\t"))
                     if each["study"] == "gCSI"}
        names = sorted(set(cells.values()))
        for part, chosen in (("train", names[20:]), ("val", names[10:20]), ("test", names[:10])):
            self.write(f"raw/splits/gCSI_cell_0_{part}.txt", "".join(f"{row}\n" for row in cells if cells[row] in chosen))
        ended = self.run_ridge("lca", "--split_type", "cell", "--lc_sizes_arr", "150", "900")
        self.assertEqual(ended.code, 0, ended)
        for size in (150, 900):
            folder = ("out", "gCSI", "ml_data", "split_0", f"sz_{size}")
            trained, tested = (self.column("improve_sample_id", *folder, f"{part}_y_data.csv") for part in ("train", "test"))
            self.assertEqual((len(trained), set(tested), set(trained) & set(tested)), (size, set(names[:10]), set()))
        found = [self.scores("out", "gCSI", "infer", "split_0", f"sz_{size}", "test_scores.json")["mse"] for size in (150, 900)]
        self.assertLess(found[1], found[0])

    def test_a_search_of_a_classifier_takes_improve_s_own_space_beside_the_ini_file(self):
        self.have_classes()
        more = "val_metric = roc_auc\ntrain_args = {'metric_type': 'classification'}\n[Preprocess]"
        text = INI.replace("= auc", "= sensitive").replace("[Preprocess]", more)
        ended = self.run_ini("hpo", text, hpo_deephyper_hyperparameters=SPACE)
        self.assertEqual(ended.code, 0, ended)
        results = ("ridge", "runs", "hpo_ridge", "scores", "hpo_results.csv")
        found = list(zip(self.column("objective", *results), self.column("alpha", *results), self.column("roc_auc", *results)))
        self.assertEqual((len(found), [row[0] for row in found]), (3, [row[2] for row in found]))
        best = json.loads(self.read("ridge", "runs", "hpo_ridge", "hyperparameters_hpo.json"))["ridge"]["gCSI"]["alpha"]
        self.assertEqual(best, float(max(found, key=lambda row: float(row[0]))[1]))

    def test_a_cross_study_analysis_of_a_classifier_has_all_its_scores(self):
        self.have_classes()
        classes = "--metric_type classification"
        ended = self.run_ridge("csa", "--target", "gCSI", "--y_col_name", "sensitive", "--train_args", classes,
                               "--infer_args", classes)
        self.assertEqual(ended.code, 0, ended)
        collected = {row["met"]: float(row["value"]) for row in self.table("all_scores.csv")}
        self.assertEqual(collected, self.scores("out", "infer", "gCSI-gCSI", "split_0", "test_scores.json"))
        self.assertEqual(set(collected), CLASSES)
        self.assertGreater(collected["roc_auc"], 0.7)
        self.assertIn("acc, mean over splits", ended.out)

    def test_a_check_knows_the_options_of_the_library_and_their_types(self):
        ended = self.run_ridge("csa", "--check", "--train_args", "--alpha much", "--y_data_file", "response.tsv")
        self.assertEqual(ended.code, 2, ended)
        self.assertIn("argument --alpha: invalid float value: 'much'", ended.out)
        self.assertIn("ridge_preprocess_improve.py knows no --y_data_file; did you mean --y_data_files?", ended.out)
        self.assertRegex(ended.out, "options of infer +ok: its --help knows --input_data_dir --input_model_dir")

if __name__ == "__main__":
    unittest.main()
