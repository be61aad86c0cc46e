"""What a site edits in slurm_templates/ reaches a real Slurm, for all jobs or for one stage."""
import glob
import shutil

from tests.cluster.faults import FaultCase

ONE = ("--source", "A", "--target", "A", "--split", "0")


class SiteTest(FaultCase):
    def test_what_all_jobs_share_is_edited_once_and_a_template_s_own_line_wins(self):
        folder = self.edited_project(
            ("##SBATCH --partition=NAME", "#SBATCH --partition=debug"),
            ("##SBATCH --account=NAME", "#SBATCH --account=lab"),
            ("##SBATCH --mail-user=YOU@SITE", "#SBATCH --mail-user=me@example.org"),
            ("#SBATCH --requeue", "#SBATCH --time=7\n#SBATCH --requeue"))
        self.launch("--dry_run", *ONE, folder=folder)
        scripts = glob.glob(self.path("out/launches/*/*.sbatch"))
        self.assertEqual(len(scripts), 4)
        for script in scripts:
            job = self.cluster.run("sbatch", "--parsable", "--hold", script).strip()
            said = self.cluster.run("scontrol", "show", "job", job)
            self.cluster.run("scancel", job)
            for wanted in ("Partition=debug", "Account=lab", "MailUser=me@example.org",
                           "MailType=.*FAIL", "Requeue=1"):
                self.assertRegex(said, wanted, script)
            if "train" in script:
                self.assertIn("TimeLimit=1-00:00:00", said)

    def test_a_launch_and_a_check_find_a_wrong_partition_and_a_broken_line_and_submit_nothing(self):
        for old, new in (("##SBATCH --partition=NAME", "#SBATCH --partition=nowhere"),
                         ("#SBATCH --requeue", "#SBATCH --reqeue=all")):
            folder = self.edited_project((old, new))
            said = f"sbatch --test-only refuses {folder}/slurm_templates/"
            self.assert_refused(self.campaign(folder=folder), said, "edit its #SBATCH lines")
            self.assertRegex(self.campaign("--check", folder=folder, code=2).out,
                             rf"templates +wrong: {said}.*nothing is submitted")
            shutil.rmtree(folder)
        self.assertRegex(self.campaign("--check").out,
                         r"templates +ok: .*preprocess\.sbatch, train\.sbatch, infer\.sbatch")
        self.assertEqual(self.cluster.run("squeue", "-h"), "")
        self.assertEqual(glob.glob(self.path("out/launches/*/plan.json")), [])

    def test_a_site_may_source_files_that_are_not_strict(self):
        folder = self.edited_project((
            "# module load NAME", "echo $NEVER_SET\nfalse\nmodule_of_nobody\n"
                                  "export TOY_FAULTS='train models exit:9'"))
        self.launch(*ONE, folder=folder)
        self.cluster.wait_until_empty()
        status = self.status_of("models/A/split_0")
        self.assertEqual(status["exit_code"], 9)
        self.assertRegex(status["slurm_job"], r"^\d+_0$")
