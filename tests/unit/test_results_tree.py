"""Reading results trees: plans, statuses, what counts as done, scores."""
import os
import shutil
import tempfile
import unittest

import tests  # noqa: F401  (puts stages/ on the path)

from tree.results_tree import Tree  # noqa: E402
from tests.made_tree import Campaign, of_stage  # noqa: E402


class WithTree(unittest.TestCase):

    def setUp(self):
        self.top = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.top)
        self.campaign = Campaign(os.path.join(self.top, "out"))
        os.makedirs(self.campaign.out)

    def verdict(self, name):
        return Tree(self.campaign.out).verdict(name)


class PlansTest(WithTree):

    def test_the_newest_launch_that_names_a_task_wins(self):
        self.campaign.plan("20260101T0", self.campaign.entries(["a"], ["a", "b"]))
        self.campaign.epochs = "9"
        self.campaign.plan("20260102T0", self.campaign.entries(["a"], ["a"]))
        tasks = Tree(self.campaign.out).tasks
        self.assertEqual(Tree(self.campaign.out).plan["launch"], "20260102T0")
        self.assertIn("infer/a-b/split_0", tasks)
        self.assertEqual(len(tasks), 5)

    def test_a_broken_plan_is_left_out_and_reported(self):
        self.campaign.plan("20260101T0", self.campaign.entries(["a"], ["a"]))
        for number, text in enumerate([b"{", b"[]", b'{"workflow": "csa", "tasks": [{}]}',
                                       b"\xff\xfe", b"[" * 200000, b'{"workflow": 7, "tasks": []}',
                                       b'{"workflow": "csa", "tasks": 3}', b""]):
            self.campaign.write(f"launches/20260102T{number}/plan.json", text)
        os.makedirs(os.path.join(self.campaign.out, "launches", "20260103T0", "plan.json"))
        os.makedirs(os.path.join(self.campaign.out, "launches", "20260104T0"))
        tree = Tree(self.campaign.out)
        self.assertEqual(len(tree.notes), 9)
        self.assertEqual(len(tree.tasks), 3)
        self.assertEqual(tree.plan["launch"], "20260101T0")

    def test_a_task_outside_the_tree_makes_a_plan_broken(self):
        for name in ("../x", "/etc", "infer//x", "infer/../../x", "infer/a-b\0"):
            entries = self.campaign.entries(["a"], ["a"])
            entries[2]["name"] = name
            self.campaign.plan("20260101T0", entries)
            self.assertEqual(len(Tree(self.campaign.out).notes), 1, name)

    def test_a_dry_run_takes_no_launch_s_place_but_may_be_run_by_hand(self):
        entries = self.campaign.entries(["a"], ["a"])
        self.campaign.plan("20260101T0", entries)
        self.campaign.run(entries)
        self.campaign.epochs = "9"
        rehearsed = self.campaign.entries(["a"], ["a"])
        self.campaign.plan("20260102T0", rehearsed, "dry_plan.json", model="other", synthetic=True)
        self.assertEqual(self.verdict("infer/a-a/split_0").state, "done")
        self.assertEqual(Tree(self.campaign.out).plan["model"], "baseline")
        self.assertFalse(Tree(self.campaign.out).synthetic)
        self.campaign.run(rehearsed)
        self.assertEqual(self.verdict("infer/a-a/split_0").state, "done")

    def test_of_a_dry_run_alone_only_what_was_run_by_hand_is_planned(self):
        entries = self.campaign.entries(["a"], ["a", "b"])
        self.campaign.plan("20260101T0", entries, "dry_plan.json", synthetic=True)
        self.assertEqual(Tree(self.campaign.out).tasks, {})
        self.campaign.run(entries[:1])
        self.assertEqual(list(Tree(self.campaign.out).tasks), [entries[0]["name"]])
        self.assertTrue(Tree(self.campaign.out).synthetic)


