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
    strata.csv, coverage.csv    those of collect/overlap.py
    generalization.csv          G, Gn, Ga, Gna (not IMPROVE's; Partin et al.)
"""
import os
import re
from typing import NamedTuple

from report import csa as csa_report
from report.run import Run
from collect import naive as naive_scores
from collect import overlap
from stats.generalization import by_pair, densed_rows, generalization_rows, mean, rounded, std
from common.improve_files import FileError
from common.metrics import METRICS, in_order
from common.refusal import Refusal
from tree.plans import Task
from tree.scores import inference_of, predictions_of, scored_and_missing
from tree.results_tree import Gap, Report
from common.tables import aligned, csv_text

SCORES_HEADER = ("met", "split", "value", "src", "trg", "model")
SHOWN = "r2"            # the metric of the table on the terminal


class Cloud(NamedTuple):
    """True and predicted responses of one split of a pair."""
    source: str
    target: str
    split: int
    true: list
    pred: list


def collect(tree, model, scatter=()):
    """Returns the Report of a CSA tree; `model` names it if no plan does.

    scatter: [(source, target)] whose responses are drawn against predictions; none are those within a study.
    """
    tasks, gaps = csa_tasks(tree)
    done = [task for task in tasks if tree.verdict(task.name).state == "done"]
    results, naive = naive_scores.results_and_naive(tree, done, naive_scores.old_records(tree))
    scored, missing, notes = scored_and_missing(tree, tasks, results)
    gaps += missing
    rows = score_rows(scored, results, model)
    studies = sorted({task.source for task in tasks}), sorted({task.target for task in tasks})
    run = Run(tree, model, tasks, len(scored), gaps, notes)
    coverage = overlap.coverage_of(tree, scored)
    page, figures = csa_report.report(run, rows, studies, naive, overlap.strata_dicts(naive), coverage,
                                      clouds_of(tree, scored, scatter))
    files = dict(csa_files(rows, studies, model), **naive_scores.naive_files(naive), **overlap.strata_files(naive),
                 **overlap.coverage_files(coverage), **figures)
    return Report(files, len(scored), gaps, shown_table(rows, studies, gaps), notes, {"report.html": page})


def clouds_of(tree, tasks, scatter):
    """Returns a Cloud of the first split of each pair that can be read; Refusal if a pair that was asked for has none."""
    found = []
    for pair in scatter or sorted({(task.source, task.target) for task in tasks if task.source == task.target}):
        for task in tasks:
            if (task.source, task.target) == pair and os.path.isfile(inference_of(tree, task).predictions):
                found += _cloud(tree, task)
                break
        else:
            if scatter:
                raise Refusal(f"no predictions of {pair[0]} on {pair[1]} can be drawn", "--scatter with a source and target "
                              "that have test_y_data_predicted.csv")
    return found


def _cloud(tree, task):
    try:
        predictions = predictions_of(inference_of(tree, task))()
    except FileError:
        return []           # the result's own problem says so
    return [Cloud(task.source, task.target, task.split, predictions.true, predictions.pred)]


# ---- which tasks there are

def csa_tasks(tree):
    """Returns (tasks, gaps): the infer tasks that are planned or exist in the tree.

    Tasks are sorted by source, target, split. If nothing is planned, what was
    preprocessed counts as planned. Adds to `tree` the tasks that no plan names.
    A directory whose name can be read in two ways is a gap.
    """
    found = _pair_directories(tree, "infer")
    if not tree.planned:
        found |= _pair_directories(tree, "ml_data")
    known, gaps = _known_studies(tree), []
    for pair, split in sorted(found):
        if f"infer/{pair}/split_{split}" not in tree.tasks:
            cut = split_pair(pair, *known)
            if cut:
                _add_tasks(tree, pair, cut, split)
            else:
                gaps.append(_unclear_pair(pair, split))
    tasks = [task for task in tree.tasks.values() if task.stage == "infer"
             and None not in (task.source, task.target, task.split)]
    return sorted(tasks, key=lambda task: (task.source, task.target, task.split)), gaps


def _pair_directories(tree, top):
    """Returns {(pair, split)} of OUT/top/PAIR/split_K."""
    found = set()
    for pair in tree.names(top):
        for name in tree.names(f"{top}/{pair}"):
            match = re.match(r"split_(0|[1-9][0-9]{0,8})\Z", name)
            if match and "-" in pair:
                found.add((pair, int(match.group(1))))
    return found


def _known_studies(tree):
    """Returns (sources, studies): the names that plans, models/ and unmistakable pairs give."""
    tasks = tree.tasks.values()
    pairs = [pair.split("-") for top in ("ml_data", "infer") for pair in tree.names(top)
             if pair.count("-") == 1]
    sources = {task.source for task in tasks} | set(tree.names("models"))
    sources = sources or {source for source, _ in pairs}
    studies = {task.target for task in tasks} | {study for pair in pairs for study in pair}
    return sources, sources | studies


def split_pair(pair, sources, studies):
    """Returns (source, target) of a name 'source-target', None if it can be read in two ways.

    A study's name may hold '-' itself: the cut that gives a known source is
    preferred, then the one that gives a known target.
    """
    cuts = [(pair[:at], pair[at + 1:]) for at, letter in enumerate(pair)
            if letter == "-" and 0 < at < len(pair) - 1]
    known = [2 * (source in sources) + (target in studies) for source, target in cuts]
    best = [cut for cut, points in zip(cuts, known) if points == max(known)]
    return best[0] if len(best) == 1 else None


def _add_tasks(tree, pair, cut, split):
    """Adds the three tasks of a pair and split as IMPROVE's own workflow names them."""
    at = f"{pair}/split_{split}"
    data = Task(f"ml_data/{at}", "preprocess", *cut, split=split)
    model = Task(f"models/{cut[0]}/split_{split}", "train", cut[0], split=split)
    infer = Task(f"infer/{at}", "infer", *cut, split=split, parents=(data.name, model.name))
    for task in (data, model, infer):
        tree.tasks.setdefault(task.name, task)


def _unclear_pair(pair, split):
    task = Task(f"infer/{pair}/split_{split}", "infer", "", "", split)
    return Gap(task, f"infer/{pair}", "infer", "unreadable", "its name does not say where the "
               "source ends and the target begins, nor does a plan or a directory models/SOURCE")


# ---- scores

def score_rows(tasks, results, model):
    """Returns rows of SCORES_HEADER, by pair, metric (in their order) and split."""
    rows = [(met, task.split, results[task.name].scores[met], task.source, task.target,
             task.model or model)
            for task in tasks for met in results[task.name].scores]
    order = in_order(row[0] for row in rows)
    return sorted(rows, key=lambda row: (row[3], row[4], order.index(row[0]), row[1]))


def metrics_of(rows):
    return in_order(row[0] for row in rows)


# ---- tables

def csa_files(rows, studies, model):
    """Returns {file name: text}; None for a metric's files if it has no score."""
    files = {"all_scores.csv": csv_text(SCORES_HEADER, rows),
             "densed_csa_table.csv": csv_text(("met", "mean", "std", "summary", "model"),
                                              densed_rows(rows, model)),
             "generalization.csv": csv_text(
                 ("met", "measure", "src", "trg", "value", "targets", "model"),
                 [row for met in metrics_of(rows) for row in generalization_rows(
                     met, by_pair(_of(rows, met)), studies, model)])}
    files["mean_std_table.csv"] = csv_text(
        ["met", "src"] + studies[1], [[met] + row for met in metrics_of(rows)
                                      for row in csa_report.mean_std_rows(met, by_pair(_of(rows, met)), studies)])
    for met in in_order([*METRICS, *metrics_of(rows)]):     # old files of the six go if they are not there now
        files.update(metric_files(met, _of(rows, met), studies))
    return files


def _of(rows, met):
    return [row for row in rows if row[0] == met]


def metric_files(met, rows, studies):
    """Returns {file name: text} of one metric."""
    stem = met.replace("/", "-")        # a model names its metrics as it likes
    names = (f"{stem}_scores.csv", f"{stem}_mean_csa_table.csv", f"{stem}_std_csa_table.csv")
    if not rows:
        return dict.fromkeys(names)
    groups = by_pair(rows)
    means = {pair: rounded(mean(values)) for pair, values in groups.items()}
    stds = {pair: std(values) for pair, values in groups.items()}
    return dict(zip(names, (csv_text(SCORES_HEADER, rows), matrix_text(means, studies),
                            matrix_text(stds, studies))))


def matrix_text(values, studies):
    """Returns a table of sources x targets; values: {(source, target): number}."""
    sources, targets = studies
    return csv_text(["src"] + targets, [[source] + [values.get((source, target))
                                                    for target in targets] for source in sources])


# ---- text

def shown_table(rows, studies, gaps):
    """Returns the table for the terminal: the mean over splits of SHOWN, else of the first metric, sources x targets."""
    shown = SHOWN if _of(rows, SHOWN) else next(iter(metrics_of(rows)), SHOWN)
    groups = by_pair(_of(rows, shown))
    if not groups:
        return f"no {shown}"
    short = {(gap.task.source, gap.task.target) for gap in gaps} & set(groups)
    blank = " " if short else ""        # below the star
    lines = [[""] + [target + blank for target in studies[1]]]
    for source in studies[0]:
        pairs = [(source, target) for target in studies[1]]
        lines.append([source] + [_shown_cell(groups.get(pair), "*" if pair in short else blank)
                                 for pair in pairs])
    text = f"{shown}, mean over splits (rows: source, columns: target)\n" + aligned(lines)
    return text + ("\n* some splits are missing" if short else "")


def _shown_cell(values, mark):
    return f"{rounded(mean(values)):.4f}{mark}" if values else "-" + mark
