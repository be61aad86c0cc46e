"""Batch scripts: which template a task gets, what is put into it, and the whole text that comes out."""
import os
import re
import subprocess
import unittest

from launcher import templates
from launcher.refusal import Refusal
from tests.support import REPOSITORY, WorkCase

TEMPLATE = """#!/usr/bin/env bash
# Holes: JOB_NAME and @@ANYTHING@@ in a comment.
#SBATCH --job-name=@@JOB_NAME@@
#SBATCH --array=@@ARRAY@@
#SBATCH --output=@@SLURM_OUTPUT@@
exec bash @@RUN_MODEL@@ --task @@TASKS@@ "$SLURM_ARRAY_TASK_ID"
"""
SHARED = """#!/usr/bin/env bash
#SBATCH --job-name=@@JOB_NAME@@
#SBATCH --array=@@ARRAY@@
@@site.sbatch@@
#SBATCH --time=04:00:00

@@site.sh@@
exec bash @@RUN_MODEL@@ --task @@TASKS@@ "$SLURM_ARRAY_TASK_ID"
"""
SITE = """# what all jobs share
#SBATCH --account=lab
#SBATCH --output=@@SLURM_OUTPUT@@
"""
SITE_SH = """module load apptainer
export PLACE=@@TASKS@@
"""
VALUES = {"JOB_NAME": "csa.x.train", "ARRAY": "0-4%2", "SLURM_OUTPUT": "/a b/%x.out", "RUN_MODEL": "/it's/run.sh",
          "TASKS": "/$x/t.tasks"}


class TemplatesCase(WorkCase):
    def have(self, **files):
        """Writes {name: text} into the folder of the test."""
        for name, text in files.items():
            path = self.path(*name.split("/"))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8", newline="") as file:
                file.write(text)

    def find(self, stage, source="CTRPv2", model="graphdrp"):
        return os.path.relpath(templates.find_template(stage, source, model, self.work), self.work)

    def rendered(self, name, model="", **more):
        path = self.path(*name.split("/"))
        return templates.render(templates.read_template(path, model, self.work), dict(VALUES, **more), path)


class FindTest(TemplatesCase):
    def test_a_source_with_a_template_of_its_own_gets_it_and_the_others_do_not(self):
        self.have(**{"train.sbatch": "", "train.CTRPv2.sbatch": ""})
        self.assertEqual((self.find("train"), self.find("train", "gCSI")), ("train.CTRPv2.sbatch", "train.sbatch"))

    def test_a_trial_uses_the_template_of_train_unless_it_has_its_own(self):
        self.have(**{"train.sbatch": ""})
        self.assertEqual(self.find("trial"), "train.sbatch")
        self.have(**{"train.CTRPv2.sbatch": ""})
        self.assertEqual(self.find("trial"), "train.CTRPv2.sbatch")
        self.have(**{"trial.sbatch": ""})
        self.assertEqual(self.find("trial"), "trial.sbatch")
        self.have(**{"trial.CTRPv2.sbatch": ""})
        self.assertEqual(self.find("trial"), "trial.CTRPv2.sbatch")

    def test_a_file_in_the_folder_of_the_model_wins_over_the_file_of_that_name(self):
        self.have(**{"train.sbatch": "", "infer.sbatch": "", "graphdrp/train.sbatch": ""})
        self.assertEqual((self.find("train"), self.find("infer")), ("graphdrp/train.sbatch", "infer.sbatch"))
        self.assertEqual((self.find("trial"), self.find("train", model="uno")), ("graphdrp/train.sbatch", "train.sbatch"))

    def test_a_task_without_a_source_gets_the_template_of_its_stage(self):
        self.have(**{"collect.sbatch": "", "collect.CTRPv2.sbatch": ""})
        self.assertEqual(self.find("collect", ""), "collect.sbatch")

    def test_a_template_that_does_not_exist_is_named(self):
        with self.assertRaisesRegex(Refusal, re.escape(self.path("train.sbatch")) + " cannot be read"):
            templates.read_template(templates.find_template("trial", "A", "graphdrp", self.work))


