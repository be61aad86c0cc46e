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
import math
import os
from collections import Counter
from itertools import chain, combinations, product
from typing import NamedTuple

from core.errors import FileError, Refusal
from core.files import side_by_side, size_of
from core.metrics import METRICS, direction, in_order, lower_is_better, regression_scores
from core.text import aligned, as_text, csv_text, plural, printable, write_tables
from stages.collect import csa
from stages.collect.gaps import Tree
from stages.collect.scores import inference_of, predictions_of, read_result
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
    scores: dict            # (metric, source, target, split) -> value, nan if undefined
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
    better: str             # the better model as RULE says; '' if neither is


class Comparison(NamedTuple):
    """The runs by one metric."""
    metric: str
    means: list             # of Means
    pairs: list             # of Pair
    couples: list           # of Couple
    ranks: dict             # model -> its average rank


def compare(outs, output_dir):
    """Writes the comparison of results trees into a directory; returns (summary, True).

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
    found = [compared(met, {run.label: values_of(run, met, places) for run in runs})
             for met, places in shared.items()]
    shown = next((each for each in found if each.metric == SHOWN), found[0])
    said = sentences(shown) + notes(runs, shared)
    summary = summary_text(runs, shown, said)
    page, figures = compare_report.report(runs, found, shown, said)
    write_tables(output_dir, {**csv_files(found), **figures, "compare_summary.txt": summary,
                              "compare.html": page})
    return summary, True


# ---- reading

def read_run(out):
    """Returns the Run of a tree, labelled with its model; Refusal: no cross-study analysis."""
    tree = Tree(out)
    tasks = csa.csa_tasks(tree)[0] if tree.plan.get("workflow", "csa") == "csa" else []
    if not tasks:
        raise Refusal(f"{as_text(out)} is no cross-study analysis: no infer/SOURCE-TARGET/split_K",
                      "a tree that workflow_csa.py wrote")
    done = tree.done(tasks)
    inferences = [inference_of(tree, task) for task in done]
    sizes = [size_of(inference.predictions) for inference in inferences]
    scores = {(met, task.source, task.target, task.split): value
              for task, found in zip(done, side_by_side(scores_of, inferences, sizes))
              for met, value in found.items()}
    label = tree.plan.get("model") or as_text(os.path.basename(os.path.realpath(out)))
    return Run(label, as_text(out), scores, tree.synthetic, tree.plan)


def scores_of(inference):
    """Returns {metric: value} of an Inference, with those of METRICS that the model did not write,
    if it wrote predictions.

    Models that write other metrics only, as classifiers do, keep theirs.
    """
    predictions = predictions_of(inference)
    scores = read_result(inference, predictions).scores
    if len(set(METRICS) & set(scores)) in (0, len(METRICS)):
        return scores
    try:
        return dict(regression_scores(predictions().true, predictions().pred), **scores)
    except FileError:
        return scores


def label_runs(runs):
    """Returns the runs with different labels: the model, with OUT if several runs have it."""
    counts = Counter(run.label for run in runs)
    return [run._replace(label=printable(
        run.label if counts[run.label] == 1 else f"{run.label} ({run.out})")) for run in runs]


# ---- what all runs have

def shared_scores(runs):
    """Returns {metric: [(source, target, split)]} of the numbers that all runs have.

    Without metrics of which nobody knows whether more is better.
    """
    keys = set.intersection(*[{key for key, value in run.scores.items() if math.isfinite(value)}
                              for run in runs])
    return {met: sorted(key[1:] for key in keys if key[0] == met)
            for met in in_order(key[0] for key in keys) if direction(met)}


def values_of(run, met, places):
    """Returns {(source, target): values of the splits} of a run."""
    return by_pair([(met, split, run.scores[met, source, target, split], source, target)
                    for source, target, split in places])


def notes(runs, shared):
    """Returns sentences on what was compared, and why differences may not be the models'."""
    every, used = {key for run in runs for key in run.scores}, sum(map(len, shared.values()))
    found = ["compared on what all runs have, by metrics whose better direction is known: "
             f"{used} of the {len(every)} scores that any of them has"] * (used < len(every))
    for key, meaning in (("y_col_name", "responses, so mse, rmse and mae have different units"),
                         ("input_dir", "directories, which may hold different data")):
        values = {run.label: run.plan[key] for run in runs if run.plan.get(key)}
        if len(set(values.values())) > 1:
            found.append(f"the runs have different {meaning}: "
                         + "; ".join(f"{label}: {value}" for label, value in values.items()))
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
    studies = [sorted(set(names)) for names in zip(*next(iter(groups.values())))]
    found = {(label, row[1], row[2]): row[4] for label, of_pairs in groups.items()
             for row in generalization_rows(met, of_pairs, studies, label)}
    return [Means(label, source, met, *[found.get((label, measure, source))
                                        for measure in ("G", "Ga", "Gna")])
            for source, label in product(studies[0], groups)]


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
        better = [name for name, other in ((a, b), (b, a)) if 2 * counts[name] > len(both)
                  and not counts[other] and ranks[name] < ranks[other]]
        found.append(Couple(both[0].metric, a, b, len(both),
                            mean([pair.mean_a_minus_b for pair in both]), counts[a], counts[b],
                            "".join(better)))
    return found


