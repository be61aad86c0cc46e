"""charts: every figure of the pages, each a whole <svg> text made from plain numbers and names.

    numbers -> Axis (ticks, coordinates) -> marks, labels, legend -> <svg>

    heatmap     a number for each row and column: source x target
    panels      plots of points and curves: learning curves, true against predicted
    strips      numbers for each name with their median: splits, drugs, ranks of models

The first line of a title is bold; further ones say what the marks are. Colors are attributes, made
for white paper; in a page its style sheet overrides them by class, so that figures are dark in a
dark page. Lengths are CSS pixels. The text is ASCII. Missing numbers (None, nan, infinite) are left
out, or shown as a dash.
"""
import html
import math
import re
import textwrap
from typing import NamedTuple

from stages.stats.generalization import quantile

WIDTH = 480                 # of a figure; still readable when a phone shows it in 340 pixels
SHRINKS = 200               # by how much a narrow screen may shrink it before it scrolls
SMALL = 12                  # of text
LINE = 15                   # height of a line of text, and of a strip or bar
LETTER = 0.62               # estimated width of a letter, of the text's size
GAP = 8
NAMES = 140                 # most that names beside a plot take
TICKS = 50                  # room for the numbers of a y axis
CELL, TALL = 76, 40         # of a heatmap
BELOW = 40                  # room for the numbers and the name of an x axis
MANY = 200                  # points of a strip
PAINT = {"ink": "#1a1a1a", "soft": "#595959", "grid": "#d4d4d4"}
FONTS = "system-ui,'Segoe UI',Roboto,'Helvetica Neue',Arial,'Noto Sans',sans-serif"
# Okabe and Ito, Color Universal Design (2008)
COLORS = "#0072b2 #d55e00 #009e73 #cc79a7 #6b5b00 #56b4e9 #1a1a1a".split()
# from worst to best, in even steps; black or white can be read on each
GOOD = "ebf2f8 c9deee a8cae3 86b6d9 669fca 4587bb 2570ac 1b5b91 124577 08305c".split()
EITHER = "7f3500 b34f00 e08a4c f3be91 f6f6f6 96c4e3 4a9acb 0072b2 003260".split()
DARK = 360                  # sum of red, green and blue below which text is white
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
DASHED = 'stroke-dasharray="5 5"'


def usable(value):
    """Whether a value is a number that can be drawn: not None, nan, infinite or absurd."""
    return isinstance(value, (int, float)) and abs(value) <= 1e100


def number(value, decimals=None, form="#.3g"):
    """Returns a number's text with a minus sign instead of a hyphen; a dash without a number.

    Three digits, such as 0.780, 12.3k, 4.00e-7, or as `form` says (.6g of a tick: 128, 1k, 0.05);
    or so many decimals, as other numbers of the table or figure have.
    """
    if not usable(value):
        return "\u2013"
    if decimals is not None:
        text = f"{round(value, decimals) + 0.0:.{decimals}f}"       # + 0.0: no negative zero
    else:
        for unit in ("", "k", "M", "G"):
            if abs(value) < 999.5 or unit == "G":                   # 999.6 is 1.00k
                break
            value /= 1000
        text = f"{value:{form}}".rstrip(".") + unit
    return re.sub(r"e\+?(-?)0*", r"e\1", text).replace("-", "\u2212")


def decimals(values):
    """Returns how many decimals give most values three digits; None if they need k or exponents."""
    sizes = sorted(abs(value) for value in values if usable(value) and value)
    if not sizes or sizes[-1] >= 999.5 or quantile(sizes, 0.75) < 1e-4:
        return None
    return max(0, 2 - math.floor(math.log10(quantile(sizes, 0.75))))


