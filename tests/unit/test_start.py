"""What every start imports: a runner is started once a task, a launcher once a command."""
import os
import subprocess
import sys
import unittest

from tests.support import REPOSITORY, STAGES, TOY_MODEL, WorkCase

# Each of these takes milliseconds to import, or imports what does.
RUNNER_WITHOUT = {"argparse", "collections", "enum", "functools", "json", "re", "shutil", "signal", "subprocess", "traceback",
                  "typing"}
LAUNCHER_WITHOUT = {"ast", "calendar", "configparser", "csv", "difflib", "platform", "random", "statistics", "subprocess"}


def imported(folder, module, *switches):
    """The names of all modules that are there after an import in a fresh Python."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); __import__(sys.argv[2]); print(*sys.modules)"
    return set(subprocess.check_output([sys.executable, *switches, "-c", code, folder, module], universal_newlines=True).split())


class StartTest(WorkCase):
    def test_a_runner_starts_without_modules_that_take_long_to_import(self):
        names = imported(STAGES, "runner.command", "-I", "-S")
        self.assertIn("runner.verdict", names)
        self.assertEqual(names & RUNNER_WITHOUT, set())

    def test_a_launcher_starts_without_modules_that_few_launches_need(self):
        for workflow in ("csa", "lca"):
            names = imported(REPOSITORY, f"workflow_{workflow}", "-S")
            self.assertIn("launcher.launch", names)
            self.assertEqual(names & LAUNCHER_WITHOUT, set(), workflow)

    def test_what_a_runner_prints_arrives_although_it_ends_at_once(self):
        directory = self.path("out", "models", "A", "split_0")
        words = ["--paths", "none", os.path.join(TOY_MODEL, "toy_train_improve.py"), "--output_dir", directory]
        ended = self.run_command(sys.executable, "-I", "-S", os.path.join(STAGES, "run_stage.py"), *words)
        self.assertEqual((ended.code, ended.err), (0, ""))
        self.assertIn(directory, ended.out.splitlines())


if __name__ == "__main__":
    unittest.main()
