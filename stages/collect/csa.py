"""csa: the tables of a cross-study analysis.

    Tree -> infer tasks -> scores -> all_scores -> mean, std, densed, generalization

Files (IMPROVE's names and formats; no value is an empty cell, never a zero):
    all_scores.csv              met,split,value,src,trg,model
    {met}_scores.csv            the same rows of one metric
    {met}_mean_csa_table.csv    sources x targets, mean over splits, 4 decimals
    {met}_std_csa_table.csv     sources x targets, ddof 1, unrounded
    densed_csa_table.csv        within and across studies, pooled over pairs and splits
    generalization.csv          G, Gn, Ga, Gna (not IMPROVE's; Partin et al.)
    strata.csv                  scores of each result by drug seen or not, cell line seen or not
    naive_scores.csv, ...       those of collect/naive.py and collect/coverage.py
"""
import re
from collections import Counter
from typing import NamedTuple

from core.errors import FileError
from core.metrics import METRICS, in_order
from core.task import Task
from core.text import aligned, csv_text
from stages.collect.coverage import COVERAGE_HEADER, coverage_of
from stages.collect.gaps import Report
from stages.collect.naive import STRATA_HEADER, naive_files, results_and_naive, strata_of
from stages.collect.scores import inference_of, predictions_of, scored_and_missing
from stages.collect.unlike import unlike_splits
from stages.report import csa as csa_report
from stages.report.run import Run
from stages.stats.generalization import (by_pair, densed_rows, generalization_rows, mean, rounded,
                                         std)

SCORES_HEADER = ("met", "split", "value", "src", "trg", "model")
SHOWN = "r2"            # the metric of the table on the terminal
MOST_POINTS = 400       # of a pair that are drawn
UNCLEAR = ("its name does not say where the source ends and the target begins, nor does a plan or "
           "a directory models/SOURCE")


class Cloud(NamedTuple):
    """True and predicted responses of a task: an even sample; rows: how many there are; scores: of
    all."""
    task: Task
    true: list
    pred: list
    rows: int
    scores: dict


def collect(tree, model):
    """Returns the Report of a CSA tree; `model` names it if no plan does."""
    tasks = csa_tasks(tree)
    results, naive = results_and_naive(tree, tree.done(tasks))
    scored, gaps, undefined, notes = scored_and_missing(tree, tasks, results)
    notes += [*dict.fromkeys(tree.notes), *unlike_splits(tree, scored)]
    rows = score_rows(scored, results, model)
    # {metric: {(source, target): values of the splits}}
    scores = {met: by_pair([row for row in rows if row[0] == met])
              for met in in_order(row[0] for row in rows)}
    studies = sorted({task.source for task in tasks}), sorted({task.target for task in tasks})
    strata, shares = strata_of(naive), coverage_of(tree, scored)
    page, figures = csa_report.report(
        Run(tree, model, tasks, len(scored), gaps, notes), rows, scores, studies, naive, strata,
        shares, clouds_of(tree, scored, results))
    files = {**csa_files(rows, scores, studies, model), **naive_files(naive), **figures,
             "strata.csv": csv_text(STRATA_HEADER, map(dict.values, strata)) if strata else None,
             "coverage.csv": csv_text(COVERAGE_HEADER, shares) if shares else None}
    return Report(files, len(scored), gaps + undefined, shown_table(scores, studies, tasks), notes,
                  {"report.html": page})


