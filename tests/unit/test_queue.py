"""What Slurm prints, what it means for the tasks of an OUT, and what the launchers decide on it."""
import argparse
import contextlib
import io
import os
import shutil
import signal
import unittest
from unittest import mock

from core.errors import Refusal
from core.tree import ResultsTree, process_started
from launcher import queue, slurm, status
from tests.queue_tree import JOBS, L1, L2, TASKS, QueueCase
from tests.support import WorkCase

ALIVE = {"host": os.uname().nodename, "pid": os.getppid(),
         "process_started": process_started(os.getppid())}
HELD = "queued|never_starts|can never start: {}\n  try: scontrol release JOB; an " \
       "administrator's hold: ask the administrators"


class SlurmWordsTest(unittest.TestCase):
    """Pure functions on what Slurm's programs print."""

    def test_a_line_of_squeue_is_its_elements_and_any_other_line_is_none(self):
        for line, keys in (
                ("9_3|RUNNING|None|csa.x.train", ["9_3"]),
                ("9_[3-11:4,20%2]|PENDING|None|n", ["9_3", "9_7", "9_11", "9_20"]),
                ("9_[5-5]|CANCELLED|None|n", ["9_5"]), ("9_[1,...]|PENDING|None|n", ["9_1"]),
                ("82|CANCELLED|None|n", ["82"]), ("3_N/A|CANCELLED|None|n", ["3"]),
                ("CLUSTER: other", []), ("", []), ("slurm_load_jobs error: x", [])):
            self.assertEqual([element.key for element in slurm.elements_of(line)], keys, line)

    def test_the_queue_is_asked_for_any_number_of_jobs_in_arguments_that_linux_takes(self):
        names = [f"csa.20261122T172254.387275Z.preprocess_{number}" for number in range(4000)]
        with mock.patch("launcher.slurm.ask", return_value="9_3|RUNNING|None|n\n") as ask:
            self.assertEqual(len(slurm.queue(names)), 4)
        asked = [arguments[-1] for arguments, _ in ask.call_args_list]
        self.assertLess(max(map(len, asked)), 1 << 17)
        self.assertEqual(",".join(text[len("--name="):] for text in asked), ",".join(names))

    def test_only_a_reason_that_does_not_pass_can_never_start(self):
        never = ("PartitionTimeLimit", "BadConstraints", "JobHeldUser", "JobHeldAdmin",
                 "job requeued in held state", "launch failure limit exceeded requeued held",
                 "launch_failed_requeued_held", "JobHoldMaxRequeue", "InvalidAccount",
                 "QOSMaxMemoryPerJob", "AssocMaxWallDurationPerJobLimit", "QOSMinGRES",
                 "RESV_DEL_HOLD|None", "REQUEUE_HOLD|None")
        passes = ("Priority", "Resources", "Dependency", "BeginTime", "JobArrayTaskLimit",
                  "PartitionDown",
                  "QOSMaxJobsPerUserLimit", "AssocGrpCpuLimit", "Reservation", "None",
                  "ReqNodeNotAvail, UnavailableNodes:n1", "Nodes required for job are DOWN, "
                  "DRAINED or reserved for jobs in higher priority partitions")
        for reason in never + passes:
            said = reason if "|" in reason else f"PENDING|{reason}"
            element, = slurm.elements_of(f"1_0|{said}|n")
            self.assertEqual("\n  try: " in queue.never_starts(element), reason in never, reason)

    def test_the_job_of_sbatch_is_found_among_banners_and_keeps_its_cluster(self):
        with mock.patch("launcher.slurm.ask") as ask, \
                mock.patch("launcher.slurm.find_job", return_value=None):
            for ask.return_value, wanted in (("12\n", "12"),
                                             ("Welcome 2026\n12;c-1\nbye\n", "12;c-1")):
                self.assertEqual(slurm.submit("", []), wanted)
            for ask.return_value in ("", "Submitted batch job 12\n", "12 13\n"):
                self.assertRaisesRegex(slurm.SlurmError, "no job id", slurm.submit, "", [])

    def test_words_of_a_lost_reply_are_known(self):
        for said in ("Zero Bytes were transmitted or received", "Connection reset by peer",
                     "Socket timed out on send/recv operation"):
            self.assertRegex(f"failed: {said}", slurm.NO_REPLY)
        self.assertNotRegex("failed: Job violates accounting/QOS policy", slurm.NO_REPLY)


