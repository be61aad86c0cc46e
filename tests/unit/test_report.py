"""The pages: well-formed, complete, escaped, linked; tests/browser looks at them in a browser."""
import contextlib
import glob
import io
import itertools
import json
import os
import random
import re
import shutil
import tempfile
import unittest
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

from core.task import Task
from stages import collect_scores
from stages.collect.gaps import Gap
from stages.report import csa as csa_report, hpo as hpo_report, page as parts
from stages.report.run import failure_lines
from stages.search.trials import Study, Trial
from tests.collect_case import WithTables
from tests.made_tree import of_stage, write

LONG = ['<b>study & "quoted" of forty characters<b>', "CTRPv2 of the Cancer Therapeutics Portal",
        "GDSCv1'; DROP TABLE scores", "gCSI",
        "\u00e9tude-\u00fcn\u00efcode-of-some-forty-characters--"]
SVG = "{http://www.w3.org/2000/svg}"


# ---- trees that are hard to show

def stress_csa(out, studies=LONG):
    """5 studies, 3 splits, long names; a source whose scores are far below 0."""
    chance = random.Random(1)
    for source, target, split in itertools.product(studies, studies, range(3)):
        folder = f"{source}-{target}/split_{split}"
        value = chance.random() if source != "gCSI" else -3 * chance.random()
        write_scores(f"{out}/infer/{folder}", value)
        write(f"{out}/models/{source}/split_{split}/val_scores.json", "{}")
        write(f"{out}/infer/{folder}/test_y_data_predicted.csv",
              responses(chance, studies.index(target)))
        write(f"{out}/ml_data/{folder}/train_y_data.csv",
              responses(random.Random(split), studies.index(source)))


def write_scores(folder, value):
    write(f"{folder}/test_scores.json", json.dumps(
        {"mse": 0.1 * value, "rmse": 0.3 * value, "pcc": 0.9 * value, "r2": value}))


def responses(chance, first):
    """Four drugs and ten cell lines, some of which the next study has, too."""
    lines = ["improve_sample_id,improve_chem_id,auc,auc_true,auc_pred"]
    for drug, cell in itertools.product(range(first, first + 4), range(first, first + 10)):
        y = round(chance.random(), 4)
        lines.append(f"cell {cell},drug {drug} of a name that is <forty> & long,{y},{y},"
                     f"{(y + chance.random()) / 2:.4f}")
    return "\n".join(lines) + "\n"


def stress_lca(out):
    chance = random.Random(2)
    for source, split, step in itertools.product(LONG, range(3), range(10)):
        value = (5 + 2 * LONG.index(source)) * 2 ** (-0.4 * step) * (1 + 0.05 * chance.random())
        write_scores(f"{out}/{source}/infer/split_{split}/sz_{128 * 2 ** step}", value)


def stress_hpo(out):
    """30 trials, every third failed, of parameters with long names."""
    chance, source = random.Random(3), f"{out}/{LONG[0]}"
    names = [f"parameter_{k}_with_a_name_of_40_characters" for k in range(5)]
    space = [{"name": name, "type": "float", "min": 1e-6, "max": 1.0, "log_uniform": True}
             for name in names]
    study = {"val_metric": "mse", "space": space, "search": "auto", "seed": 0}
    write(f"{source}/study.json", json.dumps(study))
    for number in range(30):
        params = {name: 10 ** (-6 * chance.random()) for name in names}
        state, objective = (("done", chance.random()) if number % 3 else ("failed", None))
        write(f"{source}/trials/{number:04d}/trial.json", json.dumps(dict(
            study, trial=number, params=params, state=state, objective=objective, scores={},
            seconds=3, reason="exit <code>")))


def stress_compare(out):
    """Three models with long names on the trees of stress_csa."""
    trees = [f"{out}/{name}" for name in ("a model of forty characters & more", "<b>b<b>", "third")]
    for tree in trees:
        stress_csa(tree)
    collect("--compare", *trees, "--output_dir", out)


