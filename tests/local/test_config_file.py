"""--config_file: the INI files of IMPROVE's workflows and of model repositories, in tests/ini_files/."""
import glob
import json
import os
import shutil

from tests.support import REPOSITORY, TOY_MODEL, WorkCase, write_benchmark, write_ids

INI_FILES = os.path.join(REPOSITORY, "tests", "ini_files")
LOCAL = ("--executor", "local")


class IniCase(WorkCase):
    """A working directory with a benchmark in raw/, the toy model in toy_model/, and what the files in ini_files/ name."""

    def setUp(self):
        super().setUp()
        write_benchmark(self.path("raw"), ("A", "B"))
        shutil.copytree(TOY_MODEL, self.path("toy_model"), ignore=shutil.ignore_patterns("__pycache__"))
        for name in glob.glob(os.path.join(INI_FILES, "*")):
            shutil.copy(name, self.work)

    def write_blind_splits(self, study, kind, ids, split=0):
        for part, chosen in (("train", ids[:-2]), ("val", ids[-2:-1]), ("test", ids[-1:])):
            write_ids(self.path("raw"), f"{study}_{kind}_{split}_{part}.txt", chosen)

    def run_ini(self, workflow, name, *arguments):
        return self.run_workflow(workflow, "--config_file", name, *LOCAL, *arguments)

    def planned(self, workflow, name, *arguments):
        """The dry_plan.json of a dry run with an INI file; its `printed` is what the launcher said."""
        ended = self.run_ini(workflow, name, "--dry_run", *arguments)
        self.assertEqual(ended.code, 0, ended)
        found = glob.glob(self.path("**", "dry_plan.json"), recursive=True)
        self.assertEqual(len(found), 1, found)
        with open(found[0], encoding="utf-8") as file:
            plan = json.load(file)
        plan.update(printed=ended.out, names={task["name"] for task in plan["tasks"]})
        shutil.rmtree(plan["output_dir"])
        return plan

    def words(self, plan, name):
        return " ".join(next(task["words"] for task in plan["tasks"] if task["name"] == name))

    def change(self, name, old, new):
        text = self.read(name)
        self.assertIn(old, text)
        self.write(name, text.replace(old, new))


