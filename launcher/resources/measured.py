"""measured: what the tasks of a results tree took, and what was asked for them.

    statuses of tasks that are done + rendered batch scripts -> Usage for each stage and source

Slurm's limits hold for an element. With --fuse and --tasks_per_job that is several tasks one after another: their
times add up, their memory does not.
"""
import functools
import os
from typing import NamedTuple, Optional

from launcher.resources import asked
from launcher.status_file import is_number


class Usage(NamedTuple):
    """What the elements of a stage and source took. asked: of the newest launch that ran one; None without Slurm."""
    stage: str                      # row, if an element runs tasks of several stages
    source: str
    elements: int
    longest: float                  # seconds of one element
    wall: float                     # seconds of all elements
    cpu: float                      # seconds of all cores of all elements
    peak: Optional[float]           # MB; None if no status says it
    asked: Optional[asked.Asked]


class Element(NamedTuple):
    """Tasks that ran in one element and are done. directory: of its launch, '' if that is not known"""
    stage: str
    source: str
    directory: str
    array: str
    statuses: tuple


read_script = functools.lru_cache(maxsize=None)(asked.read)


def total(statuses, key):
    return sum(status.get(key) for status in statuses if is_number(status.get(key)))


def done_tasks(tree):
    """[(task, status)] of all planned tasks that are done, the collector and what was adopted aside."""
    tasks = {task["name"]: task for launch in tree.launches for task in launch.tasks}
    tree.read_ahead(list(tasks))
    pairs = [(task, tree.status(name)) for name, task in tasks.items() if task["stage"] != "collect"]
    return [(task, status) for task, status in pairs if status is not None and status["state"] == "done"
            and status.get("reason_kind") != "adopted" and is_number(status.get("seconds"))]


def elements_of(tree):
    """The Elements whose tasks are done."""
    last_run, places = tree.last_run_of(), {}
    for task, status in done_tasks(tree):
        planned = last_run.get(task.name)
        own = planned is not None and planned.launch.id == status.launch
        place = (planned.launch.directory, planned.array, planned.index) if own else ("", task["name"], 0)
        places.setdefault(place, []).append((task, status))
    return [Element(stage_of(place[1], pairs), pairs[0][0].get("source", ""), place[0], place[1],
                    tuple(status for _, status in pairs)) for place, pairs in places.items()]


def stage_of(array, pairs):
    """row for an element of --fuse, which may have run one task only."""
    stages = {task["stage"] for task, _ in pairs}
    return "row" if len(stages) > 1 or array.partition(".")[0].partition("-")[0] == "row" else stages.pop()


def usages(trees):
    """[Usage] of all stages and sources that ran in these results trees, in the order of the plan."""
    groups = {}
    for tree in trees:
        for element in elements_of(tree):
            groups.setdefault((element.stage, element.source), []).append(element)
    return [usage_of(stage, source, elements) for (stage, source), elements in groups.items()]


def usage_of(stage, source, elements):
    times = [total(element.statuses, "seconds") for element in elements]
    peaks = [status.get("peak_mb") for element in elements for status in element.statuses if is_number(status.get("peak_mb"))]
    cpu = sum(total(element.statuses, "cpu_seconds") for element in elements)
    return Usage(stage, source, len(elements), max(times), sum(times), cpu, max(peaks) if peaks else None, newest_asked(elements))


def newest_asked(elements):
    scripts = sorted(os.path.join(element.directory, f"{element.array}.sbatch") for element in elements if element.directory)
    scripts = [path for path in scripts if os.path.exists(path)]
    return read_script(scripts[-1]) if scripts else None
