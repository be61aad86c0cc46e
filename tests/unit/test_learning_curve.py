"""test_learning_curve: laws are found again, flat curves claim nothing, figures of scipy are met.

Stored figures: scipy.optimize.least_squares 1.17.1 with the same bounds and weights on the last
five sizes; the bootstrap's spread from all 27 ways to draw three splits (numpy).
"""
import itertools
import math
import random
import statistics
import unittest

from stages.collect.lca import curves_of, points_of_curves, shown_table, summary
from stages.collect.scores import Result
from stages.report.lca import fit_cells, lead, main_curves
from stages.stats.learning_curve import (
    CSV_COLUMNS, TIMES, Curve, band, bootstrap, csv_row, fit_power_law, last_decade)
from core.task import Task
from tests.benchmarks import learning_curves as benchmark

TEN_SIZES = [128, 203, 323, 512, 813, 1290, 2048, 3251, 5161, 8192]
SIX_SIZES = [128, 256, 512, 1024, 2048, 4096]
LEVELS_OFF = [[.312, .305, .320], [.262, .255, .270], [.221, .230, .219], [.199, .195, .204],
              [.180, .183, .176], [.171, .166, .169]]
GOES_ON = [[.42, .40, .43], [.331, .322, .34], [.26, .27, .251], [.208, .204, .213],
           [.165, .16, .172], [.13, .128, .136]]


def curve_of(sizes, values):
    """values[i][k] of split k at sizes[i]"""
    return {size: dict(enumerate(row)) for size, row in zip(sizes, values)}


def fitted(sizes, values):
    return fit_power_law(curve_of(sizes, values))


def law(alpha, beta, gamma):
    return lambda size: alpha * size ** beta + gamma


def noisy(curve, sizes=TEN_SIZES, splits=10, noise=0.02, seed=0):
    """values[i][k] of split k at sizes[i], with relative normal noise."""
    generator = random.Random(seed)
    return [[curve(size) * (1 + noise * generator.gauss(0, 1)) for _ in range(splits)]
            for size in sizes]


