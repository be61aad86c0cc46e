"""run: what the pages of all workflows have: what was run, what is missing and why, runtimes.

    Run, its Tree's plans and statuses, launches/LAUNCH/environment.*.json
      -> rows at the top of the page, notes, runtimes
    Gaps -> failure_lines -> terminal, page

Example:
    figures = Figures(tree.synthetic)
    drawn = figures.add("r2.svg", charts.strips, "r2 by source", strips, "r2", caption="Means.")
    page, files = whole_page(run, "Cross-study analysis", "Lead.", [section("r2", drawn)], figures)
"""
import fnmatch
import math
import re
import shlex
import statistics
from collections import Counter
from datetime import timedelta
from typing import NamedTuple

from core.errors import FileError
from core.files import read_json, same_content
from core.task import DIRECTORIES, SPLIT_FILES, argument_list
from core.text import plural
from stages.report import page as parts

OF_ALL = (*DIRECTORIES, *SPLIT_FILES, "y_col_name")     # arguments of every training
LONGEST = 1e9                       # seconds; a status that says more is no reason to fail
NOTHING = "No inference has ended well, so there are no scores."
NUMBER = re.compile(r"\d+(\.\d+)?(e-?\d+)?")
PENDING = ("running", "waiting")    # neither failed nor done
UNDEFINED = "undefined"             # a result that counts, but lacks one metric


class Run(NamedTuple):
    """What a page is about."""
    tree: object
    model: str
    tasks: list             # with scores or trials, or that should have them
    found: int              # how many have
    gaps: list              # a Gap for each other, and for each metric that a result lacks
    notes: list             # a sentence each

    @property
    def missing(self):
        """How many results there should be, but are not."""
        return sum(gap.state != UNDEFINED for gap in self.gaps)


class Figures(dict):
    """{file name: SVG} of the figures made so far. folder: from the page to them."""

    def __init__(self, synthetic, folder="scores/"):
        super().__init__()
        self.stamp, self.folder = f"\n{parts.STAMP}" * synthetic, folder

    def add(self, name, chart, title, *arguments, caption="", csv=None, **options):
        """Draws a figure and returns it as part of a page. csv: the table with its numbers."""
        name = name.replace("/", "-")
        self[name] = chart(title + self.stamp, *arguments, **options)
        files = [self.folder + file.replace("/", "-") for file in (csv, name) if file]
        caption = parts.tag("figcaption", parts.described(caption, files))
        return parts.tag("figure", parts.Html(self[name] + caption), 'class="scroll"')


def whole_page(run, title, lead, sections, figures):
    """Returns (page, {file name: SVG}): what was run and how complete it is, sections, runtimes."""
    tree, plan, tasks = run.tree, run.tree.plan, run.tasks
    head = {"model": run.model,
            "data": plan.get("input_dir"),
            "response": plan.get("y_col_name"),
            "trained on": listed(task.source for task in tasks),
            "tested on": listed(task.target for task in tasks),
            "splits": listed(task.split for task in tasks),
            "sizes": listed(task.size for task in tasks),
            "complete": f"{run.found} of {plural(run.found + run.missing, 'result')}",
            "missing (scores/missing.csv)": parts.items(failure_lines(run.gaps)),
            "launches": listed(plan["launch"] for plan in tree.plans),
            "environment of the model": parts.items([
                f"--env {name}: {list(texts)[-1]}" for name, texts in environments(tree).items()]),
            "arguments of the train script": train_arguments(tree),
            "to repeat it": commands(tree.plans),
            "notes": parts.items([*run.notes, *launch_notes(tree)])}
    return parts.page(title, head, [*sections, runtime_section(tree)], lead,
                      parts.SYNTHETIC * tree.synthetic), figures


def listed(values):
    """Returns names or numbers once each, sorted; '' and None are left out."""
    return ", ".join(map(str, sorted(set(values) - {"", None})))


def in_shell(texts):
    return " ".join(map(shlex.quote, map(str, texts)))


def train_arguments(tree):
    """Returns the arguments of planned trainings, but for OF_ALL, with their sources."""
    found = {}
    for task in tree.tasks.values():
        if task.stage == "train" and task.arguments:
            own = {name: value for name, value in task.arguments.items() if name not in OF_ALL}
            text = in_shell(argument_list(own, "")) or "the script's own defaults"
            found.setdefault(text, set()).add(task.source)
    return "; ".join(f"{listed(sources)}: {text}" for text, sources in found.items())


