"""The naive baseline beside results: reference values, ids, skipped results, the cache."""
import json
import os
import shutil
from unittest import mock

from stages.collect import csa, lca, naive, scores
from stages.stats.naive import fit, predict
from stages.stats.moments import BEYOND, NAIVE, PRED, TRUE, by_name, together
from stages.collect.gaps import Tree
from tests.collect_case import WithTables
from tests.made_tree import of_stage, write

# Made with pandas 3.1.1 and scipy 1.17.1 (groupby means, pearsonr, Series.corr) from
# training_rows() and test_rows(): 56 rows without drug3, 90 rows with it.
EXPECTED = {
    "mae": 0.08539333333333335, "naive_mse": 0.09643047730160796, "naive_rmse": 0.31053257043603005,
    "naive_mae": 0.2616783637566138, "naive_pcc": 0.010127475410631604,
    "naive_r2": -0.1491016373763696, "norm_r2": 0.8867493805728759, "norm_pcc": 0.953296789461548}
DRUG_MEDIAN, DRUGS, DRUG0 = 0.9486168310613179, 13, (7, 0.9449596742391991)


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


def without(records):
    """Records without the attempt and the files that they are of."""
    return {name: dict(record, stamp="", files=[]) for name, record in records.items()}


class MeanEffects(WithTables):
    def test_an_unseen_drug_or_cell_line_has_no_effect(self):
        effects = fit(["d", "d", "e"], ["c", "b", "b"], [1.0, 2.0, 6.0])
        self.assertEqual(effects, (3.0, {"d": -1.5, "e": 3.0}, {"c": -2.0, "b": 1.0}))
        predicted = predict(effects, ["e", "e", "new", "new"], ["b", "new", "c", "new"])
        self.assertEqual(predicted, [7.0, 6.0, 1.0, 3.0])

    def test_scores_of_groups_together_are_those_of_all_rows(self):
        columns = [[row[at] for row in TEST_ROWS] for at in (2, 3)] + [[0.5] * 89 + [0.7]]
        parts = by_name([row[1] for row in TEST_ROWS], *columns)
        whole, = by_name(["all"] * 90, *columns).values()
        for pair in ((TRUE, PRED), (TRUE, NAIVE), BEYOND):
            self.assertAlmostEqual(together(list(parts.values())).r2(*pair), whole.r2(*pair), 13)
            self.assertAlmostEqual(together(list(parts.values())).correlation(*pair),
                                   whole.correlation(*pair), 13)

    def test_what_is_constant_has_no_correlation_whatever_its_groups(self):
        names = ["a", "b", "b", "c", "c", "c", "c"]
        parts = by_name(names, [0.1, 0.7, 0.3, 0.2, 0.9, 0.4, 0.6], [0.1] * 7, [0.3] * 7)
        whole = together(list(parts.values()))
        self.assertEqual([value != value for value in (
            whole.correlation(TRUE, PRED), whole.r2(PRED, TRUE), whole.r2(TRUE, PRED))],
            [True, True, False])


class WithCampaign(WithTables):

    def setUp(self):
        WithTables.setUp(self)
        self.entries = self.campaign.entries(["a"], ["a", "b"], (0, 1))

    def run_tasks(self, predicted=PREDICTED, training=TRAINING):
        """Leaves a tree with statuses: one source, two targets, two splits."""
        self.campaign.plan("20260101T0", self.entries)
        self.campaign.run(self.entries)
        self.write_data(predicted, training)

    def write_data(self, predicted=PREDICTED, training=TRAINING):
        for entry in of_stage(self.entries, "infer"):
            self.campaign.write(entry["name"] + "/test_y_data_predicted.csv", predicted)
        for entry in of_stage(self.entries, "preprocess"):
            self.campaign.write(entry["name"] + "/train_y_data.csv", training)

    def naive(self, old={}):
        tree = Tree(self.out)
        done = [task for task in csa.csa_tasks(tree)[0] if tree.verdict(task.name).state == "done"]
        return naive.results_and_naive(tree, done, old)[1]

    def row(self, found, at=0):
        return dict(zip(naive.HEADER, found.rows[at]))

    def records(self, found):
        return json.loads(naive.naive_files(found)["naive_results.json"])["results"]


