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
from collections import Counter, namedtuple
from itertools import chain, combinations, product

from core.errors import Refusal
from core.metrics import direction, in_order, lower_is_better
from core.text import aligned, as_text, printable
from stages.collect import csa
from stages.collect.gaps import Tree
from stages.collect.scores import read_results
from stages.collect.tables import csv_text, write_tables
from stages.report import compare as compare_report
from stages.stats.generalization import generalization_rows, mean, pooled
from stages.stats.significance import (
    ALPHA, average_ranks, holm, limit_of_splits, wilcoxon_signed_rank)

SHOWN = "r2"            # the metric of the terminal and the figures, if the runs have it
RULE = ("A model is called better if its average rank is better and it is significantly better on "
        "more than half of the pairs of source and target, significantly worse on none.")
DEPENDENT = ("Splits of one study share most of their training rows, so that p values come out "
             "smaller than independent experiments would give.")

# A results tree. label: model, with the name of OUT if two runs have the same; rows: of
# csa.SCORES_HEADER; plan: of its newest launch
Run = namedtuple("Run", "label out rows synthetic plan")
# Lines of compare.csv; None: not defined
Means = namedtuple("Means", "model source metric within Ga Gna")
# Lines of compare_pairs.csv. significant: yes or no; better: by the mean, '' if it is equal
Pair = namedtuple("Pair", "metric source target model_a model_b splits mean_a_minus_b p p_holm "
                          "significant better")
# Lines of compare_models.csv. a_significantly_...: on how many pairs; rank: average over pairs, 1
# is best; better: as RULE says, '' if neither is
Couple = namedtuple("Couple", "metric model_a model_b pairs mean_a_minus_b a_significantly_better "
                              "b_significantly_better rank_a rank_b better")
# The runs by one metric: lists of these lines; ranks: model -> its average rank
Comparison = namedtuple("Comparison", "metric means pairs couples ranks")


def compare(outs, output_dir):
    """Writes the comparison of results trees into a directory; returns its summary.

    Refusal: fewer than two trees, another workflow's, no shared score, or a directory that cannot
    be written.
    """
    if len(set(map(os.path.realpath, outs))) < max(2, len(outs)):
        raise Refusal("a comparison takes two results trees or more, each once",
                      "--compare OUT1 OUT2 --output_dir DIR")
    runs = read_runs(outs)
    # numbers that all runs have, of metrics of which it is known whether more is better
    shared = set.intersection(*({key_of(row) for row in run.rows
                                 if math.isfinite(row[2]) and direction(row[0])} for run in runs))
    if not shared:
        raise Refusal("the runs share no metric, source, target and split",
                      "runs over the same studies and splits")
    found = [compared(met, {
        run.label: pooled([row for row in run.rows if row[0] == met and key_of(row) in shared])
        for run in runs}) for met in in_order(key[0] for key in shared)]
    shown = next((each for each in found if each.metric == SHOWN), found[0])
    said = sentences(shown) + notes(runs, shared)
    summary = summary_text(runs, shown, said)
    page, figures = compare_report.report(runs, found, shown, said)
    _, means, pairs, couples, _ = zip(*found)
    write_tables(output_dir, {
        "compare.csv": csv_text(Means._fields, chain(*means)),
        "compare_pairs.csv": csv_text(Pair._fields, chain(*pairs)),
        "compare_models.csv": csv_text(Couple._fields, chain(*couples)), **figures,
        "compare_summary.txt": summary, "compare.html": page})
    return summary


def read_runs(outs):
    """Returns the Run of each tree; Refusal: no cross-study analysis."""
    runs = []
    for tree in map(Tree, outs):
        out = as_text(tree.out)
        tasks = csa.csa_tasks(tree) if tree.plan.get("workflow", "csa") == "csa" else []
        if not tasks:
            raise Refusal(f"{out} is no cross-study analysis: no infer/SOURCE-TARGET/split_K",
                          "a tree that workflow_csa.py wrote")
        done = tree.done(tasks)
        label = tree.plan.get("model") or as_text(os.path.basename(os.path.realpath(tree.out)))
        rows = csa.score_rows(done, read_results(tree, done, every=True), label)
        runs.append(Run(label, out, rows, tree.synthetic, tree.plan))
    counts = Counter(run.label for run in runs)
    return [run._replace(label=printable(run.label + f" ({run.out})" * (counts[run.label] > 1)))
            for run in runs]


def key_of(row):
    """Returns (metric, split, source, target) of a row of scores."""
    return (*row[:2], *row[3:5])


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


def compared(met, groups):
    """Returns the Comparison of a metric.

    groups, here and below: {model: {(source, target): values of the splits}}, with the same pairs
    and splits for all models.
    """
    means, (sources, targets) = [], map(set, zip(*next(iter(groups.values()))))
    for source, label in product(sorted(sources), groups):      # as generalization.csv has them
        rows = generalization_rows(met, groups[label], ([source], targets), label)
        found = {row[1]: row[4] for row in rows}
        means.append(Means(label, source, met, *map(found.get, ("G", "Ga", "Gna"))))
    of_pairs = [list(map(mean, own.values())) for own in groups.values()]
    ranks = dict(zip(groups, average_ranks(list(zip(*of_pairs)), lower_is_better(met))))
    pairs = paired(met, groups)
    return Comparison(met, means, pairs, couples_of(pairs, ranks), ranks)


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
