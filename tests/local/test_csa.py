"""workflow_csa on this machine: refusals, what runs, what runs again, what the tables say."""
import glob
import os
import shlex
import shutil
import signal
import sys

from tests import keeper
from tests.campaign import ALL, FIVE, LOCAL, CampaignCase
from tests.support import (PATIENCE, REPOSITORY, RUN_MODEL, TOY_MODEL, WorkCase, wait_for,
                           write_benchmark)

MODEL, INFER = "models/A/split_0", "infer/A-B/split_1"
# ^C just when a task has been started and nobody knows of it yet.
INTERRUPTED_START = """
import os, signal, sys
sys.path.insert(0, {0!r})
import workflow_csa
from launcher import launch, local
real = local.Campaign._start
def start(*arguments):
    process = real(*arguments)
    os.kill(os.getpid(), signal.SIGINT)
    return process
local.Campaign._start = start
sys.exit(launch.main(workflow_csa.WORKFLOW))
"""


class RefusalsTest(WorkCase):
    """Exit code 2, one sentence and a hint, and nothing written."""

    def test_an_option_that_cannot_work_is_refused_in_one_sentence_with_a_hint(self):
        write_benchmark(self.path("raw"), ("A", "A-B", "B-C", "C"))
        self.write("file", "")
        for parts, arguments in (
                (("study 'CLE' of --source is not in", "one of A, A-B, B-C, C"),
                 ("--source", "CLE")),
                (("nothing to run",), ("--source", "A", "--target", "A", "--only_cross_study")),
                (("two tasks would write ml_data/A-B-C",),
                 ("--source", "A", "A-B", "--target", "B-C", "C")),
                (("control character",), ("--source", "A", "--train_args", "--x 'a\nb'")),
                (("cannot be written",), ("--source", "A", "--output_dir", "file/out"))):
            with self.subTest(arguments[:2]):
                self.assert_refused(self.run_toy(*LOCAL, *arguments), *parts)
                self.assertFalse(os.path.exists(self.path("out")), "something was written")

    def test_python_2_gets_a_sentence(self):
        old = os.path.expanduser("~/.pyenv/versions/2.7.18/bin/python")
        if not os.path.exists(old):
            self.skipTest("no Python 2.7 here")
        for name in ("csa", "lca", "hpo"):
            ended = self.run_command(old, os.path.join(REPOSITORY, f"workflow_{name}.py"))
            self.assert_refused(ended, "this is Python 2.7; Python 3.6 or newer is needed",
                                "try: python3")


class FinishedCase(CampaignCase):
    """A campaign that has ended well, to be run again after something has happened to it."""

    def setUp(self):
        super().setUp()
        self.have_toy(*LOCAL)
        self.before = self.score_values()

    def again(self, *arguments, code=0, **settings):
        """(how the same command ended, the tasks that it started)"""
        self.write("starts.txt", "")
        ended = self.run_toy(*LOCAL, *arguments, code=code, TOY_STARTS=self.path("starts.txt"),
                             **settings)
        return ended, self.started()

    def assert_nothing_runs(self, *arguments, done=ALL):
        ended, names = self.again(*arguments)
        self.assertEqual(names, [])
        self.assertIn(f"{done} done already, 0 to run", ended.out)


