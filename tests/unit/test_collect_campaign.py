"""The collector on campaigns that were launched: what is missing, refusals, odd names."""
import os
import shutil
import sys
import unittest

from stages import collect_scores
from tests.collect_case import WithTables
from tests.made_tree import Campaign, of_stage
from tests.support import STAGES


class CampaignTest(WithTables):

    def test_a_whole_campaign_has_nothing_missing_and_the_same_tables_after_a_move(self):
        self.run_campaign()
        code, said, _ = self.collect()
        self.assertEqual((code, self.table("missing.csv")), (0, []))
        self.assertEqual(said, """csa of model baseline, launch 20260101T0
command: workflow_csa.py '--x y'
scores: 4 of 4

r2, mean over splits (rows: source, columns: target)
        a       b
a  0.5000  0.5000

note: no naive baseline: test_y_data_predicted.csv: cannot be read (No such file or directory) \
(4 results)
""")
        before = self.text("all_scores.csv")
        self.out = shutil.move(self.out, self.path("moved"))
        shutil.rmtree(self.out + "/scores")
        self.collect()
        self.assertEqual(self.text("all_scores.csv"), before)

    def test_what_failed_is_listed_once_with_its_log(self):
        entries = self.run_campaign(synthetic=True)
        self.campaign.run(of_stage(entries, "train")[1:], state="failed", reason="exit code 2",
                          exit_code=2)
        self.campaign.run([entry for entry in of_stage(entries, "infer") if entry["split"] == 1],
                          state="failed", reason="parent failed: models/a/split_1 is failed",
                          exit_code=1)
        code, said, _ = self.collect()
        log, failed = self.path("out/models/a/split_1/log.txt"), "models/a/split_1"
        self.assertEqual(code, 0)
        self.assertIn("\nSYNTHETIC DEMO DATA: ", said)
        self.assertIn(f"\n{failed} failed: exit code 2 (2 scores missing; log: {log})\n", said)
        self.assertEqual([",".join(row.values()) for row in self.table("missing.csv")], [
            f"infer/a-{target}/split_1,a,{target},1,train,{failed},failed,exit code 2,2,{log}"
            for target in "ab"])
        self.assertEqual(len(self.table("r2_scores.csv")), 2)

    def test_no_score_of_an_older_training_counts(self):
        self.run_campaign()
        self.campaign.epochs = "9"
        newer = self.campaign.entries(["a"], ["a", "b"], [0, 1])
        self.campaign.plan("20260102T0", newer)
        self.campaign.run(of_stage(newer, "train")[:1])
        self.campaign.run(of_stage(newer, "infer")[:1])
        self.assertIn("scores: 1 of 4, 3 missing", self.collect()[1])
        self.assertEqual([(row["task"], row["failed_task"], row["state"])
                          for row in self.table("missing.csv")],
                         [("infer/a-a/split_1", "models/a/split_1", "stale"),
                          ("infer/a-b/split_0", "infer/a-b/split_0", "stale"),
                          ("infer/a-b/split_1", "models/a/split_1", "stale")])

    def test_a_campaign_under_way_is_no_failure_and_one_without_scores_exits_1(self):
        entries = self.campaign.entries(["a"], ["a", "b"], [0])
        self.campaign.plan("20260101T0", entries)
        code, said, _ = self.collect()
        self.assertEqual(code, 1)
        self.assertIn("scores: 0 of 2, 2 missing", said)
        self.assertEqual(self.text("all_scores.csv"), "met,split,value,src,trg,model\n")
        self.campaign.run(entries[:-1])
        code, said, _ = self.collect()
        self.assertEqual(code, 0)
        self.assertIn("\n\n1 score pending: tasks are running or have not run\n", said)
        self.assertIn("infer/a-b/split_0,waiting,has not run,", self.text("missing.csv"))

    def test_two_launches_into_one_tree_are_one_table_and_another_response_is_noted(self):
        self.run_campaign()
        self.campaign.write("ml_data/a-z/split_0/test_y_data.csv", "x\n")      # no gap
        self.campaign.scores("infer/a-y/split_0")       # counts, though no launch names it
        entries = self.campaign.entries(["c"], ["a"], [0])
        self.campaign.plan("20260102T0", entries, model="lgbm", y_col_name="ic50")
        self.campaign.run(entries, notes=["--flag False was given"])
        self.campaign.write("launches/20260103T0/plan.json", "{")
        damaged = "infer/a-b/split_1/test_scores.json"
        self.campaign.write(damaged, b"\xff\xfe\0")
        said = self.collect()[1]
        self.assertEqual(self.text("r2_mean_csa_table.csv"), "src,a,b,y\na,0.5,0.5,0.5\nc,0.5,,\n")
        for part in ("scores: 5 of 6, 1 missing", "note: a plan was ignored: ",
                     "note: auc, ic50 changed between launches: scores of",
                     "note: --flag False was given (3 tasks)\n",
                     f"infer/a-b/split_1 unreadable: {self.path('out', damaged)}: is not "):
            self.assertIn(part, said)
        self.assertEqual({(row["src"], row["model"]) for row in self.table("all_scores.csv")},
                         {("a", "baseline"), ("c", "lgbm"), ("a", "lgbm")})


    def test_a_broken_status_and_an_unreadable_directory_are_gaps(self):
        self.run_campaign()
        self.campaign.write("infer/a-b/split_1/stage_status.json", "{")
        path = self.path("out/infer/a-b/split_0")
        os.chmod(path, 0)
        self.addCleanup(os.chmod, path, 0o700)
        self.assertIn("unreadable: its stage_status.json is broken or cannot", self.collect()[1])
        root_reads_it = os.geteuid() == 0
        self.assertEqual(len(self.table("missing.csv")), 1 if root_reads_it else 2)


