"""rows: what the benchmark has measured: printed row by row, as JSON, and as the table of docs/benchmarks.md."""
import json
import os
import platform
import statistics
import subprocess
import time

LONG = 60           # seconds: a row that takes longer is measured once


class Table:
    """Rows of {what, seconds (median), smallest, all, ratio, beside (what the ratio is to), goal, load}; each printed when
    it is known. peers: {name: version, '' if it is not here}; left_out: {what: why}"""

    def __init__(self, repeats, peers):
        self.repeats, self.peers, self.rows, self.left_out = repeats, peers, [], {}

    def measure(self, what, run, reference=None, per=1, before=lambda: None, **more):
        """Runs it `repeats` times, each after an unmeasured `before`; returns the median in seconds. per: how many things one
        run does."""
        times = []
        while not times or len(times) < self.repeats and times[0] * per < LONG:
            before()
            started = time.time()
            run()
            times.append((time.time() - started) / per)
        return self.add(what, times, reference, **more)

    def measure_peer(self, name, what, run, reference=None, **more):
        """The same with what may not be here, or may not work here: then the row is left out. None without a row."""
        if not self.peers[name]:
            return self.leave_out(what, f"{name} is not installed")
        try:
            return self.measure(what, run, reference, **more)
        except subprocess.SubprocessError as error:
            return self.leave_out(what, " ".join(str(error).split()))

    def leave_out(self, what, why):
        self.left_out[what] = why
        print(f"{what:<66}left out: {why}", flush=True)

    def add(self, what, times, reference=None, beside="", goal="", **more):
        middle = statistics.median(times)
        ratio = middle / reference if reference else None
        load = os.getloadavg()[0]
        self.rows.append(dict(what=what, seconds=middle, smallest=min(times), all=times, ratio=ratio, beside=beside, goal=goal,
                              load=load, **more))
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
