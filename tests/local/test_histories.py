"""Some fixed histories of tests/histories.py, and that the program notices what does not hold."""
import shutil
import unittest

from tests.histories import Broken, History

SEEDS = (1, 5)


class HistoriesTest(unittest.TestCase):
    def test_whatever_happened_the_same_command_brings_the_tables_of_a_fresh_run(self):
        for seed in SEEDS:
            with self.subTest(seed=seed):
                self.assertEqual(History(seed).check(), "")

    def test_what_does_not_hold_is_noticed(self):
        history = History(0)
        self.addCleanup(shutil.rmtree, history.work)
        self.assertEqual(history.run(*history.command())[0], 0)
        history.agree(0)
        with self.assertRaisesRegex(Broken, "--status: 0"):
            history.agree(1)
        history.tables = {"out": {"r2_scores.csv": "0.5"}, "fresh": {"r2_scores.csv": "0.6"}}.get
        with self.assertRaisesRegex(Broken, "tables differ from a fresh run's:\nr2_scores.csv"):
            history.finish()
