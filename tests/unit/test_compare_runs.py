"""A comparison of runs: whole tables, one verdict for sentence and ranks, refusals, the page."""
import csv
import io
import json
import os
import random
import shutil
import tempfile
import unittest
import xml.dom.minidom
from unittest import mock

import tests  # noqa: F401  (puts the project's folder on the path)
from core.errors import Refusal
from core.metrics import METRICS, regression_scores
from stages.collect.compare import compare, compared, sentences
from stages.report.compare import difference_maps, rank_diagram
from stages.report.run import Figures
from stages.stats.generalization import mean
from tests.made_tree import Campaign

SUMMARY = """one: {top}/one
two: {top}/two

By r2, no model is better than another in both test and average rank.

r2 (within: g[s,s]; Ga: mean over other targets; Gna: Ga relative to within)
model  source  within      Ga     Gna
one         A  0.8000  0.2000  0.2500
two         A  0.6000  0.3000  0.5000
one         B  0.5000  0.2500  0.5000
two         B  0.5000  0.2500  0.5000

differences in r2: model a - model b, mean over pairs of source and target, and on how many of \
these pairs one is significantly better
model a  model b    a - b  a better  b better  verdict
one          two  +0.0250    0 of 4    0 of 4        -

Average rank, 1 is best: one 1.50, two 1.50.
A model is called better if its average rank is better and it is significantly better on more than \
half of the pairs of source and target, significantly worse on none.
With 2 splits and 1 comparison, nothing can be significant: the smallest possible p is 0.5, 0.5 \
after correction, above 0.05; at least 6 splits are needed.
Splits of one study share most of their training rows, so that p values come out smaller than \
independent experiments would give.
"""
TABLE = """model,source,metric,within,Ga,Gna
one,A,mse,0.25,0.25,
two,A,mse,0.5,0.5,
one,B,mse,0.25,0.25,
two,B,mse,0.5,0.5,
one,A,r2,0.8,0.2,0.25
two,A,r2,0.6,0.3,0.5
one,B,r2,0.5,0.25,0.5
two,B,r2,0.5,0.25,0.5
"""
RANKS = """metric,model,average_rank,pairs
mse,one,1.0,4
mse,two,2.0,4
r2,one,1.5,4
r2,two,1.5,4
"""
UP = [0.01 * (split + 1) for split in range(10)]
FLAT = [0.0] * 10


