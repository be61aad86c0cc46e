"""stage_help: what a stage script says about its options, in the model's environment.

    SCRIPT WORDS... --help -> the flags that it knows, and whether it takes the values of these words

argparse looks at one word after the other and ends at --help: a value of a wrong type before it is an
error with exit code 2, and nothing is run. An unknown flag is not noticed so: it is looked for in the help.
"""
import difflib
import os
import re
import subprocess
import sys
from typing import NamedTuple

from launcher.paths import HERE
from launcher.refusal import Refusal

TIME_LIMIT = 300        # seconds: a first import of torch from a slow disk takes minutes
NOT_IMPORTED, NO_SYNTAX = 99, 98    # exit codes of stages/stage_help.py
FLAG = re.compile(r"(?<![\w-])--[A-Za-z][\w-]*")
PATH_OPTIONS = ("--output_dir", "--input_dir", "--input_data_dir", "--input_model_dir", "--train_split_file",
                "--val_split_file", "--test_split_file", "--study")


class NotChecked(Exception):
    """Why something cannot be verified here."""


class Said(NamedTuple):
    """What a stage script answered: its exit code, all that it printed, and the last line of that."""
    code: int
    text: str

    @property
    def last_line(self):
        return (self.text.strip().splitlines() or ["it says nothing"])[-1]


def known_flags(env, script, words, given, scratch):
    """The flags of a stage script, once it has taken the values of `words`; raises Refusal or NotChecked.

    given: all flags that its tasks have; scratch: an empty directory, in which it runs
    """
    said = ask(env, script, words, scratch)
    refused = None
    if words and said.code == 2:
        refused, said = said, ask(env, script, [], scratch)
    if said.code == NO_SYNTAX:
        raise Refusal(f"{script}: {said.last_line}", "mend that line, or name an environment with a newer Python with --env")
    if said.code == NOT_IMPORTED:
        raise Refusal(f"{script} cannot be imported in --env {env}: {said.last_line}",
                      "install that in the environment, or name another one with --env")
    flags = set(FLAG.findall(said.text))
    if said.code:
        raise NotChecked(f"{os.path.basename(script)} --help exits with {said.code}: {said.last_line}")
    if not flags:
        raise NotChecked(f"{os.path.basename(script)} --help lists no flags")
    refuse_unknown(given, flags, script)
    if refused:
        raise Refusal(f"{os.path.basename(script)} refuses a value: {refused.last_line}",
                      "another value for this option, or another script for this model")
    return flags


def ask(env, script, words, scratch):
    """Runs the script with words and --help in the environment."""
    command = ["bash", os.path.join(HERE, "run_model.sh"), "--check_env", env, script, *words, "--output_dir", scratch, "--help"]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=scratch,
                              timeout=TIME_LIMIT, env=dict(os.environ, WORKFLOW_PYTHON=sys.executable))
    except subprocess.TimeoutExpired:
        raise NotChecked(f"{os.path.basename(script)} --help has not ended in {TIME_LIMIT} s")
    return Said(done.returncode, done.stdout.decode("utf-8", "replace"))


def refuse_unknown(given, flags, script):
    """Raises Refusal for the first flag that the help does not list."""
    unknown = next((flag for flag in given if flag not in flags), None)
    if unknown:
        near = difflib.get_close_matches(unknown, sorted(flags), 1)
        raise Refusal(f"{os.path.basename(script)} knows no {unknown}", f"did you mean {near[0]}?" if near else "leave it out")


def flags_in(words):
    """{--train_split_file, --epochs...} of some words, in their order."""
    return [word.partition("=")[0] for word in words if FLAG.match(word)]


def passed_on(words):
    """The words of a task without ENV, SCRIPT and what differs from task to task: its paths."""
    kept, skip = [], False
    for word in words[2:]:
        if not skip and word not in PATH_OPTIONS:
            kept.append(word)
        skip = not skip and word in PATH_OPTIONS
    return kept
