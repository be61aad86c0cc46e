"""Several tasks in a job: rows (--fuse), neighbours (--tasks_per_job), and GPUs for local tasks."""
import glob
import os
import signal
import unittest

from tests.campaign import CampaignCase
from tests.support import PATIENCE, RUN_MODEL, TOY_MODEL, wait_for

ROW = ["ml_data/A-A/split_0", "models/A/split_0", "infer/A-A/split_0", "ml_data/A-B/split_0", "infer/A-B/split_0"]


class RowsTest(CampaignCase):
    """--fuse on this machine: the rows are those that a job on Slurm runs."""

    def run_rows(self, *arguments, **settings):
        return self.run_toy("--executor", "local", "--fuse", *arguments, TOY_STARTS=self.path("starts.txt"), **settings)

    def one_row(self, *arguments, **settings):
        return self.run_rows("--source", "A", "--split", "0", *arguments, **settings)

    def newest(self, name):
        return self.read(sorted(glob.glob(self.path("out/launches/*", name)))[-1])

    def test_a_row_runs_in_its_order_and_gives_the_scores_of_single_tasks(self):
        self.assertEqual(self.one_row().code, 0)
        self.assertEqual([row[2] for row in self.starts()], ROW)
        self.assertEqual([(task["array"], task["index"]) for task in self.plans()[-1]["tasks"]], [("row", 0)] * 5 + [("collect", 0)])

    def test_scores_of_rows_of_packed_and_of_single_tasks_are_the_same_bytes(self):
        found = []
        for more in ((), ("--fuse",), ("--tasks_per_job", "3")):
            os.rename(self.path("out"), self.path("old" + str(len(found)))) if found else None
            self.assertEqual(self.run_toy("--executor", "local", *more).code, 0)
            found.append([self.read("out/scores", name) for name in ("all_scores.csv", "r2_mean_csa_table.csv")])
        self.assertEqual((found[0], found[0]), (found[1], found[2]))

    def test_a_failed_inference_stops_nothing_else(self):
        ended = self.run_rows(TOY_FAULTS="infer infer/A-A/split_0 exit:3")
        self.assertEqual(ended.code, 1, ended)
        self.assertEqual({name for name, state in self.states().items() if state != "done"}, {"infer/A-A/split_0"})
        before = len(self.starts())
        self.assertEqual(self.run_rows("--retry_failed").code, 0)
        self.assertEqual([row[2] for row in self.starts()[before:]], ["infer/A-A/split_0"])

    def test_what_follows_a_failed_task_of_the_row_is_not_started(self):
        ended = self.run_rows(TOY_FAULTS="train models/A/split_0 exit:3", LATENCY_WAIT="60")
        self.assertEqual(ended.code, 1, ended)
        _, states = self.status()
        self.assertEqual({name for name, (state, _) in states.items() if state != "done"},
                         {"models/A/split_0", "infer/A-A/split_0", "infer/A-B/split_0"})
        self.assertEqual(states["infer/A-B/split_0"], ("failed", "parent failed: models/A/split_0 is failed"))
        self.assertIn("2 tasks did not run because a parent failed", ended.err)
        self.assertNotIn("infer/A-B/split_0", [row[2] for row in self.starts()])

    def test_a_resumed_row_runs_what_is_missing(self):
        self.assertEqual(self.run_rows().code, 0)
        for name in ("models/A/split_1", "infer/B-A/split_0"):
            os.unlink(self.path("out", name, "stage_status.json"))
            for file in glob.glob(self.path("out", name, "*")):
                os.unlink(file)
        before = len(self.starts())
        self.assertEqual(self.run_rows().code, 0)
        self.assertEqual(sorted(row[2] for row in self.starts()[before:]),
                         ["infer/A-A/split_1", "infer/A-B/split_1", "infer/B-A/split_0", "models/A/split_1"])
        self.assertEqual([bool(line) for line in self.newest("row.tasks").split("\n")], [False] * 3 + [True] * 4 + [False])

    def test_a_signal_interrupts_one_task_and_the_rest_has_not_run(self):
        process = self.start_campaign("--fuse", "--source", "A", "--split", "0", TOY_FAULTS=f"train models wait:{self.path('never')}")
        wait_for(lambda: "models/A/split_0" in self.started(), "the training")
        runner = self.status_of("models/A/split_0")["pid"]
        os.kill(runner, signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 1)
        self.assertEqual(self.states(), {"ml_data/A-A/split_0": "done", "models/A/split_0": "interrupted", "infer/A-A/split_0": "not run",
                                         "ml_data/A-B/split_0": "not run", "infer/A-B/split_0": "not run", "scores": "failed"})
        self.assertEqual(self.one_row().code, 0)
        self.assertEqual(sorted(row[2] for row in self.starts()), sorted(ROW + ["models/A/split_0"]))

    def test_the_rows_of_a_learning_curve_hold_all_sizes_of_a_split(self):
        ended = self.run_toy("--executor", "local", "--fuse", "--source", "A", "--lc_sizes_arr", "3", "5", workflow="lca",
                             TOY_STARTS=self.path("starts.txt"))
        self.assertEqual(ended.code, 0, ended)
        first = [row[2] for row in self.starts() if "split_0" in row[2]]
        self.assertEqual(first, [f"A/{kind}/split_0/sz_{size}" for size in (3, 5) for kind in ("ml_data", "models", "infer")])
        self.assertEqual({(task["array"], task["index"]) for task in self.plans()[0]["tasks"]}, {("row", 0), ("row", 1), ("collect", 0)})

    def test_a_search_has_no_rows(self):
        self.assert_refused(self.run_toy("--fuse", workflow="hpo"), "unrecognized arguments: --fuse")

    def test_rows_and_a_number_of_tasks_are_not_given_together(self):
        self.assert_refused(self.run_rows("--tasks_per_job", "2"), "given together")

    def test_the_first_lines_of_a_job_may_be_empty(self):
        self.assertEqual(self.run_rows("--source", "A").code, 0)
        path = sorted(glob.glob(self.path("out/launches/*/row.tasks")))[0]
        lines = self.read(path).split("\n")
        self.write(path, "\n".join([""] * 4 + lines[4:]))
        self.assertEqual(self.run_command("bash", RUN_MODEL, "--task", path, "0", "5").code, 0)
        self.assert_refused(self.run_command("bash", RUN_MODEL, "--task", path, "0", "3"), "line 1 of", "is not a task")


