"""svg: the parts of a figure as SVG text: measured and wrapped text, drawn axes, markers, heads, the document.

an Axis (axes.py) and names --> ticks, wrapped labels --> elements (texts) --> one whole <svg>
charts.py and heatmap.py draw the figures with these parts.

Examples:
    rect = tag("rect", x=1, y=2, width=30, height=4, fill="currentColor")
    wrap("a_long_name_of_a_study", 90)              # lines of at most 90 units
    text = document([rect], 560, 300, "A title", "What is to be seen")

A figure stands alone or inside a page, light, dark or on paper. Its colors are the CSS variables --figure-ink, -soft,
-grid and -paper if the page sets them, otherwise chosen by prefers-color-scheme. Every figure carries the same
style, and ids come from its content, so figures in one page do not disturb each other. The text is pure ASCII (other
characters as numeric references): it survives any encoding. Lengths are in user units, one CSS pixel at full size.
"""
import functools
import re
import unicodedata
import zlib
from typing import NamedTuple

from report.axes import place

SIZE = 13  # of text
SMALL = 12  # of tick labels, names and notes
TITLE_SIZE = 15
BOLD = 1.1  # bold text is about this much wider
LINE = 1.25  # line height, of the text size
GAP = 8  # between neighbouring things
NAME_WIDTH = 150  # most that names beside a plot take
NAME_LINES = 6  # most lines of a name beside a plot
WIDTH = 480  # of a figure; text is still readable when a phone shows it in 340 pixels
FONTS = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,'Noto Sans',sans-serif"
INK = "#1a1a1a"
# Okabe and Ito, Color Universal Design (2008), those with most contrast first: on white, and where they differ on dark.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", INK, "#e69f00", "#56b4e9")
ON_DARK = {0: "#56b4e9", 4: "#ececec", 6: "#f0e442"}
MARKERS = (  # outlines around (0, 0), about 2 wide
    "M-.95 0a.95 .95 0 1 0 1.9 0a.95 .95 0 1 0-1.9 0Z", "M-.85-.85H.85V.85H-.85Z", "M0-1.1L1.05.8H-1.05Z",
    "M0-1.25L1.05 0L0 1.25L-1.05 0Z", "M-.4-1.15H.4V-.4H1.15V.4H.4V1.15H-.4V.4H-1.15V-.4H-.4Z", "M0 1.1L1.05-.8H-1.05Z",
    "M-1.05-.6L-.6-1.05L0-.45L.6-1.05L1.05-.6L.45 0L1.05.6L.6 1.05L0 .45L-.6 1.05L-1.05.6L-.45 0Z")

LIGHT = ("#1a1a1a", "#595959", "#dddddd", "#ffffff")
DARK = ("#ececec", "#b0b0b0", "#3f4349", "#15181c")
WORD = re.compile(r"[^\s_\-/.,:]*[\s_\-/.,:]+|[^\s_\-/.,:]+")  # a line may be broken behind it
PLAIN = re.compile(r"[\w .,:;#()+/=%*-]*\Z", re.ASCII)       # has nothing to escape
VARIABLES = ("ink", "soft", "grid", "paper")


def _style():
    """The style sheet of every figure; renderers without CSS variables fall back to the elements' own attributes."""
    def theme(colors, series):
        names = ["--f-{0}:var(--figure-{0},{1});".format(*pair) for pair in zip(VARIABLES, colors)]
        names += ["--f-{}:{};".format(i, series[i]) for i in sorted(ON_DARK)]
        return ".improve-figure{" + "".join(names) + "}"
    light, dark = theme(LIGHT, COLORS), theme(DARK, ON_DARK)
    fill_and_line = ".improve-figure .{0}{{fill:var(--f-{0})}}.improve-figure .{0}-line{{stroke:var(--f-{0})}}"
    uses = "".join(fill_and_line.format(name) for name in VARIABLES)
    uses += "".join(".improve-figure .series-{0}{{color:var(--f-{0})}}".format(i) for i in sorted(ON_DARK))
    return light + "@media (prefers-color-scheme:dark){" + dark + "}@media print{" + light + "}" + uses


# Text

def escape(text):
    """`text` for XML content and attributes, in ASCII; characters that XML forbids become the replacement character."""
    text = str(text)
    if PLAIN.match(text):       # nearly every text of a figure
        return text
    text = re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;")):
        text = text.replace(character, entity)
    return text.encode("ascii", "xmlcharrefreplace").decode("ascii")


def text_width(text, size=SIZE):
    """Estimated width, rather too wide than too narrow: system fonts differ, the wide one is DejaVu Sans."""
    return size * sum(map(_character_width, text))


@functools.lru_cache(maxsize=4096)
def _character_width(character):
    if unicodedata.combining(character):
        return 0.0
    if character in "fijlrtI.,:;!|'()[] /-":
        return 0.41
    if character in "mwMW@%":
        return 1.0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.05
    return 0.73 if character.isupper() else 0.64


