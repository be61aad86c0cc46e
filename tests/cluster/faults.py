"""faults: a small campaign on a real Slurm, what a fault does to it, and what must hold after each."""
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

from launcher import whole_file
from tests.cluster import slurm_cluster
from tests.support import REPOSITORY, TOY_MODEL, WorkCase, wait_for, write_benchmark

CAMPAIGN = ["ml_data/A-A/split_0", "ml_data/B-A/split_0", "models/A/split_0", "models/B/split_0", "infer/A-A/split_0",
            "infer/B-A/split_0", "ml_data/A-B/split_0", "ml_data/B-B/split_0", "infer/A-B/split_0", "infer/B-B/split_0"]
OF_MODEL_A = {"models/A/split_0", "infer/A-A/split_0", "infer/A-B/split_0"}

# First in PATH, it spoils an sbatch call: FAULTY_SBATCH = KIND:NUMBER of the call, or KIND:every.
FAULTY_SBATCH = """#!/usr/bin/env bash
if [[ $1 == --test-only ]]; then exec "$REAL_SBATCH" "$@"; fi
calls=$(cat "$FAULTY_COUNT" 2>/dev/null || echo 0)
echo $((calls + 1)) >"$FAULTY_COUNT"
if [[ $FAULTY_SBATCH != *:$((calls + 1)) && $FAULTY_SBATCH != *:every ]]; then exec "$REAL_SBATCH" "$@"; fi
case $FAULTY_SBATCH in
  refuse:*) echo "sbatch: error: QOSMaxSubmitJobPerUserLimit" >&2
            echo "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit)" >&2
            exit 1 ;;
  kill:*)   "$REAL_SBATCH" "$@" >/dev/null; kill -9 $PPID ;;
  mute:*)   "$REAL_SBATCH" "$@" >/dev/null; exec sleep 60 ;;
esac
"""
# The launcher in a Python that has less patience with sbatch than the 60 s of real life.
IMPATIENT = ("import sys; sys.path.insert(0, {0!r}); import workflow_csa; from launcher import slurm; "
             "slurm.SBATCH_TIMEOUT = 4; slurm.wait_for_name.__defaults__ = (2, 1); sys.exit(workflow_csa.main(sys.argv[1:]))").format(REPOSITORY)


@functools.lru_cache(maxsize=None)
def reference_scores():
    """The scores of an undisturbed local run; the toy model's depend on the length of OUT's path."""
    case = WorkCase()
    case.work = os.path.realpath(tempfile.mkdtemp(prefix="work."))
    try:
        ended = case.run_toy("--executor", "local", "--split", "0")
        if ended.code:
            raise RuntimeError(repr(ended))
        return case.score_values()
    finally:
        shutil.rmtree(case.work)


