"""--status and --wait: what they say of a campaign, from its files and the queue."""
import glob
import json
import os
import shutil
import sys
import unittest
from unittest import mock

from launcher import slurm, wait
from launcher.results_tree import ResultsTree
from tests.campaign import LOCAL, CampaignCase
from tests.support import PATIENCE, REPOSITORY

# A launcher that says on standard error which plans and statuses it opens.
COUNT_OPENS = """
import builtins, os, sys
sys.path.insert(0, {0!r})
opened, os_open, builtin_open = [], os.open, builtins.open
def noted(real):
    def open(path, *words, **more):
        if str(path).endswith(("stage_status.json", "plan.json")):
            opened.append(str(path))
        return real(path, *words, **more)
    return open
os.open, builtins.open = noted(os_open), noted(builtin_open)
import workflow_csa
code = workflow_csa.main(sys.argv[1:])
sys.stderr.write(chr(10).join(opened))
sys.exit(code)
""".format(REPOSITORY)


class StatusTest(CampaignCase):
    def test_without_a_launch_it_is_refused(self):
        self.assert_refused(self.run_toy(*LOCAL, "--status"), "there is no launch in")
        self.assert_refused(self.run_toy(*LOCAL, "--cancel"), "there is no launch in", "name the --output_dir of a run")

    def test_without_a_launch_the_runs_beside_it_are_named(self):
        self.have_toy(*LOCAL)
        ended = self.run_toy(*LOCAL, "--output_dir", "uot", "--status")
        self.assert_refused(ended, "there is no launch in", "--output_dir with one of out")

    def test_the_commands_to_go_on_are_those_that_cover_what_is_not_done(self):
        for more in (("--source", "A"), (), ("--source", "B")):
            self.run_toy(*LOCAL, *more, "--split", "0", "--retry_failed", TOY_FAULTS="train models exit:3")
        ended = self.run_toy(*LOCAL, "--status")
        commands = ended.out.partition("to run what is not done:")[2].split("\n")[1:]
        self.assertEqual(["--source B" in command for command in filter(None, commands)], [False, True], ended.out)

    def test_each_status_is_read_once_and_the_tasks_of_a_plan_where_they_are_needed(self):
        self.have_toy(*LOCAL)
        self.run_toy(*LOCAL, "--redo", "infer")
        statuses = len(glob.glob(self.path("out/**/stage_status.json"), recursive=True))
        for more, looks in (((), 1), (("--dry_run",), 1), (("--status",), 2), (("--status", "--json"), 2)):
            ended = self.run_command(sys.executable, "-c", COUNT_OPENS, *self.command(*more)[2:])
            self.assertEqual(ended.code, 0, ended)
            opened = ended.err.split()
            self.assertEqual((len(opened), len(set(opened))), (statuses + 2 * looks, statuses + 2), (more, ended.err))

    def test_all_done_is_exit_code_0(self):
        self.have_toy(*LOCAL)
        ended = self.run_toy(*LOCAL, "--status")
        self.assertEqual(ended.code, 0, ended)
        lines = ended.out.splitlines()
        self.assertEqual(lines[1].split(), ["done", "running", "queued", "failed", "interrupted", "lost", "not", "run"])
        self.assertIn(["preprocess", "8", "0", "0", "0", "0", "0", "0"], [line.split() for line in lines])
        self.assertEqual(lines[-1], "all done")

    def test_a_failure_is_exit_code_1_with_reason_attempt_host_log_and_command(self):
        self.run_toy(*LOCAL, "--retries", "1", TOY_FAULTS="train A/split_1 exit:3")
        ended = self.run_toy(*LOCAL, "--status")
        self.assertEqual(ended.code, 1, ended)
        log = self.path("out/models/A/split_1/log.txt")
        self.assertIn(f"failed: models/A/split_1: exit code 3: toy: exit:3 as told (attempt 2 on {os.uname().nodename}); log: {log}", ended.out)
        self.assertIn("    toy: exit:3 as told", ended.out)
        self.assertIn("2 tasks did not run because a parent failed", ended.out)
        command = ended.out.strip().splitlines()[-1].strip()
        self.assertIn("workflow_csa.py --model toy", command)
        self.assertIn("repair what ended with an error and give the same command again, or add --retry_failed", ended.out)
        self.assertEqual(self.run_command("bash", "-c", command).code, 1)
        self.assertEqual(self.run_command("bash", "-c", command + " --retry_failed").code, 0)
        self.assertEqual(self.status()[0], 0)

    def test_a_campaign_that_runs_is_exit_code_3(self):
        process = self.start_campaign("--jobs", "1", TOY_FAULTS=f"train A/split_0 wait:{self.path('go')}")
        self.wait_for_state("models/A/split_0", "running")
        code, states = self.status()
        self.assertEqual(code, 3)
        self.assertEqual(states["models/A/split_0"], ("running", ""))
        self.assertEqual(states["infer/A-A/split_0"], ("queued", ""))
        self.write("go", "")
        process.communicate(timeout=PATIENCE)
        self.assertEqual(self.status()[0], 0)

    def test_stale_tasks_are_counted_before_they_run(self):
        self.have_toy(*LOCAL)
        self.run_toy(*LOCAL, "--epochs", "9", "--replace", TOY_FAULTS="train models exit:1")
        states = self.states()
        self.assertEqual({name for name, state in states.items() if state == "done" and name.startswith("infer")}, set())

    def test_deleted_intermediates_count_as_done(self):
        self.have_toy(*LOCAL)
        shutil.rmtree(self.path("out/ml_data"))
        code, states = self.status()
        self.assertEqual((code, states["ml_data/A-B/split_0"]), (0, ("done", "deleted after use")))

    def test_deleted_results_are_not_done(self):
        self.have_toy(*LOCAL)
        os.unlink(self.path("out/infer/A-B/split_0/test_scores.json"))
        code, states = self.status()
        self.assertEqual((code, states["infer/A-B/split_0"]),
                         (1, ("not run", "its test_scores.json was deleted or changed")))

    def test_a_plan_that_cannot_be_read_is_named(self):
        self.have_toy(*LOCAL)
        os.makedirs(self.path("out/launches/20990101T000000.000000Z"))
        self.write("out/launches/20990101T000000.000000Z/plan.json", '{"workflow": "csa", "tas')
        ended = self.run_toy(*LOCAL, "--status")
        self.assertEqual(ended.code, 0, ended)
        self.assertIn("plan.json' cannot be read", ended.err)


