"""Tasks that need more than their template asks for, on a real Slurm: the same command again gives it to them.

The test cluster has no cgroups: each template starts tests/cluster/memory_keeper.py, which kills as the kernel would.
Time limits are Slurm's own.
"""
import json
import os
import re
import shutil
import sys
import unittest

from tests.cluster import slurm_cluster
from tests.support import REPOSITORY, TOY_MODEL, WorkCase, wait_for, write_benchmark

KEEPER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "memory_keeper.py")
MODEL_A, MODEL_B = "models/A/split_0", "models/B/split_0"
SLOW = "takes eight minutes: set SLOW_TESTS=1"


@unittest.skipIf(slurm_cluster.why_not(), slurm_cluster.why_not())
class RecoveryCase(slurm_cluster.WithCluster, WorkCase):
    variables = {"LATENCY_WAIT": "2"}

    def setUp(self):
        super().setUp()
        write_benchmark(self.path("raw"), ("A", "B"), splits=1)
        self.addCleanup(self.empty_queue)
        self.folder = self.path("folder")
        for name in ("workflow_csa.py", "run_model.sh", "launcher", "stages", "slurm_templates"):
            source, target = os.path.join(REPOSITORY, name), os.path.join(self.folder, name)
            os.makedirs(self.folder, exist_ok=True)
            (shutil.copytree if os.path.isdir(source) else shutil.copy)(source, target)
        self.edit("site.sh", lambda text: text + f'"{sys.executable}" {KEEPER} "$SLURM_MEM_PER_NODE" $$ &\n')

    def empty_queue(self):
        self.cluster.run("scancel", "-u", "root", check=False)
        self.cluster.wait_until_empty()

    def edit(self, name, change):
        path = os.path.join(self.folder, "slurm_templates", name)
        with open(path) as file:
            text = file.read()
        with open(path, "w") as file:
            file.write(change(text))

    def ask(self, memory, time):
        """What train asks for."""
        self.edit("train.sbatch", lambda text: re.sub("--mem=3500M", f"--mem={memory}", re.sub("--time=24:00:00", f"--time={time}", text)))

    def command(self, *arguments, faults="", out="out"):
        return self.run_workflow("csa", "--model", "toy", "--model_dir", TOY_MODEL, "--input_dir", "raw", "--output_dir", out, "--executor",
                                 "slurm", *arguments, folder=self.folder, TOY_FAULTS=faults, TOY_STARTS=self.path("starts.txt"))

    def launch(self, **settings):
        """The command, and the end of its jobs."""
        ended = self.command(**settings)
        self.assertEqual(ended.code, 0, ended)
        self.cluster.wait_until_empty()
        return ended

    def assert_each_once_but(self, names):
        """All is done, and nothing ran twice but these tasks, so often: {name: times}"""
        states = json.loads(self.command("--json").out)["tasks"]
        self.assertEqual({task["name"]: task["state"] for task in states if task["state"] != "done"}, {})
        counts = {}
        for _, _, name in self.starts():
            counts[name] = counts.get(name, 0) + 1
        self.assertEqual({name: count for name, count in counts.items() if count > 1}, names)
        self.assertEqual(len(counts), 10)

    def raised(self):
        """[(task, memory, time, count)] of each plan."""
        return [sorted((task["name"], task["raised"]["memory"], task["raised"]["time"], task["raised"]["count"])
                       for task in plan["tasks"] if "raised" in task) for plan in self.plans()]


