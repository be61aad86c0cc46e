"""keeper: ends all that the tests have started when the test process has ended, also by kill -9.

    python3 -m unittest  ->  keeper, a process of its own session, polls whether its parent lives
                         ->  all else has TESTS_OF=DIRECTORY in its environment: daemons, jobs, runs

A process that left its parents, such as a task of a Slurm job or of a killed launcher, still has
the environment that it was started with. DIRECTORY holds all temporary files of the tests.
"""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

MARK = "TESTS_OF"       # names the temporary directory of a test process
PATIENCE = 30           # seconds; a process that outlives them hangs in the kernel


def start():
    """Marks this process and all that it will start, unless another test process has done so."""
    if MARK in os.environ:
        return
    directory = tempfile.mkdtemp(prefix="tests.")
    os.chmod(directory, 0o755)      # some tests become another user
    # The keeper itself has no mark, and ^C at the terminal does not reach it.
    subprocess.Popen([sys.executable, "-S", os.path.abspath(__file__), str(os.getpid()), directory],
                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                     stderr=subprocess.DEVNULL, start_new_session=True)
    os.environ[MARK] = os.environ["TMPDIR"] = tempfile.tempdir = directory


def read_proc(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:
        return b""      # it has ended, or is another user's


def processes():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def marked(mark):
    """Numbers of the processes with a mark (bytes) in their environment. A slurmstepd has its
    cluster's configuration there, or overwrites it: then it is known by the job it has started."""
    found = {pid for pid in processes() if mark in read_proc(pid, "environ")}
    return found | set(filter(is_step, map(parent_of, found)))


def is_step(pid):
    return read_proc(pid, "comm") == b"slurmstepd\n"


def parent_of(pid):
    fields = read_proc(pid, "stat").rpartition(b")")[2].split()
    return int(fields[1]) if len(fields) > 1 else 0


def end(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass            # it has just ended


def main(parent, directory):
    while os.getppid() == parent:
        time.sleep(0.2)
    deadline = time.time() + PATIENCE
    left = marked(directory.encode())
    # Again and again: a daemon may start a process while the others are ended.
    while left and time.time() < deadline:
        for pid in left:
            end(pid)
        time.sleep(0.05)
        left = marked(directory.encode())
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
