#!/usr/bin/env python3
"""workflow_hpo: which hyperparameters are best for a drug-response model?

    for every source study:
        preprocess its splits -> trials, each an array element that sees the others -> the best values

A study owns its search space, metric, seed and fixed arguments: OUT/{source}/study.json, created once.

Examples:
    python3 workflow_hpo.py --source gCSI
    python3 workflow_hpo.py --source gCSI CCLE --max_evals 100 --max_running 8 --split 0 1 2
    python3 workflow_hpo.py --model graphdrp --model_dir ~/GraphDRP --env conda:graphdrp --hyperparameter_file space.json
    python3 workflow_hpo.py --source gCSI --import_trials hpo_results.csv --max_evals 40     # go on from DeepHyper's trials

Writes OUT/{source}/study.json, OUT/{source}/trials/{0000}/, OUT/scores/ and OUT/hyperparameters_hpo.json (runs/hpo_MODEL is OUT),
which workflow_csa.py and workflow_lca.py take as --hyperparameters_file.
"""
import json
import os
import subprocess
import sys

import launcher.check_python  # noqa: F401  (first: a sentence instead of a SyntaxError)
from launcher import benchmark, improve_stages, launch, option_types, options, study
from launcher.paths import HERE, model_script
from launcher.refusal import Refusal
from launcher.tasks import Plan, Row, Task

EPILOG = """
To search for a model of your own, eight trials at a time:
    python3 workflow_hpo.py --model graphdrp --model_dir ~/GraphDRP --env conda:graphdrp --source gCSI --max_running 8
To run what an INI file of IMPROVE's says, in the model's folder:
    python3 ~/workflows/workflow_hpo.py --config_file hpo_deephyper_params.ini
To add 20 trials to the 20 that are there:
    the same command with --max_evals 40
To run failed trials again:
    the same command, or --redo trial for all trials
To find what is best for cell lines that training has not seen:
    python3 workflow_hpo.py --source gCSI --split_type cell
To train with the values that were found:
    python3 workflow_csa.py --hyperparameters_file OUT/hyperparameters_hpo.json
To compare models by their results trees:
    python3 stages/collect_scores.py --compare OUT1 OUT2 --output_dir DIR
Exit code: 0 done, 1 some task failed (a trial is one), 2 refused before anything was started, 130 on ^C.
"""
HPO_TRIAL = os.path.join(HERE, "stages", "hpo_trial.py")
STAGES = ("preprocess", "train", "trial")
METRICS = ("mse", "rmse", "mae", "pcc", "scc", "r2",
           "acc", "bacc", "precision", "recall", "f1", "roc_auc", "aupr", "kappa")    # those of classification
IMPROVES_SPACE = "hpo_deephyper_hyperparameters.json"   # what hyperparameter_file is there, if an INI file has none
AT_A_TIME = 4   # trials: a fifth of the 20 that are the default; each learns from those that have ended


def parser():
    """The shared options and those of the hyperparameter optimization."""
    made = options.shared_parser("hpo", __doc__.partition("\n")[0], EPILOG, ("preprocess", "trial"))
    group = made.add_argument_group("hyperparameter optimization")
    group.add_argument("--hyperparameter_file", metavar="JSON",
                       help="the search space, in DeepHyper's or Supervisor's format; docs/search_space.md explains both "
                       "(MODEL_hyperparameters.json beside the model's scripts)")
    group.add_argument("--max_evals", metavar="N", type=option_types.positive, default=20, help="trials per source (20)")
    group.add_argument("--val_metric", choices=METRICS, default="mse", help="objective on the validation split (mse)")
    group.add_argument("--search", choices=("auto", "random", "grid"), default="auto",
                       help="auto: Gaussian process with expected improvement (auto)")
    group.add_argument("--prior", action="store_true",
                       help="the defaults are believed to be good: search near them first (off)")
    group.add_argument("--import_trials", metavar="FILE_OR_DIR", nargs="+", type=os.path.abspath,
                       help="DeepHyper's hpo_results.csv, or OUT, OUT/SOURCE or trials/ of another search: points that "
                       "are known and not tried again, never the best of this one (none)")
    group.add_argument("--seed", metavar="N", type=option_types.whole, default=0, help="of the search (0)")
    options.change_default(made, "split", [[0]], "split numbers that each trial trains on, ranges allowed: 0-9 (0)")
    options.change_default(made, "max_running", AT_A_TIME,
                           "Slurm: trials of a source that run at a time; fewer learn more from each other ({})".format(AT_A_TIME))
    return made


