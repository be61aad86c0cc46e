"""claim: a task has one runner, whoever starts it.

    a file .claim.N in the task's directory: created exclusively, touched while its owner lives
"""
import json
import os
import time
from contextlib import suppress

from core.tree import CLAIM, DEAD_AFTER, process_started

PROCESSES = (("pid", "process_started"), ("stage", "stage_started"))    # that keep a claim alive
TOUCH_EVERY = 5         # seconds between two signs of life of a claim


def identity():
    """Returns who this process is, also after its number has been given to another one.

    kernel      the boot of this host and the space of process numbers, as in another container on
                the same host they are those of other processes; '' if unknown
    slurm_job   '409_3' or '409'; '' if not Slurm runs this task (a local run in an allocation)
    """
    found = os.environ if os.environ.get("TASK_EXECUTOR") != "local" else {}
    array, index = found.get("SLURM_ARRAY_JOB_ID"), found.get("SLURM_ARRAY_TASK_ID")
    job = f"{array}_{index}" if array else found.get("SLURM_JOB_ID", "")
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            kernel = f"{file.read().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        kernel = ""
    return {"host": job and found.get("SLURMD_NODENAME") or os.uname().nodename, "kernel": kernel,
            "pid": os.getpid(), "process_started": process_started(os.getpid()), "slurm_job": job,
            "restarts": int(os.environ.get("SLURM_RESTART_COUNT") or 0)}


class Claim:
    """The right to run the task of a directory: a file .claim.N that only one process can create.

    Creating a file exclusively is atomic on NFS and Lustre, too. A dead claim N is taken over by
    creating N + 1, so of many that see a dead one exactly one gets it. Whoever has created its file
    looks once more: if another live claim is there, it withdraws and tries again later.
    """

    def __init__(self, directory):
        self.directory, self.me, self.path = directory, identity(), ""

    def take(self):
        """Returns whether this process has the task now."""
        self.path = ""      # of one that we have withdrawn: it may be another's by now
        others = self.others()
        number = max((int(path.rpartition(".")[2]) for path in others), default=0) + 1
        path = os.path.join(self.directory, f"{CLAIM}{number}")
        if not (all(others.values()) and self.create(path)):
            return False
        for dead in others:
            remove(dead)
        return True

    def create(self, path):
        """Creates the claim; withdraws it and returns False if there is another live one."""
        try:
            file = open(path, "x")
        except FileExistsError:
            return False
        self.path = path        # it is removed at the end also if the disk is full
        with file:
            json.dump(self.me, file)
        if all(self.others().values()):
            return True
        remove(path)
        time.sleep(os.urandom(1)[0] / 1000)
        return False

    def note_stage(self, pid):
        """Writes down the stage's process, which may outlive its runner: the claim lives as long
        as one of them."""
        self.me.update(stage=pid, stage_started=process_started(pid))
        with suppress(OSError), open(self.path, "w") as file:
            json.dump(self.me, file)

    def others(self):
        """Returns {path: is it dead?} of the other claims on this task."""
        paths = [os.path.join(self.directory, name) for name in os.listdir(self.directory)
                 if name.startswith(CLAIM) and name[len(CLAIM):].isdigit()]
        return {path: self.is_dead(path) for path in paths if path != self.path}

    def is_dead(self, path):
        try:
            with open(path) as file:
                claim = dict(json.load(file))
        except (OSError, TypeError, ValueError):
            claim = {}      # it is gone, or is just being written
        is_same_job = self.me["slurm_job"] and claim.get("slurm_job") == self.me["slurm_job"]
        if is_same_job and claim.get("restarts", 0) < self.me["restarts"]:
            return True     # the same element, requeued: Slurm has ended its first run
        if self.me["kernel"] and claim.get("kernel") == self.me["kernel"]:
            return not any(claim.get(start) and process_started(claim.get(pid)) == claim[start]
                           for pid, start in PROCESSES)
        try:    # by the clock of the file server
            os.utime(self.directory)
            return os.stat(self.directory).st_mtime - os.lstat(path).st_mtime > DEAD_AFTER
        except OSError:
            return False

    def touch(self):
        """Shows that the owner lives; returns whether we have the task. A stage that empties its
        directory removes our claim; it comes back unless another runner has taken the task."""
        try:
            if not (os.path.exists(self.path) or self.create(self.path)):
                return False
        except OSError:     # the directory is gone
            return False
        with suppress(OSError):     # a full or absent disk is the stage's problem
            os.utime(self.path)
        return True


def remove(path):
    with suppress(OSError):     # it was never there, or its directory is gone or cannot be written
        os.unlink(path)
