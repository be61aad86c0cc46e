"""naive: each result beside what drug and cell line alone would have predicted.

    test_y_data_predicted.csv of an infer task, train_y_data.csv of its ml_data
          (after ml_data was deleted: the rows of response.tsv by the split file of the status)
      -> naive_baseline -> a record: model's, naive and normalised scores, correlation per drug
      and the scores of rows whose drug or cell line the training set lacks (stats/overlap)
    records -> rows, values for figures, tables; cached for the next time

Examples:
    results, naive = results_and_naive(tree, tasks, old_records(tree))
    report_files.update(naive_files(naive))

Files, in OUT/scores:
    naive_scores.csv        one line a result (HEADER)
    per_drug.csv            correlation within each drug, mean over splits
    per_cell_line.csv       likewise for cell lines
    strata.csv              a line for each result, drug seen or not, cell line seen or not
    naive_results.json      the records by task; a result whose status has the same stamp, and
                            whose files have the same content, is not computed again
"""
import functools
import json
import math
import os
from typing import NamedTuple

from core import metrics
from core.errors import FileError
from core.files import read_json, side_by_side, size_of
from core.fingerprints import fingerprint, same_content
from core.improve_files import read_benchmark_responses, read_responses, read_split
from core.rules import split_file_path
from core.text import as_text, csv_text
from stages.collect.scores import Inference, inference_of, predictions_of, read_result
from stages.stats.moments import by_name, together
from stages.stats.naive_baseline import beside_naive, fit, predict
from stages.stats.overlap import FIELDS, correlations_of, median_correlation, strata

FORMAT = 4                  # of the cache; another one is ignored
DIGITS = 6                  # of the correlation within a drug or cell line
PREDICTIONS, TRAINING = "test_y_data_predicted.csv", "train_y_data.csv"
TEST = "test_y_data.csv"    # names drugs and cell lines if the predictions do not
CACHE = "naive_results.json"
# No ranks of naive predictions: they would take longer than all other scores. The last four are
# medians within drugs and within cell lines, and of how many.
SCORES = (*metrics.METRICS, "naive_mse", "naive_rmse", "naive_mae", "naive_pcc", "naive_r2",
          "norm_r2", "norm_pcc", "drug_pcc", "n_drugs", "cell_pcc", "n_cells")
HEADER = ("source", "target", "split", "size", "task", "stamp") + SCORES
DRUG_HEADER = ("source", "target", "size", "drug", "n_splits", "n_rows", "mean_pcc")
CELL_HEADER = DRUG_HEADER[:3] + ("cell_line",) + DRUG_HEADER[4:]
STRATA_HEADER = ("src", "trg", "split") + FIELDS


class Naive(NamedTuple):
    """The naive baselines of a tree."""
    rows: list              # of HEADER, in the order of the tasks
    drug_values: dict       # (source, target; in LCA size) -> pcc of each drug in each split
    drug_rows: list         # of DRUG_HEADER
    cell_rows: list         # of CELL_HEADER
    records: list           # dicts, one a row
    notes: list             # a sentence per reason why results have no baseline


class Job(NamedTuple):
    """One result to read."""
    name: str
    inference: Inference
    tests: list             # paths of test_y_data.csv
    wanted: bool            # False: a record is in the cache


class Training(NamedTuple):
    """Where the training rows of a model are: in ml_data, else in the benchmark."""
    paths: list             # of train_y_data.csv, one of which may exist
    benchmark: tuple        # paths of the split file and of response.tsv; () if they are not known

    def responses(self, y_col_name):
        path = next(filter(os.path.isfile, self.paths), None)
        if path:
            return read_responses(path, y_col_name)
        if not (self.benchmark and all(map(os.path.isfile, self.benchmark))):
            raise Skipped(f"{TRAINING} does not exist, ml_data was deleted or never made")
        split, table = self.benchmark
        return read_benchmark_responses(table, set(read_split(split)), y_col_name)


class Skipped(Exception):
    """Why a result has no record, in words that are true of other results too."""


# ---- all results of a tree

