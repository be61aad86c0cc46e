"""naive_scores: each result beside what drug and cell line alone would have predicted.

    test_y_data_predicted.csv of an infer task, train_y_data.csv of its ml_data
      -> mean_effects -> a record: model's, naive and normalised scores, correlation per drug
    records -> rows, values for figures, tables; kept for the next time

Examples:
    naive = naive_results(tree, tasks, old_records(tree))
    report_files.update(naive_files(naive))

Files, in OUT/scores:
    naive_scores.csv        one line a result (HEADER)
    per_drug.csv            correlation within each drug, mean over splits
    per_cell_line.csv       likewise for cell lines
    naive_results.jsonl     the records, one a line; a result whose stamp stands there is not
                            computed again, nor has its ml_data to be there any longer
"""
import json
import math
import os
from collections import OrderedDict
from operator import sub
from typing import NamedTuple

import metrics
from improve_files import FileError, read_scores, read_table
from mean_effects import (MissingColumns, fit, group_correlations, naive_and_normalised, predict,
                          read_predicted, read_training)
from tables import csv_text, quantile
from tree_files import as_text
from workers import side_by_side

FORMAT = 1                  # of a record; other ones are computed again
DIGITS = 6                  # of the correlation within a drug or cell line
TABLE, TRAINING = "test_y_data_predicted.csv", "train_y_data.csv"
RECORDS = "naive_results.jsonl"
NORMALISED = ("r2", "pcc", "scc")
SCORES = (tuple(metrics.METRICS) + tuple(f"naive_{met}" for met in metrics.METRICS)
          + tuple(f"norm_{met}" for met in NORMALISED)
          + ("drug_pcc", "n_drugs", "cell_pcc", "n_cells"))     # median within drugs, and of how many
HEADER = ("source", "target", "split", "size", "task", "stamp") + SCORES
DRUG_HEADER = ("source", "target", "size", "drug", "n_splits", "n_rows", "mean_pcc")
CELL_HEADER = DRUG_HEADER[:3] + ("cell_line",) + DRUG_HEADER[4:]


class Naive(NamedTuple):
    """What is known of the naive baselines of a tree."""
    rows: list              # of HEADER, in the order of the tasks
    drug_values: dict       # (source, target; in LCA size) -> pcc of each drug in each split
    cell_values: dict       # likewise of each cell line
    drug_rows: list         # of DRUG_HEADER
    cell_rows: list         # of CELL_HEADER
    records: list           # dicts, one a row
    notes: list             # a sentence per reason why results are left out


class Job(NamedTuple):
    """One result to compute."""
    name: str
    stamp: str
    directory: str
    table_size: object      # bytes of TABLE that the status tells of, or None
    y_col_name: object


# ---- all results of a tree

def naive_results(tree, tasks, old_text=""):
    """Returns the Naive of infer tasks; those that are not done, or lack what it takes, are left out.

    old_text: what RECORDS held the last time, '' where it was not there.
    """
    tasks = [task for task in tasks if tree.verdict(task.name).state == "done"]
    records, problems = _reused(tree, tasks, _parsed(old_text)), {}
    groups = _groups(tree, [task for task in tasks if task.name not in records])
    paths = [os.path.join(job.directory, TABLE) for _, jobs in groups for job in jobs]
    for found in side_by_side(compute_group, groups, paths):
        for name, record, problem, example in found:
            if record:
                records[name] = record
            else:
                problems.setdefault(problem, []).append(example)
    kept = [(task, records[task.name]) for task in tasks if task.name in records]
    return Naive([_row(*pair) for pair in kept], _values(kept, "drugs"), _values(kept, "cells"),
                 _group_rows(kept, "drugs"), _group_rows(kept, "cells"),
                 [record for _, record in kept], _notes(problems, len(tasks)))


def _notes(problems, total):
    return [f"no naive baseline for {len(examples)} of {total} results: {problem} "
            f"(such as {min(examples)})" for problem, examples in sorted(problems.items())]


# ---- what was computed before

