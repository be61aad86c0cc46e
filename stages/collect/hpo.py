"""hpo: the tables and figures of a hyperparameter optimization.

    OUT/{source}/study.json, trials/{0000}/trial.json -> Study, Trials
      -> results, best values, figures, commands to go on with

Files:
    hpo_results.csv             a row per trial: objective, parameters, metrics, best so far
    hpo_best_so_far.svg, hpo_parameters_{source}.svg and OUT/report.html (report/hpo.py)
    OUT/hyperparameters_hpo.json    {model: {source: {name: value}}}, for --hyperparameters_file
"""
import json
import os
import sys
from statistics import stdev

from core.errors import FileError
from core.files import read_json
from core.metrics import in_order, lower_is_better
from core.task import Task, argument_list, quoted
from core.text import aligned, as_text
from stages.collect.gaps import Report
from stages.collect.tables import csv_text
from stages.report import hpo as hpo_report
from stages.report.run import Run
from stages.search.trials import Study, Trial, best_trial, by_source, read_study, with_best

BEST = "hyperparameters_hpo.json"
PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Arguments of the search that decide what a model is trained on, with what, and where it runs.
SAME = ("model", "model_dir", "env", "input_dir", "y_col_name", "y_data_file", "split_type",
        "input_supp_data_dir", "cuda_name", "epochs", "executor", "jobs", "preprocess_args",
        "train_args", "infer_args", "gpus")


def collect(tree, model):
    """Returns the Report of an HPO tree; `model` names it if no plan does."""
    tasks, notes = trial_tasks(tree), []
    studies = dict.fromkeys([task.source for task in tasks], Study())
    for source in studies:
        try:
            studies[source] = read_study(tree.path(source, "study.json"))
        except FileError as error:
            notes.append(f"no figures of parameters: {error}")
    trials = with_best([read_trial(tree, task, studies[task.source].metric) for task in tasks])
    gaps = [tree.gap(task, "" if tree.verdict(task.name).state != "done" else
                     trial.reason or "it names no reason")
            for task, trial in zip(tasks, trials) if trial.state != "done"]
    done = [trial for trial in trials if trial.objective is not None]
    best = {source: best_trial(own) for source, own in by_source(done).items()}
    notes += [f"{source}: the train script has changed between trials; --redo trial repeats all"
              for source, own in by_source(done).items()
              if len({trial.script for trial in own} - {""}) > 1]
    for source in best:
        found = {status.environment for task in tasks if task.source == source
                 for status in [tree.status(task.name)] if status}
        if len(found) > 1:
            notes.append(f"{source}: its trials ran in {' and '.join(sorted(found))}")
    steps = commands(tree, best) if tree.plan and best else []
    run = Run(tree, model, tasks, len(done), gaps, notes)
    page, figures = hpo_report.report(run, trials, studies, steps)
    params = {model: {source: trial.params for source, trial in best.items()}}
    return Report(run, {**figures, "hpo_results.csv": results_text(trials)},
                  shown_text(trials, studies, best, steps),
                  {BEST: json.dumps(params, indent=1) + "\n", "report.html": page})


def trial_tasks(tree):
    """Returns the trials that are planned or exist in the tree, by source and number."""
    for source in tree.names(""):
        for number in filter(str.isdecimal, tree.names(f"{source}/trials")):
            name = f"{source}/trials/{number}"
            tree.tasks.setdefault(name, Task(name, "trial", source=source))
    tasks = [task for task in tree.tasks.values()
             if task.stage == "trial" and os.path.basename(task.name).isdecimal()]
    return sorted(tasks, key=lambda task: (task.source, len(task.name), task.name))


def read_trial(tree, task, metric):
    """Returns the Trial of a task; a missing or malformed one says why. metric: of its study"""
    verdict = tree.verdict(task.name)
    is_done = verdict.state == "done"
    trial = Trial(task.source, int(os.path.basename(task.name)), verdict.state, {},
                  reason=verdict.reason, metric=metric)
    try:
        content = read_json(tree.path(task.name, "trial.json" if is_done else "params.json"))
        if not is_done:
            return trial._replace(params=dict(content))
        lower_is_better(content["val_metric"])      # ValueError for an unknown one
        splits, objective = content.get("objectives", []), content["objective"]
        return trial._replace(
            state=str(content["state"]), params=dict(content["params"]),
            objective=None if objective is None else float(objective),
            scores=dict(content.get("scores") or {}), seconds=float(content["seconds"]),
            reason=str(content["reason"]), metric=content["val_metric"],
            std=stdev(splits) if splits[1:] else None,
            script=str(content.get("train_script", "")))
    except (FileError, AttributeError, KeyError, TypeError, ValueError) as error:
        return trial._replace(
            state="unreadable",
            reason=f"its trial.json cannot be read ({error})") if is_done else trial


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


def shown_text(trials, studies, best, steps):
    """Returns what the terminal shows: the best trial of each source beside the defaults, and how
    to go on."""
    if not best:
        return "no trial has ended well"
    return "\n".join([
        aligned([hpo_report.OVERVIEW, *hpo_report.overview(trials, studies)]),
        *(f"{source}: " + ", ".join(f"{name} {value}" for name, value in trial.params.items())
          for source, trial in best.items()),
        *(f"\n{number}. {what}:\n  {command}" for number, (what, command) in enumerate(steps, 1))])


def commands(tree, sources):
    """Returns [(what it does, command to paste into a shell)]: train with the best values, train
    without them, compare; for sources that were searched with other arguments by themselves."""
    out, groups, steps = as_text(os.path.abspath(tree.out)), {}, []
    for source in sources:
        plan = next((launch.plan for name, (launch, _) in tree.last_runs.items()
                     if name.startswith(f"{source}/trials/")), tree.plan)
        groups.setdefault(tuple(same_arguments(plan, out)), []).append(source)
    for arguments, own in groups.items():
        start = f"{out}_{'_'.join(own)}" if len(groups) > 1 else out
        tuned, untuned = f"{start}_csa_tuned", f"{start}_csa_untuned"
        train = [sys.executable, f"{PROJECT}/workflow_csa.py", *arguments, "--source", *own]
        steps += [("train each study with its best values", [
                      *train, "--hyperparameters_file", f"{out}/{BEST}", "--output_dir", tuned]),
                  ("train without them, with the train script's own values", [
                      *train, "--output_dir", untuned]),
                  ("compare the two", [
                      sys.executable, f"{PROJECT}/stages/collect_scores.py", "--compare", untuned,
                      tuned, "--output_dir", f"{start}_csa_compared"])]
    return [(what, quoted(command)) for what, command in steps]


def same_arguments(plan, out):
    """Returns the arguments that make the same models of the same data as the search did."""
    given, found = plan.get("arguments") or {}, []
    for name in SAME:
        value = given.get(name)
        if isinstance(value, dict):     # arguments of a stage
            value = quoted(argument_list(value, out))
        elif isinstance(value, list):   # of GPUs; in old plans, arguments of a stage, too
            value = ",".join(value) if name == "gpus" else quoted(value)
        if value not in (None, ""):
            found += [f"--{name}", str(value)]
    return found
