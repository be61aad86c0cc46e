"""page: the page that people look at: OUT/report.html, one file that needs nothing else.

    texts, tables, figures (SVG) -> sections -> page

Examples:
    rows = table(["source", "r2"], [["gCSI", 0.763]], "Mean over splits", "scores/r2_scores.csv")
    text = page("CSA of baseline", [("model", "baseline")], [section("Scores", rows)])

report/run.py has the parts that all workflows share, report/csa.py and its like the others. A text
is escaped unless it is Html. The page is XML as well as HTML, in ASCII; it asks for nothing, not
even an icon. Its script sorts and filters tables; without it the page reads the same.
"""
import re
from urllib.parse import quote

from stages.report import charts

STAMP = "synthetic demo data"       # on every figure of such a run
SYNTHETIC = ("SYNTHETIC DEMO DATA: made by a random generator; no number here says anything "
             "about a real drug or cell line.")
MANY_COLUMNS = 8                    # of a table; more are printed smaller
HEAD = """<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<link rel="icon" href="data:,"/>"""
STYLE = """
:root{color-scheme:light dark;--ink:#1a1a1a;--soft:#595959;--grid:#d4d4d4;--paper:#fff;
--shade:#f4f5f7;--link:#00558a;--mark:#b34700}
@media screen and (prefers-color-scheme:dark){:root{--ink:#ececec;--soft:#b0b0b0;--grid:#3f4349;
--paper:#15181c;--shade:#1f2329;--link:#7cc4f0;--mark:#ff9d5c}
.s0{color:#56b4e9}.s4{color:#c9b458}.s5{color:#9fd6f5}.s6{color:#ececec}}
.figure .ink{fill:var(--ink)}.figure .soft{fill:var(--soft)}.figure .paper{fill:var(--paper)}
.figure .grid-line{stroke:var(--grid)}.figure .ink-line{stroke:var(--ink)}
.figure .soft-line{stroke:var(--soft)}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:66rem;background:var(--paper);color:var(--ink);
font:1rem/1.5 FONTS;overflow-wrap:anywhere}
h1{font-size:1.6rem;line-height:1.25;margin:.5rem 0}
h2{font-size:1.25rem;margin:2.2rem 0 .6rem;padding-top:.6rem;border-top:1px solid var(--grid)}
h3{font-size:1.05rem;margin:1.2rem 0 .4rem}
p,ul{max-width:48rem;margin:.5rem 0}a{color:var(--link)}
.lead{font-size:1.1rem}.stamp:empty,.lead:empty,dl:empty{display:none}
.stamp{border:2px solid var(--mark);border-radius:4px;padding:.5rem .8rem;font-weight:bold}
caption,figcaption,dt{color:var(--soft)}.files{white-space:nowrap}
dl{display:grid;grid-template-columns:fit-content(13rem) minmax(0,1fr);gap:.15rem 1rem;
margin:1rem 0}
dd{margin:0}
code,pre{font:.875em/1.45 ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace}
pre{background:var(--shade);padding:.5rem .7rem;margin:.4rem 0;white-space:pre-wrap}
nav ul{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;list-style:none;padding:0;max-width:none}
.scroll{overflow-x:auto;margin:.8rem 0;background-repeat:no-repeat;
background-attachment:local,local,scroll,scroll;background-position:0 0,100% 0,0 0,100% 0;
background-size:2rem 100%,2rem 100%,1rem 100%,1rem 100%;
background-image:linear-gradient(90deg,var(--paper) 50%,transparent),
linear-gradient(270deg,var(--paper) 50%,transparent),linear-gradient(90deg,var(--grid),transparent),
linear-gradient(270deg,var(--grid),transparent)}
.scroll:focus-visible{outline:2px solid var(--link)}
table{border-collapse:collapse;min-width:min(100%,24rem);font-size:.92rem;
font-variant-numeric:tabular-nums}
caption{text-align:left;padding-bottom:.3rem}
caption span{display:block;position:sticky;left:0;max-width:min(48rem,100vw - 2rem)}
th,td{padding:.25rem .8rem .25rem 0;text-align:left;vertical-align:top;
border-bottom:1px solid var(--grid);overflow-wrap:break-word;max-width:18rem}
thead th{vertical-align:bottom;border-bottom:2px solid var(--soft);max-width:10rem}
tbody th{font-weight:normal;min-width:4rem}.number{text-align:right}td.number{white-space:nowrap}
th button{all:unset;cursor:pointer;text-decoration:underline dotted}
th button:focus-visible{outline:2px solid var(--link)}
input{font:inherit;font-size:.85rem;max-width:100%;margin-top:.5rem}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,27rem),1fr));
gap:0 2rem;align-items:start}
.figures>*{break-inside:avoid;min-width:0}
figure.scroll{margin:0;padding:.6rem 0}figure svg{display:block}
figcaption{font-size:.92rem;max-width:30rem;margin-top:.3rem}
details{margin:.6rem 0;border:1px solid var(--grid);border-radius:4px;padding:.4rem .8rem}
summary{cursor:pointer;font-weight:bold}
@media (max-width:48rem){table{font-size:.8rem}th,td{padding-right:.5rem}}
@media (max-width:30rem){table{font-size:.75rem}th,td{padding-right:.35rem}
tbody th{min-width:0}dl{display:block}dd{margin:0 0 .5rem}body{padding:.6rem}}
@page{margin:12mm}
@media print{:root{font-size:9pt}body{max-width:none;padding:0}nav,input,.files{display:none}
th button{text-decoration:none}
h1,h2,h3,summary,caption,thead,h2+p,h3+p,summary+p{break-after:avoid}
figure,tr,pre,li,.stamp{break-inside:avoid}
.figures{grid-template-columns:1fr 1fr}.scroll{overflow:visible;background:none}
.figure{min-width:0!important}
h2{margin:.8rem 0 .2rem}figure.scroll{padding:.2rem 0}.figures figure svg{max-height:21cm}
table{font-size:8pt}th,td,tbody th{padding:.1rem .5rem .1rem 0}.wide{font-size:6.5pt}
details{border:0;padding:0}details::details-content{content-visibility:visible;block-size:auto}}
""".replace("FONTS", charts.FONTS)
SCRIPT = """//<![CDATA[
document.querySelectorAll('table').forEach(function (table) {
  var body = table.tBodies[0], rows = Array.from(body.rows)
  if (rows.length < 3) return
  function key(row, at) {               // a number, or a text in lower case
    var cell = row.cells[at], given = cell.dataset.value
    return given === undefined ? cell.textContent.toLowerCase() : given === '' ? null : +given
  }
  function compare(a, b) {              // missing values last
    if (a === null || b === null) return (a === null) - (b === null)
    return typeof a === 'number' ? a - b : a.localeCompare(b)
  }
  Array.from(table.tHead.rows[0].cells).forEach(function (head, at) {
    var button = document.createElement('button'), up = false
    button.append(...head.childNodes)
    button.title = 'sort'
    head.append(button)
    button.addEventListener('click', function () {
      up = !up
      table.querySelectorAll('th[aria-sort]').forEach(th => th.removeAttribute('aria-sort'))
      head.setAttribute('aria-sort', up ? 'ascending' : 'descending')
      rows.sort(function (one, other) {
        var a = key(one, at), b = key(other, at)
        return up || a === null || b === null ? compare(a, b) : compare(b, a)
      })
      body.append(...rows)
    })
  })
  if (rows.length < 8) return
  var filter = document.createElement('input')
  filter.type = 'search'
  filter.placeholder = 'filter rows by a word'
  filter.setAttribute('aria-label', filter.placeholder)
  filter.addEventListener('input', function () {
    var word = filter.value.toLowerCase()
    rows.forEach(row => { row.hidden = !row.textContent.toLowerCase().includes(word) })
  })
  table.parentNode.before(filter)
})
//]]>"""


