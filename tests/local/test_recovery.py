"""What the same command does about tasks that did not end well: memory, time, nodes, errors of the code."""
import argparse
import json
import os
import shutil
import sys
import time
import unittest
from unittest import mock

from launcher import needs_run, survey, tasks
from launcher.resources import asked, partition, recovery
from launcher.resources.asked import Needs
from launcher.results_tree import ResultsTree
from launcher.slurm import Element
from launcher.tasks import Packing, Task
from tests.measured_tree import MeasuredCase, took
from tests.support import RUN_MODEL, TOY_MODEL, WorkCase

LAUNCH, NEXT = "20260101T000000.000000Z", "20260102T000000.000000Z"
NO_LIMIT = Needs()
KILLED = took(50, 900, state="failed", reason_kind="killed", exit_code=137)
OWN_ERROR = took(50, 100, state="failed", reason_kind="exit_code", exit_code=1, executor="slurm")


class RecoveryCase(MeasuredCase):
    """One task, models/A/split_0, that asked for 1000 MB and an hour."""

    def judge(self, status, word="", limits=NO_LIMIT, raised=None, launch=LAUNCH, **options):
        shutil.rmtree(self.path("out"), ignore_errors=True)
        self.have_launch(launch, {"models/A/split_0": ("train", "A", 0, dict(status, launch=LAUNCH))})
        if raised:
            plan = json.loads(self.read("out/launches", launch, "plan.json"))
            plan["tasks"][0]["raised"] = raised
            self.write(f"out/launches/{launch}/plan.json", json.dumps(plan))
        planned = [Task("models/A/split_0", "train", "train", 0, ("none", "/m/toy.py"), (), "A"),
                   Task("infer/A-B/split_0", "infer", "infer", 0, ("none", "/m/toy.py"), ("models/A/split_0",), "A", "B"),
                   Task("scores", "collect", "collect", 0, ("none", "/m/collect.py"), ("models/A/split_0", "infer/A-B/split_0"))]
        tree = ResultsTree(self.path("out"))
        elements = [Element("7", 0, word, "", f"csa.{launch}.train")] if word else []
        settings = argparse.Namespace(**dict({"executor": "slurm", "retry_failed": False, "model": "toy"}, **options))
        with mock.patch.object(survey, "ask_queue", lambda tree: (elements, None)), \
                mock.patch.object(partition, "limits", lambda names: limits), \
                mock.patch.object(recovery.slurm, "accounted_ends", lambda keys: {}):
            return recovery.judge(planned, needs_run.decide(planned, tree), tree, settings)

    def raised(self, *arguments, **settings):
        reason = self.judge(*arguments, **settings).why["models/A/split_0"]
        return reason.raised and (reason.raised.memory, reason.raised.time, reason.raised.count)


