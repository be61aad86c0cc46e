"""lanes and keeper: a small tests/ of its own, run by discovery, interrupted and killed."""
import glob
import os
import shutil
import signal
import sys

from tests import keeper, lanes
from tests.support import CLEAN, PATIENCE, WorkCase, wait_for

OUTCOMES = '''
import os, unittest
class Good(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print("set up", flush=True)
    @classmethod
    def tearDownClass(cls):
        print("torn down", flush=True)
    def test_passes(self):
        pass
    @unittest.skip("for a reason")
    def test_skipped(self):
        pass
    @unittest.expectedFailure
    def test_expected(self):
        self.fail()
class Bad(unittest.TestCase):
    def test_fails(self):
        self.assertEqual([1, 2], [1, 3])
    def test_breaks(self):
        raise OSError("broken here")
    def test_parts(self):
        for part in range(3):
            with self.subTest(part=part):
                self.assertNotEqual(part, 1)
class Without(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise ValueError("no class")
    def test_never_run(self):
        pass
class Ends(unittest.TestCase):
    def test_ends_its_process(self):
        os._exit(7)
'''
TEXTS = ("AssertionError: Lists differ: [1, 2] != [1, 3]", "OSError: broken here", "(part=1)",
         "ValueError: no class", "the process of this test ended with 7",
         "No module named 'nowhere'", 'unit/test_outcomes.py", line ')
# It leaves its parents, as a daemon does, and waits for ever; so does the test.
DAEMON = '''
import subprocess, time, unittest
class Waits(unittest.TestCase):
    def test_waits(self):
        subprocess.check_call(["bash", "-c", "setsid sleep 1000 & echo $! >part; mv part pid"])
        time.sleep(1000)
'''


class LanesTest(WorkCase):
    # Their own keeper, not that of the tests that run now.
    environment = {name: value for name, value in CLEAN.items() if name != keeper.MARK}

    def setUp(self):
        super().setUp()
        os.makedirs(self.path("tests/unit"))
        for module in (lanes, keeper):
            shutil.copy(module.__file__, self.path("tests"))
        self.write("tests/__init__.py", "from tests import keeper\nkeeper.start()\n")
        shutil.copy(os.path.join(os.path.dirname(__file__), "..", "unit", "__init__.py"),
                    self.path("tests/unit"))

    def test_every_outcome_is_counted_and_shown_with_its_text(self):
        self.write("tests/unit/test_outcomes.py", OUTCOMES)
        self.write("tests/unit/test_broken.py", "import nowhere\n")
        for how in ("discover -v -s tests", "discover -s tests/unit -t .", "tests.unit"):
            out, said = self.start(sys.executable, "-m", "unittest", *how.split()).communicate()
            self.assertEqual(out, "set up\ntorn down\n")
            self.assertRegex(said, r"\nRan 7 tests in .*s\n\nFAILED \(failures=2, errors=4, "
                             r"skipped=1, expected failures=1\)\n")
            for text in TEXTS:
                self.assertIn(text, said)

    def test_nothing_outlives_a_test_process_that_is_killed_or_interrupted(self):
        self.write("tests/unit/test_daemon.py", DAEMON)
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
            with self.subTest(number=number):
                self.assert_leaves_nothing(number)

    def assert_leaves_nothing(self, number):
        process = self.start(sys.executable, "-m", "unittest", "discover", "-s", "tests",
                             TMPDIR=self.work)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        wait_for(lambda: os.path.exists(self.path("pid")), "the daemon")
        daemon = int(self.read("pid"))
        os.unlink(self.path("pid"))
        wait_for(lambda: daemon in self.ours(), "the daemon's environment")
        process.send_signal(number)
        process.communicate(timeout=PATIENCE)
        self.assertNotEqual(process.returncode, 0)
        wait_for(lambda: not self.ours() and not glob.glob(self.path("tests.*")),
                 "the end of all that the tests have started")

    def ours(self):
        return keeper.marked(self.path("tests.").encode())
