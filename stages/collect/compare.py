"""compare: cross-study analyses of several models, on the scores that all of them have.

    OUT1 OUT2 ... -> a Run each -> shared scores -> means, differences, ranks -> DIR/compare*

Examples:
    summary, compared = compare(["runs/csa_lgbm", "runs/csa_uno"], "comparison")

Files, in DIR:
    compare.csv             model, source, metric: within, Ga, Gna (csa.py says what they are)
    compare_pairs.csv       two models on a source and target: mean difference over splits and
                            Wilcoxon's signed-rank test, p corrected (Holm) for the couples there
    compare_models.csv      two models over all pairs of source and target, and which is better
    compare_ranks.csv       average rank of a model over these pairs, 1 is best
    compare_summary.txt     what is printed
    compare.html, *.svg     the same as a page, and its figures

A difference is always model_a - model_b. There is one test, that of compare_pairs.csv: sentence,
page and rank diagram count its results, so they cannot contradict each other.
"""
import os
from collections import Counter
from itertools import combinations, product
from typing import NamedTuple

from core.errors import FileError, Refusal
from core.files import side_by_side, size_of
from core.metrics import METRICS, direction, in_order, lower_is_better, regression_scores
from core.text import aligned, as_text, csv_text, plural, printable, write_tables
from stages.collect import csa
from stages.report import compare as compare_report
from stages.stats.generalization import generalization_rows, mean
from stages.stats.significance import (
    Ranking, average_ranks, holm, limit_of_splits, wilcoxon_signed_rank)
from stages.collect.gaps import Tree
from stages.collect.scores import inference_of, predictions_of, read_results

ALPHA = 0.05
SHOWN = "r2"            # the metric of the terminal and the figures, if the runs have it
TABLE_HEADER = ("model", "source", "metric", "within", "Ga", "Gna", "targets", "scores")
PAIRS_HEADER = ("metric", "source", "target", "model_a", "model_b", "splits", "mean_a_minus_b",
                "p", "p_holm", "significant", "better")
MODELS_HEADER = ("metric", "model_a", "model_b", "pairs", "mean_a_minus_b",
                 "a_significantly_better", "b_significantly_better", "better")
RANKS_HEADER = ("metric", "model", "average_rank", "pairs")
RULE = ("A model is called better if its average rank is better and it is significantly better on "
        "more than half of the pairs of source and target, significantly worse on none.")
DEPENDENT = ("Splits of one study share most of their training rows, so that p values come out "
             "smaller than independent experiments would give.")


class Run(NamedTuple):
    """One results tree."""
    label: str              # model, with the name of OUT if two runs have the same
    out: str
    scores: dict            # (metric, source, target, split) -> value, nan if undefined
    synthetic: bool = False
    y_col_name: str = ""    # as its plan says
    input_dir: str = ""


class Pair(NamedTuple):
    """Two models over the splits of one source and target: a line of compare_pairs.csv."""
    metric: str
    source: str
    target: str
    model_a: str
    model_b: str
    splits: int
    difference: float       # mean of a - b
    p: float
    corrected: float = 1.0
    significant: bool = False
    better: str = ""        # the model with the better mean; '' if they are equal


class Couple(NamedTuple):
    """Two models over all pairs of source and target: a line of compare_models.csv."""
    metric: str
    model_a: str
    model_b: str
    pairs: int
    difference: float       # mean of a - b over pairs
    a_better: int           # pairs on which a is significantly better
    b_better: int
    better: str             # the better model as RULE says; '' if neither is


class Comparison(NamedTuple):
    """What is written and shown."""
    runs: list
    metrics: list           # that all runs have
    shared: dict            # metric -> [(source, target, split)]
    table: list             # rows of TABLE_HEADER
    pairs: list             # Pairs
    couples: list           # Couples
    ranks: list             # rows of RANKS_HEADER
    notes: list             # sentences on what was compared
    limits: dict            # metric -> sentence on too few splits, or ''
    rankings: dict          # metric -> Ranking, of three models or more


def compare(outs, output_dir):
    """Writes the comparison of results trees into a directory; returns (summary, True).

    Refusal: fewer than two trees, a missing one, another workflow's, no shared score, or a
    directory that cannot be written.
    """
    if len(outs) < 2 or len(set(map(os.path.realpath, outs))) < len(outs):
        raise Refusal("a comparison takes two results trees or more, each once",
                      "--compare OUT1 OUT2 --output_dir DIR")
    comparison = compare_all(label_runs(list(map(read_run, outs))))
    summary, met = summary_text(comparison), shown_metric(comparison)
    page, figures = compare_report.report(comparison, met, said(comparison, met))
    write_tables(output_dir, dict(csv_files(comparison), **figures, **{
        "compare_summary.txt": summary, "compare.html": page}))
    return summary, True


# ---- reading