class AgainTest(FinishedCase):
    def test_every_pair_has_scores_and_the_same_command_runs_nothing(self):
        self.assertEqual(len(self.before), 8 * 6)
        self.assertIn("scores: 8 of 8", self.read("out/scores/summary.txt"))
        self.assert_nothing_runs()

    def test_what_was_deleted_or_cut_is_made_again_with_what_follows_it_and_ml_data_if_needed(self):
        self.write(f"out/{MODEL}/val_scores.json", "")
        self.assertEqual(self.again()[1], ["infer/A-A/split_0", "infer/A-B/split_0", MODEL])
        shutil.rmtree(self.path("out/ml_data"))
        self.assert_nothing_runs()
        shutil.rmtree(self.path("out", INFER))
        self.assertEqual(self.again()[1], [INFER, "ml_data/A-B/split_1"])
        self.assertEqual(self.score_values(), self.before)

    def test_a_moved_tree_model_project_or_environment_is_no_new_experiment(self):
        shutil.copytree(TOY_MODEL, self.path("elsewhere"))
        self.assert_nothing_runs("--model_dir", "elsewhere")
        os.makedirs(self.path("v/bin"))
        os.symlink(sys.executable, self.path("v/bin/python"))
        self.write("v/bin/activate", f"PATH={self.path('v/bin')}:$PATH\n")
        self.assert_nothing_runs("--env", f"venv:{self.path('v')}")
        os.rename(self.path("out"), self.path("moved"))
        os.rename(self.path("raw"), self.path("moved raw"))
        self.assert_nothing_runs("--output_dir", "moved", "--input_dir", "moved raw")

    def test_a_failed_stage_stops_only_what_depends_on_it_and_the_same_command_tries_it_again(self):
        for path in glob.glob(self.path("out/models/A")) + glob.glob(self.path("out/infer/A-*")):
            shutil.rmtree(path)
        model = "models/A/split_1"
        ended, _ = self.again(code=1, TOY_FAULTS="train A/split_1 exit:3")
        self.assertIn(f"{model}: exit code 3: toy: exit:3 as told", ended.err)
        self.assertFalse(os.path.exists(self.path("out/infer/A-A/split_1/log.txt")))
        self.assertEqual(len(self.score_values()), 6 * 6)
        self.assertEqual([(row["task"], row["stage"], row["failed_task"], row["exit_code"])
                          for row in self.table("missing.csv")],
                         [(f"infer/A-{target}/split_1", "train", model, "3") for target in "AB"])
        self.assertEqual(self.again()[1], ["infer/A-A/split_1", INFER, model])


class OptionsTest(CampaignCase):
    def test_a_dry_run_starts_nothing_and_a_line_of_it_works_by_hand(self):
        ended = self.run_toy(*LOCAL, "--dry_run", TOY_STARTS=self.path("starts.txt"))
        self.assertEqual((ended.code, self.started()), (0, []))
        self.assertIn("preprocess_0: 4 tasks in 4 jobs, preprocess.sbatch\n", ended.out)
        tasks, = glob.glob(self.path("out/launches/*/preprocess_0.tasks"))
        self.run_command("bash", RUN_MODEL, "--task", tasks, "0", code=0)
        self.assertEqual(self.status_of("ml_data/A-A/split_0")["state"], "done")
        self.assertIn("1 done already", self.run_toy(*LOCAL, "--dry_run").out)

    def test_a_dry_run_for_slurm_works_without_a_controller(self):
        ended = self.run_toy("--executor", "slurm", "--dry_run", "--max_running", "3", code=0)
        self.assertIn("\n  train: 4 tasks in 4 jobs, train.sbatch\n", ended.out)
        script, = glob.glob(self.path("out/launches/*/train.sbatch"))
        self.assertIn("--array=0-3%3\n", self.read(script))


class TerminalTest(CampaignCase):
    def test_a_closed_or_full_standard_output_is_no_traceback_and_the_work_is_done(self):
        command = " ".join(map(shlex.quote, self.command(*FIVE, "--target", "A",
                                                         "--redo", "preprocess")))
        for redirection, said in ((">&-", ""), (">/dev/full", "standard output cannot be written"),
                                  ("2>/dev/full", "")):
            with self.subTest(redirection):
                ended = self.run_command("bash", "-c", f"{command} {redirection}", code=0)
                self.assertNotIn("Exception", ended.err)
                self.assertIn(said, ended.err)
                self.assertEqual(self.status_of("infer/A-A/split_0")["state"], "done")


