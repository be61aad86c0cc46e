"""test_metrics: the six metrics against values made once with scipy 1.17 and scikit-learn 1.9."""
import math
import random
import unittest
from unittest import mock

import tests  # noqa: F401  (puts stages/ on the path)

import workflow_hpo
from common import metrics

NAMES = ["mse", "rmse", "mae", "pcc", "scc", "r2"]


def made_case(rows, places, seed):
    """Seeded (true, pred); few decimal places make ties."""
    rng = random.Random(seed)
    true = [round(rng.random(), places) for _ in range(rows)]
    return true, [round(0.6 * value + 0.3 * rng.random(), places) for value in true]


class ReferenceValues(unittest.TestCase):
    def check(self, case, expected):
        scores = metrics.regression_scores(*made_case(*case))
        self.assertEqual(list(scores), NAMES)
        for name, value in zip(NAMES, expected):
            self.assertAlmostEqual(scores[name], value, places=13, msg=name)

    def test_values_of_one_decimal_with_many_ties_score_as_in_scipy(self):
        self.check((40, 1, 1), [0.0235, 0.15329709716755893, 0.12, 0.8804087087845484,
                                0.8932268129424459, 0.7265653407024943])

    def test_a_thousand_values_of_two_decimals_score_as_in_scipy(self):
        self.check((1000, 2, 2), [0.0226005, 0.1503346267497944, 0.12391, 0.8977339913681114,
                                  0.9031453428652286, 0.723494118081067])

    def test_values_without_ties_score_as_in_scipy(self):
        self.check((25, 12, 3), [0.02232147701988769, 0.1494037383062676, 0.12843939092488,
                                 0.8749139707348036, 0.8546153846153846, 0.6951132078647844])

    def test_a_large_offset_takes_no_digits_from_the_correlation(self):
        true, pred = made_case(25, 12, 3)
        scores = metrics.regression_scores([1e9 + x for x in true], [1e9 + x for x in pred])
        self.assertAlmostEqual(scores["pcc"], 0.8749139707348036, places=6)
        self.assertAlmostEqual(scores["scc"], 0.8546153846153846, places=13)
        self.assertAlmostEqual(scores["r2"], 0.6951132078647844, places=6)

    def test_the_order_of_rows_changes_no_bit(self):
        true, pred = made_case(1000, 12, 4)
        order = sorted(range(1000), key=pred.__getitem__)
        self.assertEqual(metrics.regression_scores([true[row] for row in order], [pred[row] for row in order]),
                         metrics.regression_scores(true, pred))

    def test_ties_share_their_average_rank(self):
        # ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: by hand 4.5 / sqrt(4.5 * 5)
        self.assertAlmostEqual(metrics.spearman([1, 2, 2, 3], [1, 2, 3, 4]), 4.5 / math.sqrt(22.5),
                               places=15)

    def test_r2_is_below_zero_where_the_mean_would_predict_better(self):
        self.assertEqual(metrics.regression_scores([1, 2, 3], [3, 2, 1])["r2"], -3.0)


class WhereNothingIsDefined(unittest.TestCase):
    def undefined(self, true, pred):
        return [name for name, value in metrics.regression_scores(true, pred).items()
                if math.isnan(value)]

    def test_constant_predictions_have_errors_and_r2_but_no_correlation(self):
        # 0.1 three times: its mean is not exactly 0.1, which must not look like variation
        self.assertEqual(self.undefined([0.1, 0.2, 0.4], [0.1, 0.1, 0.1]), ["pcc", "scc"])

    def test_a_constant_truth_has_errors_only(self):
        self.assertEqual(self.undefined([0.1, 0.1, 0.1], [0.1, 0.2, 0.4]), ["pcc", "scc", "r2"])

    def test_one_row_has_errors_only(self):
        self.assertEqual(self.undefined([0.5], [0.25]), ["pcc", "scc", "r2"])
        self.assertEqual(metrics.regression_scores([0.5], [0.25])["mse"], 0.0625)

    def test_no_rows_have_no_score(self):
        self.assertEqual(self.undefined([], []), NAMES)

    def test_a_nan_anywhere_leaves_no_score(self):
        for pred in ([math.nan, 2.0, 3.0], [1.0, 2.0, math.nan]):
            self.assertEqual(self.undefined([1.0, 2.0, 3.5], pred), NAMES)

    def test_huge_and_tiny_values_end_in_numbers_or_nan_not_in_an_exception(self):
        for scale in (1e-300, 1e-160, 1e160, 1e300):
            scores = metrics.regression_scores([scale, 2 * scale, 4 * scale],
                                               [2 * scale, 3 * scale, 5 * scale])
            self.assertAlmostEqual(scores["pcc"], 1.0, places=12, msg=scale)
            self.assertAlmostEqual(scores["scc"], 1.0, places=12, msg=scale)
        scores = metrics.regression_scores([1.0, 2.0, 3.0], [math.inf, 2.0, -math.inf])
        self.assertEqual(scores["mse"], math.inf)
        self.assertEqual(scores["scc"], -1.0)

    def test_different_lengths_are_an_error(self):
        with self.assertRaisesRegex(ValueError, "3 true values but 2 predictions"):
            metrics.regression_scores([1, 2, 3], [1, 2])


