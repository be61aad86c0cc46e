"""A comparison of runs: whole tables, one verdict for sentence and ranks, refusals, the page."""
import json
import os
import random
import unittest
from unittest import mock

from core.errors import Refusal
from core.metrics import METRICS
from stages.collect.compare import compare, compared, sentences
from stages.report.compare import difference_maps, rank_diagram
from stages.report.run import Figures
from stages.stats.generalization import mean
from tests.made_tree import Campaign
from tests.support import WorkCase

SUMMARY = """one: {top}/one
two: {top}/two

By r2, by paired test and average rank together: no model is better than another.

within: g[s,s]; Ga: mean over other targets; Gna: Ga relative to within
model  source  metric  within      Ga     Gna
one         A      r2  0.8000  0.2000  0.2500
two         A      r2  0.6000  0.3000  0.5000
one         B      r2  0.5000  0.2500  0.5000
two         B      r2  0.5000  0.2500  0.5000

differences over all pairs of source and target, and on how many one is significantly better
metric  model_a  model_b  pairs  mean_a_minus_b  a_significantly_better  b_significantly_better  \
rank_a  rank_b  better
r2          one      two      4          0.0250                       0                       0  \
1.5000  1.5000

A model is called better if its average rank is better and it is significantly better on more than \
half of the pairs of source and target, significantly worse on none.
With 2 splits and 1 comparison, nothing can be significant: the smallest possible p is 0.5, 0.5 \
after correction, above 0.05; at least 6 splits are needed.
Splits of one study share most of their training rows, so that p values come out smaller than \
independent experiments would give.
note: compared on what all runs have, by metrics whose better direction is known: 16 of the 16 \
scores that any of them has
"""
UP = [0.01 * (split + 1) for split in range(10)]
FLAT = [0.0] * 10


class OneMetric(unittest.TestCase):
    """'AB': of models that were trained on A and tested on B, the score of each split."""

    def test_a_difference_is_tested_over_splits_and_corrected_for_the_couples_of_a_pair(self):
        found = compared("r2", {"x": {"AA": UP, "AB": UP}, "y": {"AA": FLAT, "AB": [0.5] * 10},
                                "z": {"AA": UP, "AB": FLAT}})
        p, thrice = 0.001953125, 0.005859375
        self.assertEqual([pair[2:6] + pair[7:] for pair in found.pairs[:4]], [
            ("A", "x", "y", 10, p, thrice, "yes", "x"), ("A", "x", "z", 10, 1.0, 1.0, "no", ""),
            ("A", "y", "z", 10, p, thrice, "yes", "z"), ("B", "x", "y", 10, p, thrice, "yes", "y")])
        self.assertIn(">p 0.00586 *<", "".join(difference_maps(found, Figures(False))))

    def test_test_ranks_and_diagram_come_to_one_verdict(self):
        """x is better than y on both targets, z better than y on one only, x beats z nowhere."""
        found, svgs = compared("r2", {"x": {"AA": UP, "AB": UP}, "y": {"AA": FLAT, "AB": FLAT},
                                      "z": {"AA": UP, "AB": FLAT}}), mock.Mock()
        self.assertEqual(sentences(found)[0],
                         "By r2, by paired test and average rank together: x is better than y.")
        self.assertEqual([(*it[1:3], *it[5:7], it.better) for it in found.couples],
                         [("x", "y", 2, 0, "x"), ("x", "z", 1, 0, ""), ("y", "z", 0, 1, "")])
        rank_diagram(found, svgs)
        self.assertEqual([values for _, values, _ in svgs.add.call_args[0][3]],
                         [[1.25], [2.0], [2.75], [1.25, 2.0], [2.0, 2.75]])

    def test_of_an_error_the_lower_is_better(self):
        found, svgs = compared("mse", {"x": {"AB": UP}, "y": {"AB": FLAT}}), mock.Mock()
        self.assertEqual(found.couples[0][4:], (mean(UP), 0, 1, 2.0, 1.0, "y"))
        difference_maps(found, svgs)
        self.assertEqual(svgs.add.call_args[0][5], (mean(UP), -mean(UP)))       # (worst, best)

    def test_a_model_that_is_worse_somewhere_or_in_average_rank_is_not_called_better(self):
        bad = {"AA": [-1.0] * 10, "AB": [-1.0] * 10, "AC": [-0.001] * 10}
        good = {"x": {"AA": UP, "AB": UP, "AC": [0.1, -0.11] * 5},
                "y": {"AA": FLAT, "AB": FLAT, "AC": FLAT}}
        for groups, counts in (
                ({"x": {"AA": UP, "AB": UP, "BA": UP, "BB": FLAT},
                  "y": {"AA": FLAT, "AB": FLAT, "BA": FLAT, "BB": UP}}, (3, 1)),
                ({**good, "u": bad}, (2, 0)), ({**good, "u": bad, "v": bad}, (2, 0))):
            couple = compared("r2", groups).couples[0]
            self.assertEqual((couple[5:7], couple.better), (counts, ""))

    def test_a_mean_that_one_split_turns_against_the_test_is_not_called_significant(self):
        found = compared("r2", {"x": {"AA": [*UP, *UP[:9], -9.0]}, "y": {"AA": [*FLAT, *FLAT]}})
        self.assertLess(found.pairs[0].p_holm, 0.01)
        self.assertEqual(found.pairs[0][-2:], ("no", "y"))


