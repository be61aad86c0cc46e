"""Reading results trees: plans, statuses, what counts as done, scores."""
import math
import os
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "stages"))

from results import mean_absolute_error, read_result, read_results  # noqa: E402
from plans import words_equal  # noqa: E402
from results_tree import Tree  # noqa: E402
from tests.made_tree import PREDICTIONS, Campaign, of_stage  # noqa: E402


def no_processes(count):
    raise OSError("no semaphores here")


class WithTree(unittest.TestCase):

    def setUp(self):
        self.top = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.top)
        self.campaign = Campaign(os.path.join(self.top, "out"))
        os.makedirs(self.campaign.out)

    def verdict(self, name):
        return Tree(self.campaign.out).verdict(name)


class WordsTest(unittest.TestCase):
    train = ["none", "/repo/t.py", "--input_dir", "/w/out/ml_data/a-b/split_0",
             "--output_dir", "/w/out/models/a/split_0", "--epochs", "5"]

    def equal(self, new, old_out="/w/out", new_out="/w/out"):
        return words_equal(self.train, new, old_out, new_out)

    def test_the_environment_does_not_matter(self):
        self.assertTrue(self.equal(["conda:drp"] + self.train[1:]))

    def test_another_value_option_script_or_length_matters(self):
        self.assertFalse(self.equal(self.train[:-1] + ["6"]))
        self.assertFalse(self.equal(self.train[:-2] + ["--batch", "5"]))
        self.assertFalse(self.equal(["none", "/repo/u.py"] + self.train[2:]))
        self.assertFalse(self.equal(self.train + ["--more"]))
        self.assertFalse(self.equal(self.train[:-2]))

    def test_training_on_the_data_of_another_target_is_the_same_training(self):
        self.assertTrue(self.equal(self.train[:3] + ["/w/out/ml_data/a-c/split_0"]
                                   + self.train[4:]))
        self.assertFalse(self.equal(self.train[:3] + ["/w/out/ml_data/a-c/split_1"]
                                    + self.train[4:]))
        self.assertFalse(self.equal(self.train[:3] + ["/elsewhere/ml_data/a-c/split_0"]
                                    + self.train[4:]))

    def test_the_data_of_another_target_matters_to_other_options(self):
        old = ["none", "/repo/i.py", "--input_data_dir", "/w/out/ml_data/a-b/split_0"]
        new = ["none", "/repo/i.py", "--input_data_dir", "/w/out/ml_data/a-c/split_0"]
        self.assertFalse(words_equal(old, new, "/w/out", "/w/out"))

    def test_a_size_of_a_learning_curve_matters(self):
        old = ["none", "/repo/t.py", "--input_dir", "/w/out/a/ml_data/split_0/sz_10"]
        new = ["none", "/repo/t.py", "--input_dir", "/w/out/a/ml_data/split_0/sz_20"]
        self.assertFalse(words_equal(old, new, "/w/out", "/w/out"))

    def test_a_results_tree_that_moved_is_the_same(self):
        new = [word.replace("/w/out", "/data/my runs/csa") for word in self.train]
        self.assertTrue(self.equal(new, new_out="/data/my runs/csa"))
        self.assertFalse(self.equal(new, new_out="/data/other"))

    def test_a_folder_that_moved_with_its_scripts_is_the_same(self):
        old = ["none", "/home/a/proj/stages/t.py", "--output_dir", "/home/a/proj/runs/x/models/a"]
        new = ["none", "/mnt/proj/stages/t.py", "--output_dir", "/mnt/proj/runs/x/models/a"]
        self.assertTrue(words_equal(old, new, "/home/a/proj/runs/x", "/mnt/proj/runs/x"))

    def test_what_stayed_behind_when_a_tree_moved_is_the_same(self):
        old = ["none", "/home/a/stages/t.py", "--output_dir", "/home/a/x/models/a"]
        new = ["none", "/home/a/stages/t.py", "--output_dir", "/mnt/x/models/a"]
        self.assertTrue(words_equal(old, new, "/home/a/x", "/mnt/x"))

    def test_a_neighbor_with_the_same_beginning_is_not_below_the_folder(self):
        old = ["none", "/w/out2/t.py"]
        self.assertFalse(words_equal(old, ["none", "/new2/t.py"], "/w/out", "/new"))
        self.assertTrue(words_equal(["none", "/w/out"], ["none", "/new"], "/w/out", "/new"))

    def test_without_a_known_tree_words_are_compared_as_they_stand(self):
        self.assertTrue(words_equal(self.train, self.train, None, "/w/out"))
        self.assertFalse(words_equal(["none", "/t.py"], ["none", "/w/out/t.py"], None, "/w/out"))


