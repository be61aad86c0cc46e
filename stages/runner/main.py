"""main: the command line of run_stage.py, and the way of a task from its claim to its verdict.

    ENV SCRIPT ARGS..., or lines of .tasks files -> Call: a task, its results tree and its files
    Call -> claim -> has another runner ended it meanwhile? -> attempts -> verdict
"""
import functools
import os
import shlex
import sys
from contextlib import suppress

from core.errors import FileError, Refusal
from core.files import read_json, reading, size_of, write_whole
from core.improve_files import TRUE
from core.task import ANYWHERE, STAGES, Task, argument_list, inside, read_arguments
from core.tree import LOG, STATUS, read_status, write_text
from stages.runner.attempt import STDERR, STDOUT, Attempt, as_input, say
from stages.runner.claim import Claim, remove
from stages.runner.verdict import judge

INPUTS = ("input_dir", "input_data_dir", "input_model_dir")
PARTS = ("ml_data", "models", "infer", "trials", "scores")     # directories of a results tree
HELP = "bash run_model.sh --help"


def main(argv, signals):
    """Returns the exit code of a command line."""
    try:
        if argv[0] == "--judge":
            return judge_call(Call(argv[1:]))
        if argv[0] == "--environment":
            return say(calls_of(argv[1:])[0].task.environment)
        if argv[0] == "--paths":
            return say("\n".join(paths(calls_of(argv[1:]) if len(argv) > 2 else [])))
        for call in calls_of(argv):
            code = run_call(call, signals)
            if signals.number:
                return 143
    except Refusal as refusal:
        say(refusal.text("run_model").rstrip(), STDERR)
        return 2
    is_several = argv[0] == "--task" and argv[3:] not in ([], ["1"])    # their verdicts are read
    return 0 if is_several or os.environ.get("ALWAYS_EXIT_ZERO") == "1" else code


def judge_call(call):
    """Writes the verdict on the outputs of another program; returns 0 if they are whole."""
    attempt = Attempt(call)
    attempt.outputs["made_from"] = {name: as_input(call.status(name)) for name in call.inputs
                                    if call.status(name)}
    verdict = attempt.verdict = judge(call, 0)
    verdict.reason_kind = verdict.reason_kind or "adopted"
    verdict.reason = verdict.reason.replace("exit code 0", "adopted") or "adopted"
    attempt.write()
    return verdict.exit_code


def paths(calls):
    """Returns the directories that a container has to see, of which the outputs are created."""
    found = {os.path.abspath(__file__).rsplit("/", 3)[0]}     # this project
    for call in calls:
        os.makedirs(call.directory, exist_ok=True)
        found.update([call.out, os.path.dirname(call.task.script), call.folder],
                     filter(os.path.isabs, call.stage_arguments))
    return sorted(filter(os.path.exists, found))


# ---- calls

class Call:
    """A task of [ENV, SCRIPT, ARGS...], and where it belongs; paths are relative to the working
    directory. Refusal.

    out          its results tree; task.name is its directory there
    tasks_file   of the launch that it belongs to; launch: the launch's id, '' by hand
    runs         the tasks of its launch: {name: [reason_kind, 'rebuild' or '']}
    required     files without which it is not done; optional: further files that later stages read
    folder       where the stage runs: the model's, as IMPROVE's own launchers run it
    """

    def __init__(self, line, tasks_file=""):
        given = read_arguments(line[2:], os.devnull)    # paths as they were given
        directory = given.get("output_dir")
        if not isinstance(directory, str):
            raise Refusal("a task is ENV SCRIPT --output_dir DIR ..., not " + " ".join(line), HELP)
        self.directory, self.tasks_file = os.path.abspath(directory), tasks_file
        self.out, self.launch = tree_of(self.directory, tasks_file)
        self.runs = runs_of(os.path.dirname(tasks_file)) if self.launch else {}
        stage, self.required, self.optional = next(
            (stage, *files) for stage, (end, *files) in STAGES.items() if line[1].endswith(end))
        if stage == "infer" and str(given.get("calc_infer_scores")).lower() in TRUE:
            self.required, self.optional = self.optional + self.required, ()
        given.update((name, os.path.abspath(given[name])) for name in ANYWHERE if given.get(name))
        here = os.readlink("/proc/self/cwd")    # os.getcwd() fails in a directory that is gone
        self.task = Task(os.path.relpath(self.directory, self.out), stage, environment=line[0],
                         script=os.path.abspath(line[1]),
                         arguments=read_arguments(argument_list(given, here), self.out))
        self.stage_arguments = argument_list(self.task.arguments, self.out)
        self.folder = os.path.dirname(given.get("train_script") or self.task.script)

    @property
    def inputs(self):
        """Names of the tasks whose outputs it reads."""
        if self.task.stage in ("preprocess", "collect"):
            return []       # they read the benchmark, and whatever is done
        values = [self.task.arguments.get(name, []) for name in INPUTS]
        texts = [value if isinstance(value, list) else [value] for value in values]
        return [path for path in sum(texts, []) if not os.path.isabs(path)]

    def status(self, name):
        """Returns the Status of a task of its results tree, None if there is none."""
        return read_status(os.path.join(self.out, name), self.out)

    def path(self, name):
        return os.path.join(self.directory, name)


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


