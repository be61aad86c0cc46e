"""environments: in which Python, with which packages and data the launches of a tree ran.

    OUT/launches/LAUNCH/environment.*.json, plan.json -> rows of the page, notes on changes
"""
import fnmatch

from core.errors import FileError
from core.files import read_json
from core.fingerprints import same_content


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


def environment_rows(tree):
    """Returns a text for each environment, as it was in the newest launch."""
    return [f"{name}: {list(texts)[-1]}" for name, texts in environments(tree).items()]


def environment_notes(tree):
    """Returns a sentence for each environment that was not the same in all launches."""
    return [f"the environment {name} has changed between launches: "
            + "; ".join(f"{text} until {launch}" for text, launch in texts.items())
            for name, texts in environments(tree).items() if len(texts) > 1]


def data_notes(tree):
    """Returns a sentence if the launches read different response files, or predict different
    columns of them."""
    first, changed = {}, set()
    for plan in tree.plans:
        prints = (plan.get("fingerprints") or {}).get("y_data") or {}
        changed.update(name for name, value in prints.items()
                       if not same_content(first.setdefault(name, value), value))
    columns = {str(plan["y_col_name"]) for plan in tree.plans if plan.get("y_col_name")}
    changed.update(columns if len(columns) > 1 else ())
    return [f"{', '.join(sorted(changed))} changed between launches: scores of launches before and "
            "after do not belong into one table"] if changed else []
