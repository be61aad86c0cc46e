"""workflow_csa on this machine: refusals, what runs, what runs again, what the tables say."""
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import unittest

from tests.support import PATIENCE, REPOSITORY, RUN_MODEL, TOY_MODEL, WorkCase, wait_for, write_benchmark

LOCAL = ("--executor", "local")
# ^C just when a task has been started and nobody knows of it yet.
INTERRUPTED_START = """
import os, signal, sys
sys.path.insert(0, {0!r})
import workflow_csa
from launcher import local
real = local.Campaign._start
def start(*words):
    process = real(*words)
    os.kill(os.getpid(), signal.SIGINT)
    return process
local.Campaign._start = start
sys.exit(workflow_csa.main(sys.argv[1:]))
"""


class RefusalsTest(WorkCase):
    """Exit code 2, one sentence, the way out, and nothing written."""

    def refused(self, *parts, arguments=(), **settings):
        ended = self.run_toy(*LOCAL, *arguments, **settings)
        self.assert_refused(ended, *parts)
        self.assertFalse(os.path.exists(self.path("out")), "something was written")

    def test_an_unknown_study(self):
        self.refused("study 'CLE' of --source is not in", "one of A, B", arguments=["--source", "CLE"])

    def test_an_unknown_split(self):
        self.refused("split 7 of study 'A' is not in", "--split with some of 0 1", arguments=["--split", "0", "7"])

    def test_a_missing_split_file(self):
        write_benchmark(self.path("raw"), ("A", "B"))
        os.unlink(self.path("raw/splits/A_split_0_val.txt"))
        self.refused("A_split_0_val.txt cannot be read")

    def test_a_missing_response_file(self):
        write_benchmark(self.path("raw"), ("A", "B"))
        os.unlink(self.path("raw/y_data/response.tsv"))
        self.refused("response.tsv cannot be read")

    def test_a_column_that_the_response_file_lacks(self):
        self.refused("has no column 'auk'", "auc", arguments=["--y_col_name", "auk"])

    def test_an_input_directory_that_is_not_there(self):
        self.refused("no split files", arguments=["--input_dir", "nowhere"])

    def test_a_missing_model_script_with_the_path_looked_for(self):
        self.refused(os.path.join(TOY_MODEL, "tov_preprocess_improve.py"), arguments=["--model", "tov"])

    def test_an_unknown_environment_kind(self):
        self.refused("'docker:x' is no environment", "apptainer:IMAGE.sif", arguments=["--env", "docker:x"])

    def test_an_environment_that_does_not_exist(self):
        self.refused("there is no /nowhere", arguments=["--env", "venv:/nowhere"])

    def test_slurm_without_sbatch(self):
        self.refused("there is no sbatch", arguments=["--executor", "slurm"], PATH="/nonexistent:" + os.path.dirname(shutil.which("env")) if not shutil.which("sbatch") else self.path())

    def test_only_cross_study_with_one_study(self):
        self.refused("nothing to run", arguments=["--source", "A", "--target", "A", "--only_cross_study"])

    def test_a_value_with_a_line_break(self):
        self.refused("control character", arguments=["--train_args", "--x 'a\nb'"])

    def test_an_output_directory_that_cannot_be_written(self):
        with open(self.path("file"), "w"):
            pass
        ended = self.run_toy(*LOCAL, "--output_dir", "file/out")
        self.assert_refused(ended, "cannot be written")

    def test_study_names_that_collide(self):
        write_benchmark(self.path("raw"), ("A", "A-B", "B-C", "C"))
        self.refused("two tasks would write ml_data/A-B-C", arguments=["--source", "A", "A-B", "--target", "B-C", "C"])

    def test_a_study_name_that_would_leave_the_results_tree(self):
        write_benchmark(self.path("raw"), ("A",))
        os.rename(self.path("raw/splits/A_all.txt"), self.path("raw/splits/.._all.txt"))
        self.refused("study '..'")

    def test_python_2_gets_a_sentence(self):
        for old in ("/usr/bin/python2.7", os.path.expanduser("~/.pyenv/versions/2.7.18/bin/python")):
            if os.path.exists(old):
                for name in ("csa", "lca", "hpo"):
                    ended = self.run_command(old, os.path.join(REPOSITORY, f"workflow_{name}.py"))
                    self.assert_refused(ended, "this is Python 2.7; Python 3.6 or newer is needed", "try: python3")
                return
        self.skipTest("no Python 2.7 here")


