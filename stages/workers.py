"""workers: the same function on many jobs, in several processes where there is much to read."""
import gc
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

FEW_BYTES = 30 * 1000000    # reading less is not worth a second process
MOST_PROCESSES = 8


def side_by_side(function, jobs, paths):
    """Returns [function(job) for job in jobs], in order. paths: the files that they read, for their sizes."""
    processes = min(cores(), MOST_PROCESSES, len(jobs))
    if processes > 1 and sum(map(size_of, paths)) > FEW_BYTES:
        try:
            with ProcessPoolExecutor(processes) as pool:
                return list(pool.map(_work, [(function, job) for job in jobs]))
        except (BrokenProcessPool, OSError, ImportError, NotImplementedError):
            pass        # a worker was out of memory, or this machine has no semaphores
    return list(map(function, jobs))


def _work(pair):
    signal.signal(signal.SIGINT, signal.SIG_IGN)    # ^C is the parent's to answer
    gc.disable()            # nothing here is circular; it takes a tenth of the time
    function, job = pair
    return function(job)


def cores():
    try:
        return len(os.sched_getaffinity(0))     # what Slurm gave, not what the node has
    except AttributeError:
        return os.cpu_count() or 1


def size_of(path):
    try:
        return os.path.getsize(path)
    except OSError:
        return 0
