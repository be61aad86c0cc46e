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
from launcher import benchmark, hyperparameters, improve_stages, launch, options
from launcher.refusal import Refusal
from launcher.tasks import Plan, Row

EPILOG = """
To see what would be submitted for a model of your own:
    python3 workflow_csa.py --model graphdrp --model_dir ~/GraphDRP --env conda:graphdrp --dry_run
To run what an INI file of IMPROVE's says, in the model's folder:
    python3 ~/workflows/workflow_csa.py --config_file csa_bruteforce_params.ini
To predict a study after training on the others:
    python3 workflow_csa.py --source CCLE+CTRPv2+GDSCv1+GDSCv2 --target gCSI
To test on cell lines that training has not seen:
    python3 workflow_csa.py --split_type cell
To go on with what is missing, see how it stands, or make tables of it:
    the same command again; with --status; python3 stages/collect_scores.py OUT
To compare models by their results trees:
    python3 stages/collect_scores.py --compare OUT1 OUT2 --output_dir DIR
Exit code: 0 done, 1 some task failed, 2 refused before anything was started, 130 on ^C.
"""
STAGES = ("preprocess", "train", "infer")


def parser():
    """The shared options and those of the cross-study analysis."""
    made = options.shared_parser("csa", __doc__.partition("\n")[0], EPILOG, STAGES)
    group = made.add_argument_group("cross-study analysis")
    group.add_argument("--target", "--target_datasets", nargs="+", metavar="NAME",
                       help="studies to predict (all in the data)")
    options.add_hyperparameters_option(group)
    options.add_switch(group, "--only_cross_study", "leave out source = target (off)")
    return made


def plan(options, data):
    """Every task of the analysis, parents before children; raises Refusal."""
    sources, notes = benchmark.choose_sources(options, data)
    targets = benchmark.choose_studies(options.target, data, "--target")
    pairs = [(source, split) for source in sources for split in benchmark.choose_splits(options.split, source, data)]
    tasks = [task for position in range(len(targets)) for task in tasks_at(position, pairs, targets, options, data)]
    if not tasks:
        raise Refusal("nothing to run: no source has a target", "choose other --source and --target, or drop --only_cross_study")
    notes += benchmark.left_out_notes(options, "csa", data, sources, targets) + hyperparameters.notes_for(options, sources)
    return Plan(tasks, benchmark.merged_files(data, pairs), notes)


def tasks_at(position, pairs, targets, options, data):
    """The tasks for the target at this position in each source's list: preprocess, train (with the first), infer."""
    rows = []
    for index, (source, split) in enumerate(pairs):
        members = benchmark.members_of(source, data)
        own = [target for target in targets if not (options.only_cross_study and target in members)]
        if position < len(own):
            rows.append(Row(index, source, own[position], split))
    stages = (preprocess, train, infer) if position == 0 else (preprocess, infer)
    return [stage(row, position, options, data) for stage in stages for row in rows]


def preprocess(row, position, options, data):
    """One task: the data of a source's split, with a target to be tested on."""
    parts = [benchmark.part_file(options, data, row.source, row.split, part) for part in ("train", "val")]
    parts.append(test_file(row, options, data))
    benchmark.check_split_files(parts, data)
    return improve_stages.preprocess(options, data, row, "preprocess_{}".format(position), ml_data_name(row), parts)


def train(row, position, options, data):
    """One task: a model of a source's split. The data made for any target will do."""
    return improve_stages.train(options, row._replace(target=""), "train", model_name(row), ml_data_name(row))


def infer(row, position, options, data):
    """One task: what that model predicts for a target."""
    name = "infer/{}-{}/split_{}".format(row.source, row.target, row.split)
    return improve_stages.infer(options, row, "infer_{}".format(position), name, ml_data_name(row), model_name(row))


def test_file(row, options, data):
    """Within a study the test part of the split, also if it is one of several in the source; across studies the whole target."""
    if row.target in benchmark.members_of(row.source, data):
        return benchmark.part_file(options, data, row.target, row.split, "test")
    return row.target + "_all.txt"


def ml_data_name(row):
    return "ml_data/{}-{}/split_{}".format(row.source, row.target, row.split)


def model_name(row):
    return "models/{}/split_{}".format(row.source, row.split)


def main(argv=None):
    """Runs the analysis; returns the exit code."""
    return launch.main(launch.Workflow("csa", STAGES, parser, plan), argv)


if __name__ == "__main__":
    sys.exit(main())
