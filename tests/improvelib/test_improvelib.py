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
PIP = ("--quiet", "--no-compile", "--disable-pip-version-check", "--retries", "1",
       "--timeout", "20", "--only-binary=:all:", LIBRARY)
# A pip that installs for another Python: an environment without a pip of its own is made sooner.
CHECK = ("import sys, venv, pip; "
         "sys.exit(sys.version_info < (3, 9) or int(pip.__version__.split('.')[0]) < 23)")
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
target_datasets = ["CCLE"]
split_nums = ["0"]
max_evals = 2
[Preprocess]
[Train]
[Infer]
"""
SPACE = [{"name": "alpha", "type": "float", "min": 0.01, "max": 10000.0, "default": 10.0,
          "log_uniform": True}]


def install(directory):
    """Makes the environment with the first Python that can; SkipTest if it cannot be made."""
    pythons = glob.glob(os.path.expanduser("~/.pyenv/versions/3.1[0-9].*/bin/python3"))
    python = next((each for each in (sys.executable, *pythons)
                   if not subprocess.call([each, "-c", CHECK], stderr=subprocess.DEVNULL)),
                  "python3")
    try:
        for command in (["venv", "--without-pip", directory],
                        ["pip", "--python", directory, "install", *PIP]):
            subprocess.run([python, "-m", *command], stdout=subprocess.PIPE, check=True,
                           stderr=subprocess.STDOUT, timeout=PATIENCE, universal_newlines=True)
    except subprocess.SubprocessError as error:
        raise unittest.SkipTest(f"{LIBRARY} cannot be installed here: {error}: {error.stdout}")


class ImprovelibTest(WorkCase):
    @classmethod
    def setUpClass(cls):
        cls.venv = tempfile.mkdtemp(prefix="improvelib.")
        install(cls.venv)

    def setUp(self):
        super().setUp()
        write_demo_data(self.path("raw"))

    def run_ridge(self, workflow, *arguments, code):
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

    def test_a_cross_study_analysis_through_an_ini_file_in_its_own_folder(self):
        self.assertIn("3 tasks in", self.run_ini("csa", INI).out)
        for folder, part in (("infer/gCSI-CCLE", "test"), ("models/gCSI", "val")):
            folder = f"ridge/csa_out/{folder}/split_0"
            true, predicted = (
                list(map(float, self.column(f"auc_{kind}", folder, f"{part}_y_data_predicted.csv")))
                for kind in ("true", "pred"))
            own = metrics.regression_scores(true, predicted)
            found = json.loads(self.read(folder, f"{part}_scores.json"))
            for name, value in found.items():
                self.assertAlmostEqual(value, own[name], 2, name)
        self.assertGreater(found["r2"], 0.3)
        self.assertEqual(self.column("src", "ridge/csa_out/scores/r2_mean_csa_table.csv"),
                         ["gCSI"])

    def test_a_learning_curve_of_a_classifier_has_all_scores_of_as_many_rows_as_asked_for(self):
        self.have_classes()
        classes = "--metric_type classification"
        self.run_ridge("lca", "--lc_sizes_arr", "400", "--y_col_name", "sensitive",
                       "--train_args", classes, "--infer_args", classes, code=0)
        data = self.column("sensitive", "out/gCSI/ml_data/split_0/sz_400/train_y_data.csv")
        self.assertEqual(len(data), 400)
        found = json.loads(self.read("out/gCSI/infer/split_0/sz_400/test_scores.json"))
        self.assertEqual(set(found), CLASSES)
        self.assertGreater(found["roc_auc"], 0.7)
        self.assertEqual({row["metric"] for row in self.table("learning_curve.csv")}, CLASSES)

    def test_a_search_of_a_classifier_takes_improve_s_own_space_beside_the_ini_file(self):
        self.have_classes()
        more = "val_metric = roc_auc\ntrain_args = {'metric_type': 'classification'}\n[Preprocess]"
        self.run_ini("hpo", INI.replace("= auc", "= sensitive").replace("[Preprocess]", more))
        results = "ridge/runs/hpo_ridge/scores/hpo_results.csv"
        objective = self.column("objective", results)
        self.assertEqual((len(objective), objective), (2, self.column("roc_auc", results)))
        best = max(range(2), key=lambda trial: float(objective[trial]))
        found = json.loads(self.read("ridge/runs/hpo_ridge/hyperparameters_hpo.json"))
        self.assertEqual(found["ridge"]["gCSI"]["alpha"],
                         float(self.column("alpha", results)[best]))

    def test_a_check_knows_the_options_of_the_library(self):
        ended = self.run_ridge("csa", "--check", "--train_args", "--alpa 1",
                               "--y_data_file", "response.tsv", code=2)
        self.assertIn("ridge_train_improve.py knows no --alpa; did you mean --alpha?", ended.out)
        self.assertIn("ridge_preprocess_improve.py knows no --y_data_file; "
                      "did you mean --y_data_files?", ended.out)
        self.assertRegex(ended.out, "options of infer +ok: its --help knows "
                                    "--input_data_dir --input_model_dir")
