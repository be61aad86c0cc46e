"""collect_case: a test of the collector on a made-up results tree in out/."""
import contextlib
import io
import os

from stages import collect_scores
from tests.made_tree import Campaign
from tests.support import WorkCase


class WithTables(WorkCase):
    def setUp(self):
        super().setUp()
        self.out = self.path("out")
        os.makedirs(self.out)
        self.campaign = Campaign(self.out)

    def collect(self, *options):
        """Returns (exit code, terminal, errors) of the collector."""
        said, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(errors):
            code = collect_scores.main([self.out, *options])
        return code, said.getvalue(), errors.getvalue()

    def text(self, name):
        return self.read(self.out, "scores", name)

    def run_campaign(self, sources=("a",), targets=("a", "b"), splits=(0, 1), **plan):
        entries = self.campaign.entries(sources, targets, splits)
        self.campaign.plan("20260101T0", entries, **plan)
        self.campaign.run(entries)
        return entries
