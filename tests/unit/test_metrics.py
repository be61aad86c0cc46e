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
                ((25, 12, 3), [0.02232147701988769, 0.1494037383062676, 0.12843939092488,
                               0.8749139707348036, 0.8546153846153846, 0.6951132078647844])):
            scores = metrics.regression_scores(*made_case(*case))
            self.assertEqual(list(scores), NAMES)
            for name, value in zip(NAMES, expected):
                self.assertAlmostEqual(scores[name], value, places=13, msg=(case, name))

    def test_the_order_of_rows_changes_no_bit(self):
        true, pred = made_case(1000, 12, 4)
        order = sorted(range(1000), key=pred.__getitem__)
        again = ([values[row] for row in order] for values in (true, pred))
        self.assertEqual(metrics.regression_scores(*again), metrics.regression_scores(true, pred))

    def test_what_is_not_defined_is_nan_and_no_exception(self):
        # 0.1 three times: its mean is not exactly 0.1, which must not look like variation
        for true, pred, undefined in (
                ([0.1, 0.2, 0.4], [0.1] * 3, ["pcc", "scc"]),
                ([0.1] * 3, [0.1, 0.2, 0.4], ["pcc", "scc", "r2"]),
                ([0.5], [0.25], ["pcc", "scc", "r2"]), ([], [], NAMES),
                ([1.0, 2.0], [math.nan, 2.0], NAMES), ([1.0, 2.0], [1.0, math.nan], NAMES),
                ([1.0, 2.0], [math.inf, -math.inf], ["pcc"]),
                ([1e100, 4e100], [2e100, 5e100], ["pcc"])):
            scores = metrics.regression_scores(true, pred)
            self.assertEqual([name for name in NAMES if math.isnan(scores[name])], undefined)

    def test_different_lengths_and_unknown_names_are_errors(self):
        with self.assertRaisesRegex(ValueError, "1 true values but 2 predictions"):
            metrics.regression_scores([1], [1, 2])
        with self.assertRaisesRegex(ValueError, "'auc', one of mse, rmse"):
            metrics.lower_is_better("auc")

    def test_a_name_has_a_direction_and_a_place(self):
        names = [*metrics.METRICS, "acc", "val_loss", "gain:higher", "gain", "higher"]
        self.assertEqual(list(map(metrics.direction, names)),
                         ["lower"] * 3 + ["higher"] * 4 + ["lower", "higher", None, None])
        self.assertEqual(metrics.in_order(["x", "acc", "r2", "a", "mse", "r2"]),
                         ["mse", "r2", "acc", "a", "x"])
