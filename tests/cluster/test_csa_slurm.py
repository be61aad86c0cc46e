"""workflow_csa through a real Slurm of four nodes: arrays, order of starts, failures, limits."""
import os
import shutil
import subprocess
import unittest

from tests.cluster import slurm_cluster
from tests.support import REPOSITORY, TOY_MODEL, WorkCase, write_benchmark

STUDIES = ("CCLE", "CTRPv2", "GDSCv1", "GDSCv2", "gCSI")


@unittest.skipIf(slurm_cluster.why_not(), slurm_cluster.why_not())
class SlurmCase(slurm_cluster.WithCluster, WorkCase):
    def setUp(self):
        super().setUp()
        write_benchmark(self.path("raw"), STUDIES, splits=3)

    def run_slurm(self, *arguments, **settings):
        return self.run_toy("--executor", "slurm", "--wait", *arguments, TOY_STARTS=self.path("starts.txt"), **settings)

    def arrays(self, ended):
        """{array: number of tasks} as the launcher printed them."""
        rows = [line.split() for line in ended.out.splitlines()]
        return {row[0]: int(row[2]) for row in rows if len(row) == 3 and row[1].isdigit()}

    def assert_each_once(self, count):
        names = [row[2] for row in self.starts()]
        self.assertEqual((len(names), len(set(names))), (count, count))


