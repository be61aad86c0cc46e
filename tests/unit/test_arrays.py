"""Tasks and arrays: the pure part of a launch."""
import unittest

from core.errors import Refusal
from core.task import Task
from launcher.slurm import dependency_of
from launcher.tasks import Packing, arrays_of, ranges, rows_of


def task(name, array, index, parents=(), source="S"):
    return Task(name, array.split("_")[0], parents=tuple(parents), source=source, array=array,
                index=index)


def rows(count, sources=("S",)):
    """preprocess, train, infer for `count` indices."""
    made = [task(f"p{i}", "preprocess_0", i, (), sources[i % len(sources)]) for i in range(count)]
    made += [task(f"t{i}", "train", i, [f"p{i}"], sources[i % len(sources)]) for i in range(count)]
    return made + [task(f"i{i}", "infer_0", i, [f"t{i}", f"p{i}"], sources[i % len(sources)])
                   for i in range(count)]


def arrays(tasks, template_of=lambda stage, source: "t", largest_array=1000, **packing):
    return arrays_of(tasks, Packing(template_of, largest_array, **packing))


def shape(arrays):
    return [(array.name, array.indices, array.parents) for array in arrays]


class ArraysTest(unittest.TestCase):
    def test_a_full_launch_has_one_array_per_row_of_the_plan(self):
        self.assertEqual(shape(arrays(rows(3))), [
            ("preprocess_0", "0-2", ()), ("train", "0-2", ("preprocess_0",)),
            ("infer_0", "0-2", ("preprocess_0", "train"))])

    def test_an_element_waits_only_for_arrays_that_hold_its_index(self):
        chosen = [t for t in rows(4) if t.name not in ("p1", "t1", "p2")]
        self.assertEqual(shape(arrays(chosen)),
                         [("preprocess_0", "0,3", ()), ("train", "0,3", ("preprocess_0",)),
                          ("train-2", "2", ()), ("infer_0", "0,3", ("preprocess_0", "train")),
                          ("infer_0-2", "1", ()), ("infer_0-3", "2", ("train-2",))])

    def test_a_source_with_a_template_of_its_own_has_arrays_of_its_own(self):
        made = arrays(rows(4, ("S", "Big")), lambda stage, source: f"{stage}.{source}"
                      if stage == "train" else stage)
        self.assertEqual(shape(made), [("preprocess_0", "0-3", ()),
                                       ("train", "0,2", ("preprocess_0",)),
                                       ("train-2", "1,3", ("preprocess_0",)),
                                       ("infer_0", "0,2", ("preprocess_0", "train")),
                                       ("infer_0-2", "1,3", ("preprocess_0", "train-2"))])

    def test_indices_stay_below_the_largest_array(self):
        made = arrays(rows(5), largest_array=2)
        self.assertEqual(shape(made)[:4], [
            ("preprocess_0", "0-1", ()), ("preprocess_0-2", "0-1", ()), ("preprocess_0-3", "0", ()),
            ("train", "0-1", ("preprocess_0",))])
        self.assertEqual(sorted(t.name for array in made for t in array.tasks),
                         sorted(t.name for t in rows(5)))
        self.assertEqual({array.name: sorted(array.lines) for array in made}["train-3"], [0])

    def test_the_throttle_stands_behind_the_indices(self):
        self.assertEqual(arrays(rows(3), throttle=2)[0].indices, "0-2%2")

    def test_the_chunks_of_a_throttled_search_follow_one_another(self):
        trials = [task(f"{source}{i}", f"trial_{place}", i, [f"p{source}"], source)
                  for place, source in enumerate("AB") for i in range(5)]
        data = [task(f"p{source}", f"preprocess_{place}", 0) for place, source in enumerate("AB")]
        made = arrays(data + trials, largest_array=2, throttle=1)
        jobs = {array.name: f"${array.name}" for array in made}
        self.assertEqual([(array.name, dependency_of(array, jobs)) for array in made[2:]],
                         [("trial_0", "afterok:$preprocess_0"),
                          ("trial_0-2", "afterok:$preprocess_0,afterany:$trial_0"),
                          ("trial_0-3", "afterok:$preprocess_0,afterany:$trial_0-2"),
                          ("trial_1", "afterok:$preprocess_1"),
                          ("trial_1-2", "afterok:$preprocess_1,afterany:$trial_1"),
                          ("trial_1-3", "afterok:$preprocess_1,afterany:$trial_1-2")])
        resumed = arrays(trials[:5], largest_array=2, throttle=1)
        self.assertEqual([dependency_of(array, jobs) for array in resumed],
                         ["", "afterany:$trial_0", "afterany:$trial_0-2"])
        free = arrays(data + trials, largest_array=2)
        self.assertEqual({array.after for array in free}, {""})

    def test_the_collector_waits_for_the_end_of_every_array(self):
        collect = task("scores", "collect", 0, [t.name for t in rows(2)])
        last = arrays(rows(2) + [collect])[-1]
        self.assertEqual((last.parents, last.dependency),
                         (("infer_0", "preprocess_0", "train"), "afterany"))

    def test_an_element_of_several_tasks_finds_their_parents_in_elements_of_its_own_index(self):
        made = arrays(rows(5), per_job=2)
        self.assertEqual(shape(made), [("preprocess_0", "0-2", ()),
                                       ("train", "0-2", ("preprocess_0",)),
                                       ("infer_0", "0-2", ("preprocess_0", "train"))])
        self.assertEqual({line: task.name for line, task in made[1].lines.items()},
                         {0: "t0", 1: "t1", 2: "t2", 3: "t3", 4: "t4"})

    def test_packed_elements_of_a_sparse_resume_stay_aligned(self):
        chosen = [t for t in rows(6) if t.name not in ("p0", "p1", "t1", "p4")]
        by_name = {array.name: array for array in arrays(chosen, per_job=2)}
        for array in by_name.values():
            for index, members in array.elements.items():
                # each has that element, and it holds the parents of all
                for parent in array.parents:
                    there = {task.name for task in by_name[parent].elements[index]}
                    self.assertTrue(all(there.intersection(task.parents) for task in members),
                                    (array, parent))
        self.assertEqual(sorted(t.name for array in by_name.values() for t in array.tasks),
                         sorted(t.name for t in chosen))

    def test_a_row_is_one_element_that_waits_for_nothing(self):
        tasks = [t._replace(split=t.index) for t in rows(4)]
        chosen = [t for t in tasks if t.name not in ("p1", "t1", "p2", "t2", "i2")]
        collect = task("scores", "collect", 0, [t.name for t in tasks])
        made = arrays(chosen + [collect], rows=rows_of(tasks))
        self.assertEqual(shape(made), [("row", "0-1,3", ()), ("collect", "0", ("row",))])
        self.assertEqual({line: task.name for line, task in made[0].lines.items()},
                         {0: "p0", 1: "t0", 2: "i0", 3: "i1", 9: "p3", 10: "t3", 11: "i3"})
        self.assertEqual(shape(arrays(chosen, largest_array=2, rows=rows_of(tasks))),
                         [("row", "0-1", ()), ("row-2", "1", ())])

    def test_a_row_that_needs_another_one_is_refused(self):
        with self.assertRaisesRegex(Refusal, "t1 is made from a task of another"):
            rows_of([t._replace(split=t.index)
                     for t in [task("p0", "preprocess_0", 0), task("t1", "train", 1, ["p0"])]])

    def test_ranges_shorten_runs(self):
        self.assertEqual(ranges([0, 1, 2, 5, 7, 8]), "0-2,5,7-8")


if __name__ == "__main__":
    unittest.main()
