"""What a script asks Slurm for, what tasks took (--status --resources), and templates that ask for it (--advise)."""
import argparse
import contextlib
import io
import json
import os
import re
import shutil
import unittest

import tests  # noqa: F401  (puts stages/ on the path)
from launcher import templates
from launcher.resources import advise, asked
from launcher.resources.asked import Asked, Needs
from report import resources
from tests.measured_tree import MeasuredCase, took
from tests.support import write_ids
from tree.results_tree import Tree

HUNDREDFOLD = {f"models/{source}/split_{split}": ("train", source, 2 * index + split, took(seconds + split, peak))
               for index, (source, seconds, peak) in enumerate((("S", 100, 200), ("M", 1000, 800), ("L", 10000, 3000))) for split in (0, 1)}


class AskedTest(unittest.TestCase):
    def test_times_and_sizes_are_read_as_slurm_reads_them(self):
        for text, seconds in (("90", 5400), ("90:30", 5430), ("1:30:00", 5400), ("1-12", 129600), ("1-12:30", 131400),
                              ("1-00:00:05", 86405), ("UNLIMITED", None), ("0", None), ("x", None)):
            self.assertEqual(asked.seconds_of(text), seconds, text)
        for text, megabytes in (("4000", 4000), ("4000M", 4000), ("4G", 4096), ("2048K", 2), ("1T", 1048576), ("0", None), ("", None)):
            self.assertEqual(asked.megabytes(text), megabytes, text)

    def test_a_time_is_written_so_that_slurm_reads_it(self):
        for seconds in (60, 5400, 86399, 86400, 131400):
            self.assertEqual(asked.seconds_of(asked.time_text(seconds)), seconds)
        self.assertEqual(asked.time_text(131400), "1-12:30:00")

    def test_lines_that_are_off_and_remarks_are_not_asked_for_and_the_later_line_wins(self):
        text = ("#SBATCH --time=4:00:00   # EDIT: not --mem=9G\n##SBATCH --gres=gpu:1\n#SBATCH -t 1:00:00 -c 4\n"
                "#SBATCH --mem-per-cpu=2G\n#SBATCH --gres=gpu:a100:2 -p long\nexec bash --mem=1\n")
        self.assertEqual(asked.asked_of(text), Asked(8192, 3600, 4, 2, "long"))

    def test_gpus_are_counted(self):
        for words, count in (("--gres=gpu:1", 1), ("--gres gpu", 1), ("--gres=lscratch:10,gpu:v100:4", 4), ("--gpus=2", 2), ("-G a100:3", 3),
                             ("--gres=lscratch:10", 0), ("--gpus-per-task=2", 2)):
            self.assertEqual(asked.asked_of(f"#SBATCH {words}").gpus, count, words)

    def test_a_script_asks_for_more_and_keeps_the_rest(self):
        text = "#!/usr/bin/env bash\n#SBATCH --time=04:00:00   # EDIT: longest\n##SBATCH --mem=1G\n#SBATCH --mem-per-cpu=2G\n\nexec x\n"
        self.assertEqual(asked.with_needs(text, Needs(5250, 7200), ["n3"]), "#!/usr/bin/env bash\n#SBATCH --time=02:00:00   # EDIT: longest\n"
                         "##SBATCH --mem=1G\n#SBATCH --mem=5250M\n\n#SBATCH --exclude=n3\nexec x\n")

    def test_what_is_excluded_already_stays_so(self):
        self.assertEqual(asked.asked_of(asked.with_needs("#SBATCH -x n1\nexec x\n", Needs(), ["n3"])).exclude, "n1,n3")

    def test_the_shipped_templates_ask_for_what_they_say(self):
        for stage, hours in (("preprocess", 4), ("train", 24), ("infer", 2), ("row", 48)):
            self.assertEqual(asked.read(os.path.join(templates.DIRECTORY, f"{stage}.sbatch")), Asked(3500, hours * 3600, 1))


