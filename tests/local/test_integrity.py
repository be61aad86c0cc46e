"""No silent wrong number: what changed outside OUT, what would be replaced, whose results these are."""
import glob
import json
import os
import shutil
import subprocess
import sys
import unittest

import tests  # noqa: F401  (puts stages/ on the path)
from tests.campaign import ALL, LOCAL, CampaignCase
from tests.support import PATIENCE, REPOSITORY, RUN_MODEL, TOY_MODEL
from tree.results_tree import Tree

DATA, MODEL, INFER = "ml_data/A-A/split_0", "models/A/split_0", "infer/A-B/split_0"


class IntegrityCase(CampaignCase):
    def setUp(self):
        super().setUp()
        shutil.rmtree(self.path("raw"))
        self.have_toy(*LOCAL)

    def again(self, *arguments, **settings):
        """The same command again: (how it ended, names of the stages it started)."""
        self.write("starts.txt", "")
        ended = self.run_toy(*LOCAL, *arguments, TOY_STARTS=self.path("starts.txt"), **settings)
        self.assert_no_traceback(ended)
        return ended, sorted(row[2] for row in self.starts())

    def assert_nothing_runs(self, *arguments):
        ended, names = self.again(*arguments)
        self.assertEqual((ended.code, names), (0, []), ended)
        return ended

    def append(self, name, text):
        with open(self.path(name), "a", encoding="utf-8") as file:
            file.write(text)


