"""The tables of a cross-study analysis: those of a tree as IMPROVE leaves it, generalisation, names of studies."""
import json
import os
import random
import shutil
import unittest

import tests  # noqa: F401  (puts stages/ on the path)

from collect.csa import split_pair  # noqa: E402
from stats.generalization import by_pair, generalization_rows, rounded, std  # noqa: E402
from tests.collect_case import WithTables  # noqa: E402
from tests.made_tree import write  # noqa: E402

# Made with pandas 2 from the scores of write_improve_tree: groupby("met") of the
# pairs within and across, pivot_table with mean, std (ddof 1), DataFrame.round(4).
R2_MEAN = """src,CCLE,GDSCv1,gCSI
CCLE,-0.0,0.3625,0.3226
GDSCv1,0.6418,0.2893,0.622
gCSI,0.2602,0.1443,0.4848
"""
R2_STD = """src,CCLE,GDSCv1,gCSI
CCLE,7.0710678118654756e-06,0.297721233072011,0.3719103730407078
GDSCv1,0.25472072245260646,0.22616610916524732,0.05957869690543514
gCSI,0.19295424733675712,,0.0722919956111491
"""
PCC_STD = """src,CCLE,GDSCv1,gCSI
CCLE,0.05710453937057661,0.1768424807986596,
GDSCv1,0.015219668322513952,0.5745013174895897,0.17634233998986754
gCSI,0.3699510224159941,,0.10146893203996578
"""
DENSED = """met,mean,std,summary,model
mse,0.3554654968297755,0.1451576855198026,within,lgbm
mse,0.478209793301102,0.3466952456138383,cross,lgbm
pcc,0.626377262797134,0.31204875798026227,within,lgbm
pcc,0.6820537766470833,0.19045462735656338,cross,lgbm
r2,0.25800421848951505,0.24261873614868149,within,lgbm
r2,0.4147798645669338,0.2578795594382218,cross,lgbm
rmse,0.25697618283155027,0.18007971167368628,within,lgbm
rmse,0.38325438406262735,0.29160904496204204,cross,lgbm
scc,0.39786432632516266,0.36721539357865784,within,lgbm
scc,0.5160308529814797,0.31570474281680355,cross,lgbm
"""
ALL_SCORES_BEGIN = """met,split,value,src,trg,model
mse,0,0.45318437637077535,CCLE,CCLE,lgbm
mse,1,0.574423710258671,CCLE,CCLE,lgbm
rmse,0,0.29976699686368236,CCLE,CCLE,lgbm
rmse,1,0.5251965038114514,CCLE,CCLE,lgbm
pcc,0,0.7943794815224912,CCLE,CCLE,lgbm
pcc,1,0.8751374955734289,CCLE,CCLE,lgbm
scc,0,0.6989944337295713,CCLE,CCLE,lgbm
scc,1,0.7294452894392176,CCLE,CCLE,lgbm
r2,0,-1e-05,CCLE,CCLE,lgbm
r2,1,-2e-05,CCLE,CCLE,lgbm
mse,0,0.9801748474925821,CCLE,GDSCv1,lgbm
"""

# Partin et al., LightGBM: r2 of source (row) and target, mean over 10 splits,
# then their Ga and Gna, printed with three digits.
STUDIES = ["CCLE", "CTRPv2", "GDSCv1", "GDSCv2", "gCSI"]
LGBM = [[.8014, -1.0813, -.5487, -.5406, -.1173],
        [.5583, .7840, .2732, .4324, .5088],
        [.4739, -.0236, .6945, .3489, .5530],
        [-.0183, -.3687, .1599, .7641, .5532],
        [.0064, -1.3085, -.4953, -.4617, .7816]]
LGBM_GA = [-.572, .443, .338, .082, -.565]
LGBM_GNA = [-.714, .565, .487, .107, -.723]


