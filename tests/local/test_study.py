"""A search on this machine: its study is created once, it finds the best, its commands run."""
import glob
import html
import json
import os
import re
import shutil

from tests.hpo_case import CHOICES, LOCAL, RATE, HpoCase
from tests.support import WorkCase, write_benchmark

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
    (json.dumps([dict(RATE, max="x")]), "--seed 1", "'max' must be a number"),
    ("[{", "--seed 1", "space.json: is not JSON"),
    (json.dumps([RATE]), "--train_args=--learning_rate=0.5", "fixed value"),
    (json.dumps([RATE]), "--val_metric gain", "gain:higher or gain:lower"),
    ("", "--hyperparameter_file no.json", "no.json does not exist, neither"))


class StudyTest(HpoCase):
    def test_a_study_is_created_by_the_first_real_launch_and_never_changed(self):
        self.search(2, "--dry_run")
        self.assertEqual(os.listdir(self.path("out")), ["launches"])
        self.search(2)
        text = self.read("out/A/study.json").replace("train_args", "train_words")   # an old one
        self.write("out/A/study.json", text)
        self.write("space.json", json.dumps([dict(RATE, max=2.0)]))
        for arguments, part in (
                (("--dry_run",), "A/study.json is of another search: space\n"),
                (("--val_metric", "r2", "--split", "1"), "val_metric: mse -> r2; splits: [0] -> "),
                (("--epochs", "7"), "-> ['--y_col_name', 'auc', '--epochs', '7']; space\n")):
            self.assert_refused(self.run_hpo(*LOCAL, *arguments), part, "another --output_dir",
                                f"rm -r {self.path('out/A')} forgets its trials")
        self.assertEqual((self.read("out/A/study.json"), list(self.trials())), (text, [0, 1]))
        self.write("out/A/study.json", "{")
        self.assert_refused(self.run_hpo(*LOCAL), "it is malformed")

    def test_another_study_in_the_same_tree_has_its_own_space_and_metric(self):
        self.write("other.json", json.dumps([dict(RATE, min=5.0, max=9.0, default=6.0)]))
        self.search(1)
        ended = self.search(1, "--source", "B", "--hyperparameter_file", "other.json",
                            "--val_metric", "r2", "--epochs", "9")
        for source, epochs in (("A", ""), ("B", "--epochs 9 ")):    # in what is printed to go on
            self.assertRegex(ended.out, f"{epochs}--executor local --source {source} --output_dir "
                                        f".*_{source}_csa_untuned")
        self.search(2)
        self.assertEqual({(row["source"], row["val_metric"], float(row["learning_rate"]) < 5)
                          for row in self.table("hpo_results.csv")},
                         {("A", "mse", True), ("B", "r2", False)})
        self.assertEqual(set(self.best()), {"A", "B"})

    def test_a_bad_space_or_metric_is_refused_and_nothing_is_written(self):
        for space, option, part in REFUSED:
            self.write("space.json", space)
            self.assert_refused(self.run_hpo(*LOCAL, *option.split()), part)
            self.assertFalse(os.path.exists(self.path("out")))
        self.assert_refused(self.run_toy(*LOCAL, workflow="hpo"),
                            "toy_hyperparameters.json: cannot be read", "--hyperparameter_file")


