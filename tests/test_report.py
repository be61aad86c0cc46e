"""The pages: well-formed, complete, escaped; in a real browser they ask for nothing and fit a phone."""
import glob
import http.server
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest
from xml.etree import ElementTree

from tests.support import STAGES, TOY_MODEL, WorkCase, write_benchmark

sys.path.insert(0, STAGES)

import hpo_report  # noqa: E402
import report  # noqa: E402
import run_report  # noqa: E402
from hpo_trials import Trial  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LONG = ['<b>study & "quoted" of forty characters<b>', "CTRPv2 of the Cancer Therapeutics Portal", "GDSCv1'; DROP TABLE scores",
        "gCSI", "étude-ünïcode-of-some-forty-characters--"]


def scores(value):
    return json.dumps({"mse": 0.1 * value, "rmse": 0.3 * value, "pcc": 0.9 * value, "scc": 0.8 * value, "r2": value})


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def stress_csa(out):
    """5 studies, 10 splits, names of 40 characters; a source whose scores are far below 0."""
    chance = random.Random(1)
    for source in LONG:
        write(os.path.join(out, "models", source, "split_0", "val_scores.json"), scores(0.5))
        for target in LONG:
            for split in range(10):
                value = chance.random() if source != "gCSI" else -3 * chance.random()
                write(os.path.join(out, "infer", f"{source}-{target}", f"split_{split}", "test_scores.json"), scores(value))


def stress_lca(out):
    """5 studies, 10 sizes, 10 splits."""
    chance = random.Random(2)
    for place, source in enumerate(LONG):
        for split in range(10):
            for step in range(10):
                size = 128 * 2 ** step
                value = 10 * (0.5 + place / 5) * size ** -0.4 * (1 + 0.05 * chance.random())
                write(os.path.join(out, source, "infer", f"split_{split}", f"sz_{size}", "test_scores.json"), scores(value))


def stress_hpo(out):
    """60 trials of a source, six parameters, some failed."""
    chance = random.Random(3)
    space = [{"name": f"parameter_{k}_with_a_name_of_forty_characters"[:40], "type": "float", "min": 1e-6, "max": 1.0,
              "log_uniform": True, "default": 0.1} for k in range(5)]
    space.append({"name": "activation", "type": "categorical", "choices": ['<relu> & "co"', "tanh"], "default": "tanh"})
    write(os.path.join(out, "space.json"), json.dumps(space))
    for number in range(60):
        params = {entry["name"]: 10 ** (-6 * chance.random()) for entry in space[:5]}
        params["activation"] = chance.choice(space[5]["choices"])
        failed = number % 13 == 5
        write(os.path.join(out, LONG[0], "trials", f"{number:04d}", "trial.json"), json.dumps({
            "trial": number, "params": params, "objective": None if failed else chance.random() + 0.1, "val_metric": "mse",
            "state": "failed" if failed else "done", "reason": "exit code 1" if failed else "", "scores": {}, "seconds": 3.2}))


