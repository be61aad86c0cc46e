"""Tasks and arrays: the pure part of a launch."""
import unittest

from core.errors import Refusal
from core.task import Task
from launcher import slurm
from launcher.tasks import arrays_of, rows_of


def task(name, array, index, parents=(), source="S"):
    return Task(name, array.split("_")[0], parents=tuple(parents), source=source, array=array,
                index=index, split=index)


def rows(count, sources=("S",), without=""):
    """preprocess, train, infer for `count` indices: p0, t0, i0, p1... without: names of some."""
    made = []
    for stage, array, parents in (("p", "preprocess_0", ""), ("t", "train", "p"),
                                  ("i", "infer_0", "tp")):
        made += [task(f"{stage}{i}", array, i, [f"{parent}{i}" for parent in parents],
                      sources[i % len(sources)]) for i in range(count)]
    return [each for each in made if each.name not in without.split()]


def collect(tasks):
    return task("scores", "collect", 0, [each.name for each in tasks])


def arrays(tasks, template_of=lambda stage, source: "t", largest_array=1000, **packing):
    return arrays_of(tasks, template_of, largest_array, **packing)


def shape(arrays):
    """A line for each array: its name and indices, and what it waits for."""
    return "".join(" ".join((array.name, array.indices, *array.parents)) + "\n"
                   for array in arrays)


def placed(array):
    """The lines of its .tasks file as text."""
    return " ".join(f"{line}:{task.name}" for line, task in sorted(array.lines.items()))


class ArraysTest(unittest.TestCase):
    def test_a_full_launch_has_one_array_per_row_of_the_plan(self):
        """The collector waits for the end of every array."""
        made = arrays(rows(3) + [collect(rows(3))])
        self.assertEqual(shape(made), """\
preprocess_0 0-2
train 0-2 preprocess_0
infer_0 0-2 preprocess_0 train
collect 0 infer_0 preprocess_0 train
""")
        jobs = {"preprocess_0": "1;c", "train": "2", "infer_0": "3"}
        self.assertEqual([slurm.dependency_of(array, jobs) for array in made],
                         [
            [], *([f"--dependency={waits}"] for waits in ("aftercorr:1", "aftercorr:1:2",
                                                          "afterany:3:1:2"))])

    def test_an_element_waits_only_for_arrays_that_hold_its_index(self):
        self.assertEqual(shape(arrays(rows(4, without="p1 t1 p2"))), """\
preprocess_0 0,3
train 0,3 preprocess_0
train-2 2
infer_0 0,3 preprocess_0 train
infer_0-2 1
infer_0-3 2 train-2
""")

    def test_a_source_with_a_template_of_its_own_has_arrays_of_its_own(self):
        made = arrays(rows(4, ("S", "Big")), lambda stage, source: f"{stage}.{source}"
                      if stage == "train" else stage)
        self.assertEqual(shape(made), """\
preprocess_0 0-3
train 0,2 preprocess_0
train-2 1,3 preprocess_0
infer_0 0,2 preprocess_0 train
infer_0-2 1,3 preprocess_0 train-2
""")

    def test_indices_stay_below_the_largest_array(self):
        made = arrays(rows(5), largest_array=2)
        self.assertEqual(shape(made), """\
preprocess_0 0-1
preprocess_0-2 0-1
preprocess_0-3 0
train 0-1 preprocess_0
train-2 0-1 preprocess_0-2
train-3 0 preprocess_0-3
infer_0 0-1 preprocess_0 train
infer_0-2 0-1 preprocess_0-2 train-2
infer_0-3 0 preprocess_0-3 train-3
""")
        self.assertEqual([placed(array) for array in made[3:6]], ["0:t0 1:t1", "0:t2 1:t3", "0:t4"])

    def test_packed_elements_of_a_sparse_resume_stay_aligned(self):
        made = arrays(rows(6, without="p0 p1 t1 p4"), per_job=2)
        self.assertEqual(shape(made), """\
preprocess_0 1-2
train 0,2
train-2 1-2 preprocess_0
infer_0 0,2 train
infer_0-2 0
infer_0-3 1-2 preprocess_0 train-2
""")
        self.assertEqual([placed(array) for array in made], [
            "2:p2 3:p3 4:p5", "0:t0 2:t4", "2:t2 3:t3 4:t5", "0:i0 2:i4", "0:i1", "2:i2 3:i3 4:i5"])

    def test_a_row_is_one_element_that_waits_for_nothing(self):
        tasks, chosen = rows(4), rows(4, without="p1 t1 p2 t2 i2")
        made = arrays(chosen + [collect(tasks)], rows=rows_of(tasks))
        self.assertEqual(shape(made), "row 0-1,3\ncollect 0 row\n")
        self.assertEqual(placed(made[0]), "0:p0 1:t0 2:i0 3:i1 9:p3 10:t3 11:i3")
        self.assertEqual(shape(arrays(chosen, largest_array=2, rows=rows_of(tasks))),
                         "row 0-1\nrow-2 1\n")

    def test_a_row_that_needs_another_one_is_refused(self):
        with self.assertRaisesRegex(Refusal, "t1 is made from a task of another"):
            rows_of([task("p0", "preprocess_0", 0), task("t1", "train", 1, ["p0"])])
