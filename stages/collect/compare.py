"""compare: cross-study analyses of several models side by side, on what all of them have.

    OUT1 OUT2 ... -> Run (label, scores by metric, source, target, split) each
      -> the scores that all runs have
      -> within, Ga, Gna per model and source;  paired differences and p values;  average ranks
      -> DIR/compare*.csv, compare_summary.txt, compare.html (report/compare.py)

Examples:
    summary, compared = compare(["runs/csa_lgbm", "runs/csa_uno"], "comparison")

Files, in DIR:
    compare.csv             model, source, metric: within, Ga, Gna (csa.py says what they are)
    compare_pairs.csv       two models over the splits of a source and target: Wilcoxon's signed-rank
                            test, p corrected (Holm) for all comparisons of the metric
    compare_ranks.csv       average rank of a model over the pairs of source and target; 1 is best
    compare_tests.csv       of three models or more: Friedman's test over these pairs, Wilcoxon's of each two
                            models, p corrected (Holm) for all couples of the metric
    compare_*.svg           the page's figures for print
    compare_summary.txt     what is printed
    compare.html            the same as a page

The results are read anew, not the tables of earlier collections.
"""
import os
from collections import Counter, OrderedDict
from itertools import combinations
from typing import NamedTuple

from report import compare as compare_report
from stats import generalization
from collect import csa
from collect.bundle import is_bundle, opened
from common.metrics import direction, in_order, lower_is_better
from common.refusal import Refusal
from tree.scores import read_results
from tree.results_tree import STAGES, Tree
from common.tree_files import as_text, printable
from stats.ranks import ranking
from stats.significance import average_ranks, holm, limit_of_splits, wilcoxon_signed_rank
from common.tables import aligned, csv_text, write_tables

ALPHA = 0.05
SHOWN = "r2"            # the metric of the terminal and the figures, if the runs have it
TABLE_HEADER = ("model", "source", "metric", "within", "Ga", "Gna", "targets", "scores")
PAIRS_HEADER = ("metric", "source", "target", "model_a", "model_b", "splits", "mean_difference", "p",
                "p_holm", "significant", "better")
TESTS_HEADER = ("metric", "pairs", "friedman_chi2", "friedman_p", "model_a", "model_b", "p", "p_holm")
RANKS_HEADER = ("metric", "model", "average_rank", "pairs")
DEPENDENT = ("Splits of one study share most of their training rows, so that p values come out "
             "smaller than independent experiments would give.")


class Run(NamedTuple):
    """One results tree."""
    label: str              # model, with the name of OUT if two runs have the same
    out: str
    scores: dict            # (metric, source, target, split) -> value, nan if undefined
    synthetic: bool
    responses: tuple        # y_col_name of its tasks
    inputs: tuple           # directories that its preprocessing read
    model: str              # as its plan names it
    scripts: dict           # stage -> fingerprints of its script


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


class Comparison(NamedTuple):
    """What is written and shown."""
    runs: list
    metrics: list           # that all runs have
    shared: dict            # metric -> [(source, target, split)]
    table: list             # rows of TABLE_HEADER
    pairs: list             # Pairs
    ranks: list             # rows of RANKS_HEADER
    notes: list             # sentences: on what was compared, and what differs
    limits: OrderedDict     # metric -> sentence on too few splits, or ''
    rankings: dict = {}     # metric -> stats.ranks.Ranking over the pairs, of three models or more


def compare(outs, output_dir):
    """Writes the comparison of results trees into a directory; returns (summary, True).

    Refusal: fewer than two trees, one that is not there or no cross-study
    analysis, nothing that all have, or a directory that cannot be written.
    """
    comparison = compare_all(label_runs([read_run(out) for out in checked(outs)]))
    summary, met = summary_text(comparison), shown_metric(comparison)
    page, figures = compare_report.report(comparison, met, said(comparison, met))
    write_tables(output_dir, dict(csv_files(comparison), **figures, **{"compare_summary.txt": summary, "compare.html": page}))
    return summary, True


# ---- reading

