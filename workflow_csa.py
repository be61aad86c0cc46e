#!/usr/bin/env python3
"""workflow_csa: does a drug-response model generalise from one study to another?

    for every source study, split and target study:
        preprocess -> train (once per source and split) -> infer -> one table

Examples:
    python3 workflow_csa.py --source gCSI
    python3 workflow_csa.py --source gCSI CCLE --target CTRPv2 --split 0-4 --epochs 50
    python3 workflow_csa.py --model graphdrp --model_dir ~/GraphDRP --env graphdrp

Writes OUT/{ml_data,models,infer}/ as IMPROVE does, and OUT/scores/ (runs/csa_MODEL is OUT).
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # also under PYTHONSAFEPATH
import launcher.check_python  # noqa: F401  (first: a sentence instead of a SyntaxError)
from launcher import benchmark, config_file, improve_stages, launch
from launcher import options as command_line
from launcher.tasks import Plan, Row

EPILOG = """To see what would be submitted for a model of your own:
  python3 workflow_csa.py --model graphdrp --model_dir ~/GraphDRP --dry_run
To run an INI file of IMPROVE's, in the model's folder:
  python3 ~/workflows/workflow_csa.py --config_file csa_bruteforce_params.ini
To predict a study after training on the others, or unseen cell lines:
  python3 workflow_csa.py --source CCLE+CTRPv2+GDSCv1+GDSCv2 --target gCSI
  python3 workflow_csa.py --split_type cell
To continue, to see the state, to make tables of it:
  the same command again; with --status; python3 stages/collect_scores.py OUT
To compare models by their results trees:
  python3 stages/collect_scores.py --compare OUT1 OUT2 --output_dir DIR
Exit code: 0 done, 1 some task failed, 2 refused before anything was started.
"""
STAGES = ("preprocess", "train", "infer")
OPTIONS = [
    command_line.many("target target_datasets=NAME", "studies to predict (all)",
                      type=command_line.names),
    command_line.HYPERPARAMETERS_FILE,
    command_line.option("only_cross_study=BOOL", "skip source = target (off)", nargs="?",
                        const=True, default=False, type=config_file.boolean),
]


def parser():
    """The shared options and those of the cross-study analysis."""
    return command_line.shared_parser("csa", __doc__.partition("\n")[0], EPILOG, STAGES,
                                      "cross-study analysis", OPTIONS)


def plan(options, data):
    """Returns the Plan of the analysis, parents before children; Refusal."""
    sources, notes = benchmark.choose_sources(options, data)
    targets = benchmark.choose_studies(options.target, data, "--target")
    command_line.check_hyperparameters(options, sources)
    pairs = [(source, split) for source in sources
             for split in benchmark.choose_splits(options.split, source, data)]
    targets_of = {source: [target for target in targets if not options.only_cross_study
                           or target not in benchmark.members_of(source, data)]
                  for source in sources}
    tasks = []
    for position in range(len(targets)):
        rows = [Row(index, source, targets_of[source][position], split)
                for index, (source, split) in enumerate(pairs)
                if position < len(targets_of[source])]
        tasks += [preprocess(row, "preprocess_{}".format(position), options, data) for row in rows]
        if position == 0:   # the data made for any target will do
            tasks += [improve_stages.train(options, row._replace(target=""), "train",
                                           model_name(row), name("ml_data", row)) for row in rows]
        array = "infer_{}".format(position)
        tasks += [improve_stages.infer(options, row, array, name("infer", row),
                                       name("ml_data", row), model_name(row)) for row in rows]
    return Plan(tasks, benchmark.merged_files(data, pairs), notes)


def preprocess(row, array, options, data):
    """One task: the data of a source's split, with a target to be tested on: within a study the
    test part of the split, also if it is one of several in the source; across studies all of it."""
    parts = [benchmark.part_file(data, row.source, row.split, part) for part in ("train", "val")]
    is_within = row.target in benchmark.members_of(row.source, data)
    test = (benchmark.part_file(data, row.target, row.split, "test") if is_within
            else row.target + "_all.txt")
    return improve_stages.preprocess(options, data, row, array, name("ml_data", row),
                                     parts + [test])


def name(kind, row):
    return "{}/{}-{}/split_{}".format(kind, row.source, row.target, row.split)


def model_name(row):
    return "models/{}/split_{}".format(row.source, row.split)


def main(argv=None):
    """Runs the analysis; returns the exit code."""
    return launch.main(launch.Workflow("csa", STAGES, parser, plan), argv)


if __name__ == "__main__":
    sys.exit(main())
