"""The tables of a cross-study analysis, splits that are not alike, names of studies."""
import json
import os
import random
import shutil
import unittest
from types import SimpleNamespace

from stages.collect.csa import mean_std, split_pair
from stages.collect.unlike import unlike_splits
from stages.stats.generalization import by_pair, generalization_rows, rounded, std
from core.task import Task
from tests.collect_case import WithTables
from tests.made_tree import of_stage, write

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

    def test_the_tables_are_improve_s(self):
        self.assertEqual(self.text("r2_mean_csa_table.csv"), R2_MEAN)
        # ddof 1, and an empty cell for one split or an undefined value
        self.assert_same_table("r2_std_csa_table.csv", R2_STD)
        self.assert_same_table("densed_csa_table.csv", DENSED)
        text = self.text("all_scores.csv")
        self.assertTrue(text.startswith(ALL_SCORES_BEGIN))
        self.assertIn("pcc,1,,CCLE,gCSI,lgbm\n", text)
        self.assertEqual(len(text.splitlines()), 1 + 17 * 5)
        self.assertEqual(self.text("scc_scores.csv"), "".join(
            line for line in text.splitlines(True) if line.startswith(("met,", "scc,"))))
        self.assertFalse(os.path.exists(os.path.join(self.out, "scores", "mae_scores.csv")))

    def test_missing_results_and_missing_values_are_listed(self):
        self.assertEqual(self.code, 0)
        self.assertEqual(self.text("missing.csv"), (
            "task,source,target,split,stage,failed_task,state,reason,exit_code,log\n"
            "infer/gCSI-GDSCv1/split_1,gCSI,GDSCv1,1,infer,infer/gCSI-GDSCv1/split_1,incomplete,"
            "has no test_scores.json and no test_y_data_predicted.csv,,\n"
            "infer/CCLE-gCSI/split_1,CCLE,gCSI,1,infer,infer/CCLE-gCSI/split_1,undefined,"
            "pcc is NaN or null; means are over the other splits,,\n"))

    def test_the_terminal_shows_the_r2_table_and_what_is_missing(self):
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

