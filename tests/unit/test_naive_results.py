"""The parts behind the naive baselines: mean effects, reading, what is left out, what is kept."""
import json
import os
import shutil
import tempfile
import unittest
from collections import OrderedDict
from unittest import mock

HERE = os.path.dirname(os.path.abspath(__file__))
import tests  # noqa: F401  (puts stages/ on the path)

from collect import csa  # noqa: E402
from collect import lca  # noqa: E402
from stats import naive_baseline  # noqa: E402
from collect import naive as naive_scores  # noqa: E402
from common import side_by_side as workers  # noqa: E402
from tree import scores  # noqa: E402
from tree.results_tree import Tree  # noqa: E402
from tests.made_tree import Campaign, of_stage, write  # noqa: E402

# Made with pandas 3.1.1 and scipy 1.17.1 (groupby means, pearsonr, spearmanr, Series.corr) from
# training_rows() and test_rows(): 56 rows without drug3, 90 rows with it.
MODEL = {"mse": 0.010909932444444444, "mae": 0.08539333333333335}
NAIVE = {"mse": 0.09643047730160796, "rmse": 0.31053257043603005, "mae": 0.2616783637566138,
         "pcc": 0.010127475410631604, "scc": -0.01577181898961342, "r2": -0.1491016373763696}
NORMALISED = {"r2": 0.8867493805728759, "pcc": 0.953296789461548, "scc": 0.9555829937852409}
DRUG_MEDIAN, DRUGS = 0.9486168310613179, 13
DRUG0, DRUG9_ROWS = (7, 0.9449596742391991), 6
CELL_MEDIAN, CELLS = 0.953267190788556, 11


def rows(start, count):
    return [(f"cell{i * 7 % 11}", f"drug{i * 5 % 13}", round(i * 7919 % 10007 / 10007, 4))
            for i in range(start, start + count)]


def training_rows():
    return [row for row in rows(0, 60) if row[1] != "drug3"]


def test_rows():
    return [(*row, round((row[2] * 3 + i % 7 / 7) / 4, 4)) for i, row in enumerate(rows(60, 90))]


test_rows.__test__ = False      # pytest would take it for a test

TRAINING = "improve_sample_id,improve_chem_id,auc,ic50\n" + "".join(
    f"{cell},{drug},{y},\n" for cell, drug, y in training_rows())
PREDICTED = "source,improve_sample_id,improve_chem_id,auc,auc_true,auc_pred\n" + "".join(
    f"a,{cell},{drug},{y},{y},{pred}\n" for cell, drug, y, pred in test_rows())
WITHOUT_NAMES = "auc_true,auc_pred\n0.1,0.2\n0.3,0.1\n0.2,0.2\n"


class MeanEffects(unittest.TestCase):

    def test_an_unseen_drug_or_cell_line_has_no_effect(self):
        effects = naive_baseline.fit(["d", "d", "e"], ["c", "b", "b"], [1.0, 2.0, 6.0])
        self.assertEqual(effects.mean, 3.0)
        self.assertEqual(effects.drugs, {"d": -1.5, "e": 3.0})
        self.assertEqual(effects.cells, {"c": -2.0, "b": 1.0})
        self.assertEqual(naive_baseline.predict(effects, ["e", "e", "new", "new"], ["b", "new", "c", "new"]),
                         [7.0, 6.0, 1.0, 3.0])

    def test_a_drug_with_few_rows_or_constant_values_has_no_correlation(self):
        names = ["a"] * 5 + ["b"] * 4 + ["c"] * 5
        true = [1.0, 2.0, 3.0, 4.0, 5.0] + [1.0, 2.0, 3.0, 4.0] + [1.0] * 5
        pred = [2.0, 4.0, 6.0, 8.0, 10.0] + [1.0, 2.0, 3.0, 4.0] + [1.0, 2.0, 3.0, 4.0, 5.0]
        found = naive_baseline.group_correlations(true, pred, names)
        self.assertEqual(list(found), ["a"])
        self.assertAlmostEqual(found["a"][1], 1.0, delta=1e-12)


