"""main: the command line of run_stage.py, and the way of a task from its claim to its verdict.

    directory -> claim -> has another runner ended it meanwhile? -> attempts -> verdict
"""
import os

from core.errors import FileError, Refusal
from core.files import read_json, write_whole
from core.tree import LOG, STATUS, read_status, size_of, status_of, write_text
from stages.runner.attempt import Attempt
from stages.runner.call import HELP, read_call, read_calls, setting
from stages.runner.claim import Claim
from stages.runner.inputs import input_of
from stages.runner.verdict import Failure, judge

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STDOUT, STDERR = 1, 2


# ---- command line

def main(argv, signals):
    try:
        if argv[0] == "--judge":
            return judge_call(read_call(argv[1:]))
        if argv[0] == "--environment":
            return say(calls_of(argv[1:])[0].task.environment)
        if argv[0] == "--paths":
            return say("\n".join(paths(calls_of(argv[1:]) if len(argv) > 2 else [])))
        is_several = argv[0] == "--task" and argv[3:] not in ([], ["1"])
        return run(calls_of(argv), signals, is_several)
    except Refusal as refusal:
        say(refusal.text("run_model").rstrip(), STDERR)
        return 2


def calls_of(argv):
    """Returns the Calls of a command line. Refusal."""
    if argv[0] != "--task":
        return [read_call(argv)]
    words = argv[1:] if len(argv) != 3 else [*argv[1:], "1"]
    if not words or len(words) % 3:
        raise Refusal("--task takes FILE INDEX [COUNT], or several times FILE INDEX COUNT", HELP)
    calls = [call for lines in zip(*[iter(words)] * 3) for call in read_calls(*lines)]
    if len({call.task.environment for call in calls}) > 1:
        raise Refusal("these tasks need several environments, and a runner activates one",
                      "a COUNT of lines with one environment")
    return calls


def paths(calls):
    """Returns the directories that a container has to see, of which the outputs are created."""
    found = [PROJECT]
    for call in calls:
        os.makedirs(call.directory, exist_ok=True)
        found += [call.out, os.path.dirname(call.task.script), call.folder,
                  *filter(os.path.isabs, call.stage_arguments)]
    return [path for path in dict.fromkeys(found) if os.path.exists(path)]


def run(calls, signals, is_several):
    """Runs tasks one after another; returns the exit code. Readers of several look at verdicts."""
    for call in calls:
        code = run_call(call, signals)
        if signals.number:
            return 143
    return 0 if is_several or os.environ.get("ALWAYS_EXIT_ZERO") == "1" else code


# ---- one task

def run_call(call, signals):
    """Runs a task to a verdict; returns the stage's exit code, 1 if files are missing, or 143."""
    claim = Claim(call)
    try:
        os.makedirs(call.directory, exist_ok=True)
        first = read_status(call.directory, call.out)
        if not wait_for_claim(call, claim, signals):
            return 143
        code = verdict_of_another(call, first)
        return run_attempts(call, claim, signals) if code is None else code
    except (Failure, FileError, OSError) as error:
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
            job = f", job {holder['slurm_job']}" if holder.get("slurm_job") else ""
            say(f"waits: {call.directory}: process {holder.get('pid')} on {holder.get('host')}"
                f"{job} has this task")
        signals.wait(1 if holder else 0.05)


def verdict_of_another(call, first):
    """Returns the exit code if another runner's verdict is this run's as well, None if the task has
    to run. first: the Status when this runner came

    That is a verdict that was written while this runner waited, and a whole result that was written
    after its launch was planned, by this launch or an older one.
    """
    now = read_status(call.directory, call.out)
    if call.task.stage == "collect":
        return None     # tables of another launch may lack the results of this one
    if not is_of(call, now):
        return restore_kept(call)
    is_new = first is None or first.written != now.written
    is_own = (call.launch and now.state == "done"
              and now.written > os.stat(call.tasks_file).st_mtime_ns
              and all(size_of(call.path(name)) == size for name, size in now.files.items()))
    if not (is_own or is_new and now.state in ("done", "failed")):
        return restore_kept(call)
    if now.state == "done" and call.launch > now.launch:    # planned by a newer launch since
        write_record(call, read_json(call.path(STATUS)))
    say(f"{now.state} already: {call.directory}")
    return 0 if now.state == "done" else now.exit_code or 1


def is_of(call, status):
    return status is not None and (
        (status.script, status.arguments) == (call.task.script, call.task.arguments))


def write_record(call, record):
    write_whole(call.path(STATUS), write_text(dict(record, launch=call.launch)))


def restore_kept(call):
    """Returns 0 if an attempt that could not start left the outputs that are asked for, else
    None."""
    try:
        kept = read_json(call.path(STATUS))["kept"]
        status = status_of(kept, call.out)
    except (FileError, AttributeError, KeyError, TypeError, ValueError):
        return None
    inputs = {name: read_status(os.path.join(call.out, name), call.out)
              for name in status.made_from}
    is_same = is_of(call, status) and all(
        size_of(call.path(name)) == size for name, size in status.files.items()) and all(
        inputs[name] is None or inputs[name].stamp == made.stamp
        for name, made in status.made_from.items())
    if not is_same or call.runs.get(call.task.name, ["redo"])[0] == "redo":
        return None
    write_record(call, kept)
    say(f"done already: {call.directory}")
    return 0


def run_attempts(call, claim, signals):
    """Tries at most 1 + RETRIES times; a stage that cannot start, once."""
    for _ in range(1 + setting("RETRIES", 0)):
        attempt = Attempt(call, claim, signals)
        code = attempt.run()
        if code == 0 or signals.number or not attempt.usage:
            break
    why = f": {attempt.failure}; see {call.path(LOG)}" if code else ""
    say(f"{attempt.state}: {call.directory}{why}", STDERR if attempt.state == "failed" else STDOUT)
    return code


def judge_call(call):
    """Writes the verdict on the outputs of another program; returns 0 if they are whole."""
    attempt = Attempt(call, None, None)
    for name in call.inputs:
        status = read_status(os.path.join(call.out, name), call.out)
        if status and not os.path.isabs(name):
            attempt.made_from[name] = input_of(status)
    try:
        judge(call, 0)
    except Failure as failure:
        reason = f"adopted, but {failure.reason.partition('but ')[2]}"
        attempt.write("failed", Failure(failure.kind, reason))
        return 1
    attempt.write("done", Failure("adopted", "adopted", 0))
    return 0


def say(text, stream=STDOUT):
    """Prints a line in UTF-8, whatever the locale. Returns 0."""
    os.write(stream, text.encode("utf-8", "surrogateescape") + b"\n")
    return 0