class OneMetric(unittest.TestCase):
    """'AB': of models that were trained on A and tested on B, the score of each split."""

    def test_a_difference_is_tested_over_splits_and_corrected_for_the_couples_of_a_pair(self):
        found = compared("r2", {"x": {"AA": UP, "AB": UP}, "y": {"AA": FLAT, "AB": [0.5] * 10},
                                "z": {"AA": UP, "AB": FLAT}})
        p, thrice = 0.001953125, 0.005859375
        self.assertEqual([(pair.target, *pair[3:6], *pair[7:]) for pair in found.pairs], [
            ("A", "x", "y", 10, p, thrice, "yes", "x"), ("A", "x", "z", 10, 1.0, 1.0, "no", ""),
            ("A", "y", "z", 10, p, thrice, "yes", "z"), ("B", "x", "y", 10, p, thrice, "yes", "y"),
            ("B", "x", "z", 10, p, thrice, "yes", "x"), ("B", "y", "z", 10, p, thrice, "yes", "y")])
        self.assertIn(">p 0.00586 *<", "".join(difference_maps(found, Figures(False))))

    def test_test_ranks_and_diagram_come_to_one_verdict(self):
        """x is better than y on both targets, z better than y on one only, x beats z nowhere."""
        found, svgs = compared("r2", {"x": {"AA": UP, "AB": UP}, "y": {"AA": FLAT, "AB": FLAT},
                                      "z": {"AA": UP, "AB": FLAT}}), mock.Mock()
        self.assertEqual(sentences(found)[0], "By r2, in both test and average rank: x is better "
                         "than y (x - y: +0.0550, significant on 2 of 2 pairs).")
        self.assertEqual([(*it[1:3], *it[5:]) for it in found.couples],
                         [("x", "y", 2, 0, "x"), ("x", "z", 1, 0, ""), ("y", "z", 0, 1, "")])
        rank_diagram(found, svgs)
        self.assertEqual(svgs.add.call_args[0][-1], [["x", "z"], ["z", "y"]])

    def test_of_an_error_the_lower_is_better(self):
        found, svgs = compared("mse", {"x": {"AB": UP}, "y": {"AB": FLAT}}), mock.Mock()
        self.assertEqual((found.ranks, found.couples[0].better), ({"x": 2.0, "y": 1.0}, "y"))
        self.assertEqual(found.couples[0].mean_a_minus_b, mean(UP))
        difference_maps(found, svgs)
        self.assertEqual(svgs.add.call_args[0][5], (mean(UP), -mean(UP)))       # (worst, best)

    def test_a_model_that_is_worse_somewhere_is_not_called_better(self):
        found = compared("r2", {"x": {"AA": UP, "AB": UP, "BA": UP, "BB": FLAT},
                                "y": {"AA": FLAT, "AB": FLAT, "BA": FLAT, "BB": UP}})
        self.assertIn("no model is better than another in both test", sentences(found)[0])

    def test_a_model_of_worse_average_rank_is_not_called_better(self):
        """x is significantly better than y on two of three targets, but last on the third."""
        found = compared("r2", {"x": {"AA": UP, "AB": UP, "AC": [0.1, -0.11] * 5},
                                "y": {"AA": FLAT, "AB": FLAT, "AC": FLAT},
                                **{name: {"AA": [-1.0] * 10, "AB": [-1.0] * 10, "AC": [-0.001] * 10}
                                   for name in ("u", "v")}})
        self.assertEqual(found.couples[0][1:3] + found.couples[0][5:], ("x", "y", 2, 0, ""))

    def test_a_mean_that_one_split_turns_against_the_test_is_not_called_significant(self):
        found = compared("r2", {"x": {"AA": [*UP, *UP[:9], -9.0]}, "y": {"AA": [*FLAT, *FLAT]}})
        self.assertLess(found.pairs[0].p_holm, 0.01)
        self.assertEqual(found.pairs[0][-2:], ("no", "y"))


class WithRuns(unittest.TestCase):

    def setUp(self):
        self.top = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.top)

    def path(self, *parts):
        return os.path.join(self.top, *parts)

    def score(self, name, pair, split, predictions="", **scores):
        directory = self.path(name, "infer", "-".join(pair), f"split_{split}")
        os.makedirs(directory)
        with open(os.path.join(directory, "test_scores.json"), "w", encoding="utf-8") as file:
            json.dump(scores, file)
        if predictions:
            with open(os.path.join(directory, "test_y_data_predicted.csv"), "w") as file:
                file.write(predictions)

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
        return compare([self.path(name) for name in names], self.path("comparison"))[0]

    def text(self, name):
        with open(self.path("comparison", name), encoding="utf-8", newline="") as file:
            return file.read()

    def columns(self, name, *keys):
        return [tuple(row[key] for key in keys)
                for row in csv.DictReader(io.StringIO(self.text(name)))]


