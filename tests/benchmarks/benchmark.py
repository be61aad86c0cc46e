"""benchmark: what the launcher and the runner cost on top of the tasks, beside what others take for the same work.

    each row: the same work, ours and a peer's, one after the other, REPEATS times -> medians and ratios

Usage: python3 -m tests.benchmarks.benchmark [--only PART ...] [--peers DIR] [--json FILE]
       python3 -m tests.benchmarks.benchmark --markdown FILE

Examples:
    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install parsl submitit snakemake
    python3 -m tests.benchmarks.benchmark --peers /tmp/peers --json bench.json      # all rows, about 25 minutes
    python3 -m tests.benchmarks.benchmark --markdown bench.json                     # the table of docs/benchmarks.md
    python3 -m tests.benchmarks.benchmark --only local --tasks 55 --repeats 1       # whether it works at all

Machines are noisy, so nothing here is a test: what counts are ratios within one run, and each row says how
loaded the machine was (the mean number of processes that wanted a core in the last minute). The stages do
nothing, which is the worst case, or last a second: a real one lasts seconds to hours. Peers are measured if
they are installed (xargs, GNU parallel; Parsl, submitit and Snakemake in the Python of --peers); none is needed.
Rows of Slurm start a cluster of four nodes on this machine (slurm-wlm, munge, root), with two cores each: more
than the machine has, if the stages do not sleep.
"""
import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, REPOSITORY)
from tests.benchmarks.done_campaign import finish_dry_run  # noqa: E402
from tests.benchmarks.large_results import make_results  # noqa: E402
from tests.benchmarks.rows import LONG, Row, Table, markdown, missing, write_json  # noqa: E402
from tests.cluster import slurm_cluster  # noqa: E402
from tests.support import CLEAN, RUN_MODEL, TOY_MODEL, write_benchmark  # noqa: E402

PARTS = ("runner", "imports", "local", "slurm", "seconds", "large", "collect")
SHORT = 10          # times as often as other rows is measured what takes milliseconds
FURTHER = 30        # tasks behind the first one, for the row of the runner
ROW = 11            # stages of a source and split: 5 targets to preprocess and to infer, a training
TASKS_OF_SPLIT = 55     # five sources, a row each
PLACES = 8          # tasks that the cluster runs at a time
PATIENCE = 1200     # seconds for any one run
PEERS = os.path.join(REPOSITORY, "tests", "benchmarks", "peers.py")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=f"of {', '.join(PARTS)} (all)")
    parser.add_argument("--tasks", type=int, default=550, help="tasks of a campaign, about (550: 5 sources, targets, 10 splits)")
    parser.add_argument("--large", type=int, default=99000, help="tasks of the plans that nothing runs, about (99000)")
    parser.add_argument("--repeats", type=int, default=3, help=f"of each row that takes less than {LONG} s (3)")
    parser.add_argument("--peers", metavar="DIR",
                        help="a virtual environment with Parsl, submitit, Snakemake (the Python that runs this)")
    parser.add_argument("--json", metavar="FILE", help="write the rows there, too")
    parser.add_argument("--markdown", metavar="FILE", help="measure nothing; print such a file as docs/benchmarks.md has it")
    options = parser.parse_args(argv)
    if options.markdown:
        with open(options.markdown) as file:
            print(markdown(json.load(file)))
        return 0
    options.peers = os.path.join(os.path.abspath(options.peers), "bin", "python") if options.peers else sys.executable
    options.json = options.json and os.path.abspath(options.json)
    measure_parts(Table(options.repeats, find_peers(options.peers)), options)
    return 0


def measure_parts(table, options):
    """Measures part after part in a directory of its own; what is known is written after each."""
    parts = {"runner": runner, "imports": imports, "local": local, "slurm": slurm, "seconds": seconds, "large": large,
             "collect": collect}
    work, before, began = tempfile.mkdtemp(prefix="benchmark."), os.getcwd(), time.time()
    try:
        os.chdir(work)
        for part in options.only:
            parts[part](table, options)
            if options.json:
                write_json(options.json, table, splits_of(options) * TASKS_OF_SPLIT, time.time() - began)
    finally:
        os.chdir(before)
        shutil.rmtree(work)
    print(f"{(time.time() - began) / 60:.1f} minutes; peers that are not installed: {', '.join(missing(table.peers)) or 'none'}")


# ----------------------------------------------------------------------- peers

