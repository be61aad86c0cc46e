"""space: reads a file of hyperparameters to search and checks every entry of it.

Data flow: JSON list in one of IMPROVE's two formats (DeepHyper's or Supervisor's)
  -> normalise_space -> a list of plain dicts, one a parameter, in one format
  -> Cube: a point of the unit cube <-> a dict of parameters.

Example:
    space = read_space("my_space.json", fixed=["epochs"])

docs/search_space.md explains both formats. A space that makes no sense is a SpaceError: one
sentence that names the entry and the key.

A normalised entry is one of
    {"name", "type": "float" or "int", "min", "max", "log_uniform", "default"}
    {"name", "type": "categorical" or "ordered", "choices", "default"}
"""

import json
import math
import re

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")  # must be usable as --name
LARGEST = {"int": 2 ** 53, "float": 1e300}       # ints stay exact, ranges stay finite as floats
ELEMENT_TYPES = ("int", "float", "string", "logical")
RANGE_KEYS = {"min", "max", "log_uniform", "lower", "upper", "use_log_scale", "sigma", "default"}
CHOICE_KEYS = {"choices", "values", "element_type", "sigma", "default"}
KEYS = {"float": RANGE_KEYS, "int": RANGE_KEYS, "categorical": CHOICE_KEYS, "ordered": CHOICE_KEYS,
        "logical": {"default"}, "constant": {"value", "default"}}


class SpaceError(Exception):
    """One sentence: which entry, which key, what would be right."""


def normalise_space(raw, fixed=()):
    """Return the normalised entries of the parsed JSON `raw`, in its order.

    raw: list of dicts, each in DeepHyper's format (type int, float or categorical with min,
    max, log_uniform, choices, default) or in Supervisor's (type constant, int, float, logical,
    categorical or ordered with value, lower, upper, use_log_scale, values, element_type, sigma).
    fixed: names that have a value already and may not be searched.
    A default that is not given is the middle of the (log) range, of the ordered values, or the
    first choice. sigma, the step of Supervisor's genetic algorithm, is checked and not used.
    A normalised space comes out as it went in. Raises SpaceError.
    """
    if not isinstance(raw, list) or not raw:
        raise SpaceError("the search space must be a JSON list with one object a parameter")
    entries = []
    for number, entry in enumerate(raw, 1):
        entries.append(normalise_entry(number, entry))
        name = entries[-1]["name"]
        if name in [other["name"] for other in entries[:-1]]:
            raise refusal(number, entry, "name", "is used twice; each parameter needs a name of its own")
        if name in fixed:
            raise refusal(number, entry, "name", "has a fixed value already and cannot also be searched")
    return entries


def refusal(number, entry, key, wrong):
    """Return the SpaceError about `key` of the entry with this number (the first is 1)."""
    name = entry.get("name") if isinstance(entry, dict) else None
    label = " (%s)" % shown(name) if isinstance(name, str) else ""
    return SpaceError("entry %d%s of the search space: '%s' %s" % (number, label, key, wrong))


