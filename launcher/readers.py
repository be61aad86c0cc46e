"""readers: the same small reading for each of many names, in several processes.

    function, names -> function(name) for each, in their order

On a network file system a reading waits, and eight wait no longer than one; on a local disk each core does its part.
What a reader does not bring, since it was killed or there was no room for it, is read here. None of them outlives us.
Not concurrent.futures: every question there takes along all that `function` knows.
"""
import marshal
import os
import signal

FEW = 500       # names; less is not worth a process
MOST = 8        # processes
HEAD = 8        # bytes in front of a reader's answer: its length


def each(function, names):
    """Yields function(name) for each name. function: returns what marshal takes, and never raises on account of a name"""
    parts = [names[at:at + FEW] for at in range(0, len(names), FEW)]
    readers = started(function, parts) if len(parts) > 1 else [None]
    try:
        for at, part in enumerate(parts):
            answers = answer_of(readers[at % len(readers)])
            yield from map(function, part) if answers is None else answers
    finally:
        for pipe, process in filter(None, readers):
            pipe.close()
            os.kill(process, signal.SIGKILL)    # if it has not ended, nobody needs the rest
            os.waitpid(process, 0)


def started(function, parts):
    """[(pipe, process)] of n readers, the k-th for every n-th part from the k-th on; None where there was no room for one."""
    number, readers = min(MOST, len(parts)), []
    for at in range(number):
        ours, theirs = os.pipe()
        pipe = os.fdopen(ours, "rb")
        try:
            process = os.fork()
        except OSError:
            pipe.close()
            readers.append(None)
        else:
            if not process:
                for other, _ in [(pipe, process), *filter(None, readers)]:
                    other.close()       # a pipe that nobody reads any more ends its reader
                answer(function, parts[at::number], theirs)
            readers.append((pipe, process))
        os.close(theirs)
    return readers


def answer(function, parts, pipe):
    """The whole life of a reader. Never returns: what it cannot answer, the launcher asks itself."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)    # ^C is the launcher's to answer
        for part in parts:
            value = marshal.dumps(list(map(function, part)))
            value = len(value).to_bytes(HEAD, "big") + value
            while value:
                value = value[os.write(pipe, value):]
    finally:
        os._exit(0)


def answer_of(reader):
    """The next answers of a reader; None if no more come."""
    if reader is None:
        return None
    length = reader[0].read(HEAD)
    value = reader[0].read(int.from_bytes(length, "big"))
    try:
        return marshal.loads(value)
    except (EOFError, ValueError, TypeError):
        return None
