"""campaign: a local campaign of the toy model, for the tests of status, resuming and faults."""
import json
import os
import sys

from launcher import whole_file
from tests.support import REPOSITORY, TOY_MODEL, WorkCase, wait_for, write_benchmark

LOCAL = ("--executor", "local")
ALL = 20   # tasks of the tiny benchmark's campaign


class CampaignCase(WorkCase):
    def setUp(self):
        super().setUp()
        write_benchmark(self.path("raw"), ("A", "B"))

    def command(self, *arguments):
        return [sys.executable, os.path.join(REPOSITORY, "workflow_csa.py"), "--model", "toy", "--model_dir", TOY_MODEL,
                "--input_dir", "raw", "--output_dir", "out", *LOCAL, *arguments]

    def start_campaign(self, *arguments, **settings):
        return self.start(*self.command(*arguments), TOY_STARTS=self.path("starts.txt"), **settings)

    def status(self):
        """(exit code, {task name: (state, reason)})"""
        ended = self.run_toy(*LOCAL, "--status", "--json")
        self.assertNotIn("Traceback", ended.err)
        return ended.code, {task["name"]: (task["state"], task["reason"]) for task in json.loads(ended.out)["tasks"]}

    def states(self):
        return {name: state for name, (state, _) in self.status()[1].items()}

    def wait_for_state(self, name, state):
        path = self.path("out", name, "stage_status.json")
        wait_for(lambda: (whole_file.read_json(path) or {}).get("state") == state, f"{name} {state}")
        return whole_file.read_json(path)

    def started(self):
        return sorted(row[2] for row in self.starts()) if os.path.exists(self.path("starts.txt")) else []

    def assert_no_traceback(self, ended):
        self.assertNotIn("Traceback", ended.err, ended)
        return ended
