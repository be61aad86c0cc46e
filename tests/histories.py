"""histories: random histories of a campaign, whose tables must end as those of a fresh run.

    seed -> small benchmark, small model -> launches, --redo, --replace, kills, --cancel, edits, ...
         -> after each: --status, missing.csv and the same command agree
         -> the same command until it has nothing to do -> tables, beside a fresh run's

Examples:
    python3 -m tests.histories --seeds 200              # local, an hour
    python3 -m tests.histories --seeds 30 --slurm       # on the tests' own cluster
    python3 -m tests.histories --first 17 --seeds 1     # one history again

Knows the product by its command line and documented files only. A seed draws what happens and
when; what a kill hits at that moment depends on the machine, so a failing seed may hold next time.
Exit code: 0 every history held, 1 some did not.
"""
import argparse
import glob
import json
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests import keeper
from tests.support import (CLEAN, PATIENCE, REPOSITORY, RUN_MODEL, STAGES as PROGRAMS, wait_for,
                           write_benchmark)

MOST_LAUNCHES = 6       # of the same command, until it has nothing to do
STAMP = re.compile(r"\b\d+\.\d{6}\.[^,\n]+")      # names an attempt
SWAPPED = {"/models/A/": "/models/B/", "/models/B/": "/models/A/"}
# A model whose scores tell everything that they were made from; it notes each start in starts.txt.
MODEL = """
import json, os, sys, zlib
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
out, ids = given["--output_dir"], "improve_sample_id,improve_chem_id,"
def digest(*parts):
    return zlib.crc32(repr(parts).encode()) % 9973 / 9973.0
def read(*path):
    with open(os.path.join(*path)) as file:
        return file.read()
def write(name, text, mode="w"):
    with open(os.path.join(out, name), mode) as file:
        file.write(text)
def scores(part, value, data):
    write(part + "_scores.json", json.dumps({"mse": value, "pcc": .5, "scc": .5, "r2": value}))
    write(part + "_y_data_predicted.csv", ids + "auc_true,auc_pred\\n" + "".join(
        "%s,%s\\n" % (row, value) for row in data.split()[1:]))
write(os.environ["STARTS"], out + "\\n", "a")
"""
STAGES = {"preprocess": """
rows = read(given["--input_dir"], "y_data", "response.tsv").split("\\n")
for part in ("train", "val", "test"):
    chosen = read(given["--input_dir"], "splits", given["--%s_split_file" % part]).split()
    cells = [rows[int(i) + 1].split("\\t") for i in chosen]
    write(part + "_y_data.csv", ids + "auc\\n" + "".join(
        "%s,%s,%s\\n" % (row[1], row[2], row[4]) for row in cells))
""", "train": """
data = [read(given["--input_dir"], part + "_y_data.csv") for part in ("train", "val")]
value = digest(given["--epochs"], data)
write("weights.bin", repr(value))
scores("val", value, data[1])
""", "infer": """
data = read(given["--input_data_dir"], "test_y_data.csv")
scores("test", digest(read(given["--input_model_dir"], "weights.bin"), data), data)
"""}


class Broken(Exception):
    """Something that must hold does not."""


