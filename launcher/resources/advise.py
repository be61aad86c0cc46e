"""advise: --advise: templates that ask for what was measured, and a margin.

    Usage for each stage and source (measured) + rows of training splits -> Advice -> slurm_templates/MODEL/train.SOURCE.sbatch

Time is the longest element x 1.5, memory the peak x 1.3, rounded up to what reads well. A source that has not run is
extrapolated by a straight line through the logarithms of rows and of what was measured, with twice the margin. A file that
a person has edited stays as it is: the advice is then beside it, FILE.advised, and the difference is printed.
"""
import glob
import math
import os
import re
import zlib
from typing import NamedTuple

from launcher import templates
from launcher.resources import asked, measured
from launcher.resources.asked import Needs
from launcher.whole_file import write_whole
from launcher.refusal import Refusal
from launcher.results_tree import ResultsTree
from launcher.status import started_tree

TIME, MEMORY = 1.5, 1.3     # margins
LEAST = Needs(128, 300)     # MB: the shell and the runner take some; seconds: the warning comes 65 s before the end
# Below the first number, the second is the step.
MEMORY_STEPS = ((1000, 50), (4000, 250), (16000, 500), (64000, 1000), (math.inf, 4000))     # MB
TIME_STEPS = ((1800, 60), (7200, 300), (21600, 900), (86400, 1800), (math.inf, 3600))       # seconds
MARK = re.compile(r"^# Written by --advise from .*; checksum ([0-9a-f]{8})[^\n]*\n", re.MULTILINE)


class Advice(NamedTuple):
    """What the elements of a stage and source should ask for, and where that is from."""
    stage: str
    source: str
    needs: Needs
    why: str
    is_extrapolated: bool = False


# ------------------------------------------------------------------------ main

def main(options, directory=templates.DIRECTORY):
    """Writes the templates of this model, and says what they ask for; returns the exit code."""
    trees = [started_tree(options)] + [tree_of(out) for out in options.advise]
    model = model_of(trees)
    usages = [usage for usage in measured.usages(trees) if usage.peak is not None]
    if not usages:
        raise Refusal(f"nothing has been measured in {options.output_dir}: no task is done",
                      "run something first: one split of each study")
    advices, silent = advise(usages, rows_of_sources(trees))
    for advice in advices:
        print(write(advice, model, directory))
    for text in silent:
        print(text)
    if any(launch.plan.get("synthetic") is True for tree in trees for launch in tree.launches):
        print(f"measured on SYNTHETIC DEMO DATA: delete {os.path.join(directory, model)} before real studies")
    return 0


def tree_of(out):
    tree = ResultsTree(os.path.abspath(os.path.expanduser(out)))
    if not tree.launches:
        raise Refusal(f"there is no launch in {out}", "name the --output_dir of a run")
    return tree


def model_of(trees):
    """The one model of these results trees; raises Refusal."""
    models = sorted({str(launch.plan.get("model") or "") for tree in trees for launch in tree.launches})
    if len(models) != 1 or not models[0]:
        raise Refusal(f"these are results of several models: {', '.join(models)}", "--advise with results of one model")
    return models[0]


# ---------------------------------------------------------------------- advise

def advise(usages, rows):
    """([Advice], sentences on what cannot be advised). rows: {source: rows of its training split}"""
    advices, silent = [], []
    for stage in dict.fromkeys(usage.stage for usage in usages):
        own = [usage for usage in usages if usage.stage == stage]
        found = [measured_advice(usage) for usage in own]
        missing = [source for source in sorted(rows) if source not in {usage.source for usage in own}]
        line = [(rows[usage.source], usage) for usage in own if rows.get(usage.source)]
        if missing and len({count for count, _ in line}) < 2:
            silent.append(f"{stage}: nothing is advised for {', '.join(missing)}: "
                          "it takes two studies of different size that ran")
        elif missing:
            found += [extrapolated_advice(stage, source, rows[source], line) for source in missing]
        advices += in_one(found)
    return advices, silent


def in_one(advices):
    """One Advice for all studies if they need the same: each template of a study's own is a job array more."""
    if len(advices) == 1 or len({advice.needs for advice in advices}) > 1:
        return advices
    return [Advice(advices[0].stage, "", advices[0].needs, "the same for " + ", ".join(
        advice.source + (" (extrapolated)" if advice.is_extrapolated else "") for advice in advices))]


def measured_advice(usage):
    return Advice(usage.stage, usage.source, needs_of(usage.peak * MEMORY, usage.longest * TIME),
                  f"measured: {usage.elements} jobs, longest {usage.longest:.0f} s, peak {usage.peak:.0f} MB")


def extrapolated_advice(stage, source, count, line):
    """line: [(rows, Usage)] of the sources that ran"""
    peak = extrapolated(count, [(rows, usage.peak) for rows, usage in line])
    longest = extrapolated(count, [(rows, usage.longest) for rows, usage in line])
    names, about = ", ".join(usage.source for _, usage in line), f"{longest:.0f} s, {peak:.0f} MB"
    return Advice(stage, source, needs_of(peak * MEMORY * 2, longest * TIME * 2),
                  f"not measured: {count} rows, extrapolated from {names}: about {about}; twice the margin", True)


