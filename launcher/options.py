"""options: the command line that the three launchers have in common.

    argv -> Namespace, checked as far as the words alone can tell

Each flag means the same in all launchers. IMPROVE's own names are aliases.
"""
import argparse
import ast
import os
import re
import shlex
import sys

from launcher import config_file, hyperparameters
from launcher.refusal import Refusal

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # the folder that people copy
ENVIRONMENT_KINDS = ("none", "venv:DIR", "conda:NAME_OR_PREFIX", "module:NAME[,NAME]", "apptainer:IMAGE.sif")
BENCHMARK = os.path.join("csa_data", "raw_data")    # where IMPROVE's instructions put the data
DEMO_DATA = os.path.join("demo_data", "raw_data")


def shared_parser(workflow, description, epilog):
    """The parser with every shared option; a workflow adds a group of its own."""
    parser = argparse.ArgumentParser(
        prog=f"workflow_{workflow}.py", description=description, epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    config_file.add_option(parser)
    add_data_options(parser.add_argument_group("data"))
    add_model_options(parser.add_argument_group("model"))
    add_run_options(parser.add_argument_group("where and how tasks run"), workflow)
    add_looking_options(parser.add_argument_group("a run that is there already"))
    return parser


def add_data_options(group):
    group.add_argument("--source", "--source_datasets", nargs="+", metavar="NAME",
                       help="studies to train on (all in the data)")
    group.add_argument("--split", "--split_nums", nargs="+", metavar="K", type=split_numbers,
                       help="split numbers, ranges allowed: 0-9 (all present, per source)")
    group.add_argument("--input_dir", metavar="DIR",
                       help=f"the benchmark's raw_data (./{BENCHMARK}, else demo data)")
    group.add_argument("--y_col_name", metavar="NAME", default="auc",
                       help="the column of response.tsv that is predicted (auc)")


def add_model_options(group):
    group.add_argument("--model", "--model_name", metavar="NAME", default="baseline",
                       help="prefix of NAME_{preprocess,train,infer}_improve.py (baseline)")
    group.add_argument("--model_dir", "--model_scripts_dir", metavar="DIR", default=os.path.join(HERE, "stages"),
                       help="where those scripts are (stages/)")
    group.add_argument("--env", "--model_environment", metavar="SPEC", default="none", type=environment,
                       help=f"the model's environment: {', '.join(ENVIRONMENT_KINDS)} (none)")
    group.add_argument("--epochs", metavar="N", type=positive, help="passed on to train (the model's own)")
    for stage in ("preprocess", "train", "infer"):
        group.add_argument(f"--{stage}_args", metavar='"..."', type=stage_words, default=[],
                           help=f"further words for {stage}, one string (none)")


def add_hyperparameters_option(group):
    """For the workflows that train with values which a search has found."""
    group.add_argument("--hyperparameters_file", metavar="FILE",
                       help="hyperparameters_hpo.json of workflow_hpo.py: values for train, per source (none)")


def add_run_options(group, workflow):
    group.add_argument("--output_dir", metavar="DIR", help=f"results tree (runs/{workflow}_MODEL)")
    group.add_argument("--executor", choices=("auto", "slurm", "local"), default="auto",
                       help="where tasks run (auto: slurm where it is set up)")
    group.add_argument("--jobs", metavar="N", type=positive, help="local tasks at a time (cores)")
    group.add_argument("--max_running", metavar="N", type=positive,
                       help="Slurm: elements of an array that run at a time (no limit)")
    group.add_argument("--max_array", metavar="N", type=positive,
                       help="Slurm: tasks of an array, where a job limit is below MaxArraySize (MaxArraySize)")
    group.add_argument("--retries", metavar="N", type=whole, default=0,
                       help="further attempts at a failed task (0)")
    group.add_argument("--wait", action="store_true",
                       help="Slurm: stay, show progress, exit like a local run")
    group.add_argument("--dry_run", action="store_true",
                       help="write everything, start nothing, print what would be submitted")


def add_looking_options(group):
    group.add_argument("--status", action="store_true",
                       help="say where every task stands; exit 0 all done, 1 something failed, 3 it runs")
    group.add_argument("--json", action="store_true", help="--status for scripts")
    group.add_argument("--cancel", action="store_true", help="cancel the jobs of this run, and say which")
    group.add_argument("--redo", choices=("preprocess", "train", "infer"),
                       help="run this stage and what follows it anew, done or not")
    group.add_argument("--adopt", action="store_true",
                       help="take outputs that stand there without a status (IMPROVE's own runs) as done")


def parse(parser, argv):
    """argv -> Namespace with absolute paths; raises Refusal or exits 2 as argparse does."""
    workflow = parser.prog[len("workflow_"):-len(".py")]
    argv = sys.argv[1:] if argv is None else list(argv)
    config = config_file.path_in(argv)
    words, notes = config_file.words_of(config, workflow.upper(), parser) if config else ([], [])
    options = parser.parse_args(joined(words + argv))
    options.split = sorted({k for part in options.split or () for k in part}) or None
    options.model_dir = os.path.abspath(options.model_dir)
    options.output_dir = os.path.abspath(options.output_dir or os.path.join("runs", f"{workflow}_{options.model}"))
    options.env = with_absolute_path(options.env)
    options.demo = options.input_dir is None and not os.path.isdir(BENCHMARK)
    options.input_dir = os.path.abspath(options.input_dir or (DEMO_DATA if options.demo else BENCHMARK))
    options.hyperparameters, more = hyperparameters.read(getattr(options, "hyperparameters_file", None), options.model)
    options.notes = notes + more
    return options


def joined(argv):
    """--train_args --verbose -> --train_args=--verbose, which argparse would take for two options."""
    words = iter(argv)
    return [f"{word}={next(words, '')}" if re.match(r"--(preprocess|train|infer)_args$", word) else word for word in words]


def model_script(options, stage):
    """The path of the model's script for a stage; raises Refusal where there is none."""
    path = os.path.join(options.model_dir, f"{options.model}_{stage}_improve.py")
    if not os.path.isfile(path):
        raise Refusal(f"there is no model script {path}", "--model NAME and --model_dir DIR of the model's scripts")
    return path


def check_output_dir(directory):
    """The directory, or the nearest one above it, can be written."""
    above = directory
    while not os.path.lexists(above):
        above = os.path.dirname(above)
    if not os.path.isdir(above) or not os.access(above, os.W_OK | os.X_OK):
        raise Refusal(f"--output_dir {directory} cannot be written", "--output_dir with a directory of yours")


# -------------------------------------------------------- types of single options

def positive(text):
    if not re.match(r"[1-9]\d{0,8}$", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def whole(text):
    return 0 if text == "0" else positive(text)


def split_numbers(text):
    """'3' -> [3]; '0-9' -> [0, ..., 9]"""
    match = re.match(r"(\d{1,6})(?:-(\d{1,6}))?$", text)
    if not match or int(match.group(2) or match.group(1)) < int(match.group(1)):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a split number nor a range like 0-9")
    return list(range(int(match.group(1)), int(match.group(2) or match.group(1)) + 1))


def environment(text):
    kind, colon, where = text.partition(":")
    if kind not in [known.split(":")[0] for known in ENVIRONMENT_KINDS] or (kind == "none") == bool(colon and where):
        raise argparse.ArgumentTypeError(f"{text!r} is no environment: one of {', '.join(ENVIRONMENT_KINDS)}")
    return text


def with_absolute_path(spec):
    """venv:, apptainer: and conda: with a directory get an absolute path, which must exist."""
    kind, _, where = spec.partition(":")
    if kind in ("venv", "apptainer") or (kind == "conda" and os.sep in where):
        path = os.path.abspath(os.path.expanduser(where))
        if not os.path.exists(path):
            raise Refusal(f"--env {spec}: there is no {path}", "--env with the path of an environment that exists")
        return f"{kind}:{path}"
    return spec


def stage_words(text):
    """'--epochs 5' -> words; also IMPROVE's form, a dict: "{'epochs': 5}"."""
    try:
        if text.strip().startswith("{"):
            pairs = ast.literal_eval(text.strip())
            return [word for name, value in pairs.items() for word in (f"--{name}", str(value))]
        return shlex.split(text)
    except (ValueError, TypeError, SyntaxError, AttributeError, MemoryError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} cannot be taken apart into words ({error})")
