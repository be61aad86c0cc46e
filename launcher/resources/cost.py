"""cost: what a launch will take, from what was measured here: CPU-hours, GPU-hours, disk, wall time.

    tasks that are to run + Usage of tasks that are done -> Cost -> one line of the plan

A task takes what those of its stage and source took on average; a source without any takes the average of its stage.
"""
import math
from typing import NamedTuple

from launcher.resources import asked, measured, recovery

UNKNOWN = "cost: unknown: --check run measures one task a stage"


class Mean(NamedTuple):
    """What a task of a stage takes on average: seconds, bytes, and how many were measured."""
    seconds: float
    bytes: float
    tasks: int


class Cost(NamedTuple):
    """Hours of the cores and GPUs that are asked for; wall: seconds; guessed: tasks of sources of which none was measured;
    unknown: tasks of stages of which none was."""
    core_hours: float
    gpu_hours: float
    bytes: float
    wall: float
    guessed: int
    unknown: int


def means(tree):
    """{(stage, source): Mean, (stage, None): Mean of all sources} of the tasks that are done."""
    groups = {}
    for task, status in measured.done_tasks(tree):
        for key in ((task["stage"], task.get("source", "")), (task["stage"], None)):
            groups.setdefault(key, []).append((status["seconds"], status["bytes"]))
    return {key: Mean(sum(seconds for seconds, _ in group) / len(group), sum(size for _, size in group) / len(group), len(group))
            for key, group in groups.items()}


def cost_of(arrays, known, options):
    """The Cost of the arrays that are to run; None if no task of theirs can be estimated. known: as means() returns"""
    cores = gpus = size = 0.0
    guessed = unknown = 0
    for array in arrays:
        given = asked_of(array, options)
        for task in array.tasks if array.stage != "collect" else ():
            mean = known.get((task.stage, task.source)) or known.get((task.stage, None))
            if mean is None:
                unknown += 1
                continue
            guessed += (task.stage, task.source) not in known
            cores, gpus = cores + mean.seconds * given.cores / 3600, gpus + mean.seconds * given.gpus / 3600
            size += mean.bytes
    total = sum(len(array.tasks) for array in arrays if array.stage != "collect")
    return Cost(cores, gpus, size, wall_time(arrays, known, options), guessed, unknown) if unknown < total else None


def asked_of(array, options):
    """The Asked of an array's template; locally a core, and a GPU if each task has one."""
    if options.executor != "slurm":
        return asked.Asked(cores=1, gpus=int(bool(options.gpus)))
    return recovery.asked_by_template(array.template, options.model)


def wall_time(arrays, known, options):
    """Seconds at the present throttle: the longest chain of elements, or all of them on so many places, whichever is longer.
    --max_running holds for one array, and several arrays run side by side: on Slurm it may be less."""
    from launcher import local      # here, since what starts no task itself starts sooner without it
    at_a_time = options.max_running if options.executor == "slurm" else len(local.places_of(options))
    if not at_a_time:
        return longest_chain(arrays, known)
    times = [seconds_of(members, known) for array in arrays if array.stage != "collect" for members in array.elements.values()]
    return max(longest_chain(arrays, known), sum(times) / at_a_time)


def seconds_of(members, known):
    found = [known.get((task.stage, task.source)) or known.get((task.stage, None)) for task in members]
    return sum(mean.seconds for mean in found if mean)


def longest_chain(arrays, known):
    """Seconds from the first to the last of a chain of elements, if all that can run does."""
    ends = {}
    for array in arrays:
        if array.stage != "collect":
            for index, members in array.elements.items():
                begins = max((ends.get((parent, index), 0.0) for parent in array.parents), default=0.0)
                ends[array.name, index] = begins + seconds_of(members, known)
    return max(ends.values(), default=0.0)


# ----------------------------------------------------------------------- words

def sentence(arrays, tree, options):
    """'cost: about 12 core hours, ...' of what is to run; UNKNOWN if nothing like it was measured."""
    cost = cost_of(arrays, means(tree), options)
    if cost is None:
        return UNKNOWN
    parts = [hours(cost.core_hours, "core")] + ([hours(cost.gpu_hours, "GPU")] if cost.gpu_hours else [])
    parts.append(f"{size_text(cost.bytes)} of disk")
    throttled = options.max_running or options.executor != "slurm"
    parts.append(f"{clock(cost.wall)} of wall time{'' if throttled else ' if all that can run does'}")
    guesses = ([f"{cost.guessed} tasks as other studies of their stage"] if cost.guessed else []) \
        + ([f"{cost.unknown} tasks are unknown and left out"] if cost.unknown else [])
    return f"cost: about {', '.join(parts)}, from the tasks that are done here" + (f" ({'; '.join(guesses)})" if guesses else "")


def hours(value, what):
    return f"{value:.1f} {what} hours" if value >= 0.1 else f"{value * 60:.1f} {what} minutes"


def size_text(size):
    """1500000 -> '1.5 MB'"""
    unit = min(int(math.log(max(size, 1), 1000)), 4)
    return f"{size / 1000 ** unit:.{int(unit > 0)}f} {('bytes', 'kB', 'MB', 'GB', 'TB')[unit]}"


def clock(seconds):
    """3700 -> '1:02 hours'; minutes below one hour"""
    minutes = int(math.ceil(seconds / 60))
    return f"{minutes // 60}:{minutes % 60:02d} hours" if minutes >= 60 else f"{minutes} minutes" if minutes > 1 else "a minute"
