"""The walls of the house: core imports nothing of ours, launcher/ and stages/ never import each
other, imports in stages/ go down only; the standard library alone, in the syntax of Python 3.6.
"""
import ast
import glob
import os
import subprocess
import sys
import unittest
from pathlib import Path

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
    "stages.report": ("core", "stages.stats", "stages.search"),
    "stages.collect": ("core", "stages.stats", "stages.search", "stages.report"),
    "stages": ("core", "stages"),       # the scripts
}
LIBRARY = os.path.dirname(os.__file__)
STANDARD = set(sys.builtin_module_names) | {
    name.split(".")[0] for folder in (LIBRARY, f"{LIBRARY}/lib-dynload")
    for name in os.listdir(folder)}
NOT_IN_36 = {"dataclasses", "contextvars", "graphlib", "zoneinfo", "tomllib"}


def imports_of(source):
    """Modules and names of all imports, also those inside functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            package = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            yield from (package + alias.name for alias in node.names)


def offences(room, source):
    """What is imported and may not be."""
    allowed = tuple(f"{name}." for name in (room, *MAY_IMPORT[room]))
    return [name for name in imports_of(source) if not f"{name}.".startswith(allowed)
            and name.split(".")[0] not in STANDARD - NOT_IN_36]


def python_files():
    return [path for pattern in ("*.py", "core/*.py", "launcher/*.py", "stages/**/*.py")
            for path in sorted(Path(REPOSITORY).glob(pattern))]


class HouseTest(unittest.TestCase):
    def test_each_room_imports_what_it_may(self):
        self.assertGreater(len(python_files()), 60)
        for path in python_files():
            room = ".".join(path.relative_to(REPOSITORY).parts[:-1]) or "workflows"
            self.assertEqual(offences(room, path.read_text(encoding="utf-8")), [], path)

    def test_every_file_compiles_under_python_36(self):
        pattern = os.path.expanduser("~/.pyenv/versions/3.6.*/bin/python3")
        python = next(iter(glob.glob(pattern)), None)
        if python is None:
            self.skipTest("no Python 3.6 here")
        check = ("import sys\nfor path in sys.argv[1:]: "
                 "compile(open(path, encoding='utf-8').read(), path, 'exec')")
        tests = Path(REPOSITORY, "tests").rglob("*.py")
        done = subprocess.run([python, "-c", check, *map(str, [*python_files(), *tests])],
                              stderr=subprocess.PIPE)
        self.assertEqual(done.stderr, b"")