class ChangedFilesTest(IntegrityCase):
    def test_a_response_file_that_changed_is_refused_before_anything_runs(self):
        self.append("raw/y_data/response.tsv", "A\tc\td\tA\t0.5\n")
        for more in ((), ("--target", "A")):
            ended, names = self.again(*more)
            self.assert_refused(ended, "y_data/response.tsv has changed since", "of these tasks were done", "--redo preprocess",
                                "--adopt_data")
            self.assertEqual(names, [])

    def test_redo_preprocess_makes_everything_anew_from_changed_data(self):
        self.append("raw/y_data/response.tsv", "A\tc\td\tA\t0.5\n")
        ended, names = self.again("--redo", "preprocess")
        self.assertEqual((ended.code, len(names)), (0, ALL))
        self.assert_nothing_runs()

    def test_adopt_data_takes_the_results_as_valid_for_good(self):
        self.append("raw/y_data/response.tsv", "A\tc\td\tA\t0.5\n")
        self.assert_nothing_runs("--adopt_data")
        self.assert_nothing_runs()
        self.append("raw/y_data/response.tsv", "A\tc\td\tA\t0.6\n")
        self.assert_refused(self.again()[0], "has changed since")

    def test_a_file_of_x_data_that_changed_is_refused_too(self):
        os.makedirs(self.path("raw/x_data"))
        self.write("raw/x_data/genes.tsv", "1\n")
        self.again("--redo", "preprocess")
        self.write("raw/x_data/genes.tsv", "2\n")
        self.assert_refused(self.again()[0], "x_data/genes.tsv has changed since")

    def test_a_file_that_was_only_touched_or_copied_is_the_same(self):
        os.utime(self.path("raw/y_data/response.tsv"), (1, 1))
        os.utime(self.path("raw/splits/A_split_0_train.txt"), (1, 1))
        self.assert_nothing_runs()

    def test_a_split_file_that_lost_lines_makes_its_tasks_run_again(self):
        self.write("raw/splits/A_split_0_train.txt", "0\n1\n")
        ended, names = self.again()
        self.assertEqual(names, sorted([DATA, "ml_data/A-B/split_0", MODEL, "infer/A-A/split_0", INFER]))
        self.assertIn("5 of these were made from split files that have changed", ended.out)
        self.assert_nothing_runs()

    def test_so_does_one_whose_ml_data_was_deleted_after_use(self):
        shutil.rmtree(self.path("out/ml_data"))
        self.write("raw/splits/A_split_0_train.txt", "0\n1\n")
        self.assertEqual(self.again()[1], sorted([DATA, "ml_data/A-B/split_0", MODEL, "infer/A-A/split_0", INFER]))
        self.assert_nothing_runs()
        shutil.rmtree(self.path("out/ml_data"))
        self.write("raw/splits/B_all.txt", "10\n11\n")
        self.assertEqual(self.again()[1], sorted(["ml_data/A-B/split_0", INFER, "ml_data/A-B/split_1", "infer/A-B/split_1"]))

    def test_a_stage_script_that_changed_in_place_is_a_note(self):
        shutil.copytree(TOY_MODEL, self.path("model"), ignore=shutil.ignore_patterns("__pycache__"))
        self.assertNotIn("has changed since", self.assert_nothing_runs("--model_dir", "model").out)
        self.append("model/toy_train_improve.py", "# another line\n")
        ended = self.assert_nothing_runs("--model_dir", "model")
        self.assertIn("the train script has changed since 4 of these ran; --redo train runs them again", ended.out)

    def test_ml_data_deleted_and_made_again_by_another_script_is_a_note(self):
        shutil.copytree(TOY_MODEL, self.path("model"), ignore=shutil.ignore_patterns("__pycache__"))
        self.append("model/toy_preprocess_improve.py", "# another line\n")
        shutil.rmtree(self.path("out/ml_data"))
        shutil.rmtree(self.path("out/infer"))
        for _ in range(2):
            ended, _ = self.again("--model_dir", "model")
            self.assertIn("the preprocess script has changed since 4 of these ran", ended.out)

    def test_results_without_fingerprints_are_taken_as_they_are(self):
        path = glob.glob(self.path("out/launches/*/plan.json"))[0]
        with open(path) as file:
            plan = json.load(file)
        del plan["fingerprints"]
        self.write(path, json.dumps(plan))
        self.append("raw/y_data/response.tsv", "A\tc\td\tA\t0.5\n")
        self.assert_nothing_runs()

    def test_the_environment_s_identity_stands_beside_the_plan(self):
        found = glob.glob(self.path("out/launches/*/environment.*.json"))
        self.assertEqual(len(found), 1)
        with open(found[0]) as file:
            identity = json.load(file)
        self.assertEqual((identity["environment"], identity["python"]), ("none", sys.version.split()[0]))
        self.assertIn(f"none: Python {identity['python']}, {identity['packages']} package", self.read("out/report.html"))
        self.write(found[0], json.dumps(dict(identity, python="2.0")))
        self.again("--redo", "infer")
        self.assertIn("note: the environment none has changed between launches: Python 2.0", self.read("out/scores/summary.txt"))

    def test_tables_of_two_response_files_say_so(self):
        self.append("raw/y_data/response.tsv", "A\tc\td\tA\t0.5\n")
        self.again("--redo", "preprocess", "--target", "A")
        self.assertIn("note: y_data/response.tsv changed between launches", self.read("out/scores/summary.txt"))


