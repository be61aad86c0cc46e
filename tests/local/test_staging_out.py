"""STAGE_OUT: a stage writes on the node's own disk, and what it wrote comes back whole or not at all."""
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import unittest

from tests.runner_case import RunnerCase
from tests.support import PATIENCE, RUN_MODEL, STAGES, wait_for

NAME = "models/A/split_0"
# A training: what it writes, where it was, and how it ends, as FAULT says.
TRAIN = """
import os, sys, time
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
out, fault = given["--output_dir"], os.environ.get("FAULT", "")
assert os.path.realpath(os.getcwd()) == os.path.realpath(out), os.getcwd()
print("writes in", out)
sys.stdout.flush()
def write(name, text):
    os.makedirs(os.path.dirname(os.path.join(out, name)), exist_ok=True)
    with open(os.path.join(out, name), "w") as file:
        file.write(text)
write("weights/layer_1/w.bin", "w" * 100000)
write("run.sh", "true\\n")
if fault != "direct":
    write("log.txt", "the stage's own\\n")
os.utime(os.path.join(out, "weights/layer_1/w.bin"), (1000, 1000))
os.chmod(os.path.join(out, "run.sh"), 0o750)
os.symlink(os.path.join(out, "run.sh"), os.path.join(out, "absolute"))
os.symlink("weights/layer_1", os.path.join(out, "latest"))
if fault.startswith("wait:"):
    while not os.path.exists(fault[5:]):
        time.sleep(0.05)
if fault.startswith("fill:"):
    write("more.bin", "x" * int(fault[5:]))
if fault == "once" and not os.path.exists(given["--output_dir"] + "/../once"):
    write("../once", "")
    sys.exit(3)
write("val_scores.json", '{"mse": 0.25}')
sys.exit(3 if fault == "exit" else 0)
"""
# The runner, which copies the first file of the outputs and then no more.
STUCK = """
import os, sys, time
sys.path.insert(0, {stages!r})
from runner import staging_out
copy, done = staging_out.copy_file, []
def copy_one(source, target, signals):
    if done:
        open({mark!r}, "w").close()
        while not signals.number and not os.path.exists({mark!r} + ".go"):
            time.sleep(0.05)
    done.append(copy(source, target, signals))
staging_out.copy_file = copy_one
from runner.command import main
sys.exit(main(sys.argv[1:]))
"""


class StagingOutCase(RunnerCase):
    def setUp(self):
        super().setUp()
        self.write("m_train_improve.py", TRAIN)
        os.makedirs(self.path("raw"))
        self.words = "none", self.path("m_train_improve.py"), "--input_dir", self.path("raw"), "--output_dir", self.path("out", NAME)

    def run_task(self, node=None, **settings):
        return self.run_model(*self.words, STAGE_OUT=node or self.path("node"), **settings)

    def files(self, *ours):
        """All that the task's directory holds, but for what its runner keeps there."""
        found = set()
        for folder, folders, names in os.walk(self.path("out", NAME)):
            links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
            found |= {os.path.relpath(os.path.join(folder, name), self.path("out", NAME)) for name in names + links}
        return found - {"log.txt", "stage_status.json"} - set(ours)

    WHOLE = {"weights/layer_1/w.bin", "run.sh", "absolute", "latest", "val_scores.json"}

    def on_node(self):
        return sorted(name for name in os.listdir(self.path("node")) if not name.endswith(".lock"))

    def assert_whole(self):
        status = self.status_of(NAME)
        self.assertEqual((status["state"], self.files()), ("done", self.WHOLE))
        self.assertEqual(set(status["files"]) - {"latest"}, self.WHOLE - {"latest"})
        weights = os.stat(self.path("out", NAME, "weights/layer_1/w.bin"))
        self.assertEqual((weights.st_size, weights.st_mtime), (100000, 1000))
        self.write("plain", "")
        self.assertEqual(os.stat(self.path("out", NAME, "val_scores.json")).st_mode, os.stat(self.path("plain")).st_mode)
        self.assertIn("=== attempt ", self.read("out", NAME, "log.txt"))
        self.assertNotIn("the stage's own", self.read("out", NAME, "log.txt"))
        self.assertEqual(stat.S_IMODE(os.stat(self.path("out", NAME, "run.sh")).st_mode), 0o750)
        self.assertEqual(os.readlink(self.path("out", NAME, "absolute")), self.path("out", NAME, "run.sh"))
        self.assertEqual(os.readlink(self.path("out", NAME, "latest")), "weights/layer_1")


