"""campaign: a local campaign of the toy model, for the tests of status, resuming and faults."""
import os
import sys

from core.tree import read_status
from tests.support import REPOSITORY, TOY, WorkCase, wait_for, write_benchmark

LOCAL = ("--executor", "local")
ALL = 20   # tasks of the tiny benchmark's campaign
FIVE = ("--source", "A", "--split", "0")    # of them


class CampaignCase(WorkCase):
    def setUp(self):
        super().setUp()
        write_benchmark(self.path("raw"), ("A", "B"))

    def command(self, *arguments):
        return [sys.executable, os.path.join(REPOSITORY, "workflow_csa.py"), *TOY, *LOCAL,
                *arguments]

    def start_campaign(self, *arguments, **settings):
        return self.start(*self.command(*arguments), TOY_STARTS=self.path("starts.txt"), **settings)

    def states(self):
        return {name: state for name, (state, _) in self.status()[1].items()}

    def wait_for_state(self, name, state):
        def found():
            status = read_status(self.path("out", name), self.path("out"))
            return status is not None and status.state == state
        wait_for(found, f"{name} {state}")
        return self.status_of(name)
