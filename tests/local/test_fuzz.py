"""Thousands of mutated inputs for everything that reads files, options and Slurm's answers.

Each gives a result or the reader's own one-sentence error, never another exception, a
hang or a shell. The seed is fixed: a failure here fails again.
"""
import argparse
import json
import os
import random
import shlex
import subprocess
import warnings

import tests  # noqa: F401  (puts stages/ on the path)
from common import improve_files  # noqa: E402
from launcher import benchmark, conflicts, needs_run, option_types, results_tree, slurm, status, status_file, survey, templates  # noqa: E402
from launcher.refusal import Refusal  # noqa: E402
from launcher.tasks import Task, task_line  # noqa: E402
from tests.support import REPOSITORY, RUN_MODEL, WorkCase  # noqa: E402

from launcher import subsets  # noqa: E402
from runner import plain_json  # noqa: E402
from runner.task import words_of_line  # noqa: E402
from search import space as hpo_space  # noqa: E402

# What breaks readers: quotes, brackets, holes, controls, other digits, extremes, shell.
BITS = ["", " ", "\t", "\n", "\r\n", "\0", "'", '"', "\\", "{", "}", "[", "]", "[" * 3000, ":", ",", "|", "_", "-", "--", "..", "/", "%",
        "@@", "@@X@@", "$(touch hacked)", "`touch hacked`", ";touch hacked", "&", "é", "\u202e", "\u0663", "\ud800", "\ufeff", "0", "-1", "1e999",
        "NaN", "Infinity", "null", "true", "9" * 400, "9" * 5000, "1.5", "0x10", "state", "--output_dir", "\x1b[2J", "#SBATCH"]
# As bytes: not UTF-8, half a character
RAW_BITS = [bit.encode("utf-8", "surrogatepass") for bit in BITS] + [b"\xff\xfe", b"\xc3", bytes(range(256))]


def mutated(rng, seed, bits):
    """The seed with a few pieces cut out, doubled or put in; text or bytes."""
    for _ in range(rng.randint(1, 4)):
        start = rng.randint(0, len(seed))
        end = min(len(seed), start + rng.choice([0, 0, 1, 3, 20]))
        seed = seed[:start] + rng.choice([rng.choice(bits), seed[start:end] * 2, bits[0]]) + seed[end:]
    return seed


def mutated_texts(seeds, count, bits=BITS):
    rng = random.Random(1)
    return [mutated(rng, rng.choice(seeds), bits) for _ in range(count)]


def mutated_bytes(seeds, count):
    return mutated_texts([seed if isinstance(seed, bytes) else seed.encode() for seed in seeds], count, RAW_BITS)


STATUS = json.dumps({
    "state": "done", "reason": "", "exit_code": 0, "attempt": 1, "started": "2026-11-22T15:18:00Z", "ended": "2026-11-22T15:18:01Z",
    "seconds": 1.5, "host": "n1", "pid": 12, "slurm_job": "409_3", "stamp": "x.1", "words": ["none", "/m/toy_train_improve.py", "--output_dir", "/o/t"],
    "made_from": {"ml_data/A-A/split_0": {"stamp": "y", "words": ["none"]}}, "files": {"val_scores.json": 10}}, indent=1)
PLAN = json.dumps({
    "workflow": "csa", "launch": "L1", "command": ["python3", "workflow_csa.py"], "directory": "/", "executor": "slurm",
    "tasks": [{"name": "t", "stage": "train", "array": "train", "index": 0, "parents": [], "words": ["none", "x"], "run": True, "why": ""},
              {"name": "u", "stage": "infer", "array": "infer_0", "index": 0, "parents": ["t"], "words": ["none", "x"], "run": True}]})
STATE = json.dumps({"state": "running", "host": os.uname().nodename, "pid": 1, "time": "2026-11-22T15:18:00Z"})


