"""text: names and tables as a terminal shows them, and standard output that may be closed."""
import os
import sys

from core.files import size_of

END = 20000             # bytes of a file that tail reads
LONGEST_LINE = 300      # characters of its lines


def aligned(lines):
    """Returns rows as lines with columns; None is a dash, a float has 4 decimals."""
    lines = [list(map(_shown, line)) for line in lines]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("  ".join(text.rjust(width) if at else text.ljust(width)
                               for at, (text, width) in enumerate(zip(line, widths))).rstrip()
                     for line in lines)


def _shown(cell):
    text = f"{cell:.4f}" if isinstance(cell, float) else str(cell)
    return "-" if cell is None else printable(text)


def plural(number, noun):
    """Returns '1 task' or '3 tasks'."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def as_text(name):
    """Returns the name of a file as the text that its bytes are in UTF-8."""
    try:
        return os.fsencode(name).decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:      # it was text already
        return name


def tail(path, lines):
    """Returns the last lines of a file that are not empty, as text that can be printed."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, size_of(path) - END))
            rows = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    rows = [printable(" ".join(row.split())) for row in rows if row.strip()]
    return [row if len(row) <= LONGEST_LINE else row[:LONGEST_LINE - 4] + " ..."
            for row in rows[-lines:]]


def printable(text):
    """Returns text without characters that move the cursor or cannot be written."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


class Output:
    """Standard output that may be closed or full: then the work goes on, and stderr says so once. A
    closed pipe (`| head`) stays an error: nobody reads any more."""

    def __init__(self, stream):
        self.stream, self.broken = stream, stream is None

    def write(self, text):
        encoding = getattr(self.stream, "encoding", None) or "utf-8"
        self._attempt("write", text.encode(encoding, "backslashreplace").decode(encoding))

    def flush(self):
        self._attempt("flush")

    def _attempt(self, method, *arguments):
        try:
            if not self.broken:
                getattr(self.stream, method)(*arguments)
        except BrokenPipeError:
            raise
        except (OSError, ValueError) as error:
            self.broken = True
            if sys.stderr is not None:
                sys.stderr.write(f"standard output cannot be written ({error}); the work goes on "
                                 "without it\n")
