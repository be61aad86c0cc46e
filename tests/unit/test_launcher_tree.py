"""What the launcher reads of an OUT: plans whose tasks are read when they are needed, statuses one by one or many at a time."""
import json
import os
import unittest

from launcher import readers
from launcher.results_tree import Input, ResultsTree, Status
from launcher.tasks import Task
from tests.support import WorkCase

HEAD = '{"workflow": "csa",\n "output_dir": "/o",\n "tasks": [\n'
LINE = '  {"name": "NAME", "stage": "train", "array": "train", "index": 0, "words": ["none", "/m/x.py"], "run": true}'
LAUNCH = "20260101T000000.000000Z"


class LaunchTest(WorkCase):
    def tree(self, *lines, end="\n ]}\n"):
        os.makedirs(self.path("launches", LAUNCH), exist_ok=True)
        self.write(f"launches/{LAUNCH}/plan.json", HEAD + ",\n".join(lines) + end)
        return ResultsTree(self.work)

    def test_the_tasks_of_a_plan(self):
        tree = self.tree(LINE.replace("NAME", "models/A"), LINE.replace("NAME", "models/B"))
        (launch,) = tree.launches
        self.assertEqual([(task.name, task.words, task.parents, task.labels, task.launch.id) for task in launch.tasks],
                         [(name, ("none", "/m/x.py"), (), {}, LAUNCH) for name in ("models/A", "models/B")])
        self.assertIs(tree.last_run_of()["models/B"], launch.tasks[1])
        self.assertNotIn("tasks", launch.plan)

    def test_tasks_of_equal_words_keep_what_they_are_made_from(self):
        """The collector's words are the same in every launch, and it collects what its own launch has planned."""
        expected = [("a",), ("a", "b"), ("a", "b")]
        for at, parents in enumerate(expected):
            os.makedirs(self.path("launches", f"L{at}"))
            task = dict(json.loads(LINE.replace("NAME", "scores")), parents=list(parents))
            self.write(f"launches/L{at}/plan.json", HEAD + "  " + json.dumps(task) + "\n ]}\n")
        tasks = [launch.tasks[0] for launch in ResultsTree(self.work).launches]
        self.assertEqual([task.parents for task in tasks], expected)
        self.assertIs(tasks[0].words, tasks[2].words)

    def test_a_plan_in_the_layout_of_another_program(self):
        plan = json.loads(HEAD + LINE + "]}")
        os.makedirs(self.path("launches/L1"))
        self.write("launches/L1/plan.json", json.dumps(plan, indent=4))
        (launch,) = ResultsTree(self.work).launches
        self.assertEqual((launch.plan["workflow"], [task.name for task in launch.tasks]), ("csa", ["NAME"]))

    def test_a_plan_without_its_end_is_no_launch(self):
        tree = self.tree(LINE, end="\n")
        self.assertEqual((tree.launches, len(tree.broken_plans)), ([], 1))

    def test_a_launch_that_is_withdrawn_while_somebody_looks_has_no_tasks(self):
        tree = self.tree(LINE)
        os.rename(self.path("launches", LAUNCH, "plan.json"), self.path("launches", LAUNCH, "withdrawn_plan.json"))
        self.assertEqual((tree.launches[0].tasks, tree.broken_plans), ([], []))

    def test_a_plan_with_a_line_that_is_no_task_has_none_and_is_named(self):
        for line in ("  {}", "  7", LINE.replace("NAME", "../x"), LINE[:-1], LINE + " 7", LINE.replace('"train",', "7,")):
            tree = self.tree(LINE, line, LINE)
            self.assertEqual((len(tree.launches), tree.broken_plans), (1, []))
            self.assertEqual((tree.launches[0].tasks, len(tree.broken_plans)), ([], 1), line)
            self.assertEqual(tree.last_run_of(), {})


