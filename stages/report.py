"""report: the page that people look at: OUT/report.html, one file that needs nothing else.

    texts, tables, figures (SVG) -> sections -> page

Examples:
    rows = table(["source", "r2"], [["gCSI", 0.763]], "Mean over splits")
    text = page("CSA of baseline", [("model", "baseline")], [section("Scores", rows)])

What stands in it is run_report.py's (what all workflows share) and csa_report.py's and its like to
say. Every text is escaped unless it is Html. The page is XML as well as HTML, in ASCII; it holds no
script and asks for nothing, not even an icon. Folded details are printed too, by browsers that can
(Chromium 131).
"""
import collections
import re

import axes
import svg

STAMP = "synthetic demo data"       # on every figure of such a run
SYNTHETIC = ("Synthetic demo data: made by a random generator. No number here says anything about a real drug or "
             "cell line.")          # at the head of its page
STYLE = """
:root{color-scheme:light dark;
--ink:#1a1a1a;--soft:#595959;--grid:#d4d4d4;--paper:#fff;--shade:#f4f5f7;--link:#00558a;--mark:#b34700;
--figure-ink:var(--ink);--figure-soft:var(--soft);--figure-grid:var(--grid);--figure-paper:var(--paper)}
@media screen and (prefers-color-scheme:dark){:root{
--ink:#ececec;--soft:#b0b0b0;--grid:#3f4349;--paper:#15181c;--shade:#1f2329;--link:#7cc4f0;--mark:#ff9d5c}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:76rem;background:var(--paper);color:var(--ink);font:1rem/1.5 FONTS}
body{overflow-wrap:anywhere}
h1{font-size:1.6rem;line-height:1.25;margin:.5rem 0}
h2{font-size:1.25rem;line-height:1.3;margin:2.2rem 0 .6rem;padding-top:.6rem;border-top:1px solid var(--grid)}
h3{font-size:1.05rem;margin:1.2rem 0 .4rem}
p,ul{max-width:48rem;margin:.5rem 0}
a{color:var(--link)}
.lead{font-size:1.1rem}
.stamp{border:2px solid var(--mark);border-radius:4px;padding:.5rem .8rem;font-weight:bold}
.soft,caption,figcaption{color:var(--soft)}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.15rem 1rem;margin:1rem 0}
dt{color:var(--soft)}
dd{margin:0}
code,pre{font:.875em/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace}
pre{background:var(--shade);padding:.5rem .7rem;margin:.4rem 0;border-radius:4px;white-space:pre-wrap}
nav ul{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;list-style:none;padding:0;max-width:none}
.scroll{overflow-x:auto;margin:.8rem 0}
.scroll:focus-visible{outline:2px solid var(--link);outline-offset:2px}
table{border-collapse:collapse;font-size:.92rem;font-variant-numeric:tabular-nums}
caption{text-align:left;padding-bottom:.3rem}
caption span{display:inline-block;position:sticky;left:0;max-width:min(48rem,100vw - 2rem)}
th,td{padding:.25rem .8rem .25rem 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--grid)}
th,td{overflow-wrap:break-word;max-width:18rem}
thead th{vertical-align:bottom;border-bottom:2px solid var(--soft);max-width:10rem}
tbody th{font-weight:normal;min-width:4rem}
.number{text-align:right}
td.number{white-space:nowrap}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,27rem),1fr));gap:1rem 2rem;align-items:start}
figure{margin:.8rem 0;min-width:0}
figure svg{display:block}
figcaption{font-size:.92rem;max-width:30rem;margin-top:.3rem}
details{margin:.6rem 0;border:1px solid var(--grid);border-radius:4px;padding:.4rem .8rem}
summary{cursor:pointer;font-weight:bold}
@media (max-width:30rem){dl{display:block}dd{margin:0 0 .5rem}body{padding:.6rem}}
@media print{body{max-width:none;padding:0;font-size:10pt}nav{display:none}
h1,h2,h3,summary,caption{break-after:avoid}figure,tr,pre,.stamp{break-inside:avoid}
.figures{grid-template-columns:1fr 1fr;gap:.5rem 1rem}.scroll{overflow:visible}.scroll>div{min-width:0!important}
table{font-size:8pt}th,td,tbody th{padding-right:.5rem;overflow-wrap:anywhere;min-width:4em}
caption span{max-width:none}
figure svg{max-height:23cm}
details{border:0;padding:0}details::details-content{content-visibility:visible;block-size:auto}}
""".replace("FONTS", svg.FONTS)


class Html(str):
    """Text that is HTML already; every other text is escaped where it is put into a page."""


# ---- small parts

def escape(text):
    """Returns a text as Html that shows it; None and nan are a dash, floats have three digits."""
    if isinstance(text, Html):
        return text
    if text is None or isinstance(text, float):
        text = axes.number(text)
    return Html(svg.escape(text))


