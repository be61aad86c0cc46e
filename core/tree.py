"""tree: what is in a results tree: launches, tasks and statuses, each file read once a command.

    OUT/launches/*/plan.json -> Launch, oldest first -> tasks: the newest plan that names one wins
    OUT/TASK/stage_status.json -> Status

Nothing is written here, and nothing in a tree makes it raise: a file that cannot be read is a
Status in state 'failed', a note, or no launch. docs/files.md explains every key. Whether a task is
done is decided in core/rules.py alone.
"""
import json
import os
from typing import Dict, NamedTuple, Optional

from core.errors import FileError
from core.files import on_disk, read_json
from core.task import Task, read_arguments
from core.text import as_text

STATUS, LOG = "stage_status.json", "log.txt"
STATES = ("running", "done", "failed", "interrupted")
LARGEST_STATUS = 1000000        # bytes; a status is a few kilobytes


class Status(NamedTuple):
    """A stage_status.json: what the runner says of the last attempt at a task."""
    state: str                          # one of STATES
    reason_kind: str = ""
    reason: str = ""
    exit_code: Optional[int] = None
    attempt: int = 0
    stamp: str = ""                     # unique for each attempt
    launch: str = ""                    # '' by hand
    started: str = ""
    ended: str = ""
    seconds: Optional[float] = None
    cpu_seconds: Optional[float] = None
    peak_mb: Optional[float] = None
    host: str = ""
    pid: Optional[int] = None
    process_started: str = ""           # clock ticks from boot to the start of pid
    executor: str = ""
    slurm_job: str = ""
    environment: str = ""
    script: str = ""
    script_fingerprint: str = ""        # SIZE:CRC32 of the stage script
    arguments: Dict[str, object] = {}
    made_from: Dict[str, "Input"] = {}  # name of the task -> what it was
    read_files: Dict[str, list] = {}    # split file -> its fingerprint when it was read
    files: Dict[str, int] = {}          # contract file -> bytes
    rebuild: bool = False
    notes: tuple = ()
    written: int = 0                    # ns, by the clock of the file server
    is_old: bool = False                # written before statuses held arguments


class Input(NamedTuple):
    """What a status says of a task that it was made from."""
    stamp: str
    arguments: Dict[str, object] = {}
    script_fingerprint: str = ""
    read_files: Dict[str, list] = {}


class Launch(NamedTuple):
    """A launch: its id (UTC), its directory, plan.json as a dict, and its Tasks."""
    id: str
    directory: str
    plan: dict
    tasks: tuple

    @property
    def names(self):
        return {task.name for task in self.tasks}


