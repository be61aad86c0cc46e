"""--check: planted mistakes are found and named, one line a check; nothing is left behind."""
import json
import os
import re
import shutil
import sys
import unittest
from unittest import mock

from launcher.checking import disk_space
from launcher.benchmark import read_benchmark
from launcher.refusal import Refusal
from launcher.tasks import Task
from tests.support import CLEAN, REPOSITORY, TOY_MODEL, WorkCase, write_benchmark

BASELINE = ("--input_dir", "raw", "--output_dir", "out", "--executor", "local")


class CheckCase(WorkCase):
    def setUp(self):
        super().setUp()
        write_benchmark(self.path("raw"), ("A", "B"), rows=100)
        os.makedirs(self.path("tmp"))

    def check(self, *arguments, workflow="csa", how="--check", **settings):
        """({check: what its line says}, how it ended); the baseline model, if no other is named."""
        ended = self.run_workflow(workflow, *BASELINE, *how.split(), *arguments, TMPDIR=self.path("tmp"), **settings)
        self.assertNotIn("Traceback", ended.err, ended)
        self.assertEqual(os.listdir(self.path("tmp")), [])
        self.assertFalse(os.path.exists(self.path("out")), "something is left in OUT")
        rows = re.findall(r"^(\S.*?) +((?:ok|wrong:|not checked:).*)$", ended.out, re.MULTILINE)
        self.assertEqual(ended.code, 2 if any(text.startswith("wrong") for _, text in rows) or not rows else 0, ended)
        return dict(rows), ended

    def wrong(self, *arguments, **more):
        """{check: text} of what is wrong."""
        lines, _ = self.check(*arguments, **more)
        return {name: text for name, text in lines.items() if text.startswith("wrong: ")}

    def have_model(self, imports="argparse", flags=("--epochs",)):
        """A model of which only the options are real."""
        os.makedirs(self.path("model"))
        own = {"preprocess": ("--train_split_file", "--val_split_file", "--test_split_file", "--input_dir"),
               "train": ("--input_dir",),
               "infer": ("--input_data_dir", "--input_model_dir", "--calc_infer_scores")}
        for stage, names in own.items():
            names += ("--output_dir", "--y_col_name") + (tuple(flags) if stage == "train" else ())
            lines = [f"import {imports}, argparse", "parser = argparse.ArgumentParser()",
                     *[f"parser.add_argument({name!r})" for name in names], "parser.parse_args()"]
            self.write(f"model/own_{stage}_improve.py", "\n".join(lines) + "\n")
        return "--model", "own", "--model_dir", "model"

    def have_venv(self, python):
        os.makedirs(self.path("venv", "bin"))
        self.write("venv/bin/activate", f"PATH={self.path('venv/bin')}:$PATH\n")
        self.write("venv/bin/python", python)
        os.chmod(self.path("venv/bin/python"), 0o755)


