"""terminal: what the launchers print, whatever became of the terminal."""
import sys


def counted(number, word):
    """'1 task', '3 tasks'"""
    return f"{number} {word}" + ("" if number == 1 else "s")


class Output:
    """Standard output that may be closed or full: then the work goes on, and stderr says so once.

    A closed pipe (`| head`) stays an error: nobody reads any more.
    """

    def __init__(self, stream):
        self.stream, self.broken = stream, stream is None
        self.encoding = getattr(stream, "encoding", None) or "utf-8"

    def write(self, text):
        return self.attempt(lambda: self.stream.write(text.encode(self.encoding, "backslashreplace").decode(self.encoding)))

    def flush(self):
        return self.attempt(self.stream.flush) if self.stream else None

    def isatty(self):
        return not self.broken and self.stream.isatty()

    def attempt(self, action):
        if self.broken:
            return None
        try:
            return action()
        except BrokenPipeError:
            raise
        except (OSError, ValueError) as error:
            self.broken = True
            if sys.stderr is not None:
                sys.stderr.write(f"standard output cannot be written ({error}); the work goes on without it\n")
            return None