def clouds_of(tree, tasks, results):
    """Returns a Cloud of each pair: of its first split whose predictions can be read; of many rows
    every n-th."""
    found = {}
    for task in tasks:
        pair = task.source, task.target
        try:
            if pair not in found:
                true, pred, *_ = predictions_of(inference_of(tree, task))()
                step = -(-len(true) // MOST_POINTS)
                found[pair] = Cloud(task, true[::step], pred[::step], len(true),
                                    results[task.name].scores)
        except FileError:
            pass            # the result's own problem says so
    return list(found.values())


# ---- which tasks there are

def csa_tasks(tree):
    """Returns the infer tasks that are planned or exist in the tree, by source, target, split.

    If nothing is planned, preprocessed pairs count as planned. Adds to `tree` the tasks that no
    plan names, and a note on a directory whose name can be read in two ways.
    """
    sources = {task.source for task in tree.tasks.values()}.union(tree.names("models"))
    found = {f"{pair}/{split}" for top in ("infer", *([] if tree.planned else ["ml_data"]))
             for pair in tree.names(top) for split in tree.names(f"{top}/{pair}")}
    for at in sorted(found):
        match = re.match(r"(.*-.*)/split_(0|[1-9][0-9]{0,8})\Z", at)
        if match and f"infer/{at}" not in tree.tasks:
            pair, split = match.group(1), int(match.group(2))
            cut = split_pair(pair, sources)
            if cut:
                tree.add_result(f"ml_data/{at}", f"models/{cut[0]}/split_{split}", f"infer/{at}",
                                source=cut[0], target=cut[1], split=split)
            else:
                tree.notes.append(f"infer/{pair} is ignored: {UNCLEAR}")
    tasks = [task for task in tree.tasks.values()
             if task.stage == "infer" and task.split is not None]
    return sorted(tasks, key=lambda task: (task.source, task.target, task.split))


def split_pair(pair, sources):
    """Returns (source, target) of a name 'source-target', None if it can be read in two ways.

    A study's name may contain '-': then the source has to be one of `sources`.
    """
    cuts = [(pair[:dash.start()], pair[dash.end():]) for dash in re.finditer("(?<=.)-(?=.)", pair)]
    known = [cut for cut in cuts if cut[0] in sources] or cuts
    return known[0] if len(known) == 1 else None


# ---- scores

def score_rows(tasks, results, model):
    """Returns rows of SCORES_HEADER, by pair, metric (in their order) and split, as tasks are."""
    rows = [(met, task.split, value, task.source, task.target, task.model or model)
            for task in tasks for met, value in results[task.name].scores.items()]
    metrics = in_order(row[0] for row in rows)
    return sorted(rows, key=lambda row: (*row[3:5], metrics.index(row[0])))


# ---- tables

def grid(studies, found, cell=str):
    """Returns a row for each source: its name and cell(found[source, target]) of each target, None
    without it."""
    return [[source, *(cell(found[source, target]) if (source, target) in found else None
                       for target in studies[1])] for source in studies[0]]


def csa_files(rows, scores, studies, model):
    """Returns {file name: text}; None for a metric's files if it has no score."""
    header = ["src", *studies[1]]
    files = {
        "all_scores.csv": csv_text(SCORES_HEADER, rows),
        "densed_csa_table.csv": csv_text(("met", "mean", "std", "summary", "model"),
                                         densed_rows(rows, model)),
        "generalization.csv": csv_text(
            ("met", "measure", "src", "trg", "value", "targets", "model"),
            [row for met, pairs in scores.items()
             for row in generalization_rows(met, pairs, studies, model)])}
    for met in in_order([*METRICS, *scores]):        # old files of a metric without scores go
        pairs = scores.get(met, {})
        means = grid(studies, pairs, lambda values: rounded(mean(values)))
        for name, text in (("mean_csa_table", csv_text(header, means)),
                           ("std_csa_table", csv_text(header, grid(studies, pairs, std))),
                           ("scores", csv_text(SCORES_HEADER,
                                               [row for row in rows if row[0] == met]))):
            # a model may give a metric any name
            files[f"{met}_{name}.csv".replace("/", "-")] = text if met in scores else None
    return files


# ---- text

def shown_table(scores, studies, tasks):
    """Returns the table for the terminal: the mean over splits of SHOWN, else of the first metric.

    tasks: with scores, or that should have them.
    """
    shown = SHOWN if SHOWN in scores else next(iter(scores), SHOWN)
    groups, splits = scores.get(shown, {}), Counter((task.source, task.target) for task in tasks)
    partial = {pair for pair, values in groups.items() if len(values) < splits[pair]}
    cells = {pair: "*" * (pair in partial) + f"{rounded(mean(values)):.4f}"
             for pair, values in groups.items()}
    lines = [["", *studies[1]], *grid(studies, cells)]
    return (f"{shown}, mean over splits (rows: source, columns: target)\n" + aligned(lines)
            + "\n* some splits are missing" * bool(partial))
