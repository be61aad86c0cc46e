"""Which tasks are done, and why the others are not: statuses on disk + plan -> reasons."""
import json
import os
import shutil

from core.fingerprints import fingerprint
from core.rules import decide, replaced, untracked_outputs
from core.tree import ResultsTree, task_of
from stages.collect.gaps import Tree
from tests.made_tree import Campaign, of_stage, write
from tests.support import WorkCase

DATA, MODEL, INFER = "ml_data/A-B/split_0", "models/A/split_0", "infer/A-B/split_0"
NEVER, ASKED = ("never_run", "never run"), ("redo", "asked for with --redo")
AFTER_MODEL, AFTER_DATA = ("follows", f"follows {MODEL}"), ("follows", f"follows {DATA}")
OLD_MODEL, OLD_DATA = ("input", f"its input {MODEL} has changed"), ("input",
                                                                    f"its input {DATA} has changed")
EPOCHS = ("parameters", "its arguments have changed: epochs")


class RulesCase(WorkCase):
    """A results tree of one pair, all of it done by a first launch."""

    def setUp(self):
        super().setUp()
        self.made = Campaign(self.path("out"))
        entries = self.made.entries(["A"], ["B"])
        self.made.plan("L1", entries)
        self.made.run(entries)
        for name, file in ((DATA, "test_y_data.csv"), (MODEL, "val_scores.json"),
                           (INFER, "test_scores.json")):
            self.made.write(f"{name}/{file}", "0123456789")
            self.made.change(name, files={file: 10})

    def tasks(self, target="B", **changes):
        """The tasks that are planned now; changes: {stage: arguments}"""
        entries = self.made.entries(["A"], [target])
        for entry in entries:
            entry["arguments"] = dict(entry["arguments"], **changes.get(entry["stage"], {}))
        return [task_of(entry, {}) for entry in entries]

    def assert_runs(self, expected, redo=None, **planned):
        """expected: {task name: (kind, reason)}"""
        why = decide(self.tasks(**planned), ResultsTree(self.made.out), redo)
        self.assertEqual({name: reason[:2] for name, reason in why.items()}, expected)


class DecideTest(RulesCase):
    def test_a_finished_tree_is_done_also_in_another_place_or_environment(self):
        self.assert_runs({})
        self.made.change(MODEL, environment="conda:x",
                         script="/elsewhere/baseline_train_improve.py")
        self.assert_runs({})
        os.rename(self.made.out, self.path("moved"))
        self.made.out = self.path("moved")
        self.assert_runs({})

    def test_a_task_without_a_verdict_of_done_runs_and_so_does_what_follows_it(self):
        for state in ("failed", "interrupted", "running"):
            with self.subTest(state):
                self.made.change(INFER, state=state, reason="because")
                self.assert_runs({INFER: (state, f"{state}: because")})
        self.made.change(INFER, state="done")
        self.made.remove(MODEL)
        self.assert_runs({MODEL: NEVER, INFER: OLD_MODEL})

    def test_a_malformed_status_is_a_failure(self):
        self.made.write(f"{INFER}/stage_status.json", "{}")
        self.assert_runs({INFER: ("broken", "failed: its stage_status.json is broken")})

    def test_other_arguments_or_another_model_s_script_make_it_run(self):
        self.made.epochs = "9"
        self.assert_runs({MODEL: EPOCHS, INFER: AFTER_MODEL})
        self.made.epochs = "5"
        self.made.change(INFER, script="/m/other_infer_improve.py")
        self.assert_runs({INFER: ("parameters", "it was made by other_infer_improve.py")})

    def test_a_deleted_or_cut_file_of_its_status_makes_it_run_and_no_other_file(self):
        self.made.write(f"{MODEL}/wandb/run.log", "more and more")
        self.assert_runs({})
        self.made.write(f"{MODEL}/val_scores.json", "")
        self.assert_runs({MODEL: ("files", "its val_scores.json was deleted or changed"),
                          INFER: AFTER_MODEL})

    def test_a_result_of_an_older_input_runs(self):
        self.made.change(MODEL, stamp="another")
        self.assert_runs({INFER: OLD_MODEL})

    def test_redo_runs_a_stage_and_what_follows_it(self):
        self.assert_runs({INFER: ASKED}, redo="infer")
        self.assert_runs({MODEL: ASKED, INFER: AFTER_MODEL}, redo="train")
        self.assert_runs({DATA: ASKED, MODEL: AFTER_DATA, INFER: AFTER_MODEL}, redo="preprocess")


