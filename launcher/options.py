"""options: the command line that the three launchers have in common.

    argv -> Namespace, checked as far as the words alone can tell

Each flag means the same in all launchers. IMPROVE's own names are aliases.
"""
import argparse
import os
import re
import sys

from launcher import benchmark, config_file, hyperparameters
from launcher.option_types import ENVIRONMENT_KINDS, environment, gpu_numbers, positive, split_numbers, stage_words, whole
from launcher.paths import HERE, found, with_absolute_path, with_absolute_words
from launcher.refusal import Refusal

BENCHMARK = os.path.join("csa_data", "raw_data")    # where IMPROVE's instructions put the data
DEMO_DATA = os.path.join("demo_data", "raw_data")


class Parser(argparse.ArgumentParser):
    """An argparse parser that refuses as everything here does."""

    def error(self, message):
        raise Refusal(message, f"read python3 {self.prog} --help")


def shared_parser(workflow, description, epilog, stages):
    """The parser with every shared option; a workflow adds a group of its own. stages: what --redo offers."""
    program = f"workflow_{workflow}.py"
    parser = Parser(
        prog=program, description=description, epilog=epilog, allow_abbrev=False,
        usage=f"python3 {program} [--source NAME ...] [--model NAME --model_dir DIR --env SPEC] [options]",
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=30))
    config_file.add_option(parser)
    add_data_options(parser.add_argument_group("data"))
    add_model_options(parser.add_argument_group("model"))
    add_run_options(parser.add_argument_group("where and how tasks run"), workflow)
    add_check_option(parser.add_argument_group("before a run"))
    add_looking_options(parser.add_argument_group("a run that exists already"), stages)
    return parser


def add_data_options(group):
    group.add_argument("--source", "--source_datasets", nargs="+", metavar="NAME",
                       help="studies to train on; CCLE+gCSI trains on both together (all in the data)")
    group.add_argument("--split", "--split_nums", nargs="+", metavar="K", type=split_numbers,
                       help="split numbers, ranges allowed: 0-9 (all present, per source)")
    group.add_argument("--split_type", choices=benchmark.SPLIT_TYPES, default="split",
                       help="cell, drug: blind splits, in which no cell line or drug is on both sides (split: mixed)")
    group.add_argument("--input_dir", metavar="DIR",
                       help=f"the benchmark's raw_data (./{BENCHMARK}, else demo data)")
    group.add_argument("--y_col_name", metavar="NAME", default="auc",
                       help="the column of the response file that is predicted (auc)")
    group.add_argument("--y_data_file", metavar="NAME",
                       help="the response file in y_data/, passed on to preprocess (response.tsv, which is not passed on)")


def add_model_options(group):
    group.add_argument("--model", "--model_name", metavar="NAME", default="baseline",
                       help="prefix of NAME_{preprocess,train,infer}_improve.py (baseline)")
    group.add_argument("--model_dir", "--model_scripts_dir", metavar="DIR", default=os.path.join(HERE, "stages"),
                       help="where those scripts are (stages/)")
    group.add_argument("--env", "--model_environment", metavar="SPEC", default="none", type=environment,
                       help=f"the model's environment: {', '.join(ENVIRONMENT_KINDS)}; a bare name is a conda one (none)")
    group.add_argument("--epochs", metavar="N", type=positive, help="passed on to train (the model's own)")
    group.add_argument("--cuda_name", metavar="NAME", help="passed on to train and infer (the model's own)")
    group.add_argument("--input_supp_data_dir", metavar="DIR", help="the model's own data, passed on to preprocess (none)")
    for stage in ("preprocess", "train", "infer"):
        group.add_argument(f"--{stage}_args", metavar='"..."', type=stage_words, default=[],
                           help=f"further words for {stage}, one string (none)")


def change_default(parser, name, value, words):
    """Gives a shared option another default in one workflow, and the help that says so."""
    action = parser._option_string_actions["--" + name]
    action.default, action.help = value, words


def add_hyperparameters_option(group):
    """For the workflows that train with values which a search has found."""
    group.add_argument("--hyperparameters_file", metavar="FILE",
                       help="hyperparameters_hpo.json of workflow_hpo.py: values for train, per source (none)")


def add_switch(group, name, text):
    """A switch that also takes a word: --NAME, --NAME True, --NAME no."""
    group.add_argument(name, nargs="?", metavar="BOOL", const=True, default=False, type=config_file.boolean, help=text)


