"""parameters: did a stage use the values that it was given?

    DIR/param_log_file.txt, the arguments given -> used_otherwise -> [(option, given, used)]

improvelib writes the parameters that it used beside a stage's outputs. An option of its
`"type": bool` takes every text for true: `--flag False` is True there, and nobody says so.
"""
import os
import re

TRUE, FALSE = ("yes", "true", "t", "y", "1"), ("no", "false", "f", "n", "0")    # as its str2bool
# 'NAME': True in a dict (improvelib 0.1.0), or a line NAME: True (our baseline)
SWITCH = re.compile(r"""(?:^|['"])(\w+)['"]?: (True|False)(?=[,}\s]|$)""", re.MULTILINE)
OPPOSITE = {"True": FALSE, "False": TRUE}
LARGEST = 1 << 20   # bytes


def used_otherwise(directory, arguments):
    """Returns [(option, given, used)] of the true/false options that a stage took for the opposite.

    directory: --output_dir of the stage, without a param_log_file.txt of an earlier attempt;
    arguments: {option without --: value}
    """
    try:
        path = os.path.join(directory, "param_log_file.txt")
        with open(path, encoding="utf-8", errors="replace") as file:
            used = dict(SWITCH.findall(file.read(LARGEST)))
    except OSError:
        return []
    return [(option, str(given), used[option]) for option, given in arguments.items()
            if option in used and str(given).lower() in OPPOSITE[used[option]]]


def otherwise_text(found):
    """Returns a sentence on what used_otherwise found, with the remedy."""
    options = "; ".join(f"--{option} {given} was given, but {used} was used"
                        for option, given, used in found)
    return (f"{options}: type bool takes every text for True; set it in the model's INI file, or "
            "make its type str2bool")
