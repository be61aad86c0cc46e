"""A study: created once, one space and metric each, failed trials, dead claims, known trials, what is said about it."""
import glob
import html
import json
import math
import os
import shutil
import re
import sys
import time
import unittest

from launcher import launch_directory, study
from launcher.refusal import Refusal
from tests.hpo_case import CHOICES, LOCAL, RATE, HpoCase
from tests.support import REPOSITORY, TOY_MODEL, WorkCase

import hpo_trial
from collect import hpo as collect_hpo
from common.improve_files import FileError
from common.metrics import OF_CLASSES, lower_is_better
from report import tuned
from search import imported
from search.space import normalise_space
from tree.trials import Trial

SPACE = normalise_space([RATE, {"name": "layers", "type": "int", "min": 1, "max": 8},
                         {"name": "norm", "type": "logical"}])


class OneStudyTest(HpoCase):
    def test_a_dry_run_creates_no_study_and_changes_none(self):
        self.assertEqual(self.run_hpo(*LOCAL, "--max_evals", "2", "--dry_run").code, 0)
        self.assertEqual(os.listdir(self.path("out")), ["launches"])
        self.run_hpo(*LOCAL, "--max_evals", "2")
        before = self.read("out/A/study.json"), os.stat(self.path("out/A/study.json")).st_mtime_ns
        self.write("space.json", json.dumps([dict(RATE, max=2.0)]))
        ended = self.run_hpo(*LOCAL, "--max_evals", "4", "--dry_run")
        self.assert_refused(ended, "A/study.json is of another search: space: learning_rate")
        self.assertEqual(before, (self.read("out/A/study.json"), os.stat(self.path("out/A/study.json")).st_mtime_ns))
        self.assertEqual(sorted(self.trials()), [0, 1])

    def test_another_wish_for_a_study_is_refused_with_what_differs(self):
        self.run_hpo(*LOCAL, "--max_evals", "2")
        for words, part in ((("--val_metric", "r2"), "val_metric: mse -> r2"), (("--seed", "3"), "seed: 0 -> 3"),
                            (("--search", "random"), "search: auto -> random"), (("--split", "1"), "splits: 0 -> 1"),
                            (("--prior",), "prior: False -> True"), (("--epochs", "7"), "train_words: --y_col_name auc -> "
                                                                    "--y_col_name auc --epochs 7")):
            self.assert_refused(self.run_hpo(*LOCAL, "--max_evals", "4", *words), part, "another --output_dir")
        self.assertEqual(self.run_hpo(*LOCAL, "--max_evals", "3").code, 0)

    def test_another_study_in_the_same_tree_has_its_own_space_and_metric(self):
        self.run_hpo(*LOCAL, "--max_evals", "3")
        self.write("other.json", json.dumps([dict(RATE, min=5.0, max=9.0, default=6.0)]))
        ended = self.run_hpo(*LOCAL, "--source", "B", "--hyperparameter_file", "other.json", "--val_metric", "r2", "--max_evals", "3")
        self.assertEqual(ended.code, 0, ended)
        ended = self.run_hpo(*LOCAL, "--max_evals", "5")
        self.assertEqual(ended.code, 0, ended)
        rates = {source: [trial["params"]["learning_rate"] for trial in self.trials(source).values()] for source in "AB"}
        self.assertTrue(max(rates["A"]) <= 1 and min(rates["B"]) >= 5, rates)
        rows = self.table("hpo_results.csv")
        self.assertEqual({(row["source"], row["val_metric"]) for row in rows}, {("A", "mse"), ("B", "r2")})
        self.assertEqual([float(row["objective"]) for row in rows if row["source"] == "B"],
                         [trial["scores"]["r2"] for trial in self.trials("B").values()])
        best = min(self.trials("A").values(), key=lambda trial: trial["scores"]["mse"])
        self.assertEqual(json.loads(self.read("out/hyperparameters_hpo.json"))["toy"]["A"], best["params"])
        self.assertTrue(os.path.exists(self.path("out/scores/hpo_best_so_far_r2.svg")))
        self.assertIn("B: r2 ", self.read("out/report.html"))

    def test_a_file_is_created_once(self):
        self.assertEqual(launch_directory.create_once(self.work, {"A/study.json": "one"}), [self.path("A/study.json")])
        self.assertEqual(launch_directory.create_once(self.work, {"A/study.json": "one"}), [])
        self.assertRaises(Refusal, launch_directory.create_once, self.work, {"A/study.json": "two"})
        self.assertEqual((self.read("A/study.json"), os.listdir(self.path("A"))), ("one", ["study.json"]))

    def test_a_launch_that_is_withdrawn_takes_its_study_back(self):
        created = launch_directory.create_once(self.work, {"A/study.json": "one"})
        os.makedirs(self.path("launches/1"))
        self.write("launches/1/plan.json", "{}")
        launch_directory.withdraw(self.path("launches/1"), created)
        self.assertEqual((os.listdir(self.path("A")), os.path.exists(self.path("launches/1/plan.json"))), ([], False))

    def test_a_launch_that_is_refused_creates_no_study(self):
        process = self.start(sys.executable, os.path.join(REPOSITORY, "workflow_hpo.py"), "--model", "toy", "--model_dir", TOY_MODEL,
                             "--input_dir", "raw", "--output_dir", "out", "--hyperparameter_file", "space.json", "--source", "A",
                             *LOCAL, "--max_evals", "1", TOY_FAULTS=f"preprocess A wait:{self.path('go')}")
        self.addCleanup(process.communicate)
        self.addCleanup(self.write, "go", "")
        deadline = time.time() + 60
        while not os.path.exists(self.path("out/A/ml_data/split_0/log.txt")) and time.time() < deadline:
            time.sleep(0.05)
        os.unlink(self.path("out/A/study.json"))
        self.assert_refused(self.run_hpo(*LOCAL, "--max_evals", "1"), "live launch")
        self.assertFalse(os.path.exists(self.path("out/A/study.json")))

    def test_a_search_of_which_no_trial_has_ended_well_may_be_begun_anew(self):
        self.run_hpo(*LOCAL, "--max_evals", "2", TOY_FAULTS="train trials exit:3")
        self.write("space.json", json.dumps([dict(RATE, max=2.0)]))
        ended = self.run_hpo(*LOCAL, "--max_evals", "2")
        self.assert_refused(ended, "is of another search: space: learning_rate", f"rm -r {self.path('out/A')}, since no trial")
        shutil.rmtree(self.path("out/A"))
        self.assertEqual(self.run_hpo(*LOCAL, "--max_evals", "2").code, 0)

    def test_a_broken_study_is_refused_and_left(self):
        self.run_hpo(*LOCAL, "--max_evals", "1")
        self.write("out/A/study.json", "{")
        self.assert_refused(self.run_hpo(*LOCAL, "--max_evals", "2"), "A/study.json is of another search: it is broken")
        self.assertEqual(self.read("out/A/study.json"), "{")

    def test_the_differences_of_two_studies_are_named(self):
        old = {"seed": 0, "space": SPACE, "train_words": []}
        self.assertEqual(study.differences(old, dict(old)), [])
        self.assertEqual(study.differences(old, dict(old, seed=1, space=SPACE[1:], train_words=["--epochs", "5"])),
                         ["seed: 0 -> 1", "space: learning_rate", "train_words: none -> --epochs 5"])
        self.assertEqual(study.differences(old, dict(old, space=SPACE[::-1])), ["space: their order"])