class LocalTest(WorkCase):
    def test_every_pair_is_scored_and_nothing_runs_again(self):
        ended = self.run_toy(*LOCAL, TOY_STARTS=self.path("starts.txt"))
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(len(self.starts()), 8 + 4 + 8)
        self.assertEqual(len({row[3] for row in self.score_values()}), 2)
        self.assertIn("scores: 8 of 8", ended.out)
        again = self.run_toy(*LOCAL, TOY_STARTS=self.path("starts.txt"))
        self.assertEqual((again.code, len(self.starts())), (0, 20))
        self.assertIn("20 done already, 0 to run", again.out)

    def test_a_deleted_infer_directory_is_one_task(self):
        self.have_toy(*LOCAL)
        before = self.score_values()
        shutil.rmtree(self.path("out/infer/A-B/split_1"))
        self.run_toy(*LOCAL, TOY_STARTS=self.path("starts.txt"))
        self.assertEqual([row[1:] for row in self.starts()], [("infer", "infer/A-B/split_1")])
        self.assertEqual(self.score_values(), before)

    def test_a_truncated_output_is_made_again_and_what_follows_it(self):
        self.have_toy(*LOCAL)
        with open(self.path("out/models/A/split_0/val_scores.json"), "w"):
            pass
        self.run_toy(*LOCAL, TOY_STARTS=self.path("starts.txt"))
        self.assertEqual(sorted(row[2] for row in self.starts()), ["infer/A-A/split_0", "infer/A-B/split_0", "models/A/split_0"])

    def test_another_parameter_makes_what_it_touches_old(self):
        self.have_toy(*LOCAL)
        ended = self.run_toy(*LOCAL, "--epochs", "5", "--replace", TOY_STARTS=self.path("starts.txt"))
        self.assertIn("4 of these have other parameters than when they ran", ended.out)
        self.assertEqual({row[1] for row in self.starts()}, {"train", "infer"})
        self.assertEqual(len(self.starts()), 4 + 8)

    def test_another_environment_is_the_same_experiment(self):
        self.have_toy(*LOCAL)
        os.makedirs(self.path("v/bin"))
        os.symlink(sys.executable, self.path("v/bin/python"))
        self.write("v/bin/activate", f"PATH={self.path('v/bin')}:$PATH\n")
        self.assertIn("20 done already", self.run_toy(*LOCAL, "--env", f"venv:{self.path('v')}").out)

    def test_scores_of_an_older_training_never_count(self):
        self.have_toy(*LOCAL)
        self.run_toy(*LOCAL, "--epochs", "9", "--replace", TOY_FAULTS="infer A-B/split_1 exit:1")
        self.assertNotIn(("r2", "A", "B", "1"), self.score_values())
        for (metric, _, _, _), value in self.score_values().items():
            if metric == "r2":
                self.assertGreaterEqual(float(value), 9)
        self.assertEqual([row["task"] for row in self.table("missing.csv")], ["infer/A-B/split_1"])

    def test_a_moved_results_tree_is_no_new_experiment(self):
        self.have_toy(*LOCAL)
        os.rename(self.path("out"), self.path("moved"))
        ended = self.run_toy(*LOCAL, "--output_dir", "moved")
        self.assertIn("20 done already", ended.out)

    def test_a_moved_folder_is_no_new_experiment(self):
        for name in ("workflow_csa.py", "run_model.sh"):
            os.makedirs(self.path("clone"), exist_ok=True)
            shutil.copy(os.path.join(REPOSITORY, name), self.path("clone"))
        for name in ("launcher", "stages", "slurm_templates"):
            shutil.copytree(os.path.join(REPOSITORY, name), self.path("clone", name), ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(TOY_MODEL, self.path("clone/toy"))
        write_benchmark(self.path("clone/raw"), ("A", "B"))
        words = ("--model", "toy", *LOCAL)

        def run(folder):
            place = [f"--model_dir={folder}/toy", f"--input_dir={folder}/raw", f"--output_dir={folder}/out"]
            return self.run_workflow("csa", *words, *place, folder=folder)
        self.assertEqual(run(self.path("clone")).code, 0)
        os.rename(self.path("clone"), self.path("clone 2"))
        self.assertIn("20 done already", run(self.path("clone 2")).out)

    def test_ml_data_deleted_after_use_is_not_made_again(self):
        self.have_toy(*LOCAL)
        shutil.rmtree(self.path("out/ml_data"))
        self.assertIn("20 done already, 0 to run", self.run_toy(*LOCAL).out)
        shutil.rmtree(self.path("out/infer/A-B/split_1"))
        self.run_toy(*LOCAL, TOY_STARTS=self.path("starts.txt"))
        self.assertEqual(sorted(row[2] for row in self.starts()), ["infer/A-B/split_1", "ml_data/A-B/split_1"])
        self.assertIn("20 done already, 0 to run", self.run_toy(*LOCAL).out)

    def test_ml_data_made_again_makes_no_score_old(self):
        """models/A/split_1 was made from the first ml_data/A-A; infer/A-B from that model."""
        self.have_toy(*LOCAL)
        before = self.score_values()
        shutil.rmtree(self.path("out/ml_data"))
        shutil.rmtree(self.path("out/infer/A-A/split_1"))
        ended = self.run_toy(*LOCAL)
        self.assertIn("2 to run (1 preprocess, 0 train, 1 infer)", ended.out)
        self.assertEqual(self.score_values(), before)

    def test_a_source_with_other_targets_uses_the_training_that_is_there(self):
        self.run_toy(*LOCAL, "--target", "A")
        self.run_toy(*LOCAL, "--target", "B", TOY_STARTS=self.path("starts.txt"))
        self.assertEqual({row[1] for row in self.starts()}, {"preprocess", "infer"})

    def test_a_failed_stage_stops_only_what_depends_on_it(self):
        ended = self.run_toy(*LOCAL, TOY_FAULTS="train A/split_1 exit:3")
        self.assertEqual(ended.code, 1)
        self.assertIn("failed: models/A/split_1: exit code 3: toy: exit:3 as told", ended.err)
        self.assertIn("toy: exit:3 as told", ended.err)
        self.assertIn("2 tasks did not run because a parent failed", ended.err)
        self.assertEqual(sum(key[0] == "r2" for key in self.score_values()), 6)
        rows = self.table("missing.csv")
        self.assertEqual([(row["task"], row["stage"], row["failed_task"], row["exit_code"]) for row in rows], [
            ("infer/A-A/split_1", "train", "models/A/split_1", "3"), ("infer/A-B/split_1", "train", "models/A/split_1", "3")])
        self.assertEqual(self.run_toy(*LOCAL, "--retry_failed").code, 0)

    def test_a_slow_source_does_not_hold_up_the_others(self):
        self.run_toy(*LOCAL, "--jobs", "2", TOY_STARTS=self.path("starts.txt"),
                     TOY_FAULTS=f"train models/A/split_0 wait:{self.path('out/infer/B-B/split_1/stage_status.json')}")
        order = [row[2] for row in self.starts()]
        self.assertLess(order.index("infer/B-B/split_1"), order.index("infer/A-A/split_0"))

    def test_only_cross_study_leaves_the_diagonal_out(self):
        self.run_toy(*LOCAL, "--only_cross_study")
        self.assertEqual({key[1:3] for key in self.score_values()}, {("A", "B"), ("B", "A")})

    def test_arguments_are_passed_on(self):
        self.run_toy(*LOCAL, "--epochs", "3", "--train_args", "{'learning_rate': 0.5}")
        self.assertEqual(self.status_of("models/A/split_0")["words"][-4:], ["--epochs", "3", "--learning_rate", "0.5"])

    def test_a_single_option_can_be_passed_on(self):
        ended = self.run_toy(*LOCAL, "--dry_run", "--train_args", "--verbose")
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(self.dry_words("models/A/split_0")[-1], "--verbose")

    def dry_words(self, name):
        path = glob.glob(self.path("out/launches/*/dry_plan.json"))[0]
        with open(path) as file:
            return next(task["words"] for task in json.load(file)["tasks"] if task["name"] == name)

    def test_what_the_command_line_says_beside_a_file_of_hyperparameters_wins_and_that_is_said(self):
        self.write("best.json", json.dumps({"toy": {"A": {"epochs": 5, "learning_rate": 0.1}}}))
        dry = self.run_toy(*LOCAL, "--hyperparameters_file", "best.json", "--epochs", "7", "--dry_run")
        self.assertIn("--epochs of the command line replaces that of --hyperparameters_file\n", dry.out)
        self.assertNotIn("--learning_rate of", dry.out)
        self.run_toy(*LOCAL, "--hyperparameters_file", "best.json", "--epochs", "7")
        self.assertEqual(self.status_of("models/A/split_0")["words"][-6:], ["--epochs", "5", "--learning_rate", "0.1", "--epochs", "7"])

    def test_strange_paths_work_and_are_never_read_by_a_shell(self):
        name = "a b'c\";$(touch hacked)&é%s"
        write_benchmark(self.path(name), ("A", "B x$"))
        ended = self.run_toy(*LOCAL, "--input_dir", name, "--output_dir", f"{name}/out", "--split", "0")
        self.assertEqual(ended.code, 0, ended)
        self.assertFalse(os.path.exists(self.path("hacked")))

    def test_interrupting_stops_the_tasks_and_the_same_command_goes_on(self):
        write_benchmark(self.path("raw"), ("A", "B"))
        command = [sys.executable, os.path.join(REPOSITORY, "workflow_csa.py"), "--model", "toy", "--model_dir", TOY_MODEL,
                   "--input_dir", "raw", "--output_dir", "out", *LOCAL]
        process = self.start(*command, TOY_FAULTS=f"train A/split_0 wait:{self.path('never')}", TOY_STARTS=self.path("starts.txt"))
        for _ in range(300):
            if os.path.exists(self.path("starts.txt")) and "models/A/split_0" in self.read("starts.txt"):
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 130)
        self.assertIn("the same command goes on", errors)
        self.assertEqual(self.status_of("models/A/split_0")["state"], "interrupted")
        self.wait_until_nothing_is_left()
        self.assertEqual(self.run_toy(*LOCAL).code, 0)

    def wait_until_nothing_is_left(self):
        """A process that was killed may need a moment to die."""
        wait_for(lambda: subprocess.call(["pgrep", "-f", self.path("out")], stdout=subprocess.DEVNULL) == 1, "the end of all tasks",
                 20)

    def test_interrupting_in_the_middle_of_a_start_leaves_no_task(self):
        write_benchmark(self.path("raw"), ("A", "B"))
        process = self.start(sys.executable, "-c", INTERRUPTED_START.format(REPOSITORY), "--model", "toy", "--model_dir",
                             TOY_MODEL, "--input_dir", "raw", "--output_dir", "out", *LOCAL,
                             TOY_FAULTS=f"preprocess ml_data wait:{self.path('never')}")
        _, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 130, errors)
        self.wait_until_nothing_is_left()
        self.assertEqual(self.run_toy(*LOCAL).code, 0)

    def test_a_run_under_nohup_survives_the_end_of_its_terminal(self):
        write_benchmark(self.path("raw"), ("A", "B"))
        process = self.start("nohup", sys.executable, os.path.join(REPOSITORY, "workflow_csa.py"), "--model", "toy", "--model_dir",
                             TOY_MODEL, "--input_dir", "raw", "--output_dir", "out", *LOCAL, TOY_STARTS=self.path("starts.txt"))
        wait_for(lambda: os.path.exists(self.path("starts.txt")), "the first task")
        process.send_signal(signal.SIGHUP)
        _, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, errors)

    def test_a_dry_run_starts_nothing_and_its_line_works_by_hand(self):
        ended = self.run_toy(*LOCAL, "--dry_run", TOY_STARTS=self.path("starts.txt"))
        self.assertEqual(ended.code, 0)
        self.assertFalse(os.path.exists(self.path("starts.txt")))
        line = ended.out.strip().splitlines()[-1].strip()
        self.assertTrue(line.startswith(f"bash {RUN_MODEL} --task "))
        self.assertEqual(self.run_command("bash", "-c", line).code, 0)
        self.assertEqual(self.status_of("ml_data/A-A/split_0")["state"], "done")
        self.assertIn("1 done already", self.run_toy(*LOCAL).out)


