"""keeper: ends all that the tests have started, when the test process has ended by any cause, also kill -9.

    python3 -m unittest  ->  keeper (a process of its own session) looks whether its parent lives
                         ->  everything else carries TESTS_OF in its environment: daemons, jobs, campaigns

A process that has left its parents, as the tasks of a Slurm job and of a killed launcher have, still
has the environment that it was started with. Temporary directories of a killed run stay.
"""
import os
import signal
import subprocess
import sys
import time

MARK = "TESTS_OF"       # names the test process; set by tests/__init__.py
PATIENCE = 30           # seconds: what cannot be ended in this time hangs in the kernel


def start():
    """Marks this process and all that it will start. In a process that another test process has started: nothing."""
    if MARK in os.environ:
        return
    mark = f"{os.getpid()}.{time.time():.6f}"
    # The keeper itself has no mark, and no ^C of the terminal reaches it.
    subprocess.Popen([sys.executable, "-S", os.path.abspath(__file__), str(os.getpid()), mark], start_new_session=True,
                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.environ[MARK] = mark


def marked(marks):
    """Process numbers of all that have one of these words in their environment."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and not marks.isdisjoint(environment_of(name))]


def environment_of(pid):
    return read_words(pid, "environ")


def read_words(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []


def marks_of_steps(pid):
    """slurmd gives a slurmstepd a new environment, with its own configuration and without our mark."""
    words = read_words(pid, "cmdline") or [b""]
    if os.path.basename(words[0]) == b"slurmd" and b"-f" in words:
        return {b"SLURM_CONF=" + words[words.index(b"-f") + 1]}
    return set()


def main(parent, mark):
    while os.getppid() == parent:
        time.sleep(0.2)
    deadline, marks = time.time() + PATIENCE, {f"{MARK}={mark}".encode()}
    # Again and again: a daemon may start something while the others are ended.
    while time.time() < deadline:
        left = marked(marks)
        if not left:
            return
        for pid in left:
            marks |= marks_of_steps(pid)
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass    # it ended with its parent
        time.sleep(0.05)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
