"""test_learning_curve: known laws are recovered, nonsense is refused, stored figures of scipy and numpy are met.

The law's figures are scipy.optimize.least_squares' (1.18.1); the averaged curves' come from adding up the posterior
density of the power law over a grid of 241 x 200 x 201 values of beta, gamma and level (numpy).
"""
import math
import random
import statistics
import unittest

import tests  # noqa: F401  (puts stages/ on the path)

from collect.lca import shown_table
from report import axes
from report import lca as lca_report
from report.run import Figures
from stats import learning_curve
from stats.curve_average import Average, Draw, average_curves, noise_of, quantiles
from stats.learning_curve import band, fit_power_law, predict
from stats.power_law import fit_curve, error_at, points_of

TEN_SIZES = [round(128 * 64 ** (i / 9)) for i in range(10)]  # 128 to 8192
SIX_SIZES = [128, 256, 512, 1024, 2048, 4096]
LEVELS_OFF = [[.312, .305, .320], [.262, .255, .270], [.221, .230, .219], [.199, .195, .204], [.180, .183, .176],
              [.171, .166, .169]]
GOES_ON = [[.42, .40, .43], [.331, .322, .34], [.26, .27, .251], [.208, .204, .213], [.165, .16, .172],
           [.13, .128, .136]]


def law(alpha, beta, gamma):
    return lambda m: alpha * m ** beta + gamma


def noisy(curve, sizes, splits=10, noise=0.02, seed=0):
    """values[i][k] of split k at sizes[i], with relative normal noise."""
    generator = random.Random(seed)
    return [[curve(m) * (1 + noise * generator.gauss(0, 1)) for _ in range(splits)] for m in sizes]


def nested(curve, sizes, splits, noise=0.01, level=0.05, seed=0):
    """values[i][k] as nested subsets give them: a level per split, noise that hangs together and shrinks with size."""
    generator, rows = random.Random(seed), []
    for _ in range(splits):
        own, state = level * generator.gauss(0, 1), generator.gauss(0, 1)
        rows.append([])
        for size in sizes:
            state = 0.6 * state + 0.8 * generator.gauss(0, 1)
            rows[-1].append(curve(size) * math.exp(own + noise * (size / sizes[-1]) ** -0.25 * state))
    return [list(values) for values in zip(*rows)]


def late(size):
    """Flat up to 200, the law from there on."""
    return law(2, -0.4, 0.05)(max(size, 200))


