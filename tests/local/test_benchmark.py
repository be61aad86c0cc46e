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
            median = table.measure_peer("parsl", "stages through Parsl", run)
        return table, median

    def test_a_peer_that_is_here_has_a_row_of_all_its_runs(self):
        runs = []
        table, median = self.table(lambda: runs.append(1))
        self.assertEqual((len(runs), len(table.rows[0]["all"]), table.left_out), (2, 2, {}))
        self.assertEqual(table.rows[0]["seconds"], median)

    def test_a_peer_that_is_not_installed_or_fails_is_left_out_and_it_is_said_why(self):
        def fail():
            raise subprocess.SubprocessError("no module named zmq")
        for run, version, why in ((fail, "1.0", "no module named zmq"), (fail, "", "parsl is not installed")):
            table, median = self.table(run, version)
            self.assertEqual((table.rows, table.left_out, median), ([], {"stages through Parsl": why}, None))

    def test_stages_of_a_row_wait_for_those_they_are_made_from(self):
        self.assertEqual([peers.parents(stage) for stage in range(5)], [[], [0], [], [1, 2], []])
