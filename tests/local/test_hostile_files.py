"""Hostile names, plans and status files are refused or reported, never run."""
import json
import os
import shlex
import shutil
import stat
from pathlib import Path

from tests.campaign import LOCAL, CampaignCase
from tests.local.test_csa import FinishedCase
from tests.support import write_benchmark

INFERS = [f"infer/{source}-{target}/split_{split}" for source in "AB" for target in "AB"
          for split in (0, 1)]
FILES = (b'{"state": "done", "reason": "' + b"x" * 10000000 + b'"}',    # 10 MB
         b"[" * 100000, bytes(range(256)) * 10, b"[1, 2]", b"", None,   # None: a pipe
         b'{"state": "done", "made_from": {"x": NaN}, "files": {"y": Infinity}, "attempt": NaN}',
         b'{"state": "done", "made_from": {"a\\u0000b": {}}, "files": {"a\\u0000b": 1}}',
         b'{"state": "failed", "reason": "\\ud800"}',
         b'{"state": "failed", "reason": "\\u001b[2J", "host": "\\u001b"}',
         b'{"state": "running", "pid": Infinity, "slurm_job": ""}',
         b'{"state": "failed", "made_from": {"x": {"arguments": [[]], "stamp": 7}}, "script": [], '
         b'"files": {"y": [1]}, "seconds": {}, "peak_mb": "", "exit_code": {}}')


class FilesTest(FinishedCase):
    def leave(self, name, contents):
        """Yields the inferences that have got such a file, as many as there are at a time."""
        for start in range(0, len(contents), len(INFERS)):
            left = dict(zip(INFERS, contents[start:]))
            for task, content in left.items():
                path = self.path("out", task, name)
                os.unlink(path)
                if content is None:
                    os.mkfifo(path)
                else:
                    Path(path).write_bytes(content)
            yield list(left)

    def test_a_hostile_status_is_a_task_that_runs_again(self):
        real = self.status_of(INFERS[0])
        changed = [json.dumps(dict(real, **change)).encode()
                   for change in ({"files": {"a\0b": 1}}, {"files": {"test_scores.json": "1"}},
                                  {"made_from": {"models/A/split_0": []}})]
        for names in self.leave("stage_status.json", [*FILES, *changed]):
            ended = self.assert_no_traceback(self.run_toy(*LOCAL, "--status"))
            self.assertEqual(ended.code, 1, ended)
            self.assertTrue(all(letter.isprintable() or letter == "\n" for letter in ended.out),
                            repr(ended.out))
            self.assert_no_traceback(self.collect("out", "--output_dir", "by_hand"))
            self.assertEqual(self.again("--replace")[1], names)

    def test_hostile_score_files_are_missing_scores(self):
        for names in self.leave("test_scores.json", FILES):
            self.assert_no_traceback(self.collect("out"))
            self.assertLessEqual(set(names), {row["task"] for row in self.table("missing.csv")})

    def test_a_hostile_plan_is_ignored_and_named(self):
        task = {"name": "x", "stage": "train", "array": "a", "index": 0, "arguments": {},
                "parents": [], "run": True}
        changes = ({"name": "../../etc"}, {"name": "a\nb"}, {"name": 7}, {"index": []},
                   {"array": {}}, {"arguments": "none"}, {"parents": [[]]}, {"stage": None})
        plans = ["{" * 100000, "\xff\x00", '{"workflow": 1}', *[
            json.dumps({"workflow": "csa", "tasks": [dict(task, **change)]}) for change in changes]]
        for number, content in enumerate(plans):
            self.put(f"out/launches/209901{number:02d}T000000.000000Z/plan.json", content)
        ended = self.assert_no_traceback(self.run_toy(*LOCAL, "--status"))
        self.assertEqual((ended.code, (ended.out + ended.err).count("a plan was ignored")),
                         (0, len(plans)), ended)


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
        command = " ".join(map(shlex.quote, self.command("--split", "0", "--source", "A")))
        self.run_command("bash", "-c", f"umask 027; {command}", code=0)
        self.assertEqual(self.files_outside(), before)
        for folder, _, names in os.walk(self.path("out")):
            for path in [folder, *(os.path.join(folder, name) for name in names)]:
                self.assertEqual(stat.S_IMODE(os.stat(path).st_mode) & 0o027, 0, path)

    def files_outside(self):
        """{path: when it was written} of all files that are not in out/"""
        paths = [os.path.join(folder, name) for folder, _, names in os.walk(self.work)
                 for name in names if not folder.startswith(self.path("out"))]
        return {path: os.stat(path).st_mtime_ns for path in paths}
