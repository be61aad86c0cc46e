"""hpo_trial: one trial of a search: looks at the others, takes a point, trains, writes the verdict.

    trials/*/{params,trial}.json -> hpo_search -> params.json -> train per split -> trial.json

Runs in the model's environment as one array element. There is no server and no lock:
trials know of each other through their directories, files appear whole, and a point is
taken by creating a file that only one can create.

Example:
    python3 stages/hpo_trial.py --space space.json --train_script baseline_train_improve.py \\
        --input_dir gCSI/ml_data/split_0 --output_dir gCSI/trials/0007 -- --epochs 20

Files, in --output_dir:
    params.json     the parameters, written once; a trial that is run again has the same
    split_{k}/      what the model's train script wrote
    trial.json      params, objective, state (done, failed, exhausted), reason, scores, seconds

Exit code: 0 with a verdict, whatever it is; 143 after a signal; 2 for words that make no sense.
"""
import argparse
import hashlib
import json
import math
import os
import re
import signal
import subprocess
import sys
import time

import hpo_search
import metrics
from hpo_space import SpaceError
from improve_files import FileError, read_predictions, read_scores, write_whole

SEARCHES = {"auto": hpo_search.suggest, "random": hpo_search.random_point, "grid": hpo_search.grid_point}
LARGEST = 1000000   # bytes of a neighbour's file
TRIES = 200         # points that others took at the same moment


def parse(argv):
    parser = argparse.ArgumentParser(prog="hpo_trial", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", required=True, help="normalised search space, JSON")
    parser.add_argument("--train_script", required=True, help="the model's NAME_train_improve.py")
    parser.add_argument("--input_dir", required=True, action="append", help="ml_data of a split, once per split")
    parser.add_argument("--output_dir", required=True, help="the trial's directory; its name is its number")
    parser.add_argument("--val_metric", default="mse", choices=list(metrics.METRICS), help="objective (mse)")
    parser.add_argument("--search", default="auto", choices=list(SEARCHES), help="how points are chosen (auto)")
    parser.add_argument("--seed", type=int, default=0, help="of the search (0)")
    parser.add_argument("train_words", nargs="*", help="further words for the train script, behind --")
    return parser.parse_args(argv)


# ---- what the other trials say

def read_json(path):
    """The dict in a neighbour's file; None where it is absent, half-written or no dict."""
    try:
        with open(path, encoding="utf-8") as file:
            content = json.loads(file.read(LARGEST))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def read_history(trials, own, metric):
    """[(params, value)] of the other trials, by number; value is None while one runs.

    Lower is better: a metric that grows is negated. A failure is nan.
    """
    history = []
    for name in sorted(os.listdir(trials)):
        if re.match(r"\d+$", name) and name != own:
            verdict = read_json(os.path.join(trials, name, "trial.json"))
            params = read_json(os.path.join(trials, name, "params.json"))
            if params and (verdict is None or verdict.get("state") in ("done", "failed")):
                history.append((params, None if verdict is None else loss(verdict.get("objective"), metric)))
    return history


def loss(objective, metric):
    if isinstance(objective, bool) or not isinstance(objective, (int, float)) or not math.isfinite(objective):
        return math.nan
    return objective if metrics.lower_is_better(metric) else -objective


# ---- taking a point

def take_point(given, space):
    """The trial's parameters: those it had, else a point that no other trial has taken.

    Raises hpo_search.SpaceExhausted.
    """
    trials, own = os.path.split(os.path.abspath(given.output_dir))
    path = os.path.join(given.output_dir, "params.json")
    had = read_json(path)
    if had is not None:
        return had
    history = read_history(trials, own, given.val_metric)
    for _ in range(TRIES):
        params = SEARCHES[given.search](space, history, (given.seed, int(own)))
        if claim(params, trials, own):
            write_whole(path, json.dumps(params) + "\n")
            return params
        # Somebody who started at the same moment has it: one more that runs.
        history.append((params, None))
    raise hpo_search.SpaceExhausted(f"no free point in {TRIES} tries")


def claim(params, trials, own):
    """Whether the point is ours: creating a file is atomic on NFS and Lustre too."""
    directory = os.path.join(trials, "points")
    os.makedirs(directory, exist_ok=True)
    text = json.dumps(params, sort_keys=True)
    path = os.path.join(directory, hashlib.sha256(text.encode()).hexdigest()[:24])
    try:
        with open(path, "x") as file:
            file.write(own)
        return True
    except FileExistsError:
        with open(path) as file:
            return file.read() == own


# ---- training

def train(given, params, input_dir):
    """Runs the train script on one split; returns its scores or raises FileError."""
    output_dir = os.path.join(given.output_dir, os.path.basename(os.path.normpath(input_dir)))
    os.makedirs(output_dir, exist_ok=True)
    for old in ("val_scores.json", "val_y_data_predicted.csv"):
        if os.path.exists(os.path.join(output_dir, old)):
            os.unlink(os.path.join(output_dir, old))
    words = [word for name, value in params.items() for word in ("--" + name, str(value))]
    command = [sys.executable, given.train_script, "--input_dir", input_dir, "--output_dir", output_dir]
    code = run_and_pass_signals(command + words + given.train_words, output_dir)
    if code != 0:
        raise FileError(f"exit code {code}" if code > 0 else f"killed by signal {-code}")
    return scores_of(output_dir, given.val_metric)


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
    """The validation scores; mae, which IMPROVE's file lacks, from the predictions."""
    scores = read_scores(os.path.join(directory, "val_scores.json"))
    if metric not in scores:
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

def run_trial(given):
    """Returns the content of trial.json."""
    started = time.time()
    verdict = {"trial": int(os.path.basename(os.path.abspath(given.output_dir))), "params": {}, "objective": None,
               "val_metric": given.val_metric, "state": "failed", "reason": "", "scores": {}}
    try:
        with open(given.space, encoding="utf-8") as file:
            verdict["params"] = take_point(given, json.load(file))
        scores = mean_scores([train(given, verdict["params"], directory) for directory in given.input_dir])
        finite = {name: value if math.isfinite(value) else None for name, value in scores.items()}
        verdict.update(state="done", objective=scores[given.val_metric], scores=finite)
    except hpo_search.SpaceExhausted as error:
        verdict.update(state="exhausted", reason=f"every point of the space has been tried ({error})")
    except FileError as error:
        verdict["reason"] = str(error)
    return dict(verdict, seconds=round(time.time() - started, 3))


def main(argv=None):
    given = parse(argv)
    os.makedirs(given.output_dir, exist_ok=True)
    try:
        verdict = run_trial(given)
    except (SpaceError, OSError, ValueError) as error:
        sys.stderr.write(f"hpo_trial: error: {error}\n  try: --space with a space that hpo_space.py has written\n")
        return 2
    write_whole(os.path.join(given.output_dir, "trial.json"), json.dumps(verdict, indent=1) + "\n")
    print(f"trial {verdict['trial']}: {verdict['state']} {verdict['reason']} {given.val_metric} {verdict['objective']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
