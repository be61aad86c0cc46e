"""One trial of a search: what it does with scores and options, and how it takes a point."""
import json
import math
import os
import signal
import sys

from stages import hpo_trial
from tests.support import STAGES, WorkCase, wait_for

# A model as improvelib 0.1.0 makes them: its type bool, its parameter file, its own folder.
MODEL = '''
import argparse, json, os, sys
parser = argparse.ArgumentParser()
for name in ("input_dir", "output_dir", "rate", "y_col_name"):
    parser.add_argument("--" + name)
parser.add_argument("--flag", type=bool, default=False)
given = parser.parse_args()
inside = lambda name: os.path.join(given.output_dir, name)
open(inside("param_log_file.txt"), "w").write(str(vars(given)))
open("starts.txt", "a").write("one\\n")
author = json.load(open("./author_data.json"))
open(inside("val_scores.json"), "w").write(author["scores"][os.path.basename(given.input_dir)])
sys.exit(author["code"])
'''
SLEEPER = "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(600)\n"
RATE = {"name": "rate", "type": "float", "min": 0, "max": 1}
FLAG = {"name": "flag", "type": "categorical"}
ACC, MSE, NAN = '{"acc": 0.5, "f1": 0.25}', '{"mse": 0.5, "pcc": NaN}', '{"mse": NaN}'
DONE = (      # what a trial is given, and the objectives of its splits
    ({"scores": (MSE, '{"mse": 0.25}')}, [0.5, 0.25]),
    ({"metric": "acc", "scores": (ACC,)}, [0.5]),
    ({"metric": "gain:higher", "scores": ('{"gain": 7}',)}, [7.0]),
    ({"space": [dict(FLAG, choices=[True])]}, [0.5]),
)
FAILED = (    # what a trial is given, and a part of the reason of its failure
    ({"code": 3}, "exit code 3"),
    ({"scores": (NAN,)}, "mse is nan"),
    ({"scores": (ACC,)}, "no mse, only acc, f1; choose one of these"),
    ({"space": [dict(FLAG, choices=[False])]}, "--flag False was given, but True was used"),
    ({"train_args": ["--flag=no"]}, "--flag no was given"),
)


class TrialCase(WorkCase):
    """A trial of the model above; its folder is model/, the study is A/."""

    def setUp(self):
        super().setUp()
        self.write("model/m_train_improve.py", MODEL)
        os.makedirs(self.path("A/trials"))

    def trial(self, number=0, metric="mse", scores=(MSE,), code=0, space=(RATE,), train_args=()):
        """(Ended, trial.json) of a trial whose splits get these score files."""
        self.write("A/study.json", json.dumps({
            "space": list(space), "val_metric": metric, "search": "auto", "seed": 0,
            "train_args": ["--y_col_name", "auc", *train_args]}))
        author = {"scores": {f"split_{k}": text for k, text in enumerate(scores)}, "code": code}
        self.write("model/author_data.json", json.dumps(author))
        ended = self.run_command(*self.command(number, len(scores)))
        path = self.path("A/trials", f"{number:04d}", "trial.json")
        return ended, json.loads(self.read(path)) if os.path.exists(path) else None

    def command(self, number, splits=1):
        return [sys.executable, os.path.join(STAGES, "hpo_trial.py"), "--study", "A/study.json",
                "--train_script", "model/m_train_improve.py", "--input_dir",
                *(f"A/split_{k}" for k in range(splits)), "--output_dir", f"A/trials/{number:04d}"]


