"""csa: the tables of a cross-study analysis.

    Tree -> infer tasks -> scores -> all_scores -> mean, std, densed, generalization

Examples:
    report = collect(Tree("runs/csa_baseline"), "baseline")
    report.files["r2_mean_csa_table.csv"]       # 'src,CCLE,gCSI\\nCCLE,0.75,...'

Files (IMPROVE's names and formats; no value is an empty cell, never a zero):
    all_scores.csv              met,split,value,src,trg,model
    {met}_scores.csv            the same rows of one metric
    {met}_mean_csa_table.csv    sources x targets, mean over splits, 4 decimals
    {met}_std_csa_table.csv     sources x targets, ddof 1, unrounded
    densed_csa_table.csv        within and across studies, pooled over pairs and splits
    mean_std_table.csv          'mean (std)' over splits, to be pasted into a paper
    generalization.csv          G, Gn, Ga, Gna (not IMPROVE's; Partin et al.)
    naive_scores.csv, ...       those of collect/naive.py and collect/coverage.py
"""
import math
import re
from collections import Counter
from typing import NamedTuple

from core.errors import FileError
from core.metrics import METRICS, in_order
from core.task import Task
from core.text import aligned, csv_text
from stages.collect.coverage import coverage_files, coverage_of
from stages.collect.gaps import Gap, Report
from stages.collect.naive import naive_files, old_records, results_and_naive, strata_dicts
from stages.collect.scores import (inference_of, predictions_of, scored_and_missing,
                                   undefined_scores)
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
    tasks, gaps = csa_tasks(tree)
    results, naive = results_and_naive(tree, tree.done(tasks), old_records(tree))
    scored, missing, notes = scored_and_missing(tree, tasks, results)
    notes += unlike_splits(tree, scored)
    gaps += missing
    rows = score_rows(scored, results, model)
    scores = by_metric(rows)
    studies = sorted({task.source for task in tasks}), sorted({task.target for task in tasks})
    coverage = coverage_of(tree, scored)
    page, figures = csa_report.report(
        Run(tree, model, tasks, len(scored), gaps, notes), rows, scores, studies, naive,
        strata_dicts(naive), coverage, clouds_of(tree, scored, results))
    files = dict(csa_files(rows, scores, studies, model), **naive_files(naive),
                 **coverage_files(coverage), **figures)
    return Report(files, len(scored), gaps + undefined_scores(tree, scored, results),
                  shown_table(scores, studies, tasks), notes, {"report.html": page})


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
    """Returns (tasks, gaps): the infer tasks that are planned or exist in the tree.

    Tasks are sorted by source, target, split. If nothing is planned, preprocessed pairs count as
    planned. Adds to `tree` the tasks that no plan names. A directory whose name can be read in two
    ways is a gap.
    """
    gaps, sources = [], {task.source for task in tree.tasks.values()}.union(tree.names("models"))
    for pair, split in _pair_directories(tree):
        at = f"{pair}/split_{split}"
        if f"infer/{at}" not in tree.tasks:
            cut = split_pair(pair, sources)
            if cut:
                source, target = cut
                tree.add_result(f"ml_data/{at}", f"models/{source}/split_{split}", f"infer/{at}",
                                source=source, target=target, split=split)
            else:
                gaps.append(Gap(Task(f"infer/{at}", "infer", split=split), f"infer/{pair}", "infer",
                                "unreadable", UNCLEAR))
    tasks = [task for task in tree.tasks.values()
             if task.stage == "infer" and task.split is not None]
    return sorted(tasks, key=lambda task: (task.source, task.target, task.split)), gaps


def _pair_directories(tree):
    """Returns (pair, split) of each OUT/infer/PAIR/split_K; if nothing is planned, of ml_data,
    too."""
    found = set()
    for top in ("infer",) if tree.planned else ("infer", "ml_data"):
        for pair in tree.names(top):
            for name in tree.names(f"{top}/{pair}"):
                match = re.match(r"split_(0|[1-9][0-9]{0,8})\Z", name)
                if match and "-" in pair:
                    found.add((pair, int(match.group(1))))
    return sorted(found)


def split_pair(pair, sources):
    """Returns (source, target) of a name 'source-target', None if it can be read in two ways.

    A study's name may contain '-': then the source has to be one of `sources`.
    """
    cuts = [(pair[:at], pair[at + 1:]) for at in range(1, len(pair) - 1) if pair[at] == "-"]
    known = [cut for cut in cuts if cut[0] in sources] or cuts
    return known[0] if len(known) == 1 else None


# ---- scores

def score_rows(tasks, results, model):
    """Returns rows of SCORES_HEADER, by pair, metric (in their order) and split, as tasks are."""
    metrics = in_order(met for task in tasks for met in results[task.name].scores)
    rows = [(met, task.split, results[task.name].scores[met], task.source, task.target,
             task.model or model)
            for met in metrics for task in tasks if met in results[task.name].scores]
    return sorted(rows, key=lambda row: row[3:5])


def by_metric(rows):
    """Returns {metric: {(source, target): values of the splits}}, in the order of metrics."""
    return {met: by_pair([row for row in rows if row[0] == met])
            for met in in_order(row[0] for row in rows)}


# ---- tables

def grid(studies, found, cell=str):
    """Returns a row for each source: its name and cell(found[source, target]) of each target, None
    without it."""
    return [[source, *(cell(found[source, target]) if (source, target) in found else None
                       for target in studies[1])] for source in studies[0]]


def csa_files(rows, scores, studies, model):
    """Returns {file name: text}; None for a metric's files if it has no score. scores: as by_metric
    returns them."""
    header = ["src", *studies[1]]
    files = {
        "all_scores.csv": csv_text(SCORES_HEADER, rows),
        "densed_csa_table.csv": csv_text(("met", "mean", "std", "summary", "model"),
                                         densed_rows(rows, model)),
        "generalization.csv": csv_text(
            ("met", "measure", "src", "trg", "value", "targets", "model"),
            [row for met, pairs in scores.items()
             for row in generalization_rows(met, pairs, studies, model)]),
        "mean_std_table.csv": csv_text(["met", *header], [
            [met, *row] for met, pairs in scores.items()
            for row in grid(studies, mean_std(pairs))])}
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


def mean_std(groups):
    """Returns {pair: 'mean (std)'}, all with as many decimals, 2 to 6, as give the typical standard
    deviation two digits."""
    spreads = sorted(spread for spread in map(std, groups.values()) if 0 < spread < math.inf)
    usual = spreads[len(spreads) // 2] if spreads else 0.01
    digits = max(2, min(6, 1 - math.floor(math.log10(usual))))
    return {pair: f"{mean(values):.{digits}f}" + f" ({std(values):.{digits}f})" * bool(values[1:])
            for pair, values in groups.items()}


# ---- text

def shown_table(scores, studies, tasks):
    """Returns the table for the terminal: the mean over splits of SHOWN, else of the first metric.

    tasks: with scores, or that should have them.
    """
    shown = SHOWN if SHOWN in scores else next(iter(scores), SHOWN)
    groups, splits = scores.get(shown), Counter((task.source, task.target) for task in tasks)
    if not groups:
        return f"no {shown}"
    partial = {pair for pair, values in groups.items() if len(values) < splits[pair]}
    cells = {pair: "*" * (pair in partial) + f"{rounded(mean(values)):.4f}"
             for pair, values in groups.items()}
    lines = [["", *studies[1]], *([cell or "-" for cell in row] for row in grid(studies, cells))]
    return (f"{shown}, mean over splits (rows: source, columns: target)\n" + aligned(lines)
            + "\n* some splits are missing" * bool(partial))
