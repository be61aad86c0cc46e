"""benchmark: which studies and splits a benchmark's raw_data holds, and whether it has changed.

    raw_data/splits/{study}_all.txt, {study}_split_{k}_{train,val,test}.txt
    raw_data/splits/{study}_{cell,drug}_{k}_{train,val,test}.txt    blind splits
    raw_data/y_data/response.tsv

The rows of split files are read for joint sources only: CCLE+gCSI is trained on the rows of both
studies, whose split files are merged in OUT/merged_splits/.
"""
import os
import re
from typing import NamedTuple

from core.errors import FileError, Refusal
from core.files import fingerprint, same_content
from core.improve_files import read_split, read_table
from core.text import as_text

SPLIT_TYPES = ("split", "cell", "drug")     # as the files name them; split: rows at random
# A study's name becomes a directory and an argument; macOS leaves a ._A_all.txt beside A_all.txt.
SPLIT_FILE = re.compile(
    r"([^.-].*)_(?:all|(split|cell|drug)_(0|[1-9]\d*)_(?:train|val|test))\.txt$")
MARKER = "SYNTHETIC_DATA.txt"   # beside splits/ in data that launcher/demo_data.py has made
FOLDERS = ("y_data", "x_data")
RAW_DATA = "--input_dir DIR, the benchmark's raw_data with splits/ and y_data/ in it"


class Benchmark(NamedTuple):
    """A benchmark's raw_data. studies: {name: numbers of its splits of this type}"""
    directory: str
    splits: str
    studies: dict
    synthetic: bool
    split_type: str
    y_data_file: str


def read_benchmark(options):
    """Reads the names in splits/ and the header of the response file; Refusal."""
    directory, split_type = options.input_dir, options.split_type
    splits, found = f"{directory}/splits", {}
    try:
        names = sorted(os.listdir(splits))
    except OSError as error:
        raise Refusal(f"no split files: {splits} cannot be read ({error.strerror})", RAW_DATA)
    for name in names:      # others are ignored
        match = SPLIT_FILE.match(name)
        if match and as_text(name).isprintable():
            study, kind, number = match.groups()
            numbers = found.setdefault(study, set())
            if kind == split_type:
                numbers.add(int(number))
    if not found:
        raise Refusal(f"no study in {splits}: it has no file NAME_all.txt or "
                      f"NAME_{split_type}_0_train.txt", RAW_DATA)
    data = Benchmark(directory, splits, {study: sorted(found[study]) for study in sorted(found)},
                     os.path.isfile(f"{directory}/{MARKER}"), split_type,
                     options.y_data_file or "response.tsv")
    check_response(data, options.y_col_name)
    return data


def check_response(data, y_col_name):
    """Refuses a response file that is missing, or lacks the column."""
    folder = f"{data.directory}/y_data"
    path = f"{folder}/{data.y_data_file}"
    try:
        columns = next(read_table(path, "\t"))
    except FileError as error:      # synergy data have synergy.tsv
        others = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        raise Refusal(f"response file {error}", "--y_data_file with one of " + ", ".join(others)
                      if others else RAW_DATA)
    if len(columns) == 1 and "," in columns[0]:
        raise Refusal(f"response file {path} separates its columns by commas",
                      "write it with tabs")
    if y_col_name not in columns:
        raise Refusal(f"response file {path} has no column {y_col_name!r}",
                      f"--y_col_name with one of {', '.join(columns)[:300]}")


def choose_studies(wanted, benchmark, option):
    """Returns the studies named by an option, in order; all if none is named. Refusal."""
    for name in wanted or ():
        if name not in benchmark.studies:
            raise Refusal(f"study {name!r} of {option} is not in {benchmark.splits}",
                          f"one of {', '.join(benchmark.studies)}")
    return list(wanted or benchmark.studies)


def choose_sources(options, data):
    """Returns (sources, notes): of --source, else all with splits; a note names the others."""
    for source in options.source or ():
        choose_studies(members_of(source, data), data, "--source")
    if options.source:
        return options.source, []
    sources = [study for study, numbers in data.studies.items() if numbers]
    if not sources:
        raise Refusal(f"no study in {data.splits} has {data.split_type} splits",
                      f"another --split_type ({', '.join(SPLIT_TYPES)}), or add the files")
    return sources, [f"{study} is no source: it has no file {study}_{data.split_type}_0_train.txt"
                     for study in data.studies if study not in sources]


