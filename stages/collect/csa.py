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
    coverage.csv                |S & T| / |T| of whole studies: drugs, cell lines, pairs of both
    naive_scores.csv, ...       those of collect/scores.py
"""
import os
import re
from collections import Counter, namedtuple
from itertools import chain

from core.errors import FileError
from core.improve_files import identifiers, read_predictions, read_split, read_table, response_rows
from core.metrics import METRICS, in_order
from core.text import aligned
from stages.collect.gaps import Report
from stages.collect.scores import naive_files, results_and_naive, run_of
from stages.collect.tables import csv_text
from stages.report import csa as csa_report
from stages.stats.generalization import (densed_rows, generalization_rows, mean, pooled, rounded,
                                         std)
from stages.stats.naive import FIELDS

SCORES_HEADER = ("met", "split", "value", "src", "trg", "model")
STRATA_HEADER = ("src", "trg", "split") + FIELDS
COVERAGE_HEADER = ("src", "trg", "drug_coverage", "cell_line_coverage", "pair_coverage")
SHOWN = "r2"            # the metric of the table on the terminal
MOST_POINTS = 400       # of a pair that are drawn
UNCLEAR = ("its name does not say where the source ends and the target begins, nor does a plan or "
           "a directory models/SOURCE")
# True and predicted responses of a task, an even sample; rows: how many there are; scores: of all
Cloud = namedtuple("Cloud", "task true pred rows scores")


def collect(tree, model):
    """Returns the Report of a CSA tree; `model` names it if no plan does."""
    tasks = csa_tasks(tree)
    results, naive = results_and_naive(tree, tree.done(tasks))
    run, scored = run_of(tree, model, tasks, results)
    run.notes.extend(dict.fromkeys(tree.notes))
    rows = score_rows(scored, results, model)
    # {metric: {(source, target): values of the splits}}
    scores = {met: pooled([row for row in rows if row[0] == met])
              for met in in_order(row[0] for row in rows)}
    studies = sorted({task.source for task in tasks}), sorted({task.target for task in tasks})
    strata = [dict(zip(STRATA_HEADER, (task.source, task.target, task.split, *stratum)))
              for task, record in naive for stratum in record["strata"]]
    shares, clouds = coverage_of(tree, scored), clouds_of(tree, scored, results)
    page, figures = csa_report.report(run, rows, scores, studies, naive, strata, shares, clouds)
    files = {**csa_files(rows, scores, studies, model), **naive_files(naive), **figures,
             "strata.csv": csv_text(STRATA_HEADER, map(dict.values, strata)) if strata else None,
             "coverage.csv": csv_text(COVERAGE_HEADER, shares) if shares else None}
    return Report(run, files, shown_table(scores, studies, tasks), {"report.html": page})


def clouds_of(tree, tasks, results):
    """Returns a Cloud of each pair: of its first split whose predictions can be read; of many rows
    every n-th."""
    found = {}
    for task in tasks:
        pair, path = (task.source, task.target), tree.path(task.name, "test_y_data_predicted.csv")
        try:
            if pair not in found:
                true, pred, *_ = read_predictions(path, task.y_col_name)
                step = -(-len(true) // MOST_POINTS)
                found[pair] = Cloud(task, true[::step], pred[::step], len(true),
                                    results[task.name].scores)
        except FileError:
            pass            # the result's own problem says so
    return list(found.values())


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
    """Returns (source, target) of a name 'source-target', None if it can be read in two ways. If a
    study's name contains '-', the source has to be one of `sources`."""
    cuts = [(pair[:dash.start()], pair[dash.end():]) for dash in re.finditer("(?<=.)-(?=.)", pair)]
    known = [cut for cut in cuts if cut[0] in sources] or cuts
    return known[0] if len(known) == 1 else None


def score_rows(tasks, results, model):
    """Returns rows of SCORES_HEADER, by pair, metric (in their order) and split, as tasks are."""
    rows = [(met, task.split, value, task.source, task.target, task.model or model)
            for task in tasks for met, value in results[task.name].scores.items()]
    metrics = in_order(row[0] for row in rows)
    return sorted(rows, key=lambda row: (*row[3:5], metrics.index(row[0])))


def coverage_of(tree, tasks):
    """Returns rows of COVERAGE_HEADER of the studies of infer tasks, [] without the benchmark."""
    pairs = sorted({(task.source, task.target) for task in tasks})
    try:
        studies = studies_of(tree.plan, set(chain(*pairs)))
        return [(source, target, *(len(own & other) / len(other) for own, other in zip(
            studies[source], studies[target]))) for source, target in pairs]
    except (FileError, KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError):
        return []


def studies_of(plan, names):
    """Returns {study: (its drugs, its cell lines, its pairs of both)}; 'A+B' is both together."""
    splits = os.path.join(plan["input_dir"], "splits")
    path = os.path.join(plan["input_dir"], "y_data",
                        (plan.get("arguments") or {}).get("y_data_file") or "response.tsv")
    rows_of = {}
    for name in names:
        is_study = os.path.exists(os.path.join(splits, f"{name}_all.txt"))
        rows_of[name] = {row for part in ([name] if is_study else name.split("+"))
                         for row in read_split(os.path.join(splits, f"{part}_all.txt"))}
    header = next(read_table(path, "\t"))
    places, pair_of = list(map(header.index, identifiers(header))), {}
    for number, row in response_rows(path, set().union(*rows_of.values())):
        *drugs, cell = (row[place] for place in places)
        pair_of[number] = tuple(sorted(drugs)), cell
    studies = {name: {pair_of[number] for number in numbers if number in pair_of}
               for name, numbers in rows_of.items()}
    return {name: ({drugs for drugs, _ in pairs}, {cell for _, cell in pairs}, pairs)
            for name, pairs in studies.items()}


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
    for met in METRICS:         # old files of a metric without scores go
        files.update({f"{met}_{name}.csv": None
                      for name in ("mean_csa_table", "std_csa_table", "scores")})
    for met, pairs in scores.items():
        name = met.replace("/", "-")        # a model may give a metric any name
        means = grid(studies, pairs, lambda values: rounded(mean(values)))
        own = [row for row in rows if row[0] == met]
        files.update({f"{name}_mean_csa_table.csv": csv_text(header, means),
                      f"{name}_std_csa_table.csv": csv_text(header, grid(studies, pairs, std)),
                      f"{name}_scores.csv": csv_text(SCORES_HEADER, own)})
    return files


def shown_table(scores, studies, tasks):
    """Returns the table for the terminal: the mean over splits of SHOWN, else of the first metric.
    tasks: with scores, or that should have them."""
    shown = SHOWN if SHOWN in scores else next(iter(scores), SHOWN)
    groups, splits = scores.get(shown, {}), Counter((task.source, task.target) for task in tasks)
    partial = {pair for pair, values in groups.items() if len(values) < splits[pair]}
    cells = {pair: "*" * (pair in partial) + f"{rounded(mean(values)):.4f}"
             for pair, values in groups.items()}
    lines = [["", *studies[1]], *grid(studies, cells)]
    return (f"{shown}, mean over splits (rows: source, columns: target)\n" + aligned(lines)
            + "\n* some splits are missing" * bool(partial))
