"""run_report: what the pages of all workflows say: what was run, how complete it is, runtimes, failures.

    Tree, plan.json            -> rows for the top of the page
    stage_status.json          -> runtimes, as a table and a figure
    gaps, the ends of log.txt  -> what is missing and why

Examples:
    rows = run_rows(tree, "baseline", tasks, found=28, gaps=gaps)
    text = run_page("Cross-study analysis of baseline", tree, rows, sections, "What came out.")

Reads plans, statuses and logs; nothing in them makes it raise.
"""
import os
import re
import shlex
import statistics

import axes
import charts
from improve_files import FileError
from report import STAMP, SYNTHETIC, figure, figures, is_number, items, joined, page, paragraph, section, table, tag
from results_tree import STAGES
from tree_files import on_disk, read_json

PENDING = ("running", "waiting")    # neither failed nor done
MOST_FAILURES = 20                  # told one by one
MOST_COMMANDS = 5                   # the newest; a run may have been resumed many times
LOG_LINES, LOG_BYTES, LOG_WIDTH = 5, 1 << 14, 300
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")      # colors and cursor movements of a terminal


# ---- what was run

def stamp_of(tree):
    """Returns the stamp of figures: '' for real data."""
    return STAMP if tree.synthetic else ""


def run_page(title, tree, head_rows, sections, lead):
    """Returns the page of a results tree."""
    return page(title, head_rows, [part for part in sections if part], lead, SYNTHETIC if tree.synthetic else "")


def run_rows(tree, model, tasks, found, gaps):
    """Returns what stands at the top: (name, text) of what was run, when, with what, how complete.

    tasks: those with scores or trials; found: how many have one; gaps: a Gap for each other.
    """
    plans = plan_files(tree)
    plan = plans[-1] if plans else {}
    rows = [("model", model), ("response", plan.get("y_col_name")), ("data", plan.get("input_dir"))]
    rows += studies(tasks)
    rows += [("splits", ranges({task.split for task in tasks})),
             ("sizes", ", ".join(map(str, sorted({task.size for task in tasks} - {None})))),
             ("complete", completeness(found, gaps)), ("started", dates(plans)),
             ("versions", ", ".join(f"{name} {version}" for name, version in _dict(plan, "versions").items())),
             ("to repeat it", commands(plans))]
    return [(name, text) for name, text in rows if text]


def studies(tasks):
    """Returns rows that name the studies: once where each model is tested on its own."""
    sources, targets = ({getattr(task, field) or "" for task in tasks} for field in ("source", "target"))
    if all(task.target in (None, "", task.source) for task in tasks):
        return [("studies", ", ".join(sorted(sources)))]
    return [("trained on", ", ".join(sorted(sources))), ("tested on", ", ".join(sorted(targets)))]


def plan_files(tree):
    """Returns the plans of the launches as they stand, oldest first; those that cannot be read are left out."""
    plans = []
    for launch in tree.names("launches"):
        try:
            plan = read_json(os.path.join(tree.path("launches"), on_disk(launch), "plan.json"))
        except FileError:
            continue
        plans += [plan] if isinstance(plan, dict) else []
    return plans


def _dict(plan, name):
    return plan[name] if isinstance(plan.get(name), dict) else {}


def _words(plan, name):
    return list(map(str, plan[name])) if isinstance(plan.get(name), list) else []


def ranges(numbers):
    """Returns '0-9, 12' of a set of whole numbers."""
    spans = []
    for number in sorted(numbers - {None}):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)


def completeness(found, gaps):
    """Returns '28 of 30 results, 1 failed, 1 not run yet'."""
    pending = sum(gap.state in PENDING for gap in gaps)
    failed = len(gaps) - pending
    parts = [f"{found} of {found + len(gaps)} results"] + ([f"{failed} missing after a failure"] if failed else [])
    return ", ".join(parts + ([f"{pending} not run yet"] if pending else []))


def dates(plans):
    """Returns when the launches were made."""
    made = [str(plan["created"]).replace("T", " ").replace("Z", " UTC") for plan in plans if plan.get("created")]
    return made[0] if len(made) == 1 else f"{made[0]} to {made[-1]}, {len(made)} launches" if made else ""