class ResourcesTest(MeasuredCase):
    def status(self, *arguments):
        return self.run_workflow("csa", "--model", "toy", "--output_dir", "out", "--status", "--resources", *arguments)

    def test_the_longest_the_peak_and_their_shares_are_shown_for_each_stage_and_source(self):
        self.have_launch("20260101T000000.000000Z", {
            "models/A/split_0": ("train", "A", 0, took(3400, 300)), "models/A/split_1": ("train", "A", 1, took(1800, 700)),
            "models/B/split_0": ("train", "B", 2, took(60, 980)), "models/C/split_0": ("train", "C", 3, None)})
        ended = self.status()
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(ended.out, """\
         jobs  longest    asked  used    peak    asked  used  cores busy  of
train A     2  0:56:40  1:00:00   94%  700 MB  1000 MB   70%         1.0   2  time: too close
train B     1  0:01:00  1:00:00    2%  980 MB  1000 MB   98%         1.0   2  time: too much; memory: too close

longest, peak: of one job; cores busy: CPU time / time
--advise writes templates that ask for what was measured, and a margin
""")

    def test_the_times_of_tasks_in_one_job_add_up_and_their_memory_does_not(self):
        self.have_launch("20260101T000000.000000Z", {
            "models/A/split_0": ("train", "A", 0, took(100, 300)), "models/A/split_1": ("train", "A", 0, took(200, 700))})
        row = json.loads(self.status("--json").out)[0]
        self.assertEqual((row["elements"], row["longest"], row["peak"], row["asked"]["memory"]), (1, 300, 700, 1000))

    def test_a_local_run_is_measured_though_nothing_was_asked_for(self):
        self.have_toy("--executor", "local")
        ended = self.status()
        self.assertIn("nothing was asked for: these tasks ran without Slurm", ended.out)
        self.assertRegex(ended.out, r"train A +2 +0\.\d s +- +- +\d+ MB +-")

    def test_without_a_task_that_is_done_it_says_so(self):
        self.have_launch("20260101T000000.000000Z", {"models/A/split_0": ("train", "A", 0, None)})
        self.assertEqual(self.status().out, "nothing has been measured yet: no task is done\n")


class ReportTest(MeasuredCase):
    """The same as a section of the page."""
    ASKED = {"train": {"memory": 1000, "time": 3600, "cores": 2, "gpus": 0}}

    def section(self, **head):
        self.have_launch("20260101T000000.000000Z", {"models/A/split_0": ("train", "A", 0, took(1800, 700))}, **head)
        return str(resources.resources_section(Tree(self.path("out")), lambda seconds: f"{seconds:.0f} s"))

    def cells(self, html):
        return re.findall(r"<t[dh][^>]*>([^<]*)</t[dh]>", html.partition("<tbody>")[2])

    def test_a_row_has_what_was_used_and_what_was_asked_for(self):
        self.assertEqual(self.cells(self.section(asked=self.ASKED)),
                         ["A", "train", "1", "700 MB", "1000 MB", "70 %", "1800 s", "3600 s", "50 %", "1.0", "2"])

    def test_what_was_raised_is_said_in_a_sentence(self):
        html = self.section(asked=self.ASKED)
        plan = json.loads(self.read("out/launches/20260101T000000.000000Z/plan.json"))
        plan["tasks"][0]["raised"] = {"memory": 1000, "time": None, "from": {"memory": 500, "time": None}, "count": 1}
        self.write("out/launches/20260101T000000.000000Z/plan.json", json.dumps(plan))
        self.assertNotIn("failed with less", html)
        html = str(resources.resources_section(Tree(self.path("out")), str))
        self.assertIn("models/A/split_0 failed with less and asked for 1000 MB, first 500 MB.", html)

    def test_damaged_plans_and_statuses_give_a_section_without_what_they_lack(self):
        for asked_words in (None, [], {"train": 3}, {"train": {"memory": "x", "time": -1}}):
            shutil.rmtree(self.path("out"), ignore_errors=True)
            self.assertEqual(self.cells(self.section(asked=asked_words))[3:6], ["700 MB", "", ""], asked_words)
        self.have_status("models/A/split_0", peak_mb=float("inf"), launch="20260101T000000.000000Z", stage="train")
        self.assertEqual(resources.resources_section(Tree(self.path("out")), str), "")


