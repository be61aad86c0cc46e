"""Friedman's test, couples of models and groups against scipy; the figures that show them."""
import re
import unittest
from xml.etree import ElementTree

import tests  # noqa: F401  (puts stages/ on the path)

from report import bubbles, csa, heatmap, hexbins, paper, rank_diagram  # noqa: E402
from report.charts import bars  # noqa: E402
from stats import ranks  # noqa: E402

TABLE = [[0.894, 0.399, 0.561, 0.466], [0.146, 0.165, 0.501, 0.903], [0.003, 0.778, 0.538, 0.61], [0.819, 0.581, 0.516, 0.781],
         [0.705, 0.157, 1.175, 0.323], [0.75, 0.945, 0.218, 1.088], [0.366, 0.679, 0.209, 0.347], [0.181, 1.055, 0.397, 1.056],
         [0.93, 1.042, 0.544, 0.655], [0.525, 0.876, 0.308, 1.048]]
TIED = [[1, 1, 2], [3, 2, 2], [1, 2, 3], [4, 4, 4], [2, 3, 3]]
# scipy 1.17.1: friedmanchisquare, wilcoxon, rankdata, chi2.sf
FRIEDMAN = (3.960000000000008, 0.2658159278478808)
FRIEDMAN_TIED = (2.0000000000000067, 0.3678794411714412)
WILCOXON = [0.431640625, 0.921875, 0.322265625, 0.275390625, 0.625, 0.10546875]
RANKS = [2.6, 2.3, 3.1, 2.0]
CHI = [(0.5, 1, 0.47950012218695337), (3, 2, 0.22313016014842982), (30, 7, 9.495972508134177e-05), (0.01, 9, 0.9999999999991591),
       (120, 20, 2.851507755552014e-16), (15.3, 12, 0.22543887942225532)]
NAMES = ["a model with a name of forty characters&<", "uno", "graphdrp", "lgbm"]


class Tests(unittest.TestCase):

    def test_friedman_is_scipys_with_and_without_ties(self):
        for table, expected in ((TABLE, FRIEDMAN), (TIED, FRIEDMAN_TIED)):
            for found, value in zip(ranks.friedman(table), expected):
                self.assertAlmostEqual(found, value, delta=1e-9)

    def test_the_tail_of_chi_squared_is_scipys(self):
        for statistic, freedom, p in CHI:
            self.assertAlmostEqual(ranks.chi_squared_p(statistic, freedom) / p, 1, delta=1e-9)
        self.assertEqual(ranks.chi_squared_p(0, 3), 1.0)

    def test_ranks_and_couples_are_scipys_and_corrected_by_holm(self):
        found = ranks.ranking(TABLE, NAMES)
        for rank, expected in zip(found.ranks, RANKS):
            self.assertAlmostEqual(rank, expected, delta=1e-9)
        for couple, p in zip(found.couples, WILCOXON):
            self.assertAlmostEqual(couple.p, p, delta=1e-9)
        self.assertAlmostEqual(found.couples[5].corrected, 6 * WILCOXON[5], delta=1e-9)
        self.assertEqual(found.couples[0].corrected, 1.0)

    def test_without_a_difference_or_a_third_model_friedman_is_undefined(self):
        for table in ([[1, 1, 1], [2, 2, 2]], [[1, 2], [2, 1]], [[1, 2, 3]], []):
            self.assertNotEqual(*[ranks.friedman(table)[1]] * 2)

    def test_groups_hold_models_of_which_no_two_differ(self):
        def made(*differing):
            couples = [ranks.Couple(a, b, 0, 0.01 if {a, b} in differing else 0.9) for a in "abcd" for b in "abcd" if a < b]
            return ranks.Ranking(list("dcba"), [4, 3, 2, 1], 9, 1, 1, couples)
        self.assertEqual(ranks.groups(made()), [list("abcd")])
        self.assertEqual(ranks.groups(made({"a", "d"})), [list("abc"), list("bcd")])
        self.assertEqual(ranks.groups(made({"a", "b"}, {"a", "c"}, {"a", "d"}, {"c", "d"}, {"b", "d"})), [list("bc")])


