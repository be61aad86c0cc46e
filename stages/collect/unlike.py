"""unlike: says which splits of one mean were made in another way than the others.

    tasks with their statuses -> arguments, script, environment of each split -> sentences
"""
from collections import Counter

NOT_GIVEN = "not given"
PATHS = ("_dir", "_file", "_path")      # ends of options that name another file for each split


def unlike_splits(tasks, status_of):
    """Returns a sentence for each difference between the splits of a source, or of a pair.

    tasks: of the results in the tables and of what they were made from; status_of: function(task
    name) -> its status or None. Compared are arguments (without paths), script and environment.
    """
    groups, found = {}, {}
    for task in tasks:
        status = status_of(task.name)
        if status is not None:
            key = task.stage, task.source, task.target
            groups.setdefault(key, []).append((task.split, made_with(status)))
    for (stage, source, target), made in groups.items():
        for what in sorted({name for _, how in made for name in how}):
            values = [(split, how.get(what) or unknown(what, how)) for split, how in made]
            values = [(split, value) for split, value in values if value]
            difference = _difference(what, values)
            if difference:
                name = f"{source} on {target}" if target else source
                found.setdefault((stage, difference), []).append(name)
    return [f"splits that are not alike are in one mean: {stage} of {names[0]}"
            f"{f' and {len(names) - 1} more' if names[1:] else ''}: {difference}"
            for (stage, difference), names in found.items()]


def made_with(status):
    """Returns {what: value}: script, environment and '--option' of each argument, if known."""
    found = {"script": status.script_fingerprint, "environment": status.environment}
    found.update((f"--{name}", str(value)) for name, value in status.arguments.items()
                 if not name.endswith(PATHS) and "/" not in str(value))
    return {what: value for what, value in found.items() if value}


def unknown(what, how):
    """Returns 'not given' for an option if other arguments are known, else ''."""
    has_arguments = any(name.startswith("--") for name in how)
    return NOT_GIVEN if what.startswith("--") and has_arguments else ""


def _difference(what, values):
    """Returns how values differ, '' if they do not. values: [(split, value)]."""
    (usual, _), *others = Counter(value for _, value in values).most_common()
    if not others:
        return ""
    if what == "script":
        splits = _named(split for split, value in values if value != usual)
        return f"{splits} with another version of the script than the others"
    parts = [f"{value} in {_named(split for split, each in values if each == value)}"
             for value, _ in others]
    return f"{what} is {', '.join(parts)}, {usual} in the others"


def _named(splits):
    """Returns 'split 3' or 'splits 0, 3'."""
    splits = sorted(set(splits))
    return f"split{'s' * (len(splits) > 1)} {', '.join(map(str, splits))}"
