"""disk_space: whether what a campaign will write fits, as far as the benchmark's size can tell.

    split files, response file, x_data -> the least and a generous number of bytes -> compared with what is free

The least: each preprocessing copies the rows of its split files. Generous: it keeps all of x_data as well.
"""
import os
import shutil

from launcher import fingerprints
from launcher.refusal import Refusal
from launcher.checking.stage_help import NotChecked

GIGABYTE = 1e9


def check(tasks, data, files, out, existing):
    """A sentence; raises Refusal if it is too little, NotChecked if nobody can know. tasks: those that run;
    files: {name in OUT: text} that are not written yet; existing: the part of OUT that exists"""
    chosen = [task for task in tasks if task.stage == "preprocess"]
    free = shutil.disk_usage(existing).free
    least = bytes_of_rows(chosen, data, files, out)
    generous = least + len(chosen) * size_of(os.path.join(data.directory, "x_data"))
    if free < least:
        raise Refusal(f"{gigabytes(free)} are free in {existing}, and the rows of the split files alone take {gigabytes(least)}",
                      "--output_dir on a larger disk, or fewer studies and splits")
    if free < generous:
        raise NotChecked(f"{gigabytes(free)} are free in {existing}; {len(chosen)} preprocessings take from {gigabytes(least)} "
                         f"(their rows) to {gigabytes(generous)} (all of x_data in each), as the model has it")
    return f"{gigabytes(free)} free, about {gigabytes(generous)} at most for {len(chosen)} preprocessings"


def bytes_of_rows(tasks, data, files, out):
    """Bytes of the response rows that the preprocessings copy."""
    known, rows = {}, 0
    for task in tasks:
        for word in fingerprints.split_words(task.words):
            if word not in known:
                text = files.get(fingerprints.split_name(word, out))
                known[word] = lines_of(data.split_file(word)) if text is None else text.count("\n")
            rows += known[word]
    return rows * os.path.getsize(data.response_file) // max(1, lines_of(data.response_file))


def lines_of(path):
    with open(path, "rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def size_of(directory):
    """Bytes of the files in a directory; 0 if there is none."""
    if not os.path.isdir(directory):
        return 0
    return sum(entry.stat().st_size for entry in os.scandir(directory) if entry.is_file())


def gigabytes(count):
    return f"{count / GIGABYTE:.1f} GB" if count >= GIGABYTE else f"{count / 1e6:.1f} MB"
