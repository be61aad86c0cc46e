"""run_model.sh: calls, verdicts, files, inputs, signals."""
import glob
import json
import os
import re
import shutil
import signal
import time
import unittest
import zlib

from tests.runner_case import DATA, MODEL, TRAIN, RunnerCase
from tests.support import PATIENCE, REPOSITORY, RUN_MODEL, wait_for

SCORES = "import sys\nopen(f'{sys.argv[2]}/val_scores.json', 'w').write('{\"mse\": 1}')\n"
SLOW = "import os, time\nprint('started', os.getpid(), flush=True)\ntime.sleep(600)\n"


class CallsTest(RunnerCase):
    def test_arguments_arrive_as_they_were_quoted(self):
        self.write("echo.py", "import json, sys\njson.dump(sys.argv[1:], open('argv.json', 'w'))\n")
        arguments = ["--output_dir", self.path("o 'p\" $x;é"), "--texts", "", "a b", "it's", "\"",
                     "`id`", "$(id)", "\\", "&|<>*?~", "'''", "x=y"]
        self.write_tasks("a/t.tasks", [], ["none", self.path("echo.py"), *arguments])
        self.run_model("--task", "a/t.tasks", "1", code=0)
        self.assertEqual(json.loads(self.read("argv.json")), arguments)

    def test_count_runs_the_lines_behind_it_and_exits_0_with_every_verdict(self):
        self.write("exit.py", "import sys\nsys.exit(int(sys.argv[-1]))\n")
        self.write_tasks("a/t.tasks", *[
            ["none", self.path("exit.py"), "--output_dir", self.path("out", code), "--code", code]
            for code in ("0", "3", "0")], [])
        for lines in ("0 3", "2 1 a/t.tasks 0 2"):
            self.run_model("--task", "a/t.tasks", *lines.split(), code=0)
            found = [self.out_status("out", code) for code in "03"]
            self.assertEqual([status["state"] for status in found], ["done", "failed"])
            self.assertEqual(found[0]["pid"], found[1]["pid"])
        self.run_model("--task", "a/t.tasks", "01", code=3)
        self.run_model("--task", "a/t.tasks", "1", ALWAYS_EXIT_ZERO="1", code=0)

    def test_a_malformed_call_is_refused_with_a_hint(self):
        self.assert_refused(self.run_model("--task", "t.tasks", "0"), "run_model: error: task ",
                            "t.tasks: cannot be read", "\n  try: a .tasks file of OUT/launches")
        self.assertIn("run_model.sh --task FILE INDEX [COUNT]...", self.run_model("--help").out)


class VerdictTest(RunnerCase):
    def test_a_status_holds_what_a_launcher_and_a_collector_need(self):
        self.write("raw/splits/A.txt", "1\n")
        self.write("own.txt", "2\n")
        own = self.path("own.txt")
        self.preprocess("--train_split_file", "A.txt", "--val_split_file", "./own.txt", code=0)
        self.train("--epochs", "3", code=0)
        data, status = self.out_status(DATA), self.out_status(MODEL)
        self.assertEqual(data["read_files"], {
            name: [2, os.stat(path).st_mtime_ns, zlib.crc32(self.read(path).encode())]
            for name, path in (("A.txt", self.path("raw/splits/A.txt")), (own, own))})
        self.assertEqual(sorted(data["files"]),
                         ["test_y_data.csv", "train_y_data.csv", "val_y_data.csv"])
        made_from = {key: data[key]
                     for key in ("stamp", "arguments", "script_fingerprint", "read_files")}
        expected = {"launch": "", "task": "models/A/split_0", "stage": "train", "state": "done",
                    "exit_code": 0, "attempt": 1, "environment": "none", "script": TRAIN,
                    "notes": [], "rebuild": False, "made_from": {"ml_data/A-A/split_0": made_from},
                    "arguments": {"input_dir": "ml_data/A-A/split_0", "epochs": "3",
                                  "output_dir": "models/A/split_0"}}
        self.assertEqual({key: status[key] for key in expected}, expected)

    def test_each_fault_of_a_stage_has_its_reason(self):
        self.preprocess()
        self.train()    # whose files may not pass for those of the next attempt
        for fault, code, reason in (
                ("nofile", 1, "exit code 0, but val_scores.json is missing "
                              "(its last line: toy: nofile as told)"),
                ("exit:7", 7, "exit code 7: toy: exit:7 as told"),
                ("kill", 137, "killed by signal KILL (out of memory?)"),
                ("nan", 1, "exit code 0, but val_scores.json holds no finite score"),
                ("empty", 1, "exit code 0, but val_scores.json is missing ")):
            self.train(TOY_FAULTS=f"train A {fault}", code=code)
            self.assertIn(reason, self.out_status(MODEL)["reason"])
        self.assertEqual(self.read(MODEL, "log.txt").count("=== attempt"),
                         self.out_status(MODEL)["attempt"])

    def test_a_split_file_that_changes_while_it_is_read_fails_the_task(self):
        self.write("raw/splits/A.txt", "1\n")
        _, status = self.run_script(
            "import sys\nfor part in ('train', 'val', 'test'):\n"
            "    open(f'{sys.argv[2]}/{part}_y_data.csv', 'w').write('x')\n"
            "open('raw/splits/A.txt', 'w').write('2')\n", "--input_dir", "raw",
            "--train_split_file", "A.txt", name="own_preprocess_improve.py")
        self.assertEqual((status["state"], status["reason"]),
                         ("failed", "A.txt was changed meanwhile"))

    def test_predictions_of_which_no_score_can_be_computed_fail_the_task(self):
        _, status = self.run_script(
            "import sys\nopen(f'{sys.argv[2]}/test_y_data_predicted.csv', 'w').write("
            "'auc_true,auc_pred\\n1,nan\\n')\n", name="own_infer_improve.py")
        self.assertEqual(status["reason"], "exit code 0, but test_y_data_predicted.csv: 'nan' in "
                                           "row 1 is not a finite number")

    def test_an_option_that_was_used_otherwise_is_noted(self):
        used = "open(sys.argv[2] + '/param_log_file.txt', 'w').write(\"{'shuffle': True}\")\n"
        _, status = self.run_script(SCORES + used, "--shuffle", "False")
        self.assertEqual(status["state"], "done")
        self.assertIn("--shuffle False was given, but True was used", "".join(status["notes"]))


