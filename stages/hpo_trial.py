"""hpo_trial: one trial of a search: looks at the others, takes a point, trains, writes the verdict.

    study.json, trials/*/{params,trial}.json -> search -> params.json -> train per split -> trial.json

Runs in the model's environment as one array element. There is no server and no lock:
trials know of each other through their directories, files appear whole, and a point is
taken by creating a file that only one can create.

Examples:
    python3 stages/hpo_trial.py --study gCSI/study.json --train_script baseline_train_improve.py \\
        --input_dir gCSI/ml_data/split_0 --output_dir gCSI/trials/0007
    python3 stages/hpo_trial.py --check_space space.json --fixed epochs     # prints the space as it is understood
    python3 stages/hpo_trial.py --check_space space.json --source gCSI --val_metric mse --import_trials hpo_results.csv

Files, in --output_dir:
    params.json     the parameters, written once; a trial that is run again has the same
    split_{k}/      what the model's train script wrote
    trial.json      params, objective, state (done, failed, exhausted), reason, scores, seconds,
                    train_script (its fingerprint, SIZE:CRC32)

Exit code: 0 the trial has an objective, or there was no point left to try; 1 its training failed;
143 after a signal; 2 for words that make no sense.
"""
import argparse
import hashlib
import itertools
import json
import math
import os
import re
import signal
import subprocess
import sys
import time

from common import metrics
from common.improve_files import FileError, read_predictions, read_scores, write_whole
from common.tree_files import read_json
from runner.status import fingerprint
from search import optimizer
from search.imported import read_imported, read_trials
from search.space import SpaceError, normalise_space, read_space

SEARCHES = {"auto": optimizer.suggest, "random": optimizer.random_point, "grid": optimizer.grid_point}
TRIES = 200         # points that others took at the same moment
SETTLED = 60        # seconds after which a trial that took a point has written it into its params.json


class StageFailed(Exception):
    """The train script failed; its exit code, or 128 + the number of the signal that ended it, is the trial's."""

    def __init__(self, reason, exit_code=1):
        super().__init__(reason)
        self.exit_code = exit_code


def parse(argv):
    parser = argparse.ArgumentParser(prog="hpo_trial", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", help="study.json of the search; imported.json beside it is read, too")
    parser.add_argument("--train_script", help="the model's NAME_train_improve.py")
    parser.add_argument("--input_dir", action="append", help="ml_data of a split, once per split")
    parser.add_argument("--output_dir", help="the trial's directory; its name is its number")
    checks = parser.add_argument_group("checks, instead of a trial")
    checks.add_argument("--check_space", metavar="FILE", help="print the normalised search space as JSON")
    checks.add_argument("--fixed", metavar="NAME,NAME", default="", help="parameters that have a value already")
    checks.add_argument("--import_trials", metavar="FILE_OR_DIR", nargs="+",
                        help="print the trials of other searches that lie in the space, and notes, as JSON")
    checks.add_argument("--source", default="", help="study of the imported trials")
    checks.add_argument("--val_metric", default="mse", choices=[*metrics.METRICS, *metrics.OF_CLASSES],
                        help="metric of the imported trials (mse)")
    given = parser.parse_args(argv)
    missing = [name for name in ("study", "train_script", "input_dir", "output_dir") if not getattr(given, name)]
    if missing and not given.check_space:
        parser.error("there is no --{}".format(missing[0]))
    return given


# ---- the study

class Study:
    """What all trials of a search have in common, and what other searches have found; SpaceError or FileError."""

    def __init__(self, path):
        content = read_json(path)
        try:
            self.space, self.metric = normalise_space(content["space"]), content["val_metric"]
            self.search, self.seed, self.prior = SEARCHES[content["search"]], content["seed"], content["prior"]
            self.train_words = list(map(str, content["train_words"]))
            known = read_imported(os.path.join(os.path.dirname(path), "imported.json"))
            self.known = [(params, loss(objective, self.metric)) for params, objective in known]
        except (TypeError, KeyError, ValueError) as error:
            raise FileError(f"{path}: is no study ({error!r})")


# ---- what the other trials say

def read_dict(path):
    """The dict in a neighbour's file; None if it is absent, half-written or no dict."""
    try:
        content = read_json(path)
    except FileError:
        return None
    return content if isinstance(content, dict) else None


def read_history(trials, own, metric):
    """[(params, value)] of the other trials, by number; value is None while one runs.

    Lower is better: a metric that grows is negated. A failure is nan, also while the trial waits to be
    repeated; once it is repeated its trial.json is gone, and it runs.
    """
    history = []
    for name in sorted(os.listdir(trials)):
        if re.match(r"\d+$", name) and name != own:
            verdict = read_dict(os.path.join(trials, name, "trial.json"))
            params = read_dict(os.path.join(trials, name, "params.json"))
            if params and (verdict is None or verdict.get("state") in ("done", "failed")):
                history.append((params, None if verdict is None else loss(verdict.get("objective"), metric)))
    return history


def loss(objective, metric):
    if isinstance(objective, bool) or not isinstance(objective, (int, float)) or not math.isfinite(objective):
        return math.nan
    return objective if metrics.lower_is_better(metric) else -objective


# ---- taking a point

def take_point(given, study):
    """The trial's parameters: those it had, else a point that no other trial has taken.

    Raises optimizer.SpaceExhausted.
    """
    trials, own = os.path.split(os.path.abspath(given.output_dir))
    path = os.path.join(given.output_dir, "params.json")
    had = read_dict(path)
    if had is not None:
        return had
    history = read_history(trials, own, study.metric)
    for _ in range(TRIES):
        params = study.search(study.space, history, (study.seed, int(own)), study.known, study.prior)
        if claim(params, trials, own):
            write_whole(path, json.dumps(params) + "\n")
            return params
        # Somebody who started at the same moment has it: one more that runs.
        history.append((params, None))
    raise optimizer.SpaceExhausted(f"no free point in {TRIES} tries")


def claim(params, trials, own):
    """Whether the point is ours: creating a file is atomic on NFS and Lustre, too.

    A claim whose trial died before it wrote the point down is dead; its place is taken by creating the next
    file, so of many that see a dead one exactly one gets it.
    """
    directory = os.path.join(trials, "points")
    os.makedirs(directory, exist_ok=True)
    name = hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()[:24]
    for number in itertools.count(1):
        path = os.path.join(directory, name if number == 1 else f"{name}.{number}")
        try:
            with open(path, "x") as file:
                file.write(own)
            return True
        except FileExistsError:
            holder = holder_of(path, params, trials)
        if holder is not None:
            return holder == own


def holder_of(path, params, trials):
    """The trial that holds a claim, '' if it is being written just now; None if the claim is dead."""
    with open(path) as file:
        holder = file.read()
    if holder and read_dict(os.path.join(trials, holder, "params.json")) == params:
        return holder
    os.utime(os.path.dirname(path))     # the file server's clock: hosts' clocks differ
    age = os.stat(os.path.dirname(path)).st_mtime - os.stat(path).st_mtime
    return holder if age < SETTLED else None


# ---- training

def train(given, study, params, input_dir):
    """Runs the train script on one split; returns its scores. Raises StageFailed or FileError."""
    output_dir = os.path.join(given.output_dir, os.path.basename(os.path.normpath(input_dir)))
    os.makedirs(output_dir, exist_ok=True)
    for old in ("val_scores.json", "val_y_data_predicted.csv"):
        if os.path.exists(os.path.join(output_dir, old)):
            os.unlink(os.path.join(output_dir, old))
    words = [word for name, value in params.items() for word in ("--" + name, str(value))]
    command = [sys.executable, given.train_script, "--input_dir", input_dir, "--output_dir", output_dir]
    code = run_and_pass_signals(command + words + study.train_words, output_dir)
    if code > 0:
        raise StageFailed(f"exit code {code}")
    if code < 0:
        sys.stderr.write(f"hpo_trial: {given.train_script} was killed by signal {-code}\n")
        raise StageFailed(f"killed by signal {-code}", 128 - code)
    return scores_of(output_dir, study.metric)


def run_and_pass_signals(command, directory):
    """The exit code of a command; a signal that ends us ends it first, and leaves no verdict."""
    child = subprocess.Popen(command, cwd=directory, stdin=subprocess.DEVNULL)

    def pass_on(number, frame):
        child.terminate()
        child.wait()
        sys.exit(128 + number)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, pass_on)
    return child.wait()