class CommandsTest(WorkCase):
    """sbatch, squeue and scancel that answer what a test says."""

    @mock.patch("launcher.slurm.PAUSE", 0)
    def test_after_any_error_of_sbatch_the_queue_is_asked_for_the_name(self):
        """A plain refusal by one look at each cluster, a lost reply by three."""
        script = self.path("a.sbatch")
        self.write("a.sbatch", "#SBATCH --job-name=csa.x.train\n#SBATCH -M 'other,another'\n")
        for error, looks in ((slurm.SlurmError("said"), 2), (slurm.NoReply("said"), 6)):
            with mock.patch("launcher.slurm.ask", side_effect=[error, *[""] * looks]) as ask:
                self.assertRaisesRegex(slurm.SlurmError, "said", slurm.submit, script, [])
            self.assertEqual(ask.call_count, 1 + looks)
        with mock.patch("launcher.slurm.ask", side_effect=[
                error, "CLUSTER: other\n82_[0-3]|PENDING|None|csa.x.train\n"]) as ask:
            job = slurm.submit(script, [])
        self.assertEqual(job, "82;other")
        self.assertEqual((ask.call_args[0][-1], ask.call_args[1]),
                         ("--name=csa.x.train", {"cluster": "other"}))
        with mock.patch("subprocess.run") as run:
            run.return_value.returncode = 0
            slurm.cancel([job, "9"])
        self.assertEqual([call[0][0] for call in run.call_args_list],
                         [["scancel", "9"], ["scancel", "--clusters=other", "82"]])

    def test_of_the_variables_of_a_shell_those_go_on_that_say_where_jobs_run(self):
        """Those of sbatch that would win over the templates are named as ignored."""
        kept = dict.fromkeys(("SLURM_CONF", "SBATCH_ACCOUNT", "SBATCH_RESERVATION", "HOME"), "x")
        ignored = dict.fromkeys(("SBATCH_TIMELIMIT", "SQUEUE_PARTITION", "SLURM_CPU_BIND",
                                 "SCANCEL_INTERACTIVE"), "y")
        with mock.patch.dict(os.environ, dict(kept, **ignored), clear=True), \
                contextlib.redirect_stderr(io.StringIO()) as stream:
            self.assertEqual(slurm.environment(), dict(kept, SLURM_BITSTR_LEN="0"))
            slurm.test_scripts([], self.work)
        self.assertIn("ignored: SBATCH_TIMELIMIT; the templates", stream.getvalue())


