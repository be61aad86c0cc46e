"""trials: reads the studies of a search and their trials.

    OUT/{source}/study.json               -> Study
    OUT/{source}/trials/{0000}/trial.json -> Trial, by source and number
"""
import os
from statistics import stdev

from core.errors import FileError
from core.files import read_json
from core.metrics import lower_is_better
from core.task import Task
from stages.search.trials import Study, Trial, read_study


def read_studies(tree, sources):
    """Returns ({source: Study}, notes); a study that cannot be read is an empty one."""
    studies, notes = dict.fromkeys(sources, Study()), []
    for source in studies:
        try:
            studies[source] = read_study(tree.path(source, "study.json"))
        except FileError as error:
            notes.append(f"no figures of parameters: {error}")
    return studies, notes


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
        return ended_trial(trial, content) if is_done else trial._replace(params=dict(content))
    except (FileError, AttributeError, KeyError, TypeError, ValueError) as error:
        return trial._replace(
            state="unreadable",
            reason=f"its trial.json cannot be read ({error})") if is_done else trial


def ended_trial(trial, content):
    """Returns the Trial with what its trial.json says; any of four exceptions if that is none."""
    lower_is_better(content["val_metric"])      # ValueError for an unknown one
    splits, objective = content.get("objectives", []), content["objective"]
    return trial._replace(
        state=str(content["state"]), params=dict(content["params"]),
        objective=None if objective is None else float(objective),
        scores=dict(content.get("scores") or {}), seconds=float(content["seconds"]),
        reason=str(content["reason"]), metric=content["val_metric"],
        std=stdev(splits) if splits[1:] else None, script=str(content.get("train_script", "")))
