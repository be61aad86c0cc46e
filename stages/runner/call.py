"""call: one call of a stage script, as a command line or a line of a .tasks file gives it.

    ENV SCRIPT ARGS... -> Call: task, results tree, launch, expected files
"""
import os
import shlex
import sys
from typing import NamedTuple

from core.errors import FileError, Refusal
from core.files import reading
from core.improve_files import TRUE
from core.task import ANYWHERE, Task, argument_list, inside, read_arguments

# End of a script's name -> (stage, files without which it is not done, further files that it
# leaves)
STAGES = (
    ("_preprocess_improve.py", "preprocess",
     ("train_y_data.csv", "val_y_data.csv", "test_y_data.csv"), ()),
    ("_train_improve.py", "train", ("val_scores.json",), ("val_y_data_predicted.csv",)),
    ("_infer_improve.py", "infer", ("test_y_data_predicted.csv",), ("test_scores.json",)),
    ("hpo_trial.py", "trial", ("trial.json",), ()),
    ("collect_scores.py", "collect", (), ()),
    ("", "other", (), ()),
)
INPUTS = ("input_dir", "input_data_dir", "input_model_dir")
PARTS = ("ml_data", "models", "infer", "trials", "scores")     # directories of a results tree
PROJECT = os.path.abspath(__file__).rsplit("/", 3)[0]
HELP = "bash run_model.sh --help"


class Call(NamedTuple):
    """A task, and where it belongs.

    out          its results tree; task.name is its directory there
    tasks_file   of the launch that it belongs to; launch: the launch's id, '' by hand
    required     files without which it is not done; optional: further files that later stages read
    runs         the tasks of its launch: {name: [reason_kind, 'rebuild' or '']}
    """
    task: Task
    out: str
    tasks_file: str
    launch: str
    required: tuple
    optional: tuple
    runs: dict

    @property
    def directory(self):
        return os.path.join(self.out, self.task.name)

    @property
    def folder(self):
        """Where the stage runs: in the model's folder, as IMPROVE's own launchers run it."""
        return os.path.dirname(self.task.arguments.get("train_script") or self.task.script)

    @property
    def inputs(self):
        """Names of the tasks whose outputs it reads."""
        if self.task.stage in ("preprocess", "collect"):
            return []       # they read the benchmark, and whatever is done
        found = []
        for name in INPUTS:
            value = self.task.arguments.get(name, [])
            found += [value] if isinstance(value, str) else value
        return [path for path in found if not os.path.isabs(path)]

    @property
    def stage_arguments(self):
        return argument_list(self.task.arguments, self.out)

    def path(self, name):
        return os.path.join(self.directory, name)


# ---- one call

def read_call(line, tasks_file=""):
    """Returns the Call of [ENV, SCRIPT, ARGS...]; paths are relative to the working directory."""
    given = read_arguments(line[2:], os.devnull)    # paths as they were given
    directory = given.get("output_dir")
    if not isinstance(directory, str):
        raise Refusal("a task is ENV SCRIPT --output_dir DIR ..., not " + " ".join(line), HELP)
    directory = os.path.abspath(directory)
    out, launch = tree_of(directory, tasks_file)
    stage, required, optional = next(row[1:] for row in STAGES if line[1].endswith(row[0]))
    if stage == "infer" and str(given.get("calc_infer_scores")).lower() in TRUE:
        required, optional = optional + required, ()
    given.update((name, os.path.abspath(given[name])) for name in ANYWHERE if given.get(name))
    here = os.readlink("/proc/self/cwd")    # os.getcwd() fails in a directory that is gone
    arguments = read_arguments(argument_list(given, here), out)
    task = Task(os.path.relpath(directory, out), stage, environment=line[0],
                script=os.path.abspath(line[1]), arguments=arguments)
    return Call(task, out, tasks_file, launch, required, optional,
                runs_of(tasks_file) if launch else {})


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


# ---- several calls

def calls_of(argv):
    """Returns the Calls of a command line. Refusal."""
    if argv[0] != "--task":
        return [read_call(argv)]
    lines = argv[1:] if len(argv) != 3 else [*argv[1:], "1"]
    if not lines or len(lines) % 3:
        raise Refusal("--task takes FILE INDEX [COUNT], or several times FILE INDEX COUNT", HELP)
    calls = [call for at in range(0, len(lines), 3) for call in read_calls(*lines[at:at + 3])]
    if len({call.task.environment for call in calls}) > 1:
        raise Refusal("these tasks need several environments, and a runner activates one",
                      "a COUNT of lines with one environment")
    return calls


def read_calls(file, index, count):
    """Returns the Calls of COUNT lines from INDEX on, some of which may be empty. Refusal."""
    if not (index.isdecimal() and count.isdecimal()):
        raise Refusal(f"INDEX and COUNT are whole numbers, not {index!r} {count!r}",
                      "bash run_model.sh --task FILE 0")
    path, first = os.path.abspath(file), int(index)
    number, calls = first + 1, []
    try:
        # paths as the file functions want them, also in a C locale
        encoding = {"encoding": sys.getfilesystemencoding(), "errors": "surrogateescape"}
        with reading(path), open(path, **encoding) as lines:
            rows = list(lines)[first:first + int(count)]
        for number, row in enumerate(rows, first + 1):
            if row.strip():
                calls.append(read_call(shlex.split(row), path))
    except FileError as error:
        raise Refusal(f"task file {error}", "a .tasks file of OUT/launches")
    except ValueError:
        calls = []
    if not calls:
        raise Refusal(f"line {number} of {file} is not a task",
                      "the INDEX of another line, or the launcher again, which writes such files")
    return calls


def paths(calls):
    """Returns the directories that a container has to see, of which the outputs are created."""
    found = {PROJECT}
    for call in calls:
        os.makedirs(call.directory, exist_ok=True)
        found.update([call.out, os.path.dirname(call.task.script), call.folder],
                     filter(os.path.isabs, call.stage_arguments))
    return sorted(filter(os.path.exists, found))
