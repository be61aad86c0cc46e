"""What a cluster does to a campaign, done to one on a real Slurm of four nodes.

After each fault: --status says what squeue and the files say, the same command
completes the campaign, what was done is not done again, and the scores are those
of an undisturbed run. docs/faults.md lists what happened.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from launcher import launches
from tests import slurm_cluster
from tests.slurm_cluster import wait_for
from tests.support import CLEAN, REPOSITORY, STAGES, TOY_MODEL, WorkCase, write_benchmark

CAMPAIGN = ["ml_data/A-A/split_0", "ml_data/B-A/split_0", "models/A/split_0", "models/B/split_0", "infer/A-A/split_0",
            "infer/B-A/split_0", "ml_data/A-B/split_0", "ml_data/B-B/split_0", "infer/A-B/split_0", "infer/B-B/split_0"]
OF_MODEL_A = {"models/A/split_0", "infer/A-A/split_0", "infer/A-B/split_0"}

# First in PATH, it spoils an sbatch call: FAULTY_SBATCH = KIND:NUMBER of the call, or KIND:every.
FAULTY_SBATCH = """#!/usr/bin/env bash
calls=$(cat "$FAULTY_COUNT" 2>/dev/null || echo 0)
echo $((calls + 1)) >"$FAULTY_COUNT"
if [[ $FAULTY_SBATCH != *:$((calls + 1)) && $FAULTY_SBATCH != *:every ]]; then exec "$REAL_SBATCH" "$@"; fi
case $FAULTY_SBATCH in
  refuse:*) echo "sbatch: error: QOSMaxSubmitJobPerUserLimit" >&2
            echo "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit)" >&2
            exit 1 ;;
  kill:*)   "$REAL_SBATCH" "$@" >/dev/null; kill -9 $PPID ;;
  mute:*)   "$REAL_SBATCH" "$@" >/dev/null; exec sleep 60 ;;
