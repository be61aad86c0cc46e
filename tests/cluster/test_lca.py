"""workflow_lca: sizes and subsets, refusals, what runs and runs again, tables; on this machine and on Slurm."""
import math
import os
import shutil
import unittest

from launcher import subsets
from launcher.refusal import Refusal
from tests.cluster import slurm_cluster
from tests.support import WorkCase, write_benchmark, write_ids

LOCAL = ("--executor", "local")


class SizesTest(unittest.TestCase):
    def test_log_sizes_are_a_constant_factor_apart(self):
        self.assertEqual(subsets.sizes(128, 1280, 10, "log"), [128, 165, 214, 276, 356, 460, 594, 767, 991, 1280])

    def test_linear_sizes_are_a_constant_step_apart(self):
        self.assertEqual(subsets.sizes(100, 500, 5, "linear"), [100, 200, 300, 400, 500])

    def test_powers_of_two_and_ten_end_with_the_whole(self):
        self.assertEqual(subsets.sizes(100, 1000, 10, "log2"), [128, 256, 512, 1000])
        self.assertEqual(subsets.sizes(10, 5000, 10, "log10"), [10, 100, 1000, 5000])
        self.assertEqual(subsets.sizes(2, 1024, 3, "log2"), [256, 512, 1024])

    def test_sizes_that_coincide_are_refused_with_a_number_that_works(self):
        with self.assertRaisesRegex(Refusal, "give a size twice") as caught:
            subsets.check_sizes(subsets.sizes(2, 8, 10, "log"), "S", 10, 2, "log")
        self.assertEqual(caught.exception.way_out, "--lc_sizes 5, or a smaller --min_size")
        self.assertEqual(len(set(subsets.sizes(2, 8, 5, "log"))), 5)

    def test_the_shuffle_is_the_same_everywhere(self):
        self.assertEqual(subsets.shuffled(range(10), 42, "gCSI", 0), [6, 3, 0, 7, 2, 4, 9, 1, 8, 5])
        self.assertNotEqual(subsets.shuffled(range(10), 42, "gCSI", 1), subsets.shuffled(range(10), 42, "gCSI", 0))


class LcaCase(WorkCase):
    def setUp(self):
        super().setUp()
        write_benchmark(self.path("raw"), ("A", "B"), rows=40)

    def run_lca(self, *arguments, **settings):
        return self.run_toy(*(arguments or ("--lc_sizes", "3", "--min_size", "4")), workflow="lca", **settings)


class RefusalsTest(LcaCase):
    def refused(self, *parts, arguments=()):
        self.assert_refused(self.run_lca(*LOCAL, *arguments), *parts)
        self.assertFalse(os.path.exists(self.path("out")), "something was written")

    def test_a_smallest_size_above_the_training_split(self):
        self.refused("--min_size 500 is larger than the 38 rows of A", "--min_size 38 or less", arguments=["--min_size", "500"])

    def test_an_explicit_size_above_the_training_split(self):
        self.refused("--lc_sizes_arr 99 is larger than the 38 rows", arguments=["--lc_sizes_arr", "10", "99"])

    def test_sizes_that_coincide(self):
        self.refused("--lc_sizes 30 from 10 to 38 rows of A give a size twice", arguments=["--lc_sizes", "30", "--min_size", "10"])

    def test_a_split_file_with_a_row_twice(self):
        write_ids(self.path("raw"), "A_split_0_train.txt", [1, 2, 3, 2])
        self.refused("A_split_0_train.txt holds row 2 twice")

    def test_a_split_file_with_a_row_that_the_response_lacks(self):
        write_ids(self.path("raw"), "A_split_1_train.txt", [1, 2, 80])
        self.refused("A_split_1_train.txt holds row 80, which the response file lacks")

    def test_a_split_file_with_something_else(self):
        with open(self.path("raw/splits/A_split_0_train.txt"), "w") as file:
            file.write("1\nx\n")
        self.refused("holds something that is no row number")

    def test_an_empty_directory_of_existing_splits(self):
        os.makedirs(self.path("empty"))
        self.refused("holds no file NAME_split_K_sz_N.txt", arguments=["--lca_splits_dir", "empty"])

    def test_an_existing_subset_with_a_row_twice(self):
        os.makedirs(self.path("own/splits"))
        write_ids(self.path("own"), "A_split_0_sz_3.txt", [1, 1, 2])
        self.refused("holds row 1 twice", arguments=["--lca_splits_dir", "own/splits"])


