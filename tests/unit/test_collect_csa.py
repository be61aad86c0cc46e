"""The tables of a cross-study analysis, splits that are not alike, names of studies."""
import json
import os
import random
import shutil
import unittest
from itertools import product

from stages.collect.csa import split_pair
from stages.stats.generalization import generalization_rows, pooled, rounded, std
from tests.collect_case import WithTables

# Made with pandas 2 from the scores of write_improve_tree: groupby("met") of the pairs within and
# across, pivot_table with mean, std (ddof 1), DataFrame.round(4); pandas' last digits differ.
R2_MEAN = """src,CCLE,GDSCv1,gCSI
CCLE,-0.0,0.3625,0.3226
GDSCv1,0.6418,0.2893,0.622
gCSI,0.2602,0.1443,0.4848
"""
R2_STD = """src,CCLE,GDSCv1,gCSI
CCLE,7.0710678118654756e-06,0.297721233072011,0.3719103730407078
GDSCv1,0.2547207224526065,0.22616610916524732,0.0595786969054351
gCSI,0.19295424733675712,,0.0722919956111491
"""
DENSED = """met,mean,std,summary,model
mse,0.3554654968297755,0.14515768551980257,within,lgbm
mse,0.478209793301102,0.3466952456138383,cross,lgbm
pcc,0.626377262797134,0.31204875798026227,within,lgbm
pcc,0.6820537766470833,0.19045462735656338,cross,lgbm
r2,0.25800421848951505,0.24261873614868149,within,lgbm
r2,0.4147798645669338,0.2578795594382218,cross,lgbm
rmse,0.25697618283155027,0.1800797116736863,within,lgbm
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


class ImproveTreeTest(WithTables):
    """A tree as IMPROVE's brute force leaves it, without launches and statuses, against what
    IMPROVE's post-processing makes of it: 3 studies, 2 splits, one score missing."""

    def setUp(self):
        WithTables.setUp(self)
        numbers, studies = random.Random(7), ("gCSI", "CCLE", "GDSCv1")
        odd = {"CCLE-gCSI/split_1": {"pcc": float("nan")}, "CCLE-CCLE/split_0": {"r2": -0.00001},
               "CCLE-CCLE/split_1": {"r2": -0.00002}}
        for row in product(studies, studies, range(2)):
            name = "{}-{}/split_{}".format(*row)
            scores = {met: numbers.random() for met in ("mse", "rmse", "pcc", "scc", "r2")}
            self.campaign.write(f"infer/{name}/test_scores.json",
                                json.dumps({**scores, **odd.get(name, {})}))
        self.campaign.remove("infer/gCSI-GDSCv1/split_1/test_scores.json")
        self.code, self.said, _ = self.collect("--model_name", "lgbm")

    def test_the_tables_are_improve_s(self):
        self.assertEqual(self.text("r2_mean_csa_table.csv"), R2_MEAN)
        # ddof 1, and an empty cell for one split or an undefined value
        self.assertEqual(self.text("r2_std_csa_table.csv"), R2_STD)
        self.assertEqual(self.text("densed_csa_table.csv"), DENSED)
        text = self.text("all_scores.csv")
        self.assertTrue(text.startswith(ALL_SCORES_BEGIN))
        self.assertIn("pcc,1,,CCLE,gCSI,lgbm\n", text)
        self.assertEqual(len(text.splitlines()), 1 + 17 * 5)
        self.assertEqual(self.text("scc_scores.csv"), "".join(
            line for line in text.splitlines(True) if line.startswith(("met,", "scc,"))))

    def test_missing_results_and_missing_values_are_listed_and_said(self):
        self.assertEqual(self.code, 0)
        self.assertEqual(self.text("missing.csv"), (
            "task,source,target,split,stage,failed_task,state,reason,exit_code,log\n"
            "infer/gCSI-GDSCv1/split_1,gCSI,GDSCv1,1,infer,infer/gCSI-GDSCv1/split_1,incomplete,"
            "has no test_scores.json and no test_y_data_predicted.csv,,\n"
            "infer/CCLE-gCSI/split_1,CCLE,gCSI,1,infer,infer/CCLE-gCSI/split_1,undefined,"
            "pcc is NaN or null; means are over the other splits,,\n"))
        self.assertEqual(self.said, """csa of model lgbm
scores: 17 of 18, 1 missing (listed in missing.csv)

r2, mean over splits (rows: source, columns: target)
           CCLE   GDSCv1    gCSI
CCLE    -0.0000   0.3625  0.3226
GDSCv1   0.6418   0.2893  0.6220
gCSI     0.2602  *0.1443  0.4848
* some splits are missing

infer/gCSI-GDSCv1/split_1 incomplete: has no test_scores.json and no test_y_data_predicted.csv \
(1 score missing)

note: no naive baseline: test_y_data_predicted.csv: cannot be read (No such file or directory) \
(17 results)
note: pcc is missing in 1 result: means are over the others
""")
        self.assertEqual(self.text("summary.txt"), self.said)

    def test_a_value_that_one_split_lacks_marks_the_mean_of_the_others(self):
        for text, reason in (('{"mse": 0.01, "r2": null}', "NaN or null"),
                             ('{"mse": 0.01, "note": "x"}', "not in the score file")):
            self.campaign.write("infer/CCLE-gCSI/split_1/test_scores.json", text)
            said = self.collect()[1]
            self.assertIn("scores: 17 of 18, 1 missing", said)
            self.assertIn("r2 is missing in 1 result", said)
            self.assertRegex(said, r"\nCCLE .*  \*\d\.\d{4}\n")
            self.assertIn(f"r2 is {reason}", self.text("missing.csv"))
            self.assertEqual("note: 'note' in test_scores.json is not a number and is ignored "
                             "(1 result)" in said, "note" in text)

    def test_a_later_collection_leaves_no_old_table_and_sees_what_was_only_preprocessed(self):
        self.campaign.write("scores/mae_mean_csa_table.csv", "old")
        self.campaign.remove("infer/gCSI-gCSI")
        self.campaign.write("ml_data/gCSI-CTRPv2/split_0/test_y_data.csv", "x\n")
        self.campaign.write("models/gCSI/split_0/val_y_data.csv", "x\n")
        self.collect()
        self.assertNotIn("mae_mean_csa_table.csv", os.listdir(self.path("out", "scores")))
        self.assertIn("gCSI,0.2602,,0.1443,\n", self.text("r2_mean_csa_table.csv"))
        self.assertIn("infer/gCSI-CTRPv2/split_0,gCSI,CTRPv2,0,train,models/gCSI/split_0,"
                      "incomplete,", self.text("missing.csv"))


