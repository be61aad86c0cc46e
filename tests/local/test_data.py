"""Data as IMPROVE has it: blind splits, another response file, joint sources, subsets."""
import os

from stages.stats.generalization import densed_rows, generalization_rows
from tests.plan_case import PlanCase
from tests.support import TOY, write_benchmark, write_ids


PARTS = ("train", "val", "test")


class DataCase(PlanCase):
    """A benchmark of three studies in raw/; A and B have blind splits by cell line, C has none."""

    def setUp(self):
        super().setUp()
        write_benchmark(self.path("raw"), ("A", "B", "C"))
        for study, first in (("A", 0), ("B", 10)):
            # Row r has cell line r % 5: training has cells 0 to 2, validation 3, test 4.
            for part, cells in zip(PARTS, ((0, 1, 2), (3,), (4,))):
                rows = [row for row in range(first, first + 10) if row % 5 in cells]
                write_ids(self.path("raw"), f"{study}_cell_0_{part}.txt", rows)

    def assert_reads(self, found, name, *files):
        """files: the train, val and test split file of a preprocessing"""
        arguments = found.tasks[name].arguments
        self.assertEqual(tuple(arguments[f"{part}_split_file"] for part in PARTS), files)

    def planned_toy(self, workflow, *line):
        return self.planned(workflow, *TOY, *line)


class BenchmarkTest(DataCase):
    def test_files_that_are_no_split_files_do_not_matter(self):
        for name in "._D_all.txt -x_all.txt .DS_Store A_split_09_train.txt".split():
            self.write(f"raw/splits/{name}", "")
        self.assertEqual(self.planned_toy("csa").data.studies, dict.fromkeys("ABC", [0, 1]))

    def test_a_response_file_that_cannot_be_used_is_named_with_what_is_wrong(self):
        response = self.read("raw/y_data/response.tsv")
        self.write("raw/y_data/response.tsv", response.replace("\t", ","))
        self.assertIn("response.tsv separates its columns by commas\n  try: write it with tabs",
                      self.refused("csa", *TOY))
        os.unlink("raw/y_data/response.tsv")
        self.write("raw/y_data/synergy.tsv", response.replace("auc", "loewe"))
        self.assertRegex(self.refused("csa", *TOY), "response.tsv: cannot be read .*\n"
                                                    ".*--y_data_file with one of synergy.tsv")
        found = self.planned_toy("csa", "--y_data_file", "synergy.tsv", "--y_col_name", "loewe")
        self.assertEqual(found.tasks["ml_data/A-B/split_0"].arguments["y_data_file"], "synergy.tsv")
        self.assertNotIn("y_data_file", found.tasks["models/A/split_0"].arguments)

    def test_studies_and_files_that_do_not_exist_are_refused(self):
        os.unlink("raw/splits/B_split_1_val.txt")
        for part in PARTS:
            write_ids(self.path("raw"), f"E_split_0_{part}.txt", [0, 1])
        self.assert_each_refused([
            (("--target", "X"), "study 'X' of --target is not in"),
            (("--source", "B", "--target", "B"),
             "B_split_1_val.txt cannot be read\n  try: choose other studies"),
            (("--split_type", "cell", "--source", "C"), "no split files C_cell_0_train.txt"),
            (("--split_type", "cell", "--source", "A+C"), "no split files A+C_cell_0_train.txt"),
            (("--split_type", "drug"), "has drug splits\n  try: another --split_type"),
            *((("--source", source, "--target", "B"), part) for source, part in (
                ("A+X", "study 'X' of --source is not in"), ("A+A", "share rows of"),
                ("A+", "study '' of"), ("A+E", "share rows of response.tsv")))], *TOY)

    def test_a_split_file_that_one_in_the_models_folder_would_hide_is_refused(self):
        for name in ("toy_preprocess_improve.py", "toy_train_improve.py", "toy_infer_improve.py",
                     "B_all.txt"):
            self.write(f"model/{name}", "")
        self.assertIn("B_all.txt has the name of a split file",
                      self.refused("csa", *TOY, "--model_dir", "model"))


class BlindSplitsTest(DataCase):
    def test_training_is_blind_within_a_study_and_the_target_stays_whole(self):
        found = self.planned_toy("csa", "--split_type", "cell")
        self.assertIn("C is no source: it has no file C_cell_0_train.txt", found.notes)
        self.assertEqual(found.names("infer"),
                         {f"infer/{s}-{t}/split_0" for s in "AB" for t in "ABC"})
        for target, tested in (("A", "A_cell_0_test.txt"), ("C", "C_all.txt")):
            self.assert_reads(found, f"ml_data/A-{target}/split_0", "A_cell_0_train.txt",
                              "A_cell_0_val.txt", tested)
        self.assertEqual(self.parsed("--split_type", "cell", workflow="hpo").output_dir,
                         self.path("runs/hpo_baseline_cell"))

    def test_a_learning_curve_on_blind_splits(self):
        found = self.planned_toy("lca", "--split_type", "cell", "--source", "A",
                                 "--lc_sizes_arr", "3")
        file, = found.plan.files
        self.assert_reads(found, "A/ml_data/split_0/sz_3", file, "A_cell_0_val.txt",
                          "A_cell_0_test.txt")
        self.assertEqual(file, "lca_splits/seed_42/A_cell_0_sz_3.txt")


class JointSourcesTest(DataCase):
    def test_two_studies_are_one_source_and_the_third_is_predicted(self):
        found = self.planned_toy("csa", "--source", "A+B", "--split", "1")
        joint = [f"merged_splits/A+B_split_1_{part}.txt" for part in ("train", "val")]
        self.assert_reads(found, "ml_data/A+B-C/split_1", *joint, "C_all.txt")
        self.assert_reads(found, "ml_data/A+B-B/split_1", *joint, "B_split_1_test.txt")
        self.assertEqual(found.plan.files[joint[1]], "9\n19\n")
        self.assertEqual(found.plan.files[joint[0]].count("\n"), 16)

    def test_a_member_is_left_out_across_studies(self):
        found = self.planned_toy("csa", "--source", "A+B", "--only_cross_study", "--split", "1")
        self.assertEqual(found.names("infer"), {"infer/A+B-C/split_1"})

    def test_a_learning_curve_of_a_joint_source(self):
        found = self.planned_toy("lca", "--source", "A+B", "--split", "0", "--lc_sizes_arr", "4")
        self.assertEqual(found.names("train"), {"A+B/models/split_0/sz_4"})
        self.assertIn("merged_splits/A+B_split_0_test.txt", found.plan.files)

    def test_the_tables_count_members_as_within(self):
        rows = [("r2", 0, 0.8, "A+B", target, "m") for target in "AC"]
        self.assertEqual([row[3] for row in densed_rows(rows, "m")], ["within", "cross"])
        row, = generalization_rows("r2", {("A+B", "A"): [0.8], ("A+B", "C"): [0.2]},
                                   (["A+B"], ["A", "C"]), "m")
        self.assertEqual(row[1:4], ("Ga", "A+B", ""))