class FailedTrialTest(HpoCase):
    def test_a_failed_trial_that_is_retried_runs_again_at_its_point_and_the_others_do_not(self):
        starts = self.path("starts.txt")
        ended = self.run_hpo(*LOCAL, "--max_evals", "5", TOY_STARTS=starts, TOY_FAULTS="train 0002 exit:3;train 0003 nofile")
        self.assertEqual(ended.code, 1, ended)
        self.assertIn("2 of 6 tasks are not done; repair what ended with an error and give the same command again", ended.err)
        self.assertEqual(self.status_of("A/trials/0002")["reason"], "exit code 1: toy: exit:3 as told")
        self.assertIn("val_scores.json: cannot be read", self.status_of("A/trials/0003")["reason"])
        failed = self.trials()
        self.assertEqual([(failed[n]["state"], failed[n]["objective"]) for n in (2, 3)], [("failed", None)] * 2)
        counts = json.loads(self.run_hpo("--json").out)
        self.assertEqual([task["state"] for task in counts["tasks"] if task["stage"] == "trial"], ["done", "done", "failed", "failed", "done"])
        self.assertEqual(self.run_hpo(*LOCAL, "--max_evals", "5", TOY_STARTS=starts).code, 1)     # it would fail again
        ended = self.run_hpo(*LOCAL, "--max_evals", "5", "--retry_failed", TOY_STARTS=starts)
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(dict(self.trained()), {0: 1, 1: 1, 2: 2, 3: 2, 4: 1})
        self.assertEqual([self.trials()[n]["params"] for n in (2, 3)], [failed[n]["params"] for n in (2, 3)])
        self.assertEqual({row["state"] for row in self.table("hpo_results.csv")}, {"done"})

    def test_redo_trial_repeats_every_trial_at_its_point(self):
        self.run_hpo(*LOCAL, "--max_evals", "3")
        before = {number: trial["params"] for number, trial in self.trials().items()}
        ended = self.run_hpo(*LOCAL, "--max_evals", "3", "--redo", "trial", TOY_STARTS=self.path("starts.txt"))
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(dict(self.trained()), {0: 1, 1: 1, 2: 1})
        self.assertEqual({number: trial["params"] for number, trial in self.trials().items()}, before)

    def test_if_every_trial_fails_their_reason_is_said_once_and_the_collector_is_no_problem(self):
        ended = self.run_hpo(*LOCAL, "--max_evals", "4", TOY_FAULTS="train trials exit:3")
        self.assertEqual(ended.code, 1, ended)
        for text in (ended.out, ended.err, self.run_hpo("--status").out):
            self.assertEqual(text.count("exit code 1: toy: exit:3 as told"), 1, text)
            self.assertNotIn("failed: scores", text)
            self.assertIn("A/trials/0000 and 3 more", text)
        self.assertIn("No trial has ended well; 4 of 4 failed: exit code 1: toy: exit:3 as told.", self.read("out/report.html"))

    def test_a_trial_that_is_repeated_is_running_and_one_that_waits_for_it_has_failed(self):
        for name, verdict in (("0000", {"state": "failed", "objective": None}), ("0001", None), ("0002", {"state": "done", "objective": 0.5})):
            os.makedirs(self.path("trials", name))
            self.write(f"trials/{name}/params.json", json.dumps({"x": int(name)}))
            if verdict:
                self.write(f"trials/{name}/trial.json", json.dumps(verdict))
        (_, failed), (_, running), (_, done) = hpo_trial.read_history(self.path("trials"), "0009", "r2")
        self.assertTrue(math.isnan(failed))
        self.assertEqual((running, done), (None, -0.5))

    def test_the_train_script_is_known_and_a_change_is_said(self):
        trials = [Trial("A", number, "done", {"learning_rate": 0.5}, 0.1, script=script) for number, script in enumerate(("1:a", "1:a", ""))]
        self.assertEqual(collect_hpo.study_notes("A", trials, collect_hpo.Study()), [])
        trials.append(trials[0]._replace(script="2:b"))
        self.assertIn("A: the train script has changed between trials (2 versions)", collect_hpo.study_notes("A", trials, collect_hpo.Study())[0])