class Axis:
    """Numbers along a length: `at(value)` is the coordinate of a value. values: what it reaches."""

    def __init__(self, values, start, end, log=False):
        self.start, self.end, self.log = start, end, log
        self.scaled = math.log10 if log else float
        kept = [self.scaled(value) for value in values if self.holds(value)] or [0.0, 1.0]
        low, high = min(kept), max(kept)
        margin = 0.05 * (high - low) or 0.1 * abs(low) or 0.5
        low, high = low - margin, high + margin
        most = 2 + abs(end - start) // 50
        ticks = round_numbers(low, high, most)
        if log and high - low < 1:
            ticks = round_numbers(10 ** low, 10 ** high, most)
        elif log:
            ticks = [float(f"{10 ** power:.0e}") for power in ticks]
        self.low, self.high = low, high
        self.ticks = [tick for tick in ticks if low <= self.scaled(tick) <= high]

    def holds(self, value):
        return usable(value) and (not self.log or value > 1e-100)

    def at(self, value):
        share = (self.scaled(value) - self.low) / (self.high - self.low)
        return self.start + (self.end - self.start) * share


def round_numbers(low, high, most):
    """Returns the multiples of 1, 2 or 5 times a power of ten between two numbers."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(by * power for by in (1, 2, 5, 10) if by * power >= 0.999 * rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{at * step:.12g}") for at in range(first, last + 1)]


def escape(text):
    """Returns a text for XML content and attributes, in ASCII."""
    text = html.escape(NOT_XML.sub("\ufffd", str(text)))
    return text.encode("ascii", "xmlcharrefreplace").decode("ascii")


def wrap(text, width, size=SMALL, most=2):
    """Returns lines of at most `width`, at most `most` of them; an ellipsis ends what is cut."""
    letters = max(4, int(width / (LETTER * size)))
    return textwrap.wrap(str(text), letters, max_lines=most, placeholder="\u2026") or [""]


def label(text, x, y, anchor="start", width=1e4, size=SMALL, ink="ink", style=""):
    """Returns a text around height y in at most two lines. ink: a name of PAINT, or a color."""
    lines = wrap(text, width, size)
    top = y + 0.36 * size - (len(lines) - 1) * LINE / 2
    kind = ink if ink in PAINT else "cell"
    return "".join(
        f'<text x="{x:.1f}" y="{top + at * LINE:.1f}" text-anchor="{anchor}" font-size="{size:g}" '
        f'fill="{PAINT.get(ink, ink)}" class="{kind}" {style}>{escape(line)}</text>'
        for at, line in enumerate(lines) if line)


def rule(x1, y1, x2, y2, ink="grid", style=""):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{ink}-line" '
            f'stroke="{PAINT[ink]}" {style}/>')


def rect(x, y, width, height, style):
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" {style}/>'


def path(steps, width=2.0, style="", fill="none"):
    return (f'<path d="{steps}" stroke="currentColor" stroke-width="{width}" fill="{fill}" '
            f'stroke-linecap="round" {style}/>') if steps else ""


def dots(points, size, style=""):
    """Returns points as one path: a short text, however many they are."""
    return path("".join(f"M{x:.1f} {y:.1f}h0" for x, y in points), size, style)


def series(index, content):
    index %= len(COLORS)
    return f'<g color="{COLORS[index]}" class="s{index}">{content}</g>'


def heading(title, x, y, width, size=SMALL, most=1):
    """Returns (elements, y below them): the first line of a title bold, the others smaller."""
    body, style, ink = [], 'font-weight="bold"', "ink"
    for text in title.splitlines():
        for line in wrap(text, width, size * 1.05, most):
            body.append(label(line, x, y, size=size, ink=ink, style=style))
            y += LINE + 2
        size, style, ink = 11, "", "soft"
    return body, y


def head(title, names=()):
    """Returns (elements, y below them): the title, and the legend of two series or more."""
    body, y = heading(title, GAP, 16, WIDTH - 2 * GAP, 15, 9)
    if len(names) < 2:
        return body, y
    width = min(WIDTH - GAP, 34 + LETTER * SMALL * max(map(len, names)))
    across = WIDTH // width
    for at, name in enumerate(names):
        x, below = GAP + at % across * width, y + at // across * LINE
        body += [series(at, dots([(x + 6, below)], 10)),
                 label(name, x + 17, below, width=width - 22)]
    return body, below + LINE


def document(title, body, height, width=WIDTH):
    return ('<svg xmlns="http://www.w3.org/2000/svg" role="img" class="figure" '
            f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}" '
            f'style="max-width:100%;min-width:{width - SHRINKS:.0f}px;height:auto" '
            f'aria-label="{escape(title)}" font-family="{FONTS}">'
            '<rect width="100%" height="100%" fill="#fff" class="paper"/>'
            + "\n".join(body) + "</svg>\n")


def x_axis(axis, top, bottom, text):
    """Returns grid lines, numbers that do not touch, the axis' name."""
    body, free = [rule(axis.start, bottom, axis.end, bottom, "soft")], 0
    for value in axis.ticks:
        x, shown = axis.at(value), number(value, form=".6g")
        half = LETTER * SMALL * len(shown) / 2
        body.append(rule(x, top, x, bottom))
        if x - half > free:
            body.append(label(shown, x, bottom + 12, "middle", ink="soft"))
            free = x + half + 2
    return body + [label(text, (axis.start + axis.end) / 2, bottom + 28, "middle", ink="soft")]


