"""run: what the pages of all workflows have: what was run, how complete it is, runtimes, failures.

    Run, its Tree's plans      -> rows for the top of the page
    its Tree's statuses        -> runtimes, as a table and a figure
    gaps, the ends of log.txt  -> what is missing and why

Examples:
    run = Run(tree, "baseline", tasks, found=28, gaps=gaps, notes=[])
    figures = Figures(tree.synthetic)
    sections = [section("Scores", figures.add("r2.svg", charts.bars, names, series, "r2 by source"))]
    page, files = whole_page(run, "Cross-study analysis of baseline", "What came out.", sections, figures, "csa")

Reads logs only, the Tree has read the rest; nothing in them makes it raise.
"""
import os
import re
import shlex
import statistics
from typing import NamedTuple

from common.tables import plural
from common.tree_files import on_disk
from report import charts
from report.paper import for_paper
from report.resources import resources_section
from report.page import STAMP, SYNTHETIC, figure, figures, items, joined, page, paragraph, section, table, tag, typed
from tree.environments import environment_rows
from tree.results_tree import STAGES
from tree.scores import by_cause, failed_and_pending

UNITS = {"row": "rows", "cell": "cell lines", "drug": "drugs"}
MOST_CAUSES = 20                    # of failures that are described
MOST_COMMANDS = 5                   # the newest; a run may have been resumed many times
LOG_LINES, LOG_BYTES, LOG_WIDTH = 5, 1 << 14, 300
NOTHING = paragraph("No inference has ended well, so there is nothing to show.")
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")      # colors and cursor movements of a terminal


class Run(NamedTuple):
    """What a page is about."""
    tree: object
    model: str
    tasks: list             # with scores or trials, or that should have them
    found: int              # how many have
    gaps: list              # a Gap for each other
    notes: list             # a sentence each


class Figures(dict):
    """{file name: SVG} of the figures made so far; those of demo data are stamped."""

    def __init__(self, synthetic):
        super().__init__()
        self.stamp = STAMP if synthetic else ""

    def add(self, name, chart, *arguments, caption="", **options):
        """Draws a figure and returns it as part of a page; a name with / in it stays a name."""
        name = name.replace("/", "-")
        self[name] = chart(*arguments, stamp=self.stamp, **options)
        return figure(self[name], caption)

    def for_paper(self):
        return {name: for_paper(drawn) for name, drawn in self.items()}


def whole_page(run, title, lead, sections, figures, workflow):
    """Returns (page, {file name: SVG for print}): the sections, then runtimes and failures. lead: what came out."""
    sections = [*sections, runtime_section(run.tree, figures, f"{workflow}_runtimes.svg"), resources_section(run.tree, duration),
                failure_section(run.gaps, run.notes)]
    text = page(title, run_rows(run), list(filter(None, sections)), lead, SYNTHETIC if run.tree.synthetic else "")
    return text, figures.for_paper()


# ---- what was run

def run_rows(run):
    """Returns what is at the top: (name, text) of what was run, when, with what, how complete."""
    plans, plan = run.tree.plans, run.tree.plan
    rows = [("model", run.model), ("response", plan.get("y_col_name")), ("data", plan.get("input_dir"))]
    rows += studies(run.tasks)
    rows += [("splits", ranges({task.split for task in run.tasks})),
             ("sizes", in_unit(sizes(run.tasks), unit_of(run.tree))),
             ("complete", completeness(run.found, run.gaps)), ("started", dates(plans)),
             ("versions", ", ".join(f"{name} {version}" for name, version in _dict(plan, "versions").items())),
             ("environment", "; ".join(environment_rows(run.tree))),
             ("arguments that differ from the defaults", changed_arguments(plan)),
             ("to repeat it", commands(that_made_results(plans, run.tree)))]
    return [(name, text) for name, text in rows if text]


def unit_of(tree):
    """Returns what sizes of training sets are counted in: rows, drugs or cell lines, as the plan's --subset_by says."""
    return UNITS.get(str(_dict(tree.plan, "arguments").get("subset_by")), "rows")


def in_unit(text, unit):
    """Returns a text on rows as one on the unit."""
    return re.sub(r"\brows\b", unit, text)


def sizes(tasks):
    """Returns the training set sizes as ranges, once if they are the same for all studies; '' without any."""
    found = {}
    for task in tasks:
        if task.size is not None:
            found.setdefault(task.source, set()).add(task.size)
    texts = {source: f"{min(own)}-{max(own)} rows in {plural(len(own), 'step')}" for source, own in sorted(found.items())}
    if len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    return "; ".join(f"{source} {text}" for source, text in texts.items())


def studies(tasks):
    """Returns rows that name the studies: once if each model is tested on its own."""
    sources, targets = ({getattr(task, field) or "" for task in tasks} for field in ("source", "target"))
    if all(task.target in (None, "", task.source) for task in tasks):
        return [("studies", ", ".join(sorted(sources)))]
    return [("trained on", ", ".join(sorted(sources))), ("tested on", ", ".join(sorted(targets)))]


def changed_arguments(plan):
    """Returns the arguments of a plan that differ from the defaults as one would type them; '' if it does not say."""
    changed = _dict(plan, "arguments").get("changed")
    if not isinstance(changed, dict):
        return ""
    words = [" ".join([f"--{name}", *values_of(value)]) for name, value in changed.items()]
    return typed(" ".join(words), "code") if words else "none"


