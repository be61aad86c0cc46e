"""The runner's pure parts: reading a call, variables of a stage, files of a result, reasons."""
import os
import sys
import tempfile
import unittest
from unittest import mock

from core.errors import Refusal
from stages.runner import attempt, environment
from stages.runner.call import read_call
from stages.runner.verdict import Failure, contract_files, explained

HERE = os.getcwd()
TRAIN = ("none", "/m/toy_train_improve.py")
OWN = "{}.{}".format(*sys.version_info[:2])


class CallTest(unittest.TestCase):
    def test_paths_become_absolute_and_those_inside_out_relative(self):
        call = read_call([*TRAIN, "--input_dir=out/ml_data/A-B/split_0", "--output_dir",
                          "out/models/A/split_0", "--epochs", "5", "--flag"])
        self.assertEqual((call.out, call.task.name), (f"{HERE}/out", "models/A/split_0"))
        self.assertEqual(call.task.arguments, {
            "input_dir": "ml_data/A-B/split_0", "output_dir": "models/A/split_0", "epochs": "5",
            "flag": []})
        self.assertEqual(call.stage_arguments, [
            "--input_dir", f"{HERE}/out/ml_data/A-B/split_0",
            "--output_dir", f"{HERE}/out/models/A/split_0", "--epochs", "5", "--flag"])

    def test_a_trial_runs_in_the_model_s_folder_and_reads_several_inputs(self):
        call = read_call(["none", "/p/stages/hpo_trial.py", "--output_dir", "o/A/trials/0",
                          "--train_script", "/m/x.py", "--input_dir", "o/ml_data/a", "/raw/b"])
        self.assertEqual((call.folder, call.out), ("/m", f"{HERE}/o/A"))
        self.assertEqual(call.inputs, [f"{HERE}/o/ml_data/a", "/raw/b"])

    def test_the_results_tree_is_where_the_launches_are(self):
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(f"{folder}/launches/L1")
            tasks = f"{folder}/launches/L1/train.tasks"
            for directory, file, expected in (
                    ("A/models/split_0", tasks, (folder, "L1", "A/models/split_0")),
                    ("A/models/split_0", "", (folder, "", "A/models/split_0")),
                    ("scores", "/other/launches/L1/x.tasks", (folder, "", "scores"))):
                call = read_call([*TRAIN, "--output_dir", f"{folder}/{directory}"], file)
                self.assertEqual((call.out, call.launch, call.task.name), expected)

    def test_scores_are_required_of_an_inference_if_it_is_told_to_write_them(self):
        predictions, scores = "test_y_data_predicted.csv", "test_scores.json"
        for arguments, required in (((), (predictions,)),
                                    (("--calc_infer_scores", "true"), (scores, predictions)),
                                    (("--calc_infer_scores=True",), (scores, predictions)),
                                    (("--calc_infer_scores=false",), (predictions,)),
                                    (("--calc_infer_scores=true", "--calc_infer_scores=false"),
                                     (predictions,))):
            call = read_call(["none", "x_infer_improve.py", "--output_dir", "o", *arguments])
            self.assertEqual(call.required, required, arguments)

    def test_a_malformed_call_is_refused(self):
        for line in (["none"], ["none", "x.py"], ["none", "x.py", "--output_dir"],
                     ["none", "x.py", "--output_dir", "a", "b"]):
            with self.subTest(line), self.assertRaises(Refusal):
                read_call(line)


class VariablesTest(unittest.TestCase):
    def variables(self, env="none", **settings):
        with mock.patch.dict(os.environ, settings, clear=True):
            with tempfile.TemporaryFile() as log:
                return environment.stage_variables(env, log.fileno())

    def test_the_cores_of_a_task_are_told_to_every_library_of_the_field(self):
        names = ("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS",
                 "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "POLARS_MAX_THREADS",
                 "NUMBA_NUM_THREADS", "LOKY_MAX_CPU_COUNT", "NUMEXPR_NUM_THREADS", "NPROC")
        for settings, expected in (
                ({"SLURM_CPUS_PER_TASK": "3"}, "3"), ({"TASK_CORES": "2"}, "2"), ({}, None),
                ({"TASK_CORES": "2", "SLURM_CPUS_PER_TASK": "8"}, "2")):
            found = self.variables(**settings)
            self.assertEqual([found.get(name) for name in names], [expected] * len(names))
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
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(f"{folder}/lib/python{OWN}/site-packages/torch-2.1.dist-info")
            os.makedirs(f"{folder}/bin")
            open(f"{folder}/pyvenv.cfg", "w").close()
            with mock.patch("sys.executable", f"{folder}/bin/python"):
                self.assertEqual(list(environment.installed_packages()), ["torch-2.1.dist-info"])


