"""Classification and metrics of any name: shown in tables and on pages, a direction only if it is known."""
import json
import os

import tests  # noqa: F401  (puts stages/ on the path)

from common import metrics  # noqa: E402
from tests.made_tree import Campaign, write  # noqa: E402
from tests.support import WorkCase  # noqa: E402


class OtherMetricsTest(WorkCase):

    def made(self, name="out", shift=0.0, extra=None):
        campaign = Campaign(self.path(name))
        entries = campaign.entries(("a", "b"), ("a", "b"), (0, 1))
        campaign.plan("20260101T0", entries, model=name)
        campaign.run(entries)
        for at, entry in enumerate(entries):
            if entry["stage"] == "infer":
                scores = dict({"acc": 0.5 + at / 100 + shift, "roc_auc": 0.6 + shift, "aupr": float("nan")}, **extra or {})
                campaign.write(entry["name"] + "/test_scores.json", json.dumps(scores))

    def test_scores_of_classes_are_collected_and_higher_is_better(self):
        self.made()
        ended = self.collect("out")
        self.assertEqual(ended.code, 0, ended)
        self.assertIn("scores: 8 of 8", ended.out)
        self.assertIn("acc, mean over splits", ended.out)
        self.assertEqual({row["met"] for row in self.table("all_scores.csv")}, {"acc", "roc_auc", "aupr"})
        self.assertEqual({row["measure"] for row in self.table("generalization.csv") if row["met"] == "acc"}, {"G", "Gn", "Ga", "Gna"})
        self.assertEqual(self.read("out/scores/acc_mean_csa_table.csv").split("\n")[0], "src,a,b")
        page = self.read("out/report.html")
        self.assertIn("acc: higher is better", page)
        self.assertIn("out has a mean acc of", page)

    def test_a_metric_of_an_unknown_name_is_shown_and_no_direction_is_claimed(self):
        self.made(extra={"loewe_<gain>": 3.5, "../a/b": 1.0})
        self.assertEqual(self.collect("out").code, 0)
        self.assertIn("loewe_<gain>", {row["met"] for row in self.table("all_scores.csv")})
        self.assertEqual({row["measure"] for row in self.table("generalization.csv") if row["met"] == "loewe_<gain>"}, {"G", "Ga"})
        self.assertTrue(os.path.exists(self.path("out", "scores", "..-a-b_scores.csv")))
        self.assertIn("which values are better is not known here", self.read("out/report.html"))

    def test_two_classifiers_are_compared_and_unknown_metrics_named_as_left_out(self):
        for name, shift in (("one", 0.0), ("two", 0.1)):
            self.made(name, shift, {"gain": 3.0})
        ended = self.collect("--compare", "one", "two", "--output_dir", "c")
        self.assertEqual(ended.code, 0, ended)
        self.assertIn("not compared, since it is not known which values are better: gain", ended.out)
        self.assertIn("two 1.00, one 2.00", ended.out)

    def test_old_tables_of_regression_go(self):
        self.made()
        os.makedirs(self.path("out", "scores"))
        self.write("out/scores/r2_scores.csv", "old")
        self.collect("out")
        self.assertFalse(os.path.exists(self.path("out", "scores", "r2_scores.csv")))

    def test_directions_and_order(self):
        self.assertEqual([metrics.direction(name) for name in ("mse", "r2", "acc", "aupr", "kappa", "x")],
                         ["lower", "higher", "higher", "higher", "higher", None])
        self.assertEqual(metrics.in_order(["x", "acc", "r2", "a", "mse", "r2"]), ["mse", "r2", "acc", "a", "x"])
        self.assertFalse(metrics.lower_is_better("acc"))
        with self.assertRaises(ValueError):
            metrics.lower_is_better("x")


class SearchOfClassesTest(WorkCase):
    """A search whose objective is a metric of classification, as its directories have it."""

    def made(self, metric, values):
        space = [{"name": "alpha", "type": "float", "min": 0.0, "max": 9.0, "default": 0.0}]
        write(self.path("out", "A", "study.json"), json.dumps({"val_metric": metric, "space": space}))
        for number, value in enumerate(values):
            write(self.path("out", "A", "trials", f"{number:04d}", "trial.json"), json.dumps({
                "trial": number, "params": {"alpha": number}, "objective": value, "val_metric": metric, "state": "done", "reason": "",
                "scores": {"f1": 0.25, metric: value, "acc": 0.5}, "seconds": 1.0}))

    def test_the_best_is_the_highest_and_the_metrics_stand_in_their_order(self):
        for metric in metrics.OF_CLASSES:
            self.made(metric, [0.25, 0.75, 0.5])
            ended = self.collect("out")
            self.assertEqual(ended.code, 0, ended)
            self.assertEqual(list(json.loads(self.read("out", "hyperparameters_hpo.json")).values()), [{"A": {"alpha": 1}}], metric)
            self.assertEqual([row["best_so_far"] for row in self.table("hpo_results.csv")], ["0.25", "0.75", "0.75"])
        self.made("roc_auc", [0.25])
        self.collect("out")
        self.assertIn(",objective,alpha,acc,f1,roc_auc,aupr,seconds,", self.read("out", "scores", "hpo_results.csv"))

    def test_a_trial_of_a_metric_whose_direction_nobody_knows_is_unreadable_and_has_no_say(self):
        self.made("gain", [0.25, 0.75])
        ended = self.collect("out")
        self.assertNotIn("Traceback", ended.err, ended)
        self.assertEqual([(row["state"], row["objective"]) for row in self.table("hpo_results.csv")], [("unreadable", "")] * 2)
        self.assertIn("study.json is no study", ended.out)
