"""What a launch finds on the machine: cores of its process, environments that it can try."""
import os
import unittest
from types import SimpleNamespace
from unittest import mock

from launcher import local, planning
from tests.unit.test_arrays import arrays, rows, task


class MachineTest(unittest.TestCase):
    def test_as_many_local_tasks_run_at_a_time_as_the_user_or_the_cores_of_the_process_allow(self):
        for jobs, gpus, slots in ((None, None, [None] * 3), (2, None, [None] * 2),
                                  (None, ["0", "0"], ["0", "0"]), (1, ["0", "1"], ["0"])):
            with mock.patch("os.sched_getaffinity", lambda pid: {1, 3, 5}):
                self.assertEqual(local.slots_of(SimpleNamespace(gpus=gpus, jobs=jobs)), slots)

    def test_behind_a_failure_nothing_runs_but_the_collector(self):
        tasks = [task("p", "preprocess_0", 0), task("t", "train", 1, "p"),
                 task("i", "infer_0", 0, "t"), task("scores", "collect", 0, "pti")]
        campaign = self.campaign(tasks)
        campaign.states["p"], campaign.waiting = "failed", campaign.waiting[1:]
        while not campaign._start.called:
            self.assertTrue(campaign.start_ready())
        self.assertEqual((campaign._start.call_args[0][0][0][0].name, campaign.states),
                         ("collect", {"p": "failed", "t": "not run", "i": "not run"}))

    def test_short_tasks_of_a_split_share_a_process_and_long_ones_start_alone(self):
        two_splits = [task(f"p{i}", f"preprocess_{i % 4}", i // 4) for i in range(8)]
        more = task("t", "train", 1, ["p3"])
        for tasks, seconds, running, names in (
                ([*two_splits, more], 9.0, {}, "p0"),
                ([*two_splits, more], 0.1, {}, "p0 p1 p2 p3"),
                # until nothing else is left, a free slot takes what there is
                ([*two_splits, more], 0.1, {1: ()}, "p0 p1 p2 p3"),
                (two_splits[:4], 0.1, {1: ()}, "p0 p1")):
            campaign = self.campaign(tasks)
            campaign.seconds["preprocess"], campaign.running = seconds, running
            campaign.free = campaign.free[len(running):]
            campaign._start.side_effect = InterruptedError     # after the first one
            self.assertRaises(InterruptedError, campaign.start_ready)
            (elements, _), _ = campaign._start.call_args
            self.assertEqual(" ".join(tasks[0].name for _, _, tasks in elements), names)

    def test_a_result_of_an_older_launch_does_not_count(self):
        for launch, state in (("1", "done"), ("0", "failed")):
            campaign = self.campaign(rows(1))
            campaign.running[mock.Mock()] = campaign.waiting[:1], None, 0
            status = SimpleNamespace(state="done", launch=launch)
            with mock.patch.object(local, "read_status", return_value=status):
                campaign.note_ended()
            self.assertEqual(campaign.states["p0"], state)

    def campaign(self, tasks):
        options = SimpleNamespace(gpus=None, jobs=2, output_dir="out")
        campaign = local.Campaign(arrays(tasks), "launches/1", options, None)
        campaign._start = mock.Mock()
        return campaign

    def test_a_kind_of_environment_that_a_site_has_added_is_not_tried_on_the_login_node(self):
        options = SimpleNamespace(env="spack:torch", executor="slurm", dry_run=False, notes=[])
        with mock.patch.dict(os.environ, CONDA_EXE="/opt/conda/bin/conda"):
            planning.check_environment(options)
        self.assertIn("cannot be checked on this machine", options.notes[0])
