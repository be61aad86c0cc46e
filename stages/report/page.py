"""page: the page that people look at: OUT/report.html, one file that needs nothing else.

    texts, tables, figures (SVG) -> sections -> page

report/run.py has the parts that all workflows share, report/csa.py and its like the others. A text
is escaped unless it is Html. The page is XML as well as HTML, in ASCII; it asks for nothing, not
even an icon. Its script sorts and filters tables; without it the page reads the same.
"""
from urllib.parse import quote

from stages.report import charts

STAMP = "synthetic demo data"       # on every figure of such a run
SYNTHETIC = ("SYNTHETIC DEMO DATA: made by a random generator; no number here says anything "
             "about a real drug or cell line.")
STYLE = """
:root{color-scheme:light dark;--ink:#1a1a1a;--soft:#595959;--grid:#d4d4d4;--paper:#fff;
--shade:#f4f5f7;--link:#00558a;--mark:#b34700}
@media screen and (prefers-color-scheme:dark){:root{--ink:#ececec;--soft:#b0b0b0;--grid:#3f4349;
--paper:#15181c;--shade:#1f2329;--link:#7cc4f0;--mark:#ff9d5c}
.s0{color:#56b4e9}.s4{color:#c9b458}.s5{color:#9fd6f5}.s6{color:#ececec}}
.ink{fill:var(--ink)}.soft{fill:var(--soft)}.paper{fill:var(--paper)}
.ink-line{stroke:var(--ink)}.soft-line{stroke:var(--soft)}.grid-line{stroke:var(--grid)}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:66rem;background:var(--paper);color:var(--ink);
font:1rem/1.5 FONTS;overflow-wrap:anywhere}
h1{font-size:1.6rem;line-height:1.25;margin:.5rem 0}
h2{font-size:1.25rem;margin:2.2rem 0 .6rem;padding-top:.6rem;border-top:1px solid var(--grid)}
p,ul{max-width:48rem;margin:.5rem 0}a{color:var(--link)}
.lead{font-size:1.1rem}.stamp:empty,.lead:empty,dl:empty{display:none}
.stamp{border:2px solid var(--mark);padding:.5rem .8rem;font-weight:bold}
caption,figcaption,dt{color:var(--soft)}.files{white-space:nowrap}
dl{display:grid;grid-template-columns:fit-content(13rem) minmax(0,1fr);gap:.15rem 1rem}
dd{margin:0}dd ul{margin:0;padding-left:1.2rem}
pre{background:var(--shade);padding:.5rem .7rem;margin:.4rem 0;white-space:pre-wrap;
font:.875em/1.45 ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace}
.scroll{overflow-x:auto;margin:.8rem 0;
background:linear-gradient(270deg,var(--paper) 50%,transparent) 100%/2rem 100% no-repeat local,
linear-gradient(270deg,var(--grid),transparent) 100%/1rem 100% no-repeat scroll}
table{border-collapse:collapse;min-width:min(100%,24rem);font-size:.92rem;
font-variant-numeric:tabular-nums}
caption{text-align:left;padding-bottom:.3rem}
caption span{display:block;max-width:min(48rem,100vw - 2rem)}
th,td{padding:.25rem .8rem .25rem 0;text-align:left;vertical-align:top;
border-bottom:1px solid var(--grid);overflow-wrap:break-word;max-width:18rem}
th{vertical-align:bottom;border-bottom:2px solid var(--soft);max-width:10rem}
.number{text-align:right}td.number{white-space:nowrap}
th button{all:unset;cursor:pointer;text-decoration:underline dotted}
.scroll:focus-visible,th button:focus-visible{outline:2px solid var(--link)}
input{font:inherit;font-size:.85rem;max-width:100%}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,27rem),1fr));
gap:0 2rem;align-items:start}
.figures>*{min-width:0}
figure.scroll{margin:0;padding:.6rem 0}figure svg{display:block}
figcaption{font-size:.92rem;max-width:30rem}
@media (max-width:48rem){table{font-size:.75rem}th,td{padding-right:.35rem}
dl{display:block}dd{margin:0 0 .5rem}body{padding:.6rem}}
@page{margin:12mm}
@media print{:root{font-size:9pt}body{max-width:none;padding:0}input,.files{display:none}
h1,h2,caption,thead,h2+p{break-after:avoid}
figure,tr,pre,li,.stamp,.figures>*{break-inside:avoid}
.figures{grid-template-columns:1fr 1fr}.figure{min-width:0!important}
.scroll{overflow:visible;background:none}
h2{margin:.8rem 0 .2rem}figure.scroll{padding:.2rem 0}.figures figure svg{max-height:21cm}
table{font-size:7pt}th,td{padding:.1rem .5rem .1rem 0}}
""".replace("FONTS", charts.FONTS)
SCRIPT = """//<![CDATA[
document.querySelectorAll('table').forEach(table => {
  const body = table.tBodies[0], rows = Array.from(body.rows)
  if (rows.length < 3) return
  function key(row, at) {               // a number, -Infinity if it is missing, or a text
    const cell = row.cells[at], value = cell.dataset.value
    return value === undefined ? cell.textContent.toLowerCase() : value === '' ? -Infinity : +value
  }
  Array.from(table.tHead.rows[0].cells).forEach((head, at) => {
    const button = document.createElement('button')
    let sign = -1
    button.append(...head.childNodes)
    button.title = 'sort'
    head.append(button)
    button.addEventListener('click', () => {
      sign = -sign
      rows.sort((a, b) => sign * (key(a, at) > key(b, at) ? 1 : key(a, at) < key(b, at) ? -1 : 0))
      body.append(...rows)
    })
  })
  if (rows.length < 8) return
  const filter = document.createElement('input')
  filter.type = 'search'
  filter.placeholder = 'filter rows by a word'
  filter.setAttribute('aria-label', filter.placeholder)
  filter.addEventListener('input', () => {
    const word = filter.value.toLowerCase()
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


def escape(text):
    """Returns a text as Html that shows it."""
    return text if isinstance(text, Html) else Html(charts.escape(text))


def tag(name, content, attributes=""):
    """Returns one element; content that is not Html is escaped. attributes: such as 'id="a"'."""
    return Html(f"<{name} {attributes}>{escape(content)}</{name}>")


def joined(parts, between="\n"):
    """Returns parts, each escaped unless it is Html, as one Html; empty ones are left out."""
    return Html(between.join(escape(part) for part in parts if part != ""))


def items(texts, name="ul"):
    return tag(name, joined([tag("li", text) for text in texts])) if texts else Html("")


def described(caption, paths):
    """Returns a caption with links to files, named by their kind: CSV, SVG."""
    return joined([caption, *[tag("a", path.rpartition(".")[2].upper(), (
        f'href="{quote(path)}" class="files"')) for path in paths]], " ")


def table(header, rows, caption, *files):
    """Returns a table that scrolls in its own box if it is too wide; '' without a row. All floats
    have as many decimals; None and nan are a dash. rows: lists of cells as long as the header; the
    first names its row. files: paths that the caption links to."""
    if not rows:
        return ""
    digits = charts.decimals([cell for row in rows for cell in row if isinstance(cell, float)])
    numeric = [all(map(is_number, column)) for column in zip(*rows)]
    head = joined([tag("th", name.replace("_", " "), 'scope="col"' + ' class="number"' * right)
                   for name, right in zip(header, numeric)])
    body = joined([tag("tr", joined([_cell(cell, digits, right)
                                     for cell, right in zip(row, numeric)])) for row in rows])
    return Html(
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}">'
        f"<table><caption><span>{described(caption, files)}</span></caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>")


def _cell(cell, digits, is_right):
    value = getattr(cell, "value", cell)
    text = charts.number(cell, digits) if cell is None or isinstance(cell, float) else cell
    key = f'class="number" data-value="{value if charts.usable(value) else ""}"'
    return tag("td", text, key * is_right)


def is_number(cell):
    return cell is None or isinstance(cell, (int, float, Cell)) and not isinstance(cell, bool)


def figures(*parts):
    """Returns figures and tables in two columns if there is room; '' without any."""
    found = joined(filter(None, parts))
    return tag("div", found, 'class="figures"') if found else found


def section(heading, *parts):
    """Returns a part of the page with its heading; a part that is not Html is a paragraph."""
    body = [part if isinstance(part, Html) else tag("p", part) for part in parts if part]
    return tag("section", joined([tag("h2", heading), *body]), f'id="{quote(heading)}"')


def page(title, head, sections, lead, stamp):
    """Returns the whole file. head: {name: text or Html}; lead: what came out, in two sentences;
    stamp: what a reader must not overlook, such as that the data are synthetic."""
    rows = joined(Html(tag("dt", name) + tag("dd", text)) for name, text in head.items() if text)
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<link rel="icon" href="data:,"/><title>{escape(title)}</title><style>{STYLE}</style></head>
<body><main><header><h1>{escape(title)}</h1>
<p class="stamp" role="note">{escape(stamp)}</p><p class="lead">{escape(lead)}</p>
<dl>{rows}</dl></header>
{joined(sections)}</main><script>{SCRIPT}</script></body></html>
"""