def results_and_naive(tree, tasks, old=None):
    """Returns ({task name: Result}, Naive) of infer tasks that are done; each file is read once.

    old: the records of the last time, as old_records returns them.
    """
    records = {task.name: (old or {})[task.name] for task in tasks
               if _is_current(tree, task, (old or {}).get(task.name))}
    results, problems = {}, {}
    groups = _groups(tree, tasks, records)
    for outcomes in side_by_side(compute_group, groups, list(map(_size, groups))):
        for name, result, record, problem in outcomes:
            results[name] = result
            if record:
                records[name] = dict(record, files=_fingerprints(tree, name),
                                     stamp=getattr(tree.status(name), "stamp", ""))
            elif problem:
                problems.setdefault(problem[0], []).append(problem[1])
    scored = [task for task in tasks if results[task.name].scores]
    kept = [(task, records[task.name]) for task in scored if task.name in records]
    notes = [f"no naive baseline for {len(examples)} of {len(scored)} results: {problem} "
             f"(such as {min(examples)})" for problem, examples in sorted(problems.items())]
    return results, Naive([_row(*pair) for pair in kept], _drug_values(kept),
                          _group_rows(kept, "drugs"), _group_rows(kept, "cells"),
                          [record for _, record in kept], notes)


def old_records(tree):
    """Returns {task name: record} of OUT/scores/naive_results.json, {} if there is none."""
    try:
        content = read_json(tree.path(f"scores/{CACHE}"))
        return content["results"] if content["format"] == FORMAT else {}
    except (FileError, KeyError, TypeError):
        return {}


def _is_current(tree, task, record):
    """Says whether a record is of this attempt, and of files that nobody has edited since."""
    status = tree.status(task.name)
    return bool(record and status and status.stamp == record["stamp"] != "") and all(map(
        same_content, record["files"], _fingerprints(tree, task.name, record["files"])))


def _fingerprints(tree, name, known=(None, None)):
    return [fingerprint(tree.path(name, file), old)
            for file, old in zip(("test_scores.json", PREDICTIONS), known)]


# ---- results of one training set

def _groups(tree, tasks, records):
    """Returns [(Training, [Job])]; a model's targets share its training data."""
    groups = {}
    for task in tasks:
        key = task.source, task.split, task.size
        training, jobs = groups.setdefault(key, (Training([], _benchmark_of(tree, task)), []))
        data = [tree.path(name) for name in task.parents
                if name in tree.tasks and tree.tasks[name].stage == "preprocess"]
        training.paths.extend(os.path.join(directory, TRAINING) for directory in data)
        inference = inference_of(tree, task)
        tests = [os.path.join(directory, TEST) for directory in (*data, inference.directory)]
        jobs.append(Job(task.name, inference, tests, task.name not in records))
    return list(groups.values())


def _benchmark_of(tree, task):
    """Returns the paths of the training split and of response.tsv that the task's model was made
    from, by its status; () if that does not say so."""
    for status in filter(None, map(tree.status, task.parents)):
        for arguments in [made.arguments for made in status.made_from.values()]:
            if "train_split_file" in arguments:
                raw, file = arguments.get("input_dir", ""), arguments.get("y_data_file")
                return (split_file_path("train_split_file", arguments, raw, tree.out),
                        os.path.join(raw, "y_data", file or "response.tsv"))
    return ()


def _size(group):
    """Returns about how many bytes a group reads."""
    training, jobs = group
    return max(map(size_of, training.paths), default=0) + sum(
        size_of(job.inference.predictions) for job in jobs)


def compute_group(group):
    """Returns (name, Result, record or None, (problem, example) or None) of each Job of a group."""
    training, jobs = group
    effects = functools.lru_cache(maxsize=None)(
        lambda y_col_name: fit(*training.responses(y_col_name)))
    return [_outcome(job, effects) for job in jobs]


def _outcome(job, effects):
    predictions = predictions_of(job.inference, ids=job.wanted)
    result, record, problem = read_result(job.inference, predictions), None, None
    if result.scores and job.wanted:
        try:
            record = _record(job, result, predictions, effects)
        except Skipped as reason:
            problem = str(reason), job.name
        except FileError as error:
            problem = "a file cannot be used", as_text(str(error))
        except (OverflowError, ValueError):     # sums out of the range of floats
            problem = "values out of range", job.name
    return job.name, result, record, problem


