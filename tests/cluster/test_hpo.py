"""A search on Slurm: a killed trial, a lost node."""
import re
import signal

from tests.cluster import slurm_cluster
from tests.hpo_case import HpoCase
from tests.support import wait_for


class LostTrialsTest(slurm_cluster.WithCluster, HpoCase):
    settings = {"slurmd_timeout": 10, "more": "BatchStartTimeout=5"}

    def run_slurm(self, trials, at_a_time, **settings):
        return self.run_hpo("--executor", "slurm", "--max_evals", trials, "--max_running",
                            at_a_time, **settings, code=0)

    def test_a_killed_trial_and_a_lost_node_leave_every_trial_accounted_for(self):
        ended = self.run_slurm("12", "6", TOY_FAULTS="train 0004 kill;train trials sleep:0.7")
        self.assertEqual(re.findall(r"submitted (\S+):", ended.out),
                         ["preprocess_0", "trial_0", "collect"])
        wait_for(lambda: self.cluster.run("squeue", "-h", "-w", "n2", "-t", "R"), "a job on n2")
        self.cluster.kill("n2", signal.SIGKILL)     # its daemon and all that ran on it
        self.cluster.kill_steps("n2")
        self.cluster.start("n2")
        self.cluster.wait_until_empty()
        states = {row["trial"]: row["state"] for row in self.table("hpo_results.csv")}
        self.assertEqual((len(states), states["4"]), (12, "failed"))
        self.assertEqual(set(states.values()), {"done", "failed"})
        self.run_slurm("16", "8")
        self.cluster.wait_until_empty()
        self.assertEqual([row["state"] for row in self.table("hpo_results.csv")], ["done"] * 16)