class TwelveFilesTest(IniCase):
    """Each file of tests/ini_files/ means what it means to IMPROVE."""

    def test_csa_brute_force_of_the_development_library(self):
        plan = self.planned("csa", "csa_bruteforce.ini")
        self.assertEqual(plan["names"], {"ml_data/A-B/split_0", "models/A/split_0", "infer/A-B/split_0", "scores"})
        self.assertEqual(plan["output_dir"], self.path("bruteforce_out"))
        self.assertTrue(self.words(plan, "models/A/split_0").endswith("--learning_rate 0.5"))

    def test_csa_of_a_model_repository_typed_in_the_models_folder(self):
        shutil.move(self.path("csa_model_repository.ini"), self.path("toy_model"))
        shutil.copytree(self.path("raw"), self.path("toy_model", "csa_data", "raw_data"))
        self.work = self.path("toy_model")
        plan = self.planned("csa", "csa_model_repository.ini")
        self.assertEqual((plan["output_dir"], plan["input_dir"]), (self.path("csa_out"), self.path("csa_data", "raw_data")))
        self.assertEqual(len(plan["names"]), 8 + 4 + 8 + 1)
        self.assertIn(self.path("toy_train_improve.py"), self.words(plan, "models/A/split_1"))
        self.assertTrue(self.words(plan, "models/B/split_0").endswith("--y_col_name auc --epochs 3"))
        self.assertEqual(plan["tasks"][0]["words"][0], "none")
        self.assertIn("ignored, since it means nothing here: log_level\n", plan["printed"])
        self.assertNotIn("IMPROVE's default", plan["printed"])

    def test_csa_of_a_model_repository_typed_elsewhere(self):
        shutil.move(self.path("csa_model_repository.ini"), self.path("toy_model"))
        shutil.copytree(self.path("raw"), self.path("toy_model", "csa_data", "raw_data"))
        plan = self.planned("csa", "toy_model/csa_model_repository.ini")
        self.assertEqual(plan["arguments"]["model_dir"], self.path("toy_model"))
        self.assertEqual(plan["input_dir"], self.path("toy_model", "csa_data", "raw_data"))
        self.assertEqual(plan["output_dir"], self.path("csa_out"))

    def test_csa_parsl(self):
        plan = self.planned("csa", "csa_parsl.ini")
        self.assertEqual({task["split"] for task in plan["tasks"] if task["stage"] == "train"}, {0, 1})
        self.assertEqual({task["target"] for task in plan["tasks"] if task["stage"] == "infer"}, {"B"})
        self.assertEqual(plan["tasks"][0]["words"][0], "conda:graphdrp_py37_improve")
        self.assertIn("means nothing here: parsl_config_file, available_accelerators\n", plan["printed"])
        self.assertNotIn("IMPROVE's default", plan["printed"])

    def test_csa_parsl_of_improve_01(self):
        self.write("toy.sif", "")
        self.write("hyperparameters_default.json", '{"toy": {"B": {"learning_rate": 0.125}}}')
        plan = self.planned("csa", "csa_parsl_old.ini")
        self.assertEqual(plan["names"], {"ml_data/B-A/split_1", "models/B/split_1", "infer/B-A/split_1", "scores"})
        words = self.words(plan, "models/B/split_1")
        self.assertTrue(words.startswith(f"apptainer:{self.path('toy.sif')} "), words)
        self.assertTrue(words.endswith("--learning_rate 0.125 --epochs 7"), words)
        self.assertIn("means nothing here: [Train] batch_size, [Infer] infer_batch\n", plan["printed"])

    def test_csa_swarm_on_blind_splits(self):
        os.makedirs(self.path("toy_model", "supplement"))
        os.makedirs(self.path("toy_model", "toy_env"))
        self.write_blind_splits("A", "cell", list(range(8)))
        plan = self.planned("csa", "csa_swarm.ini")
        self.assertEqual(os.path.basename(plan["output_dir"]), "csa_toy_cell")
        across, within = (self.words(plan, f"ml_data/A-{target}/split_0") for target in "BA")
        self.assertIn("--train_split_file A_cell_0_train.txt --val_split_file A_cell_0_val.txt --test_split_file B_all.txt", across)
        self.assertIn("--test_split_file A_cell_0_test.txt", within)
        self.assertTrue(across.endswith(f"--y_col_name auc --input_supp_data_dir {self.path('toy_model', 'supplement')}"), across)
        self.assertTrue(across.startswith(f"conda:{self.path('toy_model', 'toy_env')} "), across)
        for name in ("models/A/split_0", "infer/A-B/split_0"):
            self.assertTrue(self.words(plan, name).endswith("--cuda_name cuda:7"))
        self.assertIn("means nothing here: swarm_file_prefix, swarm_prefix, output_swarmfile_dir\n", plan["printed"])

    def test_csa_that_leaves_out_what_improve_fills(self):
        plan = self.planned("csa", "csa_sparse.ini")
        self.assertEqual(len([task for task in plan["tasks"] if task["stage"] == "infer"]), 8)
        self.assertIn("source_datasets is not set: all 2 studies (IMPROVE's default is CCLE)\n"
                      "target_datasets is not set: all 2 studies (IMPROVE's default is CCLE and gCSI)\n"
                      "split_nums is not set: all 2 splits (IMPROVE's default is 0)\n", plan["printed"])

    def test_csa_in_odd_writing(self):
        ended = self.run_ini("csa", "csa_odd.ini")
        self.assertIn("dry run: everything is written", ended.out)
        plan = self.planned_of("runs/csa_toy")
        self.assertEqual([task["name"] for task in plan["tasks"] if task["stage"] == "infer"], ["infer/A-B/split_0"])
        self.assertTrue(self.words(plan, "models/A/split_0").endswith("--learning_rate 0.25"))

    def planned_of(self, out):
        with open(glob.glob(self.path(out, "launches", "*", "dry_plan.json"))[0], encoding="utf-8") as file:
            return json.load(file)

    def write_subsets(self):
        os.makedirs(self.path("lca_splits"))
        for split in (0, 1):
            for size in (4, 8):
                self.write(f"lca_splits/A_split_{split}_sz_{size}.txt", "".join(f"{row}\n" for row in range(size)))

    def test_lca_brute_force(self):
        self.write_subsets()
        plan = self.planned("lca", "lca_bruteforce.ini")
        self.assertEqual({task["name"] for task in plan["tasks"] if task["stage"] == "train"},
                         {"A/models/split_0/sz_4", "A/models/split_0/sz_8"})
        self.assertIn(self.path("lca_splits", "A_split_0_sz_4.txt"), self.words(plan, "A/ml_data/split_0/sz_4"))
        self.assertTrue(self.words(plan, "A/models/split_0/sz_4").endswith("--epochs 2"))

    def test_lca_of_a_model_repository(self):
        self.write_subsets()
        for name in ("lca_model_repository.ini", "lca_splits"):
            shutil.move(self.path(name), self.path("toy_model"))
        shutil.copytree(self.path("raw"), self.path("toy_model", "csa_data", "raw_data"))
        plan = self.planned("lca", "toy_model/lca_model_repository.ini")
        self.assertEqual({(task["source"], task["split"], task["size"]) for task in plan["tasks"] if task["stage"] == "infer"},
                         {("A", split, size) for split in (0, 1) for size in (4, 8)})
        self.assertIn("split_nums is not set: all 2 splits (IMPROVE's default is 0 and 1)\n", plan["printed"])

    def test_lca_swarm_on_blind_splits(self):
        for split in (0, 1):
            self.write_blind_splits("B", "drug", list(range(10, 20)), split)
        plan = self.planned("lca", "lca_swarm.ini", "--lc_sizes", "2", "--min_size", "3")
        self.assertEqual({task["name"] for task in plan["tasks"] if task["stage"] == "train"},
                         {f"B/models/split_{split}/sz_{size}" for split in (0, 1) for size in (3, 8)})
        self.assertIn("--val_split_file B_drug_0_val.txt --test_split_file B_drug_0_test.txt",
                      self.words(plan, "B/ml_data/split_0/sz_3"))
        self.assertEqual(plan["tasks"][0]["words"][0], "conda:toy_env")

    def write_space(self, folder="."):
        self.write(os.path.join(folder, "hpo_deephyper_hyperparameters.json"),
                   '[{"name": "learning_rate", "type": "float", "min": 0.001, "max": 1, "default": 0.1}]')

    def test_hpo_deephyper(self):
        self.write_space()
        plan = self.planned("hpo", "hpo_deephyper.ini")
        self.assertEqual(len([task for task in plan["tasks"] if task["stage"] == "trial"]), 5)
        self.assertEqual({task["source"] for task in plan["tasks"] if task["stage"] != "collect"}, {"A"})
        self.assertEqual((plan["arguments"]["val_metric"], plan["arguments"]["epochs"]), ("rmse", None))
        self.assertIn("num_gpus_per_node, CBO_surrogate_model, CBO_acq_func, CBO_kappa, CBO_update_prior\n", plan["printed"])

    def test_hpo_with_one_file_for_all_workflows(self):
        shutil.move(self.path("hpo_model_repository.ini"), self.path("toy_model"))
        shutil.copytree(self.path("raw"), self.path("toy_model", "csa_data", "raw_data"))
        self.write_space("toy_model")
        plan = self.planned("hpo", "toy_model/hpo_model_repository.ini")
        self.assertEqual({task["name"] for task in plan["tasks"] if task["stage"] != "collect"},
                         {"B/ml_data/split_1", "B/trials/0000", "B/trials/0001", "B/trials/0002"})
        self.assertEqual((plan["arguments"]["epochs"], plan["arguments"]["cuda_name"]), (6, "cuda:0"))
        self.assertIn("means nothing here: target_datasets, lca_splits_dir, only_cross_study\n", plan["printed"])

    def test_hpo_without_a_hyperparameter_file_takes_improve_s_beside_the_ini_file_and_the_command_line_wins(self):
        self.write("search.ini", "[DEFAULT]\ninput_dir = raw\nmodel_name = toy\nmodel_scripts_dir = toy_model\n"
                   "source_datasets = ['B']\nmax_evals = 1\noutput_dir = out\n")
        self.write("toy_model/toy_hyperparameters.json", '[{"name": "learning_rate", "type": "float", "min": 0, "max": 1, "default": 0.7}]')

        def first_point(*arguments):
            ended = self.run_ini("hpo", "search.ini", *arguments)
            self.assertEqual(ended.code, 0, ended)
            params = json.loads(self.read("out", "B", "trials", "0000", "params.json"))
            shutil.rmtree(self.path("out"))
            return params["learning_rate"]
        self.assertEqual(first_point(), 0.7)
        self.write_space()
        self.assertEqual(first_point(), 0.1)
        self.assertEqual(first_point("--hyperparameter_file", "toy_model/toy_hyperparameters.json"), 0.7)