class SurveyTest(QueueCase):
    def test_a_task_is_what_the_queue_says_and_else_what_its_files_say(self):
        """Status and job of the file, squeue, and the state, kind and reason; without both the
        last line of the output of its last job is quoted."""
        for given, line, wanted in (
                ("", "2_0 PENDING Priority", "queued||Priority"),
                ("", "2_0 RUNNING None",
                 "queued|in_turn|its job has started, this task has not"),
                ("running 2_0", "2_0 RUNNING None", "running||"),
                ("running 2_0", "2_0 SUSPENDED None", "running||SUSPENDED"),
                ("", "2_0 BRAND_NEW None", "queued||BRAND_NEW, None"),
                ("", "2_0 PENDING JobHeldUser", HELD.format("JobHeldUser")),
                ("running 2_0", "2_0 SPECIAL_EXIT None", HELD.format("SPECIAL_EXIT, None")),
                ("done 1_0", "2_0 PENDING Priority", "queued||Priority"),
                ("done 2_0", "2_0 COMPLETING None", "done|k|r"),
                ("failed 2_0", "2_0 COMPLETING None", "failed|k|r"),
                ("failed 2_0", "2_0 PENDING BeginTime", "queued||BeginTime"),
                ("", "2_0 CANCELLED None", "lost|cancelled|cancelled"),
                ("", "2 CANCELLED None", "lost|cancelled|cancelled"),
                ("done 2_0", "2 CANCELLED None", "done|k|r"),
                ("interrupted 2_0", "2_0 TIMEOUT None",
                 "failed|time_limit|time limit: r"),
                ("running 2_0", "2_0 OUT_OF_MEMORY None", "lost|out_of_memory|out of memory "
                 "(--mem=8G; raise it in slurm_templates/train.sbatch)"),
                ("running 2_0", "",
                 "lost|lost|its runner was killed before it wrote a verdict"),
                ("", "", "lost|no_status|Slurm no longer lists its job, and it wrote no status: "
                 "?[31msite.sh: line 3: module: not found"),
                ("", "2_0 PENDING DependencyNeverSatisfied",
                 "not run|stranded|parent failed: stranded in the queue")):
            with self.subTest(given=given, line=line):
                shutil.rmtree(self.path("out"), ignore_errors=True)
                self.launch()
                for job, text in ((9, "old\n"), (10, "first\n\x1b[31msite.sh:\tline 3: module: "
                                                      "not found\n\n")):
                    self.put(f"launches/{L1}/slurm/csa.{L1}.train_{job}_0.out", text)
                self.put(f"launches/{L1}/train.sbatch", "#SBATCH --mem=8G\n#SBATCH --time=5\n")
                self.status("ml")
                state, _, job = given.partition(" ")
                if state:
                    self.status("model", state, slurm_job=job, reason="r", reason_kind="k")
                found = self.states(*[f"{line} train"] if line else [])["model"]
                self.assertEqual("|".join(found), wanted)

    def test_tables_of_all_results_that_exist_are_done_though_a_task_is_left_to_run(self):
        self.launch()
        for name in ("ml", "scores"):
            self.status(name)
        self.assertEqual(self.states()["scores"][0], "done")

    def test_the_exit_code_is_0_done_1_failed_3_at_work_4_stuck(self):
        stuck, behind = "queued|never_starts", "queued|behind"
        for given, code in (([], 0), (["done"], 0), (["done", "failed"], 1),
                            (["queued", "failed"], 3), ([stuck, behind, "done"], 4),
                            ([stuck, "queued"], 3), ([behind], 3)):
            states = [status.State("t", "train", *each.split("|")) for each in given]
            self.assertEqual(status.exit_code(states), code, given)

    def test_equal_causes_are_one_line(self):
        failed = [status.State(f"models/{source}/split_0", "train", "failed", "exit_code",
                               f"/o/models/{source}/split_0/x: row {row} is malformed", "", 1, "n1")
                  for row, source in enumerate("ABC")]
        self.assertEqual(status.failures(failed), [
            "failed: models/A/split_0 and 2 more: /o/models/A/split_0/x: row 0 is malformed "
            "(attempt 1 on n1)"])