class StagingOutTest(StagingOutCase):
    def test_what_a_stage_wrote_on_the_node_is_moved_back_and_words_keep_the_real_path(self):
        for node in (self.path("node"), tempfile.mkdtemp(dir="/dev/shm")):
            self.assertEqual(self.run_task(node).code, 0)
            self.assert_whole()
            self.assertRegex(self.read("out", NAME, "log.txt"), f"writes in {node}/outputs\\.\\S+\n")
            self.assertNotIn(node, json.dumps(self.status_of(NAME)))
            self.assertEqual([name for name in os.listdir(node) if not name.endswith(".lock")], [])
        subprocess.check_call(["rm", "-r", node])

    def test_of_a_stage_that_fails_nothing_comes_back_but_its_log(self):
        ended = self.run_task(FAULT="exit")
        self.assertEqual((ended.code, self.status_of(NAME)["reason_kind"], self.files(), self.on_node()), (3, "exit_code", set(), []))
        self.assertIn("writes in ", self.read("out", NAME, "log.txt"))

    def test_a_second_attempt_begins_with_an_empty_folder(self):
        self.assertEqual(self.run_task(FAULT="once", RETRIES="1").code, 0)
        self.assert_whole()
        self.assertEqual(self.status_of(NAME)["attempt"], 2)

    def test_a_signal_in_the_middle_of_the_stage_leaves_nothing_on_the_node(self):
        process = self.start("bash", RUN_MODEL, *self.words, STAGE_OUT=self.path("node"), FAULT="wait:never")
        wait_for(lambda: os.path.exists(self.path("node")) and any(map(self.weights_of, self.on_node())), "the stage")
        self.assertEqual(self.files(*self.claims()), set())     # while it runs
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
        self.assertEqual((process.returncode, self.status_of(NAME)["state"], self.files(), self.on_node()), (143, "interrupted", set(), []))

    def weights_of(self, folder):
        return os.path.exists(self.path("node", folder, "latest"))

    def claims(self):
        return [name for name in os.listdir(self.path("out", NAME)) if name.startswith(".claim.")]

    def stuck_in_the_move(self):
        process = self.start(sys.executable, "-c", STUCK.format(stages=STAGES, mark=self.path("stuck")), *self.words,
                             STAGE_OUT=self.path("node"), WORKFLOW_PYTHON=sys.executable)
        wait_for(lambda: os.path.exists(self.path("stuck")), "the move")
        return process

    def test_a_signal_in_the_middle_of_the_move_leaves_no_half_of_the_outputs(self):
        process = self.stuck_in_the_move()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
        self.assertEqual((process.returncode, self.status_of(NAME)["state"], self.files(), self.on_node()), (143, "interrupted", set(), []))

    def test_a_runner_that_has_lost_its_claim_moves_nothing(self):
        process = self.stuck_in_the_move()
        for name in self.claims():
            os.unlink(self.path("out", NAME, name))
        self.write("stuck.go", "")
        process.communicate(timeout=PATIENCE)
        self.assertEqual((self.files(), self.on_node(), self.status_of(NAME)["state"]), (set(), [], "running"))

    def test_what_a_killed_runner_has_left_is_removed_by_the_next_task_and_its_own_runs_again(self):
        process = self.stuck_in_the_move()
        process.kill()
        process.communicate()
        self.assertEqual(len(self.on_node()), 1)
        self.assertEqual({name.split(".")[1] for name in self.files(*self.claims())}, {"staged"})
        self.assertEqual(self.status_of(NAME)["state"], "running")
        self.assertEqual(self.run_task().code, 0)
        self.assert_whole()
        self.assertEqual(self.on_node(), [])

    def test_the_folder_of_a_runner_that_lives_is_left_alone(self):
        first = self.start("bash", RUN_MODEL, *self.words, STAGE_OUT=self.path("node"), FAULT=f"wait:{self.path('go')}")
        wait_for(lambda: os.path.exists(self.path("node")) and any(map(self.weights_of, self.on_node())), "the stage")
        other = self.run_model(*self.words[:-1], self.path("out/models/B/split_0"), STAGE_OUT=self.path("node"))
        self.assertEqual((other.code, len(self.on_node())), (0, 1))
        self.write("go", "")
        first.communicate(timeout=PATIENCE)
        self.assertEqual((first.returncode, self.on_node()), (0, []))
        self.assert_whole()

    def test_a_folder_that_cannot_be_made_is_said_and_outputs_are_written_where_they_belong(self):
        self.write("node", "a file, no folder")
        self.assertEqual(self.run_task(FAULT="direct").code, 0)
        self.assertEqual(self.files(), self.WHOLE)
        self.assertRegex(self.read("out", NAME, "log.txt"),
                         r"=== nothing can be written in \S+/node \(File exists\): outputs are written where they belong\n")

    def test_a_container_sees_the_folder(self):
        for folder in (self.path("node"), "node"):
            ended = self.run_command(sys.executable, os.path.join(STAGES, "run_stage.py"), "--paths", *self.words, STAGE_OUT=folder)
            self.assertIn(self.path("node") + "\n", ended.out)


