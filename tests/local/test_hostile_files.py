"""Hostile names, plans and status files are refused or reported, never run."""
import json
import os
import shutil
import stat
import unittest

from tests.campaign import LOCAL, CampaignCase
from tests.support import write_benchmark


class HostileFilesTest(CampaignCase):
    """What stands in files is shown or refused, never run."""

    STATUSES = {
        "10 MB": b'{"state": "done", "words": ["' + b"x" * 10_000_000 + b'"]}',
        "deep nesting": b"[" * 100_000,
        "NaN": b'{"state": "done", "words": [NaN], "made_from": {"x": NaN}, "files": {"y": Infinity}, "attempt": NaN}',
        "duplicate keys": b'{"state": "failed", "state": "done", "words": [], "made_from": {}, "files": {}}',
        "binary": bytes(range(256)) * 10,
        "a list": b"[1, 2]",
        "a name with NUL": b'{"state": "done", "words": ["none"], "made_from": {"a\\u0000b": {}}, "files": {"a\\u0000b": 1}}',
        "lone surrogates": b'{"state": "failed", "reason": "\\ud800", "words": [], "made_from": {}, "files": {}}',
        "escapes for a terminal": b'{"state": "failed", "reason": "\\u001b[2J", "host": "\\u001b", "words": [], "made_from": {}, "files": {}}',
        "process of any kind": b'{"state": "running", "pid": Infinity, "slurm_job": "", "words": [], "made_from": {}, "files": {}}',
        "values of other kinds": b'{"state": "failed", "words": [1, [2], {}], "made_from": {"x": {"words": [[]], "stamp": "s"}}, "script": [], '
                                 b'"files": {"y": [1]}, "more_files": 5, "seconds": {}, "cpu_seconds": [], "peak_mb": "", "exit_code": {}}',
        "nothing": b"",
    }

    def test_a_hostile_status_is_a_task_that_runs_again(self):
        self.have_toy(*LOCAL, "--split", "0")
        path = self.path("out/infer/A-B/split_0/stage_status.json")
        for kind, text in self.STATUSES.items():
            with self.subTest(kind):
                with open(path, "wb") as file:
                    file.write(text)
                ended = self.assert_no_traceback(self.run_toy(*LOCAL, "--split", "0", "--status"))
                self.assertEqual(ended.code, 1, ended)
                self.assertTrue(all(c.isprintable() or c == "\n" for c in ended.out), repr(ended.out))
                collected = self.collect("out", "--output_dir", "by_hand")
                self.assert_no_traceback(collected)
        self.assertEqual(self.run_toy(*LOCAL, "--split", "0").code, 0)

    def test_a_status_that_names_impossible_files_is_a_task_that_runs_again(self):
        self.have_toy(*LOCAL, "--split", "0")
        real = self.status_of("infer/A-B/split_0")
        for change in ({"files": {"a\0b": 1}}, {"files": {"test_scores.json": "1"}}, {"made_from": {"a\0b": {"words": [], "stamp": ""}}},
                       {"made_from": {"models/A/split_0": []}}):
            with self.subTest(change):
                self.write("out/infer/A-B/split_0/stage_status.json", json.dumps(dict(real, **change)))
                ended = self.assert_no_traceback(self.run_toy(*LOCAL, "--split", "0", "--status"))
                self.assertEqual(ended.code, 1, ended)
        self.assertIn("9 done already", self.run_toy(*LOCAL, "--split", "0").out)

    def test_a_pipe_in_place_of_a_status_does_not_hang(self):
        self.have_toy(*LOCAL, "--split", "0")
        path = self.path("out/infer/A-B/split_0/stage_status.json")
        os.unlink(path)
        os.mkfifo(path)
        self.assertEqual(self.run_toy(*LOCAL, "--split", "0", "--status").code, 1)
        self.assertEqual(self.run_toy(*LOCAL, "--split", "0").code, 0)
        self.assertEqual(self.status_of("infer/A-B/split_0")["state"], "done")

    def test_a_hostile_plan_is_passed_over_and_named(self):
        self.have_toy(*LOCAL, "--split", "0")
        directory = self.path("out/launches/20990101T000000.000000Z")
        os.makedirs(directory)
        task = {"name": "x", "stage": "train", "array": "a", "index": 0, "words": [], "parents": [], "run": True}
        plans = [b"{" * 100_000, b"\xff\x00", b'{"workflow": "csa", "tasks": [NaN]}', b'{"workflow": 1}'] + [
            json.dumps({"workflow": "csa", "tasks": [dict(task, **change)]}).encode() for change in (
                {"name": "../../etc"}, {"name": "/etc"}, {"name": "a\nb"}, {"name": 7}, {"index": []}, {"array": {}},
                {"words": "none"}, {"parents": [[]]}, {"stage": None})]
        for text in plans:
            with self.subTest(text[:100]):
                with open(os.path.join(directory, "plan.json"), "wb") as file:
                    file.write(text)
                ended = self.assert_no_traceback(self.run_toy(*LOCAL, "--split", "0", "--status"))
                self.assertEqual(ended.code, 0, ended)
                self.assertIn("cannot be read", ended.err)
                self.assertIn("10 done already", self.run_toy(*LOCAL, "--split", "0").out)

    def test_hostile_score_files_are_gaps(self):
        self.have_toy(*LOCAL, "--split", "0")
        path = self.path("out/infer/A-B/split_0/test_scores.json")
        for text in self.STATUSES.values():
            with open(path, "wb") as file:
                file.write(text)
            ended = self.collect("out", "--output_dir", "out/scores")
            self.assert_no_traceback(ended)
            self.assertIn("infer/A-B/split_0", [row["task"] for row in self.table("missing.csv")])

    def test_hostile_study_names_are_refused_or_only_names(self):
        for name in ("$(touch hacked)", "`touch hacked`", "x;touch hacked", "a'b\"c", "-rf", "..", "a\nb", "é\u202e"):
            with self.subTest(name):
                shutil.rmtree(self.path("raw"), ignore_errors=True)
                shutil.rmtree(self.path("out"), ignore_errors=True)
                write_benchmark(self.path("raw"), (name,), splits=1)
                ended = self.assert_no_traceback(self.run_toy(*LOCAL))
                self.assertIn(ended.code, (0, 2), ended)
                self.assertEqual(sorted(set(os.listdir(self.work)) - {"out", "raw"}), [])
                self.assertEqual(os.listdir(self.path("raw")), ["splits", "y_data"] if os.listdir(self.path("raw"))[0] == "splits" else ["y_data", "splits"])

    def test_nothing_outside_the_output_directory_is_written(self):
        before = self.tree()
        self.assertEqual(self.run_toy(*LOCAL, "--split", "0").code, 0)
        after = {path: stamp for path, stamp in self.tree().items() if not path.startswith(self.path("out"))}
        self.assertEqual(after, before)

    def tree(self):
        return {os.path.join(folder, name): os.stat(os.path.join(folder, name)).st_mtime_ns
                for folder, _, names in os.walk(self.work) for name in names}

    def test_files_follow_the_umask(self):
        command = " ".join(f"'{word}'" for word in self.command("--split", "0"))
        for mask, forbidden in (("077", 0o077), ("027", 0o027)):
            shutil.rmtree(self.path("out"), ignore_errors=True)
            self.assertEqual(self.run_command("bash", "-c", f"umask {mask}; {command}").code, 0)
            for folder, _, names in os.walk(self.path("out")):
                for name in [folder, *(os.path.join(folder, name) for name in names)]:
                    self.assertEqual(stat.S_IMODE(os.stat(name).st_mode) & forbidden, 0, name)


if __name__ == "__main__":
    unittest.main()
