"""Which tasks are done, and why the others are not: statuses on disk + plan -> reasons."""
import json
import os
import shutil

from core.files import fingerprint
from core.rules import decide, is_untracked, replaced
from core.tree import ResultsTree, task_of
from launcher.queue import Queue
from launcher.status import survey
from stages.collect.gaps import Tree
from tests.made_tree import Campaign, write
from tests.support import WorkCase

DATA, MODEL, INFER = "ml_data/A-B/split_0", "models/A/split_0", "infer/A-B/split_0"
NEVER, ASKED = "never run", "asked for with --redo"
AFTER_MODEL, AFTER_DATA = f"follows {MODEL}", f"follows {DATA}"
OLD_MODEL, OLD_DATA = f"its input {MODEL} has changed", f"its input {DATA} has changed"
OTHER_DATA = f"its input {DATA} would be made with other arguments"
EPOCHS = "its arguments have changed: epochs"
OLD_A, OLD_B = "A.txt has changed", "B.txt has changed"


class RulesCase(WorkCase):
    """A results tree of one pair, all of it done by a first launch."""

    def setUp(self):
        super().setUp()
        self.made = Campaign(self.path("out"))
        self.made.run(self.plan("L1"))
        for name, file in ((DATA, "test_y_data.csv"), (MODEL, "val_scores.json"),
                           (INFER, "test_scores.json")):
            self.made.write(f"{name}/{file}", "0123456789")
            self.made.change(name, files={file: 10})
        self.done = {name: self.made.status_of(name) for name in (DATA, MODEL, INFER)}

    def have(self, changes):
        """The statuses of the first launch with changes: {task name: {key: value}}"""
        for name, status in self.done.items():
            self.made.write(f"{name}/stage_status.json",
                            json.dumps(dict(status, **changes.get(name, {}))))

    def plan(self, launch, **changes):
        """Writes the plan of a launch; returns its entries."""
        entries = [dict(entry, **changes) for entry in self.made.entries(["A"], ["B"])]
        self.made.plan(launch, entries)
        return entries

    def tasks(self, target="B", **changes):
        """The tasks that are planned now; changes: {stage: arguments}"""
        entries = self.made.entries(["A"], [target])
        for entry in entries:
            entry["arguments"] = dict(entry["arguments"], **changes.get(entry["stage"], {}))
        return [task_of(entry, {}) for entry in entries]

    def assert_runs(self, expected, redo=None, **planned):
        """expected: {task name: why}"""
        why = decide(self.tasks(**planned), ResultsTree(self.made.out), redo)
        self.assertEqual({name: reason.text for name, reason in why.items()}, expected)


class DecideTest(RulesCase):
    def test_a_finished_tree_is_done_also_in_another_place_or_environment(self):
        self.assert_runs({})
        self.have({MODEL: {"environment": "conda:x",
                           "script": "/elsewhere/baseline_train_improve.py"}})
        self.assert_runs({})
        os.rename(self.made.out, self.path("moved"))
        self.made.out = self.path("moved")
        self.assert_runs({}, preprocess={"input_dir": "/moved/raw"})

    def test_a_task_without_a_verdict_of_done_runs_and_so_does_what_follows_it(self):
        for state in ("failed", "interrupted", "running"):
            self.have({MODEL: {"state": state, "reason": "because"}})
            self.assert_runs({MODEL: f"{state}: because", INFER: AFTER_MODEL})
        self.have({INFER: {"state": 3}})
        self.assert_runs({INFER: "failed: its stage_status.json is broken or cannot be read"})

    def test_a_result_of_another_script_or_input_runs(self):
        self.have({INFER: {"script": "/m/other_infer_improve.py"}})
        self.assert_runs({INFER: "it was made by other_infer_improve.py"})
        self.have({MODEL: {"stamp": "another"}})
        self.assert_runs({INFER: OLD_MODEL})
        self.made.remove(MODEL)
        self.assert_runs({MODEL: NEVER, INFER: OLD_MODEL})

    def test_a_deleted_or_cut_file_of_its_status_makes_it_run_and_no_other_file(self):
        self.made.write(f"{MODEL}/wandb/run.log", "more and more")
        self.assert_runs({})
        self.made.write(f"{MODEL}/val_scores.json", "")
        self.assert_runs({MODEL: "its val_scores.json was deleted or changed", INFER: AFTER_MODEL})

    def test_redo_runs_a_stage_and_what_follows_it(self):
        for stage, expected in (("infer", {INFER: ASKED}),
                                ("train", {MODEL: ASKED, INFER: AFTER_MODEL}),
                                ("preprocess", {DATA: ASKED, MODEL: AFTER_DATA,
                                                INFER: AFTER_MODEL})):
            self.assert_runs(expected, redo=stage)