class ResultsTree:
    """A results tree at `out`.

    launches, dry_launches   oldest first; nothing of a dry run was started by its launcher
    tasks                    {name: Task} of the newest plan that names it, parents first; of a dry
                             run those that somebody ran, or all if they are its own and no launch
                             came later
    plan                     plan.json of the newest launch (else of the newest dry run), else {}
    notes                    a sentence for each file that cannot be read
    """

    def __init__(self, out):
        self.out, self.notes, self._statuses = out, [], {}
        self.launches, self.dry_launches = [], []
        for name in self.names("launches"):
            for file, found in (("plan.json", self.launches), ("dry_plan.json", self.dry_launches)):
                path = self.path("launches", name, file)
                if os.path.lexists(path):
                    launch = self._read_launch(path, name)
                    found += [launch] if launch else []
        newest = (self.launches or self.dry_launches)[-1:]
        self.plan = newest[0].plan if newest else {}
        self.synthetic = any(launch.plan.get("synthetic") is True
                             for launch in self.launches + self.dry_launches)
        self.tasks = self._merged_tasks()

    def _read_launch(self, path, name):
        try:
            plan = read_json(path)
            tasks = tuple(task_of(record, plan) for record in plan["tasks"])
            if not isinstance(plan["workflow"], str):
                raise ValueError("its workflow is no text")
            return Launch(name, os.path.dirname(path), dict(plan, launch=name), tasks)
        except FileError as error:
            self.notes.append(f"a plan was ignored: {as_text(str(error))}")
        except (AttributeError, KeyError, TypeError, ValueError):
            self.notes.append(f"a plan was ignored: {as_text(path)}: is not a plan")
        return None

    def _merged_tasks(self):
        tasks = {}
        for launch in self.launches:
            tasks.update((task.name, task) for task in launch.tasks)
        newest = self.launches[-1].id if self.launches else ""
        for launch in self.dry_launches:        # somebody may have run its lines by hand
            statuses = {task.name: self.status(task.name) for task in launch.tasks}
            goes_on = launch.id > newest and any(status and status.launch == launch.id
                                                 for status in statuses.values())
            for task in launch.tasks:
                if task.name not in tasks and (goes_on or statuses[task.name]):
                    tasks[task.name] = task
        return parents_first(tasks)

    def path(self, *parts):
        return "/".join((self.out, *map(on_disk, parts)))

    def names(self, directory):
        """Returns the sorted names in a directory of the tree; none if it does not exist."""
        path = self.path(directory) if directory else self.out
        try:
            return sorted(map(as_text, os.listdir(path))) if os.path.isdir(path) else []
        except OSError as error:
            self.notes.append(f"{as_text(path)} cannot be read ({error.strerror or error})")
            return []

    def status(self, name):
        """Returns the Status of a task, None if there is none."""
        if name not in self._statuses:
            self._statuses[name] = read_status(self.path(name), self.out)
        return self._statuses[name]

    def forget(self, name):
        """The next status() reads the file again."""
        self._statuses.pop(name, None)

    def written(self, *parts):
        """Returns when a file of the tree was written (ns), 0 if it does not exist."""
        try:
            return os.stat(self.path(*parts)).st_mtime_ns
        except OSError:
            return 0

    def assume_adopted(self, task):
        """Counts a task as adopted, as a dry run of --adopt does."""
        self._statuses[task.name] = Status("done", "adopted", arguments=task.arguments,
                                           script=task.script)

    def changed_files(self, name):
        """Returns the names of those files that do not have the size that the status says."""
        status = self.status(name)
        return [file for file, size in status.files.items()
                if size_of(self.path(name, file)) != size]

    def last_runs(self):
        """Returns {task name: (Launch, Task)} of the newest launch that runs each task."""
        return {task.name: (launch, task) for launch in self.launches
                for task in launch.tasks if task.run}


def size_of(path):
    """Returns the bytes of a file, None if there is none."""
    try:
        return os.stat(path).st_size
    except (OSError, ValueError):       # a malformed status may name anything
        return None


def parents_first(tasks):
    """Returns {name: Task} with parents before children; plans that were merged may mix their
    order."""
    ordered, seen = {}, set()

    def add(task):
        seen.add(task.name)     # parents of a malformed plan may go round in a circle
        for name in task.parents:
            if name in tasks and name not in seen:
                add(tasks[name])
        ordered[task.name] = task

    for task in tasks.values():
        if task.name not in seen:
            add(task)
    return ordered


# ---- plan.json

def task_of(record, plan):
    """Returns the Task of one entry of a plan; any of four exceptions if it is none."""
    known = {field: record[field] for field in Task._fields if record.get(field) is not None}
    if "words" in record:       # a plan of before arguments were a dict
        known.update(old_call(record["words"], plan.get("output_dir") or ""))
    task = Task(**dict(known, name=checked_name(record["name"]), stage=record["stage"],
                       parents=tuple(map(checked_name, record.get("parents") or ())),
                       model=plan.get("model"), y_col_name=plan.get("y_col_name")))
    texts = (task.stage, task.environment, task.script, task.source, task.target, task.array)
    dicts = (task.arguments, task.labels)
    if not all(isinstance(text, str) for text in texts) or not all(isinstance(value, dict)
                                                                   for value in dicts):
        raise TypeError(record)
    if not all(type(number) in (int, type(None)) for number in (task.index, task.split, task.size)):
        raise TypeError(record)
    return task


