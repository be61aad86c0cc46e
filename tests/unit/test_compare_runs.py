"""The parts of a comparison of runs: whole tables, labels, what differs, refusals, the page."""
import csv
import io
import json
import os
import random
import re
import shutil
import tempfile
import unittest
import xml.dom.minidom

HERE = os.path.dirname(os.path.abspath(__file__))
import tests  # noqa: F401  (puts stages/ on the path)

from collect.compare import Refusal, compare  # noqa: E402
from tests.made_tree import Campaign, of_stage  # noqa: E402

# r2 of ten splits; scipy 1.18.1's wilcoxon gives p = 0.6953125 for these (test_significance.py)
MODEL_A = [0.74, 0.749, 0.7318, 0.7133, 0.7264, 0.7103, 0.7418, 0.7802, 0.7252, 0.7214]
MODEL_B = [0.7202, 0.7319, 0.7197, 0.7219, 0.717, 0.6864, 0.7587, 0.7794, 0.7532, 0.7372]

SUMMARY = """comparison of 2 runs
one: {top}/one
two: {top}/two

r2 (within: g[s,s]; Ga: mean over other targets; Gna: Ga relative to within)
model  source  within      Ga     Gna
one         A  0.8000  0.2000  0.2500
two         A  0.6000  0.3000  0.5000
one         B  0.5000  0.2500  0.5000
two         B  0.5000  0.2500  0.5000

average rank, 1 is best
model   mse    r2
one    1.00  1.50
two    2.00  1.50

Average rank by r2, 1 is best: one 1.50, two 1.50. 0 of 4 differences between two models on a source and target are \
significant at 0.05 after correction.
With 2 splits and 4 comparisons, nothing can be significant: the smallest possible p is 0.5, 1 after correction, above \
0.05; at least 8 splits are needed.
Splits of one study share most of their training rows, so that p values come out smaller than independent experiments \
would give.
"""
TABLE = """model,source,metric,within,Ga,Gna,targets,scores
one,A,mse,0.25,0.25,,1,4
two,A,mse,0.5,0.5,,1,4
one,B,mse,0.25,0.25,,1,4
two,B,mse,0.5,0.5,,1,4
one,A,r2,0.8,0.2,0.25,1,4
two,A,r2,0.6,0.3,0.5,1,4
one,B,r2,0.5,0.25,0.5,1,4
two,B,r2,0.5,0.25,0.5,1,4
"""


class WithRuns(unittest.TestCase):

    def setUp(self):
        self.top = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.top)

    def path(self, name):
        return os.path.join(self.top, name)

    def score(self, name, source, target, split, **scores):
        directory = os.path.join(self.path(name), "infer", f"{source}-{target}", f"split_{split}")
        os.makedirs(directory)
        with open(os.path.join(directory, "test_scores.json"), "w", encoding="utf-8") as file:
            json.dump(scores, file)

    def run_of(self, name, values, mse=0.25):
        """Writes a tree; values: {(source, target): r2 of each split}."""
        for (source, target), of_splits in values.items():
            for split, r2 in enumerate(of_splits):
                self.score(name, source, target, split, mse=mse, r2=r2)

    def random_run(self, name, seed, studies="AB", splits=10, shift=0.0):
        numbers = random.Random(seed)
        self.run_of(name, {(source, target): [round(numbers.random(), 3) + shift for _ in range(splits)]
                           for source in studies for target in studies})

    def compare(self, *names):
        return compare([self.path(name) for name in names], self.path("comparison"))[0]

    def text(self, name):
        with open(os.path.join(self.path("comparison"), name), encoding="utf-8", newline="") as file:
            return file.read()

    def rows(self, name, **wanted):
        return [row for row in csv.DictReader(io.StringIO(self.text(name)))
                if all(row[key] == value for key, value in wanted.items())]