class OwnDirectoryTest(RunnerCase):
    """What a stage does to its output directory, and what it finds in its own folder."""

    def test_a_stage_that_empties_or_replaces_its_output_directory_keeps_its_verdict(self):
        for what in ("shutil.rmtree(out); os.makedirs(out)",
                     "[os.remove(path) for path in glob.glob(out + '/.*')]",
                     "[os.remove(os.path.join(out, name)) for name in os.listdir(out)]"):
            ended, status = self.run_script("import glob, os, shutil, sys\nout = sys.argv[-1]\n"
                                            f"print('hello')\n{what}\n{SCORES}")
            self.assertEqual((ended.code, ended.err, status["state"]), (0, "", "done"), what)
            self.assertIn("hello", self.read("out/log.txt"))
            self.assertEqual(glob.glob(self.path("out/.claim*")), [])

    def test_a_stage_that_deletes_its_output_directory_has_missing_files(self):
        ended, status = self.run_script("import shutil, sys\nshutil.rmtree(sys.argv[-1])\n",
                                        name="other.py")
        self.assertEqual((ended.code, status["reason_kind"]), (1, "missing_files"))

    def test_a_stage_runs_in_the_model_s_folder(self):
        self.write("m/author_data/genes.gmt", "a gene")
        self.write("m/own.py", "import os, sys\nprint(open('./author_data/genes.gmt').read())\n"
                               "print(os.path.isabs(sys.argv[-1]), repr(sys.stdin.read()))\n")
        self.run_model("none", "m/own.py", "--output_dir", "out", code=0)
        self.assertIn("a gene\nTrue ''\n", self.read("out/log.txt"))

    def test_a_link_in_place_of_the_log_is_not_followed(self):
        self.write("outside.txt", "precious")
        os.makedirs(self.path(DATA))
        os.symlink(self.path("outside.txt"), self.path(DATA, "log.txt"))
        self.preprocess(code=1)
        self.assertEqual(self.read("outside.txt"), "precious")


class InputsTest(RunnerCase):
    def test_an_input_that_is_not_done_is_a_failed_parent(self):
        started = time.time()
        for text, state, wait in ((None, "without a status", "0"), ("{", "failed", "600")):
            if text:
                self.write(f"{DATA}/stage_status.json", text)
            self.train(LATENCY_WAIT=wait, code=1)
            self.assertEqual(self.out_status(MODEL)["reason"],
                             f"parent failed: ml_data/A-A/split_0 is {state}")
        self.assertLess(time.time() - started, 300)


