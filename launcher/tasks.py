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
import re
import shlex
from typing import Callable, Dict, NamedTuple, Optional, Tuple

from launcher.resources.asked import Needs, larger
from launcher.refusal import Refusal

PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]+(?: [A-Za-z0-9_@%+=:,./-]+)*\Z")   # words that shlex.quote leaves as they are


class Row(NamedTuple):
    """What a task is for. index: the place in its arrays, the same for all tasks that belong together;
    labels: further dimensions of a workflow, {"seed": 3}."""
    index: int
    source: str = ""
    target: str = ""
    split: Optional[int] = None
    size: Optional[int] = None
    labels: Dict[str, object] = {}


class Task(NamedTuple):
    """One call of a stage script. Its name is its output directory, relative to OUT."""
    name: str
    stage: str
    array: str                 # the row of the plan that it is in: train, infer_3
    index: int                 # its place there
    words: Tuple[str, ...]     # ENV SCRIPT ARGS...
    parents: Tuple[str, ...] = ()
    source: str = ""
    target: str = ""
    split: Optional[int] = None
    size: Optional[int] = None
    labels: Dict[str, object] = {}


class Plan(NamedTuple):
    """What a workflow wants done: tasks, parents first; files to write {name in OUT: text}; notes to print;
    once: files to create when a launch is started, and never to write again."""
    tasks: list
    files: Dict[str, str] = {}
    notes: Tuple[str, ...] = ()
    once: Dict[str, str] = {}


class Array(NamedTuple):
    """One sbatch call: elements with one template and one set of parent arrays. Element i runs the lines
    from i * count on of NAME.tasks, `count` of them; a line that is empty is no task."""
    name: str
    stage: str                              # row, if an element runs tasks of several stages
    template: str
    elements: Dict[int, Tuple[Task, ...]]   # array index -> its tasks, in the order in which they run
    parents: Tuple[str, ...]                # names of arrays
    throttle: Optional[int]
    count: int
    after: str = ""            # name of the array whose end a throttled search waits for: %N holds for one array
    needs: Needs = Needs()     # what its elements ask for beyond the template
    exclude: Tuple[str, ...] = ()       # nodes

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
        """How Slurm waits: element by element; a trial for all its splits, the collector for the end of everything."""
        return {"collect": "afterany", "trial": "afterok"}.get(self.stage, "aftercorr")

    @property
    def indices(self):
        """The elements as sbatch's --array takes them: 0-4,7%10"""
        throttle = f"%{self.throttle}" if self.throttle else ""
        return ranges(sorted(self.elements)) + throttle


def task_line(words):
    """The words of a task, quoted for run_model.sh --task; a line break is refused."""
    line = " ".join(words)
    if PLAIN.match(line) and line.count(" ") == len(words) - 1:     # most are; one look instead of one a word
        return line
    for word in words:
        if not word.isprintable():
            raise Refusal(f"a value holds a line break or another control character: {word!r}",
                          "the value without it")
    return " ".join(shlex.quote(word) for word in words)


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
    needs          {task name: Needs} of tasks that ask for more than their template does
    exclude        nodes on which nothing may run
    """
    template_of: Callable
    largest_array: int
    throttle: Optional[int] = None
    per_job: int = 1
    rows: Dict[str, int] = {}
    needs: Dict[str, Needs] = {}
    exclude: Tuple[str, ...] = ()

    def place(self, task):
        """(name of the row of arrays, stage for the template, number of the element in it)"""
        if task.stage == "collect":
            return "collect", "collect", 0
        if task.name in self.rows:
            return "row", "row", self.rows[task.name]
        return task.array, task.stage, task.index // self.per_job


def arrays_of(tasks, packing):
    """The arrays for these tasks, parents first. tasks: those that are to run; parents that are not among them are done."""
    groups, array_of, row_of, needs_of = {}, {}, {}, element_needs(tasks, packing)
    for task in tasks:
        row, stage, number = place = packing.place(task)
        chunk, index = divmod(number, packing.largest_array)
        waits_for = {array_of[name] for name in task.parents if name in array_of} if stage != "row" else ()
        key = (f"{row}.{chunk}" if chunk else row, stage, packing.template_of(stage, task.source), tuple(sorted(waits_for)),
               needs_of.get(place, Needs()))
        name, elements = groups.get(key) or groups.setdefault(key, (group_name(key, groups), {}))
        elements.setdefault(index, []).append(task)
        array_of[task.name], row_of[name] = name, row
    return one_after_another([
        Array(name, stage, template, {index: in_turn(members, stage) for index, members in elements.items()}, parents,
              packing.throttle if stage != "collect" else None, max(map(len, elements.values())), "", needs, packing.exclude)
        for (_, stage, template, parents, needs), (name, elements) in groups.items()], row_of)


def element_needs(tasks, packing):
    """{place: the largest Needs of the tasks in that element}; elements with different needs are arrays of their own."""
    found = {}
    for task in tasks if packing.needs else ():
        if task.name in packing.needs:
            place = packing.place(task)
            found[place] = larger(found.get(place, Needs()), packing.needs[task.name])
    return found


def one_after_another(arrays, row_of):
    """The arrays; those of one throttled search follow each other. row_of: {array name: row of the plan}"""
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
    """The tasks of an element in the order in which they run; those of a row so that each result comes early:
    what it is made from, then itself."""
    if stage != "row":
        return tuple(members)
    by_name, turns = {task.name: task for task in members}, {}
    inner = {parent for task in members for parent in task.parents}

    def add(task):
        for parent in task.parents:
            if parent in by_name and parent not in turns:
                add(by_name[parent])
        turns[task.name] = task

    for task in members:
        if task.name not in inner:
            add(task)
    return tuple(turns.values())


def rows_of(tasks):
    """{task name: number of its row}: what shares source, split and labels is a row; raises Refusal."""
    numbers, row_of = {}, {}
    for task in tasks:
        if task.stage != "collect":
            key = task.source, task.split, str(sorted(task.labels.items()))
            row_of[task.name] = numbers.setdefault(key, len(numbers))
    for task in tasks:
        other = next((name for name in task.parents if row_of.get(name) != row_of.get(task.name)), None)
        if other and task.stage != "collect":
            raise Refusal(f"--fuse: {task.name} is made from {other}, which belongs to another source, split or label",
                          "leave out --fuse; --tasks_per_job K puts several tasks into a job, too")
    return row_of
