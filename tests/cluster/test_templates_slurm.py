"""What a site switches on in slurm_templates/ reaches a real Slurm, once for all jobs or for one stage."""
import glob
import os
import re
import shutil
import unittest

from tests.cluster import slurm_cluster
from tests.support import WorkCase


@unittest.skipIf(slurm_cluster.why_not(), slurm_cluster.why_not())
class SiteTest(slurm_cluster.WithCluster, WorkCase):
    def setUp(self):
        super().setUp()
        self.have_project()

    def edit(self, name, *changes):
        """Each change as a site makes it: (old, new), old being there once."""
        text = self.read("project", "slurm_templates", name)
        for old, new in changes:
            self.assertEqual(text.count(old), 1, old)
            text = text.replace(old, new)
        self.write(os.path.join("project", "slurm_templates", name), text)

    def jobs(self, workflow, *arguments):
        """{array: what Slurm says of it}: the scripts of a dry run, submitted on hold."""
        ended = self.run_toy("--executor", "slurm", "--dry_run", *arguments, workflow=workflow, folder=self.path("project"))
        self.assertEqual(ended.code, 0, ended)
        found = {}
        for script in glob.glob(self.path("out/launches/*/*.sbatch")):
            job = self.cluster.run("sbatch", "--parsable", "--hold", script).strip()
            found[os.path.basename(script).split(".")[0]] = self.cluster.run("scontrol", "show", "job", job)
            self.cluster.run("scancel", job)
        return found

    def test_what_all_jobs_share_is_edited_once_and_a_template_s_own_line_wins(self):
        self.edit("site.sbatch", ("##SBATCH --partition=NAME", "#SBATCH --partition=debug"),
                  ("##SBATCH --account=NAME", "#SBATCH --account=lab"),
                  ("##SBATCH --mail-user=YOU@SITE", "#SBATCH --mail-user=me@example.org"),
                  ("#SBATCH --requeue", "#SBATCH --time=7\n#SBATCH --requeue"))
        jobs = self.jobs("csa", "--source", "A", "--split", "0")
        self.assertEqual(set(jobs), {"preprocess_0", "preprocess_1", "train", "infer_0", "infer_1", "collect"})
        for array, said in jobs.items():
            for wanted in ("Partition=debug", "Account=lab", "MailUser=me@example.org", "MailType=.*FAIL", "Requeue=1"):
                self.assertRegex(said, wanted, array)
        self.assertIn("TimeLimit=1-00:00:00", jobs["train"])

    def test_a_trial_asks_for_what_train_asks_for_and_a_model_may_have_a_train_of_its_own(self):
        self.edit("train.sbatch", ("--cpus-per-task=1 ", "--cpus-per-task=2 "))
        space = '[{"name": "learning_rate", "type": "float", "min": 0.01, "max": 1.0, "default": 0.1}]'
        self.write("space.json", space)
        search = ("hpo", "--source", "A", "--split", "0", "--hyperparameter_file", "space.json")
        self.assertIn("CPUs/Task=2", self.jobs(*search)["trial_0"])
        shutil.rmtree(self.path("out"))
        os.makedirs(self.path("project/slurm_templates/toy"))
        own = re.sub("--time=24:00:00", "--time=3:00:00", self.read("project/slurm_templates/train.sbatch"))
        self.write("project/slurm_templates/toy/train.sbatch", own)
        self.assertIn("TimeLimit=03:00:00", self.jobs(*search)["trial_0"])

    def test_with_outputs_staged_on_the_nodes_scores_are_the_same_bytes(self):
        words = ("--source", "gCSI", "--target", "gCSI", "CCLE", "--split", "0", "--epochs", "3", "--output_dir")
        self.assertEqual(self.run_workflow("csa", *words, "direct", "--executor", "local").code, 0)
        self.edit("site.sh", ("# export STAGE_OUT=/scratch/$USER ", f"export STAGE_OUT={self.path('node')} "))
        for out, more in (("single", ()), ("fused", ("--fuse",))):
            ended = self.run_workflow("csa", *words, out, "--executor", "slurm", *more, folder=self.path("project"))
            self.assertEqual(ended.code, 0, ended)
            self.cluster.wait_until_empty()
            self.assertIn(f"=== outputs are written in {self.path('node')}/outputs.", self.read(out, "models/gCSI/split_0/log.txt"))
            self.assertEqual(self.read(out, "scores/all_scores.csv"), self.read("direct/scores/all_scores.csv"))
        self.assertEqual([name for name in os.listdir(self.path("node")) if not name.endswith(".lock")], [])

    def test_a_check_finds_a_wrong_partition_and_a_broken_line_and_submits_nothing(self):
        before = self.cluster.run("squeue", "-h", "-o", "%i")
        for old, new in (("##SBATCH --partition=NAME", "#SBATCH --partition=nowhere"), ("#SBATCH --requeue", "#SBATCH --reqeue=all")):
            text = self.read("project/slurm_templates/site.sbatch")
            self.edit("site.sbatch", (old, new))
            ended = self.run_toy("--executor", "slurm", "--check", folder=self.path("project"))
            self.write("project/slurm_templates/site.sbatch", text)
            self.assertEqual(ended.code, 2, ended)
            line = re.search("^templates .*$", ended.out, re.MULTILINE).group(0)
            self.assertIn(f"wrong: Slurm does not take {self.path('project/slurm_templates/')}", line)
            self.assertIn(new.partition(" ")[2] + "; nothing is submitted", line)
        ended = self.run_toy("--executor", "slurm", "--check", folder=self.path("project"))
        self.assertRegex(ended.out, r"templates +ok: Slurm takes preprocess\.sbatch, train\.sbatch, infer\.sbatch, collect\.sbatch")
        self.assertEqual((self.cluster.run("squeue", "-h", "-o", "%i"), os.path.exists(self.path("out"))), (before, False))


if __name__ == "__main__":
    unittest.main()
