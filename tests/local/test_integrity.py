"""No silent wrong number: what changed outside OUT, what would be replaced, whose results these
are."""
import glob
import json
import os
import shutil
import sys

from tests.campaign import FIVE, LOCAL
from tests.local.test_csa import FinishedCase
from tests.support import RUN_MODEL, TOY_MODEL

DATA, MODEL, INFER = "ml_data/A-A/split_0", "models/A/split_0", "infer/A-B/split_0"
OF_SPLIT_0 = sorted([DATA, "ml_data/A-B/split_0", MODEL, "infer/A-A/split_0", INFER])
RESPONSE, SPLIT = "raw/y_data/response.tsv", "raw/splits/A_split_0_train.txt"


class IntegrityCase(FinishedCase):
    def append(self, name, text):
        with open(self.path(name), "a", encoding="utf-8") as file:
            file.write(text)


class ChangedFilesTest(IntegrityCase):
    def test_changed_response_or_x_data_is_refused_until_the_user_decides(self):
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
        self.write("raw/x_data/genes.tsv", "1\n")
        self.again(code=2)
        self.assertEqual(self.again("--redo", "preprocess", *FIVE)[1], OF_SPLIT_0)
        self.assert_nothing_runs(*FIVE, done=5)
        self.write("raw/x_data/genes.tsv", "2\n")
        self.assert_refused(self.again(code=2)[0], "x_data/genes.tsv has changed since")

    def test_a_file_that_was_only_touched_is_the_same(self):
        for name in (RESPONSE, SPLIT):
            os.utime(self.path(name), (1, 1))
        self.assert_nothing_runs()

    def edit_split(self, text="0\n1\n"):
        """Returns what the split file held before."""
        whole = self.read(SPLIT)
        self.write(SPLIT, text)
        return whole

    def test_a_changed_split_file_makes_its_tasks_run_again_and_status_and_tables_say_so(self):
        whole = self.edit_split()
        self.assertEqual(self.status()[0], 1)
        self.collect("out")
        self.assertEqual({row["task"] for row in self.table("missing.csv")},
                         {"infer/A-A/split_0", INFER})
        self.edit_split(whole)
        code, states = self.status()
        self.assertEqual((code, states["scores"]),
                         (1, ("not run", "infer/A-A/split_0 counts again")))
        self.collect("out")
        self.assertEqual(self.status()[0], 0)
        shutil.rmtree(self.path("out/ml_data"))
        self.edit_split()
        ended, names = self.again()
        self.assertEqual(names, OF_SPLIT_0)
        self.assertIn("of these, models/A/split_0 first: A_split_0_train.txt has ch", ended.out)
        self.assert_nothing_runs()

    def test_a_split_file_edited_while_its_task_waited_is_noticed_when_it_is_edited_back(self):
        shutil.rmtree(self.path("out"))
        self.run_toy(*LOCAL, *FIVE, "--dry_run")
        tasks = glob.glob(self.path("out/launches/*/preprocess_0.tasks"))[0]
        whole = self.edit_split()
        self.run_command("bash", RUN_MODEL, "--task", tasks, "0", code=0)
        self.edit_split(whole)
        self.assertIn(DATA, self.again(*FIVE)[1])

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
        self.assertEqual(identity["python"], sys.version.split()[0])
        self.write(path, json.dumps(dict(identity, python="2.0")))
        self.again("--redo", "infer", *FIVE)
        self.assertIn("environment none has changed between launches",
                      self.read("out/scores/summary.txt"))


class ReplacementTest(IntegrityCase):
    def test_finished_results_are_not_replaced_unasked(self):
        ended, names = self.again("--epochs", "80", code=2)
        self.assert_refused(ended,
                            "train --epochs: not given -> 80; 4 train and 8 infer results that are "
                            "done would be replaced", "--replace")
        self.assertEqual(names, [])
        self.again("--epochs", "80", "--dry_run", code=2)
        self.again("--epochs", "80", "--dry_run", "--replace")

    def test_a_mistyped_environment_deletes_nothing(self):
        ended, _ = self.again("--epochs", "80", "--replace", "--env", "conda:nope", code=2,
                              PATH="/usr/bin:/bin")
        self.assert_refused(ended, "cannot be activated on this machine")
        self.write("image.sif", "")     # an environment that only the tasks themselves try
        for redo, trained in ((), []), (("--redo", "train"), ["models/A/split_0"]):
            self.again(*FIVE, "--epochs", "80", "--replace", "--env", "apptainer:image.sif", code=1,
                       PATH="/usr/bin:/bin")
            started = self.again(*FIVE, *redo, code=0)[1]
            self.assertEqual([name for name in started if "models" in name], trained)
        self.assertEqual(self.score_values(), self.before)


class OwnersTest(IntegrityCase):
    def test_another_model_or_workflow_into_the_same_results_is_refused(self):
        for stage in ("preprocess", "train", "infer"):
            self.write(f"model/other_{stage}_improve.py", "")
        ended, _ = self.again("--model", "other", "--model_dir", "model", code=2)
        self.assert_refused(ended, "out holds results of model toy, not other",
                            "choose another --output_dir")
        ended = self.run_toy(*LOCAL, "--lc_sizes_arr", "2", "4", workflow="lca")
        self.assert_refused(ended, "out holds results of workflow csa, not lca")

    def test_a_clock_that_is_behind_changes_no_order(self):
        launch, = glob.glob(self.path("out/launches/*"))
        os.rename(launch, self.path("out/launches/30000101T000000.000000Z"))
        self.again("--epochs", "9", "--replace", *FIVE)
        self.assertEqual((len(self.score_values()), self.status()[0]), (48, 0))
