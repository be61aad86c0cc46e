"""generic: the tables of a workflow that has no collector of its own.

    Tree -> infer tasks (train tasks if there are none) -> scores -> all_scores, mean and std

A task of a plan may have labels, such as {"seed": 3}, each of which is a column.

Files:
    all_scores.csv      a row per result: task, stage, source, target, split, size, labels, metrics
    runtimes.csv        seconds by source and stage
    OUT/report.html     mean and std per source, target and size, over everything else
"""
import statistics

from common.metrics import in_order
from common.tables import aligned, csv_text
from report import charts
from report import page as parts
from report.csa import FIRST, words_of
from report.run import NOTHING, Figures, Run, runtimes, whole_page
from stats.generalization import mean, std
from tree.results_tree import Report
from tree.scores import read_results, scored_and_missing

FIELDS = ("task", "stage", "source", "target", "split", "size")
GROUP = ("source", "target", "size")
RUNTIMES_HEADER = ("source", "stage", "tasks", "median", "longest", "sum")


def collect(tree, model):
    """Returns the Report of a tree of any workflow; `model` names it if no plan does."""
    tasks = scored_tasks(tree)
    results = read_results(tree, [task for task in tasks if tree.verdict(task.name).state == "done"])
    scored, gaps, notes = scored_and_missing(tree, tasks, results)
    rows = [dict(task.labels, **results[task.name].scores, **fields_of(task)) for task in scored]
    there = in_order(met for task in scored for met in results[task.name].scores)
    found = {met: grouped(rows, met) for met in [met for met in FIRST if met in there] + [met for met in there if met not in FIRST]}
    page, figures = report(Run(tree, model, tasks, len(scored), gaps, notes), found)
    files = dict(figures, **{"all_scores.csv": scores_text(rows, there), "runtimes.csv": runtimes_text(tree)})
    return Report(files, len(scored), gaps, shown_table(found), notes, {"report.html": page})


def scored_tasks(tree):
    """Returns the infer tasks, or the train tasks if there are none, in the order of their names."""
    stage = "infer" if any(task.stage == "infer" for task in tree.tasks.values()) else "train"
    return sorted((task for task in tree.tasks.values() if task.stage == stage), key=lambda task: task.name)


def fields_of(task):
    return dict(task=task.name, stage=task.stage, source=task.source, target=task.target, split=task.split, size=task.size)


def grouped(rows, met):
    """Returns {(source, target, size): values of a metric}, without those that are undefined."""
    groups = {}
    for row in sorted(rows, key=lambda row: [(row[name] is not None, row[name]) for name in GROUP]):
        if row.get(met) is not None and row[met] == row[met]:
            groups.setdefault(tuple(row[name] for name in GROUP), []).append(row[met])
    return groups


# ---- files

def scores_text(rows, metrics):
    labels = sorted({name for row in rows for name in row} - set(FIELDS) - set(metrics))
    header = [*FIELDS, *labels, *metrics]
    return csv_text(header, [[row.get(name) for name in header] for row in rows])


def runtimes_text(tree):
    return csv_text(RUNTIMES_HEADER, [
        (source, stage, len(seconds), statistics.median(seconds), max(seconds), sum(seconds))
        for (source, stage), seconds in runtimes(tree).items()])


# ---- what is shown

def table_rows(groups):
    """Returns (header, rows): the mean and the standard deviation of each group; no column without a value."""
    used = [at for at, name in enumerate(GROUP) if at == 0 or any(key[at] is not None for key in groups)]
    return ([GROUP[at] for at in used] + ["results", "mean", "std"],
            [[*("" if key[at] is None else str(key[at]) for at in used), len(values), mean(values), std(values)]
             for key, values in groups.items()])


def shown_table(found):
    if not found:
        return "no scores"
    met, groups = next(iter(found.items()))
    header, rows = table_rows(groups)
    cells = [[f"{cell:.4f}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    return f"{met}, over all results of a group\n" + aligned([header, *cells])


def report(run, found):
    """Returns (page, {file name: SVG}). found: {metric: {(source, target, size): values}}."""
    figures, sections = Figures(run.tree.synthetic), []
    for met, groups in found.items():
        table = parts.table(*table_rows(groups), f"{met}, over all results of a group")
        if not sections:
            strips = [charts.Strip(" ".join(str(name) for name in key if name is not None), values)
                      for key, values in groups.items()]
            drawn = figures.add(f"{met}.svg", charts.strips, strips, f"{met} of every result", points="results", x_label=met)
            sections.append(parts.section(f"Scores: {met}", parts.paragraph(words_of(met)), parts.figures([table, drawn])))
        else:
            sections.append(parts.details(met, parts.paragraph(words_of(met)), table))
    shown = sections[:1] + ([parts.section("Other metrics", *sections[1:])] if sections[1:] else [])
    return whole_page(run, f"{run.tree.plan['workflow']} of {run.model}", "",
                      shown or [parts.section("Scores", NOTHING)], figures, "generic")
