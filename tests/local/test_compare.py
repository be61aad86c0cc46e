"""Commands on finished results trees: a comparison, and the archive that a paper publishes."""
import os
import re
import shutil
import unittest

import tests  # noqa: F401  (puts the project's folder on the path)
from tests.pages import read_page
from tests.support import WorkCase


class CompareTest(WorkCase):
    def test_two_runs_are_compared_by_one_command(self):
        self.have_toy()
        shutil.copytree(self.path("out"), self.path("two"))
        ended = self.collect("--compare", "out", "two", "--output_dir", "cmp")
        self.assertEqual(ended.code, 0, ended)
        self.assertIn("no model is better than another", ended.out)
        self.assertEqual(ended.out, self.read("cmp/compare_summary.txt"))
        self.assert_refused(self.collect("--compare", "out", "two"), "--output_dir")


class PublishTest(WorkCase):
    def test_the_archive_of_the_docs_gives_the_same_tables_on_another_machine(self):
        line, = re.findall(r"^    (tar czf .*)$", read_page("docs/measures.md"), re.MULTILINE)
        self.have_toy()
        os.makedirs(self.path("runs"))
        shutil.move(self.path("out"), self.path("runs/csa_lgbm"))
        self.collect("runs/csa_lgbm")
        self.assertEqual(self.run_command("bash", "-c", line).code, 0)
        os.makedirs(self.path("elsewhere"))
        self.run_command("tar", "xzf", "csa_lgbm.tar.gz", "-C", "elsewhere")
        unpacked = "elsewhere/runs/csa_lgbm"
        self.assertEqual(sorted(set(os.listdir(self.path("runs/csa_lgbm")))
                                - set(os.listdir(self.path(unpacked)))), ["ml_data"])
        wanted = self.tables("runs/csa_lgbm/scores")
        for name in ("runs", "raw"):
            shutil.rmtree(self.path(name))
        self.assertEqual(self.collect(unpacked, "--output_dir", "tables").code, 0)
        del wanted["coverage.csv"]          # of the benchmark alone
        self.assertEqual(self.tables("tables"), wanted)

    def tables(self, directory):
        return {name: self.read(directory, name) for name in os.listdir(self.path(directory))
                if name.endswith(".csv")}


if __name__ == "__main__":
    unittest.main()