class NormalisedScores(unittest.TestCase):
    def test_they_are_the_scores_after_the_naive_prediction_was_subtracted(self):
        numbers = random.Random(5)
        for digits in (1, 3, 15):       # most values tied, some, none
            true, pred, naive = ([round(numbers.random(), digits) for _ in range(600)] for _ in range(3))
            expected = metrics.regression_scores(*([a - b for a, b in zip(values, naive)] for values in (true, pred)))
            for met, value in metrics.normalised_scores(metrics.rows_of(true, pred, naive)).items():
                self.assertAlmostEqual(value, expected[met], delta=1e-12)

    def test_what_is_constant_has_no_correlation(self):
        scores = metrics.normalised_scores(metrics.rows_of([1.0, 2.0, 3.0], [1.0, 1.0, 1.0], [0.1] * 3))
        self.assertTrue(math.isnan(scores["pcc"]) and math.isnan(scores["scc"]))
        self.assertFalse(math.isnan(scores["r2"]))
        self.assertTrue(math.isnan(metrics.normalised_scores(metrics.rows_of([0.1] * 3, [1.0, 2.0, 3.0], [0.1] * 3))["r2"]))


class Ranks(unittest.TestCase):
    def test_ranks_are_those_of_the_definition_with_and_without_ties(self):
        numbers = random.Random(6)
        for digits in (0, 1, 2, 15):    # from nearly all values tied to none
            values = [round(numbers.random() - 0.5, digits) for _ in range(200)]
            self.assertEqual(metrics.ranks_of(values), [
                sum(other < value for other in values) + (1 + values.count(value)) / 2 for value in values])

    def test_a_correlation_of_ranks_is_the_same_bit_for_bit_however_their_whole_numbers_are_added_up(self):
        for rows, places in ((1, 3), (2, 0), (50, 1), (3000, 5), (3000, 12)):
            case = made_case(rows, places, rows)
            found = metrics.spearman(*case)
            with mock.patch.object(metrics, "EXACT", 0):
                exact = metrics.spearman(*case)
            self.assertEqual(repr(found), repr(exact))

    def test_nothing_has_no_ranks(self):
        self.assertEqual(metrics.ranks_of([]), [])


class Directions(unittest.TestCase):
    def test_a_search_offers_the_metrics_that_the_collector_knows(self):
        """Launchers import no stages: the list stands on both sides of the wall."""
        self.assertEqual(sorted(workflow_hpo.METRICS), sorted([*metrics.METRICS, *metrics.OF_CLASSES]))

    def test_errors_are_better_low_and_the_others_high(self):
        self.assertEqual([name for name in metrics.METRICS if metrics.lower_is_better(name)],
                         ["mse", "rmse", "mae"])
        self.assertEqual(list(metrics.METRICS), NAMES)

    def test_an_unknown_metric_is_an_error_that_names_the_known_ones(self):
        with self.assertRaisesRegex(ValueError, "'auc', one of mse, rmse"):
            metrics.lower_is_better("auc")


if __name__ == "__main__":
    unittest.main()
