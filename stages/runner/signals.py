"""signals: notes what ends a runner. Imports little, since a signal may come at any moment."""
import os
import select
import signal

PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Signals:
    """TERM, INT and HUP set a flag and end a wait(), as the end of a child does.

    A signal may be the time limit, scancel, preemption or a requeue. An ignored one stays ignored
    (nohup).
    """

    def __init__(self):
        # run_model.sh notes a signal that comes while it activates an environment
        self.number = int(os.environ.pop("SIGNALLED", 0))
        self.is_new = bool(self.number)
        self.reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in PASSED_ON:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self.note)

    def note(self, number, frame):
        self.number, self.is_new = number, True

    def wait(self, seconds):
        """Returns after this time, a signal, or the end of a child."""
        if select.select([self.reader], [], [], seconds)[0]:
            os.read(self.reader, 1000)
