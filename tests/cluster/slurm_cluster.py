"""slurm_cluster: real Slurms of four nodes on loopback, each started once in a test process.

    munged (if none runs) -> slurmctld -> four slurmd, each 2 cores, in a directory of its own

Needs root and Debian's slurm-wlm and munge; `why_not()` says what is missing. There
is no slurmdbd on purpose: many clusters have none, and nothing may depend on it.
Daemons and jobs are ended by tests/keeper.py when the test process has ended.
"""
import functools
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from tests import keeper
from tests.support import CLEAN, PATIENCE, wait_for

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "squeue", "scancel", "scontrol")
NODES = ("n1", "n2", "n3", "n4")

CONFIGURATION = """\
ClusterName=test
SlurmctldHost=localhost
SlurmctldPort={controller}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={munge}
CryptoType=crypto/munge
StateSaveLocation={directory}/state
SlurmdSpoolDir={directory}/spool/%n
SlurmctldPidFile={directory}/slurmctld.pid
SlurmdPidFile={directory}/slurmd-%n.pid
SlurmctldLogFile={directory}/log/slurmctld.log
SlurmdLogFile={directory}/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MaxArraySize={largest_array}
SlurmdTimeout={slurmd_timeout}
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
KillWait=5
{more}
NodeName=n[1-4] NodeHostname=localhost NodeAddr=127.0.0.1 Port=[{ports}] CPUs=2 RealMemory=4000
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def why_not():
    """Why no cluster can be started here; '' where it can."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"no real Slurm here: {', '.join(missing)} not found (Debian: slurm-wlm, munge)"
    return "" if os.geteuid() == 0 else "no real Slurm here: starting one needs root"


AFTERWARDS = 3  # seconds in which the last message of an attempt comes


@functools.lru_cache(maxsize=None)
def started(**settings):
    return Cluster(**settings)


def shared(**settings):
    """The one cluster of these settings in this process, its queue empty and all nodes idle."""
    cluster = started(**settings)
    cluster.restore()
    return cluster


class WithCluster:
    """Beside a TestCase: a cluster of these settings, and the environment of its commands."""
    settings = {}

    @classmethod
    def setUpClass(cls):
        if why_not():
            raise unittest.SkipTest(why_not())
        super().setUpClass()
        cls.cluster = shared(**cls.settings)
        cls.environment = dict(CLEAN, SLURM_CONF=cls.cluster.configuration)


