"""scores: the scores of inferences, and those of trainings on their validation set.

    OUT/TASK/test_scores.json, else test_y_data_predicted.csv (train: val_...) -> Result
    tasks, {name: Result} -> tasks with scores, a Gap for each other and for each metric that some
                             of them lack, notes
"""
import functools
import math
import os
from collections import Counter
from typing import NamedTuple, Optional

from core import metrics
from core.errors import FileError
from core.files import side_by_side, size_of
from core.improve_files import has_finite_score, read_predictions, read_scores
from core.text import as_text, plural
from stages.report.failures import UNDEFINED


class Result(NamedTuple):
    """Scores of one task; problem: why there are none; notes: what else is wrong."""
    scores: dict
    problem: str = ""
    notes: tuple = ()


class Inference(NamedTuple):
    """The files of one infer or train task."""
    scores: str             # path of test_scores.json (train: val_...)
    predictions: str        # path of test_y_data_predicted.csv
    y_col_name: Optional[str]


def inference_of(tree, task):
    rows = "val" if task.stage == "train" else "test"
    return Inference(tree.path(task.name, f"{rows}_scores.json"),
                     tree.path(task.name, f"{rows}_y_data_predicted.csv"), task.y_col_name)


# ---- one result

def predictions_of(inference, ids=False):
    """Returns a function that returns the Predictions of an inference, and reads them once."""
    return functools.lru_cache(maxsize=1)(
        lambda: read_predictions(inference.predictions, inference.y_col_name, ids))


def read_result(inference, predictions=None, every=False):
    """Returns the Result of an Inference. predictions: as predictions_of returns it.

    scores: metric -> float, nan if undefined; whatever names there are. They come from
    test_scores.json, which has the unrounded values; mae, which IMPROVE leaves out of it, and with
    `every` all METRICS that the model did not write, from the predictions if they can be read; all
    six from there if there is no JSON.
    """
    predictions = predictions or predictions_of(inference)
    try:
        scores, notes = (read_scores(inference.scores) if os.path.lexists(inference.scores) else
                         (metrics.regression_scores(predictions().true, predictions().pred), []))
    except FileError as error:
        return Result({}, as_text(str(error)))
    if not has_finite_score(scores):
        return Result({}, f"{as_text(inference.scores)}: holds no finite score")
    if 0 < len(set(metrics.METRICS) & set(scores)) < len(metrics.METRICS):
        try:
            true, pred, *_ = predictions()
            computed = (metrics.regression_scores(true, pred) if every else
                        {"mae": metrics.mean_absolute_error(true, pred)})
            scores = {**computed, **scores}
        except FileError:
            pass        # the naive baseline says so
    scores = {name: scores[name] if math.isfinite(scores[name]) else math.nan
              for name in metrics.in_order(scores)}
    return Result(scores, "", tuple(notes))


# ---- all results

def read_results(tree, tasks, **options):
    """Returns {name: Result} of tasks that are done; several processes read large ones. options: of
    read_result."""
    inferences = [inference_of(tree, task) for task in tasks]
    sizes = [size_of(inference.predictions) for inference in inferences]
    read = functools.partial(read_result, **options)
    return dict(zip([task.name for task in tasks], side_by_side(read, inferences, sizes)))


def scored_and_missing(tree, tasks, results):
    """Returns (tasks with scores, a Gap for each other, a Gap for each metric that a result lacks
    and others have, notes). results: {name: Result}.

    A result that lacks a metric is no missing result: the state of its Gap is UNDEFINED.
    """
    found = {task.name: results.get(task.name, Result({})) for task in tasks}
    scored = [task for task in tasks if found[task.name].scores]
    gaps = [tree.gap(task, found[task.name].problem) for task in tasks
            if not found[task.name].scores]
    names = metrics.in_order(met for result in found.values() for met in result.scores)
    lacking = [(met, task) for met in names for task in scored
               if math.isnan(found[task.name].scores.get(met, math.nan))]
    undefined = []
    for met, task in lacking:
        how = "NaN or null" if met in found[task.name].scores else "not in the score file"
        gap = tree.gap(task, f"{met} is {how}; means are over the other splits")
        undefined.append(gap._replace(state=UNDEFINED))
    counts = Counter(note for result in found.values() for note in result.notes)
    notes = [f"{note} ({plural(count, 'result')})" for note, count in counts.items()]
    notes += [f"{met} is missing in {plural(count, 'result')}: means are over the others"
              for met, count in Counter(met for met, _ in lacking).items()]
    return scored, gaps, undefined, notes