class WithCampaign(unittest.TestCase):

    def setUp(self):
        self.top = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.top)
        self.out = os.path.join(self.top, "out")
        self.campaign = Campaign(self.out)
        self.entries = self.campaign.entries(["a"], ["a", "b"], (0, 1))

    def run_campaign(self, predicted=PREDICTED, training=TRAINING):
        """Leaves a tree with statuses: one source, two targets, two splits."""
        self.campaign.plan("20260101T0", self.entries)
        self.campaign.run(self.entries)
        self.write_data(predicted, training)

    def write_data(self, predicted=PREDICTED, training=TRAINING):
        for entry in of_stage(self.entries, "infer"):
            self.campaign.write(entry["name"] + "/test_y_data_predicted.csv", predicted)
        for entry in of_stage(self.entries, "preprocess"):
            self.campaign.write(entry["name"] + "/train_y_data.csv", training)

    def naive(self, old_text=""):
        tree = Tree(self.out)
        done = [task for task in csa.csa_tasks(tree)[0] if tree.verdict(task.name).state == "done"]
        return naive_scores.results_and_naive(tree, done, old_text)[1]

    def row(self, naive, at=0):
        return dict(zip(naive_scores.HEADER, naive.rows[at]))

    def records(self, naive):
        return naive_scores.naive_files(naive)["naive_results.jsonl"]


class NaiveResults(WithCampaign):

    def check(self, row, prefix, expected):
        for met, value in expected.items():
            self.assertAlmostEqual(row[prefix + met], value, delta=1e-9)

    def test_the_scores_are_those_of_pandas_and_scipy(self):
        self.run_campaign()
        naive = self.naive()
        row = self.row(naive)
        self.check(row, "naive_", NAIVE)
        self.check(row, "norm_", NORMALISED)
        self.assertAlmostEqual(row["mae"], MODEL["mae"], delta=1e-9)
        self.assertEqual((row["mse"], row["r2"]), (0.25, 0.5))      # of test_scores.json
        self.assertAlmostEqual(row["drug_pcc"], DRUG_MEDIAN, delta=1e-6)
        self.assertAlmostEqual(row["cell_pcc"], CELL_MEDIAN, delta=1e-6)
        self.assertEqual((row["n_drugs"], row["n_cells"]), (DRUGS, CELLS))
        self.assertEqual([(r[0], r[1], r[2]) for r in naive.rows],
                         [("a", "a", 0), ("a", "a", 1), ("a", "b", 0), ("a", "b", 1)])
        self.assertEqual(naive.notes, [])

    def test_correlations_per_drug_are_kept_for_all_splits(self):
        self.run_campaign()
        naive = self.naive()
        self.assertEqual({key: len(values) for key, values in naive.drug_values.items()},
                         {("a", "a"): 2 * DRUGS, ("a", "b"): 2 * DRUGS})
        self.assertEqual(naive.drug_rows[0][:6], ("a", "a", None, "drug0", 2, 2 * DRUG0[0]))
        self.assertAlmostEqual(naive.drug_rows[0][6], DRUG0[1], delta=1e-6)
        self.assertEqual(naive.drug_rows[12][3:6], ("drug9", 2, 2 * DRUG9_ROWS))
        self.assertEqual(len(naive.cell_rows), 2 * CELLS)

    def test_without_a_score_file_the_models_scores_come_from_its_predictions(self):
        self.run_campaign()
        os.remove(os.path.join(self.out, "infer/a-a/split_0/test_scores.json"))
        self.check(self.row(self.naive()), "", MODEL)

    def test_files_have_a_line_per_result_and_none_is_removed_where_there_are_none(self):
        self.run_campaign()
        files = naive_scores.naive_files(self.naive())
        self.assertEqual({name: text.count("\n") for name, text in files.items()},
                         {"naive_scores.csv": 5, "per_drug.csv": 1 + 2 * DRUGS,
                          "per_cell_line.csv": 1 + 2 * CELLS, "naive_results.jsonl": 4})
        self.write_data(predicted=WITHOUT_NAMES)
        self.assertEqual(set(naive_scores.naive_files(self.naive()).values()), {None})

    def test_each_file_of_predictions_is_read_once_for_scores_and_baseline(self):
        self.run_campaign()
        with mock.patch.object(scores, "read_predictions", mock.Mock(wraps=scores.read_predictions)) as read:
            self.assertEqual(len(self.naive().rows), 4)
        self.assertEqual(read.call_count, 4)

    def test_several_processes_find_the_same(self):
        self.run_campaign()
        alone = self.naive()
        with mock.patch.object(workers, "FEW_BYTES", 0), mock.patch.object(workers, "cores", lambda: 2):
            self.assertEqual(self.records(self.naive()), self.records(alone))

    def test_results_of_a_learning_curve_are_told_apart_by_size(self):
        for size in (20, 40):
            at = f"S/{{}}/split_0/sz_{size}"
            write(os.path.join(self.out, at.format("ml_data"), "train_y_data.csv"), TRAINING)
            write(os.path.join(self.out, at.format("infer"), "test_y_data_predicted.csv"), PREDICTED)
        tree = Tree(self.out)
        naive = naive_scores.results_and_naive(tree, lca.lca_tasks(tree))[1]
        self.assertEqual(list(naive.drug_values), [("S", 20), ("S", 40)])
        self.assertEqual([row[3] for row in naive.rows], [20, 40])


