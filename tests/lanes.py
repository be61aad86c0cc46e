"""lanes: the test classes of a folder, several at a time, each lane a Python of its own.

    load_tests of a folder  ->  Folder, a suite; the first one that runs starts the lanes of all
    lane (python3 tests/lanes.py FD NICE)  <-  the names of the tests of one class, until there is none left
                                      ->  what became of each test; None at the end of the class

The result that was given hears of each test as if it had run here: failures with their whole text,
skips, -v, -f, -b, ^C. Tests that are named (python3 -m unittest tests.unit.test_svg) need no lane.
"""
import os
import signal
import subprocess
import sys
import time
import unittest
import warnings
from multiprocessing.connection import Connection, Pipe, wait

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PATIENCE = 60       # seconds that an interrupted lane has to stop its clusters
FOLDERS = []        # all that load_tests has made
ENOUGH = 8          # lanes that compute
NICE = 10           # how far these give way to those that mostly wait, whose clusters are to answer in time


class ToldByLane(Exception):
    """A failure in a lane; its text is the traceback."""


class Named:
    """What a result speaks of and is no test of ours: a setUpClass, a part of a test."""
    failureException = None

    def __init__(self, name):
        self.name = name

    def __str__(self):
        return self.name

    id = __str__

    def shortDescription(self):
        return None


def computing():
    """Lanes that compute: one a core, and two for the moments in which these wait, too."""
    return min(ENOUGH, len(os.sched_getaffinity(0)) + 2)


def load_folder(loader, pattern, package, count=None, first=()):
    """What load_tests of a package returns: `count` lanes of its own for tests that mostly wait; None: those that compute
    share their lanes with other such folders. Classes with one of the names in `first` begin, in that order."""
    folder = os.path.dirname(sys.modules[package].__file__)
    top = os.path.abspath(os.path.join(folder, *[".."] * (package.count(".") + 1)))
    found = loader.discover(folder, pattern or "test*.py", top_level_dir=top)
    return Folder(flat(found), count, first)


