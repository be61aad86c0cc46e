"""What Slurm prints, what it means for the tasks of an OUT, and what the launchers decide on it."""
import argparse
import contextlib
import io
import os
import shutil
import unittest
from unittest import mock

from core.errors import Refusal
from core.slurm_output import SlurmOutput
from core.tree import ResultsTree
from launcher import launch_files, queue, slurm, status
from tests.queue_tree import FUSED, L1, L2, TASKS, QueueCase, array
from tests.support import WorkCase

ALIVE = {"state": "running", "host": os.uname().nodename, "pid": os.getppid(),
         "process_started": launch_files.process_started(os.getppid())}


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

    def test_each_state_of_slurm_waits_runs_is_held_or_has_ended(self):
        for state, kinds in (
                ("PENDING", ["waits"]), ("RUNNING", ["runs"]), ("OUT_OF_MEMORY", ["ended"]),
                ("SPECIAL_EXIT", ["waits", "held"]), ("RESV_DEL_HOLD", ["waits", "held"]),
                ("REQUEUE_HOLD", ["waits", "held"]), ("BRAND_NEW", ["waits"])):
            element = slurm.Element("1", 0, state, "None", "n")
            found = {"waits": element.waits, "runs": element.runs, "ended": not element.in_queue,
                     "held": queue.never_starts(element)}
            self.assertEqual([kind for kind, holds in found.items() if holds], kinds, state)

    def test_only_a_reason_that_does_not_pass_can_never_start(self):
        never = ("PartitionTimeLimit", "BadConstraints", "JobHeldUser", "JobHeldAdmin",
                 "job requeued in held state", "launch failure limit exceeded requeued held",
                 "launch_failed_requeued_held", "PartitionDown", "InvalidAccount",
                 "QOSMaxMemoryPerJob", "AssocMaxWallDurationPerJobLimit", "QOSMinGRES")
        passes = ("Priority", "Resources", "Dependency", "BeginTime", "JobArrayTaskLimit",
                  "QOSMaxJobsPerUserLimit", "AssocGrpCpuLimit", "Reservation", "None",
                  "ReqNodeNotAvail, UnavailableNodes:n1", "Nodes required for job are DOWN, "
                  "DRAINED or reserved for jobs in higher priority partitions")
        for reason in never + passes:
            element, = slurm.elements_of(f"1_0|PENDING|{reason}|n")
            why = queue.never_starts(element)
            self.assertEqual(why in queue.HINTS, reason in never, reason)

    def test_the_job_of_sbatch_is_found_among_banners_and_keeps_its_cluster(self):
        for output, wanted in (("12\n", "12"), ("Welcome 2026\n12;c-1\nbye\n", "12;c-1")):
            self.assertEqual(slurm.job_of(output), wanted)
        for output in ("", "Submitted batch job 12\n", "12 13\n"):
            with self.assertRaisesRegex(slurm.SlurmError, "no job id"):
                slurm.job_of(output)

    def test_an_array_waits_for_the_ids_of_its_parents_and_follows_the_one_before_it(self):
        infer = array("infer", "infer", ("train", "ml"), "old")
        for jobs, wanted in (({"train": "1", "ml": "2;c"}, "aftercorr:1:2"), ({}, ""),
                             ({"train": "1", "old": "9"}, "aftercorr:1,afterany:9")):
            self.assertEqual(slurm.dependency_of(infer, jobs), wanted)

    def test_of_the_variables_of_a_shell_those_go_on_that_say_where_jobs_run(self):
        kept = dict.fromkeys(("SLURM_CONF", "SBATCH_ACCOUNT", "SBATCH_RESERVATION", "HOME"), "x")
        ignored = dict.fromkeys(("SBATCH_TIMELIMIT", "SQUEUE_PARTITION", "SLURM_CPU_BIND",
                                 "SCANCEL_INTERACTIVE"), "y")
        with mock.patch.dict(os.environ, dict(kept, **ignored), clear=True):
            self.assertEqual(slurm.environment(), dict(kept, SLURM_BITSTR_LEN="0"))


