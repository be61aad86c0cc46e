"""run_model.sh: words, verdicts, inputs, retries, signals."""
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import unittest
from unittest import mock

from runner.task import Task, tasks_of_file
from tests.runner_case import PREPROCESS, TRAIN, RunnerCase
from tests.support import PATIENCE, RUN_MODEL, wait_for


class SettingsTest(RunnerCase):
    def test_settings_that_are_no_numbers_are_refused(self):
        for name in ("RETRIES", "LATENCY_WAIT", "TASKS_AT_ONCE"):
            self.assert_refused(self.preprocess(**{name: "abc"}), f"{name} is 'abc', not a whole number", "leave it out")

    def test_a_damaged_status_is_no_status(self):
        for damage in ({"words": None}, {"words": 5}, {"kept": "x"}, {"made_from": []}):
            self.assertEqual(self.preprocess().code, 0)
            status = self.out_status("out/ml_data/A-A/split_0")
            self.write("out/ml_data/A-A/split_0/stage_status.json", json.dumps(dict(status, **damage)))
            ended = self.preprocess()
            self.assertEqual((ended.code, ended.err), (0, ""))
            self.assertEqual(self.out_status("out/ml_data/A-A/split_0")["state"], "done")

    def test_lines_that_name_one_environment_in_two_ways_are_of_one(self):
        os.makedirs(self.path("v"))
        line = f"{PREPROCESS} --input_dir raw --output_dir out/ml_data/A-A/split_"
        self.write("t.tasks", f"venv:v {line}0\nvenv:{self.path('v')}/ {line}1\n")
        with mock.patch("os.getcwd", lambda: self.work):
            self.assertEqual(len({task.words[0] for task in tasks_of_file(self.path("t.tasks"), 0, 2)}), 1)

    def test_the_last_word_on_scores_counts(self):
        words = ["none", "toy_infer_improve.py", "--output_dir", "o", "--calc_infer_scores", "true"]
        self.assertEqual(Task(words).required, ("test_scores.json",))
        self.assertEqual(Task(words + ["--calc_infer_scores", "false"]).required, ("test_y_data_predicted.csv",))


class WordsTest(RunnerCase):
    def words_that_arrive(self, words):
        with open(self.path("echo.py"), "w") as file:
            file.write("import json, sys\njson.dump(sys.argv[1:], open('argv.json', 'w'))\n")
        with open(self.path("t.tasks"), "w", encoding="utf-8") as file:
            file.write("\n" + " ".join(map(shlex.quote, ["none", self.path("echo.py"), *words])) + "\n")
        ended = self.run_model("--task", "t.tasks", "1")
        self.assertEqual(ended.code, 0, ended)
        with open(os.path.join(words[words.index("--output_dir") + 1], "argv.json")) as file:
            return json.load(file)

    def test_words_of_a_task_file_arrive_as_they_were_quoted(self):
        words = ["--output_dir", self.path("o 'p\" $x;é"), "", "a b", "it's", "\"", "`id`", "$(id)", "\\", "&|<>*?~", "'''", "x=y"]
        self.assertEqual(self.words_that_arrive(words), words)

    def test_the_words_stand_in_the_status(self):
        words = ["--output_dir", self.path("out"), "\\\"é\\", "&"]
        self.words_that_arrive(words)
        self.assertEqual(self.out_status("out")["words"][2:], words)

    def test_an_index_that_the_file_lacks_is_refused(self):
        with open(self.path("t.tasks"), "w") as file:
            file.write("none x.py --output_dir out\n")
        self.assert_refused(self.run_model("--task", "t.tasks", "1"), "line 2 of", "is not a task")

    def test_an_unclosed_quote_is_refused(self):
        with open(self.path("t.tasks"), "w") as file:
            file.write("none 'x.py --output_dir out\n")
        self.assert_refused(self.run_model("--task", "t.tasks", "0"), "is not a task")

    def test_count_runs_the_lines_behind_it_and_exits_0_with_every_verdict(self):
        with open(self.path("t.tasks"), "w") as file:
            for part, code in (("a", 0), ("b", 3), ("c", 0)):
                file.write(f"none {self.path('exit.py')} --output_dir {self.path('out', part)} {code}\n")
        with open(self.path("exit.py"), "w") as file:
            file.write("import sys\nsys.exit(int(sys.argv[-1]))\n")
        self.assertEqual(self.run_model("--task", "t.tasks", "0", "3").code, 0)
        self.assertEqual([self.out_status("out", part)["state"] for part in "abc"], ["done", "failed", "done"])

    def test_help_is_the_header(self):
        self.assertIn("bash run_model.sh --task FILE INDEX [COUNT]", self.run_model("--help").out)


