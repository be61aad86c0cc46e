"""On a real Slurm: the batch templates as they are shipped, and what a runner says of its job.

The launcher is not used: templates are filled here.
"""
import os
import re
import shlex
import sys
import unittest

from tests.cluster import slurm_cluster
from tests.runner_case import RunnerCase
from tests.support import REPOSITORY, RUN_MODEL, wait_for

TEMPLATES = os.path.join(REPOSITORY, "slurm_templates")


@unittest.skipIf(slurm_cluster.why_not(), slurm_cluster.why_not())
class TemplatesTest(slurm_cluster.WithCluster, RunnerCase):
    def run_task(self, script, site="", options=()):
        """Runs a script as a training in the shipped template; returns its status."""
        self.write("own_train_improve.py", script)
        self.write_tasks("t.tasks", ["none", self.path("own_train_improve.py"),
                                     "--output_dir", self.path("out")])
        holes = {"JOB_NAME": "csa.test.train", "ARRAY": "0", "SLURM_OUTPUT": self.path("slurm.out"),
                 "RUN_MODEL": RUN_MODEL, "TASKS": self.path("t.tasks"), "COUNT": "1",
                 "RETRIES": "0", "PYTHON": sys.executable,
                 "TEMPLATE": "slurm_templates/train.sbatch"}
        with open(os.path.join(TEMPLATES, "train.sbatch")) as file:
            text = file.read()
        with open(os.path.join(TEMPLATES, "site.sbatch")) as file:
            text = text.replace("@@site.sbatch@@\n", file.read(), 1).replace("@@site.sh@@\n", site)
        text = re.sub("@@([A-Z_]+)@@", lambda hole: shlex.quote(holes[hole.group(1)]), text)
        self.write("train.sbatch", text)
        self.cluster.run("sbatch", *options, self.path("train.sbatch"))
        self.cluster.wait_until_empty()
        wait_for(lambda: os.path.exists(self.path("out/stage_status.json")), "the status",
                 lambda: self.read("slurm.out"))
        return self.out_status("out")

    def test_a_site_may_source_files_that_are_not_strict(self):
        status = self.run_task(
            "import os, sys\nopen(sys.argv[-1] + '/val_scores.json', 'w').write('{\"mse\": 1}')\n"
            "print('TOLD', os.environ['OMP_NUM_THREADS'], os.environ['FROM_SITE'])\n",
            site="echo $NEVER_SET\nfalse\nmodule_of_nobody load x\nexport FROM_SITE=yes\n")
        self.assertEqual((status["state"], status["executor"]), ("done", "slurm"))
        self.assertRegex(status["slurm_job"], r"^\d+_0$")
        self.assertIn("TOLD 1 yes", self.read("out/log.txt"))

    def test_the_warning_before_the_time_limit_is_named_in_the_status(self):
        status = self.run_task("import time\ntime.sleep(300)\n", options=["--time=1"])
        self.assertEqual((status["state"], status["reason_kind"]), ("interrupted", "signal"))
        self.assertEqual(status["reason"], "signal TERM near the time limit; raise --time in "
                                           "slurm_templates/train.sbatch")


if __name__ == "__main__":
    unittest.main()