class ForeignTreeTest(WorkCase):
    """Outputs that IMPROVE's own scripts wrote: no status files."""

    def setUp(self):
        super().setUp()
        self.have_toy(*LOCAL)
        self.before = self.score_values()
        for folder, _, files in os.walk(self.path("out")):
            if "stage_status.json" in files:
                os.unlink(os.path.join(folder, "stage_status.json"))
        shutil.rmtree(self.path("out/launches"))

    def test_they_are_not_overwritten_unasked(self):
        self.assert_refused(self.run_toy(*LOCAL), "holds outputs without a stage_status.json", "--adopt", "--redo")

    def test_the_collector_reads_them(self):
        shutil.rmtree(self.path("out/scores"))
        ended = self.collect("out", "--model_name", "toy")
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(self.score_values(), self.before)

    def test_adopt_takes_what_is_whole_as_done(self):
        os.unlink(self.path("out/infer/A-B/split_0/test_scores.json"))
        ended = self.run_toy(*LOCAL, "--adopt", TOY_STARTS=self.path("starts.txt"))
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual([row[2] for row in self.starts()], ["infer/A-B/split_0"])

    def test_a_dry_run_of_adopt_asks_for_no_data_that_only_adopted_results_were_made_from(self):
        shutil.rmtree(self.path("out/ml_data"))
        ended = self.run_toy(*LOCAL, "--adopt", "--dry_run")
        self.assertIn("--adopt would judge 12 outputs", ended.out)
        self.assertIn("(0 preprocess, 0 train, 0 infer)", ended.out)

    def test_redo_makes_a_stage_and_what_follows_it_anew(self):
        self.run_toy(*LOCAL, "--redo", "preprocess")
        ended = self.run_toy(*LOCAL, "--redo", "train", TOY_STARTS=self.path("starts.txt"))
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual({row[1] for row in self.starts()}, {"train", "infer"})


class FirstCommandTest(WorkCase):
    """What somebody types first, with the baseline model on demo data."""

    def test_the_first_command_of_the_readme_gives_the_table(self):
        ended = self.run_workflow("csa", "--source", "gCSI", *LOCAL)
        self.assertEqual(ended.code, 0, ended)
        self.assertIn("SYNTHETIC DEMO DATA", ended.out)
        self.assertIn("r2, mean over splits", ended.out)
        with open(self.path("runs/csa_baseline/scores/r2_mean_csa_table.csv")) as file:
            header, row = file.read().split()
        self.assertEqual(header, "src,CCLE,CTRPv2,GDSCv1,GDSCv2,gCSI")
        self.assertGreater(float(row.split(",")[5]), 0.5)


if __name__ == "__main__":
    unittest.main()
