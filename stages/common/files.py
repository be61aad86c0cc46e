"""files: opens and replaces files; whatever goes wrong is a FileError of one sentence.

    with reading(path), open(path) as file: ...        what a bad file makes Python raise -> FileError
    with whole_file(path) as file: ...                 the file is there when all of it is written
"""
import csv
import os
from contextlib import contextmanager


class FileError(Exception):
    """One sentence: the file and what is wrong with it."""


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


@contextmanager
def whole_file(path):
    """Yields a text file to write; `path` appears, or is replaced, when all of it is written."""
    # The random part keeps two nodes that write the same file apart; mkstemp's
    # files could be read by nobody but their owner.
    temporary = f"{path}.{os.urandom(4).hex()}.tmp"
    try:
        # surrogateescape: how Python keeps bytes of a path that are no UTF-8 (or of any
        # non-ASCII path, in 3.6 with LANG=C); they are written as they were
        with open(temporary, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            yield file
        os.replace(temporary, path)
    except OSError as error:
        raise FileError(f"{path}: cannot be written ({error.strerror or error})")
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def write_whole(path, text):
    """Writes `text` to `path` as UTF-8, all of it or nothing."""
    with whole_file(path) as file:
        file.write(text)
