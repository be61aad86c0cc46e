"""templates: batch scripts from slurm_templates/, their @@HOLES@@ filled.

    stage, source, model -> template, site.sbatch and site.sh included
        -> with the values of launch_files.batch_script in its holes

A template is real bash that people edit by hand. #SBATCH lines know neither variables nor quoting,
so only harmless values may stand there; in the body every value is quoted for bash. A line that is
just @@FILE@@, a name with a dot, includes that file: what all templates share is edited once.
"""
import os
import re
import shlex
from contextlib import suppress

from core.errors import Refusal
from core.text import as_text, printable
from launcher.paths import HERE

DIRECTORY = os.path.join(HERE, "slurm_templates")
HOLE = re.compile(r"@@([A-Za-z0-9_.]*)@@")
INCLUDE = re.compile(r"@@(\w+\.\w+)@@\s*$", re.ASCII)
REQUIRED = ("JOB_NAME", "ARRAY", "SLURM_OUTPUT", "RUN_MODEL", "TASKS", "COUNT")
HARMLESS = re.compile(r"[A-Za-z0-9_./:=,%@+-]*$")
# The launcher finds its jobs, their order and their output by these.
OWN_OPTIONS = {"--job-name": "@@JOB_NAME@@", "--array": "@@ARRAY@@", "--output": "@@SLURM_OUTPUT@@",
               "--dependency": None}
OPTION = re.compile(r"(?<!\S)(--[\w-]+|-[JaodMt])[=\s]*([^\s-]\S*)?")
SHORT = {"-J": "--job-name", "-a": "--array", "-o": "--output", "-d": "--dependency",
         "-M": "--clusters", "-t": "--time"}
FRESH = "take a fresh copy of slurm_templates/"


# ---- template -> batch script

def find_template(stage, source, model):
    """Returns the path of {stage}.{source}.sbatch if it exists, else of {stage}.sbatch; a model's
    own folder comes first, and a trial without a template of its own takes train's."""
    stages = ("trial", "train") if stage == "trial" else (stage,)
    return first_existing([".".join(filter(None, (each, part, "sbatch")))
                           for each in stages for part in (source, "")], model)


def first_existing(names, model):
    """Returns the path of the first file that exists, a model's own before those of all models."""
    paths = [os.path.join(DIRECTORY, folder, name) for folder in (model, "") for name in names]
    return next(filter(os.path.exists, paths), paths[-1])


def render(path, model, values):
    """Returns the batch script of a template and the files that it includes; raises Refusal."""
    lines = []      # (FILE:LINE, text)
    for place, line in read_lines(path):
        included = INCLUDE.match(line)
        lines += (read_lines(first_existing(included.groups(), model)) if included
                  else [(place, line)])
    check_slurm_lines(lines)
    for name in REQUIRED:
        if not any(f"@@{name}@@" in line for _, line in lines):
            raise Refusal(f"template {path} lacks @@{name}@@", FRESH)
    first, *others = [render_line(line, values, place) for place, line in lines]
    return "\n".join([first, f"# Written by the launcher from {printable(path)}; "
                      "`sbatch` this file to run it again.", *others, ""])


def read_lines(path):
    try:
        with open(path, encoding="utf-8") as file:      # Windows line ends become our own
            return [(f"{path}:{number}", line.rstrip("\n"))
                    for number, line in enumerate(file, 1)]
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(f"template {path} cannot be read ({error})", FRESH)


def check_slurm_lines(lines):
    """Refuses #SBATCH lines that sbatch ignores, or that set our options."""
    is_header = True
    for place, line in lines:
        is_header = is_header and (not line.strip() or line.startswith("#"))
        if line.startswith("#SBATCH") and not is_header:
            raise Refusal(f"{place}: sbatch ignores an #SBATCH line below the first command",
                          "move it above the first command, or switch it off (##SBATCH)")
        for option, value in options_of(line).items():
            own = next((name for name in OWN_OPTIONS if name.startswith(option)), None)
            if own and value != OWN_OPTIONS[own]:
                raise Refusal(f"{place}: {own} belongs to the launcher, which finds its jobs by it",
                              f"take {option} out of that line")


def render_line(line, values, place):
    is_slurm = line.startswith("#SBATCH")
    if line.startswith("#") and not is_slurm:
        return line
    quote = sbatch_value if is_slurm else shlex.quote
    try:
        return HOLE.sub(lambda match: quote(values[match.group(1)]), line)
    except KeyError as unknown:
        raise Refusal(f"{place}: unknown hole @@{unknown.args[0]}@@",
                      f"use one of {', '.join(sorted(values))}")


def sbatch_value(value):
    """Returns a value for a #SBATCH line. Slurm takes quotes around a blank, nothing more."""
    if not as_text(value).isprintable() or '"' in value or "\\" in value:
        raise Refusal(f"{value!r} holds a character that a #SBATCH line cannot hold",
                      "choose an --output_dir without quotes and backslashes in its path")
    return value if HARMLESS.match(value) else f'"{value}"'


def options_of(line):
    """Returns {--name: value} of an #SBATCH line, {} of any other."""
    found = OPTION.findall(line.partition(" #")[0]) if line.startswith("#SBATCH") else ()
    return {SHORT.get(name, name): value.strip("\"'") for name, value in found}


def sbatch_options(path):
    """Returns {--name: value} of a batch script, {} if it cannot be read; the later of two wins."""
    with suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
        return {name: value for line in file for name, value in options_of(line).items()}
    return {}
