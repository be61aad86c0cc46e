"""--config_file: INI files of IMPROVE's own workflows."""
from tests.support import TOY_MODEL, WorkCase, write_benchmark

IMPROVES = """
[DEFAULT]
input_dir = ./raw
[Preprocess]
[CSA]
model_name = toy
model_scripts_dir = {model}
source_datasets = ["A"]
target_datasets = ["A", "B"]
split_nums = ["0"]
only_cross_study = True
train_args = {{'learning_rate': 0.5}}
infer_args = {{}}
output_dir = ./out
parsl_config_file = ./lambda.py
"""


class ConfigFileTest(WorkCase):
    def setUp(self):
        super().setUp()
        write_benchmark(self.path("raw"), ("A", "B"))

    def run_with(self, text, *arguments):
        self.write("csa.ini", text)
        return self.run_workflow("csa", "--config_file", "csa.ini", "--executor", "local", *arguments)

    def test_an_ini_file_of_improves_brute_force_works_unmodified(self):
        ended = self.run_with(IMPROVES.format(model=TOY_MODEL))
        self.assertEqual(ended.code, 0, ended)
        self.assertIn("passed over parsl_config_file", ended.out)
        self.assertEqual({key[1:3] for key in self.score_values()}, {("A", "B")})
        self.assertEqual(self.status_of("models/A/split_0")["words"][-2:], ["--learning_rate", "0.5"])

    def test_the_command_line_wins(self):
        ended = self.run_with(IMPROVES.format(model=TOY_MODEL), "--target", "A", "--source", "B")
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual({key[1:3] for key in self.score_values()}, {("B", "A")})

    def test_what_cannot_be_read_is_refused(self):
        for text, part in (("[LCA]\n", "has no section [CSA]"), ("no section\n", "cannot be read"),
                           ("[CSA]\nsource_datasets = [1.5]\n", "is no list of names"), ("[CSA]\nsource = [\"-x\"]\n", "is no list"),
                           ("[CSA]\njobs = $(touch hacked)\n", "is not a whole number"), ("[CSA]\n[CSA]\n", "cannot be read")):
            self.assert_refused(self.run_with(text), part)
        self.assert_refused(self.run_workflow("csa", "--config_file", "nowhere.ini"), "cannot be read")
