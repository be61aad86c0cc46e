"""test_svg: figures are whole, say what they are given, keep their text inside, and bear odd data."""
import math
import random
import unittest
import xml.etree.ElementTree as ElementTree

import tests  # noqa: F401  (puts stages/ on the path)

from report import axes
from report import charts
from report import heatmap
from report import svg
from report.charts import Panel, Series, Strip

SVG = "{http://www.w3.org/2000/svg}"
STUDIES = ["CCLE", "CTRPv2", "gCSI", "GDSCv1", "GDSCv2"]
LONG = ["CCLE", "study_with_a_name_of_forty_characters_40",
        "<b>\"Gr\u00f6\u00dfe\" & S\u00f6hne's</b> Datensammlung 21",
        "a sentence that is forty characters long", "\u65e5\u672c\u304c\u3093\u30bb\u30f3\u30bf\u30fc" * 4]
STYLE = (
    ".improve-figure{--f-ink:var(--figure-ink,#1a1a1a);--f-soft:var(--figure-soft,#595959);"
    "--f-grid:var(--figure-grid,#dddddd);--f-paper:var(--figure-paper,#ffffff);--f-0:#0072b2;"
    "--f-4:#1a1a1a;--f-6:#56b4e9;}"
    "@media (prefers-color-scheme:dark){.improve-figure{--f-ink:var(--figure-ink,#ececec);"
    "--f-soft:var(--figure-soft,#b0b0b0);--f-grid:var(--figure-grid,#3f4349);"
    "--f-paper:var(--figure-paper,#15181c);--f-0:#56b4e9;--f-4:#ececec;--f-6:#f0e442;}}"
    "@media print{.improve-figure{--f-ink:var(--figure-ink,#1a1a1a);--f-soft:var(--figure-soft,#595959);"
    "--f-grid:var(--figure-grid,#dddddd);--f-paper:var(--figure-paper,#ffffff);--f-0:#0072b2;"
    "--f-4:#1a1a1a;--f-6:#56b4e9;}}.improve-figure .ink{fill:var(--f-ink)}"
    ".improve-figure .ink-line{stroke:var(--f-ink)}.improve-figure .soft{fill:var(--f-soft)}"
    ".improve-figure .soft-line{stroke:var(--f-soft)}.improve-figure .grid{fill:var(--f-grid)}"
    ".improve-figure .grid-line{stroke:var(--f-grid)}.improve-figure .paper{fill:var(--f-paper)}"
    ".improve-figure .paper-line{stroke:var(--f-paper)}.improve-figure .series-0{color:var(--f-0)}"
    ".improve-figure .series-4{color:var(--f-4)}.improve-figure .series-6{color:var(--f-6)}")