def checked(outs):
    """Returns the directories; Refusal if they cannot be compared."""
    if len(outs) < 2:
        raise Refusal("a comparison takes two results trees or more, not one" if outs else
                      "no results tree is named", "--compare OUT1 OUT2 --output_dir DIR")
    for out in outs:
        if not (os.path.isdir(out) or is_bundle(out)):
            raise Refusal(f"{as_text(out)} is not a directory", "the --output_dir of a launch, or a file of --bundle")
    real = [os.path.realpath(out) for out in outs]
    twice = next((out for out, path in zip(outs, real) if real.count(path) > 1), None)
    if twice is not None:
        raise Refusal(f"{as_text(twice)} is named twice", "each results tree once")
    return outs


def read_run(out):
    """Returns the Run of a tree or bundle, labelled with its model; Refusal if it is no cross-study analysis."""
    with opened(out) as directory:
        return _run_of(Tree(directory), out)


def _run_of(tree, out):
    workflow = tree.plan.get("workflow", "csa")
    tasks = csa.csa_tasks(tree)[0] if workflow == "csa" else []
    if not tasks:
        what = f"was written by the workflow {workflow!r}, and" if workflow != "csa" else ""
        raise Refusal(f"{as_text(out)} {what or 'holds no infer/SOURCE-TARGET/split_K:'} "
                      "only cross-study analyses can be compared", "a tree that workflow_csa.py wrote")
    done = [task for task in tasks if tree.verdict(task.name).state == "done"]
    results = read_results(tree, done)
    rows = csa.score_rows([task for task in done if results[task.name].scores], results, "")
    scores = {(met, source, target, split): value for met, split, value, source, target, _ in rows}
    model = tree.plan.get("model") or as_text(os.path.basename(os.path.realpath(out)))
    return Run(model, as_text(out), scores, tree.synthetic,
               _names(task.y_col_name for task in tasks), _inputs(tree), model, _scripts(tree))


def _names(values):
    return tuple(sorted(set(filter(None, values))))


def _inputs(tree):
    """Returns the --input_dir of the preprocessing, if plans name it."""
    return _names(value for task in tree.tasks.values() if task.stage == "preprocess"
                  for option, value in zip(task.words, task.words[1:]) if option == "--input_dir")


def _scripts(tree):
    """Returns {stage: fingerprints of its script} of the tasks that are done."""
    found = {}
    for task in tree.tasks.values():
        status = tree.status(task.name)
        if status and status.state == "done" and status.script:
            found.setdefault(task.stage, set()).add(status.script)
    return found


def label_runs(runs):
    """Returns the runs with labels that differ: the model, else with the end of OUT, else with all of it."""
    ends = [as_text(os.path.basename(os.path.realpath(run.out))) for run in runs]
    names = [run.label for run in runs]
    for tails in (ends, [run.out for run in runs]):
        counts = Counter(names)
        names = [name if counts[name] == 1 else f"{run.label} ({tail})"
                 for run, name, tail in zip(runs, names, tails)]
    return [run._replace(label=printable(name)) for run, name in zip(runs, names)]


# ---- what all runs have

def compare_all(runs):
    """Returns the Comparison of runs with different labels; Refusal if they share nothing."""
    shared = shared_scores(runs)
    if not shared:
        raise Refusal("the runs share no score: no metric, source, target and split that all of them have",
                      "runs over the same studies and splits")
    pairs = [pair for met in shared for pair in corrected(paired(runs, met, shared[met]))]
    limits = OrderedDict((met, _limit([pair for pair in pairs if pair.metric == met])) for met in shared)
    return Comparison(runs, list(shared), shared, table_rows(runs, shared), pairs,
                      [row for met in shared for row in rank_rows(runs, met, shared[met])],
                      notes(runs, shared), limits,
                      {met: ranking(mean_table(runs, met, places), [run.label for run in runs], lower_is_better(met))
                       for met, places in shared.items() if len(runs) > 2})


def shared_scores(runs):
    """Returns {metric: [(source, target, split)]} of the scores that all runs have, and no nan."""
    keys = set.intersection(*[{key for key, value in run.scores.items() if value == value}
                              for run in runs])
    names = [met for met in in_order(key[0] for key in keys) if direction(met)]     # of others nobody knows who is better
    found = OrderedDict((met, sorted(key[1:] for key in keys if key[0] == met)) for met in names)
    return OrderedDict((met, places) for met, places in found.items() if places)


