"""Classification and metrics of any name: shown, with a direction only if it is known."""
import json
import os
from itertools import product

from core import metrics
from tests.collect_case import WithTables
from tests.made_tree import of_stage, write


class OtherMetricsTest(WithTables):
    def test_of_classes_higher_is_better_and_of_an_unknown_name_no_direction_is_claimed(self):
        scores = {"acc": 0.5, "roc_auc": 0.6, "aupr": float("nan"), "loewe_<gain>": 3.5,
                  "../a/b": 1}
        for entry in of_stage(self.run_campaign("ab", model="out"), "infer"):
            self.campaign.write(entry["name"] + "/test_scores.json", json.dumps(scores))
        self.campaign.write("scores/r2_scores.csv", "old")
        code, said, _ = self.collect()
        self.assertEqual(code, 0)
        for part in ("scores: 8 of 8", "acc, mean over splits", "aupr is missing in 8 results",
                     "no naive baseline: test_scores.json: has no score of regression (8 results)"):
            self.assertIn(part, said)
        self.assertEqual({row["met"] for row in self.table("all_scores.csv")}, set(scores))
        self.assertEqual({(row["met"], row["measure"]) for row in self.table("generalization.csv")},
                         {*product(["acc", "roc_auc"], ["G", "Gn", "Ga", "Gna"]),
                          *product(["loewe_<gain>", "../a/b"], ["G", "Ga"])})
        files = os.listdir(self.path("out/scores"))
        self.assertIn("..-a-b_scores.csv", files)
        self.assertNotIn("r2_scores.csv", files)
        self.assertIn("out has a mean acc of", self.read("out/report.html"))


class SearchOfClassesTest(WithTables):
    """A search whose objective is a metric of classification, as its directories have it."""

    def made(self, metric, values):
        space = [{"name": "alpha", "type": "float", "min": 0.0, "max": 9.0, "default": 0.0}]
        study = {"val_metric": metric, "space": space}
        write(self.path("out", "A", "study.json"), json.dumps(study))
        for number, value in enumerate(values):
            trial = {"trial": number, "params": {"alpha": number}, "objective": value,
                     "val_metric": metric, "state": "done", "reason": "", "seconds": 1.0,
                     "scores": {"f1": 0.25, metric: value, "acc": 0.5}}
            write(self.path("out", "A", "trials", f"{number:04d}", "trial.json"), json.dumps(trial))

    def test_the_best_is_the_highest_and_the_metrics_are_in_their_order(self):
        for metric in metrics.OF_CLASSES:
            self.made(metric, [0.25, 0.75, 0.5])
            self.collect()
            best = json.loads(self.read("out", "hyperparameters_hpo.json"))
            self.assertEqual(list(best.values()), [{"A": {"alpha": 1}}], metric)
            self.assertEqual([row["best_so_far"] for row in self.table("hpo_results.csv")],
                             ["0.25", "0.75", "0.75"])
        self.assertIn(",objective,alpha,acc,f1,aupr,seconds,",
                      self.read("out/scores/hpo_results.csv"))

    def test_a_trial_of_a_metric_whose_direction_nobody_knows_has_no_say(self):
        self.made("gain", [0.25, 0.75])
        said = self.collect()[1]
        found = [(row["state"], row["objective"]) for row in self.table("hpo_results.csv")]
        self.assertEqual(found, [("unreadable", "")] * 2)
        self.assertIn("study.json: is no study", said)
