"""changed_data: files of the benchmark that have changed since results were made from them.

    files now + fingerprints in the plans of earlier launches -> a refusal until the user decides

Split files are not here: the runner records what it read, and core/rules.py compares. Results of
launches without fingerprints (older versions, other programs) count as they are.
"""
import os

from core.errors import Refusal
from core.fingerprints import fingerprint, same_content, script_fingerprint

FOLDERS = ("y_data", "x_data")


def take(data, tree):
    """Returns {y_data: {'y_data/response.tsv': fingerprint}, x_data: {...}}, as files are now."""
    known = recorded(tree.launches[-1].plan) if tree.launches else {}
    return {folder: {name: fingerprint(os.path.join(data.directory, name), known.get(name))
                     for name in files_in(data.directory, folder)} for folder in FOLDERS}


def files_in(directory, folder):
    """Returns names such as 'y_data/response.tsv'."""
    path = os.path.join(directory, folder)
    names = sorted(os.listdir(path)) if os.path.isdir(path) else []
    return [f"{folder}/{name}" for name in names if os.path.isfile(os.path.join(path, name))]


def recorded(plan):
    """Returns {'y_data/response.tsv': fingerprint} of a plan, {} if it has none."""
    found = plan.get("fingerprints")
    folders = [found.get(folder) for folder in FOLDERS] if isinstance(found, dict) else []
    return {name: value for each in folders if isinstance(each, dict)
            for name, value in each.items()}


def refuse(found, tasks, tree, options):
    """Refuses response or x_data that have changed since done results were made from them."""
    now = recorded({"fingerprints": found})
    changed_since = {launch.id: [name for name, value in recorded(launch.plan).items()
                                 if not same_content(value, now.get(name))]
                     for launch in tree.launches + tree.dry_launches}
    adopted = [launch for launch in tree.launches if launch.plan.get("data_adopted") is True]
    adopted = [(launch.id, launch.names) for launch in reversed(adopted)]
    affected = {}       # task name -> a file that has changed since
    for task in tasks:
        status = tree.status(task.name) if task.stage != "collect" else None
        if status and status.state == "done" and status.launch in changed_since:
            # The newest launch that took the result as valid vouches for it.
            reference = next((launch for launch, names in adopted
                              if launch > status.launch and task.name in names), status.launch)
            if changed_since[reference]:
                affected[task.name] = changed_since[reference][0]
    if affected and options.redo != "preprocess" and not options.adopt_data:
        first = next(iter(affected))
        raise Refusal(f"{affected[first]} has changed since {len(affected)} of these tasks were "
                      f"done, {first} first", "--redo preprocess to make them anew, or "
                      "--adopt_data to take the results as valid")


def script_notes(tasks, tree):
    """Returns a sentence for each stage whose script is not the one that results were made with."""
    notes = []
    for stage in ("preprocess", "train", "infer"):
        script = next((task.script for task in tasks if task.stage == stage), "")
        now = script_fingerprint(script) if script else ""
        old = sum(bool(scripts_of(task, stage, tree) - {"", now}) for task in tasks) if now else 0
        if old:
            notes.append(f"the {stage} script has changed since {old} of these ran; --redo {stage} "
                         "runs them again")
    return notes


def scripts_of(task, stage, tree):
    """Returns the fingerprints of a stage's script that a done result was made with: its own, and
    that of its ml_data, which may have been deleted and made again since."""
    status = tree.status(task.name)
    if not status or status.state != "done":
        return set()
    if task.stage == stage:
        return {status.script_fingerprint}
    is_consumer = stage == "preprocess" and task.stage in ("train", "trial")
    return {made.script_fingerprint for made in status.made_from.values()} if is_consumer else set()