class CauseTest(RecoveryCase):
    def test_a_stage_that_was_killed_near_the_memory_it_asked_for_gets_half_as_much_more(self):
        found = self.judge(KILLED)
        self.assertEqual(found.why["models/A/split_0"].raised.record,
                         {"memory": 1500, "time": None, "from": {"memory": 1000, "time": None}, "count": 1})
        self.assertEqual(found.notes, ("1 train of A ran out of memory and run with more: 1000M -> 1500M (raise 1 of at most 3): "
                                       "models/A/split_0",))

    def test_one_that_was_killed_far_below_it_runs_as_it_was(self):
        self.assertIsNone(self.raised(dict(KILLED, peak_mb=100.0)))
        self.assertIsNone(self.raised(dict(KILLED, exit_code=143)))

    def test_slurm_s_word_and_the_stage_s_own_words_need_no_peak(self):
        self.assertEqual(self.raised(dict(KILLED, peak_mb=None), "OUT_OF_MEMORY"), (1500, None, 1))
        self.assertEqual(self.raised(dict(OWN_ERROR), "OUT_OF_MEMORY"), (1500, None, 1))     # one of its processes was killed
        self.assertEqual(self.raised(dict(OWN_ERROR, reason_kind="memory")), (1500, None, 1))

    def test_a_task_that_was_interrupted_near_its_time_limit_gets_half_as_much_more(self):
        stopped = took(3545, 100, state="interrupted", reason_kind="signal", exit_code=143)
        self.assertEqual(self.raised(stopped), (None, 5400, 1))
        self.assertEqual(self.raised(dict(stopped, seconds=10.0), "TIMEOUT"), (None, 5400, 1))
        self.assertIsNone(self.raised(dict(stopped, seconds=1800.0)))

    def test_one_that_was_cancelled_or_preempted_near_its_limit_runs_as_it_was(self):
        stopped = took(3590, 990, state="interrupted", reason_kind="signal", exit_code=143)
        for word in ("CANCELLED", "PREEMPTED"):
            self.assertIsNone(self.raised(stopped, word))

    def test_a_runner_that_was_killed_with_its_stage_had_worked_until_its_last_sign_of_life(self):
        left = {"state": "running", "seconds": 0, "started": "2026-01-01T00:00:00Z", "slurm_job": "7_0"}
        begun = 1767225600
        with mock.patch.object(recovery, "lasted", wraps=recovery.lasted) as lasted:
            self.assertIsNone(self.raised(left))        # no claim is left: nothing is known
            self.assertEqual(lasted.call_count, 1)
        self.write("out/models/A/split_0/.claim.1", "{}")
        os.utime(self.path("out/models/A/split_0/.claim.1"), (begun + 3500, begun + 3500))
        tree = ResultsTree(self.path("out"))
        self.assertEqual(recovery.lasted(tree, "models/A/split_0", tree.status("models/A/split_0")), 3500)

    def test_a_lost_node_is_excluded_from_this_launch_and_named(self):
        found = self.judge(took(5, 10, state="running", host="n3"), "NODE_FAIL")
        self.assertEqual((found.excluded, found.notes), (("n3",), ("1 task on nodes that were lost: n3 excluded in this launch",)))
        self.assertIsNone(found.why["models/A/split_0"].raised)

    def test_the_times_of_the_tasks_of_one_element_add_up(self):
        self.have_launch(LAUNCH, {
            "models/A/split_0": ("train", "A", 0, dict(took(3000, 10), launch=LAUNCH)),
            "models/A/split_1": ("train", "A", 0, dict(took(500, 10, state="interrupted", reason_kind="signal"), launch=LAUNCH))})
        tree = ResultsTree(self.path("out"))
        case = recovery.Case(tree, argparse.Namespace())
        task = Task("models/A/split_1", "train", "train", 0, ("none", "/m/toy.py"))
        self.assertTrue(case.reached_limit(task, tree.status(task.name), tree.last_run_of()[task.name]))


class OwnWordsTest(WorkCase):
    """What a stage says before it ends with an error decides its kind, in one place: stages/runner/verdict.py."""

    def test_a_full_disk_and_too_little_memory_are_no_errors_of_the_code_and_a_full_gpu_is(self):
        for words, kind in (("OSError: [Errno 28] No space left on device: 'x'", "disk"), ("MemoryError", "memory"),
                            ("numpy.core._exceptions._ArrayMemoryError: Unable to allocate 9 GiB", "memory"),
                            ("OSError: [Errno 12] Cannot allocate memory", "memory"),
                            ("RuntimeError: DataLoader worker (pid 7) is killed by signal: Killed.", "memory"),
                            ("torch.cuda.OutOfMemoryError: CUDA out of memory.", "exit_code"), ("KeyError: 'auc'", "exit_code")):
            self.write("m_train_improve.py", f"import sys; sys.exit({words!r})")
            ended = self.run_command("bash", RUN_MODEL, "none", "m_train_improve.py", "--output_dir", "out/models/A",
                                     WORKFLOW_PYTHON=sys.executable)
            status = self.status_of("models/A")
            self.assertEqual((ended.code, status["reason_kind"], status["exit_code"]), (1, kind, 1), words)


