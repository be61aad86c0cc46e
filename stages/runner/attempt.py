"""attempt: runs the stage script once, passes signals on to it, and writes what came of it."""
import os
import sys
import time

try:
    import _signal as signal    # the module around it imports enum
except ImportError:
    import signal

from runner.environment import note_environment
from runner.inputs import check_inputs
from runner.peaks import Peaks
from runner.status import (LOG, Failure, executor, fingerprint, host, open_without_following, read_status, remove, slurm_job,
                           utc, write_status)
from runner.verdict import judge, last_words, listed_outputs, signal_name

PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
A_MOMENT = 0.5      # seconds
IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)    # a stage need not
OWN_SETTINGS = ("STAGE_PYTHON", "ACTIVATION_LOG", "ACTIVATION_ERROR", "TASK_EXECUTOR")


class Signals:
    """TERM, INT and HUP are passed on to the running stage and noted. A signal may be the time limit,
    scancel, preemption or a requeue: the runner cannot tell which. An ignored one stays ignored (nohup)."""

    def __init__(self):
        self.number, self.children, self.on_signal = 0, [], None
        for number in PASSED_ON:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self.note)

    def note(self, number, frame):
        self.number = number
        if self.children:
            self.pass_on()

    def pass_on(self):
        for child in self.children:
            try:
                os.kill(child, signal.SIGTERM)
            except OSError:
                pass    # it has just ended
        if self.on_signal:
            self.on_signal()


