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
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.large_results import make_results
from tests.cluster import slurm_cluster
from tests.made_tree import Campaign
from tests.support import CLEAN, REPOSITORY, TOY, TOY_MODEL, write_benchmark

STUDIES = ("CCLE", "CTRPv2", "GDSCv1", "GDSCv2", "gCSI")
# of five sources; of a row: 5 targets to preprocess and to infer, a training
TASKS_OF_SPLIT, ROW = 55, 11
BURN = 0.4                          # CPU seconds of a task of the local row
SPLITS = 10                         # of a published CSA: 550 tasks
DONE_STUDIES, DONE_SPLITS = 22, 5   # 22 x 45 x 5 = 4,950 finished tasks
HEADER = """| what | median s | smallest s | peak MB | ratio | must be |
| --- | --- | --- | --- | --- | --- |"""
# outputs of a finished task, for what decides whether it is done
FILES = {"preprocess": ("train_y_data.csv", "val_y_data.csv", "test_y_data.csv"),
         "train": ("val_scores.json", "val_y_data_predicted.csv"),
         "infer": ("test_y_data_predicted.csv", "test_scores.json"), "collect": ("summary.txt",)}
# Runs a command and writes the peak MB of its largest process to standard error.
MEASURE = """import resource, subprocess, sys
subprocess.check_call(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
sys.stderr.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024))"""


def measure(options, *rows):
    """Measures and prints rows, in turns, so that what slows the machine for a while slows all.

    A row: (what, function, what it is compared with or '', what must hold). A function returns peak
    MB or None; its time counts.
    """
    times, peaks = {row[0]: [] for row in rows}, {}
    for _ in range(options.repeats):
        for what, function, *_ in rows:
            began = time.time()
            peaks[what] = function()
            times[what].append(time.time() - began)
    medians = {what: statistics.median(found) for what, found in times.items()}
    for what, _, reference, goal in rows:
        ratio = f"{medians[what] / medians[reference]:.2f}" if reference else ""
        peak = f"{peaks[what]:.0f}" if peaks[what] else ""
        print(f"| {what} | {medians[what]:.2f} | {min(times[what]):.2f} | {peak} | {ratio} | "
              f"{goal} |", flush=True)


def quietly(*command, environment=CLEAN):
    """Runs a command; returns the peak of its largest process in MB."""
    done = subprocess.run([sys.executable, "-c", MEASURE, *command], stdin=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, env=environment, universal_newlines=True)
    if done.returncode:
        raise SystemExit(f"failed: {' '.join(command)}\n{done.stderr}")
    return float(done.stderr)


def workflow(*arguments, project=REPOSITORY, environment=CLEAN, model=TOY):
    return quietly(sys.executable, os.path.join(project, "workflow_csa.py"), *model,
                   *arguments, environment=environment)


def anew(*arguments, **settings):
    """A workflow whose results of before are removed."""
    shutil.rmtree("out", ignore_errors=True)
    return workflow(*arguments, **settings)


def bare_stage():
    """The line of a batch script that runs a stage by itself. All write the same files."""
    os.makedirs("bare", exist_ok=True)
    script = os.path.join(TOY_MODEL, "toy_train_improve.py")
    return f"{sys.executable} {script} --output_dir {os.path.abspath('bare')}\n"


def beside_the_version_before(options, what, command, goal):
    """command: project -> peak MB"""
    before, rows = "the same of the version before" if options.before else "", []
    if before:
        rows.append((before, lambda: command(options.before), "", ""))
    measure(options, *rows, (what, lambda: command(REPOSITORY), before, goal))


def first(options):
    """The README's first command."""
    beside_the_version_before(
        options, "python3 workflow_csa.py --source gCSI",
        lambda project: anew("--source", "gCSI", "--executor", "local", project=project,
                             model=("--output_dir", "out")), "1.1")


def local(options):
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
    measure(options, (xargs, through_xargs, "", ""), (
        f"{tasks} tasks, --executor local --jobs 2", lambda: anew(
            "--executor", "local", "--jobs", "2", environment=environment), xargs, "1.10"))


def slurm(options):
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
        anew("--executor", "slurm", *more, environment=cluster.environment)
        cluster.wait_until_empty()

    def through_parsl():
        cluster.restore()
        quietly(options.parsl, os.path.join(REPOSITORY, "tests", "benchmarks", "parsl_rows.py"),
                str(rows), str(ROW), *stage.split(), environment=cluster.environment)
    arrays = f"{ROW} arrays of {rows} bare stages by hand"
    whole, fused = f"one array of {rows} bare rows by hand", f"{rows * ROW} tasks, --fuse"
    parsl = f"{rows * ROW} bare stages through Parsl's pilot jobs"
    try:
        measure(options, (arrays, lambda: by_hand(1), "", ""),
                (f"{rows * ROW} tasks", ours, arrays, "1.1"),
                (whole, lambda: by_hand(ROW), "", ""),
                (fused, lambda: ours("--fuse"), whole, "1.4"),
                *([(parsl, through_parsl, fused, "at least 1.67")] if options.parsl else []))
    finally:
        cluster.stop()


def done(options):
    """A campaign of 4,950 finished tasks: what the same command and --status take."""
    write_benchmark("raw", [f"S{at:02d}" for at in range(DONE_STUDIES)], splits=DONE_SPLITS)
    anew("--executor", "local", "--dry_run")
    tasks = finish_dry_run("out") - 1
    for what, more in ((f"the same command, {tasks} tasks done", ()),
                       (f"--status of {tasks} tasks", ("--status",))):
        measure(options, (what, lambda: workflow("--executor", "local", *more), "",
                          "2.5 s, 120 MB"))


def finish_dry_run(out):
    """Every task of the dry run in OUT is done, each output a byte; returns their number."""
    (dry_plan,) = Path(out).glob("launches/*/dry_plan.json")
    tasks, campaign = json.loads(dry_plan.read_text())["tasks"], Campaign(out)
    dry_plan.rename(dry_plan.with_name("plan.json"))
    campaign.launch = dry_plan.parent.name
    for task in tasks:
        if task["stage"] == "collect":
            task["parents"] = []        # a status names no inputs of tables
        files = FILES[task["stage"]]
        campaign.run([task], files=dict.fromkeys(files, 1))
        for name in files:
            campaign.write(f"{task['name']}/{name}", "1")
    return len(tasks)


def collect(options):
    """The collector on results of 100,000 rows."""
    make_results("results")

    def command(project):
        return quietly(sys.executable, os.path.join(project, "stages", "collect_scores.py"),
                       "results", "--output_dir", "tables")
    beside_the_version_before(options, "collector: 250 results of 100,000 rows", command, "0.5")


PARTS = {"first": first, "local": local, "slurm": slurm, "done": done, "collect": collect}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument("--repeats", type=int, default=3, help="of each row (3)")
    parser.add_argument("--before", metavar="DIR", type=os.path.abspath,
                        help="a checkout of another version, measured in turns")
    parser.add_argument("--parsl", metavar="PYTHON", help="a Python that has Parsl (left out)")
    options = parser.parse_args(argv)
    print(HEADER, flush=True)
    with tempfile.TemporaryDirectory(prefix="benchmark.") as work:
        for part in options.only:
            os.makedirs(os.path.join(work, part))
            os.chdir(os.path.join(work, part))
            PARTS[part](options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
