"""naive: each result beside what drug and cell line alone would have predicted.

    test_y_data_predicted.csv of an infer task, train_y_data.csv of its ml_data
          (after ml_data was deleted: the rows of response.tsv that its training split names)
      -> stats/naive -> a record: model's, naive and normalised scores, correlation per drug
      and the scores of rows whose drug or cell line the training set lacks
    records -> rows, values for figures, tables; cached for the next time

Examples:
    results, naive = results_and_naive(tree, tasks, old_records(tree))
    report_files.update(naive_files(naive))

Files, in OUT/scores:
    naive_scores.csv        one line a result (HEADER)
    per_drug.csv            correlation within each drug, mean over splits
    strata.csv              a line for each result, drug seen or not, cell line seen or not
    naive_results.json      the records by task; a result whose status has the same stamp, and
                            whose files have the same content, is not computed again
"""
import functools
import json
import math
import os
from itertools import chain
from typing import NamedTuple

from core import metrics
from core.errors import FileError
from core.files import on_disk, read_json, side_by_side, size_of
from core.fingerprints import fingerprint, same_content
from core.improve_files import read_benchmark_responses, read_responses, read_split
from core.rules import split_file_path
from core.text import as_text, csv_text
from stages.collect.scores import Inference, inference_of, predictions_of, read_result
from stages.stats.naive import FIELDS, beside_naive, fit, median_correlation

FORMAT = 5                  # of the cache; another one is ignored
DIGITS = 6                  # of the correlation within a drug
PREDICTIONS, TRAINING = "test_y_data_predicted.csv", "train_y_data.csv"
TEST = "test_y_data.csv"    # names drugs and cell lines if the predictions do not
CACHE = "naive_results.json"
# No ranks of naive predictions: they would take longer than all other scores. The last two are the
# median within drugs, and of how many.
SCORES = (*metrics.METRICS, "naive_mse", "naive_rmse", "naive_mae", "naive_pcc", "naive_r2",
          "norm_r2", "norm_pcc", "drug_pcc", "n_drugs")
HEADER = ("source", "target", "split", "size", "task", "stamp") + SCORES
DRUG_HEADER = ("source", "target", "size", "drug", "n_splits", "n_rows", "mean_pcc")
STRATA_HEADER = ("src", "trg", "split") + FIELDS


class Naive(NamedTuple):
    """The naive baselines of a tree."""
    rows: list              # of HEADER, in the order of the tasks
    records: list           # dicts, one a row
    notes: list             # a sentence per reason why results have no baseline


class Job(NamedTuple):
    """One result to read."""
    name: str
    inference: Inference
    tests: list             # paths of test_y_data.csv
    stamp: str              # of its status; '' without one, then the record is made anew
    old: dict               # its record of the last time, or {}


# ---- all results of a tree

def results_and_naive(tree, tasks, old={}):
    """Returns ({task name: Result}, Naive) of infer tasks that are done; each file is read once.

    old: the records of the last time, as old_records returns them.
    """
    results, records, problems = {}, {}, {}
    groups = _groups(tree, tasks, old)
    sizes = [sum(map(size_of, [*training, *(job.inference.predictions for job in jobs)]))
             for training, jobs in groups]
    for name, result, record, problem in chain(*side_by_side(compute_group, groups, sizes)):
        results[name] = result
        if record:
            records[name] = record
        elif problem:
            file, _, why = problem.partition(": ")
            problems.setdefault(why, []).append(file)
    scored = [task for task in tasks if results[task.name].scores]
    kept = [(task, records[task.name]) for task in scored if task.name in records]
    rows = [(task.source, task.target, task.split, task.size, task.name, record["stamp"],
             *[record["scores"][name] for name in SCORES]) for task, record in kept]
    notes = [f"no naive baseline for {len(files)} of {len(scored)} results: {why} "
             f"(such as {min(files)})" for why, files in sorted(problems.items())]
    return results, Naive(rows, [record for _, record in kept], notes)


def old_records(tree):
    """Returns {task name: record} of OUT/scores/naive_results.json, {} if there is none."""
    try:
        content = read_json(tree.path(f"scores/{CACHE}"))
        return content["results"] if content["format"] == FORMAT else {}
    except (FileError, KeyError, TypeError):
        return {}


# ---- results of one training set

def _groups(tree, tasks, old):
    """Returns [(files of the training rows, [Job])]; a model's targets share its training data."""
    groups = {}
    for task in tasks:
        nearby = [parent for parent in map(tree.tasks.get, task.parents)
                  if parent and parent.stage == "preprocess"] + [task]
        found, jobs = groups.setdefault((task.source, task.split, task.size), ([], []))
        found += nearby
        jobs.append(Job(task.name, inference_of(tree, task),
                        [tree.path(each.name, TEST) for each in nearby],
                        getattr(tree.status(task.name), "stamp", ""), old.get(task.name, {})))
    return [(_training_files(tree, found), jobs) for found, jobs in groups.values()]