class LeftOut(WithCampaign):

    def test_predictions_without_drugs_and_cell_lines_are_said_once(self):
        self.run_campaign(predicted=WITHOUT_NAMES)
        naive = self.naive()
        self.assertEqual(naive.rows, [])
        self.assertEqual(naive.notes, [
            "no naive baseline for 4 of 4 results: test_y_data_predicted.csv has no improve_chem_id and no "
            "improve_sample_id (such as infer/a-a/split_0)"])

    def test_training_data_without_drugs_is_said(self):
        self.run_campaign(training="improve_sample_id,auc\nc,0.5\n")
        self.assertEqual(self.naive().notes, [
            "no naive baseline for 4 of 4 results: train_y_data.csv has no improve_chem_id "
            "(such as infer/a-a/split_0)"])

    def test_missing_files_are_said_by_reason_and_the_others_are_computed(self):
        self.run_campaign()
        os.remove(os.path.join(self.out, "infer/a-b/split_0/test_y_data_predicted.csv"))
        for target in "ab":
            self.campaign.remove(f"ml_data/a-{target}/split_1")
        naive = self.naive()
        self.assertEqual([row[4] for row in naive.rows], ["infer/a-a/split_0"])
        self.assertEqual(naive.notes, [
            "no naive baseline for 1 of 4 results: test_y_data_predicted.csv does not exist "
            "(such as infer/a-b/split_0)",
            "no naive baseline for 2 of 4 results: train_y_data.csv does not exist, ml_data was deleted or "
            "never made (such as infer/a-a/split_1)"])

    def test_the_training_data_of_another_target_will_do(self):
        self.run_campaign()
        expected = self.records(self.naive())
        self.campaign.remove("ml_data/a-b/split_0")
        self.assertEqual(self.records(self.naive()), expected)

    def test_a_damaged_file_is_named(self):
        self.run_campaign()
        path = os.path.join(self.out, "infer/a-b/split_1/test_y_data_predicted.csv")
        write(path, PREDICTED + "a,cell1,drug1,0.5,x,0.5\n")
        naive = self.naive()
        self.assertEqual(len(naive.rows), 3)
        self.assertEqual(naive.notes, ["no naive baseline for 1 of 4 results: a file cannot be used "
                                       f"(such as {path}: 'x' in row 91 is not a finite number)"])

    def test_what_is_not_done_is_left_out_without_a_word(self):
        self.run_campaign()
        name = "infer/a-b/split_1"
        status = self.campaign.status_of(name)
        status["state"] = "failed"
        self.campaign.write(name + "/stage_status.json", json.dumps(status))
        naive = self.naive()
        self.assertEqual((len(naive.rows), naive.notes), (3, []))

    def test_a_table_of_another_length_than_its_status_tells_is_left_out(self):
        self.run_campaign()
        name = "infer/a-b/split_1"
        status = self.campaign.status_of(name)
        status["files"] = {"test_y_data_predicted.csv": len(PREDICTED) + 1}
        self.campaign.write(name + "/stage_status.json", json.dumps(status))
        naive = self.naive()
        self.assertEqual(len(naive.rows), 3)


