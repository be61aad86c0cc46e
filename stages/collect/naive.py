"""naive: each result beside what drug and cell line alone would have predicted.

    test_y_data_predicted.csv of an infer task, train_y_data.csv of its ml_data
          (after ml_data was deleted: the rows of response.tsv that its training split names)
      -> stats/naive -> a record: model's, naive and normalised scores, correlation per drug
      and the scores of rows whose drug or cell line the training set lacks
    records -> rows, values for figures, tables; cached for the next time

Files, in OUT/scores:
    naive_scores.csv        one line a result (HEADER)
    per_drug.csv            correlation within each drug of each result
    naive_results.json      the records by task; a result whose status has the same stamp, and
                            whose files have the same content, is not computed again
"""
import functools
import json
import math
import os
import statistics
from itertools import chain
from typing import NamedTuple

from core import metrics
from core.errors import FileError
from core.files import fingerprint, on_disk, read_json, same_content, side_by_side, size_of
from core.improve_files import read_benchmark_responses, read_responses
from core.rules import split_file_path
from core.text import as_text, csv_text
from stages.collect.scores import Inference, Result, inference_of, predictions_of, read_result
from stages.stats.naive import FIELDS, beside_naive, fit

FORMAT = "format 6"         # of the cache; another one is ignored
DIGITS = 6                  # of the correlation within a drug
TRAINING = "train_y_data.csv"
TEST = "test_y_data.csv"    # names drugs and cell lines if the predictions do not
CACHE = "naive_results.json"
# No ranks of naive predictions: they would take longer than all other scores. The last two are the
# median within drugs, and of how many.
SCORES = (*metrics.METRICS, "naive_mse", "naive_rmse", "naive_mae", "naive_pcc", "naive_r2",
          "norm_r2", "norm_pcc", "drug_pcc", "n_drugs")
HEADER = ("source", "target", "split", "size", "task") + SCORES
DRUG_HEADER = ("source", "target", "split", "size", "drug", "rows", "pcc")
STRATA_HEADER = ("src", "trg", "split") + FIELDS


class Job(NamedTuple):
    """One result to read."""
    name: str
    inference: Inference
    tests: list             # paths of test_y_data.csv
    stamp: str              # of its status; '' without one, then the record is made anew
    old: dict               # its record of the last time, or {}


# ---- all results of a tree

def results_and_naive(tree, tasks):
    """Returns ({task name: Result}, [(task, record)]) of infer tasks that are done.

    Each file is read once. A result without a record has a note that says why.
    """
    groups = _groups(tree, tasks)
    sizes = [sum(map(size_of, [*training, *(job.inference.predictions for job in jobs)]))
             for training, jobs in groups]
    found = {name: pair for name, *pair in chain(*side_by_side(compute_group, groups, sizes))}
    return ({name: result for name, (result, _) in found.items()},
            [(task, found[task.name][1]) for task in tasks if found[task.name][1]])


def old_records(tree):
    """Returns {task name: record} of OUT/scores/naive_results.json, {} if there is none."""
    try:
        return read_json(tree.path(f"scores/{CACHE}"))[FORMAT]
    except (FileError, KeyError, TypeError):
        return {}


# ---- results of one training set

def _groups(tree, tasks):
    """Returns [(files of the training rows, [Job])]; a model's targets share its training data."""
    old, groups = old_records(tree), {}
    for task in tasks:
        nearby = [*filter(None, map(tree.tasks.get, reversed(task.parents))), task]  # ml_data first
        found, jobs = groups.setdefault((task.source, task.split, task.size), ([], []))
        found += nearby
        jobs.append(Job(task.name, inference_of(tree, task),
                        [tree.path(each.name, TEST) for each in nearby],
                        getattr(tree.status(task.name), "stamp", ""), old.get(task.name, {})))
    return [(_training_files(tree, found), jobs) for found, jobs in groups.values()]


