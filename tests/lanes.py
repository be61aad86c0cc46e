"""lanes: test classes side by side, each lane a process that is forked from this one.

    load_tests of a folder  ->  Folder, a suite; the first one that runs starts the lanes of all
    lane  ->  takes a class, as long as some are left; all calls of the class to its result, which
              are repeated here on the given result

So -v, -f and -b work as ever. A single module or test (python3 -m unittest tests.unit.test_tree)
runs without lanes.
"""
import ctypes
import multiprocessing
import os
import signal
import sys
import unittest
from multiprocessing.connection import wait

FORK = multiprocessing.get_context("fork")      # the lanes have imported all tests
FOLDERS = {}            # by their directories: a folder that is named is loaded twice
COMPUTING = min(8, len(os.sched_getaffinity(0)) + 2)    # two for the moments in which others wait
NICE = 10               # how far computing lanes give way to clusters, which must answer in time
PR_SET_PDEATHSIG = 1    # of prctl(2): the signal for when the parent ends
# The calls that are passed on, and the list in which unittest keeps the text of an error.
CALLS = {"startTest": "", "stopTest": "", "addSuccess": "", "addSkip": "", "addDuration": "",
         "addUnexpectedSuccess": "", "addError": "errors", "addFailure": "failures",
         "addExpectedFailure": "expectedFailures"}


class ErrorInLane(Exception):
    """Its text is the traceback."""


def caught(text):
    """What a result takes for an exception."""
    return ErrorInLane, ErrorInLane(text), None


class Named:
    """Stands for a setUpClass or a subTest of a lane."""
    failureException = None

    def __init__(self, name):
        self.name = name

    def __str__(self):
        return self.name

    id = __str__

    def shortDescription(self):
        return None


def load_folder(loader, pattern, package, lanes=0, first=()):
    """What load_tests of a package returns.

    lanes: how many are its own, since its tests mostly wait; 0: it shares those that compute
    first: names of classes that begin, in this order
    """
    folder = os.path.dirname(sys.modules[package].__file__)
    top = os.path.join(folder, "..", "..")
    classes = {}
    for test in flat(loader.discover(folder, pattern or "test*.py", top_level_dir=top)):
        classes.setdefault(type(test), []).append(test)
    by_order = sorted(classes, key=lambda each: (*first, each.__name__).index(each.__name__))
    FOLDERS[folder] = Folder([classes[each] for each in by_order], lanes)
    return FOLDERS[folder]


def flat(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flat(test)
        else:
            yield test


class Folder(unittest.TestSuite):
    """The tests of a folder. classes: a list of tests each"""

    def __init__(self, classes, lanes):
        super().__init__(test for tests in classes for test in tests)
        self.classes, self.lanes = classes, lanes

    def run(self, result, debug=False):
        folders = list(FOLDERS.values())
        FOLDERS.clear()
        computing = [tests for folder in folders if not folder.lanes for tests in folder.classes]
        lanes = start_lanes(computing, COMPUTING, NICE, result)
        for folder in folders:
            lanes.update(start_lanes(folder.classes, folder.lanes, 0, result))
        try:
            listen(dict(lanes), {test.id(): test for folder in folders for test in folder}, result)
        finally:
            for process in lanes.values():
                process.terminate()     # what it leaves is ended by the keeper
        return result


def listen(lanes, tests, result):
    """Repeats on the result what the lanes report, until none is at work."""
    begun = {}
    while lanes and not result.shouldStop:
        lane = wait(lanes)[0]
        try:
            begun[lane], calls = lane.recv()
        except (EOFError, OSError):
            process, calls = lanes.pop(lane), []
            process.join()
            if begun.get(lane):
                error = caught(f"the process of this test ended with {process.exitcode}")
                calls = [("addError", begun[lane], [error])]
        for call, name, details in calls:
            getattr(result, call)(tests.get(name) or Named(name), *details)


def start_lanes(classes, count, nice, result):
    """Returns {connection: process} of lanes that share these classes."""
    lanes, (left, writer) = {}, os.pipe()
    os.write(writer, bytes(range(len(classes))))    # each lane takes a number, as long as some are
    os.close(writer)
    for _ in range(min(count, len(classes))):
        ours, theirs = FORK.Pipe()
        lanes[ours] = FORK.Process(target=serve, args=(theirs, classes, left, nice, result))
        lanes[ours].start()
        theirs.close()
    return lanes


def serve(connection, classes, left, nice, result):
    """In a lane: reports (name of the class that it begins, calls of the one before)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()         # ^C at the terminal is for the parent
    os.nice(nice)
    calls = []
    for number in iter(lambda: os.read(left, 1), b""):
        tests = classes[number[0]]
        connection.send((type(tests[0]).__name__, calls))
        notes = Notes()
        notes.buffer, notes.failfast = result.buffer, result.failfast
        unittest.TestSuite(tests).run(notes)
        calls = notes.calls
    connection.send(("", calls))


class Notes(unittest.TestResult):
    """The result in a lane: notes each call."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def addSubTest(self, test, subtest, err):
        if err:
            is_failure = issubclass(err[0], test.failureException)
            (self.addFailure if is_failure else self.addError)(subtest, err)


def noting(call, errors):
    """The method of Notes for a call."""
    def method(self, test, *details):
        getattr(unittest.TestResult, call)(self, test, *details)
        if errors:
            details = [caught("\n" + getattr(self, errors)[-1][1])]
        self.calls.append((call, test.id(), details))
    return method


for name, where in CALLS.items():
    if hasattr(unittest.TestResult, name):      # addDuration: from Python 3.12 on
        setattr(Notes, name, noting(name, where))
