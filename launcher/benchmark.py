"""benchmark: which studies and splits a benchmark's raw_data holds.

    raw_data/splits/{study}_all.txt, {study}_split_{k}_{train,val,test}.txt
    raw_data/y_data/response.tsv

Only names and headers are read here; row numbers are the models' business.
"""
import os
import re
from typing import Dict, NamedTuple, Tuple

from launcher import demo_data
from launcher.refusal import Refusal

SPLIT_FILE = re.compile(r"(.+)_split_(0|[1-9]\d*)_(train|val|test)\.txt$")
ALL_FILE = re.compile(r"(.+)_all\.txt$")


class Benchmark(NamedTuple):
    """A benchmark's raw_data: its directory, and the split numbers of each study."""
    directory: str
    studies: Dict[str, Tuple[int, ...]]
    synthetic: bool

    def split_file(self, name):
        return os.path.join(self.directory, "splits", name)


def read_benchmark(directory, y_col_name):
    """Reads the names in splits/ and the header of response.tsv; raises Refusal."""
    splits = os.path.join(directory, "splits")
    try:
        names = sorted(os.listdir(splits))
    except OSError as error:
        raise Refusal(f"no split files: {splits} cannot be read ({error.strerror})",
                      "--input_dir DIR, the benchmark's raw_data with splits/ and y_data/ in it")
    studies = studies_of(names)
    if not studies:
        raise Refusal(f"no study in {splits}: there is no file NAME_all.txt or NAME_split_0_train.txt",
                      "--input_dir DIR, the benchmark's raw_data with splits/ and y_data/ in it")
    check_response(directory, y_col_name)
    return Benchmark(directory, studies, demo_data.is_demo_data(directory))


def studies_of(names):
    """{study: split numbers} of the file names in splits/; other files are passed over."""
    found = {}
    for name in names:
        split, whole = SPLIT_FILE.match(name), ALL_FILE.match(name)
        if split:
            found.setdefault(split.group(1), set()).add(int(split.group(2)))
        elif whole:
            found.setdefault(whole.group(1), set())
    for study in found:
        check_study_name(study)
    return {study: tuple(sorted(numbers)) for study, numbers in sorted(found.items())}


def check_study_name(study):
    # The name becomes a directory and a word of a command line.
    if study[0] in ".-" or not study.isprintable():
        raise Refusal(f"study {study!r} has a name that starts with '.' or '-' or cannot be printed",
                      "a name of letters and digits for its split files")


def check_response(directory, y_col_name):
    path = os.path.join(directory, "y_data", "response.tsv")
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            columns = lines.readline(1_000_000).rstrip("\r\n").split("\t")
    except OSError as error:
        raise Refusal(f"response file {path} cannot be read ({error.strerror})",
                      "--input_dir DIR, the benchmark's raw_data with splits/ and y_data/ in it")
    if y_col_name not in columns:
        raise Refusal(f"response file {path} has no column {y_col_name!r}",
                      f"--y_col_name with one of {', '.join(columns)[:300]}")


def choose_studies(wanted, benchmark, option):
    """The studies named by an option, in order and once each; all where none is named."""
    for name in wanted or ():
        if name not in benchmark.studies:
            raise Refusal(f"study {name!r} of {option} is not in {benchmark.split_file('')}",
                          f"one of {', '.join(benchmark.studies)}")
    return list(dict.fromkeys(wanted or benchmark.studies))


def choose_splits(wanted, source, benchmark):
    """The split numbers asked for, or all that the source has."""
    present = benchmark.studies[source]
    if not present:
        raise Refusal(f"study {source!r} has no split files {source}_split_0_train.txt",
                      "another --source")
    missing = [k for k in wanted or () if k not in present]
    if missing:
        raise Refusal(f"split {missing[0]} of study {source!r} is not in {benchmark.split_file('')}",
                      f"--split with some of {' '.join(map(str, present))}")
    return sorted(set(wanted or present))


def check_split_files(names, benchmark):
    """Every split file that a run would read is there and readable."""
    for name in sorted(set(names)):
        path = benchmark.split_file(name)
        if not os.access(path, os.R_OK) or not os.path.isfile(path):
            raise Refusal(f"split file {path} cannot be read",
                          "other studies or splits, or add the file")
