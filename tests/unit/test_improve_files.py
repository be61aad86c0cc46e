"""test_improve_files: what the readers accept and refuse, and that writers leave whole files."""
import math
import os

from core import files, improve_files
from core.errors import FileError
from core.improve_files import read_predictions, read_responses, read_scores, read_split
from tests.made_tree import write
from tests.support import WorkCase

IDS = "improve_chem_id,improve_sample_id"


def table(path):
    return list(improve_files.read_table(path, "\t"))


def first_row(path):
    return list(improve_files.response_rows(path, {0}))


def responses(path):
    return read_responses(path, "auc")


def is_done(path):
    return improve_files.has_finite_score(read_scores(path)[0])


class FilesTest(WorkCase):
    def file(self, content):
        """Writes bytes or text as they are; returns the path."""
        write(self.path("file"), content)
        return self.path("file")

    def assert_content(self, name, expected):
        with open(self.path(name), "rb") as file:
            self.assertEqual(file.read(), expected)

    def assert_read(self, read, *cases):
        for content, expected in cases:
            with self.subTest(content[:60]):
                self.assertEqual(read(self.file(content)), expected)

    def assert_refused(self, read, *cases):
        """What FileError says of a file is one short line that begins with its path."""
        for content, said in cases:
            path = self.file(content)
            with self.subTest(content[:60]), self.assertRaisesRegex(
                    FileError, f"^{path}: [^\n]{{,159}}$") as caught:
                read(path)
            self.assertIn(said, str(caught.exception))

    def test_a_split_is_its_row_numbers_in_their_order_and_nothing_else(self):
        self.assert_read(read_split, ("7\n0\n123456\n", [7, 0, 123456]), ("\n\n", []),
                         ("7\r\n\r\n 8\t\n\n9", [7, 8, 9]), (b"\xef\xbb\xbf7\n", [7]))
        self.assert_refused(read_split, *[
            (f"5\n\n{line}\n", "line 3 is ") for line in
            "id|-1|1.0|+1|1_0|1 2|1,2|\u0663|\u00b2|1234567890123456789".split("|")])
        for path, said in (("no", "cannot be read .No such"), ("", "is not a file")):
            with self.assertRaisesRegex(FileError, said):
                read_split(self.path(path))

    def test_a_table_is_a_header_and_rows_of_texts(self):
        self.assert_read(table, ("a\tb\r\n1\t\r\n\r\n\"x\ty\"\t2",
                                 [["a", "b"], ["1", ""], ["x\ty", "2"]]))
        self.assert_refused(table, ("", "has no header line"),
                            ("a\tb\n1\t2\n3\n", "line 3 has 1 columns, the header 2"))

    def test_rows_of_responses_are_found_by_their_number_or_their_split_id(self):
        self.assert_read(first_row, ("auc\r\n\r\n0.1\r\n0.2\n", [(0, ["0.1"])]),
                         ("split_id\tauc\n7\t0.1\n0\t0.2\n", [(0, ["0", "0.2"])]))

    def test_columns_of_predictions_are_found_by_name_wherever_they_are(self):
        ids = ["D"] * 2, ["C"] * 2
        for header, row, expected in (
                (f",{IDS},x,auc_true,auc_pred", "0,D,C,,1,2", ids),
                ("auc_pred,auc_true,z,improve_sample_id,improve_chem_id", "2,1,,C,D", ids),
                (f"{IDS},auc_true,auc_pred", '"D",C,1,2\r', ids),
                ("DrugID_col,DrugID_row,DepMapID,y_true,y_pred", "A,B,C,1,2",
                 (["A + B"] * 2, ["C"] * 2)),
                (f"improve_chem_id,{IDS},y_true,y_pred", "d,D,C,1,2", (None, None)),
                ("improve_chem_id_x,improve_sample_id,y_true,y_pred", "D,C,1,2", (None, None)),
                ("auc_true,auc_pred", "1,2", (None, None))):
            path = self.file(f"{header}\n{row}\n{row}\n\n")
            with self.subTest(header):
                self.assertEqual(read_predictions(path, ids=True)[:4],
                                 ([1.0] * 2, [2.0] * 2, *expected))
                self.assertIsNone(read_predictions(path).drugs)

    def test_the_response_is_the_chosen_one_or_the_only_one(self):
        content = "auc_true,auc_pred,ic50_true,ic50_pred\n1,2,3,4\n"
        self.assertEqual(read_predictions(self.file(content), "ic50").pred, [4.0])
        self.assert_refused(read_predictions, (
            content, "needs one pair of columns NAME_true and NAME_pred, has pairs of 'auc, ic50'"),
            ("a,b_true\n1,2\n", "has pairs of ''"),
            ("a_true,a_true,a_pred\n1,2,3\n", "has pairs of 'a, a'"))
        self.assert_refused(lambda path: read_predictions(path, "aac"), (
            content, "needs one pair of columns aac_true and aac_pred"))

    def test_a_bad_row_of_predictions_is_an_error_that_names_it(self):
        self.assert_refused(
            read_predictions, ("a_true,a_pred\n1,2\n1,2,3\n", "line 3 has 3 columns, the header 2"),
            ("a_true,a_pred", "holds no predictions, only a header"),
            ("a_true,a_pred\n\n", "holds no predictions, only a header"),
            *[(f"a_true,a_pred\n1,2\n1,{value}\n", f"{value!r} in row 2 is not a finite number")
              for value in ("", "nan", "-Infinity", "1_0", "x", "1e999")])

    def test_rows_without_a_response_are_skipped(self):
        self.assert_read(responses, *[
            (f"auc,{IDS}\r\n0.5,{drug},c\r\n,d,b\n\nnan,e,c\n1_0,e,c\n0.25,e,b",
             ([drug.strip('"'), "e"], ["c", "b"], [0.5, 0.25])) for drug in ("d", '"d,1"')])
        self.assert_refused(
            responses, (f"auc,{IDS}\n0.5,d,c,x\n0.5,d\n", "line 2 has 4 columns, the header 3"),
            ("auc,improve_chem_id\n0.5,d\n", "does not name drugs, cell lines and auc"),
            (f"auc,{IDS}\n,d,c\n", "no row has a auc"))

    def test_numbers_count_null_is_missing_and_other_values_are_ignored_with_a_note(self):
        for texts, expected in (('2|2.0|"2"|" 2e0 "', 2.0), ("-7", -7.0),
                                (f'null|NaN|"nan"|1e999|-1{"0" * 5000}', math.nan),
                                ('true|"1_0"|"best"|{"a": 1}|[1]', None)):
            notes = [] if expected is not None else ["'x' in file is not a number and is ignored"]
            for text in texts.split("|"):
                with self.subTest(text[:20]):
                    found = read_scores(self.file('{"x": %s}' % text))
                    self.assertEqual((repr(found[0].get("x")), found[1]), (repr(expected), notes))

    def test_a_task_is_done_if_mse_or_without_mse_any_metric_is_finite(self):
        self.assert_read(
            is_done, ('{"mse": 0.01, "scc": null}', True), ('{"mse": NaN, "r2": 1}', False),
            ('{"mse": null, "r2": 1}', False), ('{"acc": "0.5"}', True),
            ('{"note": "x", "acc": 0.5}', True), ('{"aupr": NaN, "acc": 1}', True),
            ('{"aupr": NaN}', False), ("{}", False), ('{"mse": true}', False))

    def test_a_score_file_that_is_no_object_is_an_error(self):
        self.assert_refused(
            read_scores, ("[1]", "not an object"), ("3", "not an object"), ("", "is not JSON"),
            ('{"mse": 1', "is not JSON"), (b'{"mse": \xff}', "is not JSON"),
            (" " * (2 << 20), "too large"), ("[" * 200000, "nested"), ('{"a":' * 200000, "nested"))

    def test_a_writer_replaces_the_old_file_or_leaves_it_and_nothing_else(self):
        for text in ("a longer old text\n", "n\u00e9w \udcff\n"):      # of bytes that are no text
            files.write_whole(self.path("file"), text)
        with self.assertRaises(UnicodeEncodeError):
            files.write_whole(self.path("file"), "half a text \ud800")
        self.assert_content("file", b"n\xc3\xa9w \xff\n")
        self.assertEqual(os.listdir(self.work), ["file"])
        with self.assertRaisesRegex(FileError, "cannot be written"):
            files.write_whole(self.path("no/file"), "text")