class SignalTest(RunnerCase):
    def start_slow(self, text=SLOW, **settings):
        """Returns the runner and its stage's process number, once the stage has started."""
        self.write("slow.py", text)
        shutil.rmtree(self.path("out"), ignore_errors=True)
        process = self.start("bash", RUN_MODEL, "none", "slow.py", "--output_dir", "out",
                             **settings)
        self.wait_for_text("out/log.txt", "started")
        return process, int(re.search(r"^started (\d+)$", self.read("out/log.txt"), re.M).group(1))

    def assert_interrupted(self, process):
        _, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual((process.returncode, errors), (143, ""))
        expected = {"state": "interrupted", "exit_code": 143, "reason": "signal TERM", "attempt": 1}
        status = self.out_status("out")
        self.assertEqual({key: status[key] for key in expected}, expected)

    def test_a_signal_reaches_the_processes_of_the_stage_and_the_task_is_interrupted(self):
        process, stage = self.start_slow(
            "import signal, subprocess, sys, time\nhelper = subprocess.Popen(['sleep', '60'])\n"
            "def stop(*_):\n    print('told', helper.wait())\n    sys.exit(0)\n"
            "signal.signal(signal.SIGTERM, stop)\n" + SLOW)
        self.assertEqual(os.getsid(stage), stage)
        process.send_signal(signal.SIGTERM)
        self.assert_interrupted(process)
        self.assertIn("told -15", self.read("out/log.txt"))

    def test_a_stage_of_a_local_run_that_does_not_end_when_it_is_asked_to_is_killed(self):
        process, stage = self.start_slow(
            "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SLOW,
            TASK_EXECUTOR="local")
        process.send_signal(signal.SIGTERM)
        self.assert_interrupted(process)
        self.assertFalse(os.path.exists(f"/proc/{stage}"))

    def test_two_signals_in_a_row_leave_a_verdict_15_of_15_times(self):
        """Even if the first one reaches the stage, and has ended it."""
        for delay in range(15):
            process, stage = self.start_slow()
            os.kill(stage, signal.SIGTERM)
            if not delay:
                wait_for(lambda: not os.path.exists(f"/proc/{stage}"), "the end of the stage")
            process.send_signal(signal.SIGTERM)
            time.sleep(delay / 1000)
            process.send_signal(signal.SIGTERM)
            self.assert_interrupted(process)

    def test_a_signal_while_an_environment_is_activated_leaves_a_verdict(self):
        self.write("v/bin/activate", "touch activating\nwhile [ ! -e go ]; do sleep 0.1; done\n")
        process = self.start("bash", RUN_MODEL, "venv:v", TRAIN, "--output_dir", "out")
        wait_for(lambda: os.path.exists(self.path("activating")), "the activation")
        process.send_signal(signal.SIGTERM)
        self.write("go", "")
        self.assert_interrupted(process)

    def test_an_attempt_that_was_given_up_leaves_the_status_of_the_next_one(self):
        process, _ = self.start_slow()
        other = self.read("out/stage_status.json").replace('"stamp": "', '"stamp": "another ')
        self.write("out/stage_status.json", other)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(PATIENCE), 143)
        self.assertEqual(self.read("out/stage_status.json"), other)


class TaskOfALaunchTest(RunnerCase):
    """Lines of a .tasks file in OUT/launches: results of this launch, and of another one."""

    def launch(self, name, *more, runs="models/A/split_0\tnever_run\t\n"):
        """A launch that trains; its .tasks file."""
        file = f"out/launches/{name}/train.tasks"
        self.write_tasks(file, ["none", TRAIN, "--input_dir", self.path(DATA),
                                "--output_dir", self.path(MODEL), *more])
        self.write(f"out/launches/{name}/runs.tsv", runs)
        return file

    def assert_trains(self, tasks, is_started):
        """Runs a line with success, and looks whether that has started the stage."""
        self.write("starts.txt", "")
        ended = self.run_model("--task", tasks, "0", TOY_STARTS=self.path("starts.txt"))
        self.assertEqual((ended.code, "train" in self.read("starts.txt")), (0, is_started), ended)

    def setUp(self):
        super().setUp()
        self.preprocess()

    def test_a_whole_result_counts_if_it_ended_after_the_launch_was_planned(self):
        old, new = self.launch("L1", runs="models/A/split_0\tfiles\trebuild\n"), self.launch("L2")
        self.assert_trains(old, True)
        self.assert_trains(old, False)
        self.assertEqual(self.out_status(MODEL)["rebuild"], True)
        self.assert_trains(new, False)
        self.assertEqual(self.out_status(MODEL)["launch"], "L2")
        os.utime(self.path(MODEL, "stage_status.json"), (1, 1))
        self.assert_trains(new, True)
        os.unlink(self.path(MODEL, "val_scores.json"))
        self.assert_trains(new, True)
        self.assert_trains(self.launch("L3", "--epochs", "3"), True)

    def test_a_result_that_an_attempt_could_not_replace_counts_again_if_it_is_whole(self):
        old, new = self.launch("L1"), self.launch("L2", "--epochs", "3")
        self.assert_trains(old, True)
        stamp, data = self.out_status(MODEL)["stamp"], self.read(DATA, "stage_status.json")
        for is_whole, more in ((True, ""), (False, " ")):
            self.write(f"{DATA}/stage_status.json", "{")
            self.run_model("--task", new, "0", code=1)
            self.write(f"{DATA}/stage_status.json", data)
            self.write(f"{MODEL}/val_scores.json", self.read(MODEL, "val_scores.json") + more)
            self.assert_trains(old, not is_whole)
            status = self.out_status(MODEL)
            self.assertEqual((status["state"], status["stamp"] == stamp), ("done", is_whole))


class BashTest(RunnerCase):
    def test_a_script_prints_its_help_in_its_own_folder(self):
        self.write("m/beside.txt", "its help")
        self.write("m/a.py", "print(open('beside.txt').read())\n")
        ended = self.run_model("--check_env", "none", "m/a.py", "--help", code=0)
        self.assertIn("its help", ended.out)

    @unittest.skipUnless(shutil.which("shellcheck"), "shellcheck is not installed")
    def test_every_bash_file_is_clean(self):
        self.run_command("shellcheck", RUN_MODEL, os.path.join(REPOSITORY, ".ci", "run"), code=0)
