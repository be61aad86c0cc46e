#!/usr/bin/env python3
"""workflow_lca: would a drug-response model get better with more data?

    for every source study, split and size of the training set:
        preprocess -> train -> infer -> one learning curve with a fit per source

Writes OUT/{source}/{ml_data,models,infer}/ as IMPROVE does, and OUT/scores/
(OUT is runs/lca_MODEL).

To draw the curve of one study (with --dry_run: to see its sizes), or of two:
  python3 workflow_lca.py --source gCSI
  python3 workflow_lca.py --source gCSI CCLE --lc_sizes 8 --min_size 256
To run a model of your own, or an INI file of IMPROVE's in the model's folder:
  python3 workflow_lca.py --model graphdrp --model_dir ~/GraphDRP --env graphdrp
  python3 ~/workflows/workflow_lca.py --config_file lca_bruteforce_params.ini
To use subsets that IMPROVE's generator wrote:
  python3 workflow_lca.py --lca_splits_dir lca_splits
To continue, to see the state, to make tables of it:
  the same command again; with --status; python3 stages/collect_scores.py OUT
Exit code: 0 done, 1 some task failed, 2 refused before anything was started.
"""
import glob
import os
import random
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # also under PYTHONSAFEPATH
from launcher import benchmark, launch      # first: it refuses an old Python
from launcher.improve_stages import infer, preprocess, train
from launcher.options import option
from launcher.tasks import Plan, Row
from core.errors import Refusal

MIN_SIZE = 128   # rows; IMPROVE's own default
SMALLEST = 2     # rows; one leaves nothing to learn from
SEED = 42        # of the shuffle
SUBSET_FILE = re.compile(r".*/(.+)_split_(0|[1-9]\d*)_sz_([1-9]\d*)\.txt$")
OPTIONS = [
    option("lc_sizes=N", "number of sizes, each the same factor larger (10)", default=10),
    option("min_size=N", "smallest size (128 rows; an eighth of a small study)"),
    option("lc_sizes_arr=N...", "these sizes and no others"),
    option("lca_splits_dir=DIR", "subsets of IMPROVE's generator"),
]


def plan(options, data):
    """Returns the Plan of the analysis with the split files that it needs; Refusal."""
    subsets_of = existing_subsets if options.lca_splits_dir else made_subsets
    paths, files, notes = subsets_of(options, data)
    files.update(benchmark.merged_files(data, dict.fromkeys(key[:2] for key in paths)))
    tasks = []
    for index, ((source, split, size), path) in enumerate(paths.items()):
        row = Row(index, source, source, split, size)
        ml_data, model, results = ("{}/{}/split_{}/sz_{}".format(source, kind, split, size)
                                   for kind in ("ml_data", "models", "infer"))
        # validation and test parts stay whole
        tasks += [preprocess(options, data, row, "preprocess", ml_data, train=path),
                  train(options, row, "train", model, ml_data),
                  infer(options, row, "infer", results, ml_data, model)]
    return Plan(tasks, files, notes)


# ---- subsets: {(source, split, size): path}, {name in OUT: text} of files to write, notes

def made_subsets(options, data):
    """Nested subsets of every training split, prefixes of one shuffle that is the same on every
    machine and Python, in files named as by IMPROVE's generator."""
    paths, files = {}, {}
    sources, notes = benchmark.choose_sources(options, data)
    for source in sources:
        # Sizes come from all splits of a study, so that they do not depend on the splits chosen.
        rows = {split: benchmark.part_ids(data, source, split, "train")
                for split in benchmark.choose_splits(None, source, data)}
        steps = steps_of(options, source, min(map(len, rows.values())))
        for split in benchmark.choose_splits(options.split, source, data):
            order = benchmark.in_random_order(
                random.Random("{} {} {}".format(SEED, source, split)), sorted(rows[split]))
            if not options.lc_sizes_arr:
                steps[-1] = len(order)      # the whole split; some have a row more than others
            for size in steps:
                name = "lca_splits/seed_{}/{}_{}_{}_sz_{}.txt".format(
                    SEED, source, options.split_type, split, size)
                paths[source, split, size] = name
                files[name] = benchmark.text_of(order[:size])
    return paths, files, notes


def steps_of(options, source, count):
    """The sizes for a study whose training splits have so many rows (or one more): each the same
    factor above the one before; those that coincide after rounding are one."""
    smallest = options.min_size or (
        MIN_SIZE if MIN_SIZE <= count // 2 else max(SMALLEST, count // 8))
    asked = max(options.lc_sizes_arr or [smallest])
    if asked > count:
        raise Refusal("a size of {} rows is more than the {} of {}".format(asked, count, source),
                      "sizes of {} or less".format(count))
    places = [at / (options.lc_sizes - 1) for at in range(options.lc_sizes - 1)] + [1]
    return sorted(options.lc_sizes_arr or {round(smallest * (count / smallest) ** place)
                                           for place in places})


def existing_subsets(options, data):
    """The subsets in --lca_splits_dir; IMPROVE's generator names those of blind splits like those
    of others."""
    folder, paths = options.lca_splits_dir, {}
    matches = map(SUBSET_FILE.match, glob.glob(glob.escape(folder) + "/*"))
    found = {(match.group(1), int(match.group(2)), int(match.group(3))): match.group(0)
             for match in matches if match}
    for source in options.source or sorted({source for source, _, _ in found}) or ["NAME"]:
        for split in options.split or ["K"]:    # K: any split
            own = {key: found[key] for key in sorted(found)
                   if key[0] == source and split in (key[1], "K")}
            if not own:
                raise Refusal("{} has no file {}_split_{}_sz_N.txt".format(folder, source, split),
                              "--source and --split of its files")
            paths.update(own)
    return paths, {}, []


WORKFLOW = launch.Workflow("lca", __doc__, plan, OPTIONS)

if __name__ == "__main__":
    sys.exit(launch.main(WORKFLOW))