class EnvironmentTest(unittest.TestCase):
    def test_what_a_user_or_an_allocation_has_set_does_not_change_the_commands(self):
        given = {"SLURM_CONF": "x", "SBATCH_ACCOUNT": "y", "HOME": "/h", "SQUEUE_PARTITION": "gpu", "SQUEUE_STATES": "CG",
                 "SCANCEL_INTERACTIVE": "1", "SBATCH_ARRAY_INX": "0-9", "SLURM_CPU_BIND": "q"}
        with mock.patch.dict(os.environ, given, clear=True):
            self.assertEqual(sorted(slurm.environment()), ["HOME", "SBATCH_ACCOUNT", "SLURM_CONF"])


class WaitTest(CampaignCase):
    """watch.wait with a clock and a queue of our own."""

    def wait(self, answers):
        """(moments at which the queue was asked, what was printed); an answer is a list of elements or None."""
        clock, asked, printed, answers = [0.0], [], [], iter(answers)
        plan = {"workflow": "csa", "executor": "slurm", "tasks": [{"name": "t", "stage": "train", "array": "a", "index": 0, "words": [], "run": True}]}
        os.makedirs(self.path("out/launches/L1"))
        self.write("out/launches/L1/plan.json", json.dumps(plan))

        def queue(names):
            asked.append(clock[0])
            answer = next(answers)
            if answer is None:
                raise slurm.SlurmError("silent", "no answer")
            return answer

        def sleep(seconds):
            clock[0] += seconds
        stream = mock.Mock(write=printed.append)
        with mock.patch("launcher.slurm.queue", queue), mock.patch("time.sleep", sleep), mock.patch("time.time", lambda: clock[0]):
            tree = ResultsTree(self.path("out"))
            wait.wait(tree, tree.launches[0], stream)
        return asked, "".join(printed)

    RUNNING = [slurm.Element("7", 0, "RUNNING", "None", "csa.L1.a")]

    def test_the_queue_is_asked_every_10_s_at_first_and_every_60_s_later(self):
        asked, printed = self.wait([self.RUNNING] * 12 + [[]])
        pauses = [after - before for before, after in zip(asked, asked[1:])]
        self.assertGreaterEqual(min(pauses), 10)
        self.assertEqual(pauses, sorted(pauses))
        self.assertEqual(pauses[-1], 60)
        self.assertIn("1 job left, 1 running", printed)

    def test_a_controller_that_is_silent_for_ten_minutes_is_waited_for(self):
        asked, printed = self.wait([self.RUNNING] + [None] * 12 + [self.RUNNING, []])
        self.assertGreater(asked[-1], 600)
        self.assertNotIn("no answer", printed)

    def test_a_controller_that_stays_silent_is_given_up_with_a_sentence(self):
        _, printed = self.wait([None] * 200)
        self.assertIn("no answer from the Slurm controller for 900 s; the jobs go on without us", printed)

    def test_what_waits_for_ever_is_not_waited_for(self):
        stranded = self.RUNNING[0]._replace(state="PENDING", reason="DependencyNeverSatisfied")
        self.assertEqual(len(self.wait([[stranded]])[0]), 1)


if __name__ == "__main__":
    unittest.main()
