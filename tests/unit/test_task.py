"""Arguments as a dict, and the command line that is made from it."""
import unittest

from core.errors import Refusal
from core.task import (Task, argument_list, changed_arguments, command_line, read_arguments,
                       task_line)

CASES = {   # arguments -> what a stage script gets, with OUT = /out
    "a value": ({"epochs": "5"}, ["--epochs", "5"]),
    "several values": ({"sizes": ["1", "-2"]}, ["--sizes", "1", "-2"]),
    "a bare flag": ({"verbose": []}, ["--verbose"]),
    "a value that looks like an option": ({"note": "--x"}, ["--note=--x"]),
    "an empty value": ({"note": ""}, ["--note", ""]),
    "a directory in OUT": ({"input_dir": "ml_data/A"}, ["--input_dir", "/out/ml_data/A"]),
    "several directories": ({"input_dir": ["a", "/b"]}, ["--input_dir", "/out/a", "/b"]),
    "OUT itself": ({"input_dir": "."}, ["--input_dir", "/out"]),
    "a directory elsewhere": ({"input_dir": "/raw"}, ["--input_dir", "/raw"]),
    "a split file in splits/": ({"val_split_file": "A.txt"}, ["--val_split_file", "A.txt"]),
    "a split file in OUT": ({"val_split_file": "lca/A.txt"},
                            ["--val_split_file", "/out/lca/A.txt"]),
    "texts before the first option": ({"": ["a", "b"], "x": "1"}, ["a", "b", "--x", "1"]),
    "a text that was given behind others": ({"x": "1", "": "a"}, ["a", "--x", "1"]),
}


class ArgumentsTest(unittest.TestCase):
    def test_arguments_become_a_command_line_and_come_back_from_it(self):
        for name, (arguments, expected) in CASES.items():
            with self.subTest(name):
                self.assertEqual(argument_list(arguments, "/out"), expected)
                self.assertEqual(read_arguments(expected, "/out"), arguments)

    def test_an_option_that_is_given_twice_counts_once_and_with_an_equals_sign_too(self):
        self.assertEqual(read_arguments(["--a", "1", "--b=x=y", "--a", "2"], "/out"),
                         {"a": "2", "b": "x=y"})

    def test_a_tree_that_was_moved_has_the_same_arguments(self):
        line = ["--input_dir", "/old/ml_data/A", "--output_dir", "/old"]
        moved = [text.replace("/old", "/new/place") for text in line]
        self.assertEqual(read_arguments(line, "/old"), read_arguments(moved, "/new/place"))

    def test_a_line_can_be_pasted_into_a_shell(self):
        task = Task("models/A", "train", "venv:/my envs/v", "/m/x_train_improve.py",
                    {"note": "it's", "output_dir": "models/A"})
        self.assertEqual(command_line(task, "/out"),
                         ["venv:/my envs/v", "/m/x_train_improve.py", "--note", "it's",
                          "--output_dir", "/out/models/A"])
        self.assertEqual(task_line(task, "/out"),
                         "'venv:/my envs/v' /m/x_train_improve.py --note 'it'\"'\"'s' "
                         "--output_dir /out/models/A")

    def test_a_control_character_in_a_value_is_refused(self):
        for value in ("a\nb", "a\tb", "\x1b[2J"):
            with self.assertRaisesRegex(Refusal, "control character"):
                task_line(Task("x", "train", arguments={"note": value}), "/out")

    def test_what_differs_between_two_calls(self):
        old = {"epochs": "5", "input_dir": "a", "train_script": "/old/x.py"}
        for new, expected in ((dict(old), {}), (dict(old, epochs="6"), {"epochs": ("5", "6")}),
                              ({"input_dir": "a", "train_script": "/old/x.py"},
                               {"epochs": ("5", None)}), (dict(old, input_dir="b"), {}),
                              (dict(old, train_script="/new/x.py"), {}),
                              (dict(old, train_script="/old/y.py"),
                               {"train_script": ("/old/x.py", "/old/y.py")})):
            with self.subTest(new):
                self.assertEqual(changed_arguments(old, new, ("input_dir",)), expected)


if __name__ == "__main__":
    unittest.main()
