"""What a real Slurm says of jobs in every state, and what the launcher makes of it.

Arrays of this test stand for those of a launch: they have its job names, and sleep.
"""
import os
from unittest import mock

from core.errors import Refusal
from launcher import queue, slurm, status
from launcher.tasks import Array
from tests.cluster import slurm_cluster
from tests.queue_tree import QueueCase
from tests.support import wait_for


class QueueSlurmTest(slurm_cluster.WithCluster, QueueCase):
    def setUp(self):
        super().setUp()
        variables = mock.patch.dict(os.environ, self.environment)
        variables.start()
        self.addCleanup(variables.stop)
        self.addCleanup(self.cluster.empty_queue)
        # Slurm remembers the jobs of the test before.
        self.launch_id, self.jobs, self.tasks = f"20260101T{os.urandom(4).hex()}", {}, {}

    def submit(self, name, indices, *options, body="sleep 600"):
        """Submits an array of the launch and writes its plan; returns the job."""
        lines = [f"#SBATCH {option}" for option in (
            f"--job-name=csa.{self.launch_id}.{name}", f"--array={indices}", "--time=10",
            "--output=/dev/null", *options)]
        script = self.put(f"launches/{self.launch_id}/{name}.sbatch",
                          "\n".join(["#!/usr/bin/env bash", *lines, body, ""]))
        self.jobs[name] = self.cluster.run("sbatch", "--parsable", script).strip()
        self.tasks.update({f"{name}.{index}": ("train", name, index, ())
                           for _, index, *_ in slurm.elements_of(f"1_[{indices}]|PENDING||")})
        self.launch(self.launch_id, self.tasks, self.jobs)
        return self.jobs[name]

    def look(self):
        found = queue.look(self.tree())
        self.assertEqual(found.error, "")
        return found

    def survey(self):
        return {state.name: state for state in status.survey(self.look())}

    def wait_for_states(self, wanted):
        """wanted: {task name: Slurm's state of its element}"""
        def reached():
            found = self.look().of_task
            return all(found[name] and found[name].state == wanted[name] for name in wanted)
        wait_for(reached, str(wanted))

    def test_every_element_of_an_array_with_a_constant_step_is_seen_and_cancelled(self):
        """squeue -r leaves out the last one of seven or more that wait."""
        other = self.cluster.run("sbatch", "--parsable", "--hold", "--output=/dev/null", "--wrap",
                                 "true").strip()
        jobs = [self.submit("train", "3-31:4", "--hold"), self.submit("infer", "0-1,4%2", "--hold")]
        self.assertEqual(len(self.survey()), 11)
        self.assertEqual({state.state for state in self.survey().values()}, {"queued"})
        with self.assertRaisesRegex(Refusal, r"in a live launch of .* \(train.31 first"):
            status.refuse_busy(["train.31"], self.look())
        named = f"2 jobs: {' '.join(jobs)}\n"
        self.assertEqual(self.run_toy("--cancel", "--dry_run").out,
                         f"dry run: would cancel {named}")
        self.assertEqual(len(self.look().in_queue), 11)
        self.assertEqual(self.run_toy("--cancel").out, f"cancelled {named}")
        wait_for(lambda: self.cluster.run("squeue", "-h", "-o", "%F").split() == [other], "the end")
        self.assertEqual(self.run_toy("--cancel", code=0).out,
                         "nothing to cancel: no task of this run waits in the queue or runs on "
                         f"{os.uname().nodename}\n")

    def test_waiting_elements_that_were_cancelled_are_cancelled_and_what_has_ended_stays(self):
        job = self.submit("train", "0-3%1", body='test "$SLURM_ARRAY_TASK_ID" = 0 || sleep 600')
        self.submit("infer", "0-3", "--hold")
        self.wait_for_states({"train.0": "COMPLETED", "train.1": "RUNNING"})
        for index, state in enumerate(("done", "running")):
            self.status(f"train.{index}", state, slurm_job=f"{job}_{index}", launch=self.launch_id)
        self.cluster.run("scancel", *(f"{job}_{index}" for index in (2, 3)), self.jobs["infer"])
        wait_for(lambda: len(self.look().in_queue) == 1, "the end of what was cancelled")
        states = {name: state.reason or state.state for name, state in self.survey().items()}
        cancelled = ("train.2", "train.3", *(f"infer.{index}" for index in range(4)))
        self.assertEqual(states, dict({"train.0": "done", "train.1": "running"},
                                      **dict.fromkeys(cancelled, "cancelled")))

    def test_what_slurm_holds_can_never_start_and_is_not_waited_for(self):
        job = self.submit("train", "0-1")
        self.submit("infer", "0", "--hold")
        self.wait_for_states({"train.0": "RUNNING", "train.1": "RUNNING"})
        self.cluster.run("scontrol", "requeuehold", "State=SpecialExit", f"{job}_0")
        self.cluster.run("scancel", f"{job}_1")
        self.wait_for_states({"train.0": "SPECIAL_EXIT", "train.1": "CANCELLED"})
        states = self.survey()
        self.assertEqual({states[name].reason_kind for name in ("train.0", "infer.0")},
                         {"never_starts"})
        self.assertIn("SPECIAL_EXIT", states["train.0"].reason)
        self.assertEqual(status.exit_code(list(states.values())), 4)
        queue.wait(self.tree(), self.launch_id)

    def assert_test_only_refuses(self, said):
        """Whatever sbatch itself would take; the refusal says how to submit all the same."""
        launch = ([Array("train", "train", "t", {}, ())],
                  self.path("out/launches", self.launch_id))
        with self.assertRaisesRegex(Refusal, said) as caught:
            slurm.test_scripts(*launch)
        self.assertIn("SKIP_TEST_ONLY=1", caught.exception.hint)
        with mock.patch.dict(os.environ, SKIP_TEST_ONLY="1"):
            slurm.test_scripts(*launch)
        jobs, error = slurm.submit_arrays(*launch)
        self.assertEqual((list(jobs), error), (["train"], None))

    def test_nodes_that_are_all_down_are_waited_for(self):
        nodes = f"nodename={','.join(slurm_cluster.NODES)}"
        self.addCleanup(self.cluster.run, "scontrol", "update", nodes, "state=resume")
        self.cluster.run("scontrol", "update", nodes, "state=down", "reason=test")
        self.submit("train", "0")
        wait_for(lambda: "DOWN, DRAINED" in self.look().of_task["train.0"].reason, "Slurm's reason")
        self.assertEqual(status.exit_code(list(self.survey().values())), 3)
        self.assert_test_only_refuses("configuration is not available")

    def test_a_reservation_that_begins_later_is_waited_for(self):
        self.cluster.run("scontrol", "create", "reservation", "reservationname=later",
                         "starttime=now+1hour", "duration=60", "users=root", "nodes=n1")
        self.addCleanup(self.cluster.run, "scontrol", "delete", "reservationname=later",
                        check=False)
        self.addCleanup(self.cluster.empty_queue)
        self.submit("train", "0", "--reservation=later")
        self.assert_test_only_refuses("Invalid time specified")
