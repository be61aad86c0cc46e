"""hpo: the page of a hyperparameter optimization.

    trials, importance -> best values, figures and tables -> OUT/report.html

Examples:
    page, figures = report(run, trials, weights, studies)
    figures["hpo_best_so_far.svg"]              # also in OUT/scores
"""
import shlex
from collections import Counter

from common.metrics import lower_is_better
from common.tables import plural
from report import axes
from report import charts
from report import page as parts
from report import tuned
from report.run import Figures, duration, whole_page
from report.svg import GAP, WIDTH
from tree.trials import best_trial, by_source, default_trial, sign

TABLE = 10      # trials in the table of the best
MOST_IN_LEAD = 5  # sources in the first sentences
FEW_PANELS = 2  # of parameters; more fill both columns
OVERVIEW = ("source", "trials", "failed", "validation", "defaults", "best", "trial")
IMPORTANCE = ("Share of the variance of a Gaussian process, fitted to the ranks of the trials, that the parameter explains "
              "alone (first-order Sobol' index). Shares are estimates: they may add up to less than 1, if parameters act together, or to a little more.")


def report(run, trials, weights, studies):
    """Returns (page, {file name: SVG}).

    run: report.run.Run; trials: tree.trials.Trial, by source and number; weights: {source: {parameter: importance}};
    studies: {source: tree.trials.Study}.
    """
    figures = Figures(run.tree.synthetic)
    rows = overview(trials, studies)
    drawn = best_figures(trials, figures)
    drawn += [parts.table(OVERVIEW, rows, "Best objective of each study beside that of the default values.",
                          own_digits=("defaults", "best"))] if rows else []
    drawn += importance_figure(weights, figures)
    sections = [parts.section("Best so far", parts.figures(drawn))]
    sections += [source_section(source, chosen, studies[source].space, figures) for source, chosen in by_source(trials).items()]
    sections.append(use_section(run, [trial for trial in trials if trial.objective is not None]))
    return whole_page(run, f"Hyperparameter optimization of {run.model}", lead(trials, run.model, studies), sections, figures,
                      "hpo")


def lead(trials, model, studies):
    """Returns a sentence: what the best values gave, and beside what."""
    best = [f"{source}: {metric} {axes.number(objective)} in trial {number}, "
            f"{'none' if defaults is None else axes.number(defaults)} with the defaults"
            for source, _, _, metric, defaults, objective, number in overview(trials, studies)]
    if not best:
        reasons = Counter(trial.reason for trial in trials if trial.state == "failed").most_common(1)
        return "No trial has ended well" + "".join(f"; {number} of {len(trials)} failed: {reason}" for reason, number in reasons) + "."
    more = f"; {len(best) - MOST_IN_LEAD} more below" if len(best) > MOST_IN_LEAD else ""
    return f"Best of {model} on validation data: {'; '.join(best[:MOST_IN_LEAD])}{more}."


def overview(trials, studies):
    """Returns rows of OVERVIEW, one for each source that has a best trial."""
    rows = []
    for source, chosen in by_source(trials).items():
        best, first = best_trial(chosen), default_trial(chosen, studies[source].space)
        if best:
            rows.append([source, len(chosen), sum(trial.state == "failed" for trial in chosen), best.metric,
                         first.objective if first else None, best.objective, best.number])
    return rows


# ---- sections

def source_section(source, trials, space, figures):
    """Returns what the trials of a source say."""
    failed = failed_table(trials, space)
    if best_trial(trials) is None:
        return parts.section(source, parts.paragraph("No trial has ended well."), failed)
    return parts.section(source, best_table(trials, space), parameters_figure(source, trials, space, figures), failed)


def best_table(trials, space):
    """Returns the ten best trials of a source."""
    done = sorted((trial for trial in trials if trial.objective is not None),
                  key=lambda trial: (sign(trial.metric) * trial.objective, trial.number))
    names = names_of(space, done)
    rows = [[str(trial.number), trial.objective, *(cell(trial.params.get(name)) for name in names),
             None if trial.seconds is None else duration(trial.seconds)] for trial in done[:TABLE]]
    return parts.table(["trial", trials[0].metric, *names, "time"], rows,
                       f"The best {len(rows)} of {plural(len(trials), 'trial')} by validation {trials[0].metric}"
                       f"{defaults_in(trials, space)}.", own_digits=(trials[0].metric, *names))


def defaults_in(trials, space):
    first = default_trial(trials, space)
    return f"; trial {first.number} has the defaults" if first else ""


