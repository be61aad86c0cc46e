"""charts: the figures of the reports, each a whole <svg> text made from plain numbers and names.

    line_chart     curves, points or both: learning curves (log axes), best score so far (steps), coverage against r2
    scatter_grid   one value against several others, in small panels: objective against each parameter
    bars           a few numbers per name, side by side
    strips         many numbers per name with their quartiles: splits, correlation per drug, runtimes

Examples:
    line_chart([Series("gCSI", points=[(128, .31), (256, .27)], line=[(128, .3), (256, .27)])], "Learning curve",
               x_scale="log", y_scale="log", x_label="training set size", y_label="MAE")
    bars(["gCSI", "CCLE"], [("Ga", [.3, .2]), ("Gna", [.1, None])], "Generalization", x_label="R2")

The figure of a table is in heatmap.py. All take `title`, `description` (for those who cannot see; made from the data if
empty), `note` (a line below the title; strips writes its own), `stamp` (printed on the figure, as 'synthetic demo data')
and `width` in CSS pixels. Missing numbers (None, nan, infinite) are left out, or shown as a dash if they have a place.
Names are shown as they are, wrapped if long.
"""
import random
from typing import NamedTuple

from common.tables import quantile
from report import axes
from report import svg
from report.axes import number, place
from report.svg import COLORS, GAP, LINE, SMALL, WIDTH, label, lines_of_text, rule, tag

PANEL_WIDTH = 230  # least of a panel in a scatter grid
MANY_VALUES = 150  # of a strip: more are drawn as an outline
FEWEST_IN_BOX = 5   # of a strip: quartiles of fewer say nothing
CROSSES = 12        # height of a row of crosses


class Series(NamedTuple):
    """One entry of the legend in a line chart. All are lists of (x, y)."""
    name: str
    points: list = []  # single results: small and pale
    medians: list = []  # large
    line: list = []  # solid
    dashed: list = []  # a line beyond the data
    band: list = []  # (x, low, high): shaded
    steps: bool = False  # draw the line in steps: a value holds until the next
    crosses: list = []  # x of what has no y: in a row of its own above the plot
    names: list = []  # of the medians: shown on hovering


# Line chart

def line_chart(series, title, description="", x_label="", y_label="", x_scale="linear", y_scale="linear", note="",
               stamp="", width=WIDTH, height=300):
    """Curves and points of several Series in one plot `height` high; scales are 'linear' or 'log'."""
    series = [_drawable(entry, x_scale, y_scale) for entry in series]
    every = [point for entry in series for point in entry.points + entry.medians + entry.line + entry.dashed]
    every += [(x, y) for entry in series for x, *ends in entry.band for y in ends]
    crossed = [x for entry in series for x in entry.crosses]
    x_axis, y_axis = axes.axis([x for x, _ in every] + crossed, x_scale, most_ticks=9), axes.axis([y for _, y in every], y_scale)
    legend = [(entry.name, _line_key(entry, index)) for index, entry in enumerate(series)]
    body, top = svg.head(title, stamp, note, legend if len(legend) > 1 else [], width)
    above = CROSSES * sum(bool(entry.crosses) for entry in series)
    top += above + (18 if y_label else 4)
    box = svg.Box(GAP + svg.ticks_width(y_axis), top, width - 2 * GAP, top + height)
    below, bottom = svg.x_axis(x_axis, box, x_label)
    body += svg.y_axis(y_axis, box, y_label, above) + below + ([] if every else [svg.nothing(box)])
    at = lambda points: [(place(x_axis, x, box.left, box.right), place(y_axis, y, box.bottom, box.top))  # noqa: E731
                         for x, y in points]
    bands = (_band_layer,) if any(entry.band for entry in series) else ()
    for layer in (*bands, _point_layer, _line_layer, _median_layer):
        body += [svg.series_group(index, layer(entry, index, at)) for index, entry in enumerate(series)]
    for row, (index, entry) in enumerate((index, entry) for index, entry in enumerate(series) if entry.crosses):
        body.append(svg.series_group(index, _crosses(entry.crosses, x_axis, box, above - CROSSES * row)))
    return svg.document(body, width, bottom, title, description or _series_in_words(series, x_label, y_label))


