"""Readers: what several processes read is what one would read, whatever happens to them."""
import os
import signal
import unittest
from unittest import mock

from launcher import readers

NAMES = [f"n{number}" for number in range(2 * readers.FEW + 7)]
LAUNCHER = os.getpid()


def told(name):
    """The name, and who read it."""
    return name, os.getpid()


class ReadersTest(unittest.TestCase):
    def setUp(self):
        self.started, fork = [], os.fork

        def noted():
            self.started.append(fork())
            return self.started[-1]
        patch = mock.patch.object(os, "fork", noted)
        patch.start()
        self.addCleanup(patch.stop)

    def tearDown(self):
        for process in self.started:
            with self.assertRaises(ProcessLookupError):     # it has ended, and somebody has waited for it
                os.kill(process, 0)

    def names_and_readers(self, function=told, names=NAMES):
        found = list(readers.each(function, names))
        self.assertEqual([name for name, _ in found], names)
        return {reader for _, reader in found}

    def test_many_names_are_read_in_several_processes_and_come_in_their_order(self):
        found = self.names_and_readers()
        self.assertEqual(len(found), 3)
        self.assertNotIn(os.getpid(), found)

    def test_few_are_read_here(self):
        self.assertEqual(self.names_and_readers(names=NAMES[:readers.FEW]), {os.getpid()})
        self.assertEqual(list(readers.each(told, [])), [])

    def test_what_a_killed_reader_leaves_out_is_read_here(self):
        def fatal(name):
            if name == NAMES[readers.FEW + 3] and os.getpid() != LAUNCHER:
                os.kill(os.getpid(), signal.SIGKILL)
            return told(name)
        found = self.names_and_readers(fatal)
        self.assertEqual((len(found), os.getpid() in found), (3, True))

    def test_what_cannot_be_passed_on_is_read_here(self):
        found = list(readers.each(lambda name: object if name == "n0" else os.getpid(), NAMES))
        self.assertEqual((found[:2], len(set(found))), ([object, os.getpid()], 4))

    def test_without_room_for_processes_all_is_read_here(self):
        with mock.patch.object(os, "fork", side_effect=BlockingIOError("Resource temporarily unavailable")):
            self.assertEqual(self.names_and_readers(), {os.getpid()})

    def test_an_end_in_the_middle_leaves_no_reader(self):
        found = readers.each(told, NAMES * 10)
        self.assertEqual(next(found)[0], "n0")
        found.close()


if __name__ == "__main__":
    unittest.main()
