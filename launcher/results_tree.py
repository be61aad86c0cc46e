"""results_tree: what the launcher knows of an OUT: launches and statuses, each file read once a command.

    OUT/launches/*/plan.json -> Launch, oldest first        OUT/TASK/stage_status.json -> dict
"""
import json
import os
from typing import NamedTuple

from launcher import launch_directory, plan_file
from launcher.tasks import Task

STATUS = "stage_status.json"
LARGEST_STATUS, BLOCK = 1_000_000, 1 << 16  # bytes; a status is a few kilobytes
BROKEN = {"state": "failed", "reason_kind": "broken", "reason": "its stage_status.json is broken",
          "words": [], "made_from": {}, "files": {}}
TASK_DEFAULTS = {"parents": (), "source": "", "target": "", "split": None, "size": None, "labels": {}}
NO_LABELS = {}
INPUT = ("stamp", "words", "script", "out")     # what a status says of each that it was made from
# Texts that many tasks have.
PLANNED_TEXTS = ("stage", "array", "source", "target", "reason_kind", "reason")
STATUS_TEXTS = ("out", "launch", "state", "reason_kind", "reason", "host", "executor", "script")
STATES = ("running", "done", "failed", "interrupted")
ALWAYS = (("state", str), ("words", list), ("made_from", dict), ("files", dict))
IF_GIVEN = (("reason", str), ("reason_kind", str), ("host", str), ("slurm_job", str), ("attempt", int), ("pid", int),
            ("stamp", str), ("launch", str), ("out", str), ("executor", str))
USUAL, USUAL_TYPES = map(list, zip(*ALWAYS, *IF_GIVEN))     # most have all keys
TEXTS = [key for key, kind in IF_GIVEN if kind is str]


class Compact:
    """A dict of known keys, without the memory of one: a plan has 100,000 tasks, and each has a status. What is left out is None."""
    __slots__ = ()

    def __init__(self, record):
        for put, value in zip(self.PUT, map(record.get, self.__slots__)):
            put(self, value)

    def __getitem__(self, key):
        return getattr(self, key)

    def get(self, key, default=None):
        value = getattr(self, key, None)
        return default if value is None else value


class PlannedTask(Compact):
    """A task of plan.json: what tasks.Task has, whether and why that launch runs it, and what it asks for beyond its template."""
    __slots__ = Task._fields + ("run", "reason_kind", "reason", "rebuild", "raised")


class Status(Compact):
    """What the launcher reads of a stage_status.json, and when that was written (ns)."""
    __slots__ = ("out", "launch", "state", "reason_kind", "reason", "exit_code", "attempt", "seconds", "host", "pid", "executor",
                 "slurm_job", "stamp", "script", "words", "made_from", "files", "cpu_seconds", "peak_mb", "more_files", "written")


for kind in (PlannedTask, Status):
    kind.PUT = [getattr(kind, key).__set__ for key in kind.__slots__]   # a third of the time of setattr


class Launch(NamedTuple):
    """A launch that was started: its directory and its plan.json."""
    directory: str
    plan: dict

    @property
    def id(self):
        return os.path.basename(self.directory)

    @property
    def tasks(self):
        return self.plan["tasks"]