class FuzzCase(WorkCase):
    def setUp(self):
        super().setUp()
        before = os.getcwd()
        os.chdir(self.work)
        self.addCleanup(os.chdir, before)

    def tearDown(self):
        self.assertFalse(os.path.exists(self.path("hacked")), "a shell has read an input")

    def assert_only(self, errors, reader, inputs, check=lambda result: True):
        """Every input gives a result that passes the check, or one of these errors, in one printable sentence."""
        outcomes = set()
        for text in inputs:
            try:
                result = reader(text)
                self.assertTrue(check(result), (text, result))
                outcomes.add("result")
            except errors as error:
                self.assertLess(len(str(error)), 20000)
                outcomes.add("error")
            except Exception as error:   # noqa: BLE001  (naming the input is the point)
                raise AssertionError(f"{type(error).__name__}: {error}\nfor {text[:300]!r}") from error
        return outcomes

    def file_reader(self, reader, name="fuzzed"):
        path = self.path(name)

        def read(raw):
            with open(path, "wb") as file:
                file.write(raw)
            return reader(path)
        return read


class OptionsTest(FuzzCase):
    def test_words_for_a_stage(self):
        seeds = ["--epochs 5 --name 'a b'", "{'epochs': 5, 'lr': 1e-3}", "{'a': [1, 2], 'b': None}", "{[]: 1}", "{'a': 1}.x()", "{1: {2: {3}}}"]

        def read(text):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                words = option_types.stage_words(text)
                task_line(words)
                return words
        outcomes = self.assert_only((argparse.ArgumentTypeError, Refusal), read, seeds + mutated_texts(seeds, 1500),
                                    lambda words: all(isinstance(word, str) for word in words))
        self.assertEqual(outcomes, {"result", "error"})

    def test_numbers_ranges_and_environments(self):
        for reader, seeds in ((option_types.positive, ["5", "12"]), (option_types.whole, ["0", "3"]), (option_types.split_numbers, ["0-9", "7"]),
                              (option_types.environment, ["none", "conda:x", "venv:/a/b"])):
            self.assertEqual(self.assert_only(argparse.ArgumentTypeError, reader, seeds + mutated_texts(seeds, 400)), {"result", "error"})

    def test_names_of_split_files(self):
        names = ["gCSI_all.txt", "gCSI_split_0_train.txt", "CCLE_split_12_val.txt"]
        rng = random.Random(2)
        for _ in range(1000):
            some = [mutated(rng, name, BITS).replace("/", "").replace("\0", "") for name in names]
            self.assert_only(Refusal, benchmark.studies_of, [some], lambda found: all("/" not in study and study[0] not in ".-" for study in found))


