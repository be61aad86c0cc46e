"""A fixed history of tests/histories.py, and that the program notices what does not hold."""
import unittest

from tests.histories import History

SEED = 12       # a cancel, a launch, an edit while tasks run, deleted data, a kill


class HistoriesTest(unittest.TestCase):
    def test_whatever_happened_the_same_command_brings_the_tables_of_a_fresh_run(self):
        self.assertEqual(History(SEED).check(), "")

    def test_what_does_not_hold_is_noticed(self):
        history = History(0)
        self.addCleanup(history.doCleanups)
        self.assertEqual(history.give(*history.command()).code, 0)
        history.agree(0)
        with self.assertRaisesRegex(AssertionError, "'the launch': False"):
            history.agree(1)
        history.tables = {"out": {"r2_scores.csv": "0.5"}, "fresh": {"r2_scores.csv": "0.6"}}.get
        with self.assertRaisesRegex(AssertionError, "r2_scores.csv"):
            history.finish()