def extrapolated(count, points):
    """The value at so many rows of the least-squares line through log(rows), log(value); never falling with rows.
    points: [(rows, value)], of at least two different rows"""
    x, y = [math.log(rows) for rows, _ in points], [math.log(max(value, 0.001)) for _, value in points]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    slope = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y)) / sum((a - mean_x) ** 2 for a in x)
    return math.exp(mean_y + max(slope, 0.0) * (math.log(count) - mean_x))


def needs_of(memory, seconds):
    """Needs of at least LEAST, rounded up. memory: MB"""
    return Needs(max(LEAST.memory, rounded_up(memory, MEMORY_STEPS)), max(LEAST.seconds, rounded_up(seconds, TIME_STEPS)))


def rounded_up(value, steps):
    step = next(step for below, step in steps if value <= below)
    return int(math.ceil(value / step) * step)


# ------------------------------------------------------------------------ rows

def rows_of_sources(trees):
    """{source: rows of its training split} of all studies of the benchmarks, and of what was planned."""
    rows = {}
    for launch in (launch for tree in trees for launch in tree.launches):
        folder = os.path.join(str(launch.plan.get("input_dir")), "splits")
        for path in glob.glob(os.path.join(glob.escape(folder), "*_split_0_train.txt")):
            rows.setdefault(os.path.basename(path)[:-len("_split_0_train.txt")], path)
        for task in launch.tasks:
            if task["stage"] == "preprocess" and "--train_split_file" in task["words"]:
                rows[task["source"]] = os.path.join(folder, task["words"][task["words"].index("--train_split_file") + 1])
    counted = {source: lines_of(path) for source, path in rows.items()}
    return {source: count for source, count in counted.items() if count}


def lines_of(path):
    try:
        with open(path, "rb") as file:
            return sum(1 for line in file if line.strip())
    except OSError:
        return 0


# ----------------------------------------------------------------------- write

def write(advice, model, directory):
    """Writes one template, or its .advised beside a file that a person has edited; returns what to print."""
    path = os.path.join(directory, model, f"{advice.stage}{'.' + advice.source if advice.source else ''}.sbatch")
    base = base_of(advice, model, directory, path)
    body = asked.with_needs(text_of(base), advice.needs)
    text = marked(body, os.path.relpath(base, directory))
    said = f"{os.path.relpath(path, directory)}: {' '.join(asked.words_for(advice.needs))}  ({advice.why})"
    if not os.path.exists(path) or is_ours(text_of(path)):
        write_whole(path, text)
        return said + without_studies(advice, path)
    write_whole(path + ".advised", text)
    return f"{said}\n  {path} was edited by hand and stays; the advice is in {path}.advised:\n{difference(path, text)}"


def without_studies(advice, path):
    """Removes what was advised for single studies and would win over an advice for all; says so."""
    pattern = os.path.join(glob.escape(os.path.dirname(path)), f"{advice.stage}.*.sbatch")
    old = [other for other in glob.glob(pattern) if is_ours(text_of(other))] if not advice.source else []
    for other in old:
        os.unlink(other)
    return f"\n  removed: {', '.join(sorted(map(os.path.basename, old)))}" if old else ""


def base_of(advice, model, directory, target):
    """The template that the stage and source would use without ours."""
    stages = [advice.stage] + templates.FALLBACK.get(advice.stage, [])
    names = [f"{stage}{part}.sbatch" for stage in stages for part in (f".{advice.source}", "")]
    paths = [os.path.join(folder, name) for name in names for folder in templates.folders(model, directory)]
    return next((path for path in paths if path != target and os.path.exists(path)), paths[-1])


def text_of(path):
    return "\n".join(line for _, line in templates.read_lines(path))


def marked(body, base):
    """The text with a line that says whose it is; what is changed in it changes the checksum."""
    first, _, rest = MARK.sub("", body).partition("\n")
    line = f"# Written by --advise from {templates.printable(base)}; checksum {checksum(first + rest)}: edited, it is yours.\n"
    return f"{first}\n{line}{rest}"


def is_ours(text):
    """Whether --advise wrote a file and nobody has edited it since."""
    found = MARK.search(text)
    first, _, rest = MARK.sub("", text, 1).partition("\n")
    return found is not None and found.group(1) == checksum(first + rest)


def checksum(text):
    return f"{zlib.crc32(text.encode('utf-8')) & 0xffffffff:08x}"


def difference(path, text):
    """The lines that differ, as diff -u shows them."""
    import difflib      # here, since only this needs it
    lines = difflib.unified_diff(text_of(path).split("\n"), text.split("\n"), path, path + ".advised", n=0, lineterm="")
    return "\n".join(f"  {line}" for line in lines if not MARK.match(line.lstrip("+-") + "\n"))