def old_records(tree):
    """Returns the text of OUT/scores/naive_results.jsonl, '' where there is none."""
    try:
        with open(tree.path(f"scores/{RECORDS}"), encoding="utf-8", errors="replace") as file:
            return file.read()
    except (OSError, MemoryError):
        return ""


def _parsed(text):
    """Returns {task name: record} of a text of RECORDS; lines that are none are passed over."""
    records = {}
    for line in text.splitlines():
        try:
            record = json.loads(line)
            if record["format"] == FORMAT and _is_record(record):
                records[record["task"]] = record
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            pass
    return records


def _is_record(record):
    pairs = [pair for kind in ("drugs", "cells") for pair in record[kind].values()]
    return (isinstance(record["stamp"], str) and set(record["scores"]) == set(SCORES)
            and all(isinstance(value, (int, float)) for value in record["scores"].values())
            and all(isinstance(rows, int) and isinstance(pcc, float) for rows, pcc in pairs))


def _reused(tree, tasks, old):
    """Returns {task name: old record} of the tasks whose files are still those of the record."""
    return {task.name: old[task.name] for task in tasks
            if task.name in old and _is_same(tree, task, old[task.name]["stamp"])}


def _is_same(tree, task, old_stamp):
    stamp = _stamp(tree, task)
    # without a status, only the training file that is gone cannot be compared
    return stamp == old_stamp or stamp.endswith(" gone") and (
        old_stamp.startswith(stamp[:-len("gone")]))


def _stamp(tree, task):
    """Returns what changes with the result: the stamp of its status, else sizes and times of its files."""
    status = tree.status(task.name)
    if status is not None and status.stamp:
        return status.stamp
    training = next(filter(os.path.exists, _training_paths(tree, task)), "")
    return f"files {_mark(os.path.join(tree.path(task.name), TABLE))} {_mark(training)}"


def _mark(path):
    try:
        found = os.stat(path)
        return f"{found.st_size}:{found.st_mtime_ns}"
    except OSError:
        return "gone"


# ---- groups: results of one training set

def _groups(tree, tasks):
    """Returns [(paths of the training file, [Job])]; the training data is the same for all targets."""
    groups = OrderedDict()
    for task in tasks:
        paths, jobs = groups.setdefault((task.source, task.split, task.size), ([], []))
        paths += _training_paths(tree, task)
        jobs.append(_job(tree, task))
    return list(groups.values())


def _training_paths(tree, task):
    return [os.path.join(tree.path(name), TRAINING) for name in task.parents
            if name in tree.tasks and tree.tasks[name].stage == "preprocess"]


def _job(tree, task):
    status = tree.status(task.name)
    return Job(task.name, _stamp(tree, task), tree.path(task.name),
               status.files.get(TABLE) if status else None, task.y_col_name)


# ---- one group

class LeftOut(Exception):
    """Why there is no record of a result, in words that fit other results too."""


def compute_group(group):
    """Returns [(task name, record, problem, example)] of the Jobs of one training file.

    Either there is a record, or it is None and problem says why.
    """
    paths, jobs = group
    training, effects = next(filter(os.path.isfile, paths), None), {}
    return [_outcome(job, training, effects) for job in jobs]


def _outcome(job, training, effects):
    try:
        return job.name, _record(job, training, effects), "", ""
    except LeftOut as reason:
        return job.name, None, str(reason), job.name
    except MissingColumns as error:
        file = TRAINING if error.path == training else TABLE
        return job.name, None, f"{file} has no {' and no '.join(error.columns)}", job.name
    except (FileError, OSError) as error:
        return job.name, None, "a file cannot be used", as_text(str(error))
    except (OverflowError, ValueError):     # sums out of the range of floats
        return job.name, None, "values out of range", job.name