class Cluster:
    """A running cluster; clients find it by `environment`. It runs until the process ends."""

    def __init__(self, largest_array=1001, slurmd_timeout=300, more=""):
        self.directory = tempfile.mkdtemp(prefix="slurm.")
        munge = os.path.join(self.directory, "munge")
        self.socket = os.path.join(munge, "socket")
        for name in ("state", "log", "munge", *(f"spool/{node}" for node in NODES)):
            os.makedirs(os.path.join(self.directory, name), exist_ok=True)
        os.chmod(self.directory, 0o755)
        first = free_ports(5)
        self.configuration = os.path.join(self.directory, "slurm.conf")
        Path(self.configuration).write_text(CONFIGURATION.format(
            directory=self.directory, controller=first, ports=f"{first + 1}-{first + 4}",
            more=more, largest_array=largest_array, slurmd_timeout=slurmd_timeout,
            munge=self.socket))
        # A busy machine may answer late: a launch that is sent a second time drains its node.
        # Clients keep Slurm's 10 s.
        self.patient = os.path.join(self.directory, "daemons.conf")
        Path(self.patient).write_text(
            f"include {self.configuration}\nMessageTimeout=100\nTCPTimeout=30\n")
        self.environment = dict(os.environ, SLURM_CONF=self.configuration)
        self.processes, self.losses = {}, 0
        self.gone = {}      # job that was put back: when its attempt before had ended
        Path(munge, "key").write_bytes(os.urandom(128))
        os.chmod(os.path.join(munge, "key"), 0o400)
        self.commands = {
            "munged": ["munged", "--foreground", "--force", f"--key-file={munge}/key",
                       f"--socket={self.socket}", f"--pid-file={munge}/pid",
                       f"--log-file={munge}/log", f"--seed-file={munge}/seed"],
            "slurmctld": ["slurmctld", "-D", "-f", self.patient],
            **{node: ["slurmd", "-D", "-f", self.patient, "-N", node] for node in NODES}}
        self.start("munged")
        wait_for(lambda: os.path.exists(self.socket), "munged's socket")
        for name in ("slurmctld", *NODES):
            self.start(name)
        self.wait_until_up("idle$")

    def start(self, name):
        """Starts a daemon in the foreground under our eyes."""
        self.processes[name] = subprocess.Popen(
            self.commands[name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=self.environment, start_new_session=True)

    def kill(self, name, number=signal.SIGTERM):
        """Ends one daemon and waits for it."""
        process = self.processes[name]
        process.send_signal(number)
        process.wait(PATIENCE)

    def kill_steps(self, node):
        """kill -9 of all jobs on a node, slurmstepd first: nobody can tell the controller."""
        jobs = (keeper.marked(f"SLURM_CONF={self.directory}/".encode())
                & keeper.marked(f"SLURMD_NODENAME={node}\0".encode()))
        for pid in sorted(jobs, key=keeper.is_step, reverse=True):
            keeper.end(pid)

    def has_step(self, job):
        """Whether an attempt of a job is left: its slurmstepd listens on a socket in the spool."""
        with open("/proc/net/unix") as file:
            paths = [line.split()[-1] for line in file]
        return any(path.startswith(f"{self.directory}/spool/{node}/{node}_{job}.")
                   for path in paths for node in NODES)

    def lose_jobs(self):
        """What a controller that is not there has written down of its jobs is gone.

        Its next one gets a number far behind: a node that is sent a number a second time takes the
        job for a copy, and Slurm drains the node and holds the job.
        """
        for path in Path(self.directory, "state").glob("job_state*"):
            path.unlink()
        self.losses += 1
        with open(self.patient, "a") as file:
            file.write(f"FirstJobId={self.losses * 100_000}\n")

    def run(self, *command, check=True):
        """Output of a Slurm client command."""
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=self.environment, universal_newlines=True, timeout=60)
        if check and done.returncode:
            raise RuntimeError(f"{command}: {done.stdout}")
        return done.stdout

    def restore(self):
        """As after the start, whatever a failed test has left."""
        for name in ("slurmctld", *NODES):
            if self.processes[name].poll() is not None:
                self.start(name)
        self.wait_until_up()
        self.empty_queue()
        self.run("scontrol", "update", f"nodename={','.join(NODES)}", "state=resume", check=False)
        self.wait_until_up("idle$")

    def wait_until_up(self, state=r"(?!unk|down).*[^*]$"):
        """Until every node is in such a state: after a restart of the controller, registered."""
        def up():
            states = self.run("sinfo", "-h", "-N", "-o", "%T", check=False).split()
            return len(states) == len(NODES) and all(re.match(state, each) for each in states)
        wait_for(up, f"four nodes {state}", self.what_is_there)

    def empty_queue(self):
        self.run("scancel", "-u", "root", check=False)
        self.wait_until_empty()

    def wait_until_empty(self):
        wait_for(lambda: not self.hasten(), "an empty queue", self.what_is_there)

    def hasten(self):
        """Returns the jobs that wait or run. What Slurm has put back starts now, not in two
        minutes.

        Not while its attempt before ends, nor at once: Slurm takes that one's last message, which
        in two minutes has long come, for the end of the new attempt if both are on one node.
        """
        jobs = [line.split(None, 1)
                for line in self.run("squeue", "-r", "-h", "-o", "%A %r").splitlines()]
        for job in {job for job, reason in jobs if reason == "BeginTime"}:
            if self.has_step(job):
                self.gone.pop(job, None)
            elif time.time() - self.gone.setdefault(job, time.time()) > AFTERWARDS:
                self.run("scontrol", "update", f"JobId={job}", "StartTime=now", check=False)
        return jobs

    def what_is_there(self):
        """What a wait in vain may come from."""
        log = Path(self.directory, "log", "slurmctld.log").read_text(errors="replace")
        return "\n".join(("", self.run("squeue", "-r", check=False),
                          self.run("sinfo", "-N", "-o", "%N %T %E", check=False), log[-4000:]))

    def stop(self):
        """Ends the daemons, for measurements that follow. Nothing may be in the queue."""
        for name in list(self.processes):
            self.kill(name)


def free_ports(count):
    """The first of `count` ports in a row that nobody listens on."""
    # Below those that the kernel gives to clients, and at random: clusters that start side by side
    # do not meet.
    start = 20000 + random.SystemRandom().randrange(1500) * 8
    for port in range(start, start + count):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return free_ports(count)
    return start
