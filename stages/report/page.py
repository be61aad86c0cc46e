"""page: the page that people look at: OUT/report.html, one file that needs nothing else.

    texts, tables, figures (SVG) -> sections -> page

Examples:
    rows = table(["source", "r2"], [["gCSI", 0.763]], "Mean over splits")
    text = page("CSA of baseline", [("model", "baseline")], [section("Scores", rows)])

What is in it, report/run.py (what all workflows share) and report/csa.py and its like decide. Every text is escaped unless it is
Html. The page is XML as well as HTML, in ASCII; it holds no script and asks for nothing, not even an icon. Folded details are
printed too, by browsers that can (Chromium 131).
"""
import collections
import re

from report import axes
from report import svg

STAMP = "synthetic demo data"       # on every figure of such a run
SYNTHETIC = ("Synthetic demo data: made by a random generator. No number here says anything about a real drug or "
             "cell line.")          # at the head of its page
WIDE = 8                            # columns of a table; more are printed smaller
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
ol{padding-left:1.5rem}
a{color:var(--link)}
.lead{font-size:1.1rem}
.stamp{border:2px solid var(--mark);border-radius:4px;padding:.5rem .8rem;font-weight:bold}
.soft,caption,figcaption{color:var(--soft)}
dl{display:grid;grid-template-columns:fit-content(13rem) minmax(0,1fr);gap:.15rem 1rem;margin:1rem 0}
dt{color:var(--soft)}
dd{margin:0}
code,pre{font:.875em/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace}
pre{background:var(--shade);padding:.5rem .7rem;margin:.4rem 0;border-radius:4px;white-space:pre-wrap}
.option{display:inline-block;max-width:100%}
nav ul{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;list-style:none;padding:0;max-width:none}
.scroll{container-type:inline-size;overflow-x:auto;margin:.8rem 0;
background-repeat:no-repeat;background-attachment:local,local,scroll,scroll;
background-image:linear-gradient(90deg,var(--paper) 50%,transparent),linear-gradient(270deg,var(--paper) 50%,transparent),
linear-gradient(90deg,var(--grid),transparent),linear-gradient(270deg,var(--grid),transparent);
background-position:0 0,100% 0,0 0,100% 0;background-size:2rem 100%,2rem 100%,1rem 100%,1rem 100%}
.scroll:focus-visible{outline:2px solid var(--link);outline-offset:2px}
table{border-collapse:collapse;min-width:min(100%,24rem);font-size:.92rem;font-variant-numeric:tabular-nums}
caption{text-align:left;padding-bottom:.3rem}
caption span{display:inline-block;position:sticky;left:0;max-width:min(48rem,100vw - 2rem);max-width:min(48rem,100cqw)}
th,td{padding:.25rem .8rem .25rem 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--grid)}
th,td{overflow-wrap:break-word;max-width:18rem}
thead th{vertical-align:bottom;border-bottom:2px solid var(--soft);max-width:10rem}
tbody th{font-weight:normal;min-width:4rem}
.number{text-align:right}
td.number{white-space:nowrap}
.figures{columns:2 27rem;column-gap:2rem}
.figures>figure,.figures>.scroll{break-inside:avoid}
figure{margin:0;padding:.8rem 0}
@media print,(min-width:62rem){.alone{columns:auto}.alone>figure{display:flex;gap:2rem;align-items:center}.alone svg{flex:none}}
figure svg{display:block}
figcaption{font-size:.92rem;max-width:30rem;margin-top:.3rem}
details{margin:.6rem 0;border:1px solid var(--grid);border-radius:4px;padding:.4rem .8rem}
summary{cursor:pointer;font-weight:bold}
@media (max-width:48rem){table{font-size:.8rem}th,td{padding-right:.5rem}}
@media (max-width:30rem){dl{display:block}dd{margin:0 0 .5rem}body{padding:.6rem}}
@media print{:root{font-size:10pt}body{max-width:none;padding:0}nav{display:none}
h1,h2,h3,summary,caption,thead,h2+p,h3+p,summary+p{break-after:avoid}p{orphans:3;widows:3}
figure,tr,pre,li,.stamp,h2+p,h3+p,summary+p{break-inside:avoid}
.figures:not(.alone){columns:2}.scroll{overflow:visible;background:none}.scroll>div{min-width:0!important}
table{font-size:8pt}th,td,tbody th{padding-right:.5rem}.wide{font-size:6.5pt}.wide th,.wide td{padding-right:.4rem}
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


def steps(texts):
    """Returns a numbered list."""
    return tag("ol", joined([tag("li", text) for text in texts]))


def typed(text, name="pre"):
    """Returns what is typed into a terminal, or comes out of it; lines break behind a /, but not in the name of an option."""
    words = re.split(r"(?<!\S)(--?[A-Za-z][\w-]*)", text)
    return tag(name, joined([tag("span", word, class_="option") if at % 2 else breakable(word, "/")
                             for at, word in enumerate(words)], ""))


def details(summary, *parts):
    """Returns what shows when its summary is clicked, and on paper."""
    return Html(f"<details>{tag('summary', summary)}\n{joined(parts)}</details>")


# ---- tables and figures

def table(header, rows, caption="", own_digits=()):
    """Returns a table that scrolls in its own box if it is too wide.

    rows: lists of cells as long as the header; the first names its row. Columns of numbers are
    set to the right; floats have as many decimals as their column, those of the columns `own_digits`
    three digits each; None and nan are a dash.
    """
    columns = list(zip(*rows)) or [()] * len(header)
    kinds = ["number" if is_numeric(column) else None for column in columns]
    digits = [None if name in own_digits else axes.decimals(column) for name, column in zip(header, columns)]
    head = joined([tag("th", breakable(cell), scope="col", class_=kind) for cell, kind in zip(header, kinds)], "")
    body = [joined([tag("td" if at else "th", cell_text(cell, digits[at]), scope=None if at else "row", class_=kinds[at])
                    for at, cell in enumerate(row)], "") for row in rows]
    parts = ([tag("caption", tag("span", caption))] if caption else []) + [
        tag("thead", tag("tr", head)), tag("tbody", joined([tag("tr", row) for row in body]))]
    drawn = tag("table", joined(parts), class_="wide" if len(header) > WIDE else None)
    return tag("div", drawn, class_="scroll", tabindex=0, role="region", aria_label=caption or f"table of {header[0]}")


def is_numeric(column):
    return bool(column) and all(cell is None or is_number(cell) for cell in column)


def cell_text(cell, digits):
    return axes.number(cell, digits) if isinstance(cell, float) else cell


def breakable(text, sign="_"):
    """Returns a text that may be broken behind each of a sign."""
    return Html(escape(text).replace(sign, sign + "<wbr/>"))


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
    """Returns figures and tables in two columns if there is room; a caption goes beside a figure that is alone."""
    return tag("div", joined(parts), class_="figures" if len(parts) > 1 else "figures alone")


# ---- the page

def section(heading, *parts):
    """Returns a part of the page with its heading, which is also in the list of contents."""
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