class NaiveResults(WithCampaign):

    def test_the_scores_are_those_of_pandas_and_scipy(self):
        self.run_tasks()
        found = self.naive()
        row = self.row(found)
        for name, value in EXPECTED.items():
            self.assertAlmostEqual(row[name], value, delta=1e-9, msg=name)
        self.assertEqual((row["mse"], row["r2"]), (0.25, 0.5))      # of test_scores.json
        self.assertAlmostEqual(row["drug_pcc"], DRUG_MEDIAN, delta=1e-6)
        self.assertEqual(row["n_drugs"], DRUGS)
        self.assertEqual([row[:3] for row in found.rows],
                         [("a", "a", 0), ("a", "a", 1), ("a", "b", 0), ("a", "b", 1)])
        self.assertEqual(found.notes, [])
        drug = naive.drug_rows(found)[0]
        self.assertEqual(drug[:6], ("a", "a", None, "drug0", 2, 2 * DRUG0[0]))
        self.assertAlmostEqual(drug[6], DRUG0[1], delta=1e-6)

    def test_files_have_a_line_per_result_and_old_ones_go_without_results(self):
        self.run_tasks()
        files_of = naive.naive_files(self.naive())
        self.assertEqual({name: text.count("\n") for name, text in files_of.items()},
                         {"naive_scores.csv": 5, "per_drug.csv": 1 + 2 * DRUGS, "strata.csv": 9,
                          "naive_results.json": 0})
        self.write_data(predicted=WITHOUT_IDS)
        self.assertEqual(set(naive.naive_files(self.naive()).values()), {None})

    def test_each_file_of_predictions_is_read_once_for_scores_and_baseline(self):
        self.run_tasks()
        read = mock.Mock(wraps=scores.read_predictions)
        with mock.patch.object(scores, "read_predictions", read):
            self.assertEqual(len(self.naive().rows), 4)
        self.assertEqual(read.call_count, 4)

    def test_results_of_a_learning_curve_have_a_size(self):
        for size in (20, 40):
            at = f"S/{{}}/split_0/sz_{size}"
            self.campaign.write(at.format("ml_data") + "/train_y_data.csv", TRAINING)
            self.campaign.write(at.format("infer") + "/test_y_data_predicted.csv", PREDICTED)
        tree = Tree(self.out)
        found = naive.results_and_naive(tree, lca.lca_tasks(tree))[1]
        self.assertEqual([row[3] for row in found.rows], [20, 40])
        self.assertEqual({row[2] for row in naive.drug_rows(found)}, {20, 40})
        text = naive.naive_files(found)["strata.csv"]
        self.assertTrue(text.startswith("src,trg,split,size,drug"), text)


class Skipped(WithCampaign):

    def test_ids_come_from_test_y_data_if_its_rows_have_the_same_truths(self):
        self.run_tasks()
        expected = self.records(self.naive())
        for place in ("ml_data", "infer"):          # ml_data, or beside the predictions
            self.run_tasks(predicted=WITHOUT_IDS)
            for target in "ab":
                for split in (0, 1):
                    self.campaign.write(f"{place}/a-{target}/split_{split}/test_y_data.csv", TEST)
            found = self.records(self.naive())
            self.assertEqual(without(found), without(expected))
            self.campaign.remove(place)
        self.run_tasks(predicted=WITHOUT_IDS)
        for other in (TEST[:TEST.rindex("cell")], TEST.replace(",0.1", ",0.3"), "auc\n0.5\n", "\0"):
            self.campaign.write("ml_data/a-a/split_0/test_y_data.csv", other)
            found = self.naive()
            self.assertEqual((found.rows, found.notes), ([], [
                "no naive baseline for 4 of 4 results: neither its test_y_data_predicted.csv nor "
                "a test_y_data.csv with the same rows names drugs and cells "
                "(such as infer/a-a/split_0)"]))

    def test_a_classifier_has_a_note_and_its_scores(self):
        self.run_tasks(predicted="label_true,label_pred\n1,0.7\n0,0.2\n")
        for entry in of_stage(self.entries, "infer"):
            self.campaign.write(entry["name"] + "/test_scores.json", '{"acc": 0.5, "aupr": NaN}')
        self.assertIn("the scores are not of regression", self.naive().notes[0])
        code, said, _ = self.collect()
        self.assertEqual(code, 0)
        self.assertIn("acc, mean over splits", said)

    def test_missing_and_damaged_files_are_said_by_reason_and_the_others_are_computed(self):
        self.run_tasks()
        os.remove(os.path.join(self.out, "infer/a-b/split_0/test_y_data_predicted.csv"))
        for target in "ab":
            self.campaign.remove(f"ml_data/a-{target}/split_1")
        found = self.naive()
        self.assertEqual([row[4] for row in found.rows], ["infer/a-a/split_0"])
        self.assertEqual(found.notes, [
            "no naive baseline for 2 of 4 results: cannot be read (No such file or directory) "
            f"(such as {self.out}/ml_data/a-a/split_1/train_y_data.csv)",
            "no naive baseline for 1 of 4 results: test_y_data_predicted.csv does not exist "
            "(such as infer/a-b/split_0)"])
        path = os.path.join(self.out, "infer/a-b/split_0/test_y_data_predicted.csv")
        write(path, PREDICTED + "cell1,drug1,0.5,x,0.5\n")
        self.assertIn("no naive baseline for 1 of 4 results: 'x' in row 91 is not a finite number "
                      f"(such as {path})", self.naive().notes)

    def test_values_that_leave_the_range_of_floats_are_said(self):
        self.run_tasks()
        for files in (dict(predicted=PREDICTED + "cell1,drug1,0,1.7e308,0\n" * 4),
                      dict(training=TRAINING + "cell1,drug1,1.7e308,\n" * 4)):
            self.write_data(**files)
            found = self.naive()
            self.assertEqual((found.rows, found.notes), ([], [
                "no naive baseline for 4 of 4 results: values out of range "
                "(such as infer/a-a/split_0)"]))


