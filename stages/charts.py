"""charts: the figures of the reports, each a whole <svg> text made from plain numbers and names.

    line_chart     curves with points: learning curves (log axes), best score so far (steps)
    scatter_grid   one value against several others, in small panels: objective against each parameter
    heatmap        a table of numbers in colors, the numbers printed in the cells: source x target
    bars           a few numbers per name, side by side
    strips         many numbers per name with their quartiles: splits, correlation per drug, runtimes

Examples:
    line_chart([Series("gCSI", points=[(128, .31), (256, .27)], line=[(128, .3), (256, .27)])], "Learning curve",
               x_scale="log", y_scale="log", x_label="training set size", y_label="MAE")
    heatmap([[.78, .1], [None, .8]], ["gCSI", "CCLE"], ["gCSI", "CCLE"], "Mean R2", center=0)

All take `title`, `description` (for those who cannot see; made from the data where empty), `note` (a line below the
title), `stamp` (printed on the figure, as 'synthetic demo data') and `width` in CSS pixels. Missing numbers (None, nan,
infinite) are left out, or shown as a dash where they have a place. Names are shown as they are, wrapped where long.
"""
import math
import random
from typing import NamedTuple

import svg
from svg import COLORS, GAP, LINE, SIZE, SMALL, WIDTH, label, lines_of_text, number, place, rule, tag

PANEL_WIDTH = 230  # least of a panel in a scatter grid
MANY_VALUES = 150  # of a strip: more are drawn as an outline


# Colors of heatmap cells: lightness runs one way from end to end (sequential) or from the middle to both ends, so that
# they keep their order for the color-blind and on a black and white printer.
SEQUENTIAL = ((238, 243, 248), (134, 182, 217), (37, 112, 172), (8, 48, 92))
DIVERGING = ((127, 53, 0), (213, 94, 0), (243, 190, 145), (246, 246, 246), (150, 196, 227), (0, 114, 178), (0, 50, 96))


class Series(NamedTuple):
    """One entry of the legend in a line chart. All are lists of (x, y)."""
    name: str
    points: list = []  # single results: small and pale
    medians: list = []  # large
    line: list = []  # solid
    dashed: list = []  # a line beyond the data
    steps: bool = False  # draw the line in steps: a value holds until the next


# Line chart

def line_chart(series, title, description="", x_label="", y_label="", x_scale="linear", y_scale="linear", note="",
               stamp="", width=WIDTH, height=300):
    """Curves and points of several Series in one plot `height` high; scales are 'linear' or 'log'."""
    series = [_drawable(entry, x_scale, y_scale) for entry in series]
    every = [point for entry in series for point in entry.points + entry.medians + entry.line + entry.dashed]
    x_axis, y_axis = svg.axis([x for x, _ in every], x_scale, most_ticks=9), svg.axis([y for _, y in every], y_scale)
    plain = not any(entry.dashed for entry in series)  # else dashes mean 'beyond the data'
    legend = [(entry.name, _line_key(entry, index, plain)) for index, entry in enumerate(series)]
    body, top = svg.head(title, stamp, note, legend if len(legend) > 1 else [], width)
    top += 18 if y_label else 4
    box = svg.Box(GAP + svg.ticks_width(y_axis), top, width - 2 * GAP, top + height)
    below, bottom = svg.x_axis(x_axis, box, x_label)
    body += svg.y_axis(y_axis, box, y_label) + below + ([] if every else [svg.nothing(box)])
    at = lambda points: [(place(x_axis, x, box.left, box.right), place(y_axis, y, box.bottom, box.top))  # noqa: E731
                         for x, y in points]
    for layer in (_point_layer, _line_layer, _median_layer):
        body += [svg.series_group(index, layer(entry, index, at, plain)) for index, entry in enumerate(series)]
    return svg.document(body, width, bottom, title, description or _series_in_words(series, x_label, y_label))


def _drawable(series, x_scale, y_scale):
    def kept(points):
        return [(x, y) for x, y in points if svg.drawable(x, x_scale) and svg.drawable(y, y_scale)]
    return series._replace(points=kept(series.points), medians=kept(series.medians), line=kept(series.line),
                           dashed=kept(series.dashed))


def _point_layer(series, index, at, plain):
    return "".join(svg.marker(index, x, y, 2.2, fill="currentColor", opacity=0.45) for x, y in at(series.points))