class VerdictTest(WithTree):

    def setUp(self):
        WithTree.setUp(self)
        self.entries = self.campaign.entries(["a"], ["a", "b"])
        self.campaign.plan("20260101T0", self.entries)
        self.campaign.run(self.entries)

    def test_a_finished_tree_is_done(self):
        for entry in self.entries:
            self.assertEqual(self.verdict(entry["name"]).state, "done")

    def test_a_moved_tree_is_done(self):
        elsewhere = os.path.join(self.top, "elsewhere", "tree")
        shutil.move(self.campaign.out, elsewhere)
        self.campaign.out = elsewhere
        self.assertEqual(self.verdict("infer/a-b/split_0").state, "done")
        self.plan_again(run=False)
        self.assertEqual(self.verdict("infer/a-b/split_0").state, "done")

    def plan_again(self, stages=("preprocess", "train", "infer"), launch="20260102T0", **changes):
        """A newer launch names these stages' tasks of the target a."""
        entries = [dict(entry, **changes) for entry in self.campaign.entries(["a"], ["a"]) if entry["stage"] in stages]
        self.campaign.plan(launch, entries)
        return entries

    def test_what_a_newer_launch_has_planned_to_make_anew_is_stale_until_it_did(self):
        entries = self.plan_again(("train", "infer"))
        self.assertEqual(self.verdict("models/a/split_0"), ("stale", "launch 20260102T0 has planned to make it anew", None))
        self.campaign.run(entries)
        self.assertEqual(self.verdict("models/a/split_0").state, "done")
        self.assertEqual(self.verdict("infer/a-a/split_0").state, "done")

    def test_so_is_what_was_made_from_it_though_the_newer_launch_does_not_name_it(self):
        entries = self.plan_again(("train",))
        reason = "launch 20260102T0 has planned to make models/a/split_0 anew"
        self.assertEqual(self.verdict("infer/a-b/split_0"), ("stale", reason, None))
        self.campaign.run(entries)
        self.assertEqual(self.verdict("infer/a-b/split_0").state, "stale")

    def test_what_a_newer_launch_found_done_is_done(self):
        self.plan_again(run=False)
        self.assertEqual(self.verdict("infer/a-a/split_0").state, "done")

    def test_a_run_by_hand_counts_by_its_start(self):
        entries = self.plan_again(("train",), launch="20260102T101010.000000Z")
        self.campaign.run(entries, launch="", started="2026-01-02T10:10:09Z")
        self.assertEqual(self.verdict("models/a/split_0").state, "stale")
        self.campaign.run(entries, launch="", started="2026-01-02T10:10:11Z")
        self.assertEqual(self.verdict("models/a/split_0").state, "done")

    def test_scores_of_a_training_that_was_replaced_by_hand_are_stale(self):
        self.campaign.run(of_stage(self.entries, "train"), launch="", started="2026-01-02T00:00:00Z")
        self.assertEqual(self.verdict("infer/a-b/split_0"), ("stale", "was made from an older models/a/split_0", None))

    def test_a_deleted_or_cut_file_makes_a_task_incomplete(self):
        infer = of_stage(self.entries, "infer")[:1]
        self.campaign.run(infer, files={"test_scores.json": 7})
        self.assertEqual(self.verdict("infer/a-a/split_0"), ("incomplete", "its test_scores.json was deleted or changed", None))

    def test_intermediates_deleted_after_use_are_no_gap(self):
        self.campaign.remove("ml_data")
        self.assertEqual(self.verdict("models/a/split_0").state, "done")
        self.assertEqual(self.verdict("infer/a-b/split_0").state, "done")

    def test_intermediates_deleted_and_made_again_make_nothing_stale(self):
        entries = self.plan_again(("preprocess",), rebuild=True)
        self.campaign.run(entries)
        self.assertEqual(self.verdict("models/a/split_0").state, "done")
        self.assertEqual(self.verdict("infer/a-a/split_0").state, "done")

    def test_a_stage_preprocessed_anew_makes_what_follows_stale(self):
        self.campaign.run(self.plan_again(("preprocess",)))
        self.assertEqual(self.verdict("models/a/split_0").state, "stale")
        self.assertEqual(self.verdict("infer/a-b/split_0").state, "stale")

    def test_other_states_are_passed_on_with_their_reason(self):
        infer = of_stage(self.entries, "infer")[:1]
        self.campaign.run(infer, state="failed", reason="exit code 3", exit_code=3)
        self.assertEqual(self.verdict("infer/a-a/split_0"), ("failed", "exit code 3", 3))
        self.campaign.run(infer, state="running", exit_code=None)
        self.assertEqual(self.verdict("infer/a-a/split_0"), ("running", "", None))

    def test_a_planned_task_without_a_status_waits_whatever_files_are_there(self):
        os.remove(os.path.join(self.campaign.out, "infer/a-a/split_0/stage_status.json"))
        self.assertEqual(self.verdict("infer/a-a/split_0").state, "waiting")

    def test_a_task_that_was_taken_as_done_is_judged_by_its_files(self):
        self.campaign.remove("infer/a-a/split_0")
        entry = of_stage(self.entries, "infer")[0]
        entry["run"] = False
        self.campaign.plan("20260102T0", self.entries)
        self.assertEqual(self.verdict(entry["name"]).state, "missing")
        os.makedirs(os.path.join(self.campaign.out, entry["name"]))
        self.assertEqual(self.verdict(entry["name"]).state, "incomplete")
        self.campaign.scores(entry["name"])
        self.assertEqual(self.verdict(entry["name"]).state, "done")

    def test_a_damaged_status_is_unreadable(self):
        name = "infer/a-a/split_0"
        for text in (b"", b"{}", b"[]", b"\xff", b'{"state": "done"', b"[" * 200000,
                     b'{"state": "done", "made_from": {"models": 3}}', b'{"state":"done","launch":7}',
                     b'{"state": "done", "made_from": {"../x": {"stamp": "s"}}}'):
            self.campaign.write(name + "/stage_status.json", text)
            self.assertEqual(self.verdict(name).state, "unreadable", text[:60])

    def test_tasks_made_from_each_other_end(self):
        train = of_stage(self.entries, "train")[0]
        circle = {name: {"stamp": "s", "words": []}
                  for name in ("infer/a-a/split_0", "models/a/split_0")}
        self.campaign.run([train] + of_stage(self.entries, "infer")[:1], stamp="s",
                          made_from=circle)
        self.assertEqual(self.verdict("infer/a-a/split_0").state, "done")


