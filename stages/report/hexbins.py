"""hexbins: the figure of very many points: true against predicted, counted in hexagons.

    true, pred (100,000 numbers each) -> counts of hexagons -> five shades, a path each -> one whole <svg> below 60 kB

Source: Carr et al., Journal of the American Statistical Association 82 (1987).
"""
import math
from collections import Counter

from report import axes
from report import svg
from report.svg import GAP, LINE, SMALL, WIDTH, label, rule, tag

STEP, ROW = 10, 9           # between centers, in a row and from row to row; whole numbers make a short path
HEXAGON = "l5 3v6l-5 3-5-3v-6z"     # from its upper corner
SHADES = (0.18, 0.38, 0.58, 0.79, 1)


def hexbins(true, pred, title, description="", x_label="true", y_label="predicted", note="", stamp="", width=WIDTH):
    """Each hexagon is as strong in color as it holds points, on a logarithmic scale; the line is where both are equal."""
    pairs = [(x, y) for x, y in zip(true, pred) if axes.usable(x) and axes.usable(y)]
    axis = axes.axis([extreme(column) for column in zip(*pairs) for extreme in (min, max)])
    body, top = svg.head(title, stamp, note, [], width)
    side = float(width - 4 * GAP - svg.ticks_width(axis))
    box = svg.Box(GAP + svg.ticks_width(axis), top + 18, GAP + svg.ticks_width(axis) + side, top + 18 + side)
    below, bottom = svg.x_axis(axis, box, x_label)
    body += svg.y_axis(axis, box, y_label) + below + ([] if pairs else [svg.nothing(box)])
    counts = counted(pairs, axis, side)
    body += [svg.series_group(0, drawn(counts, box)), rule(box.left, box.bottom, box.right, box.top, "ink-line",
                                                          stroke_dasharray="4 4")]
    key, bottom = _key(max(counts.values(), default=0), box.left, bottom + 4)
    words = description or f"{y_label} against {x_label}: {len(pairs)} points in {len(counts)} hexagons."
    return svg.document(body + key, width, bottom, title, words)


def counted(pairs, axis, side):
    """Returns {(x, y) of a center, from the lower left corner: how many points are nearest to it}."""
    scale, found = side / (axis.high - axis.low), Counter()
    across = _centers({x for x, _ in pairs}, axis.low, scale, STEP)
    up = _centers({y for _, y in pairs}, axis.low, scale, 2 * ROW)
    for x, y in pairs:
        (x1, left), (x2, right) = across[x]
        (y1, below), (y2, above) = up[y]
        found[(x1, y1) if left + below <= right + above else (x2, y2)] += 1
    return found


def _centers(values, low, scale, step):
    """Returns {value: (center, squared distance to it) in the rows of hexagons with whole steps, likewise in those between}."""
    found = {}
    for value in values:
        at = (value - low) * scale
        whole, between = round(at / step) * step, math.floor(at / step) * step + step // 2
        found[value] = (whole, (whole - at) ** 2), (between, (between - at) ** 2)
    return found


def drawn(counts, box):
    """Returns the hexagons, a path for each shade."""
    paths, most = [[] for _ in SHADES], max(counts.values(), default=1)
    for (x, y), count in sorted(counts.items()):
        paths[shade(count, most)].append(f"M{round(box.left) + x} {round(box.bottom) - y - 6}{HEXAGON}")
    return "".join(tag("path", d="".join(path), fill="currentColor", opacity=str(opacity))
                   for path, opacity in zip(paths, SHADES) if path)


def shade(count, most):
    """Returns which of SHADES a count has: equal steps of its logarithm."""
    return min(len(SHADES) - 1, int(len(SHADES) * math.log(count) / math.log(most))) if most > 1 else len(SHADES) - 1


def _key(most, left, y):
    """(elements, y below them): what the shades mean."""
    body, x = [], left
    for at, opacity in enumerate(SHADES if most > len(SHADES) else ()):
        first = math.ceil(most ** (at / len(SHADES)) - 1e-9)
        body.append(svg.series_group(0, tag("rect", x=x, y=y, width=14, height=10, fill="currentColor", opacity=str(opacity))))
        body.append(label(f"{first}+", x + 18, y + 5, size=SMALL, class_="soft"))
        x += 30 + svg.text_width(f"{first}+", SMALL)
    words = "rows" if body else f"stronger: more rows, at most {most}" if most > 1 else "one row each"
    body.append(label(words, x, y + 5, size=SMALL, class_="soft"))
    return body, y + LINE * SMALL + 4