def add_run_options(group, workflow):
    group.add_argument("--output_dir", metavar="DIR", help=f"results tree (runs/{workflow}_MODEL)")
    group.add_argument("--executor", choices=("auto", "slurm", "local"), default="auto",
                       help="where tasks run (auto: slurm where it is set up)")
    group.add_argument("--jobs", metavar="N", type=positive, help="local tasks at a time (cores)")
    group.add_argument("--max_running", metavar="N", type=positive,
                       help="Slurm: elements of an array that run at a time (no limit)")
    group.add_argument("--max_array", metavar="N", type=positive,
                       help="Slurm: tasks of an array, where a job limit is below MaxArraySize (MaxArraySize)")
    add_packing_options(group, workflow)
    group.add_argument("--retries", metavar="N", type=whole, default=0,
                       help="further attempts at a failed task (0)")
    group.add_argument("--wait", action="store_true",
                       help="Slurm: stay, show progress, exit like a local run")
    group.add_argument("--dry_run", action="store_true",
                       help="write everything, start nothing, print what would be submitted")


def add_packing_options(group, workflow):
    """How many tasks share a job, and who has which GPU."""
    group.set_defaults(fuse=False)
    if workflow != "hpo":   # trials learn from each other: in one job they would wait for each other
        group.add_argument("--fuse", action="store_true",
                           help="one job runs all tasks of a source and split, one after another (a job a task)")
    group.add_argument("--tasks_per_job", metavar="K", type=positive,
                       help="one job runs K tasks of a stage, one after another (1)")
    group.add_argument("--gpus", metavar="LIST", type=gpu_numbers, default=[],
                       help="local: each running task has one of these GPUs to itself: 0,1,2,3 (all see all)")
    group.add_argument("--tasks_per_gpu", metavar="K", type=positive, default=1,
                       help="tasks that share a GPU: of --gpus, or on Slurm of a job with --tasks_per_job (1)")


def add_check_option(group):
    group.add_argument("--check", nargs="?", const=True, choices=("run",), default=False,
                       help="verify all that can be known without running anything, a line a check; exit 0 nothing is wrong, 2 "
                       "something is; --check run also runs a tiny task of each stage on this machine (off)")


def add_looking_options(group, stages):
    group.add_argument("--status", nargs="?", const=True, default=False, metavar="TASK",
                       help="say what became of every task (of TASK: its whole story); exit 0 all done, 1 something failed, "
                       "3 it runs, 4 it can never go on")
    group.add_argument("--tail", metavar="TASK", help="follow the log of a task, named by its directory, until it ends")
    group.add_argument("--resources", action="store_true",
                       help="with --status: what was asked, what was used, for each stage and study")
    group.add_argument("--json", action="store_true", help="--status, also of a TASK, for scripts")
    group.add_argument("--advise", nargs="*", metavar="OUT",
                       help="write templates of this model that ask for what was measured here (and in each OUT), and a margin")
    group.add_argument("--cancel", action="store_true", help="cancel the jobs of this run, and say which")
    group.add_argument("--retry_failed", action="store_true",
                       help="also repeat what ended with an error of its own though nothing has changed since")
    group.add_argument("--redo", choices=stages, help="run this stage and what follows it anew, done or not")
    group.add_argument("--replace", action="store_true", help="make results anew that are done with other arguments")
    group.add_argument("--adopt", action="store_true",
                       help="take outputs that have no status (IMPROVE's own runs) as done")
    group.add_argument("--adopt_data", action="store_true",
                       help="take results as valid though the benchmark's files have changed since")


def parse(parser, argv):
    """argv -> Namespace with absolute paths; raises Refusal or exits as argparse does after --help.

    origins: {option: 'command line', the INI file or 'default'}; changed: {option: value} of what differs from the defaults
    """
    workflow = parser.prog[len("workflow_"):-len(".py")]
    words = joined(with_underscores(sys.argv[1:] if argv is None else argv, parser))
    given, unknown = config_file.values_given(parser, words)
    if unknown:
        raise unknown_words(unknown, parser)
    path, file = given.get("config_file"), config_file.Settings({}, [], ())
    if path is not None:
        path = given["config_file"] = found(path, given.get("model_dir", "."))
        file = config_file.read(path, workflow, parser, given)
    defaults = {action.dest: action.default for action in parser._actions if action.default is not argparse.SUPPRESS}
    options = argparse.Namespace(**dict(defaults, **dict(file.values, **given)))
    options.origins = {name: "command line" if name in given else path if name in file.values else "default" for name in defaults}
    options.notes, options.left_out = list(file.notes), list(file.left_out)
    settle(options, workflow, path)
    options.changed = {name: getattr(options, name) for name in defaults
                       if options.origins[name] != "default" and getattr(options, name) != defaults[name]}
    return options