class CommandsTest(WorkCase):
    """sbatch, squeue and scancel that answer what a test says."""

    def setUp(self):
        super().setUp()
        self.write("a.sbatch", "#!/bin/bash\n#SBATCH -M other,another\n")
        self.calls, self.answers = [], {}
        for patched in (mock.patch("launcher.slurm.ask", self.ask),
                        mock.patch("launcher.slurm.PAUSE", 0)):
            patched.start()
            self.addCleanup(patched.stop)

    def ask(self, command, *more):
        self.calls.append(" ".join(command))
        answer = self.answers.get(command[0], "")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def test_after_any_error_of_sbatch_the_queue_is_asked_for_the_name(self):
        """A plain refusal by one look at each cluster, a lost reply by three."""
        for may_be_submitted, looks in ((False, 2), (True, 6)):
            self.answers = {"sbatch": slurm.SlurmError("said", may_be_submitted)}
            self.calls.clear()
            with self.assertRaisesRegex(slurm.SlurmError, "said"):
                slurm.submit(self.path("a.sbatch"), "afterok:1", "csa.x.train")
            self.assertEqual(len(self.calls), 1 + looks)
        self.answers["squeue"] = "CLUSTER: other\n82_[0-3]|PENDING|None|csa.x.train\n"
        job = slurm.submit(self.path("a.sbatch"), "", "csa.x.train")
        self.assertEqual(job, "82;other")
        self.assertIn("--clusters=other --name=csa.x.train", self.calls[-1])
        self.calls.clear()
        slurm.cancel([job, "9"])
        self.assertEqual(self.calls, ["scancel 9", "scancel --clusters=other 82"])

    def test_variables_of_sbatch_that_would_win_over_the_templates_are_named_as_ignored(self):
        with mock.patch.dict(os.environ, SBATCH_TIMELIMIT="5", SBATCH_QOS="long"), \
                contextlib.redirect_stderr(io.StringIO()) as stream:
            slurm.test_scripts([], self.work)
        self.assertIn("ignored: SBATCH_TIMELIMIT; the templates", stream.getvalue())

    def test_words_of_a_lost_reply_are_known(self):
        for said in ("Zero Bytes were transmitted or received", "Connection reset by peer",
                     "Socket timed out on send/recv operation"):
            self.assertTrue(slurm.NO_REPLY.search(f"Batch job submission failed: {said}"), said)
        self.assertFalse(slurm.NO_REPLY.search("Job violates accounting/QOS policy"))


