"""tree: what is in a results tree: launches, tasks and statuses, each file read once a command.

    OUT/launches/*/plan.json -> Launch, oldest first -> tasks: the newest plan that names one wins
    OUT/TASK/stage_status.json -> Status

Nothing is written here, and nothing in a tree makes it raise: a file that cannot be read is a
Status in state 'failed', a note, or no launch. docs/files.md explains every key. Whether a task is
done is decided in core/rules.py alone.
"""
import json
import os
import re
from typing import NamedTuple, Optional, Union

from core.errors import FileError
from core.files import on_disk, read_json
from core.task import STAGES, Task, read_arguments
from core.text import as_text

STATUS, LOG, CLAIM = "stage_status.json", "log.txt", ".claim."
DEAD_AFTER = 300        # seconds without a sign of life after which a claim is dead
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
    seconds: Union[int, float, None] = None
    peak_mb: Union[int, float, None] = None
    host: str = ""
    pid: Optional[int] = None
    process_started: str = ""           # clock ticks from boot to the start of pid
    slurm_job: str = ""
    environment: str = ""
    script: str = ""
    script_fingerprint: str = ""        # SIZE:CRC32 of the stage script
    arguments: dict = {}
    made_from: dict = {}                # name of an input -> part of its Status of then
    read_files: dict = {}               # split file -> its fingerprint when it was read
    files: dict = {}                    # contract file -> bytes
    rebuild: bool = False
    notes: list = []                    # sentences
    written: int = 0                    # ns, by the clock of the file server
    is_old: bool = False                # written before statuses held arguments


class Launch(NamedTuple):
    """A launch: its id (UTC), its directory, plan.json as a dict, and its Tasks."""
    id: str
    directory: str
    plan: dict
    tasks: tuple

    def job_name(self, array):
        """Returns Slurm's name of the job that runs an array of this launch."""
        return f"{self.plan['workflow']}.{self.id}.{array}"


class ResultsTree:
    """A results tree at `out`; its launches are in their order, the oldest first."""

    def __init__(self, out):
        self.out, self._statuses, self._slurm_files = out, {}, {}
        self.notes = []                     # a sentence for each file that cannot be read
        names = self.names("launches")
        self.launches = self._read_launches(names, "plan.json")
        self.plans = [launch.plan for launch in self.launches]
        self.plan = self.plans[-1] if self.plans else {}
        self.synthetic = any(plan.get("synthetic") is True for plan in self.plans)
        # the newest plan that names a task counts; parents stand before children
        tasks = {task.name: task for launch in self.launches for task in launch.tasks}
        in_order = sorted(tasks.values(), key=lambda task: (*STAGES, task.stage).index(task.stage))
        self.tasks = {task.name: task for task in in_order}
        # {task name: (Launch, Task)} of the newest launch that runs each task
        self.last_runs = {task.name: (launch, task) for launch in self.launches
                          for task in launch.tasks if task.run}

    def _read_launches(self, names, file):
        found = []
        for name in names:
            path = self.path("launches", name, file)
            if not os.path.lexists(path):
                continue
            try:
                plan = read_json(path)
                tasks = tuple(task_of(record, plan) for record in plan["tasks"])
                if not isinstance(plan["workflow"], str):
                    raise ValueError("its workflow is no text")
                found.append(Launch(name, os.path.dirname(path), dict(plan, launch=name), tasks))
            except FileError as error:
                self.notes.append(f"a plan was ignored: {as_text(str(error))}")
            except (AttributeError, KeyError, TypeError, ValueError):
                self.notes.append(f"a plan was ignored: {as_text(path)}: is not a plan")
        return found

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

    def status(self, name, again=False):
        """Returns the Status of a task, None if there is none; again: the file is read again."""
        if again or name not in self._statuses:
            self._statuses[name] = read_status(self.path(name), self.out)
        return self._statuses[name]

    def written(self, *parts):
        """Returns when a file of the tree was written (ns), 0 if it does not exist."""
        try:
            return os.stat(self.path(*parts)).st_mtime_ns
        except OSError:
            return 0

    def slurm_output(self, name):
        """Returns the path of what Slurm wrote of the newest job that runs a task, '' without one:
        the only witness if a job ended before the runner (a full disk, a broken site.sh)."""
        if name not in self.last_runs:
            return ""
        launch, task = self.last_runs[name]
        folder = f"launches/{launch.id}/slurm"
        if folder not in self._slurm_files:
            found = (re.fullmatch(r"(.+)_(\d+)_(\d+)\.out", file) for file in self.names(folder))
            self._slurm_files[folder] = {       # of two jobs with one name the later one's
                (match.group(1), int(match.group(3))): self.path(folder, match.string)
                for match in sorted(filter(None, found), key=lambda match: int(match.group(2)))}
        return self._slurm_files[folder].get((launch.job_name(task.array), task.index), "")


