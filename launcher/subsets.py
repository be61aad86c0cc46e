"""subsets: training sets of growing size, for learning curves.

    training split + sizes -> nested prefixes of one seeded shuffle of its rows
    {source}_split_{k}_sz_{n}.txt, as IMPROVE's generator names them

The same seed gives the same subsets on every machine and Python.
"""
import csv
import glob
import random
import re
from collections import Counter

from core.errors import FileError, Refusal
from core.improve_files import read_split

SUBSET_FILE = re.compile(r".*/(.+)_split_(0|[1-9]\d*)_sz_([1-9]\d*)\.txt$")
SCALES = ("log", "log2", "log10", "linear")


def read_ids(path):
    """Returns the row numbers in a split file; Refusal for anything else, or a number twice."""
    try:
        ids = read_split(path)
    except FileError as error:
        raise Refusal(f"split file {error}", "other studies or splits, or mend the file")
    twice = [row for row, count in Counter(ids).items() if count > 1]
    if twice:
        raise Refusal(f"split file {path} holds row {twice[0]} twice", "every row number once")
    return ids


def text_of(ids):
    """Returns the text of a split file."""
    return "".join(f"{i}\n" for i in ids)


def responses(path, y_col_name):
    """Returns {row number: text of the response} of a response file.

    The number of a row is its value in the column split_id, else its place in the file, from 0 on.
    """
    with open(path, encoding="utf-8", errors="replace", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {int(row["split_id"]) if str(row.get("split_id")).isdigit() else number:
                row[y_col_name] for number, row in enumerate(rows)}


def check_ids(ids, known, path):
    """Refuses a row number that the response file lacks."""
    for row in ids:
        if row not in known:
            raise Refusal(f"split file {path} holds row {row}, which the response file lacks",
                          "split files and response file of the same benchmark")


def sizes(smallest, largest, count, scale):
    """Returns the sizes from smallest to largest, the latter included.

    log: `count` sizes, each a constant factor apart; linear: a constant step apart; those that
    coincide after rounding are one. log2, log10: the powers of 2 or 10 in between, the `count`
    largest of them.
    """
    if scale in ("log2", "log10"):
        powers = [int(scale[3:]) ** k for k in range(largest.bit_length())]
        return ([n for n in powers if smallest <= n < largest] + [largest])[-count:]
    places = [at / (count - 1) for at in range(count - 1)] + [1]
    return sorted({round(smallest + (largest - smallest) * place if scale == "linear" else
                         smallest * (largest / smallest) ** place) for place in places})


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
