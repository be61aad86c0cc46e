"""Commands on finished results trees: the archive that a paper publishes, and a comparison."""
import os
import re
import shutil

from tests.pages import read_page
from tests.support import WorkCase


class PublishTest(WorkCase):
    def test_the_archive_of_the_docs_gives_the_same_tables_and_is_compared_elsewhere(self):
        line, = re.findall(r"^    (tar czf .*)$", read_page("docs/measures.md"), re.MULTILINE)
        self.have_toy("--executor", "local")
        shutil.copytree(self.path("out"), self.path("runs/csa_lgbm"))
        self.collect("runs/csa_lgbm")
        self.run_command("bash", "-c", line, code=0)
        os.makedirs(self.path("elsewhere"))
        self.run_command("tar", "xzf", "csa_lgbm.tar.gz", "-C", "elsewhere", code=0)
        self.assertEqual(set(os.listdir(self.path("runs/csa_lgbm")))
                         - set(os.listdir(self.path("elsewhere/runs/csa_lgbm"))), {"ml_data"})
        wanted = self.tables("runs/csa_lgbm/scores")
        for name in ("runs", "raw"):
            shutil.rmtree(self.path(name))
        self.collect("elsewhere/runs/csa_lgbm", "--output_dir", "tables")
        for name in ("coverage.csv", "naive_scores.csv", "per_drug.csv", "strata.csv"):
            del wanted[name]                # they need the benchmark
        self.assertEqual(self.tables("tables"), wanted)
        compared = "--compare", "out", "elsewhere/runs/csa_lgbm"
        ended = self.collect(*compared, "--output_dir", "compared")
        self.assertEqual(ended.code, 0, ended)
        self.assertIn("no model is better than another", ended.out)
        self.assertEqual(ended.out, self.read("compared/compare_summary.txt"))
        self.assert_refused(self.collect(*compared), "--output_dir")

    def tables(self, directory):
        return {name: self.read(directory, name) for name in os.listdir(self.path(directory))
                if name.endswith(".csv")}