def _line_layer(series, index, at, plain):
    dashes = svg.DASHES[index % len(svg.DASHES)] if plain else ""
    line = at(series.line)
    if series.steps:
        line = line[:1] + [corner for (_, y), (x2, y2) in zip(line, line[1:]) for corner in ((x2, y), (x2, y2))]
    drawn = svg.curve(line, stroke_width=2, stroke_dasharray=dashes or None) if line else ""
    return drawn + (svg.curve(at(series.dashed), stroke_width=2, stroke_dasharray="5 4") if series.dashed else "")


def _line_key(series, index, plain):
    line = _line_layer(Series("", line=[(-11, 0), (11, 0)]), index, list, plain) if series.line or series.dashed else ""
    dot = svg.marker(index, 0, 0, 4.6, fill="currentColor") if series.points or series.medians or not line else ""
    return svg.series_group(index, line + dot)


def _median_layer(series, index, at, plain):
    return "".join(
        svg.marker(index, x, y, 4.6, fill="currentColor", stroke=svg.LIGHT[3], stroke_width=0.25, class_="paper-line")
        for x, y in at(series.medians))


def _series_in_words(series, x_label, y_label):
    parts = []
    for entry in series:
        shown = entry.medians or entry.line or entry.points
        parts.append("{}: from {} at {} to {} at {}".format(
            entry.name, number(shown[0][1]), number(shown[0][0]), number(shown[-1][1]), number(shown[-1][0]))
            if shown else "{}: no data".format(entry.name))
    return "{} against {}. {}.".format(y_label or "value", x_label or "position", "; ".join(parts))


# Scatter grid

class Panel(NamedTuple):
    """One parameter of a scatter grid, a value per trial; scale is 'linear', 'log' or 'categorical'."""
    name: str
    values: list
    scale: str = "linear"