class ReplacementTest(IntegrityCase):
    def test_finished_results_are_not_replaced_unasked(self):
        ended, names = self.again("--epochs", "80")
        self.assert_refused(ended, "train --epochs: not given -> 80; 4 train and 8 infer results that are done would be replaced",
                            "--replace", "give the old command: ")
        self.assertEqual(names, [])
        self.assertEqual(self.again("--epochs", "80", "--replace")[0].code, 0)
        ended, _ = self.again()
        self.assert_refused(ended, "train --epochs: 80 -> not given")
        command = ended.err.split("give the old command: ")[1].strip()
        self.assertIn("--epochs 80", command)

    def test_another_benchmark_with_another_target_does_not_use_the_old_model(self):
        """One table must not hold scores of a model that was trained on other data."""
        shutil.copytree(self.path("raw"), self.path("other"))
        self.append("other/splits/A_split_0_train.txt", "9\n")
        for more in (("--input_dir", "other"), ("--preprocess_args", "--input_x 1")):
            ended, names = self.again("--source", "A", "--target", "B", *more)
            self.assert_refused(ended, "results that are done would be replaced")
            self.assertEqual(names, [])

    def test_a_mistyped_environment_deletes_nothing(self):
        before = self.score_values()
        ended, names = self.again("--epochs", "80", "--replace", "--env", "conda:nope", PATH="/usr/bin:/bin")
        self.assert_refused(ended, "cannot be activated on this machine")
        self.write("image.sif", "")     # an environment that only the tasks themselves try
        ended, names = self.again("--epochs", "80", "--replace", "--env", "apptainer:image.sif", PATH="/usr/bin:/bin")
        self.assertEqual((ended.code, names), (1, []), ended)
        self.assertTrue(os.path.exists(self.path("out", INFER, "test_scores.json")))
        self.assert_nothing_is_lost(before)

    def assert_nothing_is_lost(self, before):
        ended, names = self.again()
        self.assertEqual((ended.code, [name for name in names if "models" in name]), (0, []), ended)
        self.assertEqual(self.score_values(), before)

    def test_what_the_workflow_sets_cannot_be_passed_on(self):
        for stage, word in (("train", "--output_dir"), ("infer", "--input_data_dir"), ("preprocess", "--input_dir"),
                            ("train", "--config_file")):
            ended, _ = self.again(f"--{stage}_args", f"{word} X")
            self.assert_refused(ended, f"--{stage}_args holds {word}, which the workflow sets itself")


class TablesTest(IntegrityCase):
    def test_tables_that_a_killed_launcher_left_behind_its_results_are_made_anew(self):
        """All tasks of another parameter are done, but the tables are still those of the first launch."""
        kept = self.read("out/scores/all_scores.csv"), self.read("out/scores/stage_status.json")
        self.again("--epochs", "9", "--replace")
        newest = self.read("out/scores/all_scores.csv")
        self.write("out/scores/all_scores.csv", kept[0])
        self.write("out/scores/stage_status.json", kept[1])
        ended, names = self.again("--epochs", "9")
        self.assertEqual((ended.code, names), (0, []))
        self.assertEqual(self.read("out/scores/all_scores.csv"), newest)
        self.assertIn("20 done already, 0 to run", ended.out)

    def test_tables_are_made_anew_after_a_task_was_run_by_hand(self):
        words = self.status_of(INFER)["words"]
        os.unlink(self.path("out", INFER, "stage_status.json"))
        before = os.stat(self.path("out/scores/stage_status.json")).st_mtime_ns
        self.assertEqual(self.run_command("bash", RUN_MODEL, *words).code, 0)
        self.assert_nothing_runs()
        after = os.stat(self.path("out/scores/stage_status.json")).st_mtime_ns
        self.assertGreater(after, before)
        self.assert_nothing_runs()
        self.assertEqual(os.stat(self.path("out/scores/stage_status.json")).st_mtime_ns, after)


