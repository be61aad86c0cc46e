"""slurm_cluster: real Slurms of four nodes on loopback, each started once in a test process.

    munged (if none runs) -> slurmctld -> four slurmd, each 2 cores, in a directory of its own

Needs root and Debian's slurm-wlm and munge; `why_not()` says what is missing. There
is no slurmdbd on purpose: many clusters have none, and nothing may depend on it.
Daemons and jobs of a test process that was killed are ended by tests/keeper.py.
"""
import atexit
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

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
NodeName=n[1-4] NodeHostname=localhost NodeAddr=127.0.0.1 Port=[{ports}] CPUs=2 RealMemory=4000 State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def why_not():
    """Why no cluster can be started here; '' where it can."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"no real Slurm here: {', '.join(missing)} not found (Debian packages slurm-wlm and munge)"
    return "" if os.geteuid() == 0 else "no real Slurm here: starting one needs root"


AFTERWARDS = 3  # seconds in which the last message of an attempt comes
STARTED = {}    # settings: the cluster that runs with them


def shared(**settings):
    """The one cluster of these settings in this process, with nothing in its queue and all nodes idle."""
    key = tuple(sorted(settings.items()))
    if key in STARTED:
        STARTED[key].restore()
    else:
        STARTED[key] = Cluster(**settings)
    return STARTED[key]


class WithCluster:
    """Beside a TestCase: a cluster of these settings, and commands that find it and have these variables."""
    settings, variables = {}, {}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster = shared(**cls.settings)
        cls.environment = dict(CLEAN, SLURM_CONF=cls.cluster.configuration, **cls.variables)


class Cluster:
    """A running cluster; clients find it by `environment`. It runs until the process ends."""

    def __init__(self, largest_array=1001, slurmd_timeout=300, more=""):
        self.directory = tempfile.mkdtemp(prefix="slurm.")
        for name in ("state", "spool", "log", "munge", *(f"spool/{node}" for node in NODES)):
            os.makedirs(os.path.join(self.directory, name), exist_ok=True)
        os.chmod(self.directory, 0o755)
        first = free_ports(5)
        self.configuration = os.path.join(self.directory, "slurm.conf")
        with open(self.configuration, "w") as file:
            file.write(CONFIGURATION.format(
                directory=self.directory, controller=first, ports=f"{first + 1}-{first + 4}", more=more,
                largest_array=largest_array, slurmd_timeout=slurmd_timeout, munge=self.munge_socket()))
        # A busy machine may answer late: a launch that is sent a second time drains its node. Clients keep Slurm's 10 s.
        self.patient = os.path.join(self.directory, "daemons.conf")
        with open(self.patient, "w") as file:
            file.write(f"include {self.configuration}\nMessageTimeout=100\nTCPTimeout=30\n")
        self.environment = dict(os.environ, SLURM_CONF=self.configuration)
        self.processes, self.losses = {}, 0
        atexit.register(self.stop)
        self.start_munge()
        self.start("slurmctld")
        for node in NODES:
            self.start(node)
        self.wait_until_idle()

    def munge_socket(self):
        return os.path.join(self.directory, "munge", "socket")

    def start_munge(self):
        """A munged of our own: key, socket and log in our directory."""
        directory = os.path.join(self.directory, "munge")
        key = os.path.join(directory, "key")
        with open(key, "wb") as file:
            file.write(os.urandom(128))
        os.chmod(key, 0o400)
        os.chmod(directory, 0o755)
        self.processes["munged"] = subprocess.Popen(
            ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={self.munge_socket()}",
             f"--pid-file={directory}/pid", f"--log-file={directory}/log", f"--seed-file={directory}/seed"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: os.path.exists(self.munge_socket()), "munged's socket")

    def start(self, name):
        """Starts 'slurmctld' or a node's slurmd, in the foreground under our eyes."""
        command = ["slurmctld", "-D", "-f", self.patient] if name == "slurmctld" else \
            ["slurmd", "-D", "-f", self.patient, "-N", name]
        self.processes[name] = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                                env=self.environment, start_new_session=True)

    def kill(self, name, number=signal.SIGTERM):
        """Ends one daemon and waits for it."""
        process = self.processes.pop(name)
        process.send_signal(number)
        process.wait(PATIENCE)

    def owns(self, pid):
        """A process of this cluster; a slurmstepd's configuration is that of the daemons."""
        return any(word.startswith(f"SLURM_CONF={self.directory}/".encode()) for word in environ_of(pid))

    def kill_steps(self, node):
        """kill -9 of all that runs for jobs on a node, slurmstepd first: nobody is left to tell the controller."""
        jobs = [pid for pid in processes() if f"SLURMD_NODENAME={node}".encode() in environ_of(pid) and self.owns(pid)]
        for pid in sorted({parent_of(pid) for pid in jobs} - set(jobs)) + jobs:
            if pid > 1 and (pid in jobs or b"slurmstepd" in read_proc(pid, "cmdline")):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass  # it ended with its parent

    def has_step(self, job):
        """Whether an attempt of a job is still there, or still ends."""
        step = f"slurmstepd: [{job}.".encode()
        return any(step in read_proc(pid, "cmdline") and self.owns(pid) for pid in processes())

    def lose_jobs(self):
        """What a controller that is not there has written down of its jobs is gone.

        Its next one gets a number far behind: a node that is sent a number a second time takes the job for a
        copy, and Slurm drains the node and holds the job.
        """
        for name in os.listdir(os.path.join(self.directory, "state")):
            if name.startswith("job_state"):
                os.unlink(os.path.join(self.directory, "state", name))
        self.losses += 1
        with open(self.patient, "a") as file:
            file.write(f"FirstJobId={self.losses * 100_000}\n")

    def run(self, *command, check=True):
        """Output of a Slurm client command."""
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.environment,
                              universal_newlines=True, timeout=60)
        if check and done.returncode:
            raise RuntimeError(f"{command}: {done.stdout}")
        return done.stdout

    def restore(self):
        """As after the start, whatever a failed test has left."""
        for name in ("slurmctld", *NODES):
            if name not in self.processes or self.processes[name].poll() is not None:
                self.start(name)
        self.wait_until_up()
        self.run("scancel", "-u", "root", check=False)
        self.wait_until_empty()
        self.run("scontrol", "update", f"nodename={','.join(NODES)}", "state=resume", check=False)
        self.wait_until_idle()

    def wait_until_idle(self):
        def idle():
            states = self.run("sinfo", "-h", "-N", "-o", "%T", check=False).split()
            return len(states) == len(NODES) and all(state == "idle" for state in states)
        wait_for(idle, "four idle nodes", self.what_is_there)

    def wait_until_up(self):
        """After a restart of the controller: every node has registered again."""
        def up():
            states = self.run("sinfo", "-h", "-N", "-o", "%T", check=False).split()
            return len(states) == len(NODES) and not any(state.endswith("*") or state.startswith(("unk", "down")) for state in states)
        wait_for(up, "four nodes that are up", self.what_is_there)

    def wait_until_empty(self):
        """Until no job waits or runs. What Slurm has put back starts now, not in two minutes.

        Not while its attempt before ends, nor at once: Slurm takes that one's last message, which in two minutes has
        long come, for the end of the new attempt if both are on one node.
        """
        gone = {}       # job: when its attempt before was first not there

        def empty():
            jobs = [line.split(None, 1) for line in self.run("squeue", "-r", "-h", "-o", "%A %r").splitlines()]
            for job in {job for job, reason in jobs if reason == "BeginTime"}:
                if self.has_step(job):
                    gone.pop(job, None)
                elif time.time() - gone.setdefault(job, time.time()) > AFTERWARDS:
                    self.run("scontrol", "update", f"JobId={job}", "StartTime=now", check=False)
            return not jobs
        wait_for(empty, "an empty queue", self.what_is_there)

    def what_is_there(self):
        """What a wait in vain may come from."""
        with open(os.path.join(self.directory, "log", "slurmctld.log"), errors="replace") as file:
            log = "".join(file.readlines()[-40:])
        return "\n".join(("", self.run("squeue", "-r", check=False), self.run("sinfo", "-N", "-o", "%N %T %E", check=False), log))

    def stop(self):
        """Cancels every job, ends the daemons, removes the directory."""
        atexit.unregister(self.stop)
        if "slurmctld" in self.processes:
            subprocess.run(["scancel", "-u", "root"], env=self.environment, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, timeout=30)
            time.sleep(0.5)
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


def processes():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def read_proc(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:
        return b""


def environ_of(pid):
    return read_proc(pid, "environ").split(b"\0")


def parent_of(pid):
    fields = read_proc(pid, "stat").rpartition(b")")[2].split()
    return int(fields[1]) if len(fields) > 1 else 0


def free_ports(count):
    """The first of `count` ports in a row that nobody listens on."""
    # Below those that the kernel gives to clients, and at random: clusters that start side by side do not meet.
    start = 20000 + random.SystemRandom().randrange(1500) * 8
    while not all(port_is_free(start + offset) for offset in range(count)):
        start += count
    return start


def port_is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False
