"""task: one call of a stage script, and how its command line is made from its arguments.

    {"epochs": "5", "input_dir": "ml_data/A-B/split_0"} <-> --epochs 5 --input_dir /out/ml_data/...

A value is a text; a list of texts is an option with several values, an empty list a bare flag;
the empty name holds what stands before the first option. A path inside OUT is relative to OUT, so
a results tree that was moved is the same tree, and 'have the arguments changed' compares two dicts.
"""
import os
import shlex
from typing import NamedTuple, Optional

from core.errors import Refusal
from core.text import as_text

# Stages in the order they run: the end of a script's name, files without which a task is not done,
# further files that later stages read
STAGES = {
    "preprocess": ("_preprocess_improve.py",
                   ("train_y_data.csv", "val_y_data.csv", "test_y_data.csv"), ()),
    "train": ("_train_improve.py", ("val_scores.json",), ("val_y_data_predicted.csv",)),
    "trial": ("hpo_trial.py", ("trial.json",), ()),
    "infer": ("_infer_improve.py", ("test_y_data_predicted.csv",), ("test_scores.json",)),
    "collect": ("collect_scores.py", (), ()),
    "other": ("", (), ()),
}
DIRECTORIES = ("input_dir", "output_dir", "input_data_dir", "input_model_dir", "study")
SPLIT_FILES = ("train_split_file", "val_split_file", "test_split_file")  # a bare name is in splits/
ANYWHERE = ("train_script",)    # a path of a trial that is absolute and compared by its name


class Task(NamedTuple):
    """One call of a stage script."""
    name: str                           # its output directory, relative to OUT
    stage: str
    environment: str = "none"
    script: str = ""                    # absolute path
    arguments: dict = {}
    parents: tuple = ()                 # names of the tasks whose outputs it reads
    source: str = ""
    target: str = ""
    split: Optional[int] = None
    size: Optional[int] = None
    labels: dict = {}                   # further dimensions of a workflow, {"seed": 3}
    array: str = ""                     # its line of the plan; in plan.json the job array
    index: int = 0                      # its place in that
    run: Optional[bool] = None          # whether the launch of this plan runs it, and why
    reason_kind: str = ""
    reason: str = ""
    rebuild: bool = False               # for what needs it; nothing made from it becomes old
    model: Optional[str] = None         # these two are filled in when a plan is read
    y_col_name: Optional[str] = None


def command_line(task, out):
    """Returns [ENV, SCRIPT, ARGS...] with absolute paths: quoted, it is a line of a .tasks file."""
    return [task.environment, task.script, *argument_list(task.arguments, out)]


def argument_list(arguments, out):
    """Returns the list of arguments that a stage script gets."""
    found = []
    # texts that belong to no option first: behind one they would be its values
    for name, value in sorted(arguments.items(), key=lambda pair: pair[0] != ""):
        values = [absolute(name, each, out) for each in (value if isinstance(value, list)
                                                         else [value])]
        if len(values) == 1 and name and values[0].startswith("-"):
            found.append(f"--{name}={values[0]}")   # argparse would take --a or -1e-5 for an option
        else:
            found += ([f"--{name}"] if name else []) + values
    return found


def absolute(name, value, out):
    """The value, with an absolute path if it names something inside OUT."""
    inside = name in DIRECTORIES or name in SPLIT_FILES and "/" in value
    return os.path.normpath(os.path.join(out, value)) if inside else value


def quoted(line):
    """Returns a list of texts quoted for a shell, in one line; a control character is refused."""
    # as_text: under LC_ALL=C, Python 3.6 holds a path with an ü as half characters
    bad = next((text for text in line if not as_text(text).isprintable()), None)
    if bad is not None:
        raise Refusal(f"a value holds a line break or another control character: {bad!r}",
                      "the value without it")
    return " ".join(map(shlex.quote, line))


def read_arguments(line, out):
    """Returns the arguments of a list of texts: the other direction of argument_list."""
    found, name = {"": []}, ""
    for text in line:
        if text.startswith("--") and len(text) > 2:
            name, equals, value = text[2:].partition("=")
            found[name] = [value] if equals else []     # given twice, the last one counts
        else:
            found[name].append(text)
    for name in found.keys() & {*DIRECTORIES, *SPLIT_FILES}:
        found[name] = [inside(path, out) for path in found[name]]
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()
            if name or values}


def inside(path, out):
    """A path relative to OUT if it is inside OUT, else as it was given."""
    if path == out:
        return "."
    return path[len(out) + 1:] if path.startswith(out.rstrip("/") + "/") else path


def changed_arguments(old, new, ignored=()):
    """Returns {name: (old value, new value)} of the arguments that differ; None: not given.
    Scripts are compared by name: a model's folder may have been moved."""
    pairs = {name: (old.get(name), new.get(name)) for name in {**old, **new} if name not in ignored}
    return {name: (one, other) for name, (one, other) in pairs.items() if one != other and not (
        name in ANYWHERE and os.path.basename(str(one)) == os.path.basename(str(other)))}