@unittest.skipIf(slurm_cluster.why_not(), slurm_cluster.why_not())
class FaultCase(slurm_cluster.WithCluster, WorkCase):
    variables = {"LATENCY_WAIT": "2"}
    more = ()                                                   # options of every launch
    followers = ("not run", "parent failed: models/A/split_0")  # what becomes of the tasks behind models/A/split_0
    # our word for a task: Slurm's words for its element, if that is in the queue
    in_queue = {"running": ("RUNNING", "COMPLETING"), "queued": ("PENDING",), "not run": ("PENDING",)}

    @classmethod
    def setUpClass(cls):
        cls.reference = reference_scores()
        super().setUpClass()

    def setUp(self):
        super().setUp()
        write_benchmark(self.path("raw"), ("A", "B"), splits=1)
        self.addCleanup(self.empty_queue)

    def empty_queue(self):
        self.cluster.run("scancel", "-u", "root", check=False)
        self.cluster.wait_until_empty()

    # ---- what a user does

    def campaign(self, *arguments, **settings):
        return self.run_toy("--executor", "slurm", "--split", "0", *self.more, *arguments, TOY_STARTS=self.path("starts.txt"), **settings)

    def launch(self, *arguments, **settings):
        ended = self.campaign(*arguments, **settings)
        self.assertEqual(ended.code, 0, ended)
        return ended

    def launch_and_hold(self):
        """A launch with models/A/split_0 running until let_go."""
        self.launch(TOY_FAULTS=f"train models/A/split_0 wait:{self.path('go')}")
        self.wait_for_running("models/A/split_0")

    def let_go(self):
        """The held task goes on; returns when all tasks are done."""
        self.write("go", "")
        self.cluster.wait_until_empty()
        self.assert_all_done()

    def status(self):
        """(exit code, {task name: (state, reason)})"""
        ended = self.run_toy("--executor", "slurm", "--status", "--json")
        self.assertNotIn("Traceback", ended.err)
        return ended.code, {task["name"]: (task["state"], task["reason"]) for task in json.loads(ended.out)["tasks"]}

    def plans(self):
        paths = [self.path("out/launches", name, "plan.json") for name in sorted(os.listdir(self.path("out/launches")))]
        return [whole_file.read_json(path) for path in paths if os.path.exists(path)]

    # ---- what is really so

    def elements(self):
        """{task name: state in the queue}, by the job names that the plans tell."""
        rows = [line.split("|") for line in self.cluster.run("squeue", "-r", "-h", "-o", "%j|%K|%T|%r|%A|%F_%K").splitlines()]
        found = {(row[0], row[1]): row[2:] for row in rows}
        places = {task["name"]: (f"csa.{plan['launch']}.{task['array']}", str(task["index"]))
                  for plan in self.plans() for task in plan["tasks"] if task["run"]}
        return {name: found[place] for name, place in places.items() if place in found}

    def file_state(self, name):
        try:
            return self.status_of(name)["state"]
        except OSError:
            return None

    def status_while_nothing_changes(self):
        """--status and the queue of the same moment: the queue is the same before and after."""
        while True:
            before = self.elements()
            code, states = self.status()
            if self.elements() == before:
                return code, states, before

    def assert_status_is_true(self):
        code, states, queue = self.status_while_nothing_changes()
        for name, (state, reason) in states.items():
            in_queue = queue.get(name, ["none", ""])
            if state == "done":
                self.assertEqual(self.file_state(name), "done", name)
            elif state in ("running", "queued"):
                self.assertIn(in_queue[0], self.in_queue[state], (name, reason))
            elif in_queue[0] != "none":   # what waits for ever
                self.assertIn(in_queue[0], self.in_queue["not run"], (name, state, reason))
        kinds = {state for state, _ in states.values()}
        # 4: what is queued waits for what can never start.
        self.assertIn(code, (3, 4) if kinds & {"running", "queued"} else (0,) if kinds == {"done"} else (1,))
        return states

    def assert_all_done(self):
        states = self.assert_status_is_true()
        self.assertEqual({name: state for name, state in states.items() if state[0] != "done"}, {})

    def wait_for_running(self, name):
        wait_for(lambda: self.elements().get(name, [""])[0] == "RUNNING" and self.file_state(name) == "running", name)

    def assert_completes(self, again=()):
        """The same command ends well, runs only what was not done, and gives the undisturbed tables."""
        before = {name for name in CAMPAIGN if self.file_state(name) == "done"}
        started = len(self.starts()) if os.path.exists(self.path("starts.txt")) else 0
        ended = self.launch()
        self.cluster.wait_until_empty()
        states = self.assert_status_is_true()
        self.assertEqual({state for state, _ in states.values()}, {"done"}, (ended, states))
        names = [row[2] for row in self.starts()][started:]
        self.assertEqual(sorted(names), sorted(set(CAMPAIGN) - before | set(again)))
        self.assertEqual(self.score_values(), self.reference)
        return ended

    def faulty_sbatch(self, fault):
        """Settings that put the wrapper first in PATH."""
        os.makedirs(self.path("bin"), exist_ok=True)
        self.write("bin/sbatch", FAULTY_SBATCH)
        os.chmod(self.path("bin/sbatch"), 0o755)
        return {"PATH": self.path("bin") + os.pathsep + os.environ["PATH"], "FAULTY_SBATCH": fault,
                "FAULTY_COUNT": self.path("calls"), "REAL_SBATCH": shutil.which("sbatch")}

    def run_impatient(self, **settings):
        return self.run_command(sys.executable, "-c", IMPATIENT, "--model", "toy", "--model_dir", TOY_MODEL, "--input_dir", "raw",
                                "--output_dir", "out", "--executor", "slurm", "--split", "0", TOY_STARTS=self.path("starts.txt"), **settings)

    def state_files(self):
        folder = self.path("out/launches")
        return [json.loads(self.read("out/launches", name, "state.json"))["state"] for name in sorted(os.listdir(folder))]


def kill_hard(runner):
    """The runner and its stage, with no time for a word; its status says running a moment before there is a stage."""
    def stages():
        return subprocess.run(["pgrep", "-P", str(runner)], stdout=subprocess.PIPE).stdout.split()
    wait_for(stages, "the stage")
    for pid in (runner, *map(int, stages())):
        os.kill(pid, signal.SIGKILL)


def copy_file(source, target):
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copy(source, target)
