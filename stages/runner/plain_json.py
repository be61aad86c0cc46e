"""plain_json: JSON through the interpreter's own C parts.

The json package imports re and enum, which takes as long as everything else that a runner does before its
stage starts. Where there are no such parts (PyPy), the package is used.
"""
try:
    from _json import encode_basestring_ascii, make_scanner
except ImportError:
    make_scanner = None

CONSTANTS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
BLANK = " \t\n\r"


class Rules:
    """What make_scanner asks of a decoder."""
    strict, object_hook, object_pairs_hook, memo = True, None, None, {}
    parse_float, parse_int, parse_constant = float, int, CONSTANTS.__getitem__


def loads(text):
    """The value of a text; raises ValueError."""
    if make_scanner is None:
        import json
        return json.loads(text)
    try:
        value, end = make_scanner(Rules)(text, len(text) - len(text.lstrip(BLANK)))
    except (StopIteration, SystemError):    # the second: its words for a broken text are in the package
        raise ValueError("no JSON")
    if text[end:].strip(BLANK):
        raise ValueError("more than one value")
    return value


def load(file):
    return loads(file.read())


def dumps(value):
    """The text of None, a bool, number or str, and of lists and dicts of these."""
    if make_scanner is None:
        import json
        return json.dumps(value)
    if type(value) is str:
        return encode_basestring_ascii(value)
    if isinstance(value, dict):
        return "{" + ", ".join([encode_basestring_ascii(key) + ": " + dumps(item) for key, item in value.items()]) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join([dumps(item) for item in value]) + "]"
    return {None: "null", True: "true", False: "false"}[value] if value is None or isinstance(value, bool) else number(value)


def number(value):
    if isinstance(value, float) and not abs(value) < float("inf"):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return repr(value)
