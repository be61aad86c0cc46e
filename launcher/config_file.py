"""config_file: options from an INI file as IMPROVE's workflows and model repositories have it.

    the workflow's section, [CSA] [LCA] [HPO], if there is one, else [DEFAULT] and [Preprocess]
      └─> {option: value}, in the types of the command line, which wins

Lists are JSON (["CCLE", "gCSI"]; an empty one means all), *_args are dicts, switches are true or
false. Every key is obeyed, named as ignored, or refused with the nearest name.
"""
import argparse
import json
import re
from typing import NamedTuple, Tuple

from launcher.refusal import Refusal

LARGEST = 1_000_000  # bytes
TRUE, FALSE = ("yes", "true", "t", "y", "1"), ("no", "false", "f", "n", "0")    # IMPROVE's str2bool
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")     # characters that a terminal would obey
NOTHING = ("", "None", "{}")
# {workflow: {key of IMPROVE: option}}, beside the options' own names
OTHER_NAMES = {"csa": {"csa_outdir": "output_dir", "dataset": "source"}, "lca": {"dataset": "source"},
               "hpo": {"dataset": "source"}}
# Keys that win over others of the same meaning: a file may serve several workflows.
PREFERRED = {"csa": ("csa_outdir", "source_datasets"), "lca": ("dataset",), "hpo": ("dataset",)}
CONTAINER = ("use_singularity", "singularity_image")
STAGES = ("Preprocess", "Train", "Infer")
# Keys that only another workflow engine, or IMPROVE's own logging, knows.
OTHER_ENGINES = re.compile(r"parsl_.*|.*swarm.*|(available_)?accelerators|cbo_.*|num_gpus_per_node|log_level|param_log_file"
                           r"|config(_file)?$")
# Keys of one workflow, which a file may hold for another workflow than the one that reads it.
OF_ONE_WORKFLOW = {
    "csa_outdir", "target", "target_datasets", "only_cross_study", "hyperparameters_file", "lca_splits_dir", "lc_sizes",
    "lc_sizes_arr", "min_size", "max_size", "lc_step_scale", "hyperparameter_file", "max_evals", "val_metric", "randomized_data"}
# What IMPROVE takes if a file leaves these out, {workflow: {option: (key, value)}}; here it is all that there are.
IMPROVES_DEFAULTS = {
    "csa": {"source": ("source_datasets", "CCLE"), "target": ("target_datasets", "CCLE and gCSI"), "split": ("split_nums", "0")},
    "lca": {"source": ("dataset", "CCLE"), "split": ("split_nums", "0 and 1")},
    "hpo": {"source": ("source", "the one study of its input_dir")}}


class Settings(NamedTuple):
    """What a file says. values: {option: value}; notes: sentences; left_out: options that IMPROVE fills otherwise."""
    values: dict
    notes: list
    left_out: Tuple[str, ...]


def read(path, workflow, parser, given):
    """The Settings of a file. given: the options that the command line sets, whose keys are not looked at."""
    actions = keys_of(workflow, parser)
    texts, ignored = {}, []
    for level in levels_of(path, workflow.upper(), actions):
        texts.update(options_of(level, actions, PREFERRED.get(workflow, ()), ignored, path))
    if "env" not in given:
        use_container(texts, path)
    values = {option: value_of(key, text, actions, parser, path) for option, (key, text) in texts.items()
              if option not in (*given, *CONTAINER)}
    names = ", ".join(dict.fromkeys(ignored))
    notes = [f"--config_file {path}: ignored, since it means nothing here: {names}"] if names else []
    values = {option: value for option, value in values.items() if value is not NOTHING}
    left_out = [option for option in IMPROVES_DEFAULTS.get(workflow, ()) if option not in given and option not in values]
    return Settings(values, notes, tuple(left_out))


def keys_of(workflow, parser):
    """{key in small letters: the parser's action} of the keys that this workflow obeys."""
    keys = {name.lstrip("-"): action for action in parser._actions for name in action.option_strings
            if action.dest not in ("config_file", "help")}
    keys.update((key, keys[option]) for key, option in OTHER_NAMES.get(workflow, {}).items())
    keys["singularity_image"] = keys["env"]     # see use_container
    return keys


def sections_of(path):
    """{section: {key: text}} of a file, its keys as they are written; raises Refusal."""
    import configparser     # here, since every launch without a file starts sooner without it
    config = configparser.ConfigParser(interpolation=None, default_section="")
    config.optionxform = str
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read(LARGEST)
        config.read_string(text)
        if CONTROL.search(text):
            raise configparser.Error("it holds a control character")
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise Refusal(f"--config_file {path} cannot be read ({' '.join(repr(str(error))[1:-1].split())[:200]})",
                      "an INI file: [SECTION], then lines of key = value")
    return {name: dict(config[name]) for name in config.sections()}


def levels_of(path, section, actions):
    """[{key: text}] of what the workflow reads, later ones outrank earlier ones; raises Refusal."""
    sections = sections_of(path)
    default = sections.get("DEFAULT", {})
    if section in sections:
        return [default, sections[section]]
    # IMPROVE 0.1 reads a workflow's keys with the parser of preprocess.
    own = {key: text for key, text in sections.get("Preprocess", {}).items() if key.lower() in (*actions, *CONTAINER)}
    if not default and not own:
        raise Refusal(f"--config_file {path} has no section [{section}] and nothing in [DEFAULT]",
                      f"one with [{section}] or [DEFAULT] ({', '.join(sections) or 'it has no section'})")
    rest = {f"[{name}] {key}": text for name in STAGES for key, text in sections.get(name, {}).items()
            if name != "Preprocess" or key not in own}
    return [default, own, rest]