class Compared(WithRuns):

    def test_summary_and_tables_say_means_differences_and_ranks(self):
        self.run_of("one", {"AA": [0.75, 0.85], "AB": [0.25, 0.15], "BA": [0.25, 0.25],
                            "BB": [0.5, 0.5]})
        self.run_of("two", {"AA": [0.55, 0.65], "AB": [0.35, 0.25], "BA": [0.25, 0.25],
                            "BB": [0.5, 0.5]}, mse=0.5)
        self.assertEqual(self.compare("one", "two"), SUMMARY.format(top=self.top))
        self.assertEqual(self.text("compare_summary.txt"), SUMMARY.format(top=self.top))
        self.assertEqual(self.text("compare_ranks.csv"), RANKS)
        rounded = [[_rounded(cell) for cell in row] for row in csv.reader(
            io.StringIO(self.text("compare.csv")))]
        self.assertEqual(rounded, [line.split(",") for line in TABLE.splitlines()])
        found = self.columns("compare_models.csv", "metric", "mean_a_minus_b", "better")
        self.assertEqual([(met, _rounded(difference), better) for met, difference, better in found],
                         [("mse", "-0.25", ""), ("r2", "0.025", "")])
        self.assertIn(("mse", "A", "B", "2", "0.5", "one"), self.columns(
            "compare_pairs.csv", "metric", "source", "target", "splits", "p", "better"))

    def test_metrics_that_a_model_did_not_write_are_computed_from_its_predictions(self):
        true, pred = [0.1, 0.4, 0.4, 0.8, 0.9], [0.2, 0.2, 0.5, 0.5, 0.9]
        text = "\n".join(["auc_true,auc_pred"] + [f"{a},{b}" for a, b in zip(true, pred)]) + "\n"
        computed = regression_scores(true, pred)
        for name, written in (("x", dict.fromkeys(METRICS, 0.5)), ("y", {"mse": 0.25, "r2": 0.5})):
            for split in range(2):
                self.score(name, "AB", split, text, **written)
        self.compare("x", "y")
        found = {met: float(value) for model, met, value in self.columns(
            "compare.csv", "model", "metric", "Ga") if model == "y"}
        for met, value in dict(computed, mse=0.25, r2=0.5).items():
            self.assertAlmostEqual(found[met], value)

    def test_only_scores_that_all_runs_have_are_compared(self):
        self.random_run("x", "AB", 10)
        self.random_run("y", "AC", 9)
        self.score("y", "AA", 9, mse=0.5, r2=float("nan"), gain=1)
        summary = self.compare("x", "y")
        self.assertIn("note: compared on what all runs have, by metrics whose better direction is "
                      "known: 19 of the 135 scores that any of them has", summary)
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
        for part in ("mse, rmse and mae have different units: baseline: auc; uno: ic50",
                     "directories, which may hold different data: baseline: /raw; uno: /other",
                     f"uno: {self.path('y')} (SYNTHETIC DEMO DATA)"):
            self.assertIn(part, summary)
        self.assertIn("ynthetic demo data", self.text("compare.html"))

    def test_the_page_shows_names_as_they_are_and_runs_of_one_model_by_their_directories(self):
        names = [self.random_run(name, ["A<i>", "B & C"], 3)
                 for name in ("x<b> & \"y\"", "p/out", "q/out")]
        self.compare(*names)
        page = self.text("compare.html")
        xml.dom.minidom.parseString(page.encode("utf-8"))
        self.assertIn("x&lt;b&gt; &amp;", page)
        self.assertNotIn("<b>", page)
        self.assertNotIn("<i>", page)
        self.assertEqual(set(self.columns("compare.csv", "model")), {
            (names[0],), *((f"out ({self.path(name)})",) for name in names[1:])})


def _rounded(cell):
    """Returns a cell without what floats add in their last digits."""
    try:
        return "%.12g" % float(cell)
    except ValueError:
        return cell


class Refused(WithRuns):

    def test_what_cannot_be_compared_is_refused(self):
        for name, studies in (("x", "AB"), ("y", "CD"), ("z", "AB")):
            self.random_run(name, studies, 2)
        os.symlink(self.path("x"), self.path("link"))
        curve = Campaign(self.path("curve"))
        curve.plan("20260101T0", curve.entries(["A"], ["B"]), workflow="lca")
        os.makedirs(self.path("hpo/gCSI/trials/0000"))
        for names, sentence in (((), "two results trees or more"), (("x",), "two results trees"),
                                (("x", "nowhere"), "nowhere is no cross-study analysis"),
                                (("x", "link"), "each once"), (("x", "y"), "share no metric"),
                                (("x", "curve"), "curve is no cross-study analysis"),
                                (("x", "hpo"), "hpo is no cross-study analysis")):
            with self.subTest(names), self.assertRaisesRegex(Refusal, sentence):
                self.compare(*names)
        self.assertFalse(os.path.exists(self.path("comparison")))
        with open(self.path("comparison"), "w"), self.assertRaisesRegex(Refusal, "cannot be writt"):
            self.compare("x", "z")


if __name__ == "__main__":
    unittest.main()
