"""run: what the pages of all workflows have: what was run, how complete it is, runtimes, failures.

    Run, its Tree's plans      -> rows at the top of the page
    its Tree's statuses        -> runtimes and memory, as a table
    gaps, the ends of log.txt  -> what is missing and why

Examples:
    run = Run(tree, "baseline", tasks, found=28, gaps=gaps, notes=[])
    figures = Figures(tree.synthetic)
    drawn = figures.add("r2.svg", charts.bars, "r2 by source", strips, caption="Means.")
    page, files = whole_page(run, "Cross-study analysis", "Lead.", [section("r2", drawn)], figures)

Reads logs only, the Tree has read the rest; nothing in them makes it raise.
"""
import shlex
import statistics
from typing import NamedTuple

from core.files import on_disk
from core.slurm_output import tail
from core.task import DIRECTORIES, SPLIT_FILES, argument_list
from core.text import plural
from stages.report import page as parts
from stages.report.environments import data_notes, environment_notes, environment_rows
from stages.report.failures import by_cause, failed_and_pending

OF_ALL = (*DIRECTORIES, *SPLIT_FILES, "y_col_name")     # arguments of every training
MOST_CAUSES = 20                    # of failures that are described
MOST_COMMANDS = 5                   # the newest; a run may have been resumed many times
LOG_LINES = 5                       # of a failed task
NOTHING = "No inference has ended well, so there are no scores."


class Run(NamedTuple):
    """What a page is about."""
    tree: object
    model: str
    tasks: list             # with scores or trials, or that should have them
    found: int              # how many have
    gaps: list              # a Gap for each other
    notes: list             # a sentence each


class Figures(dict):
    """{file name: SVG} of the figures made so far. folder: from the page to them."""

    def __init__(self, synthetic, folder="scores/"):
        super().__init__()
        self.stamp, self.folder = f"\n{parts.STAMP}" * synthetic, folder

    def add(self, name, chart, title, *arguments, caption="", csv=None, **options):
        """Draws a figure and returns it as part of a page. csv: the table with its numbers."""
        name = name.replace("/", "-")
        self[name] = chart(title + self.stamp, *arguments, **options)
        return parts.figure(self[name], caption, *([self.folder + csv] if csv else []),
                            self.folder + name)


def whole_page(run, title, lead, sections, figures):
    """Returns (page, {file name: SVG}): the sections, then runtimes and failures. lead: what came
    out."""
    sections = [*sections, runtime_section(run.tree), failure_section(run.gaps)]
    stamp = parts.SYNTHETIC * run.tree.synthetic
    return parts.page(title, run_rows(run), sections, lead, stamp), dict(figures)


# ---- what was run

def run_rows(run):
    """Returns what is at the top: (name, text) of what was run, when, with what, how complete."""
    tree, plan, tasks = run.tree, run.tree.plan, run.tasks
    rows = {"model": run.model,
            "data": plan.get("input_dir"),
            "response": plan.get("y_col_name"),
            "trained on": listed(task.source for task in tasks),
            "tested on": listed(task.target for task in tasks),
            "splits": ranges({task.split for task in tasks} - {None}),
            "sizes": ", ".join(map(str, sorted({task.size for task in tasks} - {None}))),
            "complete": completeness(run),
            "launches": listed(plan["launch"] for plan in tree.plans),
            "environment of the model": "; ".join(map("--env {}".format, environment_rows(tree))),
            "arguments that differ from the defaults": changed_arguments(plan),
            "arguments of the train script": train_arguments(tree),
            "to repeat it": commands(tree.plans),
            "notes": parts.items([*run.notes, *environment_notes(tree), *data_notes(tree)])}
    return [(name, text) for name, text in rows.items() if text]


def listed(names):
    """Returns names once each, sorted; '' is left out."""
    return ", ".join(sorted(set(filter(None, names))))


def changed_arguments(plan):
    """Returns the launcher's arguments that differ from the defaults; older plans do not say."""
    changed = (plan.get("arguments") or {}).get("changed") or {}
    return " ".join(f"--{name} {in_shell(value if isinstance(value, list) else [value])}"
                    for name, value in changed.items())


