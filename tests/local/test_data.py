"""Data as IMPROVE has it: blind splits, another response file, joint sources, subsets."""
import os

from launcher import benchmark, subsets
from stages.stats.generalization import densed_rows, generalization_rows
from tests.plan_case import TOY, PlanCase
from tests.support import write_benchmark, write_ids


class DataCase(PlanCase):
    """A benchmark of three studies in raw/; A and B have blind splits by cell line, C has none."""

    def setUp(self):
        super().setUp()
        write_benchmark(self.path("raw"), ("A", "B", "C"))
        for study, first in (("A", 0), ("B", 10)):
            # Row r has cell line r % 5: training has cells 0 to 2, validation 3, test 4.
            for part, cells in (("train", (0, 1, 2)), ("val", (3,)), ("test", (4,))):
                rows = [row for row in range(first, first + 10) if row % 5 in cells]
                write_ids(self.path("raw"), f"{study}_cell_0_{part}.txt", rows)

    def parts(self, found, name):
        """The train, val and test split file of a task."""
        return [found.tasks[name].arguments[f"{part}_split_file"]
                for part in ("train", "val", "test")]

    def planned_toy(self, workflow, *line):
        return self.planned(workflow, *TOY, *line)


class BenchmarkTest(DataCase):
    def test_files_that_are_no_split_files_do_not_matter(self):
        names = ("A_all.txt", "._A_all.txt", "-x_all.txt", ".DS_Store", "A_split_00_train.txt",
                 "README", "A_split_0_val.txt")
        self.assertEqual(benchmark.studies_of(names), {"A": (0,)})

    def test_a_response_file_that_cannot_be_used_is_named_with_what_is_wrong(self):
        response = self.read("raw/y_data/response.tsv")
        self.write("raw/y_data/response.tsv", response.replace("\t", ","))
        self.assertIn("no column 'auc'\n  try: --y_col_name with one of source,improve_sample_id",
                      self.refused("csa", *TOY))
        os.unlink("raw/y_data/response.tsv")
        self.write("raw/y_data/synergy.tsv", response.replace("auc", "loewe"))
        self.assertRegex(self.refused("csa", *TOY), "response.tsv cannot be read .*\n.*--y_data_")
        found = self.planned_toy("csa", "--y_data_file", "synergy.tsv", "--y_col_name", "loewe")
        self.assertEqual(found.tasks["ml_data/A-B/split_0"].arguments["y_data_file"], "synergy.tsv")
        self.assertNotIn("y_data_file", found.tasks["models/A/split_0"].arguments)

    def test_studies_and_files_that_do_not_exist_are_refused(self):
        os.unlink("raw/splits/B_split_1_val.txt")
        for part in ("train", "val", "test"):
            write_ids(self.path("raw"), f"E_split_0_{part}.txt", [0, 1])
        self.assert_each_refused([
            (("--target", "X"), "study 'X' of --target is not in"),
            (("--source", "B"), "B_split_1_val.txt cannot be read\n  try: choose other studies"),
            (("--split_type", "cell", "--source", "C"), "no split files C_cell_0_train.txt"),
            (("--split_type", "cell", "--source", "A+C"), "no split files A+C_cell_0_train.txt"),
            (("--split_type", "drug"), "has drug splits\n  try: another --split_type"),
            *((("--source", source, "--target", "B"), part) for source, part in (
                ("A+X", "study 'X' of --source is not in"), ("A+A", "share rows of"),
                ("A+", "study '' of"), ("A+E", "share rows of response.tsv")))], *TOY)

    def test_a_split_file_that_one_in_the_models_folder_would_hide_is_refused(self):
        os.makedirs("model")
        for name in ("preprocess", "train", "infer"):
            self.write(f"model/toy_{name}_improve.py", "")
        self.write("model/B_all.txt", "1\n")
        self.assertIn("B_all.txt has the name of a split file",
                      self.refused("csa", *TOY, "--model_dir", "model"))


class BlindSplitsTest(DataCase):
    def test_training_is_blind_within_a_study_and_the_target_stays_whole(self):
        found = self.planned_toy("csa", "--split_type", "cell")
        self.assertIn("C is no source: it has no file C_cell_0_train.txt", found.notes)
        self.assertEqual(found.names("infer"),
                         {f"infer/{s}-{t}/split_0" for s in "AB" for t in "ABC"})
        blind = ["A_cell_0_train.txt", "A_cell_0_val.txt"]
        self.assertEqual(self.parts(found, "ml_data/A-A/split_0"), blind + ["A_cell_0_test.txt"])
        self.assertEqual(self.parts(found, "ml_data/A-C/split_0"), blind + ["C_all.txt"])
        self.assertEqual(self.parsed("--split_type", "cell", workflow="hpo").output_dir,
                         self.path("runs/hpo_baseline_cell"))

    def test_a_learning_curve_on_blind_splits(self):
        found = self.planned_toy("lca", "--split_type", "cell", "--source", "A",
                                 "--lc_sizes", "2", "--min_size", "3")
        files = [f"lca_splits/seed_42/A_cell_0_sz_{n}.txt" for n in (3, 6)]
        self.assertEqual(list(found.plan.files), files)
        self.assertEqual(self.parts(found, "A/ml_data/split_0/sz_6"),
                         [files[1], "A_cell_0_val.txt", "A_cell_0_test.txt"])