class KnownLaws(unittest.TestCase):
    def test_a_curve_without_noise_gives_back_its_parameters(self):
        for alpha, beta, gamma in ((2, -0.4, 0.05), (0.8, -0.2, 0), (30, -1, 0.2), (5, -0.5, 3)):
            fit = fit_power_law(TEN_SIZES, noisy(law(alpha, beta, gamma), TEN_SIZES, noise=0))
            for found, true in ((fit.alpha, alpha), (fit.beta, beta), (fit.gamma, gamma), (fit.r2, 1)):
                self.assertAlmostEqual(found, true, delta=1e-5 * max(1, true))

    def test_twice_the_largest_size_is_predicted_within_two_percent_in_four_of_five_curves(self):
        misses = []
        for alpha, beta, gamma in ((2, -0.4, 0.05), (1, -0.2, 0), (2, -0.3, 0.3), (8, -0.5, 0.1), (100, -1, 0.05)):
            curve = law(alpha, beta, gamma)
            for seed in range(4):
                fit = fit_power_law(TEN_SIZES, noisy(curve, TEN_SIZES, seed=seed))
                misses.append(abs(fit.predicted_twice / curve(2 * TEN_SIZES[-1]) - 1))
        self.assertLess(statistics.median(misses), 0.015)
        self.assertGreaterEqual(statistics.mean(miss < 0.02 for miss in misses), 0.8)

    def test_the_numbers_equal_scipys_least_squares(self):
        for values, expected in ((LEVELS_OFF, (2.233859436666388, -0.5279295754226282, 0.1403088135078292,
                                               0.15949822035422584)),
                                 (GOES_ON, (2.183478071716859, -0.342260539202477, 0.0037806180669559715,
                                            0.1037230429696445))):
            fit, curve = fit_power_law(SIX_SIZES, values), fit_curve(points_of(SIX_SIZES, values))
            for found, true in zip((fit.alpha, fit.beta, fit.gamma, error_at(curve, 8192)), expected):
                self.assertAlmostEqual(found, true, delta=1e-7)

    def test_noise_and_bands_of_the_power_law_equal_a_posterior_added_up_in_numpy(self):
        for values, variance, expected in (
                (LEVELS_OFF, 0.00014516653639446442, (0.148615, 0.151379, 0.156835, 0.161726, 0.164164)),
                (GOES_ON, 0.0001834618020637234, (0.100941, 0.10242, 0.105347, 0.108986, 0.111366))):
            points = points_of(SIX_SIZES, values)
            self.assertAlmostEqual(noise_of(points).variance, variance, delta=1e-12)
            found = quantiles(average_curves(points, ("pow3",), starts=[0]), 8192, (0.025, 0.1, 0.5, 0.9, 0.975))
            for one, true in zip(found, expected):
                self.assertAlmostEqual(one, true, delta=3e-4)

    def test_where_the_curve_is_known_bands_grow_as_the_power_1_5_of_the_distance(self):
        average = Average([Draw("pow3", (0.0,), 1.0, 0.0, 0.0)], 1.0, 1.0, 0.01, 0)
        widths = []
        for size in (2, 4, 8, 16):
            low, high = quantiles(average, size, (0.1, 0.9))
            widths.append(math.log(high / low))
        for times, width in zip((1, 2, 3, 4), widths):
            self.assertAlmostEqual(width / widths[0], times ** 1.5, places=9)

    def test_bands_count_the_laws_credit_less_and_the_prediction_lies_between_their_quartiles(self):
        curve = lambda m: 0.1 + 3 / (1 + (m / 400) ** 0.9)  # noqa: E731
        fit = fit_power_law(TEN_SIZES, noisy(curve, TEN_SIZES, splits=5))
        for size in (16384, 65536):
            low, high = band(fit, size, 0.5)
            self.assertTrue(low <= predict(fit, size) <= high)
        few, many = len(fit.average.draws), len(fit.average.draws + fit.average.favoured)
        self.assertEqual((few, many), (534, 800))
        self.assertEqual(fit_power_law(TEN_SIZES, noisy(curve, TEN_SIZES, splits=2)).average.favoured, [])

    def test_the_derived_numbers_follow_from_the_curve(self):
        fit = fit_power_law(TEN_SIZES, noisy(law(2, -0.4, 0.05), TEN_SIZES, noise=0), full_size=10000)
        full = 2 * 10000 ** -0.4 + 0.05
        twice = 2 * 20000 ** -0.4 + 0.05
        self.assertAlmostEqual(fit.predicted_full / full, 1, delta=0.002)
        self.assertAlmostEqual(fit.predicted_twice / twice, 1, delta=0.004)
        self.assertAlmostEqual(fit.gain_percent, 100 * (1 - fit.predicted_twice / fit.predicted_full), places=9)
        self.assertAlmostEqual(predict(fit, fit.size_needed), 0.9 * fit.predicted_full, delta=1e-5)
        self.assertEqual((predict(fit, 20000), band(fit, 20000, 0.8)), (fit.ahead[0].error, fit.ahead[0].band_80))
        self.assertAlmostEqual(fit.backtest_percent, 0, delta=0.5)

    def test_the_backtest_is_the_miss_at_a_largest_size_that_the_fit_has_not_seen(self):
        values = noisy(law(2, -0.4, 0.05), TEN_SIZES, noise=0)
        plain = fit_power_law(TEN_SIZES, values)
        values[-1] = [1.1 * value for value in values[-1]]
        bent = fit_power_law(TEN_SIZES, values)
        self.assertAlmostEqual(bent.backtest_percent, 100 * (1 / 1.1 - 1), delta=0.5)
        self.assertIn("times what its 95 % band allows: the bands are widened by that", bent.warning)
        width = lambda fit: fit.ahead[0].band_95[1] / fit.ahead[0].band_95[0]  # noqa: E731
        self.assertGreater(width(bent), 1.1 * width(plain))

    def test_an_error_that_no_amount_of_data_reaches_is_not_given_as_a_number(self):
        fit = fit_power_law(TEN_SIZES, noisy(law(20, -1, 0.5), TEN_SIZES, noise=0))
        self.assertIsNone(fit.size_needed)
        self.assertEqual(fit.size_note, "10 % less error takes more than 64 times the data, if any amount gets there.")


