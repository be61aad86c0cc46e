"""benchmark: which studies and splits a benchmark's raw_data holds.

    raw_data/splits/{study}_all.txt, {study}_split_{k}_{train,val,test}.txt
    raw_data/splits/{study}_{cell,drug}_{k}_{train,val,test}.txt    blind splits
    raw_data/y_data/response.tsv

Only names and headers are read here; row numbers are the models' business, but for joint sources:
CCLE+gCSI is trained on the rows of both studies, whose split files are merged in OUT/merged_splits/.
"""
import functools
import os
import re
from typing import Dict, NamedTuple, Tuple

from launcher import config_file, subsets
from launcher.refusal import Refusal

SPLIT_TYPES = ("split", "cell", "drug")     # as the files name them; split: rows at random
SPLIT_FILE = re.compile(r"(.+)_(split|cell|drug)_(0|[1-9]\d*)_(train|val|test)\.txt$")
ALL_FILE = re.compile(r"(.+)_all\.txt$")
MARKER = "SYNTHETIC_DATA.txt"   # beside splits/ in data that launcher/demo_data.py has made


class Benchmark(NamedTuple):
    """A benchmark's raw_data: its directory, and each study's numbers of the splits of this type."""
    directory: str
    studies: Dict[str, Tuple[int, ...]]
    synthetic: bool
    split_type: str = "split"
    y_data_file: str = "response.tsv"

    def split_file(self, name):
        return f"{self.directory}/splits/{name}"

    @property
    def response_file(self):
        return os.path.join(self.directory, "y_data", self.y_data_file)


def is_demo_data(directory):
    """Whether a raw_data directory holds the synthetic benchmark."""
    return os.path.isfile(os.path.join(directory, MARKER))


def read_benchmark(directory, y_col_name, split_type="split", y_data_file=None):
    """Reads the names in splits/ and the header of the response file; raises Refusal."""
    refuse_preprocessed(directory)
    splits = os.path.join(directory, "splits")
    try:
        names = sorted(os.listdir(splits))
    except OSError as error:
        raise Refusal(f"no split files: {splits} cannot be read ({error.strerror})",
                      "--input_dir DIR, the benchmark's raw_data with splits/ and y_data/ in it")
    studies = studies_of(names, split_type)
    if not studies:
        raise Refusal(f"no study in {splits}: there is no file NAME_all.txt or NAME_{split_type}_0_train.txt",
                      "--input_dir DIR, the benchmark's raw_data with splits/ and y_data/ in it")
    data = Benchmark(directory, studies, is_demo_data(directory), split_type, y_data_file or "response.tsv")
    check_response(data.response_file, y_col_name)
    return data


def refuse_preprocessed(directory):
    """IMPROVE's own hyperparameter search trains on the output of preprocess; here preprocess is a task."""
    if os.path.isfile(os.path.join(directory, "train_y_data.csv")):
        raise Refusal(f"--input_dir {directory} is preprocessed data, and the workflow preprocesses itself",
                      "--input_dir with the benchmark's raw_data, and --source and --split of this data")


def studies_of(names, split_type="split"):
    """{study: numbers of its splits of this type} of the file names in splits/; other files are ignored."""
    found = {}
    for name in names:
        split, whole = SPLIT_FILE.match(name), ALL_FILE.match(name)
        if split:
            numbers = found.setdefault(split.group(1), set())
            if split.group(2) == split_type:
                numbers.add(int(split.group(3)))
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


def check_response(path, y_col_name):
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


def choose_sources(options, data):
    """(sources, notes): those of --source, studies or joint ones; else all that have splits, and a note names the others."""
    if options.source:
        for source in options.source:
            check_members(source, data)
        return list(dict.fromkeys(options.source)), []
    without = [study for study, numbers in data.studies.items() if not numbers]
    if len(without) == len(data.studies):
        raise Refusal(f"no study has {data.split_type} splits: there is no file NAME_{data.split_type}_0_train.txt in "
                      + data.split_file(""), f"another --split_type, or add the files ({', '.join(SPLIT_TYPES)} are known)")
    notes = [f"{study} is no source: it has no file {study}_{data.split_type}_0_train.txt" for study in without]
    return [study for study in data.studies if study not in without], notes


def check_members(source, data):
    members = members_of(source, data)
    if len(members) > 1 and len(set(members)) < len(members):
        raise Refusal(f"{source!r} of --source names a study twice", "each study once")
    choose_studies(members, data, "--source")


def members_of(source, data):
    """The studies that a source is made of: two for CCLE+gCSI."""
    return [source] if source in data.studies else source.split("+")


def choose_splits(wanted, source, data):
    """The split numbers asked for, or all that the source has: those of every study in it."""
    members = members_of(source, data)
    for study in members:
        if not data.studies[study]:
            raise Refusal(f"study {study!r} has no split files {study}_{data.split_type}_0_train.txt",
                          "another --source" if data.split_type == "split" else "another --source, or another --split_type")
    present = set.intersection(*(set(data.studies[study]) for study in members))
    missing = [k for k in wanted or () if k not in present]
    if missing or not present:
        raise Refusal(f"split {missing[0] if missing else 0} of study {source!r} is not in {data.split_file('')}",
                      f"--split with some of {' '.join(map(str, sorted(present)))}" if present else "another --source")
    return sorted(set(wanted or present))


def left_out_notes(options, workflow, data, sources, targets=()):
    """What IMPROVE would have filled in for the keys that an INI file leaves out."""
    splits = {split for source in sources for split in choose_splits(options.split, source, data)}
    return config_file.left_out_notes(options, workflow, {"source": len(sources), "target": len(targets), "split": len(splits)})


# ----------------------------------------------------------------- split files

def part_file(options, data, source, split, part):
    """The split file of a part (train, val, test): its name in splits/, or the absolute path of a merged one."""
    name = f"{source}_{data.split_type}_{split}_{part}.txt"
    return name if source in data.studies else os.path.join(options.output_dir, "merged_splits", name)


def part_ids(data, source, split, part):
    """The row numbers of a part; those of a joint source are its studies' one after the other. Raises Refusal."""
    paths = [data.split_file(f"{study}_{data.split_type}_{split}_{part}.txt") for study in members_of(source, data)]
    ids = [row for path in paths for row in subsets.read_ids(path)]
    if len(set(ids)) < len(ids):
        raise Refusal(f"the studies of {source} share rows of {data.y_data_file}: {', '.join(paths)}",
                      "studies of different rows")
    return ids


def merged_files(data, pairs):
    """{name in OUT: text} of the split files of joint sources. pairs: (source, split) each."""
    joint = [pair for pair in pairs if pair[0] not in data.studies]
    return {f"merged_splits/{source}_{data.split_type}_{split}_{part}.txt": subsets.text_of(part_ids(data, source, split, part))
            for source, split in joint for part in ("train", "val", "test")}


@functools.lru_cache(maxsize=None)
def is_readable(path):
    return os.access(path, os.R_OK) and os.path.isfile(path)


def check_split_files(names, data):
    """Every split file in splits/ that a run would read exists and is readable."""
    for path in [data.split_file(name) for name in names if not name.startswith("/")]:
        if not is_readable(path):
            raise Refusal(f"split file {path} cannot be read",
                          "other studies or splits, or add the file")
