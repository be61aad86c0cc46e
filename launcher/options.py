"""options: the command line that the three launchers share, and the values of its arguments.

    OPTIONS (one table) -> argparse -> argv and an INI file -> Namespace, checked as far as
    the arguments alone can tell

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

from core.errors import FileError, Refusal
from core.files import read_json
from core.task import DIRECTORIES, SPLIT_FILES, read_arguments
from launcher import benchmark, config_file
from launcher.paths import HERE, MODEL_STAGES, absolute_environment, found, with_absolute_path

BENCHMARK = "csa_data/raw_data"    # where IMPROVE's instructions put the data
DEMO_DATA = "demo_data/raw_data"
ENVIRONMENTS = "none, venv:DIR, conda:NAME_OR_PREFIX, module:NAME[,NAME], apptainer:IMAGE.sif"
STAGE_ARGUMENTS = [f"{stage}_args" for stage in MODEL_STAGES]
# The workflow sets these of each stage; config_file would replace the model's parameter file.
OWN_ARGUMENTS = (*DIRECTORIES, *SPLIT_FILES, "y_col_name", "config_file")
SHAPE = 'a file of {"model": {"source": {"name": value}}}, as workflow_hpo.py writes it'


# ---- types of values: one argument or text of an INI file -> its value

def positive(text):
    if not re.match(r"[1-9]\d{0,8}$", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def whole(text):
    return 0 if text == "0" else positive(text)


def positives(text):
    """'128,256' -> [128, 256]"""
    return list(map(positive, text.split(",")))


def names(text):
    """'gCSI,CCLE' -> ['gCSI', 'CCLE']"""
    return text.split(",")


def split_numbers(text):
    """'3' -> [3]; '0-9' -> [0, ..., 9]; '0,2-4' -> [0, 2, 3, 4]"""
    parts = [re.match(r"(\d{1,6})(?:-(\d{1,6}))?$", part) for part in text.split(",")]
    ranges = [range(int(part[1]), int(part[2] or part[1]) + 1) if part else () for part in parts]
    if not all(ranges):
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a split number nor a range like 0-9")
    return [number for each in ranges for number in each]


def environment(text):
    """Returns KIND:PLACE. A bare name or prefix, as IMPROVE's INI files have it, is conda's."""
    kind, colon, place = text.partition(":")
    with open(f"{HERE}/run_model.sh", encoding="utf-8") as file:
        kinds = re.findall(r"^ +(\w+)\)", file.read(), re.MULTILINE)    # a site may add its own
    if not colon and kind not in kinds and re.match(r"[\w.~/][^\s:]*$", kind):
        return f"conda:{kind}"
    if kind not in kinds or (kind == "none") == bool(place):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no environment: one of {ENVIRONMENTS}")
    return text


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

def option(flags, help, **settings):
    """One row of the table: 'NAME OTHER_NAME=VALUE', the help, and what argparse has to know."""
    names_of_option, _, value = flags.partition("=")
    if value:
        settings["metavar"] = value
    return names_of_option.split(), dict(settings, help=help)


def switch(flags, help):
    """An option without a value."""
    return option(flags, help, action="store_true")


def many(flags, help, **settings):
    """An option with one or more values, whose type makes a list of each."""
    return option(flags, help, nargs="+", **settings)


def option_table(workflow, stages, title, own):
    """Returns {title of a group: its options}. stages: what --redo offers; title, own: a group of
    this workflow alone."""
    return {"data": [
        option("config_file config=INI", "IMPROVE's INI file; the command line wins"),
        many("source source_datasets dataset=NAME", "studies to train on; A+B is one source (all)",
             type=names),
        many("split split_nums=K", "split numbers, ranges: 0-9 (all; in a search 0)",
             type=split_numbers),
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
               "apptainer:SIF; a bare name is conda's (none)", default="none", type=environment),
        option("epochs", "passed on to train (the model's own)", type=positive),
        option("cuda_name=NAME", "passed on to train and infer (the model's own)"),
        option("input_supp_data_dir=DIR", "the model's own data, passed on to preprocess"),
    ] + [option(f'{stage}_args="--..."', f"more arguments for {stage}, in one text",
                type=stage_arguments, default={}) for stage in MODEL_STAGES],
        title: own,
        "how tasks run": [
        option("output_dir csa_outdir=DIR" if workflow == "csa" else "output_dir=DIR",
               f"results tree OUT (runs/{workflow}_MODEL)"),
        option("executor", "where tasks run (auto: slurm if this is a cluster)",
               choices=("auto", "slurm", "local"), default="auto"),
        option("jobs", "local: tasks at a time (cores)", type=positive),
        option("gpus=LIST", "local: a GPU a task; 0,0,1,1: two share one (all)", type=names,
               default=[]),
        option("max_running", "Slurm: elements of an array at a time (all; in a search 4)",
               type=positive),
        # Trials learn from each other: in one job they would wait for each other.
        *[switch("fuse", "one job runs all tasks of a source and split")] * (workflow != "hpo"),
        option("tasks_per_job=K", "one job runs K tasks of a stage in turn (1)", type=positive),
        option("retries", "further attempts at a failed task (0)", type=whole, default=0),
        switch("wait", "Slurm: stay, show progress, exit like a local run"),
        switch("dry_run", "do all but the last step: nothing starts"),
    ], "checks and existing runs": [
        option("check", "check without running, a line a check; 'run' also runs a tiny task of "
               "each stage", nargs="?", const=True, choices=("run",), default=False),
        option("status=TASK", "the state of all tasks, or of TASK; exit code 0 done, 1 failed, "
               "3 running, 4 stuck", nargs="?", const=True, default=False),
        switch("resources", "with --status: asked and used, by stage and study"),
        switch("json", "--status for scripts"),
        switch("cancel", "cancel the jobs of this run, and say which"),
        option("redo", "run this stage and all after it again", choices=stages),
        switch("replace", "replace results that have other arguments"),
        switch("adopt", "take outputs without a status as done"),
        switch("adopt_data", "keep results though the benchmark has changed"),
    ]}


HYPERPARAMETERS_FILE = option(
    "hyperparameters_file=FILE", "tuned values for train, from workflow_hpo.py")


# ---- argparse

class Parser(argparse.ArgumentParser):
    """An argparse parser that refuses as everything here does."""

    def error(self, message):
        raise Refusal(message, f"read python3 {self.prog} --help")


class Help(argparse.RawDescriptionHelpFormatter):
    """A line an option: its first name alone, and its value once."""

    def _format_action_invocation(self, action):
        value = "" if action.nargs == 0 else self._format_args(action, "N")
        return f"{action.option_strings[0]} {value}".rstrip()


def shared_parser(workflow, description, epilog, stages, title=None, own=()):
    """Returns the parser of a workflow; for the arguments, see option_table."""
    program = f"workflow_{workflow}.py"
    parser = Parser(
        prog=program, description=description, allow_abbrev=False,
        formatter_class=lambda prog: Help(prog, max_help_position=29),
        usage=f"python3 {program} [options]",
        epilog=f"{epilog}IMPROVE's own names (--source_datasets, --model_name ...) are known, too.")
    for name, rows in option_table(workflow, stages, title, own).items():
        group = parser.add_argument_group(name)
        for flags, settings in rows:
            group.add_argument(*[f"--{flag}" for flag in flags], **settings)
    parser.set_defaults(workflow=workflow, fuse=False)  # a search has no --fuse
    return parser


# ---- argv -> Namespace

def parse(parser, argv):
    """Returns a Namespace with absolute paths; Refusal, or exits as argparse does after --help.

    *_args: {name: text or list of texts}; hyperparameters: {source: {name: text}}
    demo: whether there is no benchmark; notes: sentences
    """
    line = joined(sys.argv[1:] if argv is None else argv)
    refuse_empty(line)
    options = parser.parse_args([])
    unset = argparse.Namespace(**dict.fromkeys(vars(options)))
    parsed, unknown = parser.parse_known_args(line, unset)
    if unknown:
        raise unknown_arguments(unknown, parser)
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
    options.status = options.status or options.json or options.resources
    for pair in (("status", "cancel"), ("check", "status"), ("fuse", "tasks_per_job"),
                 ("adopt", "dry_run")):
        if all(values[name] for name in pair):
            raise Refusal(f"--{pair[0]} and --{pair[1]} are given together",
                          "one of them at a time")
    for name in ("source", "target", "split", "lc_sizes_arr"):
        parts = values.get(name) or ()      # the types of these options return lists
        values[name] = list(dict.fromkeys(each for part in parts for each in part)) or None
    settle_model(options, beside)
    settle_paths(options)
    options.hyperparameters = read_hyperparameters(values.get("hyperparameters_file"),
                                                   options.model)


def settle_model(options, beside):
    """The model's folder, its environment, and the arguments of its stages. beside: the folder of
    an INI file that decides where the model is, which may be there or here"""
    folders = [found(options.model_dir, beside)] + [os.getcwd(), beside] * bool(beside)
    script = f"{options.model}_train_improve.py"
    folder = options.model_dir = next((each for each in folders
                                       if os.path.isfile(f"{each}/{script}")), folders[0])
    options.env = absolute_environment(options.env, folder)
    values = vars(options)
    for name in STAGE_ARGUMENTS:
        own = set(OWN_ARGUMENTS).intersection(values[name])
        if own:
            raise Refusal(f"--{name} holds --{min(own)}, which the workflow sets itself",
                          "leave it out; --output_dir, --input_dir and --y_col_name are options "
                          "of the workflow")
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


# ---- arguments

def joined(argv):
    """--train_args --verbose -> --train_args=--verbose; argparse would see two options."""
    texts, take_all = iter(argv), [f"--{name}" for name in STAGE_ARGUMENTS]
    return [f"{text}={next(texts, '')}" if text in take_all else text for text in texts]


def refuse_empty(line):
    """An empty text comes from a shell variable that is not set: --status "$UNSET" is no launch."""
    for before, text in zip(["the command line", *line], line):
        if not text or text.startswith("--") and text.endswith("="):
            raise Refusal(f"{text.rstrip('=') or before} is followed by an empty text",
                          "a value, or leave the option out; is a variable of your shell not set?")


def unknown_arguments(unknown, parser):
    """The Refusal of arguments that no option takes."""
    name = unknown[0].partition("=")[0].lstrip("-").replace("-", "_")   # as in the table
    known = [flag.lstrip("-") for flag in parser._option_string_actions]
    near = difflib.get_close_matches(name, known, 1, 0.8)
    return Refusal(
        f"unrecognized arguments: {' '.join(unknown)}", f"did you mean --{near[0]}?" if near else
        "options of the model go into one text, --train_args \"--learning_rate 0.1\", those of "
        "sbatch are lines in slurm_templates/site.sbatch; "
        f"python3 {parser.prog} --help has ours")


# ---- values that a search found: IMPROVE's hyperparameters_hpo.json

def read_hyperparameters(path, model):
    """Returns {source: {name: text}} of a model; Refusal if the file has another shape or model."""
    if path is None:
        return {}
    try:
        content = read_json(path)
        if model in content:
            return {source: as_arguments(values) for source, values in content[model].items()}
    except (FileError, AttributeError, TypeError) as error:
        raise Refusal(f"--hyperparameters_file {path} cannot be read ({error})", SHAPE)
    raise Refusal(f"--hyperparameters_file {path} has no entry for the model {model}",
                  f"a file that has one, or leave it out; this one has {listed(content)}")


def check_hyperparameters(options, sources):
    """Refuses a source for which --hyperparameters_file has no values."""
    for source in sources:
        if options.hyperparameters_file and source not in options.hyperparameters:
            raise Refusal(
                f"--hyperparameters_file has no entry for {options.model} trained on {source}",
                "another --source, or another file; this one has "
                f"{listed(options.hyperparameters)}")


def listed(names_of_entries):
    return ", ".join(sorted(names_of_entries))[:300] or "nothing"
