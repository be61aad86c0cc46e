"""hpo: the page of a hyperparameter optimization.

    trials, studies -> best values, figures and tables -> OUT/report.html

Examples:
    page, figures = report(run, trials, studies, steps)
    figures["hpo_best_so_far.svg"]              # also in OUT/scores
"""
from collections import Counter

from core.metrics import lower_is_better
from core.text import plural
from stages.report import charts, page as parts
from stages.report.charts import Series, Strip, number
from stages.report.run import Figures, duration, whole_page
from stages.search.trials import best_trial, by_source, default_trial, rank

TABLE = 10          # trials in the table of the best
OVERVIEW = ("source", "trials", "failed", "validation", "defaults", "best", "trial")
RESULTS = "scores/hpo_results.csv"


def report(run, trials, studies, steps):
    """Returns (page, {file name: SVG}).

    run: report.run.Run; trials: Trials by source and number; studies: {source: Study};
    steps: [(what it does, command)] that use the best values.
    """
    figures, rows = Figures(run.tree.synthetic), overview(trials, studies)
    table = parts.table(OVERVIEW, rows, (
        "Best objective of each study beside that of the default values, \u00b1 standard deviation "
        "over the splits of the trial if there are several."), RESULTS)
    sections = [parts.section("Best so far", parts.figures(
        best_figure(trials, figures) if rows else "", table))]
    for source, own in by_source(trials).items():
        shown = ["No trial has ended well."]
        if best_trial(own):
            shown = [parts.figures(*parameter_figures(source, own, studies[source].space, figures)),
                     best_table(own, studies[source].space)]
        sections.append(parts.section(source, *shown))
    use = [parts.joined([f"{what}:", parts.typed(command)]) for what, command in steps]
    sections += [parts.section("To use the best values", parts.items(use, "ol"))] * bool(use)
    return whole_page(run, f"Hyperparameter optimization of {run.model}",
                      lead(trials, run.model, rows), sections, figures)


def lead(trials, model, rows):
    """Returns a sentence: what the best values gave, and beside what."""
    if rows:
        best = [f"{source}: {metric} {objective} in trial {number}, {defaults or 'none'} with the "
                "defaults" for source, _, _, metric, defaults, objective, number in rows]
        return f"Best of {model} on validation data: {'; '.join(best)}."
    causes = Counter(trial.reason for trial in trials if trial.state == "failed").most_common(1)
    return "No trial has ended well" + "".join(
        f"; {count} of {len(trials)} failed: {reason}" for reason, count in causes) + "."


def overview(trials, studies):
    """Returns rows of OVERVIEW, one for each source that has a best trial."""
    rows, digits = [], charts.decimals([trial.objective for trial in trials])
    for source, own in by_source(trials).items():
        best, first = best_trial(own), default_trial(own, studies[source].space)
        if best:
            rows.append([source, len(own), sum(trial.state == "failed" for trial in own),
                         best.metric, noisy(first, digits), noisy(best, digits), str(best.number)])
    return rows


def noisy(trial, digits):
    """Returns an objective such as '0.0153 \u00b1 0.0012'; None without one."""
    if trial is None or trial.objective is None:
        return None
    noise = "" if trial.std is None else f" \u00b1 {number(trial.std, digits)}"
    return parts.Cell(number(trial.objective, digits) + noise, trial.objective)


def best_table(trials, space):
    """Returns the ten best trials of a source."""
    done = sorted((trial for trial in trials if trial.objective is not None), key=rank)
    first, digits = default_trial(trials, space), charts.decimals([done[0].objective])
    names = [entry["name"] for entry in space] or list(done[0].params)
    rows = [[str(trial.number), noisy(trial, digits), *map(trial.params.get, names),
             parts.Cell(duration(trial.seconds), trial.seconds)] for trial in done[:TABLE]]
    note = f"; trial {first.number} has the defaults." if first else "."
    return parts.table(
        ["trial", done[0].metric, *names, "time"], rows, f"The best {len(rows)} of "
        f"{plural(len(trials), 'trial')} by validation {done[0].metric}{note}", RESULTS,
        own_digits=names)


# ---- figures

def best_figure(trials, figures):
    """Returns the best objective so far against trials."""
    metric, series = trials[0].metric, []
    for source, own in by_source(trials).items():
        best = best_trial(own)
        series.append(Series(
            source, marks(own, lambda trial: trial.number),
            line=[(trial.number + step, trial.best) for trial in own for step in (0, 1)],
            medians=[(best.number, best.objective)] if best else []))
    return figures.add(
        "hpo_best_so_far.svg", charts.lines, f"Best validation {metric} so far\nline: best so far; "
        "points: trials; large: the best; crosses: failed", series, "trial",
        f"validation {metric}", y_scale=scale_of(metric), csv="hpo_results.csv",
        caption="Lower is better." if lower_is_better(metric) else "Higher is better.")


def marks(trials, place):
    """Returns points of the trials that have ended; a failed one has no y."""
    return [(place(trial), trial.objective) for trial in trials
            if trial.state == "failed" or trial.objective is not None]


def parameter_figures(source, trials, space, figures):
    """Returns the objective against each parameter, and for each choice."""
    metric, best = trials[0].metric, best_trial(trials)
    title, scale = f"{source}: validation {metric}", scale_of(metric)
    plots = [charts.Panel(entry["name"], [
        Series("trials", marks(trials, lambda trial: trial.params.get(entry["name"]))),
        Series("best", medians=[(best.params.get(entry["name"]), best.objective)])],
        "log" if entry["log_uniform"] else "linear") for entry in space if "min" in entry]
    strips = [Strip(f"{entry['name']} {value}", [
        trial.objective for trial in trials if trial.params.get(entry["name"]) == value])
        for entry in space for value in entry.get("choices", ())]
    return [plots and figures.add(
        f"hpo_parameters_{source}.svg", charts.panels, f"{title} against each parameter\npoints: "
        "trials; large: the best one; crosses: failed", plots, y_label=f"validation {metric}",
        y_scale=scale, across=2, csv="hpo_results.csv"), strips and figures.add(
        f"hpo_choices_{source}.svg", charts.strips, f"{title} by choice\npoints: trials; line: "
        "median", strips, f"validation {metric}", scale, csv="hpo_results.csv")]


def scale_of(metric):
    """Errors are above 0 and far apart if a training diverged; correlations may be below 0."""
    return "log" if lower_is_better(metric) else "linear"
