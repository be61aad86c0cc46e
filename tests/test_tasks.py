"""Tasks, arrays and batch scripts: the pure part of a launch."""
import unittest

from launcher import templates
from launcher.refusal import Refusal
from launcher.tasks import Task, arrays_of, ranges, task_files, task_line


def task(name, array, index, parents=(), source="S"):
    stage = array.split("_")[0]
    return Task(name, stage, array, index, ("none", "x.py"), tuple(parents), source)


def rows(count, sources=("S",)):
    """preprocess, train, infer for `count` indices."""
    made = [task(f"p{i}", "preprocess_0", i, (), sources[i % len(sources)]) for i in range(count)]
    made += [task(f"t{i}", "train", i, [f"p{i}"], sources[i % len(sources)]) for i in range(count)]
    return made + [task(f"i{i}", "infer_0", i, [f"t{i}", f"p{i}"], sources[i % len(sources)]) for i in range(count)]


def shape(arrays):
    return [(array.name, array.indices, array.parents) for array in arrays]


class ArraysTest(unittest.TestCase):
    def test_a_full_launch_has_one_array_per_row_of_the_plan(self):
        self.assertEqual(shape(arrays_of(rows(3), lambda task: "t", 1000)), [
            ("preprocess_0", "0-2", ()), ("train", "0-2", ("preprocess_0",)),
            ("infer_0", "0-2", ("preprocess_0", "train"))])

    def test_an_element_waits_only_for_arrays_that_hold_its_index(self):
        chosen = [t for t in rows(4) if t.name not in ("p1", "t1", "p2")]
        self.assertEqual(shape(arrays_of(chosen, lambda task: "t", 1000)), [
            ("preprocess_0", "0,3", ()), ("train", "0,3", ("preprocess_0",)), ("train-2", "2", ()),
            ("infer_0", "0,3", ("preprocess_0", "train")), ("infer_0-2", "1", ()), ("infer_0-3", "2", ("train-2",))])

    def test_a_source_with_a_template_of_its_own_has_arrays_of_its_own(self):
        arrays = arrays_of(rows(4, ("S", "Big")), lambda t: f"{t.stage}.{t.source}" if t.stage == "train" else t.stage, 1000)
        self.assertEqual(shape(arrays), [
            ("preprocess_0", "0-3", ()), ("train", "0,2", ("preprocess_0",)), ("train-2", "1,3", ("preprocess_0",)),
            ("infer_0", "0,2", ("preprocess_0", "train")), ("infer_0-2", "1,3", ("preprocess_0", "train-2"))])

    def test_indices_stay_below_the_largest_array(self):
        arrays = arrays_of(rows(5), lambda task: "t", 2)
        self.assertEqual(shape(arrays)[:4], [
            ("preprocess_0", "0-1", ()), ("preprocess_0.1", "0-1", ()), ("preprocess_0.2", "0", ()),
            ("train", "0-1", ("preprocess_0",))])
        self.assertEqual(sorted(t.name for array in arrays for t in array.elements.values()), sorted(t.name for t in rows(5)))
        self.assertEqual(sorted(task_files(rows(5), 2)["train.2"]), [0])

    def test_the_throttle_stands_behind_the_indices(self):
        self.assertEqual(arrays_of(rows(3), lambda task: "t", 9, throttle=2)[0].indices, "0-2%2")

    def test_the_collector_waits_for_the_end_of_every_array(self):
        collect = Task("scores", "collect", "collect", 0, ("none", "c.py"), tuple(t.name for t in rows(2)))
        last = arrays_of(rows(2) + [collect], lambda task: task.stage, 9)[-1]
        self.assertEqual((last.parents, last.dependency), (("infer_0", "preprocess_0", "train"), "afterany"))

    def test_ranges_shorten_runs(self):
        self.assertEqual(ranges([0, 1, 2, 5, 7, 8]), "0-2,5,7-8")

    def test_a_line_break_in_a_value_is_refused(self):
        with self.assertRaisesRegex(Refusal, "line break"):
            task_line(["none", "a\nb"])


TEMPLATE = """#!/usr/bin/env bash
# Holes: JOB_NAME and @@ANYTHING@@ in a comment.
#SBATCH --job-name=@@JOB_NAME@@
#SBATCH --array=@@ARRAY@@
#SBATCH --output=@@SLURM_OUTPUT@@
exec bash @@RUN_MODEL@@ --task @@TASKS@@ "$SLURM_ARRAY_TASK_ID"
"""
VALUES = {"JOB_NAME": "csa.x.train", "ARRAY": "0-4%2", "SLURM_OUTPUT": "/a b/%x.out", "RUN_MODEL": "/it's/run.sh",
          "TASKS": "/$x/t.tasks"}


class TemplatesTest(unittest.TestCase):
    def test_every_hole_is_filled_and_quoted_where_bash_reads_it(self):
        self.assertEqual(templates.render(TEMPLATE, VALUES, "train.sbatch"), """#!/usr/bin/env bash
# Written by the launcher from train.sbatch; `sbatch` this file to run it again.
# Holes: JOB_NAME and @@ANYTHING@@ in a comment.
#SBATCH --job-name=csa.x.train
#SBATCH --array=0-4%2
#SBATCH --output="/a b/%x.out"
exec bash '/it'"'"'s/run.sh' --task '/$x/t.tasks' "$SLURM_ARRAY_TASK_ID"
""")

    def test_an_unknown_hole_is_an_error_with_file_and_line(self):
        with self.assertRaisesRegex(Refusal, r"train.sbatch:7: unknown hole @@TASKZ@@"):
            templates.render(TEMPLATE + "@@TASKZ@@\n", VALUES, "train.sbatch")

    def test_a_quote_in_a_slurm_line_is_refused(self):
        for value in ('/a"b', "/a\\b", "/a\nb"):
            with self.assertRaises(Refusal):
                templates.render(TEMPLATE, dict(VALUES, SLURM_OUTPUT=value), "train.sbatch")

    def test_a_source_with_its_own_template_gets_it(self):
        directory = templates.os.path.dirname(templates.os.path.abspath(__file__))
        self.assertTrue(templates.find_template(directory, "train", "gCSI").endswith("/train.sbatch"))


if __name__ == "__main__":
    unittest.main()