def commands(plans):
    """Returns the command of each launch, those that were given again once, and where they were typed."""
    lines = [(" ".join(map(shlex.quote, _words(plan, "command"))), plan.get("directory")) for plan in plans]
    lines = [f"cd {shlex.quote(str(place))}\n{line}" if place else line for line, place in lines if line]
    lines = list(dict.fromkeys(lines))
    earlier = [f"# and {len(lines) - MOST_COMMANDS} earlier ones"] if len(lines) > MOST_COMMANDS else []
    return tag("pre", "\n".join(earlier + lines[-MOST_COMMANDS:])) if lines else ""


# ---- runtimes and failures

def runtimes(tree):
    """Returns {(source, stage): seconds of the tasks that are done}, from their stage_status.json."""
    found = {}
    for task in tree.tasks.values():
        status = tree.status(task.name)
        if task.stage in STAGES[:-1] and status and status.state == "done":
            seconds = _seconds(os.path.join(tree.path(task.name), "stage_status.json"))
            if seconds is not None:
                found.setdefault((task.source or "", task.stage), []).append(seconds)
    return dict(sorted(found.items(), key=lambda item: (item[0][0], STAGES.index(item[0][1]))))


def _seconds(path):
    try:
        seconds = read_json(path).get("seconds")
    except (FileError, AttributeError):
        return None
    return float(seconds) if is_number(seconds) and axes.usable(seconds) else None


def runtime_section(tree, figure_name):
    """Returns (section, {file name: SVG}); ('', {}) where no status tells a time."""
    times = runtimes(tree)
    if not times:
        return "", {}
    rows = [[source, stage, len(values), duration(statistics.median(values)), duration(max(values)),
             duration(sum(values))] for (source, stage), values in times.items()]
    total = duration(sum(map(sum, times.values())))
    drawn = charts.strips(
        [charts.Strip(source, values, stage) for (source, stage), values in times.items()], "Runtimes", x_scale="log",
        x_label="seconds per task", note="points: tasks; box: quartiles; line: median", stamp=stamp_of(tree))
    caption = f"Time of tasks that are done, {total} in all; retried tasks count with their last attempt."
    told = table(["source", "stage", "tasks", "median", "longest", "sum"], rows, caption)
    shown = figure(drawn, "Time per task, by source and stage.")
    return section("Runtimes", figures([told, shown])), {figure_name: drawn}


def duration(seconds):
    """Returns '3.2 s', '4 min 10 s' or '2 h 05 min', in spaces at which no line breaks."""
    if seconds < 59.95:
        text = f"{seconds:.1f} s"
    elif seconds < 3599.5:
        text = "{} min {:02d} s".format(*divmod(round(seconds), 60))
    else:
        text = "{} h {:02d} min".format(*divmod(round(seconds / 60), 60))
    return text.replace(" ", "\u00a0")


def failure_section(gaps, notes=()):
    """Returns what is missing and why, with the ends of the logs; '' where all is there."""
    lost = {}
    for gap in gaps:
        lost.setdefault(gap.culprit, []).append(gap)
    failed = {culprit: group for culprit, group in lost.items() if group[0].state not in PENDING}
    pending = sum(len(group) for culprit, group in lost.items() if culprit not in failed)
    parts = [_failure(*item) for item in list(failed.items())[:MOST_FAILURES]]
    if len(failed) > MOST_FAILURES:
        parts.append(paragraph(f"And {len(failed) - MOST_FAILURES} more: scores/missing.csv lists all."))
    parts += [paragraph(f"{pending} results wait for tasks that run or have not run yet.")] if pending else []
    parts += [items(notes)] if notes else []
    return section("Missing results" if gaps else "Notes", *parts) if parts else ""


def _failure(culprit, gaps):
    first = gaps[0]
    results = "one result is" if len(gaps) == 1 else f"{len(gaps)} results are"
    reason = f": {first.reason}" if first.reason else ""
    tail = log_tail(first.log)
    return joined([tag("h3", culprit), paragraph(f"{first.stage} {first.state}{reason}; {results} missing."),
                   tag("pre", "\n".join(tail)) if tail else paragraph("There is no log.")])


def log_tail(path):
    """Returns the last lines of a log, without what moves a terminal's cursor; none where it cannot be read."""
    try:
        with open(on_disk(path), "rb") as file:
            file.seek(max(0, os.path.getsize(file.name) - LOG_BYTES))
            text = file.read(LOG_BYTES).decode("utf-8", "replace")
    except (OSError, ValueError):
        return []
    lines = [ESCAPES.sub("", line.rstrip().rpartition("\r")[2]).rstrip() for line in text.split("\n")]
    return [line[:LOG_WIDTH] + ("\u2026" if line[LOG_WIDTH:] else "") for line in lines if line][-LOG_LINES:]