def options_of(level, actions, preferred, ignored, path):
    """{option: (key, text)} of a section's keys; those that mean nothing here are added to ignored. Raises Refusal."""
    found = {}
    for key, text in level.items():
        if key.lower() not in (*actions, *CONTAINER):
            if not is_of_others(key):
                raise unknown_key(key, actions, path)
            ignored.append(key)
            continue
        option = key.lower() if key.lower() in CONTAINER else actions[key.lower()].dest
        before = found.get(option, (key, text.strip()))
        if before[1] != text.strip() and not {before[0].lower(), key.lower()} & set(preferred):
            raise Refusal(f"--config_file {path} sets {before[0]} and {key}, which mean the same, to different values",
                          "one of them")
        found[option] = before if before[0].lower() in preferred else (key, text.strip())
    return found


def is_of_others(key):
    return key.startswith("[") or OTHER_ENGINES.match(key.lower()) or key.lower() in OF_ONE_WORKFLOW


def unknown_key(key, actions, path):
    import difflib      # here, since only this refusal needs it
    near = difflib.get_close_matches(key.lower(), [*actions, *CONTAINER], 1, 0.6)
    question = f"did you mean {near[0]}? " if near else ""
    return Refusal(f"--config_file {path} has an unknown key {key}",
                   f"{question}A model's own keys belong into preprocess_args, train_args, infer_args")


def use_container(texts, path):
    """use_singularity and singularity_image are the environment apptainer:IMAGE."""
    key, use = texts.pop("use_singularity", ("use_singularity", "false"))
    image = texts.pop("singularity_image", ("", ""))[1]
    if not boolean_of(key, use or "false", path):
        return
    if image in NOTHING:
        raise Refusal(f"--config_file {path}: {key} is {use}, but there is no singularity_image", "singularity_image = IMAGE.sif")
    texts["env"] = "singularity_image", f"apptainer:{unquoted(image)}"


# ---------------------------------------------------------------------- values

def value_of(key, text, actions, parser, path):
    """The value of one key; NOTHING if it is empty, the option's own default for an empty list."""
    action = actions[key.lower()]
    text = unquoted(text)
    if text in NOTHING:
        return NOTHING
    if action.nargs == 0:
        return boolean_of(key, text, path)
    if action.nargs == "+":
        items = list_items(key, text, path)
        return convert(parser, [action.option_strings[0], *items], action, key, path) if items else None
    # One word, since a value may begin with a dash.
    return convert(parser, [f"{action.option_strings[0]}={text}"], action, key, path)


def convert(parser, words, action, key, path):
    try:
        return values_given(parser, words)[0][action.dest]
    except Refusal as refusal:
        raise Refusal(f"--config_file {path}: {key}: {str(refusal).partition(': ')[2] or refusal}", f"another value of {key}")


def values_given(parser, words):
    """({option: value} of what the words set, words that no option takes): no default is filled in."""
    unset = object()
    found, unknown = parser.parse_known_args(words, argparse.Namespace(**{action.dest: unset for action in parser._actions}))
    return {option: value for option, value in vars(found).items() if value is not unset}, unknown


def boolean(text):
    """'y' -> True, 'F' -> False, as IMPROVE's str2bool has them."""
    if text.lower() not in TRUE + FALSE:
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false: {'/'.join(TRUE)} or {'/'.join(FALSE)}")
    return text.lower() in TRUE


def boolean_of(key, text, path):
    try:
        return boolean(text)
    except argparse.ArgumentTypeError as error:
        raise Refusal(f"--config_file {path}: {key}: {error}", f"{key} = True, or {key} = False")


def unquoted(text):
    """Quotes around a whole value are not part of it."""
    inside = text[1:-1]
    return inside if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" and text[0] not in inside else text


def list_items(key, text, path):
    """'["CCLE"]' or 'CCLE' -> ['CCLE']"""
    if not text.startswith("["):
        return text.split()
    try:
        items = json.loads(text.replace("'", '"'))
    except (ValueError, RecursionError):
        items = [None]
    if not all(isinstance(item, (str, int)) and not str(item).startswith("-") for item in items):
        raise Refusal(f"--config_file {path}: {key} = {text[:60]} is no list of names or numbers", f'{key} = ["CCLE", "gCSI"]')
    return [str(item) for item in items]


# ----------------------------------------------------------------------- notes

def left_out_notes(options, workflow, counts):
    """A sentence for each key that the file leaves out. counts: {option: how many studies or splits that makes}."""
    things = {"split": "splits"}
    return [f"{key} is not set: all {counts[option]} {things.get(option, 'studies')} (IMPROVE's default is {value})"
            for option, (key, value) in IMPROVES_DEFAULTS.get(workflow, {}).items()
            if option in options.left_out and option in counts]


def add_option(group):
    group.add_argument("--config_file", "--config", metavar="INI",
                       help="options from an INI file of IMPROVE's; the command line wins (none)")
