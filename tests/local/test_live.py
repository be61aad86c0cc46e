"""Launches beside each other, and local runs that are killed: nothing runs twice, nothing is lost."""
import json
import os
import shutil
import signal
import sys
import unittest
from unittest import mock

from launcher import conflicts, slurm, survey, wait, whole_file
from launcher.results_tree import ResultsTree
from tests.campaign import ALL, LOCAL, CampaignCase
from tests.support import PATIENCE, REPOSITORY, wait_for

# A launcher that publishes its plan at the moment at which two others publish theirs,
# and is slow to act on what it then sees.
AT_ONCE = """
import glob, os, sys, time
sys.path.insert(0, {0!r})
import workflow_csa
from launcher import conflicts, plan_file
real, look = plan_file.write_plan, conflicts.tasks_in_other_launches
def tasks_in_other_launches(*words):
    found = look(*words)
    time.sleep(0.3)
    return found
def write_plan(*words):
    open("ready.%d" % os.getpid(), "w").close()
    while len(glob.glob("ready.*")) < 3:
        time.sleep(0.001)
    real(*words)
plan_file.write_plan, conflicts.tasks_in_other_launches = write_plan, tasks_in_other_launches
sys.exit(workflow_csa.main(sys.argv[1:]))
""".format(REPOSITORY)


