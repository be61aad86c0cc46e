"""staging: with STAGE_IN=DIR, preprocess reads the benchmark from a copy on the node's own disk.

    DIR/benchmark.CHECKSUM.UID.LAUNCH/     whole or absent: copied beside it, then renamed
    DIR/.benchmark. ... .lock              one process of the node copies, the others wait (flock: a dead one holds nothing)

Words and statuses keep the real path. What cannot be copied (no room) is read where it is.
"""
import fcntl
import os
import time
import zlib

CHUNK = 1 << 24     # bytes
PAUSE = 0.2         # seconds between two looks at the lock


class Stopped(Exception):
    """A signal came in the middle."""


def staged_args(task, log, signals):
    """The arguments of the stage, its --input_dir replaced by a copy on this node if there shall be one."""
    root, source = os.environ.get("STAGE_IN"), benchmark_of(task)
    if not root or not source or not task.launch:
        return task.args
    try:
        copy = have_copy(source, os.path.abspath(root), task.launch, signals)
    except Stopped:
        return task.args
    except OSError as error:
        note(log, "{} cannot be copied to {} ({}): it is read where it is".format(source, root, error.strerror))
        return task.args
    note(log, "{} is read from {}".format(source, copy))
    return [copy if at and task.args[at - 1] == "--input_dir" else word for at, word in enumerate(task.args)]


def benchmark_of(task):
    """The benchmark's directory, which is outside the results tree; '' if the task reads none."""
    if task.stage != "preprocess" or "--input_dir" not in task.args[:-1]:
        return ""
    path = task.args[task.args.index("--input_dir") + 1]
    return "" if path.startswith(task.out + "/") else path


def note(log, text):
    os.write(log, "=== {}\n".format(text).encode("utf-8", "surrogateescape"))


def have_copy(source, root, launch, signals):
    """The path of the copy for this launch; made if this process is the first on the node. Raises OSError, Stopped."""
    name = "benchmark.{:08x}.{}.{}".format(zlib.crc32(os.fsencode(source)) & 0xffffffff, os.getuid(), launch)
    target = os.path.join(root, name)
    os.makedirs(root, exist_ok=True)
    lock = os.open(os.path.join(root, ".{}.lock".format(name)), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        wait_for_lock(lock, signals)
        if not is_ours(target):
            remove_unfinished(root, name)
            unfinished = os.path.join(root, ".{}.{}.tmp".format(name, os.getpid()))
            try:
                copy_tree(source, unfinished, signals)
                os.rename(unfinished, target)
            finally:
                remove_unfinished(root, name)
    finally:
        os.close(lock)
    return target


def wait_for_lock(lock, signals):
    while True:
        if signals.number:
            raise Stopped()
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(PAUSE)


def is_ours(path):
    """Whether a directory is there and no other user has put it there."""
    try:
        return os.path.isdir(path) and os.lstat(path).st_uid == os.getuid()
    except OSError:
        return False


def remove_unfinished(root, name):
    """What a process that was killed while it copied has left. The lock is ours: nobody is at it."""
    import shutil   # here, since it takes long to import
    for each in os.listdir(root):
        if each.startswith(".{}.".format(name)) and each.endswith(".tmp"):
            shutil.rmtree(os.path.join(root, each), ignore_errors=True)


def copy_tree(source, target, signals):
    """Every file below a directory, links followed; each is on the disk before the next is begun."""
    for folder, _, names in os.walk(source, onerror=fail, followlinks=True):
        there = os.path.join(target, os.path.relpath(folder, source))
        os.makedirs(there, exist_ok=True)
        for name in names:
            copy_file(os.path.join(folder, name), os.path.join(there, name), signals)


def fail(error):
    raise error


def copy_file(source, target, signals):
    with open(source, "rb") as old, open(target, "wb") as new:
        for piece in iter(lambda: old.read(CHUNK), b""):
            if signals.number:
                raise Stopped()
            new.write(piece)
        new.flush()
        os.fsync(new.fileno())      # a node that goes down later has no renamed directory of empty files