def find_peers(python):
    """{name: version, '' if it is not here}"""
    version = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))"
    found = {name: first_line(name, "--version") for name in ("xargs", "parallel")}
    found["parallel"] = found["parallel"] if found["parallel"].startswith("GNU") else ""     # others have this name, too
    found.update((name, first_line(python, "-c", version, name)) for name in ("parsl", "submitit", "snakemake"))
    return {name: text.split()[-1] if text else "" for name, text in found.items()}


def first_line(*command):
    """What a program prints first; '' if it cannot be run or fails."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                              universal_newlines=True)
    except OSError:
        return ""
    return done.stdout.partition("\n")[0] if done.returncode == 0 else ""


def through_peer(name, tasks, options, environment=CLEAN):
    """Runs the stages of as many rows through Parsl, submitit or Snakemake, from an empty directory."""
    shutil.rmtree("peer", ignore_errors=True)
    os.mkdir("peer")
    command = [options.peers, PEERS, name, str(tasks // ROW), str(ROW), *stage_words()]
    with open("peer.err", "w+") as errors:
        done = subprocess.run(command, cwd="peer", env=environment, timeout=PATIENCE, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=errors)
        if done.returncode:
            errors.seek(0)
            raise subprocess.SubprocessError((errors.read().strip().splitlines() or ["it says nothing"])[-1])


def quietly(*command, environment=CLEAN):
    nothing = subprocess.DEVNULL
    subprocess.check_call(command, stdin=nothing, stdout=nothing, stderr=nothing, env=environment)


# ---------------------------------------------------------------------- runner

def runner(table, _):
    """One task, and each further one of an element, beside the bare stage."""
    with open("nothing.py", "w"):
        pass
    environment = dict(CLEAN, WORKFLOW_PYTHON=sys.executable)

    def tasks(count):
        quietly("bash", RUN_MODEL, "--task", f"{count}.tasks", "0", str(count), environment=environment)

    def anew(count):
        shutil.rmtree(f"of_{count}", ignore_errors=True)
        with open(f"{count}.tasks", "w") as file:
            script, directory = os.path.abspath("nothing.py"), os.path.abspath(f"of_{count}")
            file.write("".join(f"none {script} --output_dir {directory}/{at}\n" for at in range(count)))

    python, bash, stage = sys.executable, "bash -c true", "a bare stage: python nothing.py"
    one, many = "run_model.sh, one task of that stage", f"run_model.sh, {FURTHER + 1} tasks of it"
    found = table.measure(
        Row(bash, lambda: quietly("bash", "-c", "true")),
        Row(stage, lambda: quietly(python, "nothing.py")),
        Row("python -I -S -c '', which the runner starts in", lambda: quietly(python, "-I", "-S", "-c", "")),
        Row(one, lambda: tasks(1), before=lambda: anew(1), reference=stage, beside="the stage"),
        Row(many, lambda: tasks(FURTHER + 1), before=lambda: anew(FURTHER + 1)), times_more=SHORT)
    table.add("the same as one task, without bash and the stage", [found[one] - found[bash] - found[stage]], goal="15 ms")
    table.add("each further task, without the stage", [(found[many] - found[one]) / FURTHER - found[stage]], goal="3 ms")


# ----------------------------------------------------------------------- local

def workflow(*arguments, environment=CLEAN, out="out"):
    quietly(sys.executable, os.path.join(REPOSITORY, "workflow_csa.py"), "--model", "toy", "--model_dir", TOY_MODEL,
            "--input_dir", "raw", "--output_dir", out, *arguments, environment=environment)


def remove_results():
    shutil.rmtree("out", ignore_errors=True)


def campaign(options):
    """A benchmark of five studies; returns the number of tasks of the analysis."""
    splits = splits_of(options)
    if not os.path.isdir("raw"):
        write_benchmark("raw", ("CCLE", "CTRPv2", "GDSCv1", "GDSCv2", "gCSI"), splits=splits, rows=40)
    return splits * TASKS_OF_SPLIT


def splits_of(options):
    return max(1, options.tasks // TASKS_OF_SPLIT)


def stage_words():
    """A stage by itself. All write the same files."""
    os.makedirs("bare", exist_ok=True)
    return [sys.executable, os.path.join(TOY_MODEL, "toy_train_improve.py"), "--output_dir", os.path.abspath("bare")]


def stage_lines(tasks):
    """The same number of stages as command lines."""
    return "".join(" ".join(stage_words()) + "\n" for _ in range(tasks)).encode()


def local(table, options):
    """A campaign on two cores, beside the same stages through others."""
    tasks = campaign(options)
    two = ("--executor", "local", "--jobs", "2")

    def through(*command):
        subprocess.run(command, input=stage_lines(tasks), check=True, stdout=subprocess.DEVNULL)

    xargs = f"{tasks} stages through xargs -P 2"
    beside = dict(reference=xargs, beside="xargs")
    ours = dict(before=remove_results, **beside)
    table.measure(
        Row(xargs, lambda: through("xargs", "-P", "2", "-L", "1", "env"), peer="xargs"),
        Row(f"{tasks} stages through GNU parallel -j 2", lambda: through("parallel", "-j", "2"), peer="parallel", **beside),
        Row(f"{tasks} stages through snakemake --cores 2", lambda: through_peer("snakemake", tasks, options), peer="snakemake", **beside),
        Row(f"{tasks} tasks, --executor local --jobs 2", lambda: workflow(*two), goal="1.3 x", **ours),
        Row("the same with --fuse", lambda: workflow(*two, "--fuse"), **ours),
        Row("the same command again: nothing to do", lambda: workflow(*two, "--fuse")))


# ----------------------------------------------------------------------- slurm

def slurm(table, options):
    """A campaign on a real cluster, beside arrays that were written by hand, and beside others."""
    if slurm_cluster.why_not():
        table.leave_out("Slurm, stages that do nothing", slurm_cluster.why_not())
        return
    tasks, cluster = campaign(options), slurm_cluster.Cluster()
    rows = tasks // ROW

    def by_hand(elements, stages):
        """Aligned arrays one behind the other (stages), or one array of whole rows."""
        before = ""
        for _ in range(stages):
            before = cluster.run("sbatch", "--parsable", *([f"--dependency=aftercorr:{before}"] if before else []),
                                 script(elements, ROW // stages)).strip()
        cluster.wait_until_empty()

    aligned, whole = f"Slurm: {ROW} arrays of {rows} bare stages by hand", f"Slurm: one array of {rows} rows of bare stages by hand"
    fused, parsl = f"Slurm: {tasks} tasks, workflow_csa.py --fuse", f"Slurm: {tasks} stages through pilot jobs of Parsl"
    of_arrays, of_rows = dict(reference=aligned, beside="arrays by hand"), dict(reference=whole, beside="rows by hand")
    try:
        found = table.measure(
            Row(aligned, lambda: by_hand(rows, ROW)),
            on_slurm(cluster, f"Slurm: {tasks} tasks, workflow_csa.py", goal="1.05 x", **of_arrays),
            on_slurm(cluster, f"Slurm: {tasks} tasks, workflow_csa.py --tasks_per_job 10", "--tasks_per_job", "10", **of_arrays),
            Row(whole, lambda: by_hand(rows, 1)),
            on_slurm(cluster, fused, "--fuse", goal="1.5 x", **of_rows),
            peer_on_slurm(cluster, "submitit", f"Slurm: one array of {rows} rows through submitit", options, **of_rows),
            peer_on_slurm(cluster, "parsl", parsl, options, **of_rows))
        if parsl in found:
            table.add("workflow_csa.py --fuse as above", [found[fused]], found[parsl], beside="Parsl", goal="0.5 x")
    finally:
        cluster.stop()


def on_slurm(cluster, what, *arguments, settings=(), **about):
    """A Row of ours, from the command to an empty queue. settings: environment variables."""
    environment = dict(cluster.environment, **dict(settings))

    def ours():
        workflow("--executor", "slurm", *arguments, environment=environment)
        cluster.wait_until_empty()
    return Row(what, ours, before=remove_results, **about)


def peer_on_slurm(cluster, name, what, options, settings=(), **about):
    """A peer's Row, from its start to its end; what it leaves in the queue ends unmeasured."""
    environment = dict(cluster.environment, **dict(settings))
    return Row(what, lambda: through_peer(name, campaign(options), options, environment), before=cluster.restore, peer=name, **about)


