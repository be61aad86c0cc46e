"""workflow_csa and workflow_lca through a real Slurm of four nodes: arrays, order of starts,
failures, limits."""
import os
import re
import shutil
import unittest

from tests.cluster import slurm_cluster
from tests.support import WorkCase, write_benchmark

STUDIES = ("CCLE", "CTRPv2", "GDSCv1", "GDSCv2", "gCSI")
ONE = ("--source", "gCSI", "--split", "0")


class SlurmCase(slurm_cluster.WithCluster, WorkCase):
    def setUp(self):
        super().setUp()
        write_benchmark(self.path("raw"), STUDIES, splits=3)
        self.environment = dict(self.environment, TOY_STARTS=self.path("starts.txt"))

    def run_slurm(self, *arguments, **settings):
        """Returns after the last task, when all are done. --wait would poll seldom."""
        ended = self.run_toy("--executor", "slurm", *arguments, **settings, code=0)
        self.cluster.wait_until_empty()
        self.run_toy("--status", *arguments, **settings, code=0)
        return ended

    def arrays(self, ended):
        """{array: number of tasks} as the launcher printed them."""
        return {name: int(tasks) for name,
                tasks in re.findall(r"submitted (\S+): job \S+, (\d+) task", ended.out)}

    def assert_each_once(self, count):
        names = self.started()
        self.assertEqual((len(names), len(set(names))), (count, count))


class CrossStudyTest(SlurmCase):
    def test_a_full_analysis_takes_11_arrays_and_each_task_runs_once(self):
        arrays = self.arrays(self.run_slurm("--split", "0"))
        self.assertEqual((arrays.pop("collect"), len(arrays), set(arrays.values())), (1, 11, {5}))
        self.assert_each_once(55)
        self.assertEqual(len({key[1:] for key in self.score_values()}), 25)

    def test_a_failed_task_of_a_packed_job_leaves_the_other_scores_and_is_retried(self):
        line = ("--source", "gCSI", "CCLE", "--tasks_per_job", "4")
        ended = self.run_toy("--executor", "slurm", "--wait", *line,
                             TOY_FAULTS="train models/gCSI/split_1 exit:3", code=1)
        self.assertIn("models/gCSI/split_1: exit code 3", ended.err)
        self.assertEqual(len({key[1:] for key in self.score_values()}), 25)
        self.assertEqual({row["failed_task"] for row in self.table("missing.csv")},
                         {"models/gCSI/split_1"})
        self.write("starts.txt", "")
        self.run_slurm(*line)
        self.assert_each_once(1 + 5)
        self.assertEqual(len({key[1:] for key in self.score_values()}), 30)

    def test_a_slow_source_does_not_hold_up_the_next_stage_of_another(self):
        """The slow training ends only when every other inference is there."""
        last = self.path("out/infer/CTRPv2-gCSI/split_0/stage_status.json")
        self.run_slurm("--source", "gCSI", "CTRPv2", "--split", "0",
                       TOY_FAULTS=f"train models/gCSI wait:{last}")

    def test_paths_with_blanks_and_quotes_work(self):
        name = "a b'$;é%s"
        os.rename(self.path("raw"), self.path(name))
        self.run_slurm("--input_dir", name, "--output_dir", f"{name}/out", *ONE, "--target", "gCSI")


class CurvesTest(SlurmCase):
    def test_slurm_gives_the_curves_of_a_local_run_and_resumes(self):
        shutil.rmtree(self.path("raw"))
        write_benchmark(self.path("raw"), ("A", "B"), rows=100)
        scores = []
        for executor in ("slurm", "local"):
            shutil.rmtree(self.path("out"), ignore_errors=True)
            for count in (2 * 4 * 3, 1):
                self.write("starts.txt", "")
                self.run_slurm("--executor", executor, "--source", "A", "--lc_sizes", "4",
                               "--min_size", "8", workflow="lca")
                self.assert_each_once(count)
                scores.append(self.read("out/scores/all_scores.csv"))
                shutil.rmtree(self.path("out/A/infer/split_1/sz_98"))
        self.assertEqual(set(scores), {scores[0]})


class SmallArraysTest(SlurmCase):
    settings = {"largest_array": 3}

    def test_more_tasks_than_an_array_may_hold_all_run_once(self):
        ended = self.run_slurm("--split", "0", "--target", "gCSI", "CCLE")
        self.assert_each_once(10 + 5 + 10)
        self.assertEqual(sorted(self.arrays(ended).values()), [1] + [2] * 5 + [3] * 5)


CONFIGURED = ("/etc/slurm/slurm.conf", "/run/slurm/conf/slurm.conf")   # where Debian's Slurm looks


@unittest.skipIf(slurm_cluster.why_not(), slurm_cluster.why_not())
@unittest.skipIf(any(map(os.path.exists, CONFIGURED)), "Slurm is set up on this machine")
class NoControllerTest(WorkCase):
    def test_slurm_s_programs_without_a_cluster_are_no_slurm(self):
        self.assert_refused(self.run_toy("--executor", "slurm"),
                            "the Slurm controller does not answer", "--executor local")
        ended = self.run_toy("--executor", "auto", "--source", "A", code=0)
        self.assertIn("no cluster is set up for it: the tasks run on this machine", ended.out)
