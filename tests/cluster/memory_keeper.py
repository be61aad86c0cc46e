"""memory_keeper: kills like the kernel does in a job's cgroup, for clusters without one.

    python3 memory_keeper.py MB PID &      in a template, before its last line; PID is what becomes the runner

The largest process below PID gets signal 9 when all of them together hold more than MB of memory. It ends with PID.
"""
import os
import signal
import sys
import time


def read(pid, name):
    try:
        with open(f"/proc/{pid}/{name}") as file:
            return file.read()
    except OSError:
        return ""


def parents():
    """{process: its parent}"""
    stats = {int(name): read(name, "stat").rpartition(")")[2].split() for name in os.listdir("/proc") if name.isdigit()}
    return {pid: int(fields[1]) for pid, fields in stats.items() if len(fields) > 1}


def below(top):
    """Memory in MB of the processes that a process has started, this one aside: {process: MB}"""
    parent_of, found = parents(), [top]
    for each in found:
        found += [pid for pid, parent in parent_of.items() if parent == each and pid != os.getpid()]
    pages = {pid: read(pid, "statm").split() for pid in found[1:]}
    return {pid: int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 2 ** 20 for pid, fields in pages.items() if fields}


def main(limit, top):
    while os.path.exists(f"/proc/{top}"):
        held = below(top)
        if sum(held.values()) > limit:
            os.kill(max(held, key=held.get), signal.SIGKILL)
        time.sleep(0.1)


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
