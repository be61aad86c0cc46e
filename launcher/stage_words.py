"""stage_words: the words that call a model's three stages, as IMPROVE's contract has them.

Paths inside OUT are given relative to it and become absolute here.
"""
import os

from launcher.options import HERE, model_script


def preprocess(options, data, parts, name):
    """parts: the train, val and test split files, by name or absolute path."""
    train_part, val_part, test_part = parts
    return stage(options, "preprocess", [
        "--train_split_file", train_part, "--val_split_file", val_part, "--test_split_file", test_part,
        "--input_dir", data.directory, "--output_dir", inside(options, name)])


def train(options, ml_data, name, source):
    """The values that a search found for the source come before the user's own words."""
    return stage(options, "train", [
        "--input_dir", inside(options, ml_data), "--output_dir", inside(options, name)],
        [*options.hyperparameters.get(source, ()), *epochs(options)])


def epochs(options):
    return ["--epochs", str(options.epochs)] if options.epochs else []


def infer(options, ml_data, model, name):
    return stage(options, "infer", [
        "--input_data_dir", inside(options, ml_data), "--input_model_dir", inside(options, model),
        "--output_dir", inside(options, name)], ["--calc_infer_scores", "true"])


def trial(options, ml_data, name):
    """What the user passes on to train stands behind --, and is the same in every trial."""
    paths = [word for directory in ml_data for word in ("--input_dir", inside(options, directory))]
    return (options.env, os.path.join(HERE, "stages", "hpo_trial.py"), "--space", inside(options, "space.json"),
            "--train_script", model_script(options, "train"), *paths, "--output_dir", inside(options, name),
            "--val_metric", options.val_metric, "--search", options.search, "--seed", str(options.seed),
            "--", "--y_col_name", options.y_col_name, *epochs(options), *options.train_args)


def collect(options):
    return ("none", os.path.join(HERE, "stages", "collect_scores.py"), options.output_dir,
            "--output_dir", inside(options, "scores"))


def stage(options, name, paths, more=()):
    """ENV SCRIPT ARGS; what the user passes on comes last, so that it wins."""
    own = getattr(options, f"{name}_args")
    return (options.env, model_script(options, name), *paths,
            "--y_col_name", options.y_col_name, *more, *own)


def inside(options, name):
    return os.path.join(options.output_dir, name)
