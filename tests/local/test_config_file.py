"""--config_file: the INI files of IMPROVE and of model repositories, in tests/ini_files/."""
import json
import os
import shutil

from tests.plan_case import PlanCase
from tests.support import REPOSITORY, TOY, TOY_MODEL, write_benchmark

INI_FILES = os.path.join(REPOSITORY, "tests", "ini_files")
DATA = "csa_data/raw_data"


# {file: (its folder, options, keys that a note names)}; paths are relative to the working directory
FILES = {
    "csa_bruteforce.ini": (".", {
        "output_dir": "bruteforce_out", "split": [0], "only_cross_study": True, "source": ["A"],
        "target": ["A", "B"], "train_args": {"learning_rate": "0.5"}}, ""),
    "csa_model_repository.ini": ("toy_model", {
        "output_dir": "csa_out", "split": [0, 1], "only_cross_study": False, "epochs": 3,
        "model_dir": "toy_model", "env": "none", "input_dir": f"toy_model/{DATA}"}, "log_level"),
    "csa_parsl.ini": (".", {
        "split": None, "target": ["B"], "env": "conda:graphdrp_py37_improve"},
        "parsl_config_file, available_accelerators"),
    "csa_parsl_old.ini": (".", {
        "source": ["B"], "target": ["A"], "split": [1], "epochs": 7, "model_dir": "toy_model",
        "hyperparameters_file": "hyperparameters_default.json", "env": "apptainer:toy.sif"},
        "[Train] batch_size, [Infer] infer_batch"),
    "csa_swarm.ini": (".", {
        "output_dir": "runs/csa_toy_cell", "split_type": "cell", "cuda_name": "cuda:7",
        "input_supp_data_dir": "toy_model/supplement", "env": "conda:toy_model/toy_env"},
        "swarm_file_prefix, swarm_prefix, output_swarmfile_dir"),
    "csa_sparse.ini": (".", {"source": None, "target": None, "split": None}, ""),
    "csa_odd.ini": (".", {
        "source": ["A", "B"], "target": ["B"], "split": [0], "only_cross_study": True,
        "dry_run": True, "train_args": {"learning_rate": "0.25"}}, ""),
    "lca_bruteforce.ini": (".", {
        "source": ["A"], "lca_splits_dir": "lca_splits", "train_args": {"epochs": "2"}}, ""),
    "lca_model_repository.ini": ("toy_model", {
        "source": ["A"], "epochs": 4, "lca_splits_dir": "lca_splits"}, ""),
    "lca_swarm.ini": (".", {
        "source": ["B"], "split": [0, 1], "split_type": "drug", "env": "conda:toy_env"},
        "swarm_prefix, swarm_file_prefix, output_swarmfile_dir"),
    "hpo_deephyper.ini": (".", {
        "source": ["A"], "max_evals": 5, "val_metric": "rmse", "epochs": None},
        "num_gpus_per_node, CBO_surrogate_model, CBO_acq_func, CBO_kappa, CBO_update_prior"),
    "hpo_model_repository.ini": ("toy_model", {
        "source": ["B"], "split": [1], "max_evals": 3, "epochs": 6, "cuda_name": "cuda:0"},
        "target_datasets, lca_splits_dir, only_cross_study"),
}


