"""scores: the scores of inferences, and those of trainings on their validation set.

    OUT/TASK/test_scores.json, else test_y_data_predicted.csv (train: val_...) -> Result, many side by side
"""
import functools
import math
import os
import re
from typing import NamedTuple, Optional

from common import metrics
from common.improve_files import FileError, read_predictions, read_scores
from common.side_by_side import side_by_side, size_of
from common.tree_files import as_text, exists

NUMBER = re.compile(r"\d+(\.\d+)?(e-?\d+)?")
PENDING = ("running", "waiting")    # neither failed nor done


class Result(NamedTuple):
    """Scores of one task; problem: why there are none; note: what else is wrong."""
    scores: dict
    problem: str = ""
    note: str = ""


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


def read_results(tree, tasks):
    """Returns {name: Result} of tasks that are done; the large ones are read side by side."""
    inferences = [inference_of(tree, task) for task in tasks]
    sizes = [size_of(inference.predictions) for inference in inferences]
    return dict(zip([task.name for task in tasks], side_by_side(read_result, inferences, sizes)))


def scored_and_missing(tree, tasks, results):
    """Returns (tasks with scores, a Gap for each other, notes). results: {task name: Result} of those that are done."""
    scored = [task for task in tasks if task.name in results and results[task.name].scores]
    gaps = [tree.gap(task, results[task.name].problem if task.name in results else "")
            for task in tasks if task.name not in results or not results[task.name].scores]
    return scored, gaps, [f"{name}: {result.note}" for name, result in results.items() if result.note]


def failed_and_pending(gaps):
    """Returns ({failed task: its gaps}, number of scores that are not there yet)."""
    failed = {}
    for gap in gaps:
        if gap.state not in PENDING:
            failed.setdefault(gap.failed_task, []).append(gap)
    return failed, sum(gap.state in PENDING for gap in gaps)


def by_cause(failed):
    """Returns lists of (failed task, its gaps), one for each cause; causes that differ in numbers only are one cause."""
    causes = {}
    for failed_task, gaps in failed.items():
        cause = gaps[0].stage, gaps[0].state, NUMBER.sub("N", gaps[0].reason)
        causes.setdefault(cause, []).append((failed_task, gaps))
    return list(causes.values())


def predictions_of(inference, ids=False):
    """Returns a function that returns the Predictions of an inference, and reads them once; FileError."""
    return functools.lru_cache(maxsize=1)(functools.partial(
        _read_whole, read_predictions, inference, inference.predictions, inference.y_col_name, ids))


def read_result(inference, predictions=None):
    """Returns the Result of an Inference. predictions: as predictions_of returns it.

    scores: metric -> float, nan if undefined; whatever names there are. They come from test_scores.json,
    which has the unrounded values; mae, which IMPROVE leaves out of it, from the
    predictions if there are any; all six from there if there is no JSON.
    """
    try:
        scores, note = _read_result(inference, predictions or predictions_of(inference))
    except FileError as error:
        return Result({}, as_text(str(error)))
    first = scores.get("mse", next(iter(scores.values()), math.nan))
    if not math.isfinite(first):        # the runner judges by the same number
        return Result({}, f"{as_text(inference.directory)}: holds no finite score")
    return Result({name: value if math.isfinite(value) else math.nan
                   for name, value in scores.items()}, "", note)


def _read_result(inference, predictions):
    """Returns ({metric: float}, note)."""
    if not exists(inference.scores):
        if not exists(inference.predictions):
            names = map(os.path.basename, (inference.scores, inference.predictions))
            raise FileError(f"{inference.directory}: has neither {' nor '.join(names)}")
        return metrics.regression_scores(predictions().true, predictions().pred), ""
    content = _read_whole(read_scores, inference, inference.scores)
    scores = {name: content[name] for name in metrics.in_order(content)}
    if not scores:
        raise FileError(f"{inference.scores}: holds no score")
    try:
        if set(metrics.METRICS) & set(scores) and "mae" not in scores and exists(inference.predictions):
            scores["mae"] = metrics.mean_absolute_error(predictions().true, predictions().pred)
    except FileError as error:
        return scores, f"no mae: {as_text(str(error))}"
    return scores, ""


def _read_whole(reader, inference, path, *arguments):
    """Returns reader(path, ...); FileError if the file is not the one that the status describes."""
    expected = inference.sizes.get(os.path.basename(path))
    try:
        found = os.path.getsize(path)
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror or error})")
    if expected is not None and found != expected:
        raise FileError(f"{path}: has {found} bytes, its status says {expected}")
    return reader(path, *arguments)
