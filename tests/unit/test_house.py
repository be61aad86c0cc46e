"""The walls of the house: imports in stages/ go down only, launcher/ and stages/ never import each other.

    scripts -> collect -> report -> tree, stats -> search -> common; baseline imports common only

launcher/ and stages/ run on login nodes and in old environments: standard library only, Python 3.6 syntax.
"""
import ast
import glob
import os
import subprocess
import unittest

from tests.support import REPOSITORY

ROOMS = {"common": 0, "search": 1, "tree": 2, "stats": 2, "report": 3, "collect": 4}    # a room imports rooms of lower numbers
ALLOWED = {room: {other for other in ROOMS if ROOMS[other] < number} for room, number in ROOMS.items()}
ALLOWED["baseline"] = {"common"}
ALLOWED["runner"] = set()   # it starts tasks in a few milliseconds, and knows nothing of scores
SCRIPTS = set(ALLOWED)      # what is run may import every room
# That can be imported in Python 3.6 and is no module of ours.
STANDARD = set("""abc argparse array ast atexit base64 bisect bz2 calendar collections colorsys concurrent configparser contextlib copy
csv ctypes datetime decimal difflib enum errno fcntl filecmp fnmatch fractions functools gc getpass glob gzip hashlib heapq html http
importlib inspect io itertools json keyword linecache locale logging lzma marshal math mimetypes multiprocessing numbers operator os pathlib
pickle pkgutil platform plistlib posixpath pprint pwd queue random re resource runpy secrets select selectors shlex shutil signal socket
sqlite3 stat statistics string struct subprocess sys sysconfig tarfile tempfile textwrap threading time timeit tokenize traceback types
typing unicodedata unittest urllib uuid warnings weakref xml zipfile zlib __future__""".split())
STANDARD |= {"_json", "_signal"}    # C parts of json and signal: the runner takes the whole package where they are missing


def python_files(*patterns):
    return sorted(path for pattern in patterns for path in glob.glob(os.path.join(REPOSITORY, pattern)))


def imports_of(path):
    """[(line, first part of the module's name)] of all imports, also those inside of functions."""
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read(), path)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            # `from . import x` has no module: its room is that of the file.
            found.append((node.lineno, ("", room_of(path), "..")[min(node.level, 2)] or node.module))
    return [(line, name.split(".")[0] or name) for line, name in found]


def offences(paths, allowed):
    """What is imported and may not be: `file:line imports name`; allowed(path) gives the names."""
    return [f"{os.path.relpath(path, REPOSITORY)}:{line} imports {name}"
            for path in paths for line, name in imports_of(path) if name not in allowed(path)]


def room_of(path):
    return os.path.basename(os.path.dirname(path))


def of_stages(path):
    room = room_of(path)
    return STANDARD | (SCRIPTS if room == "stages" else ALLOWED.get(room, set()) | {room})


class HouseTest(unittest.TestCase):
    def test_imports_in_stages_go_down_only(self):
        paths = python_files("stages/*.py", "stages/*/*.py")
        self.assertEqual({room_of(path) for path in paths}, SCRIPTS | {"stages"})
        self.assertEqual(offences(paths, of_stages), [])

    def test_launchers_import_launcher_and_the_standard_library(self):
        paths = python_files("workflow_*.py", "launcher/*.py", "launcher/*/*.py")
        self.assertGreater(len(paths), 3)
        self.assertEqual(offences(paths, lambda _: STANDARD | {"launcher"}), [])

    def test_an_import_that_goes_up_is_named(self):
        path = os.path.join(REPOSITORY, "stages", "collect", "csa.py")
        offending = offences([path], lambda _: STANDARD | {"collect", "tree", "stats", "common"})
        self.assertEqual({line.split(" ", 1)[1] for line in offending}, {"imports report"})
        self.assertRegex(offending[0], r"^stages/collect/csa\.py:\d+ imports report$")

    def test_every_file_compiles_under_python_36(self):
        python = next(iter(glob.glob(os.path.expanduser("~/.pyenv/versions/3.6.*/bin/python3"))), None)
        if python is None:
            self.skipTest("no Python 3.6 here")
        check = "import sys\nfor path in sys.argv[1:]: compile(open(path, encoding='utf-8').read(), path, 'exec')"
        paths = python_files("*.py", "launcher/*.py", "launcher/*/*.py", "stages/*.py", "stages/*/*.py", "tests/*.py", "tests/*/*.py")
        done = subprocess.run([python, "-c", check, *paths], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
        self.assertEqual((done.returncode, done.stdout), (0, ""))


if __name__ == "__main__":
    unittest.main()