def read_run(out):
    """Returns the Run of a tree, labelled with its model; Refusal: no cross-study analysis."""
    if not os.path.isdir(out):
        raise Refusal(f"{as_text(out)} is not a directory", "the --output_dir of a launch")
    tree = Tree(out)
    tasks = csa.csa_tasks(tree)[0] if tree.plan.get("workflow", "csa") == "csa" else []
    if not tasks:
        raise Refusal(f"{as_text(out)} is no cross-study analysis: no infer/SOURCE-TARGET/split_K",
                      "a tree that workflow_csa.py wrote")
    done = tree.done(tasks)
    results = read_results(tree, done)
    jobs = [(inference_of(tree, task), results[task.name].scores) for task in done]
    sizes = [size_of(inference.predictions) for inference, _ in jobs]
    scores = {(met, task.source, task.target, task.split): value
              for task, found in zip(done, side_by_side(completed, jobs, sizes))
              for met, value in found.items()}
    label = tree.plan.get("model") or as_text(os.path.basename(os.path.realpath(out)))
    return Run(label, as_text(out), scores, tree.synthetic,
               *[tree.plan.get(key) or "" for key in ("y_col_name", "input_dir")])


def completed(job):
    """Returns scores with those of METRICS that the model did not write, if it wrote predictions.

    job: (Inference, scores). Models that write other metrics only, as classifiers do, keep theirs.
    """
    inference, scores = job
    if not set(METRICS) & set(scores) or set(METRICS) <= set(scores):
        return scores
    try:
        predictions = predictions_of(inference)()
    except FileError:
        return scores
    return dict(regression_scores(predictions.true, predictions.pred), **scores)


def label_runs(runs):
    """Returns the runs with different labels: the model, with OUT if several runs have it."""
    counts = Counter(run.label for run in runs)
    return [run._replace(label=printable(
        run.label if counts[run.label] == 1 else f"{run.label} ({run.out})")) for run in runs]


# ---- what all runs have

def compare_all(runs):
    """Returns the Comparison of runs with different labels; Refusal if they share nothing."""
    shared = shared_scores(runs)
    if not shared:
        raise Refusal("the runs share no metric, source, target and split",
                      "runs over the same studies and splits")
    groups = {met: {run.label: by_pair(run, met, places) for run in runs}
              for met, places in shared.items()}
    pairs = {met: paired(met, of_runs) for met, of_runs in groups.items()}
    ranks = {met: ranked(met, of_runs) for met, of_runs in groups.items()}
    couples = {met: couples_of(pairs[met], ranks[met]) for met in shared}
    limits = {met: limit_of_splits(max(it.splits for it in pairs[met]), len(couples[met]), ALPHA)
              for met in shared}
    rankings = {met: Ranking(list(ranks[met]), list(ranks[met].values()), [
        (it.model_a, it.model_b) for it in couples[met] if it.better]) for met in shared}
    return Comparison(
        runs, list(shared), shared, [row for met in shared for row in table_rows(met, groups[met])],
        sum(pairs.values(), []), sum(couples.values(), []),
        [(met, label, rank, couples[met][0].pairs) for met in shared
         for label, rank in ranks[met].items()],
        notes(runs, shared), limits, rankings if len(runs) > 2 else {})


def shared_scores(runs):
    """Returns {metric: [(source, target, split)]} of the numbers that all runs have.

    Without metrics of which nobody knows whether more is better.
    """
    keys = set.intersection(*[{key for key, value in run.scores.items() if value == value}
                              for run in runs])
    return {met: sorted(key[1:] for key in keys if key[0] == met)
            for met in in_order(key[0] for key in keys) if direction(met)}


def by_pair(run, met, places):
    """Returns {(source, target): values of the splits}."""
    groups = {}
    for source, target, split in places:
        groups.setdefault((source, target), []).append(run.scores[met, source, target, split])
    return groups


def notes(runs, shared):
    """Returns sentences on what was compared, and why differences may not be the models'."""
    every, used = {key for run in runs for key in run.scores}, sum(map(len, shared.values()))
    found = [f"compared on what all runs have: {used} of the {len(every)} scores that any of them "
             "has"] if used < len(every) else []
    unknown = in_order(key[0] for key in every if not direction(key[0]))
    if unknown:
        found.append(f"not compared, as their better direction is not known: {', '.join(unknown)}")
    for field, meaning in (("y_col_name", "responses, so mse, rmse and mae have different units"),
                           ("input_dir", "directories, which may hold different data")):
        values = {run.label: getattr(run, field) for run in runs if getattr(run, field)}
        if len(set(values.values())) > 1:
            found.append(f"the runs have different {meaning}: "
                         + "; ".join(f"{label}: {value}" for label, value in values.items()))
    return found


# ---- tables

def table_rows(met, groups):
    """Returns rows of TABLE_HEADER by source and model, as generalization.csv has them.

    groups, here and below: {model: {(source, target): values of the splits}}.
    """
    splits = {pair: len(values) for pair, values in next(iter(groups.values())).items()}
    sources, targets = (sorted(set(names)) for names in zip(*splits))
    found = {(label, row[1], row[2]): row[4:6] for label, of_pairs in groups.items()
             for row in generalization_rows(met, of_pairs, (sources, targets), label)}
    rows = []
    for source, label in product(sources, groups):
        (within, _), (across, count), (relative, _) = (
            found.get((label, measure, source), (None, 0)) for measure in ("G", "Ga", "Gna"))
        rows.append((label, source, met, within, across, relative, count,
                     sum(splits[pair] for pair in splits if pair[0] == source)))
    return rows


