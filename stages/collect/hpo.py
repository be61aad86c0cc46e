"""hpo: the tables and figures of a hyperparameter optimization.

    Tree -> trials/*/trial.json -> rows -> results, best values, figures, commands to go on with

Examples:
    report = collect(Tree("runs/hpo_baseline"), "baseline")
    report.files["hpo_results.csv"]             # 'source,trial,state,objective,...'

Files:
    hpo_results.csv             a row per trial: objective, parameters, metrics, best so far
    hpo_best_so_far.svg, hpo_parameters_{source}.svg and OUT/report.html (report/hpo.py)
    OUT/hyperparameters_hpo.json    {model: {source: {name: value}}}, for --hyperparameters_file
"""
import json
import os

from core.metrics import in_order
from core.task import argument_list, quoted
from core.text import aligned, as_text, csv_text
from stages.collect.gaps import Report
from stages.collect.trials import read_studies, read_trial, trial_tasks
from stages.report import hpo as hpo_report
from stages.report.run import Run
from stages.search.trials import best_trial, by_source, with_best

BEST = "hyperparameters_hpo.json"
PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Options of the search that decide what a model is trained on, with what, and where it runs.
SAME = ("model", "model_dir", "env", "input_dir", "y_col_name", "y_data_file", "split_type",
        "input_supp_data_dir", "cuda_name", "epochs", "executor", "jobs")
STAGES = ("preprocess_args", "train_args", "infer_args")    # one text each


def collect(tree, model):
    """Returns the Report of an HPO tree; `model` names it if no plan does."""
    tasks = trial_tasks(tree)
    studies, notes = read_studies(tree, [task.source for task in tasks])
    trials = with_best([read_trial(tree, task, studies[task.source].metric) for task in tasks])
    # A trial may end well without an objective: there was no point left to try
    gaps = [tree.gap(task, trial.reason if tree.verdict(task.name).state == "done" else "")
            for task, trial in zip(tasks, trials) if trial.state not in ("done", "exhausted")]
    done = by_source([trial for trial in trials if trial.objective is not None])
    notes += [note for chosen in done.values() for note in study_notes(chosen)]
    found = sum(map(len, done.values()))
    steps = commands(tree.plan, model, tree.out, list(done)) if done else []
    run = Run(tree, model, tasks, found, gaps, notes)
    page, figures = hpo_report.report(run, trials, studies, steps)
    text = shown_table(trials, studies) + use_text(tree.out, steps)
    best = {source: best_trial(chosen).params for source, chosen in done.items()}
    return Report(dict(figures, **{"hpo_results.csv": results_text(trials)}), found, gaps,
                  text, notes, {BEST: json.dumps({model: best}, indent=1) + "\n",
                                "report.html": page})


# ---- tables and notes

def results_text(trials):
    """hpo_results.csv: a column for every parameter and metric that any trial has."""
    names = list(dict.fromkeys(name for trial in trials for name in trial.params))
    metrics = in_order(name for trial in trials for name in trial.scores)
    header = ["source", "trial", "state", "val_metric", "objective", *names, *metrics,
              "seconds", "best_so_far", "reason"]
    return csv_text(header, [
        (trial.source, trial.number, trial.state, trial.metric, trial.objective,
         *map(trial.params.get, names), *map(trial.scores.get, metrics),
         trial.seconds, trial.best, trial.reason) for trial in trials])


def study_notes(done):
    """Returns what a reader of a study's results must know. done: trials with an objective"""
    source, scripts = done[0].source, {trial.script for trial in done} - {""}
    notes = []
    if len(scripts) > 1:
        notes.append(f"{source}: the train script has changed between trials ({len(scripts)} "
                     "versions): their objectives are comparable only if the change does not "
                     "matter; --redo trial repeats all trials")
    if best_trial(done).std is None:
        notes.append(f"{source}: each trial trains on one split, so the noise of its objective is "
                     "not known; --split 0 1 2 in another --output_dir shows it")
    return notes


def shown_table(trials, studies):
    """Returns the table for the terminal: the best trial of each source beside the defaults."""
    rows = hpo_report.overview(trials, studies)
    lines = [["-" if cell is None else str(cell) for cell in row]
             for row in [hpo_report.OVERVIEW, *rows]]
    found = [aligned(lines) if rows else "no trial has ended well"]
    for source, chosen in by_source(trials).items():
        best = best_trial(chosen)
        if best:
            values = [f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
                      for name, value in best.params.items()]
            found.append(f"{source}: {', '.join(values)}")
        if any(trial.state == "exhausted" for trial in chosen):
            found.append(f"{source}: every point of the search space has been tried; "
                         "the search has ended")
    return "\n".join(found)


# ---- how to go on

def use_text(out, steps):
    """Returns the lines on how to use the best values; '' without steps."""
    lines = [f"{number}. {what}:\n  {command}" for number, (what, command) in enumerate(steps, 1)]
    best = f"best values: {os.path.join(os.path.abspath(out), BEST)}"
    return "\n".join(["", "", best, *lines]) if steps else ""


def commands(plan, model, out, sources):
    """Returns [(what it does, command to paste into a shell)]: train with the best values, train
    without them, compare. plan: plan.json of the search, {} if there is none."""
    out = as_text(os.path.abspath(out))
    folder, name = os.path.split(out)
    name = name[len("hpo_"):] if name.startswith("hpo_") else name
    tuned, untuned, compared = (os.path.join(folder, f"csa_{name}_{kind}")
                                for kind in ("tuned", "untuned", "compared"))
    python = str(plan.get("command", ["python3"])[0])
    train = [python, os.path.join(PROJECT, "workflow_csa.py"), *same_arguments(plan, model, out),
             "--source", *sources]
    steps = [("train each study with its best values",
              [*train, "--hyperparameters_file", os.path.join(out, BEST), "--output_dir", tuned]),
             ("train without them, with the train script's own values",
              [*train, "--output_dir", untuned]),
             ("compare the two", [python, os.path.join(PROJECT, "stages", "collect_scores.py"),
                                  "--compare", untuned, tuned, "--output_dir", compared])]
    return [(what, quoted(command)) for what, command in steps]


def same_arguments(plan, model, out):
    """Returns the arguments that make the same models of the same data as the search did."""
    given = dict({"model": model}, **(plan.get("arguments") or {}))
    for name in STAGES:         # in plans of before they are lists
        own = given.get(name) or {}
        given[name] = quoted(own if isinstance(own, list) else argument_list(own, out))
    given["gpus"] = ",".join(given.get("gpus") or [])
    return [text for name in (*SAME, *STAGES, "gpus") if given.get(name) not in (None, "")
            for text in (f"--{name}", str(given[name]))]