def write_improve_tree(out):
    """Writes a tree as IMPROVE's brute force leaves it: 3 studies, 2 splits, one score missing."""
    numbers = random.Random(7)
    for source in ("gCSI", "CCLE", "GDSCv1"):
        for target in ("gCSI", "CCLE", "GDSCv1"):
            for split in range(2):
                at = (source, target, split)
                scores = {met: numbers.random() for met in ("mse", "rmse", "pcc", "scc", "r2")}
                scores.update({("CCLE", "gCSI", 1): {"pcc": float("nan")},
                               ("CCLE", "CCLE", 0): {"r2": -0.00001},
                               ("CCLE", "CCLE", 1): {"r2": -0.00002}}.get(at, {}))
                directory = os.path.join(out, "infer", f"{source}-{target}", f"split_{split}")
                os.makedirs(directory)
                if at != ("gCSI", "GDSCv1", 1):
                    write(os.path.join(directory, "test_scores.json"), json.dumps(scores))


class ImproveTreeTest(WithTables):
    """A tree without launches and statuses, against what IMPROVE's post-processing makes of it."""

    def setUp(self):
        WithTables.setUp(self)
        write_improve_tree(self.out)
        self.code, self.said, _ = self.collect("--model_name", "lgbm")

    def test_the_mean_table_is_improve_s(self):
        self.assertEqual(self.text("r2_mean_csa_table.csv"), R2_MEAN)

    def test_the_std_table_has_ddof_1_and_an_empty_cell_for_one_split(self):
        self.assert_same_table("r2_std_csa_table.csv", R2_STD)

    def test_an_undefined_correlation_is_left_out_of_means_and_is_an_empty_cell(self):
        self.assert_same_table("pcc_std_csa_table.csv", PCC_STD)
        self.assertIn("pcc,1,,CCLE,gCSI,lgbm\n", self.text("all_scores.csv"))

    def test_the_densed_table_pools_within_before_across(self):
        self.assert_same_table("densed_csa_table.csv", DENSED)

    def test_all_scores_are_ordered_by_pair_metric_and_split(self):
        text = self.text("all_scores.csv")
        self.assertTrue(text.startswith(ALL_SCORES_BEGIN))
        self.assertEqual(len(text.splitlines()), 1 + 17 * 5)

    def test_a_metric_s_scores_are_its_rows(self):
        rows = [line for line in self.text("all_scores.csv").splitlines(True)
                if line.startswith(("met,", "scc,"))]
        self.assertEqual(self.text("scc_scores.csv"), "".join(rows))

    def test_a_metric_without_scores_has_no_files(self):
        self.assertFalse(os.path.exists(os.path.join(self.out, "scores", "mae_scores.csv")))

    def test_the_missing_score_is_listed_and_the_tables_are_written(self):
        self.assertEqual(self.code, 0)
        self.assertEqual(self.text("missing.csv"), (
            "task,source,target,split,stage,failed_task,state,reason,exit_code,log\n"
            "infer/gCSI-GDSCv1/split_1,gCSI,GDSCv1,1,infer,infer/gCSI-GDSCv1/split_1,incomplete,"
            "has no test_scores.json and no test_y_data_predicted.csv,,\n"))

    def test_the_terminal_shows_the_r2_table_and_what_is_missing(self):
        self.assertEqual(self.said, """csa of model lgbm
scores: 17 of 18, 1 missing (listed in missing.csv)

r2, mean over splits (rows: source, columns: target)
           CCLE   GDSCv1     gCSI
CCLE    -0.0000   0.3625   0.3226
GDSCv1   0.6418   0.2893   0.6220
gCSI     0.2602   0.1443*  0.4848
* some splits are missing

infer/gCSI-GDSCv1/split_1 incomplete: has no test_scores.json and no test_y_data_predicted.csv \
(1 score missing)
""")
        self.assertEqual(self.text("summary.txt"), self.said)

    def test_tables_of_an_earlier_collection_do_not_stay(self):
        for path in ("mae_mean_csa_table.csv", "r2_mean_csa_table.csv"):
            write(os.path.join(self.out, "scores", path), "old")
        shutil.rmtree(os.path.join(self.out, "infer", "gCSI-gCSI"))
        self.collect()
        self.assertFalse(os.path.exists(os.path.join(self.out, "scores",
                                                     "mae_mean_csa_table.csv")))
        self.assertIn("gCSI,0.2602,0.1443,\n", self.text("r2_mean_csa_table.csv"))
        self.assertFalse([name for name in os.listdir(os.path.join(self.out, "scores"))
                          if name.endswith(".tmp")])

    def test_what_was_preprocessed_only_is_missing(self):
        write(os.path.join(self.out, "ml_data/gCSI-CTRPv2/split_0/test_y_data.csv"), "x\n")
        write(os.path.join(self.out, "models/gCSI/split_0/val_y_data.csv"), "x\n")
        self.collect()
        row = self.rows("missing.csv")[0]
        self.assertEqual((row["task"], row["stage"], row["state"]),
                         ("infer/gCSI-CTRPv2/split_0", "train", "incomplete"))


