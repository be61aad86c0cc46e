#!/usr/bin/env python3
"""workflow_lca: would a drug-response model get better with more data?

    for every source study, split and size of the training set:
        preprocess -> train -> infer -> one learning curve with a fit per source

Examples:
    python3 workflow_lca.py --source gCSI
    python3 workflow_lca.py --source gCSI CCLE --split 0-4 --lc_sizes 8 --min_size 256
    python3 workflow_lca.py --model graphdrp --model_dir ~/GraphDRP --env conda:graphdrp --max_running 20

Writes OUT/{source}/{ml_data,models,infer}/ as IMPROVE does, and OUT/scores/ (runs/lca_MODEL is OUT).
"""
import sys

import launcher.check_python  # noqa: F401  (first: a sentence instead of a SyntaxError)
from launcher import benchmark, config_file, hyperparameters, improve_stages, launch, option_types, options, subsets
from launcher.refusal import Refusal
from launcher.tasks import Plan, Row

EPILOG = """
To see the sizes and what would be submitted:
    python3 workflow_lca.py --source gCSI --dry_run
To use subsets that IMPROVE's generator wrote:
    python3 workflow_lca.py --lca_splits_dir lca_splits
To run what an INI file of IMPROVE's says, in the model's folder:
    python3 ~/workflows/workflow_lca.py --config_file lca_bruteforce_params.ini
To draw the curve for drugs that training has not seen:
    python3 workflow_lca.py --source gCSI --split_type drug
To ask how many drugs (or cell lines: cell) are enough:
    python3 workflow_lca.py --source gCSI --split_type drug --subset_by drug
To go on with what is missing, see how it stands, or make tables of it:
    the same command again; with --status; python3 stages/collect_scores.py OUT
To compare models by their results trees:
    python3 stages/collect_scores.py --compare OUT1 OUT2 --output_dir DIR
Exit code: 0 done, 1 some task failed, 2 refused before anything was started, 130 on ^C.
"""
STAGES = ("preprocess", "train", "infer")
MIN_SIZE = 128   # rows; IMPROVE's own default


def parser():
    """The shared options and those of the learning-curve analysis."""
    made = options.shared_parser("lca", __doc__.partition("\n")[0], EPILOG, STAGES)
    group = made.add_argument_group("learning-curve analysis")
    group.add_argument("--lc_sizes", metavar="N", type=option_types.positive, default=10, help="number of sizes (10)")
    group.add_argument("--min_size", metavar="N", type=option_types.positive,
                       help="smallest size ({} rows, or an eighth of a smaller training split; an eighth of its drugs or cell lines)".format(MIN_SIZE))
    group.add_argument("--max_size", metavar="N", type=option_types.positive, help="largest size (all)")
    group.add_argument("--subset_by", choices=tuple(subsets.UNITS), default="row",
                       help="what grows: rows, cell lines or drugs with all their rows; sizes are counted in it (row)")
    group.add_argument("--lc_step_scale", choices=subsets.SCALES, default="log",
                       help="log, linear: N sizes a constant factor or step apart; log2, log10: powers (log)")
    group.add_argument("--lc_sizes_arr", nargs="+", metavar="N", type=option_types.positive, help="these sizes and no others")
    group.add_argument("--lca_splits_dir", metavar="DIR",
                       help="use the {source}_split_{k}_sz_{n}.txt in DIR instead of making them")
    options.add_hyperparameters_option(group)
    group.add_argument("--seed", metavar="N", type=option_types.whole, default=42, help="of the shuffle (42)")
    return made


def plan(options, data):
    """Every task of the analysis and the split files it needs; raises Refusal."""
    curves = existing_subsets(options, data) if options.lca_splits_dir else made_subsets(options, data)
    rows = [(Row(index, source, source, split, size), path)
            for index, (source, split, size, path) in enumerate(curves.paths)]
    tasks = [stage(row, path, options, data) for stage in (preprocess, train, infer) for row, path in rows]
    sources = list(dict.fromkeys(task.source for task in tasks))
    curves.files.update(benchmark.merged_files(data, list(dict.fromkeys((row.source, row.split) for row, _ in rows))))
    counts = {"source": len(sources), "split": len(set(row.split for row, _ in rows))}
    curves.notes += config_file.left_out_notes(options, "lca", counts)
    return Plan(tasks, curves.files, curves.notes + hyperparameters.notes_for(options, sources))


class Curves:
    """The training sets of an analysis: (source, split, size, path) each, files to write, notes."""

    def __init__(self):
        self.paths, self.files, self.notes = [], {}, []


