"""improve_stages: the Tasks of a model's three stages, called as IMPROVE's contract has it.

Names of tasks are directories in OUT, and so are the paths in their arguments.
"""
import os

from core.errors import FileError, Refusal
from core.files import read_json, script_fingerprint
from core.task import Task
from launcher.benchmark import part_file
from launcher.options import as_arguments
from launcher.paths import HERE, MODEL_STAGES, model_script

FOR_TRAIN = ("epochs", "cuda_name")     # options that are passed on to it


def preprocess(options, data, row, array, name, **parts):
    """The data of a split. parts: other split files than its own as train, val or test, names in
    the benchmark's splits/ or paths in OUT (with a / in them). Refusal: a file cannot be read."""
    files = {f"{part}_split_file": parts.get(part) or part_file(data, row.source, row.split, part)
             for part in ("train", "val", "test")}
    for file in files.values():
        path, shadow = f"{data.splits}/{file}", f"{options.model_dir}/{file}"
        if "/" not in file and not os.access(path, os.R_OK):
            raise Refusal(f"split file {path} cannot be read",
                          "choose other studies or splits, or add the file")
        if "/" not in file and os.path.exists(shadow):
            raise Refusal(f"{shadow} has the name of a split file: a model runs in its own folder, "
                          "and would read this one", "move or rename it")
    return task(options, "preprocess", row, array, name, {**files, "input_dir": data.directory},
                given(options, "y_data_file", "input_supp_data_dir"))


def train(options, row, array, name, ml_data):
    """A model. Values that a search found for the source come before the user's own; Refusal."""
    path = options.hyperparameters_file
    tuned = found_values(path, options.model, row.source) if path else {}
    return task(options, "train", row, array, name, {"input_dir": ml_data},
                {**tuned, **given(options, *FOR_TRAIN)}, ml_data)


def found_values(path, model, source):
    """Returns {name: text} of IMPROVE's hyperparameters_hpo.json; Refusal if it lacks them."""
    try:
        content = read_json(path)
        if source in content.get(model, {}):
            return as_arguments(content[model][source])
        known = sorted(f"{name} trained on {each}" for name in content for each in content[name])
    except (FileError, AttributeError, TypeError) as error:
        raise Refusal(f"--hyperparameters_file {path} cannot be read ({error})",
                      "a file as workflow_hpo.py writes it")
    raise Refusal(f"--hyperparameters_file {path} has no entry for {model} trained on {source}",
                  "a file that has one, or leave it out; this one has "
                  f"{', '.join(known)[:300] or 'nothing'}")


def infer(options, row, array, name, ml_data, model):
    """What a model predicts for the test part of ml_data."""
    return task(options, "infer", row, array, name,
                {"input_data_dir": ml_data, "input_model_dir": model},
                {"calc_infer_scores": "true", **given(options, "cuda_name")}, model, ml_data)


def script_notes(tasks, tree):
    """Returns a sentence for each stage whose script is not the one that results were made with."""
    notes, made_by = [], {}     # task name -> fingerprint of the script
    for task in tasks:
        status = tree.status(task.name)
        if status and status.state == "done":
            made_by[task.name] = status.script_fingerprint
            # Parents stand first: ml_data may have been deleted, or made again, since.
            made_by.update((name, made.script_fingerprint)
                           for name, made in status.made_from.items())
    for stage in MODEL_STAGES:
        own = [task for task in tasks if task.stage == stage]
        now = script_fingerprint(own[0].script) if own else ""
        old = sum(made_by.get(task.name, "") not in ("", now) for task in own)
        if now and old:
            notes.append(f"the {stage} script has changed since {old} of these ran; --redo {stage} "
                         "runs them again")
    return notes


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


def given(options, *names):
    """Returns {name: text} of the options that are set: not every model knows them."""
    values = vars(options)
    return {name: str(values[name]) for name in names if values[name] is not None}
