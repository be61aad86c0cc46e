"""Reading results trees: plans, statuses, whatever somebody has put there."""
import os

from core.text import tail
from core.tree import ResultsTree, write_text
from tests.made_tree import Campaign
from tests.support import WorkCase

BROKEN_STATUSES = (
    "", "[]", "3", "{}", "[" * 200000, "{" + " " * 2000000 + "}",
    *('{"state": %s}' % text for text in (
        '"odd"', "3", r'"done", "reason": "\u001b[2J"', '"done", "attempt": "1"',
        '"done", "seconds": -1', '"done", "seconds": "1"', '"done", "peak_mb": Infinity',
        '"done", "arguments": []', '"done", "files": 3', '"done", "made_from": [1]',
        '"done", "made_from": {"/etc": {}}', '"done", "made_from": {"../x": {}}',
        '"done", "made_from": {"x": {"arguments": [[]]}}', '"done", "launch": 7',
        r'"done", "files": {"\ud800": 1}', r'"done", "read_files": {"a\nb": []}',
        '"done", "words": []')))
BROKEN_PLANS = (
    "{", "[]", b"\xff\xfe", "[" * 200000, "", '{"workflow": 7, "tasks": []}',
    '{"workflow": "csa", "tasks": 3}', '{"workflow": "csa", "tasks": [{}]}',
    *('{"workflow": "csa", "tasks": [{"name": %s}]}' % text for text in (
        '"x"', '7, "stage": "train"', *(f'"{name}", "stage": "train"' for name in (
            "../x", "/etc", "infer//x", "a/../../x", r"infer/a\u0000", r"a\nb")),
        *(f'"x", "stage": "train", {text}' for text in (
            '"index": []', '"array": {}', '"arguments": "none"', '"parents": [[]]', '"words": []',
            '"split": "0"')))))


class TreeCase(WorkCase):
    def setUp(self):
        super().setUp()
        self.made = Campaign(self.path("out"))
        self.entries = self.made.entries(["a"], ["a", "b"])

    def tree(self):
        return ResultsTree(self.made.out)

    def status(self, text):
        """The Status of a task whose stage_status.json holds that."""
        self.made.write("t/stage_status.json", text)
        return self.tree().status("t")


class PlansTest(TreeCase):
    def test_the_newest_launch_that_names_a_task_wins_and_parents_come_first(self):
        self.made.plan("L1", self.entries[1:2] + self.entries[3:])
        self.made.epochs = "9"
        self.made.plan("L2", self.made.entries(["a"], ["a"]))
        tree = self.tree()
        self.assertEqual([launch.id for launch in tree.launches], ["L1", "L2"])
        self.assertEqual(tree.plan["launch"], "L2")
        self.assertEqual(tree.tasks["models/a/split_0"].arguments["epochs"], "9")
        self.assertEqual([task.stage for task in tree.tasks.values()],
                         ["preprocess"] * 2 + ["train"] + ["infer"] * 2)

    def test_last_runs_name_the_newest_launch_that_runs_a_task(self):
        self.made.plan("L1", self.entries)
        self.made.plan("L2", [dict(entry, run=entry["stage"] == "infer") for entry in self.entries])
        self.assertEqual([launch.id for launch, _ in self.tree().last_runs.values()],
                         ["L1", "L1", "L1", "L2", "L2"])

    def test_what_slurm_wrote_of_a_task_is_the_file_of_its_newest_job(self):
        self.made.plan("L1", self.entries)
        for job in ("odd", "csa.L1.train_99_1", "csa.L1.train_9_0", "csa.L1.train_10_0"):
            self.made.write(f"launches/L1/slurm/{job}.out", f"{job} \x1b\n\n")
        tree = self.tree()
        self.assertEqual(tail(tree.slurm_output("models/a/split_0"), 1), ["csa.L1.train_10_0 ?"])
        self.assertEqual(tree.slurm_output("infer/a-a/split_0"), "")

    def test_a_malformed_plan_is_ignored_and_reported(self):
        self.made.plan("L1", self.entries)
        for number, text in enumerate(BROKEN_PLANS):
            self.made.write(f"launches/M{number}/plan.json", text)
        os.makedirs(self.path("out/launches/N/plan.json"))
        tree = self.tree()
        self.assertEqual((len(tree.notes), len(tree.tasks), tree.plan["launch"]),
                         (len(BROKEN_PLANS) + 1, 5, "L1"))

    def test_a_dry_run_is_no_launch(self):
        self.made.plan("L1", self.entries[:1])
        self.made.plan("L2", self.entries, "dry_plan.json", model="other")
        self.assertEqual([task.model for task in self.tree().tasks.values()], ["baseline"])


class StatusTest(TreeCase):
    def test_a_status_comes_back_as_it_was_written(self):
        made_from = {"stamp": "s", "arguments": {"y": "1"}, "script_fingerprint": "3:aa"}
        record = {"state": "failed", "reason_kind": "exit_code", "reason": "exit code 3",
                  "exit_code": 3, "seconds": 1.5, "arguments": {"epochs": "5", "x": ["1", "2"]},
                  "files": {"a": 1}}
        status = self.status(write_text(dict(record, made_from={"ml_data/a": made_from}, more=7)))
        self.assertEqual({key: getattr(status, key) for key in record}, record)
        self.assertEqual({key: getattr(status.made_from["ml_data/a"], key) for key in made_from},
                         made_from)
        self.assertGreater(status.written, 0)

    def test_each_kind_of_malformed_status_is_a_failure(self):
        for text in BROKEN_STATUSES:
            self.assertEqual(self.status(text).reason_kind, "broken", text[:80])
        os.makedirs(self.path("out/d/stage_status.json"))
        self.assertEqual(self.tree().status("d").reason_kind, "broken")

    def test_a_status_is_read_once_unless_it_is_asked_for_again(self):
        tree = self.tree()
        self.assertIsNone(tree.status("t"))
        self.status('{"state": "done"}')
        self.assertIsNone(tree.status("t"))
        self.assertEqual(tree.status("t", again=True).state, "done")

    def test_a_status_of_before_arguments_were_a_dict_is_read_in_any_place(self):
        status = self.status("""{"state": "done", "out": "/was", "script": "12:ab",
            "words": ["conda:x", "/m/x_train_improve.py", "--input_dir", "/was/ml_data/a"],
            "made_from": {"ml_data/a": {"stamp": "s", "out": "/was", "script": "3:aa",
                "words": ["none", "p.py", "--output_dir", "/was/ml_data/a"]}}}""")
        made_from = status.made_from["ml_data/a"]
        self.assertEqual((status.environment, status.arguments, status.script_fingerprint),
                         ("conda:x", {"input_dir": "ml_data/a"}, "12:ab"))
        self.assertEqual((made_from.stamp, made_from.arguments, made_from.script_fingerprint),
                         ("s", {"output_dir": "ml_data/a"}, "3:aa"))
        self.assertTrue(status.is_old)
