"""The command line: help, types of values, and mistakes that are answered with what was meant."""
import json
import os
from unittest import mock

from launcher import paths
from tests.plan_case import PlanCase
from tests.support import RUN_MODEL, TOY, write_benchmark


class CommandLineTest(PlanCase):
    def setUp(self):
        super().setUp()
        write_benchmark(self.path("raw"), ("A", "B"))

    def test_the_help_of_each_launcher_fits_on_90_lines_of_80_columns(self):
        for workflow in ("csa", "lca", "hpo"):
            # also if Python leaves the launcher's folder out of its path
            ended = self.run_workflow(workflow, "--help", COLUMNS="80", PYTHONSAFEPATH="1")
            lines = ended.out.splitlines()
            self.assertEqual((ended.code, [line for line in lines if len(line) > 80]), (0, []))
            self.assertLessEqual(len(lines), 90, workflow)
            self.assertGreaterEqual(ended.out.count("\nTo "), 4)

    def test_a_mistake_is_answered_with_what_was_meant(self):
        found = self.parsed("--trials", "5", workflow="hpo")
        self.assertEqual((found.max_evals, found.max_running), (5, 4))
        self.assert_each_refused([
            (("--epoch", "3"), "did you mean --epochs?"),
            (("--dry-run",), "did you mean --dry_run?"),
            (("--learning_rate", "0.1"), '--train_args "--learning_rate 0.1", those of sbatch are '
             "lines in slurm_templates/site.sbatch"),
            (("--model", "TOY"), "TOY_preprocess_improve.py does not exist",
             "; toy_preprocess_improve.py differs in case"),
            (("--status", "--cancel"), "--status and --cancel are given together"),
            (("--check", "--cancel"), "--check and --cancel are given together"),
            (("--status", "--json", "--resources"), "--json and --resources are given together"),
            (("--split", "0,3-1"), "neither a split number nor a range"),
            (("--infer_args={'y_col_name': 'auc'}",), "--infer_args holds --y_col_name"),
            (("--train_args", "--config_file X"), "--train_args holds --config_file, which the "),
            (("--train_args", "{'a': "), "is no list of arguments"),
            # a variable of the shell is not set
            (("--status", ""), "--status is followed by an empty text"),
            (("--status=",), "--status is followed by an empty text"),
            (("--source", "A", ""), "A is followed by an empty text"),
            *((("--env", spec), "is no environment")
              for spec in ("conda", "conda:", "none:x", "two words"))], *TOY)

    def test_a_value_is_read_in_each_way_of_writing(self):
        for line, wanted in (
                (("--source", "A,B", "--split", "0,1"), dict(source=["A", "B"], split=[0, 1])),
                (("--source", "A", "B", "--split", "0-1"), dict(source=["A", "B"], split=[0, 1])),
                (("--gpus", "0,0,1,1"), dict(gpus=list("0011"))),
                (("--source_datasets", "A"), dict(source=["A"])),
                (("--train_args", "--verbose"), dict(train_args={"verbose": []}))):
            found = vars(self.parsed(*TOY, *line))
            self.assertEqual({name: found[name] for name in wanted}, wanted)

    def test_the_users_arguments_win_over_ours_in_each_way_of_writing(self):
        for text in ("--calc_infer_scores=false", "--calc_infer_scores false",
                     "{'calc_infer_scores': 'false'}"):
            plan = self.planned("csa", *TOY, "--infer_args", text)
            self.assertRegex(plan.line("infer/A-B/split_0"), "--calc_infer_scores false$")
        plan = self.planned("csa", *TOY, "--epochs", "5", "--cuda_name", "cuda:1", "--train_args",
                            "{'flag': False, 'size': [1, 2]}")
        self.assertEqual(
            plan.line("models/A/split_0"), "--input_dir ml_data/A-A/split_0 --output_dir "
            "models/A/split_0 --y_col_name auc --epochs 5 --cuda_name cuda:1 --flag False "
            "--size 1 2")

    def test_relative_paths_are_those_of_the_working_directory_then_of_the_models_folder(self):
        os.makedirs("model/weights")
        for name in ("model/own.json", "here.json", "relu"):
            self.write(name, "")
        found = self.parsed("--model_dir", "model", "--train_args", "--a here.json --b ./weights "
                            "--c=own.json --d relu --e_dir weights --f nowhere/x --g 0.5 --h raw")
        self.assertEqual(found.train_args, {
            "a": self.path("here.json"), "b": self.path("model/weights"),
            "c": self.path("model/own.json"), "d": "relu", "e_dir": self.path("model/weights"),
            "f": "nowhere/x", "g": "0.5", "h": "raw"})

    def test_a_path_with_an_umlaut_is_no_control_character_under_any_locale(self):
        for done in ("0 done already, 5 to run", "5 done already, 0 to run"):
            ended = self.run_toy("--output_dir", "für", "--source", "A", "--split", "0",
                                 LC_ALL="C", PYTHONUTF8="0")
            self.assertIn(done, ended.out, ended)

    def test_a_bare_name_or_prefix_is_a_conda_environment(self):
        for name in ("prefix", "model/packed/conda-meta", "model/graphdrp/bin"):
            os.makedirs(name)
        self.write("model/moved/pyvenv.cfg", "")
        for given, used in (
                ("graphdrp", "conda:graphdrp"),     # a directory of that name is no environment
                ("./prefix", f"conda:{self.path('prefix')}"),
                ("conda:drp", "conda:drp"),
                ("none", "none"),
                ("packed", f"conda:{self.path('model/packed')}"),
                ("moved", f"venv:{self.path('model/moved')}")):
            self.assertEqual(self.parsed("--model_dir", "model", "--env", given).env, used)

    def test_a_kind_that_a_site_adds_to_run_model_is_an_environment(self):
        self.write("run_model.sh", self.read(RUN_MODEL).replace(
            "\n    none)", "\n    spack) PYTHONS=(python) ;;\n    none)"))
        with mock.patch.object(paths, "HERE", self.work):
            self.assertEqual(paths.environment("spack:torch"), "spack:torch")

    def with_hyperparameters(self, content, *line):
        self.write("best.json", json.dumps(content))
        return ("csa", *TOY, "--hyperparameters_file", "best.json", *line)

    def test_each_source_is_trained_with_its_own_values_and_the_command_line_wins(self):
        values = {"A": {"batch_size": 8, "epochs": 9}, "B": {"layers": [64, 32]}}
        plan = self.planned(*self.with_hyperparameters({"toy": values}, "--epochs", "3"))
        found = [plan.line(f"models/{source}/split_0").partition("auc ")[2] for source in "AB"]
        self.assertEqual(found, ["--batch_size 8 --epochs 3", "--layers 64 32 --epochs 3"])

    def test_a_file_without_an_entry_for_this_model_and_source_is_refused_with_what_it_has(self):
        for content, part in (
                ({"TOY": {"A": {}}, "toy": {"a": {}}}, "no entry for toy trained on A\n  try: a "
                 "file that has one, or leave it out; this one has TOY trained on A, toy trained "
                 "on a"),
                ({"toy": {"A": []}}, "cannot be read"),
                (3, "cannot be read")):
            self.assertIn(part, self.refused(*self.with_hyperparameters(content)))
