"""test_improve_files: what the readers accept and refuse, and that writers leave whole files."""
import math
import os

from core import improve_files
from core.errors import FileError
from core.improve_files import read_predictions, read_responses, read_scores, read_split
from tests.made_tree import write
from tests.support import WorkCase

IDS = "improve_chem_id,improve_sample_id"
MANY = 20000        # rows


def table(path):
    header, rows = improve_files.read_table(path, "\t")
    return header, list(rows)


def responses(path):
    return read_responses(path, "auc")


class FilesTest(WorkCase):
    def file(self, content):
        """Writes bytes or text as they are; returns the path."""
        write(self.path("file"), content)
        return self.path("file")

    def content(self, path):
        with open(path, "rb") as file:
            return file.read()

    def assert_read(self, read, *cases):
        for content, expected in cases:
            with self.subTest(content[:60]):
                self.assertEqual(read(self.file(content)), expected)

    def assert_refused(self, read, *cases):
        """What FileError says of a file is one short line that begins with its path."""
        for content, said in cases:
            path = self.file(content)
            with self.subTest(content[:60]), self.assertRaises(FileError) as caught:
                read(path)
            text = str(caught.exception)
            self.assertTrue(text.startswith(path + ": "), text)
            self.assertIn(said, text)
            self.assertNotIn("\n", text)
            self.assertLess(len(text) - len(path), 160, text)

    def test_a_split_is_its_row_numbers_in_their_order_and_nothing_else(self):
        self.assert_read(read_split, ("7\n0\n123456\n", [7, 0, 123456]), ("\n\n", []),
                         ("7\r\n\r\n 8\t\n\n9", [7, 8, 9]), (b"\xef\xbb\xbf7\n", [7]))
        self.assert_refused(read_split, *[(f"5\n\n{line}\n", "line 3 is ") for line in (
            "id", "-1", "1.0", "+1", "1_0", "1 2", "1,2", "\u0663", "\u00b2", "9" * 19)])
        for path, said in (("no", "cannot be read .No such"), ("", "is not a file")):
            with self.assertRaisesRegex(FileError, said):
                read_split(self.path(path))

    def test_a_table_is_a_header_and_rows_of_texts(self):
        self.assert_read(table, ("a\tb\r\n1\t\r\n\r\n\"x\ty\"\t2",
                                 (["a", "b"], [["1", ""], ["x\ty", "2"]])))
        self.assert_refused(table, ("", "has no header line"),
                            ("a\tb\n1\t2\n3\n", "line 3 has 1 columns, the header 2"))

    def test_rows_of_responses_are_found_by_their_number_or_their_split_id(self):
        for header, first in (("auc", ""), ("split_id\tauc", "7\t")):
            text = f"{header}\n{first}0.1\n{first.replace('7', '0')}0.2\n"
            found = list(improve_files.response_rows(self.file(text), {0}))
            self.assertEqual([(number, row[-1]) for number, row in found],
                             [(0, "0.2" if first else "0.1")])

    def test_columns_of_predictions_are_found_by_name_wherever_they_are(self):
        ids = ["D"] * 2, ["C"] * 2
        for header, row, expected in (
                (f",{IDS},x,auc_true,auc_pred", "0,D,C,,1,2", ids),
                ("auc_pred,auc_true,z,improve_sample_id,improve_chem_id", "2,1,,C,D", ids),
                (f"{IDS},auc_true,auc_pred", '"D",C,1,2\r', ids),
                ("DrugID_col,DrugID_row,DepMapID,y_true,y_pred", "B,A,C,1,2",
                 (["A + B"] * 2, ["C"] * 2)),
                (f"improve_chem_id,{IDS},y_true,y_pred", "d,D,C,1,2", (None, None)),
                ("improve_chem_id_x,improve_sample_id,y_true,y_pred", "D,C,1,2", (None, None)),
                ("auc_true,auc_pred", "1,2", (None, None))):
            path = self.file(f"{header}\n{row}\n{row}\n\n")
            read = read_predictions(path, ids=True)
            self.assertEqual((read.true, read.pred), ([1.0, 1.0], [2.0, 2.0]), header)
            self.assertEqual((read.drugs, read.cells), expected, header)
            self.assertIsNone(read_predictions(path).drugs)

    def test_a_quote_after_many_rows_is_read_like_one_in_the_first(self):
        read = read_predictions(self.file(f"{IDS},y_true,y_pred\n" + "d,c,1,2\n" * MANY
                                          + '"e,",c,3,4\n'), ids=True)
        self.assertEqual((len(read.true), read.true[-1], read.drugs[-1]), (MANY + 1, 3.0, "e,"))

    def test_the_response_is_the_chosen_one_or_the_only_one(self):
        content = "auc_true,auc_pred,ic50_true,ic50_pred\n1,2,3,4\n"
        self.assertEqual(read_predictions(self.file(content), "ic50").pred, [4.0])
        for y_col_name, *case in (
                (None, content, "needs one pair of columns NAME_true and NAME_pred, has pairs of "
                                "'auc, ic50'"),
                ("aac", content, "needs one pair of columns aac_true and aac_pred"),
                (None, "a,b_true\n1,2\n", "has pairs of ''"),
                (None, "a_true,a_true,a_pred\n1,2,3\n", "has pairs of 'a, a'")):
            self.assert_refused(lambda path: read_predictions(path, y_col_name), case)

    def test_a_bad_row_of_predictions_is_an_error_that_names_it(self):
        for before in (1, MANY):
            rows = "a_true,a_pred\n" + "1,2\n" * before
            self.assert_refused(
                read_predictions, (rows + "1,2,3\n", f"line {before + 2} has 3 columns, the "),
                *[(f"{rows}1,{value}\n", f"{value!r} in row {before + 1} is not a finite number")
                  for value in ("", "nan", "-Infinity", "1_0", "x", "1e999")])
        self.assert_refused(read_predictions, *[
            (f"a_true,a_pred{end}", "holds no predictions, only a header") for end in ("", "\n\n")])

    def test_predictions_come_back_rounded_to_four_decimals(self):
        rows = iter([["a,b", "C"], ["c", ""]])
        improve_files.write_predictions(self.path("file"), IDS.split(","), rows, "auc", [0.12, 0.5],
                                        [1 / 3, 2e-5])
        self.assertEqual(self.content(self.path("file")), f"{IDS},auc_true,auc_pred\n".encode()
                         + b'"a,b",C,0.12,0.3333\nc,,0.5,0.0\n')

    def test_rows_without_a_response_are_skipped(self):
        self.assert_read(responses, *[
            (f"auc,{IDS}\r\n0.5,{drug},c\r\n,d,b\n\nnan,e,c\n1_0,e,c\n0.25,e,b",
             ([drug.strip('"'), "e"], ["c", "b"], [0.5, 0.25])) for drug in ("d", '"d,1"')])
        self.assert_refused(
            responses, (f"auc,{IDS}\n0.5,d,c,x\n0.5,d\n", "line 2 has 4 columns, the header 3"),
            ("auc,improve_chem_id\n0.5,d\n", "does not name drugs, cell lines and auc"),
            (f"auc,{IDS}\n,d,c\n", "no row has a auc"))

    def test_scores_come_back_as_they_were_written(self):
        path = self.path("file")
        improve_files.write_scores(path, {"mse": 0.1 + 0.2, "pcc": math.nan, "r2": -1e-17})
        self.assertIn(b'    "pcc": NaN,\n', self.content(path))    # the token of IMPROVE
        scores, notes = read_scores(path)
        self.assertTrue(math.isnan(scores.pop("pcc")))
        self.assertEqual((scores, notes), ({"mse": 0.1 + 0.2, "r2": -1e-17}, []))

    def test_numbers_count_null_is_missing_and_other_values_are_ignored_with_a_note(self):
        for text, expected in (("2", 2.0), ('"0.25"', 0.25), ('" 1e-3 "', 0.001), ("-7", -7.0),
                               ("null", math.nan), ("NaN", math.nan), ('"nan"', math.nan),
                               ("1e999", math.nan), ("-1" + "0" * 5000, math.nan),
                               ("true", None), ('"1_0"', None), ('"best"', None),
                               ('{"a": 1}', None), ("[1]", None)):
            with self.subTest(text[:20]):
                scores, notes = read_scores(self.file('{"x": %s}' % text))
                self.assertEqual(repr(scores.get("x")), repr(expected))
                self.assertEqual(notes, ["'x' in file is not a number and is ignored"]
                                 if expected is None else [])

    def test_a_task_is_done_if_mse_or_without_mse_any_metric_is_finite(self):
        def is_done(path):
            return improve_files.has_finite_score(read_scores(path)[0])
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
        for text in ("a longer old text\n", "n\u00e9w\n"):
            improve_files.write_whole(self.path("file"), text)
        with self.assertRaises(ZeroDivisionError):
            improve_files.write_predictions(self.path("file"), [], ([1 / 0] for _ in "a"), "y",
                                            [1], [1])
        self.assertEqual(self.content(self.path("file")), b"n\xc3\xa9w\n")
        self.assertEqual(os.listdir(self.work), ["file"])
        with self.assertRaisesRegex(FileError, "cannot be written"):
            improve_files.write_whole(self.path("no/file"), "text")

    def test_parameters_are_written_one_a_line_into_a_directory_that_is_made(self):
        directory = self.path("a/b")        # a path of bytes that are no text is written as it is
        improve_files.write_parameters(directory, {"seed": 0, "epochs": 10, "dir": "/x \udcff"})
        self.assertEqual(self.content(os.path.join(directory, "param_log_file.txt")),
                         b"dir: /x \xff\nepochs: 10\nseed: 0\n")