class FiguresTest(unittest.TestCase):

    def test_the_rank_diagram_has_a_bar_for_each_group_and_the_names_as_they_are(self):
        drawn = ElementTree.fromstring(rank_diagram.rank_diagram(ranks.ranking(TABLE, NAMES), "Ranks"))
        self.assertEqual(sum(line.get("stroke-width") == "4" for line in drawn.iter("{http://www.w3.org/2000/svg}line")), 1)
        self.assertIn(NAMES[0][:20], "".join(drawn.itertext()))

    def test_100000_points_are_less_than_60_kb_and_none_is_lost(self):
        true = [i * 7919 % 100003 / 100003 for i in range(100000)]
        pred = [i * 104729 % 100019 / 100019 for i in range(100000)]        # everywhere: the largest figure
        self.assertLess(len(hexbins.hexbins(true, pred, "t")), 60000)
        axis = hexbins.axes.axis(true + pred)
        self.assertEqual(sum(hexbins.counted(list(zip(true, pred)), axis, 400.0).values()), 100000)

    def test_a_point_is_counted_in_the_hexagon_with_the_nearest_center(self):
        axis = hexbins.axes.Axis("linear", 0, 100, [])
        centers = [(x, y) for x in range(-10, 120, 10) for y in range(-18, 120, 18)]
        centers += [(x + 5, y + 9) for x, y in centers]
        for at in range(500):
            point = at * 37 % 101 + 0.1, at * 61 % 97 + 0.3
            nearest = min(centers, key=lambda center: (center[0] - point[0]) ** 2 + (center[1] - point[1]) ** 2)
            self.assertEqual(list(hexbins.counted([point], axis, 100.0)), [nearest])

    def test_the_area_of_a_bubble_is_as_one_over_the_standard_deviation(self):
        self.assertEqual(bubbles.radius(0.01, 0.01, 20), 20)
        self.assertAlmostEqual(bubbles.radius(0.04, 0.01, 20), 10)
        self.assertEqual(bubbles.radius(100.0, 0.01, 20), bubbles.SMALLEST)
        drawn = bubbles.bubble_map([[0.8, None]], [[float("nan"), None]], ["a"], ["b", "c"], "t", center=0)
        self.assertEqual(drawn.count('stroke-width="2"'), 1)       # a ring
        self.assertIn("rings: one split", drawn)

    def test_bars_show_their_standard_deviations(self):
        spread = bars(["a", "b"], [("r2", [0.5, -0.1])], "t", spreads=[[0.1, None]])
        self.assertEqual(spread.count('stroke-width="1.5"'), 3)

    def test_cells_that_are_not_significant_are_hatched(self):
        drawn = heatmap.heatmap([[0.1, 0.2]], ["a"], ["b", "c"], "t", hatched=[[True, False]])
        self.assertEqual(drawn.count('opacity="0.22"'), 1)

    def test_a_figure_for_print_is_a_column_or_a_page_wide_and_light(self):
        for columns, width in ((3, "85mm"), (12, "178mm")):
            text = heatmap.heatmap([[0.5] * columns], ["a"], list(map(str, range(columns))), "t")
            printed = ElementTree.fromstring(paper.for_paper(text))
            self.assertEqual(printed.get("width"), width)
            box = list(map(float, printed.get("viewBox").split()))
            self.assertAlmostEqual(float(printed.get("height")[:-2]), float(width[:-2]) * box[3] / box[2], delta=0.06)
            self.assertNotIn("prefers-color-scheme", paper.for_paper(text))
            self.assertIn("Helvetica", printed.get("font-family"))


class PaperTable(unittest.TestCase):

    def test_numbers_have_as_many_decimals_as_the_usual_deviation_needs(self):
        groups = {("a", "a"): [0.8, 0.82], ("a", "b"): [0.1, 0.13], ("b", "a"): [0.5]}
        self.assertEqual(csa.mean_std_rows("r2", groups, (["a", "b"], ["a", "b"])),
                         [["a", "0.810 (0.014)", "0.115 (0.021)"], ["b", "0.500", ""]])
        self.assertEqual([csa.decimals(spreads) for spreads in ([0.5], [0.02], [0.00012], [], [0.0])], [2, 3, 5, 3, 3])


class Compared(unittest.TestCase):

    def test_the_colors_of_small_differences_end_at_the_spread_over_splits(self):
        from collect.compare import Run, compare_all
        from report import compare
        base = {("r2", "A", target, split): 0.5 + split / 50 for target in "AB" for split in range(4)}
        runs = [Run(name, name, {key: value + shift for key, value in base.items()}, False, (), (), name, {})
                for name, shift in (("m", 0), ("n", 0.001), ("o", -0.002))]
        found = compare_all(runs)
        drawn = compare.report(found, "r2", ["lead"])[1]
        self.assertEqual(sorted(drawn), ["compare_across.svg", "compare_difference_0.svg", "compare_difference_1.svg", "compare_difference_2.svg",
                                         "compare_ranks.svg", "compare_splits_A.svg", "compare_within.svg"])
        numbers = re.findall(r">([^<>]*0\.\d+)</text>", drawn["compare_difference_0.svg"].replace("&#8722;", "-"))
        self.assertEqual(numbers[-2:], ["-0.103", "0.103"])
        self.assertEqual(drawn["compare_difference_0.svg"].count('opacity="0.22"'), 2)
        self.assertEqual(found.rankings["r2"].sets, 2)


if __name__ == "__main__":
    unittest.main()