class OwnersTest(IntegrityCase):
    def test_another_model_into_the_same_results_is_refused(self):
        shutil.copytree(TOY_MODEL, self.path("model"))
        for stage in ("preprocess", "train", "infer"):
            os.rename(self.path(f"model/toy_{stage}_improve.py"), self.path(f"model/other_{stage}_improve.py"))
        ended, names = self.again("--model", "other", "--model_dir", "model")
        self.assert_refused(ended, "out holds results of model toy, not other", "choose another --output_dir")

    def test_another_workflow_into_the_same_results_is_refused(self):
        page = self.read("out/scores/summary.txt")
        ended = self.run_toy(*LOCAL, "--lc_sizes_arr", "2", "4", workflow="lca")
        self.assert_refused(ended, "out holds results of workflow csa, not lca")
        self.assertEqual(self.read("out/scores/summary.txt"), page)

    def test_a_moved_project_or_model_runs_nothing_again(self):
        shutil.copytree(TOY_MODEL, self.path("elsewhere"))
        self.assert_nothing_runs("--model_dir", "elsewhere")

    def test_a_moved_tree_is_completed_and_then_done(self):
        """What was made before the move and what after it belong together."""
        os.unlink(self.path("out", INFER, "test_scores.json"))
        os.rename(self.path("out"), self.path("moved"))
        ended = self.run_toy(*LOCAL, "--output_dir", "moved")
        self.assertEqual(ended.code, 0, ended)
        ended = self.run_toy(*LOCAL, "--output_dir", "moved", "--dry_run")
        self.assertIn("20 done already, 0 to run", ended.out)

    def test_status_of_a_moved_tree_names_the_place_that_was_asked_about(self):
        os.unlink(self.path("out", INFER, "test_scores.json"))
        os.rename(self.path("out"), self.path("moved"))
        ended = self.run_toy(*LOCAL, "--output_dir", "moved", "--status")
        self.assertEqual(ended.code, 1)
        self.assertIn(f"--output_dir {self.path('moved')}", ended.out)
        self.assertNotIn("--output_dir out", ended.out)

    def test_a_clock_that_is_behind_changes_no_order(self):
        """The second launcher's host is a day behind the first one's."""
        late = ("import sys, time, datetime; sys.path.insert(0, {0!r}); now = time.time\n"
                "time.time = lambda: now() - 86400\n"
                "class Behind(datetime.datetime):\n"
                "    utcnow = classmethod(lambda cls: cls.utcfromtimestamp(now() - 86400))\n"
                "    now = classmethod(lambda cls, tz=None: cls.fromtimestamp(now() - 86400, tz))\n"
                "datetime.datetime = Behind\n"
                "import workflow_csa; sys.exit(workflow_csa.main(sys.argv[1:]))").format(REPOSITORY)
        ended = self.run_command(sys.executable, "-c", late, *self.command("--epochs", "9", "--replace")[2:], TOY_STARTS=self.path("starts.txt"))
        self.assertEqual((ended.code, len(self.starts())), (0, 12), ended)
        self.assertEqual(len(self.score_values()), 48)
        self.assertEqual(self.status()[0], 0)

    def test_a_status_that_may_not_be_read_says_so(self):
        python = "/usr/bin/python3"     # one that another user may run
        if os.geteuid() != 0 or not os.path.exists(python):
            self.skipTest("becoming another user needs root, and a Python that everybody may run")
        os.chmod(self.work, 0o755)
        os.chmod(self.path("out", INFER, "stage_status.json"), 0o600)
        code = ("import os, sys; os.setuid(65534); sys.path[:0] = [{0!r}]; from launcher.results_tree import ResultsTree; "
                "print(ResultsTree({1!r}).status({2!r})['reason'])").format(REPOSITORY, self.path("out"), INFER)
        done = subprocess.run([python, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
        if "Permission denied" in done.stderr and "launcher" in done.stderr or "No module" in done.stderr:
            self.skipTest("another user cannot read this copy of the project")
        self.assertEqual(done.stdout, "its stage_status.json cannot be read (permission denied)\n", done.stderr)


class AgreementTest(IntegrityCase):
    """Launcher and collector say the same of the same tree."""

    def collector_says(self, *names):
        tree = Tree(self.path("out"))
        return [tree.verdict(name).state == "done" for name in names]

    def launcher_says(self, *names):
        states = self.states()
        return [states[name] == "done" for name in names]

    def assert_both_say(self, expected, *names):
        self.assertEqual((self.launcher_says(*names), self.collector_says(*names)), (expected, expected))

    def test_of_a_moved_tree(self):
        os.rename(self.path("out"), self.path("elsewhere"))
        os.makedirs(self.path("deep/er"))
        os.rename(self.path("elsewhere"), self.path("deep/er/out"))
        os.symlink(self.path("deep/er/out"), self.path("out"))
        self.assert_both_say([True] * 3, DATA, MODEL, INFER)

    def test_of_a_training_on_another_target_s_data(self):
        self.again("--target", "B", "--source", "A")
        self.assert_both_say([True] * 3, DATA, MODEL, INFER)

    def test_of_a_model_whose_scores_were_deleted(self):
        os.unlink(self.path("out", MODEL, "val_scores.json"))
        self.assert_both_say([True, False, True], DATA, MODEL, INFER)

    def test_of_a_model_whose_weights_were_deleted(self):
        self.write("out/" + MODEL + "/weights.bin", "w" * 10)
        known = self.status_of(MODEL)
        self.write(f"out/{MODEL}/stage_status.json", json.dumps(dict(known, files=dict(known["files"], **{"weights.bin": 10}))))
        self.assert_nothing_runs()
        os.unlink(self.path("out", MODEL, "weights.bin"))
        self.assert_both_say([True, False, True], DATA, MODEL, INFER)
        self.assertEqual(self.again()[1], sorted([MODEL, "infer/A-A/split_0", INFER]))

    def test_of_a_tree_that_a_newer_launch_has_planned_to_make_anew(self):
        self.again("--epochs", "9", "--replace", TOY_FAULTS="train models exit:1")
        self.assert_both_say([True, False, False], DATA, MODEL, INFER)


class AdoptionTest(IntegrityCase):
    def test_a_tree_that_holds_only_infer_counts_as_it_is(self):
        for name in ("ml_data", "models", "launches", "scores"):
            shutil.rmtree(self.path("out", name))
        for path in glob.glob(self.path("out/infer/*/*/stage_status.json")):
            os.unlink(path)
        before = {path: os.stat(path).st_mtime_ns for path in glob.glob(self.path("out/infer/*/*/test_scores.json"))}
        ended = self.run_toy(*LOCAL, "--adopt", "--dry_run")
        self.assertIn("--adopt would judge 8 outputs", ended.out)
        self.assertEqual(glob.glob(self.path("out/infer/*/*/stage_status.json")), [])
        ended, names = self.again("--adopt")
        self.assertEqual((ended.code, names), (0, []), ended)
        self.assertIn("adopted 8 outputs", ended.out)
        self.assertIn("20 done already, 0 to run", ended.out)
        self.assertEqual({path: os.stat(path).st_mtime_ns for path in before}, before)
        self.assertEqual(len(self.score_values()), 48)


    def test_what_is_adopted_is_known_to_all_that_follows_in_the_same_command(self):
        for path in glob.glob(self.path("out/*/*/*/stage_status.json")):
            if "/ml_data/" not in path:
                os.unlink(path)
        ended, names = self.again("--adopt", "--preprocess_args", "--train_split_file_is_not_one 1")
        self.assert_refused(ended, "would be replaced", "add --replace")
        self.assertEqual(names, [])


class ByHandTest(CampaignCase):
    def test_lines_of_a_dry_run_that_were_pasted_are_seen(self):
        self.run_toy(*LOCAL, "--dry_run", "--source", "A", "--target", "A", "--split", "0")
        self.assert_refused(self.run_toy(*LOCAL, "--status"), "there is no launch")
        tasks = glob.glob(self.path("out/launches/*/preprocess_0.tasks"))[0]
        script = os.path.join(REPOSITORY, "run_model.sh")
        process = self.start("bash", script, "--task", tasks, "0", TOY_FAULTS=f"preprocess ml_data wait:{self.path('go')}",
                             TOY_STARTS=self.path("starts.txt"))
        self.wait_for_state(DATA, "running")
        self.assertEqual(self.status(), (3, {DATA: ("running", "")}))
        self.assert_refused(self.run_toy(*LOCAL), "are in a live launch", f"process {self.status_of(DATA)['pid']} on")
        self.write("go", "")
        process.communicate(timeout=PATIENCE)
        self.assertEqual(self.run_toy(*LOCAL, TOY_STARTS=self.path("starts.txt")).code, 0)
        self.assertEqual((len(self.started()), len(set(self.started()))), (ALL, ALL))


if __name__ == "__main__":
    unittest.main()
