"""The benchmark of speed: its command runs, and prints the table that docs/benchmarks.md shows. What is fast is no test."""
import contextlib
import io
import json
import subprocess
import sys

from tests.benchmarks import peers, rows
from tests.pages import read_page
from tests.support import REPOSITORY, WorkCase


class BenchmarkTest(WorkCase):
    def benchmark(self, *arguments):
        ended = self.run_command(sys.executable, "-m", "tests.benchmarks.benchmark", *arguments, PYTHONPATH=REPOSITORY)
        self.assertEqual(ended.code, 0, ended)
        return ended.out

    def test_a_part_is_measured_written_and_printed_as_a_table(self):
        self.benchmark("--only", "imports", "--repeats", "1", "--json", "bench.json")
        lines = self.benchmark("--markdown", "bench.json").splitlines()
        names = [row["what"] for row in json.loads(self.read("bench.json"))["rows"]]
        self.assertEqual(names, ["python -c pass", "python -c 'import workflow_csa'", "importing workflow_csa"])
        self.assertEqual(lines[2], rows.HEADER)
        self.assertEqual([line.split(" | ")[0] for line in lines[4:]], ["| " + name for name in names])
        self.assertEqual({line.count("|") for line in lines[2:]}, {8})

    def test_the_page_shows_a_table_of_the_benchmark(self):
        self.assertIn("\n" + rows.HEADER + "\n", read_page("docs/benchmarks.md"))


class PeersTest(WorkCase):
    def table(self, run, version="1.0"):
        table = rows.Table(2, {"parsl": version})
        with contextlib.redirect_stdout(io.StringIO()):
            found = table.measure(rows.Row("the same by hand", lambda: None), rows.Row(
                "stages through Parsl", run, reference="the same by hand", beside="by hand", peer="parsl"))
        return table, found.get("stages through Parsl")

    def test_a_peer_that_is_here_has_a_row_of_all_its_runs(self):
        runs = []
        table, median = self.table(lambda: runs.append(1))
        self.assertEqual((len(runs), [len(row["all"]) for row in table.rows], table.left_out), (2, [2, 2], {}))
        self.assertEqual((table.rows[1]["seconds"], table.rows[1]["ratio"]), (median, median / table.rows[0]["seconds"]))

    def test_rows_that_are_compared_take_turns(self):
        table, runs = rows.Table(3, {}), []
        with contextlib.redirect_stdout(io.StringIO()):
            found = table.measure(rows.Row("a", lambda: runs.append("a"), before=lambda: runs.append("-")),
                                  rows.Row("b", lambda: runs.append("b")), times_more=2)
        self.assertEqual(("".join(runs), sorted(found)), ("-ab" * 6, ["a", "b"]))

    def test_a_peer_that_is_not_installed_or_fails_is_left_out_and_it_is_said_why(self):
        def fail():
            raise subprocess.SubprocessError("no module named zmq")
        for run, version, why in ((fail, "1.0", "no module named zmq"), (fail, "", "parsl is not installed")):
            table, median = self.table(run, version)
            self.assertEqual(([row["what"] for row in table.rows], table.left_out, median),
                             (["the same by hand"], {"stages through Parsl": why}, None))

    def test_stages_of_a_row_wait_for_those_they_are_made_from(self):
        self.assertEqual([peers.parents(stage) for stage in range(5)], [[], [0], [], [1, 2], []])
