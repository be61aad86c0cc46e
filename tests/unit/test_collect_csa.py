"""The collector on cross-study analyses: tables, what is missing, what is printed."""
import contextlib
import csv
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
STAGES = os.path.join(HERE, "..", "..", "stages")
import tests  # noqa: F401  (puts stages/ on the path)

import collect_scores  # noqa: E402
from stats.generalization import by_pair, generalization_rows, rounded, std  # noqa: E402
from collect.csa import split_pair  # noqa: E402
from tests.made_tree import PREDICTIONS, Campaign, of_stage, write  # noqa: E402

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


class WithTables(unittest.TestCase):

    def setUp(self):
        self.top = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.top)
        self.out = os.path.join(self.top, "out")
        os.makedirs(self.out)
        self.campaign = Campaign(self.out)

    def collect(self, *options):
        """Returns (exit code, terminal, errors) of the collector."""
        said, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(errors):
            code = collect_scores.main([self.out] + list(options))
        return code, said.getvalue(), errors.getvalue()

    def text(self, name):
        with open(os.path.join(self.out, "scores", name), encoding="utf-8", newline="") as file:
            return file.read()

    def rows(self, name):
        return list(csv.DictReader(io.StringIO(self.text(name))))

    def run_campaign(self, sources=("a",), targets=("a", "b"), splits=(0, 1), **plan):
        entries = self.campaign.entries(list(sources), list(targets), splits)
        self.campaign.plan("20260101T0", entries, **plan)
        self.campaign.run(entries)
        return entries

    def assert_same_table(self, name, expected):
        """Texts are equal, numbers to the 12th digit: sums differ in the last between libraries."""
        found = list(csv.reader(io.StringIO(self.text(name))))
        expected = list(csv.reader(io.StringIO(expected)))
        self.assertEqual([len(row) for row in found], [len(row) for row in expected])
        for cell, wanted in zip(sum(found, []), sum(expected, [])):
            try:
                self.assertAlmostEqual(float(cell), float(wanted), 12)
            except ValueError:
                self.assertEqual(cell, wanted)


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


