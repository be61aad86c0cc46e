"""A search on this machine: its study is created once, it finds the best, its commands run."""
import html
import json
import os
import re
import shutil
import unittest

from tests.hpo_case import CHOICES, LOCAL, RATE, HpoCase
from tests.support import WorkCase, write_benchmark, write_ids

# A model that takes any option and writes down which it was given.
ANY_MODEL = '''
import json, os, sys
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
stage = os.path.basename(sys.argv[0]).split("_")[1]
scores = '{"mse": 0.25, "r2": 0.5}'
predicted = "improve_sample_id,improve_chem_id,auc,auc_true,auc_pred\\na,d,0.5,0.5,0.4\\n"
files = {"preprocess": {part + "_y_data.csv": "improve_sample_id,improve_chem_id,auc\\nc,d,0.5\\n"
                        for part in ("train", "val", "test")},
         "train": {"val_scores.json": scores, "val_y_data_predicted.csv": predicted},
         "infer": {"test_scores.json": scores, "test_y_data_predicted.csv": predicted}}[stage]
for name, text in dict(files, given=json.dumps(given)).items():
    with open(os.path.join(given["--output_dir"], name), "w") as file:
        file.write(text)
'''
# What a user of that model gives to the search, and what the printed commands have to keep.
KEPT = ("--split_type", "cell", "--y_data_file", "other.tsv", "--input_supp_data_dir", "author",
        "--cuda_name", "cuda:7", "--epochs", "3", "--preprocess_args", "--scale yes",
        "--train_args", "--note 'two words'", "--infer_args", "--samples 2")
REFUSED = (         # space.json, an option and its value, part of the message
    (json.dumps([dict(RATE, max="x")]), "--seed 1", "\"learning_rate\": 'max' must be a number"),
    ("[{", "--seed 1", "space.json: is not JSON"),
    (json.dumps([RATE]), "--train_args=--learning_rate=0.5", "fixed value"),
    (json.dumps([RATE]), "--val_metric gain", "gain:higher or gain:lower"),
    ("", "--hyperparameter_file no.json", "no.json does not exist, neither"))


class StudyTest(HpoCase):
    def test_a_study_is_created_by_the_first_real_launch_and_never_changed(self):
        self.search(2, "--dry_run")
        self.assertEqual(os.listdir(self.path("out")), ["launches"])
        self.search(2)
        text = self.read("out/A/study.json")
        self.write("space.json", json.dumps([dict(RATE, max=2.0)]))
        for arguments, part in (
                (("--dry_run",), "A/study.json is of another search: space: learning_rate: {"),
                (("--val_metric", "r2", "--split", "1"), "val_metric: mse -> r2; splits: [0] -> "),
                (("--epochs", "7"), "-> ['--y_col_name', 'auc', '--epochs', '7']; space: learn")):
            self.assert_refused(self.run_hpo(*LOCAL, *arguments), part, "another --output_dir",
                                f"rm -r {self.path('out/A')} forgets its trials")
        self.assertEqual((self.read("out/A/study.json"), list(self.trials())), (text, [0, 1]))
        self.write("space.json", json.dumps([RATE]))
        self.search(3)
        self.write("out/A/study.json", "{")
        self.assert_refused(self.run_hpo(*LOCAL), "it is malformed")

    def test_another_study_in_the_same_tree_has_its_own_space_and_metric(self):
        self.write("other.json", json.dumps([dict(RATE, min=5.0, max=9.0, default=6.0)]))
        other = ("--source", "B", "--hyperparameter_file", "other.json", "--val_metric", "r2")
        self.search(3)
        self.search(3, *other)
        self.search(5)
        rows = self.table("hpo_results.csv")
        self.assertEqual({(row["source"], row["val_metric"], float(row["learning_rate"]) < 5)
                          for row in rows}, {("A", "mse", True), ("B", "r2", False)})
        best = min(self.trials("A").values(), key=lambda trial: trial["scores"]["mse"])
        tuned = json.loads(self.read("out/hyperparameters_hpo.json"))["toy"]
        self.assertEqual((tuned["A"], set(tuned)), (best["params"], {"A", "B"}))

    def test_a_bad_space_or_metric_is_refused_and_nothing_is_written(self):
        for space, option, part in REFUSED:
            self.write("space.json", space)
            self.assert_refused(self.run_hpo(*LOCAL, *option.split()), part)
            self.assertFalse(os.path.exists(self.path("out")))


