"""hpo_trial: one trial of a search: reads the others, takes a point, trains, writes a verdict.

    study.json, trials/*/{params,trial}.json -> search -> params.json -> train per split
      -> trial.json

Runs in the model's environment as one array element. There is no server and no lock: trials
know of each other through their directories, files appear whole, and a point is taken by
creating a file that only one trial can create.

Example:
    python3 stages/hpo_trial.py --study gCSI/study.json --train_script baseline_train_improve.py \\
        --input_dir gCSI/ml_data/split_0 --output_dir gCSI/trials/0007

Files, in --output_dir:
    params.json     the parameters; a trial that runs again has the same
    split_{k}/      what the model's train script wrote
    trial.json      params, objective (mean of objectives, one per split), state (done, failed,
                    exhausted), reason, scores, seconds, train_script (its fingerprint, SIZE:CRC32)

Exit code: 0 the trial has an objective, or there was no point left to try; 1 its training failed;
143 after a signal; 2 for arguments that make no sense.
"""
import argparse
import hashlib
import json
import math
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # our folder
from core import metrics, parameters  # noqa: E402
from core.errors import FileError  # noqa: E402
from core.files import read_json, write_whole  # noqa: E402
from core.fingerprints import script_fingerprint  # noqa: E402
from core.improve_files import read_predictions, read_scores  # noqa: E402
from core.task import argument_list, read_arguments  # noqa: E402
from stages.search.optimizer import SEARCHES, SpaceExhausted  # noqa: E402
from stages.search.trials import read_study  # noqa: E402

TRIES = 200         # points that others took at the same moment
FIRST = "0000"      # it finds out whether the model writes the metric of the study
OLD_OUTPUTS = ("val_scores.json", "val_y_data_predicted.csv", "param_log_file.txt")


class TrialFailed(Exception):
    """Why a trial failed, in one sentence.

    kind: exit_code (train has said why), killed, parameters, or no_metric: the model does not
    write the metric of the study. exit_code: the trial's own.
    """

    def __init__(self, kind, reason, exit_code=1):
        super().__init__(reason)
        self.kind, self.exit_code = kind, exit_code