class RaiseTest(RecoveryCase):
    FIRST = {"memory": 1500, "time": None, "from": {"memory": 1000, "time": None}, "count": 1}

    def test_a_raise_that_was_not_enough_is_doubled(self):
        self.assertEqual(recovery.raised_value(1500, 1500, "memory"), 3000)
        self.assertEqual(recovery.raised_value(60, None, "time"), 120)      # whole minutes

    def test_what_failed_for_memory_and_now_for_time_asks_for_more_of_both(self):
        found = self.judge(took(3590, 100, state="interrupted", reason_kind="signal"), raised=self.FIRST)
        self.assertEqual(found.why["models/A/split_0"].raised.record,
                         {"memory": 1500, "time": 5400, "from": {"memory": 1000, "time": 3600}, "count": 2})

    def test_a_raised_task_that_never_ran_or_failed_otherwise_asks_for_the_same(self):
        self.assertEqual(self.raised(KILLED, launch=NEXT, raised=self.FIRST), (1500, None, 1))      # its status is of the launch before
        self.assertEqual(self.raised(dict(KILLED, peak_mb=10.0), raised=self.FIRST), (1500, None, 1))

    def test_after_three_raises_it_is_not_repeated_unless_asked_for(self):
        third = dict(self.FIRST, count=3)
        found = self.judge(KILLED, raised=third)
        self.assertEqual(found.held["models/A/split_0"], ("limit", "it was raised 3 times (1000M)"))
        self.assertEqual(found.held["infer/A-B/split_0"], ("parent", "its models/A/split_0 is not repeated"))
        self.assertNotIn("infer/A-B/split_0", found.why)
        self.assertIn("--retry_failed", found.notes[0])
        self.assertEqual(self.raised(KILLED, raised=third, retry_failed=True), (1500, None, 3))

    def test_no_raise_goes_above_what_the_partition_allows(self):
        self.assertEqual(self.raised(KILLED, limits=Needs(1200, None)), (1200, None, 1))
        self.assertEqual(self.judge(KILLED, limits=Needs(1000, None)).held["models/A/split_0"],
                         ("limit", "its partition allows no more (1000M)"))

    def test_a_local_run_raises_nothing(self):
        self.assertIsNone(self.raised(KILLED, executor="local"))

    def test_a_damaged_record_in_a_plan_is_no_raise(self):
        for record in (None, 3, {}, {"from": 1}, {"from": {}, "memory": "9"}, {"from": {}, "memory": -1}, {"from": {}, "count": True}):
            self.assertIsNone(recovery.raised_of({"raised": record}), record)

    def test_a_template_that_asks_for_as_much_by_now_needs_no_raise(self):
        raised = recovery.Raised(1500, 7200)
        self.assertEqual(recovery.needs_beyond(asked.Asked(2000, 3600), raised), Needs(None, 7200))
        self.assertEqual(recovery.needs_beyond(asked.Asked(None, None), raised), Needs(1500, 7200))


class LimitsTest(unittest.TestCase):
    ROWS = ("PartitionName=debug AllocNodes=ALL Default=YES MaxMemPerNode=3000 MaxTime=1-00:00:00 Nodes=n[1-4]\n"
            "PartitionName=long Default=NO MaxMemPerNode=UNLIMITED MaxTime=UNLIMITED\n")

    def limits(self, names, nodes="4000\n8000\n"):
        partition.limits.cache_clear()
        partition.rows.cache_clear()
        self.addCleanup(partition.limits.cache_clear)
        self.addCleanup(partition.rows.cache_clear)
        with mock.patch.object(partition.slurm, "ask", lambda command: self.ROWS if command[0] == "scontrol" else nodes):
            return partition.limits(names)

    def test_the_smaller_of_the_partition_s_limit_and_its_largest_node_counts(self):
        self.assertEqual(self.limits(""), Needs(3000, 86400))
        self.assertEqual(self.limits("long"), Needs(8000, None))
        self.assertEqual(self.limits("debug,long"), Needs(8000, None))

    def test_a_partition_that_is_not_there_has_no_limit(self):
        self.assertEqual(self.limits("gone"), Needs(None, None))


class ArraysTest(unittest.TestCase):
    def arrays(self, needs, rows=(), per_job=1):
        planned = [Task(f"ml_data/A-A/split_{k}", "preprocess", "preprocess_0", k, ("none", "s")) for k in range(3)]
        planned += [Task(f"models/A/split_{k}", "train", "train", k, ("none", "s"), (f"ml_data/A-A/split_{k}",)) for k in range(3)]
        return tasks.arrays_of(planned, Packing(lambda stage, source: f"{stage}.sbatch", 1001, None, per_job, dict(rows), needs, ("n3",)))

    def test_elements_with_other_needs_are_arrays_of_their_own_at_their_own_index(self):
        found = self.arrays({"models/A/split_1": Needs(1500)})
        self.assertEqual([(array.name, array.indices, array.needs.memory, array.parents, array.exclude) for array in found],
                         [("preprocess_0", "0-2", None, (), ("n3",)), ("train", "0,2", None, ("preprocess_0",), ("n3",)),
                          ("train-2", "1", 1500, ("preprocess_0",), ("n3",))])

    def test_the_tasks_of_a_row_stay_together_and_ask_for_the_largest(self):
        rows = {f"{folder}/split_{k}": k for folder in ("ml_data/A-A", "models/A") for k in range(3)}
        found = self.arrays({"models/A/split_1": Needs(1500), "ml_data/A-A/split_1": Needs(1200, 7200)}, rows)
        self.assertEqual([(array.name, array.indices, len(array.tasks), array.needs) for array in found],
                         [("row", "0,2", 4, Needs()), ("row-2", "1", 2, Needs(1500, 7200))])


