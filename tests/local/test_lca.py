"""workflow_lca on this machine: sizes and subsets, refusals, what runs and runs again, tables."""
import math
import os
import unittest

from launcher import subsets
from tests.campaign import LOCAL
from tests.support import WorkCase, write_benchmark, write_ids

THREE = ("--lc_sizes", "3", "--min_size", "4")
ONE = ("--source", "A", "--split", "0")


class SizesTest(unittest.TestCase):
    def test_sizes_on_each_scale(self):
        for arguments, expected in (((128, 1280, 10, "log"),
                                     [128, 165, 214, 276, 356, 460, 594, 767, 991, 1280]),
                                    ((100, 500, 5, "linear"), [100, 200, 300, 400, 500]),
                                    ((100, 1000, 10, "log2"), [128, 256, 512, 1000]),
                                    ((10, 5000, 10, "log10"), [10, 100, 1000, 5000]),
                                    ((2, 1024, 3, "log2"), [256, 512, 1024]),
                                    ((128, 1280, 1, "log"), [1280]),
                                    ((2, 8, 10, "log"), [2, 3, 4, 5, 6, 7, 8])):
            with self.subTest(arguments):
                self.assertEqual(subsets.sizes(*arguments), expected)

    def test_the_shuffle_is_the_same_everywhere(self):
        self.assertEqual(subsets.shuffled(range(10), 42, "gCSI", 0), [6, 3, 0, 7, 2, 4, 9, 1, 8, 5])
        self.assertNotEqual(subsets.shuffled(range(10), 42, "gCSI", 1),
                            subsets.shuffled(range(10), 42, "gCSI", 0))


class LcaCase(WorkCase):
    def setUp(self):
        super().setUp()
        write_benchmark(self.path("raw"), ("A", "B"), rows=40)

    def run_lca(self, *arguments, code=0, **settings):
        ended = self.run_toy(*LOCAL, *arguments, workflow="lca", TOY_STARTS=self.path("starts.txt"),
                             **settings)
        self.assertEqual(ended.code, code, ended)
        return ended

    def sizes(self, source="A"):
        """{size: number of splits} of the curve of mse."""
        return {int(row["size"]): int(row["n_splits"]) for row in self.table("learning_curve.csv")
                if (row["source"], row["metric"]) == (source, "mse")}


class RefusalsTest(LcaCase):
    def test_sizes_and_split_files_that_cannot_work_are_refused(self):
        os.makedirs(self.path("empty"))
        os.makedirs(self.path("own/splits"))
        write_ids(self.path("own"), "A_split_0_sz_3.txt", [1, 1, 2])
        for parts, arguments in ((("a size of 500 rows is more than the 38 of A",
                                   "sizes of 38 or less"), ("--min_size", "500")),
                                 (("a size of 99 rows is more than the 38 of A",),
                                  ("--lc_sizes_arr", "10", "99")),
                                 (("a size of 20 rows is more than the 10 of A",),
                                  ("--max_size", "10", "--min_size", "20")),
                                 (("holds no file NAME_split_K_sz_N.txt",),
                                  ("--lca_splits_dir", "empty")),
                                 (("holds row 1 twice",), ("--lca_splits_dir", "own/splits"))):
            with self.subTest(arguments):
                self.assert_refused(self.run_lca(*arguments, code=2), *parts)
        for name, ids, part in (("A_split_0_train.txt", [1, 2, 3, 2], "holds row 2 twice"),
                                ("A_split_0_train.txt", [1, 2, 80],
                                 "holds row 80, which the response file lacks"),
                                ("A_split_0_train.txt", [1, "x"],
                                 "is 'x', not a row number")):
            write_ids(self.path("raw"), name, ids)
            self.assert_refused(self.run_lca(code=2), name, part)
        self.assertFalse(os.path.exists(self.path("out")), "something was written")


