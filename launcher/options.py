"""options: the command line that the three launchers share, and the values of its arguments.

    option_table, with the workflow's own rows -> argparse -> argv and an INI file
      -> Namespace, checked as far as the arguments alone can tell

Each flag means the same in all launchers. The first name of an option is ours, the others are
IMPROVE's; each is a flag and a key of INI files (config_file).
"""
import argparse
import ast
import difflib
import os
import re
import shlex
import sys
from itertools import combinations

from core.errors import Refusal
from core.task import DIRECTORIES, SPLIT_FILES, read_arguments
from launcher import benchmark, config_file
from launcher.paths import HERE, MODEL_STAGES, environment, found, with_absolute_path

BENCHMARK = "csa_data/raw_data"    # where IMPROVE's instructions put the data
DEMO_DATA = "demo_data/raw_data"
STAGE_ARGUMENTS = [f"{stage}_args" for stage in MODEL_STAGES]
# The workflow sets these of each stage; config_file would replace the model's parameter file.
OWN_ARGUMENTS = (*DIRECTORIES, *SPLIT_FILES, "y_col_name", "config_file")


# ---- types of values: one argument or text of an INI file -> its value

def positive(text):
    if not re.match(r"[1-9]\d{0,8}$", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def split_numbers(text):
    """'3' -> [3]; '0-9' -> [0, ..., 9]; '0,2-4' -> [0, 2, 3, 4]"""
    parts = [re.match(r"(\d{1,6})(?:-(\d{1,6}))?$", part) for part in text.split(",")]
    ranges = [range(int(part[1]), int(part[2] or part[1]) + 1) if part else () for part in parts]
    if not all(ranges):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a split number nor a range (0-9)")
    return [number for each in ranges for number in each]


def stage_arguments(text):
    """'--epochs 5' -> {'epochs': '5'}; also IMPROVE's form, a dict: "{'epochs': 5}"."""
    try:
        if text.strip().startswith("{"):
            return as_arguments(ast.literal_eval(text.strip()))
        return read_arguments(shlex.split(text), "")
    except (ValueError, TypeError, SyntaxError, AttributeError, MemoryError,
            RecursionError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of arguments ({error})")


def as_arguments(values):
    """{'epochs': 5, 'sizes': [8, 4]} -> {'epochs': '5', 'sizes': ['8', '4']}"""
    return {name.lstrip("-"): list(map(str, value)) if isinstance(value, (list, tuple))
            else str(value) for name, value in values.items()}


# ---- the table

# VALUE of a row -> its type
TYPES = {"N": positive, "0|N": lambda text: 0 if text == "0" else positive(text),
         "N...": lambda text: list(map(positive, text.split(","))), "K...": split_numbers,
         "NAME...": lambda text: text.split(",")}


def option(flags, help, **settings):
    """One row of the table: 'NAME OTHER_NAME=VALUE', the help, and what argparse has to know. TYPES
    has types of values; VALUE... is one or more, NAME alone a switch, with true or false or not."""
    names_of_option, _, value = flags.partition("=")
    if value:
        settings["metavar"] = value.rstrip(".")
    elif not settings:
        settings = dict(nargs="?", const=True, default=False, type=config_file.boolean)
    if value.endswith("..."):
        settings["nargs"] = "+"
    if value in TYPES:
        settings.setdefault("type", TYPES[value])
    return names_of_option.split(), dict(settings, help=help)


def option_table(workflow):
    is_search = workflow.name == "hpo"
    return {"data": [
        option("config_file config=INI", "IMPROVE's INI file; the command line wins"),
        option("source source_datasets dataset=NAME...", "to train on; A+B is one source (all)"),
        option("split split_nums=K...", "split numbers, ranges: 0-9 (all; in a search 0)",
               default=[[0]] if is_search else None),
        option("split_type", "blind splits share no cell line or drug (split)",
               choices=benchmark.SPLIT_TYPES, default="split"),
        option("input_dir=DIR", f"raw_data of the benchmark (./{BENCHMARK})"),
        option("y_col_name=NAME", "the response that is predicted (auc)", default="auc"),
        option("y_data_file=NAME", "file in y_data/, passed on (response.tsv)"),
    ], "model": [
        option("model model_name=NAME", "NAME_{preprocess,train,infer}_improve.py (baseline)",
               default="baseline"),
        option("model_dir model_scripts_dir=DIR", "the folder of these scripts (stages/)",
               default=f"{HERE}/stages"),
        option("env model_environment=ENV", "none, venv:DIR, conda:NAME, module:NAME, "
               "apptainer:SIF; a bare name is conda's (none)", default="none"),
        option("epochs=N", "passed on to train (the model's own)"),
        option("cuda_name=NAME", "passed on to train and infer (the model's own)"),
        option("input_supp_data_dir=DIR", "the model's own data, passed on to preprocess"),
        *[option(f'{stage}_args="--..."', f"more arguments for {stage}, in one text",
                 type=stage_arguments, default={}) for stage in MODEL_STAGES],
        *[option("hyperparameters_file=FILE", "tuned values for train, from workflow_hpo.py")]
        * (not is_search),
    ], f"{workflow.name} only": workflow.options, "how tasks run": [
        option("output_dir csa_outdir=DIR" if workflow.name == "csa" else "output_dir=DIR",
               f"results tree OUT (runs/{workflow.name}_MODEL)"),
        option("executor", "where tasks run (auto: slurm on a cluster)",
               choices=("auto", "slurm", "local"), default="auto"),
        option("jobs=N", "local: tasks at a time (cores)"),
        option("gpus=LIST", "local: a GPU a task; 0,0,1,1: two share one (all)", default=[],
               type=TYPES["NAME..."]),
        # a fifth of the default 20 trials at a time, since each learns from the finished ones
        option("max_running=N", "Slurm: array elements at a time (all; search: 4)",
               default=4 if is_search else None),
        # Trials learn from each other: in one job they would wait for each other.
        *[option("fuse", "one job runs all tasks of a source and split")] * (not is_search),
        option("tasks_per_job=N", "one job runs N tasks of a stage in turn (1)"),
        option("wait", "Slurm: stay, show progress, exit like a local run"),
        option("dry_run", "do all but the last step: nothing starts"),
    ], "checks and existing runs": [
        option("check", "check without running, a line a check; 'run' also runs a tiny task of "
               "each stage", nargs="?", const=True, choices=("run",), default=False),
        option("status=TASK", "the state of all tasks, or of TASK; exit code 0 done, 1 failed, "
               "3 running, 4 stuck", nargs="?", const=True, default=False),
        option("resources", "with --status: asked and used, by stage and study"),
        option("json", "--status for scripts"),
        option("cancel", "cancel the jobs of this run, and say which"),
        option("redo", "run this stage and all after it again", choices=workflow.stages),
        option("replace", "replace results that have other arguments"),
        option("adopt", "take outputs without a status as done"),
        option("adopt_data", "keep results though the benchmark has changed"),
    ]}


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise Refusal(message, f"read python3 {self.prog} --help")


class Help(argparse.RawDescriptionHelpFormatter):
    """A line an option: its first name alone, and its value once."""

    def _format_action_invocation(self, action):
        if action.nargs == 0 or action.type is config_file.boolean:
            return action.option_strings[0]
        return f"{action.option_strings[0]} {self._format_args(action, 'N')}"


def parser_of(workflow):
    description, to, examples = (workflow.header or "").partition("\n\nTo ")
    parser = Parser(
        prog=f"workflow_{workflow.name}.py", description=description, allow_abbrev=False,
        formatter_class=lambda prog: Help(prog, max_help_position=29),
        usage=f"python3 workflow_{workflow.name}.py [options]", epilog=f"{to.strip()} {examples}"
        "IMPROVE's own names (--source_datasets, --model_name ...) are known, too.")
    for title, rows in option_table(workflow).items():
        group = parser.add_argument_group(title)
        for flags, settings in rows:
            group.add_argument(*[f"--{flag}" for flag in flags], **settings)
    # a search has neither of the last two
    parser.set_defaults(workflow=workflow.name, fuse=False, hyperparameters_file=None)
    return parser


# ---- argv -> Namespace

def parse(workflow, argv):
    """Returns a Namespace with absolute paths; Refusal, or exits as argparse does after --help.
    *_args: {name: text or list of texts}; demo: whether there is no benchmark; notes: sentences"""
    line, parser = joined(sys.argv[1:] if argv is None else argv), parser_of(workflow)
    options = parser.parse_args([])
    unset = argparse.Namespace(**dict.fromkeys(vars(options)))
    parsed, unknown = parser.parse_known_args(line, unset)
    if unknown:
        name = unknown[0].partition("=")[0].lstrip("-").replace("-", "_")   # as in the table
        known = [flag.lstrip("-") for flag in parser._option_string_actions]
        near = difflib.get_close_matches(name, known, 1, 0.8)
        raise Refusal(
            f"unrecognized arguments: {' '.join(unknown)}", f"did you mean --{near[0]}?" if near
            else "options of the model go into one text, --train_args \"--learning_rate 0.1\", "
            "those of sbatch are lines in slurm_templates/site.sbatch, --help has ours")
    given = {name: value for name, value in vars(parsed).items() if value is not None}
    in_file, options.notes, beside = {}, [], ""
    if "config_file" in given:
        path = given["config_file"] = found(given["config_file"], given.get("model_dir", "."))
        in_file, options.notes = config_file.read(path, options.workflow, parser, given)
        beside = os.path.dirname(path) if "model_dir" not in given else ""
    vars(options).update({**in_file, **given})
    settle(options, beside)
    return options


def settle(options, beside):
    """Refuses options that contradict each other; flat lists, absolute paths."""
    values = vars(options)
    for one, other in (*combinations(("check", "cancel", "json", "resources"), 2),
                       ("check", "status"), ("status", "cancel"), ("fuse", "tasks_per_job"),
                       ("adopt", "dry_run"), ("adopt", "check")):
        if values[one] and values[other]:
            raise Refusal(f"--{one} and --{other} are given together", "give one of them")
    options.status = options.status or options.json or options.resources
    for name in ("source", "target", "split", "lc_sizes_arr"):
        parts = values.get(name) or ()      # the types of these options return lists
        values[name] = list(dict.fromkeys(each for part in parts for each in part)) or None
    settle_model(options, beside)
    settle_paths(options)


def settle_model(options, beside):
    """The model's folder, its environment, and the arguments of its stages. beside: the folder of
    an INI file that decides where the model is, which may be there or here"""
    folders = [found(options.model_dir, beside)] + [os.getcwd(), beside] * bool(beside)
    script = f"{options.model}_train_improve.py"
    folder = options.model_dir = next((each for each in folders
                                       if os.path.isfile(f"{each}/{script}")), folders[0])
    options.env = environment(options.env, folder)
    values = vars(options)
    for name in STAGE_ARGUMENTS:
        own = set(OWN_ARGUMENTS).intersection(values[name])
        if own:
            raise Refusal(f"--{name} holds --{min(own)}, which the workflow sets itself",
                          "leave it out, or use an option of the workflow")
        values[name] = {argument: with_absolute_path(argument, value, folder)
                        for argument, value in values[name].items()}


def settle_paths(options):
    """Makes paths absolute; demo data if there is no benchmark."""
    values, folder = vars(options), options.model_dir
    kind = "" if options.split_type == "split" else f"_{options.split_type}"
    usual = f"runs/{options.workflow}_{options.model}{kind}"
    options.output_dir = found(options.output_dir or usual, "")
    real = found(options.input_dir or BENCHMARK, folder)
    options.demo = options.input_dir is None and not os.path.isdir(real)
    options.input_dir = os.path.abspath(DEMO_DATA) if options.demo else real
    for name in ("input_supp_data_dir", "hyperparameters_file", "hyperparameter_file",
                 "lca_splits_dir"):
        given = values.get(name)
        if given:
            values[name] = found(given, folder)
            if not os.path.exists(values[name]):
                raise Refusal(f"--{name} {given} does not exist, neither here nor in {folder}",
                              "a path that exists")


def joined(argv):
    """--train_args --verbose -> --train_args=--verbose; argparse would see two options. Refuses an
    empty text, as of a shell variable that is not set: --status "$UNSET" is no launch."""
    texts, take_all = iter(argv), [f"--{name}" for name in STAGE_ARGUMENTS]
    line = [f"{text}={next(texts, '')}" if text in take_all else text for text in texts]
    for before, text in zip(["the command line", *line], line):
        if not text or text.startswith("--") and text.endswith("="):
            raise Refusal(f"{text.rstrip('=') or before} is followed by an empty text",
                          "a value, or leave the option out; is a variable of your shell not set?")
    return line
