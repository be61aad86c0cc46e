"""On a real Slurm: a task that is started in six ways at once runs once; what can never start is named."""
import glob
import os
import shutil
import subprocess
import sys
import unittest

from tests.cluster.faults import FaultCase
from tests.support import PATIENCE, REPOSITORY, RUN_MODEL, TOY_MODEL, wait_for

MODEL = "models/A/split_0"


class SixWaysTest(FaultCase):
    def test_a_task_started_in_six_ways_at_once_runs_once_and_each_returns_its_verdict(self):
        go = self.path("go")
        fault = f"train {MODEL} wait:{go}"
        self.launch(TOY_FAULTS=fault)                                       # 1: a launch on Slurm
        self.wait_for_running(MODEL)
        tasks = glob.glob(self.path("out/launches/*/train.tasks"))[0]
        shutil.copytree(self.path("out"), self.path("copy"), ignore=shutil.ignore_patterns(".c*", "*.tmp"))     # they vanish
        settings = {"TOY_STARTS": self.path("starts.txt"), "TOY_FAULTS": fault, "WORKFLOW_PYTHON": sys.executable}
        with open(tasks) as file:
            words = file.readline().strip()
        ways = [
            self.start("bash", RUN_MODEL, "--task", tasks, "0", **settings),                        # 2: its line by hand
            self.start("bash", "-c", f"bash {RUN_MODEL} {words}", **settings),                      # 3: pasted words
            self.start("bash", RUN_MODEL, "--task", tasks.replace("/out/", "/copy/"), "0", **settings),  # 4: a copy of OUT
            self.start_as_another_user("bash", RUN_MODEL, "--task", tasks, "0", **settings),         # 5: another user
        ]
        script = glob.glob(self.path("out/launches/*/train.sbatch"))[0]
        job = self.cluster.run("sbatch", "--parsable", "--array=0", script).strip()                 # 6: its script again
        log = self.path("out", MODEL, "log.txt")
        wait_for(lambda: self.read(log).count("has this task") == 5, "five that wait")
        self.write("go", "")
        codes = [process.wait(PATIENCE) for process in ways]
        for process in ways:
            process.communicate()
        self.assertEqual(codes, [0, 0, 0, 0])
        self.cluster.wait_until_empty()
        self.assertEqual([row[2] for row in self.starts()].count(MODEL), 1)
        self.assertIn("COMPLETED", self.cluster.run("scontrol", "show", "job", job))
        self.assert_all_done()
        self.assertEqual(self.score_values(), self.reference)

    def start_as_another_user(self, *command, **settings):
        """As root once more if no other user can run Python and read this copy of the project."""
        user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "bash", "-c", '"$@"', "bash"]
        can = shutil.which("setpriv") and subprocess.call(
            [*user, "/usr/bin/python3", RUN_MODEL.replace("run_model.sh", "stages/run_stage.py"), "--paths", "none", "x", "--output_dir", "/tmp"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/") == 0
        if not can:
            return self.start(*command, **settings)
        subprocess.check_call(["chmod", "-R", "a+rwX", self.work])
        return self.start(*user, *command, **dict(settings, WORKFLOW_PYTHON="/usr/bin/python3"))

    def test_a_local_run_beside_a_launch_on_slurm_is_refused(self):
        self.launch_and_hold()
        ended = self.run_toy("--executor", "local", "--split", "0")
        self.assert_refused(ended, "are in a live launch", "job ")
        self.let_go()

    def test_another_target_whose_launch_would_replace_a_live_model_is_refused(self):
        self.launch_and_hold()
        ended = self.campaign("--target", "B", "--epochs", "9", "--replace")
        self.assertEqual(ended.code, 2, ended)
        self.let_go()

    def test_wait_attaches_to_a_launch_that_is_in_the_queue(self):
        self.launch_and_hold()
        process = self.start(*self.waiting_command())
        wait_for(lambda: process.poll() is not None or len(glob.glob(self.path("out/launches/*/withdrawn_plan.json"))) == 1, "the attachment")
        self.write("go", "")
        out, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, out + errors)
        self.assertIn("scores: 4 of 4", out)

    def waiting_command(self):
        return (sys.executable, os.path.join(REPOSITORY, "workflow_csa.py"), "--model", "toy", "--model_dir", TOY_MODEL, "--input_dir",
                "raw", "--output_dir", "out", "--executor", "slurm", "--split", "0", "--wait")

    def test_a_copy_of_a_results_tree_cancels_nothing(self):
        self.launch_and_hold()
        shutil.copytree(self.path("out"), self.path("copy"), ignore=shutil.ignore_patterns(".c*", "*.tmp"))     # they vanish
        ended = self.run_toy("--output_dir", "copy", "--cancel")
        self.assertEqual((ended.code, ended.out), (0, "nothing to cancel: nothing of this run waits or runs\n"))
        self.let_go()


class NeverStartsTest(FaultCase):
    settings = {"more": "# a cluster of its own: its partition is changed"}

    def partition(self, **changes):
        self.cluster.run("scontrol", "update", "PartitionName=debug", *[f"{key}={value}" for key, value in changes.items()])

    def says(self):
        ended = self.run_toy("--executor", "slurm", "--status")
        return ended.code, ended.out

    def test_a_time_limit_above_the_partition_s_is_named_with_the_way_out(self):
        self.addCleanup(self.partition, MaxTime="INFINITE")
        self.partition(MaxTime="10")
        self.launch()
        wait_for(lambda: self.says()[0] == 4, "Slurm's word on all elements")      # for a while it calls some PartitionConfig
        text = self.says()[1]
        self.assertIn("can never start: its --time is above the partition's limit\n  try: lower --time in the template", text)
        self.assertIn("it cannot go on by itself", text)
        ended = self.run_toy("--executor", "slurm", "--split", "0", "--wait")
        self.assertEqual(ended.code, 4, ended)
        self.assertIn("can never start", ended.err)

    def test_a_partition_that_is_down_and_a_held_job_are_named(self):
        self.addCleanup(self.partition, State="UP")
        self.partition(State="DOWN")
        self.launch()
        wait_for(lambda: "PartitionDown" in self.cluster.run("squeue", "-h", "-o", "%r"), "Slurm's word")
        self.assertIn("can never start: its partition is down", self.says()[1])
        for job in set(self.cluster.run("squeue", "-h", "-o", "%A").split()):
            self.cluster.run("scontrol", "hold", job, check=False)
        wait_for(lambda: "JobHeld" in self.cluster.run("squeue", "-h", "-o", "%r"), "Slurm's word")
        self.assertIn("can never start: it is held by", self.says()[1])

    def test_a_template_that_slurm_refuses_submits_nothing_and_names_the_line(self):
        copy = self.path("project")
        shutil.copytree(REPOSITORY, copy, ignore=shutil.ignore_patterns(".git", "__pycache__", "runs", "demo_data"))
        path = os.path.join(copy, "slurm_templates", "train.sbatch")
        with open(path) as file:
            text = file.read()
        for line, words in (("#SBATCH --partition=nope", "nope"), ("#SBATCH --constraint=nope", "nope")):
            with open(path, "w") as file:
                file.write(text.replace("#SBATCH --job-name", line + "\n#SBATCH --job-name", 1))
            ended = self.run_toy("--executor", "slurm", "--split", "0", folder=copy)
            self.assert_refused(ended, f"Slurm does not take {path}: {line[8:]}; nothing is submitted", "edit that line")
            self.assertEqual(self.cluster.run("squeue", "-h"), "")
            self.assertEqual(glob.glob(self.path("out/launches/*/plan.json")), [])


if __name__ == "__main__":
    unittest.main()
