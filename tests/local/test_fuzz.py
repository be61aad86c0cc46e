"""Thousands of mutated inputs for everything that reads files, options and Slurm's answers.

Each gives a result or the reader's own one-sentence error, never another exception, a
hang or a shell. The seed is fixed: a failure here fails again.
"""
import argparse
import json
import os
import random
import subprocess
import warnings
from pathlib import Path

from core import improve_files
from core.errors import FileError, Refusal
from core.rules import decide
from core.tree import STATES, ResultsTree
from launcher import benchmark, options, paths, templates
from stages.search import space as hpo_space
from tests.made_tree import Campaign
from tests.plan_case import PlanCase
from tests.support import REPOSITORY, RUN_MODEL

# What breaks readers: quotes, brackets, holes, controls, other digits, extremes, shell.
BITS = ["", *" \t\n\0'\"\\{}[]:,|_-/%&é\u202e\u0663\ud800\ufeff0", "\r\n", "--", "..", "@@",
        "@@X@@", "$(touch hacked)", "`touch hacked`", ";touch hacked", "-1", "1e999", "NaN",
        "Infinity", "null", "true", "9" * 5000, "[" * 3000, "1.5", "--output_dir", "\x1b[2J",
        "#SBATCH"]
RAW_BITS = [*(bit.encode("utf-8", "surrogatepass") for bit in BITS), b"\xff\xfe", bytes(range(256))]


def mutated(rng, seed, bits):
    """The seed with a few pieces cut out, doubled or put in; text or bytes."""
    for _ in range(rng.randint(1, 4)):
        start = rng.randint(0, len(seed))
        end = min(len(seed), start + rng.choice([0, 0, 1, 3, 20]))
        piece = rng.choice([rng.choice(bits), seed[start:end] * 2, bits[0]])
        seed = seed[:start] + piece + seed[end:]
    return seed


def rendered(path):
    """A template with a 1 in each hole."""
    holes = "JOB_NAME ARRAY SLURM_OUTPUT RUN_MODEL TASKS PYTHON COUNT TEMPLATE"
    return templates.render(path, "", dict.fromkeys(holes.split(), "1"))


class FuzzTest(PlanCase):
    def tearDown(self):
        self.assertFalse(os.path.exists(self.path("hacked")), "a shell has read an input")

    def assert_only(self, errors, reader, seeds, bits):
        """400 mutated seeds give a result or one of these errors each, and both are seen."""
        outcomes, rng = set(), random.Random(1)
        for _ in range(400):
            text = mutated(rng, rng.choice(seeds), bits)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    reader(text)
                outcomes.add("result")
            except errors as error:
                self.assertLess(len(str(error)), 20000)
                outcomes.add("error")
            except Exception as error:   # noqa: BLE001  (naming the input is the point)
                raise AssertionError(f"{error!r}\nfor {text[:300]!r}") from error
        self.assertEqual(outcomes, {"result", "error"})

    def assert_only_of_file(self, errors, reader, seeds):
        def read(raw):
            Path("fuzzed").write_bytes(raw)
            return reader(self.path("fuzzed"))
        self.assert_only(errors, read, [seed.encode() for seed in seeds], RAW_BITS)

    def test_options_take_any_text_or_refuse_it(self):
        errors = argparse.ArgumentTypeError, Refusal
        for reader, seeds in ((options.TYPES["0|N"], ["0", "3"]),
                              (options.split_numbers, ["0-9", "7"]),
                              (paths.environment, ["none", "conda:x", "venv:/a/b"]),
                              (options.stage_arguments,
                               ["--epochs 5 --name 'a b'", "{'epochs': 5, 'lr': 1e-3}",
                                "{'a': [1, 2]}", "{[]: 1}"])):
            with self.subTest(reader.__name__):
                self.assert_only(errors, reader, seeds, BITS)

    def test_files_are_read_or_refused(self):
        template = self.read(REPOSITORY, "slurm_templates", "train.sbatch")
        space = json.dumps([{"name": "lr", "type": "float", "min": 1e-5, "max": 0.1,
                             "log_uniform": True, "default": 0.01},
                            {"name": "act", "type": "categorical", "choices": ["relu", 1, True]}])
        predictions = ("improve_sample_id,improve_chem_id,auc_true,auc_pred\n"
                       "a,d,0.5,0.4\nb,d,0.7,0.6\n")
        for errors, reader, seeds in ((Refusal, benchmark.read_ids,
                                       ["0\n1\n2\n", "5\r\n\r\n7"]),
                                      (FileError, lambda path: list(improve_files.read_table(
                                          path, "\t")), ["a\tb\n1\t2\n", '"a\tb"\n"1"']),
                                      (FileError, improve_files.read_scores,
                                       ['{"mse": 0.25, "pcc": NaN, "r2": -1e-3}', '{"mse": 1}']),
                                      (FileError, improve_files.read_predictions,
                                       [predictions, '"x","y_true","y_pred"\n"a,b",1,2\n']),
                                      (Refusal, hpo_space.read_space, [space]),
                                      (Refusal, rendered, [template])):
            with self.subTest(reader.__name__):
                self.assert_only_of_file(errors, reader, seeds)

    def test_plans_and_statuses_never_raise(self):
        made, task = Campaign(self.work), "models/A/split_0"
        entries = made.entries(["A"], ["A"])
        made.plan("L1", entries)
        made.run(entries)
        rng, seeds = random.Random(4), {name: self.read(name).encode() for name in (
            "launches/L1/plan.json", f"{task}/stage_status.json")}
        for _ in range(500):
            for name in rng.sample(sorted(seeds), rng.randint(1, 2)):
                Path(name).write_bytes(mutated(rng, seeds[name], RAW_BITS))
            tree = ResultsTree(self.work)
            decide(list(tree.tasks.values()), tree)
            status = tree.status(task)
            self.assertIn(status.state, STATES)
            self.assertTrue((status.reason + status.host).isprintable())

    def test_mutated_lines_run_nothing_but_the_script(self):
        rng = random.Random(6)
        bits = [bit for bit in BITS if bit.isprintable() and len(bit) < 100]
        lines = [mutated(rng, "none stage.py --epochs 5 --input_dir x", bits)
                 + f" --output_dir {self.path('o')}" for _ in range(20)]
        self.write("t.tasks", "".join(line + "\n" for line in lines))
        for index, line in enumerate(lines):
            done = subprocess.run(["bash", RUN_MODEL, "--task", "t.tasks", str(index)],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  env=dict(self.environment, LATENCY_WAIT="0"), timeout=60)
            self.assertIn(done.returncode, (1, 2, 127), line)
            self.assertNotIn(b"run_model.sh: line", done.stderr, line)
        self.assertEqual(sorted(os.listdir(self.work)), ["o", "t.tasks"])