class Compared(WithRuns):

    def small_runs(self):
        self.run_of("one", {("A", "A"): [0.75, 0.85], ("A", "B"): [0.25, 0.15],
                            ("B", "A"): [0.25, 0.25], ("B", "B"): [0.5, 0.5]}, mse=0.25)
        self.run_of("two", {("A", "A"): [0.55, 0.65], ("A", "B"): [0.35, 0.25],
                            ("B", "A"): [0.25, 0.25], ("B", "B"): [0.5, 0.5]}, mse=0.5)

    def test_the_summary_and_the_table_tell_within_and_across(self):
        self.small_runs()
        self.assertEqual(self.compare("one", "two"), SUMMARY.format(top=self.top))
        self.assertEqual(self.text("compare_summary.txt"), SUMMARY.format(top=self.top))
        found, expected = ([line.split(",") for line in text.split("\n")]
                           for text in (self.text("compare.csv"), TABLE))
        for one, other in zip(found, expected):
            self.assertEqual([_rounded(cell) for cell in one], other)
        self.assertEqual(len(found), len(expected))

    def test_ranks_share_ties_and_follow_the_direction_of_the_metric(self):
        self.small_runs()
        self.compare("one", "two")
        self.assertEqual(self.text("compare_ranks.csv"),
                         "metric,model,average_rank,pairs\nmse,one,1.0,4\nmse,two,2.0,4\n"
                         "r2,one,1.5,4\nr2,two,1.5,4\n")

    def test_the_p_value_is_that_of_the_signed_rank_test_over_splits(self):
        self.run_of("one", {("A", "A"): MODEL_A})
        self.run_of("two", {("A", "A"): MODEL_B})
        self.compare("one", "two")
        row, = self.rows("compare_pairs.csv", metric="r2")
        self.assertEqual((row["model_a"], row["model_b"], row["splits"]), ("one", "two", "10"))
        self.assertAlmostEqual(float(row["p"]), 0.6953125, delta=1e-9)
        self.assertAlmostEqual(float(row["mean_difference"]), 0.00138, delta=1e-9)
        self.assertEqual((row["significant"], row["better"]), ("no", "one"))

    def test_p_values_are_corrected_for_all_comparisons_of_a_metric(self):
        up = [0.01 * (split + 1) for split in range(10)]
        self.run_of("one", {("A", "A"): up, ("A", "B"): up, ("B", "B"): MODEL_A})
        self.run_of("two", {("A", "A"): [0.0] * 10, ("A", "B"): [0.5] * 10, ("B", "B"): MODEL_B})
        self.compare("one", "two")
        rows = self.rows("compare_pairs.csv", metric="r2")
        self.assertEqual([round(float(row["p_holm"]), 9) for row in rows], [0.005859375, 0.005859375, 0.6953125])
        self.assertEqual([row["significant"] for row in rows], ["yes", "yes", "no"])
        self.assertEqual([row["better"] for row in rows], ["one", "two", "one"])

    def test_of_an_error_the_lower_is_better(self):
        self.small_runs()
        self.compare("one", "two")
        self.assertEqual({row["better"] for row in self.rows("compare_pairs.csv", metric="mse")}, {"one"})

    def test_three_runs_make_three_couples(self):
        for name, seed in (("x", 1), ("y", 2), ("z", 3)):
            self.random_run(name, seed)
        self.compare("x", "y", "z")
        rows = self.rows("compare_pairs.csv", metric="r2", source="A", target="B")
        self.assertEqual([(row["model_a"], row["model_b"]) for row in rows], [("x", "y"), ("x", "z"), ("y", "z")])

    def test_stale_tables_are_not_read(self):
        self.random_run("x", 1)
        self.random_run("y", 2)
        os.makedirs(os.path.join(self.path("x"), "scores"))
        with open(os.path.join(self.path("x"), "scores", "all_scores.csv"), "w") as file:
            file.write("met,split,value,src,trg,model\nr2,0,99,A,A,x\n")
        first = self.compare("x", "y")
        shutil.rmtree(os.path.join(self.path("x"), "scores"))
        self.assertEqual(self.compare("x", "y"), first)


