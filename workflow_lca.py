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
import os
import sys

import launcher.check_python  # noqa: F401  (first: a sentence instead of a SyntaxError)
from launcher import benchmark, hyperparameters, launch, options, stage_words, subsets
from launcher.refusal import Refusal
from launcher.tasks import Plan, Task

EPILOG = """
To see the sizes and what would be submitted:     python3 workflow_lca.py --source gCSI --dry_run
To use subsets that IMPROVE's generator wrote:    python3 workflow_lca.py --lca_splits_dir lca_splits
To go on with what is missing:                    the same command again
Exit code: 0 done, 1 some task failed, 2 refused before anything was started, 130 on ^C.
"""
MIN_SIZE = 128   # rows; IMPROVE's own default


def parser():
    """The shared options and those of the learning-curve analysis."""
    made = options.shared_parser("lca", __doc__.partition("\n")[0], EPILOG)
    group = made.add_argument_group("learning-curve analysis")
    group.add_argument("--lc_sizes", metavar="N", type=options.positive, default=10, help="number of sizes (10)")
    group.add_argument("--min_size", metavar="N", type=options.positive,
                       help="smallest size in rows ({}, or an eighth of a smaller training split)".format(MIN_SIZE))
    group.add_argument("--max_size", metavar="N", type=options.positive, help="largest size in rows (all)")
    group.add_argument("--lc_step_scale", choices=subsets.SCALES, default="log",
                       help="log, linear: N sizes a constant factor or step apart; log2, log10: powers (log)")
    group.add_argument("--lc_sizes_arr", nargs="+", metavar="N", type=options.positive, help="these sizes and no others")
    group.add_argument("--lca_splits_dir", metavar="DIR",
                       help="use the {source}_split_{k}_sz_{n}.txt in DIR instead of making them")
    options.add_hyperparameters_option(group)
    group.add_argument("--seed", metavar="N", type=options.whole, default=42, help="of the shuffle (42)")
    return made


def plan(wanted, data):
    """Every task of the analysis and the split files it needs; raises Refusal."""
    curves = existing_subsets(wanted, data) if wanted.lca_splits_dir else made_subsets(wanted, data)
    rows = [(index, source, split, size, path) for index, (source, split, size, path) in enumerate(curves.paths)]
    tasks = [stage(*row, wanted=wanted, data=data) for stage in (preprocess, train, infer) for row in rows]
    sources = list(dict.fromkeys(task.source for task in tasks))
    return Plan(tasks, curves.files, curves.notes + hyperparameters.notes_for(wanted, sources))


class Curves:
    """The training sets of an analysis: (source, split, size, path) each, files to write, notes."""

    def __init__(self):
        self.paths, self.files, self.notes = [], {}, []


def made_subsets(wanted, data):
    """Nested subsets of every training split, written into OUT/lca_splits/seed_N/."""
    curves, known = Curves(), subsets.response_ids(data.directory)
    sources = benchmark.choose_studies(wanted.source, data, "--source")
    for source in [s for s in sources if wanted.source or data.studies[s]]:
        splits = benchmark.choose_splits(wanted.split, source, data)
        # Sizes come from all splits of a study, so that they do not depend on the splits chosen.
        whole = {split: training_ids(source, split, data, known) for split in data.studies[source]}
        steps = steps_of(wanted, source, min(map(len, whole.values())), curves.notes)
        for split in splits:
            order = subsets.shuffled(whole[split], wanted.seed, source, split)
            for size in last_is_whole(steps, wanted, len(order)):
                add_subset(curves, wanted, source, split, size, order)
    return curves


def add_subset(curves, wanted, source, split, size, order):
    name = "lca_splits/seed_{}/{}_split_{}_sz_{}.txt".format(wanted.seed, source, split, size)
    curves.paths.append((source, split, size, stage_words.inside(wanted, name)))
    curves.files[name] = "".join("{}\n".format(i) for i in order[:size])


def training_ids(source, split, data, known):
    path = data.split_file("{}_split_{}_train.txt".format(source, split))
    ids = subsets.read_ids(path)
    subsets.check_ids(ids, known, path)
    return ids


def steps_of(wanted, source, rows, notes):
    """The sizes for a study whose training splits have so many rows (or one more)."""
    if wanted.lc_sizes_arr:
        refuse_larger(max(wanted.lc_sizes_arr), "--lc_sizes_arr", source, rows)
        return sorted(set(wanted.lc_sizes_arr))
    smallest, largest = wanted.min_size or MIN_SIZE, wanted.max_size or rows
    refuse_larger(largest, "--max_size", source, rows)
    if wanted.min_size is None and smallest > largest // 2:
        smallest = max(subsets.SMALLEST, largest // 8)
        notes.append("{}: --min_size {} instead of {}, since its training split has {} rows".format(
            source, smallest, MIN_SIZE, rows))
    refuse_larger(smallest, "--min_size", source, largest)
    steps = subsets.sizes(smallest, largest, wanted.lc_sizes, wanted.lc_step_scale)
    subsets.check_sizes(steps, source, wanted.lc_sizes, smallest, wanted.lc_step_scale)
    return steps


def refuse_larger(size, option, source, rows):
    if size > rows:
        raise Refusal("{} {} is larger than the {} rows of {}".format(option, size, rows, source),
                      "{} {} or less".format(option, rows))


def last_is_whole(steps, wanted, rows):
    """The largest size is the whole training split, which may have a row more in one split than in another."""
    return steps if wanted.max_size or wanted.lc_sizes_arr else steps[:-1] + [rows]


def existing_subsets(wanted, data):
    """The subsets that stand in --lca_splits_dir, checked."""
    found, curves = subsets.find_subset_files(os.path.abspath(wanted.lca_splits_dir)), Curves()
    known = subsets.response_ids(data.directory)
    sources = benchmark.choose_studies(wanted.source or sorted(found), data, "--source")
    for source in sources:
        for split in wanted.split or sorted(found.get(source, ())):
            if split not in found.get(source, ()):
                raise Refusal("{} holds no file {}_split_{}_sz_N.txt".format(wanted.lca_splits_dir, source, split),
                              "--source and --split of the files there")
            for size, path in sorted(found[source][split].items()):
                subsets.check_ids(subsets.read_ids(path), known, path)
                curves.paths.append((source, split, size, path))
    return curves


def preprocess(index, source, split, size, path, wanted, data):
    """One task: the data of a subset; validation and test stay whole."""
    name = task_name("ml_data", source, split, size)
    whole = ["{}_split_{}_{}.txt".format(source, split, part) for part in ("val", "test")]
    benchmark.check_split_files(whole, data)
    return Task(name, "preprocess", "preprocess", index, stage_words.preprocess(wanted, data, [path] + whole, name),
                (), source, source, split, size)


def train(index, source, split, size, path, wanted, data):
    name, ml_data = task_name("models", source, split, size), task_name("ml_data", source, split, size)
    return Task(name, "train", "train", index, stage_words.train(wanted, ml_data, name, source),
                (ml_data,), source, source, split, size)


def infer(index, source, split, size, path, wanted, data):
    name, ml_data = task_name("infer", source, split, size), task_name("ml_data", source, split, size)
    model = task_name("models", source, split, size)
    return Task(name, "infer", "infer", index, stage_words.infer(wanted, ml_data, model, name),
                (model, ml_data), source, source, split, size)


def task_name(kind, source, split, size):
    return "{}/{}/split_{}/sz_{}".format(source, kind, split, size)


def main(argv=None):
    """Runs the analysis; returns the exit code."""
    return launch.main("lca", parser(), plan, argv)


if __name__ == "__main__":
    sys.exit(main())
