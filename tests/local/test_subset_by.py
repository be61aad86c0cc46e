"""Learning curves along drugs and cell lines: nested sets of names, all rows of each, and the unit on every page and table."""
import glob
import os
import re

from launcher import subsets
from launcher.refusal import Refusal
from tests.support import WorkCase, write_benchmark

LOCAL = ("--executor", "local")


class SubsetByTest(WorkCase):

    def setUp(self):
        super().setUp()
        write_benchmark(self.path("raw"), ("A", "B"), rows=30)

    def run_lca(self, *arguments):
        return self.run_toy(*LOCAL, "--source", "A", *arguments, workflow="lca")

    def subset(self, kind, split, size):
        return [int(word) for word in self.read(f"out/lca_splits/seed_42_by_{kind}/A_split_{split}_sz_{size}.txt").split()]

    def test_each_subset_holds_all_training_rows_of_its_names_and_the_smaller_ones(self):
        for kind, column, sizes in (("drug", 2, (2, 3)), ("cell", 1, (2, 3, 4, 5))):
            ended = self.run_lca("--subset_by", kind, "--split", "0", "1", "--dry_run")
            self.assertEqual(ended.code, 0, ended)
            table = [line.split("\t") for line in self.read("raw/y_data/response.tsv").splitlines()[1:]]
            self.assertEqual(len(glob.glob(self.path(f"out/lca_splits/seed_42_by_{kind}/A_split_0_*"))), len(sizes))
            for split in (0, 1):
                train = [int(word) for word in self.read(f"raw/splits/A_split_{split}_train.txt").split()]
                smaller = set()
                for size in sizes:
                    rows = self.subset(kind, split, size)
                    names = {table[row][column] for row in rows}
                    self.assertEqual(len(names), size)
                    self.assertEqual(rows, [row for row in train if table[row][column] in names])
                    self.assertLess(smaller, names)
                    smaller = names

    def test_page_and_tables_are_in_drugs(self):
        ended = self.run_lca("--subset_by", "drug", "--split", "0")
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual({row["unit"] for row in self.table("learning_curve.csv")}, {"drugs"})
        self.assertEqual([row["size"] for row in self.table("learning_curve.csv") if row["metric"] == "mse"], ["2", "3"])
        self.assertEqual({row["unit"] for row in self.table("learning_curve_fit.csv")}, {"drugs"})
        page = self.read("out/report.html")
        for words in ("Learning curves of toy along drugs", "2-3 drugs in 2 steps", "training set size (drugs)"):
            self.assertIn(words, page)
        curves = re.sub(r"<style>.*?</style>|<pre>.*?</pre>", "", page, flags=re.DOTALL).partition('id="beside-a-naive-baseline"')[0]
        self.assertFalse("rows" in curves, re.findall(".{40}rows.{40}", curves))

    def test_without_the_option_sizes_are_rows_as_before(self):
        ended = self.run_lca("--lc_sizes_arr", "4", "9", "--split", "0")
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual({row["unit"] for row in self.table("learning_curve.csv")}, {"rows"})
        self.assertIn("training set size (rows)", self.read("out/report.html"))
        self.assertTrue(os.path.exists(self.path("out/lca_splits/seed_42/A_split_0_sz_4.txt")))

    def test_rows_and_drugs_do_not_mix_in_one_tree(self):
        self.run_lca("--lc_sizes_arr", "2", "--split", "0")
        ended = self.run_lca("--lc_sizes_arr", "2", "--split", "0", "--subset_by", "drug")
        self.assert_refused(ended, "--replace")

    def test_too_many_drugs_and_foreign_subsets_are_refused(self):
        self.assert_refused(self.run_lca("--subset_by", "drug", "--max_size", "9"), "larger than the 3 drugs of A", "--max_size 3")
        os.makedirs(self.path("mine"))
        self.assert_refused(self.run_lca("--subset_by", "cell", "--lca_splits_dir", "mine"), "--subset_by cell makes subsets")

    def test_names_follow_split_id_if_the_file_has_it(self):
        self.write("response.tsv", "split_id\timprove_chem_id\tauc\n7\t\"d\"\"1\"\t0.5\n\n3\td2\t0.1\n")
        self.assertEqual(subsets.names_of(self.path("response.tsv"), "improve_chem_id"), {7: 'd"1', 3: "d2"})
        with self.assertRaises(Refusal):
            subsets.names_of(self.path("response.tsv"), "improve_sample_id")
