"""What is around a run: an allocation, cores, kinds of environments, words of Slurm, folders that may not be read."""
import os
import subprocess
import unittest
from types import SimpleNamespace
from unittest import mock

import tests  # noqa: F401  (puts stages/ on the path)
from launcher import local, slurm, status, story, surroundings, survey, wait
from tests.campaign import LOCAL, CampaignCase
from tests.support import PATIENCE, REPOSITORY, wait_for


class SurroundingsTest(CampaignCase):
    def test_an_allocation_around_a_local_run_means_nothing(self):
        """SLURM_JOB_ID of the surrounding job is no job of these tasks, and a killed launcher's tasks are seen."""
        allocation = {"SLURM_JOB_ID": "77", "SLURM_CPUS_PER_TASK": "64", "SLURMD_NODENAME": "n9"}
        process = self.start_campaign("--jobs", "1", TOY_FAULTS=f"train A/split_0 wait:{self.path('go')}", **allocation)
        found = self.wait_for_state("models/A/split_0", "running")
        self.assertEqual((found["executor"], found["slurm_job"], found["host"]), ("local", "", os.uname().nodename))
        self.assertEqual(self.status()[1]["models/A/split_0"], ("running", ""))
        process.kill()
        process.communicate(timeout=PATIENCE)
        self.assertEqual(self.status()[1]["models/A/split_0"], ("running", ""))
        self.assert_refused(self.run_toy(*LOCAL, **allocation), "are in a live launch", f"process {found['pid']} on")
        self.write("go", "")
        wait_for(lambda: not os.path.exists(f"/proc/{found['pid']}"), "the end of the orphan")

    def test_a_path_that_is_too_deep_is_a_sentence(self):
        ended = self.assert_no_traceback(self.run_toy(*LOCAL, "--output_dir", "out" + "/d" * 1500))
        self.assert_refused(ended, "which is too long for what it will hold")

    def test_launches_that_may_not_be_read_are_a_sentence(self):
        python = "/usr/bin/python3"     # one that another user may run
        if os.geteuid() != 0 or not os.path.exists(python):
            self.skipTest("becoming another user needs root, and a Python that everybody may run")
        os.makedirs(self.path("out/launches"), mode=0o700)
        os.chmod(self.work, 0o755)
        code = ("import os, sys; os.setuid(65534); sys.path[:0] = [{0!r}]\ntry:\n    from launcher.results_tree import ResultsTree\n"
                "except ImportError:\n    sys.exit(3)\nfrom launcher.refusal import Refusal\n"
                "try:\n    ResultsTree({1!r})\nexcept Refusal as refusal:\n    print(refusal)").format(REPOSITORY, self.path("out"))
        done = subprocess.run([python, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
        if done.returncode == 3:
            self.skipTest("another user cannot read this copy of the project")
        self.assertEqual(done.stdout, f"{self.path('out/launches')} cannot be read (Permission denied)\n", done.stderr)

    def test_the_tasks_of_another_launch_do_not_decide_how_this_one_ends(self):
        self.run_toy(*LOCAL, "--source", "A", TOY_FAULTS="train models/A exit:1")
        self.assertEqual(self.run_toy(*LOCAL, "--source", "B").code, 0)


class MachineTest(unittest.TestCase):
    def test_a_site_s_own_kind_of_environment_is_not_tried_where_conda_happens_to_be(self):
        options = SimpleNamespace(env="spack:torch", executor="slurm", dry_run=False, notes=[])
        with mock.patch.dict(os.environ, CONDA_EXE="/opt/conda/bin/conda"):
            surroundings.check_environment(options)
        self.assertIn("cannot be checked on this machine", options.notes[0])

    def test_local_tasks_get_the_cores_that_this_process_may_use(self):
        with mock.patch("os.sched_getaffinity", lambda pid: {3}):
            self.assertEqual(local.available_cores(), 1)

    def test_a_job_id_is_found_on_any_line_of_what_sbatch_prints(self):
        for text in ("409\n", "Welcome\n409;cluster\n", "409\nSubmitted for project x, cost 12 hours\n", "\n409;c-1 \nbye"):
            self.assertEqual(slurm.job_id_of(text), "409")
        with self.assertRaises(slurm.SlurmError) as caught:
            slurm.job_id_of("thank you\n")
        self.assertTrue(slurm.may_have_been_submitted(caught.exception))


class WaitingTest(unittest.TestCase):
    """Why elements wait, and what can never start."""

    def state(self, reason, kind="", state="queued"):
        return survey.State("models/A", "train", state, kind, reason, None, "", "")

    def test_what_can_never_start_is_exit_code_4_with_the_way_out(self):
        never = self.state(survey.NEVER_STARTS["PartitionTimeLimit"][0], "never_starts")
        states = [never, self.state("Dependency"), self.state("", state="done")]
        self.assertEqual(survey.exit_code(states), 4)
        self.assertIn("1 train can never start: its --time is above the partition's limit\n  try: lower --time", status.waiting(states))
        self.assertEqual(survey.exit_code(states + [self.state("Priority")]), 3)
        self.assertEqual(survey.exit_code(states + [self.state("", state="running")]), 3)

    def test_elements_that_only_wait_for_others_may_still_start(self):
        self.assertEqual(survey.exit_code([self.state("Dependency"), self.state("", state="done")]), 3)

    def test_a_held_job_is_released_and_not_cancelled(self):
        text = status.waiting([self.state("it is held by its user", "never_starts")])
        self.assertTrue(text.endswith("try: scontrol release JOB"), text)

    def test_the_story_of_a_task_that_can_never_start_names_the_same_way_out(self):
        for reason, way_out in (("JobHeldUser", "scontrol release JOB"),
                                ("PartitionTimeLimit", "lower --time in the template, then --cancel and the same command")):
            known = SimpleNamespace(element=slurm.Element("7", 0, "PENDING", reason, "csa.x.train"), state=self.state("", "never_starts", "failed"))
            with mock.patch.object(slurm, "expected_start", lambda key: ""):
                self.assertEqual(story.queue_lines(known)[-1], f"  try: {way_out}")

    def test_a_job_that_slurm_holds_after_a_failed_start_is_not_waited_for(self):
        """Slurm's words on a node that got the order to start twice; what waits for that job waits as long."""
        tasks = [dict(name=name, array=name, index=0, parents=parents) for name, parents in (("train", ()), ("infer", ("train",)))]
        launch = SimpleNamespace(tasks=tasks)
        waiting = {("train", 0): slurm.Element("15", 9, "PENDING", "launch failed requeued held", "csa.x.train"),
                   ("infer", 0): slurm.Element("16", 9, "PENDING", "Dependency", "csa.x.infer")}
        self.assertEqual(wait.still_to_come(waiting, launch), [])
        self.assertEqual(survey.never_starts("launch failed requeued held")[1], "scontrol release JOB")

    def test_every_way_out_belongs_to_one_reason(self):
        reasons = [reason for reason, _ in survey.NEVER_STARTS.values()]
        self.assertEqual(len(reasons), len(set(reasons)))


if __name__ == "__main__":
    unittest.main()