class Asymptote(unittest.TestCase):
    def test_a_curve_that_levels_off_in_the_data_has_an_asymptote(self):
        fit = fit_power_law(TEN_SIZES, noisy(law(30, -1, 0.2), TEN_SIZES, noise=0.01))
        self.assertTrue(fit.asymptote_identified)
        self.assertRegex(fit.asymptote_reason,
                         r"^Curves that fit the 128-8192 rows in 10 steps level off between 0\.1\d+ and 0\.20\d\.$")

    def test_a_curve_that_goes_on_falling_has_none_and_the_limits_are_said(self):
        fit = fit_power_law(SIX_SIZES, GOES_ON)
        self.assertFalse(fit.asymptote_identified)
        self.assertRegex(fit.asymptote_reason, "^Asymptote not identified: curves that fit the 128-4096 rows in 6 steps level "
                                               r"off anywhere from 0\.\d+ to 0\.0\d+\.$")

    def test_an_asymptote_that_is_not_there_is_rarely_identified(self):
        curve = law(1, -0.3, 0)
        found = sum(fit_power_law(TEN_SIZES, noisy(curve, TEN_SIZES, seed=seed)).asymptote_identified for seed in range(10))
        self.assertLessEqual(found, 1)

    def test_an_asymptote_that_is_identified_lies_in_its_limits(self):
        curve = law(30, -1, 0.2)
        fits = [fit_power_law(TEN_SIZES, noisy(curve, TEN_SIZES, noise=0.01, seed=seed)) for seed in range(8)]
        told = [fit for fit in fits if fit.asymptote_identified]
        self.assertGreaterEqual(len(told), 6)
        self.assertGreaterEqual(sum(fit.asymptote[0] < 0.2 < fit.asymptote[1] for fit in told), len(told) - 1)


class CurvesThatAreNoPowerLaw(unittest.TestCase):
    def test_a_logarithmic_curve_is_followed_and_gets_no_asymptote(self):
        curve = lambda m: 1 - 0.08 * math.log(m)  # noqa: E731
        for noise in (0, 0.01):
            fit = fit_power_law(TEN_SIZES, noisy(curve, TEN_SIZES, noise=noise))
            self.assertFalse(fit.asymptote_identified)
            self.assertEqual((fit.gamma, fit.asymptote[0]), (0, 0))
            self.assertLess(abs(fit.predicted_twice / curve(2 * TEN_SIZES[-1]) - 1), 0.05)

    def test_a_flat_curve_and_one_that_rises_get_no_fit(self):
        for curve in (law(0, 1, 0.3), law(0.1, 0.1, 0)):
            for noise in (0, 0.02):
                fit = fit_power_law(TEN_SIZES, noisy(curve, TEN_SIZES, noise=noise))
                self.assertFalse(fit.usable)
                self.assertIn("does not clearly fall", fit.warning)
                self.assertEqual((fit.alpha, fit.predicted_twice, fit.size_needed, predict(fit, 100)), (None,) * 4)

    def test_flat_curves_of_few_sizes_and_splits_get_no_fit_either(self):
        usable = sum(fit_power_law(SIX_SIZES[:sizes], noisy(law(0, 1, 0.3), SIX_SIZES[:sizes], splits, seed=seed)).usable
                     for seed in range(20) for sizes, splits in ((5, 3), (6, 1), (4, 2)))
        self.assertLessEqual(usable, 2)

    def test_small_sizes_before_the_power_law_begins_are_left_out_of_it_though_splits_differ_in_level(self):
        sizes = [round(12.8 * 640 ** (i / 14)) for i in range(15)]  # 13 to 8192
        for seed in range(3):
            fit = fit_power_law(sizes, nested(late, sizes, 20, seed=seed))
            self.assertIn("The law is fitted to the {} sizes from".format(fit.n_sizes), fit.warning)
            self.assertEqual(fit.n_sizes, 9)  # those above 200
            self.assertAlmostEqual(fit.beta, -0.4, delta=0.03)

    def test_a_soft_start_is_followed(self):
        curve = lambda m: 20 * (m + 300) ** -0.6 + 0.05  # noqa: E731
        fit = fit_power_law(TEN_SIZES, noisy(curve, TEN_SIZES, noise=0.005))
        self.assertLess(abs(fit.predicted_twice / curve(2 * TEN_SIZES[-1]) - 1), 0.02)

    def test_the_levels_of_splits_do_not_move_the_curve(self):
        values = noisy(law(2, -0.4, 0.05), SIX_SIZES, 5, noise=0)
        levels = (0.8, 0.9, 1, 1.1, 1.3)
        shifted = [[level * value for level, value in zip(levels, row)] for row in values]
        plain = fit_power_law(SIX_SIZES, values)
        self.assertAlmostEqual(fit_power_law(SIX_SIZES, shifted).predicted_twice, plain.predicted_twice, places=9)
        shifted[-1][0] = shifted[-1][1] = None  # the easy splits lack the largest size
        self.assertAlmostEqual(fit_power_law(SIX_SIZES, shifted).predicted_twice, plain.predicted_twice, delta=5e-4)

    def test_errors_that_are_not_above_zero_get_no_fit(self):
        fit = fit_power_law([1, 2, 3, 4, 5], [[0.5], [0.2], [0.0], [-0.1], [-0.2]])
        self.assertEqual(fit.warning, "No fit: the power law is for sizes and errors above zero.")