@unittest.skipIf(os.geteuid() != 0, "a small disk can be mounted by root only")
class SmallDiskTest(StagingOutCase):
    def mount(self, name):
        os.makedirs(self.path(name))
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", self.path(name)], stderr=subprocess.PIPE)
        if done.returncode:
            self.skipTest(f"no tmpfs can be mounted here: {done.stderr.decode()}")
        self.addCleanup(subprocess.call, ["umount", "-l", self.path(name)])

    def test_a_full_disk_of_the_node_is_the_reason(self):
        self.mount("node")
        self.assertEqual(self.run_task(FAULT="fill:2000000").code, 1)
        self.assertEqual((self.status_of(NAME)["reason_kind"], self.files(), self.on_node()), ("disk", set(), []))
        self.assertEqual(self.run_task().code, 0)
        self.assert_whole()

    def test_a_full_disk_below_the_results_is_the_reason_and_no_half_is_left(self):
        self.mount("out")
        self.assertEqual(self.run_task(FAULT="fill:2000000").code, 1)
        status = self.status_of(NAME)
        self.assertEqual((status["reason_kind"], self.files(), self.on_node()), ("disk", set(), []))
        self.assertRegex(status["reason"], r"its outputs cannot be moved from \S+ to \S+ \(No space left on device\)$")
        self.assertEqual(self.run_task().code, 0)
        self.assert_whole()


class CampaignTest(RunnerCase):
    """Whole campaigns of the baseline, whose scores do not depend on where it writes."""

    def workflow(self, name, *arguments, **settings):
        ended = self.run_workflow(name, "--executor", "local", "--source", "gCSI", "--split", "0", "--epochs", "3", *arguments, **settings)
        self.assertEqual(ended.code, 0, ended)
        return ended.out

    def test_scores_are_the_same_bytes_and_turning_it_on_and_off_runs_nothing_again(self):
        self.workflow("csa", "--output_dir", "direct", "--target", "gCSI", "CCLE")
        self.workflow("csa", "--output_dir", "staged", "--target", "gCSI", "CCLE", STAGE_OUT=self.path("node"))
        self.assertIn("outputs are written in ", self.read("staged/models/gCSI/split_0/log.txt"))
        for name in ("models/gCSI/split_0/val_scores.json", "infer/gCSI-CCLE/split_0/test_y_data_predicted.csv", "scores/all_scores.csv"):
            self.assertEqual(self.read("direct", name), self.read("staged", name), name)
        for out, settings in (("direct", {"STAGE_OUT": self.path("node")}), ("staged", {})):
            self.assertIn("5 done already, 0 to run", self.workflow("csa", "--output_dir", out, "--target", "gCSI", "CCLE", **settings))

    def test_trials_are_seen_by_the_others_while_they_run(self):
        self.workflow("hpo", "--output_dir", "out", "--max_evals", "3", STAGE_OUT=self.path("node"))
        trials = [f"out/gCSI/trials/{name}" for name in ("0000", "0001", "0002")]
        self.assertEqual([json.loads(self.read(trial, "trial.json"))["state"] for trial in trials], ["done"] * 3)
        self.assertNotIn("outputs are written in ", self.read(trials[0], "log.txt"))
        self.assertIn("outputs are written in ", self.read("out/gCSI/ml_data/split_0/log.txt"))


if __name__ == "__main__":
    unittest.main()