class SubsetsTest(DataCase):
    def test_sizes_and_files_that_make_no_curve_are_refused(self):
        os.makedirs("made")
        self.write("made/A_split_0_sz_2.txt", "0\n1\n")
        self.write("raw/y_data/small.tsv", "auc\n0.5\n")
        self.assert_each_refused([
            (("--max_size", "99"), "a size of 99 rows is more than the 8 of A"),
            (("--lca_splits_dir", "made", "--split", "3"), "made has no file A_split_3_sz_N.txt"),
            (("--y_data_file", "small.tsv"), "which the response file lacks")],
            *TOY, "--source", "A", workflow="lca")
        self.write("made/XYZ_split_0_sz_2.txt", "0\n1\n")
        self.assert_each_refused([(("--lca_splits_dir", "made"), "study 'XYZ' of --source")], *TOY,
                                 workflow="lca")

    def test_subsets_are_found_by_their_names_also_those_of_blind_splits(self):
        os.makedirs("subsets")
        for name in ("A_split_0_sz_2.txt", "._A_split_0_sz_3.txt", "A_split_0_sz_x.txt"):
            self.write(f"subsets/{name}", "0\n1\n")
        self.assertEqual(subsets.find_subset_files("subsets"),
                         {("A", 0, 2): "subsets/A_split_0_sz_2.txt"})

    def test_rows_are_numbered_by_split_id_if_the_response_file_has_it(self):
        self.write("v2.tsv", '\tsplit_id\tdrug\tauc\n0\t7\t"5\'\t0.5\n1\t9\tx\t\n')
        self.assertEqual(subsets.responses("v2.tsv", "auc"), {7: "0.5", 9: ""})


class JointSourcesTest(DataCase):
    def test_two_studies_are_one_source_and_the_third_is_predicted(self):
        found = self.planned_toy("csa", "--source", "A+B", "--target", "C", "--split", "0")
        self.assertEqual(found.names("infer"), {"infer/A+B-C/split_0"})
        joint = [f"merged_splits/A+B_split_0_{part}.txt" for part in ("train", "val")]
        self.assertEqual(self.parts(found, "ml_data/A+B-C/split_0"), joint + ["C_all.txt"])
        self.assertEqual(found.plan.files[joint[1]], "8\n18\n")
        self.assertEqual(found.plan.files[joint[0]].count("\n"), 16)

    def test_a_member_is_tested_on_its_own_test_part_and_left_out_across_studies(self):
        found = self.planned_toy("csa", "--source", "A+B", "--split", "1")
        self.assertEqual([self.parts(found, f"ml_data/A+B-{t}/split_1")[2] for t in "BC"],
                         ["B_split_1_test.txt", "C_all.txt"])
        found = self.planned_toy("csa", "--source", "A+B", "B+C", "--only_cross_study",
                                 "--split", "1")
        self.assertEqual(found.names("infer"), {"infer/A+B-C/split_1", "infer/B+C-A/split_1"})

    def test_a_learning_curve_of_a_joint_source(self):
        found = self.planned_toy("lca", "--source", "A+B", "--split", "0", "--lc_sizes", "2",
                                 "--min_size", "4")
        self.assertEqual(found.names("train"), {f"A+B/models/split_0/sz_{n}" for n in (4, 16)})
        self.assertIn("merged_splits/A+B_split_0_test.txt", found.plan.files)

    def test_the_tables_count_members_as_within(self):
        rows = [("r2", 0, 0.8, "A+B", "A", "m"), ("r2", 0, 0.2, "A+B", "C", "m")]
        self.assertEqual([(row[3], row[1]) for row in densed_rows(rows, "m")],
                         [("within", 0.8), ("cross", 0.2)])
        groups = {("A+B", "A"): [0.8], ("A+B", "C"): [0.2]}
        found = generalization_rows("r2", groups, (["A+B"], ["A", "C"]), "m")
        self.assertEqual([row[1:6] for row in found], [("Ga", "A+B", "", 0.2, 1)])
