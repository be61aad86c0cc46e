"""show_usage: --status --resources: what the tasks took, beside what was asked for them.

    Usage for each stage and source -> one row each: time, memory, cores, and what is asked too high or too close
"""
import json

from launcher.resources import measured
from launcher.status import started_tree

TOO_MUCH, TOO_CLOSE = 0.4, 0.9      # the share of what is asked that the largest element used; --advise is between
HEAD = ("", "jobs", "longest", "asked", "used", "peak", "asked", "used", "cores busy", "of", "")
NOTHING = "nothing has been measured yet: no task is done"


def show(options):
    """Prints the table, or JSON; returns the exit code."""
    usages = measured.usages([started_tree(options)])
    if options.json:
        print(json.dumps([record(usage) for usage in usages], indent=1))
    else:
        print(table(usages) if usages else NOTHING)
    return 0


def record(usage):
    """A Usage as a dict for scripts."""
    return dict(usage._asdict(), asked=usage.asked and usage.asked._asdict(), time_share=time_share(usage),
                memory_share=memory_share(usage), marks=marks(usage))


def time_share(usage):
    return share(usage.longest, usage.asked and usage.asked.seconds)


def memory_share(usage):
    return share(usage.peak, usage.asked and usage.asked.memory)


def share(used, given):
    return None if used is None or not given else used / given


def cores_busy(usage):
    return usage.cpu / usage.wall if usage.wall else None


def marks(usage):
    """['time: too much', 'memory: too close']"""
    return [f"{name}: {'too much' if value < TOO_MUCH else 'too close'}"
            for name, value in (("time", time_share(usage)), ("memory", memory_share(usage)))
            if value is not None and not TOO_MUCH <= value <= TOO_CLOSE]


def table(usages):
    """A row for each stage and source, and what the marks mean."""
    rows = [HEAD] + [cells(usage) for usage in usages]
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) if at in (0, len(HEAD) - 1) else cell.rjust(width)
                       for at, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows]
    return "\n".join([*lines, *notes(usages)])


def cells(usage):
    given = usage.asked
    return (f"{usage.stage} {usage.source}".rstrip(), str(usage.elements), duration(usage.longest),
            duration(given.seconds) if given and given.seconds else "-", percent(time_share(usage)),
            size(usage.peak), size(given.memory) if given else "-", percent(memory_share(usage)),
            "-" if cores_busy(usage) is None else f"{cores_busy(usage):.1f}", str(given.cores) if given else "-",
            "; ".join(marks(usage)))


def notes(usages):
    found = ["longest, peak: of one job; cores busy: CPU time / time"]
    if not any(usage.asked for usage in usages):
        found.append("nothing was asked for: these tasks ran without Slurm")
    elif any(map(marks, usages)):
        found.append("--advise writes templates that ask for what was measured, and a margin")
    return [""] + found


def percent(value):
    return "-" if value is None else f"{value:.0%}" if value >= 0.005 or value == 0 else "< 1%"


def size(megabytes):
    return "-" if megabytes is None else f"{megabytes / 1024:.1f} GB" if megabytes >= 10000 else f"{megabytes:.0f} MB"


def duration(seconds):
    """3661 -> '1:01:01'; '0.3 s' below ten seconds"""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(int(round(seconds)), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