class FewAndMissing(unittest.TestCase):
    def test_two_sizes_are_no_curve(self):
        fit = fit_power_law([100, 200], [[0.5], [0.4]])
        self.assertEqual(fit.warning, "No fit: 2 sizes with a score, at least 3 are needed.")
        self.assertEqual(fit_power_law([], []).n_sizes, 0)

    def test_three_sizes_are_fitted_exactly_with_a_warning(self):
        curve = law(2, -0.4, 0.05)
        fit = fit_power_law([100, 800, 6400], noisy(curve, [100, 800, 6400], 2, noise=0))
        self.assertAlmostEqual(fit.gamma, 0.05, places=6)
        self.assertIn("Only 3 sizes", fit.warning)
        self.assertFalse(fit.asymptote_identified)
        self.assertIsNone(fit.backtest_percent)

    def test_a_size_without_scores_is_as_if_it_were_not_there(self):
        values = [list(row) for row in LEVELS_OFF]
        values[2] = [None, math.nan, math.inf]
        rest = [size for size in SIX_SIZES if size != 512]
        self.assertEqual(fit_power_law(SIX_SIZES, values), fit_power_law(rest, values[:2] + values[3:]))

    def test_missing_splits_leave_the_rest_and_count_less(self):
        values = [list(row) for row in GOES_ON]
        values[5] = [0.19, None]  # one split is left of the largest size, and it is an odd one
        alone, three = fit_power_law(SIX_SIZES, values), fit_power_law(SIX_SIZES, values[:5] + [[0.19] * 3])
        self.assertTrue(alone.usable)
        self.assertLess(alone.predicted_full, three.predicted_full)

    def test_one_split_that_clearly_falls_is_fitted_with_a_warning(self):
        for seed in range(10):
            values = nested(law(2, -0.4, 0.05), SIX_SIZES[:5], 1, noise=0.02, seed=seed)
            fit = fit_power_law(SIX_SIZES[:5], values)
            self.assertTrue(fit.usable, values)
            self.assertIn("One split: its noise is guessed", fit.warning)
        turned = fit_power_law([100, 200, 400, 800, 1600], [[0.30], [0.26], [0.22], [0.19], [0.192]])
        self.assertTrue(turned.usable)

    def test_the_order_of_the_sizes_does_not_matter(self):
        self.assertEqual(fit_power_law(SIX_SIZES[::-1], LEVELS_OFF[::-1]), fit_power_law(SIX_SIZES, LEVELS_OFF))


