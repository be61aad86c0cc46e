"""hpo: the tables and figures of a hyperparameter optimization.

    Tree -> trials/*/trial.json -> rows -> results, best values, importance, figures

Examples:
    report = collect(Tree("runs/hpo_baseline"), "baseline")
    report.files["hpo_results.csv"]             # 'source,trial,state,objective,...'

Files:
    hpo_results.csv             a row per trial: objective and its metric, parameters, metrics, seconds, best so far
    hpo_importance.csv          source, parameter, importance (stats/importance.py says how)
    hpo_best_so_far.svg, hpo_importance.svg, hpo_parameters_{source}.svg and OUT/report.html (report/hpo.py)
    OUT/hyperparameters_hpo.json    {model: {source: {name: value}}}, for --hyperparameters_file
"""
import json
import os

from report import hpo as hpo_report
from report import tuned
from report.run import Run
from stats.importance import importance
from search.space import to_unit
from tree.trials import Study, best_trial, by_source, read_studies, read_trial, sign, trial_tasks, with_best
from common.metrics import in_order
from tree.results_tree import Gap, Report
from common.tables import aligned, csv_text

AT_BOUND = 0.02     # of a range, on its scale: nearer to its end is at its end
BEST_FEW = 3        # trials whose parameters are looked at
ENOUGH = 8          # trials: of fewer, the best lie at a bound by chance
FEW_VALUES = 4      # values of a whole number beyond its least: of fewer, too


def collect(tree, model):
    """Returns the Report of an HPO tree; `model` names it if no plan does."""
    tasks = trial_tasks(tree)
    found, notes = read_studies(tree, sorted({task.source for task in tasks}))
    studies = {source: found.get(source, Study()) for source in {task.source for task in tasks}}
    trials = with_best([read_trial(tree, task, studies[task.source].metric) for task in tasks])
    gaps = [gap for gap in (gap_of(tree, task, trial) for task, trial in zip(tasks, trials)) if gap]
    done = [trial for trial in trials if trial.objective is not None]
    notes += [note for source, chosen in by_source(done).items() for note in study_notes(source, chosen, studies[source])]
    weights = {source: importance(studies[source].space, [(t.params, sign(t.metric) * t.objective) for t in chosen])
               for source, chosen in by_source(done).items()}
    run = Run(tree, model, tasks, len(done), gaps, notes)
    page, figures = hpo_report.report(run, trials, weights, studies)
    text = "\n\n".join([shown_table(trials, weights, studies)] + ([use_text(tree, model, done)] if done else []))
    return Report(dict(hpo_files(trials, weights), **figures), len(done), gaps, text, notes,
                  {tuned.BEST: best_text(done, model), "report.html": page})


# ---- files

def gap_of(tree, task, trial):
    """Returns the Gap of a trial without an objective; None for one that had no point left to try."""
    if trial.state in ("failed", "unreadable") and tree.verdict(task.name).state == "done":
        return Gap(task, task.name, "trial", trial.state, trial.reason, None, os.path.join(tree.path(task.name), "log.txt"))
    return None if trial.state in ("done", "exhausted") else tree.gap(task)


def best_text(done, model):
    """hyperparameters_hpo.json: the best values of each source."""
    best = {source: best_trial(trials).params for source, trials in by_source(done).items()}
    return json.dumps({model: best}, indent=1) + "\n"


def hpo_files(trials, weights):
    """Returns {file name: text}."""
    return {"hpo_results.csv": results_text(trials),
            "hpo_importance.csv": csv_text(("source", "parameter", "importance"), [
                (source, name, value) for source, values in weights.items() for name, value in values.items()])}


def results_text(trials):
    """hpo_results.csv: a column for every parameter and metric that any trial has."""
    names = list(dict.fromkeys(name for trial in trials for name in trial.params))
    metrics = in_order(name for trial in trials for name in trial.scores)
    header = ["source", "trial", "state", "val_metric", "objective", *names, *metrics, "seconds", "best_so_far", "reason"]
    return csv_text(header, [
        (trial.source, trial.number, trial.state, trial.metric, trial.objective, *(trial.params.get(name) for name in names),
         *(trial.scores.get(metric) for metric in metrics), trial.seconds, trial.best, trial.reason) for trial in trials])


# ---- text

def study_notes(source, done, study):
    """Returns sentences on what a reader of a study's results must know. done: its trials with an objective"""
    scripts = {trial.script for trial in done} - {""}
    changed = [f"{source}: the train script has changed between trials ({len(scripts)} versions): their objectives are "
               "comparable only if the change does not matter; --redo trial makes all anew"] if len(scripts) > 1 else []
    return changed + [f"{source}: {note}" for note in bound_notes(done, study.space) if len(done) >= ENOUGH]


def bound_notes(done, space):
    """Returns "2 of the best 3 trials are at learning_rate's upper bound: widen it" for each such bound."""
    best = sorted(done, key=lambda trial: (sign(trial.metric) * trial.objective, trial.number))[:BEST_FEW]
    notes = []
    for entry in space:
        is_wide = "min" in entry and (entry["type"] != "int" or entry["max"] - entry["min"] >= FEW_VALUES)
        units = [to_unit(entry, trial.params.get(entry["name"])) for trial in best] if is_wide else []
        for side, bound in (("lower", entry.get("min")), ("upper", entry.get("max"))):
            at = sum(is_at(unit, side, trial.params[entry["name"]] == bound) for unit, trial in zip(units, best))
            if at >= 2 and entry["min"] < entry["max"]:
                notes.append(f"{at} of the best {len(best)} trials are at {entry['name']}'s {side} bound: widen it")
    return notes


def is_at(unit, side, equal):
    return unit is not None and (equal or (unit < AT_BOUND if side == "lower" else unit > 1 - AT_BOUND))


def use_text(tree, model, done):
    """Returns the lines that say how to go on with the best values."""
    steps = tuned.commands(tree.plan, model, tree.out, sorted({trial.source for trial in done}))
    lines = [f"best values: {os.path.join(os.path.abspath(tree.out), tuned.BEST)}"]
    lines += [f"{number}. {words}:\n  {command}" for number, (words, command) in enumerate(steps, 1)]
    return "\n".join(lines)


def shown_table(trials, weights, studies):
    """Returns the table for the terminal: the best trial of each source beside the defaults."""
    lines = [["source", "trials", "failed", "validation", "defaults", "best", "trial"]]
    lines += [[cell if isinstance(cell, str) else "-" if cell is None else f"{cell:.6g}" for cell in row]
              for row in hpo_report.overview(trials, studies)]
    found = []
    for source, chosen in by_source(trials).items():
        best = best_trial(chosen)
        if best:
            values = ", ".join(f"{name} {shown(value)}" for name, value in best.params.items())
            found.append(f"{source}: {values}")
            found += [f"{source}: importance {shares(weights[source])}"] if weights.get(source) else []
        if studies[source].imported:
            found.append(f"{source}: the search knew {studies[source].imported} trials of other searches from its start")
        if any(trial.state == "exhausted" for trial in chosen):
            found.append(f"{source}: every point of the search space has been tried; the search has ended")
    if len(lines) == 1:
        return "no trial has ended well"
    return "\n".join([aligned(lines), *found])


def shares(values):
    """'learning_rate 71 %, batch_size 9 % (...)': of the variance that each explains alone."""
    order = sorted(values.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {100 * value:.0f} %" for name, value in order) + " of the variance, each alone"


def shown(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value)
