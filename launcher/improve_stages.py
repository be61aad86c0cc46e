"""improve_stages: the Tasks of a model's three stages, called as IMPROVE's contract has it.

Names of tasks are directories in OUT; they become absolute paths here.
"""
import os

from launcher.paths import HERE, model_script
from launcher.tasks import Task

WORDS = {}      # of the tasks that were planned so far; with_collector (planning) empties it


def preprocess(options, data, row, array, name, parts):
    """The data of a split. parts: its train, val and test split files, by name or absolute path."""
    train_part, val_part, test_part = parts
    return task(options, "preprocess", row, array, name, [
        "--train_split_file", train_part, "--val_split_file", val_part, "--test_split_file", test_part,
        "--input_dir", data.directory, "--output_dir", inside(options, name)], (),
        given(options, "y_data_file") + given(options, "input_supp_data_dir"))


def train(options, row, array, name, ml_data):
    """A model. The values that a search found for the source come before the user's own words."""
    return task(options, "train", row, array, name, [
        "--input_dir", inside(options, ml_data), "--output_dir", inside(options, name)],
        (ml_data,), [*options.hyperparameters.get(row.source, ()), *for_train(options)])


def infer(options, row, array, name, ml_data, model):
    """What a model predicts for the test part of ml_data."""
    return task(options, "infer", row, array, name, [
        "--input_data_dir", inside(options, ml_data), "--input_model_dir", inside(options, model),
        "--output_dir", inside(options, name)], (model, ml_data),
        ["--calc_infer_scores", "true", *given(options, "cuda_name")])


def collect(options, names):
    """The collector behind all other tasks."""
    words = ("none", os.path.join(HERE, "stages", "collect_scores.py"), options.output_dir,
             "--output_dir", inside(options, "scores"))
    return Task("scores", "collect", "collect", 0, words, tuple(names))


def task(options, stage, row, array, name, paths, parents=(), more=()):
    """ENV SCRIPT ARGS; what the user passes on comes last, so that it wins."""
    words = (options.env, model_script(options, stage), *paths, "--y_col_name", options.y_col_name, *more,
             *getattr(options, f"{stage}_args"))
    # The same paths are words of several tasks: in 100,000 tasks it matters that each is kept once.
    return Task(once(name), stage, array, row.index, tuple(map(once, words)), tuple(map(once, parents)), *row[1:])


def once(word):
    """The word as it is in memory already."""
    return WORDS.setdefault(word, word)


def for_train(options):
    """What options of the command line are for train."""
    return given(options, "epochs") + given(options, "cuda_name")


def given(options, name):
    """--NAME and its value; nothing if it was not given: not every model takes it."""
    value = getattr(options, name)
    return [] if value is None else [f"--{name}", str(value)]


def inside(options, name):
    return f"{options.output_dir}/{name}"