def plan(options, data):
    """Preprocessing and trials of every source, each source in arrays of its own; raises Refusal."""
    space = read_space(options)
    sources, notes = benchmark.choose_sources(options, data)
    notes += benchmark.left_out_notes(options, "hpo", data, sources)
    tasks, once = [], {}
    pairs = [(source, split) for source in sources for split in benchmark.choose_splits(options.split, source, data)]
    for position, source in enumerate(sources):
        splits = benchmark.choose_splits(options.split, source, data)
        rows = [Row(index, source, source, split) for index, split in enumerate(splits)]
        tasks += [preprocess(row, position, options, data) for row in rows]
        tasks += [trial(number, position, source, splits, options) for number in range(options.max_evals)]
        imported = read_imported(source, options) if options.import_trials else {"trials": None, "notes": []}
        once.update(study.files(options, source, splits, space, imported["trials"]))
        notes += imported["notes"]
    return Plan(tasks, benchmark.merged_files(data, pairs), notes, once)


def read_space(options):
    """The search space, checked and normalised."""
    path = space_file(options)
    if not os.path.isfile(path):
        raise Refusal("there is no search space {}".format(path), "--hyperparameter_file with the space of this model")
    return ask_stage(options, "--hyperparameter_file", "as docs/search_space.md explains it")


def read_imported(source, options):
    """{"trials": [{"params", "objective", "from"}], "notes": [...]} of what other searches have found in the space."""
    return ask_stage(options, "--import_trials", "DeepHyper's hpo_results.csv, or a results tree of workflow_hpo.py",
                     "--source", source, "--val_metric", options.val_metric, "--import_trials", *options.import_trials)


def train_words(options):
    """What trials give to train: the fixed words, and for each parameter its bounds and default, or its choices."""
    values = [(entry["name"], value) for entry in read_space(options)
              for value in entry.get("choices", [entry[key] for key in ("min", "default", "max") if key in entry])]
    return study.train_words(options) + [word for name, value in values for word in ("--" + name, str(value))]


def ask_stage(options, option, way_out, *words):
    """What the stage script that reads the space later says about it: launchers import no stages."""
    fixed = ",".join(word[2:].partition("=")[0] for word in study.train_words(options) if word.startswith("--"))
    command = [sys.executable, HPO_TRIAL, "--check_space", space_file(options), "--fixed", fixed] + list(words)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it cannot be read"])[-1]
        raise Refusal("{}: {}".format(option, last.partition("error: ")[2] or last), way_out)
    return json.loads(done.stdout)


def space_file(options):
    """--hyperparameter_file; else, as IMPROVE has it, a file of this name beside the INI file; else the model's own."""
    beside = os.path.join(os.path.dirname(options.config_file), IMPROVES_SPACE) if options.config_file else ""
    own = beside if os.path.isfile(beside) else os.path.join(options.model_dir, options.model + "_hyperparameters.json")
    return options.hyperparameter_file or own


def preprocess(row, position, options, data):
    """One task: the data of a split. A search looks at the validation part only."""
    parts = [benchmark.part_file(options, data, row.source, row.split, part) for part in ("train", "val", "test")]
    benchmark.check_split_files(parts, data)
    return improve_stages.preprocess(options, data, row, "preprocess_{}".format(position),
                                     ml_data_name(row.source, row.split), parts)


def trial(number, position, source, splits, options):
    """One task: a trial that trains on every split. Trial k is array element k."""
    name = "{}/trials/{:04d}".format(source, number)
    ml_data = [ml_data_name(source, split) for split in splits]
    paths = [word for directory in ml_data for word in ("--input_dir", improve_stages.inside(options, directory))]
    words = (options.env, HPO_TRIAL, "--study", improve_stages.inside(options, source + "/study.json"),
             "--train_script", model_script(options, "train")) + tuple(paths) + (
                 "--output_dir", improve_stages.inside(options, name))
    return Task(name, "trial", "trial_{}".format(position), number, words, tuple(ml_data), source, labels={"trial": number})


def ml_data_name(source, split):
    return "{}/ml_data/split_{}".format(source, split)


def main(argv=None):
    """Runs the search; returns the exit code."""
    return launch.main(launch.Workflow("hpo", STAGES, parser, plan, train_words), argv)


if __name__ == "__main__":
    sys.exit(main())
