"""Strata and coverage against other algorithms: row by row, and scipy."""
import csv
import io
import os
import random
import statistics
from itertools import product

from stages import collect_scores
from stages.stats import naive
from tests.collect_case import WithTables
from tests.made_tree import write

DRUGS = ['dr "ug", one', "dr\u00fcg;2", "drug\t3", "'--", "NA", "1e5", "x\u4e2d", "d8", "d9",
         "d10", "d11", "d12"]
STUDIES = {"A": (DRUGS[:8], [f"c,{i}" for i in range(12)]),
           "B": (DRUGS[4:], [f"c,{i}" for i in range(6, 20)]),
           "C": (DRUGS, [f"c,{i}" for i in range(20)])}
SHARES = {("A", "B"): (4 / 8, 6 / 14, 24 / 112), ("B", "A"): (4 / 8, 6 / 12, 24 / 96),
          ("A", "C"): (8 / 12, 12 / 20, 96 / 240), ("C", "A"): (1, 1, 1), ("B", "B"): (1, 1, 1)}


def quoted(rows, delimiter=","):
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return file.getvalue()


def pearson(x, y):
    """From the definition, by statistics' sums."""
    mx, my = statistics.mean(x), statistics.mean(y)
    top = sum((a - mx) * (b - my) for a, b in zip(x, y))
    return top / (sum((a - mx) ** 2 for a in x) * sum((b - my) ** 2 for b in y)) ** 0.5


def brute_force(train, rows):
    """{(drug seen?, cell line seen?): {column: value}} of rows (drug, cell, true, pred)."""
    every = statistics.mean(y for _, _, y in train)
    effect = {(at, row[at]): statistics.mean(
        y for *names, y in train if names[at] == row[at]) - every for row in train for at in (0, 1)}
    found = {}
    for drug, cell, true, pred in rows:
        naive = every + effect.get((0, drug), 0) + effect.get((1, cell), 0)
        key = tuple("seen" if at in effect else "unseen" for at in ((0, drug), (1, cell)))
        found.setdefault(key, []).append((drug, cell, true, pred, naive))
    return {key: expected(part) for key, part in found.items()}


def expected(rows):
    drugs, cells, true, pred, naive = zip(*rows)
    n, center = len(rows), statistics.mean(true)
    mse = sum((t - p) ** 2 for t, p in zip(true, pred)) / n
    beyond = [t - b for t, b in zip(true, naive)]
    values = {"rows": n, "drugs": len(set(drugs)), "cell_lines": len(set(cells)), "mse": mse,
              "rmse": mse ** 0.5, "mae": sum(abs(t - p) for t, p in zip(true, pred)) / n}
    if n >= 5:
        spread = sum((t - center) ** 2 for t in true)
        values.update(
            r2=1 - mse * n / spread, pcc=pearson(true, pred),
            naive_r2=1 - sum(b * b for b in beyond) / spread,
            norm_r2=1 - mse * n / sum((b - statistics.mean(beyond)) ** 2 for b in beyond))
    groups = [[row for row in rows if row[0] == drug] for drug in set(drugs)]
    within = [pearson([row[2] for row in group], [row[3] for row in group])
              for group in groups if len(group) >= 5]
    if within:
        values["drug_pcc"] = statistics.median(within)
    return values


class OverlapTest(WithTables):
    """A campaign of three studies with names that need quotes."""

    def setUp(self):
        WithTables.setUp(self)
        chance = random.Random(3)
        self.responses = {
            name: [(drug, cell, round(DRUGS.index(drug) / 10 + chance.gauss(0, 0.1), 4))
                   for drug in drugs for cell in cells] for name, (drugs, cells) in STUDIES.items()}
        entries = self.campaign.entries(sorted(STUDIES), sorted(STUDIES), (0,))
        self.campaign.plan("20260101T0", entries)
        self.campaign.run(entries)
        self.made = {}      # (source, target, split) -> training rows, predictions
        header = ["improve_chem_id", "improve_sample_id"]
        for source, target in product(STUDIES, STUDIES):
            train = [row for at, row in enumerate(self.responses[source]) if at % 5]
            test = [(*row, round(row[2] + chance.gauss(0, 0.05), 4))
                    for at, row in enumerate(self.responses[target])
                    if source != target or at % 5 == 0]
            self.made[source, target, 0] = train, test
            self.campaign.write(f"ml_data/{source}-{target}/split_0/train_y_data.csv",
                                quoted([header + ["auc"], *train]))
            self.campaign.write(f"infer/{source}-{target}/split_0/test_y_data_predicted.csv",
                                quoted([header + ["auc_true", "auc_pred"], *test]))

    def test_strata_are_those_of_a_count_row_by_row(self):
        self.collect()
        found = {}
        for row in self.rows("strata.csv"):
            strata = found.setdefault((row["src"], row["trg"], int(row["split"])), {})
            strata[row["drug"], row["cell_line"]] = row
        self.assertEqual(set(found), set(self.made))
        self.assertEqual({len(strata) for strata in found.values()}, {1, 2, 4})
        for key, strata in found.items():
            wanted = brute_force(*self.made[key])
            self.assertEqual(set(strata), set(wanted))
            for kind, values in wanted.items():
                for name, value in values.items():
                    self.assertAlmostEqual(float(strata[kind][name]), value, delta=1e-9,
                                           msg=(key, kind, name))

    def test_coverage_comes_from_the_files_of_the_benchmark_or_there_is_none(self):
        self.collect()
        self.assertFalse(os.path.exists(os.path.join(self.out, "scores", "coverage.csv")))
        for header in (["improve_chem_id", "improve_sample_id", "auc"],
                       ["DrugID_row", "DrugID_col", "DepMapID", "auc"]):
            raw, at, table = os.path.join(self.top, "raw"), 0, [header]
            for name, study in self.responses.items():
                table += [(drug, *[drug] * (len(header) == 4), cell, y) for drug, cell, y in study]
                write(f"{raw}/splits/{name}_all.txt",
                      "".join(f"{row}\n" for row in range(at, at + len(study))))
                at += len(study)
            write(f"{raw}/y_data/response.tsv", quoted(table, "\t"))
            self.campaign.plan("20260102T0", [], input_dir=raw)
            collect_scores.collect(self.out, None, "m")
            rows = {(row["src"], row["trg"]): list(map(float, list(row.values())[2:]))
                    for row in self.rows("coverage.csv")}
            self.assertEqual(len(rows), 9)
            for pair, shares in SHARES.items():
                self.assertEqual([round(x - y, 12) for x, y in zip(rows[pair], shares)], [0.0] * 3)

    def test_a_small_or_constant_stratum_has_empty_values_and_never_zeros(self):
        effects = naive.Effects(1.5, {"d": 0}, {"c": 0})
        found, of_drugs = naive.strata(
            [1.0, 1.0, 1.0, 1.0, 1.0, 2.0], [1.0, 2.0, 1.0, 2.0, 1.0, 2.5], [1.5] * 6,
            ["d"] * 5 + ["e"], ["c"] * 5 + ["f"], effects)
        both, neither = (dict(zip(naive.FIELDS, row)) for row in found)
        for name in ("r2", "pcc", "naive_r2", "norm_r2", "drug_pcc"):
            self.assertNotEqual(both[name], both[name])
            self.assertNotEqual(neither[name], neither[name])
        self.assertAlmostEqual(both["mse"], 0.4)
        self.assertEqual((neither["drug"], neither["rows"], neither["mse"]), ("unseen", 1, 0.25))
        self.assertEqual(naive.correlations_of(of_drugs), {})
