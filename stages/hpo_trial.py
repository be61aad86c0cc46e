"""hpo_trial: one trial of a search: reads the others, takes a point, trains, writes a verdict.

    study.json, trials/*/{params,trial}.json -> search -> params.json -> train per split
      -> trial.json

Runs in the model's environment as one array element. There is no server and no lock: trials know
of each other through their directories, files appear whole, and creating a file, which only one
trial can, takes a point.

Example:
    python3 stages/hpo_trial.py --study gCSI/study.json --train_script baseline_train_improve.py \\
        --input_dir gCSI/ml_data/split_0 --output_dir gCSI/trials/0007

Arguments: --train_script, NAME_train_improve.py, runs in its own folder; --input_dir is ml_data of
each split; the name of --output_dir is the trial's number.

Files, in --output_dir (docs/files.md has their keys):
    params.json     the parameters; a trial that runs again has the same
    split_{k}/      what the model's train script wrote
    trial.json      the verdict: done with an objective, or failed and why

Exit code: 0 the trial has an objective; 1 its training failed; 128 + N if signal N killed it; 143
after a signal; 2 for arguments that make no sense.
"""
import argparse
import hashlib
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # our folder
from core import metrics  # noqa: E402
from core.errors import FileError  # noqa: E402
from core.files import read_json, script_fingerprint, write_whole  # noqa: E402
from core.improve_files import read_predictions, read_scores, used_otherwise  # noqa: E402
from core.task import argument_list, read_arguments  # noqa: E402
from stages.search.optimizer import suggest  # noqa: E402
from stages.search.trials import read_study  # noqa: E402

FIRST = "0000"      # it finds out whether the model writes the metric of the study


class TrialFailed(Exception):
    """Why a trial failed, in one sentence. kind: exit_code (train has said why), no_metric (the
    model does not write the metric of the study), or ''; exit_code: the trial's own."""

    def __init__(self, reason, kind="", exit_code=1):
        super().__init__(reason)
        self.kind, self.exit_code = kind, exit_code


def read_dict(*path):
    """Returns the dict in a neighbour's file; {} if it is absent, half-written or no dict."""
    try:
        content = read_json(os.path.join(*path))
    except FileError:
        return {}
    return content if isinstance(content, dict) else {}


def read_history(trials, own, metric):
    """Returns [(params, value)] of the other trials, by number; a metric that grows is negated.
    value is None while one runs, nan if it failed, also while it waits to be repeated; once it is
    repeated its trial.json is gone, and it runs."""
    history, sign = [], 1 if metrics.lower_is_better(metric) else -1
    for name in sorted(set(os.listdir(trials)) - {own}):
        params = read_dict(trials, name, "params.json")
        verdict = read_dict(trials, name, "trial.json")
        objective = verdict.get("objective")
        value = None if not verdict else math.nan if objective is None else sign * objective
        if params:
            history.append((params, value))
    return history


def take_point(directory, study):
    """Returns the trial's parameters: its own of an earlier attempt, else a point that no other
    trial has taken. Raises ValueError if there is none. A point is written down before it is
    claimed: a trial that was killed in between, or after, finds its point again and claims it, or
    learns that another trial has it."""
    trials, own = os.path.split(directory)
    params = read_dict(directory, "params.json")
    history = read_history(trials, own, study.metric)
    while not params or not claim(params, trials, own):
        if params:      # a trial that started at the same moment has it: one more that runs
            history.append((params, None))
        params = suggest(study.space, history, study.seed, int(own), study.search)
        write_whole(os.path.join(directory, "params.json"), json.dumps(params) + "\n")
    return params


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


