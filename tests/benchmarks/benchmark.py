"""benchmark: what the launcher and the runner cost, beside the version before and what others take.

    each row: the same work, ours and a reference, in turns, REPEATS times -> medians and ratios

Usage: python3 -m tests.benchmarks.benchmark [--only PART ...] [--before DIR] [--parsl PYTHON]

Examples:
    git worktree add /tmp/before 2160ce0
    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install parsl
    python3 -m tests.benchmarks.benchmark --before /tmp/before --parsl /tmp/peers/bin/python
    python3 -m tests.benchmarks.benchmark --only first --repeats 1         # whether it works at all

Machines are noisy, so nothing here is a test: what counts are ratios within one run. It prints the
table of docs/benchmarks.md. Rows of Slurm start a cluster of four nodes on this machine (slurm-wlm,
munge, root), with two cores each.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from tests.benchmarks.done_campaign import finish_dry_run
from tests.benchmarks.large_results import make_results
from tests.cluster import slurm_cluster
from tests.support import CLEAN, REPOSITORY, TOY, TOY_MODEL, write_benchmark

STUDIES = ("CCLE", "CTRPv2", "GDSCv1", "GDSCv2", "gCSI")
# of five sources; of a row: 5 targets to preprocess and to infer, a training
TASKS_OF_SPLIT, ROW = 55, 11
BURN = 0.4                          # CPU seconds of a task of the local row
SPLITS = 10                         # of a published CSA: 550 tasks
DONE_STUDIES, DONE_SPLITS = 22, 5   # 22 x 45 x 5 = 4,950 finished tasks
HEADER = "| what | median s | smallest s | peak MB | ratio | must be |"
# Runs a command and writes seconds, peak MB and CPU seconds of all its processes to standard error.
MEASURE = """import resource, subprocess, sys, time
began = time.time()
subprocess.check_call(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
sys.stderr.write('%r %r' % (time.time() - began, used.ru_maxrss / 1024))"""


class Table:
    """Measures and prints rows. A row is (what, function, what it is compared with, what must
    hold)."""

    def __init__(self, repeats):
        self.repeats, self.medians = repeats, {}
        print(HEADER + "\n" + "| --- " * (HEADER.count("|") - 1) + "|", flush=True)

    def measure(self, *rows):
        """Rows in turns, so that what slows the machine for a while slows all. A function returns
        peak MB or None; its time counts."""
        times, peaks = {row[0]: [] for row in rows}, {}
        for _ in range(self.repeats):
            for what, function, *_ in rows:
                began = time.time()
                peaks[what] = function()
                times[what].append(time.time() - began)
        for what, _, *more in rows:
            self.medians[what] = statistics.median(times[what])
            reference, goal = (list(more) + ["", ""])[:2]
            ratio = f"{self.medians[what] / self.medians[reference]:.2f}" if reference else ""
            peak = f"{peaks[what]:.0f}" if peaks[what] else ""
            print(f"| {what} | {self.medians[what]:.2f} | {min(times[what]):.2f} | {peak} | "
                  f"{ratio} | {goal} |", flush=True)


def quietly(*command, environment=CLEAN):
    """Runs a command; returns the peak of its largest process in MB."""
    done = subprocess.run([sys.executable, "-c", MEASURE, *command], stdin=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, env=environment, universal_newlines=True)
    if done.returncode:
        raise SystemExit(f"failed: {' '.join(command)}\n{done.stderr}")
    return float(done.stderr.split()[-1])


def workflow(*arguments, project=REPOSITORY, environment=CLEAN, model=TOY):
    return quietly(sys.executable, os.path.join(project, "workflow_csa.py"), *model,
                   *arguments, environment=environment)


def bare_stage():
    """The line of a batch script that runs a stage by itself. All write the same files."""
    os.makedirs("bare", exist_ok=True)
    script = os.path.join(TOY_MODEL, "toy_train_improve.py")
    return f"{sys.executable} {script} --output_dir {os.path.abspath('bare')}\n"


def anew(function):
    """A function that removes the results before."""
    def run():
        shutil.rmtree("out", ignore_errors=True)
        return function()
    return run


def beside_the_version_before(table, options, what, command, goal):
    """command: project -> None"""
    ours, before = (what, lambda: command(REPOSITORY)), "the same of the version before"
    if options.before:
        table.measure((before, lambda: command(options.before)), (*ours, before, goal))
    else:
        table.measure(ours)


def first(table, options):
    """The README's first command."""
    def command(project):
        return anew(lambda: workflow("--source", "gCSI", "--executor", "local", project=project,
                                     model=("--output_dir", "out")))()
    beside_the_version_before(table, options, "python3 workflow_csa.py --source gCSI", command,
                              "1.1")


def local(table, options):
    """110 tasks of 0.4 s of CPU on two cores, tables and page included, beside bare stages."""
    write_benchmark("raw", STUDIES, splits=2, rows=40)
    environment = dict(CLEAN, TOY_FAULTS=";".join(f"{stage} / burn:{BURN}" for stage in
                                                 ("preprocess", "train", "infer")))
    line = bare_stage()
    tasks = 2 * TASKS_OF_SPLIT
    xargs = f"{tasks} bare stages of {BURN} s of CPU through xargs -P 2"

    def through_xargs():
        subprocess.run(["xargs", "-P", "2", "-L", "1", "env"], input=(line * tasks).encode(),
                       stdout=subprocess.DEVNULL, env=environment, check=True)
    table.measure((xargs, through_xargs), (
        f"{tasks} tasks, --executor local --jobs 2", anew(lambda: workflow(
            "--executor", "local", "--jobs", "2", environment=environment)), xargs, "1.10"))


def slurm(table, options):
    """550 tasks that do nothing on a real cluster, beside arrays that were written by hand."""
    if slurm_cluster.why_not():
        print(f"Slurm is left out: {slurm_cluster.why_not()}")
        return
    write_benchmark("raw", STUDIES, splits=SPLITS, rows=40)
    cluster, rows = slurm_cluster.Cluster(), SPLITS * len(STUDIES)
    stage = bare_stage()

    def by_hand(stages_of_element):
        """Aligned arrays one behind the other, or one array of whole rows."""
        with open("hand.sbatch", "w") as file:
            file.write(f"#!/bin/bash\n#SBATCH --array=0-{rows - 1}\n#SBATCH --output=/dev/null\n"
                       + stage * stages_of_element)
        job = ""
        for _ in range(ROW // stages_of_element):
            waits = [f"--dependency=aftercorr:{job}"] if job else []
            job = cluster.run("sbatch", "--parsable", *waits, "hand.sbatch").strip()
        cluster.wait_until_empty()

    def ours(*more):
        def run():
            workflow("--executor", "slurm", *more, environment=cluster.environment)
            cluster.wait_until_empty()
        return anew(run)

    def through_parsl():
        cluster.restore()
        quietly(options.parsl, os.path.join(REPOSITORY, "tests", "benchmarks", "parsl_rows.py"),
                str(rows), str(ROW), *stage.split(), environment=cluster.environment)
    arrays = f"{ROW} arrays of {rows} bare stages by hand"
    whole, fused = f"one array of {rows} bare rows by hand", f"{rows * ROW} tasks, --fuse"
    parsl = f"{rows * ROW} bare stages through Parsl's pilot jobs"
    try:
        table.measure((arrays, lambda: by_hand(1)), (f"{rows * ROW} tasks", ours(), arrays, "1.1"),
                      (whole, lambda: by_hand(ROW)), (fused, ours("--fuse"), whole, "1.4"),
                      *([(parsl, through_parsl)] if options.parsl else []))
        if options.parsl:
            print(f"| {fused}, beside Parsl | | | | "
                  f"{table.medians[fused] / table.medians[parsl]:.2f} | 0.6 |")
    finally:
        cluster.stop()


def done(table, options):
    """A campaign of 4,950 finished tasks: what the same command and --status take."""
    write_benchmark("raw", [f"S{at:02d}" for at in range(DONE_STUDIES)], splits=DONE_SPLITS)
    local_run = ("--executor", "local")
    anew(lambda: workflow(*local_run, "--dry_run"))()
    tasks = finish_dry_run("out") - 1
    table.measure((f"the same command, {tasks} tasks done", lambda: workflow(*local_run), "",
                   "2.5 s, 120 MB"), (f"--status of {tasks} tasks",
                                      lambda: workflow(*local_run, "--status"), "",
                                      "2.5 s, 120 MB"))


def collect(table, options):
    """The collector on results of 100,000 rows."""
    make_results("results")

    def command(project):
        return quietly(sys.executable, os.path.join(project, "stages", "collect_scores.py"),
                       "results", "--output_dir", "tables")
    beside_the_version_before(table, options, "collector: 250 results of 100,000 rows", command,
                              "0.5")


PARTS = {"first": first, "local": local, "slurm": slurm, "done": done, "collect": collect}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument("--repeats", type=int, default=3, help="of each row (3)")
    parser.add_argument("--before", metavar="DIR",
                        help="a checkout of another version, measured in turns")
    parser.add_argument("--parsl", metavar="PYTHON", help="a Python that has Parsl (left out)")
    options = parser.parse_args(argv)
    options.before = options.before and os.path.abspath(options.before)
    table, work = Table(options.repeats), tempfile.mkdtemp(prefix="benchmark.")
    try:
        for part in options.only:
            os.makedirs(os.path.join(work, part))
            os.chdir(os.path.join(work, part))
            PARTS[part](table, options)
    finally:
        os.chdir(REPOSITORY)
        shutil.rmtree(work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
