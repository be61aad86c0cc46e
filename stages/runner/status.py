"""status: reads and writes stage_status.json, and says where this process runs.

docs/files.md explains every key of a status.
"""
import errno
import os
import sys
import time
import zlib

from runner import plain_json

STATUS, LOG = "stage_status.json", "log.txt"


class Failure(Exception):
    """Why a task is not done: reason_kind, a sentence, the exit code."""

    def __init__(self, kind, reason, exit_code=1):
        super().__init__(reason)
        self.kind, self.reason, self.exit_code = kind, reason, exit_code


def read_status(directory):
    """The status in a directory; {} if there is none that can be read."""
    path = os.path.join(directory, STATUS)
    try:
        if not os.path.isfile(path):    # a pipe of that name would keep its reader waiting for ever
            return {}
        with open(path, encoding="utf-8") as file:
            status = plain_json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    return status if is_status(status) else {}


def is_status(status):
    """Whether a JSON value is what write_status writes, as far as runners rely on it."""
    if not isinstance(status, dict) or not isinstance(status.get("words", []), list):
        return False
    return all(isinstance(status.get(key, {}), dict) for key in ("made_from", "files")) and (
        status.get("kept") is None or is_status(status["kept"]))


def write_whole(path, text):
    """A reader sees the old file or the new one; a link of that name is replaced, not followed."""
    temporary = "{}.{}.{}".format(path, os.uname().nodename, os.getpid())
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o666)
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        raise


def utc(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def slurm_job():
    """'409_3', '409', or '' where Slurm does not run this task: an allocation around a local run means nothing."""
    if os.environ.get("TASK_EXECUTOR") == "local":
        return ""
    array, index = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return "{}_{}".format(array, index) if array else os.environ.get("SLURM_JOB_ID", "")


def executor():
    return os.environ.get("TASK_EXECUTOR") or ("slurm" if slurm_job() else "hand")


def fingerprint(path):
    """'SIZE:CRC32' of a file's content; '' if it cannot be read."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError:
        return ""
    return "{}:{:08x}".format(len(content), zlib.crc32(content) & 0xffffffff)


def host():
    return os.environ.get("SLURMD_NODENAME") if slurm_job() and os.environ.get("SLURMD_NODENAME") else os.uname().nodename


def write_status(task, record):
    """One key a line. A status that cannot be written is said where Slurm or the launcher keep it."""
    lines = ["{}: {}".format(plain_json.dumps(key), plain_json.dumps(value)) for key, value in record.items()]
    try:
        write_whole(task.path(STATUS), "{" + ",\n ".join(lines) + "}\n")
    except OSError as error:
        sys.stderr.write("run_stage: error: {} cannot be written ({}); {} {}\n".format(
            task.path(STATUS), error.strerror, record["state"], record["reason"]))
        if record["state"] in ("running", "done"):
            raise Failure("disk", "its status cannot be written: {}".format(error.strerror))


def open_without_following(path):
    """A log to append to. A link that somebody has put in its place is replaced: nothing outside is written."""
    try:
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise Failure("disk", "{} cannot be written ({})".format(LOG, error.strerror))
    remove(path)
    return open_without_following(path)


def remove(path):
    try:
        os.unlink(path)
    except OSError:
        pass    # it was never there, or its directory is gone or cannot be written
