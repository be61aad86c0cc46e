"""attempt: waits for the inputs, runs the stage script once, and writes what came of it.

    Call, Claim -> inputs -> the stage's process, log.txt -> stage_status.json
"""
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
import zlib
from contextlib import suppress

from core.errors import FileError
from core.files import (fingerprint, read_json, same_content, script_fingerprint,
                        write_whole)
from core.improve_files import used_otherwise
from core.rules import split_file_paths
from core.task import SPLIT_FILES, command_line, quoted
from core.tree import LOG, STATUS, Status, write_text
from stages.runner.claim import TOUCH_EVERY, identity, remove
from stages.runner.verdict import (SIGNALS, TEMPLATE, Verdict, contract_files, explain, judge,
                                   printable)

LOG_END = 20000         # bytes of the log that are searched for the reason of a failure
LAST_SECONDS = 7        # of a stage of a local run that was asked to end
STDOUT, STDERR = 1, 2
# Libraries start a thread for each core of the node unless one of these tells them how many.
THREADS = ("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS",
           "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "POLARS_MAX_THREADS",
           "NUMBA_NUM_THREADS", "LOKY_MAX_CPU_COUNT", "NUMEXPR_NUM_THREADS", "NPROC")
PACKAGES = r"/python\d+\.\d+/(site|dist)-packages"
VERSION = "{}.{}".format(*sys.version_info[:2])
LONGEST_REASON = 500    # characters


