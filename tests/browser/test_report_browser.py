"""The pages in a real browser: what they ask for, and what sticks out, overlaps, is cut off or too pale.

Chromium is driven over its DevTools pipe. The pages are those of the stress trees of test_report: 5 studies, 10
splits, 10 sizes, 60 trials, names of 40 characters with markup in them.
"""
import base64
import fcntl
import functools
import http.server
import json
import os
import select
import shutil
import subprocess
import tempfile
import threading
import unittest

from tests.unit import test_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--remote-debugging-pipe")
PATIENCE = 60       # seconds without a word from the browser
PHONE, TABLET, DESKTOP, PAPER = 360, 700, 1200, 718      # CSS pixels; A4 without its margins
PAGES = tuple(test_report.STRESS)
# Each check returns a list of what it found, [] where all is well.
OPEN = "document.querySelectorAll('details').forEach(part => part.open = true)"
STICKS_OUT = """[...document.querySelectorAll('body *')].filter(part => {
    const box = part.closest('.scroll'), held = box && box !== part && getComputedStyle(box).overflowX === 'auto'
    const side = part.getBoundingClientRect()
    return !held && !(part.closest('svg') && part.tagName !== 'svg') && side.width
        && (side.right > document.documentElement.clientWidth + 1 || side.left < -1)
}).map(part => part.tagName + ': ' + part.textContent.slice(0, 60))"""
OVERLAPS = """[...document.querySelectorAll('svg')].flatMap(figure => {
    const frame = figure.getBoundingClientRect(), found = []
    const texts = [...figure.querySelectorAll('text')].map(text => [text.getBoundingClientRect(), text.textContent])
    texts.forEach(([a, words], i) => {
        if (a.left < frame.left - 1 || a.right > frame.right + 1 || a.top < frame.top - 1 || a.bottom > frame.bottom + 1)
            found.push('outside: ' + words)
        for (const [b, others] of texts.slice(i + 1))
            if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2
                && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3) found.push(words + ' over ' + others)
    })
    return found
})"""
BROKEN = """[...document.querySelectorAll('th, td, caption, .option')].flatMap(part => {
    const walker = document.createTreeWalker(part, NodeFilter.SHOW_TEXT), found = [], range = document.createRange()
    const words = part.className === 'option' ? /\\S+/g : /[^\\s_-]+/g
    for (let node; node = walker.nextNode();)
        for (const word of node.data.matchAll(words)) {
            range.setStart(node, word.index); range.setEnd(node, word.index + word[0].length)
            if (new Set([...range.getClientRects()].map(side => side.top)).size > 1) found.push(word[0])
        }
    return found
}).filter(word => !/^--.{33}/.test(word))     // an option longer than a phone's line has to break"""
CUT = """[...document.querySelectorAll('.scroll')].filter(part => part.scrollWidth > part.clientWidth + 1).map(
    part => part.getAttribute('aria-label'))"""
HALF_EMPTY = """[...document.querySelectorAll('.figures, section > figure, details > figure')].filter(part => {
    const whole = part.getBoundingClientRect(), middle = whole.left + whole.width / 2
    return whole.height > 250 && ![...part.querySelectorAll('svg, figcaption, td, p, li')].some(
        child => child.getBoundingClientRect().right > middle + 100 && child.getBoundingClientRect().left < whole.right - 50)
}).map(part => part.textContent.slice(0, 60))"""
PALE = """(() => {
    const parts = color => color.match(/[0-9.]+/g).map(Number)
    const light = color => { const [r, g, b] = parts(color).map(p => p / 255).map(
        p => p <= 0.03928 ? p / 12.92 : ((p + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b }
    const clear = color => color === 'none' || color === 'transparent' || parts(color)[3] === 0
    const behind = part => { for (; part; part = part.parentElement) {
        const color = getComputedStyle(part).backgroundColor; if (!clear(color)) return color } return 'rgb(255, 255, 255)' }
    const paper = text => {
        const cell = text.parentElement, rect = cell.querySelector(':scope > title') && cell.querySelector(':scope > rect')
        const own = rect && getComputedStyle(rect).fill
        return own && !clear(own) ? own : getComputedStyle(text.closest('svg').querySelector('.paper')).fill }
    const contrast = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05)
    const drawn = [...document.querySelectorAll('svg text')].map(t => [getComputedStyle(t).fill, paper(t), t.textContent])
    const written = [...document.querySelectorAll('h1,h2,h3,p,a,dt,dd,th,td,caption,figcaption,summary,li,pre')].map(
        t => [getComputedStyle(t).color, behind(t), t.textContent])
    return drawn.concat(written).filter(([ink, ground, words]) => words && contrast(ink, ground) < 4.5).map(
        ([ink, ground, words]) => words.slice(0, 40) + ': ' + ink + ' on ' + ground)
})()"""


