"""space: reads a file of hyperparameters to search and checks every entry.

    JSON list (docs/search_space.md) -> normalise_space -> a list of plain dicts, one a parameter
    a point of the unit cube <-> a dict of parameters

A normalised entry is one of
    {"name", "type": "float" or "int", "min", "max", "log_uniform", "default"}
    {"name", "type": "categorical" or "ordered", "choices", "default"}
"""
import json
import re
from math import exp, floor, inf, log

from core.errors import FileError, Refusal
from core.files import read_json

HINT = "--hyperparameter_file with a search space as in docs/search_space.md"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")  # must be usable as --name
LARGEST = 2 ** 53                         # ints up to it are exact as floats
TYPES = ("float", "int", "categorical", "ordered", "constant")
KEYS = ("name", "type", "min", "max", "log_uniform", "choices", "value", "element_type", "default")


def read_space(path, fixed=()):
    """Return the normalised space of a JSON file, as normalise_space does. Raises Refusal."""
    try:
        return normalise_space(read_json(path), fixed, path)
    except FileError as error:
        raise Refusal(str(error), HINT)


def normalise_space(raw, fixed=(), where="the search space"):
    """Return the normalised entries of the parsed JSON `raw`, in its order.

    fixed: names that have a value already and may not be searched. A default that is not given
    is the middle of the (log) range, of the ordered choices, or the first choice. A normalised
    space comes out as it went in. Raises Refusal, which names the entry and the key.
    """
    if not isinstance(raw, list) or not raw:
        raise Refusal(f"{where} must be a JSON list with one object per parameter", HINT)
    entries, taken = [], set(fixed)
    for number, entry in enumerate(raw, 1):
        try:
            entries.append(normalise_entry(entry))
            name = entry["name"]
            check(name not in taken, "name", "be used once, and have no fixed value", name)
            taken.add(name)
        except ValueError as error:
            raise Refusal(f"{where}: entry {number}, {shown(entry)}: {error}", HINT)
    return entries


def check(is_right, key, rule, value):
    if not is_right:
        raise ValueError(f"'{key}' must {rule} (it is {shown(value)})")


def shown(value):
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."


def normalise_entry(entry):
    """Return one normalised entry. Raises ValueError, as the functions below."""
    check(isinstance(entry, dict), "entry", "be an object with 'name' and 'type'", entry)
    name, kind = entry.get("name"), entry.get("type")
    check(isinstance(name, str) and NAME.match(name), "name",
          "be letters, digits, _ and -, as it becomes --name", name)
    check(kind in TYPES, "type", f"be one of {', '.join(TYPES)}", kind)
    for key, value in entry.items():
        check(key in KEYS, key, f"be left out, keys are {', '.join(KEYS)}", value)
    return (normalise_range if kind in ("float", "int") else normalise_choices)(entry)


def normalise_range(entry):
    low, high, is_log = number(entry, "min"), number(entry, "max"), entry.get("log_uniform", False)
    check(isinstance(is_log, bool), "log_uniform", "be true or false", is_log)
    check(low < high, "min", "be below 'max'", low)
    check(low > 0 or not is_log, "min", "be above 0 for a log scale", low)
    result = {"name": entry["name"], "type": entry["type"], "min": low, "max": high,
              "log_uniform": is_log}
    default = number(entry, "default") if "default" in entry else from_unit(result, 0.5)
    check(low <= default <= high, "default", f"lie within {low} and {high}", default)
    return dict(result, default=default)


def number(entry, key):
    """Return entry[key] as an int or a float, as its type says."""
    value, convert = entry.get(key), {"int": int, "float": float}[entry["type"]]
    # The comparison is false for nan and safe for ints too long for a float.
    check(type(value) in (int, float) and abs(value) <= LARGEST and convert(value) == value, key,
          f"be a number of at most {LARGEST:g}, whole for int", value)
    return convert(value)


