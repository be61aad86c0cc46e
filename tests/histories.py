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
import json
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests import keeper
from tests.support import (CLEAN, PATIENCE, REPOSITORY, RUN_MODEL, WorkCase, wait_for,
                           write_benchmark)

MOST_LAUNCHES = 6       # of the same command, until it has nothing to do
STAMP = re.compile(r"\b\d+\.\d{6}\.[^,\n]+")      # names an attempt
LAUNCHES = ((), (), ("--fuse",), ("--redo", "preprocess"), ("--redo", "train"), ("--redo", "infer"),
            ("--replace",), ("--replace", "--fuse"))
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


class History(WorkCase):
    """One campaign in a directory of its own, and what happens to it."""
    maxDiff = None

    def __init__(self, seed, cluster=None):
        super().__init__()
        self.setUp()
        self.rng, self.cluster, self.told = random.Random(seed), cluster, []
        self.epochs, self.edited = 1, None
        self.environment = dict(CLEAN, LATENCY_WAIT="2", STARTS=self.path("starts.txt"),
                                **({"SLURM_CONF": cluster.configuration} if cluster else {}))
        write_benchmark(self.path("raw"), ("A", "B"), splits=1)
        for stage, body in STAGES.items():
            self.write(f"model/tell_{stage}_improve.py", MODEL + body)

    def texts(self, pattern):
        """{path: content} of files in the directory."""
        return {path: path.read_text() for path in sorted(Path(self.work).glob(pattern))}

    # ---- commands

    def command(self, *more, out="out"):
        is_local = self.cluster is None or out == "fresh"
        where = ["local", "--jobs", "2"] if is_local else ["slurm", "--wait"]
        return [sys.executable, f"{REPOSITORY}/workflow_csa.py", "--model", "tell", "--model_dir",
                "model", "--input_dir", "raw", "--output_dir", out, "--epochs", str(self.epochs),
                "--executor", *where, *more]

    def give(self, *command):
        """How a command ended, after all that it has started."""
        ended = self.run_command(*command)
        self.settle()
        return ended

    def settle(self):
        """Waits until nothing of this history runs or waits in the queue."""
        if self.cluster:
            self.cluster.wait_until_empty()
        wait_for(lambda: not self.processes(), "the end of a history's processes")

    def processes(self):
        return sorted(keeper.marked(self.work.encode()))     # in STARTS

    # ---- what may happen

    def random_launch(self):
        """Returns the command of a launch; --replace comes with other epochs."""
        more = self.rng.choice(LAUNCHES)
        self.epochs = self.rng.choice([1, 2, 3]) if "--replace" in more else self.epochs
        self.told.append(f"    --epochs {self.epochs} {' '.join(more)}")
        return self.command(*more)

    def launch(self):
        return self.give(*self.random_launch()).code

    def disturbed_launch(self):
        """A launch, and something that happens at a moment of its first two seconds."""
        launcher = self.start(*self.random_launch())
        time.sleep(self.rng.random() * 2)
        self.take_one_of(self.kill, self.kill, self.cancel, self.edit)
        launcher.communicate(timeout=PATIENCE)
        self.settle()

    def kill(self):
        """The launcher or a process that it has started."""
        pids = self.processes()
        if pids:
            keeper.end(self.rng.choice(pids), self.rng.choice([signal.SIGKILL, signal.SIGTERM]))

    def cancel(self):
        self.run_command(*self.command("--cancel"))

    def edit(self):
        """Adds a row to a split file, or takes it away again."""
        if self.edited:
            (path, text), self.edited = self.edited, None
        else:
            path, text = self.edited = self.rng.choice(
                list(self.texts("raw/splits/*_split_0_*.txt").items()))
            text += "3\n"
        path.write_text(text)

    def by_hand(self):
        """A line of any launch again, also of one with other epochs."""
        lines = [(str(path), str(index))
                 for path, text in self.texts("out/launches/*/*.tasks").items()
                 for index, line in enumerate(text.split("\n")) if line.strip()]
        if lines:
            self.give("bash", RUN_MODEL, "--task", *self.rng.choice(lines))

    def delete_data(self):
        shutil.rmtree(self.path("out/ml_data"), ignore_errors=True)

    def take_one_of(self, *steps):
        step = self.rng.choice(steps)
        self.told.append(step.__name__)
        return step()

    # ---- what must hold

    def happen(self):
        """Takes a random step; returns the exit code of a launch that nothing disturbed."""
        code = self.take_one_of(self.launch, self.launch, *[self.disturbed_launch] * 4, self.edit,
                                self.edit, self.by_hand, self.delete_data)
        plans = self.plans()
        self.epochs = plans[-1]["arguments"]["epochs"] if plans else 1
        return code

    def agree(self, launched=None):
        """--status, missing.csv, the same command and the launch's exit code say the same."""
        status = self.give(*self.command("--status", "--json"))
        if not status.out:
            return      # no launch has written a plan yet
        not_done = {task["name"] for task in json.loads(status.out)["tasks"]
                    if task["state"] != "done"}
        self.collect("out", "--output_dir", "look")
        table = self.read("look/missing.csv").splitlines()[1:]
        self.assertEqual({line.partition(",")[0] for line in table},
                         {name for name in not_done if name.startswith("infer/")})
        again = self.give(*self.command("--replace", "--dry_run"))
        is_done = {"--status": status.code == 0, "all states": not not_done,
                   "the same command": "nothing is started" not in again.out,
                   **({"the launch": launched == 0} if launched in (0, 1) else {})}
        self.assertEqual(len(set(is_done.values())), 1, f"{is_done} {not_done}\n{again}")

    def tables(self, out):
        return {path.name: STAMP.sub("STAMP", text)
                for path, text in self.texts(f"{out}/scores/*.csv").items()}

    def finish(self):
        """The same command until it starts nothing, then its tables beside a fresh run's."""
        for _ in range(MOST_LAUNCHES):
            starts = self.texts("starts.txt")
            ended = self.give(*self.command("--replace"))
            self.agree(ended.code)
            if ended.code == 0 and starts == self.texts("starts.txt"):
                break
        else:
            self.fail(f"the same command always has something to do: {ended}")
        self.assertEqual(self.give(*self.command(out="fresh")).code, 0)
        self.assertEqual(self.tables("out"), self.tables("fresh"))

    def check(self):
        """Returns '' if this history held, else what happened and what did not hold."""
        try:
            for _ in range(self.rng.randint(2, 6)):
                self.agree(self.happen())
            self.finish()
            return ""
        except (AssertionError, RuntimeError, subprocess.TimeoutExpired) as broken:     # it hangs
            return "\n".join([*self.told, str(broken)])
        finally:
            for pid in self.processes():
                keeper.end(pid)
            self.doCleanups()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, metavar="N", help="how many (20)")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the first seed (0)")
    parser.add_argument("--slurm", action="store_true", help="on the tests' own Slurm cluster")
    options = parser.parse_args()
    cluster, broken = None, 0
    if options.slurm:
        from tests.cluster import slurm_cluster     # needs root, Slurm and munge
        cluster = slurm_cluster.shared()
    for seed in range(options.first, options.first + options.seeds):
        text = History(seed, cluster).check()
        broken += bool(text)
        print(f"seed {seed}: " + (f"does not hold\n{text}" if text else "holds"), flush=True)
    print(f"{options.seeds - broken} of {options.seeds} hold")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