class RefusalTest(WithTables):

    def test_a_directory_that_is_no_results_tree(self):
        self.assertEqual(self.collect(), (2, "", (
            f"collect_scores: error: {self.out} is not a results tree that this program knows\n"
            "  try: a directory that holds launches/, or infer/SOURCE-TARGET/split_K/\n")))
        self.assertEqual(os.listdir(self.out), [])

    def test_the_layouts_of_the_workflows_are_told_apart(self):
        for number, (name, workflow) in enumerate([
                ("infer/a-b/split_0", "csa"), ("models/a/split_0", "csa"),
                ("ml_data/a-b/split_0", "csa"), ("models/split_0/sz_10", "lca"),
                ("a/models/split_0/sz_10", "lca"), ("a-b/infer/split_0/sz_10", "lca"),
                ("a/trials/0000", "hpo"), ("other/file", None)]):
            os.makedirs(self.path(str(number), name))
            tree = collect_scores.Tree(self.path(str(number)))
            self.assertEqual(collect_scores.workflow_of(tree), workflow, name)

    def test_tables_go_where_they_are_wanted_or_it_says_that_they_cannot(self):
        self.run_campaign()
        self.assertEqual(self.collect("--output_dir", self.path("deep/tables"))[0], 0)
        self.assertIn("summary.txt", os.listdir(self.path("deep/tables")))
        self.assertFalse(os.path.exists(self.path("out/scores")))
        self.write("file", "")
        code, _, errors = self.collect("--output_dir", self.path("file/x"))
        self.assertEqual(code, 2)
        self.assertIn("the tables cannot be written", errors)


class NamesTest(WithTables):

    def test_neither_the_c_locale_nor_bytes_that_are_no_text_break_odd_names(self):
        self.out = self.path("Größe")
        self.campaign = Campaign(self.out)
        self.run_campaign(["Zürich"], ["Zürich", "東京"], [0])
        self.campaign.scores("infer/Zürich-Köln/split_0", 0.25)
        os.makedirs(os.fsencode(self.out) + b"/infer/a-\xff/split_0")
        for coerce in "01":
            ended = self.run_command(
                sys.executable, os.path.join(STAGES, "collect_scores.py"), self.out, code=0,
                LC_ALL="C", PYTHONUTF8=coerce, PYTHONCOERCECLOCALE=coerce)
            self.assertEqual(ended.err, "")
            self.assertIn("infer/a-?/split_0 incomplete", ended.out)
            self.assertEqual(self.text("r2_mean_csa_table.csv"),
                             "src,Köln,Zürich,東京,\\udcff\nZürich,0.25,0.5,0.5,\na,,,,\n")


if __name__ == "__main__":
    unittest.main()
