"""hpo_report: the page of a hyperparameter optimization.

    trials, importance -> best values, figures and tables -> OUT/report.html

Examples:
    page, figures = report(tree, "baseline", tasks, trials, weights, space, gaps)
    figures["hpo_best_so_far.svg"]              # also stands in OUT/scores
"""
import os
import shlex

import axes
import charts
import report as parts
import run_report
from hpo_trials import best_trial, by_source, sign
from metrics import lower_is_better
from tree_files import as_text

BEST = "hyperparameters_hpo.json"
TABLE = 10      # trials in the table of the best
MOST_TOLD = 5   # sources in the first sentences
IMPORTANCE = ("Share of the variance of a Gaussian process, fitted to the ranks of the trials, that the parameter explains "
              "alone (first-order Sobol' index). Shares add up to less than 100 % where parameters act together.")


def report(tree, model, tasks, trials, weights, space, gaps, notes=()):
    """Returns (page, {file name: SVG}).

    trials: hpo_tables.Trial, by source and number; weights: {source: {parameter: importance}};
    space: normalised; gaps: a Gap per trial without an objective.
    """
    stamp = run_report.stamp_of(tree)
    figures = {"hpo_best_so_far.svg": best_figure(trials, stamp)}
    sections = [parts.section("Best so far", parts.figure(figures["hpo_best_so_far.svg"],
                                                          "Line: the best trial so far; points: all trials."))]
    for source, chosen in by_source(trials).items():
        sections.append(source_section(source, chosen, weights.get(source), space, figures, stamp))
    times, drawn = run_report.runtime_section(tree, "hpo_runtimes.svg")
    done = [trial for trial in trials if trial.objective is not None]
    sections += [use_section(tree, model, done), times, run_report.failure_section(gaps, notes)]
    text = run_report.run_page(f"Hyperparameter optimization of {model}", tree,
                               run_report.run_rows(tree, model, tasks, len(done), gaps), sections, lead(trials, model))
    return text, dict(figures, **drawn)


def lead(trials, model):
    """Returns two sentences: what the best values gave, and beside what."""
    told = [found(source, chosen) for source, chosen in by_source(trials).items() if best_trial(chosen)]
    if not told:
        return "No trial has ended well."
    more = f"; {len(told) - MOST_TOLD} more studies below" if len(told) > MOST_TOLD else ""
    return f"Best validation {trials[0].metric} of {model}: {'; '.join(told[:MOST_TOLD])}{more}. Trial 0 has the default values."


def found(source, trials):
    """Returns 'gCSI: 0.0104 in trial 8, 0.0120 with the defaults'."""
    best, first = best_trial(trials), trials[0]
    words = f"{source}: {axes.number(best.objective)} in trial {best.number}"
    if first.number or first.objective is None:
        return f"{words}, none with the defaults"
    return f"{words}, {axes.number(first.objective)} with the defaults"


# ---- sections

def source_section(source, trials, weights, space, figures, stamp):
    """Returns what the trials of a source say."""
    best = best_trial(trials)
    failed = failed_table(trials, space)
    if best is None:
        return parts.section(source, parts.paragraph("No trial has ended well."), failed)
    name = f"hpo_parameters_{source}.svg"
    figures[name] = parameters_figure(source, trials, space, stamp)
    made = [parts.figure(figures[name], "The objective of each trial against each parameter; the best trial is ringed.")]
    if weights:
        bars = charts.bars(list(weights), [("importance", [100 * value for value in weights.values()])],
                           f"{source}: importance", x_label="% of the variance", stamp=stamp)
        figures[f"hpo_importance_{source}.svg"] = bars
        made.append(parts.figure(bars, IMPORTANCE))
    return parts.section(source, best_table(trials, space), parts.figures(made), failed)


def best_table(trials, space):
    """Returns the ten best trials of a source."""
    done = sorted((trial for trial in trials if trial.objective is not None),
                  key=lambda trial: (sign(trial.metric) * trial.objective, trial.number))
    names = names_of(space, done)
    rows = [[str(trial.number), trial.objective, *(cell(trial.params.get(name)) for name in names),
             None if trial.seconds is None else run_report.duration(trial.seconds)] for trial in done[:TABLE]]
    return parts.table(["trial", trials[0].metric, *names, "time"], rows,
                       f"The best {len(rows)} of {len(trials)} trials by validation {trials[0].metric}; trial 0 has the defaults.")


def failed_table(trials, space):
    """Returns the trials that failed with their parameters; '' where none did. Their logs stand further below."""
    failed = [trial for trial in trials if trial.state == "failed"]
    names = names_of(space, failed) if any(trial.params for trial in failed) else []
    rows = [[str(trial.number), trial.reason, *(cell(trial.params.get(name)) for name in names)] for trial in failed]
    return parts.table(["trial", "reason", *names], rows, f"Trials that failed: {len(failed)} of {len(trials)}.") if rows else ""


def names_of(space, trials):
    return [entry["name"] for entry in space] or list(dict.fromkeys(name for trial in trials for name in trial.params))


def cell(value):
    return value if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)) else str(value)


def use_section(tree, model, done):
    """Returns the command that trains with the best values of all sources, and those of each as words for train."""
    sources = sorted({trial.source for trial in done})
    best = os.path.join(as_text(os.path.abspath(tree.out)), BEST)
    command = ["python3", "workflow_csa.py", "--model", model, "--source", *sources, "--hyperparameters_file", best]
    rows = [parts.paragraph("Each study is trained with its own best values:"),
            parts.tag("pre", " ".join(map(shlex.quote, command))),
            parts.paragraph("Or give them to the model's train script yourself:")]
    for source, chosen in by_source(done).items():
        words = [word for name, value in best_trial(chosen).params.items() for word in (f"--{name}", str(value))]
        rows += [parts.tag("h3", source), parts.tag("pre", " ".join(map(shlex.quote, words)))]
    return parts.section("To use the best values", *rows) if done else ""


# ---- figures

def best_figure(trials, stamp):
    """Returns best-so-far against trials, a line per source, with every trial as a point."""
    metric = trials[0].metric if trials else ""
    series = []
    for source, chosen in by_source(trials).items():
        points = [(trial.number, trial.objective) for trial in chosen if trial.objective is not None]
        line = [(trial.number, trial.best) for trial in chosen if trial.best is not None]
        series.append(charts.Series(source, points=points, line=line, steps=True))
    return charts.line_chart(series, f"Best validation {metric} so far", x_label="trial", y_label=f"validation {metric}",
                             y_scale=scale_of_metric(metric), note="line: best so far; points: trials", stamp=stamp)


def parameters_figure(source, trials, space, stamp):
    """Returns the objective against each parameter, a panel per parameter; the best trial is ringed."""
    done = [trial for trial in trials if trial.objective is not None]
    panels = [charts.Panel(entry["name"], [trial.params.get(entry["name"]) for trial in done], scale_of(entry))
              for entry in space]
    metric = trials[0].metric
    return charts.scatter_grid(panels, [trial.objective for trial in done], f"{source}: {metric} against each parameter",
                               y_label=f"validation {metric}", y_scale=scale_of_metric(metric),
                               best=done.index(best_trial(done)), note="ring: the best trial", stamp=stamp)


def scale_of_metric(metric):
    """Errors are above 0 and far apart where a training diverged; correlations may be below 0."""
    return "log" if metric and lower_is_better(metric) else "linear"


def scale_of(entry):
    if entry["type"] in ("categorical", "ordered"):
        return "categorical"
    return "log" if entry["log_uniform"] else "linear"