class VerdictTest(RunnerCase):
    def test_done_is_exit_code_0_and_the_files_there(self):
        self.assertEqual(self.preprocess().code, 0)
        status = self.out_status("out/ml_data/A-A/split_0")
        self.assertEqual((status["state"], status["exit_code"], status["attempt"]), ("done", 0, 1))
        self.assertEqual(set(status["files"]), {"train_y_data.csv", "val_y_data.csv", "test_y_data.csv"})

    def test_missing_files_after_exit_code_0_are_a_failure(self):
        self.assertEqual(self.preprocess(TOY_FAULTS="preprocess A nofile").code, 1)
        self.assertEqual(self.out_status("out/ml_data/A-A/split_0")["reason"], "exit code 0, but train_y_data.csv is missing (its last words: toy: nofile as told)")

    def test_a_score_that_is_not_finite_is_a_failure(self):
        self.preprocess()
        self.assertEqual(self.train(TOY_FAULTS="train A nan").code, 1)
        self.assertEqual(self.out_status("out/models/A/split_0")["reason"], "exit code 0, but val_scores.json holds no finite score (its last words: toy: nan as told)")

    def test_old_outputs_do_not_pass_for_new_ones(self):
        self.preprocess()
        self.train()
        self.assertEqual(self.train(TOY_FAULTS="train A nofile").code, 1)
        self.assertFalse(os.path.exists(self.path("out/models/A/split_0/val_scores.json")))

    def test_the_exit_code_of_the_stage_is_passed_on(self):
        self.preprocess()
        self.assertEqual(self.train(TOY_FAULTS="train A exit:7").code, 7)
        self.assertEqual(self.out_status("out/models/A/split_0")["reason"], "exit code 7: toy: exit:7 as told")

    def test_always_exit_zero_keeps_the_verdict(self):
        self.preprocess()
        self.assertEqual(self.train(TOY_FAULTS="train A exit:7", ALWAYS_EXIT_ZERO="1").code, 0)
        self.assertEqual(self.out_status("out/models/A/split_0")["state"], "failed")

    def test_a_killed_stage_names_the_signal(self):
        self.preprocess()
        self.assertEqual(self.train(TOY_FAULTS="train A kill").code, 137)
        self.assertEqual(self.out_status("out/models/A/split_0")["reason"], "killed by signal KILL (out of memory?): toy: kill as told")

    def test_retries_count_as_attempts_and_append_to_the_log(self):
        self.preprocess()
        self.assertEqual(self.train(TOY_FAULTS="train A exit:7", RETRIES="2").code, 7)
        self.assertEqual(self.out_status("out/models/A/split_0")["attempt"], 3)
        with open(self.path("out/models/A/split_0/log.txt")) as file:
            self.assertEqual(file.read().count("=== attempt"), 3)

    def test_a_full_disk_is_the_reason(self):
        with open(self.path("full_train_improve.py"), "w") as file:
            file.write("open('/dev/full', 'w').write('x' * 100000)\n")
        self.run_model("none", "full_train_improve.py", "--output_dir", "out")
        self.assertEqual(self.out_status("out")["reason"], "exit code 1: OSError: [Errno 28] No space left on device")

    def test_a_missing_script_is_said(self):
        self.assertEqual(self.run_model("none", "nothing.py", "--output_dir", "out").code, 1)
        self.assertEqual(self.out_status("out")["reason"], f"stage script {self.path('nothing.py')} does not exist")

    def test_an_environment_that_is_not_there_is_said(self):
        for spec in ("venv:/nowhere", "conda:/nowhere", "apptainer:/nowhere.sif", "module:nothing"):
            self.assertEqual(self.run_model(spec, TRAIN, "--output_dir", "out").code, 1)
            self.assertIn(f"environment {spec} could not be activated", self.out_status("out")["reason"])

    def test_a_virtual_environment_brings_its_python(self):
        os.makedirs(self.path("v/bin"))
        with open(self.path("v/bin/activate"), "w") as file:
            file.write(f"PATH={self.path('v/bin')}:$PATH\necho $UNSET_VARIABLE >/dev/null\nfalse\ntrue\n")
        with open(self.path("v/bin/python"), "w") as file:
            file.write(f"#!/bin/sh\necho called: \"$@\"\nexec {sys.executable} \"$@\"\n")
        os.chmod(self.path("v/bin/python"), 0o755)
        self.assertEqual(self.run_model("venv:v", "x.py", "--output_dir", "out").code, 1)
        with open(self.path("x.py"), "w"):
            pass
        self.assertEqual(self.run_model("venv:v", "x.py", "--output_dir", "out").code, 0)
        with open(self.path("out/log.txt")) as file:
            self.assertIn(f"called: {self.path('x.py')} --output_dir {self.path('out')}", file.read())


