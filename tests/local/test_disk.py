"""A full disk, a read-only one, files that vanish while they are read: each is reported, nothing
half is read as whole."""
import json
import os
import shutil
import subprocess
import threading
import unittest

from core.files import read_json
from core.tree import read_status
from tests.campaign import LOCAL, CampaignCase
from tests.support import PATIENCE, wait_for


@unittest.skipIf(os.geteuid() != 0, "a small disk can be mounted by root only")
class DiskTest(CampaignCase):
    def mount(self, size):
        os.makedirs(self.path("disk"))
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs",
                               self.path("disk")], stderr=subprocess.PIPE)
        if done.returncode:
            self.skipTest(f"no tmpfs can be mounted here: {done.stderr.decode()}")
        self.addCleanup(subprocess.call, ["umount", "-l", self.path("disk")])

    def on_disk(self, *arguments, **settings):
        ended = self.run_toy(*LOCAL, "--output_dir", "disk/out", *arguments, **settings)
        return self.assert_no_traceback(ended)

    def assert_nothing_is_half_written(self):
        """Every JSON that bears its name is whole."""
        for folder, _, names in os.walk(self.path("disk/out")):
            for name in names:
                if name in ("stage_status.json", "plan.json", "state.json"):
                    read_json(os.path.join(folder, name))       # raises if it is cut

    def test_a_full_disk_at_launch_is_refused(self):
        self.mount("3m")
        self.fill()
        self.assert_refused(self.on_disk(), "No space left on device")
        os.unlink(self.path("disk/fill"))
        self.assertEqual(self.run_toy(*LOCAL, "--output_dir", "disk/out", "--split", "0",
                                      "--target", "A", "--source", "A").code, 0)

    def fill(self):
        with open(self.path("disk/fill"), "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass

    def test_a_disk_that_fills_while_tasks_run_fails_them_and_the_same_command_completes(self):
        self.mount("3m")
        reference = self.run_toy(*LOCAL)
        self.assertEqual(reference.code, 0)
        process = self.start(*self.command("--jobs", "2", "--output_dir", "disk/out"),
                             TOY_FAULTS=f"train A/split_0 wait:{self.path('go')}")
        wait_for(lambda: self.state_on_disk() == "running", "the training")
        self.fill()
        self.write("go", "")
        out, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 1, out + errors)
        self.assertNotIn("Traceback", errors)
        self.assert_nothing_is_half_written()
        code, counts = self.disk_status()
        self.assertEqual(code, 1)
        os.unlink(self.path("disk/fill"))
        ended = self.on_disk()
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(self.disk_status()[0], 0)

    def state_on_disk(self):
        status = read_status(self.path("disk/out/models/A/split_0"), self.path("disk/out"))
        return status and status.state

    def disk_status(self):
        ended = self.on_disk("--status", "--json")
        return ended.code, [task["state"] for task in json.loads(ended.out)["tasks"]]

    def test_a_read_only_disk_is_refused_at_launch_and_can_be_looked_at(self):
        self.mount("1m")
        self.assertEqual(self.on_disk("--split", "0").code, 0)
        subprocess.check_call(["mount", "-o", "remount,ro", self.path("disk")])
        self.assert_refused(self.on_disk("--split", "0-1"), "cannot be written")
        self.assertEqual(self.on_disk("--status").code, 0)


class VanishingFilesTest(CampaignCase):
    def test_files_that_vanish_while_the_collector_reads_are_gaps(self):
        """A directory is deleted again and again under the collector."""
        self.have_toy(*LOCAL)
        shutil.copytree(self.path("out/infer"), self.path("kept"))
        ended, stop = [], threading.Event()

        def spoil():
            while not stop.is_set():
                for name in ("A-B/split_0", "B-A/split_1"):
                    shutil.rmtree(self.path("out/infer", name), ignore_errors=True)
                    shutil.copytree(self.path("kept", name), self.path("out/infer", name))
        thread = threading.Thread(target=spoil)
        thread.start()
        try:
            for _ in range(8):
                ended.append(self.collect("out", "--output_dir", "by_hand"))
        finally:
            stop.set()
            thread.join()
        for one in ended:
            self.assertNotIn("Traceback", one.err)
            self.assertIn(one.code, (0, 1), one)


if __name__ == "__main__":
    unittest.main()
