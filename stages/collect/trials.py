"""trials: reads the studies of a search and their trials.

    OUT/{source}/study.json               -> Study
    OUT/{source}/trials/{0000}/trial.json -> Trial, by source and number
"""
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
    return sorted((task for task in tree.tasks.values()
                   if task.stage == "trial" and task.name.rpartition("/")[2].isdecimal()),
                  key=lambda task: (task.source, number_of(task)))


def number_of(task):
    return int(task.name.rpartition("/")[2])


def read_trial(tree, task, metric):
    """Returns the Trial of a task; a missing or malformed one says why. metric: of its study"""
    verdict, params = tree.verdict(task.name), {}
    state, reason = verdict.state, verdict.reason
    try:
        if state == "done":
            return trial_of(task, read_json(tree.path(task.name, "trial.json")))
        params = dict(read_json(tree.path(task.name, "params.json")))
    except (FileError, AttributeError, KeyError, TypeError, ValueError) as error:
        if state == "done":
            state, reason = "unreadable", f"its trial.json cannot be read ({error})"
    return Trial(task.source, number_of(task), state, params, reason=reason, metric=metric)


def trial_of(task, content):
    """Returns the Trial in a trial.json; any of four exceptions if it is none."""
    lower_is_better(content["val_metric"])      # ValueError for an unknown one
    splits, objective = list(map(float, content.get("objectives", []))), content["objective"]
    return Trial(task.source, number_of(task), str(content["state"]), dict(content["params"]),
                 None if objective is None else float(objective), dict(content["scores"]),
                 float(content["seconds"]), str(content["reason"]), content["val_metric"],
                 script=str(content.get("train_script", "")),
                 std=stdev(splits) if splits[1:] else None)