class Bands(unittest.TestCase):
    def test_every_prediction_lies_in_its_bands_and_is_the_same_every_time(self):
        for values in (LEVELS_OFF, GOES_ON, [row[:1] for row in GOES_ON], nested(late, SIX_SIZES, 20)):
            fit = fit_power_law(SIX_SIZES, values)
            for at in fit.ahead:
                self.assertTrue(at.band_95[0] < at.band_80[0] < at.error < at.band_80[1] < at.band_95[1])
            self.assertTrue(fit.sampling_twice[0] < fit.predicted_twice < fit.sampling_twice[1])
            self.assertTrue(fit.asymptote[0] <= fit.gamma <= fit.asymptote[1] <= fit.predicted_full)
            self.assertEqual(fit, fit_power_law(SIX_SIZES, values))

    def test_bands_widen_with_the_distance(self):
        widths = [at.band_95[1] / at.band_95[0] for at in fit_power_law(SIX_SIZES, LEVELS_OFF).ahead]
        self.assertEqual(widths, sorted(widths))

    def test_bands_hold_the_truth_in_about_as_many_curves_as_they_say(self):
        curves = (law(2, -0.4, 0.05), law(1, -0.2, 0), late, lambda m: 1 - 0.07 * math.log(m),
                  lambda m: 0.1 + 0.4 / (1 + (m / 500) ** 0.8))
        held = {(i, name): [] for i in range(3) for name in ("band_80", "band_95")}
        for seed in range(40):
            curve, splits = curves[seed % 5], (1, 3, 5, 10, 20)[seed // 5 % 5]
            fit = fit_power_law(TEN_SIZES, nested(curve, TEN_SIZES, splits, level=0, seed=seed))
            for (i, name), found in held.items():
                low, high = getattr(fit.ahead[i], name)
                found.append(low <= curve((2, 4, 8)[i] * TEN_SIZES[-1]) <= high)
        for (_, name), found in held.items():  # of 40, by chance 3 standard deviations less
            self.assertGreaterEqual(statistics.mean(found), 0.61 if name == "band_80" else 0.84)


class Words(unittest.TestCase):
    FITS = {("A", "mae"): fit_power_law([8, 10, 14, 20], [[.5], [.4], [.31], [.28]]),
            ("B", "mae"): fit_power_law(SIX_SIZES, LEVELS_OFF)}
    CURVES = {("A", "mae"): {8: {0: .5}, 10: {0: .4}, 14: {0: .31}, 20: {0: .28}},
              ("B", "mae"): {size: dict(enumerate(row)) for size, row in zip(SIX_SIZES, LEVELS_OFF)}}

    def test_the_summary_shows_the_backtest_and_says_what_is_measured_and_that_the_size_is_the_largest(self):
        text = shown_table(self.CURVES, self.FITS)
        self.assertTrue(text.startswith("mae at the largest size: measured (median over splits), what the averaged curves give"))
        self.assertNotIn("whole training set", text)
        self.assertRegex(text, r"source +rows +measured +curve there +at twice +95 % band +gain +back-test +levels off\n")
        self.assertIn(f"{self.FITS['B', 'mae'].backtest_percent:+.1f} %", text)

    def test_the_headline_names_a_backtest_that_misses_by_as_much_as_the_gain(self):
        fit = self.FITS["B", "mae"]
        words = lca_report.lead({("B", "mae"): fit}, "m")
        self.assertIn("With twice the rows of the largest size, the mae of m would fall by {} % [".format(
            axes.number(fit.gain_percent)), words)
        self.assertIn("Beware: the same fit without the largest size misses what was measured there by {} % (B).".format(
            axes.number(abs(fit.backtest_percent))), words)
        self.assertNotIn("Beware", lca_report.lead({("B", "mae"): fit._replace(backtest_percent=0.5)}, "m"))

    def test_the_figure_draws_the_band(self):
        figures = Figures(False)
        lca_report.figure("mae", self.CURVES, self.FITS, figures)
        drawn = figures["learning_curve_mae.svg"]
        self.assertEqual(drawn.count("<polygon"), 2)
        self.assertEqual(drawn.count("stroke-dasharray"), 2)        # beyond the data, of A and B
        series = lca_report.series("B", self.CURVES["B", "mae"], self.FITS["B", "mae"])
        self.assertEqual((series.band[0][0], round(series.band[-1][0])), (128, 8192))
        self.assertTrue(all(low < high for _, low, high in series.band))


class Csv(unittest.TestCase):
    def test_a_row_has_a_text_for_each_column(self):
        row = dict(zip(learning_curve.CSV_COLUMNS,
                       learning_curve.csv_row("gCSI", "mae", fit_power_law(SIX_SIZES, LEVELS_OFF))))
        self.assertEqual((row["source"], row["sizes"], row["beta"], row["asymptote_identified"]),
                         ("gCSI", "6", "-0.52793", "False"))
        self.assertTrue(all(row.values()) or [key for key, text in row.items() if not text] == ["size_note", "warning"])
        for times in (2, 4, 8):
            low, low_80, error, high_80, high = (float(row[f"{name}_{times}x"]) for name in (
                "low_95", "low_80", "predicted", "high_80", "high_95"))
            self.assertTrue(low < low_80 < error < high_80 < high)
        self.assertEqual(row["predicted_2x"], row["predicted_twice"])

    def test_a_curve_without_a_fit_leaves_numbers_empty_and_says_why(self):
        row = learning_curve.csv_row("gCSI", "mae", fit_power_law([1, 2], [[1], [1]]))
        self.assertEqual(len(row), len(learning_curve.CSV_COLUMNS))
        self.assertEqual(row[2:6], ["", "", "", ""])
        self.assertIn("No fit", row[learning_curve.CSV_COLUMNS.index("warning")])


if __name__ == "__main__":
    unittest.main()
