"""What the launchers print if standard output is closed or full."""
import shlex

from tests.campaign import CampaignCase


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
