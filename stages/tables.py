"""tables: what the tables of all workflows share: CSV text, aligned text, quantiles.

    rows -> csv_text / aligned
    values -> finite, quantile
"""
import csv
import io
import math

from tree_files import printable


def csv_text(header, rows):
    """Returns a CSV text; a cell without a finite number is empty, a float has all its digits."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return file.getvalue()


def _cell(value):
    if value is None or isinstance(value, float) and not math.isfinite(value):
        return ""
    return repr(value) if isinstance(value, float) else value


def aligned(lines):
    """Returns rows of texts as lines with columns; the first to the left, the others to the right."""
    lines = [list(map(printable, line)) for line in lines]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("  ".join(text.rjust(width) if at else text.ljust(width)
                               for at, (text, width) in enumerate(zip(line, widths))).rstrip()
                     for line in lines)


def finite(values):
    """Returns the values that are numbers, sorted; nan is left out."""
    return sorted(value for value in values if value == value)


def quantile(values, share):
    """Returns the quantile of sorted values, interpolated linearly (numpy's default)."""
    place = share * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)
