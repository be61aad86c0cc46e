"""templates: batch scripts from slurm_templates/, their @@HOLES@@ filled.

    template text + values -> batch script text

A template is real bash that people edit by hand. #SBATCH lines know neither
variables nor quoting, so only harmless values may stand there; in the body every
value is quoted for bash.
"""
import os
import re
import shlex

from launcher.refusal import Refusal

HOLE = re.compile(r"@@([A-Za-z0-9_]*)@@")
REQUIRED = ("JOB_NAME", "ARRAY", "SLURM_OUTPUT", "RUN_MODEL", "TASKS")
HARMLESS = re.compile(r"[A-Za-z0-9_./:=,%@+-]*$")


def find_template(directory, stage, source):
    """{stage}.{source}.sbatch where it exists, else {stage}.sbatch."""
    own = os.path.join(directory, f"{stage}.{source}.sbatch")
    return own if source and os.path.exists(own) else os.path.join(directory, f"{stage}.sbatch")


def read_template(path):
    """The text of a template; raises Refusal where it cannot be used."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(f"template {path} cannot be read ({error})", "a fresh copy of slurm_templates/")
    if "\r" in text:
        raise Refusal(f"template {path} has Windows line ends, which sbatch does not take",
                      f"sed -i 's/\\r$//' {shlex.quote(path)}")
    missing = [name for name in REQUIRED if f"@@{name}@@" not in text]
    if missing:
        raise Refusal(f"template {path} lacks @@{missing[0]}@@", "a fresh copy of slurm_templates/")
    return text


def render(text, values, path):
    """The template with its holes filled; `path` is for messages and the header."""
    lines = text.split("\n")
    filled = [render_line(line, values, f"{path}:{number}") for number, line in enumerate(lines, 1)]
    if lines[0].startswith("#!"):
        filled.insert(1, f"# Written by the launcher from {printable(path)}; `sbatch` this file to run it again.")
    return "\n".join(filled)


def render_line(line, values, place):
    def value(match):
        name = match.group(1)
        if name not in values:
            raise Refusal(f"{place}: unknown hole @@{name}@@", f"one of {', '.join(sorted(values))}")
        return sbatch_value(values[name], place) if line.startswith("#SBATCH") else shlex.quote(values[name])
    # A hole named in a comment (the list in the header) is no hole.
    return line if line.startswith("#") and not line.startswith("#SBATCH") else HOLE.sub(value, line)


def sbatch_value(value, place):
    """A value for a #SBATCH line. Slurm takes quotes around a blank, nothing more."""
    if HARMLESS.match(value):
        return value
    if not value.isprintable() or re.search(r'["\\]', value):
        raise Refusal(f"{place}: {value!r} holds a character that a #SBATCH line cannot hold",
                      "an --output_dir without quotes and backslashes in its path")
    return f'"{value}"'


def printable(text):
    return "".join(c if c.isprintable() else "?" for c in text)
