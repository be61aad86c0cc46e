"""claim: a task has one runner, whoever starts it.

    a file .claim.N in the task's directory: created exclusively, touched while its owner lives
"""
import os
import time

from runner import plain_json
from runner.status import host, remove, slurm_job

CLAIM, CLOCK = ".claim.", ".clock."
TOUCH_EVERY = 30        # seconds between two signs of life of a claim
DEAD_AFTER = 300        # seconds without one after which a claim on another host is dead


IDENTITY = {}     # of this process, found out for its first task


def identity():
    """Who this process is, also after its number has been given to another one."""
    if IDENTITY.get("pid") != os.getpid():
        IDENTITY.update(find_identity())
    return dict(IDENTITY)


def find_identity():
    return {"host": host(), "boot": first_line("/proc/sys/kernel/random/boot_id"), "space": pid_space(),
            "pid": os.getpid(), "process_started": process_started(os.getpid()), "slurm_job": slurm_job(),
            "restarts": int(os.environ.get("SLURM_RESTART_COUNT") or 0) if slurm_job() else 0}


def first_line(path):
    try:
        with open(path) as file:
            return file.readline().strip()
    except OSError:
        return ""


def pid_space():
    """Process numbers of another container on the same host are other processes."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def process_started(pid):
    """[clock ticks from boot to the start of a process]; [] if there is none, or it has ended and nobody has asked how."""
    fields = first_line("/proc/{}/stat".format(pid)).rpartition(")")[2].split()
    return [] if fields[:1] in (["Z"], ["X"]) else fields[19:20]


class Claim:
    """The right to run one task: a file .claim.N that only one process can create.

    Creating a file exclusively is atomic on NFS and Lustre, too. A dead claim N is taken over by
    creating N + 1, so of many that see a dead one exactly one gets it. Whoever has created its file
    looks once more: if another live claim is there, it withdraws and tries again later.
    """

    def __init__(self, task):
        self.task, self.me, self.path = task, dict(identity(), launch=task.launch), ""

    def take(self):
        """None if this process has the task now, else the claim of the one that has it."""
        claims = self.claims()
        live = [claim for path, claim in claims if not self.is_dead(path, claim)]
        if live:
            return live[-1]
        number = max([int(path.rpartition(".")[2]) for path, _ in claims] or [0]) + 1
        path = self.task.path(CLAIM + str(number))
        if not self.create(path):
            return {}
        self.path = path
        others = [other for other, claim in self.claims() if other != path and not self.is_dead(other, claim)]
        if others:
            self.release()
            time.sleep(os.urandom(1)[0] / 1000)
            return {}
        for dead, _ in claims:
            remove(dead)
        return None

    def create(self, path):
        """Whether the claim is ours. It appears with its content, since a process may be killed at any moment, and
        nobody could tell whose an empty one is; without hard links it is created first and written then."""
        text, whole = plain_json.dumps(self.me), self.task.path("{}{}.{}.claim".format(CLOCK, self.me["host"], os.getpid()))
        try:
            write_new(whole, text, os.O_TRUNC)
            try:
                os.link(whole, path)
            except FileExistsError:
                return False
            except OSError:
                return write_new(path, text, os.O_EXCL)
            return True
        finally:
            remove(whole)

    def claims(self):
        """[(path, content)] of the claims on this task; the content of one that is being written is {}."""
        found = []
        for name in os.listdir(self.task.directory):
            if name.startswith(CLAIM) and name[len(CLAIM):].isdigit():
                found.append((self.task.path(name), read_claim(self.task.path(name))))
        return found

    def is_dead(self, path, claim):
        if claim.get("slurm_job") and claim["slurm_job"] == self.me["slurm_job"]:
            if claim.get("restarts", 0) < self.me["restarts"]:
                return True     # the same element, requeued: Slurm has ended its first run
        # One kernel and one space of process numbers, whatever Slurm calls the node: then the process can be looked up.
        if claim.get("boot") and all(claim.get(key) == self.me[key] for key in ("boot", "space")):
            return process_started(claim.get("pid")) != claim.get("process_started")
        return self.age(path) > DEAD_AFTER

    def age(self, path):
        """Seconds since a claim was touched, by the clock of the file server: hosts' clocks differ."""
        probe = self.task.path(CLOCK + "{}.{}".format(self.me["host"], os.getpid()))
        try:
            os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o666))
            os.utime(probe)
            return os.stat(probe).st_mtime - os.lstat(path).st_mtime
        except OSError:
            return 0.0
        finally:
            remove(probe)

    def touch(self, *_):
        try:
            os.utime(self.path)
        except OSError:
            pass    # a full or absent disk is the stage's problem; the next touch may go through

    def is_ours(self):
        return os.path.exists(self.path)

    def release(self):
        remove(self.path)


def write_new(path, text, flag):
    """Writes a file; False if flag is O_EXCL and it exists. What cannot be written (a full disk) is not left half written."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | flag, 0o666)
    except FileExistsError:
        return False
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
    except OSError:
        remove(path)
        raise
    return True


def read_claim(path):
    try:
        with open(path) as file:
            claim = plain_json.load(file)
    except (OSError, ValueError):
        return {}
    return claim if isinstance(claim, dict) else {}
