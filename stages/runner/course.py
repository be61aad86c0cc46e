"""course: a task from its claim to its verdict.

    directory -> claim -> has another runner ended it meanwhile? -> attempts -> verdict
"""
import os
import sys
import time

try:
    import _signal as signal    # the module around it imports enum
except ImportError:
    import signal

from runner.attempt import Attempt, Signals
from runner.claim import TOUCH_EVERY, Claim
from runner.inputs import runs_of_launch
from runner.status import LOG, STATUS, Failure, host, open_without_following, read_status, write_status
from runner.verdict import judge, signal_name


def run_task(task, signals):
    """Runs a task to a verdict; returns its exit code: the stage's, 1 if its files are missing, 143 after a signal."""
    try:
        make_directory(task)
        claim, first = Claim(task), read_status(task.directory)
        if not wait_for_claim(task, claim, signals):
            return 143
    except (Failure, OSError) as error:
        say("failed: {}: {}".format(task.directory, error), sys.stderr)
        return 1
    try:
        code = verdict_of_another(task, first)
        if code is None:
            code = run_attempts(task, claim, signals)
    except Failure as failure:
        say("failed: {}: {}".format(task.directory, failure.reason), sys.stderr)
        code = failure.exit_code
    finally:
        claim.release()
    return code


def make_directory(task):
    """The task's directory; a link in its place is not followed, links above it (a scratch disk) are."""
    if os.path.islink(task.directory):
        raise Failure("link", "it is a link to {}: remove the link".format(os.readlink(task.directory)))
    os.makedirs(task.directory, exist_ok=True)


def wait_for_claim(task, claim, signals):
    """True once this process has the task; False after a signal. A second runner waits for the first one."""
    told = False
    while not signals.number:
        holder = claim.take()
        if holder is None:
            return True
        if holder and not told:
            told = True
            note = "=== {} on {} waits: process {} on {}{} has this task\n".format(
                os.getpid(), host(), holder.get("pid"), holder.get("host"),
                ", job " + holder["slurm_job"] if holder.get("slurm_job") else "")
            handle = open_without_following(task.path(LOG))
            os.write(handle, note.encode())
            os.close(handle)
            say("waits: {}: {}".format(task.directory, note.strip("= \n")), sys.stdout)
        time.sleep(0.05 if not holder else 1)
    return False


def verdict_of_another(task, first):
    """The exit code if another runner's verdict is this run's as well; None if the task has to run.

    That is a verdict that was written while this runner waited, and a whole result of the same launch or of one that
    ended after this one was planned. first: the status when this runner came
    """
    now = read_status(task.directory)
    if now.get("words", [])[1:] != task.words[1:]:
        return restored(task, now)
    came_while_waiting = now.get("stamp") != first.get("stamp") or now.get("state") != first.get("state")
    if came_while_waiting and now.get("state") in ("done", "failed"):
        take_verdict(task, now)
        return 0 if now["state"] == "done" else now.get("exit_code") or 1
    if now.get("state") == "done" and task.launch and is_whole(task, now) and (
            now.get("launch") == task.launch or os.path.getmtime(task.path(STATUS)) > os.path.getmtime(task.task_file)):
        take_verdict(task, now)
        return 0
    return restored(task, now)


def take_verdict(task, status):
    """Another runner's verdict is this launch's as well: a newer launch has planned the task since."""
    if status["state"] == "done" and task.launch > status.get("launch", ""):
        write_status(task, dict(status, launch=task.launch))
    say("{} already: {}".format(status["state"], task.directory), sys.stdout)


def restored(task, status):
    """0 if an attempt that never started left outputs that are what is asked for now; else None."""
    kept = status.get("kept")
    if not kept or kept.get("words", [])[1:] != task.words[1:] or not is_whole(task, kept):
        return None
    if runs_of_launch(task).get(task.name) == "redo":
        return None
    write_status(task, dict(kept, launch=task.launch))
    say("done already: {}".format(task.directory), sys.stdout)
    return 0


def is_whole(task, status):
    """Whether the files of a status are there and what it was made from is what is there now."""
    try:
        same = all(os.path.getsize(task.path(name)) == size for name, size in status["files"].items())
        return same and all(read_status(os.path.join(task.out, name)).get("stamp", made["stamp"]) == made["stamp"]
                            for name, made in status["made_from"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def run_attempts(task, claim, signals):
    """Attempts until one ends well, at most 1 + RETRIES; what cannot start is not tried again."""
    signal.signal(signal.SIGALRM, claim.touch)      # also while an attempt waits for its inputs
    signal.setitimer(signal.ITIMER_REAL, TOUCH_EVERY, TOUCH_EVERY)
    for _ in range(1 + int(os.environ.get("RETRIES") or 0)):
        attempt = Attempt(task, claim, signals)
        code = attempt.run()
        if code == 0 or signals.number or not attempt.stage_started:
            break
    signal.setitimer(signal.ITIMER_REAL, 0)
    if signals.number:
        say("interrupted by {}: {}".format(signal_name(signals.number), task.directory), sys.stdout)
    elif code == 0:
        say("done: {}".format(task.directory), sys.stdout)
    else:
        reason = read_status(task.directory).get("reason", "")
        say("failed: {}: {}; see {}".format(task.directory, reason, task.path(LOG)), sys.stderr)
    return code


def judge_task(task):
    """Writes the verdict on outputs that another program left; returns 0 if they are whole."""
    attempt = Attempt(task, Claim(task), Signals())
    attempt.claim.is_ours = lambda: True
    attempt.kept = None
    for path in task.inputs:
        status = read_status(path)
        if status and path.startswith(task.out + "/"):
            attempt.made_from[os.path.relpath(path, task.out)] = {key: status.get(key) for key in ("stamp", "words")}
    try:
        judge(task, 0)
        attempt.write("done", "adopted", "adopted", 0)
        return 0
    except Failure as failure:
        attempt.write("failed", failure.kind, "adopted, but " + failure.reason.partition("but ")[2], 1)
        return 1


def say(text, stream):
    stream.write(text.encode("utf-8", "surrogateescape").decode("ascii", "backslashreplace") + "\n")
    stream.flush()