esac
"""
# The launcher in a Python that has less patience with sbatch than the 60 s of real life.
IMPATIENT = ("import sys; sys.path.insert(0, {0!r}); import workflow_csa; from launcher import slurm; "
             "slurm.SBATCH_TIMEOUT = 4; slurm.wait_for_name.__defaults__ = (2, 1); sys.exit(workflow_csa.main(sys.argv[1:]))").format(REPOSITORY)


def reference_scores():
    """The scores of an undisturbed local run; the toy model's depend on the length of OUT's path."""
    case = WorkCase()
    case.work = os.path.realpath(tempfile.mkdtemp(prefix="work."))
    try:
        ended = case.run_toy("--executor", "local", "--split", "0")
        if ended.code:
            raise RuntimeError(repr(ended))
        return case.score_values()
    finally:
        shutil.rmtree(case.work)


@unittest.skipIf(slurm_cluster.why_not(), slurm_cluster.why_not())
class FaultCase(WorkCase):
    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.reference = reference_scores()
        cls.cluster = slurm_cluster.Cluster(**cls.settings)
        cls.environment = dict(CLEAN, SLURM_CONF=cls.cluster.configuration, LATENCY_WAIT="2")

    @classmethod
    def tearDownClass(cls):
        cls.cluster.stop()

    def setUp(self):
        super().setUp()
        write_benchmark(self.path("raw"), ("A", "B"), splits=1)
        self.addCleanup(self.empty_queue)

    def empty_queue(self):
        self.cluster.run("scancel", "-u", "root", check=False)
        self.cluster.wait_until_empty()

    # ---- what a user does

    def campaign(self, *arguments, **settings):
        return self.run_toy("--executor", "slurm", "--split", "0", *arguments, TOY_STARTS=self.path("starts.txt"), **settings)

    def launch(self, *arguments, **settings):
        ended = self.campaign(*arguments, **settings)
        self.assertEqual(ended.code, 0, ended)
        return ended

    def launch_and_hold(self):
        """A launch with models/A/split_0 running until let_go."""
        self.launch(TOY_FAULTS=f"train models/A/split_0 wait:{self.path('go')}")
        self.wait_for_running("models/A/split_0")

    def let_go(self):
        """The held task goes on; returns when all tasks are done."""
        self.write("go", "")
        self.wait_for_end()
        self.assert_all_done()

    def status(self):
        """(exit code, {task name: (state, reason)})"""
        ended = self.run_toy("--executor", "slurm", "--status", "--json")
        self.assertNotIn("Traceback", ended.err)
        return ended.code, {task["name"]: (task["state"], task["reason"]) for task in json.loads(ended.out)["tasks"]}

    def plans(self):
        paths = [self.path("out/launches", name, "plan.json") for name in sorted(os.listdir(self.path("out/launches")))]
        return [launches.read_json(path) for path in paths if os.path.exists(path)]

    # ---- what is really so

    def elements(self):
        """{task name: state in the queue}, by the job names that the plans tell."""
        tasks = {(f"csa.{plan['launch']}.{task['array']}", task["index"]): task["name"]
                 for plan in self.plans() for task in plan["tasks"] if task["run"]}
        rows = [line.split("|") for line in self.cluster.run("squeue", "-r", "-h", "-o", "%j|%K|%T|%r|%A|%F_%K").splitlines()]
        return {tasks[row[0], int(row[1])]: row[2:] for row in rows if row[1].isdigit() and (row[0], int(row[1])) in tasks}

    def file_state(self, name):
        try:
            return self.status_of(name)["state"]
        except OSError:
            return None

    def status_while_nothing_changes(self):
        """--status and the queue of the same moment: the queue is the same before and after."""
        while True:
            before = self.elements()
            code, states = self.status()
            if self.elements() == before:
                return code, states, before

    def assert_status_is_true(self):
        code, states, queue = self.status_while_nothing_changes()
        for name, (state, reason) in states.items():
            in_queue = queue.get(name, ["none", ""])
            if state == "done":
                self.assertEqual(self.file_state(name), "done", name)
            elif state in ("running", "queued"):
                self.assertIn(in_queue[0], {"running": ("RUNNING", "COMPLETING"), "queued": ("PENDING",)}[state], (name, reason))
            elif in_queue[0] != "none":   # what waits for ever
                self.assertEqual(in_queue[0], "PENDING", (name, state, reason))
        kinds = {state for state, _ in states.values()}
        self.assertEqual(code, 3 if kinds & {"running", "queued"} else 0 if kinds == {"done"} else 1)
        return states

    def assert_all_done(self):
        states = self.assert_status_is_true()
        self.assertEqual({name: state for name, state in states.items() if state[0] != "done"}, {})

    def wait_for_running(self, name):
        wait_for(lambda: self.elements().get(name, [""])[0] == "RUNNING" and self.file_state(name) == "running", 60, name)

    def wait_for_end(self):
        """Until no job waits or runs; jobs that Slurm put back need not wait out their two minutes."""
        def ended():
            for name, element in self.elements().items():
                if element[1] == "BeginTime":
                    self.cluster.run("scontrol", "update", f"JobId={element[2]}", "StartTime=now", check=False)
            return not self.cluster.run("squeue", "-h").strip()
        wait_for(ended, 90, "an empty queue")

    def assert_completes(self, again=()):
        """The same command ends well, runs only what was not done, and gives the undisturbed tables."""
        before = {name for name in CAMPAIGN if self.file_state(name) == "done"}
        started = len(self.starts()) if os.path.exists(self.path("starts.txt")) else 0
        ended = self.launch()
        self.wait_for_end()
        states = self.assert_status_is_true()
        self.assertEqual({state for state, _ in states.values()}, {"done"}, (ended, states))
        names = [row[2] for row in self.starts()][started:]
        self.assertEqual(sorted(names), sorted(set(CAMPAIGN) - before | set(again)))
        self.assertEqual(self.score_values(), self.reference)
        return ended

    def faulty_sbatch(self, fault):
        """Settings that put the wrapper first in PATH."""
        os.makedirs(self.path("bin"), exist_ok=True)
        self.write("bin/sbatch", FAULTY_SBATCH)
        os.chmod(self.path("bin/sbatch"), 0o755)
        return {"PATH": self.path("bin") + os.pathsep + os.environ["PATH"], "FAULTY_SBATCH": fault,
                "FAULTY_COUNT": self.path("calls"), "REAL_SBATCH": shutil.which("sbatch")}

    def run_impatient(self, **settings):
        return self.run_command(sys.executable, "-c", IMPATIENT, "--model", "toy", "--model_dir", TOY_MODEL, "--input_dir", "raw",
                                "--output_dir", "out", "--executor", "slurm", "--split", "0", TOY_STARTS=self.path("starts.txt"), **settings)

    def state_files(self):
        folder = self.path("out/launches")
        return [json.loads(self.read("out/launches", name, "state.json"))["state"] for name in sorted(os.listdir(folder))]


class TaskFaultsTest(FaultCase):
    """Faults of single tasks."""

    def test_a_stage_killed_with_signal_9_fails_alone(self):
        self.launch(TOY_FAULTS="train models/A/split_0 kill")
        self.wait_for_end()
        states = self.assert_status_is_true()
        self.assertEqual(states["models/A/split_0"], ("failed", "killed by signal KILL (out of memory?)"))
        self.assertEqual({name for name, (state, _) in states.items() if state != "done"}, OF_MODEL_A)
        for name in OF_MODEL_A - {"models/A/split_0"}:
            self.assertEqual(states[name], ("failed", "parent failed: models/A/split_0"))
        self.assert_completes()

    def test_a_cancelled_running_element_is_named_and_runs_again(self):
        self.launch(TOY_FAULTS=f"train models/A/split_0 wait:{self.path('never')}")
        self.wait_for_running("models/A/split_0")
        self.assertEqual(self.assert_status_is_true()["models/A/split_0"][0], "running")
        self.cluster.run("scancel", self.elements()["models/A/split_0"][3])
        self.wait_for_end()
        self.assertEqual(self.assert_status_is_true()["models/A/split_0"], ("failed", "cancelled"))
        self.assert_completes()

    def test_a_cancelled_waiting_element_is_named_and_runs_again(self):
        self.launch_and_hold()
        self.assertEqual(self.assert_status_is_true()["infer/A-B/split_0"][0], "queued")
        self.cluster.run("scancel", self.elements()["infer/A-B/split_0"][3])
        self.write("go", "")
        self.wait_for_end()
        self.assertEqual(self.assert_status_is_true()["infer/A-B/split_0"], ("lost", "cancelled"))
        self.assertEqual([row["task"] for row in self.table("missing.csv")], ["infer/A-B/split_0"])
        self.assert_completes()

    def test_a_requeued_element_is_a_second_attempt_and_its_log_is_appended(self):
        """What preemption does, too."""
        self.launch_and_hold()
        runner = self.status_of("models/A/split_0")["pid"]
        self.cluster.run("scontrol", "requeue", self.elements()["models/A/split_0"][3])
        wait_for(lambda: self.elements()["models/A/split_0"][0] == "PENDING", 60, "the requeued element")
        # Slurm waits two minutes, we do not: what ends the first attempt must not meet the second.
        wait_for(lambda: not os.path.exists(f"/proc/{runner}"), 60, "the end of the first attempt")
        time.sleep(2)
        self.assertEqual(self.assert_status_is_true()["models/A/split_0"][0], "queued")
        self.assert_refused(self.campaign(), "are in a live launch", "job ")
        self.let_go()
        self.assertEqual(self.status_of("models/A/split_0")["attempt"], 2)
        self.assertEqual(self.read("out/models/A/split_0/log.txt").count("=== attempt"), 2)
        self.assertEqual(self.score_values(), self.reference)

    def test_a_runner_killed_hard_is_lost_and_runs_again(self):
        self.launch(TOY_FAULTS=f"train models/A/split_0 wait:{self.path('never')}")
        self.wait_for_running("models/A/split_0")
        kill_hard(self.status_of("models/A/split_0")["pid"])
        self.wait_for_end()
        self.assertEqual(self.assert_status_is_true()["models/A/split_0"][0], "lost")
        self.assert_completes()

    @unittest.skipUnless(os.environ.get("CI") or os.environ.get("SLOW_TESTS"), "takes two minutes: set SLOW_TESTS=1")
    def test_the_time_limit_is_named_and_the_task_runs_again(self):
        folder = self.copy_with_train_template(lambda text: text.replace("--time=24:00:00", "--time=00:01:00"))
        ended = self.run_folder(folder, TOY_FAULTS=f"train models/A/split_0 wait:{self.path('never')}")
        self.assertEqual(ended.code, 0, ended)
        wait_for(lambda: not self.cluster.run("squeue", "-h").strip(), 240, "the time limit")
        states = self.assert_status_is_true()
        self.assertEqual(states["models/A/split_0"][0], "failed")
        self.assertIn(states["models/A/split_0"][1], ("time limit", "signal TERM"))
        self.assert_completes()

    def test_elements_stranded_by_a_parent_are_named_and_cancelled_by_the_next_launch(self):
        """Without kill-on-invalid-dep; Slurm names only the first of a chain, --status all of it."""
        folder = self.copy_with_train_template(lambda text: text.replace("#SBATCH --kill-on-invalid-dep=yes", "##"))
        ended = self.run_folder(folder, TOY_FAULTS=f"preprocess ml_data/A-A wait:{self.path('never')}")
        self.assertEqual(ended.code, 0, ended)
        self.wait_for_running("ml_data/A-A/split_0")
        kill_hard(self.status_of("ml_data/A-A/split_0")["pid"])
        for_ever = OF_MODEL_A | {"scores"}
        wait_for(lambda: set(self.elements()) == for_ever, 60, "nothing but what waits for ever")
        states = self.assert_status_is_true()
        for name in OF_MODEL_A:
            self.assertEqual(states[name][0], "failed")
            self.assertIn("parent failed", states[name][1])
        ended = self.assert_completes()
        self.assertIn("cancelled 4 elements of older launches whose parents failed", ended.out)

    def copy_with_train_template(self, change):
        """The folder that people copy, its templates edited."""
        folder = self.path("folder")
        for name in ("workflow_csa.py", "run_model.sh", "launcher", "stages", "slurm_templates"):
            source = os.path.join(REPOSITORY, name)
            (shutil.copytree if os.path.isdir(source) else copy_file)(source, os.path.join(folder, name))
        for name in os.listdir(os.path.join(folder, "slurm_templates")):
            path = os.path.join(folder, "slurm_templates", name)
            with open(path) as file:
                text = file.read()
            with open(path, "w") as file:
                file.write(change(text))
        return folder

    def run_folder(self, folder, **settings):
        return self.run_workflow("csa", "--model", "toy", "--model_dir", TOY_MODEL, "--input_dir", "raw", "--output_dir", "out",
                                 "--executor", "slurm", "--split", "0", folder=folder, TOY_STARTS=self.path("starts.txt"), **settings)


def kill_hard(runner):
    """The runner and its stage, with no time for a word."""
    stages = subprocess.check_output(["pgrep", "-P", str(runner)]).split()
    for pid in (runner, *map(int, stages)):
        os.kill(pid, signal.SIGKILL)


def copy_file(source, target):
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copy(source, target)


class LaunchFaultsTest(FaultCase):
    """Faults of the launcher, and of sbatch under it."""

    def test_a_submission_refused_in_the_middle_leaves_nothing_waiting(self):
        ended = self.campaign(**self.faulty_sbatch("refuse:3"))
        self.assertEqual(ended.code, 1, ended)
        self.assertIn("QOSMaxSubmitJobPerUserLimit", ended.err)
        self.assertIn("2 tasks are not: infer_0", ended.err)
        self.wait_for_end()
        states = self.assert_status_is_true()
        self.assertEqual({name for name, (state, _) in states.items() if state == "not submitted"},
                         {"infer/A-A/split_0", "infer/B-A/split_0"})
        self.assertEqual(len({key[1:] for key in self.score_values()}), 2)   # the collector took what there was
        self.assert_completes()

    def test_children_of_a_refused_array_are_not_submitted(self):
        ended = self.campaign(**self.faulty_sbatch("refuse:2"))
        self.assertEqual(ended.code, 1, ended)
        self.assertIn("6 tasks are not: train, infer_0, infer_1", ended.err)
        self.wait_for_end()
        self.assert_completes()

    def test_where_every_array_is_refused_there_is_no_launch(self):
        self.assert_refused(self.campaign(**self.faulty_sbatch("refuse:every")), "nothing is submitted", "--max_array N")
        self.assertEqual(self.plans(), [])
        self.assert_completes()

    def test_a_launcher_killed_after_sbatch_and_before_writing_the_id_down(self):
        ended = self.campaign(TOY_FAULTS=f"train models/A/split_0 wait:{self.path('go')}", **self.faulty_sbatch("kill:2"))
        self.assertEqual(ended.code, -signal.SIGKILL)
        wait_for(lambda: "models/A/split_0" in self.elements(), 30, "the job that nobody wrote down")
        launch = os.path.join(self.path("out/launches"), os.listdir(self.path("out/launches"))[0])
        with open(os.path.join(launch, "jobs.tsv")) as file:
            self.assertEqual([line.split("\t")[0] for line in file], ["preprocess_0"])
        self.wait_for_running("models/A/split_0")
        self.assertEqual(self.assert_status_is_true()["models/A/split_0"][0], "running")
        self.assert_refused(self.campaign(), "are in a live launch", "job ", "models/A/split_0 first")
        self.write("go", "")
        self.wait_for_end()
        self.assert_completes()

    def test_cancel_ends_the_jobs_of_this_run_and_no_others(self):
        other = self.cluster.run("sbatch", "--parsable", "--output=/dev/null", "--wrap", "sleep 100").strip()
        self.launch(TOY_FAULTS=f"train models/A/split_0 wait:{self.path('never')}")
        self.wait_for_running("models/A/split_0")
        ended = self.run_toy("--executor", "slurm", "--cancel")
        self.assertEqual(ended.code, 0, ended)
        self.assertRegex(ended.out, r"cancelled \d jobs: [\d ]+\n$")
        wait_for(lambda: not self.elements(), 60, "the end of the cancelled jobs")
        self.assertEqual(self.cluster.run("squeue", "-h", "-o", "%i").split(), [other])
        self.cluster.run("scancel", other)
        self.assert_status_is_true()
        self.assert_completes()

    def test_a_lost_answer_of_sbatch_is_found_by_the_jobs_name(self):
        ended = self.run_impatient(**self.faulty_sbatch("mute:2"))
        self.assertEqual(ended.code, 0, ended)
        self.wait_for_end()
        self.assert_all_done()
        self.assertEqual(len(self.starts()), len(CAMPAIGN))
        self.assertEqual(self.score_values(), self.reference)

    def test_of_launchers_started_at_once_one_wins_and_nothing_runs_twice(self):
        for place in range(3):
            shutil.rmtree(self.path("out"), ignore_errors=True)
            self.write("starts.txt", "")
            command = [sys.executable, os.path.join(REPOSITORY, "workflow_csa.py"), "--model", "toy", "--model_dir", TOY_MODEL,
                       "--input_dir", "raw", "--output_dir", "out", "--executor", "slurm", "--split", "0", "--target", "A"]
            both = [self.start(*command, TOY_STARTS=self.path("starts.txt")) for _ in range(2)]
            errors = [process.communicate(timeout=100)[1] for process in both]
            self.assertEqual(sorted(process.returncode for process in both), [0, 2], errors)
            self.assertIn("are in a live launch", "".join(errors))
            self.assertEqual(sorted(self.state_files()), ["submitted", "withdrawn"])
            self.wait_for_end()
            names = [row[2] for row in self.starts()]
            self.assertEqual((len(names), len(set(names))), (6, 6))

    def test_the_collector_run_by_hand_while_tasks_write(self):
        self.launch(TOY_FAULTS="train models sleep:1;infer infer sleep:0.5")
        codes = set()
        while self.cluster.run("squeue", "-h").strip():
            ended = self.run_command("python3", os.path.join(STAGES, "collect_scores.py"), "out", "--output_dir", "by_hand")
            self.assertNotIn("Traceback", ended.err)
            codes.add(ended.code)
            time.sleep(0.3)
        self.assertLessEqual(codes, {0, 1})
        self.assert_status_is_true()
        self.assertEqual(self.score_values(), self.reference)


class ControllerFaultsTest(FaultCase):
    """A controller that is restarted, down, or without memory."""

    def start_controller(self):
        self.cluster.start("slurmctld")
        wait_for(lambda: "error" not in self.cluster.run("squeue", "-h", check=False), 60, "the controller")
        self.cluster.wait_until_up()

    def test_jobs_that_the_controller_has_forgotten_are_lost_and_run_again(self):
        """Killed hard, it forgets what was submitted in its last seconds; here it forgets all."""
        self.launch(TOY_FAULTS=f"train models/A/split_0 wait:{self.path('never')}")
        self.wait_for_running("models/A/split_0")
        runner = self.status_of("models/A/split_0")["pid"]
        self.cluster.kill("slurmctld", signal.SIGKILL)
        for name in os.listdir(os.path.join(self.cluster.directory, "state")):
            if name.startswith("job_state"):
                os.unlink(os.path.join(self.cluster.directory, "state", name))
        self.start_controller()
        # Slurm ends what it finds on a node and does not know.
        wait_for(lambda: not os.path.exists(f"/proc/{runner}"), 60, "the end of the forgotten task")
        states = self.assert_status_is_true()
        self.assertLessEqual({states[name][0] for name in OF_MODEL_A}, {"failed", "lost"})
        self.assert_completes()

    def test_a_restarted_controller_loses_nothing(self):
        self.launch_and_hold()
        self.cluster.kill("slurmctld")
        self.write("go", "")
        self.start_controller()
        self.wait_for_end()
        self.assert_all_done()
        self.assertEqual(len(self.starts()), len(CAMPAIGN))
        self.assertEqual(self.score_values(), self.reference)

    def test_a_controller_that_is_down_at_launch_and_at_status(self):
        self.launch_and_hold()
        self.cluster.kill("slurmctld")
        try:
            ended = self.run_toy("--executor", "slurm", "--status")
            self.assertEqual(ended.code, 3, ended)
            self.assertIn("the queue could not be asked", ended.out)
            self.assert_refused(self.campaign(), "the Slurm controller does not answer")
            self.assertEqual(len(self.plans()), 1)
            self.assert_refused(self.run_toy("--executor", "slurm", "--cancel"), "the Slurm controller does not answer")
        finally:
            self.start_controller()
        self.let_go()
        self.assertEqual(self.score_values(), self.reference)


class NodeFaultsTest(FaultCase):
    """Nodes that go and come back."""
    settings = {"slurmd_timeout": 10}

    def node_of(self, name):
        return self.status_of(name)["host"]

    def test_a_node_set_down_under_a_task_gives_it_a_second_attempt(self):
        self.launch_and_hold()
        node = self.node_of("models/A/split_0")
        self.cluster.run("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
        wait_for(lambda: self.elements()["models/A/split_0"][0] == "PENDING", 60, "the element put back")
        self.assertEqual(self.assert_status_is_true()["models/A/split_0"][0], "queued")
        self.let_go()
        self.assertEqual(self.status_of("models/A/split_0")["attempt"], 2)
        self.assertEqual(self.score_values(), self.reference)
        self.cluster.run("scontrol", "update", f"nodename={node}", "state=resume", check=False)
        self.cluster.wait_until_idle()

    def test_a_slurmd_killed_and_brought_back_keeps_its_task(self):
        self.launch_and_hold()
        node = self.node_of("models/A/split_0")
        self.cluster.kill(node, signal.SIGKILL)
        self.assertEqual(self.assert_status_is_true()["models/A/split_0"][0], "running")
        self.cluster.start(node)
        self.let_go()
        self.assertEqual(len(self.starts()), len(CAMPAIGN))
        self.assertEqual(self.score_values(), self.reference)

    def test_a_lost_node_gives_its_task_a_second_attempt(self):
        self.launch_and_hold()
        node = self.node_of("models/A/split_0")
        self.addCleanup(self.cluster.wait_until_idle)
        self.addCleanup(self.cluster.start, node)
        self.lose(node, self.status_of("models/A/split_0")["pid"])
        wait_for(lambda: self.elements()["models/A/split_0"][0] == "PENDING", 90, "the element put back")
        self.assertEqual(self.assert_status_is_true()["models/A/split_0"][0], "queued")
        self.let_go()
        self.assertEqual(self.status_of("models/A/split_0")["attempt"], 2)
        self.assertEqual(self.score_values(), self.reference)

    def lose(self, node, runner):
        """A power cut: the node's daemon, the step's daemon, the runner and the stage, with no time for a word."""
        with open(f"/proc/{runner}/stat") as file:
            step = int(file.read().rpartition(")")[2].split()[1])
        self.cluster.kill(node, signal.SIGKILL)
        os.kill(step, signal.SIGKILL)
        kill_hard(runner)


class FullControllerTest(FaultCase):
    """At MaxJobCount sbatch is not refused: it waits and tries again."""
    settings = {"more": "MaxJobCount=6\nMinJobAge=2"}

    def test_an_sbatch_that_hangs_is_given_up_and_the_same_command_goes_on(self):
        ended = self.run_impatient()
        self.assertEqual(ended.code, 1, ended)
        self.assertIn("sbatch gave no answer in 4 s", ended.err)
        for _ in range(6):
            self.wait_for_end()
            # The controller counts ended jobs too, until it forgets them.
            wait_for(lambda: not self.cluster.run("squeue", "-h", "--states=all").strip(), 60, "an empty memory")
            self.assert_status_is_true()
            if self.run_impatient().code == 0:
                break
        self.wait_for_end()
        self.assert_all_done()
        self.assertEqual(len(self.starts()), len(CAMPAIGN))
        self.assertEqual(self.score_values(), self.reference)


if __name__ == "__main__":
    unittest.main()
