"""Launches beside each other and local runs that are killed: nothing runs twice or is lost."""
import os
import shutil
import signal

from launcher import launch_files
from tests.campaign import FIVE, LOCAL, CampaignCase
from tests.support import PATIENCE, wait_for

SPLIT = ("--split", "0")
A0, B0 = "models/A/split_0", "models/B/split_0"


class LocalFaultsTest(CampaignCase):
    def start_and_hold(self, *arguments):
        """A campaign whose tasks A0 and B0 run until the file go appears."""
        return self.start_campaign(*arguments, TOY_FAULTS=";".join(
            f"train {name}/split_0 wait:{self.path('go')}" for name in "AB"))

    def wait_for_end(self, status):
        wait_for(lambda: not launch_files.process_started(status["pid"]), "the end of a runner")

    def test_a_killed_launcher_leaves_orphans_that_are_not_started_twice(self):
        """And a task whose runner was killed, too, is lost and runs again."""
        process = self.start_and_hold("--jobs", "2", *SPLIT)
        orphan, lost = [self.wait_for_state(name, "running") for name in (A0, B0)]
        wait_for(lambda: {A0, B0} <= set(self.started()), "both stages")
        process.kill()
        os.killpg(lost["pid"], signal.SIGKILL)
        process.communicate(timeout=PATIENCE)
        self.wait_for_end(lost)
        code, states = self.status()
        self.assertEqual((code, states[A0][0], states[B0], states["infer/A-A/split_0"][0]),
                         (3, "running",
                          ("lost", "its runner was killed before it wrote a verdict"), "not run"))
        self.assert_refused(self.run_toy(*LOCAL), "are in a live launch",
                            f"({A0} first)")
        self.assertEqual(len(self.plans()), 1)
        self.write("go", "")
        self.wait_for_end(orphan)
        self.run_toy(*LOCAL, *SPLIT, code=0, TOY_STARTS=self.path("starts.txt"))
        self.assertEqual((self.started().count(B0), len(self.started()), len(set(self.started()))),
                         (2, 11, 10))

    def test_another_source_runs_beside_it_to_its_own_end_and_cancel_stops_it(self):
        process = self.start_and_hold(*FIVE)
        self.wait_for_state(A0, "running")
        self.run_toy(*LOCAL, *SPLIT, "--source", "B", code=0)
        self.assert_refused(self.run_toy(*LOCAL), "are in a live launch")
        code, states = self.status()
        self.assertEqual((code, states[A0][0], states["infer/A-A/split_0"][0]),
                         (3, "running", "queued"))
        self.assertEqual(
            self.run_toy(*LOCAL, "--cancel", code=0).out,
            f"cancelled the local run of process {process.pid} on {os.uname().nodename}\n")
        process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 128 + signal.SIGTERM)
        code, states = self.status()
        self.assertEqual((code, states[A0][0]), (1, "interrupted"))
        self.run_toy(*LOCAL, *SPLIT, code=0)

    def test_of_launchers_started_at_once_each_task_runs_once_and_status_is_right(self):
        """Two may both go on: then the claims keep each task to one runner."""
        for turn in range(3):
            shutil.rmtree(self.path("out"), ignore_errors=True)
            self.write("starts.txt", "")
            many = [self.start_campaign(*FIVE) for _ in range(3)]
            errors = [process.communicate(timeout=PATIENCE)[1] for process in many]
            codes = [process.returncode for process in many]
            self.assertTrue(set(codes) <= {0, 2} and 0 in codes, (codes, errors))
            self.assertEqual(self.status()[0], 0)
            self.assertEqual((len(self.started()), len(set(self.started()))), (5, 5))