class ClaimTest(WorkCase):
    params = {"x": 1}

    def claim(self, own):
        return hpo_trial.claim(self.params, self.path("trials"), own)

    def make_old(self):
        for path in glob.glob(self.path("trials/points/*")):
            os.utime(path, (1, 1))

    def test_a_point_is_taken_once(self):
        self.assertEqual([self.claim("0000"), self.claim("0001"), self.claim("0000")], [True, False, True])

    def test_an_empty_claim_is_free_once_its_trial_is_dead(self):
        os.makedirs(self.path("trials/points"))
        self.claim("0000")
        path = glob.glob(self.path("trials/points/*"))[0]
        open(path, "w").close()
        self.assertFalse(self.claim("0001"))
        self.make_old()
        self.assertEqual([self.claim("0001"), self.claim("0002")], [True, False])

    def test_a_claim_is_free_whose_trial_has_died_before_it_wrote_its_point(self):
        self.claim("0000")
        self.make_old()
        self.assertEqual([self.claim("0001"), self.claim("0002")], [True, False])

    def test_a_claim_holds_for_ever_if_its_trial_has_the_point(self):
        self.claim("0000")
        os.makedirs(self.path("trials/0000"))
        self.write("trials/0000/params.json", json.dumps(self.params))
        self.make_old()
        self.assertFalse(self.claim("0001"))

    def test_a_search_takes_a_point_that_only_a_dead_trial_had_claimed(self):
        case = HpoCase()
        case.setUp()
        self.addCleanup(case.doCleanups)
        case.write("space.json", json.dumps([CHOICES]))
        case.run_hpo(*LOCAL, "--max_evals", "1")
        for rate in (0.1, 0.3):     # points that a node took down with it
            hpo_trial.claim({"learning_rate": rate}, case.path("out/A/trials"), "")
        for path in glob.glob(case.path("out/A/trials/points/*")):
            os.utime(path, (1, 1))
        ended = case.run_hpo(*LOCAL, "--max_evals", "3")
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(sorted(trial["params"]["learning_rate"] for trial in case.trials().values()), [0.1, 0.2, 0.3])


