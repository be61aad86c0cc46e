"""The pages: well-formed, complete, escaped; a real browser looks at them in tests/browser."""
import glob
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from xml.etree import ElementTree

from tests.support import STAGES, TOY_MODEL, WorkCase, write_benchmark

import tests  # noqa: F401  (puts stages/ on the path)

from report import hpo as hpo_report  # noqa: E402
from report import page as report  # noqa: E402
from report import run as run_report  # noqa: E402
from tests.made_tree import Campaign  # noqa: E402
from tree.plans import Task  # noqa: E402
from tree.results_tree import Gap, Tree  # noqa: E402
from tree.trials import Study, Trial  # noqa: E402

LONG = ['<b>study & "quoted" of forty characters<b>', "CTRPv2 of the Cancer Therapeutics Portal", "GDSCv1'; DROP TABLE scores",
        "gCSI", "étude-ünïcode-of-some-forty-characters--"]


def scores(value):
    return json.dumps({"mse": 0.1 * value, "rmse": 0.3 * value, "pcc": 0.9 * value, "scc": 0.8 * value, "r2": value})


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def stress_csa(out, studies=LONG):
    """5 studies, 10 splits, names of 40 characters; a source whose scores are far below 0; drugs of long names."""
    chance = random.Random(1)
    drugs = [f"drug {at} of a name that is <forty> & long" for at in range(8)]
    for source in studies:
        write(os.path.join(out, "models", source, "split_0", "val_scores.json"), scores(0.5))
        for target in studies:
            for split in range(10):
                value = chance.random() if source != "gCSI" else -3 * chance.random()
                write(os.path.join(out, "infer", f"{source}-{target}", f"split_{split}", "test_scores.json"), scores(value))
                at, other = studies.index(source), studies.index(target)
                write(os.path.join(out, "infer", f"{source}-{target}", f"split_{split}", "test_y_data_predicted.csv"),
                      stress_rows(chance, drugs[other:other + 4], range(other, other + 10), True))
                write(os.path.join(out, "ml_data", f"{source}-{target}", f"split_{split}", "train_y_data.csv"),
                      stress_rows(random.Random(split), drugs[at:at + 4], range(at, at + 10), False))


def stress_rows(chance, drugs, cells, predicted):
    lines = ["improve_sample_id,improve_chem_id,auc" + (",auc_true,auc_pred" if predicted else "")]
    for drug in drugs:
        for cell in cells:
            y = round(chance.random(), 4)
            lines.append(f"cell {cell},{drug},{y}" + (f",{y},{round((y + chance.random()) / 2, 4)}" if predicted else ""))
    return "\n".join(lines) + "\n"


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
    write(os.path.join(out, LONG[0], "study.json"), json.dumps({"val_metric": "mse", "space": space}))
    for number in range(60):
        params = {entry["name"]: 10 ** (-6 * chance.random()) for entry in space[:5]}
        params["activation"] = chance.choice(space[5]["choices"])
        failed = number % 13 == 5
        write(os.path.join(out, LONG[0], "trials", f"{number:04d}", "trial.json"), json.dumps({
            "trial": number, "params": params, "objective": None if failed else chance.random() + 0.1, "val_metric": "mse",
            "state": "failed" if failed else "done", "reason": "exit code 1" if failed else "", "scores": {}, "seconds": 3.2}))


