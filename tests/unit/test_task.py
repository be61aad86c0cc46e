"""Arguments as a dict, and the command line that is made from it."""
import shlex
import unittest

from core.errors import Refusal
from core.task import (Task, argument_list, changed_arguments, command_line, quoted,
                       read_arguments)

CASES = (       # arguments, what a stage script gets of them, with OUT = /out
    ({"epochs": "5"}, "--epochs 5"),
    ({"sizes": ["1", "-2"]}, "--sizes 1 -2"),
    ({"verbose": []}, "--verbose"),
    ({"note": "--x"}, "--note=--x"),        # argparse would take it for an option
    ({"note": ""}, "--note ''"),
    ({"input_dir": "ml_data/A"}, "--input_dir /out/ml_data/A"),
    ({"input_dir": ["a", "/b"]}, "--input_dir /out/a /b"),
    ({"input_dir": "."}, "--input_dir /out"),
    ({"input_dir": "/outer"}, "--input_dir /outer"),
    ({"val_split_file": "A.txt"}, "--val_split_file A.txt"),        # in splits/ of the benchmark
    ({"val_split_file": "lca/A.txt"}, "--val_split_file /out/lca/A.txt"),
    ({"lr": "-1e-05"}, "--lr=-1e-05"),      # argparse takes -1e-05 alone for an option
    ({"x": "1", "": ["a", "b"]}, "a b --x 1"),      # behind an option they would be its values
)


class ArgumentsTest(unittest.TestCase):
    def test_arguments_become_a_command_line_and_come_back_from_it(self):
        for arguments, line in CASES:
            self.assertEqual(argument_list(arguments, "/out"), shlex.split(line))
            self.assertEqual(read_arguments(shlex.split(line), "/out"), arguments)

    def test_an_option_that_is_given_twice_counts_once_and_with_an_equals_sign_too(self):
        self.assertEqual(read_arguments(["--a", "1", "--b=x=y", "--a", "2"], "/out"),
                         {"a": "2", "b": "x=y"})

    def test_a_line_can_be_pasted_into_a_shell(self):
        task = Task("models/A", "train", "venv:/my envs/v", "/m/x_train_improve.py",
                    {"note": "it's", "output_dir": "models/A"})
        line = ["venv:/my envs/v", "/m/x_train_improve.py", "--note", "it's", "--output_dir",
                "/out/models/A"]
        self.assertEqual(command_line(task, "/out"), line)
        self.assertEqual(shlex.split(quoted(line)), line)

    def test_a_control_character_in_a_value_is_refused(self):
        for value in ("a\nb", "a\tb", "\x1b[2J"):
            with self.assertRaisesRegex(Refusal, "control character"):
                quoted(["--note", value])

    def test_what_differs_between_two_calls(self):
        old = {"epochs": "5", "input_dir": "a", "train_script": "/old/x.py"}
        for changes, expected in (
                ({}, {}), ({"epochs": "6"}, {"epochs": ("5", "6")}), ({"input_dir": "b"}, {}),
                ({"more": "1"}, {"more": (None, "1")}), ({"train_script": "/new/x.py"}, {}),
                ({"train_script": "/y.py"}, {"train_script": ("/old/x.py", "/y.py")})):
            self.assertEqual(changed_arguments(old, dict(old, **changes), ("input_dir",)),
                             expected)
