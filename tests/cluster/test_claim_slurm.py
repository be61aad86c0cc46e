"""On a real Slurm: a task that is started in six ways at once runs once."""
import glob
import shlex
import shutil
import subprocess
import sys

from tests.cluster.faults import FaultCase
from tests.support import PATIENCE, RUN_MODEL, wait_for

MODEL = "models/A/split_0"
SAY = ("bash", "-c", '"$@" >>printed 2>&1', "bash")     # what a command prints goes to a file


class SixWaysTest(FaultCase):
    def test_a_task_started_in_six_ways_at_once_runs_once_and_each_returns_its_verdict(self):
        go = self.path("go")
        fault = f"train {MODEL} wait:{go}"
        self.launch(TOY_FAULTS=fault)                                       # 1: a launch on Slurm
        self.wait_for_running(MODEL)
        tasks = glob.glob(self.path("out/launches/*/train.tasks"))[0]
        vanishing = shutil.ignore_patterns(".c*", "*.tmp")
        shutil.copytree(self.path("out"), self.path("copy"), ignore=vanishing)
        settings = {"TOY_FAULTS": fault, "WORKFLOW_PYTHON": sys.executable}
        line = f"bash {shlex.quote(RUN_MODEL)} {self.read(tasks).splitlines()[0]}"
        run, copy = ("bash", RUN_MODEL, "--task"), tasks.replace("/out/", "/copy/")
        ways = [
            self.start(*SAY, *run, tasks, "0", **settings),                     # 2: by hand
            self.start(*SAY, "bash", "-c", line, **settings),                   # 3: pasted
            self.start(*SAY, *run, copy, "0", **settings),                      # 4: a copy of OUT
            self.start_as_another_user(tasks, "0", **settings),                 # 5: another user
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
        return "".join(map(self.read, paths)).count("has this task")

    def start_as_another_user(self, *task, **settings):
        """In a copy of the project and with a Python that everybody can read."""
        self.have_project()
        subprocess.check_call(["chmod", "-R", "a+rwX", self.work])
        return self.start(*SAY, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                          "bash", self.path("project/run_model.sh"), "--task", *task,
                          **dict(settings, WORKFLOW_PYTHON="/usr/bin/python3"))