class Attempt:
    """One attempt at a task, and the status that it writes; without a claim and signals it judges
    the outputs of another program."""

    def __init__(self, call, claim=None, signals=None):
        self.call, self.claim, self.signals = call, claim, signals
        task, before = call.task, call.status(call.task.name) or Status("")
        self.began, self.verdict, me = time.time(), Verdict("running", exit_code=None), identity()
        stamp = f"{self.began:.6f}.{me['host']}.{me['pid']}"
        self.known_stamps = (stamp, before.stamp)
        # Content of stage_status.json, whose keys docs/files.md explains: of the attempt, and of
        # its outputs
        self.record = {
            "launch": call.launch, "task": task.name, "stage": task.stage, **vars(self.verdict),
            "attempt": before.attempt + 1, "started": utc(self.began), "ended": "", **me,
            "rebuild": "rebuild" in call.runs.get(task.name, ())}
        self.outputs = {
            "seconds": 0.0, "cpu_seconds": None, "peak_mb": None, "stamp": stamp,
            "environment": task.environment, "script": task.script,
            "script_fingerprint": script_fingerprint(task.script), "arguments": task.arguments,
            "made_from": {}, "read_files": {}, "notes": [], "files": {}}

    def run(self):
        """Runs the stage and writes the verdict; returns the exit code."""
        record = self.record
        job = record["slurm_job"] and f", job {record['slurm_job']}"
        header = (f"=== attempt {record['attempt']} at {record['started']} on {record['host']}{job}"
                  f"\n===  {quoted(command_line(self.call.task, self.call.out))}\n"
                  f"{os.environ.get('ACTIVATION_OUTPUT', '')}")
        # a link in its place is not followed
        with open(self.call.path(LOG), "a+b", buffering=0, opener=lambda path, flags: os.open(
                path, flags | os.O_NOFOLLOW, 0o666)) as self.log:
            self.start = self.log.seek(0, os.SEEK_END)
            try:
                self.log.write(header.encode("utf-8", "surrogateescape"))
                self.check_start()
                if not self.signals.number:
                    self.run_stage()
            except Verdict as verdict:
                self.verdict = verdict
            except (FileError, OSError, ValueError) as error:    # ValueError: of a setting
                self.verdict = Verdict("failed", "os_error", str(error))
        if self.signals.number:
            self.note_signal()
            if job and is_near_the_limit():
                template = os.environ.get("TASK_TEMPLATE", TEMPLATE)
                self.verdict.reason += f" near the time limit; raise --time in {template}"
        self.write()
        return self.verdict.exit_code

    def note_signal(self):
        reason = f"signal {SIGNALS[self.signals.number]}"
        self.verdict = Verdict("interrupted", "signal", reason, 143)

    def check_start(self):
        """Waits until the inputs inside the results tree are done; the Verdict if one is not, or
        if run_model.sh could not activate the environment."""
        call, deadline = self.call, time.time() + float(os.environ.get("LATENCY_WAIT") or 60)
        for name in call.inputs:
            while True:
                status = call.status(name)
                is_of_older_launch = status and call.launch != status.launch and name in call.runs
                is_settled = status and status.state != "running" and not is_of_older_launch
                if is_settled or time.time() >= deadline or self.signals.number:
                    break
                # An NFS client may show a file late, or an old version until its cache is a minute
                # old: listing the directory above refreshes it.
                with suppress(OSError):
                    os.listdir(os.path.join(call.out, os.path.dirname(name)))
                self.claim.touch()
                self.signals.wait(1)
            state = status.state if status else "without a status"
            if state != "done":
                raise Verdict("failed", "parent_failed", f"parent failed: {name} is {state}")
            self.outputs["made_from"][name] = as_input(status)
        if os.environ.get("ACTIVATION_FAILED"):
            said = printable(" ".join(os.environ["ACTIVATION_OUTPUT"].split())) or "no output"
            raise Verdict("failed", "environment", f"environment {call.task.environment} could not "
                          f"be activated on {self.record['host']}: {said[-LONGEST_REASON:]}")

    # ---- the stage

    def run_stage(self):
        """Runs the stage to its end, good or bad, in a session of its own: signals go to all
        processes of the group."""
        call, task, signals = self.call, self.call.task, self.signals
        note_environment(call)
        self.outputs["read_files"] = split_files(call)
        self.write()
        for name in (*call.required, *call.optional, "param_log_file.txt"):
            remove(call.path(name))     # old files never pass for new ones
        process = subprocess.Popen(
            [os.environ.get("STAGE_PYTHON") or sys.executable, task.script, *call.stage_arguments],
            cwd=call.folder, env=stage_variables(task.environment), start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.claim.note_stage(process.pid)
        status, usage = self.wait_for(process)
        self.outputs.update(cpu_seconds=round(usage.ru_utime + usage.ru_stime, 3),
                            peak_mb=round(usage.ru_maxrss / 1024.0, 1))
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        if number in signals.PASSED_ON and not signals.number:
            time.sleep(0.5)     # the stage may be signalled before we are
        if not signals.number:
            self.judge(128 + number if number else os.WEXITSTATUS(status))
        os.makedirs(call.directory, exist_ok=True)      # a stage may delete or empty it
        if not os.path.lexists(call.path(LOG)):
            self.log.seek(0)
            with open(call.path(LOG), "wb") as copy:
                copy.write(self.log.read())

    def wait_for(self, process):
        """Returns wait status and usage of the stage. A signal is passed on and written down at
        once: Slurm may kill everything seconds later. A local launcher kills this process alone
        after launcher/local.GRACE, so the stage is killed before."""
        asked = math.inf
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                process.returncode = status     # Popen has nothing to wait for
                return status, usage
            if self.signals.number and self.verdict.state == "running":
                with suppress(OSError):     # it has just ended
                    os.killpg(process.pid, signal.SIGTERM)
                self.note_signal()
                self.write()
                asked = time.time()
            if time.time() - asked > LAST_SECONDS and os.environ.get("TASK_EXECUTOR") == "local":
                os.killpg(process.pid, signal.SIGKILL)
            self.signals.wait(TOUCH_EVERY if asked == math.inf else 1)
            if self.claim.touch() and not os.path.lexists(self.call.path(STATUS)):
                self.write()        # the stage has emptied its directory

    def judge(self, code):
        task = self.call.task
        otherwise = used_otherwise(self.call.directory, task.arguments)
        self.outputs["notes"] = [otherwise] if otherwise else []
        self.verdict = judge(self.call, code)
        now = split_files(self.call)
        changed = [name for name, read in self.outputs["read_files"].items()
                   if not same_content(read, now[name])]
        if changed and not self.verdict.exit_code:
            self.verdict = Verdict("failed", "split_files", f"{changed[0]} was changed meanwhile")
        if self.verdict.exit_code:
            self.log.seek(max(self.start, self.log.seek(0, os.SEEK_END) - LOG_END))
            text = self.log.read(LOG_END).decode("utf-8", "replace")
            explain(self.verdict, text, task.environment, self.outputs["peak_mb"])

    # ---- the status

    def write(self):
        """Writes the status, unless the task is another runner's by now: a node that was given up
        may still run one while the next has begun elsewhere. A verdict that cannot be written is
        printed, since Slurm or the launcher keep the output."""
        is_ours = self.claim is None or self.claim.touch()
        last = self.call.status(self.call.task.name)
        if not is_ours or last and last.stamp not in self.known_stamps:
            return
        call, state, now = self.call, self.verdict.state, time.time()
        outputs = dict(self.outputs, seconds=round(max(0.0, now - self.began), 3),
                       files=contract_files(call) if state == "done" else {})
        record = dict(self.record, **vars(self.verdict))
        if state != "running":
            record["ended"] = utc(now)
            if self.claim and last and last.files and not last.is_old:
                old = read_json(call.path(STATUS))      # it could not start, and the outputs stay
                outputs = {key: old.get(key, value) for key, value in outputs.items()}
        try:
            write_whole(call.path(STATUS), write_text({**record, **outputs}))
        except FileError as error:
            say(f"run_stage: error: {error}; {state} {record['reason']}", STDERR)
            if state in ("running", "done"):
                raise


def as_input(status):
    keys = ("stamp", "arguments", "script_fingerprint", "read_files")
    return {key: getattr(status, key) for key in keys}


def utc(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def say(text, stream=STDOUT):
    """Prints a line in UTF-8, whatever the locale. Returns 0."""
    os.write(stream, text.encode("utf-8", "surrogateescape") + b"\n")
    return 0


# ---- what the stage gets

def stage_variables(environment):
    """Returns the environment variables of a stage. Of PYTHONPATH without the packages of another
    Python, such as a module's; conda environments and containers take none from outside."""
    found = dict(os.environ)
    found.pop("PYTHONSAFEPATH", None)       # models import from their own folder
    cores = found.get("TASK_CORES") or found.get("SLURM_CPUS_PER_TASK")
    if cores:
        found.update((name, cores) for name in THREADS if not found.get(name))
    is_bare_name = environment != "none" and ":" not in environment     # conda's
    is_closed = is_bare_name or environment.startswith(("conda:", "apptainer:"))
    if "PYTHONPATH" in found:
        found["PYTHONPATH"] = ":".join(
            folder for folder in found["PYTHONPATH"].split(":")
            if not re.search(PACKAGES, folder) or not is_closed and f"/python{VERSION}/" in folder)
    return found


def split_files(call):
    """Returns {split file as in the arguments: its fingerprint} of a preprocess, and of those that
    a launcher has made one from."""
    arguments = call.task.arguments
    benchmark = os.path.join(call.out, str(arguments.get("input_dir", "")))
    options = SPLIT_FILES if call.task.stage == "preprocess" else ()
    return {name: fingerprint(path)
            for name, path in split_file_paths(options, arguments, benchmark, call.out)}


def note_environment(call):
    """Writes the identity of the environment, once for each launch and environment."""
    environment, launch = call.task.environment, os.path.dirname(call.tasks_file)
    path = os.path.join(launch, f"environment.{checksum(environment)}.json")
    if not call.launch or os.path.exists(path):
        return
    # sys.prefix is not that of a venv without `site`, which the runner is started without.
    prefix = os.path.dirname(os.path.dirname(os.path.abspath(sys.executable)))
    folder = os.path.join(prefix, "lib", f"python{VERSION}", "site-packages")
    packages = sorted(name for name in (os.listdir(folder) if os.path.isdir(folder) else [])
                      if name.endswith((".dist-info", ".egg-info")))
    record = {"environment": environment, "python": sys.version.split()[0],
              "packages": len(packages), "packages_checksum": checksum("\n".join(packages))}
    with suppress(FileError):       # the task's own files say whether the disk is full
        write_whole(path, json.dumps(record) + "\n")


def checksum(text):
    return f"{zlib.crc32(text.encode('utf-8', 'surrogateescape')):08x}"


def is_near_the_limit():
    """Says whether less than three minutes are left of this Slurm job's time limit."""
    try:    # SLURM_JOB_END_TIME is newer than Slurm 22.05
        left = subprocess.check_output(
            ["squeue", "-h", "-o", "%L", "-j", os.environ.get("SLURM_JOB_ID", "")], timeout=5,
            stderr=subprocess.DEVNULL)
        return bool(re.match(b"([0-2]:[0-9]+|INVALID)$", left.strip()))     # INVALID: none is left
    except (OSError, subprocess.SubprocessError):
        return False