class DataTest(RulesCase):
    def test_ml_data_deleted_after_use_is_made_again_only_for_what_needs_it(self):
        self.made.remove(f"{DATA}/test_y_data.csv")
        self.assert_runs({})
        self.made.remove(DATA)
        self.assert_runs({})
        self.made.remove(INFER)
        self.assert_runs({DATA: NEVER, INFER: NEVER})

    def test_ml_data_made_again_is_the_same_input_unless_it_was_made_anew(self):
        for changes, expected in (({"rebuild": True}, {}), ({"launch": ""}, {}),
                                  ({"launch": "L2"}, {MODEL: OLD_DATA, INFER: OLD_DATA})):
            with self.subTest(changes):
                self.made.change(DATA, **dict({"stamp": "another", "rebuild": False}, **changes))
                self.assert_runs(expected)

    def test_ml_data_whose_rebuild_failed_is_still_only_made_for_what_needs_it(self):
        self.made.change(DATA, state="failed", rebuild=True)
        self.assert_runs({})
        self.made.remove(INFER)
        self.assert_runs({DATA: ("failed", "failed: "), INFER: NEVER})

    def test_training_on_the_data_of_another_target_is_the_same_training(self):
        other = {"ml_data/A-C/split_0": NEVER, "infer/A-C/split_0": NEVER}
        self.assert_runs(other, target="C")
        changed = ("data", f"its input {DATA} would be made with other arguments")
        self.assert_runs(dict(other, **{MODEL: changed}), target="C", preprocess={"scale": "yes"})

    def test_a_benchmark_that_was_moved_is_the_same_benchmark(self):
        self.assert_runs({}, preprocess={"input_dir": "/moved/raw"})

    def have_split_files(self):
        """A benchmark in raw/ whose split files the preprocessing has read; its splits."""
        raw = self.path("raw")
        paths = {name: os.path.join(raw, "splits", name) for name in ("A.txt", "B.txt")}
        for path in paths.values():
            write(path, "1\n2\n")
        arguments = dict(self.made.status_of(DATA)["arguments"], input_dir=raw)
        read = {name: fingerprint(path) for name, path in paths.items()}
        self.made.change(DATA, arguments=arguments, read_files=read)
        for name in (MODEL, INFER):
            made_from = self.made.status_of(name)["made_from"]
            made_from[DATA].update(arguments=arguments, read_files=read)
            self.made.change(name, made_from=made_from)
        return raw

    def test_a_malformed_record_of_split_files_raises_nothing(self):
        file = self.path("f")
        write(file, "1\n")
        for name, record in ((["A.txt"], {"A.txt": [1, 2, 3]}), (file, {file: 5})):
            self.made.change(DATA, arguments={"train_split_file": name}, read_files=record)
            self.assertIn(DATA, decide(self.tasks(), ResultsTree(self.made.out)))

    def test_a_split_file_that_changed_makes_what_read_it_run(self):
        raw = self.have_split_files()
        planned = {"preprocess": {"input_dir": raw}}
        self.assert_runs({}, **planned)
        write(os.path.join(raw, "splits/B.txt"), "1\n3\n")     # training does not see the test part
        changed = ("split_files", "B.txt has changed")
        self.assert_runs({DATA: changed, MODEL: AFTER_DATA, INFER: changed}, **planned)
        self.made.remove(DATA)
        self.assert_runs({DATA: NEVER, INFER: changed}, **planned)
        write(os.path.join(raw, "splits/B.txt"), "1\n2\n")     # edited back
        self.assert_runs({}, **planned)

    def test_another_benchmark_is_judged_by_its_own_split_files(self):
        raw = self.have_split_files()
        other = self.path("other")
        shutil.copytree(raw, other)
        self.assert_runs({}, preprocess={"input_dir": other})
        write(os.path.join(other, "splits/A.txt"), "2\n1\n")
        changed = ("split_files", "A.txt has changed")
        self.assert_runs({DATA: changed, MODEL: changed, INFER: changed},
                         preprocess={"input_dir": other})


