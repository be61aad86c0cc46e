"""The walls of the house: core imports nothing of ours, launcher/ and stages/ never import each
other, imports in stages/ go down only; the standard library alone, in the syntax of Python 3.6.
"""
import ast
import glob
import os
import subprocess
import sys
import unittest

from tests.support import REPOSITORY

# room -> what else it may import; launchers of a search use the space as it stands
MAY_IMPORT = {
    "core": (),
    "launcher": ("core", "stages.search.space"),
    "workflows": ("core", "launcher", "stages.search.space"),
    "stages.search": ("core",),
    "stages.stats": ("core", "stages.search"),
    "stages.baseline": ("core",),
    "stages.runner": ("core",),
    "stages.tree": ("core", "stages.search"),
    "stages.report": ("core", "stages.stats", "stages.search", "stages.tree"),
    "stages.collect": ("core", "stages.stats", "stages.search", "stages.report", "stages.tree"),
    "stages": ("core", "stages"),       # the scripts
}
STANDARD = set(sys.builtin_module_names) | {
    os.path.splitext(os.path.basename(path))[0].split(".")[0]
    for folder in (os.path.dirname(os.__file__),
                   os.path.join(os.path.dirname(os.__file__), "lib-dynload"))
    for path in glob.glob(os.path.join(folder, "*"))}
NOT_IN_36 = {"dataclasses", "contextvars", "graphlib", "zoneinfo", "tomllib"}


def room_of(path):
    folder = os.path.dirname(os.path.relpath(path, REPOSITORY)).replace(os.sep, ".")
    return folder or "workflows"


def imports_of(source):
    """[(line, module)] of all imports, also those inside functions."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            found += [(node.lineno, f"{module}.{alias.name}") for alias in node.names]
    return found


def offences(room, source):
    """What is imported and may not be: 'LINE imports MODULE'."""
    allowed = tuple(f"{name}." for name in (room, *MAY_IMPORT[room]))
    return [f"{line} imports {module}" for line, module in imports_of(source)
            if not f"{module}.".startswith(allowed)
            and module.split(".")[0] not in STANDARD - NOT_IN_36]


def python_files():
    return [path for pattern in ("*.py", "core/*.py", "launcher/**/*.py", "stages/**/*.py")
            for path in sorted(glob.glob(os.path.join(REPOSITORY, pattern), recursive=True))]


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class HouseTest(unittest.TestCase):
    def test_each_room_imports_what_it_may(self):
        self.assertGreater(len(python_files()), 60)
        for path in python_files():
            with self.subTest(os.path.relpath(path, REPOSITORY)):
                room = room_of(path)
                self.assertEqual(offences(room if room in MAY_IMPORT else "launcher", read(path)),
                                 [])

    def test_an_import_over_a_wall_is_named(self):
        for room, source in (("core", "from launcher import tasks"),
                             ("launcher", "from stages.runner import claim"),
                             ("stages.stats", "from stages.report import page"),
                             ("stages.runner", "import numpy"),
                             ("stages", "from launcher.tasks import Row")):
            with self.subTest(room):
                self.assertEqual(len(offences(room, source)), 1)

    def test_every_file_compiles_under_python_36(self):
        pattern = os.path.expanduser("~/.pyenv/versions/3.6.*/bin/python3")
        python = next(iter(glob.glob(pattern)), None)
        if python is None:
            self.skipTest("no Python 3.6 here")
        check = ("import sys\nfor path in sys.argv[1:]: "
                 "compile(open(path, encoding='utf-8').read(), path, 'exec')")
        tests = glob.glob(os.path.join(REPOSITORY, "tests", "**", "*.py"), recursive=True)
        done = subprocess.run([python, "-c", check, *python_files(), *tests],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              universal_newlines=True)
        self.assertEqual((done.returncode, done.stdout), (0, ""))