class GapTest(WithTree):

    def setUp(self):
        WithTree.setUp(self)
        self.entries = self.campaign.entries(["a"], ["a", "b"])
        self.campaign.plan("20260101T0", self.entries)

    def gap(self, name="infer/a-b/split_0"):
        tree = Tree(self.campaign.out)
        return tree.gap(tree.tasks[name])

    def test_a_failed_training_is_why_its_scores_are_missing(self):
        self.campaign.run(of_stage(self.entries, "preprocess"))
        self.campaign.run(of_stage(self.entries, "train"), state="failed", reason="exit code 2",
                          exit_code=2)
        self.campaign.run(of_stage(self.entries, "infer"), state="failed", exit_code=1,
                          reason="parent failed: models/a/split_0 is failed")
        gap = self.gap()
        self.assertEqual(gap[1:6], ("models/a/split_0", "train", "failed", "exit code 2", 2))
        self.assertEqual(gap.log, os.path.join(self.campaign.out, "models/a/split_0/log.txt"))

    def test_a_failed_preprocessing_comes_before_what_waits_for_it(self):
        self.campaign.run(of_stage(self.entries, "preprocess")[:1], state="interrupted",
                          reason="signal TERM", exit_code=143)
        self.assertEqual(self.gap()[1:5], ("ml_data/a-a/split_0", "preprocess", "interrupted",
                                           "signal TERM"))

    def test_a_failure_comes_before_an_earlier_stage_that_waits(self):
        self.campaign.run(of_stage(self.entries, "preprocess"))
        self.campaign.run(of_stage(self.entries, "train"), state="failed", reason="exit code 2")
        self.campaign.remove("ml_data/a-b")
        self.assertEqual(self.gap().failed_task, "models/a/split_0")

    def test_a_tree_that_has_not_begun_waits_for_its_first_stage(self):
        self.assertEqual(self.gap()[1:5], ("ml_data/a-a/split_0", "preprocess", "waiting",
                                           "has not run"))

    def test_an_infer_that_failed_itself_is_named(self):
        self.campaign.run(self.entries)
        self.campaign.run(of_stage(self.entries, "infer")[1:], state="failed",
                          reason="killed by signal KILL (out of memory?)", exit_code=137)
        self.assertEqual(self.gap()[1:6], ("infer/a-b/split_0", "infer", "failed",
                                           "killed by signal KILL (out of memory?)", 137))

    def test_a_stale_score_is_named_as_such(self):
        self.campaign.run(self.entries)
        self.campaign.run(of_stage(self.entries, "train"))
        self.assertEqual(self.gap()[1:4], ("infer/a-b/split_0", "infer", "stale"))

    def test_a_stale_score_is_named_as_such_also_where_its_data_was_deleted(self):
        self.campaign.run(self.entries)
        self.campaign.run(of_stage(self.entries, "train"))
        self.campaign.remove("ml_data")
        self.assertEqual(self.gap()[1:4], ("infer/a-b/split_0", "infer", "stale"))

    def test_a_score_waits_for_a_training_that_runs(self):
        self.campaign.run(self.entries)
        self.campaign.run(of_stage(self.entries, "train"), state="running", exit_code=None)
        self.assertEqual(self.gap()[1:4], ("models/a/split_0", "train", "running"))

    def test_parents_in_a_circle_end(self):
        of_stage(self.entries, "train")[0]["parents"] = ["infer/a-b/split_0"]
        self.campaign.plan("20260101T0", self.entries)
        self.assertEqual(self.gap().state, "waiting")


if __name__ == "__main__":
    unittest.main()
