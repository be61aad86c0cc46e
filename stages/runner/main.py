"""main: the command line of run_stage.py, and the way of a task from its claim to its verdict.

    directory -> claim -> has another runner ended it meanwhile? -> attempts -> verdict
"""
import os

from core.errors import FileError, Refusal
from core.files import read_json, size_of, write_whole
from core.tree import LOG, STATUS, read_status, write_text
from stages.runner.attempt import STDERR, STDOUT, Attempt, say
from stages.runner.call import calls_of, paths, read_call, setting
from stages.runner.claim import Claim
from stages.runner.verdict import Failure, judge


# ---- command line

def main(argv, signals):
    """Returns the exit code of a command line."""
    try:
        if argv[0] == "--judge":
            return judge_call(read_call(argv[1:]))
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
    for name in call.inputs:
        status = read_status(os.path.join(call.out, name), call.out)
        if status:
            attempt.note_input(name, status)
    attempt.failure = judge(call, 0) or Failure("adopted", "adopted", 0)
    attempt.failure.reason = attempt.failure.reason.replace("exit code 0", "adopted")
    attempt.state = "failed" if attempt.failure.exit_code else "done"
    attempt.write()
    return attempt.failure.exit_code


# ---- one task

def run_call(call, signals):
    """Runs a task to a verdict; returns the stage's exit code, 1 if files are missing, or 143."""
    claim = Claim(call)
    try:
        os.makedirs(call.directory, exist_ok=True)
        before = read_status(call.directory, call.out)
        if not wait_for_claim(call, claim, signals):
            return 143
        code = verdict_of_another(call, before)
        return run_attempts(call, claim, signals) if code is None else code
    except (FileError, OSError) as error:
        say(f"failed: {call.directory}: {error}", STDERR)
        return 1
    finally:
        claim.release()


def wait_for_claim(call, claim, signals):
    """Returns True once this process has the task; False after a signal."""
    is_said = False
    while True:
        holder = claim.take()
        if holder is None or signals.number:
            return holder is None
        if holder and not is_said:
            is_said = True
            job = holder.get("slurm_job")
            say(f"waits: {call.directory}: process {holder.get('pid')} on {holder.get('host')}"
                f"{', job ' + job if job else ''} has this task")
        signals.wait(1 if holder else 0.05)


def verdict_of_another(call, before):
    """Returns the exit code if another runner's verdict is this run's as well, None if the task has
    to run. before: the Status when this runner came

    That is a verdict that was written while this runner waited, and a whole result that was written
    after its launch was planned, by this launch or an older one; also a result that is asked for
    again after an attempt with other arguments, which could not start.
    """
    now = read_status(call.directory, call.out)
    # tables of another launch may lack the results of this one
    if call.task.stage == "collect" or now is None or (
            (now.script, now.arguments) != (call.task.script, call.task.arguments)):
        return None
    is_new = before is None or before.written != now.written
    is_whole = all(size_of(call.path(name)) == size for name, size in now.files.items())
    is_own = (call.launch and now.state == "done" and is_whole
              and now.written > os.stat(call.tasks_file).st_mtime_ns)
    is_kept = now.state != "done" and now.files and is_whole and is_valid_again(call, now)
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


def is_valid_again(call, status):
    """Says whether a result that an attempt could not start to replace is the one asked for."""
    inputs = [(read_status(os.path.join(call.out, name), call.out) or made, made)
              for name, made in status.made_from.items()]
    return (call.runs.get(call.task.name, ["redo"])[0] != "redo"
            and all(now.stamp == made.stamp for now, made in inputs))


def run_attempts(call, claim, signals):
    """Tries at most 1 + RETRIES times; a stage that cannot start, once."""
    for _ in range(1 + setting("RETRIES", 0)):
        attempt = Attempt(call, claim, signals)
        code = attempt.run()
        if code == 0 or signals.number or attempt.peak_mb is None:
            break
    why = f": {attempt.failure.reason}; see {call.path(LOG)}" if code else ""
    say(f"{attempt.state}: {call.directory}{why}", STDERR if attempt.state == "failed" else STDOUT)
    return code
