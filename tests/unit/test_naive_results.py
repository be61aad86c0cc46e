"""The naive baseline beside results: reference values, ids, skipped results, deleted ml_data."""
import math
import os
import unittest
from unittest import mock

from stages.collect import csa, scores
from stages.stats.naive import PRED, TRUE, by_name, fit, predict, together
from stages.collect.gaps import Tree
from tests.collect_case import WithTables
from tests.made_tree import of_stage

# Made with pandas 3.1.1 and scipy 1.17.1 (groupby means, pearsonr, Series.corr) from
# training_rows() and test_rows(): 56 rows without drug3, 90 rows with it.
EXPECTED = {
    "mae": 0.08539333333333335, "naive_mse": 0.09643047730160796, "naive_rmse": 0.31053257043603005,
    "naive_mae": 0.2616783637566138, "naive_pcc": 0.010127475410631604,
    "naive_r2": -0.1491016373763696, "norm_r2": 0.8867493805728759, "norm_pcc": 0.953296789461548}
DRUG_MEDIAN, DRUGS, DRUG0 = 0.9486168310613179, 13, (7, 0.94496)


def made_rows(start, count):
    return [(f"cell{i * 7 % 11}", f"drug{i * 5 % 13}", round(i * 7919 % 10007 / 10007, 4))
            for i in range(start, start + count)]


TRAINING_ROWS = [row for row in made_rows(0, 60) if row[1] != "drug3"]
TEST_ROWS = [(*row, round((row[2] * 3 + i % 7 / 7) / 4, 4))
             for i, row in enumerate(made_rows(60, 90))]
TRAINING = "improve_sample_id,improve_chem_id,auc,ic50\n" + "".join(
    f"{cell},{drug},{y},\n" for cell, drug, y in TRAINING_ROWS)
PREDICTED = "improve_sample_id,improve_chem_id,auc,auc_true,auc_pred\n" + "".join(
    f"{cell},{drug},{y},{y},{pred}\n" for cell, drug, y, pred in TEST_ROWS)
WITHOUT_IDS = "auc_true,auc_pred\n" + "".join(f"{y},{pred}\n" for _, _, y, pred in TEST_ROWS)
TEST = "improve_sample_id,improve_chem_id,auc\n" + "".join(
    f"{cell},{drug},{y + 2e-5}\n" for cell, drug, y, _ in TEST_ROWS)


class MeanEffects(unittest.TestCase):
    def test_an_unseen_drug_or_cell_line_has_no_effect(self):
        effects = fit(["d", "d", "e"], ["c", "b", "b"], [1.0, 2.0, 6.0])
        self.assertEqual(effects, (3.0, {"d": -1.5, "e": 3.0}, {"c": -2.0, "b": 1.0}))
        predicted = predict(effects, ["e", "e", "new", "new"], ["b", "new", "c", "new"])
        self.assertEqual(predicted, [7.0, 6.0, 1.0, 3.0])

    def test_what_is_constant_has_no_correlation_whatever_its_groups(self):
        whole = together(by_name("abb", [0.1, 0.7, 0.3], [0.1] * 3, [0.3] * 3).values())
        self.assertTrue(math.isnan(whole.correlation(TRUE, PRED)))
        self.assertTrue(math.isnan(whole.r2(PRED, TRUE)))
        self.assertFalse(math.isnan(whole.r2(TRUE, PRED)))


class WithCampaign(WithTables):

    def setUp(self):
        WithTables.setUp(self)
        self.entries = self.campaign.entries(["a"], ["a", "b"], (0, 1))
        self.inferences = [entry["name"] for entry in of_stage(self.entries, "infer")]

    def run_tasks(self):
        """Leaves a tree with statuses: one source, two targets, two splits."""
        self.campaign.plan("20260101T0", self.entries)
        self.campaign.run(self.entries)
        self.write_data()

    def write_data(self, predicted=PREDICTED, training=TRAINING):
        for name in self.inferences:
            self.campaign.write(name + "/test_y_data_predicted.csv", predicted)
        for entry in of_stage(self.entries, "preprocess"):
            self.campaign.write(entry["name"] + "/train_y_data.csv", training)

    def found(self):
        """Returns ({inference: record}, {inference: its notes})."""
        tree = Tree(self.out)
        results, records = scores.results_and_naive(tree, tree.done(csa.csa_tasks(tree)))
        return ({task.name: record for task, record in records},
                {name: result.notes for name, result in results.items() if result.notes})


