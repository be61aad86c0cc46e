"""test_hpo_space: the search space is read, checked and mapped to the unit cube."""

import io
import json
import os
import re
import tempfile
import unittest
from contextlib import redirect_stderr, redirect_stdout

STAGES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "stages")
import tests  # noqa: F401  (puts stages/ on the path)

import hpo_trial
from search import space as hpo_space

DEEPHYPER = [
    {"name": "batch_size", "type": "int", "min": 8, "max": 512, "default": 64, "log_uniform": True},
    {"name": "learning_rate", "type": "float", "min": 1e-6, "max": 1e-2, "default": 0.001, "log_uniform": True},
    {"name": "early_stopping", "type": "categorical", "choices": [True, False], "default": False},
]
SUPERVISOR = [
    {"name": "epochs", "type": "constant", "value": 5},
    {"name": "dropout", "type": "float", "lower": 0.0, "upper": 0.5, "sigma": 0.05},
    {"name": "learning_rate", "type": "float", "lower": 1e-6, "upper": 1e-2, "use_log_scale": True},
    {"name": "warmup", "type": "logical"},
    {"name": "activation", "type": "categorical", "element_type": "string", "values": ["relu", "tanh"]},
    {"name": "batch_size", "type": "ordered", "element_type": "int", "values": [256, 512, 128], "sigma": 1},
]


def refused(entry):
    """Return the sentence with which a space of this one entry is refused."""
    try:
        hpo_space.normalise_space([entry])
    except hpo_space.SpaceError as error:
        return str(error)
    return "accepted"


class Formats(unittest.TestCase):
    def test_a_deephyper_space_is_read(self):
        self.assertEqual(hpo_space.normalise_space(DEEPHYPER), [
            {"name": "batch_size", "type": "int", "min": 8, "max": 512, "log_uniform": True, "default": 64},
            {"name": "learning_rate", "type": "float", "min": 1e-6, "max": 1e-2, "log_uniform": True, "default": 0.001},
            {"name": "early_stopping", "type": "categorical", "choices": [True, False], "default": False}])

    def test_a_supervisor_space_is_read(self):
        self.assertEqual(hpo_space.normalise_space(SUPERVISOR), [
            {"name": "epochs", "type": "categorical", "choices": [5], "default": 5},
            {"name": "dropout", "type": "float", "min": 0.0, "max": 0.5, "log_uniform": False, "default": 0.25},
            {"name": "learning_rate", "type": "float", "min": 1e-6, "max": 1e-2, "log_uniform": True, "default": 1e-4},
            {"name": "warmup", "type": "categorical", "choices": [False, True], "default": False},
            {"name": "activation", "type": "categorical", "choices": ["relu", "tanh"], "default": "relu"},
            {"name": "batch_size", "type": "ordered", "choices": [256, 512, 128], "default": 512}])

    def test_a_normalised_space_comes_out_as_it_went_in(self):
        for space in (DEEPHYPER, SUPERVISOR):
            once = hpo_space.normalise_space(space)
            self.assertEqual(hpo_space.normalise_space(json.loads(json.dumps(once))), once)

    def test_three_numbers_as_choices_are_ordered_by_size(self):
        entry = hpo_space.normalise_space([{"name": "size", "type": "categorical", "choices": [64, 16, 32]}])[0]
        self.assertEqual(entry, {"name": "size", "type": "ordered", "choices": [16, 32, 64], "default": 32})

    def test_a_missing_default_is_the_middle_of_the_scale(self):
        space = hpo_space.normalise_space([{"name": "a", "type": "float", "min": 1e-4, "max": 1e-2, "log_uniform": True},
                                           {"name": "b", "type": "int", "min": 0, "max": 10}])
        self.assertEqual([entry["default"] for entry in space], [0.001, 5])

    def test_whole_floats_are_ints_for_type_int(self):
        entry = hpo_space.normalise_space([{"name": "n", "type": "int", "min": 1.0, "max": 8.0, "default": 4.0}])[0]
        self.assertEqual(json.dumps([entry["min"], entry["max"], entry["default"]]), "[1, 8, 4]")


