"""campaign: a local campaign of the toy model, for the tests of status, resuming and faults."""
import json
import os
import sys

from core.tree import read_status
from tests.support import REPOSITORY, TOY, WorkCase, wait_for, write_benchmark

LOCAL = ("--executor", "local")
ALL = 20   # tasks of the tiny benchmark's campaign


class CampaignCase(WorkCase):
    def setUp(self):
        super().setUp()
        write_benchmark(self.path("raw"), ("A", "B"))

    def command(self, *arguments):
        return [sys.executable, os.path.join(REPOSITORY, "workflow_csa.py"), *TOY, *LOCAL,
                *arguments]

    def start_campaign(self, *arguments, **settings):
        return self.start(*self.command(*arguments), TOY_STARTS=self.path("starts.txt"), **settings)

    def status(self):
        """(exit code, {task name: (state, reason)})"""
        ended = self.run_toy(*LOCAL, "--status", "--json")
        self.assertNotIn("Traceback", ended.err)
        return ended.code, {task["name"]: (task["state"], task["reason"])
                            for task in json.loads(ended.out)["tasks"]}

    def states(self):
        return {name: state for name, (state, _) in self.status()[1].items()}

    def wait_for_state(self, name, state):
        def found():
            status = read_status(self.path("out", name), self.path("out"))
            return status is not None and status.state == state
        wait_for(found, f"{name} {state}")
        return self.status_of(name)

    def started(self):
        is_there = os.path.exists(self.path("starts.txt"))
        return sorted(row[2] for row in self.starts()) if is_there else []

    def assert_no_traceback(self, ended):
        self.assertNotIn("Traceback", ended.err, ended)
        return ended