def _drawable(series, x_scale, y_scale):
    def kept(points):
        return [(x, y) for x, y in points if axes.drawable(x, x_scale) and axes.drawable(y, y_scale)]
    return series._replace(points=kept(series.points), medians=kept(series.medians), line=kept(series.line),
                           names=[name for name, point in zip(series.names, series.medians) if kept([point])],
                           dashed=kept(series.dashed),
                           band=[row for row in series.band if len(kept([(row[0], y) for y in row[1:]])) == 2])


def _band_layer(series, index, at):
    outline = at([(x, low) for x, low, _ in series.band] + [(x, high) for x, _, high in reversed(series.band)])
    corners = " ".join("{:.1f},{:.1f}".format(x, y) for x, y in outline)
    return tag("polygon", points=corners, fill="currentColor", opacity=0.15) if outline else ""


def _point_layer(series, index, at):
    return "".join(svg.marker(index, x, y, 2.2, fill="currentColor", opacity=0.45) for x, y in at(series.points))


def _line_layer(series, index, at):
    line = at(series.line)
    if series.steps:
        line = line[:1] + [corner for (_, y), (x2, y2) in zip(line, line[1:]) for corner in ((x2, y), (x2, y2))]
    drawn = svg.curve(line, stroke_width=2) if line else ""
    return drawn + (svg.curve(at(series.dashed), stroke_width=2, stroke_dasharray="5 4") if series.dashed else "")


def _line_key(series, index):
    line = _line_layer(Series("", line=[(-11, 0), (11, 0)]), index, list) if series.line or series.dashed else ""
    dot = svg.marker(index, 0, 0, 4.6, fill="currentColor") if series.points or series.medians or not line else ""
    return svg.series_group(index, line + dot)


def _median_layer(series, index, at):
    drawn = [svg.marker(index, x, y, 4.6, fill="currentColor", stroke=svg.LIGHT[3], stroke_width=0.25, class_="paper-line")
             for x, y in at(series.medians)]
    for i, name in enumerate(series.names):
        drawn[i] = tag("g", tag("title", svg.escape("{}: {}, {}".format(name, *map(number, series.medians[i])))) + drawn[i])
    return "".join(drawn)


def _crosses(values, x_axis, box, height):
    """Crosses `height` above the lower edge of their rows, which is the top of the box."""
    y = box.top - height + CROSSES / 2 - 1
    return "".join(svg.marker(6, place(x_axis, x, box.left, box.right), y, 3.5, fill="currentColor")
                   for x in values if axes.drawable(x, x_axis.kind))


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
    """One parameter of a scatter grid, a value per trial; scale is 'linear', 'log' or 'categorical'.

    Values beyond those of `y_values` are of trials without one: crosses above the plot.
    """
    name: str
    values: list
    scale: str = "linear"


