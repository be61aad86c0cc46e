"""signals: a signal sets a flag and ends a wait; no step is cut in the middle."""
import os
import select
import signal


class Signals:
    """Time limit, scancel, preemption, requeue, ^C, a closed terminal: these signals set `number`
    and end a wait(). One that is ignored, as under nohup, stays ignored."""
    PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

    def __init__(self, number=0):
        self.number = number
        self.reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for each in self.PASSED_ON:
            if signal.getsignal(each) != signal.SIG_IGN:
                signal.signal(each, self.note)

    def note(self, number, frame):
        self.number = number

    def wait(self, seconds):
        """Returns after this time, a signal, or the end of a child."""
        if select.select([self.reader], [], [], seconds)[0]:
            os.read(self.reader, 1000)
