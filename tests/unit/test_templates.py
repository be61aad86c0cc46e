"""Batch scripts: which template a task gets, what fills it, and the whole text."""
import re
import subprocess
import unittest
from unittest import mock

from core.errors import Refusal
from launcher import templates
from tests.support import REPOSITORY, WorkCase

TEMPLATE = """#!/usr/bin/env bash
# Holes: JOB_NAME and @@ANYTHING@@ in a comment.
#SBATCH --job-name=@@JOB_NAME@@
#SBATCH --array=@@ARRAY@@
@@site.sbatch@@
#SBATCH --time=04:00:00  # EDIT

@@site.sh@@
exec bash @@RUN_MODEL@@ --task @@TASKS@@ "$SLURM_ARRAY_TASK_ID" @@COUNT@@
"""
SITE = """# what all jobs share
#SBATCH --account=lab
#SBATCH --output=@@SLURM_OUTPUT@@
"""
SITE_SH = """module load apptainer
export PLACE=@@TASKS@@
"""
VALUES = {"JOB_NAME": "csa.x.train", "ARRAY": "0-4%2", "SLURM_OUTPUT": "/a b/%x.out",
          "RUN_MODEL": "/it's/run.sh", "TASKS": "/$x/t.tasks", "COUNT": "1"}
FOUND = (   # templates that exist, stage and source -> the one that is taken for the model uno
    "train train.CTRPv2 -> train CTRPv2 -> train.CTRPv2",
    "train train.CTRPv2 -> train gCSI -> train",
    "train -> trial CTRPv2 -> train",
    "train train.CTRPv2 -> trial CTRPv2 -> train.CTRPv2",
    "train.CTRPv2 trial -> trial CTRPv2 -> trial",
    "train train.CTRPv2 uno/train -> train CTRPv2 -> uno/train",
    "train uno/train -> trial CTRPv2 -> uno/train",
    "train other/train -> train CTRPv2 -> train",
    "collect collect.CTRPv2 -> collect  -> collect",
    " -> trial CTRPv2 -> train")
BELONGS = "{} belongs to the launcher"
WRONG = (   # (file, what is put in place of what, what is said)
    *(("site.sbatch", "#SBATCH --account=lab", line, f"/site.sbatch:2: {said}") for line, said in (
        ("#SBATCH --comment=@@COMENT@@", "unknown hole @@COMENT@@"),
        ("#SBATCH -J mine", BELONGS.format("--job-name")),
        ("#SBATCH --array 0-3", BELONGS.format("--array")),
        ("#SBATCH --requeue -a0-3", BELONGS.format("--array")),
        ("#SBATCH --depend=singleton", BELONGS.format("--dependency")),
        ("#SBATCH --output='mine.out'", BELONGS.format("--output")))),
    ("train.sbatch", "exec", "#SBATCH --mem=1G\nexec",
     "/train.sbatch:9: sbatch ignores an #SBATCH line"),
    ("site.sh", "export", "#SBATCH --mem=1G\nexport",
     "/site.sh:2: sbatch ignores an #SBATCH line"),
    ("site.sh", "export", "@@other.sh@@\nexport", "/site.sh:2: unknown hole @@other.sh@@"),
    ("train.sbatch", "@@ARRAY@@", "1", BELONGS.format("--array")),
    ("train.sbatch", "@@RUN_MODEL@@", "run", "lacks @@RUN_MODEL@@"),
    ("train.sbatch", "@@COUNT@@", "", "lacks @@COUNT@@"),
    ("train.sbatch", "site.sh", "s.sh", "/s.sh cannot be read"))
TIMES = {"preprocess": "04:00:00", "train": "24:00:00", "trial": "24:00:00", "infer": "02:00:00",
         "row": "48:00:00", "collect": "00:30:00"}


