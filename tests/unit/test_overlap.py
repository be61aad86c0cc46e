"""Strata and coverage: against another algorithm, and what the page says of made data."""
import csv
import io
import os
import random
import shutil
import statistics
import tempfile
import unittest

import tests  # noqa: F401  (puts stages/ on the path)

import collect_scores  # noqa: E402
from common.metrics import rows_of  # noqa: E402
from report import overlap as overlap_report  # noqa: E402
from report import page as parts  # noqa: E402
from stats import overlap  # noqa: E402
from tests.made_tree import Campaign, write  # noqa: E402

ODD = ['dr "ug", one', "dr\u00fcg;2", "drug\t3", "'--", "NA", "1e5", "x\u4e2d", "d8", "d9", "d10", "d11", "d12"]
STUDIES = {"A": (ODD[:8], [f"c,{i}" for i in range(12)]), "B": (ODD[4:], [f"c,{i}" for i in range(6, 20)]),
           "C": (ODD, [f"c,{i}" for i in range(20)])}
# (x, y, rho, p) of scipy 1.17.1: stats.spearmanr
SPEARMAN = (
    ([0.1, 0.1, 0.2, 0.3, 0.3, 0.9], [3, 1, 2, 5, 4, 4], 0.7612788283838284, 0.0786795997400258),
    ([0.623, 0.742, 0.795, 0.942, 0.74, 0.922, 0.029, 0.466, 0.943, 0.649, 0.901, 0.113, 0.469, 0.247, 0.544, 0.574, 0.013,
      0.217, 0.279, 0.916],
     [0.64, 0.566, 0.843, 0.785, 0.624, 0.817, 0.637, 0.473, 0.996, 0.851, 1.506, 0.046, 0.282, 0.989, 0.106, 0.464, 0.213,
      0.902, -0.006, 0.188], 0.3984962406015037, 0.08180541617403751))


def quoted(cells):
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerow(cells)
    return file.getvalue()


