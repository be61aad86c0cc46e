"""environments: in which Python, with which packages and data the launches of a tree ran.

    OUT/launches/LAUNCH/environment.*.json, plan.json, statuses -> rows of the page, notes
"""
import fnmatch
from collections import Counter

from core.errors import FileError
from core.files import read_json, same_content
from core.text import plural


def environments(tree):
    """Returns {environment: {'Python 3.9.1, 120 packages (1186e147)': newest launch}}, oldest
    first; malformed files are ignored."""
    found = {}
    for plan in tree.plans:
        folder = f"launches/{plan['launch']}"
        for name in fnmatch.filter(tree.names(folder), "environment.*.json"):
            try:
                it = read_json(tree.path(folder, name))
                text = (f"Python {it['python']}, {it['packages']} packages "
                        f"({it['packages_checksum']})")
                found.setdefault(str(it["environment"]), {})[text] = plan["launch"]
            except (FileError, KeyError, TypeError):
                pass
    return found


def environment_notes(tree):
    """Returns a sentence for each environment that was not the same in all launches."""
    return [f"the environment {name} has changed between launches: "
            + "; ".join(f"{text} until {launch}" for text, launch in texts.items())
            for name, texts in environments(tree).items() if len(texts) > 1]


def data_notes(tree):
    """Returns what the runner has noted of tasks, and a sentence if the launches read different
    response files, or predict different columns of them."""
    noted = Counter(note for status in map(tree.status, tree.tasks) if status
                    for note in map(str, status.notes))
    first, changed = {}, set()
    for plan in tree.plans:
        prints = (plan.get("fingerprints") or {}).get("y_data") or {}
        changed.update(name for name, value in prints.items()
                       if not same_content(first.setdefault(name, value), value))
    columns = {str(plan["y_col_name"]) for plan in tree.plans if plan.get("y_col_name")}
    if len(columns) > 1:
        changed |= columns
    notes = [f"{note} ({plural(number, 'task')})" for note, number in noted.items()]
    return notes + [f"{', '.join(sorted(changed))} changed between launches: scores of launches "
                    "before and after do not belong into one table"] * bool(changed)