class StatusesTest(WorkCase):
    """A chain of tasks, each made from the one before it."""
    NUMBER = 2 * readers.FEW + 10

    def setUp(self):
        super().setUp()
        self.tasks, before = [], None
        for number in range(self.NUMBER):
            name = f"t{number}"
            task = Task(name, "train", "train", number, ("none", "/m/x.py", f"{self.work}/{name}"), (f"t{number - 1}",) if number else ())
            os.makedirs(self.path(name))
            self.write(f"{name}/f", "12345")
            status = {"state": "done", "stamp": f"of {name}", "words": list(task.words), "script": "s", "out": self.work, "attempt": 1,
                      "pid": 4, "made_from": {before["task"]: {key: before[key] for key in ("stamp", "words", "script", "out")}} if before
                      else {}, "files": {"f": 5}, "more_files": [2, 70], "seconds": 0.5 * number, "task": name, "host": f"n{number % 3}"}
            self.write(f"{name}/stage_status.json", json.dumps(status))
            self.tasks.append(task)
            before = status
        self.names = [task.name for task in self.tasks]

    def values(self, status):
        return {key: status[key] for key in Status.__slots__ + Status.ALIKE if key not in ("made_from", "alike")} if status else None

    def both(self, tasks):
        """The tree that reads ahead and the one that reads one by one."""
        ahead, one_by_one = ResultsTree(self.work, tasks), ResultsTree(self.work, tasks)
        ahead.read_ahead(self.names)
        for name in self.names:
            found, expected = ahead.status(name), one_by_one.status(name)
            self.assertEqual(self.values(found), self.values(expected))
            self.assertEqual(*[[(made.name, made.words, made.stamp, made.script, made.out) for made in status.made_from] if status else None
                               for status in (found, expected)])
        return ahead

    def test_statuses_that_readers_bring_are_those_that_one_reads(self):
        for tasks in (self.tasks, self.tasks[::2], ()):
            tree = self.both(tasks)
            status = tree.status("t7")
            self.assertEqual((status.words, status.state, status.host, status.seconds, status.bytes, status.changed_files, status.attempt),
                             (self.tasks[7].words, "done", "n1", 3.5, 75, (), 1))
            self.assertIs(status.made_from[0], tree.status("t6"))
            self.assertTrue(status.written > 10 ** 18)

    def test_words_as_planned_are_kept_once(self):
        tree = self.both(self.tasks)
        self.assertTrue(all(tree.status(task.name).words is task.words for task in self.tasks))

    def test_what_is_not_as_it_was(self):
        os.unlink(self.path("t3/f"))
        self.write("t4/f", "1")
        os.unlink(self.path("t5/stage_status.json"))
        self.write("t6/stage_status.json", "{")
        self.change("t8", made_from={"t7": {"stamp": "another", "words": ["none"]}})
        self.change("t9", made_from={"t8": 7})
        self.change("t10", state="running")
        tree = self.both(self.tasks)
        self.assertEqual([tree.status(name).changed_files for name in ("t3", "t4", "t7")], [("f",), ("f",), ()])
        self.assertEqual((tree.status("t5"), tree.status("t6").reason_kind), (None, "broken"))
        self.assertEqual(tree.status("t8").made_from, (Input("t7", ("none",), "another", None, None),))
        self.assertEqual(tree.status("t9").made_from, (Input("t8", None, None, None, None),))
        self.assertEqual([tree.status(name).pid for name in ("t9", "t10")], [None, 4])

    def change(self, name, **changes):
        with open(self.path(name, "stage_status.json")) as file:
            status = json.load(file)
        self.write(f"{name}/stage_status.json", json.dumps(dict(status, **changes)))

    def test_a_status_of_this_moment(self):
        tree = self.both(self.tasks)
        self.change("t2", state="failed", reason="exit code 3")
        self.assertEqual(tree.status("t2").state, "done")
        self.assertEqual(tree.status_now("t2").reason, "exit code 3")
        self.assertEqual(tree.status("t2").state, "failed")


if __name__ == "__main__":
    unittest.main()
