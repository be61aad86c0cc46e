"""changed_data: files of the benchmark that have changed since results were made from them.

    files now + fingerprints in the plans of earlier launches -> a refusal until the user decides

Split files are not here: the runner records what it read, and core/rules.py compares. Results of
launches without fingerprints (older versions, other programs) count as they are.
"""
import os

from core.errors import Refusal
from core.fingerprints import fingerprint, same_content, script_fingerprint
from launcher.paths import MODEL_STAGES

FOLDERS = ("y_data", "x_data")


def check(data, tasks, tree, options):
    """Returns {y_data: {'y_data/response.tsv': fingerprint}, x_data: {...}}, as files are now.

    Refusal: response or x_data have changed since done results were made from them, and the user
    has not decided what to do.
    """
    known = recorded(tree.launches[-1].plan) if tree.launches else {}
    found = {folder: {name: fingerprint(f"{data.directory}/{name}", known.get(name))
                      for name in names_in(data.directory, folder)} for folder in FOLDERS}
    if options.redo == "preprocess" or options.adopt_data:
        return found
    now = recorded({"fingerprints": found})
    changed = {launch.id: next((name for name, value in recorded(launch.plan).items()
                                if not same_content(value, now.get(name))), None)
               for launch in tree.launches + tree.dry_launches}   # a file that has changed since
    # The newest launch that took a result as valid vouches for it.
    adopted = {name: launch.id for launch in tree.launches
               if launch.plan.get("data_adopted") is True for name in launch.names}
    affected = []       # (task name, a file that has changed since)
    for task in tasks:
        status = tree.status(task.name) if task.stage != "collect" else None
        if status and status.state == "done" and status.launch in changed:
            file = changed[max(status.launch, adopted.get(task.name, ""))]
            affected += [(task.name, file)] if file else []
    if affected:
        first, file = affected[0]
        raise Refusal(f"{file} has changed since {len(affected)} of these tasks were done, {first} "
                      "first", "--redo preprocess to make them anew, or --adopt_data to take the "
                      "results as valid")
    return found


def script_notes(tasks, tree):
    """Returns a sentence for each stage whose script is not the one that results were made with."""
    notes, made_by = [], {}     # task name -> fingerprint of the script
    for status in filter(None, [tree.status(task.name) for task in tasks]):
        if status.state == "done":      # ml_data may have been deleted, or made again, since
            made_by.update((name, made.script_fingerprint)
                           for name, made in status.made_from.items())
    for stage in MODEL_STAGES:
        own = [task for task in tasks if task.stage == stage]
        now = script_fingerprint(own[0].script) if own else ""
        for task in own:
            status = tree.status(task.name)
            if status and status.state == "done":
                made_by.setdefault(task.name, status.script_fingerprint)
        old = sum(made_by.get(task.name, "") not in ("", now) for task in own)
        if now and old:
            notes.append(f"the {stage} script has changed since {old} of these ran; --redo {stage} "
                         "runs them again")
    return notes


def names_in(directory, folder):
    """Returns names such as 'y_data/response.tsv'."""
    path = f"{directory}/{folder}"
    return [f"{folder}/{name}" for name in sorted(os.listdir(path))] if os.path.isdir(path) else []


def recorded(plan):
    """Returns {'y_data/response.tsv': fingerprint} of a plan, {} if it has none."""
    found = {}
    for folder in FOLDERS:
        try:
            found.update(plan["fingerprints"][folder])
        except (KeyError, TypeError, ValueError):
            pass
    return found
