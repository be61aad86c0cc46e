"""heatmap: the figure of a table of numbers in colors, the numbers printed in the cells: source x target.

    heatmap([[.78, .1], [None, .8]], ["gCSI", "CCLE"], ["gCSI", "CCLE"], "Mean R2", center=0) -> one whole <svg>

A second file beside charts.py because it has colors and a layout of its own; `title`, `description`, `note`, `stamp`
and `width` mean what they mean there.
"""
from typing import NamedTuple

from report import axes
from report import svg
from report.axes import number
from report.svg import GAP, LINE, SIZE, SMALL, WIDTH, label, tag

# Colors of heatmap cells: lightness runs one way from end to end (sequential) or from the middle to both ends, so that
# they keep their order for the color-blind and on a black and white printer.
SEQUENTIAL = ((238, 243, 248), (134, 182, 217), (37, 112, 172), (8, 48, 92))
DIVERGING = ((127, 53, 0), (213, 94, 0), (243, 190, 145), (246, 246, 246), (150, 196, 227), (0, 114, 178), (0, 50, 96))


def heatmap(values, rows, columns, title, description="", row_title="source", column_title="target", center=None,
            low=None, high=None, below=None, mark_diagonal=True, hatched=None, draw=None, key=None, note="", stamp="",
            width=WIDTH):
    """`values[i][j]` of rows[i] and columns[j] as colored cells with the number in them.

    `center` makes the colors diverge there (R2: 0); `low` and `high` end the color scale before the extreme values.
    `below[i][j]` is a second, smaller text in the cell; where `hatched[i][j]` is true it is hatched. Cells whose row and
    column have one name are outlined. Many columns make the figure wider than `width`.
    draw(i, j, value, spot, color) returns another drawing of a cell, color being None without a number; key(left, y, half a
    cell) returns (elements, y below them) of what has to be added to the legend.
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
    if draw:
        body += [draw(i, j, values[i][j], spot, _hex(_hue(scale, values[i][j]))) for (i, j), spot in spots.items()]
    else:
        digits = axes.decimals([value for row in values for value in row])
        body += [_cell(number(values[i][j], digits), _hue(scale, values[i][j]), below[i][j] if below else "", spot,
                       "{} \u2192 {}".format(rows[i], columns[j]), bool(hatched and hatched[i][j]))
                 for (i, j), spot in spots.items()]
    marked = [_outline(spot) for (i, j), spot in spots.items() if mark_diagonal and rows[i] == columns[j]]
    bottom = max(spot.bottom for spot in spots.values())
    legend, bottom = _color_key(scale, left, bottom + GAP, min(260, width - left - 3 * GAP), bool(marked))
    more, bottom = key(left, bottom, (spots[0, 0].bottom - spots[0, 0].top) / 2 - 4) if key else ([], bottom)
    return svg.document(body + marked + legend + more, width, bottom, title, description)


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
    """Values from low to high as a way along `colors`; `beyond` says which ends are cut."""
    low: float
    high: float
    colors: tuple
    center: object
    beyond: tuple


def _color_scale(values, center, low, high):
    there = [value for value in values if axes.usable(value)] or [0.0, 1.0]
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


def _hue(scale, value):
    return _color(scale, value) if axes.usable(value) else None


def text_color(color):
    """Black or white, whichever contrasts more with (r, g, b). Source: WCAG 2.1, relative luminance."""
    linear = [part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in color]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000" if (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) else "#fff"


def _cell(words, color, second, spot, name, hatched):
    """One cell: its color, its number, its second line; a dash on paper if there is no number."""
    width, height = spot.right - spot.left, spot.bottom - spot.top
    x, y = (spot.left + spot.right) / 2, (spot.top + spot.bottom) / 2 - (8 if second else 0)
    paint = {"fill": _hex(color)} if color else {"fill": "none", "stroke": svg.LIGHT[2], "class_": "grid-line"}
    rect = tag("rect", x=spot.left + 0.5, y=spot.top + 0.5, width=width - 1, height=height - 1, **paint)
    ink = {"class_": None, "fill": text_color(color)} if color else {"class_": "soft"}
    texts = label(words, x, y, "middle", _fitting(words, SIZE, width - 10), **ink)
    texts += label(second, x, y + 16, "middle", _fitting(second, 11, width - 10), **ink) if second else ""
    lines = _hatch(spot, text_color(color)) if color and hatched else ""
    return tag("g", tag("title", svg.escape("{}: {}".format(name, words if color else "missing"))) + rect + lines + texts)


def _hatch(spot, color):
    """Diagonal lines over a cell, pale enough for the text over them."""
    steps, width, height = [], spot.right - spot.left, spot.bottom - spot.top
    for reach in range(8, int(width + height), 8):
        x1, y1 = (reach, 0) if reach < width else (width, reach - width)
        x2, y2 = (0, reach) if reach < height else (reach - height, height)
        steps.append("M{:.1f} {:.1f}L{:.1f} {:.1f}".format(spot.left + x1, spot.top + y1, spot.left + x2, spot.top + y2))
    return tag("path", d="".join(steps), stroke=color, opacity="0.22", fill="none")


def _fitting(text, size, width):
    """`size`, or the smaller one at which `text` is no wider than `width`."""
    return min(size, size * width / max(1.0, svg.text_width(text, size)))


def _hex(color):
    return "#{:02x}{:02x}{:02x}".format(*color) if color else None


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
             if axes.usable(value)]
    if not cells:
        return "A table without numbers."
    worst, best = min(cells, key=lambda cell: cell[0]), max(cells, key=lambda cell: cell[0])
    return "{} rows, {} columns; lowest {} ({} \u2192 {}), highest {} ({} \u2192 {}).".format(
        len(rows), len(columns), number(worst[0]), worst[1], worst[2], number(best[0]), best[1], best[2])