def shown(value):
    """Return a value as short JSON text for a message."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 40 else text[:37] + "..."


def normalise_entry(number, entry):
    """Return one normalised entry. Raises SpaceError."""
    if not isinstance(entry, dict):
        raise SpaceError("entry %d of the search space must be an object with 'name' and 'type', not %s"
                         % (number, shown(entry)))
    name, kind = entry.get("name"), entry.get("type")
    if not isinstance(name, str) or not NAME.match(name):
        raise refusal(number, entry, "name", "must be letters, digits, _ and - (it becomes --name), not %s" % shown(name))
    if not isinstance(kind, str) or kind not in KEYS:
        raise refusal(number, entry, "type", "must be one of %s, not %s" % (", ".join(sorted(KEYS)), shown(kind)))
    for key in entry:
        if key not in KEYS[kind] | {"name", "type"}:
            raise refusal(number, entry, key, "is not known for type %s; known: %s" % (kind, ", ".join(sorted(KEYS[kind]))))
    if "sigma" in entry:
        read_number(number, entry, "sigma", "float")
    if kind in ("float", "int"):
        return normalise_range(number, entry)
    return normalise_choices(number, entry)


# ---- ranges

def normalise_range(number, entry):
    """Return a normalised float or int entry. Raises SpaceError."""
    kind = entry["type"]
    low_key = one_key(number, entry, "min", "lower")
    high_key = one_key(number, entry, "max", "upper")
    log_key = one_key(number, entry, "log_uniform", "use_log_scale", False)
    low, high = read_number(number, entry, low_key, kind), read_number(number, entry, high_key, kind)
    log = entry.get(log_key, False)
    if not isinstance(log, bool):
        raise refusal(number, entry, log_key, "must be true or false, not %s" % shown(log))
    if low > high:
        raise refusal(number, entry, low_key, "must not be above '%s', %s is above %s" % (high_key, shown(low), shown(high)))
    if log and low <= 0:
        raise refusal(number, entry, low_key, "must be above 0 for a log scale, not %s" % shown(low))
    result = {"name": entry["name"], "type": kind, "min": low, "max": high, "log_uniform": log}
    result["default"] = range_default(number, entry, result)
    return result


def one_key(number, entry, one, other, needed=True):
    """Return which of two keys the entry has (DeepHyper's or Supervisor's word for one thing)."""
    if one in entry and other in entry:
        raise refusal(number, entry, other, "says the same as '%s'; give one of the two" % one)
    if needed and one not in entry and other not in entry:
        raise refusal(number, entry, one, "is missing (or '%s')" % other)
    return other if other in entry else one


def read_number(number, entry, key, kind):
    """Return entry[key] as an int or a float. Raises SpaceError."""
    value = entry[key]
    whole = "a whole number" if kind == "int" else "a number"
    # The comparison is false for nan and safe for ints too long for a float.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= LARGEST[kind]:
        raise refusal(number, entry, key, "must be %s of at most %g, not %s" % (whole, LARGEST[kind], shown_number(value)))
    if kind == "int" and value != int(value):
        raise refusal(number, entry, key, "must be a whole number for type int, not %s" % shown(value))
    return int(value) if kind == "int" else float(value)


def shown_number(value):
    """Return text for a number that may have thousands of digits, or for what stands in its place."""
    if isinstance(value, int) and abs(value) >= 10 ** 40:
        return "a number of more than 40 digits"
    return shown(value)


def range_default(number, entry, result):
    """Return the default of a range: given and inside it, or its middle on its scale."""
    if "default" not in entry:
        return from_unit(result, 0.5)
    default = read_number(number, entry, "default", result["type"])
    if not result["min"] <= default <= result["max"]:
        raise refusal(number, entry, "default", "must lie within %s and %s, not %s"
                      % (shown(result["min"]), shown(result["max"]), shown(default)))
    return default


# ---- choices

def normalise_choices(number, entry):
    """Return a normalised categorical or ordered entry. Raises SpaceError.

    Three or more plain numbers as choices are ordered by size, whatever the file calls them:
    a neighbour of 64 tells more about it than the far end does.
    """
    key, kind = choices_key(number, entry), entry["type"]
    choices = {"logical": [False, True], "constant": [entry.get("value")]}.get(kind, entry.get(key))
    if not isinstance(choices, list) or not choices:
        raise refusal(number, entry, key, "must be a list with at least one value, not %s" % shown(choices))
    choices = [read_choice(number, entry, key, choice) for choice in choices]
    if len({json.dumps(choice) for choice in choices}) < len(choices):
        raise refusal(number, entry, key, "must not name a value twice")
    numbers = len(choices) > 2 and all(type(choice) in (int, float) for choice in choices)
    if numbers and kind == "categorical":
        choices = sorted(choices)
    kind = "ordered" if numbers or kind == "ordered" else "categorical"
    default = choices[(len(choices) - 1) // 2] if kind == "ordered" else choices[0]
    if "default" in entry:
        default = chosen_default(number, entry, choices)
    return {"name": entry["name"], "type": kind, "choices": choices, "default": default}


def choices_key(number, entry):
    """Return the key that holds the choices of an entry."""
    if entry["type"] == "logical":
        return "type"
    if entry["type"] == "constant":
        if "value" not in entry:
            raise refusal(number, entry, "value", "is missing")
        return "value"
    if "element_type" in entry and entry["element_type"] not in ELEMENT_TYPES:
        raise refusal(number, entry, "element_type", "must be one of %s, not %s"
                      % (", ".join(ELEMENT_TYPES), shown(entry["element_type"])))
    return one_key(number, entry, "choices", "values")


def read_choice(number, entry, key, choice):
    """Return one choice: text, a finite number, true or false; of the element_type where one is given."""
    fine = isinstance(choice, (bool, str)) or (isinstance(choice, (int, float)) and abs(choice) <= 1e300)
    if not fine or (isinstance(choice, str) and not choice.isprintable()):
        raise refusal(number, entry, key, "must hold text of one line, finite numbers, true or false, not %s" % shown_number(choice))
    element = entry.get("element_type")
    if element in ("int", "float"):
        return read_number(number, dict(entry, **{key: choice}), key, element)
    wanted = {"string": str, "logical": bool}.get(element, object)
    if not isinstance(choice, wanted):
        raise refusal(number, entry, key, "must hold values of element_type %s, not %s" % (element, shown(choice)))
    return choice


def chosen_default(number, entry, choices):
    """Return the choice that the default names, as the same JSON value or an equal number."""
    for choice in choices:
        if same_choice(choice, entry["default"]):
            return choice
    raise refusal(number, entry, "default", "must be one of the choices, not %s" % shown_number(entry["default"]))


def same_choice(one, other):
    """Say whether two values are one choice; true is not 1, but 1.0 is."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