class FilesTest(FuzzCase):
    def test_split_files(self):
        seeds = ["0\n1\n2\n", "5\r\n\r\n7", ""]
        self.assertEqual(self.assert_only(improve_files.FileError, self.file_reader(improve_files.read_split), mutated_bytes(seeds, 1000)),
                         {"result", "error"})
        if subsets is not None:
            self.assert_only(Refusal, self.file_reader(subsets.read_ids), mutated_bytes(seeds, 1000))

    def test_score_files(self):
        seeds = ['{"mse": 0.25, "rmse": 0.5, "pcc": NaN, "scc": 0.9, "r2": -1e-3}', '{"mse": 1}']
        outcomes = self.assert_only(improve_files.FileError, self.file_reader(improve_files.read_scores), mutated_bytes(seeds, 1500),
                                    lambda scores: all(isinstance(value, float) for value in scores.values()))
        self.assertEqual(outcomes, {"result", "error"})

    def test_prediction_files(self):
        seeds = ["improve_sample_id,improve_chem_id,auc_true,auc_pred\na,d,0.5,0.4\nb,d,0.7,0.6\n", "y_true,y_pred\n1,2\n3,4\n",
                 '"x","y_true","y_pred"\n"a,b",1,2\n']
        outcomes = self.assert_only(improve_files.FileError, self.file_reader(improve_files.read_predictions), mutated_bytes(seeds, 1500),
                                    lambda found: len(found.true) == len(found.pred))
        self.assertEqual(outcomes, {"result", "error"})

    def test_templates(self):
        with open(os.path.join(REPOSITORY, "slurm_templates", "train.sbatch")) as file:
            seed = file.read()
        values = {"JOB_NAME": "csa.x.train", "ARRAY": "0-3", "SLURM_OUTPUT": "/o/%x", "RUN_MODEL": "/r", "TASKS": "/t", "PYTHON": "/p",
                  "COUNT": "1", "RETRIES": "0", "TASKS_AT_ONCE": "1"}

        def render(path):
            return templates.render(templates.read_template(path), values, path)
        self.assertEqual(self.assert_only(Refusal, self.file_reader(render), mutated_bytes([seed], 1000)), {"result", "error"})

    def test_search_spaces(self):
        if hpo_space is None:
            self.skipTest("there is no hpo_space here")
        seeds = [json.dumps([{"name": "lr", "type": "float", "min": 1e-5, "max": 0.1, "log_uniform": True, "default": 0.01},
                             {"name": "n", "type": "int", "lower": 1, "upper": 9, "sigma": 2},
                             {"name": "act", "type": "categorical", "choices": ["relu", 1, True]},
                             {"name": "k", "type": "ordered", "values": [1, 2, 4], "element_type": "int"},
                             {"name": "b", "type": "logical"}, {"name": "c", "type": "constant", "value": 3}]),
                 '[{"name": "x", "type": "int", "min": 1, "max": 3}]']

        def read(path):
            space = hpo_space.read_space(path)
            return json.dumps(hpo_space.to_params(space, [0.3] * len(space)))
        self.assertEqual(self.assert_only(hpo_space.SpaceError, self.file_reader(read), mutated_bytes(seeds, 1500)), {"result", "error"})


class PlainJsonTest(FuzzCase):
    """The runner reads and writes JSON without the json package, and in the same way."""

    def test_it_reads_what_json_reads_and_refuses_what_json_refuses(self):
        for text in mutated_texts([STATUS, "{}", "[1.5e3, -0, true, null, NaN, -Infinity]", '"\\u00e9\\ud800\\n"'], 3000):
            try:
                expected = json.loads(text)
            except (ValueError, RecursionError):
                expected = ValueError
            try:
                found = plain_json.loads(text)
            except (ValueError, RecursionError):
                found = ValueError
            self.assertEqual(repr(found), repr(expected), text[:200])
            if found is not ValueError:
                self.assertEqual(repr(json.loads(plain_json.dumps(found))), repr(found))


class RecordsTest(FuzzCase):
    """The launcher's own files, whatever became of them."""

    def test_stage_statuses(self):
        os.makedirs("t")
        task = Task("t", "train", "train", 0, ("none", "/m/toy_train_improve.py", "--output_dir", self.path("t")))
        for raw in mutated_bytes([STATUS, "{}", "null"], 800):
            with open("t/stage_status.json", "wb") as file:
                file.write(raw)
            tree = results_tree.ResultsTree(self.work)
            self.assert_only((), lambda _: (needs_run.decide([task], tree), conflicts.started_by_hand(tree, ["t"])), [raw])
            found = tree.status("t")
            self.assertIn(found["state"], status_file.STATES)
            self.assertTrue(found.get("reason", "").isprintable() and found.get("host", "").isprintable())

    def test_plans_states_and_job_lists(self):
        directory = self.path("launches", "L1")
        os.makedirs(directory)
        os.makedirs("t")
        elements = [slurm.Element("5", 0, "PENDING", "Dependency", "csa.L1.train"), slurm.Element("6", 0, "RUNNING", "None", "csa.L1.infer_0")]
        seeds = {"plan.json": PLAN, "state.json": STATE, "jobs.tsv": "train\t5\ninfer_0\t6\n", "t/stage_status.json": STATUS}
        rng = random.Random(4)
        for _ in range(700):
            texts = {name: seed.encode() for name, seed in seeds.items()}
            for name in rng.sample(sorted(seeds), rng.randint(1, 2)):
                texts[name] = mutated(rng, texts[name], RAW_BITS)
            for name, raw in texts.items():
                with open(name if "/" in name else os.path.join(directory, name), "wb") as file:
                    file.write(raw)
            self.assert_only((Refusal,), lambda _: self.look(elements), [repr(texts)])

    def look(self, elements):
        """All that --status, --cancel and a launch read."""
        tree = results_tree.ResultsTree(self.work)
        for asked in (elements, [], None):
            states = survey.survey(tree, asked)
            text = status.table(states) + status.problems(states) + status.waiting(states) + status.advice(states, tree, "again")
            text.encode("utf-8")
        return conflicts.refuse(tree, ["t", "u"], [], conflicts.launchers_at_work(tree, "other"))