def failed_table(trials, space):
    """Returns the trials that failed with their parameters; '' if none did. Their logs are further below."""
    failed = [trial for trial in trials if trial.state == "failed"]
    names = names_of(space, failed) if any(trial.params for trial in failed) else []
    rows = [[str(trial.number), trial.reason, *(cell(trial.params.get(name)) for name in names)] for trial in failed]
    return parts.table(["trial", "reason", *names], rows, f"Trials that failed: {len(failed)} of {len(trials)}.",
                       own_digits=names) if rows else ""


def names_of(space, trials):
    return [entry["name"] for entry in space] or list(dict.fromkeys(name for trial in trials for name in trial.params))


def cell(value):
    return value if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)) else str(value)


def use_section(run, done):
    """Returns the commands that train with the best values of all sources, and those of each as words for train."""
    sources = sorted({trial.source for trial in done})
    steps = tuned.commands(run.tree.plan, run.model, run.tree.out, sources)
    rows = [parts.steps([parts.joined([f"{words[0].upper()}{words[1:]}:", parts.typed(command)]) for words, command in steps]),
            parts.paragraph("Or give the values to the model's train script yourself:")]
    for source, chosen in by_source(done).items():
        words = [word for name, value in best_trial(chosen).params.items() for word in (f"--{name}", str(value))]
        rows += [parts.tag("h3", source), parts.typed(" ".join(map(shlex.quote, words)))]
    return parts.section("To use the best values", *rows) if done else ""


# ---- figures

def best_figures(trials, figures):
    """Returns a figure for each metric, since studies may differ in it."""
    metrics = list(dict.fromkeys(trial.metric for trial in trials))
    return [best_figure(f"hpo_best_so_far{'' if len(metrics) == 1 else '_' + metric}.svg",
                        [trial for trial in trials if trial.metric == metric], metric, figures) for metric in metrics]


def best_figure(name, trials, metric, figures):
    """Returns best-so-far against trials, a line per source, with every trial as a point; the best one large, failed ones
    as crosses above."""
    series = []
    for source, chosen in by_source(trials).items():
        points = [(trial.number, trial.objective) for trial in chosen if trial.objective is not None]
        line = [(trial.number, trial.best) for trial in chosen if trial.best is not None]
        best = best_trial(chosen)
        series.append(charts.Series(source, points=points, line=line, steps=True,
                                    medians=[(best.number, best.objective)] if best else [],
                                    crosses=[trial.number for trial in chosen if trial.state == "failed"]))
    return figures.add(
        name, charts.line_chart, series, f"Best validation {metric} so far", x_label="trial", y_label=f"validation {metric}",
        y_scale=scale_of_metric(metric),
        note="line: best so far; points: trials; large: the best" + crossed(any(entry.crosses for entry in series)))


def importance_figure(weights, figures):
    """Returns [the importance of each parameter, a bar for each source], [] if none is known."""
    known = {source: of_source for source, of_source in weights.items() if of_source}
    names = list(dict.fromkeys(name for of_source in known.values() for name in of_source))
    series = [(source, [of_source.get(name) for name in names]) for source, of_source in known.items()]
    return [figures.add("hpo_importance.svg", charts.bars, names, series, "Importance of each parameter",
                        x_label="share of the variance", caption=IMPORTANCE)] if known else []


def crossed(failed):
    """Returns what the crosses of a figure mean, '' if it has none."""
    return "; crosses: failed" if failed else ""


def parameters_figure(source, trials, space, figures):
    """Returns the objective against each parameter, a panel per parameter; the best trial is ringed."""
    done = [trial for trial in trials if trial.objective is not None]
    failed = [trial for trial in trials if trial.state == "failed" and trial.params]
    panels = [charts.Panel(entry["name"], [trial.params.get(entry["name"]) for trial in done + failed], scale_of(entry))
              for entry in space]
    metric = trials[0].metric
    return figures.add(
        f"hpo_parameters_{source}.svg", charts.scatter_grid, panels, [trial.objective for trial in done],
        f"{source}: {metric} against each parameter", y_label=f"validation {metric}", y_scale=scale_of_metric(metric),
        best=done.index(best_trial(done)), width=WIDTH if len(panels) <= FEW_PANELS else 2 * WIDTH + 2 * GAP,
        note="ring: the best trial" + crossed(failed))


def scale_of_metric(metric):
    """Errors are above 0 and far apart where a training diverged; correlations may be below 0."""
    return "log" if metric and lower_is_better(metric) else "linear"


def scale_of(entry):
    if entry["type"] in ("categorical", "ordered"):
        return "categorical"
    return "log" if entry["log_uniform"] else "linear"
