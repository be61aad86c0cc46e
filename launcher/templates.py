"""templates: batch scripts from slurm_templates/, their @@HOLES@@ filled.

    stage, source, model -> template -> its lines, site.sbatch and site.sh included -> batch script

A template is real bash that people edit by hand. #SBATCH lines know neither variables nor quoting,
so only harmless values may stand there; in the body every value is quoted for bash. A line that is
just @@FILE@@, a name with a dot in it, includes that file: what all templates share is edited once.
"""
import os
import re
import shlex

from core.errors import Refusal
from core.text import as_text, printable
from launcher.paths import HERE

DIRECTORY = os.path.join(HERE, "slurm_templates")
HOLE = re.compile(r"@@([A-Za-z0-9_.]*)@@")
INCLUDE = re.compile(r"@@(\w+\.\w+)@@\s*$", re.ASCII)
REQUIRED = ("JOB_NAME", "ARRAY", "SLURM_OUTPUT", "RUN_MODEL", "TASKS")
HARMLESS = re.compile(r"[A-Za-z0-9_./:=,%@+-]*$")
PLACEHOLDER = re.compile(r"=(NAME|YOU@SITE)\b")   # of the lines of site.sbatch that are off
FALLBACK = {"trial": ["train"]}     # a trial trains: it takes the GPU that train.sbatch asks for
# The launcher finds its jobs, their order and their output by these.
OWN_OPTIONS = {"--job-name": "@@JOB_NAME@@", "--array": "@@ARRAY@@", "--output": "@@SLURM_OUTPUT@@",
               "--dependency": None}
OPTION = re.compile(r"(?<!\S)(--[\w-]+|-[JaodMt])[=\s]*([^\s-]\S*)?")
SHORT = {"-J": "--job-name", "-a": "--array", "-o": "--output", "-d": "--dependency",
         "-M": "--clusters", "-t": "--time"}
WRITTEN = re.compile(r"# Written by the launcher from (.*); `sbatch` this file")
FRESH = "take a fresh copy of slurm_templates/"


# ---- read

def find_template(stage, source, model, directory=DIRECTORY):
    """Returns the path of {stage}.{source}.sbatch if it exists, else of {stage}.sbatch.

    A model's own folder comes first; a trial without a template of its own takes train's. If none
    exists, it is the last path tried.
    """
    names = [f"{each}{part}.sbatch" for each in (stage, *FALLBACK.get(stage, ()))
             for part in ((f".{source}", "") if source else ("",))]
    paths = [os.path.join(directory, folder, name) for name in names
             for folder in dict.fromkeys((model, ""))]
    return next(filter(os.path.exists, paths), paths[-1])


def read_template(path, model="", directory=DIRECTORY):
    """Returns [(FILE:LINE, text)] of a template and the files that it includes; raises Refusal."""
    # A model's own file wins over the one beside the template, and that over the one of all models.
    folders = (os.path.join(directory, model), os.path.dirname(path), directory)
    lines = []
    for place, line in read_lines(path):
        included = INCLUDE.match(line)
        lines += included_lines(included.group(1), place, folders) if included else [(place, line)]
    check_slurm_lines(lines)
    missing = [name for name in REQUIRED if not any(f"@@{name}@@" in line for _, line in lines)]
    if missing:
        raise Refusal(f"template {path} lacks @@{missing[0]}@@", FRESH)
    return lines


def included_lines(name, place, folders):
    found = next(filter(os.path.exists, (os.path.join(folder, name) for folder in folders)), None)
    if found is None:
        raise Refusal(f"{place}: there is no {name} in {' or '.join(dict.fromkeys(folders))}",
                      f"take a fresh {name} from slurm_templates/, or delete the line")
    lines = read_lines(found)
    return lines[:-1] if lines[-1][1] == "" else lines     # the hole's own line ends it


def read_lines(path):
    """Returns [(FILE:LINE, text)]; raises Refusal."""
    try:
        with open(path, encoding="utf-8") as file:      # Windows line ends become our own
            lines = file.read().split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(f"template {path} cannot be read ({error})", FRESH)
    return [(f"{path}:{number}", line) for number, line in enumerate(lines, 1)]


def check_slurm_lines(lines):
    """Refuses #SBATCH lines that sbatch ignores, that are not filled in, or set our options."""
    is_header = True
    for place, line in lines:
        is_header = is_header and (not line.strip() or line.startswith("#"))
        if not line.startswith("#SBATCH"):
            continue
        if not is_header:
            raise Refusal(f"{place}: sbatch ignores an #SBATCH line below the first command",
                          "move it above the first command, or switch it off (##SBATCH)")
        left = PLACEHOLDER.search(line)
        if left:
            raise Refusal(f"{place}: {left.group(1)} is a placeholder",
                          "put your own value in its place, or switch the line off (##SBATCH)")
        for option, value in options_of(line).items():
            own = next((name for name in OWN_OPTIONS if name.startswith(option)), None)
            if own and value != OWN_OPTIONS[own]:
                raise Refusal(f"{place}: {own} belongs to the launcher, which finds its jobs by it",
                              f"take {option} out of that line")


def check_count(lines, count, path):
    """Refuses several tasks a job for a template that hands one line to the runner."""
    if count > 1 and not any("@@COUNT@@" in line for _, line in lines):
        raise Refusal(f"template {path} lacks @@COUNT@@, so it cannot run {count} tasks in one job",
                      "end it as slurm_templates/row.sbatch does, or leave out --tasks_per_job")


# ---- what a batch script asks for

def options_of(line):
    """Returns {--name: value} of one #SBATCH line."""
    found = OPTION.findall(line.partition(" #")[0])
    return {SHORT.get(name, name): value.strip("\"'") for name, value in found}


def script_lines(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []


def sbatch_options(path):
    """Returns {--name: value} of a batch script, {} if it cannot be read; the later of two wins."""
    return {name: value for line in script_lines(path) if line.startswith("#SBATCH")
            for name, value in options_of(line).items()}


def template_of(script):
    """Returns the template that a batch script was made from: its second line says so."""
    found = filter(None, map(WRITTEN.match, script_lines(script)))
    return next((match.group(1) for match in found), "its template")


# ---- render

def render(lines, values, path):
    """Returns a batch script: the lines of read_template, filled; `path` is for its header."""
    first, *others = [render_line(line, values, place) for place, line in lines]
    return "\n".join([first, f"# Written by the launcher from {printable(path)}; "
                      "`sbatch` this file to run it again.", *others])


def render_line(line, values, place):
    is_slurm = line.startswith("#SBATCH")
    if line.startswith("#") and not is_slurm:
        return line
    unknown = next((name for name in HOLE.findall(line) if name not in values), None)
    if unknown is not None:
        raise Refusal(f"{place}: unknown hole @@{unknown}@@",
                      f"use one of {', '.join(sorted(values))}")
    quote = sbatch_value if is_slurm else shlex.quote
    return HOLE.sub(lambda match: quote(values[match.group(1)]), line)


def sbatch_value(value):
    """Returns a value for a #SBATCH line. Slurm takes quotes around a blank, nothing more."""
    if not as_text(value).isprintable() or '"' in value or "\\" in value:
        raise Refusal(f"{value!r} holds a character that a #SBATCH line cannot hold",
                      "choose an --output_dir without quotes and backslashes in its path")
    return value if HARMLESS.match(value) else f'"{value}"'
