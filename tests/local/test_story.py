"""--status TASK and --tail TASK: the story of one task, and its log while it grows."""
import json
import os
import sys
import time
import unittest

from launcher import story
from tests.support import PATIENCE, REPOSITORY, TOY_MODEL, WorkCase, write_benchmark

LOCAL = ("--executor", "local", "--split", "0", "--source", "A")
MODEL = "models/A/split_0"


class StoryTest(WorkCase):
    def story(self, name):
        return self.run_toy("--status", name)

    def test_attempts_reasons_inputs_and_the_call_by_hand_are_told(self):
        self.run_toy(*LOCAL, TOY_FAULTS="train A exit:3")
        self.run_toy(*LOCAL, "--retry_failed", TOY_FAULTS="train A exit:4")
        ended = self.story(MODEL)
        self.assertEqual(ended.code, 1, ended)
        lines = ended.out.split("\n")
        self.assertTrue(lines[0].startswith(f"failed: {MODEL}: exit code 4: toy: exit:4 as told (attempt 2 on "), lines)
        self.assertIn("stage train, source A, split 0", lines)
        launches = [line.split(": ", 1)[1] for line in lines if line.startswith("launch ")]
        self.assertEqual(launches, ["never run", "failed: exit code 3: toy: exit:3 as told"])
        attempts = [line for line in lines if line.startswith("attempt ")]
        self.assertEqual([line.rpartition(": ")[0].partition(" at ")[0] for line in attempts], ["attempt 1", "attempt 2"])
        self.assertTrue(attempts[0].endswith(": toy: exit:3 as told"), attempts)
        self.assertIn("made from: ml_data/A-A/split_0, done", lines)
        call = next(line for line in lines if line.startswith("by hand: "))[len("by hand: "):]
        self.assertEqual(self.run_command("bash", "-c", call).code, 0)
        self.assertEqual(self.story(MODEL).code, 0)

    def test_as_json_it_is_what_status_has_of_this_task(self):
        self.run_toy(*LOCAL, TOY_FAULTS="train A exit:3")
        ended = self.run_toy("--status", MODEL, "--json")
        self.assertEqual(ended.code, 1, ended)
        story = json.loads(ended.out)
        whole = json.loads(self.run_toy("--json").out)["tasks"]
        self.assertEqual([dict(task, parents=["ml_data/A-A/split_0"], launch=story["launch"]) for task in whole if task["name"] == MODEL], [story])

    def test_what_it_waits_for_is_named(self):
        self.run_toy(*LOCAL, TOY_FAULTS="train A exit:3")
        ended = self.story("infer/A-B/split_0")
        self.assertIn(f"waits for: {MODEL}, failed\n", ended.out)
        self.assertIn("it has never started\n", ended.out)

    def test_a_task_may_be_named_by_a_path_and_one_that_is_not_there_is_refused_with_near_names(self):
        self.have_toy("--executor", "local")
        for name in (self.path("out", MODEL), f"out/{MODEL}/log.txt", MODEL + "/"):
            self.assertEqual(self.story(name).code, 0, name)
        self.assert_refused(self.story("model/A/split_0"), "there is no task model/A/split_0", MODEL)

    def test_a_log_is_followed_until_its_task_ends(self):
        launch = self.start(*self.command(*LOCAL), TOY_FAULTS=f"train A wait:{self.path('go')}")
        while not os.path.exists(self.path("out", MODEL, "log.txt")):
            time.sleep(0.05)
        follower = self.start(*self.command("--tail", MODEL))
        time.sleep(2)
        self.assertIsNone(follower.poll())
        self.write("go", "")
        out, err = follower.communicate(timeout=PATIENCE)
        self.assertEqual((follower.returncode, err), (0, ""))
        self.assertIn("=== attempt 1 at ", out)
        self.assertIn(f"toy: wait:{self.path('go')} as told", out)
        launch.communicate(timeout=PATIENCE)
        self.assertEqual(self.run_toy("--tail", MODEL).out, out)    # what has ended is printed at once

    def command(self, *arguments):
        if not os.path.isdir(self.path("raw")):
            write_benchmark(self.path("raw"), ("A", "B"))
        return [sys.executable, os.path.join(REPOSITORY, "workflow_csa.py"), "--model", "toy", "--model_dir", TOY_MODEL,
                "--input_dir", "raw", "--output_dir", "out", *arguments]

    def test_what_a_log_does_to_a_terminal_is_not_printed(self):
        self.write("log.txt", "=== attempt 1 at now on n1\n===  none x\nepoch 1\repoch 2\n\x1b[31mred\n\n")
        self.assertEqual(story.attempts_of(self.path("log.txt")), [["1", "now on n1", "[31mred"]])
        self.assertEqual(story.attempts_of(self.path("nowhere")), [])


if __name__ == "__main__":
    unittest.main()
