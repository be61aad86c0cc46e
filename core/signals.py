"""signals: a signal sets a flag and ends a wait; no step is cut in the middle."""
import os
import select
import signal


class Signals:
    """Time limit, scancel, preemption, requeue, ^C, a closed terminal: these signals set `number`
    and end a wait(). One that is ignored, as under nohup, stays ignored. Leaving `with` gives them
    back."""
    PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

    def __init__(self, number=0):
        self.number = number
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.writer, False)
        signal.set_wakeup_fd(self.writer)
        self.before = {signal.SIGCHLD: signal.signal(signal.SIGCHLD, lambda *_: None)}
        for each in self.PASSED_ON:
            if signal.getsignal(each) != signal.SIG_IGN:
                self.before[each] = signal.signal(each, self.note)

    def note(self, number, frame):
        self.number = number

    def wait(self, seconds):
        """Returns after this time, a signal, or the end of a child."""
        if select.select([self.reader], [], [], seconds)[0]:
            os.read(self.reader, 1000)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for number, handler in self.before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(-1)
        os.close(self.reader)
        os.close(self.writer)