class SearchTest(HpoCase):
    def test_a_search_finds_the_best_rate_and_more_trials_run_only_the_additional_ones(self):
        for count in (12, 16):
            ended = self.search(count)
        self.assertEqual(dict(self.trained()), {number: 1 for number in range(16)})
        self.assertEqual(self.trials()[0]["params"], {"learning_rate": 0.9})
        best = json.loads(self.read("out/hyperparameters_hpo.json"))["toy"]["A"]["learning_rate"]
        self.assertAlmostEqual(best, 0.3, delta=0.05)
        rows = self.table("hpo_results.csv")
        self.assertEqual([row["trial"] for row in rows], list(map(str, range(16))))
        best_so_far = [float(row["best_so_far"]) for row in rows]
        self.assertEqual(best_so_far, sorted(best_so_far, reverse=True))
        self.assertIn("trains on one split, so the noise of its objective is not known", ended.out)
        ended = self.run_toy(*LOCAL, "--hyperparameters_file", "out/hyperparameters_hpo.json",
                             "--source", "A", "--output_dir", "lca", "--lc_sizes", "2",
                             "--min_size", "3", workflow="lca")
        self.assertEqual(ended.code, 0, ended)
        self.assertIn(f'"learning_rate": "{best}"',
                      self.read("lca/A/models/split_0/sz_3/stage_status.json"))

    def test_default_and_best_are_shown_with_their_deviation_over_splits(self):
        self.write("space.json", json.dumps([dict(RATE, name="epochs", type="int", min=1, max=9,
                                                  default=4)]))
        ended = self.search(2, "--split", "0", "1", "--val_metric", "r2")
        trial = self.trials()[0]
        self.assertEqual(trial["objective"], sum(trial["objectives"]) / 2)
        self.assertRegex(ended.out, r"validation +defaults +best +trial\n"
                         r"A +2 +0 +r2( +[\d.]+ \u00b1 [\d.]+){2} +\d\n")
        self.assertNotIn("noise", ended.out)

    def test_a_failed_trial_runs_again_at_its_point_and_the_others_do_not(self):
        self.search(5, code=1, TOY_FAULTS="train 0002 exit:3;train 0003 nofile")
        self.assertEqual(self.status_of("A/trials/0002")["reason"],
                         "exit code 1: toy: exit:3 as told")
        self.assertIn("val_scores.json: cannot be read", self.status_of("A/trials/0003")["reason"])
        failed = self.trials()
        self.assertEqual([row["state"] for row in self.table("hpo_results.csv")],
                         ["done", "done", "failed", "failed", "done"])
        self.assertIn("crosses: failed", self.read("out/scores/hpo_best_so_far.svg"))
        for arguments, starts in (((), [1, 1, 2, 2, 1]), (("--redo", "trial"), [2, 2, 3, 3, 2])):
            self.search(5, *arguments)
            self.assertEqual([self.trained()[number] for number in range(5)], starts)
        self.assertEqual([trial["params"] for trial in self.trials().values()],
                         [trial["params"] for trial in failed.values()])

    def test_a_train_script_that_changed_between_trials_is_a_note(self):
        said = self.search(2).out
        self.assertNotIn("has changed between trials", said)
        path = self.path("out/A/trials/0001/trial.json")
        script = json.loads(self.read(path))["train_script"]
        self.write(path, self.read(path).replace(script, script[::-1]))     # of the same size
        self.assertIn("A: the train script has changed between trials", self.search(3).out)

    def test_if_every_trial_fails_the_reason_is_said_once(self):
        ended = self.search(4, code=1, TOY_FAULTS="train trials exit:3")
        for text in (ended.out, ended.err, self.run_hpo("--status").out):
            self.assertEqual(text.count("exit code 1: toy: exit:3 as told"), 1, text)
            self.assertIn("A/trials/0000 and 3 more", text)
        self.assertIn("No trial has ended well; 4 of 4 failed", self.read("out/report.html"))

    def test_each_point_of_a_discrete_space_is_tried_once(self):
        self.write("space.json", json.dumps([CHOICES]))
        ended = self.search(6, "--jobs", "4")
        self.assertIn("the search space has only 3 points", ended.out)
        self.assertEqual(sorted(trial["params"]["learning_rate"]
                                for trial in self.trials().values()), [0.1, 0.2, 0.3])