def values_of(value):
    """Returns the words behind an option; none behind one that is only switched on."""
    values = value if isinstance(value, list) else [] if value is True else [value]
    return [shlex.quote(str(one)) for one in values]


def _dict(plan, name):
    return plan[name] if isinstance(plan.get(name), dict) else {}


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
    pending = failed_and_pending(gaps)[1]
    failed = len(gaps) - pending
    parts = [f"{found} of {plural(found + len(gaps), 'result')}"] + ([f"{failed} missing after a failure"] if failed else [])
    return ", ".join(parts + ([f"{pending} not run yet"] if pending else []))


def dates(plans):
    """Returns when the launches were made."""
    made = [str(plan["created"]).replace("T", " ").replace("Z", " UTC") for plan in plans if plan.get("created")]
    return made[0] if len(made) == 1 else f"{made[0]} to {made[-1]}, {len(made)} launches" if made else ""


def that_made_results(plans, tree):
    """Returns the plans whose launches made something that is done; all if that is not known of any."""
    statuses = [tree.status(name) for name, task in tree.tasks.items() if task.stage in STAGES[:-1]]
    made = {status.launch for status in statuses if status and status.state == "done"}
    return [plan for plan in plans if plan.get("launch") in made] or plans


def commands(plans):
    """Returns the command of each launch, repeated ones once, and the directory of each."""
    lines = [(" ".join(map(shlex.quote, plan.get("command") or ())), plan.get("directory")) for plan in plans]
    lines = [f"cd {shlex.quote(str(directory))}\n{line}" if directory else line for line, directory in lines if line]
    lines = list(dict.fromkeys(lines))
    earlier = [f"# and {len(lines) - MOST_COMMANDS} earlier ones"] if len(lines) > MOST_COMMANDS else []
    return typed("\n".join(earlier + lines[-MOST_COMMANDS:])) if lines else ""


# ---- runtimes and failures

def runtimes(tree):
    """Returns {(source, stage): seconds of the tasks that are done}."""
    found = {}
    for task in tree.tasks.values():
        status = tree.status(task.name)
        if task.stage in STAGES[:-1] and status and status.state == "done" and status.seconds is not None:
            found.setdefault((task.source or "", task.stage), []).append(status.seconds)
    return dict(sorted(found.items(), key=lambda item: (item[0][0], STAGES.index(item[0][1]))))


def runtime_section(tree, drawn, figure_name):
    """Returns the section, '' if no status says a time; adds its figure to the Figures `drawn`."""
    times = runtimes(tree)
    if not times:
        return ""
    rows = [[source, stage, len(values), duration(statistics.median(values)), duration(max(values)),
             duration(sum(values))] for (source, stage), values in times.items()]
    total = duration(sum(map(sum, times.values())))
    caption = f"Time of tasks that are done, {total} in all; retried tasks count with their last attempt."
    shown = drawn.add(
        figure_name, charts.strips, [charts.Strip(source, values, stage) for (source, stage), values in times.items()],
        "Time per task", points="tasks", colors="stages", x_scale="log", x_label="seconds per task")
    return section("Runtimes", figures([table(["source", "stage", "tasks", "median", "longest", "sum"], rows, caption), shown]))


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
    """Returns what is missing and why, with the ends of the logs; '' if nothing is."""
    failed, pending = failed_and_pending(gaps)
    causes = by_cause(failed)
    parts = [_failure(alike) for alike in causes[:MOST_CAUSES]]
    if len(causes) > MOST_CAUSES:
        parts.append(paragraph(f"And {plural(len(causes) - MOST_CAUSES, 'more cause')}: scores/missing.csv lists all."))
    parts += [paragraph(f"Not there yet: {plural(pending, 'result')} of tasks that are running or waiting.")] if pending else []
    parts += [items(notes)] if notes else []
    return section("Missing results" if gaps else "Notes", *parts) if parts else ""


def _failure(alike):
    """alike: [(failed task, the gaps that it leaves)] of one cause."""
    failed_task, gaps = alike[0]
    more = f" and {len(alike) - 1} more" if len(alike) > 1 else ""
    reason = f": {gaps[0].reason}" if gaps[0].reason else ""
    missing = plural(sum(len(its) for _, its in alike), "result")
    tail = log_tail(gaps[0].log)
    return joined([tag("h3", failed_task + more), paragraph(f"{gaps[0].stage} {gaps[0].state}{reason}; missing: {missing}."),
                   typed("\n".join(tail)) if tail else paragraph("There is no log.")])


def log_tail(path):
    """Returns the last lines of a log, without what moves a terminal's cursor; none if it cannot be read."""
    try:
        with open(on_disk(path), "rb") as file:
            file.seek(max(0, os.path.getsize(file.name) - LOG_BYTES))
            text = file.read(LOG_BYTES).decode("utf-8", "replace")
    except (OSError, ValueError):
        return []
    lines = [ESCAPES.sub("", line.rstrip().rpartition("\r")[2]).rstrip() for line in text.split("\n")]
    return [line[:LOG_WIDTH] + ("\u2026" if line[LOG_WIDTH:] else "") for line in lines if line][-LOG_LINES:]