def names_width(names):
    return 2 * GAP + min(NAMES, 0.7 * SMALL * max(map(len, names), default=0))


def even_ends(values):
    """Returns (-x, x) that hold differences, which are drawn in the colors of EITHER."""
    reach = max(map(abs, filter(usable, values)), default=0) or 1
    return -reach, reach


def heatmap(title, cells, key, ends, stops=GOOD, sides="source \u2193  target \u2192"):
    """cells: {(row, column): (number, smaller text below it)} in order; darker is better, a study
    on itself is framed. key: what the colors mean; ends: (worst, best) number; stops: GOOD, or
    EITHER if two things are compared."""
    rows, columns = map(dict.fromkeys, zip(*cells))
    worst, best = ends
    left, digits = names_width(rows), decimals([value for value, _ in cells.values()])
    body, y = head(f"{title}\n{sides}")
    xs = {name: left + CELL * at for at, name in enumerate(columns)}
    ys = {name: y + 2 * LINE + TALL * at for at, name in enumerate(rows)}
    body += [label(name, x + CELL / 2, y + LINE / 2, "middle", CELL - 4) for name, x in xs.items()]
    body += [label(name, left - 6, y + TALL / 2, "end", left - GAP) for name, y in ys.items()]
    for (row, column), (value, text) in cells.items():
        x, y, ink, paint = xs[column], ys[row], "soft", 'fill="none"'
        if usable(value):
            place = max(0.0, (value - worst) / (best - worst or 1))
            color = stops[int(min(place * len(stops), len(stops) - 1))]
            ink, paint = "#fff" if sum(bytes.fromhex(color)) < DARK else "#000", f'fill="#{color}"'
        if row == column:
            paint += f' stroke="{PAINT["ink"]}" stroke-width="2" class="ink-line"'
        body.append(f"<g>{rect(x + 1, y + 1, CELL - 2, TALL - 2, paint)}"
                    + label(number(value, digits), x + CELL / 2, y + 13, "middle", ink=ink)
                    + label(text, x + CELL / 2, y + 28, "middle", size=9.5, ink=ink) + "</g>")
    y += TALL + 10
    body += [rect(left + 30 * at, y, 30, 10, f'fill="#{color}"') for at, color in enumerate(stops)]
    text = " to ".join(number(end, form=".3g") for end in ends)
    body.append(label(f"{text}; {key}", left, y + 26, width=WIDTH - left, ink="soft"))
    return document(title, body, y + 50, max(WIDTH, left + CELL * len(columns) + GAP))


class Series(NamedTuple):
    """What is drawn in one color. All but the name are lists of (x, y)."""
    name: str
    points: list = []       # small: single results
    medians: list = []      # large
    line: list = []         # solid
    dashed: list = []       # a line beyond the data
    band: list = []         # (x, low, high): shaded


