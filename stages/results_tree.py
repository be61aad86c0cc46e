"""results_tree: reads a results tree: what was planned, what came of it, the scores.

    OUT/launches/*/plan.json            -> tasks, merged over launches
    OUT/TASK/stage_status.json          -> verdict: done, failed, stale, ...
    OUT/TASK/test_scores.json,
      else test_y_data_predicted.csv    -> scores

Examples:
    tree = Tree("runs/csa_baseline")
    tree.verdict("infer/gCSI-CCLE/split_0")        # Verdict(state='done', ...)
    read_results(tree, tree.tasks.values())        # {task name: Result(scores, ...)}

What all workflows share; which tasks a tree without plans holds is the
workflow's to say, in csa_tables.py and its like. Nothing is written here, and
nothing in a tree makes it raise: what cannot be read is a verdict, a problem or
a note. Names of tasks are relative to OUT, which may have been moved since.
"""
import json
import math
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from operator import sub
from typing import NamedTuple, Optional

import metrics
from improve_files import FileError, read_predictions, read_scores

LARGEST_JSON = 1 << 27      # bytes; a plan of 10,000 tasks has about 10 million
LONGEST_INTEGER = 18        # digits; longer ones are slow to convert
FEW_BYTES = 30 * 1000000    # of predictions; reading less is not worth a second process
STAGES = ("preprocess", "train", "trial", "infer", "collect")     # in the order they run
STAGE_FILES = {             # without a status, a stage is judged by these: one has to stand
    "preprocess": ("test_y_data.csv",),
    "train": ("val_scores.json", "val_y_data_predicted.csv"),
    "trial": ("trial.json",),
    "infer": ("test_scores.json", "test_y_data_predicted.csv"),
}
FAILURES = ("failed", "interrupted", "unreadable", "incomplete")


class Task(NamedTuple):
    """One run of one stage, as a plan or the tree names it."""
    name: str                       # its output directory, relative to OUT
    stage: str
    source: str
    target: Optional[str] = None
    split: Optional[int] = None
    size: Optional[int] = None
    parents: tuple = ()             # names of the tasks whose outputs it reads
    words: tuple = ()               # ENV SCRIPT ARGS...; empty where no plan names it
    rehearsed: tuple = ()           # words of a dry run, which may be run by hand
    run: Optional[bool] = None      # False: it was done before the launch
    model: Optional[str] = None
    y_col_name: Optional[str] = None


class Status(NamedTuple):
    """A stage_status.json."""
    state: str
    reason: str = ""
    exit_code: Optional[int] = None
    attempt: Optional[int] = None
    stamp: Optional[str] = None
    words: tuple = ()
    made_from: dict = {}            # task name -> (stamp, words)
    files: dict = {}                # file name -> bytes


class Verdict(NamedTuple):
    """done, or what else a task is.

    failed, interrupted, running: the runner says so; waiting: planned, has not
    run; stale: made from other things than now planned; unreadable: damaged
    files; without a status and a launch that runs it, incomplete: its directory
    lacks its files, missing: there is none.
    """
    state: str
    reason: str = ""
    exit_code: Optional[int] = None


class Result(NamedTuple):
    """Scores of one infer task; problem: why there are none; note: what else is wrong."""
    scores: dict
    problem: str = ""
    note: str = ""


class Gap(NamedTuple):
    """A score that is not there, and the first task on the way to it that went wrong."""
    task: Task
    culprit: str
    stage: str
    state: str
    reason: str
    exit_code: Optional[int] = None
    log: str = ""


class Report(NamedTuple):
    """What a workflow's collector returns; collect_scores.py writes it."""
    files: dict                     # file name -> text, or None: an old one is removed
    found: int                      # results with scores
    gaps: list                      # one Gap per result without
    text: str                       # the table for the terminal
    notes: list                     # one sentence each
    top_files: dict = {}            # file name -> text, written into OUT itself


# ---- files

def on_disk(name):
    """Returns a name as the file functions want it; under LANG=C old Pythons take bytes for ASCII."""
    return os.fsdecode(name.encode("utf-8", "surrogateescape"))