note: pcc is missing in 1 result: means are over the others
""")
        self.assertEqual(self.text("summary.txt"), self.said)

    def test_a_value_that_one_split_lacks_marks_the_mean_of_the_others(self):
        for text, reason in (('{"mse": 0.01, "r2": null}', "NaN or null"),
                             ('{"mse": 0.01, "note": "x"}', "not in the score file")):
            write(os.path.join(self.out, "infer/CCLE-gCSI/split_1/test_scores.json"), text)
            said = self.collect()[1]
            self.assertIn("scores: 17 of 18, 1 missing", said)
            self.assertIn("r2 is missing in 1 result", said)
            self.assertRegex(said, r"\nCCLE .*  \*\d\.\d{4}\n")
            self.assertIn(f"r2 is {reason}", self.text("missing.csv"))
            self.assertEqual("note: 'note' in test_scores.json is not a number and is ignored "
                             "(1 result)" in said, "note" in text)

    def test_a_later_collection_leaves_no_old_table_and_sees_what_was_only_preprocessed(self):
        old = os.path.join(self.out, "scores", "mae_mean_csa_table.csv")
        write(old, "old")
        shutil.rmtree(os.path.join(self.out, "infer", "gCSI-gCSI"))
        write(os.path.join(self.out, "ml_data/gCSI-CTRPv2/split_0/test_y_data.csv"), "x\n")
        write(os.path.join(self.out, "models/gCSI/split_0/val_y_data.csv"), "x\n")
        self.collect()
        self.assertFalse(os.path.exists(old))
        self.assertIn("gCSI,0.2602,,0.1443,\n", self.text("r2_mean_csa_table.csv"))
        self.assertIn("infer/gCSI-CTRPv2/split_0,gCSI,CTRPv2,0,train,models/gCSI/split_0,"
                      "incomplete,", self.text("missing.csv"))


class UnlikeSplitsTest(WithTables):

    def test_splits_of_other_arguments_are_named_on_the_terminal(self):
        entries = self.campaign.entries(["a", "b"], ["a", "b"], (0, 1, 2))
        for entry in of_stage(entries, "train"):
            entry["arguments"].update({"epochs": "9"} if entry["split"] == 1 else {})
        self.campaign.plan("20260101T0", entries)
        self.campaign.run(entries)
        self.assertIn("note: splits that are not alike are in one mean: train of a and 1 more: "
                      "--epochs is 9 in split 1; 5 in the others", self.collect()[1])

    def test_arguments_script_and_environment_are_compared_as_far_as_they_are_known(self):
        tasks = [Task(f"models/a/split_{split}", "train", source="a", split=split)
                 for split in range(3)]
        like = dict(arguments={"epochs": "5", "input_dir": "x/1", "lr": "1e-3"}, environment="none",
                    script="m.py", script_fingerprint="1:2")
        for change, said in (
                ({}, []),
                ({"arguments": dict(like["arguments"], input_dir="y")}, []),
                ({"arguments": dict(like["arguments"], lr=1)},
                 ["--lr is 1 in split 2; 1e-3 in the others"]),
                ({"script_fingerprint": "3:4"},
                 ["script (size:CRC-32) is 3:4 in split 2; 1:2 in the others"]),
                ({"environment": "conda:x"},
                 ["environment is conda:x in split 2; none in the others"]),
                ({"arguments": {}, "script_fingerprint": "", "environment": ""}, [])):
            made = [SimpleNamespace(**dict(like, **(change if task.split == 2 else {})))
                    for task in tasks]
            names = [task.name for task in tasks]
            tree = SimpleNamespace(tasks=dict(zip(names, tasks)),
                                   status=dict(zip(names, made)).get)
            found = unlike_splits(tree, tasks)
            self.assertEqual(len(found), len(said), found)
            for sentence, words in zip(found, said):
                self.assertIn(f"train of a: {words}", sentence)


class NumbersTest(unittest.TestCase):

    def test_the_published_generalization_of_lightgbm(self):
        groups = {(source, target): [value] for source, row in zip(STUDIES, LGBM)
                  for target, value in zip(STUDIES, row)}
        rows = generalization_rows("r2", groups, (STUDIES, STUDIES), "lgbm")
        found = {(row[1], row[2], row[3]): row[4:6] for row in rows}
        for number, source in enumerate(STUDIES):
            self.assertEqual(found["G", source, source], (LGBM[number][number], 1))
            for measure, published in (("Ga", LGBM_GA), ("Gna", LGBM_GNA)):
                value, targets = found[measure, source, ""]
                self.assertAlmostEqual(value, published[number], delta=1e-3)
                self.assertEqual(targets, 4)
        self.assertAlmostEqual(found["Gn", "CCLE", "CTRPv2"][0], -1.0813 / .8014, 12)
        self.assertEqual(len(rows), 5 + 20 + 5 + 5)

    def test_ratios_exist_only_if_they_say_which_is_better(self):
        groups = {("a", "a"): [0.5], ("a", "b"): [0.25], ("b", "b"): [-0.5], ("b", "a"): [0.25]}
        for met, expected in (("r2", ["Ga", "Gb", "Gna", "Gaa", "Gab", "Gnaa"]),
                              ("mse", ["Ga", "Gb", "Gaa", "Gab"])):
            self.assertEqual([row[1] + row[2] for row in generalization_rows(
                met, groups, (["a", "b"], ["a", "b"]), "m")], expected)

    def test_generalization_says_over_how_many_targets_it_is(self):
        groups = {("a", "b"): [0.25, 0.75], ("a", "c"): [0.0]}
        self.assertEqual(generalization_rows("r2", groups, (["a"], ["b", "c", "d"]), "m"),
                         [("r2", "Ga", "a", "", 0.25, 2, "m")])

    def test_rounding_is_numpy_s(self):
        # numpy.round(value, 4); the decimal rounding of round(value, 4) differs in the first two
        for value, expected in [(0.12345, 0.1234), (2.00005, 2.0), (0.12355, 0.1236),
                                (-1.23456, -1.2346), (1e300, 1e300)]:
            self.assertEqual(rounded(value), expected)

    def test_a_spread_that_leaves_the_range_of_floats_stops_no_table(self):
        self.assertEqual(std([1e300, -1e300]), float("inf"))
        self.assertEqual(list(mean_std({("a", "b"): [1e300, -1e300]})), [("a", "b")])

    def test_one_value_has_no_standard_deviation_and_an_undefined_one_no_part_in_a_mean(self):
        self.assertEqual(repr(std([1.0])), "nan")
        self.assertAlmostEqual(std([1.0, 2.0, 4.0]), 1.5275252316519468, 15)
        rows = [("pcc", 0, float("nan"), "a", "b", "m"), ("pcc", 1, 0.5, "a", "b", "m"),
                ("pcc", 0, float("nan"), "a", "a", "m")]
        self.assertEqual(by_pair(rows), {("a", "b"): [0.5]})


class StudyNamesTest(WithTables):

    def test_a_pair_is_cut_behind_a_known_source(self):
        for pair, expected in [("a-b", ("a", "b")), ("NCI-60-a", ("NCI-60", "a")),
                               ("NCI-60-NCI-60", ("NCI-60", "NCI-60")), ("a-x-y", ("a", "x-y")),
                               ("a-NCI-60", ("a", "NCI-60")), ("u-v", ("u", "v")),
                               ("u-v-w", None), ("a", None), ("-", None)]:
            self.assertEqual(split_pair(pair, {"a", "NCI-60"}), expected)
        self.assertIsNone(split_pair("a-b-c", {"a", "a-b"}))        # two ways to read it

    def test_names_with_a_dash_are_known_from_the_plan_or_the_models(self):
        self.run_campaign(["NCI-60", "a"], ["NCI-60", "x-y"], [0])
        self.collect()
        self.assertEqual(self.text("r2_mean_csa_table.csv"),
                         "src,NCI-60,x-y\nNCI-60,0.5,0.5\na,0.5,0.5\n")
        shutil.rmtree(self.out)
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
        names = ["a b", 'q"uote', "com,ma", "Zürich", "$(x);"]
        self.run_campaign(names, names, [0])
        self.assertEqual(self.collect()[0], 0)
        self.assertEqual({row["src"] for row in self.rows("all_scores.csv")}, set(names))
        self.assertEqual(set(self.rows("r2_mean_csa_table.csv")[0]), set(names) | {"src"})


if __name__ == "__main__":
    unittest.main()