def scatter_grid(panels, y_values, title, description="", y_label="", y_scale="linear", best=None, note="", stamp="",
                 width=WIDTH, panel_height=150):
    """`y_values` (one per trial) against each Panel, in rows of panels; the trial numbered `best` is ringed."""
    y_axis = svg.axis(y_values, y_scale, most_ticks=5)
    body, top = svg.head(title, stamp, note, [], width)
    across = max(1, min(int(width // PANEL_WIDTH), len(panels)))
    step = width / across
    for first in range(0, len(panels), across):
        bottoms = [top]
        for column, panel in enumerate(panels[first:first + across]):
            box = _panel_box(panel, column * step, top, step, svg.ticks_width(y_axis), panel_height)
            drawn, bottom = _panel(panel, y_values, y_axis, box, best, y_label if first + column == 0 else "")
            body += drawn
            bottoms.append(bottom)
        top = max(bottoms) + GAP
    if not panels:
        body.append(svg.nothing(svg.Box(0, top, width, top + 40)))
        top += 40
    words = "{} against {}.".format(y_label or "value", ", ".join(str(panel.name) for panel in panels) or "nothing")
    return svg.document(body, width, top, title, description or words)


def _panel_box(panel, left, top, step, ticks_width, height):
    names = len(svg.wrap(panel.name, (step - 2 * GAP) / svg.BOLD, SMALL))
    top += (names + 1) * LINE * SMALL + GAP
    return svg.Box(left + GAP + ticks_width, top, left + step - GAP, top + height)


def _panel(panel, y_values, y_axis, box, best, y_label):
    """(elements, y below them) of one panel."""
    left = box.left - svg.ticks_width(y_axis)
    lines = svg.wrap(panel.name, (box.right - left) / svg.BOLD, SMALL)
    y = box.top - 14 - (len(lines) + 1) / 2 * LINE * SMALL
    body = [lines_of_text(lines, left, y, size=SMALL, font_weight="bold")]
    body += svg.y_axis(y_axis, box, y_label)
    x_axis, xs, below, bottom = (_categorical_x if panel.scale == "categorical" else _numeric_x)(panel, box)
    dots = [(place(x_axis, x, box.left, box.right), place(y_axis, y, box.bottom, box.top), trial)
            for trial, (x, y) in enumerate(zip(xs, y_values))
            if svg.drawable(x, panel.scale) and svg.drawable(y, y_axis.kind)]
    marks = "".join(tag("circle", cx=x, cy=y, r=3, fill="currentColor", opacity=0.6) for x, y, _ in dots)
    rings = [tag("circle", cx=x, cy=y, r=6.5, fill="none", stroke=COLORS[1], stroke_width=2) for x, y, trial in dots
             if trial == best]
    return body + below + [svg.series_group(0, marks)] + rings + ([] if dots else [svg.nothing(box)]), bottom


def _numeric_x(panel, box):
    """(axis, positions, elements, y below them); a handful of values that come again are ticks themselves."""
    axis = svg.axis(panel.values, panel.scale, most_ticks=5)
    distinct = sorted({value for value in panel.values if svg.drawable(value, panel.scale)})
    if 2 <= len(distinct) <= 6 and len(panel.values) > len(distinct):
        axis = axis._replace(ticks=[(value, svg.tick_label(value)) for value in distinct])
    below, bottom = svg.x_axis(axis, box)
    return axis, panel.values, below, bottom


def _categorical_x(panel, box):
    names = sorted({str(value) for value in panel.values if value is not None})
    axis = svg.categories(names)
    centers = [place(axis, i, box.left, box.right) for i in range(len(names))]
    below, height = svg.names_along(names, centers, (box.right - box.left) / max(1, len(names)), box.bottom + 5, False)
    below.append(rule(box.left, box.bottom, box.right, box.bottom, "soft-line"))
    return axis, _jittered(panel.values, names), below, box.bottom + 5 + height + GAP


def _jittered(values, names):
    """Positions around each name's own, so that equal trials do not hide one another; the same at every call."""
    generator = random.Random(0)
    return [None if value is None else names.index(str(value)) + generator.uniform(-0.2, 0.2) for value in values]


# Heatmap

def heatmap(values, rows, columns, title, description="", row_title="source", column_title="target", center=None,
            low=None, high=None, below=None, mark_diagonal=True, note="", stamp="", width=WIDTH):
    """`values[i][j]` of rows[i] and columns[j] as colored cells with the number in them.

    `center` makes the colors diverge there (R2: 0); `low` and `high` end the color scale before the extreme values.
    `below[i][j]` is a second, smaller text in the cell. Cells whose row and column have one name are outlined. Many
    columns make the figure wider than `width`.
    """
    names_width = svg.names_left(rows, width)[1]
    left = GAP + LINE * SMALL + names_width + 6
    cell = max(52, min(96, (width - left - GAP) / max(1, len(columns))))
    width = max(width, left + cell * len(columns) + GAP)
    body, top = svg.head(title, stamp, note, [], width)
    description = description or _table_in_words(values, rows, columns)
    if not (rows and columns):
        return svg.document(body + [svg.nothing(svg.Box(0, top, width, top + 40))], width, top + 40, title, description)
    top += LINE * SMALL + svg.names_above(columns, cell)[2] + GAP
    spots = _spots(rows, columns, svg.Box(left, top, left + cell, top + (46 if below else 38)), width)
    body += _table_names(rows, columns, spots, row_title, column_title)
    scale = _color_scale([value for row in values for value in row], center, low, high)
    body += [_cell(values[i][j], below[i][j] if below else "", spot, scale, "{} \u2192 {}".format(rows[i], columns[j]))
             for (i, j), spot in spots.items()]
    marked = [_outline(spot) for (i, j), spot in spots.items() if mark_diagonal and rows[i] == columns[j]]
    bottom = max(spot.bottom for spot in spots.values())
    key, bottom = _color_key(scale, left, bottom + GAP, min(260, width - left - 3 * GAP), bool(marked))
    return svg.document(body + marked + key, width, bottom, title, description)


def _spots(rows, columns, first, width):
    """The Box of each cell (i, j); the first one without regard to its row's name, which may need more height."""
    spots, top = {}, first.top
    step = first.right - first.left
    for i, lines in enumerate(svg.names_left(rows, width)[0]):
        bottom = top + max(first.bottom - first.top, len(lines) * LINE * SMALL + 4)
        for j in range(len(columns)):
            spots[i, j] = svg.Box(first.left + j * step, top, first.left + (j + 1) * step, bottom)
        top = bottom
    return spots


def _table_names(rows, columns, spots, row_title, column_title):
    """The names left of and above the cells, and what they are names of."""
    first, last = spots[0, 0], spots[len(rows) - 1, len(columns) - 1]
    step = first.right - first.left
    centers = [spots[0, j].left + step / 2 for j in range(len(columns))]
    body, height = svg.names_along(columns, centers, step, first.top - 5, True)
    for i, lines in enumerate(svg.names_left(rows, last.right + GAP)[0]):
        spot = spots[i, 0]
        body.append(svg.named(rows[i], lines, spot.left - 6, (spot.top + spot.bottom) / 2, "end"))
    middle = (first.top + last.bottom) / 2
    turn = "rotate(-90 {:.1f} {:.1f})".format(GAP + 4, middle)
    return body + [label(row_title, GAP + 4, middle, "middle", SMALL, "soft", transform=turn),
                   label(column_title, (first.left + last.right) / 2, first.top - height - 13, "middle", SMALL, "soft")]


class ColorScale(NamedTuple):
    """Values from low to high as a way along `colors`; `beyond` tells which ends are cut."""
    low: float
    high: float
    colors: tuple
    center: object
    beyond: tuple


def _color_scale(values, center, low, high):
    there = [value for value in values if svg.usable(value)] or [0.0, 1.0]
    ends = [min(there) if low is None else low, max(there) if high is None else high]
    beyond = (min(there) < ends[0], max(there) > ends[1])
    if center is not None:
        reach = max(abs(ends[0] - center), abs(ends[1] - center)) or 1.0
        return ColorScale(center - reach, center + reach, DIVERGING, center,
                          (min(there) < center - reach, max(there) > center + reach))
    if ends[1] - ends[0] <= 1e-9 * max(map(abs, ends)):
        ends = [ends[0] - (abs(ends[0]) or 1), ends[1] + (abs(ends[1]) or 1)]
    return ColorScale(ends[0], ends[1], SEQUENTIAL, None, beyond)


def _color(scale, value):
    """(r, g, b) of a value, between the two nearest colors of the scale."""
    way = max(0.0, min(1.0, (value - scale.low) / (scale.high - scale.low))) * (len(scale.colors) - 1)
    first = min(int(way), len(scale.colors) - 2)
    return tuple(round(a + (b - a) * (way - first)) for a, b in zip(scale.colors[first], scale.colors[first + 1]))


def text_color(color):
    """Black or white, whichever contrasts more with (r, g, b). Source: WCAG 2.1, relative luminance."""
    linear = [part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in color]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000" if (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) else "#fff"


def _cell(value, second, spot, scale, name):
    """One cell: its color, its number, its second line; a dash on paper where there is no number."""
    width, height = spot.right - spot.left, spot.bottom - spot.top
    x, y = (spot.left + spot.right) / 2, (spot.top + spot.bottom) / 2 - (8 if second else 0)
    color = _color(scale, value) if svg.usable(value) else None
    paint = {"fill": _hex(color)} if color else {"fill": "none", "stroke": svg.LIGHT[2], "class_": "grid-line"}
    rect = tag("rect", x=spot.left + 0.5, y=spot.top + 0.5, width=width - 1, height=height - 1, **paint)
    ink = {"class_": None, "fill": text_color(color)} if color else {"class_": "soft"}
    words = number(value)
    texts = label(words, x, y, "middle", _fitting(words, SIZE, width - 10), **ink)
    texts += label(second, x, y + 16, "middle", _fitting(second, 11, width - 10), **ink) if second else ""
    return tag("g", tag("title", svg.escape("{}: {}".format(name, words if color else "missing"))) + rect + texts)


def _fitting(text, size, width):
    """`size`, or the smaller one at which `text` is no wider than `width`."""
    return min(size, size * width / max(1.0, svg.text_width(text, size)))


def _hex(color):
    return "#{:02x}{:02x}{:02x}".format(*color)


def _outline(spot):
    """Ink within paper, so that it is seen on every color."""
    def frame(inset, stroke_width, color, class_):
        return tag("rect", x=spot.left + inset, y=spot.top + inset, width=spot.right - spot.left - 2 * inset,
                   height=spot.bottom - spot.top - 2 * inset, fill="none", stroke=color, stroke_width=stroke_width,
                   class_=class_)
    return frame(1.5, 3, svg.LIGHT[0], "ink-line") + frame(3.5, 1, svg.LIGHT[3], "paper-line")


def _color_key(scale, left, y, width, has_marked):
    """(elements, y below them): the color scale with its numbers, and what the outline means."""
    body, parts = [], 40
    for i in range(parts):
        color = _color(scale, scale.low + (i + 0.5) / parts * (scale.high - scale.low))
        body.append(tag("rect", x=left + i * width / parts, y=float(y), width=width / parts + 0.5, height=10,
                        fill=_hex(color)))
    ends = [("\u2264 " if scale.beyond[0] else "") + number(scale.low), ("\u2265 " if scale.beyond[1] else "")
            + number(scale.high)]
    middle = [(left + width / 2, "middle", number(scale.center))] if scale.center is not None else []
    for x, anchor, words in [(left, "start", ends[0]), (left + width, "end", ends[1])] + middle:
        body.append(label(words, x, y + 20, anchor, SMALL, "soft"))
    y += 20 + LINE * SMALL
    if has_marked:
        body.append(label("outlined: the same study", left, y, size=SMALL, class_="soft"))
        y += LINE * SMALL
    return body, y


def _table_in_words(values, rows, columns):
    cells = [(value, rows[i], columns[j]) for i, row in enumerate(values) for j, value in enumerate(row)
             if svg.usable(value)]
    if not cells:
        return "A table without numbers."
    worst, best = min(cells, key=lambda cell: cell[0]), max(cells, key=lambda cell: cell[0])
    return "{} rows, {} columns; lowest {} ({} \u2192 {}), highest {} ({} \u2192 {}).".format(
        len(rows), len(columns), number(worst[0]), worst[1], worst[2], number(best[0]), best[1], best[2])


# Bars and strips: names left, numbers along

def bars(names, series, title, description="", x_label="", note="", stamp="", width=WIDTH):
    """Horizontal bars from zero: `series` is a list of (label, values), values[i] belonging to names[i]."""
    thick, gap = 16, 12
    every = [value for _, values in series for value in values]
    axis = svg.axis(every, include=(0,), most_ticks=5)
    legend = [(name, svg.series_group(i, _block(i, -9, -6, 18, 12))) for i, (name, _) in enumerate(series)]
    body, top = svg.head(title, stamp, note, legend if len(legend) > 1 else [], width)
    lines, names_width = svg.names_left(names, width)
    room = max([svg.text_width(number(value), SMALL) for value in every], default=0) + 6
    negative = any(svg.usable(value) and value < 0 for value in every)
    heights = [max(len(series) * thick, len(name) * LINE * SMALL) + gap for name in lines]
    left = GAP + names_width + 8 + (room if negative else 0)
    box = svg.Box(left, top, width - GAP - room, top + (sum(heights) or 40))
    axis = axis if negative else axis._replace(low=0.0)
    below, bottom = svg.x_axis(axis, box, x_label)
    body += below
    y = top
    for i, (name, height) in enumerate(zip(lines, heights)):
        body.append(svg.named(names[i], name, GAP + names_width, y + height / 2, "end"))
        first = y + (height - len(series) * thick) / 2
        body += [_bar(values[i], j, first + j * thick, thick, axis, box) for j, (_, values) in enumerate(series)]
        y += height
    zero = place(axis, 0, box.left, box.right)
    body += [rule(zero, box.top, zero, box.bottom, "ink-line")] + ([] if names else [svg.nothing(box)])
    return svg.document(body, width, bottom, title, description or _bars_in_words(names, series))


def _bars_in_words(names, series):
    rows = [", ".join("{} {}".format(kind, number(values[i])) for kind, values in series) for i in range(len(names))]
    return ". ".join("{}: {}".format(*pair) for pair in zip(names, rows)) or "no data"


def _bar(value, index, y, thick, axis, box):
    zero = place(axis, 0, box.left, box.right)
    if not svg.usable(value):
        return label(number(value), zero + 4, y + thick / 2, "start", SMALL, "soft")
    end = place(axis, value, box.left, box.right)
    rect = _block(index, min(zero, end), y + 1, abs(end - zero), thick - 2)
    side = (end - 4, "end") if value < 0 else (end + 4, "start")
    return svg.series_group(index, rect) + label(number(value), side[0], y + thick / 2, side[1], SMALL)


def _block(index, x, y, width, height):
    """A bar; series next to each other are filled to different degrees, for black and white print."""
    return tag("rect", x=float(x), y=float(y), width=float(width), height=float(height), fill="currentColor",
               stroke="currentColor", fill_opacity=str((1, 0.5, 0.15)[index % 3]))


class Strip(NamedTuple):
    """One row of a strip plot; rows with the same `series` share color and legend entry."""
    name: str
    values: list
    series: str = ""


def strips(rows, title, description="", x_label="", x_scale="linear", reference=None, note="", stamp="", width=WIDTH):
    """Each Strip's values as points (many: as an outline) with box from quartile to quartile and median.

    Neighbouring rows of one name are labelled once. `reference` is an x at which a line is drawn.
    """
    names = [row.name if i == 0 or rows[i - 1].name != row.name else "" for i, row in enumerate(rows)]
    kinds = sorted({row.series for row in rows}, key=[row.series for row in rows].index)
    kept = [sorted(value for value in row.values if svg.drawable(value, x_scale)) for row in rows]
    axis = svg.axis([value for values in kept for value in values], x_scale, () if reference is None else (reference,))
    legend = [(kind, svg.marker_key(i)) for i, kind in enumerate(kinds)] if len(kinds) > 1 else []
    body, top = svg.head(title, stamp, note, legend, width)
    lines, names_width = svg.names_left(names, width)
    heights = _strip_heights(names, lines)
    box = svg.Box(GAP + names_width + 8, top, width - 2 * GAP, top + (sum(heights) or 40))
    below, bottom = svg.x_axis(axis, box, x_label)
    body += below
    if reference is not None and svg.drawable(reference, x_scale):
        x = place(axis, reference, box.left, box.right)
        body.append(rule(x, box.top, x, box.bottom, "ink-line", stroke_dasharray="3 3"))
    y = top
    for i, (row, values, height) in enumerate(zip(rows, kept, heights)):
        if names[i]:
            group = next((j for j in range(i + 1, len(rows)) if names[j]), len(rows))
            body.append(svg.named(row.name, lines[i], box.left - 8, y + sum(heights[i:group]) / 2, "end"))
            body += [rule(box.left, y, box.right, y)] if i else []
        body.append(_strip(values, kinds.index(row.series), y + height / 2, axis, box))
        y += height
    body += [] if rows else [svg.nothing(box)]
    return svg.document(body, width, bottom, title, description or _strips_in_words(rows, kept))


def _strips_in_words(rows, kept):
    names = [" ".join(filter(None, (str(row.name), row.series))) for row in rows]
    medians = [number(_quantile(values, 0.5)) for values in kept]
    return "; ".join("{}: median {}".format(*pair) for pair in zip(names, medians)) or "no data"


def _strip_heights(names, lines):
    """Height of each row: a group of rows under one name is at least as high as that name."""
    starts = [i for i, name in enumerate(names) if name or i == 0] + [len(names)]
    heights = []
    for start, end in zip(starts, starts[1:]):
        heights += [max(24.0, (len(lines[start]) * LINE * SMALL + 8) / (end - start))] * (end - start)
    return heights


def _strip(values, index, y, axis, box):
    """Points or an outline, and over it the box and the median."""
    if not values:
        return label("\u2013", box.left + 4, y, "start", SMALL, "soft")
    at = [place(axis, value, box.left, box.right) for value in values]
    cloud = _outline_of_many(at, y) if len(at) > MANY_VALUES else _cloud(at, index, y)
    low, middle, high = (_quantile(at, share) for share in (0.25, 0.5, 0.75))
    frame = tag("rect", x=low, y=y - 7, width=high - low, height=14, fill="none", stroke="currentColor",
                stroke_width=1.5)
    median = rule(middle, y - 9, middle, y + 9, "ink-line", stroke_width=2.5)
    return svg.series_group(index, cloud + (frame if len(at) > 1 else "") + median)


def _cloud(at, index, y):
    generator = random.Random(0)
    return "".join(svg.marker(index, x, y + generator.uniform(-4, 4), 2.6, fill="currentColor", opacity=0.55)
                   for x in at)


def _outline_of_many(at, y):
    """A mirrored histogram of positions, in bins about 6 wide."""
    bins = max(5, min(60, int((at[-1] - at[0]) / 6)))
    step = (at[-1] - at[0]) / bins or 1.0
    counts = [0] * bins
    for x in at:
        counts[min(bins - 1, int((x - at[0]) / step))] += 1
    upper = [(at[0] + (i + side) * step, 10.5 * count / max(counts))
             for i, count in enumerate(counts) for side in (0, 1)]
    points = [(x, y - half) for x, half in upper] + [(x, y + half) for x, half in reversed(upper)]
    return tag("polygon", points=" ".join("{:.1f},{:.1f}".format(*point) for point in points), fill="currentColor",
               opacity=0.4)


def _quantile(values, share):
    """Of sorted values, with linear interpolation; nan without values."""
    if not values:
        return math.nan
    position = share * (len(values) - 1)
    first = int(position)
    rest = position - first
    return values[first] * (1 - rest) + values[min(first + 1, len(values) - 1)] * rest