def wrap(text, width, size=SIZE, most_lines=99):
    """Lines of `text` no wider than `width`, broken behind spaces and _-/.,: or, in a long word, anywhere.

    What does not fit into `most_lines` is cut, with an ellipsis.
    """
    lines = [""]
    for word in WORD.findall(" ".join(str(text).split())):
        if lines[-1] and text_width((lines[-1] + word).rstrip(), size) > width:
            lines.append("")
        for character in word:
            if lines[-1] and text_width((lines[-1] + character).rstrip(), size) > width:
                lines.append("")
            lines[-1] += character
    if len(lines) > most_lines:
        lines = lines[:most_lines - 1] + [_cut("".join(lines[most_lines - 1:]), width, size)]
    return [line.strip() for line in lines if line.strip()] or [""]


def _cut(text, width, size):
    while text and text_width(text + "\u2026", size) > width:
        text = text[:-1]
    return text + "\u2026"


# Elements

class Box(NamedTuple):
    """The rectangle that is plotted in."""
    left: float
    top: float
    right: float
    bottom: float


def tag(name, content="", **attributes):
    """One element as text; `class_` is class, an underscore a hyphen, None leaves an attribute out."""
    pairs = [f' {_attribute_name(key)}="{_attribute(value)}"' for key, value in attributes.items() if value is not None]
    head = "<" + name + "".join(pairs)
    return "{}>{}</{}>".format(head, content, name) if content else head + "/>"


@functools.lru_cache(maxsize=None)
def _attribute_name(key):
    return key.rstrip("_").replace("_", "-")


def _attribute(value):
    if not isinstance(value, float):
        return escape(value)
    text = "%.1f" % value
    if text.endswith(".0"):
        text = text[:-2]
    return "0" if text == "-0" else text


def label(text, x, y, anchor="start", size=SIZE, class_="ink", **attributes):
    """A line of text, `y` at the middle of its height."""
    return tag("text", escape(text), x=float(x), y=float(y + 0.36 * size), text_anchor=anchor, font_size=size,
               class_=class_, **attributes)


def lines_of_text(lines, x, y, anchor="start", size=SIZE, class_="ink", **attributes):
    """Lines under one another, centered at height `y`."""
    top = y - (len(lines) - 1) / 2 * LINE * size
    return "".join(label(line, x, top + i * LINE * size, anchor, size, class_, **attributes)
                   for i, line in enumerate(lines))


def rule(x1, y1, x2, y2, class_="grid-line", **attributes):
    """A straight line."""
    stroke = {"grid-line": LIGHT[2], "ink-line": LIGHT[0], "soft-line": LIGHT[1]}.get(class_, "currentColor")
    return tag("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=class_, stroke=stroke,
               **attributes)


def curve(points, **attributes):
    """A line through points (x, y), in the color of its series."""
    steps = " ".join("{:.1f},{:.1f}".format(x, y) for x, y in points)
    return tag("polyline", points=steps, fill="none", stroke="currentColor", stroke_linejoin="round", **attributes)


