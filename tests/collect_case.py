"""collect_case: a test of the collector on a made-up results tree in out/."""
import contextlib
import csv
import io
import os

from stages import collect_scores
from tests.made_tree import Campaign
from tests.support import WorkCase


class WithTables(WorkCase):
    def setUp(self):
        super().setUp()
        self.top, self.out = self.work, self.path("out")
        os.makedirs(self.out)
        self.campaign = Campaign(self.out)

    def collect(self, *options):
        """Returns (exit code, terminal, errors) of the collector."""
        said, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(errors):
            code = collect_scores.main([self.out] + list(options))
        return code, said.getvalue(), errors.getvalue()

    def text(self, name):
        with open(os.path.join(self.out, "scores", name), encoding="utf-8", newline="") as file:
            return file.read()

    def rows(self, name):
        return self.table(name)

    def run_campaign(self, sources=("a",), targets=("a", "b"), splits=(0, 1), **plan):
        entries = self.campaign.entries(list(sources), list(targets), splits)
        self.campaign.plan("20260101T0", entries, **plan)
        self.campaign.run(entries)
        return entries

    def assert_same_table(self, name, expected):
        """Texts are equal, numbers to the 12th digit: sums differ in the last between libraries."""
        found = list(csv.reader(io.StringIO(self.text(name))))
        expected = list(csv.reader(io.StringIO(expected)))
        self.assertEqual([len(row) for row in found], [len(row) for row in expected])
        for cell, wanted in zip(sum(found, []), sum(expected, [])):
            try:
                self.assertAlmostEqual(float(cell), float(wanted), 12)
            except ValueError:
                self.assertEqual(cell, wanted)