class RenderTest(TemplatesCase):
    def test_every_hole_is_filled_and_quoted_where_bash_reads_it(self):
        self.have(**{"train.sbatch": TEMPLATE})
        self.assertEqual(self.rendered("train.sbatch"), f"""#!/usr/bin/env bash
# Written by the launcher from {self.path("train.sbatch")}; `sbatch` this file to run it again.
# Holes: JOB_NAME and @@ANYTHING@@ in a comment.
#SBATCH --job-name=csa.x.train
#SBATCH --array=0-4%2
#SBATCH --output="/a b/%x.out"
exec bash '/it'"'"'s/run.sh' --task '/$x/t.tasks' "$SLURM_ARRAY_TASK_ID"
""")

    def test_what_all_templates_share_is_put_in_and_its_holes_are_filled(self):
        self.have(**{"train.sbatch": SHARED, "site.sbatch": SITE, "site.sh": SITE_SH})
        self.assertEqual(self.rendered("train.sbatch"), f"""#!/usr/bin/env bash
# Written by the launcher from {self.path("train.sbatch")}; `sbatch` this file to run it again.
#SBATCH --job-name=csa.x.train
#SBATCH --array=0-4%2
# what all jobs share
#SBATCH --account=lab
#SBATCH --output="/a b/%x.out"
#SBATCH --time=04:00:00

module load apptainer
export PLACE='/$x/t.tasks'
exec bash '/it'"'"'s/run.sh' --task '/$x/t.tasks' "$SLURM_ARRAY_TASK_ID"
""")

    def test_a_model_with_a_shared_file_of_its_own_gets_that_one_in_all_templates(self):
        self.have(**{"train.sbatch": SHARED, "site.sbatch": SITE, "site.sh": SITE_SH,
                     "uno/site.sbatch": SITE.replace("lab", "gpu")})
        self.assertIn("--account=gpu", self.rendered("train.sbatch", "uno"))
        self.assertIn("--account=lab", self.rendered("train.sbatch", "graphdrp"))

    def test_a_template_of_a_model_finds_the_shared_files_above_it(self):
        self.have(**{"uno/train.sbatch": SHARED, "site.sbatch": SITE, "site.sh": SITE_SH})
        self.assertIn("--account=lab", self.rendered("uno/train.sbatch", "uno"))

    def test_an_unknown_hole_is_an_error_with_file_and_line(self):
        self.have(**{"train.sbatch": TEMPLATE + "@@TASKZ@@\n"})
        with self.assertRaisesRegex(Refusal, r"/train.sbatch:7: unknown hole @@TASKZ@@"):
            self.rendered("train.sbatch")

    def test_a_placeholder_in_a_line_that_was_switched_on_is_refused(self):
        for line in ("#SBATCH --partition=NAME   # EDIT", "#SBATCH --mail-user=YOU@SITE --mail-type=FAIL"):
            self.have(**{"train.sbatch": SHARED, "site.sbatch": SITE + line + "\n", "site.sh": SITE_SH})
            with self.assertRaisesRegex(Refusal, r"/site.sbatch:4: (NAME|YOU@SITE) is a placeholder"):
                self.rendered("train.sbatch")

    def test_an_unknown_hole_in_a_shared_file_is_an_error_with_its_own_file_and_line(self):
        for line, name in (("#SBATCH --comment=@@COMENT@@", "COMENT"), ("@@other.sh@@", "other.sh")):
            self.have(**{"train.sbatch": SHARED, "site.sbatch": SITE + line + "\n", "site.sh": SITE_SH})
            with self.assertRaisesRegex(Refusal, r"/site.sbatch:4: unknown hole @@" + re.escape(name) + "@@"):
                self.rendered("train.sbatch")

    def test_a_shared_file_that_does_not_exist_is_an_error_with_file_and_line(self):
        self.have(**{"train.sbatch": SHARED, "site.sh": SITE_SH})
        with self.assertRaisesRegex(Refusal, r"/train.sbatch:4: there is no site.sbatch in "):
            self.rendered("train.sbatch")

    def test_windows_line_ends_in_a_shared_file_are_refused(self):
        self.have(**{"train.sbatch": SHARED, "site.sbatch": SITE.replace("\n", "\r\n"), "site.sh": SITE_SH})
        with self.assertRaisesRegex(Refusal, "site.sbatch has Windows line ends"):
            self.rendered("train.sbatch")

    def test_a_quote_in_a_slurm_line_is_refused(self):
        self.have(**{"train.sbatch": TEMPLATE})
        for value in ('/a"b', "/a\\b", "/a\nb"):
            with self.assertRaises(Refusal):
                self.rendered("train.sbatch", SLURM_OUTPUT=value)