class SurveyTest(QueueCase):
    def test_a_task_is_what_the_queue_says_and_else_what_its_files_say(self):
        own = {"slurm_job": "2_0"}
        for given, line, wanted in (
                (None, "2_0 PENDING Priority", ("queued", "", "Priority")),
                (None, "2_[0-24:4%2] PENDING Priority", ("queued", "", "Priority")),
                (None, "2_0 RUNNING None",
                 ("queued", "in_turn", "its job has started, this task has not")),
                (("running", own), "2_0 RUNNING None", ("running", "", "")),
                (("running", own), "2_0 SUSPENDED None", ("running", "", "SUSPENDED")),
                (None, "2_0 BRAND_NEW None", ("queued", "", "BRAND_NEW, None")),
                (None, "2_0 PENDING JobHeldUser",
                 ("queued", "never_starts", "Slurm holds it (JobHeldUser)")),
                (("running", own), "2_0 SPECIAL_EXIT None",
                 ("queued", "never_starts", "Slurm holds it (SPECIAL_EXIT, None)")),
                (("failed", {}), "2_0 PENDING Priority", ("queued", "", "Priority")),
                (("interrupted", own), "2_0 PENDING BeginTime", ("queued", "", "BeginTime")),
                (("done", own), "2_0 COMPLETING None", ("done", "", "")),
                (("failed", dict(own, reason="r", reason_kind="k")), "2_0 COMPLETING None",
                 ("failed", "k", "r")),
                (None, "2_0 CANCELLED None", ("lost", "cancelled", "cancelled")),
                (None, "2 CANCELLED None", ("lost", "cancelled", "cancelled")),
                (("done", own), "2 CANCELLED None", ("done", "", "")),
                (("interrupted", dict(own, reason="signal TERM; raise --time")),
                 "2_0 TIMEOUT None",
                 ("failed", "time_limit", "time limit: signal TERM; raise --time")),
                (("running", own), "2_0 OUT_OF_MEMORY None",
                 ("lost", "out_of_memory", "out of memory")),
                (("running", own), "", ("lost", "lost",
                                        "its runner was killed before it wrote a verdict")),
                (None, "", ("lost", "no_status", "Slurm no longer lists its job, and it wrote no "
                                                 "status: site.sh: line 3: module: not found")),
                (("done", {"reason_kind": "stale"}), "",
                 ("not run", "stale", "its parameters have changed")),
                (None, "2_0 PENDING DependencyNeverSatisfied",
                 ("not run", "stranded", "parent failed: stranded in the queue"))):
            with self.subTest(given=given, line=line):
                shutil.rmtree(self.path("out"), ignore_errors=True)
                self.launch()
                self.put(f"launches/{L1}/slurm/csa.{L1}.train_2_0.out",
                         "x\nsite.sh: line 3: module: not found\n")
                self.status("ml")
                if given:
                    self.status("model", given[0], **given[1])
                self.assertEqual(self.states(*[f"{line} train"] if line else [])["model"], wanted)

    def test_what_a_job_ran_out_of_is_named_with_what_it_asked_for_and_where_to_raise_it(self):
        self.launch()
        self.put(f"launches/{L1}/train.sbatch", "#!/bin/bash\n#SBATCH --mem=8G\n")
        for name, job in (("ml", "1_0"), ("model", "2_0")):
            self.status(name, "done" if name == "ml" else "running", slurm_job=job)
        states = status.survey(self.tree(), self.queue("2_0 OUT_OF_MEMORY None train"))
        self.assertIn("out of memory (--mem=8G; raise it in slurm_templates/train.sbatch)",
                      [state.reason for state in states])

    def test_the_exit_code_is_0_done_1_failed_3_at_work_4_stuck(self):
        queued = status.State("q", "train", "queued")
        stuck = queued._replace(reason_kind="never_starts")
        behind = queued._replace(reason_kind="behind")
        done, failed = queued._replace(state="done"), queued._replace(state="failed")
        for states, code in (([], 0), ([done], 0), ([done, failed], 1), ([queued, failed], 3),
                             ([stuck, behind, done], 4), ([stuck, queued], 3), ([behind], 3)):
            self.assertEqual(status.exit_code(states), code, states)

    def test_equal_causes_are_one_line_and_the_way_on_is_said_if_it_helps(self):
        failed = [status.State(f"models/A/split_{k}", "train", "failed", "exit_code",
                               f"exit code 3: row {k}", "", 1, "n1") for k in range(3)]
        lost = [each._replace(state="lost", reason_kind="lost") for each in failed]
        rest = "models/A/split_0 and 2 more: exit code 3: row 0 (attempt 1 on n1)"
        for states, wanted in ((failed, f"failed: {rest}"), (lost, f"lost: {rest}")):
            self.assertEqual(status.summary_of_failures(states).splitlines(),
                             [wanted, status.WAY_ON])
        self.assertEqual(status.summary_of_failures([failed[0]._replace(state="done")]), "")
        full = [each._replace(reason=f"/o/{each.name}/x: cannot be written") for each in failed]
        self.assertIn("models/A/split_0 and 2 more", status.summary_of_failures(full))

    def test_the_header_that_the_runner_writes_is_no_end_of_a_log(self):
        self.write("log.txt", "=== attempt 1 at noon\n===  none x.py\nit broke\n")
        state = status.State("t", "train", "failed", "", "r", "", 1, "n", self.path("log.txt"))
        self.assertEqual(status.problems([state]).splitlines()[1:], ["    it broke"])


