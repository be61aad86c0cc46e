"""workflow_hpo: spaces refused, trials, failures, continuing, what is written; on this machine and on Slurm."""
import collections
import json
import os
import signal
import sys
import time
import unittest

import tests  # noqa: F401  (puts stages/ on the path)
from baseline.model import DEFAULTS, read_responses, train_model
from tests.cluster import slurm_cluster
from tests.hpo_case import LOCAL, RATE, HpoCase
from tests.support import PATIENCE, REPOSITORY, STAGES, TOY_MODEL, WorkCase, wait_for

class RefusalsTest(HpoCase):
    def refused(self, *parts, arguments=(), space=None):
        if space is not None:
            self.write("space.json", space)
        self.assert_refused(self.run_hpo(*LOCAL, *arguments), *parts)
        self.assertFalse(os.path.exists(self.path("out")), "something was written")

    def test_a_malformed_space_names_the_entry_and_the_key(self):
        self.refused("entry 1", "learning_rate", "'max'", space=json.dumps([dict(RATE, max="x")]))

    def test_a_space_that_is_no_json(self):
        self.refused("space.json", space="[{")

    def test_a_space_that_is_not_there(self):
        self.refused(f"there is no search space {self.path('nowhere.json')}", arguments=["--hyperparameter_file", "nowhere.json"])

    def test_a_value_that_is_fixed_cannot_be_searched(self):
        self.refused("learning_rate", "has a fixed value already", arguments=["--train_args", "--learning_rate 0.5"])

    def test_an_unknown_metric(self):
        self.refused("invalid choice: 'auk'", arguments=["--val_metric", "auk"])

    def test_another_space_in_the_same_output_directory(self):
        self.run_hpo(*LOCAL, "--max_evals", "2")
        self.write("space.json", json.dumps([dict(RATE, max=2.0)]))
        self.assert_refused(self.run_hpo(*LOCAL, "--max_evals", "4"), "space: learning_rate", "another --output_dir")

    def test_other_fixed_values_in_the_same_output_directory(self):
        self.run_hpo(*LOCAL, "--max_evals", "2")
        self.assert_refused(self.run_hpo(*LOCAL, "--max_evals", "4", "--epochs", "7"), "train_words: ")