def deephyper(rows, header="p:learning_rate,p:layers,p:norm,objective,job_id,m:timestamp_submit"):
    return "\n".join([header, *rows]) + "\n"


class ImportTest(HpoCase):
    def read_file(self, text, metric="mse"):
        self.write("hpo_results.csv", text)
        trials, notes = imported.read_trials([self.path("hpo_results.csv")], "A", SPACE, metric)
        return [(trial["params"], trial["objective"]) for trial in trials], notes

    def test_deephypers_file_is_read_and_its_errors_have_their_sign_back(self):
        text = deephyper(["0.5,3,False,-0.25,0,1.5", "0.1,8,True,F_train,1,2.5", "0.2,9,True,-0.1,2,3.5"])
        trials, notes = self.read_file(text)
        self.assertEqual(trials, [({"learning_rate": 0.5, "layers": 3, "norm": False}, 0.25),
                                  ({"learning_rate": 0.1, "layers": 8, "norm": True}, None)])
        self.assertEqual(notes, [f"A: 2 trials imported from {self.path('hpo_results.csv')}, 1 outside the search space are left out"])

    def test_a_metric_that_grows_is_not_negated_and_a_measured_one_wins(self):
        text = deephyper(["0.5,3,False,0.25,0", "0.1,8,True,0.5,1"], "p:learning_rate,p:layers,p:norm,objective,job_id")
        self.assertEqual([value for _, value in self.read_file(text, "r2")[0]], [0.25, 0.5])
        text = deephyper(["0.5,3,False,-0.25,0,0.7"], "p:learning_rate,p:layers,p:norm,objective,job_id,m:r2")
        self.assertEqual([value for _, value in self.read_file(text, "r2")[0]], [0.7])

    def test_a_file_of_another_metric_or_space_is_refused(self):
        for text, part in ((deephyper(["0.5,3,False,0.8,0,1"]), "of another metric"),
                           (deephyper(["0.5,-0.1"], "p:learning_rate,objective"), "has no column p:layers"),
                           (deephyper(["5.0,3,False,-0.1,0,1"]), "none of its 1 trials lies in the search space"),
                           ("", "has no header line")):
            with self.assertRaises(FileError) as caught:
                self.read_file(text)
            self.assertIn(part, str(caught.exception))

    def test_parameters_that_are_not_searched_are_said(self):
        text = deephyper(["0.5,3,False,0.2,-0.25"], "p:learning_rate,p:layers,p:norm,p:dropout,objective")
        self.assertIn("; dropout is not in the space and ignored", self.read_file(text)[1][0])

    def test_a_search_goes_on_from_deephypers_trials(self):
        self.write("space.json", json.dumps([CHOICES]))
        self.write("hpo_results.csv", "p:learning_rate,objective,job_id\n0.3,-0.001,7\n")
        ended = self.run_hpo(*LOCAL, "--max_evals", "3", "--import_trials", "hpo_results.csv")
        self.assertEqual(ended.code, 0, ended)
        self.assertIn("A: 1 trials imported from", ended.out)
        self.assertEqual(sorted(trial["params"].get("learning_rate", "none") for trial in self.trials().values() if trial["params"]), [0.1, 0.2])
        self.assertEqual(json.loads(self.read("out/hyperparameters_hpo.json"))["toy"]["A"], {"learning_rate": 0.2})
        self.assertIn("the search knew 1 trials of other searches", ended.out)
        self.assertEqual(self.run_hpo(*LOCAL, "--max_evals", "4").code, 0)
        self.write("hpo_results.csv", "p:learning_rate,objective,job_id\n0.1,-0.2,7\n")
        self.assert_refused(self.run_hpo(*LOCAL, "--max_evals", "5", "--import_trials", "hpo_results.csv"),
                            "A/imported.json", "leave --import_trials out")

    def test_our_own_trials_are_known_to_another_search(self):
        self.run_hpo(*LOCAL, "--max_evals", "4", TOY_FAULTS="train 0001 exit:3")
        old = self.trials()
        for place in ("out", "out/A", "out/A/trials"):
            ended = self.run_hpo(*LOCAL, "--max_evals", "2", "--val_metric", "rmse", "--output_dir", "next", "--import_trials", place)
            self.assertEqual(ended.code, 0, ended)
        known = json.loads(self.read("next/A/imported.json"))
        self.assertEqual([(row["params"], row["objective"]) for row in known],
                         [(trial["params"], trial["scores"].get("rmse")) for trial in old.values()])
        self.assertNotIn(json.loads(self.read("next/A/trials/0000/params.json")), [trial["params"] for trial in old.values()])
        self.assert_refused(self.run_hpo(*LOCAL, "--output_dir", "third", "--import_trials", "raw"), "holds no trial that has ended")

    def test_a_broken_list_of_known_trials_is_an_error(self):
        self.write("imported.json", '[{"params": 3}]')
        self.assertRaises(FileError, imported.read_imported, self.path("imported.json"))


