"""Figures: well-formed, sane for odd numbers; numbers, axes and colors."""
import math
import re
import unittest
from xml.etree import ElementTree

from stages.report import charts
from stages.report.charts import Panel, Series

NAMES = ['<b>a & "b"</b>', "\u00e9tude-\u00fcn\u00ef", "line\nfeed", "bad \x00 \ud800"]
ODD = [None, math.nan, math.inf, -math.inf, 1e300, 10 ** 400, 0, -3.5, 1e-9]


def every_chart(names, values):
    """Returns one figure of each kind: {kind: svg}. values: as many as names."""
    points, title = list(zip(values, values[::-1])), "\n".join(names[:1] * 2)
    cells = {(row, column): (value, row) for row in names for column, value in zip(names, values)}
    panels = [Panel(name, [Series(name, points, points, points, points, [(x, y, y) for x, y in (
        points)])], True) for name in names]
    return {
        "heatmap": charts.heatmap(title, cells, "key", (0, 1)),
        "diverging": charts.heatmap(title, cells, "key", charts.even_ends(values), charts.EITHER),
        "panels": charts.panels(title, panels, "x", "y", across=3),
        "log": charts.panels(title, panels[:1], "x", "y", True),
        "strips": charts.strips(title, [(name, values * 60, name) for name in names], "x")}


def light(color):
    """The relative luminance of six hexadecimal digits, as WCAG 2 has it."""
    red, green, blue = (part / 3294.6 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4
                        for part in bytes.fromhex(color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def texts(svg):
    return [item.text for item in ElementTree.fromstring(svg).iter()
            if item.tag.endswith(("}text", "}title"))]


class FiguresTest(unittest.TestCase):
    def test_a_figure_is_well_formed_ascii_and_asks_for_nothing(self):
        for kind, svg in every_chart(NAMES, [0.5, -0.2, None, 0.7]).items():
            with self.subTest(kind=kind):
                svg.encode("ascii")
                self.assertEqual(texts(svg)[:2], ['<b>a & "b"</b>'] * 2)
                self.assertNotIn("href", svg)

    def test_odd_numbers_give_a_sane_figure(self):
        cases = [ODD[at:at + 3] for at in range(len(ODD) - 2)] + [[1, 1, 1], [5e-324, 1, 2]]
        for values in cases:
            for kind, svg in every_chart(list("abc"), values).items():
                with self.subTest(kind=kind, values=values):
                    texts(svg)
                    self.assertNotRegex(svg, r'="[^"]*(?:nan|inf)\b')

    def test_strips_mark_the_median_and_a_long_name_ends_in_an_ellipsis(self):
        name = "a name of many words " * 9
        svg = charts.strips("t", [(name, [0, 4, 1], ""), (name, [], "")], "x")
        points = re.findall(r"M([\d.]+) [\d.]+h0", svg)
        self.assertEqual(re.findall('x1="([^"]+)"[^>]+stroke-width="2"', svg), points[1:2])
        self.assertEqual("".join(texts(svg)).count("\u2026"), 1)

    def test_a_heatmap_prints_its_numbers_and_what_its_colors_mean(self):
        cells = {("a", "b"): (-0.25, ""), ("a", "c"): (1.5, ""), ("a", "d"): (math.nan, "")}
        svg = charts.heatmap("t", cells, "higher is better", (0, 1))
        self.assertLessEqual({"\u22120.25", "1.50", "\u2013", "0 to 1; higher is better"},
                             set(texts(svg)))
        self.assertEqual(svg.count('fill="none"'), 1)

    def test_dark_is_good_and_numbers_can_be_read_on_every_color(self):
        cells = {("a", str(at)): (at, "") for at in range(-1, 22)}
        for ends in ((0, 20), (20, 0)):
            svg = charts.heatmap("t", cells, "k", ends)
            shades = list(map(light, re.findall('<g><rect [^>]+#(.{6})"', svg)))
            self.assertEqual(shades, sorted(shades, reverse=ends[0] == 0))
            self.assertEqual(len(set(shades)), 10)
        for color in charts.GOOD + charts.EITHER:
            svg = charts.heatmap("t", {("a", "b"): (1, "")}, "k", (0, 1), [color])
            ink, shade = int('fill="#fff" class="cell"' in svg), light(color)
            self.assertGreater((max(ink, shade) + 0.05) / (min(ink, shade) + 0.05), 4.5)

    def test_single_results_are_points_and_lines_beyond_the_data_are_dashed(self):
        entry = Series("a", [(1, 2), (1.5, None), (None, None)], dashed=[(1, 2), (2, 1)])
        svg = charts.panels("t", [Panel("rate", [entry], True)], "x", "y")
        self.assertEqual((svg.count("dasharray"), svg.count("h0")), (1, 1))


class NumbersTest(unittest.TestCase):
    def test_numbers_have_three_digits_and_one_minus_sign(self):
        for value, text in ((0.78049, "0.780"), (12345, "12.3k"), (-4e-7, "\u22124.00e\u22127"),
                            (0, "0.00"), (999.6, "1.00k"), (2.5e9, "2.50G"), (None, "\u2013"),
                            (math.nan, "\u2013"), (120, "120")):
            self.assertEqual(charts.number(value), text)
        self.assertEqual(charts.number(-0.0001, 2), "0.00")
        self.assertEqual(charts.number(1500, form=".6g"), "1.5k")
        for values, digits in (([0.5, 0.123], 3), ([12.5, 3], 1), ([1e4], None), ([], None)):
            self.assertEqual(charts.decimals(values), digits)

    def test_ticks_are_round_and_inside_the_axis(self):
        for values, log, ticks in (
                ([0, 1], False, [0, 0.2, 0.4, 0.6, 0.8, 1]), ([-3, 0.5], False, [-3, -2, -1, 0]),
                ([1, 1000], True, [1, 10, 100, 1000]), ([128, 512], True, [200, 300, 400, 500])):
            axis = charts.Axis(values, 0, 200, log)
            self.assertEqual(axis.ticks, ticks)
            for value in values:
                self.assertTrue(0 <= axis.at(value) <= 200)
        self.assertFalse(charts.Axis([1, 2], 0, 1, True).holds(0))


if __name__ == "__main__":
    unittest.main()
