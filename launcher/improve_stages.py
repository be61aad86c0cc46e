"""improve_stages: the Tasks of a model's three stages, called as IMPROVE's contract has it.

Names of tasks are directories in OUT, and so are the paths in their arguments.
"""
from core.task import SPLIT_FILES, Task
from launcher import benchmark
from launcher.paths import HERE, model_script


def preprocess(options, data, row, array, name, parts):
    """The data of a split. parts: its train, val and test split files, a name in the benchmark's
    splits/ or a path in OUT (with a / in it)."""
    benchmark.check_split_files(parts, data, options.model_dir)
    return task(options, "preprocess", row, array, name,
                {**dict(zip(SPLIT_FILES, parts)), "input_dir": data.directory},
                given(options, "y_data_file", "input_supp_data_dir"))


def train(options, row, array, name, ml_data):
    """A model. Values that a search found for the source come before the user's own."""
    return task(options, "train", row, array, name, {"input_dir": ml_data},
                {**options.hyperparameters.get(row.source, {}), **for_train(options)}, ml_data)


def infer(options, row, array, name, ml_data, model):
    """What a model predicts for the test part of ml_data."""
    return task(options, "infer", row, array, name,
                {"input_data_dir": ml_data, "input_model_dir": model},
                {"calc_infer_scores": "true", **given(options, "cuda_name")}, model, ml_data)


def collect(names):
    """The collector, which waits for all other tasks."""
    return Task("scores", "collect", "none", f"{HERE}/stages/collect_scores.py",
                {"input_dir": ".", "output_dir": "scores"}, tuple(names), array="collect")


def task(options, stage, row, array, name, paths, more, *parents):
    """One Task; the user's own arguments come last and win."""
    arguments = {**paths, "output_dir": name, "y_col_name": options.y_col_name, **more,
                 **getattr(options, f"{stage}_args")}
    return Task(name, stage, options.env, model_script(options, stage), arguments, parents,
                row.source, row.target, row.split, row.size, row.labels, array, row.index)


def for_train(options):
    """Returns the arguments for train that are options of the command line."""
    return given(options, "epochs", "cuda_name")


def given(options, *names):
    """Returns {name: text} of the options that are set: not every model knows them."""
    values = vars(options)
    return {name: str(values[name]) for name in names if values[name] is not None}