class Panel(NamedTuple):
    """One plot of `panels`; entries: Series."""
    name: str
    entries: list
    log: bool = False       # the x axis


def panels(title, plots, x_label, y_label, y_log=False, across=1):
    """Panels in rows of `across` that share their y axis and their legend."""
    body, y = head(title, [entry.name for entry in plots[0].entries])
    body.append(label(y_label, GAP, y, ink="soft"))
    width, tall = (WIDTH - TICKS) / across, 130 if across > 1 else 280
    above = LINE * (1 + len(plots[0].name.splitlines()))
    ys = [y for plot in plots for _, y in corners(plot)]
    for at, plot in enumerate(plots):
        row, column = divmod(at, across)
        left, top = TICKS + column * width, y + above + row * (above + tall + BELOW)
        right, bottom = left + width - 10, top + tall
        over = Axis([x for x, _ in corners(plot)], left, right, plot.log)
        up = Axis(ys, bottom, top, y_log)
        body += heading(plot.name, left, top - above + LINE, width - 10)[0]
        body += x_axis(over, top, bottom, x_label)
        for value in up.ticks:
            height = up.at(value)
            body += [rule(left, height, right, height),
                     label("" if column else number(value, form=".6g"), left - 5, height, "end",
                           ink="soft")]
        body += [series(place, _marks(entry, over, up)) for place, entry in enumerate(plot.entries)]
    return document(title, body, bottom + BELOW)


def corners(plot):
    """Returns all (x, y) that the Series of a Panel reach."""
    return [(x, y) for entry in plot.entries for marks in entry[1:] for x, *ys in marks for y in ys]


def _marks(entry, over, up):
    def placed(points):
        return [(over.at(x), up.at(y)) for x, y in points if over.holds(x) and up.holds(y)]

    def line(points, *style):
        at = "L".join(f"{x:.1f} {y:.1f}" for x, y in placed(points))
        return path(at and "M" + at, *style)

    outline = [(x, low) for x, low, _ in entry.band] + [
        (x, high) for x, _, high in reversed(entry.band)]
    return (line(outline, 0, 'opacity="0.15"', "currentColor")
            + dots(placed(entry.points), 4, 'opacity="0.65"') + dots(placed(entry.medians), 9)
            + line(entry.line) + line(entry.dashed, 2, DASHED))


def strips(title, rows, x_label):
    """rows: (name, values, series): values as points (of many: every n-th of the sorted ones) on
    the line from the smallest to the largest, with their median. A name that repeats the one above
    is shown once; a series has a color and a place in the legend; 0 is marked."""
    names, samples, kinds = zip(*rows)
    kinds, marks, shown = list(dict.fromkeys(kinds)), [], None
    body, top = head(title, kinds)
    left, y = names_width(names), top
    axis = Axis(sum(samples, []), left, WIDTH - 3 * GAP)
    for name, values, kind in rows:
        if name != shown:
            marks += [rule(GAP, y, axis.end, y), label(name, left - 8, y + LINE, "end", left - GAP)]
            y, shown = y + LINE, name
        found = sorted(axis.at(value) for value in values if usable(value))
        if found:
            points = enumerate(found[::len(found) // MANY + 1])
            drawn = dots([(x, y + at * 2 % 7 - 3) for at, x in points], 4.5, 'opacity="0.6"')
            middle = quantile(found, 0.5)
            marks += [series(kinds.index(kind), drawn + path(
                          f"M{found[0]:.1f} {y:.1f}H{found[-1]:.1f}", 1)),
                      rule(middle, y - 7, middle, y + 7, "ink", 'stroke-width="2"')]
        y += LINE
    body += x_axis(axis, top, y, x_label)
    if axis.low <= 0 <= axis.high:
        body.append(rule(axis.at(0), top, axis.at(0), y, "ink", DASHED))
    return document(title, body + marks, y + BELOW)
