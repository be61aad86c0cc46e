"""changed_data: files of the benchmark that have changed since results were made from them.

    files now + fingerprints in the plans of earlier launches -> a refusal until the user decides

Split files are not here: the runner records what it read, and core/rules.py compares. Results of
launches without fingerprints (older versions, other programs) count as they are.
"""
import os

from core.errors import Refusal
from core.files import fingerprint, same_content, script_fingerprint
from launcher.paths import MODEL_STAGES

FOLDERS = ("y_data", "x_data")


def check(data, tasks, tree, options):
    """Returns {y_data: {'y_data/response.tsv': fingerprint}, x_data: {...}}, as files are now.

    Refusal: response or x_data have changed since done results were made from them, and the user
    has not decided what to do.
    """
    known = recorded(tree.launches[-1].plan) if tree.launches else {}
    found = {folder: {} for folder in FOLDERS}
    for folder in FOLDERS:
        path = f"{data.directory}/{folder}"
        for file in sorted(os.listdir(path)) if os.path.isdir(path) else ():
            name = f"{folder}/{file}"
            found[folder][name] = fingerprint(f"{path}/{file}", known.get(name))
    if options.redo == "preprocess" or options.adopt_data:
        return found
    now = recorded({"fingerprints": found})
    changed = {launch.id: name for launch in tree.launches + tree.dry_launches
               for name, value in recorded(launch.plan).items()
               if not same_content(value, now.get(name))}   # launch -> a file that changed since
    # The newest launch that took a result as valid vouches for it.
    adopted = {task.name: launch.id for launch in tree.launches
               if launch.plan.get("data_adopted") is True for task in launch.tasks}
    affected = []       # (task name, a file that has changed since)
    for task in tasks:
        status = tree.status(task.name)
        if task.stage != "collect" and status and status.state == "done":
            launch = max(status.launch, adopted.get(task.name, ""))
            affected += [(task.name, changed[launch])] if launch in changed else []
    if affected:
        first, file = affected[0]
        raise Refusal(f"{file} has changed since {len(affected)} of these tasks were done, {first} "
                      "first", "--redo preprocess to make them anew, or --adopt_data to take the "
                      "results as valid")
    return found


def script_notes(tasks, tree):
    """Returns a sentence for each stage whose script is not the one that results were made with."""
    notes, made_by = [], {}     # task name -> fingerprint of the script
    for task in tasks:
        status = tree.status(task.name)
        if status and status.state == "done":
            made_by[task.name] = status.script_fingerprint
            # Parents stand first: ml_data may have been deleted, or made again, since.
            made_by.update((name, made.script_fingerprint)
                           for name, made in status.made_from.items())
    for stage in MODEL_STAGES:
        own = [task for task in tasks if task.stage == stage]
        now = script_fingerprint(own[0].script) if own else ""
        old = sum(made_by.get(task.name, "") not in ("", now) for task in own)
        if now and old:
            notes.append(f"the {stage} script has changed since {old} of these ran; --redo {stage} "
                         "runs them again")
    return notes


def recorded(plan):
    """Returns {'y_data/response.tsv': fingerprint} of a plan, {} if it has none."""
    try:
        return {name: value for folder in FOLDERS
                for name, value in plan["fingerprints"][folder].items()}
    except (AttributeError, KeyError, TypeError):
        return {}