class UnlikeSplitsTest(WithTables):

    def test_splits_that_were_made_otherwise_are_named_on_the_terminal(self):
        for changed, said in (
                ({}, None),
                ({"arguments": {"epochs": "5", "input_dir": "y"}}, None),
                ({"arguments": {"epochs": "5", "y_data_file": "x"}},
                 "--y_data_file is x in split 1; not given in the others"),
                ({"arguments": {"epochs": "9"}}, "--epochs is 9 in split 1; 5 in the others"),
                ({"script_fingerprint": "3:4"},
                 "script (size:CRC-32) is 3:4 in split 1;  in the others"),
                ({"environment": "conda:x"},
                 "environment is conda:x in split 1;  in the others"),
                ({"arguments": {}, "script_fingerprint": "", "environment": ""}, None)):
            self.campaign.run(self.campaign.entries(["a", "b"], ["a"], (0, 1, 2)))
            for source in "ab":
                self.campaign.change(f"models/{source}/split_1", **changed)
            note = f"note: splits that are not alike are in one mean: train of a and 1 more: {said}"
            found = [line for line in self.collect()[1].splitlines() if "not alike" in line]
            self.assertEqual(found, [note] if said else [])


class NumbersTest(unittest.TestCase):

    def test_the_published_generalization_of_lightgbm(self):
        groups = {(source, target): [value] for source, row in zip(STUDIES, LGBM)
                  for target, value in zip(STUDIES, row)}
        rows = generalization_rows("r2", groups, (STUDIES, STUDIES), "lgbm")
        self.assertIn(("r2", "G", "CCLE", "CCLE", .8014, 1, "lgbm"), rows)
        self.assertIn(("r2", "Gn", "CCLE", "CTRPv2", -1.0813 / .8014, 1, "lgbm"), rows)
        self.assertEqual(
            [(*row[1:4], round(row[4], 3), row[5]) for row in rows if row[1] in ("Ga", "Gna")],
            [(measure, source, "", value, 4) for measure, published in
             (("Ga", LGBM_GA), ("Gna", LGBM_GNA)) for source, value in zip(STUDIES, published)])

    def test_ratios_exist_only_if_they_say_which_is_better(self):
        groups = {("a", "a"): [0.5], ("a", "b"): [0.25], ("b", "b"): [-0.5], ("b", "a"): [0.25]}
        for met, expected in (("r2", ["Ga", "Gb", "Gna", "Gaa", "Gab", "Gnaa"]),
                              ("mse", ["Ga", "Gb", "Gaa", "Gab"])):
            self.assertEqual([row[1] + row[2] for row in generalization_rows(
                met, groups, (["a", "b"], ["a", "b"]), "m")], expected)

    def test_rounding_is_numpy_s(self):
        # numpy.round(value, 4); the decimal rounding of round(value, 4) differs in the first two
        for value, expected in [(0.12345, 0.1234), (2.00005, 2.0), (0.12355, 0.1236),
                                (-1.23456, -1.2346), (1e300, 1e300)]:
            self.assertEqual(rounded(value), expected)

    def test_one_value_has_no_standard_deviation_and_an_undefined_one_no_part_in_a_mean(self):
        self.assertEqual(repr(std([1.0])), "nan")
        self.assertEqual(std([1e300, -1e300]), float("inf"))
        rows = [("pcc", 0, float("nan"), "a", "b", "m"), ("pcc", 1, 0.5, "a", "b", "m"),
                ("pcc", 0, float("nan"), "a", "a", "m")]
        self.assertEqual(pooled(rows), {("a", "b"): [0.5]})


