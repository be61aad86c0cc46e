"""Random histories of a campaign: whatever was done to it, its tables are those of a fresh run, or a note has said why not.

    seed -> launches, changed data, arguments, scripts, moved folders, kills, deletions -> tables, beside a fresh run's

HISTORIES=200 python3 -m unittest tests.local.test_histories      # the whole fuzz; seeds that found something are in SEEDS
"""
import glob
import os
import random
import shutil
import subprocess
import sys
import time
import unittest

from tests.support import REPOSITORY, WorkCase, write_benchmark

SEEDS = [0, 1002, 1034]
MORE = range(1000, 1000 + int(os.environ.get("HISTORIES", "0")))

# A model whose scores tell everything that it was made from.
STAGE = """
import os, sys, zlib
VERSION = 1
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
out = given["--output_dir"]
def digest(*parts):
    return zlib.crc32(repr(parts).encode()) % 9973 / 9973.0
def read(*path):
    with open(os.path.join(*path)) as file:
        return file.read()
def write(name, text):
    with open(os.path.join(out, name), "w") as file:
        file.write(text)
def scores(value):
    return '{"mse": %r, "rmse": 0.5, "pcc": 0.5, "scc": 0.5, "r2": %r}' % (value, value)
"""
BODIES = {
    "preprocess": """
rows = read(given["--input_dir"], "y_data", "response.tsv").split("\\n")
for part in ("train", "val", "test"):
    ids = read(given["--input_dir"], "splits", given["--%s_split_file" % part]).split()
    write(part + "_y_data.csv", "auc\\n%r\\n" % digest(VERSION, given.get("--scale"), [rows[int(i) + 1] for i in ids]))
""",
    "train": """
if os.environ.get("FAIL_TRAIN", "no") in out:
    sys.exit("told to fail")
value = digest(VERSION, given.get("--epochs"), read(given["--input_dir"], "train_y_data.csv"), read(given["--input_dir"], "val_y_data.csv"))
write("weights.bin", repr(value))
write("val_scores.json", scores(value))
write("val_y_data_predicted.csv", "auc_true,auc_pred\\n0.1,0.2\\n0.3,0.1\\n")
""",
    "infer": """
value = digest(VERSION, read(given["--input_model_dir"], "weights.bin"), read(given["--input_data_dir"], "test_y_data.csv"))
write("test_scores.json", scores(value))
write("test_y_data_predicted.csv", "auc_true,auc_pred\\n0.1,0.2\\n0.3,0.1\\n")
""",
}