class RunForRealTest(IniCase):
    def test_csa_brute_force_runs_unmodified(self):
        ended = self.run_ini("csa", "csa_bruteforce.ini", "--output_dir", "out")
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual({key[1:3] for key in self.score_values()}, {("A", "B")})
        self.assertEqual(self.status_of("models/A/split_0")["words"][-2:], ["--learning_rate", "0.5"])

    def test_hpo_deephyper_runs_unmodified(self):
        TwelveFilesTest.write_space(self)
        ended = self.run_ini("hpo", "hpo_deephyper.ini", "--output_dir", "out", "--max_evals", "2")
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(json.loads(self.read("out", "A", "trials", "0000", "params.json"))["learning_rate"], 0.1)

    def test_lca_of_the_models_folder_runs_unmodified(self):
        TwelveFilesTest.write_subsets(self)
        ended = self.run_ini("lca", "lca_bruteforce.ini", "--output_dir", "out")
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual({row["shard"] for row in self.table("all_scores.csv")}, {"4", "8"})


class RulesTest(IniCase):
    def refused(self, text, *parts, workflow="csa", arguments=()):
        self.write("bad.ini", text)
        self.assert_refused(self.run_ini(workflow, "bad.ini", "--dry_run", *arguments), *parts)

    def test_what_cannot_be_read_is_refused(self):
        for text, part in (("[LCA]\n", "has no section [CSA] and nothing in [DEFAULT]"), ("no section\n", "cannot be read"),
                           ("[CSA]\nsource_datasets = [1.5]\n", "is no list of names"),
                           ("[CSA]\nsource = [\"-x\"]\n", "is no list"),
                           ("[CSA]\njobs = $(touch hacked)\n", "bad.ini: jobs: '$(touch hacked)' is not a whole number"),
                           ("[CSA]\n[CSA]\n", "cannot be read"), ("[CSA]\nmodel = a\x1b[31m\x00\n", "holds a control character")):
            self.refused(text, part)
        self.assert_refused(self.run_ini("csa", "nowhere.ini"), "cannot be read")

    def test_an_unknown_key_is_an_error_with_the_nearest_name(self):
        self.refused("[CSA]\nmodle_name = toy\n", "unknown key modle_name\n  try: did you mean model_name? ")
        self.refused("[DEFAULT]\nsplit_num = 0\n", "did you mean split_nums?")
        self.refused("[CSA]\ncanc_col_name = x\n", "unknown key canc_col_name", "preprocess_args")

    def test_two_keys_of_one_meaning_have_one_value(self):
        self.refused('[CSA]\nsplit = ["0"]\nsplit_nums = ["1"]\n', "sets split and split_nums, which mean the same")

    def test_a_switch_is_true_or_false_and_nothing_else(self):
        self.refused("[CSA]\nonly_cross_study = flase\n", "only_cross_study: 'flase' is neither true nor false")
        self.refused("[CSA]\nuse_singularity = perhaps\n", "use_singularity: 'perhaps' is neither true nor false")
        self.refused("[CSA]\nuse_singularity = true\n", "there is no singularity_image")
        for word, infers in (("True", 1), ("y", 1), ("T", 1), ("1", 1), ("no", 2), ("F", 2), ("0", 2)):
            self.change("csa_bruteforce.ini", "only_cross_study = True", f"only_cross_study = {word}")
            plan = self.planned("csa", "csa_bruteforce.ini")
            self.assertEqual(len([task for task in plan["tasks"] if task["stage"] == "infer"]), infers, word)
            self.change("csa_bruteforce.ini", f"only_cross_study = {word}", "only_cross_study = True")

    def test_a_switch_takes_a_word_on_the_command_line(self):
        for words, infers in ((("False",), 2), (("True",), 1), ((), 1)):
            plan = self.planned("csa", "csa_bruteforce.ini", "--only_cross_study", *words)
            self.assertEqual(len([task for task in plan["tasks"] if task["stage"] == "infer"]), infers, words)
        self.assert_refused(self.run_ini("csa", "csa_bruteforce.ini", "--only_cross_study", "flase"), "'flase'")

    def test_the_command_line_wins_also_over_a_bad_value(self):
        self.change("csa_bruteforce.ini", 'target_datasets = ["A", "B"]', "target_datasets = [1.5]")
        self.change("csa_bruteforce.ini", 'split_nums = ["0"]', "split_nums = none")
        self.change("csa_bruteforce.ini", "only_cross_study = True", "only_cross_study = flase\nuse_singularity = True")
        plan = self.planned("csa", "csa_bruteforce.ini", "--target_datasets", "A", "--split", "1", "--only_cross_study", "no",
                            "--env", "none", "--source", "B")
        self.assertEqual([task["name"] for task in plan["tasks"] if task["stage"] == "infer"], ["infer/B-A/split_1"])

    def test_the_plan_says_where_each_value_came_from_and_what_was_changed(self):
        plan = self.planned("csa", "csa_bruteforce.ini", "--source", "B")
        origins, changed = plan["arguments"]["origins"], plan["arguments"]["changed"]
        self.assertEqual((origins["source"], origins["target"], origins["y_col_name"]),
                         ("command line", self.path("csa_bruteforce.ini"), "default"))
        self.assertEqual((changed["source"], changed["target"], changed["split"]), (["B"], ["A", "B"], [0]))
        self.assertNotIn("y_col_name", changed)
        self.assertNotIn("infer_args", changed)

    def test_without_model_scripts_dir_the_model_is_in_the_files_folder(self):
        self.write("toy_model/own.ini", "[DEFAULT]\nmodel_name = toy\ninput_dir = raw\nsource_datasets = [\n  \"A\",\n  \"B\"]\n")
        plan = self.planned("csa", "toy_model/own.ini", "--split", "0")
        self.assertEqual(plan["arguments"]["model_dir"], self.path("toy_model"))
        self.assertEqual(plan["arguments"]["origins"]["model_dir"], self.path("toy_model", "own.ini"))
        self.assertEqual({task["source"] for task in plan["tasks"] if task["stage"] == "train"}, {"A", "B"})

    def test_a_file_for_several_workflows_names_a_source_for_each(self):
        self.write("all.ini", '[DEFAULT]\nmodel_name = toy\nmodel_scripts_dir = toy_model\ninput_dir = raw\n'
                              'source_datasets = ["A", "B"]\ndataset = B\ncsa_outdir = csa\n')
        for workflow, sources in (("csa", {"A", "B"}), ("lca", {"B"})):
            plan = self.planned(workflow, "all.ini", *(("--lc_sizes", "2") if workflow == "lca" else ()))
            self.assertEqual({task["source"] for task in plan["tasks"] if task["stage"] == "train"}, sources)

    def test_config_is_another_name_of_the_option(self):
        ended = self.run_workflow("csa", "--config", "csa_bruteforce.ini", "--dry_run", *LOCAL)
        self.assertEqual(ended.code, 0, ended)

    def test_relative_paths_in_args_are_those_of_the_working_directory_then_of_the_models_folder(self):
        os.makedirs(self.path("toy_model", "weights"))
        self.write("toy_model/own.json", "")
        self.write("here.json", "")
        self.write("relu", "")
        arguments = "--a here.json --b ./weights --c=own.json --d relu --e_dir weights --f nowhere/x --g 0.5 --h raw"
        plan = self.planned("csa", "csa_bruteforce.ini", "--train_args", arguments)
        model = self.path("toy_model")
        self.assertTrue(self.words(plan, "models/A/split_0").endswith(
            f"--a {self.path('here.json')} --b {model}/weights --c={model}/own.json --d relu --e_dir {model}/weights "
            "--f nowhere/x --g 0.5 --h raw"), self.words(plan, "models/A/split_0"))

    def test_supplementary_data_that_does_not_exist_is_refused(self):
        self.refused("[CSA]\nmodel_name = toy\ninput_supp_data_dir = ./supplement\n",
                     "--input_supp_data_dir ./supplement is no directory, neither here nor in")

    def test_an_input_dir_of_improves_search_is_refused_in_its_own_words(self):
        os.makedirs(self.path("ml_data"))
        self.write("ml_data/train_y_data.csv", "")
        TwelveFilesTest.write_space(self)
        self.assert_refused(self.run_ini("hpo", "hpo_deephyper.ini", "--input_dir", "ml_data"), "is preprocessed data")


