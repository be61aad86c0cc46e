"""The pages in a headless Chromium: what sticks out, overlaps or is too pale, what a click does,
and on how many sheets they print.

Pages stand in frames as wide as a phone or a desktop; what scripts find in them is printed with the
frames' document. The pages are those of test_report.
"""
import html
import json
import os
import re
import shutil
import subprocess
import unittest

from tests.unit import test_report

NAMES = "chromium", "chromium-browser", "google-chrome"
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files")
DARK = "--blink-settings=preferredColorScheme=0"
FRAMES = """<!DOCTYPE html><body><script>
const found = [], jobs = %s
jobs.forEach(([page, script, width], at) => {
    const frame = document.createElement('iframe')
    frame.onload = () => {
        found[at] = frame.contentWindow.eval(script)
        document.documentElement.setAttribute('data-found', JSON.stringify(found))
    }
    Object.assign(frame, {src: page, width: width, height: 900, style: 'border:0'})
    document.body.append(frame)
})</script>"""
# Each check returns a list of what it found, [] if all is well.
STICKS_OUT = """document.querySelectorAll('details').forEach(part => part.open = true);
[...document.querySelectorAll('body *')].filter(part => {
    const side = part.getBoundingClientRect(), width = document.documentElement.clientWidth
    return !part.parentElement.closest('.scroll, svg') && side.width
        && (side.right > width + 1 || side.left < -1)
}).map(part => part.tagName + ': ' + part.textContent.slice(0, 60))"""
OVERLAPS = """document.querySelectorAll('details').forEach(part => part.open = true);
[...document.querySelectorAll('svg')].flatMap(figure => {
    const frame = figure.getBoundingClientRect(), found = []
    const texts = [...figure.querySelectorAll('text')].map(
        text => [text.getBoundingClientRect(), text.textContent])
    texts.forEach(([a, words], i) => {
        if (a.left < frame.left - 1 || a.right > frame.right + 1 || a.bottom > frame.bottom + 1)
            found.push('outside: ' + words)
        for (const [b, others] of texts.slice(i + 1))
            if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2
                && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4)
                found.push(words + ' over ' + others)
    })
    return found
})"""
PALE = """(() => {
    const light = color => { const [r, g, b] = color.match(/[0-9.]+/g).map(p => p / 255).map(
        p => p <= 0.03928 ? p / 12.92 : ((p + 0.055) / 1.055) ** 2.4)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b }
    const shade = getComputedStyle(document.body).backgroundColor
    const behind = text => text.getAttribute('class') === 'cell'
        ? getComputedStyle(text.parentElement.querySelector('rect')).fill : shade
    const drawn = [...document.querySelectorAll('svg text')].map(
        text => [getComputedStyle(text).fill, behind(text), text.textContent])
    const written = [...document.querySelectorAll('h1,h2,h3,p,a,dt,dd,th,td,caption,figcaption,li')]
        .map(text => [getComputedStyle(text).color, shade, text.textContent])
    return drawn.concat(written).filter(([ink, ground, words]) => {
        const [one, other] = [light(ink), light(ground)]
        return words && (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05) < 4.5
    }).map(parts => parts.join(' '))
})()"""
CLICKS = """(() => {
    const table = [...document.querySelectorAll('table')].find(
        each => each.tBodies[0].rows.length > 7)
    const at = [...table.tHead.rows[0].cells].findIndex(cell => cell.className === 'number')
    const shown = () => [...table.tBodies[0].rows].filter(row => !row.hidden).map(
        row => row.cells[at].dataset.value)
    const sorted = [0, 1].map(() => (table.tHead.querySelectorAll('button')[at].click(), shown()))
    const filter = table.parentNode.previousElementSibling
    filter.value = table.tBodies[0].rows[0].cells[0].textContent.toUpperCase()
    filter.dispatchEvent(new Event('input'))
    return [...sorted, shown().length, table.tBodies[0].rows.length]
})()"""


@unittest.skipIf(CHROMIUM is None, "no Chromium here: no browser opens the pages")
class BrowserTest(test_report.WithPages):
    def run_chromium(self, *arguments):
        return subprocess.run(
            [CHROMIUM, *FLAGS, f"--user-data-dir={self.work}/profile", *arguments], timeout=120,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, universal_newlines=True).stdout

    def found(self, jobs, *flags):
        """Returns what each script finds in a page. jobs: (page, script, width)."""
        frames = os.path.join(self.work, "frames.html")
        test_report.write(frames, FRAMES % json.dumps(jobs))
        shown = self.run_chromium("--window-size=1400,900", *flags, "--dump-dom", frames)
        return json.loads(html.unescape(re.search('data-found="([^"]*)"', shown).group(1)))

    def assert_none(self, jobs, *flags):
        for (page, _, width), found in zip(jobs, self.found(jobs, *flags)):
            self.assertEqual(found[:5], [], f"{page} at {width} pixels")

    def test_nothing_sticks_out_or_overlaps_on_a_phone_and_a_desktop(self):
        self.assert_none([(page, script, width) for page in self.pages.values()
                          for width in (400, 1300) for script in (STICKS_OUT, OVERLAPS)])

    def test_text_is_readable_in_light_and_dark(self):
        jobs = [(page, PALE, 1300) for page in self.pages.values()]
        self.assert_none(jobs)
        self.assert_none(jobs, DARK)
        ground = [(jobs[0][0], "getComputedStyle(document.body).backgroundColor", 1300)]
        self.assertNotEqual(self.found(ground), self.found(ground, DARK))

    def test_a_click_sorts_a_table_and_a_word_filters_it(self):
        up, down, shown, rows = self.found([(self.pages["csa"], CLICKS, 1300)])[0]
        self.assertEqual(list(map(float, up)), sorted(map(float, up)))
        self.assertEqual(down, up[::-1])
        self.assertTrue(0 < shown < rows)

    def test_an_analysis_of_five_studies_prints_on_eight_pages(self):
        out, paper = os.path.join(self.work, "short"), self.work + "/a.pdf"
        test_report.stress_csa(out, list("ABCDE"))
        test_report.collect(out)
        self.run_chromium(f"--print-to-pdf={paper}", f"{out}/report.html")
        with open(paper, "rb") as file:
            self.assertIn(len(re.findall(rb"/Type\s*/Page\b", file.read())), range(4, 9))

    def test_the_checks_find_what_they_look_for(self):
        page = os.path.join(self.work, "bad.html")
        test_report.write(page, (
            '<!DOCTYPE html><body style="background:#fff">'
            '<p style="width:500px;color:#999">pale</p><svg width="100" height="50">'
            '<text x="5" y="20" fill="#ccc">one</text><text x="8" y="20">two</text>'
            '<text x="80" y="40">long text</text></svg>'))
        checks = STICKS_OUT, OVERLAPS, PALE
        wide, over, pale = self.found([(page, check, 400) for check in checks])
        self.assertEqual((wide, over), (["P: pale"], ["one over two", "outside: long text"]))
        self.assertEqual([text.split()[-1] for text in pale], ["one", "pale"])