def as_text(name):
    """Returns the name of a file as the text that its bytes are in UTF-8."""
    try:
        return os.fsencode(name).decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:      # it was text already
        return name


def printable(text):
    """Returns text without characters that move the cursor or cannot be written."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def stands(path):
    """Tells whether something bears this name; FileError where that cannot be known."""
    try:
        os.lstat(path)
        return True
    except FileNotFoundError:
        return False
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror or error})")


def read_json(path):
    """Returns what a JSON file holds, whatever that is; FileError where it holds none."""
    try:
        if not os.path.isfile(path):
            raise FileError(f"{path}: is not a file")
        with open(path, "rb") as file:
            data = file.read(LARGEST_JSON + 1)
        if len(data) > LARGEST_JSON:
            raise FileError(f"{path}: is too large")
        return json.loads(data.decode("utf-8-sig", "surrogateescape"), parse_int=_integer)
    except RecursionError:
        raise FileError(f"{path}: is nested too deeply")
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror or error})")
    except ValueError as error:
        raise FileError(f"{path}: is not JSON ({error})")


def _integer(digits):
    return int(digits) if len(digits) <= LONGEST_INTEGER else float(digits)


# ---- plans

def read_plans(out):
    """Returns (plans, notes): the readable plans of OUT/launches, oldest first, dry runs among them."""
    plans, notes = [], []
    launches = os.path.join(out, "launches")
    try:
        names = sorted(os.listdir(launches)) if stands(launches) else []
    except (OSError, FileError):
        return [], [f"{launches} cannot be read"]
    for name in names:
        paths = [os.path.join(launches, name, file) for file in ("plan.json", "dry_plan.json")]
        path = next(filter(os.path.lexists, paths), None)
        if path is None:                    # not a launch, or one that is being written
            continue
        try:
            plans.append(_checked_plan(read_json(path), dry_run=path == paths[1]))
        except FileError as error:
            notes.append(f"a plan was left out: {error}")
        except (AttributeError, KeyError, TypeError, ValueError):
            notes.append(f"a plan was left out: {path}: is not a plan")
    return plans, notes


def _checked_plan(plan, dry_run):
    """Returns a plan whose tasks are Tasks; any of four exceptions where it is none."""
    tasks = [_planned_task(entry, plan) for entry in plan["tasks"]]
    return {"workflow": _text(plan["workflow"]), "tasks": tasks, "dry_run": dry_run,
            "synthetic": plan.get("synthetic") is True,
            "launch": _text(plan.get("launch")), "model": _text(plan.get("model")),
            "command": _texts(plan.get("command") or [])}


def _planned_task(entry, plan):
    return Task(
        name=_name(entry["name"]), stage=_text(entry["stage"]), source=_text(entry.get("source")),
        target=_text(entry.get("target")), split=_number(entry.get("split")),
        size=_number(entry.get("size")), parents=tuple(map(_name, _texts(entry["parents"]))),
        words=_texts(entry["words"]), run=bool(entry.get("run", True)),
        model=_text(plan.get("model")), y_col_name=_text(plan.get("y_col_name")))


def _text(value):
    if value is not None and not isinstance(value, str):
        raise TypeError(value)
    return value


def _texts(values):
    if not isinstance(values, list) or None in values:
        raise TypeError(values)
    return tuple(map(_text, values))


def _number(value):
    if value is not None and not isinstance(value, int):
        raise TypeError(value)
    return value


def _name(value):
    """Returns the name of a task, which stays inside OUT."""
    value.encode("utf-8", "surrogateescape")
    if "\0" in value or value.startswith("/") or {"", ".."} & set(value.split("/")):
        raise ValueError(value)
    return value


def merge_tasks(plans, has_run):
    """Returns the tasks of plans (oldest first) by name: the newest that names a task wins.

    A dry run started nothing, so it takes no launch's place. What it wrote may
    be run by hand: its words are kept beside the others, and a task that no
    launch names is taken from it where has_run(name).
    """
    tasks = {}
    for plan in sorted(plans, key=lambda plan: plan["dry_run"]):
        for task in plan["tasks"]:
            if not plan["dry_run"]:
                tasks[task.name] = task
            elif task.name in tasks:
                tasks[task.name] = tasks[task.name]._replace(rehearsed=task.words)
            elif has_run(task.name):
                tasks[task.name] = task
    return tasks


# ---- words

def words_equal(old, new, old_out, new_out):
    """Tells whether two tasks' words ask for the same thing.

    old, new: ENV SCRIPT ARGS...; old_out, new_out: the results tree that each
    was written for, None where unknown. ENV does not matter, nor which target's
    ml_data a model is trained on: the training data is the same in all. A
    folder that was moved, with what stands beside OUT, is not a new experiment.
    """
    if len(old) != len(new):
        return False
    old_head, new_head = _moved_heads(old_out, new_out)
    for option, was, now in zip(new, old[1:], new[1:]):
        if was == now or _moved(was, old_head, new_head) == now:
            continue
        trained = option == "--input_dir" and _training_split(now, new_out)
        if not trained or trained != _training_split(was, old_out):
            return False
    return True


def _moved_heads(old_out, new_out):
    """Returns what differs between two paths: both without their longest common end."""
    if old_out is None or new_out is None:
        return "", ""
    old, new = old_out.split("/"), new_out.split("/")
    while old and new and old[-1] == new[-1]:
        old.pop()
        new.pop()
    return "/".join(old), "/".join(new)


def _moved(word, old_head, new_head):
    if word.startswith(old_head + "/") or word and word == old_head:
        return new_head + word[len(old_head):]
    return word


def _training_split(word, out):
    """Returns split_K of a path OUT/ml_data/PAIR/split_K, None for any other word."""
    if out is None or not word.startswith(out + "/ml_data/"):
        return None
    parts = word[len(out + "/ml_data/"):].split("/")
    return parts[1] if len(parts) == 2 else None


def results_tree_of(words, name):
    """Returns the OUT that a task's words were written for, None where they do not say."""
    for option, value in zip(words, words[1:]):
        if option == "--output_dir" and value.rstrip("/").endswith("/" + name):
            return value.rstrip("/")[:-len(name) - 1]
    return None