class StudyNamesTest(WithTables):

    def test_a_pair_is_cut_behind_a_known_source(self):
        for pair, expected in [("NCI-60-NCI-60", ("NCI-60", "NCI-60")), ("a-x-y", ("a", "x-y")),
                               ("u-v", ("u", "v")), ("u-v-w", None), ("a", None), ("-", None)]:
            self.assertEqual(split_pair(pair, {"a", "NCI-60"}), expected)
        self.assertIsNone(split_pair("a-b-c", {"a", "a-b"}))        # two ways to read it

    def test_names_with_a_dash_are_known_from_the_plan_or_the_models(self):
        self.run_campaign(["NCI-60", "a"], ["NCI-60", "x-y"], [0])
        self.collect()
        self.assertEqual(self.text("r2_mean_csa_table.csv"),
                         "src,NCI-60,x-y\nNCI-60,0.5,0.5\na,0.5,0.5\n")
        shutil.rmtree(self.out)
        for pair in ("NCI-60-a", "NCI-60-NCI-60", "a-NCI-60", "u-v-w"):
            self.campaign.scores(f"infer/{pair}/split_0")
        for source in ("NCI-60", "a"):
            os.makedirs(self.path("out/models", source))
        said = self.collect()[1]
        self.assertEqual(self.text("r2_mean_csa_table.csv"),
                         "src,NCI-60,a\nNCI-60,0.5,0.5\na,0.5,\n")
        self.assertIn("note: infer/u-v-w is ignored: its name does not say where the source", said)


if __name__ == "__main__":
    unittest.main()