class EnvironmentTest(IniCase):
    def test_a_bare_name_or_prefix_is_a_conda_environment(self):
        os.makedirs(self.path("prefix"))
        prefix = self.path("prefix")
        for given, used in (("graphdrp_py37_improve", "conda:graphdrp_py37_improve"), ("./prefix", f"conda:{prefix}"),
                            (prefix, f"conda:{prefix}"), ("conda:drp", "conda:drp"), ("none", "none")):
            plan = self.planned("csa", "csa_bruteforce.ini", "--env", given)
            self.assertEqual(plan["tasks"][0]["words"][0], used)

    def test_what_is_no_environment_is_refused(self):
        os.makedirs(self.path("venv"))
        for spec, part in (("docker:image", "is no environment"), ("conda", "names a kind and no environment: give conda:NAME"),
                           ("venv", "names a kind and no environment: did you mean venv:venv?"), ("conda:", "is no environment"),
                           ("none:x", "is no environment"), ("two words", "is no environment"), ("./nowhere", "there is no ")):
            self.assert_refused(self.run_ini("csa", "csa_bruteforce.ini", "--env", spec), part)

    def test_a_kind_that_a_site_adds_to_run_model_is_an_environment(self):
        for name in ("launcher", "slurm_templates", "stages"):
            shutil.copytree(os.path.join(REPOSITORY, name), self.path("site", name))
        for name in ("workflow_csa.py", "run_model.sh"):
            shutil.copy(os.path.join(REPOSITORY, name), self.path("site"))
        self.change("site/run_model.sh", "    none)      ;;\n", "    none)      ;;\n    spack)     PYTHON=(python) ;;\n")
        ended = self.run_workflow("csa", "--config_file", "csa_bruteforce.ini", "--env", "spack:torch", "--dry_run", *LOCAL,
                                  folder=self.path("site"))
        self.assertEqual(ended.code, 0, ended)
        self.assertIn("spack:torch", ended.out)