class LocalTest(HpoCase):
    def test_a_search_finds_the_best_rate_and_writes_it_in_improves_format(self):
        ended = self.run_hpo(*LOCAL, "--max_evals", "16")
        self.assertEqual(ended.code, 0, ended)
        trials = self.trials()
        self.assertEqual((len(trials), trials[0]["params"]), (16, {"learning_rate": 0.9}))
        best = json.loads(self.read("out/hyperparameters_hpo.json"))
        self.assertAlmostEqual(best["toy"]["A"]["learning_rate"], 0.3, delta=0.05)
        rows = self.table("hpo_results.csv")
        self.assertEqual([row["trial"] for row in rows], [str(number) for number in range(16)])
        best_so_far = [float(row["best_so_far"]) for row in rows]
        self.assertEqual(best_so_far, sorted(best_so_far, reverse=True))

    def test_more_trials_run_only_the_additional_ones(self):
        self.run_hpo(*LOCAL, "--max_evals", "4", TOY_STARTS=self.path("starts.txt"))
        ended = self.run_hpo(*LOCAL, "--max_evals", "7", TOY_STARTS=self.path("starts.txt"))
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(dict(self.trained()), {number: 1 for number in range(7)})
        self.assertEqual(len(self.table("hpo_results.csv")), 7)

    def test_a_failed_trial_is_a_failure_and_the_search_goes_on(self):
        ended = self.run_hpo(*LOCAL, "--max_evals", "5", TOY_FAULTS="train 0002 exit:3")
        self.assertEqual(ended.code, 1, ended)
        trials = self.trials()
        self.assertEqual((trials[2]["state"], trials[2]["reason"], trials[2]["objective"]), ("failed", "exit code 3", None))
        self.assertEqual([row["state"] for row in self.table("hpo_results.csv")], ["done", "done", "failed", "done", "done"])
        self.assertIn("toy: exit:3 as told", self.read("out/scores/summary.txt"))

    def test_a_run_in_which_every_trial_failed_exits_1(self):
        self.assertEqual(self.run_hpo(*LOCAL, "--max_evals", "3", TOY_FAULTS="train trials exit:3").code, 1)

    def test_a_trial_that_was_killed_runs_again_with_the_parameters_it_had(self):
        process = self.start(sys.executable, os.path.join(REPOSITORY, "workflow_hpo.py"), "--model", "toy", "--model_dir", TOY_MODEL,
                             "--input_dir", "raw", "--output_dir", "out", "--hyperparameter_file", "space.json", "--source", "A",
                             "--max_evals", "4", *LOCAL, TOY_FAULTS=f"train 0002 wait:{self.path('never')}", TOY_STARTS=self.path("starts.txt"))
        wait_for(lambda: os.path.exists(self.path("out/A/trials/0002/split_0")), "the third trial")
        params = self.read("out/A/trials/0002/params.json")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
        self.assertNotIn(2, self.trials())
        self.assertEqual(self.run_hpo(*LOCAL, "--max_evals", "4").code, 0)
        self.assertEqual(json.loads(params), self.trials()[2]["params"])

    def test_a_discrete_space_is_tried_without_repetition_until_it_is_exhausted(self):
        self.write("space.json", json.dumps([{"name": "learning_rate", "type": "categorical", "choices": [0.1, 0.2, 0.3], "default": 0.2}]))
        ended = self.run_hpo(*LOCAL, "--max_evals", "6", "--jobs", "4")
        self.assertEqual(ended.code, 0, ended)
        trials = self.trials()
        self.assertEqual(collections.Counter(trial["state"] for trial in trials.values()), {"done": 3, "exhausted": 3})
        self.assertEqual(sorted(trial["params"]["learning_rate"] for trial in trials.values() if trial["params"]), [0.1, 0.2, 0.3])
        self.assertIn("every point of the search space has been tried", ended.out)

    def test_trials_that_start_in_the_same_second_differ(self):
        ended = self.run_hpo(*LOCAL, "--max_evals", "8", "--jobs", "8", TOY_FAULTS="train trials sleep:1")
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(len({trial["params"]["learning_rate"] for trial in self.trials().values()}), 8)

    def test_the_objective_is_the_mean_over_splits(self):
        self.run_hpo(*LOCAL, "--max_evals", "1", "--split", "0", "1", "--val_metric", "r2")
        folders = [self.path(f"out/A/trials/0000/split_{k}") for k in (0, 1)]
        values = []
        for folder in folders:
            with open(os.path.join(folder, "val_scores.json")) as file:
                values.append(json.load(file)["r2"])
        self.assertEqual(self.trials()[0]["objective"], sum(values) / 2)

    def test_mae_comes_from_the_predictions(self):
        self.run_hpo(*LOCAL, "--max_evals", "1", "--val_metric", "mae")
        self.assertAlmostEqual(self.trials()[0]["objective"], (0.1 + 0.1 + 0.2) / 3)

    def test_random_and_grid_searches(self):
        for search in ("random", "grid"):
            ended = self.run_hpo(*LOCAL, "--max_evals", "3", "--search", search, "--output_dir", search)
            self.assertEqual(ended.code, 0, ended)

    def test_a_half_written_neighbour_is_no_error(self):
        self.run_hpo(*LOCAL, "--max_evals", "3")
        self.write("out/A/trials/0001/trial.json", '{"state": "do')
        self.write("out/A/trials/0002/params.json", "")
        self.assertEqual(self.run_hpo(*LOCAL, "--max_evals", "4", "--dry_run").code, 0)
        ended = self.run_command(sys.executable, os.path.join(STAGES, "hpo_trial.py"), "--study", "out/A/study.json", "--train_script",
                                 os.path.join(TOY_MODEL, "toy_train_improve.py"), "--input_dir", self.path("out/A/ml_data/split_0"),
                                 "--output_dir", self.path("out/A/trials/0009"))
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(self.trials_state(9), "done")

    def trials_state(self, number):
        return json.loads(self.read(f"out/A/trials/{number:04d}/trial.json"))["state"]

    def test_the_other_workflows_train_with_the_values_found(self):
        self.run_hpo(*LOCAL, "--max_evals", "2")
        ended = self.run_toy(*LOCAL, "--hyperparameters_file", "out/hyperparameters_hpo.json", "--output_dir", "tuned", "--split", "0")
        self.assertEqual(ended.code, 0, ended)
        self.assertIn("--hyperparameters_file has nothing for source B", ended.out)
        self.assertIn('"--learning_rate"', self.read("tuned/models/A/split_0/stage_status.json"))
        self.assertNotIn('"--learning_rate"', self.read("tuned/models/B/split_0/stage_status.json"))
        ended = self.run_toy(*LOCAL, "--hyperparameters_file", "out/hyperparameters_hpo.json", "--output_dir", "tuned2",
                             "--lc_sizes", "2", "--min_size", "3", "--source", "A", workflow="lca")
        self.assertEqual(ended.code, 0, ended)
        self.assertIn('"--learning_rate"', self.read("tuned2/A/models/split_0/sz_3/stage_status.json"))

    def test_a_broken_file_of_values_is_refused(self):
        for text in ("[1]", "{", '{"toy": {"A": {"x": [1]}}}', '{"toy": {"A": 3}}'):
            self.write("values.json", text)
            self.assert_refused(self.run_toy(*LOCAL, "--hyperparameters_file", "values.json"), "values.json")


