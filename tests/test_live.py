"""Launches beside each other, and local runs that are killed: nothing runs twice, nothing is lost."""
import json
import os
import shutil
import signal
import sys
import threading
import unittest
from unittest import mock

from launcher import launches, live, slurm, status, watch
from tests.campaign import ALL, LOCAL, CampaignCase, wait_for
from tests.support import REPOSITORY

# A launcher that publishes its plan at the moment at which two others publish theirs,
# and is slow to act on what it then sees.
AT_ONCE = """
import glob, os, sys, time
sys.path.insert(0, {0!r})
import workflow_csa
from launcher import launches, live
real, look = launches.write_plan, live.holders
def holders(*words):
    found = look(*words)
    time.sleep(0.3)
    return found
def write_plan(*words):
    open("ready.%d" % os.getpid(), "w").close()
    while len(glob.glob("ready.*")) < 3:
        time.sleep(0.001)
    real(*words)
launches.write_plan, live.holders = write_plan, holders
sys.exit(workflow_csa.main(sys.argv[1:]))
""".format(REPOSITORY)


class LocalFaultsTest(CampaignCase):
    def test_a_killed_launcher_leaves_an_orphan_that_is_not_started_twice(self):
        process = self.start_campaign("--jobs", "1", TOY_FAULTS=f"train A/split_0 wait:{self.path('go')}")
        runner = self.wait_for_state("models/A/split_0", "running")["pid"]
        process.kill()
        process.communicate(timeout=60)
        code, states = self.status()
        self.assertEqual((code, states["models/A/split_0"][0], states["infer/A-A/split_0"][0]), (3, "running", "not submitted"))
        self.assert_refused(self.run_toy(*LOCAL), "are in a live launch", f"process {runner}")
        self.write("go", "")
        wait_for(lambda: not os.path.exists(f"/proc/{runner}"), "the end of the orphan")
        self.assertEqual(self.run_toy(*LOCAL, TOY_STARTS=self.path("starts.txt")).code, 0)
        self.assertEqual(len(self.started()), ALL)
        self.assertEqual(len(set(self.started())), ALL)

    def test_a_task_whose_runner_was_killed_is_lost_and_runs_again(self):
        process = self.start_campaign("--jobs", "1", TOY_FAULTS=f"train A/split_0 wait:{self.path('never')}")
        found = self.wait_for_state("models/A/split_0", "running")
        process.kill()
        os.killpg(found["pid"], signal.SIGKILL)
        process.communicate(timeout=60)
        wait_for(lambda: not live.process_alive(found["pid"], b"run_model.sh"), "the end of the runner")
        code, states = self.status()
        self.assertEqual((code, states["models/A/split_0"]), (1, ("lost", "it says running, but no such job is there")))
        self.assertEqual(self.run_toy(*LOCAL).code, 0)
        self.assertEqual(self.status_of("models/A/split_0")["attempt"], 2)

    def test_cancel_stops_a_local_run(self):
        process = self.start_campaign("--jobs", "1", TOY_FAULTS=f"train A/split_0 wait:{self.path('never')}")
        self.wait_for_state("models/A/split_0", "running")
        ended = self.run_toy(*LOCAL, "--cancel")
        self.assertEqual((ended.code, ended.out), (0, f"stopped the local run of process {process.pid}\n"))
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 128 + signal.SIGTERM)
        code, states = self.status()
        self.assertEqual((code, states["models/A/split_0"]), (1, ("failed", "signal TERM")))
        self.assertEqual(self.run_toy(*LOCAL).code, 0)

    def test_of_launchers_started_at_once_one_wins_and_nothing_runs_twice(self):
        for _ in range(3):
            shutil.rmtree(self.path("out"), ignore_errors=True)
            self.write("starts.txt", "")
            words = self.command("--split", "0")[2:]
            many = [self.start(sys.executable, "-c", AT_ONCE, *words, TOY_STARTS=self.path("starts.txt")) for _ in range(3)]
            errors = [process.communicate(timeout=100)[1] for process in many]
            for process in many:
                os.unlink(self.path(f"ready.{process.pid}"))
            self.assertEqual(sorted(process.returncode for process in many), [0, 2, 2], errors)
            self.assertEqual((len(self.started()), len(set(self.started()))), (10, 10))

    def test_another_source_runs_beside_it(self):
        process = self.start_campaign("--source", "A", TOY_FAULTS=f"train A/split_0 wait:{self.path('go')}")
        self.wait_for_state("models/A/split_0", "running")
        self.assertEqual(self.run_toy(*LOCAL, "--source", "B").code, 0)
        self.assert_refused(self.run_toy(*LOCAL), "are in a live launch")
        self.write("go", "")
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(self.status()[0], 0)

    def test_tasks_that_another_launch_has_just_done_are_not_run_again(self):
        """They were done between this launch's planning and its look at the others."""
        slow = ("import sys; sys.path.insert(0, {0!r}); import workflow_csa, subprocess; from launcher import live; real = live.refuse_live\n"
                "def late(*words):\n    subprocess.check_call({1!r}, stdout=2); return real(*words)\n"
                "live.refuse_live = late; sys.exit(workflow_csa.main(sys.argv[1:]))").format(
                    REPOSITORY, [sys.executable, "-c", "pass"])
        done = self.command()
        # The other launch must not see this one's plan: it came first.
        slow = slow.replace(repr([sys.executable, "-c", "pass"]), repr(["env", f"HOME={self.work}", "bash", "-c", self.other(done)]))
        ended = self.run_command(sys.executable, "-c", slow, *done[2:], TOY_STARTS=self.path("starts.txt"))
        self.assert_refused(ended, "have just been done by another launch", "the same command again")
        self.assertEqual(len(self.started()), ALL)

    def other(self, command):
        """Bash words: the whole campaign, while the plan that waits is out of sight."""
        quoted = " ".join(map(lambda word: "'" + word + "'", command))
        return f"mv out/launches out/hidden && {quoted} && mv out/hidden/* out/launches/"

    def test_redo_runs_a_stage_and_what_follows_it(self):
        self.run_toy(*LOCAL)
        self.assertEqual(self.run_toy(*LOCAL, "--redo", "infer", TOY_STARTS=self.path("starts.txt")).code, 0)
        self.assertEqual({name.split("/")[0] for name in self.started()}, {"infer"})
        self.assertEqual(len(self.started()), 8)