class Attempt:
    """One attempt at a task that this process has claimed, and the status that it writes."""

    def __init__(self, task, claim, signals):
        self.task, self.claim, self.signals = task, claim, signals
        self.before = read_status(task.directory)
        number = self.before.get("attempt")
        self.number = number + 1 if isinstance(number, int) and 0 < number < 10 ** 9 else 1
        self.began = time.time()
        self.made_from, self.kept, self.usage = {}, self.whole_before(), None
        self.peaks, self.peak = None, (None, None)
        self.stage_started = self.is_written = False
        self.stamp = "{}.{:06d}.{}.{}".format(utc(self.began), int(self.began % 1 * 1e6), host(), os.getpid())

    def whole_before(self):
        """The status of outputs that are done: kept until an attempt really starts its stage."""
        return self.before if self.before.get("state") == "done" else self.before.get("kept")

    def run(self):
        """Runs the stage and writes the verdict; returns the exit code."""
        task, activation_error = self.task, os.environ.get("ACTIVATION_ERROR")
        try:
            start = self.open_log()
            if not os.access(task.script, os.R_OK):
                raise Failure("no_script", "stage script {} does not exist".format(task.script))
            self.made_from = check_inputs(task, self.signals)
            if activation_error:
                raise Failure("environment", "environment {} could not be activated on {}: {}".format(
                    task.words[0], host(), activation_error))
            if self.signals.number:
                return self.end_interrupted()
            code = self.call_stage()
            if self.signals.number:
                return self.end_interrupted()
            judge(task, code)
        except Failure as failure:
            if self.signals.number:
                return self.end_interrupted()
            words, kind = last_words(task.path(LOG), start) if self.stage_started else ("", "")
            self.write("failed", kind if kind and failure.kind == "exit_code" else failure.kind,
                       with_last_words(failure, words), failure.exit_code)
            return failure.exit_code
        self.write("done", "", "", 0)
        return 0

    def open_log(self):
        """Writes the header, and what activation said; returns where the attempt begins in the log."""
        task, job = self.task, slurm_job()
        self.log = open_without_following(task.path(LOG))
        start = os.lseek(self.log, 0, os.SEEK_END)
        header = "=== attempt {} at {} on {}{}\n===  {}\n".format(
            self.number, utc(self.began), host(), ", job " + job if job else "", " ".join(map(quoted, task.words)))
        os.write(self.log, header.encode("utf-8", "surrogateescape"))
        os.write(self.log, activation_log())
        return start

    def call_stage(self):
        """The stage's exit code; 128 + number if a signal ended it."""
        note_environment(self.task)
        self.kept = None
        self.stage_started = True
        self.write("running", "", "", None)
        for name in self.task.required + self.task.optional:
            remove(self.task.path(name))
        self.signals.on_signal = lambda: self.write("interrupted", "signal", "signal " + signal_name(self.signals.number), 143)
        self.peaks = Peaks()
        signal.signal(signal.SIGALRM, self.show_life)
        args, on_node = self.place_of_stage()
        self.signals.children = [self.start_stage(args, on_node.path if on_node else self.task.directory)]
        if self.signals.number:
            self.signals.pass_on()
        _, status, self.usage = os.wait4(self.signals.children[0], 0)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) in PASSED_ON and not self.signals.number:
            time.sleep(A_MOMENT)    # who ends a job tells the stage and its runner, in any order
        self.signals.children, self.signals.on_signal = [], None
        signal.signal(signal.SIGALRM, self.claim.touch)
        self.peak = self.peaks.end(self.usage)
        code = 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        if on_node:
            on_node.end(self.task, code, self.signals, self.is_current)
        return code

    def show_life(self, *_):
        self.claim.touch()
        self.peaks.tick()

    def place_of_stage(self):
        """(the arguments of the stage, the NodeFolder that it writes into or None)"""
        args, on_node = self.task.args, None
        if os.environ.get("STAGE_IN"):
            from runner.staging import staged_args      # here, since few use it
            args = staged_args(self.task, self.log, self.signals)
        if os.environ.get("STAGE_OUT"):
            from runner.staging_out import folder_for, remove_staged
            remove_staged(self.task)
            on_node = folder_for(self.task, self.log, self.signals)
        return on_node.args(args) if on_node else args, on_node

    def start_stage(self, args, folder):
        """Starts the stage script in the directory that it writes into, its output in the log; returns its process number."""
        python = os.environ.get("STAGE_PYTHON") or sys.executable
        call = python, [python, self.task.script] + args, {
            name: value for name, value in os.environ.items() if name not in OWN_SETTINGS}
        if not hasattr(os, "posix_spawnp"):     # before Python 3.8
            return os.fork() or self.become_stage(call, folder)
        try:
            os.chdir(folder)        # for good: all paths of tasks are absolute
            # A spawned process shares our memory until it calls exec: a third of what a fork takes.
            return os.posix_spawnp(*call, file_actions=self.files_of_stage(), setsigdef=IGNORED_BY_PYTHON)
        except OSError:
            return os.fork() or self.become_stage(call, folder)     # writes into the log why it cannot start

    def files_of_stage(self):
        return [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, self.log, 1), (os.POSIX_SPAWN_DUP2, self.log, 2)]

    def become_stage(self, call, folder):
        """The child of a fork. Never returns."""
        try:
            for number in IGNORED_BY_PYTHON:
                signal.signal(number, signal.SIG_DFL)
            os.chdir(folder)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(self.log, 1)
            os.dup2(self.log, 2)
            os.execvpe(*call)
        except BaseException as error:
            os.write(2, "run_stage: {} cannot be started ({})\n".format(self.task.script, error).encode("utf-8", "replace"))
        finally:
            os._exit(127)

    def end_interrupted(self):
        self.write("interrupted", "signal", "signal " + signal_name(self.signals.number), 143)
        return 143

    def write(self, state, kind, reason, code):
        """Writes the status, unless the task is another runner's by now: a node that was given up may
        still run one while the next has begun elsewhere, and then the verdict is the next one's."""
        if self.is_current():
            write_status(self.task, self.record(state, kind, reason, code))
            self.is_written = True

    def is_current(self):
        there = read_status(self.task.directory).get("stamp") if self.is_written else None
        return self.claim.is_ours() and there in (None, self.stamp)

    def record(self, state, kind, reason, code):
        task, ended = self.task, time.time()
        files, more = listed_outputs(task) if state == "done" else ({}, [0, 0])
        usage = self.usage
        record = {
            "out": task.out, "launch": task.launch, "task": task.name, "stage": task.stage,
            "state": state, "reason_kind": kind, "reason": reason, "exit_code": code, "attempt": self.number,
            "started": utc(self.began), "ended": "" if state == "running" else utc(ended),
            "seconds": 0 if state == "running" else round(max(0.0, ended - self.began), 3),
            "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3) if usage else None,
            "peak_mb": self.peak[0], "peak_from": self.peak[1], "gpu_peak_mb": self.peaks.gpu if self.peaks else None,
            "host": host(), "pid": os.getpid(), "executor": executor(), "slurm_job": slurm_job(), "stamp": self.stamp,
            "script": fingerprint(task.script), "words": task.words, "made_from": self.made_from,
            "files": files, "more_files": more}
        if self.kept and state != "done":
            record["kept"] = {key: value for key, value in self.kept.items() if key != "kept"}
        return record


def with_last_words(failure, words):
    """The reason, and what the stage said last: of an error that explains it, else it only stood there."""
    if not words or failure.kind == "disk":     # which is not about what the stage said
        return failure.reason
    return failure.reason + (" (its last words: {})" if failure.kind in ("missing_files", "no_finite_score") else ": {}").format(words)


def activation_log():
    """What the environment's activation printed."""
    try:
        with open(os.environ.get("ACTIVATION_LOG", ""), "rb") as file:
            return file.read(100000)
    except OSError:     # there was none to activate, or a container does not see this file
        return b""


def quoted(word):
    plain = word and all(letter.isalnum() or letter in "@%+=:,./-_" for letter in word)
    return word if plain else "'" + word.replace("'", "'\"'\"'") + "'"
