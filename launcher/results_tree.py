"""results_tree: what the launcher knows of an OUT: launches and statuses, each file read once a command.

    OUT/launches/*/plan.json -> Launch, oldest first        OUT/TASK/stage_status.json -> Status
"""
import functools
import os
from typing import NamedTuple

from launcher import launch_directory, plan_file, readers
from launcher.status_file import STATUS, bytes_of, changed_files, is_input, read_status
from launcher.tasks import Task

TASK_DEFAULTS = {"parents": (), "source": "", "target": "", "split": None, "size": None, "labels": {}}
NO_LABELS = {}


class Record:
    """A dict of known keys, without the memory of one: a plan has 100,000 tasks, and each has a status. What many records
    have in common (ALIKE) is one tuple for them all. What is left out is None."""
    __slots__ = ("alike",)
    ALIKE = ()

    def __init__(self, alike, *values):
        self.alike = alike
        for put, value in zip(self.PUT, values):
            put(self, value)

    def __getitem__(self, key):
        return getattr(self, key)

    def get(self, key, default=None):
        value = getattr(self, key, None)
        return default if value is None else value


class PlannedTask(Record):
    """A task of plan.json: what tasks.Task has, whether and why its Launch runs it, and what it asks for beyond its template."""
    __slots__ = ("name", "index", "words", "parents", "split", "labels", "raised")
    ALIKE = ("stage", "array", "source", "target", "size", "run", "reason_kind", "reason", "rebuild", "launch")


class Status(Record):
    """What the launcher reads of a stage_status.json. made_from: an Input each, or that task's Status if it says the same;
    bytes: of all its outputs; changed_files: those that are not there as they were; written: when (ns)."""
    __slots__ = ("name", "words", "made_from", "stamp", "slurm_job", "pid", "seconds", "cpu_seconds", "peak_mb", "bytes",
                 "changed_files", "written")
    ALIKE = ("launch", "state", "reason_kind", "reason", "exit_code", "attempt", "host", "executor", "script", "out")


class Input(NamedTuple):
    """What a status says of a task that it was made from; words: None if that is broken."""
    name: str
    words: tuple
    stamp: str
    script: str
    out: str


for kind in (PlannedTask, Status):
    kind.PUT = [getattr(kind, key).__set__ for key in kind.__slots__]   # a third of the time of setattr
    for at, key in enumerate(kind.ALIKE):
        setattr(kind, key, property(lambda self, at=at: self.alike[at]))


class Launch:
    """A launch that was started: its directory, and its plan.json without the tasks, which are read when somebody asks."""

    def __init__(self, directory, plan, read_tasks=tuple):
        self.directory, self.plan, self.id = directory, plan, os.path.basename(directory)
        self._read_tasks, self._tasks, self._names = read_tasks, None, None

    @property
    def tasks(self):
        """[PlannedTask], parents before children."""
        if self._tasks is None:
            self._tasks = self._read_tasks(self)
        return self._tasks

    @property
    def names(self):
        """The names of all its tasks, those that it does not run too."""
        if self._names is None:
            self._names = {task.name for task in self.tasks}
        return self._names


