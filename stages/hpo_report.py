"""hpo_report: the page of a hyperparameter optimization.

    trials, importance -> best values, figures and tables -> OUT/report.html

Examples:
    page, figures = report(tree, "baseline", tasks, trials, weights, space, gaps)
    figures["hpo_best_so_far.svg"]              # also stands in OUT/scores
"""
import shlex

import charts
import report as parts
import run_report
import svg
from hpo_trials import best_trial, by_source, sign
from metrics import lower_is_better

BEST = "hyperparameters_hpo.json"
TABLE = 10      # trials in the table of the best
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
    sections += [use_section(done), times, run_report.failure_section(gaps, notes)]
    text = run_report.run_page(f"Hyperparameter optimization of {model}", tree,
                               run_report.run_rows(tree, model, tasks, len(done), gaps), sections, lead(trials, model))
    return text, dict(figures, **drawn)


def lead(trials, model):
    """Returns two sentences: what the best values gave, and beside what."""
    told = []
    for source, chosen in by_source(trials).items():
        best, first = best_trial(chosen), chosen[0] if chosen[0].number == 0 else None
        if best and first and first.objective is not None:
            told.append(f"{source}: {svg.number(best.objective)} in trial {best.number}, {svg.number(first.objective)} with the defaults")
    if not told:
        return "No trial has ended well."
    return f"Best validation {trials[0].metric} of {model}: {'; '.join(told[:5])}. Trial 0 has the default values."


# ---- sections

def source_section(source, trials, weights, space, figures, stamp):
    """Returns what the trials of a source say."""
    best = best_trial(trials)
    if best is None:
        return parts.section(source, parts.paragraph("No trial has ended well."))
    name = f"hpo_parameters_{source}.svg"
    figures[name] = parameters_figure(source, trials, space, stamp)
    made = [parts.figure(figures[name], "The objective of each trial against each parameter; the best trial is ringed.")]
    if weights:
        bars = charts.bars(list(weights), [("importance", [100 * value for value in weights.values()])],
                           f"{source}: importance", x_label="% of the variance", stamp=stamp)
        figures[f"hpo_importance_{source}.svg"] = bars
        made.append(parts.figure(bars, IMPORTANCE))
    return parts.section(source, best_table(trials, space), *made)


def best_table(trials, space):
    """Returns the ten best trials of a source."""
    done = sorted((trial for trial in trials if trial.objective is not None),
                  key=lambda trial: (sign(trial.metric) * trial.objective, trial.number))
    names = [entry["name"] for entry in space] or list(dict.fromkeys(name for trial in done for name in trial.params))
    rows = [[str(trial.number), trial.objective, *(cell(trial.params.get(name)) for name in names),
             None if trial.seconds is None else run_report.duration(trial.seconds)] for trial in done[:TABLE]]
    return parts.table(["trial", f"validation {trials[0].metric}", *names, "time"], rows,
                       f"The best {len(rows)} of {len(trials)} trials; trial 0 has the defaults.")


def cell(value):
    return value if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)) else str(value)


def use_section(done):
    """Returns the best values, as words for a command line."""
    rows = []
    for source, chosen in by_source(done).items():
        words = [word for name, value in best_trial(chosen).params.items() for word in (f"--{name}", str(value))]
        rows += [parts.tag("h3", source), parts.tag("pre", " ".join(map(shlex.quote, words)))]
    command = f"python3 workflow_csa.py --hyperparameters_file OUT/{BEST}"
    return parts.section("To use the best values", parts.tag("pre", command), *rows) if rows else ""


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
                               y_label=f"validation {metric}", y_scale=scale_of_metric(metric), best=done.index(best_trial(done)), note="ring: the best trial",
                               stamp=stamp)


def scale_of_metric(metric):
    """Errors are above 0 and far apart where a training diverged; correlations may be below 0."""
    return "log" if metric and lower_is_better(metric) else "linear"


def scale_of(entry):
    if entry["type"] in ("categorical", "ordered"):
        return "categorical"
    return "log" if entry["log_uniform"] else "linear"