class ShowTest(QueueCase):
    def show(self, *lines, **given):
        """(exit code, lines that --status prints)"""
        options = argparse.Namespace(**dict({"output_dir": self.path("out"), "status": True,
                                             "resources": False, "json": False}, **given))
        with mock.patch("launcher.status.look", lambda tree: self.queue(*lines)), \
                contextlib.redirect_stdout(io.StringIO()) as out:
            code = status.show("csa", options, "w.py")
        return code, out.getvalue().splitlines()

    def test_a_failure_is_named_with_its_log_and_the_way_on(self):
        self.launch()
        self.status("ml", "failed", reason="exit code 3", reason_kind="exit_code", attempt=2)
        code, lines = self.show()
        self.assertEqual((code, lines[7:]), (1, [
            f"failed: ml: exit code 3 (attempt 2 on n1); log: {self.path('out/ml/log.txt')}",
            "    last words",
            "3 tasks did not run because a parent failed", "",
            f"{status.WAY_ON} (its text is in launches/*/plan.json)"]))

    def test_a_task_alone_is_shown_key_by_key_with_its_job(self):
        self.launch()
        self.status("ml")
        self.assertEqual(self.show("2_0 PENDING JobHeldUser train", status="model"), (4, [
            "name: model", "stage: train", "state: queued", "reason_kind: never_starts",
            "reason: Slurm holds it (JobHeldUser)", "job: 2_0"]))

    def test_resources_are_what_jobs_took_beside_what_was_asked(self):
        """The tasks of a job share its time and not its memory."""
        head = ["stage", "source", "jobs", "longest", "--time", "peak", "MB", "--mem"]
        asked = "#SBATCH --time=24:00:00 # EDIT\n#SBATCH --mem 3500M\n"
        for tasks, wanted in (
                (TASKS, [["preprocess", "1", "0:00:01", "-", "101", "-"],
                         ["train", "1", "1:01:02", "24:00:00", "813", "3500M"]]),
                (FUSED, [["row", "1", "1:01:02", "24:00:00", "813", "3500M"]])):
            directory = self.launch(tasks=tasks)
            for name in ("train", "row"):
                self.write(os.path.join(directory, f"{name}.sbatch"), asked)
            self.status("ml", seconds=0.5, peak_mb=100.1, slurm_job="1_0")
            self.status("model", seconds=3661.2, peak_mb=812.4,
                        slurm_job="1_0" if tasks is FUSED else "2_0")
            code, lines = self.show(resources=True)
            self.assertEqual((code, [line.split() for line in lines]), (0, [head, *wanted]))
        self.assertEqual(len(self.show(resources=True, status="ml")[1]), 2)
        self.assertIn('  "longest": "1:01:02",', self.show(resources=True, json=True)[1])


class RefuseTest(QueueCase):
    def refusal(self, *lines, **more):
        """The sentence that refuses the task model, '' if nothing does."""
        try:
            status.refuse_busy(self.tree(), ["model"], self.queue(*lines, **more))
        except Refusal as refusal:
            return str(refusal)
        return ""

    def test_tasks_in_the_queue_are_refused_unless_they_wait_for_ever(self):
        """Nor is a model replaced that a live launch reads."""
        self.launch()
        self.status("ml")
        for lines, wanted in (
                ([], False), (["2_0 PENDING Priority train"], True),
                (["2_0 CANCELLED None train"], False),
                (["2_0 PENDING DependencyNeverSatisfied train"], False),
                (["2_0 CANCELLED None train", "7_0 RUNNING None train"], True),
                (["7_0 RUNNING None train", "2_0 CANCELLED None train"], True)):
            said = f"1 of these tasks are in a live launch of {self.path('out')}, or read by one " \
                   "(model first)"
            self.assertEqual(self.refusal(*lines), said if wanted else "", lines)
        self.status("model")
        self.assertEqual(self.refusal("4_0 PENDING Priority infer_0"), said)

    def test_tasks_of_another_launcher_are_refused_while_it_gives_signs_of_life(self):
        for changed, age, wanted in (
                ({}, 0, True), ({"process_started": "1"}, 0, False), ({"state": "ended"}, 0, False),
                ({"pid": os.getpid()}, 0, False), ({"host": "elsewhere"}, 0, True),
                ({"host": "elsewhere"}, 400, False)):
            directory = self.launch(state=dict(ALIVE, **changed), executor="local")
            moment = os.stat(directory).st_mtime - age
            os.utime(os.path.join(directory, "state.json"), (moment, moment))
            self.assertEqual(bool(self.refusal()), wanted, (changed, age))
        self.launch(state=ALIVE, executor="local")
        self.status("model", launch="before")           # it is to be made anew
        self.assertIn("model first", self.refusal())
        for name in ("model", "infer_a", "infer_b"):    # they have ended in that launch
            self.status(name)
        self.assertEqual(self.refusal(), "")

    def test_a_runner_counts_while_it_lives_and_one_on_another_host_while_its_claim_is_fresh(self):
        self.launch(executor="local", jobs={"train": "2"})
        elsewhere = {"host": "elsewhere", "slurm_job": ""}
        for keys, claim, wanted in (
                (ALIVE, None, True), (dict(ALIVE, process_started="1"), None, False),
                (elsewhere, None, False), (elsewhere, 0, True), (elsewhere, 400, False),
                (dict(elsewhere, slurm_job="2_0"), 0, False),
                (dict(elsewhere, slurm_job="77"), 0, True)):
            shutil.rmtree(self.path("out/model"), ignore_errors=True)
            self.status("model", **dict(keys, state="running"))
            if claim is not None:
                path = self.put("model/.claim.1", "{}")
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
                           "4_0 PENDING Dependency infer_0", "1_0 RUNNING None preprocess_0")
        self.assertEqual(queue.stranded(found), ["2_0", "4_0"])

    def test_a_copy_of_a_results_tree_owns_no_jobs_and_a_moved_one_does(self):
        """A cluster that a template names is asked, too."""
        self.launch(jobs={"train": "2;other"})
        shutil.copytree(self.path("out"), self.path("copy"))
        asked = {}
        with mock.patch("launcher.slurm.queue",
                        lambda names, cluster: asked.update({cluster: len(names)}) or []):
            queue.look(ResultsTree(self.path("copy")))
            self.assertEqual(set(asked.values()), {0})
            os.rename(self.path("out"), self.path("moved"))
            queue.look(ResultsTree(self.path("moved")))
        self.assertEqual(asked, {"": len(TASKS), "other": len(TASKS)})


