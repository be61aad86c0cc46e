"""test_demo_data: the synthetic benchmark has IMPROVE's layout and is the same everywhere."""
import hashlib
import os
import shutil
import tempfile
import threading
import unittest
from collections import Counter


from launcher import demo_data

# of all names and texts; changes only where the benchmark is meant to change
SHA256 = "d4eff9cd571dff8f543ef0952e0e34f7eae90bff6733b9047d6a8407e4a791fd"
STUDIES = ["CCLE", "CTRPv2", "GDSCv1", "GDSCv2", "gCSI"]
FILES = demo_data.demo_files()


def table(name):
    return [line.split("\t") for line in FILES[name].splitlines()]


def numbers(name):
    return [int(line) for line in FILES["splits/" + name].splitlines()]


RESPONSES = table("y_data/response.tsv")


class Content(unittest.TestCase):
    def test_every_python_makes_the_same_bytes(self):
        digest = hashlib.sha256()
        for name in sorted(FILES):
            digest.update(f"{name}\n{FILES[name]}".encode("utf-8"))
        self.assertEqual(digest.hexdigest(), SHA256)

    def test_responses_have_improves_columns(self):
        self.assertEqual("\t".join(RESPONSES[0]), "source\timprove_sample_id\timprove_chem_id\tstudy\tauc"
                         "\tic50\tec50\tec50se\tr2fit\teinf\ths\taac1\tauc1\tdss1")
        self.assertEqual({len(row) for row in RESPONSES}, {14})

    def test_the_studies_bear_the_real_names_and_differ_in_size(self):
        self.assertEqual(Counter(row[0] for row in RESPONSES[1:]),
                         {"CCLE": 1200, "CTRPv2": 4065, "GDSCv1": 2619, "GDSCv2": 2000, "gCSI": 1600})

    def test_auc_is_never_empty_and_ic50_is_for_a_few(self):
        aucs = [float(row[4]) for row in RESPONSES[1:]]
        self.assertTrue(0.0 <= min(aucs) and max(aucs) <= 1.0)
        empty = sum(row[5] == "" for row in RESPONSES[1:])
        self.assertTrue(0 < empty < len(RESPONSES) / 20, empty)
        self.assertNotIn("", {value for row in RESPONSES[1:] for value in row[:5] + row[6:]})

    def test_a_study_measures_a_pair_of_drug_and_cell_line_once(self):
        pairs = Counter(tuple(row[:3]) for row in RESPONSES[1:])
        self.assertEqual(set(pairs.values()), {1})

    def test_studies_share_some_drugs_and_cell_lines_but_not_all(self):
        for column in (1, 2):
            found = {study: {row[column] for row in RESPONSES[1:] if row[0] == study} for study in STUDIES}
            for source in STUDIES:
                for target in set(STUDIES) - {source}:
                    shared = len(found[source] & found[target]) / len(found[target])
                    self.assertTrue(0.2 < shared < 0.95, (column, source, target, shared))

    def test_every_file_of_features_has_every_drug_or_cell_line(self):
        drugs, cells = ({row[column] for row in RESPONSES[1:]} for column in (2, 1))
        for name in ("drug_ecfp4_nbits512", "drug_mordred", "drug_SMILES"):
            rows = table(f"x_data/{name}.tsv")
            self.assertEqual(rows[0][0], "improve_chem_id")
            self.assertLessEqual(drugs, {row[0] for row in rows[1:]}, name)
            self.assertEqual(len({len(row) for row in rows}), 1, name)
        expression = table("x_data/cancer_gene_expression.tsv")
        self.assertLessEqual(cells, {row[0] for row in expression[3:]})
        self.assertEqual([row[0] for row in expression[:4]], ["", "", "", "ACH-000001"])

    def test_fingerprints_have_512_bits_and_molecules_differ(self):
        bits = table("x_data/drug_ecfp4_nbits512.tsv")
        self.assertEqual({len(row) for row in bits}, {513})
        self.assertEqual({value for row in bits[1:] for value in row[1:]}, {"0", "1"})
        smiles = table("x_data/drug_SMILES.tsv")
        self.assertEqual(smiles[0], ["improve_chem_id", "canSMILES"])
        self.assertEqual(len({row[1] for row in smiles}), len(smiles))


class Splits(unittest.TestCase):
    def test_a_study_has_its_rows_in_all_and_three_splits_of_8_1_1(self):
        self.assertEqual(len([name for name in FILES if name.startswith("splits/")]), 5 * (1 + 3 * 3))
        for study in STUDIES:
            rows = [row for row, values in enumerate(RESPONSES[1:]) if values[0] == study]
            self.assertEqual(numbers(f"{study}_all.txt"), rows)
            for split in range(3):
                parts = [numbers(f"{study}_split_{split}_{part}.txt") for part in ("train", "val", "test")]
                self.assertEqual(sorted(parts[0] + parts[1] + parts[2]), rows)
                for part, share in zip(parts, (0.8, 0.1, 0.1)):
                    self.assertLess(abs(len(part) - share * len(rows)), 2)

    def test_test_folds_are_disjoint(self):
        for study in STUDIES:
            tests = [set(numbers(f"{study}_split_{split}_test.txt")) for split in range(3)]
            self.assertEqual(len(set.union(*tests)), sum(map(len, tests)))


class Writing(unittest.TestCase):
    def setUp(self):
        self.parent = tempfile.mkdtemp(prefix="demo_data.")
        self.addCleanup(shutil.rmtree, self.parent)
        self.directory = os.path.join(self.parent, "new", "raw_data")

    def written(self):
        found = {}
        for folder, _, names in os.walk(self.directory):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8", newline="") as file:
                    found[os.path.relpath(path, self.directory)] = file.read()
        return found

    def test_all_files_are_written_and_nothing_stays_beside_them(self):
        self.assertFalse(demo_data.is_demo_data(self.directory))
        demo_data.write_demo_data(self.directory)
        self.assertEqual(self.written(), FILES)
        self.assertEqual(os.listdir(os.path.dirname(self.directory)), ["raw_data"])
        self.assertTrue(demo_data.is_demo_data(self.directory))

    def test_a_file_says_that_the_data_is_synthetic(self):
        self.assertIn("synthetic", FILES["SYNTHETIC_DATA.txt"])
        self.assertEqual(FILES["SYNTHETIC_DATA.txt"].count("\n"), 1)

    def test_data_that_stands_there_is_left_alone(self):
        demo_data.write_demo_data(self.directory)
        marked = os.path.join(self.directory, "splits", "gCSI_all.txt")
        with open(marked, "w", encoding="utf-8") as file:
            file.write("mine\n")
        demo_data.write_demo_data(self.directory)
        self.assertEqual(self.written()["splits/gCSI_all.txt"], "mine\n")

    def test_something_else_that_stands_there_is_an_error_and_left_alone(self):
        os.makedirs(self.directory)
        with open(os.path.join(self.directory, "other"), "w", encoding="utf-8") as file:
            file.write("text")
        with self.assertRaises(OSError):
            demo_data.write_demo_data(self.directory)
        self.assertEqual(self.written(), {"other": "text"})
        self.assertEqual(os.listdir(os.path.dirname(self.directory)), ["raw_data"])

    def test_writers_at_the_same_time_leave_one_whole_benchmark(self):
        errors = []

        def write():
            try:
                demo_data.write_demo_data(self.directory)
            except Exception as error:     # a thread's exception would vanish
                errors.append(error)
        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])
        self.assertEqual(self.written(), FILES)
        self.assertEqual(os.listdir(os.path.dirname(self.directory)), ["raw_data"])


if __name__ == "__main__":
    unittest.main()