class ShowTest(QueueCase):
    def show(self, *lines, task=True, resources=False):
        """(exit code, lines that --status prints)"""
        options = argparse.Namespace(workflow="csa", output_dir=self.path("out"), status=task,
                                     resources=resources, json=False)
        with mock.patch("launcher.status.look", lambda tree: self.queue(*lines)), \
                contextlib.redirect_stdout(io.StringIO()) as out:
            code = status.show(options)
        return code, out.getvalue().splitlines()

    def test_a_failure_is_named_with_its_log_and_the_way_on(self):
        self.launch()
        self.status("ml", "failed", reason="exit code 3", reason_kind="exit_code", attempt=2)
        code, lines = self.show()
        self.assertEqual((code, lines[7:]), (1, [
            f"failed: ml: exit code 3 (attempt 2 on n1); log: {self.path('out/ml/log.txt')}",
            "    last words",
            "3 tasks did not run because a parent failed", status.WAY_ON]))

    def test_resources_are_what_jobs_took_beside_what_was_asked(self):
        """The tasks of a job share its time and not its memory."""
        self.launch(tasks={"ml": ("preprocess", "rows_0", 0, ()),
                           "model": ("train", "row", 0, ("ml",)),
                           "infer_a": ("infer", "row", 0, ("model",))})
        self.put(f"launches/{L1}/row.sbatch", "#SBATCH -t24:00 # EDIT\n#SBATCH --mem 3500M\n")
        self.status("ml", seconds=0.5, peak_mb=100.1)
        self.status("model", seconds=3660.7, peak_mb=812.4)
        self.status("infer_a", seconds=0.5, peak_mb=9.0)
        code, lines = self.show(resources=True)
        self.assertEqual((code, [" ".join(line.split()) for line in lines]), (0, [
            "stage source jobs longest --time peak MB --mem", "preprocess 1 0:00:01 - 101 -",
            "row 1 1:01:02 24:00 813 3500M"]))
        self.assertEqual(len(self.show(resources=True, task="ml")[1]), 2)


class RefuseTest(QueueCase):
    def refusal(self, *lines, **more):
        """The sentence that refuses the task model, '' if nothing does."""
        try:
            status.refuse_busy(["model"], self.queue(*lines, **more))
        except Refusal as refusal:
            return str(refusal)
        return ""

    def test_tasks_in_the_queue_are_refused_unless_they_wait_for_ever(self):
        """Nor is a model replaced that a live launch reads."""
        self.launch()
        self.status("ml")
        for lines in ([], ["2_0 CANCELLED None train"],
                      ["2_0 PENDING DependencyNeverSatisfied train"]):
            self.assertEqual(self.refusal(*lines), "", lines)
        said = f"1 of these tasks are in a live launch of {self.path('out')}, or read by one " \
               "(model first)"
        for lines in (["2_0 PENDING Priority train"],
                      ["2_0 CANCELLED None train", "7_0 RUNNING None train"],
                      ["7_0 RUNNING None train", "2_0 CANCELLED None train"]):
            self.assertEqual(self.refusal(*lines), said, lines)
        self.launch(L2, jobs={}, executor="local")      # the launch that is asking
        self.assertEqual(self.refusal("2_0 PENDING Priority train"), said)
        self.status("model")
        self.assertEqual(self.refusal("4_0 PENDING Priority infer_0"), said)

    def test_tasks_of_another_launcher_are_refused_while_it_lives(self):
        own = {"pid": os.getpid(), "process_started": process_started(os.getpid())}
        for changed, jobs, wanted in (
                ({"process_started": "1"}, {}, False), (own, {}, False),
                ({"host": "elsewhere"}, {}, False), ({}, JOBS, False), ({}, {}, True)):
            self.launch(jobs=jobs, **dict(ALIVE, **changed))
            self.assertEqual(bool(self.refusal()), wanted, (changed, jobs))
        self.status("model", launch="before")           # it is to be made anew
        self.assertIn("model first", self.refusal())
        for name in ("model", "infer_a", "infer_b"):    # they have ended in that launch
            self.status(name)
        self.assertEqual(self.refusal(), "")

    def test_a_runner_counts_while_it_lives_and_one_on_another_host_while_its_claim_is_fresh(self):
        self.launch(executor="local", jobs={"train": "2"})
        elsewhere = {"host": "elsewhere", "slurm_job": ""}
        for keys, claim, wanted in (
                (ALIVE, 400, True), (dict(ALIVE, process_started="1"), 0, False),
                (elsewhere, 0, True), (elsewhere, 400, False),
                (dict(elsewhere, slurm_job="2_0"), 0, False),
                (dict(elsewhere, slurm_job="77"), 0, True)):
            self.status("model", **dict(keys, state="running"))
            path = self.put("model/.claim.1", "")
            os.utime(path, (os.stat(path).st_mtime - claim,) * 2)
            self.assertEqual(bool(self.refusal()), wanted, (keys, claim))

    def test_a_controller_that_is_silent_refuses_a_launch_but_not_on_a_laptop(self):
        self.launch()
        for squeue in ("/bin/squeue", None):
            with mock.patch("shutil.which", return_value=squeue):
                self.assertEqual("does not answer" in self.refusal(error="timed out"), bool(squeue))

    def test_what_waits_behind_a_stranded_element_is_cancelled_with_it(self):
        self.launch()
        found = self.queue("2_0 PENDING DependencyNeverSatisfied train",
                           "4_0 PENDING Dependency infer_0", "1_0 RUNNING None preprocess_0",
                           "3_0 PENDING Dependency collect")
        self.assertEqual(status.refuse_busy(["model"], found), ["2_0", "3_0", "4_0"])
        self.status("ml", "failed")     # what waits behind it will start and say so
        found = self.queue("2_0 PENDING Priority train", "3_0 PENDING Dependency collect")
        self.assertEqual(status.refuse_busy(["model"], found), [])

    def test_a_copy_of_a_results_tree_owns_no_jobs_and_a_moved_one_does(self):
        """A cluster that a template names is asked, too."""
        self.launch(jobs={"train": "2;other"})
        shutil.copytree(self.path("out"), self.path("copy"))
        with mock.patch("launcher.slurm.queue", return_value=[]) as asked:
            queue.look(ResultsTree(self.path("copy")))
            asked.assert_called_once_with([], "")
            os.rename(self.path("out"), self.path("moved"))
            queue.look(ResultsTree(self.path("moved")))
        self.assertEqual({cluster: len(names) for (names, cluster), _ in asked.call_args_list},
                         {"": len(TASKS), "other": len(TASKS)})


