"""option_types: what the word behind an option may be.

    one word of the command line or of an INI file -> its value; argparse.ArgumentTypeError says what is wrong with it
"""
import argparse
import os
import re
import shlex

from launcher.paths import HERE

ENVIRONMENT_KINDS = ("none", "venv:DIR", "conda:NAME_OR_PREFIX", "module:NAME[,NAME]", "apptainer:IMAGE.sif")


def positive(text):
    if not re.match(r"[1-9]\d{0,8}$", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def whole(text):
    return 0 if text == "0" else positive(text)


def gpu_numbers(text):
    """'0,1' -> ['0', '1'], as CUDA_VISIBLE_DEVICES takes them; 'GPU-8932f937' and 'MIG-...' are names, too."""
    names = text.split(",")
    if len(set(names)) < len(names) or not all(re.match(r"[A-Za-z0-9/_-]+$", name) for name in names):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of different GPUs like 0,1,2,3")
    return names


def split_numbers(text):
    """'3' -> [3]; '0-9' -> [0, ..., 9]"""
    match = re.match(r"(\d{1,6})(?:-(\d{1,6}))?$", text)
    if not match or int(match.group(2) or match.group(1)) < int(match.group(1)):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a split number nor a range like 0-9")
    return list(range(int(match.group(1)), int(match.group(2) or match.group(1)) + 1))


def environment(text):
    """A bare name or prefix, as IMPROVE's INI files have it, is a conda environment."""
    kind, colon, place = text.partition(":")
    if not colon and kind not in known_kinds() and re.match(r"[\w.~/][^\s:]*$", kind):
        return f"conda:{kind}"
    own = kind in [known.split(":")[0] for known in ENVIRONMENT_KINDS]
    if kind not in known_kinds() or own and (kind == "none") == bool(colon and place):
        if not colon and own:
            raise argparse.ArgumentTypeError(f"{text!r} names a kind and no environment: {full_kind(kind)}")
        raise argparse.ArgumentTypeError(f"{text!r} is no environment: one of {', '.join(ENVIRONMENT_KINDS)}")
    return text


def full_kind(kind):
    """'venv' -> 'did you mean venv:DIR?', with the directory of that name if there is one"""
    known = next(known for known in ENVIRONMENT_KINDS if known.partition(":")[0] == kind)
    return f"did you mean {kind}:{kind}?" if os.path.isdir(kind) else f"give {known}"


def known_kinds():
    """The kinds of environments that run_model.sh activates: the cases of its marked block, where a site adds its own."""
    with open(os.path.join(HERE, "run_model.sh"), encoding="utf-8") as file:
        block = file.read().partition("a site adds its own kinds")[2].partition("end of the part")[0]
    return [known.split(":")[0] for known in ENVIRONMENT_KINDS] + re.findall(r"^\s*(\w+)\)", block, re.MULTILINE)


def stage_words(text):
    """'--epochs 5' -> words; also IMPROVE's form, a dict: "{'epochs': 5}"."""
    try:
        if text.strip().startswith("{"):
            import ast      # here, since only IMPROVE's form needs it
            pairs = ast.literal_eval(text.strip())
            return [word for name, value in pairs.items() for word in (f"--{name}", str(value))]
        return shlex.split(text)
    except (ValueError, TypeError, SyntaxError, AttributeError, MemoryError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} cannot be taken apart into words ({error})")