class LearningCurveTest(unittest.TestCase):

    def assert_near(self, found, expected, delta):
        for one, other in zip(found, expected):
            self.assertAlmostEqual(one, other, delta=delta)

    # ---- the law

    def test_the_numbers_equal_those_of_scipy_and_follow_from_the_law(self):
        for values, expected, backtest, spread in (
                (LEVELS_OFF, (2.82879437, -0.57695110, 0.14566090, 0.16128398), -0.63809195,
                 0.02103077),
                (GOES_ON, (2.12185411, -0.33546108, 0, 0.10325842), 1.89180500, 0.03744662)):
            fit = fitted(SIX_SIZES, values)
            self.assert_near((fit.alpha, fit.beta, fit.gamma, fit.law.at(8192)), expected, 1e-4)
            self.assertAlmostEqual(fit.backtest_error_percent, backtest, delta=1e-3)
            drawn = statistics.pstdev([math.log(one.at(8192)) for one in fit.draws])
            self.assertAlmostEqual(drawn, spread, delta=0.2 * spread)
            gained = fit.predicted_full * (1 - fit.gain_percent / 100)
            self.assertAlmostEqual(gained, expected[-1], delta=1e-4)

    def test_the_law_is_fitted_to_the_last_decade_or_the_last_five_sizes(self):
        for sizes, left_out in ((TEN_SIZES, 5), ([9, 10, 20, 30, 40, 50, 80], 1),
                                ([1, 10, 100, 1000], 0)):
            self.assertEqual(list(last_decade(curve_of(sizes, [[1]] * len(sizes)))),
                             sizes[left_out:])

    def test_the_order_of_sizes_and_missing_values_do_not_matter(self):
        expected = fitted(SIX_SIZES, LEVELS_OFF)
        self.assertEqual(fitted(SIX_SIZES[::-1], LEVELS_OFF[::-1]), expected)
        for missing in ([], [math.nan] * 3, [math.inf] * 3):
            self.assertEqual(fitted([*SIX_SIZES, 8192], [*LEVELS_OFF, missing]), expected)

    # ---- does it fall

    def test_a_curve_that_falls_steeply_and_levels_off_falls(self):
        exact = law(1e4, -2.5, 0.2)
        for sizes, values in (([128, 248, 480], [[47.4], [24.6], [20.5]]),
                              (TEN_SIZES, noisy(exact, splits=5, noise=0.01))):
            fit = fitted(sizes, values)
            self.assertTrue(fit.usable, fit.warning)
            self.assertIn("The error falls and levels off before these sizes end: by the fitted "
                          f"law, twice the data takes {fit.gain_percent:.2g} % off it.",
                          fit.warning)

    def test_a_law_that_a_small_size_has_pulled_away_says_so(self):
        fit = fitted([4, 8, 16, 32, 64], [[12], [1.0], [0.8], [0.65], [0.55]])
        self.assertIn("The law misses the error at 64 rows by 11 %", fit.warning)

    def test_flat_and_rising_curves_claim_nothing(self):
        cases = itertools.product((law(0, 1, 0.3), law(0.1, 0.1, 0)), range(5), (
            (10, 10, 0), (10, 10, 0.02), (6, 1, 0.01), (3, 1, 0.01), (3, 2, 0.02), (5, 3, 0.05)))
        for curve, seed, (sizes, splits, noise) in cases:
            fit = fitted(TEN_SIZES[:sizes], noisy(curve, TEN_SIZES[:sizes], splits, noise, seed))
            self.assertIn("No fit: the error does not clearly fall", fit.warning)
            self.assertEqual((fit.usable, fit.gain_percent), (False, None))

    def test_a_slow_fall_is_seen_though_splits_differ_in_level(self):
        levels = (0.7, 0.9, 1, 1.1, 1.4)
        values = [[level * (size / 128) ** -0.05 for level in levels] for size in SIX_SIZES]
        self.assertTrue(fitted(SIX_SIZES, values).usable)

    def test_wild_values_raise_nothing(self):
        for values in ([[9e59], [8e30], [7.0], [6.9]], [[1e59, math.inf], [1], [1e-59], [1e-59]]):
            fit = fitted([1, 10 ** 3, 10 ** 6, 10 ** 9], values)
            self.assertTrue(fit.usable, fit.warning)
            self.assertEqual(tuple(csv_row(Curve("S", "mse", {}, fit))), CSV_COLUMNS)

    def test_what_cannot_be_fitted_says_why(self):
        for sizes, values, problem in (
                ([], [], "0 sizes with a score, at least 3 are needed."),
                ([1, 2, 3], [[.5], [.4], []], "2 sizes with a score, at least 3 are needed."),
                ([1, 2, 3], [[.5], [.4], [0.0]], "the power law is for sizes and errors above "),
                ([0, 2, 3], [[.5], [.4], [.3]], "the power law is for sizes and errors above ")):
            fit = fitted(sizes, values)
            self.assertIn(f"No fit: {problem}", fit.warning)
            self.assertFalse(fit.usable)

    # ---- bands

    def test_splits_are_drawn_whole(self):
        values = [[level * law(2, -0.4, 0)(size) for level in (0.5, 1, 2)] for size in SIX_SIZES]
        draws = bootstrap(curve_of(SIX_SIZES, values))
        self.assertEqual(len(draws), 100)
        for drawn in draws:
            self.assertAlmostEqual(drawn.squares, 0, delta=1e-5)

    def test_one_split_has_the_drift_alone_and_says_so(self):
        fit = fitted(SIX_SIZES, [row[:1] for row in GOES_ON])
        self.assertIn("One split: how splits differ is not in the bands.", fit.warning)
        self.assertEqual(fit.draws, ())
        self.assertAlmostEqual(fit.misfit, 0.01310378, delta=1e-6)      # scipy's residuals
        for size, share, ends in ((8192, 0.8, (0.10114102, 0.10542015)),
                                  (8192, 0.95, (0.09792425, 0.10888317)),
                                  (32768, 0.95, (0.05260351, 0.07996706))):
            self.assert_near(band(fit, size, share), ends, 1e-5)

    def test_sizes_that_hardly_differ_have_wide_bands_and_a_warning(self):
        sizes = [800, 850, 900, 950, 1000]
        fit = fitted(sizes, noisy(law(1e3, -1.5, 0.05), sizes, 5, noise=0.003))
        self.assertIn("Only 5 sizes, 800-1000 rows: read the fit as a sketch.", fit.warning)
        low, high = band(fit, 2000, 0.95)
        self.assertGreater(high / low, 3)

    def test_the_95_bands_hold_at_least_90_of_100_made_curves(self):
        fits = [(curve, fit_power_law(curve.sizes))
                for curve in list(benchmark.made_curves(1, 2))[::3]]
        found = [one for curve, fit in fits if fit.usable for one in benchmark.asked(curve, fit)]
        for times in TIMES:
            held = [one.held[1] for one in found if one.times == times]
            self.assertGreater(len(held), 45)
            self.assertGreaterEqual(statistics.mean(held), 0.9)

    def test_an_asymptote_is_identified_only_where_the_data_show_it(self):
        for curve, identified in ((law(2e4, -1.5, 0.2), True), (law(2, -0.4, 0.05), False),
                                  (law(2e4, -1.5, 0.002), False),
                                  (lambda size: 1 - 0.08 * math.log(size), False)):
            fit = fitted(TEN_SIZES, noisy(curve, noise=0.005))
            self.assertEqual(fit.asymptote_identified, identified)
            self.assertTrue(fit.asymptote_low <= fit.gamma <= fit.asymptote_high
                            <= fit.predicted_full)

    def test_a_row_has_a_cell_for_each_column(self):
        row = csv_row(Curve("gCSI", "mae", {}, fitted(SIX_SIZES, GOES_ON)))
        self.assertEqual(",".join(map(str, row.values())), ROW)

    # ---- points and the terminal

    def test_sizes_are_merged_by_their_place_and_never_by_closeness(self):
        whole = {("S", 0): 397, ("S", 1): 398}
        for wholes, sizes_by_split, expected in (
                (whole, [[20, 40], [160]], [[20, 40], [160]]),
                (whole, [[9, 397], [398]], [[9, 398], [398]]),
                # without the benchmark
                ({}, [[800, 808, 816, 1000]] * 2, [[800, 808, 816, 1000]] * 2),
                ({}, [[9, 80, 397], [9, 80]], [[9, 80, 397], [9, 80]]),  # one lacks its whole set
                ({}, [[9, 397], [9, 398]], [[9, 398]] * 2)):             # whole sets
            tasks = [Task(f"{split} {size}", "infer", source="S", split=split, size=size)
                     for split, sizes in enumerate(sizes_by_split) for size in sizes]
            points = points_of_curves(tasks, wholes)
            self.assertEqual(list(points.values()), sum(expected, []))
        results = {task.name: Result({"own": task.size / 1000}) for task in tasks}
        self.assertEqual(curves_of(tasks, results, points), [Curve("S", "own", {
            9: {0: 0.009, 1: 0.009}, 398: {0: 0.397, 1: 0.398}}, None)])

    def test_undefined_scores_do_not_count(self):
        self.assertEqual(summary([3.0, math.nan, 1.0]), [2, 2.0, 1.5, 2.5])
        self.assertEqual(summary([math.nan]), [0, None, None, None])

    def test_the_terminal_and_the_page_show_what_the_law_says_of_the_main_metric(self):
        curves = [Curve(source, metric, {}, fitted(sizes, values)) for source, metric, sizes, values
                  in (("A", "mse", SIX_SIZES, LEVELS_OFF), ("A", "mae", [8, 10, 14], [[.5]] * 3),
                      ("B", "mae", SIX_SIZES, LEVELS_OFF))]
        curves.append(Curve("A", "r2", {}, None))
        self.assertEqual(shown_table(curves), TABLE)
        self.assertEqual(lead(main_curves(curves), "lgbm"), (
            "With twice the rows of the largest size, the mae of lgbm would fall by 4.55 % [1 to 8]"
            " (B; back-test \u22120.638 %), according to the fitted law; 80 % bands in brackets."))
        self.assertEqual(fit_cells(curves[2].fit)[-1], "not identified (0.0110 to 0.165)")
        self.assertEqual(shown_table(curves[3:]), "no error metric to fit")


# alpha, beta, gamma and the prediction at twice the data are scipy's, see above
ROW = ("gCSI,mae,2.1218,-0.335457,0,5,4096,0.13029,20.7467,False,1.89202,True,,0,0.0510033,"
       "0.103259,0.097941,0.108866,0.0942353,0.113147,0.0818362,0.0753733,0.0888534,0.0696301,"
       "0.0961821,0.0648579,0.0575805,0.0730551,0.0506255,0.0830915")
TABLE = """\
mae by the power law fitted to medians over splits, at the largest size and at twice the rows;
back-test: how far the law without the largest size misses the median there; asymptote: is it \
identified
source  rows    fitted  at twice  95 % from        to  gain, %  back-test, %  asymptote
A         14         -         -          -         -        -             -      False
B       4096  0.168966  0.161284   0.150703  0.172607  4.54634     -0.638077      False
A: No fit: the error does not clearly fall with the size of the training set (0.5 at 8, 0.5 at \
14)."""


if __name__ == "__main__":
    unittest.main()
