"""test_metrics: the six metrics against values made once with scipy 1.17 and scikit-learn 1.9."""
import math
import random
import unittest

from core import metrics

NAMES = ["mse", "rmse", "mae", "pcc", "scc", "r2"]


def made_case(rows, places, seed):
    """Seeded (true, pred); few decimal places make ties."""
    rng = random.Random(seed)
    true = [round(rng.random(), places) for _ in range(rows)]
    return true, [round(0.6 * value + 0.3 * rng.random(), places) for value in true]


class MetricsTest(unittest.TestCase):
    def test_scores_are_those_of_scipy_and_scikit_learn(self):
        for case, expected in (
                ((40, 1, 1), [0.0235, 0.15329709716755893, 0.12, 0.8804087087845484,
                              0.8932268129424459, 0.7265653407024943]),      # many ties
                ((1000, 2, 2), [0.0226005, 0.1503346267497944, 0.12391, 0.8977339913681114,
                                0.9031453428652286, 0.723494118081067]),
                ((25, 12, 3), [0.02232147701988769, 0.1494037383062676, 0.12843939092488,
                               0.8749139707348036, 0.8546153846153846, 0.6951132078647844])):
            scores = metrics.regression_scores(*made_case(*case))
            self.assertEqual(list(scores), NAMES)
            for name, value in zip(NAMES, expected):
                self.assertAlmostEqual(scores[name], value, places=13, msg=(case, name))

    def test_a_large_offset_takes_no_digits_from_the_correlation(self):
        true, pred = made_case(25, 12, 3)
        scores = metrics.regression_scores([1e9 + x for x in true], [1e9 + x for x in pred])
        self.assertAlmostEqual(scores["pcc"], 0.8749139707348036, places=6)
        self.assertAlmostEqual(scores["scc"], 0.8546153846153846, places=13)
        self.assertAlmostEqual(scores["r2"], 0.6951132078647844, places=6)

    def test_the_order_of_rows_changes_no_bit(self):
        true, pred = made_case(1000, 12, 4)
        order = sorted(range(1000), key=pred.__getitem__)
        again = ([values[row] for row in order] for values in (true, pred))
        self.assertEqual(metrics.regression_scores(*again), metrics.regression_scores(true, pred))

    def test_what_is_not_defined_is_nan(self):
        # 0.1 three times: its mean is not exactly 0.1, which must not look like variation
        for true, pred, undefined in (
                ([0.1, 0.2, 0.4], [0.1, 0.1, 0.1], ["pcc", "scc"]),
                ([0.1, 0.1, 0.1], [0.1, 0.2, 0.4], ["pcc", "scc", "r2"]),
                ([0.5], [0.25], ["pcc", "scc", "r2"]), ([], [], NAMES),
                ([1.0, 2.0, 3.5], [math.nan, 2.0, 3.0], NAMES),
                ([1.0, 2.0, 3.5], [1.0, 2.0, math.nan], NAMES)):
            scores = metrics.regression_scores(true, pred)
            self.assertEqual([name for name in NAMES if math.isnan(scores[name])], undefined)

    def test_huge_and_tiny_values_end_in_numbers_or_nan_not_in_an_exception(self):
        for scale in (1e-300, 1e-160, 1e160, 1e300):
            scores = metrics.regression_scores([scale, 2 * scale, 4 * scale],
                                               [2 * scale, 3 * scale, 5 * scale])
            self.assertAlmostEqual(scores["pcc"], 1.0, places=12, msg=scale)
            self.assertAlmostEqual(scores["scc"], 1.0, places=12, msg=scale)
        scores = metrics.regression_scores([1.0, 2.0, 3.0], [math.inf, 2.0, -math.inf])
        self.assertEqual((scores["mse"], scores["scc"]), (math.inf, -1.0))
        self.assertTrue(math.isnan(scores["pcc"]))

    def test_different_lengths_and_unknown_names_are_errors(self):
        with self.assertRaisesRegex(ValueError, "3 true values but 2 predictions"):
            metrics.regression_scores([1, 2, 3], [1, 2])
        with self.assertRaisesRegex(ValueError, "'auc', one of mse, rmse"):
            metrics.lower_is_better("auc")

    def test_a_name_has_a_direction_and_a_place(self):
        self.assertEqual([name for name in metrics.METRICS if metrics.lower_is_better(name)],
                         ["mse", "rmse", "mae"])
        names = ("mse", "r2", "acc", "val_loss", "gain:higher", "gain", "higher")
        self.assertEqual(list(map(metrics.direction, names)),
                         ["lower", "higher", "higher", "lower", "higher", None, None])
        self.assertEqual(metrics.in_order(["x", "acc", "r2", "a", "mse", "r2"]),
                         ["mse", "r2", "acc", "a", "x"])
