"""config_file: options from an INI file as IMPROVE's workflows and model repositories have it.

    the workflow's section, [CSA] [LCA] [HPO], if the file has it, else the workflow's keys in
    [Preprocess], on top of [DEFAULT]
      └─> {option: value}, in the types of the command line, which wins

A key is a flag of the parser without its dashes, also IMPROVE's name of it. Lists are JSON
(["CCLE", "gCSI"]; an empty one means all), *_args are dicts, switches are true or false.
Every key is obeyed, or a note says that it is ignored; one that looks misspelt is refused.
"""
import argparse
import configparser
import difflib
import re

from core.errors import Refusal
from core.improve_files import FALSE, TRUE

NOTHING = ("", "None", "{}")
# Of keys that mean the same, the first one here wins: a file may serve several workflows.
PREFERRED = {"csa": ("csa_outdir", "source_datasets"), "lca": ("dataset",),
             "hpo": ("source", "dataset", "val_metric")}
SIMILAR = 0.75     # difflib's ratio: split_num is a misspelt split_nums, batch_size no min_size
# Keys of IMPROVE's other programs, and of our other workflows, that only look misspelt.
OF_OTHERS = re.compile(r"parsl_.*|n_splits|(canc|drug)_col_name.*|model_outdir"
                       r"|hyperparameters?_file|(raw_data|x_data|y_data|splits)_dir")


def read(path, workflow, parser, given):
    """Returns ({option: value}, notes) of a file; Refusal. given: the command line's options, whose
    keys are skipped; parser: gets the options that only a file has"""
    for name in ("--uses_cuda_name", "--use_singularity"):
        parser.add_argument(name, type=boolean)
    parser.add_argument("--singularity_image")
    actions = {flag[2:]: action for flag, action in parser._option_string_actions.items()
               if action.dest not in ("config_file", "help")}
    sections = read_sections(path)
    default, own = sections.get("DEFAULT", {}), sections.get(workflow.upper())
    if own is None:     # IMPROVE 0.1 reads a workflow's keys with the parser of preprocess
        own = {key: text for key, text in sections.get("Preprocess", {}).items()
               if key.lower() in actions}
    if not default and not own:
        raise Refusal(f"--config_file {path} has nothing in [{workflow.upper()}] or [DEFAULT]",
                      f"a file with one of them (this one has {', '.join(sections) or 'none'})")
    ignored = [key for key in {**default, **own} if key.lower() not in actions]
    for key in ignored:
        near = difflib.get_close_matches(key.lower(), actions, 1, SIMILAR)
        if near and not OF_OTHERS.fullmatch(key.lower()):
            raise Refusal(f"--config_file {path} has an unknown key {key}",
                          f"did you mean {near[0]}? A model's own keys belong into "
                          "preprocess_args, train_args, infer_args")
    known, values = {}, {}      # known: option -> its keys in the section that counts
    for section in (default, own):
        here = {}
        for key in section:
            if key not in ignored:
                here.setdefault(actions[key.lower()], []).append((key, section[key]))
        known.update(here)
    for action, pairs in known.items():
        if action.dest not in given:
            values.update(value_of(pairs, PREFERRED.get(workflow, ()), action, parser, path))
    settle(values, given, path)
    ignored += [f"[{name}] {key}" for name in ("Preprocess", "Train", "Infer")
                for key in sections.get(name, ()) if key not in own]
    return values, [f"--config_file {path}: ignored, since it means nothing here: "
                    f"{', '.join(dict.fromkeys(ignored))}"] * bool(ignored)


def read_sections(path):
    config = configparser.ConfigParser(interpolation=None, default_section="")
    config.optionxform = str
    try:
        with open(path, encoding="utf-8-sig") as file:
            config.read_file(file)
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        reason = " ".join(repr(str(error))[1:-1].split())[:200]
        raise Refusal(f"--config_file {path} cannot be read ({reason})",
                      "an INI file: [SECTION], then lines of key = value")
    # blanks and quotes around a whole value are not part of it
    return {name: {key: re.sub(r"""^(['"])((?:(?!\1).)*)\1$""", r"\2", text.strip())
                   for key, text in config[name].items()} for name in config.sections()}


def value_of(pairs, preferred, action, parser, path):
    """Returns {option: value}, {} for an empty text; Refusal. pairs: its (key, text), all alike"""
    best = [pair for name in preferred for pair in pairs if pair[0].lower() == name]
    if not best and len({text for _, text in pairs}) > 1:
        raise Refusal(f"--config_file {path} sets {pairs[0][0]} and {pairs[1][0]}, which mean "
                      "the same, to different values", "one of them")
    key, text = (best or pairs)[0]
    if text in NOTHING:
        return {}
    if action.nargs == "+":     # a list of JSON, or names with blanks between them
        text = ",".join(re.findall(r"[^\s\[\],'\"]+", text))
    try:        # with =, since a value may begin with a dash
        read_one = parser.parse_args([f"{action.option_strings[0]}={text}"]) if text else None
        return {action.dest: getattr(read_one, action.dest, None)}
    except Refusal as error:
        raise Refusal(f"--config_file {path}: {key}: {str(error).partition(': ')[2]}",
                      f"another value of {key}")


def boolean(text):
    """'y' -> True, 'F' -> False, as IMPROVE's str2bool reads them."""
    if text.lower() not in TRUE + FALSE:
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return text.lower() in TRUE


def settle(values, given, path):
    """Puts options of ours in place of those that only a file has; Refusal."""
    if not values.pop("uses_cuda_name", True):
        values.pop("cuda_name", None)
    image = values.pop("singularity_image", "")
    if values.pop("use_singularity", False) and "env" not in given:
        values["env"] = f"apptainer:{image}"
    if "model" not in {**values, **given}:
        # The default model is not what anybody wrote a file for.
        raise Refusal(f"--config_file {path} names no model in a section that is read",
                      "model_name in [DEFAULT], or --model NAME")
