"""tables: the files of OUT/scores.

    rows -> csv_text -> write_tables
"""
import csv
import io
import math
import os

from core.errors import FileError, Refusal
from core.files import write_whole
from core.text import as_text


def csv_text(header, rows):
    """Returns a CSV text; a cell without a finite number is empty, a float has all its digits."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(["" if isinstance(value, float) and not math.isfinite(value) else value
                      for value in row] for row in rows)
    return file.getvalue()


def write_tables(output_dir, files):
    """Writes {file name: text} whole; if the text is None, an old file is removed. Refusal."""
    try:
        os.makedirs(output_dir, exist_ok=True)
        for name, text in files.items():
            path = os.path.join(output_dir, name)
            if text is not None:
                # half a character of a strange file name cannot be written as UTF-8
                write_whole(path, text.encode("utf-8", "backslashreplace").decode("utf-8"))
            elif os.path.lexists(path):
                os.remove(path)
    except (FileError, OSError) as error:
        raise Refusal(f"the tables cannot be written: {as_text(str(error))}",
                      "--output_dir with a directory of your own")