class SearchTest(HpoCase):
    def test_a_search_finds_the_best_rate_and_more_trials_run_only_the_additional_ones(self):
        for count in (9, 12):
            self.search(count)
        self.assertEqual(self.trained(), {number: 1 for number in range(12)})
        self.assertEqual(self.trials()[0]["params"], {"learning_rate": 0.9})
        self.assertAlmostEqual(self.best()["A"]["learning_rate"], 0.3, delta=0.05)
        rows = self.table("hpo_results.csv")
        self.assertEqual([row["trial"] for row in rows], list(map(str, range(12))))
        best_so_far = [float(row["best_so_far"]) for row in rows]
        self.assertEqual(best_so_far, sorted(best_so_far, reverse=True))
        best = self.best()["A"]["learning_rate"]
        self.run_toy(*LOCAL, "--hyperparameters_file", "out/hyperparameters_hpo.json", "--source",
                     "A", "--output_dir", "lca", "--dry_run", workflow="lca", code=0)
        tasks, = glob.glob(self.path("lca/launches/*/train.tasks"))
        self.assertIn(f" --learning_rate {best}", self.read(tasks))

    def test_default_and_best_are_shown_with_their_deviation_over_splits(self):
        self.write("space.json", json.dumps([dict(RATE, name="epochs", type="int", min=1, max=9,
                                                  default=4)]))
        ended = self.search(2, "--split", "0", "1", "--val_metric", "r2")
        self.assertRegex(ended.out, r"validation +defaults +best +trial\n"
                         r"A +2 +0 +r2( +[\d.]+ \u00b1 [\d.]+){2} +\d\n")
        self.assertNotIn("noise", ended.out)

    def test_a_failed_trial_runs_again_at_its_point_and_the_others_do_not(self):
        self.search(3, code=1, TOY_FAULTS="train 0001 exit:3;train 0002 nofile")
        self.assertEqual(self.status_of("A/trials/0001")["reason"],
                         "exit code 1: toy: exit:3 as told")
        self.assertIn("val_scores.json: cannot be read", self.status_of("A/trials/0002")["reason"])
        points = self.points()
        self.assertEqual([row["state"] for row in self.table("hpo_results.csv")],
                         ["done", "failed", "failed"])
        for arguments, starts in (((), [1, 2, 2]), (("--redo", "trial"), [2, 3, 3])):
            self.search(3, *arguments)
            self.assertEqual([self.trained()[number] for number in range(3)], starts)
        self.assertEqual(self.points(), points)

    def test_a_train_script_or_environment_that_changed_between_trials_is_a_note(self):
        self.assertNotIn("has changed between trials", self.search(2).out)
        path = self.path("out/A/trials/0001/trial.json")
        script = json.loads(self.read(path))["train_script"]
        self.write(path, self.read(path).replace(script, script[::-1]))     # of the same size
        path = path.replace("trial.json", "stage_status.json")
        self.write(path, self.read(path).replace('"none"', '"conda"'))
        said = self.search(3).out
        self.assertIn("A: the train script has changed between trials", said)
        self.assertIn("A: its trials ran in conda and none", said)

    def test_each_point_of_a_discrete_space_is_tried_once(self):
        self.write("space.json", json.dumps([CHOICES]))
        ended = self.search(6, "--jobs", "4")
        self.assertIn("the search space has only 3 points", ended.out)
        self.assertEqual(sorted(point["learning_rate"] for point in self.points()),
                         [0.1, 0.2, 0.3])


class NextStepsTest(WorkCase):
    """The commands at the end of a search, pasted."""

    def given(self, name):
        """{option: value} of a task, without its own paths."""
        return {name: value for name, value in json.loads(self.read("runs", name, "given")).items()
                if not re.search("_split_file|--input_.*dir|--output_dir", name)
                or name == "--input_supp_data_dir"}

    def test_they_run_and_train_what_the_search_has_trained(self):
        for stage in ("preprocess", "train", "infer"):
            self.write(f"any model/any_{stage}_improve.py", ANY_MODEL)
        self.write("any model/author/x.txt", "x")
        self.write("any model/any_hyperparameters.json", json.dumps([CHOICES]))
        write_benchmark(self.path("raw"), ("A", "B"))
        shutil.copy(self.path("raw/y_data/response.tsv"), self.path("raw/y_data/other.tsv"))
        for path in glob.glob(self.path("raw/splits/*_split_0_*")):
            shutil.copy(path, path.replace("_split_", "_cell_"))
        ended = self.run_workflow("hpo", "--model", "any", "--model_dir", "any model", "--source",
                                  "A", "--input_dir", "raw", "--output_dir", "runs/hpo_any",
                                  "--max_evals", "2", *LOCAL, *KEPT, code=0)
        steps = re.findall(r"(?m)^\d\. .*:\n  (.*)$", ended.out)
        self.assertEqual(len(steps), 3)
        page = html.unescape(re.sub("<[^>]+>", "", self.read("runs/hpo_any/report.html")))
        for step in steps:
            self.assertIn(step, page)
            self.run_command("bash", "-c", f"cd / && {step}", code=0)
        self.assertEqual(sorted(os.listdir(self.path("runs"))),
                         ["hpo_any", "hpo_any_csa_compared", "hpo_any_csa_tuned",
                          "hpo_any_csa_untuned"])
        best, tuned, untuned = map(self.given, (
            "hpo_any/A/trials/0000/split_0", "hpo_any_csa_tuned/models/A/split_0",
            "hpo_any_csa_untuned/models/A/split_0"))
        self.assertEqual(tuned, best)
        self.assertEqual(dict(untuned, **{"--learning_rate": best["--learning_rate"]}), best)
        self.assertNotIn("--learning_rate", untuned)
        self.assertEqual(self.given("hpo_any_csa_tuned/ml_data/A-B/split_0"),
                         self.given("hpo_any/A/ml_data/split_0"))
        infer = self.given("hpo_any_csa_tuned/infer/A-B/split_0")
        self.assertEqual((infer["--cuda_name"], infer["--samples"]), ("cuda:7", "2"))
