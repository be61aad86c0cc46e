"""scores: the scores of inferences, and those of trainings on their validation set.

    OUT/TASK/test_scores.json, else test_y_data_predicted.csv (train: val_...) -> Result
    tasks, {name: Result} -> tasks with scores, a Gap for each other, a note for each metric that
                             some of them lack
"""
import functools
import math
import os
from collections import Counter
from typing import NamedTuple, Optional

from core import metrics
from core.errors import FileError
from core.files import exists, side_by_side, size_of
from core.improve_files import has_finite_score, read_predictions, read_scores
from core.text import as_text, plural
from stages.report.failures import UNDEFINED


class Result(NamedTuple):
    """Scores of one task; problem: why there are none; notes: what else is wrong."""
    scores: dict
    problem: str = ""
    notes: tuple = ()


class Inference(NamedTuple):
    """Where the files of one infer or train task are, and what its status says of them."""
    directory: str
    sizes: dict = {}                        # file name -> bytes, as the status says
    y_col_name: Optional[str] = None
    rows: str = "test"                      # what was predicted; val by a train task

    @property
    def scores(self):
        return os.path.join(self.directory, f"{self.rows}_scores.json")

    @property
    def predictions(self):
        return os.path.join(self.directory, f"{self.rows}_y_data_predicted.csv")


def inference_of(tree, task):
    """Returns the Inference of a task."""
    status = tree.status(task.name)
    return Inference(tree.path(task.name), status.files if status else {}, task.y_col_name,
                     "val" if task.stage == "train" else "test")


# ---- one result

def predictions_of(inference, ids=False):
    """Returns a function that returns the Predictions of an inference, and reads them once."""
    return functools.lru_cache(maxsize=1)(functools.partial(
        _read_whole, read_predictions, inference, inference.predictions, inference.y_col_name, ids))


def read_result(inference, predictions=None):
    """Returns the Result of an Inference. predictions: as predictions_of returns it.

    scores: metric -> float, nan if undefined; whatever names there are. They come from
    test_scores.json, which has the unrounded values; mae, which IMPROVE leaves out of it, from the
    predictions if there are any; all six from there if there is no JSON.
    """
    try:
        scores, notes = _read_result(inference, predictions or predictions_of(inference))
    except FileError as error:
        return Result({}, as_text(str(error)))
    if not has_finite_score(scores):
        return Result({}, f"{as_text(inference.directory)}: holds no finite score")
    return Result({name: scores[name] for name in metrics.in_order(scores)}, "", tuple(notes))


def _read_result(inference, predictions):
    """Returns ({metric: float}, notes); without mae if the predictions cannot be read."""
    if not exists(inference.scores):
        return metrics.regression_scores(predictions().true, predictions().pred), []
    scores, notes = _read_whole(read_scores, inference, inference.scores)
    if "mae" not in scores and set(metrics.METRICS) & set(scores) and exists(inference.predictions):
        try:
            mae = metrics.mean_absolute_error(predictions().true, predictions().pred)
            scores["mae"] = mae if math.isfinite(mae) else math.nan
        except FileError:
            notes.append("no mae, as the predictions cannot be read")
    return scores, notes


def _read_whole(reader, inference, path, *arguments):
    """Returns reader(path, ...); FileError if its status describes another file."""
    expected, found = inference.sizes.get(os.path.basename(path)), size_of(path)
    if expected is not None and found != expected:
        raise FileError(f"{path}: has {found} bytes, its status says {expected}")
    return reader(path, *arguments)


# ---- all results

def read_results(tree, tasks):
    """Returns {name: Result} of tasks that are done; large ones are read by several processes."""
    inferences = [inference_of(tree, task) for task in tasks]
    sizes = [size_of(inference.predictions) for inference in inferences]
    return dict(zip([task.name for task in tasks], side_by_side(read_result, inferences, sizes)))


def scored_and_missing(tree, tasks, results):
    """Returns (tasks with scores, a Gap for each other, notes: what is wrong with some results, and
    each metric that some of the tasks lack). results: {name: Result}."""
    found = {task.name: results.get(task.name, Result({})) for task in tasks}
    scored = [task for task in tasks if found[task.name].scores]
    gaps = [tree.gap(task, found[task.name].problem) for task in tasks
            if not found[task.name].scores]
    counts = Counter(note for result in found.values() for note in result.notes)
    notes = [f"{note} ({plural(count, 'result')})" for note, count in counts.items()]
    notes += [f"{met} is missing in {plural(len(lacking), 'result')}: means are over the others"
              for met, lacking in undefined(scored, results).items() if lacking]
    return scored, gaps, notes


def undefined(scored, results):
    """Returns {metric: the tasks that have no value of it} of the metrics that any has."""
    names = metrics.in_order(met for task in scored for met in results[task.name].scores)
    return {met: [task for task in scored
                  if math.isnan(results[task.name].scores.get(met, math.nan))] for met in names}


def undefined_scores(tree, scored, results):
    """Returns a Gap for each metric that a result lacks and others have.

    It is no missing result: its state is UNDEFINED.
    """
    gaps = []
    for met, lacking in undefined(scored, results).items():
        for task in lacking:
            how = "NaN or null" if met in results[task.name].scores else "not in the score file"
            gap = tree.gap(task, f"{met} is {how}; means are over the other splits")
            gaps.append(gap._replace(state=UNDEFINED))
    return gaps
