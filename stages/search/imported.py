"""imported: trials of other searches, as points that a search knows from its start.

    DeepHyper's hpo_results.csv, or a directory of our own trials -> [{"params", "objective", "from"}], notes

Examples:
    trials, notes = read_trials(["hpo_results.csv", "runs/hpo_lgbm"], "gCSI", space, "mse")

DeepHyper's columns are p:NAME, objective, job_id and m:...; it maximises, so its objective is the
negated value of a metric whose smaller values are better. A directory is an OUT (its trials of
the same source), OUT/SOURCE, or a trials/. objective is None for a trial that failed.
"""
import math
import os
import re

from common.improve_files import FileError, read_table
from common.metrics import lower_is_better
from common.tree_files import read_json
from search.space import entry_size, same_choice

NEVER_NEGATIVE = ("mse", "rmse", "mae")


def read_trials(paths, source, space, metric):
    """Returns (trials, notes) of files and directories. FileError: no trial, or one of another search."""
    trials, notes = [], []
    for path in paths:
        rows = from_directory(path, source, metric) if os.path.isdir(path) else from_deephyper(path, space, metric)
        inside = [dict(row, params=params_of(row["params"], space)) for row in rows]
        inside = [row for row in inside if None not in row["params"].values()]
        if not inside:
            raise FileError(f"{path}: none of its {len(rows)} trials lies in the search space")
        ignored = sorted({name for row in rows for name in row["params"]} - {entry["name"] for entry in space})
        notes.append(f"{source}: {len(inside)} trials imported from {path}"
                     + (f", {len(rows) - len(inside)} outside the search space are left out" if len(inside) < len(rows) else "")
                     + (f"; {', '.join(ignored)} is not in the space and ignored" if ignored else ""))
        trials += inside
    return trials, notes


def params_of(params, space):
    """Returns {name: value of the space, or None if it has none such}."""
    return {entry["name"]: value_of(entry, params.get(entry["name"])) for entry in space}


def value_of(entry, value):
    """Returns the value of a normalised entry that a text or a JSON value means; None if it lies outside."""
    if value is None:
        return entry["default"] if entry_size(entry) == 1 else None     # a constant need not be listed
    if "choices" in entry:
        return next((choice for choice in entry["choices"] if means(choice, value)), None)
    number = number_of(value)
    if number is None or not entry["min"] <= number <= entry["max"] or entry["type"] == "int" and number != int(number):
        return None
    return int(number) if entry["type"] == "int" else number


def means(choice, value):
    """Whether a text of a CSV file, or a JSON value, is this choice."""
    if not isinstance(value, str) or isinstance(choice, str):
        return same_choice(choice, value)
    return value.lower() == str(choice).lower() if isinstance(choice, bool) else number_of(value) == choice


def number_of(value):
    """Returns a finite float; None for anything else."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


# ---- DeepHyper

def from_deephyper(path, space, metric):
    """Returns the trials of a hpo_results.csv. FileError: it lacks a column, or is of another metric."""
    header, rows = read_table(path, ",")
    for name in ["objective"] + ["p:" + entry["name"] for entry in space if entry_size(entry) > 1]:
        if name not in header:
            raise FileError(f"{path}: has no column {name}")
    return [deephyper_trial(path, dict(zip(header, row)), metric) for row in rows]


def deephyper_trial(path, row, metric):
    """Returns a trial; DeepHyper writes F for the objective of one that failed."""
    value, measured = number_of(row["objective"]), number_of(row.get("m:" + metric))
    if value is not None:
        value = measured if measured is not None else -value if lower_is_better(metric) else value
    if value is not None and value < 0 and metric in NEVER_NEGATIVE:
        raise FileError(f"{path}: objective {row['objective']} would be {metric} {value:g}, which is never below 0: "
                        "the file is of another metric")
    return {"params": {name[2:]: text for name, text in row.items() if name.startswith("p:")}, "objective": value,
            "from": f"{path} {row.get('job_id', '')}".rstrip()}


# ---- our own trials

def from_directory(path, source, metric):
    """Returns the trials in a directory that have ended. FileError: there is none."""
    places = [path, os.path.join(path, "trials"), os.path.join(path, source, "trials")]
    files = [file for place in places for file in verdicts_in(place)]
    rows = [row for row in (own_trial(file, metric) for file in files) if row]
    if not rows:
        raise FileError(f"{path}: holds no trial that has ended, neither itself nor in trials/ or {source}/trials/")
    return rows


def verdicts_in(place):
    """Returns the paths of the trial.json of a trials/."""
    names = sorted(name for name in os.listdir(place) if re.match(r"\d+\Z", name)) if os.path.isdir(place) else []
    paths = [os.path.join(place, name, "trial.json") for name in names]
    return [path for path in paths if os.path.isfile(path)]


def own_trial(path, metric):
    """Returns the trial of a trial.json; None for one that had no point. FileError: it lacks the metric."""
    content = read_json(path)
    try:
        state, scores, params = content["state"], content["scores"], content["params"]
        value = content["objective"] if content["val_metric"] == metric else scores.get(metric)
    except (TypeError, KeyError, AttributeError):
        raise FileError(f"{path}: is no trial")
    if state not in ("done", "failed") or not params or not isinstance(params, dict):
        return None
    if state == "done" and number_of(value) is None:
        raise FileError(f"{path}: its scores hold no {metric}")
    return {"params": params, "objective": number_of(value) if state == "done" else None, "from": path}


def read_imported(path):
    """Returns [(params, objective or None)] of an imported.json; [] if there is none. FileError: it is broken."""
    if not os.path.exists(path):
        return []
    try:
        return [(dict(row["params"]), row["objective"]) for row in read_json(path)]
    except (TypeError, KeyError, ValueError):
        raise FileError(f"{path}: is no list of imported trials")