class InputsTest(RunnerCase):
    def test_what_a_task_is_made_from_stands_in_its_status(self):
        self.preprocess()
        self.train()
        made_from = self.out_status("out/models/A/split_0")["made_from"]
        parent = self.out_status("out/ml_data/A-A/split_0")
        self.assertEqual(made_from, {"ml_data/A-A/split_0": {key: parent[key] for key in ("stamp", "words", "script", "out")}})

    def test_a_failed_input_is_a_failed_parent_at_once(self):
        self.preprocess(TOY_FAULTS="preprocess A exit:1")
        started = time.time()
        self.assertEqual(self.train(LATENCY_WAIT="60").code, 1)
        self.assertLess(time.time() - started, 30)
        self.assertEqual(self.out_status("out/models/A/split_0")["reason"], "parent failed: ml_data/A-A/split_0 is failed")

    def test_an_input_without_a_status_is_a_failed_parent(self):
        os.makedirs(self.path("out/ml_data/A-A/split_0"))
        self.assertEqual(self.train().code, 1)
        self.assertEqual(self.out_status("out/models/A/split_0")["reason"], "parent failed: ml_data/A-A/split_0 is without a status")

    def test_a_cut_status_of_an_input_is_not_done(self):
        self.preprocess()
        text = self.read("out/ml_data/A-A/split_0/stage_status.json")
        self.write("out/ml_data/A-A/split_0/stage_status.json", text[:len(text) // 2])
        self.assertEqual(self.train().code, 1)
        self.assertEqual(self.out_status("out/models/A/split_0")["reason"], "parent failed: ml_data/A-A/split_0 is without a status")

    def test_an_input_that_appears_late_is_waited_for(self):
        self.preprocess()
        os.rename(self.path("out/ml_data"), self.path("elsewhere"))
        process = self.start("bash", RUN_MODEL, "none", TRAIN, "--input_dir", "out/ml_data/A-A/split_0",
                             "--output_dir", "out/models/A/split_0", LATENCY_WAIT="60")
        time.sleep(1.5)
        os.rename(self.path("elsewhere"), self.path("out/ml_data"))
        process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0)

    def test_other_inputs_have_to_exist(self):
        self.assertEqual(self.run_model("none", PREPROCESS, "--input_dir", "raw", "--output_dir", "out/ml_data/x").code, 1)
        self.assertEqual(self.out_status("out/ml_data/x")["reason"], f"input {self.path('raw')} does not exist")

    def test_judging_writes_the_status_of_what_another_program_left(self):
        self.preprocess()
        self.train()
        os.unlink(self.path("out/models/A/split_0/stage_status.json"))
        words = ["none", TRAIN, "--input_dir", "out/ml_data/A-A/split_0", "--output_dir", "out/models/A/split_0"]
        self.assertEqual(self.run_model("--judge", *words).code, 0)
        self.assertEqual(self.out_status("out/models/A/split_0")["reason"], "adopted")
        os.unlink(self.path("out/models/A/split_0/val_scores.json"))
        self.assertEqual(self.run_model("--judge", *words).code, 1)


class SignalTest(RunnerCase):
    def test_a_signal_is_passed_on_and_the_task_is_interrupted(self):
        with open(self.path("slow_train_improve.py"), "w") as file:
            file.write("import signal, sys, time\n"
                       "signal.signal(signal.SIGTERM, lambda *a: (print('told to stop', flush=True), sys.exit(0)))\n"
                       "print('started', flush=True)\ntime.sleep(60)\n")
        process = self.start("bash", RUN_MODEL, "none", "slow_train_improve.py", "--output_dir", "out", RETRIES="3")
        self.wait_for_text("out/log.txt", "started")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 143)
        status = self.out_status("out")
        self.assertEqual((status["state"], status["reason"], status["attempt"]), ("interrupted", "signal TERM", 1))
        self.wait_for_text("out/log.txt", "told to stop")

    def test_a_signal_that_reaches_the_stage_first_is_the_runner_s_too(self):
        self.write("slow_train_improve.py", "import os, time\nprint('started', os.getpid(), flush=True)\ntime.sleep(60)\n")
        process = self.start("bash", RUN_MODEL, "none", "slow_train_improve.py", "--output_dir", "out")
        self.wait_for_text("out/log.txt", "started")
        stage = int(re.search(r"^started (\d+)$", self.read("out/log.txt"), re.MULTILINE).group(1))
        os.kill(stage, signal.SIGTERM)
        wait_for(lambda: not os.path.exists(f"/proc/{stage}"), "the end of the stage")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
        self.assertEqual((process.returncode, self.out_status("out")["state"]), (143, "interrupted"))

    def test_an_attempt_that_was_given_up_leaves_the_status_of_the_next_one(self):
        self.write("slow_train_improve.py", "import time\nprint('started', flush=True)\ntime.sleep(60)\n")
        process = self.start("bash", RUN_MODEL, "none", "slow_train_improve.py", "--output_dir", "out")
        self.wait_for_text("out/log.txt", "started")
        other = self.read("out/stage_status.json").replace('"stamp": "', '"stamp": "another ').replace('"running"', '"done"')
        self.write("out/stage_status.json", other)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 143)
        self.assertEqual(self.read("out/stage_status.json"), other)

    def wait_for_text(self, name, text):
        for _ in range(300):
            if os.path.exists(self.path(name)) and text in self.read(name):
                return
            time.sleep(0.1)
        self.fail(f"{text!r} did not come into {name}")

    def test_threads_are_held_to_the_cores_of_the_task(self):
        with open(self.path("show.py"), "w") as file:
            file.write("import os\nprint([os.environ.get(n) for n in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS')])\n")
        self.run_model("none", "show.py", "--output_dir", "out", SLURM_CPUS_PER_TASK="3", MKL_NUM_THREADS="5")
        self.assertIn("['3', '5']", self.read("out/log.txt"))