class NumbersTest(unittest.TestCase):

    def test_the_published_generalization_of_lightgbm(self):
        groups = {(source, target): [value] for source, row in zip(STUDIES, LGBM)
                  for target, value in zip(STUDIES, row)}
        rows = generalization_rows("r2", groups, (STUDIES, STUDIES), "lgbm")
        found = {(row[1], row[2], row[3]): row[4:6] for row in rows}
        for number, source in enumerate(STUDIES):
            self.assertEqual(found["G", source, source], (LGBM[number][number], 1))
            across = LGBM[number][:number] + LGBM[number][number + 1:]
            ga, gna = found["Ga", source, ""], found["Gna", source, ""]
            self.assertAlmostEqual(ga[0], sum(across) / 4, delta=5e-5)
            self.assertAlmostEqual(ga[0], LGBM_GA[number], delta=1e-3)
            self.assertAlmostEqual(gna[0], LGBM_GNA[number], delta=1e-3)
            self.assertEqual((ga[1], gna[1]), (4, 4))
        self.assertAlmostEqual(found["Gn", "CCLE", "CTRPv2"][0], -1.0813 / .8014, 12)
        self.assertEqual(len(rows), 5 + 20 + 5 + 5)

    def test_ratios_stand_only_where_they_say_which_is_better(self):
        groups = {("a", "a"): [0.5], ("a", "b"): [0.25], ("b", "b"): [-0.5], ("b", "a"): [0.25]}
        measures = [(row[1], row[2]) for row in generalization_rows(
            "r2", groups, (["a", "b"], ["a", "b"]), "m")]
        self.assertEqual(measures, [("G", "a"), ("G", "b"), ("Gn", "a"), ("Ga", "a"), ("Ga", "b"),
                                    ("Gna", "a")])
        measures = [row[1] for row in generalization_rows(
            "mse", groups, (["a", "b"], ["a", "b"]), "m")]
        self.assertEqual(measures, ["G", "G", "Ga", "Ga"])

    def test_generalization_says_over_how_many_targets_it_is(self):
        groups = {("a", "b"): [0.25, 0.75], ("a", "c"): [0.0]}
        self.assertEqual(generalization_rows("r2", groups, (["a"], ["b", "c", "d"]), "m"),
                         [("r2", "Ga", "a", "", 0.25, 2, "m")])

    def test_rounding_is_numpy_s(self):
        # numpy.round(value, 4); the decimal rounding of round(value, 4) differs in the first two
        for value, expected in [(0.12345, 0.1234), (2.00005, 2.0), (0.12355, 0.1236),
                                (-1.23456, -1.2346), (1e300, 1e300)]:
            self.assertEqual(rounded(value), expected)

    def test_one_value_has_no_standard_deviation(self):
        self.assertEqual(repr(std([1.0])), "nan")
        self.assertAlmostEqual(std([1.0, 2.0, 4.0]), 1.5275252316519468, 15)

    def test_an_undefined_score_is_no_part_of_a_mean(self):
        rows = [("pcc", 0, float("nan"), "a", "b", "m"), ("pcc", 1, 0.5, "a", "b", "m"),
                ("pcc", 0, float("nan"), "a", "a", "m")]
        self.assertEqual(by_pair(rows), {("a", "b"): [0.5]})