class History:
    """One campaign in a directory of its own, and what happens to it."""

    def __init__(self, seed, cluster=None):
        self.rng, self.cluster, self.told = random.Random(seed), cluster, []
        self.epochs, self.originals = 1, {}
        self.work = os.path.realpath(tempfile.mkdtemp(prefix="history."))
        self.environment = dict(CLEAN, LATENCY_WAIT="2", STARTS=self.path("starts.txt"))
        self.environment.update({"SLURM_CONF": cluster.configuration} if cluster else {})
        write_benchmark(self.path("raw"), ("A", "B"), splits=1)
        os.makedirs(self.path("model"))
        for stage, body in STAGES.items():
            Path(self.path("model", f"tell_{stage}_improve.py")).write_text(MODEL + body)

    def path(self, *parts):
        return os.path.join(self.work, *parts)

    def texts(self, pattern):
        """{path: content} of files in the directory."""
        return {path: Path(path).read_text() for path in sorted(glob.glob(self.path(pattern)))}

    # ---- commands

    def command(self, *more, out="out"):
        is_local = self.cluster is None or out == "fresh"
        where = ["local", "--jobs", "2"] if is_local else ["slurm", "--wait"]
        return [sys.executable, os.path.join(REPOSITORY, "workflow_csa.py"), "--model", "tell",
                "--model_dir", "model", "--input_dir", "raw", "--output_dir", out,
                "--epochs", str(self.epochs), "--executor", *where, *more]

    def start(self, *command):
        """Starts a command that prints into a file: a pipe would wait for processes left behind."""
        with open(self.path("printed"), "w") as file:
            return subprocess.Popen(command, cwd=self.work, env=self.environment, stdout=file,
                                    stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

    def run(self, *command):
        """Returns (exit code, what was printed) of a command, after all that it has started."""
        code = self.start(*command).wait(PATIENCE)
        self.settle()
        text = Path(self.path("printed")).read_text()
        if "Traceback" in text:
            raise Broken(f"{' '.join(command)}:\n{text}")
        return code, text

    def settle(self):
        """Waits until nothing of this history runs or waits in the queue."""
        if self.cluster:
            self.cluster.wait_until_empty()
        wait_for(lambda: not self.processes(), "the end of a history's processes")

    def processes(self):
        return sorted(keeper.marked(self.work.encode()))     # in STARTS

    # ---- what may happen

    def action(self):
        """Returns the command of a launch; --replace comes with other epochs."""
        more = self.rng.choice([(), (), ("--fuse",), ("--redo", "preprocess"), ("--redo", "train"),
                                ("--redo", "infer"), ("--replace",), ("--replace", "--fuse")])
        self.epochs = self.rng.choice([1, 2, 3]) if "--replace" in more else self.epochs
        self.told.append(f"    --epochs {self.epochs} {' '.join(more)}")
        return self.command(*more)

    def launch(self):
        return self.run(*self.action())[0]

    def disturb(self, happening):
        """A launch, and something that happens at a moment of its first two seconds."""
        launcher = self.start(*self.action())
        time.sleep(self.rng.random() * 2)
        happening(launcher)
        launcher.wait(PATIENCE)
        self.settle()

    def kill(self):
        """The launcher, its first process or its last one."""
        def happening(launcher):
            started = [pid for pid in self.processes() if pid != launcher.pid]
            victim = self.rng.choice([launcher.pid, *started[:1], *started[-1:]])
            keeper.end(victim, self.rng.choice([signal.SIGKILL, signal.SIGTERM]))
        self.disturb(happening)

    def cancel(self):
        self.disturb(lambda launcher: self.start(*self.command("--cancel")).wait())

    def edit_while_it_runs(self):
        self.disturb(lambda launcher: self.edit())

    def edit(self):
        """Adds a row to a split file, or takes it away again."""
        files = self.texts("raw/splits/*_split_0_*.txt")
        path = self.rng.choice([*files, *6 * list(self.originals)])
        if path in self.originals:
            Path(path).write_text(self.originals.pop(path))
        else:
            self.originals[path] = files[path]
            Path(path).write_text(files[path] + self.rng.choice(["0\n", "3\n", "11\n", "17\n"]))

    def by_hand(self):
        """A line of any launch again, half the time an inference with the other study's model."""
        is_other = self.rng.random() < 0.5
        lines = [(path, index, line) for path, text in self.texts("out/launches/*/*.tasks").items()
                 for index, line in enumerate(text.split("\n"))
                 if line.strip() and ("_infer_" in line or not is_other)]
        if lines:
            path, index, line = self.rng.choice(lines)
            turned = re.sub("/models/[AB]/", lambda it: SWAPPED[it.group()], line)
            self.run("bash", RUN_MODEL, *(shlex.split(turned) if is_other
                                          else ["--task", path, str(index)]))

    def delete_data(self):
        for path in glob.glob(self.path(self.rng.choice(["out/ml_data", "out/ml_data/A-*"]))):
            shutil.rmtree(path)

    STEPS = (launch, launch, kill, kill, cancel, edit, edit_while_it_runs, by_hand, delete_data)

    # ---- what must hold

    def happen(self):
        """Takes a random step; returns the exit code of a launch that nothing disturbed."""
        step, epochs = self.rng.choice(self.STEPS), self.epochs
        plans = self.texts("out/launches/*/plan.json").keys()
        self.told.append(step.__name__)
        code = step(self)
        if self.texts("out/launches/*/plan.json").keys() == plans:
            self.epochs = epochs        # no plan knows of others
        return code

    def agree(self, launched=None):
        """Broken if --status, missing.csv, the same command and the launch's exit code differ."""
        code, text = self.run(*self.command("--status", "--json"))
        found = re.search(r"^\{.*^\}", text, re.DOTALL | re.MULTILINE)     # beside warnings
        tasks = json.loads(found.group())["tasks"] if found else []
        not_done = {task["name"]: task["state"] for task in tasks if task["state"] != "done"}
        results = {name for name in not_done if name.startswith("infer/")}
        self.run(sys.executable, os.path.join(PROGRAMS, "collect_scores.py"), "out",
                 "--output_dir", "look")
        missing = {line.partition(",")[0] for text in self.texts("look/missing.csv").values()
                   for line in text.splitlines()[1:]}
        before = self.texts("out/launches/*/*.tasks")
        dry, planned = self.run(*self.command("--replace", "--dry_run"))
        to_run = [line for path, text in self.texts("out/launches/*/*.tasks").items()
                  if path not in before for line in text.split("\n") if line]
        answers = {code == 0, bool(tasks) and not not_done, not (missing or dry or to_run)}
        answers |= {launched == 0} if launched in (0, 1) else set()
        if len(answers) > 1 or tasks and results != missing:
            raise Broken(f"--status: {code} {not_done}; missing.csv: {missing}; the same command: "
                         f"{dry} {len(to_run)} lines ({planned[:500]}); the launch: {launched}")

    def tables(self, out):
        return {os.path.basename(path): STAMP.sub("STAMP", text)
                for path, text in self.texts(f"{out}/scores/*.csv").items()}

    def finish(self):
        """The same command until it starts nothing, then its tables beside a fresh run's."""
        for _ in range(MOST_LAUNCHES):
            starts = self.texts("starts.txt")
            code, text = self.run(*self.command("--replace"))
            self.told.append(f"the same command: {code}")
            self.agree(code)
            if code == 0 and starts == self.texts("starts.txt"):
                break
        else:
            raise Broken(f"the same command always has something to do:\n{text}")
        code, text = self.run(*self.command(out="fresh"))
        found, fresh = self.tables("out"), self.tables("fresh")
        if code or found != fresh:
            raise Broken("tables differ from a fresh run's:\n" + "\n".join(
                f"{name}:\n{found.get(name)}\nfresh:\n{fresh.get(name)}"
                for name in sorted({*found, *fresh}) if found.get(name) != fresh.get(name)))

    def check(self):
        """Returns '' if this history held, else what happened and what did not hold."""
        try:
            for _ in range(self.rng.randint(2, 6)):
                self.agree(self.happen())
            self.finish()
            return ""
        except (Broken, RuntimeError, subprocess.TimeoutExpired) as broken:     # the latter hang
            return "\n".join([*self.told, str(broken)])
        finally:
            for pid in self.processes():
                keeper.end(pid)
            shutil.rmtree(self.work, ignore_errors=True)


def main(argv=None):
    parser = argparse.ArgumentParser(prog="histories", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, metavar="N", help="how many (20)")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the first seed (0)")
    parser.add_argument("--slurm", action="store_true", help="on the tests' own Slurm cluster")
    options = parser.parse_args(argv)
    cluster, broken = None, []
    if options.slurm:
        from tests.cluster import slurm_cluster     # needs root, Slurm and munge
        cluster = slurm_cluster.shared()
    for seed in range(options.first, options.first + options.seeds):
        text = History(seed, cluster).check()
        broken += [seed] if text else []
        print(f"seed {seed}: " + (f"does not hold\n{text}" if text else "holds"), flush=True)
    print(f"{options.seeds - len(broken)} of {options.seeds} hold; broken: {broken}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
