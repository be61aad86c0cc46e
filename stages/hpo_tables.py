"""hpo_tables: the tables and figures of a hyperparameter optimization.

    Tree -> trials/*/trial.json -> rows -> results, best values, importance, figures

Examples:
    report = collect(Tree("runs/hpo_baseline"), "baseline")
    report.files["hpo_results.csv"]             # 'source,trial,state,objective,...'

Files:
    hpo_results.csv             a row per trial: objective, parameters, metrics, seconds, best so far
    hpo_importance.csv          source, parameter, importance (hpo_importance says how)
    hpo_best_so_far.svg, hpo_parameters_{source}.svg and OUT/report.html (hpo_report)
    OUT/hyperparameters_hpo.json    {model: {source: {name: value}}}, for --hyperparameters_file
"""
import json
import os

import hpo_report
from hpo_importance import importance
from hpo_space import SpaceError, normalise_space
from hpo_trials import best_trial, by_source, read_trial, sign, trial_tasks, with_best
from improve_files import FileError
from metrics import METRICS
from results_tree import Gap, Report
from tables import aligned, csv_text
from tree_files import read_json


def collect(tree, model):
    """Returns the Report of an HPO tree; `model` names it where no plan does."""
    tasks = trial_tasks(tree)
    trials = with_best([read_trial(tree, task) for task in tasks])
    space, notes = read_space(tree)
    gaps = [gap for gap in (gap_of(tree, task, trial) for task, trial in zip(tasks, trials)) if gap]
    done = [trial for trial in trials if trial.objective is not None]
    weights = {source: importance(space, [(t.params, sign(t.metric) * t.objective) for t in chosen])
               for source, chosen in by_source(done).items()}
    page, figures = hpo_report.report(tree, model, tasks, trials, weights, space, gaps, notes)
    return Report(dict(hpo_files(trials, weights), **figures), len(done), gaps, shown_table(trials, weights), notes,
                  {hpo_report.BEST: best_text(done, model), "report.html": page})


# ---- files

def gap_of(tree, task, trial):
    """Returns the Gap of a trial without an objective; None for one that had no point left to try."""
    if trial.state in ("failed", "unreadable") and tree.verdict(task.name).state == "done":
        return Gap(task, task.name, "trial", trial.state, trial.reason, None, os.path.join(tree.path(task.name), "log.txt"))
    return None if trial.state in ("done", "exhausted") else tree.gap(task)


def read_space(tree):
    """Returns (normalised space, notes); an empty one where space.json cannot be read."""
    try:
        return normalise_space(read_json(tree.path("space.json"))), []
    except (FileError, SpaceError) as error:
        return [], [f"no figures of parameters: {error}"]


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
    metrics = [metric for metric in METRICS if any(metric in trial.scores for trial in trials)]
    header = ["source", "trial", "state", "objective", *names, *metrics, "seconds", "best_so_far", "reason"]
    return csv_text(header, [
        (trial.source, trial.number, trial.state, trial.objective, *(trial.params.get(name) for name in names),
         *(trial.scores.get(metric) for metric in metrics), trial.seconds, trial.best, trial.reason) for trial in trials])


# ---- text

def shown_table(trials, weights):
    """Returns the table for the terminal: the best trial of each source beside the defaults."""
    lines = [["source", "trials", "failed", "defaults", "best", "trial"]]
    found = []
    for source, chosen in by_source(trials).items():
        done = [trial for trial in chosen if trial.objective is not None]
        if done:
            best = best_trial(done)
            first = next((trial for trial in done if trial.number == 0), None)
            lines.append([source, str(len(chosen)), str(sum(trial.state == "failed" for trial in chosen)),
                          f"{first.objective:.6g}" if first else "-", f"{best.objective:.6g}", str(best.number)])
            values = ", ".join(f"{name} {shown(value)}" for name, value in best.params.items())
            found.append(f"{source}: {values}")
            found += [f"{source}: importance {shares(weights[source])}"] if weights.get(source) else []
        if any(trial.state == "exhausted" for trial in chosen):
            found.append(f"{source}: every point of the search space has been tried; the search has ended")
    if len(lines) == 1:
        return "no trial has ended well"
    return "\n".join([f"validation {trials[0].metric}", aligned(lines), *found])


def shares(values):
    """'learning_rate 71 %, batch_size 9 % (...)': of the variance that each explains alone."""
    order = sorted(values.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {100 * value:.0f} %" for name, value in order) + " of the variance, each alone"


def shown(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value)
