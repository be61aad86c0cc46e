"""compare: cross-study analyses of several models, on the scores that all of them have.

    OUT1 OUT2 ... -> a Run each -> shared scores -> means, differences, ranks -> DIR/compare*

Files, in DIR:
    compare.csv             model, source, metric: within, Ga, Gna (csa.py says what they are)
    compare_pairs.csv       two models on a source and target: mean difference over splits and
                            Wilcoxon's signed-rank test, p corrected (Holm) for the couples there
    compare_models.csv      two models over all pairs of source and target, their average ranks, and
                            which is better
    compare_summary.txt     what is printed
    compare.html, *.svg     the same as a page, and its figures

A difference is always model_a - model_b. There is one test, that of compare_pairs.csv: sentence,
page and rank diagram count its results, so they cannot contradict each other.
"""
import math
import os
from collections import Counter
from itertools import chain, combinations, product
from typing import NamedTuple

from core.errors import Refusal
from core.metrics import direction, in_order, lower_is_better
from core.text import aligned, as_text, csv_text, printable, write_tables
from stages.collect import csa
from stages.collect.gaps import Tree
from stages.collect.scores import read_results
from stages.report import compare as compare_report
from stages.stats.generalization import by_pair, generalization_rows, mean
from stages.stats.significance import (
    ALPHA, average_ranks, holm, limit_of_splits, wilcoxon_signed_rank)

SHOWN = "r2"            # the metric of the terminal and the figures, if the runs have it
RULE = ("A model is called better if its average rank is better and it is significantly better on "
        "more than half of the pairs of source and target, significantly worse on none.")
DEPENDENT = ("Splits of one study share most of their training rows, so that p values come out "
             "smaller than independent experiments would give.")


class Run(NamedTuple):
    """One results tree."""
    label: str              # model, with the name of OUT if two runs have the same
    out: str
    rows: list              # of csa.SCORES_HEADER
    synthetic: bool
    plan: dict              # of its newest launch


class Means(NamedTuple):
    """A model trained on one source: a line of compare.csv; None: not defined."""
    model: str
    source: str
    metric: str
    within: float
    Ga: float
    Gna: float


class Pair(NamedTuple):
    """Two models over the splits of one source and target: a line of compare_pairs.csv."""
    metric: str
    source: str
    target: str
    model_a: str
    model_b: str
    splits: int
    mean_a_minus_b: float
    p: float
    p_holm: float
    significant: str        # yes or no
    better: str             # the model with the better mean; '' if they are equal


class Couple(NamedTuple):
    """Two models over all pairs of source and target: a line of compare_models.csv."""
    metric: str
    model_a: str
    model_b: str
    pairs: int
    mean_a_minus_b: float   # over pairs
    a_significantly_better: int     # on how many pairs
    b_significantly_better: int
    rank_a: float           # average over pairs, 1 is best
    rank_b: float
    better: str             # the better model as RULE says; '' if neither is


class Comparison(NamedTuple):
    """The runs by one metric."""
    metric: str
    means: list             # of Means
    pairs: list             # of Pair
    couples: list           # of Couple
    ranks: dict             # model -> its average rank


def compare(outs, output_dir):
    """Writes the comparison of results trees into a directory; returns its summary.

    Refusal: fewer than two trees, another workflow's, no shared score, or a directory that cannot
    be written.
    """
    if len(set(map(os.path.realpath, outs))) < max(2, len(outs)):
        raise Refusal("a comparison takes two results trees or more, each once",
                      "--compare OUT1 OUT2 --output_dir DIR")
    runs = label_runs(list(map(read_run, outs)))
    shared = shared_scores(runs)
    if not shared:
        raise Refusal("the runs share no metric, source, target and split",
                      "runs over the same studies and splits")
    found = [compared(met, {
        run.label: by_pair([row for row in run.rows if row[0] == met and key_of(row) in shared])
        for run in runs}) for met in in_order(key[0] for key in shared)]
    shown = next((each for each in found if each.metric == SHOWN), found[0])
    said = sentences(shown) + notes(runs, shared)
    summary = summary_text(runs, shown, said)
    page, figures = compare_report.report(runs, found, shown, said)
    write_tables(output_dir, {**csv_files(found), **figures, "compare_summary.txt": summary,
                              "compare.html": page})
    return summary


# ---- reading

def read_run(out):
    """Returns the Run of a tree, labelled with its model; Refusal: no cross-study analysis."""
    tree = Tree(out)
    tasks = csa.csa_tasks(tree) if tree.plan.get("workflow", "csa") == "csa" else []
    if not tasks:
        raise Refusal(f"{as_text(out)} is no cross-study analysis: no infer/SOURCE-TARGET/split_K",
                      "a tree that workflow_csa.py wrote")
    done = tree.done(tasks)
    label = tree.plan.get("model") or as_text(os.path.basename(os.path.realpath(out)))
    rows = csa.score_rows(done, read_results(tree, done, every=True), label)
    return Run(label, as_text(out), rows, tree.synthetic, tree.plan)


def label_runs(runs):
    """Returns the runs with different labels: the model, with OUT if several runs have it."""
    counts = Counter(run.label for run in runs)
    return [run._replace(label=printable(run.label + f" ({run.out})" * (counts[run.label] > 1)))
            for run in runs]


