"""tree_files: names and JSON files of a results tree, whatever somebody has put there.

    name <-> path, name -> text that can be printed; path -> value, or FileError in one sentence
"""
import json
import os

from improve_files import FileError

LARGEST_JSON = 1 << 27      # bytes; a plan of 10,000 tasks has about 10 million
LONGEST_INTEGER = 18        # digits; longer ones are slow to convert


def on_disk(name):
    """Returns a name as the file functions want it; under LANG=C old Pythons take bytes for ASCII."""
    return os.fsdecode(name.encode("utf-8", "surrogateescape"))


def as_text(name):
    """Returns the name of a file as the text that its bytes are in UTF-8."""
    try:
        return os.fsencode(name).decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:      # it was text already
        return name


def printable(text):
    """Returns text without characters that move the cursor or cannot be written."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def stands(path):
    """Tells whether something bears this name; FileError where that cannot be known."""
    try:
        os.lstat(path)
        return True
    except FileNotFoundError:
        return False
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror or error})")


def read_json(path):
    """Returns what a JSON file holds, whatever that is; FileError where it holds none."""
    try:
        if not os.path.isfile(path):
            raise FileError(f"{path}: is not a file")
        with open(path, "rb") as file:
            data = file.read(LARGEST_JSON + 1)
        if len(data) > LARGEST_JSON:
            raise FileError(f"{path}: is too large")
        return json.loads(data.decode("utf-8-sig", "surrogateescape"), parse_int=_integer)
    except RecursionError:
        raise FileError(f"{path}: is nested too deeply")
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror or error})")
    except ValueError as error:
        raise FileError(f"{path}: is not JSON ({error})")


def _integer(digits):
    return int(digits) if len(digits) <= LONGEST_INTEGER else float(digits)