def flat(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flat(test)
        else:
            yield test


def full_name(test):
    """Discovery from tests/ says unit.test_svg, where the name that works everywhere is tests.unit.test_svg."""
    return test.id() if test.id().startswith("tests.") else f"tests.{test.id()}"


class Folder(unittest.TestSuite):
    """The tests of a folder, and how many lanes they have; None: those of all that compute."""

    def __init__(self, tests, count, first):
        super().__init__(tests)
        self.count, self.begun = count, False
        # A module that cannot be imported has a test that says so.
        self.here = [test for test in self if type(test).__module__ == "unittest.loader"]
        self.tests, classes = {}, {}
        for test in self:
            if test not in self.here:
                self.tests[full_name(test)] = test
                classes.setdefault(type(test), []).append(full_name(test))
        place = {name: at for at, name in enumerate(first)}
        self.classes = sorted(classes.values(), key=lambda names: place.get(names[0].split(".")[-2], len(place)))
        FOLDERS.append(self)

    def run(self, result, debug=False):
        if debug:
            return super().run(result, debug)
        if not self.begun:
            run_folders([folder for folder in FOLDERS if not folder.begun], result)
        return result


def run_folders(folders, result):
    lanes = []
    try:
        for folder in folders:
            folder.begun = True
            for test in folder.here:
                test(result)
        for pool, count in pools(folders):
            lanes += [Lane(pool, result) for _ in range(min(count, sum(len(folder.classes) for folder in pool)))]
        while not result.shouldStop and any(lane.at_work for lane in lanes):
            at_work = {lane.connection: lane for lane in lanes if lane.at_work}
            for connection in wait(at_work, timeout=1):
                if not result.shouldStop:       # -f: the first failure was also the last
                    at_work[connection].listen()
    finally:
        end(lanes)


def pools(folders):
    """[(folders, lanes for them)]"""
    shared = [folder for folder in folders if folder.count is None]
    return [([folder], folder.count) for folder in folders if folder.count is not None] + [(shared, computing())]


def end(lanes):
    """What is at work is interrupted; all stop their clusters."""
    for lane in lanes:
        if lane.at_work:
            lane.process.send_signal(signal.SIGINT)
        lane.connection.close()
    for lane in lanes:
        try:
            lane.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            lane.process.kill()
            lane.process.wait()


class Lane:
    """A process that runs the tests of one class after another."""

    def __init__(self, folders, result):
        self.folders, self.result = folders, result
        self.tests = {name: test for folder in folders for name, test in folder.tests.items()}
        self.start()

    def start(self):
        self.connection, theirs = Pipe()
        options = [word for option in sys.warnoptions for word in ("-W", option)]
        flags = [name for name in ("buffer", "tb_locals") if getattr(self.result, name, False)]
        nice = NICE if self.folders[0].count is None else 0
        # In a session of its own: ^C at the terminal is answered here.
        self.process = subprocess.Popen(
            [sys.executable, *options, os.path.abspath(__file__), str(theirs.fileno()), str(nice), *flags],
            pass_fds=[theirs.fileno()], start_new_session=True)
        theirs.close()
        self.take_next()

    def take_next(self):
        """A lane for which no class is left ends, while others are still at work."""
        folder = next((folder for folder in self.folders if folder.classes), None)
        self.at_work = folder is not None
        if self.at_work:
            self.names = folder.classes.pop(0)
            self.connection.send(self.names)
        else:
            self.connection.close()

    def listen(self):
        try:
            message = self.connection.recv()
        except (EOFError, OSError):
            return self.replace()
        if message is None:
            return self.take_next()
        return self.say(*message)

    def replace(self):
        """The process has ended in the middle: an error for each test of which nothing was heard."""
        self.connection.close()
        text = f"the process of this test ended with code {self.process.wait()}"
        for name in self.names:
            self.say(name, 0, [("addError", name, text)])
        self.start()

    def say(self, name, seconds, events):
        """To the result what became of a test, or of a setUpClass."""
        test = self.tests.get(name)
        if test is not None:
            self.names = [other for other in self.names if other != name]
            self.result.startTest(test)
        for method, subject, text in events:
            subject = test if test is not None and subject == name else Named(subject)
            getattr(self.result, method)(subject, *given(method, text))
        if test is not None:
            if hasattr(self.result, "addDuration"):     # from Python 3.12 on
                self.result.addDuration(test, seconds)
            self.result.stopTest(test)


def given(method, text):
    """What a method of a result is given besides the test."""
    if method in ("addSuccess", "addUnexpectedSuccess"):
        return []
    return [text] if method == "addSkip" else [(ToldByLane, ToldByLane(f"\n{text}"), None)]


class Teller(unittest.TestResult):
    """The result in a lane: sends (name of the test, seconds, [(method, name of its subject, text)])."""

    def __init__(self, connection):
        super().__init__()
        self.connection, self.test, self.events = connection, None, []

    def startTest(self, test):
        super().startTest(test)
        self.test, self.events, self.began = test, [], time.time()

    def stopTest(self, test):
        super().stopTest(test)
        self.connection.send((test.id(), time.time() - self.began, self.events))
        self.test = None

    def note(self, method, subject, text=""):
        name = subject.id() if subject is self.test else str(subject)
        if self.test is None:       # a setUpClass, which is between two tests
            self.connection.send((name, 0, [(method, name, text)]))
        else:
            self.events.append((method, name, text))

    def addSuccess(self, test):
        super().addSuccess(test)
        self.note("addSuccess", test)

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.note("addUnexpectedSuccess", test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.note("addSkip", test, reason)

    def addError(self, test, err):
        super().addError(test, err)
        self.note("addError", test, self.errors[-1][1])

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.note("addFailure", test, self.failures[-1][1])

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self.note("addExpectedFailure", test, self.expectedFailures[-1][1])

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None and issubclass(err[0], test.failureException):
            self.note("addFailure", subtest, self.failures[-1][1])
        elif err is not None:
            self.note("addError", subtest, self.errors[-1][1])


def main(descriptor, nice, flags):
    os.nice(nice)
    # What a shell starts in the background ignores ^C; a lane is stopped by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.set_inheritable(descriptor, False)
    connection = Connection(descriptor)
    if not sys.warnoptions:
        warnings.simplefilter("default")
    try:
        while True:
            names = connection.recv()
            result = Teller(connection)     # one a class: it remembers which class is to be torn down
            for flag in flags:
                setattr(result, flag, True)
            unittest.defaultTestLoader.loadTestsFromNames(names)(result)
            connection.send(None)
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        pass    # no class is left, or the run was interrupted


if __name__ == "__main__":
    sys.path[0] = REPOSITORY
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
