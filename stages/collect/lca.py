"""lca: the tables and figures of a learning-curve analysis.

    Tree -> infer tasks -> scores -> all_scores -> median per size -> fit -> figure

Examples:
    report = collect(Tree("runs/lca_baseline"), "baseline")
    report.files["learning_curve_fit.csv"]      # 'source,metric,alpha,...'

Files:
    all_scores.csv              metric,shard,value,split,model,dataset (IMPROVE's)
    learning_curve.csv          source, metric, size, n_splits, median, q25, q75, unit (rows, drugs or cell lines)
    learning_curve_fit.csv      learning_curve.CSV_COLUMNS and unit, for the error metrics
    learning_curve_{metric}.svg and OUT/report.html (lca_report)
"""
import os
import re

from report import lca as lca_report
from report.run import Run, in_unit, unit_of
from collect import naive as naive_scores
from collect import overlap
from stats.learning_curve import CSV_COLUMNS, csv_row, fit_power_law
from common.metrics import METRICS, in_order, lower_is_better
from tree.plans import Task
from tree.scores import scored_and_missing
from tree.results_tree import Report
from common.tree_files import as_text
from common.tables import aligned, csv_text, finite, quantile

SCORES_HEADER = ("metric", "shard", "value", "split", "model", "dataset")
CURVE_HEADER = ("source", "metric", "size", "n_splits", "median", "q25", "q75", "unit")
SHOWN = "mae"           # the metric of the table on the terminal; mse if it is missing
SAME_SIZE = 1.015       # whole training splits that differ by a row or two are one size


def collect(tree, model):
    """Returns the Report of an LCA tree; `model` names it if no plan does."""
    tasks = lca_tasks(tree)
    done = [task for task in tasks if tree.verdict(task.name).state == "done"]
    results, naive = naive_scores.results_and_naive(tree, done, naive_scores.old_records(tree))
    scored, gaps, notes = scored_and_missing(tree, tasks, results)
    curves = curves_of(scored, results)
    fits = {key: fit_power_law(list(curve), [list(values.values()) for values in curve.values()])
            for key, curve in curves.items() if key[1] in error_metrics()}
    run = Run(tree, model, tasks, len(scored), gaps, notes)
    page, figures = lca_report.report(run, curves, fits, naive)
    files = dict(lca_files(scored, results, curves, fits, model, unit_of(tree)), **naive_scores.naive_files(naive),
                 **overlap.strata_files(naive), **figures)
    return Report(files, len(scored), gaps, in_unit(shown_table(curves, fits), unit_of(tree)), notes, {"report.html": page})


def error_metrics():
    """The metrics that a falling power law describes."""
    return [metric for metric in METRICS if lower_is_better(metric)]


# ---- which tasks there are

def lca_tasks(tree):
    """Returns the infer tasks that are planned or exist in the tree, by source, split, size."""
    for prefix, source in source_levels(tree):
        for split, size in _subsets(tree, f"{prefix}infer"):
            _add_tasks(tree, prefix, source, split, size)
    tasks = [task for task in tree.tasks.values()
             if task.stage == "infer" and None not in (task.source, task.split, task.size)]
    return sorted(tasks, key=lambda task: (task.source, task.split, task.size))


def source_levels(tree):
    """Returns [(prefix of names, source]: OUT/{source}/ of ours, OUT/ itself of IMPROVE's."""
    own = [(f"{name}/", name) for name in tree.names("") if tree.names(f"{name}/infer")]
    whole = as_text(os.path.basename(os.path.abspath(tree.out)))
    return own + ([("", whole)] if _subsets(tree, "infer") else [])


def _subsets(tree, top):
    """Returns [(split, size)] of TOP/split_K/sz_N."""
    found = []
    for split in tree.names(top):
        for size in tree.names(f"{top}/{split}"):
            match = re.match(r"split_(\d{1,9})/sz_(\d{1,9})\Z", f"{split}/{size}")
            if match:
                found.append((int(match.group(1)), int(match.group(2))))
    return found


