"""What a cluster does to a campaign, done to one on a real Slurm of four nodes.

After each fault: --status says what squeue and the files say, the same command
completes the campaign, what was done is not done again, and the scores are those
of an undisturbed run. docs/faults.md lists what happened.
"""
import os
import re
import shutil
import signal
import unittest

from tests.cluster.faults import CAMPAIGN, OF_MODEL_A, FaultCase, copy_file, kill_hard
from tests.support import REPOSITORY, TOY_MODEL, wait_for


class TaskFaultsTest(FaultCase):
    """Faults of single tasks."""

    def test_a_stage_killed_with_signal_9_fails_alone(self):
        self.launch(TOY_FAULTS="train models/A/split_0 kill")
        self.cluster.wait_until_empty()
        states = self.assert_status_is_true()
        self.assertEqual(states["models/A/split_0"], ("failed", "killed by signal KILL (out of memory?): toy: kill as told"))
        self.assertEqual({name for name, (state, _) in states.items() if state != "done"}, OF_MODEL_A)
        for name in OF_MODEL_A - {"models/A/split_0"}:
            self.assertEqual(states[name], self.followers)
        self.assert_completes()

    def test_a_cancelled_running_element_is_named_and_runs_again(self):
        self.launch(TOY_FAULTS=f"train models/A/split_0 wait:{self.path('never')}")
        self.wait_for_running("models/A/split_0")
        self.assertEqual(self.assert_status_is_true()["models/A/split_0"][0], "running")
        self.cluster.run("scancel", self.elements()["models/A/split_0"][3])
        self.cluster.wait_until_empty()
        self.assertEqual(self.assert_status_is_true()["models/A/split_0"], ("failed", "cancelled"))
        self.assert_completes()

    def test_a_cancelled_waiting_element_is_named_and_runs_again(self):
        self.launch_and_hold()
        self.assertEqual(self.assert_status_is_true()["infer/A-B/split_0"][0], "queued")
        self.cluster.run("scancel", self.elements()["infer/A-B/split_0"][3])
        self.write("go", "")
        self.cluster.wait_until_empty()
        self.assertEqual(self.assert_status_is_true()["infer/A-B/split_0"], ("lost", "cancelled"))
        self.assertEqual([row["task"] for row in self.table("missing.csv")], ["infer/A-B/split_0"])
        self.assert_completes()

    def test_a_requeued_element_is_a_second_attempt_and_its_log_is_appended(self):
        """What preemption does, too."""
        self.launch_and_hold()
        self.cluster.run("scontrol", "requeue", self.elements()["models/A/split_0"][3])
        wait_for(lambda: self.elements()["models/A/split_0"][0] == "PENDING", "the requeued element")
        self.assertEqual(self.assert_status_is_true()["models/A/split_0"][0], "queued")
        self.assert_refused(self.campaign(), "are in a live launch", "job ")
        self.let_go()
        self.assertEqual(self.status_of("models/A/split_0")["attempt"], 2)
        self.assertEqual(self.read("out/models/A/split_0/log.txt").count("=== attempt"), 2)
        self.assertEqual(self.score_values(), self.reference)

    def test_a_runner_killed_hard_is_lost_and_runs_again(self):
        self.launch(TOY_FAULTS=f"train models/A/split_0 wait:{self.path('never')}")
        self.wait_for_running("models/A/split_0")
        kill_hard(self.status_of("models/A/split_0")["pid"])
        self.cluster.wait_until_empty()
        self.assertEqual(self.assert_status_is_true()["models/A/split_0"][0], "lost")
        self.assert_completes()

    @unittest.skipUnless(os.environ.get("CI") or os.environ.get("SLOW_TESTS"), "takes two minutes: set SLOW_TESTS=1")
    def test_the_time_limit_is_named_and_the_task_runs_again(self):
        folder = self.copy_with_train_template(lambda text: re.sub("--time=(24|48):00:00", "--time=00:01:00", text))
        ended = self.run_folder(folder, TOY_FAULTS=f"train models/A/split_0 wait:{self.path('never')}")
        self.assertEqual(ended.code, 0, ended)
        self.cluster.wait_until_empty()
        states = self.assert_status_is_true()
        self.assertIn(states["models/A/split_0"], (("failed", "time limit"), ("interrupted", "signal TERM")))
        self.assert_completes()

    def test_elements_stranded_by_a_parent_are_named_and_cancelled_by_the_next_launch(self):
        """Without kill-on-invalid-dep; Slurm names only the first of a chain, --status all of it."""
        folder = self.copy_with_train_template(lambda text: text.replace("#SBATCH --kill-on-invalid-dep=yes", "##"))
        ended = self.run_folder(folder, TOY_FAULTS=f"preprocess ml_data/A-A wait:{self.path('never')}")
        self.assertEqual(ended.code, 0, ended)
        self.wait_for_running("ml_data/A-A/split_0")
        kill_hard(self.status_of("ml_data/A-A/split_0")["pid"])
        for_ever = OF_MODEL_A | {"scores"}
        wait_for(lambda: set(self.elements()) == for_ever, "nothing but what waits for ever")
        states = self.assert_status_is_true()
        for name in OF_MODEL_A:
            self.assertEqual(states[name][0], "not run")
            self.assertIn("parent failed", states[name][1])
        ended = self.assert_completes()
        self.assertIn("cancelled 4 elements of older launches whose parents failed", ended.out)

    def copy_with_train_template(self, change):
        """The folder that people copy, its templates edited."""
        folder = self.path("folder")
        for name in ("workflow_csa.py", "run_model.sh", "launcher", "stages", "slurm_templates"):
            source = os.path.join(REPOSITORY, name)
            (shutil.copytree if os.path.isdir(source) else copy_file)(source, os.path.join(folder, name))
        for name in os.listdir(os.path.join(folder, "slurm_templates")):
            path = os.path.join(folder, "slurm_templates", name)
            with open(path) as file:
                text = file.read()
            with open(path, "w") as file:
                file.write(change(text))
        return folder

    def run_folder(self, folder, **settings):
        return self.run_workflow("csa", "--model", "toy", "--model_dir", TOY_MODEL, "--input_dir", "raw", "--output_dir", "out",
                                 "--executor", "slurm", "--split", "0", *self.more, folder=folder, TOY_STARTS=self.path("starts.txt"), **settings)