class CurvesTest(LcaCase):
    def test_every_size_is_scored_and_the_subsets_are_nested(self):
        self.run_lca(*THREE)
        self.assertEqual(len(self.starts()), 2 * 2 * 3 * 3)
        self.assertEqual(self.sizes(), {4: 2, 12: 2, 38: 2})
        folder = self.path("out/lca_splits/seed_42")
        ids = {n: subsets.read_ids(os.path.join(folder, f"A_split_0_sz_{n}.txt"))
               for n in (4, 12, 38)}
        self.assertEqual((ids[12][:4], ids[38][:12]), (ids[4], ids[12]))
        self.assertEqual(sorted(ids[38]),
                         sorted(subsets.read_ids(self.path("raw/splits/A_split_0_train.txt"))))
        self.assertIn("36 done already, 0 to run", self.run_lca(*THREE).out)

    def test_sizes_are_those_asked_for_and_smaller_in_a_small_study(self):
        for arguments, sizes in (("--lc_sizes 3", [4, 12, 38]),
                                 ("--lc_sizes_arr 32 20 30,31", [20, 30, 31, 32]),
                                 ("--max_size 20 --min_size 5 --lc_sizes 2", [5, 20]),
                                 ("--lc_step_scale linear --min_size 4 --lc_sizes 3", [4, 21, 38]),
                                 ("--lc_step_scale log2 --min_size 4", [4, 8, 16, 32, 38])):
            with self.subTest(arguments):
                out = self.path(f"dry{len(arguments)}")
                self.run_lca(*arguments.split(), *ONE, "--dry_run", "--output_dir", out)
                self.assertEqual(set(os.listdir(f"{out}/lca_splits/seed_42")),
                                 {f"A_split_0_sz_{size}.txt" for size in sizes})

    def test_the_whole_training_sets_are_one_size_though_a_split_has_a_row_less(self):
        write_benchmark(self.path("raw2"), ("A",), rows=400)
        write_ids(self.path("raw2"), "A_split_0_train.txt", range(397))
        self.run_lca("--input_dir", "raw2", "--lc_sizes", "2", "--min_size", "9")
        self.assertEqual(self.sizes(), {9: 2, 398: 2})

    def test_another_seed_is_another_experiment(self):
        self.run_lca("--lc_sizes", "2", "--min_size", "4", *ONE)
        ended = self.run_toy(*LOCAL, "--lc_sizes", "2", "--min_size", "4", *ONE, "--seed", "1",
                             workflow="lca")
        self.assert_refused(ended, "preprocess --train_split_file: ", "would be replaced")

    def test_subsets_that_exist_are_used(self):
        os.makedirs(self.path("own/splits"))
        for size in (3, 5):
            write_ids(self.path("own"), f"A_split_0_sz_{size}.txt", range(size))
        self.run_lca("--lca_splits_dir", "own/splits")
        self.assertEqual(len(self.starts()), 6)
        self.assertEqual(self.status_of("A/ml_data/split_0/sz_5")["arguments"]["train_split_file"],
                         self.path("own/splits/A_split_0_sz_5.txt"))

    def test_a_size_where_a_split_failed_is_drawn_with_the_others(self):
        self.run_lca(*THREE, "--source", "A", code=1, TOY_FAULTS="train split_1/sz_12 exit:2")
        self.assertEqual(self.sizes(), {4: 2, 12: 1, 38: 2})
        self.assertEqual([row["task"] for row in self.table("missing.csv")],
                         ["A/infer/split_1/sz_12"])

    def test_the_collector_reads_a_tree_of_improve_without_a_source_level(self):
        self.run_lca(*THREE, "--source", "A")
        for folder, _, files in os.walk(self.path("out/A")):
            if "stage_status.json" in files:
                os.unlink(os.path.join(folder, "stage_status.json"))
        self.assertEqual(self.collect("out/A", "--output_dir", "tables").code, 0)
        self.assertEqual(self.read("tables/learning_curve.csv"),
                         self.read("out/scores/learning_curve.csv"))


class DemoTest(LcaCase):
    def test_the_error_of_the_baseline_falls_with_size_on_the_demo_data(self):
        ended = self.run_workflow("lca", "--source", "gCSI", *LOCAL, "--output_dir", "out")
        self.assertEqual(ended.code, 0, ended)
        medians = [float(row["median"]) for row in self.table("learning_curve.csv")
                   if row["metric"] == "mae"]
        self.assertEqual(len(medians), 10)
        self.assertLess(medians[-1], 0.8 * medians[0])
        fit = next(row for row in self.table("learning_curve_fit.csv") if row["metric"] == "mae")
        self.assertLess(float(fit["predicted_2x"]), float(fit["predicted_full"]))
        self.assertTrue(math.isfinite(float(fit["backtest_error_percent"])))


if __name__ == "__main__":
    unittest.main()