class CrossStudyTest(SlurmCase):
    def test_a_full_analysis_takes_11_arrays_and_gives_the_scores_of_a_local_run(self):
        ended = self.run_slurm("--split", "0-2")
        self.assertEqual(ended.code, 0, ended)
        arrays = self.arrays(ended)
        self.assertEqual(len(arrays), 12)
        self.assertEqual((arrays["collect"], {arrays[name] for name in arrays if name != "collect"}), (1, {15}))
        self.assert_each_once(165)
        on_slurm = self.score_values()
        self.assertEqual(len({key[1:] for key in on_slurm}), 75)
        shutil.rmtree(self.path("out"))
        self.assertEqual(self.run_toy("--executor", "local", "--split", "0-2").code, 0)
        self.assertEqual(self.score_values(), on_slurm)

    def test_another_launch_s_tasks_do_not_decide_how_wait_ends(self):
        ended = self.run_toy("--executor", "slurm", "--source", "gCSI", "--split", "0",
                             TOY_FAULTS=f"train models/gCSI wait:{self.path('go')}")
        self.assertEqual(ended.code, 0, ended)
        ended = self.run_slurm("--source", "CCLE", "--split", "0")
        self.write("go", "")
        self.assertEqual(ended.code, 0, ended)
        self.cluster.wait_until_empty()     # the file has to be there until the held task has seen it

    def test_rows_packed_and_single_tasks_and_a_local_run_give_the_same_bytes(self):
        found = {}
        for executor, more in (("local", ()), ("slurm", ()), ("slurm", ("--fuse",)), ("slurm", ("--tasks_per_job", "4")),
                               ("slurm", ("--tasks_per_job", "4", "--tasks_per_gpu", "2"))):
            shutil.rmtree(self.path("out"), ignore_errors=True)
            self.write("starts.txt", "")
            ended = self.run_slurm("--executor", executor, "--source", "gCSI", "CCLE", "--split", "0-2", *more)
            self.assertEqual(ended.code, 0, ended)
            self.assert_each_once(66)
            found[executor, more] = [self.read("out/scores", name) for name in ("all_scores.csv", "r2_mean_csa_table.csv")]
        self.assertEqual(set(map(tuple, found.values())), {tuple(found["local", ()])})

    def test_packed_elements_stay_aligned_and_a_failure_strands_nobody(self):
        ended = self.run_slurm("--split", "0-2", "--tasks_per_job", "4", TOY_FAULTS="train models/gCSI/split_1 exit:3")
        self.assertEqual(ended.code, 1, ended)
        self.assertEqual(len({key[1:] for key in self.score_values()}), 70)
        before = len(self.starts())
        self.assertEqual(self.run_slurm("--tasks_per_job", "4", "--retry_failed").code, 0)
        self.assertEqual(len(self.starts()) - before, 1 + 5)

    def test_a_failed_task_leaves_the_scores_of_the_others(self):
        ended = self.run_slurm(TOY_FAULTS="train models/gCSI/split_1 exit:3")
        self.assertEqual(ended.code, 1)
        self.assertIn("failed: models/gCSI/split_1: exit code 3", ended.err)
        self.assertEqual(len({key[1:] for key in self.score_values()}), 70)
        self.assertEqual({row["failed_task"] for row in self.table("missing.csv")}, {"models/gCSI/split_1"})
        self.assertEqual(self.run_slurm("--retry_failed").code, 0)
        self.assertEqual(len({key[1:] for key in self.score_values()}), 75)
        self.assertEqual(len(self.starts()), 166 - 5 + 5)

    def test_a_slow_source_does_not_hold_up_another_ones_next_stage(self):
        """The slow training ends only when every other inference is there."""
        last = self.path("out/infer/CTRPv2-gCSI/split_0/stage_status.json")
        ended = self.run_slurm("--source", "gCSI", "CTRPv2", "--split", "0", TOY_FAULTS=f"train models/gCSI wait:{last}")
        self.assertEqual(ended.code, 0, ended)
        order = [row[2] for row in self.starts()]
        self.assertLess(max(order.index(f"infer/CTRPv2-{t}/split_0") for t in STUDIES),
                        min(order.index(f"infer/gCSI-{t}/split_0") for t in STUDIES))

    def test_a_source_with_its_own_targets_does_not_wait_for_an_unrelated_failure(self):
        """Under --only_cross_study the indices stay aligned, and a failure strands nobody else."""
        ended = self.run_slurm("--only_cross_study", "--split", "0", TOY_FAULTS="preprocess ml_data/CCLE-CTRPv2 exit:1")
        self.assertEqual(ended.code, 1)
        # CCLE trains on the data made for its first target, which failed; the other sources are complete.
        self.assertEqual({key[1] for key in self.score_values()}, set(STUDIES) - {"CCLE"})
        self.assertEqual(len({key[1:] for key in self.score_values()}), 16)

    def test_a_template_of_its_own_is_used_for_a_source(self):
        folder = self.path("folder")
        os.makedirs(folder)
        for name in ("workflow_csa.py", "run_model.sh", "launcher", "stages", "slurm_templates"):
            subprocess.check_call(["cp", "-r", os.path.join(REPOSITORY, name), folder])
        template = os.path.join(folder, "slurm_templates", "train.sbatch")
        with open(template) as file:
            text = file.read()
        with open(template.replace("train.", "train.CTRPv2."), "w") as file:
            file.write(text.replace("--time=24:00:00", "--time=48:00:00"))
        ended = self.run_workflow("csa", "--model", "toy", "--model_dir", TOY_MODEL, "--input_dir", "raw", "--output_dir", "out",
                                  "--executor", "slurm", "--wait", "--split", "0-1", folder=folder, TOY_STARTS=self.path("starts.txt"))
        self.assertEqual(ended.code, 0, ended)
        self.assert_each_once(110)
        arrays = self.arrays(ended)
        self.assertEqual((arrays["train"], arrays["train-2"]), (8, 2))
        launch = os.path.join(self.path("out/launches"), os.listdir(self.path("out/launches"))[0])
        with open(os.path.join(launch, "train-2.sbatch")) as file:
            self.assertIn("--time=48:00:00", file.read())

    def test_variables_of_an_allocation_are_not_passed_on(self):
        ended = self.run_slurm("--source", "gCSI", "--target", "gCSI", "--split", "0", SLURM_CPU_BIND="quiet,mask_cpu:0x1",
                               SBATCH_ARRAY_INX="0-99", SLURM_ARRAY_TASK_ID="7", SBATCH_TIMELIMIT="0")
        self.assertEqual(ended.code, 0, ended)

    def test_the_scripts_of_a_dry_run_work_by_hand(self):
        ended = self.run_toy("--executor", "slurm", "--source", "gCSI", "--split", "0", "--dry_run")
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(self.cluster.run("squeue", "-h").strip(), "")
        lines = [line for line in ended.out.splitlines() if "=$(sbatch" in line]
        self.assertEqual(self.run_command("bash", "-c", "\n".join(["set -eu", *lines])).code, 0)
        self.cluster.wait_until_empty()
        self.assertEqual(self.table("r2_mean_csa_table.csv")[0]["src"], "gCSI")
        self.assertIn("11 tasks in", self.run_toy("--executor", "slurm", "--source", "gCSI", "--split", "0").out)

    def test_paths_with_blanks_and_quotes_work(self):
        name = "a b'$;é%s"
        os.rename(self.path("raw"), self.path(name))
        ended = self.run_slurm("--input_dir", name, "--output_dir", f"{name}/out", "--source", "gCSI", "--target", "gCSI", "--split", "0")
        self.assertEqual(ended.code, 0, ended)

    def test_a_quote_in_the_output_directory_is_refused(self):
        self.assert_refused(self.run_slurm("--output_dir", 'a"b'), "cannot hold", "without quotes")

    def test_nothing_is_left_on_the_login_node(self):
        ended = self.run_toy("--executor", "slurm", "--source", "gCSI", "--split", "0")
        self.assertEqual(ended.code, 0, ended)
        left = subprocess.run(["pgrep", "-f", f"workflow_csa.py.*{self.path()}"], stdout=subprocess.PIPE).stdout
        self.assertEqual(left, b"")
        self.cluster.wait_until_empty()


