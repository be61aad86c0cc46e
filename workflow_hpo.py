#!/usr/bin/env python3
"""workflow_hpo: which hyperparameters are best for a drug-response model?

    for every source study:
        preprocess its splits -> trials, each an array element that sees the others -> the best values

Examples:
    python3 workflow_hpo.py --source gCSI
    python3 workflow_hpo.py --source gCSI CCLE --max_evals 100 --max_running 8 --split 0 1 2
    python3 workflow_hpo.py --model graphdrp --model_dir ~/GraphDRP --env conda:graphdrp --hyperparameter_file space.json

Writes OUT/{source}/trials/{0000}/, OUT/scores/ and OUT/hyperparameters_hpo.json (runs/hpo_MODEL is OUT),
which workflow_csa.py and workflow_lca.py take as --hyperparameters_file.
"""
import json
import os
import subprocess
import sys

import launcher.check_python  # noqa: F401  (first: a sentence instead of a SyntaxError)
from launcher import benchmark, launch, launches, options, resume, stage_words
from launcher.refusal import Refusal
from launcher.tasks import Plan, Task

EPILOG = """
To add 20 trials to the 20 that are there:   the same command with --max_evals 40
To train with the values that were found:    python3 workflow_csa.py --hyperparameters_file OUT/hyperparameters_hpo.json
Exit code: 0 done, 1 some task or every trial failed, 2 refused before anything was started, 130 on ^C.
"""
METRICS = ("mse", "rmse", "mae", "pcc", "scc", "r2")
AT_A_TIME = 4   # trials: a fifth of the 20 that are the default; each learns from those that have ended


def parser():
    """The shared options and those of the hyperparameter optimization."""
    made = options.shared_parser("hpo", __doc__.partition("\n")[0], EPILOG)
    group = made.add_argument_group("hyperparameter optimization")
    group.add_argument("--hyperparameter_file", metavar="JSON",
                       help="the search space, in DeepHyper's or Supervisor's format (stages/MODEL_hyperparameters.json)")
    group.add_argument("--max_evals", metavar="N", type=options.positive, default=20, help="trials per source (20)")
    group.add_argument("--val_metric", choices=METRICS, default="mse", help="objective on the validation split (mse)")
    group.add_argument("--search", choices=("auto", "random", "grid"), default="auto",
                       help="auto: Gaussian process with expected improvement (auto)")
    group.add_argument("--seed", metavar="N", type=options.whole, default=0, help="of the search (0)")
    made.set_defaults(split=[[0]], max_running=AT_A_TIME)
    return made


def plan(wanted, data):
    """Preprocessing and trials of every source, each source in arrays of its own; raises Refusal."""
    space = read_space(wanted)
    sources = benchmark.choose_studies(wanted.source, data, "--source")
    tasks = []
    for place, source in enumerate(s for s in sources if wanted.source or data.studies[s]):
        splits = benchmark.choose_splits(wanted.split, source, data)
        tasks += [preprocess(index, place, source, split, wanted, data) for index, split in enumerate(splits)]
        tasks += [trial(number, place, source, splits, wanted) for number in range(wanted.max_evals)]
    refuse_other_study(tasks, space, wanted)
    return Plan(tasks, {"space.json": space})


def read_space(wanted):
    """The search space, checked and normalised, as the text of space.json.

    It is checked by the stage script that reads it later: launchers import no stages.
    """
    path = wanted.hyperparameter_file or os.path.join(wanted.model_dir, wanted.model + "_hyperparameters.json")
    if not os.path.isfile(path):
        raise Refusal("there is no search space {}".format(path), "--hyperparameter_file with the space of this model")
    words = wanted.train_args + stage_words.epochs(wanted)
    fixed = ",".join(word[2:].partition("=")[0] for word in words if word.startswith("--"))
    command = [sys.executable, os.path.join(options.HERE, "stages", "hpo_space.py"), path, "--fixed", fixed]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["it cannot be read"]
        raise Refusal("--hyperparameter_file {}: {}".format(path, lines[0]), "python3 {} {}".format(command[1], path))
    return json.dumps(json.loads(done.stdout), indent=1) + "\n"


def refuse_other_study(tasks, space, wanted):
    """Trials of another space or with other fixed values cannot be compared with new ones."""
    there = [task for task in tasks if task.stage == "trial" and is_done(task, wanted.output_dir)]
    if not there:
        return
    old = launches.read_json(stage_words.inside(wanted, "space.json"))
    words = resume.decide(there, wanted.output_dir)
    other = [name for name, why in words.items() if why.startswith("its parameters")]
    if old != json.loads(space) or other:
        raise Refusal("the trials in {} are of another search: {}".format(
            wanted.output_dir, "other words for train or the search" if other else "another search space"),
            "another --output_dir, or the command that they were made with")


def is_done(task, out):
    status = resume.read_status(out, task.name)
    return status is not None and status["state"] == "done"


def preprocess(index, place, source, split, wanted, data):
    """One task: the data of a split. A search looks at the validation part only."""
    name = ml_data_name(source, split)
    parts = ["{}_split_{}_{}.txt".format(source, split, part) for part in ("train", "val", "test")]
    benchmark.check_split_files(parts, data)
    return Task(name, "preprocess", "preprocess_{}".format(place), index,
                stage_words.preprocess(wanted, data, parts, name), (), source, source, split)


def trial(number, place, source, splits, wanted):
    """One task: a trial that trains on every split. Trial k is array element k."""
    name = "{}/trials/{:04d}".format(source, number)
    ml_data = [ml_data_name(source, split) for split in splits]
    return Task(name, "trial", "trial_{}".format(place), number, stage_words.trial(wanted, ml_data, name),
                tuple(ml_data), source)


def ml_data_name(source, split):
    return "{}/ml_data/split_{}".format(source, split)


def main(argv=None):
    """Runs the search; returns the exit code."""
    return launch.main("hpo", parser(), plan, argv)


if __name__ == "__main__":
    sys.exit(main())
