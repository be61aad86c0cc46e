"""faults: a small campaign on a real Slurm, what a fault does to it, what must hold after it."""
import functools
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import unittest

from tests.cluster import slurm_cluster
from tests.support import (PATIENCE, REPOSITORY, TOY_MODEL, Ended, WorkCase, wait_for,
                           write_benchmark)

OPTIONS = ("--model", "toy", "--model_dir", TOY_MODEL, "--input_dir", "raw", "--output_dir", "out",
           "--executor", "slurm")
# First in PATH, it spoils an sbatch call: FAULTY_SBATCH = KIND:NUMBER of the call, or KIND:every.
FAULTY_SBATCH = """#!/usr/bin/env bash
if [[ $1 == --test-only ]]; then exec "$REAL_SBATCH" "$@"; fi
echo >>"$FAULTY_COUNT"
calls=$(wc -l <"$FAULTY_COUNT")
if [[ $FAULTY_SBATCH != *:$calls && $FAULTY_SBATCH != *:every ]]; then
    exec "$REAL_SBATCH" "$@"
fi
failed="sbatch: error: Batch job submission failed:"
if [[ $FAULTY_SBATCH == refuse:* ]]; then
    echo "sbatch: error: QOSMaxSubmitJobPerUserLimit" >&2
    echo "$failed Job violates accounting/QOS policy (job submit limit)" >&2
    exit 1
fi
"$REAL_SBATCH" "$@" >/dev/null
if [[ $FAULTY_SBATCH == kill:* ]]; then kill -9 $PPID; fi
if [[ $calls == 2 ]]; then exec sleep 60; fi
echo "$failed Zero Bytes were transmitted or received" >&2
exit 1
"""
# The launcher in a Python that has less patience with sbatch than the 60 s of real life.
IMPATIENT = f"""import sys
sys.path.insert(0, {REPOSITORY!r})
import workflow_csa
from launcher import slurm
slurm.SBATCH_TIMEOUT, slurm.TRIES, slurm.PAUSE = 4, 2, 1
sys.exit(workflow_csa.main(sys.argv[1:]))
"""


@functools.lru_cache(maxsize=None)
def reference_of(splits):
    """Names of the tasks and scores of an undisturbed local run; they depend on the length of
    OUT's path."""
    case = WorkCase()
    case.setUp()
    try:
        write_benchmark(case.path("raw"), ("A", "B"), splits)
        ended = case.run_toy("--executor", "local")
        if ended.code:
            raise RuntimeError(repr(ended))
        names = {task["name"] for task in case.plans()[0]["tasks"]} - {"scores"}
        return names, case.score_values()
    finally:
        case.doCleanups()


