"""workflow_csa and workflow_lca through a real Slurm of four nodes: arrays, order of starts,
failures, limits."""
import os
import re
import shutil
import subprocess
import unittest

from tests.cluster import slurm_cluster
from tests.support import WorkCase, write_benchmark

STUDIES = ("CCLE", "CTRPv2", "GDSCv1", "GDSCv2", "gCSI")
ONE = ("--source", "gCSI", "--split", "0")


@unittest.skipIf(slurm_cluster.why_not(), slurm_cluster.why_not())
class SlurmCase(slurm_cluster.WithCluster, WorkCase):
    def setUp(self):
        super().setUp()
        write_benchmark(self.path("raw"), STUDIES, splits=3)

    def run_slurm(self, *arguments, **settings):
        return self.run_toy("--executor", "slurm", "--wait", *arguments,
                            TOY_STARTS=self.path("starts.txt"), **settings)

    def arrays(self, ended):
        """{array: number of tasks} as the launcher printed them."""
        return {name: int(tasks) for name,
                tasks in re.findall(r"submitted (\S+): job \S+, (\d+) task", ended.out)}

    def assert_each_once(self, count):
        names = [row[2] for row in self.starts()]
        self.assertEqual((len(names), len(set(names))), (count, count))


class CrossStudyTest(SlurmCase):
    def test_a_full_analysis_takes_11_arrays_and_each_task_runs_once(self):
        ended = self.run_slurm("--split", "0-2")
        self.assertEqual(ended.code, 0, ended)
        arrays = self.arrays(ended)
        self.assertEqual((arrays.pop("collect"), len(arrays), set(arrays.values())), (1, 11, {15}))
        self.assert_each_once(165)
        self.assertEqual(len({key[1:] for key in self.score_values()}), 75)
        left = subprocess.run(["pgrep", "-f", f"workflow_csa.py.*{self.path()}"],
                              stdout=subprocess.PIPE).stdout
        self.assertEqual(left, b"", "a process is left on the login node")

    def test_rows_packed_and_single_tasks_and_a_local_run_give_the_same_bytes(self):
        found = {}
        for executor, more in (("local", ()), ("slurm", ()), ("slurm", ("--fuse",)),
                               ("slurm", ("--tasks_per_job", "4"))):
            shutil.rmtree(self.path("out"), ignore_errors=True)
            self.write("starts.txt", "")
            ended = self.run_slurm("--executor", executor, "--source", "gCSI", "CCLE", "--split",
                                   "0-2", *more)
            self.assertEqual(ended.code, 0, ended)
            self.assert_each_once(66)
            found[executor, more] = [self.read("out/scores", name)
                                     for name in ("all_scores.csv", "r2_mean_csa_table.csv")]
        self.assertEqual(set(map(tuple, found.values())), {tuple(found["local", ()])})

    def test_a_failed_task_leaves_the_other_scores_and_the_same_command_retries_it(self):
        for more in ((), ("--tasks_per_job", "4")):
            with self.subTest(more):
                shutil.rmtree(self.path("out"), ignore_errors=True)
                ended = self.run_slurm(*more, TOY_FAULTS="train models/gCSI/split_1 exit:3")
                self.assertEqual(ended.code, 1, ended)
                self.assertIn("models/gCSI/split_1", ended.err)
                self.assertIn("exit code 3", ended.err)
                self.assertEqual(len({key[1:] for key in self.score_values()}), 70)
                self.assertEqual({row["failed_task"] for row in self.table("missing.csv")},
                                 {"models/gCSI/split_1"})
                before = len(self.starts())
                self.assertEqual(self.run_slurm(*more).code, 0)
                self.assertEqual((len({key[1:] for key in self.score_values()}),
                                  len(self.starts()) - before), (75, 1 + 5))

    def test_a_slow_source_does_not_hold_up_the_next_stage_of_another(self):
        """The slow training ends only when every other inference is there."""
        last = self.path("out/infer/CTRPv2-gCSI/split_0/stage_status.json")
        ended = self.run_slurm("--source", "gCSI", "CTRPv2", "--split", "0",
                               TOY_FAULTS=f"train models/gCSI wait:{last}")
        self.assertEqual(ended.code, 0, ended)

    def test_a_failure_strands_no_source_with_targets_of_its_own(self):
        ended = self.run_slurm("--only_cross_study", "--split", "0",
                               TOY_FAULTS="preprocess ml_data/CCLE-CTRPv2 exit:1")
        self.assertEqual(ended.code, 1)
        # CCLE trains on the data made for its first target, which failed; the other sources are
        # complete.
        pairs = {key[1:] for key in self.score_values()}
        self.assertEqual(({key[0] for key in pairs}, len(pairs)), (set(STUDIES) - {"CCLE"}, 16))

    def test_another_launch_s_tasks_do_not_decide_how_wait_ends(self):
        held = self.run_toy("--executor", "slurm", *ONE,
                            TOY_FAULTS=f"train models/gCSI wait:{self.path('go')}")
        self.assertEqual(held.code, 0, held)
        ended = self.run_slurm("--source", "CCLE", "--split", "0")
        self.write("go", "")
        self.assertEqual(ended.code, 0, ended)
        self.cluster.wait_until_empty()     # the file has to exist until the held task has seen it

    def test_a_template_of_its_own_is_used_for_a_source(self):
        self.have_project()
        text = self.read("project/slurm_templates/train.sbatch")
        self.write("project/slurm_templates/train.CTRPv2.sbatch",
                   text.replace("--time=24:00:00", "--time=48:00:00"))
        ended = self.run_slurm("--split", "0-1", folder=self.path("project"))
        self.assertEqual(ended.code, 0, ended)
        arrays = self.arrays(ended)
        self.assertEqual((arrays["train"], arrays["train-2"]), (8, 2))
        launch, = os.listdir(self.path("out/launches"))
        self.assertIn("--time=48:00:00", self.read("out/launches", launch, "train-2.sbatch"))

    def test_variables_of_an_allocation_are_not_passed_on(self):
        ended = self.run_slurm(*ONE, "--target", "gCSI", SLURM_CPU_BIND="quiet,mask_cpu:0x1",
                               SBATCH_ARRAY_INX="0-99", SLURM_ARRAY_TASK_ID="7",
                               SBATCH_TIMELIMIT="0")
        self.assertEqual(ended.code, 0, ended)

    def test_the_scripts_of_a_dry_run_work_by_hand(self):
        ended = self.run_toy("--executor", "slurm", *ONE, "--dry_run")
        self.assertEqual((ended.code, self.cluster.run("squeue", "-h").strip()), (0, ""))
        lines = [line for line in ended.out.splitlines() if "=$(sbatch" in line]
        self.assertEqual(self.run_command("bash", "-c", "\n".join(["set -eu", *lines])).code, 0)
        self.cluster.wait_until_empty()
        self.assertEqual(self.table("r2_mean_csa_table.csv")[0]["src"], "gCSI")

    def test_paths_with_blanks_and_quotes_work_and_a_double_quote_is_refused(self):
        name = "a b'$;é%s"
        os.rename(self.path("raw"), self.path(name))
        ended = self.run_slurm("--input_dir", name, "--output_dir", f"{name}/out", *ONE, "--target",
                               "gCSI")
        self.assertEqual(ended.code, 0, ended)
        self.assert_refused(self.run_slurm("--input_dir", name, "--output_dir", 'a"b'),
                            "cannot hold", "without quotes")


