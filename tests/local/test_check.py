"""--check: planted mistakes are found and named, one line a check; nothing is left behind."""
import contextlib
import io
import os
import re
import sys
import tempfile
from unittest import mock

from launcher import check, launch
from tests.plan_case import WORKFLOWS, PlanCase
from tests.support import TOY, write_benchmark

BASELINE = ("--input_dir", "raw", "--output_dir", "out", "--executor", "local")
OWN = ("--model", "own", "--model_dir", "model")
RUN = ("--check", "run")
# A model of which only the options are real
SCRIPT = """import argparse, os, sys, {imports}
parser = argparse.ArgumentParser()
for name in ("train_split_file val_split_file test_split_file input_dir input_data_dir "
             "input_model_dir calc_infer_scores batch_size output_dir y_col_name").split():
    parser.add_argument("--" + name)
args = parser.parse_args()
"""
# Notes its calls and the rows that it is given; preprocess alone writes what it has to.
NOTING = SCRIPT.format(imports="csv") + """
with open("../calls.txt", "a") as file:
    print(*sys.argv[1:], file=file)
    for part in ("train", "val", "test"):
        name = getattr(args, part + "_split_file")
        if name:
            print(*open(os.path.join(args.input_dir, "splits", name)).read().split(), file=file)
            open(os.path.join(args.output_dir, part + "_y_data.csv"), "w").write("auc")
"""


class CheckCase(PlanCase):
    def setUp(self):
        super().setUp()
        write_benchmark(self.path("raw"), ("A", "B"), rows=100)
        os.makedirs("tmp")

    def check(self, *line, workflow="csa", how=("--check",), **settings):
        """({check: its line}, output) of the baseline model, if the line names no other."""
        said = io.StringIO()
        with mock.patch.dict(os.environ, settings), \
                mock.patch.object(tempfile, "tempdir", self.path("tmp")), \
                contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = launch.main(WORKFLOWS[workflow], [*BASELINE, *how, *line])
        said = said.getvalue()
        self.assertEqual((os.listdir("tmp"), os.path.exists("out")), ([], False), "left behind")
        rows = dict(re.findall(r"^(\S.*?) +((?:ok|wrong:|not checked:).*)$", said, re.MULTILINE))
        is_wrong = any(text.startswith("wrong") for text in rows.values())
        self.assertEqual(code, 2 if is_wrong or not rows else 0, said)
        return rows, said

    def assert_wrong(self, wanted, *line, **more):
        """wanted: {check: part of its line} of all that is wrong"""
        lines = self.check(*line, **more)[0]
        found = {name: text for name, text in lines.items() if text.startswith("wrong: ")}
        if "benchmark" in wanted:       # every line is there, and says what it could not check
            for name in {"options of preprocess", "results tree", "templates"}:
                self.assertRegex(lines[name], "^not checked: ")
        self.assertEqual(set(found), set(wanted), line)
        for name, part in wanted.items():
            self.assertIn(part, found[name])

    def have_model(self, script=SCRIPT.format(imports="csv")):
        for stage in ("preprocess", "train", "infer"):
            self.write(f"model/own_{stage}_improve.py", script)

    def write_venv(self, python):
        self.write("venv/bin/activate", "")
        self.write_program("venv/bin/python", python)


class PlantedMistakesTest(CheckCase):
    def test_a_command_without_a_mistake_has_nothing_wrong_in_all_workflows(self):
        for workflow in ("csa", "lca", "hpo"):
            lines, said = self.check(workflow=workflow)
            self.assertEqual([name for name, text in lines.items() if not text.startswith("ok")],
                             ["templates"])
            self.assertIn(" 0 wrong, 1 not checked; no task of the campaign was started", said)

    def test_each_mistake_of_a_command_is_found_in_its_line(self):
        self.write("file", "")
        self.write("best.json", '{"baseline": {"A": {"batch_size": 8}, "B": {"batch_sise": 8}}}')
        for line, wanted in (
                (("--train_args", "--learning_rat 0.1 --seed 1", "--split", "7"),
                 {"options of train": "knows no --learning_rat; did you mean --learning_rate?",
                  "benchmark": "no split files A_split_7_train.txt"}),
                (("--cuda_name", "cuda:0", "--output_dir", "file/out"),
                 {"options of train": "no --cuda_name", "options of infer": "no --cuda_name",
                  "output directory": "file/out cannot be written"}),
                (("--hyperparameters_file", "best.json"), {"options of train": "no --batch_sise"}),
                (("--y_col_name", "aauc", "--infer_args", "--fast"),
                 {"benchmark": "no column 'aauc'; --y_col_name with one of source, ",
                  "options of infer": "knows no --fast"})):
            self.assert_wrong(wanted, *line)
        self.write("space.json", '[{"name": "batch_sise", "type": "int", "min": 8, "max": 64}]')
        self.assert_wrong({"options of train": "no --batch_sise; did you mean --batch_size?"},
                          "--hyperparameter_file", "space.json", workflow="hpo")

    def test_missing_files_are_wrong(self):
        self.have_model()
        os.unlink("model/own_infer_improve.py")
        os.unlink("raw/splits/B_split_1_val.txt")
        part = "own_infer_improve.py does not exist; --model NAME"
        self.assert_wrong({"options of infer": part, "benchmark":
                           "B_split_1_val.txt cannot be read; choose other studies"}, *OWN,
                          "--source", "B", "--split", "1")

    def test_an_environment_that_does_not_work_or_lacks_a_module_is_wrong(self):
        self.write_venv("#!/bin/sh\necho no python here\nexit 1\n")
        line = self.check("--env", "venv:venv")[0]["environment"]
        self.assertRegex(line, "^wrong: .* cannot be activated on this machine")
        self.write_venv(f"#!/bin/sh\nexec {sys.executable} \"$@\"\n")
        self.have_model(SCRIPT.format(imports="torch_of_nowhere"))
        part = "No module named 'torch_of_nowhere'; mend that, or name another environment"
        self.assert_wrong({f"options of {stage}": part for stage in ("preprocess", "train",
                                                                     "infer")},
                          *OWN, "--env", "venv:venv")

    def test_scripts_without_a_help_are_not_checked(self):
        self.have_model("print('read the paper')\n")
        lines, _ = self.check(*OWN)
        self.assertRegex(lines["options of train"], "^not checked: own_train_improve.py --help "
                         "exits with 0 and lists no options: read the paper")

    def test_results_that_would_be_replaced_are_wrong_and_failed_tasks_are_not_done(self):
        line = ("--source", "A", "--split", "0")
        self.run_toy(*line, TOY_FAULTS="infer A-B exit:1")
        before = os.listdir("out/launches")
        self.assertRegex(self.run_toy(*line, "--check").out,
                         "results tree +ok: 4 tasks done, 2 to run, tables included")
        ended = self.run_toy(*line, "--epochs", "3", "--check")
        self.assertRegex(ended.out, "results tree +wrong: .*--epochs: not given -> 3.*--replace")
        self.assertEqual((ended.code, os.listdir("out/launches")), (2, before))