@unittest.skipIf(slurm_cluster.why_not(), slurm_cluster.why_not())
class FaultCase(slurm_cluster.WithCluster, WorkCase):
    variables = {"LATENCY_WAIT": "2"}
    more, splits = (), 1        # options of every launch; splits of the benchmark

    @classmethod
    def setUpClass(cls):
        cls.names, cls.reference = reference_of(cls.splits)
        super().setUpClass()

    def setUp(self):
        super().setUp()
        write_benchmark(self.path("raw"), ("A", "B"), self.splits)
        self.addCleanup(self.cluster.empty_queue)

    # ---- what a user does

    def campaign(self, *arguments, **settings):
        return self.run_toy("--executor", "slurm", *self.more, *arguments,
                            TOY_STARTS=self.path("starts.txt"), **settings)

    def at_once(self, *commands, **settings):
        """How commands ended that were started together: lists of options."""
        script = os.path.join(REPOSITORY, "workflow_csa.py")
        started = [self.start(sys.executable, script, *OPTIONS, *options,
                              TOY_STARTS=self.path("starts.txt"), **settings)
                   for options in commands]
        printed = [process.communicate(timeout=PATIENCE) for process in started]
        return [Ended(process.returncode, *texts) for process, texts in zip(started, printed)]

    def launch(self, *arguments, **settings):
        ended = self.campaign(*arguments, **settings)
        self.assertEqual(ended.code, 0, ended)
        return ended

    def hold(self, *models, until="go"):
        """TOY_FAULTS with which these models train until that file appears."""
        return "".join(f";train models/{model} wait:{self.path(until)}" for model in models)

    def launch_and_hold(self):
        """A launch with models/A/split_0 running until let_go."""
        self.launch(TOY_FAULTS=self.hold("A/split_0"))
        self.wait_for_running("models/A/split_0")

    def edited_project(self, *changes):
        """A copy of what people copy, in project/; changes: (old, new) for all templates."""
        self.have_project()
        for path in glob.glob(self.path("project/slurm_templates/*")):
            text = self.read(path)
            for old, new in changes:
                text = text.replace(old, new)
            self.write(path, text)
        return self.path("project")

    def let_go(self):
        """The held tasks go on; returns when all tasks are done, each as if undisturbed."""
        self.write("go", "")
        self.cluster.wait_until_empty()
        self.assert_all_done()

    def status(self):
        """(exit code, {task name: (state, reason)})"""
        ended = self.run_toy("--executor", "slurm", "--status", "--json")
        self.assertNotIn("Traceback", ended.err)
        return ended.code, {task["name"]: (task["state"], task["reason"])
                            for task in json.loads(ended.out)["tasks"]}

    def cancel(self, name):
        self.cluster.run("scancel", self.elements()[name][1])

    # ---- what is really so

    def elements(self):
        """{task name: (state, job) in the queue}, by the job names that the plans tell."""
        said = self.cluster.run("squeue", "-r", "-h", "-o", "%j %K %T %F_%K")
        found = {tuple(row[:2]): row[2:] for row in map(str.split, said.splitlines())}
        places = {task["name"]: (f"csa.{plan['launch']}.{task['array']}", str(task["index"]))
                  for plan in self.plans() for task in plan["tasks"] if task["run"]}
        return {name: found[place] for name, place in places.items() if place in found}

    def file_state(self, name):
        try:
            return self.status_of(name)["state"]
        except OSError:
            return None

    def assert_status_is_true(self):
        """--status says what files and queue say; returns {task name: (state, reason)}."""
        queue = None
        while queue != self.elements():     # it has not changed while --status ran
            queue = self.elements()
            code, states = self.status()
        kinds = {state for state, _ in states.values()}
        for name, (state, reason) in states.items():
            word = queue.get(name, ["none"])[0]
            wanted = {"running": ("RUNNING", "COMPLETING"),
                      "queued": ("PENDING", "RUNNING", "COMPLETING")}.get(state)
            if state == "done":
                self.assertEqual(self.file_state(name), "done", name)
            elif wanted:
                self.assertIn(word, wanted, (name, reason))
            elif not self.more:         # what waits for ever
                self.assertIn(word, ("none", "PENDING"), (name, state, reason))
        # 4: what is queued waits for what can never start.
        wanted = (3, 4) if kinds & {"running", "queued"} else (0,) if kinds == {"done"} else (1,)
        self.assertIn(code, wanted)
        return states

    def assert_all_done(self):
        states = self.assert_status_is_true()
        self.assertEqual({name: state for name, state in states.items() if state[0] != "done"}, {})
        self.assertEqual(self.score_values(), self.reference)

    def assert_each_ran_once(self):
        self.assert_all_done()
        self.assertEqual(sorted(row[2] for row in self.starts()), sorted(self.names))

    def wait_for_running(self, *names):
        for name in names:
            wait_for(lambda name=name: self.elements().get(name, [""])[0] == "RUNNING"
                     and self.file_state(name) == "running", name)

    def wait_for_pending(self, name):
        wait_for(lambda: self.elements()[name][0] == "PENDING", f"{name} put back")
        self.assertEqual(self.assert_status_is_true()[name][0], "queued")

    def assert_completes(self):
        """The same command runs only what was not done, and gives the undisturbed tables."""
        missing = {name for name in self.names if self.file_state(name) != "done"}
        self.write("starts.txt", "")
        ended = self.launch()
        self.cluster.wait_until_empty()
        self.assert_all_done()
        self.assertEqual(sorted(row[2] for row in self.starts()), sorted(missing))
        return ended

    def faulty_sbatch(self, fault):
        """Settings that put the wrapper first in PATH."""
        os.makedirs(self.path("bin"), exist_ok=True)
        self.write("bin/sbatch", FAULTY_SBATCH)
        self.write("calls", "")
        os.chmod(self.path("bin/sbatch"), 0o755)
        return {"PATH": self.path("bin") + os.pathsep + os.environ["PATH"], "FAULTY_SBATCH": fault,
                "FAULTY_COUNT": self.path("calls"), "REAL_SBATCH": shutil.which("sbatch")}

    def run_impatient(self, **settings):
        return self.run_command(sys.executable, "-c", IMPATIENT, *OPTIONS,
                                TOY_STARTS=self.path("starts.txt"), **settings)


def kill_hard(runner):
    """Ends the runner and its stage, which starts a moment after the status says running."""
    def stages():
        return subprocess.run(["pgrep", "-P", str(runner)], stdout=subprocess.PIPE).stdout.split()
    wait_for(stages, "the stage")
    for pid in (runner, *map(int, stages())):
        os.kill(pid, signal.SIGKILL)
