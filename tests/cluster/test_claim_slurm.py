"""On a real Slurm: a task that is started in six ways at once runs once; stuck jobs are named."""
import glob
import os
import shlex
import shutil
import subprocess
import sys
import unittest

from tests.cluster.faults import FaultCase
from tests.support import PATIENCE, REPOSITORY, RUN_MODEL, wait_for

MODEL = "models/A/split_0"
SAY = ("bash", "-c", '"$@" >>printed 2>&1', "bash")     # what a command prints goes to a file


class SixWaysTest(FaultCase):
    def test_a_task_started_in_six_ways_at_once_runs_once_and_each_returns_its_verdict(self):
        go = self.path("go")
        fault = f"train {MODEL} wait:{go}"
        self.launch(TOY_FAULTS=fault)                                       # 1: a launch on Slurm
        self.wait_for_running(MODEL)
        tasks = glob.glob(self.path("out/launches/*/train.tasks"))[0]
        self.copy_out()
        settings = {"TOY_STARTS": self.path("starts.txt"), "TOY_FAULTS": fault,
                    "WORKFLOW_PYTHON": sys.executable}
        with open(tasks) as file:
            line = file.readline().strip()
        run, copy = ("bash", RUN_MODEL, "--task"), tasks.replace("/out/", "/copy/")
        ways = [
            self.start(*SAY, *run, tasks, "0", **settings),                     # 2: by hand
            self.start(*SAY, "bash", "-c", f"bash {shlex.quote(RUN_MODEL)} {line}", **settings),     # 3: pasted
            self.start(*SAY, *run, copy, "0", **settings),                      # 4: a copy of OUT
            self.start_as_another_user(*run, tasks, "0", **settings),           # 5: another user
        ]
        script = glob.glob(self.path("out/launches/*/train.sbatch"))[0]
        job = self.cluster.run("sbatch", "--parsable", "--array=0", script).strip()     # 6: again
        wait_for(lambda: self.waiting() == 5, "five that wait", lambda: str(self.waiting()))
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

    def waiting(self):
        """How many runners have said that they wait, by hand and in job outputs."""
        paths = [self.path("printed"), *glob.glob(self.path("out/launches/*/slurm/*"))]
        return sum(self.read(path).count("has this task") for path in paths)

    def copy_out(self):
        vanishing = shutil.ignore_patterns(".c*", "*.tmp")
        shutil.copytree(self.path("out"), self.path("copy"), ignore=vanishing)

    def start_as_another_user(self, *command, **settings):
        """As root once more if no other user can run Python and read this copy of the project."""
        user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                "bash", "-c", '"$@"', "bash"]
        runner = os.path.join(REPOSITORY, "stages", "run_stage.py")
        can = shutil.which("setpriv") and subprocess.call(
            [*user, "/usr/bin/python3", runner, "--paths", "none", "x", "--output_dir", "/tmp"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/") == 0
        if not can:
            return self.start(*SAY, *command, **settings)
        subprocess.check_call(["chmod", "-R", "a+rwX", self.work])
        settings["WORKFLOW_PYTHON"] = "/usr/bin/python3"
        return self.start(*SAY, *user, *command, **settings)

    def test_a_local_run_beside_a_launch_on_slurm_is_refused(self):
        self.launch_and_hold()
        ended = self.run_toy("--executor", "local", "--split", "0")
        self.assert_refused(ended, "are in a live launch")
        self.let_go()

    def test_another_target_whose_launch_would_replace_a_live_model_is_refused(self):
        self.launch_and_hold()
        ended = self.campaign("--target", "B", "--epochs", "9", "--replace")
        self.assertEqual(ended.code, 2, ended)
        self.let_go()

    def test_a_copy_of_a_results_tree_cancels_nothing(self):
        self.launch_and_hold()
        self.copy_out()
        ended = self.run_toy("--output_dir", "copy", "--cancel")
        self.assertEqual(ended.code, 0, ended)
        self.assertIn("nothing to cancel", ended.out)
        self.let_go()


class NeverStartsTest(FaultCase):
    settings = {"more": "# a cluster of its own: its partition is changed"}

    def partition(self, **changes):
        self.cluster.run("scontrol", "update", "PartitionName=debug",
                         *[f"{key}={value}" for key, value in changes.items()])

    def wait_for_reason(self, reason):
        wait_for(lambda: reason in self.cluster.run("squeue", "-h", "-o", "%r"), reason)

    def says(self):
        ended = self.run_toy("--executor", "slurm", "--status")
        return ended.code, ended.out

    def test_a_time_limit_above_the_partition_s_is_named_with_the_hint(self):
        self.addCleanup(self.partition, MaxTime="INFINITE")
        self.partition(MaxTime="10")
        self.launch()
        # for a while Slurm calls some PartitionConfig
        wait_for(lambda: self.says()[0] == 4, "the reason of all elements")
        text = self.says()[1]
        self.assertIn("can never start: its partition cannot give what it asks for "
                      "(PartitionTimeLimit)\n  try: edit --time", text)
        self.assertIn("it cannot go on by itself", text)

    def test_a_partition_that_is_down_and_a_held_job_are_named(self):
        self.addCleanup(self.partition, State="UP")
        self.partition(State="DOWN")
        self.launch()
        self.wait_for_reason("PartitionDown")
        self.assertIn("can never start: its partition is down", self.says()[1])
        for job in set(self.cluster.run("squeue", "-h", "-o", "%A").split()):
            self.cluster.run("scontrol", "hold", job, check=False)
        self.wait_for_reason("JobHeld")
        self.assertIn("can never start: Slurm holds it (JobHeld", self.says()[1])

    def test_a_template_that_slurm_refuses_submits_nothing_and_is_named(self):
        copy = self.path("project")
        left_out = shutil.ignore_patterns(".git", "__pycache__", "runs", "demo_data")
        shutil.copytree(REPOSITORY, copy, ignore=left_out)
        path = os.path.join(copy, "slurm_templates", "train.sbatch")
        with open(path) as file:
            text = file.read()
        for line in ("#SBATCH --partition=nope", "#SBATCH --constraint=nope"):
            with open(path, "w") as file:
                file.write(text.replace("#SBATCH --job-name", line + "\n#SBATCH --job-name", 1))
            ended = self.run_toy("--executor", "slurm", "--split", "0", folder=copy)
            self.assert_refused(ended, f"sbatch --test-only refuses {path} (",
                                "edit its #SBATCH lines")
            self.assertEqual(self.cluster.run("squeue", "-h"), "")
            self.assertEqual(glob.glob(self.path("out/launches/*/plan.json")), [])


if __name__ == "__main__":
    unittest.main()
