"""Claims: a task has one runner, whoever starts it."""
import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import time
import unittest
from unittest import mock

from runner import attempt, claim, course
from runner.task import Task
from tests.runner_case import RunnerCase
from tests.support import PATIENCE, RUN_MODEL, wait_for


class ClaimTest(RunnerCase):
    """A task has one runner, whoever starts it."""

    SLOW = ("import os, sys, time\nopen({starts!r}, 'a').write('start\\n')\n"
            "while not os.path.exists({go!r}): time.sleep(0.05)\nsys.exit({code})\n")

    def slow_script(self, code=0):
        self.write("slow.py", self.SLOW.format(starts=self.path("starts"), go=self.path("go"), code=code))
        return self.path("slow.py")

    def starts(self):
        return self.read("starts").count("start") if os.path.exists(self.path("starts")) else 0

    def start_runner(self, **settings):
        return self.start("bash", RUN_MODEL, "none", self.path("slow.py"), "--output_dir", "out", **settings)

    def wait_for_starts(self, number):
        wait_for(lambda: self.starts() >= number, "the start")

    def claim(self, name=".claim.1", **changes):
        """Leaves the claim of a runner somewhere else."""
        os.makedirs(self.path("out"), exist_ok=True)
        claim = {"host": "elsewhere", "boot": "b", "space": "s", "pid": 1, "process_started": ["1"], "slurm_job": "",
                 "restarts": 0, "launch": ""}
        self.write(f"out/{name}", json.dumps(dict(claim, **changes)))

    def test_started_many_times_at_once_it_runs_once_and_all_return_its_verdict(self):
        for code in (0, 3):
            shutil.rmtree(self.path("out"), ignore_errors=True)
            self.write("starts", "")
            self.slow_script(code)
            many = [self.start_runner() for _ in range(6)]
            self.wait_for_starts(1)
            wait_for(lambda: self.read("out/log.txt").count("has this task") == 5, "five that wait")
            self.write("go", "")
            for process in many:
                process.communicate(timeout=PATIENCE)
            self.assertEqual(([process.returncode for process in many], self.starts()), ([code] * 6, 1))
            self.assertEqual([name for name in os.listdir(self.path("out")) if name.startswith(".")], [])
            os.unlink(self.path("go"))

    def test_a_killed_runner_s_task_is_taken_over_at_once(self):
        self.slow_script()
        first = self.start_runner()
        self.wait_for_starts(1)
        first.kill()
        first.wait()
        self.write("go", "")
        self.assertEqual(self.run_model("none", "slow.py", "--output_dir", "out").code, 0)
        self.assertEqual((self.starts(), self.out_status("out")["attempt"]), (2, 2))

    def test_a_waiting_runner_takes_over_when_the_first_one_is_killed(self):
        self.slow_script()
        first = self.start_runner()
        self.wait_for_starts(1)
        second = self.start_runner()
        wait_for(lambda: "has this task" in self.read("out/log.txt"), "the second one")
        first.kill()
        first.wait()
        self.wait_for_starts(2)
        self.write("go", "")
        second.communicate(timeout=PATIENCE)
        self.assertEqual((second.returncode, self.out_status("out")["state"]), (0, "done"))

    def test_a_claim_of_a_lost_node_is_dead_after_five_minutes_without_a_sign_of_life(self):
        self.slow_script()
        self.write("go", "")
        self.claim()
        waiting = self.start_runner()
        wait_for(lambda: os.path.exists(self.path("out/log.txt")), "the wait")
        self.assertEqual(self.starts(), 0)
        past = time.time() - 301
        os.utime(self.path("out/.claim.1"), (past, past))
        waiting.communicate(timeout=PATIENCE)
        self.assertEqual((waiting.returncode, self.starts()), (0, 1))

    def test_a_requeued_element_takes_its_own_claim_over_at_once(self):
        self.slow_script()
        self.write("go", "")
        self.claim(slurm_job="7_3")
        ended = self.run_model("none", "slow.py", "--output_dir", "out", SLURM_JOB_ID="9", SLURM_ARRAY_JOB_ID="7",
                               SLURM_ARRAY_TASK_ID="3", SLURM_RESTART_COUNT="1")
        self.assertEqual((ended.code, self.out_status("out")["slurm_job"]), (0, "7_3"))

    def test_a_claim_of_a_process_that_is_gone_or_of_another_boot_is_dead(self):
        self.slow_script()
        self.write("go", "")
        status = self.run_model("none", "slow.py", "--output_dir", "out")
        self.assertEqual(status.code, 0)
        me = claim.identity()
        for changes in ({"pid": 2 ** 22 - 1}, {"process_started": ["1"]}, {"host": "another name of it", "pid": 2 ** 22 - 1}):
            self.claim(**dict(me, **changes))
            self.assertEqual(self.run_model("none", "slow.py", "--output_dir", "out").code, 0)

    def test_of_many_that_see_a_dead_claim_one_takes_it_over(self):
        self.slow_script()
        for _ in range(3):
            shutil.rmtree(self.path("out"), ignore_errors=True)
            self.write("starts", "")
            self.claim(**dict(claim.identity(), pid=2 ** 22 - 1))
            many = [self.start_runner() for _ in range(5)]
            self.wait_for_starts(1)
            wait_for(lambda: self.read("out/log.txt").count("has this task") == 4, "four that wait")
            self.write("go", "")
            for process in many:
                process.communicate(timeout=PATIENCE)
            self.assertEqual(self.starts(), 1)
            os.unlink(self.path("go"))

    def test_a_signal_ends_a_runner_that_waits_and_leaves_the_first_one_alone(self):
        self.slow_script()
        first = self.start_runner()
        self.wait_for_starts(1)
        second = self.start_runner()
        wait_for(lambda: "has this task" in self.read("out/log.txt"), "the second one")
        second.send_signal(signal.SIGTERM)
        second.communicate(timeout=PATIENCE)
        self.assertEqual((second.returncode, self.out_status("out")["state"]), (143, "running"))
        self.write("go", "")
        first.communicate(timeout=PATIENCE)
        self.assertEqual((first.returncode, self.starts()), (0, 1))

    def claim_of(self):
        os.makedirs(self.path("out"), exist_ok=True)
        return claim.Claim(Task(["none", self.path("slow.py"), "--output_dir", self.path("out")]))

    def test_a_claim_of_a_process_that_ended_and_that_nobody_has_asked_for_is_dead(self):
        process = subprocess.Popen(["sleep", "100"])
        self.addCleanup(process.wait)
        began = claim.process_started(process.pid)
        self.assertTrue(began)
        process.kill()
        wait_for(lambda: "Z" in claim.first_line(f"/proc/{process.pid}/stat"), "the zombie")
        self.assertEqual(claim.process_started(process.pid), [])

    def test_a_claim_is_touched_while_its_owner_waits_for_inputs(self):
        self.write("slow.py", "")
        task = Task(["none", self.path("slow.py"), "--input_dir", self.path("out/models/A"), "--output_dir", self.path("out/infer/A")])
        os.makedirs(self.path("out/infer/A"))
        mine = claim.Claim(task)
        self.assertIsNone(mine.take())
        os.utime(mine.path, (1, 1))
        with mock.patch("runner.course.TOUCH_EVERY", 0.5), mock.patch.dict(os.environ, LATENCY_WAIT="2"), \
                contextlib.redirect_stderr(io.StringIO()) as said:
            self.assertEqual(course.run_attempts(task, mine, attempt.Signals()), 1)
        self.assertIn("models/A is without a status", said.getvalue())
        self.assertGreater(os.stat(mine.path).st_mtime, 1000)

    def test_a_claim_never_appears_without_its_content(self):
        """A process that is killed while it claims leaves nothing that others would have to wait for."""
        mine, seen = self.claim_of(), []
        real = os.link

        def link(*paths):
            seen.append([name for name in os.listdir(self.path("out")) if name.startswith(claim.CLAIM)])
            real(*paths)
            seen.append(claim.read_claim(self.path("out/.claim.1")))
        with mock.patch("os.link", link):
            self.assertIsNone(mine.take())
        self.assertEqual((seen[0], seen[1]["pid"]), ([], os.getpid()))
        self.assertEqual(os.listdir(self.path("out")), [".claim.1"])

    def test_a_disk_without_hard_links_has_claims_too(self):
        mine, other = self.claim_of(), self.claim_of()
        with mock.patch("os.link", side_effect=PermissionError):
            self.assertIsNone(mine.take())
            self.assertEqual(other.take()["pid"], os.getpid())

    def test_a_live_claim_is_touched(self):
        self.slow_script()
        real = claim.TOUCH_EVERY
        self.assertLess(real * 3, claim.DEAD_AFTER)
        task = Task(["none", self.path("slow.py"), "--output_dir", self.path("out")])
        os.makedirs(self.path("out"))
        mine = claim.Claim(task)
        self.assertIsNone(mine.take())
        os.utime(mine.path, (1, 1))
        mine.touch()
        self.assertLess(time.time() - os.path.getmtime(mine.path), 60)


if __name__ == "__main__":
    unittest.main()
