"""subsets: training sets of growing size, for learning curves.

    training split + sizes -> nested prefixes of one seeded shuffle of its rows, drugs or cell lines
    {source}_split_{k}_sz_{n}.txt, as IMPROVE's generator names them

The same seed gives the same subsets on every machine and Python.
"""
import math
import os
import re

from launcher.refusal import Refusal

SUBSET_FILE = re.compile(r"(.+)_(split|cell|drug)_(0|[1-9]\d*)_sz_([1-9]\d*)\.txt$")
SCALES = ("log", "log2", "log10", "linear")
UNITS = {"row": "rows", "cell": "cell lines", "drug": "drugs"}      # what sizes are counted in
COLUMNS = {"cell": "improve_sample_id", "drug": "improve_chem_id"}
SMALLEST = 2    # rows: one would leave nothing to learn from


def read_ids(path):
    """The row numbers in a split file; raises Refusal for what is none, or stands there twice."""
    try:
        with open(path, encoding="ascii") as file:
            words = file.read().split()
        ids = [int(word) for word in words]
    except OSError as error:
        raise Refusal(f"split file {path} cannot be read ({error.strerror})", "other studies or splits, or add the file")
    except ValueError:
        raise Refusal(f"split file {path} holds something that is no row number", "one whole number a line")
    if len(set(ids)) < len(ids):
        seen = set()
        twice = next(i for i in ids if i in seen or seen.add(i))
        raise Refusal(f"split file {path} holds row {twice} twice", "every row number once")
    return ids


def text_of(ids):
    """What a split file of these row numbers holds."""
    return "".join(f"{i}\n" for i in ids)


def response_ids(path):
    """The row numbers that a response file has: 0 to its last row, or its split_id column."""
    with open(path, encoding="utf-8", errors="replace") as lines:
        header = next(lines).rstrip("\r\n").split("\t")
        if "split_id" in header:
            at = header.index("split_id")
            cells = (line.rstrip("\r\n").split("\t")[at] for line in lines if line.strip())
            return {int(cell) for cell in cells if cell.isdigit()}
        return range(sum(1 for line in lines if line.strip()))


def names_of(path, column):
    """{row number: name in a column} of a response file; raises Refusal without that column."""
    import csv      # here, since only learning curves over drugs or cell lines need it
    with open(path, encoding="utf-8", errors="replace", newline="") as file:
        lines = csv.reader(file, delimiter="\t")
        header = next(lines, [])
        if column not in header:
            raise Refusal(f"{path} has no column {column}", "a response file that has it, or --subset_by row")
        at, number = header.index(column), header.index("split_id") if "split_id" in header else None
        rows = (cells for cells in lines if len(cells) == len(header))
        return {row if number is None else int(cells[number]): cells[at] for row, cells in enumerate(rows)}


def rows_of(chosen, ids, names):
    """The row numbers, in the order of ids, whose name is one of those chosen."""
    chosen = set(chosen)
    return [i for i in ids if names[i] in chosen]


def check_ids(ids, known, path):
    strange = next((i for i in ids if i not in known), None)
    if strange is not None:
        raise Refusal(f"split file {path} holds row {strange}, which the response file lacks",
                      "split files and response file of the same benchmark")


def sizes(smallest, largest, count, scale):
    """The sizes from smallest to largest; the last one is largest.

    log: `count` sizes, each a constant factor apart; linear: a constant step apart;
    log2, log10: the powers of 2 or 10 in between, the `count` largest of them.
    """
    if scale in ("log2", "log10"):
        base = int(scale[3:])
        powers = [base ** k for k in range(math.ceil(math.log(largest, base)) + 1)]
        return ([n for n in powers if smallest <= n < largest] + [largest])[-count:]
    if count == 1:
        return [largest]
    places = [at / (count - 1) for at in range(count)]
    if scale == "linear":
        return [int(round(smallest + (largest - smallest) * place)) for place in places]
    return [int(round(smallest * (largest / smallest) ** place)) for place in places]


def check_sizes(chosen, source, count, smallest, scale):
    """Sizes that coincide after rounding are refused, with a number that works."""
    if len(set(chosen)) == len(chosen):
        return
    fewer = max(n for n in range(1, count) if len(set(sizes(smallest, chosen[-1], n, scale))) == n)
    raise Refusal(f"--lc_sizes {count} from {smallest} to {chosen[-1]} rows of {source} give a size twice",
                  f"--lc_sizes {fewer}, or a smaller --min_size")


def shuffled(ids, seed, source, split):
    """The ids in the one seeded order of this source and split.

    Fisher and Yates' shuffle over random(), whose sequence no Python version changes.
    """
    import random       # here, since only learning curves need it
    generator = random.Random(f"{seed} {source} {split}")
    order = sorted(ids)
    for last in range(len(order) - 1, 0, -1):
        other = int(generator.random() * (last + 1))
        order[last], order[other] = order[other], order[last]
    return order


def find_subset_files(directory, split_type="split"):
    """{source: {split: {size: path}}} of a directory of existing subsets; raises Refusal.

    IMPROVE's generator writes _split_ into the names of blind ones, too: they count if no other name does.
    """
    try:
        names = sorted(os.listdir(directory))
    except OSError as error:
        raise Refusal(f"--lca_splits_dir {directory} cannot be read ({error.strerror})", "a directory with split files")
    matches = [match for match in map(SUBSET_FILE.match, names) if match]
    named = split_type if any(match.group(2) == split_type for match in matches) else "split"
    found = {}
    for match in matches:
        if match.group(2) == named:
            source, split, size = match.group(1), int(match.group(3)), int(match.group(4))
            found.setdefault(source, {}).setdefault(split, {})[size] = os.path.join(directory, match.group(0))
    if not found:
        raise Refusal(f"--lca_splits_dir {directory} holds no file NAME_split_K_sz_N.txt",
                      "a directory of IMPROVE's generator, or no --lca_splits_dir")
    return found
