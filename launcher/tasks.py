"""tasks: a task is one line of words; tasks of a stage stand in aligned arrays.

A workflow makes a list of Tasks, parents before children. `arrays_of` puts those
that are to run into arrays: Slurm applies a dependency to a whole sbatch call, so
the elements of an array share a template and the set of arrays they wait for, and
every element finds its parents at its own index. An index that a parent array
lacks would wait for the whole of it.
"""
import shlex
from typing import Dict, NamedTuple, Optional, Tuple

from launcher.refusal import Refusal

STAGES = ("preprocess", "train", "infer", "trial", "collect")


class Task(NamedTuple):
    """One call of a stage script. Its name is its output directory, relative to OUT."""
    name: str
    stage: str
    array: str                 # the row of the plan that it stands in: train, infer_3
    index: int                 # its place there, the same for all that belong together
    words: Tuple[str, ...]     # ENV SCRIPT ARGS...
    parents: Tuple[str, ...] = ()
    source: str = ""
    target: str = ""
    split: Optional[int] = None
    size: Optional[int] = None


class Plan(NamedTuple):
    """What a workflow wants done: tasks, parents first; files to write {name in OUT: text}; notes to print."""
    tasks: list
    files: Dict[str, str] = {}
    notes: Tuple[str, ...] = ()


class Array(NamedTuple):
    """One sbatch call: elements with one template and one set of parent arrays."""
    name: str
    stage: str
    template: str
    task_file: str             # name of the .tasks file; line i + 1 is element i
    elements: Dict[int, Task]  # array index -> task
    parents: Tuple[str, ...]   # names of arrays
    throttle: Optional[int]

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


def task_files(tasks, largest_array):
    """{name of a .tasks file: tasks by index}: each row of the plan, in chunks that Slurm takes."""
    files = {}
    for task in tasks:
        files.setdefault(file_of(task, largest_array), {})[task.index % largest_array] = task
    return files


def file_of(task, largest_array):
    chunk = task.index // largest_array
    return f"{task.array}.{chunk}" if chunk else task.array


def arrays_of(tasks, template_of, largest_array, throttle=None):
    """The arrays for these tasks, parents first.

    tasks          those that are to run; parents that are not among them are done
    template_of    task -> path of its template
    largest_array  the number of elements that Slurm takes (MaxArraySize)
    throttle       how many elements of an array may run at a time
    """
    groups, array_of = {}, {}
    for task in tasks:
        waits_for = {array_of[name] for name in task.parents if name in array_of}
        key = (file_of(task, largest_array), template_of(task), tuple(sorted(waits_for)))
        groups.setdefault(key, []).append(task)
        array_of[task.name] = group_name(key, groups)
    return [Array(group_name(key, groups), members[0].stage, key[1], key[0],
                  {task.index % largest_array: task for task in members}, key[2],
                  throttle if members[0].stage != "collect" else None)
            for key, members in groups.items()]


def group_name(key, groups):
    """The task file's name; -2, -3 behind it for further groups of the same file."""
    same_file = [other for other in groups if other[0] == key[0]]
    place = same_file.index(key)
    return f"{key[0]}-{place + 1}" if place else key[0]
