"""Several tasks in a job: rows (--fuse), neighbours (--tasks_per_job), and GPUs for local tasks."""
import glob
import os
import signal
import unittest

from tests.campaign import LOCAL, CampaignCase
from tests.support import PATIENCE, RUN_MODEL, TOY_MODEL, wait_for

ROW = ["ml_data/A-A/split_0", "models/A/split_0", "infer/A-A/split_0", "ml_data/A-B/split_0",
       "infer/A-B/split_0"]
PROBE = """import os, sys, time
sys.path.insert(0, {toy!r})
with open({log!r}, "a") as file:
    file.write("start %s\\n" % os.environ.get("CUDA_VISIBLE_DEVICES"))
time.sleep(0.4)
import toy
toy.run({stage!r})
with open({log!r}, "a") as file:
    file.write("end %s\\n" % os.environ.get("CUDA_VISIBLE_DEVICES"))
"""


class RowsTest(CampaignCase):
    """--fuse on this machine: the rows are those that a job on Slurm runs."""

    def run_rows(self, *arguments, **settings):
        return self.run_toy(*LOCAL, "--fuse", *arguments, TOY_STARTS=self.path("starts.txt"),
                            **settings)

    def newest(self, name):
        return sorted(glob.glob(self.path("out/launches/*", name)))[-1]

    def test_a_row_runs_in_its_order(self):
        self.assertEqual(self.run_rows("--source", "A", "--split", "0").code, 0)
        self.assertEqual([row[2] for row in self.starts()], ROW)
        self.assertEqual([(task["array"], task["index"]) for task in self.plans()[-1]["tasks"]],
                         [("row", 0)] * 5 + [("collect", 0)])

    def test_scores_of_rows_of_packed_and_of_single_tasks_are_the_same_bytes(self):
        found = []
        for more in ((), ("--fuse",), ("--tasks_per_job", "3")):
            if found:
                os.rename(self.path("out"), self.path(f"old{len(found)}"))
            self.assertEqual(self.run_toy(*LOCAL, *more).code, 0)
            found.append([self.read("out/scores", name)
                          for name in ("all_scores.csv", "r2_mean_csa_table.csv")])
        self.assertEqual((found[0], found[0]), (found[1], found[2]))

    def test_a_failed_training_stops_what_follows_it_and_a_resumed_row_runs_what_is_missing(self):
        ended = self.run_rows(TOY_FAULTS="train models/A/split_0 exit:3", LATENCY_WAIT="60")
        self.assertEqual(ended.code, 1, ended)
        failed = {name: state for name, state in self.status()[1].items() if state[0] != "done"}
        self.assertEqual(set(failed), {"models/A/split_0", "infer/A-A/split_0",
                                       "infer/A-B/split_0"})
        self.assertEqual(failed["infer/A-B/split_0"],
                         ("failed", "parent failed: models/A/split_0 is failed"))
        before = len(self.starts())
        self.assertEqual(self.run_rows().code, 0)
        self.assertEqual(sorted(row[2] for row in self.starts()[before:]), sorted(failed))
        lines = self.read(self.newest("row.tasks")).split("\n")
        self.assertEqual([bool(line) for line in lines[:3]], [True] * 3)

    def test_a_signal_interrupts_one_task_and_the_rest_has_not_run(self):
        process = self.start_campaign("--fuse", "--source", "A", "--split", "0",
                                      TOY_FAULTS=f"train models wait:{self.path('never')}")
        wait_for(lambda: "models/A/split_0" in self.started(), "the training")
        os.kill(self.status_of("models/A/split_0")["pid"], signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 1)
        states = self.states()
        self.assertEqual([states[name] for name in ROW],
                         ["done", "interrupted", "not run", "not run", "not run"])
        self.assertEqual(self.run_rows("--source", "A", "--split", "0").code, 0)

    def test_the_rows_of_a_learning_curve_hold_all_sizes_of_a_split(self):
        ended = self.run_toy(*LOCAL, "--fuse", "--source", "A", "--lc_sizes_arr", "3", "5",
                             workflow="lca", TOY_STARTS=self.path("starts.txt"))
        self.assertEqual(ended.code, 0, ended)
        first = [row[2] for row in self.starts() if "split_0" in row[2]]
        self.assertEqual(first, [f"A/{kind}/split_0/sz_{size}"
                                 for size in (3, 5) for kind in ("ml_data", "models", "infer")])

    def test_a_search_has_no_rows(self):
        self.assert_refused(self.run_toy("--fuse", workflow="hpo"),
                            "unrecognized arguments: --fuse")

    def test_the_first_lines_of_a_job_may_be_empty(self):
        self.run_rows("--source", "A", "--dry_run")
        path = self.newest("row.tasks")
        lines = self.read(path).split("\n")
        self.write(path, "\n".join(lines[:1] + [""] * 4 + lines[5:]))
        self.assertEqual(self.run_command("bash", RUN_MODEL, "--task", path, "0", "5").code, 0)
        self.assert_refused(self.run_command("bash", RUN_MODEL, "--task", path, "1", "3"),
                            "is not a task")


class GpusTest(CampaignCase):
    """--gpus: each running task has a slot with a GPU; a GPU that is named twice has two."""

    def run_probe(self, *arguments):
        for stage in ("preprocess", "train", "infer"):
            self.write(f"probe_{stage}_improve.py",
                       PROBE.format(toy=TOY_MODEL, log=self.path("gpus.txt"), stage=stage))
        return self.run_toy(*LOCAL, "--model", "probe", "--model_dir", self.work, "--source", "A",
                            *arguments)

    def most_at_a_time(self):
        """{GPU: the largest number of tasks that ran on it at the same time}"""
        now, most = {}, {}
        for line in self.read("gpus.txt").splitlines():
            event, gpu = line.split()
            now[gpu] = now.get(gpu, 0) + (1 if event == "start" else -1)
            most[gpu] = max(most.get(gpu, 0), now[gpu])
        return most

    def test_each_running_task_has_a_gpu_of_its_own(self):
        ended = self.run_probe("--gpus", "0,3")
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(self.most_at_a_time(), {"0": 1, "3": 1})

    def test_a_gpu_that_is_named_twice_is_shared_by_two_tasks(self):
        self.assertEqual(self.run_probe("--gpus", "1,1", "--split", "0", "1").code, 0)
        self.assertEqual(self.most_at_a_time(), {"1": 2})

    def test_gpus_on_slurm_are_refused(self):
        self.assert_refused(self.run_probe("--gpus", "0", "--executor", "slurm", "--dry_run"),
                            "--gpus is for local runs")


if __name__ == "__main__":
    unittest.main()
