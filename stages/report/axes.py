"""axes: numbers in few characters, and scales with readable ticks; what a figure needs before it is drawn.

    number(0.78049) -> 0.780        axis([128, 4096], "log") -> Axis with its ticks        place(axis, 256, 0, 100) -> 20.0

svg.py draws an Axis, charts.py and heatmap.py choose it. Missing numbers are None, nan, infinite or absurd ones.
"""
import math
import re
from typing import NamedTuple

FARTHEST = 1e100  # numbers beyond this are treated as missing


# Numbers

def usable(value):
    """Is `value` a number that can be drawn: not None, nan, infinite or absurd?"""
    return isinstance(value, (int, float)) and abs(value) <= FARTHEST


def number(value, decimals=None):
    """`value` in three significant digits, trailing zeros kept: 0.780, 12.3k, 4.00e-7; a dash if there is none.

    decimals: how many it has instead, so that the numbers of a column or a figure have as many.
    """
    if not usable(value):
        return "\u2013"
    if decimals is not None:
        text = "{:.{}f}".format(value, decimals)
        return _signed(text if text.strip("-0.") else text.lstrip("-"))
    if value and not 1e-4 <= abs(value) < 999.5e9:
        return _signed(re.sub(r"e\+?(-?)0*", r"e\1", "{:.2e}".format(value)))
    for factor, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= 0.9995 * factor:
            return _signed(_three_digits(value / factor) + suffix)
    return _signed(_three_digits(value))


def decimals(values):
    """How many decimals give the larger ones of `values` three significant digits; None if they need k, M or exponents."""
    sizes = sorted(abs(value) for value in values if usable(value) and value)
    larger = sizes[round(0.75 * (len(sizes) - 1))] if sizes else 0.0
    return max(0, 2 - math.floor(math.log10(larger))) if sizes and 1e-4 <= larger and sizes[-1] < 999.5 else None


def _three_digits(value):
    text = "{:#.3g}".format(value) if value else "0"
    return text.rstrip(".")


def _signed(text):
    return text.replace("-", "\u2212", 1) if text.startswith("-") else text


def tick_label(value, step=None):
    """A tick's number, as short as it can be: 128, 1k, 0.05; as many decimals as distinguish ticks a `step` apart."""
    if not value:
        return "0"
    if not (1e-4 if step else 9e-4) <= abs(value) < 1e12:
        return _signed(re.sub(r"\.?0*e\+?(-?)0*", r"e\1", "{:.4e}".format(value)))
    factor, suffix = next(((f, s) for f, s in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if abs(value) >= f), (1, ""))
    if step is None:
        return _signed("{:.6g}".format(value / factor) + suffix)
    decimals = min(12, max(0, -math.floor(math.log10(step / factor * 1.001))))
    return _signed("{:.{}f}".format(value / factor, decimals) + suffix)


# Axes

class Axis(NamedTuple):
    """What a length on paper means."""
    kind: str  # 'linear', 'log' or 'categorical'
    low: float  # log: of the decimal logarithm; categorical: -0.5
    high: float
    ticks: list  # (value, label)


def axis(values, kind="linear", include=(), most_ticks=6):
    """An axis over the numbers that can be drawn, with a margin; `include` holds values it has to reach.

    Nothing to show, one value or equal values give a sane axis around them.
    """
    values = [value for value in list(values) + list(include) if drawable(value, kind)]
    low, high = _padded([math.log10(value) for value in values], 0.1) if kind == "log" else _padded(values, 0.0)
    ticks = _log_ticks if kind == "log" else _linear_ticks
    return Axis(kind, low, high, ticks(low, high, most_ticks) if values else [])


def categories(names):
    """The axis of a list of names, in their order."""
    return Axis("categorical", -0.5, max(len(names), 1) - 0.5, list(enumerate(names)))


def drawable(value, kind):
    """Can this axis show `value`? A logarithmic one only shows numbers above zero."""
    return usable(value) and (kind != "log" or value > 1 / FARTHEST)


def place(axis, value, start, end):
    """Where `value` is between the coordinates `start` (low) and `end` (high)."""
    value = math.log10(value) if axis.kind == "log" else value
    return start + (end - start) * ((value - axis.low) / (axis.high - axis.low))


def _padded(values, least):
    """(low, high) with a margin of 5 %; `least` is half the span if all values are the same."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        half = least or 0.1 * abs(high) or 0.5
        return low - half, high + half
    return low - 0.05 * (high - low), high + 0.05 * (high - low)


def _linear_ticks(low, high, most):
    step = _nice_step(low, high, most)
    first = math.ceil(low / step - 1e-9)
    values = [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]
    return [(value, tick_label(value, step)) for value in values]


def _nice_step(low, high, most):
    """The smallest of 1, 2 or 5 times a power of ten with at most `most` ticks."""
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    return next(factor * power for factor in (1, 2, 5, 10, 20) if (high - low) / (factor * power) <= most)


def _log_ticks(low, high, most):
    """Ticks at 1, 2, 5 times powers of ten; fewer for many decades, more for few; evenly stepped within a few %."""
    powers = [10.0 ** power for power in range(math.floor(low), math.ceil(high) + 1)]
    for factors in ((1, 1.5, 2, 3, 4, 5, 7), (1, 2, 5), (1, 3), (1,)):
        values = [factor * power for power in powers for factor in factors]
        values = [value for value in values if low <= math.log10(value) <= high]
        if len(values) <= (most if len(factors) > 3 else most + 2):
            break
    if len(values) < 3 and high - low < 2:
        return [tick for tick in _linear_ticks(10.0 ** low, 10.0 ** high, most) if tick[0] > 0]
    return [(value, tick_label(value)) for value in values[::math.ceil(len(values) / (most + 2)) or 1]]