class TaskOfALaunchTest(RunnerCase):
    """Lines of a .tasks file in OUT/launches: what this launch, or another one, has done already."""

    def launch(self, name, *more):
        """A launch that trains; its .tasks file."""
        words = ["none", TRAIN, "--input_dir", self.path("out/ml_data/A-A/split_0"), "--output_dir", self.path("out/models/A/split_0"), *more]
        os.makedirs(self.path(f"out/launches/{name}"))
        self.write(f"out/launches/{name}/runs.tsv", "models/A/split_0\tnever_run\n")
        self.write(f"out/launches/{name}/train.tasks", " ".join(map(shlex.quote, words)) + "\n")
        return f"out/launches/{name}/train.tasks"

    def train_started(self, tasks, **settings):
        """(exit code, whether the stage was started)"""
        self.write("starts.txt", "")
        ended = self.run_model("--task", tasks, "0", TOY_STARTS=self.path("starts.txt"), **settings)
        return ended.code, "train" in self.read("starts.txt")

    def test_a_line_that_this_launch_has_done_is_not_run_again(self):
        self.preprocess()
        tasks = self.launch("L1")
        self.assertEqual(self.train_started(tasks), (0, True))
        self.assertEqual(self.train_started(tasks), (0, False))
        os.unlink(self.path("out/models/A/split_0/val_scores.json"))
        self.assertEqual(self.train_started(tasks), (0, True))

    def test_what_an_older_launch_ended_since_this_one_was_planned_is_its_own(self):
        self.preprocess()
        old, new = self.launch("L1"), self.launch("L2")
        self.assertEqual(self.train_started(old), (0, True))
        self.assertEqual(self.train_started(new), (0, False))
        self.assertEqual(self.out_status("out/models/A/split_0")["launch"], "L2")

    def test_what_was_done_before_this_launch_was_planned_runs(self):
        self.preprocess()
        self.train_started(self.launch("L1"))
        time.sleep(0.02)
        self.assertEqual(self.train_started(self.launch("L2")), (0, True))

    def test_other_words_run(self):
        self.preprocess()
        old, new = self.launch("L1"), self.launch("L2", "--epochs", "3")
        self.train_started(old)
        self.assertEqual(self.train_started(new), (0, True))

    def test_an_attempt_that_cannot_start_touches_no_finished_result(self):
        self.preprocess()
        self.train_started(self.launch("L1"))
        scores = self.read("out/models/A/split_0/val_scores.json")
        words = ["conda:nope", TRAIN, "--input_dir", self.path("out/ml_data/A-A/split_0"), "--output_dir",
                 self.path("out/models/A/split_0"), "--epochs", "3"]
        self.assertEqual(self.run_model(*words).code, 1)
        self.assertEqual((self.out_status("out/models/A/split_0")["state"], self.read("out/models/A/split_0/val_scores.json")),
                         ("failed", scores))
        self.assertEqual(self.train_started(self.launch("L2")), (0, False))
        self.assertEqual(self.out_status("out/models/A/split_0")["state"], "done")

    def test_an_input_of_an_older_launch_is_waited_for_if_this_launch_runs_it(self):
        self.preprocess()
        tasks = self.launch("L2")
        self.write("out/launches/L2/runs.tsv", "ml_data/A-A/split_0\tredo\nmodels/A/split_0\tfollows\n")
        process = self.start("bash", RUN_MODEL, "--task", tasks, "0", LATENCY_WAIT="60")
        time.sleep(1.5)
        self.assertIsNone(process.poll())
        status = self.out_status("out/ml_data/A-A/split_0")
        self.write("out/ml_data/A-A/split_0/stage_status.json", json.dumps(dict(status, launch="L2", stamp="new")))
        process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(self.out_status("out/models/A/split_0")["made_from"]["ml_data/A-A/split_0"]["stamp"], "new")

    def test_an_index_is_decimal(self):
        self.preprocess()
        tasks = self.launch("L1")
        self.write(tasks, "\n" * 8 + self.read(tasks))
        self.assertEqual(self.train_started(tasks.replace("train.tasks", "train.tasks"))[0], 2)
        self.assertEqual(self.run_model("--task", tasks, "08").code, 0)
        self.assert_refused(self.run_model("--task", tasks, "0x8"), "whole numbers")