def _rounded(cell):
    """Returns a cell without what floats add in their last digits."""
    try:
        return "%.12g" % float(cell)
    except ValueError:
        return cell


class Shared(WithRuns):

    def test_other_studies_and_splits_are_left_out_and_it_is_said(self):
        self.random_run("x", 1, "AB", 10)
        self.random_run("y", 2, "AC", 9)
        self.assertIn("note: compared on what all runs share: 18 of the 134 scores that any of them has; "
                      "left out: sources B, C; targets B, C; splits 9", self.compare("x", "y"))
        self.assertEqual({(row["source"], row["target"], row["splits"]) for row in self.rows("compare_pairs.csv")},
                         {("A", "A", "9")})

    def test_a_score_that_one_run_lacks_is_left_out_for_all(self):
        self.random_run("x", 1)
        self.random_run("y", 2)
        shutil.rmtree(os.path.join(self.path("y"), "infer", "A-B", "split_3"))
        self.assertIn("left out: single scores that some run lacks", self.compare("x", "y"))
        row, = self.rows("compare_pairs.csv", metric="r2", source="A", target="B")
        self.assertEqual(row["splits"], "9")

    def test_an_undefined_score_is_left_out_for_its_metric_only(self):
        for name in ("x", "y"):
            for split in range(3):
                bad = name == "y" and split == 1
                self.score(name, "A", "A", split, mse=0.5, pcc=float("nan") if bad else 0.5)
        self.compare("x", "y")
        self.assertEqual([row["splits"] for row in self.rows("compare_pairs.csv")], ["3", "2"])

    def test_runs_of_one_model_have_different_labels(self):
        entries = None
        for name in ("first", "second"):
            campaign = Campaign(self.path(name))
            entries = campaign.entries(["a"], ["a", "b"])
            campaign.plan("20260101T0", entries)
            campaign.run(entries)
        self.compare("first", "second")
        self.assertEqual({row["model"] for row in self.rows("compare.csv")},
                         {"baseline (first)", "baseline (second)"})

    def test_labels_differ_even_where_models_and_directories_have_one_name(self):
        for name in ("p/out", "q/out"):
            self.random_run(name, 1)
        summary = self.compare("p/out", "q/out")
        self.assertIn(f"out ({self.top}/p/out): ", summary)
        self.assertIn(f"out ({self.top}/q/out): ", summary)

    def test_other_data_responses_and_demo_data_are_said(self):
        for name, plan, raw in (("x", {}, "/raw"),
                                ("y", {"synthetic": True, "y_col_name": "ic50", "model": "uno"}, "/other")):
            campaign = Campaign(self.path(name))
            entries = campaign.entries(["a"], ["a", "b"])
            for entry in entries:
                entry["words"] = [raw if word == "/raw" else word for word in entry["words"]]
            campaign.plan("20260101T0", entries, **plan)
            campaign.run(entries)
        summary = self.compare("x", "y")
        self.assertIn("different responses, so that mse, rmse and mae have different units: baseline: auc; uno: ic50",
                      summary)
        self.assertIn("which may hold different data: baseline: /raw; uno: /other", summary)
        self.assertIn("synthetic are uno", summary)
        self.assertIn("(SYNTHETIC DEMO DATA)", summary)
        self.assertIn("ynthetic demo data", self.text("compare.html"))


    def campaign_of(self, name, model, **scripts):
        """Writes a tree whose tasks were run by scripts of these fingerprints."""
        campaign = Campaign(self.path(name))
        entries = campaign.entries(["a"], ["a", "b"])
        campaign.plan("20260101T0", entries, model=model)
        for stage in ("preprocess", "train", "infer"):
            campaign.run(of_stage(entries, stage), script=scripts.get(stage, "10:aaaaaaaa"))

    def test_other_scripts_of_one_model_are_said(self):
        self.campaign_of("x", "uno")
        self.campaign_of("y", "uno", train="10:bbbbbbbb")
        summary = self.compare("x", "y")
        self.assertIn("note: the train scripts of uno (x), uno (y) differ, though the model's name is the same", summary)
        self.assertNotIn("the infer scripts", summary)

    def test_scripts_of_two_models_and_equal_ones_are_not_worth_a_word(self):
        self.campaign_of("x", "uno")
        self.campaign_of("y", "lgbm", train="10:bbbbbbbb")
        self.assertNotIn("scripts of", self.compare("x", "y"))
        self.campaign_of("z", "uno")
        self.assertNotIn("scripts of", self.compare("x", "z"))