# ---- the tree

class Tree:
    """A results tree at `out`. tasks: name -> Task; plan: the newest one, or {}; notes: sentences."""

    def __init__(self, out):
        self.out, self._statuses, self._verdicts = out, {}, {}
        plans, self.notes = read_plans(out)
        launches = [plan for plan in plans if not plan["dry_run"]] or plans
        self.plan = launches[-1] if launches else {}
        self.synthetic = any(plan["synthetic"] for plan in launches)
        self.tasks = merge_tasks(
            [plan for plan in plans if plan["workflow"] == self.plan["workflow"]],
            has_run=lambda name: self.status(name) is not None)
        self.planned = bool(self.tasks)

    def path(self, name):
        return os.path.join(self.out, on_disk(name))

    def names(self, directory):
        """Returns the sorted names in a directory of the tree; none where it is not there."""
        path = self.path(directory)
        try:
            return sorted(map(as_text, os.listdir(path))) if os.path.isdir(path) else []
        except OSError as error:
            self.notes.append(f"{as_text(path)} cannot be read ({error.strerror or error})")
            return []

    def status(self, name):
        """Returns the Status of a task, None where there is no status file."""
        if name not in self._statuses:
            self._statuses[name] = self._read_status(name)
        return self._statuses[name]

    def _read_status(self, name):
        path = os.path.join(self.path(name), "stage_status.json")
        try:
            return _checked_status(read_json(path)) if stands(path) else None
        except FileError as error:
            return Status("unreadable", as_text(str(error)))
        except (AttributeError, KeyError, TypeError, ValueError):
            return Status("unreadable", f"{as_text(path)}: is not a status")

    def verdict(self, name):
        """Returns the Verdict on a task: done only where its outputs are those now planned."""
        if name not in self._verdicts:
            self._verdicts[name] = Verdict("done")      # ends a circle in damaged files
            self._verdicts[name] = self._judge(name)
        return self._verdicts[name]

    def _judge(self, name):
        status = self.status(name)
        if status is None:
            return self._judge_by_files(self.tasks.get(name))
        if status.state != "done":
            return Verdict(status.state, status.reason, status.exit_code)
        why = self._why_stale(name, status)
        return Verdict("stale", why) if why else Verdict("done")

    def _judge_by_files(self, task):
        """Judges a task without a status: not run yet, or made by IMPROVE's own tools."""
        if task is None:
            return Verdict("done")
        if task.run:
            return Verdict("waiting", "has not run")
        files = STAGE_FILES.get(task.stage, ())
        try:
            if not files or any(stands(os.path.join(self.path(task.name), file)) for file in files):
                return Verdict("done")
        except FileError as error:
            return Verdict("unreadable", as_text(str(error)))
        if os.path.isdir(self.path(task.name)):     # a stage makes it before anything else
            return Verdict("incomplete", f"has no {' and no '.join(files)}")
        return Verdict("missing", "is not there")

    def _why_stale(self, name, status):
        """Returns why a task that was done is out of date, '' where it is not."""
        if not self._as_planned(name, status.words):
            return "was made with other arguments than those now planned"
        for parent, (stamp, words) in status.made_from.items():
            now = self.status(parent)
            if now is None:         # ml_data may be deleted after use
                if not self._as_planned(parent, words):
                    return f"was made from {parent} with other arguments than those now planned"
            elif now.stamp != stamp:
                if not self._made_again(parent, now, words):
                    return f"was made from an older {parent}"
            elif self.verdict(parent).state != "done":
                return f"was made from {parent}, which {self.verdict(parent).reason}"
        return ""

    def _made_again(self, name, status, words):
        """Tells whether ml_data was deleted after use and is made again: the same data."""
        return ("ml_data" in name.split("/") and status.attempt == 1
                and self._as_planned(name, words)
                and words_equal(words, status.words, results_tree_of(words, name),
                                results_tree_of(status.words, name)))

    def _as_planned(self, name, words):
        task = self.tasks.get(name)
        if task is None or not task.words or not words:
            return True
        return any(words_equal(words, planned, results_tree_of(words, name),
                               results_tree_of(planned, name))
                   for planned in (task.words, task.rehearsed))

    def gap(self, task, problem=""):
        """Returns the Gap of a task without a score, `problem` being what reading it met."""
        culprit, verdict = task, Verdict("unreadable", problem)
        if not problem:
            culprit, verdict = self._first_wrong(task)
        return Gap(task, culprit.name, culprit.stage, verdict.state, verdict.reason,
                   verdict.exit_code, self._log(culprit.name))

    def _first_wrong(self, task):
        """Returns (task, verdict) of the first stage that failed, else of the first not done.

        What has not run comes last: deleted ml_data looks as if it had not.
        """
        judged = [(each, self.verdict(each.name)) for each in self._ancestors(task)]
        wrong = [pair for pair in judged if pair[1].state in FAILURES]
        wrong += [pair for pair in judged if pair[1].state in ("running", "stale")]
        wrong += [pair for pair in judged if pair[1].state != "done"]
        return wrong[0]

    def _ancestors(self, task):
        """Returns what a task is made from, directly or not, and itself, in the order of stages."""
        found = [task]
        for each in found:
            found += [self.tasks[name] for name in each.parents
                      if name in self.tasks and self.tasks[name] not in found]
        return sorted(reversed(found), key=lambda each: STAGES.index(each.stage)
                      if each.stage in STAGES else len(STAGES))

    def _log(self, name):
        for file in ("log.txt", "logs.txt"):        # ours; IMPROVE's brute force
            path = os.path.join(self.path(name), file)
            if os.path.lexists(path):
                return as_text(path)
        return ""


