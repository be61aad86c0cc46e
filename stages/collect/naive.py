"""naive: each result beside what drug and cell line alone would have predicted.

    test_y_data_predicted.csv of an infer task, train_y_data.csv of its ml_data
      -> naive_baseline -> a record: model's, naive and normalised scores, correlation per drug
      and the scores of rows whose drug or cell line the training set lacks (stats/overlap)
    records -> rows, values for figures, tables; kept for the next time

Examples:
    naive = naive_results(tree, tasks, old_records(tree))
    report_files.update(naive_files(naive))

Files, in OUT/scores:
    naive_scores.csv        one line a result (HEADER)
    per_drug.csv            correlation within each drug, mean over splits
    per_cell_line.csv       likewise for cell lines
    naive_results.jsonl     the records, one a line; a result with the same stamp is not
                            computed again, and its ml_data may have been deleted
"""
import json
import math
import os
from collections import OrderedDict
from typing import NamedTuple

from collect.overlap import is_strata
from common import metrics
from common.improve_files import CELL, DRUG, FileError, MissingColumns, read_responses
from common.side_by_side import side_by_side, size_of
from common.tables import csv_text, quantile
from common.tree_files import as_text
from stats.naive_baseline import fit, group_correlations, predict
from stats.overlap import strata
from tree.scores import Inference, Result, inference_of, predictions_of, read_result

FORMAT = 2                  # of a record; other ones are computed again
DIGITS = 6                  # of the correlation within a drug or cell line
PREDICTIONS, TRAINING = "test_y_data_predicted.csv", "train_y_data.csv"
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
    """One result to read. wanted: whether a record is, or there is an old one."""
    name: str
    stamp: str
    inference: Inference
    wanted: bool


class Outcome(NamedTuple):
    """What came of a Job: its Result, and a record or the problem why there is none."""
    name: str
    result: Result
    record: object = None
    problem: str = ""       # '' if no record was wanted
    example: str = ""


# ---- all results of a tree

def results_and_naive(tree, tasks, old_text=""):
    """Returns ({task name: Result}, Naive) of infer tasks that are done; each file is read once.

    old_text: what RECORDS held the last time, '' if there was none.
    """
    records, problems, results = _reused(tree, tasks, _parsed(old_text)), {}, {}
    groups = _groups(tree, tasks, records)
    for outcomes in side_by_side(compute_group, groups, list(map(_size, groups))):
        for name, result, record, problem, example in outcomes:
            results[name] = result
            if record:
                records[name] = record
            elif problem:
                problems.setdefault(problem, []).append(example)
    scored = [task for task in tasks if results[task.name].scores]
    kept = [(task, records[task.name]) for task in scored if task.name in records]
    naive = Naive([_row(*pair) for pair in kept], _values(kept, "drugs"), _values(kept, "cells"),
                  _group_rows(kept, "drugs"), _group_rows(kept, "cells"),
                  [record for _, record in kept], _notes(problems, len(scored)))
    return results, naive


def _notes(problems, total):
    return [f"no naive baseline for {len(examples)} of {total} results: {problem} "
            f"(such as {min(examples)})" for problem, examples in sorted(problems.items())]


# ---- what was computed before

def old_records(tree):
    """Returns the text of OUT/scores/naive_results.jsonl, '' if there is none."""
    try:
        with open(tree.path(f"scores/{RECORDS}"), encoding="utf-8", errors="replace") as file:
            return file.read()
    except (OSError, MemoryError):
        return ""


