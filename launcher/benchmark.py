"""benchmark: which studies and splits a benchmark's raw_data holds.

    raw_data/splits/{study}_all.txt, {study}_split_{k}_{train,val,test}.txt
    raw_data/splits/{study}_{cell,drug}_{k}_{train,val,test}.txt    blind splits
    raw_data/y_data/response.tsv

Only names and headers are read here, except for joint sources: CCLE+gCSI is trained on the rows of
both studies, whose split files are merged in OUT/merged_splits/.
"""
import os
import re
from typing import NamedTuple

from core.errors import Refusal
from core.text import as_text
from launcher import subsets

SPLIT_TYPES = ("split", "cell", "drug")     # as the files name them; split: rows at random
# A study's name becomes a directory and an argument; macOS leaves a ._A_all.txt beside A_all.txt.
SPLIT_FILE = re.compile(
    r"([^.-].*)_(?:all|(split|cell|drug)_(0|[1-9]\d*)_(?:train|val|test))\.txt$")
MARKER = "SYNTHETIC_DATA.txt"   # beside splits/ in data that launcher/demo_data.py has made
RAW_DATA = "--input_dir DIR, the benchmark's raw_data with splits/ and y_data/ in it"


class Benchmark(NamedTuple):
    """A benchmark's raw_data. studies: {name: numbers of its splits of this type}"""
    directory: str
    studies: dict
    synthetic: bool
    split_type: str
    y_data_file: str

    def split_file(self, name):
        return f"{self.directory}/splits/{name}"


def is_demo_data(directory):
    """Says whether a raw_data directory holds the synthetic benchmark."""
    return os.path.isfile(f"{directory}/{MARKER}")


def read_benchmark(directory, y_col_name, split_type="split", y_data_file=None):
    """Reads the names in splits/ and the header of the response file; Refusal."""
    splits = f"{directory}/splits"
    try:
        names = sorted(os.listdir(splits))
    except OSError as error:
        raise Refusal(f"no split files: {splits} cannot be read ({error.strerror})", RAW_DATA)
    studies = studies_of(names, split_type)
    if not studies:
        raise Refusal(f"no study in {splits}: it has no file NAME_all.txt or "
                      f"NAME_{split_type}_0_train.txt", RAW_DATA)
    data = Benchmark(directory, studies, is_demo_data(directory), split_type,
                     y_data_file or "response.tsv")
    check_response(data, y_col_name)
    return data


def studies_of(names, split_type="split"):
    """Returns {study: numbers of its splits of this type}; other files are ignored."""
    found = {}
    for name in names:
        match = SPLIT_FILE.match(name)
        if match and as_text(name).isprintable():
            study, kind, number = match.groups()
            numbers = found.setdefault(study, set())
            if kind == split_type:
                numbers.add(int(number))
    return {study: tuple(sorted(numbers)) for study, numbers in sorted(found.items())}


def check_response(data, y_col_name):
    """Refuses a response file that is missing, or lacks the column."""
    path = f"{data.directory}/y_data/{data.y_data_file}"
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            columns = lines.readline(1000000).rstrip("\r\n").split("\t")
    except OSError as error:
        # synergy data have synergy.tsv
        raise Refusal(f"response file {path} cannot be read ({error.strerror})",
                      f"{RAW_DATA}, or --y_data_file with the name of another file in y_data/")
    if y_col_name not in columns:
        raise Refusal(f"response file {path} has no column {y_col_name!r}",
                      f"--y_col_name with one of {', '.join(columns)[:300]}; tabs separate columns")


def choose_studies(wanted, benchmark, option):
    """Returns the studies named by an option, in order; all if none is named. Refusal."""
    for name in wanted or ():
        if name not in benchmark.studies:
            raise Refusal(f"study {name!r} of {option} is not in {benchmark.split_file('')}",
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
        raise Refusal(f"no study in {data.split_file('')} has {data.split_type} splits",
                      f"another --split_type ({', '.join(SPLIT_TYPES)}), or add the files")
    return sources, [f"{study} is no source: it has no file {study}_{data.split_type}_0_train.txt"
                     for study in data.studies if study not in sources]


def members_of(source, data):
    """The studies that a source is made of: two for CCLE+gCSI."""
    return [source] if source in data.studies else source.split("+")


def choose_splits(wanted, source, data):
    """Returns the split numbers asked for, or all that every study of the source has; Refusal."""
    members = members_of(source, data)
    present = set.intersection(*(set(data.studies[study]) for study in members))
    missing = [number for number in wanted or () if number not in present]
    if missing or not present:
        lacking = f"{source}_{data.split_type}_{(missing or [0])[0]}_train.txt"
        hint = f"--split with some of {' '.join(map(str, sorted(present)))}"
        raise Refusal(f"source {source!r} has no split files {lacking} in {data.split_file('')}",
                      hint if present else "another --source or --split_type")
    return sorted(set(wanted or present))


# ---- split files

def part_file(data, source, split, part):
    """Returns the split file of a part: a name in splits/, or a path in OUT if it is merged."""
    name = f"{source}_{data.split_type}_{split}_{part}.txt"
    return name if source in data.studies else f"merged_splits/{name}"


def part_ids(data, source, split, part):
    """Returns the row numbers of a part, of all studies of a joint source in turn; Refusal."""
    ids = [row for study in members_of(source, data)
           for row in subsets.read_ids(data.split_file(part_file(data, study, split, part)))]
    if len(set(ids)) < len(ids):
        raise Refusal(f"the studies of {source} share rows of {data.y_data_file}",
                      "studies of different rows")
    return ids


def merged_files(data, pairs):
    """Returns {name in OUT: text} of the split files of joint sources. pairs: [(source, split)]"""
    return {part_file(data, source, split, part):
            subsets.text_of(part_ids(data, source, split, part))
            for source, split in pairs if source not in data.studies
            for part in ("train", "val", "test")}


def check_split_files(names, data, model_dir):
    """Refuses split files that cannot be read, or that a file in the model's folder shadows."""
    for name in names:
        if "/" in name:     # one that the launcher makes or has read
            continue
        path, shadow = data.split_file(name), f"{model_dir}/{name}"
        if not os.access(path, os.R_OK):
            raise Refusal(f"split file {path} cannot be read",
                          "choose other studies or splits, or add the file")
        if os.path.exists(shadow):
            raise Refusal(f"{shadow} has the name of a split file: a model runs in its own folder, "
                          "and would read this one", "move or rename it")