def normalise_choices(entry):
    """Return a normalised categorical or ordered entry; a constant is its only choice. Three or
    more plain numbers as choices are ordered by size, whatever the file calls them: a neighbour of
    64 tells more about it than the far end does."""
    choices, kind = entry.get("choices", [entry.get("value")]), entry["type"]
    are_different = choices and isinstance(choices, list) and all(
        is_value(choice) and place_of(choice, choices) == place
        for place, choice in enumerate(choices))
    check(are_different, "choices",
          "be different texts of one line, finite numbers, true or false", choices)
    if kind != "ordered":
        kind = "categorical"
        if len(choices) > 2 and all(type(choice) in (int, float) for choice in choices):
            choices, kind = sorted(choices), "ordered"
    default = entry.get("default", choices[(len(choices) - 1) // 2 * (kind == "ordered")])
    place = place_of(default, choices)
    check(place is not None, "default", "be one of the choices", default)
    return {"name": entry["name"], "type": kind, "choices": choices, "default": choices[place]}


def is_value(value):
    """Say whether an option can be given this value."""
    if isinstance(value, str):
        return value.isprintable()
    return isinstance(value, (int, float)) and abs(value) <= LARGEST


def place_of(value, choices):
    """Return the index of a value in the choices or None; true is not 1, but 1.0 is."""
    return next((place for place, choice in enumerate(choices) if choice == value
                 and isinstance(choice, bool) == isinstance(value, bool)), None)


def from_unit(entry, unit):
    """Return the value of an entry at `unit` in 0..1; ints and choices have equal widths."""
    if "choices" in entry:
        count = len(entry["choices"])
        return entry["choices"][min(count - 1, int(unit * count))]
    low, high = scaled_range(entry)
    value = low + (high - low) * unit
    value = exp(value) if entry["log_uniform"] else value
    if entry["type"] == "int":
        value = floor(value + 0.5)
    else:
        # Six digits where they are enough: people read these values, and the last bits of a float
        # differ between Python versions.
        near = float(f"{value:.6g}")
        error = abs(near / value - 1.0) if entry["log_uniform"] else abs(near - value)
        value = near if error <= 1e-5 * (high - low) else value
    return min(entry["max"], max(entry["min"], value))


def to_unit(entry, value):
    """Return where in 0..1 a value lies, or None if it is no value of this entry."""
    if "choices" in entry:
        place = place_of(value, entry["choices"])
        return None if place is None else (place + 0.5) / len(entry["choices"])
    if type(value) not in (int, float):
        return None
    low, high = scaled_range(entry)
    value = min(entry["max"], max(entry["min"], value))
    value = log(value) if entry["log_uniform"] else value
    return (value - low) / (high - low)


def scaled_range(entry):
    """Return the ends of a range on its scale; an int reaches half a step beyond, so that each
    value gets an equal share."""
    margin = 0.5 if entry["type"] == "int" else 0.0
    low, high = entry["min"] - margin, entry["max"] + margin
    return (log(low), log(high)) if entry["log_uniform"] else (low, high)


def to_params(space, units):
    """Return the dict of parameters at a point of the unit cube (one number in 0..1 an entry)."""
    return {entry["name"]: from_unit(entry, unit) for entry, unit in zip(space, units)}


def to_units(space, params):
    """Return the point of a dict of parameters, or None if it does not belong to this space."""
    units = tuple(to_unit(entry, params.get(entry["name"])) for entry in space)
    return None if None in units else units


def snap(space, units):
    """Return the point at the middle of the values that `units` rounds to; floats stay."""
    return tuple([unit if entry["type"] == "float" else to_unit(entry, from_unit(entry, unit))
                  for entry, unit in zip(space, units)])


def values_of(entry):
    """Return all values of an entry; None for a range of floats."""
    if "choices" in entry:
        return entry["choices"]
    return range(entry["min"], entry["max"] + 1) if entry["type"] == "int" else None


def space_size(space):
    """Return how many different points the space has: a count, or infinity."""
    size = 1
    for values in map(values_of, space):
        size *= inf if values is None else len(values)
    return size
