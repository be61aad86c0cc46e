"""tree_files: names and JSON files of a results tree, whatever somebody has put there.

    name <-> path, name -> text that can be printed; path -> value, or FileError in one sentence
"""
import json
import os

from common.files import FileError, reading

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


def exists(path):
    """Says whether a name exists, be it a broken link; FileError if that cannot be known."""
    try:
        os.lstat(path)
        return True
    except FileNotFoundError:
        return False
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror or error})")


def read_json(path, largest=LARGEST_JSON, **hooks):
    """Returns what a JSON file of at most `largest` bytes holds, whatever that is; FileError if it is no JSON.

    hooks: those of json.loads.
    """
    with reading(path), open(path, "rb") as file:
        data = file.read(largest + 1)
        if len(data) > largest:
            raise FileError(f"{path}: is too large")
        try:
            return json.loads(data.decode("utf-8-sig", "surrogateescape"), **dict({"parse_int": _integer}, **hooks))
        except RecursionError:
            raise FileError(f"{path}: is nested too deeply")
        except ValueError as error:
            raise FileError(f"{path}: is not JSON ({error})")


def _integer(digits):
    return int(digits) if len(digits) <= LONGEST_INTEGER else float(digits)
