"""What a launch finds on the machine: cores of its process, environments that it can try."""
import os
import unittest
from types import SimpleNamespace
from unittest import mock

from launcher import local, planning
from tests.unit.test_arrays import arrays, rows


class MachineTest(unittest.TestCase):
    def test_as_many_local_tasks_run_at_a_time_as_the_user_or_the_cores_of_the_process_allow(self):
        cases = (({}, [None] * 3), ({"jobs": 2}, [None] * 2), ({"gpus": ["0", "0"]}, ["0", "0"]),
                 ({"gpus": ["0", "1"], "jobs": 1}, ["0"]))
        with mock.patch("os.sched_getaffinity", lambda pid: {1, 3, 5}):
            for given, slots in cases:
                with self.subTest(given):
                    options = SimpleNamespace(**{"gpus": None, "jobs": None, **given})
                    self.assertEqual(local.slots_of(options), slots)

    def test_short_tasks_of_a_stage_share_a_process_and_long_ones_start_alone(self):
        for seconds, first in (({}, ["p0"]), ({"preprocess": 9.0}, ["p0"]),
                               ({"preprocess": 0.1}, ["p0", "p1", "p2"]),
                               ({"preprocess": 0.25}, ["p0", "p1"])):
            with self.subTest(seconds):
                campaign = local.Campaign(arrays(rows(6)), "launches/1", [None] * 2, 0, None)
                campaign.seconds = seconds
                batch = campaign._next_batch(campaign._ready())
                self.assertEqual([element.tasks[0].name for element in batch], first)

    def test_a_kind_of_environment_that_a_site_has_added_is_not_tried_on_the_login_node(self):
        options = SimpleNamespace(env="spack:torch", executor="slurm", dry_run=False, notes=[])
        with mock.patch.dict(os.environ, CONDA_EXE="/opt/conda/bin/conda"):
            planning.check_environment(options)
        self.assertIn("cannot be checked on this machine", options.notes[0])


if __name__ == "__main__":
    unittest.main()
