"""The benchmark of speed: its command runs and prints a table. What is fast is no test."""
import contextlib
import io

from tests.benchmarks import benchmark
from tests.pages import read_page
from tests.support import WorkCase


class BenchmarkTest(WorkCase):
    def table(self, *line):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            self.assertEqual(benchmark.main(["--repeats", "1", *line]), 0)
        return said.getvalue().splitlines()

    def test_a_part_is_measured_and_printed_as_a_table(self):
        lines = self.table("--only", "first")
        self.assertEqual((lines[0], len(lines)), (benchmark.HEADER, 3))
        self.assertIn("\n" + benchmark.HEADER + "\n", read_page("docs/benchmarks.md"))
        self.assertRegex(lines[2], r"^\| python3 workflow_csa.py --source gCSI \| \d+\.\d\d \| ")

    def test_rows_that_are_compared_take_turns(self):
        runs = []
        with contextlib.redirect_stdout(io.StringIO()) as said:
            benchmark.Table(2).measure(("a", lambda: runs.append("a")),
                                       ("b", lambda: runs.append("b"), "a", "1.1"))
        self.assertEqual(runs, ["a", "b", "a", "b"])
        self.assertRegex(said.getvalue(), r"\| b \| .* \| \d+\.\d\d \| 1\.1 \|\n$")
