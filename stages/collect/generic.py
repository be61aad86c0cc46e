"""generic: the tables of a workflow that has no collector of its own.

    Tree -> infer tasks (train tasks if there are none) -> scores -> all_scores, mean and std

A task of a plan may have labels, such as {"seed": 3}, each of which is a column.

Files:
    all_scores.csv      a row per result: task, stage, source, target, split, size, labels, metrics
    OUT/report.html     mean and std per source, target and size, over everything else
"""
from core.metrics import in_order
from core.text import aligned, csv_text
from stages.collect.scores import (read_results, scored_and_missing, undefined_notes,
                                   undefined_scores)
from stages.report import page as parts
from stages.report.run import NOTHING, Figures, Run, whole_page
from stages.stats.generalization import mean, std
from stages.collect.gaps import Report

FIELDS = ("task", "stage", "source", "target", "split", "size")
GROUP = ("source", "target", "size")


def collect(tree, model):
    """Returns the Report of a tree of any workflow; `model` names it if no plan does."""
    tasks = scored_tasks(tree)
    results = read_results(tree, tree.done(tasks))
    scored, gaps, notes = scored_and_missing(tree, tasks, results)
    undefined = undefined_scores(tree, scored, results)
    notes += undefined_notes(undefined)
    rows = [dict(task.labels, **results[task.name].scores,
                 **{name: getattr(task, name) for name in FIELDS[1:]}, task=task.name)
            for task in scored]
    metrics = in_order(met for task in scored for met in results[task.name].scores)
    found = {met: grouped(rows, met) for met in sorted(metrics, key=lambda met: met != "r2")}
    page, figures = report(Run(tree, model, tasks, len(scored), gaps, notes), found)
    files = dict(figures, **{"all_scores.csv": scores_text(rows, metrics)})
    gaps += [gap for of_metric in undefined.values() for gap in of_metric]
    return Report(files, len(scored), gaps, shown_table(found), notes, {"report.html": page})


def scored_tasks(tree):
    """Returns the infer tasks, or the train tasks if there are none, by name."""
    tasks = tree.tasks.values()
    stage = "infer" if any(task.stage == "infer" for task in tasks) else "train"
    return sorted((task for task in tasks if task.stage == stage), key=lambda task: task.name)


def grouped(rows, met):
    """Returns {(source, target, size): values of a metric}, without undefined ones."""
    groups = {}
    for row in sorted(rows, key=lambda row: [(row[name] is not None, row[name]) for name in GROUP]):
        if row.get(met) is not None and row[met] == row[met]:
            groups.setdefault(tuple(row[name] for name in GROUP), []).append(row[met])
    return groups


def scores_text(rows, metrics):
    labels = sorted({name for row in rows for name in row} - set(FIELDS) - set(metrics))
    header = [*FIELDS, *labels, *metrics]
    return csv_text(header, [[row.get(name) for name in header] for row in rows])


def table_rows(groups):
    """Returns (header, rows): mean and std of each group; no column without a value."""
    used = [at for at in range(len(GROUP)) if at == 0 or any(key[at] for key in groups)]
    return ([*(GROUP[at] for at in used), "results", "mean", "std"],
            [[*("" if key[at] is None else str(key[at]) for at in used), len(values), mean(values),
              std(values)] for key, values in groups.items()])


def shown_table(found):
    """Returns the table of the first metric for the terminal."""
    for met, groups in found.items():
        header, rows = table_rows(groups)
        cells = [[f"{cell:.4f}" if isinstance(cell, float) else str(cell) for cell in row]
                 for row in rows]
        return f"{met}, over all results of a group\n" + aligned([header, *cells])
    return "no scores"


def report(run, found):
    """Returns (page, {file name: SVG}). found: {metric: {(source, target, size): values}}."""
    figures = Figures(run.tree.synthetic)
    tables = [parts.table(*table_rows(groups), f"{met}: mean and standard deviation of a group",
                          figures.folder + "all_scores.csv") for met, groups in found.items()]
    return whole_page(run, f"{run.tree.plan['workflow']} of {run.model}", "",
                      [parts.section("Scores", *tables or [NOTHING])], figures)
