#!/usr/bin/env python3
"""workflow_hpo: which hyperparameters are best for a drug-response model?

    for every source study:
        preprocess its splits -> trials, each an array element that sees the others -> best values

A study owns its space, metric, seed and fixed arguments: OUT/{source}/study.json, created once.

Examples:
    python3 workflow_hpo.py --source gCSI
    python3 workflow_hpo.py --source gCSI CCLE --max_evals 100 --max_running 8 --split 0 1 2
    python3 workflow_hpo.py --model graphdrp --model_dir ~/GraphDRP --env conda:graphdrp \\
        --hyperparameter_file space.json

Writes OUT/{source}/study.json, OUT/{source}/trials/{0000}/, OUT/scores/ and
OUT/hyperparameters_hpo.json (OUT is runs/hpo_MODEL), which workflow_csa.py and workflow_lca.py
take as --hyperparameters_file.
"""
import argparse
import json
import os
import shlex
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # also under PYTHONSAFEPATH
import launcher.check_python  # noqa: F401  (first: a sentence instead of a SyntaxError)
from core import metrics
from core.errors import FileError, Refusal
from core.files import read_json
from core.task import Task, argument_list
from core.text import plural
from launcher import benchmark, improve_stages, launch
from launcher import options as command_line
from launcher.paths import HERE, model_script
from launcher.tasks import Plan, Row
from stages.search import space

EPILOG = """To search for a model of your own:
  python3 workflow_hpo.py --model graphdrp --model_dir ~/GraphDRP --env graphdrp
To run an INI file of IMPROVE's, in the model's folder:
  python3 ~/workflows/workflow_hpo.py --config_file hpo_deephyper_params.ini
To add 20 trials to the 20 that exist:
  the same command with --max_evals 40
To run failed trials again:
  the same command, or --redo trial for all trials
To find what is best for cell lines that training has not seen:
  python3 workflow_hpo.py --source gCSI --split_type cell
To train with the best values, and to compare with training without them:
  the three commands at the end of the output, also in OUT/scores/summary.txt
Exit code: 0 done, 1 some task failed, 2 refused before anything was started.
"""
HPO_TRIAL = os.path.join(HERE, "stages", "hpo_trial.py")
STAGES = ("preprocess", "train", "trial")
IMPROVES_SPACE = "hpo_deephyper_hyperparameters.json"   # IMPROVE's default for hyperparameter_file


def metric(text):
    """A metric whose better values are known; nothing is ever minimised the wrong way."""
    if metrics.direction(text) is None:
        raise argparse.ArgumentTypeError(
            "which values of {0} are better is not known: give {0}:higher or "
            "{0}:lower".format(text))
    return text


OPTIONS = [
    command_line.option("hyperparameter_file=JSON", "search space (MODEL_hyperparameters.json)"),
    command_line.option("max_evals trials", "trials per source (20)", type=command_line.positive,
                        default=20),
    command_line.option("val_metric val_loss=NAME", "objective in val_scores.json; NAME:higher or "
                        "NAME:lower for one of your own (mse)", type=metric,
                        default="mse"),
    command_line.option("search", "auto: Gaussian process, expected improvement (auto)",
                        choices=("auto", "random"), default="auto"),
    command_line.option("seed", "of the search (0)", type=command_line.whole, default=0),
]


def parser():
    """The shared options and those of the hyperparameter optimization."""
    made = command_line.shared_parser("hpo", __doc__.partition("\n")[0], EPILOG,
                                      ("preprocess", "trial"), "hyperparameter optimization",
                                      OPTIONS)
    # a fifth of the default 20 trials at a time, since each learns from the finished ones
    made.set_defaults(split=[[0]], max_running=4)
    return made


# ---- tasks