def scores_of(directory, metric):
    """The validation scores; one of regression that the file lacks (mae), from the predictions."""
    path = os.path.join(directory, "val_scores.json")
    scores = read_scores(path)
    if metric not in scores:
        if metric not in metrics.METRICS:
            raise FileError(f"{path}: holds no {metric}, only {', '.join(scores)}")
        predictions = read_predictions(os.path.join(directory, "val_y_data_predicted.csv"))
        scores[metric] = metrics.regression_scores(predictions.true, predictions.pred)[metric]
    if not math.isfinite(scores[metric]):
        raise FileError(f"{metric} is {scores[metric]}")
    return scores


def mean_scores(rows):
    """{metric: mean over splits} of the metrics that every split has."""
    return {name: math.fsum(row[name] for row in rows) / len(rows)
            for name in rows[0] if all(name in row for row in rows)}


# ---- the verdict

def run_trial(given, study):
    """Returns the content of trial.json."""
    started = time.time()
    verdict = {"trial": int(os.path.basename(os.path.abspath(given.output_dir))), "params": {}, "objective": None,
               "val_metric": study.metric, "state": "failed", "reason": "", "scores": {},
               "train_script": fingerprint(given.train_script)}
    try:
        verdict["params"] = take_point(given, study)
        scores = mean_scores([train(given, study, verdict["params"], directory) for directory in given.input_dir])
        finite = {name: value if math.isfinite(value) else None for name, value in scores.items()}
        verdict.update(state="done", objective=scores[study.metric], scores=finite)
    except optimizer.SpaceExhausted as error:
        verdict.update(state="exhausted", reason=f"every point of the space has been tried ({error})")
    except StageFailed as error:
        verdict.update(reason=str(error), exit_code=error.exit_code)
    except FileError as error:
        verdict["reason"] = str(error)
        sys.stderr.write(f"hpo_trial: {error}\n")
    return dict(verdict, seconds=round(time.time() - started, 3))


def print_check(given):
    """Prints the normalised space, or with --import_trials what other searches have found in it."""
    checked = read_space(given.check_space, [name for name in given.fixed.split(",") if name])
    if given.import_trials:
        trials, notes = read_trials(given.import_trials, given.source, checked, given.val_metric)
        checked = {"trials": trials, "notes": notes}
    print(json.dumps(checked, indent=1))
    return 0


def main(argv=None):
    given = parse(argv)
    try:
        if given.check_space:
            return print_check(given)
        os.makedirs(given.output_dir, exist_ok=True)
        verdict = run_trial(given, Study(given.study))
    except (SpaceError, FileError, OSError, ValueError) as error:
        sys.stderr.write(f"hpo_trial: error: {error}\n")
        return 2
    code = verdict.pop("exit_code", 1)
    write_whole(os.path.join(given.output_dir, "trial.json"), json.dumps(verdict, indent=1) + "\n")
    if verdict["state"] == "failed":
        return code
    print(f"trial {verdict['trial']}: {verdict['state']} {verdict['reason']} {verdict['val_metric']} {verdict['objective']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
