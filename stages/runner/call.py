"""call: one call of a stage script, as a command line or a line of a .tasks file gives it.

    ENV SCRIPT ARGS... -> Call: task, results tree, launch, expected files
"""
import os
import shlex
import sys
from typing import Dict, NamedTuple, Tuple

from core.errors import FileError, Refusal
from core.files import reading
from core.parameters import TRUE
from core.task import (ANYWHERE, DIRECTORIES, SPLIT_FILES, Task, argument_list, inside,
                       read_arguments)

# End of a script's name -> (stage, files without which it is not done, further files that it
# leaves)
STAGES = (
    ("_preprocess_improve.py", "preprocess",
     ("train_y_data.csv", "val_y_data.csv", "test_y_data.csv"), ()),
    ("_train_improve.py", "train", ("val_scores.json",), ("val_y_data_predicted.csv",)),
    ("_infer_improve.py", "infer", ("test_y_data_predicted.csv",), ("test_scores.json",)),
    ("hpo_trial.py", "trial", ("trial.json",), ()),
    ("collect_scores.py", "collect", (), ()),
)
INPUTS = ("input_dir", "input_data_dir", "input_model_dir")
PARTS = ("ml_data", "models", "infer", "trials", "scores")     # directories of a results tree
HELP = "bash run_model.sh --help"


class Call(NamedTuple):
    """A task, and where it belongs.

    out          its results tree; task.name is its directory there
    tasks_file   of the launch that it belongs to; launch: the launch's id. '' by hand
    required     files without which it is not done; optional: further files that later stages read
    runs         the tasks of its launch: {name: [reason_kind, 'rebuild' or '']}
    """
    task: Task
    out: str
    tasks_file: str = ""
    launch: str = ""
    required: Tuple[str, ...] = ()
    optional: Tuple[str, ...] = ()
    runs: Dict[str, list] = {}

    @property
    def directory(self):
        return os.path.join(self.out, self.task.name)

    @property
    def folder(self):
        """Where the stage runs: in the model's folder, as IMPROVE's own launchers run it."""
        return os.path.dirname(self.task.arguments.get("train_script") or self.task.script)

    @property
    def inputs(self):
        """The directories that it reads; a path inside OUT is relative to OUT."""
        found = []
        for value in (self.task.arguments.get(name, []) for name in INPUTS):
            found += value if isinstance(value, list) else [value]
        return found

    @property
    def stage_arguments(self):
        return argument_list(self.task.arguments, self.out)

    def path(self, name):
        return os.path.join(self.directory, name)


# ---- one call

def read_call(line, tasks_file=""):
    """Returns the Call of [ENV, SCRIPT, ARGS...]; paths are relative to the working directory."""
    if len(line) < 2:
        raise Refusal("a task is ENV SCRIPT ARGS...", HELP)
    given = read_arguments(line[2:], os.devnull)    # OUT is not known yet
    directory = given.get("output_dir")
    if not isinstance(directory, str):
        raise Refusal("the task has no --output_dir: " + " ".join(line), HELP)
    directory = os.path.abspath(directory)
    out, launch = tree_of(directory, tasks_file)
    stage, required, optional = stage_of(line[1], given)
    task = Task(os.path.relpath(directory, out), stage, line[0], os.path.abspath(line[1]),
                {name: in_tree(name, value, out) for name, value in given.items()})
    return Call(task, out, tasks_file, launch, required, optional,
                runs_of(tasks_file) if launch else {})


def in_tree(name, value, out):
    """Returns an argument with absolute paths, those inside OUT relative to OUT."""
    if isinstance(value, list):
        return [in_tree(name, each, out) for each in value]
    if name in ANYWHERE:
        return os.path.abspath(value)
    is_path = name in DIRECTORIES or name in SPLIT_FILES and "/" in value
    return inside(os.path.abspath(value), out) if is_path else value


def stage_of(script, arguments):
    """Returns (stage, required files, optional files)."""
    for suffix, stage, required, optional in STAGES:
        if script.endswith(suffix):
            if stage == "infer" and str(arguments.get("calc_infer_scores")).lower() in TRUE:
                return stage, optional + required, ()
            return stage, required, optional
    return "other", (), ()


def tree_of(directory, tasks_file):
    """Returns (results tree, launch) by the .tasks file, else by the names of directories."""
    launches, launch = os.path.split(os.path.dirname(tasks_file))
    out, name = os.path.split(launches)
    if name == "launches" and inside(directory, out) != directory:      # else the tree was copied
        return out, launch
    above = [directory.rsplit("/", count)[0] for count in range(1, directory.count("/"))]
    trees = [folder for folder in above if os.path.isdir(os.path.join(folder, "launches"))]
    trees += [os.path.dirname(folder) for folder in above if os.path.basename(folder) in PARTS]
    return (trees or [os.path.dirname(directory)])[0], ""


def runs_of(tasks_file):
    """Returns {task name: [reason_kind, 'rebuild' or '']} of the tasks that a launch runs."""
    path = os.path.join(os.path.dirname(tasks_file), "runs.tsv")
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            rows = [line.rstrip("\n").split("\t") for line in file]
    except OSError:
        return {}
    return {row[0]: row[1:] for row in rows}


def setting(name, default):
    """Returns the whole number of an environment variable. Refusal."""
    text = os.environ.get(name) or str(default)
    if not text.isdecimal():
        raise Refusal(f"{name} is {text!r}, not a whole number", f"{name}=1, or leave it out")
    return int(text)


# ---- lines of a .tasks file

def read_calls(file, index, count="1"):
    """Returns the Calls of COUNT lines from INDEX on, some of which may be empty. Refusal."""
    if not (index.isdecimal() and count.isdecimal()):
        raise Refusal(f"INDEX and COUNT are whole numbers, not {index!r} {count!r}",
                      "bash run_model.sh --task FILE 0")
    path, first, calls = os.path.abspath(file), int(index), []
    try:
        # paths as the file functions want them, also in a C locale
        encoding = {"encoding": sys.getfilesystemencoding(), "errors": "surrogateescape"}
        with reading(path), open(path, **encoding) as lines:
            rows = list(lines)[first:first + int(count)]
    except FileError as error:
        raise Refusal(f"task file {error}", "a .tasks file of OUT/launches")
    for number, row in enumerate(rows, first + 1):
        if row.strip():
            try:
                calls.append(read_call(shlex.split(row), path))
            except ValueError:
                raise Refusal(f"line {number} of {file} is not a task",
                              "run the launcher again, which writes such files")
    if not calls:
        raise Refusal(f"line {first + 1} of {file} is not a task", "the INDEX of another line")
    return calls
