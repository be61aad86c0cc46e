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
import collections
import itertools
import shlex
import statistics
from typing import NamedTuple

from core.files import on_disk
from core.slurm_output import tail
from core.task import DIRECTORIES, SPLIT_FILES, STAGES, argument_list
from core.text import plural
from stages.report import page as parts
from stages.report.environments import data_notes, environment_notes, environment_rows
from stages.report.failures import by_cause, failed_and_pending

OF_ALL = (*DIRECTORIES, *SPLIT_FILES, "y_col_name")     # arguments of every training
MOST_CAUSES = 20                    # of failures that are described
MOST_COMMANDS = 5                   # the newest; a run may have been resumed many times
LOG_LINES = 5                       # of a failed task
MEASURED = STAGES[:-1]              # all but the collector
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
        self.stamp, self.folder = f"\n{parts.STAMP}" * bool(synthetic), folder

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
    stamp = parts.SYNTHETIC if run.tree.synthetic else ""
    return parts.page(title, run_rows(run), sections, lead, stamp), dict(figures)


# ---- what was run

def run_rows(run):
    """Returns what is at the top: (name, text) of what was run, when, with what, how complete."""
    tree, plan, tasks = run.tree, run.tree.plan, run.tasks
    options = plan.get("arguments") or {}
    sources, targets = ({getattr(task, field) or "" for task in tasks}
                        for field in ("source", "target"))
    is_own = all(task.target in (None, "", task.source) for task in tasks)
    rows = {"model": run.model,
            "data": listed([plan.get("input_dir"), options.get("y_data_file")]),
            "response": plan.get("y_col_name"),
            "studies" if is_own else "trained on": listed(sorted(sources)),
            "tested on": "" if is_own else listed(sorted(targets)),
            "splits": ranges({task.split for task in tasks}),
            "sizes": sizes(tasks),
            "complete": completeness(run),
            "started": dates(tree.plans),
            "environment of the model": "; ".join(map("--env {}".format, environment_rows(tree))),
            "versions": listed(map(" ".join, (plan.get("versions") or {}).items())),
            "arguments that differ from the defaults": changed_arguments(options.get("changed")),
            "arguments of the train script": train_arguments(tree),
            "to repeat it": commands(tree.plans),
            "notes": parts.items([*run.notes, *environment_notes(tree), *data_notes(tree)])}
    return [(name, text) for name, text in rows.items() if text]


def listed(texts):
    return ", ".join(filter(None, texts))


def sizes(tasks):
    """Returns the training set sizes; '' without any."""
    found = {task.size for task in tasks if task.size is not None}
    return f"{min(found)} to {max(found)} rows" if found else ""


def changed_arguments(changed):
    """Returns the launcher's arguments that differ from the defaults, '' if that is not known."""
    if changed is None:
        return ""
    given = {name: [] if value is True else list(map(str, value)) if isinstance(value, list)
             else str(value) for name, value in changed.items()}
    return parts.typed(in_shell(argument_list(given, "")) or "none", "code")


def in_shell(texts):
    return " ".join(map(shlex.quote, map(str, texts)))


def train_arguments(tree):
    """Returns the arguments that trainings were given, but for those of all; if they differ, with
    the sources that have them."""
    found = collections.defaultdict(set)
    for task in tree.tasks.values():
        if task.stage == "train":
            own = {name: value for name, value in task.arguments.items() if name not in OF_ALL}
            found[in_shell(argument_list(own, "")) or "the script's own defaults"].add(task.source)
    texts = [f"{listed(sorted(sources))}: {text}" for text, sources in found.items()]
    return "; ".join(texts if texts[1:] else found)


def ranges(numbers):
    """Returns '0-9, 12' of a set of whole numbers."""
    spans = itertools.groupby(enumerate(sorted(numbers - {None})), lambda pair: pair[1] - pair[0])
    ends = [[number for _, number in span] for _, span in spans]
    return ", ".join(f"{span[0]}-{span[-1]}" if span[1:] else str(span[0]) for span in ends)


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
    return f"{count} missing: {gap.stage} {gap.state}" + (f": {gap.reason}" * bool(gap.reason))


def dates(plans):
    """Returns when the launches were made."""
    made = [str(plan["created"]).replace("T", " ").replace("Z", " UTC")
            for plan in plans if plan.get("created")]
    return " to ".join(dict.fromkeys(made[:1] + made[-1:]))


def commands(plans):
    """Returns the commands of the newest launches, repeated ones once, each with its directory."""
    lines = [(f"cd {in_shell([plan['directory']])}\n" if plan.get("directory") else "")
             + in_shell(plan["command"]) for plan in plans if plan.get("command")]
    lines = list(dict.fromkeys(lines))[-MOST_COMMANDS:]
    return parts.typed("\n".join(lines)) if lines else ""


# ---- runtimes

def measured(tree):
    """Returns {(source, stage): Statuses of its finished tasks}."""
    found = {}
    for task in tree.tasks.values():
        status = tree.status(task.name)
        if task.stage in MEASURED and status and status.state == "done" and (
                status.seconds is not None):
            found.setdefault((task.source or "", task.stage), []).append(status)
    return dict(sorted(found.items(), key=lambda item: (item[0][0], MEASURED.index(item[0][1]))))


def runtimes(tree):
    """Returns {(source, stage): seconds of its finished tasks}."""
    return {key: [status.seconds for status in group] for key, group in measured(tree).items()}


def runtime_section(tree):
    """Returns the section, '' if no status has a time."""
    rows = []
    for key, group in measured(tree).items():
        times = [status.seconds for status in group]
        peak = max(status.peak_mb or 0 for status in group)
        rows.append([*key, len(group), *[parts.Cell(duration(seconds), seconds) for seconds in (
            statistics.median(times), max(times), sum(times))],
            parts.Cell(f"{peak:.0f} MB", peak) if peak else None])
    return parts.section("Runtimes", parts.table(
        ["source", "stage", "tasks", "median time", "longest", "sum", "most memory"], rows,
        "Median, longest and sum of the times of finished tasks, and the most memory of one. A "
        "retried task counts with its last attempt.")) if rows else ""


def duration(seconds):
    """Returns '3.2 s', '4 min 10 s' or '2 h 05 min', in spaces at which no line breaks."""
    if seconds < 59.95:
        text = f"{seconds:.1f} s"
    elif seconds < 3599.5:
        text = "{} min {:02d} s".format(*divmod(round(seconds), 60))
    else:
        text = "{} h {:02d} min".format(*divmod(round(seconds / 60), 60))
    return text.replace(" ", "\u00a0")


# ---- failures

def failure_section(gaps):
    """Returns what is missing and why, with the ends of the logs; '' if nothing is."""
    failed, pending = failed_and_pending(gaps)
    told = list(map(_failure, by_cause(failed)[:MOST_CAUSES]))
    if told:
        told.append("scores/missing.csv lists every missing result.")
    if pending:
        told.append(f"{plural(pending, 'result')} pending: the tasks are running or waiting.")
    return parts.section("Missing results", *told) if told else ""


def _failure(alike):
    """alike: [(failed task, the gaps that it leaves)] of one cause."""
    failed_task, gaps = alike[0]
    more = f" and {len(alike) - 1} more" * bool(alike[1:])
    log = tail(on_disk(gaps[0].log), LOG_LINES)
    return parts.paragraphs([parts.tag("h3", failed_task + more), f"{cause(alike)}.",
                             parts.typed("\n".join(log)) if log else "It has no log."])