@functools.lru_cache(maxsize=None)
def runs_of(launch):
    """Returns the rows of runs.tsv, {} without one."""
    path, rows = os.path.join(launch, "runs.tsv"), []
    with suppress(OSError), open(path, encoding="utf-8", errors="surrogateescape") as file:
        rows = [line.rstrip("\n").split("\t") for line in file]
    return {row[0]: row[1:] for row in rows}


def calls_of(argv):
    """Returns the Calls of a command line; an empty line of a file is none. Refusal."""
    if argv[0] != "--task":
        return [Call(argv)]
    lines = argv[1:] if len(argv) != 3 else [*argv[1:], "1"]
    if not lines or len(lines) % 3 or not all(map(str.isdecimal, lines[1::3] + lines[2::3])):
        raise Refusal("--task takes FILE INDEX [COUNT], or several times FILE INDEX COUNT, with "
                      "whole numbers", HELP)
    calls = [call for file, *numbers in zip(lines[::3], lines[1::3], lines[2::3])
             for call in read_calls(file, *map(int, numbers))]
    if len({call.task.environment for call in calls}) > 1:
        raise Refusal("these tasks need several environments, and a runner activates one",
                      "a COUNT of lines with one environment")
    return calls


def read_calls(file, index, count):
    path, number, calls = os.path.abspath(file), index + 1, []
    try:
        # paths as the file functions want them, also in a C locale
        with reading(path), open(path, encoding=sys.getfilesystemencoding(),
                                 errors="surrogateescape") as lines:
            rows = list(lines)[index:index + count]
        for number, row in enumerate(rows, number):
            if row.strip():
                calls.append(Call(shlex.split(row), path))
    except FileError as error:
        raise Refusal(f"task file {error}", "a .tasks file of OUT/launches")
    except ValueError:
        calls = []
    if not calls:
        raise Refusal(f"line {number} of {file} is not a task",
                      "the INDEX of another line, or the launcher again, which writes such files")
    return calls


# ---- one task

def run_call(call, signals):
    """Runs a task to a verdict; returns the stage's exit code, 1 if files are missing, or 143."""
    claim, is_said = Claim(call.directory), False
    try:
        os.makedirs(call.directory, exist_ok=True)
        before = call.status(call.task.name)
        while not claim.take():
            if signals.number:
                return 143
            if not is_said:
                is_said = True
                say(f"waits: {call.directory}: another runner has this task; .claim.* says which")
            signals.wait(1)
        code = verdict_of_another(call, before)
        if code is None:
            attempt = Attempt(call, claim, signals)
            code, verdict = attempt.run(), attempt.verdict
            why = f": {verdict.reason}; see {call.path(LOG)}" if code else ""
            say(f"{verdict.state}: {call.directory}{why}",
                STDERR if verdict.state == "failed" else STDOUT)
        return code
    except (FileError, OSError) as error:
        say(f"failed: {call.directory}: {error}", STDERR)
        return 1
    finally:
        remove(claim.path)


def verdict_of_another(call, before):
    """Returns the exit code if another runner's verdict is this run's as well, None if the task has
    to run. before: the Status when this runner came

    That is a verdict that was written while this runner waited, and a whole result that was written
    after its launch was planned, by this launch or an older one; also a result that is asked for
    again after an attempt with other arguments, which could not start.
    """
    now = call.status(call.task.name)
    # tables of another launch may lack the results of this one
    if call.task.stage == "collect" or now is None or (
            (now.script, now.arguments) != (call.task.script, call.task.arguments)):
        return None
    is_new = before is None or before.written != now.written
    is_whole = all(size_of(call.path(name)) == size for name, size in now.files.items())
    is_own = (call.launch and now.state == "done" and is_whole
              and now.written > os.stat(call.tasks_file).st_mtime_ns)
    is_kept = (now.state != "done" and now.files and is_whole
               and call.runs.get(call.task.name, ["redo"])[0] != "redo"
               and all((call.status(name) or made).stamp == made.stamp
                       for name, made in now.made_from.items()))
    if not (is_own or is_kept or is_new and now.state in ("done", "failed")):
        return None
    record = dict(read_json(call.path(STATUS)), launch=call.launch)
    if is_kept:
        record.update(state="done", reason_kind="", reason="", exit_code=0)
    is_done = record["state"] == "done"
    if is_kept or is_done and call.launch > now.launch:     # planned by a newer launch since
        write_whole(call.path(STATUS), write_text(record))
    say(f"{record['state']} already: {call.directory}")
    return 0 if is_done else now.exit_code or 1
