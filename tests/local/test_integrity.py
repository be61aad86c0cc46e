"""No silent wrong number: what changed outside OUT, what would be replaced, whose results these
are."""
import glob
import json
import os
import shutil
import sys
import unittest

from stages.collect.gaps import Tree
from tests.campaign import ALL, LOCAL
from tests.local.test_csa import FinishedCase
from tests.support import REPOSITORY, RUN_MODEL, TOY_MODEL

DATA, MODEL, INFER = "ml_data/A-A/split_0", "models/A/split_0", "infer/A-B/split_0"
OF_SPLIT_0 = sorted([DATA, "ml_data/A-B/split_0", MODEL, "infer/A-A/split_0", INFER])
RESPONSE = "raw/y_data/response.tsv"


class IntegrityCase(FinishedCase):
    def append(self, name, text):
        with open(self.path(name), "a", encoding="utf-8") as file:
            file.write(text)


class ChangedFilesTest(IntegrityCase):
    def test_changed_response_data_is_refused_until_the_user_decides(self):
        self.append(RESPONSE, "A\tc\td\tA\t0.5\n")
        for more in ((), ("--target", "A")):
            ended, names = self.again(*more, code=2)
            self.assert_refused(ended, "y_data/response.tsv has changed since", "--redo preprocess",
                                "--adopt_data")
            self.assertEqual(names, [])
        self.assert_nothing_runs("--adopt_data")
        self.assertEqual(self.status()[0], 0)
        self.assert_nothing_runs()
        self.append(RESPONSE, "A\tc\td\tA\t0.6\n")
        self.again(code=2)
        self.assertEqual(len(self.again("--redo", "preprocess")[1]), ALL)
        self.assert_nothing_runs()

    def test_a_file_of_x_data_that_changed_is_refused_too(self):
        os.makedirs(self.path("raw/x_data"))
        self.write("raw/x_data/genes.tsv", "1\n")
        self.again("--redo", "preprocess")
        self.write("raw/x_data/genes.tsv", "2\n")
        self.assert_refused(self.again(code=2)[0], "x_data/genes.tsv has changed since")

    def test_a_file_that_was_only_touched_is_the_same(self):
        for name in (RESPONSE, "raw/splits/A_split_0_train.txt"):
            os.utime(self.path(name), (1, 1))
        self.assert_nothing_runs()

    def test_a_changed_split_file_makes_its_tasks_run_again_and_status_and_tables_say_so(self):
        whole = self.read("raw/splits/A_split_0_train.txt")
        self.write("raw/splits/A_split_0_train.txt", "0\n1\n")
        self.assertEqual(self.status()[0], 1)
        self.collect("out")
        self.assertEqual({row["task"] for row in self.table("missing.csv")},
                         {"infer/A-A/split_0", INFER})
        self.write("raw/splits/A_split_0_train.txt", whole)         # edited back
        code, states = self.status()
        self.assertEqual(code, 1)
        self.assertEqual(states["scores"], ("not run", "infer/A-A/split_0 counts again"))
        self.collect("out")
        self.assertEqual(self.status()[0], 0)
        shutil.rmtree(self.path("out/ml_data"))
        self.write("raw/splits/A_split_0_train.txt", "0\n1\n")
        ended, names = self.again()
        self.assertEqual(names, OF_SPLIT_0)
        self.assertIn("of these were made from split files that have changed", ended.out)
        self.assert_nothing_runs()

    def test_a_split_file_edited_while_its_task_waited_is_noticed_when_it_is_edited_back(self):
        whole = self.read("raw/splits/A_split_0_train.txt")
        shutil.rmtree(self.path("out"))
        self.run_toy(*LOCAL, "--dry_run")
        tasks = glob.glob(self.path("out/launches/*/preprocess_0.tasks"))[0]
        self.write("raw/splits/A_split_0_train.txt", "0\n1\n")
        self.assertEqual(self.run_command("bash", RUN_MODEL, "--task", tasks, "0").code, 0)
        self.write("raw/splits/A_split_0_train.txt", whole)
        self.assertIn(DATA, self.again()[1])

    def test_a_stage_script_that_changed_in_place_is_a_note(self):
        shutil.copytree(TOY_MODEL, self.path("model"), ignore=shutil.ignore_patterns("__pycache__"))
        self.append("model/toy_train_improve.py", "# another line\n")
        ended, names = self.again("--model_dir", "model")
        self.assertEqual(names, [])
        self.assertIn("the train script has changed since 4 of these ran; --redo train runs them "
                      "again", ended.out)
        shutil.rmtree(self.path("out/ml_data"))     # deleted after use
        self.append("model/toy_preprocess_improve.py", "# another line\n")
        self.assertIn("the preprocess script has changed since 8 of these ran",
                      self.again("--model_dir", "model")[0].out)

    def test_an_environment_that_changed_between_launches_is_a_note(self):
        path, = glob.glob(self.path("out/launches/*/environment.*.json"))
        identity = json.loads(self.read(path))
        self.assertEqual((identity["environment"], identity["python"]),
                         ("none", sys.version.split()[0]))
        self.write(path, json.dumps(dict(identity, python="2.0")))
        self.again("--redo", "infer")
        self.assertIn("environment none has changed between launches",
                      self.read("out/scores/summary.txt"))

    def test_splits_that_were_trained_in_another_way_are_named(self):
        self.again("--epochs", "9", "--replace", "--split", "0")
        note = next(line for line in self.read("out/scores/summary.txt").splitlines()
                    if "epochs" in line and "note:" in line)
        self.assertIn("split", note)