def made_subsets(options, data):
    """Nested subsets of every training split, written into OUT/lca_splits/seed_N/ (seed_N_by_drug, seed_N_by_cell)."""
    curves, known = Curves(), subsets.response_ids(data.response_file)
    names = None if options.subset_by == "row" else subsets.names_of(data.response_file, subsets.COLUMNS[options.subset_by])
    sources, curves.notes = benchmark.choose_sources(options, data)
    for source in sources:
        splits = benchmark.choose_splits(options.split, source, data)
        # Sizes come from all splits of a study, so that they do not depend on the splits chosen.
        whole = {split: training_ids(source, split, data, known)
                 for split in benchmark.choose_splits(None, source, data)}
        units = {split: sorted(set(map(names.__getitem__, ids))) if names else ids for split, ids in whole.items()}
        steps = steps_of(options, source, min(map(len, units.values())), curves.notes)
        for split in splits:
            order = subsets.shuffled(units[split], options.seed, source, split)
            for size in last_is_whole(steps, options, len(order)):
                ids = subsets.rows_of(order[:size], whole[split], names) if names else order[:size]
                add_subset(curves, options, source, split, size, ids)
    return curves


def add_subset(curves, options, source, split, size, ids):
    by = "" if options.subset_by == "row" else "_by_{}".format(options.subset_by)
    name = "lca_splits/seed_{}{}/{}_{}_{}_sz_{}.txt".format(options.seed, by, source, options.split_type, split, size)
    curves.paths.append((source, split, size, improve_stages.inside(options, name)))
    curves.files[name] = subsets.text_of(ids)


def training_ids(source, split, data, known):
    ids = benchmark.part_ids(data, source, split, "train")
    subsets.check_ids(ids, known, data.split_file("{}_{}_{}_train.txt".format(source, data.split_type, split)))
    return ids


def steps_of(options, source, count, notes):
    """The sizes for a study whose training splits have so many rows, drugs or cell lines (or one more)."""
    unit = subsets.UNITS[options.subset_by]
    if options.lc_sizes_arr:
        refuse_larger(max(options.lc_sizes_arr), "--lc_sizes_arr", source, count, unit)
        return sorted(set(options.lc_sizes_arr))
    smallest, largest = options.min_size or MIN_SIZE, options.max_size or count
    refuse_larger(largest, "--max_size", source, count, unit)
    if options.min_size is None and (unit != "rows" or smallest > largest // 2):
        smallest = max(subsets.SMALLEST, largest // 8)
        notes.append("{}: --min_size {} instead of {}, since its training split has {} {}".format(
            source, smallest, MIN_SIZE, count, unit))
    refuse_larger(smallest, "--min_size", source, largest, unit)
    steps = subsets.sizes(smallest, largest, options.lc_sizes, options.lc_step_scale)
    if unit != "rows":      # there are few: those that coincide are one
        return sorted(set(steps))
    subsets.check_sizes(steps, source, options.lc_sizes, smallest, options.lc_step_scale)
    return steps


def refuse_larger(size, option, source, count, unit):
    if size > count:
        raise Refusal("{} {} is larger than the {} {} of {}".format(option, size, count, unit, source),
                      "{} {} or less".format(option, count))


def last_is_whole(steps, options, count):
    """The largest size is the whole training split, which may have a row more in one split than in another.

    Not of drugs or cell lines: one more of a few would be another size.
    """
    return steps if options.max_size or options.lc_sizes_arr or options.subset_by != "row" else steps[:-1] + [count]


def existing_subsets(options, data):
    """The subsets in --lca_splits_dir, checked."""
    if options.subset_by != "row":
        raise Refusal("--subset_by {} makes subsets, --lca_splits_dir brings them".format(options.subset_by), "one of the two")
    found, curves = subsets.find_subset_files(options.lca_splits_dir, options.split_type), Curves()
    known = subsets.response_ids(data.response_file)
    sources = benchmark.choose_studies(options.source or sorted(found), data, "--source")
    for source in sources:
        for split in options.split or sorted(found.get(source, ())):
            if split not in found.get(source, ()):
                raise Refusal("{} holds no file {}_split_{}_sz_N.txt".format(options.lca_splits_dir, source, split),
                              "--source and --split of the files there")
            for size, path in sorted(found[source][split].items()):
                subsets.check_ids(subsets.read_ids(path), known, path)
                curves.paths.append((source, split, size, path))
    return curves


def preprocess(row, path, options, data):
    """One task: the data of a subset; validation and test stay whole."""
    whole = [benchmark.part_file(options, data, row.source, row.split, part) for part in ("val", "test")]
    benchmark.check_split_files(whole, data)
    return improve_stages.preprocess(options, data, row, "preprocess", task_name("ml_data", row), [path] + whole)


def train(row, path, options, data):
    return improve_stages.train(options, row, "train", task_name("models", row), task_name("ml_data", row))


def infer(row, path, options, data):
    return improve_stages.infer(options, row, "infer", task_name("infer", row), task_name("ml_data", row),
                                task_name("models", row))


def task_name(kind, row):
    return "{}/{}/split_{}/sz_{}".format(row.source, kind, row.split, row.size)


def main(argv=None):
    """Runs the analysis; returns the exit code."""
    return launch.main(launch.Workflow("lca", STAGES, parser, plan), argv)


if __name__ == "__main__":
    sys.exit(main())
