#!/usr/bin/env python3
"""workflow_hpo: which hyperparameters are best for a drug-response model?

    for every source study: preprocess its splits
        -> trials, each an array element that sees the others -> best values

A study owns its space, metric, seed and fixed arguments: they are written once,
to OUT/{source}/study.json. Also writes OUT/{source}/trials/{0000}/, OUT/scores/
and OUT/hyperparameters_hpo.json (OUT is runs/hpo_MODEL), which workflow_csa.py
and workflow_lca.py take as --hyperparameters_file.

To search for one study, or longer, by the mean of three splits:
  python3 workflow_hpo.py --source gCSI
  python3 workflow_hpo.py --source gCSI --max_evals 100 --split 0 1 2
To run a model of your own, or an INI file of IMPROVE's in the model's folder:
  python3 workflow_hpo.py --model graphdrp --model_dir ~/GraphDRP --env graphdrp
  python3 ~/workflows/workflow_hpo.py --config_file hpo_deephyper_params.ini
To run failed trials again, or 20 trials more than the 20 that exist:
  the same command; with --max_evals 40 (--redo trial runs all of them again)
To train with the best values, and to compare with training without them:
  the three commands at the end of the output, also in OUT/scores/summary.txt
Exit code: 0 done, 1 some task failed, 2 refused before anything was started.
"""
import json
import os
import shlex
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # also under PYTHONSAFEPATH
from launcher import benchmark, launch      # first: it refuses an old Python
from launcher.improve_stages import FOR_TRAIN, given, preprocess
from launcher.options import option
from launcher.paths import HERE, model_script
from launcher.tasks import Plan, Row
from core import metrics
from core.errors import FileError, Refusal
from core.files import read_json
from core.task import Task, argument_list
from core.text import plural
from stages.search import space

HPO_TRIAL = os.path.join(HERE, "stages", "hpo_trial.py")
IMPROVES_SPACE = "hpo_deephyper_hyperparameters.json"   # IMPROVE's default for hyperparameter_file

OPTIONS = [
    option("hyperparameter_file=JSON", "search space (MODEL_hyperparameters.json)"),
    option("max_evals trials=N", "trials per source (20)", default=20),
    option("val_metric val_loss=NAME", "objective in val_scores.json; NAME:higher or NAME:lower "
           "for one of your own (mse)", default="mse"),
    option("search", "auto: a Gaussian process (auto)", choices=("auto", "random"), default="auto"),
    option("seed=0|N", "of the search (0)", default=0),
]


def plan(options, data):
    """Preprocessing and trials of every source, each in its own arrays; raises Refusal."""
    entries = read_space(options)
    if metrics.direction(options.val_metric) is None:   # nothing is minimised the wrong way
        raise Refusal("which values of {} are better is not known".format(options.val_metric),
                      "--val_metric {0}:higher or {0}:lower".format(options.val_metric))
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
            tasks.append(preprocess(options, data, Row(index, source, source, split),
                                    "preprocess_{}".format(position), name))
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
    """The search space, checked, of --hyperparameter_file, else IMPROVE's file beside the INI file,
    else the model's own; raises Refusal."""
    folder = os.path.dirname(options.config_file or "")
    own = os.path.join(options.model_dir, options.model + "_hyperparameters.json")
    places = options.hyperparameter_file or "", folder and os.path.join(folder, IMPROVES_SPACE)
    return space.read_space(next(filter(os.path.isfile, places), own), list(train_args(options)))


def train_args(options):
    """What every trial gives to the train script, whatever its point."""
    shared = given(options, "y_col_name", *FOR_TRAIN)
    return dict(shared, **options.train_args)


def study_file(options, source, splits, entries):
    """{name in OUT: text} of a study.json to create, {} if it exists; raises Refusal if OUT holds
    another study, whose trials cannot be compared with these."""
    study = {"val_metric": options.val_metric, "search": options.search, "seed": options.seed,
             "split_type": options.split_type, "splits": splits,
             "preprocess_args": argument_list(options.preprocess_args, options.output_dir),
             "train_args": argument_list(train_args(options), options.output_dir), "space": entries}
    path = os.path.join(options.output_dir, source, "study.json")
    if not os.path.lexists(path):
        return {source + "/study.json": json.dumps(study, indent=1) + "\n"}
    try:
        old = read_json(path)
        old.setdefault("train_args", old.get("train_words"))    # its name until November 2026
        differ = [key if key == "space" else "{}: {} -> {}".format(key, old.get(key), study[key])
                  for key in study if old.get(key) != study[key]]
    except (FileError, AttributeError):
        differ = ["it is malformed"]
    if differ:
        raise Refusal(
            "{} is of another search: {}".format(path, "; ".join(differ)),
            "choose another --output_dir, or give the arguments that the study was started with; "
            "rm -r {} forgets its trials".format(shlex.quote(os.path.dirname(path))))
    return {}


WORKFLOW = launch.Workflow(
    "hpo", __doc__, plan, OPTIONS, ("preprocess", "train", "trial"), train_names=lambda options: (
        list(train_args(options)) + [entry["name"] for entry in read_space(options)]))

if __name__ == "__main__":
    sys.exit(launch.main(WORKFLOW))
