"""The runner's pure parts: reading a call, variables of a stage, files of a result, reasons."""
import json
import os
import sys
import unittest
from unittest import mock

from core.errors import Refusal
from stages.runner import attempt
from stages.runner.main import Call, calls_of
from stages.runner.verdict import Verdict, contract_files, explain
from tests.support import WorkCase

HERE = os.getcwd()
TRAIN = ("none", "/m/toy_train_improve.py")
OWN = "{}.{}".format(*sys.version_info[:2])


class CallTest(WorkCase):
    def test_paths_become_absolute_and_those_inside_out_relative(self):
        call = Call([*TRAIN, "--input_dir=out/ml_data/A-B/split_0", "--output_dir",
                          "out/models/A/split_0", "--epochs", "5", "--flag"])
        self.assertEqual((call.out, call.task.name), (f"{HERE}/out", "models/A/split_0"))
        self.assertEqual(call.task.arguments, {
            "input_dir": "ml_data/A-B/split_0", "output_dir": "models/A/split_0", "epochs": "5",
            "flag": []})
        self.assertEqual(call.stage_arguments, [
            "--input_dir", f"{HERE}/out/ml_data/A-B/split_0",
            "--output_dir", f"{HERE}/out/models/A/split_0", "--epochs", "5", "--flag"])

    def test_a_trial_runs_in_the_model_s_folder_and_reads_several_inputs(self):
        call = Call(["none", "stages/hpo_trial.py", "--output_dir", "o/A/trials/0",
                          "--train_script", "m/x.py",
                          "--input_dir", "o/A/ml_data/a", "/raw/b", "o/A/ml_data/b"])
        self.assertEqual((call.folder, call.out), (f"{HERE}/m", f"{HERE}/o/A"))
        self.assertEqual(call.inputs, ["ml_data/a", "ml_data/b"])

    def test_the_results_tree_is_where_the_launches_are(self):
        os.makedirs(self.path("launches/L1"))
        tasks = self.path("launches/L1/train.tasks")
        for directory, file, launch in (("A/models/split_0", tasks, "L1"),
                                        ("A/models/split_0", "", ""),
                                        ("scores", "/other/launches/L1/x.tasks", "")):
            call = Call([*TRAIN, "--output_dir", self.path(directory)], file)
            self.assertEqual((call.out, call.launch, call.task.name),
                             (self.work, launch, directory))

    def test_scores_are_required_of_an_inference_if_it_is_told_to_write_them(self):
        predictions, scores = "test_y_data_predicted.csv", "test_scores.json"
        for more, required in (("", (predictions,)),
                               ("--calc_infer_scores true", (scores, predictions)),
                               ("--calc_infer_scores=True", (scores, predictions)),
                               ("--calc_infer_scores=true --calc_infer_scores=false",
                                (predictions,))):
            call = Call(["none", "x_infer_improve.py", "--output_dir", "o", *more.split()])
            self.assertEqual(call.required, required, more)

    def test_empty_lines_are_no_tasks_and_a_malformed_call_is_refused(self):
        tasks = self.path("t.tasks")
        self.write("t.tasks", "\nnone x.py --output_dir /a\n"
                              "conda:c x.py --output_dir /b\nnone 'x\n")
        calls, = calls_of(["--task", tasks, "0", "2"])
        self.assertEqual(calls.task.name, "a")
        for line, sentence in (
                ("none", "a task is ENV SCRIPT --output_dir DIR ..., not none"),
                ("none x.py --output_dir", "a task is"),
                ("none x.py --output_dir a b", "a task is"),
                ("--task", "--task takes FILE INDEX"),
                (f"--task {tasks} 4", f"line 5 of {tasks} is not a task"),
                (f"--task {tasks} 3", f"line 4 of {tasks} is not a task"),
                (f"--task {tasks} 0", f"line 1 of {tasks} is not a task"),
                (f"--task {tasks} 0 3", "these tasks need several environments"),
                (f"--task {tasks} 0x8", "--task takes FILE INDEX .*whole numbers")):
            with self.subTest(line), self.assertRaisesRegex(Refusal, sentence):
                calls_of(line.split())


