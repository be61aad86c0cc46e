"""status: --status: what became of every task and what to do now, as text or JSON."""
import json
import os
import re
import shlex
import sys
import time
from collections import Counter

from launcher import plan_file
from launcher.refusal import Refusal
from launcher.results_tree import ResultsTree
from launcher.terminal import counted
from launcher.survey import NEVER_STARTS, NO_NODE_IS_UP, STATES, ask_queue, exit_code, survey, with_accounting

OWN_ERROR = "repair what ended with an error and give the same command again, or add --retry_failed to repeat it as it is"
NUMBER = re.compile(r"\d+(\.\d+)?(e-?\d+)?")    # causes that differ in numbers only are one cause


def show(workflow, options, again):
    """Prints what became of every task; returns the exit code."""
    tree = started_tree(options)
    elements, silence = ask_queue(tree)
    states = with_accounting(survey(tree, elements), tree)
    for path in tree.broken_plans:
        sys.stderr.write(f"{path!r} cannot be read: what that launch started is not known here\n")
    code = exit_code(states)
    if options.json:
        print(json.dumps({"workflow": workflow, "output_dir": tree.out, "queue": silence or "answered", "exit_code": code,
                          "tasks": list(map(as_json, states))}, indent=1))
        return code
    print(f"{tree.out}\n{table(states)}")
    if silence:
        print(f"the queue could not be asked ({silence}): running and queued are as the files say")
    for part in (waiting(states), problems(states), advice(states, tree, again)):
        if part:
            print("\n" + part)
    return code


def as_json(state):
    record = dict(state._asdict(), log=state.log, log_tail=log_tail(state))
    del record["out"]
    return record


def started_tree(options):
    tree = ResultsTree(options.output_dir)
    if not tree.launches and not survey(tree, []):
        raise Refusal(f"there is no launch in {options.output_dir}", way_to_a_run(options.output_dir))
    return tree


def way_to_a_run(out):
    """What to name instead of an OUT without a launch: the runs beside it, the newest first."""
    import glob     # here, since only this refusal needs it
    beside = sorted(glob.glob(os.path.join(glob.escape(os.path.dirname(out)), "*", "launches")), key=os.path.getmtime, reverse=True)
    runs = [shlex.quote(os.path.relpath(os.path.dirname(path))) for path in beside[:5]]
    return f"--output_dir with one of {', '.join(runs)}" if runs else "name the --output_dir of a run, or start one"


def table(states):
    """The counts as text: a row for each stage, a column for each state."""
    stages = list(dict.fromkeys(state.stage for state in states))
    counts = Counter((state.stage, state.state) for state in states)
    rows = [["", *STATES]] + [[stage] + [str(counts[stage, column]) for column in STATES] for stage in stages]
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) if at == 0 else cell.rjust(width)
                               for at, (cell, width) in enumerate(zip(row, widths))) for row in rows)


def waiting(states):
    """Why elements wait, equal reasons together; what can never start, with the way out."""
    groups = {}
    for state in states:
        if state.state == "queued" and state.reason:
            groups.setdefault((state.reason_kind, state.stage, state.reason), []).append(state)
    ways_out = dict([*NEVER_STARTS.values(), NO_NODE_IS_UP])
    return "\n".join(
        f"{len(group)} {stage} can never start: {reason}\n  try: {ways_out[reason]}"
        if kind == "never_starts" else f"{len(group)} {stage} wait: {reason}"
        for (kind, stage, reason), group in groups.items())


def problems(states, shown=10):
    """What failed, was interrupted or lost: equal causes together, with the last words of one log."""
    groups = {}
    bad = [state for state in states if state.state in ("failed", "interrupted", "lost") and state.reason_kind != "parent_failed"]
    for state in bad:
        # A collector that found no score fails for what is named beside it.
        if state.stage != "collect" or all(other.stage == "collect" for other in bad):
            groups.setdefault((state.state, state.stage, NUMBER.sub("N", state.reason)), []).append(state)
    rows = [row for group in list(groups.values())[:shown] for row in group_lines(group)]
    if len(groups) > shown:
        rows.append(f"... and {len(groups) - shown} more causes")
    followers = sum(state.reason_kind in ("parent_failed", "stranded") for state in states)
    if followers:
        rows.append(f"{counted(followers, 'task')} did not run because a parent failed")
    return "\n".join(rows)


def group_lines(group):
    """One cause: 'failed: NAME and 14 more: REASON (attempt 2 on HOST); log: PATH', and the end of that log."""
    first = group[0]
    more = f" and {len(group) - 1} more" if len(group) > 1 else ""
    where = f"attempt {first.attempt} on {first.host}" if first.attempt else "never started"
    lines = log_tail(first) if first.attempt else []
    return [f"{first.state}: {first.name}{more}: {first.reason} ({where}); log: {first.log}"] + ["    " + line for line in lines]


def log_tail(state):
    return tail(state.log) if state.state in ("failed", "interrupted", "lost") else []


def tail(path, lines=5, largest=20000):
    """The last lines of the last attempt in a log, as text that can be printed."""
    try:
        with open(path, "rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - largest))
            rows = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    starts = [at for at, row in enumerate(rows) if row.startswith("=== attempt ")]
    rows = rows[starts[-1] + 2:] if starts else rows
    rows = ["".join(c if c.isprintable() else " " for c in row) for row in rows if row.strip()]
    return [row if len(row) <= 300 else row[:300].rpartition(" ")[0] + " ..." for row in rows[-lines:]]


def advice(states, tree, again):
    """What to do now, in one line or two."""
    code = exit_code(states)
    if code == 0:
        return "all done"
    counted = ", ".join(f"{number} {word}" for word in STATES
                        for number in [sum(state.state == word for state in states)] if number)
    if code == 3:
        return f"it runs: {counted}{end_estimate(states, tree)}; to end it: {again} --cancel"
    if code == 4:
        return f"it cannot go on by itself: {counted}; to end it: {again} --cancel"
    names = {state.name for state in states if state.state != "done" and state.stage != "collect"} or {"scores"}
    own = f"{OWN_ERROR}\n" if any(map(has_own_error, states)) else ""
    return f"{own}to run what is not done:" + "".join(f"\n  {command}" for command in commands_for(names, tree))


def commands_for(names, tree):
    """The newest commands that together run these tasks, oldest first."""
    commands = []
    for launch in reversed(tree.launches or tree.dry_launches):
        if names & launch.names:
            commands.append(plan_file.command_here(launch, tree.out))
            names = names - launch.names
    return list(dict.fromkeys(reversed(commands)))


def has_own_error(state):
    """Whether the stage script itself ended with an error, which would come again (launcher/resources/recovery.py)."""
    return state.state == "failed" and state.reason_kind == "exit_code" and state.stage != "collect"


def way_on(states):
    """What to do about tasks that are not done, in a sentence."""
    own = sum(map(has_own_error, states))
    return OWN_ERROR if own else "the same command runs them again"


def end_estimate(states, tree):
    """', at the present rate done in about 2:10:00', from the tasks that ended in the last launch; '' if too few."""
    ended = [state for state in states if state.state == "done" and state.stage != "collect"]
    left = [state for state in states if state.state in ("running", "queued") and state.stage != "collect"]
    try:
        times = sorted(os.path.getmtime(tree.path(state.name, "stage_status.json")) for state in ended)[-50:]
    except OSError:
        return ""
    if len(times) < 5 or time.time() - times[0] <= 0 or not left:
        return ""
    seconds = int((time.time() - times[0]) / len(times) * len(left))
    return f", at the present rate done in about {seconds // 3600}:{seconds % 3600 // 60:02d} hours"