class NaiveResults(WithCampaign):

    def test_the_scores_are_those_of_pandas_and_scipy(self):
        self.run_tasks()
        self.collect()
        rows = self.table("naive_scores.csv")
        self.assertEqual([row["task"] for row in rows], sorted(self.inferences))
        for name, value in EXPECTED.items():
            self.assertAlmostEqual(float(rows[0][name]), value, delta=1e-9, msg=name)
        self.assertEqual((rows[0]["mse"], rows[0]["r2"]), ("0.25", "0.5"))  # of test_scores.json
        self.assertAlmostEqual(float(rows[0]["drug_pcc"]), DRUG_MEDIAN, delta=1e-6)
        self.assertEqual(rows[0]["n_drugs"], str(DRUGS))
        drugs = self.table("per_drug.csv")
        self.assertEqual(len(drugs), 4 * DRUGS)
        self.assertEqual(list(drugs[0].values()), ["a", "a", "0", "", "drug0", *map(str, DRUG0)])
        self.write_data(predicted=WITHOUT_IDS)
        self.collect()
        gone = {"naive_scores.csv", "per_drug.csv", "strata.csv"}
        self.assertFalse(gone & set(os.listdir(self.path("out/scores"))))

    def test_each_file_of_predictions_is_read_once_for_scores_and_baseline(self):
        self.run_tasks()
        read = mock.Mock(wraps=scores.read_predictions)
        with mock.patch.object(scores, "read_predictions", read):
            self.assertEqual(len(self.found()[0]), 4)
        self.assertEqual(read.call_count, 4)

    def test_results_of_a_learning_curve_have_a_size(self):
        for size in (20, 40):
            at = f"S/{{}}/split_0/sz_{size}"
            self.campaign.write(at.format("ml_data") + "/train_y_data.csv", TRAINING)
            self.campaign.write(at.format("infer") + "/test_y_data_predicted.csv", PREDICTED)
        self.collect()
        for name in ("naive_scores.csv", "per_drug.csv"):
            self.assertEqual({row["size"] for row in self.table(name)}, {"20", "40"})


class Skipped(WithCampaign):

    def test_ids_come_from_test_y_data_if_its_rows_have_the_same_truths(self):
        self.run_tasks()
        wanted = [record["scores"] for record in self.found()[0].values()]
        self.write_data(predicted=WITHOUT_IDS)
        for place in ("ml_data", "infer"):          # ml_data, or beside the predictions
            files = [name.replace("infer", place) + "/test_y_data.csv" for name in self.inferences]
            for file in files:
                self.campaign.write(file, TEST)
            self.assertEqual([record["scores"] for record in self.found()[0].values()], wanted)
            self.campaign.remove(*files)
        for other in (TEST[:TEST.rindex("cell")], TEST.replace(",0.1", ",0.3"), "auc\n0.5\n", "\0"):
            self.campaign.write("ml_data/a-a/split_0/test_y_data.csv", other)
            self.assertEqual(self.found(), ({}, dict.fromkeys(self.inferences, (
                "no naive baseline: test_y_data_predicted.csv: neither it nor a test_y_data.csv "
                "with the same rows names drugs and cells",))))

    def test_missing_and_damaged_files_are_said_by_reason_and_the_others_are_computed(self):
        self.run_tasks()
        file = "infer/a-b/split_0/test_y_data_predicted.csv"
        self.campaign.write(file, PREDICTED + "cell1,drug1,0.5,x,0.5\n")
        self.campaign.remove("ml_data/a-a/split_1", "ml_data/a-b/split_1")
        said = self.collect()[1]
        self.assertEqual([row["task"] for row in self.table("naive_scores.csv")],
                         ["infer/a-a/split_0"])
        for note in ("train_y_data.csv: cannot be read (No such file or directory) (2 results)",
                     "test_y_data_predicted.csv: 'x' in row 91 is not a finite number (1 result)"):
            self.assertIn(f"note: no naive baseline: {note}\n", said)

    def test_values_that_leave_the_range_of_floats_stop_no_table(self):
        self.run_tasks()
        for texts in ((PREDICTED + "cell1,drug1,0,1.7e308,0\n" * 4, TRAINING),
                      (PREDICTED, TRAINING + "cell1,drug1,1.7e308,\n" * 4)):
            self.write_data(*texts)
            self.assertEqual(self.collect()[0], 0)
            self.assertEqual(self.table("naive_scores.csv")[0]["naive_mse"], "")

    def test_after_ml_data_was_deleted_the_benchmark_gives_the_same_tables(self):
        rows = made_rows(0, 60)
        self.write("raw/y_data/response.tsv", "improve_sample_id\timprove_chem_id\tauc\n" + "".join(
            f"{cell}\t{drug}\t{y}\n" for cell, drug, y in rows))
        self.write("raw/splits/a.txt", "".join(
            f"{at}\n" for at, row in enumerate(rows) if row[1] != "drug3"))
        for entry in of_stage(self.entries, "preprocess"):
            entry["arguments"]["input_dir"] = self.path("raw")
        self.run_tasks()
        self.collect()
        tables = ("naive_scores.csv", "per_drug.csv", "strata.csv", "all_scores.csv")
        wanted = list(map(self.text, tables))
        self.campaign.remove("ml_data")
        self.collect()
        self.assertEqual(list(map(self.text, tables)), wanted)