class ShippedTest(TemplatesCase):
    """The templates that people copy."""
    COMMON = ["--kill-on-invalid-dep=yes", "--requeue", "--signal=B:TERM@60", "--output=/o/%x.out", "--open-mode=append"]

    def text(self, stage):
        path = templates.find_template(stage, "gCSI", "baseline")
        values = {"JOB_NAME": "j", "ARRAY": "0-3", "SLURM_OUTPUT": "/o/%x.out", "RUN_MODEL": "/p/run_model.sh",
                  "TASKS": "/o/t.tasks", "COUNT": "3", "PYTHON": "/usr/bin/python3", "RETRIES": "0", "TASKS_AT_ONCE": "1"}
        return templates.render(templates.read_template(path, "baseline"), values, path)

    def test_every_stage_asks_slurm_for_this_and_nothing_more(self):
        for stage, time in (("preprocess", "04:00:00"), ("train", "24:00:00"), ("trial", "24:00:00"), ("infer", "02:00:00"),
                            ("row", "48:00:00"), ("collect", "00:30:00")):
            asked = re.findall(r"^#SBATCH (\S+)", self.text(stage), re.MULTILINE)
            self.assertEqual(asked, ["--job-name=j", "--array=0-3", *self.COMMON, f"--time={time}",
                                     "--mem=3500M", "--cpus-per-task=1"])

    def test_what_bash_does_is_this_and_nothing_more(self):
        for stage in ("preprocess", "train", "infer", "row", "collect"):
            lines = [line for line in self.text(stage).split("\n") if line and not line.startswith("#")]
            place = '"$SLURM_ARRAY_TASK_ID"' if stage == "collect" else '"$((SLURM_ARRAY_TASK_ID * 3))" 3'
            together = ["export TASKS_AT_ONCE=1"] if stage in ("preprocess", "train", "infer") else []
            self.assertEqual(lines, ["set -euo pipefail", "export WORKFLOW_PYTHON=/usr/bin/python3", "export RETRIES=0", *together,
                                     "exec bash /p/run_model.sh --task /o/t.tasks " + place])

    def test_no_slurm_line_comes_after_a_line_of_bash_where_sbatch_would_ignore_it(self):
        for stage in ("preprocess", "train", "infer", "row", "collect"):
            lines = self.text(stage).split("\n")
            first_of_bash = next(at for at, line in enumerate(lines) if line and not line.startswith("#"))
            self.assertFalse([line for line in lines[first_of_bash:] if re.match("#+SBATCH", line)])

    def test_every_line_that_is_off_is_a_line_of_bash_when_it_is_on(self):
        for stage in ("preprocess", "train", "infer", "row", "collect"):
            on = re.sub(r"^# (?=module load|export )", "", self.text(stage), flags=re.MULTILINE)
            self.assertIn("\nexport ALWAYS_EXIT_ZERO=1", on)
            done = subprocess.run(["bash", "-n"], input=on.encode(), stderr=subprocess.PIPE)
            self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_the_checklist_of_a_new_cluster_is_short(self):
        done = subprocess.run(["grep", "-rn", "EDIT", "slurm_templates", "run_model.sh"], cwd=REPOSITORY, stdout=subprocess.PIPE)
        lines = done.stdout.decode().splitlines()
        self.assertLess(len(lines), 25)
        for wanted in ("##SBATCH --partition", "--account", "--qos", "--constraint", "--mail-user", "APPTAINER_BIND", "TMPDIR",
                       "ALWAYS_EXIT_ZERO", "module load", "--kill-on-invalid-dep"):
            self.assertEqual(len([line for line in lines if wanted in line]), 1, wanted)


if __name__ == "__main__":
    unittest.main()
