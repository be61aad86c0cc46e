"""hpo: the page of a hyperparameter optimization.

    trials, studies -> best values, figures and tables -> OUT/report.html
"""
from core.metrics import direction
from stages.report import charts, page as parts
from stages.report.charts import Panel, Series, number
from stages.report.run import Figures, whole_page
from stages.search.space import space_size
from stages.search.trials import best_trial, by_source

OVERVIEW = ("source", "trials", "failed", "validation", "defaults", "best", "trial")


def report(run, trials, studies, steps):
    """Returns (page, {file name: SVG}). run: report.run.Run; trials: Trials by source and number;
    studies: {source: Study}; steps: [(what it does, command)] that use the best values."""
    figures, rows = Figures(run.tree.synthetic), overview(trials, studies)
    table = parts.table(OVERVIEW, rows, (
        "Best objective of each study beside that of the default values, \u00b1 standard deviation "
        "over the splits of the trial if there are several."), "scores/hpo_results.csv")
    sections = [parts.section(
        "Best so far", parts.figures(best_figure(trials, figures) if rows else ""), table)]
    for source, own in by_source(trials).items():
        best = best_trial(own)
        if best:
            values = ", ".join(f"{name} {value}" for name, value in best.params.items())
            drawn = parameter_figure(source, own, studies[source].space, figures)
            sections.append(parts.section(source, f"Best values: {values}", parts.figures(drawn)))
    if steps:
        use = [parts.joined([f"{what}:", parts.tag("pre", command)]) for what, command in steps]
        sections.append(parts.section("To use the best values", parts.items(use, "ol")))
    return whole_page(run, f"Hyperparameter optimization of {run.model}",
                      lead(run.model, rows), sections, figures)


def lead(model, rows):
    """Returns a sentence: what the best values gave, and beside what."""
    best = [f"{source}: {metric} {objective} in trial {number}, {defaults or 'none'} with the "
            "defaults" for source, _, _, metric, defaults, objective, number in rows]
    return (f"Best of {model} on validation data: {'; '.join(best)}." if best else
            "No trial has ended well.")


def overview(trials, studies):
    """Returns rows of OVERVIEW, one for each source that has a best trial."""
    rows = []
    for source, own in by_source(trials).items():
        best = best_trial(own)
        defaults = {entry["name"]: entry["default"] for entry in studies[source].space}
        first = next((trial for trial in own if trial.params == defaults), None)
        if best:
            rows.append([source, len(own), sum(trial.state == "failed" for trial in own),
                         best.metric, noisy(first), noisy(best), best.number])
    return rows


def noisy(trial):
    """Returns an objective such as '0.0153 \u00b1 0.0012'; None without one."""
    if not trial or trial.objective is None:
        return None
    digits = charts.decimals([trial.objective])
    noise = "" if trial.std is None else f" \u00b1 {number(trial.std, digits)}"
    return parts.Cell(number(trial.objective, digits) + noise, trial.objective)


def best_figure(trials, figures):
    metric = trials[0].metric
    series = [Series(source, [(trial.number, trial.objective) for trial in own],
                     line=[(trial.number + step, trial.best) for trial in own for step in (0, 1)])
              for source, own in by_source(trials).items()]
    return figures.add(
        "hpo_best_so_far.svg", charts.panels, f"Best validation {metric} so far\nline: best so "
        "far; points: trials", [Panel("", series)], "trial", f"validation {metric}",
        direction(metric) == "lower", csv="hpo_results.csv",
        caption=f"{direction(metric).capitalize()} is better.")


def parameter_figure(source, trials, space, figures):
    """Returns the objective against each parameter whose values are numbers, or true and false."""
    metric = trials[0].metric
    shown = [entry for entry in space
             if space_size([entry]) > 1 and not isinstance(entry["default"], str)]
    plots = [Panel(entry["name"], [Series("trials", [
        (trial.params.get(entry["name"]), trial.objective) for trial in trials])],
        bool(entry.get("log_uniform"))) for entry in shown]
    return plots and figures.add(
        f"hpo_parameters_{source}.svg", charts.panels, f"{source}: validation {metric} against "
        "each parameter", plots, "", f"validation {metric}",
        direction(metric) == "lower", across=2, csv="hpo_results.csv")
