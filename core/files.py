"""files: opens and replaces files; whatever goes wrong is a FileError of one sentence.

    with reading(path), open(path) as file: ...        a bad file raises FileError
    with whole_file(path) as file: ...                 the file is there when all of it is written
"""
import csv
import functools
import gc
import json
import os
import signal
from contextlib import contextmanager

from core.errors import FileError

LARGEST_JSON = 1 << 27      # bytes; a plan of 10,000 tasks has about 10 million
LONGEST_INTEGER = 19        # digits, as a time in ns has; longer ones are slow to convert
FEW_BYTES = 30 * 1000000    # reading less is not worth a second process
MOST_PROCESSES = 8


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


def on_disk(name):
    """Returns a name as file functions want it; under LANG=C old Pythons take bytes for ASCII."""
    return os.fsdecode(name.encode("utf-8", "surrogateescape"))


def exists(path):
    """Says whether a name exists, be it a broken link; FileError if that cannot be known."""
    try:
        os.lstat(path)
        return True
    except FileNotFoundError:
        return False
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror or error})")


def read_json(path, largest=LARGEST_JSON):
    """Returns what a JSON file of at most `largest` bytes holds; FileError if it is no JSON."""
    with reading(path), open(path, "rb") as file:
        data = file.read(largest + 1)
        if len(data) > largest:
            raise FileError(f"{path}: is too large")
        try:
            return json.loads(data.decode("utf-8-sig", "surrogateescape"), parse_int=_integer)
        except RecursionError:
            raise FileError(f"{path}: is nested too deeply")
        except ValueError as error:
            raise FileError(f"{path}: is not JSON ({error})")


def _integer(digits):
    return int(digits) if len(digits) <= LONGEST_INTEGER else float(digits)


def side_by_side(function, jobs, sizes):
    """Returns [function(job) for job in jobs]. sizes: how many bytes each reads."""
    processes = min(cores(), MOST_PROCESSES, len(jobs))
    if processes > 1 and sum(sizes) > FEW_BYTES:
        # here: each task's runner imports this file, and the pool takes half of that time
        from concurrent.futures import ProcessPoolExecutor
        from concurrent.futures.process import BrokenProcessPool
        try:
            with ProcessPoolExecutor(processes) as pool:
                return list(pool.map(functools.partial(_work, function), jobs))
        except (BrokenProcessPool, OSError, ImportError, NotImplementedError):
            pass            # a worker was out of memory, or there are no semaphores
    return list(map(function, jobs))


def _work(function, job):
    signal.signal(signal.SIGINT, signal.SIG_IGN)    # ^C is the parent's to answer
    gc.disable()            # nothing here is circular; it takes a tenth of the time
    return function(job)


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
