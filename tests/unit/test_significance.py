"""test_significance: p values against scipy 1.18.1, corrections against statsmodels 0.15.0, ranks by hand."""
import math
import unittest

import tests  # noqa: F401  (puts stages/ on the path)

from stats import significance
from stats.significance import wilcoxon_signed_rank

MODEL_A = [0.74, 0.749, 0.7318, 0.7133, 0.7264, 0.7103, 0.7418, 0.7802, 0.7252, 0.7214]
MODEL_B = [0.7202, 0.7319, 0.7197, 0.7219, 0.717, 0.6864, 0.7587, 0.7794, 0.7532, 0.7372]
UNANIMOUS = [0.01 * (i + 1) for i in range(9)]
TIED = [3, 1, -1, 2, 2, -2, 1, 4, 4, 5, -3, 1]
ZEROS = [0, 1, -2, 3, 4, 0, 6, -7, 8, 9, 10]
TIED_AND_LONG = [3, 1, -1, 2, 2, -2, 1, 4, 4, 5, -3, 1, 0, 6, -2, 3, 3, -1, 2, 5]


def spread(n):
    return [((i * 37) % 101 - 43) / 10 + 0.001 * i for i in range(n)]


class Wilcoxon(unittest.TestCase):
    def check(self, differences, method, statistic, p):
        found = wilcoxon_signed_rank(differences, method=method)
        self.assertEqual(found[0], statistic)
        self.assertAlmostEqual(found[1], p, delta=1e-12)

    def test_paired_scores_give_scipys_exact_and_asymptotic_p(self):
        for method, p in (("auto", 0.6953125), ("exact", 0.6953125), ("asymptotic", 0.6464622026641696)):
            found = wilcoxon_signed_rank(MODEL_A, MODEL_B, method)
            self.assertEqual(found[0], 23.0)
            self.assertAlmostEqual(found[1], p, delta=1e-12)

    def test_few_differences_give_scipys_exact_p_with_ties_and_zeros_too(self):
        self.check(UNANIMOUS, "auto", 0.0, 0.00390625)
        self.check(TIED, "auto", 17.0, 0.09619140625)
        self.check(ZEROS, "auto", 8.0, 0.09765625)
        self.check([0.5, -0.2], "auto", 1.0, 1.0)

    def test_the_normal_approximation_is_scipys_with_ties_and_zeros(self):
        self.check(UNANIMOUS, "asymptotic", 0.0, 0.007685794055213263)
        self.check(TIED, "asymptotic", 17.0, 0.08246813600196849)
        self.check(ZEROS, "asymptotic", 8.0, 0.08583095844428565)
        self.check([0.5], "asymptotic", 0.0, 0.31731050786291415)

    def test_auto_turns_to_the_approximation_where_scipy_does(self):
        self.check(TIED_AND_LONG, "auto", 34.5, 0.014382397618167545)
        self.check(spread(50), "auto", 465.0, 0.09709384967839618)
        self.check(spread(51), "auto", 493.0, 0.11105045167875917)

    def test_the_order_of_the_models_does_not_matter(self):
        self.assertEqual(wilcoxon_signed_rank(MODEL_A, MODEL_B), wilcoxon_signed_rank(MODEL_B, MODEL_A))

    def test_nothing_to_compare_is_nan_and_no_difference_at_all_is_one(self):
        for differences in ([], [0.1, math.nan]):
            self.assertTrue(all(map(math.isnan, wilcoxon_signed_rank(differences))))
        self.assertEqual(wilcoxon_signed_rank(MODEL_A, MODEL_A), (0.0, 1.0))

    def test_unequal_lengths_and_an_unknown_method_are_errors(self):
        with self.assertRaisesRegex(ValueError, "unequal length: 2 and 1"):
            wilcoxon_signed_rank([1, 2], [1])
        with self.assertRaisesRegex(ValueError, "'exakt'"):
            wilcoxon_signed_rank([1, 2], method="exakt")


class Corrections(unittest.TestCase):
    def check(self, found, expected):
        for one, other in zip(found, expected):
            self.assertAlmostEqual(one, other, delta=1e-12)
        self.assertEqual(len(found), len(expected))

    def test_holm_gives_the_values_of_statsmodels(self):
        p_values = [0.01, 0.04, 0.03, 0.005, 0.5]
        self.check(significance.holm(p_values), [0.04, 0.09, 0.09, 0.025, 0.5])

    def test_a_missing_comparison_stays_nan_and_is_not_counted(self):
        found = significance.holm([0.01, math.nan, 0.5])
        self.assertEqual(found[0], 0.02)
        self.assertTrue(math.isnan(found[1]))
        self.assertEqual(significance.holm([]), [])


class Ranks(unittest.TestCase):
    def test_equal_values_share_their_average_rank(self):
        self.assertEqual(significance.ranks_of([3, 1, 4, 1, 5]), [3, 1.5, 4, 1.5, 5])

    def test_the_best_model_has_the_lowest_average_rank(self):
        table = [[0.8, 0.7, 0.6], [0.9, 0.9, 0.1], [0.5, 0.6, 0.4], [0.5, None, 0.9], [math.nan, 1, 2]]
        self.assertEqual(significance.average_ranks(table), [4.5 / 3, 4.5 / 3, 3.0])
        self.assertEqual(significance.average_ranks(table, lower_is_better=True), [7.5 / 3, 7.5 / 3, 1.0])

    def test_without_a_full_row_there_is_no_rank(self):
        self.assertTrue(all(map(math.isnan, significance.average_ranks([[1, None]]))))
        self.assertEqual(significance.average_ranks([]), [])


class TooFewSplits(unittest.TestCase):
    def test_the_floor_of_p_is_that_of_a_unanimous_sign(self):
        for splits in (1, 2, 5, 9, 10):
            self.assertEqual(significance.smallest_p(splits), wilcoxon_signed_rank(list(range(1, splits + 1)))[1])
        self.assertEqual(significance.smallest_p(0), 1.0)

    def test_seven_models_need_ten_splits(self):
        self.assertEqual(significance.splits_needed(21), 10)
        self.assertEqual(significance.splits_needed(1), 6)

    def test_the_sentence_names_the_floor_and_the_splits_needed(self):
        self.assertEqual(
            significance.limit_of_splits(9, 21),
            "With 9 splits and 21 comparisons, nothing can be significant: the smallest possible p is 0.00391, "
            "0.082 after correction, above 0.05; at least 10 splits are needed.")

    def test_ten_splits_and_seven_models_need_a_unanimous_sign(self):
        self.assertEqual(
            significance.limit_of_splits(10, 21),
            "With 10 splits and 21 comparisons, a difference can only be significant where every split has the same "
            "sign.")

    def test_enough_splits_need_no_sentence(self):
        self.assertEqual(significance.limit_of_splits(11, 21), "")


class FTest(unittest.TestCase):
    def test_the_tail_of_the_f_distribution_is_scipys(self):
        for f, df1, df2, p in ((4.2, 1, 7, 0.07960201245519759), (0.3, 5, 2, 0.8797574890536368), (99, 2, 2, 0.01),
                               (2.5, 7, 90, 0.021502198695111992)):
            self.assertAlmostEqual(significance.f_test_p(f, df1, df2), p, delta=1e-12)

    def test_the_ends_are_one_and_zero(self):
        self.assertEqual(significance.f_test_p(0, 2, 3), 1.0)
        self.assertEqual(significance.f_test_p(math.inf, 2, 3), 0.0)


if __name__ == "__main__":
    unittest.main()