class CurvesTest(SlurmCase):
    def test_slurm_gives_the_curves_of_a_local_run_and_resumes(self):
        shutil.rmtree(self.path("raw"))
        write_benchmark(self.path("raw"), ("A", "B"), splits=2, rows=100)
        arguments = ("--lc_sizes", "6", "--min_size", "8")
        ended = self.run_slurm(*arguments, workflow="lca")
        self.assertEqual(ended.code, 0, ended)
        self.assert_each_once(2 * 2 * 6 * 3)
        on_slurm = self.read("out/scores/all_scores.csv")
        shutil.rmtree(self.path("out/A/infer/split_1/sz_98"))
        self.assertEqual(self.run_slurm(*arguments, workflow="lca").code, 0)
        self.assertEqual(len(self.starts()), 2 * 2 * 6 * 3 + 1)
        shutil.rmtree(self.path("out"))
        self.assertEqual(self.run_toy("--executor", "local", *arguments, workflow="lca").code, 0)
        self.assertEqual(self.read("out/scores/all_scores.csv"), on_slurm)


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
        self.write("slurm.conf",
                   "ClusterName=x\nSlurmctldHost=localhost\nSlurmctldPort=1\nAuthType=auth/munge\n"
                   "NodeName=n1\nPartitionName=p Nodes=n1\n")

    def test_a_controller_that_does_not_answer_is_one_sentence(self):
        for executor in ("slurm", "auto"):
            ended = self.run_toy("--executor", executor, SLURM_CONF=self.path("slurm.conf"))
            self.assert_refused(ended, "the Slurm controller does not answer", "--executor local")

    @unittest.skipIf(any(map(os.path.exists, CONFIGURED)), "Slurm is set up on this machine")
    def test_slurm_s_programs_without_a_cluster_are_no_slurm(self):
        self.environment.pop("SLURM_CONF", None)
        self.assert_refused(self.run_toy("--executor", "slurm"),
                            "the Slurm controller does not answer")
        ended = self.run_toy("--executor", "auto", "--source", "A")
        self.assertEqual(ended.code, 0, ended)
        self.assertIn("no cluster is set up for it: the tasks run on this machine", ended.out)


if __name__ == "__main__":
    unittest.main()