class InterruptedTest(CampaignCase):
    def wait_until_nothing_is_left(self):
        """A process that was killed may need a moment to die."""
        wait_for(lambda: not any(self.path("out").encode() in keeper.read_proc(pid, "cmdline")
                                 for pid in keeper.processes()), "the end of all tasks")

    def test_interrupting_stops_the_tasks_and_the_same_command_goes_on(self):
        allocation = {"SLURM_JOB_ID": "77", "SLURM_CPUS_PER_TASK": "64", "SLURMD_NODENAME": "n9"}
        process = self.start_campaign(
            *FIVE, TOY_FAULTS=f"train A wait:{self.path('never')}",
            **allocation)       # which mean nothing here
        found = self.wait_for_state(MODEL, "running")
        self.assertEqual((found["slurm_job"], found["host"]), ("", os.uname().nodename))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 130)
        self.assertIn("the same command (without --redo) goes on", errors)
        self.assertEqual(self.status_of(MODEL)["state"], "interrupted")
        self.wait_until_nothing_is_left()
        self.run_toy(*LOCAL, *FIVE, code=0)

    def test_interrupting_in_the_middle_of_a_start_leaves_no_task(self):
        process = self.start(sys.executable, "-c", INTERRUPTED_START.format(REPOSITORY),
                             *self.command()[2:],
                             TOY_FAULTS=f"preprocess ml_data wait:{self.path('never')}")
        _, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 130, errors)
        self.wait_until_nothing_is_left()

    def test_a_run_under_nohup_survives_the_end_of_its_terminal(self):
        process = self.start("nohup", *self.command(*FIVE),
                             TOY_STARTS=self.path("starts.txt"))
        wait_for(lambda: os.path.exists(self.path("starts.txt")), "the first task")
        process.send_signal(signal.SIGHUP)
        _, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, errors)


class ForeignTreeTest(FinishedCase):
    """Outputs that IMPROVE's own scripts wrote: no status files."""

    def setUp(self):
        super().setUp()
        for path in glob.glob(self.path("out/*/*/*/stage_status.json")):
            os.unlink(path)
        for name in ("launches", "scores"):
            shutil.rmtree(self.path("out", name))

    def test_they_are_refused_and_the_collector_reads_them(self):
        self.assert_refused(self.run_toy(*LOCAL), "holds outputs without a stage_status.json",
                            "--adopt", "--redo")
        self.collect("out", "--model_name", "toy", code=0)
        self.assertEqual(self.score_values(), self.before)

    def test_adopt_takes_what_is_complete_as_done(self):
        os.unlink(self.path("out/infer/A-B/split_0/test_scores.json"))
        self.assertEqual(self.again("--adopt")[1], ["infer/A-B/split_0"])
        adopted = self.status_of(INFER)
        self.assertEqual((adopted["reason"], set(adopted["made_from"])),
                         ("adopted", {"ml_data/A-B/split_1", "models/A/split_1"}))

    def test_a_tree_that_holds_only_infer_counts_as_it_is(self):
        for name in ("ml_data", "models"):
            shutil.rmtree(self.path("out", name))
        self.assert_refused(self.again("--adopt", "--dry_run", code=2)[0],
                            "--adopt and --dry_run are given together")
        ended, names = self.again("--adopt")
        self.assertEqual(names, [])
        self.assertIn("adopted 8 outputs", ended.out)
        self.assertEqual(self.score_values(), self.before)

    def test_redo_makes_a_stage_and_what_follows_it_anew(self):
        self.assertEqual(len(self.again("--redo", "preprocess", *FIVE)[1]), 5)


class OldTreeTest(WorkCase):
    """tests/old_tree was written by the version before statuses held arguments."""

    def test_the_collector_makes_the_same_tables_and_a_launcher_adopts_it(self):
        shutil.copytree(os.path.join(REPOSITORY, "tests", "old_tree"), self.path("out"))
        write_benchmark(self.path("raw"), ("A", "B"), splits=1)
        expected = self.read("out/scores/all_scores.csv")
        os.unlink(self.path("out/scores/all_scores.csv"))
        self.collect("out", code=0)
        self.assertEqual(self.read("out/scores/all_scores.csv"), expected)
        self.assert_refused(self.run_toy(*LOCAL, "--source", "A"),
                            "was written by an older version", "--adopt")
        ended = self.run_toy(*LOCAL, "--source", "A", "--adopt", TOY_STARTS=self.path("starts.txt"),
                             code=0)
        self.assertIn("5 done already, 0 to run", ended.out)
        self.assertEqual(self.started(), [])
        self.assertEqual(self.read("out/scores/all_scores.csv"), expected)
