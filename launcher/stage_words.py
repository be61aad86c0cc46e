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
    epochs = ["--epochs", str(options.epochs)] if options.epochs else []
    return stage(options, "train", [
        "--input_dir", inside(options, ml_data), "--output_dir", inside(options, name)], epochs)


def infer(options, ml_data, model, name):
    return stage(options, "infer", [
        "--input_data_dir", inside(options, ml_data), "--input_model_dir", inside(options, model),
        "--output_dir", inside(options, name)], ["--calc_infer_scores", "true"])


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
