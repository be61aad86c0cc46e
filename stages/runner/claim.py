"""claim: a task has one runner, whoever starts it.

    a file .claim.N in the task's directory: created exclusively, touched while its owner lives
"""
import json
import os
import time
from contextlib import suppress

from core.tree import process_started

CLAIM = ".claim."
TOUCH_EVERY = 5         # seconds between two signs of life of a claim
DEAD_AFTER = 300        # seconds without one after which a claim on another host is dead


# ---- where this process runs

def slurm_job():
    """Returns '409_3' or '409'; '' if not Slurm runs this task (a local run in an allocation)."""
    if os.environ.get("TASK_EXECUTOR") == "local":
        return ""
    array, index = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{index}" if array else os.environ.get("SLURM_JOB_ID", "")


def host():
    node = os.environ.get("SLURMD_NODENAME") if slurm_job() else ""
    return node or os.uname().nodename


def identity():
    """Returns who this process is, also after its number has been given to another one."""
    return {"host": host(), "kernel": kernel(), "pid": os.getpid(),
            "process_started": process_started(os.getpid()), "slurm_job": slurm_job(),
            "restarts": int(os.environ.get("SLURM_RESTART_COUNT") or 0)}


def kernel():
    """Returns the boot of this host and the space of process numbers: in another container on the
    same host they are those of other processes. '' if unknown."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return f"{file.read().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


# ---- the claim

class Claim:
    """The right to run one task: a file .claim.N that only one process can create.

    Creating a file exclusively is atomic on NFS and Lustre, too. A dead claim N is taken over by
    creating N + 1, so of many that see a dead one exactly one gets it. Whoever has created its file
    looks once more: if another live claim is there, it withdraws and tries again later.
    """

    def __init__(self, call):
        self.call, self.me, self.path = call, identity(), ""

    def take(self):
        """Returns None if this process has the task now, else the claim of the one that has it."""
        self.path = ""      # of one that we have withdrawn: it may be another's by now
        rivals = self.rivals()
        if rivals:
            return rivals[-1]
        dead = self.paths()
        number = max((int(path.rpartition(".")[2]) for path in dead), default=0) + 1
        if not self.create(self.call.path(f"{CLAIM}{number}")):
            return {}
        for path in dead:
            remove(path)
        return None

    def create(self, path):
        """Creates the claim; withdraws it and returns False if there is another live one."""
        try:
            file = open(path, "x")
        except FileExistsError:
            return False
        self.path = path        # release() removes it also if the disk is full
        with file:
            json.dump(self.me, file)
        if self.rivals():
            self.release()
            time.sleep(os.urandom(1)[0] / 1000)
            return False
        return True

    def paths(self):
        return [self.call.path(name) for name in os.listdir(self.call.directory)
                if name.startswith(CLAIM) and name[len(CLAIM):].isdigit()]

    def rivals(self):
        """Returns what other live claims on this task hold."""
        claims = [(path, read_claim(path)) for path in self.paths() if path != self.path]
        return [claim for path, claim in claims if not self.is_dead(path, claim)]

    def is_dead(self, path, claim):
        is_same_job = self.me["slurm_job"] and claim.get("slurm_job") == self.me["slurm_job"]
        if is_same_job and claim.get("restarts", 0) < self.me["restarts"]:
            return True     # the same element, requeued: Slurm has ended its first run
        if self.me["kernel"] and claim.get("kernel") == self.me["kernel"]:
            return process_started(claim.get("pid")) != claim.get("process_started")
        try:    # by the clock of the file server
            os.utime(self.call.directory)
            age = os.stat(self.call.directory).st_mtime - os.lstat(path).st_mtime
        except OSError:
            return False
        return age > DEAD_AFTER

    def touch(self):
        """Shows that the owner lives."""
        if self.is_ours():
            with suppress(OSError):     # a full or absent disk is the stage's problem
                os.utime(self.path)

    def is_ours(self):
        """Says whether we have the task. A stage that empties its directory removes our claim;
        we create it again unless another runner has taken the task."""
        try:
            return os.path.exists(self.path) or self.create(self.path)
        except OSError:     # the directory is gone
            return False

    def release(self):
        remove(self.path)


def read_claim(path):
    """Returns the content of a claim; {} if it is gone, or is just being written."""
    try:
        with open(path) as file:
            return dict(json.load(file))
    except (OSError, TypeError, ValueError):
        return {}


def remove(path):
    with suppress(OSError):     # it was never there, or its directory is gone or cannot be written
        os.unlink(path)