class NodeFaultsTest(FaultCase):
    """Nodes that go and come back."""
    settings = {"slurmd_timeout": 10}

    def node_of(self, name):
        return self.status_of(name)["host"]

    def test_a_node_set_down_under_a_task_gives_it_a_second_attempt(self):
        self.launch_and_hold()
        node = self.node_of("models/A/split_0")
        self.cluster.run("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
        wait_for(lambda: self.elements()["models/A/split_0"][0] == "PENDING", "the element put back")
        self.assertEqual(self.assert_status_is_true()["models/A/split_0"][0], "queued")
        self.let_go()
        self.assertEqual(self.status_of("models/A/split_0")["attempt"], 2)
        self.assertEqual(self.score_values(), self.reference)
        self.cluster.run("scontrol", "update", f"nodename={node}", "state=resume", check=False)
        self.cluster.wait_until_idle()

    def test_a_slurmd_killed_and_brought_back_keeps_its_task(self):
        self.launch_and_hold()
        node = self.node_of("models/A/split_0")
        self.cluster.kill(node, signal.SIGKILL)
        self.assertEqual(self.assert_status_is_true()["models/A/split_0"][0], "running")
        self.cluster.start(node)
        self.let_go()
        self.assertEqual(len(self.starts()), len(CAMPAIGN))
        self.assertEqual(self.score_values(), self.reference)

    def test_a_lost_node_gives_its_task_a_second_attempt(self):
        self.launch_and_hold()
        node = self.node_of("models/A/split_0")
        self.addCleanup(self.cluster.wait_until_idle)
        self.addCleanup(self.cluster.start, node)
        self.lose(node, self.status_of("models/A/split_0")["pid"])
        wait_for(lambda: self.elements()["models/A/split_0"][0] == "PENDING", "the element put back")
        self.assertEqual(self.assert_status_is_true()["models/A/split_0"][0], "queued")
        self.let_go()
        self.assertEqual(self.status_of("models/A/split_0")["attempt"], 2)
        self.assertEqual(self.score_values(), self.reference)

    def lose(self, node, runner):
        """A power cut: the node's daemon, the step's daemon, the runner and the stage, with no time for a word."""
        with open(f"/proc/{runner}/stat") as file:
            step = int(file.read().rpartition(")")[2].split()[1])
        self.cluster.kill(node, signal.SIGKILL)
        os.kill(step, signal.SIGKILL)
        kill_hard(runner)


class FusedFaultsTest(FaultCase):
    """The same faults in rows: a job runs all tasks of a source and split."""
    settings = {"slurmd_timeout": 10}
    more = ("--fuse",)
    followers = ("failed", "parent failed: models/A/split_0 is failed")
    in_queue = {"running": ("RUNNING", "COMPLETING"), "queued": ("PENDING", "RUNNING", "COMPLETING"),
                "not run": ("PENDING", "RUNNING", "COMPLETING")}
    node_of, lose = NodeFaultsTest.node_of, NodeFaultsTest.lose
    copy_with_train_template, run_folder = TaskFaultsTest.copy_with_train_template, TaskFaultsTest.run_folder

    test_a_stage_killed_with_signal_9_fails_alone = TaskFaultsTest.test_a_stage_killed_with_signal_9_fails_alone
    test_a_cancelled_running_element = TaskFaultsTest.test_a_cancelled_running_element_is_named_and_runs_again
    test_a_requeued_element = TaskFaultsTest.test_a_requeued_element_is_a_second_attempt_and_its_log_is_appended
    test_a_runner_killed_hard = TaskFaultsTest.test_a_runner_killed_hard_is_lost_and_runs_again
    test_the_time_limit = TaskFaultsTest.test_the_time_limit_is_named_and_the_task_runs_again
    test_a_node_set_down = NodeFaultsTest.test_a_node_set_down_under_a_task_gives_it_a_second_attempt
    test_a_lost_node = NodeFaultsTest.test_a_lost_node_gives_its_task_a_second_attempt

    def test_an_undisturbed_campaign_is_one_array_with_a_job_a_row(self):
        ended = self.launch()
        self.assertRegex(ended.out, r"(?m)^row +\d+ +10  2$")
        self.cluster.wait_until_empty()
        self.assert_all_done()
        self.assertEqual(sorted(row[2] for row in self.starts()), sorted(CAMPAIGN))
        self.assertEqual(self.score_values(), self.reference)

    def test_what_stops_in_the_middle_of_a_row_is_one_task_and_the_rest_has_not_run(self):
        self.launch_and_hold()
        states = self.assert_status_is_true()
        self.assertEqual((states["ml_data/A-A/split_0"][0], states["models/A/split_0"][0]), ("done", "running"))
        self.assertEqual(states["infer/A-B/split_0"], ("queued", "other tasks of its job come first"))
        self.cluster.run("scancel", self.elements()["models/A/split_0"][3])
        self.cluster.wait_until_empty()
        states = self.assert_status_is_true()
        self.assertEqual(states["models/A/split_0"], ("failed", "cancelled"))
        self.assertEqual(states["ml_data/A-B/split_0"], ("not run", "its job ended before its turn: cancelled"))
        self.assertEqual({states[f"infer/A-{target}/split_0"] for target in "AB"}, {("not run", "parent failed: models/A/split_0")})
        self.assert_completes()

    def test_a_cancelled_waiting_row_is_named_and_runs_again(self):
        self.launch("--max_running", "1", TOY_FAULTS=f"train models/A/split_0 wait:{self.path('go')}")
        self.wait_for_running("models/A/split_0")
        self.assertEqual(self.assert_status_is_true()["models/B/split_0"][0], "queued")
        self.cluster.run("scancel", self.elements()["models/B/split_0"][3])
        self.write("go", "")
        self.cluster.wait_until_empty()
        states = self.assert_status_is_true()
        self.assertEqual({states[f"ml_data/B-{target}/split_0"] for target in "AB"}, {("lost", "cancelled")})
        self.assertEqual({states[name][0] for name in states if name.startswith(("models/B", "infer/B"))}, {"not run"})
        self.assert_completes()


if __name__ == "__main__":
    unittest.main()
