#!/usr/bin/env python3
"""workflow_csa: does a drug-response model generalise from one study to another?

    for every source study, split and target study:
        preprocess -> train (once per source and split) -> infer -> one table

Examples:
    python3 workflow_csa.py --source gCSI
    python3 workflow_csa.py --source gCSI CCLE --target CTRPv2 --split 0-4 --epochs 50
    python3 workflow_csa.py --model graphdrp --model_dir ~/GraphDRP --env conda:graphdrp --max_running 20

Writes OUT/{ml_data,models,infer}/ as IMPROVE does, and OUT/scores/ (runs/csa_MODEL is OUT).
"""
import sys

import launcher.check_python  # noqa: F401  (first: a sentence instead of a SyntaxError)
from launcher import benchmark, hyperparameters, launch, options, stage_words
from launcher.tasks import Plan, Task

EPILOG = """
To run every study against every other:      python3 workflow_csa.py
To see what would be submitted:              python3 workflow_csa.py --dry_run
To run the same on this machine, two tasks at a time:
                                             python3 workflow_csa.py --executor local --jobs 2
To go on with what is missing:               the same command again
Exit code: 0 done, 1 some task failed, 2 refused before anything was started, 130 on ^C.
"""


def parser():
    """The shared options and those of the cross-study analysis."""
    made = options.shared_parser("csa", __doc__.partition("\n")[0], EPILOG)
    group = made.add_argument_group("cross-study analysis")
    group.add_argument("--target", "--target_datasets", nargs="+", metavar="NAME",
                       help="studies to predict (all in the data)")
    options.add_hyperparameters_option(group)
    group.add_argument("--only_cross_study", action="store_true", help="leave out source = target (off)")
    return made


def targets_of(source, targets, only_cross_study):
    """The targets of a source, in order."""
    return [target for target in targets if not (only_cross_study and target == source)]


def test_file(source, target, split):
    """Within a study the test part of the split, across studies the whole target."""
    return "{}_split_{}_test.txt".format(source, split) if source == target else "{}_all.txt".format(target)


def plan(wanted, data):
    """Every task of the analysis, parents before children; raises Refusal."""
    sources = benchmark.choose_studies(wanted.source, data, "--source")
    if not wanted.source:
        sources = [source for source in sources if data.studies[source]]
    targets = benchmark.choose_studies(wanted.target, data, "--target")
    pairs = [(source, split) for source in sources
             for split in benchmark.choose_splits(wanted.split, source, data)]
    return Plan([task for place in range(len(targets))
                 for task in tasks_of_place(place, pairs, targets, wanted, data)],
                notes=hyperparameters.notes_for(wanted, sources))


def tasks_of_place(place, pairs, targets, wanted, data):
    """The tasks for the place-th target of each source: preprocess, train (with the first), infer."""
    rows = []
    for index, (source, split) in enumerate(pairs):
        own = targets_of(source, targets, wanted.only_cross_study)
        if place < len(own):
            rows.append((index, source, own[place], split))
    stages = (preprocess, train, infer) if place == 0 else (preprocess, infer)
    return [stage(index, place, source, target, split, wanted, data)
            for stage in stages for index, source, target, split in rows]


def preprocess(index, place, source, target, split, wanted, data):
    """One task: the data of a source's split, with a target to be tested on."""
    name = ml_data_name(source, target, split)
    parts = ["{}_split_{}_{}.txt".format(source, split, part) for part in ("train", "val")]
    parts.append(test_file(source, target, split))
    benchmark.check_split_files(parts, data)
    return Task(name, "preprocess", "preprocess_{}".format(place), index,
                stage_words.preprocess(wanted, data, parts, name), (), source, target, split)


def train(index, place, source, target, split, wanted, data):
    """One task: a model of a source's split. The data made for any target will do."""
    name, ml_data = model_name(source, split), ml_data_name(source, target, split)
    return Task(name, "train", "train", index,
                stage_words.train(wanted, ml_data, name, source), (ml_data,), source, "", split)


def infer(index, place, source, target, split, wanted, data):
    """One task: what that model predicts for a target."""
    name = "infer/{}-{}/split_{}".format(source, target, split)
    ml_data, model = ml_data_name(source, target, split), model_name(source, split)
    return Task(name, "infer", "infer_{}".format(place), index,
                stage_words.infer(wanted, ml_data, model, name), (model, ml_data), source, target, split)


def ml_data_name(source, target, split):
    return "ml_data/{}-{}/split_{}".format(source, target, split)


def model_name(source, split):
    return "models/{}/split_{}".format(source, split)


def main(argv=None):
    """Runs the analysis; returns the exit code."""
    return launch.main("csa", parser(), plan, argv)


if __name__ == "__main__":
    sys.exit(main())