class DataTest(RulesCase):
    def test_ml_data_deleted_after_use_is_made_again_only_for_what_needs_it(self):
        self.made.remove(f"{DATA}/test_y_data.csv")
        self.assert_runs({})
        self.made.remove(DATA)
        self.assert_runs({})
        self.made.remove(INFER)
        self.assert_runs({DATA: NEVER, INFER: NEVER})

    def test_ml_data_made_again_is_the_same_input_unless_it_was_made_anew(self):
        for changes, expected in (
                ({"rebuild": True}, {}), ({"launch": ""}, {}),
                ({"launch": "L2"}, {MODEL: OLD_DATA, INFER: OLD_DATA})):
            self.have({DATA: dict(changes, stamp="another")})
            self.assert_runs(expected)

    def test_ml_data_whose_rebuild_failed_is_still_only_made_for_what_needs_it(self):
        self.have({DATA: {"state": "failed", "reason": "because", "rebuild": True}})
        self.assert_runs({})
        self.made.remove(INFER)
        self.assert_runs({DATA: "failed: because", INFER: NEVER})

    def test_training_on_the_data_of_another_target_is_the_same_training(self):
        other = {"ml_data/A-C/split_0": NEVER, "infer/A-C/split_0": NEVER}
        self.assert_runs(other, target="C")
        self.assert_runs(dict(other, **{MODEL: OTHER_DATA}), target="C",
                         preprocess={"scale": "yes"})

    def have_split_files(self):
        """The preprocessing has read the split files of a benchmark in raw/; planned from there."""
        raw, read = self.path("raw"), {}
        for name in ("A.txt", "B.txt"):
            write(f"{raw}/splits/{name}", "1\n2\n")
            read[name] = fingerprint(f"{raw}/splits/{name}")
        for made in (self.done[DATA], *(self.done[name]["made_from"][DATA]
                                        for name in (MODEL, INFER))):
            made.update(arguments=dict(made["arguments"], input_dir=raw), read_files=read)
        self.have({})
        return {"preprocess": {"input_dir": raw}}

    def test_a_malformed_record_of_split_files_raises_nothing(self):
        planned = self.have_split_files()
        self.done[INFER]["made_from"][DATA]["arguments"]["train_split_file"] = ["A.txt"]
        self.have({DATA: {"read_files": {"A.txt": 5, "B.txt": [1, 2]}}})
        self.assert_runs({INFER: OTHER_DATA}, **planned)

    def test_a_split_file_that_changed_makes_what_read_it_run(self):
        planned = self.have_split_files()
        self.assert_runs({}, **planned)
        write(self.path("raw/splits/B.txt"), "1\n3\n")     # training does not see the test part
        self.assert_runs({DATA: OLD_B, MODEL: AFTER_DATA, INFER: OLD_B},
                         **planned)
        self.made.remove(DATA)
        self.assert_runs({DATA: NEVER, INFER: OLD_B}, **planned)
        write(self.path("raw/splits/B.txt"), "1\n2\n")     # edited back
        self.assert_runs({}, **planned)

    def test_another_benchmark_is_judged_by_its_own_split_files(self):
        self.have_split_files()
        shutil.copytree(self.path("raw"), self.path("other"))
        planned = {"preprocess": {"input_dir": self.path("other")}}
        self.assert_runs({}, **planned)
        write(self.path("other/splits/A.txt"), "2\n1\n")
        self.assert_runs(dict.fromkeys((DATA, MODEL, INFER), OLD_A), **planned)


class AdoptedTest(RulesCase):
    def test_adopted_results_count_whatever_they_were_made_from(self):
        self.made.remove(DATA, MODEL)
        self.made.change(INFER, reason_kind="adopted", made_from={})
        self.assert_runs({})
        self.assert_runs({"ml_data/A-C/split_0": NEVER, MODEL: NEVER, "infer/A-C/split_0": NEVER},
                         target="C")

    def test_a_result_that_was_adopted_with_its_inputs_follows_them(self):
        self.have(dict.fromkeys((MODEL, INFER), {"reason_kind": "adopted"}))
        self.assert_runs({})
        self.made.epochs = "9"
        self.assert_runs({MODEL: EPOCHS, INFER: AFTER_MODEL})

    def assert_untracked(self, *names, tree=None):
        tree = tree or ResultsTree(self.made.out)
        found = [task.name for task in self.tasks() if is_untracked(task, tree)]
        self.assertEqual(found, list(names))

    def test_outputs_without_a_status_or_with_an_old_one_are_some_other_program_s(self):
        self.assert_untracked()
        words = ["none", "/repo/x_infer_improve.py", "--output_dir", f"/was/{INFER}"]
        self.have({INFER: {"words": words, "out": "/was"}})
        self.made.remove(f"{MODEL}/stage_status.json")
        self.assert_untracked(MODEL, INFER)

    def test_a_task_that_starts_while_the_launcher_looks_is_ours(self):
        self.made.remove(MODEL)
        tree = ResultsTree(self.made.out)
        for name in (".claim.1", "log.txt", "stage_status.json.n1.77"):
            self.made.write(f"{MODEL}/{name}", "")
            self.assert_untracked(tree=tree)
        self.have({MODEL: {"state": "running"}})
        self.made.write(f"{MODEL}/weights.bin", "")
        self.assert_untracked(tree=tree)


