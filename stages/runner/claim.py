"""claim: a task has one runner, whoever starts it.

    a file .claim.N in the task's directory: created exclusively, touched while its owner lives
"""
import json
import os
import time

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
    restarts = os.environ.get("SLURM_RESTART_COUNT") if slurm_job() else ""
    return {"host": host(), "kernel": kernel(), "pid": os.getpid(),
            "process_started": process_started(os.getpid()), "slurm_job": slurm_job(),
            "restarts": int(restarts or 0)}


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
        claims = self.claims()
        live = [claim for path, claim in claims if not self.is_dead(path, claim)]
        if live:
            return live[-1]
        number = max([int(path.rpartition(".")[2]) for path, _ in claims] or [0]) + 1
        if not self.create_alone(self.call.path(CLAIM + str(number))):
            return {}
        for dead, _ in claims:
            remove(dead)
        return None

    def create_alone(self, path):
        """Creates the claim; withdraws it and returns False if there is another live one."""
        if not write_new(path, json.dumps(self.me)):
            return False
        self.path = path
        if self.has_rivals():
            self.release()
            time.sleep(os.urandom(1)[0] / 1000)
            return False
        return True

    def has_rivals(self):
        return any(path != self.path and not self.is_dead(path, claim)
                   for path, claim in self.claims())

    def claims(self):
        """Returns [(path, content)] of the claims on this task; one that is being written is {}."""
        paths = [self.call.path(name) for name in os.listdir(self.call.directory)
                 if name.startswith(CLAIM) and name[len(CLAIM):].isdigit()]
        return [(path, read_claim(path)) for path in paths]

    def is_dead(self, path, claim):
        if claim.get("slurm_job") and claim["slurm_job"] == self.me["slurm_job"]:
            if claim.get("restarts", 0) < self.me["restarts"]:
                return True     # the same element, requeued: Slurm has ended its first run
        if self.me["kernel"] and claim.get("kernel") == self.me["kernel"]:
            return process_started(claim.get("pid")) != claim.get("process_started")
        return self.age(path) > DEAD_AFTER

    def age(self, path):
        """Returns the seconds since a claim was touched, by the clock of the file server."""
        try:
            os.utime(self.call.directory)
            return os.stat(self.call.directory).st_mtime - os.lstat(path).st_mtime
        except OSError:
            return 0.0

    def touch(self):
        """Shows that the owner lives."""
        if self.is_ours():
            try:
                os.utime(self.path)
            except OSError:
                pass    # a full or absent disk is the stage's problem

    def is_ours(self):
        """Says whether we have the task. A stage that empties its directory removes our claim;
        we create it again unless another runner has taken the task."""
        if os.path.exists(self.path):
            return True
        try:
            return not self.has_rivals() and self.create_alone(self.path)
        except OSError:     # the directory is gone
            return False

    def release(self):
        remove(self.path)


def write_new(path, text):
    """Creates a file, all of it or nothing; returns False if it exists."""
    try:
        file = open(path, "x")
    except FileExistsError:
        return False
    try:
        with file:
            file.write(text)
    except OSError:     # a full disk
        remove(path)
        raise
    return True


def read_claim(path):
    """Returns the content of a claim; {} if it is gone, or is just being written."""
    try:
        with open(path) as file:
            return dict(json.load(file))
    except (OSError, TypeError, ValueError):
        return {}


def remove(path):
    try:
        os.unlink(path)
    except OSError:
        pass    # it was never there, or its directory is gone or cannot be written