class History:
    """One campaign and what is done to it."""

    def __init__(self, case, seed):
        self.case, self.rng, self.said = case, random.Random(seed), []
        self.out, self.model, self.raw, self.adopted = "out", "model", "raw", False
        self.epochs, self.scale, self.serial = None, None, 0
        write_benchmark(case.path("raw"), ("A", "B"), splits=1)
        os.makedirs(case.path("model"))
        for stage, body in BODIES.items():
            case.write(f"model/tell_{stage}_improve.py", STAGE + body)

    def arguments(self, out=None):
        words = ["--model", "tell", "--model_dir", self.model, "--input_dir", self.raw, "--output_dir", out or self.out,
                 "--executor", "local", "--jobs", "2"]
        words += ["--epochs", str(self.epochs)] if self.epochs else []
        return words + (["--preprocess_args", f"--scale {self.scale}"] if self.scale else [])

    def launch(self, *more, out=None, **settings):
        ended = self.case.run_workflow("csa", *self.arguments(out), *more, LATENCY_WAIT="2", **settings)
        self.case.assertNotIn("Traceback", ended.err, self.told())
        self.said.append(f"{' '.join(more)} -> {ended.code}")
        return ended

    def told(self):
        return "\n".join(self.said)

    def do(self, name):
        self.said.append(name)
        getattr(self, name)()

    # ---- what may happen

    STEPS = ("run", "run_a_part", "run_a_part", "change_epochs", "change_epochs", "change_scale", "change_data", "change_split",
             "change_script", "move_results", "move_model", "copy_results", "kill", "kill", "fail", "redo", "delete_data",
             "delete_infer", "delete_weights", "delete_status", "adopt")

    def run(self):
        self.launch()

    def run_a_part(self):
        self.launch("--source", self.rng.choice("AB"), "--target", self.rng.choice("AB"))

    def change_epochs(self):
        self.epochs = self.rng.choice([None, 2, 3])
        self.launch(*self.rng.choice([("--replace",), ()]), *self.rng.choice([("--target", "A"), ()]))

    def change_scale(self):
        self.scale = self.rng.choice([None, 1, 2])
        self.launch(*self.rng.choice([("--replace",), ()]), *self.rng.choice([("--target", "B"), ()]))

    def change_data(self):
        path = self.case.path(self.raw, "y_data/response.tsv")
        with open(path) as file:
            lines = file.read().split("\n")
        row = self.rng.randrange(1, 21)
        self.serial += 1
        lines[row] += str(self.serial)
        self.case.write(path, "\n".join(lines))
        self.launch(*self.rng.choice([(), ("--redo", "preprocess"), ("--redo", "preprocess", "--target", "A")]))

    def change_split(self):
        path = self.case.path(self.raw, "splits", f"{self.rng.choice('AB')}_split_0_{self.rng.choice(['train', 'val', 'test'])}.txt")
        with open(path) as file:
            ids = file.read().split()
        self.case.write(path, "".join(f"{i}\n" for i in ids[:-1] or [self.rng.choice(["0", "1", "10", "11"])]))

    def change_script(self):
        stage = self.rng.choice(list(BODIES))
        self.serial += 1
        self.case.write(f"{self.model}/tell_{stage}_improve.py", STAGE.replace("VERSION = 1", f"VERSION = {self.serial}") + BODIES[stage])

    def move_results(self):
        self.rename("out")

    def move_model(self):
        self.rename("model")

    def rename(self, kind):
        old, self.serial = getattr(self, kind), self.serial + 1
        if os.path.exists(self.case.path(old)):
            os.rename(self.case.path(old), self.case.path(f"{kind}{self.serial}"))
            setattr(self, kind, f"{kind}{self.serial}")

    def copy_results(self):
        if os.path.exists(self.case.path(self.out)):
            self.serial += 1
            shutil.copytree(self.case.path(self.out), self.case.path(f"out{self.serial}"))
            self.out = f"out{self.serial}"

    def kill(self):
        """kill -9 of the launcher, and half the time of all it has started."""
        process = self.case.start(sys.executable, os.path.join(REPOSITORY, "workflow_csa.py"), *self.arguments(), "--replace", LATENCY_WAIT="2")
        time.sleep(self.rng.random() * 1.5)
        process.kill()
        if self.rng.random() < 0.5:
            subprocess.call(["pkill", "-9", "-f", self.case.path(self.out) + "/"])
        process.communicate()
        deadline = time.time() + 60
        while time.time() < deadline and subprocess.call(["pgrep", "-f", self.case.path(self.out) + "/"], stdout=subprocess.DEVNULL) == 0:
            time.sleep(0.1)

    def fail(self):
        self.launch("--replace", FAIL_TRAIN=f"models/{self.rng.choice('AB')}")

    def redo(self):
        self.launch("--redo", self.rng.choice(["preprocess", "train", "infer"]))

    def delete(self, pattern):
        found = sorted(glob.glob(self.case.path(self.out, pattern)))
        if found:
            path = self.rng.choice(found)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)

    def delete_data(self):
        self.delete(self.rng.choice(["ml_data", "ml_data/*", "ml_data/*/*/train_y_data.csv"]))

    def delete_infer(self):
        self.delete("infer/*/split_0")

    def delete_weights(self):
        self.delete("models/*/split_0/weights.bin")

    def delete_status(self):
        self.delete("infer/*/split_0/stage_status.json")
        self.launch("--redo", "infer")

    def adopt(self):
        """As IMPROVE's own scripts leave a tree."""
        if self.rng.random() < 0.3 and os.path.isdir(self.case.path(self.out, "launches")):
            for path in glob.glob(self.case.path(self.out, "**/stage_status.json"), recursive=True):
                os.unlink(path)
            shutil.rmtree(self.case.path(self.out, "launches"))
            self.adopted = True
            self.launch("--adopt")

    # ---- the end

    def finish(self):
        """The same command until all is done, each refusal answered by its way out; whether a note says that the scores may differ."""
        notes = ""
        for more in ((), ("--replace",), ("--redo", "preprocess"), ("--redo", "preprocess", "--replace"), ()):
            ended = self.launch("--retry_failed", *more)
            notes += ended.out
            if ended.code == 0:
                break
        self.case.assertEqual(ended.code, 0, f"{self.told()}\n{ended}")
        return "script has changed since" in ended.out or self.adopted

    def scores(self, out):
        with open(self.case.path(out, "scores/all_scores.csv")) as file:
            return sorted(file.read().split())


class HistoriesTest(WorkCase):
    def test_after_any_history_the_tables_are_those_of_a_fresh_run_or_a_note_says_why_not(self):
        for seed in [*SEEDS, *MORE]:
            with self.subTest(seed=seed):
                self.work = os.path.join(os.path.dirname(self.work), f"{os.path.basename(self.work).split('+')[0]}+{seed}")
                os.makedirs(self.work)
                self.addCleanup(shutil.rmtree, self.work, ignore_errors=True)
                self.check(History(self, seed))
                shutil.rmtree(self.work, ignore_errors=True)

    def check(self, history):
        history.run()
        for _ in range(history.rng.randint(2, 6)):
            history.do(history.rng.choice(History.STEPS))
        noted = history.finish()
        self.assertEqual(history.launch(out="fresh").code, 0, history.told())
        if not noted:
            self.assertEqual(history.scores(history.out), history.scores("fresh"), history.told())
        again = history.launch()
        self.assertIn("10 done already, 0 to run", again.out, history.told())


if __name__ == "__main__":
    unittest.main()