def parse(argv):
    parser = argparse.ArgumentParser(prog="hpo_trial", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, text in (("study", "study.json of the search"),
                       ("train_script", "NAME_train_improve.py, which runs in its own folder"),
                       ("output_dir", "the trial's directory; its name is its number")):
        parser.add_argument("--" + name, required=True, type=os.path.abspath, help=text)
    parser.add_argument("--input_dir", required=True, nargs="+", type=os.path.abspath,
                        metavar="DIR", help="ml_data of each split")
    return parser.parse_args(argv)


# ---- the other trials

def read_dict(*path):
    """Returns the dict in a neighbour's file; None if it is absent, half-written or no dict."""
    try:
        content = read_json(os.path.join(*path))
    except FileError:
        return None
    return content if isinstance(content, dict) else None


def read_history(trials, own, metric):
    """Returns [(params, value)] of the other trials, by number; value is None while one runs.

    Lower is better: a metric that grows is negated. A failure is nan, also while the trial waits
    to be repeated; once it is repeated its trial.json is gone, and it runs.
    """
    history, sign = [], 1 if metrics.lower_is_better(metric) else -1
    for name in sorted(set(os.listdir(trials)) - {own}):
        params = read_dict(trials, name, "params.json")
        verdict = read_dict(trials, name, "trial.json")
        if params and verdict is None:
            history.append((params, None))
        elif params and verdict["state"] != "exhausted":
            objective = verdict["objective"]
            history.append((params, math.nan if objective is None else sign * objective))
    return history


# ---- taking a point

def take_point(directory, study):
    """Returns the trial's parameters: its own of an earlier attempt, else a point that no other
    trial has taken. Raises SpaceExhausted.

    A point is written down before it is claimed: a trial that was killed in between, or after,
    finds its point again and claims it, or learns that another trial has it.
    """
    trials, own = os.path.split(directory)
    params = read_dict(directory, "params.json")
    history = read_history(trials, own, study.metric)
    for _ in range(TRIES):
        if params is None:
            params = SEARCHES[study.search](study.space, history, study.seed, int(own))
            write_whole(os.path.join(directory, "params.json"), json.dumps(params) + "\n")
        if claim(params, trials, own):
            return params
        # A trial that started at the same moment has it: one more that runs.
        history.append((params, None))
        params = None
    raise SpaceExhausted(f"no free point in {TRIES} tries")


def claim(params, trials, own):
    """Says whether the point is ours: creating a file is atomic, on NFS and Lustre too."""
    text = json.dumps(params, sort_keys=True)
    path = os.path.join(trials, "points", hashlib.sha256(text.encode()).hexdigest()[:24])
    os.makedirs(os.path.dirname(path), exist_ok=True)
    try:
        with open(path, "x") as file:
            file.write(own)
        return True
    except FileExistsError:
        with open(path) as file:
            return file.read() == own


# ---- training

def train(given, study, params, input_dir):
    """Runs the train script on one split; returns its scores. Raises TrialFailed or FileError."""
    output_dir = os.path.join(given.output_dir, os.path.basename(input_dir))
    os.makedirs(output_dir, exist_ok=True)
    for old in OLD_OUTPUTS:
        if os.path.exists(os.path.join(output_dir, old)):
            os.unlink(os.path.join(output_dir, old))
    arguments = {"input_dir": input_dir, "output_dir": output_dir}
    arguments.update({name: str(value) for name, value in params.items()})
    arguments.update(read_arguments(study.train_args, output_dir))
    run_train([sys.executable, given.train_script, *argument_list(arguments, output_dir)])
    otherwise = parameters.used_otherwise(output_dir, arguments)
    if otherwise:
        raise TrialFailed("parameters", parameters.otherwise_text(otherwise))
    return scores_of(output_dir, study.metric)


def run_train(command):
    """Runs the train script in its own folder: some models read ./author_data there, as under
    IMPROVE's launchers. Raises TrialFailed; a signal ends the script, then us, without a verdict.
    """
    with subprocess.Popen(command, cwd=os.path.dirname(command[1]),
                          stdin=subprocess.DEVNULL) as child:
        try:
            code = child.wait()
        finally:
            child.terminate()
    if code > 0:
        raise TrialFailed("exit_code", f"exit code {code}")
    if code < 0:
        raise TrialFailed("killed", f"killed by signal {-code}", 128 - code)


def stop(number, frame):
    signal.signal(number, signal.SIG_IGN)   # the job and its runner may both send it
    sys.exit(128 + number)


def scores_of(directory, metric):
    """Returns the validation scores; a missing one of regression is computed from the predictions.

    A file without any score of regression is a classifier's: nothing is computed for it.
    """
    scores, name = read_scores(os.path.join(directory, "val_scores.json"))[0], name_of(metric)
    if name not in scores and name in metrics.METRICS and set(scores) & set(metrics.METRICS):
        predictions = read_predictions(os.path.join(directory, "val_y_data_predicted.csv"))
        scores[name] = metrics.regression_scores(predictions.true, predictions.pred)[name]
    if name not in scores:
        raise TrialFailed("no_metric", f"val_scores.json has no {name}, only {', '.join(scores)}; "
                          "choose one of these as --val_metric, in another --output_dir")
    if not math.isfinite(scores[name]):
        raise FileError(f"{name} is {scores[name]}")
    return scores


def name_of(metric):
    """'gain:higher' -> 'gain'"""
    return metric.partition(":")[0]


def refuse_known_failure(directory, script):
    """Raises TrialFailed if the first trial has found that the model does not write the metric.

    script: fingerprint of the train script, which may have been mended since.
    """
    trials, own = os.path.split(directory)
    first = read_dict(trials, FIRST, "trial.json") or {}
    if own != FIRST and (first.get("reason_kind"), first.get("train_script")) == (
            "no_metric", script):
        raise TrialFailed("no_metric", str(first.get("reason")))


# ---- the verdict

def run_trial(given, study):
    """Returns (content of trial.json, exit code)."""
    started, code = time.time(), 1
    verdict = {"trial": int(os.path.basename(given.output_dir)), "params": {}, "objective": None,
               "objectives": [], "val_metric": study.metric, "state": "failed",
               "reason_kind": "", "reason": "", "scores": {},
               "train_script": script_fingerprint(given.train_script)}
    try:
        verdict["params"] = take_point(given.output_dir, study)
        refuse_known_failure(given.output_dir, verdict["train_script"])
        rows = [train(given, study, verdict["params"], split) for split in given.input_dir]
        means = {name: math.fsum(row[name] for row in rows) / len(rows)
                 for name in rows[0] if all(name in row for row in rows)}
        name = name_of(study.metric)
        verdict.update(state="done", objective=means[name],
                       objectives=[row[name] for row in rows],
                       scores={metric: value if math.isfinite(value) else None
                               for metric, value in means.items()})
        code = 0
    except SpaceExhausted as error:
        verdict.update(state="exhausted",
                       reason=f"every point of the space has been tried ({error})")
        code = 0
    except TrialFailed as error:
        verdict.update(reason=str(error), reason_kind=error.kind)
        code = error.exit_code
    except FileError as error:
        verdict.update(reason=str(error), reason_kind="file")
    verdict["seconds"] = round(time.time() - started, 3)
    return verdict, code


def main(argv=None):
    given = parse(argv)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    try:
        os.makedirs(given.output_dir, exist_ok=True)
        verdict, code = run_trial(given, read_study(given.study))
    except (FileError, OSError, ValueError) as error:
        sys.stderr.write(f"hpo_trial: error: {error}\n")
        return 2
    write_whole(os.path.join(given.output_dir, "trial.json"), json.dumps(verdict, indent=1) + "\n")
    if not code:
        print(f"trial {verdict['trial']}: {verdict['state']} {verdict['reason']} "
              f"{verdict['val_metric']} {verdict['objective']}")
    elif verdict["reason_kind"] != "exit_code":     # then train has said why
        sys.stderr.write(f"hpo_trial: {verdict['reason']}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