def _record(job, result, predictions, effects):
    """Returns the record of a job. effects: function(y_col_name) -> Effects of the training."""
    if not set(metrics.METRICS) & set(result.scores):
        raise Skipped("the scores are not of regression")
    if not os.path.exists(job.inference.predictions):
        raise Skipped(f"{PREDICTIONS} does not exist")
    true, pred, drugs, cells, y_col_name = _with_ids(predictions(), job.tests)
    naive = predict(effects(y_col_name), drugs, cells)
    parts, of_drugs = strata(true, pred, naive, drugs, cells, effects(y_col_name))
    scores = result.scores
    if not set(metrics.METRICS) <= set(scores):
        scores = dict(metrics.regression_scores(true, pred), **scores)
    scores = dict(beside_naive(together(list(of_drugs.values())), true, naive), **scores)
    if not math.isfinite(scores["naive_mse"]):
        raise Skipped("values out of range")
    groups = {"drugs": _rounded(of_drugs), "cells": _rounded(by_name(cells, true, pred))}
    for kind, group in groups.items():
        scores.update({f"{kind[:-1]}_pcc": median_correlation(group), f"n_{kind}": len(group)})
    return dict(groups, strata=parts, scores={name: scores[name] for name in SCORES})


def _with_ids(predictions, tests):
    """Returns Predictions with drugs and cell lines, those of a test_y_data.csv if they have none.

    Some models write truth and prediction alone, in the order of that file: it is used if it has
    as many rows with the same truths.
    """
    if predictions.drugs is not None:
        return predictions
    for path in filter(os.path.exists, tests):
        try:
            rows = read_responses(path, predictions.y_col_name)
        except FileError:
            continue
        if len(rows.values) == len(predictions.true) and all(
                math.isclose(*pair, rel_tol=1e-6, abs_tol=1e-4)
                for pair in zip(rows.values, predictions.true)):
            return predictions._replace(drugs=rows.drugs, cells=rows.cells)
    raise Skipped(f"neither {PREDICTIONS} nor a {TEST} with the same rows names drugs and cells")


def _rounded(groups):
    return {name: (rows, round(pcc, DIGITS))
            for name, (rows, pcc) in correlations_of(groups).items()}


# ---- rows and files

def _row(task, record):
    return (task.source, task.target, task.split, task.size, task.name, record["stamp"],
            *[record["scores"][name] for name in SCORES])


def _drug_values(kept):
    """Returns {(source, target or size): the correlations of all drugs in all splits}."""
    values = {}
    for task, record in kept:
        key = task.source, task.target if task.size is None else task.size
        values.setdefault(key, []).extend(pcc for _, pcc in record["drugs"].values())
    return values


def _group_rows(kept, kind):
    """Returns rows of DRUG_HEADER or CELL_HEADER, by name within source, target and size."""
    found = {}
    for task, record in kept:
        groups = found.setdefault((task.source, task.target, task.size), {})
        for name, pair in record[kind].items():
            groups.setdefault(name, []).append(pair)
    return [(*key, name, len(pairs), sum(rows for rows, _ in pairs),
             math.fsum(pcc for _, pcc in pairs) / len(pairs))
            for key, groups in found.items() for name, pairs in sorted(groups.items())]


def strata_dicts(naive):
    """Returns the rows of strata.csv as dicts; those of a learning curve have a size."""
    return [dict(zip(STRATA_HEADER, (*row[:3], *stratum)), size=row[3])
            for row, record in zip(naive.rows, naive.records) for stratum in record["strata"]]


def naive_files(naive):
    """Returns {file name: text} for OUT/scores; None, which removes an old file, without rows."""
    rows = strata_dicts(naive)
    sized = any(row["size"] is not None for row in rows)
    header = STRATA_HEADER[:3] + ("size",) * sized + STRATA_HEADER[3:]
    cache = {"format": FORMAT, "results": {row[4]: record for row, record in zip(
        naive.rows, naive.records)}}
    files = {"naive_scores.csv": csv_text(HEADER, naive.rows),
             "per_drug.csv": csv_text(DRUG_HEADER, naive.drug_rows),
             "per_cell_line.csv": csv_text(CELL_HEADER, naive.cell_rows),
             "strata.csv": csv_text(header, [[row[name] for name in header] for row in rows]),
             CACHE: json.dumps(cache, separators=(",", ":"))}
    return files if naive.rows else dict.fromkeys(files)