def marker(index, x, y, size, **attributes):
    """The marker of series `index`, `size` its half width; when colors begin again, markers are shifted."""
    place_and_size = "translate({:.1f} {:.1f}) scale({:g})".format(x, y, size)
    return tag("path", d=MARKERS[(index + index // len(COLORS)) % len(MARKERS)], transform=place_and_size, **attributes)


def series_group(index, content):
    """`content` in the color of series `index`."""
    index %= len(COLORS)
    return tag("g", content, color=COLORS[index], class_="series-{}".format(index) if index in ON_DARK else None)


# Heads, names, axes

def head(title, stamp, note, legend, width):
    """(elements, height) of what is above the plot; `legend` has (name, key) entries, see `marker_key`."""
    body, y = [], 8 + TITLE_SIZE * 0.7
    for line in wrap(title, (width - 2 * GAP) / BOLD, TITLE_SIZE) if title else []:
        body.append(label(line, GAP, y, size=TITLE_SIZE, font_weight="bold"))
        y += LINE * TITLE_SIZE
    if stamp:
        body.append(_stamp(stamp, y + 5, width))
        y += 29
    for line in wrap(note, width - 2 * GAP, SMALL) if note else []:
        body.append(label(line, GAP, y, size=SMALL, class_="soft"))
        y += LINE * SMALL
    keys, y = _legend(legend, y + 2, width)
    return body + keys, y


def _stamp(text, y, width):
    text = wrap(text, (width - 4 * GAP) / BOLD, SMALL, 1)[0]
    frame = tag("rect", x=float(GAP), y=y - 10, width=BOLD * text_width(text, SMALL) + 16, height=20, rx=3, fill="none",
                stroke=LIGHT[0], stroke_width=1.5, class_="ink-line")
    return frame + label(text, GAP + 8, y, size=SMALL, font_weight="bold")


def _legend(entries, y, width):
    """(elements, y below them): entries one after another, in as many rows as they need."""
    body, x = [], GAP
    for name, key in entries:
        lines = wrap(name, width - 5 * GAP, SMALL)
        needed = max(text_width(line, SMALL) for line in lines) + 28
        if x > GAP and x + needed > width - GAP:
            x, y = GAP, y + LINE * SMALL
        body.append(tag("g", key, transform="translate({:.1f} {:.1f})".format(x + 11, y)))
        body.append(lines_of_text(lines, x + 26, y + (len(lines) - 1) * LINE * SMALL / 2, size=SMALL))
        x, y = x + needed + 2 * GAP, y + (len(lines) - 1) * LINE * SMALL
    return body, y + (LINE * SMALL if entries else 0)


def marker_key(index):
    """The sign of series `index` in the legend: a drawing around (0, 0), at most 22 wide."""
    return series_group(index, marker(index, 0, 0, 5, fill="currentColor"))


def named(text, lines, x, y, anchor, **attributes):
    """A wrapped name; if it is cut, the whole of it shows on hovering."""
    drawn = lines_of_text(lines, x, y, anchor, SMALL, **attributes)
    return tag("g", tag("title", escape(text)) + drawn) if lines[-1].endswith("\u2026") else drawn


def names_left(names, width):
    """(lines of each name, width they take) beside a plot."""
    most = min(NAME_WIDTH, 0.32 * width)
    lines = [wrap(name, most, SMALL, NAME_LINES) for name in names]
    return lines, max([text_width(line, SMALL) for name in lines for line in name], default=0)


def names_above(names, step):
    """(lines of each name, upright, height) for columns `step` wide: wrapped if the words fit, else turned upright."""
    lines = [wrap(name, step - 4, SMALL) for name in names]
    words = [word for name in names for word in WORD.findall(str(name))]
    if all(len(name) <= 3 for name in lines) and all(text_width(word.strip(), SMALL) <= step - 4 for word in words):
        return lines, False, max(map(len, lines), default=1) * LINE * SMALL
    most = max(1, int((step - 2) / (LINE * SMALL)))
    lines = [wrap(name, NAME_WIDTH, SMALL, most) for name in names]
    return lines, True, max([text_width(line, SMALL) for name in lines for line in name], default=0) + 4


def names_along(names, centers, step, y, above):
    """(elements, height): names above height y, or below it."""
    lines, upright, height = names_above(names, step)
    body = []
    for text, name, x in zip(names, lines, centers):
        if upright:
            turn = "rotate(-90 {:.1f} {:.1f})".format(x, y)
            body.append(tag("g", named(text, name, x, y, "start" if above else "end"), transform=turn))
        else:
            middle = len(name) * LINE * SMALL / 2
            body.append(named(text, name, x, y - middle if above else y + middle, "middle"))
    return body, height


def y_axis(axis, box, text="", above=0):
    """Grid lines and labels left of the box, the axis' name over it and what is `above` it."""
    body = [label(text, box.left, box.top - above - 10, "start", SMALL, "soft")] if text else []
    for value, words in axis.ticks:
        y = place(axis, value, box.bottom, box.top)
        body += [rule(box.left, y, box.right, y), label(words, box.left - 5, y, "end", SMALL, "soft")]
    return body + [rule(box.left, box.top, box.left, box.bottom, "soft-line")]


def x_axis(axis, box, text=""):
    """(elements, y below them): grid lines, those labels that do not touch, the axis' name."""
    body, free = [rule(box.left, box.bottom, box.right, box.bottom, "soft-line")], -1e9
    y = box.bottom + 12
    for value, words in axis.ticks:
        x, half = place(axis, value, box.left, box.right), text_width(words, SMALL) / 2
        body.insert(0, rule(x, box.top, x, box.bottom))
        if x - half > free:
            body.append(label(words, x, y, "middle", SMALL, "soft"))
            free = x + half + 6
    for line in wrap(text, box.right - box.left, SMALL) if text else []:
        y += LINE * SMALL
        body.append(label(line, (box.left + box.right) / 2, y, "middle", SMALL, "soft"))
    return body, y + 1.5 * GAP


def ticks_width(axis):
    return max([text_width(words, SMALL) for _, words in axis.ticks], default=0) + 6


def nothing(box):
    return label("no data", (box.left + box.right) / 2, (box.top + box.bottom) / 2, "middle", class_="soft")


def document(body, width, height, title, description):
    """The whole figure: a list of elements on paper, with title and description for those who cannot see it."""
    body = "".join(body)
    key = "{:08x}".format(zlib.crc32((title + description + body).encode("utf-8", "surrogatepass")))
    names = tag("title", escape(title) or "figure", id="title-" + key) + tag("desc", escape(description) or "figure",
                                                                            id="desc-" + key)
    paper = tag("rect", width="100%", height="100%", fill=LIGHT[3], class_="paper")
    return tag("svg", names + tag("style", _style()) + paper + tag("g", body, fill=INK) + "\n",
               xmlns="http://www.w3.org/2000/svg", viewBox="0 0 {:.0f} {:.0f}".format(width, height),
               width="{:.0f}".format(width), height="{:.0f}".format(height), style="max-width:100%;height:auto",
               role="img", aria_labelledby="title-{0} desc-{0}".format(key), class_="improve-figure",
               font_family=FONTS) + "\n"