def commands(plans):
    """Returns the commands of the launches, repeated ones once, each with its directory."""
    lines = dict.fromkeys(f"cd {in_shell([plan.get('directory', '.')])}\n"
                          + in_shell(plan["command"]) for plan in plans if plan.get("command"))
    return parts.joined(parts.tag("pre", line) for line in lines)


def runtime_section(tree):
    """Returns the runtimes of each source and stage, '' if no status has a time."""
    groups, rows = {}, []
    for task in tree.tasks.values():        # parents first, so that stages are in order
        status = tree.status(task.name)
        if task.stage != "collect" and status and status.state == "done" and status.seconds:
            groups.setdefault((task.source, task.stage), []).append(status.seconds)
    for (source, stage), times in sorted(groups.items(), key=lambda item: item[0][0]):
        rows.append([source, stage, len(times), *(
            parts.Cell(timedelta(seconds=math.ceil(min(seconds, LONGEST))), seconds)
            for seconds in (statistics.median(times), sum(times)))])
    return parts.section("Runtimes", parts.table(
        ["source", "stage", "tasks", "median time", "sum"], rows, "Times of finished tasks; a "
        "retried task counts with its last attempt. The launcher's --status --resources shows the "
        "longest, and memory.")) if rows else ""


def environments(tree):
    """Returns {environment: {'Python 3.9.1, 120 packages (1186e147)': newest launch}}, oldest
    first; malformed files are ignored."""
    found = {}
    for plan in tree.plans:
        folder = f"launches/{plan['launch']}"
        for name in fnmatch.filter(tree.names(folder), "environment.*.json"):
            try:
                it = read_json(tree.path(folder, name))
                text = (f"Python {it['python']}, {it['packages']} packages "
                        f"({it['packages_checksum']})")
                found.setdefault(str(it["environment"]), {})[text] = plan["launch"]
            except (FileError, KeyError, TypeError):
                pass
    return found


def launch_notes(tree):
    """Returns sentences: environments that were not the same in all launches, what the runner has
    noted of tasks, launches that read different responses."""
    notes = [f"the environment {name} has changed between launches: "
             + "; ".join(f"{text} until {launch}" for text, launch in texts.items())
             for name, texts in environments(tree).items() if len(texts) > 1]
    noted = Counter(note for status in map(tree.status, tree.tasks) if status
                    for note in map(str, status.notes))
    notes += [f"{note} ({plural(number, 'task')})" for note, number in noted.items()]
    first, changed = {}, set()
    for plan in tree.plans:
        prints = (plan.get("fingerprints") or {}).get("y_data") or {}
        changed.update(name for name, value in prints.items()
                       if not same_content(first.setdefault(name, value), value))
    columns = {str(plan["y_col_name"]) for plan in tree.plans if plan.get("y_col_name")}
    if len(columns) > 1:
        changed |= columns
    if changed:
        notes.append(f"{', '.join(sorted(changed))} changed between launches: scores of launches "
                     "before and after do not belong into one table")
    return notes


def failure_lines(gaps):
    """Returns a line for each cause of missing scores, and one for those that are not there yet.
    Numbers in a reason make no new cause."""
    causes, pending = {}, sum(gap.state in PENDING for gap in gaps)
    for gap in gaps:
        if gap.state not in (*PENDING, UNDEFINED):
            cause = gap.stage, gap.state, NUMBER.sub("N", gap.reason)
            causes.setdefault(cause, []).append(gap)
    lines = []
    for alike in causes.values():
        gap, others = alike[0], len({each.failed_task for each in alike}) - 1
        more = f" and {others} more" * bool(others)
        reason = f": {gap.reason}" * bool(gap.reason)
        log = f"; log: {gap.log}" * bool(gap.log)
        lines.append(f"{gap.failed_task}{more} {gap.state}{reason} "
                     f"({plural(len(alike), 'score')} missing{log})")
    if pending:
        lines.append(f"{plural(pending, 'score')} pending: tasks are running or have not run")
    return lines