class CampaignTest(WithTables):

    def test_a_whole_campaign_has_nothing_missing(self):
        self.run_campaign()
        code, said, _ = self.collect()
        self.assertEqual(code, 0)
        self.assertEqual(len(self.rows("missing.csv")), 0)
        self.assertEqual(said, """csa of model baseline, launch 20260101T0
command: workflow_csa.py '--x y'
scores: 4 of 4

r2, mean over splits (rows: source, columns: target)
        a       b
a  0.5000  0.5000
""")

    def test_synthetic_data_is_stamped(self):
        self.run_campaign(synthetic=True)
        self.assertIn("\nSYNTHETIC DEMO DATA: ", self.collect()[1])

    def test_what_failed_is_listed_once_with_its_log(self):
        entries = self.run_campaign()
        train = of_stage(entries, "train")[1:]
        self.campaign.run(train, state="failed", reason="exit code 2", exit_code=2)
        self.campaign.run([entry for entry in of_stage(entries, "infer") if entry["split"] == 1],
                          state="failed", reason="parent failed: models/a/split_1 is failed",
                          exit_code=1)
        code, said, _ = self.collect()
        log = os.path.join(self.out, "models/a/split_1/log.txt")
        self.assertEqual(code, 0)
        self.assertTrue(said.endswith(
            f"models/a/split_1 failed: exit code 2 (2 scores missing; log: {log})\n"))
        self.assertEqual(
            [tuple(row.values()) for row in map(dict, self.rows("missing.csv"))],
            [(f"infer/a-{target}/split_1", "a", target, "1", "train", "models/a/split_1", "failed",
              "exit code 2", "2", log) for target in ("a", "b")])
        self.assertEqual(len(self.rows("r2_scores.csv")), 2)

    def test_no_score_of_an_older_training_counts(self):
        self.run_campaign()
        self.campaign.epochs = "9"
        newer = [dict(entry, run=entry["stage"] != "preprocess") for entry in self.campaign.entries(["a"], ["a", "b"], [0, 1])]
        self.campaign.plan("20260102T0", newer)
        self.campaign.run(of_stage(newer, "train")[:1])
        self.campaign.run([entry for entry in of_stage(newer, "infer")
                           if entry["name"] == "infer/a-a/split_0"])
        code, said, _ = self.collect()
        self.assertEqual([(row["src"], row["trg"], row["split"])
                          for row in self.rows("r2_scores.csv")], [("a", "a", "0")])
        self.assertEqual([(row["task"], row["failed_task"], row["state"])
                          for row in self.rows("missing.csv")],
                         [("infer/a-a/split_1", "models/a/split_1", "stale"),
                          ("infer/a-b/split_0", "infer/a-b/split_0", "stale"),
                          ("infer/a-b/split_1", "models/a/split_1", "stale")])
        self.assertIn("infer/a-b/split_0 stale: launch 20260102T0 has planned to make it anew", said)

    def test_a_campaign_under_way_is_no_failure(self):
        entries = self.campaign.entries(["a"], ["a", "b"], [0])
        self.campaign.plan("20260101T0", entries)
        self.campaign.run(of_stage(entries, "preprocess") + of_stage(entries, "train"))
        self.campaign.run(of_stage(entries, "infer")[:1])
        code, said, _ = self.collect()
        self.assertEqual(code, 0)
        self.assertTrue(said.endswith(
            "\n\n1 score not there yet: tasks are running or have not run\n"))
        self.assertEqual(self.rows("missing.csv")[0]["state"], "waiting")

    def test_a_campaign_without_any_score_exits_1_and_lists_all(self):
        self.campaign.plan("20260101T0", self.campaign.entries(["a"], ["a", "b"], [0]))
        code, said, _ = self.collect()
        self.assertEqual(code, 1)
        self.assertIn("scores: 0 of 2, 2 missing", said)
        self.assertEqual(len(self.rows("missing.csv")), 2)
        self.assertEqual(self.text("all_scores.csv"), "met,split,value,src,trg,model\n")

    def test_two_launches_into_one_tree_are_one_table(self):
        self.run_campaign(["a"])
        entries = self.campaign.entries(["c"], ["a", "b"], [0, 1])
        self.campaign.plan("20260102T0", entries)
        self.campaign.run(entries)
        self.assertEqual(self.collect()[0], 0)
        self.assertEqual(self.text("r2_mean_csa_table.csv"), "src,a,b\na,0.5,0.5\nc,0.5,0.5\n")

    def test_launches_of_two_models_into_one_tree_are_noted(self):
        self.run_campaign(["a"])
        entries = self.campaign.entries(["c"], ["a"], [0])
        self.campaign.plan("20260102T0", entries, model="lgbm")
        self.campaign.run(entries)
        said = self.collect()[1]
        self.assertIn("note: the launches differ in model: baseline, lgbm", said)
        self.assertEqual({row["model"] for row in self.rows("all_scores.csv") if row["src"] == "c"},
                         {"lgbm"})
        self.assertEqual({row["model"] for row in self.rows("all_scores.csv") if row["src"] == "a"},
                         {"baseline"})

    def test_data_that_no_launch_asks_a_score_for_is_no_gap(self):
        self.run_campaign()
        self.campaign.write("ml_data/a-z/split_0/test_y_data.csv", "x\n")
        self.assertIn("scores: 4 of 4\n", self.collect()[1])

    def test_a_score_that_no_launch_names_counts(self):
        self.run_campaign()
        self.campaign.scores("infer/a-z/split_0")
        self.assertIn("scores: 5 of 5\n", self.collect()[1])

    def test_a_moved_tree_gives_the_same_tables(self):
        self.run_campaign()
        self.collect()
        before = self.text("all_scores.csv")
        shutil.move(self.out, os.path.join(self.top, "moved"))
        self.out = os.path.join(self.top, "moved")
        shutil.rmtree(os.path.join(self.out, "scores"))
        self.assertEqual(self.collect()[0], 0)
        self.assertEqual(self.text("all_scores.csv"), before)

    def test_mae_stands_where_the_predictions_do(self):
        self.run_campaign(splits=[0])
        self.campaign.write("infer/a-b/split_0/test_y_data_predicted.csv", PREDICTIONS)
        self.collect()
        self.assertEqual(self.text("mae_mean_csa_table.csv"), "src,a,b\na,,0.14\n")

    def test_a_damaged_score_file_is_listed_with_its_path(self):
        self.run_campaign()
        self.campaign.write("infer/a-b/split_1/test_scores.json", b"\xff\xfe\0")
        code, said, _ = self.collect()
        row = self.rows("missing.csv")[0]
        self.assertEqual((code, row["task"], row["state"]),
                         (0, "infer/a-b/split_1", "unreadable"))
        self.assertIn(os.path.join(self.out, "infer/a-b/split_1/test_scores.json"), row["reason"])

    def test_a_broken_plan_is_noted_and_the_others_count(self):
        self.run_campaign()
        self.campaign.write("launches/20260102T0/plan.json", "{")
        code, said, _ = self.collect()
        self.assertEqual(code, 0)
        self.assertIn("note: a plan was left out: ", said)