class WithRuns(WorkCase):

    def score(self, name, pair, split, **scores):
        folder = f"{name}/infer/{'-'.join(pair)}/split_{split}"
        self.write(f"{folder}/test_scores.json", json.dumps(scores))

    def run_of(self, name, values, mse=0.25):
        """Writes a tree; values: {'AB': r2 of each split trained on A, tested on B}."""
        for pair, of_splits in values.items():
            for split, r2 in enumerate(of_splits):
                self.score(name, pair, split, mse=mse, r2=r2)
        return name

    def random_run(self, name, studies="AB", splits=10):
        numbers = random.Random(name)
        return self.run_of(name, {(source, target): [numbers.random() for _ in range(splits)]
                                  for source in studies for target in studies})

    def compare(self, *names):
        return compare([self.path(name) for name in names], self.path("out/scores"))

    def columns(self, name, *keys):
        return [tuple(map(row.get, keys)) for row in self.table(name)]


class Compared(WithRuns):

    def test_summary_and_tables_say_means_differences_and_ranks(self):
        self.run_of("one", {"AA": [0.75, 0.85], "AB": [0.25, 0.15], "BA": [0.25, 0.25],
                            "BB": [0.5, 0.5]})
        self.run_of("two", {"AA": [0.55, 0.65], "AB": [0.35, 0.25], "BA": [0.25, 0.25],
                            "BB": [0.5, 0.5]}, mse=0.5)
        self.assertEqual(self.compare("one", "two"), SUMMARY.format(top=self.work))
        self.assertEqual(self.read("out/scores/compare_summary.txt"), SUMMARY.format(top=self.work))
        self.assertTrue(self.read("out/scores/compare.csv").startswith(
            "model,source,metric,within,Ga,Gna\none,A,mse,0.25,0.25,\ntwo,A,mse,0.5,0.5,\n"))
        self.assertIn(("mse", "-0.25", "1.0", "2.0", ""), self.columns(
            "compare_models.csv", "metric", "mean_a_minus_b", "rank_a", "rank_b", "better"))
        self.assertIn(("mse", "A", "B", "2", "0.5", "one"), self.columns(
            "compare_pairs.csv", "metric", "source", "target", "splits", "p", "better"))

    def test_metrics_that_a_model_did_not_write_are_computed_from_its_predictions(self):
        self.score("x", "AB", 0, **dict.fromkeys(METRICS, 0.5))
        self.score("y", "AB", 0, mse=0.5, r2=0.75)
        self.write("y/infer/A-B/split_0/test_y_data_predicted.csv",
                 "auc_true,auc_pred\n0.0,0.5\n1.0,0.5\n0.0,0.0\n1.0,1.0\n")
        self.compare("x", "y")
        found = {met: round(float(value), 4) for model, met, value in self.columns(
            "compare.csv", "model", "metric", "Ga") if model == "y"}
        self.assertEqual(found, {"mse": 0.5, "rmse": 0.3536, "mae": 0.25, "pcc": 0.7071,
                                 "scc": 0.7071, "r2": 0.75})

    def test_only_scores_that_all_runs_have_are_compared(self):
        self.random_run("x", "AB", 10)
        self.random_run("y", "AC", 9)
        self.score("x", "AA", 9, mse=0.5, r2=0.5, gain=1)
        self.score("y", "AA", 9, mse=0.5, r2=float("nan"), gain=1)
        self.assertIn("known: 19 of the 135 scores that any of them has", self.compare("x", "y"))
        self.assertEqual(self.columns("compare_pairs.csv", "metric", "source", "target", "splits"),
                         [("mse", "A", "A", "10"), ("r2", "A", "A", "9")])

    def test_other_responses_other_data_and_demo_data_are_notes(self):
        for name, plan in (("x", {"input_dir": "/raw"}), ("y", {
                "synthetic": True, "y_col_name": "ic50", "model": "uno", "input_dir": "/other"})):
            campaign = Campaign(self.path(name))
            entries = campaign.entries(["a"], ["a", "b"])
            campaign.plan("20260101T0", entries, **plan)
            campaign.run(entries)
        summary = self.compare("x", "y")
        for part in ("the runs have another y_col_name: baseline: auc; uno: ic50",
                     "the runs have another input_dir: baseline: /raw; uno: /other",
                     f"uno: {self.path('y')} (SYNTHETIC DEMO DATA)"):
            self.assertIn(part, summary)
        self.assertIn("ynthetic demo data", self.read("out/scores/compare.html"))

    def test_the_page_shows_names_as_they_are_and_runs_of_one_model_by_their_directories(self):
        self.compare(*[self.random_run(name, "AB", 3) for name in ("x<b>", "p/out", "q/out")])
        self.assertIn("x&lt;b&gt;", self.read("out/scores/compare.html"))
        self.assertEqual(set(self.columns("compare.csv", "model")), {
            ("x<b>",), *((f"out ({self.path(name)})",) for name in ("p/out", "q/out"))})


class Refused(WithRuns):

    def test_what_cannot_be_compared_is_refused(self):
        for name, studies in (("x", "AB"), ("y", "CD"), ("z", "AB")):
            self.random_run(name, studies, 2)
        os.symlink(self.path("x"), self.path("link"))
        curve = Campaign(self.path("curve"))
        curve.plan("20260101T0", curve.entries(["A"], ["B"]), workflow="lca")
        for names, sentence in (((), "two results trees or more"), (("x",), "two results trees"),
                                (("x", "nowhere"), "nowhere is no cross-study analysis"),
                                (("x", "link"), "each once"), (("x", "y"), "share no metric"),
                                (("x", "curve"), "curve is no cross-study analysis")):
            with self.subTest(names), self.assertRaisesRegex(Refusal, sentence):
                self.compare(*names)
        self.assertFalse(os.path.exists(self.path("out")))
        self.write("out", "")
        with self.assertRaisesRegex(Refusal, "cannot be written"):
            self.compare("x", "z")


if __name__ == "__main__":
    unittest.main()