class Refusals(unittest.TestCase):
    def expect(self, entry, *parts):
        sentence = refused(entry)
        for part in parts:
            self.assertIn(part, sentence)

    def test_what_is_not_a_list_of_objects_is_refused(self):
        for raw in ([], {}, None, "x", 3):
            self.assertRaises(hpo_space.SpaceError, hpo_space.normalise_space, raw)
        self.expect(7, "entry 1", "must be an object", "7")

    def test_the_entry_and_the_key_are_named(self):
        with self.assertRaises(hpo_space.SpaceError) as caught:
            hpo_space.normalise_space(DEEPHYPER + [{"name": "dropout", "type": "float", "min": 0.5, "max": 0.1}])
        self.assertEqual(str(caught.exception), "entry 4 (\"dropout\") of the search space: 'min' must not be above 'max', "
                                                "0.5 is above 0.1")

    def test_a_name_that_cannot_be_an_option_is_refused(self):
        for name in ("", "-x", "a b", "1x", "a=b", "x\n", None, 3, ["x"]):
            self.expect({"name": name, "type": "float", "min": 0, "max": 1}, "'name'")

    def test_a_name_used_twice_is_refused(self):
        entry = {"name": "x", "type": "float", "min": 0, "max": 1}
        with self.assertRaises(hpo_space.SpaceError) as caught:
            hpo_space.normalise_space([entry, entry])
        self.assertIn("entry 2 (\"x\")", str(caught.exception))

    def test_a_fixed_parameter_cannot_be_searched(self):
        with self.assertRaises(hpo_space.SpaceError) as caught:
            hpo_space.normalise_space(DEEPHYPER, fixed=["learning_rate"])
        self.assertIn("entry 2 (\"learning_rate\") of the search space: 'name' has a fixed value", str(caught.exception))

    def test_an_unknown_type_or_key_is_refused(self):
        self.expect({"name": "x", "type": "real", "min": 0, "max": 1}, "'type'", "float")
        self.expect({"name": "x", "type": ["int"], "min": 0, "max": 1}, "'type'")
        self.expect({"name": "x", "type": "float", "min": 1, "max": 2, "log": True}, "'log'", "log_uniform")

    def test_a_missing_end_of_a_range_is_refused(self):
        self.expect({"name": "x", "type": "int", "min": 0}, "'max' is missing (or 'upper')")

    def test_two_words_for_one_end_are_refused(self):
        self.expect({"name": "x", "type": "int", "min": 0, "lower": 0, "max": 1}, "'lower'")

    def test_hostile_numbers_are_refused(self):
        for value in (float("nan"), float("inf"), -float("inf"), 10 ** 400, 1e301, "1", None, True, [1], {}):
            self.expect({"name": "x", "type": "float", "min": value, "max": 1e300}, "'min'")
            self.expect({"name": "x", "type": "int", "min": -5, "max": value}, "'max'")
            self.expect({"name": "x", "type": "float", "min": 0, "max": 1, "default": value}, "'default'")
            self.expect({"name": "x", "type": "float", "min": 0, "max": 1, "sigma": value}, "'sigma'")
        self.expect({"name": "x", "type": "int", "min": 0.5, "max": 3}, "'min' must be a whole number")

    def test_a_log_scale_needs_a_range_above_zero(self):
        self.expect({"name": "x", "type": "float", "min": 0, "max": 1, "log_uniform": True}, "'min' must be above 0")
        self.expect({"name": "x", "type": "float", "min": 1, "max": 2, "log_uniform": 1}, "'log_uniform' must be true or false")

    def test_a_default_outside_the_range_is_refused(self):
        self.expect({"name": "x", "type": "int", "min": 1, "max": 9, "default": 10}, "'default' must lie within 1 and 9, not 10")

    def test_bad_choices_are_refused(self):
        for choices in ([], None, "ab", {}, [None], [[1]], ["a\nb"], [float("nan")], [10 ** 400], ["a", "a"]):
            self.expect({"name": "x", "type": "categorical", "choices": choices}, "'choices'")
        self.expect({"name": "x", "type": "categorical", "choices": ["a"], "default": "b"}, "'default'")
        self.expect({"name": "x", "type": "categorical", "choices": [1, 2], "default": True}, "'default'")
        self.expect({"name": "x", "type": "categorical", "values": ["a"], "element_type": "int"}, "'values'")
        self.expect({"name": "x", "type": "categorical", "values": [1], "element_type": "logical"}, "'values'")
        self.expect({"name": "x", "type": "ordered", "values": [1], "element_type": "real"}, "'element_type'")
        self.expect({"name": "x", "type": "constant"}, "'value' is missing")

    def test_deeply_nested_values_are_refused_in_one_sentence(self):
        deep = []
        for _ in range(50):
            deep = [deep]
        self.expect({"name": "x", "type": "categorical", "choices": [deep]}, "'choices'", "...")