class Refused(WithRuns):

    def refused(self, sentence, *names):
        with self.assertRaisesRegex(Refusal, sentence) as caught:
            self.compare(*names)
        self.assertTrue(caught.exception.way_out)
        self.assertFalse(os.path.exists(self.path("comparison")))

    def test_one_run_or_none_is_refused(self):
        self.random_run("x", 1)
        self.refused("two results trees or more, not one", "x")
        self.refused("no results tree is named")

    def test_a_directory_that_is_not_there_is_refused(self):
        self.random_run("x", 1)
        self.refused("nowhere is not a directory", "x", "nowhere")

    def test_the_same_tree_twice_is_refused(self):
        self.random_run("x", 1)
        os.symlink(self.path("x"), self.path("link"))
        self.refused("is named twice", "x", "link")

    def test_other_workflows_are_refused(self):
        self.random_run("x", 1)
        campaign = Campaign(self.path("curve"))
        campaign.plan("20260101T0", [], workflow="lca")
        self.refused("written by the workflow 'lca', and only cross-study", "x", "curve")
        os.makedirs(self.path("improve/infer/split_0/sz_128"))
        self.refused("holds no infer/SOURCE-TARGET/split_K: only cross-study", "x", "improve")
        os.makedirs(self.path("hpo/gCSI/trials/0000"))
        self.refused("holds no infer/SOURCE-TARGET/split_K: only cross-study", "x", "hpo")

    def test_runs_that_share_nothing_are_refused(self):
        self.random_run("x", 1, "AB")
        self.random_run("y", 1, "CD")
        self.refused("the runs share no score", "x", "y")

    def test_a_directory_that_cannot_be_written_is_refused(self):
        self.random_run("x", 1)
        self.random_run("y", 2)
        with open(self.path("file"), "w"):
            pass
        with self.assertRaisesRegex(Refusal, "cannot be written"):
            compare([self.path("x"), self.path("y")], os.path.join(self.path("file"), "inside"))


class Page(WithRuns):

    def test_the_page_is_well_formed_and_shows_names_as_they_are(self):
        self.random_run("x<b> & \"y\"", 1, ["A<i>", "B & C"])
        self.random_run("m" * 40, 2, ["A<i>", "B & C"])
        self.compare("x<b> & \"y\"", "m" * 40)
        page = self.text("compare.html")
        xml.dom.minidom.parseString(page.encode("utf-8"))
        self.assertIn("x&lt;b&gt; &amp;", page)
        self.assertNotIn("<b>", page)
        self.assertNotIn("<i>", page)
        self.assertNotIn("<script", page)

    def test_it_draws_a_figure_of_differences_per_couple_up_to_a_limit(self):
        for seed in range(6):
            self.random_run(f"model{seed}", seed, "AB", 3)
        self.compare(*[f"model{seed}" for seed in range(6)])
        page = self.text("compare.html")
        drawn = set(re.findall(r"Mean difference in r2: (model\d minus model\d)", page))
        self.assertEqual(len(drawn), 10)        # of 15
        self.assertIn("Left out: figures of 5 more couples of models", page)

    def test_it_has_no_figure_of_what_no_run_has(self):
        self.run_of("x", {("A", "A"): [0.5, 0.25]})
        self.run_of("y", {("A", "A"): [0.25, 0.75]})
        self.compare("x", "y")
        self.assertNotIn("Across studies, by source", self.text("compare.html"))


if __name__ == "__main__":
    unittest.main()
