"""Data as IMPROVE has it: blind splits, another response file, several studies as one source."""
import csv
import os
import shutil
import unittest

import tests  # noqa: F401  (puts stages/ on the path)

from launcher import benchmark, subsets
from launcher.refusal import Refusal
from stats.generalization import densed_rows, generalization_rows
from tests.support import TOY_MODEL, WorkCase, write_benchmark, write_ids

LOCAL = ("--executor", "local")


class DataCase(WorkCase):
    """A benchmark of three studies in raw/; A and B have blind splits by cell line, C has none."""

    def setUp(self):
        super().setUp()
        write_benchmark(self.path("raw"), ("A", "B", "C"))
        for study, first in (("A", 0), ("B", 10)):
            # Row r has cell line r % 5: training has cells 0 to 2, validation 3, test 4.
            for part, cells in (("train", (0, 1, 2)), ("val", (3,)), ("test", (4,))):
                rows = [row for row in range(first, first + 10) if row % 5 in cells]
                write_ids(self.path("raw"), f"{study}_cell_0_{part}.txt", rows)

    def run_baseline(self, workflow, *arguments):
        return self.run_workflow(workflow, "--input_dir", "raw", "--output_dir", "out", *LOCAL, *arguments)

    def rows_of(self, name):
        with open(self.path("out", name), encoding="utf-8", newline="") as file:
            return [(row["study"], row["improve_sample_id"]) for row in csv.DictReader(file)]


class BlindSplitsTest(DataCase):
    def test_training_is_blind_within_a_study_and_the_target_stays_whole(self):
        ended = self.run_baseline("csa", "--split_type", "cell")
        self.assertEqual(ended.code, 0, ended)
        self.assertIn("C is no source: it has no file C_cell_0_train.txt\n", ended.out)
        self.assertEqual({key[1:3] for key in self.score_values()}, {(source, target) for source in "AB" for target in "ABC"})
        self.assertEqual(set(self.rows_of("ml_data/A-A/split_0/train_y_data.csv")), {("A", f"cell{k}") for k in (0, 1, 2)})
        self.assertEqual(set(self.rows_of("ml_data/A-A/split_0/test_y_data.csv")), {("A", "cell4")})
        self.assertEqual(len(self.rows_of("ml_data/A-C/split_0/test_y_data.csv")), 10)

    def test_a_study_without_blind_splits_is_refused_if_it_is_named(self):
        self.assert_refused(self.run_baseline("csa", "--split_type", "cell", "--source", "C"),
                            "study 'C' has no split files C_cell_0_train.txt")
        self.assert_refused(self.run_baseline("csa", "--split_type", "drug"), "no study has drug splits")

    def test_one_results_tree_holds_splits_of_one_type(self):
        self.assertEqual(self.run_baseline("csa", "--source", "A", "--target", "B", "--split", "0").code, 0)
        refusal = "holds results of split type split, not cell"
        self.assert_refused(self.run_baseline("csa", "--source", "A", "--split_type", "cell", "--replace"), refusal)
        self.assert_refused(self.run_baseline("csa", "--source", "B", "--split_type", "cell", "--dry_run"), refusal)

    def test_the_default_results_tree_is_named_after_the_type(self):
        for workflow, more in (("csa", ()), ("lca", ("--lc_sizes", "2")), ("hpo", ())):
            ended = self.run_workflow(workflow, "--input_dir", "raw", "--split_type", "cell", "--source", "A", "--dry_run",
                                      *LOCAL, *more)
            self.assertEqual(ended.code, 0, ended)
            self.assertIn(self.path("runs", f"{workflow}_baseline_cell") + ":", ended.out)

    def test_a_learning_curve_on_blind_splits(self):
        ended = self.run_baseline("lca", "--split_type", "cell", "--source", "A", "--lc_sizes", "2", "--min_size", "3")
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(sorted(os.listdir(self.path("out", "lca_splits", "seed_42"))),
                         ["A_cell_0_sz_3.txt", "A_cell_0_sz_6.txt"])
        self.assertEqual(set(self.rows_of("A/ml_data/split_0/sz_6/test_y_data.csv")), {("A", "cell4")})

    def test_a_search_on_blind_splits(self):
        ended = self.run_baseline("hpo", "--split_type", "cell", "--source", "A", "--max_evals", "2")
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(set(self.rows_of("A/ml_data/split_0/val_y_data.csv")), {("A", "cell3")})

    def test_subsets_of_improves_generator_count_for_blind_splits_if_no_name_says_cell(self):
        os.makedirs(self.path("subsets"))
        self.write("subsets/A_split_0_sz_2.txt", "0\n1\n")
        self.assertEqual(list(subsets.find_subset_files(self.path("subsets"), "cell")), ["A"])
        self.write("subsets/B_cell_0_sz_2.txt", "10\n11\n")
        self.assertEqual(list(subsets.find_subset_files(self.path("subsets"), "cell")), ["B"])
        self.assertEqual(list(subsets.find_subset_files(self.path("subsets"))), ["A"])


