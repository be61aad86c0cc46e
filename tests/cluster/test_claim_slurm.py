"""On a real Slurm: a task that is started in six ways at once runs once; stuck jobs are named."""
import glob
import os
import shlex
import shutil
import subprocess
import sys

from tests.cluster.faults import FaultCase
from tests.support import PATIENCE, RUN_MODEL, STAGES, wait_for

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
        settings = {"TOY_FAULTS": fault, "WORKFLOW_PYTHON": sys.executable}
        line = f"bash {shlex.quote(RUN_MODEL)} {self.read(tasks).splitlines()[0]}"
        run, copy = ("bash", RUN_MODEL, "--task"), tasks.replace("/out/", "/copy/")
        ways = [
            self.start(*SAY, *run, tasks, "0", **settings),                     # 2: by hand
            self.start(*SAY, "bash", "-c", line, **settings),                   # 3: pasted
            self.start(*SAY, *run, copy, "0", **settings),                      # 4: a copy of OUT
            self.start_as_another_user(*run, tasks, "0", **settings),           # 5: another user
        ]
        script = glob.glob(self.path("out/launches/*/train.sbatch"))[0]
        job = self.cluster.run("sbatch", "--parsable", "--array=0", script).strip()     # 6: again
        wait_for(lambda: self.waiting() == 5, "five that wait", lambda: str(self.waiting()))
        self.write("go", "")
        self.assertEqual([process.wait(PATIENCE) for process in ways], [0, 0, 0, 0])
        self.cluster.wait_until_empty()
        self.assertIn("COMPLETED", self.cluster.run("scontrol", "show", "job", job))
        self.assert_each_ran_once()

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
        runner = os.path.join(STAGES, "run_stage.py")
        can = shutil.which("setpriv") and subprocess.call(
            [*user, "/usr/bin/python3", runner, "--paths", "none", "x", "--output_dir", "/tmp"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/") == 0
        if not can:
            return self.start(*SAY, *command, **settings)
        subprocess.check_call(["chmod", "-R", "a+rwX", self.work])
        settings["WORKFLOW_PYTHON"] = "/usr/bin/python3"
        return self.start(*SAY, *user, *command, **settings)

    def test_what_would_disturb_a_live_launch_is_refused_and_a_copy_of_its_tree_cancels_nothing(
            self):
        self.launch_and_hold()
        self.assert_refused(self.run_toy("--executor", "local"), "are in a live launch")
        self.assert_refused(self.campaign("--target", "B", "--epochs", "9", "--replace"))
        self.copy_out()
        ended = self.run_toy("--output_dir", "copy", "--cancel", code=0)
        self.assertIn("nothing to cancel", ended.out)
        self.let_go()


class NeverStartsTest(FaultCase):
    settings = {"more": "# a cluster of its own: its partition is changed"}

    def test_a_time_limit_above_the_partition_s_is_named_with_the_hint(self):
        change = ("scontrol", "update", "PartitionName=debug")
        self.addCleanup(self.cluster.run, *change, "MaxTime=INFINITE")
        self.cluster.run(*change, "MaxTime=10")
        self.launch()
        # for a while Slurm calls some PartitionConfig
        wait_for(lambda: self.campaign("--status").code == 4, "the reason of all elements")
        text = self.campaign("--status").out
        self.assertIn("can never start: its partition cannot give what it asks for "
                      "(PartitionTimeLimit)\n  try: edit --time", text)
        self.assertIn("it cannot go on by itself", text)
