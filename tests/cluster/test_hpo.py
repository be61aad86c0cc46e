"""A search on Slurm: a killed trial, a lost node, throttled arrays."""
import re
import signal
import subprocess

from tests import keeper
from tests.cluster import slurm_cluster
from tests.hpo_case import HpoCase
from tests.support import TOY_MODEL, wait_for


class SlurmCase(slurm_cluster.WithCluster, HpoCase):
    def run_slurm(self, trials, at_a_time, *arguments, **settings):
        return self.run_hpo("--executor", "slurm", "--max_evals", str(trials), "--max_running",
                            str(at_a_time), *arguments, **settings, code=0)


class LostTrialsTest(SlurmCase):
    settings = {"slurmd_timeout": 10, "more": "BatchStartTimeout=5"}

    def test_a_killed_trial_and_a_lost_node_leave_every_trial_accounted_for(self):
        ended = self.run_slurm(24, 6, TOY_FAULTS="train trials sleep:0.7")
        self.assertEqual(re.findall(r"submitted (\S+):", ended.out),
                         ["preprocess_0", "trial_0", "collect"])
        wait_for(lambda: self.kill_training("0004"), "the training of the fifth trial")
        wait_for(lambda: self.cluster.run("squeue", "-h", "-w", "n2", "-t", "R"), "a job on n2")
        self.cluster.kill("n2", signal.SIGKILL)     # its daemon and all that ran on it
        self.cluster.kill_steps("n2")
        self.cluster.start("n2")
        self.cluster.wait_until_empty()
        states = {row["trial"]: row["state"] for row in self.table("hpo_results.csv")}
        self.assertEqual((len(states), states["4"]), (24, "failed"))
        self.assertEqual(set(states.values()), {"done", "failed"})
        self.assertIn("trial", self.run_slurm(32, 8, "--wait").out)
        self.assertEqual([row["state"] for row in self.table("hpo_results.csv")], ["done"] * 32)

    def kill_training(self, number):
        """kill -9 of the train script of a trial; returns its process, [] if none runs."""
        line = f"^\\S+ {TOY_MODEL}/toy_train_improve.py .*{self.work}/.*trials/{number}"
        found = subprocess.run(["pgrep", "-f", line], stdout=subprocess.PIPE).stdout.split()
        for pid in found:
            keeper.end(int(pid))
        return found


class SmallArraysTest(SlurmCase):
    settings = {"largest_array": 4}

    def test_the_chunks_of_a_throttled_search_follow_one_another(self):
        self.run_slurm(8, 2, TOY_FAULTS="train trials sleep:1.5")
        seen = []

        def is_empty():
            running = self.cluster.run("squeue", "-r", "-h", "-t", "R", "-o", "%j").split()
            seen.append(sum(".trial_0" in name for name in running))
            return not self.cluster.run("squeue", "-h").strip()
        wait_for(is_empty, "the end of the search")
        self.assertEqual((len(self.trials()), max(seen)), (8, 2))
