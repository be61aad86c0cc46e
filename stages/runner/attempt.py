"""attempt: waits for the inputs, runs the stage script once, and writes what came of it.

    Call, Claim -> inputs -> the stage's process, log.txt -> stage_status.json
"""
import json
import os
import re
import signal
import subprocess
import sys
import time
import zlib
from contextlib import suppress

from core.errors import FileError
from core.files import fingerprint, read_json, script_fingerprint, write_whole
from core.improve_files import used_otherwise
from core.rules import split_file_path
from core.task import SPLIT_FILES, command_line, quoted
from core.tree import LOG, STATUS, Status, read_status, write_text
from stages.runner.call import setting
from stages.runner.claim import TOUCH_EVERY, host, identity, remove, slurm_job
from stages.runner.verdict import (Failure, contract_files, explain, judge, printable, signal_name,
                                   template)

A_MOMENT = 0.5          # seconds
LOG_END = 20000         # bytes of the log that are searched for the reason of a failure
STDOUT, STDERR = 1, 2
# Libraries start a thread for each core of the node unless one of these tells them how many.
THREADS = ("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS",
           "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "POLARS_MAX_THREADS",
           "NUMBA_NUM_THREADS", "LOKY_MAX_CPU_COUNT", "NUMEXPR_NUM_THREADS", "NPROC")
PACKAGES = re.compile(r"/python(\d+\.\d+)/(?:site|dist)-packages")
VERSION = "{}.{}".format(*sys.version_info[:2])
LONGEST_REASON = 500    # characters
# What an attempt that cannot start leaves as it is in the status, as it leaves the outputs
OF_OUTPUTS = ("seconds", "cpu_seconds", "peak_mb", "stamp", "environment", "script",
              "script_fingerprint", "arguments", "made_from", "read_files", "files", "notes")


