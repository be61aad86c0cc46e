"""support: what the tests share: a tiny benchmark, the toy model, launchers as subprocesses."""
import atexit
import csv
import functools
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

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
STAGES = os.path.join(REPOSITORY, "stages")
TOY_MODEL = os.path.join(REPOSITORY, "tests", "toy_model")
PROJECT = ("run_model.sh", "launcher", "stages", "slurm_templates", "workflow_csa.py", "workflow_lca.py", "workflow_hpo.py")
RUN_MODEL = os.path.join(REPOSITORY, "run_model.sh")
RESPONSE_HEADER = "source\timprove_sample_id\timprove_chem_id\tstudy\tauc\n"
# Tests choose where tasks run; nothing of the shell that started them may.
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "SBATCH_", "TOY_"))}


def write_benchmark(directory, studies, splits=2, rows=10):
    """A benchmark of a few rows: every study has `rows` rows, and splits of 8:1:1."""
    for name in ("splits", "y_data"):
        os.makedirs(os.path.join(directory, name))
    with open(os.path.join(directory, "y_data", "response.tsv"), "w", encoding="utf-8") as file:
        file.write(RESPONSE_HEADER)
        for place, study in enumerate(studies):
            for row in range(rows):
                file.write(f"{study}\tcell{row % 5}\tdrug{row % 3}\t{study}\t{(place + row) % 10 / 10}\n")
    for place, study in enumerate(studies):
        ids = list(range(place * rows, (place + 1) * rows))
        write_ids(directory, f"{study}_all.txt", ids)
        for split in range(splits):
            turned = ids[split:] + ids[:split]
            for part, chosen in (("train", turned[:-2]), ("val", turned[-2:-1]), ("test", turned[-1:])):
                write_ids(directory, f"{study}_split_{split}_{part}.txt", chosen)
    return directory


def write_ids(directory, name, ids):
    with open(os.path.join(directory, "splits", name), "w", encoding="utf-8") as file:
        file.write("".join(f"{i}\n" for i in ids))


class Ended:
    """How a command ended: its exit code and what it printed."""

    def __init__(self, process, out, err):
        self.code, self.out, self.err = process.returncode, out, err

    def __repr__(self):
        return f"exit code {self.code}\n{self.out}\n{self.err}"


@functools.lru_cache(maxsize=None)
def finished_campaign(*arguments):
    """The directory in which run_toy(*arguments) has run well, once in a test process."""
    case = WorkCase()
    case.setUp()
    atexit.register(shutil.rmtree, case.work, ignore_errors=True)
    ended = case.run_toy(*arguments)
    if ended.code:
        raise RuntimeError(repr(ended))
    return case.work


def copy_renamed(source, target):
    """Every file of a tree with its time; what they say of paths in source becomes target, a name as long."""
    if len(source) != len(target):
        raise ValueError(f"{source} and {target} are not of one length: files would change their sizes")
    for folder, _, names in os.walk(source):
        os.makedirs(folder.replace(source, target, 1), exist_ok=True)
        for path in (os.path.join(folder, name) for name in names):
            with open(path, "rb") as file:
                content = file.read().replace(source.encode(), target.encode())
            with open(path.replace(source, target, 1), "wb") as file:
                file.write(content)
            shutil.copystat(path, path.replace(source, target, 1))


PATIENCE = 600      # seconds for whatever a test waits for: a real cluster beside other tests on two cores is slow


def wait_for(condition, what, explain=lambda: ""):
    """Returns once the condition is true; RuntimeError, with what explain() says, if that takes too long."""
    deadline = time.time() + PATIENCE
    while not condition():
        if time.time() > deadline:
            raise RuntimeError(f"{what} did not come in {PATIENCE} s {explain()}")
        time.sleep(0.05)


class WorkCase(unittest.TestCase):
    """A test with a directory of its own that is also the working directory of what it starts."""
    environment = CLEAN

    def setUp(self):
        self.work = os.path.realpath(tempfile.mkdtemp(prefix="work."))
        self.addCleanup(shutil.rmtree, self.work, ignore_errors=True)

    def path(self, *parts):
        return os.path.join(self.work, *parts)

    def read(self, *parts):
        with open(self.path(*parts), encoding="utf-8") as file:
            return file.read()

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def start(self, *command, **settings):
        # A shell that starts the tests in the background has them, and all that they start, ignore ^C.
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.work,
                                   env=dict(self.environment, **settings), universal_newlines=True,
                                   preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        return process

    def run_command(self, *command, **settings):
        process = self.start(*command, **settings)
        try:
            return Ended(process, *process.communicate(timeout=PATIENCE))
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()

    def run_workflow(self, name, *arguments, **settings):
        script = os.path.join(settings.pop("folder", REPOSITORY), f"workflow_{name}.py")
        return self.run_command(sys.executable, script, *arguments, **settings)

    def run_toy(self, *arguments, workflow="csa", **settings):
        """A workflow of the toy model on the tiny benchmark in raw/, tables in out/."""
        if not os.path.isdir(self.path("raw")):
            write_benchmark(self.path("raw"), ("A", "B"))
        return self.run_workflow(
            workflow, "--model", "toy", "--model_dir", TOY_MODEL, "--input_dir", "raw", "--output_dir", "out",
            *arguments, **settings)

    def collect(self, *arguments):
        return self.run_command(sys.executable, os.path.join(STAGES, "collect_scores.py"), *arguments)

    def have_project(self):
        """A copy of what people copy, in project/."""
        for name in PROJECT:
            source, target = os.path.join(REPOSITORY, name), self.path("project", name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            (shutil.copytree if os.path.isdir(source) else shutil.copy)(source, target)

    def have_toy(self, *arguments):
        """raw/ and out/ as run_toy(*arguments) leaves them, without the time that it takes."""
        copy_renamed(finished_campaign(*arguments), self.work)

    def assert_refused(self, ended, *parts):
        """Exit code 2, one sentence and the way out, no traceback."""
        self.assertEqual(ended.code, 2, ended)
        self.assertNotIn("Traceback", ended.err)
        for part in parts:
            self.assertIn(part, ended.err)

    def starts(self, path="starts.txt"):
        """[(seconds, stage, task name)] of what the toy model has started."""
        with open(self.path(path)) as file:
            rows = [line.split(None, 2) for line in file]
        return [(float(seconds), stage, directory.strip()[len(self.path("out")) + 1:]) for seconds, stage, directory in rows]

    def status_of(self, name):
        with open(self.path("out", name, "stage_status.json"), encoding="utf-8") as file:
            return json.load(file)

    def table(self, name):
        with open(self.path("out", "scores", name), encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def score_values(self):
        return {(row["met"], row["src"], row["trg"], row["split"]): row["value"] for row in self.table("all_scores.csv")}

    def plans(self):
        return [json.loads(self.read(path)) for path in sorted(glob.glob(self.path("out/launches/*/plan.json")))]