class DemoTest(WorkCase):
    def test_the_best_trial_beats_the_defaults_of_the_baseline(self):
        ended = self.run_workflow("hpo", "--source", "gCSI", *LOCAL, "--output_dir", "out")
        self.assertEqual(ended.code, 0, ended)
        rows = self.table("hpo_results.csv")
        self.assertEqual(len(rows), 20)
        self.assertLess(float(rows[-1]["best_so_far"]), float(rows[0]["objective"]))
        data = [read_responses(self.path("out/gCSI/ml_data/split_0", f"{part}_y_data.csv"), "auc") for part in ("train", "val")]
        for rate, batch, decay in ((5e-3, 8, 1e-5), (5e-3, 8, 1.0), (5e-3, 512, 1e-5)):     # corners of its space do not diverge
            train_model(*data, DEFAULTS._replace(learning_rate=rate, batch_size=batch, weight_decay=decay, latent_dim=32, epochs=15))


@unittest.skipIf(slurm_cluster.why_not(), slurm_cluster.why_not())
class SlurmTest(slurm_cluster.WithCluster, HpoCase):
    settings = {"slurmd_timeout": 10, "more": "BatchStartTimeout=5"}

    def test_a_killed_trial_and_a_lost_node_leave_every_trial_accounted_for(self):
        ended = self.run_hpo("--max_evals", "40", "--max_running", "6", "--executor", "slurm",
                             TOY_FAULTS="train trials sleep:0.7", TOY_STARTS=self.path("starts.txt"))
        self.assertEqual(ended.code, 0, ended)
        arrays = [line.split()[0] for line in ended.out.splitlines() if len(line.split()) == 3 and line.split()[1].isdigit()]
        self.assertEqual(arrays, ["preprocess_0", "trial_0", "collect"])
        wait_for(lambda: self.kill_training("0004"), "the training of the fifth trial")
        wait_for(lambda: self.cluster.run("squeue", "-h", "-w", "n2", "-t", "R"), "a job on n2")
        self.lose_node("n2")
        self.cluster.start("n2")
        self.cluster.wait_until_empty()
        states = {row["trial"]: row["state"] for row in self.table("hpo_results.csv")}
        self.assertEqual(len(states), 40)
        self.assertEqual(states["4"], "failed")
        self.assertEqual(set(states.values()), {"done", "failed"})
        ended = self.run_hpo("--max_evals", "60", "--executor", "slurm", "--max_running", "8", "--wait")
        self.assertEqual(ended.code, 0, ended)
        self.assertIn("21 trial", ended.out)
        self.assertEqual(len(self.table("hpo_results.csv")), 60)

    def kill_training(self, number):
        """kill -9 of the train script of a trial; False where none runs."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            if any(word.endswith(b"toy_train_improve.py") for word in words[:3]) and any(number.encode() in word for word in words):
                os.kill(int(pid), signal.SIGKILL)
                return True
        return False

    def lose_node(self, node):
        """The node's daemon and everything that ran on it are gone at once."""
        self.cluster.kill(node, signal.SIGKILL)
        self.cluster.kill_steps(node)

    def test_the_chunks_of_a_throttled_search_follow_one_another(self):
        ended = self.run_hpo("--max_evals", "8", "--max_array", "3", "--max_running", "2", "--executor", "slurm",
                             TOY_FAULTS="train trials sleep:1.5", TOY_STARTS=self.path("starts.txt"))
        self.assertEqual(ended.code, 0, ended)
        most = 0
        while self.cluster.run("squeue", "-h").strip():
            running = self.cluster.run("squeue", "-r", "-h", "-t", "R", "-o", "%j").split()
            most = max(most, sum(".trial_0" in name for name in running))
            time.sleep(0.3)
        self.assertEqual((len(self.trials()), most), (8, 2))

    def test_two_sources_at_once_do_not_disturb_each_other(self):
        words = ("--max_evals", "6", "--executor", "slurm", "--max_running", "3")
        for source in ("A", "B"):
            ended = self.run_hpo("--source", source, *words)
            self.assertEqual(ended.code, 0, ended)
        self.cluster.wait_until_empty()
        self.assertEqual((len(self.trials("A")), len(self.trials("B"))), (6, 6))
        self.assertEqual(set(json.loads(self.read("out/hyperparameters_hpo.json"))["toy"]), {"A", "B"})


if __name__ == "__main__":
    unittest.main()