class JointSourcesTest(DataCase):
    def test_two_studies_are_one_source_and_the_third_is_predicted(self):
        ended = self.run_baseline("csa", "--source", "A+B", "--target", "C", "--split", "0")
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual({key[1:4] for key in self.score_values()}, {("A+B", "C", "0")})
        self.assertEqual([study for study, _ in self.rows_of("ml_data/A+B-C/split_0/train_y_data.csv")], ["A"] * 8 + ["B"] * 8)
        self.assertEqual(self.read("out", "merged_splits", "A+B_split_0_val.txt"), "8\n18\n")
        self.assertIn(self.path("out", "merged_splits", "A+B_split_0_train.txt"),
                      self.status_of("ml_data/A+B-C/split_0")["words"])
        again = self.run_baseline("csa", "--source", "A+B", "--target", "C", "--split", "0")
        self.assertIn("3 done already, 0 to run", again.out)

    def test_a_member_is_tested_on_its_own_test_part_and_left_out_across_studies(self):
        ended = self.run_baseline("csa", "--source", "A+B", "--split", "1")
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(len(self.rows_of("ml_data/A+B-B/split_1/test_y_data.csv")), 1)
        self.assertEqual(len(self.rows_of("ml_data/A+B-C/split_1/test_y_data.csv")), 10)
        ended = self.run_baseline("csa", "--source", "A+B", "B+C", "--split", "1", "--only_cross_study", "--dry_run")
        self.assertIn("dry run: 6 tasks", ended.out)    # A+B on C, B+C on A

    def test_leave_one_study_out_is_one_command(self):
        ended = self.run_baseline("csa", "--source", "A+B", "A+C", "B+C", "--only_cross_study")
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual({key[1:3] for key in self.score_values()}, {("A+B", "C"), ("A+C", "B"), ("B+C", "A")})

    def test_a_learning_curve_and_a_search_of_a_joint_source(self):
        ended = self.run_baseline("lca", "--source", "A+B", "--split", "0", "--lc_sizes", "2", "--min_size", "4")
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual({study for study, _ in self.rows_of("A+B/ml_data/split_0/sz_16/train_y_data.csv")}, {"A", "B"})
        shutil.rmtree(self.path("out"))
        ended = self.run_baseline("hpo", "--source", "A+B", "--max_evals", "1")
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(len(self.rows_of("A+B/ml_data/split_0/train_y_data.csv")), 16)

    def test_joint_sources_that_make_no_sense_are_refused(self):
        write_ids(self.path("raw"), "D_all.txt", [0])
        for part in ("train", "val", "test"):
            write_ids(self.path("raw"), f"E_split_0_{part}.txt", [0, 1])
        for source, part in (("A+X", "study 'X' of --source is not in"), ("A+A", "names a study twice"),
                             ("A+", "study '' of --source"),
                             ("A+D", "study 'D' has no split files"), ("A+E", "share rows of response.tsv")):
            self.assert_refused(self.run_baseline("csa", "--source", source, "--target", "B", "--split", "0"), part)
        self.assert_refused(self.run_baseline("csa", "--source", "A+B", "--split", "7"), "split 7 of study 'A+B' is not in")

    def test_a_joint_source_has_the_splits_that_all_its_studies_have(self):
        data = benchmark.Benchmark("raw", {"A": (0, 1, 2), "B": (1, 2, 3), "C": (9,)}, False)
        self.assertEqual(benchmark.choose_splits(None, "A+B", data), [1, 2])
        with self.assertRaises(Refusal):
            benchmark.choose_splits(None, "A+C", data)

    def test_the_tables_count_members_as_within(self):
        rows = [("r2", 0, 0.8, "A+B", "A", "m"), ("r2", 0, 0.2, "A+B", "C", "m")]
        self.assertEqual([(row[3], row[1]) for row in densed_rows(rows, "m")], [("within", 0.8), ("cross", 0.2)])
        groups = {("A+B", "A"): [0.8], ("A+B", "C"): [0.2]}
        self.assertEqual([row[1:6] for row in generalization_rows("r2", groups, (["A+B"], ["A", "C"]), "m")],
                         [("Ga", "A+B", "", 0.2, 1)])