def scatter_grid(panels, y_values, title, description="", y_label="", y_scale="linear", best=None, note="",
                 stamp="", width=WIDTH, panel_height=150):
    """`y_values` (one per trial) against each Panel, in rows of panels; the trial numbered `best` is ringed."""
    y_axis = axes.axis(y_values, y_scale, most_ticks=5)
    body, top = svg.head(title, stamp, note, [], width)
    across = max(1, min(int(width // PANEL_WIDTH), len(panels)))
    step = width / across
    for first in range(0, len(panels), across):
        bottoms = [top]
        for column, panel in enumerate(panels[first:first + across]):
            above = CROSSES if len(panel.values) > len(y_values) else 0
            box = _panel_box(panel, column * step, top + above, step, svg.ticks_width(y_axis), panel_height)
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
    left, above = box.left - svg.ticks_width(y_axis), CROSSES if len(panel.values) > len(y_values) else 0
    lines = svg.wrap(panel.name, (box.right - left) / svg.BOLD, SMALL)
    y = box.top - above - 14 - (len(lines) + 1) / 2 * LINE * SMALL
    body = [lines_of_text(lines, left, y, size=SMALL, font_weight="bold")]
    body += svg.y_axis(y_axis, box, y_label, above)
    x_axis, xs, below, bottom = (_categorical_x if panel.scale == "categorical" else _numeric_x)(panel, box)
    dots = [(place(x_axis, x, box.left, box.right), place(y_axis, y, box.bottom, box.top), trial)
            for trial, (x, y) in enumerate(zip(xs, y_values))
            if axes.drawable(x, panel.scale) and axes.drawable(y, y_axis.kind)]
    marks = "".join(tag("circle", cx=x, cy=y, r=3, fill="currentColor", opacity=0.6) for x, y, _ in dots)
    crossed = _crosses([x for x in xs[len(y_values):] if x is not None], x_axis, box, above)
    rings = [tag("circle", cx=x, cy=y, r=6.5, fill="none", stroke=COLORS[1], stroke_width=2) for x, y, trial in dots
             if trial == best]
    body += below + [svg.series_group(0, marks + crossed)] + rings
    return body + ([] if dots else [svg.nothing(box)]), bottom


def _numeric_x(panel, box):
    """(axis, positions, elements, y below them); a handful of values that come again are ticks themselves."""
    axis = axes.axis(panel.values, panel.scale, most_ticks=5)
    distinct = sorted({value for value in panel.values if axes.drawable(value, panel.scale)})
    if 2 <= len(distinct) <= 6 and len(panel.values) > len(distinct):
        axis = axis._replace(ticks=[(value, axes.tick_label(value)) for value in distinct])
    below, bottom = svg.x_axis(axis, box)
    return axis, panel.values, below, bottom


def _categorical_x(panel, box):
    names = sorted({str(value) for value in panel.values if value is not None})
    axis = axes.categories(names)
    centers = [place(axis, i, box.left, box.right) for i in range(len(names))]
    below, height = svg.names_along(names, centers, (box.right - box.left) / max(1, len(names)), box.bottom + 5, False)
    below.append(rule(box.left, box.bottom, box.right, box.bottom, "soft-line"))
    return axis, _jittered(panel.values, names), below, box.bottom + 5 + height + GAP


def _jittered(values, names):
    """Positions around each name's own, so that equal trials do not hide one another; the same at every call."""
    generator = random.Random(0)
    return [None if value is None else names.index(str(value)) + generator.uniform(-0.2, 0.2) for value in values]


# Bars and strips: names left, numbers along

def bars(names, series, title, description="", x_label="", note="", stamp="", width=WIDTH, spreads=None):
    """Horizontal bars from zero: `series` is a list of (label, values), values[i] belonging to names[i].

    spreads: such lists of standard deviations, drawn as lines to both sides of a bar's end.
    """
    thick, gap = 16, 12
    every = [value for _, values in series for value in values]
    ends = [value + sign * spread for (_, values), row in zip(series, spreads or ()) for value, spread in zip(values, row)
            if axes.usable(value) and axes.usable(spread) for sign in (1, -1)]
    axis = axes.axis(every + ends, include=(0,), most_ticks=5)
    legend = [(name, svg.series_group(i, _block(i, -9, -6, 18, 12))) for i, (name, _) in enumerate(series)]
    body, top = svg.head(title, stamp, note, legend if len(legend) > 1 else [], width)
    lines, names_width = svg.names_left(names, width)
    digits = axes.decimals(every)
    room = max([svg.text_width(number(value, digits), SMALL) for value in every], default=0) + 6
    negative = any(axes.usable(value) and value < 0 for value in every + ends)
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
        body += [_bar(values[i], j, first + j * thick, thick, axis, box, spreads[j][i] if spreads else None, digits)
                 for j, (_, values) in enumerate(series)]
        y += height
    zero = place(axis, 0, box.left, box.right)
    body += [rule(zero, box.top, zero, box.bottom, "ink-line")] + ([] if names else [svg.nothing(box)])
    return svg.document(body, width, bottom, title, description or _bars_in_words(names, series))


def _bars_in_words(names, series):
    rows = [", ".join("{} {}".format(kind, number(values[i])) for kind, values in series) for i in range(len(names))]
    return ". ".join("{}: {}".format(*pair) for pair in zip(names, rows)) or "no data"


def _bar(value, index, y, thick, axis, box, spread, digits):
    zero = place(axis, 0, box.left, box.right)
    if not axes.usable(value):
        return label(number(value), zero + 4, y + thick / 2, "start", SMALL, "soft")
    end = place(axis, value, box.left, box.right)
    rect = _block(index, min(zero, end), y + 1, abs(end - zero), thick - 2)
    whisker = ""
    if axes.usable(spread):
        low, high = (place(axis, value + sign * spread, box.left, box.right) for sign in (-1, 1))
        whisker = "".join(rule(*line, "ink-line", stroke_width=1.5) for line in (
            (low, y + thick / 2, high, y + thick / 2), (low, y + 4, low, y + thick - 4), (high, y + 4, high, y + thick - 4)))
        end = low if value < 0 else high
    side = (end - 4, "end") if value < 0 else (end + 4, "start")
    return svg.series_group(index, rect) + whisker + label(number(value, digits), side[0], y + thick / 2, side[1], SMALL)


def _block(index, x, y, width, height):
    """A bar; series next to each other are filled to different degrees, for black and white print."""
    return tag("rect", x=float(x), y=float(y), width=float(width), height=float(height), fill="currentColor",
               stroke="currentColor", fill_opacity=str((1, 0.5, 0.15)[index % 3]))


class Strip(NamedTuple):
    """One row of a strip plot; rows with the same `series` share color and legend entry."""
    name: str
    values: list
    series: str = ""


def strips(rows, title, description="", points="values", colors="", x_label="", x_scale="linear", reference=None, stamp="",
           width=WIDTH):
    """Each Strip's values as points (many: as an outline) with their median and, unless they are few, a box from
    quartile to quartile.

    `points` and `colors` say what these are. Neighbouring rows of one name are labelled once. `reference` is an x
    at which a line is drawn.
    """
    names = [row.name if i == 0 or rows[i - 1].name != row.name else "" for i, row in enumerate(rows)]
    kinds = sorted({row.series for row in rows}, key=[row.series for row in rows].index)
    kept = [sorted(value for value in row.values if axes.drawable(value, x_scale)) for row in rows]
    axis = axes.axis([value for values in kept for value in values], x_scale, () if reference is None else (reference,))
    legend = [(kind, svg.marker_key(i)) for i, kind in enumerate(kinds)] if len(kinds) > 1 else []
    body, top = svg.head(title, stamp, _strips_key(kept, points, colors if legend else ""), legend, width)
    lines, names_width = svg.names_left(names, width)
    heights = _strip_heights(names, lines)
    box = svg.Box(GAP + names_width + 8, top, width - 2 * GAP, top + (sum(heights) or 40))
    below, bottom = svg.x_axis(axis, box, x_label)
    body += below
    if reference is not None and axes.drawable(reference, x_scale):
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


def _strips_key(kept, points, colors):
    """What the marks mean, those that are there."""
    counts = [len(values) for values in kept]
    words = [f"points: {points}" + (" (many: their outline)" if max(counts, default=0) > MANY_VALUES else "")]
    words += ["box: quartiles"] if max(counts, default=0) >= FEWEST_IN_BOX else []
    return "; ".join(words + ["line: median"] + ([f"colors: {colors}"] if colors else []))


def _strips_in_words(rows, kept):
    names = [" ".join(filter(None, (str(row.name), row.series))) for row in rows]
    medians = [number(quantile(values, 0.5) if values else None) for values in kept]
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
    low, middle, high = (quantile(at, share) for share in (0.25, 0.5, 0.75))
    frame = tag("rect", x=low, y=y - 7, width=high - low, height=14, fill="none", stroke="currentColor",
                stroke_width=1.5)
    median = rule(middle, y - 9, middle, y + 9, "ink-line", stroke_width=2.5)
    return svg.series_group(index, cloud + (frame if len(at) >= FEWEST_IN_BOX else "") + median)


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