class FilesTest(unittest.TestCase):
    FILES = ("val_scores.json", "val_y_data_predicted.csv", "model.pt", "history.csv", "log.txt",
             "logs_1.txt", "run.log", "a.out", "b.err", "events.out.tfevents.1", ".claim.1",
             "x.tmp", "param_log_file.txt", "runtime_train.json", "stage_status.json",
             "wandb/debug.txt")

    def files(self, script):
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(f"{folder}/o/wandb")
            for name in self.FILES:
                with open(f"{folder}/o/{name}", "w") as file:
                    file.write("text")
            return contract_files(read_call(["none", script, "--output_dir", f"{folder}/o"]))

    def test_logs_and_subfolders_do_not_decide_whether_a_result_stands(self):
        self.assertEqual(self.files("x_train_improve.py"), dict.fromkeys(
            ("val_scores.json", "val_y_data_predicted.csv", "history.csv", "model.pt"), 4))

    def test_an_inference_stands_by_what_it_has_to_write(self):
        self.assertEqual(self.files("x_infer_improve.py"), {})


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
ARRAY = ("Traceback (most recent call last):\n  File \"a.py\"\nnumpy._ArrayMemoryError: "
         "Unable to allocate 7.45 GiB for an array\n")


class ReasonTest(unittest.TestCase):
    def reason(self, text, code=1, reason=None, kind="exit_code", peak=None, **settings):
        failure = Failure(kind, reason or f"exit code {code}", code)
        with mock.patch.dict(os.environ, settings, clear=True):
            found = explained(failure, text, "conda:drp", peak)
        return found.kind, found.reason

    def test_the_reason_is_the_exception_and_not_the_last_line_of_its_message(self):
        for text, expected in (
                (CUDA, "RuntimeError: CUDA error: device-side assert triggered"),
                (LOAD, "_pickle.UnpicklingError: Weights only load failed."),
                (WORKER, "KeyError: 'CVCL_1'"), (CHAINED, "ValueError: no column auc"),
                (MODULE, "ModuleNotFoundError: No module named 'x' (not in conda:drp: install it "
                         "there, or give another --env)"),
                ("caught:\n" + CHAINED + "step\n" * 99 + "no GPU\n", "no GPU"),
                ("=== attempt 1\n===  none x\nplain words\x1b[0m\r\n\n", "plain words[0m")):
            with self.subTest(expected):
                self.assertEqual(self.reason(text), ("exit_code", f"exit code 1: {expected}"))
        self.assertEqual(self.reason(""), ("exit_code", "exit code 1"))
        self.assertEqual(self.reason(CUDA + "a.py: error: bad option\n", 2)[1],
                         "exit code 2: a.py: error: bad option")

    def test_missing_memory_names_what_was_asked_and_the_template(self):
        job = {"SLURM_JOB_ID": "7", "TASK_TEMPLATE": "slurm_templates/train.CTRPv2.sbatch"}
        killed = dict(code=137, kind="killed", reason="killed by signal KILL")
        expected = ("memory", "ran out of memory: 3.4 of 3.5 GB; raise --mem in "
                              "slurm_templates/train.CTRPv2.sbatch")
        found = self.reason(ARRAY, peak=3400.0, SLURM_MEM_PER_NODE="3500", **job)
        self.assertEqual(found, expected)
        for asked in ({"SLURM_MEM_PER_NODE": "3500"},
                      {"SLURM_MEM_PER_CPU": "1750", "SLURM_CPUS_ON_NODE": "2"}):
            self.assertEqual(self.reason("", peak=3400.0, **killed, **job, **asked), expected)
        self.assertEqual(self.reason("", peak=900.0, SLURM_MEM_PER_NODE="3500", **killed, **job),
                         ("killed", "killed by signal KILL (out of memory?)"))
        self.assertEqual(self.reason(ARRAY, peak=900.0),
                         ("memory", "ran out of memory: 0.9 GB"))
        gpu = "torch.OutOfMemoryError: CUDA out of memory\n"
        self.assertEqual(self.reason(gpu)[0], "exit_code")

    def test_squeue_says_whether_the_time_limit_is_near(self):
        for left, is_near in (("0:58", True), ("INVALID", True), ("3:58", False), ("", False),
                              ("1:00:00", False), ("1-02:00:00", False), ("UNLIMITED", False)):
            with mock.patch("subprocess.check_output", return_value=f"{left}\n".encode()):
                self.assertEqual(attempt.is_near_the_limit(), is_near, left)
        with mock.patch("subprocess.check_output", side_effect=FileNotFoundError):
            self.assertFalse(attempt.is_near_the_limit())
