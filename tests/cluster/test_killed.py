"""A test process killed in the middle leaves no daemon of its cluster and no task of its jobs."""
import collections
import signal
import sys
import unittest

from tests import keeper
from tests.cluster import slurm_cluster
from tests.support import CLEAN, REPOSITORY, WorkCase, wait_for

# A test process with a cluster, four tasks that wait, and a line that says where.
IN_THE_MIDDLE = f"""
import sys, time
sys.path.insert(0, {REPOSITORY!r})
from tests.cluster import slurm_cluster
cluster = slurm_cluster.shared()
cluster.run("sbatch", "--array=0-3", "--output=/dev/null", "--wrap", "sleep 1000")
print(cluster.directory, flush=True)
time.sleep(1000)
"""
PROGRAMS = {b"munged\n": 1, b"slurmctld\n": 1, b"slurmd\n": 4, b"slurmstepd\n": 4, b"sleep\n": 4}


@unittest.skipIf(slurm_cluster.why_not(), slurm_cluster.why_not())
class KilledTest(WorkCase):
    # Its own keeper, not that of the tests that run now.
    environment = {name: value for name, value in CLEAN.items() if name != keeper.MARK}

    def test_a_test_process_killed_in_the_middle_leaves_nothing(self):
        process = self.start(sys.executable, "-c", IN_THE_MIDDLE)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        mark = process.stdout.readline().strip().encode()
        wait_for(lambda: PROGRAMS.items() <= collections.Counter(
            keeper.read_proc(pid, "comm") for pid in keeper.marked(mark)).items(), PROGRAMS)
        started = keeper.marked(mark)
        process.send_signal(signal.SIGKILL)
        wait_for(lambda: not any(keeper.read_proc(pid, "cmdline") for pid in started),
                 "the end of all that the test process has started")