class LocalFaultsTest(CampaignCase):
    def test_a_killed_launcher_leaves_an_orphan_that_is_not_started_twice(self):
        process = self.start_campaign("--jobs", "1", TOY_FAULTS=f"train A/split_0 wait:{self.path('go')}")
        runner = self.wait_for_state("models/A/split_0", "running")["pid"]
        process.kill()
        process.communicate(timeout=PATIENCE)
        code, states = self.status()
        self.assertEqual((code, states["models/A/split_0"][0], states["infer/A-A/split_0"][0]), (3, "running", "not run"))
        self.assert_refused(self.run_toy(*LOCAL), "are in a live launch", f"process {runner} on")
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
        process.communicate(timeout=PATIENCE)
        wait_for(lambda: not conflicts.process_alive(found["pid"], b"run_stage.py"), "the end of the runner")
        code, states = self.status()
        self.assertEqual((code, states["models/A/split_0"]), (1, ("lost", "it says running, but no such job is there")))
        self.assertEqual(self.run_toy(*LOCAL).code, 0)
        self.assertEqual(self.status_of("models/A/split_0")["attempt"], 2)

    def test_cancel_stops_a_local_run(self):
        process = self.start_campaign("--jobs", "1", TOY_FAULTS=f"train A/split_0 wait:{self.path('never')}")
        self.wait_for_state("models/A/split_0", "running")
        ended = self.run_toy(*LOCAL, "--cancel")
        self.assertEqual((ended.code, ended.out), (0, f"stopped the local run of process {process.pid}\n"))
        process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 128 + signal.SIGTERM)
        code, states = self.status()
        self.assertEqual((code, states["models/A/split_0"]), (1, ("interrupted", "signal TERM")))
        self.assertEqual(self.run_toy(*LOCAL).code, 0)

    def test_of_launchers_started_at_once_one_goes_on_and_nothing_runs_twice(self):
        for turn in range(3):
            shutil.rmtree(self.path("out"), ignore_errors=True)
            self.write("starts.txt", "")
            words = self.command("--split", "0")[2:]
            # Held back, since a launcher that looks late on a busy machine would rightly find all tasks done.
            go = self.path(f"go{turn}")
            many = [self.start(sys.executable, "-c", AT_ONCE, *words, TOY_STARTS=self.path("starts.txt"),
                               TOY_FAULTS=f"preprocess ml_data wait:{go}") for _ in range(3)]
            wait_for(lambda: sum(process.poll() is not None for process in many) == 2, "two that withdraw")
            self.write(f"go{turn}", "")
            errors = [process.communicate(timeout=PATIENCE)[1] for process in many]
            for process in many:
                os.unlink(self.path(f"ready.{process.pid}"))
            self.assertEqual(sorted(process.returncode for process in many), [0, 2, 2], errors)
            self.assertEqual(self.status()[0], 0)
            self.assertEqual((len(self.started()), len(set(self.started()))), (10, 10))

    def test_another_source_runs_beside_it(self):
        process = self.start_campaign("--source", "A", TOY_FAULTS=f"train A/split_0 wait:{self.path('go')}")
        self.wait_for_state("models/A/split_0", "running")
        self.assertEqual(self.run_toy(*LOCAL, "--source", "B").code, 0)
        self.assert_refused(self.run_toy(*LOCAL), "are in a live launch")
        self.write("go", "")
        process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(self.status()[0], 0)

    def test_tasks_that_another_launch_has_just_done_are_not_run_again(self):
        """They were done between this launch's planning and its look at the others."""
        slow = ("import sys; sys.path.insert(0, {0!r}); import workflow_csa, subprocess; from launcher import conflicts; real = conflicts.refuse\n"
                "def late(*words):\n    subprocess.check_call({1!r}, stdout=2); return real(*words)\n"
                "conflicts.refuse = late; sys.exit(workflow_csa.main(sys.argv[1:]))").format(
                    REPOSITORY, ["bash", "-c", self.other(self.command())])
        ended = self.run_command(sys.executable, "-c", slow, *self.command()[2:], TOY_STARTS=self.path("starts.txt"))
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(len(self.started()), ALL)
        self.assertEqual({state for state in self.states().values()}, {"done"})

    def other(self, command):
        """Bash words: the whole campaign, while the plan that waits is out of sight."""
        quoted = " ".join(map(lambda word: "'" + word + "'", command))
        return f"mv out/launches out/hidden && {quoted} && mv out/hidden/* out/launches/"

    def test_redo_runs_a_stage_and_what_follows_it(self):
        self.have_toy(*LOCAL)
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
        tree = ResultsTree(self.path("out"))
        launchers = conflicts.launchers_at_work(tree, self.path("out/launches", own))
        return conflicts.refuse(tree, ["t0", "t1", "t2"], elements, launchers)

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
        tree = ResultsTree(self.path("out"))
        states = survey.survey(tree, elements)
        self.assertEqual([state.state for state in states][1:], ["not run", "not run"])
        launch = tree.launches[0]
        self.assertEqual(wait.still_to_come(conflicts.elements_of(launch, elements), launch), [])

    def launch_that_checks(self, name):
        """A launch whose launcher, a process of this host, has published its plan and looks at the others."""
        process = self.start(sys.executable, "-c", "import time; time.sleep(60)", "workflow_csa")
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return self.launch(name, "checking", pid=process.pid)

    def test_an_older_launcher_waits_until_a_younger_one_that_checks_has_decided(self):
        """The younger one may have looked before the older one's plan was there."""
        directory = self.launch_that_checks("L2")
        record = whole_file.read_json(os.path.join(directory, "state.json"))
        for decision in ("withdrawn", "submitting"):
            def decide(seconds, decision=decision):
                self.write("out/launches/L2/state.json", json.dumps(dict(record, state=decision)))
            self.write("out/launches/L2/state.json", json.dumps(record))
            with mock.patch("time.sleep", decide):
                if decision == "withdrawn":
                    self.assertEqual(self.refuse([], own="L1"), [])
                else:
                    with self.assertRaisesRegex(Exception, "launch L2"):
                        self.refuse([], own="L1")

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
        with mock.patch("launcher.conflicts.process_alive", lambda pid, mark: mark == b"workflow_"):
            self.assertEqual(self.refuse([]), [])

    def test_a_task_that_a_live_launch_is_made_from_is_not_replaced(self):
        self.launch("L1")
        tree = ResultsTree(self.path("out"))
        with self.assertRaisesRegex(Exception, r"t1 of a live launch .* \(job 101\) is made from t0, which this launch would replace"):
            conflicts.refuse(tree, ["t0"], [self.element("L1", 1, "RUNNING")], conflicts.launchers_at_work(tree, "own"))

    def test_jobs_are_looked_up_by_name_whoever_owns_them(self):
        asked = []
        with mock.patch("launcher.slurm.ask", lambda command, *_: asked.append(command) or "7_0|RUNNING|None|csa.L1.a1\n"):
            elements = slurm.queue(["csa.L1.a0", "csa.L1.a1"])
        self.assertIn("--name=csa.L1.a0,csa.L1.a1", asked[0])
        self.assertFalse({"-u", "--me", "--user"} & set(asked[0]))
        self.launch("L1")
        with self.assertRaisesRegex(Exception, r"\(job 7\)"):
            self.refuse(elements)

    @unittest.skipIf(os.geteuid() != 0, "a file of another user can be made by root only")
    def test_if_the_queue_hides_another_user_s_job_its_sign_of_life_decides(self):
        self.launch("L1")
        os.makedirs(self.path("out/t1"))
        self.write("out/t1/stage_status.json", json.dumps({"state": "running", "reason": "", "words": [], "made_from": {}, "files": {},
                                                           "executor": "slurm", "slurm_job": "9_0", "host": "n1", "pid": 1}))
        self.write("out/t1/.claim.1", "{}")
        self.assertEqual(self.refuse([]), [])       # our own job would be in the queue
        os.chown(self.path("out/t1/stage_status.json"), 65534, 65534)
        with self.assertRaisesRegex(Exception, "process 1 on n1"):
            self.refuse([])
        os.utime(self.path("out/t1/.claim.1"), (1, 1))
        self.assertEqual(self.refuse([]), [])

    def test_a_copy_of_a_results_tree_owns_no_jobs(self):
        self.launch("L1")
        plan = json.loads(self.read("out/launches/L1/plan.json"))
        self.write("out/launches/L1/plan.json", json.dumps(dict(plan, output_dir=self.path("out"))))
        shutil.copytree(self.path("out"), self.path("copy"))
        self.assertEqual(conflicts.job_names(ResultsTree(self.path("out"))), ["csa.L1.a0", "csa.L1.a1", "csa.L1.a2"])
        self.assertEqual(conflicts.job_names(ResultsTree(self.path("copy"))), [])
        os.rename(self.path("out"), self.path("moved"))
        self.assertEqual(len(conflicts.job_names(ResultsTree(self.path("moved")))), 3)

    def test_an_ended_copy_of_a_job_does_not_hide_the_one_that_runs(self):
        self.launch("L1")
        again = [self.element("L1", 1, "RUNNING"), self.element("L1", 1, "CANCELLED")]
        for elements in (again, again[::-1]):
            with self.assertRaisesRegex(Exception, "job 101"):
                self.refuse(elements)


if __name__ == "__main__":
    unittest.main()
