"""environments: which Python and which packages the launches of a results tree ran in.

    OUT/launches/LAUNCH/environment.*.json -> identities by environment -> rows for the page, a note if they differ
"""
import os

from common.improve_files import FileError
from common.tree_files import read_json


def environments(tree):
    """Returns {environment: {(python, packages, checksum): newest launch}} of the launches, oldest first."""
    found = {}
    for plan in tree.plans:
        folder = os.path.join("launches", plan["launch"])
        for name in tree.names(folder):
            if name.startswith("environment.") and name.endswith(".json"):
                identity = read_identity(os.path.join(tree.path(folder), name))
                if identity:
                    found.setdefault(identity[0], {})[identity[1:]] = plan["launch"]
    return found


def read_identity(path):
    """Returns (environment, python, number of packages, their checksum); None if the file does not say."""
    try:
        content = read_json(path)
        return tuple(str(content[key]) for key in ("environment", "python", "packages", "packages_checksum"))
    except (FileError, KeyError, TypeError):
        return None


def environment_rows(tree):
    """Returns texts such as 'conda:graphdrp: Python 3.9.1, 120 packages', the newest of each environment."""
    return [f"{environment}: {in_words(*list(identities)[-1][:2])}" for environment, identities in environments(tree).items()]


def in_words(python, packages):
    return f"Python {python}, {packages} package{'' if packages == '1' else 's'}"


def environment_notes(tree):
    """Returns a sentence for each environment that was not the same in all launches."""
    return [f"the environment {environment} has changed between launches: " + "; ".join(
        f"{in_words(python, packages)} ({checksum}) until {launch}" for (python, packages, checksum), launch in identities.items())
        for environment, identities in environments(tree).items() if len(identities) > 1]


def data_notes(tree):
    """Returns a sentence if the launches saw different response files: their scores do not belong into one table."""
    seen = {}
    for plan in tree.plans:
        prints = plan.get("fingerprints") if isinstance(plan.get("fingerprints"), dict) else {}
        for name, value in (prints.get("y_data") or {}).items():
            if isinstance(value, list) and len(value) == 3:
                seen.setdefault(name, set()).add((value[0], value[2]))
    changed = sorted(name for name, contents in seen.items() if len(contents) > 1)
    return [f"{', '.join(changed)} changed between launches: scores of launches before and after do not belong into one table"] if changed else []
