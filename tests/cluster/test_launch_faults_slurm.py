"""What befalls the launcher, sbatch and the controller on a real Slurm, and what must hold after it."""
import os
import shutil
import signal
import sys
import time
import unittest

from tests.support import PATIENCE, REPOSITORY, TOY_MODEL, wait_for
from tests.cluster.faults import CAMPAIGN, OF_MODEL_A, FaultCase


class LaunchFaultsTest(FaultCase):
    """Faults of the launcher, and of sbatch under it."""

    def test_a_submission_refused_in_the_middle_leaves_nothing_waiting(self):
        ended = self.campaign(**self.faulty_sbatch("refuse:3"))
        self.assertEqual(ended.code, 1, ended)
        self.assertIn("QOSMaxSubmitJobPerUserLimit", ended.err)
        self.assertIn("2 tasks are not: infer_0", ended.err)
        self.cluster.wait_until_empty()
        states = self.assert_status_is_true()
        self.assertEqual({name for name, (state, _) in states.items() if state == "not run"},
                         {"infer/A-A/split_0", "infer/B-A/split_0"})
        self.assertEqual(len({key[1:] for key in self.score_values()}), 2)   # the collector took what there was
        self.assert_completes()

    def test_children_of_a_refused_array_are_not_submitted(self):
        ended = self.campaign(**self.faulty_sbatch("refuse:2"))
        self.assertEqual(ended.code, 1, ended)
        self.assertIn("6 tasks are not: train, infer_0, infer_1", ended.err)
        self.cluster.wait_until_empty()
        self.assert_completes()

    def test_where_every_array_is_refused_there_is_no_launch(self):
        self.assert_refused(self.campaign(**self.faulty_sbatch("refuse:every")), "nothing is submitted", "--max_array N")
        self.assertEqual(self.plans(), [])
        self.assert_completes()

    def test_a_launcher_killed_after_sbatch_and_before_writing_the_id_down(self):
        ended = self.campaign(TOY_FAULTS=f"train models/A/split_0 wait:{self.path('go')}", **self.faulty_sbatch("kill:2"))
        self.assertEqual(ended.code, -signal.SIGKILL)
        wait_for(lambda: "models/A/split_0" in self.elements(), "the job that nobody wrote down")
        launch = os.path.join(self.path("out/launches"), os.listdir(self.path("out/launches"))[0])
        with open(os.path.join(launch, "jobs.tsv")) as file:
            self.assertEqual([line.split("\t")[0] for line in file], ["preprocess_0"])
        self.wait_for_running("models/A/split_0")
        self.assertEqual(self.assert_status_is_true()["models/A/split_0"][0], "running")
        self.assert_refused(self.campaign(), "are in a live launch", "job ", "models/A/split_0 first")
        self.write("go", "")
        self.cluster.wait_until_empty()
        self.assert_completes()

    def test_cancel_ends_the_jobs_of_this_run_and_no_others(self):
        other = self.cluster.run("sbatch", "--parsable", "--output=/dev/null", "--wrap", "sleep 100").strip()
        self.launch(TOY_FAULTS=f"train models/A/split_0 wait:{self.path('never')}")
        self.wait_for_running("models/A/split_0")
        ended = self.run_toy("--executor", "slurm", "--cancel")
        self.assertEqual(ended.code, 0, ended)
        self.assertRegex(ended.out, r"cancelled \d jobs: [\d ]+\n$")
        wait_for(lambda: not self.elements(), "the end of the cancelled jobs")
        self.assertEqual(self.cluster.run("squeue", "-h", "-o", "%i").split(), [other])
        self.cluster.run("scancel", other)
        self.assert_status_is_true()
        self.assert_completes()

    def test_a_lost_answer_of_sbatch_is_found_by_the_jobs_name(self):
        ended = self.run_impatient(**self.faulty_sbatch("mute:2"))
        self.assertEqual(ended.code, 0, ended)
        self.cluster.wait_until_empty()
        self.assert_all_done()
        self.assertEqual(len(self.starts()), len(CAMPAIGN))
        self.assertEqual(self.score_values(), self.reference)

    def test_of_launchers_started_at_once_one_wins_and_nothing_runs_twice(self):
        for place in range(3):
            shutil.rmtree(self.path("out"), ignore_errors=True)
            self.write("starts.txt", "")
            command = [sys.executable, os.path.join(REPOSITORY, "workflow_csa.py"), "--model", "toy", "--model_dir", TOY_MODEL,
                       "--input_dir", "raw", "--output_dir", "out", "--executor", "slurm", "--split", "0", "--target", "A"]
            # Held back, since a launcher that starts late on a busy machine would rightly find all tasks done.
            go = self.path(f"go{place}")
            both = [self.start(*command, TOY_STARTS=self.path("starts.txt"), TOY_FAULTS=f"preprocess ml_data wait:{go}") for _ in range(2)]
            errors = [process.communicate(timeout=PATIENCE)[1] for process in both]
            self.write(f"go{place}", "")
            self.assertEqual(sorted(process.returncode for process in both), [0, 2], errors)
            self.assertIn("are in a live launch", "".join(errors))
            self.assertEqual(sorted(self.state_files()), ["submitted", "withdrawn"])
            self.cluster.wait_until_empty()
            names = [row[2] for row in self.starts()]
            self.assertEqual((len(names), len(set(names))), (6, 6))

    def test_the_collector_run_by_hand_while_tasks_write(self):
        self.launch(TOY_FAULTS="train models sleep:1;infer infer sleep:0.5")
        codes = set()
        while self.cluster.run("squeue", "-h").strip():
            ended = self.collect("out", "--output_dir", "by_hand")
            self.assertNotIn("Traceback", ended.err)
            codes.add(ended.code)
            time.sleep(0.3)
        self.assertLessEqual(codes, {0, 1})
        self.assert_status_is_true()
        self.assertEqual(self.score_values(), self.reference)


