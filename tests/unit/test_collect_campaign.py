"""The collector on campaigns that were launched: what is missing, refusals, odd names."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

from stages import collect_scores
from tests.collect_case import WithTables
from tests.made_tree import PREDICTIONS, Campaign, of_stage, write
from tests.support import STAGES


class CampaignTest(WithTables):

    def missing(self, *columns):
        return [tuple(row[name] for name in columns) for row in self.rows("missing.csv")]

    def test_a_whole_campaign_has_nothing_missing(self):
        self.run_campaign()
        code, said, _ = self.collect()
        self.assertEqual((code, self.rows("missing.csv")), (0, []))
        self.assertEqual(said, """csa of model baseline, launch 20260101T0
command: workflow_csa.py '--x y'
scores: 4 of 4

r2, mean over splits (rows: source, columns: target)
        a       b
a  0.5000  0.5000
""")

    def test_what_failed_is_listed_once_with_its_log(self):
        entries = self.run_campaign(synthetic=True)
        self.campaign.run(of_stage(entries, "train")[1:], state="failed", reason="exit code 2",
                          exit_code=2)
        self.campaign.run([entry for entry in of_stage(entries, "infer") if entry["split"] == 1],
                          state="failed", reason="parent failed: models/a/split_1 is failed",
                          exit_code=1)
        code, said, _ = self.collect()
        log = os.path.join(self.out, "models/a/split_1/log.txt")
        self.assertEqual(code, 0)
        self.assertIn("\nSYNTHETIC DEMO DATA: ", said)
        self.assertTrue(said.endswith(
            f"models/a/split_1 failed: exit code 2 (2 scores missing; log: {log})\n"))
        self.assertEqual([tuple(row.values()) for row in map(dict, self.rows("missing.csv"))], [
            (f"infer/a-{target}/split_1", "a", target, "1", "train", "models/a/split_1", "failed",
             "exit code 2", "2", log) for target in ("a", "b")])
        self.assertEqual(len(self.rows("r2_scores.csv")), 2)

    def test_no_score_of_an_older_training_counts(self):
        self.run_campaign()
        self.campaign.epochs = "9"
        newer = [dict(entry, run=entry["stage"] != "preprocess")
                 for entry in self.campaign.entries(["a"], ["a", "b"], [0, 1])]
        self.campaign.plan("20260102T0", newer)
        self.campaign.run(of_stage(newer, "train")[:1])
        self.campaign.run(of_stage(newer, "infer")[:1])
        said = self.collect()[1]
        self.assertEqual([(row["src"], row["trg"], row["split"])
                          for row in self.rows("r2_scores.csv")], [("a", "a", "0")])
        self.assertEqual(self.missing("task", "failed_task", "state"),
                         [("infer/a-a/split_1", "models/a/split_1", "stale"),
                          ("infer/a-b/split_0", "infer/a-b/split_0", "stale"),
                          ("infer/a-b/split_1", "models/a/split_1", "stale")])
        self.assertIn("infer/a-b/split_0 stale: its input models/a/split_0 has changed", said)

    def test_a_campaign_under_way_is_no_failure_and_one_without_scores_exits_1(self):
        entries = self.campaign.entries(["a"], ["a", "b"], [0])
        self.campaign.plan("20260101T0", entries)
        code, said, _ = self.collect()
        self.assertEqual(code, 1)
        self.assertIn("scores: 0 of 2, 2 missing", said)
        self.assertEqual(self.text("all_scores.csv"), "met,split,value,src,trg,model\n")
        self.campaign.run(of_stage(entries, "preprocess") + of_stage(entries, "train"))
        self.campaign.run(of_stage(entries, "infer")[:1])
        code, said, _ = self.collect()
        self.assertEqual(code, 0)
        self.assertTrue(said.endswith("\n\n1 score pending: tasks are running or have not run\n"))
        self.assertEqual(self.missing("state"), [("waiting",)])

    def test_two_launches_into_one_tree_are_one_table_and_another_response_is_noted(self):
        self.run_campaign()
        entries = self.campaign.entries(["c"], ["a"], [0])
        self.campaign.plan("20260102T0", entries, model="lgbm", y_col_name="ic50")
        self.campaign.run(entries)
        self.campaign.write("launches/20260103T0/plan.json", "{")
        said = self.collect()[1]
        self.assertEqual(self.text("r2_mean_csa_table.csv"), "src,a,b\na,0.5,0.5\nc,0.5,\n")
        self.assertIn("note: auc, ic50 changed between launches: scores of", said)
        self.assertIn("note: a plan was ignored: ", said)
        self.assertEqual({(row["src"], row["model"]) for row in self.rows("all_scores.csv")},
                         {("a", "baseline"), ("c", "lgbm")})

    def test_a_score_that_no_launch_names_counts_and_data_alone_is_no_gap(self):
        self.run_campaign()
        self.campaign.write("ml_data/a-z/split_0/test_y_data.csv", "x\n")
        self.campaign.scores("infer/a-y/split_0")
        self.assertIn("scores: 5 of 5\n", self.collect()[1])

    def test_a_moved_tree_gives_the_same_tables(self):
        self.run_campaign()
        self.collect()
        before = self.text("all_scores.csv")
        shutil.move(self.out, self.top + "/moved")
        self.out = self.top + "/moved"
        shutil.rmtree(self.out + "/scores")
        self.assertEqual(self.collect()[0], 0)
        self.assertEqual(self.text("all_scores.csv"), before)

    def test_mae_comes_from_predictions_and_a_damaged_score_file_is_listed_with_its_path(self):
        self.run_campaign()
        self.campaign.write("infer/a-b/split_0/test_y_data_predicted.csv", PREDICTIONS)
        self.campaign.write("infer/a-b/split_1/test_scores.json", b"\xff\xfe\0")
        code = self.collect()[0]
        self.assertEqual(self.text("mae_mean_csa_table.csv"), "src,a,b\na,,0.14\n")
        task, state, reason = self.missing("task", "state", "reason")[0]
        self.assertEqual((code, task, state), (0, "infer/a-b/split_1", "unreadable"))
        self.assertIn(os.path.join(self.out, "infer/a-b/split_1/test_scores.json"), reason)


class RefusalTest(WithTables):

    def test_a_directory_that_is_no_results_tree(self):
        code, said, errors = self.collect()
        self.assertEqual((code, said), (2, ""))
        self.assertEqual(errors, f"collect_scores: error: {self.out} is not a results tree that "
                         "this program knows\n  try: a directory that holds launches/, or "
                         "infer/SOURCE-TARGET/split_K/\n")
        self.assertEqual(os.listdir(self.out), [])
        self.out += "/x"
        self.assertIn("/x is not a results tree", self.collect()[2])

    def test_the_layouts_of_the_workflows_are_told_apart(self):
        for name, workflow in [("infer/a-b/split_0", "csa"), ("models/a/split_0", "csa"),
                               ("models/split_0/sz_10", "lca"), ("a/models/split_0/sz_10", "lca"),
                               ("a-b/infer/split_0/sz_10", "lca"), ("a/trials/0000", "hpo"),
                               ("trials/0000", "hpo"), ("other/file", None)]:
            out = tempfile.mkdtemp(dir=self.top)
            os.makedirs(os.path.join(out, name))
            self.assertEqual(collect_scores.workflow_of(collect_scores.Tree(out)), workflow, name)

    def test_tables_go_where_they_are_wanted_or_it_says_that_they_cannot(self):
        self.run_campaign()
        elsewhere = os.path.join(self.top, "deep", "tables")
        self.assertEqual(self.collect("--output_dir", elsewhere)[0], 0)
        self.assertIn("summary.txt", os.listdir(elsewhere))
        self.assertFalse(os.path.exists(os.path.join(self.out, "scores")))
        write(os.path.join(self.out, "file"), "")
        code, _, errors = self.collect("--output_dir", os.path.join(self.out, "file", "x"))
        self.assertEqual(code, 2)
        self.assertIn("the tables cannot be written", errors)


class ProgramTest(WithTables):

    def call(self, out, **environment):
        process = subprocess.Popen(
            [sys.executable, os.path.join(STAGES, "collect_scores.py"), out],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ, **environment))
        said, errors = process.communicate()
        return process.returncode, said.decode("utf-8"), errors.decode("utf-8")

    def test_the_c_locale_does_not_break_names_that_are_not_ascii(self):
        self.out = os.path.join(self.top, "Größe")
        self.campaign = Campaign(self.out)
        self.run_campaign(["Zürich"], ["Zürich", "東京"], [0])
        self.campaign.write("infer/Zürich-Köln/split_0/test_scores.json",
                            '{"mse": 1, "r2": 0.25}')
        code, _, errors = self.call(self.out, LC_ALL="C", LANG="C", PYTHONUTF8="0",
                                    PYTHONCOERCECLOCALE="0")
        self.assertEqual((code, errors), (0, ""))
        self.assertEqual(self.text("r2_mean_csa_table.csv"),
                         "src,Köln,Zürich,東京\nZürich,0.25,0.5,0.5\n")

    def test_bytes_that_are_no_text_in_a_name_do_not_break_it(self):
        self.campaign.scores("infer/a-b/split_0")
        os.makedirs(os.path.join(os.fsencode(self.out), b"infer", b"a-\xff", b"split_0"))
        code, said, errors = self.call(self.out, LC_ALL="C")
        self.assertEqual((code, errors), (0, ""))
        self.assertIn("infer/a-?/split_0 incomplete", said)
        self.assertIn("infer/a-\\udcff/split_0,a,", self.text("missing.csv"))

    @unittest.skipIf(os.geteuid() == 0, "root reads everything")
    def test_an_unreadable_directory_is_a_gap(self):
        self.run_campaign()
        path = os.path.join(self.out, "infer/a-b/split_0")
        os.chmod(path, 0)
        self.addCleanup(os.chmod, path, 0o700)
        code, said, errors = self.call(self.out)
        self.assertEqual((code, errors), (0, ""))
        self.assertIn("Permission denied", said)


if __name__ == "__main__":
    unittest.main()
