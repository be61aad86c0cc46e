"""benchmark: what the launcher and the runner cost on top of the tasks, as ratios within one run.

Usage: python3 tests/benchmark.py [--tasks N]

Machines are noisy, so nothing here is a test; the rows are measured one after the other,
three times over, and the smallest time counts. The tasks do nothing (the toy model), so
the ratios are the worst case: a real stage lasts seconds to hours.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, REPOSITORY)
from tests import slurm_cluster  # noqa: E402
from tests.support import CLEAN, RUN_MODEL, TOY_MODEL, write_benchmark  # noqa: E402

REPEATS = 3


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=60, help="about how many tasks a run has (60)")
    count = parser.parse_args().tasks
    work = tempfile.mkdtemp(prefix="benchmark.")
    try:
        os.chdir(work)
        splits = max(1, count // 10)
        write_benchmark("raw", ("A", "B"), splits=splits, rows=40)
        tasks = 2 * splits * 5
        bare = smallest(bare_stage)
        say("one stage script, started bare", bare, None)
        say("the same through run_model.sh", smallest(one_by_runner), bare)
        xargs = smallest(lambda: by_xargs(tasks))
        say(f"{tasks} stage scripts through xargs -P 2", xargs, None)
        say(f"{tasks} tasks, workflow_csa.py --executor local --jobs 2", smallest(local_run), xargs)
        say(f"the same command again ({tasks} tasks done)", smallest(lambda: workflow("--executor", "local")), xargs)
        if slurm_cluster.why_not():
            print(slurm_cluster.why_not())
        else:
            on_slurm(tasks)
    finally:
        os.chdir("/")
        shutil.rmtree(work)


def smallest(run):
    times = []
    for _ in range(REPEATS):
        started = time.time()
        run()
        times.append(time.time() - started)
    return min(times)


def say(what, seconds, reference):
    ratio = f"{seconds / reference:6.2f} times" if reference else ""
    print(f"{what:<64}{seconds:8.2f} s  {ratio}", flush=True)


def train_words(name="x"):
    return [os.path.join(TOY_MODEL, "toy_train_improve.py"), "--output_dir", os.path.abspath(name)]


def bare_stage():
    os.makedirs("x", exist_ok=True)
    subprocess.check_call([sys.executable, *train_words()])


def one_by_runner():
    subprocess.check_call(["bash", RUN_MODEL, "none", *train_words()], stdout=subprocess.DEVNULL,
                          env=dict(CLEAN, WORKFLOW_PYTHON=sys.executable))


def by_xargs(tasks):
    lines = "".join(f"{sys.executable} {' '.join(train_words('x'))}\n" for _ in range(tasks))
    subprocess.run(["xargs", "-P", "2", "-L", "1", "env"], input=lines.encode(), check=True)


def workflow(*arguments, environment=CLEAN):
    subprocess.check_call([sys.executable, os.path.join(REPOSITORY, "workflow_csa.py"), "--model", "toy", "--model_dir", TOY_MODEL,
                           "--input_dir", "raw", "--output_dir", "out", *arguments],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)


def local_run():
    shutil.rmtree("out", ignore_errors=True)
    workflow("--executor", "local", "--jobs", "2")


def on_slurm(tasks):
    """A hand-written array of as many elements, and ours, until the queue is empty."""
    cluster = slurm_cluster.Cluster()
    try:
        by_hand = smallest(lambda: hand_written(cluster, tasks))
        say(f"Slurm: one hand-written array of {tasks} bare stage scripts", by_hand, None)
        say(f"Slurm: {tasks} tasks, workflow_csa.py", smallest(lambda: slurm_run(cluster)), by_hand)
    finally:
        cluster.stop()


def hand_written(cluster, tasks):
    with open("hand.sbatch", "w") as file:
        file.write(f"#!/bin/bash\n#SBATCH --array=0-{tasks - 1}\n#SBATCH --output=/dev/null\n{sys.executable} {' '.join(train_words())}\n")
    cluster.run("sbatch", "hand.sbatch")
    cluster.wait_until_empty(600)


def slurm_run(cluster):
    shutil.rmtree("out", ignore_errors=True)
    workflow("--executor", "slurm", environment=cluster.environment)
    cluster.wait_until_empty(600)


if __name__ == "__main__":
    main()
