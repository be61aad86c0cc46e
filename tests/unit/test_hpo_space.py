"""test_hpo_space: the search space is read, checked and mapped to the unit cube."""
import json
import os
import re
import tempfile
import unittest

from core.errors import Refusal
from stages.search import space as hpo_space
from tests.support import REPOSITORY

# An entry named x, and what becomes of it ("" if it stays as it is); an entry is as in a file.
ACCEPTED = (
    ('{"type": "int", "min": 8, "max": 512, "default": 64, "log_uniform": true}', ""),
    ('{"type": "categorical", "choices": [true, false], "default": false}', ""),
    ('{"type": "float", "min": 1e-4, "max": 1, "log_uniform": true}',
     '{"type": "float", "min": 1e-4, "max": 1.0, "log_uniform": true, "default": 0.01}'),
    ('{"type": "int", "min": 0.0, "max": 10.0}',
     '{"type": "int", "min": 0, "max": 10, "log_uniform": false, "default": 5}'),
    ('{"type": "categorical", "choices": [64, 16, 32]}',     # by size: 16 is nearer to 32
     '{"type": "ordered", "choices": [16, 32, 64], "default": 32}'),
    ('{"type": "ordered", "choices": [256, 512, 128]}',
     '{"type": "ordered", "choices": [256, 512, 128], "default": 512}'),
    ('{"type": "constant", "value": 5}', '{"type": "categorical", "choices": [5], "default": 5}'),
    ('{"type": "constant", "value": "a", "element_type": "string"}',
     '{"type": "categorical", "choices": ["a"], "default": "a"}'),
    ('{"type": "constant", "default": 0.5}',
     '{"type": "categorical", "choices": [0.5], "default": 0.5}'),
    ('{"type": "constant", "choices": [true]}',
     '{"type": "categorical", "choices": [true], "default": true}'),
)
# An entry, the key that the refusal names, and a part of what it says.
REFUSED = (
    ('{"type": "real"}', "type", "float"), ('{"type": ["int"]}', "type", "float"),
    ('{"type": "float", "min": 0, "max": 1, "log": true}', "log", "log_uniform"),
    ('{"type": "float", "lower": 0, "max": 1}', "lower", "min"),
    ('{"type": "int", "min": 0}', "max", "whole number"),
    ('{"type": "int", "min": 0.5, "max": 4}', "min", "whole number"),
    ('{"type": "float", "min": 2, "max": 2}', "min", "below 'max'"),
    ('{"type": "float", "min": 0, "max": 1, "log_uniform": true}', "min", "above 0"),
    ('{"type": "float", "min": 0, "max": 1, "log_uniform": 1}', "log_uniform", "true or false"),
    ('{"type": "float", "min": 0, "max": 1, "default": 10}', "default",
     "within 0.0 and 1.0 (it is 10.0)"),
    ('{"type": "categorical", "choices": ["a"], "default": "b"}', "default", "one of the choices"),
    ('{"type": "categorical", "choices": [1, 2], "default": true}', "default", "one of"),
    ('{"type": "categorical", "choices": ["a", "a"]}', "choices", "twice"),
    ('{"type": "categorical", "choices": [1, 1.0]}', "choices", "twice"),
    ('{"type": "categorical", "choices": ["a\\nb"]}', "choices", "one line"),
    ('{"type": "categorical", "choices": [["longer than the forty letters of a message"]]}',
     "choices", "..."),
    ('{"type": "categorical", "choices": "ab"}', "choices", "list"),
    ('{"type": "categorical", "choices": []}', "choices", "list"),
    ('{"type": "constant"}', "value", "null"),
    ('{"type": "constant", "choices": [1, 2]}', "value", "one value"),
    ('{"name": "", "type": "float", "min": 0, "max": 1}', "name", "letters"),
    ('{"name": "-x", "type": "float", "min": 0, "max": 1}', "name", "letters"),
    ('{"name": "a b", "type": "float", "min": 0, "max": 1}', "name", "letters"),
    ('{"name": "x\\n", "type": "float", "min": 0, "max": 1}', "name", "letters"),
    ('{"name": null, "type": "float", "min": 0, "max": 1}', "name", "letters"),
)
NO_NUMBERS = (float("nan"), -float("inf"), 10 ** 400, "1", None, True, [1])


def normalised(text, **keys):
    return hpo_space.normalise_space([dict({"name": "x"}, **dict(json.loads(text), **keys))])[0]