class Attempt:
    """One attempt at a task that this process has claimed, and the status that it writes.

    claim, signals: None if only the outputs of another program are judged
    """

    def __init__(self, call, claim=None, signals=None):
        self.call, self.claim, self.signals = call, claim, signals
        before = read_status(call.directory, call.out) or Status("")
        self.number = before.attempt + 1
        self.began = time.time()
        self.stamp = f"{self.began:.6f}.{host()}.{os.getpid()}"
        self.known_stamps = (self.stamp, before.stamp)
        self.made_from, self.read_files, self.notes = {}, {}, []
        self.is_started = False
        self.state, self.failure, self.cpu_seconds, self.peak_mb = "running", None, None, None

    def run(self):
        """Runs the stage and writes the verdict; returns the exit code."""
        with open_log(self.call) as self.log:
            try:
                self.write_header()
                self.check_inputs()
                check_activation(self.call.task.environment)
                if not self.signals.number:
                    self.run_stage()
            except Failure as failure:
                self.failure = failure
            except (FileError, OSError) as error:
                self.failure = Failure("os_error", str(error))
        self.state = "failed" if self.failure else "done"
        if self.signals.number:
            self.note_signal()
            if slurm_job() and is_near_the_limit():
                self.failure.reason += f" near the time limit; raise --time in {template()}"
        self.write()
        return self.failure.exit_code if self.failure else 0

    def note_signal(self):
        reason = f"signal {signal_name(self.signals.number)}"
        self.state, self.failure = "interrupted", Failure("signal", reason, 143)

    def write_header(self):
        """Writes the header of the attempt and the output of the activation to the log."""
        self.start = self.log.seek(0, os.SEEK_END)
        job = f", job {slurm_job()}" if slurm_job() else ""
        header = (f"=== attempt {self.number} at {utc(self.began)} on {host()}{job}\n"
                  f"===  {quoted(command_line(self.call.task, self.call.out))}\n"
                  f"{os.environ.get('ACTIVATION_OUTPUT', '')}")
        self.log.write(header.encode("utf-8", "surrogateescape"))

    # ---- inputs

    def check_inputs(self):
        """Waits until the inputs inside the results tree are done; Failure if one is not."""
        deadline = time.time() + setting("LATENCY_WAIT", 60)
        for name in self.call.inputs:
            status = self.wait_for_input(name, deadline)
            state = status.state if status else "without a status"
            if state != "done":
                raise Failure("parent_failed", f"parent failed: {name} is {state}")
            self.note_input(name, status)

    def note_input(self, name, status):
        self.made_from[name] = {
            key: getattr(status, key)
            for key in ("stamp", "arguments", "script_fingerprint", "read_files")}

    def wait_for_input(self, name, deadline):
        """Returns the Status of an input. An NFS client may show a file late, or an old version
        until its cache is a minute old: listing the directory above refreshes it."""
        call, path = self.call, os.path.join(self.call.out, name)
        while True:
            status = read_status(path, call.out)
            is_of_older_launch = status and call.launch != status.launch and name in call.runs
            is_settled = status and status.state != "running" and not is_of_older_launch
            if is_settled or time.time() >= deadline or self.signals.number:
                return status
            with suppress(OSError):
                os.listdir(os.path.dirname(path))
            self.claim.touch()
            self.signals.wait(1)

    # ---- the stage

    def run_stage(self):
        """Runs the stage to its end, good or bad."""
        note_environment(self.call)
        self.is_started = True
        self.read_files = split_files(self.call)
        self.write()
        for name in (*self.call.required, *self.call.optional, "param_log_file.txt"):
            remove(self.call.path(name))    # old files never pass for new ones
        status, usage = self.wait_for(self.start_stage())
        self.cpu_seconds = round(usage.ru_utime + usage.ru_stime, 3)
        self.peak_mb = round(usage.ru_maxrss / 1024.0, 1)
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        if number in self.signals.PASSED_ON and not self.signals.number:
            time.sleep(A_MOMENT)    # the stage may be signalled before we are
        if not self.signals.number:
            self.judge(128 + number if number else os.WEXITSTATUS(status))
        self.restore_directory()

    def start_stage(self):
        """Starts the stage in a session of its own: signals go to all processes of the group."""
        python, task = os.environ.get("STAGE_PYTHON") or sys.executable, self.call.task
        return subprocess.Popen(
            [python, task.script, *self.call.stage_arguments], cwd=self.call.folder,
            env=stage_variables(task.environment), start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def wait_for(self, process):
        """Returns wait status and usage of the stage. A signal is passed on and written down at
        once: Slurm may kill everything seconds later."""
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                process.returncode = status     # Popen has nothing to wait for
                return status, usage
            if self.signals.number and self.state == "running":
                with suppress(OSError):     # it has just ended
                    os.killpg(process.pid, signal.SIGTERM)
                self.note_signal()
                self.write()
            self.signals.wait(TOUCH_EVERY)
            self.claim.touch()

    def judge(self, code):
        task = self.call.task
        otherwise = used_otherwise(self.call.directory, task.arguments)
        self.notes = [otherwise] if otherwise else []
        self.failure = judge(self.call, code)
        if self.failure:
            self.log.seek(max(self.start, self.log.seek(0, os.SEEK_END) - LOG_END))
            text = self.log.read(LOG_END).decode("utf-8", "replace")
            explain(self.failure, text, task.environment, self.peak_mb)

    def restore_directory(self):
        """A stage that deletes or empties its directory takes its log with it."""
        os.makedirs(self.call.directory, exist_ok=True)
        if not os.path.lexists(self.call.path(LOG)):
            self.log.seek(0)
            with open_log(self.call) as copy:
                copy.write(self.log.read())

    # ---- the status

    def write(self):
        """Writes the status, unless the task is another runner's by now: a node that was given up
        may still run one while the next has begun elsewhere. A verdict that cannot be written is
        printed, since Slurm or the launcher keep the output."""
        is_ours = self.claim is None or self.claim.is_ours()
        last = read_status(self.call.directory, self.call.out)
        if not is_ours or last and last.stamp not in self.known_stamps:
            return
        record = self.record()
        if self.claim and last and last.files and not (self.is_started or last.is_old):
            old = read_json(self.call.path(STATUS))
            record.update((key, old[key]) for key in OF_OUTPUTS if key in old)
        try:
            write_whole(self.call.path(STATUS), write_text(record))
        except FileError as error:
            say(f"run_stage: error: {error}; {self.state} {record['reason']}", STDERR)
            if self.state in ("running", "done"):
                raise

    def record(self):
        """Returns the content of stage_status.json; docs/files.md explains each key."""
        call, task, now = self.call, self.call.task, time.time()
        is_running = self.state == "running"
        failure = self.failure or Failure("", "", None if is_running else 0)
        return {
            "launch": call.launch, "task": task.name, "stage": task.stage, "state": self.state,
            "reason_kind": failure.kind, "reason": failure.reason, "exit_code": failure.exit_code,
            "attempt": self.number, "started": utc(self.began),
            "ended": "" if is_running else utc(now),
            "seconds": round(max(0.0, now - self.began), 3),
            "cpu_seconds": self.cpu_seconds, "peak_mb": self.peak_mb, **identity(),
            "stamp": self.stamp, "environment": task.environment, "script": task.script,
            "script_fingerprint": script_fingerprint(task.script), "arguments": task.arguments,
            "made_from": self.made_from, "read_files": self.read_files,
            "files": contract_files(call) if self.state == "done" else {},
            "rebuild": "rebuild" in call.runs.get(task.name, ()), "notes": self.notes}


def utc(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def open_log(call):
    """Returns the task's log to append to; a link in its place is not followed."""
    return open(call.path(LOG), "a+b", buffering=0,
                opener=lambda path, flags: os.open(path, flags | os.O_NOFOLLOW, 0o666))


def say(text, stream=STDOUT):
    """Prints a line in UTF-8, whatever the locale. Returns 0."""
    os.write(stream, text.encode("utf-8", "surrogateescape") + b"\n")
    return 0


# ---- what the stage gets

def stage_variables(environment):
    """Returns the environment variables of a stage."""
    found = dict(os.environ)
    found.pop("PYTHONSAFEPATH", None)       # models import from their own folder
    cores = found.get("TASK_CORES") or found.get("SLURM_CPUS_PER_TASK")
    if cores:
        found.update((name, cores) for name in THREADS if not found.get(name))
    if "PYTHONPATH" in found:
        found["PYTHONPATH"] = ":".join(folder for folder in found["PYTHONPATH"].split(":")
                                       if not is_foreign(folder, environment))
    return found


def is_foreign(folder, environment):
    """Says whether a folder of PYTHONPATH holds packages of another Python, such as those of a
    module; conda environments and containers take no packages from outside."""
    version = PACKAGES.search(folder)
    is_bare_name = environment != "none" and ":" not in environment     # conda's
    is_closed = is_bare_name or environment.startswith(("conda:", "apptainer:"))
    return version and (is_closed or version.group(1) != VERSION)


def split_files(call):
    """Returns {split file as in the arguments: its fingerprint} of those that a preprocess
    reads."""
    arguments = call.task.arguments
    benchmark = os.path.join(call.out, str(arguments.get("input_dir", "")))
    return {arguments[option]: fingerprint(split_file_path(option, arguments, benchmark, call.out))
            for option in SPLIT_FILES
            if call.task.stage == "preprocess" and isinstance(arguments.get(option), str)}


# ---- the environment, the time limit

def check_activation(environment):
    """Raises Failure if run_model.sh could not activate the environment."""
    if os.environ.get("ACTIVATION_FAILED"):
        said = printable(" ".join(os.environ["ACTIVATION_OUTPUT"].split())) or "no output"
        raise Failure("environment", f"environment {environment} could not be activated on "
                                     f"{host()}: {said[-LONGEST_REASON:]}")


def note_environment(call):
    """Writes the identity of the environment, once for each launch and environment."""
    environment = call.task.environment
    path = os.path.join(os.path.dirname(call.tasks_file),
                        f"environment.{checksum(environment)}.json")
    if call.launch and not os.path.exists(path):
        packages = installed_packages()
        record = {"environment": environment, "python": sys.version.split()[0],
                  "packages": len(packages), "packages_checksum": checksum("\n".join(packages))}
        with suppress(FileError):       # the task's own files say whether the disk is full
            write_whole(path, json.dumps(record) + "\n")


def checksum(text):
    return f"{zlib.crc32(text.encode('utf-8', 'surrogateescape')):08x}"


def installed_packages():
    """Returns the sorted names of packages: NAME-VERSION.dist-info."""
    # sys.prefix is not that of a venv without `site`, which the runner is started without.
    prefix = os.path.dirname(os.path.dirname(os.path.abspath(sys.executable)))
    folder = os.path.join(prefix, "lib", f"python{VERSION}", "site-packages")
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return sorted(name for name in names if name.endswith((".dist-info", ".egg-info")))


def is_near_the_limit():
    """Says whether less than three minutes are left of this Slurm job's time limit."""
    try:    # SLURM_JOB_END_TIME is newer than Slurm 22.05
        left = subprocess.check_output(
            ["squeue", "-h", "-o", "%L", "-j", os.environ.get("SLURM_JOB_ID", "")], timeout=5,
            stderr=subprocess.DEVNULL)
        return bool(re.match(b"([0-2]:[0-9]+|INVALID)$", left.strip()))     # INVALID: none is left
    except (OSError, subprocess.SubprocessError):
        return False
