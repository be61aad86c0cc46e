"""generic: the table of a workflow that has no collector of its own.

    Tree -> infer tasks (train tasks if there are none) -> scores -> all_scores

A task of a plan may have labels, such as {"seed": 3}, each of which is a column.

Files:
    all_scores.csv      a row per result: task, stage, source, target, split, size, labels, metrics
    OUT/report.html     the same, runtimes and failures
"""
from core.metrics import in_order
from core.text import csv_text
from stages.collect.gaps import Report
from stages.collect.scores import read_results, scored_and_missing
from stages.report import page as parts
from stages.report.run import NOTHING, Run, whole_page

FIELDS = ("stage", "source", "target", "split", "size")


def collect(tree, model):
    """Returns the Report of a tree of any workflow; `model` names it if no plan does."""
    tasks = sorted(tree.tasks.values(), key=lambda task: task.name)
    tasks = [task for task in tasks if task.stage == "infer"] or [
        task for task in tasks if task.stage == "train"]
    results = read_results(tree, tree.done(tasks))
    scored, gaps, undefined, notes = scored_and_missing(tree, tasks, results)
    header, *rows = score_table(scored, results)
    table = parts.table(header, rows, "All scores", "scores/all_scores.csv")
    page, _ = whole_page(Run(tree, model, tasks, len(scored), gaps, notes),
                         f"{tree.plan['workflow']} of {model}", "",
                         [parts.section("Scores", table or NOTHING)], {})
    return Report({"all_scores.csv": csv_text(header, rows)}, len(scored), gaps + undefined,
                  "all scores: all_scores.csv", notes, {"report.html": page})


def score_table(tasks, results):
    """Returns the header of all_scores.csv and its rows."""
    metrics = in_order(met for task in tasks for met in results[task.name].scores)
    header = ["task", *FIELDS]
    labels = sorted({name for task in tasks for name in task.labels}.difference(header, metrics))
    return [[*header, *labels, *metrics], *(
        [task.name, *(getattr(task, name) for name in FIELDS), *map(task.labels.get, labels),
         *map(results[task.name].scores.get, metrics)] for task in tasks)]