class SmallArraysTest(SlurmCase):
    settings = {"largest_array": 8}

    def test_more_tasks_than_an_array_may_hold_all_run_once(self):
        ended = self.run_slurm("--split", "0-2", "--target", "gCSI", "CCLE")
        self.assertEqual(ended.code, 0, ended)
        self.assert_each_once(30 + 15 + 30)
        self.assertEqual(sorted(self.arrays(ended).values()), [1] + [7] * 5 + [8] * 5)


CONFIGURED = ("/etc/slurm/slurm.conf", "/run/slurm/conf/slurm.conf")   # where Debian's Slurm looks


@unittest.skipIf(slurm_cluster.why_not(), slurm_cluster.why_not())
class NoControllerTest(WorkCase):
    def setUp(self):
        super().setUp()
        self.write("slurm.conf", "ClusterName=x\nSlurmctldHost=localhost\nSlurmctldPort=1\nAuthType=auth/munge\nNodeName=n1\n"
                                 "PartitionName=p Nodes=n1\n")

    def test_a_controller_that_does_not_answer_is_one_sentence(self):
        for executor in ("slurm", "auto"):
            ended = self.run_toy("--executor", executor, SLURM_CONF=self.path("slurm.conf"))
            self.assert_refused(ended, "the Slurm controller does not answer", "--executor local")

    def test_a_check_without_a_controller_says_what_is_wrong_in_a_template(self):
        self.have_project()
        site = self.read("project/slurm_templates/site.sbatch")
        for text, expected in ((site, "the Slurm controller does not answer"),
                               (site.replace("##SBATCH --account=NAME", "#SBATCH --account=NAME"), "NAME is a placeholder")):
            self.write("project/slurm_templates/site.sbatch", text)
            ended = self.run_toy("--executor", "slurm", "--check", folder=self.path("project"), SLURM_CONF=self.path("slurm.conf"))
            self.assertEqual(ended.code, 2, ended)
            self.assertRegex(ended.out, r"templates +wrong: .*" + expected)

    @unittest.skipIf(any(map(os.path.exists, CONFIGURED)), "Slurm is set up on this machine")
    def test_slurms_programs_without_a_cluster_are_no_slurm(self):
        self.environment.pop("SLURM_CONF", None)
        self.assert_refused(self.run_toy("--executor", "slurm"), "the Slurm controller does not answer", "--executor local")
        ended = self.run_toy("--executor", "auto")
        self.assertEqual(ended.code, 0, ended)
        self.assertIn("no cluster is set up for it: the tasks run on this machine", ended.out)


if __name__ == "__main__":
    unittest.main()
