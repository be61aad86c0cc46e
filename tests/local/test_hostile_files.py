"""Hostile names, plans and status files are refused or reported, never run."""
import os
import shlex
import shutil
import stat
from pathlib import Path

from tests.campaign import LOCAL, CampaignCase
from tests.local.test_csa import FinishedCase
from tests.support import write_benchmark

FILES = dict(zip((f"infer/{source}-{target}/split_{split}" for source in "AB" for target in "AB"
                  for split in (0, 1)), (
    b'{"state": "done", "reason": "' + b"x" * 10000000 + b'"}',    # 10 MB
    b"[" * 100000, bytes(range(256)) * 10, b"", None,   # None: a pipe
    b'{"state": "done", "made_from": {"a\\u0000b": {}}, "files": {"a\\u0000b": 1}}',
    b'{"state": "failed", "reason": "\\u001b[2J \\ud800", "host": "\\u001b"}',
    b'{"state": "running", "pid": Infinity, "slurm_job": "", "made_from": {"x": NaN}}')))


class FilesTest(FinishedCase):
    def test_a_hostile_status_is_a_task_that_runs_again(self):
        for task, content in FILES.items():
            path = self.path("out", task, "stage_status.json")
            os.unlink(path)
            if content is None:
                os.mkfifo(path)
            else:
                Path(path).write_bytes(content)
        ended = self.run_toy(*LOCAL, "--status")
        self.assertEqual(ended.code, 1, ended)
        self.assertTrue(ended.out.replace("\n", "").isprintable(), repr(ended.out))
        self.collect("out", "--output_dir", "by_hand")
        self.assertEqual(self.again("--replace")[1], list(FILES))


class NamesTest(CampaignCase):
    def test_hostile_study_names_are_refused_or_only_names(self):
        for name in ("$(touch hacked)", "x;touch hacked", "a'b\"c", "-rf", "..", "é\u202e\n"):
            with self.subTest(name):
                for folder in ("raw", "out"):
                    shutil.rmtree(self.path(folder), ignore_errors=True)
                write_benchmark(self.path("raw"), (name,), splits=1)
                ended = self.run_toy(*LOCAL)
                self.assertIn(ended.code, (0, 2), ended)
                self.assertLessEqual(set(os.listdir(self.work)), {"out", "raw"})

    def test_only_the_output_directory_is_written_and_files_follow_the_umask(self):
        command = " ".join(map(shlex.quote, self.command("--split", "0", "--source", "A")))
        before = self.names_outside()
        self.run_command("bash", "-c", f"umask 027; {command}", code=0)
        self.assertEqual(self.names_outside(), before)
        for path in Path(self.path("out")).rglob("*"):
            self.assertEqual(stat.S_IMODE(path.stat().st_mode) & 0o027, 0, path)

    def names_outside(self):
        return {str(path) for path in Path(self.work).rglob("*")
                if path.relative_to(self.work).parts[0] != "out"}
