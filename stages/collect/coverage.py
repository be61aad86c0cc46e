"""coverage: how much of each target study a source study has, by the benchmark's own files.

    plan's input_dir: splits/STUDY_all.txt, y_data/response.tsv -> rows of coverage.csv:
      |S & T| / |T| of whole studies: drugs, cell lines, pairs of both
"""
import os
from itertools import chain

from core.errors import FileError
from core.improve_files import identifiers, read_split, read_table, response_rows

COVERAGE_HEADER = ("src", "trg", "drug_coverage", "cell_line_coverage", "pair_coverage")


def coverage_of(tree, tasks):
    """Returns rows of COVERAGE_HEADER of the studies of infer tasks, [] without the benchmark."""
    pairs = sorted({(task.source, task.target) for task in tasks})
    try:
        raw, arguments = tree.plan["input_dir"], tree.plan.get("arguments") or {}
        path = os.path.join(raw, "y_data", arguments.get("y_data_file") or "response.tsv")
        studies = _studies(path, {name: _rows_of(raw, name) for name in set(chain(*pairs))})
        return [(source, target, *(len(own & other) / len(other) for own, other in zip(
            studies[source], studies[target]))) for source, target in pairs]
    except (FileError, KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError):
        return []


def _rows_of(raw, name):
    """Returns the row numbers of a study; 'A+B' is both together."""
    whole = os.path.join(raw, "splits", f"{name}_all.txt")
    parts = [name] if os.path.exists(whole) else name.split("+")
    return {row for part in parts
            for row in read_split(os.path.join(raw, "splits", f"{part}_all.txt"))}


def _studies(path, rows_of):
    """Returns {study: (its drugs, its cell lines, its pairs of both)}. rows_of: {study: row
    numbers}."""
    header = next(read_table(path, "\t"))
    places, pair_of = list(map(header.index, identifiers(header))), {}
    for number, row in response_rows(path, set(chain(*rows_of.values()))):
        *drugs, cell = (row[place] for place in places)
        pair_of[number] = tuple(sorted(drugs)), cell
    studies = {name: {pair_of[number] for number in numbers if number in pair_of}
               for name, numbers in rows_of.items()}
    return {name: ({drugs for drugs, _ in pairs}, {cell for _, cell in pairs}, pairs)
            for name, pairs in studies.items()}
