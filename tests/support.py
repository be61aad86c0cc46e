"""support: what the tests share: a tiny benchmark, the toy model, launchers as subprocesses."""
import csv
import fcntl
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import zlib
from pathlib import Path
from typing import NamedTuple

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
STAGES = os.path.join(REPOSITORY, "stages")
TOY_MODEL = os.path.join(REPOSITORY, "tests", "toy_model")
TOY = ("--model", "toy", "--model_dir", TOY_MODEL, "--input_dir", "raw", "--output_dir", "out")
RUN_MODEL = os.path.join(REPOSITORY, "run_model.sh")
PROJECT = ("run_model.sh", "core", "launcher", "stages", "slurm_templates", "workflow_csa.py",
           "workflow_lca.py", "workflow_hpo.py")
# Tests choose where tasks run; nothing of the shell that started them may.
CLEAN = {name: value for name, value in os.environ.items()
         if not name.startswith(("SLURM_", "SBATCH_", "TOY_"))}
PATIENCE = 600      # seconds: a real cluster beside other tests on two cores is slow


def write_benchmark(directory, studies, splits=2, rows=10):
    """Writes a benchmark of a few rows: `rows` for each study, in splits of 8:1:1."""
    for name in ("splits", "y_data"):
        os.makedirs(os.path.join(directory, name))
    lines = ["source\timprove_sample_id\timprove_chem_id\tstudy\tauc"]
    for place, study in enumerate(studies):
        lines += [f"{study}\tcell{row % 5}\tdrug{row % 3}\t{study}\t{(place + row) % 10 / 10}"
                  for row in range(rows)]
        ids = list(range(place * rows, (place + 1) * rows))
        write_ids(directory, f"{study}_all.txt", ids)
        for split in range(splits):
            turned = ids[split:] + ids[:split]
            parts = {"train": turned[:-2], "val": turned[-2:-1], "test": turned[-1:]}
            for part, chosen in parts.items():
                write_ids(directory, f"{study}_split_{split}_{part}.txt", chosen)
    Path(directory, "y_data", "response.tsv").write_text("\n".join(lines) + "\n")
    return directory


def write_ids(directory, name, ids):
    Path(directory, "splits", name).write_text("".join(f"{row}\n" for row in ids))


def wait_for(condition, what, explain=lambda: ""):
    """Returns once the condition is true; RuntimeError, with what explain() says, if never."""
    deadline = time.time() + PATIENCE
    while not condition():
        if time.time() > deadline:
            raise RuntimeError(f"{what} did not come in {PATIENCE} s {explain()}")
        time.sleep(0.05)


def finished_campaign(*arguments, splits=2):
    """The directory in which run_toy(*arguments) has run well, once for the tests of all lanes."""
    case, number = WorkCase(), zlib.crc32(repr((arguments, splits)).encode())
    case.work = os.path.join(os.path.realpath(tempfile.gettempdir()), f"work.{number:08x}")
    with open(f"{case.work}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(case.path("out/report.html")):
            write_benchmark(case.path("raw"), ("A", "B"), splits)
            case.run_toy(*arguments, code=0)
    return case.work


class Ended(NamedTuple):
    """How a command ended: its exit code and what it printed."""
    code: int
    out: str
    err: str

    def __repr__(self):
        return f"exit code {self.code}\n{self.out}\n{self.err}"


class WorkCase(unittest.TestCase):
    """A test with a directory of its own that is also the working directory of its commands."""
    environment = CLEAN

    def setUp(self):
        self.work = os.path.realpath(tempfile.mkdtemp(prefix="work."))
        self.addCleanup(shutil.rmtree, self.work, ignore_errors=True)

    # ---- files

    def path(self, *parts):
        return os.path.join(self.work, *parts)

    def read(self, *parts):
        return Path(self.path(*parts)).read_text(encoding="utf-8")

    def write(self, name, text):
        """Writes a file, and the folders above it."""
        path = Path(self.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def write_program(self, name, text):
        self.write(name, text)
        os.chmod(self.path(name), 0o755)

    def have_project(self, folder="project"):
        """A copy of what people copy."""
        os.makedirs(self.path(folder), exist_ok=True)
        for name in PROJECT:
            source = os.path.join(REPOSITORY, name)
            copy = shutil.copytree if os.path.isdir(source) else shutil.copy
            copy(source, self.path(folder, name))

    def have_toy(self, *arguments):
        """raw/ and out/ as run_toy(*arguments) leaves them, without the time that it takes."""
        finished = finished_campaign(*arguments)

        def renamed(source, target):
            """A file with its time; the paths in it become those of this directory, as long."""
            content = Path(source).read_bytes()
            Path(target).write_bytes(content.replace(finished.encode(), self.work.encode()))
            shutil.copystat(source, target)
        shutil.rmtree(self.work)
        shutil.copytree(finished, self.work, copy_function=renamed)

    # ---- commands

    def start(self, *command, **settings):
        # In a shell's background the tests, and all that they start, would ignore ^C.
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.work,
            env=dict(self.environment, **settings), universal_newlines=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        return process

    def run_command(self, *command, code=None, **settings):
        """How a command ended, without a traceback; code: the exit code that it has to have."""
        process = self.start(*command, **settings)
        out, err = process.communicate(timeout=PATIENCE)
        ended = Ended(process.returncode, out, err)
        self.assertIn(code, (None, ended.code), ended)
        self.assertNotIn("Traceback", err, ended)
        return ended

    def run_workflow(self, name, *arguments, folder=REPOSITORY, **settings):
        script = os.path.join(folder, f"workflow_{name}.py")
        return self.run_command(sys.executable, script, *arguments, **settings)

    def run_toy(self, *arguments, workflow="csa", **settings):
        """A workflow of the toy model on the tiny benchmark in raw/, tables in out/."""
        if not os.path.isdir(self.path("raw")):
            write_benchmark(self.path("raw"), ("A", "B"))
        return self.run_workflow(workflow, *TOY, *arguments, **settings)

    def collect(self, *arguments, **settings):
        script = os.path.join(STAGES, "collect_scores.py")
        return self.run_command(sys.executable, script, *arguments, **settings)

    def assert_refused(self, ended, *parts):
        """Exit code 2, one sentence and a hint."""
        self.assertEqual(ended.code, 2, ended)
        for part in parts:
            self.assertIn(part, ended.err)

    # ---- results

    def starts(self):
        """[(seconds, stage, task name)] of the starts of the toy model."""
        rows = [line.split(None, 2) for line in self.read("starts.txt").splitlines()]
        return [(float(seconds), stage, os.path.relpath(directory, self.path("out")))
                for seconds, stage, directory in rows]

    def started(self):
        """Names of the tasks that the toy model has started, sorted."""
        is_there = os.path.exists(self.path("starts.txt"))
        return sorted(name for _, _, name in self.starts()) if is_there else []

    def status(self):
        """(exit code of --status, {task name: (state, reason)})"""
        ended = self.run_toy("--status", "--json")
        return ended.code, {task["name"]: (task["state"], task["reason"])
                            for task in json.loads(ended.out)["tasks"]}

    def status_of(self, name):
        return json.loads(self.read("out", name, "stage_status.json"))

    def table(self, name):
        with open(self.path("out", "scores", name), encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def score_values(self):
        return {(row["met"], row["src"], row["trg"], row["split"]): row["value"]
                for row in self.table("all_scores.csv")}

    def plans(self):
        return [json.loads(self.read(path))
                for path in sorted(glob.glob(self.path("out/launches/*/plan.json")))]