class CancelTest(QueueCase):
    def test_a_local_run_is_ended_by_its_launcher_s_process_and_never_in_a_dry_run(self):
        self.launch(executor="local", **ALIVE)
        with mock.patch("os.kill") as kill, contextlib.redirect_stdout(io.StringIO()):
            for dry_run, calls in ((True, []), (False, [mock.call(ALIVE["pid"], signal.SIGTERM)])):
                queue.cancel(argparse.Namespace(output_dir=self.path("out"), dry_run=dry_run))
                self.assertEqual(kill.call_args_list, calls)


class WaitTest(QueueCase):
    """queue.wait with a clock and a queue of our own."""
    RUNNING = ["2_0 RUNNING None train"]
    ANOTHER = [f"9_0 RUNNING None train {L2}"]

    def wait(self, answers):
        """(moments of the looks, what was printed); an answer: lines of squeue, or None."""
        self.launch()
        clock, answers = [0.0], iter(answers)

        def look(tree):
            lines = next(answers)
            return self.queue(error="no answer") if lines is None else self.queue(*lines)
        with mock.patch("launcher.queue.look", look), \
                mock.patch("time.sleep", lambda seconds: clock.append(clock[-1] + seconds)), \
                mock.patch("time.time", lambda: clock[-1]), \
                contextlib.redirect_stderr(io.StringIO()) as stream:
            queue.wait(self.tree(), L1)
        return clock, stream.getvalue()

    def test_a_silent_controller_is_named_once_and_waited_for_and_another_launch_is_not(self):
        asked, printed = self.wait([self.RUNNING] * 2 + [None] * 12 + [self.RUNNING, self.ANOTHER])
        self.assertEqual(asked, [0, 1, 3, 7, 15, *range(31, 31 + 11 * 30, 30)])
        self.assertEqual(printed, "1 job left, 1 running\nno answer\n1 job left, 1 running\n")

    def test_what_can_never_start_is_not_waited_for(self):
        self.assertEqual(self.wait([["2_0 PENDING DependencyNeverSatisfied train",
                                     "4_0 PENDING Dependency infer_0"]]), ([0], ""))

    def test_a_controller_that_stays_silent_is_not_waited_for_for_ever(self):
        asked, printed = self.wait([self.RUNNING] + [None] * 40)
        self.assertEqual(asked[-1], 901)
        self.assertIn("silent for 900 s; the jobs go on", printed)
