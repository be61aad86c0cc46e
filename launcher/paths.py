"""paths: this folder and its run_model.sh, the meaning of a relative path, a model's scripts.

    a path as it was given, the model's folder -> an absolute path; Refusal if it does not exist
"""
import os
import re
import subprocess
import sys
import tempfile

from core.errors import Refusal
from core.text import as_text

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # the folder that people copy
MODEL_STAGES = ("preprocess", "train", "infer")


def found(path, folder):
    """Returns an absolute path, read as IMPROVE does: from the working directory, else `folder`."""
    here, there = (os.path.abspath(os.path.expanduser(os.path.join(each, path)))
                   for each in ("", folder))
    return there if os.path.lexists(there) and not os.path.lexists(here) else here


def with_absolute_path(name, value, folder):
    """Returns the value of an argument with absolute paths, as stages run in the model's folder. A
    path has a /, or belongs to an option like x_dir, or is a file with a dot in its name."""
    if isinstance(value, list):
        return [with_absolute_path(name, each, folder) for each in value]
    path = found(value, folder)
    is_path = (os.sep in value or re.search(r"_(dir|file|path)$", name)
               or "." in value and os.path.isfile(path))
    return path if value and is_path and os.path.exists(path) else value


def environment(text, folder=""):
    """Returns ENV as KIND:PLACE, with an absolute path. A bare name is conda's, unless it is a
    directory that holds an environment, here or in `folder`. Refusal: no such kind or directory."""
    kind, colon, place = text.partition(":")
    with open(f"{HERE}/run_model.sh", encoding="utf-8") as file:
        kinds = re.findall(r"^ +(\w+)\)", file.read(), re.MULTILINE)    # a site may add its own
    if not colon and kind not in kinds and re.match(r"[\w.~/][^\s:]*$", kind):
        kind, place = "conda", kind
    if kind not in kinds or (kind == "none") == bool(place) or not as_text(text).isprintable():
        raise Refusal(f"--env {text!r} is no environment", "one of none, venv:DIR, "
                      "conda:NAME_OR_PREFIX, module:NAME[,NAME], apptainer:IMAGE.sif")
    if kind not in ("venv", "apptainer", "conda"):
        return text
    path = found(place, folder)
    if kind == "conda" and os.sep not in place:
        if os.path.lexists(f"{path}/pyvenv.cfg"):
            kind = "venv"
        elif not os.path.lexists(f"{path}/conda-meta"):
            return f"conda:{place}"
    if not os.path.exists(path):
        raise Refusal(f"--env {text}: {path} does not exist", "the path of an existing environment")
    return f"{kind}:{path}"


def model_script(options, stage):
    """Returns the path of the model's script for a stage; Refusal if it does not exist."""
    path = f"{options.model_dir}/{options.model}_{stage}_improve.py"
    if not os.path.isfile(path):
        names = os.listdir(options.model_dir) if os.path.isdir(options.model_dir) else []
        near = [name for name in names if name.lower() == os.path.basename(path).lower()]
        hint = f"; {near[0]} differs in case" if near else ""
        raise Refusal(f"the model script {path} does not exist",
                      f"--model NAME and --model_dir DIR of the model's scripts{hint}")
    return path


def check_output_dir(directory):
    """Returns the path of a results tree; Refusal if it cannot be written."""
    above = directory
    while not os.path.lexists(above):
        above = os.path.dirname(above)
    try:    # permissions do not show a full quota or a read-only disk
        with tempfile.TemporaryFile(dir=above) as file:
            file.write(b"1")
    except OSError as error:
        raise Refusal(f"--output_dir {directory} cannot be written ({error.strerror})",
                      "an --output_dir of yours")
    return directory


def run_model(*line, **settings):
    """Calls run_model.sh; returns (exit code, output). settings: variables of its environment"""
    done = subprocess.run(
        ["bash", f"{HERE}/run_model.sh", *line],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=dict(os.environ, WORKFLOW_PYTHON=sys.executable, **settings))
    return done.returncode, done.stdout.decode("utf-8", "replace")