# ---- what is written

def csv_files(found):
    """Returns {file name: text} of the four tables. found: Comparisons."""
    _, means, pairs, couples, _ = zip(*found)
    ranks = [(each.metric, model, rank, each.couples[0].pairs)
             for each in found for model, rank in each.ranks.items()]
    return {"compare.csv": csv_text(Means._fields, chain(*means)),
            "compare_pairs.csv": csv_text(Pair._fields, chain(*pairs)),
            "compare_models.csv": csv_text(Couple._fields, chain(*couples)),
            "compare_ranks.csv": csv_text(("metric", "model", "average_rank", "pairs"), ranks)}


def sentences(shown):
    """Returns sentences on the result of a Comparison; the first one says which models are
    better."""
    ranks = ", ".join(f"{name} {shown.ranks[name]:.2f}"
                      for name in sorted(shown.ranks, key=shown.ranks.get))
    found = [verdict(shown), f"Average rank, 1 is best: {ranks}.", RULE, limit_of_splits(
        max(pair.splits for pair in shown.pairs), len(shown.couples)), DEPENDENT]
    return list(filter(None, found))


def verdict(shown):
    """Returns the sentence on what the test finds and the average ranks confirm."""
    found = [
        f"{it.better} is better than {it.model_b if it.better == it.model_a else it.model_a} "
        f"({it.model_a} - {it.model_b}: {it.mean_a_minus_b:+.4f}, significant on "
        f"{max(it.a_significantly_better, it.b_significantly_better)} of "
        f"{plural(it.pairs, 'pair')})" for it in shown.couples if it.better]
    if not found:
        return f"By {shown.metric}, no model is better than another in both test and average rank."
    return f"By {shown.metric}, in both test and average rank: {'; '.join(found)}."


def summary_text(runs, shown, said):
    """Returns compare_summary.txt. said: sentences and notes."""
    lines = [f"{run.label}: {run.out}" + " (SYNTHETIC DEMO DATA)" * run.synthetic for run in runs]
    means = [[*row[:2], *["-" if value is None else f"{value:.4f}" for value in row[3:]]]
             for row in shown.means]
    couples = [[it.model_a, it.model_b, f"{it.mean_a_minus_b:+.4f}",
                f"{it.a_significantly_better} of {it.pairs}",
                f"{it.b_significantly_better} of {it.pairs}", it.better or "-"]
               for it in shown.couples]
    blocks = [
        "\n".join(map(printable, lines)), printable(said[0]),
        f"{shown.metric} (within: g[s,s]; Ga: mean over other targets; Gna: Ga relative to within)"
        "\n" + aligned([["model", "source", "within", "Ga", "Gna"], *means]),
        f"differences in {shown.metric}: model a - model b, mean over pairs of source and target, "
        "and on how many of these pairs one is significantly better\n"
        + aligned([["model a", "model b", "a - b", "a better", "b better", "verdict"], *couples]),
        "\n".join(map(printable, said[1:]))]
    return "\n\n".join(blocks) + "\n"