class Cube(unittest.TestCase):
    space = hpo_space.normalise_space(DEEPHYPER + [{"name": "depth", "type": "int", "min": 1, "max": 4}])

    def test_the_ends_of_the_cube_are_the_ends_of_the_ranges(self):
        low, high = hpo_space.to_params(self.space, [0, 0, 0, 0]), hpo_space.to_params(self.space, [1, 1, 1, 1])
        self.assertEqual(low, {"batch_size": 8, "learning_rate": 1e-6, "early_stopping": True, "depth": 1})
        self.assertEqual(high, {"batch_size": 512, "learning_rate": 1e-2, "early_stopping": False, "depth": 4})

    def test_whole_numbers_get_equal_shares(self):
        values = [hpo_space.from_unit(self.space[3], (i + 0.5) / 100) for i in range(100)]
        self.assertEqual([values.count(n) for n in (1, 2, 3, 4)], [25, 25, 25, 25])

    def test_a_point_and_its_params_are_one_thing(self):
        units = hpo_space.snap(self.space, [0.3, 0.72, 0.1, 0.6])
        again = hpo_space.to_units(self.space, hpo_space.to_params(self.space, units))
        for one, other in zip(units, again):
            self.assertAlmostEqual(one, other, places=5)

    def test_narrow_ranges_keep_their_digits(self):
        entry = hpo_space.normalise_space([{"name": "x", "type": "float", "min": 1000000.1, "max": 1000000.2}])[0]
        self.assertAlmostEqual(hpo_space.from_unit(entry, 0.25), 1000000.125, places=6)

    def test_values_that_do_not_belong_have_no_place(self):
        self.assertIsNone(hpo_space.to_units(self.space, {"batch_size": 8}))
        self.assertIsNone(hpo_space.to_unit(self.space[2], 1))
        self.assertIsNone(hpo_space.to_unit(self.space[0], float("nan")))
        self.assertEqual(hpo_space.to_unit(self.space[1], 5.0), 1.0)

    def test_the_size_counts_the_points(self):
        self.assertEqual(hpo_space.space_size(self.space), float("inf"))
        self.assertEqual(hpo_space.space_size(self.space[2:]), 8)


class Command(unittest.TestCase):
    def run_main(self, text, *words):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "space.json")
            with open(path, "wb") as handle:
                handle.write(text)
            out, err = io.StringIO(), io.StringIO()
            with redirect_stdout(out), redirect_stderr(err):
                code = hpo_trial.main(["--check_space", path] + list(words))
            return code, out.getvalue(), err.getvalue().replace(path, "FILE")

    def test_the_normalised_space_is_printed(self):
        code, out, err = self.run_main(json.dumps(DEEPHYPER).encode())
        self.assertEqual((code, json.loads(out), err), (0, hpo_space.normalise_space(DEEPHYPER), ""))

    def test_a_refusal_is_one_sentence_and_exit_2(self):
        code, out, err = self.run_main(json.dumps(DEEPHYPER).encode(), "--fixed", "epochs,batch_size")
        self.assertEqual((code, out), (2, ""))
        self.assertEqual(err, "hpo_trial: error: FILE: entry 1 (\"batch_size\") of the search space: 'name' has a fixed "
                              "value already and cannot also be searched\n")

    def test_broken_files_are_refused(self):
        for text in (b"", b"[", b"\xff\xfe", b"[" * 100000, b"[{}]", b"NaN", b'[{"name":"x","type":"float","min":1e999,"max":1}]'):
            code, out, err = self.run_main(text)
            self.assertEqual((code, out, err.count("\n")), (2, "", 1))
        with redirect_stderr(io.StringIO()):
            self.assertEqual(hpo_trial.main(["--check_space", "/nowhere/space.json"]), 2)

    def test_the_baseline_space_is_sound(self):
        names = [entry["name"] for entry in hpo_space.read_space(os.path.join(STAGES, "baseline_hyperparameters.json"))]
        self.assertEqual(names[:2], ["learning_rate", "batch_size"])

    def test_the_examples_of_the_documentation_are_sound(self):
        with open(os.path.join(STAGES, "..", "docs", "search_space.md"), encoding="utf-8") as file:
            examples = re.findall(r"```json\n(.*?)```", file.read(), re.DOTALL)
        found = []
        for example in examples:
            code, out, err = self.run_main(example.encode())
            self.assertEqual((code, err), (0, ""))
            found.append([entry["name"] for entry in json.loads(out)])
        self.assertEqual(found, [["batch_size", "learning_rate", "early_stopping"], [
            "dropout", "learning_rate", "batch_size", "activation", "early_stopping", "patience"]])

    def test_every_key_and_type_is_in_the_documentation(self):
        with open(os.path.join(STAGES, "..", "docs", "search_space.md"), encoding="utf-8") as file:
            text = file.read()
        words = set(hpo_space.KEYS) | {key for keys in hpo_space.KEYS.values() for key in keys} | set(hpo_space.ELEMENT_TYPES)
        self.assertEqual({word for word in words if f"`{word}`" not in text}, set())


if __name__ == "__main__":
    unittest.main()
