"""What befalls launcher, sbatch and controller on a real Slurm, and what must hold after it."""
import os
import signal

from tests.cluster.faults import FaultCase
from tests.support import wait_for

MODEL = "models/A/split_0"
NO_ANSWER = "the Slurm controller does not answer"


class LaunchFaultsTest(FaultCase):
    """Faults of the launcher, and of sbatch under it."""

    def test_what_slurm_refuses_is_named_and_leaves_nothing_waiting(self):
        """All arrays, then train and what follows it, then one inference."""
        self.assert_refused(self.campaign(**self.faulty_sbatch("refuse:every")),
                            "arrays not submitted: preprocess_0, ")
        for said in ("3 arrays not submitted", "1 array not submitted"):
            ended = self.campaign(**self.faulty_sbatch("refuse:2"), code=1)
            self.assertIn("QOSMaxSubmitJobPerUserLimit", ended.err)
            self.assertIn(said, ended.err)
            self.cluster.wait_until_empty()
            states = self.assert_status_is_true()
        self.assertEqual({name for name, (state, _) in states.items() if state == "not run"},
                         {"infer/A-A/split_0", "infer/B-A/split_0"})
        # the collector took the results of the other array
        self.assertEqual(len({key[1:] for key in self.score_values()}), 2)
        self.assert_completes()

    def test_a_job_that_a_killed_launcher_did_not_write_down_is_found_and_cancelled(self):
        ended = self.campaign(TOY_FAULTS=self.hold("A/split_0", until="never"),
                              **self.faulty_sbatch("kill:2"))
        self.assertEqual(ended.code, -signal.SIGKILL)
        launch, = os.listdir(self.path("out/launches"))
        jobs = self.read("out/launches", launch, "jobs.tsv").splitlines()
        self.assertEqual([line.split("\t")[0] for line in jobs], ["preprocess_0"])
        self.wait_for_running(MODEL)
        self.assertEqual(self.assert_status_is_true()[MODEL][0], "running")
        self.assert_refused(self.campaign(), "of these tasks are in a live launch")
        self.assertRegex(self.campaign("--cancel", code=0).out, r"^cancelled 1 job: \d+\n$")
        self.cluster.wait_until_empty()
        self.assert_completes()

    def test_a_lost_reply_of_sbatch_is_found_by_the_jobs_name(self):
        """sbatch hangs, or ends with an error, though the controller has taken the job."""
        ended = self.run_impatient(**self.faulty_sbatch("lose:every"))
        self.assertEqual(ended.code, 0, ended)
        self.cluster.wait_until_empty()
        self.assert_each_ran_once()

    def test_of_launchers_started_at_once_each_task_runs_once(self):
        """Both may submit: then the claims keep each task to one runner. Each may refuse, as it has
        seen the other's plan: then the next command runs them."""
        both = self.at_once([], [])
        codes = {ended.code for ended in both}
        self.assertLessEqual(codes, {0, 2}, both)
        if 0 not in codes:
            self.launch()
        self.cluster.wait_until_empty()
        self.assert_each_ran_once()


class ControllerFaultsTest(FaultCase):
    """A controller that is restarted, down, or without memory."""

    def test_jobs_that_the_controller_has_forgotten_are_lost_and_run_again(self):
        """Killed hard, it forgets what was submitted in its last seconds; here it forgets all."""
        self.launch(TOY_FAULTS=self.hold("A/split_0", until="never"))
        self.wait_for_running(MODEL)
        runner = self.status_of(MODEL)["pid"]
        self.cluster.kill("slurmctld", signal.SIGKILL)
        self.cluster.lose_jobs()
        self.cluster.start("slurmctld")
        self.cluster.wait_until_up()
        # Slurm ends what it finds on a node and does not know.
        wait_for(lambda: not os.path.exists(f"/proc/{runner}"), "the end of the forgotten task")
        states = self.assert_status_is_true()
        self.assertLessEqual({states[name][0] for name in (MODEL, "infer/A-B/split_0")},
                             {"failed", "lost", "not run"})
        self.assert_completes()

    def test_a_controller_that_is_down_is_named_and_loses_nothing_when_it_is_back(self):
        self.launch_and_hold()
        self.cluster.kill("slurmctld")
        try:
            status, cancel, *launches = self.at_once(["--status"], ["--cancel"], [],
                                                     ["--executor", "auto"])
            self.assertEqual(status.code, 3, status)
            self.assertIn("the queue could not be asked", status.out)
            self.assert_refused(cancel, NO_ANSWER)
            for launch in launches:
                self.assert_refused(launch, NO_ANSWER, "--executor local")
            self.write("go", "")
        finally:
            self.cluster.start("slurmctld")
            self.cluster.wait_until_up()
        self.cluster.wait_until_empty()
        self.assert_each_ran_once()


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
            wait_for(lambda: not self.cluster.run("squeue", "-h", "--states=all").strip(),
                     "an empty memory")
            self.assert_status_is_true()
            if self.run_impatient().code == 0:
                break
        self.cluster.wait_until_empty()
        self.assert_each_ran_once()