def marked(text):
    """Returns records with an mae that no computation gives, which shows that they were taken over."""
    records = [json.loads(line, object_pairs_hook=OrderedDict) for line in text.splitlines()]
    for record in records:
        record["scores"]["mae"] = 99.0
    return "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records)


class Reuse(WithCampaign):

    def test_after_ml_data_was_deleted_the_old_records_are_taken(self):
        self.run_campaign()
        first = self.naive()
        shutil.rmtree(os.path.join(self.out, "ml_data"))
        second = self.naive(self.records(first))
        self.assertEqual(naive_scores.naive_files(second), naive_scores.naive_files(first))
        self.assertEqual(second.drug_values, first.drug_values)
        self.assertEqual(second.notes, [])

    def test_a_result_that_was_made_again_is_computed_again(self):
        self.run_campaign()
        old = self.records(self.naive())
        self.campaign.run(of_stage(self.entries, "infer")[:1])
        self.campaign.write("infer/a-a/split_0/test_y_data_predicted.csv", PREDICTED[:PREDICTED.rindex("a,cell")])
        naive = self.naive(old)
        self.assertNotAlmostEqual(self.row(naive)["naive_mse"], NAIVE["mse"], delta=1e-9)
        self.assertAlmostEqual(self.row(naive, 1)["naive_mse"], NAIVE["mse"], delta=1e-9)

    def test_lines_that_are_no_records_are_passed_over(self):
        self.run_campaign()
        expected = self.records(self.naive())
        record = json.loads(expected.split("\n")[0])
        damaged = [dict(record, **change) for change in (
            {"format": 0}, {"scores": {}}, {"drugs": {"d": [1]}}, {"cells": [3]}, {"task": []},
            {"stamp": 5}, {"drugs": {"d": ["x", 0.5]}})]
        lines = list(map(json.dumps, damaged)) + ["", "{", "[]", "7", "[" * 100000, '{"format": 1}']
        self.assertEqual(self.records(self.naive("\n".join(lines))), expected)

    def test_old_records_are_read_from_the_tree(self):
        self.run_campaign()
        self.assertEqual(naive_scores.old_records(Tree(self.out)), "")
        text = self.records(self.naive())
        self.campaign.write("scores/naive_results.jsonl", text)
        self.assertEqual(naive_scores.old_records(Tree(self.out)), text)

    def test_without_statuses_a_record_holds_while_the_files_are_the_same(self):
        self.write_data()
        old = self.records(self.naive())
        self.assertEqual(old.count("\n"), 4)
        taken_over = marked(old)
        self.assertEqual(self.records(self.naive(taken_over)), taken_over)
        shutil.rmtree(os.path.join(self.out, "ml_data"))
        # IMPROVE's own trees: what stands in infer/ is known without ml_data
        self.assertEqual(self.records(self.naive(taken_over)), taken_over)

    def test_without_statuses_another_training_file_is_another_record(self):
        self.write_data()
        taken_over = marked(self.records(self.naive()))
        self.campaign.write("ml_data/a-a/split_0/train_y_data.csv", TRAINING + "cell1,drug1,0.5,\n")
        found = self.naive(taken_over)
        self.assertLess(self.row(found)["mae"], 1)
        self.assertEqual(self.row(found, 1)["mae"], 99.0)


if __name__ == "__main__":
    unittest.main()
