"""A test process killed in the middle leaves no daemon of its cluster and no task of its jobs."""
import os
import signal
import sys
import unittest

from tests import keeper
from tests.cluster import slurm_cluster
from tests.support import CLEAN, REPOSITORY, WorkCase, wait_for

# A test process with a cluster, four tasks that wait, and a file that says where.
IN_THE_MIDDLE = f"""
import sys, time
sys.path.insert(0, {REPOSITORY!r})
from tests.cluster import slurm_cluster
from tests.support import wait_for
cluster = slurm_cluster.shared()
cluster.run("sbatch", "--array=0-3", "--output=/dev/null", "--wrap", "sleep 1000")
wait_for(lambda: cluster.run("squeue", "-r", "-h", "-t", "R").count("\\n") == 4, "four tasks")
with open("directory", "w") as file:
    file.write(cluster.directory)
time.sleep(1000)
"""


@unittest.skipIf(slurm_cluster.why_not(), slurm_cluster.why_not())
class KilledTest(WorkCase):
    # Its own keeper, not that of the tests that run now.
    environment = {name: value for name, value in CLEAN.items() if name != keeper.MARK}

    def test_a_test_process_killed_in_the_middle_leaves_nothing(self):
        process = self.start(sys.executable, "-c", IN_THE_MIDDLE)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        wait_for(lambda: os.path.exists(self.path("directory")) and self.read("directory"),
                 "the cluster")
        self.steps, directory = set(), self.read("directory")
        for program, count in (("munged", 1), ("slurmctld", 1), ("slurmd", 4), ("slurmstepd", 4),
                               ("sleep", 4)):
            wait_for(lambda: self.programs_of(directory).count(program) == count,
                     f"{count} {program}")
        process.send_signal(signal.SIGKILL)
        wait_for(lambda: not self.programs_of(directory),
                 "the end of all that the test process has started")

    def programs_of(self, directory):
        """Names of the programs with the cluster's directory in their environment or arguments;
        a slurmstepd counts as long as it lives."""
        found = {pid for pid in keeper.processes()
                 if directory.encode() in keeper.read_proc(pid, "cmdline")}
        found |= keeper.marked(directory.encode())
        self.steps |= set(filter(keeper.is_step, found))
        found |= set(filter(keeper.is_step, self.steps))
        return [keeper.read_proc(pid, "comm").decode().strip() for pid in found]