class StudyNamesTest(WithTables):

    def test_a_pair_is_cut_where_the_studies_are_known(self):
        known = {"a", "NCI-60"}, {"a", "NCI-60", "x-y"}
        for pair, expected in [("a-b", ("a", "b")), ("NCI-60-a", ("NCI-60", "a")),
                               ("NCI-60-NCI-60", ("NCI-60", "NCI-60")), ("a-x-y", ("a", "x-y")),
                               ("u-v-x-y", ("u-v", "x-y")), ("a-NCI-60", ("a", "NCI-60"))]:
            self.assertEqual(split_pair(pair, *known), expected)
        self.assertEqual(split_pair("a-b-c", {"a"}, {"a", "c"}), ("a", "b-c"))

    def test_a_pair_that_can_be_read_in_two_ways_is_not_guessed(self):
        self.assertIsNone(split_pair("u-v-w", {"a"}, {"a"}))
        self.assertIsNone(split_pair("a-b-c", {"a", "a-b"}, set()))
        self.assertIsNone(split_pair("a", {"a"}, {"a"}))
        self.assertIsNone(split_pair("-", set(), set()))

    def test_names_with_a_dash_are_known_from_the_plan(self):
        self.run_campaign(["NCI-60", "a"], ["NCI-60", "x-y"], [0])
        self.assertEqual(self.collect()[0], 0)
        self.assertEqual(self.text("r2_mean_csa_table.csv"),
                         "src,NCI-60,x-y\nNCI-60,0.5,0.5\na,0.5,0.5\n")

    def test_names_with_a_dash_are_known_from_the_models(self):
        for name in ("infer/NCI-60-a", "infer/NCI-60-NCI-60", "infer/a-NCI-60"):
            self.campaign.scores(name + "/split_0")
        os.makedirs(os.path.join(self.out, "models/NCI-60/split_0"))
        os.makedirs(os.path.join(self.out, "models/a/split_0"))
        self.collect()
        self.assertEqual(self.text("r2_mean_csa_table.csv"),
                         "src,NCI-60,a\nNCI-60,0.5,0.5\na,0.5,\n")

    def test_an_unclear_name_is_reported_and_the_rest_is_collected(self):
        for name in ("infer/u-v-w/split_0", "infer/u-v-w/split_1", "infer/a-b/split_0"):
            self.campaign.scores(name)
        code, said, _ = self.collect()
        self.assertEqual(code, 0)
        self.assertIn("scores: 1 of 3, 2 missing", said)
        self.assertIn("infer/u-v-w unreadable: its name does not say where the source ends", said)
        self.assertEqual([row["task"] for row in self.rows("missing.csv")],
                         ["infer/u-v-w/split_0", "infer/u-v-w/split_1"])

    def test_any_name_survives_the_tables(self):
        names = ["a b", 'q"uote', "com,ma", "Zürich", "line\nbreak", "$(x);"]
        self.run_campaign(names, names, [0])
        code, said, _ = self.collect()
        self.assertEqual(code, 0)
        self.assertEqual({row["src"] for row in self.rows("all_scores.csv")}, set(names))
        self.assertEqual(set(self.rows("r2_mean_csa_table.csv")[0]), set(names) | {"src"})
        self.assertIn("line?break", said)


if __name__ == "__main__":
    unittest.main()
