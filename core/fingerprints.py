"""fingerprints: whether a file outside OUT still has the content that it had.

A fingerprint is [bytes, modification time in ns, CRC-32 of the content]; the CRC-32 of a file
above LARGEST is null: its size and time decide. [] is a file that does not exist.
"""
import os
import zlib

LARGEST = 64 * 1000 * 1000      # bytes


def fingerprint(path, known=None):
    """Returns a file's fingerprint; known: an earlier one, whose CRC-32 is taken if it fits."""
    try:
        found = os.stat(path)
        if is_fingerprint(known) and known[:2] == [found.st_size, found.st_mtime_ns]:
            return list(known)
        crc = None if found.st_size > LARGEST else checksum(path)
        return [found.st_size, found.st_mtime_ns, crc]
    except OSError:
        return []


def checksum(path):
    """Returns the CRC-32 of a file's content."""
    value = 0
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            value = zlib.crc32(block, value)
    return value & 0xffffffff


def same_content(one, other):
    """Says whether two fingerprints are of one content; so they are if one of them is unknown."""
    if not (is_fingerprint(one) and is_fingerprint(other)) or one[:2] == other[:2]:
        return True
    return one[0] == other[0] and one[2] is not None and one[2] == other[2]


def is_fingerprint(value):
    return isinstance(value, list) and len(value) == 3


def script_fingerprint(path):
    """Returns 'SIZE:CRC32' of a stage script, '' if it cannot be read."""
    try:
        return "{}:{:08x}".format(os.path.getsize(path), checksum(path))
    except OSError:
        return ""