def script(elements, stages):
    with open("hand.sbatch", "w") as file:
        file.write(f"#!/bin/bash\n#SBATCH --array=0-{elements - 1}\n#SBATCH --output=/dev/null\n" + stage_lines(stages).decode())
    return "hand.sbatch"


# --------------------------------------------------------------------- seconds

def seconds(table, options):
    """Stages of one second in eight places, beside what these would take if nothing else took time."""
    tasks = campaign(options)
    slow = {"TOY_FAULTS": ";".join(f"{stage} / sleep:1" for stage in ("preprocess", "train", "infer"))}
    here, eight = dict(CLEAN, **slow), ("--executor", "local", "--jobs", str(PLACES))
    each, rows = f"critical path: {tasks} stages of 1 s in {PLACES} places", f"critical path: the same in whole rows of {ROW} s"
    table.add(each, [math.ceil(tasks / PLACES)])
    table.add(rows, [math.ceil(tasks / ROW / PLACES) * ROW])
    table.measure(Row(f"{tasks} tasks of 1 s, --executor local --jobs {PLACES}", lambda: workflow(*eight, environment=here),
                      before=remove_results, reference=each, beside="critical path", goal="1.03 x"))
    if slurm_cluster.why_not():
        table.leave_out("Slurm, stages of 1 s", slurm_cluster.why_not())
        return
    cluster = slurm_cluster.Cluster()
    fused, parsl = f"Slurm: {tasks} tasks of 1 s, --fuse", f"Slurm: {tasks} stages of 1 s through Parsl"
    beside, of_rows = dict(beside="critical path", settings=slow), dict(beside="critical path of rows", settings=slow)
    try:
        found = table.measure(
            on_slurm(cluster, f"Slurm: {tasks} tasks of 1 s, workflow_csa.py", reference=each, **beside),
            on_slurm(cluster, f"Slurm: {tasks} tasks of 1 s, --tasks_per_job 10", "--tasks_per_job", "10", reference=each, **beside),
            on_slurm(cluster, fused, "--fuse", reference=rows, **of_rows),
            peer_on_slurm(cluster, "parsl", parsl, options, reference=each, **beside))
        if parsl in found:
            table.add("1 s, --fuse as above", [found[fused]], found[parsl], beside="Parsl", goal="0.95 x")
    finally:
        cluster.stop()


