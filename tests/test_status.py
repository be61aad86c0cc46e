"""--status, --cancel, resuming and two launchers, on this machine; full disks and hostile files."""
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
import unittest
from unittest import mock

from launcher import launches, live, slurm, status, watch
from tests.support import REPOSITORY, STAGES, TOY_MODEL, WorkCase, write_benchmark

LOCAL = ("--executor", "local")
ALL = 20   # tasks of the tiny benchmark's campaign
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


def wait_for(condition, what, seconds=60):
    deadline = time.time() + seconds
    while not condition():
        if time.time() > deadline:
            raise RuntimeError(f"{what} did not come")
        time.sleep(0.05)


class CampaignCase(WorkCase):
    def setUp(self):
        super().setUp()
        write_benchmark(self.path("raw"), ("A", "B"))

    def command(self, *arguments):
        return [sys.executable, os.path.join(REPOSITORY, "workflow_csa.py"), "--model", "toy", "--model_dir", TOY_MODEL,
                "--input_dir", "raw", "--output_dir", "out", *LOCAL, *arguments]

    def start_campaign(self, *arguments, **settings):
        return self.start(*self.command(*arguments), TOY_STARTS=self.path("starts.txt"), **settings)

    def status(self):
        """(exit code, {task name: (state, reason)})"""
        ended = self.run_toy(*LOCAL, "--status", "--json")
        self.assertNotIn("Traceback", ended.err)
        return ended.code, {task["name"]: (task["state"], task["reason"]) for task in json.loads(ended.out)["tasks"]}

    def states(self):
        return {name: state for name, (state, _) in self.status()[1].items()}

    def wait_for_state(self, name, state):
        path = self.path("out", name, "stage_status.json")
        wait_for(lambda: (launches.read_json(path) or {}).get("state") == state, f"{name} {state}")
        return launches.read_json(path)

    def started(self):
        return sorted(row[2] for row in self.starts()) if os.path.exists(self.path("starts.txt")) else []

    def assert_no_traceback(self, ended):
        self.assertNotIn("Traceback", ended.err, ended)
        return ended


class StatusTest(CampaignCase):
    def test_without_a_launch_it_is_refused(self):
        self.assert_refused(self.run_toy(*LOCAL, "--status"), "there is no launch in")
        self.assert_refused(self.run_toy(*LOCAL, "--cancel"), "there is no launch in")

    def test_all_done_is_exit_code_0(self):
        self.assertEqual(self.run_toy(*LOCAL).code, 0)
        ended = self.run_toy(*LOCAL, "--status")
        self.assertEqual(ended.code, 0, ended)
        lines = ended.out.splitlines()
        self.assertEqual(lines[1].split(), ["done", "running", "queued", "failed", "lost", "not", "submitted"])
        self.assertIn(["preprocess", "8", "0", "0", "0", "0", "0"], [line.split() for line in lines])
        self.assertEqual(lines[-1], "all done")

    def test_a_failure_is_exit_code_1_with_reason_attempt_host_log_and_command(self):
        self.run_toy(*LOCAL, "--retries", "1", TOY_FAULTS="train A/split_1 exit:3")
        ended = self.run_toy(*LOCAL, "--status")
        self.assertEqual(ended.code, 1, ended)
        log = self.path("out/models/A/split_1/log.txt")
        self.assertIn(f"failed: models/A/split_1: exit code 3 (attempt 2 on {os.uname().nodename}); log: {log}", ended.out)
        self.assertIn("    toy: exit:3 as told", ended.out)
        self.assertIn("2 tasks did not run because a parent failed", ended.out)
        command = ended.out.strip().splitlines()[-1].strip()
        self.assertIn("workflow_csa.py --model toy", command)
        self.assertEqual(self.run_command("bash", "-c", command).code, 0)
        self.assertEqual(self.status()[0], 0)

    def test_a_campaign_that_runs_is_exit_code_3(self):
        process = self.start_campaign("--jobs", "1", TOY_FAULTS=f"train A/split_0 wait:{self.path('go')}")
        self.wait_for_state("models/A/split_0", "running")
        code, states = self.status()
        self.assertEqual(code, 3)
        self.assertEqual(states["models/A/split_0"], ("running", ""))
        self.assertEqual(states["infer/A-A/split_0"], ("queued", ""))
        self.write("go", "")
        process.communicate(timeout=60)
        self.assertEqual(self.status()[0], 0)

    def test_stale_tasks_are_counted_before_they_run(self):
        self.run_toy(*LOCAL)
        self.run_toy(*LOCAL, "--epochs", "9", TOY_FAULTS="train models exit:1")
        states = self.states()
        self.assertEqual({name for name, state in states.items() if state == "done" and name.startswith("infer")}, set())

    def test_deleted_intermediates_count_as_done(self):
        self.run_toy(*LOCAL)
        shutil.rmtree(self.path("out/ml_data"))
        code, states = self.status()
        self.assertEqual((code, states["ml_data/A-B/split_0"]), (0, ("done", "deleted after use")))

    def test_deleted_results_are_not_done(self):
        self.run_toy(*LOCAL)
        os.unlink(self.path("out/infer/A-B/split_0/test_scores.json"))
        code, states = self.status()
        self.assertEqual((code, states["infer/A-B/split_0"]),
                         (1, ("not submitted", "its test_scores.json was deleted or changed")))

    def test_a_plan_that_cannot_be_read_is_named(self):
        self.run_toy(*LOCAL)
        os.makedirs(self.path("out/launches/20990101T000000.000000Z"))
        self.write("out/launches/20990101T000000.000000Z/plan.json", '{"workflow": "csa", "tas')
        ended = self.run_toy(*LOCAL, "--status")
        self.assertEqual(ended.code, 0, ended)
        self.assertIn("plan.json' cannot be read", ended.err)


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
        plan = {"workflow": "csa", "tasks": [{"name": "t", "stage": "train", "array": "a", "index": 0, "words": [], "run": True}]}
        os.makedirs(self.path("out/launches/L1"))
        self.write("out/launches/L1/plan.json", json.dumps(plan))

        def queue():
            asked.append(clock[0])
            answer = next(answers)
            if answer is None:
                raise slurm.SlurmError("silent")
            return answer

        def sleep(seconds):
            clock[0] += seconds
        stream = mock.Mock(write=printed.append)
        with mock.patch("launcher.slurm.queue", queue), mock.patch("time.sleep", sleep), mock.patch("time.time", lambda: clock[0]):
            watch.wait(self.path("out"), self.path("out/launches/L1"), stream)
        return asked, "".join(printed)

    RUNNING = [slurm.Element("7", 0, "RUNNING", "None", "csa.L1.a")]

    def test_the_queue_is_asked_every_10_s_at_first_and_every_60_s_later(self):
        asked, printed = self.wait([self.RUNNING] * 12 + [[]])
        pauses = [after - before for before, after in zip(asked, asked[1:])]
        self.assertGreaterEqual(min(pauses), 10)
        self.assertEqual(pauses, sorted(pauses))
        self.assertEqual(pauses[-1], 60)
        self.assertIn("1 jobs left, 1 running", printed)

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


