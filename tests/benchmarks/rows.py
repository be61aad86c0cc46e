"""rows: what the benchmark has measured: printed row by row, as JSON, and as the table of docs/benchmarks.md."""
import json
import os
import platform
import statistics
import subprocess
import time
from typing import Callable, NamedTuple

LONG = 60           # seconds: a row that takes longer is measured once


class Row(NamedTuple):
    """What is to be measured: run(). before(): unmeasured, before each; reference: `what` of the row that it is compared with,
    and beside: what that is called; peer: what may not be here, or may not work here."""
    what: str
    run: Callable
    before: Callable = lambda: None
    reference: str = ""
    beside: str = ""
    goal: str = ""
    peer: str = ""


class Table:
    """Rows of {what, seconds (median), smallest, all, ratio, beside (what the ratio is to), goal, load}; each printed when
    it is known. peers: {name: version, '' if it is not here}; left_out: {what: why}"""

    def __init__(self, repeats, peers):
        self.repeats, self.peers, self.rows, self.left_out = repeats, peers, [], {}

    def measure(self, *rows, times_more=1):
        """Measures rows `repeats` times (times_more: what is short, more often), in turns: what slows the machine down for a
        while slows all of them. Returns {what: median in seconds} of those that could be measured."""
        times, loads = {row.what: [] for row in rows if self.is_here(row)}, {}
        for _ in range(self.repeats * times_more):
            for row in rows:
                if row.what in times and row.what not in self.left_out and not (times[row.what] and times[row.what][0] > LONG):
                    self.measure_once(row, times[row.what])
                    loads[row.what] = os.getloadavg()[0]
        for row in rows:
            if times.get(row.what) and row.what not in self.left_out:
                self.add(row.what, times[row.what], self.median(row.reference), row.beside, row.goal, loads[row.what])
        return {row.what: self.median(row.what) for row in rows if self.median(row.what) is not None}

    def median(self, what):
        """In seconds, of a row that was measured; else None."""
        return next((row["seconds"] for row in self.rows if row["what"] == what), None)

    def is_here(self, row):
        if row.peer and not self.peers[row.peer]:
            self.leave_out(row.what, f"{row.peer} is not installed")
            return False
        return True

    def measure_once(self, row, times):
        try:
            row.before()
            started = time.time()
            row.run()
            times.append(time.time() - started)
        except subprocess.SubprocessError as error:
            if not row.peer:
                raise
            self.leave_out(row.what, " ".join(str(error).split()))

    def leave_out(self, what, why):
        self.left_out[what] = why
        print(f"{what:<66}left out: {why}", flush=True)

    def add(self, what, times, reference=None, beside="", goal="", load=None, **more):
        """A row from times in seconds; returns their median."""
        middle, load = statistics.median(times), os.getloadavg()[0] if load is None else load
        ratio = middle / reference if reference else None
        self.rows.append(dict(what=what, seconds=middle, smallest=min(times), all=times, ratio=ratio, beside=beside if ratio else "",
                              goal=goal if ratio or not beside else "", load=load, **more))
        memory = f"{more['peak_mb']:6.0f} MB" if "peak_mb" in more else ""
        times = f"{ratio:6.2f} x {beside}" if ratio else ""
        print(f"{what:<66}{middle:9.3f} s  {times:<24} {memory:>10}  load {load:.1f}", flush=True)
        return middle


def missing(peers):
    return [name for name, version in peers.items() if not version]


def write_json(path, table, tasks, took):
    """All rows so far. tasks: of a campaign; took: seconds since the benchmark began."""
    found = {"python": platform.python_version(), "cores": len(os.sched_getaffinity(0)), "repeats": table.repeats, "tasks": tasks,
             "minutes": took / 60, "peers": table.peers, "left_out": table.left_out, "rows": table.rows}
    with open(path, "w") as file:
        json.dump(found, file, indent=1)


HEADER = "| what | median s | smallest s | runs | beside | goal | load |"


def markdown(found):
    """The content of a --json file as docs/benchmarks.md shows it."""
    lines = [conditions(found), "", HEADER, "| --- " * (HEADER.count("|") - 1) + "|", *map(table_line, found["rows"])]
    left_out = [f"{what}: {why}." for what, why in found["left_out"].items()]
    return "\n".join(lines + ["", "Left out:", ""] * bool(left_out) + [f"- {line}" for line in left_out])


def conditions(found):
    loads = [row["load"] for row in found["rows"]]
    here = ", ".join(f"{name} {version}" for name, version in found["peers"].items() if version)
    absent = ", ".join(missing(found["peers"]))
    return (f"Python {found['python']}, {found['cores']} cores, a campaign of {found['tasks']} tasks, "
            f"{found['minutes']:.0f} minutes in all, load {min(loads):.1f} to {max(loads):.1f}. "
            f"Peers: {here or 'none'}." + f" Not installed: {absent}." * bool(absent))


def table_line(row):
    memory = f", {row['peak_mb']:.0f} MB" if "peak_mb" in row else ""
    beside = f"{row['ratio']:.2f} x {row['beside']}".strip() if row["ratio"] else ""
    cells = (row["what"], digits(row["seconds"]) + memory, digits(row["smallest"]), str(len(row["all"])), beside, row["goal"],
             f"{row['load']:.1f}")
    return "| " + " | ".join(cells) + " |"


def digits(seconds):
    """Seconds, to the tenth of a millisecond if they are few."""
    return f"{seconds:.4f}" if seconds < 1 else f"{seconds:.2f}"