def _training_files(tree, tasks):
    """Returns [path of a train_y_data.csv], else [path of response.tsv, of the training split].
    tasks: inferences of one model and what they are made from."""
    found = [[tree.path(task.name, TRAINING)] for task in tasks]
    for arguments in [task.arguments for task in tasks if "train_split_file" in task.arguments]:
        raw, table = arguments.get("input_dir", ""), arguments.get("y_data_file") or "response.tsv"
        split = split_file_path("train_split_file", arguments, raw, tree.out)
        found.append(list(map(on_disk, (os.path.join(raw, "y_data", table), split))))
    return next((files for files in found if all(map(os.path.isfile, files))), found[0])


def compute_group(group):
    """Returns (name, Result, record or None) of each Job of a group."""
    training, jobs = group
    read = read_benchmark_responses if training[1:] else read_responses
    effects = functools.lru_cache(maxsize=None)(
        lambda y_col_name: fit(*read(*training, y_col_name)))
    return [(job.name, *_outcome(job, effects)) for job in jobs]


def _outcome(job, effects):
    paths, known = (job.inference.scores, job.inference.predictions), job.old.get("files", [[], []])
    files = list(map(fingerprint, paths, known))
    if job.stamp and job.stamp == job.old.get("stamp") and all(map(same_content, known, files)):
        return Result(*job.old["result"]), job.old
    predictions = predictions_of(job.inference, ids=True)
    result = read_result(job.inference, predictions)
    if not result.scores:
        return result, None
    try:
        record = _record(result.scores, predictions, job, effects)
        return result, dict(record, files=files, stamp=job.stamp, result=result)
    except FileError as error:
        path, _, why = as_text(str(error)).partition(": ")
        note = f"no naive baseline: {os.path.basename(path)}: {why}"
        return result._replace(notes=(*result.notes, note)), None


def _record(scores, predictions, job, effects):
    """Returns the record of a result. effects: function(y_col_name) -> Effects of the training."""
    if not set(metrics.METRICS) & set(scores):
        raise FileError(f"{job.inference.scores}: has no score of regression")
    *columns, y_col_name = _with_ids(predictions(), job)
    beside, strata, of_drugs = beside_naive(*columns, effects(y_col_name))
    drugs = {drug: (rows, round(pcc, DIGITS)) for drug, (rows, pcc) in of_drugs.items()}
    median = statistics.median([pcc for _, pcc in drugs.values()] or [math.nan])
    scores = {**beside, **scores, "drug_pcc": median, "n_drugs": len(drugs)}
    return {"drugs": drugs, "strata": strata,
            "scores": {name: scores.get(name, math.nan) for name in SCORES}}


def _with_ids(predictions, job):
    """Returns Predictions with drugs and cell lines, those of a test_y_data.csv if they have none.

    Some models write truth and prediction alone, in the order of that file: it is used if it has
    as many rows with the same truths.
    """
    if predictions.drugs is not None:
        return predictions
    for path in filter(os.path.exists, job.tests):
        try:
            rows = read_responses(path, predictions.y_col_name)
        except FileError:
            continue
        if len(rows.values) == len(predictions.true) and all(
                math.isclose(*pair, rel_tol=1e-6, abs_tol=1e-4)
                for pair in zip(rows.values, predictions.true)):
            return predictions._replace(drugs=rows.drugs, cells=rows.cells)
    raise FileError(f"{job.inference.predictions}: neither it nor a {TEST} with the same rows "
                    "names drugs and cells")


# ---- files

def strata_of(naive):
    """Returns the rows of strata.csv as dicts. naive: as results_and_naive returns it."""
    return [dict(zip(STRATA_HEADER, (task.source, task.target, task.split, *stratum)))
            for task, record in naive for stratum in record["strata"]]


def naive_files(naive):
    """Returns {file name: text} for OUT/scores; None, which removes an old file, without rows."""
    rows = [(task.source, task.target, task.split, task.size, task.name,
             *map(record["scores"].get, SCORES)) for task, record in naive]
    drugs = [(task.source, task.target, task.split, task.size, drug, *pair)
             for task, record in naive for drug, pair in record["drugs"].items()]
    cache = {FORMAT: {task.name: record for task, record in naive}}
    files = {"naive_scores.csv": csv_text(HEADER, rows),
             "per_drug.csv": csv_text(DRUG_HEADER, drugs),
             CACHE: json.dumps(cache, separators=(",", ":"))}
    return files if rows else dict.fromkeys(files)
