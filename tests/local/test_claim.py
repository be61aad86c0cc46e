"""Claims: a task has one runner, whoever starts it."""
import json
import os
import shutil
import signal
import time
from unittest import mock

from stages.runner import claim
from tests.runner_case import RunnerCase
from tests.support import PATIENCE, wait_for

SLOW = ("none", "slow.py", "--output_dir", "out")
GONE = 2 ** 22 - 1      # no process has this number


class TwoRunnersTest(RunnerCase):
    """Runners of a stage that runs until the file `go` appears."""

    def setUp(self):
        super().setUp()
        self.write("slow.py", "import os, sys, time\nopen('starts', 'a').write('x')\n"
                              "while not os.path.exists('go'): time.sleep(0.05)\n"
                              "sys.exit(int(open('go').read()))\n")

    def start_first(self):
        first = self.start_model(*SLOW)
        self.wait_for_text("starts", "x")
        return first

    def start_waiting(self):
        second = self.start_model(*SLOW)
        self.wait_for_text("printed", "has this task")
        return second

    def test_started_many_times_at_once_it_runs_once_and_all_return_its_verdict(self):
        """Also of many that see a dead claim one takes it over."""
        self.write("3/.claim.1", json.dumps(dict(claim.identity(), pid=GONE)))
        for code in (0, 3):
            for name in ("starts", "printed"):
                self.write(name, "")
            many = [self.start_model(*SLOW[:-1], str(code)) for _ in range(5)]
            self.wait_for_text("printed", "has this task", 4)
            self.write("go", str(code))
            self.assertEqual([process.wait(PATIENCE) for process in many], [code] * 5)
            self.assertEqual(self.read("starts"), "x")
            self.assertEqual(sorted(os.listdir(self.path(str(code)))),
                             ["log.txt", "stage_status.json"])
            os.unlink(self.path("go"))

    def test_a_waiting_runner_takes_over_when_the_first_one_and_its_stage_are_killed(self):
        first, second = self.start_first(), self.start_waiting()
        stage = json.loads(self.read("out/.claim.1"))["stage"]
        first.kill()    # it is a zombie now, as nobody has asked for its end
        time.sleep(2)
        self.assertEqual(self.read("starts"), "x", "its stage still writes")
        os.kill(stage, signal.SIGKILL)
        self.wait_for_text("starts", "xx")
        self.write("go", "0")
        self.assertEqual(second.wait(PATIENCE), 0)
        self.assertEqual(self.out_status("out")["attempt"], 2)
        first.wait()

    def test_a_signal_ends_a_runner_that_waits_and_leaves_the_first_one_alone(self):
        first, second = self.start_first(), self.start_waiting()
        second.send_signal(signal.SIGTERM)
        self.assertEqual((second.wait(PATIENCE), self.out_status("out")["state"]), (143, "running"))
        self.write("go", "0")
        self.assertEqual((first.wait(PATIENCE), self.read("starts")), (0, "x"))

    def test_a_stage_that_empties_its_directory_while_it_runs_is_run_once(self):
        self.write("slow.py", "import os, shutil, sys\nshutil.rmtree(sys.argv[-1])\n"
                              "os.makedirs(sys.argv[-1])\n" + self.read("slow.py"))
        first = self.start_first()
        wait_for(lambda: len(os.listdir(self.path("out"))) == 2, "claim and status again")
        second = self.start_waiting()
        self.write("go", "0")
        self.assertEqual([process.wait(PATIENCE) for process in (first, second)], [0, 0])
        self.assertEqual(self.read("starts"), "x")


class ClaimTest(RunnerCase):
    def claim(self):
        os.makedirs(self.path("out/infer/A"), exist_ok=True)
        return claim.Claim(self.path("out/infer/A"))

    def test_a_claim_is_dead_if_its_process_is_gone_or_silent_for_five_minutes(self):
        me = claim.identity()
        other = dict(me, kernel="of another boot", slurm_job="7_3")
        requeued = {"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "3",
                    "SLURM_RESTART_COUNT": "1"}
        for content, age, settings, is_dead in (
                (me, 301, {}, False), (dict(me, pid=GONE), 0, {}, True),
                (dict(me, process_started="1"), 0, {}, True), (other, 250, {}, False),
                (other, 301, {}, True), ({}, 0, {}, False), ({}, 301, {}, True),
                (other, 0, requeued, True)):
            with self.subTest(content=content, age=age), mock.patch.dict(os.environ, settings):
                mine = self.claim()
                path = self.path("out/infer/A/.claim.4")
                self.write(path, json.dumps(content))
                os.utime(path, (time.time() - age, time.time() - age))
                self.assertEqual(mine.take(), is_dead)
                claim.remove(mine.path)
                self.assertEqual(os.path.exists(path), not is_dead)

    def test_a_claim_that_a_stage_has_removed_is_lost_if_another_runner_has_the_task(self):
        mine = self.claim()
        self.assertTrue(mine.take())
        os.unlink(mine.path)
        self.write("out/infer/A/.claim.2", json.dumps(claim.identity()))
        self.assertFalse(mine.touch())
        shutil.rmtree(self.path("out"))
        self.assertFalse(mine.touch())
