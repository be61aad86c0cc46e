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
from itertools import chain
from typing import NamedTuple

from core.errors import FileError
from core.metrics import METRICS, in_order
from core.task import Task
from core.text import aligned, csv_text
from stages.collect.coverage import coverage_files, coverage_of
from stages.collect.gaps import Gap, Report
from stages.collect.naive import naive_files, old_records, results_and_naive, strata_dicts
from stages.collect.scores import (inference_of, predictions_of, scored_and_missing,
                                   undefined_notes, undefined_scores)
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
    """True and predicted responses of one split of a pair: an even sample; scores of all."""
    source: str
    target: str
    split: int
    true: list
    pred: list
    rows: int               # how many there are
    r2: float
    pcc: float


def collect(tree, model):
    """Returns the Report of a CSA tree; `model` names it if no plan does."""
    tasks, gaps = csa_tasks(tree)
    results, naive = results_and_naive(tree, tree.done(tasks), old_records(tree))
    scored, missing, notes = scored_and_missing(tree, tasks, results)
    undefined = undefined_scores(tree, scored, results)
    made_from = dict.fromkeys(chain(*((task.name, *task.parents) for task in scored)))
    notes += undefined_notes(undefined) + unlike_splits(
        [tree.tasks[name] for name in made_from if name in tree.tasks], tree.status)
    gaps += missing
    rows = score_rows(scored, results, model)
    studies = sorted({task.source for task in tasks}), sorted({task.target for task in tasks})
    coverage = coverage_of(tree, scored)
    page, figures = csa_report.report(
        Run(tree, model, tasks, len(scored), gaps, notes), rows, studies, naive,
        strata_dicts(naive), coverage, clouds_of(tree, scored, results))
    files = dict(csa_files(rows, studies, model), **naive_files(naive),
                 **coverage_files(coverage), **figures)
    return Report(files, len(scored), gaps + list(chain(*undefined.values())),
                  shown_table(rows, studies, gaps, undefined), notes, {"report.html": page})


def clouds_of(tree, tasks, results):
    """Returns a Cloud of each pair: of its first split whose predictions can be read."""
    found = {}
    for task in tasks:
        try:
            if (task.source, task.target) not in found:
                found[task.source, task.target] = cloud(
                    task, predictions_of(inference_of(tree, task))(), results[task.name].scores)
        except FileError:
            pass            # the result's own problem says so
    return list(found.values())