class TablesTest(RulesCase):
    """The collector behind all tasks: tables are done if nothing came after them."""

    def make_tables(self):
        self.made.write("scores/stage_status.json", '{"state": "done", "launch": "L1"}')

    def assert_tables(self, expected):
        """expected: why the tables are made again; '' if they are not"""
        collect = {"name": "scores", "stage": "collect", "parents": [DATA, MODEL, INFER]}
        why = decide(self.tasks() + [task_of(collect, {})], ResultsTree(self.made.out))
        self.assertEqual(why["scores"].text if "scores" in why else "", expected)

    def test_tables_that_lack_a_result_as_stale_are_made_again_once_it_is_valid(self):
        self.make_tables()
        for line, expected in (("infer/X-Y/split_0,stale", ""), (f"{INFER},undefined", ""),
                               (f"{INFER},stale", f"{INFER} counts again")):
            self.made.write("scores/missing.csv", f"task,state\n{line}\n")
            self.assert_tables(expected)
        self.made.change(INFER, arguments={"epochs": "9"})
        self.make_tables()
        self.assert_tables(f"follows {INFER}")

    def test_tables_are_made_again_after_a_newer_result_or_launch(self):
        self.make_tables()
        self.assert_tables("")
        path = self.path("out", INFER, "stage_status.json")
        later = os.stat(path).st_mtime_ns + 10 ** 10
        os.utime(path, ns=(later, later))
        self.assert_tables(f"{INFER} is newer than the tables")
        os.utime(path, ns=(1, 1))
        self.plan("L2")         # cancelled before it ran
        self.assert_tables("launch L2 is newer than the tables")
        self.make_tables()      # of another launch, which ended later
        self.assert_tables("")


class SameLawTest(RulesCase):
    """The collector and --status say of a tree what the launcher says of the newest plan."""

    def assert_agreed(self, *states):
        """States of data, model and inference to the collector; which are done, all three say."""
        tree = Tree(self.made.out)
        found = {name: tree.verdict(name).state for name in (DATA, MODEL, INFER)}
        self.assertEqual(tuple(found.values()), states)
        done = {name for name, state in found.items() if state == "done"}
        self.assertEqual(set(found) - set(decide(self.tasks(), tree)), done)
        self.assertEqual({each.name for each in survey(Queue(tree)) if each.state == "done"}, done)

    def test_a_redo_that_was_cancelled_before_it_started_leaves_the_results_done(self):
        self.plan("L2", reason_kind="redo")
        self.assert_agreed("done", "done", "done")

    def test_a_replacement_that_was_cancelled_leaves_no_result_of_the_plan(self):
        for launch, epochs, state in (("L2", "9", "stale"), ("L3", "5", "done")):
            self.made.epochs = epochs       # L3 is the old command again
            self.plan(launch)
            self.assert_agreed("done", state, state)

    def test_an_inference_by_hand_with_another_model_does_not_count(self):
        arguments = dict(self.done[INFER]["arguments"], input_model_dir="models/Z/split_0")
        self.have({INFER: {"arguments": arguments, "launch": ""}})
        self.assert_agreed("done", "done", "stale")

    def test_results_of_other_arguments_are_counted_before_they_are_replaced(self):
        tree = ResultsTree(self.made.out)
        self.assertEqual(replaced(self.tasks(), {}, tree), ({}, []))
        for changes, counts, text in (
                ({"train": {"epochs": "9"}}, {"train": 1, "infer": 1}, "train --epochs: 5 -> 9"),
                ({"preprocess": {"x": ["1", "2"]}}, {"preprocess": 1, "train": 1, "infer": 1},
                 "preprocess --x: not given -> 1 2")):
            tasks = self.tasks(**changes)
            self.assertEqual(replaced(tasks, decide(tasks, tree), tree), (counts, [text]))


class GapTest(RulesCase):
    """The first task on the way to a missing score that went wrong."""

    def test_a_failure_is_the_cause_then_what_runs_then_what_waits(self):
        for changes, expected in (
                ({DATA: {"state": "interrupted", "reason": "signal TERM"}, INFER: {
                    "state": "running"}}, (DATA, "preprocess", "interrupted", "signal TERM")),
                ({MODEL: {"state": "running"}}, (MODEL, "train", "running", ""))):
            self.have(changes)
            tree = Tree(self.made.out)
            self.assertEqual(tree.gap(tree.tasks[INFER])[1:5], expected)

    def test_parents_in_a_circle_end(self):
        self.plan("L2", parents=[INFER])
        tree = Tree(self.made.out)
        self.assertEqual(tree.verdict(INFER).state, "done")
        self.assertEqual(tree.gap(tree.tasks[INFER], "odd").failed_task, INFER)