class ControllerFaultsTest(FaultCase):
    """A controller that is restarted, down, or without memory."""

    def start_controller(self):
        self.cluster.start("slurmctld")
        wait_for(lambda: "error" not in self.cluster.run("squeue", "-h", check=False), "the controller")
        self.cluster.wait_until_up()

    def test_jobs_that_the_controller_has_forgotten_are_lost_and_run_again(self):
        """Killed hard, it forgets what was submitted in its last seconds; here it forgets all."""
        self.launch(TOY_FAULTS=f"train models/A/split_0 wait:{self.path('never')}")
        self.wait_for_running("models/A/split_0")
        runner = self.status_of("models/A/split_0")["pid"]
        self.cluster.kill("slurmctld", signal.SIGKILL)
        self.cluster.lose_jobs()
        self.start_controller()
        # Slurm ends what it finds on a node and does not know.
        wait_for(lambda: not os.path.exists(f"/proc/{runner}"), "the end of the forgotten task")
        states = self.assert_status_is_true()
        self.assertLessEqual({states[name][0] for name in OF_MODEL_A}, {"failed", "lost", "not run"})
        self.assert_completes()

    def test_a_restarted_controller_loses_nothing(self):
        self.launch_and_hold()
        self.cluster.kill("slurmctld")
        self.write("go", "")
        self.start_controller()
        self.cluster.wait_until_empty()
        self.assert_all_done()
        self.assertEqual(len(self.starts()), len(CAMPAIGN))
        self.assertEqual(self.score_values(), self.reference)

    def test_a_controller_that_is_down_at_launch_and_at_status(self):
        self.launch_and_hold()
        self.cluster.kill("slurmctld")
        try:
            ended = self.run_toy("--executor", "slurm", "--status")
            self.assertEqual(ended.code, 3, ended)
            self.assertIn("the queue could not be asked", ended.out)
            self.assert_refused(self.campaign(), "the Slurm controller does not answer")
            self.assertEqual(len(self.plans()), 1)
            self.assert_refused(self.run_toy("--executor", "slurm", "--cancel"), "the Slurm controller does not answer")
        finally:
            self.start_controller()
        self.let_go()
        self.assertEqual(self.score_values(), self.reference)


class FullControllerTest(FaultCase):
    """At MaxJobCount sbatch is not refused: it waits and tries again."""
    settings = {"more": "MaxJobCount=6\nMinJobAge=2"}

    def test_an_sbatch_that_hangs_is_given_up_and_the_same_command_goes_on(self):
        ended = self.run_impatient()
        self.assertEqual(ended.code, 1, ended)
        self.assertIn("sbatch gave no answer in 4 s", ended.err)
        for _ in range(6):
            self.cluster.wait_until_empty()
            # The controller counts ended jobs too, until it forgets them.
            wait_for(lambda: not self.cluster.run("squeue", "-h", "--states=all").strip(), "an empty memory")
            self.assert_status_is_true()
            if self.run_impatient().code == 0:
                break
        self.cluster.wait_until_empty()
        self.assert_all_done()
        self.assertEqual(len(self.starts()), len(CAMPAIGN))
        self.assertEqual(self.score_values(), self.reference)


if __name__ == "__main__":
    unittest.main()