class AdoptedTest(RulesCase):
    def test_adopted_results_count_whatever_they_were_made_from(self):
        self.made.remove(DATA, MODEL)
        self.made.change(INFER, reason_kind="adopted", made_from={})
        self.assert_runs({})
        self.assert_runs({"ml_data/A-C/split_0": NEVER, MODEL: NEVER, "infer/A-C/split_0": NEVER},
                         target="C")

    def test_a_result_that_was_adopted_with_its_inputs_follows_them(self):
        for name in (MODEL, INFER):
            self.made.change(name, reason_kind="adopted")
        self.assert_runs({})
        self.made.epochs = "9"
        self.assert_runs({MODEL: EPOCHS, INFER: AFTER_MODEL})

    def test_outputs_without_a_status_or_with_an_old_one_are_some_other_program_s(self):
        self.assert_untracked()
        self.made.remove(f"{MODEL}/stage_status.json")
        self.assert_untracked(MODEL)
        words = ["none", "/repo/x_infer_improve.py", "--output_dir", f"/was/{INFER}"]
        self.made.change(INFER, words=words, out="/was")
        self.assert_untracked(MODEL, INFER)

    def assert_untracked(self, *names):
        found = untracked_outputs(self.tasks(), ResultsTree(self.made.out))
        self.assertEqual(found, list(names))

    def test_a_task_that_starts_while_the_launcher_looks_is_ours(self):
        status = json.dumps(dict(self.made.status_of(MODEL), state="running"))
        self.made.remove(MODEL)
        tree = ResultsTree(self.made.out)
        self.assertIsNone(tree.status(MODEL))
        for name in (".claim.1", "log.txt", "stage_status.json.n1.77"):
            self.made.write(f"{MODEL}/{name}", "")
            self.assertEqual(untracked_outputs(self.tasks(), tree), [], name)
        self.made.write(f"{MODEL}/stage_status.json", status)
        self.made.write(f"{MODEL}/weights.bin", "")
        self.assertEqual(untracked_outputs(self.tasks(), tree), [])


class TablesTest(RulesCase):
    """The collector behind all tasks: tables are done if nothing came after them."""

    def decide(self):
        collect = {"name": "scores", "stage": "collect", "script": "/repo/collect_scores.py",
                   "parents": [DATA, MODEL, INFER]}
        why = decide(self.tasks() + [task_of(collect, {})], ResultsTree(self.made.out))
        return {name: reason.text for name, reason in why.items()}

    def test_tables_that_lack_a_result_as_stale_are_made_again_once_it_is_valid(self):
        self.made.write("scores/stage_status.json", json.dumps({"state": "done", "launch": "L1"}))
        for line, expected in ((f"{INFER},stale", {"scores": f"{INFER} counts again"}),
                               (f"{INFER},undefined", {}), ("infer/X-Y/split_0,stale", {})):
            self.made.write("scores/missing.csv", f"task,state\n{line}\n")
            self.assertEqual(self.decide(), expected)
        self.made.write("scores/missing.csv", f"task,state\n{INFER},stale\n")
        self.made.change(INFER, arguments={"epochs": "9"})
        self.assertNotIn("scores", [name for name, text in self.decide().items()
                                    if "counts again" in text])

    def test_tables_are_made_again_after_a_newer_result_or_launch(self):
        self.made.write("scores/stage_status.json", json.dumps({"state": "done", "launch": "L1"}))
        self.assertEqual(self.decide(), {})
        path = self.path("out", INFER, "stage_status.json")
        later = os.stat(path).st_mtime_ns + 10 ** 10
        os.utime(path, ns=(later, later))
        self.assertEqual(self.decide(), {"scores": f"{INFER} is newer than the tables"})
        os.utime(path, ns=(1, 1))
        self.made.plan("L2", self.made.entries(["A"], ["B"]))       # cancelled before it ran
        self.assertEqual(self.decide(), {"scores": "launch L2 is newer than the tables"})
        self.made.write("scores/stage_status.json", json.dumps({"state": "done", "launch": "L1"}))
        self.assertEqual(self.decide(), {}, "another launch, which ended later, made the tables")