def _checked_status(content):
    """Returns a Status; any of four exceptions where the content is none."""
    code, attempt = content.get("exit_code"), content.get("attempt")
    return Status(
        state=str(content["state"]), reason=str(content.get("reason") or ""),
        exit_code=code if isinstance(code, int) else None,
        attempt=attempt if isinstance(attempt, int) else None, stamp=_text(content.get("stamp")),
        words=_texts(content.get("words") or []),
        made_from={_name(name): (_text(made["stamp"]), _texts(made.get("words") or []))
                   for name, made in (content.get("made_from") or {}).items()},
        files=dict(content.get("files") or {}))


# ---- scores

def read_results(tree, tasks):
    """Returns {name: Result} of tasks that are done; the large ones are read side by side."""
    jobs = []
    for task in tasks:
        status = tree.status(task.name)
        jobs.append((tree.path(task.name), status.files if status else {}, task.y_col_name))
    return dict(zip([task.name for task in tasks], _read_all(jobs)))


def _read_all(jobs):
    processes = min(_cores(), 8, len(jobs))
    if processes > 1 and sum(map(_bytes_to_read, jobs)) > FEW_BYTES:
        try:
            with ProcessPoolExecutor(processes) as pool:
                return list(pool.map(_read_in_worker, jobs))
        except (BrokenProcessPool, OSError, ImportError, NotImplementedError):
            pass        # a worker was out of memory, or this machine has no semaphores
    return list(map(read_result, jobs))