class ResponseFileTest(DataCase):
    def test_another_response_file_is_read_and_passed_on_to_preprocess_only(self):
        shutil.copytree(TOY_MODEL, self.path("model"), ignore=shutil.ignore_patterns("__pycache__"))
        with open(self.path("model", "toy.py"), encoding="utf-8") as file:
            text = file.read()
        known = '"test_split_file", "input_dir"'
        self.write("model/toy.py", text.replace(known, known + ', "y_data_file"'))
        self.write("raw/y_data/synergy.tsv", self.read("raw", "y_data", "response.tsv").replace("\tauc\n", "\tloewe\n"))
        shutil.move(self.path("raw", "y_data", "response.tsv"), self.path("elsewhere.tsv"))
        settings = ("--model", "toy", "--model_dir", "model", "--y_data_file", "synergy.tsv", "--source", "A", "--split", "0")
        self.assert_refused(self.run_baseline("csa", *settings), "synergy.tsv has no column 'auc'", "loewe")
        ended = self.run_baseline("csa", *settings, "--y_col_name", "loewe")
        status = self.status_of("ml_data/A-B/split_0")
        self.assertEqual(status["words"][-4:], ["--y_col_name", "loewe", "--y_data_file", "synergy.tsv"])
        self.assertEqual(status["state"], "done", ended)
        self.assertNotIn("--y_data_file", self.status_of("models/A/split_0")["words"])

    def test_subsets_are_checked_against_the_rows_of_that_file(self):
        self.write("raw/y_data/small.tsv", "auc\n0.5\n")
        self.assert_refused(self.run_baseline("lca", "--source", "A", "--y_data_file", "small.tsv"),
                            "which the response file lacks")


class HelpTest(WorkCase):
    def test_help_is_a_short_usage_groups_of_one_screen_and_five_uses(self):
        for workflow in ("csa", "lca", "hpo"):
            ended = self.run_workflow(workflow, "--help", COLUMNS="100")
            self.assertEqual(ended.code, 0, ended)
            usage, _, rest = ended.out.partition("\n\n")
            self.assertLessEqual(len(usage.splitlines()), 2, usage)
            options, _, uses = rest.rpartition("\n\n")
            for group in options.split("\n\n"):
                self.assertLessEqual(len(group.splitlines()), 24, group)
            self.assertGreaterEqual(uses.count("\nTo "), 4)
            self.assertIn("python3 stages/collect_scores.py --compare OUT1 OUT2 --output_dir DIR", uses)


if __name__ == "__main__":
    unittest.main()
