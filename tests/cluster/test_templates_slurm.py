"""What a site edits in slurm_templates/ reaches a real Slurm, for all jobs or for one stage."""
import glob
import os
import shutil

from tests.cluster import slurm_cluster
from tests.support import WorkCase

SPACE = '[{"name": "learning_rate", "type": "float", "min": 0.01, "max": 1.0, "default": 0.1}]'
ONE = ("--source", "A", "--target", "A", "--split", "0")
SEARCH = ("hpo", "--source", "A", "--split", "0", "--hyperparameter_file", "space.json")


class SiteTest(slurm_cluster.WithCluster, WorkCase):
    def setUp(self):
        super().setUp()
        self.have_project()

    def edit(self, name, *changes):
        """Each change as a site makes it: (old, new), old being there once."""
        path = os.path.join("project/slurm_templates", name)
        text = self.read(path)
        for old, new in changes:
            self.assertEqual(text.count(old), 1, old)
            text = text.replace(old, new)
        self.write(path, text)

    def run_one(self, **settings):
        """Launches ONE; returns the status of its training after the last task."""
        self.launcher("csa", *ONE, code=0, **settings)
        self.cluster.wait_until_empty()
        return self.status_of("models/A/split_0")

    def launcher(self, workflow, *arguments, **settings):
        return self.run_toy("--executor", "slurm", *arguments, workflow=workflow,
                            folder=self.path("project"), **settings)

    def jobs(self, workflow, *arguments):
        """{array: what Slurm says of it}: the scripts of a dry run, submitted on hold."""
        shutil.rmtree(self.path("out"), ignore_errors=True)
        self.launcher(workflow, "--dry_run", *arguments, code=0)
        found = {}
        for script in glob.glob(self.path("out/launches/*/*.sbatch")):
            job = self.cluster.run("sbatch", "--parsable", "--hold", script).strip()
            found[os.path.basename(script)[:-len(".sbatch")]] = \
                self.cluster.run("scontrol", "show", "job", job)
            self.cluster.run("scancel", job)
        return found

    def test_what_all_jobs_share_is_edited_once_and_a_template_s_own_line_wins(self):
        self.edit("site.sbatch", ("##SBATCH --partition=NAME", "#SBATCH --partition=debug"),
                  ("##SBATCH --account=NAME", "#SBATCH --account=lab"),
                  ("##SBATCH --mail-user=YOU@SITE", "#SBATCH --mail-user=me@example.org"),
                  ("#SBATCH --requeue", "#SBATCH --time=7\n#SBATCH --requeue"))
        jobs = self.jobs("csa", "--source", "A", "--split", "0")
        self.assertEqual(set(jobs), {"preprocess_0", "preprocess_1", "train", "infer_0", "infer_1",
                                     "collect"})
        for name, said in jobs.items():
            for wanted in ("Partition=debug", "Account=lab", "MailUser=me@example.org",
                           "MailType=.*FAIL", "Requeue=1"):
                self.assertRegex(said, wanted, name)
        self.assertIn("TimeLimit=1-00:00:00", jobs["train"])

    def test_a_trial_asks_for_what_train_asks_for_and_a_model_may_have_a_train_of_its_own(self):
        self.write("space.json", SPACE)
        self.edit("train.sbatch", ("--cpus-per-task=1 ", "--cpus-per-task=2 "))
        self.assertIn("CPUs/Task=2", self.jobs(*SEARCH)["trial_0"])
        own = self.path("project/slurm_templates/toy")
        os.mkdir(own)
        shutil.copy(self.path("project/slurm_templates/train.sbatch"), own)
        self.edit("toy/train.sbatch", ("--time=24:00:00", "--time=3:00:00"))
        self.assertIn("TimeLimit=03:00:00", self.jobs(*SEARCH)["trial_0"])

    def test_a_launch_and_a_check_find_a_wrong_partition_and_a_broken_line_and_submit_nothing(self):
        before = self.cluster.run("squeue", "-h", "-o", "%i")
        folder = self.path("project/slurm_templates/")
        for old, new in (("##SBATCH --partition=NAME", "#SBATCH --partition=nowhere"),
                         ("#SBATCH --requeue", "#SBATCH --reqeue=all")):
            self.edit("site.sbatch", (old, new))
            self.assert_refused(self.launcher("csa"), f"sbatch --test-only refuses {folder}",
                                "edit its #SBATCH lines")
            ended = self.launcher("csa", "--check")
            self.edit("site.sbatch", (new, old))
            self.assertEqual(ended.code, 2, ended)
            self.assertRegex(ended.out, rf"templates +wrong: sbatch --test-only refuses {folder}"
                                        r".*nothing is submitted")
        self.assertRegex(self.launcher("csa", "--check").out,
                         r"templates +ok: .*preprocess\.sbatch, train\.sbatch, infer\.sbatch")
        self.assertEqual(self.cluster.run("squeue", "-h", "-o", "%i"), before)
        self.assertEqual(glob.glob(self.path("out/launches/*/plan.json")), [])

    def test_a_site_may_source_files_that_are_not_strict(self):
        self.edit("site.sh", ("# module load NAME", "echo $NEVER_SET\nfalse\nmodule_of_nobody\n"
                              "export TOY_FAULTS='train models exit:9'"))
        status = self.run_one()
        self.assertEqual((status["executor"], status["exit_code"]), ("slurm", 9))
        self.assertRegex(status["slurm_job"], r"^\d+_0$")

    def test_the_warning_before_the_time_limit_is_named_in_the_status(self):
        self.edit("train.sbatch", ("--time=24:00:00", "--time=00:01:00"))
        status = self.run_one(TOY_FAULTS="train models sleep:300")
        self.assertEqual((status["state"], status["reason_kind"], status["reason"]), (
            "interrupted", "signal",
            "signal TERM near the time limit; raise --time in slurm_templates/train.sbatch"))