# ---- what all runs have

def key_of(row):
    """Returns (metric, split, source, target) of a row of scores."""
    return (*row[:2], *row[3:5])


def shared_scores(runs):
    """Returns the keys of the numbers that all runs have, of metrics of which it is known whether
    more is better."""
    keys = [{key_of(row) for row in run.rows if math.isfinite(row[2]) and direction(row[0])}
            for run in runs]
    return set.intersection(*keys)


def notes(runs, shared):
    """Returns sentences on what was compared, and why differences may not be the models'."""
    every = {key_of(row) for run in runs for row in run.rows}
    found = ["compared on what all runs have, by metrics whose better direction is known: "
             f"{len(shared)} of the {len(every)} scores that any of them has"]
    for key in ("y_col_name", "input_dir"):
        values = {run.label: run.plan[key] for run in runs if run.plan.get(key)}
        if len(set(values.values())) > 1:
            found.append(f"the runs have another {key}: " + "; ".join(
                f"{label}: {value}" for label, value in values.items()))
    return [f"note: {note}" for note in found]


# ---- one metric

def compared(met, groups):
    """Returns the Comparison of a metric.

    groups, here and below: {model: {(source, target): values of the splits}}, with the same pairs
    and splits for all models.
    """
    means = zip(*[map(mean, of_pairs.values()) for of_pairs in groups.values()])
    ranks = dict(zip(groups, average_ranks(list(means), lower_is_better(met))))
    pairs = paired(met, groups)
    return Comparison(met, means_of(met, groups), pairs, couples_of(pairs, ranks), ranks)


def means_of(met, groups):
    """Returns Means by source and model, as generalization.csv has them."""
    means, (sources, targets) = [], map(set, zip(*next(iter(groups.values()))))
    for source, label in product(sorted(sources), groups):
        rows = generalization_rows(met, groups[label], ([source], targets), label)
        found = {row[1]: row[4] for row in rows}
        means.append(Means(label, source, met, *map(found.get, ("G", "Ga", "Gna"))))
    return means


def paired(met, groups):
    """Returns Pairs, corrected for the couples of models on a source and target."""
    found, couples = [], list(combinations(groups, 2))
    for place in next(iter(groups.values())):
        differences = [[x - y for x, y in zip(groups[a][place], groups[b][place])]
                       for a, b in couples]
        p_values = list(map(wilcoxon_signed_rank, differences))
        for (a, b), values, p, corrected in zip(couples, differences, p_values, holm(p_values)):
            difference = mean(values)
            better = (a, b)[(difference < 0) != lower_is_better(met)] if difference else ""
            # One outlying split can turn the mean against most splits, and so against the test
            agrees = difference * sum((value > 0) - (value < 0) for value in values) > 0
            found.append(Pair(met, *place, a, b, len(values), difference, p, corrected,
                              "yes" if corrected < ALPHA and agrees else "no", better))
    return found


def couples_of(pairs, ranks):
    """Returns the Couples of a metric's Pairs. ranks: {model: average rank}."""
    found = []
    for a, b in combinations(ranks, 2):
        both = [pair for pair in pairs if (pair.model_a, pair.model_b) == (a, b)]
        counts = Counter(pair.better for pair in both if pair.significant == "yes")
        first, second = sorted((a, b), key=ranks.get)
        is_better = (ranks[first] < ranks[second] and 2 * counts[first] > len(both)
                     and not counts[second])
        found.append(Couple(both[0].metric, a, b, len(both),
                            mean([pair.mean_a_minus_b for pair in both]), counts[a], counts[b],
                            ranks[a], ranks[b], first if is_better else ""))
    return found


# ---- what is written

def csv_files(found):
    """Returns {file name: text} of the three tables. found: Comparisons."""
    _, means, pairs, couples, _ = zip(*found)
    return {"compare.csv": csv_text(Means._fields, chain(*means)),
            "compare_pairs.csv": csv_text(Pair._fields, chain(*pairs)),
            "compare_models.csv": csv_text(Couple._fields, chain(*couples))}


def sentences(shown):
    """Returns sentences on a Comparison; the first one says which models are better."""
    better = [f"{it.better} is better than {it.model_b if it.better == it.model_a else it.model_a}"
              for it in shown.couples if it.better] or ["no model is better than another"]
    limit = limit_of_splits(max(pair.splits for pair in shown.pairs), len(shown.couples))
    found = f"By {shown.metric}, by paired test and average rank together: {'; '.join(better)}."
    return [found, RULE, *filter(None, [limit]), DEPENDENT]


def summary_text(runs, shown, said):
    """Returns compare_summary.txt. said: sentences and notes."""
    lines = [f"{run.label}: {run.out}" + " (SYNTHETIC DEMO DATA)" * run.synthetic for run in runs]
    return "\n\n".join([
        "\n".join(map(printable, lines)), printable(said[0]),
        "within: g[s,s]; Ga: mean over other targets; Gna: Ga relative to within\n"
        + aligned([Means._fields, *shown.means]),
        "differences over all pairs of source and target, and on how many one is significantly "
        "better\n" + aligned([Couple._fields, *shown.couples]),
        "\n".join(map(printable, said[1:]))]) + "\n"
