"""whole_file: files that others read while they are written: whole, or as they were before."""
import json
import os

from launcher.refusal import Refusal


def write_whole(path, text):
    write_pieces(path, [text])


def write_pieces(path, pieces):
    """Temp file beside it, then rename: a reader sees the old file or the new one."""
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(temporary, "w", encoding="utf-8") as file:
            file.writelines(pieces)
        os.replace(temporary, path)
    except OSError as error:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise Refusal(f"{path} cannot be written ({error.strerror})", "a disk with room, then the same command again")


def has_content(path, text):
    """Whether a file holds just this text."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read() == text
    except (OSError, UnicodeDecodeError):
        return False


def read_json(path):
    """The value in a JSON file; None if there is none that can be read."""
    try:
        if not os.path.isfile(path):  # a pipe would keep its reader waiting for ever
            return None
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError, RecursionError):
        return None