class Made:
    """A campaign of three studies; a drug's response is its own number, that of a noisy drug chance."""

    def __init__(self, out, noisy=(), predict=lambda drug, y, known, chance: y + chance.gauss(0, 0.05)):
        self.out, self.chance = out, random.Random(3)
        self.responses = {name: [(drug, cell, self.response(drug, noisy)) for drug in drugs for cell in cells]
                          for name, (drugs, cells) in STUDIES.items()}
        self.campaign = Campaign(out)
        entries = self.campaign.entries(sorted(STUDIES), sorted(STUDIES), (0, 1))
        self.campaign.plan("20260101T0", entries)
        self.campaign.run(entries)
        self.training = {}
        for source in STUDIES:
            for split in (0, 1):
                rows = [row for at, row in enumerate(self.responses[source]) if at % 5 != split]
                self.training[source, split] = rows
                for target in STUDIES:
                    self.write_pair(source, target, split, predict)

    def response(self, drug, noisy):
        return round(self.chance.random() if drug in noisy else ODD.index(drug) / 10 + self.chance.gauss(0, 0.1), 4)

    def write_pair(self, source, target, split, predict):
        train, rows = self.training[source, split], self.responses[target]
        if target == source:
            rows = [row for at, row in enumerate(rows) if at % 5 == split]
        known = {drug for drug, _, _ in train}
        head = ["improve_sample_id", "improve_chem_id", "auc"]
        write(f"{self.out}/ml_data/{source}-{target}/split_{split}/train_y_data.csv",
              quoted(head) + "".join(quoted((cell, drug, y)) for drug, cell, y in train))
        write(f"{self.out}/infer/{source}-{target}/split_{split}/test_y_data_predicted.csv",
              quoted(head + ["auc_true", "auc_pred"]) + "".join(
                  quoted((cell, drug, y, y, round(predict(drug, y, known, self.chance), 4))) for drug, cell, y in rows))

    def collect(self):
        collect_scores.collect(self.out, None, "m")
        with open(f"{self.out}/report.html", encoding="utf-8") as file:
            return file.read()

    def table(self, name):
        with open(f"{self.out}/scores/{name}", encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


def pearson(x, y):
    """From the definition, by statistics' sums."""
    mx, my = statistics.mean(x), statistics.mean(y)
    top = sum((a - mx) * (b - my) for a, b in zip(x, y))
    return top / (sum((a - mx) ** 2 for a in x) * sum((b - my) ** 2 for b in y)) ** 0.5


def rank(values):
    return [sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2 for value in values]


def brute_force(train, rows):
    """{(drug seen?, cell line seen?): {column: value}} of rows (drug, cell, true, pred), row by row."""
    every = statistics.mean(y for _, _, y in train)
    effect = {(at, row[at]): statistics.mean(y for *names, y in train if names[at] == row[at]) - every
              for row in train for at in (0, 1)}
    found = {}
    for drug, cell, true, pred in rows:
        naive = every + effect.get((0, drug), 0) + effect.get((1, cell), 0)
        key = tuple("seen" if name in effect else "unseen" for name in ((0, drug), (1, cell)))
        found.setdefault(key, []).append((drug, cell, true, pred, naive))
    return {key: expected(part) for key, part in found.items()}


def expected(rows):
    drugs, cells, true, pred, naive = zip(*rows)
    n, center = len(rows), statistics.mean(true)
    mse = sum((t - p) ** 2 for t, p in zip(true, pred)) / n
    beyond = [t - b for t, b in zip(true, naive)]
    groups = [[row for row in rows if row[0] == drug] for drug in set(drugs)]
    values = {"rows": n, "drugs": len(set(drugs)), "cell_lines": len(set(cells)), "mse": mse, "rmse": mse ** 0.5,
              "mae": sum(abs(t - p) for t, p in zip(true, pred)) / n}
    if n >= 5:
        spread = sum((t - center) ** 2 for t in true)
        values.update(
            r2=1 - mse * n / spread, pcc=pearson(true, pred), scc=pearson(rank(true), rank(pred)),
            naive_r2=1 - sum(b * b for b in beyond) / spread,
            norm_r2=1 - mse * n / sum((b - statistics.mean(beyond)) ** 2 for b in beyond))
    within = [pearson([row[2] for row in group], [row[3] for row in group]) for group in groups if len(group) >= 5]
    if within:
        values["drug_pcc"] = statistics.median(within)
    return values


class WithTree(unittest.TestCase):

    def setUp(self):
        self.out = os.path.join(tempfile.mkdtemp(), "out")
        self.addCleanup(shutil.rmtree, os.path.dirname(self.out))

    def predictions(self, source, target, split):
        with open(f"{self.out}/infer/{source}-{target}/split_{split}/test_y_data_predicted.csv", encoding="utf-8",
                  newline="") as file:
            return [(row["improve_chem_id"], row["improve_sample_id"], float(row["auc_true"]), float(row["auc_pred"]))
                    for row in csv.DictReader(file)]


class Strata(WithTree):

    def test_they_are_those_of_a_count_row_by_row(self):
        made = Made(self.out)
        made.collect()
        rows = {}
        for row in made.table("strata.csv"):
            rows.setdefault((row["src"], row["trg"], int(row["split"])), {})[row["drug"], row["cell_line"]] = row
        self.assertEqual(len(rows), 18)
        self.assertEqual({len(strata) for strata in rows.values()}, {1, 2, 4})
        for (source, target, split), strata in rows.items():
            wanted = brute_force(made.training[source, split], self.predictions(source, target, split))
            self.assertEqual(set(strata), set(wanted))
            for key, values in wanted.items():
                for name, value in values.items():
                    self.assertAlmostEqual(float(strata[key][name]), value, delta=1e-9, msg=(source, target, key, name))

    def test_what_is_too_small_or_constant_is_empty_and_never_zero(self):
        found = overlap.strata(rows_of([1.0, 1.0, 1.0, 1.0, 1.0, 2.0], [1.0, 2.0, 1.0, 2.0, 1.0, 2.5], [1.5] * 6),
                               ["d"] * 5 + ["e"], ["c"] * 5 + ["f"], {"d": 0}, {"c": 0})
        both, neither, empty = (dict(zip(overlap.FIELDS, found[at])) for at in (0, 3, 1))
        self.assertEqual([both[name] != both[name] for name in ("r2", "pcc", "scc", "naive_r2", "norm_r2", "drug_pcc")], [True] * 6)
        self.assertAlmostEqual(both["mse"], 0.4)
        self.assertEqual((neither["rows"], neither["mse"]), (1, 0.25))
        self.assertNotEqual(neither["r2"], neither["r2"])
        self.assertEqual((empty["rows"], empty["drugs"]), (0, 0))
        self.assertNotEqual(empty["mse"], empty["mse"])


class CoverageTest(WithTree):
    SHARES = {("A", "B"): (4 / 8, 6 / 14, 24 / 112), ("B", "A"): (4 / 8, 6 / 12, 24 / 96), ("A", "C"): (8 / 12, 12 / 20, 96 / 240),
              ("C", "A"): (1, 1, 1), ("B", "B"): (1, 1, 1)}

    def check(self, made):
        rows = {(row["src"], row["trg"]): row for row in made.table("coverage.csv")}
        self.assertEqual(len(rows), 9)
        for pair, shares in self.SHARES.items():
            for name, share in zip(("drug_coverage", "cell_line_coverage", "pair_coverage"), shares):
                self.assertAlmostEqual(float(rows[pair][name]), share, delta=1e-12, msg=(pair, name))

    def test_without_a_benchmark_it_comes_from_the_predictions_and_the_page_says_so(self):
        made = Made(self.out)
        self.assertIn("taken from the predictions in this tree", made.collect())
        self.check(made)

    def test_it_comes_from_the_response_file_of_the_benchmark(self):
        made, raw = Made(self.out), os.path.join(os.path.dirname(self.out), "raw")
        rows, at = [quoted(["improve_chem_id", "improve_sample_id", "auc"])], 0
        for name, study in made.responses.items():
            rows += [quoted(row) for row in study]
            write(f"{raw}/splits/{name}_all.txt", "".join(f"{row}\n" for row in range(at, at + len(study))))
            at += len(study)
        write(f"{raw}/y_data/response.tsv", "".join("\t".join(f'"{cell}"' if "\t" in cell else cell.replace('"', '""').join('""')
                                                              for cell in next(csv.reader([row]))) + "\n" for row in rows))
        made.campaign.plan("20260102T0", [], input_dir=raw)
        self.assertIn("Whole studies, from", made.collect())
        self.check(made)


class Sentences(WithTree):

    def lead(self, **how):
        return Made(self.out, **how).collect().partition('class="lead">')[2].partition("</p>")[0]

    def test_if_unseen_drugs_are_noise_the_page_says_that_nothing_is_left(self):
        lead = self.lead(noisy=ODD[:4] + ODD[8:], predict=lambda drug, y, known, chance: (
            y + chance.gauss(0, 0.05) if drug in known else chance.random()))
        self.assertIn("Nothing is left of the score there", lead)

    def test_if_unseen_drugs_are_predicted_too_the_page_says_how_much_is_left(self):
        self.assertIn("% of the score is left", self.lead())

    def test_the_sentences_follow_from_the_numbers(self):
        self.assertEqual(overlap_report.what_is_left(0.8, 0.4, 0.9), "50 % of the score is left there.")
        self.assertEqual(overlap_report.what_is_left(0.4, 0.5, 0.9),
                         "Nothing is lost there: these rows are predicted as well as the others.")
        self.assertIn("roughly in the right order (pcc 0.600)", overlap_report.what_is_left(0.8, -1.0, 0.6))
        self.assertIn("say nothing about their order", overlap_report.what_is_left(None, -1.0, float("nan")))

    def test_without_overlap_there_is_nothing_to_say(self):
        self.assertEqual(overlap_report.sentences([]), "")

    def test_few_pairs_are_a_sentence_and_no_figure(self):
        class Found:
            rows, origin = [("A", "B", 0.5, 0.5, 0.2)], "x"
        self.assertIn("that needs 6 pairs of two studies, not 1.", parts.joined([
            overlap_report.against(Found, {("A", "B"): 0.5}, {})]))


class Spearman(unittest.TestCase):

    def test_rho_and_p_are_those_of_scipy(self):
        for x, y, rho, p in SPEARMAN:
            found = overlap.spearman_test(x, y)
            self.assertAlmostEqual(found[0], rho, delta=1e-12)
            self.assertAlmostEqual(found[1], p, delta=1e-9)

    def test_a_constant_has_none_and_a_perfect_order_has_p_zero(self):
        self.assertNotEqual(*[overlap.spearman_test([1, 1, 1], [1, 2, 3])[0]] * 2)
        self.assertEqual(overlap.spearman_test([1, 2, 3, 4], [1, 4, 9, 16]), (1.0, 0.0))


if __name__ == "__main__":
    unittest.main()