def cloud(task, predictions, scores):
    """Returns the Cloud of a task; every n-th row of many. scores: its scores, of all rows."""
    true, pred = predictions.true, predictions.pred
    step = -(-len(true) // MOST_POINTS)
    return Cloud(task.source, task.target, task.split, true[::step], pred[::step], len(true),
                 scores.get("r2"), scores.get("pcc"))


# ---- which tasks there are

def csa_tasks(tree):
    """Returns (tasks, gaps): the infer tasks that are planned or exist in the tree.

    Tasks are sorted by source, target, split. If nothing is planned, preprocessed pairs count as
    planned. Adds to `tree` the tasks that no plan names. A directory whose name can be read in two
    ways is a gap.
    """
    known, gaps = _known_studies(tree), []
    for pair, split in sorted({found for top in ("infer",) + ("ml_data",) * (not tree.planned)
                               for found in _pair_directories(tree, top)}):
        at = f"{pair}/split_{split}"
        if f"infer/{at}" not in tree.tasks:
            source, target = split_pair(pair, *known) or ("", "")
            if source:
                tree.add_result(f"ml_data/{at}", f"models/{source}/split_{split}", f"infer/{at}",
                                source=source, target=target, split=split)
            else:
                gaps.append(Gap(Task(f"infer/{at}", "infer", split=split), f"infer/{pair}", "infer",
                                "unreadable", UNCLEAR))
    tasks = [task for task in tree.tasks.values() if task.stage == "infer"
             and None not in (task.source, task.target, task.split)]
    return sorted(tasks, key=lambda task: (task.source, task.target, task.split)), gaps


def _pair_directories(tree, top):
    """Yields (pair, split) of each OUT/top/PAIR/split_K."""
    for pair in tree.names(top):
        for name in tree.names(f"{top}/{pair}"):
            match = re.match(r"split_(0|[1-9][0-9]{0,8})\Z", name)
            if match and "-" in pair:
                yield pair, int(match.group(1))


def _known_studies(tree):
    """Returns (sources, studies): the names that plans, models/ and unmistakable pairs give."""
    tasks = tree.tasks.values()
    pairs = [pair.split("-") for top in ("ml_data", "infer") for pair in tree.names(top)
             if pair.count("-") == 1]
    sources = {task.source for task in tasks} | set(tree.names("models"))
    sources = sources or {source for source, _ in pairs}
    return sources, sources.union((task.target for task in tasks), *pairs)


def split_pair(pair, sources, studies):
    """Returns (source, target) of a name 'source-target', None if it can be read in two ways.

    A study's name may contain '-': the cut that gives a known source is preferred, then the one
    that gives a known target.
    """
    cuts = [(pair[:at], pair[at + 1:]) for at, letter in enumerate(pair)
            if letter == "-" and 0 < at < len(pair) - 1]
    known = [2 * (source in sources) + (target in studies) for source, target in cuts]
    best = [cut for cut, points in zip(cuts, known) if points == max(known)]
    return best[0] if len(best) == 1 else None


# ---- scores

def score_rows(tasks, results, model):
    """Returns rows of SCORES_HEADER, by pair, metric (in their order) and split."""
    rows = [(met, task.split, value, task.source, task.target, task.model or model)
            for task in tasks for met, value in results[task.name].scores.items()]
    order = in_order(row[0] for row in rows)
    return sorted(rows, key=lambda row: (row[3], row[4], order.index(row[0]), row[1]))


def by_metric(rows):
    """Returns {metric: its rows}, in the order of metrics."""
    return {met: [row for row in rows if row[0] == met] for met in in_order(row[0] for row in rows)}


# ---- tables

def grid(studies, cells):
    """Returns a row for each source: its name and the cell of each target, None without one."""
    return [[source, *(cells.get((source, target)) for target in studies[1])]
            for source in studies[0]]


def csa_files(rows, studies, model):
    """Returns {file name: text}; None for a metric's files if it has no score."""
    found, header = by_metric(rows), ["src", *studies[1]]
    groups = {met: by_pair(of_metric) for met, of_metric in found.items()}
    files = {
        "all_scores.csv": csv_text(SCORES_HEADER, rows),
        "densed_csa_table.csv": csv_text(("met", "mean", "std", "summary", "model"),
                                         densed_rows(rows, model)),
        "generalization.csv": csv_text(
            ("met", "measure", "src", "trg", "value", "targets", "model"),
            [row for met, pairs in groups.items()
             for row in generalization_rows(met, pairs, studies, model)]),
        "mean_std_table.csv": csv_text(["met", *header], [
            [met, *row] for met, pairs in groups.items()
            for row in grid(studies, mean_std(pairs))])}
    for met in in_order([*METRICS, *found]):        # old files of a metric without scores go
        stem, pairs = met.replace("/", "-"), groups.get(met, {})    # any name that a model gives
        tables = {"mean": {pair: rounded(mean(values)) for pair, values in pairs.items()},
                  "std": {pair: std(values) for pair, values in pairs.items()}}
        texts = {f"{stem}_{name}_csa_table.csv": csv_text(header, grid(studies, cells))
                 for name, cells in tables.items()}
        texts[f"{stem}_scores.csv"] = csv_text(SCORES_HEADER, found.get(met, []))
        files.update(texts if met in found else dict.fromkeys(texts))
    return files


def mean_std(groups):
    """Returns {pair: 'mean (std)'}, all with as many decimals, 2 to 6, as give the typical standard
    deviation two digits."""
    spreads = {pair: std(values) for pair, values in groups.items()}
    usual = sorted(spread for spread in spreads.values() if spread > 0)
    digits = max(2, min(6, 1 - math.floor(math.log10(usual[len(usual) // 2])))) if usual else 3
    return {pair: f"{mean(values):.{digits}f}" + (
        f" ({spreads[pair]:.{digits}f})" if len(values) > 1 else "")
            for pair, values in groups.items()}


# ---- text

def shown_table(rows, studies, gaps, undefined):
    """Returns the table for the terminal: the mean over splits of SHOWN, else of the first metric.

    gaps: results that are missing; undefined: {metric: gaps of results without a value of it}.
    """
    found = by_metric(rows)
    shown = SHOWN if SHOWN in found else next(iter(found), SHOWN)
    groups = by_pair(found.get(shown, []))
    if not groups:
        return f"no {shown}"
    partial = {(gap.task.source, gap.task.target) for gap in gaps + undefined.get(shown, [])}
    partial &= set(groups)
    blank = " " if partial else ""      # below the star
    cells = {pair: f"{rounded(mean(values)):.4f}" + ("*" if pair in partial else blank)
             for pair, values in groups.items()}
    lines = [["", *(target + blank for target in studies[1])]]
    lines += [[cell or "-" + blank for cell in row] for row in grid(studies, cells)]
    text = f"{shown}, mean over splits (rows: source, columns: target)\n" + aligned(lines)
    return text + ("\n* some splits are missing" if partial else "")