class SlurmAnswersTest(FuzzCase):
    def test_lines_of_squeue(self):
        seeds = ["409_3|RUNNING|None|csa.20261122T151800.123456Z.train", "12|PENDING|(Resources)|x", "409_[3-5]|PENDING|Dependency|y"]
        lines = seeds + mutated_texts(seeds, 2000)
        elements = [slurm.element_of(line) for line in lines]
        found = [element for element in elements if element]
        self.assertTrue(0 < len(found) < len(lines))
        for element in found:
            self.assertTrue(element.job_id.isdigit() and element.index is None or element.index >= 0)
            self.assertIn(element.in_queue, (True, False))
        launch = results_tree.Launch("/o/launches/20261122T151800.123456Z", {"workflow": "csa"})
        conflicts.elements_of(launch, found)

    def test_what_sbatch_prints(self):
        seeds = ["409", "409;cluster", "Welcome to the cluster\n\n409;cluster\n", "sbatch: lua: hello\n12"]
        outcomes = self.assert_only(slurm.SlurmError, slurm.job_id_of, seeds + mutated_texts(seeds, 2000), str.isdigit)
        self.assertEqual(outcomes, {"result", "error"})


class TaskLinesTest(FuzzCase):
    """Lines of a .tasks file, through the runner's own tokeniser."""

    def test_quoted_words_arrive_and_mutated_lines_are_words_or_refused(self):
        rng = random.Random(5)
        bits = [bit for bit in BITS if bit.isprintable() and len(bit) < 100] + ["x y", "*", "~", "$HOME", "<", ">", "(", "!"]
        words = [["none"] + ["".join(rng.choice(bits) for _ in range(rng.randint(0, 4))) for _ in range(rng.randint(1, 5))] for _ in range(500)]
        quoted = [task_line(row) for row in words]
        self.assertEqual([words_of_line(line) for line in quoted], words)
        broken = [mutated(rng, line, bits).replace("\\", "") for line in quoted]
        for line in broken:
            try:
                expected = shlex.split(line)
            except ValueError:
                expected = None
            self.assertEqual(words_of_line(line), expected if expected and len(expected) >= 2 else None, line)

    def test_mutated_lines_run_nothing_but_the_script(self):
        rng = random.Random(6)
        bits = [bit for bit in BITS if "\n" not in bit and "\0" not in bit and bit.isprintable() and len(bit) < 100]
        lines = [mutated(rng, "none stage.py --epochs 5 --input_dir x", bits) + f" --output_dir {self.path('o')}" for _ in range(60)]
        with open("t.tasks", "w", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in lines))
        for index in range(len(lines)):
            done = subprocess.run(["bash", RUN_MODEL, "--task", "t.tasks", str(index)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  env=dict(self.environment, LATENCY_WAIT="0"), timeout=60)
            self.assertIn(done.returncode, (1, 2, 127), lines[index])
            self.assertNotIn(b"run_model.sh: line", done.stderr, lines[index])
        self.assertEqual(sorted(os.listdir(self.work)), ["o", "t.tasks"])
