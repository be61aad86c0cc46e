"""faults: a small campaign on a real Slurm, what a fault does to it, what must hold after it."""
import glob
import os
import shutil
import signal
import subprocess
import sys

from tests.cluster import slurm_cluster
from tests.support import (PATIENCE, REPOSITORY, TOY, Ended, WorkCase, finished_campaign, wait_for,
                           write_benchmark)

OPTIONS = (*TOY, "--executor", "slurm")
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
from launcher import launch, slurm
slurm.TIMEOUT, slurm.TRIES, slurm.PAUSE = 4, 2, 1
sys.exit(launch.main(workflow_csa.WORKFLOW))
"""


class FaultCase(slurm_cluster.WithCluster, WorkCase):
    more, splits = (), 1        # options of every launch; splits of the benchmark

    @classmethod
    def setUpClass(cls):
        """Names of the tasks and scores of an undisturbed local run."""
        super().setUpClass()
        undisturbed = WorkCase()
        undisturbed.work = finished_campaign("--executor", "local", splits=cls.splits)
        cls.names = {task["name"] for task in undisturbed.plans()[0]["tasks"]} - {"scores"}
        cls.reference = undisturbed.score_values()

    def setUp(self):
        super().setUp()
        self.environment = dict(self.environment, TOY_STARTS=self.path("starts.txt"),
                                LATENCY_WAIT="2")
        write_benchmark(self.path("raw"), ("A", "B"), self.splits)
        self.addCleanup(self.cluster.empty_queue)

    # ---- what a user does

    def campaign(self, *arguments, **settings):
        return self.run_toy("--executor", "slurm", *self.more, *arguments, **settings)

    def at_once(self, *commands, **settings):
        """How commands ended that were started together: lists of options."""
        script = os.path.join(REPOSITORY, "workflow_csa.py")
        started = [self.start(sys.executable, script, *OPTIONS, *options, **settings)
                   for options in commands]
        printed = [process.communicate(timeout=PATIENCE) for process in started]
        return [Ended(process.returncode, *texts) for process, texts in zip(started, printed)]

    def launch(self, *arguments, **settings):
        return self.campaign(*arguments, **settings, code=0)

    def hold(self, *models, until="go"):
        """TOY_FAULTS with which these models train until that file appears."""
        return "".join(f";train models/{model} wait:{self.path(until)}" for model in models)

    def launch_and_hold(self):
        """A launch with models/A/split_0 running until the file go appears."""
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
        self.assertEqual(self.started(), sorted(self.names))

    def wait_for_running(self, *names):
        for name in names:
            wait_for(lambda: self.elements().get(name, [""])[0] == "RUNNING"
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
        self.assertEqual(self.started(), sorted(missing))
        return ended

    def faulty_sbatch(self, fault):
        """Settings that put the wrapper first in PATH."""
        self.write_program("bin/sbatch", FAULTY_SBATCH)
        self.write("calls", "")
        return {"PATH": self.path("bin") + os.pathsep + os.environ["PATH"], "FAULTY_SBATCH": fault,
                "FAULTY_COUNT": self.path("calls"), "REAL_SBATCH": shutil.which("sbatch")}

    def run_impatient(self, **settings):
        return self.run_command(sys.executable, "-c", IMPATIENT, *OPTIONS, **settings)


def kill_hard(runner):
    """Ends the runner and its stage, which starts a moment after the status says running."""
    def stages():
        return subprocess.run(["pgrep", "-P", str(runner)], stdout=subprocess.PIPE).stdout.split()
    wait_for(stages, "the stage")
    for pid in (runner, *map(int, stages())):
        os.kill(pid, signal.SIGKILL)
