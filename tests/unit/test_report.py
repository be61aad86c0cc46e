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
from urllib.parse import unquote
from xml.etree import ElementTree

from core.task import Task
from stages import collect_scores
from stages.collect.gaps import Gap
from stages.report import hpo as hpo_report, overlap, page as parts
from stages.report import run as run_report
from stages.search.trials import Study, Trial
from tests.collect_case import WithTables
from tests.made_tree import write

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
    """60 trials, some failed, of parameters with long names."""
    chance, source = random.Random(3), f"{out}/{LONG[0]}"
    space = [{"name": f"parameter_{k}_with_a_name_of_forty_characters"[:40], "type": "float",
              "min": 1e-6, "max": 1.0, "log_uniform": True} for k in range(5)]
    space.append({"name": "activation", "type": "categorical",
                  "choices": ['<relu> & "co"', "tanh"]})
    trial = {"val_metric": "mse", "scores": {}, "seconds": 3.2}
    write(f"{source}/study.json", json.dumps(dict(trial, space=space, search="auto", seed=0)))
    for number in range(60):
        params = {entry["name"]: 10 ** (-6 * chance.random()) for entry in space[:5]}
        trial.update(trial=number, params=dict(params, activation="tanh"), state="done", reason="",
                     objective=chance.random() + 0.1)
        if number % 13 == 5:
            trial.update(objective=None, state="failed", reason="exit code 1")
        write(f"{source}/trials/{number:04d}/trial.json", json.dumps(trial))


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


def parsed(page):
    return ElementTree.fromstring(page.partition("\n")[2])


def words_of(element):
    return " ".join("".join(element.itertext()).split())


def links_of(text):
    return map(unquote, set(re.findall(r'href="(?!#|data:)([^"]*)"', text)))


class PagesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work, cls.pages = tempfile.mkdtemp(prefix="work."), {}
        for name in STRESS:
            with open(made_page(name, cls.work), encoding="ascii") as file:
                cls.pages[name] = file.read()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.work)

    def test_pages_are_whole_and_name_everything_as_it_is(self):
        for name, text in self.pages.items():
            page = parsed(text)
            self.assertIn(LONG[0], words_of(page), name)
            self.assertEqual((page.get("lang"), len(list(page.iter("h1")))), ("en", 1))
            self.assertLessEqual({cell.get("scope") for cell in page.iter("th")}, {"col", "row"})
            self.assertEqual({drawn.get("role") for drawn in page.iter(SVG + "svg")}, {"img"})
            self.assertNotRegex(words_of(page), r"[ (]-\d")     # there is one minus sign

    def test_every_figure_links_to_its_file_and_nothing_to_elsewhere(self):
        for name, text in self.pages.items():
            for address in links_of(text):
                self.assertTrue(os.path.isfile(os.path.join(self.work, name, address)), address)
            figures = glob.glob(f"{self.work}/{name}/**/*.svg", recursive=True)
            self.assertGreaterEqual(len(figures), 2)
            for path in figures:
                ElementTree.parse(path)
            self.assertEqual(set(re.findall(r"https?://[^\s\"'<]+", text)), {SVG[1:-1]})

    def test_tables_written_elsewhere_are_linked_there(self):
        other = os.path.join(self.work, "other")
        collect(os.path.join(self.work, "lca"), "--output_dir", other)
        with open(f"{other}/report.html", encoding="ascii") as file:
            for address in links_of(file.read()):
                self.assertTrue(os.path.isfile(os.path.join(other, address)), address)

    def test_the_csa_page_shows_each_pair_and_says_what_it_cannot_say(self):
        self.assertEqual(self.pages["csa"].count("Trained on "), 2 * len(LONG))
        for part in ("lower is better", "n 40.0", "share most of their training rows",
                     " vs ", "baseline r2", "It can be near or below zero although the model wins"):
            self.assertIn(part, words_of(parsed(self.pages["csa"])))
        self.assertNotIn("arguments of the train script", self.pages["csa"])    # no plan says them


class PartsTest(unittest.TestCase):
    def test_a_table_has_scopes_values_to_sort_by_and_as_many_digits_everywhere(self):
        table = parts.table(["source_name", "r2", "p", "time"], [
            ["a<b", -0.00364, 0.0012, parts.Cell("3 s", 3)], ["c", None, 1.0, None]], "Mean & more",
            "scores/a b.csv", own_digits=("p",))
        for part in ('<th scope="col">source_<wbr/>name</th>', "Mean &amp; more",
                     '<td class="number" data-value="-0.00364">&#8722;0.00364</td>',
                     '<td class="number" data-value="3">3 s</td></tr>',
                     '<td class="number" data-value="">&#8211;</td>',
                     '<a href="scores/a%20b.csv" class="files">CSV</a>'):
            self.assertIn(part, table)
        rows = parts.table(["a", "x", "y"], [["b", 0.5, 0.00125]], "")
        self.assertEqual(re.findall(r">([\d.]+)<", rows), ["0.500", "0.001"])

    def test_headings_of_one_name_have_ids_of_their_own(self):
        page = parts.page("t", [], [parts.section(name) for name in ("g-CSI", "g CSI", "g_CSI")])
        for kind in 'href="#', 'id="':
            self.assertEqual(re.findall(f'{kind}([^"]*)"', page), ["g-CSI", "g%20CSI", "g_CSI"])