class NextStepsTest(WorkCase):
    """The commands at the end of a search, pasted."""

    def setUp(self):
        super().setUp()
        os.makedirs(self.path("any model/author"))
        for stage in ("preprocess", "train", "infer"):
            self.write(f"any model/any_{stage}_improve.py", ANY_MODEL)
        self.write("any model/author/x.txt", "x")
        self.write("any model/any_hyperparameters.json", json.dumps([CHOICES]))

    def given(self, name):
        """{option: value} of a task, without its own paths."""
        return {name: value for name, value in json.loads(self.read("runs", name, "given")).items()
                if not re.search("_split_file|--input_.*dir|--output_dir", name)
                or name == "--input_supp_data_dir"}

    def test_they_run_and_train_what_the_search_has_trained(self):
        write_benchmark(self.path("raw"), ("A", "B"))
        shutil.copy(self.path("raw/y_data/response.tsv"), self.path("raw/y_data/other.tsv"))
        for study, first in (("A", 0), ("B", 10)):
            for part, row in (("train", 0), ("val", 1), ("test", 2)):
                rows = [first + at for at in range(10) if min(at % 5, 2) == row]
                write_ids(self.path("raw"), f"{study}_cell_0_{part}.txt", rows)
        ended = self.run_workflow("hpo", "--model", "any", "--model_dir", "any model", "--source",
                                  "A", "--input_dir", "raw", "--output_dir", "runs/hpo_any",
                                  "--max_evals", "2", *LOCAL, *KEPT)
        self.assertEqual(ended.code, 0, ended)
        steps = re.findall(r"(?m)^\d\. .*:\n  (.*)$", self.read("runs/hpo_any/scores/summary.txt"))
        page = html.unescape(re.sub("<[^>]+>", "", self.read("runs/hpo_any/report.html")))
        self.assertEqual([step in page for step in steps], [True] * 3)
        for step in steps:
            ended = self.run_command("bash", "-c", f"cd / && {step}")
            self.assertEqual(ended.code, 0, ended)
        self.assertEqual(sorted(os.listdir(self.path("runs"))),
                         ["hpo_any", "hpo_any_csa_compared", "hpo_any_csa_tuned",
                          "hpo_any_csa_untuned"])
        best, tuned, untuned = map(self.given, (
            "hpo_any/A/trials/0000/split_0", "hpo_any_csa_tuned/models/A/split_0",
            "hpo_any_csa_untuned/models/A/split_0"))
        self.assertEqual(tuned, best)
        self.assertEqual(untuned, {name: value for name, value in best.items()
                                   if name != "--learning_rate"})
        self.assertEqual(self.given("hpo_any_csa_tuned/ml_data/A-B/split_0"),
                         self.given("hpo_any/A/ml_data/split_0"))
        infer = self.given("hpo_any_csa_tuned/infer/A-B/split_0")
        self.assertEqual((infer["--cuda_name"], infer["--samples"]), ("cuda:7", "2"))


class DemoTest(WorkCase):
    def test_the_best_trial_beats_the_defaults_of_the_baseline(self):
        ended = self.run_workflow("hpo", "--source", "gCSI", *LOCAL, "--output_dir", "out",
                                  "--max_evals", "9")
        self.assertEqual(ended.code, 0, ended)
        rows = self.table("hpo_results.csv")
        self.assertLess(float(rows[-1]["best_so_far"]), float(rows[0]["objective"]))


if __name__ == "__main__":
    unittest.main()
