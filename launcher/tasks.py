"""tasks: a task is one line of words; tasks of a stage stand in aligned arrays.

A workflow makes a list of Tasks, parents before children. `arrays_of` puts those
that are to run into arrays: Slurm applies a dependency to a whole sbatch call, so
the elements of an array share a template, what they ask for beyond it, and the set
of arrays they wait for, and every element finds its parents at its own index. An
index that a parent array lacks would wait for the whole of it.

An element runs one task, or several one after another: K neighbours of a stage
(--tasks_per_job K), or all tasks of a source and split (--fuse). A row of the latter
waits for nothing, since what its tasks are made from is in it.
"""
from typing import Callable, Dict, NamedTuple, Optional, Tuple

from core.errors import Refusal
from core.task import Task
from core.tree import parents_first


class Row(NamedTuple):
    """What a task is for. index: the place in its arrays, the same for all tasks that belong
    together; labels: further dimensions of a workflow, {"seed": 3}."""
    index: int
    source: str = ""
    target: str = ""
    split: Optional[int] = None
    size: Optional[int] = None
    labels: Dict[str, object] = {}


class Plan(NamedTuple):
    """What a workflow wants done: tasks, parents first; files to write {name in OUT: text}; notes
    to print; once: files to create when a launch is started, and never to write again."""
    tasks: list
    files: Dict[str, str] = {}
    notes: Tuple[str, ...] = ()
    once: Dict[str, str] = {}


class Array(NamedTuple):
    """One sbatch call: elements with one template and one set of parent arrays. Element i runs the
    lines from i * count on of NAME.tasks, `count` of them; a line that is empty is no task."""
    name: str
    stage: str                              # row, if an element runs tasks of several stages
    template: str
    # array index -> its tasks, in the order in which they run
    elements: Dict[int, Tuple[Task, ...]]
    parents: Tuple[str, ...]                # names of arrays
    throttle: Optional[int]
    count: int
    # the array whose end a throttled search waits for: %N holds for one array
    after: str = ""

    @property
    def tasks(self):
        return [task for members in self.elements.values() for task in members]

    @property
    def lines(self):
        """The .tasks file of this array: {line, from 0 on: task}"""
        return {index * self.count + place: task for index, members in self.elements.items()
                for place, task in enumerate(members)}

    @property
    def dependency(self):
        """How Slurm waits: element by element; a trial for all its splits, the collector for the
        end of everything."""
        return {"collect": "afterany", "trial": "afterok"}.get(self.stage, "aftercorr")

    @property
    def indices(self):
        """The elements as sbatch's --array takes them: 0-4,7%10"""
        throttle = f"%{self.throttle}" if self.throttle else ""
        return ranges(sorted(self.elements)) + throttle


def ranges(numbers):
    """Sorted numbers, runs of them shortened: [0, 1, 2, 5] -> 0-2,5"""
    runs = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


class Packing(NamedTuple):
    """How tasks are put into elements.

    template_of    (stage, source) -> path of the template
    largest_array  the number of elements that Slurm takes (MaxArraySize)
    throttle       how many elements of an array may run at a time; None: all
    per_job        tasks of an element
    rows           {task name: row} to put all tasks of a row into one element
    """
    template_of: Callable
    largest_array: int
    throttle: Optional[int] = None
    per_job: int = 1
    rows: Dict[str, int] = {}

    def place(self, task):
        """(name of the row of arrays, stage for the template, number of the element in it)"""
        if task.stage == "collect":
            return "collect", "collect", 0
        if task.name in self.rows:
            return "row", "row", self.rows[task.name]
        return task.array, task.stage, task.index // self.per_job


def arrays_of(tasks, packing):
    """The arrays for these tasks, parents first.

    tasks: those that are to run; parents that are not among them are done
    """
    groups, array_of, row_of = {}, {}, {}
    for task in tasks:
        row, stage, number = packing.place(task)
        chunk, index = divmod(number, packing.largest_array)
        waits_for = {array_of[name] for name in task.parents if name in array_of}
        key = (f"{row}.{chunk}" if chunk else row, stage, packing.template_of(stage, task.source),
               tuple(sorted(waits_for)) if stage != "row" else ())
        name, elements = groups.get(key) or groups.setdefault(key, (group_name(key, groups), {}))
        elements.setdefault(index, []).append(task)
        array_of[task.name], row_of[name] = name, row
    return one_after_another([made_array(key, *group, packing) for key, group in groups.items()],
                             row_of)


def made_array(key, name, elements, packing):
    _, stage, template, parents = key
    members = {index: in_turn(tasks, stage) for index, tasks in elements.items()}
    throttle = packing.throttle if stage != "collect" else None
    return Array(name, stage, template, members, parents, throttle,
                 max(map(len, elements.values())))


def one_after_another(arrays, row_of):
    """The arrays; those of one throttled search follow each other. row_of: {array name: row of the
    plan}"""
    last = {}
    for place, array in enumerate(arrays):
        if array.stage == "trial" and array.throttle:
            arrays[place] = array._replace(after=last.get(row_of[array.name], ""))
            last[row_of[array.name]] = array.name
    return arrays


def group_name(key, groups):
    """The first part of the key; -2, -3 behind it for further groups that have the same."""
    place = sum(other[0] == key[0] for other in groups)
    return f"{key[0]}-{place + 1}" if place else key[0]


def in_turn(members, stage):
    """The tasks of an element in the order in which they run; those of a row so that each result
    comes early: the tasks that it is made from, then itself."""
    if stage != "row":
        return tuple(members)
    inner = {parent for task in members for parent in task.parents}
    results_first = sorted(members, key=lambda task: task.name in inner)
    return tuple(parents_first({task.name: task for task in results_first}).values())


def rows_of(tasks):
    """{task name: number of its row}: what shares source, split and labels is a row; raises
    Refusal."""
    numbers, row_of = {}, {}
    for task in tasks:
        if task.stage != "collect":
            key = task.source, task.split, str(sorted(task.labels.items()))
            row_of[task.name] = numbers.setdefault(key, len(numbers))
    for task in tasks:
        other = next((name for name in task.parents if row_of.get(name) != row_of.get(task.name)),
                     None)
        if other and task.stage != "collect":
            raise Refusal(f"--fuse: {task.name} is made from {other}, which belongs to another "
                          "source, split or label",
                          "leave out --fuse; --tasks_per_job K puts several tasks into a job, too")
    return row_of
