"""charts: every figure of the pages, each a whole <svg> text made from plain numbers and names.

    numbers -> Axis (ticks, coordinates) -> marks, labels, legend -> <svg>

    heatmap     a number for each row and column: source x target
    lines       curves and points: learning curves, best objective so far, coverage against r2
    panels      several small plots of lines: true against predicted, objective against a parameter
    bars        a few numbers for each name
    strips      many numbers for each name with their median: splits, drugs, runtimes
    ranks       the critical-difference diagram (Demsar, JMLR 7, 2006)

Examples:
    heatmap("Mean r2", {("gCSI", "CCLE"): (0.1, "3 splits")}, ends=(0, 1))
    bars("Generalization", [Strip("gCSI", [0.78], "G"), Strip("gCSI", [0.1], "Ga")], "r2")

The first line of a title is bold; further ones say what the marks are. Colors are attributes, made
for white paper; in a page its style sheet overrides them by class, so that figures are dark in a
dark page. Lengths are CSS pixels. The text is ASCII. Missing numbers (None, nan, infinite) are left
out, or shown as a dash.
"""
import html
import itertools
import math
import re
import textwrap
from typing import NamedTuple

from core.text import quantile

WIDTH = 480                 # of a figure; still readable when a phone shows it in 340 pixels
SMALL = 12                  # of text
LINE = 15                   # height of a line of text, and of a strip or bar
LETTER = 0.62               # estimated width of a letter, of the text's size
GAP = 8
NAMES = 140                 # most that names beside a plot take
TICKS = 50                  # room for the numbers of a y axis
CELL, TALL = 76, 40         # of a heatmap
BELOW = 24                  # room for the numbers of an x axis
MANY = 200                  # points of a strip
PAINT = {"ink": "#1a1a1a", "soft": "#595959", "grid": "#d4d4d4"}
FONTS = "system-ui,'Segoe UI',Roboto,'Helvetica Neue',Arial,'Noto Sans',sans-serif"
# Okabe and Ito, Color Universal Design (2008)
COLORS = "#0072b2 #d55e00 #009e73 #cc79a7 #6b5b00 #56b4e9 #1a1a1a".split()
# from worst to best, evenly
GOOD = "ebf2f8 86b6d9 2570ac 08305c"
EITHER = "7f3500 d55e00 f3be91 f6f6f6 96c4e3 0072b2 003260"
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
UNITS = ("", "k", "M", "G")
DASHED = 'stroke-dasharray="5 5"'


# ---- numbers

def usable(value):
    """Whether a value is a number that can be drawn: not None, nan, infinite or absurd."""
    return isinstance(value, (int, float)) and abs(value) <= 1e100


def number(value, decimals=None):
    """Returns three significant digits, such as 0.780, 12.3k, 4.00e-7; a dash without a number.

    decimals: how many there are instead, so that the numbers of a table or figure have as many.
    """
    if not usable(value):
        return "\u2013"
    if decimals is None:
        return _short(value, "#.3g")
    text = f"{value:.{decimals}f}"
    return _minus(text if text.strip("-0.") else text.lstrip("-"))


def tick_label(value):
    """Returns a tick's number, as short as it can be: 128, 1k, 0.05."""
    return _short(value, ".6g")


