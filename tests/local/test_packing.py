"""Several tasks in a job: rows (--fuse), neighbours (--tasks_per_job), and GPUs for local tasks."""
import glob
import os
import signal
import sys

from tests.campaign import FIVE, LOCAL, CampaignCase
from tests.support import PATIENCE, wait_for

ROW = ["ml_data/A-A/split_0", "models/A/split_0", "infer/A-A/split_0", "ml_data/A-B/split_0",
       "infer/A-B/split_0"]
ONE_ROW = ("--fuse", *FIVE)


class RowsTest(CampaignCase):
    """--fuse on this machine: the rows are those that a job on Slurm runs."""

    def run_rows(self, *arguments, **settings):
        return self.run_toy(*LOCAL, *arguments, TOY_STARTS=self.path("starts.txt"), **settings)

    def test_a_row_runs_in_its_order(self):
        sizes = [f"A/{kind}/split_0/sz_{size}"
                 for size in (3, 5) for kind in ("ml_data", "models", "infer")]
        for workflow, more, row in (("csa", (), ROW),
                                    ("lca", ("--lc_sizes_arr", "3", "5"), sizes)):
            self.run_rows(*ONE_ROW, *more, "--output_dir", workflow, workflow=workflow, code=0)
            found = [os.path.relpath(name, f"../{workflow}") for _, _, name in self.starts()]
            self.assertEqual(found[-len(row):], row)

    def test_scores_of_rows_of_packed_and_of_single_tasks_are_the_same_bytes(self):
        found = set()
        for number, more in enumerate(((), ("--fuse",), ("--tasks_per_job", "3"))):
            self.run_toy(*LOCAL, *FIVE, *more, code=0)
            found.add(self.read("out/scores/all_scores.csv"))
            os.rename(self.path("out"), self.path(f"old{number}"))
        self.assertEqual(len(found), 1)

    def test_a_failed_training_stops_what_follows_it_and_a_resumed_row_runs_what_is_missing(self):
        self.run_rows("--fuse", "--split", "0", TOY_FAULTS="train models/A/split_0 exit:3", code=1)
        failed = {name: state for name, state in self.status()[1].items() if state[0] != "done"}
        self.assertEqual(set(failed), {"models/A/split_0", "infer/A-A/split_0",
                                       "infer/A-B/split_0"})
        self.assertEqual(failed["infer/A-B/split_0"],
                         ("failed", "parent failed: models/A/split_0 is failed"))
        before = len(self.starts())
        self.run_rows("--fuse", "--split", "0", code=0)
        self.assertEqual(sorted(row[2] for row in self.starts()[before:]), sorted(failed))
        lines = self.read(max(glob.glob(self.path("out/launches/*/row.tasks"))))
        self.assertTrue(all(lines.split("\n")[:3]))

    def test_a_signal_interrupts_one_task_and_the_rest_has_not_run(self):
        process = self.start_campaign(*ONE_ROW,
                                      TOY_FAULTS=f"train models wait:{self.path('never')}")
        wait_for(lambda: "models/A/split_0" in self.started(), "the training")
        os.kill(self.status_of("models/A/split_0")["pid"], signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 1)
        states = self.states()
        self.assertEqual([states[name] for name in ROW],
                         ["done", "interrupted", "not run", "not run", "not run"])


class GpusTest(CampaignCase):
    def test_each_running_task_has_a_gpu(self):
        self.write("v/bin/activate", f"echo $CUDA_VISIBLE_DEVICES >>{self.path('gpus.txt')}\n")
        os.symlink(sys.executable, self.path("v/bin/python"))
        self.run_toy(*LOCAL, "--env", f"venv:{self.path('v')}", "--gpus", "0,3", *FIVE, code=0)
        self.assertEqual(set(self.read("gpus.txt").split()), {"0", "3"})

    def test_gpus_on_slurm_and_what_is_no_gpu_are_refused(self):
        self.assert_refused(self.run_toy(*LOCAL, "--gpus", "0-3"), "'0-3' is no GPU")
        self.assert_refused(self.run_toy("--gpus", "0", "--executor", "slurm", "--dry_run"),
                            "--gpus is for local runs")
