"""tuned: the commands that train with the values that a search has found, without them, and compare the two.

    the newest plan of the search -> workflow_csa twice with the same model, data and response -> --compare
"""
import os
import shlex

from common.tree_files import as_text

BEST = "hyperparameters_hpo.json"
SAME = ("model", "model_dir", "env", "input_dir", "y_col_name", "epochs")      # one word each
WORDS = ("preprocess_args", "train_args")                                      # lists of words, given as one string


def commands(plan, model, out, sources):
    """Returns [(what it does, command to paste into bash)] in their order. plan: plan.json, {} if nobody planned the search."""
    out = as_text(os.path.abspath(out))
    above = os.path.dirname(out)
    search = os.path.basename(out)      # two searches of one model have two tuned runs
    name = search[len("hpo_"):] if search.startswith("hpo_") else search
    plain, tuned = os.path.join(above, f"csa_{model}"), os.path.join(above, f"csa_{name}_tuned")
    command = plan.get("command") or ["python3", "workflow_hpo.py"]
    program = [str(command[0]), os.path.join(os.path.dirname(str(command[1])), "workflow_csa.py")]
    train = [*program, *same_arguments(plan, model), "--source", *sources]
    compare = [program[0], os.path.join(os.path.dirname(program[1]), "stages", "collect_scores.py"),
               "--compare", plain, tuned, "--output_dir", tuned + "_compared"]
    best = ["--hyperparameters_file", os.path.join(out, BEST)]
    steps = [("train each study with its best values", [*train, *best, "--output_dir", tuned]),
             ("train without them, with the train script's own values", [*train, "--output_dir", plain]),
             ("compare the two", compare)]
    return [(words, " ".join(map(shlex.quote, command))) for words, command in steps]


def same_arguments(plan, model):
    """Returns the words that make the same models of the same data as the search did."""
    arguments = dict(plan["arguments"]) if isinstance(plan.get("arguments"), dict) else {}
    arguments.setdefault("model", model)
    words = [word for name in SAME if arguments.get(name) is not None for word in (f"--{name}", str(arguments[name]))]
    return words + [word for name in WORDS if arguments.get(name)
                    for word in (f"--{name}", " ".join(map(shlex.quote, map(str, arguments[name]))))]