def _short(value, form):
    """Returns a number with a unit of UNITS, or an exponent."""
    if not value:
        return "0"
    step = max(0, int(math.log10(1.0005 * abs(value)) // 3))    # 999.6 is 1.00k
    if step >= len(UNITS):
        return _minus(f"{value:{form}}")
    return _minus(f"{value / 1000 ** step:{form}}".rstrip(".") + UNITS[step])


def _minus(text):
    """Returns a number's text with minus signs instead of hyphens; 4.00e-7 of 4.00e-07."""
    return re.sub(r"e\+?(-?)0*", r"e\1", text).replace("-", "\u2212")


def decimals(values):
    """Returns how many decimals give most of the values three significant digits; None if they
    need k, M or exponents."""
    sizes = sorted(abs(value) for value in values if usable(value) and value)
    larger = quantile(sizes, 0.75) if sizes else 0
    if larger < 1e-4 or sizes[-1] >= 999.5:
        return None
    return max(0, 2 - math.floor(math.log10(larger)))


# ---- the axis

class Axis:
    """Numbers along a length: `at(value)` is the coordinate of a value."""

    def __init__(self, values, start, end, kind="linear", most=6):
        """values: what the axis reaches; kind: linear or log; most: ticks."""
        self.start, self.end, self.log = start, end, kind == "log"
        kept = [self._scaled(value) for value in values if self.holds(value)] or [0.0, 1.0]
        low, high = min(kept), max(kept)
        margin = 0.05 * (high - low)
        if margin <= 1e-10 * max(abs(low), abs(high)):      # one value, or equal ones
            margin = 0.1 if self.log else 0.1 * abs(low) or 0.5
        self.low, self.high = low - margin, high + margin
        self.ticks = [tick for tick in self._ticks(most)
                      if self.low <= self._scaled(tick) <= self.high]

    def holds(self, value):
        return usable(value) and (not self.log or value > 1e-100)

    def at(self, value):
        share = (self._scaled(value) - self.low) / (self.high - self.low)
        return self.start + (self.end - self.start) * share

    def _scaled(self, value):
        return math.log10(value) if self.log else value

    def _ticks(self, most):
        if not self.log:
            return round_numbers(self.low, self.high, most)
        if self.high - self.low < 1:
            return round_numbers(10 ** self.low, 10 ** self.high, most)
        return [float(f"{10 ** power:.0e}") for power in round_numbers(self.low, self.high, most)]


def round_numbers(low, high, most):
    """Returns the multiples of 1, 2 or 5 times a power of ten between two numbers."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(by * power for by in (1, 2, 5, 10) if by * power >= 0.999 * rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{at * step:.12g}") for at in range(first, last + 1)]


# ---- elements

def escape(text):
    """Returns a text for XML content and attributes, in ASCII."""
    text = html.escape(NOT_XML.sub("\ufffd", str(text)))
    return text.encode("ascii", "xmlcharrefreplace").decode("ascii")


def wrap(text, width, size=SMALL, most=3):
    """Returns lines of at most `width`, at most `most` of them; an ellipsis ends what is cut."""
    letters = max(4, int(width / (LETTER * size)))
    return textwrap.wrap(str(text), letters, max_lines=most, placeholder="\u2026") or [""]


def label(text, x, y, anchor="start", width=1e4, size=SMALL, ink="ink", most=3, style=""):
    """Returns a text around height y, in lines of at most `width`; if it is cut, all of it shows on
    hovering. ink: ink, soft, or a color."""
    lines = wrap(text, width, size, most)
    top = y + 0.36 * size - (len(lines) - 1) * LINE / 2
    kind = ink if ink in PAINT else "cell"
    drawn = "".join(
        f'<text x="{x:.1f}" y="{top + at * LINE:.1f}" text-anchor="{anchor}" font-size="{size:g}" '
        f'fill="{PAINT.get(ink, ink)}" class="{kind}" {style}>{escape(line)}</text>'
        for at, line in enumerate(lines) if line)
    if lines[-1].endswith("\u2026"):
        return f"<g><title>{escape(text)}</title>{drawn}</g>"
    return drawn


def rule(x1, y1, x2, y2, ink="grid", style=""):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{ink}-line" '
            f'stroke="{PAINT[ink]}" {style}/>')


def rect(x, y, width, height, style='fill="currentColor"'):
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" {style}/>'


def path(steps, width=2.0, style="", fill="none"):
    return (f'<path d="{steps}" stroke="currentColor" stroke-width="{width}" fill="{fill}" '
            f'stroke-linecap="round" {style}/>') if steps else ""


def dots(points, size=4.0, style=""):
    """Returns points as one path: a short text, however many they are."""
    return path("".join(f"M{x:.1f} {y:.1f}h0" for x, y in points), size, style)


def series(index, content):
    """Returns content in the color of a series."""
    index %= len(COLORS)
    return f'<g color="{COLORS[index]}" class="s{index}">{content}</g>' if content else ""


def heading(title, x, y, width, size, most=9):
    """Returns (elements, y below them): the first line of a title bold, the others smaller."""
    body, style, ink, small = [], 'font-weight="bold"', "ink", min(size - 1, SMALL)
    for text in title.splitlines():
        for line in wrap(text, width, size * 1.05, most):
            body.append(label(line, x, y, size=size, ink=ink, style=style))
            y += size + 5
        size, style, ink = small, "", "soft"
    return body, y


def head(title, entries=()):
    """Returns (elements, y below them): the title, and the legend of two series or more."""
    body, y = heading(title, GAP, 16, WIDTH - 2 * GAP, 15)
    x, y, room = GAP, y + 2, WIDTH - 5 * GAP
    for at, name in enumerate(entries if len(entries) > 1 else ()):
        needed = LETTER * SMALL * len(wrap(name, room, most=1)[0]) + 24
        if x > GAP and x + needed > WIDTH:
            x, y = GAP, y + LINE
        body += [series(at, dots([(x + 6, y)], 10)), label(name, x + 17, y, width=room, most=1)]
        x += needed + GAP
    return body, y + LINE * (x > GAP)


def document(title, body, height, width=WIDTH):
    """Returns the whole figure."""
    return ('<svg xmlns="http://www.w3.org/2000/svg" role="img" class="figure" '
            f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}" '
            f'style="max-width:100%;height:auto" aria-label="{escape(title)}" '
            f'font-family="{FONTS}">'
            '<rect width="100%" height="100%" fill="#fff" class="paper"/>'
            + "\n".join(body) + "</svg>\n")


def x_axis(axis, top, bottom, text=""):
    """Returns grid lines, ticks that do not touch, the axis' name."""
    body, free = [rule(axis.start, bottom, axis.end, bottom, "soft")], 0
    for value in axis.ticks:
        x, half = axis.at(value), LETTER * SMALL * len(tick_label(value)) / 2
        body.insert(0, rule(x, top, x, bottom))
        if x - half > free:
            body.append(label(tick_label(value), x, bottom + 12, "middle", ink="soft"))
            free = x + half + 2
    return body + [label(text, (axis.start + axis.end) / 2, bottom + 28, "middle", ink="soft")]


def y_axis(axis, left, right):
    """Returns grid lines and ticks at the left."""
    body = [rule(left, axis.start, left, axis.end, "soft")]
    for value in axis.ticks:
        y = axis.at(value)
        body += [rule(left, y, right, y), label(tick_label(value), left - 5, y, "end", ink="soft")]
    return body


def names_width(names):
    """Returns the room at the left that names take."""
    return 2 * GAP + min(NAMES, 0.7 * SMALL * max([len(str(name)) for name in names], default=0))


# ---- heatmap

def color_of(value, worst, best, stops=GOOD):
    """Returns (red, green, blue); None without a number."""
    if not usable(value):
        return None
    stops = list(map(bytes.fromhex, stops.split()))
    place = (len(stops) - 1) * min(1.0, max(0.0, (value - worst) / (best - worst or 1)))
    at = min(int(place), len(stops) - 2)
    return tuple(round(a + (place - at) * (b - a)) for a, b in zip(stops[at], stops[at + 1]))


def heatmap(title, cells, key="", ends=None, stops=GOOD, sides="source \u2193  target \u2192"):
    """cells: {(row, column): (number, smaller text below it)} in order; darker is better.

    key: what the colors mean; ends: (worst, best), the smallest and the largest number without it;
    stops: GOOD, or EITHER if two things are compared.
    """
    rows, columns = (list(dict.fromkeys(names)) for names in zip(*cells))
    known = [value for value, _ in cells.values() if usable(value)] or [0.0]
    ends = ends or (min(known), max(known))
    left, digits = names_width(rows), decimals(known)
    body, y = head(title)
    body.append(label(sides, GAP, y, ink="soft"))
    top = y + 3 * LINE
    body += [label(name, left + CELL * (at + 0.5), top - 1.3 * LINE, "middle", CELL - 4, most=2)
             for at, name in enumerate(columns)]
    body += [label(name, left - 6, top + TALL * (at + 0.5), "end", left - GAP, most=2)
             for at, name in enumerate(rows)]
    body += [_cell(number(value, digits), text, color_of(value, *ends, stops), row == column,
                   left + CELL * columns.index(column), top + TALL * rows.index(row))
             for (row, column), (value, text) in cells.items()]
    bottom = top + TALL * len(rows) + 10
    worst, best = (("\u2264 " * (min(known) < end == min(ends))) + tick_label(float(f"{end:.3g}"))
                   for end in ends)
    body += _key(f"{worst} to {best}{key and '; '}{key}", stops, left, bottom)
    return document(title, body, bottom + 50, max(WIDTH, left + CELL * len(columns) + GAP))


def _key(text, stops, left, y):
    """Returns the colors from worst to best, and what they mean."""
    reach = min(400.0, WIDTH - left - GAP)
    colors = [color_of(at, 0, 39, stops) for at in range(40)]
    return [rect(left + reach * at / 40, y, reach / 40 + 0.5, 10, f'fill="rgb{color}"')
            for at, color in enumerate(colors)] + [
                label(text, left, y + 26, width=reach, ink="soft", most=2)]


def _cell(words, second, color, is_marked, x, y):
    """Returns a number on its color, in a frame if it is marked: a study on itself."""
    ink, paint = "soft", f'fill="none" stroke="{PAINT["grid"]}" class="grid-line"'
    if color:
        ink, paint = "#000" if light(color) > 0.18 else "#fff", f'fill="rgb{color}"'
    drawn = rect(x + 0.5, y + 0.5, CELL - 1, TALL - 1, paint)
    if is_marked and color:
        drawn += rect(x + 2, y + 2, CELL - 4, TALL - 4, f'fill="none" stroke="{ink}"')
    x, y = x + CELL / 2, y + TALL / 2
    drawn += label(words, x, y - 8 * bool(second), "middle", ink=ink)
    return f"<g>{drawn}{label(second, x, y + 8, 'middle', size=9.5, ink=ink)}</g>"


def light(color):
    """Returns the relative luminance of (red, green, blue), as WCAG 2 has it; 0.18 is as far from
    black as from white."""
    red, green, blue = (part / 3294.6 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4
                        for part in color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


# ---- lines

class Series(NamedTuple):
    """What is drawn in one color. All but the name are lists of (x, y)."""
    name: str
    points: list = []       # small: single results; those without y are crosses at the top
    medians: list = []      # large
    line: list = []         # solid
    dashed: list = []       # a line beyond the data
    band: list = []         # (x, low, high): shaded


class Panel(NamedTuple):
    """One plot of `panels`."""
    name: str
    entries: list
    scale: str = "linear"

    def corners(self):
        """Returns all (x, y) that its Series reach."""
        return [pair for entry in self.entries for pair in (
            *entry.points, *entry.medians, *entry.line, *entry.dashed,
            *[(x, y) for x, *ends in entry.band for y in ends])]


def lines(title, entries, x_label="", y_label="", x_scale="linear", y_scale="linear"):
    """Curves and points of several Series in one plot; scales are linear or log."""
    return panels(title, [Panel("", entries, x_scale)], x_label, y_label, y_scale, 1, 280)


def panels(title, plots, x_label="", y_label="", y_scale="linear", across=3, tall=100):
    """Panels in rows of `across` that share their y axis."""
    names = dict.fromkeys(entry.name for plot in plots for entry in plot.entries)
    body, y = head(title, list(names) if across == 1 else ())
    body.append(label(y_label, GAP, y, ink="soft"))
    y, step = y + LINE * bool(y_label), (WIDTH - TICKS) / across
    ys = [y for plot in plots for _, y in plot.corners()]
    for first in range(0, len(plots), across):
        row = plots[first:first + across]
        top = y + LINE * len(row[0].name.splitlines()) + 8
        up, bottom = Axis(ys, top + tall, top, y_scale, 2 + tall // 50), top + tall
        body += y_axis(up, TICKS, TICKS + step - 10)
        for at, plot in enumerate(row):
            left, right = TICKS + at * step, TICKS + (at + 1) * step - 10
            over = Axis([x for x, _ in plot.corners()], left, right, plot.scale, 8 // across + 1)
            body += heading(plot.name, left, y + 4, step - 10, SMALL, 1)[0]
            body += x_axis(over, top, bottom) + _marks(plot.entries, over, up)
        y = bottom + BELOW
    body.append(label(x_label, (TICKS + WIDTH) / 2, y + 4, "middle", ink="soft"))
    return document(title, body, y + LINE * bool(x_label) + 4)


def _marks(entries, over, up):
    """Returns the marks of Series, those of all in one layer before the next."""
    def placed(points):
        return [(over.at(x), up.at(y)) for x, y in points if over.holds(x) and up.holds(y)]

    def line(points, *style):
        at = "L".join(f"{x:.1f} {y:.1f}" for x, y in placed(points))
        return path(at and "M" + at, *style)

    layers = []
    for entry in entries:
        outline = [(x, low) for x, low, _ in entry.band]
        outline += [(x, high) for x, _, high in reversed(entry.band)]
        crosses = "".join(f"M{over.at(x) - 3:.1f} {up.end + 3:.1f}l6 6m0-6l-6 6"
                          for x, y in entry.points if y is None and over.holds(x))
        size = 2.6 if len(entry.points) > 99 else 4
        layers.append([line(outline, 0, 'opacity="0.15"', "currentColor"),
                       dots(placed(entry.points), size, 'opacity="0.65"') + path(crosses),
                       line(entry.line) + line(entry.dashed, 2, DASHED),
                       dots(placed(entry.medians), 9)])
    return [series(at, marks) for layer in zip(*layers) for at, marks in enumerate(layer)]


# ---- names at the left, numbers along: bars, strips, ranks

class Strip(NamedTuple):
    """One row of a figure; rows of the same `series` share color and legend entry."""
    name: str
    values: list
    series: str = ""


def _rows(title, rows, draw, x_label, marked=(), room=0, kind="linear"):
    """Returns a figure of Strips. draw(strip, axis, y) returns its marks around a height.

    marked: values at which a line is drawn; room: at the right, for numbers. A name that repeats
    the one above is shown once.
    """
    kinds = list(dict.fromkeys(row.series for row in rows))
    groups = [list(group) for _, group in itertools.groupby(rows, lambda row: row.name)]
    body, y = head(title, kinds)
    left, bottom = names_width([row.name for row in rows]), y + LINE * (len(rows) + len(groups))
    axis = Axis([*marked, *[value for row in rows for value in row.values]], left,
                WIDTH - 2 * GAP - room, kind)
    body += x_axis(axis, y, bottom, x_label)
    body += [rule(axis.at(value), y, axis.at(value), bottom, "ink", DASHED) for value in marked]
    for group in groups:
        tall = LINE * (len(group) + 1)
        body += [rule(GAP, y, axis.end, y), label(group[0].name, left - 8, y + tall / 2, "end",
                                                  left - GAP, most=tall // LINE)]
        body += [series(kinds.index(row.series), draw(row, axis, y + LINE * at))
                 for at, row in enumerate(group, 1)]
        y += tall
    return document(title, body, bottom + BELOW + LINE)


def bars(title, rows, x_label="", start=0):
    """Horizontal bars from `start` to the value of a Strip, or from its first value to its last."""
    digits = decimals([row.values[-1] for row in rows])

    def draw(row, axis, y):
        ends = [axis.at(value) for value in [start, *row.values][-2:] if usable(value)]
        text = "" if row.values[1:] else number(row.values[0], digits)
        return rect(min(ends), y - 6, max(ends) - min(ends), 12) + label(text, max(ends) + 4, y)
    return _rows(title, rows, draw, x_label, [start], 40)


def strips(title, rows, x_label="", x_scale="linear", marked=()):
    """Each Strip's values as points (of many: every n-th of the sorted ones) with their median.

    marked: values at which a line is drawn.
    """
    def draw(row, axis, y):
        found = sorted(axis.at(value) for value in row.values if axis.holds(value))
        if not found:
            return ""
        shown = enumerate(found[::len(found) // MANY + 1])
        middle = quantile(found, 0.5)
        return dots([(x, y + at * 2 % 7 - 3) for at, x in shown], 4.5, 'opacity="0.6"') + rule(
            middle, y - 7, middle, y + 7, "ink", 'stroke-width="2"')
    return _rows(title, rows, draw, x_label, marked, kind=x_scale)


def ranks(title, ranked, groups):
    """Models by average rank, 1 is best. ranked: {model: its rank}; groups: lists of models that do
    not differ, each with a bar below."""
    rows = [Strip(name, [ranked[name]], "average rank") for name in sorted(ranked, key=ranked.get)]
    rows += [Strip("", sorted(ranked[name] for name in group)[::len(group) - 1], "no difference")
             for group in groups]
    return bars(title, rows, "average rank, 1 is best", 1)
