"""workflow_lca on this machine: sizes and subsets, refusals, what runs and runs again, tables."""
import glob
import os

import workflow_lca
from tests.campaign import LOCAL
from tests.plan_case import PlanCase
from tests.support import TOY, write_benchmark, write_ids

THREE = ("--source", "A", "--lc_sizes", "3", "--min_size", "4")


class LcaTest(PlanCase):
    def setUp(self):
        super().setUp()
        write_benchmark(self.path("raw"), ("A", "B"), rows=40)

    def run_lca(self, *arguments, code=0, **settings):
        ended = self.run_toy(*LOCAL, *arguments, workflow="lca", TOY_STARTS=self.path("starts.txt"),
                             **settings)
        self.assertEqual(ended.code, code, ended)
        return ended

    def sizes(self):
        """{size: number of splits} of A's curve of mse."""
        return {int(row["size"]): int(row["n_splits"]) for row in self.table("learning_curve.csv")
                if (row["source"], row["metric"]) == ("A", "mse")}

    def test_sizes_are_those_asked_for_or_a_constant_factor_apart(self):
        for line, rows, expected in (
                ((), 1280, [128, 165, 214, 276, 356, 460, 594, 767, 991, 1280]),
                (("--lc_sizes", "1"), 1280, [1280]),
                (("--min_size", "2"), 8, [2, 3, 4, 5, 6, 7, 8]),
                (("--lc_sizes", "3"), 38, [4, 12, 38]),     # smaller ones in a small study
                (("--lc_sizes_arr", "32", "20", "30,31"), 38, [20, 30, 31, 32])):
            options = self.parsed(*line, workflow="lca")
            self.assertEqual(workflow_lca.steps_of(options, "A", rows), expected)

    def test_the_shuffle_is_the_same_everywhere(self):
        write_benchmark("ten", ("gCSI",), rows=12)
        files = self.planned("lca", *TOY, "--input_dir", "ten", "--lc_sizes", "1").plan.files
        first, second = (files[f"lca_splits/seed_42/gCSI_split_{split}_sz_10.txt"].split()
                         for split in (0, 1))       # rows 0 to 9 and 1 to 10
        self.assertEqual(first, list("6307249185"))
        self.assertNotEqual(second, [str(int(row) + 1) for row in first])

    def test_sizes_and_split_files_that_cannot_work_are_refused(self):
        os.makedirs("empty")
        for study in ("A", "XYZ"):
            self.write(f"made/{study}_split_0_sz_2.txt", "0\n1\n")
        self.assert_each_refused([
            (("--min_size", "500"), "a size of 500 rows is more than the 38 of A",
             "sizes of 38 or less"),
            (("--lc_sizes_arr", "10", "99"), "a size of 99 rows is more than the 38 of A"),
            (("--lca_splits_dir", "empty"), "empty has no file NAME_split_K_sz_N.txt"),
            (("--lca_splits_dir", "made", "--source", "A", "--split", "3"),
             "made has no file A_split_3_sz_N.txt"),
            (("--lca_splits_dir", "made"), "XYZ_split_0_train.txt: cannot be read")], *TOY,
            workflow="lca")
        write_ids("raw", "A_split_0_train.txt", [1, "x"])
        self.assert_each_refused([((), "A_split_0_train.txt", "is 'x', not a row number")], *TOY,
                                 workflow="lca")

    def test_subsets_that_exist_are_used(self):
        for name in ("A_split_0_sz_3", "A_split_0_sz_5", "._A_split_0_sz_4", "A_split_0_sz_x"):
            self.write(f"own/splits/{name}.txt", "0\n1\n2\n")
        found = self.planned("lca", *TOY, "--lca_splits_dir", "own/splits")
        self.assertEqual((len(found.tasks), found.plan.files), (6, {}))
        self.assertIn(f"--train_split_file {self.path('own/splits/A_split_0_sz_5.txt')} ",
                      found.line("A/ml_data/split_0/sz_5"))

    def test_every_size_is_scored_in_nested_subsets_and_a_split_that_failed_is_a_gap(self):
        self.run_lca(*THREE, code=1, TOY_FAULTS="train split_1/sz_12 exit:2")
        self.assertEqual(self.sizes(), {4: 2, 12: 1, 38: 2})
        self.assertEqual([row["task"] for row in self.table("missing.csv")],
                         ["A/infer/split_1/sz_12"])
        self.run_lca(*THREE)
        self.assertEqual(len(self.starts()), 2 * 3 * 3 + 1)
        self.assertEqual(self.sizes(), {4: 2, 12: 2, 38: 2})
        ids = {n: self.read(f"out/lca_splits/seed_42/A_split_0_sz_{n}.txt").split()
               for n in (4, 12, 38)}
        self.assertEqual((ids[12][:4], ids[38][:12]), (ids[4], ids[12]))
        self.assertEqual(set(ids[38]), set(self.read("raw/splits/A_split_0_train.txt").split()))
        self.assert_read_without_a_source_level()

    def assert_read_without_a_source_level(self):
        """A's curve is the same if A's folder is all there is, as IMPROVE writes it."""
        for path in glob.glob("out/A/**/stage_status.json", recursive=True):
            os.unlink(path)
        self.collect("out/A", "--output_dir", "tables", code=0)
        self.assertEqual(self.read("tables/learning_curve.csv"),
                         self.read("out/scores/learning_curve.csv"))

    def test_the_whole_training_sets_are_one_size_though_a_split_has_a_row_less(self):
        write_benchmark(self.path("raw2"), ("A",), rows=400)
        write_ids(self.path("raw2"), "A_split_0_train.txt", range(397))
        self.run_lca("--input_dir", "raw2", "--lc_sizes", "2", "--min_size", "9")
        self.assertEqual(self.sizes(), {9: 2, 398: 2})

    def test_sizes_that_differ_are_different_points_and_splits_that_are_not_alike_are_named(self):
        self.run_lca("--source", "A", "--split", "0", "--lc_sizes_arr", "4", "8")
        ended = self.run_lca("--source", "A", "--split", "1", "--lc_sizes_arr", "4", "9",
                             "--epochs", "9")
        self.assertEqual(self.sizes(), {4: 2, 8: 1, 9: 1})
        self.assertIn("splits that are not alike are in one mean: train of A on A, 4 rows: "
                      "--epochs is 9 in split 1", ended.out)

    def test_subsets_and_joint_sources_follow_the_split_files_that_they_were_made_from(self):
        for workflow, source, edited, option, value in (
                ("lca", "A", "A", "--lc_sizes_arr", "4"), ("csa", "A+B", "B", "--target", "A")):
            command = (*LOCAL, "--source", source, "--output_dir", workflow, option, value)
            self.run_toy(*command, workflow=workflow, code=0)
            rows = self.read(f"raw/splits/{edited}_split_0_train.txt").split()
            write_ids(self.path("raw"), f"{edited}_split_0_train.txt", rows[:-2])
            self.run_toy(*command, "--status", workflow=workflow, code=1)
            ended = self.run_toy(*command, workflow=workflow, code=0)
            self.assertIn(f"{edited}_split_0_train.txt has changed", ended.out)

    def test_the_error_of_the_baseline_falls_with_size_on_the_demo_data(self):
        self.run_workflow("lca", *LOCAL, "--source", "gCSI", "--split", "0", "--lc_sizes", "2",
                          "--output_dir", "out", code=0)
        medians = [float(row["median"]) for row in self.table("learning_curve.csv")
                   if row["metric"] == "mae"]
        self.assertEqual(len(medians), 2)
        self.assertLess(medians[-1], 0.8 * medians[0])
