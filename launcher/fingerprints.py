"""fingerprints: of the files outside OUT that decide results: split files, response, x_data, stage scripts.

    files now + fingerprints in the plans of earlier launches -> what has changed since a task ran

A fingerprint is [size, modification time in ns, CRC-32 of the content]. Content is read if size or
time differ from what the last launch knew; files above LARGEST go by size and time alone.
Results of launches without fingerprints (older versions, other programs) are taken as they are.
"""
import os
import zlib

from launcher.refusal import Refusal

LARGEST = 64 * 1000 * 1000      # bytes
SPLIT_OPTIONS = ("--train_split_file", "--val_split_file", "--test_split_file")
KINDS = ("y_data", "x_data", "scripts", "split_files")


def take(data, tasks, options, tree):
    """{kind: {name: fingerprint}} of all files that these tasks read outside OUT."""
    known = {}
    for launch in tree.launches:
        for kind in KINDS:
            known.update(recorded(launch.plan, kind))
    folder = data.directory
    paths = {
        "y_data": {f"y_data/{name}": os.path.join(folder, "y_data", name) for name in listed(folder, "y_data")},
        "x_data": {f"x_data/{name}": os.path.join(folder, "x_data", name) for name in listed(folder, "x_data")},
        "scripts": {task.stage: task.words[1] for task in tasks if task.stage in ("preprocess", "train", "infer")},
        "split_files": split_files(tasks, folder, options.output_dir),
    }
    return {kind: {name: fingerprint(path, known.get(name)) for name, path in sorted(found.items())}
            for kind, found in paths.items()}


def listed(folder, name):
    try:
        return [file for file in os.listdir(os.path.join(folder, name)) if os.path.isfile(os.path.join(folder, name, file))]
    except OSError:
        return []


def split_files(tasks, folder, out):
    """{name as it is known in every OUT: path}"""
    found = {}
    for task in tasks:
        for word in split_words(task.words) if task.stage == "preprocess" else ():
            found[split_name(word, out)] = word if word.startswith("/") else f"{folder}/splits/{word}"
    return found


def split_words(words, stage="preprocess"):
    """The split files in the words of a preprocessing, as far as they matter to a stage: training does not see the test part."""
    options = SPLIT_OPTIONS if stage in ("preprocess", "infer") else SPLIT_OPTIONS[:2]
    return [value for option, value in zip(words, words[1:]) if option in options and isinstance(value, str)]


def split_name(word, out):
    """Files that the launcher writes into OUT move with it."""
    return word[len(out) + 1:] if word.startswith(out + "/") else word


def fingerprint(path, known):
    """[size, time, CRC-32 or None] of a file, [] if it does not exist (a launcher may still write it)."""
    try:
        found = os.stat(path)
        if known and known[:2] == [found.st_size, found.st_mtime_ns]:
            return known
        return [found.st_size, found.st_mtime_ns, None if found.st_size > LARGEST else checksum(path)]
    except OSError:
        return []


def checksum(path):
    value = 0
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            value = zlib.crc32(block, value)
    return value & 0xffffffff


def recorded(plan, kind):
    """{name: fingerprint} of a kind in a plan; {} if the plan has none that can be read."""
    every = plan.get("fingerprints")
    found = every.get(kind) if isinstance(every, dict) else None
    return {name: value for name, value in found.items() if isinstance(value, list)} if isinstance(found, dict) else {}


def same(one, other):
    """Whether two fingerprints are of the same content; a file of which nothing is known is taken as it is."""
    if not one or not other or one[:2] == other[:2]:
        return True
    return one[0] == other[0] and one[2] is not None and one[2] == other[2]


# --------------------------------------------------------------- what has changed

def plan_that_vouches(status, name, tree):
    """The plan whose fingerprints hold for a task: its launch's, or that of the newest launch that took it as valid."""
    plan = tree.plan(status.get("launch", ""))
    for launch in tree.launches:
        if launch.plan.get("data_adopted") is True and plan and launch.id > status["launch"] and name in launch.names:
            plan = launch.plan
    return plan


def changed_split_file(now, tree):
    """A function (task, status) -> name of a split file that has changed since the task, or the ml_data that it was
    made from (which may have been deleted since), read it; '' if none."""
    changed_since = {}      # {launch: names of the files that have changed since}: each has thousands of tasks

    def changed(task, status):
        launch = status.get("launch", "")
        if launch not in changed_since:
            changed_since[launch] = {name for name, value in recorded(tree.plan(launch), "split_files").items()
                                     if not same(value, now["split_files"].get(name))}
        if not changed_since[launch]:
            return ""
        names = [split_name(word, tree.out) for words in data_words(task, status) for word in split_words(words, task.stage)]
        return next((name for name in names if name in changed_since[launch]), "")
    return changed


def data_words(task, status):
    """The words of the preprocessings that a result depends on directly: its own, or those of its inputs."""
    if task.stage == "preprocess":
        return [task.words]
    return [made.words for made in status["made_from"] if made.words is not None]


def refuse_changed_data(now, tasks, tree, options):
    """Refuses response or x_data that have changed since results that are done were made from them."""
    affected, file, known = [], "", {}      # known: {launch: files that have changed since}, for it has thousands of tasks
    for task in tasks:
        status = tree.status(task.name) if task.stage in ("preprocess", "train", "infer", "trial") else None
        if status and status["state"] == "done":
            plan = plan_that_vouches(status, task.name, tree)
            launch = str(plan.get("launch"))
            if launch not in known:
                known[launch] = [name for kind in ("y_data", "x_data") for name, value in recorded(plan, kind).items()
                                 if not same(value, now[kind].get(name))]
            if known[launch]:
                affected.append(task.name)
                file = file or known[launch][0]
    if affected and options.redo != "preprocess" and not options.adopt_data:
        raise Refusal(f"{file} has changed since {len(affected)} of these tasks were done, {affected[0]} first",
                      "--redo preprocess to make them anew, or --adopt_data to take the results as valid")


def script_notes(now, tasks, tree):
    """A sentence for each stage whose script is not the one that results were made with."""
    notes = []
    for stage, value in now["scripts"].items():
        current = f"{value[0]}:{value[2]:08x}" if value and value[2] is not None else ""
        readers = (stage, "train", "trial") if stage == "preprocess" else (stage,)
        old = sum(bool(scripts_of(task, stage, tree) - {"", current}) for task in tasks if task.stage in readers) if current else 0
        if old:
            notes.append(f"the {stage} script has changed since {old} of these ran; --redo {stage} runs them again")
    return notes


def scripts_of(task, stage, tree):
    """The scripts of a stage that a result was made with: its own, and that of its ml_data, which may have been
    deleted and made again since."""
    status = tree.status(task.name)
    if not status or status["state"] != "done":
        return set()
    made_from = status["made_from"] if task.stage != stage else ()
    found = {made.script for made in made_from if isinstance(made.script, str)}
    return found | ({status.get("script", "")} if task.stage == stage else set())
