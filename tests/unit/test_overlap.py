"""Strata against a count row by row, coverage against shares of sets."""
import csv
import io
import os
import random
from itertools import chain, product

from stages.stats import naive
from tests.collect_case import WithTables

DRUGS = ['dr "ug", one', "dr\u00fcg;2", "drug\t3", "'--", "NA", "1e5", "x\u4e2d", "d8", "d9",
         "d10", "d11", "d12"]
STUDIES = {"A": (DRUGS[:8], [f"c,{i}" for i in range(12)]),
           "B": (DRUGS[4:], [f"c,{i}" for i in range(6, 20)]),
           "C": (DRUGS, [f"c,{i}" for i in range(20)])}
SHARES = {("A", "B"): (4 / 8, 6 / 14, 24 / 112), ("B", "A"): (4 / 8, 6 / 12, 24 / 96),
          ("A", "C"): (8 / 12, 12 / 20, 96 / 240), ("C", "A"): (1, 1, 1),
          ("A+B", "C"): (1, 1, 184 / 240)}
# Of source A: what a loop over single rows counts, with core/metrics on the rows of each kind.
STRATA = """\
A,A,seen,seen,20,8,0.001942,0.972957,0.988954,0.866033,0.751691
A,B,seen,seen,24,4,0.001076,0.941580,0.974609,0.636236,0.836810
A,B,seen,unseen,32,4,0.002753,0.863822,0.934051,0.652552,0.595602
A,B,unseen,seen,24,4,0.002691,0.870690,0.955567,-19.533744,0.880494
A,B,unseen,unseen,32,4,0.002060,0.904773,0.954484,-17.798500,0.904773
A,C,seen,seen,96,8,0.001669,0.972281,0.987317,0.778740,0.867915
A,C,seen,unseen,64,8,0.002363,0.960497,0.981095,0.802515,0.789235
A,C,unseen,seen,48,4,0.002575,0.904590,0.955980,-15.233412,0.910756
A,C,unseen,unseen,32,4,0.002614,0.886714,0.958790,-17.104094,0.886714
"""


def quoted(rows, delimiter=","):
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return file.getvalue()


class OverlapTest(WithTables):
    """A campaign of three studies with names that need quotes."""

    def setUp(self):
        WithTables.setUp(self)
        chance = random.Random(3)
        self.responses = {
            name: [(drug, cell, round(DRUGS.index(drug) / 10 + chance.gauss(0, 0.1), 4))
                   for drug in drugs for cell in cells] for name, (drugs, cells) in STUDIES.items()}
        self.run_campaign(STUDIES, STUDIES, (0,))
        header = ["improve_chem_id", "improve_sample_id"]
        for source, target in product(STUDIES, STUDIES):
            train = [row for at, row in enumerate(self.responses[source]) if at % 5]
            test = [(*row, round(row[2] + chance.gauss(0, 0.05), 4))
                    for at, row in enumerate(self.responses[target])
                    if source != target or at % 5 == 0]
            self.campaign.write(f"ml_data/{source}-{target}/split_0/train_y_data.csv",
                                quoted([header + ["auc"], *train]))
            self.campaign.write(f"infer/{source}-{target}/split_0/test_y_data_predicted.csv",
                                quoted([header + ["auc_true", "auc_pred"], *test]))

    def test_strata_are_those_of_a_count_row_by_row(self):
        self.collect()
        found = ""
        for row in self.table("strata.csv"):
            source, target, _, *names = list(row.values())[:7]
            numbers = [f"{float(row[name]):.6f}" for name in naive.FIELDS[4:]]
            found += ",".join([source, target, *names, *numbers]) + "\n"
        self.assertTrue(found.startswith(STRATA), found)

    def test_coverage_comes_from_the_files_of_the_benchmark_or_there_is_none(self):
        self.collect()
        self.assertFalse(os.path.exists(self.path("out", "scores", "coverage.csv")))
        at = 0
        for name, study in self.responses.items():
            self.write(f"raw/splits/{name}_all.txt",
                     "".join(f"{at + row}\n" for row in range(len(study))))
            at += len(study)
        for header in (["improve_chem_id", "improve_sample_id", "auc"],
                       ["DrugID_row", "DrugID_col", "DepMapID", "auc"]):
            rows = [[drug] * (len(header) - 2) + [cell, y]
                    for drug, cell, y in chain(*self.responses.values())]
            self.write("raw/y_data/response.tsv", quoted([header, *rows], "\t"))
            entries = self.campaign.entries(["A+B"], ["C"], (0,))
            self.campaign.plan("20260102T0", entries, input_dir=self.path("raw"))
            self.campaign.run(entries)
            self.collect()
            found = {(row["src"], row["trg"]): tuple(map(float, list(row.values())[2:]))
                     for row in self.table("coverage.csv")}
            self.assertLessEqual(SHARES.items(), found.items())

    def test_a_small_or_constant_stratum_has_empty_values_and_never_zeros(self):
        effects = naive.Effects(1.5, {"d": 0}, {"c": 0})
        _, strata, of_drugs = naive.beside_naive(
            [1.0] * 5 + [1.0, 2.0, 3.0, 4.0], [3.0, -1.0, 2.0, 0.0, 1.0, 1.5, 2.5, 2.5, 4.5],
            ["d"] * 5 + ["e"] * 4, ["c"] * 5 + ["f"] * 4, effects)
        self.assertEqual(str(strata), "[('seen', 'seen', 5, 1, 2.0, nan, nan, nan, nan), "
                                      "('unseen', 'unseen', 4, 1, 0.25, nan, nan, nan, nan)]")
        self.assertEqual(of_drugs, {})
