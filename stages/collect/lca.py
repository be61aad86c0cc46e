"""lca: the tables and figures of a learning-curve analysis.

    Tree -> infer tasks -> scores -> all_scores -> median per size -> fit -> figure

Files:
    all_scores.csv              metric,shard,value,split,model,dataset (IMPROVE's)
    learning_curve.csv          source, metric, size in rows, n_splits, median, q25, q75
    learning_curve_fit.csv      learning_curve.CSV_COLUMNS, for the error metrics
    learning_curve_{metric}.svg and OUT/report.html (stages/report/lca.py)
"""
import itertools
import math
import os
import re
from contextlib import suppress

from core.errors import FileError
from core.improve_files import read_split
from core.metrics import direction, in_order
from core.text import aligned, as_text
from stages.collect.gaps import Report
from stages.collect.scores import naive_files, results_and_naive, run_of
from stages.collect.tables import csv_text
from stages.report import lca as lca_report
from stages.stats.generalization import quantile
from stages.stats.learning_curve import CSV_COLUMNS, Curve, csv_row, fit_power_law

SCORES_HEADER = ("metric", "shard", "value", "split", "model", "dataset")
CURVE_HEADER = ("source", "metric", "size", "n_splits", "median", "q25", "q75")
SHOWN = {               # columns of the table on the terminal, and what they are in the CSV file
    "source": "source", "rows": "full_size", "fitted": "predicted_full", "at twice": "predicted_2x",
    "95 % from": "low_95_2x", "to": "high_95_2x", "gain, %": "gain_percent",
    "back-test, %": "backtest_error_percent", "asymptote": "asymptote_identified"}


def collect(tree, model):
    """Returns the Report of an LCA tree; `model` names it if no plan does."""
    tasks = lca_tasks(tree)
    results, naive = results_and_naive(tree, tree.done(tasks))
    run, scored = run_of(tree, model, tasks, results)
    curves = curves_of(scored, results, points_of_curves(tasks, whole_sizes(tree, tasks)))
    page, figures = lca_report.report(run, curves, naive)
    scores = [(metric, task.size, value, task.split, task.model or model, task.source)
              for task in scored for metric, value in results[task.name].scores.items()]
    points = [(curve.source, curve.metric, size, *summary(by_split.values()))
              for curve in curves for size, by_split in curve.sizes.items()]
    laws = [csv_row(curve).values() for curve in curves if curve.fit]
    files = {"all_scores.csv": csv_text(SCORES_HEADER, scores),
             "learning_curve.csv": csv_text(CURVE_HEADER, points),
             "learning_curve_fit.csv": csv_text(CSV_COLUMNS, laws),
             **naive_files(naive), **figures}
    return Report(run, files, shown_table(curves), {"report.html": page})


def lca_tasks(tree):
    """Returns the infer tasks that are planned or exist in the tree, by source, split, size."""
    for folder in [*(f"{name}/" for name in tree.names("")), ""]:
        # in a tree of IMPROVE's own workflow, OUT itself is the source
        source = folder[:-1] or as_text(os.path.basename(os.path.abspath(tree.out)))
        for at in (f"{split}/{size}" for split in tree.names(f"{folder}infer")
                   for size in tree.names(f"{folder}infer/{split}")):
            match = re.match(r"split_(\d{1,9})/sz_(\d{1,9})\Z", at)
            if match:
                split, size = map(int, match.groups())
                tree.add_result(*(f"{folder}{top}/{at}" for top in ("ml_data", "models", "infer")),
                                source=source, target=source, split=split, size=size)
    tasks = [task for task in tree.tasks.values()
             if task.stage == "infer" and None not in (task.source, task.split, task.size)]
    return sorted(tasks, key=lambda task: (task.source, task.split, task.size))


def whole_sizes(tree, tasks):
    """Returns {(source, split): rows of its whole training part}, if the benchmark is there."""
    found, kind = {}, (tree.plan.get("arguments") or {}).get("split_type")
    for source, split in {(task.source, task.split) for task in tasks}:
        name = f"{source}_{kind}_{split}_train.txt"
        for folder in (f"{tree.plan.get('input_dir')}/splits", tree.path("merged_splits")):
            with suppress(FileError):
                found[source, split] = len(read_split(f"{folder}/{name}"))
    return found


def points_of_curves(tasks, wholes):
    """Returns {name of a task: size of the curve's point}. tasks: by source, split, size; wholes:
    as whole_sizes returns them

    The same size is the same point, and so are the whole training sets of a source, though they may
    differ by some rows between splits: the point is named after the largest of them. Without the
    benchmark, a whole set is larger than every size that has a larger one in its split.
    """
    points = {}
    for _, own in itertools.groupby(tasks, key=lambda task: task.source):
        own = list(own)
        largest_of = {task.split: task.size for task in own}
        step = max([task.size for task in own if task.size < largest_of[task.split]],
                   default=math.inf)
        whole = [task for task in own if task.size == wholes.get((task.source, task.split))
                 or (task.source, task.split) not in wholes and task.size > step]
        points.update((task.name, task.size) for task in own)
        points.update((task.name, max(task.size for task in whole)) for task in whole)
    return points


def curves_of(tasks, results, points):
    """Returns the Curves by metric and source."""
    found = {}
    for task in sorted(tasks, key=lambda task: (task.source, task.size, task.split)):
        for metric, score in results[task.name].scores.items():
            sizes = found.setdefault(metric, {}).setdefault(task.source, {})
            sizes.setdefault(points[task.name], {})[task.split] = score
    return [Curve(source, metric, sizes,
                  fit_power_law(sizes) if direction(metric) == "lower" else None)
            for metric in in_order(found) for source, sizes in found[metric].items()]


def summary(values):
    """Returns how many are numbers, their median, lower and upper quartile; None without any."""
    known = sorted(value for value in values if value == value)     # nan is left out
    return [len(known), *(quantile(known, share) if known else None for share in (0.5, 0.25, 0.75))]


def shown_table(curves):
    """Returns the table for the terminal: what the fit says for each source."""
    rows = list(map(csv_row, lca_report.main_curves(curves)))
    if not rows:
        return "no error metric to fit"
    lines = [list(SHOWN), *(map(row.get, SHOWN.values()) for row in rows)]
    return "\n".join([
        f"{rows[0]['metric']} by the power law fitted to medians over splits, at the largest size "
        "and at twice the rows;\nback-test: how far the law without the largest size misses the "
        "median there; asymptote: is it identified", aligned(lines),
        *[f"{row['source']}: {row['warning']}" for row in rows if row["warning"]]])