class AdviseTest(MeasuredCase):
    def setUp(self):
        super().setUp()
        self.templates = self.path("templates")
        os.makedirs(self.templates)
        os.makedirs(self.path("raw", "splits"))
        with open(os.path.join(templates.DIRECTORY, "train.sbatch"), encoding="utf-8") as file:
            self.write("templates/train.sbatch", file.read())
        for source, rows in (("S", 10), ("M", 100), ("L", 1000), ("N", 500)):
            write_ids(self.path("raw"), f"{source}_split_0_train.txt", range(rows))
        self.have_launch("20260101T000000.000000Z", HUNDREDFOLD)

    def advise(self, *more):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            code = advise.main(argparse.Namespace(output_dir=self.path("out"), advise=list(more)), self.templates)
        self.assertEqual(code, 0)
        return said.getvalue()

    def asks(self, source):
        given = asked.read(os.path.join(self.templates, "toy", f"train.{source}.sbatch"))
        return given.memory, given.seconds

    def test_studies_that_differ_a_hundredfold_get_what_they_took_and_a_margin_but_never_twice_of_it(self):
        self.advise()
        self.assertEqual([self.asks(source) for source in "SML"], [(300, 300), (1250, 1560), (4000, 15300)])
        for source, (longest, peak) in (("S", (101, 200)), ("M", (1001, 800)), ("L", (10001, 3000))):
            memory, seconds = self.asks(source)
            self.assertTrue(peak * 1.3 <= memory <= peak * 2, source)
            self.assertTrue(longest * 1.5 <= seconds <= max(300, longest * 2), source)     # five minutes are the least

    def test_a_study_that_has_not_run_is_extrapolated_from_its_rows_with_twice_the_margin(self):
        said = self.advise()
        self.assertIn("toy/train.N.sbatch: --mem=5500M --time=04:15:00  (not measured: 500 rows, extrapolated from S, M, L: "
                      "about 5001 s, 2017 MB; twice the margin)", said)

    def test_one_study_is_too_few_to_extrapolate_and_that_is_said(self):
        usage = advise.measured.Usage("train", "S", 1, 10.0, 10.0, 10.0, 100.0, None)
        advices, silent = advise.advise([usage], {"S": 10, "L": 1000})
        self.assertEqual(([advice.source for advice in advices], silent),
                         (["S"], ["train: nothing is advised for L: it takes two studies of different size that ran"]))

    def test_studies_that_need_the_same_share_a_template_and_older_ones_of_ours_are_removed(self):
        self.advise()
        self.write("templates/toy/train.S.sbatch", self.read("templates/toy/train.S.sbatch") + "# mine\n")
        for name, (_, source, _, _) in HUNDREDFOLD.items():
            self.have_status(name, launch="20260101T000000.000000Z", stage="train", **took(7, 9))
        said = self.advise()
        self.assertIn("toy/train.sbatch: --mem=128M --time=00:05:00  (the same for S, M, L, N (extrapolated))\n"
                      "  removed: train.L.sbatch, train.M.sbatch, train.N.sbatch\n", said)
        self.assertEqual(sorted(os.listdir(self.path("templates/toy"))), ["train.S.sbatch", "train.sbatch"])
        self.assertEqual(self.asks("S"), (300, 300))       # what somebody has edited stays

    def test_the_advised_template_is_used_for_this_model_and_study_only_and_keeps_what_else_is_asked(self):
        self.advise()
        self.assertTrue(templates.find_template("train", "M", "toy", self.templates).endswith("/toy/train.M.sbatch"))
        self.assertTrue(templates.find_template("train", "M", "uno", self.templates).endswith("/train.sbatch"))
        self.assertIn("#SBATCH --mem=1250M                  # EDIT: memory of one task\n", self.read("templates/toy/train.M.sbatch"))
        self.assertIn("@@site.sbatch@@", self.read("templates/toy/train.M.sbatch"))

    def test_a_template_of_ours_is_written_anew_from_the_one_that_it_was_made_from(self):
        self.advise()
        first = self.read("templates/toy/train.M.sbatch")
        self.write("templates/train.sbatch", self.read("templates/train.sbatch").replace("cpus-per-task=1", "cpus-per-task=3"))
        self.advise()
        self.assertEqual(self.read("templates/toy/train.M.sbatch").count("Written by --advise"), 1)
        self.assertNotEqual(self.read("templates/toy/train.M.sbatch"), first)
        self.assertIn("--cpus-per-task=3", self.read("templates/toy/train.M.sbatch"))

    def test_a_template_that_somebody_edited_stays_and_the_advice_is_beside_it_with_the_difference(self):
        self.advise()
        edited = self.read("templates/toy/train.M.sbatch").replace("--mem=1250M", "--mem=9000M")
        self.write("templates/toy/train.M.sbatch", edited)
        said = self.advise()
        self.assertEqual(self.read("templates/toy/train.M.sbatch"), edited)
        self.assertEqual(asked.read(self.path("templates/toy/train.M.sbatch.advised")).memory, 1250)
        self.assertIn("train.M.sbatch was edited by hand and stays; the advice is in", said)
        self.assertRegex(said, r"\n  -#SBATCH --mem=9000M .*\n  \+#SBATCH --mem=1250M ")
        self.assertNotIn("checksum", said)

    def test_other_results_of_this_model_count_and_those_of_another_are_refused(self):
        os.rename(self.path("out"), self.path("other"))
        self.have_launch("20260102T000000.000000Z", {"models/M/split_0": ("train", "M", 0, took(2000, 100))})
        self.advise(self.path("other"))
        self.assertEqual(self.asks("M"), (1250, 3000))
        self.have_launch("20260103T000000.000000Z", {"models/S/split_0": ("train", "S", 0, took(1, 1))}, model="uno")
        with self.assertRaisesRegex(advise.Refusal, "results of several models: toy, uno"):
            advise.main(argparse.Namespace(output_dir=self.path("out"), advise=[]), self.templates)

    def test_advise_without_a_launch_is_refused_by_the_launcher(self):
        self.assert_refused(self.run_workflow("csa", "--advise", "--output_dir", "nowhere"), "there is no launch in")


if __name__ == "__main__":
    unittest.main()
