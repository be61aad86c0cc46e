"""test_hpo_space: the search space is read, checked and mapped to the unit cube."""
import json
import os
import re
import unittest
from pathlib import Path

from core.errors import Refusal
from stages.baseline_train_improve import SETTINGS
from stages.search import space as hpo_space
from tests.support import REPOSITORY, STAGES

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
)
# An entry, the key that the refusal names, and a part of what it says.
REFUSED = (
    ('{"type": "real"}', "type", "float"), ('{"type": ["int"]}', "type", "float"),
    ('{"type": "float", "min": 0, "max": 1, "log": true}', "log", "log_uniform"),
    ('{"type": "int", "min": 0.5, "max": 4}', "min", "whole for int"),
    ('{"type": "float", "min": 2, "max": 2}', "min", "below 'max'"),
    ('{"type": "float", "min": 0, "max": 1, "log_uniform": true}', "min", "above 0"),
    ('{"type": "float", "min": 0, "max": 1, "log_uniform": 1}', "log_uniform", "true or false"),
    ('{"type": "float", "min": 0, "max": 1, "default": 10}', "default",
     "within 0.0 and 1.0 (it is 10.0)"),
    ('{"type": "categorical", "choices": [1, 2], "default": true}', "default", "the choices"),
    ('{"type": "categorical", "choices": [1, 1.0]}', "choices", "different"),
    ('{"type": "categorical", "choices": ["a\\nb"]}', "choices", "of one line"),
    ('{"type": "categorical", "choices": [["longer than the forty letters of a message"]]}',
     "choices", "..."),
    ('{"type": "categorical", "choices": []}', "choices", "different"),
    ('{"type": "constant"}', "choices", "null"),
    *[(json.dumps({"name": name, "type": "float", "min": 0, "max": 1}), "name", "letters")
      for name in ("", "-x", "a b", "x\n", None)],
    *[({"type": kind, "min": 0, "max": value}, "max", "whole for int")
      for kind in ("float", "int")
      for value in (float("nan"), float("inf"), 10 ** 400, "1", None, True, [1])],
)


def normalised(entry):
    """The normalised entry of an entry, named x if it has no name; as JSON text or a dict."""
    entry = json.loads(entry) if isinstance(entry, str) else entry
    return hpo_space.normalise_space([dict({"name": "x"}, **entry)])[0]


class FormatTest(unittest.TestCase):
    def test_an_accepted_entry_is_normalised_and_then_stays_as_it_is(self):
        for text, wanted in ACCEPTED:
            found = normalised(text)
            self.assertEqual(found, dict(json.loads(wanted or text), name="x"))
            again = normalised(json.dumps(found))
            self.assertEqual(*(json.dumps(each, sort_keys=True) for each in (found, again)))

    def test_a_refused_entry_names_its_key(self):
        for entry, key, part in REFUSED:
            wanted = f"^the search space: entry 1, .*'{key}' must .*{re.escape(part)}"
            with self.subTest(entry), self.assertRaisesRegex(Refusal, wanted):
                normalised(entry)

    def test_a_space_is_a_list_of_objects_with_names_of_their_own(self):
        entry = {"name": "rate", "type": "float", "min": 0, "max": 1}
        for raw, fixed, text in (([], (), "JSON list"), ({}, (), "JSON list"),
                                 ([entry, 7], (), "entry 2, 7: .* an object"),
                                 ([entry, entry], (), "entry 2, .*\"rate\".*used once"),
                                 ([entry], ["rate"], "entry 1, .*no fixed value")):
            self.assertRaisesRegex(Refusal, text, hpo_space.normalise_space, raw, fixed)


class CubeTest(unittest.TestCase):
    space = [normalised(entry) for entry in (
        '{"type": "int", "min": 8, "max": 512, "log_uniform": true}',
        '{"name": "y", "type": "float", "min": 1e-6, "max": 0.01, "log_uniform": true}',
        '{"name": "z", "type": "categorical", "choices": [true, false]}',
        '{"name": "depth", "type": "int", "min": 1, "max": 4}')]

    def test_the_cube_reaches_both_ends_and_whole_numbers_get_equal_shares(self):
        ends = [list(hpo_space.to_params(self.space, [end] * 4).values()) for end in (0, 1)]
        self.assertEqual(ends, [[8, 1e-6, True, 1], [512, 1e-2, False, 4]])
        values = [hpo_space.from_unit(self.space[3], (i + 0.5) / 100) for i in range(100)]
        self.assertEqual(values, sorted([1, 2, 3, 4] * 25))
        narrow = normalised('{"type": "float", "min": 1000000.1, "max": 1000000.2}')
        self.assertAlmostEqual(hpo_space.from_unit(narrow, 0.25), 1000000.125, places=6)

    def test_a_point_and_its_params_are_one_thing_and_those_of_another_space_have_no_place(self):
        units = hpo_space.snap(self.space, [0.3, 0.72, 0.1, 0.6])
        again = hpo_space.to_units(self.space, hpo_space.to_params(self.space, units))
        for one, other in zip(units, again):
            self.assertAlmostEqual(one, other, places=5)
        self.assertIsNone(hpo_space.to_units(self.space, {"x": 8}))
        self.assertIsNone(hpo_space.to_unit(self.space[2], 1))


class FileTest(unittest.TestCase):
    def test_the_space_of_the_baseline_and_the_example_of_the_documentation_are_sound(self):
        space = hpo_space.read_space(os.path.join(STAGES, "baseline_hyperparameters.json"))
        self.assertLessEqual({entry["name"] for entry in space}, set(SETTINGS))
        text = Path(REPOSITORY, "docs", "search_space.md").read_text(encoding="utf-8")
        hpo_space.normalise_space(json.loads(text.split("```json")[1].split("```")[0]))
        self.assertEqual([key for key in hpo_space.KEYS + hpo_space.TYPES
                          if f"`{key}`" not in text], [])