def by_pair(run, met, places):
    """Returns {(source, target): values of the splits}."""
    groups = OrderedDict()
    for source, target, split in places:
        groups.setdefault((source, target), []).append(run.scores[met, source, target, split])
    return groups


# ---- tables

def table_rows(runs, shared):
    """Returns rows of TABLE_HEADER: by metric, source and run."""
    rows = []
    for met, places in shared.items():
        sources = sorted({place[0] for place in places})
        found = {run.label: _measures(run, met, places) for run in runs}
        for source in sources:
            targets = {place[1] for place in places if place[0] == source} - {source}
            scores = sum(place[0] == source for place in places)
            rows += [(run.label, source, met, *[found[run.label].get((name, source))
                                                for name in ("G", "Ga", "Gna")], len(targets), scores)
                     for run in runs]
    return rows


def _measures(run, met, places):
    """Returns {(G, Ga or Gna, source): value} as generalization.csv has them."""
    studies = [sorted({place[at] for place in places}) for at in (0, 1)]
    rows = generalization.generalization_rows(met, by_pair(run, met, places), studies, run.label)
    return {(row[1], row[2]): row[4] for row in rows if row[1] != "Gn"}


def rank_rows(runs, met, places):
    """Returns rows of RANKS_HEADER: the rank of a model's mean over splits, averaged over pairs."""
    means = mean_table(runs, met, places)
    ranks = average_ranks(means, lower_is_better(met))
    return [(met, run.label, rank, len(means)) for run, rank in zip(runs, ranks)]


def mean_table(runs, met, places):
    """Returns a row for each pair of source and target: the mean over splits of each run."""
    groups = [by_pair(run, met, places) for run in runs]
    return [[generalization.mean(group[pair]) for group in groups] for pair in groups[0]]


# ---- differences

def paired(runs, met, places):
    """Returns the Pairs of all two models, sources and targets, not yet corrected."""
    groups = [by_pair(run, met, places) for run in runs]
    return [_pair(met, pair, runs[i].label, runs[j].label, groups[i][pair], groups[j][pair])
            for pair in groups[0] for i, j in combinations(range(len(runs)), 2)]


def _pair(met, pair, name_a, name_b, a, b):
    difference = generalization.mean([x - y for x, y in zip(a, b)])
    first_is_better = (difference < 0) == lower_is_better(met)
    better = "" if difference == 0 else name_a if first_is_better else name_b
    return Pair(met, pair[0], pair[1], name_a, name_b, len(a), difference,
                wilcoxon_signed_rank(a, b)[1], better=better)


def corrected(pairs):
    """Returns the Pairs of one metric with p values corrected for their number (Holm)."""
    return [pair._replace(corrected=p, significant=p < ALPHA)
            for pair, p in zip(pairs, holm([pair.p for pair in pairs]))]


def _limit(pairs):
    """Returns what so few splits can show at best, as a sentence, '' if they are no limit."""
    return limit_of_splits(max(pair.splits for pair in pairs), len(pairs), ALPHA)


# ---- what differs between the runs

def notes(runs, shared):
    """Returns sentences: what was compared, and what else differs between the runs."""
    every = {key for run in runs for key in run.scores}
    used = sum(map(len, shared.values()))
    found = []
    if used < len(every):
        found.append(f"compared on what all runs share: {used} of the {len(every)} scores that any of "
                     f"them has; left out: {_left_out(runs, shared)}")
    if len({run.synthetic for run in runs}) > 1:
        found.append("some runs are on synthetic demo data and others are not, so that differences say "
                     f"nothing of the models: synthetic are {_labels(runs, lambda run: run.synthetic)}")
    unknown = in_order(met for met, *_ in every if direction(met) is None)
    found += [f"not compared, since it is not known which values are better: {', '.join(unknown)}"] if unknown else []
    found += _differing(runs, "responses", "the runs predict different responses, so that mse, rmse "
                        "and mae have different units")
    found += _differing(runs, "inputs", "the runs were made from different directories, which may "
                        "hold different data")
    return found + [note for model in dict.fromkeys(run.model for run in runs)
                    for note in _differing_scripts([run for run in runs if run.model == model])]


