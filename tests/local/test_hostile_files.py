"""Hostile names, plans and status files are refused or reported, never run."""
import json
import os
import shlex
import shutil
import stat
import unittest

from tests.campaign import LOCAL, CampaignCase
from tests.local.test_csa import FinishedCase
from tests.support import write_benchmark

ONE = ("--split", "0")
INFER = "infer/A-B/split_0"
FILES = {"10 MB": b'{"state": "done", "reason": "' + b"x" * 10000000 + b'"}',
         "deep nesting": b"[" * 100000,
         "NaN": b'{"state": "done", "made_from": {"x": NaN}, "files": {"y": Infinity}, "attempt": '
         b'NaN}', "binary": bytes(range(256)) * 10, "a list": b"[1, 2]",
         "a name with NUL": b'{"state": "done", "made_from": {"a\\u0000b": {}}, "files": '
         b'{"a\\u0000b": 1}}', "a lone surrogate": b'{"state": "failed", "reason": "\\ud800"}',
         "escapes for a terminal": b'{"state": "failed", "reason": "\\u001b[2J", "host": '
         b'"\\u001b"}',
         "a process of any kind": b'{"state": "running", "pid": Infinity, "slurm_job": ""}',
         "values of other types": b'{"state": "failed", "made_from": {"x": {"arguments": [[]], '
         b'"stamp": 7}}, "script": [], '
         b'"files": {"y": [1]}, "seconds": {}, "peak_mb": "", "exit_code": {}}', "nothing": b"",}


class FilesTest(FinishedCase):
    def setUp(self):
        CampaignCase.setUp(self)
        shutil.rmtree(self.path("raw"))
        self.have_toy(*LOCAL, *ONE)

    def leave(self, name, content):
        with open(self.path("out", name), "wb") as file:
            file.write(content)

    def test_a_hostile_status_is_a_task_that_runs_again(self):
        real = self.status_of(INFER)
        changed = [json.dumps(dict(real, **change)).encode()
                   for change in ({"files": {"a\0b": 1}}, {"files": {"test_scores.json": "1"}},
                                  {"made_from": {"models/A/split_0": []}})]
        for content in [*FILES.values(), *changed]:
            with self.subTest(content[:60]):
                self.leave(f"{INFER}/stage_status.json", content)
                ended = self.assert_no_traceback(self.run_toy(*LOCAL, "--status"))
                self.assertEqual(ended.code, 1, ended)
                self.assertTrue(all(letter.isprintable() or letter == "\n" for letter in ended.out),
                                repr(ended.out))
        self.assert_no_traceback(self.collect("out", "--output_dir", "by_hand"))
        self.assertEqual(self.again(*ONE)[1], [INFER])

    def test_a_pipe_in_place_of_a_status_does_not_hang(self):
        path = self.path("out", INFER, "stage_status.json")
        os.unlink(path)
        os.mkfifo(path)
        self.assertEqual(self.run_toy(*LOCAL, "--status").code, 1)
        self.assertEqual(self.again(*ONE)[1], [INFER])
        self.assertEqual(self.status_of(INFER)["state"], "done")

    def test_a_hostile_plan_is_ignored_and_named(self):
        directory = "launches/20990101T000000.000000Z"
        os.makedirs(self.path("out", directory))
        task = {"name": "x", "stage": "train", "array": "a", "index": 0, "arguments": {},
                "parents": [], "run": True}
        changes = ({"name": "../../etc"}, {"name": "a\nb"}, {"name": 7}, {"index": []},
                   {"array": {}}, {"arguments": "none"}, {"parents": [[]]}, {"stage": None})
        plans = [json.dumps({"workflow": "csa", "tasks": [dict(task, **change)]}).encode()
                 for change in changes]
        for content in [b"{" * 100000, b"\xff\x00", b'{"workflow": 1}', *plans]:
            with self.subTest(content[:80]):
                self.leave(f"{directory}/plan.json", content)
                ended = self.assert_no_traceback(self.run_toy(*LOCAL, "--status"))
                self.assertEqual(ended.code, 0, ended)
                self.assertIn("a plan was ignored", ended.out + ended.err)

    def test_hostile_score_files_are_missing_scores(self):
        for content in FILES.values():
            with self.subTest(content[:60]):
                self.leave(f"{INFER}/test_scores.json", content)
                self.assert_no_traceback(self.collect("out"))
                self.assertIn(INFER, [row["task"] for row in self.table("missing.csv")])


class NamesTest(CampaignCase):
    def test_hostile_study_names_are_refused_or_only_names(self):
        for name in ("$(touch hacked)", "x;touch hacked", "a'b\"c", "-rf", "..", "a\nb",
                     "é\u202e"):
            with self.subTest(name):
                shutil.rmtree(self.path("raw"), ignore_errors=True)
                shutil.rmtree(self.path("out"), ignore_errors=True)
                write_benchmark(self.path("raw"), (name,), splits=1)
                ended = self.assert_no_traceback(self.run_toy(*LOCAL))
                self.assertIn(ended.code, (0, 2), ended)
                self.assertEqual(set(os.listdir(self.work)) - {"out", "raw"}, set())

    def test_only_the_output_directory_is_written_and_files_follow_the_umask(self):
        before = self.files_outside()
        command = " ".join(map(shlex.quote, self.command(*ONE, "--source", "A")))
        self.assertEqual(self.run_command("bash", "-c", f"umask 027; {command}").code, 0)
        self.assertEqual(self.files_outside(), before)
        for folder, _, names in os.walk(self.path("out")):
            for path in [folder, *(os.path.join(folder, name) for name in names)]:
                self.assertEqual(stat.S_IMODE(os.stat(path).st_mode) & 0o027, 0, path)

    def files_outside(self):
        """{path: when it was written} of all files that are not in out/"""
        paths = [os.path.join(folder, name) for folder, _, names in os.walk(self.work)
                 for name in names if not folder.startswith(self.path("out"))]
        return {path: os.stat(path).st_mtime_ns for path in paths}


if __name__ == "__main__":
    unittest.main()