def stress_compare(out):
    """Two models with long names on what stress_csa makes; the page stands where a report would."""
    trees = [os.path.join(out, name) for name in ("a model with a name of forty characters &", "<b>another</b>".replace("/", ""))]
    for tree in trees:
        stress_csa(tree)
    done = subprocess.run([sys.executable, os.path.join(STAGES, "collect_scores.py"), "--compare", *trees, "--output_dir", out],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    if done.returncode:
        raise AssertionError(done.stdout)
    os.rename(os.path.join(out, "compare.html"), os.path.join(out, "report.html"))


STRESS = {"csa": stress_csa, "lca": stress_lca, "hpo": stress_hpo, "compare": stress_compare}


def collect(out):
    """The page of a tree; the collector makes it where it is not there."""
    if not os.path.exists(os.path.join(out, "report.html")):
        run_collector(out)
    with open(os.path.join(out, "report.html"), encoding="utf-8") as file:
        return file.read()


def run_collector(out):
    done = subprocess.run([sys.executable, os.path.join(STAGES, "collect_scores.py"), out], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True)
    if done.returncode:
        raise AssertionError(done.stdout)


class PagesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = tempfile.mkdtemp(prefix="work.")
        cls.pages = {}
        for name, fill in STRESS.items():
            fill(os.path.join(cls.work, name))
            cls.pages[name] = collect(os.path.join(cls.work, name))

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.work)

    def test_pages_and_figures_are_well_formed(self):
        for name, text in self.pages.items():
            ElementTree.fromstring(text.partition("\n")[2])
            figures = glob.glob(os.path.join(self.work, name, "scores", "*.svg"))
            self.assertEqual(len(figures) > 1, name != "compare")
            for path in figures:
                ElementTree.parse(path)

    def test_names_are_shown_as_they_are(self):
        for name, text in self.pages.items():
            words = "".join(ElementTree.fromstring(text.partition("\n")[2]).itertext())
            self.assertIn(LONG[0], words, name)
            self.assertNotIn("<b>study", text)

    def test_a_page_holds_no_script_and_no_address(self):
        for text in self.pages.values():
            self.assertNotIn("<script", text)
            self.assertEqual(set(re.findall(r'(?:src|href)="(?!#|data:)([^"]*)"', text)), set())
            self.assertEqual(re.findall(r"url\((?!#)", text), [])
            self.assertLessEqual(set(re.findall(r"https?://[^\s\"'<]+", text)), {"http://www.w3.org/2000/svg"})

    def test_headings_tables_and_figures_are_accessible(self):
        for text in self.pages.values():
            page = ElementTree.fromstring(text.partition("\n")[2])
            self.assertEqual(page.get("lang"), "en")
            self.assertEqual(len(list(page.iter("h1"))), 1)
            for cell in page.iter("th"):
                self.assertIn(cell.get("scope"), ("col", "row"))
            for drawing in page.iter("{http://www.w3.org/2000/svg}svg"):
                self.assertEqual(drawing.get("role"), "img")
                self.assertTrue(drawing.find("{http://www.w3.org/2000/svg}title").text)

    @unittest.skipIf(CHROMIUM is None, "no Chromium here: the pages are not looked at in a browser")
    def test_in_a_browser_pages_ask_for_nothing_and_fit_a_phone_and_a_desktop(self):
        for name in STRESS:
            widths, asked = self.measured(name)
            self.assertEqual(asked, {"/frame.html", "/report.html"}, name)
            self.assertEqual(set(widths), {360, 1200})
            for width, found in widths.items():
                self.assertLessEqual(found, width, f"{name} at {width} pixels")

    def measured(self, name):
        """({width of a window: width of the page in it}, what was asked of the server)."""
        asked, folder = [], os.path.join(self.work, name)
        frames = "".join(f'<iframe src="report.html" style="width:{w}px;height:900px;border:0"></iframe>' for w in (360, 1200))
        write(os.path.join(folder, "frame.html"), (
            '<!DOCTYPE html><link rel="icon" href="data:,">' + frames + '<pre id="found"></pre><script>onload = () => {'
            'found.textContent = JSON.stringify([...document.querySelectorAll("iframe")].map(f => [f.clientWidth, '
            'f.contentDocument.documentElement.scrollWidth]))}</script>'))

        class Handler(http.server.SimpleHTTPRequestHandler):
            def translate_path(self, path):
                return os.path.join(folder, path.lstrip("/"))

            def log_message(self, *words):
                asked.append(self.path)
        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        profile = tempfile.mkdtemp(prefix="work.")
        try:
            done = subprocess.run([
                CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-application-cache",
                f"--user-data-dir={profile}", "--window-size=1700,2000", "--virtual-time-budget=10000", "--dump-dom",
                f"http://127.0.0.1:{server.server_port}/frame.html"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=120)
        finally:
            server.shutdown()
            server.server_close()
            shutil.rmtree(profile, ignore_errors=True)
        found = re.search(r'<pre id="found">(\[\[.*?\]\])</pre>', done.stdout.decode("utf-8", "replace"))
        self.assertIsNotNone(found, "the browser did not load the page")
        return dict(json.loads(found.group(1))), set(asked)


class PartsTest(unittest.TestCase):
    def test_a_table_has_scopes_right_numbers_and_dashes(self):
        self.assertEqual(report.table(["source", "r2"], [["a<b", 0.5], ["c", None]], "Mean & more"), (
            '<div class="scroll" tabindex="0" role="region" aria-label="Mean &amp; more"><table><caption><span>Mean &amp; more</span>'
            '</caption>\n<thead><tr><th scope="col">source</th><th scope="col" class="number">r2</th></tr></thead>\n'
            '<tbody><tr><th scope="row">a&lt;b</th><td class="number">0.500</td></tr>\n'
            '<tr><th scope="row">c</th><td class="number">&#8211;</td></tr></tbody></table></div>'))

    def test_long_headers_may_break_behind_underscores(self):
        self.assertIn("<th scope=\"col\">early_<wbr/>stopping</th>", report.table(["early_stopping"], [["true"]]))

    def test_headings_of_one_name_have_ids_of_their_own(self):
        page = report.page("t", [], [report.section("g-CSI"), report.section("g CSI"), report.section("g_CSI")])
        self.assertEqual(re.findall('id="([^"]*)"', page), ["g-csi", "g-csi--2", "g-csi--3"])
        self.assertEqual(re.findall('href="#([^"]*)"', page), ["g-csi", "g-csi--2", "g-csi--3"])

    def test_durations_stay_on_one_line(self):
        for seconds, text in ((3.21, "3.2 s"), (59.96, "1 min 00 s"), (250, "4 min 10 s"), (3599.7, "1 h 00 min"), (7500, "2 h 05 min")):
            self.assertEqual(run_report.duration(seconds), text.replace(" ", "\u00a0"))

    def test_split_numbers_are_told_as_ranges(self):
        self.assertEqual(run_report.ranges({0, 1, 2, 5, 7, 8, None}), "0-2, 5, 7-8")

    def test_only_the_newest_commands_are_shown(self):
        plans = [{"command": ["run", str(number)], "directory": "/a b"} for number in (1, 2, 2, 3, 4, 5, 6, 7)]
        shown = run_report.commands(plans).split("\n")
        self.assertEqual(shown[0], "<pre># and 2 earlier ones")
        self.assertEqual(shown[1:3], ["cd &#39;/a b&#39;", "run 3"])
        self.assertEqual(shown[-1], "run 7</pre>")

    def test_the_end_of_a_log_is_cleaned_of_a_terminals_movements(self):
        with tempfile.NamedTemporaryFile(delete=False) as file:
            file.write(b"gone\n1\n2\nepoch 1\repoch 2\r\n\x1b[31mError\x1b[0m: <no>\n" + b"x" * 400 + b"\n\n")
        try:
            self.assertEqual(run_report.log_tail(file.name), ["1", "2", "epoch 2", "Error: <no>", "x" * 300 + "\u2026"])
        finally:
            os.unlink(file.name)
        self.assertEqual(run_report.log_tail(file.name), [])
        self.assertEqual(run_report.log_tail(""), [])

    def test_a_search_whose_defaults_failed_still_has_a_best_trial(self):
        trials = [Trial("gCSI", 0, "failed", {}, reason="exit code 1"), Trial("gCSI", 1, "done", {"a": 1}, 0.5)]
        self.assertEqual(hpo_report.lead(trials, "m"), "Best validation mse of m: gCSI: 0.500 in trial 1, none with the "
                         "defaults. Trial 0 has the default values.")
        self.assertEqual(hpo_report.lead(trials[:1], "m"), "No trial has ended well.")

    def test_failed_trials_are_listed_with_their_parameters(self):
        trials = [Trial("gCSI", 0, "done", {"rate": 0.1}, 0.5), Trial("gCSI", 1, "failed", {"rate": 0.9}, reason="exit code 1")]
        words = [cell.text for cell in ElementTree.fromstring(hpo_report.failed_table(trials, [])).iter("td")]
        self.assertEqual(words, ["exit code 1", "0.900"])
        self.assertEqual(hpo_report.failed_table(trials[:1], []), "")


class RunReportTest(WorkCase):
    def test_the_page_of_a_run_says_what_was_run_and_what_failed(self):
        write_benchmark(self.path("raw"), ("A", "B"))
        self.run_toy("--executor", "local", TOY_FAULTS="train A/split_1 exit:3")
        text = self.read("out/report.html")
        words = " ".join("".join(ElementTree.fromstring(text.partition("\n")[2]).itertext()).split())
        for part in ("Cross-study analysis of toy", "6 of 8 results, 2 missing after a failure", "workflow_csa.py --model toy",
                     "train failed: exit code 3", "toy: exit:3 as told", "Runtimes"):
            self.assertIn(part, words)
        self.assertNotIn("ynthetic", words)

    def test_a_run_on_demo_data_is_stamped_on_every_figure(self):
        self.run_workflow("csa", "--source", "gCSI", "--target", "gCSI", "--split", "0", "--model", "toy", "--model_dir", TOY_MODEL,
                          "--executor", "local", "--output_dir", "out")
        page = ElementTree.fromstring(self.read("out/report.html").partition("\n")[2])
        drawings = list(page.iter("{http://www.w3.org/2000/svg}svg"))
        self.assertGreater(len(drawings), 5)
        for drawing in drawings:
            self.assertIn("synthetic demo data", "".join(drawing.itertext()))


if __name__ == "__main__":
    unittest.main()
