"""What a cluster does to a campaign, done to one on a real Slurm of four nodes.

After the faults: --status says what squeue and the files say, the same command completes the
campaign, what was done is not done again, and the scores are those of an undisturbed run.
"""
import os
import signal
import unittest

from tests.cluster.faults import FaultCase, kill_hard
from tests.support import wait_for

MODEL = "models/A/split_0"
SLOW = "takes two minutes: set SLOW_TESTS=1"


class ManyFaultsCase(FaultCase):
    splits = 3

    def assert_states(self, wanted):
        """wanted: {task: (state, part of the reason)}; returns all states."""
        self.cluster.wait_until_empty()
        states = self.assert_status_is_true()
        for name, (state, part) in wanted.items():
            self.assertEqual(states[name][0], state, (name, states[name]))
            self.assertIn(part, states[name][1], name)
        return states


class TaskFaultsTest(ManyFaultsCase):
    """Faults of single tasks."""

    def test_faults_of_tasks_are_named_each_and_the_same_command_completes(self):
        folder = self.edited_project((    # the fourth training is models/B/split_0
            "# module load NAME", "[[ $SLURM_JOB_NAME$SLURM_ARRAY_TASK_ID != *.train3 ]] || "
                                  "{ echo ouch >&2; exit 1; }"))
        self.launch(folder=folder, TOY_FAULTS=f"train {MODEL} kill" + self.hold(
            "A/split_1", "A/split_2", until="never") + self.hold("B/split_1", "B/split_2"))
        held = [f"models/{name}" for name in ("A/split_1", "A/split_2", "B/split_1", "B/split_2")]
        self.wait_for_running(*held)
        states = self.assert_status_is_true()
        self.assertEqual({states[name][0] for name in held}, {"running"})
        self.assertEqual(states["infer/B-B/split_1"][0], "queued")
        kill_hard(self.status_of(held[0])["pid"])
        self.cancel(held[1])
        self.cancel("infer/B-B/split_1")
        self.cluster.run("scontrol", "requeue", self.elements()[held[3]][1])   # as a preemption
        self.wait_for_pending(held[3])
        self.assert_refused(self.campaign(), "are in a live launch")
        self.write("go", "")
        states = self.assert_states({
            MODEL: ("failed", "toy: kill as told"),
            held[0]: ("lost", "its runner was killed before it wrote a verdict"),
            held[1]: ("failed", "cancelled"),
            held[3]: ("done", ""),
            "models/B/split_0": ("lost", "it wrote no status: ouch"),
            "infer/B-B/split_1": ("lost", "cancelled"),
            **{f"infer/A-{target}/split_{split}": ("not run",
                                                   f"parent failed: models/A/split_{split}")
               for target in "AB" for split in range(3)}})
        self.assertEqual(sum(state == "done" for state, _ in states.values()),
                         len(self.names) - 4 - 9 + 1)     # and the collector
        self.assertEqual(self.status_of(held[3])["attempt"], 2)
        self.assertEqual(self.read("out", held[3], "log.txt").count("=== attempt"), 2)
        missing = self.read("out/scores/missing.csv")
        self.assertIn("ouch", missing)
        self.assertIn("infer/B-B/split_1", missing)
        said = self.run_toy("--executor", "slurm", "--status").out
        self.assertRegex(said, r"log: \S+/launches/\S+/slurm/\S+\.out\n")
        self.assert_completes()

    @unittest.skipUnless(os.environ.get("CI") or os.environ.get("SLOW_TESTS"), SLOW)
    def test_the_time_limit_is_named_and_the_task_runs_again(self):
        folder = self.edited_project(("--time=24:00:00", "--time=00:01:00"))
        self.launch(folder=folder, TOY_FAULTS=self.hold("A/split_0", until="never"))
        self.cluster.wait_until_empty()
        warned = "signal TERM near the time limit; raise --time in slurm_templates/train.sbatch"
        status = self.status_of(MODEL)
        self.assertEqual((status["state"], status["reason"]), ("interrupted", warned))
        state, reason = self.assert_status_is_true()[MODEL]
        self.assertIn(state, ("failed", "interrupted"))
        self.assertIn(warned, reason)
        self.assert_completes()

    def test_elements_stranded_by_a_parent_are_named_and_cancelled_by_the_next_launch(self):
        """Without kill-on-invalid-dep; Slurm names the first of a chain, --status all of it."""
        folder = self.edited_project(("#SBATCH --kill-on-invalid-dep=yes", "##"))
        data, behind = "ml_data/A-A/split_0", {MODEL, "infer/A-A/split_0", "infer/A-B/split_0"}
        self.launch(folder=folder, TOY_FAULTS=f"preprocess {data} wait:{self.path('never')}")
        self.wait_for_running(data)
        kill_hard(self.status_of(data)["pid"])
        wait_for(lambda: set(self.elements()) == behind | {"scores"},
                 "nothing but what waits for ever")
        states = self.assert_status_is_true()
        for name in behind:
            self.assertEqual(states[name][0], "not run")
            self.assertIn("parent failed", states[name][1])
        self.assertIn("cancelled 4 elements", self.assert_completes().out)