class OwnErrorTest(WorkCase):
    """Local runs of the toy model; TOY_FAULTS is not one of the things that are looked at."""
    LOCAL = ("--executor", "local", "--split", "0", "--source", "A")

    def setUp(self):
        super().setUp()
        shutil.copytree(TOY_MODEL, self.path("model"), ignore=shutil.ignore_patterns("__pycache__"))
        self.failed = self.run_here(TOY_FAULTS="train A exit:3")
        self.started = len(self.starts())

    def run_here(self, *arguments, **settings):
        return self.run_toy(*self.LOCAL, "--model_dir", "model", *arguments, TOY_STARTS=self.path("starts.txt"), **settings)

    def assert_runs_again(self, *arguments):
        ended = self.run_here(*arguments)
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(sorted(name for _, _, name in self.starts()[self.started:]),
                         ["infer/A-A/split_0", "infer/A-B/split_0", "models/A/split_0"])

    def test_it_is_not_repeated_and_the_sentence_says_what_to_do(self):
        self.assertEqual(self.failed.code, 1)
        self.assertIn("3 of 5 tasks are not done; repair what ended with an error and give the same command again, or add "
                      "--retry_failed", self.failed.err)
        for _ in range(2):
            ended = self.run_here()
            self.assertEqual(ended.code, 1, ended)
            self.assertIn("2 done already, 0 to run (0 preprocess, 0 train, 0 infer), 3 not repeated\n", ended.out)
            self.assertIn("1 task not repeated after an error of the code's own, since nothing that goes into it has "
                          "changed: models/A/split_0: exit code 3: toy: exit:3 as told\n"
                          "  try: repair it and give the same command again, or add --retry_failed", ended.out)
        self.assertEqual(len(self.starts()), self.started)
        self.assertEqual(len(os.listdir(self.path("out/launches"))), 1)     # no launch of nothing
        self.assertIn("--retry_failed", self.run_toy("--status").out)

    def test_with_retry_failed_it_runs_as_it_was(self):
        self.assert_runs_again("--retry_failed")

    def test_a_stage_script_or_a_file_beside_it_that_has_changed_since_is_seen(self):
        time.sleep(0.02)
        with open(self.path("model/toy.py"), "a") as file:      # what the stage script imports
            file.write("# mended\n")
        self.assert_runs_again()

    def test_what_a_run_writes_into_an_output_directory_in_the_model_s_folder_is_no_change(self):
        shutil.move(self.path("out"), self.path("model/out"))
        self.run_here("--output_dir", "model/out", "--retry_failed", TOY_FAULTS="train A exit:3")
        self.write("model/out/hyperparameters_hpo.json", "{}")
        self.assertIn("3 not repeated", self.run_here("--output_dir", "model/out").out)

    def test_other_arguments_are_seen(self):
        self.assert_runs_again("--train_args=--epochs 5")

    def test_a_split_file_that_has_changed_is_seen_for_what_reads_it(self):
        ended = self.run_here("--redo", "preprocess", TOY_FAULTS="preprocess A-A exit:3")
        self.assertEqual(ended.code, 1)
        started = len(self.starts())
        self.assertIn("not repeated", self.run_here().out)
        os.utime(self.path("raw/splits/A_split_0_train.txt"))
        self.assertEqual(self.run_here().code, 0)
        self.assertIn("ml_data/A-A/split_0", [name for _, _, name in self.starts()[started:]])

    def test_what_is_not_held_runs_beside_it_and_the_exit_code_says_that_something_failed(self):
        ended = self.run_here("--source", "A", "B")
        self.assertEqual(ended.code, 1, ended)
        names = [name for _, _, name in self.starts()[self.started:]]
        self.assertIn("infer/B-B/split_0", names)
        self.assertNotIn("models/A/split_0", names)

    def test_a_stage_that_was_killed_or_left_no_files_or_found_no_room_is_no_error_of_the_code(self):
        for fault in ("kill", "nofile", "nan"):
            self.run_here("--retry_failed", TOY_FAULTS=f"train A {fault}")
            self.started = len(self.starts())
            self.assert_runs_again()
            shutil.rmtree(self.path("out/models"))


if __name__ == "__main__":
    unittest.main()
