"""Which tasks run: statuses on disk + plan -> reasons, one case a row, without a subprocess."""
import json
import os
import shutil
import unittest

from launcher.needs_run import decide, untracked_outputs
from launcher.results_tree import ResultsTree
from launcher.tasks import Task
from tests.support import WorkCase

DATA, MODEL, INFER = "ml_data/A-B/split_0", "models/A/split_0", "infer/A-B/split_0"
FILES = {"preprocess": ("train_y_data.csv", "val_y_data.csv", "test_y_data.csv"), "train": ("val_scores.json",),
         "infer": ("test_scores.json",)}


class NeedsRunCase(WorkCase):
    """A results tree of one pair, all of it done by a first launch."""

    def setUp(self):
        super().setUp()
        self.out = self.path("out")
        for task in self.tasks():
            self.leave_done(task)

    def tasks(self, train=(), preprocess=(), out=None, model_dir="/m", target="B", input_dir="/raw"):
        """The planned tasks; train and preprocess: further words of these stages."""
        out = out or self.out
        data, infer = f"ml_data/A-{target}/split_0", f"infer/A-{target}/split_0"

        def words(stage, *more):
            return ("none", f"{model_dir}/x_{stage}_improve.py", *more)
        return [
            Task(data, "preprocess", "preprocess_0", 0, words(
                "preprocess", "--train_split_file", "A_split_0_train.txt", "--test_split_file", f"{target}_all.txt",
                "--input_dir", input_dir, "--output_dir", f"{out}/{data}", *preprocess), (), "A", target, 0),
            Task(MODEL, "train", "train", 0, words(
                "train", "--input_dir", f"{out}/{data}", "--output_dir", f"{out}/{MODEL}", *train), (data,), "A", "", 0),
            Task(infer, "infer", "infer_0", 0, words(
                "infer", "--input_data_dir", f"{out}/{data}", "--input_model_dir", f"{out}/{MODEL}",
                "--output_dir", f"{out}/{infer}"), (MODEL, data), "A", target, 0)]

    def leave_done(self, task, **changes):
        """Leaves what the runner leaves of a task that ended well."""
        made_from = {parent: {key: self.status(parent)[key] for key in ("stamp", "words")} for parent in task.parents}
        for name in FILES[task.stage]:
            self.write_in_out(f"{task.name}/{name}", "0123456789")
        status = {"state": "done", "reason": "", "exit_code": 0, "attempt": 1, "stamp": f"of {task.name}", "out": self.out,
                  "words": list(task.words), "made_from": made_from, "files": {name: 10 for name in FILES[task.stage]}}
        self.write_in_out(f"{task.name}/stage_status.json", json.dumps(dict(status, **changes)))

    def write_in_out(self, name, text):
        path = os.path.join(self.out, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)

    def status(self, name):
        with open(os.path.join(self.out, name, "stage_status.json")) as file:
            return json.load(file)

    def change(self, name, **changes):
        self.write_in_out(f"{name}/stage_status.json", json.dumps(dict(self.status(name), **changes)))

    def remove(self, *names):
        for name in names:
            path = os.path.join(self.out, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)

    def assert_runs(self, expected, redo=None, **planned):
        """expected: {task name: (kind, reason)}"""
        why = decide(self.tasks(**planned), ResultsTree(self.out), redo)
        self.assertEqual({name: reason[:2] for name, reason in why.items()}, expected)


NEVER, ASKED = ("never_run", "never run"), ("redo", "asked for with --redo")
AFTER_MODEL, AFTER_DATA = ("follows", f"follows {MODEL}"), ("follows", f"follows {DATA}")