GOLDEN = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 480 120" width="480" height="120" style="max-width:100%;height:auto" role="img" aria-labelledby="title-579f0164 desc-579f0164" class="improve-figure" font-family="system-ui,-apple-system,&#39;Segoe UI&#39;,Roboto,&#39;Helvetica Neue&#39;,Arial,&#39;Noto Sans&#39;,sans-serif">
<title id="title-579f0164">T</title>
<desc id="desc-579f0164">a&lt;b: R2 0.500</desc>
<style>""" + STYLE + """</style>
<rect width="100%" height="100%" fill="#ffffff" class="paper"/>
<g fill="#1a1a1a">
<text x="8" y="23.9" text-anchor="start" font-size="15" class="ink" font-weight="bold">T</text>
<rect x="8" y="32.2" width="54.5" height="20" rx="3" fill="none" stroke="#1a1a1a" stroke-width="1.5" class="ink-line"/>
<text x="16" y="46.6" text-anchor="start" font-size="12" class="ink" font-weight="bold">demo</text>
<line x1="337.2" y1="68.2" x2="337.2" y2="96.2" class="grid-line" stroke="#dddddd"/>
<line x1="188.1" y1="68.2" x2="188.1" y2="96.2" class="grid-line" stroke="#dddddd"/>
<line x1="39" y1="68.2" x2="39" y2="96.2" class="grid-line" stroke="#dddddd"/>
<line x1="39" y1="96.2" x2="430.4" y2="96.2" class="soft-line" stroke="#595959"/>
<text x="39" y="112.6" text-anchor="middle" font-size="12" class="soft">0</text>
<text x="188.1" y="112.6" text-anchor="middle" font-size="12" class="soft">0.2</text>
<text x="337.2" y="112.6" text-anchor="middle" font-size="12" class="soft">0.4</text>
<text x="31" y="86.6" text-anchor="end" font-size="12" class="ink">a&lt;b</text>
<g color="#0072b2" class="series-0">
<rect x="39" y="75.2" width="372.7" height="14" fill="currentColor" stroke="currentColor" fill-opacity="1"/>
</g>
<text x="415.7" y="86.6" text-anchor="start" font-size="12" class="ink">0.500</text>
<line x1="39" y1="68.2" x2="39" y2="96.2" class="ink-line" stroke="#1a1a1a"/>
</g>
</svg>
"""



def numbers(count, seed=0):
    generator = random.Random(seed)
    return [generator.gauss(0.5, 0.3) for _ in range(count)]


def learning_curves(names):
    sizes = [128 * 2 ** k for k in range(10)]
    return [Series(name, points=[(m, (1 + i) * m ** -0.3 * (1 + 0.02 * k)) for m in sizes for k in range(10)],
                   medians=[(m, (1 + i) * m ** -0.3) for m in sizes], line=[(m, (1 + i) * m ** -0.3) for m in sizes],
                   dashed=[(m, (1 + i) * m ** -0.3) for m in (sizes[-1], 2 * sizes[-1])])
            for i, name in enumerate(names)]


def every_chart(names, **options):
    """A figure of each kind over these names."""
    values = [numbers(len(names), i) for i in range(len(names))]
    panels = [Panel(name, numbers(60), "linear") for name in names] + [Panel("kind", (names * 60)[:60], "categorical")]
    return {
        "line_chart": charts.line_chart(learning_curves(names), names[1], x_label=names[1], y_label="error",
                                        x_scale="log", y_scale="log", **options),
        "best_so_far": charts.line_chart([Series(name, line=list(enumerate(numbers(60))), steps=True)
                                          for name in names], "Best so far", **options),
        "scatter_grid": charts.scatter_grid(panels, numbers(60), "Parameters", y_label="mse", best=3, **options),
        "heatmap": heatmap.heatmap(values, names, names, "Mean", center=0, **options),
        "bars": charts.bars(names, [("Ga", values[0]), ("Gna", values[1])], "Bars", x_label="R2", **options),
        "strips": charts.strips([Strip(name, numbers(10), part) for name in names for part in ("within", "across")],
                                "Splits", x_label="R2", **options),
    }


def texts(figure):
    """All text of a figure, as its reader sees it."""
    return ["".join(element.itertext()) for element in ElementTree.fromstring(figure).iter(SVG + "text")]


def tags(figure, name):
    return list(ElementTree.fromstring(figure).iter(SVG + name))


class Golden(unittest.TestCase):
    def test_a_tiny_figure_is_this_text(self):
        figure = charts.bars(["a<b"], [("R2", [0.5])], "T", stamp="demo")
        self.assertEqual(figure.replace("><", ">\n<"), GOLDEN)


class WholeFigures(unittest.TestCase):
    def test_every_figure_is_well_formed_ascii_and_asks_for_nothing_from_elsewhere(self):
        for kind, figure in every_chart(LONG, stamp="synthetic demo data").items():
            root = ElementTree.fromstring(figure)
            self.assertEqual(root.tag, SVG + "svg", kind)
            self.assertEqual(figure.encode("ascii").decode(), figure)
            self.assertEqual(figure.count("http"), 1, kind)  # the namespace
            for word in ("<script", "href", "url(", "@import"):
                self.assertNotIn(word, figure)

    def test_every_figure_has_a_title_and_a_description_that_its_label_names(self):
        for kind, figure in every_chart(STUDIES).items():
            root = ElementTree.fromstring(figure)
            ids = [child.get("id") for child in root][:2]
            self.assertEqual([child.tag for child in root][:2], [SVG + "title", SVG + "desc"])
            self.assertEqual(root.get("aria-labelledby"), " ".join(ids))
            self.assertEqual(root.get("role"), "img")
            self.assertTrue(root[1].text.strip(), kind)

    def test_two_figures_in_one_page_share_no_id_and_one_style(self):
        figures = every_chart(STUDIES).values()
        ids = [element.get("id") for figure in figures for element in ElementTree.fromstring(figure).iter()
               if element.get("id")]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertEqual(len({tags(figure, "style")[0].text for figure in figures}), 1)

    def test_the_same_data_give_the_same_figure(self):
        self.assertEqual(every_chart(LONG), every_chart(LONG))

    def test_the_stamp_stands_on_every_figure(self):
        for kind, figure in every_chart(STUDIES, stamp="synthetic demo data").items():
            self.assertIn("synthetic demo data", texts(figure), kind)


class Names(unittest.TestCase):
    def test_names_with_markup_and_other_scripts_are_shown_as_they_are(self):
        for name in LONG[2:] + ["a & b < c > d \"e\" 'f'", "&lt;"]:
            figure = heatmap.heatmap([[1.0]], [name], ["x"], "T")
            self.assertIn(name.replace(" ", ""), "".join(texts(figure)).replace(" ", ""))
            self.assertIn(name + " \u2192 x: 1.00", [element.text for element in tags(figure, "title")])

    def test_characters_that_xml_forbids_do_not_break_the_figure(self):
        figure = charts.bars(["a\x00b\udc80c\x1b\ufffe"], [("R2", [1])], "T")
        self.assertIn("a\ufffdb\ufffdc\ufffd\ufffd", texts(figure))

    def test_long_names_stay_inside_the_figure(self):
        for kind, figure in every_chart(LONG, stamp="synthetic demo data").items():
            root = ElementTree.fromstring(figure)
            upright = {text for group in root.iter(SVG + "g") if "rotate" in group.get("transform", "")
                       for text in group.iter(SVG + "text")}
            for text in root.iter(SVG + "text"):
                turned = text in upright or text.get("transform")
                length = svg.text_width(text.text, float(text.get("font-size")))
                before = {"start": 0, "middle": length / 2, "end": length}[text.get("text-anchor")]
                x, y, size = (float(text.get(key)) for key in ("x", "y", "font-size"))
                box = (x - size, y - length + before, x + size, y + before) if turned else \
                    (x - before, y - size, x - before + length, y + size / 4)
                inside = (-1, -1, float(root.get("width")) + 1, float(root.get("height")) + 1)
                self.assertTrue(box[0] >= inside[0] and box[1] >= inside[1] and box[2] <= inside[2]
                                and box[3] <= inside[3], (kind, text.text, box, inside))

    def test_a_name_that_is_cut_shows_whole_on_hovering(self):
        name = "word " * 60
        figure = charts.bars([name], [("R2", [1])], "T")
        self.assertTrue(any(text.endswith("\u2026") for text in texts(figure)))
        self.assertIn(name, [element.text for element in tags(figure, "title")])

    def test_text_is_broken_behind_signs_and_only_else_inside_words(self):
        self.assertEqual(svg.wrap("study_with_a_long_name", 100), ["study_with_", "a_long_name"])
        self.assertEqual(svg.wrap("one two three four", 60, 12, 2), ["one two", "three fo\u2026"])
        self.assertEqual("".join(svg.wrap("x" * 50, 90)), "x" * 50)
        self.assertLess(max(svg.text_width(line) for line in svg.wrap("x" * 50, 90)), 90)
        self.assertGreater(svg.text_width("\U0001f9ec"), svg.text_width("a"))
        self.assertEqual(svg.wrap("", 90), [""])
        self.assertEqual(svg.wrap("of-forty-characters--", 85), ["of-forty-", "characters--"])


class Numbers(unittest.TestCase):
    def test_numbers_have_three_significant_digits(self):
        for value, text in ((0.78, "0.780"), (-1.0813, "\u22121.08"), (123.4, "123"), (1234.5, "1.23k"),
                            (999.9, "1.00k"), (2.5e6, "2.50M"), (4e-7, "4.00e-7"), (1e15, "1.00e15"), (0, "0"),
                            (0.00012, "0.000120"), (None, "\u2013"), (math.nan, "\u2013"), (math.inf, "\u2013")):
            self.assertEqual(axes.number(value), text)

    def test_numbers_of_one_figure_have_as_many_decimals(self):
        digits = axes.decimals([0.0218, 0.00144, 0.0384, None, math.nan])
        self.assertEqual([axes.number(value, digits) for value in (0.0218, 0.00144, 0.0384, 0, -0.00001, None)],
                         ["0.0218", "0.0014", "0.0384", "0.0000", "0.0000", "\u2013"])
        self.assertEqual([axes.decimals(values) for values in ([1e-6, 1e-5], [1500.0, 2.0], [0.0], [], [None], [12.5], [0.5, -13.1])],
                         [None, None, None, None, None, 1, 1])
        shown = texts(heatmap.heatmap([[0.791, 0.015], [-0.1237, 0.3]], ["a", "b"], ["a", "b"], "T"))
        self.assertTrue({"0.791", "0.015", "\u22120.124", "0.300"} <= set(shown), shown)

    def test_logarithmic_ticks_are_plain_numbers(self):
        def labels(values, most):
            return [text for _, text in axes.axis(values, "log", most_ticks=most).ticks]
        self.assertEqual(labels([128, 8192], 9), ["200", "500", "1k", "2k", "5k", "10k"])
        self.assertEqual(labels([1e-6, 1e-2], 5), ["1e-6", "1e-5", "1e-4", "0.001", "0.01"])
        self.assertEqual(labels([0.05, 0.2], 6), ["0.05", "0.07", "0.1", "0.15", "0.2"])
        self.assertEqual(labels([0.5, 0.52], 6), ["0.500", "0.505", "0.510", "0.515", "0.520"])

    def test_linear_ticks_are_round_and_tell_each_other_apart(self):
        self.assertEqual([text for _, text in axes.axis([0, 60], most_ticks=9).ticks],
                         ["0", "10", "20", "30", "40", "50", "60"])
        self.assertEqual([text for _, text in axes.axis([-0.4, 0.6]).ticks],
                         ["\u22120.4", "\u22120.2", "0", "0.2", "0.4", "0.6"])
        for values in ([0.784211, 0.784213], [123456789, 123456999], [-1e-30, 1e30], [1e99, -1e99], [3e-7, 5e-7]):
            labels = [text for _, text in axes.axis(values).ticks]
            self.assertEqual(len(labels), len(set(labels)), labels)
            self.assertTrue(2 <= len(labels) <= 8, labels)

    def test_an_axis_holds_all_its_values_and_what_it_is_to_reach(self):
        for kind in ("linear", "log"):
            axis = axes.axis([3, 7], kind, include=(1,))
            for value in (1, 3, 7):
                self.assertTrue(0 <= axes.place(axis, value, 0, 100) <= 100)

    def test_tick_labels_that_would_touch_are_left_out(self):
        axis = axes.Axis("linear", 0, 9, [(i, "label {}".format(i)) for i in range(10)])
        drawn = "".join(svg.x_axis(axis, svg.Box(0, 0, 200, 10))[0])
        self.assertEqual([i for i in range(10) if "label {}".format(i) in drawn], [0, 3, 6, 9])

    def test_values_that_a_logarithmic_axis_cannot_show_are_not_drawable(self):
        self.assertFalse(axes.drawable(0, "log"))
        self.assertTrue(axes.drawable(0, "linear"))
        self.assertFalse(axes.drawable(math.nan, "linear"))


class OddData(unittest.TestCase):
    ODD = ([], [None], [math.nan, math.inf], [0.5], [0.5] * 4, [0.0, 0.0], [-1e99, 1e99], [1e-99, 1e-98],
           [5, 5 + 1e-12], [1e300, 2], [True, 0])

    def charts_of(self, values):
        pairs = list(enumerate(values))
        for scale in ("linear", "log"):
            yield charts.line_chart([Series("a", pairs, pairs, pairs, pairs)], "T", x_scale=scale, y_scale=scale)
            yield charts.scatter_grid([Panel("p", values, scale), Panel("q", values, "categorical")], values, "T",
                                      y_scale=scale, best=0)
            yield charts.strips([Strip("a", values), Strip("a", values * 200, "b")], "T", x_scale=scale, reference=0)
        yield heatmap.heatmap([values], ["a"], list(range(len(values))), "T")
        yield heatmap.heatmap([values], ["a"], list(range(len(values))), "T", center=0, low=-1, high=1)
        yield charts.bars([str(value) for value in values], [("x", values)], "T")

    def test_odd_data_give_a_sane_figure(self):
        for values in self.ODD:
            for figure in self.charts_of(values):
                for element in ElementTree.fromstring(figure).iter():
                    for name in "x y x1 y1 x2 y2 cx cy width height points transform".split():
                        self.assertNotRegex(element.get(name, ""), "nan|inf|e[+]|[0-9]{6}")

    def test_nothing_to_show_is_said(self):
        for figure in (charts.line_chart([], "T"), charts.scatter_grid([], [], "T"), heatmap.heatmap([], [], [], "T"),
                       charts.bars([], [], "T"), charts.strips([], "T")):
            self.assertIn("no data", texts(figure))


class Charts(unittest.TestCase):
    def test_a_curve_is_solid_in_the_data_and_dashed_beyond(self):
        figure = charts.line_chart(learning_curves(["gCSI"]), "T", x_scale="log", y_scale="log")
        lines = tags(figure, "polyline")
        self.assertEqual([line.get("stroke-dasharray") for line in lines], [None, "5 4"])
        end, start = lines[0].get("points").split()[-1], lines[1].get("points").split()[0]
        self.assertEqual(end, start)

    def test_a_point_says_its_name_on_hovering_though_one_before_it_cannot_be_drawn(self):
        figure = charts.line_chart([Series("a", medians=[(0, math.nan), (1, 0.5)], names=["x", "<y>"])], "T")
        self.assertEqual([title.text for title in tags(figure, "title")], ["T", "<y>: 1.00, 0.500"])

    def test_every_series_has_its_own_color_and_marker_and_is_named(self):
        figure = charts.line_chart(learning_curves(STUDIES), "T")
        shapes = {path.get("d") for path in tags(figure, "path")}
        colors = {group.get("color") for group in tags(figure, "g")} - {None}
        self.assertEqual((len(shapes), len(colors)), (5, 5))
        self.assertTrue(set(STUDIES) <= set(texts(figure)))

    def test_more_series_than_colors_still_differ(self):
        looks = {(svg.COLORS[i % 7], svg.marker(i, 0, 0, 1)) for i in range(49)}
        self.assertEqual(len(looks), 49)

    def test_steps_hold_a_value_until_the_next(self):
        figure = charts.line_chart([Series("a", line=[(0, 2), (1, 1), (2, 1)], steps=True)], "T")
        ys = [point.split(",")[1] for point in tags(figure, "polyline")[0].get("points").split()]
        self.assertEqual(ys[0], ys[1])
        self.assertEqual(len(set(ys)), 2)

    def test_a_heatmap_prints_its_numbers_and_outlines_equal_names(self):
        figure = heatmap.heatmap([[0.784, -1.31, 0.1], [None, 0.5, 0.2]], ["a", "b"], ["a", "b", "c"], "T", center=0,
                                below=[["\u00b10.01", "", ""], ["", "", ""]])
        shown = texts(figure)
        for text in ("0.784", "\u22121.31", "\u2013", "0.500", "\u00b10.01", "outlined: the same study"):
            self.assertIn(text, shown)
        outlines = [rect for rect in tags(figure, "rect") if rect.get("class") == "ink-line"]
        self.assertEqual(len(outlines), 2)
        self.assertNotIn("ink-line\"", heatmap.heatmap([[1]], ["a"], ["a"], "T", mark_diagonal=False))
        self.assertIn("lowest \u22121.31 (a \u2192 b)", tags(figure, "desc")[0].text)

    def test_cell_text_is_black_or_white_with_enough_contrast(self):
        def luminance(color):
            parts = [part / 255 for part in color]
            parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
            return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
        for colors in (heatmap.SEQUENTIAL, heatmap.DIVERGING):
            for color in colors:
                light = 1.0 if heatmap.text_color(color) == "#fff" else 0.0
                contrast = (max(light, luminance(color)) + 0.05) / (min(light, luminance(color)) + 0.05)
                self.assertGreater(contrast, 4.5, color)

    def test_cut_ends_of_the_color_scale_are_marked(self):
        shown = texts(heatmap.heatmap([[-5.0, 0.5]], ["a"], ["b", "c"], "T", center=0, low=-1, high=1))
        self.assertIn("\u2264 \u22121.00", shown)
        self.assertIn("1.00", shown)

    def test_bars_left_of_zero_end_at_zero(self):
        figure = charts.bars(["a", "b"], [("x", [-0.5, 0.5])], "T")
        low, high = [rect for rect in tags(figure, "rect") if rect.get("fill") == "currentColor"]
        self.assertAlmostEqual(float(low.get("x")) + float(low.get("width")), float(high.get("x")), delta=0.2)
        self.assertAlmostEqual(float(low.get("width")), float(high.get("width")), delta=0.2)

    def test_the_box_of_a_strip_runs_from_quartile_to_quartile(self):
        figure = charts.strips([Strip("a", [0, 1, 2, 3, 4])], "T")
        box = [rect for rect in tags(figure, "rect") if rect.get("stroke") == "currentColor"][0]
        points = sorted(float(path.get("transform")[10:].split()[0]) for path in tags(figure, "path"))
        self.assertAlmostEqual(float(box.get("x")), points[1], delta=0.2)
        self.assertAlmostEqual(float(box.get("x")) + float(box.get("width")), points[3], delta=0.2)

    def test_few_values_have_no_box_and_the_key_names_only_what_is_there(self):
        few, enough = (charts.strips([Strip("a", numbers(count))], "T", points="splits") for count in (4, 5))
        self.assertEqual([rect for rect in tags(few, "rect") if rect.get("stroke") == "currentColor"], [])
        self.assertIn("points: splits; line: median", texts(few))
        self.assertIn("points: splits; box: quartiles; line: median", texts(enough))
        self.assertIn("points: splits (many: their outline); box: quartiles; line: median",
                      texts(charts.strips([Strip("a", numbers(500))], "T", points="splits")))

    def test_what_failed_in_two_series_does_not_overlap_and_does_not_move_the_axis(self):
        lines = [[(0, 2.0), (3, 1.0)], [(0, 4.0), (3, 3.0)]]
        plain = charts.line_chart([Series(name, line=line) for name, line in zip("ab", lines)], "T", height=200)
        failed = charts.line_chart([Series(name, line=line, crosses=[1, 2]) for name, line in zip("ab", lines)], "T", height=200)
        crosses = [path.get("transform") for path in tags(failed, "path") if path.get("d") == svg.MARKERS[6]]
        self.assertEqual((len(crosses), len(set(crosses))), (4, 4))
        curves = [line.get("points") for line in tags(failed, "polyline")]
        highest = min(float(point.split(",")[1]) for points in curves if points[:3] != "-11" for point in points.split())   # no key
        self.assertTrue(all(float(cross[10:].split()[1].rstrip(")")) < highest for cross in crosses))
        self.assertEqual(*[[text for text in texts(figure) if text[0].isdigit()] for figure in (plain, failed)])

    def test_dashes_mean_beyond_the_data_and_nothing_else(self):
        figure = charts.line_chart([Series(name, line=[(0, 1), (1, 2)]) for name in "abc"], "T")
        self.assertEqual({line.get("stroke-dasharray") for line in tags(figure, "polyline")}, {None})

    def test_many_values_are_drawn_as_one_outline(self):
        figure = charts.strips([Strip("a", numbers(500))], "T")
        self.assertEqual((len(tags(figure, "path")), len(tags(figure, "polygon"))), (0, 1))

    def test_every_trial_is_a_dot_in_every_panel_and_the_best_is_ringed(self):
        panels = [Panel("rate", numbers(60)), Panel("size", [32, 64, 128] * 20, "log"),
                  Panel("kind", ["a", "b", None] * 20, "categorical")]
        figure = charts.scatter_grid(panels, numbers(60), "T", best=0)
        circles = tags(figure, "circle")
        self.assertEqual(len([circle for circle in circles if circle.get("r") == "3"]), 60 + 60 + 40)
        self.assertEqual(len([circle for circle in circles if circle.get("fill") == "none"]), 3)
        self.assertTrue({"32", "64", "128", "a", "b"} <= set(texts(figure)))


if __name__ == "__main__":
    unittest.main()
