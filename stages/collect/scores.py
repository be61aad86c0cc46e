"""scores: the scores of each result, beside what drug and cell line alone would have predicted.

    OUT/TASK/test_scores.json, else test_y_data_predicted.csv (train: val_...) -> Result
    test_y_data_predicted.csv of an infer task, train_y_data.csv of its ml_data
          (after ml_data was deleted: the rows of response.tsv that its training split names)
      -> stats/naive -> a record: model's, naive and normalised scores, correlation per drug
      and the scores of rows whose drug or cell line the training set lacks

Files: naive_scores.csv, a line a result; per_drug.csv, correlation within each drug of each result
"""
import functools
import gc
import math
import os
import signal
import statistics
from collections import Counter
from itertools import chain
from typing import NamedTuple, Optional

from core import metrics
from core.errors import FileError
from core.files import cores, on_disk, size_of
from core.improve_files import (has_finite_score, read_benchmark_responses, read_predictions,
                                read_responses, read_scores)
from core.rules import split_file_path
from core.task import DIRECTORIES, SPLIT_FILES
from core.text import as_text, plural
from stages.collect.tables import csv_text
from stages.report.run import UNDEFINED, Run
from stages.stats.naive import beside_naive, fit

FEW_BYTES = 30 * 1000000    # reading less is not worth a second process
MOST_PROCESSES = 8
DIGITS = 6                  # of the correlation within a drug
TEST = "test_y_data.csv"    # names drugs and cell lines if the predictions do not
# No ranks of naive predictions: they would take longer than all other scores. The last two are the
# median within drugs, and of how many.
SCORES = (*metrics.METRICS, "naive_mse", "naive_rmse", "naive_mae", "naive_pcc", "naive_r2",
          "norm_r2", "norm_pcc", "drug_pcc", "n_drugs")
HEADER = ("source", "target", "split", "size", "task") + SCORES
DRUG_HEADER = ("source", "target", "split", "size", "drug", "rows", "pcc")


class Result(NamedTuple):
    """Scores of one task; problem: why there are none; notes: what else is wrong."""
    scores: dict
    problem: str = ""
    notes: tuple = ()


class Job(NamedTuple):
    """One result to read, of an infer or train task."""
    name: str
    scores: str             # path of test_scores.json (train: val_...)
    predictions: str        # path of test_y_data_predicted.csv
    y_col_name: Optional[str]
    tests: list             # paths of test_y_data.csv


def job_of(tree, task, made_of=()):
    """Returns the Job of a task. made_of: tasks in whose directories its data may be."""
    part = "val" if task.stage == "train" else "test"
    return Job(task.name, tree.path(task.name, f"{part}_scores.json"),
               tree.path(task.name, f"{part}_y_data_predicted.csv"), task.y_col_name,
               [tree.path(each.name, TEST) for each in made_of])


def reader_of(job, ids=False):
    """Returns a function that returns the Predictions of a Job, and reads them once."""
    return functools.lru_cache(maxsize=1)(
        lambda: read_predictions(job.predictions, job.y_col_name, ids))


def read_result(job, predictions=None, every=False):
    """Returns the Result of a Job. predictions: as reader_of returns it.

    scores: metric -> float, nan if undefined; whatever names there are. They come from
    test_scores.json, which has the unrounded values; what IMPROVE leaves out of it, and with
    `every` all METRICS that the model did not write, from the predictions if they can be read; all
    METRICS from there if there is no JSON.
    """
    predictions = predictions or reader_of(job)
    try:
        scores, notes = (read_scores(job.scores) if os.path.lexists(job.scores) else
                         (metrics.regression_scores(predictions().true, predictions().pred), []))
    except FileError as error:
        return Result({}, as_text(str(error)))
    if not has_finite_score(scores):
        return Result({}, f"{as_text(job.scores)}: holds no finite score")
    if 0 < len(set(metrics.METRICS) & set(scores)) < len(metrics.METRICS):
        try:
            true, pred, *_ = predictions()
            compute = metrics.regression_scores if every else metrics.left_out
            scores = {**compute(true, pred), **scores}
        except FileError:
            pass        # the naive baseline says so
    scores = {name: scores[name] if math.isfinite(scores[name]) else math.nan
              for name in metrics.in_order(scores)}
    return Result(scores, "", tuple(notes))


