"""resume: which of the planned tasks are done already, and which are to run.

    tasks + the status files in OUT -> {task name: why it runs}

A task is done when the words now planned equal the words of its status, its files
have the sizes that the status says, and each input is the one it was made from.
The runner judged it once; here its verdict is read.
"""
import json
import os

from launcher.refusal import Refusal

STATUS = "stage_status.json"
NEVER_RUN = "never run"
LARGEST_STATUS = 1_000_000  # bytes; a status is a few kilobytes


def read_status(out, name):
    """The status of a task, or None where it has none; a broken one counts as a failure."""
    path = os.path.join(out, name, STATUS)
    try:
        # A pipe of that name would keep its reader waiting for ever.
        if os.path.exists(path) and not os.path.isfile(path):
            return dict(BROKEN)
        with open(path, encoding="utf-8") as file:
            status = json.loads(file.read(LARGEST_STATUS))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError):
        return dict(BROKEN)
    return status if is_status(status) else dict(BROKEN)


BROKEN = {"state": "failed", "reason": "its stage_status.json is broken", "words": [], "made_from": {}, "files": {}}
STATES = ("running", "done", "failed", "interrupted")
ALWAYS = (("state", str), ("words", list), ("made_from", dict), ("files", dict))
WHERE_GIVEN = (("reason", str), ("host", str), ("slurm_job", str), ("attempt", int), ("pid", int), ("stamp", str))


def is_status(status):
    """Whether a JSON value is what the runner writes; its texts are shown on terminals, so they are printable."""
    if not isinstance(status, dict) or any(not isinstance(status.get(key), kind) for key, kind in ALWAYS):
        return False
    given = [(status[key], kind) for key, kind in WHERE_GIVEN if key in status]
    return (status["state"] in STATES and all(type(value) is kind for value, kind in given)
            and all(value.isprintable() for value, kind in given if kind is str))


def decide(tasks, out, redo=None):
    """{name: why} of the tasks that are to run, in the order of the plan.

    redo: a stage that runs anew, with what follows it.
    """
    statuses = {task.name: read_status(out, task.name) for task in tasks}
    by_name = {task.name: task for task in tasks}
    why = {}
    for task in tasks:
        reason = "asked for with --redo" if task.stage == redo else verdict(task, statuses, by_name, out)
        follows = next((name for name in task.parents if name in why and not rebuildable(name, why, by_name)), None)
        if reason or follows:
            why[task.name] = reason or f"follows {follows}"
    return without_unused(tasks, why, by_name)


def rebuildable(name, why, by_name):
    """ml_data that was deleted after use: making it again makes nothing else old."""
    return by_name[name].stage == "preprocess" and why[name] == NEVER_RUN


def without_unused(tasks, why, by_name):
    """Deleted ml_data is made again only where a task that runs needs it."""
    needed = {parent for task in tasks if task.name in why and task.stage != "collect" for parent in task.parents}
    kept = {name: reason for name, reason in why.items()
            if name in needed or not rebuildable(name, why, by_name)}
    if not any(by_name[name].stage != "collect" for name in kept):
        kept = {name: reason for name, reason in kept.items() if not reason.startswith("follows ")}
    return {task.name: kept[task.name] for task in tasks if task.name in kept}


def verdict(task, statuses, by_name, out):
    """Why a task is not done; '' where it is."""
    status = statuses[task.name]
    if status is None:
        return NEVER_RUN
    if status["state"] != "done":
        return f"{status['state']}: {status.get('reason', '')}"
    if not same_words(status["words"], task.words, recorded_out(status["words"], task.name), out, task.stage):
        return "its parameters have changed"
    for name, size in status["files"].items():
        if not has_size(os.path.join(out, task.name, name), size):
            return f"its {name} was deleted or changed"
    for name, made_from in status["made_from"].items():
        if not same_input(task, name, made_from, statuses, by_name, out):
            return f"its input {name} has changed"
    return ""


def has_size(path, size):
    try:
        return os.path.getsize(path) == size
    except (OSError, ValueError):  # a broken status may name anything
        return False


def same_input(task, name, made_from, statuses, by_name, out):
    """Whether the input that stands there is the run that this task was made from.

    Deleted ml_data, and ml_data made again after that (attempt 1), counts as the
    same where its words are the same.
    """
    status = statuses[name] if name in statuses else read_status(out, name)
    if not isinstance(made_from, dict) or not isinstance(made_from.get("words"), list):
        return False
    if status is not None and status.get("stamp") == made_from.get("stamp"):
        return True
    if "ml_data" not in name.split("/") or (status is not None and status.get("attempt") != 1):
        return False
    planned = by_name.get(name) or next((by_name[parent] for parent in task.parents), None)
    if planned is None:
        return False
    return same_words(made_from["words"], planned.words, recorded_out(made_from["words"], name), out,
                      "any target" if task.stage == "train" else "preprocess")


# Values that may differ: training data made for any target is the same.
FREE = {"train": ("--input_dir",), "any target": ("--output_dir", "--test_split_file")}


def same_words(old, new, old_out, new_out, kind):
    """Whether two calls are the same experiment: ENV aside, and wherever OUT stood then."""
    if len(old) != len(new) or not all(isinstance(word, str) for word in old):
        return False
    old_head, new_head = moved(old_out, new_out)
    free = FREE.get(kind, ())
    return all(a == b or relocated(a, old_head, new_head) == b or new[at] in free
               for at, (a, b) in enumerate(zip(old[1:], new[1:])))


def recorded_out(words, name):
    """OUT as it was when these words ran: their --output_dir without the task's name."""
    for option, value in zip(words, words[1:]):
        if option == "--output_dir" and str(value).endswith("/" + name):
            return value[:-len(name) - 1]
    return ""


def moved(old_out, new_out):
    """What was renamed when OUT moved: both paths without the end they share."""
    old, new = old_out.split("/"), new_out.split("/")
    while old and new and old[-1] == new[-1]:
        old.pop()
        new.pop()
    return "/".join(old), "/".join(new)


def relocated(word, old_head, new_head):
    if old_head and (word == old_head or word.startswith(old_head + "/")):
        return new_head + word[len(old_head):]
    return word


def foreign_outputs(tasks, out):
    """Names of tasks whose directory holds files, but no status: some other program's."""
    return [task.name for task in tasks
            if task.stage != "collect" and read_status(out, task.name) is None and holds_files(os.path.join(out, task.name))]


def holds_files(directory):
    try:
        return any(name != "log.txt" and not name.startswith(".") for name in os.listdir(directory))
    except OSError:
        return False


def refuse_foreign(tasks, out, redo):
    """Outputs that no run of ours made are never overwritten unasked."""
    stages = {"preprocess": ("preprocess", "train", "infer"), "train": ("train", "infer"), "infer": ("infer",)}
    names = foreign_outputs([task for task in tasks if task.stage not in stages.get(redo, ())], out)
    if names:
        raise Refusal(f"{names[0]} and {len(names) - 1} more in {out} hold outputs without a {STATUS}",
                      "--adopt to take them as done, --redo STAGE to make them anew, or another --output_dir")