class ConfigFileTest(PlanCase):
    """In a working directory with a benchmark, the toy model and IMPROVE's files."""

    def setUp(self):
        super().setUp()
        write_benchmark(self.path("raw"), ("A", "B"))
        shutil.copytree(TOY_MODEL, "toy_model", ignore=shutil.ignore_patterns("__pycache__"))
        for name in FILES:
            shutil.copy(os.path.join(INI_FILES, name), FILES[name][0])
        for name in ("toy_model/supplement", "toy_model/toy_env", "lca_splits"):
            os.makedirs(name)
        shutil.copytree("raw", os.path.join("toy_model", DATA))
        self.write("toy.sif", "")
        self.write("hyperparameters_default.json", '{"toy": {"B": {"learning_rate": 0.125}}}')
        self.write("toy_model/hpo_deephyper_hyperparameters.json", "[]")

    def test_each_file_means_what_it_means_to_improve(self):
        self.assertEqual(set(FILES), set(os.listdir(INI_FILES)))
        for name, (folder, wanted, ignored) in FILES.items():
            with self.subTest(file=name):
                found = self.parsed("--config_file", os.path.join(folder, name), workflow=name[:3])
                values = {option: getattr(found, option) for option in wanted}
                values = {option: value.replace(f"{self.work}/", "") if isinstance(value, str)
                          else value for option, value in values.items()}
                self.assertEqual((values, found.model), (wanted, "toy"))
                notes = [note.partition(" means nothing here: ")[2] for note in found.notes]
                self.assertEqual(notes, [ignored] * bool(ignored))

    def test_a_file_in_the_models_folder_means_the_same_when_the_command_is_typed_there(self):
        os.chdir("toy_model")
        found = self.parsed("--config_file", "csa_model_repository.ini")
        self.assertEqual((found.model_dir, found.input_dir, found.output_dir),
                         (os.getcwd(), os.path.abspath(DATA), os.path.abspath("csa_out")))

    def read_as(self, text, *line, workflow="csa"):
        """The options of [DEFAULT] with this text, for the toy model."""
        self.write("own.ini", "[DEFAULT]\nmodel_name = toy\nmodel_scripts_dir = toy_model\n"
                   f"input_dir = raw\n{text}\n")
        return self.parsed("--config_file", "own.ini", *line, workflow=workflow)

    def test_what_cannot_be_read_or_misses_its_mark_is_refused(self):
        toy = "[CSA]\nmodel_name = toy\n"
        no_model = "names no model in a section that is read\n  try: model_name in [DEFAULT]"
        for text, part in (
                ("[LCA]\n", "has nothing in [CSA] or [DEFAULT]"),
                ("no section\n", "cannot be read"),
                ("[CSA]\nsplit = [1.5]\n", "bad.ini: split: '1.5' is neither a split number"),
                ("[CSA]\njobs = $(touch x)\n", "bad.ini: jobs: '$(touch x)' is not a whole"),
                ("[CSA]\nmodle_name = toy\n", "unknown key modle_name\n  try: did you mean model_"),
                ("[DEFAULT]\nsplit_num = 0\n", "did you mean split_nums?"),
                ('[CSA]\nsplit = ["0"]\nsplit_nums = ["1"]\n', "sets split and split_nums, which "),
                ("[CSA]\nonly_cross_study = flase\n", "only_cross_study: 'flase' is neither true"),
                ("[CSA]\nuses_cuda_name = maybe\n", "uses_cuda_name: 'maybe' is neither"),
                (toy + "use_singularity = true\n", "'apptainer:' is no environment"),
                (toy + "input_supp_data_dir = ./x\n", "--input_supp_data_dir ./x does not exist"),
                # a file that was written for a model does not plan the default one
                ("[DEFAULT]\ninput_dir = raw\n[Global_Params]\nmodel_name = graphdrp\n", no_model),
                ("[CSA]\nmodel_name =\ninput_dir = raw\n", no_model)):
            with self.subTest(text=text):
                self.write("bad.ini", text)
                self.assertIn(part, self.refused("csa", "--config_file", "bad.ini"))
        self.assertIn("cannot be read", self.refused("csa", "--config_file", "nowhere.ini"))
        found = self.parsed("--config_file", "bad.ini", *TOY)
        self.assertEqual(found.model, "toy")

    def test_every_key_that_improve_s_files_have_is_obeyed_or_noted(self):
        keys = {"interactive_session": "True", "ml_data_dir": "./ml_data/A-A/split_0",
                "raw_data_dir": "raw_data", "y_data_dir": "", "splits_dir": "./mine",
                "parsl_config_file": "x", "canc_col_name": "id", "model_outdir": "x",
                "hyperparameters_file": "x", "batch_size": "64", "learning_rate": "0.1"}
        text = "\n".join(" = ".join(pair) for pair in keys.items())
        found = self.read_as(f"val_loss = rmse\nsource = A\ndataset = B\n{text}\n"
                             "[Train]\nlayers = 2", workflow="hpo")
        self.assertEqual((found.val_metric, found.source), ("rmse", ["A"]))
        self.assertEqual(found.notes[0].partition("here: ")[2],
                         ", ".join([*keys, "[Train] layers"]))

    def test_a_value_means_what_improve_takes_it_for(self):
        """Switches in its words, lists of a file for several workflows, environments in folders."""
        os.makedirs("toy_model/packed_env/conda-meta")
        several = 'source_datasets = ["A", "B"]\ndataset = B\ncsa_outdir = csa'
        cuda = "cuda_name = cuda:3\nuses_cuda_name = "
        packed = f"conda:{self.path('toy_model/packed_env')}"
        for text, line, workflow, option, wanted in (
                ("only_cross_study = y", (), "csa", "only_cross_study", True),
                ("only_cross_study = y", ("--only_cross_study", "F"), "csa", "only_cross_study",
                 False),
                (cuda + "False", (), "csa", "cuda_name", None),
                (cuda, (), "csa", "cuda_name", "cuda:3"),
                (cuda + "F", ("--cuda_name", "cuda:0"), "csa", "cuda_name", "cuda:0"),
                ("model_environment = packed_env", (), "csa", "env", packed),
                (several, (), "csa", "source", ["A", "B"]),
                (several, (), "lca", "source", ["B"]),
                (several, (), "hpo", "source", ["B"]),
                ("source = []", (), "hpo", "source", None),
                ('source = [\n  "A",\n  "B"]', (), "csa", "source", ["A", "B"]),
                ("source = A\n[CSA]\nsource = B", (), "csa", "source", ["B"]),
                ("lc_sizes_arr = [4, 8]", (), "lca", "lc_sizes_arr", [4, 8]),
                # the command line wins, also over a bad value
                ("split = [1.5]", ("--split_nums", "1"), "csa", "split", [1]),
                ("use_singularity = True", ("--env", "none"), "csa", "env", "none")):
            with self.subTest(text=text, workflow=workflow):
                found = self.read_as(text, *line, workflow=workflow)
                self.assertEqual(getattr(found, option), wanted)

    def test_the_space_of_a_search_is_beside_the_file_unless_the_command_line_names_one(self):
        space = '[{"name": "learning_rate", "type": "float", "min": 0.01, "max": 1, "default": %s}]'
        self.write("hpo_deephyper_hyperparameters.json", space % "0.1")
        self.write("other.json", space % "0.7")
        for line, default in (((), 0.1), (("--hyperparameter_file", "other.json"), 0.7)):
            plan = self.planned("hpo", "--config_file", "hpo_deephyper.ini", *line).plan
            study = json.loads(plan.once["A/study.json"])
            self.assertEqual(study["space"][0]["default"], default)