def ranked(met, groups):
    """Returns {model: rank of its mean over splits, averaged over pairs of source and target}."""
    means = zip(*[map(mean, of_pairs.values()) for of_pairs in groups.values()])
    return dict(zip(groups, average_ranks(list(means), lower_is_better(met))))


def paired(met, groups):
    """Returns the Pairs of a metric, corrected for the couples of models on a source and target."""
    found = []
    for place in next(iter(groups.values())):
        couples = [(a, b, groups[a][place], groups[b][place]) for a, b in combinations(groups, 2)]
        p_values = [wilcoxon_signed_rank(x, y) for _, _, x, y in couples]
        for (a, b, x, y), p, corrected in zip(couples, p_values, holm(p_values)):
            difference = mean([one - other for one, other in zip(x, y)])
            better = (a, b)[(difference < 0) != lower_is_better(met)] if difference else ""
            # One outlying split can turn the mean against most splits, and so against the test
            agrees = difference * sum((one > other) - (one < other) for one, other in zip(x, y)) > 0
            found.append(Pair(met, *place, a, b, len(x), difference, p, corrected,
                              corrected < ALPHA and agrees, better))
    return found


def couples_of(pairs, ranks):
    """Returns the Couples of a metric's Pairs. ranks: {model: average rank}."""
    found = []
    for a, b in combinations(ranks, 2):
        both = [pair for pair in pairs if (pair.model_a, pair.model_b) == (a, b)]
        counts = Counter(pair.better for pair in both if pair.significant)
        better = [name for name, other in ((a, b), (b, a)) if 2 * counts[name] > len(both)
                  and not counts[other] and ranks[name] < ranks[other]]
        found.append(Couple(both[0].metric, a, b, len(both), mean([it.difference for it in both]),
                            counts[a], counts[b], "".join(better)))
    return found


# ---- what is written

def csv_files(comparison):
    """Returns {file name: text} of the four tables."""
    pairs = [(*pair[:9], "yes" if pair.significant else "no", pair.better)
             for pair in comparison.pairs]
    return {"compare.csv": csv_text(TABLE_HEADER, comparison.table),
            "compare_pairs.csv": csv_text(PAIRS_HEADER, pairs),
            "compare_models.csv": csv_text(MODELS_HEADER, comparison.couples),
            "compare_ranks.csv": csv_text(RANKS_HEADER, comparison.ranks)}


def shown_metric(comparison):
    """Returns the metric of the terminal and the figures."""
    return SHOWN if SHOWN in comparison.metrics else comparison.metrics[0]


def said(comparison, met):
    """Returns sentences on the result; the first one says which models are better."""
    ranked = sorted((row[2], row[1]) for row in comparison.ranks if row[0] == met)
    ranks = ", ".join(f"{name} {rank:.2f}" for rank, name in ranked)
    found = [verdict(comparison, met), f"Average rank, 1 is best: {ranks}.", RULE,
             comparison.limits[met], DEPENDENT]
    return list(filter(None, found))


def verdict(comparison, met):
    """Returns the sentence on what the test finds and the average ranks confirm."""
    found = [couple for couple in comparison.couples if couple.metric == met and couple.better]
    if not found:
        return f"By {met}, no model is better than another in both test and average rank."
    sentences = [
        f"{it.better} is better than {it.model_b if it.better == it.model_a else it.model_a} "
        f"({it.model_a} - {it.model_b}: {it.difference:+.4f}, significant on "
        f"{max(it.a_better, it.b_better)} of {plural(it.pairs, 'pair')})" for it in found]
    return f"By {met}, in both test and average rank: {'; '.join(sentences)}."


def summary_text(comparison):
    """Returns compare_summary.txt."""
    met = shown_metric(comparison)
    runs = [f"{run.label}: {run.out}" + (" (SYNTHETIC DEMO DATA)" if run.synthetic else "")
            for run in comparison.runs]
    table = [[*row[:2], *["-" if value is None else f"{value:.4f}" for value in row[3:6]]]
             for row in comparison.table if row[2] == met]
    couples = [[*it[1:3], f"{it.difference:+.4f}", f"{it.a_better} of {it.pairs}",
                f"{it.b_better} of {it.pairs}", it.better or "-"]
               for it in comparison.couples if it.metric == met]
    first, *more = said(comparison, met) + [f"note: {note}" for note in comparison.notes]
    blocks = [
        "\n".join(map(printable, runs)), printable(first),
        f"{met} (within: g[s,s]; Ga: mean over other targets; Gna: Ga relative to within)\n"
        + aligned([["model", "source", "within", "Ga", "Gna"]] + table),
        f"differences in {met}: model a - model b, mean over pairs of source and target, and on how"
        " many of these pairs one is significantly better\n"
        + aligned([["model a", "model b", "a - b", "a better", "b better", "verdict"]] + couples),
        "\n".join(map(printable, more))]
    return "\n\n".join(blocks) + "\n"