def train(given, study, params, input_dir):
    """Runs the train script on one split, in its own folder: some models read ./author_data there,
    as under IMPROVE's launchers. Returns its output directory. Raises TrialFailed; a signal ends
    the script, then us, without a verdict."""
    output_dir = os.path.join(given.output_dir, os.path.basename(input_dir))
    shutil.rmtree(output_dir, ignore_errors=True)   # files of an earlier attempt would mislead
    os.makedirs(output_dir, exist_ok=True)
    arguments = {"input_dir": input_dir, "output_dir": output_dir,
                 **{name: str(value) for name, value in params.items()},
                 **read_arguments(study.train_args, output_dir)}
    command = [sys.executable, given.train_script, *argument_list(arguments, output_dir)]
    with subprocess.Popen(command, cwd=os.path.dirname(given.train_script)) as child:
        try:
            code = child.wait()
        finally:
            child.terminate()
    if code > 0:
        raise TrialFailed(f"exit code {code}", "exit_code")
    if code < 0:
        raise TrialFailed(f"killed by signal {-code}", exit_code=128 - code)
    otherwise = used_otherwise(output_dir, arguments)
    if otherwise:
        raise TrialFailed(otherwise)
    return output_dir


def stop(number, frame):
    signal.signal(number, signal.SIG_IGN)   # the job and its runner may both send it
    sys.exit(128 + number)


def scores_of(directory, name):
    """Returns the validation scores; a metric `name` of regression that the model does not write,
    such as mae, is made of its predictions. Raises TrialFailed without it, or FileError."""
    scores = read_scores(os.path.join(directory, "val_scores.json"))[0]
    path = os.path.join(directory, "val_y_data_predicted.csv")
    is_regression = name in metrics.METRICS and set(scores) & set(metrics.METRICS)
    if name not in scores and is_regression and os.path.exists(path):
        found = read_predictions(path)
        scores[name] = metrics.regression_scores(found.true, found.pred)[name]
    if name not in scores:
        raise TrialFailed(f"val_scores.json has no {name}, only {', '.join(scores)}; choose one "
                          "of these as --val_metric, in another --output_dir", "no_metric")
    if not math.isfinite(scores[name]):
        raise FileError(f"{name} is {scores[name]}")
    return scores


def refuse_known_failure(directory, script):
    """Raises TrialFailed if the first trial has found that the model does not write the metric.
    script: fingerprint of the train script, which may have been mended since."""
    trials, own = os.path.split(directory)
    first = read_dict(trials, FIRST, "trial.json")
    known = first.get("reason_kind"), first.get("train_script")
    if own != FIRST and known == ("no_metric", script):
        raise TrialFailed(str(first.get("reason")), "no_metric")


def run_trial(given, study):
    """Runs the trial and writes its trial.json; returns its exit code."""
    started, exit_code = time.time(), 0
    script = script_fingerprint(given.train_script)
    verdict = {"params": {}, "objective": None, "val_metric": study.metric, "state": "done",
               "reason_kind": "", "reason": "", "train_script": script}
    try:
        verdict["params"] = take_point(given.output_dir, study)
        refuse_known_failure(given.output_dir, script)
        name = study.metric.partition(":")[0]       # gain:higher -> gain
        rows = [scores_of(train(given, study, verdict["params"], split), name)
                for split in given.input_dir]
        means = {metric: math.fsum(row.get(metric, math.nan) for row in rows) / len(rows)
                 for metric in rows[0]}
        verdict.update(
            objective=means[name], objectives=[row[name] for row in rows],
            scores={metric: mean for metric, mean in means.items() if math.isfinite(mean)})
    except (TrialFailed, FileError) as error:
        kind, exit_code = getattr(error, "kind", ""), getattr(error, "exit_code", 1)
        verdict.update(state="failed", reason=str(error), reason_kind=kind)
        if kind != "exit_code":     # then train has said why
            sys.stderr.write(f"hpo_trial: {error}\n")
    verdict["seconds"] = round(time.time() - started, 3)
    write_whole(os.path.join(given.output_dir, "trial.json"), json.dumps(verdict, indent=1) + "\n")
    return exit_code


def main(argv=None):
    parser = argparse.ArgumentParser(prog="hpo_trial", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--study", "--train_script", "--output_dir"):
        parser.add_argument(name, required=True, type=os.path.abspath)
    parser.add_argument("--input_dir", required=True, nargs="+", type=os.path.abspath)
    given = parser.parse_args(argv)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    try:
        os.makedirs(given.output_dir, exist_ok=True)
        return run_trial(given, read_study(given.study))
    except (FileError, OSError, ValueError) as error:
        sys.stderr.write(f"hpo_trial: error: {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