def _differing_scripts(runs):
    """Returns a sentence for each stage whose script is not the same in all runs of one model."""
    found = []
    for stage in STAGES:
        known = [run for run in runs if stage in run.scripts]
        if len({frozenset(run.scripts[stage]) for run in known}) > 1:
            found.append(f"the {stage} scripts of {', '.join(run.label for run in known)} differ, though the model's name is the "
                         "same: differences between these runs may come from that")
    return found


def _labels(runs, choose):
    return ", ".join(run.label for run in runs if choose(run))


def _differing(runs, field, sentence):
    values = [(run.label, getattr(run, field)) for run in runs if getattr(run, field)]
    if len({value for _, value in values}) < 2:
        return []
    return [sentence + ": " + "; ".join(f"{label}: {', '.join(value)}" for label, value in values)]


def _left_out(runs, shared):
    """Returns which metrics, sources, targets and splits are missing from the shared scores."""
    every = sorted({key for run in runs for key in run.scores}, key=str)
    used = {(met,) + place for met, places in shared.items() for place in places}
    parts = []
    for at, noun in enumerate(("metrics", "sources", "targets", "splits")):
        lost = {key[at] for key in every} - {key[at] for key in used}
        if lost:
            parts.append(f"{noun} {', '.join(map(str, sorted(lost)))}")
    return "; ".join(parts) or "single scores that some run lacks"


# ---- what is written

def csv_files(comparison):
    """Returns {file name: text} of the three tables."""
    pairs = [(*pair[:9], "yes" if pair.significant else "no", pair.better) for pair in comparison.pairs]
    tests = [(met, it.sets, it.statistic, it.p, *couple) for met, it in comparison.rankings.items() for couple in it.couples]
    return {"compare_tests.csv": csv_text(TESTS_HEADER, tests) if tests else None,
            "compare.csv": csv_text(TABLE_HEADER, comparison.table),
            "compare_pairs.csv": csv_text(PAIRS_HEADER, pairs),
            "compare_ranks.csv": csv_text(RANKS_HEADER, comparison.ranks)}


def shown_metric(comparison):
    """Returns the metric of the terminal and the figures."""
    return SHOWN if SHOWN in comparison.metrics else comparison.metrics[0]


def said(comparison, met):
    """Returns sentences on what came out, the best ranks first."""
    pairs = [pair for pair in comparison.pairs if pair.metric == met]
    count = sum(pair.significant for pair in pairs)
    ranked = sorted((row[2], row[1]) for row in comparison.ranks if row[0] == met)
    ranks = ", ".join(f"{name} {rank:.2f}" for rank, name in ranked)
    lead = (f"Average rank by {met}, 1 is best: {ranks}. {count} of {len(pairs)} differences between two "
            f"models on a source and target are significant at {ALPHA:g} after correction.")
    return list(filter(None, (lead, comparison.limits[met], DEPENDENT)))


def summary_text(comparison):
    """Returns compare_summary.txt."""
    met = shown_metric(comparison)
    head = [f"comparison of {len(comparison.runs)} runs"]
    head += [f"{run.label}: {run.out}" + (" (SYNTHETIC DEMO DATA)" if run.synthetic else "")
             for run in comparison.runs]
    table = [f"{met} (within: g[s,s]; Ga: mean over other targets; Gna: Ga relative to within)",
             aligned([["model", "source", "within", "Ga", "Gna"]] + [
                 list(row[:2]) + [_shown(value) for value in row[3:6]]
                 for row in comparison.table if row[2] == met])]
    ranks = ["average rank, 1 is best", aligned([["model"] + comparison.metrics] + [
        [run.label] + [f"{row[2]:.2f}" for row in comparison.ranks if row[1] == run.label]
        for run in comparison.runs])]
    last = said(comparison, met) + [f"note: {note}" for note in comparison.notes]
    blocks = [map(printable, head), table, ranks, map(printable, last)]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _shown(value):
    return "-" if value is None else f"{value:.4f}"