PROBE = """import os, sys, time
sys.path.insert(0, {toy!r})
with open({log!r}, "a") as file:
    file.write("start %s\\n" % os.environ.get("CUDA_VISIBLE_DEVICES"))
time.sleep(0.4)
import toy
toy.run({stage!r})
with open({log!r}, "a") as file:
    file.write("end %s\\n" % os.environ.get("CUDA_VISIBLE_DEVICES"))
with open({log!r}.replace("gpus", "threads"), "a") as file:
    file.write("%s\\n" % os.environ.get("OMP_NUM_THREADS"))
"""


class GpusTest(CampaignCase):
    """--gpus: each running task has a GPU to itself."""

    def run_probe(self, *arguments):
        for stage in ("preprocess", "train", "infer"):
            self.write(f"probe_{stage}_improve.py", PROBE.format(toy=TOY_MODEL, log=self.path("gpus.txt"), stage=stage))
        return self.run_workflow("csa", "--model", "probe", "--model_dir", self.work, "--input_dir", "raw", "--output_dir", "out",
                                 "--executor", "local", "--source", "A", *arguments)

    def most_at_a_time(self):
        """{GPU: the largest number of tasks that ran on it beside one another}"""
        now, most = {}, {}
        for line in self.read("gpus.txt").splitlines():
            what, gpu = line.split()
            now[gpu] = now.get(gpu, 0) + (1 if what == "start" else -1)
            most[gpu] = max(most.get(gpu, 0), now[gpu])
        return most

    def test_each_running_task_has_a_gpu_of_its_own(self):
        ended = self.run_probe("--gpus", "0,3")
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(self.most_at_a_time(), {"0": 1, "3": 1})

    def test_small_models_share_a_gpu(self):
        self.assertEqual(self.run_probe("--gpus", "1", "--tasks_per_gpu", "2").code, 0)
        self.assertEqual(self.most_at_a_time(), {"1": 2})

    def start_preprocessing(self, **settings):
        """A runner that has two tasks in one call, as a job with --tasks_per_job 2 has."""
        if not os.path.exists(self.path("out")):
            self.assertEqual(self.run_probe("--dry_run", "--tasks_per_job", "2").code, 0)
        (tasks,) = glob.glob(self.path("out/launches/*/preprocess_0.tasks"))
        return self.start("bash", RUN_MODEL, "--task", tasks, "0", "2", CUDA_VISIBLE_DEVICES="0", **settings)

    def test_several_tasks_of_a_job_run_side_by_side_with_the_cores_divided(self):
        self.start_preprocessing(TASKS_AT_ONCE="2", SLURM_CPUS_PER_TASK="5").communicate(timeout=PATIENCE)
        self.assertEqual(self.most_at_a_time(), {"0": 2})
        self.assertEqual(set(self.read("threads.txt").split()), {"2"})
        names = [f"ml_data/A-A/split_{k}" for k in (0, 1)]
        self.assertEqual([self.status_of(name)["state"] for name in names], ["done", "done"])

    def test_a_signal_ends_those_that_run_side_by_side_and_starts_no_more(self):
        process = self.start_preprocessing(TASKS_AT_ONCE="1", TOY_FAULTS=f"preprocess ml_data wait:{self.path('never')}")
        self.wait_for_state("ml_data/A-A/split_0", "running")
        process.terminate()
        process.communicate(timeout=PATIENCE)
        self.assertEqual((process.returncode, self.status_of("ml_data/A-A/split_0")["state"]), (143, "interrupted"))
        self.assertFalse(os.path.exists(self.path("out/ml_data/A-A/split_1/stage_status.json")))
        process = self.start_preprocessing(TASKS_AT_ONCE="2", TOY_FAULTS=f"preprocess ml_data wait:{self.path('never')}")
        for k in (0, 1):
            self.wait_for_state(f"ml_data/A-A/split_{k}", "running")
        process.terminate()
        process.communicate(timeout=PATIENCE)
        self.assertEqual([self.status_of(f"ml_data/A-A/split_{k}")["state"] for k in (0, 1)], ["interrupted"] * 2)
        self.assertEqual(process.returncode, 143)

    def test_senseless_gpus_are_refused(self):
        self.assert_refused(self.run_probe("--gpus", "0,0"), "no list of different GPUs")
        self.assert_refused(self.run_probe("--tasks_per_gpu", "2"), "without --gpus")
        self.assert_refused(self.run_probe("--gpus", "0", "--executor", "slurm", "--dry_run"), "--gpus is for local runs")


if __name__ == "__main__":
    unittest.main()
