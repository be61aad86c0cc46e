"""templates: batch scripts from slurm_templates/, their @@HOLES@@ filled.

    stage, source, model -> template file -> its lines, with site.sbatch and site.sh put in -> batch script text

A template is real bash that people edit by hand. #SBATCH lines know neither
variables nor quoting, so only harmless values may stand there; in the body every
value is quoted for bash. A line that is just @@FILE@@, a name with a dot in it, is
replaced by that file, so that what all templates share is edited once.
"""
import os
import re
import shlex

from launcher.paths import HERE
from launcher.refusal import Refusal

DIRECTORY = os.path.join(HERE, "slurm_templates")
HOLE = re.compile(r"@@([A-Za-z0-9_.]*)@@")
INCLUDE = re.compile(r"@@(\w+\.\w+)@@\s*$", re.ASCII)
REQUIRED = ("JOB_NAME", "ARRAY", "SLURM_OUTPUT", "RUN_MODEL", "TASKS")
HARMLESS = re.compile(r"[A-Za-z0-9_./:=,%@+-]*$")
PLACEHOLDER = re.compile(r"=(NAME|YOU@SITE)\b")   # what site.sbatch has in the lines that are off
FALLBACK = {"trial": ["train"]}     # a trial trains: the GPU that train.sbatch asks for is its GPU, too


# ------------------------------------------------------------------------ read

def find_template(stage, source, model, directory=DIRECTORY):
    """{stage}.{source}.sbatch if it exists, else {stage}.sbatch; each of a model's own folder first.

    A trial without a template of its own takes train's. Where none exists, it is the last path tried.
    """
    stages = [stage] + FALLBACK.get(stage, [])
    names = [f"{each}{part}.sbatch" for each in stages for part in ([f".{source}", ""] if source else [""])]
    paths = [os.path.join(folder, name) for name in names for folder in folders(model, directory)]
    return next(filter(os.path.exists, paths), paths[-1])


def folders(model, directory):
    """Where a file is looked for: what a model needs of its own wins over what all models share."""
    return [os.path.join(directory, model), directory] if model else [directory]


def read_template(path, model="", directory=DIRECTORY):
    """[(FILE:LINE, text)] of a template and the files put into it; raises Refusal if it cannot be used."""
    lines = []
    for place, line in read_lines(path):
        included = INCLUDE.match(line)
        lines += included_lines(included.group(1), place, path, model, directory) if included else [(place, line)]
    for place, line in lines:
        left = PLACEHOLDER.search(line) if line.startswith("#SBATCH") else None
        if left:
            raise Refusal(f"{place}: {left.group(1)} is a placeholder", "put your own value in its place, or switch the line off (##SBATCH)")
    missing = [name for name in REQUIRED if not any(f"@@{name}@@" in line for _, line in lines)]
    if missing:
        raise Refusal(f"template {path} lacks @@{missing[0]}@@", "take a fresh copy of slurm_templates/")
    return lines


def included_lines(name, place, path, model, directory):
    """The lines of a file that the line at `place` names: the model's own, beside the template, or shared."""
    own, *shared = folders(model, directory)
    paths = [os.path.join(folder, name) for folder in (own, os.path.dirname(path), *shared)]
    found = next(filter(os.path.exists, paths), None)
    if found is None:
        raise Refusal(f"{place}: there is no {name} in {' or '.join(dict.fromkeys(map(os.path.dirname, paths)))}",
                      f"take a fresh {name} from slurm_templates/, or delete the line")
    lines = read_lines(found)
    return lines[:-1] if lines[-1][1] == "" else lines     # the line end behind the hole is there already


def read_lines(path):
    """[(FILE:LINE, text)]; raises Refusal."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(f"template {path} cannot be read ({error})", "take a fresh copy of slurm_templates/")
    if "\r" in text:
        raise Refusal(f"template {path} has Windows line ends, which sbatch does not take",
                      f"sed -i 's/\\r$//' {shlex.quote(path)}")
    return [(f"{path}:{number}", line) for number, line in enumerate(text.split("\n"), 1)]


def check_count(lines, count, path, at_once=1):
    """A template that hands one line to the runner serves one task an element; raises Refusal for more."""
    if at_once > 1 and count > 1 and not any("@@TASKS_AT_ONCE@@" in line for _, line in lines):
        raise Refusal(f"template {path} lacks @@TASKS_AT_ONCE@@, so its tasks would not run side by side",
                      "take that line from slurm_templates/train.sbatch, or leave out --tasks_per_gpu")
    if count > 1 and not any("@@COUNT@@" in line for _, line in lines):
        raise Refusal(f"template {path} lacks @@COUNT@@, so it cannot run {count} tasks in one job",
                      "end it as slurm_templates/row.sbatch does, or leave out --tasks_per_job")


# ---------------------------------------------------------------------- render

def render(lines, values, path):
    """The text of a batch script: the lines of read_template with their holes filled; `path` is for the header."""
    filled = [render_line(line, values, place) for place, line in lines]
    if filled[0].startswith("#!"):
        filled.insert(1, f"# Written by the launcher from {printable(path)}; `sbatch` this file to run it again.")
    return "\n".join(filled)


def render_line(line, values, place):
    def value(match):
        name = match.group(1)
        if name not in values:
            raise Refusal(f"{place}: unknown hole @@{name}@@", f"use one of {', '.join(sorted(values))}")
        return sbatch_value(values[name], place) if line.startswith("#SBATCH") else shlex.quote(values[name])
    # A hole named in a comment (the list in the header) is no hole.
    return line if line.startswith("#") and not line.startswith("#SBATCH") else HOLE.sub(value, line)


def sbatch_value(value, place):
    """A value for a #SBATCH line. Slurm takes quotes around a blank, nothing more."""
    if HARMLESS.match(value):
        return value
    if not value.isprintable() or re.search(r'["\\]', value):
        raise Refusal(f"{place}: {value!r} holds a character that a #SBATCH line cannot hold",
                      "choose an --output_dir without quotes and backslashes in its path")
    return f'"{value}"'


def printable(text):
    return "".join(c if c.isprintable() else "?" for c in text)