def read_results(tree, tasks, every=False):
    """Returns {name: Result} of tasks that are done; several processes read large ones."""
    jobs = [job_of(tree, task) for task in tasks]
    sizes = [size_of(job.predictions) for job in jobs]
    results = side_by_side(functools.partial(read_result, every=every), jobs, sizes)
    return {job.name: result for job, result in zip(jobs, results)}


def side_by_side(function, jobs, sizes):
    """Returns [function(job) for job in jobs]. sizes: how many bytes each reads."""
    processes = min(cores(), MOST_PROCESSES, len(jobs))
    if processes > 1 and sum(sizes) > FEW_BYTES:
        # here: few collections need them, and they take as long to import as all else
        from concurrent.futures import ProcessPoolExecutor
        from concurrent.futures.process import BrokenProcessPool
        try:
            with ProcessPoolExecutor(processes) as pool:
                return list(pool.map(functools.partial(_work, function), jobs))
        except (BrokenProcessPool, OSError, ImportError, NotImplementedError):
            pass            # a worker was out of memory, or there are no semaphores
    return list(map(function, jobs))


def _work(function, job):
    signal.signal(signal.SIGINT, signal.SIG_IGN)    # ^C is the parent's to answer
    gc.disable()            # nothing here is circular; it takes a tenth of the time
    return function(job)


def run_of(tree, model, tasks, results):
    """Returns (the Run, its tasks with scores). results: {name: Result}; one that lacks a metric
    that others have is not missing: the state of its Gap is UNDEFINED."""
    found = {task.name: results.get(task.name, Result({})) for task in tasks}
    scored = [task for task in tasks if found[task.name].scores]
    gaps = [tree.gap(task, found[task.name].problem) for task in tasks
            if not found[task.name].scores]
    names = metrics.in_order(met for result in found.values() for met in result.scores)
    lacking = [(met, task) for met in names for task in scored
               if math.isnan(found[task.name].scores.get(met, math.nan))]
    for met, task in lacking:
        how = "NaN or null" if met in found[task.name].scores else "not in the score file"
        gap = tree.gap(task, f"{met} is {how}; means are over the other splits")
        gaps.append(gap._replace(state=UNDEFINED))
    counts = Counter(note for result in found.values() for note in result.notes)
    notes = [f"{note} ({plural(count, 'result')})" for note, count in counts.items()]
    notes += [f"{met} is missing in {plural(count, 'result')}: means are over the others"
              for met, count in Counter(met for met, _ in lacking).items()]
    notes += unlike_splits(made_with(tree, scored))
    return Run(tree, model, tasks, len(scored), gaps, notes), scored


def made_with(tree, scored):
    """Returns {(stage, source, target, size): {split: {what: value}}} of tasks and what they were
    made from, as far as a status names it."""
    groups = {}
    names = dict.fromkeys(name for task in scored for name in (task.name, *task.parents))
    for task in map(tree.tasks.get, names):
        status = task and tree.status(task.name)
        if status and status.arguments:
            made = {f"--{name}": str(value) for name, value in status.arguments.items()
                    if name not in (*DIRECTORIES, *SPLIT_FILES)}
            made["script (size:CRC-32)"] = status.script_fingerprint
            made["environment"] = status.environment
            key = task.stage, task.source, task.target, task.size
            groups.setdefault(key, {})[task.split] = made
    return groups


def unlike_splits(groups):
    """Returns a sentence for each difference between splits that are in one mean. groups: as
    made_with returns them."""
    found = {}
    for (stage, source, target, size), made in groups.items():
        name = source + f" on {target}" * bool(target) + f", {size} rows" * bool(size)
        for what in sorted(set().union(*made.values())):
            splits = {}
            for split, how in sorted(made.items()):
                splits.setdefault(how.get(what, "not given"), []).append(str(split))
            usual = max(splits, key=lambda value: len(splits[value]))
            others = [f"{value} in split{'s' * (len(own) > 1)} {', '.join(own)}"
                      for value, own in splits.items() if value != usual]
            if others:
                sentence = f"{what} is {'; '.join(others)}; {usual} in the others"
                found.setdefault((stage, sentence), []).append(name)
    return [f"splits that are not alike are in one mean: {stage} of {names[0]}"
            + f" and {len(names) - 1} more" * bool(names[1:]) + f": {sentence}"
            for (stage, sentence), names in found.items()]