STRESS = {"csa": stress_csa, "lca": stress_lca, "hpo": stress_hpo, "compare": stress_compare}


def made_page(name, work):
    """Makes a tree of STRESS; returns the path of its page."""
    out = os.path.join(work, name)
    STRESS[name](out)
    if name == "compare":
        return f"{out}/compare.html"
    collect(out)
    return f"{out}/report.html"


def collect(*arguments):
    with contextlib.redirect_stdout(io.StringIO()):
        if collect_scores.main(arguments):
            raise AssertionError(arguments)


def parsed(path):
    return ElementTree.parse(path).getroot()


def words_of(element):
    return " ".join("".join(element.itertext()).split())


class WithPages(unittest.TestCase):
    """pages: {name in STRESS: path}"""

    @classmethod
    def setUpClass(cls):
        cls.work = tempfile.mkdtemp(prefix="work.")
        cls.pages = {name: made_page(name, cls.work) for name in STRESS}

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.work)


class PagesTest(WithPages):
    def test_pages_are_whole_and_name_everything_as_it_is(self):
        for name, path in self.pages.items():
            page = parsed(path)
            self.assertIn(LONG[0], words_of(page), name)
            self.assertEqual((page.get("lang"), len(list(page.iter("h1")))), ("en", 1))
            self.assertEqual({cell.get("scope") for cell in page.iter("th")}, {"col"})
            self.assertEqual({drawn.get("role") for drawn in page.iter(SVG + "svg")}, {"img"})
            # there is one minus sign
            self.assertNotRegex(words_of(page.find("body/main")), r"[ (]-\d")

    def test_every_figure_links_to_its_file_wherever_it_is_and_nothing_to_elsewhere(self):
        other = f"{self.work}/other"
        collect(f"{self.work}/lca", "--output_dir", other)
        for name, path in dict(self.pages, other=f"{other}/report.html").items():
            text = Path(path).read_text("ascii")
            for address in map(unquote, re.findall(r'href="(?!#|data:)([^"]*)"', text)):
                self.assertTrue(os.path.isfile(os.path.join(self.work, name, address)), address)
            figures = glob.glob(f"{self.work}/{name}/**/*.svg", recursive=True)
            self.assertGreaterEqual(len(figures), 2)
            for path in figures:
                ElementTree.parse(path)
            self.assertEqual(set(re.findall(r"https?://[^\s\"'<]+", text)), {SVG[1:-1]})

    def test_the_csa_page_shows_each_pair_and_says_what_it_cannot_say(self):
        page = parsed(self.pages["csa"])
        self.assertEqual(words_of(page).count("Trained on "), len(LONG))
        for part in ("0.189 to 0.138; lower is better", "n 40.0", " vs ",
                     "share most of their training rows", "baseline r2",
                     "It can be near or below zero although the model wins"):
            self.assertIn(part, words_of(page))
        rows = page.findall(".//section[@id='Beside%20a%20naive%20baseline']//tbody/tr")
        self.assertEqual(len(rows), len(LONG) ** 2)
        for row in rows:
            difference, r2, baseline = [float(cell.get("data-value")) for cell in row[2:5]]
            self.assertAlmostEqual(difference, r2 - baseline)