class InputsTest(WorkCase):
    def test_an_input_that_is_late_or_of_an_older_launch_is_waited_for_and_the_claim_touched(self):
        self.write("launches/L2/runs.tsv", "models/A\tredo\t\n")
        call = Call(["none", "x.py", "--input_dir", self.path("models/A"), "--output_dir",
                     self.path("infer/A")], self.path("launches/L2/infer.tasks"))
        for status in ("", '{"state": "running", "launch": "L2"}',
                       '{"state": "done", "launch": "L1"}'):
            claim, new = mock.Mock(), '{"state": "done", "launch": "L2", "stamp": "new"}'
            path = "models/A/stage_status.json"
            if status:
                self.write(path, status)
            signals = mock.Mock(number=0, wait=lambda seconds: self.write(path, new))
            waiting = attempt.Attempt(call, claim, signals)
            waiting.check_start()
            self.assertEqual(waiting.outputs["made_from"]["models/A"]["stamp"], "new")
            claim.touch.assert_called_once_with()


class VariablesTest(WorkCase):
    def variables(self, env="none", **settings):
        with mock.patch.dict(os.environ, settings, clear=True):
            return attempt.stage_variables(env)

    def test_the_cores_of_a_task_are_told_to_every_library_of_the_field(self):
        names = ("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS",
                 "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "POLARS_MAX_THREADS",
                 "NUMBA_NUM_THREADS", "LOKY_MAX_CPU_COUNT", "NUMEXPR_NUM_THREADS", "NPROC")
        for settings, expected in (({"SLURM_CPUS_PER_TASK": "3"}, {"3"}), ({}, {None}),
                                   ({"TASK_CORES": "2", "SLURM_CPUS_PER_TASK": "8"}, {"2"})):
            found = self.variables(**settings)
            self.assertEqual({found.get(name) for name in names}, expected)
        own = self.variables(TASK_CORES="2", MKL_NUM_THREADS="5")
        self.assertEqual((own["MKL_NUM_THREADS"], own["NPROC"]), ("5", "2"))

    def test_packages_of_another_python_are_left_out_of_pythonpath(self):
        other, same = "/mod/lib/python2.7/site-packages", f"/mod/lib/python{OWN}/site-packages"
        improve = "/home/me/IMPROVE"
        for env, kept in (("none", [improve, same]), ("venv:/v", [improve, same]),
                          ("module:m", [improve, same]), ("conda:c", [improve]), ("c", [improve]),
                          ("apptainer:/i.sif", [improve])):
            found = self.variables(env, PYTHONPATH=":".join([other, improve, same]))
            self.assertEqual(found["PYTHONPATH"].split(":"), kept, env)

    def test_what_would_break_its_python_is_not_passed_on(self):
        self.assertEqual(self.variables(PYTHONSAFEPATH="1", HOME="/h"), {"HOME": "/h"})

    def test_the_packages_of_a_virtual_environment_are_its_own(self):
        os.makedirs(self.path(f"lib/python{OWN}/site-packages/torch-2.1.dist-info"))
        os.makedirs(self.path("launches/L"))
        call = Call([*TRAIN, "--output_dir", self.path("A")], self.path("launches/L/a.tasks"))
        with mock.patch("sys.executable", self.path("bin/python")):
            attempt.note_environment(call)
        name, = os.listdir(self.path("launches/L"))
        self.assertEqual(json.loads(self.read("launches/L", name))["packages"], 1)


class FilesTest(WorkCase):
    def test_logs_and_subfolders_do_not_decide_whether_a_result_stands(self):
        """An inference stands by what it has to write."""
        model = ("val_scores.json", "val_y_data_predicted.csv", "model.pt", "history.csv")
        for name in (*model, "log.txt", "logs_1.txt", "run.log", "a.out", "b.err",
                     "events.out.tfevents.1", ".claim.1", "x.tmp", "param_log_file.txt",
                     "runtime_train.json", "stage_status.json", "wandb/debug.txt",
                     "train_log.txt", "run.lock", "wandb-summary.json"):
            self.write(name, "text")
        for script, names in (("x_train_improve.py", model), ("x_infer_improve.py", ())):
            call = Call(["none", script, "--output_dir", self.work])
            self.assertEqual(contract_files(call), dict.fromkeys(names, 4))