class PlansTest(WithTree):

    def test_the_newest_launch_that_names_a_task_wins(self):
        self.campaign.plan("20260101T0", self.campaign.entries(["a"], ["a", "b"]))
        self.campaign.epochs = "9"
        self.campaign.plan("20260102T0", self.campaign.entries(["a"], ["a"]))
        tasks = Tree(self.campaign.out).tasks
        self.assertEqual(tasks["models/a/split_0"].words[-1], "9")
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
        moved = Campaign(elsewhere)
        moved.plan("20260102T0", moved.entries(["a"], ["a", "b"]))
        self.assertEqual(self.verdict("infer/a-b/split_0").state, "done")

    def test_scores_of_an_older_training_are_stale(self):
        self.campaign.run(of_stage(self.entries, "train"))
        self.assertEqual(self.verdict("infer/a-b/split_0"),
                         ("stale", "was made from an older models/a/split_0", None))

    def test_scores_of_a_training_with_other_arguments_are_stale(self):
        self.campaign.epochs = "9"
        self.campaign.plan("20260102T0", self.campaign.entries(["a"], ["a"]))
        self.assertEqual(self.verdict("models/a/split_0").state, "stale")
        verdict = self.verdict("infer/a-b/split_0")
        self.assertEqual(verdict.state, "stale")
        self.assertIn("models/a/split_0, which was made with other arguments", verdict.reason)

    def test_a_deleted_model_still_tells_what_it_was_trained_with(self):
        self.campaign.remove("models")
        self.assertEqual(self.verdict("infer/a-b/split_0").state, "done")
        self.campaign.epochs = "9"
        self.campaign.plan("20260102T0", self.campaign.entries(["a"], ["a"]))
        self.assertEqual(self.verdict("infer/a-b/split_0").state, "stale")

    def test_intermediates_deleted_after_use_are_no_gap(self):
        self.campaign.remove("ml_data")
        self.assertEqual(self.verdict("models/a/split_0").state, "done")
        self.assertEqual(self.verdict("infer/a-b/split_0").state, "done")

    def test_a_stage_preprocessed_anew_makes_what_follows_stale(self):
        self.campaign.run(of_stage(self.entries, "preprocess")[:1], attempt=2)
        self.assertEqual(self.verdict("models/a/split_0").state, "stale")
        self.assertEqual(self.verdict("infer/a-b/split_0").state, "stale")

    def test_intermediates_deleted_and_made_again_are_the_same(self):
        data = of_stage(self.entries, "preprocess")[:1]
        self.campaign.run(data, attempt=1)
        self.assertEqual(self.verdict("models/a/split_0").state, "done")
        self.assertEqual(self.verdict("infer/a-a/split_0").state, "done")
        self.campaign.run(data, attempt=1, words=data[0]["words"] + ["--more"])
        self.assertEqual(self.verdict("models/a/split_0").state, "stale")

    def test_a_model_trained_on_another_target_s_data_is_done(self):
        train = of_stage(self.entries, "train")[0]
        train["words"] = [word.replace("a-a", "a-b") for word in train["words"]]
        self.campaign.plan("20260102T0", self.entries)
        self.assertEqual(self.verdict("models/a/split_0").state, "done")

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
                     b'{"state": "done", "made_from": {"models": 3}}', b'{"state":"done","words":7}',
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
        self.assertEqual(self.gap().culprit, "models/a/split_0")

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