def _cores():
    try:
        return len(os.sched_getaffinity(0))     # what Slurm gave, not what the node has
    except AttributeError:
        return os.cpu_count() or 1


def _bytes_to_read(job):
    try:
        return os.path.getsize(os.path.join(job[0], "test_y_data_predicted.csv"))
    except OSError:
        return 0


def _read_in_worker(job):
    signal.signal(signal.SIGINT, signal.SIG_IGN)    # ^C is the parent's to answer
    return read_result(job)


def read_result(job):
    """Returns the Result in a directory. job: (directory, {file: bytes expected}, y_col_name).

    scores: metric -> float, nan where undefined. They come from test_scores.json,
    which has the unrounded values; mae, which IMPROVE leaves out of it, from the
    predictions where those stand; all six from there where there is no JSON.
    """
    try:
        scores, note = _read_result(*job)
    except FileError as error:
        return Result({}, as_text(str(error)))
    first = scores.get("mse", next(iter(scores.values()), math.nan))
    if not math.isfinite(first):        # the runner judges by the same number
        return Result({}, f"{as_text(job[0])}: holds no finite score")
    return Result({name: value if math.isfinite(value) else math.nan
                   for name, value in scores.items()}, "", note)


def _read_result(directory, sizes, y_col_name):
    json_path = os.path.join(directory, "test_scores.json")
    csv_path = os.path.join(directory, "test_y_data_predicted.csv")
    if not stands(json_path):
        if not stands(csv_path):
            raise FileError(f"{directory}: has neither test_scores.json nor test_y_data_predicted.csv")
        predictions = _read_whole(read_predictions, csv_path, sizes, y_col_name)
        return metrics.regression_scores(predictions.true, predictions.pred), ""
    content = _read_whole(read_scores, json_path, sizes)
    scores = {name: content[name] for name in metrics.METRICS if name in content}
    if not scores:
        raise FileError(f"{json_path}: holds none of {', '.join(metrics.METRICS)}")
    try:
        if "mae" not in scores and stands(csv_path):
            predictions = _read_whole(read_predictions, csv_path, sizes, y_col_name)
            scores["mae"] = mean_absolute_error(predictions.true, predictions.pred)
    except FileError as error:
        return scores, f"no mae: {as_text(str(error))}"
    return scores, ""


def _read_whole(reader, path, sizes, *arguments):
    """Returns reader(path, ...); FileError where the file is not the one that the status tells of."""
    expected = sizes.get(os.path.basename(path))
    try:
        found = os.path.getsize(path)
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror or error})")
    if expected is not None and found != expected:
        raise FileError(f"{path}: has {found} bytes, its status tells of {expected}")
    return reader(path, *arguments)


def mean_absolute_error(true, pred):
    """Returns the mean of |true - pred|; nan where it leaves the range of floats."""
    try:
        return math.fsum(map(abs, map(sub, true, pred))) / len(true)
    except OverflowError:
        return math.nan