def _add_tasks(tree, prefix, source, split, size):
    """Adds the three tasks of a subset as IMPROVE's own workflow names them."""
    at = f"split_{split}/sz_{size}"
    data = Task(f"{prefix}ml_data/{at}", "preprocess", source, source, split, size)
    model = Task(f"{prefix}models/{at}", "train", source, source, split, size)
    infer = Task(f"{prefix}infer/{at}", "infer", source, source, split, size, (data.name, model.name))
    for task in (data, model, infer):
        tree.tasks.setdefault(task.name, task)


# ---- numbers

def curves_of(tasks, results):
    """Returns {(source, metric): {size: {split: value}}}, sizes growing, metrics in order."""
    sizes = {source: merged([task.size for task in tasks if task.source == source])
             for source in {task.source for task in tasks}}
    curves = {}
    for metric in in_order(metric for task in tasks for metric in results[task.name].scores):
        for task in sorted(tasks, key=lambda task: (task.source, task.size, task.split)):
            if metric in results[task.name].scores:
                curve = curves.setdefault((task.source, metric), {})
                curve.setdefault(sizes[task.source][task.size], {})[task.split] = results[task.name].scores[metric]
    return curves


def merged(sizes):
    """{size: the largest of its group}: sizes that differ by less than SAME_SIZE are one."""
    groups = []
    for size in sorted(set(sizes)):
        if groups and size <= groups[-1][0] * SAME_SIZE:
            groups[-1].append(size)
        else:
            groups.append([size])
    return {size: group[-1] for group in groups for size in group}


# ---- files

def lca_files(tasks, results, curves, fits, model, unit):
    """Returns {file name: text}."""
    rows = [(metric, task.size, results[task.name].scores[metric], task.split, task.model or model, task.source)
            for task in tasks for metric in results[task.name].scores]
    return {"all_scores.csv": csv_text(SCORES_HEADER, rows),
            "learning_curve.csv": csv_text(CURVE_HEADER, [(*row, unit) for row in curve_rows(curves)]),
            "learning_curve_fit.csv": csv_text((*CSV_COLUMNS, "unit"), [(*csv_row(*key, fit), unit) for key, fit in fits.items()])}


def curve_rows(curves):
    """Returns rows of CURVE_HEADER without the unit."""
    rows = []
    for (source, metric), curve in curves.items():
        for size, by_split in curve.items():
            values = finite(by_split.values())
            quartiles = [quantile(values, share) for share in (0.5, 0.25, 0.75)] if values else [None] * 3
            rows.append((source, metric, size, len(values), *quartiles))
    return rows


def shown_table(curves, fits):
    """Returns the table for the terminal: what the fit says for each source."""
    metric = SHOWN if any(key[1] == SHOWN for key in fits) else "mse"
    lines = [["source", "rows", "measured", "curve there", "at twice", "95 % band", "gain", "back-test", "levels off"]]
    notes = []
    for (source, name), fit in sorted(fits.items()):
        if name == metric:
            lines.append([source] + _fit_cells(curves[source, name], fit))
            notes += [f"{source}: {words}" for words in dict.fromkeys((fit.warning, fit.asymptote_reason)) if words]
    if len(lines) == 1:
        return "no error metric to fit"
    head = (f"{metric} at the largest size: measured (median over splits), what the averaged curves give there, which "
            "gains count from,\nand at twice the rows; back-test: their miss at the largest size without it")
    return "\n".join([head, aligned(lines), *notes])


def _fit_cells(curve, fit):
    largest = max(curve)
    median = quantile(finite(curve[largest].values()), 0.5) if finite(curve[largest].values()) else None
    cells = [str(largest), "-" if median is None else f"{median:.4f}"]
    if not fit.usable:
        return cells + ["-", "-", "-", "-", "-", "no fit"]
    low, high = fit.ahead[0].band_95
    missed = "-" if fit.backtest_percent is None else f"{fit.backtest_percent:+.1f} %"
    limits = "{:.4f} to {:.4f}".format(*fit.asymptote) if fit.asymptote_identified else "not identified"
    return cells + [f"{fit.predicted_full:.4f}", f"{fit.predicted_twice:.4f}", f"{low:.4f} to {high:.4f}",
                    f"{fit.gain_percent:.1f} %", missed, limits]