def members_of(source, data):
    """The studies that a source is made of: two for CCLE+gCSI."""
    return [source] if source in data.studies else source.split("+")


def choose_splits(wanted, source, data):
    """Returns the split numbers asked for, or all that every study of the source has; Refusal."""
    present = set.intersection(*(set(data.studies[each]) for each in members_of(source, data)))
    missing = [number for number in wanted or () if number not in present]
    if missing or not present:
        lacking = f"{source}_{data.split_type}_{(missing or [0])[0]}_train.txt"
        hint = f"--split with some of {' '.join(map(str, sorted(present)))}"
        raise Refusal(f"source {source!r} has no split files {lacking} in {data.splits}",
                      hint if present else "another --source or --split_type")
    return sorted(set(wanted or present))


# ---- split files

def read_ids(path):
    """Returns the row numbers in a split file; Refusal for anything else."""
    try:
        return read_split(path)
    except FileError as error:
        raise Refusal(f"split file {error}", "other studies or splits, or mend the file")


def text_of(ids):
    """Returns the text of a split file."""
    return "".join(f"{i}\n" for i in ids)


def in_random_order(generator, items):
    """Fisher and Yates' shuffle over random(), whose sequence no Python version changes, unlike
    Random.shuffle."""
    items = list(items)
    for last in range(len(items) - 1, 0, -1):
        other = int(generator.random() * (last + 1))
        items[last], items[other] = items[other], items[last]
    return items


def part_file(data, source, split, part):
    """Returns the split file of a part: a name in splits/, or a path in OUT if it is merged."""
    name = f"{source}_{data.split_type}_{split}_{part}.txt"
    return name if source in data.studies else f"merged_splits/{name}"


def part_ids(data, source, split, part):
    """Returns the row numbers of a part, of all studies of a joint source in turn; Refusal."""
    ids = [row for study in members_of(source, data)
           for row in read_ids(f"{data.splits}/{part_file(data, study, split, part)}")]
    if len(set(ids)) < len(ids):
        raise Refusal(f"the studies of {source} share rows of {data.y_data_file}",
                      "studies of different rows")
    return ids


def merged_files(data, pairs):
    """Returns {name in OUT: text} of the split files of joint sources. pairs: [(source, split)]"""
    return {part_file(data, source, split, part): text_of(part_ids(data, source, split, part))
            for source, split in pairs if source not in data.studies
            for part in ("train", "val", "test")}


def check_unchanged(data, tasks, tree, options):
    """Returns {y_data: {'y_data/response.tsv': fingerprint}, x_data: {...}}, as files are now.

    Refusal: they have changed since done results were made from them, and the user has not decided
    what to do. Of split files, the runner records what it read, and core/rules.py compares. Results
    of launches without fingerprints (older versions, other programs) count as they are.
    """
    known = recorded(tree.launches[-1].plan) if tree.launches else {}
    found = {folder: {} for folder in FOLDERS}
    for folder in FOLDERS:
        path = f"{data.directory}/{folder}"
        for file in sorted(os.listdir(path)) if os.path.isdir(path) else ():
            name = f"{folder}/{file}"
            found[folder][name] = fingerprint(f"{path}/{file}", known.get(name))
    if options.redo == "preprocess" or options.adopt_data:
        return found
    now = recorded({"fingerprints": found})
    changed = {launch.id: name for launch in tree.launches
               for name, value in recorded(launch.plan).items()
               if not same_content(value, now.get(name))}   # launch -> a file that changed since
    # The newest launch that took a result as valid vouches for it.
    adopted = {task.name: launch.id for launch in tree.launches
               if launch.plan.get("data_adopted") is True for task in launch.tasks}
    affected = []       # (task name, a file that has changed since)
    for task in tasks:
        status = tree.status(task.name)
        if task.stage != "collect" and status and status.state == "done":
            launch = max(status.launch, adopted.get(task.name, ""))
            affected += [(task.name, changed[launch])] if launch in changed else []
    if affected:
        first, file = affected[0]
        raise Refusal(f"{file} has changed since {len(affected)} of these tasks were done, {first} "
                      "first", "--redo preprocess to make them anew, or --adopt_data to take the "
                      "results as valid")
    return found


def recorded(plan):
    """Returns {'y_data/response.tsv': fingerprint} of a plan, {} if it has none."""
    try:
        return {name: value for folder in FOLDERS
                for name, value in plan["fingerprints"][folder].items()}
    except (AttributeError, KeyError, TypeError):
        return {}