class ReplacementTest(IntegrityCase):
    def test_finished_results_are_not_replaced_unasked(self):
        ended, names = self.again("--epochs", "80", code=2)
        self.assert_refused(ended,
                            "train --epochs: not given -> 80; 4 train and 8 infer results that are "
                            "done " "would be replaced", "--replace")
        self.assertEqual(names, [])
        self.again("--epochs", "80", "--dry_run", code=2)
        self.again("--epochs", "80", "--dry_run", "--replace")

    def test_no_old_score_counts_after_a_replacement_that_failed(self):
        self.again("--epochs", "80", "--replace", code=1, TOY_FAULTS="train models exit:1")
        self.assertEqual(self.score_values(), {})

    def test_another_benchmark_with_another_target_does_not_use_the_old_model(self):
        shutil.copytree(self.path("raw"), self.path("other"))
        self.append("other/splits/A_split_0_train.txt", "9\n")
        self.assertIn(MODEL,
                      self.again("--source", "A", "--target", "B", "--input_dir", "other")[1])
        ended, names = self.again("--source", "A", "--target", "B", "--preprocess_args",
                                  "--input_x 1", code=2)
        self.assert_refused(ended, "results that are done would be replaced")

    def test_a_mistyped_environment_deletes_nothing(self):
        ended, _ = self.again("--epochs", "80", "--replace", "--env", "conda:nope", code=2,
                              PATH="/usr/bin:/bin")
        self.assert_refused(ended, "cannot be activated on this machine")
        self.write("image.sif", "")     # an environment that only the tasks themselves try
        ended, names = self.again("--epochs", "80", "--replace", "--env", "apptainer:image.sif",
                                  code=1, PATH="/usr/bin:/bin")
        self.assertEqual(names, [])
        self.assertTrue(os.path.exists(self.path("out", INFER, "test_scores.json")))
        self.assertEqual([name for name in self.again()[1] if "models" in name], [])
        self.assertEqual(self.score_values(), self.before)


class OwnersTest(IntegrityCase):
    def test_another_model_or_workflow_into_the_same_results_is_refused(self):
        shutil.copytree(TOY_MODEL, self.path("model"))
        for stage in ("preprocess", "train", "infer"):
            os.rename(self.path(f"model/toy_{stage}_improve.py"),
                      self.path(f"model/other_{stage}_improve.py"))
        ended, _ = self.again("--model", "other", "--model_dir", "model", code=2)
        self.assert_refused(ended, "out holds results of model toy, not other",
                            "choose another --output_dir")
        ended = self.run_toy(*LOCAL, "--lc_sizes_arr", "2", "4", workflow="lca")
        self.assert_refused(ended, "out holds results of workflow csa, not lca")

    def test_a_clock_that_is_behind_changes_no_order(self):
        """The second launcher's host is a day behind the first one's."""
        late = ("import sys, time, datetime; sys.path.insert(0, {0!r}); now = time.time\n"
                "class Behind(datetime.datetime):\n"
                "    now = classmethod(lambda cls, tz=None: cls.fromtimestamp(now() - 86400, tz))\n"
                "datetime.datetime = Behind\n"
                "import workflow_csa; sys.exit(workflow_csa.main(sys.argv[1:]))").format(REPOSITORY)
        ended = self.run_command(sys.executable, "-c", late,
                                 *self.command("--epochs", "9", "--replace")[2:])
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual((len(self.score_values()), self.status()[0]), (48, 0))


class AgreementTest(IntegrityCase):
    """Launcher, --status and collector say the same of the same tree."""

    def test_cancelled_launches_leave_all_three_of_one_opinion(self):
        launch = sorted(glob.glob(self.path("out/launches/*")))[0]
        plan = json.loads(self.read(launch, "plan.json"))
        for changes, expected in (({}, "done"), ({"epochs": "9"}, "stale")):
            with self.subTest(changes):
                newer = dict(plan, tasks=[dict(task, run=task["stage"] != "preprocess",
                                               reason_kind="redo",
                                               arguments=dict(task["arguments"], **changes
                                                              if task["stage"] == "train" else {}))
                                          for task in plan["tasks"]])
                os.makedirs(self.path("out/launches/30000101T000000.000000Z"), exist_ok=True)
                self.write("out/launches/30000101T000000.000000Z/plan.json", json.dumps(newer))
                tree, states = Tree(self.path("out")), self.states()
                for name in (MODEL, INFER):
                    self.assertEqual((states[name] == "done", tree.verdict(name).state),
                                     (expected == "done", expected), name)
        self.assertNotEqual(self.status()[0], 0)
        self.assert_nothing_runs()              # the first command makes its plan the newest again
        self.assertEqual((self.status()[0], self.score_values()), (0, self.before))


if __name__ == "__main__":
    unittest.main()