TYPES = {kind: {name: getattr(hint, "__args__", (hint,))
                for name, hint in kind.__annotations__.items()} for kind in (Task, Status)}


def task_of(record, plan):
    """Returns the Task of one entry of a plan; any of four exceptions if it is none."""
    record = today(record, plan.get("output_dir") or "")
    return checked(Task, dict(
        record, name=checked_name(record["name"]),
        parents=tuple(map(checked_name, record.get("parents") or ())),
        model=plan.get("model"), y_col_name=plan.get("y_col_name")))


def status_of(record, out):
    """Returns the Status of a stage_status.json's content; any of four exceptions if it is none."""
    record = today(record, out)
    made_from = {checked_name(name): status_of(dict(made, state="done", made_from={}),
                                               record.get("out") or out)
                 for name, made in record.get("made_from", {}).items()}
    status = checked(Status, dict(record, made_from=made_from))
    if status.state not in STATES:
        raise ValueError(status.state)
    return status


def today(record, out):
    """Returns a record as it is written today; arguments were the list `words` once."""
    if "words" not in record:
        return record
    environment, script, *words = record["words"]
    return dict(record, environment=environment, script=script, is_old=True,
                arguments=read_arguments(words, record.get("out") or out),
                script_fingerprint=record.get("script"))


def checked(kind, record):
    """Returns the Task or Status (kind) of a record, on which everybody can rely: values are of
    the types that it declares, texts and keys printable, numbers not negative; null counts as not
    given. TypeError or ValueError otherwise."""
    given = {name: record[name] for name in kind._fields if record.get(name) is not None}
    for name, value in given.items():
        if type(value) not in TYPES[kind][name]:
            raise TypeError(name)
        texts = value if isinstance(value, dict) else [value] if isinstance(value, str) else ()
        is_number = isinstance(value, (int, float))
        if not all(map(is_printable, texts)) or is_number and not 0 <= value < float("inf"):
            raise ValueError(name)
    return kind(**given)


def is_printable(text):
    return text.isprintable() or as_text(text).isprintable()


def checked_name(name):
    """Returns the name of a task, which stays inside OUT."""
    if not is_printable(name) or name.startswith("/") or {"", ".."} & set(name.split("/")):
        raise ValueError(name)
    return name


def read_status(directory, out):
    """Returns the Status in a task's directory, None if there is none; out: the results tree."""
    path = os.path.join(directory, STATUS)
    try:
        written = os.stat(path).st_mtime_ns
        return status_of(read_json(path, LARGEST_STATUS), out)._replace(written=written)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (FileError, OSError, AttributeError, KeyError, TypeError, ValueError):
        return Status("failed", "broken", "its stage_status.json is broken or cannot be read")


def process_started(pid):
    """Returns the start of a process of this host in clock ticks after boot, as text; '' if it has
    ended. A number alone may be another's by now."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            state, *numbers = file.read().rpartition(")")[2].split()
    except (OSError, ValueError):
        return ""
    return "" if state in "ZX" else numbers[18]


def write_text(status):
    """Returns a record as the text of a stage_status.json, one key a line."""
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in status.items()]
    return "{" + ",\n ".join(lines) + "}\n"
