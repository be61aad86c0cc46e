"""attempt: runs the stage script once, passes signals on to it, and writes what came of it.

    Call, Claim -> log.txt, the stage's process -> stage_status.json
"""
import os
import re
import signal
import subprocess
import sys
import time

from core.errors import FileError
from core.files import read_json, write_whole
from core.fingerprints import fingerprint, script_fingerprint
from core.parameters import otherwise_text, used_otherwise
from core.rules import split_file_path
from core.task import SPLIT_FILES, task_line
from core.tree import LOG, STATUS, read_status, write_text
from stages.runner.claim import TOUCH_EVERY, host, identity, remove, slurm_job
from stages.runner.environment import check_activation, note_environment, stage_variables
from stages.runner.inputs import check_inputs
from stages.runner.signals import PASSED_ON
from stages.runner.verdict import Failure, contract_files, explained, judge, signal_name, template

A_MOMENT = 0.5          # seconds
LOG_END = 20000         # bytes of the log that are searched for the reason of a failure
PARAMETERS = "param_log_file.txt"


class Attempt:
    """One attempt at a task that this process has claimed, and the status that it writes."""

    def __init__(self, call, claim, signals):
        self.call, self.claim, self.signals = call, claim, signals
        before = read_status(call.directory, call.out)
        self.number = before.attempt + 1 if before else 1
        self.began = time.time()
        self.stamp = f"{self.began:.6f}.{host()}.{os.getpid()}"
        self.made_from, self.read_files, self.notes = {}, {}, []
        self.usage = self.peak_mb = self.failure = None
        self.is_written, self.kept = False, kept_record(call)

    def run(self):
        """Runs the stage and writes the verdict; returns the exit code."""
        call = self.call
        self.log = open_log(call)
        try:
            self.write_header()
            self.made_from = check_inputs(call, self.signals, self.claim)
            check_activation(call.task.environment)
            if not self.signals.number:
                self.judge(self.run_stage())
        except Failure as error:
            self.failure = error
        except (FileError, OSError) as error:
            self.failure = Failure("os_error", str(error))
        finally:
            os.close(self.log)
        if self.signals.number:
            self.failure = self.interrupted()
            if slurm_job() and is_near_the_limit():
                self.failure.reason += f" near the time limit; raise --time in {template()}"
        self.state = "interrupted" if self.signals.number else "failed" if self.failure else "done"
        self.write(self.state, self.failure)
        return self.failure.exit_code if self.failure else 0

    def interrupted(self):
        return Failure("signal", f"signal {signal_name(self.signals.number)}", 143)

    def write_header(self):
        """Writes the header of the attempt and the output of the activation to the log."""
        self.start = os.lseek(self.log, 0, os.SEEK_END)
        job = f", job {slurm_job()}" if slurm_job() else ""
        header = (f"=== attempt {self.number} at {utc(self.began)} on {host()}{job}\n"
                  f"===  {task_line(self.call.task, self.call.out)}\n"
                  f"{os.environ.get('ACTIVATION_OUTPUT', '')}")
        os.write(self.log, header.encode("utf-8", "surrogateescape"))

    # ---- the stage

    def run_stage(self):
        """Returns the stage's exit code; 128 + number if a signal ended it."""
        note_environment(self.call)
        self.kept = None        # from now on the outputs are those of this attempt
        self.read_files = split_files(self.call)
        self.write("running")
        for name in (*self.call.required, *self.call.optional, PARAMETERS):
            remove(self.call.path(name))    # old files never pass for new ones
        status = self.wait_for(self.start_stage())
        self.peak_mb = round(self.usage.ru_maxrss / 1024.0, 1)
        if os.WIFSIGNALED(status):
            if os.WTERMSIG(status) in PASSED_ON and not self.signals.number:
                time.sleep(A_MOMENT)    # the stage may be signalled before we are
            return 128 + os.WTERMSIG(status)
        return os.WEXITSTATUS(status)

    def start_stage(self):
        """Starts the stage in a session of its own: signals go to all processes of the group."""
        python, task = os.environ.get("STAGE_PYTHON") or sys.executable, self.call.task
        return subprocess.Popen(
            [python, task.script, *self.call.stage_arguments], cwd=self.call.folder,
            env=stage_variables(task.environment, self.log), start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def wait_for(self, process):
        """Returns the wait status of the stage. A signal is passed on at once, and said at once:
        Slurm may kill everything seconds later."""
        while True:
            pid, status, self.usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                process.returncode = status     # Popen has nothing to wait for
                return status
            if self.signals.is_new:
                self.signals.is_new = False
                pass_on(process.pid)
                self.write("interrupted", self.interrupted())
            self.signals.wait(TOUCH_EVERY)
            self.claim.touch()

    def judge(self, code):
        try:
            if not self.signals.number:
                judge(self.call, code)
        except Failure as failure:
            end = max(self.start, os.lseek(self.log, 0, os.SEEK_END) - LOG_END)
            text = os.pread(self.log, LOG_END, end).decode("utf-8", "replace")
            raise explained(failure, text, self.call.task.environment, self.peak_mb)
        finally:
            self.restore_directory()
        found = used_otherwise(self.call.directory, self.call.task.arguments)
        self.notes = [otherwise_text(found)] if found else []

    def restore_directory(self):
        """A stage that deletes or empties its directory takes its log with it."""
        os.makedirs(self.call.directory, exist_ok=True)
        if not os.path.lexists(self.call.path(LOG)):
            size = os.lseek(self.log, 0, os.SEEK_END)
            copy = open_log(self.call)
            os.write(copy, os.pread(self.log, size, 0))
            os.close(copy)

    # ---- the status

    def write(self, state, failure=None):
        """Writes the status, unless the task is another runner's by now: a node that was given up
        may still run one while the next has begun elsewhere. A verdict that cannot be written is
        printed, since Slurm or the launcher keep the output."""
        if not self.is_current():
            return
        try:
            write_whole(self.call.path(STATUS), write_text(self.record(state, failure)))
            self.is_written = True
        except FileError as error:
            sys.stderr.write(f"run_stage: error: {error}; {state} {failure or ''}\n")
            if state in ("running", "done"):
                raise

    def is_current(self):
        if self.claim and not self.claim.is_ours():
            return False
        status = read_status(self.call.directory, self.call.out) if self.is_written else None
        return status is None or status.stamp == self.stamp

    def record(self, state, failure):
        """Returns the content of stage_status.json; docs/files.md explains each key."""
        call, task, usage, now = self.call, self.call.task, self.usage, time.time()
        failure = failure or Failure("", "", None if state == "running" else 0)
        executor = os.environ.get("TASK_EXECUTOR") or ("slurm" if slurm_job() else "hand")
        return {
            "launch": call.launch, "task": task.name, "stage": task.stage, "state": state,
            "reason_kind": failure.kind, "reason": failure.reason, "exit_code": failure.exit_code,
            "attempt": self.number, "started": utc(self.began),
            "ended": "" if state == "running" else utc(now),
            "seconds": round(max(0.0, now - self.began), 3),
            "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3) if usage else None,
            "peak_mb": self.peak_mb, **identity(), "executor": executor, "stamp": self.stamp,
            "environment": task.environment, "script": task.script,
            "script_fingerprint": script_fingerprint(task.script), "arguments": task.arguments,
            "made_from": self.made_from, "read_files": self.read_files,
            "files": contract_files(call) if state == "done" else {},
            "rebuild": "rebuild" in call.runs.get(task.name, ()), "notes": self.notes,
            **({"kept": self.kept} if self.kept and state != "done" else {})}


def kept_record(call):
    """Returns the status of the outputs that are done and untouched, though a later attempt could
    not start; None if there are none."""
    try:
        record = dict(read_json(call.path(STATUS)))
    except (FileError, TypeError, ValueError):
        return None
    return record if record.get("state") == "done" else record.get("kept")


def pass_on(group):
    try:
        os.killpg(group, signal.SIGTERM)
    except OSError:
        pass    # it has just ended


def is_near_the_limit():
    """Says whether less than three minutes are left of this Slurm job's time limit."""
    try:    # SLURM_JOB_END_TIME is newer than Slurm 22.05
        left = subprocess.check_output(
            ["squeue", "-h", "-o", "%L", "-j", os.environ.get("SLURM_JOB_ID", "")], timeout=5,
            stderr=subprocess.DEVNULL)
        return bool(re.match(b"([0-2]:[0-9]+|INVALID)$", left.strip()))     # INVALID: none is left
    except (OSError, subprocess.SubprocessError):
        return False


def utc(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def open_log(call):
    """Returns the task's log to append to; a link in its place is not followed."""
    return os.open(call.path(LOG), os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o666)


def split_files(call):
    """Returns {split file as in the arguments: its fingerprint} of those that a preprocess
    reads."""
    arguments, found = call.task.arguments, {}
    benchmark = os.path.join(call.out, str(arguments.get("input_dir", "")))
    for option in SPLIT_FILES if call.task.stage == "preprocess" else ():
        name = arguments.get(option)
        if isinstance(name, str):
            found[name] = fingerprint(split_file_path(option, arguments, benchmark, call.out))
    return {name: value for name, value in found.items() if value}   # the stage misses the others
