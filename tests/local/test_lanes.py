"""lanes and keeper: a small tests/ of its own, run by discovery, interrupted and killed."""
import os
import shutil
import signal
import sys
import unittest

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
    def test_a_passes(self):
        pass
    def test_b_ends_its_process(self):
        os._exit(7)
'''
# It leaves its parents, as a daemon does, and waits for ever; so does the test.
DAEMON = '''
import subprocess, time, unittest
class Waits(unittest.TestCase):
    def test_waits(self):
        subprocess.check_call(["bash", "-c", "setsid sleep 1000 & echo $! >pid.part; mv pid.part pid"])
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
        shutil.copy(os.path.join(os.path.dirname(__file__), "..", "unit", "__init__.py"), self.path("tests/unit"))

    def discover(self, *arguments):
        return [sys.executable, "-m", "unittest", "discover", *(arguments or ("-s", "tests"))]

    def ended(self, *arguments):
        self.write("tests/unit/test_outcomes.py", OUTCOMES)
        return self.run_command(*self.discover(*arguments))

    def test_every_outcome_is_counted_and_shown_with_its_text(self):
        for start in (("-s", "tests"), ("-s", "tests/unit", "-t", ".")):
            ended = self.ended(*start)
            self.assertEqual(ended.code, 1)
            self.assertRegex(ended.err, r"\nRan 8 tests in .*s\n\nFAILED \(failures=2, errors=3, skipped=1, expected failures=1\)\n")
            self.assertEqual(ended.out, "set up\ntorn down\n")
            for text in ("AssertionError: Lists differ: [1, 2] != [1, 3]", "OSError: broken here", "(part=1)", "ValueError: no class",
                         "the process of this test ended with code 7", 'unit/test_outcomes.py", line '):
                self.assertIn(text, ended.err)

    def test_each_test_is_named_with_v_and_the_first_failure_ends_with_f(self):
        ended = self.ended("-s", "tests", "-v")
        self.assertRegex(ended.err, r"test_passes \(.*Good.*\) \.\.\. ok\n")
        self.assertRegex(ended.err, r"test_skipped \(.*Good.*\) \.\.\. skipped 'for a reason'\n")
        ended = self.ended("-s", "tests", "-f")
        self.assertRegex(ended.err, r"FAILED \((failures=1|errors=1)[,)]")

    def test_a_module_that_cannot_be_imported_is_an_error(self):
        self.write("tests/unit/test_broken.py", "import nowhere\n")
        self.assertIn("No module named 'nowhere'", self.ended().err)

    def test_single_tests_run_without_a_lane(self):
        self.write("tests/unit/test_outcomes.py", OUTCOMES)
        ended = self.run_command(sys.executable, "-m", "unittest", "tests.unit.test_outcomes.Good", "tests.unit.test_outcomes.Bad.test_fails")
        self.assertIn("Ran 4 tests", ended.err)

    def daemon_of(self, *command):
        """(the test process, the daemon that its test has started)"""
        self.write("tests/unit/test_daemon.py", DAEMON)
        process = self.start(*command)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        wait_for(lambda: os.path.exists(self.path("pid")), "the daemon")
        return process, int(self.read("pid"))

    def lives(self, pid):
        """A process that has ended and for which nobody has waited yet has no environment left."""
        return any(keeper.environment_of(pid))

    def test_nothing_outlives_a_test_process_that_is_killed_or_interrupted(self):
        serial = [sys.executable, "-m", "unittest", "tests.unit.test_daemon"]
        for command in (self.discover(), serial):
            for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
                process, daemon = self.daemon_of(*command)
                os.unlink(self.path("pid"))
                wait_for(lambda: self.lives(daemon), "the daemon's environment")    # a program that is just being loaded has none
                process.send_signal(number)
                process.communicate(timeout=PATIENCE)
                self.assertNotEqual(process.returncode, 0)
                wait_for(lambda: not self.lives(daemon), "the end of the daemon")


if __name__ == "__main__":
    unittest.main()
