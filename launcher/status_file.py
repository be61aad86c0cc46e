"""status_file: a stage_status.json as the launcher reads it: what the runner said of a task (docs/files.md).

    path -> dict of known types, BROKEN if it is none, None if there is none
"""
import json
import os

STATUS = "stage_status.json"
LARGEST, BLOCK = 1_000_000, 1 << 16     # bytes; a status is a few kilobytes
BROKEN = {"state": "failed", "reason_kind": "broken", "reason": "its stage_status.json is broken",
          "words": [], "made_from": {}, "files": {}}
STATES = ("running", "done", "failed", "interrupted")
ALWAYS = (("state", str), ("words", list), ("made_from", dict), ("files", dict))
IF_GIVEN = (("reason", str), ("reason_kind", str), ("host", str), ("slurm_job", str), ("attempt", int), ("pid", int),
            ("stamp", str), ("launch", str), ("out", str), ("executor", str))
USUAL, USUAL_TYPES = map(list, zip(*ALWAYS, *IF_GIVEN))     # most have all keys
TEXTS = [key for key, kind in IF_GIVEN if kind is str]


def read_status(path):
    """The status in a file, with `written` (ns); one that cannot be read is a failure, None that there is no such file."""
    try:
        text, written = read_file(path)
        status = json.loads(text)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        return dict(BROKEN, reason_kind="unreadable", reason="its stage_status.json cannot be read (permission denied)")
    except (OSError, ValueError, RecursionError):
        return dict(BROKEN)
    if not is_status(status):
        return dict(BROKEN)
    status["written"] = written
    return status


def read_file(path):
    """The text of a small file and when it was written (ns), in as few calls as can be: 100,000 are read. A pipe of
    that name keeps nobody waiting."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        written = os.fstat(handle).st_mtime_ns
        text = part = os.read(handle, BLOCK)
        while len(part) == BLOCK and len(text) < LARGEST:
            part = os.read(handle, BLOCK)
            text += part
    finally:
        os.close(handle)
    return text.decode("utf-8"), written


def is_status(status):
    """Whether a JSON value is what the runner writes; its texts are shown on terminals, so they are printable."""
    if not isinstance(status, dict):
        return False
    if USUAL_TYPES == [type(status.get(key)) for key in USUAL] and "".join(map(status.get, TEXTS)).isprintable():
        return status["state"] in STATES
    for key, kind in ALWAYS:
        if type(status.get(key)) is not kind:
            return False
    for key, kind in IF_GIVEN:
        if key in status and type(status[key]) is not kind or kind is str and not status.get(key, "").isprintable():
            return False
    return status["state"] in STATES


def is_input(made_from):
    """Whether it is what a status may say of an input; a broken one may hold anything."""
    return isinstance(made_from, dict) and type(made_from.get("words")) is list and type(made_from.get("stamp")) is str


def changed_files(directory, files):
    """The names of those files that are not there in the size that the status says. files: {name: bytes}"""
    return tuple([name for name, size in files.items() if size_of(f"{directory}/{name}") != size])


def bytes_of(status):
    """The bytes of all outputs: those that a status names, and its further files (their number, their bytes)."""
    more = status.get("more_files")
    sizes = [*status["files"].values(), *(more[-1:] if type(more) is list else ())]
    return sum(filter(is_number, sizes))


def is_number(value):
    return type(value) in (int, float) and 0 <= value < float("inf")


def size_of(path):
    """The bytes of a file, None if there is none."""
    try:
        return os.stat(path).st_size
    except (OSError, ValueError):  # a broken status may name anything
        return None