CUDA = """Traceback (most recent call last):
  File "train.py", line 3, in <module>
    model(x)
    ~~~~~^^^
RuntimeError: CUDA error: device-side assert triggered
CUDA kernel errors might be asynchronously reported at some other API call.
Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.

"""
LOAD = """Traceback (most recent call last):
  File "infer.py", line 9, in load
    raise pickle.UnpicklingError(_get_wo_message(str(e))) from None
_pickle.UnpicklingError: Weights only load failed.
\t(1) In PyTorch 2.6, we changed the default value
Check the documentation of torch.load to learn more.
"""
WORKER = """Traceback (most recent call last):
  File "train.py", line 1, in <module>
KeyError: Caught KeyError in DataLoader worker process 0.
Original Traceback (most recent call last):
  File "dataset.py", line 2, in __getitem__
KeyError: 'CVCL_1'
"""
CHAINED = """Traceback (most recent call last):
  File "a.py", line 1, in <module>
KeyError: 'auc'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "a.py", line 3, in <module>
ValueError: no column auc
Exception ignored in: <function Pool.__del__ at 0x7f>
Traceback (most recent call last):
  File "pool.py", line 9
AssertionError: can only test a child process
"""
MODULE = ("Traceback (most recent call last):\n  File \"a.py\"\n"
          "ModuleNotFoundError: No module named 'x'\n")
GPU = "torch.OutOfMemoryError: CUDA out of memory\n"
ARRAY = ("Traceback (most recent call last):\n  File \"a.py\"\nnumpy._ArrayMemoryError: "
         "Unable to allocate 7.45 GiB for an array\n")
EXITED, KILLED = ("exit_code", "exit code 1", 1), ("killed", "killed by signal KILL", 137)


class ReasonTest(unittest.TestCase):
    def reason(self, text, failure=EXITED, peak=0, **settings):
        verdict = Verdict("failed", *failure)
        with mock.patch.dict(os.environ, settings, clear=True):
            explain(verdict, text, "conda:drp", peak)
        return verdict.reason_kind, verdict.reason

    def test_the_reason_is_the_exception_and_not_the_last_line_of_its_message(self):
        for text, expected in (
                (CUDA, "RuntimeError: CUDA error: device-side assert triggered"),
                (LOAD, "_pickle.UnpicklingError: Weights only load failed."),
                (WORKER, "KeyError: 'CVCL_1'"), (CHAINED, "ValueError: no column auc"),
                (MODULE, "ModuleNotFoundError: No module named 'x' (not in conda:drp: install it "
                         "there, or give another --env)"),
                ("caught:\n" + CHAINED + "step\n" * 99 + "no GPU\n", "no GPU"),
                ("=== attempt 1\n===  none x\n\x1b[1;35mplain\x1b[0m words\r\n\n", "plain words")):
            with self.subTest(expected):
                self.assertEqual(self.reason(text), ("exit_code", f"exit code 1: {expected}"))
        self.assertEqual(self.reason(""), ("exit_code", "exit code 1"))
        self.assertEqual(self.reason(CUDA + "a.py: error: bad option\n", ("", "exit code 2", 2))[1],
                         "exit code 2: a.py: error: bad option")

    def test_missing_memory_names_what_was_asked_and_the_template(self):
        job = {"SLURM_JOB_ID": "7", "SLURM_MEM_PER_NODE": "3500",
               "TASK_TEMPLATE": "slurm_templates/train.CTRPv2.sbatch"}
        cores = dict(job, SLURM_MEM_PER_NODE="", SLURM_MEM_PER_CPU="1750", SLURM_CPUS_ON_NODE="2")
        expected = ("memory", "ran out of memory: 3.4 of 3.5 GB; raise --mem in "
                              "slurm_templates/train.CTRPv2.sbatch")
        for text, failure, peak, settings, found in (
                (ARRAY, EXITED, 3400.0, job, expected), ("", KILLED, 3400.0, job, expected),
                ("", KILLED, 3400.0, cores, expected),
                ("", KILLED, 900.0, job, ("killed", "killed by signal KILL (out of memory?)")),
                (ARRAY, EXITED, 900.0, {}, ("memory", "ran out of memory: 0.9 GB")),
                (GPU, EXITED, 900.0, job, ("exit_code", "exit code 1: " + GPU.strip()))):
            self.assertEqual(self.reason(text, failure, peak, **settings), found)

    def test_squeue_says_whether_the_time_limit_is_near(self):
        for left, is_near in (("0:58", True), ("INVALID", True), ("3:58", False), ("", False),
                              ("1:00:00", False), ("1-02:00:00", False), ("UNLIMITED", False)):
            with mock.patch("subprocess.check_output", return_value=f"{left}\n".encode()):
                self.assertEqual(attempt.is_near_the_limit(), is_near, left)
        with mock.patch("subprocess.check_output", side_effect=FileNotFoundError):
            self.assertFalse(attempt.is_near_the_limit())