class RecoveryTest(RecoveryCase):
    def test_a_source_that_needs_twice_the_memory_of_its_template_completes_with_two_repetitions_and_advise_prevents_them(self):
        self.ask("100M", "00:10:00")
        hungry = {"faults": f"train {MODEL_A} eat:200"}
        self.launch(**hungry)
        self.assertEqual((self.status_of(MODEL_A)["reason_kind"], self.status_of(MODEL_A)["exit_code"]), ("killed", 137))
        dry = self.command("--dry_run", **hungry)
        self.assertIn(f"1 train of A ran out of memory and run with more: 100M -> 150M (raise 1 of at most 3): {MODEL_A}\n", dry.out)
        self.assertIn("train: 1 task, train.sbatch --mem=150M\n", dry.out)
        for _ in range(2):
            ended = self.launch(**hungry)
        self.assertIn("150M -> 300M (raise 2 of at most 3)", ended.out)
        self.assert_each_once_but({MODEL_A: 3})
        self.assertEqual(self.raised(), [[], [(MODEL_A, 150, None, 1)], [(MODEL_A, 300, None, 2)]])
        report = self.read("out/report.html")
        self.assertIn("models/A/split_0", report.split("Resources")[-1])
        self.assertIn("300 MB, first 100 MB", report.replace("\u00a0", " ").replace("&#160;", " "))
        # What was measured is asked for by now: the same run needs no repetition.
        self.assertEqual(self.command("--advise").code, 0)
        self.launch(out="second", **hungry)
        states = json.loads(self.command("--json", out="second").out)["tasks"]
        self.assertEqual({task["state"] for task in states}, {"done"}, states)
        peak = self.status_of(MODEL_A)["peak_mb"]
        asked = int(re.search(r"--mem=(\d+)M", self.read("folder/slurm_templates/toy/train.A.sbatch")).group(1))
        self.assertTrue(peak < asked <= 2 * peak, (peak, asked))

    def test_a_code_error_beside_it_is_not_repeated_and_the_rest_goes_on(self):
        self.launch(faults=f"train {MODEL_A} exit:3")
        ended = self.command()
        self.assertEqual(ended.code, 1, ended)
        self.assertIn("1 task not repeated after an error of the code's own", ended.out)
        self.launch_and_complete("--retry_failed")

    def launch_and_complete(self, *arguments):
        self.assertEqual(self.command(*arguments).code, 0)
        self.cluster.wait_until_empty()
        self.assert_each_once_but({MODEL_A: 2})

    def test_a_node_that_was_lost_is_excluded_from_the_next_launch_and_named(self):
        self.edit("site.sbatch", lambda text: text.replace("#SBATCH --requeue", "#SBATCH --no-requeue"))
        self.assertEqual(self.command(faults=f"train {MODEL_A} wait:{self.path('never')}").code, 0)
        wait_for(lambda: os.path.exists(self.path("starts.txt")) and MODEL_A in self.read("starts.txt"), "the start of the training")
        node = self.status_of(MODEL_A)["host"]
        self.addCleanup(self.cluster.restore)
        self.cluster.run("scontrol", "update", f"nodename={node}", "state=down", "reason=lost")
        self.cluster.wait_until_empty()
        lost = {name for _, _, name in self.starts() if self.status_of(name)["state"] != "done"}
        ended = self.command()
        self.assertIn(f" on nodes that were lost: {node} excluded in this launch\n", ended.out)
        self.cluster.wait_until_empty()
        self.assert_each_once_but({name: 2 for name in lost})
        self.assertIn(MODEL_A, lost)
        self.assertNotEqual(self.status_of(MODEL_A)["host"], node)
        launch = self.plans()[-1]["launch"]
        self.assertIn(f"#SBATCH --exclude={node}\n", self.read("out/launches", launch, "train.sbatch"))

    def test_a_partition_that_allows_no_more_is_never_asked_for_more(self):
        self.cluster.run("scontrol", "update", "PartitionName=debug", "MaxMemPerNode=120")
        self.addCleanup(self.cluster.run, "scontrol", "update", "PartitionName=debug", "MaxMemPerNode=0")
        for name in ("preprocess", "infer", "collect", "row"):
            self.edit(f"{name}.sbatch", lambda text: text.replace("--mem=3500M", "--mem=110M"))
        self.ask("100M", "00:10:00")
        hungry = {"faults": f"train {MODEL_A} eat:200"}
        self.launch(**hungry)
        self.assertIn("100M -> 120M (raise 1 of at most 3)", self.launch(**hungry).out)
        ended = self.command(**hungry)
        self.assertEqual(ended.code, 1, ended)
        self.assertIn(f"not repeated, for want of more than may be asked for: {MODEL_A}: its partition allows no more (120M)", ended.out)


@unittest.skipUnless(os.environ.get("SLOW_TESTS"), SLOW)
class TimeLimitTest(RecoveryCase):
    def test_twice_the_memory_and_three_times_the_time_take_two_repetitions_and_nothing_else_runs_twice(self):
        """Without the warning before the limit, which would come at the start of a job of one minute."""
        self.edit("site.sbatch", lambda text: text.replace("#SBATCH --signal", "##SBATCH --signal"))
        self.ask("100M", "00:01:00")
        for _ in range(3):
            self.launch(faults=f"train {MODEL_A} eat:200;train {MODEL_B} sleep:175")
        self.assert_each_once_but({MODEL_A: 3, MODEL_B: 3})
        self.assertEqual(self.raised(), [[], [(MODEL_A, 150, None, 1), (MODEL_B, None, 120, 1)],
                                         [(MODEL_A, 300, None, 2), (MODEL_B, None, 240, 2)]])


if __name__ == "__main__":
    unittest.main()