class ScoresTest(WithTree):
    name = "infer/a-b/split_0"

    def read(self, sizes=None, y_col_name=None):
        return read_result((os.path.join(self.campaign.out, self.name), sizes or {}, y_col_name))

    def write(self, file, text):
        self.campaign.write(f"{self.name}/{file}", text)

    def test_scores_come_from_the_score_file_and_mae_from_the_predictions(self):
        self.campaign.scores(self.name)
        self.write("test_y_data_predicted.csv", PREDICTIONS)
        scores = self.read().scores
        self.assertEqual((scores["mse"], scores["r2"]), (0.25, 0.5))
        self.assertAlmostEqual(scores["mae"], 0.14, 12)

    def test_scores_are_computed_where_there_is_no_score_file(self):
        self.write("test_y_data_predicted.csv", PREDICTIONS)
        expected = {"mse": 0.03, "rmse": 0.17320508075688773, "mae": 0.14,      # scikit-learn
                    "pcc": 0.83298795530226, "scc": 0.8651809126974002,       # scipy, with ties
                    "r2": 0.6495327102803738}
        scores = self.read(y_col_name="auc").scores
        self.assertEqual(list(scores), list(expected))
        for name, value in expected.items():
            self.assertAlmostEqual(scores[name], value, 12, name)

    def test_constant_predictions_have_no_correlation(self):
        self.write("test_y_data_predicted.csv", "auc_true,auc_pred\n0.25,0.5\n0.75,0.5\n")
        scores = self.read().scores
        self.assertTrue(math.isnan(scores["pcc"]) and math.isnan(scores["scc"]))
        self.assertEqual((scores["mse"], scores["mae"], scores["r2"]), (0.0625, 0.25, 0.0))

    def test_an_undefined_correlation_is_a_score_without_a_value(self):
        self.write("test_scores.json", '{"mse": 0.5, "pcc": NaN, "r2": -Infinity, "loss": 3}')
        scores = self.read().scores
        self.assertEqual(list(scores), ["mse", "pcc", "r2"])
        self.assertTrue(math.isnan(scores["pcc"]) and math.isnan(scores["r2"]))

    def test_a_damaged_score_file_is_a_problem_and_not_computed_around(self):
        self.write("test_y_data_predicted.csv", PREDICTIONS)
        for text in (b"", b"{", b"[]", b"{}", b"\x89PNG\r\n\x1a\n\0", b"7", b'{"mse": NaN}',
                     b'{"mse": "0.1"}', b'{"mse": 1, "mse": 2}', b"[" * 100000, b'{"acc": 0.5}',
                     b'{"mse": 0.5}' + b" " * 10000000):
            self.write("test_scores.json", text)
            result = self.read()
            self.assertEqual(result.scores, {}, text[:40])
            self.assertIn(self.name, result.problem)

    def test_a_directory_in_place_of_a_file_is_a_problem(self):
        os.makedirs(os.path.join(self.campaign.out, self.name, "test_scores.json"))
        self.assertIn("is not a file", self.read().problem)

    def test_a_file_in_place_of_the_directory_is_a_problem(self):
        self.campaign.write(self.name, "x")
        self.assertIn("Not a directory", self.read().problem)

    def test_a_link_to_nowhere_is_a_problem(self):
        self.write("other", "")
        os.symlink("nowhere", os.path.join(self.campaign.out, self.name, "test_scores.json"))
        self.assertIn("cannot be read", self.read().problem)

    def test_nothing_at_all_is_a_problem(self):
        self.assertIn("has neither test_scores.json nor", self.read().problem)

    def test_damaged_predictions_beside_good_scores_cost_only_mae(self):
        self.campaign.scores(self.name)
        self.write("test_y_data_predicted.csv", "auc_true,auc_pred\n0.1,x\n")
        result = self.read()
        self.assertEqual(result.scores["r2"], 0.5)
        self.assertNotIn("mae", result.scores)
        self.assertIn("no mae", result.note)

    def test_a_file_of_another_size_than_its_status_tells_does_not_count(self):
        self.write("test_scores.json", '{"mse": 0.5}')
        self.assertEqual(self.read({"test_scores.json": 12}).scores, {"mse": 0.5})
        self.assertIn("has 12 bytes, its status tells of 99",
                      self.read({"test_scores.json": 99}).problem)

    def test_many_results_are_read_side_by_side_with_the_same_scores(self):
        import workers
        entries = self.campaign.entries(["a"], ["a", "b"], range(3))
        self.campaign.plan("20260101T0", entries)
        for number, entry in enumerate(of_stage(entries, "infer")):
            self.campaign.write(entry["name"] + "/test_y_data_predicted.csv",
                                f"auc_true,auc_pred\n0.{number},0.5\n0.9,0.7\n")
        tree = Tree(self.campaign.out)
        tasks = [tree.tasks[entry["name"]] for entry in of_stage(entries, "infer")]
        alone = read_results(tree, tasks)
        few, workers.FEW_BYTES = workers.FEW_BYTES, 0
        self.addCleanup(setattr, workers, "FEW_BYTES", few)
        self.assertEqual(repr(read_results(tree, tasks)), repr(alone))
        executor, workers.ProcessPoolExecutor = workers.ProcessPoolExecutor, no_processes
        self.addCleanup(setattr, workers, "ProcessPoolExecutor", executor)
        self.assertEqual(repr(read_results(tree, tasks)), repr(alone))
        self.assertEqual(len({result.scores["mse"] for result in alone.values()}), 6)

    def test_errors_beyond_the_range_of_floats_are_nan(self):
        self.assertTrue(math.isnan(mean_absolute_error([1.7e308] * 2, [0.0] * 2)))


if __name__ == "__main__":
    unittest.main()
