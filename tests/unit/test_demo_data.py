"""The synthetic benchmark has IMPROVE's layout and is the same everywhere."""
import hashlib
import os
import shutil
import tempfile
import unittest
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from launcher import demo_data

# of all names and texts; changes only with the benchmark
SHA256 = "b45c3a374bbc1b93ec62cedd8dd6b3f2f5df3b0e733cadab200fbfac08752cc2"
# of y_data and splits: the tables of the demo runs depend on these bytes
RESPONSES_AND_SPLITS = "0f92ad37fce777642d71b04f5cf03a0c5df5a2fc6a0d8b2af3ac00187264c53b"
ROWS = {"CCLE": 1200, "CTRPv2": 4065, "GDSCv1": 2619, "GDSCv2": 2000, "gCSI": 1600}
FILES = demo_data.demo_files()


def table(name):
    return [line.split("\t") for line in FILES[name].splitlines()]


def numbers(name):
    return [int(line) for line in FILES[f"splits/{name}.txt"].splitlines()]


def digest(names):
    text = "".join(f"{name}\n{FILES[name]}" for name in sorted(names))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


HEADER, *RESPONSES = table("y_data/response.tsv")


class Content(unittest.TestCase):
    def test_every_python_makes_the_same_bytes(self):
        self.assertEqual(digest(name for name in FILES if name.startswith(("y_data/", "splits/"))),
                         RESPONSES_AND_SPLITS)
        self.assertEqual(digest(FILES), SHA256)

    def test_responses_have_improves_columns_and_each_pair_of_a_study_once(self):
        self.assertEqual(" ".join(HEADER), "source improve_sample_id improve_chem_id study auc "
                         "ic50 ec50 ec50se r2fit einf hs aac1 auc1 dss1")
        self.assertEqual({len(row) for row in RESPONSES}, {14})
        self.assertEqual(Counter(row[0] for row in RESPONSES), ROWS)
        self.assertEqual(len({tuple(row[:3]) for row in RESPONSES}), len(RESPONSES))
        self.assertTrue(all(0 <= float(row[4]) <= 1 for row in RESPONSES))
        empty = Counter(at for row in RESPONSES for at, value in enumerate(row) if not value)
        self.assertEqual(list(empty), [HEADER.index("ic50")])
        self.assertLess(empty[5], len(RESPONSES) / 20)

    def test_every_file_of_features_has_every_drug_or_cell_line(self):
        expression = table("x_data/cancer_gene_expression.tsv")
        descriptors = table("x_data/drug_mordred.tsv")
        self.assertLessEqual({row[1] for row in RESPONSES}, {row[0] for row in expression[3:]})
        self.assertLessEqual({row[2] for row in RESPONSES}, {row[0] for row in descriptors[1:]})
        self.assertEqual([row[0] for row in expression[:4]], ["", "", "", "ACH-000001"])
        self.assertEqual(len({len(row) for row in expression + descriptors}), 1)

    def test_a_study_has_its_rows_in_all_and_three_splits_of_8_1_1_with_disjoint_test_parts(self):
        for study in ROWS:
            rows, tests = numbers(f"{study}_all"), []
            self.assertEqual({RESPONSES[row][0] for row in rows}, {study})
            for split in range(3):
                parts = [numbers(f"{study}_split_{split}_{part}")
                         for part in ("train", "val", "test")]
                self.assertEqual(sorted(sum(parts, [])), rows)
                for part, share in zip(parts, (0.8, 0.1, 0.1)):
                    self.assertLess(abs(len(part) - share * len(rows)), 2)
                tests += parts[2]
            self.assertEqual(len(set(tests)), len(tests))


class Writing(unittest.TestCase):
    def setUp(self):
        self.parent = tempfile.mkdtemp(prefix="demo_data.")
        self.addCleanup(shutil.rmtree, self.parent)
        self.directory = os.path.join(self.parent, "new", "raw_data")

    def test_writers_at_the_same_time_leave_one_whole_benchmark_that_stays_as_it_is(self):
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(demo_data.write_demo_data, [self.directory] * 4))
        found = [os.path.relpath(os.path.join(folder, name), self.directory)
                 for folder, _, names in os.walk(self.directory) for name in names]
        self.assertEqual(sorted(found), sorted(FILES))
        self.assertEqual(os.listdir(os.path.dirname(self.directory)), ["raw_data"])
        path = os.path.join(self.directory, "splits", "gCSI_all.txt")
        with open(path, "r+") as file:
            self.assertEqual(file.read(), FILES["splits/gCSI_all.txt"])
            file.write("mine\n")
        demo_data.write_demo_data(self.directory)
        with open(path) as file:
            self.assertIn("mine", file.read())

    def test_another_directory_of_that_name_is_an_error_and_stays_as_it_is(self):
        os.makedirs(os.path.join(self.directory, "other"))
        with self.assertRaises(OSError):
            demo_data.write_demo_data(self.directory)
        self.assertEqual(os.listdir(self.directory), ["other"])