class SameLawTest(RulesCase):
    """The collector says of a tree what the launcher says of the newest plan."""

    def collected(self):
        tree = Tree(self.made.out)
        return {name: tree.verdict(name).state for name in (DATA, MODEL, INFER)}

    def test_a_redo_that_was_cancelled_before_it_started_leaves_the_results_done(self):
        self.made.plan("L2", [dict(entry, reason_kind="redo")
                              for entry in self.made.entries(["A"], ["B"])])
        self.assertEqual(self.collected(), {DATA: "done", MODEL: "done", INFER: "done"})

    def test_a_replacement_that_was_cancelled_leaves_no_result_of_the_plan(self):
        self.made.epochs = "9"
        self.made.plan("L2", self.made.entries(["A"], ["B"]))
        self.assertEqual(self.collected(), {DATA: "done", MODEL: "stale", INFER: "stale"})
        self.made.epochs = "5"      # the old command again
        self.made.plan("L3", self.made.entries(["A"], ["B"]))
        self.assertEqual(self.collected(), {DATA: "done", MODEL: "done", INFER: "done"})

    def test_an_inference_by_hand_with_another_model_does_not_count(self):
        arguments = dict(self.made.status_of(INFER)["arguments"],
                         input_model_dir="models/Z/split_0")
        self.made.change(INFER, arguments=arguments, launch="")
        self.assertEqual(self.collected()[INFER], "stale")

    def test_results_of_other_arguments_are_counted_before_they_are_replaced(self):
        self.made.epochs = "9"
        tasks, tree = self.tasks(), ResultsTree(self.made.out)
        self.assertEqual(replaced(tasks, decide(tasks, tree), tree),
                         ({"train": 1, "infer": 1}, ["train --epochs: 5 -> 9"]))
        self.assertEqual(replaced(tasks, {}, tree), ({}, []))


class GapTest(RulesCase):
    """The first task on the way to a missing score that went wrong."""

    def gap(self):
        tree = Tree(self.made.out)
        return tree.gap(tree.tasks[INFER])[1:5]

    def test_the_cause_of_a_missing_score_is_named(self):
        cases = (({INFER: {"state": "failed", "reason": "exit code 3"}},
                  (INFER, "infer", "failed", "exit code 3")),
                 ({MODEL: {"state": "failed", "reason": "exit code 2"},
                   INFER: {"state": "failed", "reason": "parent failed"}},
                  (MODEL, "train", "failed", "exit code 2")),
                 ({DATA: {"state": "interrupted", "reason": "signal TERM"}},
                  (DATA, "preprocess", "interrupted", "signal TERM")),
                 ({MODEL: {"state": "running"}}, (MODEL, "train", "running", "")),
                 ({MODEL: {"stamp": "another"}},
                  (INFER, "infer", "stale", f"its input {MODEL} has changed")))
        before = {name: self.made.status_of(name) for name in (DATA, MODEL, INFER)}
        for changes, expected in cases:
            with self.subTest(changes):
                for name, status in before.items():
                    self.made.change(name, **dict(status, **changes.get(name, {})))
                self.assertEqual(self.gap(), expected)

    def test_a_tree_that_has_not_begun_waits_for_its_first_stage(self):
        self.made.remove("ml_data", "models", "infer")
        self.assertEqual(self.gap(), (DATA, "preprocess", "waiting", "has not run"))

    def test_parents_in_a_circle_end(self):
        entries = self.made.entries(["A"], ["B"])
        of_stage(entries, "train")[0]["parents"] = [INFER]
        self.made.plan("L2", entries)
        self.assertEqual(Tree(self.made.out).verdict(INFER).state, "done")