# ---- the unit cube

def from_unit(entry, unit):
    """Return the value of a normalised entry at `unit` in 0..1; equal widths for ints and choices."""
    if "choices" in entry:
        count = len(entry["choices"])
        return entry["choices"][min(count - 1, max(0, int(unit * count)))]
    low, high = scaled_range(entry)
    value = low + (high - low) * unit
    value = math.exp(value) if entry["log_uniform"] else value
    value = int(math.floor(value + 0.5)) if entry["type"] == "int" else short(value, high - low, entry["log_uniform"])
    return min(entry["max"], max(entry["min"], value))


def short(value, width, log):
    """Return a float with six digits where they are enough: people read these values, and the last
    bits of a float differ from one Python version to the next."""
    near = float("%.6g" % value)
    error = abs(near / value - 1.0) if log else abs(near - value)
    return near if error <= 1e-5 * width else value


def to_unit(entry, value):
    """Return where in 0..1 a value lies, or None where it is no value of this entry.

    A number outside its range, from a study whose range was wider, counts as the near end.
    """
    if "choices" in entry:
        for index, choice in enumerate(entry["choices"]):
            if same_choice(choice, value):
                return (index + 0.5) / len(entry["choices"])
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        return None
    low, high = scaled_range(entry)
    value = min(entry["max"], max(entry["min"], value))
    value = math.log(value) if entry["log_uniform"] else value
    return (value - low) / (high - low) if high > low else 0.5


def scaled_range(entry):
    """Return the ends of a range on its scale; an int reaches half a step beyond, as every rounding does."""
    margin = 0.5 if entry["type"] == "int" else 0.0
    low, high = entry["min"] - margin, entry["max"] + margin
    return (math.log(low), math.log(high)) if entry["log_uniform"] else (low, high)


def to_params(space, units):
    """Return the dict of parameters at a point of the unit cube (one number in 0..1 an entry)."""
    return {entry["name"]: from_unit(entry, unit) for entry, unit in zip(space, units)}


def to_units(space, params):
    """Return the point of a dict of parameters, or None where it does not belong to this space."""
    units = tuple(to_unit(entry, params.get(entry["name"])) for entry in space)
    return None if None in units else units


def snap(space, units):
    """Return the point at the middle of the values that `units` rounds to."""
    return tuple([unit if entry["type"] == "float" else snap_unit(entry, unit) for entry, unit in zip(space, units)])


def snap_unit(entry, unit):
    """Return the middle of the cell of the cube that `unit` lies in (choices and whole numbers)."""
    if entry.get("log_uniform"):
        return to_unit(entry, from_unit(entry, unit))
    count = entry_size(entry)
    return (min(count - 1, int(unit * count)) + 0.5) / count


def entry_size(entry):
    """Return how many values an entry has: a count, or infinity."""
    if "choices" in entry:
        return len(entry["choices"])
    if entry["min"] == entry["max"]:
        return 1
    return entry["max"] - entry["min"] + 1 if entry["type"] == "int" else float("inf")


def space_size(space):
    """Return how many different points the space has: a count, or infinity."""
    size = 1
    for entry in space:
        size = size * entry_size(entry)
    return size


# ---- the file

def read_space(path, fixed=()):
    """Return the normalised space of a JSON file. Raises SpaceError."""
    try:
        with open(path, encoding="utf-8-sig") as handle:
            raw = json.load(handle)
    except OSError as error:
        raise SpaceError("%s cannot be read: %s" % (path, error.strerror))
    except (ValueError, RecursionError) as error:
        raise SpaceError("%s is not JSON: %s" % (path, error))
    try:
        return normalise_space(raw, fixed)
    except SpaceError as error:
        raise SpaceError("%s: %s" % (path, error))
