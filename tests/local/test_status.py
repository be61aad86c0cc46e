"""--status of a local campaign, as a user gives it."""
import os
import shutil

from tests.campaign import LOCAL, CampaignCase

A1 = "models/A/split_1"


class StatusTest(CampaignCase):
    def lines(self, *more):
        """(exit code, lines) of --status"""
        ended = self.run_toy(*LOCAL, "--status", *more)
        return ended.code, ended.out.splitlines()

    def test_without_a_launch_it_is_refused(self):
        self.assert_refused(self.run_toy(*LOCAL, "--status"), "there is no launch in",
                            "name the --output_dir")

    def test_a_failure_has_its_reason_attempt_host_and_log_and_the_same_command_completes(self):
        for _ in range(2):
            ended = self.run_toy(*LOCAL, "--source", "A", TOY_FAULTS="train A/split_1 exit:3")
        reason, log = "exit code 3: toy: exit:3 as told", self.path("out", A1, "log.txt")
        self.assertEqual(ended.err.count(reason), 1, ended)
        code, lines = self.lines()
        self.assertEqual(code, 1)
        self.assertIn(f"failed: {A1}: {reason} (attempt 2 on {os.uname().nodename}); log: {log}",
                      lines)
        self.assertIn("2 tasks did not run because a parent failed", lines)
        for task in (A1, self.path("out", A1), log):
            self.assertEqual(self.lines(task), (1, [
                f"name: {A1}", "stage: train", "state: failed", "reason_kind: exit_code",
                f"reason: {reason}", "attempt: 2", f"host: {os.uname().nodename}", f"log: {log}"]))
        self.assertEqual(self.status()[1]["infer/A-B/split_1"], ("not run", f"parent failed: {A1}"))
        ended = self.run_toy(*LOCAL, "--source", "A", code=0)
        self.assertRegex(ended.err, r"\n3 of 3 tasks done, 1 running; 0:00:\d\d so far\n$")

    def test_a_campaign_that_is_done_names_its_report_until_a_result_is_deleted(self):
        self.have_toy(*LOCAL)
        self.write("out/launches/20990101T000000.000000Z/plan.json", '{"workflow": "csa", "tas')
        shutil.rmtree(self.path("out/ml_data"))     # an intermediate
        ended = self.run_toy(*LOCAL, "--status")
        self.assertEqual((ended.code, ended.err.count("000Z/plan.json: is not")), (0, 1), ended)
        lines = ended.out.splitlines()
        self.assertEqual(lines[2].split(), ["preprocess", "8"] + ["0"] * 6)
        self.assertEqual(lines[-1], f"all done; report: {self.path('out/report.html')}")
        self.assertEqual(self.status()[1]["ml_data/A-B/split_0"], ("done", "not needed"))
        code, lines = self.lines("--resources")
        self.assertEqual((code, [line.split()[:3] for line in lines[1:]]), (0, [
            [stage, source, number] for stage, number in (("train", "2"), ("infer", "4"))
            for source in "AB"]))
        os.unlink(self.path("out/infer/A-B/split_0/test_scores.json"))
        code, states = self.status()
        self.assertEqual((code, states["infer/A-B/split_0"]),
                         (1, ("not run", "its test_scores.json was deleted or changed")))
