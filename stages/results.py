"""results: the scores of inferences.

    OUT/TASK/test_scores.json, else test_y_data_predicted.csv -> Result, many side by side
"""
import math
import os
from operator import sub
from typing import NamedTuple

import metrics
from improve_files import FileError, read_predictions, read_scores
from tree_files import as_text, stands
from workers import side_by_side


class Result(NamedTuple):
    """Scores of one infer task; problem: why there are none; note: what else is wrong."""
    scores: dict
    problem: str = ""
    note: str = ""


def read_results(tree, tasks):
    """Returns {name: Result} of tasks that are done; the large ones are read side by side."""
    jobs = []
    for task in tasks:
        status = tree.status(task.name)
        jobs.append((tree.path(task.name), status.files if status else {}, task.y_col_name))
    paths = [os.path.join(job[0], "test_y_data_predicted.csv") for job in jobs]
    return dict(zip([task.name for task in tasks], side_by_side(read_result, jobs, paths)))


def read_result(job):
    """Returns the Result in a directory. job: (directory, {file: bytes expected}, y_col_name).

    scores: metric -> float, nan where undefined. They come from test_scores.json,
    which has the unrounded values; mae, which IMPROVE leaves out of it, from the
    predictions where those stand; all six from there where there is no JSON.
    """
    try:
        scores, note = _read_result(*job)
    except FileError as error:
        return Result({}, as_text(str(error)))
    first = scores.get("mse", next(iter(scores.values()), math.nan))
    if not math.isfinite(first):        # the runner judges by the same number
        return Result({}, f"{as_text(job[0])}: holds no finite score")
    return Result({name: value if math.isfinite(value) else math.nan
                   for name, value in scores.items()}, "", note)


def _read_result(directory, sizes, y_col_name):
    json_path = os.path.join(directory, "test_scores.json")
    csv_path = os.path.join(directory, "test_y_data_predicted.csv")
    if not stands(json_path):
        if not stands(csv_path):
            raise FileError(f"{directory}: has neither test_scores.json nor test_y_data_predicted.csv")
        predictions = _read_whole(read_predictions, csv_path, sizes, y_col_name)
        return metrics.regression_scores(predictions.true, predictions.pred), ""
    content = _read_whole(read_scores, json_path, sizes)
    scores = {name: content[name] for name in metrics.METRICS if name in content}
    if not scores:
        raise FileError(f"{json_path}: holds none of {', '.join(metrics.METRICS)}")
    try:
        if "mae" not in scores and stands(csv_path):
            predictions = _read_whole(read_predictions, csv_path, sizes, y_col_name)
            scores["mae"] = mean_absolute_error(predictions.true, predictions.pred)
    except FileError as error:
        return scores, f"no mae: {as_text(str(error))}"
    return scores, ""


def _read_whole(reader, path, sizes, *arguments):
    """Returns reader(path, ...); FileError where the file is not the one that the status tells of."""
    expected = sizes.get(os.path.basename(path))
    try:
        found = os.path.getsize(path)
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror or error})")
    if expected is not None and found != expected:
        raise FileError(f"{path}: has {found} bytes, its status tells of {expected}")
    return reader(path, *arguments)


def mean_absolute_error(true, pred):
    """Returns the mean of |true - pred|; nan where it leaves the range of floats."""
    try:
        return math.fsum(map(abs, map(sub, true, pred))) / len(true)
    except OverflowError:
        return math.nan
