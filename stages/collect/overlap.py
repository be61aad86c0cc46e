"""overlap: how much of each target study a source study holds, and the scores of rows seen and unseen.

    records of collect/naive.py -> strata.csv
    plan's input_dir: splits/STUDY_all.txt, y_data/response.tsv, else the tree's predictions -> coverage.csv

Examples:
    files = strata_files(naive)
    coverage = coverage_of(tree, tasks)         # Coverage(rows=[('CCLE', 'gCSI', .38, .75, .29), ...], origin='...')

Files, in OUT/scores:
    strata.csv      a line for each result, drug seen or not, cell line seen or not in its training set
    coverage.csv    |S & T| / |T| of whole studies: drugs, cell lines, pairs of both
"""
import os
from typing import NamedTuple

from common.improve_files import CELL, DRUG, Column, FileError, read_split, read_table
from common.tables import csv_text
from stats.overlap import FIELDS, coverage
from tree.scores import inference_of, predictions_of

STRATA_HEADER = ("src", "trg", "split") + FIELDS
COVERAGE_HEADER = ("src", "trg", "drug_coverage", "cell_line_coverage", "pair_coverage")


class Coverage(NamedTuple):
    """rows: of COVERAGE_HEADER; origin: a sentence on what the studies were taken from, '' without rows."""
    rows: list
    origin: str = ""


# ---- strata

def is_strata(rows):
    """Says whether a value of an old record is what stats.overlap.strata returns."""
    return len(rows) == 4 and all(len(row) == len(FIELDS) and all(isinstance(cell, (int, float)) for cell in row[2:])
                                  for row in rows)


def strata_rows(naive):
    """Returns rows of STRATA_HEADER, without strata that have no rows; in a learning curve with the size behind the split."""
    return [(row[0], row[1], row[2], *([] if row[3] is None else [row[3]]), *stratum)
            for row, record in zip(naive.rows, naive.records) for stratum in record["strata"] if stratum[2]]


def strata_dicts(naive):
    """Returns the rows of a cross-study analysis as dicts."""
    return [dict(zip(STRATA_HEADER, row)) for row in strata_rows(naive)]


def strata_files(naive):
    """Returns {'strata.csv': its text, None without a row}."""
    rows = strata_rows(naive)
    sized = bool(rows) and len(rows[0]) > len(STRATA_HEADER)
    header = STRATA_HEADER[:3] + ("size",) * sized + STRATA_HEADER[3:]
    return {"strata.csv": csv_text(header, rows) if rows else None}


# ---- coverage

def coverage_of(tree, tasks):
    """Returns the Coverage of the studies of infer tasks."""
    pairs = sorted({(task.source, task.target) for task in tasks})
    names = sorted({name for pair in pairs for name in pair})
    origin = "benchmark"
    try:
        studies = _of_benchmark(tree, names)
        origin = f"Whole studies, from {os.path.join(str(tree.plan['input_dir']), 'y_data', 'response.tsv')}."
    except (FileError, OSError, KeyError, ValueError, TypeError, IndexError):
        bundled = _bundled(tree, pairs)
        if bundled:
            return Coverage(bundled, "Whole studies, as coverage.csv of the bundle has them.")
        studies = _of_tree(tree, tasks, names)
        origin = ("The benchmark's response file cannot be read here, so the studies are taken from the predictions in this "
                  "tree: a study that is no other one's target is its test rows only.")
    rows = [(source, target, *map(coverage, studies[source], studies[target])) for source, target in pairs
            if source in studies and target in studies]
    return Coverage(rows, origin if rows else "")


def _bundled(tree, pairs):
    """Returns the rows of coverage.csv that a bundle brought, None if it has none for these pairs."""
    try:
        rows = list(read_table(tree.path("scores/coverage.csv"), ",")[1]) if os.path.exists(tree.path("bundle.json")) else []
        rows = [(source, target, *(float(cell or "nan") for cell in cells)) for source, target, *cells in rows]
    except (FileError, ValueError):
        return None
    return rows if rows and {row[:2] for row in rows} == set(pairs) else None


def coverage_files(found):
    """Returns {'coverage.csv': its text, None without a row}."""
    return {"coverage.csv": csv_text(COVERAGE_HEADER, found.rows) if found.rows else None}


def _of_benchmark(tree, names):
    """Returns {study: (drugs, cell lines, pairs)} as its splits/STUDY_all.txt says; 'A+B' is both together."""
    top, arguments = tree.plan["input_dir"], tree.plan.get("arguments") or {}
    path = os.path.join(top, "y_data", arguments.get("y_data_file") or "response.tsv")
    drugs, cells = _identifiers(path, "\t")
    return {name: _sets([drugs[row] for row in rows], [cells[row] for row in rows])
            for name in names for rows in [_rows_of(top, name)]}


def _identifiers(path, delimiter):
    header, rows = read_table(path, delimiter)
    drug, cell, drugs, cells = header.index(DRUG), header.index(CELL), Column(), Column()
    if "split_id" in header:
        at = header.index("split_id")
        found = {int(row[at]): (row[drug], row[cell]) for row in rows}
        return {row: pair[0] for row, pair in found.items()}, {row: pair[1] for row, pair in found.items()}
    for row in rows:
        drugs.extend([row[drug]])
        cells.extend([row[cell]])
    return drugs.rows, cells.rows


def _rows_of(top, name):
    whole = os.path.join(top, "splits", f"{name}_all.txt")
    parts = [name] if os.path.exists(whole) else name.split("+")
    return [row for part in parts for row in read_split(os.path.join(top, "splits", f"{part}_all.txt"))]


def _sets(drugs, cells):
    return set(drugs), set(cells), set(zip(drugs, cells))


def _of_tree(tree, tasks, names):
    """Returns the same from predictions: those of another source hold a whole study, its own hold a test part each."""
    found = {}
    for name in names:
        others = [task for task in tasks if task.target == name and task.source != name]
        own = [task for task in tasks if task.target == name and task.source == name]
        for task in others[:1] or own:
            sets = _of_predictions(tree, task)
            if sets:
                found[name] = tuple(map(set.union, found.get(name, (set(), set(), set())), sets))
    return found


def _of_predictions(tree, task):
    try:
        predictions = predictions_of(inference_of(tree, task), ids=True)()
    except FileError:
        return None
    if predictions.drugs is None or predictions.cells is None:
        return None
    return _sets(predictions.drugs, predictions.cells)
