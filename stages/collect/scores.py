"""scores: the scores of inferences, and those of trainings on their validation set.

    OUT/TASK/test_scores.json, else test_y_data_predicted.csv (train: val_...) -> Result
    tasks, {name: Result} -> tasks with scores, a Gap for each other, notes
"""
import functools
import math
import os
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
    """Returns ({metric: float}, notes)."""
    has_predictions = exists(inference.predictions)
    if not exists(inference.scores):
        if not has_predictions:
            names = map(os.path.basename, (inference.scores, inference.predictions))
            raise FileError(f"{inference.directory}: has neither {' nor '.join(names)}")
        return metrics.regression_scores(predictions().true, predictions().pred), []
    scores, notes = _read_whole(read_scores, inference, inference.scores)
    if has_predictions and "mae" not in scores and set(metrics.METRICS) & set(scores):
        try:
            mae = metrics.mean_absolute_error(predictions().true, predictions().pred)
            scores["mae"] = mae if math.isfinite(mae) else math.nan
        except FileError as error:
            notes.append(f"no mae: {as_text(str(error))}")
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
    """Returns (tasks with scores, a Gap for each other, notes). results: {name: Result}."""
    scored = [task for task in tasks if task.name in results and results[task.name].scores]
    gaps = [tree.gap(task, results[task.name].problem if task.name in results else "")
            for task in tasks if task.name not in results or not results[task.name].scores]
    return scored, gaps, notes_of(results)


def notes_of(results):
    """Returns the notes of results, each once with the number of results that it is true of."""
    found = {}
    for name, result in results.items():
        for note in result.notes:
            found.setdefault(note, []).append(name)
    return [f"{names[0]}{f' and {len(names) - 1} more' if names[1:] else ''}: {note}"
            for note, names in found.items()]


def undefined_scores(tree, scored, results):
    """Returns {metric: a Gap for each result without a value of it} of metrics that others have.

    Means are over the others. Such a Gap is no missing result: its state is UNDEFINED.
    """
    found = {}
    for met in metrics.in_order(met for task in scored for met in results[task.name].scores):
        for task in scored:
            value = results[task.name].scores.get(met)
            if value is None or math.isnan(value):
                how = "not in the score file" if value is None else "NaN or null"
                gap = tree.gap(task, f"{met} is {how}; means are over the other splits")
                found.setdefault(met, []).append(gap._replace(state=UNDEFINED))
    return found


def undefined_notes(undefined):
    """Returns a sentence for each metric of what undefined_scores returns."""
    return [f"{met} is missing in {plural(len(gaps), 'result')} (missing.csv lists them): "
            "means are over the others" for met, gaps in undefined.items()]
