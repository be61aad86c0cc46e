"""staging_out: with STAGE_OUT=DIR, a stage writes on the node's own disk, and what it wrote is moved back whole.

    DIR/outputs.HOST.UID.PID.TIME/     what the stage takes for its --output_dir; locked (flock) while its runner lives
    --output_dir/.staged.HOST.PID/     copied there first, then renamed file by file into place

Words and statuses keep the real path. Outputs come back only after exit code 0: what a stage wrote that failed or was
interrupted is gone, and so is a checkpoint that it would have gone on from. What cannot be staged is written where it belongs.
"""
import fcntl
import os
import time

from runner.staging import Stopped, copy_file, note, wait_for_lock
from runner.status import LOG, STATUS, Failure
from runner.verdict import STAGED

STAGES = ("preprocess", "train", "infer")       # a trial is looked at by others while it runs


def folder_for(task, log, signals):
    """The NodeFolder that the stage of a task writes into; None if that is its --output_dir itself."""
    root = os.environ.get("STAGE_OUT")
    if not root or task.stage not in STAGES:
        return None
    try:
        folder = NodeFolder(os.path.abspath(root), signals)
    except Stopped:
        return None
    except OSError as error:
        note(log, "nothing can be written in {} ({}): outputs are written where they belong".format(root, error.strerror))
        return None
    note(log, "outputs are written in {} until they are whole".format(folder.path))
    return folder


class NodeFolder:
    """A directory on the node's disk for one attempt. Raises OSError, Stopped."""

    def __init__(self, root, signals):
        os.makedirs(root, exist_ok=True)
        lock = os.open(os.path.join(root, ".outputs.{}.lock".format(os.getuid())), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            wait_for_lock(lock, signals)        # so that nobody takes a folder for a dead runner's that is not yet locked
            ours = "outputs.{}.{}.".format(os.uname().nodename, os.getuid())
            remove_left(root, ours)
            self.path = os.path.join(root, "{}{}.{}".format(ours, os.getpid(), int(time.time() * 1e6)))
            os.mkdir(self.path, 0o700)
            self.lock = locked(self.path)
        finally:
            os.close(lock)

    def args(self, args):
        return [self.path if at and args[at - 1] == "--output_dir" else word for at, word in enumerate(args)]

    def end(self, task, code, signals, is_current):
        """Moves what a stage has written that ended well; raises Failure. Nothing is left on the node.
        is_current: whether the task is still this runner's, asked before the first rename."""
        staged = task.path("{}.{}.{}".format(STAGED, os.uname().nodename, os.getpid()))
        try:
            if code == 0 and not signals.number:
                self.copy_to(staged, task, signals)
                if is_current():
                    move(staged, task)
        except Stopped:
            pass    # the attempt is interrupted, and says so
        except OSError as error:
            raise Failure("disk", "its outputs cannot be moved from {} to {} ({})".format(self.path, task.directory, error.strerror))
        finally:
            remove_tree(self.path)
            remove_tree(staged)
            os.close(self.lock)

    def copy_to(self, staged, task, signals):
        for folder, names in files_below(self.path):
            there = os.path.join(staged, folder)
            os.makedirs(there, exist_ok=True)
            for name in names:
                self.copy(os.path.join(self.path, folder, name), os.path.join(there, name), task, signals)

    def copy(self, source, target, task, signals):
        """A file with its time, and its mode if that is not the usual one; a link stays a link, and one into this folder
        leads to where the file will be."""
        if os.path.islink(source):
            leads_to = os.readlink(source)
            inside = leads_to.startswith(self.path + "/")
            os.symlink(task.directory + leads_to[len(self.path):] if inside else leads_to, target)
        else:
            copy_file(source, target, signals)
            found = os.stat(source)
            if found.st_mode & 0o7777 != usual_mode():      # else what the folder of OUT gives its files
                os.chmod(target, found.st_mode & 0o7777)
            os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))     # a model may look for its newest checkpoint


def move(staged, task):
    """Renames what was copied into its place. The runner's own files are not for a stage to write."""
    for folder, names in files_below(staged):
        there = task.path(folder)
        os.makedirs(there, exist_ok=True)
        for name in names:
            if folder != "." or name not in (LOG, STATUS):
                os.replace(os.path.join(staged, folder, name), os.path.join(there, name))


def usual_mode():
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def files_below(top):
    """(folder relative to top, names of its files and links) of each folder."""
    for folder, folders, names in os.walk(top):
        yield os.path.relpath(folder, top), names + [name for name in folders if os.path.islink(os.path.join(folder, name))]


def locked(path):
    """The open directory, locked until it is closed or this process ends; raises OSError if another has it."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle


def remove_left(root, ours):
    """What runners that were killed have left on this node. ours: how the names of this node's and user's folders begin"""
    for name in os.listdir(root):
        if name.startswith(ours):
            try:
                handle = locked(os.path.join(root, name))
            except OSError:
                continue    # its runner lives, or it is no folder of ours
            remove_tree(os.path.join(root, name))
            os.close(handle)


def remove_staged(task):
    """What a runner that was killed in the middle of a move has left beside the outputs."""
    for name in os.listdir(task.directory):
        if name.startswith(STAGED + "."):
            remove_tree(task.path(name))


def remove_tree(path):
    import shutil   # here, since it takes long to import
    shutil.rmtree(path, ignore_errors=True)
