"""paths: this folder, what a relative path means, where a model's scripts are.

    a path as it was given, the model's folder -> an absolute path; Refusal where nothing is there
"""
import functools
import os
import re

from launcher.refusal import Refusal

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # the folder that people copy
LONGEST_PATH = 1000     # bytes of --output_dir; the system takes 4096 for a file in it


def found(path, folder):
    """An absolute path, as IMPROVE reads a relative one: from the working directory, else from the model's folder."""
    path = os.path.expanduser(path)
    here, there = os.path.abspath(path), os.path.abspath(os.path.join(os.path.expanduser(folder), path))
    return there if os.path.lexists(there) and not os.path.lexists(here) else here


def with_absolute_words(words, folder):
    """Stages run in directories of their own: what is a relative path here is an absolute one there."""
    return [absolute_word(word, words[at - 1] if at else "", folder) for at, word in enumerate(words)]


def absolute_word(word, before, folder):
    """The word with an absolute path. A path has a /, belongs to an option like --x_dir, or is a file with a dot in its name."""
    option, equals, value = word.partition("=") if word.startswith("--") else (before, "", word)
    if not value or value.startswith("-"):
        return word
    path = found(value, folder)
    is_path = os.sep in value or re.search(r"_(dir|file|path)$", option) or "." in value and os.path.isfile(path)
    if not is_path or not os.path.exists(path):
        return word
    return f"{option}={path}" if equals else path


def with_absolute_path(spec, folder):
    """venv:, apptainer: and conda: with a directory get an absolute path, which must exist."""
    kind, _, place = spec.partition(":")
    if kind in ("venv", "apptainer") or (kind == "conda" and os.sep in place):
        path = found(place, folder)
        if not os.path.exists(path):
            raise Refusal(f"--env {spec}: there is no {path}", "--env with the path of an environment that exists")
        return f"{kind}:{path}"
    return spec


def model_script(options, stage):
    """The path of the model's script for a stage; raises Refusal where there is none."""
    return script_at(os.path.join(options.model_dir, f"{options.model}_{stage}_improve.py"))


@functools.lru_cache(maxsize=None)
def script_at(path):
    if not os.path.isfile(path):
        raise Refusal(f"there is no model script {path}", "give --model NAME and --model_dir DIR of the model's scripts")
    return path


def is_program(name):
    """Whether a shell finds it. Not shutil.which: with all its formats of archives that takes longer to import than we do."""
    paths = [os.path.join(folder, name) for folder in os.get_exec_path()]
    return any(os.path.isfile(path) and os.access(path, os.X_OK) for path in paths)


def check_output_dir(directory):
    """The directory, or the nearest one above it, can be written."""
    if len(os.fsencode(directory)) > LONGEST_PATH:
        raise Refusal(f"--output_dir is a path of {len(os.fsencode(directory))} bytes, which is too long for what it will hold",
                      f"choose an --output_dir of at most {LONGEST_PATH} bytes")
    above = existing_part(directory)
    if not os.path.isdir(above) or not os.access(above, os.W_OK | os.X_OK):
        raise Refusal(f"--output_dir {directory} cannot be written", "choose an --output_dir of yours")


def existing_part(directory):
    """The directory, or the nearest one above it that exists."""
    while not os.path.lexists(directory):
        directory = os.path.dirname(directory)
    return directory