def settle(options, workflow, config):
    """Makes paths absolute and values whole; raises Refusal for what does not go together."""
    options.status = options.status or options.json or options.resources
    if options.status and options.cancel:
        raise Refusal("--status and --cancel are given together", "give one of them at a time")
    if options.check and (options.status or options.cancel):
        raise Refusal("--check is given together with --status or --cancel", "give one of them at a time")
    if options.tasks_per_gpu > 1 and not options.gpus and not options.tasks_per_job:
        raise Refusal("--tasks_per_gpu is given without --gpus or --tasks_per_job",
                      "name the GPUs of this machine, --gpus 0,1, or put several tasks into each job of Slurm, --tasks_per_job 4")
    if options.fuse and options.tasks_per_job:
        raise Refusal("--fuse and --tasks_per_job are given together", "give one of them: --fuse puts a whole row into a job")
    options.split = sorted({k for part in options.split or () for k in part}) or None
    settle_model(options, config)
    settle_directories(options, workflow)
    for name in ("hyperparameters_file", "hyperparameter_file", "lca_splits_dir"):
        if getattr(options, name, None):
            setattr(options, name, found(getattr(options, name), options.model_dir))
    options.hyperparameters, notes = hyperparameters.read(getattr(options, "hyperparameters_file", None), options.model)
    options.notes += notes


def settle_directories(options, workflow):
    """The results tree and the benchmark, demo data if there is none."""
    kind = "" if options.split_type == "split" else f"_{options.split_type}"
    kind += "" if getattr(options, "subset_by", "row") == "row" else f"_by_{options.subset_by}"
    options.output_dir = os.path.abspath(os.path.expanduser(
        options.output_dir or os.path.join("runs", f"{workflow}_{options.model}{kind}")))
    real = found(options.input_dir or BENCHMARK, options.model_dir)
    options.demo = options.input_dir is None and not os.path.isdir(real)
    options.input_dir = os.path.abspath(DEMO_DATA) if options.demo else real


def settle_model(options, config):
    """The model's folder, its environment, and what its stages are given."""
    given, options.model_dir = options.model_dir, model_folder(options, config)
    if options.origins["model_dir"] == "default" and options.model_dir != given:
        options.origins["model_dir"] = config
    options.env = with_absolute_path(options.env, options.model_dir)
    for stage in ("preprocess", "train", "infer"):
        setattr(options, f"{stage}_args", with_absolute_words(getattr(options, f"{stage}_args"), options.model_dir))
    if options.input_supp_data_dir:
        data, options.input_supp_data_dir = options.input_supp_data_dir, found(options.input_supp_data_dir, options.model_dir)
        if not os.path.isdir(options.input_supp_data_dir):
            raise Refusal(f"--input_supp_data_dir {data} is no directory, neither here nor in {options.model_dir}",
                          "the path of the data that this model brings along")


def model_folder(options, config):
    """The folder of the model's scripts. What an INI file names may lie in the working directory or beside the file."""
    named = os.path.abspath(os.path.expanduser(options.model_dir))
    if config is None or options.origins["model_dir"] == "command line":
        return named
    beside = os.path.dirname(config)
    candidates = [named, os.path.join(beside, options.model_dir), os.getcwd(), beside]
    return os.path.normpath(next((folder for folder in candidates if holds_model(folder, options.model)), named))


def holds_model(folder, model):
    return any(os.path.isfile(os.path.join(folder, f"{model}_{stage}_improve.py")) for stage in ("preprocess", "train", "infer"))


# ----------------------------------------------------------------------- words

def with_underscores(argv, parser):
    """--dry-run -> --dry_run, for the options that the parser knows."""
    def known(word):
        name, equals, value = word.partition("=")
        underscored = "--" + name[2:].replace("-", "_")
        return underscored + equals + value if name.startswith("--") and underscored in parser._option_string_actions else word
    return [known(word) for word in argv]


def unknown_words(unknown, parser):
    """The Refusal of words that no option takes."""
    import difflib      # here, since only this refusal needs it
    word = unknown[0].partition("=")[0]
    near = difflib.get_close_matches("--" + word.lstrip("-").replace("-", "_"), list(parser._option_string_actions), 1, 0.7)
    return Refusal(f"unrecognized arguments: {' '.join(unknown)}",
                   f"did you mean {near[0]}?" if near else
                   f"options of the model's own go into one string, --train_args \"--learning_rate 0.1\"; python3 {parser.prog} --help has ours")


def joined(argv):
    """--train_args --verbose -> --train_args=--verbose, which argparse would take for two options."""
    words = iter(argv)
    return [f"{word}={next(words, '')}" if re.match(r"--(preprocess|train|infer)_args$", word) else word for word in words]