def _training_files(tree, tasks):
    """Returns [path of a train_y_data.csv], else [path of the benchmark's split file, of
    response.tsv]. tasks: preprocessings and inferences of one model."""
    found = [[tree.path(task.name, TRAINING)] for task in tasks]
    for arguments in [task.arguments for task in tasks if "train_split_file" in task.arguments]:
        raw, table = arguments.get("input_dir", ""), arguments.get("y_data_file") or "response.tsv"
        split = split_file_path("train_split_file", arguments, raw, tree.out)
        found.append(list(map(on_disk, (split, os.path.join(raw, "y_data", table)))))
    return next((files for files in found if all(map(os.path.isfile, files))), found[0])


def compute_group(group):
    """Returns (name, Result, record or None, 'FILE: why there is none' or '') of each Job of a
    group."""
    training, jobs = group
    effects = functools.lru_cache(maxsize=None)(
        lambda y_col_name: fit(*_training_rows(training, y_col_name)))
    return [_outcome(job, effects) for job in jobs]


def _training_rows(files, y_col_name):
    *split, table = files
    return (read_benchmark_responses(table, set(read_split(*split)), y_col_name) if split
            else read_responses(table, y_col_name))


def _outcome(job, effects):
    paths, known = (job.inference.scores, job.inference.predictions), job.old.get("files", [[], []])
    files = list(map(fingerprint, paths, known))
    is_current = (bool(job.stamp) and job.stamp == job.old.get("stamp")
                  and all(map(same_content, known, files)))
    predictions = predictions_of(job.inference, ids=not is_current)
    result, record, problem = read_result(job.inference, predictions), None, ""
    if is_current:
        record = job.old
    elif result.scores:
        try:
            record = dict(_record(job, result.scores, predictions, effects), files=files,
                          stamp=job.stamp)
        except FileError as error:
            problem = as_text(str(error))
    return job.name, result, record, problem


def _record(job, scores, predictions, effects):
    """Returns the record of a job. effects: function(y_col_name) -> Effects of the training."""
    if not set(metrics.METRICS) & set(scores):
        raise FileError(f"{job.name}: the scores are not of regression")
    if not os.path.exists(job.inference.predictions):
        raise FileError(f"{job.name}: {PREDICTIONS} does not exist")
    *columns, y_col_name = _with_ids(predictions(), job)
    beside, strata, of_drugs = beside_naive(*columns, effects(y_col_name))
    if not math.isfinite(beside["naive_mse"]):
        raise FileError(f"{job.name}: values out of range")
    drugs = {drug: (rows, round(pcc, DIGITS)) for drug, (rows, pcc) in of_drugs.items()}
    own = {} if set(metrics.METRICS) <= set(scores) else metrics.regression_scores(*columns[:2])
    scores = {**own, **beside, **scores, "drug_pcc": median_correlation(drugs),
              "n_drugs": len(drugs)}
    return {"drugs": drugs, "strata": strata, "scores": {name: scores[name] for name in SCORES}}


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
    raise FileError(f"{job.name}: neither its {PREDICTIONS} nor a {TEST} with the same rows names "
                    "drugs and cells")


# ---- files

def strata_dicts(naive):
    """Returns the rows of strata.csv as dicts; those of a learning curve have a size."""
    return [dict(zip(STRATA_HEADER, (*row[:3], *stratum)), size=row[3])
            for row, record in zip(naive.rows, naive.records) for stratum in record["strata"]]


def drug_rows(naive):
    """Returns rows of DRUG_HEADER, by source, target, size and drug."""
    found = {}
    for (source, target, _, size, *_), record in zip(naive.rows, naive.records):
        for drug, pair in record["drugs"].items():
            found.setdefault((source, target, size, drug), []).append(pair)
    return [(*key, len(pairs), sum(rows for rows, _ in pairs),
             metrics.mean([pcc for _, pcc in pairs])) for key, pairs in sorted(found.items())]


def naive_files(naive):
    """Returns {file name: text} for OUT/scores; None, which removes an old file, without rows."""
    rows, header = strata_dicts(naive), list(STRATA_HEADER)
    if any(row["size"] is not None for row in rows):
        header.insert(3, "size")
    cache = {"format": FORMAT, "results": {row[4]: record for row, record in zip(
        naive.rows, naive.records)}}
    files = {"naive_scores.csv": csv_text(HEADER, naive.rows),
             "per_drug.csv": csv_text(DRUG_HEADER, drug_rows(naive)),
             "strata.csv": csv_text(header, [[row[name] for name in header] for row in rows]),
             CACHE: json.dumps(cache, separators=(",", ":"))}
    return files if naive.rows else dict.fromkeys(files)