class PlantedMistakesTest(CheckCase):
    def test_a_command_without_a_mistake_has_nothing_wrong_in_all_workflows(self):
        for workflow in ("csa", "lca", "hpo"):
            lines, ended = self.check(workflow=workflow)
            self.assertEqual({name: text for name, text in lines.items() if not text.startswith("ok")},
                             {name: text for name, text in lines.items() if name == "templates"})
            self.assertGreater(len(lines), 10)
            self.assertIn(" 0 wrong, 1 not checked; no task of the campaign was started", ended.out)

    def test_an_environment_that_does_not_become_active_is_wrong(self):
        self.have_venv("#!/bin/sh\necho no python here\nexit 1\n")
        self.assertIn("cannot be activated on this machine: no python here", self.wrong("--env", "venv:venv")["environment"])

    def test_an_environment_that_lacks_what_a_script_imports_is_wrong(self):
        self.have_venv(f"#!/bin/sh\nexec {sys.executable} \"$@\"\n")
        model = self.have_model(imports="torch_of_nowhere")
        found = self.wrong(*model, "--env", "venv:venv")
        self.assertEqual(set(found), {"options of preprocess", "options of train", "options of infer"})
        self.assertIn("No module named 'torch_of_nowhere'; install that in the environment", found["options of train"])

    def test_a_missing_script_is_wrong(self):
        model = self.have_model()
        os.unlink(self.path("model/own_infer_improve.py"))
        self.assertIn("own_infer_improve.py; give --model NAME", self.wrong(*model)["scripts"])

    def test_an_unknown_flag_is_wrong(self):
        found = self.wrong("--train_args", "--learning_rat 0.1 --seed 1")
        self.assertEqual(list(found), ["options of train"])
        self.assertIn("baseline_train_improve.py knows no --learning_rat; did you mean --learning_rate?", found["options of train"])

    def test_an_option_of_the_workflow_that_a_stage_does_not_know_is_wrong(self):
        found = self.wrong("--cuda_name", "cuda:0", "--y_data_file", "response.tsv")
        self.assertEqual(set(found), {"options of preprocess", "options of train", "options of infer"})
        self.assertIn("knows no --y_data_file", found["options of preprocess"])

    def test_a_missing_split_is_wrong(self):
        os.unlink(self.path("raw/splits/B_split_1_val.txt"))
        found = self.wrong()
        self.assertEqual(list(found), ["studies and splits"])
        self.assertIn("B_split_1_val.txt cannot be read; other studies or splits", found["studies and splits"])
        self.assertIn("split 7 of study 'A'", self.wrong("--split", "7")["studies and splits"])

    def test_an_output_directory_that_cannot_be_written_is_wrong(self):
        self.write("file", "")
        self.assertIn("file/out cannot be written", self.wrong("--output_dir", "file/out")["output directory"])

    def test_a_placeholder_in_a_template_is_wrong(self):
        self.have_project()
        site = self.read("project/slurm_templates/site.sbatch")
        self.write("project/slurm_templates/site.sbatch", site.replace("##SBATCH --account=NAME", "#SBATCH --account=NAME"))
        found = self.wrong(folder=self.path("project"))
        self.assertRegex(found["templates"], r"site\.sbatch:\d+: NAME is a placeholder; put your own value")
        self.write("project/slurm_templates/site.sbatch", site.replace("@@SLURM_OUTPUT@@", "@@SLURM_OUT@@"))
        self.assertIn("lacks @@SLURM_OUTPUT@@", self.wrong(folder=self.path("project"))["templates"])

    def test_a_column_that_the_response_file_lacks_is_wrong(self):
        self.assertIn("no column 'aauc'; --y_col_name with one of source, ", self.wrong("--y_col_name", "aauc")["benchmark"])

    def test_missing_supplementary_data_are_refused_and_empty_ones_are_wrong(self):
        lines, ended = self.check("--input_supp_data_dir", "extra")
        self.assertEqual(lines, {})
        self.assertIn("--input_supp_data_dir extra is no directory", ended.err)
        os.makedirs(self.path("extra"))
        self.assertIn("extra is empty", self.wrong("--input_supp_data_dir", "extra")["supplementary data"])

    def test_a_hyperparameter_out_of_type_is_wrong(self):
        self.write("best.json", json.dumps({"baseline": {"A": {"batch_size": 8}, "B": {"batch_size": 8.5}}}))
        found = self.wrong("--hyperparameters_file", "best.json")
        self.assertIn("argument --batch_size: invalid integer value: '8.5'; another value", found["options of train"])
        self.write("space.json", json.dumps([{"name": "batch_size", "type": "float", "min": 8, "max": 64},
                                             {"name": "learning_rate", "type": "float", "min": 0.001, "max": 0.1}]))
        found = self.wrong("--hyperparameter_file", "space.json", workflow="hpo")
        self.assertIn("argument --batch_size: invalid integer value: '8.0'", found["options of train"])


