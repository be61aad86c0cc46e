"""paper: a figure as a journal wants it: as wide as one or two columns, in one theme, in a font that every printer has.

    SVG of a page -> SVG in OUT/scores

A column of two is 85 mm wide, the page 178 mm. Text of 12 units in a figure of 480 is then 6 points high.
"""
import re

from report import svg

COLUMN, PAGE = 85.0, 178.0      # mm
FONTS = "Helvetica,Arial,'Liberation Sans',sans-serif"
DARK = re.compile(r"@media \(prefers-color-scheme:dark\)\{.*?\}\}@media print\{.*?\}\}")
SIZE = re.compile(r'width="(\d+)" height="(\d+)" style="[^"]*"')


def for_paper(text):
    """Returns a figure of svg.document for print; what is wider than one column's is as wide as the page."""
    width, height = map(int, SIZE.search(text).groups())
    wide = COLUMN if width <= svg.WIDTH else PAGE
    text = SIZE.sub('width="{:g}mm" height="{:.1f}mm"'.format(wide, wide * height / width), text, 1)
    text = text.replace(svg.escape(svg.FONTS), svg.escape(FONTS))
    return DARK.sub("", text, 1)
