#!/usr/bin/env python3
"""workflow_lca: would a drug-response model get better with more data?

    for every source study, split and size of the training set:
        preprocess -> train -> infer -> one learning curve with a fit per source

Examples:
    python3 workflow_lca.py --source gCSI
    python3 workflow_lca.py --source gCSI CCLE --split 0-4 --lc_sizes 8 --min_size 256
    python3 workflow_lca.py --model graphdrp --model_dir ~/GraphDRP --env graphdrp

Writes OUT/{source}/{ml_data,models,infer}/ as IMPROVE does, and OUT/scores/ (OUT: runs/lca_MODEL).
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # also under PYTHONSAFEPATH
import launcher.check_python  # noqa: F401  (first: a sentence instead of a SyntaxError)
from core.errors import Refusal
from launcher import benchmark, improve_stages, launch, subsets
from launcher import options as command_line
from launcher.tasks import Plan, Row

EPILOG = """To see the sizes and what would be submitted:
  python3 workflow_lca.py --source gCSI --dry_run
To use subsets that IMPROVE's generator wrote:
  python3 workflow_lca.py --lca_splits_dir lca_splits
To run an INI file of IMPROVE's, in the model's folder:
  python3 ~/workflows/workflow_lca.py --config_file lca_bruteforce_params.ini
To draw the curve for drugs that training has not seen:
  python3 workflow_lca.py --source gCSI --split_type drug
To continue, to see the state, to make tables of it:
  the same command again; with --status; python3 stages/collect_scores.py OUT
To compare models by their results trees:
  python3 stages/collect_scores.py --compare OUT1 OUT2 --output_dir DIR
Exit code: 0 done, 1 some task failed, 2 refused before anything was started.
"""
STAGES = ("preprocess", "train", "infer")
MIN_SIZE = 128   # rows; IMPROVE's own default
SMALLEST = 2     # rows; one leaves nothing to learn from
OPTIONS = [
    command_line.option("lc_sizes", "number of sizes, each the same factor larger (10)",
                        type=command_line.positive, default=10),
    command_line.option("min_size", "smallest size (128 rows; an eighth of a small study)",
                        type=command_line.positive),
    command_line.option("max_size", "largest size (all rows)", type=command_line.positive),
    command_line.many("lc_sizes_arr", "these sizes and no others", type=command_line.positives),
    command_line.option("lca_splits_dir=DIR", "subsets of IMPROVE's generator"),
    command_line.HYPERPARAMETERS_FILE,
    command_line.option("seed", "of the shuffle (42)", type=command_line.whole, default=42),
]


def parser():
    """The shared options and those of the learning-curve analysis."""
    return command_line.shared_parser("lca", __doc__.partition("\n")[0], EPILOG, STAGES,
                                      "learning-curve analysis", OPTIONS)


def plan(options, data):
    """Returns the Plan of the analysis with the split files that it needs; Refusal."""
    subsets_of = existing_subsets if options.lca_splits_dir else made_subsets
    paths, files, notes = subsets_of(options, data)
    command_line.check_hyperparameters(options, [source for source, _, _ in paths])
    files.update(benchmark.merged_files(data, dict.fromkeys(key[:2] for key in paths)))
    rows = [tasks_of(Row(index, source, source, split, size), path, options, data)
            for index, ((source, split, size), path) in enumerate(paths.items())]
    return Plan([task for row in rows for task in row], files, notes)


def tasks_of(row, path, options, data):
    """The three tasks of a subset; validation and test parts stay whole."""
    ml_data, model, infer = ("{}/{}/split_{}/sz_{}".format(row.source, kind, row.split, row.size)
                             for kind in ("ml_data", "models", "infer"))
    parts = [benchmark.part_file(data, row.source, row.split, part) for part in ("val", "test")]
    return (improve_stages.preprocess(options, data, row, "preprocess", ml_data, [path] + parts),
            improve_stages.train(options, row, "train", model, ml_data),
            improve_stages.infer(options, row, "infer", infer, ml_data, model))


# ---- subsets: {(source, split, size): path}, {name in OUT: text} of files to write, notes

def made_subsets(options, data):
    """Nested subsets of every training split, written into OUT/lca_splits/seed_N/."""
    paths, files = {}, {}
    sources, notes = benchmark.choose_sources(options, data)
    for source in sources:
        # Sizes come from all splits of a study, so that they do not depend on the splits chosen.
        rows = {split: benchmark.part_ids(data, source, split, "train")
                for split in benchmark.choose_splits(None, source, data)}
        steps = steps_of(options, source, min(map(len, rows.values())))
        for split in benchmark.choose_splits(options.split, source, data):
            order = subsets.shuffled(rows[split], options.seed, source, split)
            if not (options.max_size or options.lc_sizes_arr):
                steps[-1] = len(order)      # the whole split; some have a row more than others
            for size in steps:
                name = "lca_splits/seed_{}/{}_{}_{}_sz_{}.txt".format(
                    options.seed, source, options.split_type, split, size)
                paths[source, split, size] = name
                files[name] = subsets.text_of(order[:size])
    return paths, files, notes


def steps_of(options, source, count):
    """The sizes for a study whose training splits have so many rows (or one more)."""
    largest = min(options.max_size or count, count)
    smallest = options.min_size or (
        MIN_SIZE if MIN_SIZE <= largest // 2 else max(SMALLEST, largest // 8))
    asked = max(options.lc_sizes_arr or [options.max_size or 0, smallest])
    if asked > largest:
        raise Refusal("a size of {} rows is more than the {} of {} or --max_size".format(
            asked, largest, source), "sizes of {} or less".format(largest))
    return sorted(options.lc_sizes_arr or subsets.sizes(smallest, largest, options.lc_sizes))


def existing_subsets(options, data):
    """The subsets in --lca_splits_dir."""
    found, paths = subsets.find_subset_files(options.lca_splits_dir), {}
    for source in options.source or sorted({source for source, _, _ in found}):
        benchmark.choose_studies(benchmark.members_of(source, data), data, "--source")
        for split in options.split or ["K"]:    # K: any split
            own = {key: path for key, path in found.items()
                   if key[0] == source and split in (key[1], "K")}
            if not own:
                raise Refusal("{} has no file {}_split_{}_sz_N.txt".format(
                    options.lca_splits_dir, source, split), "--source and --split of its files")
            paths.update(own)
    return paths, {}, []


def main(argv=None):
    """Runs the analysis; returns the exit code."""
    return launch.main(launch.Workflow("lca", STAGES, parser, plan), argv)


if __name__ == "__main__":
    sys.exit(main())
