"""coverage: how much of each target study a source study has, by the benchmark's own files.

    plan's input_dir: splits/STUDY_all.txt, y_data/response.tsv -> coverage.csv

Examples:
    coverage = coverage_of(tree, tasks)
    coverage.rows       # [('CCLE', 'gCSI', .38, .75, .29), ...]

coverage.csv, in OUT/scores: |S & T| / |T| of whole studies: drugs, cell lines, pairs of both. It is
not written without the benchmark.
"""
import os
from itertools import chain
from typing import NamedTuple

from core.errors import FileError
from core.improve_files import identifiers, read_split, read_table, response_rows
from core.text import csv_text
from stages.stats.overlap import coverage

HEADER = ("src", "trg", "drug_coverage", "cell_line_coverage", "pair_coverage")


class Coverage(NamedTuple):
    """rows: of HEADER; origin: a sentence on the file they are from, '' without rows."""
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
    rows = [(source, target, *map(coverage, studies[source], studies[target]))
            for source, target in pairs]
    return Coverage(rows, f"Whole studies, from {path}." if rows else "")


def _rows_of(raw, name):
    """Returns the row numbers of a study; 'A+B' is both together."""
    whole = os.path.join(raw, "splits", f"{name}_all.txt")
    parts = [name] if os.path.exists(whole) else name.split("+")
    return {row for part in parts
            for row in read_split(os.path.join(raw, "splits", f"{part}_all.txt"))}


def _studies(path, rows_of):
    """Returns {study: its drugs, its cell lines, its pairs of both}. rows_of: {study: row
    numbers}."""
    header = read_table(path, "\t")[0]
    places = list(map(header.index, identifiers(header)))
    names_of, pairs = {}, {name: set() for name in rows_of}
    for name, numbers in rows_of.items():
        for number in numbers:
            names_of.setdefault(number, []).append(name)
    for number, row in response_rows(path, names_of):
        *drugs, cell = (row[place] for place in places)
        for name in names_of[number]:
            pairs[name].add((tuple(sorted(drugs)), cell))
    return {name: ({drug for drug, _ in found}, {cell for _, cell in found}, found)
            for name, found in pairs.items()}


def coverage_files(found):
    """Returns {'coverage.csv': its text, None without a row}."""
    return {"coverage.csv": csv_text(HEADER, found.rows) if found.rows else None}