@unittest.skipIf(os.geteuid() != 0, "a small disk can be mounted by root only")
class DiskTest(CampaignCase):
    def mount(self, size):
        os.makedirs(self.path("disk"))
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", self.path("disk")], stderr=subprocess.PIPE)
        if done.returncode:
            self.skipTest(f"no tmpfs can be mounted here: {done.stderr.decode()}")
        self.addCleanup(subprocess.call, ["umount", "-l", self.path("disk")])

    def on_disk(self, *arguments, **settings):
        ended = self.run_toy(*LOCAL, "--output_dir", "disk/out", *arguments, **settings)
        return self.assert_no_traceback(ended)

    def assert_nothing_is_half_written(self):
        """Every JSON that bears its name is whole."""
        for folder, _, names in os.walk(self.path("disk/out")):
            for name in names:
                if name in ("stage_status.json", "plan.json", "state.json"):
                    self.assertIsNotNone(launches.read_json(os.path.join(folder, name)), os.path.join(folder, name))

    def test_a_full_disk_at_launch_is_refused(self):
        self.mount("3m")
        self.fill()
        self.assert_refused(self.on_disk(), "No space left on device")
        os.unlink(self.path("disk/fill"))
        self.assertEqual(self.run_toy(*LOCAL, "--output_dir", "disk/out", "--split", "0", "--target", "A", "--source", "A").code, 0)

    def fill(self):
        with open(self.path("disk/fill"), "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass

    def test_a_disk_that_fills_while_tasks_run_fails_them_and_the_same_command_completes(self):
        self.mount("3m")
        reference = self.run_toy(*LOCAL)
        self.assertEqual(reference.code, 0)
        process = self.start(*self.command("--jobs", "2", "--output_dir", "disk/out"), TOY_FAULTS=f"train A/split_0 wait:{self.path('go')}")
        path = self.path("disk/out/models/A/split_0/stage_status.json")
        wait_for(lambda: (launches.read_json(path) or {}).get("state") == "running", "the training")
        self.fill()
        self.write("go", "")
        out, errors = process.communicate(timeout=100)
        self.assertEqual(process.returncode, 1, out + errors)
        self.assertNotIn("Traceback", errors)
        self.assertIn("tasks are not done; the same command runs them again", errors)
        self.assert_nothing_is_half_written()
        code, counts = self.disk_status()
        self.assertEqual(code, 1)
        os.unlink(self.path("disk/fill"))
        ended = self.on_disk()
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(self.disk_status()[0], 0)

    def disk_status(self):
        ended = self.on_disk("--status", "--json")
        return ended.code, [task["state"] for task in json.loads(ended.out)["tasks"]]

    def test_a_full_disk_is_the_reason_of_a_stage_that_says_so(self):
        self.write("toy_train_improve.py", "import sys\nsys.exit('OSError: [Errno 28] No space left on device')\n")
        for stage in ("preprocess", "infer"):
            shutil.copy(os.path.join(TOY_MODEL, f"toy_{stage}_improve.py"), self.work)
        shutil.copy(os.path.join(TOY_MODEL, "toy.py"), self.work)
        self.run_toy(*LOCAL, "--model_dir", ".")
        self.assertEqual(self.status()[1]["models/A/split_0"], ("failed", "exit code 1: No space left on device"))

    def test_a_read_only_disk_is_refused_at_launch_and_can_be_looked_at(self):
        self.mount("1m")
        self.assertEqual(self.on_disk("--split", "0").code, 0)
        subprocess.check_call(["mount", "-o", "remount,ro", self.path("disk")])
        self.assert_refused(self.on_disk("--split", "0-1"), "cannot be written")
        self.assertEqual(self.on_disk("--status").code, 0)


class HostileFilesTest(CampaignCase):
    """What stands in files is shown or refused, never run."""

    STATUSES = {
        "10 MB": b'{"state": "done", "words": ["' + b"x" * 10_000_000 + b'"]}',
        "deep nesting": b"[" * 100_000,
        "NaN": b'{"state": "done", "words": [NaN], "made_from": {"x": NaN}, "files": {"y": Infinity}, "attempt": NaN}',
        "duplicate keys": b'{"state": "failed", "state": "done", "words": [], "made_from": {}, "files": {}}',
        "binary": bytes(range(256)) * 10,
        "a list": b"[1, 2]",
        "a name with NUL": b'{"state": "done", "words": ["none"], "made_from": {"a\\u0000b": {}}, "files": {"a\\u0000b": 1}}',
        "lone surrogates": b'{"state": "failed", "reason": "\\ud800", "words": [], "made_from": {}, "files": {}}',
        "escapes for a terminal": b'{"state": "failed", "reason": "\\u001b[2J", "host": "\\u001b", "words": [], "made_from": {}, "files": {}}',
        "process of any kind": b'{"state": "running", "pid": Infinity, "slurm_job": "", "words": [], "made_from": {}, "files": {}}',
        "nothing": b"",
    }

    def test_a_hostile_status_is_a_task_that_runs_again(self):
        self.run_toy(*LOCAL, "--split", "0")
        path = self.path("out/infer/A-B/split_0/stage_status.json")
        for kind, text in self.STATUSES.items():
            with self.subTest(kind):
                with open(path, "wb") as file:
                    file.write(text)
                ended = self.assert_no_traceback(self.run_toy(*LOCAL, "--split", "0", "--status"))
                self.assertEqual(ended.code, 1, ended)
                self.assertTrue(all(c.isprintable() or c == "\n" for c in ended.out), repr(ended.out))
                collected = self.run_command("python3", os.path.join(STAGES, "collect_scores.py"), "out", "--output_dir", "by_hand")
                self.assert_no_traceback(collected)
        self.assertEqual(self.run_toy(*LOCAL, "--split", "0").code, 0)

    def test_a_status_that_names_impossible_files_is_a_task_that_runs_again(self):
        self.run_toy(*LOCAL, "--split", "0")
        real = self.status_of("infer/A-B/split_0")
        for change in ({"files": {"a\0b": 1}}, {"files": {"test_scores.json": "1"}}, {"made_from": {"a\0b": {"words": [], "stamp": ""}}},
                       {"made_from": {"models/A/split_0": []}}):
            with self.subTest(change):
                self.write("out/infer/A-B/split_0/stage_status.json", json.dumps(dict(real, **change)))
                ended = self.assert_no_traceback(self.run_toy(*LOCAL, "--split", "0", "--status"))
                self.assertEqual(ended.code, 1, ended)
        self.assertIn("9 done already", self.run_toy(*LOCAL, "--split", "0").out)

    def test_a_pipe_in_place_of_a_status_does_not_hang(self):
        self.run_toy(*LOCAL, "--split", "0")
        path = self.path("out/infer/A-B/split_0/stage_status.json")
        os.unlink(path)
        os.mkfifo(path)
        self.assertEqual(self.run_toy(*LOCAL, "--split", "0", "--status").code, 1)
        self.assertEqual(self.run_toy(*LOCAL, "--split", "0").code, 0)
        self.assertEqual(self.status_of("infer/A-B/split_0")["state"], "done")

    def test_a_hostile_plan_is_passed_over_and_named(self):
        self.run_toy(*LOCAL, "--split", "0")
        directory = self.path("out/launches/20990101T000000.000000Z")
        os.makedirs(directory)
        task = {"name": "x", "stage": "train", "array": "a", "index": 0, "words": [], "parents": [], "run": True}
        plans = [b"{" * 100_000, b"\xff\x00", b'{"workflow": "csa", "tasks": [NaN]}', b'{"workflow": 1}'] + [
            json.dumps({"workflow": "csa", "tasks": [dict(task, **change)]}).encode() for change in (
                {"name": "../../etc"}, {"name": "/etc"}, {"name": "a\nb"}, {"name": 7}, {"index": []}, {"array": {}},
                {"words": "none"}, {"parents": [[]]}, {"stage": None})]
        for text in plans:
            with self.subTest(text[:100]):
                with open(os.path.join(directory, "plan.json"), "wb") as file:
                    file.write(text)
                ended = self.assert_no_traceback(self.run_toy(*LOCAL, "--split", "0", "--status"))
                self.assertEqual(ended.code, 0, ended)
                self.assertIn("cannot be read", ended.err)
                self.assertIn("10 done already", self.run_toy(*LOCAL, "--split", "0").out)

    def test_hostile_score_files_are_gaps(self):
        self.run_toy(*LOCAL, "--split", "0")
        path = self.path("out/infer/A-B/split_0/test_scores.json")
        for text in self.STATUSES.values():
            with open(path, "wb") as file:
                file.write(text)
            ended = self.run_command("python3", os.path.join(STAGES, "collect_scores.py"), "out", "--output_dir", "out/scores")
            self.assert_no_traceback(ended)
            self.assertIn("infer/A-B/split_0", [row["task"] for row in self.table("missing.csv")])

    def test_hostile_study_names_are_refused_or_only_names(self):
        for name in ("$(touch hacked)", "`touch hacked`", "x;touch hacked", "a'b\"c", "-rf", "..", "a\nb", "é\u202e"):
            with self.subTest(name):
                shutil.rmtree(self.path("raw"), ignore_errors=True)
                shutil.rmtree(self.path("out"), ignore_errors=True)
                write_benchmark(self.path("raw"), (name,), splits=1)
                ended = self.assert_no_traceback(self.run_toy(*LOCAL))
                self.assertIn(ended.code, (0, 2), ended)
                self.assertEqual(sorted(set(os.listdir(self.work)) - {"out", "raw"}), [])
                self.assertEqual(os.listdir(self.path("raw")), ["splits", "y_data"] if os.listdir(self.path("raw"))[0] == "splits" else ["y_data", "splits"])

    def test_nothing_outside_the_output_directory_is_written(self):
        before = self.tree()
        self.assertEqual(self.run_toy(*LOCAL, "--split", "0").code, 0)
        after = {path: stamp for path, stamp in self.tree().items() if not path.startswith(self.path("out"))}
        self.assertEqual(after, before)

    def tree(self):
        return {os.path.join(folder, name): os.stat(os.path.join(folder, name)).st_mtime_ns
                for folder, _, names in os.walk(self.work) for name in names}

    def test_files_follow_the_umask(self):
        command = " ".join(f"'{word}'" for word in self.command("--split", "0"))
        for mask, forbidden in (("077", 0o077), ("027", 0o027)):
            shutil.rmtree(self.path("out"), ignore_errors=True)
            self.assertEqual(self.run_command("bash", "-c", f"umask {mask}; {command}").code, 0)
            for folder, _, names in os.walk(self.path("out")):
                for name in [folder, *(os.path.join(folder, name) for name in names)]:
                    self.assertEqual(stat.S_IMODE(os.stat(name).st_mode) & forbidden, 0, name)


class VanishingFilesTest(CampaignCase):
    def test_files_that_vanish_while_the_collector_reads_are_gaps(self):
        """A directory is deleted again and again under the collector."""
        self.run_toy(*LOCAL)
        shutil.copytree(self.path("out/infer"), self.path("kept"))
        ended, stop = [], threading.Event()

        def spoil():
            while not stop.is_set():
                for name in ("A-B/split_0", "B-A/split_1"):
                    shutil.rmtree(self.path("out/infer", name), ignore_errors=True)
                    shutil.copytree(self.path("kept", name), self.path("out/infer", name))
        thread = threading.Thread(target=spoil)
        thread.start()
        try:
            for _ in range(8):
                ended.append(self.run_command("python3", os.path.join(STAGES, "collect_scores.py"), "out", "--output_dir", "by_hand"))
        finally:
            stop.set()
            thread.join()
        for one in ended:
            self.assertNotIn("Traceback", one.err)
            self.assertIn(one.code, (0, 1), one)


if __name__ == "__main__":
    unittest.main()