class Html(str):
    """Text that is HTML already; every other text is escaped where it is put into a page."""


class Cell(str):
    """The text of a table's cell that is sorted by a number, its `value`."""

    def __new__(cls, text, value):
        cell = super().__new__(cls, text)
        cell.value = value
        return cell


# ---- small parts

def escape(text):
    """Returns a text as Html that shows it."""
    return text if isinstance(text, Html) else Html(charts.escape(text))


def tag(name, content, attributes=""):
    """Returns one element; content that is not Html is escaped. attributes: such as 'id="a"'."""
    return Html(f"<{name} {attributes}>{escape(content)}</{name}>")


def joined(parts, between="\n"):
    """Returns parts, each escaped unless it is Html, as one Html; empty ones are left out."""
    return Html(between.join(escape(part) for part in parts if part != ""))


def paragraphs(parts):
    """Returns parts as one Html; a text that is not Html is a paragraph."""
    return joined([part if isinstance(part, Html) else tag("p", part) for part in parts if part])


def items(texts, name="ul"):
    return tag(name, joined([tag("li", text) for text in texts])) if texts else Html("")


def typed(text, name="pre"):
    """Returns what is typed into a terminal, or printed there; a line may break behind a /."""
    return tag(name, breakable(text, "/"))


def breakable(text, sign="_"):
    """Returns a text that may be broken behind each of a sign."""
    return Html(escape(text).replace(sign, sign + "<wbr/>"))


