"""hpo: the page of a hyperparameter optimization.

    trials, studies -> best values, figures and tables -> OUT/report.html

Examples:
    page, figures = report(run, trials, studies, steps)
    figures["hpo_best_so_far.svg"]              # also in OUT/scores
"""
from collections import Counter

from core.metrics import direction
from stages.report import charts, page as parts
from stages.report.charts import Series, number
from stages.report.run import Figures, whole_page
from stages.search.space import space_size
from stages.search.trials import best_trial, by_source, rank

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
    sections = [parts.section(
        "Best so far", parts.figures(best_figure(trials, figures) if rows else ""), table)]
    for source, own in by_source(trials).items():
        if best_trial(own):
            drawn = parameter_figure(source, own, studies[source].space, figures)
            sections.append(parts.section(source, parts.figures(drawn), best_table(own)))
    if steps:
        use = [parts.joined([f"{what}:", parts.typed(command)]) for what, command in steps]
        sections.append(parts.section("To use the best values", parts.items(use, "ol")))
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
    rows = []
    for source, own in by_source(trials).items():
        best, defaults = best_trial(own), {entry["name"]: entry["default"]
                                           for entry in studies[source].space}
        first = next((trial for trial in own if trial.params == defaults), None)
        if best:
            rows.append([source, len(own), sum(trial.state == "failed" for trial in own),
                         best.metric, noisy(first), noisy(best), best.number])
    return rows


def noisy(trial):
    """Returns an objective such as '0.0153 \u00b1 0.0012'; None without one."""
    if trial is None or trial.objective is None:
        return None
    digits = charts.decimals([trial.objective])
    noise = "" if trial.std is None else f" \u00b1 {number(trial.std, digits)}"
    return parts.Cell(number(trial.objective, digits) + noise, trial.objective)


def best_table(trials):
    """Returns the ten best trials of a source."""
    done = sorted((trial for trial in trials if trial.objective is not None), key=rank)
    names = list(done[0].params)
    rows = [[trial.number, noisy(trial), *map(trial.params.get, names)]
            for trial in done[:TABLE]]
    caption = f"The best {len(rows)} of {len(trials)} trials by validation {done[0].metric}."
    return parts.table(["trial", done[0].metric, *names], rows, caption, RESULTS, own_digits=names)


# ---- figures

def best_figure(trials, figures):
    """Returns the best objective so far against trials."""
    metric = trials[0].metric
    series = [Series(source, marks(own, lambda trial: trial.number),
                     line=[(trial.number + step, trial.best) for trial in own for step in (0, 1)])
              for source, own in by_source(trials).items()]
    return figures.add(
        "hpo_best_so_far.svg", charts.lines, f"Best validation {metric} so far\nline: best so far; "
        "points: trials; crosses: failed", series, "trial", f"validation {metric}",
        y_scale=scale_of(metric), csv="hpo_results.csv",
        caption=f"{direction(metric).capitalize()} is better.")


def marks(trials, place):
    """Returns points of the trials that have ended; a failed one has no y."""
    return [(place(trial), trial.objective) for trial in trials
            if trial.state == "failed" or trial.objective is not None]


def parameter_figure(source, trials, space, figures):
    """Returns the objective against each parameter whose values are numbers, or true and false."""
    metric = trials[0].metric
    shown = [entry for entry in space
             if space_size([entry]) > 1 and not isinstance(entry["default"], str)]
    plots = [charts.Panel(entry["name"], [Series(
        "trials", marks(trials, lambda trial: trial.params.get(entry["name"])))],
        "log" if entry.get("log_uniform") else "linear") for entry in shown]
    return plots and figures.add(
        f"hpo_parameters_{source}.svg", charts.panels, f"{source}: validation {metric} against "
        "each parameter\npoints: trials; crosses: failed", plots, y_label=f"validation {metric}",
        y_scale=scale_of(metric), across=2, csv="hpo_results.csv")


def scale_of(metric):
    """Errors are above 0 and far apart if a training diverged; correlations may be below 0."""
    return "log" if direction(metric) == "lower" else "linear"