def old_call(words, out):
    """Returns environment, script and arguments of [ENV, SCRIPT, ARGS...] in files of before."""
    return {"environment": words[0], "script": words[1],
            "arguments": read_arguments(words[2:], out)}


def checked_name(name):
    """Returns the name of a task, which stays inside OUT."""
    name.encode("utf-8", "surrogateescape")
    if not as_text(name).isprintable() or name.startswith("/") or {"", ".."} & set(name.split("/")):
        raise ValueError(name)
    return name


# ---- stage_status.json

BROKEN = Status("failed", "broken", "its stage_status.json is broken")


def read_status(directory, out):
    """Returns the Status in a task's directory, None if there is none; out: the results tree."""
    path = os.path.join(directory, STATUS)
    try:
        written = os.stat(path).st_mtime_ns
        if not os.access(path, os.R_OK):
            raise PermissionError
        record = read_json(path, LARGEST_STATUS)
        return status_of(record, out)._replace(written=written)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        return BROKEN._replace(reason_kind="unreadable",
                               reason="its stage_status.json cannot be read (permission denied)")
    except (FileError, OSError, AttributeError, KeyError, TypeError, ValueError):
        return BROKEN


def status_of(record, out):
    """Returns the Status of what a stage_status.json holds; any of four exceptions if it is
    none."""
    known = {field: record[field] for field in Status._fields if record.get(field) is not None}
    if "words" in record:
        known.update(old_call(record["words"], record.get("out") or out), is_old=True,
                     script_fingerprint=record.get("script") or "")
    known["made_from"] = {checked_name(name): input_of(made, record, out)
                          for name, made in record.get("made_from", {}).items()}
    known["notes"] = tuple(map(str, record.get("notes") or ()))
    status = Status(**known)
    check_types(status)
    return status


def input_of(made, record, out):
    arguments = made.get("arguments") or {}
    if "words" in made:
        was = made.get("out") or record.get("out") or out
        arguments = old_call(made["words"], was)["arguments"]
    fingerprint = made.get("script_fingerprint") or made.get("script") or ""
    return Input(str(made.get("stamp") or ""), dict(arguments), str(fingerprint),
                 dict(made.get("read_files") or {}))


TEXTS = ("state", "reason_kind", "reason", "stamp", "launch", "host", "executor", "slurm_job",
         "environment", "script", "script_fingerprint")
NUMBERS = ("seconds", "cpu_seconds", "peak_mb")


def check_types(status):
    """Raises TypeError or ValueError unless everybody can rely on the values; texts are
    printable."""
    if status.state not in STATES or type(status.attempt) is not int:
        raise ValueError(status.state)
    for text in (*(getattr(status, name) for name in TEXTS), *status.files, *status.read_files):
        if not as_text(text).isprintable():
            raise ValueError(text)
    for name in NUMBERS:
        value = getattr(status, name)
        if value is not None and not 0 <= value < float("inf"):
            raise ValueError(name)
    for value in (status.arguments, status.files, status.read_files):
        if not isinstance(value, dict):
            raise TypeError(value)


def process_started(pid):
    """Returns the start of a process of this host in clock ticks after boot, as text.

    '' if there is none, or it has ended and nobody has asked how. A number alone may be another's
    by now.
    """
    try:
        with open("/proc/{}/stat".format(pid)) as file:
            fields = file.readline().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[:1] in (["Z"], ["X"]) else "".join(fields[19:20])


def write_text(status):
    """Returns a record as the text of a stage_status.json, one key a line."""
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in status.items()]
    return "{" + ",\n ".join(lines) + "}\n"
