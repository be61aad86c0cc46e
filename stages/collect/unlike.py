"""unlike: says which splits of one mean were made in another way than the others.

    tasks with their statuses -> arguments, script, environment of each split -> sentences
"""
PATHS = ("_dir", "_file", "_path")      # ends of options that name another file for each split


def unlike_splits(tree, scored):
    """Returns a sentence for each difference between the splits of a source, or of a pair.

    scored: the tasks in the tables; they and what they were made from are compared by arguments
    (without paths), script and environment, as far as a status names them.
    """
    groups, found = {}, {}
    names = dict.fromkeys(name for task in scored for name in (task.name, *task.parents))
    for task in map(tree.tasks.get, names):
        status = task and tree.status(task.name)
        if status and status.arguments:
            key = task.stage, f"{task.source} on {task.target}" if task.target else task.source
            groups.setdefault(key, {})[task.split] = made_with(status)
    for (stage, name), made in groups.items():
        for what in sorted(set().union(*made.values())):
            splits = {}
            for split, how in sorted(made.items()):
                splits.setdefault(how.get(what, "not given"), []).append(str(split))
            if len(splits) > 1:
                found.setdefault((stage, difference(what, splits)), []).append(name)
    return [f"splits that are not alike are in one mean: {stage} of {names[0]}"
            + f" and {len(names) - 1} more" * bool(names[1:]) + f": {sentence}"
            for (stage, sentence), names in found.items()]


def made_with(status):
    """Returns {what: value}: script, environment and '--option' of each argument."""
    found = {f"--{name}": str(value) for name, value in status.arguments.items()
             if not name.endswith(PATHS)}
    return {**found, "script (size:CRC-32)": status.script_fingerprint,
            "environment": status.environment}


def difference(what, splits):
    """Returns how the splits differ. splits: {value: the splits that have it}."""
    usual = max(splits, key=lambda value: len(splits[value]))
    others = [f"{value} in split{'s' * (len(own) > 1)} {', '.join(own)}"
              for value, own in splits.items() if value != usual]
    return f"{what} is {'; '.join(others)}; {usual} in the others"
