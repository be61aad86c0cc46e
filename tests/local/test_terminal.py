"""What the launchers print if standard output is closed or full, and the progress line."""
import shlex
import unittest

from launcher import local
from tests.campaign import LOCAL, CampaignCase


class TerminalTest(CampaignCase):
    def test_a_closed_or_full_standard_output_is_no_traceback_and_the_work_is_done(self):
        command = " ".join(map(shlex.quote, self.command("--source", "A", "--target", "A",
                                                         "--split", "0")))
        for redirection, said in ((">&-", ""), (">/dev/full", "standard output cannot be written")):
            with self.subTest(redirection):
                ended = self.run_command("bash", "-c", f"{command} --redo preprocess {redirection}")
                self.assertNotIn("Exception", ended.err)
                self.assert_no_traceback(ended)
                self.assertIn(said, ended.err)
                self.assertEqual((ended.code, self.status_of("infer/A-A/split_0")["state"]),
                                 (0, "done"))

    def test_hyphens_are_accepted(self):
        self.assertEqual(self.run_toy(*LOCAL, "--dry-run", "--only-cross-study").code, 0)

    def test_status_and_cancel_are_given_one_at_a_time_and_need_a_launch(self):
        self.assert_refused(self.run_toy("--status", "--cancel"),
                            "--status and --cancel are given together")
        for option in ("--json", "--status", "--cancel"):
            self.assert_refused(self.run_toy(option), "there is no launch")


class ProgressTest(unittest.TestCase):
    def test_times_are_hours_minutes_and_seconds(self):
        self.assertEqual([local.clock(seconds) for seconds in (0, 59.9, 61, 3725)],
                         ["0:00", "0:59", "1:01", "1:02:05"])


if __name__ == "__main__":
    unittest.main()