class RenderTest(WorkCase):
    def setUp(self):
        super().setUp()
        directory = mock.patch("launcher.templates.DIRECTORY", self.work)
        directory.start()
        self.addCleanup(directory.stop)
        for name, text in (("train.sbatch", TEMPLATE), ("site.sbatch", SITE), ("site.sh", SITE_SH)):
            self.write(name, text)

    def rendered(self, name="train.sbatch", model="", **more):
        return templates.render(self.path(name), model, dict(VALUES, **more))

    def test_a_model_s_own_file_wins_then_that_of_the_source_and_a_trial_takes_train_s(self):
        for number, case in enumerate(FOUND):
            files, asked, wanted = case.split(" -> ")
            for name in files.split():
                self.write(f"{number}/{name}.sbatch", "")
            with mock.patch("launcher.templates.DIRECTORY", self.path(str(number))):
                found = templates.find_template(*asked.split(" "), "uno")
            self.assertEqual(found, self.path(str(number), f"{wanted}.sbatch"), case)

    def test_shared_files_are_included_and_holes_are_quoted_as_slurm_and_bash_read_them(self):
        self.assertEqual(self.rendered(), f"""#!/usr/bin/env bash
# Written by the launcher from {self.path("train.sbatch")}; `sbatch` this file to run it again.
# Holes: JOB_NAME and @@ANYTHING@@ in a comment.
#SBATCH --job-name=csa.x.train
#SBATCH --array=0-4%2
# what all jobs share
#SBATCH --account=lab
#SBATCH --output="/a b/%x.out"
#SBATCH --time=04:00:00  # EDIT

module load apptainer
export PLACE='/$x/t.tasks'
exec bash '/it'"'"'s/run.sh' --task '/$x/t.tasks' "$SLURM_ARRAY_TASK_ID" 1
""")

    def test_a_model_may_have_a_shared_file_of_its_own_and_its_templates_find_those_above(self):
        self.write("uno/site.sbatch", SITE.replace("lab", "gpu"))
        self.write("own/train.sbatch", TEMPLATE)
        for name, model, account in (("train.sbatch", "uno", "gpu"), ("train.sbatch", "x", "lab"),
                                     ("own/train.sbatch", "own", "lab")):
            self.assertIn(f"--account={account}", self.rendered(name, model))

    def test_a_template_that_cannot_work_is_refused_with_its_file_and_line(self):
        for name, old, new, wanted in WRONG:
            text = self.read(name)
            self.write(name, text.replace(old, new))
            with self.subTest(new), self.assertRaisesRegex(Refusal, re.escape(wanted)):
                self.rendered()
            self.write(name, text)
        for value in ('/a"b', "/a\\b", "/a\nb"):
            self.assertRaisesRegex(Refusal, "cannot hold", self.rendered, SLURM_OUTPUT=value)

    def test_other_lines_of_a_site_are_taken_as_they_are(self):
        lines = ("##SBATCH --output=off\n#SBATCH --open-mode=append\n# SBATCH --array=0\n"
                 "#SBATCH --gres=gpu:1 -p gpu # --array=1\n#SBATCH --kill-on-invalid-dep=yes\n"
                 "#SBATCH --comment='a b'\n")
        self.write("site.sbatch", (SITE + lines).replace("\n", "\r\n"))     # Windows line ends
        self.assertIn("\n" + lines, self.rendered())


class ShippedTest(unittest.TestCase):
    """The templates that people copy."""

    def text(self, stage):
        path = templates.find_template(stage, "gCSI", "baseline")
        values = dict(VALUES, COUNT="3", TEMPLATE="t", PYTHON="/usr/bin/python3")
        return templates.render(path, "baseline", values)

    def test_every_stage_asks_slurm_for_this_and_hands_over_to_the_runner(self):
        for stage, time in TIMES.items():
            asked = re.findall(r"^#SBATCH (\S+)", self.text(stage), re.MULTILINE)
            self.assertEqual(asked, [
                "--job-name=csa.x.train", "--array=0-4%2", "--kill-on-invalid-dep=yes",
                "--requeue", "--signal=B:TERM@60", '--output="/a', "--open-mode=append",
                f"--time={time}", "--mem=3500M", "--cpus-per-task=1"])
            self.assertTrue(self.text(stage).endswith(
                " --task '/$x/t.tasks' \"$((SLURM_ARRAY_TASK_ID * 3))\" 3\n"))

    def test_every_line_that_is_off_is_a_line_of_bash_when_it_is_on(self):
        for stage in TIMES:
            on = re.sub(r"^# (?=module load|export )", "", self.text(stage), flags=re.MULTILINE)
            self.assertIn("\nexport ALWAYS_EXIT_ZERO=1", on)
            subprocess.run(["bash", "-n"], input=on.encode(), check=True)

    def test_the_checklist_of_a_new_cluster_is_short(self):
        lines = subprocess.check_output(["grep", "-rhn", "EDIT", "slurm_templates", "run_model.sh"],
                                        cwd=REPOSITORY).decode()
        self.assertLess(lines.count("\n"), 26)
        for wanted in ("##SBATCH --partition", "--account", "--qos", "--constraint", "--mail-user",
                       "APPTAINER_BIND", "TMPDIR", "ALWAYS_EXIT_ZERO", "module load",
                       "--kill-on-invalid-dep"):
            self.assertEqual(lines.count(wanted), 1, wanted)