class VerdictTest(TrialCase):
    def test_the_objective_is_the_mean_over_splits_of_the_metric_asked_for(self):
        for number, (how, objectives) in enumerate(DONE):
            with self.subTest(how):
                ended, trial = self.trial(number, **how)
                self.assertEqual((ended.code, trial["state"]), (0, "done"), ended)
                self.assertEqual(trial["objectives"], objectives)
                self.assertEqual(trial["objective"], sum(objectives) / len(objectives))

    def test_a_metric_of_regression_that_train_does_not_write_is_made_of_its_predictions(self):
        model = MODEL.replace('sys.exit(', 'open(inside("val_y_data_predicted.csv"), "w").write('
                              '"auc_true,auc_pred\\n1,0.5\\n2,2\\n")\nsys.exit(')
        self.write("model/m_train_improve.py", model)
        self.assertEqual(self.trial(metric="mae")[1]["objective"], 0.25)
        self.write("model/m_train_improve.py", MODEL)       # nor of those of an earlier attempt
        self.assertEqual(self.trial(metric="mae")[1]["state"], "failed")

    def test_a_failed_trial_says_why(self):
        for number, (how, part) in enumerate(FAILED, 1):
            with self.subTest(part):
                ended, trial = self.trial(number, **how)
                self.assertEqual((ended.code, trial["state"], trial["objective"]),
                                 (1, "failed", None), ended)
                self.assertIn(part, trial["reason"])
                # The runner's reason of a failure ends with the last line of the log.
                self.assertEqual(trial["reason"] in ended.err, "code" not in how)

    def test_after_the_first_trial_found_no_such_metric_the_others_do_not_train(self):
        reasons = [self.trial(number, scores=(ACC,))[1]["reason"] for number in (0, 1, 0)]
        self.assertEqual(len(set(reasons)), 1)
        self.assertEqual(self.read("model/starts.txt"), "one\none\n")       # the first one, twice
        self.write("model/m_train_improve.py", MODEL + "# mended")
        self.assertEqual(self.trial(1)[1]["state"], "done")

    def test_a_study_whose_direction_is_not_known_is_no_study(self):
        ended, trial = self.trial(metric="gain")
        self.assertEqual(trial, None)
        self.assert_refused(ended, "A/study.json: is no study")

    def test_signals_end_the_training_and_leave_no_verdict(self):
        self.trial()
        self.write("model/m_train_improve.py", SLEEPER)
        process = self.start(*self.command(1))
        self.addCleanup(process.kill)
        wait_for(lambda: os.path.exists(self.path("model/pid")) and self.read("model/pid"), "train")
        for _ in ("of the job", "of the runner"):
            process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=30), 143)
        self.assertFalse(os.path.exists(self.path("A/trials/0001/trial.json")))
        self.assertRaises(ProcessLookupError, os.kill, int(self.read("model/pid")), 0)


class OthersTest(TrialCase):
    def setUp(self):
        super().setUp()
        self.trial()
        self.study = hpo_trial.read_study(self.path("A/study.json"))

    def point(self, number):
        """The point that a trial takes."""
        return hpo_trial.take_point(self.path("A/trials", f"{number:04d}"), self.study)

    def have_trial(self, number, params, verdict=None):
        """Writes the files of a trial, given as JSON texts."""
        for name, text in (("params", params), ("trial", verdict)):
            if text is not None:
                self.write(f"A/trials/{number:04d}/{name}.json", text)

    def test_a_repeated_trial_is_running_and_one_that_waits_for_it_has_failed(self):
        for number, verdict in enumerate((
                '{"state": "failed", "objective": null}', '{"state": "done", "objective": 0.5}',
                None, '{"state": "do')):
            self.have_trial(number, f'{{"x": {number}}}', verdict)
        self.have_trial(4, "")
        history = hpo_trial.read_history(self.path("A/trials"), "0009", "r2")
        self.assertEqual(history[1:], [({"x": 1}, -0.5), ({"x": 2}, None), ({"x": 3}, None)])
        self.assertTrue(math.isnan(history[0][1]))

    def test_trials_that_start_at_the_same_moment_take_points_of_their_own(self):
        """The model proposes one point to all; by its claim each sees that another has it."""
        for number in range(14):
            self.have_trial(number, json.dumps({"rate": number / 14}), json.dumps(
                {"state": "done", "objective": (number - 5) ** 2}))
        points = []
        for number in range(15, 18):
            os.makedirs(self.path(f"A/trials/{number:04d}"))
            points.append(self.point(number)["rate"])
            os.unlink(self.path(f"A/trials/{number:04d}/params.json"))  # the next one sees no sign
        self.assertEqual(len(set(points)), 3)

    def test_a_killed_trial_takes_its_point_again_unless_another_has_it(self):
        taken = {"rate": 0.25}
        for number, is_kept in ((1, True), (2, False)):
            self.have_trial(number, json.dumps(taken))      # killed before it claimed its point
            points = [self.point(number), self.point(number)]
            self.assertEqual(points[0], points[1])
            self.assertEqual(points[0] == taken, is_kept)
