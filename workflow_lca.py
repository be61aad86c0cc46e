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
OPTIONS = [
    command_line.option("lc_sizes", "number of sizes (10)", type=command_line.positive, default=10),
    command_line.option("min_size", "smallest size ({} rows; an eighth of a small study)".format(
        MIN_SIZE), type=command_line.positive),
    command_line.option("max_size", "largest size (all rows)", type=command_line.positive),
    command_line.option("lc_step_scale", "equal factors, equal steps, or powers (log)",
                        choices=subsets.SCALES, default="log"),
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
    rows = [Row(index, source, source, split, size)
            for index, (source, split, size) in enumerate(paths)]
    command_line.check_hyperparameters(options, [row.source for row in rows])
    files.update(benchmark.merged_files(data, dict.fromkeys((row.source, row.split)
                                                            for row in rows)))
    tasks = [preprocess(row, path, options, data) for row, path in zip(rows, paths.values())]
    tasks += [improve_stages.train(options, row, "train", task_name("models", row),
                                   task_name("ml_data", row)) for row in rows]
    tasks += [improve_stages.infer(options, row, "infer", task_name("infer", row),
                                   task_name("ml_data", row), task_name("models", row))
              for row in rows]
    return Plan(tasks, files, notes)


def preprocess(row, path, options, data):
    """One task: the data of a subset; validation and test stay whole."""
    whole = [benchmark.part_file(data, row.source, row.split, part) for part in ("val", "test")]
    return improve_stages.preprocess(options, data, row, "preprocess", task_name("ml_data", row),
                                     [path] + whole)


def task_name(kind, row):
    return "{}/{}/split_{}/sz_{}".format(row.source, kind, row.split, row.size)


# ---- subsets: {(source, split, size): path}, {name in OUT: text} of files to write, notes

def made_subsets(options, data):
    """Nested subsets of every training split, written into OUT/lca_splits/seed_N/."""
    paths, files = {}, {}
    known = subsets.responses(data.response_file, options.y_col_name)
    sources, notes = benchmark.choose_sources(options, data)
    for source in sources:
        # Sizes come from all splits of a study, so that they do not depend on the splits chosen.
        rows = {split: benchmark.part_ids(data, source, split, "train")
                for split in benchmark.choose_splits(None, source, data)}
        for split, ids in rows.items():
            subsets.check_ids(ids, known, benchmark.part_file(data, source, split, "train"))
        steps = steps_of(options, source, min(map(len, rows.values())), notes)
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


def steps_of(options, source, count, notes):
    """The sizes for a study whose training splits have so many rows (or one more)."""
    smallest, largest = options.min_size or MIN_SIZE, options.max_size or count
    if not options.lc_sizes_arr and options.min_size is None and smallest > largest // 2:
        smallest = max(subsets.SMALLEST, largest // 8)
        notes.append("{}: --min_size {} instead of {}, since its training split has {} rows".format(
            source, smallest, MIN_SIZE, count))
    given = options.lc_sizes_arr or [smallest]
    named = "--lc_sizes_arr" if options.lc_sizes_arr else "--min_size"
    for option, size, most in (("--max_size", largest, count), (named, max(given), largest)):
        if size > most:
            raise Refusal("{} {} is larger than the {} rows of {}".format(
                option, size, most, source), "{} {} or less".format(option, most))
    if options.lc_sizes_arr:
        return sorted(given)
    steps = subsets.sizes(smallest, largest, options.lc_sizes, options.lc_step_scale)
    subsets.check_sizes(steps, source, options.lc_sizes, smallest, options.lc_step_scale)
    return steps


def existing_subsets(options, data):
    """The subsets in --lca_splits_dir, checked."""
    found = subsets.find_subset_files(options.lca_splits_dir, options.split_type)
    known = subsets.responses(data.response_file, options.y_col_name)
    paths = {}
    for source in benchmark.choose_studies(options.source or sorted(found), data, "--source"):
        for split in options.split or sorted(found.get(source, ())):
            if split not in found.get(source, ()):
                raise Refusal("{} has no file {}_split_{}_sz_N.txt".format(
                    options.lca_splits_dir, source, split), "--source and --split of its files")
            for size, path in sorted(found[source][split].items()):
                subsets.check_ids(subsets.read_ids(path), known, path)
                paths[source, split, size] = path
    return paths, {}, []


def main(argv=None):
    """Runs the analysis; returns the exit code."""
    return launch.main(launch.Workflow("lca", STAGES, parser, plan), argv)


if __name__ == "__main__":
    sys.exit(main())
