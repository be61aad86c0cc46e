"""side_by_side: the same function on many jobs, in several processes if there is much to read."""
import gc
import os
import signal

FEW_BYTES = 30 * 1000000    # reading less is not worth a second process
MOST_PROCESSES = 8


def side_by_side(function, jobs, sizes):
    """Returns [function(job) for job in jobs], in order. sizes: how many bytes each reads."""
    processes = min(cores(), MOST_PROCESSES, len(jobs))
    if processes > 1 and sum(sizes) > FEW_BYTES:
        # The largest first: the processes end at nearly the same time
        order = sorted(range(len(jobs)), key=lambda at: -sizes[at])
        found = _in_processes(processes, [(function, jobs[at]) for at in order])
        if found is not None:
            return [result for _, result in sorted(zip(order, found), key=lambda pair: pair[0])]
    return list(map(function, jobs))


def _in_processes(processes, pairs):
    """Returns [function(job)] of (function, job) pairs; None if this machine cannot do it."""
    from concurrent.futures import ProcessPoolExecutor      # slow to import, and rarely needed
    from concurrent.futures.process import BrokenProcessPool
    try:
        with ProcessPoolExecutor(processes) as pool:
            return list(pool.map(_work, pairs))
    except (BrokenProcessPool, OSError, ImportError, NotImplementedError):
        return None         # a worker was out of memory, or there are no semaphores


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
    """Returns the bytes of a file, 0 if there is none."""
    try:
        return os.path.getsize(path)
    except OSError:
        return 0
