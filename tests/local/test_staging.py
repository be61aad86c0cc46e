"""STAGE_IN: the benchmark is copied to a node's own disk once, whole or not at all, and read there."""
import glob
import json
import os
import signal
import sys
import time
import unittest

from tests.support import PATIENCE, RUN_MODEL, STAGES, WorkCase

LAUNCH = "20260101T000000.000000Z"
# It writes what it read, and from where.
STAGE = """
import os, sys
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
with open(os.path.join(given["--input_dir"], "y_data", "response.tsv")) as file:
    text = file.read()
for part in ("train", "val", "test"):
    with open(os.path.join(given["--output_dir"], part + "_y_data.csv"), "w") as file:
        file.write(text)
print("read in", given["--input_dir"])
"""
# The runner, which copies the first file and then no more.
STUCK = """
import sys, time
sys.path.insert(0, {stages!r})
from runner import staging
copy, done = staging.copy_file, []
def copy_one(source, target, signals):
    if done:
        open({mark!r}, "w").close()
        time.sleep(60)
    done.append(copy(source, target, signals))
staging.copy_file = copy_one
from runner.command import main
sys.exit(main(sys.argv[1:]))
"""


class StagingTest(WorkCase):
    def setUp(self):
        super().setUp()
        os.makedirs(self.path("raw/y_data"))
        os.makedirs(self.path("raw/splits"))
        self.write("raw/y_data/response.tsv", "first\n")
        self.write("raw/splits/A_all.txt", "0\n")
        self.write("m_preprocess_improve.py", STAGE)
        self.have_launch(LAUNCH)

    def have_launch(self, launch):
        os.makedirs(self.path("out/launches", launch))
        lines = [f"none {self.path('m_preprocess_improve.py')} --input_dir {self.path('raw')} --output_dir {self.path('out', self.name(k))}\n"
                 for k in range(3)]
        self.write(f"out/launches/{launch}/p.tasks", "".join(lines))

    def name(self, number):
        return f"ml_data/A-A/split_{number}"

    def task(self, number, launch=LAUNCH):
        return "--task", self.path("out/launches", launch, "p.tasks"), str(number)

    def run_task(self, number, launch=LAUNCH, stage_in=None):
        ended = self.run_command("bash", RUN_MODEL, *self.task(number, launch), WORKFLOW_PYTHON=sys.executable,
                                 STAGE_IN=stage_in or self.path("local"))
        self.assertEqual(ended.code, 0, ended)
        return self.read("out", self.name(number), "test_y_data.csv"), self.read("out", self.name(number), "log.txt")

    def copies(self):
        return glob.glob(self.path("local", "benchmark.*"))

    def test_the_second_task_of_a_node_does_not_read_the_benchmark_again(self):
        text, log = self.run_task(0)
        self.assertEqual(text, "first\n")
        self.assertIn(f"=== {self.path('raw')} is read from {self.copies()[0]}\n", log)
        self.assertIn(f"read in {self.copies()[0]}\n", log)
        self.write("raw/y_data/response.tsv", "who reads the slow path reads this\n")
        self.assertEqual(self.run_task(1)[0], "first\n")
        self.assertEqual(len(self.copies()), 1)

    def test_another_launch_has_a_copy_of_its_own(self):
        self.run_task(0)
        self.write("raw/y_data/response.tsv", "second\n")
        self.have_launch(LAUNCH.replace("2026", "2027"))
        self.assertEqual(self.run_task(1, LAUNCH.replace("2026", "2027"))[0], "second\n")
        self.assertEqual(len(self.copies()), 2)

    def test_words_and_status_keep_the_real_path(self):
        self.run_task(0)
        status = self.status_of(self.name(0))
        self.assertEqual(status["words"][3], self.path("raw"))
        self.assertNotIn(self.path("local"), json.dumps(status))

    def test_of_tasks_that_come_at_once_one_copies_and_all_read_the_whole(self):
        processes = [self.start("bash", RUN_MODEL, *self.task(k), WORKFLOW_PYTHON=sys.executable, STAGE_IN=self.path("local"))
                     for k in range(3)]
        for process in processes:
            self.assertEqual((process.communicate(timeout=PATIENCE), process.returncode)[1], 0)
        self.assertEqual({self.read("out", self.name(k), "test_y_data.csv") for k in range(3)}, {"first\n"})
        self.assertEqual(len(self.copies()), 1)

    def test_a_node_that_goes_down_in_the_middle_leaves_nothing_that_a_later_task_would_read(self):
        program = STUCK.format(stages=STAGES, mark=self.path("stuck"))
        process = self.start(sys.executable, "-c", program, *self.task(0), STAGE_IN=self.path("local"))
        while not os.path.exists(self.path("stuck")):
            self.assertIsNone(process.poll())
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        self.assertEqual((self.copies(), len(glob.glob(self.path("local", ".benchmark.*.tmp")))), ([], 1))
        self.assertEqual(self.run_task(1)[0], "first\n")
        self.assertEqual(sorted(os.listdir(self.copies()[0])), ["splits", "y_data"])
        self.assertEqual(glob.glob(self.path("local", ".benchmark.*.tmp")), [])

    def test_a_disk_on_which_nothing_can_be_written_is_said_and_the_benchmark_read_where_it_is(self):
        self.write("local", "a file, no folder")
        text, log = self.run_task(0)
        self.assertEqual(text, "first\n")
        self.assertRegex(log, r"=== \S+/raw cannot be copied to \S+/local \(File exists\): it is read where it is\n")

    def test_another_user_s_folder_of_that_name_is_not_read(self):
        if os.geteuid():
            self.skipTest("only root can give a folder away")
        self.run_task(0)
        planted = os.path.join(self.copies()[0], "y_data", "response.tsv")
        with open(planted, "w") as file:
            file.write("planted\n")
        os.chown(self.copies()[0], 65534, 65534)
        self.assertNotEqual(self.run_task(1)[0], "planted\n")

    def test_a_container_sees_the_folder(self):
        ended = self.run_command(sys.executable, os.path.join(STAGES, "run_stage.py"), "--paths", *self.task(0), STAGE_IN=self.work)
        self.assertIn(self.work + "\n", ended.out)


if __name__ == "__main__":
    unittest.main()