class RunTest(WithTables):
    def test_the_head_says_what_was_run_with_what_and_what_failed(self):
        entries = self.campaign.entries(["A", "B"], ["A"])
        entries.append(self.campaign.entry("collect", "scores", ("", "", None), [], {}))
        for entry in entries:
            if entry["stage"] == "train":
                entry["arguments"] = {"input_dir": "x", "rate": entry["source"]}
        self.campaign.plan(
            "20260101T0", entries, directory="/a b", synthetic=True, command=["run", "c d"],
            input_dir="/raw", arguments={"changed": {"only": True, "s": ["x", 3], "e": "a b"}},
            fingerprints={"y_data": {"y.tsv": [1, 2, 3], "gone.tsv": []}})
        self.campaign.plan("20251231T0", entries, fingerprints={"y_data": {"y.tsv": [1, 1, 4]}})
        self.campaign.run(entries[:4], seconds=2.0)
        self.campaign.run(entries[4:5], state="failed", reason="exit code 3")
        self.campaign.run(entries[6:], seconds=2.0)
        with open(os.path.join(self.out, entries[4]["name"], "log.txt"), "wb") as file:
            file.write(b"1\n2\n3\n4\nepoch 1\repoch 2\r\nError: <no>\n")
        self.collect()
        with open(f"{self.out}/report.html", encoding="ascii") as file:
            page = parsed(file.read())
        for part in ("data/raw responseauc trained onA, B tested onA splits0 ",
                     "A: --rate A; B: --rate B", "--only True --s x 3 --e 'a b'",
                     "1 of 2 results; 1 missing: train failed: exit code 3",
                     "launches20251231T0, 20260101T0", "cd '/a b' run 'c d'",
                     "3 4 epoch 1 epoch 2 Error: <no>",
                     "y.tsv changed between launches",
                     "most memory Apreprocess12.0 s2.0 s2.0 s", parts.SYNTHETIC):
            self.assertIn(part, words_of(page))
        for drawing in page.iter(SVG + "svg"):
            self.assertIn(parts.STAMP, words_of(drawing))

    def test_small_texts(self):
        for seconds, text in ((3.21, "3.2\u00a0s"), (59.96, "0:01:00"), (90007, "25:00:07")):
            self.assertEqual(run_report.duration(seconds), text)
        self.assertEqual(run_report.ranges({0, 1, 2, 5, 7, 8}), "0-2, 5, 7-8")

    def test_failures_of_one_cause_are_told_once(self):
        gaps = [Gap(Task(f"i/{at}", "infer"), f"models/{at}", "train", "failed",
                    f"code 3 after {at} s") for at in (1, 2, 3)]
        words = words_of(ElementTree.fromstring(run_report.failure_section(gaps)))
        self.assertIn("models/1 and 2 more3 missing: train failed: code 3 after 1 s.",
                      words.replace("more ", "more"))


class SectionsTest(unittest.TestCase):
    def test_rows_of_unseen_drugs_and_cell_lines_are_told_in_a_sentence(self):
        stratum = dict(src="A", trg="B", naive_r2=0.1)
        for r2, part in (
                (0.4, "is 0.80 in rows whose drug and cell line were both seen in training, and "
                 "0.40 in rows with drug unseen (medians over targets and splits; the mean-effects "
                 "predictor has 0.10 there)."),
                (float("nan"), "Every row of the other studies")):
            self.assertIn(part, overlap.sentences([
                dict(stratum, drug="seen", cell_line="seen", r2=0.8),
                dict(stratum, drug="unseen", cell_line="seen", r2=r2)]))
        self.assertEqual(overlap.sentences([]), "")

    def test_pairs_that_share_studies_have_no_p_value(self):
        pairs = [(a, b) for a in "ABC" for b in "ABC" if a != b]
        found = overlap.with_r2([(*pair, 0.1 * at, 0.5, 0) for at, pair in enumerate(pairs)],
                                dict(zip(pairs, range(6))))
        self.assertIn("drugs 1.00, cell lines \u2013.", found)
        self.assertIn("The 6 pairs come from only 3 studies and are not independent", found)

    def test_a_search_says_its_best_trial_beside_the_defaults(self):
        for trials, space, said in (
                ([Trial("A", 0, "failed", {}), Trial("A", 1, "done", {"a": 1}, 0.5, std=0.01)], [],
                 "Best of m on validation data: A: mse 0.500 \u00b1 0.010 in trial 1, none with "
                 "the defaults."),
                ([Trial("A", 0, "done", {"a": 1}, 0.5), Trial("A", 1, "done", {"a": 2}, 0.7)],
                 [{"name": "a", "default": 2}], "mse 0.500 in trial 0, 0.700 with the defaults"),
                ([Trial("A", 0, "failed", {}, reason="exit code 1")], [],
                 "No trial has ended well; 1 of 1 failed: exit code 1.")):
            rows = hpo_report.overview(trials, {"A": Study("mse", space)})
            self.assertIn(said, hpo_report.lead(trials, "m", rows))


if __name__ == "__main__":
    unittest.main()