class RefusalTest(WithTables):

    def test_a_directory_that_is_no_results_tree(self):
        code, said, errors = self.collect()
        self.assertEqual((code, said), (2, ""))
        self.assertEqual(errors, f"collect_scores: error: {self.out} is not a results tree that "
                         "this program knows\n  try: a directory that holds launches/, or "
                         "infer/SOURCE-TARGET/split_K/\n")
        self.assertEqual(os.listdir(self.out), [])

    def test_a_directory_that_is_not_there(self):
        self.out += "/x"
        code, _, errors = self.collect()
        self.assertEqual(code, 2)
        self.assertIn("is not a directory", errors)

    def test_the_layouts_of_the_workflows_are_told_apart(self):
        for name, workflow in [("infer/a-b/split_0", "csa"), ("models/a/split_0", "csa"),
                               ("models/split_0/sz_10", "lca"), ("a/models/split_0/sz_10", "lca"),
                               ("a-b/infer/split_0/sz_10", "lca"), ("a/trials/0000", "hpo"),
                               ("trials/0000", "hpo"), ("other/file", None)]:
            out = tempfile.mkdtemp(dir=self.top)
            os.makedirs(os.path.join(out, name))
            self.assertEqual(collect_scores.workflow_of(collect_scores.Tree(out)), workflow, name)

    def test_tables_that_cannot_be_written(self):
        self.run_campaign()
        write(os.path.join(self.out, "file"), "")
        code, _, errors = self.collect("--output_dir", os.path.join(self.out, "file", "x"))
        self.assertEqual(code, 2)
        self.assertIn("the tables cannot be written", errors)

    def test_tables_go_where_they_are_wanted(self):
        self.run_campaign()
        elsewhere = os.path.join(self.top, "deep", "tables")
        self.assertEqual(self.collect("--output_dir", elsewhere)[0], 0)
        self.assertIn("summary.txt", os.listdir(elsewhere))
        self.assertFalse(os.path.exists(os.path.join(self.out, "scores")))


class ProgramTest(WithTables):

    def call(self, out, **environment):
        process = subprocess.Popen(
            [sys.executable, os.path.join(STAGES, "collect_scores.py"), out],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ, **environment))
        said, errors = process.communicate()
        return process.returncode, said.decode("utf-8"), errors.decode("utf-8")

    def test_the_c_locale_does_not_break_names_that_are_not_ascii(self):
        self.out = os.path.join(self.top, "Größe")
        self.campaign = Campaign(self.out)
        self.run_campaign(["Zürich"], ["Zürich", "東京"], [0])
        self.campaign.write("infer/Zürich-Köln/split_0/test_scores.json", '{"mse": 1, "r2": 0.25}')
        code, _, errors = self.call(self.out, LC_ALL="C", LANG="C", PYTHONUTF8="0",
                                    PYTHONCOERCECLOCALE="0")
        self.assertEqual((code, errors), (0, ""))
        self.assertEqual(self.text("r2_mean_csa_table.csv"),
                         "src,Köln,Zürich,東京\nZürich,0.25,0.5,0.5\n")

    def test_bytes_that_are_no_text_in_a_name_do_not_break_it(self):
        self.campaign.scores("infer/a-b/split_0")
        os.makedirs(os.path.join(os.fsencode(self.out), b"infer", b"a-\xff", b"split_0"))
        code, said, errors = self.call(self.out, LC_ALL="C")
        self.assertEqual((code, errors), (0, ""))
        self.assertIn("infer/a-?/split_0 incomplete", said)
        self.assertIn("infer/a-\\udcff/split_0,a,", self.text("missing.csv"))

    @unittest.skipIf(os.geteuid() == 0, "root reads everything")
    def test_an_unreadable_directory_is_a_gap(self):
        self.run_campaign()
        path = os.path.join(self.out, "infer/a-b/split_0")
        os.chmod(path, 0)
        self.addCleanup(os.chmod, path, 0o700)
        code, said, errors = self.call(self.out)
        self.assertEqual((code, errors), (0, ""))
        self.assertIn("Permission denied", said)


if __name__ == "__main__":
    unittest.main()
