"""run: what the pages of all workflows have: what was run, what is missing and why, runtimes.

    Run, its Tree's plans      -> rows at the top of the page
    its Tree's statuses        -> runtimes, as a table

Examples:
    run = Run(tree, "baseline", tasks, found=28, gaps=gaps, notes=[])
    figures = Figures(tree.synthetic)
    drawn = figures.add("r2.svg", charts.bars, "r2 by source", strips, caption="Means.")
    page, files = whole_page(run, "Cross-study analysis", "Lead.", [section("r2", drawn)], figures)
"""
import math
import shlex
import statistics
from datetime import timedelta
from typing import NamedTuple

from core.task import DIRECTORIES, SPLIT_FILES, argument_list
from core.text import plural
from stages.report import page as parts
from stages.report.environments import data_notes, environment_notes, environments
from stages.report.failures import UNDEFINED, failure_lines

OF_ALL = (*DIRECTORIES, *SPLIT_FILES, "y_col_name")     # arguments of every training
LONGEST = 1e9                       # seconds; a status that says more is no reason to fail
NOTHING = "No inference has ended well, so there are no scores."


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
    """{file name: SVG} of the figures made so far. folder: from the page to them; a wide figure
    scrolls before it gets too small."""

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
    """Returns (page, {file name: SVG}): the sections, then runtimes. lead: what came out."""
    stamp = parts.SYNTHETIC * run.tree.synthetic
    return parts.page(title, run_rows(run), [*sections, runtime_section(run.tree)], lead,
                      stamp), figures


# ---- what was run

def run_rows(run):
    """Returns what is at the top: (name, text) of what was run, when, with what, how complete."""
    tree, plan, tasks = run.tree, run.tree.plan, run.tasks
    rows = {"model": run.model,
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
            "notes": parts.items([*run.notes, *environment_notes(tree), *data_notes(tree)])}
    return [(name, text) for name, text in rows.items() if text]


def listed(values):
    """Returns names or numbers once each, sorted; '' and None are left out."""
    return ", ".join(map(str, sorted(set(values) - {"", None})))


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


def commands(plans):
    """Returns the commands of the launches, repeated ones once, each with its directory."""
    lines = dict.fromkeys(f"cd {in_shell([plan.get('directory', '.')])}\n"
                          + in_shell(plan["command"]) for plan in plans if plan.get("command"))
    return parts.joined(parts.tag("pre", line) for line in lines)


# ---- runtimes

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