class NeedsRunTest(NeedsRunCase):
    def test_what_is_done_does_not_run(self):
        self.assert_runs({})

    def test_what_never_ran_runs_and_what_follows_it(self):
        self.remove(MODEL)
        self.assert_runs({MODEL: NEVER, INFER: ("input", f"its input {MODEL} has changed")})

    def test_what_failed_was_interrupted_or_was_left_running_runs(self):
        for state in ("failed", "interrupted", "running"):
            self.change(INFER, state=state, reason="because")
            self.assert_runs({INFER: (state, f"{state}: because")})

    def test_a_broken_status_is_a_failure(self):
        for text in ("", "[]", '{"state": "done"}', '{"state": "odd", "words": [], "made_from": {}, "files": {}}'):
            self.write_in_out(f"{INFER}/stage_status.json", text)
            self.assert_runs({INFER: ("broken", "failed: its stage_status.json is broken")})

    def test_other_words_make_it_and_what_follows_it_run(self):
        self.assert_runs({MODEL: ("parameters", "its parameters have changed"), INFER: AFTER_MODEL}, train=("--epochs", "5"))

    def test_another_environment_is_the_same_experiment(self):
        self.change(MODEL, words=["conda:x", *self.status(MODEL)["words"][1:]])
        self.assert_runs({})

    def test_a_deleted_or_cut_file_makes_it_run(self):
        self.write_in_out(f"{MODEL}/val_scores.json", "")
        self.assert_runs({MODEL: ("files", "its val_scores.json was deleted or changed"), INFER: AFTER_MODEL})

    def test_a_result_of_an_older_input_runs(self):
        self.change(MODEL, stamp="another")
        self.assert_runs({INFER: ("input", f"its input {MODEL} has changed")})

    def test_ml_data_deleted_after_use_is_not_made_again(self):
        self.remove(DATA)
        self.assert_runs({})

    def test_some_files_of_ml_data_deleted_after_use_are_not_made_again(self):
        self.remove(f"{DATA}/train_y_data.csv")
        self.assert_runs({})

    def test_ml_data_is_made_again_if_what_runs_needs_it_and_makes_nothing_else_old(self):
        self.remove(DATA, INFER)
        self.assert_runs({DATA: NEVER, INFER: NEVER})

    def launch(self, name, **changes):
        """A launch that ran the preprocessing."""
        tasks = [dict(task._asdict(), run=task.stage == "preprocess", **changes) for task in self.tasks()]
        self.write_in_out(f"launches/{name}/plan.json", json.dumps({"workflow": "csa", "tasks": tasks}))
        self.change(DATA, stamp="another", launch=name)

    def test_ml_data_made_again_is_the_same_input(self):
        self.launch("L1", rebuild=True)
        self.assert_runs({})

    def test_ml_data_made_anew_for_another_reason_is_another_input(self):
        self.launch("L1", rebuild=False)
        changed = ("input", f"its input {DATA} has changed")
        self.assert_runs({MODEL: changed, INFER: changed})

    def test_ml_data_whose_making_again_failed_is_still_only_made_again(self):
        self.launch("L1", rebuild=True)
        self.change(DATA, state="failed")
        self.assert_runs({})
        self.remove(INFER)
        self.assert_runs({DATA: ("failed", "failed: "), INFER: NEVER})

    def test_training_on_the_data_of_another_target_is_the_same_training(self):
        self.assert_runs({"ml_data/A-C/split_0": NEVER, "infer/A-C/split_0": NEVER}, target="C")

    def test_a_model_of_other_data_is_another_one_also_with_another_target(self):
        for other in ({"input_dir": "/other"}, {"preprocess": ("--scale", "yes")}):
            changed = ("data", f"its input {DATA} would be made with other arguments")
            self.assert_runs({"ml_data/A-C/split_0": NEVER, MODEL: changed, "infer/A-C/split_0": NEVER}, target="C", **other)

    def test_redo_runs_a_stage_and_what_follows_it(self):
        self.assert_runs({INFER: ASKED}, redo="infer")
        self.assert_runs({MODEL: ASKED, INFER: AFTER_MODEL}, redo="train")
        self.assert_runs({DATA: ASKED, MODEL: AFTER_DATA, INFER: AFTER_MODEL}, redo="preprocess")

    def test_a_moved_tree_is_the_same_experiment(self):
        os.rename(self.out, self.path("moved"))
        self.out = self.path("moved")
        self.assert_runs({})

    def test_a_moved_model_or_project_is_the_same_experiment(self):
        self.assert_runs({}, model_dir="/elsewhere")

    def test_adopted_results_count_whatever_they_were_made_from(self):
        self.remove(DATA, MODEL)
        self.change(INFER, reason_kind="adopted", made_from={})
        self.assert_runs({})
        self.assert_runs({"ml_data/A-C/split_0": NEVER, MODEL: NEVER, "infer/A-C/split_0": NEVER}, target="C")

    def test_what_was_adopted_with_its_inputs_follows_them(self):
        for name in (MODEL, INFER):
            self.change(name, reason_kind="adopted")
        self.assert_runs({})
        self.assert_runs({MODEL: ("parameters", "its parameters have changed"), INFER: AFTER_MODEL}, train=("--epochs", "5"))

    def test_outputs_without_a_status_are_some_other_programs(self):
        self.remove(f"{MODEL}/stage_status.json")
        self.assertEqual(untracked_outputs(self.tasks(), ResultsTree(self.out)), [MODEL])

    def test_a_task_that_starts_while_the_launcher_looks_is_ours(self):
        status = json.dumps(dict(self.status(MODEL), state="running", files={}))
        shutil.rmtree(os.path.join(self.out, MODEL))
        tree = ResultsTree(self.out)
        self.assertIsNone(tree.status(MODEL))
        for name in (".claim.1", "log.txt", "stage_status.json.n1.77"):     # a status is whole when it gets its name
            self.write_in_out(f"{MODEL}/{name}", "")
            self.assertEqual(untracked_outputs(self.tasks(), tree), [], name)
        self.write_in_out(f"{MODEL}/stage_status.json", status)
        self.write_in_out(f"{MODEL}/weights.bin", "")
        self.assertEqual(untracked_outputs(self.tasks(), tree), [])


if __name__ == "__main__":
    unittest.main()