def tag(name, content="", **attributes):
    """Returns one element; content that is not Html is escaped, `class_` is class."""
    head = "".join(f' {key.rstrip("_").replace("_", "-")}="{svg.escape(value)}"'
                   for key, value in attributes.items() if value is not None)
    return Html(f"<{name}{head}>{escape(content)}</{name}>")


def joined(parts, between="\n"):
    """Returns parts, each escaped unless it is Html, as one Html."""
    return Html(between.join(map(escape, parts)))


def paragraph(*sentences):
    """Returns sentences (texts or Html; empty ones are left out) as one paragraph."""
    return tag("p", joined(filter(None, sentences), " "))


def items(texts):
    """Returns a list of texts."""
    return tag("ul", joined([tag("li", text) for text in texts])) if texts else Html("")


def details(summary, *parts):
    """Returns what shows when its summary is clicked, and on paper."""
    return Html(f"<details>{tag('summary', summary)}\n{joined(parts)}</details>")


# ---- tables and figures

def table(header, rows, caption=""):
    """Returns a table that scrolls in its own box where it is too wide.

    rows: lists of cells as long as the header; the first names its row. Columns of numbers are
    set to the right; floats have three digits, None and nan are a dash.
    """
    numeric = [any(map(is_number, column)) and all(cell is None or is_number(cell) for cell in column)
               for column in zip(*rows)] or [False] * len(header)
    kinds = ["number" if right else None for right in numeric]
    head = joined([tag("th", breakable(cell), scope="col", class_=kind) for cell, kind in zip(header, kinds)], "")
    body = [joined([tag("th", row[0], scope="row", class_=kinds[0])]
                   + [tag("td", cell, class_=kind) for cell, kind in zip(row[1:], kinds[1:])], "") for row in rows]
    parts = ([tag("caption", tag("span", caption))] if caption else []) + [
        tag("thead", tag("tr", head)), tag("tbody", joined([tag("tr", row) for row in body]))]
    label = caption or f"table of {header[0]}"
    return tag("div", tag("table", joined(parts)), class_="scroll", tabindex=0, role="region", aria_label=label)


def breakable(name):
    """Returns a name that may be broken behind each underscore."""
    return Html(escape(name).replace("_", "_<wbr/>"))


def is_number(cell):
    return isinstance(cell, (int, float)) and not isinstance(cell, bool)


def figure(svg_text, caption=""):
    """Returns an SVG with its caption; one that is wider than usual scrolls before it gets too small."""
    width = re.search(r'viewBox="0 0 (\d+) ', svg_text)
    least = int(0.7 * int(width.group(1))) if width and int(width.group(1)) > 1.1 * svg.WIDTH else None
    drawn = tag("div", Html(svg_text), style=f"min-width:{least}px") if least else Html(svg_text)
    scroll = tag("div", drawn, class_="scroll", tabindex=0, role="region", aria_label=caption) if least else drawn
    return tag("figure", joined([scroll, tag("figcaption", caption)] if caption else [scroll]))


def figures(parts):
    """Returns figures side by side where there is room."""
    return tag("div", joined(parts), class_="figures")


# ---- the page

def section(heading, *parts):
    """Returns a part of the page with its heading, which also stands in the list of contents."""
    name = re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-") or "section"
    return tag("section", joined([tag("h2", heading, id=name), *parts]))


def page(title, head_rows, sections, lead="", stamp=""):
    """Returns the whole file. head_rows: (name, text or Html); lead: what came out, in two sentences;
    stamp: what a reader must not overlook, as that the data are synthetic."""
    sections = with_unique_ids(joined(sections))
    head = [Html('<meta charset="utf-8"/>'),
            Html('<meta name="viewport" content="width=device-width, initial-scale=1"/>'),
            tag("title", title), Html('<link rel="icon" href="data:,"/>'), tag("style", Html(STYLE))]
    rows = joined([joined([tag("dt", name), tag("dd", text)], "") for name, text in head_rows])
    top = [tag("h1", title)] + ([tag("p", stamp, class_="stamp", role="note")] if stamp else [])
    top += [tag("p", lead, class_="lead")] if lead else []
    top += [tag("dl", rows)] if rows else []
    body = tag("main", joined([tag("header", joined(top)), contents(sections), sections]))
    whole = tag("html", joined([tag("head", joined(head)), tag("body", body)]), lang="en")
    return "<!DOCTYPE html>\n" + whole + "\n"


def with_unique_ids(sections):
    """Returns sections (Html) whose headings, which may be any study's name, differ in their ids."""
    seen = collections.Counter()

    def numbered(match):
        seen[match.group(1)] += 1
        return match.group() if seen[match.group(1)] == 1 else f'<h2 id="{match.group(1)}--{seen[match.group(1)]}"'
    return Html(re.sub(r'<h2 id="([^"]*)"', numbered, sections))


def contents(sections):
    """Returns links to the sections."""
    headings = re.findall(r'<h2 id="([^"]*)">(.*?)</h2>', sections)
    links = [tag("a", Html(text), href="#" + name) for name, text in headings]
    return tag("nav", items(links), aria_label="contents") if links else Html("")