class Browser:
    """A headless Chromium with one page."""

    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix="work.")
        read, self.write = os.pipe()
        self.read, write = os.pipe()
        # It reads commands from descriptor 3 and answers on 4; the high ones are out of the way of both.
        given = [fcntl.fcntl(end, fcntl.F_DUPFD, 100) for end in (read, write)]
        redirected = 'exec "$@" 3<&{} 4>&{}'.format(*given)
        self.process = subprocess.Popen(
            ["bash", "-c", redirected, "bash", CHROMIUM, *FLAGS, f"--user-data-dir={self.profile}"], pass_fds=given,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for end in (read, write, *given):
            os.close(end)
        self.rest, self.number, self.session, self.events = b"", 0, None, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network"):
            self.call(f"{domain}.enable")

    def close(self):
        try:
            self.session = None
            self.call("Browser.close")
            self.process.wait(PATIENCE)
        except (OSError, AssertionError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        for end in (self.read, self.write):
            os.close(end)
        shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        os.write(self.write, json.dumps(dict(message, sessionId=self.session) if self.session else message).encode() + b"\0")
        answer = self.until(lambda event: event.get("id") == message["id"])
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return answer["result"]

    def until(self, wanted):
        while True:
            while b"\0" not in self.rest:
                if not select.select([self.read], [], [], PATIENCE)[0]:
                    raise AssertionError("the browser says nothing")
                data = os.read(self.read, 1 << 16)
                if not data:
                    raise AssertionError("the browser has ended")
                self.rest += data
            one, _, self.rest = self.rest.partition(b"\0")
            event = json.loads(one.decode())
            if wanted(event):
                return event
            self.events.append(event)

    def open(self, url, width, scheme="light", media=""):
        """Loads a page in a window `width` wide; media is '' for a screen, or print."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500)
        self.call("Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.events = []
        self.call("Page.navigate", url=url)
        if not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self.until(lambda event: event.get("method") == "Page.loadEventFired"))

    def value(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def of(self, method):
        return [event["params"] for event in self.events if event.get("method") == method]


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and notes what it was asked for."""

    def __init__(self, folder, asked, *arguments):
        self.folder, self.asked = folder, asked
        super().__init__(*arguments)

    def translate_path(self, path):
        return os.path.join(self.folder, path.lstrip("/"))

    def log_message(self, *words):
        self.asked.append(self.path)


@unittest.skipIf(CHROMIUM is None, "no Chromium here: the pages are not looked at in a browser")
class BrowserTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work, cls.asked = tempfile.mkdtemp(prefix="work."), []
        cls.addressed = functools.partial(Handler, cls.work, cls.asked)
        cls.server = http.server.HTTPServer(("127.0.0.1", 0), cls.addressed)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.browser = Browser()
        for name in PAGES:
            test_report.STRESS[name](os.path.join(cls.work, name))
            test_report.collect(os.path.join(cls.work, name))
        test_report.stress_csa(os.path.join(cls.work, "short"), ("CCLE", "CTRPv2", "gCSI"))
        test_report.collect(os.path.join(cls.work, "short"))

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.server.shutdown()
        cls.server.server_close()
        shutil.rmtree(cls.work)

    def visit(self, name, width, **how):
        self.browser.open(f"http://127.0.0.1:{self.server.server_port}/{name}/report.html", width, **how)

    def assert_none(self, check, place):
        found = self.browser.value(check)
        self.assertEqual(found[:5], [], f"{len(found)} in {place}")

    def test_a_page_asks_for_itself_and_nothing_else(self):
        for name in PAGES:
            self.asked.clear()
            self.visit(name, DESKTOP)
            self.assertEqual(self.asked, [f"/{name}/report.html"])
            sent = {event["request"]["url"].partition(":")[0] for event in self.browser.of("Network.requestWillBeSent")}
            self.assertLessEqual(sent, {"http", "data"})
            self.assertEqual(self.browser.of("Network.loadingFailed"), [])

    def test_nothing_sticks_out_or_overlaps_on_a_phone_and_a_desktop(self):
        for name in PAGES:
            for width in (PHONE, DESKTOP):
                self.visit(name, width)
                self.browser.value(OPEN)
                self.assertLessEqual(self.browser.value("document.documentElement.scrollWidth"), width)
                self.assert_none(STICKS_OUT, f"{name} at {width} pixels")
                self.assert_none(OVERLAPS, f"{name} at {width} pixels")
                self.assert_none(BROKEN, f"{name} at {width} pixels")

    def test_no_half_of_a_page_is_empty_beside_a_figure(self):
        for name in PAGES:
            self.visit(name, DESKTOP)
            self.browser.value(OPEN)
            self.assert_none(HALF_EMPTY, name)

    def test_tables_of_short_names_fit_into_a_tablet(self):
        self.visit("short", TABLET)
        self.browser.value(OPEN)
        self.assertIn("normalised", self.browser.value("document.body.textContent"))
        self.assert_none(CUT, "a page of short names")

    def test_nothing_is_cut_off_on_paper_and_folded_parts_are_printed(self):
        for name in PAGES:
            self.visit(name, PAPER, media="print", scheme="dark")
            self.assert_none(STICKS_OUT, f"{name} on paper")
            self.assert_none(OVERLAPS, f"{name} on paper")
            self.assert_none(BROKEN, f"{name} on paper")
            self.assertEqual(self.browser.value("getComputedStyle(document.body).backgroundColor"), "rgb(255, 255, 255)")
            heights = self.browser.value(
                "[...document.querySelectorAll('details figure')].map(figure => figure.getBoundingClientRect().height)")
            self.assertEqual([height for height in heights if height < 50], [])

    def test_a_page_prints(self):
        self.visit("hpo", DESKTOP)
        self.assertTrue(base64.b64decode(self.browser.call("Page.printToPDF")["data"]).startswith(b"%PDF-"))

    def test_words_are_readable_in_light_and_in_dark(self):
        grounds = []
        for name in PAGES:
            for scheme in ("light", "dark"):
                self.visit(name, DESKTOP, scheme=scheme)
                self.assert_none(PALE, f"{name} in {scheme}")
                grounds.append(self.browser.value("getComputedStyle(document.body).backgroundColor"))
        self.assertEqual(len(set(grounds)), 2)

    def test_the_checks_find_what_they_look_for(self):
        os.makedirs(os.path.join(self.work, "bad"), exist_ok=True)
        test_report.write(os.path.join(self.work, "bad", "report.html"), (
            '<!DOCTYPE html><meta name="viewport" content="width=device-width">'
            '<body style="background:#fff"><p style="width:500px;color:#999">pale and wide</p>'
            '<table><td style="width:9px;overflow-wrap:anywhere">broken</table><div class="scroll" aria-label="cut" '
            'style="width:9px;overflow:auto">wider</div><div class="figures" style="height:300px;width:300px"><p style="width:9px"></div>'
            '<svg width="100" height="50"><rect class="paper" width="100" height="50" fill="#fff"/>'
            '<text x="5" y="20" fill="#ccc">one</text><text x="8" y="20">two</text><text x="80" y="40">long text</text></svg>'))
        self.visit("bad", PHONE)
        self.assertEqual(self.browser.value(STICKS_OUT), ["P: pale and wide"])
        self.assertEqual(self.browser.value(OVERLAPS), ["one over two", "outside: long text"])
        self.assertEqual(self.browser.value(BROKEN), ["broken"])
        self.assertEqual((self.browser.value(CUT), self.browser.value(HALF_EMPTY)), (["cut"], [""]))
        self.assertEqual([words.partition(":")[0] for words in self.browser.value(PALE)], ["one", "pale and wide"])


if __name__ == "__main__":
    unittest.main()