class ResultsTree:
    """An OUT. launches: oldest first; dry_launches: of dry runs, whose tasks somebody may have run by hand;
    broken_plans: paths of plans that cannot be read, as far as somebody has asked."""

    def __init__(self, out, tasks=()):
        """tasks: those that are planned now; what is equal to theirs is not kept in memory again"""
        self.out, self._statuses, self._last_run = out, {}, None
        self._tasks, self._known, self._words = {task.name: task for task in tasks}, {}, {}
        self.launches, self.dry_launches, self.broken_plans = [], [], []
        for directory in launch_directory.all_of(out):
            for name, found in (("plan.json", self.launches), ("dry_plan.json", self.dry_launches)):
                path = os.path.join(directory, name)
                if os.path.lexists(path):
                    plan = plan_file.read_head(path)
                    if plan is None:
                        self.broken_plans.append(path)
                    else:
                        found.append(Launch(directory, plan, functools.partial(self._read_tasks, path)))
        self._by_id = {launch.id: launch for launch in self.launches + self.dry_launches}

    def _read_tasks(self, path, launch):
        """The tasks of a launch; none if one of them cannot be read."""
        tasks = plan_file.read_tasks(path, lambda record: self._planned_task(record, launch))
        if tasks is None:
            self.broken_plans.append(path)
        return tasks or []

    def read_ahead(self, names):
        """Reads the statuses of these tasks, parents first: sooner than one by one."""
        self._words.clear()     # of plans: 200,000 paths, which are in their tasks now
        unread = [name for name in names if name not in self._statuses]
        if not os.path.isdir(self.out):
            self._statuses.update(dict.fromkeys(unread))
            return
        for facts, name in zip(readers.each(self._facts, unread), unread):
            self._note(name, facts)

    def status(self, name):
        """The Status of a task, None if it has none; one that cannot be read is a failure."""
        try:
            return self._statuses[name]
        except KeyError:
            return self.status_now(name)

    def status_now(self, name):
        """The Status of a task as its file is at this moment."""
        return self._note(name, self._facts(name))

    def plan(self, launch_id):
        """The plan of a launch, {} if it is not known."""
        launch = self._by_id.get(launch_id)
        return launch.plan if launch else {}

    def last_run_of(self):
        """{task name: PlannedTask of the newest launch that runs it}"""
        if self._last_run is None:
            self._last_run = {task.name: task for launch in self.launches for task in launch.tasks if task.run}
        return self._last_run

    def path(self, *parts):
        return "/".join((self.out, *parts))

    # What many tasks have is in memory once: words, names and texts of one are those of another.

    def _facts(self, name):
        """The values of a task's Status behind its name, as readers can pass them on; words that are as planned are True."""
        record = read_status(self.path(name, STATUS))
        if record is None:
            return None
        words = self._words_or_true(name, record["words"])
        made_from = [(each, self._words_or_true(each, made["words"]), made["stamp"], made.get("script"), made.get("out"))
                     if is_input(made) else (each, None, None, None, None) for each, made in record["made_from"].items()]
        is_done = record["state"] == "done"
        return (self._once(tuple(map(record.get, Status.ALIKE))), words, made_from, record.get("stamp"), record.get("slurm_job"),
                None if is_done else record.get("pid"), record.get("seconds"), record.get("cpu_seconds"), record.get("peak_mb"),
                bytes_of(record), changed_files(self.path(name), record["files"]) if is_done else (), record.get("written"))

    def _words_or_true(self, name, words):
        words, known = tuple(words), self._tasks.get(name)
        return known is not None and words == known.words or tuple(map(self._once, words))

    def _note(self, name, facts):
        """Keeps what _facts found as a Status, and returns that."""
        known, status = self._tasks.get(name), None
        name = known.name if known else name
        if facts is not None:
            alike, words, made_from, *others = facts
            made_from = tuple([self._input(*made) for made in made_from])
            status = Status(alike, name, known.words if words is True else words, made_from, *others)
        self._statuses[name] = status
        return status

    def _input(self, name, words, stamp, script, out):
        known = self._tasks.get(name)
        if words is True:
            words = known.words
        there = self._statuses.get(name)
        if there is not None and (there.words, there.stamp, there.script, there.out) == (words, stamp, script, out):
            return there
        return Input(known.name if known else name, words, stamp, script, out)

    def _planned_task(self, record, launch):
        """A PlannedTask; what a plan leaves out is as tasks.Task has it."""
        record = {**TASK_DEFAULTS, **record, "launch": launch}
        share, name, words, parents = self._words.setdefault, record["name"], record["words"], record["parents"]
        task = PlannedTask(self._once(tuple(map(record.get, PlannedTask.ALIKE))), share(name, name), record["index"],
                           tuple(map(share, words, words)), tuple(map(share, parents, parents)), record["split"],
                           record["labels"] or NO_LABELS, record.get("raised"))
        known = self._tasks.setdefault(name, task)
        task.name = known.name
        if known.words == task.words:
            task.words = known.words
        if known.parents == task.parents:
            task.parents = known.parents
        return task

    def _once(self, value):
        """The value as it is in memory already."""
        try:
            return self._known.setdefault(value, value)
        except TypeError:       # a broken file may hold anything
            return value