class Cache(WithCampaign):

    TABLES = ("naive_scores.csv", "per_drug.csv", "strata.csv")

    def marked(self, found):
        """Records with an mae that no computation gives, which shows that they were reused."""
        return {name: dict(record, scores=dict(record["scores"], mae=99.0))
                for name, record in self.records(found).items()}

    def test_after_ml_data_was_deleted_cache_or_benchmark_give_the_same_tables(self):
        raw = os.path.join(self.top, "raw")
        write(f"{raw}/y_data/response.tsv", "improve_sample_id\timprove_chem_id\tauc\n" + "".join(
            f"{cell}\t{drug}\t{y}\n" for cell, drug, y in made_rows(0, 60)))
        write(f"{raw}/splits/a.txt", "".join(
            f"{at}\n" for at, row in enumerate(made_rows(0, 60)) if row[1] != "drug3"))
        for entry in of_stage(self.entries, "preprocess"):
            entry["arguments"]["input_dir"] = raw
        self.run_tasks()
        self.collect()
        tables = list(map(self.text, self.TABLES))
        for gone in ("ml_data", "scores"):
            self.campaign.remove(gone)
            self.collect()
            self.assertEqual(list(map(self.text, self.TABLES)), tables, gone)
        shutil.rmtree(raw)
        self.assertIn("no naive baseline for 4 of 4 results: cannot be read (No such file or "
                      "directory) (such as ", self.naive().notes[0])

    def test_a_result_that_was_made_again_or_edited_is_computed_again(self):
        self.run_tasks()
        old = self.marked(self.naive())
        self.campaign.run(of_stage(self.entries, "infer")[:1])
        for at, file, text in ((1, "test_y_data_predicted.csv", PREDICTED.replace("0.1", "0.2", 1)),
                               (2, "test_scores.json", '{"mse": 0.25, "rmse": 0.5, "pcc": 0.75, '
                                                       '"scc": 0.625, "r2": 0.4}')):
            path = os.path.join(self.out, of_stage(self.entries, "infer")[at]["name"], file)
            self.assertEqual(os.path.getsize(path), len(text))
            write(path, text)
            os.utime(path, (1, 1))
        found = self.naive(old)
        kept = {dict(zip(naive.HEADER, row))["task"] for row in found.rows
                if row[naive.HEADER.index("mae")] == 99.0}
        self.assertEqual(kept, {of_stage(self.entries, "infer")[3]["name"]})
        os.utime(os.path.join(self.out, *kept, "test_scores.json"), (1, 1))    # a copied tree
        self.assertEqual(self.row(self.naive(old), 3)["mae"], 99.0)

    def test_a_malformed_cache_or_one_of_another_format_is_ignored(self):
        for text in ("", "{", "[]", "7", "[" * 100000, '{"format": 1, "results": {"x": 1}}'):
            self.campaign.write("scores/naive_results.json", text)
            self.assertEqual(naive.old_records(Tree(self.out)), {}, text[:20])

    def test_without_statuses_nothing_is_taken_from_the_cache(self):
        self.write_data()
        found = self.naive(self.marked(self.naive()))
        self.assertEqual(len(found.rows), 4)
        self.assertLess(self.row(found)["mae"], 1)