class PartsTest(unittest.TestCase):
    def test_a_table_has_values_to_sort_by_and_as_many_digits_everywhere(self):
        table = parts.table(["name_of", "r2", "time"], [
            ["a<b", -0.00364, parts.Cell("3 s", 3)], ["c", None, None]], "Mean & more",
            "scores/a b.csv")
        for part in ('<th scope="col">name of</th>', "Mean &amp; more", "<td >a&lt;b</td>",
                     '<td class="number" data-value="-0.00364">&#8722;0.00364</td>',
                     '<td class="number" data-value="3">3 s</td>',
                     '<td class="number" data-value="">&#8211;</td>',
                     '<a href="scores/a%20b.csv" class="files">CSV</a>'):
            self.assertIn(part, table)
        rows = parts.table(["a", "x", "y"], [["b", 0.5, 0.00125]], "")
        self.assertEqual(re.findall(r">([\d.]+)<", rows), ["0.500", "0.001"])

    def test_rows_of_unseen_drugs_and_cell_lines_are_told_in_a_sentence(self):
        rows = [dict(src="A", trg=target, drug="seen", cell_line=cell_line, r2=r2, naive_r2=0.1)
                for target, cell_line, r2 in (("B", "seen", 0.8), ("B", "unseen", 0.4),
                                              ("C", "unseen", 0.2), ("A", "unseen", 0.0))]
        self.assertIn("both seen 0.80 (0.10); cell line unseen 0.30 (0.10); drug unseen \u2013 (",
                      csa_report.overlap_sentence(rows))
        self.assertEqual(csa_report.overlap_sentence(rows[3:]), "")

    def test_a_search_says_its_best_trial_beside_the_defaults(self):
        trials = [Trial("A", 0, "failed", {}), Trial("A", 1, "done", {"a": 1}, 0.5, std=0.01),
                  Trial("A", 2, "done", {"a": 2}, 0.7)]
        for count, said in (
                (1, "No trial has ended well."),
                (2, "Best of m on validation data: A: mse 0.500 \u00b1 0.010 in trial 1, none with "
                 "the defaults."),
                (3, "mse 0.500 \u00b1 0.010 in trial 1, 0.700 with the defaults")):
            rows = hpo_report.overview(
                trials[:count], {"A": Study("mse", [{"name": "a", "default": 2}])})
            self.assertIn(said, hpo_report.lead("m", rows))

    def test_failures_of_one_cause_are_told_once(self):
        gaps = [Gap(Task(f"i/{at}", "infer"), f"models/{at}", "train", state,
                    f"code 3 after {at} s")
                for at, state in enumerate("failed failed interrupted waiting undefined".split())]
        self.assertEqual(failure_lines(gaps), [
            "models/0 and 1 more failed: code 3 after 0 s (2 scores missing)",
            "models/2 interrupted: code 3 after 2 s (1 score missing)",
            "1 score pending: tasks are running or have not run"])


class RunTest(WithTables):
    def test_the_head_says_what_was_run_with_what_and_what_failed(self):
        entries = self.campaign.entries(["A", "B"], ["A"])
        for entry in of_stage(entries, "train"):
            entry["arguments"] = {"input_dir": "x", "rate": entry["source"]}
        self.campaign.plan(
            "20260101T0", entries, directory="/a b", synthetic=True, command=["run", "c d"],
            input_dir="/raw", fingerprints={"y_data": {"y.tsv": [1, 2, 3], "gone.tsv": []}})
        self.campaign.plan("20251231T0", entries, fingerprints={"y_data": {"y.tsv": [1, 1, 4]}})
        self.campaign.run(entries[:4], seconds=1.5)
        self.campaign.run(entries[4:5], state="failed", reason="exit code 3")
        self.collect()
        page = parsed(self.path("out/report.html"))
        for part in ("data/raw responseauc trained onA, B tested onA splits0 ",
                     "A: --rate A; B: --rate B", "1 of 2 results missing",
                     "models/B/split_0 failed: exit code 3 (1 score missing",
                     "launches20251231T0, 20260101T0", "cd '/a b' run 'c d'",
                     "y.tsv changed between launches", "A A B 0.500 \u2013 *",
                     "sum A preprocess 1 0:00:02 0:00:02", parts.SYNTHETIC):
            self.assertIn(part, words_of(page))
        for part in "gone.tsv", "sizes":
            self.assertNotIn(part, words_of(page))
        for drawing in page.iter(SVG + "svg"):
            self.assertIn(parts.STAMP, words_of(drawing))


if __name__ == "__main__":
    unittest.main()
