"""p values of scipy 1.17.1, corrections of statsmodels 0.15.0 and scikit-posthocs 0.17.1."""
import unittest
from itertools import combinations
from operator import sub

from stages.stats.significance import (
    average_ranks, groups, holm, limit_of_splits, wilcoxon_signed_rank)

TIED = [3, 1, -1, 2, 2, -2, 1, 4, 4, 5, -3, 1]
ZEROS = [0, 1, -2, 3, 4, 0, 6, -7, 8, 9, 10]
SPREAD = [((i * 37) % 101 - 43) / 10 + 0.001 * i for i in range(51)]
# Ten data sets, four models; p of each two as posthoc_wilcoxon(p_adjust='holm') corrects them
SCORES = [[1.194, 0.399, 0.561, 0.466], [1.046, 0.165, 0.501, 0.903], [1.203, 0.778, 0.538, 0.61],
          [1.319, 0.581, 0.516, 0.781], [1.305, 0.157, 1.175, 0.323], [1.75, 0.945, 0.218, 1.088],
          [1.266, 0.679, 0.209, 0.347], [1.481, 1.055, 0.397, 1.056], [1.73, 1.042, 0.544, 0.655],
          [1.625, 0.876, 0.308, 1.048]]
CORRECTED = [0.01171875, 0.01171875, 0.01171875, 0.55078125, 0.625, 0.31640625]


class Test(unittest.TestCase):
    def assert_near(self, found, expected):
        self.assertEqual([round(value, 12) for value in found],
                         [round(value, 12) for value in expected])

    def test_p_is_scipys_exact_one_and_its_permutation_test_with_ties_and_zeros(self):
        for values, p in ((SPREAD, 0.11262151549076549), (TIED, 0.09619140625),
                          (ZEROS, 0.09765625), ([0.5, -0.2], 1.0), ([0.0] * 10, 1.0)):
            self.assert_near([wilcoxon_signed_rank(values)], [p])

    def test_holm_corrects_as_statsmodels_and_scikit_posthocs_do(self):
        self.assert_near(holm([0.01, 0.04, 0.03, 0.005, 0.5]), [0.04, 0.09, 0.09, 0.025, 0.5])
        p_values = [wilcoxon_signed_rank(list(map(sub, a, b)))
                    for a, b in combinations(zip(*SCORES), 2)]
        self.assert_near(holm(p_values), CORRECTED)

    def test_the_best_model_has_the_lowest_average_rank_and_ties_share_theirs(self):
        self.assert_near(average_ranks(SCORES, False), [1.0, 3.0, 3.5, 2.5])  # scipy's rankdata
        table = [[0.8, 0.7, 0.6], [0.9, 0.9, 0.1]]
        self.assert_near(average_ranks(table, False), [1.25, 1.75, 3.0])
        self.assert_near(average_ranks(table, True), [2.75, 2.25, 1.0])

    def test_groups_hold_models_of_which_no_two_differ(self):
        for differing, expected in (([], ["abcd"]), (["ad"], ["abc", "bcd"]),
                                    (["ba", "ca", "da", "bd", "cd"], ["bc"]),
                                    (["ab", "ac", "ad", "bc", "bd", "cd"], [])):
            found = groups(dict(zip("dcba", (4, 3, 2, 1))), differing)
            self.assertEqual(["".join(group) for group in found], expected)

    def test_the_sentence_says_what_so_few_splits_can_show(self):
        """The floor of p is that of a unanimous sign; one split or one couple more decides."""
        for splits, comparisons, p, corrected, needed in (
                (9, 21, "0.00391", "0.082", 10), (1, 1, "1", "1", 6)):
            self.assertEqual(f"{wilcoxon_signed_rank(range(1, splits + 1)):.3g}", p)
            self.assertIn(f"nothing can be significant: the smallest possible p is {p}, "
                          f"{corrected} after correction, above 0.05; at least {needed} splits are "
                          "needed.", limit_of_splits(splits, comparisons))
            self.assertEqual(limit_of_splits(needed, comparisons), "")


if __name__ == "__main__":
    unittest.main()
