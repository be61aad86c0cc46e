"""files: opens, replaces and compares files; whatever goes wrong is a FileError of one sentence.

    with reading(path), open(path) as file: ...        a bad file raises FileError
    write_whole(path, text)                            the file is there when all of it is written
    fingerprint(path)                                  [bytes, time in ns, CRC-32] of its content
"""
import csv
import json
import os
import zlib
from contextlib import contextmanager

from core.errors import FileError

LARGEST_JSON = 1 << 27      # bytes; a plan of 10,000 tasks has about 10 million
LONGEST_INTEGER = 19        # digits, as a time in ns has; longer ones are slow to convert
LARGEST_CHECKED = 64 * 1000000      # bytes; the CRC-32 of a larger file is null


@contextmanager
def reading(path):
    """Turns what a bad file makes Python raise into FileError."""
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            raise FileError(f"{path}: is not a file")
        yield
    except UnicodeDecodeError:
        raise FileError(f"{path}: is not text (UTF-8)")
    except csv.Error as error:
        raise FileError(f"{path}: is not a table ({error})")
    except MemoryError:
        raise FileError(f"{path}: does not fit into memory")
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror or error})")
    except ValueError as error:   # such as a null character in the path itself
        raise FileError(f"{path!r}: cannot be read ({error})")


def write_whole(path, text):
    """Writes text as UTF-8; `path` appears, or is replaced, when all of it is written."""
    # The random part keeps two nodes that write the same file apart; mkstemp's
    # files could be read by nobody but their owner.
    temporary = f"{path}.{os.urandom(4).hex()}.tmp"
    try:
        # surrogateescape: how Python keeps bytes of a path that are no UTF-8 (or of any
        # non-ASCII path, in 3.6 with LANG=C); they are written as they were
        with open(temporary, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError as error:
        raise FileError(f"{path}: cannot be written ({error.strerror or error})")
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def on_disk(name):
    """Returns a name as file functions want it; under LANG=C old Pythons take bytes for ASCII."""
    return os.fsdecode(name.encode("utf-8", "surrogateescape"))


def read_json(path, largest=LARGEST_JSON):
    """Returns what a JSON file of at most `largest` bytes holds; FileError if it is no JSON."""
    with reading(path), open(path, "rb") as file:
        data = file.read(largest + 1)
        if len(data) > largest:
            raise FileError(f"{path}: is too large")
        try:
            return json.loads(
                data.decode("utf-8-sig", "surrogateescape"),
                parse_int=lambda text: (int if len(text) <= LONGEST_INTEGER else float)(text))
        except RecursionError:
            raise FileError(f"{path}: is nested too deeply")
        except ValueError as error:
            raise FileError(f"{path}: is not JSON ({error})")


def cores():
    """Returns how many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))     # what Slurm gave, not what the node has
    except AttributeError:
        return os.cpu_count() or 1


def size_of(path):
    """Returns the bytes of a file, 0 if there is none."""
    try:
        return os.path.getsize(path)
    except (OSError, ValueError):       # a malformed status may name anything
        return 0


def fingerprint(path, known=None):
    """Returns [bytes, modification time in ns, CRC-32], which say whether a file outside OUT has
    changed; [] if it does not exist. known: an earlier one, returned if size and time are those."""
    try:
        found = os.stat(path)
        if is_fingerprint(known) and known[:2] == [found.st_size, found.st_mtime_ns]:
            return list(known)
        crc = None if found.st_size > LARGEST_CHECKED else _checksum(path)
        return [found.st_size, found.st_mtime_ns, crc]
    except OSError:
        return []


def _checksum(path):
    with open(path, "rb") as file:
        return zlib.crc32(file.read())


def same_content(one, other):
    """Says whether two fingerprints are of one content; so they are if one of them is unknown."""
    if is_fingerprint(one) and is_fingerprint(other) and one[:2] != other[:2]:
        return one[0] == other[0] and one[2] is not None and one[2] == other[2]
    return True


def is_fingerprint(value):
    return isinstance(value, list) and len(value) == 3


def script_fingerprint(path):
    """Returns 'SIZE:CRC32' of a stage script, '' if it cannot be read."""
    try:
        return "{}:{:08x}".format(os.path.getsize(path), _checksum(path))
    except OSError:
        return ""
