"""p values of scipy 1.17.1, corrections of statsmodels 0.15.0 and scikit-posthocs 0.17.1."""
import math
import unittest
from itertools import combinations

import tests  # noqa: F401  (puts the project's folder on the path)
from stages.stats import significance
from stages.stats.significance import Ranking, average_ranks, groups, holm, wilcoxon_signed_rank

MODEL_A = [0.74, 0.749, 0.7318, 0.7133, 0.7264, 0.7103, 0.7418, 0.7802, 0.7252, 0.7214]
MODEL_B = [0.7202, 0.7319, 0.7197, 0.7219, 0.717, 0.6864, 0.7587, 0.7794, 0.7532, 0.7372]
TIED = [3, 1, -1, 2, 2, -2, 1, 4, 4, 5, -3, 1]
ZEROS = [0, 1, -2, 3, 4, 0, 6, -7, 8, 9, 10]
LONG = TIED + [0, 6, -2, 3, 3, -1, 2, 5]
SPREAD = [((i * 37) % 101 - 43) / 10 + 0.001 * i for i in range(51)]
# Ten data sets, four models; p of each two as posthoc_wilcoxon(p_adjust='holm') corrects them
SCORES = [[1.194, 0.399, 0.561, 0.466], [1.046, 0.165, 0.501, 0.903], [1.203, 0.778, 0.538, 0.61],
          [1.319, 0.581, 0.516, 0.781], [1.305, 0.157, 1.175, 0.323], [1.75, 0.945, 0.218, 1.088],
          [1.266, 0.679, 0.209, 0.347], [1.481, 1.055, 0.397, 1.056], [1.73, 1.042, 0.544, 0.655],
          [1.625, 0.876, 0.308, 1.048]]
CORRECTED = [0.01171875, 0.01171875, 0.01171875, 0.55078125, 0.625, 0.31640625]


class WithNumbers(unittest.TestCase):
    def assert_near(self, found, expected):
        self.assertEqual(len(found), len(expected))
        for one, other in zip(found, expected):
            self.assertAlmostEqual(one, other, delta=1e-12)


class Test(WithNumbers):
    def test_p_is_scipys_exact_one_and_its_permutation_test_with_ties_and_zeros(self):
        for x, y, p in ((MODEL_A, MODEL_B, 0.6953125), (MODEL_B, MODEL_A, 0.6953125),
                        (SPREAD, [0] * 51, 0.11262151549076549), (TIED, [0] * 12, 0.09619140625),
                        (ZEROS, [0] * 11, 0.09765625), (LONG, [0] * 20, 0.013210296630859375),
                        ([0.5, -0.2], [0, 0], 1.0), (MODEL_A, MODEL_A, 1.0)):
            self.assert_near([wilcoxon_signed_rank(x, y)], [p])

    def test_without_values_p_is_nan_and_unequal_lengths_are_an_error(self):
        for x, y in (([], []), ([0.1, math.nan], [0, 0])):
            self.assertTrue(math.isnan(wilcoxon_signed_rank(x, y)))
        with self.assertRaisesRegex(ValueError, "unequal length: 2 and 1"):
            wilcoxon_signed_rank([1, 2], [1])

    def test_holm_corrects_as_statsmodels_and_scikit_posthocs_do(self):
        self.assert_near(holm([0.01, 0.04, 0.03, 0.005, 0.5]), [0.04, 0.09, 0.09, 0.025, 0.5])
        columns = list(zip(*SCORES))
        p_values = [wilcoxon_signed_rank(a, b) for a, b in combinations(columns, 2)]
        self.assert_near(holm(p_values), CORRECTED)
        found = holm([0.01, math.nan, 0.5])       # a missing comparison is not counted
        self.assertTrue(math.isnan(found.pop(1)))
        self.assertEqual(found, [0.02, 0.5])


class Ranks(WithNumbers):
    def test_the_best_model_has_the_lowest_average_rank_and_ties_share_theirs(self):
        self.assert_near(average_ranks(SCORES), [1.0, 3.0, 3.5, 2.5])       # scipy's rankdata
        table = [[0.8, 0.7, 0.6], [0.9, 0.9, 0.1], [0.5, 0.6, 0.4]]
        self.assert_near(average_ranks(table), [4.5 / 3, 4.5 / 3, 3.0])
        self.assert_near(average_ranks(table, lower_is_better=True), [7.5 / 3, 7.5 / 3, 1.0])

    def test_groups_hold_models_of_which_no_two_differ(self):
        for differing, expected in (([], ["abcd"]), (["ad"], ["abc", "bcd"]),
                                    (["ba", "ca", "da"], ["bcd"]),
                                    (["ab", "ac", "ad", "cd", "bd"], ["bc"]),
                                    (["ab", "ac", "ad", "bc", "bd", "cd"], [])):
            found = groups(Ranking(list("dcba"), [4, 3, 2, 1], [tuple(two) for two in differing]))
            self.assertEqual(["".join(group) for group in found], expected)


class TooFewSplits(unittest.TestCase):
    def test_the_floor_of_p_is_that_of_a_unanimous_sign(self):
        for splits in (1, 2, 5, 9, 10):
            self.assertEqual(significance.smallest_p(splits),
                             wilcoxon_signed_rank(range(1, splits + 1), [0] * splits))
        self.assertEqual(list(map(significance.splits_needed, (1, 21))), [6, 10])

    def test_the_sentence_says_what_so_few_splits_can_show(self):
        for splits, comparisons, sentence in (
                (9, 21, "With 9 splits and 21 comparisons, nothing can be significant: the "
                 "smallest possible p is 0.00391, 0.082 after correction, above 0.05; at least "
                 "10 splits are needed."),
                (10, 21, "With 10 splits and 21 comparisons, a difference can only be significant "
                 "if every split has the same sign."), (11, 21, "")):
            self.assertEqual(significance.limit_of_splits(splits, comparisons), sentence)


if __name__ == "__main__":
    unittest.main()