def stress_compare(out):
    """Three models with long names on what stress_csa makes; the page stands where a report would."""
    names = "a model with a name of forty characters &", "<b>another<b>", "third"
    trees = [os.path.join(out, name) for name in names]
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

    def test_a_caption_explains_no_measure_that_its_figure_lacks(self):
        page = ElementTree.fromstring(self.pages["csa"].partition("\n")[2])
        captions = ["".join(caption.itertext()) for caption in page.iter("figcaption") if caption.text.startswith("G: ")]
        self.assertEqual([("Gna: " in caption) for caption in captions], [True, True, True, False, False, False])    # errors have none

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

    def test_no_line_breaks_within_the_name_of_an_option(self):
        self.assertEqual(report.typed("run /a --lc-sizes 3 x-y -v --z=1"),
                         "<pre>run /<wbr/>a <span class=\"option\">--lc-sizes</span> 3 x-y <span class=\"option\">-v</span> <span class=\"option\">--z</span>=1</pre>")

    def test_floats_of_a_column_have_as_many_decimals_but_for_those_of_their_own(self):
        table = report.table(["n", "r2", "p"], [["a", -0.00364, 0.0012], ["b", 0.473, 1.0], ["c", 0.2, None]], own_digits=("p",))
        self.assertEqual([cell.text for cell in ElementTree.fromstring(table).iter("td")],
                         ["\u22120.004", "0.00120", "0.473", "1.00", "0.200", "\u2013"])

    def test_the_arguments_that_differ_from_the_defaults_are_shown(self):
        def shown(changed):
            return run_report.changed_arguments({"arguments": {"changed": changed}})
        self.assertEqual(re.sub("<[^>]*>", "", shown({"source": ["gCSI", "a b"], "only_cross_study": True, "epochs": 3})),
                         "--source gCSI &#39;a b&#39; --only_cross_study --epochs 3")
        self.assertEqual(shown({}), "none")
        for plan in ({}, {"arguments": 7}, {"arguments": {"changed": 7}}):
            self.assertEqual(run_report.changed_arguments(plan), "")

    def test_one_result_is_not_results(self):
        self.assertEqual([run_report.completeness(count, []) for count in (1, 2)], ["1 of 1 result", "2 of 2 results"])

    def test_failures_of_one_cause_are_told_once(self):
        gaps = [Gap(Task(f"infer/{at}", "infer", "A"), f"models/{at}", "train", "failed", f"exit code 3 after {at} s")
                for at in (1, 2, 3)]
        words = "".join(ElementTree.fromstring(run_report.failure_section(gaps)).itertext())
        self.assertEqual(words.split("\n"), ["Missing results", "models/1 and 2 more",
                                             "train failed: exit code 3 after 1 s; missing: 3 results.", "There is no log."])

    def test_durations_stay_on_one_line(self):
        for seconds, text in ((3.21, "3.2 s"), (59.96, "1 min 00 s"), (250, "4 min 10 s"), (3599.7, "1 h 00 min"), (7500, "2 h 05 min")):
            self.assertEqual(run_report.duration(seconds), text.replace(" ", "\u00a0"))

    def test_split_numbers_are_told_as_ranges(self):
        self.assertEqual(run_report.ranges({0, 1, 2, 5, 7, 8, None}), "0-2, 5, 7-8")

    def test_only_the_newest_commands_are_shown(self):
        plans = [{"command": ["run", str(number)], "directory": "/a b"} for number in (1, 2, 2, 3, 4, 5, 6, 7)]
        shown = run_report.commands(plans).split("\n")
        self.assertEqual(shown[0], "<pre># and 2 earlier ones")
        self.assertEqual(shown[1:3], ["cd &#39;/<wbr/>a b&#39;", "run 3"])
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
        studies = {"gCSI": Study()}
        self.assertEqual(hpo_report.lead(trials, "m", studies),
                         "Best of m on validation data: gCSI: mse 0.500 in trial 1, none with the defaults.")
        self.assertEqual(hpo_report.lead(trials[:1], "m", studies), "No trial has ended well; 1 of 1 failed: exit code 1.")
        self.assertEqual(hpo_report.overview(trials, studies), [["gCSI", 2, 1, "mse", None, 0.5, 1]])
        self.assertEqual(hpo_report.overview(trials[:1], studies), [])

    def test_the_importance_of_all_studies_is_one_figure(self):
        drawn = run_report.Figures(False)
        hpo_report.importance_figure({"A": {"rate": 0.5, "size": 0.25}, "B": {"depth": 0.75}, "C": {}}, drawn)
        self.assertIn("rate: A 0.500, B \u2013. size: A 0.250, B \u2013. depth: A \u2013, B 0.750",
                      ElementTree.fromstring(drawn["hpo_importance.svg"])[1].text)
        self.assertEqual(hpo_report.importance_figure({"C": {}}, drawn), [])

    def test_the_trial_with_the_defaults_is_known_by_its_values(self):
        trials = [Trial("gCSI", 0, "done", {"a": 1}, 0.5), Trial("gCSI", 1, "done", {"a": 2}, 0.7)]
        studies = {"gCSI": Study("mse", [{"name": "a", "default": 2}])}
        self.assertIn("mse 0.500 in trial 0, 0.700 with the defaults", hpo_report.lead(trials, "m", studies))

    def test_failed_trials_are_listed_with_their_parameters(self):
        trials = [Trial("gCSI", 0, "done", {"rate": 0.1}, 0.5), Trial("gCSI", 1, "failed", {"rate": 0.9}, reason="exit code 1")]
        words = [cell.text for cell in ElementTree.fromstring(hpo_report.failed_table(trials, [])).iter("td")]
        self.assertEqual(words, ["exit code 1", "0.900"])
        self.assertEqual(hpo_report.failed_table(trials[:1], []), "")


class HandedOverTest(unittest.TestCase):
    def test_plans_and_statuses_that_the_tree_has_read_are_not_read_again(self):
        with tempfile.TemporaryDirectory() as out:
            campaign = Campaign(os.path.join(out, "out"))
            entries = campaign.entries(["A"], ["A"])
            campaign.plan("20260101T0", entries, created="2026-01-01T00:00:00Z", arguments={"changed": {"epochs": 5}})
            campaign.run(entries, seconds=2.0)
            tree = Tree(campaign.out)
            self.assertEqual({tree.verdict(entry["name"]).state for entry in entries}, {"done"})
        tasks = [task for task in tree.tasks.values() if task.stage == "infer"]
        rows = dict(run_report.run_rows(run_report.Run(tree, "m", tasks, 1, [], [])))
        self.assertEqual((rows["started"], rows["complete"]), ("2026-01-01 00:00:00 UTC", "1 of 1 result"))
        self.assertIn("epochs", rows["arguments that differ from the defaults"])
        self.assertEqual(run_report.runtimes(tree), {("A", stage): [2.0] for stage in ("preprocess", "train", "infer")})

    def test_a_time_that_is_none_is_left_out(self):
        for seconds in (None, "3", -1.0, float("nan"), float("inf"), [3], 10 ** 400):
            with tempfile.TemporaryDirectory() as out:
                campaign = Campaign(out)
                entries = campaign.entries(["A"], ["A"])
                campaign.plan("20260101T0", entries)
                campaign.run(entries, seconds=seconds)
                self.assertEqual(run_report.runtimes(Tree(out)), {}, seconds)


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
