"""test_improve_files: what the readers accept and refuse, and that writers leave whole files."""
import math
import os
import random
import shutil
import tempfile
import unittest

import tests  # noqa: F401  (puts stages/ on the path)

from common import improve_files
from common.improve_files import FileError

MEGABYTE = 1 << 20


class FilesCase(unittest.TestCase):
    """A test with a directory of its own."""

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="improve_files.")
        self.addCleanup(shutil.rmtree, self.directory)

    def path(self, name="file"):
        return os.path.join(self.directory, name)

    def file(self, content, name="file"):
        """Writes bytes or text as they are; returns the path."""
        with open(self.path(name), "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode("utf-8"))
        return self.path(name)

    def refusal(self, read, content):
        """What FileError says about a file, without its path; it must be one short line."""
        path = self.file(content)
        with self.assertRaises(FileError) as caught:
            read(path)
        text = str(caught.exception)
        self.assertTrue(text.startswith(path + ": "), text)
        self.assertNotIn("\n", text)
        self.assertLess(len(text) - len(path), 160, text)
        return text[len(path) + 2:]


class Splits(FilesCase):
    def test_a_split_is_read_in_the_order_of_its_lines(self):
        self.assertEqual(improve_files.read_split(self.file("7\n0\n123456\n")), [7, 0, 123456])

    def test_windows_line_ends_blank_lines_and_no_final_newline_are_accepted(self):
        self.assertEqual(improve_files.read_split(self.file("7\r\n\r\n 8\t\n\n9")), [7, 8, 9])

    def test_a_byte_order_mark_is_accepted(self):
        self.assertEqual(improve_files.read_split(self.file(b"\xef\xbb\xbf7\n8\n")), [7, 8])

    def test_an_empty_split_is_an_empty_list(self):
        self.assertEqual(improve_files.read_split(self.file("\n\n")), [])

    def test_anything_else_is_an_error_that_names_the_line(self):
        for line in ("id", "-1", "1.0", "+1", "1_0", "1 2", "1,2", "\u0663", "9" * 19):
            said = self.refusal(improve_files.read_split, "5\n\n" + line + "\n")
            self.assertIn("line 3 is ", said)
            self.assertIn("not a row number", said)

    def test_a_missing_split_is_an_error(self):
        with self.assertRaisesRegex(FileError, "no.txt: cannot be read .No such file"):
            improve_files.read_split(self.path("no.txt"))

    def test_a_directory_is_an_error(self):
        with self.assertRaisesRegex(FileError, "is not a file"):
            improve_files.read_split(self.directory)


class Tables(FilesCase):
    def read(self, path):
        header, rows = improve_files.read_table(path, "\t")
        return header, list(rows)

    def test_a_table_is_a_header_and_rows_of_texts(self):
        self.assertEqual(self.read(self.file("a\tb\r\n1\t\r\n\r\n\"x\ty\"\t2")),
                         (["a", "b"], [["1", ""], ["x\ty", "2"]]))

    def test_a_row_of_another_width_is_an_error_that_names_the_line(self):
        self.assertEqual(self.refusal(self.read, "a\tb\n1\t2\n3\n"),
                         "line 3 has 1 columns, the header 2")

    def test_an_empty_file_is_an_error(self):
        self.assertEqual(self.refusal(self.read, ""), "has no header line")


class PredictionFiles(FilesCase):
    def read(self, content, y_col_name=None, ids=False):
        return improve_files.read_predictions(self.file(content), y_col_name, ids)

    def test_old_files_hold_only_the_two_columns(self):
        read = self.read("auc_true,auc_pred\n0.25,0.5\n1,-1e-3\n")
        self.assertEqual((list(read.true), list(read.pred)), ([0.25, 1.0], [0.5, -0.001]))
        self.assertEqual((read.drugs, read.cells), (None, None))

    def test_columns_are_found_by_name_wherever_they_stand(self):
        for header, row in ((",improve_chem_id,improve_sample_id,x,y,auc_true,auc_pred", "0,D,C,,,1,2"),
                            ("auc_pred,x,auc_true,y,z,improve_sample_id,improve_chem_id", "2,,1,,,C,D"),
                            ("x,auc_true,improve_sample_id,improve_chem_id,auc_pred,y", ",1,C,D,2,")):
            read = self.read(f"{header}\n{row}\n{row}\n", ids=True)
            self.assertEqual((list(read.true), list(read.pred)), ([1.0, 1.0], [2.0, 2.0]), header)
            self.assertEqual((read.drugs, read.cells), (["D", "D"], ["C", "C"]), header)
            read = self.read(f"{header}\n{row}\n")
            self.assertEqual((list(read.true), list(read.pred), read.drugs, read.cells),
                             ([1.0], [2.0], None, None), header)

    def test_quoted_values_windows_line_ends_and_blank_lines_are_accepted(self):
        read = self.read('improve_chem_id,auc_true,auc_pred\r\n"a, ""b""",1,2\r\n\r\nc,3,4', ids=True)
        self.assertEqual((list(read.true), list(read.pred), read.drugs),
                         ([1.0, 3.0], [2.0, 4.0], ['a, "b"', "c"]))

    def test_a_quote_after_many_rows_is_read_like_one_in_the_first(self):
        rows = improve_files.BLOCK // 4
        read = self.read("improve_chem_id,y_true,y_pred\n" + "d,1,2\n" * rows + '"e,",3,4\n', ids=True)
        self.assertEqual((len(read.true), read.true[-1], read.drugs[-1]), (rows + 1, 3.0, "e,"))

    def test_the_response_can_be_chosen_or_has_to_be_the_only_one(self):
        content = "auc_true,auc_pred,ic50_true,ic50_pred\n1,2,3,4\n"
        self.assertEqual(list(self.read(content, "ic50").pred), [4.0])
        self.assertIn("has 'auc', 'ic50'", self.refusal(improve_files.read_predictions, content))
        self.assertIn("has none", self.refusal(improve_files.read_predictions, "a,b_true\n1,2\n"))
        self.assertEqual(self.refusal(lambda path: improve_files.read_predictions(path, "aac"), content),
                         "has 0 columns 'aac_true' instead of one")

    def test_identifiers_that_a_header_names_twice_are_no_identifiers(self):
        read = self.read("improve_chem_id,improve_chem_id,improve_sample_id,y_true,y_pred\nd,e,c,1,2\n", ids=True)
        self.assertEqual((read.drugs, read.cells, read.y_col_name), (None, ["c"], "y"))

    def test_a_column_that_stands_there_twice_is_an_error(self):
        self.assertEqual(self.refusal(improve_files.read_predictions, "a_true,a_pred,a_pred\n1,2,3\n"),
                         "has 2 columns 'a_pred' instead of one")

    def test_a_value_that_is_not_a_finite_number_is_an_error_that_names_it(self):
        for value in ("", "nan", "NaN", "inf", "-Infinity", "1_0", "x", "0x1", "1e999"):
            for rows_before in (1, improve_files.BLOCK):     # in the first block and a later one
                said = self.refusal(improve_files.read_predictions,
                                    "a_true,a_pred\n" + "1,2\n" * rows_before + f"1,{value}\n")
                self.assertEqual(said, f"{value!r} in row {rows_before + 1} is not a finite number")

    def test_a_row_of_another_width_is_an_error_that_names_the_line(self):
        for rows_before in (1, improve_files.BLOCK):
            said = self.refusal(improve_files.read_predictions,
                                "a_true,a_pred\n" + "1,2\n" * rows_before + "1,2,3\n")
            self.assertEqual(said, f"line {rows_before + 2} has 3 columns, the header 2")

    def test_a_file_without_rows_is_an_error(self):
        for content in ("a_true,a_pred", "a_true,a_pred\n\n"):
            self.assertEqual(self.refusal(improve_files.read_predictions, content),
                             "holds no predictions, only a header")

    def test_predictions_come_back_rounded_to_four_decimals(self):
        improve_files.write_predictions(self.path(), ["improve_chem_id", "auc"],
                                        iter([["a,b", "0.12"], ["c", ""]]), "auc",
                                        [0.12, 0.5], [1 / 3, 2e-5])
        with open(self.path(), "rb") as file:
            self.assertEqual(file.read(), b"improve_chem_id,auc,auc_true,auc_pred\n"
                                          b'"a,b",0.12,0.12,0.3333\nc,,0.5,0.0\n')
        read = improve_files.read_predictions(self.path(), "auc", ids=True)
        self.assertEqual((list(read.pred), read.drugs), ([0.3333, 0.0], ["a,b", "c"]))


class ResponseFiles(FilesCase):
    def read(self, text):
        return improve_files.read_responses(self.file(text), "auc")

    def test_rows_without_a_response_are_left_out(self):
        text = "auc,improve_chem_id,improve_sample_id\n0.5,d,c\n,d,b\nnan,e,c\n1_0,e,c\n0.25,e,b"
        self.assertEqual(self.read(text), (["d", "e"], ["c", "b"], [0.5, 0.25]))

    def test_quotes_empty_lines_and_windows_line_ends_are_read(self):
        text = 'auc,improve_chem_id,improve_sample_id\r\n0.5,"d,1",c\r\n\r\n0.25,e,b\r\n'
        self.assertEqual(self.read(text), (["d,1", "e"], ["c", "b"], [0.5, 0.25]))
        self.assertEqual(self.read(text.replace('"d,1"', "d")), (["d", "e"], ["c", "b"], [0.5, 0.25]))

    def test_files_longer_than_a_block_are_read_whole(self):
        lines = [f"{i / 8},drug{i % 7},cell{i % 11}" for i in range(9000)]
        drugs, cells, values = self.read("auc,improve_chem_id,improve_sample_id\n" + "\n".join(lines))
        self.assertEqual(values, [i / 8 for i in range(9000)])
        self.assertEqual((drugs[-1], cells[-1], len(drugs), len(cells)), ("drug4", "cell1", 9000, 9000))

    def test_two_lines_whose_columns_add_up_are_still_wrong(self):
        with self.assertRaisesRegex(FileError, "line 2 has 4 columns, the header 3"):
            self.read("auc,improve_chem_id,improve_sample_id\n0.5,d,c,x\n0.5,d\n")

    def test_missing_columns_are_named(self):
        with self.assertRaises(improve_files.MissingColumns) as caught:
            self.read("auc,improve_chem_id\n0.5,d\n")
        self.assertEqual(caught.exception.columns, ["improve_sample_id"])


class Scores(FilesCase):
    def test_scores_come_back_as_they_were_written(self):
        scores = {"mse": 0.1 + 0.2, "pcc": math.nan, "r2": -1e-17}
        improve_files.write_scores(self.path(), scores)
        read = improve_files.read_scores(self.path())
        self.assertEqual(list(read), ["mse", "pcc", "r2"])
        self.assertTrue(math.isnan(read.pop("pcc")))
        self.assertEqual(read, {"mse": 0.1 + 0.2, "r2": -1e-17})

    def test_nan_is_the_bare_token_of_improve(self):
        improve_files.write_scores(self.path(), {"mse": 0.5, "pcc": math.nan})
        with open(self.path(), encoding="utf-8") as file:
            self.assertEqual(file.read(), '{\n    "mse": 0.5,\n    "pcc": NaN\n}\n')

    def test_whole_numbers_become_floats_however_long_they_are(self):
        read = improve_files.read_scores(self.file('{"mse": 2, "r2": -1%s}' % ("0" * 5000)))
        self.assertEqual(repr(read["mse"]), "2.0")
        self.assertEqual(read["r2"], -math.inf)

    def test_a_file_that_is_no_object_of_numbers_is_an_error(self):
        for content, said in (("[1]", "not an object"), ("3", "not an object"),
                              ('{"mse": "3"}', "value of 'mse' is not a number"),
                              ('{"mse": true}', "value of 'mse' is not a number"),
                              ('{"mse": null}', "value of 'mse' is not a number"),
                              ('{"mse": {"a": 1}}', "value of 'mse' is not a number"),
                              ('{"mse": 1, "mse": 2}', "'mse' is in it twice"),
                              ('{"mse": 1', "is not JSON"), ("", "is not JSON"),
                              (b'{"mse": \xff}', "is not JSON"),
                              (b"\x00\x00", "is not JSON")):
            self.assertIn(said, self.refusal(improve_files.read_scores, content))

    def test_a_huge_or_deeply_nested_file_is_an_error(self):
        self.assertIn("too large", self.refusal(improve_files.read_scores, " " * (10 * MEGABYTE)))
        for deep in ("[" * 200000, '{"a":' * 200000):
            self.refusal(improve_files.read_scores, deep)


class HostileFiles(FilesCase):
    READERS = (improve_files.read_split, improve_files.read_predictions, improve_files.read_scores,
               lambda path: list(improve_files.read_table(path, ",")[1]))

    def check(self, content):
        path = self.file(content)
        for read in self.READERS:
            try:
                read(path)
            except FileError as error:
                self.assertNotIn("\n", str(error))
                self.assertLess(len(str(error)) - len(path), 300)

    def test_ten_megabytes_of_anything_end_in_an_answer_or_a_file_error(self):
        rng = random.Random(5)
        noise = bytes(rng.randrange(256) for _ in range(MEGABYTE // 8))
        for content in (noise * 80, b"x" * 10 * MEGABYTE, b"9" * 10 * MEGABYTE, b'"' * 10 * MEGABYTE,
                        b"[" * 10 * MEGABYTE, b'auc_true,auc_pred\n1,"2\n' + b"3,4\n" * (5 * MEGABYTE // 2)):
            self.check(content)

    def test_pieces_of_all_formats_in_any_order_never_raise_anything_else(self):
        rng = random.Random(6)
        pieces = [b"auc_true,auc_pred\n", b"0.1,0.2\n", b'"a', b'"', b",", b"\n", b"\r", b"\r\n", b"\x00",
                  b"\xff\xfe", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\xc2\x85", b"1", b"nan", b"NaN", b"1e999",
                  b"[", b"{", b'{"mse": ', b"}", b'{"mse": 0.5}', b"_", b"-", b" ", b"\t", b"improve_chem_id"]
        for _ in range(1500):
            self.check(b"".join(rng.choice(pieces) for _ in range(rng.randrange(1, 9))))


class WholeFiles(FilesCase):
    def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(self):
        improve_files.write_whole(self.path(), "old\n")
        with self.assertRaises(ZeroDivisionError):
            improve_files.write_predictions(self.path(), [], ([1 / 0] for _ in "a"), "auc", [1.0], [1.0])
        with open(self.path(), encoding="utf-8") as file:
            self.assertEqual(file.read(), "old\n")
        self.assertEqual(os.listdir(self.directory), ["file"])

    def test_a_writer_replaces_the_old_file(self):
        improve_files.write_whole(self.path(), "a longer old text\n")
        improve_files.write_whole(self.path(), "n\u00e9w\n")
        with open(self.path(), "rb") as file:
            self.assertEqual(file.read(), b"n\xc3\xa9w\n")

    def test_a_path_that_cannot_be_written_is_an_error(self):
        with self.assertRaisesRegex(FileError, "cannot be written"):
            improve_files.write_whole(os.path.join(self.directory, "no", "file"), "text")

    def test_parameters_are_written_one_a_line_into_a_directory_that_is_made(self):
        directory = self.path("a/b")
        improve_files.write_parameters(directory, {"seed": 0, "epochs": 10, "input_dir": "/x y"})
        with open(os.path.join(directory, "param_log_file.txt"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "epochs: 10\ninput_dir: /x y\nseed: 0\n")

    def test_a_path_of_bytes_that_are_no_text_is_logged_as_it_is(self):
        improve_files.write_parameters(self.path("d"), {"input_dir": "/d\udcff"})
        with open(self.path("d/param_log_file.txt"), "rb") as file:
            self.assertEqual(file.read(), b"input_dir: /d\xff\n")


if __name__ == "__main__":
    unittest.main()
