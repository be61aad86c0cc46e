#!/usr/bin/env python3
"""workflow_csa: does a drug-response model generalise from one study to another?

    for every source study, split and target study:
        preprocess -> train (once per source and split) -> infer -> one table

Writes OUT/{ml_data,models,infer}/ as IMPROVE does, and OUT/scores/ (OUT is
runs/csa_MODEL).

To run all of one source, or a part of two:
  python3 workflow_csa.py --source gCSI
  python3 workflow_csa.py --source gCSI CCLE --target CTRPv2 --split 0-4
To run a model of your own, or an INI file of IMPROVE's in the model's folder:
  python3 workflow_csa.py --model graphdrp --model_dir ~/GraphDRP --env graphdrp
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
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # also under PYTHONSAFEPATH
from launcher import benchmark, launch      # first: it refuses an old Python
from launcher.improve_stages import infer, preprocess, train
from launcher.options import option
from launcher.tasks import Plan, Row

OPTIONS = [option("target target_datasets=NAME...", "studies to predict (all)"),
           option("only_cross_study", "skip source = target")]


def plan(options, data):
    """Returns the Plan of the analysis, parents before children; Refusal."""
    sources, notes = benchmark.choose_sources(options, data)
    targets = benchmark.choose_studies(options.target, data, "--target")
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
        for stage in zip(*[tasks_of(row, position, options, data) for row in rows]):
            tasks += stage
    return Plan(tasks, benchmark.merged_files(data, pairs), notes)


def tasks_of(row, position, options, data):
    """The tasks of a target, which is tested within a study on the test part of the split, also if
    it is one of several in the source; across studies on all of it."""
    ml_data, results = ("{}/{}-{}/split_{}".format(kind, row.source, row.target, row.split)
                        for kind in ("ml_data", "infer"))
    model = "models/{}/split_{}".format(row.source, row.split)
    is_within = row.target in benchmark.members_of(row.source, data)
    test = (benchmark.part_file(data, row.target, row.split, "test") if is_within
            else row.target + "_all.txt")
    tasks = [preprocess(options, data, row, "preprocess_{}".format(position), ml_data, test=test),
             infer(options, row, "infer_{}".format(position), results, ml_data, model)]
    if position == 0:   # the data made for any target will do
        tasks.insert(1, train(options, row._replace(target=""), "train", model, ml_data))
    return tasks


WORKFLOW = launch.Workflow("csa", __doc__, plan, OPTIONS)

if __name__ == "__main__":
    sys.exit(launch.main(WORKFLOW))