def _parsed(text):
    """Returns {task name: record} of a text of RECORDS; other lines are ignored."""
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
    return (isinstance(record["stamp"], str) and set(record["scores"]) == set(SCORES) and is_strata(record["strata"])
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
    return f"files {_mark(inference_of(tree, task).predictions)} {_mark(training)}"


def _mark(path):
    try:
        found = os.stat(path)
        return f"{found.st_size}:{found.st_mtime_ns}"
    except OSError:
        return "gone"


# ---- groups: results of one training set

def _groups(tree, tasks, records):
    """Returns [(paths of the training file, [Job])]; the training data is the same for all targets."""
    groups = OrderedDict()
    for task in tasks:
        paths, jobs = groups.setdefault((task.source, task.split, task.size), ([], []))
        paths += _training_paths(tree, task)
        jobs.append(Job(task.name, _stamp(tree, task), inference_of(tree, task), task.name not in records))
    return list(groups.values())


def _training_paths(tree, task):
    return [os.path.join(tree.path(name), TRAINING) for name in task.parents
            if name in tree.tasks and tree.tasks[name].stage == "preprocess"]


def _size(group):
    """Returns about how many bytes a group reads."""
    paths, jobs = group
    return max(map(size_of, paths), default=0) + sum(size_of(job.inference.predictions) for job in jobs)


# ---- one group

class LeftOut(Exception):
    """Why there is no record of a result, in words that fit other results too."""


def compute_group(group):
    """Returns the Outcomes of the Jobs of one training file."""
    paths, jobs = group
    training, effects = next(filter(os.path.isfile, paths), None), {}
    return [_outcome(job, training, effects) for job in jobs]


def _outcome(job, training, effects):
    predictions = predictions_of(job.inference, ids=job.wanted)
    result = read_result(job.inference, predictions)
    if not (result.scores and job.wanted):
        return Outcome(job.name, result)
    try:
        return Outcome(job.name, result, _record(job, result, predictions, training, effects))
    except LeftOut as reason:
        return Outcome(job.name, result, None, str(reason), job.name)
    except MissingColumns as error:
        return Outcome(job.name, result, None, _without(TRAINING, error.columns), job.name)
    except (FileError, OSError) as error:
        return Outcome(job.name, result, None, "a file cannot be used", as_text(str(error)))
    except (OverflowError, ValueError):     # sums out of the range of floats
        return Outcome(job.name, result, None, "values out of range", job.name)


def _without(file, columns):
    return f"{file} has no {' and no '.join(columns)}"


def _record(job, result, predictions, training, effects):
    """Returns the record of a job. effects: y_col_name -> Effects, filled if it is not yet known."""
    if not os.path.exists(job.inference.predictions):
        raise LeftOut(f"{PREDICTIONS} does not exist")
    true, pred, drugs, cells, y_col_name = predictions()
    missing = [name for name, column in ((DRUG, drugs), (CELL, cells)) if column is None]
    if missing:
        raise LeftOut(_without(PREDICTIONS, missing))
    if training is None:
        raise LeftOut(f"{TRAINING} does not exist, ml_data was deleted or never made")
    if y_col_name not in effects:
        effects[y_col_name] = fit(*read_responses(training, y_col_name))
    seen = effects[y_col_name]
    naive = predict(seen, drugs, cells)
    rows = metrics.rows_of(true, pred, naive)
    of_naive = metrics.regression_scores(true, naive, rows.truth)
    if not math.isfinite(of_naive["mse"]):
        raise LeftOut("values out of range")
    groups = [_rounded(group_correlations(true, pred, names)) for names in (drugs, cells)]
    values = _model_scores(result, true, pred) + list(of_naive.values())
    values += metrics.normalised_scores(rows).values()
    values += [value for group in groups for value in (_median(group), len(group))]
    return {"format": FORMAT, "task": job.name, "stamp": job.stamp,
            "scores": OrderedDict(zip(SCORES, values)), "drugs": groups[0], "cells": groups[1],
            "strata": strata(rows, drugs, cells, seen.drugs, seen.cells)}


def _model_scores(result, true, pred):
    """Returns the six scores; those that the result lacks are computed."""
    scores = result.scores
    if not set(metrics.METRICS) <= set(scores):
        scores = dict(metrics.regression_scores(true, pred), **scores)
    return [scores[met] for met in metrics.METRICS]


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
    """Returns {file name: text} for OUT/scores; None, which removes old ones, if there is no row."""
    names = ("naive_scores.csv", "per_drug.csv", "per_cell_line.csv", RECORDS)
    if not naive.rows:
        return dict.fromkeys(names)
    return dict(zip(names, (
        csv_text(HEADER, naive.rows), csv_text(DRUG_HEADER, naive.drug_rows),
        csv_text(CELL_HEADER, naive.cell_rows),
        "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in naive.records))))
