"""tasks: a workflow's Tasks, parents before children -> the arrays of a launch.

Slurm applies a dependency to a whole sbatch call, so the elements of an array share a template and
the set of arrays they wait for, and every element finds its parents at its own index. An index that
a parent array lacks would wait for the whole of it.

An element runs one task, or several one after another: K neighbours of a stage (--tasks_per_job K),
or all tasks of a source and split (--fuse). Such a row waits for nothing, since what its tasks are
made from is in it.
"""
from typing import Dict, List, NamedTuple, Optional, Tuple

from core.errors import Refusal
from core.task import Task


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
    stage: str                      # row, if an element runs tasks of several stages
    template: str
    elements: Dict[int, List[Task]]     # index -> its tasks, in the order in which they run
    parents: Tuple[str, ...]        # names of arrays

    @property
    def count(self):
        """The lines of an element; one of fewer tasks leaves some empty."""
        return max(map(len, self.elements.values()))

    @property
    def tasks(self):
        """All tasks, element by element."""
        return [task for members in self.elements.values() for task in members]

    @property
    def lines(self):
        """The .tasks file of this array: {line, from 0 on: task}"""
        count = self.count
        return {index * count + place: task for index, members in self.elements.items()
                for place, task in enumerate(members)}

    @property
    def indices(self):
        """The elements as sbatch's --array takes them: 0-2,5"""
        starts = sorted(index for index in self.elements if index - 1 not in self.elements)
        ends = sorted(index for index in self.elements if index + 1 not in self.elements)
        return ",".join(str(start) if start == end else f"{start}-{end}"
                        for start, end in zip(starts, ends))


def arrays_of(tasks, template_of, largest_array, per_job=1, rows=()):
    """The arrays for the tasks that are to run, parents first. Other parents are done.

    template_of    (stage, source) -> path of the template
    largest_array  the number of elements that Slurm takes (MaxArraySize)
    per_job        tasks of an element
    rows           {task name: row} to put all tasks of a row into one element
    """
    arrays, array_of = {}, {}       # key -> Array; task name -> the name of its array
    for task in tasks:
        if task.name in rows:
            base, stage, number, parents = "row", "row", rows[task.name], ()
        else:
            base, stage, number = task.array, task.stage, task.index // per_job
            parents = tuple(sorted({array_of[name] for name in task.parents if name in array_of}))
        chunk, index = divmod(number, largest_array)
        template = template_of(stage, task.source)
        key = base, chunk, template, parents
        if key not in arrays:
            namesakes = sum(other[0] == base for other in arrays)
            name = f"{base}-{namesakes + 1}" if namesakes else base
            arrays[key] = Array(name, stage, template, {}, parents)
        arrays[key].elements.setdefault(index, []).append(task)
        array_of[task.name] = arrays[key].name
    return list(arrays.values())


def rows_of(tasks):
    """{task name: its row}, a number for each source, split and labels; raises Refusal."""
    numbers, row_of = {}, {}
    for task in tasks:
        if task.stage == "collect":
            continue
        key = task.source, task.split, str(sorted(task.labels.items()))
        row_of[task.name] = numbers.setdefault(key, len(numbers))
        if any(row_of.get(name) != row_of[task.name] for name in task.parents):
            raise Refusal(f"--fuse: {task.name} is made from a task of another source, split or "
                          "label", "leave out --fuse; --tasks_per_job K fills jobs, too")
    return row_of
