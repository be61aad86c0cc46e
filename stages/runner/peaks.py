"""peaks: the most memory that a stage held, from whoever knows best: wait4, the job's cgroup, nvidia-smi.

wait4 knows the largest single process. A cgroup counts all processes of a job together (and file caches), but since the
job began: its peak is the stage's only if it has grown while the stage ran.
"""
import os

try:
    import _signal as signal    # the module around it imports enum
except ImportError:
    import signal

CGROUPS, OWN_CGROUP = "/sys/fs/cgroup", "/proc/self/cgroup"
MEGABYTE = 1024.0 * 1024.0
QUERY = ("nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits")
GPU_EVERY = 2       # signs of life, of 30 s each, between two questions to the GPU


def job_peak():
    """MB that all processes of this Slurm job have held at most; None if no cgroup (version 2, Linux 5.19) says so."""
    job = os.environ.get("SLURM_JOB_ID")
    try:
        with open(OWN_CGROUP) as file:
            path = [line.strip()[len("0::"):] for line in file if line.startswith("0::")][0].split("/")
        folders = path[:path.index("job_{}".format(job)) + 1]
        with open(os.path.join(CGROUPS, *filter(None, folders + ["memory.peak"]))) as file:
            return int(file.read()) / MEGABYTE
    except (OSError, IndexError, ValueError):
        return None


class Peaks:
    """From the start of a stage to its end. gpu: MB that its GPUs held at most, other programs' included; None if unknown"""

    def __init__(self):
        self.before, self.gpu, self.question, self.ticks = job_peak(), None, None, 0

    def tick(self):
        """With each sign of life. Asks the GPU, and takes the answer next time: nobody waits for it."""
        if self.question:
            self.take_answer()
        elif self.ticks % GPU_EVERY == 0 and sees_gpu():
            self.question = ask_gpu()
        self.ticks += 1

    def take_answer(self):
        pid, reader = self.question
        try:
            if os.waitpid(pid, os.WNOHANG)[0]:
                numbers = [int(line) for line in os.read(reader, 10000).split() if line.isdigit()]
                self.gpu = max(numbers + [self.gpu or 0]) if numbers else self.gpu
                os.close(reader)
                self.question = None
        except OSError:
            self.question = None

    def end(self, usage):
        """(MB, who says so): of the stage that wait4 gave this usage of."""
        if self.question:
            self.take_answer()
        if self.question:       # it hangs
            os.kill(self.question[0], signal.SIGKILL)
            os.close(self.question[1])
        own, job = usage.ru_maxrss / 1024.0, job_peak()
        if job is not None and job > own and job > (self.before or 0):
            return round(job, 1), "cgroup"
        return round(own, 1), "wait4"


def sees_gpu():
    """On a cluster only a job that has asked for GPUs is told which are its own."""
    return bool(os.environ.get("CUDA_VISIBLE_DEVICES")) or "SLURM_JOB_ID" not in os.environ


def ask_gpu():
    """(process, pipe) of nvidia-smi; None if there is none."""
    program = next((path for path in (os.path.join(folder, QUERY[0]) for folder in os.environ.get("PATH", "").split(":"))
                    if os.access(path, os.X_OK)), None)
    if program is None:
        return None
    devices = os.environ.get("CUDA_VISIBLE_DEVICES")
    command = QUERY + (("--id=" + devices,) if devices else ())
    try:
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        pid = os.fork() or become(program, command, writer)
        os.close(writer)
        return pid, reader
    except OSError:
        return None


def become(program, command, writer):
    """The child of a fork. Never returns."""
    try:
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(writer, 1)
        os.dup2(0, 2)
        os.execv(program, command)
    finally:
        os._exit(127)