class LocalTest(LcaCase):
    def test_every_size_is_scored_and_the_subsets_are_nested(self):
        ended = self.run_lca(*LOCAL, "--lc_sizes", "3", "--min_size", "4", TOY_STARTS=self.path("starts.txt"))
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(len(self.starts()), 2 * 2 * 3 * 3)
        rows = self.table("learning_curve.csv")
        self.assertEqual([(r["size"], r["n_splits"]) for r in rows if (r["source"], r["metric"]) == ("A", "mse")],
                         [("4", "2"), ("12", "2"), ("38", "2")])
        folder = self.path("out/lca_splits/seed_42")
        ids = {n: subsets.read_ids(os.path.join(folder, f"A_split_0_sz_{n}.txt")) for n in (4, 12, 38)}
        self.assertEqual((ids[12][:4], ids[38][:12]), (ids[4], ids[12]))
        self.assertEqual(sorted(ids[38]), sorted(subsets.read_ids(self.path("raw/splits/A_split_0_train.txt"))))
        self.assertIn("36 done already, 0 to run", self.run_lca(*LOCAL, "--lc_sizes", "3", "--min_size", "4").out)

    def test_a_small_study_gets_smaller_sizes_and_is_told(self):
        ended = self.run_lca(*LOCAL, "--lc_sizes", "3", "--source", "A", "--split", "0", "--dry_run")
        self.assertIn("A: --min_size 4 instead of 128, since its training split has 38 rows", ended.out)

    def test_another_seed_is_another_experiment(self):
        self.run_lca(*LOCAL, "--lc_sizes", "2", "--min_size", "4", "--source", "A", "--split", "0")
        ended = self.run_lca(*LOCAL, "--lc_sizes", "2", "--min_size", "4", "--source", "A", "--split", "0", "--seed", "1")
        self.assertIn("2 of these have other parameters", ended.out)

    def test_existing_subsets_are_used(self):
        os.makedirs(self.path("own/splits"))
        for size in (3, 5):
            write_ids(self.path("own"), f"A_split_0_sz_{size}.txt", range(size))
        ended = self.run_lca(*LOCAL, "--lca_splits_dir", "own/splits", TOY_STARTS=self.path("starts.txt"))
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(len(self.starts()), 6)
        self.assertIn(self.path("own/splits/A_split_0_sz_5.txt"), self.status_of("A/ml_data/split_0/sz_5")["words"])

    def test_sizes_where_splits_failed_are_drawn_with_what_there_is(self):
        ended = self.run_lca(*LOCAL, "--lc_sizes", "3", "--min_size", "4", "--source", "A", TOY_FAULTS="train split_1/sz_12 exit:2")
        self.assertEqual(ended.code, 1)
        rows = {r["size"]: r["n_splits"] for r in self.table("learning_curve.csv") if r["metric"] == "mse"}
        self.assertEqual(rows, {"4": "2", "12": "1", "38": "2"})
        self.assertEqual([r["task"] for r in self.table("missing.csv")], ["A/infer/split_1/sz_12"])
        self.assertTrue(self.read("out/scores/learning_curve_mae.svg").startswith("<svg"))

    def test_the_collector_reads_a_tree_without_a_source_level(self):
        self.run_lca(*LOCAL, "--lc_sizes", "3", "--min_size", "4", "--source", "A")
        for folder, _, files in os.walk(self.path("out/A")):
            if "stage_status.json" in files:
                os.unlink(os.path.join(folder, "stage_status.json"))
        ended = self.collect("out/A", "--output_dir", "tables")
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(self.read("tables/learning_curve.csv"), self.read("out/scores/learning_curve.csv"))

    def test_the_last_size_may_differ_by_a_row_between_splits(self):
        write_ids(self.path("raw"), "A_split_0_train.txt", range(37))
        write_benchmark(self.path("raw2"), ("A",), rows=400)
        write_ids(self.path("raw2"), "A_split_0_train.txt", range(397))
        ended = self.run_lca(*LOCAL, "--input_dir", "raw2", "--lc_sizes", "2", "--min_size", "9")
        self.assertEqual(ended.code, 0, ended)
        rows = {r["size"]: r["n_splits"] for r in self.table("learning_curve.csv") if r["metric"] == "mse"}
        self.assertEqual(rows, {"9": "2", "398": "2"})


class DemoTest(WorkCase):
    def test_the_error_of_the_baseline_falls_with_size_on_the_demo_data(self):
        ended = self.run_workflow("lca", "--source", "gCSI", *LOCAL, "--output_dir", "out")
        self.assertEqual(ended.code, 0, ended)
        medians = [float(r["median"]) for r in self.table("learning_curve.csv") if r["metric"] == "mae"]
        self.assertEqual(len(medians), 10)
        self.assertLess(medians[-1], 0.8 * medians[0])
        fit = next(r for r in self.table("learning_curve_fit.csv") if r["metric"] == "mae")
        self.assertLess(float(fit["predicted_twice"]), float(fit["predicted_full"]))
        self.assertTrue(math.isfinite(float(fit["backtest_error_percent"])))


@unittest.skipIf(slurm_cluster.why_not(), slurm_cluster.why_not())
class SlurmTest(slurm_cluster.WithCluster, LcaCase):
    def test_slurm_gives_the_scores_of_a_local_run_and_resumes(self):
        shutil.rmtree(self.path("raw"))
        write_benchmark(self.path("raw"), ("A", "B"), splits=3, rows=100)
        words = ("--lc_sizes", "6", "--min_size", "8")
        slurm = ("--executor", "slurm", "--wait", *words)
        ended = self.run_lca(*slurm, TOY_STARTS=self.path("starts.txt"))
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(len(self.starts()), 2 * 3 * 6 * 3)
        on_slurm = self.read("out/scores/all_scores.csv")
        shutil.rmtree(self.path("out/A/infer/split_1/sz_98"))
        ended = self.run_lca(*slurm, TOY_STARTS=self.path("again.txt"))
        self.assertEqual((ended.code, len(self.starts("again.txt"))), (0, 1))
        shutil.rmtree(self.path("out"))
        self.assertEqual(self.run_lca(*LOCAL, *words).code, 0)
        self.assertEqual(self.read("out/scores/all_scores.csv"), on_slurm)


if __name__ == "__main__":
    unittest.main()
