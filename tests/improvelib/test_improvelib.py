"""A small model on IMPROVE's own library (improvelib 0.1.0 from PyPI) runs unmodified in all
workflows.

The library is installed into a virtual environment once. Without network, or a Python that takes
it, the tests are skipped and say why.
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

from core import metrics
from launcher.demo_data import write_demo_data
from tests.support import REPOSITORY, WorkCase

LIBRARY = "improvelib==0.1.0"
PIP = ("-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check",
       "--retries", "1", "--timeout", "20", "--only-binary=:all:", LIBRARY)
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
SPACE = [{"name": "alpha", "type": "float", "min": 0.01, "max": 10000.0, "default": 10.0,
          "log_uniform": True}]


def find_python():
    """A Python that can make the environment; None if there is none."""
    check = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 9))"
    found = [sys.executable, shutil.which("python3") or sys.executable,
             *glob.glob(os.path.expanduser("~/.pyenv/versions/3.1[0-9].*/bin/python3"))]
    return next((python for python in found
                 if subprocess.call([python, "-c", check], stderr=subprocess.DEVNULL) == 0), None)


def install(directory):
    """Makes the environment; returns why it cannot be made, '' if it is there."""
    python = find_python()
    if python is None:
        return "no Python from 3.9 on with venv and pip here"
    for command in ([python, "-m", "venv", directory],
                    [os.path.join(directory, "bin", "python"), *PIP]):
        try:
            subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True,
                           timeout=PATIENCE, universal_newlines=True)
        except subprocess.SubprocessError as error:
            return f"{LIBRARY} cannot be installed here: {error}: {error.stdout}"
    return ""


class ImprovelibTest(WorkCase):
    @classmethod
    def setUpClass(cls):
        cls.venv = tempfile.mkdtemp(prefix="improvelib.")
        reason = install(cls.venv)
        if reason:
            raise unittest.SkipTest(reason)

    def setUp(self):
        super().setUp()
        write_demo_data(self.path("raw"))

    def run_ridge(self, workflow, *arguments, code=0):
        return self.run_workflow(
            workflow, "--model", "ridge", "--model_dir", MODEL, "--env", f"venv:{self.venv}",
            "--input_dir", "raw", "--output_dir", "out", "--executor", "local",
            "--source", "gCSI", "--split", "0", *arguments, code=code)

    def run_ini(self, workflow, text):
        """A command that is typed in the model's own folder, with an INI file that lies in it."""
        shutil.copytree(MODEL, self.path("ridge"), ignore=shutil.ignore_patterns("__pycache__"))
        self.write("ridge/params.ini", text)
        self.write("ridge/hpo_deephyper_hyperparameters.json", json.dumps(SPACE))
        script = os.path.join(REPOSITORY, f"workflow_{workflow}.py")
        return self.run_command(
            "bash", "-c", 'cd ridge && exec "$@"', "bash", sys.executable, script,
            "--config_file", "params.ini", "--env", f"venv:{self.venv}", "--executor", "local",
            code=0)

    def have_classes(self):
        """A column of 0 and 1: whether the cell line is sensitive."""
        header, *rows = self.read("raw/y_data/response.tsv").splitlines()
        at = header.split("\t").index("auc")
        rows = [row + "\t%d" % (float(row.split("\t")[at]) < 0.5) for row in rows]
        self.write("raw/y_data/response.tsv", "\n".join([f"{header}\tsensitive", *rows, ""]))

    def column(self, name, *path):
        with open(self.path(*path), newline="") as file:
            return [row[name] for row in csv.DictReader(file)]

    def scores(self, *path):
        return json.loads(self.read(*path, "test_scores.json"))

    def test_a_cross_study_analysis_through_an_ini_file_in_its_own_folder(self):
        self.assertIn("5 tasks in", self.run_ini("csa", INI).out)
        for target in ("gCSI", "CCLE"):
            folder = ("ridge", "csa_out", "infer", f"gCSI-{target}", "split_0")
            true, predicted = (
                list(map(float, self.column(f"auc_{kind}", *folder, "test_y_data_predicted.csv")))
                for kind in ("true", "pred"))
            own = metrics.regression_scores(true, predicted)
            for name, value in self.scores(*folder).items():
                self.assertAlmostEqual(value, own[name], 2, name)
        self.assertGreater(self.scores("ridge/csa_out/infer/gCSI-gCSI/split_0")["r2"], 0.3)
        self.assertEqual(self.column("src", "ridge/csa_out/scores/r2_mean_csa_table.csv"),
                         ["gCSI"])

    def test_learning_curves_on_blind_splits_never_train_on_a_cell_line_of_the_test_part(self):
        with open(self.path("raw/y_data/response.tsv"), newline="") as file:
            cells = {row: each["improve_sample_id"]
                     for row, each in enumerate(csv.DictReader(file, delimiter="\t"))
                     if each["study"] == "gCSI"}
        names = sorted(set(cells.values()))
        parts = {"train": names[20:], "val": names[10:20], "test": names[:10]}
        for part, chosen in parts.items():
            self.write(f"raw/splits/gCSI_cell_0_{part}.txt",
                       "".join(f"{row}\n" for row in cells if cells[row] in chosen))
        self.run_ridge("lca", "--split_type", "cell", "--lc_sizes_arr", "150", "900")
        for size in (150, 900):
            folder = ("out", "gCSI", "ml_data", "split_0", f"sz_{size}")
            trained, tested = (self.column("improve_sample_id", *folder, f"{part}_y_data.csv")
                               for part in ("train", "test"))
            self.assertEqual((len(trained), set(tested)), (size, set(parts["test"])))
            self.assertFalse(set(trained) & set(tested))
        small, large = (self.scores(f"out/gCSI/infer/split_0/sz_{size}")["mse"]
                        for size in (150, 900))
        self.assertLess(large, small)

    def test_a_search_of_a_classifier_takes_improve_s_own_space_beside_the_ini_file(self):
        self.have_classes()
        more = "val_metric = roc_auc\ntrain_args = {'metric_type': 'classification'}\n[Preprocess]"
        self.run_ini("hpo", INI.replace("= auc", "= sensitive").replace("[Preprocess]", more))
        results = "ridge/runs/hpo_ridge/scores/hpo_results.csv"
        objective = self.column("objective", results)
        self.assertEqual((len(objective), objective), (3, self.column("roc_auc", results)))
        best = max(range(3), key=lambda trial: float(objective[trial]))
        found = json.loads(self.read("ridge/runs/hpo_ridge/hyperparameters_hpo.json"))
        self.assertEqual(found["ridge"]["gCSI"]["alpha"],
                         float(self.column("alpha", results)[best]))

    def test_a_cross_study_analysis_of_a_classifier_has_all_its_scores(self):
        self.have_classes()
        classes = "--metric_type classification"
        ended = self.run_ridge("csa", "--target", "gCSI", "--y_col_name", "sensitive",
                               "--train_args", classes, "--infer_args", classes)
        collected = {row["met"]: float(row["value"]) for row in self.table("all_scores.csv")}
        self.assertEqual(collected, self.scores("out/infer/gCSI-gCSI/split_0"))
        self.assertEqual(set(collected), CLASSES)
        self.assertGreater(collected["roc_auc"], 0.7)
        self.assertIn("acc, mean over splits", ended.out)

    def test_a_check_knows_the_options_of_the_library_and_their_types(self):
        ended = self.run_ridge("csa", "--check", "--train_args", "--alpha much",
                               "--y_data_file", "response.tsv", code=2)
        self.assertIn("argument --alpha: invalid float value: 'much'", ended.out)
        self.assertIn("ridge_preprocess_improve.py knows no --y_data_file; "
                      "did you mean --y_data_files?", ended.out)
        self.assertRegex(ended.out, "options of infer +ok: its --help knows "
                                    "--input_data_dir --input_model_dir")