def results_and_naive(tree, tasks):
    """Returns ({task name: Result}, [(task, record)]) of infer tasks that are done.

    Each file is read once. A result without a record has a note that says why.
    """
    groups = {}         # a model's targets share its training data
    for task in tasks:
        made_of = [*filter(None, map(tree.tasks.get, reversed(task.parents))), task]
        found, jobs = groups.setdefault((task.source, task.split, task.size), ([], []))
        found += made_of
        jobs.append(job_of(tree, task, made_of))
    groups = [(training_files(tree, found), jobs) for found, jobs in groups.values()]
    sizes = [sum(map(size_of, [*training, *(job.predictions for job in jobs)]))
             for training, jobs in groups]
    found = {name: pair for name, *pair in chain(*side_by_side(compute_group, groups, sizes))}
    return ({name: result for name, (result, _) in found.items()},
            [(task, found[task.name][1]) for task in tasks if found[task.name][1]])


def training_files(tree, tasks):
    """Returns [path of a train_y_data.csv], else [path of response.tsv, of the training split].
    tasks: inferences of one model and what they are made from."""
    found = [[tree.path(task.name, "train_y_data.csv")] for task in tasks]
    for arguments in [task.arguments for task in tasks if "train_split_file" in task.arguments]:
        raw, table = arguments.get("input_dir", ""), arguments.get("y_data_file") or "response.tsv"
        split = split_file_path("train_split_file", arguments, raw, tree.out)
        found.append(list(map(on_disk, (os.path.join(raw, "y_data", table), split))))
    return next((files for files in found if all(map(os.path.isfile, files))), found[0])


def compute_group(group):
    """Returns [(name, Result, record or None)] of the Jobs of a group (training_files, Jobs)."""
    (training, jobs), found = group, []
    read = read_benchmark_responses if training[1:] else read_responses
    effects = functools.lru_cache(maxsize=None)(
        lambda y_col_name: fit(*read(*training, y_col_name)))
    for job in jobs:
        predictions = reader_of(job, ids=True)
        result, record = read_result(job, predictions), None
        try:
            if result.scores:
                record = record_of(result.scores, predictions, job, effects)
        except FileError as error:
            path, _, why = as_text(str(error)).partition(": ")
            note = f"no naive baseline: {os.path.basename(path)}: {why}"
            result = result._replace(notes=(*result.notes, note))
        found.append((job.name, result, record))
    return found


def record_of(scores, predictions, job, effects):
    """Returns the record of a result. effects: function(y_col_name) -> Effects of the training."""
    if not set(metrics.METRICS) & set(scores):
        raise FileError(f"{job.scores}: has no score of regression")
    *columns, y_col_name = with_ids(predictions(), job)
    beside, strata, of_drugs = beside_naive(*columns, effects(y_col_name))
    drugs = {drug: (rows, round(pcc, DIGITS)) for drug, (rows, pcc) in of_drugs.items()}
    median = statistics.median([pcc for _, pcc in drugs.values()] or [math.nan])
    scores = {**beside, **scores, "drug_pcc": median, "n_drugs": len(drugs)}
    return {"drugs": drugs, "strata": strata,
            "scores": {name: scores.get(name, math.nan) for name in SCORES}}


def with_ids(predictions, job):
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
    raise FileError(f"{job.predictions}: neither it nor a {TEST} with the same rows "
                    "names drugs and cells")


def naive_files(naive):
    """Returns {file name: text} for OUT/scores; None, which removes an old file, without rows.
    naive: as results_and_naive returns it."""
    rows = [(task.source, task.target, task.split, task.size, task.name,
             *map(record["scores"].get, SCORES)) for task, record in naive]
    drugs = [(task.source, task.target, task.split, task.size, drug, *pair)
             for task, record in naive for drug, pair in record["drugs"].items()]
    return {"naive_scores.csv": csv_text(HEADER, rows) if rows else None,
            "per_drug.csv": csv_text(DRUG_HEADER, drugs) if rows else None}
