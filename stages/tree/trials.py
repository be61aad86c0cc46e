"""trials: the studies of a search and their trials, as their directories have them.

    OUT/{source}/study.json               -> Study
    OUT/{source}/trials/{0000}/trial.json -> Trial, by source and number
"""
import os
import re
from typing import NamedTuple, Optional

from common.improve_files import FileError
from common.metrics import direction, lower_is_better
from common.tree_files import exists, read_json
from search.space import SpaceError, normalise_space
from tree.plans import Task

VERDICTS = ("done", "failed", "exhausted")


class Study(NamedTuple):
    """What the trials of a source have in common. space: normalised; imported: how many trials of other searches it knows."""
    metric: str = "mse"
    space: list = []
    imported: int = 0


class Trial(NamedTuple):
    """A trial. objective: None without one; best: the best objective so far; script: fingerprint of the train script."""
    source: str
    number: int
    state: str
    params: dict
    objective: Optional[float] = None
    scores: dict = {}
    seconds: Optional[float] = None
    reason: str = ""
    metric: str = "mse"
    best: Optional[float] = None
    script: str = ""


def read_studies(tree, sources):
    """Returns ({source: Study}, notes)."""
    studies, notes = {}, []
    for source in sources:
        try:
            content = read_json(tree.path(f"{source}/study.json"))
            metric, space = content["val_metric"], normalise_space(content["space"])
            if direction(metric) is None:
                raise ValueError(metric)
            imported = tree.path(f"{source}/imported.json")
            studies[source] = Study(metric, space, len(read_json(imported)) if exists(imported) else 0)
        except (FileError, SpaceError) as error:
            notes.append(f"no figures of parameters: {error}")
        except (KeyError, TypeError, ValueError):
            notes.append(f"no figures of parameters: {source}/study.json is no study")
    return studies, notes


def trial_tasks(tree):
    """Returns the trials that are planned or stand in the tree, by source and number."""
    for source in tree.names(""):
        for name in tree.names(f"{source}/trials"):
            if re.match(r"\d{4,9}\Z", name):
                tree.tasks.setdefault(f"{source}/trials/{name}", Task(f"{source}/trials/{name}", "trial", source))
    tasks = [task for task in tree.tasks.values() if task.stage == "trial" and re.search(r"/trials/\d+\Z", task.name)]
    return sorted(tasks, key=lambda task: (task.source, number_of(task)))


def number_of(task):
    return int(task.name.rpartition("/")[2])


def read_trial(tree, task, metric="mse"):
    """Returns the Trial of a task; one that is not there, or not whole, says why. metric: of its study"""
    verdict = tree.verdict(task.name)
    if verdict.state == "done":
        try:
            return trial_of(task, read_json(os.path.join(tree.path(task.name), "trial.json")))
        except FileError as error:
            return Trial(task.source, number_of(task), "unreadable", {}, reason=str(error), metric=metric)
        except (AttributeError, KeyError, TypeError, ValueError):
            return Trial(task.source, number_of(task), "unreadable", {}, reason="its trial.json is no verdict", metric=metric)
    return Trial(task.source, number_of(task), verdict.state, params_of(tree, task), reason=verdict.reason, metric=metric)


def params_of(tree, task):
    """Returns the point that a trial without a verdict has taken; {} if it has none yet."""
    try:
        return dict(read_json(os.path.join(tree.path(task.name), "params.json")))
    except (FileError, TypeError, ValueError):
        return {}


def trial_of(task, content):
    """Returns the Trial in a trial.json; any of four exceptions where it is none."""
    state, objective = content["state"], content["objective"]
    if direction(content["val_metric"]) is None:
        raise ValueError(content["val_metric"])
    if state not in VERDICTS or not (objective is None or isinstance(objective, (int, float))):
        raise ValueError(state)
    return Trial(task.source, number_of(task), state, dict(content["params"]),
                 None if objective is None else float(objective), dict(content["scores"]),
                 float(content["seconds"]), str(content["reason"]), str(content["val_metric"]),
                 script=str(content.get("train_script", "")))


def with_best(trials):
    """Returns the trials, each with the best objective up to it among those of its source."""
    best, found = {}, []
    for trial in trials:
        known = [value for value in (best.get(trial.source), trial.objective) if value is not None]
        if known:
            best[trial.source] = min(known, key=lambda value: sign(trial.metric) * value)
        found.append(trial._replace(best=best.get(trial.source)))
    return found


def by_source(trials):
    return {source: [trial for trial in trials if trial.source == source]
            for source in sorted({trial.source for trial in trials})}


def best_trial(trials):
    """Returns the trial with the best objective, the earliest of equals; None where none has one."""
    done = [trial for trial in trials if trial.objective is not None]
    return min(done, key=lambda trial: (sign(trial.metric) * trial.objective, trial.number)) if done else None


def default_trial(trials, space):
    """Returns the trial with the default values of the space; None if there is none."""
    defaults = {entry["name"]: entry["default"] for entry in space}
    return next((trial for trial in trials if space and trial.params == defaults), None)


def sign(metric):
    return 1 if lower_is_better(metric) else -1
