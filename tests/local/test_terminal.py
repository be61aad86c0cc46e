"""What the launchers print if standard output is closed or full; what they check before anything starts."""
import os
import shlex
import sys
from types import SimpleNamespace

from launcher import progress
from launcher.tasks import Task
from tests.support import REPOSITORY, TOY_MODEL, WorkCase


class TerminalTest(WorkCase):
    def shell(self, redirection):
        """The toy campaign in a shell that redirects its output so."""
        self.run_toy("--executor", "local", "--source", "A", "--target", "A", "--split", "0", "--dry_run")
        words = [sys.executable, os.path.join(REPOSITORY, "workflow_csa.py"), "--model", "toy", "--model_dir", TOY_MODEL, "--input_dir", "raw",
                 "--output_dir", "out", "--executor", "local", "--source", "A", "--target", "A", "--split", "0"]
        ended = self.run_command("bash", "-c", f"set -o pipefail; {' '.join(map(shlex.quote, words))} {redirection}")
        self.assertNotIn("Traceback", ended.err)
        self.assertNotIn("Exception", ended.err)
        return ended

    def test_a_closed_standard_output_is_no_traceback_and_the_work_is_done(self):
        self.assertEqual(self.shell(">&-").code, 0)
        self.assertEqual(self.status_of("infer/A-A/split_0")["state"], "done")

    def test_a_full_standard_output_is_no_traceback_and_the_work_is_done(self):
        ended = self.shell(">/dev/full")
        self.assertEqual(ended.code, 0)
        self.assertIn("standard output cannot be written", ended.err)
        self.assertEqual(self.status_of("infer/A-A/split_0")["state"], "done")

    def test_progress_names_what_runs(self):
        for stage, more, words in (("train", {"split": 3}, "train S split 3"), ("infer", {"split": 0, "target": "T"}, "infer S-T split 0"),
                                   ("train", {"split": 0, "size": 64}, "train S split 0 size 64"),
                                   ("trial", {"labels": {"trial": 7}}, "trial 7 S")):
            task = Task("name", stage, "array", 0, (), source="S", **more)
            self.assertEqual(progress.label(SimpleNamespace(stage=stage, tasks=[task])), words)

    def test_json_alone_starts_nothing(self):
        ended = self.run_toy("--executor", "local", "--json")
        self.assert_refused(ended, "there is no launch")

    def test_hyphens_are_accepted_and_what_is_misspelt_gets_a_suggestion(self):
        self.assertEqual(self.run_toy("--executor", "local", "--dry-run", "--only-cross-study").code, 0)
        for words, near in ((["--sorce", "A"], "--source"), (["status"], "--status"), (["--max-runing", "3"], "--max_running")):
            self.assert_refused(self.run_toy("--executor", "local", *words), "unrecognized arguments", f"did you mean {near}?")

    def test_status_and_cancel_are_given_one_at_a_time(self):
        self.assert_refused(self.run_toy("--status", "--cancel"), "--status and --cancel are given together")

    def test_cancel_with_nothing_to_cancel_says_so(self):
        self.have_toy("--executor", "local")
        ended = self.run_toy("--executor", "local", "--cancel")
        self.assertEqual((ended.code, ended.out), (0, "nothing to cancel: nothing of this run waits or runs\n"))

    def test_a_dry_run_says_what_it_promises_also_if_nothing_is_to_run(self):
        ended = self.run_toy("--executor", "local", "--dry_run")
        for part in ("preprocess_0: 4 tasks, preprocess.sbatch", "waits for preprocess_0 (aftercorr)", "first train:\n  none ",
                     "one task by hand:"):
            self.assertIn(part, ended.out)
        self.have_toy("--executor", "local")
        self.assertIn("dry run: 20 tasks", self.run_toy("--executor", "local", "--dry_run").out)

    def test_a_dry_run_for_slurm_works_without_a_controller(self):
        ended = self.run_toy("--executor", "slurm", "--dry_run")
        self.assertEqual(ended.code, 0, ended)
        self.assertIn("MaxArraySize 1001 is assumed", ended.out)
        self.assertIn("train=$(sbatch --parsable --dependency=aftercorr:$preprocess_0 ", ended.out)

    def test_an_environment_is_checked_before_anything_starts(self):
        os.makedirs(self.path("v/bin"))
        self.write("v/bin/activate", "echo it is broken\nreturn 1\n")
        self.assert_refused(self.run_toy("--executor", "local", "--env", "venv:v"), "cannot be activated on this machine: it is broken")
        self.assertFalse(os.path.exists(self.path("out")))
        ended = self.run_toy("--executor", "slurm", "--env", "conda:x", "--dry_run", PATH="/usr/bin:/bin")
        self.assertIn("--env conda:x cannot be checked on this machine", ended.out)
        ended = self.run_toy("--executor", "local", "--env", "conda:x", PATH="/usr/bin:/bin")
        self.assert_refused(ended, "no conda was found")    # the tasks run on this machine

    def test_an_option_of_the_model_s_own_is_told_where_to_go(self):
        self.assert_refused(self.run_toy("--learning_rat", "0.1"), "unrecognized arguments", '--train_args "--learning_rate 0.1"')

    def test_a_dry_run_says_what_the_run_would_refuse(self):
        self.have_toy("--executor", "local")
        ended = self.run_toy("--executor", "local", "--epochs", "9", "--dry_run")
        self.assertEqual(ended.code, 0, ended)
        self.assertIn("dry run: without --replace this would be refused: train --epochs: not given -> 9", ended.out)

    def test_a_command_to_go_on_with_does_not_redo_again(self):
        self.run_toy("--executor", "local", "--split", "0", "--redo", "train", TOY_FAULTS="infer infer/A-B exit:3")
        ended = self.run_toy("--status")
        self.assertIn("to run what is not done:\n", ended.out)
        self.assertNotIn("--redo", ended.out.partition("to run what is not done:")[2])