class FormatTest(unittest.TestCase):
    def test_an_accepted_entry_is_normalised_and_then_stays_as_it_is(self):
        for text, wanted in ACCEPTED:
            found = normalised(text)
            self.assertEqual(found, dict(json.loads(wanted or text), name="x"))
            again = normalised(json.dumps(found))
            self.assertEqual(*(json.dumps(each, sort_keys=True) for each in (found, again)))

    def assert_refused(self, key, part, text, **keys):
        with self.subTest(text), self.assertRaises(Refusal) as caught:
            normalised(text, **keys)
        self.assertRegex(str(caught.exception), f"^entry 1 of the search space, .*: '{key}' must ")
        self.assertIn(part, str(caught.exception))

    def test_a_refused_entry_names_its_key(self):
        for text, key, part in REFUSED:
            self.assert_refused(key, part, text)
        for value in NO_NUMBERS:
            self.assert_refused("min", "number", '{"type": "float", "max": 1}', min=value)
            self.assert_refused("max", "whole number", '{"type": "int", "min": 1}', max=value)

    def test_a_space_is_a_list_of_objects_with_names_of_their_own(self):
        entry = {"name": "rate", "type": "float", "min": 0, "max": 1}
        for raw, fixed, text in (([], (), "JSON list"), ({}, (), "JSON list"),
                                 ([entry, 7], (), "entry 2 .* an object"),
                                 ([entry, entry], (), "entry 2 .*\"rate\": .*used once"),
                                 ([entry], ["rate"], "entry 1 .*has a fixed value")):
            self.assertRaisesRegex(Refusal, text, hpo_space.normalise_space, raw, fixed)


class CubeTest(unittest.TestCase):
    space = [normalised('{"type": "int", "min": 8, "max": 512, "log_uniform": true}'),
             normalised('{"name": "y", "type": "float", "min": 1e-6, "max": 0.01,'
                        ' "log_uniform": true}'),
             normalised('{"name": "z", "type": "categorical", "choices": [true, false]}'),
             normalised('{"name": "depth", "type": "int", "min": 1, "max": 4}')]

    def test_the_cube_reaches_both_ends_and_whole_numbers_get_equal_shares(self):
        ends = [list(hpo_space.to_params(self.space, [end] * 4).values()) for end in (0, 1)]
        self.assertEqual(ends, [[8, 1e-6, True, 1], [512, 1e-2, False, 4]])
        values = [hpo_space.from_unit(self.space[3], (i + 0.5) / 100) for i in range(100)]
        self.assertEqual([values.count(number) for number in (1, 2, 3, 4)], [25] * 4)
        narrow = normalised('{"type": "float", "min": 1000000.1, "max": 1000000.2}')
        self.assertAlmostEqual(hpo_space.from_unit(narrow, 0.25), 1000000.125, places=6)

    def test_a_point_and_its_params_are_one_thing(self):
        units = hpo_space.snap(self.space, [0.3, 0.72, 0.1, 0.6])
        again = hpo_space.to_units(self.space, hpo_space.to_params(self.space, units))
        for one, other in zip(units, again):
            self.assertAlmostEqual(one, other, places=5)

    def test_a_value_of_another_space_has_no_place(self):
        self.assertIsNone(hpo_space.to_units(self.space, {"x": 8}))
        self.assertIsNone(hpo_space.to_unit(self.space[2], 1))

    def test_the_size_counts_the_points(self):
        self.assertEqual([hpo_space.space_size(self.space[at:]) for at in (0, 2)],
                         [float("inf"), 8])


class FileTest(unittest.TestCase):
    def test_a_malformed_file_is_refused_by_its_name(self):
        for text in (b"", b"[", b"\xff\xfe", b"[" * 100000, b"[{}]", b"NaN"):
            with self.subTest(text[:9]), tempfile.NamedTemporaryFile() as file:
                file.write(text)
                file.flush()
                self.assertRaisesRegex(Refusal, file.name, hpo_space.read_space, file.name)

    def test_the_space_of_the_baseline_and_the_example_of_the_documentation_are_sound(self):
        path = os.path.join(REPOSITORY, "stages", "baseline_hyperparameters.json")
        self.assertEqual([entry["name"] for entry in hpo_space.read_space(path)],
                         ["learning_rate", "batch_size", "latent_dim", "weight_decay"])
        with open(os.path.join(REPOSITORY, "docs", "search_space.md"), encoding="utf-8") as file:
            text = file.read()
        example = json.loads(re.search(r"```json\n(.*?)```", text, re.DOTALL).group(1))
        self.assertEqual(len(hpo_space.normalise_space(example)), len(example))
        keys = set(hpo_space.KEYS).union(*hpo_space.KEYS.values())
        self.assertEqual({key for key in keys if f"`{key}`" not in text}, set())


if __name__ == "__main__":
    unittest.main()
