"""trials: the study and the trials of a search: the best one, the best so far."""
from itertools import accumulate, groupby
from operator import attrgetter
from typing import NamedTuple, Optional

from core.errors import FileError, Refusal
from core.files import read_json
from core.metrics import lower_is_better
from stages.search.space import normalise_space


class Study(NamedTuple):
    """What all trials of a source have in common."""
    metric: str = "mse"
    space: list = []        # normalised
    search: str = "auto"
    seed: int = 0
    train_args: list = []   # further arguments of train, texts


class Trial(NamedTuple):
    source: str
    number: int
    state: str
    params: dict
    objective: Optional[float] = None   # mean over splits; None without one
    scores: dict = {}
    seconds: Optional[float] = None
    reason: str = ""
    metric: str = "mse"
    best: Optional[float] = None        # the best objective so far
    std: Optional[float] = None         # standard deviation over splits; None for one split
    script: str = ""                    # fingerprint of the train script


def read_study(path):
    """Returns the Study of a study.json. Raises FileError."""
    content = read_json(path)
    try:
        lower_is_better(content["val_metric"])      # ValueError for an unknown one
        return Study(content["val_metric"], normalise_space(content["space"]), content["search"],
                     content["seed"], content.get("train_args") or content.get("train_words", []))
    except (Refusal, AttributeError, KeyError, TypeError, ValueError) as error:
        raise FileError(f"{path}: is no study ({error!r})")


def with_best(trials):
    """Returns the trials, each with the best objective up to it among those of its source."""
    found = []
    for own in by_source(trials).values():
        leaders = accumulate(own, lambda leader, trial: best_trial([leader, trial]) or trial)
        found += [trial._replace(best=leader.objective) for trial, leader in zip(own, leaders)]
    return found


def by_source(trials):
    """Returns {source: its trials} of trials in the order of their sources."""
    return {source: list(own) for source, own in groupby(trials, attrgetter("source"))}


def best_trial(trials):
    """Returns the trial with the best objective, the earliest of equals; None if none has one."""
    done = [trial for trial in trials if trial.objective is not None]
    return min(done, default=None, key=lambda trial: (
        trial.objective if lower_is_better(trial.metric) else -trial.objective, trial.number))