# ----------------------------------------------------------------------- large

def large(table, options):
    """Plans of 100,000 tasks: time and peak memory of the launcher."""
    splits = max(1, options.large // 990)
    tasks = splits * 990
    launcher = (os.path.join(REPOSITORY, "workflow_csa.py"), "--model", "toy", "--model_dir", TOY_MODEL)
    write_benchmark("raw_large", [f"S{at:02d}" for at in range(22)], splits=splits)
    of_large = (*launcher, "--input_dir", "raw_large", "--output_dir", "large", "--executor", "local")
    measured(table, f"--dry_run of {tasks} tasks", *of_large, "--dry_run", goal="4 s, 150 MB",
             before=lambda: shutil.rmtree("large", ignore_errors=True))
    finish_dry_run("large")
    measured(table, f"nothing to do: {tasks} tasks are done", *of_large, goal="5 s, 150 MB")
    measured(table, f"--status of {tasks} tasks", *of_large, "--status", goal="5 s, 150 MB")


def measured(table, what, *arguments, before=lambda: None, **about):
    """In a process of its own, so that its peak is known."""
    found = []
    while not found or len(found) < table.repeats and found[0][0] < LONG:
        before()
        code = ("import resource, subprocess, sys, time; began = time.time(); subprocess.check_call(sys.argv[1:], stdout=subprocess.DEVNULL); "
                "used = resource.getrusage(resource.RUSAGE_CHILDREN); "
                "sys.stderr.write('%r %r %r' % (time.time() - began, used.ru_maxrss / 1024, used.ru_utime + used.ru_stime))")
        done = subprocess.run([sys.executable, "-c", code, sys.executable, *arguments], stderr=subprocess.PIPE,
                              universal_newlines=True, check=True)
        found.append([float(word) for word in done.stderr.split()[-3:]])
    table.add(what, [row[0] for row in found], peak_mb=max(row[1] for row in found),
              cpu_seconds=statistics.median(row[2] for row in found), **about)


# --------------------------------------------------------------------- collect

def collect(table, _):
    """The collector's budget: 250 results of 100,000 rows in 60 s on two cores, 250 score files alone in 0.15 s."""
    collector = os.path.join(REPOSITORY, "stages", "collect_scores.py")
    make_results("scores_only", scores_only=True)
    measured(table, "collector: 250 score files alone", collector, "scores_only", "--output_dir", "tables", goal="0.15 s")
    make_results("results")
    measured(table, "collector: 250 results of 100,000 rows, 50 training sets", collector, "results", "--output_dir", "tables", goal="60 s")


# --------------------------------------------------------------------- imports

def imports(table, _):
    """What importing the launcher adds to a bare Python."""
    bare, whole = "python -c pass", "python -c 'import workflow_csa'"
    code = f"import sys; sys.path.insert(0, {REPOSITORY!r}); import workflow_csa"
    found = table.measure(Row(bare, lambda: quietly(sys.executable, "-c", "pass")),
                          Row(whole, lambda: quietly(sys.executable, "-c", code), reference=bare, beside="bare Python"), times_more=SHORT)
    table.add("importing workflow_csa", [max(0.0, found[whole] - found[bare])], goal="15 ms")


if __name__ == "__main__":
    sys.exit(main())
