"""Bundles: the same tables from the archive as from the tree, whatever is in the names; damaged ones are refused."""
import gzip
import io
import json
import os
import shutil
import subprocess
import tarfile

import tests  # noqa: F401  (puts stages/ on the path)

from collect import bundle, csa  # noqa: E402
from common.refusal import Refusal  # noqa: E402
from tests.made_tree import PREDICTIONS, Campaign  # noqa: E402
from tests.support import WorkCase  # noqa: E402
from tree.results_tree import Tree  # noqa: E402

OWN = ("log.txt", "stage_status.json")      # the collector's task has left them, it is no table


class BundleTest(WorkCase):

    def made(self, sources=("a", "b"), splits=(0, 1), name="out", **plan):
        campaign = Campaign(self.path(name))
        entries = campaign.entries(sources, sources, splits)
        campaign.plan("20260101T0", entries, **plan)
        campaign.run(entries)
        for entry in entries:
            if entry["stage"] == "infer":
                campaign.write(entry["name"] + "/test_y_data_predicted.csv", PREDICTIONS)
        return campaign

    def bundle(self, tree="out", name="b.tar.gz"):
        ended = self.collect(tree, "--bundle", name)
        self.assertEqual(ended.code, 0, ended)
        return ended

    def files(self, *parts):
        found = {}
        for name in set(os.listdir(self.path(*parts))) - set(OWN):
            with open(self.path(*parts, name), "rb") as file:
                found[name] = file.read()
        return found

    def test_a_campaigns_bundle_is_collected_to_the_same_tables_byte_for_byte(self):
        self.have_toy()
        self.bundle()
        shutil.rmtree(self.path("raw"))     # another machine has no benchmark
        wanted = self.files("out", "scores")
        os.rename(self.path("out"), self.path("elsewhere"))
        ended = self.collect("b.tar.gz", "--output_dir", "tables")
        self.assertEqual(ended.code, 0, ended)
        found = self.files("tables")
        self.assertIn("</html>", found.pop("report.html").decode())
        self.assertEqual(sorted(found), sorted(wanted))
        for name, content in wanted.items():
            self.assertEqual(found[name], content, name)
        self.assertIn("coverage.csv", wanted)

    def test_a_tree_without_statuses_is_too(self):
        self.made()
        for folder, _, names in os.walk(self.path("out", "infer")):
            if "stage_status.json" in names:
                os.remove(os.path.join(folder, "stage_status.json"))
        shutil.rmtree(self.path("out", "launches"))
        self.bundle()
        self.collect("b.tar.gz", "--output_dir", "tables")
        found = self.files("tables")
        found.pop("report.html")
        self.assertEqual(found, self.files("out", "scores"))

    def test_the_archive_holds_what_a_paper_publishes_with_checksums_that_hold(self):
        self.made(sources=("a", 'b "c", \u00fc'))
        subprocess.check_call(["git", "init", "-q", self.path("model")])
        subprocess.check_call(["git", "-C", self.path("model"), "-c", "user.name=n", "-c", "user.email=e", "commit", "-q",
                               "--allow-empty", "-m", "m"])
        Campaign(self.path("out")).plan("20260102T0", [], arguments={"model_dir": self.path("model")})
        self.bundle()
        with tarfile.open(self.path("b.tar.gz")) as archive:
            names = [name.partition("/")[2] for name in archive.getnames()]
            text = gzip.decompress(archive.extractfile('b/predictions/a_b "c", \u00fc_split_0_baseline.csv.gz').read()).decode()
            readme = archive.extractfile("b/README.txt").read().decode()
            archive.extractall(self.path("x"), **{"filter": "data"} if hasattr(tarfile, "data_filter") else {})
        self.assertEqual(text, PREDICTIONS)
        for name in ("bundle.json", "tree/launches/20260101T0/plan.json", "tree/scores/all_scores.csv", "tree/report.html",
                     "tree/infer/a-a/split_1/test_scores.json"):
            self.assertIn(name, names)
        self.assertEqual(names[-1], "SHA256SUMS")
        commit = subprocess.check_output(["git", "-C", self.path("model"), "rev-parse", "HEAD"]).decode().strip()
        self.assertIn(commit, readme)
        subprocess.check_call(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=self.path("x", "b"))

    def test_two_bundles_are_compared_as_two_trees(self):
        for name in ("one", "two"):
            self.made(name=name, model=name)
            self.bundle(name, f"{name}.tar.gz")
        ended = self.collect("--compare", "one.tar.gz", "two", "--output_dir", "mixed")
        self.assertEqual(ended.code, 0, ended)
        ended = self.collect("--compare", "one.tar.gz", "two.tar.gz", "--output_dir", "bundles")
        self.assertEqual(ended.code, 0, ended)
        self.assertIn("two: two.tar.gz", ended.out)
        self.assertEqual(self.read("mixed/compare_pairs.csv"), self.read("bundles/compare_pairs.csv"))

    def test_names_that_would_be_the_same_are_told_apart(self):
        self.made(sources=("a", "a_b", "b_a"), splits=(0,))
        self.bundle()
        with bundle.opened(self.path("b.tar.gz")) as directory:
            for source, target in (("a", "b_a"), ("a_b", "a")):
                self.assertTrue(os.path.isfile(f"{directory}/infer/{source}-{target}/split_0/test_y_data_predicted.csv"))
        with tarfile.open(self.path("b.tar.gz")) as archive:
            self.assertIn("b/predictions/a_b_a_split_0_baseline_2.csv.gz", archive.getnames())

    def test_only_results_that_count_are_published(self):
        campaign = self.made()
        campaign.write("infer/a-b/split_1/test_y_data_predicted.csv", PREDICTIONS[:-10])
        status = campaign.status_of("infer/a-b/split_1")
        status["files"] = {"test_y_data_predicted.csv": len(PREDICTIONS)}
        campaign.write("infer/a-b/split_1/stage_status.json", json.dumps(status))
        self.assertIn("7 files of predictions", self.bundle().out)

    def test_a_damaged_bundle_is_refused_in_a_sentence(self):
        self.made()
        self.bundle()
        with open(self.path("b.tar.gz"), "rb") as file:
            whole = file.read()
        for name, content in (("cut.tar.gz", whole[:len(whole) // 2]), ("no.tar.gz", b"text"), ("empty.tar.gz", b""),
                              ("bad.tar.gz", self.changed(whole))):
            with open(self.path(name), "wb") as file:
                file.write(content)
            self.assert_refused(self.collect(name, "--output_dir", "t"), "is not a whole bundle", "try:")

    def changed(self, whole):
        """The archive with one score changed."""
        found = io.BytesIO()
        with tarfile.open(fileobj=io.BytesIO(whole)) as old, tarfile.open(fileobj=found, mode="w:gz") as new:
            for info in old:
                data = old.extractfile(info).read()
                data = data.replace(b'"r2": 0.5', b'"r2": 0.9') if info.name.endswith("split_0/test_scores.json") else data
                new.addfile(info, io.BytesIO(data))
        return found.getvalue()

    def test_no_file_of_a_bundle_leaves_its_directory(self):
        for path in ("../evil", "/tmp/evil_of_bundle", "infer/../../evil"):
            with tarfile.open(self.path("evil.tar.gz"), "w:gz") as archive:
                head = json.dumps({"files": {"x": {"path": path, "size": 1, "changed": 0}}}).encode()
                for name, data in (("bundle.json", head), ("x", b"x")):
                    info = tarfile.TarInfo(f"e/{name}")
                    info.size = len(data)
                    archive.addfile(info, io.BytesIO(data))
            with self.assertRaises(Refusal):
                with bundle.opened(self.path("evil.tar.gz")):
                    pass

    def test_a_file_that_unpacks_to_more_than_it_says_is_refused(self):
        with tarfile.open(self.path("bomb.tar.gz"), "w:gz") as archive:
            head = json.dumps({"files": {"p.csv.gz": {"path": "p", "size": 10, "changed": 0}}}).encode()
            for name, data in (("bundle.json", head), ("p.csv.gz", gzip.compress(b"0" * 10 ** 6))):
                info = tarfile.TarInfo(f"e/{name}")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        with self.assertRaises(Refusal):
            with bundle.opened(self.path("bomb.tar.gz")):
                pass

    def test_what_cannot_be_published_or_read_is_refused(self):
        self.made()
        self.bundle()
        self.assert_refused(self.collect("out", "--bundle", "b.zip"), "does not end in .tar.gz")
        self.assert_refused(self.collect("b.tar.gz"), "is a bundle, which is not changed", "--output_dir")
        for folder, _, names in os.walk(self.path("out", "infer")):
            for name in names:
                if name == "test_y_data_predicted.csv":
                    os.remove(os.path.join(folder, name))
        self.assert_refused(self.collect("out", "--bundle", "b.tar.gz"), "holds no test_y_data_predicted.csv")
        self.assertEqual(os.listdir(self.work).count("b.tar.gz"), 1)    # the old one

    def test_results_of_a_learning_curve_are_named_by_their_size(self):
        task = csa.Task("A/infer/split_0/sz_8", "infer", "A", "A", 0, 8)
        self.assertEqual(bundle.prediction_name(task, "m"), "predictions/A_split_0_sz_8_m.csv.gz")
        self.assertEqual(bundle.members_of(Tree(self.work), "m"), [])
