"""The memory that a stage held: wait4, a job's cgroup, a GPU.

Here are neither cgroups of Slurm nor GPUs: the cgroup is a folder of files, nvidia-smi a script that prints numbers.
"""
import os
import sys
import unittest
from types import SimpleNamespace
from unittest import mock

import tests  # noqa: F401  (puts stages/ on the path)
from runner import peaks
from tests.support import STAGES, TOY_MODEL, WorkCase

# The runner with signs of life every 0.2 s, so that a stage of 2 s is long.
IMPATIENT = ("import sys; sys.path.insert(0, {!r}); from runner import course; course.TOUCH_EVERY = 0.2; "
             "from runner.command import main; sys.exit(main(sys.argv[1:]))").format(STAGES)


class CgroupTest(WorkCase):
    def setUp(self):
        super().setUp()
        self.write("own", "12:cpu:/x\n0::/system.slice/slurmstepd.scope/job_7/step_batch/user/task_0\n")
        self.job = "system.slice/slurmstepd.scope/job_7"
        os.makedirs(self.path(self.job))
        for name, value in (("CGROUPS", self.work), ("OWN_CGROUP", self.path("own"))):
            patch = mock.patch.object(peaks, name, value)
            patch.start()
            self.addCleanup(patch.stop)

    def peak(self, before, after, own_mb=100, job="7"):
        def say(value):
            self.write(f"{self.job}/memory.peak", f"{value * 2 ** 20}\n")
        with mock.patch.dict(os.environ, SLURM_JOB_ID=job):
            say(before)
            watch = peaks.Peaks()
            say(after)
            return watch.end(SimpleNamespace(ru_maxrss=own_mb * 1024))

    def test_all_processes_of_the_job_count_if_its_peak_grew_while_the_stage_ran(self):
        self.assertEqual(self.peak(50, 300), (300.0, "cgroup"))

    def test_a_peak_of_an_earlier_task_of_the_job_is_not_this_one_s(self):
        self.assertEqual(self.peak(300, 300), (100.0, "wait4"))

    def test_without_a_cgroup_of_this_job_wait4_says_it(self):
        self.assertEqual(self.peak(50, 300, job="8"), (100.0, "wait4"))
        os.unlink(self.path("own"))
        self.assertEqual(self.peak(50, 300), (100.0, "wait4"))


class GpuTest(WorkCase):
    def train(self, nvidia_smi, **settings):
        """The status of a training of two seconds beside a fake nvidia-smi."""
        os.makedirs(self.path("bin"))
        self.write("bin/nvidia-smi", f"#!/usr/bin/env bash\necho \"$@\" >>{self.path('asked')}\n{nvidia_smi}\n")
        os.chmod(self.path("bin/nvidia-smi"), 0o755)
        os.makedirs(self.path("out/ml_data"))
        ended = self.run_command(
            sys.executable, "-c", IMPATIENT, "none", os.path.join(TOY_MODEL, "toy_train_improve.py"), "--output_dir", self.path("out/models/A"),
            TOY_FAULTS="train A sleep:2", PATH=self.path("bin") + ":" + os.environ["PATH"], **settings)
        self.assertEqual(ended.code, 0, ended)
        return self.status_of("models/A")

    def test_the_largest_answer_is_the_peak_and_only_the_task_s_own_gpus_are_asked_for(self):
        status = self.train(f"n=$(wc -l <{self.path('asked')}); echo $((n * 100)); echo 7", CUDA_VISIBLE_DEVICES="2,3")
        asked = self.read("asked").splitlines()
        self.assertEqual(set(asked), {"--query-gpu=memory.used --format=csv,noheader,nounits --id=2,3"})
        self.assertIn(status["gpu_peak_mb"], (100 * len(asked), 100 * len(asked) - 100))     # the last one may not have answered
        self.assertGreaterEqual(status["gpu_peak_mb"], 100)
        self.assertEqual(status["peak_from"], "wait4")

    def test_one_that_fails_or_hangs_or_says_nonsense_fails_no_task(self):
        for fault in ("echo no devices; exit 9", "exec sleep 30", "echo -n '[N/A]'"):
            with self.subTest(fault):
                self.setUp()
                self.assertIsNone(self.train(fault)["gpu_peak_mb"])

    def test_a_job_that_has_asked_for_no_gpu_asks_nothing(self):
        self.assertIsNone(self.train("echo 5", SLURM_JOB_ID="7")["gpu_peak_mb"])
        self.assertFalse(os.path.exists(self.path("asked")))

    def test_without_nvidia_smi_nothing_is_known(self):
        with mock.patch.dict(os.environ, PATH=self.work):
            self.assertIsNone(peaks.ask_gpu())


if __name__ == "__main__":
    unittest.main()