class MetricTest(WorkCase):
    def test_metrics_of_classification_grow_and_come_from_the_score_file(self):
        self.write("val_scores.json", json.dumps(dict.fromkeys(OF_CLASSES, 0.75)))
        for metric in OF_CLASSES:
            self.assertFalse(lower_is_better(metric))
            self.assertEqual(hpo_trial.loss(hpo_trial.scores_of(self.work, metric)[metric], metric), -0.75)

    def test_a_metric_that_the_model_does_not_write_is_named(self):
        self.write("val_scores.json", '{"mse": 0.5}')
        with self.assertRaises(FileError) as caught:
            hpo_trial.scores_of(self.work, "acc")
        self.assertIn("holds no acc, only mse", str(caught.exception))


class SaidTest(HpoCase):
    def test_the_best_at_a_bound_is_said(self):
        def trials(*rates):
            return [Trial("A", n, "done", {"learning_rate": rate, "layers": 4, "norm": True}, 0.1 + n) for n, rate in enumerate(rates)]
        self.assertEqual(collect_hpo.bound_notes(trials(1.0, 0.4, 0.99, 0.5), SPACE),
                         ["2 of the best 3 trials are at learning_rate's upper bound: widen it"])
        self.assertEqual(collect_hpo.bound_notes(trials(1.0, 0.4, 0.5, 1.0), SPACE), [])
        self.assertEqual(collect_hpo.bound_notes(trials(0.0, 0.01, 0.0), SPACE),
                         ["3 of the best 3 trials are at learning_rate's lower bound: widen it"])
        few = [{"name": "layers", "type": "int", "min": 1, "max": 4, "log_uniform": False, "default": 2}]
        self.assertEqual(collect_hpo.bound_notes(trials(0.1, 0.2, 0.3), few), [])

    def test_the_commands_that_use_the_best_values_are_complete_and_run(self):
        self.run_hpo(*LOCAL, "--max_evals", "4", "--train_args", "--epochs 3")
        summary = self.read("out/scores/summary.txt")
        self.assertIn(f"best values: {self.path('out/hyperparameters_hpo.json')}", summary)
        use = summary.partition("best values: ")[2].split("\n")
        train, untuned, compare = [line.strip() for line in use if " --output_dir " in line]
        for option in ("--model toy", "--model_dir ", "--env none", "--input_dir ", "--y_col_name auc", "--train_args '--epochs 3'"):
            self.assertIn(option, train)
        page = html.unescape(re.sub("<[^>]+>", "", self.read("out/report.html")))
        for command in (train, untuned, compare):
            self.assertIn(command, page)
        for command in (f"{train} --executor local", f"{untuned} --executor local", compare):
            ended = self.run_command("bash", "-c", f"cd / && {command}")
            self.assertEqual(ended.code, 0, ended)
        self.assertIn('"--learning_rate"', self.read("csa_out_tuned/models/A/split_0/stage_status.json"))
        self.assertIn("toy (csa_out_tuned)", ended.out)

    def test_the_commands_are_said_without_a_plan_too(self):
        train, untuned, compare = [command for _, command in tuned.commands({}, "lgbm", "/data/x y/hpo_lgbm", ["A"])]
        self.assertIn("/data/csa_second_tuned", tuned.commands({}, "lgbm", "/data/second", ["A"])[0][1])
        self.assertEqual(untuned, "python3 workflow_csa.py --model lgbm --source A --output_dir '/data/x y/csa_lgbm'")
        self.assertEqual(train, "python3 workflow_csa.py --model lgbm --source A --hyperparameters_file "
                         "'/data/x y/hpo_lgbm/hyperparameters_hpo.json' --output_dir '/data/x y/csa_lgbm_tuned'")
        self.assertTrue(compare.startswith("python3 stages/collect_scores.py --compare '/data/x y/csa_lgbm' "))

    def test_failed_trials_are_drawn(self):
        self.run_hpo(*LOCAL, "--max_evals", "4", TOY_FAULTS="train 0002 exit:3")
        for name in ("hpo_best_so_far.svg", "hpo_parameters_A.svg"):
            self.assertIn("crosses: failed", self.read("out/scores", name))


if __name__ == "__main__":
    unittest.main()
