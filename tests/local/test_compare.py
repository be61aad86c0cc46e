"""collect_scores.py --compare: what is compared, on what, and what is significant."""
import csv
import json
import os
import sys
import unittest

from tests.support import STAGES, WorkCase

import tests  # noqa: F401  (puts stages/ on the path)
from stats.significance import wilcoxon_signed_rank  # noqa: E402

# r2 of split k; b is better than a by 0.01 .. 0.10, each split by another amount
BETTER = [0.01 * (k + 1) for k in range(10)]


class CompareTest(WorkCase):
    def tree(self, name, studies=("A", "B"), splits=10, better=0.0):
        for source in studies:
            for target in studies:
                for split in range(splits):
                    value = (0.8 if source == target else 0.4) + 0.003 * split + better * BETTER[split]
                    folder = self.path(name, "infer", f"{source}-{target}", f"split_{split}")
                    os.makedirs(folder)
                    with open(os.path.join(folder, "test_scores.json"), "w") as file:
                        json.dump({"mse": 1 - value, "rmse": 1 - value, "pcc": value, "scc": value, "r2": value}, file)
        return name

    def compare(self, *trees):
        return self.run_command(sys.executable, os.path.join(STAGES, "collect_scores.py"), "--compare", *trees, "--output_dir", "cmp")

    def rows(self, name, **wanted):
        with open(self.path("cmp", name), newline="") as file:
            return [row for row in csv.DictReader(file) if all(row[key] == value for key, value in wanted.items())]

    def test_within_ga_and_gna_of_each_model(self):
        self.compare(self.tree("a"), self.tree("b", better=1.0))
        row = self.rows("compare.csv", metric="r2", source="A", model="a")[0]
        self.assertAlmostEqual(float(row["within"]), 0.8 + 0.003 * 4.5)
        self.assertAlmostEqual(float(row["Ga"]), 0.4 + 0.003 * 4.5)
        self.assertAlmostEqual(float(row["Gna"]), (0.4 + 0.003 * 4.5) / (0.8 + 0.003 * 4.5))

    def test_paired_differences_are_tested_and_corrected(self):
        ended = self.compare(self.tree("a"), self.tree("b", better=1.0))
        self.assertEqual(ended.code, 0, ended)
        rows = self.rows("compare_pairs.csv", metric="r2")
        self.assertEqual(len(rows), 4)
        p = wilcoxon_signed_rank([-x for x in BETTER])[1]
        self.assertAlmostEqual(p, 2 / 2 ** 10)
        for row in rows:
            self.assertAlmostEqual(float(row["mean_difference"]), -sum(BETTER) / 10)
            self.assertAlmostEqual(float(row["p"]), p)
            self.assertAlmostEqual(float(row["p_holm"]), 4 * p)
            self.assertEqual(row["better"], "b")
        ranks = {row["model"]: float(row["average_rank"]) for row in self.rows("compare_ranks.csv", metric="mse")}
        self.assertEqual(ranks, {"a": 2.0, "b": 1.0})

    def test_too_few_splits_for_anything_are_said(self):
        ended = self.compare(self.tree("a", splits=3), self.tree("b", splits=3, better=1.0))
        self.assertIn("nothing can be significant", ended.out)

    def test_runs_are_compared_on_what_they_share(self):
        ended = self.compare(self.tree("a", studies=("A", "B", "C")), self.tree("b", splits=9))
        self.assertEqual(ended.code, 0, ended)
        self.assertIn("compared on what all runs share", ended.out)
        self.assertEqual({row["splits"] for row in self.rows("compare_pairs.csv")}, {"9"})
        self.assertEqual({row["source"] for row in self.rows("compare.csv")}, {"A", "B"})

    def test_what_cannot_be_compared_is_refused(self):
        self.tree("a")
        os.makedirs(self.path("empty"))
        self.tree("c", studies=("X", "Y"))
        for trees, part in ((["a"], "two results trees or more"), (["a", "nowhere"], "is not a directory"),
                            (["a", "a"], "is named twice"), (["a", "empty"], "empty"), (["a", "c"], "")):
            self.assert_refused(self.compare(*trees), part)
        self.assert_refused(self.run_command(sys.executable, os.path.join(STAGES, "collect_scores.py")), "one results tree OUT")

    def test_the_page_is_well_formed(self):
        from xml.etree import ElementTree
        self.compare(self.tree("a"), self.tree("b", better=1.0))
        ElementTree.fromstring(self.read("cmp/compare.html").partition("\n")[2])


if __name__ == "__main__":
    unittest.main()
