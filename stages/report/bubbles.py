"""bubbles: the figure of a mean and its spread in one map: color is the mean, area is 1 / standard deviation.

    means, deviations of source x target -> one whole <svg>

The layout is that of heatmap.py; a ring is a mean without a standard deviation (one split).
"""
import math

from report import axes
from report import heatmap
from report import svg
from report.axes import number
from report.svg import LINE, SMALL, label, tag

SMALLEST = 4                # radius; smaller ones have no visible color


def bubble_map(means, deviations, rows, columns, title, **options):
    """`means[i][j]` and `deviations[i][j]` of rows[i] and columns[j]; options: those of heatmap."""
    known = [value for row in deviations for value in row if axes.usable(value) and value > 0]
    least = min(known, default=1.0)

    def draw(i, j, value, spot, color):
        return _bubble(value, deviations[i][j], least, spot, color, "{} \u2192 {}".format(rows[i], columns[j]))
    return heatmap.heatmap(means, rows, columns, title, draw=draw, key=lambda left, y, reach: _key(known, least, left, y, reach),
                           **options)


def radius(deviation, least, reach):
    """Returns the radius of a bubble whose area is as 1 / deviation; `reach` is that of the smallest deviation."""
    return max(SMALLEST, reach * math.sqrt(least / deviation)) if deviation > 0 else reach


def _bubble(value, deviation, least, spot, color, name):
    x, y = (spot.left + spot.right) / 2, (spot.top + spot.bottom) / 2
    reach = min(spot.right - spot.left, spot.bottom - spot.top) / 2 - 4
    has_size = axes.usable(deviation)
    words = tag("title", svg.escape("{}: {} (std {})".format(name, number(value), number(deviation))))
    frame = tag("rect", x=spot.left + 0.5, y=spot.top + 0.5, width=spot.right - spot.left - 1,
                height=spot.bottom - spot.top - 1, fill="none", stroke=svg.LIGHT[2], class_="grid-line")
    if color is None:
        return tag("g", words + frame + label(number(value), x, y, "middle", class_="soft"))
    # A thin edge: the pale colors of the middle would vanish on paper
    circle = tag("circle", cx=x, cy=y, r=float(radius(deviation, least, reach) if has_size else reach / 2),
                 fill=color if has_size else "none", stroke=svg.LIGHT[1], stroke_width=1 if has_size else 2, class_="soft-line")
    return tag("g", words + frame + circle)


def _key(known, least, left, y, reach):
    """(elements, y below them): circles of three standard deviations."""
    if not known:
        return [label("rings: one split, no standard deviation", left, y + 8, size=SMALL, class_="soft")], y + LINE * SMALL + 8
    body, x, middle = [], left, y + reach
    for deviation in sorted({least, math.sqrt(least * max(known)), max(known)}):
        size = radius(deviation, least, reach)
        body.append(tag("circle", cx=float(x + size), cy=float(middle), r=float(size), fill="none", stroke=svg.LIGHT[0],
                        class_="ink-line"))
        body.append(label(number(deviation), x + 2 * size + 5, middle, size=SMALL, class_="soft"))
        x += 2 * size + 14 + svg.text_width(number(deviation), SMALL)
    body.append(label("area: 1 / std", left, middle + reach + 8, size=SMALL, class_="soft"))
    return body, middle + reach + 8 + LINE * SMALL