class ResultsTree:
    """An OUT. launches: oldest first; dry_launches: of dry runs, whose tasks somebody may have run by hand;
    broken_plans: paths of plans that cannot be read."""

    def __init__(self, out, tasks=()):
        """tasks: those that are planned now; what is equal to theirs is not kept in memory again"""
        self.out, self._statuses = out, {}
        self._tasks, self._texts, self._dicts = {task.name: task for task in tasks}, {}, {}
        self.launches, self.dry_launches, self.broken_plans = [], [], []
        for directory in launch_directory.all_of(out):
            for name, found in (("plan.json", self.launches), ("dry_plan.json", self.dry_launches)):
                path = os.path.join(directory, name)
                if os.path.lexists(path):
                    plan = plan_file.read_plan(path, self._planned_task)
                    if plan is None:
                        self.broken_plans.append(path)
                    else:
                        found.append(Launch(directory, plan))
        self._last_run = None
        self._by_id = {launch.id: launch for launch in self.launches + self.dry_launches}

    def status(self, name):
        """The status of a task, None if it has none; one that cannot be read is a failure."""
        if name not in self._statuses:
            self._statuses[self._name(name)] = self._compact_status(read_status(f"{self.out}/{name}/{STATUS}"), name)
        return self._statuses[name]

    def status_now(self, name):
        """The status of a task as its file is at this moment."""
        self._statuses.pop(name, None)
        return self.status(name)

    # What many tasks have is in memory once: words, names and texts of one are those of another.

    def _planned_task(self, record):
        """A PlannedTask; what a plan leaves out is as tasks.Task has it."""
        for key, default in TASK_DEFAULTS.items():
            record.setdefault(key, default)
        name = record["name"] = self._name(record["name"])
        record["words"] = self._shared_words(name, record["words"], record["parents"])
        record["parents"] = self._shared_parents(name, record["parents"])
        if not record["labels"]:
            record["labels"] = NO_LABELS
        task = PlannedTask(self._with_shared(record, PLANNED_TEXTS))
        self._tasks.setdefault(name, task)
        return task

    def _compact_status(self, record, name):
        if record is None:
            return None
        record["words"] = self._shared_words(name, record["words"])
        record["made_from"] = {self._name(each): self._shared_input(each, input_) for each, input_ in record["made_from"].items()}
        record["files"] = self._shared_dict(record["files"])
        if type(record.get("more_files")) is list:
            record["more_files"] = tuple(record["more_files"])
        return Status(self._with_shared(record, STATUS_TEXTS))

    def _with_shared(self, record, texts):
        """The record with those of its texts that many have, as they are in memory already."""
        for key in texts:
            value = record.get(key)
            if type(value) is str:
                record[key] = self._texts.setdefault(value, value)
        return record

    def _name(self, name):
        return self._tasks[name].name if name in self._tasks else name

    def _shared_parents(self, name, parents):
        """The names of a task's parents as a tuple."""
        parents = tuple(parents)
        known = self._tasks[name].parents if name in self._tasks else None
        return known if parents == known else tuple(map(self._name, parents))

    def _shared_words(self, name, words, parents=()):
        """The words of a task as a tuple. Paths in OUT are words of its parents or its own, all others those of many."""
        words, known = tuple(words), self._tasks[name].words if name in self._tasks else None
        if words == known:
            return known
        there = {word: word for parent in parents[:2] if parent in self._tasks for word in self._tasks[parent].words}
        return tuple([word if type(word) is not str else there.get(word, word) if word.startswith(self.out) else
                      self._texts.setdefault(word, word) for word in words])

    def _shared_dict(self, value):
        """Files of the same names and sizes: the same dict."""
        try:
            return self._dicts.setdefault(tuple(value.items()), value)
        except TypeError:       # a broken status may hold anything
            return value

    def _shared_input(self, name, made_from):
        """What a status says of an input: the status of the input itself if that says the same."""
        if not isinstance(made_from, dict) or type(made_from.get("words")) is not list or type(made_from.get("stamp")) is not str:
            return made_from
        made_from["words"] = self._shared_words(name, made_from["words"])
        there = self._statuses.get(name)
        same = there and (there.stamp, there.words, there.script, there.out) == tuple(map(made_from.get, INPUT))
        return there if same else made_from

    def plan(self, launch_id):
        """The plan of a launch, {} if it is not known."""
        launch = self._by_id.get(launch_id)
        return launch.plan if launch else {}

    def last_run_of(self):
        """{task name: (Launch, planned task)} of the newest launch that runs it."""
        if self._last_run is None:
            self._last_run = {task.name: (launch, task) for launch in self.launches for task in launch.tasks if task.run}
        return self._last_run

    def path(self, *parts):
        return "/".join((self.out, *parts))


def read_status(path):
    try:
        text, written = read_file(path)
        status = json.loads(text)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        return dict(BROKEN, reason_kind="unreadable", reason="its stage_status.json cannot be read (permission denied)")
    except (OSError, ValueError, RecursionError):
        return dict(BROKEN)
    if not is_status(status):
        return dict(BROKEN)
    status["written"] = written
    return status


def read_file(path):
    """The text of a small file and when it was written (ns), in as few calls as can be: 100,000 are read. A pipe of
    that name keeps nobody waiting."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        written = os.fstat(handle).st_mtime_ns
        text = part = os.read(handle, BLOCK)
        while len(part) == BLOCK and len(text) < LARGEST_STATUS:
            part = os.read(handle, BLOCK)
            text += part
    finally:
        os.close(handle)
    return text.decode("utf-8"), written


def is_input(made_from):
    """Whether it is what a status may say of an input; a broken one may hold anything."""
    return isinstance(made_from, (dict, Status))


def is_status(status):
    """Whether a JSON value is what the runner writes; its texts are shown on terminals, so they are printable."""
    if not isinstance(status, dict):
        return False
    if USUAL_TYPES == [type(status.get(key)) for key in USUAL] and "".join(map(status.get, TEXTS)).isprintable():
        return status["state"] in STATES
    for key, kind in ALWAYS:
        if type(status.get(key)) is not kind:
            return False
    for key, kind in IF_GIVEN:
        if key in status and type(status[key]) is not kind or kind is str and not status.get(key, "").isprintable():
            return False
    return status["state"] in STATES
