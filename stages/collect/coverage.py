"""coverage: how much of each target study a source study has, by the benchmark's own files.

    plan's input_dir: splits/STUDY_all.txt, y_data/response.tsv -> coverage.csv

Examples:
    coverage = coverage_of(tree, tasks)
    coverage.rows       # [('CCLE', 'gCSI', .38, .75, .29), ...]

coverage.csv, in OUT/scores: |S & T| / |T| of whole studies: drugs, cell lines, pairs of both. It is
not written without the benchmark.
"""
import math
import os
from itertools import chain
from typing import NamedTuple

from core.errors import FileError
from core.improve_files import identifiers, read_split, read_table, response_rows
from core.text import csv_text

HEADER = ("src", "trg", "drug_coverage", "cell_line_coverage", "pair_coverage")


class Coverage(NamedTuple):
    """rows: of HEADER, [] without the benchmark; origin: a sentence on the file they are from."""
    rows: list
    origin: str = ""


def coverage_of(tree, tasks):
    """Returns the Coverage of the studies of infer tasks."""
    pairs = sorted({(task.source, task.target) for task in tasks})
    try:
        raw, arguments = tree.plan["input_dir"], tree.plan.get("arguments") or {}
        path = os.path.join(raw, "y_data", arguments.get("y_data_file") or "response.tsv")
        studies = _studies(path, {name: _rows_of(raw, name) for name in set(chain(*pairs))})
    except (FileError, KeyError, TypeError, ValueError, AttributeError):
        return Coverage([])
    rows = [(source, target, *(len(own & other) / len(other) if other else math.nan
                               for own, other in zip(studies[source], studies[target])))
            for source, target in pairs]
    return Coverage(rows, f"Whole studies, from {path}.")


def _rows_of(raw, name):
    """Returns the row numbers of a study; 'A+B' is both together."""
    whole = os.path.join(raw, "splits", f"{name}_all.txt")
    parts = [name] if os.path.exists(whole) else name.split("+")
    return {row for part in parts
            for row in read_split(os.path.join(raw, "splits", f"{part}_all.txt"))}


def _studies(path, rows_of):
    """Returns {study: (its drugs, its cell lines, its pairs of both)}. rows_of: {study: row
    numbers}."""
    header = read_table(path, "\t")[0]
    places, pair_of = list(map(header.index, identifiers(header))), {}
    for number, row in response_rows(path, set(chain(*rows_of.values()))):
        *drugs, cell = (row[place] for place in places)
        pair_of[number] = tuple(sorted(drugs)), cell
    studies = {name: {pair_of[number] for number in numbers if number in pair_of}
               for name, numbers in rows_of.items()}
    return {name: ({drugs for drugs, _ in pairs}, {cell for _, cell in pairs}, pairs)
            for name, pairs in studies.items()}


def coverage_files(found):
    """Returns {'coverage.csv': its text, None without a row}."""
    return {"coverage.csv": csv_text(HEADER, found.rows) if found.rows else None}
