"""A full disk, a read-only one, files that vanish while they are read: each is reported, nothing
half is read as whole."""
import glob
import json
import os
import shutil
import unittest
from contextlib import suppress

from tests.campaign import FIVE, LOCAL, CampaignCase
from tests.support import PATIENCE

ONE = (*FIVE, "--target", "A")


@unittest.skipIf(os.geteuid() != 0, "a small disk can be mounted by root only")
class DiskTest(CampaignCase):
    def mount(self, size):
        """A disk of its own for out/."""
        os.makedirs(self.path("out"))
        ended = self.run_command("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", "out")
        if ended.code:
            self.skipTest(f"no tmpfs can be mounted here: {ended.err}")
        self.addCleanup(self.run_command, "umount", "-l", self.path("out"))

    def test_a_full_disk_at_launch_is_refused(self):
        self.mount("3m")
        self.fill()
        self.assert_refused(self.run_toy(*LOCAL), "No space left on device")
        os.unlink(self.path("out/fill"))
        self.run_toy(*LOCAL, *ONE, code=0)

    def fill(self):
        with open(self.path("out/fill"), "wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"x" * 4096)

    def test_a_disk_that_fills_while_tasks_run_fails_them_and_the_same_command_completes(self):
        self.mount("3m")
        process = self.start_campaign("--jobs", "2", "--source", "A",
                                      TOY_FAULTS=f"train A/split_0 wait:{self.path('go')}")
        self.wait_for_state("models/A/split_0", "running")
        self.fill()
        self.write("go", "")
        out, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 1, out + errors)
        self.assertNotIn("Traceback", errors)
        for path in glob.glob(self.path("out/**/sta*.json"), recursive=True):   # status, state
            json.loads(self.read(path))
        self.assertEqual(self.status()[0], 1)
        os.unlink(self.path("out/fill"))
        self.run_toy(*LOCAL, "--source", "A", code=0)

    def test_a_read_only_disk_is_refused_at_launch_and_can_be_looked_at(self):
        self.mount("1m")
        self.run_toy(*LOCAL, *ONE, code=0)
        self.run_command("mount", "-o", "remount,ro", self.path("out"), code=0)
        self.assert_refused(self.run_toy(*LOCAL), "cannot be written")
        self.assertEqual(self.status()[0], 0)


class VanishingFilesTest(CampaignCase):
    def test_files_that_vanish_while_the_collector_reads_are_gaps(self):
        """A directory is deleted again and again under the collector."""
        self.have_toy(*LOCAL)
        shutil.copytree(self.path("out/infer"), self.path("kept"))
        spoiler = self.start("bash", "-c", "while :; do for name in A-B/split_0 B-A/split_1; do "
                             "rm -rf out/infer/$name; cp -r kept/$name out/infer/$name; done; done")
        self.addCleanup(spoiler.communicate)
        self.addCleanup(spoiler.kill)
        for _ in range(4):
            ended = self.collect("out", "--output_dir", "by_hand")
            self.assertIn(ended.code, (0, 1), ended)