class OtherChecksTest(CheckCase):
    def test_several_mistakes_are_found_at_once(self):
        found = self.wrong("--y_col_name", "aauc", "--train_args", "--learning_rate high", "--infer_args", "--fast")
        self.assertEqual(set(found), {"benchmark", "options of train", "options of infer"})

    def test_scripts_without_a_help_and_a_script_that_lists_nothing_are_not_checked(self):
        lines, _ = self.check("--model", "toy", "--model_dir", TOY_MODEL)
        self.assertIn("not checked: toy_train_improve.py --help exits with 1: toy: no value for --help", lines["options of train"])
        model = self.have_model()
        self.write("model/own_train_improve.py", "print('read the paper')\n")
        self.assertEqual(self.check(*model)[0]["options of train"], "not checked: own_train_improve.py --help lists no flags")

    def test_results_that_would_be_replaced_are_wrong_and_are_not_asked_about(self):
        self.have_toy("--source", "A", "--split", "0")
        before = sorted(os.listdir(self.path("out/launches")))
        ended = self.run_toy("--source", "A", "--split", "0", "--epochs", "3", "--check")
        self.assertIn("train --epochs: not given -> 3", re.search("^results tree .*wrong: .*$", ended.out, re.MULTILINE).group(0))
        self.assertEqual((ended.code, sorted(os.listdir(self.path("out/launches")))), (2, before))
        self.assertIn("ok: 5 tasks are done, 0 to run", self.run_toy("--source", "A", "--split", "0", "--check").out)

    def test_a_disk_that_is_too_small_is_wrong_or_not_known(self):
        data = read_benchmark(self.path("raw"), "auc")
        os.makedirs(self.path("raw/x_data"))
        self.write("raw/x_data/genes.tsv", "x" * 1000000)
        task = Task("ml_data/A-A/split_0", "preprocess", "p", 0, (
            "none", "x.py", "--train_split_file", "A_split_0_train.txt", "--val_split_file", "/o/made.txt"))
        rows = (98 + 20) * os.path.getsize(data.response_file) // 201

        def said(free):
            with mock.patch("launcher.checking.disk_space.shutil.disk_usage", return_value=mock.Mock(free=free)):
                return disk_space.check([task], data, {"made.txt": "1\n" * 20}, "/o", self.work)
        with self.assertRaisesRegex(Refusal, "split files alone take"):
            said(rows - 1)
        with self.assertRaisesRegex(disk_space.NotChecked, r"1 preprocessings take from 0\.0 MB .* to 1\.0 MB"):
            said(rows)
        self.assertIn("about 1.0 MB at most", said(rows + 1000000))

    def test_a_check_of_a_run_and_a_look_at_it_exclude_each_other(self):
        self.assert_refused(self.run_toy("--check", "--status"), "--check is given together with --status")
        self.assert_refused(self.run_toy("--check", "walk"), "invalid choice: 'walk'")