def _record(job, training, effects):
    """Returns the record of a job. effects: y_col_name -> Effects, filled where it is not yet known."""
    path = os.path.join(job.directory, TABLE)
    _check(path, job.table_size)
    y_col_name = job.y_col_name or _predicted_name(path)
    true, pred, drugs, cells = read_predicted(path, y_col_name)
    if training is None:
        raise LeftOut(f"{TRAINING} is not there, ml_data was deleted or never made")
    if y_col_name not in effects:
        effects[y_col_name] = fit(*read_training(training, y_col_name))
    naive = predict(effects[y_col_name], drugs, cells)
    of_naive, normalised = naive_and_normalised(true, pred, naive)
    groups = [_rounded(group_correlations(true, pred, names)) for names in (drugs, cells)]
    values = list(_model_scores(job.directory, true, pred).values())
    values += list(of_naive.values()) + [normalised[met] for met in NORMALISED]
    values += [value for group in groups for value in (_median(group), len(group))]
    return {"format": FORMAT, "task": job.name, "stamp": job.stamp,
            "scores": OrderedDict(zip(SCORES, values)), "drugs": groups[0], "cells": groups[1]}


def _check(path, expected):
    """Refuses a table that is not there, or not the one that the status tells of."""
    if not os.path.exists(path):
        raise LeftOut(f"{TABLE} is not there")
    if expected is not None and os.path.getsize(path) != expected:
        raise LeftOut(f"{TABLE} is not as long as its status tells")


def _predicted_name(path):
    """Returns the only y of which the header has y_true and y_pred."""
    header = read_table(path, ",")[0]
    found = {name[:-len("_true")] for name in header if name.endswith("_true")
             and name[:-len("_true")] + "_pred" in header}
    if len(found) != 1:
        raise LeftOut(f"{TABLE} needs one pair of columns NAME_true and NAME_pred")
    return found.pop()


def _model_scores(directory, true, pred):
    """Returns the six scores: those of test_scores.json, which has the unrounded values, where it has them."""
    path = os.path.join(directory, "test_scores.json")
    scores = read_scores(path) if os.path.exists(path) else {}
    if "mae" not in scores:         # IMPROVE leaves it out
        scores["mae"] = math.fsum(map(abs, map(sub, true, pred))) / len(true)
    if not set(metrics.METRICS) <= set(scores):
        scores = dict(metrics.regression_scores(true, pred), **scores)
    return OrderedDict((met, scores[met]) for met in metrics.METRICS)


def _rounded(group):
    return OrderedDict((name, (rows, round(pcc, DIGITS))) for name, (rows, pcc) in group.items())


def _median(group):
    values = sorted(pcc for _, pcc in group.values())
    return quantile(values, 0.5) if values else math.nan


# ---- rows

def _row(task, record):
    return (task.source, task.target, task.split, task.size, task.name, record["stamp"],
            *[record["scores"][name] for name in SCORES])


def _values(kept, kind):
    """Returns {(source, target or size): the correlations of all drugs or cell lines in all splits}."""
    values = OrderedDict()
    for task, record in kept:
        key = task.source, task.target if task.size is None else task.size
        values.setdefault(key, []).extend(pcc for _, pcc in record[kind].values())
    return values


def _group_rows(kept, kind):
    """Returns rows of DRUG_HEADER or CELL_HEADER, sorted by name within source, target and size."""
    found = OrderedDict()
    for task, record in kept:
        groups = found.setdefault((task.source, task.target, task.size), {})
        for name, pair in record[kind].items():
            groups.setdefault(name, []).append(pair)
    return [(*key, name, len(pairs), sum(rows for rows, _ in pairs),
             math.fsum(pcc for _, pcc in pairs) / len(pairs))
            for key, groups in found.items() for name, pairs in sorted(groups.items())]


def naive_files(naive):
    """Returns {file name: text} for OUT/scores; None, which removes old ones, where there is no row."""
    names = ("naive_scores.csv", "per_drug.csv", "per_cell_line.csv", RECORDS)
    if not naive.rows:
        return dict.fromkeys(names)
    return dict(zip(names, (
        csv_text(HEADER, naive.rows), csv_text(DRUG_HEADER, naive.drug_rows),
        csv_text(CELL_HEADER, naive.cell_rows),
        "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in naive.records))))
