"""config_file: options from an INI file as IMPROVE's workflows have it.

    [CSA] / [LCA] / [HPO] section -> words as on the command line, which come first there

Lists are JSON (["CCLE", "gCSI"]; an empty one means all), *_args are dicts, and what
only other workflow engines know (parsl_config_file...) is passed over and said.
"""
import argparse
import configparser
import json

from launcher.refusal import Refusal

LARGEST = 1_000_000  # bytes
TRUE = ("true", "yes", "on", "1")


def words_of(path, section, parser):
    """(words, notes) for the options that the section sets; raises Refusal."""
    actions = {option[2:]: action for action in parser._actions for option in action.option_strings}
    words, passed_over = [], []
    for key, value in read_section(path, section).items():
        if key in actions and key not in ("config_file", "help"):
            words += option_words(key, value.strip(), actions[key], path)
        else:
            passed_over.append(key)
    notes = [f"--config_file: passed over {', '.join(passed_over)}, which mean nothing here"] if passed_over else []
    return words, notes


def read_section(path, section):
    """{key: text} of [section], with what [DEFAULT] adds; raises Refusal."""
    config = configparser.ConfigParser(interpolation=None)
    try:
        with open(path, encoding="utf-8") as file:
            config.read_string(file.read(LARGEST))
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise Refusal(f"--config_file {path} cannot be read ({' '.join(str(error).split())[:200]})",
                      f"an INI file with a section [{section}]")
    if section not in config:
        raise Refusal(f"--config_file {path} has no section [{section}]",
                      f"one with [{section}] ({', '.join(config.sections()) or 'it has none'})")
    return dict(config[section])


def option_words(key, value, action, path):
    """The words of one key: none for an empty list, dict or text, and for a switch that is off."""
    if value in ("", "[]", "{}", "None"):
        return []
    if action.nargs == 0:
        return [f"--{key}"] if value.lower() in TRUE else []
    if action.nargs == "+":
        return [f"--{key}", *list_items(key, value, path)]
    # One word, since a value may begin with a dash.
    return [f"--{key}={value}"]


def list_items(key, value, path):
    """'["CCLE"]' or 'CCLE' -> ['CCLE']"""
    if not value.startswith("["):
        return value.split()
    try:
        items = json.loads(value)
    except (ValueError, RecursionError):
        items = [None]
    if not all(isinstance(item, (str, int)) and not str(item).startswith("-") for item in items):
        raise Refusal(f"--config_file {path}: {key} = {value[:60]} is no list of names or numbers", f'{key} = ["CCLE", "gCSI"]')
    return [str(item) for item in items]


def add_option(group):
    group.add_argument("--config_file", metavar="INI", help="options from an INI file of IMPROVE's workflows; "
                       "the command line wins (none)")


def path_in(argv):
    """The --config_file of a command line, or None."""
    finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    finder.add_argument("--config_file")
    return finder.parse_known_args(argv)[0].config_file
