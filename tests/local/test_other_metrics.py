"""Classification and metrics of any name: shown, with a direction only if it is known."""
import json
import os

from core import metrics
from tests.collect_case import WithTables
from tests.made_tree import of_stage, write


class OtherMetricsTest(WithTables):
    def made(self, **extra):
        for entry in of_stage(self.run_campaign(("a", "b"), model="out"), "infer"):
            scores = dict(acc=0.5, roc_auc=0.6, aupr=float("nan"), **extra)
            self.campaign.write(entry["name"] + "/test_scores.json", json.dumps(scores))

    def measures(self, met):
        return {row["measure"] for row in self.table("generalization.csv") if row["met"] == met}

    def test_scores_of_classes_are_collected_and_higher_is_better(self):
        self.made()
        write(self.path("out", "scores", "r2_scores.csv"), "old")
        code, said, _ = self.collect()
        self.assertEqual(code, 0)
        for part in ("scores: 8 of 8", "acc, mean over splits", "aupr is missing in 8 results"):
            self.assertIn(part, said)
        found = {row["met"] for row in self.table("all_scores.csv")}
        self.assertEqual(found, {"acc", "roc_auc", "aupr"})
        self.assertEqual(self.measures("acc"), {"G", "Gn", "Ga", "Gna"})
        self.assertEqual(self.read("out/scores/acc_mean_csa_table.csv").split("\n")[0], "src,a,b")
        self.assertFalse(os.path.exists(self.path("out", "scores", "r2_scores.csv")))
        self.assertIn("out has a mean acc of", self.read("out/report.html"))

    def test_a_metric_of_an_unknown_name_is_shown_and_no_direction_is_claimed(self):
        self.made(**{"loewe_<gain>": 3.5, "../a/b": 1.0})
        self.assertEqual(self.collect()[0], 0)
        self.assertEqual(self.measures("loewe_<gain>"), {"G", "Ga"})
        self.assertTrue(os.path.exists(self.path("out", "scores", "..-a-b_scores.csv")))


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
            self.assertEqual(self.collect()[0], 0)
            best = json.loads(self.read("out", "hyperparameters_hpo.json"))
            self.assertEqual(list(best.values()), [{"A": {"alpha": 1}}], metric)
            self.assertEqual([row["best_so_far"] for row in self.table("hpo_results.csv")],
                             ["0.25", "0.75", "0.75"])
        self.made("roc_auc", [0.25])
        self.collect()
        self.assertIn(",objective,alpha,acc,f1,roc_auc,aupr,seconds,",
                      self.read("out", "scores", "hpo_results.csv"))

    def test_a_trial_of_a_metric_whose_direction_nobody_knows_has_no_say(self):
        self.made("gain", [0.25, 0.75])
        said = self.collect()[1]
        found = [(row["state"], row["objective"]) for row in self.table("hpo_results.csv")]
        self.assertEqual(found, [("unreadable", "")] * 2)
        self.assertIn("study.json: is no study", said)