class LinksTest(RunnerCase):
    """Links that somebody has planted in a task's directory are not followed for writing."""

    def test_a_link_in_place_of_the_log_is_replaced(self):
        os.makedirs(self.path("out/ml_data/A-A/split_0"))
        self.write("outside.txt", "precious")
        os.symlink(self.path("outside.txt"), self.path("out/ml_data/A-A/split_0/log.txt"))
        self.assertEqual(self.preprocess().code, 0)
        self.assertEqual(self.read("outside.txt"), "precious")
        self.assertIn("=== attempt 1", self.read("out/ml_data/A-A/split_0/log.txt"))

    def test_a_link_in_place_of_the_task_s_directory_is_a_failure(self):
        os.makedirs(self.path("out/ml_data/A-A"))
        os.makedirs(self.path("outside"))
        os.symlink(self.path("outside"), self.path("out/ml_data/A-A/split_0"))
        ended = self.preprocess()
        self.assertEqual((ended.code, os.listdir(self.path("outside"))), (1, []))
        self.assertIn("it is a link to", ended.err)

    def test_a_results_tree_behind_a_link_works(self):
        os.makedirs(self.path("scratch"))
        os.symlink(self.path("scratch"), self.path("out"))
        self.assertEqual(self.preprocess().code, 0)


class ShellcheckTest(unittest.TestCase):
    @unittest.skipUnless(shutil.which("shellcheck"), "shellcheck is not installed")
    def test_every_bash_file_is_clean(self):
        folder = os.path.dirname(RUN_MODEL)
        files = [RUN_MODEL, os.path.join(folder, ".ci", "run")]
        done = subprocess.run(["shellcheck", *files], stdout=subprocess.PIPE, universal_newlines=True)
        self.assertEqual(done.stdout, "")


if __name__ == "__main__":
    unittest.main()
