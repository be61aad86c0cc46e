"""lca: the tables and figures of a learning-curve analysis.

    Tree -> infer tasks -> scores -> all_scores -> median per size -> fit -> figure

Examples:
    report = collect(Tree("runs/lca_baseline"), "baseline")
    report.files["learning_curve_fit.csv"]      # 'source,metric,alpha,...'

Files:
    all_scores.csv              metric,shard,value,split,model,dataset (IMPROVE's)
    learning_curve.csv          source, metric, size in rows, n_splits, median, q25, q75
    learning_curve_fit.csv      learning_curve.CSV_COLUMNS, for the error metrics
    learning_curve_{metric}.svg and OUT/report.html (stages/report/lca.py)
"""
import os
import re

from stages.report import lca as lca_report
from stages.report.run import Run
from stages.collect.naive import naive_files, old_records, results_and_naive
from stages.stats.learning_curve import CSV_COLUMNS, csv_row, fit_power_law
from core.metrics import in_order, lower_is_better
from stages.collect.scores import scored_and_missing
from stages.collect.gaps import Report
from core.text import aligned, as_text, csv_text, finite, quantile

SCORES_HEADER = ("metric", "shard", "value", "split", "model", "dataset")
CURVE_HEADER = ("source", "metric", "size", "n_splits", "median", "q25", "q75")
COLUMNS = ["source", "rows", "measured", "fitted", "at twice", "95 % band", "gain", "back-test"]
SHOWN = "mae"           # the metric of the table on the terminal; mse if it is missing


def collect(tree, model):
    """Returns the Report of an LCA tree; `model` names it if no plan does."""
    tasks = lca_tasks(tree)
    results, naive = results_and_naive(tree, tree.done(tasks), old_records(tree))
    scored, gaps, notes = scored_and_missing(tree, tasks, results)
    curves = curves_of(scored, results, points_of_curves(tasks))
    fits = {key: fit_of(curve) for key, curve in curves.items() if lower_is_better(key[1])}
    run = Run(tree, model, tasks, len(scored), gaps, notes)
    page, figures = lca_report.report(run, curves, fits, naive)
    files = dict(lca_files(scored, results, curves, fits, model),
                 **naive_files(naive), **figures)
    return Report(files, len(scored), gaps, shown_table(curves, fits), notes,
                  {"report.html": page})


def fit_of(curve):
    """Returns the Fit of {size: {split: error}}."""
    splits = sorted({split for values in curve.values() for split in values})
    return fit_power_law(list(curve), [[values.get(split) for split in splits]
                                       for values in curve.values()])


# ---- which tasks there are

def lca_tasks(tree):
    """Returns the infer tasks that are planned or exist in the tree, by source, split, size.

    A source is OUT/SOURCE; in a tree of IMPROVE's own workflow, OUT itself.
    """
    levels = [(f"{name}/", name) for name in tree.names("")]
    levels.append(("", as_text(os.path.basename(os.path.abspath(tree.out)))))
    for prefix, source in levels:
        for at, split, size in _subsets(tree, f"{prefix}infer"):
            tree.add_result(*(f"{prefix}{top}/{at}" for top in ("ml_data", "models", "infer")),
                            source=source, target=source, split=split, size=size)
    tasks = [task for task in tree.tasks.values()
             if task.stage == "infer" and None not in (task.source, task.split, task.size)]
    return sorted(tasks, key=lambda task: (task.source, task.split, task.size))


def _subsets(tree, top):
    """Yields (split_K/sz_N, K, N) of each TOP/split_K/sz_N."""
    for at in (f"{split}/{size}" for split in tree.names(top)
               for size in tree.names(f"{top}/{split}")):
        match = re.match(r"split_(\d{1,9})/sz_(\d{1,9})\Z", at)
        if match:
            yield (at, *map(int, match.groups()))


# ---- numbers

def points_of_curves(tasks):
    """Returns {(source, split, size): size of the curve's point}.

    The same size is the same point, and so are the whole training sets of a source, though they
    may differ by some rows between splits: each is the largest of its split, and larger than every
    size that has a larger one in its split. The point is named after the largest of them.
    """
    sizes, points = {}, {}
    for task in tasks:
        sizes.setdefault(task.source, {}).setdefault(task.split, set()).add(task.size)
    for source, by_split in sizes.items():
        steps = [size for own in by_split.values() for size in own if size < max(own)]
        whole = {max(own) for own in by_split.values() if steps and max(own) > max(steps)}
        points.update({(source, split, size): max(whole) if size in whole else size
                       for split, own in by_split.items() for size in own})
    return points


def curves_of(tasks, results, points):
    """Returns {(source, metric): {size: {split: value}}}, sizes growing, metrics in order."""
    curves, tasks = {}, sorted(tasks, key=lambda task: (task.source, task.size, task.split))
    for metric in in_order(metric for task in tasks for metric in results[task.name].scores):
        for task in tasks:
            if metric in results[task.name].scores:
                size = points[task.source, task.split, task.size]
                by_split = curves.setdefault((task.source, metric), {}).setdefault(size, {})
                by_split[task.split] = results[task.name].scores[metric]
    return curves


# ---- files

def lca_files(tasks, results, curves, fits, model):
    """Returns {file name: text}."""
    rows = [(metric, task.size, results[task.name].scores[metric], task.split, task.model or model,
             task.source) for task in tasks for metric in results[task.name].scores]
    return {"all_scores.csv": csv_text(SCORES_HEADER, rows),
            "learning_curve.csv": csv_text(CURVE_HEADER, curve_rows(curves)),
            "learning_curve_fit.csv": csv_text(CSV_COLUMNS, [csv_row(*key, fit)
                                                             for key, fit in fits.items()])}


def curve_rows(curves):
    """Returns rows of CURVE_HEADER."""
    rows = []
    for key, curve in curves.items():
        for size, by_split in curve.items():
            values = finite(by_split.values())
            rows.append((*key, size, len(values), *(
                quantile(values, share) if values else None for share in (0.5, 0.25, 0.75))))
    return rows


def shown_table(curves, fits):
    """Returns the table for the terminal: what the fit says for each source."""
    metric = SHOWN if any(key[1] == SHOWN for key in fits) else "mse"
    shown = {source: fit for (source, name), fit in sorted(fits.items()) if name == metric}
    if not shown:
        return "no error metric to fit"
    lines = [[source] + _fit_cells(curves[source, metric], fit) for source, fit in shown.items()]
    notes = [f"{source}: {text}" for source, fit in shown.items()
             for text in dict.fromkeys((fit.warning, fit.asymptote_reason)) if text]
    head = (f"{metric} at the largest size: the median over splits, and the power law fitted to "
            "sizes from 1/8 of it on,\nthere and at twice the rows; back-test: how far the law "
            "without the largest size misses there")
    return "\n".join([head, aligned([COLUMNS] + lines), *notes])


def _fit_cells(curve, fit):
    largest = max(curve)
    values = finite(curve[largest].values())
    cells = [str(largest), f"{quantile(values, 0.5):.4f}" if values else "-"]
    if not fit.usable:
        return cells + ["no fit"] + ["-"] * 4
    low, high = fit.ahead[0].band_95
    missed = "-" if fit.backtest_percent is None else f"{fit.backtest_percent:+.1f} %"
    return cells + [f"{fit.predicted_full:.4f}", f"{fit.predicted_twice:.4f}",
                    f"{low:.4f} to {high:.4f}", f"{fit.gain_percent:.1f} %", missed]