class TinyRunTest(CheckCase):
    def test_a_small_task_of_each_stage_runs_in_all_workflows_and_says_time_and_memory(self):
        for workflow, stages in (("csa", ["preprocess", "train", "infer"]), ("lca", ["preprocess", "train", "infer"]),
                                 ("hpo", ["preprocess", "trial"])):
            lines, ended = self.check(workflow=workflow, how="--check run")
            runs = {name: text for name, text in lines.items() if name.startswith("run of")}
            self.assertEqual(list(runs), [f"run of {stage}" for stage in stages], ended)
            for text in runs.values():
                self.assertRegex(text, r"^ok: \d+\.\d+ s, [1-9]\d*\.\d MB$")

    def test_it_works_in_a_folder_of_its_own_on_few_rows(self):
        model = self.have_model()
        for stage in ("preprocess", "train", "infer"):
            name = f"model/own_{stage}_improve.py"
            self.write(name, self.read(name) + NOTING.format(self.path("words.txt")))
        lines, _ = self.check(*model, how="--check run")
        self.assertIn("but train_y_data.csv", lines["run of preprocess"])
        rows = self.read("words.txt").split("\n")
        self.assertEqual(rows[1:4], ["30", "1", "1"])
        self.assertIn(f"--input_dir {self.path('tmp')}", rows[0])
        self.assertNotIn(self.path("out"), rows[0])
        self.assertEqual(lines["run of train"], "not checked: what it is made from has failed")

    def test_epochs_are_one_whatever_the_command_says(self):
        lines, ended = self.check("--model", "toy", "--model_dir", self.toy_with_help(), "--epochs", "9", how="--check run",
                                  TOY_STARTS=self.path("starts.txt"))
        self.assertRegex(lines["run of infer"], "^ok: ", ended)
        self.assertEqual(self.read("epochs.txt").split(), ["1.0"])

    def toy_with_help(self):
        """The toy model with a --help; train writes its epochs down, the last word for them being the one that counts."""
        shutil.copytree(TOY_MODEL, self.path("toy"))
        start = "import sys\nif '--help' in sys.argv:\n    print(' '.join('--' + name for names in toy.OPTIONS.values() " \
                "for name in names), '--output_dir --y_col_name')\n    sys.exit()\n"
        note = f"open({self.path('epochs.txt')!r}, 'a').write('%s\\n' % toy.trained_value(toy.arguments('train')))\n"
        for stage, more in (("preprocess", ""), ("train", note), ("infer", "")):
            self.write(f"toy/toy_{stage}_improve.py", f"import toy\n{start}toy.run({stage!r})\n{more}")
        return "toy"

    def test_a_stage_that_fails_is_wrong_and_the_end_of_its_log_is_shown(self):
        lines, ended = self.check("--model", "toy", "--model_dir", TOY_MODEL, how="--check run", TOY_FAULTS="train models exit:7")
        self.assertRegex(lines["run of preprocess"], "^ok: ")
        self.assertIn("wrong: train failed: exit code 7: toy: exit:7 as told; the end of its log is above", lines["run of train"])
        self.assertEqual(lines["run of infer"], "not checked: what it is made from has failed")
        self.assertIn("=== attempt 1", ended.err)

    def test_an_environment_that_this_machine_does_not_have_is_not_checked(self):
        self.environment = {name: value for name, value in CLEAN.items() if name not in ("MODULESHOME", "LMOD_PKG")}
        lines, _ = self.check("--env", "module:nothing", "--executor", "slurm", how="--check run")
        for name in ("environment", "options of train", "run of preprocess", "run of train"):
            self.assertRegex(lines[name], "^not checked: ", name)
        lines, _ = self.check("--env", "module:nothing")      # the tasks run on this machine
        self.assertRegex(lines["environment"], "^wrong: .* cannot be activated on this machine")

    def test_a_container_sees_the_benchmark_and_the_model(self):
        """No container program can be had here: this one writes down how it is called and runs the rest on this machine."""
        os.makedirs(self.path("bin"))
        self.write("bin/apptainer", "#!/bin/bash\nprintf '%s\\n' \"$APPTAINER_BIND\" \"$@\" >>calls\n"
                   f"while [ \"$1\" != {self.path('i.sif')} ]; do shift; done; shift 2\nexec {sys.executable} \"$@\"\n".replace(
                       ">>calls", f">>{self.path('calls')}"))
        os.chmod(self.path("bin/apptainer"), 0o755)
        self.write("i.sif", "an image")
        lines, ended = self.check("--env", "apptainer:i.sif", how="--check run", PATH=self.path("bin") + ":" + os.environ["PATH"])
        self.assertEqual([name for name, text in lines.items() if not text.startswith("ok")], ["environment", "templates"], ended)
        calls = self.read("calls").split("\n")
        self.assertIn(self.path("raw"), calls)
        self.assertIn(os.path.join(REPOSITORY, "stages"), calls)

    def test_without_a_plan_nothing_runs(self):
        lines, _ = self.check("--y_col_name", "aauc", how="--check run")
        self.assertEqual(lines["tiny run"], "not checked: it needs the studies and splits")

    def test_slurm_s_variables_of_a_job_around_it_do_no_harm(self):
        environment = dict(CLEAN, SLURM_JOB_ID="7", SLURM_ARRAY_TASK_ID="3", SLURM_CPUS_PER_TASK="1")
        lines, _ = self.check(how="--check run", **environment)
        self.assertRegex(lines["run of infer"], "^ok: ")


NOTING = """
import os, sys
with open({!r}, "a") as file:
    print(*sys.argv[1:], file=file)
    for option, path in zip(sys.argv, sys.argv[1:]):
        if option.endswith("_split_file"):
            folder = os.path.join(sys.argv[sys.argv.index("--input_dir") + 1], "splits")
            print(len(open(os.path.join(folder, path)).read().split()), file=file)
"""

if __name__ == "__main__":
    unittest.main()
