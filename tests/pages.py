"""pages: what the tests take out of README.md and docs/*.md.

    page -> code_blocks -> {file name in the first line: text}
    page -> commands -> [(command, output)]
"""
import os
import re
from pathlib import Path

from tests.support import REPOSITORY


def read_page(name):
    return Path(REPOSITORY, name).read_text(encoding="utf-8")


def code_blocks(name):
    """The ```python blocks of a page, by the file that each names: `# NAME.py: ...`, or the first
    word of its docstring."""
    blocks = re.findall(r"^```python\n(.*?)^```$", read_page(name), re.MULTILINE | re.DOTALL)
    return {re.match(r'(?:#!.*\n)?(?:# |""")(\w+)', block).group(1) + ".py": block
            for block in blocks}


def commands(name):
    """[(command, [lines of its output])] of a page's indented blocks; a command follows `$ `."""
    found, output = [], None
    for line in read_page(name).split("\n"):
        if line.startswith("    $ "):
            output = []
            found.append((line[6:], output))
        elif line and not line.startswith("    "):
            output = None       # a block ends; an empty line may be part of it
        elif output is not None:
            output.append(line[4:])
    return found


def write_code(name, directory):
    """Writes a page's python blocks into a directory."""
    os.makedirs(directory, exist_ok=True)
    for file_name, text in code_blocks(name).items():
        Path(directory, file_name).write_text(text, encoding="utf-8")