def plan(options, data):
    """Preprocessing and trials of every source, each in its own arrays; raises Refusal."""
    entries = read_space(options)
    sources, notes = benchmark.choose_sources(options, data)
    trials = min(options.max_evals, space.space_size(entries))
    if trials < options.max_evals:
        notes += ["the search space has only {}".format(plural(trials, "point"))]
    tasks, files, once = [], {}, {}
    for position, source in enumerate(sources):
        splits = benchmark.choose_splits(options.split, source, data)
        files.update(benchmark.merged_files(data, [(source, split) for split in splits]))
        ml_data = ["{}/ml_data/split_{}".format(source, split) for split in splits]
        for index, (split, name) in enumerate(zip(splits, ml_data)):
            parts = [benchmark.part_file(data, source, split, part)
                     for part in ("train", "val", "test")]
            tasks.append(improve_stages.preprocess(
                options, data, Row(index, source, source, split),
                "preprocess_{}".format(position), name, parts))
        tasks += [trial(number, position, source, ml_data, options) for number in range(trials)]
        once.update(study_file(options, source, splits, entries))
    return Plan(tasks, files, notes, once)


def trial(number, position, source, ml_data, options):
    """One task: a trial that trains on every split. Trial k is array element k."""
    name = "{}/trials/{:04d}".format(source, number)
    arguments = {"study": source + "/study.json", "train_script": model_script(options, "train"),
                 "input_dir": ml_data[0] if len(ml_data) == 1 else ml_data, "output_dir": name}
    return Task(name, "trial", options.env, HPO_TRIAL, arguments, tuple(ml_data), source,
                labels={"trial": number}, array="trial_{}".format(position), index=number)


# ---- the space and the study

def read_space(options):
    """The search space, checked and normalised; raises Refusal.

    It is in --hyperparameter_file, else IMPROVE's file beside the INI file, else the model's own.
    """
    folder = os.path.dirname(options.config_file or "")
    own = os.path.join(options.model_dir, options.model + "_hyperparameters.json")
    places = options.hyperparameter_file or "", folder and os.path.join(folder, IMPROVES_SPACE)
    return space.read_space(next(filter(os.path.isfile, places), own), list(train_args(options)))


def train_args(options):
    """What every trial gives to the train script, whatever its point."""
    shared = dict({"y_col_name": options.y_col_name}, **improve_stages.for_train(options))
    return dict(shared, **options.train_args)


def train_names_of_trials(options):
    """The names of these and of the parameters of the space, for --check."""
    return list(train_args(options)) + [entry["name"] for entry in read_space(options)]


def study_file(options, source, splits, entries):
    """{name in OUT: text} of a study.json to create, {} if it exists; raises Refusal if OUT holds
    another study, whose trials cannot be compared with these."""
    study = {"val_metric": options.val_metric, "search": options.search,
             "seed": options.seed, "split_type": options.split_type, "splits": splits,
             "preprocess_args": argument_list(options.preprocess_args, options.output_dir),
             "train_args": argument_list(train_args(options), options.output_dir),
             "space": entries}
    directory = os.path.join(options.output_dir, source)
    path = os.path.join(directory, "study.json")
    if not os.path.lexists(path):
        return {source + "/study.json": json.dumps(study, indent=1) + "\n"}
    differ = differences(path, study)
    if differ:
        raise Refusal(
            "{} is of another search: {}".format(path, "; ".join(differ)),
            "choose another --output_dir, or give the arguments that the study was started with; "
            "rm -r {} forgets its trials".format(shlex.quote(directory)))
    return {}


def differences(path, study):
    """['val_metric: mse -> r2'] between the study in a file and another; [] if they are equal."""
    try:
        old = read_json(path)
        old.setdefault("train_args", old.get("train_words"))    # its name until November 2026
    except (FileError, AttributeError):
        return ["it is malformed"]
    return [key if key == "space" else "{}: {} -> {}".format(key, old.get(key), study[key])
            for key in study if old.get(key) != study[key]]


def main(argv=None):
    """Runs the search; returns the exit code."""
    workflow = launch.Workflow("hpo", STAGES, parser, plan, train_names_of_trials)
    return launch.main(workflow, argv)


if __name__ == "__main__":
    sys.exit(main())