class TinyRunTest(CheckCase):
    def test_a_small_task_of_each_stage_runs_in_all_workflows_and_says_time_and_memory(self):
        around = dict(SLURM_JOB_ID="7", SLURM_ARRAY_TASK_ID="3", SLURM_CPUS_PER_TASK="1")
        for workflow, stages in (("csa", ["preprocess", "train", "infer"]),
                                 ("lca", ["preprocess", "train", "infer"]),
                                 ("hpo", ["preprocess", "trial"])):
            lines, said = self.check(workflow=workflow, how=RUN, **around)
            runs = [name for name in lines if name.startswith("run of")]
            self.assertEqual(runs, [f"run of {stage}" for stage in stages], said)
            for name in runs:
                self.assertRegex(lines[name], r"^ok: \d+\.\d+ s, [1-9]\d*\.\d MB$")

    def test_it_works_in_a_folder_of_its_own_up_to_the_first_stage_that_fails(self):
        self.have_model(NOTING)
        lines, said = self.check(*OWN, how=RUN)
        calls = self.read("calls.txt").splitlines()
        self.assertIn(f"--train_split_file {self.path('tmp')}", calls[0])
        self.assertNotIn(self.path("out"), "\n".join(calls))
        self.assertEqual([len(call.split()) for call in calls[1:4]], [98, 1, 1])     # all there are
        self.assertRegex(lines["run of preprocess"], "^ok: ", said)
        self.assertRegex(lines["run of train"], "^wrong: train failed: .*; the end of its log is "
                         "above; a model may also need more than 2000 rows")
        self.assertIn("=== attempt 1", said)
        self.assertNotIn("run of infer", lines)

    def test_rows_are_spread_over_a_large_split_and_make_eight_full_batches(self):
        write_benchmark(self.path("big"), ("A",), splits=1, rows=9000)
        every = self.read("big/splits/A_split_0_train.txt").split()
        for line, least, most in (((), 1000, 2000), (("--train_args", "--batch_size 400"), 2000,
                                                     3200)):
            found = self.planned("csa", *TOY, "--input_dir", "big", *line)
            task = check.small_tasks(WORKFLOWS["csa"], found.options, found.data,
                                     self.path(f"tiny{most}"))[0]
            rows = self.read(task.arguments["train_split_file"]).split()
            self.assertTrue(least < len(rows) <= most, len(rows))
            self.assertTrue(rows[0] == every[0] and rows[-1] in every[-10:], rows[-1])

    def test_a_study_that_exists_is_made_again_in_the_folder_of_a_small_run(self):
        found = self.planned("hpo", *BASELINE)
        (name, study), *_ = found.plan.once.items()
        self.write(f"out/{name}", study)
        check.small_tasks(WORKFLOWS["hpo"], found.options, found.data, self.path("tiny"))
        self.assertEqual(self.read("tiny", name), study)

    def test_an_environment_that_this_machine_does_not_have_is_not_checked(self):
        if {"MODULESHOME", "LMOD_PKG"} & set(os.environ):
            self.skipTest("this machine has environment modules")
        with mock.patch("launcher.planning.choose_executor"):
            lines, _ = self.check("--env", "module:nothing", "--executor", "slurm", how=RUN)
        for name in ("environment", "options of train", "run of preprocess"):
            self.assertRegex(lines[name], "^not checked: ", name)
