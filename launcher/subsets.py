"""subsets: training sets of growing size, for learning curves.

    training split + sizes -> nested prefixes of one seeded shuffle of its rows
    {source}_split_{k}_sz_{n}.txt, as IMPROVE's generator names them

The same seed gives the same subsets on every machine and Python.
"""
import glob
import random
import re

from core.errors import FileError, Refusal
from core.improve_files import read_split

SUBSET_FILE = re.compile(r".*/(.+)_split_(0|[1-9]\d*)_sz_([1-9]\d*)\.txt$")


def read_ids(path):
    """Returns the row numbers in a split file; Refusal for anything else."""
    try:
        return read_split(path)
    except FileError as error:
        raise Refusal(f"split file {error}", "other studies or splits, or mend the file")


def text_of(ids):
    """Returns the text of a split file."""
    return "".join(f"{i}\n" for i in ids)


def sizes(smallest, largest, count):
    """Returns `count` sizes, smallest and largest included, each the same factor above the one
    before; those that coincide after rounding are one."""
    places = [at / (count - 1) for at in range(count - 1)] + [1]
    return sorted({round(smallest * (largest / smallest) ** place) for place in places})


def shuffled(ids, seed, source, split):
    """Returns the ids in the one seeded order of this source and split."""
    return in_random_order(random.Random(f"{seed} {source} {split}"), sorted(ids))


def in_random_order(generator, items):
    """Fisher and Yates' shuffle over random(), whose sequence no Python version changes, unlike
    Random.shuffle."""
    items = list(items)
    for last in range(len(items) - 1, 0, -1):
        other = int(generator.random() * (last + 1))
        items[last], items[other] = items[other], items[last]
    return items


def find_subset_files(directory):
    """Returns {(source, split, size): path}, sorted, of a directory of IMPROVE's generator, which
    names the subsets of blind splits like those of others; Refusal."""
    matches = map(SUBSET_FILE.match, glob.glob(f"{glob.escape(directory)}/*"))
    found = {(match.group(1), int(match.group(2)), int(match.group(3))): match.group(0)
             for match in matches if match}
    if not found:
        raise Refusal(f"--lca_splits_dir {directory} holds no file NAME_split_K_sz_N.txt",
                      "a directory of IMPROVE's generator, or no --lca_splits_dir")
    return dict(sorted(found.items()))