class LiveTest(CampaignCase):
    """Who has a task: launchers, queue elements, names."""

    def launch(self, name, state="submitted", **record):
        directory = self.path("out/launches", name)
        os.makedirs(directory)
        tasks = [{"name": f"t{place}", "stage": "train", "array": f"a{place}", "index": 0, "words": [], "run": True,
                  "parents": [f"t{place - 1}"] if place else []} for place in range(3)]
        self.write(f"out/launches/{name}/plan.json", json.dumps({"workflow": "csa", "executor": "slurm", "tasks": tasks}))
        self.write(f"out/launches/{name}/state.json", json.dumps(
            dict({"state": state, "host": os.uname().nodename, "pid": 1}, **record)))
        return directory

    def element(self, launch, place, state, reason="None"):
        return slurm.Element(str(100 + place), 0, state, reason, f"csa.{launch}.a{place}")

    def refuse(self, elements, own="own"):
        return live.refuse_live(self.path("out"), ["t0", "t1", "t2"], lambda: elements, self.path("out/launches", own))

    def test_a_job_is_known_by_its_name_though_its_id_was_never_written_down(self):
        self.launch("L1")
        with self.assertRaisesRegex(Exception, r"1 of these tasks .* \(job 101\), t1 first"):
            self.refuse([self.element("L1", 1, "PENDING")])

    def test_ended_jobs_and_other_launches_jobs_hold_nothing(self):
        self.launch("L1")
        self.assertEqual(self.refuse([self.element("L1", 1, "COMPLETED"), self.element("L2", 1, "RUNNING")]), [])

    def test_a_chain_behind_a_stranded_element_is_stranded(self):
        self.launch("L1")
        elements = [self.element("L1", 0, "FAILED"), self.element("L1", 1, "PENDING", "DependencyNeverSatisfied"),
                    self.element("L1", 2, "PENDING", "Dependency")]
        self.assertEqual(self.refuse(elements), ["101_0", "102_0"])
        states = status.survey(self.path("out"), elements)
        self.assertEqual([state.state for state in states][1:], ["failed", "failed"])
        plan = launches.read_launches(self.path("out"))[0][1]
        self.assertEqual(watch.still_to_come(live.elements_of("L1", plan, elements), plan), [])

    def test_a_job_submitted_after_the_launchers_were_looked_at_is_seen(self):
        """The queue is asked last: a launcher that ends between the two looks has its jobs there."""
        directory = self.launch("L1", "submitting", pid=os.getppid())
        elements = []

        def queue():
            return list(elements)

        def alive(other):
            if other == directory:
                elements.append(self.element("L1", 1, "RUNNING"))   # it ends right after this look
            return ""
        with mock.patch("launcher.live.launcher_at_work", alive), self.assertRaisesRegex(Exception, "job 101"):
            live.refuse_live(self.path("out"), ["t1"], queue, "own")

    def launch_that_checks(self, name):
        """A launch whose launcher, a process of this host, has published its plan and looks at the others."""
        process = self.start(sys.executable, "-c", "import time; time.sleep(60)", "workflow_csa")
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return self.launch(name, "checking", pid=process.pid)

    def test_a_younger_launcher_that_checks_is_waited_for(self):
        directory = self.launch_that_checks("L2")
        threading.Timer(1, launches.withdraw, [directory]).start()
        self.assertEqual(self.refuse([], own="L1"), [])

    def test_of_two_launchers_one_goes_on_wherever_the_younger_one_publishes_or_withdraws(self):
        """The younger one appears before any of the older one's reads, and withdraws before any later one."""
        real = launches.read_json
        for appears in range(6):
            for withdraws in range(appears, 7):
                shutil.rmtree(self.path("out"), ignore_errors=True)
                os.makedirs(self.path("out/launches/L0"))   # something to read before there is a younger one
                reads = []

                def read(path):
                    if len(reads) == appears:
                        self.launch("L2", "checking", pid=os.getppid())
                    if len(reads) == withdraws:
                        launches.withdraw(self.path("out/launches/L2"))
                    reads.append(path)
                    return real(path)
                with mock.patch("launcher.launches.read_json", read), mock.patch("launcher.live.process_alive", lambda *_: True):
                    self.assertEqual(self.refuse([], own="L1"), [], (appears, withdraws, reads))

    def test_the_younger_one_withdraws_where_an_older_one_checks(self):
        self.launch_that_checks("L1")
        with self.assertRaisesRegex(Exception, "launch L1"):
            self.refuse([], own="L2")

    def test_a_launcher_on_another_host_counts_while_it_gives_signs_of_life(self):
        directory = self.launch("L1", "running", host="elsewhere")
        with self.assertRaisesRegex(Exception, "launch L1"):
            self.refuse([])
        os.utime(os.path.join(directory, "state.json"), (1, 1))
        self.assertEqual(self.refuse([]), [])

    def test_a_dead_launcher_with_our_process_number_holds_nothing(self):
        self.launch("L1", "running", pid=os.getpid())
        with mock.patch("launcher.live.process_alive", lambda pid, mark: mark == b"workflow_"):
            self.assertEqual(self.refuse([]), [])

    def test_an_ended_copy_of_a_job_does_not_hide_the_one_that_runs(self):
        self.launch("L1")
        again = [self.element("L1", 1, "RUNNING"), self.element("L1", 1, "CANCELLED")]
        for elements in (again, again[::-1]):
            with self.assertRaisesRegex(Exception, "job 101"):
                self.refuse(elements)


if __name__ == "__main__":
    unittest.main()