class NodeFaultsTest(FaultCase):
    """Nodes that go and come back."""
    settings = {"slurmd_timeout": 4}

    def test_a_task_survives_its_slurmd_and_is_put_back_from_a_node_that_is_gone(self):
        self.addCleanup(self.cluster.restore)
        self.launch_and_hold()
        node = self.status_of(MODEL)["host"]
        self.cluster.kill(node, signal.SIGKILL)
        self.assertEqual(self.assert_status_is_true()[MODEL][0], "running")
        self.cluster.start(node)
        self.cluster.wait_until_up()
        self.assertEqual(self.status_of(MODEL)["attempt"], 1)
        self.cluster.run("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
        self.wait_for_pending(MODEL)
        wait_for(lambda: self.cluster.hasten() and self.status_of(MODEL)["attempt"] == 2,
                 "the second attempt")
        # A power cut: its slurmd, slurmsteps, runners and stages are gone at once.
        self.wait_for_running(MODEL)
        node = self.status_of(MODEL)["host"]
        self.cluster.kill(node, signal.SIGKILL)
        self.cluster.kill_steps(node)
        self.wait_for_pending(MODEL)
        self.write("go", "")
        self.cluster.wait_until_empty()
        self.assert_all_done()
        self.assertEqual(self.status_of(MODEL)["attempt"], 3)
        others = [row[2] for row in self.starts() if row[2] != MODEL]
        self.assertEqual(sorted(others), sorted(self.names - {MODEL}))


class FusedFaultsTest(ManyFaultsCase):
    """Faults of rows: a job runs all tasks of a source and split."""
    more = ("--fuse",)

    def test_faults_of_rows_are_named_each_and_the_same_command_completes(self):
        cancelled, requeued, waiting = "A/split_1", "A/split_2", "B/split_2"
        self.launch("--max_running", "4", TOY_FAULTS=self.hold(
            cancelled, requeued, "B/split_0", "B/split_1"))
        self.wait_for_running(f"models/{cancelled}", f"models/{requeued}", "models/B/split_1")
        states = self.assert_status_is_true()
        self.assertEqual((states["ml_data/A-A/split_1"][0], states[f"models/{cancelled}"][0]),
                         ("done", "running"))
        self.assertEqual(states["infer/A-B/split_1"],
                         ("queued", "its job has started, this task has not"))
        self.assertEqual(states[f"models/{waiting}"][0], "queued")
        self.cancel(f"models/{waiting}")
        self.cancel(f"models/{cancelled}")
        self.cluster.run("scontrol", "requeue", self.elements()[f"models/{requeued}"][1])
        self.wait_for_pending(f"models/{requeued}")
        self.write("go", "")
        self.assert_states({
            f"models/{cancelled}": ("failed", "cancelled"),
            "ml_data/A-B/split_1": ("lost", "cancelled"),
            "infer/A-A/split_1": ("not run", f"parent failed: models/{cancelled}"),
            "ml_data/B-A/split_2": ("lost", "cancelled"),
            f"models/{waiting}": ("not run", "parent failed"),
            f"models/{requeued}": ("done", "")})
        self.assertEqual(self.status_of(f"models/{requeued}")["attempt"], 2)
        self.assert_completes()
