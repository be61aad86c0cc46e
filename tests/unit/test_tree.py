"""Reading results trees: plans, statuses, whatever somebody has put there."""
import json
import os

from core.tree import ResultsTree, read_status, write_text
from tests.made_tree import Campaign
from tests.support import WorkCase


class TreeCase(WorkCase):
    def setUp(self):
        super().setUp()
        self.made = Campaign(self.path("out"))

    def tree(self):
        return ResultsTree(self.made.out)


class PlansTest(TreeCase):
    def test_an_empty_or_missing_tree_has_nothing(self):
        tree = self.tree()
        self.assertEqual((tree.launches, tree.tasks, tree.plan, tree.notes, tree.synthetic),
                         ([], {}, {}, [], False))

    def test_the_newest_launch_that_names_a_task_wins_and_parents_come_first(self):
        self.made.plan("L1", self.made.entries(["a"], ["a", "b"]))
        self.made.epochs = "9"
        self.made.plan("L2", self.made.entries(["a"], ["a"]))
        tree = self.tree()
        self.assertEqual([launch.id for launch in tree.launches], ["L1", "L2"])
        self.assertEqual((tree.plan["launch"], len(tree.tasks)), ("L2", 5))
        self.assertEqual(tree.tasks["models/a/split_0"].arguments["epochs"], "9")
        names = list(tree.tasks)
        for name, task in tree.tasks.items():
            self.assertTrue(all(names.index(parent) < names.index(name) for parent in task.parents),
                            name)

    def test_last_runs_name_the_newest_launch_that_runs_a_task(self):
        self.made.plan("L1", self.made.entries(["a"], ["a"]))
        self.made.plan("L2", [dict(entry, run=entry["stage"] == "infer")
                              for entry in self.made.entries(["a"], ["a"])])
        self.assertEqual({name: launch.id for name, (launch, _) in self.tree().last_runs().items()},
                         {"ml_data/a-a/split_0": "L1", "models/a/split_0": "L1",
                          "infer/a-a/split_0": "L2"})

    def test_a_malformed_plan_is_ignored_and_reported(self):
        self.made.plan("L1", self.made.entries(["a"], ["a"]))
        for number, text in enumerate([b"{", b"[]", b'{"workflow": "csa", "tasks": [{}]}',
                                       b"\xff\xfe", b"[" * 200000, b'{"workflow": 7, "tasks": []}',
                                       b'{"workflow": "csa", "tasks": 3}', b""]):
            self.made.write(f"launches/M{number}/plan.json", text)
        os.makedirs(self.path("out/launches/N/plan.json"))
        tree = self.tree()
        self.assertEqual((len(tree.notes), len(tree.tasks), tree.plan["launch"]), (9, 3, "L1"))

    def test_a_task_outside_the_tree_makes_a_plan_malformed(self):
        for name in ("../x", "/etc", "infer//x", "infer/../../x", "infer/a\0", "a\nb"):
            with self.subTest(name):
                entries = self.made.entries(["a"], ["a"])
                entries[2]["name"] = name
                self.made.plan("L1", entries)
                self.assertEqual(len(self.tree().notes), 1)

    def test_a_dry_run_replaces_no_launch_but_may_be_run_by_hand(self):
        entries = self.made.entries(["a"], ["a", "b"])
        self.made.plan("L1", entries[:1])
        self.made.plan("L2", entries, "dry_plan.json", model="other", synthetic=True)
        self.assertEqual(list(self.tree().tasks), [entries[0]["name"]])
        self.made.run(entries[1:2])
        tree = self.tree()
        self.assertEqual(sorted(tree.tasks), sorted(entry["name"] for entry in entries))
        self.assertEqual((tree.plan["model"], tree.synthetic), ("baseline", True))
        self.made.plan("L3", entries[:1])      # then of the dry run only what was run is left
        self.assertEqual(list(self.tree().tasks), [entry["name"] for entry in entries[:2]])


class StatusTest(TreeCase):
    def test_a_status_comes_back_as_it_was_written(self):
        record = {"state": "failed", "reason_kind": "exit_code", "reason": "exit code 3",
                  "exit_code": 3, "seconds": 1.5, "arguments": {"epochs": "5", "x": ["1", "2"]},
                  "files": {"a": 1}, "notes": ["a note"],
                  "made_from": {"ml_data/a": {"stamp": "s", "arguments": {"y": "1"},
                                              "script_fingerprint": "3:aa"}}}
        self.made.write("t/stage_status.json", write_text(record))
        status = self.tree().status("t")
        for key in ("state", "reason_kind", "reason", "exit_code", "seconds", "arguments", "files"):
            self.assertEqual(getattr(status, key), record[key])
        self.assertEqual((status.made_from["ml_data/a"].stamp, status.notes), ("s", ("a note",)))
        self.assertGreater(status.written, 0)

    def test_each_kind_of_malformed_status_is_a_failure(self):
        changes = ({"state": "odd"}, {"state": 3}, {"reason": "a\x1b[2J"}, {"attempt": "1"},
                   {"seconds": -1}, {"seconds": "1"}, {"arguments": []}, {"files": 3},
                   {"made_from": {"/etc": {}}}, {"made_from": {"../x": {}}}, {"made_from": [1]},
                   {"launch": 7}, {"files": {"\ud800": 1}}, {"read_files": {"a\nb": []}})
        for text in ("", "[]", "{}", "[" * 200000,
                     *(json.dumps(dict({"state": "done"}, **change)) for change in changes)):
            with self.subTest(text[:50]):
                self.made.write("t/stage_status.json", text)
                self.assertEqual(self.tree().status("t").reason_kind, "broken")

    def test_a_directory_in_place_of_a_status_is_a_failure(self):
        os.makedirs(self.path("out/t/stage_status.json"))
        self.assertEqual(self.tree().status("t").reason_kind, "broken")

    def test_a_status_is_read_once_until_it_is_forgotten(self):
        tree = self.tree()
        self.assertIsNone(tree.status("t"))
        self.made.write("t/stage_status.json", '{"state": "done"}')
        self.assertIsNone(tree.status("t"))
        tree.forget("t")
        self.assertEqual(tree.status("t").state, "done")

    def test_changed_files_are_those_of_another_size(self):
        self.made.write("t/stage_status.json",
                        json.dumps({"state": "done", "files": {"a": 2, "b": 2, "c": 0, "d": "2"}}))
        for name in "abd":
            self.made.write(f"t/{name}", "12" if name != "b" else "123")
        self.assertEqual(self.tree().changed_files("t"), ["b", "c", "d"])

    def test_a_status_of_before_arguments_were_a_dict_is_read_in_any_place(self):
        words = ["conda:x", "/m/x_train_improve.py", "--input_dir", "/was/ml_data/a",
                 "--output_dir", "/was/models/a", "--epochs", "5"]
        old = {"state": "done", "out": "/was", "words": words, "script": "12:ab",
               "made_from": {"ml_data/a": {"stamp": "s", "out": "/was",
                                           "words": ["none", "p.py", "--output_dir",
                                                     "/was/ml_data/a"]}}}
        self.made.write("models/a/stage_status.json", json.dumps(old))
        status = read_status(self.path("out/models/a"), self.made.out)
        self.assertEqual(status.arguments, {"input_dir": "ml_data/a", "output_dir": "models/a",
                                            "epochs": "5"})
        self.assertEqual((status.environment, status.script_fingerprint, status.is_old),
                         ("conda:x", "12:ab", True))
        self.assertEqual(status.made_from["ml_data/a"].arguments, {"output_dir": "ml_data/a"})
