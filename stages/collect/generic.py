"""generic: the tables of a workflow that has no collector of its own.

    Tree -> infer tasks (train tasks if there are none) -> scores -> all_scores, mean and std

A task of a plan may have labels, such as {"seed": 3}, each of which is a column.

Files:
    all_scores.csv      a row per result: task, stage, source, target, split, size, labels, metrics
    OUT/report.html     mean and std per source, target and size, over everything else
"""
import math

from core.metrics import in_order
from core.text import aligned, csv_text
from stages.collect.gaps import Report
from stages.collect.scores import read_results, scored_and_missing, undefined_scores
from stages.report import page as parts
from stages.report.run import NOTHING, Run, whole_page
from stages.stats.generalization import mean, std

FIELDS = ("stage", "source", "target", "split", "size")
HEADER = ("metric", "source", "target", "size", "results", "mean", "std")


def collect(tree, model):
    """Returns the Report of a tree of any workflow; `model` names it if no plan does."""
    tasks = scored_tasks(tree)
    results = read_results(tree, tree.done(tasks))
    scored, gaps, notes = scored_and_missing(tree, tasks, results)
    rows = table_rows(scored, results)
    table = parts.table(HEADER, rows, "Mean and standard deviation over all results of a group",
                        "scores/all_scores.csv")
    page, _ = whole_page(Run(tree, model, tasks, len(scored), gaps, notes),
                         f"{tree.plan['workflow']} of {model}", "",
                         [parts.section("Scores", table or NOTHING)], {})
    return Report({"all_scores.csv": scores_text(scored, results)}, len(scored),
                  gaps + undefined_scores(tree, scored, results), shown_table(rows), notes,
                  {"report.html": page})


def scored_tasks(tree):
    """Returns the infer tasks, or the train tasks if there are none, by name."""
    tasks = sorted(tree.tasks.values(), key=lambda task: task.name)
    return [task for task in tasks if task.stage == "infer"] or [
        task for task in tasks if task.stage == "train"]


def table_rows(tasks, results):
    """Returns rows of HEADER: each metric over all results of a group, without undefined ones; r2
    first."""
    groups = {}
    for task in sorted(tasks, key=lambda task: (task.source, task.target, task.size or 0)):
        for met, value in results[task.name].scores.items():
            if not math.isnan(value):
                groups.setdefault((met, task.source, task.target, task.size), []).append(value)
    rows = [[*group, len(values), mean(values), std(values)] for group, values in groups.items()]
    return sorted(rows, key=lambda row: (row[0] != "r2", row[0]))


def scores_text(tasks, results):
    """Returns all_scores.csv."""
    metrics = in_order(met for task in tasks for met in results[task.name].scores)
    header = ["task", *FIELDS]
    labels = sorted({name for task in tasks for name in task.labels}.difference(header, metrics))
    return csv_text([*header, *labels, *metrics], [
        [task.name, *(getattr(task, name) for name in FIELDS), *map(task.labels.get, labels),
         *map(results[task.name].scores.get, metrics)] for task in tasks])


def shown_table(rows):
    """Returns the rows of the first metric for the terminal."""
    lines = [[f"{cell:.4f}" if isinstance(cell, float) else str(cell or "") for cell in row]
             for row in rows if row[0] == rows[0][0]]
    return aligned([HEADER, *lines]) if lines else "no scores"
