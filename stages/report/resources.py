"""resources: what tasks took beside what was asked for them, and what was raised, as a section of a page.

    plan.json (asked, raised) + stage_status.json -> a row for each stage and source
"""
from report.page import is_number, paragraph, section, table
from tree.results_tree import STAGES

HEAD = ["source", "stage", "tasks", "largest memory", "asked", "used", "longest", "asked", "used", "cores busy", "of"]
CAPTION = ("Memory and time of tasks that are done, and what was asked for one job. With several tasks in a job, its time is "
           "that of all of them.")


def resources_section(tree, duration):
    """Returns the section; '' if no status says what was used. duration: seconds -> text"""
    plans = {plan["launch"]: plan for plan in tree.plans}
    rows = [row(key, group, duration) for key, group in measured(tree, plans).items()]
    return section("Resources", table(HEAD, rows, CAPTION), *raised_paragraphs(tree, duration)) if rows else ""


def measured(tree, plans):
    """Returns {(source, stage): [(status, asked)]} of tasks that are done; asked: of their array, {} without Slurm."""
    places = {name: places_of(plan) for name, plan in plans.items()}
    found = {}
    for task in tree.tasks.values():
        status = tree.status(task.name) if task.stage in STAGES[:-1] else None
        if status and status.state == "done" and None not in (status.seconds, status.peak_mb):
            asked = places.get(status.launch, {}).get(task.name)
            found.setdefault((task.source or "", task.stage), []).append((status, asked if isinstance(asked, dict) else {}))
    return dict(sorted(found.items(), key=lambda item: (item[0][0], STAGES.index(item[0][1]))))


def places_of(plan):
    """Returns {task name: what its array asks for}."""
    asked = plan.get("asked")
    return {task.name: asked.get(task.array) for task in plan["tasks"]} if isinstance(asked, dict) else {}


def row(key, group, duration):
    """Returns the cells of a source and stage."""
    memory, seconds, cores = (largest(asked.get(name) for _, asked in group) for name in ("memory", "time", "cores"))
    peak, longest = max(status.peak_mb for status, _ in group), max(status.seconds for status, _ in group)
    busy = sum(status.cpu_seconds or 0.0 for status, _ in group)
    wall = sum(status.seconds for status, _ in group)
    return [*key, len(group), size(peak), size(memory), share(peak, memory), duration(longest),
            duration(seconds) if seconds else "", share(longest, seconds), f"{busy / wall:.1f}" if wall else "", cores or ""]


def is_usable(value):
    """Whether a value of a status or plan is a number that can be shown."""
    return is_number(value) and 0 <= value < 1e12


def largest(values):
    return max(filter(is_usable, values), default=None)


def share(used, asked):
    return f"{100 * used / asked:.0f} %" if asked else ""


def size(megabytes):
    return f"{megabytes:.0f} MB" if megabytes else ""


def raised_paragraphs(tree, duration):
    """Returns a sentence for each task that was raised, as its newest plan has it."""
    raised = {task.name: task.raised for plan in tree.plans for task in plan["tasks"] if task.raised}
    return [paragraph(f"{name} failed with less and asked for {'; '.join(parts)}.")
            for name, parts in ((name, changes(record, duration)) for name, record in raised.items()) if parts]


def changes(record, duration):
    """Returns ['300 MB, first 100 MB'] of a task's `raised`."""
    first = record.get("from") if isinstance(record.get("from"), dict) else {}
    shown = (("memory", size), ("time", duration))
    return [f"{show(record[name])}, first {show(first[name])}" for name, show in shown
            if is_usable(record.get(name)) and is_usable(first.get(name))]
