"""trials: the study and the trials of a search: the best one, the default one, the best so far."""
from typing import NamedTuple, Optional

from core.errors import FileError, Refusal
from core.files import read_json
from core.metrics import direction, lower_is_better
from stages.search.space import normalise_space


class Study(NamedTuple):
    """What all trials of a source have in common. space: normalised; train_args: further
    arguments of train, a list of texts."""
    metric: str = "mse"
    space: list = []
    search: str = "auto"
    seed: int = 0
    train_args: list = []


class Trial(NamedTuple):
    """A trial. objective: its mean over splits, None without one; std: standard deviation over
    splits, None for one split; best: the best objective so far; script: fingerprint of the train
    script."""
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
    std: Optional[float] = None


def read_study(path):
    """Returns the Study of a study.json. Raises FileError."""
    content = read_json(path)
    try:
        metric = content["val_metric"]
        if direction(metric) is None:
            raise ValueError(f"val_metric {metric}")
        # train_words: its name until November 2026
        return Study(metric, normalise_space(content["space"]), content["search"], content["seed"],
                     content.get("train_args") or content.get("train_words", []))
    except (Refusal, AttributeError, KeyError, TypeError, ValueError) as error:
        raise FileError(f"{path}: is no study ({error!r})")


def with_best(trials):
    """Returns the trials, each with the best objective up to it among those of its source."""
    leaders, found = {}, []
    for trial in trials:
        leader = best_trial([*leaders.get(trial.source, []), trial])
        leaders[trial.source] = [leader or trial]
        found.append(trial._replace(best=leader and leader.objective))
    return found


def by_source(trials):
    return {source: [trial for trial in trials if trial.source == source]
            for source in sorted({trial.source for trial in trials})}


def best_trial(trials):
    """Returns the trial with the best objective, the earliest of equals; None if none has one."""
    done = [trial for trial in trials if trial.objective is not None]
    return min(done, key=rank, default=None)


def rank(trial):
    """A sort key: the best objective first."""
    sign = 1 if lower_is_better(trial.metric) else -1
    return sign * trial.objective, trial.number


def default_trial(trials, space):
    """Returns the trial with the default values of the space; None if there is none."""
    defaults = {entry["name"]: entry["default"] for entry in space}
    return next((trial for trial in trials if space and trial.params == defaults), None)