class WaitTest(QueueCase):
    """queue.wait with a clock and a queue of our own."""
    RUNNING = ["2_0 RUNNING None train"]

    def wait(self, answers):
        """(moments of the looks, what was printed); an answer: lines of squeue, or None."""
        self.launch()
        clock, asked, answers = [0.0], [], iter(answers)

        def look(tree):
            asked.append(clock[0])
            lines = next(answers)
            return self.queue(error="no answer") if lines is None else self.queue(*lines)

        def sleep(seconds):
            clock[0] += seconds
        with mock.patch("launcher.queue.look", look), mock.patch("time.sleep", sleep), \
                mock.patch("time.time", lambda: clock[0]), \
                contextlib.redirect_stderr(io.StringIO()) as stream:
            queue.wait(self.tree(), self.tree().launches[0])
        return asked, stream.getvalue()

    def test_the_queue_is_asked_every_10_s_at_first_and_every_60_s_later(self):
        """A silent controller is named once and waited for."""
        asked, printed = self.wait([self.RUNNING] * 2 + [None] * 12 + [self.RUNNING, []])
        pauses = [after - before for before, after in zip(asked, asked[1:])]
        self.assertEqual((min(pauses), pauses == sorted(pauses), pauses[-1]), (10, True, 60))
        self.assertEqual(printed, "1 job left, 1 running\nno answer\n1 job left, 1 running\n")

    def test_a_controller_that_stays_silent_is_not_waited_for_for_ever(self):
        asked, printed = self.wait([self.RUNNING] + [None] * 30)
        self.assertTrue(900 < asked[-1] + 60 < 1100, asked)
        self.assertIn("silent for 900 s; the jobs go on", printed)


class OutputTest(QueueCase):
    def test_the_last_line_of_the_last_job_is_quoted(self):
        self.launch()
        self.put(f"launches/{L1}/slurm/csa.{L1}.train_9_0.out", "old\n")
        path = self.put(f"launches/{L1}/slurm/csa.{L1}.train_10_0.out",
                        "first\n\x1b[31mlast\tline\n\n")
        output = SlurmOutput(self.tree())
        self.assertEqual(output.of("model"), (path, "?[31mlast line"))
        self.assertEqual((output.of("infer_a"), output.of("nobody")), (("", ""), ("", "")))


if __name__ == "__main__":
    unittest.main()
