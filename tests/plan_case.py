"""plan_case: a command line in this process, as far as its plan: nothing is started or written."""
import os

import workflow_csa
import workflow_hpo
import workflow_lca
from core.errors import Refusal
from core.task import argument_list
from launcher import benchmark
from launcher import options as command_line
from tests.support import WorkCase

WORKFLOWS = {module.WORKFLOW.name: module.WORKFLOW
             for module in (workflow_csa, workflow_hpo, workflow_lca)}


class Planned:
    """What a command line means: its options, and the Plan that its workflow makes of them."""

    def __init__(self, workflow, *line):
        self.options = command_line.parse(WORKFLOWS[workflow], line)
        self.data = benchmark.read_benchmark(self.options)
        self.plan = WORKFLOWS[workflow].plan(self.options, self.data)
        self.tasks = {task.name: task for task in self.plan.tasks}
        self.notes = [*self.options.notes, *self.plan.notes]

    def names(self, stage):
        return {task.name for task in self.plan.tasks if task.stage == stage}

    def line(self, name):
        """The arguments of a task as one text, paths inside OUT relative."""
        return " ".join(argument_list(self.tasks[name].arguments, ""))


class PlanCase(WorkCase):
    """A test in a directory of its own, which is the working directory of this process."""
    planned = Planned

    def setUp(self):
        super().setUp()
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.work)

    def parsed(self, *line, workflow="csa"):
        return command_line.parse(WORKFLOWS[workflow], line)

    def refused(self, workflow, *line):
        """The sentence and the hint with which a command line is refused before anything runs."""
        with self.assertRaises(Refusal, msg=line) as caught:
            Planned(workflow, *line)
        return caught.exception.text("x")

    def assert_each_refused(self, cases, *more, workflow="csa"):
        """cases: [(arguments, part of the message...)]"""
        for line, *parts in cases:
            with self.subTest(line=line):
                text = self.refused(workflow, *more, *line)
                for part in parts:
                    self.assertIn(part, text)