def in_shell(texts):
    return " ".join(map(shlex.quote, map(str, texts)))


def train_arguments(tree):
    """Returns the arguments of planned trainings, but for those of all, with the sources that have
    them."""
    found = {}
    for task in tree.tasks.values():
        if task.stage == "train" and task.arguments:
            own = {name: value for name, value in task.arguments.items() if name not in OF_ALL}
            text = in_shell(argument_list(own, "")) or "the script's own defaults"
            found.setdefault(text, set()).add(task.source)
    return "; ".join(f"{listed(sources)}: {text}" for text, sources in found.items())


def ranges(numbers):
    """Returns '0-9, 12' of a set of whole numbers."""
    starts = sorted(number for number in numbers if number - 1 not in numbers)
    ends = sorted(number for number in numbers if number + 1 not in numbers)
    return ", ".join(str(start) if start == end else f"{start}-{end}"
                     for start, end in zip(starts, ends))


def completeness(run):
    """Returns '28 of 30 results; 1 missing: train failed: exit code 3; 1 pending'."""
    failed, pending = failed_and_pending(run.gaps)
    return "; ".join([f"{run.found} of {plural(run.found + len(run.gaps), 'result')}",
                      *map(cause, by_cause(failed)[:MOST_CAUSES]),
                      *[f"{pending} pending"] * bool(pending)])


def cause(alike):
    """alike: [(failed task, the gaps that it leaves)] of one cause."""
    gap = alike[0][1][0]
    count = sum(len(gaps) for _, gaps in alike)
    return f"{count} missing: {gap.stage} {gap.state}" + f": {gap.reason}" * bool(gap.reason)


def commands(plans):
    """Returns the commands of the newest launches, repeated ones once, each with its directory."""
    lines = dict.fromkeys(f"cd {in_shell([plan.get('directory', '.')])}\n"
                          + in_shell(plan["command"]) for plan in plans if plan.get("command"))
    return parts.joined(map(parts.typed, list(lines)[-MOST_COMMANDS:]))


# ---- runtimes

def runtime_section(tree):
    """Returns the runtimes of each source and stage, '' if no status has a time."""
    groups, rows = {}, []
    for task in tree.tasks.values():        # parents first, so that stages are in order
        status = tree.status(task.name)
        if task.stage != "collect" and status and status.state == "done" and (
                status.seconds is not None):
            groups.setdefault((task.source, task.stage), []).append(status)
    for (source, stage), group in sorted(groups.items(), key=lambda item: item[0][0]):
        times = [status.seconds for status in group]
        peak = max(status.peak_mb or 0 for status in group)
        rows.append([source, stage, len(group), *[parts.Cell(duration(seconds), seconds)
                     for seconds in (statistics.median(times), max(times), sum(times))],
                     parts.Cell(f"{peak:.0f} MB", peak) if peak else None])
    return parts.section("Runtimes", parts.table(
        ["source", "stage", "tasks", "median time", "longest", "sum", "most memory"], rows,
        "Median, longest and sum of the times of finished tasks, and the most memory of one. A "
        "retried task counts with its last attempt.")) if rows else ""


def duration(seconds):
    """Returns '3.2 s', in a space at which no line breaks; from a minute on '0:04:10', as Slurm has
    it."""
    if seconds < 59.95:
        return f"{seconds:.1f}\u00a0s"
    minutes, seconds = divmod(round(seconds), 60)
    return "{}:{:02d}:{:02d}".format(*divmod(minutes, 60), seconds)


# ---- failures

def failure_section(gaps):
    """Returns what is missing and why, with the ends of the logs; '' if nothing has failed."""
    told = []
    for alike in by_cause(failed_and_pending(gaps)[0])[:MOST_CAUSES]:
        failed_task, (gap, *_) = alike[0]
        more = f" and {len(alike) - 1} more" * bool(alike[1:])
        log = tail(on_disk(gap.log), LOG_LINES)
        told += [parts.tag("h3", failed_task + more), f"{cause(alike)}.",
                 parts.typed("\n".join(log) or "no log")]
    return parts.section("Missing results", *told,
                         "scores/missing.csv lists every missing result.") if told else ""