def details(summary, *parts):
    """Returns what shows when its summary is clicked, and on paper."""
    return tag("details", paragraphs([tag("summary", summary), *parts]))


# ---- tables and figures

def described(caption, paths):
    """Returns a caption with links to files, named by their kind: CSV, SVG."""
    return joined([caption, *[tag("a", path.rpartition(".")[2].upper(), (
        f'href="{quote(path)}" class="files"')) for path in paths]], " ")


def table(header, rows, caption, *files, own_digits=()):
    """Returns a table that scrolls in its own box if it is too wide; '' without a row.

    rows: lists of cells as long as the header; the first names its row. Floats have as many
    decimals as all floats of the table; those of the columns `own_digits` three digits each. None
    and nan are a dash. files: paths that the caption links to.
    """
    if not rows:
        return ""
    shared = charts.decimals([cell for row in rows for name, cell in zip(header, row)
                              if isinstance(cell, float) and name not in own_digits])
    digits = [None if name in own_digits else shared for name in header]
    numeric = [all(map(is_number, column)) for column in zip(*rows)]
    head = "".join(f"""<th scope="col"{' class="number"' * right}>{breakable(name)}</th>"""
                   for name, right in zip(header, numeric))
    body = "".join(f"<tr>{''.join(map(_cell, row, digits, numeric, range(len(row))))}</tr>\n"
                   for row in rows)
    return Html(
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}">'
        f'<table class="{"wide" * (len(header) > MANY_COLUMNS)}"><caption><span>'
        f"{described(caption, files)}</span></caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>{body}</tbody></table></div>")


def _cell(cell, digits, is_right, at):
    value = getattr(cell, "value", cell)
    text = charts.number(cell, digits) if cell is None or isinstance(cell, float) else cell
    key = f' class="number" data-value="{value if charts.usable(value) else ""}"' * is_right
    return f"<td{key}>{escape(text)}</td>" if at else f'<th scope="row"{key}>{escape(text)}</th>'


def is_number(cell):
    return cell is None or isinstance(cell, (int, float, Cell)) and not isinstance(cell, bool)


def figure(svg_text, caption, *files):
    """Returns an SVG with its caption; a wide one scrolls before it gets too small."""
    caption = tag("figcaption", described(caption, files))
    return tag("figure", joined([Html(svg_text), caption]), 'class="scroll"')


def figures(*parts):
    """Returns figures and tables in two columns if there is room; '' without any."""
    found = joined(filter(None, parts))
    return tag("div", found, 'class="figures"') if found else found


# ---- the page

def section(heading, *parts):
    """Returns a part of the page with its heading, which is also in the list of contents."""
    return tag("section", paragraphs([tag("h2", heading), *parts]), f'id="{quote(heading)}"')


def page(title, head_rows, sections, lead="", stamp=""):
    """Returns the whole file. head_rows: (name, text or Html); lead: what came out, in two
    sentences; stamp: what a reader must not overlook, such as that the data are synthetic."""
    body = joined(sections)
    contents = [tag("a", Html(heading), f'href="#{name}"') for name, heading in re.findall(
        '<section id="(.*?)"><h2 >(.*?)</h2>', body)]
    rows = joined(Html(tag("dt", name) + tag("dd", text)) for name, text in head_rows)
    return f"""<!DOCTYPE html>
<html lang="en"><head>{HEAD}<title>{escape(title)}</title><style>{STYLE}</style></head>
<body><main><header><h1>{escape(title)}</h1>
<p class="stamp" role="note">{escape(stamp)}</p><p class="lead">{escape(lead)}</p>
<dl>{rows}</dl></header>
<nav aria-label="contents">{items(contents)}</nav>
{body}</main><script>{SCRIPT}</script></body></html>
"""
